//! The real-time side: the run loop and the cycle. No allocation, no lock, no log, no panic path; the
//! wire is its only input and output. It runs data (pieces, phase tables) and knows no process by name.
//!
//! One cycle, in the order of [`cycle::Cycle::step`]:
//! commands → what the drives report ([`drive_group`]) → supervision → fault reaction → machine state
//! → setpoint source ([`interpolator`], [`joint_stop`]) → process phases → the gate
//! ([`setpoint_limits`]) → commands to the drives → sample and events.
#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros))]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod bus_supervision;
pub mod clearance;
pub mod cycle;
pub mod drive_group;
pub mod fault_reaction;
pub mod feed_forward;
pub mod interpolator;
pub mod joint_stop;
pub mod machine_state;
pub mod object_transfers;
pub mod positions;
pub mod process_phases;
pub mod run_loop;
pub mod setpoint_limits;
pub mod supervision;
