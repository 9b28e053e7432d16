//! Object dictionary of the drive: what it holds, and how settings get from there into the drive.

use crate::devices::{Device, PdoEntry, PdoMap, objects as o};

use super::super::dictionary::{Access, Dictionary, Mappable};
use super::super::process_data::{MappedObject, Mapping};
use super::{InputSignal, OutputSignal, Servo};

/// CiA 402 servo drive.
const DEVICE_TYPE: u32 = 0x0002_0192;
/// Unit of accelerations in objects, counts/s²: with fine encoders 32 bits do not hold single counts.
const ACCELERATION_UNIT: f64 = 1000.0;
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

impl Servo {
    /// The dictionary at power-on.
    pub(super) fn dictionary(&self, name: &str, device: &Device) -> Dictionary {
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
        let deceleration = parameters.quick_stop_rad_s2 * counts_per_rad / ACCELERATION_UNIT;
        let quick_stop = deceleration.min(f64::from(u32::MAX)) as u32;
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
    pub(in super::super) fn show(&self, dictionary: &mut Dictionary) {
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
    pub(in super::super) fn take_over(&mut self, dictionary: &Dictionary) {
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
        self.quick_stop_deceleration = number(QUICK_STOP_DECELERATION) as f64 * ACCELERATION_UNIT;
        self.profile_deceleration = number(PROFILE_DECELERATION) as f64 * ACCELERATION_UNIT;
        self.motor.torque_limit_ratio = number(TORQUE_MAX) as f64 / 1000.0;
        if self.outputs.iter().all(|(signal, _)| *signal != OutputSignal::Mode) {
            self.take_mode(number(o::MODE) as i8);
        }
        if self.outputs.iter().all(|(signal, _)| *signal != OutputSignal::Controlword) {
            self.controlword = number(o::CONTROLWORD) as u16;
        }
    }

    /// Takes the process data mapping over, on the way to SAFE-OP.
    pub(in super::super) fn set_mapping(&mut self, outputs: &Mapping, inputs: &Mapping) {
        let output = |object: &MappedObject| match (object.index, object.subindex) {
            (o::CONTROLWORD, 0) => OutputSignal::Controlword,
            (o::MODE, 0) => OutputSignal::Mode,
            (o::TARGET_POSITION, 0) => OutputSignal::TargetPosition,
            (o::VELOCITY_OFFSET, 0) => OutputSignal::VelocityOffset,
            (o::TORQUE_OFFSET, 0) => OutputSignal::TorqueOffset,
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
}
