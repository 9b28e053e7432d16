//! How a path passes a singular pose of the wrist: what its motion asks for, and the guides that grant it.

use super::follow::CLOSENESS_MIN;
use super::joint_derivatives::joint_derivatives;
use super::problem::PlanProblemKind;
use crate::geometry::Pose;
use crate::joints::JointVector;
use crate::kinematics::configuration::{Configuration, ConfigurationMode, TurnMode, Wish};
use crate::kinematics::guide::{Follower, Guide, WristCourse, WristEnd, inverse_holding};
use crate::kinematics::inverse::{InverseResult, InverseSettings, Solver};
use crate::kinematics::jacobian_derivative::tool_jacobian;
use crate::kinematics::singularity::singularity;
use crate::trajectory::path::{Path, PathPoint};

/// What happens where a path comes near a singular pose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SingularityRule {
    /// The program is refused.
    Refuse,
    /// The motion is as slow as it has to be; only a path through the singular pose itself is refused.
    SlowDown,
    /// The wrist joints go straight from start to end and the tool centre point keeps to the path; the orientation is
    /// off between by at most this, rad.
    WristJoint(f64),
    /// Joint 4 stays where it is and joints 5 and 6 go straight; the orientation is off by at most this, rad.
    LockAxis4(f64),
    /// As [`WristJoint`](Self::WristJoint), but only around the singular pose; the orientation is off by at most
    /// this, rad.
    OrientationError(f64),
}

impl SingularityRule {
    /// Least closeness that is not refused.
    pub(super) const fn closeness_min(self) -> f64 {
        match self {
            Self::SlowDown => 1e-4,
            Self::Refuse | Self::WristJoint(_) | Self::LockAxis4(_) | Self::OrientationError(_) => {
                CLOSENESS_MIN
            }
        }
    }

    /// Largest error of the orientation, rad.
    pub(super) const fn orientation_error_max(self) -> f64 {
        match self {
            Self::Refuse | Self::SlowDown => 0.0,
            Self::WristJoint(most) | Self::LockAxis4(most) | Self::OrientationError(most) => most,
        }
    }

    /// Whether the wrist may end on its other side.
    pub(super) const fn may_flip_wrist(self) -> bool {
        match self {
            Self::Refuse | Self::SlowDown => false,
            Self::WristJoint(_) | Self::LockAxis4(_) | Self::OrientationError(_) => true,
        }
    }
}

/// Places of a path that are looked at for the part to be passed by the wrist joints.
const PLACES: u16 = 400;
/// Closeness at which such a part may begin and end; a wide one needs less speed of the wrist and more orientation.
const WIDTHS: [f64; 6] = [0.015, 0.03, 0.06, 0.1, 0.16, 0.24];

/// A path to be guided through a singular pose of the wrist.
pub(super) struct Passage<'a> {
    pub(super) follower: &'a Follower,
    pub(super) solver: &'a Solver,
    pub(super) x_flange_tool: &'a Pose,
    pub(super) path: &'a Path,
    pub(super) q_start: &'a JointVector,
    pub(super) branch: Configuration,
}

impl Passage<'_> {
    /// The guides that may grant a rule; none where the end cannot be reached so.
    pub(super) fn guides(&self, rule: SingularityRule, wish: &Wish) -> Result<Vec<Guide>, PlanProblemKind> {
        match rule {
            SingularityRule::Refuse | SingularityRule::SlowDown => Ok(vec![Guide::None]),
            SingularityRule::WristJoint(_) => {
                let q_end = self.at(self.path.length(), self.q_start, wish);
                Ok(q_end
                    .map(|q_end| Guide::Wrist(WristCourse::straight(self.q_start, &q_end)))
                    .into_iter()
                    .collect())
            }
            SingularityRule::LockAxis4(_) => {
                Ok(vec![Guide::Wrist(WristCourse::straight(self.q_start, &self.end_with_axis_4_locked()))])
            }
            SingularityRule::OrientationError(_) => {
                let mut guides = vec![Guide::None];
                guides.extend(self.joined());
                Ok(guides)
            }
        }
    }

    fn x_base_tool(&self, s: f64) -> Pose {
        match self.path.sample(s) {
            PathPoint::Pose(x_base_tool) => x_base_tool,
            PathPoint::Joints(q) => self.follower.chain().forward(&q) * self.x_flange_tool,
        }
    }

    /// The joint positions at `s` on the shoulder and elbow of the start, nearest to `seed`, on either side of the
    /// wrist unless one is asked for.
    fn at(&self, s: f64, seed: &JointVector, wish: &Wish) -> Option<JointVector> {
        let x_base_flange = self.x_base_tool(s) * self.x_flange_tool.inverse();
        let sides = match wish.configuration {
            ConfigurationMode::Exact(asked) => [Some(asked.wrist), None],
            ConfigurationMode::Nearest(_) | ConfigurationMode::Free => {
                [Some(self.branch.wrist), Some(self.branch.wrist.other())]
            }
        };
        let on_side = |wrist| {
            let configuration = ConfigurationMode::Exact(Configuration { wrist, ..self.branch });
            let wish = Wish { configuration, turns: TurnMode::Free, ..*wish };
            self.solver.nearest(&x_base_flange, seed, &wish).map(|solution| solution.q)
        };
        let gap = |q: &JointVector| (*q - *seed).max_abs();
        let found = sides.into_iter().flatten().filter_map(on_side);
        found.min_by(|a, b| gap(a).total_cmp(&gap(b)))
    }

    /// The end of the path with joint 4 where it stands, as near in orientation as that allows.
    fn end_with_axis_4_locked(&self) -> JointVector {
        let x_base_flange = self.x_base_tool(self.path.length()) * self.x_flange_tool.inverse();
        let settings = InverseSettings { iterations_max: 60, ..InverseSettings::default() };
        match inverse_holding(self.follower.chain(), &x_base_flange, self.q_start, 1 << 3, &settings) {
            InverseResult::Converged { q, .. } | InverseResult::NotConverged { q, .. } => q,
        }
    }

    /// Guides that pass the part around the singular pose by the wrist joints, narrow ones first.
    fn joined(&self) -> Vec<Guide> {
        let length = self.path.length();
        let chain = self.follower.chain();
        let mut places = Vec::new();
        let mut q = *self.q_start;
        for place in 0..=PLACES {
            let s = length * f64::from(place) / f64::from(PLACES);
            let Some(next) = self.at(s, &q, &Wish::FREE) else { return Vec::new() };
            q = next;
            let (_, jacobian) = chain.forward_with_jacobian(&q);
            places.push((s, q, singularity(chain, &jacobian).smallest / chain.characteristic_length_m()));
        }
        let nearest = places.iter().enumerate().min_by(|(_, a), (_, b)| a.2.total_cmp(&b.2));
        let Some((nearest, _)) = nearest else { return Vec::new() };
        let end_at = |(s, q, _): &(f64, JointVector, f64)| {
            let (x_base_flange, jacobian) = chain.forward_with_jacobian(q);
            let jacobian = tool_jacobian(&x_base_flange, &jacobian, self.x_flange_tool);
            let found = joint_derivatives(
                self.follower,
                &Guide::None,
                self.x_flange_tool,
                self.path,
                *s,
                q,
                &jacobian,
            )?;
            Some(WristEnd {
                fraction: s / length,
                q: *q,
                first: found.first * length,
                second: found.second * (length * length),
            })
        };
        let guide = |width: f64| {
            let start = places.get(..nearest)?.iter().rev().find(|place| place.2 >= width)?;
            let end = places.get(nearest..)?.iter().find(|place| place.2 >= width)?;
            Some(Guide::Wrist(WristCourse::joining(&end_at(start)?, &end_at(end)?)))
        };
        WIDTHS.into_iter().filter_map(guide).collect()
    }
}
