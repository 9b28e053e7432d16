//! `motiond model ik`: joint positions for a pose of the tip.

use clap::Args;
use serde::Serialize;

use super::json_lines::{Question, answer_lines};
use super::source::ModelSource;
use crate::cli::{Exit, print_error};
use crate::config::kinematic_model::KinematicModel;
use crate::joints::JointVector;
use crate::kinematics::Chain;
use crate::kinematics::configuration::{Configuration, Wish, turns_of};
use crate::kinematics::inverse::{Solution, Solver};

/// Most solutions of one pose that are printed.
const SOLUTIONS_MAX: usize = 4096;

/// Arguments of `motiond model ik`.
#[derive(Debug, Args)]
pub(super) struct IkArguments {
    #[command(flatten)]
    source: ModelSource,
}

/// Solutions within the limits and, for arms with a closed form, the branch and turns of each.
#[derive(Debug, Default, Serialize)]
struct Answer {
    solutions: Vec<Vec<f64>>,
    configuration: Vec<Option<Branch>>,
    /// Arm angle of each, rad; only of arms with a spherical shoulder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    arm_angle_rad: Vec<Option<f64>>,
}

#[derive(Debug, Serialize)]
struct Branch {
    shoulder: &'static str,
    elbow: &'static str,
    wrist: &'static str,
    turns: Vec<i8>,
}

impl Branch {
    fn of(configuration: Configuration, chain: &Chain, q: &JointVector) -> Self {
        let [shoulder, elbow, wrist] = configuration.names();
        Self { shoulder, elbow, wrist, turns: turns_of(chain, q)[..q.len()].to_vec() }
    }
}

impl Answer {
    fn push(&mut self, solver: &Solver, solution: &Solution) {
        self.solutions.push(solution.q.as_slice().to_vec());
        self.configuration
            .push(solution.configuration.map(|branch| Branch::of(branch, solver.chain(), &solution.q)));
        self.arm_angle_rad.extend(solver.shoulder().map(|shoulder| shoulder.arm_angle(&solution.q)));
    }
}

/// Answers a pose by the solution nearest to `seed` (default: zero, or the nearest to it within the limits), or with
/// `"all": true` by every solution within the limits, every turn included. With
/// `"arm_angle_rad"` the elbow of a seven-joint arm is turned so far; its free solutions are endless otherwise, and
/// `all` gives those a search finds.
pub(super) fn ik(arguments: &IkArguments) -> anyhow::Result<Exit> {
    let model = match arguments.source.load(true) {
        Ok(model) => model,
        Err(exit) => return Ok(exit),
    };
    let Some(solver) = Solver::new(&model.chain, &model.limits) else {
        print_error("the limits do not belong to the chain");
        return Ok(Exit::Failure);
    };
    answer_lines(|question| answer(question, &model, &solver))
}

fn answer(question: &Question, model: &KinematicModel, solver: &Solver) -> Result<Answer, String> {
    question.only(&["position_m", "quaternion_wxyz", "seed", "all", "arm_angle_rad"])?;
    let pose = question.pose()?;
    let seed = match question.maybe("seed") {
        Some(_) => question.joints("seed", model)?,
        None => home(model),
    };
    let arm_angle_rad = question
        .maybe("arm_angle_rad")
        .map(|value| value.as_f64().ok_or_else(|| "`arm_angle_rad` is not a number".to_owned()));
    let arm_angle_rad = arm_angle_rad.transpose()?;
    if arm_angle_rad.is_some() && solver.shoulder().is_none() {
        return Err("`arm_angle_rad` needs seven joints with a spherical shoulder and wrist".to_owned());
    }
    let mut answer = Answer::default();
    let mut push = |solution: &Solution| {
        answer.push(solver, solution);
        answer.solutions.len() < SOLUTIONS_MAX
    };
    if question.flag("all")? {
        match arm_angle_rad {
            Some(angle) => solver.each_at_arm_angle(&pose, angle, &seed, &mut push),
            None => solver.each(&pose, &seed, &mut push),
        }
    } else if let Some(solution) = solver.nearest(&pose, &seed, &Wish { arm_angle_rad, ..Wish::FREE }) {
        push(&solution);
    }
    Ok(answer)
}

/// Zero where the limits allow it.
fn home(model: &KinematicModel) -> JointVector {
    let mut limits = model.limits.as_slice().iter();
    JointVector::zeros(model.chain.joint_count())
        .map(|zero| limits.next().map_or(zero, |limit| zero.clamp(limit.position_min, limit.position_max)))
}
