//! The tool centre point from poses that all bring it to one fixed tip, and its direction from two more.

use nalgebra::{DMatrix, DVector, Matrix3, Rotation3, UnitQuaternion, Vector3};

use super::{CalibrationProblem, Residuals, as_f64};
use crate::geometry::{Pose, rotation_between};

/// Poses that are needed.
const POSES_MIN: usize = 4;
/// Largest angle between two of the poses, rad, at least: below it small errors become large ones.
const SPREAD_MIN_RAD: f64 = 30.0 * std::f64::consts::PI / 180.0;
/// Smallest singular value of the equations over the root of their number, at least. Poses turned about one axis
/// alone give zero: where the tool lies along that axis is then open.
const SHARPNESS_MIN: f64 = 0.05;
/// A direction is measured over at least this distance, m.
const DIRECTION_MIN_M: f64 = 0.02;

/// A tool centre point.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolFit {
    /// In the flange frame, m.
    pub tool_in_flange: Vector3<f64>,
    /// The tip that was touched, in the base frame, m.
    pub tip_in_base: Vector3<f64>,
    /// Distance of the tool from the tip in each pose.
    pub residuals: Residuals,
    /// Largest angle between two of the poses, rad.
    pub spread_rad: f64,
}

/// The tool centre point from flange poses that bring it to one tip: R t + p = c for each, by least squares.
///
/// # Errors
/// Fewer than 4 poses, poses that differ by less than 30°, or turned about one axis alone.
pub fn tool_position(x_base_flange: &[Pose]) -> Result<ToolFit, CalibrationProblem> {
    let count = x_base_flange.len();
    if count < POSES_MIN {
        return Err(CalibrationProblem::TooFew { what: "poses", given: count, needed: POSES_MIN });
    }
    super::check_finite(x_base_flange.iter().map(|pose| pose.translation.vector))?;
    let spread_rad = x_base_flange
        .iter()
        .enumerate()
        .flat_map(|(at, one)| x_base_flange.iter().skip(at + 1).map(move |other| (one, other)))
        .map(|(one, other)| rotation_between(&one.rotation, &other.rotation).norm())
        .fold(0.0, f64::max);
    if spread_rad < SPREAD_MIN_RAD {
        return Err(CalibrationProblem::TooLittle {
            what: "the largest angle between two poses",
            found: spread_rad.to_degrees(),
            needed: SPREAD_MIN_RAD.to_degrees(),
            unit: "°",
        });
    }
    let mut equations = DMatrix::zeros(3 * count, 6);
    let mut wanted = DVector::zeros(3 * count);
    for (index, pose) in x_base_flange.iter().enumerate() {
        let rotation: Matrix3<f64> = pose.rotation.to_rotation_matrix().into_inner();
        equations.fixed_view_mut::<3, 3>(3 * index, 0).copy_from(&rotation);
        equations.fixed_view_mut::<3, 3>(3 * index, 3).copy_from(&-Matrix3::identity());
        wanted.fixed_rows_mut::<3>(3 * index).copy_from(&-pose.translation.vector);
    }
    let svd = equations.svd(true, true);
    let sharpness = svd.singular_values.min() / as_f64(count).sqrt();
    if sharpness.is_nan() || sharpness < SHARPNESS_MIN {
        return Err(CalibrationProblem::TooLittle {
            what: "the poses turn about one axis only; turning about a second one",
            found: sharpness,
            needed: SHARPNESS_MIN,
            unit: "(smallest singular value)",
        });
    }
    let Ok(solution) = svd.solve(&wanted, 0.0) else {
        return Err(CalibrationProblem::NotSettled { rounds: 1 });
    };
    let tool_in_flange = Vector3::new(solution[0], solution[1], solution[2]);
    let tip_in_base = Vector3::new(solution[3], solution[4], solution[5]);
    let residuals = x_base_flange
        .iter()
        .map(|pose| (pose.rotation * tool_in_flange + pose.translation.vector - tip_in_base).norm())
        .collect();
    Ok(ToolFit { tool_in_flange, tip_in_base, residuals: Residuals(residuals), spread_rad })
}

/// Poses that tell the direction of a tool. In each the tip lies on a positive axis of the tool, ahead of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToolDirection {
    /// The tip lies on the z axis.
    pub x_base_flange_z: Pose,
    /// The tip lies in the half plane of z and positive x; `None`: x stays as near as possible to that of the flange.
    pub x_base_flange_x: Option<Pose>,
}

/// Orientation of the tool in the flange frame.
///
/// # Errors
/// The tip is nearer than 20 mm to the tool in a pose, or both poses show the same direction.
pub fn tool_direction(
    fit: &ToolFit,
    direction: &ToolDirection,
) -> Result<UnitQuaternion<f64>, CalibrationProblem> {
    let towards = |pose: &Pose, what: &'static str| {
        let tip_in_flange = pose.inverse() * nalgebra::Point3::from(fit.tip_in_base);
        let offset = tip_in_flange.coords - fit.tool_in_flange;
        if offset.norm() >= DIRECTION_MIN_M {
            Ok(offset)
        } else {
            Err(CalibrationProblem::TooLittle {
                what,
                found: offset.norm() * 1e3,
                needed: DIRECTION_MIN_M * 1e3,
                unit: "mm",
            })
        }
    };
    let z = towards(&direction.x_base_flange_z, "distance of the tip in the z pose")?.normalize();
    let towards_x = match &direction.x_base_flange_x {
        Some(pose) => towards(pose, "distance of the tip in the x pose")?,
        // Of the axes of the flange the one that leaves most when z is taken away, x first.
        None if z.x.abs() < 0.9 => Vector3::x(),
        None => Vector3::y(),
    };
    let x = towards_x - z * z.dot(&towards_x);
    if direction.x_base_flange_x.is_some() && x.norm() < DIRECTION_MIN_M {
        return Err(CalibrationProblem::TooLittle {
            what: "distance of the tip from the z axis in the x pose",
            found: x.norm() * 1e3,
            needed: DIRECTION_MIN_M * 1e3,
            unit: "mm",
        });
    }
    let x = x.normalize();
    let rotation = Rotation3::from_matrix_unchecked(Matrix3::from_columns(&[x, z.cross(&x), z]));
    Ok(UnitQuaternion::from_rotation_matrix(&rotation))
}

#[cfg(test)]
mod tests {
    use super::super::test_noise::Noise;
    use super::*;
    use nalgebra::Translation3;

    fn truth() -> Pose {
        Pose::from_parts(
            Translation3::new(0.037, -0.012, 0.343),
            UnitQuaternion::from_euler_angles(0.2, 0.4, -0.3),
        )
    }

    const TIP: Vector3<f64> = Vector3::new(0.9, 0.1, 0.4);

    /// Flange poses with the tool, turned by these angles (°), at the tip, off by up to `noise_m`.
    fn touching(angles: &[[f64; 3]], noise_m: f64) -> Vec<Pose> {
        let mut noise = Noise::new(7);
        angles
            .iter()
            .map(|turn| {
                let [roll, pitch, yaw] = turn.map(f64::to_radians);
                let turn = UnitQuaternion::from_euler_angles(std::f64::consts::PI + roll, pitch, yaw);
                let tip = TIP + noise.vector(noise_m);
                Pose::from_parts(Translation3::from(tip - turn * truth().translation.vector), turn)
            })
            .collect()
    }

    const GOOD: [[f64; 3]; 5] =
        [[0.0, 0.0, 0.0], [30.0, 0.0, 20.0], [-25.0, 10.0, -40.0], [0.0, 35.0, 60.0], [10.0, -30.0, 110.0]];

    #[test]
    fn exact_poses_give_the_tool_back_and_noisy_ones_nearly() {
        let exact = tool_position(&touching(&GOOD, 0.0)).expect("good poses");
        assert!((exact.tool_in_flange - truth().translation.vector).norm() < 1e-12);
        assert!((exact.tip_in_base - TIP).norm() < 1e-12 && exact.residuals.max_m() < 1e-12);
        let noisy = tool_position(&touching(&GOOD, 1e-4)).expect("good poses");
        let off = (noisy.tool_in_flange - truth().translation.vector).norm();
        assert!(off > 1e-9 && off < 6e-4, "{off}");
        assert!(noisy.residuals.max_m() > 1e-5 && noisy.residuals.max_m() < 3e-4);
    }

    #[test]
    fn the_pose_that_was_touched_badly_is_named() {
        let angles: Vec<[f64; 3]> = (0..9)
            .map(|step| {
                let a = f64::from(step) * 40.0;
                [30.0 * a.to_radians().cos(), 30.0 * a.to_radians().sin(), a]
            })
            .collect();
        let mut poses = touching(&angles, 1e-5);
        poses[6].translation.vector.x += 4e-3;
        let fit = tool_position(&poses).expect("good poses");
        assert_eq!(fit.residuals.worst().expect("nine").0, 6);
        assert!(fit.residuals.max_m() > 1.5e-3);
    }

    #[test]
    fn poses_that_do_not_tell_are_refused_with_the_reason() {
        let refused =
            |angles: &[[f64; 3]]| tool_position(&touching(angles, 0.0)).expect_err("degenerate").to_string();
        assert!(refused(&GOOD[..3]).contains("3 poses given, at least 4"));
        assert!(refused(&[[0.0; 3]; 5]).contains("0.000 °, at least 30.000 °"));
        let about_one_axis = [[0.0, 0.0, 0.0], [0.0, 0.0, 40.0], [0.0, 0.0, 90.0], [0.0, 0.0, 150.0]];
        assert!(refused(&about_one_axis).contains("one axis only"));
        let mut poses = touching(&GOOD, 0.0);
        poses[2].translation.vector.y = f64::NAN;
        assert_eq!(tool_position(&poses), Err(CalibrationProblem::NotFinite { point: 2 }));
    }

    #[test]
    fn five_and_six_points_give_the_direction() {
        let fit = tool_position(&touching(&GOOD, 0.0)).expect("good poses");
        // The flange where a point of the tool frame is at the tip, somehow turned.
        let with_tip_at = |point: Vector3<f64>, turn: UnitQuaternion<f64>| {
            let in_flange = (truth() * nalgebra::Point3::from(point)).coords;
            Pose::from_parts(Translation3::from(TIP - turn * in_flange), turn)
        };
        let turn = UnitQuaternion::from_euler_angles(2.8, 0.3, 0.1);
        let x_base_flange_z = with_tip_at(Vector3::new(0.0, 0.0, 0.1), turn);
        let x_base_flange_x = Some(with_tip_at(Vector3::new(0.08, 0.0, 0.03), turn.inverse()));
        let six =
            tool_direction(&fit, &ToolDirection { x_base_flange_z, x_base_flange_x }).expect("good poses");
        assert!(six.angle_to(&truth().rotation) < 1e-12);
        let five =
            tool_direction(&fit, &ToolDirection { x_base_flange_z, x_base_flange_x: None }).expect("good");
        assert!(((five * Vector3::z()) - truth().rotation * Vector3::z()).norm() < 1e-12);
        // Without a pose for it, x lies in the plane of its own flange axis and z.
        assert!((five * Vector3::y()).x.abs() < 1e-12);
        let too_near = ToolDirection {
            x_base_flange_z: with_tip_at(Vector3::new(0.0, 0.0, 0.005), turn),
            x_base_flange_x: None,
        };
        assert!(tool_direction(&fit, &too_near).expect_err("5 mm").to_string().contains("5.000 mm"));
        let same = ToolDirection { x_base_flange_z, x_base_flange_x: Some(x_base_flange_z) };
        assert!(tool_direction(&fit, &same).expect_err("no x").to_string().contains("x pose"));
    }
}
