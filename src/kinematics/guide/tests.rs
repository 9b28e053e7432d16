use std::f64::consts::{FRAC_PI_2, PI};

use nalgebra::{Translation3, Unit, UnitQuaternion, Vector3};
use proptest::prelude::*;

use super::*;
use crate::kinematics::inverse::Solver;
use crate::kinematics::test_chains::{
    Described, cases, difference, even_limits, positions, seven_axis, six_axis,
};
use crate::kinematics::{ChainJoint, JointKind};

/// A spherical shoulder and wrist whose elbow stands out to the side at zero, on a tilted base: nothing special but
/// the class.
fn shoulder_arm() -> Described {
    let joint = |x: f64, y: f64, z: f64, axis: Vector3<f64>| ChainJoint {
        kind: JointKind::Revolute,
        origin: Pose::translation(x, y, z),
        axis: Unit::new_normalize(axis),
    };
    let mut joints = vec![
        joint(0.0, 0.0, 0.34, Vector3::z()),
        joint(0.0, 0.0, 0.0, -Vector3::y()),
        joint(0.0, 0.0, 0.2, Vector3::z()),
        joint(0.0, 0.0, 0.2, Vector3::y()),
        joint(0.25, 0.0, 0.0, Vector3::x()),
        joint(0.15, 0.0, 0.0, Vector3::z()),
        joint(0.0, 0.0, 0.0, -Vector3::x()),
    ];
    joints[0].origin.rotation = UnitQuaternion::from_euler_angles(0.3, -0.2, 0.5);
    let turn = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), FRAC_PI_2);
    Described { joints, x_last_flange: Pose::from_parts(Translation3::new(0.1, 0.02, 0.0), turn) }
}

fn is_plain(arm: &SphericalShoulder, q: &JointVector) -> bool {
    let bent = |joint: usize| (q.get(joint) + arm.straight_for_tests(joint)).sin().abs() > 0.05;
    bent(1) && bent(5) && arm.arm_angle(q).is_some()
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn arm_angle_and_branch_give_the_joints_back(q in positions(7, 3.1)) {
        let chain = shoulder_arm().chain();
        let arm = SphericalShoulder::find(&chain).expect("of this class");
        prop_assume!(is_plain(&arm, &q));
        let (pose, branch) = (chain.forward(&q), arm.configuration(&q));
        let angle = arm.arm_angle(&q).expect("bent");
        let found = arm.inverse(&chain, &pose, angle, branch, &q, &InverseSettings::default());
        let InverseResult::Converged { q: found, .. } = found else { panic!("{found:?}") };
        prop_assert!((found - q).max_abs() < 1e-7, "{found:?}");
    }

    #[test]
    fn every_branch_and_arm_angle_reaches_the_pose_and_is_what_was_asked(
        q in positions(7, 3.1), angle in -PI..PI
    ) {
        let chain = shoulder_arm().chain();
        let arm = SphericalShoulder::find(&chain).expect("of this class");
        prop_assume!(is_plain(&arm, &q));
        let pose = chain.forward(&q);
        for branch in Configuration::ALL {
            let found = arm.inverse(&chain, &pose, angle, branch, &q, &InverseSettings::default());
            let InverseResult::Converged { q: found, .. } = found else { panic!("{branch}: {found:?}") };
            let (distance, turn) = difference(&chain.forward(&found), &pose);
            prop_assert!(distance < 1e-12 && turn < 1e-12, "{branch}: {distance} m, {turn} rad");
            if is_plain(&arm, &found) {
                prop_assert_eq!(arm.configuration(&found), branch);
                let gap = arm.arm_angle(&found).expect("bent") - angle;
                prop_assert!((gap - (gap / (2.0 * PI)).round() * 2.0 * PI).abs() < 1e-7, "{}", gap);
            }
        }
    }

    #[test]
    fn held_joints_stay_and_the_answer_does_not_depend_on_the_seed(
        q in positions(7, 1.0), off in positions(7, 0.02)
    ) {
        let chain = seven_axis().chain();
        let mask = best_held(&chain, &q);
        prop_assert_eq!(mask.count_ones(), 1);
        let (_, jacobian) = chain.forward_with_jacobian(&q);
        let least = singularity(&chain, &without(&jacobian, mask)).smallest;
        prop_assume!(least > 0.03);
        let guide = Guide::Held { mask, start: q, change: JointVector::zeros(7) };
        let follower = Follower::new(chain);
        let settings = InverseSettings {
            position_tolerance_m: 1e-12, orientation_tolerance_rad: 1e-12, ..InverseSettings::default()
        };
        let place = Place { fraction: 0.3, x_base_tool: &chain.forward(&q), x_flange_tool: &Pose::identity() };
        let found = follower.inverse(&guide, &place, &(q + off), &settings);
        let InverseResult::Converged { q: found, .. } = found else { panic!("{found:?}") };
        prop_assert!((found - q).max_abs() < 1e-9, "{found:?} instead of {q:?}");
    }

    #[test]
    fn rates_and_accelerations_are_those_of_the_solved_joints(
        q in positions(7, 1.2), twist in [-1.0..1.0_f64, -1.0..1.0, -1.0..1.0, -1.0..1.0, -1.0..1.0, -1.0..1.0],
        lead in -0.5..0.5_f64, speed in 0.2..1.0_f64, acceleration in -1.0..1.0_f64, by_angle in any::<bool>()
    ) {
        // A path of length 0.1 through the pose at q, half of it behind.
        let described = if by_angle { shoulder_arm() } else { seven_axis() };
        let chain = described.chain();
        let follower = Follower::new(chain);
        let guide = match follower.shoulder() {
            Some(arm) => {
                prop_assume!(is_plain(arm, &q));
                let start = arm.arm_angle(&q).expect("plain") - 0.5 * lead;
                Guide::ArmAngle { start, change: lead, configuration: arm.configuration(&q) }
            }
            None => {
                let mask = best_held(&chain, &q);
                let change = JointVector::from_fn(7, |joint| if mask & (1 << joint) == 0 { 0.0 } else { lead });
                Guide::Held { mask, start: q - change * 0.5, change }
            }
        };
        let (_, jacobian) = chain.forward_with_jacobian(&q);
        let closeness = guide.closeness(&chain, 0.5, (&jacobian, &jacobian));
        prop_assume!(closeness > 0.05);
        let length = 0.1;
        let here = chain.forward(&q);
        let first = Twist {
            linear: Vector3::new(twist[0], twist[1], twist[2]),
            angular: Vector3::new(twist[3], twist[4], twist[5]),
        };
        let second = Twist::zero();
        let pose_at = |s: f64| {
            let by = s - 0.5 * length;
            Some(Pose::from_parts(
                Translation3::from(here.translation.vector + first.linear * by),
                UnitQuaternion::from_scaled_axis(first.angular * by) * here.rotation,
            ))
        };
        let state = (0.5 * length, speed, acceleration);
        let found = follower.motion(&guide, length, state, (&first, &second), &Pose::identity(), &q, pose_at);
        let (speeds, accelerations) = found.expect("not singular");
        let dt = 1e-4;
        let settings = InverseSettings {
            position_tolerance_m: 1e-14, orientation_tolerance_rad: 1e-14, iterations_max: 20, step_max: 0.2,
        };
        let solved = |t: f64| {
            let s = 0.5 * length + speed * t + 0.5 * acceleration * t * t;
            let pose = pose_at(s).expect("always");
            let place = Place { fraction: s / length, x_base_tool: &pose, x_flange_tool: &Pose::identity() };
            match follower.inverse(&guide, &place, &q, &settings) {
                InverseResult::Converged { q, .. } | InverseResult::NotConverged { q, .. } => q,
            }
        };
        let (before, at, after) = (solved(-dt), solved(0.0), solved(dt));
        let scale = 1.0 + speeds.max_abs() + accelerations.max_abs();
        prop_assert!(((after - before) * (0.5 / dt) - speeds).max_abs() < 1e-4 * scale * scale);
        let bend = (after + before - at * 2.0) * (1.0 / (dt * dt));
        prop_assert!((bend - accelerations).max_abs() < 2e-3 * scale * scale, "{bend:?} {accelerations:?}");
    }

    #[test]
    fn the_solver_takes_the_arm_angle_asked_for_and_every_branch_at_it(q in positions(7, 2.8), angle in -PI..PI) {
        let chain = shoulder_arm().chain();
        let solver = Solver::new(&chain, &even_limits(7, 3.2)).expect("seven");
        let arm = solver.shoulder().expect("of this class");
        prop_assume!(is_plain(arm, &q));
        let pose = chain.forward(&q);
        let wish = crate::kinematics::configuration::Wish {
            arm_angle_rad: Some(angle), ..crate::kinematics::configuration::Wish::FREE
        };
        let found = solver.nearest(&pose, &q, &wish).expect("limits of more than a turn");
        let gap = arm.arm_angle(&found.q).expect("bent") - angle;
        prop_assert!((gap - (gap / (2.0 * PI)).round() * 2.0 * PI).abs() < 1e-6, "{}", gap);
        let mut branches = std::collections::HashSet::new();
        solver.each_at_arm_angle(&pose, angle, &q, &mut |solution| {
            branches.insert(solution.configuration.expect("has branches").to_string());
            true
        });
        prop_assert_eq!(branches.len(), 8);
    }
}

#[test]
fn only_arms_of_the_class_have_an_arm_angle() {
    assert!(SphericalShoulder::find(&six_axis().chain()).is_none());
    assert!(SphericalShoulder::find(&seven_axis().chain()).is_none());
    let mut bent = shoulder_arm();
    bent.joints[5].origin.translation.y += 1e-4;
    assert!(SphericalShoulder::find(&bent.chain()).is_none());
}

#[test]
fn a_stretched_arm_has_no_arm_angle_and_a_pose_out_of_reach_says_how_far() {
    let chain = shoulder_arm().chain();
    let arm = SphericalShoulder::find(&chain).expect("of this class");
    // The elbow stands at a right angle at zero.
    let mut stretched = JointVector::zeros(7);
    stretched.set(3, -FRAC_PI_2);
    assert_eq!(arm.arm_angle(&stretched), None);
    let q = JointVector::from_slice(&[0.3, 0.6, 0.1, 0.2, 0.3, 0.7, 0.2]).expect("seven");
    let mut pose = chain.forward(&q);
    pose.translation.vector *= 3.0;
    let result = arm.inverse(&chain, &pose, 0.0, arm.configuration(&q), &q, &InverseSettings::default());
    let InverseResult::NotConverged { position_error_m, .. } = result else { panic!("{result:?}") };
    assert!(position_error_m > 0.3 && position_error_m < 3.0, "{position_error_m}");
}

#[test]
fn limits_are_kept_away_from_where_the_arm_angle_allows_it() {
    let chain = shoulder_arm().chain();
    let q = JointVector::from_slice(&[0.2, 0.9, 0.4, 0.3, 0.5, 0.8, 0.1]).expect("seven");
    let mut limits: Vec<_> = even_limits(7, 3.0).as_slice().to_vec();
    // Joint 3 stands at its limit; any other arm angle moves it.
    limits[2].position_max = 0.4 + 1e-6;
    let limits = crate::joints::JointLimits::from_slice(&limits).expect("seven");
    let solver = Solver::new(&chain, &limits).expect("seven");
    let pose = chain.forward(&q);
    let found = solver.nearest(&pose, &q, &crate::kinematics::configuration::Wish::FREE).expect("q itself");
    assert!(found.q.get(2) < 0.4 - 0.05 * 3.4, "{:?}", found.q);
    assert!(difference(&chain.forward(&found.q), &pose).0 < 1e-12);
}

#[test]
fn a_wrist_course_joins_position_speed_and_acceleration_and_keeps_the_tool_on_the_path() {
    let chain = six_axis().chain();
    let vector = |values: [f64; 6]| JointVector::from_slice(&values).expect("six");
    let start = WristEnd {
        fraction: 0.2,
        q: vector([0.1, 0.2, 0.3, 0.4, -0.3, 0.6]),
        first: vector([0.0, 0.0, 0.0, 1.0, 2.0, -1.0]),
        second: vector([0.0, 0.0, 0.0, 3.0, -4.0, 2.0]),
    };
    let end = WristEnd {
        fraction: 0.7,
        q: vector([0.1, 0.2, 0.3, 0.9, 0.3, 0.1]),
        first: vector([0.0, 0.0, 0.0, -1.0, 1.5, 0.3]),
        second: vector([0.0, 0.0, 0.0, 0.5, 1.0, 0.0]),
    };
    let course = WristCourse::joining(&start, &end);
    for place in [&start, &end] {
        for (order, wanted) in [(0, &place.q), (1, &place.first), (2, &place.second)] {
            let found = course.derivative(place.fraction, order);
            for joint in 3..6 {
                assert!(
                    (found.get(joint) - wanted.get(joint)).abs() < 1e-10,
                    "order {order} of joint {joint}"
                );
            }
        }
    }
    // Straight through the stretched wrist: the tool centre point does not notice.
    let tool = Pose::translation(0.05, 0.02, 0.2);
    let guide = Guide::Wrist(course);
    let follower = Follower::new(chain);
    let mut q = start.q;
    for step in 0..=100_u8 {
        let fraction = 0.2 + 0.005 * f64::from(step);
        let mut wanted = chain.forward(&start.q) * tool;
        wanted.translation.vector.y += 0.1 * (fraction - 0.2);
        let place = Place { fraction, x_base_tool: &wanted, x_flange_tool: &tool };
        let found = follower.inverse(&guide, &place, &q, &InverseSettings::default());
        let InverseResult::Converged { q: found, .. } = found else { panic!("{step}: {found:?}") };
        let reached = (chain.forward(&found) * tool).translation.vector;
        assert!((reached - wanted.translation.vector).norm() < 1e-9);
        assert!((found - q).max_abs() < 0.1, "{step}");
        q = found;
    }
}
