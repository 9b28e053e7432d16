//! Arc of the tool centre point through three points with evenly turning orientation.

use std::f64::consts::TAU;

use nalgebra::{UnitQuaternion, Vector3};

use super::{PathDerivatives, fraction};
use crate::geometry::{Pose, Twist, rotation_between};

/// A via point nearer than this to the chord makes no arc, m.
pub const COLLINEAR_DISTANCE_M: f64 = 1e-4;

/// Why three points make no arc.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ArcProblem {
    /// Start and end are the same point: a full circle is not determined by a via point.
    EndAtStart,
    /// The via point is the start.
    ViaAtStart,
    /// The via point is the end.
    ViaAtEnd,
    /// The three points are on a line.
    Collinear {
        /// Distance of the via point from the line through start and end, m.
        distance_m: f64,
    },
}

/// The tool moves on the arc from start through via to end, less than a full circle; its orientation
/// turns from that of the start to that of the end, the short way, in step with the distance (slerp).
/// The orientation of the via point is not used.
///
/// The parameter is the distance along the arc, m.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ArcPath {
    x_base_tool_start: Pose,
    /// Unit vector from the centre to the start.
    radial: Vector3<f64>,
    /// Unit vector of motion at the start.
    tangent: Vector3<f64>,
    radius: f64,
    /// rad, in `0..2π`.
    angle: f64,
    /// Rotation vector of the orientation, rad, base axes.
    rotation: Vector3<f64>,
}

impl ArcPath {
    /// The arc through three points: poses of the tool in the base frame and the via position (m).
    ///
    /// # Errors
    /// [`ArcProblem`] when two points coincide or all three are (almost) on a line.
    pub fn new(
        x_base_tool_start: Pose,
        via_in_base: Vector3<f64>,
        x_base_tool_end: Pose,
    ) -> Result<Self, ArcProblem> {
        let start = x_base_tool_start.translation.vector;
        let (to_via, to_end) = (via_in_base - start, x_base_tool_end.translation.vector - start);
        if to_end.norm() < COLLINEAR_DISTANCE_M {
            return Err(ArcProblem::EndAtStart);
        }
        if to_via.norm() < COLLINEAR_DISTANCE_M {
            return Err(ArcProblem::ViaAtStart);
        }
        if (to_end - to_via).norm() < COLLINEAR_DISTANCE_M {
            return Err(ArcProblem::ViaAtEnd);
        }
        let normal = to_via.cross(&to_end);
        let distance_m = normal.norm() / to_end.norm();
        if distance_m < COLLINEAR_DISTANCE_M || distance_m.is_nan() {
            return Err(ArcProblem::Collinear { distance_m });
        }
        // Circumcentre of the triangle, seen from the start.
        let to_centre = (to_end.norm_squared() * normal.cross(&to_via)
            - to_via.norm_squared() * normal.cross(&to_end))
            / (2.0 * normal.norm_squared());
        let radius = to_centre.norm();
        let radial = -to_centre / radius;
        // Around this normal the order start, via, end is counter-clockwise.
        let tangent = normal.normalize().cross(&radial);
        let from_centre = to_end - to_centre;
        let angle = from_centre.dot(&tangent).atan2(from_centre.dot(&radial)).rem_euclid(TAU);
        Ok(Self {
            x_base_tool_start,
            radial,
            tangent,
            radius,
            angle,
            rotation: rotation_between(&x_base_tool_start.rotation, &x_base_tool_end.rotation),
        })
    }

    /// Distance along the arc, m.
    #[must_use]
    pub fn length(&self) -> f64 {
        self.radius * self.angle
    }

    /// Radius, m.
    #[must_use]
    pub const fn radius(&self) -> f64 {
        self.radius
    }

    /// Angle from start to end around the centre, rad, in `0..2π`.
    #[must_use]
    pub const fn angle(&self) -> f64 {
        self.angle
    }

    /// Centre in the base frame, m.
    #[must_use]
    pub fn centre(&self) -> Vector3<f64> {
        self.x_base_tool_start.translation.vector - self.radial * self.radius
    }

    /// Pose of the tool in the base frame at `s`, clamped to `0..=length`.
    #[must_use]
    pub fn sample(&self, s: f64) -> Pose {
        let fraction = fraction(s, self.length());
        let sine = (self.angle * fraction).sin();
        // 1 - cos from the half angle: a flat arc has a centre far away.
        let half_sine = (0.5 * self.angle * fraction).sin();
        let from_start = (self.tangent * sine - self.radial * (2.0 * half_sine * half_sine)) * self.radius;
        Pose::from_parts(
            (self.x_base_tool_start.translation.vector + from_start).into(),
            UnitQuaternion::from_scaled_axis(self.rotation * fraction) * self.x_base_tool_start.rotation,
        )
    }

    /// The derivatives at `s`, clamped to `0..=length`.
    #[must_use]
    pub fn derivatives(&self, s: f64) -> PathDerivatives {
        let length = self.length();
        let (sine, cosine) = (self.angle * fraction(s, length)).sin_cos();
        let along = self.tangent * cosine - self.radial * sine;
        let inward = -(self.radial * cosine + self.tangent * sine);
        let curvature = self.radius.recip();
        let straight = |linear| Twist { linear, angular: Vector3::zeros() };
        PathDerivatives::Tool {
            first: Twist { linear: along, angular: self.rotation / length },
            second: straight(inward * curvature),
            third: straight(-along * (curvature * curvature)),
        }
    }
}
