//! Kinematics of one arm as a serial chain of at most [`MAX_JOINTS`] joints: forward, Jacobian, inverse and
//! distance from singular poses. Pure mathematics on fixed-size values, safe in the cycle; reading a URDF
//! belongs to `config::kinematic_model`, limits in time to `trajectory`, forces to a dynamics of their own.
//!
//! Frames: `base` is the base link, `flange` the tip link. The tool is not known here: callers multiply by
//! `x_flange_tool`.

#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros))]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub(crate) mod chain;
pub mod closed;
pub mod configuration;
pub mod guide;
pub(crate) mod instructions;
pub mod inverse;
pub mod jacobian_derivative;
pub(crate) mod lanes;
mod linear_solve;
pub mod singularity;

#[cfg(test)]
mod test_chains;

pub use chain::{Chain, ChainError, ChainJoint, JointKind, LinkPoses, Mimic};
pub use instructions::Instructions;

use crate::joints::MAX_JOINTS;

/// Velocity of the flange for a unit speed of each joint: rows vx vy vz (m/s) and wx wy wz (rad/s) in base
/// axes, one column a joint (rad/s or m/s). Columns beyond the joint count are zero.
pub type Jacobian = nalgebra::SMatrix<f64, 6, MAX_JOINTS>;
