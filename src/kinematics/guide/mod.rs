//! What fixes the joints along a path where its poses do not: for arms with more than six joints, and for a wrist
//! that passes a singular pose. Planning and the cycle then find the very same joint positions, whatever their seeds
//! and steps were.
//!
//! A minimum-norm solution depends on the way it was reached. Here each place of a path has its own answer: some
//! joints are held at programmed values (a track, or one joint of an arm without special geometry), the arm angle of
//! a spherical shoulder and wrist is given ([`SphericalShoulder`]), or the wrist joints are ([`WristCourse`]).

mod held;
mod spherical_shoulder;
#[cfg(test)]
mod tests;
mod wrist;

pub use held::{HELD_MAX, best_held, inverse_holding};
pub use spherical_shoulder::SphericalShoulder;
pub use wrist::{WristCourse, WristEnd};

use super::configuration::Configuration;
use super::inverse::{InverseResult, InverseSettings, inverse_from_seed, joint_speeds};
use super::jacobian_derivative::{Columns, minus, tool_jacobian};
use super::singularity::singularity;
use super::{Chain, Jacobian};
use crate::geometry::{Pose, Twist};
use crate::joints::JointVector;

/// What fixes the joints along a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Guide {
    /// The poses alone: at most six joints.
    None,
    /// The joints whose bit is set (joint 1: bit 0) go straight from their start.
    Held {
        /// Which.
        mask: u16,
        /// Joint positions at the start, rad or m.
        start: JointVector,
        /// What is added until the end, rad or m; zero for all others.
        change: JointVector,
    },
    /// The arm angle goes straight from its start, on one branch.
    ArmAngle {
        /// Arm angle at the start, rad.
        start: f64,
        /// What is added until the end, rad.
        change: f64,
        /// The branch.
        configuration: Configuration,
    },
    /// Six joints of which 4 to 6 are given on a part of the path, so that the orientation there is not.
    Wrist(WristCourse),
}

impl Guide {
    /// The course of the wrist joints where it holds.
    #[must_use]
    pub fn wrist_at(&self, fraction: f64) -> Option<&WristCourse> {
        match self {
            Self::Wrist(course) if course.holds_at(fraction) => Some(course),
            Self::None | Self::Held { .. } | Self::ArmAngle { .. } | Self::Wrist(_) => None,
        }
    }

    /// How far the joints that follow the path at `fraction` are from singular: the smallest singular value of their
    /// Jacobian over the characteristic length of the chain.
    #[must_use]
    pub fn closeness(
        &self,
        chain: &Chain,
        fraction: f64,
        (jacobian_flange, jacobian_tool): (&Jacobian, &Jacobian),
    ) -> f64 {
        let length = chain.characteristic_length_m();
        if self.wrist_at(fraction).is_some() {
            return wrist::position_block(jacobian_tool).singular_values().min() / length;
        }
        let seen = match self {
            Self::None | Self::ArmAngle { .. } | Self::Wrist(_) => *jacobian_flange,
            Self::Held { mask, .. } => without(jacobian_flange, *mask),
        };
        singularity(chain, &seen).smallest / length
    }
}

/// Where the tool shall be on a path.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Share of the path that lies behind, 0..=1.
    pub fraction: f64,
    /// Pose of the tool in the base frame.
    pub x_base_tool: &'a Pose,
    /// The tool in the flange frame.
    pub x_flange_tool: &'a Pose,
}

impl Place<'_> {
    fn x_base_flange(&self) -> Pose {
        self.x_base_tool * self.x_flange_tool.inverse()
    }
}

/// Inverse kinematics along a path, redundant or not. Made once; `Copy`, without heap.
#[derive(Clone, Copy, Debug)]
pub struct Follower {
    chain: Chain,
    shoulder: Option<SphericalShoulder>,
}

impl Follower {
    /// The follower of a chain. Not for the cycle: proves the closed form of a seven-joint arm.
    #[must_use]
    pub fn new(chain: Chain) -> Self {
        Self { chain, shoulder: SphericalShoulder::find(&chain) }
    }

    /// The chain.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The spherical shoulder and wrist, if the arm has them.
    #[must_use]
    pub const fn shoulder(&self) -> Option<&SphericalShoulder> {
        self.shoulder.as_ref()
    }

    /// Joint positions near `seed` that bring the tool to a place of a guided path.
    ///
    /// # Real-time
    /// No allocation; as [`inverse_from_seed`], or one closed form.
    #[must_use]
    pub fn inverse(
        &self,
        guide: &Guide,
        place: &Place<'_>,
        seed: &JointVector,
        settings: &InverseSettings,
    ) -> InverseResult {
        let chain = &self.chain;
        if let Some(course) = guide.wrist_at(place.fraction) {
            let wrist = course.derivative(place.fraction, 0);
            let seed = JointVector::from_fn(6, |joint| if joint < 3 { seed } else { &wrist }.get(joint));
            return wrist::position_only(chain, place.x_base_tool, place.x_flange_tool, &seed, settings);
        }
        let x_base_flange = place.x_base_flange();
        match (guide, &self.shoulder) {
            (Guide::Held { mask, start, change }, _) => {
                let seed = JointVector::from_fn(chain.joint_count(), |joint| {
                    if mask & (1 << joint) == 0 {
                        seed.get(joint)
                    } else {
                        change.get(joint).mul_add(place.fraction, start.get(joint))
                    }
                });
                inverse_holding(chain, &x_base_flange, &seed, *mask, settings)
            }
            (Guide::ArmAngle { start, change, configuration }, Some(shoulder)) => {
                let angle = change.mul_add(place.fraction, *start);
                shoulder.inverse(chain, &x_base_flange, angle, *configuration, seed, settings)
            }
            (Guide::None | Guide::ArmAngle { .. } | Guide::Wrist(_), _) => {
                inverse_from_seed(chain, &x_base_flange, seed, settings)
            }
        }
    }

    /// The `order`-th derivative (from 1) of the joints by s at `fraction` of a path of `length`, where that of the
    /// tool without what the lower derivatives of the joints make of it is `twist` (base axes).
    ///
    /// `None` where the arm is singular. Not for guided arm angles.
    #[must_use]
    pub fn rates(
        &self,
        guide: &Guide,
        (fraction, length): (f64, f64),
        jacobian_tool: &Jacobian,
        twist: &Twist,
        order: u8,
    ) -> Option<JointVector> {
        let joints = self.chain.joint_count();
        if let Some(course) = guide.wrist_at(fraction) {
            let wrist = course.derivative(fraction, order) * length.powi(-i32::from(order));
            return wrist::rates_with_wrist(jacobian_tool, twist, &wrist);
        }
        let Guide::Held { mask, change, .. } = guide else {
            return joint_speeds(jacobian_tool, joints, twist);
        };
        let held = if order == 1 { *change * (1.0 / length) } else { JointVector::zeros(joints) };
        let rest = minus(twist, &Columns::of(jacobian_tool, joints).times(&held), 1.0);
        Some(joint_speeds(&without(jacobian_tool, *mask), joints, &rest)? + held)
    }

    /// Speeds and accelerations of the joints at `q`, where a guided path of `length` is at `state` (s, ds/dt,
    /// d²s/dt²) and its tool moves with `first` and `second` (d/ds, d²/ds²); `x_base_tool_at` samples it.
    ///
    /// `None` where the arm is singular.
    /// # Real-time
    /// No allocation; two solutions with one Jacobian, or five closed forms.
    #[must_use]
    #[expect(
        clippy::too_many_arguments,
        reason = "a state of the path, a pose and a guide have no type in common"
    )]
    pub fn motion(
        &self,
        guide: &Guide,
        length: f64,
        (s, speed, acceleration): (f64, f64, f64),
        (first, second): (&Twist, &Twist),
        x_flange_tool: &Pose,
        q: &JointVector,
        x_base_tool_at: impl Fn(f64) -> Option<Pose>,
    ) -> Option<(JointVector, JointVector)> {
        let (q1, q2) = if let (Guide::ArmAngle { .. }, Some(_)) = (guide, &self.shoulder) {
            let [q1, q2, _] = self.differences(guide, length, s, x_flange_tool, q, x_base_tool_at)?;
            (q1, q2)
        } else {
            let (x_base_flange, jacobian) = self.chain.forward_with_jacobian(q);
            let jacobian = tool_jacobian(&x_base_flange, &jacobian, x_flange_tool);
            let at = (s / length, length);
            let q1 = self.rates(guide, at, &jacobian, first, 1)?;
            let moving = Columns::of(&jacobian, self.chain.joint_count()).derivative(&q1, None);
            let q2 = self.rates(guide, at, &jacobian, &minus(second, &moving.times(&q1), 1.0), 2)?;
            (q1, q2)
        };
        Some((q1 * speed, q1 * acceleration + q2 * (speed * speed)))
    }

    /// First three derivatives along a path guided by the arm angle: differences of the closed form, whose answers
    /// are exact to rounding.
    #[must_use]
    pub fn differences(
        &self,
        guide: &Guide,
        length: f64,
        s: f64,
        x_flange_tool: &Pose,
        q: &JointVector,
        x_base_tool_at: impl Fn(f64) -> Option<Pose>,
    ) -> Option<[JointVector; 3]> {
        /// Step as a part of the path's length: rounding and truncation are equally small.
        const STEP: f64 = 2e-3;
        let step = STEP * length;
        // At the ends the path would be clamped: differences are taken two steps inside.
        let middle = s.clamp(2.0 * step, length - 2.0 * step);
        let at = |offset: f64| {
            let s = offset.mul_add(step, middle);
            let x_base_tool = x_base_tool_at(s)?;
            let place = Place { fraction: s / length, x_base_tool: &x_base_tool, x_flange_tool };
            match self.inverse(guide, &place, q, &InverseSettings::default()) {
                InverseResult::Converged { q, .. } => Some(q),
                InverseResult::NotConverged { .. } => None,
            }
        };
        let (back_2, back, here, ahead, ahead_2) = (at(-2.0)?, at(-1.0)?, at(0.0)?, at(1.0)?, at(2.0)?);
        let first = ((ahead - back) * 8.0 - (ahead_2 - back_2)) * (1.0 / (12.0 * step));
        let second =
            ((ahead + back) * 16.0 - (ahead_2 + back_2) - here * 30.0) * (1.0 / (12.0 * step * step));
        let third = (ahead_2 - back_2 - (ahead - back) * 2.0) * (0.5 / step.powi(3));
        Some([first, second, third])
    }
}

/// A Jacobian whose held joints move nothing.
fn without(jacobian: &Jacobian, mask: u16) -> Jacobian {
    let mut rest = *jacobian;
    for (joint, mut column) in rest.column_iter_mut().enumerate() {
        if mask & (1 << joint) != 0 {
            column.fill(0.0);
        }
    }
    rest
}
