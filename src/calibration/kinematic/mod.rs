//! Kinematic calibration: joint offsets and small errors of the links from measured places of the flange.
//!
//! A measuring instrument sees a target on the flange: place = X_instrument_base · f(q + offsets, links) · target.
//! What cannot be told from the measurements (a turned joint 1 looks like a turned instrument) is held at zero, by
//! name, instead of being shared out by chance.

use nalgebra::{DMatrix, DVector, Isometry3, Translation3, Unit, UnitQuaternion, Vector3};

use super::{CalibrationProblem, Residuals, as_f64};
use crate::geometry::Pose;
use crate::joints::JointVector;
use crate::kinematics::{Chain, ChainJoint, JointKind};

/// Rounds of the Gauss–Newton search, at most; errors of a few degrees need four or five.
const ROUNDS_MAX: u32 = 40;
/// Settled when no parameter changes by more, rad or m.
const SETTLED: f64 = 1e-12;
/// A direction of the parameters whose singular value is below this share of the largest cannot be told.
const RANK_SHARE: f64 = 1e-4;
/// A parameter with more than this share in such directions is held.
const HELD_SHARE: f64 = 1e-3;

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KinematicMeasurement {
    /// Joint positions as the arm shows them, rad or m.
    pub q: JointVector,
    /// Where the instrument saw the target, m, in its own frame.
    pub target_in_instrument: Vector3<f64>,
}

/// What is to be found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KinematicTask {
    /// The base of the arm in the frame of the instrument, if it is known; otherwise a first guess is found.
    pub x_instrument_base: Option<Pose>,
    /// The target in the flange frame, m, if it is known; otherwise it is found from zero on.
    pub target_in_flange: Option<Vector3<f64>>,
    /// True: link parameters too (two shifts and two tilts a joint), not the joint offsets alone.
    pub links: bool,
}

/// What a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// Added to the position the joint shows, rad or m.
    Offset,
    /// Shift of the joint across its axis, along the first (0) or second (1) direction square to it, m.
    Shift(u8),
    /// Tilt of the axis about that direction, rad.
    Tilt(u8),
}

/// One parameter of the arm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// Joint, from 0.
    pub joint: usize,
    /// What of it.
    pub kind: ParameterKind,
    /// Found value, rad or m.
    pub value: f64,
    /// Its standard deviation as the residuals let expect it; `None`: as many unknowns as measurements.
    pub deviation: Option<f64>,
}

/// A parameter that the measurements do not tell, held at zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Joint, from 0.
    pub joint: usize,
    /// What of it.
    pub kind: ParameterKind,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct KinematicCalibration {
    /// The parameters that could be told.
    pub parameters: Vec<Parameter>,
    /// Those that could not.
    pub held: Vec<Held>,
    /// The corrected arm, joint offsets included.
    pub chain: Chain,
    /// Its joints, each origin with the correction in it.
    pub joints: Vec<ChainJoint>,
    /// Base of the arm in the frame of the instrument.
    pub x_instrument_base: Pose,
    /// Target in the flange frame, m.
    pub target_in_flange: Vector3<f64>,
    /// Distances before, with the best base and target but no correction.
    pub before: Residuals,
    /// Distances with the corrections.
    pub residuals: Residuals,
    /// Largest over smallest singular value of what was solved.
    pub condition: f64,
}

/// Finds the corrections by Gauss–Newton steps on singular values.
///
/// Source: Hollerbach, Khalil, Gautier 2016, "Model identification", in Springer Handbook of Robotics, 2nd edition,
/// chapter 8 (identifiability by singular values, scaling of rad and m by the size of the arm).
/// # Errors
/// Fewer measurements than unknowns, values that are not finite, base or target that the measurements do not tell,
/// or a search that does not settle.
pub fn kinematic_calibration(
    chain: &Chain,
    measurements: &[KinematicMeasurement],
    task: &KinematicTask,
) -> Result<KinematicCalibration, CalibrationProblem> {
    super::check_finite(measurements.iter().map(|one| one.target_in_instrument))?;
    if let Some(point) = measurements.iter().position(|one| !one.q.is_finite()) {
        return Err(CalibrationProblem::NotFinite { point });
    }
    let joints = described_joints(chain);
    let mut wanted: Vec<(usize, ParameterKind)> = Vec::new();
    for joint in 0..joints.len() {
        wanted.push((joint, ParameterKind::Offset));
        if task.links {
            use ParameterKind::{Shift, Tilt};
            wanted.extend([Shift(0), Shift(1), Tilt(0), Tilt(1)].map(|kind| (joint, kind)));
        }
    }
    let mut search = Search {
        nominal: &joints,
        x_last_flange: x_last_flange(chain),
        measurements,
        task,
        arm: Vec::new(),
        values: Vec::new(),
        x_instrument_base: task.x_instrument_base.unwrap_or_else(Pose::identity),
        target_in_flange: task.target_in_flange.unwrap_or_else(Vector3::zeros),
    };
    let frame_unknowns = search.frame_unknowns();
    let needed = (frame_unknowns + wanted.len()).div_ceil(3);
    if measurements.len() < needed {
        return Err(CalibrationProblem::TooFew { what: "measurements", given: measurements.len(), needed });
    }
    if task.x_instrument_base.is_none() {
        let pairs: Vec<_> = measurements
            .iter()
            .map(|one| {
                let flange = chain.forward(&one.q);
                (one.target_in_instrument, (flange * nalgebra::Point3::from(search.target_in_flange)).coords)
            })
            .collect();
        search.x_instrument_base = super::rigid_fit(&pairs)?.x_first_second;
    }
    search.settle()?;
    let before = search.residuals();

    // Parameters that cannot be told are held, the least meaningful ones first: links before offsets, and of offsets
    // the last joint, which looks like a moved target, then the first, which looks like a turned instrument.
    search.arm.clone_from(&wanted);
    search.values = vec![0.0; wanted.len()];
    let mut held = Vec::new();
    while let Some(index) = search.untold()? {
        let (joint, kind) = search.arm.remove(index);
        search.values.remove(index);
        held.push(Held { joint, kind });
    }
    search.settle()?;
    search.finish(held, before)
}

struct Search<'a> {
    nominal: &'a [ChainJoint],
    x_last_flange: Pose,
    measurements: &'a [KinematicMeasurement],
    task: &'a KinematicTask,
    /// Parameters of the arm that are searched for, and their values.
    arm: Vec<(usize, ParameterKind)>,
    values: Vec<f64>,
    x_instrument_base: Pose,
    target_in_flange: Vector3<f64>,
}

impl Search<'_> {
    const fn frame_unknowns(&self) -> usize {
        let base = if self.task.x_instrument_base.is_none() { 6 } else { 0 };
        let target = if self.task.target_in_flange.is_none() { 3 } else { 0 };
        base + target
    }

    /// The joints with corrections, except offsets, which belong to q.
    fn corrected(&self, values: &[f64]) -> Vec<ChainJoint> {
        let mut joints = self.nominal.to_vec();
        for ((joint, kind), value) in self.arm.iter().zip(values) {
            let corrected = &mut joints[*joint];
            let across = directions_across(&corrected.axis);
            corrected.origin *= match kind {
                ParameterKind::Offset => match corrected.kind {
                    JointKind::Prismatic => Isometry3::from_parts(
                        Translation3::from(corrected.axis.into_inner() * *value),
                        UnitQuaternion::identity(),
                    ),
                    JointKind::Revolute | JointKind::Continuous => Isometry3::from_parts(
                        Translation3::identity(),
                        UnitQuaternion::from_axis_angle(&corrected.axis, *value),
                    ),
                },
                ParameterKind::Shift(direction) => Isometry3::from_parts(
                    Translation3::from(across[usize::from(*direction)] * *value),
                    UnitQuaternion::identity(),
                ),
                ParameterKind::Tilt(direction) => Isometry3::from_parts(
                    Translation3::identity(),
                    UnitQuaternion::from_scaled_axis(across[usize::from(*direction)] * *value),
                ),
            };
        }
        joints
    }

    /// Places of the target in the instrument frame, for changed parameters: arm, then base, then target.
    fn predicted(&self, change: &[f64]) -> Option<Vec<Vector3<f64>>> {
        let (of_arm, mut of_frames) = change.split_at(self.arm.len());
        let values: Vec<f64> = self.values.iter().zip(of_arm).map(|(value, change)| value + change).collect();
        let chain = Chain::from_joints(&self.corrected(&values), &self.x_last_flange).ok()?;
        let mut x_instrument_base = self.x_instrument_base;
        if self.task.x_instrument_base.is_none() {
            let (base, rest) = of_frames.split_at(6);
            x_instrument_base = moved(&x_instrument_base, base);
            of_frames = rest;
        }
        let mut target = self.target_in_flange;
        if self.task.target_in_flange.is_none() {
            target += Vector3::new(of_frames[0], of_frames[1], of_frames[2]);
        }
        let place = |one: &KinematicMeasurement| {
            (x_instrument_base * chain.forward(&one.q) * nalgebra::Point3::from(target)).coords
        };
        Some(self.measurements.iter().map(place).collect())
    }

    /// Derivatives of all places by all unknowns, and what is missing to the measured places.
    fn linearised(&self) -> Option<(DMatrix<f64>, DVector<f64>)> {
        const STEP: f64 = 1e-6;
        let unknowns = self.arm.len() + self.frame_unknowns();
        let rows = 3 * self.measurements.len();
        let mut jacobian = DMatrix::zeros(rows, unknowns);
        let mut change = vec![0.0; unknowns];
        for column in 0..unknowns {
            change[column] = STEP;
            let ahead = self.predicted(&change)?;
            change[column] = -STEP;
            let behind = self.predicted(&change)?;
            change[column] = 0.0;
            for (row, (ahead, behind)) in ahead.iter().zip(&behind).enumerate() {
                let slope = (ahead - behind) / (2.0 * STEP);
                jacobian.fixed_view_mut::<3, 1>(3 * row, column).copy_from(&slope);
            }
        }
        let now = self.predicted(&change)?;
        let mut missing = DVector::zeros(rows);
        for (row, (now, one)) in now.iter().zip(self.measurements).enumerate() {
            missing.fixed_rows_mut::<3>(3 * row).copy_from(&(one.target_in_instrument - now));
        }
        Some((jacobian, missing))
    }

    /// Steps until nothing changes.
    fn settle(&mut self) -> Result<(), CalibrationProblem> {
        for _ in 0..ROUNDS_MAX {
            let not_settled = CalibrationProblem::NotSettled { rounds: ROUNDS_MAX };
            let Some((jacobian, missing)) = self.linearised() else { return Err(not_settled) };
            if jacobian.ncols() == 0 {
                return Ok(());
            }
            let svd = jacobian.svd(true, true);
            let largest = svd.singular_values.max();
            let Ok(step) = svd.solve(&missing, RANK_SHARE * largest) else { return Err(not_settled) };
            self.take(step.as_slice());
            if !step.iter().all(|value| value.is_finite()) {
                return Err(not_settled);
            }
            if step.amax() < SETTLED.max(1e-9 * missing.amax()) {
                return Ok(());
            }
        }
        Err(CalibrationProblem::NotSettled { rounds: ROUNDS_MAX })
    }

    fn take(&mut self, step: &[f64]) {
        let (of_arm, mut of_frames) = step.split_at(self.arm.len());
        for (value, change) in self.values.iter_mut().zip(of_arm) {
            *value += change;
        }
        if self.task.x_instrument_base.is_none() {
            let (base, rest) = of_frames.split_at(6);
            self.x_instrument_base = moved(&self.x_instrument_base, base);
            of_frames = rest;
        }
        if self.task.target_in_flange.is_none() {
            self.target_in_flange += Vector3::new(of_frames[0], of_frames[1], of_frames[2]);
        }
    }

    /// The parameter of the arm to hold next, if one cannot be told.
    fn untold(&self) -> Result<Option<usize>, CalibrationProblem> {
        let Some((jacobian, _)) = self.linearised() else {
            return Err(CalibrationProblem::NotSettled { rounds: 0 });
        };
        let shares = untold_shares(jacobian);
        let rank = |(joint, kind): &(usize, ParameterKind)| match kind {
            ParameterKind::Tilt(_) => (0, usize::MAX - joint),
            ParameterKind::Shift(_) => (1, usize::MAX - joint),
            ParameterKind::Offset if joint + 1 == self.nominal.len() => (2, 0),
            ParameterKind::Offset if *joint == 0 => (3, 0),
            ParameterKind::Offset => (4, usize::MAX - joint),
        };
        let next = self
            .arm
            .iter()
            .enumerate()
            .filter(|(index, _)| shares[*index] > HELD_SHARE)
            .min_by_key(|(_, parameter)| rank(parameter))
            .map(|(index, _)| index);
        if next.is_none() && shares.iter().skip(self.arm.len()).any(|share| *share > HELD_SHARE) {
            return Err(CalibrationProblem::TooLittle {
                what: "the places measured do not tell where instrument and target are; what they tell",
                found: 0.0,
                needed: RANK_SHARE,
                unit: "(smallest over largest singular value): measure with all joints moved",
            });
        }
        Ok(next)
    }

    fn residuals(&self) -> Residuals {
        let none = vec![0.0; self.arm.len() + self.frame_unknowns()];
        let places = self.predicted(&none).unwrap_or_default();
        let distances = places
            .iter()
            .zip(self.measurements)
            .map(|(place, one)| (place - one.target_in_instrument).norm());
        Residuals(distances.collect())
    }

    fn finish(&self, held: Vec<Held>, before: Residuals) -> Result<KinematicCalibration, CalibrationProblem> {
        let not_settled = CalibrationProblem::NotSettled { rounds: ROUNDS_MAX };
        let Some((jacobian, missing)) = self.linearised() else { return Err(not_settled) };
        let (rows, unknowns) = jacobian.shape();
        let svd = jacobian.svd(false, true);
        let (largest, smallest) = (svd.singular_values.max(), svd.singular_values.min());
        let variance = (rows > unknowns).then(|| missing.norm_squared() / as_f64(rows - unknowns));
        let deviation = |index: usize| {
            let v_t = svd.v_t.as_ref()?;
            let sum: f64 = svd
                .singular_values
                .iter()
                .enumerate()
                .map(|(row, value)| (v_t[(row, index)] / value).powi(2))
                .sum();
            Some((variance? * sum).sqrt())
        };
        let parameters = self
            .arm
            .iter()
            .zip(&self.values)
            .enumerate()
            .map(|(index, ((joint, kind), value))| Parameter {
                joint: *joint,
                kind: *kind,
                value: *value,
                deviation: deviation(index),
            })
            .collect();
        let joints = self.corrected(&self.values);
        let chain = Chain::from_joints(&joints, &self.x_last_flange).map_err(|_| not_settled)?;
        Ok(KinematicCalibration {
            parameters,
            held,
            chain,
            joints,
            x_instrument_base: self.x_instrument_base,
            target_in_flange: self.target_in_flange,
            before,
            residuals: self.residuals(),
            condition: if smallest > 0.0 { largest / smallest } else { f64::INFINITY },
        })
    }
}

/// For each column, its share in the directions that change nothing: 0 told, 1 not at all.
fn untold_shares(jacobian: DMatrix<f64>) -> Vec<f64> {
    let unknowns = jacobian.ncols();
    let svd = jacobian.svd(false, true);
    let (Some(v_t), largest) = (svd.v_t, svd.singular_values.max()) else { return vec![1.0; unknowns] };
    let is_told = |row: &usize| svd.singular_values[*row] > RANK_SHARE * largest;
    (0..unknowns)
        .map(|column| {
            let told: f64 = (0..v_t.nrows()).filter(is_told).map(|row| v_t[(row, column)].powi(2)).sum();
            1.0 - told
        })
        .collect()
}

/// `pose` shifted and turned a little, in the axes it is written in.
fn moved(pose: &Pose, change: &[f64]) -> Pose {
    let turn = UnitQuaternion::from_scaled_axis(Vector3::new(change[3], change[4], change[5]));
    Pose::from_parts(
        Translation3::from(pose.translation.vector + Vector3::new(change[0], change[1], change[2])),
        turn * pose.rotation,
    )
}

/// Two directions square to an axis and to each other.
fn directions_across(axis: &Unit<Vector3<f64>>) -> [Vector3<f64>; 2] {
    let mut start = Vector3::zeros();
    start[axis.iamin()] = 1.0;
    let first = (start - axis.into_inner() * axis.dot(&start)).normalize();
    [first, axis.cross(&first)]
}

/// The joints of a chain as it was described, found from where its links go.
fn described_joints(chain: &Chain) -> Vec<ChainJoint> {
    let count = chain.joint_count();
    let at_zero = chain.link_poses(&JointVector::zeros(count));
    let at_zero = at_zero.as_slice();
    (0..count)
        .map(|joint| {
            let kind = chain.joint_kind(joint).unwrap_or(JointKind::Revolute);
            let mut q = JointVector::zeros(count);
            q.set(joint, 1.0);
            let moved = chain.link_poses(&q);
            let change = at_zero[joint + 1].inverse() * moved.as_slice()[joint + 1];
            let axis = match kind {
                JointKind::Prismatic => change.translation.vector,
                JointKind::Revolute | JointKind::Continuous => change.rotation.scaled_axis(),
            };
            ChainJoint {
                kind,
                origin: at_zero[joint].inverse() * at_zero[joint + 1],
                axis: Unit::new_normalize(axis),
            }
        })
        .collect()
}

fn x_last_flange(chain: &Chain) -> Pose {
    let at_zero = chain.link_poses(&JointVector::zeros(chain.joint_count()));
    match at_zero.as_slice() {
        [.., last, flange] => last.inverse() * flange,
        _ => Pose::identity(),
    }
}

#[cfg(test)]
mod tests;
