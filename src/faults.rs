//! Faults: conditions of the machine that have a reaction. Data only; cause and remedy are text in
//! `config/messages/`, looked up by [`FaultCode::number`].

use crate::units::Cycles;

/// What the machine does about a fault. Later wins.
///
/// These reactions are operational. They resemble stop categories of IEC 60204-1 but carry no safety
/// integrity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reaction {
    /// Ride through: count, warn, go on.
    RideThrough,
    /// Stop on the programmed path, stay enabled, resumable (like category 2).
    PathHold,
    /// Every axis to zero at its own largest deceleration with a common stop time, the path is given
    /// up, then disable (like category 1).
    JointStop,
    /// Quick stop by the drives through the controlword, then disable (like category 1).
    QuickStop,
    /// Torque off and brakes (like category 0).
    TorqueOff,
}

/// What happened. The number is stable: it is part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum FaultCode {
    /// Four or more cyclic frames lost in a row, or the loss bucket overflowed.
    FramesLost = 1001,
    /// The working counter stayed below the expected one.
    WorkingCounterLow = 1002,
    /// The working counter is above the expected one: a wrong device answers.
    WorkingCounterHigh = 1003,
    /// A SubDevice left OP.
    SubDeviceNotOperational = 1004,
    /// A SubDevice does not answer any more.
    SubDeviceLost = 1005,
    /// Too large a share of the cyclic frames of the last ten seconds was lost.
    FrameLossRate = 1006,
    /// The clock of a SubDevice stays away from the reference clock.
    ClockDifference = 1007,
    /// The frames do not pass at their place before SYNC0.
    ClockPhase = 1008,
    /// A drive reports a fault (CiA 402 statusword).
    DriveFault = 2001,
    /// A drive left "operation enabled" without being told to.
    DriveNotEnabled = 2002,
    /// A drive lost its supply voltage, or STO is active.
    DriveVoltageLost = 2003,
    /// A drive did not reach the commanded state in time.
    DriveStateTimeout = 2004,
    /// Following error above its limit.
    FollowingError = 2005,
    /// The actual position jumped by more than the joint can move in a cycle.
    PositionJump = 2006,
    /// A drive shows another mode of operation than commanded.
    DriveMode = 2007,
    /// The position of a joint is not relied on: it must be mastered, homed or confirmed first.
    PositionUntrusted = 2008,
    /// A setpoint is not a finite number.
    SetpointNotFinite = 3001,
    /// A setpoint leaves the position limits, or could not be stopped inside them.
    SetpointPosition = 3002,
    /// A setpoint exceeds the speed limit.
    SetpointSpeed = 3003,
    /// A setpoint exceeds the acceleration limit.
    SetpointAcceleration = 3004,
    /// Inverse kinematics found no solution on the path.
    InverseKinematics = 3005,
    /// The arm is not where the run starts.
    NotAtStart = 3006,
    /// A setpoint brings the arm too near to itself or to an area.
    TooNear = 3007,
    /// A phase of a process did not end in time (for an arc: it never established).
    PhaseTimeout = 4001,
    /// A supervised condition of a process was lost (for an arc: it went out).
    ProcessLost = 4002,
    /// The stop input (emergency-stop chain status) is open.
    StopInput = 5001,
    /// Whole cycles were skipped for longer than the drives can be left alone.
    CycleStall = 6001,
    /// The daemon's threads are gone: nobody could stop the arm any more.
    DaemonLost = 6002,
}

impl FaultCode {
    /// Every code.
    pub const ALL: [Self; 28] = [
        Self::FramesLost,
        Self::WorkingCounterLow,
        Self::WorkingCounterHigh,
        Self::SubDeviceNotOperational,
        Self::SubDeviceLost,
        Self::FrameLossRate,
        Self::ClockDifference,
        Self::ClockPhase,
        Self::DriveFault,
        Self::DriveNotEnabled,
        Self::DriveVoltageLost,
        Self::DriveStateTimeout,
        Self::FollowingError,
        Self::PositionJump,
        Self::DriveMode,
        Self::PositionUntrusted,
        Self::SetpointNotFinite,
        Self::SetpointPosition,
        Self::SetpointSpeed,
        Self::SetpointAcceleration,
        Self::InverseKinematics,
        Self::NotAtStart,
        Self::TooNear,
        Self::PhaseTimeout,
        Self::ProcessLost,
        Self::StopInput,
        Self::CycleStall,
        Self::DaemonLost,
    ];

    /// The stable number, shown as `E1001`.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// What [`Fault::place`] counts.
    #[must_use]
    pub const fn place_kind(self) -> PlaceKind {
        match self {
            Self::FramesLost
            | Self::WorkingCounterLow
            | Self::WorkingCounterHigh
            | Self::SubDeviceNotOperational
            | Self::SubDeviceLost
            | Self::FrameLossRate
            | Self::ClockDifference
            | Self::ClockPhase => PlaceKind::SubDevice,
            Self::DriveFault
            | Self::DriveNotEnabled
            | Self::DriveVoltageLost
            | Self::DriveStateTimeout
            | Self::DriveMode => PlaceKind::Drive,
            Self::FollowingError
            | Self::PositionJump
            | Self::PositionUntrusted
            | Self::SetpointNotFinite
            | Self::SetpointPosition
            | Self::SetpointSpeed
            | Self::SetpointAcceleration
            | Self::InverseKinematics
            | Self::NotAtStart => PlaceKind::Joint,
            Self::TooNear => PlaceKind::Link,
            Self::PhaseTimeout | Self::ProcessLost => PlaceKind::Phase,
            Self::StopInput => PlaceKind::DigitalInput,
            Self::CycleStall | Self::DaemonLost => PlaceKind::Nothing,
        }
    }
}

/// What the place of a fault counts, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// SubDevices, in bus order.
    SubDevice,
    /// Drives, in the order of their joints.
    Drive,
    /// Joints.
    Joint,
    /// Links, the base being 0.
    Link,
    /// Phases of a process; outside a process the digital input an instruction waits for.
    Phase,
    /// Digital input channels.
    DigitalInput,
    /// The fault concerns the whole machine.
    Nothing,
}

/// One fault, as it leaves the cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// What happened.
    pub code: FaultCode,
    /// What the machine did about it.
    pub reaction: Reaction,
    /// What is concerned, counted from 0; see [`FaultCode::place_kind`].
    pub place: Option<u8>,
    /// The value that was seen, in SI units or as a raw code (0x603F for [`FaultCode::DriveFault`]).
    pub value: f64,
    /// The limit it is held against; zero where there is none.
    pub limit: f64,
    /// The cycle it was detected in.
    pub cycle: Cycles,
}
