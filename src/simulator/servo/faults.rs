//! What goes wrong in a drive, and what it does about it.

use crate::units::Nanoseconds;

use super::super::cia402::DriveState;
use super::super::faults::{HomingFailure, ServoFault};
use super::stops::Ramp;
use super::{Activity, Ending, Servo};

/// Error codes at 0x603F the drive sets by itself (IEC 61800-7-201, error codes).
pub(super) mod error {
    pub(super) const UNDER_VOLTAGE: u16 = 0x3220;
    pub(super) const COMMUNICATION: u16 = 0x7500;
    pub(in super::super) const SETPOINT_MISSING: u16 = 0x8700;
    pub(in super::super) const FOLLOWING_ERROR: u16 = 0x8611;
}

/// What it does not do as it should.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Disturbances {
    pub(super) shown_mode: Option<i8>,
    pub(super) ignores_setpoints: bool,
    pub(super) target_reached: Option<bool>,
    pub(super) homing: Option<HomingFailure>,
    reaction_time: Nanoseconds,
    /// The fault reaction lasts at least until then.
    pub(super) reacts_until: Nanoseconds,
}

impl Servo {
    /// Injected: it does something else than it should, or works again.
    pub(in super::super) fn disturb(&mut self, fault: ServoFault) {
        let disturbances = &mut self.disturbances;
        match fault {
            ServoFault::ModeDisplay(mode) => disturbances.shown_mode = mode,
            ServoFault::IgnoresSetpoints(ignores) => disturbances.ignores_setpoints = ignores,
            ServoFault::TargetReached(level) => disturbances.target_reached = level,
            ServoFault::Homing(failure) => disturbances.homing = failure,
            ServoFault::SlowReaction(time) => disturbances.reaction_time = time,
            ServoFault::EncoderZero => self.motor.jump(self.motor.encoder().wrapping_neg()),
        }
    }

    /// The fault is the lost supply, and it is still lost.
    pub(super) const fn lacks_voltage(&self) -> bool {
        self.voltage_lost && self.error_code == error::UNDER_VOLTAGE
    }

    /// A fault: stops as the fault reaction option code says, then holds nothing.
    pub(in super::super) fn fault(&mut self, code: u16, now: Nanoseconds) {
        if matches!(self.state, DriveState::FaultReactionActive | DriveState::Fault) {
            return;
        }
        self.error_code = code;
        self.disturbances.reacts_until = now.plus(self.disturbances.reaction_time);
        let has_torque = self.activity != Activity::Idle;
        match Ramp::of(self.fault_reaction_option).filter(|_| has_torque) {
            Some(ramp) => {
                self.state = DriveState::FaultReactionActive;
                self.slow_down(ramp, Ending::State(DriveState::Fault));
            }
            None => {
                self.release(now);
                self.state = DriveState::Fault;
            }
        }
    }

    /// Injected: a fault, and whether its cause lasts.
    pub(in super::super) fn inject_fault(&mut self, code: u16, lasts: bool, now: Nanoseconds) {
        self.fault_lasts = lasts;
        if code != 0 {
            self.fault(code, now);
        }
    }

    /// Safe torque off, as the safety system switches it: no torque at once, and no fault.
    pub(in super::super) fn set_safe_torque_off(&mut self, active: bool, now: Nanoseconds) {
        self.safe_torque_off = active;
        if !active {
            return;
        }
        self.release(now);
        self.state = match self.state {
            DriveState::FaultReactionActive | DriveState::Fault => DriveState::Fault,
            DriveState::NotReady
            | DriveState::SwitchOnDisabled
            | DriveState::ReadyToSwitchOn
            | DriveState::SwitchedOn
            | DriveState::OperationEnabled
            | DriveState::QuickStopActive => DriveState::SwitchOnDisabled,
        };
    }

    /// Loss or return of the supply of the power stage. Lost while switched on is a fault, without a ramp.
    pub(in super::super) fn set_voltage_lost(&mut self, lost: bool, now: Nanoseconds) {
        self.voltage_lost = lost;
        if !lost {
            return;
        }
        match self.state {
            DriveState::SwitchedOn | DriveState::OperationEnabled | DriveState::QuickStopActive => {
                self.release(now);
                self.fault(error::UNDER_VOLTAGE, now);
            }
            DriveState::FaultReactionActive => {
                self.release(now);
                self.state = DriveState::Fault;
            }
            DriveState::NotReady
            | DriveState::SwitchOnDisabled
            | DriveState::ReadyToSwitchOn
            | DriveState::Fault => {}
        }
    }

    /// The device has left OP: outputs are not valid any more (0x6007).
    pub(in super::super) fn outputs_lost(&mut self, now: Nanoseconds) {
        self.controlword = 0;
        self.previous_controlword = 0;
        match self.state {
            DriveState::SwitchedOn | DriveState::OperationEnabled | DriveState::QuickStopActive => {
                match self.abort_connection_option {
                    0 => {}
                    1 => self.fault(error::COMMUNICATION, now),
                    2 => {
                        self.release(now);
                        self.state = DriveState::SwitchOnDisabled;
                    }
                    _ => self.quick_stop(now),
                }
            }
            DriveState::ReadyToSwitchOn => self.state = DriveState::SwitchOnDisabled,
            DriveState::NotReady
            | DriveState::SwitchOnDisabled
            | DriveState::FaultReactionActive
            | DriveState::Fault => {}
        }
    }

    /// Injected: the reading of the encoder jumps.
    pub(in super::super) fn jump_encoder(&mut self, counts: i32) {
        self.motor.jump(counts);
    }

    /// Injected: the shaft is stuck, or free again.
    pub(in super::super) const fn set_stalled(&mut self, stalled: bool) {
        self.motor.stalled = stalled;
    }
}
