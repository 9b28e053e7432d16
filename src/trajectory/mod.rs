//! Paths and the law by which they are travelled. Pure, fixed size, used by the planner and by the
//! cycle alike. Choosing targets and reading jobs belongs to `planning`.
//!
//! A [`Segment`] is one motion from standstill to standstill: a [`path::Path`] over its parameter `s`
//! and the ceilings of speed, acceleration and jerk along `s` that keep every joint and the tool within
//! their limits. The law itself is made from the ceilings by the one-dimensional planner in
//! [`time_law`], in the planner to know the duration and in the cycle to move.

#![deny(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod path;
pub mod time_law;

use crate::dynamics::RigidBody;
use crate::geometry::Pose;
use crate::joints::JointVector;
use crate::kinematics::guide::Guide;

/// Limits along the path parameter `s` that hold on the whole segment.
///
/// Units: those of `s` (m for a Cartesian path, rad for a joint path or a pure rotation) and seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ceiling {
    /// Largest ds/dt, > 0.
    pub speed: f64,
    /// Largest d²s/dt², > 0.
    pub acceleration: f64,
    /// Largest d³s/dt³, > 0.
    pub jerk: f64,
}

/// One motion from standstill to standstill.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    /// The geometry, over `s` in `0..=length`.
    pub path: path::Path,
    /// Limits along `s`.
    pub ceiling: Ceiling,
    /// Tool centre point in the flange frame; for Cartesian paths the path is that of the tool.
    pub x_flange_tool: Pose,
    /// Tool and load at the flange, in the flange frame.
    pub payload: RigidBody,
    /// Joint positions at `s = 0`: where the arm must stand, and the seed of inverse kinematics.
    pub q_start: JointVector,
    /// Joint positions at `s = length`, on the same branch.
    pub q_end: JointVector,
    /// What fixes the joints that a Cartesian path leaves free.
    pub guide: Guide,
}
