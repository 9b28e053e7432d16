//! Every shipped robot in a cell of its own: checked, brought up, moved.

use motiond::cli::assembly::Assembly;
use motiond::config::kinematic_model::{EMBEDDED_MODELS, EmbeddedModel, KinematicModel};
use motiond::geometry::Pose;
use motiond::joints::JointVector;
use motiond::kinematics::JointKind;
use motiond::machine::MachineState;
use serde_json::{Value, json};

use crate::client::Client;

/// Where each arm begins, ° and, where a joint slides, mm.
const STARTS: [(&str, &[f64]); 9] = [
    ("six-axis-8kg", &[0.0, -20.0, 30.0, 0.0, 75.0, 0.0]),
    ("six-axis-16kg", &[0.0, 0.0, 0.0, 0.0, 60.0, 0.0]),
    ("six-axis-200kg", &[0.0, 0.0, 0.0, 0.0, 60.0, 0.0]),
    ("three-parallel-12kg", &[0.0, -40.0, 80.0, -40.0, -90.0, 0.0]),
    ("offset-wrist-10kg", &[0.0, 10.0, -30.0, 20.0, 60.0, 0.0]),
    ("seven-axis-14kg", &[0.0, 30.0, 0.0, 60.0, 0.0, 40.0, 0.0]),
    ("scara-6kg", &[0.0, 40.0, 50.0, 0.0]),
    ("palletiser-120kg", &[0.0, 800.0, 400.0, 0.0]),
    ("track-positioner-16kg", &[1500.0, 0.0, 0.0, 0.0, 0.0, 60.0, 0.0]),
];

/// A cell around a built-in robot.
fn cell(model: &KinematicModel, start: &[f64]) -> Assembly {
    let stand: Vec<f64> = start
        .iter()
        .enumerate()
        .map(|(joint, value)| match model.chain.joint_kind(joint) {
            Some(JointKind::Prismatic) => value * 1e-3,
            Some(JointKind::Revolute | JointKind::Continuous) | None => value.to_radians(),
        })
        .collect();
    let stand = JointVector::from_slice(&stand).unwrap();
    let dynamics = model.dynamics().unwrap();
    let gravity = dynamics.gravity_torques(&stand);
    let mut text = format!(
        "format_version = 1\nname = \"{name}\"\n[robot]\nmodel = \"{name}\"\n[ethercat]\nlink = \"simulated\"\ncycle_time_ms = 1.0\n\
         [tcp_limits]\nspeed_max_mm_s = 1500.0\nacceleration_max_mm_s2 = 5000.0\njerk_max_mm_s3 = 50000.0\n\
         orientation_speed_max_deg_s = 180.0\norientation_acceleration_max_deg_s2 = 720.0\n\
         orientation_jerk_max_deg_s3 = 7200.0\n[collision]\nmargin_mm = 3.0\n\
         [mastering]\nwithout_record = \"cell_file\"\n\
         [tools.none]\nposition_mm = [0.0, 0.0, 0.0]\nquaternion_wxyz = [1.0, 0.0, 0.0, 0.0]\nmass_kg = 0.0\n\
         center_of_gravity_mm = [0.0, 0.0, 0.0]\n[work_objects.base]\nposition_mm = [0.0, 0.0, 0.0]\n\
         quaternion_wxyz = [1.0, 0.0, 0.0, 0.0]\n[simulation]\nstart_joints_deg = {start:?}\n",
        name = model.name
    );
    for joint in 1..=start.len() {
        let slides = model.chain.joint_kind(joint - 1) == Some(JointKind::Prismatic);
        let (travel, gear) = if slides {
            ("lead_mm = 20.0\nfollowing_error_max_mm = 20.0", 1.0)
        } else {
            ("following_error_max_deg = 2.0", 100.0)
        };
        // Motors that carry and accelerate the arm as it stands, and as heavy as such motors are.
        let per_turn = if slides { 0.02 / std::f64::consts::TAU } else { 1.0 / gear };
        let limit = model.limits.as_slice()[joint - 1];
        let inertia = dynamics.mass_matrix(&stand)[(joint - 1, joint - 1)];
        let load_nm = gravity.get(joint - 1).abs() + inertia * limit.acceleration_max;
        let rated_nm = (load_nm * per_turn).max(0.2);
        let rotor_kg_m2 = rated_nm * 1e-3;
        text += &format!(
            "[[subdevices]]\nname = \"drive-{joint}\"\ntype = \"generic-cia402\"\njoint = {joint}\n\
             counts_per_turn = 1_048_576\ncounter_bits = 32\ngear_ratio = {gear:.1}\n{travel}\nrated_torque_nm = {rated_nm:.3}\npeak_torque_nm = {:.3}\nrotor_inertia_kg_m2 = {rotor_kg_m2:.6}\n",
            3.0 * rated_nm
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cell.toml");
    std::fs::write(&path, text).unwrap();
    Assembly::load(Some(&path)).unwrap_or_else(|problems| panic!("{}: {problems:#?}", model.name))
}

fn pose_json(pose: &Pose) -> Value {
    let [w, x, y, z] = {
        let turn = pose.rotation.quaternion();
        [turn.w, turn.i, turn.j, turn.k]
    };
    let position: Vec<f64> = pose.translation.vector.iter().map(|value| value * 1e3).collect();
    json!({"position_mm": position, "quaternion_wxyz": [w, x, y, z]})
}

#[test]
fn every_shipped_robot_moves_in_joint_space_and_along_a_line() {
    for embedded in EMBEDDED_MODELS {
        let (_, start) =
            STARTS.iter().find(|(name, _)| *name == embedded.name).expect("a start for each robot");
        let model = EmbeddedModel::by_name(embedded.name).unwrap().load().unwrap();
        let assembly = cell(&model, start);
        let kind = |joint| model.chain.joint_kind(joint).unwrap();
        let there: Vec<f64> = start
            .iter()
            .enumerate()
            .map(|(joint, value)| value + if kind(joint) == JointKind::Prismatic { 40.0 } else { 6.0 })
            .collect();
        let q = JointVector::from_fn(start.len(), |joint| there[joint] / kind(joint).outside_per_unit());
        // 30 mm towards the base, where every arm has room; the orientation stays.
        let mut beside = model.chain.forward(&q);
        beside.translation.vector.x -= 0.03;
        let instructions = vec![
            json!({"do": "move_j", "joints_deg": there, "speed_pct": 20}),
            json!({"do": "move_l", "pose": pose_json(&beside), "v_mm_s": 50.0}),
            json!({"do": "move_j", "joints_deg": start, "speed_pct": 20}),
        ];
        let job = json!({
            "format": "motiond-job", "format_version": 1, "name": "there", "tool": "none", "work_object": "base",
            "instructions": instructions,
        });
        let mut client = Client::with(&assembly, "", 1);
        client.enable();
        let stored = client.put(&job.to_string()).unwrap_or_else(|error| panic!("{}: {error:#}", model.name));
        let report = client.call("job.check", json!({"job_id": stored}));
        let report = report.unwrap_or_else(|error| panic!("{}: {error:#}", model.name));
        assert!(report.to_string().contains("distance_mm"), "{}: {report:#}", model.name);
        client.start(&stored).unwrap_or_else(|error| panic!("{}: {error:#}", model.name));
        client.until(MachineState::Executing);
        client.until(MachineState::Ready);
        let status = client.call("status", json!({})).unwrap();
        let joints: Vec<f64> = status["joints_setpoint_deg"]
            .as_array()
            .unwrap()
            .iter()
            .map(|value| value.as_f64().unwrap())
            .collect();
        for (found, wanted) in joints.iter().zip(*start) {
            assert!((found - wanted).abs() < 0.01, "{}: {joints:?} {start:?}", model.name);
        }
        assert!(
            client.has_event(|event| event.to_string().contains("completed")),
            "{:#?}",
            client.last_events()
        );
    }
}
