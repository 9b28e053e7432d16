//! The joint stop: every axis to zero speed with a common stop time, each at no more than its largest
//! deceleration. The path is given up. For faults, when the path or a device cannot be trusted.

use crate::joints::{JointLimits, JointVector};

/// A joint stop under way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointStop {
    q_start: JointVector,
    speed_start: JointVector,
    duration_s: f64,
    elapsed_s: f64,
}

impl JointStop {
    /// Starts from setpoint `q` (rad) moving at `speed` (rad/s). Speeds that are not finite count as zero.
    #[must_use]
    pub fn start(q: &JointVector, speed: &JointVector, limits: &JointLimits) -> Self {
        let speed_start = speed.map(|value| if value.is_finite() { value } else { 0.0 });
        let duration_s = speed_start
            .iter()
            .zip(limits.as_slice())
            .map(|(value, limit)| value.abs() / limit.acceleration_max)
            .fold(0.0, f64::max);
        Self { q_start: *q, speed_start, duration_s, elapsed_s: 0.0 }
    }

    /// Advances by `dt_s` and returns the setpoint.
    pub fn step(&mut self, dt_s: f64) -> JointVector {
        self.elapsed_s = (self.elapsed_s + dt_s).min(self.duration_s);
        if self.duration_s <= 0.0 {
            return self.q_start;
        }
        // Constant deceleration v / T: q = q0 + v t (1 - t / 2T).
        let factor = self.elapsed_s * (1.0 - 0.5 * self.elapsed_s / self.duration_s);
        self.q_start + self.speed_start * factor
    }

    /// True once every axis stands.
    #[must_use]
    pub fn is_standing(&self) -> bool {
        self.elapsed_s >= self.duration_s
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::joints::JointLimit;

    proptest! {
        #[test]
        fn all_axes_stand_at_the_same_time_and_none_brakes_harder_than_it_may(
            speeds in prop::collection::vec(-3.0_f64..3.0, 6),
            accelerations in prop::collection::vec(1.0_f64..20.0, 6),
        ) {
            let limits: Vec<JointLimit> = accelerations.iter().map(|&acceleration_max| JointLimit {
                position_min: -3.0, position_max: 3.0, speed_max: 3.0, acceleration_max, jerk_max: 100.0,
            }).collect();
            let limits = JointLimits::from_slice(&limits).unwrap();
            let speed = JointVector::from_slice(&speeds).unwrap();
            let mut stop = JointStop::start(&JointVector::zeros(6), &speed, &limits);
            let mut before = [JointVector::zeros(6) - speed * 1e-3, JointVector::zeros(6)];
            let bound = speeds.iter().zip(&accelerations).map(|(v, a)| v.abs() / a).fold(0.0, f64::max);
            let mut steps = 0;
            while !stop.is_standing() {
                let q = stop.step(1e-3);
                for (joint, limit) in accelerations.iter().enumerate() {
                    let acceleration = (q.get(joint) - 2.0 * before[1].get(joint) + before[0].get(joint)) / 1e-6;
                    prop_assert!(acceleration.abs() <= limit * (1.0 + 1e-6) + 1e-6);
                }
                before = [before[1], q];
                steps += 1;
            }
            prop_assert!(f64::from(steps) * 1e-3 <= bound + 2e-3);
            prop_assert_eq!(stop.step(1e-3), before[1]);
        }
    }
}
