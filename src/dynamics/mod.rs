//! Dynamics of one arm: the torques a motion needs, the motion torques make, and what moves with the arm.
//! Pure mathematics on fixed-size values, safe in the cycle; reading inertias belongs to
//! `config::kinematic_model`, drives and gears to `drives`, limits in time to `planning`.
//!
//! ```text
//! torque = M(q) q̈ + C(q, q̇) q̇ + g(q) + friction(q̇) + motors q̈
//! ```
//!
//! | file | answers |
//! |---|---|
//! | `inertia` | what a body, a tool or a load weighs and how it is added to a link |
//! | `model` | the arm as the algorithms want it: constants made once |
//! | `newton_euler` | torques of a motion, gravity, Coriolis |
//! | `mass_matrix` | M(q), and accelerations by solving with it |
//! | `articulated_body` | accelerations in one pass over the joints |
//! | `friction` | torque lost in gears and bearings |

#![deny(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod articulated_body;
mod friction;
mod inertia;
mod mass_matrix;
mod model;
mod newton_euler;

pub use friction::JointFriction;
pub use inertia::{LinkInertia, RigidBody};
pub use mass_matrix::MassMatrix;
pub use model::{ArmDynamics, DynamicsError};

/// Acceleration of free fall at sea level, m/s², as the usual conventions round it.
pub const GRAVITY_M_S2: f64 = 9.81;

#[cfg(test)]
mod tests;
