//! What an arm must keep away from: itself and areas of the cell, in one fixed-size description.

use super::area::Area;
use super::arm::{ArmCapsules, CapsulePair};
use super::capsule::{Capsule, PosedCapsule};
use crate::geometry::Pose;
use crate::kinematics::LinkPoses;

/// Most areas of a cell.
pub const MAX_AREAS: usize = 16;

/// What of the arm an area is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AreaSubject {
    /// The tool centre point.
    ToolPoint,
    /// The capsules of the tool.
    Tool,
    /// Every capsule but those of the base.
    Arm,
}

/// An area with what it is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuardedArea {
    /// The area.
    pub area: Area,
    /// What it is about.
    pub subject: AreaSubject,
}

/// What comes nearest to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// Two capsules of the arm.
    Capsules(CapsulePair),
    /// An area and a capsule; `None`: the tool centre point.
    Area {
        /// Index of the area.
        area: u8,
        /// Index of the capsule.
        capsule: Option<u8>,
    },
}

/// How far the arm is from what it must keep away from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clearance {
    /// Smallest distance, m; negative by how far it is in.
    pub distance_m: f64,
    /// Between what.
    pub meeting: Meeting,
}

/// Fixed-size description of all of it: `Copy`, without heap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guard {
    arm: ArmCapsules,
    tool_from: u8,
    areas: [Option<GuardedArea>; MAX_AREAS],
}

impl Guard {
    /// A guard of `arm`, whose capsules from index `tool_from` on are the tool; `None`: too many areas.
    #[must_use]
    pub fn new(arm: ArmCapsules, tool_from: u8, areas: &[GuardedArea]) -> Option<Self> {
        let mut slots = [None; MAX_AREAS];
        for (slot, area) in slots.get_mut(..areas.len())?.iter_mut().zip(areas) {
            *slot = Some(*area);
        }
        Some(Self { arm, tool_from, areas: slots })
    }

    /// The link that carries what meets something: 0 the base, i the link after joint i; `None`: the tool centre point.
    #[must_use]
    pub fn link_of(&self, meeting: Meeting) -> Option<u8> {
        let capsule = match meeting {
            Meeting::Capsules(pair) => pair.1,
            Meeting::Area { capsule, .. } => capsule?,
        };
        self.arm.capsules().get(usize::from(capsule)).map(|carried| carried.link)
    }

    /// The smallest distance with the arm at `links`; `None` when there is nothing to keep away from.
    ///
    /// # Real-time
    /// No allocation; one pass over the pairs, and for each area one over the capsules.
    #[must_use]
    pub fn clearance(&self, links: &LinkPoses, x_flange_tool: &Pose) -> Option<Clearance> {
        let posed = self.arm.posed(links);
        let mut closest = self.arm.nearest(&posed).map(|nearest| Clearance {
            distance_m: nearest.distance_m,
            meeting: Meeting::Capsules(nearest.pair),
        });
        let mut note = |area: &Area, capsule: &PosedCapsule, meeting: Meeting| {
            let limit_m = closest.map_or(f64::INFINITY, |closest| closest.distance_m);
            if let Some(distance_m) = area.clearance_below_m(capsule, limit_m) {
                closest = Some(Clearance { distance_m, meeting });
            }
        };
        for (area, guarded) in (0_u8..).zip(self.areas.iter().flatten()) {
            if guarded.subject == AreaSubject::ToolPoint {
                if let Some(flange) = links.as_slice().last() {
                    let at = (flange * x_flange_tool).translation.vector;
                    let point = Capsule { start: at, end: at, radius_m: 0.0 }.posed(&Pose::identity());
                    note(&guarded.area, &point, Meeting::Area { area, capsule: None });
                }
                continue;
            }
            for (index, (carried, capsule)) in (0_u8..).zip(self.arm.capsules().iter().zip(posed.as_slice()))
            {
                let is_meant = match guarded.subject {
                    AreaSubject::Arm => carried.link > 0,
                    AreaSubject::Tool | AreaSubject::ToolPoint => index >= self.tool_from,
                };
                if is_meant {
                    note(&guarded.area, capsule, Meeting::Area { area, capsule: Some(index) });
                }
            }
        }
        closest
    }
}
