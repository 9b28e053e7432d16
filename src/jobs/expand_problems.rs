//! What planning and the start of a job complain about, in the words and units of the document.

use super::format::Job;
use crate::config::problem::Problem;
use crate::joints::JointVector;
use crate::kinematics::configuration::{Configuration, ConfigurationMode, TurnMode, Wish};
use crate::kinematics::singularity::SingularDistances;
use crate::kinematics::{Chain, JointKind};
use crate::planning::{LimitName, PlanProblem, PlanProblemKind};
use crate::trajectory::path::{ArcProblem, ParameterUnit};

/// How far a turning joint may be from `start` when the job starts, rad.
const START_TOLERANCE: f64 = 0.5 * std::f64::consts::PI / 180.0;

/// How far a sliding joint may be from there, m.
const START_TOLERANCE_M: f64 = 2e-3;

/// The arm does not stand where the job says it must start.
#[must_use]
pub fn start_problem(job: &Job, q_actual: &JointVector, chain: &Chain) -> Option<Problem> {
    let start = job.start?;
    let tolerance = |joint| match chain.joint_kind(joint) {
        Some(JointKind::Prismatic) => START_TOLERANCE_M,
        Some(JointKind::Revolute | JointKind::Continuous) | None => START_TOLERANCE,
    };
    let (joint, (wanted, actual)) =
        start.iter().zip(q_actual.iter()).enumerate().find(|(joint, (wanted, actual))| {
            (wanted - actual).abs() > tolerance(*joint) || actual.is_nan()
        })?;
    Some(Problem::new(
        format!("start.joints_deg[{joint}]"),
        format!("joint {} stands at {}", joint + 1, of_joint(chain, joint, actual)),
        format!("{} ± {}", of_joint(chain, joint, wanted), of_joint(chain, joint, tolerance(joint))),
        "move the arm to the start of the job, or remove `start` and begin with a `move_j`",
    ))
}

/// A problem of planning, at the instruction of the document.
#[must_use]
pub fn plan_problem(problem: &PlanProblem, chain: &Chain) -> Problem {
    let place = problem.instruction.map_or_else(String::new, |number| format!("instructions[{number}]"));
    let (message, allowed, remedy) = words(&problem.kind, problem.unit, chain);
    Problem::new(place, message, allowed, remedy)
}

fn words(
    kind: &PlanProblemKind,
    unit: Option<ParameterUnit>,
    chain: &Chain,
) -> (String, String, &'static str) {
    let of_joint = |joint: usize, by: f64| of_joint(chain, joint, by);
    const NEARER: &str = "move the target or the work object towards the robot, or change the orientation";
    let at = |s: f64| at(s, unit);
    match *kind {
        PlanProblemKind::Value(_) | PlanProblemKind::JointCount { .. } => {
            (kind.to_string(), "finite, positive numbers, one for each joint".to_owned(), "correct the value")
        }
        PlanProblemKind::StartOutsideLimits { joint, by } => (
            format!("joint {} stands {} outside its limits", joint + 1, of_joint(joint, by)),
            "a start within the joint limits".to_owned(),
            "move the joint back into its range",
        ),
        PlanProblemKind::TargetOutsideLimits { joint, by } => (
            format!("the target of joint {} is {} outside its limits", joint + 1, of_joint(joint, by)),
            "a target within the joint limits".to_owned(),
            "choose another target",
        ),
        PlanProblemKind::TargetOutOfReach { missing_m, missing_rad } => (
            format!("the target is out of reach: {}", missing(missing_m, missing_rad)),
            "a pose the arm reaches within its joint limits".to_owned(),
            NEARER,
        ),
        PlanProblemKind::PathOutOfReach { s, missing_m, missing_rad } => (
            format!("the path leaves the reach {}: {}", at(s), missing(missing_m, missing_rad)),
            "a path the arm reaches within its joint limits".to_owned(),
            NEARER,
        ),
        PlanProblemKind::JointLimit { s, joint, by } => (
            format!("joint {} would be {} outside its limits {}", joint + 1, of_joint(joint, by), at(s)),
            "a path within the joint limits".to_owned(),
            "begin with other joint positions, or change the orientation",
        ),
        PlanProblemKind::Singular { s, closeness, closeness_min, joint, distances } => (
            format!(
                "the arm is almost singular {} ({closeness:.4}{}); joint {} races",
                at(s),
                distances
                    .map_or_else(String::new, |distances| format!(": {}", nearest_singularity(&distances))),
                joint + 1
            ),
            format!("at least {closeness_min:.4}"),
            "tilt the tool or move the path; go there with `move_j`; or write how to pass in `singularity`",
        ),
        PlanProblemKind::OrientationError { needed, allowed } => (
            format!("the orientation would be off by {:.2}°", needed.to_degrees()),
            format!("up to {:.2}°", allowed.to_degrees()),
            "raise `orientation_error_max_deg`, or tilt the tool or move the path",
        ),
        PlanProblemKind::NoGuidedWrist => (
            "this arm's wrist cannot be guided through a singular pose".to_owned(),
            "`refuse` or `slow_down`".to_owned(),
            "use one of these, or go there with `move_j`",
        ),
        PlanProblemKind::TooHeavy { s, limit, needed, allowed } => (
            format!("{limit} is {needed:.1} Nm {}, by gravity alone", at(s)),
            format!("up to {allowed:.1} Nm"),
            "take a lighter load, or keep nearer to the base; `mass_kg` of the tool is in the cell file",
        ),
        PlanProblemKind::BranchJump { s, joint, by } => (
            format!("joint {} would jump by {} {}", joint + 1, of_joint(joint, by), at(s)),
            "a path without a jump of the joints".to_owned(),
            "begin with other joint positions, or split the path with a `move_j`",
        ),
        PlanProblemKind::NoConfigurations => (
            "this arm has no shoulder, elbow and wrist configurations".to_owned(),
            "a target without these flags".to_owned(),
            "remove them; of a target with several ways to reach it, write `joints_deg`",
        ),
        PlanProblemKind::ExternalCount { needed, found } => (
            format!("{found} external axes are given; the arm has {needed} joints beyond six"),
            format!("the positions of {needed} joints"),
            "write in `external` the position of each joint outside the arm itself, or leave it out",
        ),
        PlanProblemKind::NoArmAngle => (
            "there is no arm angle: the arm has no spherical shoulder and wrist, or is stretched".to_owned(),
            "a target without `arm_angle_deg`".to_owned(),
            "remove it, or bend the elbow with a `move_j` before",
        ),
        PlanProblemKind::WishNotGranted { wish, offered, turns, joints } => (
            format!("no joint positions within the limits reach the target {}", asked(&wish, joints)),
            format!("for instance {}", state(offered, &turns[..joints])),
            "write this one, or write `\"configuration_mode\": \"nearest\"` and `\"turn_mode\": \"free\"`",
        ),
        PlanProblemKind::StartGoverns { asked, is } => (
            format!("the path starts in the configuration {is} and keeps it; its target asks for {asked}"),
            is.to_string(),
            "change the configuration with a `move_j` before, or write that of the start",
        ),
        PlanProblemKind::ConfigurationChange { s, from, to } => (
            format!("the configuration changes from {from} to {to} {}", at(s)),
            "a path in one configuration".to_owned(),
            "tilt the tool or move the path; or split it with a `move_j`",
        ),
        PlanProblemKind::TurnChange { s, joint, from, to } => (
            format!("joint {} goes from turn {from} to turn {to} {}", joint + 1, at(s)),
            format!("turn {from}, as `\"turn_mode\": \"same\"` asks"),
            "begin with the joint further back, or write `\"turn_mode\": \"free\"`",
        ),
        PlanProblemKind::EndTurn { joint, asked, is } => (
            format!("the path ends with joint {} in turn {is}, its target asks for turn {asked}", joint + 1),
            format!("turn {is}"),
            "unwind the joint with a `move_j` before, or write the turns the path leads to",
        ),
        PlanProblemKind::SpeedNotHeld { s, limit, programmed_m_s, achievable_m_s } => (
            format!(
                "{} allows {:.2} of {:.2} mm/s {}",
                name(limit),
                rounded_down(achievable_m_s * 1e3),
                programmed_m_s * 1e3,
                at(s)
            ),
            format!("up to {:.2} mm/s", rounded_down(achievable_m_s * 1e3)),
            "lower the speed, move the path, or write `\"policy\": \"adapt\"`",
        ),
        PlanProblemKind::Arc(problem) => (
            match problem {
                ArcProblem::EndAtStart => "the arc ends where it starts".to_owned(),
                ArcProblem::ViaAtStart => "`via_mm` is where the arc starts".to_owned(),
                ArcProblem::ViaAtEnd => "`via_mm` is where the arc ends".to_owned(),
                ArcProblem::Collinear { distance_m } => {
                    format!("`via_mm` is only {:.4} mm off the line from start to end", distance_m * 1e3)
                }
            },
            "start, `via_mm` and `pose` on an arc, apart from each other and not in a line".to_owned(),
            "move `via_mm`, or write a `move_l`",
        ),
    }
}

/// A position or distance of a joint with its unit: ° or, where it slides, mm.
fn of_joint(chain: &Chain, joint: usize, value: f64) -> String {
    let kind = chain.joint_kind(joint).unwrap_or(JointKind::Revolute);
    let gap = if kind == JointKind::Prismatic { " " } else { "" };
    format!("{:.3}{gap}{}", value * kind.outside_per_unit(), kind.outside_unit())
}

/// What a target asks for, behind "reach the target".
fn asked(wish: &Wish, joints: usize) -> String {
    let branch = match wish.configuration {
        ConfigurationMode::Exact(flags) => Some(format!("in the configuration {flags}")),
        ConfigurationMode::Nearest(_) | ConfigurationMode::Free => None,
    };
    let turns = match wish.turns {
        TurnMode::Use(turns) => Some(format!("in the turns {:?}", &turns[..joints])),
        TurnMode::Same => Some("in the turns of the start".to_owned()),
        TurnMode::Free => None,
    };
    let angle = wish.arm_angle_rad.map(|angle| format!("at the arm angle {:.2}°", angle.to_degrees()));
    [branch, turns, angle].into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

/// Branch and turns.
fn state(branch: Option<Configuration>, turns: &[i8]) -> String {
    let flags = branch.map_or_else(String::new, |branch| format!("{branch}, "));
    format!("{flags}turns {turns:?}")
}

/// The nearest of the singular poses, in its own unit.
fn nearest_singularity(distances: &SingularDistances) -> String {
    // An angle and a distance that are about as bad for the joints.
    const RAD_PER_M: f64 = 2.0;
    let shoulder = distances.shoulder_m.map_or(f64::INFINITY, |distance| distance * RAD_PER_M);
    let shoulder = shoulder.min(distances.shoulder_rad.unwrap_or(f64::INFINITY));
    let degrees = f64::to_degrees;
    if distances.wrist_rad <= distances.elbow_rad.min(shoulder) {
        format!("the wrist {:.2}° from straight", degrees(distances.wrist_rad))
    } else if distances.elbow_rad <= shoulder {
        format!("the elbow {:.2}° from straight", degrees(distances.elbow_rad))
    } else {
        match (distances.shoulder_m, distances.shoulder_rad) {
            (Some(distance), _) => format!("the wrist {:.1} mm from above the shoulder", distance * 1e3),
            (None, angle) => format!("the shoulder {:.2}° from straight", degrees(angle.unwrap_or(0.0))),
        }
    }
}

/// What limits, in the middle of a sentence.
fn name(limit: LimitName) -> String {
    match limit {
        LimitName::Joint(joint) => format!("joint {}", joint + 1),
        LimitName::JointTorque(_) | LimitName::DriveTorque(_) => limit.to_string(),
        LimitName::ToolTranslation => "the tool's largest speed, acceleration or jerk".to_owned(),
        LimitName::ToolRotation => "the tool's largest turning speed, acceleration or jerk".to_owned(),
        LimitName::Programmed => "the instruction itself".to_owned(),
    }
}

fn missing(missing_m: f64, missing_rad: f64) -> String {
    if missing_m < 1e-5 && missing_rad < 1e-4 {
        return "only beyond a joint limit".to_owned();
    }
    format!("{:.1} mm and {:.2}° are missing", missing_m * 1e3, missing_rad.to_degrees())
}

/// To a hundredth, so that what is allowed can be written.
fn rounded_down(value: f64) -> f64 {
    (value * 1e2).floor() * 1e-2
}

/// Where on the path, in the unit of its parameter.
fn at(s: f64, unit: Option<ParameterUnit>) -> String {
    match unit {
        Some(ParameterUnit::ToolDistance) | None => format!("after {:.1} mm of the path", s * 1e3),
        Some(ParameterUnit::ToolRotation) => format!("after {:.2}° of the turn", s.to_degrees()),
        Some(ParameterUnit::JointDistance) => format!("after {:.2}° of the joint path", s.to_degrees()),
    }
}
