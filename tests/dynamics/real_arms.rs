//! Two real arms with torques, gravity and mass matrix from Pinocchio. The files are not part of the project;
//! without them the test says so and passes.

use std::path::Path;

use motiond::config::kinematic_model::{KinematicModel, from_text};
use motiond::joints::JointVector;
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|entry| entry.as_f64().unwrap()).collect()
}

fn joints(value: &Value) -> JointVector {
    JointVector::from_slice(&numbers(value)).unwrap()
}

fn read(folder: &Path, arm: &str) -> (KinematicModel, Value) {
    let text = |ending: &str| std::fs::read_to_string(folder.join(format!("{arm}.{ending}"))).unwrap();
    let reference: Value = serde_json::from_str(&text("reference.json")).unwrap();
    let limits = reference["joint_names"].as_array().unwrap().iter().fold(String::new(), |limits, joint| {
        let name = joint.as_str().unwrap();
        limits + &format!("[joints.{name}]\nacceleration_max_deg_s2 = 500\njerk_max_deg_s3 = 5000\n")
    });
    let link = |key: &str| reference[key].as_str().map(str::to_owned);
    let model = from_text(&text("urdf"), &limits, link("base_link").as_deref(), link("tip_link").as_deref());
    (model.unwrap(), reference)
}

#[test]
fn torques_gravity_and_mass_matrix_of_real_arms_meet_the_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/arms");
    if !folder.is_dir() {
        println!("NOT CHECKED: the descriptions of real arms are not beside this checkout");
        return;
    }
    for arm in ["ur5e", "panda"] {
        let (model, reference) = read(&folder, arm);
        let dynamics = model.dynamics().unwrap();
        let mut worst = [0.0_f64; 4];
        for sample in reference["samples"].as_array().unwrap() {
            let (q, qd, qdd) = (joints(&sample["q"]), joints(&sample["qd"]), joints(&sample["qdd"]));
            let torques = dynamics.torques(&q, &qd, &qdd);
            worst[0] = worst[0].max((torques - joints(&sample["tau"])).max_abs());
            worst[1] =
                worst[1].max((dynamics.gravity_torques(&q) - joints(&sample["tau_gravity"])).max_abs());
            let mass = dynamics.mass_matrix(&q);
            for (row, wanted) in sample["mass_matrix"].as_array().unwrap().iter().enumerate() {
                for (column, wanted) in numbers(wanted).into_iter().enumerate() {
                    worst[2] = worst[2].max((mass[(row, column)] - wanted).abs());
                }
            }
            worst[3] =
                worst[3].max((dynamics.forward_dynamics(&q, &qd, &joints(&sample["tau"])) - qdd).max_abs());
        }
        println!(
            "{arm}: torque {:.1e} Nm, gravity {:.1e} Nm, mass {:.1e} kg m², acceleration {:.1e} rad/s²",
            worst[0], worst[1], worst[2], worst[3]
        );
        assert!(
            worst[0] < 1e-11 && worst[1] < 1e-11 && worst[2] < 1e-11 && worst[3] < 1e-8,
            "{arm}: {worst:?}"
        );
    }
}
