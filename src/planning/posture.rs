//! How the joints take a target: the branch and turns it asks for, and what a path must keep of them.

use super::problem::PlanProblemKind;
use crate::joints::JointVector;
use crate::kinematics::Chain;
use crate::kinematics::configuration::{Configuration, ConfigurationMode, TurnMode, Turns, Wish, turns_of};
use crate::kinematics::inverse::Solver;

/// What a motion asks of the joint positions that take its target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Posture {
    /// Branch and whole turns. On a path the branch is that of its start, and the wish is only compared with it.
    pub wish: Wish,
}

impl Posture {
    /// Whatever is nearest to where the arm stands.
    pub const FREE: Self = Self { wish: Wish::FREE };
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
        match (posture.wish.configuration, branch) {
            (ConfigurationMode::Exact(_), None) => return Err(PlanProblemKind::NoConfigurations),
            (ConfigurationMode::Exact(asked), Some(is)) if asked != is => {
                return Err(PlanProblemKind::StartGoverns { asked, is });
            }
            (ConfigurationMode::Exact(_) | ConfigurationMode::Nearest(_) | ConfigurationMode::Free, _) => {}
        }
        let turns = (posture.wish.turns == TurnMode::Same).then(|| turns_of(chain, q_start));
        Ok(Self { chain, solver, branch, turns })
    }

    /// What is lost at `q`, at place `s` of the path.
    pub(super) fn lost(&self, s: f64, q: &JointVector) -> Option<PlanProblemKind> {
        let now = self.solver.and_then(|solver| solver.configuration(q));
        if let (Some(from), Some(to)) = (self.branch, now)
            && from != to
        {
            return Some(PlanProblemKind::ConfigurationChange { s, from, to });
        }
        let (before, now) = (self.turns?, turns_of(self.chain, q));
        let joint = before.iter().zip(&now).position(|(before, now)| before != now)?;
        Some(PlanProblemKind::TurnChange { s, joint, from: before[joint], to: now[joint] })
    }
}

/// The joint of a path's end that is not in the turn its target asks for.
pub(super) fn other_turn(chain: &Chain, posture: &Posture, q_end: &JointVector) -> Option<PlanProblemKind> {
    let TurnMode::Use(asked) = posture.wish.turns else { return None };
    let is = turns_of(chain, q_end);
    let joint = (0..q_end.len()).find(|joint| asked[*joint] != is[*joint])?;
    Some(PlanProblemKind::EndTurn { joint, asked: asked[joint], is: is[joint] })
}
