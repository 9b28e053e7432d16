#![expect(clippy::disallowed_types, clippy::disallowed_macros, reason = "tests run outside the cycle")]

use nalgebra::{Translation3, Vector3};
use proptest::prelude::{prop_assume, proptest};

use super::super::singularity::singularity;
use super::super::test_chains::{
    any_chain, any_chain_of, cases, difference, even_limits, positions, seven_axis, six_axis,
};
use super::{GlobalSettings, InverseResult, InverseSettings, Solver, inverse_from_seed, joint_speeds};
use crate::geometry::{Pose, Twist};
use crate::joints::{JointLimits, JointVector};
use crate::kinematics::chain::{Axes, Chain, Frame};
use crate::kinematics::configuration::Wish;

/// By search and, where the arm has one, by closed form; both must agree on whether there is a solution.
fn global(chain: &Chain, pose: &Pose, seed: &JointVector, limits: &JointLimits) -> Option<JointVector> {
    let solver = Solver::new(chain, limits)?;
    let searched = solver.searching(GlobalSettings::default()).nearest(pose, seed, &Wish::FREE);
    let found = solver.nearest(pose, seed, &Wish::FREE);
    assert_eq!(searched.is_some(), found.is_some());
    if let (Some(searched), Some(found)) = (searched, found) {
        assert!(
            (found.q - *seed).max_abs() <= (searched.q - *seed).max_abs() + 1e-6,
            "{found:?} {searched:?}"
        );
    }
    found.map(|solution| solution.q)
}

fn solved(result: InverseResult) -> JointVector {
    match result {
        InverseResult::Converged { q, .. } => q,
        InverseResult::NotConverged { .. } => panic!("not converged: {result:?}"),
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn inverse_after_forward_returns_to_the_joint_positions(
        q in positions(6, 2.5), nudge in positions(6, 0.02)
    ) {
        let chain = six_axis().chain();
        let (pose, jacobian) = chain.forward_with_jacobian(&q);
        prop_assume!(singularity(&chain, &jacobian).smallest > 0.03);
        let found = solved(inverse_from_seed(&chain, &pose, &(q + nudge), &InverseSettings::default()));
        // Tolerance 1e-9 divided by the smallest singular value allowed above.
        assert!((found - q).max_abs() < 1e-7, "{q:?} {found:?}");
        let (distance, angle) = difference(&chain.forward(&found), &pose);
        assert!(distance <= 1e-9 && angle <= 1e-9);
    }

    #[test]
    fn any_pose_and_any_seed_end_with_finite_positions_and_true_errors(
        (described, q) in any_chain(), far in positions(12, 3.0), stretch in 0.0..2.0_f64
    ) {
        let chain = described.chain();
        let mut pose = chain.forward(&q);
        pose.translation.vector *= stretch;
        let seed = JointVector::from_fn(q.len(), |joint| far.get(joint));
        let settings = InverseSettings::default();
        match inverse_from_seed(&chain, &pose, &seed, &settings) {
            InverseResult::Converged { q, iterations } => {
                assert!(iterations <= settings.iterations_max);
                let (distance, angle) = difference(&chain.forward(&q), &pose);
                assert!(distance <= 1.01e-9 && angle <= 1.01e-9, "{distance} {angle}");
            }
            InverseResult::NotConverged { q, position_error_m, orientation_error_rad } => {
                let (distance, angle) = difference(&chain.forward(&q), &pose);
                assert!((distance - position_error_m).abs() < 1e-9);
                assert!((angle - orientation_error_rad).abs() < 1e-7, "{angle} {orientation_error_rad}");
                // Never further than the steps allow.
                let reach = f64::from(settings.iterations_max) * settings.step_max;
                assert!((q - seed).max_abs() <= reach * 1.000_001);
            }
        }
    }

    #[test]
    fn joint_speeds_make_the_wanted_twist(
        q in positions(7, 2.5), v in positions(6, 1.0)
    ) {
        let twist = Twist {
            linear: Vector3::new(v.get(0), v.get(1), v.get(2)),
            angular: Vector3::new(v.get(3), v.get(4), v.get(5)),
        };
        for described in [six_axis(), seven_axis()] {
            let chain = described.chain();
            let (_, jacobian) = chain.forward_with_jacobian(&q);
            prop_assume!(singularity(&chain, &jacobian).smallest > 1e-3);
            let speeds = joint_speeds(&jacobian, chain.joint_count(), &twist).expect("not singular");
            let made = chain.flange_velocity(&q, &speeds);
            assert!((made.linear - twist.linear).norm() < 1e-9);
            assert!((made.angular - twist.angular).norm() < 1e-9);
        }
    }

    #[test]
    fn joint_speeds_return_the_speeds_that_made_the_twist((described, q) in any_chain_of(6)) {
        let chain = described.chain();
        let (_, jacobian) = chain.forward_with_jacobian(&q);
        let known = singularity(&chain, &jacobian);
        prop_assume!(known.smallest > 1e-2 * known.largest);
        let speeds = q.map(|value| (5.0 * value).cos());
        let twist = chain.flange_velocity(&q, &speeds);
        let found = joint_speeds(&jacobian, q.len(), &twist).expect("the twist can be made");
        assert!((found - speeds).max_abs() < 1e-8);
    }

    #[test]
    fn a_rotation_vector_is_the_axis_times_the_angle(
        axis in [-1.0..1.0_f64, -1.0..1.0, -1.0..1.0], exponent in -9.0..0.497_f64
    ) {
        let axis = Vector3::from(axis);
        prop_assume!(axis.norm() > 0.1);
        // Up to 10^0.497 = 3.1405, just below half a turn.
        let wanted = axis.normalize() * 10_f64.powf(exponent);
        let frame = |turn: Vector3<f64>| Axes::of(&Frame {
            rotation: nalgebra::Rotation3::from_scaled_axis(turn).into_inner(), translation: Vector3::zeros()
        });
        let found = super::newton::rotation_vector::<false>(&frame(Vector3::zeros()), &frame(wanted)).vector();
        assert!((found - wanted).norm() < 1e-14 + 1e-11 * wanted.norm(), "{found} {wanted}");
    }
}

#[test]
fn a_pose_already_reached_takes_no_step() {
    let chain = six_axis().chain();
    let q = JointVector::from_slice(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).expect("six");
    let result = inverse_from_seed(&chain, &chain.forward(&q), &q, &InverseSettings::default());
    assert_eq!(result, InverseResult::Converged { q, iterations: 0 });
}

#[test]
fn a_line_sampled_at_1_khz_takes_at_most_two_steps_a_sample() {
    let chain = six_axis().chain();
    let mut q = JointVector::from_slice(&[0.1, 0.4, 0.3, 0.2, 0.7, 0.1]).expect("six");
    let start = chain.forward(&q);
    for sample in 1..=1000 {
        // 250 mm/s and 30 °/s.
        let along = f64::from(sample) * 1e-3;
        let turn = nalgebra::UnitQuaternion::from_scaled_axis(Vector3::new(
            0.0,
            0.0,
            std::f64::consts::FRAC_PI_6 * along,
        ));
        let x_base_flange = Pose::from_parts(
            Translation3::from(start.translation.vector + Vector3::new(0.0, -0.25 * along, 0.0)),
            turn * start.rotation,
        );
        match inverse_from_seed(&chain, &x_base_flange, &q, &InverseSettings::default()) {
            InverseResult::Converged { q: next, iterations } => {
                assert!(iterations <= 2, "sample {sample}: {iterations} steps");
                q = next;
            }
            InverseResult::NotConverged { .. } => panic!("sample {sample} not reached"),
        }
    }
}

#[test]
fn a_pose_out_of_reach_ends_at_the_nearest_stretch_without_converging() {
    let chain = six_axis().chain();
    let mut pose = chain.forward(&JointVector::zeros(6));
    pose.translation.vector = Vector3::new(3.0, 0.0, 0.5);
    let settings = InverseSettings { iterations_max: 100, ..InverseSettings::default() };
    let InverseResult::NotConverged { q, position_error_m, .. } =
        inverse_from_seed(&chain, &pose, &JointVector::zeros(6), &settings)
    else {
        panic!("3 m is out of reach");
    };
    assert!(q.is_finite());
    // From the shoulder at (0.075, 0.45): reach 0.46 + 0.528 to the wrist, + 0.09 to the flange.
    assert!(position_error_m > 1.8 && position_error_m < 2.1, "{position_error_m}");
    assert_eq!(global(&chain, &pose, &JointVector::zeros(6), &even_limits(6, 3.0)), None);
}

#[test]
fn seeds_and_poses_that_are_not_finite_give_infinite_errors() {
    let chain = six_axis().chain();
    let q = JointVector::zeros(6);
    let pose = chain.forward(&q);
    let mut bad_seed = q;
    bad_seed.set(2, f64::NAN);
    let mut bad_pose = pose;
    bad_pose.translation.vector.y = f64::INFINITY;
    for (pose, seed) in [(pose, bad_seed), (bad_pose, q)] {
        let InverseResult::NotConverged { position_error_m, orientation_error_rad, .. } =
            inverse_from_seed(&chain, &pose, &seed, &InverseSettings::default())
        else {
            panic!("must not converge");
        };
        assert!(position_error_m.is_infinite() && orientation_error_rad.is_infinite());
    }
}

#[test]
fn through_the_wrist_singularity_every_step_stays_bounded_and_finite() {
    let chain = six_axis().chain();
    // A line of the wrist through q5 = 0, slightly beside it: joints 4 and 6 must turn by half a turn there.
    let settings = InverseSettings::default();
    for beside in [0.0, 1e-9, 1e-6, 1e-3] {
        let mut q = JointVector::from_slice(&[0.0, 0.2, 0.3, 0.0, 0.4, 0.0]).expect("six");
        let mut target = q;
        target.set(0, beside);
        for sample in 0..800 {
            target.set(4, 0.4 - 1e-3 * f64::from(sample));
            let pose = chain.forward(&target);
            let next = match inverse_from_seed(&chain, &pose, &q, &settings) {
                InverseResult::Converged { q, .. } | InverseResult::NotConverged { q, .. } => q,
            };
            let reach = f64::from(settings.iterations_max) * settings.step_max;
            assert!(next.is_finite() && (next - q).max_abs() <= reach * 1.000_001);
            q = next;
        }
        // And it comes out on the other side.
        let (distance, angle) = difference(&chain.forward(&q), &chain.forward(&target));
        assert!(distance < 1e-8 && angle < 1e-8, "beside {beside}: {distance} m, {angle} rad");
    }
}

#[test]
fn joint_speeds_at_the_stretched_wrist_do_not_exist() {
    let chain = six_axis().chain();
    let q = JointVector::from_slice(&[0.0, 0.2, 0.3, 0.0, 0.0, 0.0]).expect("six");
    let (_, jacobian) = chain.forward_with_jacobian(&q);
    let twist = Twist { linear: Vector3::zeros(), angular: Vector3::z() };
    assert_eq!(joint_speeds(&jacobian, 6, &twist), None);
}

#[test]
fn five_joints_refuse_a_twist_they_cannot_make() {
    let mut described = six_axis();
    described.joints.pop();
    let chain = described.chain();
    let q = JointVector::from_slice(&[0.1, 0.2, 0.3, 0.4, 0.9]).expect("five");
    let (_, jacobian) = chain.forward_with_jacobian(&q);
    // About the flange's own axis, which the missing sixth joint would turn.
    let axis = chain.forward(&q).rotation * Vector3::z();
    assert_eq!(joint_speeds(&jacobian, 5, &Twist { linear: Vector3::zeros(), angular: axis }), None);
    let made = chain.flange_velocity(&q, &q);
    assert!(joint_speeds(&jacobian, 5, &made).is_some());
}

#[test]
fn a_twist_that_is_not_finite_gives_no_joint_speeds() {
    let chain = six_axis().chain();
    let q = JointVector::from_slice(&[0.1, 0.2, 0.3, 0.4, 0.9, 0.1]).expect("six");
    let (_, jacobian) = chain.forward_with_jacobian(&q);
    let twist = Twist { linear: Vector3::new(f64::NAN, 0.0, 0.0), angular: Vector3::zeros() };
    assert_eq!(joint_speeds(&jacobian, 6, &twist), None);
}

#[test]
fn the_global_search_finds_random_poses_within_limits() {
    let mut missed = Vec::new();
    for (described, half_range) in [(six_axis(), 2.6), (seven_axis(), 2.6)] {
        let chain = described.chain();
        let count = chain.joint_count();
        let limits = even_limits(count, half_range);
        for index in 1..=500_u32 {
            // Any fixed scatter will do; sines of large steps.
            let scatter = |salt: f64| {
                JointVector::from_fn(count, |joint| {
                    let phase = f64::from(index) * (12.9898 + salt)
                        + f64::from(u32::try_from(joint).unwrap()) * 78.233;
                    half_range * (2.0 * (phase.sin() * 43_758.545_3).fract().abs() - 1.0)
                })
            };
            let (q, seed) = (scatter(0.0), scatter(3.7));
            let pose = chain.forward(&q);
            match global(&chain, &pose, &seed, &limits) {
                Some(found) => {
                    let (distance, angle) = difference(&chain.forward(&found), &pose);
                    assert!(distance <= 1.01e-9 && angle <= 1.01e-9);
                    assert_eq!(limits.first_outside(&found, 0.0), None);
                }
                None => missed.push((count, index)),
            }
        }
    }
    assert!(missed.is_empty(), "missed {} of 1000: {missed:?}", missed.len());
}

#[test]
fn the_global_search_answers_the_same_twice_and_prefers_the_seed() {
    let chain = six_axis().chain();
    let limits = even_limits(6, 6.0);
    let q = JointVector::from_slice(&[0.3, 0.4, 0.2, -0.7, 0.8, 2.0]).expect("six");
    let pose = chain.forward(&q);
    let near = q.map(|value| value + 0.05);
    let first = global(&chain, &pose, &near, &limits).expect("reachable");
    let second = global(&chain, &pose, &near, &limits).expect("reachable");
    assert_eq!(first, second);
    assert!((first - q).max_abs() < 1e-7);
    // A whole turn away on joint 6 is nearer to a seed there.
    let mut turned = q;
    turned.set(5, q.get(5) - std::f64::consts::TAU);
    let found = global(&chain, &pose, &turned, &limits).expect("reachable");
    assert!((found - turned).max_abs() < 1e-7);
}

#[test]
fn the_global_search_refuses_limits_of_another_joint_count() {
    let chain = six_axis().chain();
    let q = JointVector::zeros(6);
    let pose = chain.forward(&q);
    assert_eq!(global(&chain, &pose, &q, &even_limits(5, 3.0)), None);
}
