//! `motiond model`: questions about a robot model, one JSON object a line in and out, so that anyone can hold the
//! answers against another library. One file a subcommand; where a model comes from is in `source`, reading and
//! answering lines in `json_lines`.

mod check;
mod dynamics;
mod fk;
mod json_lines;
mod source;

use clap::{Args, Subcommand};

use super::Exit;

/// Arguments of `motiond model`.
#[derive(Debug, Args)]
pub struct ModelArguments {
    #[command(subcommand)]
    command: ModelCommand,
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    /// Say what is wrong with a robot model, or what it is
    Check(check::CheckArguments),
    /// Inverse dynamics: {"q", "qd", "qdd"} to {"tau_nm"}, forward: {"q", "qd", "tau_nm"} to {"qdd"}, a line each
    ///
    /// Optional: "payload" {"mass_kg", "center_of_mass_m", "inertia_kg_m2"} in the tip frame, "gravity" [x, y, z] in
    /// m/s², base axes.
    Dynamics(dynamics::DynamicsArguments),
    /// Forward kinematics: {"q": [rad or m]} to {"position_m", "quaternion_wxyz"}, a line each
    Fk(fk::FkArguments),
}

/// Carries out a subcommand of `model`.
///
/// # Errors
/// Standard input or output cannot be used.
pub fn model(arguments: &ModelArguments) -> anyhow::Result<Exit> {
    match &arguments.command {
        ModelCommand::Check(arguments) => Ok(check::check(arguments)),
        ModelCommand::Dynamics(arguments) => dynamics::dynamics(arguments),
        ModelCommand::Fk(arguments) => fk::fk(arguments),
    }
}
