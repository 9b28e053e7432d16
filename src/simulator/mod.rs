//! The other end of the wire: simulated SubDevices that speak EtherCAT frames, from ESC registers up to servo
//! drives with a motor behind them, and a welding power source behind the terminals. Knows nothing of the
//! controller: no state machine, scaling or time-out in here is shared with it.
//!
//! # How it is built
//!
//! ```text
//! Segment            a line of SubDevices; frames, time, injections, what tests may look at
//!  └ SubDevice       AL state machine, watchdog, mailbox; joins the two below
//!     ├ EscMemory    what an EtherCAT SubDevice controller does by itself: registers, sync managers,
//!     │              FMMUs, SII, distributed clock (ETG.1000.4)
//!     └ Application  servo drive, digital terminal or analog terminal
//! Arm                what the motors move: gravity, coupling, payload
//! Equipment          what the terminals are wired to
//! ```
//!
//! Time is an argument everywhere; the same description, frames and times give the same bytes. After
//! [`Segment::new`] nothing allocates while frames are exchanged cyclically; bring-up, SDO transfers and
//! injections may.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "registers, wrapping counters and encoder counts: the width is the meaning"
)]

mod al_state;
mod arm;
mod cia402;
mod clock;
mod complete_access;
mod description;
mod dictionary;
mod encoder_input;
mod equipment;
mod esc;
mod faults;
mod fmmu;
mod force_sensor;
mod frame;
mod injection;
mod mailbox;
mod mailbox_faults;
mod motor;
mod object_information;
mod object_names;
mod process_data;
mod random;
mod sdo;
mod segment;
mod servo;
mod sii;
mod subdevice;
mod sync_manager;
mod terminal;
mod wire;

pub use al_state::{AlState, AlStatus};
pub use arm::ArmParameters;
pub use cia402::DriveState;
pub use description::{
    Cam, Channel, DescriptionError, DeviceParameters, DriveParameters, EncoderKind, EncoderParameters,
    Equipment, ForceSensorParameters, PowerSourceParameters, SegmentDescription, SimulatedDevice, Switches,
};
pub use equipment::PowerSourceSnapshot;
pub use faults::{Flapping, FrameFault, HomingFailure, MailboxFault, ServoFault, SiiNumber, SubDeviceFault};
pub use injection::{ArcFailure, Injection, InjectionError, ShaftSwitch};
pub use process_data::{PlannedSyncManager, SyncManagerUse};
pub use segment::{DeviceSnapshot, Segment, SegmentStatistics};
pub use servo::{DriveSnapshot, ReceivedSetpoint};

#[cfg(test)]
mod tests;
