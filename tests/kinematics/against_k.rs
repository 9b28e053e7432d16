//! Forward kinematics and Jacobian against the library `k`, on models made at random as URDF text.

use motiond::config::kinematic_model::{EmbeddedModel, KinematicModel, from_text};
use motiond::joints::{JointVector, MAX_JOINTS};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, proptest};
use proptest::test_runner::RngSeed;

/// One joint of a random robot: type, three numbers of origin, three of orientation, three of axis, position.
type Drawn = (usize, [f64; 3], [f64; 3], [f64; 3], f64);

fn drawn_joint() -> impl Strategy<Value = Drawn> {
    let axis = [-1.0..1.0, -1.0..1.0, -1.0..1.0]
        .prop_filter("a direction", |axis: &[f64; 3]| axis.iter().map(|v| v * v).sum::<f64>() > 0.01);
    (0_usize..4, [-0.4..0.4, -0.4..0.4, -0.4..0.4], [-3.0..3.0, -3.0..3.0, -3.0..3.0], axis, -1.5..1.5)
}

/// URDF and limits of a chain of the drawn joints, type 3 being fixed.
fn texts(joints: &[Drawn]) -> (String, String) {
    let mut urdf = "<robot name=\"drawn\">\n<link name=\"l0\"/>\n".to_owned();
    let mut limits = "[joints]\n".to_owned();
    for (index, (kind, xyz, rpy, axis, _)) in joints.iter().enumerate() {
        let name = ["revolute", "continuous", "prismatic", "fixed"][*kind];
        let three = |v: &[f64; 3]| format!("{} {} {}", v[0], v[1], v[2]);
        urdf += &format!(
            "<link name=\"l{0}\"/>\n<joint name=\"j{0}\" type=\"{name}\"><parent link=\"l{index}\"/><child link=\"l{0}\"/>\
             <origin xyz=\"{1}\" rpy=\"{2}\"/><axis xyz=\"{3}\"/>\
             <limit lower=\"-2\" upper=\"2\" velocity=\"1\" effort=\"1\"/></joint>\n",
            index + 1,
            three(xyz),
            three(rpy),
            three(axis)
        );
        let unit = if *kind == 2 { "mm" } else { "deg" };
        if *kind < 3 {
            limits +=
                &format!("[joints.j{}]\nacceleration_max_{unit}_s2 = 1\njerk_max_{unit}_s3 = 1\n", index + 1);
        }
    }
    (urdf + "</robot>\n", limits)
}

fn compare(model: &KinematicModel, urdf: &str, tip_joint: &str, q: &[f64]) {
    let tree = k::Chain::<f64>::from(&urdf_rs::read_from_string(urdf).expect("checked before"));
    let arm = k::SerialChain::from_end(tree.find(tip_joint).expect("the joint exists"));
    arm.set_joint_positions_unchecked(q);
    let wanted = arm.end_transform().to_homogeneous();
    let (pose, jacobian) =
        model.chain.forward_with_jacobian(&JointVector::from_slice(q).expect("at most twelve"));
    let found = pose.to_homogeneous();
    for row in 0..4 {
        for column in 0..4 {
            let (found, wanted) = (found[(row, column)], wanted[(row, column)]);
            assert!((found - wanted).abs() < 1e-12, "pose [{row}][{column}]: {found}, k {wanted}");
        }
    }
    let wanted = k::jacobian(&arm);
    for row in 0..6 {
        for column in 0..q.len() {
            let (found, wanted) = (jacobian[(row, column)], wanted[(row, column)]);
            assert!((found - wanted).abs() < 1e-12, "Jacobian [{row}][{column}]: {found}, k {wanted}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, rng_seed: RngSeed::Fixed(20_261), ..ProptestConfig::with_cases(500)
    })]

    #[test]
    fn a_random_chain_read_from_urdf_moves_as_in_k(joints in vec(drawn_joint(), 1..=MAX_JOINTS)) {
        let (urdf, limits) = texts(&joints);
        let moving: Vec<f64> = joints.iter().filter(|joint| joint.0 < 3).map(|joint| joint.4).collect();
        match from_text(&urdf, &limits, None, None) {
            Ok(model) => {
                assert_eq!(model.chain.joint_count(), moving.len());
                compare(&model, &urdf, &format!("j{}", joints.len()), &moving);
            }
            Err(problems) => assert!(moving.is_empty(), "{problems}"),
        }
    }

    #[test]
    fn the_shipped_arm_moves_as_in_k(q in vec(-3.0..3.0_f64, 6)) {
        let embedded = EmbeddedModel::by_name("six-axis-8kg").expect("shipped");
        let model = embedded.load().expect("valid");
        compare(&model, embedded.urdf, "flange_mount", &q);
    }
}
