//! Every shipped model against poses another program computed (`reference_poses.py`).

use std::fs;
use std::path::{Path, PathBuf};

use motiond::config::kinematic_model::{EmbeddedModel, load_model};
use motiond::geometry::{Pose, displacement};
use motiond::joints::JointVector;
use motiond::kinematics::JointKind;
use nalgebra::{Quaternion, Translation3, UnitQuaternion};

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kinematics-models")
}

fn folders() -> Vec<PathBuf> {
    let entries = fs::read_dir(models()).expect("the folder of models is part of the project");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders
}

#[test]
fn forward_kinematics_of_every_model_meets_its_reference_poses_within_1e_12() {
    for folder in folders() {
        let model =
            load_model(&folder).unwrap_or_else(|problems| panic!("{}:\n{problems}", folder.display()));
        let joints = model.chain.joint_count();
        let table =
            fs::read_to_string(folder.join("reference-poses.csv")).expect("every model has reference poses");
        let mut lines = table.lines();
        let header = lines.next().expect("a header");
        let unit =
            |joint| if model.chain.joint_kind(joint) == Some(JointKind::Prismatic) { "m" } else { "rad" };
        let names: Vec<String> = model
            .joint_names
            .iter()
            .enumerate()
            .map(|(joint, name)| format!("{name}_{}", unit(joint)))
            .collect();
        assert!(header.starts_with(&names.join(",")), "columns in the order of the joints: {header}");
        let mut rows = 0;
        for line in lines {
            let values: Vec<f64> = line.split(',').map(|word| word.parse().expect("a number")).collect();
            let (q, pose) = values.split_at(joints);
            let [x, y, z, qw, qx, qy, qz] = pose else { panic!("seven numbers after the joints: {line}") };
            let wanted = Pose::from_parts(
                Translation3::new(*x, *y, *z),
                UnitQuaternion::new_unchecked(Quaternion::new(*qw, *qx, *qy, *qz)),
            );
            let q = JointVector::from_slice(q).expect("at most twelve joints");
            let gap = displacement(&wanted, &model.chain.forward(&q));
            assert!(
                gap.linear.norm() <= 1e-12 && gap.angular.norm() <= 1e-12,
                "{}: {line}\n{gap:?}",
                model.name
            );
            rows += 1;
        }
        assert!(rows >= 50, "{} reference poses of {}", rows, model.name);
    }
}

#[test]
fn every_model_folder_is_embedded_and_carries_its_name() {
    for folder in folders() {
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a plain name");
        let embedded = EmbeddedModel::by_name(name).unwrap_or_else(|| panic!("{name} is not embedded"));
        let loaded = load_model(&folder).expect("valid, see the test above");
        assert_eq!(loaded.name, name);
        assert_eq!(embedded.load().expect("the same text"), loaded);
    }
}

#[test]
fn masses_of_every_model_are_those_of_solid_bodies() {
    for folder in folders() {
        let model = load_model(&folder).expect("valid, see the test above");
        for link in &model.links {
            assert!(
                !link.bodies.is_empty() && !link.shapes.is_empty(),
                "{}: a link without body",
                model.name
            );
            for body in &link.bodies {
                let place = format!("{}: {}", model.name, body.link);
                let principal = body.inertia_kg_m2.symmetric_eigenvalues();
                assert!(principal.min() > 0.0, "{place}: {principal:?}");
                // No principal moment can be above the sum of the other two (∫x² dm > 0 along each axis).
                assert!(principal.sum() > 2.0 * principal.max(), "{place}: {principal:?}");
                // The radius of gyration stays within the arm.
                let radius = (principal.max() / body.mass_kg).sqrt();
                assert!(radius < model.chain.characteristic_length_m().max(2.0), "{place}: {radius} m");
            }
        }
        assert!(model.effort_limits.iter().all(Option::is_some), "{}: torque limits", model.name);
    }
}
