//! Simulated servo drive: CiA 402 objects, drive functions and supervision around the [state machine](super::cia402)
//! and the [motor](super::motor).

use crate::devices::{Device, PdoEntry, PdoMap, objects as o};
use crate::units::Nanoseconds;

use super::cia402::{Command, Conditions, DriveState, transition};
use super::description::DriveParameters;
use super::dictionary::{Access, Dictionary, Mappable};
use super::motor::{Demand, Motor, wrap};
use super::process_data::{MappedObject, Mapping};

/// CiA 402 servo drive.
const DEVICE_TYPE: u32 = 0x0002_0192;
/// Longest step of the control loops.
const CONTROL_PERIOD_NS: u64 = 250_000;
/// The parameter backup, for transfers that need several messages.
const PARAMETER_BACKUP: u16 = 0x2100;
const PARAMETER_BACKUP_BYTES_MAX: usize = 1024;
/// Objects of CiA 402 only the simulation needs.
const ABORT_CONNECTION_OPTION: u16 = 0x6007;
const SHUTDOWN_OPTION: u16 = 0x605B;
const DISABLE_OPERATION_OPTION: u16 = 0x605C;
const FAULT_REACTION_OPTION: u16 = 0x605E;
const POSITION_DEMAND: u16 = 0x6062;
const TORQUE_MAX: u16 = 0x6072;
const RATED_TORQUE: u16 = 0x6076;
const PROFILE_DECELERATION: u16 = 0x6084;
const QUICK_STOP_DECELERATION: u16 = 0x6085;
const FOLLOWING_ERROR_ACTUAL: u16 = 0x60F4;
const SUPPORTED_MODES: u16 = 0x6502;

/// Error codes at 0x603F the drive sets by itself (IEC 61800-7-201, error codes).
mod error {
    pub(super) const UNDER_VOLTAGE: u16 = 0x3220;
    pub(super) const COMMUNICATION: u16 = 0x7500;
    pub(super) const FOLLOWING_ERROR: u16 = 0x8611;
}

/// Outputs a drive understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OutputSignal {
    Controlword,
    Mode,
    TargetPosition,
    VelocityOffset,
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

/// What a drive took over at one SYNC0 or sync manager event in OP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceivedSetpoint {
    /// When: true time.
    pub time: Nanoseconds,
    /// Controlword.
    pub controlword: u16,
    /// Mode of operation.
    pub mode: i8,
    /// Target position, counts.
    pub target_position: i32,
    /// Position counter at that moment, counts.
    pub position_actual: i32,
    /// The outputs were written since the event before.
    pub is_fresh: bool,
    /// The drive follows its setpoints (operation enabled, brake open).
    pub is_following: bool,
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

    fn dictionary(&self, name: &str, device: &Device) -> Dictionary {
        let entry = |index, bits| PdoEntry { index, subindex: 0, bits };
        // The mapping from the factory: a controller that needs another one has to write it.
        let outputs =
            PdoMap::new(device.outputs.pdo, &[entry(o::CONTROLWORD, 16), entry(o::TARGET_POSITION, 32)]);
        let inputs =
            PdoMap::new(device.inputs.pdo, &[entry(o::STATUSWORD, 16), entry(o::POSITION_ACTUAL, 32)]);
        let defaults = [&outputs.unwrap_or(device.outputs), &inputs.unwrap_or(device.inputs)];
        let mut dictionary = Dictionary::new(name, device, DEVICE_TYPE, defaults);
        dictionary.add_variable(PARAMETER_BACKUP, &[], PARAMETER_BACKUP_BYTES_MAX);
        let rw = Access::Writable;
        let ro = Access::Constant;
        let parameters = &self.parameters;
        let counts_per_rad = self.motor.counts_per_rad();
        let quick_stop = (parameters.quick_stop_rad_s2 * counts_per_rad).min(f64::from(u32::MAX)) as u32;
        let option = |value: i16| value.to_le_bytes();
        dictionary.add(ABORT_CONNECTION_OPTION, 0, rw, &option(1));
        dictionary.add(o::QUICK_STOP_OPTION, 0, rw, &option(2));
        dictionary.add(SHUTDOWN_OPTION, 0, rw, &option(0));
        dictionary.add(DISABLE_OPERATION_OPTION, 0, rw, &option(1));
        dictionary.add(FAULT_REACTION_OPTION, 0, rw, &option(2));
        dictionary.add(
            o::FOLLOWING_ERROR_WINDOW,
            0,
            rw,
            &parameters.following_error_window_counts.to_le_bytes(),
        );
        dictionary.add(
            o::FOLLOWING_ERROR_TIMEOUT,
            0,
            rw,
            &parameters.following_error_timeout_ms.to_le_bytes(),
        );
        dictionary.add(TORQUE_MAX, 0, rw, &u16::MAX.to_le_bytes());
        let rated_mnm = (parameters.rated_torque_nm * 1000.0).min(f64::from(u32::MAX)) as u32;
        dictionary.add(RATED_TORQUE, 0, ro, &rated_mnm.to_le_bytes());
        dictionary.add(PROFILE_DECELERATION, 0, rw, &quick_stop.to_le_bytes());
        dictionary.add(QUICK_STOP_DECELERATION, 0, rw, &quick_stop.to_le_bytes());
        dictionary.add(0x608F, 0, ro, &[2]);
        dictionary.add(0x608F, 1, ro, &parameters.counts_per_turn.to_le_bytes());
        dictionary.add(0x608F, 2, ro, &1_u32.to_le_bytes());
        dictionary.add(o::INTERPOLATION_PERIOD, 0, ro, &[2]);
        dictionary.add(o::INTERPOLATION_PERIOD, 1, rw, &[1]);
        dictionary.add(o::INTERPOLATION_PERIOD, 2, rw, &(-3_i8).to_le_bytes());
        dictionary.add(SUPPORTED_MODES, 0, ro, &0x0000_0080_u32.to_le_bytes());
        for (index, bytes) in [
            (o::CONTROLWORD, 2),
            (o::MODE, 1),
            (o::TARGET_POSITION, 4),
            (o::VELOCITY_OFFSET, 4),
            (o::TORQUE_OFFSET, 2),
        ] {
            let zeros = [0; 4];
            dictionary.add_mappable(index, 0, rw, Mappable::Outputs, zeros.get(..bytes).unwrap_or(&[]));
        }
        for (index, bytes) in [
            (o::ERROR_CODE, 2),
            (o::STATUSWORD, 2),
            (o::MODE_DISPLAY, 1),
            (POSITION_DEMAND, 4),
            (o::POSITION_ACTUAL, 4),
            (o::VELOCITY_ACTUAL, 4),
            (o::TORQUE_ACTUAL, 2),
            (FOLLOWING_ERROR_ACTUAL, 4),
            (o::DIGITAL_INPUTS, 4),
        ] {
            let zeros = [0; 4];
            dictionary.add_mappable(index, 0, ro, Mappable::Inputs, zeros.get(..bytes).unwrap_or(&[]));
        }
        dictionary.ensure_mappable(&device.outputs, Mappable::Outputs);
        dictionary.ensure_mappable(&device.inputs, Mappable::Inputs);
        dictionary
    }

    /// Writes what changes by itself into the dictionary, before it is read.
    pub(super) fn show(&self, dictionary: &mut Dictionary) {
        for signal in [
            (o::ERROR_CODE, InputSignal::ErrorCode),
            (o::STATUSWORD, InputSignal::Statusword),
            (o::MODE_DISPLAY, InputSignal::ModeDisplay),
            (POSITION_DEMAND, InputSignal::PositionDemand),
            (o::POSITION_ACTUAL, InputSignal::Position),
            (o::VELOCITY_ACTUAL, InputSignal::Velocity),
            (o::TORQUE_ACTUAL, InputSignal::Torque),
            (FOLLOWING_ERROR_ACTUAL, InputSignal::FollowingError),
        ] {
            dictionary.set_number(signal.0, 0, self.input(signal.1));
        }
        dictionary.set_number(0x1001, 0, u64::from(self.error_code != 0));
        if !self.outputs.is_empty() {
            dictionary.set_number(o::CONTROLWORD, 0, u64::from(self.controlword));
            dictionary.set_number(o::MODE, 0, self.mode as u64);
            dictionary.set_number(o::TARGET_POSITION, 0, self.target_position as u64);
        }
    }

    /// Takes settings over from the dictionary, after they may have been written.
    pub(super) fn take_over(&mut self, dictionary: &Dictionary) {
        let number = |index| dictionary.number(index, 0);
        let value = dictionary.number(o::INTERPOLATION_PERIOD, 1) as f64;
        let exponent = i32::from(dictionary.number(o::INTERPOLATION_PERIOD, 2) as i8);
        self.interpolation_period_ns = (value * 10_f64.powi(exponent + 9)).clamp(0.0, 1e9) as u64;
        self.window_counts = match number(o::FOLLOWING_ERROR_WINDOW) as u32 {
            // CiA 402: the largest value switches the supervision off.
            u32::MAX => f64::INFINITY,
            window => f64::from(window),
        };
        self.timeout_ns = number(o::FOLLOWING_ERROR_TIMEOUT) * 1_000_000;
        self.quick_stop_option = number(o::QUICK_STOP_OPTION) as i16;
        self.shutdown_option = number(SHUTDOWN_OPTION) as i16;
        self.disable_option = number(DISABLE_OPERATION_OPTION) as i16;
        self.fault_reaction_option = number(FAULT_REACTION_OPTION) as i16;
        self.abort_connection_option = number(ABORT_CONNECTION_OPTION) as i16;
        self.quick_stop_deceleration = number(QUICK_STOP_DECELERATION) as f64;
        self.profile_deceleration = number(PROFILE_DECELERATION) as f64;
        self.motor.torque_limit_ratio = number(TORQUE_MAX) as f64 / 1000.0;
        if self.outputs.iter().all(|(signal, _)| *signal != OutputSignal::Mode) {
            self.take_mode(number(o::MODE) as i8);
        }
        if self.outputs.iter().all(|(signal, _)| *signal != OutputSignal::Controlword) {
            self.controlword = number(o::CONTROLWORD) as u16;
        }
    }

    /// Takes the process data mapping over, on the way to SAFE-OP.
    pub(super) fn set_mapping(&mut self, outputs: &Mapping, inputs: &Mapping) {
        let output = |object: &MappedObject| match (object.index, object.subindex) {
            (o::CONTROLWORD, 0) => OutputSignal::Controlword,
            (o::MODE, 0) => OutputSignal::Mode,
            (o::TARGET_POSITION, 0) => OutputSignal::TargetPosition,
            (o::VELOCITY_OFFSET, 0) => OutputSignal::VelocityOffset,
            _ => OutputSignal::Ignored,
        };
        let input = |object: &MappedObject| match (object.index, object.subindex) {
            (o::STATUSWORD, 0) => InputSignal::Statusword,
            (o::MODE_DISPLAY, 0) => InputSignal::ModeDisplay,
            (o::POSITION_ACTUAL, 0) => InputSignal::Position,
            (POSITION_DEMAND, 0) => InputSignal::PositionDemand,
            (o::VELOCITY_ACTUAL, 0) => InputSignal::Velocity,
            (o::TORQUE_ACTUAL, 0) => InputSignal::Torque,
            (FOLLOWING_ERROR_ACTUAL, 0) => InputSignal::FollowingError,
            (o::ERROR_CODE, 0) => InputSignal::ErrorCode,
            _ => InputSignal::Zero,
        };
        self.outputs = outputs.objects().iter().map(|object| (output(object), *object)).collect();
        self.inputs = inputs.objects().iter().map(|object| (input(object), *object)).collect();
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
            },
            Activity::Following => Demand::Position { target: self.demand, speed_offset: 0.0 },
            Activity::Stopping { speed, deceleration, then } => {
                let speed = (speed.abs() - deceleration * seconds).max(0.0).copysign(speed);
                self.activity = Activity::Stopping { speed, deceleration, then };
                Demand::Speed(speed)
            }
            Activity::Braking { hold, .. } | Activity::Resting { hold } => {
                Demand::Position { target: hold, speed_offset: 0.0 }
            }
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
            self.fault(error::FOLLOWING_ERROR, now);
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
        let now_at = self.setpoint_to.floor() as i64;
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

    /// The fault is the lost supply, and it is still lost.
    const fn lacks_voltage(&self) -> bool {
        self.voltage_lost && self.error_code == error::UNDER_VOLTAGE
    }

    fn enable(&mut self, now: Nanoseconds) {
        self.state = DriveState::OperationEnabled;
        self.activity = Activity::Following;
        self.motor.open_brake(now);
        self.demand = self.motor.position.floor();
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

    /// A fault: stops on the quick stop ramp (unless told otherwise), then holds nothing.
    pub(super) fn fault(&mut self, code: u16, now: Nanoseconds) {
        if matches!(self.state, DriveState::FaultReactionActive | DriveState::Fault) {
            return;
        }
        self.error_code = code;
        let has_torque = self.activity != Activity::Idle;
        if has_torque && self.fault_reaction_option != 0 {
            self.state = DriveState::FaultReactionActive;
            self.activity = Activity::Stopping {
                speed: self.motor.speed,
                deceleration: self.quick_stop_deceleration,
                then: Ending::State(DriveState::Fault),
            };
        } else {
            self.release(now);
            self.state = DriveState::Fault;
        }
    }

    /// Injected: a fault, and whether its cause lasts.
    pub(super) fn inject_fault(&mut self, code: u16, lasts: bool, now: Nanoseconds) {
        self.fault_lasts = lasts;
        if code != 0 {
            self.fault(code, now);
        }
    }

    /// Safe torque off, as the safety system switches it: no torque at once, and no fault.
    pub(super) fn set_safe_torque_off(&mut self, active: bool, now: Nanoseconds) {
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
    pub(super) fn set_voltage_lost(&mut self, lost: bool, now: Nanoseconds) {
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
    pub(super) fn outputs_lost(&mut self, now: Nanoseconds) {
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
    pub(super) fn jump_encoder(&mut self, counts: i32) {
        self.motor.jump(counts);
    }

    /// Injected: the shaft is stuck, or free again.
    pub(super) const fn set_stalled(&mut self, stalled: bool) {
        self.motor.stalled = stalled;
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
            InputSignal::PositionDemand => {
                wrap(self.demand.floor() as i64, self.parameters.counter_bits) as u64
            }
            InputSignal::Velocity => (self.motor.speed.round() as i32) as u64,
            InputSignal::Torque => self.motor.torque_per_mille() as u64,
            InputSignal::FollowingError => ((self.demand - self.motor.position).round() as i32) as u64,
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

/// A ring of received setpoints that overwrites the oldest.
#[derive(Debug)]
struct Record {
    ring: Vec<ReceivedSetpoint>,
    capacity: usize,
    /// Index of the oldest.
    begin: usize,
    lost: u64,
    last: Option<ReceivedSetpoint>,
}

impl Record {
    fn new(capacity: usize) -> Self {
        Self { ring: Vec::with_capacity(capacity), capacity, begin: 0, lost: 0, last: None }
    }

    fn push(&mut self, received: ReceivedSetpoint) {
        self.last = Some(received);
        if self.ring.len() < self.capacity {
            self.ring.push(received);
        } else if let Some(oldest) = self.ring.get_mut(self.begin) {
            *oldest = received;
            self.begin = (self.begin + 1) % self.capacity;
            self.lost += 1;
        }
    }

    fn drain(&mut self, mut take: impl FnMut(ReceivedSetpoint)) -> u64 {
        let (newer, older) = self.ring.split_at(self.begin);
        older.iter().chain(newer).for_each(|received| take(*received));
        self.ring.clear();
        self.begin = 0;
        std::mem::take(&mut self.lost)
    }
}
