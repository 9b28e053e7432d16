use nalgebra::Vector3;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_assert, proptest};

use super::super::test_chains::{any_chain, cases, positions, six_axis};
use super::{jacobian_rate, joint_motion, tool_jacobian};
use crate::geometry::{Pose, Twist, displacement};
use crate::joints::JointVector;
use crate::kinematics::{Chain, Instructions, Mimic};

/// A chain of which every third joint behind the first may follow one before it, with positions and rates of the
/// joints with a drive.
fn moving_chain() -> impl Strategy<Value = (Chain, JointVector, JointVector)> {
    (any_chain(), vec((0_usize..12, -2.0..2.0_f64), 12), vec(-2.0..2.0_f64, 12)).prop_flat_map(
        |((described, q), picks, rates)| {
            let mut mimics = vec![None; described.joints.len()];
            for index in 1..mimics.len() {
                let (pick, multiplier) = picks[index];
                if pick % 3 == 0 && mimics[pick % index].is_none() {
                    mimics[index] = Some(Mimic { joint: pick % index, multiplier, offset: 0.3 });
                }
            }
            let chain = Chain::from_coupled_joints(&described.joints, &mimics, &described.x_last_flange)
                .expect("a valid chain");
            let own = JointVector::from_fn(chain.joint_count(), |joint| q.get(joint));
            let rates = JointVector::from_fn(chain.joint_count(), |joint| rates[joint]);
            (Just(chain), Just(own), Just(rates))
        },
    )
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn the_rate_of_the_jacobian_is_its_difference_in_time((chain, q, qd) in moving_chain()) {
        const H: f64 = 1e-5;
        for instructions in Instructions::available().into_iter().flatten() {
            let chain = chain.with_instructions(instructions);
            let (_, before) = chain.forward_with_jacobian(&(q - qd * H));
            let (_, after) = chain.forward_with_jacobian(&(q + qd * H));
            let wanted = (after - before) / (2.0 * H);
            let found = jacobian_rate(&chain, &q, &qd);
            let worst = (found - wanted).abs().max();
            prop_assert!(worst < 1e-6 * (1.0 + wanted.abs().max()), "{}: {worst}", instructions.name());
        }
    }

    #[test]
    fn joint_speeds_and_accelerations_give_the_tool_the_motion_asked_for(
        (chain, q, qd) in moving_chain(), qdd in vec(-3.0..3.0_f64, 12)
    ) {
        // Asked for what some motion of the joints gives; what comes back must give it too.
        const H: f64 = 1e-4;
        let x_flange_tool = Pose::translation(0.05, -0.02, 0.2);
        let qdd = JointVector::from_fn(q.len(), |joint| qdd[joint]);
        let at = |speeds: &JointVector, accelerations: &JointVector, time: f64| {
            chain.forward(&(q + *speeds * time + *accelerations * (0.5 * time * time))) * x_flange_tool
        };
        let motion = |speeds: &JointVector, accelerations: &JointVector| {
            let [before, now, after] = [-H, 0.0, H].map(|time| at(speeds, accelerations, time));
            let (back, on) = (displacement(&before, &now), displacement(&now, &after));
            let velocity = displacement(&before, &after);
            let scaled = |twist: Twist, by: f64| Twist { linear: twist.linear * by, angular: twist.angular * by };
            let change = Twist { linear: on.linear - back.linear, angular: on.angular - back.angular };
            (scaled(velocity, 0.5 / H), scaled(change, 1.0 / (H * H)))
        };
        let (velocity, acceleration) = motion(&qd, &qdd);
        let Some((speeds, accelerations)) = joint_motion(&chain, &x_flange_tool, &q, &velocity, &acceleration) else {
            // Singular, or not solvable with so few joints to the digits of a difference.
            return Ok(());
        };
        let (x_base_flange, jacobian) = chain.forward_with_jacobian(&q);
        let jacobian = tool_jacobian(&x_base_flange, &jacobian, &x_flange_tool);
        proptest::prop_assume!(jacobian.columns(0, q.len()).into_owned().svd(false, false).singular_values.min() > 0.02);
        let (velocity_found, acceleration_found) = motion(&speeds, &accelerations);
        let gap = |a: &Vector3<f64>, b: &Vector3<f64>, allowed: f64| (a - b).norm() < allowed * (1.0 + b.norm());
        let scale = 1.0 + speeds.max_abs() * speeds.max_abs();
        prop_assert!(gap(&velocity_found.linear, &velocity.linear, 1e-5 * scale));
        prop_assert!(gap(&velocity_found.angular, &velocity.angular, 1e-5 * scale));
        prop_assert!(gap(&acceleration_found.linear, &acceleration.linear, 1e-3 * scale), "{acceleration_found:?} {acceleration:?}");
        prop_assert!(gap(&acceleration_found.angular, &acceleration.angular, 1e-3 * scale));
    }

    #[test]
    fn a_path_at_constant_joint_speed_needs_no_joint_acceleration(q in positions(6, 2.0), qd in positions(6, 1.0)) {
        let chain = six_axis().chain();
        let (_, jacobian) = chain.forward_with_jacobian(&q);
        proptest::prop_assume!(jacobian.columns(0, 6).into_owned().svd(false, false).singular_values.min() > 0.02);
        let twist = |matrix: &crate::kinematics::Jacobian| {
            let product = matrix.columns(0, 6) * nalgebra::Vector6::from_column_slice(qd.as_slice());
            Twist { linear: product.fixed_rows::<3>(0).into_owned(), angular: product.fixed_rows::<3>(3).into_owned() }
        };
        let (velocity, acceleration) = (twist(&jacobian), twist(&jacobian_rate(&chain, &q, &qd)));
        let (speeds, accelerations) =
            joint_motion(&chain, &Pose::identity(), &q, &velocity, &acceleration).expect("not singular");
        prop_assert!((speeds - qd).max_abs() < 1e-9);
        prop_assert!(accelerations.max_abs() < 1e-8, "{accelerations:?}");
    }
}
