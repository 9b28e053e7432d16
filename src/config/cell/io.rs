//! Inputs and outputs of the cell: every channel of every terminal, numbered over the whole cell in bus
//! order, some of them with a name.

use super::subdevice::Outline;
use super::tools::is_identifier;
use super::unknown_name;
use crate::config::document::{Range, Table, Value};
use crate::devices::{ANALOG_CHANNELS, ChannelKind, DIGITAL_CHANNELS, Device};

/// A digital channel. Its number is its position in the list that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitalChannel {
    /// Name, if it has one.
    pub name: Option<String>,
    /// Position of its SubDevice on the bus.
    pub subdevice: usize,
    /// Its place in the SubDevice's process data, bits from the start of that direction.
    pub bit_offset: usize,
    /// Outputs: level while nothing drives it. Inputs: false.
    pub safe: bool,
}

/// Between raw value and unit: linear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnalogScaling {
    /// Value at raw 0.
    pub at_0_percent: f64,
    /// Value at the largest positive raw value of the channel's width.
    pub at_100_percent: f64,
}

/// Largest positive value of a signed number of `bits`.
#[must_use]
pub fn full_scale(bits: u8) -> f64 {
    (f64::from(bits) - 1.0).exp2() - 1.0
}

impl AnalogScaling {
    /// Smallest and largest value that can be expressed.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        (self.at_0_percent.min(self.at_100_percent), self.at_0_percent.max(self.at_100_percent))
    }
}

/// An analog channel. Its number is its position in the list that holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalogChannel {
    /// Name, if it has one.
    pub name: Option<String>,
    /// Position of its SubDevice on the bus.
    pub subdevice: usize,
    /// Its place in the SubDevice's process data, bits from the start of that direction.
    pub bit_offset: usize,
    /// Its width; a signed number.
    pub bits: u8,
    /// Unit of its values, for people; `%` for a channel without name.
    pub unit: String,
    /// Between raw value and unit.
    pub scaling: AnalogScaling,
    /// Outputs: value while nothing drives it. Inputs: 0.
    pub safe: f64,
}

/// Every channel of the cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IoMap {
    /// Digital inputs, channel 0 first; at most 64.
    pub digital_inputs: Vec<DigitalChannel>,
    /// Digital outputs, channel 0 first; at most 64.
    pub digital_outputs: Vec<DigitalChannel>,
    /// Analog inputs, channel 0 first; at most 16.
    pub analog_inputs: Vec<AnalogChannel>,
    /// Analog outputs, channel 0 first; at most 16.
    pub analog_outputs: Vec<AnalogChannel>,
}

impl IoMap {
    /// Number of the digital input `value` names.
    #[must_use]
    pub fn digital_input(&self, value: &Value<'_>) -> Option<u8> {
        find(value, "digital input", &digital_names(&self.digital_inputs))
    }

    /// Number of the digital output `value` names.
    #[must_use]
    pub fn digital_output(&self, value: &Value<'_>) -> Option<u8> {
        find(value, "digital output", &digital_names(&self.digital_outputs))
    }

    /// Number of the analog output `value` names.
    #[must_use]
    pub fn analog_output(&self, value: &Value<'_>) -> Option<u8> {
        find(value, "analog output", &analog_names(&self.analog_outputs))
    }
}

fn find(value: &Value<'_>, what: &str, names: &[Option<&str>]) -> Option<u8> {
    let wanted = value.identifier()?;
    let found = names.iter().position(|name| *name == Some(wanted));
    if found.is_none() {
        unknown_name(value, wanted, what, names.iter().flatten().map(|name| (*name).to_owned()));
    }
    found.and_then(|channel| u8::try_from(channel).ok())
}

fn digital_names(channels: &[DigitalChannel]) -> Vec<Option<&str>> {
    channels.iter().map(|channel| channel.name.as_deref()).collect()
}

fn analog_names(channels: &[AnalogChannel]) -> Vec<Option<&str>> {
    channels.iter().map(|channel| channel.name.as_deref()).collect()
}

/// The channels as written. Names whose entry has a mistake are known here as well, so that it hides no
/// mistake in what refers to names.
pub(super) struct ReadIo {
    names: [Vec<WrittenName>; 4],
    /// `Some` when no channel has a mistake.
    pub(super) valid: Option<IoMap>,
}

/// A name of a channel.
pub(super) struct WrittenName {
    name: String,
    /// Number over the whole cell; `None` when it cannot be told.
    pub(super) channel: Option<u8>,
    /// Unit of an analog channel; `None` when it cannot be told.
    pub(super) unit: Option<String>,
}

impl ReadIo {
    /// The digital input `value` names.
    pub(super) fn digital_input(&self, value: &Value<'_>) -> Option<&WrittenName> {
        self.find(0, "digital input", value)
    }

    /// The digital output `value` names.
    pub(super) fn digital_output(&self, value: &Value<'_>) -> Option<&WrittenName> {
        self.find(1, "digital output", value)
    }

    /// The analog input `value` names.
    pub(super) fn analog_input(&self, value: &Value<'_>) -> Option<&WrittenName> {
        self.find(2, "analog input", value)
    }

    /// The analog output `value` names.
    pub(super) fn analog_output(&self, value: &Value<'_>) -> Option<&WrittenName> {
        self.find(3, "analog output", value)
    }

    fn find(&self, kind: usize, what: &str, value: &Value<'_>) -> Option<&WrittenName> {
        let names = self.names.get(kind)?;
        let wanted = value.identifier()?;
        let found = names.iter().find(|written| written.name == wanted);
        if found.is_none() {
            unknown_name(value, wanted, what, names.iter().map(|written| written.name.clone()));
        }
        found
    }
}

/// `subdevices`: `None` when there is no list of them.
pub(super) fn read_io(root: &mut Table<'_>, subdevices: Option<&[Outline<'_>]>) -> ReadIo {
    const KEYS: [&str; 4] = ["digital_inputs", "digital_outputs", "analog_inputs", "analog_outputs"];
    let mut io = IoMap::default();
    for (position, outline) in subdevices.unwrap_or_default().iter().enumerate() {
        if let Some(device) = &outline.device {
            add_channels(&mut io, position, device);
        }
    }
    let counts = [
        (io.digital_inputs.len(), DIGITAL_CHANNELS),
        (io.digital_outputs.len(), DIGITAL_CHANNELS),
        (io.analog_inputs.len(), ANALOG_CHANNELS),
        (io.analog_outputs.len(), ANALOG_CHANNELS),
    ];
    let mut complete = subdevices.is_some();
    for ((count, max), key) in counts.into_iter().zip(KEYS) {
        if count > max {
            complete = false;
            root.problem(
                "subdevices",
                format!("{count} {key}"),
                format!("at most {max}"),
                "remove a terminal",
            );
        }
    }
    let mut reader = Reader { subdevices, complete };
    let names = [
        reader.digital(root, "digital_inputs", &mut io.digital_inputs, false),
        reader.digital(root, "digital_outputs", &mut io.digital_outputs, true),
        reader.analog(root, "analog_inputs", &mut io.analog_inputs, false),
        reader.analog(root, "analog_outputs", &mut io.analog_outputs, true),
    ];
    ReadIo { names, valid: reader.complete.then_some(io) }
}

/// The channels of one device, in the order of its process data: single bits are digital, numbers of 8, 16 or 32
/// bits analog. Padding is none.
fn add_channels(io: &mut IoMap, position: usize, device: &Device) {
    if device.kind.axes() > 0 {
        return;
    }
    for (map, digital, analog) in [
        (&device.inputs, &mut io.digital_inputs, &mut io.analog_inputs),
        (&device.outputs, &mut io.digital_outputs, &mut io.analog_outputs),
    ] {
        let mut bit_offset = 0;
        for entry in map.entries() {
            match entry.channel() {
                Some(ChannelKind::Digital) => {
                    digital.push(DigitalChannel { name: None, subdevice: position, bit_offset, safe: false });
                }
                Some(ChannelKind::Analog) if bit_offset % 8 == 0 => analog.push(AnalogChannel {
                    name: None,
                    subdevice: position,
                    bit_offset,
                    bits: entry.bits,
                    unit: "%".to_owned(),
                    scaling: AnalogScaling { at_0_percent: 0.0, at_100_percent: 100.0 },
                    safe: 0.0,
                }),
                Some(ChannelKind::Analog) | None => {}
            }
            bit_offset += usize::from(entry.bits);
        }
    }
}

/// Where a channel is: its SubDevice by name, and its number on that device.
type Place<'a> = (&'a str, usize);

/// Between raw value and unit, in either of two forms.
fn read_scaling(table: &mut Table<'_>, any: Range, bits: u8) -> Option<AnalogScaling> {
    if table.has("counts_per_unit") {
        let counts = table.number("counts_per_unit", Range::new(1e-3, 1e9, "counts"));
        let offset = table.number_or("offset", any, 0.0);
        let (counts, offset) = (counts?, offset?);
        return Some(AnalogScaling {
            at_0_percent: offset,
            at_100_percent: offset + full_scale(bits) / counts,
        });
    }
    let at_0_percent = table.number("at_0_percent", any);
    let at_100_percent = table.number("at_100_percent", any);
    Some(AnalogScaling { at_0_percent: at_0_percent?, at_100_percent: at_100_percent? })
}

/// Reads the tables of channels by name.
struct Reader<'a> {
    subdevices: Option<&'a [Outline<'a>]>,
    /// False after a mistake.
    complete: bool,
}

impl Reader<'_> {
    fn digital(
        &mut self,
        root: &mut Table<'_>,
        key: &'static str,
        channels: &mut [DigitalChannel],
        output: bool,
    ) -> Vec<WrittenName> {
        let owners: Vec<usize> = channels.iter().map(|channel| channel.subdevice).collect();
        self.named(root, key, &owners, |written, table, number| {
            let safe = if output { table.flag_or("safe", false) } else { Some(false) };
            let channel = channels.get_mut(number?)?;
            channel.name = Some(written.name.clone());
            channel.safe = safe?;
            Some(())
        })
    }

    fn analog(
        &mut self,
        root: &mut Table<'_>,
        key: &'static str,
        channels: &mut [AnalogChannel],
        output: bool,
    ) -> Vec<WrittenName> {
        let owners: Vec<usize> = channels.iter().map(|channel| channel.subdevice).collect();
        self.named(root, key, &owners, |written, table, number| {
            let unit = table.required("unit", || "the unit's symbol".to_owned());
            written.unit = unit.and_then(|value| value.text(16)).map(str::to_owned);
            let any = Range::new(-1e6, 1e6, "in the channel's unit");
            let bits = number.and_then(|number| channels.get(number)).map_or(16, |channel| channel.bits);
            let scaling = read_scaling(table, any, bits);
            let safe = if output { table.number_or("safe", any, 0.0) } else { Some(0.0) };
            let scaling = scaling?;
            let (smallest, largest) = scaling.range();
            if largest - smallest < 1e-9 {
                table.problem(
                    "at_100_percent",
                    "equals `at_0_percent`",
                    "another value",
                    "write the full scale",
                );
                return None;
            }
            let safe = safe?;
            if output && !(smallest..=largest).contains(&safe) {
                table.problem(
                    "safe",
                    format!("{safe} cannot be output"),
                    format!("{smallest} to {largest}"),
                    "choose a value the channel can output",
                );
                return None;
            }
            let channel = channels.get_mut(number?)?;
            channel.name = Some(written.name.clone());
            channel.unit = written.unit.clone()?;
            channel.scaling = scaling;
            channel.safe = safe;
            Some(())
        })
    }

    /// Reads one table; `read` gets each name with the number of its channel over the whole cell, if that
    /// is known, and reads what else is written of it.
    fn named(
        &mut self,
        root: &mut Table<'_>,
        key: &'static str,
        owners: &[usize],
        mut read: impl FnMut(&mut WrittenName, &mut Table<'_>, Option<usize>) -> Option<()>,
    ) -> Vec<WrittenName> {
        let Some(value) = root.optional(key) else { return Vec::new() };
        let Some(entries) = value.table() else {
            self.complete = false;
            return Vec::new();
        };
        let mut names: Vec<WrittenName> = Vec::new();
        let mut places: Vec<Option<Place<'_>>> = Vec::new();
        for (name, value) in entries.named() {
            let valid_name = is_identifier(name);
            if !valid_name {
                value.problem(
                    "this name is not allowed",
                    "1 to 64 letters, digits, `_`, `-`",
                    "choose another name",
                );
            }
            let mut written = WrittenName { name: name.to_owned(), channel: None, unit: None };
            let mut place = None;
            let done = value.table().and_then(|mut table| {
                let found = self.place(&mut table, owners);
                place = found.map(|(place, _)| place);
                let number = found.and_then(|(_, number)| number);
                let earlier = places.iter().position(|taken| place.is_some() && *taken == place);
                let earlier = earlier.and_then(|index| names.get(index));
                if let Some(earlier) = earlier {
                    table.problem(
                        "channel",
                        format!("is `{}` already", earlier.name),
                        "every channel once",
                        "correct the number",
                    );
                }
                written.channel = number.and_then(|number| u8::try_from(number).ok());
                let number = number.filter(|_| earlier.is_none());
                read(&mut written, &mut table, number)
            });
            places.push(place);
            names.push(written);
            self.complete &= valid_name && done.is_some();
        }
        names
    }

    /// Reads `device` and `channel` (from 0 on that device), and finds its number over the whole cell.
    /// `owners` are the SubDevices of all channels of this kind.
    fn place<'t>(&self, table: &mut Table<'t>, owners: &[usize]) -> Option<(Place<'t>, Option<usize>)> {
        let device = table.required("device", || "the name of a SubDevice".to_owned());
        let device = device.and_then(|value| {
            let wanted = value.identifier()?;
            // Without a list of SubDevices any name may be right.
            let Some(subdevices) = self.subdevices else { return Some((wanted, None)) };
            let position = subdevices.iter().position(|outline| outline.name == Some(wanted));
            let outline = position.and_then(|position| subdevices.get(position));
            let may_have_channels = |position: usize, outline: &Outline<'_>| {
                owners.contains(&position) || outline.may_be_terminal_of_unknown_type()
            };
            match position.zip(outline).filter(|(position, outline)| may_have_channels(*position, outline)) {
                Some((position, outline)) => Some((wanted, outline.device.is_some().then_some(position))),
                None => {
                    let known = subdevices.iter().enumerate().filter(|(at, _)| owners.contains(at));
                    let known = known.filter_map(|(_, outline)| outline.name).map(str::to_owned);
                    unknown_name(&value, wanted, "terminal with such channels", known);
                    None
                }
            }
        });
        let position = device.and_then(|(_, position)| position);
        let last = match position {
            Some(position) => owners.iter().filter(|owner| **owner == position).count().saturating_sub(1),
            None => DIGITAL_CHANNELS - 1,
        };
        let channel = table.whole::<usize>("channel", 0..=i64::try_from(last).unwrap_or(0));
        let first = position.and_then(|position| owners.iter().position(|owner| *owner == position));
        let (name, _) = device?;
        let channel = channel?;
        Some(((name, channel), first.map(|first| first + channel)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_falling_scale_works_as_well() {
        let scaling = AnalogScaling { at_0_percent: 10.0, at_100_percent: 0.0 };
        assert_eq!(scaling.range(), (0.0, 10.0));
        assert_eq!((full_scale(16), full_scale(32)), (32767.0, 2_147_483_647.0));
    }
}
