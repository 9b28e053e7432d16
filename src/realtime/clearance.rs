//! Watches, setpoint by setpoint, that the arm does not come nearer to itself or to an area than it may. Planning
//! has looked at every path before; this is for what planning did not know of: corrections, offsets, mistakes.

use super::supervision::Finding;
use crate::collision::{Clearance, Guard};
use crate::faults::FaultCode;
use crate::geometry::Pose;
use crate::joints::JointVector;
use crate::kinematics::Chain;

/// Tools with a guard of their own; more are looked at by planning alone.
pub const MAX_TOOLS: usize = 4;
/// Coming nearer by less than this is rounding, m.
const ROUNDING_M: f64 = 1e-9;

/// What an arm with a tool keeps away from.
#[derive(Clone, Copy, Debug)]
pub struct ToolGuard {
    /// Tool centre point in the flange frame: which tool it is.
    pub x_flange_tool: Pose,
    /// With the capsules of that tool.
    pub guard: Guard,
    /// A setpoint nearer than this that comes nearer still is a fault, m.
    pub distance_min_m: f64,
}

/// The guards of all tools.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ClearanceWatch {
    guards: [Option<ToolGuard>; MAX_TOOLS],
}

impl ClearanceWatch {
    pub(super) fn new(guards: &[ToolGuard]) -> Self {
        let mut watch = Self::default();
        for (slot, guard) in watch.guards.iter_mut().zip(guards) {
            *slot = Some(*guard);
        }
        watch
    }

    /// A finding when the setpoint `q` is too near to something and nearer than `before`, the last one: an arm that
    /// stands too near can always be moved away.
    ///
    /// # Real-time
    /// No allocation; one pass over joints, pairs and areas, two where the arm is too near.
    pub(super) fn check(
        &self,
        chain: &Chain,
        before: &JointVector,
        q: &JointVector,
        x_flange_tool: &Pose,
    ) -> Option<Finding> {
        let of_tool = self.guards.iter().flatten().find(|guard| guard.x_flange_tool == *x_flange_tool);
        let guard = of_tool.or_else(|| self.guards.iter().flatten().next())?;
        let clearance = |q| guard.guard.clearance(&chain.link_poses(q), x_flange_tool);
        let Clearance { distance_m, meeting } = clearance(q)?;
        if distance_m >= guard.distance_min_m {
            return None;
        }
        let comes_nearer = clearance(before).is_none_or(|before| distance_m < before.distance_m - ROUNDING_M);
        comes_nearer.then(|| Finding {
            code: FaultCode::TooNear,
            place: guard.guard.link_of(meeting),
            value: distance_m,
            limit: guard.distance_min_m,
        })
    }
}
