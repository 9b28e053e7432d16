//! Object dictionary of the drive: what it holds, and how settings get from there into the drive.

use crate::devices::{Device, PdoEntry, PdoMap, objects as o};

use super::super::dictionary::{Access, Dictionary, Mappable};
use super::Servo;
use super::homing::HomingSettings;
use super::process_data::{InputSignal, OutputSignal};

/// CiA 402 servo drive.
const DEVICE_TYPE: u32 = 0x0002_0192;
/// Unit of accelerations in objects, counts/s²: with fine encoders 32 bits do not hold single counts.
const ACCELERATION_UNIT: f64 = 1000.0;
/// The parameter backup, for transfers that need several messages.
const PARAMETER_BACKUP: u16 = 0x2100;
const PARAMETER_BACKUP_BYTES_MAX: usize = 1024;
/// Objects of CiA 402 only the simulation needs.
const ABORT_CONNECTION_OPTION: u16 = 0x6007;
pub(super) const POSITION_DEMAND: u16 = 0x6062;
const TORQUE_MAX: u16 = 0x6072;
const RATED_TORQUE: u16 = 0x6076;
const PROFILE_DECELERATION: u16 = 0x6084;
const QUICK_STOP_DECELERATION: u16 = 0x6085;
pub(super) const FOLLOWING_ERROR_ACTUAL: u16 = 0x60F4;
const SUPPORTED_MODES: u16 = 0x6502;

/// Device types of each axis of a drive with several (CiA 301, object 0x1000).
const AXIS_DEVICE_TYPE: u16 = 0x67FF;

/// The objects of one axis in the dictionary of its SubDevice.
struct AxisObjects<'a> {
    dictionary: &'a mut Dictionary,
    offset: u16,
}

impl AxisObjects<'_> {
    fn add(&mut self, index: u16, subindex: u8, access: Access, value: &[u8]) {
        self.dictionary.add(index + self.offset, subindex, access, value);
    }

    fn add_mappable(&mut self, index: u16, subindex: u8, access: Access, mappable: Mappable, value: &[u8]) {
        self.dictionary.add_mappable(index + self.offset, subindex, access, mappable, value);
    }

    fn limit(&mut self, index: u16, subindex: u8, least: i64, most: i64) {
        self.dictionary.limit(index + self.offset, subindex, least, most);
    }
}

/// The mapping from the factory: a controller that needs another one has to write it.
fn factory_mapping(map: &PdoMap, objects: [u16; 2]) -> PdoMap {
    let is_kept = |entry: &&PdoEntry| entry.subindex == 0 && objects.contains(&(entry.index & !o::AXIS_STEP));
    let kept = map.pdos().try_fold(PdoMap::EMPTY, |kept, (pdo, entries)| {
        let entries: Vec<PdoEntry> = entries.iter().filter(is_kept).copied().collect();
        kept.with(pdo, &entries)
    });
    kept.unwrap_or(*map)
}

impl Servo {
    /// The dictionary of a drive with these axes at power-on; they take their settings from it.
    pub(in super::super) fn dictionary_of(axes: &mut [Self], name: &str, device: &Device) -> Dictionary {
        let outputs = factory_mapping(&device.outputs, [o::CONTROLWORD, o::TARGET_POSITION]);
        let inputs = factory_mapping(&device.inputs, [o::STATUSWORD, o::POSITION_ACTUAL]);
        let several = axes.len() > 1;
        // Several logical devices: the upper half says so, and each has its own type.
        let device_type = if several { 0xFFFF_0000 | DEVICE_TYPE & 0xFFFF } else { DEVICE_TYPE };
        let mut dictionary = Dictionary::new(name, device, device_type, [&outputs, &inputs]);
        dictionary.add_variable(PARAMETER_BACKUP, &[], PARAMETER_BACKUP_BYTES_MAX);
        for axis in axes {
            axis.add_objects(&mut dictionary);
            if several {
                let index = AXIS_DEVICE_TYPE + axis.index_offset;
                dictionary.add(index, 0, Access::Constant, &DEVICE_TYPE.to_le_bytes());
            }
            axis.take_over(&dictionary);
        }
        dictionary.ensure_mappable(&device.outputs, Mappable::Outputs);
        dictionary.ensure_mappable(&device.inputs, Mappable::Inputs);
        dictionary
    }

    fn add_objects(&self, dictionary: &mut Dictionary) {
        let mut dictionary = AxisObjects { dictionary, offset: self.index_offset };
        let rw = Access::Writable;
        let ro = Access::Constant;
        let parameters = &self.parameters;
        let counts_per_rad = self.motor.counts_per_rad();
        let deceleration = parameters.quick_stop_rad_s2 * counts_per_rad / ACCELERATION_UNIT;
        let quick_stop = deceleration.min(f64::from(u32::MAX)) as u32;
        // Option codes: those the standard names, no others.
        for (index, value, least, most) in [
            (ABORT_CONNECTION_OPTION, 1_i16, 0, 3),
            (o::QUICK_STOP_OPTION, 2, 0, 8),
            (o::SHUTDOWN_OPTION, 0, 0, 1),
            (o::DISABLE_OPERATION_OPTION, 1, 0, 1),
            (o::HALT_OPTION, 1, 1, 4),
            (o::FAULT_REACTION_OPTION, 2, 0, 4),
        ] {
            dictionary.add(index, 0, rw, &value.to_le_bytes());
            dictionary.limit(index, 0, least, most);
        }
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
        // Bit of a mode: its number less one.
        let modes = [o::MODE_HOMING, o::MODE_CSP, o::MODE_CSV, o::MODE_CST];
        let supported = modes.iter().fold(0_u32, |all, mode| all | 1 << (mode - 1));
        dictionary.add(SUPPORTED_MODES, 0, ro, &supported.to_le_bytes());
        dictionary.add(o::SOFTWARE_POSITION_LIMIT, 0, ro, &[2]);
        dictionary.add(o::SOFTWARE_POSITION_LIMIT, 1, rw, &i32::MIN.to_le_bytes());
        dictionary.add(o::SOFTWARE_POSITION_LIMIT, 2, rw, &i32::MAX.to_le_bytes());
        // Homing: a turn a second to the switch, a tenth of it to the edge.
        dictionary.add(o::HOME_OFFSET, 0, rw, &0_i32.to_le_bytes());
        dictionary.add(o::HOMING_METHOD, 0, rw, &[37]);
        dictionary.limit(o::HOMING_METHOD, 0, 17, 37);
        dictionary.add(o::HOMING_SPEEDS, 0, ro, &[2]);
        dictionary.add(o::HOMING_SPEEDS, 1, rw, &parameters.counts_per_turn.to_le_bytes());
        dictionary.add(o::HOMING_SPEEDS, 2, rw, &(parameters.counts_per_turn / 10).to_le_bytes());
        dictionary.add(o::HOMING_ACCELERATION, 0, rw, &quick_stop.to_le_bytes());
        dictionary.add(o::DIGITAL_OUTPUTS, 0, ro, &[1]);
        for (index, bytes) in [
            (o::CONTROLWORD, 2),
            (o::MODE, 1),
            (o::TARGET_TORQUE, 2),
            (o::TARGET_POSITION, 4),
            (o::VELOCITY_OFFSET, 4),
            (o::TORQUE_OFFSET, 2),
            (o::TOUCH_PROBE_FUNCTION, 2),
            (o::TARGET_VELOCITY, 4),
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
            (o::TOUCH_PROBE_STATUS, 2),
            (o::TOUCH_PROBE_1_POSITIVE, 4),
            (o::TOUCH_PROBE_1_NEGATIVE, 4),
            (o::TOUCH_PROBE_2_POSITIVE, 4),
            (o::TOUCH_PROBE_2_NEGATIVE, 4),
            (o::DIGITAL_INPUTS, 4),
        ] {
            let zeros = [0; 4];
            dictionary.add_mappable(index, 0, ro, Mappable::Inputs, zeros.get(..bytes).unwrap_or(&[]));
        }
        dictionary.add_mappable(o::DIGITAL_OUTPUTS, 1, ro, Mappable::Inputs, &[0; 4]);
    }

    /// Writes what changes by itself into the dictionary, before it is read.
    pub(in super::super) fn show(&self, dictionary: &mut Dictionary) {
        for (signal, index, subindex) in InputSignal::OBJECTS {
            dictionary.set_number(index + self.index_offset, subindex, self.input(signal));
        }
        let others = if self.index_offset == 0 { 0 } else { dictionary.number(0x1001, 0) };
        dictionary.set_number(0x1001, 0, others | u64::from(self.error_code != 0));
        for (signal, index) in OutputSignal::OBJECTS {
            if self.is_mapped(signal) {
                dictionary.set_number(index + self.index_offset, 0, self.output(signal));
            }
        }
    }

    /// Takes settings over from the dictionary, after they may have been written.
    pub(in super::super) fn take_over(&mut self, dictionary: &Dictionary) {
        let offset = self.index_offset;
        let entry = |index: u16, subindex| dictionary.number(index + offset, subindex);
        let number = |index| entry(index, 0);
        let value = entry(o::INTERPOLATION_PERIOD, 1) as f64;
        let exponent = i32::from(entry(o::INTERPOLATION_PERIOD, 2) as i8);
        self.interpolation_period_ns = (value * 10_f64.powi(exponent + 9)).clamp(0.0, 1e9) as u64;
        self.window_counts = match number(o::FOLLOWING_ERROR_WINDOW) as u32 {
            // CiA 402: the largest value switches the supervision off.
            u32::MAX => f64::INFINITY,
            window => f64::from(window),
        };
        self.timeout_ns = number(o::FOLLOWING_ERROR_TIMEOUT) * 1_000_000;
        self.quick_stop_option = number(o::QUICK_STOP_OPTION) as i16;
        self.shutdown_option = number(o::SHUTDOWN_OPTION) as i16;
        self.disable_option = number(o::DISABLE_OPERATION_OPTION) as i16;
        self.halt_option = number(o::HALT_OPTION) as i16;
        self.fault_reaction_option = number(o::FAULT_REACTION_OPTION) as i16;
        self.abort_connection_option = number(ABORT_CONNECTION_OPTION) as i16;
        self.quick_stop_deceleration = number(QUICK_STOP_DECELERATION) as f64 * ACCELERATION_UNIT;
        self.profile_deceleration = number(PROFILE_DECELERATION) as f64 * ACCELERATION_UNIT;
        self.motor.torque_limit_ratio = number(TORQUE_MAX) as f64 / 1000.0;
        self.homing_settings = HomingSettings {
            method: number(o::HOMING_METHOD) as i8,
            fast: entry(o::HOMING_SPEEDS, 1) as f64,
            slow: entry(o::HOMING_SPEEDS, 2) as f64,
            acceleration: number(o::HOMING_ACCELERATION) as f64 * ACCELERATION_UNIT,
            home_offset: number(o::HOME_OFFSET) as i32,
        };
        let limit = |subindex| entry(o::SOFTWARE_POSITION_LIMIT, subindex) as i32;
        let (least, most) = (limit(1), limit(2));
        self.software_limits =
            (least < most && (least, most) != (i32::MIN, i32::MAX)).then_some((least, most));
        // What is not in the process data comes by SDO.
        for (signal, index) in OutputSignal::OBJECTS {
            if !self.is_mapped(signal) {
                self.take_output(signal, number(index));
            }
        }
        self.take_mode(self.mode);
    }
}
