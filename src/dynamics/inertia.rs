//! Mass, first moment and inertia: of one body as it is described, and of all that moves with one link.

use nalgebra::{Matrix3, Vector3};

use crate::geometry::Pose;

/// A rigid body in some frame: a URDF link, a tool, a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RigidBody {
    /// Mass, kg, ≥ 0.
    pub mass_kg: f64,
    /// Centre of mass in the frame, m.
    pub center_of_mass_m: Vector3<f64>,
    /// Inertia about the centre of mass in the axes of the frame, kg m².
    pub inertia_kg_m2: Matrix3<f64>,
}

impl RigidBody {
    /// Nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::point_mass(0.0, Vector3::zeros())
    }

    /// All mass in one point, `center_of_mass_m`.
    #[must_use]
    pub fn point_mass(mass_kg: f64, center_of_mass_m: Vector3<f64>) -> Self {
        Self { mass_kg, center_of_mass_m, inertia_kg_m2: Matrix3::zeros() }
    }

    /// The same body described in the frame that `x_frame_body` leads to from this one's.
    #[must_use]
    pub fn in_frame(&self, x_frame_body: &Pose) -> Self {
        let rotation = x_frame_body.rotation.to_rotation_matrix().into_inner();
        Self {
            mass_kg: self.mass_kg,
            center_of_mass_m: rotation * self.center_of_mass_m + x_frame_body.translation.vector,
            inertia_kg_m2: rotation * self.inertia_kg_m2 * rotation.transpose(),
        }
    }

    /// A body of these values can exist: finite, mass not negative, and no principal inertia below zero or
    /// above the sum of the two others (a thousandth of the largest is forgiven as rounding of a data sheet).
    #[must_use]
    pub fn is_physical(&self) -> bool {
        let finite = self.mass_kg.is_finite()
            && self.center_of_mass_m.iter().chain(self.inertia_kg_m2.iter()).all(|value| value.is_finite());
        if !finite || self.mass_kg < 0.0 {
            return false;
        }
        let mut principal = self.inertia_kg_m2.symmetric_eigenvalues();
        principal.as_mut_slice().sort_unstable_by(f64::total_cmp);
        let slack = 1e-3 * principal.z.abs();
        principal.x >= -slack && principal.x + principal.y >= principal.z - slack
    }
}

/// Everything that moves with one link, about the origin of its frame. Two of them add up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkInertia {
    /// Mass, kg.
    pub(super) mass: f64,
    /// Mass × centre of mass, kg m.
    pub(super) moment: Vector3<f64>,
    /// Second moment ∫ r rᵀ dm about the origin, kg m².
    ///
    /// Not the inertia tensor `trace(S) − S`: with this one the gyroscopic torque costs nothing of its own.
    pub(super) second: Matrix3<f64>,
}

impl LinkInertia {
    /// Nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { mass: 0.0, moment: Vector3::zeros(), second: Matrix3::zeros() }
    }

    /// Mass of everything, kg.
    #[must_use]
    pub const fn mass_kg(&self) -> f64 {
        self.mass
    }

    /// Adds `body`, described in the frame of the link.
    #[must_use]
    pub fn with(mut self, body: &RigidBody) -> Self {
        let inertia = &body.inertia_kg_m2;
        let second_about_center = Matrix3::from_diagonal_element(0.5 * inertia.trace()) - inertia;
        let moment = body.center_of_mass_m * body.mass_kg;
        self.mass += body.mass_kg;
        self.moment += moment;
        self.second += second_about_center + moment * body.center_of_mass_m.transpose();
        self
    }

    /// The same masses about the origin and in the axes of another frame.
    pub(super) fn seen_from(&self, rotation: &Matrix3<f64>, translation: &Vector3<f64>) -> Self {
        let moment = rotation * self.moment;
        let crossed = moment * translation.transpose();
        Self {
            mass: self.mass,
            moment: moment + translation * self.mass,
            second: rotation * self.second * rotation.transpose()
                + crossed
                + crossed.transpose()
                + translation * translation.transpose() * self.mass,
        }
    }

    /// The inertia tensor about the origin of the frame, kg m².
    pub(super) fn tensor(&self) -> Matrix3<f64> {
        Matrix3::from_diagonal_element(self.second.trace()) - self.second
    }

    /// One body with the same mass, centre and inertia; without mass the centre is the origin.
    #[must_use]
    pub fn as_body(&self) -> RigidBody {
        let center = if self.mass > 0.0 { self.moment / self.mass } else { Vector3::zeros() };
        let about_center = self.second - center * center.transpose() * self.mass;
        RigidBody {
            mass_kg: self.mass,
            center_of_mass_m: center,
            inertia_kg_m2: Matrix3::from_diagonal_element(about_center.trace()) - about_center,
        }
    }
}
