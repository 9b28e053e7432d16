//! How far an arm is from each of its singular poses, in the units of the trade.

use nalgebra::Vector3;

use crate::geometry::Pose;
use crate::kinematics::Jacobian;

/// Which joints make the singular poses of an arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anatomy {
    /// Six joints with a spherical wrist.
    SphericalWrist,
    /// Six joints of which 2, 3 and 4 are parallel.
    ThreeParallel,
    /// Seven joints with spherical shoulder and wrist.
    SphericalShoulder,
}

/// Distances from the singular poses of the wrist, the elbow and the shoulder, all ≥ 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SingularDistances {
    /// Angle between the first and the last axis of the wrist (three parallel axes: 4 and 6), folded to 0..=π/2, rad.
    pub wrist_rad: f64,
    /// Angle by which the elbow is bent from stretched or folded, 0..=π/2, rad.
    pub elbow_rad: f64,
    /// How far the wrist is from the stretched arm, m.
    pub elbow_m: f64,
    /// Distance of the wrist centre from the plane of axes 1 and 2 (three parallel axes: that of the point where axes
    /// 5 and 6 meet), m. Spherical shoulder: `None`.
    pub shoulder_m: Option<f64>,
    /// Spherical shoulder: angle between axes 1 and 3, folded to 0..=π/2, rad. Others: `None`.
    pub shoulder_rad: Option<f64>,
}

impl SingularDistances {
    /// Of an arm of this anatomy, where its flange and its Jacobian are these.
    ///
    /// # Real-time
    /// No allocation, constant time.
    #[must_use]
    pub fn of(anatomy: Anatomy, x_base_flange: &Pose, jacobian: &Jacobian) -> Self {
        let flange = x_base_flange.translation.vector;
        let axis = |joint: usize| -> Vector3<f64> { jacobian.fixed_view::<3, 1>(3, joint).into() };
        // The point of an axis nearest to the flange, from the speed it gives the flange.
        let point = |joint: usize| -> Vector3<f64> {
            let speed: Vector3<f64> = jacobian.fixed_view::<3, 1>(0, joint).into();
            flange + axis(joint).cross(&speed)
        };
        let angle = |a: usize, b: usize| folded(&axis(a), &axis(b));
        let meeting = |a: usize, b: usize| {
            let normal = axis(a).cross(&axis(b));
            let along = (point(b) - point(a)).cross(&axis(b)).dot(&normal) / normal.norm_squared();
            point(a) + axis(a) * along
        };
        let (upper, lower, far, wrist) = match anatomy {
            Anatomy::SphericalWrist => (1, 2, meeting(4, 5), (3, 5)),
            Anatomy::ThreeParallel => (1, 2, point(3), (3, 5)),
            Anatomy::SphericalShoulder => (1, 3, meeting(4, 5), (4, 6)),
        };
        // The upper arm and the forearm across the elbow's axis.
        let across = |v: Vector3<f64>| v - axis(lower) * axis(lower).dot(&v);
        let shoulder = if anatomy == Anatomy::SphericalShoulder { meeting(0, 1) } else { point(upper) };
        let upper_arm = across(point(lower) - shoulder);
        let forearm = across(far - point(lower));
        let (shoulder_m, shoulder_rad) = match anatomy {
            Anatomy::SphericalShoulder => (None, Some(angle(0, 2))),
            Anatomy::SphericalWrist | Anatomy::ThreeParallel => {
                let normal = axis(0).cross(&axis(1)).normalize();
                (Some((meeting(4, 5) - point(0)).dot(&normal).abs()), None)
            }
        };
        Self {
            wrist_rad: angle(wrist.0, wrist.1),
            elbow_rad: folded(&upper_arm, &forearm),
            elbow_m: upper_arm.norm() + forearm.norm() - (upper_arm + forearm).norm(),
            shoulder_m,
            shoulder_rad,
        }
    }

    /// The smaller of each of the two.
    #[must_use]
    pub fn nearest(&self, other: &Self) -> Self {
        let least = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a.min(b));
        Self {
            wrist_rad: self.wrist_rad.min(other.wrist_rad),
            elbow_rad: self.elbow_rad.min(other.elbow_rad),
            elbow_m: self.elbow_m.min(other.elbow_m),
            shoulder_m: least(self.shoulder_m, other.shoulder_m),
            shoulder_rad: least(self.shoulder_rad, other.shoulder_rad),
        }
    }
}

/// Angle of two lines, 0..=π/2.
fn folded(a: &Vector3<f64>, b: &Vector3<f64>) -> f64 {
    a.cross(b).norm().atan2(a.dot(b).abs())
}
