//! The capsules of an arm with its tool, and the pairs of them that can meet.

use super::capsule::{Capsule, PosedCapsule};
use crate::kinematics::LinkPoses;

/// Most capsules of an arm with its tool.
pub const MAX_CAPSULES: usize = 32;
/// Most pairs that are looked at.
pub const MAX_PAIRS: usize = 256;

/// A capsule and what carries it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkCapsule {
    /// Index into [`LinkPoses`]: 0 the base, i the link after joint i (from 1).
    pub link: u8,
    /// In the frame of that link.
    pub capsule: Capsule,
}

/// Two capsules, by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CapsulePair(pub u8, pub u8);

/// The pair that is nearest, and how near.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearest {
    /// Distance of the surfaces, m; negative inside each other.
    pub distance_m: f64,
    /// Which two.
    pub pair: CapsulePair,
}

/// Fixed-size description of an arm as capsules: `Copy`, without heap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ArmCapsules {
    capsules: [LinkCapsule; MAX_CAPSULES],
    capsule_count: u8,
    pairs: [CapsulePair; MAX_PAIRS],
    pair_count: u16,
}

impl ArmCapsules {
    /// The arm made of `capsules`, of which `pairs` can meet.
    ///
    /// `None`: too many of either, a pair of a capsule that is not there, or a value that is not a finite number.
    #[must_use]
    pub fn new(capsules: &[LinkCapsule], pairs: &[CapsulePair]) -> Option<Self> {
        let nothing = Capsule {
            start: nalgebra::Vector3::new(0.0, 0.0, 0.0),
            end: nalgebra::Vector3::new(0.0, 0.0, 0.0),
            radius_m: 0.0,
        };
        let mut arm = Self {
            capsules: [LinkCapsule { link: 0, capsule: nothing }; MAX_CAPSULES],
            capsule_count: u8::try_from(capsules.len()).ok()?,
            pairs: [CapsulePair(0, 0); MAX_PAIRS],
            pair_count: u16::try_from(pairs.len()).ok()?,
        };
        let is_usable = |LinkCapsule { capsule, .. }: &LinkCapsule| {
            capsule.start.iter().chain(capsule.end.iter()).all(|value| value.is_finite())
                && capsule.radius_m.is_finite()
                && capsule.radius_m > 0.0
        };
        let is_there = |index: u8| usize::from(index) < capsules.len();
        if !capsules.iter().all(is_usable)
            || !pairs.iter().all(|pair| is_there(pair.0) && is_there(pair.1) && pair.0 != pair.1)
        {
            return None;
        }
        arm.capsules.get_mut(..capsules.len())?.copy_from_slice(capsules);
        arm.pairs.get_mut(..pairs.len())?.copy_from_slice(pairs);
        Some(arm)
    }

    /// The capsules.
    #[must_use]
    pub fn capsules(&self) -> &[LinkCapsule] {
        self.capsules.get(..usize::from(self.capsule_count)).unwrap_or(&[])
    }

    /// The pairs that are looked at.
    #[must_use]
    pub fn pairs(&self) -> &[CapsulePair] {
        self.pairs.get(..usize::from(self.pair_count)).unwrap_or(&[])
    }

    /// Every capsule where its link stands.
    ///
    /// # Real-time
    /// No allocation; one pass over the capsules.
    #[must_use]
    #[inline]
    pub fn posed(&self, links: &LinkPoses) -> PosedArm {
        let mut posed = PosedArm { capsules: [Capsule::NOWHERE; MAX_CAPSULES], count: self.capsule_count };
        let links = links.as_slice();
        for (slot, carried) in posed.capsules.iter_mut().zip(self.capsules()) {
            if let Some(link) = links.get(usize::from(carried.link)) {
                *slot = carried.capsule.posed(link);
            }
        }
        posed
    }

    /// The nearest of the pairs that are looked at; `None` when there are none, or the arm is not at finite places.
    ///
    /// # Real-time
    /// No allocation; one pass over the pairs.
    #[must_use]
    #[inline]
    pub fn nearest(&self, posed: &PosedArm) -> Option<Nearest> {
        let mut nearest: Option<Nearest> = None;
        for pair in self.pairs() {
            let (Some(one), Some(other)) =
                (posed.capsules.get(usize::from(pair.0)), posed.capsules.get(usize::from(pair.1)))
            else {
                continue;
            };
            let distance_m = one.distance_m(other);
            if nearest.is_none_or(|nearest| distance_m < nearest.distance_m) {
                nearest = Some(Nearest { distance_m, pair: *pair });
            }
        }
        nearest.filter(|nearest| nearest.distance_m.is_finite())
    }
}

/// The capsules of an arm in the base frame.
#[derive(Clone, Copy, Debug)]
pub struct PosedArm {
    capsules: [PosedCapsule; MAX_CAPSULES],
    count: u8,
}

impl PosedArm {
    /// The capsules, in the order of [`ArmCapsules::capsules`].
    #[must_use]
    pub fn as_slice(&self) -> &[PosedCapsule] {
        self.capsules.get(..usize::from(self.count)).unwrap_or(&[])
    }
}
