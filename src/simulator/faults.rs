//! What can go wrong on the wire and in a SubDevice, apart from what is behind it.

use crate::units::Nanoseconds;

use super::al_state::AlStatus;

/// What happens to the next frames that come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFault {
    /// Of the next `count` frames each is lost with this chance, in parts of a thousand.
    DropRandom {
        /// How many.
        count: u32,
        /// Chance.
        per_mille: u16,
    },
    /// The next `count` frames are cut to this many bytes.
    Truncate {
        /// How many.
        count: u32,
        /// Bytes that are left.
        bytes: usize,
    },
    /// `count` times a frame comes back behind the one that was sent after it.
    Swap {
        /// How often.
        count: u32,
    },
    /// Before each of the next `count` frames comes one that nobody has sent: its datagram has another index.
    Foreign {
        /// How many.
        count: u32,
    },
    /// In the next `count` frames all commands have become NOP.
    Nop {
        /// How many.
        count: u32,
    },
    /// Frames come back only after this time, all at once: as a host that stood still sees it.
    Stall {
        /// How long.
        lasts: Nanoseconds,
    },
    /// The link is down: frames do not get through, either way.
    LinkDown {
        /// How long.
        lasts: Nanoseconds,
    },
    /// The next `count` frames are refused when they are sent, as by a network interface whose queue is full. Only
    /// where the segment is in the same process: see [`Segment::refuses_frame`](super::Segment::refuses_frame).
    RefuseSending {
        /// How many.
        count: u32,
    },
}

/// What goes wrong with the mailbox of a SubDevice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailboxFault {
    /// The next requests are carried out and not answered.
    Mute {
        /// How many.
        count: u32,
    },
    /// The next answers come late.
    Late {
        /// How many.
        count: u32,
        /// How late.
        delay: Nanoseconds,
    },
    /// The next answers have a counter that is not the next one.
    WrongCounter {
        /// How many.
        count: u32,
    },
    /// The next SDO answers are for another object.
    WrongIndex {
        /// How many.
        count: u32,
    },
    /// The next segments of uploads have the wrong toggle bit.
    WrongToggle {
        /// How many.
        count: u32,
    },
    /// Requests stay in the mailbox: it is full for ever, or works again.
    Stuck {
        /// Stuck or not.
        stuck: bool,
    },
    /// Subindex 0 takes 8 bits in complete access, or 16 again.
    Unpadded {
        /// Wrong or right.
        unpadded: bool,
    },
    /// SDO requests for an object are aborted; code zero: no more.
    Abort {
        /// Which object; `None`: every object.
        index: Option<u16>,
        /// Abort code.
        code: u32,
    },
    /// The next answers are replaced by emergencies.
    EmergencyInstead {
        /// How many.
        count: u32,
        /// Error code.
        code: u16,
    },
    /// Emergencies come by themselves; period zero: no more.
    EmergencyFlood {
        /// Time between two.
        period: Nanoseconds,
        /// Error code.
        code: u16,
    },
}

/// What a drive does that it should not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServoFault {
    /// Shows this mode of operation, whatever the mode is; `None`: the right one again.
    ModeDisplay(Option<i8>),
    /// Stays where it is, whatever the setpoints are; or follows them again.
    IgnoresSetpoints(bool),
    /// Statusword bit 10 is stuck at this level; `None`: it tells the truth again.
    TargetReached(Option<bool>),
    /// Homing does not end well; `None`: it works again.
    Homing(Option<HomingFailure>),
    /// A fault reaction takes at least so long, beyond its ramp and its brake.
    SlowReaction(Nanoseconds),
    /// The encoder reads zero where the shaft is now.
    EncoderZero,
}

/// How homing fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HomingFailure {
    /// It ends with statusword bit 13 as soon as it is started.
    Error,
    /// It never ends.
    Never,
}

/// A number in the SII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiiNumber {
    /// Vendor id.
    Vendor,
    /// Product code.
    Product,
    /// Revision number.
    Revision,
    /// Serial number.
    Serial,
    /// Station alias; the lower 16 bits count.
    Alias,
}

/// What goes wrong with a SubDevice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubDeviceFault {
    /// In the next `count` frames it changes the working counter of logical datagrams by so much more.
    WorkingCounter {
        /// How many.
        count: u32,
        /// By how much.
        offset: i16,
    },
    /// Shows this AL status, whatever the state is; `None`: the right one again.
    ShownStatus(Option<AlStatus>),
    /// Transitions take so long.
    SlowTransitions {
        /// How long; zero: none.
        delay: Nanoseconds,
    },
    /// Has another number in its SII, from the next time it is read; the object 0x1018 follows at power-on.
    Identity {
        /// Which number.
        number: SiiNumber,
        /// Its value.
        value: u32,
    },
    /// Is bridged: frames pass by, as if it were not there; or is there again.
    Bridged {
        /// Bridged or not.
        bridged: bool,
    },
    /// Changes places with another one.
    ChangePlaces {
        /// The other one, counted from 0.
        with: usize,
    },
    /// Another one of the same type is connected behind it, at the end of the line.
    Doubled,
    /// Its processor hangs: no mailbox, no state machine, no control loops.
    Hang {
        /// How long.
        lasts: Nanoseconds,
    },
    /// SYNC0 is lost, or comes again.
    Sync0Lost {
        /// Lost or not.
        lost: bool,
    },
    /// The difference shown at 0x092C is off by so much.
    ClockDifference {
        /// By how much, ns.
        by_ns: i32,
    },
    /// The system time it gives jitters by up to so much to either side.
    ClockJitter {
        /// By how much, ns.
        up_to_ns: u32,
    },
    /// The clock has 32 bits only.
    NarrowClock,
}

/// The cable before the SubDevice at `position` loses contact again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flapping {
    /// First SubDevice behind the bad contact, counted from 0.
    pub position: usize,
    /// Time off, and time on.
    pub period: Nanoseconds,
    /// How often it is lost.
    pub count: u32,
}
