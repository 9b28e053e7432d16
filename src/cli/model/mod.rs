//! `motiond model`: questions about a robot model, one JSON object a line in and out, so that anyone can hold the
//! answers against another library. One file a subcommand; where a model comes from is in `source`, reading and
//! answering lines in `json_lines`.

mod check;
mod collide;
mod dynamics;
mod fk;
mod ik;
mod jacobian;
mod json_lines;
mod picture;
pub(super) mod source;
mod workspace;

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
    /// Distance of the arm from itself: {"q": [rad or m]} to {"distance_m", "pair", "colliding"}, a line each
    Collide(collide::CollideArguments),
    /// What the tip reaches: extents, reach, volume, share of orientations, as JSON
    Workspace(workspace::WorkspaceArguments),
    /// Draw the arm with frames and capsules, as SVG
    Picture(picture::PictureArguments),
    /// Inverse kinematics: {"position_m", "quaternion_wxyz", "seed"?, "all"?} to {"solutions", "configuration"}
    Ik(ik::IkArguments),
    /// The same as fk with "jacobian": rows vx vy vz wx wy wz of the tip in base axes; "qd" adds its rate
    Jacobian(jacobian::JacobianArguments),
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
        ModelCommand::Collide(arguments) => collide::collide(arguments),
        ModelCommand::Workspace(arguments) => Ok(workspace::workspace(arguments)),
        ModelCommand::Picture(arguments) => picture::picture(arguments),
        ModelCommand::Ik(arguments) => ik::ik(arguments),
        ModelCommand::Jacobian(arguments) => jacobian::jacobian(arguments),
    }
}
