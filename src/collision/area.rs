//! Areas of the cell that the arm must stay out of, or within.

use nalgebra::{Point3, Vector3};

use super::capsule::PosedCapsule;
use crate::geometry::Pose;

/// What an area asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AreaKind {
    /// Nothing of it may be inside.
    KeepOut,
    /// All of it must be inside.
    KeepIn,
}

/// Form of an area in its own frame, m. All are convex.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AreaForm {
    /// A box around the origin.
    Box {
        /// Half of the lengths of the sides along x, y, z, > 0.
        half_m: Vector3<f64>,
    },
    /// A cylinder around the origin, along z.
    Cylinder {
        /// Radius, > 0.
        radius_m: f64,
        /// Half of its length, > 0.
        half_m: f64,
    },
    /// A ball around the origin.
    Sphere {
        /// Radius, > 0.
        radius_m: f64,
    },
    /// Everything below the plane z = 0.
    HalfSpace,
}

/// An area where it stands in the cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Keep in or out.
    pub kind: AreaKind,
    /// Its form.
    pub form: AreaForm,
    /// Base to area: the inverse of its pose, because points are brought into its frame.
    x_area_base: Pose,
}

/// Steps of the golden-section search along a capsule: 0.618^32 of its length is below a micrometre.
const SEARCH_STEPS: usize = 32;

impl Area {
    /// An area at a pose in the base frame.
    #[must_use]
    pub fn new(kind: AreaKind, form: AreaForm, x_base_area: &Pose) -> Self {
        Self { kind, form, x_area_base: x_base_area.inverse() }
    }

    /// Signed distance of a point (base frame, m) from the surface, m: negative inside.
    ///
    /// # Real-time
    /// No allocation, no loop.
    #[must_use]
    pub fn signed_distance_m(&self, point: &Vector3<f64>) -> f64 {
        self.local_distance_m(&(self.x_area_base * Point3::from(*point)).coords)
    }

    /// How far a capsule is from breaking the area, m; negative by how far it does.
    ///
    /// The signed distance from a convex form is a convex function, so along the line of the capsule its largest
    /// value is at an end, and its smallest is found by golden-section search.
    /// # Real-time
    /// No allocation; at most 32 steps.
    #[must_use]
    pub fn clearance_m(&self, capsule: &PosedCapsule) -> f64 {
        let start = (self.x_area_base * Point3::from(capsule.start)).coords;
        let along = self.x_area_base.rotation * capsule.along;
        let at = |share: f64| self.local_distance_m(&(start + along * share));
        match self.kind {
            AreaKind::KeepIn => -at(0.0).max(at(1.0)) - capsule.radius_m,
            AreaKind::KeepOut => match self.form {
                // Linear along the line.
                AreaForm::HalfSpace => at(0.0).min(at(1.0)) - capsule.radius_m,
                AreaForm::Box { .. } | AreaForm::Cylinder { .. } | AreaForm::Sphere { .. } => {
                    least(at) - capsule.radius_m
                }
            },
        }
    }

    /// [`clearance_m`](Self::clearance_m) where it is below `limit_m`; otherwise `None`, in most cases without a search.
    ///
    /// Along a line the signed distance changes by at most the way walked, so the middle bounds what the ends can do.
    /// # Real-time
    /// As [`clearance_m`](Self::clearance_m).
    #[must_use]
    pub fn clearance_below_m(&self, capsule: &PosedCapsule, limit_m: f64) -> Option<f64> {
        let middle = self.signed_distance_m(&(capsule.start + capsule.along * 0.5));
        let from_surface = match self.kind {
            AreaKind::KeepOut => middle,
            AreaKind::KeepIn => -middle,
        };
        if from_surface - 0.5 * capsule.along.norm() - capsule.radius_m >= limit_m {
            return None;
        }
        Some(self.clearance_m(capsule)).filter(|clearance| *clearance < limit_m)
    }

    fn local_distance_m(&self, point: &Vector3<f64>) -> f64 {
        match self.form {
            AreaForm::Box { half_m } => {
                let beyond = point.abs() - half_m;
                beyond.map(|value| value.max(0.0)).norm() + beyond.max().min(0.0)
            }
            AreaForm::Cylinder { radius_m, half_m } => {
                let (aside, above) = (point.xy().norm() - radius_m, point.z.abs() - half_m);
                aside.max(0.0).hypot(above.max(0.0)) + aside.max(above).min(0.0)
            }
            AreaForm::Sphere { radius_m } => point.norm() - radius_m,
            AreaForm::HalfSpace => point.z,
        }
    }
}

/// Smallest value of a convex function on 0..=1.
fn least(value_at: impl Fn(f64) -> f64) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_8;
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    let (mut left, mut right) = (1.0 - GOLDEN, GOLDEN);
    let (mut at_left, mut at_right) = (value_at(left), value_at(right));
    let mut smallest = value_at(0.0).min(value_at(1.0)).min(at_left).min(at_right);
    for _ in 0..SEARCH_STEPS {
        if at_left < at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - GOLDEN * (high - low);
            at_left = value_at(left);
            smallest = smallest.min(at_left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + GOLDEN * (high - low);
            at_right = value_at(right);
            smallest = smallest.min(at_right);
        }
    }
    smallest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collision::Capsule;
    use nalgebra::{Translation3, UnitQuaternion};
    use proptest::prelude::*;

    const FORMS: [AreaForm; 4] = [
        AreaForm::Box { half_m: Vector3::new(0.3, 0.2, 0.1) },
        AreaForm::Cylinder { radius_m: 0.25, half_m: 0.4 },
        AreaForm::Sphere { radius_m: 0.35 },
        AreaForm::HalfSpace,
    ];

    #[test]
    fn clearances_that_can_be_told_by_hand() {
        let x_base_area = Pose::from_parts(
            Translation3::new(1.0, 0.0, 0.0),
            UnitQuaternion::from_axis_angle(&Vector3::z_axis(), std::f64::consts::FRAC_PI_2),
        );
        let bar =
            Capsule { start: Vector3::new(1.0, -1.0, 0.2), end: Vector3::new(1.0, 1.0, 0.2), radius_m: 0.03 };
        let bar = bar.posed(&Pose::identity());
        let clearance = |kind, form| Area::new(kind, form, &x_base_area).clearance_m(&bar);
        let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-6, "{found} {wanted}");
        // 0.2 m above the middle; the box is 0.3 long along base y.
        near(clearance(AreaKind::KeepOut, FORMS[0]), 0.2 - 0.1 - 0.03);
        near(clearance(AreaKind::KeepOut, FORMS[1]), -0.2 - 0.03);
        near(clearance(AreaKind::KeepOut, FORMS[2]), 0.2 - 0.35 - 0.03);
        near(clearance(AreaKind::KeepOut, FORMS[3]), 0.2 - 0.03);
        // Its ends stick out: by 0.7 m and, of the ball, by the distance of the end.
        near(clearance(AreaKind::KeepIn, FORMS[0]), -(0.7_f64.hypot(0.1)) - 0.03);
        near(clearance(AreaKind::KeepIn, FORMS[2]), 0.35 - 1.0_f64.hypot(0.2) - 0.03);
        near(clearance(AreaKind::KeepIn, FORMS[3]), -0.2 - 0.03);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        #[test]
        fn a_clearance_is_that_of_the_worst_point_of_the_line(
            ends in prop::array::uniform2(prop::array::uniform3(-0.8..0.8)),
            turn in prop::array::uniform3(-3.0..3.0),
            form in 0_usize..4,
            keep_in in any::<bool>(),
        ) {
            let [start, end] = ends.map(Vector3::from);
            let x_base_area = Pose::from_parts(Translation3::new(0.1, 0.2, -0.1), UnitQuaternion::from_scaled_axis(Vector3::from(turn)));
            let kind = if keep_in { AreaKind::KeepIn } else { AreaKind::KeepOut };
            let area = Area::new(kind, FORMS[form], &x_base_area);
            let line = Capsule { start, end, radius_m: 0.05 }.posed(&Pose::identity());
            let worst = (0..=2000)
                .map(|step| area.signed_distance_m(&(line.start + line.along * (f64::from(step) / 2000.0))))
                .map(|distance| if keep_in { -distance } else { distance })
                .fold(f64::INFINITY, f64::min) - 0.05;
            let found = area.clearance_m(&line);
            prop_assert!(found <= worst + 1e-6 && found > worst - 2e-3, "{found} {worst}");
            for limit in [found - 1e-6, found + 1e-6, found + 0.3, f64::INFINITY] {
                prop_assert_eq!(area.clearance_below_m(&line, limit), (found < limit).then_some(found));
            }
        }
    }
}
