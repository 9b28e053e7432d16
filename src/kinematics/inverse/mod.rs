//! Inverse kinematics: warm-started for the cycle, with restarts for planning, and joint speeds of a twist.
//!
//! One iteration is a damped Newton step: Δq = Jᵀ (J Jᵀ + λ I)⁻¹ e, where e is the displacement still to go
//! (m and rad side by side) and λ shrinks with |e|², so that convergence stays quadratic away from singular
//! poses and steps stay finite at them. A step that makes the error larger is taken back and tried again with
//! more damping. Sources: Nakamura, Hanafusa 1986 (damping); Sugihara 2011, equation 23 (λ from the error).

use nalgebra::{Matrix3, Rotation3, UnitQuaternion, Vector3};

use super::Jacobian;
use super::chain::{Chain, JointKind, Posed};
use super::linear_solve::{Ldlt, Vector6, gram_of_columns, gram_of_rows};
use crate::geometry::{Pose, Twist};
use crate::joints::{JointLimits, JointVector};

/// When an inverse solution is good enough and how long to try.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InverseSettings {
    /// Largest distance between wanted and reached position, m, > 0.
    pub position_tolerance_m: f64,
    /// Largest angle between wanted and reached orientation, rad, > 0.
    pub orientation_tolerance_rad: f64,
    /// Largest number of steps, steps that are taken back included.
    pub iterations_max: u8,
    /// Largest change of one joint in one step, rad or m, > 0. All joints are scaled together.
    pub step_max: f64,
}

impl Default for InverseSettings {
    /// 1 nm, 1 nrad, 10 steps of at most 0.2 rad: a path sampled at 1 kHz needs one or two.
    fn default() -> Self {
        Self {
            position_tolerance_m: 1e-9,
            orientation_tolerance_rad: 1e-9,
            iterations_max: 10,
            step_max: 0.2,
        }
    }
}

/// What [`inverse_from_seed`] ends with. Position limits are not looked at: the caller does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum InverseResult {
    /// Within tolerance.
    Converged {
        /// The solution near the seed, rad or m.
        q: JointVector,
        /// Steps made; 0 when the seed was already within tolerance.
        iterations: u8,
    },
    /// Not within tolerance after the allowed steps: out of reach, too far from the seed, or singular.
    NotConverged {
        /// The best joint positions seen; always finite when the seed is.
        q: JointVector,
        /// Distance still missing at `q`, m. Infinite when seed or wanted pose are not finite.
        position_error_m: f64,
        /// Angle still missing at `q`, rad. Infinite when seed or wanted pose are not finite.
        orientation_error_rad: f64,
    },
}

/// Damping for each unit of squared error; tuned on random poses of six- and seven-joint arms.
const DAMPING_OF_ERROR: f64 = 1e-2;
/// Keeps J Jᵀ positive definite at exactly singular poses (m² and rad² are near one for industrial arms).
const DAMPING_MIN: f64 = 1e-14;
/// What multiplies the damping after a step was taken back.
const DAMPING_GROWTH: f64 = 16.0;

/// Joint positions near `seed` that bring the flange to `x_base_flange`.
///
/// `seed` has one entry a joint (a shorter one counts as zero beyond its end). The result is continuous in its
/// inputs while it converges, so following a path with the last solution as seed keeps the configuration.
/// # Real-time
/// No allocation; at most `iterations_max` steps, each one pass over the joints and one 6×6 factorisation.
#[must_use]
pub fn inverse_from_seed(
    chain: &Chain,
    x_base_flange: &Pose,
    seed: &JointVector,
    settings: &InverseSettings,
) -> InverseResult {
    let joints = chain.joint_count();
    let mut q = JointVector::from_fn(joints, |joint| seed.get(joint));
    let target = Target::new(x_base_flange);
    if !q.is_finite() || !target.is_finite() {
        return InverseResult::NotConverged {
            q,
            position_error_m: f64::INFINITY,
            orientation_error_rad: f64::INFINITY,
        };
    }

    let mut posed = chain.posed(&q);
    let mut error = target.error(&posed);
    let mut growth = 1.0;
    let mut iterations = 0;
    while !error.is_within(settings) {
        if iterations == settings.iterations_max {
            return InverseResult::NotConverged {
                q,
                position_error_m: error.position_m,
                orientation_error_rad: error.orientation_rad,
            };
        }
        iterations += 1;

        let jacobian = chain.jacobian(&posed);
        let damping = growth * DAMPING_OF_ERROR * error.squared() + DAMPING_MIN;
        let factors = Ldlt::new(&gram_of_rows(&jacobian, joints, damping));
        let step = bounded_step(&jacobian, joints, &factors.solve(&error.vector), settings.step_max);
        let q_next = q + step;
        let posed_next = chain.posed(&q_next);
        let error_next = target.error(&posed_next);
        if error_next.squared() < error.squared() {
            (q, posed, error) = (q_next, posed_next, error_next);
            growth = (growth / DAMPING_GROWTH).max(1.0);
        } else {
            // Also the way out when rounding made the step NaN.
            growth *= DAMPING_GROWTH;
        }
    }
    InverseResult::Converged { q, iterations }
}

/// Joint speeds (rad/s or m/s) that give the flange the velocity `twist` (base axes): J⁻¹ v.
///
/// `joints` is the joint count of the chain. More than six joints: the smallest speeds that do it. Fewer: the
/// speeds that do it if there are any. `None` when the pose is singular (smallest singular value about 1e-6 of
/// the largest or less), when fewer than six joints cannot make `twist`, or an input is not finite.
/// # Real-time
/// No allocation; one 6×6 factorisation and three solutions.
#[must_use]
pub fn joint_speeds(jacobian: &Jacobian, joints: usize, twist: &Twist) -> Option<JointVector> {
    let wanted = vector_of(&twist.linear, &twist.angular);
    let factors = if joints < 6 {
        Ldlt::new(&gram_of_columns(jacobian, joints))
    } else {
        Ldlt::new(&gram_of_rows(jacobian, joints, 0.0))
    };
    // The pivots are squares of singular values up to a factor of the size.
    if factors.pivot_ratio.is_nan() || factors.pivot_ratio <= 1e-12 {
        return None;
    }
    let mut speeds = JointVector::zeros(joints);
    let mut missing = wanted;
    // J Jᵀ squares the condition number; refining with the true residual brings the digits back.
    for _ in 0..3 {
        let correction = if joints < 6 {
            let solved = factors.solve(&transposed_times(jacobian, joints, &missing));
            JointVector::from_fn(joints, |joint| solved[joint])
        } else {
            row_space_step(jacobian, joints, &factors.solve(&missing))
        };
        speeds = speeds + correction;
        missing = residual(jacobian, &wanted, &speeds);
    }
    let allowed = 1e-9 * largest(&wanted).max(f64::MIN_POSITIVE);
    (largest(&missing) <= allowed && speeds.is_finite()).then_some(speeds)
}

/// How [`inverse_global`] searches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GlobalSettings {
    /// Tolerances, steps and step size of each attempt.
    pub attempt: InverseSettings,
    /// Largest number of attempts, the one from the seed included.
    pub attempts_max: u16,
    /// Stop after this many solutions within the limits have been found.
    pub solutions_max: u16,
}

impl Default for GlobalSettings {
    /// 100 attempts of 40 steps, of which the first 24 solutions are compared.
    fn default() -> Self {
        Self {
            attempt: InverseSettings { iterations_max: 40, step_max: 0.5, ..InverseSettings::default() },
            attempts_max: 100,
            solutions_max: 24,
        }
    }
}

/// Joint positions within `limits` that bring the flange to `x_base_flange`, near `seed` if possible.
///
/// The first attempt starts at `seed`, the others at points of a fixed sequence that fills the joint ranges evenly:
/// the same inputs give the same answer. Turns of ±2π that bring a revolute joint nearer to the seed within its
/// limits are taken. Of the solutions found, the one whose largest joint difference from the seed is smallest wins.
/// `None`: no attempt ended within the limits; the pose is out of reach, or very nearly so. `limits` must have one
/// entry a joint, otherwise `None`.
/// # Real-time
/// No allocation, but for planning: at most `attempts_max` × `iterations_max` steps (about 1 ms by default).
#[must_use]
pub fn inverse_global(
    chain: &Chain,
    x_base_flange: &Pose,
    seed: &JointVector,
    limits: &JointLimits,
    settings: &GlobalSettings,
) -> Option<JointVector> {
    let joints = chain.joint_count();
    if limits.len() != joints || !seed.is_finite() {
        return None;
    }
    let mut best: Option<(f64, JointVector)> = None;
    let mut found = 0;
    for attempt in 0..settings.attempts_max {
        let start = if attempt == 0 { *seed } else { spread_point(chain, limits, seed, attempt) };
        let solved = inverse_from_seed(chain, x_base_flange, &start, &settings.attempt);
        let InverseResult::Converged { q, .. } = solved else { continue };
        let q = turned_towards(chain, limits, &q, seed);
        if limits.first_outside(&q, 0.0).is_some() {
            continue;
        }
        let distance = (q - JointVector::from_fn(joints, |joint| seed.get(joint))).max_abs();
        if best.is_none_or(|(nearest, _)| distance < nearest) {
            best = Some((distance, q));
        }
        found += 1;
        if found >= settings.solutions_max {
            break;
        }
    }
    best.map(|(_, q)| q)
}

/// Point `index` (from 1) of an additive recurrence over the joint ranges.
///
/// Each joint steps by a power of the generalised golden ratio, which fills boxes of this dimension evenly.
/// Source: Roberts 2018, "The unreasonable effectiveness of quasirandom sequences".
fn spread_point(chain: &Chain, limits: &JointLimits, seed: &JointVector, index: u16) -> JointVector {
    let joints = chain.joint_count();
    let dimension = u32::try_from(joints).map_or(1.0, f64::from);
    // The positive root of x^(d+1) = x + 1 by a contraction; 40 rounds reach the last digit.
    let mut ratio = 2.0_f64;
    for _ in 0..40 {
        ratio = (1.0 + ratio).powf(1.0 / (dimension + 1.0));
    }
    let mut share = 1.0;
    let mut point = JointVector::zeros(joints);
    for (joint, limit) in limits.as_slice().iter().enumerate() {
        share /= ratio;
        let fraction = (0.5 + f64::from(index) * share).fract();
        let (low, high) = search_range(chain, joint, limit.position_min, limit.position_max, seed.get(joint));
        point.set(joint, low + fraction * (high - low));
    }
    point
}

/// Where to start looking for a joint: its limits, for a turning joint at most one turn.
fn search_range(chain: &Chain, joint: usize, low: f64, high: f64, seed: f64) -> (f64, f64) {
    use std::f64::consts::{PI, TAU};
    let turns = chain.joint_kind(joint) != Some(JointKind::Prismatic);
    if turns && high - low > TAU {
        let middle = seed.clamp(low + PI, high - PI);
        (middle - PI, middle + PI)
    } else {
        (low, high)
    }
}

/// `q` with whole turns added where that brings a turning joint into its limits, and nearest to `seed`.
fn turned_towards(chain: &Chain, limits: &JointLimits, q: &JointVector, seed: &JointVector) -> JointVector {
    use std::f64::consts::TAU;
    let mut turned = *q;
    for (joint, limit) in limits.as_slice().iter().enumerate() {
        if chain.joint_kind(joint) == Some(JointKind::Prismatic) {
            continue;
        }
        let (value, near) = (q.get(joint), seed.get(joint));
        let mut candidate = value + ((near - value) / TAU).round() * TAU;
        if candidate > limit.position_max {
            candidate -= ((candidate - limit.position_max) / TAU).ceil() * TAU;
        } else if candidate < limit.position_min {
            candidate += ((limit.position_min - candidate) / TAU).ceil() * TAU;
        }
        turned.set(joint, candidate);
    }
    turned
}

/// The wanted pose in the form the loop compares with.
struct Target {
    rotation: Matrix3<f64>,
    translation: Vector3<f64>,
}

impl Target {
    fn new(x_base_flange: &Pose) -> Self {
        Self {
            rotation: x_base_flange.rotation.to_rotation_matrix().into_inner(),
            translation: x_base_flange.translation.vector,
        }
    }

    fn is_finite(&self) -> bool {
        self.rotation.iter().chain(self.translation.iter()).all(|value| value.is_finite())
    }

    fn error(&self, posed: &Posed) -> PoseError {
        let position = self.translation - posed.flange.translation;
        let orientation = rotation_vector(&(self.rotation * posed.flange.rotation.transpose()));
        PoseError {
            vector: vector_of(&position, &orientation),
            position_m: position.norm(),
            orientation_rad: orientation.norm(),
        }
    }
}

/// What is still missing to the wanted pose.
#[derive(Clone, Copy)]
struct PoseError {
    vector: Vector6,
    position_m: f64,
    orientation_rad: f64,
}

impl PoseError {
    fn squared(&self) -> f64 {
        self.position_m * self.position_m + self.orientation_rad * self.orientation_rad
    }

    fn is_within(&self, settings: &InverseSettings) -> bool {
        self.position_m <= settings.position_tolerance_m
            && self.orientation_rad <= settings.orientation_tolerance_rad
    }
}

/// Rotation vector (rad) of a rotation matrix, angle in 0..=π.
fn rotation_vector(rotation: &Matrix3<f64>) -> Vector3<f64> {
    let twice_sine_axis = Vector3::new(
        rotation[(2, 1)] - rotation[(1, 2)],
        rotation[(0, 2)] - rotation[(2, 0)],
        rotation[(1, 0)] - rotation[(0, 1)],
    );
    let cosine = 0.5 * (rotation.trace() - 1.0);
    let sine_squared = 0.25 * twice_sine_axis.norm_squared();
    if cosine > 0.0 && sine_squared < 1e-6 {
        // asin(x) / x to the fourth power: the next term is below 1e-19.
        return twice_sine_axis * (0.5 * (1.0 + sine_squared * (1.0 / 6.0 + sine_squared * 0.075)));
    }
    if cosine > -0.9 {
        let sine = sine_squared.sqrt();
        return twice_sine_axis * (0.5 * sine.atan2(cosine) / sine);
    }
    // Near half a turn the axis is not in the antisymmetric part any more.
    let quaternion = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(*rotation));
    quaternion.scaled_axis()
}

/// Jᵀ y, all joints scaled together so that none moves by more than `step_max`.
fn bounded_step(jacobian: &Jacobian, joints: usize, y: &Vector6, step_max: f64) -> JointVector {
    let step = row_space_step(jacobian, joints, y);
    let largest = step.max_abs();
    if largest > step_max { step * (step_max / largest) } else { step }
}

/// Jᵀ y.
fn row_space_step(jacobian: &Jacobian, joints: usize, y: &Vector6) -> JointVector {
    let mut step = JointVector::zeros(joints);
    for (entry, column) in step.as_mut_slice().iter_mut().zip(&jacobian.data.0) {
        *entry = column[0] * y[0]
            + column[1] * y[1]
            + column[2] * y[2]
            + column[3] * y[3]
            + column[4] * y[4]
            + column[5] * y[5];
    }
    step
}

fn transposed_times(jacobian: &Jacobian, joints: usize, y: &Vector6) -> Vector6 {
    let product = row_space_step(jacobian, joints, y);
    std::array::from_fn(|row| product.get(row))
}

fn residual(jacobian: &Jacobian, wanted: &Vector6, speeds: &JointVector) -> Vector6 {
    let mut missing = *wanted;
    for (joint, speed) in speeds.iter().enumerate() {
        let column = jacobian.column(joint);
        for (row, entry) in missing.iter_mut().enumerate() {
            *entry -= column[row] * speed;
        }
    }
    missing
}

fn largest(vector: &Vector6) -> f64 {
    vector.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

fn vector_of(linear: &Vector3<f64>, angular: &Vector3<f64>) -> Vector6 {
    [linear.x, linear.y, linear.z, angular.x, angular.y, angular.z]
}

#[cfg(test)]
mod tests;
