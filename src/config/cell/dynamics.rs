//! Masses, motors and torque limits of the arm as this cell has it, and what of them is fed forward.

use crate::config::document::Table;
use crate::dynamics::{ArmDynamics, MassMatrix};
use crate::joints::JointVector;

use super::Cell;

/// What the drives are told beside positions. Off until the cell says otherwise: wrong data of gears or masses
/// would push the arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedForward {
    /// Velocity offsets (0x60B1).
    pub velocity: bool,
    /// Torque offsets (0x60B2).
    pub torque: bool,
}

/// Torques that must not be exceeded. Infinite: no limit is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TorqueLimits {
    /// At each joint, Nm: the effort of the robot model.
    pub joints: JointVector,
    /// Of each drive behind its gear, Nm: its peak torque.
    pub drives: JointVector,
}

impl Cell {
    /// Dynamics of the arm with its motors and without tool; friction belongs to the motors. `None`: the robot
    /// model has no masses.
    #[must_use]
    pub fn dynamics(&self) -> Option<ArmDynamics> {
        let mut dynamics = self.model.dynamics().ok()?;
        let drives = self.drives();
        let count = self.joint_count();
        // Column: what each drive turns for one rad of a joint.
        let columns: Vec<JointVector> = (0..count)
            .map(|joint| {
                let mut one = JointVector::zeros(count);
                one.set(joint, 1.0);
                self.coupling.drives(&one)
            })
            .collect();
        let mut motors = MassMatrix::zeros();
        for row in 0..count {
            for column in 0..count {
                motors[(row, column)] = drives
                    .iter()
                    .enumerate()
                    .map(|(index, (_, drive))| {
                        let inertia = drive.rotor_inertia.unwrap_or(0.0) * drive.turns_per_tau().powi(2);
                        columns[row].get(index) * inertia * columns[column].get(index)
                    })
                    .sum();
            }
        }
        dynamics.set_motor_inertia(motors);
        Some(dynamics)
    }

    /// Torque limits of joints and drives.
    #[must_use]
    pub fn torque_limits(&self) -> TorqueLimits {
        let efforts = &self.model.effort_limits;
        let drives = self.drives();
        TorqueLimits {
            joints: JointVector::from_fn(self.joint_count(), |joint| {
                efforts.get(joint).copied().flatten().unwrap_or(f64::INFINITY)
            }),
            drives: JointVector::from_fn(drives.len(), |index| {
                let peak =
                    drives.get(index).and_then(|(_, drive)| Some(drive.peak_torque? * drive.turns_per_tau()));
                peak.unwrap_or(f64::INFINITY)
            }),
        }
    }
}

pub(super) fn read_feed_forward(mut table: Table<'_>) -> Option<FeedForward> {
    let velocity = table.flag_or("velocity", false);
    let torque = table.flag_or("torque", false);
    Some(FeedForward { velocity: velocity?, torque: torque? })
}
