//! How torque goes: switching on and off, quick stop, halt, and the option codes that say how (IEC 61800-7-201,
//! objects 0x605A to 0x605E).

use crate::units::Nanoseconds;

use super::super::cia402::DriveState;
use super::{Activity, Ending, Servo};

/// How an option code takes the speed away; `None`: it does not, torque goes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ramp {
    /// On the profile deceleration (0x6084).
    SlowDown,
    /// On the quick stop deceleration (0x6085).
    QuickStop,
    /// As hard as current or voltage allow.
    Limit,
}

impl Ramp {
    /// Of the codes that all options share: 0 none, 1 slow down, 2 quick stop, 3 current limit, 4 voltage limit.
    pub(super) const fn of(option: i16) -> Option<Self> {
        match option {
            1 => Some(Self::SlowDown),
            2 => Some(Self::QuickStop),
            3 | 4 => Some(Self::Limit),
            _ => None,
        }
    }
}

impl Servo {
    const fn deceleration(&self, ramp: Ramp) -> f64 {
        match ramp {
            Ramp::SlowDown => self.profile_deceleration,
            Ramp::QuickStop => self.quick_stop_deceleration,
            Ramp::Limit => f64::INFINITY,
        }
    }

    pub(super) fn enable(&mut self, now: Nanoseconds) {
        self.state = DriveState::OperationEnabled;
        self.activity = Activity::Following;
        self.last_setpoint = now;
        self.motor.open_brake(now);
        self.begin_to_follow();
    }

    /// Takes the speed away on a ramp, from the speed the motor has.
    pub(super) fn slow_down(&mut self, ramp: Ramp, then: Ending) {
        let deceleration = self.deceleration(ramp);
        self.activity = Activity::Stopping { speed: self.motor.speed, deceleration, then };
    }

    /// Leaves operation enabled as an option code says: 0 at once, else on the ramp. A ramp that has begun
    /// goes on.
    pub(super) fn stop_and(&mut self, option: i16, to: DriveState, now: Nanoseconds) {
        match Ramp::of(option) {
            None => {
                self.release(now);
                self.state = to;
            }
            Some(ramp) => {
                if matches!(self.activity, Activity::Following | Activity::Halted { .. }) {
                    self.slow_down(ramp, Ending::State(to));
                }
            }
        }
    }

    /// Quick stop: the codes 5 to 8 are 1 to 4 with torque kept at the end.
    pub(super) fn quick_stop(&mut self, now: Nanoseconds) {
        let (option, then) = match self.quick_stop_option {
            stays @ 5..=8 => (stays - 4, Ending::Rest),
            ends => (ends, Ending::State(DriveState::SwitchOnDisabled)),
        };
        match Ramp::of(option) {
            Some(ramp) => {
                self.state = DriveState::QuickStopActive;
                self.slow_down(ramp, then);
            }
            None => {
                self.release(now);
                self.state = DriveState::SwitchOnDisabled;
            }
        }
    }

    /// The halt bit: set, the axis stops and holds; taken back, it follows again from where it is.
    pub(super) fn take_halt(&mut self, halt: bool) {
        let is_halting =
            matches!(self.activity, Activity::Halted { .. } | Activity::Stopping { then: Ending::Halt, .. });
        // Homing keeps its place in the procedure and stops by itself.
        if halt && self.is_following() && !self.is_homing() {
            let ramp = Ramp::of(self.halt_option).unwrap_or(Ramp::SlowDown);
            self.slow_down(ramp, Ending::Halt);
        } else if !halt && is_halting {
            self.activity = Activity::Following;
            self.begin_to_follow();
        }
    }

    /// Torque off at once; the brake closes.
    pub(super) fn release(&mut self, now: Nanoseconds) {
        self.activity = Activity::Idle;
        self.motor.close_brake(now);
    }

    /// Ends of ramps and of brake closing.
    pub(super) fn finish(&mut self, now: Nanoseconds) {
        match self.activity {
            Activity::Stopping { speed, then, .. } if speed.abs() <= 0.0 && self.motor.stands() => {
                let hold = self.motor.position;
                match then {
                    Ending::Rest => self.activity = Activity::Resting { hold },
                    Ending::Halt => self.activity = Activity::Halted { hold },
                    Ending::State(state) => {
                        self.motor.close_brake(now);
                        self.activity = Activity::Braking { hold, then: state };
                    }
                }
            }
            Activity::Braking { then, .. }
                if self.motor.is_brake_closed() && now >= self.disturbances.reacts_until =>
            {
                self.activity = Activity::Idle;
                self.state = then;
            }
            Activity::Idle => self.demand = self.motor.position,
            Activity::Stopping { .. }
            | Activity::Braking { .. }
            | Activity::Following
            | Activity::Halted { .. }
            | Activity::Resting { .. } => {}
        }
    }
}
