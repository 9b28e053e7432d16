//! Geometry of motions over a path parameter: joint line, Cartesian line, arc. Pure, `Copy`, fixed
//! size. How fast a path is travelled is `time_law`'s business, which joints follow it that of
//! `planning` and of the cycle.
//!
//! Every path runs over `s` in `0..=length`; outside, `s` is clamped. The parameter's unit is part of
//! the path, see [`ParameterUnit`]. A motion shorter than [`ZERO_LENGTH`] in every respect has length
//! zero: it stands at its start and all its derivatives are zero.
//!
//! Derivatives are with respect to `s`. For an orientation they are in twist form: the first is the
//! angular velocity `ω` of dR/ds = \[ω\]× R in base axes, the second and third are dω/ds and d²ω/ds².

mod arc;
mod joint;
mod line;

pub use arc::{ArcPath, ArcProblem, COLLINEAR_DISTANCE_M};
pub use joint::JointPath;
pub use line::LinePath;

use crate::geometry::{Pose, Twist};
use crate::joints::JointVector;

/// A displacement not longer than this (m and rad) is none.
pub const ZERO_LENGTH: f64 = 1e-9;

/// A Cartesian motion that moves the tool less than this per radian of turn, m/rad, is a pure rotation:
/// its parameter is the angle.
pub const PURE_ROTATION_M_RAD: f64 = 1e-3;

/// What the path parameter measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterUnit {
    /// Metres travelled by the tool centre point.
    ToolDistance,
    /// Radians turned by the tool (almost pure rotations).
    ToolRotation,
    /// Radians (or metres) travelled by the joint that moves most.
    JointDistance,
}

/// One point of a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PathPoint {
    /// Joint positions, rad or m.
    Joints(JointVector),
    /// Pose of the tool in the base frame.
    Pose(Pose),
}

/// First three derivatives of a path with respect to its parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PathDerivatives {
    /// Of the joint positions; the second and third are zero on a joint line.
    Joints {
        /// dq/ds.
        first: JointVector,
    },
    /// Of the tool's pose, base axes, twist form.
    Tool {
        /// d/ds: m and rad per unit of `s`.
        first: Twist,
        /// d²/ds².
        second: Twist,
        /// d³/ds³.
        third: Twist,
    },
}

/// The geometry of one motion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Path {
    /// Straight in joint space.
    Joint(JointPath),
    /// Tool straight, orientation turning evenly with the distance.
    Line(LinePath),
    /// Tool on an arc, orientation turning evenly with the distance.
    Arc(ArcPath),
}

impl Path {
    /// Where the parameter ends; ≥ 0, in [`unit`](Self::unit).
    #[must_use]
    pub fn length(&self) -> f64 {
        match self {
            Self::Joint(path) => path.length(),
            Self::Line(path) => path.length(),
            Self::Arc(path) => path.length(),
        }
    }

    /// What the parameter measures.
    #[must_use]
    pub fn unit(&self) -> ParameterUnit {
        match self {
            Self::Joint(_) => ParameterUnit::JointDistance,
            Self::Line(path) => path.unit(),
            Self::Arc(_) => ParameterUnit::ToolDistance,
        }
    }

    /// The point at `s`, clamped to `0..=length`. NaN counts as 0.
    /// # Real-time
    /// No allocation, constant time.
    #[must_use]
    pub fn sample(&self, s: f64) -> PathPoint {
        match self {
            Self::Joint(path) => PathPoint::Joints(path.sample(s)),
            Self::Line(path) => PathPoint::Pose(path.sample(s)),
            Self::Arc(path) => PathPoint::Pose(path.sample(s)),
        }
    }

    /// The derivatives at `s`, clamped to `0..=length`; one-sided at the ends. NaN counts as 0.
    /// # Real-time
    /// No allocation, constant time.
    #[must_use]
    pub fn derivatives(&self, s: f64) -> PathDerivatives {
        match self {
            Self::Joint(path) => PathDerivatives::Joints { first: path.direction() },
            Self::Line(path) => path.derivatives(),
            Self::Arc(path) => path.derivatives(s),
        }
    }
}

/// `s / length` in `0..=1`; 0 for a path without length and for NaN.
fn fraction(s: f64, length: f64) -> f64 {
    if length > 0.0 && s > 0.0 { (s / length).min(1.0) } else { 0.0 }
}

#[cfg(test)]
#[expect(clippy::disallowed_macros, reason = "tests may allocate")]
mod tests;
