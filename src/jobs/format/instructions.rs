//! The instructions of a job document.

use std::sync::Arc;

use super::posture::read_posture;
use super::{CartesianMove, Instruction, JobTarget, MoveJ, SEAM_MOTIONS_MAX, Seam, known, read_joints};
use crate::boundary::phase_table::Action;
use crate::config::cell::Cell;
use crate::config::document::{Range, Table, Value, listed};
use crate::config::problem::Problems;
use crate::config::quantities::{COORDINATE, read_pose, read_speed};
use crate::planning::{Posture, SpeedPolicy};
use crate::processes::{PROCESSES, Process, ProcessPath};
use crate::units::Ratio;

/// What an instruction may do.
#[derive(Clone, Copy)]
enum Verb {
    MoveJ,
    MoveL,
    MoveC,
    Wait,
    WaitInput,
    SetOutput,
    SetAnalog,
    Seam,
}

const VERBS: [(&str, Verb); 8] = [
    ("move_j", Verb::MoveJ),
    ("move_l", Verb::MoveL),
    ("move_c", Verb::MoveC),
    ("wait", Verb::Wait),
    ("wait_input", Verb::WaitInput),
    ("set_output", Verb::SetOutput),
    ("set_analog", Verb::SetAnalog),
    ("seam", Verb::Seam),
];

const POLICIES: [(&str, SpeedPolicy); 2] = [("strict", SpeedPolicy::Strict), ("adapt", SpeedPolicy::Adapt)];

/// Speed of a motion whose own could not be read, m/s: slow enough for any path that can be travelled.
const STAND_IN_SPEED: f64 = 1e-3;

/// An instruction with mistakes: the motions it makes, `None` for one to nobody knows where.
type Part = Vec<Option<Instruction>>;

/// The instructions, `None` when one of them has a mistake; and of each of them what could be read.
pub(super) fn read_instructions(items: &[Value<'_>], cell: &Cell) -> (Option<Vec<Instruction>>, Vec<Part>) {
    let mut seams = 0;
    let mut whole = Some(Vec::new());
    let mut parts = Vec::new();
    for item in items {
        match read_instruction(item, cell, &mut seams) {
            Ok(instruction) => {
                parts.push(vec![Some(instruction.clone())]);
                whole.iter_mut().for_each(|whole| whole.push(instruction.clone()));
            }
            Err(part) => {
                whole = None;
                parts.push(part);
            }
        }
    }
    (whole, parts)
}

fn read_instruction(item: &Value<'_>, cell: &Cell, seams: &mut usize) -> Result<Instruction, Part> {
    // It may be a motion.
    let Some(mut table) = item.table() else { return Err(vec![None]) };
    let Some(verb) = table.choice("do", &VERBS) else {
        table.abandon();
        return Err(vec![None]);
    };
    match verb {
        Verb::MoveJ => read_move_j(&mut table, cell).map(Instruction::MoveJ).map_err(|target| {
            vec![target.map(|target| {
                let (speed, acceleration) = (Ratio::ONE, Ratio::ONE);
                Instruction::MoveJ(MoveJ { target, posture: Posture::FREE, speed, acceleration })
            })]
        }),
        Verb::MoveL => read_free_move(&mut table, cell, false),
        Verb::MoveC => read_free_move(&mut table, cell, true),
        Verb::Wait => {
            let time = table.number("time_s", Range::new(0.0, 3600.0, "s"));
            time.map(Instruction::Wait).ok_or_else(Vec::new)
        }
        Verb::WaitInput => read_wait_input(&mut table, cell).ok_or_else(Vec::new),
        Verb::SetOutput => read_set_output(&mut table, cell).ok_or_else(Vec::new),
        Verb::SetAnalog => read_set_analog(&mut table, cell).ok_or_else(Vec::new),
        Verb::Seam => {
            *seams += 1;
            read_seam(table, cell, *seams).map(Instruction::Seam)
        }
    }
}

/// A motion whose way is known, at a speed that any way allows.
const fn stand_in(geometry: Geometry) -> Instruction {
    Instruction::Move(geometry.at_speed(STAND_IN_SPEED, None, SpeedPolicy::Adapt))
}

/// A joint motion; of one with mistakes the target, if that is none of them.
fn read_move_j(table: &mut Table<'_>, cell: &Cell) -> Result<MoveJ, Option<JobTarget>> {
    let joints = table.maybe("joints_deg", |value| read_joints(&value, cell).map(JobTarget::Joints));
    let pose = table.maybe("pose", |value| read_pose(&mut value.table()?).map(JobTarget::Pose));
    let speed = read_percent(table, "speed_pct", None);
    let acceleration = read_percent(table, "acc_pct", Some(100.0));
    let target = match (table.has("joints_deg"), table.has("pose")) {
        (true, false) => joints.flatten(),
        (false, true) => pose.flatten(),
        (false, false) => {
            table.problem("pose", "missing", "`joints_deg` or `pose`", "say where to move");
            None
        }
        (true, true) => {
            table.problem("pose", "written beside `joints_deg`", "one of the two", "remove one");
            None
        }
    };
    let posture = read_posture(table, cell, table.has("joints_deg"));
    match (target, posture, speed, acceleration) {
        (Some(target), Some(posture), Some(speed), Some(acceleration)) => {
            Ok(MoveJ { target, posture, speed, acceleration })
        }
        (target, ..) => Err(target),
    }
}

fn read_percent(table: &mut Table<'_>, key: &'static str, default: Option<f64>) -> Option<Ratio> {
    let range = Range::new(0.1, 100.0, "%");
    let percent = match default {
        Some(default) => table.number_or(key, range, default),
        None => table.number(key, range),
    };
    percent.and_then(|percent| Ratio::new(percent / 100.0))
}

/// A line or an arc outside a seam, with its own speed; of one with mistakes its way, if that is none of them.
fn read_free_move(table: &mut Table<'_>, cell: &Cell, arc: bool) -> Result<Instruction, Part> {
    let geometry = read_geometry(table, cell, arc);
    let speed = read_speed(table, cell.tcp_limits.speed_max);
    let max_mm_s2 = cell.tcp_limits.acceleration_max * 1e3;
    let acceleration = table.maybe("a_mm_s2", |value| {
        value.number(Range::new(1.0, max_mm_s2, "mm/s²")).map(|acceleration| acceleration * 1e-3)
    });
    let policy = table.or_default("policy", SpeedPolicy::Adapt, |value| value.choice(&POLICIES));
    let whole = || Some(Instruction::Move(geometry?.at_speed(speed?, acceleration?, policy?)));
    whole().ok_or_else(|| vec![geometry.map(stand_in)])
}

/// The way of a line or an arc, and how the joints take it.
#[derive(Clone, Copy)]
struct Geometry {
    via: Option<nalgebra::Vector3<f64>>,
    x_work_tool: crate::geometry::Pose,
    posture: Posture,
}

impl Geometry {
    const fn at_speed(self, speed: f64, acceleration: Option<f64>, policy: SpeedPolicy) -> CartesianMove {
        let Self { via, x_work_tool, posture } = self;
        CartesianMove { via, x_work_tool, posture, speed, acceleration, policy }
    }
}

/// `pose` of a line; `via_mm` and `pose` of an arc; what the target asks of the joints.
fn read_geometry(table: &mut Table<'_>, cell: &Cell, arc: bool) -> Option<Geometry> {
    let via = if arc {
        let allowed = || format!("a list of 3 numbers, {}", COORDINATE.describe());
        let via = table.required("via_mm", allowed).and_then(|value| value.vector::<3>(COORDINATE));
        via.map(|via| Some(nalgebra::Vector3::from(via) * 1e-3))
    } else {
        Some(None)
    };
    let pose = table.section("pose").and_then(|mut pose| read_pose(&mut pose));
    let posture = read_posture(table, cell, false);
    Some(Geometry { via: via?, x_work_tool: pose?, posture: posture? })
}

fn read_wait_input(table: &mut Table<'_>, cell: &Cell) -> Option<Instruction> {
    let channel = table.required("input", || "the name of a digital input".to_owned());
    let channel = channel.and_then(|value| cell.io.digital_input(&value));
    let on = read_level(table);
    let timeout = table.number("timeout_s", Range::new(0.0, 86_400.0, "s; 0: no limit"));
    Some(Instruction::WaitInput { channel: channel?, on: on?, timeout: timeout? })
}

fn read_set_output(table: &mut Table<'_>, cell: &Cell) -> Option<Instruction> {
    let channel = table.required("output", || "the name of a digital output".to_owned());
    let channel = channel.and_then(|value| {
        let channel = cell.io.digital_output(&value)?;
        let of_welding = cell.welding.is_some_and(|welding| {
            channel == welding.weld_on || channel == welding.gas || Some(channel) == welding.wire_feed
        });
        free_of_process(&value, of_welding).then_some(channel)
    });
    let on = read_level(table);
    Some(Instruction::SetOutput(Action::Digital { channel: channel?, on: on? }))
}

/// Notes it when an output belongs to the welding process. Only the process may drive it: it is supervised
/// there, and safe on every stop.
fn free_of_process(value: &Value<'_>, of_welding: bool) -> bool {
    if of_welding {
        value.problem(
            "this output belongs to the welding process",
            "an output no process uses",
            "weld with a `seam`",
        );
    }
    !of_welding
}

fn read_level(table: &mut Table<'_>) -> Option<bool> {
    table.required("on", || "true or false".to_owned())?.flag()
}

fn read_set_analog(table: &mut Table<'_>, cell: &Cell) -> Option<Instruction> {
    let named = table.required("output", || "the name of an analog output".to_owned());
    let mut free = true;
    let number = named.and_then(|value| {
        let number = cell.io.analog_output(&value)?;
        let of_welding =
            cell.welding.is_some_and(|welding| [welding.current, welding.voltage].contains(&number));
        // Value and unit are looked at all the same.
        free = free_of_process(&value, of_welding);
        Some(number)
    });
    let Some((number, channel)) =
        number.and_then(|number| Some((number, cell.io.analog_outputs.get(usize::from(number))?)))
    else {
        // Range and unit are those of the channel; asking marks the keys as known.
        let _unchecked = (table.optional("value"), table.optional("unit"));
        return None;
    };
    // A value without unit would change its meaning with the cell's scaling.
    let unit = table.required("unit", || format!("`{}`", channel.unit)).and_then(|value| {
        let unit = value.text(16)?;
        if unit != channel.unit {
            value.problem(
                format!("the channel is in {}", channel.unit),
                format!("`{}`", channel.unit),
                "convert the value",
            );
        }
        (unit == channel.unit).then_some(())
    });
    let (lowest, highest) = channel.scaling.range();
    let value = table.number("value", Range::new(lowest, highest, "in the channel's unit"));
    if !free {
        return None;
    }
    unit?;
    #[expect(clippy::cast_possible_truncation, reason = "an output has 16 bits")]
    let value = value? as f32;
    Some(Instruction::SetOutput(Action::Analog { channel: number, value }))
}

/// A seam; of one with mistakes its way, as far as that is none of them.
fn read_seam(mut table: Table<'_>, cell: &Cell, number: usize) -> Result<Seam, Part> {
    let name = table.maybe("name", |value| value.text(80).map(str::to_owned));
    let process = read_process(&mut table, cell);
    let policy = table.or_default("policy", SpeedPolicy::Strict, |value| value.choice(&POLICIES));
    let read: Option<Vec<Option<Geometry>>> = table
        .list("path", 1..=SEAM_MOTIONS_MAX)
        .map(|items| items.iter().map(|item| read_seam_move(item, cell)).collect());
    let whole = || {
        let (process, policy) = (process?, policy?);
        let speed = process.travel_speed_m_s();
        let path: Option<Vec<Geometry>> = read.as_ref()?.iter().copied().collect();
        let path = path?.into_iter().map(|geometry| geometry.at_speed(speed, None, policy)).collect();
        Some(Seam { name: name?.unwrap_or_else(|| format!("seam-{number}")), process, path })
    };
    whole().ok_or_else(|| match read {
        Some(path) => path.into_iter().map(|geometry| geometry.map(stand_in)).collect(),
        None => vec![None],
    })
}

/// A line or an arc of a seam; its speed is the travel speed of the process.
fn read_seam_move(item: &Value<'_>, cell: &Cell) -> Option<Geometry> {
    let mut table = item.table()?;
    let Some(arc) = table.choice("do", &[("move_l", false), ("move_c", true)]) else {
        table.abandon();
        return None;
    };
    for key in ["v_mm_s", "v_cm_min", "a_mm_s2", "policy"] {
        if table.optional(key).is_some() {
            table.problem(
                key,
                "a motion of a seam has no speed of its own",
                "the travel speed of the process holds",
                "remove it",
            );
        }
    }
    read_geometry(&mut table, cell, arc)
}

/// The data of the one process of a seam, written here or named.
fn read_process(table: &mut Table<'_>, cell: &Cell) -> Option<Arc<dyn ProcessPath>> {
    let keys = || PROCESSES.iter().flat_map(|process| [process.key(), process.schedule_key()]);
    let written: Vec<&'static str> = keys().filter(|key| table.has(key)).collect();
    let mut found = None;
    for process in PROCESSES {
        let inline = table.optional(process.key()).map(|data| process.read(&data, cell));
        let named = table.optional(process.schedule_key()).map(|name| read_schedule(*process, &name, cell));
        found = found.or(inline).or(named);
    }
    match written.as_slice() {
        [] => {
            let first = PROCESSES.first().map_or("weld", |process| process.key());
            table.problem(
                first,
                "a seam without process data",
                listed(keys()),
                "write the data of the process, or name a data set of `config/processes/`",
            );
            None
        }
        [_] => found.flatten(),
        [.., last] => {
            table.problem(last, "a second process", "one of these keys", "remove the others");
            None
        }
    }
}

/// Reads the data set a seam names.
fn read_schedule(process: &dyn Process, name: &Value<'_>, cell: &Cell) -> Option<Arc<dyn ProcessPath>> {
    let wanted = name.identifier()?;
    let names = cell
        .schedules
        .iter()
        .filter(|schedule| schedule.process == process.key())
        .map(|schedule| &schedule.name);
    let schedule = known(name, wanted, "data set", cell.schedule(process.key(), wanted), names)?;
    let problems = Problems::default();
    let read = process.read(&Value::root(&schedule.data, &problems), cell);
    match problems.finish(read) {
        Ok(read) => Some(read),
        Err(mistakes) => {
            let first = mistakes.first().map(ToString::to_string).unwrap_or_default();
            name.problem(
                format!("the data set `{wanted}` has mistakes: {first}"),
                "a data set without mistakes",
                format!("correct processes/{wanted}.toml"),
            );
            None
        }
    }
}
