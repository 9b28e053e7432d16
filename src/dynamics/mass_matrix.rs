//! The mass matrix by the composite rigid body algorithm, and accelerations by solving with it.
//!
//! Source: Walker, Orin 1982, method 3; Featherstone 2008, chapter 6.

use nalgebra::{Matrix3, Vector3};

use super::{ArmDynamics, LinkInertia};
use crate::joints::{JointVector, MAX_JOINTS};

/// Joint torque for a unit acceleration of each joint: row the torque's joint, column the acceleration's.
/// Rows and columns beyond the joint count are zero.
pub type MassMatrix = nalgebra::SMatrix<f64, MAX_JOINTS, MAX_JOINTS>;

impl ArmDynamics {
    /// M(q) of links and payload, without motors; symmetric, positive definite where every joint moves a mass.
    ///
    /// # Real-time
    /// No allocation; joints² / 2 steps.
    #[must_use]
    pub fn mass_matrix(&self, q: &JointVector) -> MassMatrix {
        let posture = self.posture(q);
        let mut matrix = MassMatrix::zeros();
        let mut composite = LinkInertia::none();
        for joint in (0..self.count).rev() {
            let segment = &self.segments[joint];
            composite = LinkInertia {
                mass: composite.mass + segment.inertia.mass,
                moment: composite.moment + segment.inertia.moment,
                second: composite.second + segment.inertia.second,
            };
            // Force and moment a unit acceleration of this joint asks for, about the origin of its frame.
            let (mut force, mut moment) = if segment.is_prismatic {
                (Vector3::z() * composite.mass, composite.moment.cross(&Vector3::z()))
            } else {
                (Vector3::z().cross(&composite.moment), composite.tensor().column(2).into_owned())
            };
            for before in (0..=joint).rev() {
                let entry = if self.segments[before].is_prismatic { force.z } else { moment.z };
                matrix[(before, joint)] = entry;
                matrix[(joint, before)] = entry;
                force = posture.turns[before].outward(&force);
                moment = posture.turns[before].outward(&moment) + posture.offsets[before].cross(&force);
            }
            let turn = &posture.turns[joint];
            let rotation = Matrix3::from_columns(&[
                turn.outward(&Vector3::x()),
                turn.outward(&Vector3::y()),
                turn.outward(&Vector3::z()),
            ]);
            composite = composite.seen_from(&rotation, &posture.offsets[joint]);
        }
        matrix
    }

    /// M(q) with the motors.
    ///
    /// # Real-time
    /// No allocation; joints² steps.
    #[must_use]
    pub fn mass_matrix_with_motors(&self, q: &JointVector) -> MassMatrix {
        self.mass_matrix(q) + self.motors
    }

    /// Accelerations of the joints under `free_torques` (N m or N): what is left of the drive torques after
    /// gravity, Coriolis and friction. Motors count in full. `None` where the mass matrix is not positive definite.
    ///
    /// # Real-time
    /// No allocation; joints³ steps.
    #[must_use]
    pub fn accelerations(&self, q: &JointVector, free_torques: &JointVector) -> Option<JointVector> {
        let mut matrix = self.mass_matrix_with_motors(q);
        // Ones beyond the last joint keep the fixed-size factorisation regular.
        for joint in self.count..MAX_JOINTS {
            matrix[(joint, joint)] = 1.0;
        }
        let mut solution = nalgebra::SVector::<f64, MAX_JOINTS>::zeros();
        solution.iter_mut().zip(free_torques.iter()).for_each(|(entry, torque)| *entry = torque);
        matrix.cholesky()?.solve_mut(&mut solution);
        Some(JointVector::from_fn(self.count, |joint| solution[joint]))
    }
}
