//! Derivatives of the joint positions along a tool path.
//!
//! From x' = J q' follow J q'' = x'' - J' q' and J q''' = x''' - 2 J' q'' - J'' q', where x is the pose of
//! the tool in twist form and all primes are d/ds. J' and J'' follow from the columns of J alone: a column
//! is turned by the joints before it and its lever grows by the motion of the joints after it. With more
//! than six joints the smallest q' is taken, whose own derivative has a part in the null space; there q''
//! and q''' are differences of q' instead.

use crate::geometry::Pose;
use crate::joints::JointVector;
use crate::kinematics::inverse::joint_speeds;
use crate::kinematics::jacobian_derivative::{Columns, minus, tool_jacobian};
use crate::kinematics::{Chain, Jacobian};
use crate::trajectory::path::{Path, PathDerivatives};

/// dq/ds, d²q/ds², d³q/ds³.
#[derive(Clone, Copy, Debug)]
pub(super) struct JointDerivatives {
    pub(super) first: JointVector,
    pub(super) second: JointVector,
    pub(super) third: JointVector,
}

/// The joint derivatives at `s` of a Cartesian `path`, where the joints stand at `q`; `jacobian_tool` is
/// that of the tool there ([`tool_jacobian`]). `None` where the arm is singular, and for a joint path.
pub(super) fn joint_derivatives(
    chain: &Chain,
    x_flange_tool: &Pose,
    path: &Path,
    s: f64,
    q: &JointVector,
    jacobian_tool: &Jacobian,
) -> Option<JointDerivatives> {
    if chain.joint_count() > 6 {
        return by_differences(chain, x_flange_tool, path, s, q, jacobian_tool);
    }
    let PathDerivatives::Tool { first, second, third } = path.derivatives(s) else { return None };
    let joints = chain.joint_count();
    let columns = Columns::of(jacobian_tool, joints);
    let q1 = joint_speeds(jacobian_tool, joints, &first)?;
    let moving = columns.derivative(&q1, None);
    let q2 = joint_speeds(jacobian_tool, joints, &minus(&second, &moving.times(&q1), 1.0))?;
    let bending = columns.derivative(&q1, Some((&moving, &q2)));
    let wanted = minus(&minus(&third, &moving.times(&q2), 2.0), &bending.times(&q1), 1.0);
    let q3 = joint_speeds(jacobian_tool, joints, &wanted)?;
    Some(JointDerivatives { first: q1, second: q2, third: q3 })
}

/// Step of the differences, as a part of the path's length.
const DIFFERENCE_STEP: f64 = 1e-4;

pub(super) fn by_differences(
    chain: &Chain,
    x_flange_tool: &Pose,
    path: &Path,
    s: f64,
    q: &JointVector,
    jacobian_tool: &Jacobian,
) -> Option<JointDerivatives> {
    let joints = chain.joint_count();
    let rate_with = |jacobian: &Jacobian, s: f64| match path.derivatives(s) {
        PathDerivatives::Tool { first, .. } => joint_speeds(jacobian, joints, &first),
        PathDerivatives::Joints { .. } => None,
    };
    let rate_at = |q: &JointVector, s: f64| {
        let (x_base_flange, jacobian) = chain.forward_with_jacobian(q);
        rate_with(&tool_jacobian(&x_base_flange, &jacobian, x_flange_tool), s)
    };
    let step = DIFFERENCE_STEP * path.length();
    // At the ends the path would be clamped: differences are taken a step inside.
    let s_inside = s.clamp(step, path.length() - step);
    let q = *q + rate_with(jacobian_tool, s)? * (s_inside - s);
    let s = s_inside;
    let first = rate_at(&q, s)?;
    let mut second = JointVector::zeros(joints);
    let mut third = JointVector::zeros(joints);
    // The second round has the neighbours right to the second order.
    for _ in 0..2 {
        let bend = second * (0.5 * step * step);
        let before = rate_at(&(q - first * step + bend), s - step)?;
        let after = rate_at(&(q + first * step + bend), s + step)?;
        second = (after - before) * (0.5 / step);
        third = (after + before - first * 2.0) * (1.0 / (step * step));
    }
    Some(JointDerivatives { first, second, third })
}
