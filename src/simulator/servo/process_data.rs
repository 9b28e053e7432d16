//! What the drive reads from its outputs and shows in its inputs, and which objects that are.

use crate::devices::objects as o;

use super::super::process_data::{MappedObject, Mapping};
use super::super::wire::{floor, round};
use super::Servo;
use super::objects::{FOLLOWING_ERROR_ACTUAL, POSITION_DEMAND};
use crate::simulator::injection::ShaftSwitch;

/// Outputs a drive understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputSignal {
    Controlword,
    Mode,
    TargetPosition,
    TargetVelocity,
    TargetTorque,
    VelocityOffset,
    TorqueOffset,
    TouchProbeFunction,
}

impl OutputSignal {
    /// The object of each.
    pub(super) const OBJECTS: [(Self, u16); 8] = [
        (Self::Controlword, o::CONTROLWORD),
        (Self::Mode, o::MODE),
        (Self::TargetTorque, o::TARGET_TORQUE),
        (Self::TargetPosition, o::TARGET_POSITION),
        (Self::VelocityOffset, o::VELOCITY_OFFSET),
        (Self::TorqueOffset, o::TORQUE_OFFSET),
        (Self::TouchProbeFunction, o::TOUCH_PROBE_FUNCTION),
        (Self::TargetVelocity, o::TARGET_VELOCITY),
    ];
}

/// Inputs a drive can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InputSignal {
    Statusword,
    ModeDisplay,
    Position,
    PositionDemand,
    Velocity,
    Torque,
    FollowingError,
    ErrorCode,
    TouchProbeStatus,
    /// Latched by probe 0 or 1, at the positive or the negative edge.
    TouchProbe(usize, bool),
    DigitalInputs,
    BrakeOutput,
}

impl InputSignal {
    /// The object of each, with its subindex.
    pub(super) const OBJECTS: [(Self, u16, u8); 15] = [
        (Self::ErrorCode, o::ERROR_CODE, 0),
        (Self::Statusword, o::STATUSWORD, 0),
        (Self::ModeDisplay, o::MODE_DISPLAY, 0),
        (Self::PositionDemand, POSITION_DEMAND, 0),
        (Self::Position, o::POSITION_ACTUAL, 0),
        (Self::Velocity, o::VELOCITY_ACTUAL, 0),
        (Self::Torque, o::TORQUE_ACTUAL, 0),
        (Self::TouchProbeStatus, o::TOUCH_PROBE_STATUS, 0),
        (Self::TouchProbe(0, true), o::TOUCH_PROBE_1_POSITIVE, 0),
        (Self::TouchProbe(0, false), o::TOUCH_PROBE_1_NEGATIVE, 0),
        (Self::TouchProbe(1, true), o::TOUCH_PROBE_2_POSITIVE, 0),
        (Self::TouchProbe(1, false), o::TOUCH_PROBE_2_NEGATIVE, 0),
        (Self::FollowingError, FOLLOWING_ERROR_ACTUAL, 0),
        (Self::DigitalInputs, o::DIGITAL_INPUTS, 0),
        (Self::BrakeOutput, o::DIGITAL_OUTPUTS, 1),
    ];
}

/// Bit of 0x60FE:01 that is on while the brake is closed.
const OUTPUT_BRAKE: u64 = 1;
/// Bits of 0x60FD for the inputs of the touch probes: the first two of the manufacturer's own.
const INPUT_PROBE_1: u32 = 1 << 16;
const INPUT_PROBE_2: u32 = 1 << 17;

impl Servo {
    /// Takes the process data mapping over, on the way to SAFE-OP. What the drive does not know is left alone.
    pub(in super::super) fn set_mapping(&mut self, outputs: &Mapping, inputs: &Mapping) {
        let offset = self.index_offset;
        let output = |object: &MappedObject| {
            let is_it =
                |(_, index): &&(OutputSignal, u16)| (*index + offset, 0) == (object.index, object.subindex);
            Some((OutputSignal::OBJECTS.iter().find(is_it)?.0, *object))
        };
        let input = |object: &MappedObject| {
            let is_it = |(_, index, subindex): &&(InputSignal, u16, u8)| {
                (*index + offset, *subindex) == (object.index, object.subindex)
            };
            Some((InputSignal::OBJECTS.iter().find(is_it)?.0, *object))
        };
        self.outputs = outputs.objects().iter().filter_map(output).collect();
        self.inputs = inputs.objects().iter().filter_map(input).collect();
    }

    /// An output comes with the process data.
    pub(super) fn is_mapped(&self, signal: OutputSignal) -> bool {
        self.outputs.iter().any(|(mapped, _)| *mapped == signal)
    }

    /// Reads the outputs.
    pub(super) fn read_outputs(&mut self, data: &[u8]) {
        for at in 0..self.outputs.len() {
            if let Some((signal, object)) = self.outputs.get(at).copied() {
                self.take_output(signal, object.read(data));
            }
        }
    }

    /// One output.
    pub(super) fn take_output(&mut self, signal: OutputSignal, value: u64) {
        match signal {
            OutputSignal::Controlword => self.controlword = value as u16,
            OutputSignal::Mode => self.mode = value as i8,
            OutputSignal::TargetPosition => self.target_position = value as i32,
            OutputSignal::TargetVelocity => self.target_velocity = value as i32,
            OutputSignal::TargetTorque => self.target_torque = value as i16,
            OutputSignal::VelocityOffset => self.velocity_offset = value as i32,
            OutputSignal::TorqueOffset => self.torque_offset = value as i16,
            OutputSignal::TouchProbeFunction => self.probes.take_function(value as u16),
        }
    }

    /// One output, as received last.
    pub(super) fn output(&self, signal: OutputSignal) -> u64 {
        match signal {
            OutputSignal::Controlword => u64::from(self.controlword),
            OutputSignal::Mode => self.mode as u64,
            OutputSignal::TargetPosition => self.target_position as u64,
            OutputSignal::TargetVelocity => self.target_velocity as u64,
            OutputSignal::TargetTorque => self.target_torque as u64,
            OutputSignal::VelocityOffset => self.velocity_offset as u64,
            OutputSignal::TorqueOffset => self.torque_offset as u64,
            OutputSignal::TouchProbeFunction => u64::from(self.probes.function()),
        }
    }

    /// One input.
    pub(super) fn input(&self, signal: InputSignal) -> u64 {
        match signal {
            InputSignal::Statusword => u64::from(self.statusword()),
            InputSignal::ModeDisplay => self.disturbances.shown_mode.unwrap_or(self.mode_display) as u64,
            InputSignal::Position => self.motor.encoder() as u64,
            InputSignal::PositionDemand => self.motor.shown(floor(self.demand)) as u64,
            InputSignal::Velocity => (round(self.motor.speed) as i32) as u64,
            InputSignal::Torque => self.motor.torque_per_mille() as u64,
            InputSignal::FollowingError => (round(self.demand - self.motor.position) as i32) as u64,
            InputSignal::ErrorCode => u64::from(self.error_code),
            InputSignal::TouchProbeStatus => u64::from(self.probes.status()),
            InputSignal::TouchProbe(probe, rising) => self.probes.position(probe, rising) as u64,
            InputSignal::DigitalInputs => u64::from(self.digital_inputs()),
            InputSignal::BrakeOutput => {
                if self.motor.is_brake_open() {
                    0
                } else {
                    OUTPUT_BRAKE
                }
            }
        }
    }

    /// Digital inputs, 0x60FD.
    fn digital_inputs(&self) -> u32 {
        [
            (self.signals.is_on(ShaftSwitch::NegativeLimit), o::INPUT_NEGATIVE_LIMIT),
            (self.signals.is_on(ShaftSwitch::PositiveLimit), o::INPUT_POSITIVE_LIMIT),
            (self.signals.is_on(ShaftSwitch::Home), o::INPUT_HOME_SWITCH),
            (self.safe_torque_off, o::INPUT_INTERLOCK),
            (self.signals.is_on(ShaftSwitch::Probe1), INPUT_PROBE_1),
            (self.signals.is_on(ShaftSwitch::Probe2), INPUT_PROBE_2),
        ]
        .iter()
        .filter(|(is_on, _)| *is_on)
        .fold(0, |all, (_, bit)| all | bit)
    }

    /// Writes the inputs.
    pub(in super::super) fn send(&self, data: &mut [u8]) {
        for (signal, object) in &self.inputs {
            object.write(data, self.input(*signal));
        }
    }
}
