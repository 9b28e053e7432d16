//! The gate: every setpoint, whatever made it, passes here before it reaches the drives. It cannot be
//! switched off. It is for bugs: the planner keeps the limits itself.

use crate::faults::FaultCode;
use crate::joints::{JointLimits, JointVector};

/// What the gate allows above a limit, as a share of it: covers rounding of differences, nothing else.
const SHARE: f64 = 0.02;
/// What the gate allows beyond a position limit, rad.
const POSITION_SLACK: f64 = 1e-6;
/// What the gate allows above an acceleration limit, rad/s²: second differences of a path solved to
/// 1e-9 rad at 1 kHz carry that much noise many times over.
const ACCELERATION_SLACK: f64 = 0.05;

/// A setpoint the gate does not let pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Violation {
    /// Which rule.
    pub code: FaultCode,
    /// The joint.
    pub joint: u8,
    /// The value, rad, rad/s or rad/s².
    pub value: f64,
    /// Its limit.
    pub limit: f64,
}

/// The gate and the last two setpoints that passed it.
#[derive(Clone, Copy, Debug)]
pub struct SetpointGate {
    limits: JointLimits,
    dt_s: f64,
    last: JointVector,
    last_speed: JointVector,
}

impl SetpointGate {
    /// A gate for setpoints every `dt_s`.
    #[must_use]
    pub fn new(limits: JointLimits, dt_s: f64) -> Self {
        let zeros = JointVector::zeros(limits.len());
        Self { limits, dt_s, last: zeros, last_speed: zeros }
    }

    /// The last setpoint that passed, rad.
    #[must_use]
    pub const fn setpoint(&self) -> &JointVector {
        &self.last
    }

    /// Speed of the last setpoint that passed, rad/s.
    #[must_use]
    pub const fn speed(&self) -> &JointVector {
        &self.last_speed
    }

    /// Takes the actual position as setpoint, at rest. For drives without torque.
    pub fn follow(&mut self, q_actual: &JointVector) {
        if q_actual.is_finite() && q_actual.len() == self.last.len() {
            self.last = *q_actual;
            self.last_speed = JointVector::zeros(self.last.len());
        }
    }

    /// Lets `q` pass or says why not; then the last setpoint stays in force.
    ///
    /// # Errors
    /// The first rule that is broken: finite, position with stopping distance, speed, acceleration.
    pub fn pass(&mut self, q: &JointVector) -> Result<(), Violation> {
        if q.len() != self.last.len() || !q.is_finite() {
            let joint = q.iter().position(|value| !value.is_finite()).unwrap_or(0);
            return Err(violation(FaultCode::SetpointNotFinite, joint, q.get(joint), 0.0));
        }
        let speed = (*q - self.last) * (1.0 / self.dt_s);
        let acceleration = (speed - self.last_speed) * (1.0 / self.dt_s);
        for (joint, limit) in self.limits.as_slice().iter().enumerate() {
            let (position, speed, acceleration) = (q.get(joint), speed.get(joint), acceleration.get(joint));
            if speed.abs() > limit.speed_max * (1.0 + SHARE) {
                return Err(violation(FaultCode::SetpointSpeed, joint, speed, limit.speed_max));
            }
            if acceleration.abs() > limit.acceleration_max * (1.0 + SHARE) + ACCELERATION_SLACK {
                return Err(violation(
                    FaultCode::SetpointAcceleration,
                    joint,
                    acceleration,
                    limit.acceleration_max,
                ));
            }
            // Where the joint would stand if it braked as hard as it may from now on. A joint that
            // starts outside may move back in.
            let stop = position + 0.5 * speed * speed.abs() / limit.acceleration_max;
            let slack = POSITION_SLACK + SHARE * (stop - position).abs();
            if stop > limit.position_max + slack && speed >= 0.0 && position > self.last.get(joint) {
                return Err(violation(FaultCode::SetpointPosition, joint, stop, limit.position_max));
            }
            if stop < limit.position_min - slack && speed <= 0.0 && position < self.last.get(joint) {
                return Err(violation(FaultCode::SetpointPosition, joint, stop, limit.position_min));
            }
        }
        self.last = *q;
        self.last_speed = speed;
        Ok(())
    }
}

fn violation(code: FaultCode, joint: usize, value: f64, limit: f64) -> Violation {
    Violation { code, joint: u8::try_from(joint).unwrap_or(u8::MAX), value, limit }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::joints::JointLimit;

    const DT: f64 = 1e-3;

    fn gate() -> SetpointGate {
        let limit = JointLimit {
            position_min: -1.0,
            position_max: 1.0,
            speed_max: 2.0,
            acceleration_max: 10.0,
            jerk_max: 100.0,
        };
        SetpointGate::new(JointLimits::from_slice(&[limit; 2]).unwrap(), DT)
    }

    fn both(value: f64) -> JointVector {
        JointVector::from_slice(&[0.0, value]).unwrap()
    }

    #[test]
    fn numbers_that_are_not_finite_never_pass() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut gate = gate();
            assert_eq!(gate.pass(&both(bad)).unwrap_err().code, FaultCode::SetpointNotFinite);
            assert_eq!(gate.setpoint(), &both(0.0));
        }
        assert_eq!(gate().pass(&JointVector::zeros(3)).unwrap_err().code, FaultCode::SetpointNotFinite);
        for (value, code) in
            [(1e308, FaultCode::SetpointSpeed), (f64::MIN_POSITIVE / 2.0, FaultCode::SetpointSpeed)]
        {
            let result = gate().pass(&both(value));
            if value > 1.0 {
                assert_eq!(result.unwrap_err().code, code);
            } else {
                assert!(result.is_ok());
            }
        }
    }

    #[test]
    fn a_step_in_position_is_refused_as_speed_and_a_step_in_speed_as_acceleration() {
        assert_eq!(gate().pass(&both(0.01)).unwrap_err().code, FaultCode::SetpointSpeed);
        assert_eq!(gate().pass(&both(0.001)).unwrap_err().code, FaultCode::SetpointAcceleration);
        assert!(gate().pass(&both(0.99 * 10.0 * DT * DT)).is_ok());
    }

    proptest! {
        #[test]
        fn whatever_passes_can_be_stopped_inside_the_limits(accelerations in prop::collection::vec(-12.0_f64..12.0, 1..3000)) {
            let mut gate = gate();
            let (mut q, mut speed) = (0.0, 0.0_f64);
            for acceleration in accelerations {
                let wanted = speed + acceleration * DT;
                if gate.pass(&both(q + wanted * DT)).is_ok() {
                    speed = wanted;
                    q += speed * DT;
                } else {
                    // Brake as hard as allowed, as the reaction would.
                    let brake = speed.abs().min(10.0 * DT) * speed.signum();
                    let slower = speed - brake;
                    prop_assert!(gate.pass(&both(q + slower * DT)).is_ok(), "braking refused at {q} {speed}");
                    speed = slower;
                    q += speed * DT;
                }
                prop_assert!(q.abs() <= 1.0 + 5e-3, "{q}");
                prop_assert!(speed.abs() <= 2.0 * 1.02 + 1e-9);
            }
        }
    }
}
