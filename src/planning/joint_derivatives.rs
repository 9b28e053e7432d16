//! Derivatives of the joint positions along a tool path.
//!
//! From x' = J q' follow J q'' = x'' - J' q' and J q''' = x''' - 2 J' q'' - J'' q', where x is the pose of
//! the tool in twist form and all primes are d/ds. J' and J'' follow from the columns of J alone: a column
//! is turned by the joints before it and its lever grows by the motion of the joints after it. Held joints
//! of a redundant arm go at their own rate; where the arm angle guides it, its closed form is differenced.

use crate::geometry::{Pose, Twist};
use crate::joints::JointVector;
use crate::kinematics::Jacobian;
use crate::kinematics::guide::{Follower, Guide};
use crate::kinematics::jacobian_derivative::{Columns, minus};
use crate::trajectory::path::{Path, PathDerivatives, PathPoint};

/// dq/ds, d²q/ds², d³q/ds³.
#[derive(Clone, Copy, Debug)]
pub(super) struct JointDerivatives {
    pub(super) first: JointVector,
    pub(super) second: JointVector,
    pub(super) third: JointVector,
}

/// The joint derivatives at `s` of a guided Cartesian `path`, where the joints stand at `q`; `jacobian_tool` is
/// that of the tool there ([`tool_jacobian`](crate::kinematics::jacobian_derivative::tool_jacobian)). `None` where
/// the arm is singular, and for a joint path.
pub(super) fn joint_derivatives(
    follower: &Follower,
    guide: &Guide,
    x_flange_tool: &Pose,
    path: &Path,
    s: f64,
    q: &JointVector,
    jacobian_tool: &Jacobian,
) -> Option<JointDerivatives> {
    let PathDerivatives::Tool { first, second, third } = path.derivatives(s) else { return None };
    let length = path.length();
    if let Guide::ArmAngle { .. } = guide {
        let x_base_tool_at = |s| match path.sample(s) {
            PathPoint::Pose(x_base_tool) => Some(x_base_tool),
            PathPoint::Joints(_) => None,
        };
        let [first, second, third] =
            follower.differences(guide, length, s, x_flange_tool, q, x_base_tool_at)?;
        return Some(JointDerivatives { first, second, third });
    }
    let rates =
        |twist: &Twist, order: u8| follower.rates(guide, (s / length, length), jacobian_tool, twist, order);
    let columns = Columns::of(jacobian_tool, q.len());
    let q1 = rates(&first, 1)?;
    let moving = columns.derivative(&q1, None);
    let q2 = rates(&minus(&second, &moving.times(&q1), 1.0), 2)?;
    let bending = columns.derivative(&q1, Some((&moving, &q2)));
    let wanted = minus(&minus(&third, &moving.times(&q2), 2.0), &bending.times(&q1), 1.0);
    let q3 = rates(&wanted, 3)?;
    Some(JointDerivatives { first: q1, second: q2, third: q3 })
}
