//! Torque limits along a path: what acceleration and speed along it cost, once gravity is carried.
//!
//! Along a path the torque of a joint is a s̈ + b ṡ² + g, with a = M q', b = M q'' + c(q, q') and gravity g. It stays
//! within ±T when |a| s̈ + |b| ṡ² ≤ T − |g|, which has the form of the other limits.
//! Source: Bobrow, Dubowsky, Gibson 1985.

use super::ceilings::Row;
use super::problem::{LimitName, PlanProblemKind};
use crate::dynamics::{ArmDynamics, RigidBody};
use crate::joints::{JointVector, MAX_JOINTS};

/// Share of a torque limit that planning uses; the rest covers what lies between two samples, and the friction that
/// the model does not have.
const TORQUE_SHARE: f64 = 0.95;

/// Masses of an arm and what its joints and drives bear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TorqueBounds {
    /// Masses and motors of the arm, without payload.
    pub dynamics: ArmDynamics,
    /// Largest torque of each joint, Nm (sliding ones: N); infinite: not limited.
    pub joints: JointVector,
    /// Largest torque of each drive behind its gear, Nm; infinite: not limited.
    pub drives: JointVector,
    /// Row of a joint, column of a drive: how far each drive moves each joint.
    pub joint_from_drive: [[f64; MAX_JOINTS]; MAX_JOINTS],
}

impl TorqueBounds {
    /// The same with tool and load at the flange.
    pub(super) fn carrying(mut self, payload: &RigidBody) -> Self {
        self.dynamics.set_payload(std::slice::from_ref(payload));
        self
    }

    /// One row for each limited joint and drive at place `s` of a path, where the joints stand at `q` and go with
    /// q' and q''; or the first torque that gravity alone exceeds.
    pub(super) fn rows(
        &self,
        s: f64,
        q: &JointVector,
        first: &JointVector,
        second: &JointVector,
    ) -> Result<Vec<Row>, PlanProblemKind> {
        let still = JointVector::zeros(q.len());
        let gravity = self.dynamics.torques(q, &still, &still);
        let by_acceleration = self.dynamics.torques(q, &still, first) - gravity;
        let by_speed = self.dynamics.torques(q, first, second) - gravity;
        let of_drives = |torques: &JointVector| {
            JointVector::from_fn(q.len(), |drive| {
                torques
                    .iter()
                    .enumerate()
                    .map(|(joint, torque)| self.joint_from_drive[joint][drive] * torque)
                    .sum()
            })
        };
        let joint = |index| LimitName::JointTorque(index);
        let drive = |index| LimitName::DriveTorque(index);
        let mut rows = Vec::new();
        collect(&mut rows, s, joint, &self.joints, [gravity, by_acceleration, by_speed])?;
        let drives = [of_drives(&gravity), of_drives(&by_acceleration), of_drives(&by_speed)];
        collect(&mut rows, s, drive, &self.drives, drives)?;
        Ok(rows)
    }
}

fn collect(
    rows: &mut Vec<Row>,
    s: f64,
    name: impl Fn(usize) -> LimitName,
    limits: &JointVector,
    [gravity, by_acceleration, by_speed]: [JointVector; 3],
) -> Result<(), PlanProblemKind> {
    for (index, limit) in limits.iter().enumerate().filter(|(_, limit)| limit.is_finite()) {
        let carried = gravity.get(index).abs();
        let left = limit * TORQUE_SHARE - carried;
        if left.is_nan() || left <= 0.0 {
            let allowed = limit * TORQUE_SHARE;
            return Err(PlanProblemKind::TooHeavy { s, limit: name(index), needed: carried, allowed });
        }
        rows.push(Row {
            limit: name(index),
            s,
            derivatives: [by_acceleration.get(index).abs(), by_speed.get(index).abs(), 0.0],
            allowed: [f64::INFINITY, left, f64::INFINITY],
        });
    }
    Ok(())
}
