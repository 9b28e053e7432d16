//! Simulated servo drive: CiA 402 objects, drive functions and supervision around the [state machine](super::cia402)
//! and the [motor](super::motor).

mod faults;
mod homing;
mod modes;
mod objects;
mod process_data;
mod record;
mod setpoints;
mod stops;
mod switches;
mod touch_probe;

use crate::devices::objects as o;
use crate::units::Nanoseconds;

use super::cia402::{Command, Conditions, DriveState, transition};
use super::description::DriveParameters;
use super::motor::{Demand, Motor};
use super::process_data::MappedObject;
use faults::error::{FOLLOWING_ERROR, SETPOINT_MISSING};
use homing::{Homing, HomingSettings};
use process_data::{InputSignal, OutputSignal};
pub use record::ReceivedSetpoint;
use record::Record;
use setpoints::Setpoints;
use switches::ShaftSignals;
use touch_probe::TouchProbes;

/// Longest step of the control loops.
const CONTROL_PERIOD_NS: u64 = 250_000;
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
    /// Holds because of the halt bit.
    Halted { hold: f64 },
}

/// What comes at the end of a ramp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Brake closed, torque off, and this state.
    State(DriveState),
    /// Torque stays on.
    Rest,
    /// Torque stays on until the halt bit is taken back.
    Halt,
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

/// One axis of a servo drive.
#[derive(Debug)]
pub(super) struct Servo {
    /// Added to the object numbers of CiA 402: which axis of the SubDevice it is.
    index_offset: u16,
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
    target_velocity: i32,
    target_torque: i16,
    velocity_offset: i32,
    torque_offset: i16,
    setpoints: Setpoints,
    /// Position setpoint of the last control step, counts, not wrapped.
    demand: f64,
    /// The target position was cut to the software limits.
    is_position_limited: bool,
    homing: Homing,
    /// Where homing holds; `None` while it turns.
    homing_hold: Option<f64>,
    // along the shaft
    signals: ShaftSignals,
    probes: TouchProbes,
    // supervision
    error_code: u16,
    following_error_since: Option<Nanoseconds>,
    is_following_error: bool,
    /// When the last new setpoint came.
    last_setpoint: Nanoseconds,
    // settings, copied from the dictionary
    interpolation_period_ns: u64,
    window_counts: f64,
    timeout_ns: u64,
    quick_stop_option: i16,
    shutdown_option: i16,
    disable_option: i16,
    fault_reaction_option: i16,
    halt_option: i16,
    abort_connection_option: i16,
    quick_stop_deceleration: f64,
    profile_deceleration: f64,
    homing_settings: HomingSettings,
    /// Software position limits, as shown; `None`: switched off.
    software_limits: Option<(i32, i32)>,
    // injected
    /// The power supply is lost.
    pub(super) voltage_lost: bool,
    /// Safe torque off.
    pub(super) safe_torque_off: bool,
    /// A fault that comes back until it is cleared by the injection.
    fault_lasts: bool,
    disturbances: faults::Disturbances,
    // process data
    outputs: Vec<(OutputSignal, MappedObject)>,
    inputs: Vec<(InputSignal, MappedObject)>,
    // time
    stepped: Nanoseconds,
    record: Record,
}

impl Servo {
    /// An axis at power-on; its settings come with the [dictionary](Self::dictionary_of).
    pub(super) fn new(axis: usize, parameters: &DriveParameters, record_capacity: usize) -> Self {
        Self {
            index_offset: o::AXIS_STEP * axis as u16,
            parameters: *parameters,
            motor: Motor::new(parameters),
            state: DriveState::SwitchOnDisabled,
            activity: Activity::Idle,
            controlword: 0,
            previous_controlword: 0,
            mode: 0,
            mode_display: 0,
            target_position: 0,
            target_velocity: 0,
            target_torque: 0,
            velocity_offset: 0,
            torque_offset: 0,
            setpoints: Setpoints::default(),
            demand: parameters.initial_position_counts as f64,
            is_position_limited: false,
            homing: Homing::default(),
            homing_hold: None,
            signals: ShaftSignals::new(
                &parameters.switches,
                parameters.counts_per_turn,
                parameters.index_offset_counts,
                parameters.initial_position_counts,
            ),
            probes: TouchProbes::default(),
            error_code: 0,
            following_error_since: None,
            is_following_error: false,
            last_setpoint: Nanoseconds(0),
            interpolation_period_ns: 0,
            window_counts: 0.0,
            timeout_ns: 0,
            quick_stop_option: 0,
            shutdown_option: 0,
            disable_option: 0,
            fault_reaction_option: 0,
            halt_option: 0,
            abort_connection_option: 0,
            quick_stop_deceleration: 0.0,
            profile_deceleration: 0.0,
            homing_settings: HomingSettings::default(),
            software_limits: None,
            voltage_lost: false,
            safe_torque_off: false,
            fault_lasts: false,
            disturbances: faults::Disturbances::default(),
            outputs: Vec::new(),
            inputs: Vec::new(),
            stepped: Nanoseconds(0),
            record: Record::new(record_capacity),
        }
    }

    /// Power-on again: the state of the drive is lost, the motor and the records are not.
    pub(super) fn power_on(&mut self, now: Nanoseconds) {
        let mut fresh = Self::new(0, &self.parameters, 0);
        fresh.index_offset = self.index_offset;
        std::mem::swap(&mut fresh.motor, &mut self.motor);
        std::mem::swap(&mut fresh.record, &mut self.record);
        fresh.motor.power_on();
        std::mem::swap(&mut fresh.signals, &mut self.signals);
        fresh.demand = fresh.motor.position;
        fresh.stepped = now;
        fresh.voltage_lost = self.voltage_lost;
        fresh.safe_torque_off = self.safe_torque_off;
        fresh.disturbances = self.disturbances;
        *self = fresh;
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
            Activity::Following if is_following => self.follow(seconds),
            Activity::Following => Demand::hold(self.demand),
            Activity::Stopping { speed, deceleration, then } => {
                let speed = (speed.abs() - deceleration * seconds).max(0.0).copysign(speed);
                self.activity = Activity::Stopping { speed, deceleration, then };
                Demand::speed(speed)
            }
            Activity::Braking { hold, .. } | Activity::Resting { hold } | Activity::Halted { hold } => {
                Demand::hold(hold)
            }
        };
        self.motor.step(demand, seconds, now);
        self.stepped = now;
        self.pass_edges();
        if is_following {
            self.demand = match self.mode_display {
                o::MODE_CSP => self.setpoints.position.at(now, self.interpolation_period_ns),
                _ => self.motor.position,
            };
        }
        self.finish(now);
        self.supervise(now);
    }

    fn supervise(&mut self, now: Nanoseconds) {
        let patience = u64::from(self.parameters.setpoint_timeout_periods) * self.interpolation_period_ns;
        if patience > 0 && self.activity == Activity::Following && now.since(self.last_setpoint).0 > patience
        {
            self.fault(SETPOINT_MISSING, now);
        }
        if !self.is_following() || self.mode_display != o::MODE_CSP {
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

    // ---- events ----------------------------------------------------------------------------------------

    /// SYNC0 or sync manager event at `at`, in OP: takes the outputs over.
    pub(super) fn receive(&mut self, data: &[u8], is_fresh: bool, at: Nanoseconds) {
        self.read_outputs(data);
        self.take_mode(self.mode);
        self.record.push(ReceivedSetpoint {
            time: at,
            controlword: self.controlword,
            mode: self.mode,
            target_position: self.target_position,
            target_velocity: self.target_velocity,
            target_torque: self.target_torque,
            position_actual: self.motor.encoder(),
            is_fresh,
            is_following: self.is_following(),
        });
        if is_fresh {
            self.last_setpoint = at;
        }
        self.take_homing_start();
        self.obey(at);
        self.take_halt(self.controlword & o::CONTROL_HALT != 0);
        self.take_setpoints(at);
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

    // ---- what is seen ----------------------------------------------------------------------------------

    fn statusword(&self) -> u16 {
        let mut word = self.state.statusword() | o::STATUS_REMOTE;
        if !self.voltage_lost {
            word |= o::STATUS_VOLTAGE_ENABLED;
        }
        if self.motor.is_limited || self.is_position_limited {
            word |= o::STATUS_INTERNAL_LIMIT;
        }
        if let Activity::Halted { .. } | Activity::Resting { .. } = self.activity {
            word |= o::STATUS_TARGET_REACHED;
        }
        // Bits 10, 12 and 13 belong to the mode.
        if self.is_homing() {
            return self.with_stuck_bits(word | self.homing.statusword());
        }
        if self.state == DriveState::OperationEnabled && self.is_following() {
            word |= o::STATUS_FOLLOWS_COMMAND;
        }
        if self.is_following_error {
            word |= o::STATUS_FOLLOWING_ERROR;
        }
        self.with_stuck_bits(word)
    }

    fn with_stuck_bits(&self, word: u16) -> u16 {
        match self.disturbances.target_reached {
            Some(true) => word | o::STATUS_TARGET_REACHED,
            Some(false) => word & !o::STATUS_TARGET_REACHED,
            None => word,
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

    /// The motor, for what hangs on its shaft.
    pub(super) const fn motor_mut(&mut self) -> &mut Motor {
        &mut self.motor
    }

    /// Parameters of the drive.
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
