//! Feed-forward: what the drives are told beside the position, so that they need not wait for an error. And the
//! other way round: what their torques say that the model does not.

use crate::drives::scaling::ArmScaling;
use crate::dynamics::{ArmDynamics, RigidBody};
use crate::joints::{JointVector, MAX_JOINTS};

/// Cycles from a setpoint to the torque it made: one to send it, one until it is reached and read.
const DELAY_CYCLES: usize = 2;

/// What is fed forward, and the arm it is computed with.
#[derive(Clone, Copy, Debug, Default)]
pub struct FeedForwardSettings {
    /// Masses, motors and the payload at start; without friction, which belongs to the motors. `None`: torques
    /// are neither fed forward nor judged.
    pub dynamics: Option<ArmDynamics>,
    /// Send velocity offsets.
    pub velocity: bool,
    /// Send torque offsets.
    pub torque: bool,
}

/// How the setpoint moves, rad and seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointMotion {
    /// Speeds.
    pub speeds: JointVector,
    /// Accelerations.
    pub accelerations: JointVector,
}

/// What goes to the drives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Feed {
    /// Joint speeds, rad/s.
    pub speeds: JointVector,
    /// Torque of each motor, per thousand of rated.
    pub motor_torques_per_mille: JointVector,
}

impl Feed {
    /// Nothing beside positions, for `joints` joints.
    #[must_use]
    pub fn none(joints: usize) -> Self {
        let zeros = JointVector::zeros(joints);
        Self { speeds: zeros, motor_torques_per_mille: zeros }
    }
}

/// What the joints of one cycle are expected to do.
#[derive(Clone, Copy, Debug)]
struct Expected {
    speeds: JointVector,
    torques: JointVector,
}

/// Keeps what was asked for until the drives have answered.
#[derive(Clone, Copy, Debug)]
pub struct FeedForward {
    settings: FeedForwardSettings,
    dt_s: f64,
    speeds_before: JointVector,
    /// Oldest first.
    past: [Expected; DELAY_CYCLES],
    zeros: JointVector,
}

impl FeedForward {
    /// For an arm of `joints` joints.
    #[must_use]
    pub fn new(settings: FeedForwardSettings, joints: usize, dt_s: f64) -> Self {
        let zeros = JointVector::zeros(joints.min(MAX_JOINTS));
        let none = Expected { speeds: zeros, torques: zeros };
        Self { settings, dt_s, speeds_before: zeros, past: [none; DELAY_CYCLES], zeros }
    }

    /// Tool and load at the flange from now on.
    pub fn set_payload(&mut self, payload: &RigidBody) {
        if let Some(dynamics) = self.settings.dynamics.as_mut().filter(|arm| arm.payload() != payload) {
            dynamics.set_payload(&[*payload]);
        }
    }

    /// What the drives are told with the setpoint `q` of this cycle.
    ///
    /// `motion` is how the path moves at `q`; where it is not known, `speeds` of the setpoints are differenced. The
    /// drives move in a straight line over the cycle, so both are taken half a cycle before its end.
    /// # Real-time
    /// No allocation; one inverse dynamics.
    pub fn step(
        &mut self,
        q: &JointVector,
        speeds: &JointVector,
        motion: Option<JointMotion>,
        scaling: &ArmScaling,
    ) -> Feed {
        let motion = match motion {
            Some(JointMotion { speeds, accelerations }) => {
                JointMotion { speeds: speeds - accelerations * (0.5 * self.dt_s), accelerations }
            }
            None => JointMotion {
                speeds: *speeds,
                accelerations: (*speeds - self.speeds_before) * (1.0 / self.dt_s),
            },
        };
        self.speeds_before = *speeds;
        let torques = match &self.settings.dynamics {
            Some(dynamics) => dynamics.torques(q, &motion.speeds, &motion.accelerations),
            None => self.zeros,
        };
        self.past.rotate_left(1);
        if let Some(newest) = self.past.last_mut() {
            *newest = Expected { speeds: motion.speeds, torques };
        }
        Feed {
            speeds: if self.settings.velocity { motion.speeds } else { self.zeros },
            motor_torques_per_mille: if self.settings.torque && self.settings.dynamics.is_some() {
                scaling.motor_torques_per_mille(&torques, &motion.speeds)
            } else {
                self.zeros
            },
        }
    }

    /// Torques that reach the joints by what the drives report (per thousand of rated), and how far they are from
    /// what the model expects, Nm. Zero where the model or the torques are not known.
    ///
    /// Source of the idea: De Luca, Mattone 2005; here without an observer, so acceleration comes from the setpoint.
    #[must_use]
    pub fn residual(&self, per_mille: &JointVector, scaling: &ArmScaling) -> (JointVector, JointVector) {
        let (Some(_), Some(expected)) = (&self.settings.dynamics, self.past.first()) else {
            return (self.zeros, self.zeros);
        };
        let torques = scaling.joint_torques(per_mille, &expected.speeds);
        (torques, torques - expected.torques)
    }
}
