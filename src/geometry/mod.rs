//! Poses, twists and the frames they are written in. Pure mathematics on fixed-size values; paths
//! live in `trajectory::path`, the arm in `kinematics`.
//!
//! Names carry frames: `x_base_tool` is the pose of the tool in the base frame, and
//! `x_base_flange * x_flange_tool` is right because the inner names meet.
#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros))]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

use nalgebra::{Isometry3, UnitQuaternion, Vector3};

/// A rigid transform: position in m, orientation as a unit quaternion.
pub type Pose = Isometry3<f64>;

/// A velocity (or a small displacement) of a frame: linear part m/s, angular part rad/s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Twist {
    /// Linear velocity of the frame's origin, m/s.
    pub linear: Vector3<f64>,
    /// Angular velocity, rad/s.
    pub angular: Vector3<f64>,
}

impl Twist {
    /// At rest.
    #[must_use]
    pub fn zero() -> Self {
        Self { linear: Vector3::zeros(), angular: Vector3::zeros() }
    }
}

/// Rotation vector (rad, base axes) that turns `from` into `to`, the short way.
#[must_use]
pub fn rotation_between(from: &UnitQuaternion<f64>, to: &UnitQuaternion<f64>) -> Vector3<f64> {
    let mut difference = to * from.inverse();
    if difference.w < 0.0 {
        difference = UnitQuaternion::new_unchecked(-difference.into_inner());
    }
    difference.scaled_axis()
}

/// The displacement that takes `from` to `to`: position difference and [`rotation_between`], base axes.
#[must_use]
pub fn displacement(from: &Pose, to: &Pose) -> Twist {
    Twist {
        linear: to.translation.vector - from.translation.vector,
        angular: rotation_between(&from.rotation, &to.rotation),
    }
}
