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
    fn push(&mut self, chain: &Chain, solution: &Solution) {
        self.solutions.push(solution.q.as_slice().to_vec());
        self.configuration.push(solution.configuration.map(|branch| Branch::of(branch, chain, &solution.q)));
    }
}

/// Answers a pose by the solution nearest to `seed` (default: zero, or the nearest to it within the limits), or with
/// `"all": true` by every solution within the limits, every turn included.
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
    question.only(&["position_m", "quaternion_wxyz", "seed", "all"])?;
    let pose = question.pose()?;
    let seed = match question.maybe("seed") {
        Some(_) => question.joints("seed", model)?,
        None => home(model),
    };
    let mut answer = Answer::default();
    if question.flag("all")? {
        solver.each(&pose, &seed, &mut |solution| {
            answer.push(&model.chain, solution);
            answer.solutions.len() < SOLUTIONS_MAX
        });
    } else if let Some(solution) = solver.nearest(&pose, &seed, &Wish::FREE) {
        answer.push(&model.chain, &solution);
    }
    Ok(answer)
}

/// Zero where the limits allow it.
fn home(model: &KinematicModel) -> JointVector {
    let mut limits = model.limits.as_slice().iter();
    JointVector::zeros(model.chain.joint_count())
        .map(|zero| limits.next().map_or(zero, |limit| zero.clamp(limit.position_min, limit.position_max)))
}
