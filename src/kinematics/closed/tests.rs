use nalgebra::{UnitQuaternion, Vector3};
use proptest::prelude::{prop_assert, proptest};

use super::super::test_chains::{Described, cases, difference, positions, six_axis, three_parallel_axis};
use super::{Class, ClosedForm, turned_apart};
use crate::geometry::Pose;
use crate::joints::JointVector;
use crate::kinematics::Instructions;

fn bent(mut described: Described, by_rad: f64, by_m: f64) -> Described {
    for (index, joint) in described.joints.iter_mut().enumerate() {
        let sign = [1.0, -1.0, 0.7, -0.4, 0.9, -0.8][index];
        joint.origin.translation.vector += Vector3::new(0.3, -0.5, 0.8) * (by_m * sign);
        joint.origin.rotation *=
            UnitQuaternion::from_scaled_axis(Vector3::new(0.6, 0.5, -0.3) * (by_rad * sign));
    }
    described
}

fn check(described: &Described, q: &JointVector, class: Class, allowed: f64) {
    let chain = described.chain();
    for instructions in Instructions::available().into_iter().flatten() {
        let chain = chain.with_instructions(instructions);
        let closed = ClosedForm::find(&chain).expect("has a closed form");
        assert_eq!(closed.class(), class);
        let pose = chain.forward(q);
        let branches = closed.branches(&chain, &pose, &JointVector::zeros(6));
        let nearest = branches.iter().map(|found| turned_apart(&found, q)).fold(f64::INFINITY, f64::min);
        assert!(
            nearest < 1e-6,
            "{}: {q:?} is {nearest} rad from the nearest of {branches:?}",
            instructions.name()
        );
        for branch in branches.iter() {
            let (distance, angle) = difference(&chain.forward(&branch), &pose);
            assert!(distance <= allowed && angle <= allowed, "{branch:?}: {distance} m, {angle} rad");
        }
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn every_branch_of_a_spherical_wrist_reaches_the_pose_and_the_known_one_is_among_them(q in positions(6, 3.1)) {
        check(&six_axis(), &q, Class::SphericalWrist, 1e-12);
    }

    #[test]
    fn every_branch_of_three_parallel_axes_reaches_the_pose_and_the_known_one_is_among_them(q in positions(6, 3.1)) {
        check(&three_parallel_axis(), &q, Class::ThreeParallel, 1e-12);
    }

    #[test]
    fn an_arm_that_is_almost_special_is_solved_on_its_true_chain(q in positions(6, 3.1)) {
        // Away from singular poses: there the true arm may have no solution where the special one has.
        let limits = |joint: usize, low: f64| q.get(joint).abs() > low && (q.get(joint).abs() - std::f64::consts::PI).abs() > low;
        proptest::prop_assume!(limits(4, 0.3) && limits(2, 0.3));
        let described = bent(six_axis(), 1e-4, 1e-4);
        let chain = described.chain();
        let closed = ClosedForm::find(&chain);
        prop_assert!(closed.is_some_and(|closed| !closed.is_exact()));
    }
}

#[test]
fn small_deviations_are_found_and_polished_and_large_ones_refused() {
    for (by_rad, by_m, is_found) in
        [(0.0, 0.0, true), (1e-9, 1e-9, true), (1e-5, 1e-4, true), (0.3, 0.0, false)]
    {
        let chain = bent(six_axis(), by_rad, by_m).chain();
        assert_eq!(ClosedForm::find(&chain).is_some(), is_found, "{by_rad} rad, {by_m} m");
    }
}

#[test]
fn the_stretched_wrist_keeps_joint_four_of_the_reference() {
    let chain = six_axis().chain();
    let closed = ClosedForm::find(&chain).expect("has a closed form");
    let q = JointVector::from_slice(&[0.3, 0.2, 0.3, 0.7, 0.0, 0.4]).expect("six");
    let branches = closed.branches(&chain, &chain.forward(&q), &q);
    assert!(branches.iter().any(|found| turned_apart(&found, &q) < 1e-9), "{branches:?}");
}

#[test]
fn the_wrist_centre_above_joint_one_keeps_joint_one_of_the_reference() {
    let described = six_axis();
    let chain = described.chain();
    let closed = ClosedForm::find(&chain).expect("has a closed form");
    // Bend the elbow until the wrist's centre is on the first axis, by bisection of its distance.
    let wrist = |q3: f64| {
        let q = JointVector::from_slice(&[0.5, -0.4, q3, 0.3, 0.8, 0.1]).expect("six");
        let centre = chain.link_poses(&q).as_slice()[5].translation.vector;
        centre.x * 0.5_f64.cos() + centre.y * 0.5_f64.sin()
    };
    let (mut low, mut high) = (-1.4, 1.4);
    assert!(wrist(low) * wrist(high) < 0.0, "{} {}", wrist(low), wrist(high));
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if wrist(low) * wrist(middle) > 0.0 { low = middle } else { high = middle }
    }
    let q = JointVector::from_slice(&[0.5, -0.4, low, 0.3, 0.8, 0.1]).expect("six");
    let pose = chain.forward(&q);
    let branches = closed.branches(&chain, &pose, &q);
    assert!(branches.iter().any(|found| turned_apart(&found, &q) < 1e-6), "{branches:?}");
}

#[test]
fn out_of_reach_and_not_finite_poses_have_no_branch() {
    let chain = six_axis().chain();
    let closed = ClosedForm::find(&chain).expect("has a closed form");
    for x in [5.0, f64::NAN, f64::INFINITY] {
        let branches = closed.branches(&chain, &Pose::translation(x, 0.0, 0.5), &JointVector::zeros(6));
        assert!(branches.is_empty(), "{branches:?}");
    }
}
