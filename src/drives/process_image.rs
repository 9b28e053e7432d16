//! Process data of a SubDevice as drive feedback and drive command. Where each object lies is looked
//! up once, from the PDO mapping that was written and read back at bring-up.

use super::channels::{ChannelFreshness, ChannelValues, Channels, DigitalChannel};
use crate::devices::{Device, DrivePlace, PdoMap, objects};

/// What a drive reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriveFeedback {
    /// Statusword (0x6041).
    pub statusword: u16,
    /// Position actual value (0x6064), counts, wraps at the counter's width.
    pub position_counts: i32,
    /// Velocity actual value (0x606C), counts/s; zero when not mapped.
    pub velocity_counts_s: i32,
    /// Torque actual value (0x6077), per thousand of rated; zero when not mapped.
    pub torque_per_mille: i16,
    /// Error code (0x603F); zero when not mapped.
    pub error_code: u16,
    /// Mode of operation display (0x6061); CSP when not mapped.
    pub mode_display: i8,
}

/// What a drive is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriveCommand {
    /// Controlword (0x6040).
    pub controlword: u16,
    /// Target position (0x607A), counts, wraps at the counter's width.
    pub target_counts: i32,
    /// Mode of operation (0x6060).
    pub mode: i8,
    /// Velocity offset (0x60B1), counts/s; not sent when not mapped.
    pub velocity_offset_counts_s: i32,
    /// Torque offset (0x60B2), per thousand of rated; not sent when not mapped.
    pub torque_offset_per_mille: i16,
}

/// A device does not map an object the controller cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("object {index:#06x} is not in the process data, or not at a byte border with {bits} bits")]
pub struct ObjectNotMapped {
    /// The object.
    pub index: u16,
    /// Its length, bits.
    pub bits: u8,
}

/// Byte offsets of a drive's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriveLayout {
    /// SubDevice, in bus order from 0.
    pub subdevice: usize,
    controlword: usize,
    target_position: usize,
    velocity_offset: Option<usize>,
    torque_offset: Option<usize>,
    mode: Option<usize>,
    statusword: usize,
    position_actual: usize,
    velocity_actual: Option<usize>,
    torque_actual: Option<usize>,
    error_code: Option<usize>,
    mode_display: Option<usize>,
}

fn byte_of(map: &PdoMap, index: u16, bits: u8) -> Option<usize> {
    let entry_fits =
        map.entries().iter().any(|entry| entry.index == index && entry.subindex == 0 && entry.bits == bits);
    let bit = map.bit_offset(index, 0)?;
    (entry_fits && bit.is_multiple_of(8)).then_some(bit / 8)
}

impl DriveLayout {
    /// Looks up the objects of an axis of `device`.
    ///
    /// # Errors
    /// [`ObjectNotMapped`] when controlword, target position, statusword or actual position is missing.
    pub fn new(place: DrivePlace, device: &Device) -> Result<Self, ObjectNotMapped> {
        let step = usize::from(objects::AXIS_STEP).saturating_mul(place.axis);
        let byte_of = |map: &PdoMap, index: u16, bits| {
            byte_of(map, u16::try_from(usize::from(index).saturating_add(step)).ok()?, bits)
        };
        let required =
            |map: &PdoMap, index, bits| byte_of(map, index, bits).ok_or(ObjectNotMapped { index, bits });
        Ok(Self {
            subdevice: place.subdevice,
            controlword: required(&device.outputs, objects::CONTROLWORD, 16)?,
            target_position: required(&device.outputs, objects::TARGET_POSITION, 32)?,
            velocity_offset: byte_of(&device.outputs, objects::VELOCITY_OFFSET, 32),
            torque_offset: byte_of(&device.outputs, objects::TORQUE_OFFSET, 16),
            mode: byte_of(&device.outputs, objects::MODE, 8),
            statusword: required(&device.inputs, objects::STATUSWORD, 16)?,
            position_actual: required(&device.inputs, objects::POSITION_ACTUAL, 32)?,
            velocity_actual: byte_of(&device.inputs, objects::VELOCITY_ACTUAL, 32),
            torque_actual: byte_of(&device.inputs, objects::TORQUE_ACTUAL, 16),
            error_code: byte_of(&device.inputs, objects::ERROR_CODE, 16),
            mode_display: byte_of(&device.inputs, objects::MODE_DISPLAY, 8),
        })
    }

    /// Reads the inputs of this drive. Objects beyond the end of `inputs` read as zero.
    #[must_use]
    pub fn decode(&self, inputs: &[u8]) -> DriveFeedback {
        let word = |at: usize| u16::from_le_bytes(bytes_at(inputs, at));
        let double = |at: usize| i32::from_le_bytes(bytes_at(inputs, at));
        DriveFeedback {
            statusword: word(self.statusword),
            position_counts: double(self.position_actual),
            velocity_counts_s: self.velocity_actual.map_or(0, double),
            torque_per_mille: self.torque_actual.map_or(0, |at| i16::from_le_bytes(bytes_at(inputs, at))),
            error_code: self.error_code.map_or(0, word),
            mode_display: self
                .mode_display
                .map_or(objects::MODE_CSP, |at| i8::from_le_bytes(bytes_at(inputs, at))),
        }
    }

    /// Writes the outputs of this drive; other objects stay as they are.
    pub fn encode(&self, command: &DriveCommand, outputs: &mut [u8]) {
        put(outputs, self.controlword, &command.controlword.to_le_bytes());
        put(outputs, self.target_position, &command.target_counts.to_le_bytes());
        if let Some(at) = self.mode {
            put(outputs, at, &command.mode.to_le_bytes());
        }
        if let Some(at) = self.velocity_offset {
            put(outputs, at, &command.velocity_offset_counts_s.to_le_bytes());
        }
        if let Some(at) = self.torque_offset {
            put(outputs, at, &command.torque_offset_per_mille.to_le_bytes());
        }
    }
}

fn bytes_at<const N: usize>(data: &[u8], at: usize) -> [u8; N] {
    data.get(at..).and_then(|tail| tail.first_chunk::<N>()).copied().unwrap_or([0; N])
}

fn put(data: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = at.checked_add(bytes.len()).and_then(|end| data.get_mut(at..end)) {
        place.copy_from_slice(bytes);
    }
}

impl Channels {
    /// Reads all input channels. `inputs_of` gives the input data of a SubDevice.
    #[must_use]
    pub fn decode<'a>(&self, inputs_of: impl Fn(usize) -> &'a [u8]) -> ChannelValues {
        let mut values = ChannelValues::default();
        for (number, DigitalChannel { subdevice, bit }) in present(&self.digital_inputs).enumerate() {
            let byte = inputs_of(subdevice).get(bit / 8).copied().unwrap_or(0);
            values.digital |= u64::from(byte >> (bit % 8) & 1) << number;
        }
        for (value, channel) in values.analog.iter_mut().zip(present(&self.analog_inputs)) {
            let inputs = inputs_of(channel.subdevice);
            *value = channel.value(match channel.bits {
                8 => i32::from(i8::from_le_bytes(bytes_at(inputs, channel.byte))),
                16 => i32::from(i16::from_le_bytes(bytes_at(inputs, channel.byte))),
                _ => i32::from_le_bytes(bytes_at(inputs, channel.byte)),
            });
        }
        values
    }

    /// Which input channels lie in SubDevices whose inputs are fresh.
    #[must_use]
    pub fn freshness(&self, is_fresh: impl Fn(usize) -> bool) -> ChannelFreshness {
        let digital = present(&self.digital_inputs).enumerate();
        let analog = present(&self.analog_inputs).enumerate();
        ChannelFreshness {
            digital: digital
                .fold(0, |mask, (at, channel)| mask | u64::from(is_fresh(channel.subdevice)) << at),
            analog: analog.fold(0, |mask, (at, channel)| mask | u32::from(is_fresh(channel.subdevice)) << at),
        }
    }

    /// Writes the output channels that lie in `subdevice` into its output data.
    pub fn encode(&self, values: &ChannelValues, subdevice: usize, outputs: &mut [u8]) {
        for (number, channel) in present(&self.digital_outputs).enumerate() {
            if channel.subdevice == subdevice
                && let Some(byte) = outputs.get_mut(channel.bit / 8)
            {
                let mask = 1_u8 << (channel.bit % 8);
                if values.digital >> number & 1 == 1 {
                    *byte |= mask;
                } else {
                    *byte &= !mask;
                }
            }
        }
        for (value, channel) in values.analog.iter().zip(present(&self.analog_outputs)) {
            if channel.subdevice == subdevice {
                let bytes = channel.counts(*value).to_le_bytes();
                put(outputs, channel.byte, bytes.get(..usize::from(channel.bits / 8)).unwrap_or(&bytes));
            }
        }
    }
}

/// The channels of a list; nothing comes after the first gap.
fn present<T: Copy>(channels: &[Option<T>]) -> impl Iterator<Item = T> + '_ {
    channels.iter().map_while(|channel| *channel)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::{Connection, DeviceKind, Identity, PdoEntry};

    fn entry(index: u16, bits: u8) -> PdoEntry {
        PdoEntry { index, subindex: 0, bits }
    }

    fn drive(outputs: &[PdoEntry], inputs: &[PdoEntry]) -> Device {
        Device {
            kind: DeviceKind::ServoDrive,
            identity: Identity::default(),
            outputs: PdoMap::new(0x1600, outputs).unwrap(),
            inputs: PdoMap::new(0x1A00, inputs).unwrap(),
            distributed_clock: true,
            connection: Connection::Cable,
        }
    }

    #[test]
    fn objects_are_found_wherever_they_are_mapped() {
        let device = drive(
            &[
                entry(objects::MODE, 8),
                entry(0, 8),
                entry(objects::TARGET_POSITION, 32),
                entry(objects::CONTROLWORD, 16),
            ],
            &[entry(objects::POSITION_ACTUAL, 32), entry(objects::STATUSWORD, 16)],
        );
        let layout = DriveLayout::new(3.into(), &device).unwrap();
        let mut outputs = [0xAA; 8];
        layout.encode(
            &DriveCommand { controlword: 0x000F, target_counts: -2, mode: 8, ..DriveCommand::default() },
            &mut outputs,
        );
        assert_eq!(outputs, [8, 0xAA, 0xFE, 0xFF, 0xFF, 0xFF, 0x0F, 0x00]);
        let feedback = layout.decode(&[0xFF, 0xFF, 0xFF, 0x7F, 0x37, 0x12]);
        assert_eq!(feedback.position_counts, i32::MAX);
        assert_eq!(feedback.statusword, 0x1237);
        assert_eq!(feedback.mode_display, objects::MODE_CSP);
    }

    #[test]
    fn a_drive_without_its_objects_is_refused_and_named() {
        let device = drive(&[entry(objects::CONTROLWORD, 16)], &[entry(objects::STATUSWORD, 16)]);
        assert_eq!(
            DriveLayout::new(0.into(), &device),
            Err(ObjectNotMapped { index: objects::TARGET_POSITION, bits: 32 })
        );
    }

    #[test]
    fn channels_keep_to_their_bits() {
        let mut channels = Channels::NONE;
        for (number, bit) in [0, 1, 5].into_iter().enumerate() {
            channels.digital_outputs[number] = Some(DigitalChannel { subdevice: 6, bit });
        }
        channels.digital_inputs[0] = Some(DigitalChannel { subdevice: 6, bit: 7 });
        let mut outputs = [0b1000_0001_u8];
        let values = ChannelValues { digital: 0b100, ..ChannelValues::default() };
        channels.encode(&values, 6, &mut outputs);
        assert_eq!(outputs, [0b1010_0000]);
        channels.encode(&values, 5, &mut [0]);
        let read = channels.decode(|_| &[0b1000_0000]);
        assert_eq!(read.digital, 1);
    }
}
