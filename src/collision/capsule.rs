//! Capsules: all points within a radius of a line between two points.

use nalgebra::{Point3, Vector3};

use crate::geometry::Pose;

/// A capsule in the frame of what carries it, m. With both ends in one place it is a sphere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capsule {
    /// Where the line begins.
    pub start: Vector3<f64>,
    /// Where it ends.
    pub end: Vector3<f64>,
    /// Radius, > 0.
    pub radius_m: f64,
}

impl Capsule {
    /// Fills places of a table that are not used.
    pub(super) const NOWHERE: PosedCapsule = PosedCapsule {
        start: Vector3::new(0.0, 0.0, 0.0),
        along: Vector3::new(0.0, 0.0, 0.0),
        squared: 0.0,
        inverse: 0.0,
        radius_m: 0.0,
    };

    /// The capsule where its carrier stands.
    #[must_use]
    #[inline]
    pub fn posed(&self, x_base_carrier: &Pose) -> PosedCapsule {
        let start = x_base_carrier * Point3::from(self.start);
        let along = x_base_carrier.rotation * (self.end - self.start);
        let squared = along.norm_squared();
        PosedCapsule {
            start: start.coords,
            along,
            squared,
            inverse: if squared > 0.0 { 1.0 / squared } else { 0.0 },
            radius_m: self.radius_m,
        }
    }

    /// Volume, m³.
    #[must_use]
    pub fn volume_m3(&self) -> f64 {
        let radius = self.radius_m;
        std::f64::consts::PI * radius * radius * ((self.end - self.start).norm() + 4.0 / 3.0 * radius)
    }
}

/// A capsule in the base frame, with what every distance needs of it.
#[derive(Clone, Copy, Debug)]
pub struct PosedCapsule {
    /// Where the line begins, m.
    pub start: Vector3<f64>,
    /// From there to its end, m.
    pub along: Vector3<f64>,
    /// Square of the length of `along`, m².
    squared: f64,
    /// Its inverse; zero for a sphere, which keeps the parameter at the start.
    inverse: f64,
    /// Radius, m.
    pub radius_m: f64,
}

/// Below this share the lines are parallel for the formula, and any place along them will do as a start.
const PARALLEL: f64 = 1e-12;

impl PosedCapsule {
    /// Where the line ends, m.
    #[must_use]
    pub fn end(&self) -> Vector3<f64> {
        self.start + self.along
    }

    /// Distance of the surfaces, m; negative by how deep the lines are inside each other's radius.
    ///
    /// Exact: the nearest points of two lines, clamped to their ends. Source: Ericson 2005, "Real-Time Collision
    /// Detection", 5.1.9; clamping both parameters once more covers parallel lines and spheres without branches.
    /// # Real-time
    /// No allocation, no loop.
    #[must_use]
    #[inline]
    pub fn distance_m(&self, other: &Self) -> f64 {
        let between = self.start - other.start;
        let (b, c, f) = (self.along.dot(&other.along), self.along.dot(&between), other.along.dot(&between));
        let product = self.squared * other.squared;
        let determinant = product - b * b;
        let s = if determinant > PARALLEL * product {
            ((b * f - c * other.squared) / determinant).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let t = ((b * s + f) * other.inverse).clamp(0.0, 1.0);
        let s = ((b * t - c) * self.inverse).clamp(0.0, 1.0);
        (between + self.along * s - other.along * t).norm() - self.radius_m - other.radius_m
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{Translation3, UnitQuaternion};
    use proptest::prelude::*;

    fn posed(start: [f64; 3], end: [f64; 3], radius_m: f64) -> PosedCapsule {
        Capsule { start: start.into(), end: end.into(), radius_m }.posed(&Pose::identity())
    }

    /// Least distance of two lines, by walking one of them in small steps; the other one exactly.
    fn walked(a: &PosedCapsule, b: &PosedCapsule) -> f64 {
        (0..=4000)
            .map(|step| {
                let point = a.start + a.along * (f64::from(step) / 4000.0);
                let t = ((point - b.start).dot(&b.along) * b.inverse).clamp(0.0, 1.0);
                (point - b.start - b.along * t).norm()
            })
            .fold(f64::INFINITY, f64::min)
            - a.radius_m
            - b.radius_m
    }

    #[test]
    fn distances_that_can_be_told_by_hand() {
        let bar = posed([0.0; 3], [1.0, 0.0, 0.0], 0.1);
        for (other, wanted) in [
            // Crossing above the middle, beyond an end, parallel beside, parallel further on.
            (posed([0.5, -1.0, 0.5], [0.5, 1.0, 0.5], 0.1), 0.3),
            (posed([2.0, 0.0, 0.0], [3.0, 0.0, 0.0], 0.2), 0.7),
            (posed([0.2, 0.0, 1.0], [0.8, 0.0, 1.0], 0.3), 0.6),
            (posed([1.3, 0.0, 0.4], [2.3, 0.0, 0.4], 0.1), 0.3),
            // Spheres: beside, beyond, and one inside the bar.
            (posed([0.5, 0.7, 0.0], [0.5, 0.7, 0.0], 0.2), 0.4),
            (posed([-0.5, 0.0, 0.0], [-0.5, 0.0, 0.0], 0.2), 0.2),
            (posed([0.5, 0.05, 0.0], [0.5, 0.05, 0.0], 0.1), -0.15),
        ] {
            assert!((bar.distance_m(&other) - wanted).abs() < 1e-12, "{other:?}");
            assert!((other.distance_m(&bar) - wanted).abs() < 1e-12, "{other:?} the other way");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        #[test]
        fn the_distance_is_the_least_of_all_points(
            ends in prop::array::uniform4(prop::array::uniform3(-1.0..1.0)),
            slant in prop::option::of(-1e-9..1e-9),
        ) {
            let [a, b, c, mut d] = ends;
            if let Some(slant) = slant {
                // Almost parallel lines.
                d = [c[0] + b[0] - a[0] + slant, c[1] + b[1] - a[1], c[2] + b[2] - a[2]];
            }
            let (one, other) = (posed(a, b, 0.05), posed(c, d, 0.1));
            let (found, wanted) = (one.distance_m(&other), walked(&one, &other));
            // Walking misses the nearest point by at most half a step, which only makes it larger.
            prop_assert!(found <= wanted + 1e-9 && found > wanted - 1e-3, "{found} {wanted}");
            prop_assert!((found - other.distance_m(&one)).abs() < 1e-7);
        }

        #[test]
        fn moving_both_changes_nothing(
            ends in prop::array::uniform4(prop::array::uniform3(-1.0..1.0)),
            turn in prop::array::uniform3(-3.0..3.0),
        ) {
            let [a, b, c, d] = ends.map(Vector3::from);
            let (one, other) = (Capsule { start: a, end: b, radius_m: 0.1 }, Capsule { start: c, end: d, radius_m: 0.1 });
            let moved = Pose::from_parts(Translation3::new(3.0, -2.0, 1.0), UnitQuaternion::from_scaled_axis(Vector3::from(turn)));
            let (here, there) = (Pose::identity(), moved);
            let first = one.posed(&here).distance_m(&other.posed(&here));
            let second = one.posed(&there).distance_m(&other.posed(&there));
            prop_assert!((first - second).abs() < 1e-7);
        }
    }
}
