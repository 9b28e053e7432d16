//! `motiond plan`: the waypoint planner alone, so that anyone can hold it against another library.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Exit;
use super::check::print_problems;
use super::model::source::ModelSource;
use crate::config::document::{Range, Table, Value, parse_json};
use crate::config::kinematic_model::KinematicModel;
use crate::config::problem::{Problem, Problems};
use crate::planning::waypoints::{
    WAYPOINTS_MAX, WaypointError, WaypointLimits, WaypointProblem, WaypointTrajectory, plan_waypoints,
};

/// Arguments of `motiond plan`.
#[derive(Debug, Args)]
pub struct PlanArguments {
    #[command(flatten)]
    source: ModelSource,
    /// Joint waypoints, JSON: {"waypoints_rad": [[...]...], "limits"?: {"v_rad_s", "a_rad_s2", "j_rad_s3"},
    /// "ignore_position_limits"?, "via"?: "exact" or "blend" with "zone_rad"}
    #[arg(value_name = "PROGRAM")]
    program: PathBuf,
    /// Writes positions, speeds and accelerations at the cycle time as CSV
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Time between two rows of the trace
    #[arg(long, value_name = "MS", default_value_t = 1.0, value_parser = cycle_time)]
    cycle_time_ms: f64,
}

/// What a program asks.
struct Program {
    waypoints: Vec<Vec<f64>>,
    limits: Vec<WaypointLimits>,
    zone: f64,
}

fn cycle_time(text: &str) -> Result<f64, String> {
    let allowed = 0.05..=100.0;
    let value: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if allowed.contains(&value) { Ok(value) } else { Err(format!("{value} ms; allowed: 0.05 to 100 ms")) }
}

/// Plans the program and prints `{"duration_s", "max_ratio", "limiting"}`.
///
/// # Errors
/// The trace cannot be written.
pub fn plan(arguments: &PlanArguments) -> anyhow::Result<Exit> {
    let model = match arguments.source.load(false) {
        Ok(model) => model,
        Err(exit) => return Ok(exit),
    };
    let refuse = |problems: &[Problem]| {
        print_problems(&arguments.program, problems, false);
        Ok(Exit::Mistake)
    };
    let program = match super::read_text(&arguments.program)
        .map_err(|problem| vec![problem])
        .and_then(|text| read(&text, &model))
    {
        Ok(program) => program,
        Err(problems) => return refuse(&problems),
    };
    let problem =
        WaypointProblem { waypoints: &program.waypoints, limits: &program.limits, zone: program.zone };
    let trajectory = match plan_waypoints(&problem) {
        Ok(trajectory) => trajectory,
        Err(error) => return refuse(&[as_problem(&error)]),
    };
    if let Some(path) = &arguments.trace {
        std::fs::write(path, trace(&trajectory, arguments.cycle_time_ms * 1e-3))
            .map_err(|error| anyhow::anyhow!("{} cannot be written: {error}", path.display()))?;
    }
    super::print(&answer(&trajectory, &program.limits).to_string());
    Ok(Exit::Success)
}

fn read(text: &str, model: &KinematicModel) -> Result<Program, Vec<Problem>> {
    let node = parse_json(text).map_err(|problem| vec![problem])?;
    let problems = Problems::default();
    let program = Value::root(&node, &problems).table().and_then(|mut table| read_table(&mut table, model));
    problems.finish(program)
}

fn read_table(table: &mut Table<'_>, model: &KinematicModel) -> Option<Program> {
    let joints = model.chain.joint_count();
    let position = Range::new(-1e4, 1e4, "rad or m");
    let waypoints = table.list("waypoints_rad", 2..=WAYPOINTS_MAX).and_then(|rows| {
        let rows: Vec<Option<Vec<f64>>> = rows
            .iter()
            .map(|row| {
                let values: Vec<_> =
                    row.list(joints..=joints)?.iter().map(|value| value.number(position)).collect();
                values.into_iter().collect()
            })
            .collect();
        rows.into_iter().collect::<Option<Vec<_>>>()
    });
    let rates = if table.has("limits") { read_limits(table, joints) } else { own_limits(table, model) };
    let ignore = table.flag_or("ignore_position_limits", false);
    if table.flag_or("start_at_rest", true) == Some(false) {
        table.problem(
            "start_at_rest",
            "a moving start is not planned",
            "true",
            "begin with a waypoint where the arm stands",
        );
    }
    let blend = table.or_default("via", false, |value| value.choice(&[("exact", false), ("blend", true)]));
    let zone = if blend == Some(true) {
        table.number("zone_rad", Range::new(1e-6, 3.2, "rad"))
    } else {
        if table.has("zone_rad") {
            let _read = table.optional("zone_rad");
            table.problem(
                "zone_rad",
                "has no meaning when waypoints are passed exactly",
                "`via`: `blend`",
                "remove it, or blend",
            );
        }
        Some(0.0)
    };
    let ignore = ignore?;
    let limits = rates?
        .into_iter()
        .zip(model.limits.as_slice())
        .map(|([speed, acceleration, jerk], own)| WaypointLimits {
            speed,
            acceleration,
            jerk,
            position: (!ignore).then_some((own.position_min, own.position_max)),
        })
        .collect();
    Some(Program { waypoints: waypoints?, limits, zone: zone? })
}

/// Speed, acceleration and jerk of each joint as the model has them; a URDF knows speeds only.
fn own_limits(table: &Table<'_>, model: &KinematicModel) -> Option<Vec<[f64; 3]>> {
    let of = |limit: &crate::joints::JointLimit| [limit.speed_max, limit.acceleration_max, limit.jerk_max];
    let limits: Vec<[f64; 3]> = model.limits.as_slice().iter().map(of).collect();
    if limits.iter().flatten().any(|limit| !(limit.is_finite() && *limit > 0.0)) {
        table.problem(
            "limits",
            "missing, and the robot description has none of acceleration and jerk",
            "`v_rad_s`, `a_rad_s2` and `j_rad_s3`, one number a joint",
            "add `limits`",
        );
        return None;
    }
    Some(limits)
}

fn read_limits(table: &mut Table<'_>, joints: usize) -> Option<Vec<[f64; 3]>> {
    let mut limits = table.section("limits")?;
    let mut read = |key: &'static str, unit: &'static str| {
        let values = limits.list(key, joints..=joints)?;
        let values: Vec<_> = values.iter().map(|value| value.number(Range::new(1e-6, 1e6, unit))).collect();
        values.into_iter().collect::<Option<Vec<f64>>>()
    };
    let (speed, acceleration, jerk) =
        (read("v_rad_s", "rad/s"), read("a_rad_s2", "rad/s²"), read("j_rad_s3", "rad/s³"));
    let (speed, acceleration, jerk) = (speed?, acceleration?, jerk?);
    Some((0..joints).map(|joint| [speed[joint], acceleration[joint], jerk[joint]]).collect())
}

fn as_problem(error: &WaypointError) -> Problem {
    let (place, allowed, remedy) = match error {
        WaypointError::OutsideLimits { waypoint, joint, .. } => (
            format!("waypoints_rad[{waypoint}][{joint}]"),
            "positions within the limits of the joint",
            "move the waypoint, or say `ignore_position_limits`",
        ),
        WaypointError::TooFew { .. }
        | WaypointError::TooMany { .. }
        | WaypointError::JointCount { .. }
        | WaypointError::Value { .. } => {
            ("waypoints_rad".to_owned(), "a list of waypoints", "see `motiond plan --help`")
        }
        WaypointError::NotSolved => (
            "limits".to_owned(),
            "limits of the joints within a factor of about 1000 of each other",
            "check the limits of the slowest joint",
        ),
    };
    Problem::new(place, error.to_string(), allowed, remedy)
}

fn answer(trajectory: &WaypointTrajectory, limits: &[WaypointLimits]) -> serde_json::Value {
    let shares = trajectory.shares(limits);
    let most =
        |of: fn(&crate::planning::waypoints::LimitShares) -> f64| shares.iter().map(of).fold(0.0, f64::max);
    let limiting: Vec<serde_json::Value> = trajectory
        .passed_s
        .windows(2)
        .filter(|times| times[1] > times[0])
        .map(|times| {
            let (joint, limit) = trajectory.limiting(limits, times[0], times[1]);
            json!({"from_s": times[0], "to_s": times[1], "joint": joint + 1, "limit": limit})
        })
        .collect();
    json!({
        "duration_s": trajectory.duration_s(),
        "max_ratio": {
            "v": most(|shares| shares.speed),
            "a": most(|shares| shares.acceleration),
            "j": most(|shares| shares.jerk),
        },
        "limiting": limiting,
        "passed_s": trajectory.passed_s,
        "stops_at_waypoints": trajectory.stops_at_waypoints,
    })
}

/// One row a cycle, the last at or after the end, 17 digits.
fn trace(trajectory: &WaypointTrajectory, cycle_time_s: f64) -> String {
    let joints = trajectory.sample(0.0).len();
    let mut text = "time_s".to_owned();
    for (name, unit) in [("q", "rad"), ("qd", "rad_s"), ("qdd", "rad_s2")] {
        for joint in 1..=joints {
            let _infallible = write!(text, ",{name}{joint}_{unit}");
        }
    }
    text.push('\n');
    for cycle in 0_u32.. {
        let time_s = f64::from(cycle) * cycle_time_s;
        let states = trajectory.sample(time_s);
        let _infallible = write!(text, "{time_s:.9}");
        for order in 0..3 {
            for state in &states {
                let _infallible = write!(text, ",{:.16e}", state[order]);
            }
        }
        text.push('\n');
        if time_s >= trajectory.duration_s() {
            break;
        }
    }
    text
}
