//! Straight line in joint space: all joints start and end together.

use super::{ZERO_LENGTH, fraction};
use crate::joints::JointVector;

/// A straight line in joint space. The parameter is the distance of the joint that moves most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointPath {
    start: JointVector,
    displacement: JointVector,
    length: f64,
}

impl JointPath {
    /// The line from `start` to `end` (rad or m; both for the same arm).
    #[must_use]
    pub fn new(start: JointVector, end: JointVector) -> Self {
        let displacement = end - start;
        let distance = displacement.max_abs();
        Self { start, displacement, length: if distance > ZERO_LENGTH { distance } else { 0.0 } }
    }

    /// Distance of the joint that moves most, rad or m.
    #[must_use]
    pub const fn length(&self) -> f64 {
        self.length
    }

    /// Joint positions at `s`, clamped to `0..=length`.
    #[must_use]
    pub fn sample(&self, s: f64) -> JointVector {
        self.start + self.displacement * fraction(s, self.length)
    }

    /// dq/ds: every entry in `-1.0..=1.0`, the largest magnitude is 1; zero for a path without length.
    #[must_use]
    pub fn direction(&self) -> JointVector {
        if self.length > 0.0 { self.displacement * self.length.recip() } else { self.displacement * 0.0 }
    }
}
