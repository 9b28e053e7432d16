//! Gas metal arc welding: gas preflow, ignition, main weld with the arc supervised, crater fill, burn-back,
//! gas postflow.
//!
//! ```text
//!            Before (path waits)      During            After (path waits)
//!          preflow   ignition          main    crater_fill burn_back postflow end
//! gas      ████████████████████████████████████████████████████████████████████
//! weld on           ██████████████████████████████████████████████████
//! wire              ████████████████████████████████████████
//! A, V              weld data                  crater data            0
//! arc                    ▁▁███████████████████████████████
//!                        └ confirmed: path moves
//! ```
//! Any stop takes weld, wire, gas and both analog outputs to their safe state at once.

use std::sync::Arc;

use super::{Process, ProcessPath};
use crate::boundary::phase_table::{Action, Actions, Phase, PhaseEnd, PhaseTable, Stage, Supervision};
use crate::config::cell::{Cell, WeldingBinding};
use crate::config::document::{Range, Table, Value};
use crate::config::quantities::read_speed;

/// The process, for the registry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Welding;

/// Names of the phases; a phase's number is its position.
const PHASES: &[&str] = &["preflow", "ignition", "main", "crater_fill", "burn_back", "postflow", "end"];
const PREFLOW: u8 = 0;
const IGNITION: u8 = 1;
const MAIN: u8 = 2;
const CRATER_FILL: u8 = 3;
const BURN_BACK: u8 = 4;
const POSTFLOW: u8 = 5;
const END: u8 = 6;

/// What a seam is welded with. SI units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeldData {
    /// Gas before ignition, s.
    pub preflow: f64,
    /// Longest time from weld-on to a confirmed arc, s.
    pub ignition_timeout: f64,
    /// How long the arc must burn before the path moves, s.
    pub arc_confirm: f64,
    /// Speed of the tool along the seam, m/s.
    pub travel_speed: f64,
    /// A
    pub current: f64,
    /// V
    pub voltage: f64,
    /// `None`: the crater is not filled.
    pub crater_fill: Option<CraterFill>,
    /// Weld on without wire feed, s.
    pub burn_back: f64,
    /// How long the arc may be missing before it counts as lost, s.
    pub arc_loss_confirm: f64,
    /// Gas after the arc, s.
    pub postflow: f64,
}

/// Filling the crater at the end of a seam, path at rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CraterFill {
    /// A
    pub current: f64,
    /// V
    pub voltage: f64,
    /// s
    pub time: f64,
}

/// Weld data with the channels of the cell it is for.
#[derive(Clone, Debug, PartialEq)]
struct WeldPath {
    data: WeldData,
    binding: WeldingBinding,
    safe_current: f64,
    safe_voltage: f64,
}

impl Process for Welding {
    fn key(&self) -> &'static str {
        "weld"
    }

    fn schedule_key(&self) -> &'static str {
        "weld_schedule"
    }

    fn check(&self, data: &Value<'_>) {
        let _checked = read_weld_data(data, &Channels::WIDEST, f64::INFINITY);
    }

    fn read(&self, data: &Value<'_>, cell: &Cell) -> Option<Arc<dyn ProcessPath>> {
        let Some(binding) = cell.welding else {
            data.problem(
                "this cell has no welding power source",
                "a cell with `[welding]`",
                "add `[welding]` to the cell file, or weld in another cell",
            );
            return None;
        };
        let current = cell.io.analog_outputs.get(usize::from(binding.current))?;
        let voltage = cell.io.analog_outputs.get(usize::from(binding.voltage))?;
        let channels = Channels { current: current.scaling.range(), voltage: voltage.scaling.range() };
        let data = read_weld_data(data, &channels, cell.tcp_limits.speed_max)?;
        Some(Arc::new(WeldPath { data, binding, safe_current: current.safe, safe_voltage: voltage.safe }))
    }
}

/// What the analog outputs can express: smallest and largest value, A and V.
struct Channels {
    current: (f64, f64),
    voltage: (f64, f64),
}

impl Channels {
    /// Of the outputs nothing is known.
    const WIDEST: Self = Self { current: (0.0, f64::INFINITY), voltage: (0.0, f64::INFINITY) };

    fn current(&self, table: &mut Table<'_>) -> Option<f64> {
        let (lowest, highest) = self.current;
        table.number("current_a", Range::new(lowest.max(1.0), highest.min(999.0), "A"))
    }

    fn voltage(&self, table: &mut Table<'_>) -> Option<f64> {
        let (lowest, highest) = self.voltage;
        table.number("voltage_v", Range::new(lowest.max(0.1), highest.min(50.0), "V"))
    }
}

fn read_weld_data(value: &Value<'_>, channels: &Channels, speed_max: f64) -> Option<WeldData> {
    let seconds = |min, max| Range::new(min, max, "s");
    let mut table = value.table()?;
    let preflow = table.number("preflow_s", seconds(0.0, 10.0));
    let ignition_timeout = table.number_or("ignition_timeout_s", seconds(0.1, 10.0), 2.0);
    let arc_confirm = table.number_or("arc_confirm_s", seconds(0.0, 1.0), 0.05);
    let travel_speed = read_speed(&mut table, speed_max.min(0.1));
    let current = channels.current(&mut table);
    let voltage = channels.voltage(&mut table);
    let crater_fill = table.maybe("crater", |value| {
        let mut crater = value.table()?;
        let current = channels.current(&mut crater);
        let voltage = channels.voltage(&mut crater);
        let time = crater.number("time_s", seconds(0.0, 10.0));
        Some(CraterFill { current: current?, voltage: voltage?, time: time? })
    });
    let burn_back = table.number_or("burn_back_s", seconds(0.0, 1.0), 0.0);
    let arc_loss_confirm = table.number_or("arc_loss_confirm_s", seconds(0.02, 0.5), 0.1);
    let postflow = table.number("postflow_s", seconds(0.0, 30.0));
    if let (Some(timeout), Some(confirm)) = (ignition_timeout, arc_confirm)
        && timeout <= confirm
    {
        table.problem(
            "ignition_timeout_s",
            format!("{timeout} s leave no time to confirm the arc for {confirm} s"),
            format!("more than {confirm} s"),
            "raise it",
        );
    }
    Some(WeldData {
        preflow: preflow?,
        ignition_timeout: ignition_timeout?,
        arc_confirm: arc_confirm?,
        travel_speed: travel_speed?,
        current: current?,
        voltage: voltage?,
        crater_fill: crater_fill?,
        burn_back: burn_back?,
        arc_loss_confirm: arc_loss_confirm?,
        postflow: postflow?,
    })
}

/// Times and values of a phase table are `f32`: enough for 16 bits of an output and for hours in cycles.
#[expect(clippy::cast_possible_truncation, reason = "read within ranges far inside f32")]
const fn single(value: f64) -> f32 {
    value as f32
}

impl WeldPath {
    const fn gas(&self, on: bool) -> Action {
        Action::Digital { channel: self.binding.gas, on }
    }

    const fn weld(&self, on: bool) -> Action {
        Action::Digital { channel: self.binding.weld_on, on }
    }

    fn wire(&self, on: bool) -> Option<Action> {
        self.binding.wire_feed.map(|channel| Action::Digital { channel, on })
    }

    const fn power(&self, current: f64, voltage: f64) -> [Action; 2] {
        [
            Action::Analog { channel: self.binding.current, value: single(current) },
            Action::Analog { channel: self.binding.voltage, value: single(voltage) },
        ]
    }

    fn arc_supervision(&self) -> Option<Supervision> {
        Some(Supervision {
            channel: self.binding.arc_established,
            on: true,
            confirm_s: single(self.data.arc_loss_confirm),
        })
    }

    fn phases(&self) -> Vec<Phase> {
        let data = &self.data;
        let power = self.power(data.current, data.voltage);
        let safe_power = self.power(self.safe_current, self.safe_voltage);
        let still = |number, stage, actions: &[Action], duration: f64| Phase {
            number,
            stage,
            actions: actions_of(actions),
            end: PhaseEnd::Elapsed(single(duration)),
            timeout_s: 0.0,
            supervision: None,
        };
        let mut phases = Vec::new();
        if data.preflow > 0.0 {
            phases.push(still(PREFLOW, Stage::Before, &[self.gas(true)], data.preflow));
        }
        // Gas once more: without preflow it begins here.
        let mut strike = vec![self.gas(true), power[0], power[1], self.weld(true)];
        strike.extend(self.wire(true));
        phases.push(Phase {
            number: IGNITION,
            stage: Stage::Before,
            actions: actions_of(&strike),
            end: PhaseEnd::Input {
                channel: self.binding.arc_established,
                on: true,
                confirm_s: single(data.arc_confirm),
            },
            timeout_s: single(data.ignition_timeout),
            supervision: None,
        });
        phases.push(Phase {
            number: MAIN,
            stage: Stage::During,
            actions: actions_of(&power),
            end: PhaseEnd::Path,
            timeout_s: 0.0,
            supervision: self.arc_supervision(),
        });
        if let Some(crater) = data.crater_fill.filter(|crater| crater.time > 0.0) {
            let actions = self.power(crater.current, crater.voltage);
            let supervision = self.arc_supervision();
            phases.push(Phase { supervision, ..still(CRATER_FILL, Stage::After, &actions, crater.time) });
        }
        if data.burn_back > 0.0 {
            let actions: Vec<Action> = self.wire(false).into_iter().collect();
            phases.push(still(BURN_BACK, Stage::After, &actions, data.burn_back));
        }
        let mut off = vec![self.weld(false), safe_power[0], safe_power[1]];
        off.extend(self.wire(false));
        phases.push(still(POSTFLOW, Stage::After, &off, data.postflow));
        phases.push(still(END, Stage::After, &[self.gas(false)], 0.0));
        phases
    }
}

fn actions_of(actions: &[Action]) -> Actions {
    Actions::new(actions).expect("a phase of a weld sets at most five of the six outputs a phase can set")
}

impl ProcessPath for WeldPath {
    fn travel_speed_m_s(&self) -> f64 {
        self.data.travel_speed
    }

    fn phase_table(&self, number: u16) -> PhaseTable {
        let [current, voltage] = self.power(self.safe_current, self.safe_voltage);
        let mut safe = vec![self.weld(false), self.gas(false), current, voltage];
        safe.extend(self.wire(false));
        PhaseTable::new(number, actions_of(&safe), &self.phases())
            .expect("a weld has at most seven of the ten phases a table can hold")
    }

    fn phase_names(&self) -> &'static [&'static str] {
        PHASES
    }
}

#[cfg(test)]
mod tests;
