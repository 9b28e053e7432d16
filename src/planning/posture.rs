//! How the joints take a target: the branch and turns it asks for, and what a path must keep of them.

use nalgebra::Vector3;

use super::Limits;
use super::problem::PlanProblemKind;
use super::singular::SingularityRule;
use crate::joints::JointVector;
use std::f64::consts::{PI, TAU};

use crate::kinematics::configuration::{Configuration, ConfigurationMode, TurnMode, Turns, Wish, turns_of};
use crate::kinematics::guide::{Follower, Guide, best_held};
use crate::kinematics::inverse::Solver;
use crate::kinematics::{Chain, JointKind};

/// What a motion asks of the joint positions that take its target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Posture {
    /// Branch and whole turns. On a path the branch is that of its start, and the wish is only compared with it.
    pub wish: Wish,
    /// What happens where a path comes near a singular pose. Does not matter for joint motions.
    pub singularity: SingularityRule,
    /// Where the joints go that the arm has beyond six, when they are a track, a column or a positioner.
    pub external: External,
}

/// Where held joints go: the axes outside the arm proper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum External {
    /// They stay where they are on a path; a joint motion moves them as suits it.
    Keep,
    /// Sliding ones go as far as the tool does along them: the arm keeps its distance. On a path.
    Follow,
    /// Wherever on their way the path can be travelled fastest. On a path.
    Optimise,
    /// Where the program says.
    At {
        /// Which: joint 1 is bit 0.
        mask: u16,
        /// Their positions, rad or m; others do not matter.
        positions: JointVector,
    },
}

impl Posture {
    /// Whatever is nearest to where the arm stands.
    pub const FREE: Self =
        Self { wish: Wish::FREE, singularity: SingularityRule::Refuse, external: External::Keep };
}

impl Default for Posture {
    fn default() -> Self {
        Self::FREE
    }
}

/// What a path must keep from its first sample to its last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept<'a> {
    chain: &'a Chain,
    solver: Option<&'a Solver>,
    branch: Option<Configuration>,
    /// The wrist may come out on its other side.
    flips: bool,
    /// `None`: joints may wind and unwind.
    turns: Option<Turns>,
}

impl<'a> Kept<'a> {
    /// What a path from `q_start` keeps, where its target asks for `posture`.
    ///
    /// # Errors
    /// The target asks for a branch other than that of the start, or for one of an arm without branches.
    pub(super) fn from_start(
        chain: &'a Chain,
        solver: Option<&'a Solver>,
        q_start: &JointVector,
        posture: &Posture,
    ) -> Result<Self, PlanProblemKind> {
        let branch = solver.and_then(|solver| solver.configuration(q_start));
        let flips = posture.singularity.may_flip_wrist();
        match (posture.wish.configuration, branch) {
            (ConfigurationMode::Exact(_), None) => return Err(PlanProblemKind::NoConfigurations),
            (ConfigurationMode::Exact(asked), Some(is)) if !same(asked, is, flips) => {
                return Err(PlanProblemKind::StartGoverns { asked, is });
            }
            (ConfigurationMode::Exact(_) | ConfigurationMode::Nearest(_) | ConfigurationMode::Free, _) => {}
        }
        let turns = (posture.wish.turns == TurnMode::Same).then(|| turns_of(chain, q_start));
        Ok(Self { chain, solver, branch, flips, turns })
    }

    /// What is lost at `q`, at place `s` of the path.
    pub(super) fn lost(&self, s: f64, q: &JointVector) -> Option<PlanProblemKind> {
        let now = self.solver.and_then(|solver| solver.configuration(q));
        if let (Some(from), Some(to)) = (self.branch, now)
            && !same(from, to, self.flips)
        {
            return Some(PlanProblemKind::ConfigurationChange { s, from, to });
        }
        let (before, now) = (self.turns?, turns_of(self.chain, q));
        let joint = before.iter().zip(&now).position(|(before, now)| before != now)?;
        Some(PlanProblemKind::TurnChange { s, joint, from: before[joint], to: now[joint] })
    }
}

/// Whether two branches are one, the side of the wrist left out where it may change.
fn same(a: Configuration, b: Configuration, flips: bool) -> bool {
    a == b || (flips && a == Configuration { wrist: a.wrist, ..b })
}

/// Ways to guide a path of a redundant arm from `q_start` on which the tool goes by `way` (m, base frame), the first of which that works is taken; one for all
/// others.
///
/// With an arm angle asked for, the path goes there; otherwise the angle is kept or, where a joint would run into its
/// limit, led away from it. Without an arm angle joints are held where they stand: sliding ones, then whichever
/// leaves the others farthest from singular.
pub(super) fn guides(
    follower: &Follower,
    limits: &Limits,
    q_start: &JointVector,
    way: &Vector3<f64>,
    posture: &Posture,
) -> Result<Vec<Guide>, PlanProblemKind> {
    const LEADS_DEG: [f64; 13] =
        [0.0, 10.0, -10.0, 20.0, -20.0, 30.0, -30.0, 45.0, -45.0, 60.0, -60.0, 90.0, -90.0];
    let chain = follower.chain();
    let joints = chain.joint_count();
    if posture.external == External::Keep
        && let Some(shoulder) = follower.shoulder()
        && let Some(start) = shoulder.arm_angle(q_start)
    {
        let configuration = shoulder.configuration(q_start);
        let guide = |change| Guide::ArmAngle { start, change, configuration };
        return Ok(match posture.wish.arm_angle_rad {
            Some(asked) => vec![guide((asked - start + PI).rem_euclid(TAU) - PI)],
            None => LEADS_DEG.iter().map(|lead| guide(lead.to_radians())).collect(),
        });
    }
    if posture.wish.arm_angle_rad.is_some() {
        return Err(PlanProblemKind::NoArmAngle);
    }
    if joints <= 6 {
        return match posture.external {
            External::Keep => Ok(vec![Guide::None]),
            External::Follow | External::Optimise => {
                Err(PlanProblemKind::ExternalCount { needed: 0, found: 1 })
            }
            External::At { mask, .. } => {
                Err(PlanProblemKind::ExternalCount { needed: 0, found: mask.count_ones() as usize })
            }
        };
    }
    let best = match posture.external {
        External::At { mask, .. } => mask,
        External::Keep | External::Follow | External::Optimise => best_held(chain, q_start),
    };
    if best.count_ones() as usize != joints - 6 {
        return Err(PlanProblemKind::ExternalCount { needed: joints - 6, found: best.count_ones() as usize });
    }
    let held = |change| Guide::Held { mask: best, start: *q_start, change };
    let within = |change: JointVector| {
        JointVector::from_fn(joints, |joint| {
            let start = q_start.get(joint);
            let Some(limit) = limits.joints.as_slice().get(joint) else { return 0.0 };
            (start + change.get(joint)).clamp(limit.position_min, limit.position_max) - start
        })
    };
    let only = |value: &dyn Fn(usize) -> f64| {
        JointVector::from_fn(joints, |joint| if best & (1 << joint) == 0 { 0.0 } else { value(joint) })
    };
    let following = || {
        let (_, jacobian) = chain.forward_with_jacobian(q_start);
        within(only(&|joint| {
            let slides = chain.joint_kind(joint) == Some(JointKind::Prismatic);
            let along: Vector3<f64> = jacobian.fixed_view::<3, 1>(0, joint).into();
            if slides { along.dot(way) } else { 0.0 }
        }))
    };
    match posture.external {
        External::Keep => {}
        External::Follow => return Ok(vec![held(following())]),
        External::At { positions, .. } => {
            return Ok(vec![held(only(&|joint| positions.get(joint) - q_start.get(joint)))]);
        }
        External::Optimise => {
            // One joint after the other to places of its range, and what keeps or follows.
            let places = (0..joints).filter(|joint| best & (1 << joint) != 0).flat_map(|joint| {
                (0..=8_u8).filter_map(move |place| {
                    let limit = limits.joints.as_slice().get(joint)?;
                    let (low, high) = (limit.position_min, limit.position_max);
                    Some((joint, low + (high - low) * f64::from(place) / 8.0))
                })
            });
            let to = places.map(|(joint, position)| {
                only(&|other| if other == joint { position - q_start.get(joint) } else { 0.0 })
            });
            return Ok([JointVector::zeros(joints), following()].into_iter().chain(to).map(held).collect());
        }
    }
    let slides = |mask: u16| {
        (0..joints)
            .any(|joint| mask & (1 << joint) != 0 && chain.joint_kind(joint) == Some(JointKind::Prismatic))
    };
    // A track stays where it is; of an arm with one joint too many, any may be held.
    let others =
        (0..joints).map(|joint| 1 << joint).filter(|mask| joints == 7 && !slides(best) && *mask != best);
    Ok(std::iter::once(best)
        .chain(others)
        .map(|mask| Guide::Held { mask, start: *q_start, change: JointVector::zeros(joints) })
        .collect())
}

/// The joint of a path's end that is not in the turn its target asks for.
pub(super) fn other_turn(chain: &Chain, posture: &Posture, q_end: &JointVector) -> Option<PlanProblemKind> {
    let TurnMode::Use(asked) = posture.wish.turns else { return None };
    let is = turns_of(chain, q_end);
    let joint = (0..q_end.len()).find(|joint| asked[*joint] != is[*joint])?;
    Some(PlanProblemKind::EndTurn { joint, asked: asked[joint], is: is[joint] })
}
