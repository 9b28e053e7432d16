//! `motiond model jacobian`: where the tip is, and how each joint moves it.

use clap::Args;
use serde::Serialize;

use super::json_lines::{PoseAnswer, answer_lines};
use super::source::ModelSource;
use crate::cli::Exit;

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
}

/// Answers `{"q": [rad or m]}` by pose and geometric Jacobian of the tip.
pub(super) fn jacobian(arguments: &JacobianArguments) -> anyhow::Result<Exit> {
    let model = match arguments.source.load(true) {
        Ok(model) => model,
        Err(exit) => return Ok(exit),
    };
    answer_lines(|question| {
        question.only(&["q"])?;
        let (pose, jacobian) = model.chain.forward_with_jacobian(&question.joints("q", &model)?);
        let joints = model.chain.joint_count();
        let rows = (0..6).map(|row| (0..joints).map(|joint| jacobian[(row, joint)]).collect()).collect();
        Ok(Answer { pose: PoseAnswer::from(&pose), jacobian: rows })
    })
}
