//! Digital and analog channels: where they lie in the process data, and what an analog count means.

use crate::boundary::phase_table::Action;
use crate::devices::{ANALOG_CHANNELS, DIGITAL_CHANNELS};

/// Where a digital channel lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigitalChannel {
    /// SubDevice, in bus order from 0.
    pub subdevice: usize,
    /// Bit in the process data of that SubDevice and direction.
    pub bit: usize,
}

/// Where an analog channel (a signed number of 8, 16 or 32 bits) lies and how its counts are scaled:
/// `value = counts × unit_per_count + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnalogChannel {
    /// SubDevice, in bus order from 0.
    pub subdevice: usize,
    /// Byte in the process data of that SubDevice and direction.
    pub byte: usize,
    /// Its width in bits: 8, 16 or 32.
    pub bits: u8,
    /// Unit of the channel a count, not zero.
    pub unit_per_count: f64,
    /// Value at count 0.
    pub offset: f64,
}

impl AnalogChannel {
    /// The value a count means, in the channel's unit.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "channel values need no more than 24 bits")]
    pub fn value(&self, counts: i32) -> f32 {
        (f64::from(counts) * self.unit_per_count + self.offset) as f32
    }

    /// The count nearest to a value in the channel's unit; saturates at its width, NaN becomes 0.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "float to integer saturates")]
    pub fn counts(&self, value: f32) -> i32 {
        let counts = ((f64::from(value) - self.offset) / self.unit_per_count).round() as i32;
        let unused = 32_u32.saturating_sub(u32::from(self.bits)).min(31);
        counts.clamp(i32::MIN >> unused, i32::MAX >> unused)
    }
}

/// All channels of a cell. Channel numbers are positions in these lists, which have no gaps.
#[derive(Clone, Copy, Debug)]
pub struct Channels {
    /// Digital inputs.
    pub digital_inputs: [Option<DigitalChannel>; DIGITAL_CHANNELS],
    /// Digital outputs.
    pub digital_outputs: [Option<DigitalChannel>; DIGITAL_CHANNELS],
    /// Analog inputs.
    pub analog_inputs: [Option<AnalogChannel>; ANALOG_CHANNELS],
    /// Analog outputs.
    pub analog_outputs: [Option<AnalogChannel>; ANALOG_CHANNELS],
}

impl Channels {
    /// A cell without channels.
    pub const NONE: Self = Self {
        digital_inputs: [None; DIGITAL_CHANNELS],
        digital_outputs: [None; DIGITAL_CHANNELS],
        analog_inputs: [None; ANALOG_CHANNELS],
        analog_outputs: [None; ANALOG_CHANNELS],
    };
}

/// Levels of all channels in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChannelValues {
    /// Digital channels, channel 0 in bit 0.
    pub digital: u64,
    /// Analog channels, in their units.
    pub analog: [f32; ANALOG_CHANNELS],
}

impl ChannelValues {
    /// Level of a digital channel; off beyond the last.
    #[must_use]
    pub const fn is_on(&self, channel: u8) -> bool {
        match 1_u64.checked_shl(channel as u32) {
            Some(mask) => self.digital & mask != 0,
            None => false,
        }
    }

    /// Carries out an action on output levels; nothing happens beyond the last channel.
    pub fn apply(&mut self, action: Action) {
        match action {
            Action::Digital { channel, on } => {
                let mask = 1_u64.checked_shl(u32::from(channel)).unwrap_or(0);
                if on {
                    self.digital |= mask;
                } else {
                    self.digital &= !mask;
                }
            }
            Action::Analog { channel, value } => {
                if let Some(entry) = self.analog.get_mut(usize::from(channel)) {
                    *entry = value;
                }
            }
        }
    }
}

/// Which input channels were received in this cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelFreshness {
    /// Digital channels, channel 0 in bit 0.
    pub digital: u64,
    /// Analog channels, channel 0 in bit 0.
    pub analog: u32,
}

impl ChannelFreshness {
    /// Every channel is fresh.
    pub const ALL: Self = Self { digital: u64::MAX, analog: u32::MAX };

    /// A digital channel is fresh; never beyond the last.
    #[must_use]
    pub fn is_digital_fresh(&self, channel: u8) -> bool {
        self.digital.checked_shr(u32::from(channel)).unwrap_or(0) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn analog_values_survive_the_way_through_counts_and_saturate() {
        let channel =
            AnalogChannel { subdevice: 0, byte: 0, bits: 16, unit_per_count: 500.0 / 32767.0, offset: 0.0 };
        assert!((channel.value(channel.counts(123.0)) - 123.0).abs() < 0.01);
        assert_eq!(channel.counts(1e9), i32::from(i16::MAX));
        assert_eq!(channel.counts(f32::NAN), 0);
    }

    #[test]
    fn actions_beyond_the_last_channel_do_nothing() {
        let mut values = ChannelValues::default();
        values.apply(Action::Digital { channel: 64, on: true });
        values.apply(Action::Analog { channel: 200, value: 1.0 });
        assert_eq!(values, ChannelValues::default());
        values.apply(Action::Digital { channel: 63, on: true });
        assert!(values.is_on(63));
        assert!(!values.is_on(64));
    }
}
