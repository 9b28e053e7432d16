//! Straight line of the tool centre point with evenly turning orientation.

use nalgebra::{UnitQuaternion, Vector3};

use super::{PURE_ROTATION_M_RAD, ParameterUnit, PathDerivatives, ZERO_LENGTH, fraction};
use crate::geometry::{Pose, Twist, rotation_between};

/// The tool moves straight from one pose to another; its orientation turns about one fixed axis, the
/// short way, in step with the distance (slerp).
///
/// The parameter is the distance of the tool, or the angle when the motion is an almost pure rotation
/// (less than [`PURE_ROTATION_M_RAD`] of distance per radian). At exactly half a turn both ways round are
/// equally short; the sign of the quaternions then decides, always the same way for the same poses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinePath {
    x_base_tool_start: Pose,
    /// m, base axes.
    translation: Vector3<f64>,
    /// Rotation vector, rad, base axes.
    rotation: Vector3<f64>,
    length: f64,
    unit: ParameterUnit,
}

impl LinePath {
    /// The line between two poses of the tool in the base frame.
    #[must_use]
    pub fn new(x_base_tool_start: Pose, x_base_tool_end: Pose) -> Self {
        let translation = x_base_tool_end.translation.vector - x_base_tool_start.translation.vector;
        let rotation = rotation_between(&x_base_tool_start.rotation, &x_base_tool_end.rotation);
        let (distance, angle) = (translation.norm(), rotation.norm());
        let is_rotation = distance < angle * PURE_ROTATION_M_RAD;
        let (length, unit) = if is_rotation {
            (angle, ParameterUnit::ToolRotation)
        } else {
            (distance, ParameterUnit::ToolDistance)
        };
        let length = if length > ZERO_LENGTH { length } else { 0.0 };
        Self { x_base_tool_start, translation, rotation, length, unit }
    }

    /// Distance (m) or angle (rad), by [`unit`](Self::unit).
    #[must_use]
    pub const fn length(&self) -> f64 {
        self.length
    }

    /// What the parameter measures.
    #[must_use]
    pub const fn unit(&self) -> ParameterUnit {
        self.unit
    }

    /// Pose of the tool in the base frame at `s`, clamped to `0..=length`.
    #[must_use]
    pub fn sample(&self, s: f64) -> Pose {
        let fraction = fraction(s, self.length);
        Pose::from_parts(
            (self.x_base_tool_start.translation.vector + self.translation * fraction).into(),
            UnitQuaternion::from_scaled_axis(self.rotation * fraction) * self.x_base_tool_start.rotation,
        )
    }

    /// The derivatives, the same everywhere.
    #[must_use]
    pub fn derivatives(&self) -> PathDerivatives {
        let first = if self.length > 0.0 {
            Twist { linear: self.translation / self.length, angular: self.rotation / self.length }
        } else {
            Twist::zero()
        };
        PathDerivatives::Tool { first, second: Twist::zero(), third: Twist::zero() }
    }
}
