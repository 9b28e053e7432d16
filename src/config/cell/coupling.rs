//! The matrix between drives and joints.

use nalgebra::DMatrix;

use crate::config::document::{Range, Table};
use crate::joints::{JointVector, MAX_JOINTS};

/// What turns drive positions into joint positions: `q = C · m`.
///
/// `m` are the positions of the drives after their gears (rad, sign and offset applied), `q` those of the
/// joints. The same matrix holds for speeds; torques go the other way with its transpose
/// (`torque_drive = Cᵀ · torque_joint`). Identity where every drive turns its own joint only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coupling {
    joint_from_drive: [[f64; MAX_JOINTS]; MAX_JOINTS],
    drive_from_joint: [[f64; MAX_JOINTS]; MAX_JOINTS],
    count: u8,
}

impl Coupling {
    /// Every drive turns its own joint. `count` above [`MAX_JOINTS`] is cut to it.
    #[must_use]
    pub fn identity(count: usize) -> Self {
        let mut matrix = [[0.0; MAX_JOINTS]; MAX_JOINTS];
        for (index, row) in matrix.iter_mut().enumerate() {
            row[index] = 1.0;
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most MAX_JOINTS")]
        let count = count.min(MAX_JOINTS) as u8;
        Self { joint_from_drive: matrix, drive_from_joint: matrix, count }
    }

    /// The coupling with these rows, joint 1 first; `None` when they are not square, not finite, more
    /// than [`MAX_JOINTS`], or cannot be inverted well (condition above 1000).
    #[must_use]
    pub fn new(rows: &[Vec<f64>]) -> Option<Self> {
        let count = rows.len();
        if count > MAX_JOINTS || rows.iter().any(|row| row.len() != count) {
            return None;
        }
        let matrix = DMatrix::from_fn(count, count, |row, column| rows[row][column]);
        if !matrix.iter().all(|entry| entry.is_finite()) {
            return None;
        }
        let singular_values = matrix.singular_values();
        if count > 0 && singular_values.min() * 1e3 < singular_values.max() {
            return None;
        }
        let inverse = matrix.clone().try_inverse()?;
        let mut coupling = Self::identity(count);
        for row in 0..count {
            for column in 0..count {
                coupling.joint_from_drive[row][column] = matrix[(row, column)];
                coupling.drive_from_joint[row][column] = inverse[(row, column)];
            }
        }
        Some(coupling)
    }

    /// Number of joints.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// True when there is no joint.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Joint positions (or speeds) of drive positions (or speeds), rad.
    ///
    /// # Real-time
    /// No allocation; `MAX_JOINTS`² steps.
    #[must_use]
    pub fn joints(&self, drives: &JointVector) -> JointVector {
        self.apply(&self.joint_from_drive, drives)
    }

    /// Drive positions (or speeds) of joint positions (or speeds), rad.
    ///
    /// # Real-time
    /// No allocation; `MAX_JOINTS`² steps.
    #[must_use]
    pub fn drives(&self, joints: &JointVector) -> JointVector {
        self.apply(&self.drive_from_joint, joints)
    }

    /// Torques the drives see of torques of the joints, Nm after the gears.
    ///
    /// # Real-time
    /// No allocation; `MAX_JOINTS`² steps.
    #[must_use]
    pub fn drive_torques(&self, joint_torques: &JointVector) -> JointVector {
        self.apply_transposed(&self.joint_from_drive, joint_torques)
    }

    /// Torques the joints see of torques of the drives, Nm after the gears.
    ///
    /// # Real-time
    /// No allocation; `MAX_JOINTS`² steps.
    #[must_use]
    pub fn joint_torques(&self, drive_torques: &JointVector) -> JointVector {
        self.apply_transposed(&self.drive_from_joint, drive_torques)
    }

    /// The matrix `C`, row of a joint, column of a drive.
    #[must_use]
    pub const fn joint_from_drive(&self) -> &[[f64; MAX_JOINTS]; MAX_JOINTS] {
        &self.joint_from_drive
    }

    fn apply(&self, matrix: &[[f64; MAX_JOINTS]; MAX_JOINTS], vector: &JointVector) -> JointVector {
        JointVector::from_fn(self.len(), |row| {
            matrix[row].iter().zip(vector.iter()).map(|(entry, value)| entry * value).sum()
        })
    }

    fn apply_transposed(
        &self,
        matrix: &[[f64; MAX_JOINTS]; MAX_JOINTS],
        vector: &JointVector,
    ) -> JointVector {
        JointVector::from_fn(self.len(), |column| {
            matrix.iter().zip(vector.iter()).map(|(row, value)| row[column] * value).sum()
        })
    }
}

pub(super) fn read_coupling(root: &mut Table<'_>, joint_count: Option<usize>) -> Option<Coupling> {
    let Some(value) = root.optional("coupling") else {
        return joint_count.map(Coupling::identity);
    };
    let mut table = value.table()?;
    let rows = match joint_count {
        Some(count) => table.list("joint_from_drive", count..=count)?,
        // Any square matrix may be right.
        None => table.list("joint_from_drive", 1..=MAX_JOINTS)?,
    };
    let count = rows.len();
    let rows: Vec<Option<Vec<f64>>> = rows
        .iter()
        .map(|row| {
            let entries = row.list(count..=count)?;
            let entries: Vec<_> =
                entries.iter().map(|entry| entry.number(Range::new(-1e3, 1e3, ""))).collect();
            entries.into_iter().collect()
        })
        .collect();
    let rows: Vec<Vec<f64>> = rows.into_iter().collect::<Option<_>>()?;
    let coupling = Coupling::new(&rows);
    if coupling.is_none() {
        table.problem(
            "joint_from_drive",
            "the matrix cannot be inverted",
            "a matrix of condition below 1000",
            "write the identity and add the couplings of the gear to it",
        );
    }
    coupling
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drives_and_joints_are_inverse_of_each_other_and_power_is_kept() {
        let coupling = Coupling::new(&[vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0], vec![0.2, -0.02, 1.0]])
            .expect("regular");
        let drives = JointVector::from_slice(&[0.3, -1.2, 2.5]).expect("fits");
        let joints = coupling.joints(&drives);
        assert!((joints.get(2) - (0.06 + 0.024 + 2.5)).abs() < 1e-12);
        assert!((coupling.drives(&joints) - drives).max_abs() < 1e-12);
        let torques = JointVector::from_slice(&[1.0, 2.0, 3.0]).expect("fits");
        let power =
            |a: &JointVector, b: &JointVector| a.iter().zip(b.iter()).map(|(a, b)| a * b).sum::<f64>();
        let drive_torques = coupling.drive_torques(&torques);
        assert!((power(&torques, &joints) - power(&drive_torques, &drives)).abs() < 1e-12);
        assert!((coupling.joint_torques(&drive_torques) - torques).max_abs() < 1e-12);
    }

    #[test]
    fn a_matrix_that_loses_a_joint_is_refused() {
        assert_eq!(Coupling::new(&[vec![1.0, 2.0], vec![2.0, 4.0]]), None);
        assert_eq!(Coupling::new(&[vec![1.0, 0.0], vec![0.0, 1e-4]]), None);
        assert_eq!(Coupling::new(&[vec![1.0, 0.0]]), None);
        assert_eq!(Coupling::new(&[vec![f64::NAN]]), None);
    }
}
