//! Which channels the welding power source is connected to.

use super::io::IoMap;
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

pub(super) fn read_binding(mut table: Table<'_>, io: &IoMap) -> Option<WeldingBinding> {
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
    for (key, channel, unit) in [("current_output", current, "A"), ("voltage_output", voltage, "V")] {
        let written = channel.and_then(|channel| io.analog_outputs.get(usize::from(channel)));
        if let Some(written) = written.filter(|written| written.unit != unit) {
            table.problem(
                key,
                format!("its unit is {}", written.unit),
                unit,
                "scale that channel in this unit",
            );
        }
    }
    Some(WeldingBinding {
        gas: gas?,
        weld_on: weld_on?,
        wire_feed: wire_feed?,
        arc_established: arc_established?,
        ready: ready?,
        current: current?,
        voltage: voltage?,
        actual_current: actual_current?,
        actual_voltage: actual_voltage?,
    })
}
