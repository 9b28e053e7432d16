//! Axes of external joints: a track from one point touched with the carriage in several places, a positioner from
//! one marked point of its plate touched at several angles.

use nalgebra::{DMatrix, Matrix3, Rotation3, Translation3, UnitQuaternion, Vector3};

use super::{CalibrationProblem, Residuals, as_f64};
use crate::geometry::Pose;

/// The carriage must have moved at least this far, m.
const TRAVEL_MIN_M: f64 = 0.1;
/// The marked point must be at least this far from the axis, m.
const RADIUS_MIN_M: f64 = 0.02;
/// Smallest singular value of 1, cos, sin over the root of their number, at least: three angles over 40° reach it.
const SHARPNESS_MIN: f64 = 0.02;

/// A sliding axis as the arm on it sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearAxis {
    /// Direction of positive travel in the base frame of the arm, length one.
    pub direction: Vector3<f64>,
    /// Measured travel over the travel the joint shows; 1 when its scaling is right.
    pub scale: f64,
    /// Distance of each measurement from where the axis, as it scales itself, would have it.
    pub residuals: Residuals,
}

/// The direction of a track from `(travel, point)`: a fixed point as the arm measures it, m, in its own base frame.
///
/// While the carriage goes one way, the fixed point goes the other way. By least squares.
/// # Errors
/// Fewer than 2 measurements, or less than 100 mm of travel.
pub fn linear_axis(measurements: &[(f64, Vector3<f64>)]) -> Result<LinearAxis, CalibrationProblem> {
    let count = measurements.len();
    if count < 2 {
        return Err(CalibrationProblem::TooFew { what: "measurements", given: count, needed: 2 });
    }
    super::check_finite(measurements.iter().map(|(travel, point)| point.map(|value| value + 0.0 * travel)))?;
    let travels = measurements.iter().map(|(travel, _)| *travel);
    let (low, high) = travels
        .clone()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), travel| (low.min(travel), high.max(travel)));
    if high - low < TRAVEL_MIN_M {
        return Err(CalibrationProblem::TooLittle {
            what: "travel between the first and the last place of the carriage",
            found: (high - low) * 1e3,
            needed: TRAVEL_MIN_M * 1e3,
            unit: "mm",
        });
    }
    let middle = travels.sum::<f64>() / as_f64(count);
    let centre = measurements.iter().map(|(_, point)| point).sum::<Vector3<f64>>() / as_f64(count);
    let slope =
        measurements.iter().map(|(travel, point)| (point - centre) * (travel - middle)).sum::<Vector3<f64>>()
            / measurements.iter().map(|(travel, _)| (travel - middle).powi(2)).sum::<f64>();
    let scale = slope.norm();
    if scale < 0.5 {
        return Err(CalibrationProblem::TooLittle {
            what: "the point hardly moved against the arm: its travel over that of the joint",
            found: scale,
            needed: 0.5,
            unit: "(ratio)",
        });
    }
    let direction = -slope / scale;
    let residuals = measurements
        .iter()
        .map(|(travel, point)| (point - centre + direction * (travel - middle)).norm())
        .collect();
    Ok(LinearAxis { direction, scale, residuals: Residuals(residuals) })
}

/// A turning axis.
#[derive(Clone, Debug, PartialEq)]
pub struct RotaryAxis {
    /// Frame of the axis in the base frame: z along it, x towards the marked point at angle zero, origin in the plane
    /// the marked point goes round in.
    pub x_base_axis: Pose,
    /// Distance of the marked point from the axis, m.
    pub radius_m: f64,
    /// Distance of each measurement from the circle at its angle.
    pub residuals: Residuals,
}

/// The axis of a positioner from `(angle, point)`: a marked point of the plate, m in the base frame, at several joint
/// angles, rad.
///
/// p = c + a cos θ + b sin θ by least squares; a and b are then made equally long and square to each other, so that a
/// wrong sense or ratio of the joint shows in the residuals.
/// # Errors
/// Fewer than 3 measurements, angles too near to each other, or a point nearer than 20 mm to the axis.
pub fn rotary_axis(measurements: &[(f64, Vector3<f64>)]) -> Result<RotaryAxis, CalibrationProblem> {
    let count = measurements.len();
    if count < 3 {
        return Err(CalibrationProblem::TooFew { what: "measurements", given: count, needed: 3 });
    }
    super::check_finite(measurements.iter().map(|(angle, point)| point.map(|value| value + 0.0 * angle)))?;
    let equations = DMatrix::from_fn(count, 3, |row, column| match column {
        0 => 1.0,
        1 => measurements[row].0.cos(),
        _ => measurements[row].0.sin(),
    });
    let points = DMatrix::from_fn(count, 3, |row, column| measurements[row].1[column]);
    let svd = equations.svd(true, true);
    let sharpness = svd.singular_values.min() / as_f64(count).sqrt();
    if sharpness.is_nan() || sharpness < SHARPNESS_MIN {
        return Err(CalibrationProblem::TooLittle {
            what: "the angles are too near to each other: what they tell of the circle",
            found: sharpness,
            needed: SHARPNESS_MIN,
            unit: "(smallest singular value; three angles over 40° are enough)",
        });
    }
    let Ok(solution) = svd.solve(&points, 0.0) else {
        return Err(CalibrationProblem::NotSettled { rounds: 1 });
    };
    let row = |index: usize| Vector3::new(solution[(index, 0)], solution[(index, 1)], solution[(index, 2)]);
    let (centre, a, b) = (row(0), row(1), row(2));
    let radius_m = 0.5 * (a.norm() + b.norm());
    let normal = a.cross(&b);
    if radius_m < RADIUS_MIN_M || normal.norm() < 0.25 * radius_m * radius_m {
        return Err(CalibrationProblem::TooLittle {
            what: "distance of the marked point from the axis",
            found: if radius_m > 0.0 { normal.norm() / radius_m * 1e3 } else { 0.0 },
            needed: RADIUS_MIN_M * 1e3,
            unit: "mm",
        });
    }
    let z = normal.normalize();
    // Halfway between a and b turned back by a right angle: each gives up half of what they disagree.
    let x = (a.normalize() + b.normalize().cross(&z)).normalize();
    let y = z.cross(&x);
    let residuals = measurements
        .iter()
        .map(|(angle, point)| (point - centre - (x * angle.cos() + y * angle.sin()) * radius_m).norm())
        .collect();
    let rotation = Rotation3::from_matrix_unchecked(Matrix3::from_columns(&[x, y, z]));
    let x_base_axis =
        Pose::from_parts(Translation3::from(centre), UnitQuaternion::from_rotation_matrix(&rotation));
    Ok(RotaryAxis { x_base_axis, radius_m, residuals: Residuals(residuals) })
}

#[cfg(test)]
mod tests {
    use super::super::test_noise::Noise;
    use super::*;

    #[test]
    fn a_track_gives_its_direction_and_scale_back() {
        let truth = Vector3::new(0.999, 0.03, -0.01).normalize();
        let mut noise = Noise::new(3);
        let measured = |scale: f64, size: f64, noise: &mut Noise| -> Vec<_> {
            [0.0, 0.7, 1.5, 2.4]
                .map(|travel| {
                    (travel, Vector3::new(1.2, 0.4, 0.3) - truth * (travel * scale) + noise.vector(size))
                })
                .to_vec()
        };
        let exact = linear_axis(&measured(1.0, 0.0, &mut noise)).expect("good");
        assert!((exact.direction - truth).norm() < 1e-12 && (exact.scale - 1.0).abs() < 1e-12);
        assert!(exact.residuals.max_m() < 1e-12);
        let noisy = linear_axis(&measured(1.0, 2e-4, &mut noise)).expect("good");
        assert!((noisy.direction - truth).norm() < 3e-4, "{noisy:?}");
        // A rack that is 1 % longer than the drive thinks: centimetres at the ends.
        let wrong = linear_axis(&measured(1.01, 0.0, &mut noise)).expect("good");
        assert!((wrong.scale - 1.01).abs() < 1e-9 && wrong.residuals.max_m() > 5e-3);
    }

    #[test]
    fn tracks_that_did_not_move_are_refused() {
        let point = Vector3::new(1.0, 0.0, 0.5);
        let refused = |list: &[(f64, Vector3<f64>)]| linear_axis(list).expect_err("degenerate").to_string();
        assert!(refused(&[(0.0, point)]).contains("1 measurements given"));
        assert!(refused(&[(0.0, point), (0.05, point)]).contains("50.000 mm"));
        assert!(refused(&[(0.0, point), (1.0, point)]).contains("hardly moved"));
        assert!(refused(&[(f64::NAN, point), (1.0, point)]).contains("measurement 1"));
    }

    fn axis() -> Pose {
        Pose::from_parts(Translation3::new(2.0, 1.6, 0.8), UnitQuaternion::from_euler_angles(0.02, 1.55, 0.4))
    }

    /// A marked point 0.3 m from the axis, with the joint at these angles, ° (`ratio`: what the plate really turns).
    fn turned(angles: &[f64], ratio: f64, size: f64) -> Vec<(f64, Vector3<f64>)> {
        let mut noise = Noise::new(5);
        angles
            .iter()
            .map(|degrees| {
                let (sine, cosine) = (degrees.to_radians() * ratio).sin_cos();
                let point = axis() * nalgebra::Point3::new(0.3 * cosine, 0.3 * sine, 0.0);
                (degrees.to_radians(), point.coords + noise.vector(size))
            })
            .collect()
    }

    #[test]
    fn a_positioner_gives_its_axis_back() {
        let angles = [0.0, 40.0, 100.0, 170.0, -60.0];
        let exact = rotary_axis(&turned(&angles, 1.0, 0.0)).expect("good");
        let gap = crate::geometry::displacement(&axis(), &exact.x_base_axis);
        assert!(gap.linear.norm() < 1e-12 && gap.angular.norm() < 1e-12, "{gap:?}");
        assert!((exact.radius_m - 0.3).abs() < 1e-12 && exact.residuals.max_m() < 1e-12);
        let noisy = rotary_axis(&turned(&angles, 1.0, 1e-4)).expect("good");
        let gap = crate::geometry::displacement(&axis(), &noisy.x_base_axis);
        assert!(gap.linear.norm() < 3e-4 && gap.angular.norm() < 1e-3, "{gap:?}");
        assert!(noisy.residuals.max_m() < 3e-4);
        // A gear ratio that is 2 % off, and a joint that turns the other way.
        assert!(rotary_axis(&turned(&angles, 1.02, 0.0)).expect("good").residuals.max_m() > 1e-3);
        let other_way = rotary_axis(&turned(&angles, -1.0, 0.0)).expect("good");
        assert!(
            (other_way.x_base_axis.rotation * Vector3::z() + axis().rotation * Vector3::z()).norm() < 1e-9
        );
    }

    #[test]
    fn circles_that_do_not_tell_are_refused() {
        let refused = |list: &[(f64, Vector3<f64>)]| rotary_axis(list).expect_err("degenerate").to_string();
        assert!(refused(&turned(&[0.0, 90.0], 1.0, 0.0)).contains("2 measurements given"));
        assert!(refused(&turned(&[0.0, 2.0, 4.0], 1.0, 0.0)).contains("too near"));
        assert!(refused(&turned(&[10.0, 10.0, 10.0], 1.0, 0.0)).contains("too near"));
        let still: Vec<_> = [0.0, 1.0, 2.0].map(|angle| (angle, Vector3::new(1.0, 1.0, 1.0))).to_vec();
        assert!(refused(&still).contains("from the axis"));
    }
}
