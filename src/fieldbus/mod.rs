//! EtherCAT: moves process data and says which is fresh. What the bytes mean is the business of `drives`;
//! when a cycle begins is the business of `realtime`.
//!
//! ```text
//! bring_up ─ once: INIT → PRE-OP → compare, map, watchdog, clocks → SAFE-OP → OP
//!    ↓
//!   Bus ─ every cycle: wait_for_cycle → exchange → inputs / outputs_mut
//!    ↓
//! FramePump ─ polls one ethercrab future, sends its frames, accepts only answers to frames it sent
//!    ↓
//! FrameLink ─ raw socket, or an in-process segment, wrapped by capture and fault injection
//! ```
//!
//! ethercrab is used without its `std` feature: no thread, no allocation, and the clock behind its
//! time-outs is the link's own clock (real or virtual), see [`time_driver`].

#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros))]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod bring_up;
pub mod bus;
pub mod description;
mod diagnosis;
pub mod distributed_clock;
pub mod frame_pump;
pub mod link;
pub mod mailbox;
mod registers;
pub mod scan;
mod sii;
pub mod time_driver;

pub use crate::bus_health::al_state::{self, AlState};
pub use bring_up::{BringUpError, BringUpFailure, BusDifference, Progress, bring_up, bring_up_watched};
pub use bus::{Bus, CycleStart, ExchangeReport};
pub use description::{BusDescription, ClockDescription, ExpectedDevice, SdoValue, SdoWrite};
pub use frame_pump::{FramePump, PumpSettings};
pub use link::{FrameLink, LinkError};
