//! Derivatives of the joint positions along a tool path.
//!
//! From x' = J q' follow J q'' = x'' - J' q' and J q''' = x''' - 2 J' q'' - J'' q', where x is the pose of
//! the tool in twist form and all primes are d/ds. J' and J'' follow from the columns of J alone: a column
//! is turned by the joints before it and its lever grows by the motion of the joints after it. With more
//! than six joints the smallest q' is taken, whose own derivative has a part in the null space; there q''
//! and q''' are differences of q' instead.

use nalgebra::Vector3;

use crate::geometry::{Pose, Twist};
use crate::joints::{JointVector, MAX_JOINTS};
use crate::kinematics::inverse::joint_speeds;
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

/// The Jacobian of the tool centre point from that of the flange.
pub(super) fn tool_jacobian(
    x_base_flange: &Pose,
    jacobian_flange: &Jacobian,
    x_flange_tool: &Pose,
) -> Jacobian {
    let lever = x_base_flange.rotation * x_flange_tool.translation.vector;
    let mut jacobian = *jacobian_flange;
    for mut column in jacobian.column_iter_mut() {
        let angular = Vector3::new(column[3], column[4], column[5]);
        let moved = angular.cross(&lever);
        column[0] += moved.x;
        column[1] += moved.y;
        column[2] += moved.z;
    }
    jacobian
}

fn minus(a: &Twist, b: &Twist, factor: f64) -> Twist {
    Twist { linear: a.linear - b.linear * factor, angular: a.angular - b.angular * factor }
}

/// The columns of a Jacobian, or of its derivative, as vectors.
#[derive(Clone, Copy, Debug)]
struct Columns {
    linear: [Vector3<f64>; MAX_JOINTS],
    angular: [Vector3<f64>; MAX_JOINTS],
    count: usize,
}

impl Columns {
    fn of(jacobian: &Jacobian, count: usize) -> Self {
        let part = |row: usize| {
            std::array::from_fn(|joint| {
                Vector3::new(jacobian[(row, joint)], jacobian[(row + 1, joint)], jacobian[(row + 2, joint)])
            })
        };
        Self { linear: part(0), angular: part(3), count }
    }

    fn times(&self, rates: &JointVector) -> Twist {
        let mut twist = Twist::zero();
        for joint in 0..self.count {
            twist.linear += self.linear[joint] * rates.get(joint);
            twist.angular += self.angular[joint] * rates.get(joint);
        }
        twist
    }

    /// J' for the rates q'; with J' and q'' given as `next`, J''.
    ///
    /// One rule serves both: column j obeys a_j' = Ω_j × a_j and l_j' = Ω_j × l_j + a_j × V_j, with Ω_j the
    /// turning of the joints up to j and V_j the motion by the joints after j. J'' is its product rule.
    fn derivative(&self, rates: &JointVector, next: Option<(&Self, &JointVector)>) -> Self {
        let mut result = Self {
            linear: [Vector3::zeros(); MAX_JOINTS],
            angular: [Vector3::zeros(); MAX_JOINTS],
            count: self.count,
        };
        let (mut turning, mut turning_next) = (Vector3::zeros(), Vector3::zeros());
        let all = self.times(rates).linear;
        let all_next = next.map_or_else(Vector3::zeros, |(moving, rates_next)| {
            moving.times(rates).linear + self.times(rates_next).linear
        });
        let (mut passed, mut passed_next) = (Vector3::zeros(), Vector3::zeros());
        for joint in 0..self.count {
            let (linear, angular) = (self.linear[joint], self.angular[joint]);
            let rate = rates.get(joint);
            turning += angular * rate;
            passed += linear * rate;
            let after = all - passed;
            if let Some((moving, rates_next)) = next {
                let (linear_1, angular_1) = (moving.linear[joint], moving.angular[joint]);
                let rate_next = rates_next.get(joint);
                turning_next += angular_1 * rate + angular * rate_next;
                passed_next += linear_1 * rate + linear * rate_next;
                let after_next = all_next - passed_next;
                result.angular[joint] = turning_next.cross(&angular) + turning.cross(&angular_1);
                result.linear[joint] = turning_next.cross(&linear)
                    + turning.cross(&linear_1)
                    + angular_1.cross(&after)
                    + angular.cross(&after_next);
            } else {
                result.angular[joint] = turning.cross(&angular);
                result.linear[joint] = turning.cross(&linear) + angular.cross(&after);
            }
        }
        result
    }
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
