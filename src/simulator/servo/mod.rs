//! Simulated servo drive: CiA 402 objects, drive functions and supervision around the [state machine](super::cia402)
//! and the [motor](super::motor).

mod faults;
mod objects;
mod record;

use crate::devices::{Device, objects as o};
use crate::units::Nanoseconds;

use super::cia402::{Command, Conditions, DriveState, transition};
use super::description::DriveParameters;
use super::dictionary::Dictionary;
use super::motor::{Demand, Motor, wrap};
use super::process_data::MappedObject;
use super::wire::{floor, round};
use faults::error::FOLLOWING_ERROR;
pub use record::ReceivedSetpoint;
use record::Record;

/// Longest step of the control loops.
const CONTROL_PERIOD_NS: u64 = 250_000;
/// Outputs a drive understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OutputSignal {
    Controlword,
    Mode,
    TargetPosition,
    VelocityOffset,
    TorqueOffset,
    Ignored,
}

/// Inputs a drive can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InputSignal {
    Statusword,
    ModeDisplay,
    Position,
    PositionDemand,
    Velocity,
    Torque,
    FollowingError,
    ErrorCode,
    Zero,
}

/// What the power stage is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Activity {
    /// No torque.
    Idle,
    /// Follows the setpoints, or holds while the brake opens.
    Following,
    /// Slows down; `speed` is where the ramp is, counts/s.
    Stopping { speed: f64, deceleration: f64, then: Ending },
    /// Holds while the brake closes.
    Braking { hold: f64, then: DriveState },
    /// Holds at the end of a quick stop that stays.
    Resting { hold: f64 },
}

/// What comes at the end of a ramp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Brake closed, torque off, and this state.
    State(DriveState),
    /// Torque stays on.
    Rest,
}

/// What can be seen of a drive from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DriveSnapshot {
    /// State of the drive.
    pub state: DriveState,
    /// Statusword.
    pub statusword: u16,
    /// Error code, 0x603F; zero: none.
    pub error_code: u16,
    /// Mode of operation shown.
    pub mode_display: i8,
    /// Position of the shaft, counts since power-on, not wrapped.
    pub position_counts: f64,
    /// Position counter.
    pub encoder_counts: i32,
    /// Setpoint inside the drive, interpolated, counts since power-on, not wrapped.
    pub demand_counts: f64,
    /// Speed, counts/s.
    pub velocity_counts_s: f64,
    /// Torque, N m.
    pub torque_nm: f64,
    /// The brake does not hold.
    pub brake_open: bool,
    /// The motor has current.
    pub energised: bool,
}

/// A servo drive.
#[derive(Debug)]
pub(super) struct Servo {
    parameters: DriveParameters,
    motor: Motor,
    state: DriveState,
    activity: Activity,
    // received
    controlword: u16,
    previous_controlword: u16,
    mode: i8,
    mode_display: i8,
    target_position: i32,
    velocity_offset: i32,
    torque_offset: i16,
    // setpoint interpolation, counts, not wrapped
    setpoint_from: f64,
    setpoint_to: f64,
    setpoint_begin: Nanoseconds,
    /// Setpoint of the last control step.
    demand: f64,
    // supervision
    error_code: u16,
    following_error_since: Option<Nanoseconds>,
    is_following_error: bool,
    // settings, copied from the dictionary
    interpolation_period_ns: u64,
    window_counts: f64,
    timeout_ns: u64,
    quick_stop_option: i16,
    shutdown_option: i16,
    disable_option: i16,
    fault_reaction_option: i16,
    abort_connection_option: i16,
    quick_stop_deceleration: f64,
    profile_deceleration: f64,
    // injected
    /// The power supply is lost.
    pub(super) voltage_lost: bool,
    /// Safe torque off.
    pub(super) safe_torque_off: bool,
    /// A fault that comes back until it is cleared by the injection.
    fault_lasts: bool,
    // process data
    outputs: Vec<(OutputSignal, MappedObject)>,
    inputs: Vec<(InputSignal, MappedObject)>,
    // time
    stepped: Nanoseconds,
    record: Record,
}

impl Servo {
    /// A drive and its dictionary, at power-on.
    pub(super) fn new(
        name: &str,
        device: &Device,
        parameters: &DriveParameters,
        record_capacity: usize,
    ) -> (Self, Dictionary) {
        let mut servo = Self {
            parameters: *parameters,
            motor: Motor::new(parameters),
            state: DriveState::SwitchOnDisabled,
            activity: Activity::Idle,
            controlword: 0,
            previous_controlword: 0,
            mode: 0,
            mode_display: 0,
            target_position: 0,
            velocity_offset: 0,
            torque_offset: 0,
            setpoint_from: 0.0,
            setpoint_to: 0.0,
            setpoint_begin: Nanoseconds(0),
            demand: 0.0,
            error_code: 0,
            following_error_since: None,
            is_following_error: false,
            interpolation_period_ns: 0,
            window_counts: 0.0,
            timeout_ns: 0,
            quick_stop_option: 0,
            shutdown_option: 0,
            disable_option: 0,
            fault_reaction_option: 0,
            abort_connection_option: 0,
            quick_stop_deceleration: 0.0,
            profile_deceleration: 0.0,
            voltage_lost: false,
            safe_torque_off: false,
            fault_lasts: false,
            outputs: Vec::new(),
            inputs: Vec::new(),
            stepped: Nanoseconds(0),
            record: Record::new(record_capacity),
        };
        let dictionary = servo.dictionary(name, device);
        servo.take_over(&dictionary);
        (servo, dictionary)
    }

    /// Power-on again: the state of the drive is lost, the motor and the records are not.
    pub(super) fn power_on(&mut self, name: &str, device: &Device, now: Nanoseconds) -> Dictionary {
        let (mut fresh, dictionary) = Self::new(name, device, &self.parameters, 0);
        std::mem::swap(&mut fresh.motor, &mut self.motor);
        std::mem::swap(&mut fresh.record, &mut self.record);
        fresh.motor.power_on();
        fresh.stepped = now;
        fresh.voltage_lost = self.voltage_lost;
        fresh.safe_torque_off = self.safe_torque_off;
        *self = fresh;
        dictionary
    }

    // ---- time ------------------------------------------------------------------------------------------

    /// Free-running control loops: whole control periods up to `now`.
    pub(super) fn advance(&mut self, now: Nanoseconds) {
        let periods = now.since(self.stepped).0 / CONTROL_PERIOD_NS;
        // After a long silence the rest of it cannot matter: everything has settled.
        if periods > 40_000 {
            self.stepped = Nanoseconds(now.0 - 40_000 * CONTROL_PERIOD_NS);
        }
        for _ in 0..periods.min(40_000) {
            self.step(Nanoseconds(self.stepped.0 + CONTROL_PERIOD_NS));
        }
    }

    /// Control loops exactly up to the event at `at`, in steps of at most the control period or a little more.
    pub(super) fn advance_to_event(&mut self, at: Nanoseconds) {
        let span = at.since(self.stepped).0;
        if span > 10 * CONTROL_PERIOD_NS {
            self.advance(Nanoseconds(at.0 - CONTROL_PERIOD_NS));
        }
        let span = at.since(self.stepped).0;
        let steps = ((span + CONTROL_PERIOD_NS / 2) / CONTROL_PERIOD_NS).max(1);
        let start = self.stepped.0;
        if span > 0 {
            for step in 1..=steps {
                self.step(Nanoseconds(start + span * step / steps));
            }
        }
    }

    fn step(&mut self, now: Nanoseconds) {
        let seconds = now.since(self.stepped).as_seconds();
        let is_following = self.is_following();
        // The loops sample at the beginning of their period and act over the rest of it.
        let demand = match self.activity {
            Activity::Idle => Demand::Free,
            Activity::Following if is_following => Demand::Position {
                target: self.setpoint(self.stepped),
                speed_offset: f64::from(self.velocity_offset),
                torque_offset_nm: f64::from(self.torque_offset) / 1000.0 * self.parameters.rated_torque_nm,
            },
            Activity::Following => hold_at(self.demand),
            Activity::Stopping { speed, deceleration, then } => {
                let speed = (speed.abs() - deceleration * seconds).max(0.0).copysign(speed);
                self.activity = Activity::Stopping { speed, deceleration, then };
                Demand::Speed(speed)
            }
            Activity::Braking { hold, .. } | Activity::Resting { hold } => hold_at(hold),
        };
        self.motor.step(demand, seconds, now);
        self.stepped = now;
        if is_following {
            self.demand = self.setpoint(now);
        }
        self.finish(now);
        self.supervise(now);
    }

    /// Ends of ramps and of brake closing.
    fn finish(&mut self, now: Nanoseconds) {
        match self.activity {
            Activity::Stopping { speed, then, .. } if speed.abs() <= 0.0 && self.motor.stands() => match then
            {
                Ending::Rest => self.activity = Activity::Resting { hold: self.motor.position },
                Ending::State(state) => {
                    self.motor.close_brake(now);
                    self.activity = Activity::Braking { hold: self.motor.position, then: state };
                }
            },
            Activity::Braking { then, .. } if self.motor.is_brake_closed() => {
                self.activity = Activity::Idle;
                self.state = then;
            }
            Activity::Idle => self.demand = self.motor.position,
            Activity::Stopping { .. }
            | Activity::Braking { .. }
            | Activity::Following
            | Activity::Resting { .. } => {}
        }
    }

    fn supervise(&mut self, now: Nanoseconds) {
        if !self.is_following() {
            self.following_error_since = None;
            self.is_following_error = false;
            return;
        }
        self.is_following_error = (self.demand - self.motor.position).abs() > self.window_counts;
        if !self.is_following_error {
            self.following_error_since = None;
            return;
        }
        let since = *self.following_error_since.get_or_insert(now);
        if now.since(since).0 >= self.timeout_ns {
            self.fault(FOLLOWING_ERROR, now);
        }
    }

    /// Operation enabled, brake open, in a mode the drive knows.
    fn is_following(&self) -> bool {
        self.activity == Activity::Following && self.motor.is_brake_open() && self.mode_display == o::MODE_CSP
    }

    /// Setpoint inside the drive at `now`: a straight line over the interpolation period.
    fn setpoint(&self, now: Nanoseconds) -> f64 {
        let elapsed = now.since(self.setpoint_begin).0;
        if elapsed >= self.interpolation_period_ns {
            return self.setpoint_to;
        }
        let share = elapsed as f64 / self.interpolation_period_ns as f64;
        self.setpoint_from + (self.setpoint_to - self.setpoint_from) * share
    }

    // ---- events ----------------------------------------------------------------------------------------

    /// SYNC0 or sync manager event at `at`, in OP: takes the outputs over.
    pub(super) fn receive(&mut self, data: &[u8], is_fresh: bool, at: Nanoseconds) {
        for (signal, object) in &self.outputs {
            let value = object.read(data);
            match signal {
                OutputSignal::Controlword => self.controlword = value as u16,
                OutputSignal::Mode => self.mode = value as i8,
                OutputSignal::TargetPosition => self.target_position = value as i32,
                OutputSignal::VelocityOffset => self.velocity_offset = value as i32,
                OutputSignal::TorqueOffset => self.torque_offset = value as i16,
                OutputSignal::Ignored => {}
            }
        }
        self.take_mode(self.mode);
        self.record.push(ReceivedSetpoint {
            time: at,
            controlword: self.controlword,
            mode: self.mode,
            target_position: self.target_position,
            position_actual: self.motor.encoder(),
            is_fresh,
            is_following: self.is_following(),
        });
        self.obey(at);
        self.follow(at);
    }

    fn take_mode(&mut self, mode: i8) {
        self.mode = mode;
        // Only cyclic synchronous position is built in; anything else leaves the mode as it is.
        if mode == o::MODE_CSP || mode == 0 {
            self.mode_display = mode;
        }
    }

    /// A new setpoint: interpolate from where the setpoint is now.
    fn follow(&mut self, at: Nanoseconds) {
        if !self.is_following() {
            self.setpoint_to = self.demand;
            return;
        }
        self.setpoint_from = self.setpoint(at);
        self.setpoint_begin = at;
        // Shortest way round the counter: the difference modulo its width.
        let now_at = floor(self.setpoint_to);
        let step = wrap(i64::from(self.target_position).wrapping_sub(now_at), self.parameters.counter_bits);
        self.setpoint_to = now_at as f64 + f64::from(step);
    }

    fn obey(&mut self, now: Nanoseconds) {
        let command = Command::of(self.controlword, self.previous_controlword);
        self.previous_controlword = self.controlword;
        let conditions = Conditions {
            voltage: !self.voltage_lost,
            torque_allowed: !self.safe_torque_off,
            stays_in_quick_stop: (5..=8).contains(&self.quick_stop_option),
            fault_gone: !self.fault_lasts && !self.lacks_voltage(),
        };
        let Some((number, to)) = transition(self.state, command, conditions) else { return };
        match number {
            4 | 16 => self.enable(now),
            5 => self.stop_and(self.disable_option, to, now),
            8 => self.stop_and(self.shutdown_option, to, now),
            9 | 12 => {
                self.release(now);
                self.state = to;
            }
            11 => self.quick_stop(now),
            15 => {
                self.error_code = 0;
                self.state = to;
            }
            _ => self.state = to,
        }
    }

    fn enable(&mut self, now: Nanoseconds) {
        self.state = DriveState::OperationEnabled;
        self.activity = Activity::Following;
        self.motor.open_brake(now);
        self.demand = floor(self.motor.position) as f64;
        self.setpoint_from = self.demand;
        self.setpoint_to = self.demand;
    }

    /// Leaves operation enabled as an option code says: 0 at once, else on the ramp. A ramp that has begun
    /// goes on.
    fn stop_and(&mut self, option: i16, to: DriveState, now: Nanoseconds) {
        if option == 0 {
            self.release(now);
            self.state = to;
        } else if self.activity == Activity::Following {
            self.activity = Activity::Stopping {
                speed: self.motor.speed,
                deceleration: self.profile_deceleration,
                then: Ending::State(to),
            };
        }
    }

    fn quick_stop(&mut self, now: Nanoseconds) {
        let (deceleration, then) = match self.quick_stop_option {
            1 => (self.profile_deceleration, Ending::State(DriveState::SwitchOnDisabled)),
            2 => (self.quick_stop_deceleration, Ending::State(DriveState::SwitchOnDisabled)),
            3 | 4 => (f64::INFINITY, Ending::State(DriveState::SwitchOnDisabled)),
            5 => (self.profile_deceleration, Ending::Rest),
            6 => (self.quick_stop_deceleration, Ending::Rest),
            7 | 8 => (f64::INFINITY, Ending::Rest),
            _ => {
                self.release(now);
                self.state = DriveState::SwitchOnDisabled;
                return;
            }
        };
        self.state = DriveState::QuickStopActive;
        self.activity = Activity::Stopping { speed: self.motor.speed, deceleration, then };
    }

    /// Torque off at once; the brake closes.
    fn release(&mut self, now: Nanoseconds) {
        self.activity = Activity::Idle;
        self.motor.close_brake(now);
    }

    // ---- what is seen ----------------------------------------------------------------------------------

    fn statusword(&self) -> u16 {
        let mut word = self.state.statusword() | o::STATUS_REMOTE;
        if !self.voltage_lost {
            word |= o::STATUS_VOLTAGE_ENABLED;
        }
        if self.state == DriveState::OperationEnabled && self.is_following() {
            word |= o::STATUS_FOLLOWS_COMMAND;
        }
        if self.is_following_error {
            word |= o::STATUS_FOLLOWING_ERROR;
        }
        if self.motor.is_limited {
            word |= 1 << 11;
        }
        word
    }

    fn input(&self, signal: InputSignal) -> u64 {
        match signal {
            InputSignal::Statusword => u64::from(self.statusword()),
            InputSignal::ModeDisplay => self.mode_display as u64,
            InputSignal::Position => self.motor.encoder() as u64,
            InputSignal::PositionDemand => wrap(floor(self.demand), self.parameters.counter_bits) as u64,
            InputSignal::Velocity => (round(self.motor.speed) as i32) as u64,
            InputSignal::Torque => self.motor.torque_per_mille() as u64,
            InputSignal::FollowingError => (round(self.demand - self.motor.position) as i32) as u64,
            InputSignal::ErrorCode => u64::from(self.error_code),
            InputSignal::Zero => 0,
        }
    }

    /// Writes the inputs.
    pub(super) fn send(&self, data: &mut [u8]) {
        for (signal, object) in &self.inputs {
            object.write(data, self.input(*signal));
        }
    }

    /// What can be seen from outside.
    pub(super) fn snapshot(&self) -> DriveSnapshot {
        DriveSnapshot {
            state: self.state,
            statusword: self.statusword(),
            error_code: self.error_code,
            mode_display: self.mode_display,
            position_counts: self.motor.position,
            encoder_counts: self.motor.encoder(),
            demand_counts: self.demand,
            velocity_counts_s: self.motor.speed,
            torque_nm: self.motor.torque_nm,
            brake_open: self.motor.is_brake_open(),
            energised: self.activity != Activity::Idle,
        }
    }

    /// Settings of the drive.
    pub(super) const fn parameters(&self) -> &DriveParameters {
        &self.parameters
    }

    /// The last setpoint received in OP.
    pub(super) const fn last_received(&self) -> Option<ReceivedSetpoint> {
        self.record.last
    }

    /// Takes the recorded setpoints out, oldest first. Returns how many were overwritten before.
    pub(super) fn drain_received(&mut self, take: impl FnMut(ReceivedSetpoint)) -> u64 {
        self.record.drain(take)
    }
}

const fn hold_at(target: f64) -> Demand {
    Demand::Position { target, speed_offset: 0.0, torque_offset_nm: 0.0 }
}
