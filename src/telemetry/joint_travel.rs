//! How far each joint goes when the controller dies while it moves at full speed: the consequence of what the reaction
//! audit has made sure of.

use serde::Serialize;

use crate::bus_health::reaction::{Travel, worst_travel};
use crate::kinematics::JointKind;

/// One joint. Degrees, or mm of a sliding joint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JointTravel {
    /// The joint, from 1.
    pub joint: usize,
    /// `deg` or `mm`.
    pub unit: &'static str,
    /// Its largest speed, per second.
    pub speed_max: f64,
    /// Deceleration the drive is expected to stop it with, per second squared: the joint's limit.
    pub deceleration: f64,
    /// Longest time until the drive notices that no frames come any more, ms.
    pub notices_after_ms: f64,
    /// Travel until then.
    pub unnoticed: f64,
    /// Travel until it stands.
    pub total: f64,
}

impl JointTravel {
    /// Of the joint with this number (from 0), with its limits in rad or m.
    #[must_use]
    pub fn new(
        joint: usize,
        kind: JointKind,
        speed_max: f64,
        deceleration: f64,
        notices_after_s: f64,
    ) -> Self {
        let (unit, scale) = match kind {
            JointKind::Revolute | JointKind::Continuous => ("deg", 1.0_f64.to_degrees()),
            JointKind::Prismatic => ("mm", 1e3),
        };
        let (speed_max, deceleration) = (scale * speed_max, scale * deceleration);
        let Travel { unnoticed, total } = worst_travel(speed_max, deceleration, notices_after_s);
        let notices_after_ms = 1e3 * notices_after_s;
        Self { joint: joint + 1, unit, speed_max, deceleration, notices_after_ms, unnoticed, total }
    }

    /// In one line.
    #[must_use]
    pub fn text(&self) -> String {
        let unit = if self.unit == "deg" { "°" } else { "mm" };
        format!(
            "joint {}: if the controller dies at {:.0} {unit}/s, at most {:.1} {unit} before the drive notices ({:.0} ms) \
             and {:.1} {unit} until it stands, braking with {:.0} {unit}/s²",
            self.joint, self.speed_max, self.unnoticed, self.notices_after_ms, self.total, self.deceleration
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_joint_says_how_far_it_goes_in_its_own_unit() {
        let turning =
            JointTravel::new(0, JointKind::Revolute, 180_f64.to_radians(), 600_f64.to_radians(), 0.010);
        assert_eq!(
            turning.text(),
            "joint 1: if the controller dies at 180 °/s, at most 1.8 ° before the drive notices (10 ms) and 28.8 ° \
             until it stands, braking with 600 °/s²"
        );
        let sliding = JointTravel::new(1, JointKind::Prismatic, 2.0, 10.0, 0.010);
        assert!((sliding.unnoticed - 20.0).abs() < 1e-9 && (sliding.total - 220.0).abs() < 1e-9);
    }
}
