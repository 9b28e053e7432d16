//! `motiond model fk`: where the tip is.

use clap::Args;

use super::json_lines::{PoseAnswer, answer_lines};
use super::source::ModelSource;
use crate::cli::Exit;

/// Arguments of `motiond model fk`.
#[derive(Debug, Args)]
pub(super) struct FkArguments {
    #[command(flatten)]
    source: ModelSource,
}

/// Answers `{"q": [rad or m]}` by the pose of the tip in the base frame.
pub(super) fn fk(arguments: &FkArguments) -> anyhow::Result<Exit> {
    let model = match arguments.source.load(true) {
        Ok(model) => model,
        Err(exit) => return Ok(exit),
    };
    answer_lines(|question| {
        question.only(&["q"])?;
        let q = question.joints("q", &model)?;
        Ok(PoseAnswer::from(&model.chain.forward(&q)))
    })
}
