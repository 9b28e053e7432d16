//! `motiond model check`: every mistake of a description at once, or what the chain is.

use clap::Args;
use serde_json::json;

use super::source::ModelSource;
use crate::cli::{Exit, print};
use crate::config::kinematic_model::KinematicModel;
use crate::kinematics::JointKind;
use crate::kinematics::closed::{Class, ClosedForm};

/// Arguments of `motiond model check`.
#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    #[command(flatten)]
    source: ModelSource,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Checks a description and prints what was found.
pub(super) fn check(arguments: &CheckArguments) -> Exit {
    match arguments.source.load(arguments.json) {
        Ok(model) if arguments.json => print(&as_json(&model).to_string()),
        Ok(model) => print(&as_text(&model)),
        Err(exit) => return exit,
    }
    Exit::Success
}

/// Name, kind and position limits of each moving joint, base first.
fn joints(model: &KinematicModel) -> impl Iterator<Item = (&str, &'static str, f64, f64)> {
    model.joint_names.iter().zip(model.limits.as_slice()).enumerate().map(|(index, (name, limit))| {
        let kind = match model.chain.joint_kind(index) {
            Some(JointKind::Prismatic) => "prismatic",
            Some(JointKind::Continuous) => "continuous",
            Some(JointKind::Revolute) | None => "revolute",
        };
        (name.as_str(), kind, limit.position_min, limit.position_max)
    })
}

/// How inverse kinematics is solved.
fn inverse(model: &KinematicModel) -> &'static str {
    match ClosedForm::find(&model.chain).map(|closed| (closed.class(), closed.is_exact())) {
        Some((Class::SphericalWrist, true)) => "closed form (spherical wrist)",
        Some((Class::SphericalWrist, false)) => "closed form (nearly spherical wrist) and polish",
        Some((Class::ThreeParallel, true)) => "closed form (three parallel axes)",
        Some((Class::ThreeParallel, false)) => "closed form (three nearly parallel axes) and polish",
        None => "search",
    }
}

fn as_json(model: &KinematicModel) -> serde_json::Value {
    let joints: Vec<_> = joints(model)
        .zip(&model.effort_limits)
        .map(|((name, kind, low, high), effort)| {
            json!({
                "name": name, "kind": kind, "position_min": low, "position_max": high, "effort_max": effort,
            })
        })
        .collect();
    json!({
        "ok": true,
        "robot": model.name,
        "base": model.base_link,
        "tip": model.tip_link,
        "joints": joints,
        "mass_kg": moving_mass_kg(model),
        "inverse": inverse(model),
    })
}

/// Mass of everything that moves, without tool.
fn moving_mass_kg(model: &KinematicModel) -> f64 {
    model.links.iter().skip(1).flat_map(|link| &link.bodies).map(|body| body.mass_kg).sum()
}

fn as_text(model: &KinematicModel) -> String {
    let mut text = format!(
        "{}: a chain of {} moving joints from `{}` to `{}`",
        model.name,
        model.chain.joint_count(),
        model.base_link,
        model.tip_link
    );
    text += &format!(", inverse kinematics by {}", inverse(model));
    for ((name, kind, low, high), effort) in joints(model).zip(&model.effort_limits) {
        let range = match kind {
            "prismatic" => format!("{:.1} to {:.1} mm", low * 1e3, high * 1e3),
            "continuous" => "without end".to_owned(),
            _ => format!("{:.1} to {:.1} deg", low.to_degrees(), high.to_degrees()),
        };
        let unit = if kind == "prismatic" { "N" } else { "Nm" };
        let effort =
            effort.map_or_else(|| "no torque limit given".to_owned(), |most| format!("up to {most} {unit}"));
        text += &format!("\n  {name}: {kind}, {range}, {effort}");
    }
    let mass = moving_mass_kg(model);
    text += &if mass > 0.0 {
        format!("\n  moving mass {mass:.3} kg")
    } else {
        "\n  no masses: dynamics, torque limits and feed-forward are not possible".to_owned()
    };
    for joint in model.joints_without_mass().filter(|_| mass > 0.0) {
        text += &format!("\n  {joint}: its link has no mass and counts as massless");
    }
    text
}
