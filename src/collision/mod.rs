//! Distances of an arm from itself and from areas of the cell, fast enough for every cycle: links and tools as
//! capsules in fixed-size tables. Pure mathematics; how capsules are fitted around shapes and which pairs are
//! looked at is decided once, in `config::collision_model`.

#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros))]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod area;
mod arm;
mod capsule;
mod guard;

pub use area::{Area, AreaForm, AreaKind};
pub use arm::{ArmCapsules, CapsulePair, LinkCapsule, MAX_CAPSULES, MAX_PAIRS, Nearest, PosedArm};
pub use capsule::{Capsule, PosedCapsule};
pub use guard::{AreaSubject, Clearance, Guard, GuardedArea, MAX_AREAS, Meeting};
