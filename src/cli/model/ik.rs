//! `motiond model ik`: joint positions for a pose of the tip.

use clap::Args;
use serde::Serialize;

use super::json_lines::{Question, answer_lines};
use super::source::ModelSource;
use crate::cli::{Exit, print_error};
use crate::config::kinematic_model::KinematicModel;
use crate::joints::JointVector;
use crate::kinematics::configuration::{Configuration, Elbow, Shoulder, Wish, Wrist, turn_of};
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
    fn of(configuration: Configuration, q: &JointVector) -> Self {
        Self {
            shoulder: match configuration.shoulder {
                Shoulder::Front => "front",
                Shoulder::Back => "back",
            },
            elbow: match configuration.elbow {
                Elbow::Up => "up",
                Elbow::Down => "down",
            },
            wrist: match configuration.wrist {
                Wrist::NoFlip => "noflip",
                Wrist::Flip => "flip",
            },
            turns: q.iter().map(turn_of).collect(),
        }
    }
}

impl Answer {
    fn push(&mut self, solution: &Solution) {
        self.solutions.push(solution.q.as_slice().to_vec());
        self.configuration.push(solution.configuration.map(|branch| Branch::of(branch, &solution.q)));
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
            answer.push(solution);
            answer.solutions.len() < SOLUTIONS_MAX
        });
    } else if let Some(solution) = solver.nearest(&pose, &seed, &Wish::FREE) {
        answer.push(&solution);
    }
    Ok(answer)
}

/// Zero where the limits allow it.
fn home(model: &KinematicModel) -> JointVector {
    let mut limits = model.limits.as_slice().iter();
    JointVector::zeros(model.chain.joint_count())
        .map(|zero| limits.next().map_or(zero, |limit| zero.clamp(limit.position_min, limit.position_max)))
}
