//! Properties of the paths, and the corners of their construction.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;
use crate::geometry::{displacement, rotation_between};

fn vectors(size: f64) -> impl Strategy<Value = Vector3<f64>> {
    prop::array::uniform3(-size..size).prop_map(Vector3::from)
}

fn poses() -> impl Strategy<Value = Pose> {
    (vectors(1.0), vectors(2.0)).prop_map(|(position, rotation)| pose(position, rotation))
}

fn pose(position: Vector3<f64>, rotation: Vector3<f64>) -> Pose {
    Pose::from_parts(Translation3::from(position), UnitQuaternion::from_scaled_axis(rotation))
}

fn at(path: &Path, s: f64) -> Pose {
    match path.sample(s) {
        PathPoint::Pose(pose) => pose,
        PathPoint::Joints(_) => Pose::identity(),
    }
}

fn tool_derivatives(path: &Path, s: f64) -> [Twist; 3] {
    match path.derivatives(s) {
        PathDerivatives::Tool { first, second, third } => [first, second, third],
        PathDerivatives::Joints { .. } => [Twist::zero(); 3],
    }
}

/// Derivatives against differences of the samples and of each other.
fn check_derivatives(path: &Path, fraction: f64) -> Result<(), TestCaseError> {
    let length = path.length();
    let step = 1e-5 * length;
    let s = length * fraction.clamp(1e-4, 1.0 - 1e-4);
    let (before, after) = (at(path, s - step), at(path, s + step));
    let moved = displacement(&before, &after);
    let [first, ..] = tool_derivatives(path, s);
    let scale = first.linear.norm() + first.angular.norm();
    prop_assert!((moved.linear / (2.0 * step) - first.linear).norm() <= 1e-6 * scale);
    prop_assert!((moved.angular / (2.0 * step) - first.angular).norm() <= 1e-6 * scale);
    let (lower, upper) = (tool_derivatives(path, s - step), tool_derivatives(path, s + step));
    let here = tool_derivatives(path, s);
    for order in 0..2 {
        let linear = (upper[order].linear - lower[order].linear) / (2.0 * step);
        let angular = (upper[order].angular - lower[order].angular) / (2.0 * step);
        let scale = here[order + 1].linear.norm() + here[order].linear.norm() / length;
        prop_assert!((linear - here[order + 1].linear).norm() <= 1e-6 * scale);
        prop_assert!((angular - here[order + 1].angular).norm() <= 1e-6 * scale);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        rng_seed: RngSeed::Fixed(0x6d6f_7469_6f6e),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_line_is_straight_even_and_ends_where_it_should(
        start in poses(), end in poses(), fraction in 0.0..1.0f64,
    ) {
        let path = Path::Line(LinePath::new(start, end));
        let length = path.length();
        prop_assert!((length - (end.translation.vector - start.translation.vector).norm()).abs() < 1e-12);
        prop_assert!(displacement(&at(&path, 0.0), &start).linear.norm() < 1e-15);
        let miss = displacement(&at(&path, length), &end);
        prop_assert!(miss.linear.norm() < 1e-14 && miss.angular.norm() < 1e-12);
        let here = at(&path, fraction * length);
        let expected = start.translation.vector.lerp(&end.translation.vector, fraction);
        prop_assert!((here.translation.vector - expected).norm() < 1e-14);
        // nalgebra's slerp is an independent implementation.
        if let Some(expected) = start.rotation.try_slerp(&end.rotation, fraction, 1e-9) {
            prop_assert!(rotation_between(&here.rotation, &expected).norm() < 1e-9);
        }
        check_derivatives(&path, fraction)?;
    }

    #[test]
    fn an_arc_passes_its_three_points_at_one_distance_from_its_centre(
        start in poses(), via in vectors(1.0), end in poses(), fraction in 0.0..1.0f64,
    ) {
        let Ok(arc) = ArcPath::new(start, via, end) else { return Ok(()) };
        let path = Path::Arc(arc);
        let length = path.length();
        let rounding = 1e-13 * (1.0 + arc.radius());
        let at_end = displacement(&at(&path, length), &end);
        prop_assert!(at_end.linear.norm() < rounding && at_end.angular.norm() < 1e-12, "{at_end:?}");
        prop_assert!(displacement(&at(&path, 0.0), &start).linear.norm() < 1e-15);
        let here = at(&path, fraction * length).translation.vector;
        prop_assert!(((here - arc.centre()).norm() - arc.radius()).abs() < rounding);
        // The via point is on the way: start to via and via to end are shorter angles than the whole.
        let radial = (start.translation.vector - arc.centre()).normalize();
        let tangent = tool_derivatives(&path, 0.0)[0].linear;
        let to = |point: Vector3<f64>| {
            let from_centre = point - arc.centre();
            from_centre.dot(&tangent).atan2(from_centre.dot(&radial)).rem_euclid(TAU)
        };
        prop_assert!(to(via) < arc.angle());
        let at_via = at(&path, to(via) * arc.radius()).translation.vector;
        prop_assert!((at_via - via).norm() < rounding);
        let [first, ..] = tool_derivatives(&path, fraction * length);
        prop_assert!((first.linear.norm() - 1.0).abs() < 1e-12, "the parameter is the distance");
        check_derivatives(&path, fraction)?;
    }

    #[test]
    fn a_joint_line_moves_all_joints_together(
        start in prop::collection::vec(-3.0..3.0f64, 6), end in prop::collection::vec(-3.0..3.0f64, 6),
        fraction in 0.0..1.0f64,
    ) {
        let vector = |values: &[f64]| JointVector::from_slice(values).unwrap_or(JointVector::zeros(0));
        let (start, end) = (vector(&start), vector(&end));
        let path = JointPath::new(start, end);
        prop_assert!((path.sample(path.length()) - end).max_abs() < 1e-15);
        prop_assert!((path.sample(0.0) - start).max_abs() < 1e-15);
        let expected = start + (end - start) * fraction;
        prop_assert!((path.sample(fraction * path.length()) - expected).max_abs() < 1e-14);
        prop_assert!((path.direction().max_abs() - 1.0).abs() < 1e-15);
    }
}

#[test]
fn outside_its_range_the_parameter_is_clamped_and_nan_is_the_start() {
    let start = pose(Vector3::new(0.1, 0.2, 0.3), Vector3::zeros());
    let end = pose(Vector3::new(0.4, 0.2, 0.3), Vector3::new(0.0, 0.0, 1.0));
    let path = Path::Line(LinePath::new(start, end));
    assert_eq!(path.sample(-1.0), path.sample(0.0));
    assert_eq!(path.sample(f64::NAN), path.sample(0.0));
    assert_eq!(path.sample(99.0), path.sample(path.length()));
}

#[test]
fn a_motion_to_where_it_starts_has_no_length_and_stands() {
    let here = pose(Vector3::new(0.1, 0.2, 0.3), Vector3::new(0.3, 0.0, 1.0));
    let line = Path::Line(LinePath::new(here, here));
    assert_eq!(line.length().to_bits(), 0);
    assert_eq!(line.sample(0.5), line.sample(0.0));
    assert_eq!(tool_derivatives(&line, 0.0)[0], Twist::zero());
    let joints = JointVector::zeros(6);
    let joint = Path::Joint(JointPath::new(joints, joints));
    assert_eq!(joint.length().to_bits(), 0);
    assert_eq!(joint.sample(1.0), PathPoint::Joints(joints));
    assert_eq!(joint.derivatives(1.0), PathDerivatives::Joints { first: joints });
}

#[test]
fn a_pure_rotation_is_measured_in_radians() {
    let start = pose(Vector3::new(0.1, 0.2, 0.3), Vector3::zeros());
    let end = pose(Vector3::new(0.1, 0.2, 0.3 + 1e-4), Vector3::new(0.0, FRAC_PI_2, 0.0));
    let path = Path::Line(LinePath::new(start, end));
    assert_eq!(path.unit(), ParameterUnit::ToolRotation);
    assert!((path.length() - FRAC_PI_2).abs() < 1e-12);
    assert!((tool_derivatives(&path, 0.3)[0].angular.norm() - 1.0).abs() < 1e-12);
    assert!(displacement(&at(&path, path.length()), &end).linear.norm() < 1e-15);
}

#[test]
fn half_a_turn_is_made_about_one_axis_and_arrives() {
    for axis in [Vector3::x(), Vector3::y(), Vector3::z(), Vector3::new(0.6, 0.0, 0.8)] {
        for angle in [PI, -PI, PI - 1e-9, PI + 1e-9] {
            let start = pose(Vector3::zeros(), Vector3::new(0.3, -0.2, 0.9));
            let turned = UnitQuaternion::from_scaled_axis(axis * angle) * start.rotation;
            let end = Pose::from_parts(Translation3::new(0.2, 0.0, 0.0), turned);
            let path = Path::Line(LinePath::new(start, end));
            let miss = rotation_between(&at(&path, path.length()).rotation, &end.rotation);
            assert!(miss.norm() < 1e-12, "{axis} {angle}: {miss}");
            let middle = rotation_between(&start.rotation, &at(&path, path.length() / 2.0).rotation);
            assert!((middle.norm() - FRAC_PI_2).abs() < 1e-6);
        }
    }
}

#[test]
fn points_that_make_no_arc_are_refused_with_the_reason() {
    let at = |x: f64, y: f64| pose(Vector3::new(x, y, 0.0), Vector3::zeros());
    let via = |x: f64, y: f64| Vector3::new(x, y, 0.0);
    let arc = |via, end| ArcPath::new(at(0.0, 0.0), via, end);
    assert_eq!(arc(via(0.1, 0.1), at(0.0, 0.0)), Err(ArcProblem::EndAtStart));
    assert_eq!(arc(via(0.0, 0.0), at(0.2, 0.0)), Err(ArcProblem::ViaAtStart));
    assert_eq!(arc(via(0.2, 0.0), at(0.2, 0.0)), Err(ArcProblem::ViaAtEnd));
    let Err(ArcProblem::Collinear { distance_m }) = arc(via(0.1, 0.000_09), at(0.2, 0.0)) else {
        panic!("90 µm from the chord is a line");
    };
    assert!((distance_m - 9e-5).abs() < 1e-12);
    assert!(matches!(arc(via(0.3, 0.0), at(0.2, 0.0)), Err(ArcProblem::Collinear { .. })));
    assert!(matches!(arc(via(f64::NAN, 0.0), at(0.2, 0.0)), Err(ArcProblem::Collinear { .. })));
    assert!(arc(via(0.1, 0.000_11), at(0.2, 0.0)).is_ok());
}

#[test]
fn a_quarter_circle_is_known_in_closed_form() {
    let start = pose(Vector3::new(1.0, 0.0, 0.5), Vector3::zeros());
    let end = pose(Vector3::new(0.0, 1.0, 0.5), Vector3::zeros());
    let half = 0.5f64.sqrt();
    let Ok(arc) = ArcPath::new(start, Vector3::new(half, half, 0.5), end) else {
        panic!("a quarter circle is an arc")
    };
    assert!((arc.radius() - 1.0).abs() < 1e-14);
    assert!((arc.angle() - FRAC_PI_2).abs() < 1e-14);
    assert!((arc.centre() - Vector3::new(0.0, 0.0, 0.5)).norm() < 1e-14);
    let [_, second, third] = tool_derivatives(&Path::Arc(arc), FRAC_PI_2 / 2.0);
    assert!((second.linear - Vector3::new(-half, -half, 0.0)).norm() < 1e-14);
    assert!((third.linear - Vector3::new(half, -half, 0.0)).norm() < 1e-14);
}
