use nalgebra::{Unit, Vector3};
use proptest::prelude::proptest;

use super::super::test_chains::{any_chain, cases, difference, six_axis};
use super::{Chain, ChainError, JointKind};
use crate::geometry::Pose;
use crate::joints::{JointVector, MAX_JOINTS};

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn forward_is_the_product_of_the_described_transforms((described, q) in any_chain()) {
        let chain = described.chain();
        let wanted = described.link_poses(q.as_slice());
        let (distance, angle) = difference(&chain.forward(&q), &wanted[wanted.len() - 1]);
        assert!(distance < 1e-13 && angle < 1e-13, "{distance} m, {angle} rad");

        let poses = chain.link_poses(&q);
        assert_eq!(poses.as_slice().len(), wanted.len());
        for (pose, wanted) in poses.as_slice().iter().zip(&wanted) {
            let (distance, angle) = difference(pose, wanted);
            assert!(distance < 1e-13 && angle < 1e-13, "{distance} m, {angle} rad");
        }
    }

    #[test]
    fn the_jacobian_is_the_difference_quotient_of_forward((described, q) in any_chain()) {
        let chain = described.chain();
        let (pose, jacobian) = chain.forward_with_jacobian(&q);
        assert_eq!(pose, chain.forward(&q));
        let step = 1e-5;
        for joint in 0..chain.joint_count() {
            let moved = |by: f64| {
                let mut moved = q;
                moved.set(joint, q.get(joint) + by);
                chain.forward(&moved)
            };
            let slope = crate::geometry::displacement(&moved(-step), &moved(step));
            for row in 0..3 {
                assert!((slope.linear[row] / (2.0 * step) - jacobian[(row, joint)]).abs() < 1e-8);
                assert!((slope.angular[row] / (2.0 * step) - jacobian[(row + 3, joint)]).abs() < 1e-8);
            }
        }
        for joint in chain.joint_count()..MAX_JOINTS {
            assert!(jacobian.column(joint).iter().all(|value| value.abs() <= 0.0));
        }
    }

    #[test]
    fn the_flange_velocity_is_the_jacobian_times_the_joint_speeds((described, q) in any_chain()) {
        let chain = described.chain();
        let (_, jacobian) = chain.forward_with_jacobian(&q);
        let speeds = q.map(|value| (3.0 * value).sin());
        let twist = chain.flange_velocity(&q, &speeds);
        let mut padded = [0.0; MAX_JOINTS];
        padded[..speeds.len()].copy_from_slice(speeds.as_slice());
        let wanted = jacobian * nalgebra::SVector::<f64, MAX_JOINTS>::from(padded);
        for row in 0..3 {
            assert!((twist.linear[row] - wanted[row]).abs() < 1e-12);
            assert!((twist.angular[row] - wanted[row + 3]).abs() < 1e-12);
        }
    }
}

#[test]
fn the_six_axis_arm_stretched_forward_reaches_where_its_lengths_say() {
    let pose = six_axis().chain().forward(&JointVector::zeros(6));
    let wanted = Vector3::new(0.075 + 0.26 + 0.26 + 0.05 + 0.04, 0.0, 0.21 + 0.24 + 0.46 + 0.05);
    assert!((pose.translation.vector - wanted).norm() < 1e-15);
    // The flange looks along its own z, which points forward.
    assert!((pose.rotation * Vector3::z() - Vector3::x()).norm() < 1e-15);
}

#[test]
fn missing_joint_positions_count_as_zero_and_surplus_ones_are_ignored() {
    let chain = six_axis().chain();
    let short = JointVector::from_slice(&[0.3, -0.2]).expect("two");
    let full = JointVector::from_slice(&[0.3, -0.2, 0.0, 0.0, 0.0, 0.0]).expect("six");
    let long = JointVector::from_slice(&[0.3, -0.2, 0.0, 0.0, 0.0, 0.0, 9.0]).expect("seven");
    assert_eq!(chain.forward(&short), chain.forward(&full));
    assert_eq!(chain.forward(&long), chain.forward(&full));
}

#[test]
fn a_chain_without_joints_is_refused() {
    assert_eq!(Chain::from_joints(&[], &Pose::identity()), Err(ChainError::NoJoint));
}

#[test]
fn a_chain_with_thirteen_joints_is_refused() {
    let joints = [six_axis().joints[0]; MAX_JOINTS + 1];
    assert_eq!(
        Chain::from_joints(&joints, &Pose::identity()),
        Err(ChainError::TooManyJoints { count: MAX_JOINTS + 1 })
    );
}

#[test]
fn an_axis_of_another_length_is_refused_by_index() {
    for axis in [Vector3::zeros(), Vector3::new(0.0, 0.0, 2.0), Vector3::new(f64::NAN, 0.0, 1.0)] {
        let mut joints = six_axis().joints;
        joints[3].axis = Unit::new_unchecked(axis);
        assert_eq!(Chain::from_joints(&joints, &Pose::identity()), Err(ChainError::AxisNotUnit { joint: 3 }));
    }
}

#[test]
fn an_origin_that_is_not_finite_is_refused_by_index() {
    let bad = Pose::translation(0.0, f64::INFINITY, 0.0);
    let mut joints = six_axis().joints;
    assert_eq!(Chain::from_joints(&joints, &bad), Err(ChainError::OriginNotValid { joint: 6 }));
    joints[1].origin = bad;
    assert_eq!(Chain::from_joints(&joints, &Pose::identity()), Err(ChainError::OriginNotValid { joint: 1 }));
}

#[test]
fn the_kind_of_each_joint_is_known_up_to_the_last() {
    let chain = six_axis().chain();
    assert_eq!(chain.joint_kind(5), Some(JointKind::Revolute));
    assert_eq!(chain.joint_kind(6), None);
}
