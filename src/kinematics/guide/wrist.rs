//! A path on which the wrist joints are interpolated, so that a singular wrist does not matter: the first three
//! joints keep the tool centre point where it belongs, the orientation is what the wrist joints make of it.

use nalgebra::{Matrix3, Vector3};

use crate::geometry::{Pose, Twist};
use crate::joints::JointVector;
use crate::kinematics::inverse::{InverseResult, InverseSettings};
use crate::kinematics::jacobian_derivative::tool_jacobian;
use crate::kinematics::{Chain, Jacobian};

/// The wrist joints 4, 5 and 6 over a part of a path, as polynomials.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WristCourse {
    from: f64,
    to: f64,
    /// Of joints 4 to 6, over 0..=1 within the part, lowest power first; rad.
    coefficients: [[f64; 6]; 3],
}

/// Position and first two derivatives with respect to the fraction of the path, at an end of a course.
#[derive(Clone, Copy, Debug)]
pub struct WristEnd {
    /// Fraction of the path, 0..=1.
    pub fraction: f64,
    /// Joint positions, rad.
    pub q: JointVector,
    /// dq by the fraction.
    pub first: JointVector,
    /// d²q by the fraction.
    pub second: JointVector,
}

impl WristCourse {
    /// Straight over the whole path.
    #[must_use]
    pub fn straight(q_start: &JointVector, q_end: &JointVector) -> Self {
        let coefficients = std::array::from_fn(|index| {
            let (start, end) = (q_start.get(index + 3), q_end.get(index + 3));
            [start, end - start, 0.0, 0.0, 0.0, 0.0]
        });
        Self { from: 0.0, to: 1.0, coefficients }
    }

    /// Between two places of a path, joining position, speed and acceleration: the quintic of Hermite.
    #[must_use]
    pub fn joining(start: &WristEnd, end: &WristEnd) -> Self {
        let width = end.fraction - start.fraction;
        let coefficients = std::array::from_fn(|index| {
            let joint = index + 3;
            let (p0, p1) = (start.q.get(joint), end.q.get(joint));
            let (v0, v1) = (start.first.get(joint) * width, end.first.get(joint) * width);
            let (a0, a1) = (start.second.get(joint) * width * width, end.second.get(joint) * width * width);
            // What is left for the three upper powers, and its solution.
            let gap = p1 - p0 - v0 - 0.5 * a0;
            let speed = v1 - v0 - a0;
            let bend = a1 - a0;
            [
                p0,
                v0,
                0.5 * a0,
                10.0 * gap - 4.0 * speed + 0.5 * bend,
                -15.0 * gap + 7.0 * speed - bend,
                6.0 * gap - 3.0 * speed + 0.5 * bend,
            ]
        });
        Self { from: start.fraction, to: end.fraction, coefficients }
    }

    /// Whether the course holds at a fraction of the path.
    #[must_use]
    pub fn holds_at(&self, fraction: f64) -> bool {
        (self.from..=self.to).contains(&fraction)
    }

    /// The `order`-th derivative of joints 4 to 6 by the fraction of the path (0: the positions), others zero.
    #[must_use]
    pub fn derivative(&self, fraction: f64, order: u8) -> JointVector {
        let width = self.to - self.from;
        let x = (fraction - self.from) / width;
        let mut powers = self.coefficients;
        for row in &mut powers {
            for _ in 0..order {
                for power in 0..5 {
                    row[power] = row[power + 1] * POWERS[power];
                }
                row[5] = 0.0;
            }
        }
        let scale = width.powi(-i32::from(order));
        JointVector::from_fn(6, |joint| match joint {
            3..=5 => powers[joint - 3].iter().rev().fold(0.0, |sum, entry| sum * x + entry) * scale,
            _ => 0.0,
        })
    }
}

const POWERS: [f64; 5] = [1.0, 2.0, 3.0, 4.0, 5.0];

/// Joints 1 to 3 that bring the tool centre point to `x_base_tool` near `seed`, whose joints 4 to 6 stay.
///
/// The orientation is not looked at, its error not reported.
/// # Real-time
/// No allocation; at most `iterations_max` steps.
#[must_use]
pub(super) fn position_only(
    chain: &Chain,
    x_base_tool: &Pose,
    x_flange_tool: &Pose,
    seed: &JointVector,
    settings: &InverseSettings,
) -> InverseResult {
    let mut q = *seed;
    let mut best = (q, f64::INFINITY);
    for iterations in 0..=settings.iterations_max {
        let (x_base_flange, jacobian) = chain.forward_with_jacobian(&q);
        let is = x_base_flange * x_flange_tool;
        let error = x_base_tool.translation.vector - is.translation.vector;
        let distance = error.norm();
        if distance <= settings.position_tolerance_m {
            return InverseResult::Converged { q, iterations };
        }
        if distance < best.1 {
            best = (q, distance);
        }
        let block = position_block(&tool_jacobian(&x_base_flange, &jacobian, x_flange_tool));
        let Some(step) = block.try_inverse().map(|inverse| inverse * error) else { break };
        let scale = (settings.step_max / step.amax()).min(1.0);
        for joint in 0..3 {
            q.set(joint, q.get(joint) + step[joint] * scale);
        }
    }
    InverseResult::NotConverged { q: best.0, position_error_m: best.1, orientation_error_rad: 0.0 }
}

/// How joints 1 to 3 move the tool centre point.
#[must_use]
pub(super) fn position_block(jacobian_tool: &Jacobian) -> Matrix3<f64> {
    jacobian_tool.fixed_view::<3, 3>(0, 0).into_owned()
}

/// Rates of all joints that give the tool centre point the linear part of `twist`, where joints 4 to 6 have theirs.
#[must_use]
pub(super) fn rates_with_wrist(
    jacobian_tool: &Jacobian,
    twist: &Twist,
    wrist: &JointVector,
) -> Option<JointVector> {
    let by_wrist = (3..6).fold(Vector3::zeros(), |sum: Vector3<f64>, joint| {
        let column: Vector3<f64> = jacobian_tool.fixed_view::<3, 1>(0, joint).into();
        sum + column * wrist.get(joint)
    });
    let solved = position_block(jacobian_tool).try_inverse()? * (twist.linear - by_wrist);
    let mut rates = *wrist;
    for joint in 0..3 {
        rates.set(joint, solved[joint]);
    }
    rates.is_finite().then_some(rates)
}
