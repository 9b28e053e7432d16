//! Inverse kinematics of a redundant chain some of whose joints are held.

use super::without;
use crate::geometry::{Pose, displacement};
use crate::joints::{JointVector, MAX_JOINTS};
use crate::kinematics::inverse::{InverseResult, InverseSettings};
use crate::kinematics::linear_solve::{Ldlt, gram_of_rows};
use crate::kinematics::singularity::singularity;
use crate::kinematics::{Chain, JointKind};

/// Most joints that can be held: six must be left.
pub const HELD_MAX: usize = MAX_JOINTS - 6;

/// Damping for each unit of squared error, as in the solver for all joints.
const DAMPING_OF_ERROR: f64 = 1e-2;
/// Keeps J Jᵀ positive definite at exactly singular poses.
const DAMPING_MIN: f64 = 1e-14;
/// What multiplies the damping after a step was taken back.
const DAMPING_GROWTH: f64 = 16.0;

/// As [`inverse_from_seed`](crate::kinematics::inverse::inverse_from_seed), but the joints of `mask` stay where
/// `seed` has them. With six others the solution near the seed does not depend on the seed.
///
/// # Real-time
/// No allocation; at most `iterations_max` steps.
#[must_use]
pub fn inverse_holding(
    chain: &Chain,
    x_base_flange: &Pose,
    seed: &JointVector,
    mask: u16,
    settings: &InverseSettings,
) -> InverseResult {
    let joints = chain.joint_count();
    let mut q = JointVector::from_fn(joints, |joint| seed.get(joint));
    let error_at = |q: &JointVector| {
        let (pose, jacobian) = chain.forward_with_jacobian(q);
        let gap = displacement(&pose, x_base_flange);
        (gap, without(&jacobian, mask), gap.linear.norm_squared() + gap.angular.norm_squared())
    };
    let (mut gap, mut jacobian, mut squared) = error_at(&q);
    if !squared.is_finite() {
        let infinite = f64::INFINITY;
        return InverseResult::NotConverged {
            q,
            position_error_m: infinite,
            orientation_error_rad: infinite,
        };
    }
    let mut growth = 1.0;
    for iterations in 0..=settings.iterations_max {
        let (position_error_m, orientation_error_rad) = (gap.linear.norm(), gap.angular.norm());
        if position_error_m <= settings.position_tolerance_m
            && orientation_error_rad <= settings.orientation_tolerance_rad
        {
            return InverseResult::Converged { q, iterations };
        }
        if iterations == settings.iterations_max {
            return InverseResult::NotConverged { q, position_error_m, orientation_error_rad };
        }
        let mut gram = gram_of_rows(&jacobian, joints);
        let damping = growth * DAMPING_OF_ERROR * squared + DAMPING_MIN;
        for (row, line) in gram.iter_mut().enumerate() {
            line[row] += damping;
        }
        let wanted = [gap.linear.x, gap.linear.y, gap.linear.z, gap.angular.x, gap.angular.y, gap.angular.z];
        let y = Ldlt::new(&gram).solve(&wanted);
        let step = JointVector::from_fn(joints, |joint| {
            jacobian.column(joint).iter().zip(&y).map(|(entry, value)| entry * value).sum()
        });
        let scale = (settings.step_max / step.max_abs()).min(1.0);
        let q_next = q + step * scale;
        let (gap_next, jacobian_next, squared_next) = error_at(&q_next);
        if squared_next < squared {
            (q, gap, jacobian, squared) = (q_next, gap_next, jacobian_next, squared_next);
            growth = (growth / DAMPING_GROWTH).max(1.0);
        } else {
            growth *= DAMPING_GROWTH;
        }
    }
    InverseResult::NotConverged {
        q,
        position_error_m: gap.linear.norm(),
        orientation_error_rad: gap.angular.norm(),
    }
}

/// Which joints to hold at `q` so that the six others are as far from singular as can be: sliding ones first, then
/// one after the other. Zero for a chain of at most six.
#[must_use]
pub fn best_held(chain: &Chain, q: &JointVector) -> u16 {
    let joints = chain.joint_count();
    let (_, jacobian) = chain.forward_with_jacobian(q);
    let mut mask = 0_u16;
    for _ in 6..joints {
        let free = |joint: &usize| mask & (1 << joint) == 0;
        let left = |joint: usize| singularity(chain, &without(&jacobian, mask | 1 << joint)).smallest;
        let slides = |joint: &usize| chain.joint_kind(*joint) == Some(JointKind::Prismatic);
        let sliding = (0..joints).filter(free).find(slides);
        let best = sliding.or_else(|| (0..joints).filter(free).max_by(|a, b| left(*a).total_cmp(&left(*b))));
        mask |= best.map_or(0, |joint| 1 << joint);
    }
    mask
}
