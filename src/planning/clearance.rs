//! How near a planned program brings the arm to itself and to the areas of the cell: each motion is walked with
//! the inverse kinematics of the cycle.

use super::Plan;
use crate::boundary::piece_queue::PieceKind;
use crate::collision::{Clearance, Guard};
use crate::kinematics::Chain;
use crate::kinematics::guide::{Follower, Place};
use crate::kinematics::inverse::{InverseResult, InverseSettings};
use crate::trajectory::Segment;
use crate::trajectory::path::{ParameterUnit, PathPoint};

/// Distance of two samples along a path of the tool, m.
const SPACING_M: f64 = 2e-3;
/// Distance of two samples where joints or the tool turn, rad (a third of a degree).
const SPACING_RAD: f64 = 6e-3;
/// Samples of a motion: at least, and at most.
const SAMPLES_MIN: f64 = 16.0;
const SAMPLES_MAX: f64 = 20_000.0;

const SETTINGS: InverseSettings = InverseSettings {
    position_tolerance_m: 1e-9,
    orientation_tolerance_rad: 1e-9,
    iterations_max: 20,
    step_max: 0.2,
};

/// The closest place of one motion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegmentClearance {
    /// Position of the instruction in the document, from 0.
    pub instruction: u32,
    /// Where on the path, in its own unit (m or rad).
    pub s: f64,
    /// How near, and what to what.
    pub clearance: Clearance,
}

/// The closest place of every motion of `plan`, in order; motions of an arm that cannot meet anything are left out.
///
/// Between two samples the arm moves by millimetres; what comes nearer in between is covered by the margin a cell
/// keeps.
#[must_use]
pub fn clearances(plan: &Plan, chain: &Chain, guard: &Guard) -> Vec<SegmentClearance> {
    let follower = Follower::new(*chain);
    plan.pieces
        .iter()
        .filter_map(|piece| match &piece.kind {
            PieceKind::Motion(segment) => {
                let (s, clearance) = closest(segment, &follower, guard)?;
                Some(SegmentClearance { instruction: piece.instruction, s, clearance })
            }
            PieceKind::ProcessStart(_)
            | PieceKind::ProcessEnd
            | PieceKind::Dwell(_)
            | PieceKind::Output(_)
            | PieceKind::WaitInput { .. }
            | PieceKind::EndOfRun => None,
        })
        .collect()
}

fn closest(segment: &Segment, follower: &Follower, guard: &Guard) -> Option<(f64, Clearance)> {
    let length = segment.path.length();
    let spacing = match segment.path.unit() {
        ParameterUnit::ToolDistance => SPACING_M,
        ParameterUnit::ToolRotation | ParameterUnit::JointDistance => SPACING_RAD,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped; NaN becomes the least"
    )]
    let count = (length / spacing).ceil().clamp(SAMPLES_MIN, SAMPLES_MAX) as u32;
    let mut q = segment.q_start;
    let mut found: Option<(f64, Clearance)> = None;
    for index in 0..=count {
        let s = length * f64::from(index) / f64::from(count.max(1));
        q = match segment.path.sample(s) {
            PathPoint::Joints(joints) => joints,
            PathPoint::Pose(x_base_tool) => {
                let x_flange_tool = &segment.x_flange_tool;
                let place = Place { fraction: s / length, x_base_tool: &x_base_tool, x_flange_tool };
                // Planning has followed this path already, so there are joint positions.
                match follower.inverse(&segment.guide, &place, &q, &SETTINGS) {
                    InverseResult::Converged { q, .. } | InverseResult::NotConverged { q, .. } => q,
                }
            }
        };
        let clearance = guard.clearance(&follower.chain().link_poses(&q), &segment.x_flange_tool)?;
        if found.is_none_or(|(_, least)| clearance.distance_m < least.distance_m) {
            found = Some((s, clearance));
        }
    }
    found
}
