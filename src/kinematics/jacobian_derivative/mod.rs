//! The Jacobian of the tool and its derivatives along a motion, and joint speeds and accelerations of a tool that
//! moves: analytically, from the columns of the Jacobian alone.

use nalgebra::Vector3;

use super::inverse::joint_speeds;
use super::{Chain, Jacobian};
use crate::geometry::{Pose, Twist};
use crate::joints::{JointVector, MAX_JOINTS};

/// Joint speeds and accelerations that move the tool with `velocity` and `acceleration` (base axes, its centre
/// point) at `q`; with more than six joints the smallest ones. `None` where the arm is singular.
///
/// # Real-time
/// No allocation; one Jacobian and two solutions with it.
#[must_use]
pub fn joint_motion(
    chain: &Chain,
    x_flange_tool: &Pose,
    q: &JointVector,
    velocity: &Twist,
    acceleration: &Twist,
) -> Option<(JointVector, JointVector)> {
    let mut all = Jacobian::zeros();
    let x_base_flange = chain.forward_and_moving_jacobian(q, &mut all);
    let all = tool_jacobian(&x_base_flange, &all, x_flange_tool);
    let mut jacobian = all;
    chain.fold_jacobian(&mut jacobian);
    let joints = chain.joint_count();
    let speeds = joint_speeds(&jacobian, joints, velocity)?;
    let rates = chain.moving_rates(&speeds);
    let curving = Columns::of(&all, rates.len()).derivative(&rates, None).times(&rates);
    let accelerations = joint_speeds(&jacobian, joints, &minus(acceleration, &curving, 1.0))?;
    Some((speeds, accelerations))
}

/// Time derivative of the flange's Jacobian at `q` while the joints move with `qd` (rad/s or m/s): rows and columns as
/// those of [`Jacobian`], per second.
///
/// # Real-time
/// No allocation; one pass over the joints and two over the columns.
#[must_use]
pub fn jacobian_rate(chain: &Chain, q: &JointVector, qd: &JointVector) -> Jacobian {
    let mut all = Jacobian::zeros();
    let _pose = chain.forward_and_moving_jacobian(q, &mut all);
    // The rule for a column holds for joints that move by themselves; those that follow are added afterwards.
    let rates = chain.moving_rates(qd);
    let mut rate = Columns::of(&all, rates.len()).derivative(&rates, None).matrix();
    chain.fold_jacobian(&mut rate);
    rate
}

/// The Jacobian of the tool centre point from that of the flange.
#[must_use]
pub fn tool_jacobian(x_base_flange: &Pose, jacobian_flange: &Jacobian, x_flange_tool: &Pose) -> Jacobian {
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

/// `a − factor · b`.
#[must_use]
pub fn minus(a: &Twist, b: &Twist, factor: f64) -> Twist {
    Twist { linear: a.linear - b.linear * factor, angular: a.angular - b.angular * factor }
}

/// The columns of a Jacobian, or of its derivative, as vectors.
#[derive(Clone, Copy, Debug)]
pub struct Columns {
    linear: [Vector3<f64>; MAX_JOINTS],
    angular: [Vector3<f64>; MAX_JOINTS],
    count: usize,
}

impl Columns {
    /// The columns of a Jacobian of `count` joints.
    #[must_use]
    pub fn of(jacobian: &Jacobian, count: usize) -> Self {
        let part = |row: usize| {
            std::array::from_fn(|joint| {
                Vector3::new(jacobian[(row, joint)], jacobian[(row + 1, joint)], jacobian[(row + 2, joint)])
            })
        };
        Self { linear: part(0), angular: part(3), count }
    }

    /// As rows and columns.
    fn matrix(&self) -> Jacobian {
        let mut matrix = Jacobian::zeros();
        for (target, (linear, angular)) in matrix.data.0.iter_mut().zip(self.linear.iter().zip(&self.angular))
        {
            *target = [linear.x, linear.y, linear.z, angular.x, angular.y, angular.z];
        }
        matrix
    }

    /// The motion for joint rates.
    #[must_use]
    pub fn times(&self, rates: &JointVector) -> Twist {
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
    #[must_use]
    pub fn derivative(&self, rates: &JointVector, next: Option<(&Self, &JointVector)>) -> Self {
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

#[cfg(test)]
mod tests;
