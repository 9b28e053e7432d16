//! The job document: JSON as written → a valid [`Job`] in SI units, for one cell. What an instruction moves
//! is decided in `planning`; what a process does along its path, in `processes`.
//!
//! ```json
//! {
//!   "format": "motiond-job", "format_version": 1,
//!   "name": "bracket", "tool": "torch", "work_object": "table",
//!   "instructions": [
//!     {"do": "move_j", "pose": {"position_mm": [0, 0, 80], "quaternion_wxyz": [0, 0, 1, 0]}, "speed_pct": 40},
//!     {"do": "seam", "name": "front", "weld_schedule": "fillet-4mm", "path": [
//!       {"do": "move_l", "pose": {"position_mm": [100, 0, 0], "quaternion_wxyz": [0, 0, 1, 0]}}
//!     ]},
//!     {"do": "wait", "time_s": 0.5}
//!   ]
//! }
//! ```
//!
//! A target that is a pose may ask for a branch of the arm and for whole turns of its joints:
//! `"configuration": {"shoulder": "front", "elbow": "up", "wrist": "noflip", "turns": [0, 0, 0, 0, 0, 1]}` with
//! `"configuration_mode"` `exact` (the default beside flags), `nearest` or `free` and `"turn_mode"` `use` (the
//! default beside turns), `same` or `free`. On a line or an arc the branch is that of its start.
//! With a spherical shoulder (seven joints) `"arm_angle_deg"` says how far the elbow is turned about the line from
//! shoulder to wrist; a path goes there evenly. Where a path comes near a singular pose, `"singularity"` says what
//! happens: `refuse` (the default), `slow_down`, `wrist_joint`, `lock_axis_4` or `orientation_error`; the last three
//! keep the tool centre point on the path and its orientation within `"orientation_error_max_deg"`. Axes outside the
//! arm (joints beyond six: a track, a positioner) go where `"external": {"track": 1500}` says, by the names of the
//! joints in mm and °, or by `"external_mode"`: `keep` (the default), `follow` or `optimise`.
//!
//! Units are in the keys. Poses are those of the tool in the work object's frame. Every mistake of a
//! document is reported at once, each with its path in the document.

mod instructions;
mod posture;

use std::sync::Arc;

use crate::boundary::phase_table::Action;
use crate::config::cell::Cell;
use crate::config::document::{Range, Table, Value, listed, parse_json};
use crate::config::problem::{Problem, Problems};
use crate::dynamics::RigidBody;
use crate::geometry::Pose;
use crate::joints::JointVector;
use crate::kinematics::JointKind;
use crate::planning::{Posture, SpeedPolicy};
use crate::processes::ProcessPath;
use crate::units::Ratio;

/// What `format` must say.
pub const FORMAT: &str = "motiond-job";
/// The only version of the format so far.
pub const FORMAT_VERSION: i64 = 1;
/// Most instructions of a job.
pub const INSTRUCTIONS_MAX: usize = 10_000;
/// Most motions of a seam.
pub const SEAM_MOTIONS_MAX: usize = 2_000;

/// A valid job for one cell. SI units.
#[derive(Clone, Debug)]
pub struct Job {
    /// What people call it.
    pub name: String,
    /// Name of the tool it is for.
    pub tool: String,
    /// That tool's centre point in the flange frame.
    pub x_flange_tool: Pose,
    /// The tool as a mass, in the flange frame.
    pub payload: RigidBody,
    /// Name of the work object its poses are written in.
    pub work_object: String,
    /// That frame in the base frame.
    pub x_base_work: Pose,
    /// Joint positions the arm must stand at when it starts, rad; `None`: anywhere.
    pub start: Option<JointVector>,
    /// In order.
    pub instructions: Vec<Instruction>,
}

/// One instruction of a job.
#[derive(Clone, Debug)]
pub enum Instruction {
    /// All joints together, straight in joint space.
    MoveJ(MoveJ),
    /// The tool straight, or on an arc.
    Move(CartesianMove),
    /// Stand still, s.
    Wait(f64),
    /// Stand still until a digital input has a level.
    WaitInput {
        /// Channel over the whole cell.
        channel: u8,
        /// The level waited for.
        on: bool,
        /// Longest wait, s; zero: no limit.
        timeout: f64,
    },
    /// Set an output.
    SetOutput(Action),
    /// A path along which a process runs.
    Seam(Seam),
}

/// A joint motion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MoveJ {
    /// Where to.
    pub target: JobTarget,
    /// What it asks of the joint positions, where the target is a pose.
    pub posture: Posture,
    /// Share of the joint speeds, > 0.
    pub speed: Ratio,
    /// Share of the joint accelerations, > 0.
    pub acceleration: Ratio,
}

/// Where a joint motion goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum JobTarget {
    /// Joint positions, rad.
    Joints(JointVector),
    /// Pose of the tool in the work object's frame.
    Pose(Pose),
}

/// A motion of the tool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CartesianMove {
    /// Position of the tool on the way, m, work object's frame: an arc. `None`: a line.
    pub via: Option<nalgebra::Vector3<f64>>,
    /// Pose of the tool at the end, work object's frame.
    pub x_work_tool: Pose,
    /// What it asks of the joint positions.
    pub posture: Posture,
    /// Speed of the tool, m/s.
    pub speed: f64,
    /// Acceleration of the tool, m/s²; `None`: as much as the limits allow.
    pub acceleration: Option<f64>,
    /// What happens when the speed cannot be held.
    pub policy: SpeedPolicy,
}

/// A path along which a process runs.
#[derive(Clone, Debug)]
pub struct Seam {
    /// Its name; `seam-1`, `seam-2` … where the document has none.
    pub name: String,
    /// What the process does along it.
    pub process: Arc<dyn ProcessPath>,
    /// The path, from where the arm stands, at the process's travel speed.
    pub path: Vec<CartesianMove>,
}

impl Job {
    /// The seams in order; their process tables are numbered from 1 in this order.
    pub fn seams(&self) -> impl Iterator<Item = &Seam> {
        self.instructions.iter().filter_map(|instruction| match instruction {
            Instruction::Seam(seam) => Some(seam),
            Instruction::MoveJ(_)
            | Instruction::Move(_)
            | Instruction::Wait(_)
            | Instruction::WaitInput { .. }
            | Instruction::SetOutput(_) => None,
        })
    }
}

/// Reads a job document for `cell`.
///
/// Whether the arm reaches the targets and holds the speeds is found by planning.
///
/// # Errors
/// Every mistake of the document, at most [`PROBLEMS_MAX`](crate::config::problem::PROBLEMS_MAX) in full.
pub fn read_job(text: &str, cell: &Cell) -> Result<Job, Vec<Problem>> {
    read_job_partly(text, cell).map_err(|(problems, _)| problems)
}

/// What could be read of a job with mistakes: enough to look for the mistakes of its path.
#[derive(Clone, Debug)]
pub struct PartialJob {
    /// The tool's centre point in the flange frame.
    pub x_flange_tool: Pose,
    /// The tool as a mass, in the flange frame.
    pub payload: RigidBody,
    /// The work object's frame in the base frame.
    pub x_base_work: Pose,
    /// Joint positions it must start at, rad.
    pub start: Option<JointVector>,
    /// For each instruction of the document what it does, as far as that could be read: speeds that were not
    /// are slow ones. `None`: a motion to nobody knows where.
    pub instructions: Vec<Vec<Option<Instruction>>>,
}

/// [`read_job`] that gives, beside the mistakes, what could be read; `None` when there are no frames or no
/// instructions to speak of.
///
/// # Errors
/// Every mistake of the document.
pub fn read_job_partly(text: &str, cell: &Cell) -> Result<Job, (Vec<Problem>, Option<Box<PartialJob>>)> {
    let node = parse_json(text).map_err(|problem| (vec![problem], None))?;
    let problems = Problems::default();
    let (job, part) =
        Value::root(&node, &problems).table().map_or((None, None), |root| read_root(root, cell));
    problems.finish(job).map_err(|problems| (problems, part.map(Box::new)))
}

fn read_root(mut root: Table<'_>, cell: &Cell) -> (Option<Job>, Option<PartialJob>) {
    let format = root.choice("format", &[(FORMAT, ())]);
    let version = root.integer("format_version", FORMAT_VERSION..=FORMAT_VERSION);
    let name = root.required("name", || "text".to_owned()).and_then(|value| value.text(80));
    let tool = root.required("tool", || listed(cell.tools.iter().map(|tool| &tool.name)));
    let tool = tool.and_then(|value| {
        let wanted = value.text(64)?;
        known(&value, wanted, "tool", cell.tool(wanted), cell.tools.iter().map(|tool| &tool.name))
    });
    let work_object =
        root.required("work_object", || listed(cell.work_objects.iter().map(|object| &object.name)));
    let work_object = work_object.and_then(|value| {
        let wanted = value.text(64)?;
        let names = cell.work_objects.iter().map(|object| &object.name);
        known(&value, wanted, "work object", cell.work_object(wanted), names)
    });
    let start = root.maybe("start", |value| {
        let mut table = value.table()?;
        let joints = table.required("joints_deg", || "the joint positions".to_owned())?;
        read_joints(&joints, cell)
    });
    let instructions = root.list("instructions", 1..=INSTRUCTIONS_MAX);
    let (instructions, parts) = match instructions {
        Some(items) => instructions::read_instructions(&items, cell),
        None => (None, Vec::new()),
    };
    let (Some(tool), Some(work_object)) = (tool, work_object) else { return (None, None) };
    let part = PartialJob {
        x_flange_tool: tool.x_flange_tool,
        payload: tool.body(),
        x_base_work: work_object.x_base_work,
        start: start.flatten(),
        instructions: parts,
    };
    let whole = || {
        format?;
        version?;
        Some(Job {
            name: name?.to_owned(),
            tool: tool.name.clone(),
            x_flange_tool: tool.x_flange_tool,
            payload: tool.body(),
            work_object: work_object.name.clone(),
            x_base_work: work_object.x_base_work,
            start: start?,
            instructions: instructions?,
        })
    };
    (whole(), Some(part))
}

/// `found`, or a problem that lists the known names.
fn known<T>(
    value: &Value<'_>,
    wanted: &str,
    what: &str,
    found: Option<T>,
    names: impl Iterator<Item = impl AsRef<str>>,
) -> Option<T> {
    if found.is_none() {
        value.problem(
            format!("unknown {what} `{wanted}`"),
            listed(names),
            format!("name a {what} of the cell, or define it in the cell file"),
        );
    }
    found
}

/// Joint positions within the limits of the cell: rad or m, written in ° or, of a sliding joint, in mm.
fn read_joints(value: &Value<'_>, cell: &Cell) -> Option<JointVector> {
    let limits = cell.joint_limits.as_slice();
    let read: Vec<Option<f64>> = value
        .list(limits.len()..=limits.len())?
        .iter()
        .zip(limits)
        .enumerate()
        .map(|(joint, (item, limit))| {
            let kind = cell.model.chain.joint_kind(joint).unwrap_or(JointKind::Revolute);
            let per_unit = kind.outside_per_unit();
            // To a thousandth, as messages show it.
            let shown = |position: f64| (position * per_unit * 1e3).round() / 1e3;
            let range = Range::new(shown(limit.position_min), shown(limit.position_max), kind.outside_unit());
            // Written limits are rounded; the joint itself must not be beyond the exact one.
            let written = item.number(range)?;
            Some((written / per_unit).clamp(limit.position_min, limit.position_max))
        })
        .collect();
    JointVector::from_slice(&read.into_iter().collect::<Option<Vec<_>>>()?)
}

#[cfg(test)]
mod tests;
