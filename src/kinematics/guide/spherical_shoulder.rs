//! Seven joints with a spherical shoulder and a spherical wrist: closed form over the arm angle.
//!
//! Axes 1, 2, 3 meet in the shoulder, 5, 6, 7 in the wrist; axis 4, the elbow, lies between, and neighbouring axes
//! are at right angles. A pose leaves one freedom: the elbow turns about the line from shoulder to wrist. The arm
//! angle is that turn, counted from where the elbow is highest along axis 1, right-handed about shoulder → wrist.
//! The axes of a chain are those it has; nothing is assumed about which way they point at zero.
//! Source: Shimizu et al. 2008, "Analytical inverse kinematic computation for 7-DOF redundant manipulators".

use std::f64::consts::TAU;

use nalgebra::{Matrix3, Rotation3, Unit, Vector3};

use crate::geometry::{Pose, displacement};
use crate::joints::JointVector;
use crate::kinematics::chain::{Axis, Chain, JointKind};
use crate::kinematics::configuration::{Configuration, Elbow, Shoulder, Wrist};
use crate::kinematics::inverse::{InverseResult, InverseSettings};

/// How far axes may be from meeting or from right angles, m and cosine: rounding of a description. An arm further
/// off is not of this class, as the closed form is not polished.
const EXACT: f64 = 1e-9;
/// Shortest distance of shoulder, elbow and wrist, m.
const LINK_MIN_M: f64 = 1e-3;
/// Sine of an angle that leaves the arm angle or a joint open.
const OPEN: f64 = 1e-9;

/// The special geometry of a seven-joint arm, at zero, in the base frame.
#[derive(Clone, Copy, Debug)]
pub struct SphericalShoulder {
    axes: [Vector3<f64>; 7],
    shoulder: Vector3<f64>,
    elbow: Vector3<f64>,
    wrist: Vector3<f64>,
    x_flange_zero: Pose,
}

impl SphericalShoulder {
    /// The geometry of `chain`, if it is of this class, proven by solving poses of it.
    ///
    /// Not for the cycle.
    #[must_use]
    pub fn find(chain: &Chain) -> Option<Self> {
        let (axes, _) = chain.axes()?;
        let axes: &[Axis; 7] = axes.first_chunk()?;
        let turns =
            |joint| matches!(chain.joint_kind(joint), Some(JointKind::Revolute | JointKind::Continuous));
        if chain.joint_count() != 7 || !(0..7).all(turns) {
            return None;
        }
        let right_angles =
            axes.windows(2).all(|pair| pair[0].direction.dot(&pair[1].direction).abs() < EXACT);
        let found = Self {
            axes: std::array::from_fn(|joint| axes[joint].direction),
            shoulder: meeting(&axes[0], &axes[1])?,
            elbow: meeting(&axes[2], &axes[3])?,
            wrist: meeting(&axes[4], &axes[5])?,
            x_flange_zero: chain.forward(&JointVector::zeros(7)),
        };
        let on =
            |axis: &Axis, point: &Vector3<f64>| (point - axis.point).cross(&axis.direction).norm() < EXACT;
        let is_special = right_angles
            && on(&axes[2], &found.shoulder)
            && on(&axes[4], &found.elbow)
            && on(&axes[6], &found.wrist)
            && (found.elbow - found.shoulder).norm() > LINK_MIN_M
            && (found.wrist - found.elbow).norm() > LINK_MIN_M;
        (is_special && found.is_proven_on(chain)).then_some(found)
    }

    fn is_proven_on(&self, chain: &Chain) -> bool {
        (1..=16_u8).all(|index| {
            let q = JointVector::from_fn(7, |joint| {
                let share = [0.862_1, 0.743_2, 0.640_7, 0.552_3, 0.476_2, 0.410_5, 0.353_9][joint];
                2.8 * (2.0 * (0.5 + f64::from(index) * share).fract() - 1.0)
            });
            let Some(angle) = self.arm_angle(&q) else { return true };
            let settings = InverseSettings::default();
            let solved =
                self.inverse(chain, &chain.forward(&q), angle, self.configuration(&q), &q, &settings);
            matches!(solved, InverseResult::Converged { q: found, .. } if (found - q).max_abs() < 1e-6)
        })
    }

    /// The turn of the first three joints, base axes.
    fn shoulder_turn(&self, q: &JointVector) -> Rotation3<f64> {
        self.turn(0, q.get(0)) * self.turn(1, q.get(1)) * self.turn(2, q.get(2))
    }

    fn turn(&self, joint: usize, angle: f64) -> Rotation3<f64> {
        Rotation3::from_axis_angle(&Unit::new_unchecked(self.axes[joint]), angle)
    }

    /// The arm angle at `q`, rad in -π..=π; `None` where the arm is stretched or points along axis 1.
    #[must_use]
    pub fn arm_angle(&self, q: &JointVector) -> Option<f64> {
        let turn = self.shoulder_turn(q);
        let to_elbow = turn * (self.elbow - self.shoulder);
        let to_wrist = to_elbow + turn * (self.turn(3, q.get(3)) * (self.wrist - self.elbow));
        let along = to_wrist.try_normalize(LINK_MIN_M)?;
        let (up, aside) = self.reference(&along)?;
        let (x, y) = (to_elbow.dot(&up), to_elbow.dot(&aside));
        (x.hypot(y) > OPEN).then(|| y.atan2(x))
    }

    /// Where the arm angle is zero and a quarter turn, across `along`.
    fn reference(&self, along: &Vector3<f64>) -> Option<(Vector3<f64>, Vector3<f64>)> {
        let up = (self.axes[0] - along * along.dot(&self.axes[0])).try_normalize(OPEN)?;
        Some((up, along.cross(&up)))
    }

    /// The branch of `q`: `front`, `up` and `noflip` where joint 2, 4 and 6 are turned positively from where their
    /// neighbouring axes are in line.
    #[must_use]
    pub fn configuration(&self, q: &JointVector) -> Configuration {
        let bent = |joint: usize| (q.get(joint) + self.straight(joint)).sin() >= 0.0;
        Configuration {
            shoulder: if bent(1) { Shoulder::Front } else { Shoulder::Back },
            elbow: if self.elbow_bend(q) >= 0.0 { Elbow::Up } else { Elbow::Down },
            wrist: if bent(5) { Wrist::NoFlip } else { Wrist::Flip },
        }
    }

    #[cfg(test)]
    pub(super) fn straight_for_tests(&self, joint: usize) -> f64 {
        self.straight(joint)
    }

    /// Angle from the axis before `joint` to the axis behind it, about `joint`, at zero.
    fn straight(&self, joint: usize) -> f64 {
        let (before, behind) = (self.axes[joint - 1], self.axes[joint + 1]);
        self.axes[joint].dot(&before.cross(&behind)).atan2(before.dot(&behind))
    }

    /// Sine of the angle by which the elbow is bent, with its sign.
    fn elbow_bend(&self, q: &JointVector) -> f64 {
        (q.get(3) + self.elbow_straight()).sin()
    }

    /// Angle from shoulder → elbow to elbow → wrist at zero, about axis 4.
    fn elbow_straight(&self) -> f64 {
        let (upper, lower) = (self.elbow - self.shoulder, self.wrist - self.elbow);
        self.axes[3].dot(&upper.cross(&lower)).atan2(upper.dot(&lower))
    }

    /// The joint positions on one branch with a given arm angle (rad) that reach `x_base_flange`, each in the turn
    /// nearest to `seed`; a joint that a singular pose leaves open stays at the seed.
    ///
    /// # Real-time
    /// No allocation, no loop.
    #[must_use]
    pub fn inverse(
        &self,
        chain: &Chain,
        x_base_flange: &Pose,
        arm_angle: f64,
        configuration: Configuration,
        seed: &JointVector,
        settings: &InverseSettings,
    ) -> InverseResult {
        let q = self.solved(x_base_flange, arm_angle, configuration, seed);
        let q = q.filter(JointVector::is_finite).unwrap_or(*seed);
        let miss = displacement(&chain.forward(&q), x_base_flange);
        let (position_error_m, orientation_error_rad) = (miss.linear.norm(), miss.angular.norm());
        if position_error_m <= settings.position_tolerance_m
            && orientation_error_rad <= settings.orientation_tolerance_rad
        {
            InverseResult::Converged { q, iterations: 0 }
        } else if position_error_m.is_finite() && orientation_error_rad.is_finite() {
            InverseResult::NotConverged { q, position_error_m, orientation_error_rad }
        } else {
            let infinite = f64::INFINITY;
            InverseResult::NotConverged { q, position_error_m: infinite, orientation_error_rad: infinite }
        }
    }

    fn solved(
        &self,
        x_base_flange: &Pose,
        arm_angle: f64,
        configuration: Configuration,
        seed: &JointVector,
    ) -> Option<JointVector> {
        let moved = x_base_flange * self.x_flange_zero.inverse();
        let turn: Rotation3<f64> = moved.rotation.to_rotation_matrix();
        let wrist = moved.transform_point(&self.wrist.into()).coords;
        let to_wrist = wrist - self.shoulder;
        let (upper, lower) = (self.elbow - self.shoulder, self.wrist - self.elbow);
        let (a, b, d) = (upper.norm(), lower.norm(), to_wrist.norm());
        // Beyond its reach the arm is stretched or folded; the miss then says how far.
        let cosine = ((d * d - a * a - b * b) / (2.0 * a * b)).clamp(-1.0, 1.0);
        let bend = if configuration.elbow == Elbow::Up { cosine.acos() } else { -cosine.acos() };
        let q4 = bend - self.elbow_straight();
        let lower_turned = self.turn(3, q4) * lower;

        // The triangle shoulder, elbow, wrist: as the arm has it at zero, and where it must be.
        let along = to_wrist.try_normalize(LINK_MIN_M)?;
        let (up, aside) = self.reference(&along)?;
        let side = (up * arm_angle.cos() + aside * arm_angle.sin()).normalize();
        let zero_along = (upper + lower_turned).try_normalize(LINK_MIN_M)?;
        let zero_side = (upper - zero_along * zero_along.dot(&upper)).try_normalize(OPEN * a)?;
        let frame = |x: Vector3<f64>, y: Vector3<f64>| Matrix3::from_columns(&[x, y, x.cross(&y)]);
        let shoulder_turn =
            Rotation3::from_matrix_unchecked(frame(along, side) * frame(zero_along, zero_side).transpose());
        let [q1, q2, q3] = self.ball(0, &shoulder_turn, configuration.shoulder == Shoulder::Front, seed)?;
        let wrist_turn = (shoulder_turn * self.turn(3, q4)).inverse() * turn;
        let [q5, q6, q7] = self.ball(4, &wrist_turn, configuration.wrist == Wrist::NoFlip, seed)?;
        let solved = [q1, q2, q3, q4, q5, q6, q7];
        Some(JointVector::from_fn(7, |joint| {
            let value = solved[joint];
            value + ((seed.get(joint) - value) / TAU).round() * TAU
        }))
    }

    /// Three joints from `first` on, at right angles, that make `turn`; the middle one bent positively or not.
    fn ball(
        &self,
        first: usize,
        turn: &Rotation3<f64>,
        positive: bool,
        seed: &JointVector,
    ) -> Option<[f64; 3]> {
        let (one, two, three) = (self.axes[first], self.axes[first + 1], self.axes[first + 2]);
        let target = turn * three;
        let sign = if positive { 1.0 } else { -1.0 };
        let sine = one.cross(&target).norm();
        let middle = (sign * sine).atan2(one.dot(&target));
        let outer = if sine > OPEN {
            let from = two.cross(&one) * sign;
            one.dot(&from.cross(&target)).atan2(from.dot(&target))
        } else {
            seed.get(first)
        };
        let second = middle - self.straight(first + 1);
        let rest = (self.turn(first, outer) * self.turn(first + 1, second)).inverse() * turn;
        let turned = rest * two;
        let last = three.dot(&two.cross(&turned)).atan2(two.dot(&turned));
        Some([outer, second, last])
    }
}

/// Where two axes meet, if they do.
fn meeting(first: &Axis, second: &Axis) -> Option<Vector3<f64>> {
    let normal = first.direction.cross(&second.direction);
    let squared = normal.norm_squared();
    let gap = second.point - first.point;
    if squared < 0.5 || (gap.dot(&normal)).abs() > EXACT {
        return None;
    }
    Some(first.point + first.direction * (gap.cross(&second.direction).dot(&normal) / squared))
}
