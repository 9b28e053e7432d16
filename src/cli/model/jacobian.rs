//! `motiond model jacobian`: where the tip is, and how each joint moves it.

use clap::Args;
use serde::Serialize;

use super::json_lines::{PoseAnswer, answer_lines};
use super::source::ModelSource;
use crate::cli::Exit;
use crate::cli::job_planner::distances_json;
use crate::kinematics::Jacobian;
use crate::kinematics::inverse::Solver;
use crate::kinematics::jacobian_derivative::jacobian_rate;
use crate::kinematics::singularity::{SingularDistances, singularity};

/// Arguments of `motiond model jacobian`.
#[derive(Debug, Args)]
pub(super) struct JacobianArguments {
    #[command(flatten)]
    source: ModelSource,
}

#[derive(Debug, Serialize)]
struct Answer {
    #[serde(flatten)]
    pose: PoseAnswer,
    /// Rows vx vy vz wx wy wz of the tip in base axes, one column a joint.
    jacobian: Vec<Vec<f64>>,
    /// Its derivative in time at the joint speeds asked with.
    #[serde(skip_serializing_if = "Option::is_none")]
    jacobian_rate: Option<Vec<Vec<f64>>>,
    singularity: Singular,
}

/// How far from singular: rotation counts with the characteristic length of the arm, so that all is in metres.
#[derive(Debug, Serialize)]
struct Singular {
    manipulability: f64,
    condition: f64,
    smallest_singular_value_m: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    distances: Option<serde_json::Value>,
}

/// Answers `{"q": [rad or m]}` by pose and geometric Jacobian of the tip, and how far it is from singular; with
/// `"qd"` (per second) also by the time derivative of the Jacobian.
pub(super) fn jacobian(arguments: &JacobianArguments) -> anyhow::Result<Exit> {
    let model = match arguments.source.load(true) {
        Ok(model) => model,
        Err(exit) => return Ok(exit),
    };
    let anatomy = Solver::new(&model.chain, &model.limits).and_then(|solver| solver.anatomy());
    answer_lines(|question| {
        question.only(&["q", "qd"])?;
        let q = question.joints("q", &model)?;
        let qd = question.maybe("qd").map(|_| question.joints("qd", &model)).transpose()?;
        let (pose, jacobian) = model.chain.forward_with_jacobian(&q);
        let values = singularity(&model.chain, &jacobian);
        let distances = anatomy.map(|anatomy| SingularDistances::of(anatomy, &pose, &jacobian));
        let singularity = Singular {
            manipulability: values.manipulability,
            condition: values.largest / values.smallest,
            smallest_singular_value_m: values.smallest,
            distances: distances.as_ref().map(distances_json),
        };
        let joints = model.chain.joint_count();
        let rows = |matrix: &Jacobian| {
            (0..6).map(|row| (0..joints).map(|joint| matrix[(row, joint)]).collect()).collect()
        };
        Ok(Answer {
            pose: PoseAnswer::from(&pose),
            jacobian: rows(&jacobian),
            jacobian_rate: qd.map(|qd| rows(&jacobian_rate(&model.chain, &q, &qd))),
            singularity,
        })
    })
}
