//! Inverse kinematics: warm-started for the cycle, with restarts for planning, and joint speeds of a twist.
//!
//! One iteration is a damped Newton step: Δq = Jᵀ (J Jᵀ + λ I)⁻¹ e, where e is the displacement still to go
//! (m and rad side by side) and λ shrinks with |e|², so that convergence stays quadratic away from singular
//! poses and steps stay finite at them. A step that makes the error larger is taken back and tried again with
//! more damping. Sources: Nakamura, Hanafusa 1986 (damping); Sugihara 2011, equation 23 (λ from the error).

mod by_arm_angle;
mod holding;
mod newton;
mod solver;

use nalgebra::Vector3;

use super::Jacobian;
use super::chain::{Chain, JointKind};
use super::linear_solve::{Ldlt, Vector6, gram_of_columns, gram_of_rows};
use crate::geometry::{Pose, Twist};
use crate::joints::{JointLimits, JointVector, MAX_JOINTS};
pub(super) use newton::Target;
pub use solver::{Solution, Solver};

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
    inverse_of_target(chain, &Target::new(x_base_flange), seed, settings)
}

/// [`inverse_from_seed`] for a target that is prepared already.
pub(super) fn inverse_of_target(
    chain: &Chain,
    target: &Target,
    seed: &JointVector,
    settings: &InverseSettings,
) -> InverseResult {
    newton::solve(chain.instructions(), chain, target, seed, settings)
}

/// Ratio of the smallest pivot below which a pose is singular.
const PIVOT_RATIO_MIN: f64 = 1e-12;

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
        Ldlt::new(&gram_of_rows(jacobian, joints))
    };
    // The pivots are squares of singular values up to a factor of the size.
    if factors.pivot_ratio.is_nan() || factors.pivot_ratio <= PIVOT_RATIO_MIN {
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

/// How a [`Solver`] searches where there is no closed form: the first attempt starts at the seed, the others at
/// points of a fixed sequence that fills the joint ranges evenly, so that the same inputs give the same answer.
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
    /// 400 attempts of 40 steps, of which the first 24 solutions are compared. One in a thousand random poses needs more
    /// than fifty attempts, those at the rim of the work space and the limits; a pose out of reach costs all.
    fn default() -> Self {
        Self {
            attempt: InverseSettings { iterations_max: 40, step_max: 0.5, ..InverseSettings::default() },
            attempts_max: 400,
            solutions_max: 24,
        }
    }
}

/// An additive recurrence over the joint ranges.
///
/// Each joint steps by a power of the generalised golden ratio, which fills boxes of this dimension evenly.
/// Source: Roberts 2018, "The unreasonable effectiveness of quasirandom sequences".
#[derive(Clone, Copy, Debug)]
struct Spread {
    shares: [f64; MAX_JOINTS],
}

impl Spread {
    fn new(joints: usize) -> Self {
        let dimension = u32::try_from(joints).map_or(1.0, f64::from);
        // The positive root of x^(d+1) = x + 1 by a contraction; 40 rounds reach the last digit.
        let mut ratio = 2.0_f64;
        for _ in 0..40 {
            ratio = (1.0 + ratio).powf(1.0 / (dimension + 1.0));
        }
        let mut share = 1.0;
        Self {
            shares: std::array::from_fn(|_| {
                share /= ratio;
                share
            }),
        }
    }

    /// Point `index` (from 1).
    fn point(&self, chain: &Chain, limits: &JointLimits, seed: &JointVector, index: u16) -> JointVector {
        let mut point = JointVector::zeros(chain.joint_count());
        for (joint, (limit, share)) in limits.as_slice().iter().zip(&self.shares).enumerate() {
            let fraction = (0.5 + f64::from(index) * share).fract();
            let (low, high) =
                search_range(chain, joint, limit.position_min, limit.position_max, seed.get(joint));
            point.set(joint, low + fraction * (high - low));
        }
        point
    }
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
