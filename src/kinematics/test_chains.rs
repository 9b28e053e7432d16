//! Chains for the tests of this folder, and forward kinematics written a second time, by quaternions.

use std::f64::consts::{FRAC_PI_2, PI};

use nalgebra::{Translation3, Unit, UnitQuaternion, Vector3};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, prop_oneof};
use proptest::test_runner::RngSeed;

use super::{Chain, ChainJoint, JointKind};
use crate::geometry::Pose;
use crate::joints::{JointLimit, JointLimits, JointVector, MAX_JOINTS};

/// A described chain, kept beside the compiled one for the second computation.
#[derive(Clone, Debug)]
pub(super) struct Described {
    pub(super) joints: Vec<ChainJoint>,
    pub(super) x_last_flange: Pose,
}

impl Described {
    pub(super) fn chain(&self) -> Chain {
        Chain::from_joints(&self.joints, &self.x_last_flange).expect("the description is valid")
    }

    /// Pose of each child frame, then of the flange; quaternion products, no shared code with `Chain`.
    pub(super) fn link_poses(&self, q: &[f64]) -> Vec<Pose> {
        let mut pose = Pose::identity();
        let mut poses = vec![pose];
        for (joint, value) in self.joints.iter().zip(q) {
            let motion = match joint.kind {
                JointKind::Prismatic => Pose::from_parts(
                    Translation3::from(joint.axis.into_inner() * *value),
                    UnitQuaternion::identity(),
                ),
                JointKind::Revolute | JointKind::Continuous => Pose::from_parts(
                    Translation3::identity(),
                    UnitQuaternion::from_axis_angle(&joint.axis, *value),
                ),
            };
            pose = pose * joint.origin * motion;
            poses.push(pose);
        }
        poses.push(pose * self.x_last_flange);
        poses
    }
}

fn offset(x: f64, y: f64, z: f64) -> Pose {
    Pose::translation(x, y, z)
}

fn turning(origin: Pose, axis: Vector3<f64>) -> ChainJoint {
    ChainJoint { kind: JointKind::Revolute, origin, axis: Unit::new_normalize(axis) }
}

/// A six-axis arm with spherical wrist, about 1.1 m reach; stretched forward at zero.
pub(super) fn six_axis() -> Described {
    Described {
        joints: vec![
            turning(offset(0.0, 0.0, 0.21), Vector3::z()),
            turning(offset(0.075, 0.0, 0.24), Vector3::y()),
            turning(offset(0.0, 0.0, 0.46), Vector3::y()),
            turning(offset(0.26, 0.0, 0.05), Vector3::x()),
            turning(offset(0.26, 0.0, 0.0), Vector3::y()),
            turning(offset(0.05, 0.0, 0.0), Vector3::x()),
        ],
        x_last_flange: Pose::from_parts(
            Translation3::new(0.04, 0.0, 0.0),
            UnitQuaternion::from_axis_angle(&Vector3::y_axis(), FRAC_PI_2),
        ),
    }
}

/// A six-axis arm with three parallel axes, about 0.9 m reach; stretched forward at zero.
pub(super) fn three_parallel_axis() -> Described {
    Described {
        joints: vec![
            turning(offset(0.0, 0.0, 0.16), Vector3::z()),
            turning(offset(0.0, 0.13, 0.0), Vector3::y()),
            turning(offset(0.42, -0.12, 0.0), Vector3::y()),
            turning(offset(0.39, 0.0, 0.0), Vector3::y()),
            turning(offset(0.0, 0.11, 0.0), Vector3::z()),
            turning(offset(0.0, 0.0, -0.1), Vector3::y()),
        ],
        x_last_flange: offset(0.0, 0.09, 0.0),
    }
}

/// A seven-axis arm with an offset wrist.
pub(super) fn seven_axis() -> Described {
    let mut arm = six_axis();
    arm.joints.insert(2, turning(offset(0.0, 0.02, 0.2), Vector3::z()));
    arm
}

/// Limits of ±`half_range` rad (or m) on each of `count` joints.
pub(super) fn even_limits(count: usize, half_range: f64) -> JointLimits {
    let limit = JointLimit {
        position_min: -half_range,
        position_max: half_range,
        speed_max: 1.0,
        acceleration_max: 1.0,
        jerk_max: 1.0,
    };
    JointLimits::from_slice(&vec![limit; count]).expect("at most MAX_JOINTS")
}

/// Joint positions of `count` joints in ±`half_range`.
pub(super) fn positions(count: usize, half_range: f64) -> impl Strategy<Value = JointVector> {
    vec(-half_range..half_range, count).prop_map(|q| JointVector::from_slice(&q).expect("at most MAX_JOINTS"))
}

fn direction() -> impl Strategy<Value = Unit<Vector3<f64>>> {
    prop_oneof![
        (0_usize..6).prop_map(|index| {
            let mut axis = Vector3::zeros();
            axis[index % 3] = if index < 3 { 1.0 } else { -1.0 };
            Unit::new_normalize(axis)
        }),
        [-1.0..1.0, -1.0..1.0, -1.0..1.0]
            .prop_filter("long enough to normalise", |v| Vector3::from(*v).norm() > 0.1)
            .prop_map(|v| Unit::new_normalize(Vector3::from(v))),
    ]
}

fn any_pose() -> impl Strategy<Value = Pose> {
    ([-0.5..0.5, -0.5..0.5, -0.5..0.5], direction(), -PI..PI).prop_map(|(position, axis, angle)| {
        Pose::from_parts(
            Translation3::from(Vector3::from(position)),
            UnitQuaternion::from_axis_angle(&axis, angle),
        )
    })
}

fn any_joint() -> impl Strategy<Value = ChainJoint> {
    let kind = prop_oneof![3 => proptest::strategy::Just(JointKind::Revolute), 1 => proptest::strategy::Just(JointKind::Continuous),
                    1 => proptest::strategy::Just(JointKind::Prismatic)];
    (kind, any_pose(), direction()).prop_map(|(kind, origin, axis)| ChainJoint { kind, origin, axis })
}

/// Settings of every property test here: `count` cases from a fixed seed.
pub(super) fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_260),
        ..ProptestConfig::with_cases(count)
    }
}

/// Any chain of 1 to [`MAX_JOINTS`] joints with positions for it.
pub(super) fn any_chain() -> impl Strategy<Value = (Described, JointVector)> {
    any_chain_of(MAX_JOINTS)
}

/// Any chain of 1 to `joints_max` joints with positions for it.
pub(super) fn any_chain_of(joints_max: usize) -> impl Strategy<Value = (Described, JointVector)> {
    (vec((any_joint(), -3.0..3.0_f64), 1..=joints_max), any_pose()).prop_map(|(joints, x_last_flange)| {
        let q = JointVector::from_fn(joints.len(), |index| joints[index].1);
        (Described { joints: joints.into_iter().map(|(joint, _)| joint).collect(), x_last_flange }, q)
    })
}

/// Distance in m and angle in rad between two poses.
pub(super) fn difference(a: &Pose, b: &Pose) -> (f64, f64) {
    let gap = crate::geometry::displacement(a, b);
    (gap.linear.norm(), gap.angular.norm())
}
