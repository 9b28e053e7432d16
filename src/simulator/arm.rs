//! The arm behind the motors: gravity, coupling of the joints, the tool at the flange.
//!
//! The motors step by themselves. Once a millisecond the arm tells each of them what inertia it feels and which
//! torque pushes back, from where all of them are, how fast they turn and what they give. In between, a motor's
//! own torque acts on its own inertia at once; that of the others from the next time on.
//!
//! Positions, speeds and torques are those of the shafts; the equation of motion is solved in them:
//! `(Tᵀ M T + rotors) φ̈ + Tᵀ h = torque − friction`, with `q = T φ` and h = Coriolis and gravity.

use crate::devices::DrivePlace;
use crate::dynamics::{ArmDynamics, MassMatrix};
use crate::joints::{JointVector, MAX_JOINTS};

use super::motor::{Load, Motor};

/// An arm that drives of the segment move.
#[derive(Clone, Debug)]
pub struct ArmParameters {
    /// Masses of links and tool; without friction and motors, which the drives have.
    pub dynamics: ArmDynamics,
    /// Place on the bus of the drive that turns each joint first, joint 1 first.
    pub drives: Vec<DrivePlace>,
    /// Joint angle (row) for one rad of a motor shaft (column): gear, direction and coupling.
    pub joint_per_shaft: MassMatrix,
    /// Where the joints stand at power-on, rad.
    pub start_joints: JointVector,
}

/// The motors of an arm, joint 1 first.
pub(super) type Motors<'a> = [Option<&'a mut Motor>; MAX_JOINTS];

/// The arm, between two steps.
#[derive(Debug)]
pub(super) struct Arm {
    parameters: ArmParameters,
    /// `joint_per_shaft` without its zeros, which most of it is: joint, shaft, entry.
    couplings: Vec<(usize, usize, f64)>,
    /// Joint angles at shaft angle 0.
    origin: JointVector,
}

/// A matrix as long as the arm has joints; the rest is not used.
type Square = [[f64; MAX_JOINTS]; MAX_JOINTS];

impl Arm {
    /// The arm where its drives are at power-on; their loops are tuned to the inertia they feel there.
    pub(super) fn new(parameters: ArmParameters, motors: &mut Motors<'_>) -> Self {
        let count = parameters.drives.len();
        let couplings = (0..count)
            .flat_map(|joint| (0..count).map(move |shaft| (joint, shaft)))
            .map(|place| (place.0, place.1, parameters.joint_per_shaft[place]))
            .filter(|(_, _, entry)| *entry != 0.0)
            .collect();
        let origin = parameters.start_joints;
        let mut arm = Self { parameters, couplings, origin };
        arm.origin = origin - arm.turned(&arm.shaft_angles(motors));
        arm.update(motors);
        let (inertias, _) = arm.shaft_dynamics(motors);
        let every = [true; MAX_JOINTS];
        let inverse = inverse_of(&inertias, &every, count);
        for (drive, motor) in motors.iter_mut().enumerate().take(count) {
            if let Some(motor) = motor {
                motor.tune(1.0 / inverse[drive][drive]);
            }
        }
        arm
    }

    /// Position on the bus of each drive.
    pub(super) fn drives(&self) -> &[DrivePlace] {
        &self.parameters.drives
    }

    /// Joint positions, rad.
    pub(super) fn joints(&self, motors: &Motors<'_>) -> JointVector {
        self.origin + self.turned(&self.shaft_angles(motors))
    }

    /// Angles of the shafts, rad.
    fn shaft_angles(&self, motors: &Motors<'_>) -> JointVector {
        JointVector::from_fn(self.parameters.drives.len(), |drive| {
            motor(motors, drive).map_or(0.0, Motor::shaft_rad)
        })
    }

    /// How far, or how fast, the joints turn when the shafts turn by `shafts`.
    fn turned(&self, shafts: &JointVector) -> JointVector {
        let mut joints = [0.0; MAX_JOINTS];
        for (joint, shaft, entry) in &self.couplings {
            joints[*joint] += entry * shafts.get(*shaft);
        }
        JointVector::from_fn(shafts.len(), |joint| joints[joint])
    }

    /// Inertia matrix of the shafts, and the torque on them that does not depend on their accelerations.
    fn shaft_dynamics(&self, motors: &Motors<'_>) -> (Square, JointVector) {
        let ArmParameters { dynamics, drives, .. } = &self.parameters;
        let count = drives.len();
        let q = self.joints(motors);
        let speeds =
            JointVector::from_fn(count, |drive| motor(motors, drive).map_or(0.0, Motor::speed_rad_s));
        let qd = self.turned(&speeds);
        let mass = dynamics.mass_matrix(&q);
        let bias = dynamics.rigid_body_torques(&q, &qd, &JointVector::zeros(count));
        let mut moved = [[0.0; MAX_JOINTS]; MAX_JOINTS];
        for (joint, shaft, entry) in &self.couplings {
            for (row, moved) in moved.iter_mut().enumerate().take(count) {
                moved[*shaft] += mass[(row, *joint)] * entry;
            }
        }
        let mut inertias = [[0.0; MAX_JOINTS]; MAX_JOINTS];
        let mut on_shafts = [0.0; MAX_JOINTS];
        for (joint, shaft, entry) in &self.couplings {
            for (inertia, moved) in inertias[*shaft].iter_mut().zip(&moved[*joint]).take(count) {
                *inertia += entry * moved;
            }
            on_shafts[*shaft] += entry * bias.get(*joint);
        }
        for (drive, row) in inertias.iter_mut().enumerate().take(count) {
            row[drive] += motor(motors, drive).map_or(0.0, Motor::rotor_inertia_kg_m2);
        }
        let on_shafts = JointVector::from_fn(count, |drive| on_shafts[drive]);
        (inertias, on_shafts)
    }

    /// Tells every motor what it feels from now on.
    pub(super) fn update(&mut self, motors: &mut Motors<'_>) {
        let count = self.parameters.drives.len();
        let (inertias, bias) = self.shaft_dynamics(motors);
        let mut free = [false; MAX_JOINTS];
        for (drive, entry) in free.iter_mut().enumerate().take(count) {
            *entry = motor(motors, drive).is_some_and(Motor::can_turn);
        }
        let inverse = inverse_of(&inertias, &free, count);
        let given = JointVector::from_fn(count, |drive| motor(motors, drive).map_or(0.0, Motor::driving_nm));
        let left = given - bias;
        let accelerations = JointVector::from_fn(count, |row| {
            if free[row] {
                (0..count).map(|column| inverse[row][column] * left.get(column)).sum()
            } else {
                0.0
            }
        });
        for (drive, motor) in motors.iter_mut().enumerate().take(count) {
            let Some(motor) = motor else { continue };
            motor.load = if free[drive] {
                let inertia_kg_m2 = 1.0 / inverse[drive][drive];
                Load { inertia_kg_m2, torque_nm: given.get(drive) - inertia_kg_m2 * accelerations.get(drive) }
            } else {
                // What its brake has to hold.
                let reaction: f64 =
                    (0..count).map(|other| inertias[drive][other] * accelerations.get(other)).sum();
                Load { inertia_kg_m2: inertias[drive][drive], torque_nm: bias.get(drive) + reaction }
            };
        }
    }
}

fn motor<'a>(motors: &'a Motors<'_>, drive: usize) -> Option<&'a Motor> {
    motors.get(drive)?.as_deref()
}

/// Inverse of the rows and columns of `matrix` that are `free`; zero elsewhere. The matrix is symmetric positive
/// definite, so elimination needs no pivot search.
fn inverse_of(matrix: &Square, free: &[bool; MAX_JOINTS], count: usize) -> Square {
    let mut inverse = *matrix;
    for (row, entries) in inverse.iter_mut().enumerate() {
        for (column, entry) in entries.iter_mut().enumerate() {
            if !(free[row] && free[column]) {
                *entry = 0.0;
            }
        }
    }
    for pivot in (0..count).filter(|index| free[*index]) {
        let scale = 1.0 / inverse[pivot][pivot];
        let row = inverse[pivot];
        for other in (0..count).filter(|other| *other != pivot) {
            let factor = inverse[other][pivot] * scale;
            for column in 0..count {
                inverse[other][column] -= factor * row[column];
            }
            inverse[other][pivot] = -factor;
        }
        for column in 0..count {
            inverse[pivot][column] = row[column] * scale;
        }
        inverse[pivot][pivot] = scale;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use nalgebra::{Matrix3, Vector3};

    use super::super::description::DriveParameters;
    use super::super::motor::Demand;
    use super::*;
    use crate::dynamics::{LinkInertia, RigidBody};
    use crate::geometry::Pose;
    use crate::kinematics::{Chain, ChainJoint, JointKind};
    use crate::units::Nanoseconds;

    const STEP_NS: u64 = 250_000;
    const STEP_S: f64 = 250e-6;
    const GEAR: f64 = 100.0;

    /// Two joints about y, a metre and half a metre long, hanging out along x; gears of 100, joint 2 driven
    /// through a coupling.
    fn parameters() -> ArmParameters {
        let joint = |x: f64| ChainJoint {
            kind: JointKind::Revolute,
            origin: Pose::translation(x, 0.0, 0.0),
            axis: Vector3::y_axis(),
        };
        let chain = Chain::from_joints(&[joint(0.0), joint(1.0)], &Pose::translation(0.5, 0.0, 0.0)).unwrap();
        let rod = |mass: f64, length: f64| {
            LinkInertia::none().with(&RigidBody {
                mass_kg: mass,
                center_of_mass_m: Vector3::new(0.5 * length, 0.0, 0.0),
                inertia_kg_m2: Matrix3::from_diagonal(&Vector3::new(0.0, 1.0, 1.0))
                    * (mass * length * length / 12.0),
            })
        };
        let dynamics =
            ArmDynamics::new(&chain, &[LinkInertia::none(), rod(20.0, 1.0), rod(8.0, 0.5)]).unwrap();
        let mut joint_per_shaft = MassMatrix::zeros();
        joint_per_shaft[(0, 0)] = 1.0 / GEAR;
        joint_per_shaft[(1, 1)] = -1.0 / GEAR;
        joint_per_shaft[(1, 0)] = 0.02 / GEAR;
        ArmParameters {
            dynamics,
            drives: vec![0.into(), 1.into()],
            joint_per_shaft,
            start_joints: JointVector::zeros(2),
        }
    }

    fn motors(friction_nm: f64) -> [Motor; 2] {
        let parameters = DriveParameters {
            friction_nm,
            viscous_friction_nm_s: 0.0,
            rated_torque_nm: 3.0,
            peak_torque_nm: 9.0,
            brake_torque_nm: 6.0,
            ..DriveParameters::default()
        };
        [Motor::new(&parameters), Motor::new(&parameters)]
    }

    fn all(motors: &mut [Motor; 2]) -> Motors<'_> {
        let mut slots: Motors<'_> = Default::default();
        for (slot, motor) in slots.iter_mut().zip(motors) {
            *slot = Some(motor);
        }
        slots
    }

    /// Runs `ms` milliseconds from `from_ms`, the arm updated every step; `watch` sees the arm after each.
    fn run(
        arm: &mut Arm,
        pair: &mut [Motor; 2],
        (from_ms, ms): (u64, u64),
        demand: [Demand; 2],
        mut watch: impl FnMut(&Arm, &Motors<'_>),
    ) {
        for step in 0..ms * 4 {
            let now = Nanoseconds(from_ms * 1_000_000 + (step + 1) * STEP_NS);
            arm.update(&mut all(pair));
            for (motor, demand) in pair.iter_mut().zip(demand) {
                motor.step(demand, STEP_S, now);
            }
            watch(arm, &all(pair));
        }
    }

    fn released(friction_nm: f64) -> (Arm, [Motor; 2]) {
        let mut pair = motors(friction_nm);
        for motor in &mut pair {
            motor.release_brake_for_test();
        }
        let arm = Arm::new(parameters(), &mut all(&mut pair));
        (arm, pair)
    }

    fn joint_state(arm: &Arm, motors: &Motors<'_>) -> (JointVector, JointVector) {
        let speeds = JointVector::from_fn(2, |drive| motor(motors, drive).unwrap().speed_rad_s());
        (arm.joints(motors), arm.turned(&speeds))
    }

    #[test]
    fn without_torque_and_brake_the_arm_drops_and_with_closed_brakes_it_stays() {
        let (mut arm, mut pair) = released(0.01);
        run(&mut arm, &mut pair, (0, 300), [Demand::Free; 2], |_, _| {});
        let dropped = arm.joints(&all(&mut pair));
        // Turning about +y takes x towards −z.
        assert!(dropped.get(0) > 0.2, "{dropped:?}");

        let mut pair = motors(0.01);
        let mut arm = Arm::new(parameters(), &mut all(&mut pair));
        run(&mut arm, &mut pair, (0, 300), [Demand::Free; 2], |_, _| {});
        assert!(arm.joints(&all(&mut pair)).max_abs() < 1e-12);
        // A brake that is too weak for the arm slips.
        for motor in &mut pair {
            motor.weaken_brake_for_test(0.3);
        }
        run(&mut arm, &mut pair, (300, 300), [Demand::Free; 2], |_, _| {});
        assert!(arm.joints(&all(&mut pair)).get(0) > 0.05);
    }

    #[test]
    fn the_energy_of_a_falling_arm_is_the_work_of_gravity() {
        let (mut arm, mut pair) = released(0.0);
        let dynamics = arm.parameters.dynamics;
        let rotors: f64 =
            DriveParameters::default().motor_inertia_kg_m2 + DriveParameters::default().gear_inertia_kg_m2;
        let (mut work_j, mut energy_j, mut before) = (0.0, 0.0, JointVector::zeros(2));
        run(&mut arm, &mut pair, (0, 500), [Demand::Free; 2], |arm, motors| {
            let (q, qd) = joint_state(arm, motors);
            let gravity = dynamics.gravity_torques(&((q + before) * 0.5));
            work_j -= gravity.iter().zip((q - before).iter()).map(|(torque, way)| torque * way).sum::<f64>();
            before = q;
            let mass = dynamics.mass_matrix(&q);
            let pairs = (0..2).flat_map(|row| (0..2).map(move |column| (row, column)));
            energy_j = 0.5 * pairs.map(|at| mass[at] * qd.get(at.0) * qd.get(at.1)).sum::<f64>();
            for motor in motors.iter().flatten() {
                energy_j += 0.5 * rotors * motor.speed_rad_s().powi(2);
            }
        });
        assert!(work_j > 20.0, "{work_j} J");
        assert!((energy_j / work_j - 1.0).abs() < 0.01, "{energy_j} J of {work_j} J");
    }

    #[test]
    fn drives_hold_the_arm_with_the_torque_the_model_says() {
        let (mut arm, mut pair) = released(0.0);
        let hold = pair.each_ref().map(|motor| Demand::hold(motor.position));
        run(&mut arm, &mut pair, (0, 2000), hold, |_, _| {});
        let q = arm.joints(&all(&mut pair));
        let wanted = parameters().dynamics.gravity_torques(&q);
        let given = JointVector::from_fn(2, |drive| pair[drive].torque_nm);
        let matrix = parameters().joint_per_shaft;
        for drive in 0..2 {
            let on_shaft: f64 = (0..2).map(|joint| matrix[(joint, drive)] * wanted.get(joint)).sum();
            assert!((given.get(drive) - on_shaft).abs() < 1e-3, "{} {on_shaft}", given.get(drive));
        }
        assert!(q.max_abs() < 1e-3, "{q:?}");
    }

    #[test]
    fn inverting_part_of_a_matrix_leaves_the_rest_out() {
        let mut matrix = [[0.0; MAX_JOINTS]; MAX_JOINTS];
        for (row, values) in [[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]].iter().enumerate() {
            matrix[row][..3].copy_from_slice(values);
        }
        let mut free = [true; MAX_JOINTS];
        free[1] = false;
        let inverse = inverse_of(&matrix, &free, 3);
        let determinant = 4.0 * 2.0 - 0.25;
        assert!((inverse[0][0] - 2.0 / determinant).abs() < 1e-12);
        assert!((inverse[0][2] + 0.5 / determinant).abs() < 1e-12);
        assert!(inverse[1].iter().all(|entry| *entry == 0.0));
    }
}
