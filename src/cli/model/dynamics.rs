//! `motiond model dynamics`: the torques a motion needs, or the accelerations torques make.

use clap::Args;
use nalgebra::{Matrix3, Vector3};
use serde::{Deserialize, Serialize};

use super::json_lines::{Question, answer_lines};
use super::source::ModelSource;
use crate::cli::{Exit, print_error};
use crate::config::kinematic_model::KinematicModel;
use crate::dynamics::{ArmDynamics, RigidBody};
use crate::joints::JointVector;

/// Keys of a question.
const KEYS: [&str; 6] = ["q", "qd", "qdd", "tau_nm", "payload", "gravity"];
/// Largest mass that is not a slip of units.
const MASS_MAX_KG: f64 = 10_000.0;
/// Largest gravity that is not a slip of units.
const GRAVITY_MAX_M_S2: f64 = 100.0;

/// Arguments of `motiond model dynamics`.
#[derive(Debug, Args)]
pub(super) struct DynamicsArguments {
    #[command(flatten)]
    source: ModelSource,
    /// Add gravity, Coriolis torques and the mass matrix to each answer
    #[arg(long)]
    parts: bool,
}

/// Something that hangs at the tip, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPayload {
    mass_kg: f64,
    /// In the tip frame.
    #[serde(default)]
    center_of_mass_m: [f64; 3],
    /// About the centre of mass, axes of the tip frame.
    #[serde(default)]
    inertia_kg_m2: [[f64; 3]; 3],
}

#[derive(Debug, Serialize)]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    tau_nm: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qdd: Option<Vec<f64>>,
    #[serde(flatten)]
    parts: Option<Parts>,
}

#[derive(Debug, Serialize)]
struct Parts {
    gravity_nm: Vec<f64>,
    coriolis_nm: Vec<f64>,
    mass_matrix: Vec<Vec<f64>>,
}

/// Answers `{"q", "qd", "qdd"}` by torques and `{"q", "qd", "tau_nm"}` by accelerations; N m and rad, for
/// sliding joints N and m. Links and payload only: no friction, no motors.
pub(super) fn dynamics(arguments: &DynamicsArguments) -> anyhow::Result<Exit> {
    let model = match arguments.source.load(true) {
        Ok(model) => model,
        Err(exit) => return Ok(exit),
    };
    let bare = match model.dynamics() {
        Ok(dynamics) => dynamics,
        Err(error) => {
            print_error(&format!(
                "{}: {error}. Write <inertial> with mass, origin and inertia into the links of the URDF",
                model.name
            ));
            return Ok(Exit::Mistake);
        }
    };
    for joint in model.joints_without_mass() {
        print_error(&format!(
            "note: the link behind `{joint}` has no mass in the URDF and counts as massless"
        ));
    }
    answer_lines(|question| answer(question, &model, bare, arguments.parts))
}

fn answer(
    question: &Question,
    model: &KinematicModel,
    mut dynamics: ArmDynamics,
    with_parts: bool,
) -> Result<Answer, String> {
    question.only(&KEYS)?;
    let q = question.joints("q", model)?;
    let qd = question.joints("qd", model)?;
    if question.maybe("gravity").is_some() {
        let gravity = question.numbers("gravity", 3)?;
        let gravity = Vector3::from_column_slice(&gravity);
        if gravity.norm() > GRAVITY_MAX_M_S2 {
            return Err(format!(
                "`gravity` has {:.1} m/s², at most {GRAVITY_MAX_M_S2} m/s² are allowed: base axes, such as [0, 0, -9.81]",
                gravity.norm()
            ));
        }
        dynamics.set_gravity(gravity);
    }
    if let Some(payload) = question.maybe("payload") {
        dynamics.set_payload(&[read_payload(payload)?]);
    }
    let joints = |vector: JointVector| vector.as_slice().to_vec();
    let (tau_nm, qdd) = match (question.maybe("qdd"), question.maybe("tau_nm")) {
        (None, Some(_)) => {
            let qdd = dynamics.forward_dynamics(&q, &qd, &question.joints("tau_nm", model)?);
            if !qdd.is_finite() {
                return Err("a joint moves no mass: its acceleration has no limit".to_owned());
            }
            (None, Some(joints(qdd)))
        }
        (Some(_), Some(_)) => {
            return Err("`qdd` and `tau_nm` together: give one, the other is the answer".to_owned());
        }
        (_, None) => (Some(joints(dynamics.torques(&q, &qd, &question.joints("qdd", model)?))), None),
    };
    let parts = with_parts.then(|| {
        let mass = dynamics.mass_matrix(&q);
        let count = q.len();
        Parts {
            gravity_nm: joints(dynamics.gravity_torques(&q)),
            coriolis_nm: joints(dynamics.coriolis_torques(&q, &qd)),
            mass_matrix: (0..count)
                .map(|row| (0..count).map(|column| mass[(row, column)]).collect())
                .collect(),
        }
    });
    Ok(Answer { tau_nm, qdd, parts })
}

fn read_payload(value: &serde_json::Value) -> Result<RigidBody, String> {
    let written = WrittenPayload::deserialize(value).map_err(|error| {
        format!("`payload`: {error}; it is {{\"mass_kg\", \"center_of_mass_m\": [x, y, z], \"inertia_kg_m2\": [[3], [3], [3]]}}")
    })?;
    let rows = written.inertia_kg_m2;
    let body = RigidBody {
        mass_kg: written.mass_kg,
        center_of_mass_m: Vector3::from(written.center_of_mass_m),
        inertia_kg_m2: Matrix3::from_fn(|row, column| rows[row][column]),
    };
    if !(0.0..=MASS_MAX_KG).contains(&body.mass_kg) {
        return Err(format!("`payload`: mass_kg is {}, 0 to {MASS_MAX_KG} kg are allowed", body.mass_kg));
    }
    if (body.inertia_kg_m2 - body.inertia_kg_m2.transpose()).amax() > 1e-9 * body.inertia_kg_m2.amax() {
        return Err("`payload`: inertia_kg_m2 is not symmetric".to_owned());
    }
    if !body.is_physical() {
        return Err(
            "`payload`: no body has such an inertia: each principal value is at least 0 and at most \
                    the sum of the two others; it is about the centre of mass, in the axes of the tip"
                .to_owned(),
        );
    }
    Ok(body)
}
