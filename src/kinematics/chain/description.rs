//! What a chain is made of, as it is described, and why it may not be one.

use nalgebra::{Unit, Vector3};

use crate::geometry::Pose;
use crate::joints::MAX_JOINTS;

/// What a joint does along or about its axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JointKind {
    /// Turns between two position limits, rad.
    Revolute,
    /// Turns without a position limit of its own, rad.
    Continuous,
    /// Slides, m.
    Prismatic,
}

impl JointKind {
    /// What a person reads and writes for one rad (degrees) or m (millimetres).
    #[must_use]
    pub const fn outside_per_unit(self) -> f64 {
        match self {
            Self::Revolute | Self::Continuous => 180.0 / std::f64::consts::PI,
            Self::Prismatic => 1e3,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn outside_unit(self) -> &'static str {
        match self {
            Self::Revolute | Self::Continuous => "°",
            Self::Prismatic => "mm",
        }
    }
}

/// One moving joint as it is described, fixed joints before it already folded into `origin`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChainJoint {
    /// Revolute, continuous or prismatic.
    pub kind: JointKind,
    /// Pose of the joint's child frame in the previous joint's child frame (base for the first) at q = 0.
    pub origin: Pose,
    /// Axis in the child frame; the joint turns about it or slides along it.
    pub axis: Unit<Vector3<f64>>,
}

/// A joint without a drive of its own: it stands at `multiplier` × (position of `joint`) + `offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mimic {
    /// Index of the joint that is followed, among the joints the chain is made of; itself with a drive.
    pub joint: usize,
    /// Ratio, in units of the two joints.
    pub multiplier: f64,
    /// Position where the followed joint stands at zero, rad or m.
    pub offset: f64,
}

/// Why joints do not make a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No joint at all.
    #[error("the chain has no moving joint")]
    NoJoint,
    /// More than [`MAX_JOINTS`].
    #[error("the chain has {count} moving joints, at most {MAX_JOINTS} are allowed")]
    TooManyJoints {
        /// How many there are.
        count: usize,
    },
    /// An origin has a value that is not a finite number. `joint` equal to the joint count: the flange.
    #[error("the origin of joint {joint} is not finite or its orientation is not of length one")]
    OriginNotValid {
        /// Index of the joint, from 0.
        joint: usize,
    },
    /// An axis is not a vector of length one.
    #[error("the axis of joint {joint} is not a vector of length one")]
    AxisNotUnit {
        /// Index of the joint, from 0.
        joint: usize,
    },
    /// A joint follows one that is not there, itself, or one that follows another.
    #[error("joint {joint} follows a joint that has no drive of its own, or by a number that is not finite")]
    MimicNotValid {
        /// Index of the joint, from 0.
        joint: usize,
    },
}
