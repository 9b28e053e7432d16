//! From the shapes of a robot model to the capsules of `collision`: what is fitted around what, and which pairs
//! of capsules can meet. Made once at start; the distances themselves are computed by `collision`.

mod fit;
#[cfg(test)]
mod tests;

use super::kinematic_model::{KinematicModel, ShapeUse};
use crate::collision::{ArmCapsules, Capsule, CapsulePair, LinkCapsule, MAX_CAPSULES, MAX_PAIRS};
use crate::joints::JointVector;
use crate::kinematics::JointKind;

/// Poses that are tried to find out which pairs can meet.
pub const POSES_TRIED: u32 = 20_000;
/// A pair that stays further apart than this in all of them is not looked at, m.
pub const NEVER_NEAR_M: f64 = 0.1;
/// A pair inside each other in more than this share of them belongs together: the capsules are wider than the arm.
const ALWAYS_SHARE: f64 = 0.95;

/// Capsules of an arm with its tool, and their names.
#[derive(Clone, Debug, PartialEq)]
pub struct CollisionModel {
    /// What is computed with.
    pub arm: ArmCapsules,
    /// Name of the link, or `tool`, of each capsule.
    pub names: Vec<String>,
    /// Pairs of links that are not looked at, and why.
    pub left_out: Vec<LeftOut>,
}

/// A pair of links that is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The two links.
    pub links: [String; 2],
    /// Why.
    pub reason: LeftOutReason,
}

/// Why a pair is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOutReason {
    /// A joint holds them together.
    Adjacent,
    /// Inside each other in nearly every pose.
    AlwaysTouching,
    /// Further apart than [`NEVER_NEAR_M`] in every pose that was tried.
    NeverNear,
    /// The cell says so.
    Allowed,
}

/// Why an arm cannot be made of capsules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollisionModelError {
    /// Fewer than two links have a shape that is a box, cylinder, capsule or sphere.
    #[error(
        "{links_with_shape} links have simple shapes (box, cylinder, capsule, sphere; meshes are not opened); \
         distances need two"
    )]
    NoShapes {
        /// How many have one.
        links_with_shape: usize,
    },
    /// More than the fixed-size tables hold.
    #[error("{capsules} capsules and {pairs} pairs; at most {MAX_CAPSULES} and {MAX_PAIRS}")]
    TooMany {
        /// Capsules needed.
        capsules: usize,
        /// Pairs needed.
        pairs: usize,
    },
}

/// The capsules of `model` with `tool` (in the flange frame), without the pairs of links named in `allowed`.
///
/// Collision shapes of a link are taken, where it has none the visual ones. Which pairs can meet is found by
/// trying [`POSES_TRIED`] poses within the joint limits, always the same ones.
/// # Errors
/// [`CollisionModelError`]
pub fn collision_model(
    model: &KinematicModel,
    tool: &[Capsule],
    allowed: &[[String; 2]],
) -> Result<CollisionModel, CollisionModelError> {
    let (capsules, names) = capsules_of(model, tool);
    let mut links: Vec<u8> = capsules.iter().map(|capsule| capsule.link).collect();
    links.dedup();
    if links.len() < 2 {
        return Err(CollisionModelError::NoShapes { links_with_shape: links.len() });
    }
    let mut left_out = Vec::new();
    let mut candidates = Vec::new();
    for (first, one) in capsules.iter().enumerate() {
        for (second, other) in capsules.iter().enumerate().skip(first + 1) {
            let reason = if one.link == other.link {
                continue;
            } else if other.link.abs_diff(one.link) == 1 {
                Some(LeftOutReason::Adjacent)
            } else if is_allowed(allowed, &names[first], &names[second]) {
                Some(LeftOutReason::Allowed)
            } else {
                None
            };
            match (reason, u8::try_from(first), u8::try_from(second)) {
                (None, Ok(first), Ok(second)) => candidates.push(CapsulePair(first, second)),
                (Some(reason), _, _) => leave_out(&mut left_out, &names, first, second, reason),
                (None, _, _) => {}
            }
        }
    }
    let too_many = CollisionModelError::TooMany { capsules: capsules.len(), pairs: candidates.len() };
    let all = ArmCapsules::new(&capsules, &candidates).ok_or(too_many)?;
    let mut pairs = Vec::new();
    for (pair, reason) in candidates.into_iter().zip(tried(model, &all)) {
        match reason {
            None => pairs.push(pair),
            Some(reason) => {
                leave_out(&mut left_out, &names, usize::from(pair.0), usize::from(pair.1), reason);
            }
        }
    }
    left_out.retain(|entry| {
        entry.reason == LeftOutReason::Allowed
            || !pairs.iter().any(|pair| {
                names.get(usize::from(pair.0)) == Some(&entry.links[0])
                    && names.get(usize::from(pair.1)) == Some(&entry.links[1])
            })
    });
    let arm = ArmCapsules::new(&capsules, &pairs).ok_or(too_many)?;
    Ok(CollisionModel { arm, names, left_out })
}

fn is_allowed(allowed: &[[String; 2]], one: &str, other: &str) -> bool {
    allowed.iter().any(|[a, b]| (a == one && b == other) || (a == other && b == one))
}

fn leave_out(list: &mut Vec<LeftOut>, names: &[String], first: usize, second: usize, reason: LeftOutReason) {
    let entry = LeftOut { links: [names[first].clone(), names[second].clone()], reason };
    if !list.contains(&entry) {
        list.push(entry);
    }
}

/// Capsules around the shapes of each link, and around the tool, with the names of their links.
fn capsules_of(model: &KinematicModel, tool: &[Capsule]) -> (Vec<LinkCapsule>, Vec<String>) {
    let (mut capsules, mut names) = (Vec::new(), Vec::new());
    for (index, link) in model.links.iter().enumerate() {
        let number = u8::try_from(index).unwrap_or(u8::MAX);
        let has_collision = link.shapes.iter().any(|shape| shape.shape_use == ShapeUse::Collision);
        let wanted = if has_collision { ShapeUse::Collision } else { ShapeUse::Visual };
        let shapes: Vec<_> = link.shapes.iter().filter(|shape| shape.shape_use == wanted).collect();
        for capsule in fit::capsules_around(&shapes) {
            capsules.push(LinkCapsule { link: number, capsule });
            names.push(model.link_name(index));
        }
    }
    let last = model.chain.joint_count();
    let at_zero = model.chain.link_poses(&JointVector::zeros(last));
    if let [.., link, flange] = at_zero.as_slice() {
        let x_link_flange = link.inverse() * flange;
        let moved = |point| (x_link_flange * nalgebra::Point3::from(point)).coords;
        for capsule in tool {
            let capsule = Capsule { start: moved(capsule.start), end: moved(capsule.end), ..*capsule };
            capsules.push(LinkCapsule { link: u8::try_from(last).unwrap_or(u8::MAX), capsule });
            names.push("tool".to_owned());
        }
    }
    (capsules, names)
}

/// For each pair of `arm`: why it need not be looked at, if it need not.
fn tried(model: &KinematicModel, arm: &ArmCapsules) -> Vec<Option<LeftOutReason>> {
    let mut touching = vec![0_u32; arm.pairs().len()];
    let mut nearest = vec![f64::INFINITY; arm.pairs().len()];
    for index in 0..POSES_TRIED {
        let posed = arm.posed(&model.chain.link_poses(&spread_joints(model, index)));
        let capsules = posed.as_slice();
        for ((pair, touching), nearest) in arm.pairs().iter().zip(&mut touching).zip(&mut nearest) {
            let distance = capsules[usize::from(pair.0)].distance_m(&capsules[usize::from(pair.1)]);
            *touching += u32::from(distance <= 0.0);
            *nearest = nearest.min(distance);
        }
    }
    let reason = |(touching, nearest): (u32, f64)| {
        if f64::from(touching) > ALWAYS_SHARE * f64::from(POSES_TRIED) {
            Some(LeftOutReason::AlwaysTouching)
        } else if nearest > NEVER_NEAR_M {
            Some(LeftOutReason::NeverNear)
        } else {
            None
        }
    };
    touching.into_iter().zip(nearest).map(reason).collect()
}

/// Joint positions number `index` of a sequence that fills the joint ranges evenly: always the same.
///
/// A joint that turns more than once counts with one turn about the middle of its range. Each joint steps by the
/// fractional part of the square root of a prime; with whole numbers between, these are independent (Weyl 1916).
#[must_use]
pub fn spread_joints(model: &KinematicModel, index: u32) -> JointVector {
    const PRIMES: [f64; 12] = [2.0, 3.0, 5.0, 7.0, 11.0, 13.0, 17.0, 19.0, 23.0, 29.0, 31.0, 37.0];
    use std::f64::consts::PI;
    let limits = model.limits.as_slice();
    JointVector::from_fn(limits.len(), |joint| {
        let (mut low, mut high) = (limits[joint].position_min, limits[joint].position_max);
        if model.chain.joint_kind(joint) != Some(JointKind::Prismatic) && high - low > 2.0 * PI {
            let middle = 0.5 * (low + high);
            (low, high) = (middle - PI, middle + PI);
        }
        let share = (f64::from(index + 1) * PRIMES[joint].sqrt()).fract();
        low + share * (high - low)
    })
}
