//! Counts ↔ joints. Encoder counters wrap at their width; they are followed modulo it, so that a wrap
//! in the middle of the working range is not seen. Between drives and joints stands an n × n coupling
//! matrix (wrist axes that drag each other along).

use crate::config::cell::Coupling;
use crate::dynamics::JointFriction;
use crate::joints::{JointVector, MAX_JOINTS};

/// Scaling of one drive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DriveScaling {
    /// Encoder counts a motor turn, > 0.
    pub counts_per_turn: f64,
    /// Width of the position counter, 1..=32 bits.
    pub counter_bits: u32,
    /// Motor turns for 2π rad behind the gear (2π m where the joint slides), > 0.
    pub gear_ratio: f64,
    /// +1 or −1: sense of rotation.
    pub sign: f64,
    /// Drive angle behind the gear at count 0, rad.
    pub offset_rad: f64,
}

impl DriveScaling {
    /// Counts a radian behind the gear, with sign.
    #[must_use]
    pub fn counts_per_radian(&self) -> f64 {
        self.sign * self.counts_per_turn * self.gear_ratio / std::f64::consts::TAU
    }

    /// Angle behind the gear, rad, at a followed count.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "followed counts stay far below 2^53")]
    pub fn angle_rad(&self, counts: i64) -> f64 {
        counts as f64 / self.counts_per_radian() + self.offset_rad
    }

    /// The count nearest to an angle behind the gear, rad.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "float to integer saturates; the gate bounds the angle"
    )]
    pub fn counts(&self, angle_rad: f64) -> i64 {
        ((angle_rad - self.offset_rad) * self.counts_per_radian()).round() as i64
    }

    /// The counter value that shows a followed count: the low `counter_bits`, sign-extended.
    #[must_use]
    pub const fn wrap(&self, counts: i64) -> i32 {
        sign_extend(counts, self.counter_bits)
    }
}

/// The low `bits` of a number as a signed number; `bits` outside 1..=32 counts as 32.
#[expect(clippy::cast_possible_truncation, reason = "only the low 32 bits are wanted")]
const fn sign_extend(counts: i64, bits: u32) -> i32 {
    let bits = if bits == 0 || bits > 32 { 32 } else { bits };
    let shift = 32 - bits;
    ((counts as i32) << shift) >> shift
}

/// Follows one wrapping counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CounterFollower {
    followed: Option<i64>,
}

impl CounterFollower {
    /// Takes a new counter reading and returns the followed count: of all counts that show this reading,
    /// the one nearest to the last, or for the first reading to `middle`, the count in the middle of where
    /// the drive can be. So a joint that stands beyond a wrap at power-up is where it is.
    pub fn update(&mut self, scaling: &DriveScaling, reading: i32, middle: i64) -> i64 {
        let near = self.followed.unwrap_or(middle);
        let followed = near + i64::from(scaling.wrap(i64::from(reading).wrapping_sub(near)));
        self.followed = Some(followed);
        followed
    }

    /// The followed count; zero before the first reading.
    #[must_use]
    pub fn counts(&self) -> i64 {
        self.followed.unwrap_or(0)
    }
}

/// Torque of one motor.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MotorTorque {
    /// Unit of the drive's torque objects, Nm at the shaft; zero: torques are not known.
    pub rated_nm: f64,
    /// What motor and gear lose, at the shaft: Nm over rad/s.
    pub friction: JointFriction,
}

/// Scaling of all drives of an arm, with the coupling between them.
#[derive(Clone, Copy, Debug)]
pub struct ArmScaling {
    drives: [Option<DriveScaling>; MAX_JOINTS],
    motors: [MotorTorque; MAX_JOINTS],
    coupling: Coupling,
}

impl ArmScaling {
    /// Scaling of `drives` (drive i first moves joint i), coupled by `coupling`.
    ///
    /// `None` when there is not one drive for each joint of the coupling.
    #[must_use]
    pub fn new(drives: &[DriveScaling], coupling: Coupling) -> Option<Self> {
        let mut slots = [None; MAX_JOINTS];
        for (slot, drive) in slots.get_mut(..drives.len())?.iter_mut().zip(drives) {
            *slot = Some(*drive);
        }
        (drives.len() == coupling.len()).then_some(Self {
            drives: slots,
            motors: [MotorTorque::default(); MAX_JOINTS],
            coupling,
        })
    }

    /// The same with what is known of the motors' torques, drive 1 first.
    #[must_use]
    pub fn with_motors(mut self, motors: &[MotorTorque]) -> Self {
        for (slot, motor) in self.motors.iter_mut().zip(motors) {
            *slot = *motor;
        }
        self
    }

    /// Counts per second of one drive at drive speeds behind the gear (rad/s); saturates.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "float to integer saturates")]
    pub fn counts_per_second(&self, drive_speeds: &JointVector, drive: usize) -> i32 {
        self.drive(drive)
            .map_or(0, |scaling| (drive_speeds.get(drive) * scaling.counts_per_radian()).round() as i32)
    }

    /// Motor torque of each drive, per thousand of rated, for joint torques (Nm) at joint speeds (rad/s), with
    /// the friction of motors and gears. Drives whose rated torque is not known get zero.
    #[must_use]
    pub fn motor_torques_per_mille(
        &self,
        joint_torques: &JointVector,
        joint_speeds: &JointVector,
    ) -> JointVector {
        let behind_gear = self.coupling.drive_torques(joint_torques);
        let speeds = self.coupling.drives(joint_speeds);
        JointVector::from_fn(self.drive_count(), |drive| {
            let (Some(scaling), Some(motor)) = (self.drive(drive), self.motors.get(drive)) else {
                return 0.0;
            };
            if motor.rated_nm <= 0.0 {
                return 0.0;
            }
            let shaft_per_drive = scaling.sign * scaling.gear_ratio;
            let torque = behind_gear.get(drive) / shaft_per_drive
                + motor.friction.torque(speeds.get(drive) * shaft_per_drive);
            torque / motor.rated_nm * 1000.0
        })
    }

    /// Joint torques (Nm) that reach the joints of motor torques (per thousand of rated) at joint speeds (rad/s):
    /// friction of motors and gears taken off.
    #[must_use]
    pub fn joint_torques(&self, per_mille: &JointVector, joint_speeds: &JointVector) -> JointVector {
        let speeds = self.coupling.drives(joint_speeds);
        let behind_gear = JointVector::from_fn(self.drive_count(), |drive| {
            let (Some(scaling), Some(motor)) = (self.drive(drive), self.motors.get(drive)) else {
                return 0.0;
            };
            let shaft_per_drive = scaling.sign * scaling.gear_ratio;
            let torque = per_mille.get(drive) * 1e-3 * motor.rated_nm
                - motor.friction.torque(speeds.get(drive) * shaft_per_drive);
            torque * shaft_per_drive
        });
        self.coupling.joint_torques(&behind_gear)
    }

    /// True when this drive has a part in the position of this joint.
    #[must_use]
    pub fn turns(&self, drive: usize, joint: usize) -> bool {
        let row = self.coupling.joint_from_drive().get(joint);
        row.and_then(|row| row.get(drive)).is_some_and(|part| *part != 0.0)
    }

    /// Moves the zero of each drive by so much after its gear, rad.
    pub fn move_zeros(&mut self, by: &JointVector) {
        for (drive, slot) in self.drives.iter_mut().enumerate() {
            if let Some(scaling) = slot {
                scaling.offset_rad += by.get(drive);
            }
        }
    }

    /// Sets the position of one drive after its gear at count 0, rad.
    pub fn set_position_at_count_0(&mut self, drive: usize, position: f64) {
        if let Some(Some(scaling)) = self.drives.get_mut(drive) {
            scaling.offset_rad = position;
        }
    }

    /// Number of drives.
    #[must_use]
    pub const fn drive_count(&self) -> usize {
        self.coupling.len()
    }

    /// Scaling of one drive.
    #[must_use]
    pub fn drive(&self, drive: usize) -> Option<&DriveScaling> {
        self.drives.get(drive)?.as_ref()
    }

    /// Joint positions (rad) at followed counts, one for each drive.
    #[must_use]
    pub fn joints(&self, counts: impl Fn(usize) -> i64) -> JointVector {
        let angles = JointVector::from_fn(self.drive_count(), |drive| {
            self.drive(drive).map_or(0.0, |scaling| scaling.angle_rad(counts(drive)))
        });
        self.coupling.joints(&angles)
    }

    /// Followed counts nearest to drive angles behind the gear (rad), for one drive.
    #[must_use]
    pub fn target_counts(&self, drive_angles: &JointVector, drive: usize) -> i64 {
        self.drive(drive).map_or(0, |scaling| scaling.counts(drive_angles.get(drive)))
    }

    /// Drive angles behind the gear (rad) at joint positions (rad).
    #[must_use]
    pub fn drive_angles(&self, joints: &JointVector) -> JointVector {
        self.coupling.drives(joints)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scaling(bits: u32) -> DriveScaling {
        DriveScaling {
            counts_per_turn: 8_388_608.0,
            counter_bits: bits,
            gear_ratio: 161.0,
            sign: -1.0,
            offset_rad: 0.3,
        }
    }

    proptest! {
        #[test]
        fn a_wrapping_counter_is_followed_as_long_as_it_moves_less_than_half_its_width(
            bits in 8_u32..=32,
            start in any::<i32>(),
            steps in prop::collection::vec(-100_i64..100, 1..200),
        ) {
            let scaling = scaling(bits);
            let mut follower = CounterFollower::default();
            let first = follower.update(&scaling, scaling.wrap(i64::from(start)), 0);
            let mut position = first;
            for step in steps {
                position += step;
                prop_assert_eq!(follower.update(&scaling, scaling.wrap(position), 0), position);
            }
        }

        #[test]
        fn at_power_up_the_span_nearest_to_the_middle_is_taken(
            bits in 16_u32..=32,
            middle in -9_000_000_000_i64..9_000_000_000,
            share in -0.49_f64..0.49,
        ) {
            let scaling = scaling(bits);
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a test")]
            let position = middle + (share * (1_i64 << bits) as f64) as i64;
            let mut follower = CounterFollower::default();
            prop_assert_eq!(follower.update(&scaling, scaling.wrap(position), middle), position);
        }

        #[test]
        fn counts_survive_the_way_through_joint_space(counts in -2_000_000_000_i64..2_000_000_000, other in -1_000_000_000_i64..1_000_000_000) {
            let coupling = Coupling::new(&[vec![1.0, 0.0], vec![-0.0125, 1.0]]).unwrap();
            let arm = ArmScaling::new(&[scaling(32), scaling(32)], coupling).unwrap();
            let readings = [counts, other];
            let joints = arm.joints(|drive| readings[drive]);
            let angles = arm.drive_angles(&joints);
            for (drive, reading) in readings.iter().enumerate() {
                prop_assert!((arm.target_counts(&angles, drive) - reading).abs() <= 1);
            }
        }
    }

    proptest! {
        #[test]
        fn torques_go_to_the_motors_and_come_back(
            torques in [-500.0_f64..500.0, -500.0..500.0], speeds in [-2.0_f64..2.0, -2.0..2.0],
        ) {
            let coupling = Coupling::new(&[vec![1.0, 0.0], vec![-0.0125, 1.0]]).unwrap();
            let friction = JointFriction { coulomb: 0.2, viscous: 1e-3, ..JointFriction::default() };
            let arm = ArmScaling::new(&[scaling(32), scaling(32)], coupling)
                .unwrap()
                .with_motors(&[MotorTorque { rated_nm: 9.0, friction }; 2]);
            let (torques, speeds) = (JointVector::from_slice(&torques).unwrap(), JointVector::from_slice(&speeds).unwrap());
            let per_mille = arm.motor_torques_per_mille(&torques, &speeds);
            prop_assert!((arm.joint_torques(&per_mille, &speeds) - torques).max_abs() < 1e-9);
            // Power at the shafts is power at the joints and what is lost.
            let shaft = arm.drive_angles(&speeds) * (-161.0);
            let power: f64 = (0..2).map(|drive| per_mille.get(drive) * 9e-3 * shaft.get(drive)).sum();
            let lost: f64 = (0..2).map(|drive| friction.torque(shaft.get(drive)) * shaft.get(drive)).sum();
            let useful: f64 = torques.iter().zip(speeds.iter()).map(|(a, b)| a * b).sum();
            prop_assert!((power - lost - useful).abs() < 1e-6, "{} {}", power - lost, useful);
        }
    }

    #[test]
    fn every_joint_needs_its_drive() {
        assert!(ArmScaling::new(&[scaling(32)], Coupling::identity(2)).is_none());
    }
}
