//! What is known of the health of a bus: AL states and their codes in words, counters of each SubDevice and of
//! the line, clocks, the place of a break. Plain values; who reads the registers is the business of
//! `fieldbus`, who tells a person that of `telemetry`.

#![deny(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod al_state;
pub mod drive_error;
pub mod mailbox;
pub mod reaction;

use al_state::AlStatus;
use mailbox::Emergency;

/// Ports of an EtherCAT SubDevice controller.
pub const PORTS: usize = 4;

/// The health of one SubDevice since the bus came to OP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubDeviceHealth {
    /// State, error bit and status code, as last read.
    pub al: AlStatus,
    /// Its inputs of the newest cycle are of that cycle.
    pub fresh: bool,
    /// Cycles whose frame did not come back in time, whatever the reason.
    pub lost_cycles: u64,
    /// Cycles whose frame came back without fresh inputs of this SubDevice.
    pub stale_cycles: u64,
    /// Frames with a wrong checksum at each port (0x0300, 0x0302, …).
    pub crc_errors: [u64; PORTS],
    /// Frames that had a wrong checksum before they came to each port (0x0308 …): the fault is further up.
    pub forwarded_errors: [u64; PORTS],
    /// Losses of the link at each port (0x0310 …).
    pub lost_links: [u64; PORTS],
    /// Ports with a link, port 0 in bit 0 (0x0110).
    pub links: u8,
    /// Difference of its clock from the reference (0x092C), ns; `None` without a clock.
    pub clock_difference_ns: Option<u32>,
    /// Emergencies it has sent since the bus was brought up.
    pub emergencies: u32,
}

/// What passed over the line since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LineHealth {
    /// Frames sent.
    pub sent: u64,
    /// Cyclic frames that did not come back in time.
    pub lost: u64,
    /// Frames that came back after their time.
    pub late: u64,
    /// Second answers to one frame.
    pub duplicate: u64,
    /// Frames whose headers are not those that were sent.
    pub malformed: u64,
    /// Frames of other senders.
    pub foreign: u64,
    /// Frames the network interface did not take.
    pub send_errors: u64,
    /// Failures of the network interface while receiving.
    pub receive_errors: u64,
}

/// How well the cycle follows the reference clock.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClockHealth {
    /// The SubDevice whose clock is the reference, from 0.
    pub reference: u8,
    /// Smoothed phase error, ns; positive: the frames are late against the clock.
    pub phase_error_ns: f64,
    /// How much faster the reference clock runs than the host's, parts per billion.
    pub rate_difference_ppb: f64,
    /// The cycle follows the clock.
    pub locked: bool,
    /// Cycles it took from the first measurement to the newest lock; 0: never locked.
    pub lock_cycles: u64,
    /// How often the lock was lost.
    pub lock_losses: u32,
    /// Measurements cut because they were too far from what was expected.
    pub outliers: u64,
}

/// Where the line is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// First SubDevice that does not answer, from 0.
    pub first_missing: u8,
    /// Nothing behind it answers either: the line ends before it. Otherwise it alone is mute: it was
    /// restarted, or lost its address.
    pub line_ends: bool,
    /// The last SubDevice before it still sees a link at this many ports; `None`: not read.
    pub links_before: Option<u8>,
}

/// One piece of news from the bus.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BusNews {
    /// The health of a SubDevice (from 0), as last looked at.
    SubDevice(u8, SubDeviceHealth),
    /// A SubDevice (from 0) left its state; why.
    LeftOperation(u8, AlStatus),
    /// A SubDevice (from 0) sent an emergency.
    Emergency(u8, Emergency),
    /// The line.
    Line(LineHealth),
    /// The clock.
    Clock(ClockHealth),
    /// The line is interrupted.
    Interrupted(Interruption),
    /// Number of SubDevices counted after the working counter was too high.
    Counted {
        /// How many answer.
        found: u16,
        /// How many there should be.
        expected: u16,
    },
}
