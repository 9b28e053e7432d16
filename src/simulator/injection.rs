//! Faults that tests and drills switch on in a running segment.

use crate::devices::DrivePlace;
use crate::units::Nanoseconds;

use super::al_state::AlState;
use super::description::Channel;
use super::faults::{Flapping, FrameFault, MailboxFault, ServoFault, SubDeviceFault};

/// Something goes wrong, or is put right again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Injection {
    /// Something happens to frames.
    Frames(FrameFault),
    /// A bad contact.
    Flapping(Flapping),
    /// The mailbox of a SubDevice misbehaves.
    Mailbox {
        /// Which SubDevice, counted from 0.
        device: usize,
        /// How.
        fault: MailboxFault,
    },
    /// A SubDevice misbehaves.
    SubDevice {
        /// Which one, counted from 0.
        device: usize,
        /// How.
        fault: SubDeviceFault,
    },
    /// The next `count` frames do not come back.
    DropFrames {
        /// How many.
        count: u32,
        /// True: the SubDevices have processed them, they are lost on the way back.
        processed: bool,
    },
    /// The next `count` frames come back twice; see
    /// [`Segment::next_returned_frame`](super::Segment::next_returned_frame).
    DuplicateFrames {
        /// How many.
        count: u32,
    },
    /// The next `count` frames come back late; see
    /// [`Segment::next_returned_frame`](super::Segment::next_returned_frame).
    DelayFrames {
        /// How many.
        count: u32,
        /// How late.
        delay: Nanoseconds,
    },
    /// In the next `count` frames that come back one byte is changed.
    CorruptFrames {
        /// How many.
        count: u32,
        /// Which byte of the Ethernet frame; beyond the end: nothing happens.
        offset: usize,
        /// Bits to flip.
        mask: u8,
    },
    /// In the next `count` frames the working counter of logical datagrams is off by `offset`.
    WorkingCounterOffset {
        /// How many.
        count: u32,
        /// By how much.
        offset: i16,
    },
    /// The cable before the SubDevice at `position` is cut: it and all behind it are gone.
    Detach {
        /// First one that is gone, counted from 0.
        position: usize,
    },
    /// The cable is whole again.
    Attach,
    /// The supply of one SubDevice fails. While it is off, it and all behind it are gone; then it starts anew.
    PowerCycle {
        /// Which one, counted from 0.
        device: usize,
        /// For how long.
        off_for: Nanoseconds,
    },
    /// A SubDevice leaves its state by itself, with the error bit and this AL status code.
    AlError {
        /// Which one, counted from 0.
        device: usize,
        /// The state it falls to.
        state: AlState,
        /// AL status code.
        code: u16,
    },
    /// The next transitions of a SubDevice to `state` are refused with this AL status code; zero: granted again.
    RefuseState {
        /// Which one, counted from 0.
        device: usize,
        /// The state.
        state: AlState,
        /// AL status code.
        code: u16,
    },
    /// A drive has a fault.
    DriveFault {
        /// Which drive.
        drive: DrivePlace,
        /// Error code for 0x603F; zero: no new fault.
        code: u16,
        /// The cause lasts: a fault reset has no effect until this is injected again with `false`.
        lasts: bool,
    },
    /// A drive does not do what it is told, or does again.
    Drive {
        /// Which drive.
        drive: DrivePlace,
        /// How.
        fault: ServoFault,
    },
    /// A device sends an emergency message by itself.
    Emergency {
        /// Which SubDevice, counted from 0.
        device: usize,
        /// Error code.
        code: u16,
        /// Error register.
        register: u8,
    },
    /// Safe torque off of all axes of one SubDevice, or of all drives.
    SafeTorqueOff {
        /// Which SubDevice, counted from 0; `None`: every drive.
        device: Option<usize>,
        /// Switched on or off.
        active: bool,
    },
    /// The power supply of the power stages of one SubDevice, or of all drives, is lost or back.
    VoltageLoss {
        /// Which SubDevice, counted from 0; `None`: every drive.
        device: Option<usize>,
        /// Lost or back.
        lost: bool,
    },
    /// The reading of the encoder of a drive or an encoder input jumps.
    EncoderJump {
        /// Which one; the axis counts where it is a drive.
        drive: DrivePlace,
        /// By how much.
        counts: i32,
    },
    /// The encoder at an encoder input turns at another speed.
    EncoderSpeed {
        /// Which SubDevice, counted from 0.
        device: usize,
        /// Its speed, counts/s.
        counts_s: f64,
    },
    /// Something else acts on a force and torque sensor.
    Wrench {
        /// Which SubDevice, counted from 0.
        device: usize,
        /// Forces, N, then torques, N m, along and about its axes.
        wrench: [f64; 6],
    },
    /// The shaft of a drive is stuck, or free again.
    PlantStall {
        /// Which drive.
        drive: DrivePlace,
        /// Stuck or free.
        stalled: bool,
    },
    /// A switch along the shaft of a drive is stuck, or works again.
    ShaftSwitch {
        /// Which drive.
        drive: DrivePlace,
        /// Which switch.
        switch: ShaftSwitch,
        /// The level it is stuck at; `None`: it shows where the shaft is.
        level: Option<bool>,
    },
    /// The local clock of a SubDevice jumps; of the first one with a clock: the reference.
    ClockStep {
        /// Which SubDevice, counted from 0.
        device: usize,
        /// By how much, ns.
        by_ns: i64,
    },
    /// The local clock of a SubDevice runs at another rate from now on.
    ClockDrift {
        /// Which SubDevice, counted from 0.
        device: usize,
        /// How much faster than true time, parts per million.
        ppm: f64,
    },
    /// The error counters of a port count up, to 255 at most.
    PortErrors {
        /// Which SubDevice, counted from 0.
        device: usize,
        /// Which port, 0 to 3.
        port: usize,
        /// Frames with a wrong checksum.
        invalid_frames: u8,
        /// Losses of the link.
        lost_links: u8,
    },
    /// The level of every [`StopInput`](super::Equipment::StopInput).
    StopInput {
        /// True: the emergency-stop chain is closed.
        closed: bool,
    },
    /// The level at a digital input.
    DigitalInput {
        /// Which input.
        channel: Channel,
        /// Its level.
        level: bool,
    },
    /// The value at an analog input.
    AnalogInput {
        /// Which input.
        channel: Channel,
        /// Its value, counts.
        value: i32,
    },
    /// A failure of every welding power source; `None`: it works again.
    PowerSource(Option<ArcFailure>),
}

/// A switch along the shaft of a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShaftSwitch {
    /// Negative limit switch.
    NegativeLimit,
    /// Positive limit switch.
    PositiveLimit,
    /// Home switch.
    Home,
    /// Input of touch probe 1.
    Probe1,
    /// Input of touch probe 2.
    Probe2,
}

/// What is wrong with a welding power source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArcFailure {
    /// It does not report ready, and no arc burns.
    NotReady,
    /// No arc is established.
    NeverEstablishes,
    /// Each arc goes out after it has burned for this long.
    GoesOutAfter(Nanoseconds),
}

/// Why an injection is impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InjectionError {
    /// There is no SubDevice at this position.
    #[error("there is no SubDevice {device}")]
    NoSuchDevice {
        /// The position, counted from 0.
        device: usize,
    },
    /// The SubDevice is of another kind.
    #[error("SubDevice {device} is of another kind")]
    WrongKind {
        /// The position, counted from 0.
        device: usize,
    },
    /// There is no such channel.
    #[error("SubDevice {} has no input channel {}", channel.device, channel.channel)]
    NoSuchChannel {
        /// The channel.
        channel: Channel,
    },
    /// The SubDevice has no distributed clock.
    #[error("SubDevice {device} has no distributed clock")]
    NoClock {
        /// The position, counted from 0.
        device: usize,
    },
    /// There is no equipment of that kind.
    #[error("there is no equipment of that kind")]
    NoSuchEquipment,
}
