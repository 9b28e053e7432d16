//! Six arms as their makers describe them, with poses and Jacobians from Pinocchio. The files are not part of the
//! project; without them the test says so and passes.

use std::path::Path;

use motiond::config::kinematic_model::from_text;
use motiond::joints::{JointLimits, JointVector};
use motiond::kinematics::configuration::Wish;
use motiond::kinematics::inverse::Solver;
use serde_json::Value;

const ARMS: [&str; 6] =
    ["abb_irb4600_60_205", "fanuc_lrmate200id", "kuka_kr6r900sixx", "kuka_lbr_iiwa_14_r820", "panda", "ur5e"];

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(|entry| entry.as_f64().expect("a number")).collect()
}

/// Acceleration and jerk for every named joint; the URDFs have none.
fn limits_for(joints: &[String]) -> String {
    joints.iter().fold(String::new(), |text, joint| {
        text + &format!("[joints.{joint}]\nacceleration_max_deg_s2 = 500\njerk_max_deg_s3 = 5000\n")
    })
}

/// From far away, and to the same joints from near by; among all solutions is the one the pose was made of.
fn inverse_leads_back(arm: &str, solver: &Solver, limits: &JointLimits, q: &JointVector) {
    let chain = solver.chain();
    let pose = chain.forward(q);
    let mut middles = limits.as_slice().iter();
    let middle = q.map(|_| middles.next().map_or(0.0, |l| 0.5 * (l.position_min + l.position_max) + 0.01));
    let found =
        solver.nearest(&pose, &middle, &Wish::FREE).unwrap_or_else(|| panic!("{arm}: {q:?} not solved"));
    let gap = motiond::geometry::displacement(&chain.forward(&found.q), &pose);
    assert!(gap.linear.norm() <= 1e-9 && gap.angular.norm() <= 1e-9, "{arm}: {gap:?}");
    assert_eq!(limits.first_outside(&found.q, 0.0), None, "{arm}");
    if let Some(closed) = solver.closed_form() {
        let mut nearest = f64::INFINITY;
        // Where a singular pose leaves an angle free, the seed's is taken.
        solver.each(&pose, q, &mut |solution| {
            let gap = motiond::geometry::displacement(&chain.forward(&solution.q), &pose);
            assert!(gap.linear.norm() <= 1e-12 && gap.angular.norm() <= 1e-12, "{arm}: {gap:?}");
            nearest = nearest.min((solution.q - *q).max_abs());
            true
        });
        assert!(nearest < 1e-6, "{arm} ({:?}): {q:?} is not among its solutions, {nearest}", closed.class());
    } else {
        assert!(chain.joint_count() > 6, "{arm} has a closed form");
    }
}

#[test]
fn forward_kinematics_and_jacobian_of_real_arms_meet_the_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/arms");
    if !folder.is_dir() {
        println!("NOT CHECKED: the descriptions of real arms are not beside this checkout");
        return;
    }
    for arm in ARMS {
        let read = |name: String| {
            std::fs::read_to_string(folder.join(&name)).unwrap_or_else(|e| panic!("{name}: {e}"))
        };
        let urdf = read(format!("{arm}.urdf"));
        let reference: Value = serde_json::from_str(&read(format!("{arm}.reference.json"))).expect("JSON");
        let text = |key: &str| reference[key].as_str().expect("text").to_owned();
        let names: Vec<String> = reference["joint_names"]
            .as_array()
            .expect("an array")
            .iter()
            .map(|name| name.as_str().expect("text").to_owned())
            .collect();
        let model = from_text(&urdf, &limits_for(&names), Some(&text("base_link")), Some(&text("tip_link")))
            .unwrap_or_else(|problems| panic!("{arm}:\n{problems}"));
        assert_eq!(model.joint_names, names, "{arm}");
        for (limit, (low, speed)) in model
            .limits
            .as_slice()
            .iter()
            .zip(numbers(&reference["lower"]).into_iter().zip(numbers(&reference["velocity"])))
        {
            assert!(
                (limit.position_min - low).abs() < 1e-12 && (limit.speed_max - speed).abs() < 1e-12,
                "{arm}"
            );
        }

        let samples = reference["samples"].as_array().expect("an array");
        for sample in samples {
            let q = JointVector::from_slice(&numbers(&sample["q"])).expect("at most twelve");
            let (pose, jacobian) = model.chain.forward_with_jacobian(&q);
            let matrix = pose.to_homogeneous();
            for (row, wanted) in sample["T"].as_array().expect("rows").iter().enumerate() {
                for (column, wanted) in numbers(wanted).into_iter().enumerate() {
                    let found = matrix[(row, column)];
                    assert!((found - wanted).abs() <= 1e-12, "{arm} T[{row}][{column}]: {found} {wanted}");
                }
            }
            for (row, wanted) in sample["J_world_aligned"].as_array().expect("rows").iter().enumerate() {
                for (column, wanted) in numbers(wanted).into_iter().enumerate() {
                    let found = jacobian[(row, column)];
                    assert!((found - wanted).abs() <= 1e-10, "{arm} J[{row}][{column}]: {found} {wanted}");
                }
            }
        }
        let solver = Solver::new(&model.chain, &model.limits).expect("as many limits as joints");
        for sample in samples {
            let q = JointVector::from_slice(&numbers(&sample["q"])).expect("at most twelve");
            inverse_leads_back(arm, &solver, &model.limits, &q);
        }
        println!("{arm}: {} poses checked", samples.len());
    }
}
