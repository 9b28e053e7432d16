//! Terminals and sensors: channels behind process data, and what is behind the channels.

use crate::devices::{ChannelKind, Device, DeviceKind, MAX_PDO_ENTRIES, PdoEntry};
use crate::units::Nanoseconds;

use super::description::DeviceParameters;
use super::dictionary::{Access, Dictionary, Mappable};
use super::encoder_input::EncoderInput;
use super::force_sensor::ForceSensor;
use super::process_data::{MappedObject, Mapping};
use super::random::Random;

/// Device profiles of CiA: generic I/O, measuring devices, encoders (0x1000, lower half).
const GENERIC_IO: u32 = 401;
const MEASURING_DEVICE: u32 = 404;
const ENCODER: u32 = 406;

/// Levels of all channels in one direction: single bits are digital, wider entries analog, counted in the order
/// of the process data.
#[derive(Clone, Debug)]
pub(super) struct Channels {
    digital: Vec<MappedObject>,
    analog: Vec<MappedObject>,
    levels: u64,
    values: [i32; MAX_PDO_ENTRIES],
}

impl Channels {
    fn new(mapping: &Mapping) -> Self {
        let mut channels =
            Self { digital: Vec::new(), analog: Vec::new(), levels: 0, values: [0; MAX_PDO_ENTRIES] };
        channels.set_mapping(mapping);
        channels
    }

    fn set_mapping(&mut self, mapping: &Mapping) {
        let of_kind = |kind| {
            let objects = mapping.objects().iter().copied();
            objects.filter(|object| kind_of(object) == Some(kind)).collect()
        };
        self.digital = of_kind(ChannelKind::Digital);
        self.analog = of_kind(ChannelKind::Analog);
    }

    fn clear(&mut self) {
        self.levels = 0;
        self.values = [0; MAX_PDO_ENTRIES];
    }

    fn read(&mut self, data: &[u8]) {
        self.levels = (0..)
            .zip(&self.digital)
            .fold(0, |levels, (channel, object)| levels | object.read(data) << channel);
        for (value, object) in self.values.iter_mut().zip(&self.analog) {
            let unused = 32_usize.saturating_sub(object.bits);
            *value = (object.read(data) as i32) << unused >> unused;
        }
    }

    fn write(&self, data: &mut [u8]) {
        for (channel, object) in (0..).zip(&self.digital) {
            object.write(data, self.levels >> channel & 1);
        }
        for (value, object) in self.values.iter().zip(&self.analog) {
            object.write(data, *value as u64);
        }
    }

    /// Level of a digital channel; off when there is no such channel.
    pub(super) fn level(&self, channel: usize) -> bool {
        channel < self.digital.len() && self.levels >> channel & 1 == 1
    }

    /// Value of an analog channel; zero when there is no such channel.
    pub(super) fn value(&self, channel: usize) -> i32 {
        self.values.get(channel).copied().unwrap_or(0)
    }

    /// Sets a digital channel. Returns false when there is no such channel.
    pub(super) fn set_level(&mut self, channel: usize, level: bool) -> bool {
        let exists = channel < self.digital.len();
        if exists {
            let mask = 1 << channel;
            self.levels = if level { self.levels | mask } else { self.levels & !mask };
        }
        exists
    }

    /// Sets an analog channel. Returns false when there is no such channel.
    pub(super) fn set_value(&mut self, channel: usize, value: i32) -> bool {
        let exists = channel < self.analog.len();
        if let (true, Some(place)) = (exists, self.values.get_mut(channel)) {
            *place = value;
        }
        exists
    }

    fn show(&self, dictionary: &mut Dictionary) {
        for (channel, object) in (0..).zip(&self.digital) {
            dictionary.set_number(object.index, object.subindex, self.levels >> channel & 1);
        }
        for (value, object) in self.values.iter().zip(&self.analog) {
            dictionary.set_number(object.index, object.subindex, *value as u64);
        }
    }
}

fn kind_of(object: &MappedObject) -> Option<ChannelKind> {
    PdoEntry { index: object.index, subindex: object.subindex, bits: object.bits as u8 }.channel()
}

/// What the channels are connected to inside the device.
#[derive(Clone, Debug)]
enum Behind {
    /// To clamps: what is wired to them sets them.
    Clamps,
    Encoder(EncoderInput),
    ForceSensor(Box<ForceSensor>),
}

/// A terminal, or a sensor.
#[derive(Clone, Debug)]
pub(super) struct Terminal {
    outputs: Channels,
    inputs: Channels,
    behind: Behind,
}

impl Terminal {
    /// A terminal with all channels zero.
    pub(super) fn new(device: &Device, parameters: &DeviceParameters, random: Random) -> Self {
        let behind = match parameters {
            DeviceParameters::Encoder(encoder) => Behind::Encoder(EncoderInput::new(encoder)),
            DeviceParameters::ForceTorqueSensor(sensor) => {
                Behind::ForceSensor(Box::new(ForceSensor::new(sensor, random)))
            }
            DeviceParameters::ServoDrive(_)
            | DeviceParameters::DualServoDrive(_)
            | DeviceParameters::Coupler
            | DeviceParameters::DigitalIo
            | DeviceParameters::AnalogIo => Behind::Clamps,
        };
        Self {
            outputs: Channels::new(&Mapping::of(&device.outputs)),
            inputs: Channels::new(&Mapping::of(&device.inputs)),
            behind,
        }
    }

    /// The dictionary of a terminal with a mailbox: its mapping from the factory is the one of the device type.
    pub(super) fn dictionary(name: &str, device: &Device, parameters: &DeviceParameters) -> Dictionary {
        let device_type = match device.kind {
            DeviceKind::Encoder => ENCODER,
            DeviceKind::ForceTorqueSensor => MEASURING_DEVICE,
            DeviceKind::ServoDrive
            | DeviceKind::DualServoDrive
            | DeviceKind::Coupler
            | DeviceKind::DigitalIo
            | DeviceKind::AnalogIo => GENERIC_IO,
        };
        let mut dictionary = Dictionary::new(name, device, device_type, [&device.outputs, &device.inputs]);
        dictionary.ensure_mappable(&device.outputs, Mappable::Outputs);
        dictionary.ensure_mappable(&device.inputs, Mappable::Inputs);
        if let DeviceParameters::ForceTorqueSensor(sensor) = parameters {
            // Calibration: counts a newton and a newton metre.
            dictionary.add(0x8000, 0, Access::Constant, &[2]);
            dictionary.add(0x8000, 1, Access::Constant, &(sensor.counts_per_n as u32).to_le_bytes());
            dictionary.add(0x8000, 2, Access::Constant, &(sensor.counts_per_nm as u32).to_le_bytes());
        }
        dictionary
    }

    /// Takes the process data mapping over.
    pub(super) fn set_mapping(&mut self, outputs: &Mapping, inputs: &Mapping) {
        self.outputs.set_mapping(outputs);
        self.inputs.set_mapping(inputs);
    }

    /// Takes the outputs over.
    pub(super) fn receive(&mut self, data: &[u8]) {
        self.outputs.read(data);
    }

    /// Outputs to their safe state: off, zero.
    pub(super) fn switch_off(&mut self) {
        self.outputs.clear();
    }

    /// Lets the sensor behind the channels measure.
    pub(super) fn advance(&mut self, now: Nanoseconds) {
        match &mut self.behind {
            Behind::Clamps => {}
            Behind::Encoder(encoder) => encoder.advance(&self.outputs, &mut self.inputs, now),
            Behind::ForceSensor(sensor) => sensor.advance(&self.outputs, &mut self.inputs, now),
        }
    }

    /// Writes the inputs.
    pub(super) fn send(&self, data: &mut [u8]) {
        self.inputs.write(data);
    }

    /// Writes what changes by itself into the dictionary, before it is read.
    pub(super) fn show(&self, dictionary: &mut Dictionary) {
        self.inputs.show(dictionary);
        self.outputs.show(dictionary);
    }

    /// All digital outputs, channel 0 in bit 0.
    pub(super) const fn digital_outputs(&self) -> u64 {
        self.outputs.levels
    }

    /// All digital inputs, channel 0 in bit 0.
    pub(super) const fn digital_inputs(&self) -> u64 {
        self.inputs.levels
    }

    /// An analog output; zero when there is no such channel.
    pub(super) fn analog_output(&self, channel: u8) -> i32 {
        self.outputs.value(usize::from(channel))
    }

    /// An analog input; zero when there is no such channel.
    pub(super) fn analog_input(&self, channel: u8) -> i32 {
        self.inputs.value(usize::from(channel))
    }

    /// Sets the level at a digital input. Returns false when there is no such channel, or no clamp at it.
    pub(super) fn set_digital_input(&mut self, channel: u8, level: bool) -> bool {
        matches!(self.behind, Behind::Clamps) && self.inputs.set_level(usize::from(channel), level)
    }

    /// Sets the value at an analog input. Returns false when there is no such channel, or no clamp at it.
    pub(super) fn set_analog_input(&mut self, channel: u8, value: i32) -> bool {
        matches!(self.behind, Behind::Clamps) && self.inputs.set_value(usize::from(channel), value)
    }

    /// The encoder behind it, where there is one.
    pub(super) const fn encoder_mut(&mut self) -> Option<&mut EncoderInput> {
        match &mut self.behind {
            Behind::Encoder(encoder) => Some(encoder),
            Behind::Clamps | Behind::ForceSensor(_) => None,
        }
    }

    /// The force sensor behind it, where there is one.
    pub(super) const fn force_sensor_mut(&mut self) -> Option<&mut ForceSensor> {
        match &mut self.behind {
            Behind::ForceSensor(sensor) => Some(sensor),
            Behind::Clamps | Behind::Encoder(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::support::{analog_terminal, digital_terminal};
    use super::*;

    fn terminal(simulated: &super::super::SimulatedDevice) -> Terminal {
        Terminal::new(&simulated.device, &simulated.parameters, Random::new(1, 1))
    }

    #[test]
    fn digital_channels_are_counted_bit_by_bit() {
        let mut terminal = terminal(&digital_terminal());
        terminal.receive(&[0b1000_0010]);
        assert_eq!(terminal.digital_outputs(), 0b1000_0010);
        assert!(terminal.set_digital_input(5, true));
        assert!(!terminal.set_digital_input(8, true), "only eight of them");
        let mut data = [0];
        terminal.send(&mut data);
        assert_eq!(data, [0b0010_0000]);
        terminal.switch_off();
        assert_eq!(terminal.digital_outputs(), 0);
    }

    #[test]
    fn analog_channels_are_counted_entry_by_entry() {
        let mut terminal = terminal(&analog_terminal());
        terminal.receive(&[0x34, 0x12, 0xFF, 0xFF]);
        assert_eq!((terminal.analog_output(0), terminal.analog_output(1)), (0x1234, -1));
        assert!(terminal.set_analog_input(1, -2));
        assert!(!terminal.set_analog_input(2, 1));
        let mut data = [0; 4];
        terminal.send(&mut data);
        assert_eq!(data, [0, 0, 0xFE, 0xFF]);
    }
}
