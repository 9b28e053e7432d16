//! The planner of a cell: document → job → program → plan, with every mistake in the words of the
//! document.

use serde_json::{Value, json};

use super::assembly::Assembly;
use super::job_clearance::{self, JobClearance};
use crate::boundary::phase_table::{PhaseEnd, PhaseTable, Stage};
use crate::boundary::piece_queue::PieceKind;
use crate::config::problem::Problem;
use crate::jobs::expand::{expand, expand_partly, planning_limits};
use crate::jobs::expand_problems::{plan_problem, start_problem};
use crate::jobs::format::{Job, read_job, read_job_partly};
use crate::jobs::planning_desk::{JobFacts, JobPlanner, PlannedPiece, PlannedRun, ProcessNames};
use crate::joints::JointVector;
use crate::kinematics::singularity::SingularDistances;
use crate::kinematics::{Chain, JointKind};
use crate::planning::{Plan, Program, SegmentReport, plan};
use crate::trajectory::path::ParameterUnit;
use crate::trajectory::time_law;

/// Checks and plans documents for one cell.
#[derive(Debug)]
pub struct CellPlanner {
    assembly: Assembly,
}

impl CellPlanner {
    /// A planner for the cell.
    #[must_use]
    pub const fn new(assembly: Assembly) -> Self {
        Self { assembly }
    }
}

impl JobPlanner for CellPlanner {
    fn read(&self, document: &str) -> Result<JobFacts, Vec<Problem>> {
        let job = read_job(document, &self.assembly.cell)?;
        Ok(JobFacts { instructions: job.instructions.len(), name: job.name, tool: job.tool })
    }

    fn plan(&self, document: &str, q_start: &JointVector) -> Result<PlannedRun, Vec<Problem>> {
        let cell = &self.assembly.cell;
        let planned = |program: &Program, q_start: &JointVector| {
            plan(program, &cell.model.chain, &planning_limits(cell), q_start).map_err(|problems| {
                problems.iter().map(|problem| plan_problem(problem, &cell.model.chain)).collect::<Vec<_>>()
            })
        };
        let mistakes = |program: &Program, start: Option<JointVector>| {
            planned(program, &start.unwrap_or(*q_start)).err().unwrap_or_default()
        };
        let job = match read_job_partly(document, cell) {
            Ok(job) => job,
            // A mistake in one instruction hides none in the path of the others.
            Err((mut problems, part)) => {
                let path = part.map(|part| mistakes(&expand_partly(&part), part.start));
                problems.extend(path.unwrap_or_default());
                return Err(problems);
            }
        };
        let program = expand(&job);
        if let Some(problem) = start_problem(&job, q_start, &cell.model.chain) {
            let mut problems = vec![problem];
            problems.extend(mistakes(&program, job.start));
            return Err(problems);
        }
        let planned = planned(&program, q_start)?;
        let mut run = planned_run(&job, &planned, &cell.model.chain);
        if let Some(clearance) = job_clearance::examine(&self.assembly, &job.tool, &planned)? {
            clearance.add_to(&mut run.report);
        }
        Ok(run)
    }
}

fn planned_run(job: &Job, planned: &Plan, chain: &Chain) -> PlannedRun {
    let last = planned.pieces.last().map_or(0, |piece| piece.instruction);
    let mut pieces: Vec<PlannedPiece> = planned
        .pieces
        .iter()
        .map(|piece| PlannedPiece {
            instruction: piece.instruction,
            kind: piece.kind,
            duration_s: duration_s(&piece.kind),
        })
        .collect();
    // What follows the path of a process takes its time at the `ProcessEnd`.
    let mut table: Option<PhaseTable> = None;
    for piece in &mut pieces {
        match piece.kind {
            PieceKind::ProcessStart(started) => table = Some(started),
            PieceKind::ProcessEnd => {
                piece.duration_s = table.take().map_or(0.0, |table| phases_s(&table, Stage::After));
            }
            PieceKind::Motion(_)
            | PieceKind::Dwell(_)
            | PieceKind::Output(_)
            | PieceKind::WaitInput { .. }
            | PieceKind::EndOfRun => {}
        }
    }
    pieces.push(PlannedPiece { instruction: last, kind: PieceKind::EndOfRun, duration_s: 0.0 });
    let processes = job
        .seams()
        .zip(1_u16..)
        .map(|(seam, table)| ProcessNames {
            table,
            name: seam.name.clone(),
            phases: (0_u8..)
                .zip(seam.process.phase_names())
                .map(|(number, name)| (number, (*name).to_owned()))
                .collect(),
        })
        .collect();
    let duration: f64 = pieces.iter().map(|piece| piece.duration_s).sum();
    let segments: Vec<Value> =
        planned.report.segments.iter().map(|segment| segment_json(segment, chain)).collect();
    let report = json!({
        "job": job.name,
        "tool": job.tool,
        "work_object": job.work_object,
        "duration_s": duration,
        "motion_s": planned.report.duration_s,
        "segments": segments,
    });
    PlannedRun { pieces, processes, report }
}

/// Time a piece takes at 100 %, s: of phases that wait for an input, the time for its confirmation.
fn duration_s(kind: &PieceKind) -> f64 {
    match kind {
        PieceKind::Motion(segment) => {
            time_law::duration(segment.path.length(), segment.ceiling).unwrap_or(0.0)
        }
        PieceKind::ProcessStart(table) => phases_s(table, Stage::Before),
        PieceKind::Dwell(seconds) => *seconds,
        PieceKind::ProcessEnd | PieceKind::Output(_) | PieceKind::WaitInput { .. } | PieceKind::EndOfRun => {
            0.0
        }
    }
}

fn phases_s(table: &PhaseTable, stage: Stage) -> f64 {
    let mut total = 0.0;
    let mut position = 0;
    while let Some(at) = table.next_in(stage, position) {
        total += table.phase(at).map_or(0.0, |phase| match phase.end {
            PhaseEnd::Elapsed(seconds) => f64::from(seconds),
            PhaseEnd::Input { confirm_s, .. } => f64::from(confirm_s),
            PhaseEnd::Path => 0.0,
        });
        position = at + 1;
    }
    total
}

fn segment_json(segment: &SegmentReport, chain: &Chain) -> Value {
    let (length_key, scale) = match segment.unit {
        ParameterUnit::ToolDistance => ("length_mm", 1000.0),
        ParameterUnit::ToolRotation | ParameterUnit::JointDistance => ("length_deg", 1_f64.to_degrees()),
    };
    // In mm where the joint slides, as in the status.
    let degrees = |joints: &JointVector| {
        let per_unit = |joint| chain.joint_kind(joint).unwrap_or(JointKind::Revolute).outside_per_unit();
        joints.iter().enumerate().map(|(joint, value)| value * per_unit(joint)).collect::<Vec<_>>()
    };
    let mut entry = json!({
        "instruction": segment.instruction,
        "kind": match segment.unit {
            ParameterUnit::ToolDistance => "tool_path",
            ParameterUnit::ToolRotation => "tool_rotation",
            ParameterUnit::JointDistance => "joint_motion",
        },
        "duration_s": segment.duration_s,
        "programmed_mm_s": segment.programmed_m_s.map(|speed| speed * 1000.0),
        "achievable_mm_s": matches!(segment.unit, ParameterUnit::ToolDistance).then_some(segment.speed * 1000.0),
        "joint_speed_pct": segment.joint_speed_ratio * 100.0,
        "joint_acceleration_pct": segment.joint_acceleration_ratio * 100.0,
        "joint_jerk_pct": segment.joint_jerk_ratio * 100.0,
        "limited_by": segment.limited_by.to_string(),
        "closest_singularity": segment.closest_singularity,
        "singularity": segment.singular_distances.map(|distances| distances_json(&distances)),
        "orientation_error_deg": segment.orientation_error_rad.to_degrees(),
        "configuration": segment.configuration.map(|branch| {
            let [shoulder, elbow, wrist] = branch.names();
            json!({"shoulder": shoulder, "elbow": elbow, "wrist": wrist})
        }),
        "turns": &segment.turns[..segment.joint_max.len()],
        "joint_min_deg": degrees(&segment.joint_min),
        "joint_max_deg": degrees(&segment.joint_max),
    });
    if let Some(object) = entry.as_object_mut() {
        object.insert(length_key.to_owned(), json!(segment.length * scale));
    }
    entry
}

/// Distances from singular poses, in the units people use.
pub(super) fn distances_json(distances: &SingularDistances) -> Value {
    let mut shown = json!({
        "wrist_deg": distances.wrist_rad.to_degrees(),
        "elbow_deg": distances.elbow_rad.to_degrees(),
        "elbow_mm": distances.elbow_m * 1e3,
    });
    if let Some(distance) = distances.shoulder_m {
        shown["shoulder_mm"] = json!(distance * 1e3);
    }
    if let Some(angle) = distances.shoulder_rad {
        shown["shoulder_deg"] = json!(angle.to_degrees());
    }
    shown
}

/// The motion that comes nearest to a singular pose, for people.
fn singularity_line(report: &Value) -> Option<String> {
    let near = |segment: &&Value| segment["closest_singularity"].as_f64().unwrap_or(f64::INFINITY);
    let segments = report["segments"].as_array()?.iter().filter(|segment| segment["singularity"].is_object());
    let nearest = segments.min_by(|a, b| near(a).total_cmp(&near(b)))?;
    let distances = &nearest["singularity"];
    let shown: Vec<String> = [
        ("wrist_deg", "wrist", "°"),
        ("elbow_deg", "elbow", "°"),
        ("shoulder_mm", "shoulder", " mm"),
        ("shoulder_deg", "shoulder", "°"),
    ]
    .iter()
    .filter_map(|(key, name, unit)| Some(format!("{name} {:.1}{unit}", distances[*key].as_f64()?)))
    .collect();
    Some(format!("nearest to singular: instruction {}: {}", nearest["instruction"], shown.join(", ")))
}

/// A pre-flight report as a table for people.
#[must_use]
pub fn report_text(report: &Value) -> String {
    let mut text = format!(
        "{:>4} {:<13} {:>9} {:>9} {:>10} {:>10}  {:>5}  {}",
        "instr", "kind", "length", "time s", "prog mm/s", "will mm/s", "joint", "limited by"
    );
    for segment in report["segments"].as_array().into_iter().flatten() {
        let number = |key: &str| segment[key].as_f64();
        let length = number("length_mm")
            .map(|length| format!("{length:.1} mm"))
            .or_else(|| number("length_deg").map(|length| format!("{length:.1}°")))
            .unwrap_or_default();
        let speed = |key: &str| number(key).map_or_else(|| "-".to_owned(), |speed| format!("{speed:.2}"));
        text.push_str(&format!(
            "\n{:>5} {:<13} {:>9} {:>9.3} {:>10} {:>10} {:>5.0}%  {}",
            segment["instruction"],
            segment["kind"].as_str().unwrap_or_default(),
            length,
            number("duration_s").unwrap_or(0.0),
            speed("programmed_mm_s"),
            speed("achievable_mm_s"),
            number("joint_speed_pct").unwrap_or(0.0),
            segment["limited_by"].as_str().unwrap_or_default(),
        ));
    }
    if let Some(line) = singularity_line(report) {
        text.push('\n');
        text.push_str(&line);
    }
    if let Some(closest) = JobClearance::line(report) {
        text.push('\n');
        text.push_str(&closest);
    }
    text
}
