//! Digital and analog terminals: channels behind process data.

use crate::devices::{Device, DeviceKind, MAX_PDO_ENTRIES};

use super::dictionary::{Dictionary, Mappable};
use super::process_data::{MappedObject, Mapping};

/// A generic I/O device.
const DEVICE_TYPE: u32 = 0x0000_0191;
/// Most digital channels in each direction.
const DIGITAL_CHANNELS_MAX: usize = 64;

/// The channels of a terminal. Digital channels are counted bit by bit through the mapped entries, analog ones
/// entry by entry.
#[derive(Clone, Debug)]
pub(super) struct Terminal {
    kind: DeviceKind,
    outputs: Vec<MappedObject>,
    inputs: Vec<MappedObject>,
    digital_outputs: u64,
    digital_inputs: u64,
    analog_outputs: [i16; MAX_PDO_ENTRIES],
    analog_inputs: [i16; MAX_PDO_ENTRIES],
}

impl Terminal {
    /// A terminal with all channels zero.
    pub(super) fn new(device: &Device) -> Self {
        let entries = |map: &crate::devices::PdoMap| {
            let entries = map.entries().iter();
            let entries = entries.map(|entry| (entry.index, entry.subindex, usize::from(entry.bits)));
            Mapping::new(entries)
        };
        let mut terminal = Self {
            kind: device.kind,
            outputs: Vec::new(),
            inputs: Vec::new(),
            digital_outputs: 0,
            digital_inputs: 0,
            analog_outputs: [0; MAX_PDO_ENTRIES],
            analog_inputs: [0; MAX_PDO_ENTRIES],
        };
        terminal.set_mapping(&entries(&device.outputs), &entries(&device.inputs));
        terminal
    }

    /// The dictionary of an analog terminal: its mapping from the factory is the one of the device type.
    pub(super) fn dictionary(name: &str, device: &Device) -> Dictionary {
        let mut dictionary = Dictionary::new(name, device, DEVICE_TYPE, [&device.outputs, &device.inputs]);
        dictionary.ensure_mappable(&device.outputs, Mappable::Outputs);
        dictionary.ensure_mappable(&device.inputs, Mappable::Inputs);
        dictionary
    }

    /// Takes the process data mapping over.
    pub(super) fn set_mapping(&mut self, outputs: &Mapping, inputs: &Mapping) {
        self.outputs = outputs.objects().to_vec();
        self.inputs = inputs.objects().to_vec();
    }

    /// Takes the outputs over.
    pub(super) fn receive(&mut self, data: &[u8]) {
        if self.kind == DeviceKind::DigitalIo {
            let mut channel = 0;
            self.digital_outputs = 0;
            for object in &self.outputs {
                if channel < DIGITAL_CHANNELS_MAX {
                    self.digital_outputs |= object.read(data) << channel;
                }
                channel += object.bits;
            }
        } else {
            for (value, object) in self.analog_outputs.iter_mut().zip(&self.outputs) {
                *value = object.read(data) as i16;
            }
        }
    }

    /// Outputs to their safe state: off, zero.
    pub(super) const fn switch_off(&mut self) {
        self.digital_outputs = 0;
        self.analog_outputs = [0; MAX_PDO_ENTRIES];
    }

    /// Writes the inputs.
    pub(super) fn send(&self, data: &mut [u8]) {
        if self.kind == DeviceKind::DigitalIo {
            let mut channel = 0;
            for object in &self.inputs {
                let bits = if channel < DIGITAL_CHANNELS_MAX { self.digital_inputs >> channel } else { 0 };
                object.write(data, bits);
                channel += object.bits;
            }
        } else {
            for (value, object) in self.analog_inputs.iter().zip(&self.inputs) {
                object.write(data, *value as u64);
            }
        }
    }

    /// All digital outputs, channel 0 in bit 0.
    pub(super) const fn digital_outputs(&self) -> u64 {
        self.digital_outputs
    }

    /// All digital inputs, channel 0 in bit 0.
    pub(super) const fn digital_inputs(&self) -> u64 {
        self.digital_inputs
    }

    /// Sets the level at a digital input. Returns false when there is no such channel.
    pub(super) fn set_digital_input(&mut self, channel: u8, level: bool) -> bool {
        let channels: usize = self.inputs.iter().map(|object| object.bits).sum();
        let exists =
            self.kind == DeviceKind::DigitalIo && usize::from(channel) < channels.min(DIGITAL_CHANNELS_MAX);
        if exists {
            let mask = 1 << channel;
            self.digital_inputs =
                if level { self.digital_inputs | mask } else { self.digital_inputs & !mask };
        }
        exists
    }

    /// An analog output; zero when there is no such channel.
    pub(super) fn analog_output(&self, channel: u8) -> i16 {
        self.analog_outputs.get(usize::from(channel)).copied().unwrap_or(0)
    }

    /// An analog input; zero when there is no such channel.
    pub(super) fn analog_input(&self, channel: u8) -> i16 {
        self.analog_inputs.get(usize::from(channel)).copied().unwrap_or(0)
    }

    /// Sets the value at an analog input. Returns false when there is no such channel.
    pub(super) fn set_analog_input(&mut self, channel: u8, value: i16) -> bool {
        let exists = self.kind == DeviceKind::AnalogIo && usize::from(channel) < self.inputs.len();
        if let (true, Some(input)) = (exists, self.analog_inputs.get_mut(usize::from(channel))) {
            *input = value;
        }
        exists
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::support::{analog_terminal, digital_terminal};
    use super::*;

    #[test]
    fn digital_channels_are_counted_bit_by_bit() {
        let mut terminal = Terminal::new(&digital_terminal().device);
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
        let mut terminal = Terminal::new(&analog_terminal().device);
        terminal.receive(&[0x34, 0x12, 0xFF, 0xFF]);
        assert_eq!((terminal.analog_output(0), terminal.analog_output(1)), (0x1234, -1));
        assert!(terminal.set_analog_input(1, -2));
        assert!(!terminal.set_analog_input(2, 1));
        let mut data = [0; 4];
        terminal.send(&mut data);
        assert_eq!(data, [0, 0, 0xFE, 0xFF]);
    }
}
