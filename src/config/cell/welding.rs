//! Which channels the welding power source is connected to.

use super::io::{ReadIo, WrittenName};
use crate::config::document::Table;

/// The welding power source. All numbers are channels over the whole cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeldingBinding {
    /// Digital output: shielding gas valve.
    pub gas: u8,
    /// Digital output: power on.
    pub weld_on: u8,
    /// Digital output: wire feed; `None`: the power source feeds by itself.
    pub wire_feed: Option<u8>,
    /// Digital input: the arc burns.
    pub arc_established: u8,
    /// Digital input: the power source is ready to weld.
    pub ready: Option<u8>,
    /// Analog output: wanted current, A.
    pub current: u8,
    /// Analog output: wanted voltage, V.
    pub voltage: u8,
    /// Analog input: measured current, A.
    pub actual_current: Option<u8>,
    /// Analog input: measured voltage, V.
    pub actual_voltage: Option<u8>,
}

pub(super) fn read_binding(mut table: Table<'_>, io: &ReadIo) -> Option<WeldingBinding> {
    let name = || "the name of a channel".to_owned();
    let gas = table.required("gas_output", name).and_then(|value| io.digital_output(&value));
    let weld_on = table.required("weld_on_output", name).and_then(|value| io.digital_output(&value));
    let wire_feed = table.maybe("wire_feed_output", |value| io.digital_output(&value));
    let arc_established =
        table.required("arc_established_input", name).and_then(|value| io.digital_input(&value));
    let ready = table.maybe("ready_input", |value| io.digital_input(&value));
    let current = table.required("current_output", name).and_then(|value| io.analog_output(&value));
    let voltage = table.required("voltage_output", name).and_then(|value| io.analog_output(&value));
    let actual_current = table.maybe("actual_current_input", |value| io.analog_input(&value));
    let actual_voltage = table.maybe("actual_voltage_input", |value| io.analog_input(&value));
    let units = [
        ("current_output", current, "A"),
        ("voltage_output", voltage, "V"),
        ("actual_current_input", actual_current.flatten(), "A"),
        ("actual_voltage_input", actual_voltage.flatten(), "V"),
    ];
    for (key, channel, unit) in units {
        let written = channel.and_then(|channel| channel.unit.as_deref());
        if let Some(written) = written.filter(|written| *written != unit) {
            table.problem(key, format!("its unit is {written}"), unit, "scale that channel in this unit");
        }
    }
    check_shared(
        &table,
        &[("gas_output", gas), ("weld_on_output", weld_on), ("wire_feed_output", wire_feed.flatten())],
    );
    check_shared(&table, &[("arc_established_input", arc_established), ("ready_input", ready.flatten())]);
    let channel = |written: Option<&WrittenName>| written.and_then(|written| written.channel);
    let maybe = |written: Option<Option<&WrittenName>>| match written? {
        Some(written) => written.channel.map(Some),
        None => Some(None),
    };
    Some(WeldingBinding {
        gas: channel(gas)?,
        weld_on: channel(weld_on)?,
        wire_feed: maybe(wire_feed)?,
        arc_established: channel(arc_established)?,
        ready: maybe(ready)?,
        current: channel(current)?,
        voltage: channel(voltage)?,
        actual_current: maybe(actual_current)?,
        actual_voltage: maybe(actual_voltage)?,
    })
}

/// No channel serves two purposes.
fn check_shared(table: &Table<'_>, purposes: &[(&'static str, Option<&WrittenName>)]) {
    for (index, (key, channel)) in purposes.iter().enumerate() {
        let Some(channel) = channel else { continue };
        let earlier = purposes.iter().take(index);
        let same = earlier.filter_map(|(key, other)| Some((key, (*other)?)));
        for (other_key, _) in same.filter(|(_, other)| std::ptr::eq(*other, *channel)) {
            table.problem(
                key,
                format!("is `{other_key}` already"),
                "a channel of its own",
                "name another channel",
            );
        }
    }
}
