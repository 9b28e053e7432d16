use nalgebra::{Unit, UnitQuaternion, Vector3};
use proptest::collection::vec;
use proptest::prelude::proptest;

use super::super::test_chains::{any_chain, cases, difference, six_axis};
use super::{Chain, ChainError, Instructions, JointKind, Mimic};
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

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn every_set_of_instructions_gives_the_same_pose_and_jacobian((described, q) in any_chain()) {
        let chain = described.chain();
        let (wanted, wanted_jacobian) = chain.with_instructions(Instructions::BASELINE).forward_with_jacobian(&q);
        for instructions in Instructions::available().into_iter().flatten() {
            let (pose, jacobian) = chain.with_instructions(instructions).forward_with_jacobian(&q);
            let (distance, angle) = difference(&pose, &wanted);
            assert!(distance < 1e-13 && angle < 1e-13, "{}: {distance} m, {angle} rad", instructions.name());
            assert!((jacobian - wanted_jacobian).amax() < 1e-13, "{}", instructions.name());
        }
    }

    #[test]
    fn axes_that_are_nearly_parallel_cost_no_digits(
        exponents in vec(-16.0..-0.5_f64, 5), (mut described, q) in any_chain()
    ) {
        for (joint, exponent) in described.joints.iter_mut().zip(&exponents) {
            let tilt = UnitQuaternion::from_scaled_axis(Vector3::x() * 10_f64.powf(*exponent));
            joint.origin.rotation = tilt;
            joint.axis = Vector3::z_axis();
        }
        let wanted = described.link_poses(q.as_slice());
        let poses = described.chain().link_poses(&q);
        for (pose, wanted) in poses.as_slice().iter().zip(&wanted) {
            let (distance, angle) = difference(pose, wanted);
            assert!(distance < 1e-13 && angle < 1e-13, "{distance} m, {angle} rad");
        }
    }

    #[test]
    fn joints_that_follow_another_one_move_as_if_they_were_told_to(
        (described, q) in any_chain(), picks in vec((0_usize..12, -2.0..2.0_f64, -1.0..1.0_f64), 12)
    ) {
        // Every joint behind the first may follow one before it that has a drive.
        let count = described.joints.len();
        let mut mimics = vec![None; count];
        for index in 1..count {
            let (pick, multiplier, offset) = picks[index];
            if pick % 3 == 0 && mimics[pick % index].is_none() {
                mimics[index] = Some(Mimic { joint: pick % index, multiplier, offset });
            }
        }
        let chain = Chain::from_coupled_joints(&described.joints, &mimics, &described.x_last_flange).unwrap();
        let free: Vec<usize> = (0..count).filter(|index| mimics[*index].is_none()).collect();
        assert_eq!(chain.joint_count(), free.len());
        let own = JointVector::from_fn(free.len(), |joint| q.get(free[joint]));
        let all: Vec<f64> = (0..count).map(|index| match mimics[index] {
            None => q.get(index),
            Some(mimic) => mimic.multiplier * q.get(mimic.joint) + mimic.offset,
        }).collect();
        let (pose, jacobian) = chain.forward_with_jacobian(&own);
        let (distance, angle) = difference(&pose, described.link_poses(&all).last().unwrap());
        assert!(distance < 1e-12 && angle < 1e-12, "{distance} m, {angle} rad");
        for joint in 0..free.len() {
            let moved = |by: f64| {
                let mut moved = own;
                moved.set(joint, own.get(joint) + by);
                chain.forward(&moved)
            };
            let slope = crate::geometry::displacement(&moved(-1e-5), &moved(1e-5));
            for row in 0..3 {
                assert!((slope.linear[row] / 2e-5 - jacobian[(row, joint)]).abs() < 1e-6);
                assert!((slope.angular[row] / 2e-5 - jacobian[(row + 3, joint)]).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn a_joint_that_follows_itself_a_follower_or_nothing_is_refused() {
    let described = six_axis();
    let mimic = |joint| Some(Mimic { joint, multiplier: 1.0, offset: 0.0 });
    for (mimics, joint) in [
        (vec![mimic(0)], 0),
        (vec![None, mimic(9)], 1),
        (vec![None, mimic(2), mimic(0)], 1),
        (vec![None, Some(Mimic { joint: 0, multiplier: f64::NAN, offset: 0.0 })], 1),
    ] {
        assert_eq!(
            Chain::from_coupled_joints(&described.joints, &mimics, &described.x_last_flange),
            Err(ChainError::MimicNotValid { joint })
        );
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
