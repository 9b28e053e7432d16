//! Frames from points: a work object from three of them, another base from points both arms have touched.

use nalgebra::{Matrix3, Rotation3, Translation3, UnitQuaternion, Vector3};

use super::{CalibrationProblem, Residuals, as_f64};
use crate::geometry::Pose;

/// Points must be at least this far apart, m.
const DISTANCE_MIN_M: f64 = 0.01;
/// Three points must make at least this angle, rad.
const ANGLE_MIN_RAD: f64 = 5.0 * std::f64::consts::PI / 180.0;
/// Second largest extent of a set of points over the largest: below it they lie in a line.
const FLATNESS_MIN: f64 = 0.02;

/// Three points of a work object, in the base frame, m.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FramePoints {
    /// The origin, a point on the positive x axis, a point in the plane of x and y with y above zero.
    Origin {
        /// The origin.
        origin: Vector3<f64>,
        /// On the positive x axis.
        x: Vector3<f64>,
        /// In the plane, y above zero.
        xy: Vector3<f64>,
    },
    /// Two points along x and one on the positive y axis: the origin is the foot of the perpendicular.
    Foot {
        /// On the x axis.
        x1: Vector3<f64>,
        /// On the x axis, further in its direction.
        x2: Vector3<f64>,
        /// On the positive y axis.
        y: Vector3<f64>,
    },
}

/// The work object that three points tell.
///
/// # Errors
/// Points nearer than 10 mm to each other, or nearly in a line.
pub fn work_object(points: &FramePoints) -> Result<Pose, CalibrationProblem> {
    let (start, along, aside) = match *points {
        FramePoints::Origin { origin, x, xy } => (origin, x, xy),
        FramePoints::Foot { x1, x2, y } => (x1, x2, y),
    };
    super::check_finite([start, along, aside])?;
    for (what, one, other) in [
        ("distance of the first two points", start, along),
        ("distance of the first and the third point", start, aside),
        ("distance of the second and the third point", along, aside),
    ] {
        let found = (one - other).norm();
        if found < DISTANCE_MIN_M {
            let (found, needed) = (found * 1e3, DISTANCE_MIN_M * 1e3);
            return Err(CalibrationProblem::TooLittle { what, found, needed, unit: "mm" });
        }
    }
    let x = (along - start).normalize();
    let offset = aside - start;
    let y = offset - x * x.dot(&offset);
    // Seen from the nearer of the two points on x, so that a third point far along x counts as in a line.
    let nearer = offset.norm().max((aside - along).norm());
    let angle = (y.norm() / nearer).min(1.0).asin();
    if angle < ANGLE_MIN_RAD {
        return Err(CalibrationProblem::TooLittle {
            what: "the three points are nearly in a line: their angle",
            found: angle.to_degrees(),
            needed: ANGLE_MIN_RAD.to_degrees(),
            unit: "°",
        });
    }
    let y = y.normalize();
    let origin = match points {
        FramePoints::Origin { .. } => start,
        FramePoints::Foot { .. } => start + x * x.dot(&offset),
    };
    let rotation = Rotation3::from_matrix_unchecked(Matrix3::from_columns(&[x, y, x.cross(&y)]));
    Ok(Pose::from_parts(Translation3::from(origin), UnitQuaternion::from_rotation_matrix(&rotation)))
}

/// One frame in another.
#[derive(Clone, Debug, PartialEq)]
pub struct RigidFit {
    /// Pose of the second frame in the first.
    pub x_first_second: Pose,
    /// Distance of each pair of points.
    pub residuals: Residuals,
}

/// The pose of frame `second` in frame `first` from points measured in both, m: least sum of squared distances.
///
/// Source: Umeyama 1991, "Least-squares estimation of transformation parameters between two point patterns",
/// without scale.
/// # Errors
/// Fewer than 3 pairs, or points in a line.
pub fn rigid_fit(pairs: &[(Vector3<f64>, Vector3<f64>)]) -> Result<RigidFit, CalibrationProblem> {
    let count = pairs.len();
    if count < 3 {
        return Err(CalibrationProblem::TooFew { what: "common points", given: count, needed: 3 });
    }
    super::check_finite(pairs.iter().map(|(first, _)| *first))?;
    super::check_finite(pairs.iter().map(|(_, second)| *second))?;
    let (first, second): (Vec<Vector3<f64>>, Vec<Vector3<f64>>) = pairs.iter().copied().unzip();
    let mean_first = first.iter().sum::<Vector3<f64>>() / as_f64(count);
    let mean_second = second.iter().sum::<Vector3<f64>>() / as_f64(count);
    for (what, points, middle) in [
        ("the points are in a line: their width over their length", &first, mean_first),
        ("the points of the second robot are in a line: their width over their length", &second, mean_second),
    ] {
        let offsets = points.iter().map(|point| point - middle);
        let spread: Matrix3<f64> = offsets.map(|offset| offset * offset.transpose()).sum();
        let mut extents: Vec<f64> =
            spread.symmetric_eigenvalues().iter().map(|value| value.max(0.0).sqrt()).collect();
        extents.sort_by(f64::total_cmp);
        let found = if extents[2] > 0.0 { extents[1] / extents[2] } else { 0.0 };
        if found < FLATNESS_MIN {
            return Err(CalibrationProblem::TooLittle { what, found, needed: FLATNESS_MIN, unit: "(ratio)" });
        }
    }
    let covariance: Matrix3<f64> =
        pairs.iter().map(|(first, second)| (first - mean_first) * (second - mean_second).transpose()).sum();
    let svd = covariance.svd(true, true);
    let (Some(u), Some(v_t)) = (svd.u, svd.v_t) else {
        return Err(CalibrationProblem::NotSettled { rounds: 1 });
    };
    let mut handed = Matrix3::identity();
    handed[(2, 2)] = (u * v_t).determinant().signum();
    // The singular values come sorted, so the weakest direction is the one that may be turned over.
    let rotation = Rotation3::from_matrix_unchecked(u * handed * v_t);
    let turn = UnitQuaternion::from_rotation_matrix(&rotation);
    let x_first_second = Pose::from_parts(Translation3::from(mean_first - turn * mean_second), turn);
    let residuals = pairs
        .iter()
        .map(|(first, second)| (first - (x_first_second * nalgebra::Point3::from(*second)).coords).norm())
        .collect();
    Ok(RigidFit { x_first_second, residuals: Residuals(residuals) })
}

#[cfg(test)]
mod tests {
    use super::super::test_noise::Noise;
    use super::*;
    use crate::geometry::displacement;

    fn truth() -> Pose {
        Pose::from_parts(
            Translation3::new(0.85, -0.2, 0.3),
            UnitQuaternion::from_euler_angles(0.1, -0.2, 2.4),
        )
    }

    fn at(x: f64, y: f64) -> Vector3<f64> {
        (truth() * nalgebra::Point3::new(x, y, 0.0)).coords
    }

    #[test]
    fn both_styles_of_three_points_give_the_frame() {
        let by_origin = FramePoints::Origin { origin: at(0.0, 0.0), x: at(0.3, 0.0), xy: at(-0.1, 0.2) };
        let by_foot = FramePoints::Foot { x1: at(-0.2, 0.0), x2: at(0.3, 0.0), y: at(0.0, 0.2) };
        for points in [by_origin, by_foot] {
            let gap = displacement(&truth(), &work_object(&points).expect("three good points"));
            assert!(gap.linear.norm() < 1e-12 && gap.angular.norm() < 1e-12, "{points:?}");
        }
    }

    #[test]
    fn points_in_a_line_or_on_top_of_each_other_are_refused() {
        let refused = |origin, x, xy| {
            work_object(&FramePoints::Origin { origin, x, xy }).expect_err("degenerate").to_string()
        };
        assert!(refused(at(0.0, 0.0), at(0.3, 0.0), at(0.6, 0.001)).contains("nearly in a line"));
        assert!(refused(at(0.0, 0.0), at(0.3, 0.0), at(-0.5, 0.002)).contains("nearly in a line"));
        assert!(refused(at(0.0, 0.0), at(0.004, 0.0), at(0.0, 0.2)).contains("first two points: 4.000 mm"));
        assert!(refused(at(0.0, 0.0), at(0.3, 0.0), at(0.3, 0.001)).contains("third point"));
        assert!(refused(at(f64::INFINITY, 0.0), at(0.3, 0.0), at(0.0, 0.2)).contains("measurement 1"));
    }

    #[test]
    fn common_points_give_the_other_base_back() {
        let mut noise = Noise::new(11);
        let points: Vec<Vector3<f64>> = (0..6).map(|_| noise.vector(0.8)).collect();
        let pairs = |size: f64, noise: &mut Noise| -> Vec<_> {
            points
                .iter()
                .map(|second| {
                    ((truth() * nalgebra::Point3::from(*second)).coords + noise.vector(size), *second)
                })
                .collect()
        };
        let exact = rigid_fit(&pairs(0.0, &mut noise)).expect("good points");
        let gap = displacement(&truth(), &exact.x_first_second);
        assert!(gap.linear.norm() < 1e-12 && gap.angular.norm() < 1e-12 && exact.residuals.max_m() < 1e-12);
        let noisy = rigid_fit(&pairs(2e-4, &mut noise)).expect("good points");
        let gap = displacement(&truth(), &noisy.x_first_second);
        assert!(gap.linear.norm() < 5e-4 && gap.angular.norm() < 1e-3, "{gap:?}");
        assert!(noisy.residuals.max_m() > 1e-5 && noisy.residuals.max_m() < 4e-4);
        let mut wrong = pairs(1e-5, &mut noise);
        wrong[4].0.z += 0.01;
        assert_eq!(rigid_fit(&wrong).expect("one bad point").residuals.worst().expect("six").0, 4);
    }

    #[test]
    fn four_points_in_a_plane_never_turn_into_a_mirror() {
        let points = [[0.0, 0.0], [0.5, 0.0], [0.0, 0.4], [0.5, 0.3]];
        let pairs: Vec<_> = points.iter().map(|[x, y]| (at(*x, *y), Vector3::new(*x, *y, 0.0))).collect();
        let fit = rigid_fit(&pairs).expect("a plane is enough");
        let gap = displacement(&truth(), &fit.x_first_second);
        assert!(gap.linear.norm() < 1e-12 && gap.angular.norm() < 1e-12);
    }

    #[test]
    fn common_points_in_a_line_are_refused() {
        let pairs: Vec<_> = (0..5)
            .map(|step| (at(0.1 * f64::from(step), 0.0), Vector3::x() * (0.1 * f64::from(step))))
            .collect();
        assert!(rigid_fit(&pairs).expect_err("a line").to_string().contains("in a line"));
        assert!(rigid_fit(&pairs[..2]).expect_err("two").to_string().contains("2 common points given"));
    }
}
