use super::*;
use crate::calibration::test_noise::Noise;
use crate::config::collision_model::spread_joints;
use crate::config::kinematic_model::SIX_AXIS_8KG;

const TARGET: Vector3<f64> = Vector3::new(0.06, -0.04, 0.12);

fn instrument() -> Pose {
    Pose::from_parts(Translation3::new(3.0, -1.0, 0.4), UnitQuaternion::from_euler_angles(0.02, -0.01, 2.5))
}

/// Measurements of an arm whose joints have these offsets and whose joint 3 sits 0.8 mm and 0.05° off.
fn measured(offsets: &[f64; 6], links: bool, count: u32, noise_m: f64) -> Vec<KinematicMeasurement> {
    let model = SIX_AXIS_8KG.load().expect("valid");
    let mut joints = described_joints(&model.chain);
    for (joint, offset) in joints.iter_mut().zip(offsets) {
        joint.origin.rotation *= UnitQuaternion::from_axis_angle(&joint.axis, *offset);
    }
    if links {
        let across = directions_across(&joints[2].axis);
        joints[2].origin *= Isometry3::from_parts(
            Translation3::from(across[0] * 8e-4),
            UnitQuaternion::from_scaled_axis(across[1] * 9e-4),
        );
    }
    let truth = Chain::from_joints(&joints, &x_last_flange(&model.chain)).expect("valid");
    let mut noise = Noise::new(17);
    (0..count)
        .map(|index| {
            let q = spread_joints(&model, index);
            let place = instrument() * truth.forward(&q) * nalgebra::Point3::from(TARGET);
            KinematicMeasurement { q, target_in_instrument: place.coords + noise.vector(noise_m) }
        })
        .collect()
}

const OFFSETS: [f64; 6] = [0.004, -0.006, 0.009, -0.012, 0.01, 0.007];

fn offset_of(found: &KinematicCalibration, joint: usize) -> Option<&Parameter> {
    found.parameters.iter().find(|one| one.joint == joint && one.kind == ParameterKind::Offset)
}

#[test]
fn the_joints_found_from_a_chain_make_the_same_chain() {
    let chain = SIX_AXIS_8KG.load().expect("valid").chain;
    let again = Chain::from_joints(&described_joints(&chain), &x_last_flange(&chain)).expect("valid");
    let q = JointVector::from_slice(&[0.3, -0.4, 0.5, -0.6, 0.7, -0.8]).expect("six");
    let gap = crate::geometry::displacement(&chain.forward(&q), &again.forward(&q));
    assert!(gap.linear.norm() < 1e-14 && gap.angular.norm() < 1e-14);
}

#[test]
fn offsets_come_back_when_instrument_and_target_are_known() {
    let chain = SIX_AXIS_8KG.load().expect("valid").chain;
    let task =
        KinematicTask { x_instrument_base: Some(instrument()), target_in_flange: Some(TARGET), links: false };
    let found = kinematic_calibration(&chain, &measured(&OFFSETS, false, 30, 0.0), &task).expect("good");
    assert!(found.held.is_empty(), "{:?}", found.held);
    for (joint, wanted) in OFFSETS.iter().enumerate() {
        let value = offset_of(&found, joint).expect("found").value;
        assert!((value - wanted).abs() < 1e-9, "joint {}: {value} {wanted}", joint + 1);
    }
    assert!(found.before.max_m() > 5e-3 && found.residuals.max_m() < 1e-9);
}

#[test]
fn what_looks_like_the_instrument_is_held_and_the_rest_comes_back_under_noise() {
    let chain = SIX_AXIS_8KG.load().expect("valid").chain;
    let task = KinematicTask { x_instrument_base: None, target_in_flange: None, links: false };
    let found = kinematic_calibration(&chain, &measured(&OFFSETS, false, 60, 5e-5), &task).expect("good");
    let held: Vec<usize> = found.held.iter().map(|one| one.joint).collect();
    assert_eq!(held, [5, 0], "joint 6 looks like a moved target, joint 1 like a turned instrument");
    for (joint, wanted) in OFFSETS.iter().enumerate().take(5).skip(1) {
        let one = offset_of(&found, joint).expect("found");
        let deviation = one.deviation.expect("more measurements than unknowns");
        assert!(
            (one.value - wanted).abs() < 4.0 * deviation && deviation < 2e-4,
            "joint {}: {one:?}",
            joint + 1
        );
    }
    assert!(found.residuals.max_m() < 2e-4 && found.before.max_m() > 10.0 * found.residuals.max_m());
    // Poses it never saw.
    let unseen = measured(&OFFSETS, false, 90, 0.0).split_off(60);
    for one in unseen {
        let flange = found.x_instrument_base * found.chain.forward(&one.q);
        let place = (flange * nalgebra::Point3::from(found.target_in_flange)).coords;
        assert!((place - one.target_in_instrument).norm() < 1e-4);
    }
}

#[test]
fn link_errors_come_back_as_an_arm_that_measures_right_everywhere() {
    let chain = SIX_AXIS_8KG.load().expect("valid").chain;
    let task = KinematicTask { x_instrument_base: None, target_in_flange: None, links: true };
    let found = kinematic_calibration(&chain, &measured(&OFFSETS, true, 80, 2e-5), &task).expect("good");
    assert!(found.residuals.max_m() < 1e-4 && found.before.max_m() > 2e-3, "{:?}", found.residuals.max_m());
    assert!(!found.held.is_empty() && found.condition < 1e4 / 0.9);
    for one in measured(&OFFSETS, true, 120, 0.0).split_off(80) {
        let flange = found.x_instrument_base * found.chain.forward(&one.q);
        let place = (flange * nalgebra::Point3::from(found.target_in_flange)).coords;
        assert!((place - one.target_in_instrument).norm() < 1e-4);
    }
}

#[test]
fn measurements_that_do_not_tell_are_refused_or_hold_what_stood_still() {
    let chain = SIX_AXIS_8KG.load().expect("valid").chain;
    let task = KinematicTask { x_instrument_base: None, target_in_flange: None, links: true };
    let few = kinematic_calibration(&chain, &measured(&OFFSETS, false, 12, 0.0), &task).expect_err("too few");
    assert_eq!(few, CalibrationProblem::TooFew { what: "measurements", given: 12, needed: 13 });
    let mut bad = measured(&OFFSETS, false, 20, 0.0);
    bad[7].target_in_instrument.z = f64::NAN;
    assert_eq!(kinematic_calibration(&chain, &bad, &task), Err(CalibrationProblem::NotFinite { point: 7 }));
    // Only joint 1 moved: the target goes round in a circle, which tells nothing of the others.
    let one_joint: Vec<_> = (0..40)
        .map(|index| {
            let mut q = JointVector::from_slice(&[0.0, 0.1, 0.2, 0.3, 0.4, 0.5]).expect("six");
            q.set(0, -2.0 + 0.1 * f64::from(index));
            let place = instrument() * chain.forward(&q) * nalgebra::Point3::from(TARGET);
            KinematicMeasurement { q, target_in_instrument: place.coords }
        })
        .collect();
    let task = KinematicTask { links: false, ..task };
    let error = kinematic_calibration(&chain, &one_joint, &task).expect_err("a circle");
    assert!(error.to_string().contains("measure with all joints moved"), "{error}");
}
