//! `motiond identify`: what hangs at the flange, from the torques of a recorded motion. Reading and smoothing the
//! recording is in `recording`, the mathematics in `calibration::payload`.

mod recording;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::assembly::Assembly;
use super::check::print_problems;
use super::{Exit, print, print_error, read_text};
use crate::calibration::{Estimate, PayloadFit, identify_payload};
use crate::config::problem::Problem;

/// Arguments of `motiond identify`.
#[derive(Debug, Args)]
pub(super) struct IdentifyArguments {
    #[command(subcommand)]
    command: IdentifyCommand,
}

#[derive(Debug, Subcommand)]
enum IdentifyCommand {
    /// Mass, centre and inertia of tool and load at the flange
    Payload(PayloadArguments),
}

/// Arguments of `motiond identify payload`.
#[derive(Debug, Args)]
struct PayloadArguments {
    /// The cell the motion was recorded on [default: the built-in simulated cell]
    #[arg(long)]
    cell: Option<PathBuf>,
    /// The recording: a trace, as `motiond simulate --trace` writes it
    trace: PathBuf,
    /// Name of the tool in the result
    #[arg(long, default_value = "identified")]
    name: String,
    /// Largest uncertainty of the mass (two standard deviations) that is accepted, kg
    #[arg(long, default_value_t = 0.2)]
    accept_kg: f64,
    /// Largest uncertainty of the centre (two standard deviations) that is accepted, mm
    #[arg(long, default_value_t = 20.0)]
    accept_mm: f64,
    /// Write the lines for the tool in the cell file here
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Identifies and prints.
pub(super) fn identify(arguments: &IdentifyArguments) -> Exit {
    let IdentifyCommand::Payload(arguments) = &arguments.command;
    for (name, value) in [("--accept-kg", arguments.accept_kg), ("--accept-mm", arguments.accept_mm)] {
        if !(value.is_finite() && value > 0.0) {
            print_error(&format!("{name}: a number above 0"));
            return Exit::Mistake;
        }
    }
    let name_is_usable = (1..=64).contains(&arguments.name.len())
        && arguments.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if !name_is_usable {
        print_error("--name: 1 to 64 letters, digits, `_`, `-`");
        return Exit::Mistake;
    }
    let fit = match fit(arguments) {
        Ok(fit) => fit,
        Err(problems) => {
            print_problems(&arguments.trace, &problems, arguments.json);
            return Exit::Mistake;
        }
    };
    if let Some(problem) = refusal(&fit, arguments) {
        print_problems(&arguments.trace, &[problem], arguments.json);
        return Exit::Mistake;
    }
    let snippet = snippet(&fit, &arguments.name);
    if let Some(path) = &arguments.output
        && let Err(error) = std::fs::write(path, &snippet)
    {
        print_error(&format!("{}: cannot be written: {error}", path.display()));
        return Exit::Failure;
    }
    print(&if arguments.json { format!("{:#}", to_json(&fit)) } else { to_text(&fit, &snippet) });
    Exit::Success
}

fn fit(arguments: &PayloadArguments) -> Result<PayloadFit, Vec<Problem>> {
    let assembly = Assembly::load(arguments.cell.as_deref())?;
    let dynamics = assembly.cell.dynamics().ok_or_else(|| {
        vec![Problem::new(
            "robot.model",
            "the robot model has no masses",
            "a URDF with `<inertial>` in its links",
            "add the masses of the links",
        )]
    })?;
    let text = read_text(&arguments.trace).map_err(|problem| vec![problem])?;
    let samples = recording::samples(&text, assembly.cell.joint_count()).map_err(|problem| vec![problem])?;
    identify_payload(&dynamics, &samples).map_err(|problem| {
        vec![Problem::new(
            "",
            problem.to_string(),
            "a motion in which the last three joints turn and the flange tilts",
            "record such a motion of half a minute, and identify again",
        )]
    })
}

/// Why the result is not good enough.
fn refusal(fit: &PayloadFit, arguments: &PayloadArguments) -> Option<Problem> {
    let remedy = "record a longer motion with the last joints turning fast and the flange tilted every way";
    let too_uncertain = |what: &str, twice: f64, unit: &str, most: f64| {
        Problem::new(
            "",
            format!("{what} is uncertain by {twice:.3} {unit}"),
            format!("up to {most} {unit}"),
            remedy,
        )
    };
    match fit.mass {
        Some((_, deviation)) if 2.0 * deviation > arguments.accept_kg => {
            return Some(too_uncertain("the mass", 2.0 * deviation, "kg", arguments.accept_kg));
        }
        Some((mass, deviation)) if mass < -2.0 * deviation => {
            return Some(Problem::new(
                "",
                format!("the mass would be {mass:.3} kg: the arm is lighter than its model"),
                "a mass of 0 kg or more",
                "check the masses of the robot model and the torque scaling of the drives in the cell file",
            ));
        }
        Some(_) | None => {}
    }
    let worst = fit.center.iter().flatten().map(|(_, deviation)| 2e3 * deviation).fold(0.0, f64::max);
    (worst > arguments.accept_mm)
        .then(|| too_uncertain("the centre of gravity", worst, "mm", arguments.accept_mm))
}

/// The lines for the cell file, as far as the load was seen.
fn snippet(fit: &PayloadFit, name: &str) -> String {
    let Some(body) = fit.body() else {
        return format!(
            "# [tools.{name}]: the centre of gravity was not seen; the mass is {:.3} kg\n",
            fit.mass.map_or(0.0, |(mass, _)| mass)
        );
    };
    let [x, y, z]: [f64; 3] = (body.center_of_mass_m * 1e3).into();
    let i = &body.inertia_kg_m2;
    format!(
        "[tools.{name}]\nmass_kg = {:.3}\ncenter_of_gravity_mm = [{x:.2}, {y:.2}, {z:.2}]\n\
         inertia_kg_m2 = [{:.5}, {:.5}, {:.5}, {:.5}, {:.5}, {:.5}]\n",
        body.mass_kg,
        i[(0, 0)],
        i[(1, 1)],
        i[(2, 2)],
        i[(0, 1)],
        i[(0, 2)],
        i[(1, 2)],
    )
}

const AXES: [&str; 3] = ["x", "y", "z"];
const ENTRIES: [&str; 6] = ["ixx", "iyy", "izz", "ixy", "ixz", "iyz"];

fn to_json(fit: &PayloadFit) -> Value {
    let shown = |estimate: &Estimate, scale: f64| {
        estimate.map(
            |(value, deviation)| json!({"value": value * scale, "standard_deviation": deviation * scale}),
        )
    };
    let named = |names: &[&str], estimates: &[Estimate], scale: f64| -> Value {
        let entries = names.iter().zip(estimates);
        Value::Object(
            entries.map(|(name, estimate)| ((*name).to_owned(), json!(shown(estimate, scale)))).collect(),
        )
    };
    json!({
        "mass_kg": shown(&fit.mass, 1.0),
        "center_of_gravity_mm": named(&AXES, &fit.center, 1e3),
        "inertia_kg_m2": named(&ENTRIES, &fit.inertia, 1.0),
        "residual_rms_nm": fit.residual_rms.as_slice(),
        "torque_of_load_nm": fit.torque_of_load.as_slice(),
        "samples": fit.samples,
    })
}

fn to_text(fit: &PayloadFit, snippet: &str) -> String {
    let shown = |name: &str, estimate: &Estimate, scale: f64, unit: &str| match estimate {
        Some((value, deviation)) => {
            format!("{name:>8}: {:>10.4} ± {:.4} {unit}\n", value * scale, 2.0 * deviation * scale)
        }
        None => format!("{name:>8}: not seen in this motion\n"),
    };
    let mut text = shown("mass", &fit.mass, 1.0, "kg");
    for (axis, estimate) in AXES.iter().zip(&fit.center) {
        text += &shown(axis, estimate, 1e3, "mm");
    }
    for (entry, estimate) in ENTRIES.iter().zip(&fit.inertia) {
        text += &shown(entry, estimate, 1.0, "kg m²");
    }
    text +=
        &format!("from {} samples; left over of each joint's torque, and what the load made:\n", fit.samples);
    for (joint, (rms, made)) in fit.residual_rms.iter().zip(fit.torque_of_load.iter()).enumerate() {
        text += &format!("  joint {}: {rms:.3} Nm rms of {made:.1} Nm\n", joint + 1);
    }
    text + snippet
}
