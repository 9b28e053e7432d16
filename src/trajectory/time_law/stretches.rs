//! The stretches of path ahead of a clock, and how fast each may be entered so that all behind it can be kept.

use super::profile::largest_entry;
use crate::trajectory::Ceiling;

/// Stretches a clock looks at, at most.
pub const STRETCHES_MAX: usize = 64;

/// Parts of a speed that rounding must not use up.
const ROUNDING: f64 = 1e-12;

/// A part of a path with constant ceilings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// How far the parameter runs on it, ≥ 0, in its unit.
    pub length: f64,
    /// Limits along the parameter.
    pub ceiling: Ceiling,
    /// Speed of this parameter over that of the stretch before where they meet, > 0: 1 if both have the same
    /// unit.
    pub rate: f64,
}

impl Stretch {
    /// True when all numbers are finite and positive (the length may be zero).
    pub(super) fn is_valid(&self) -> bool {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let Ceiling { speed, acceleration, jerk } = self.ceiling;
        self.length.is_finite()
            && self.length >= 0.0
            && [speed, acceleration, jerk, self.rate].into_iter().all(positive)
    }

    /// True when the clock need not know where `before` ends and this one begins.
    fn goes_on_like(&self, before: &Self) -> bool {
        self.ceiling == before.ceiling && (self.rate - 1.0).abs() <= 0.0
    }
}

/// What the clock must know of the stretches that share the ceilings of the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Group {
    /// How many.
    pub(super) count: usize,
    /// Parameter of their end, counted as the profile does.
    pub(super) end: f64,
    /// Largest speed there from which everything behind can be kept; 0 where nothing follows.
    pub(super) exit_max: f64,
    /// Ceiling of speed behind it, in the parameter of the group; infinite where nothing follows.
    pub(super) speed_behind: f64,
}

/// A queue of stretches, the present one first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretches {
    ring: [Stretch; STRETCHES_MAX],
    first: usize,
    count: usize,
}

impl Stretches {
    pub(super) const fn only(stretch: Stretch) -> Self {
        Self { ring: [stretch; STRETCHES_MAX], first: 0, count: 1 }
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) fn get(&self, index: usize) -> Option<&Stretch> {
        (index < self.count).then(|| self.ring.get((self.first + index) % STRETCHES_MAX)).flatten()
    }

    /// Adds a stretch; false when there is no room.
    pub(super) fn push(&mut self, stretch: Stretch) -> bool {
        let has_room = self.count < STRETCHES_MAX;
        if has_room && let Some(slot) = self.ring.get_mut((self.first + self.count) % STRETCHES_MAX) {
            *slot = stretch;
            self.count += 1;
        }
        has_room
    }

    /// Drops the first stretches, never the last one.
    pub(super) fn drop_first(&mut self, count: usize) {
        let count = count.min(self.count.saturating_sub(1));
        self.first = (self.first + count) % STRETCHES_MAX;
        self.count -= count;
    }

    /// Changes the length of the last stretch.
    pub(super) fn set_last_length(&mut self, length: f64) {
        let last = self.count.saturating_sub(1);
        if let Some(slot) = self.ring.get_mut((self.first + last) % STRETCHES_MAX) {
            slot.length = length;
        }
    }

    /// The group of the first stretch, which begins at `origin`.
    /// # Real-time
    /// No allocation; one step for each stretch, about 0.1 µs.
    pub(super) fn group(&self, origin: f64) -> Group {
        let mut limit = 0.0;
        let mut length = 0.0;
        let mut speed_behind = f64::INFINITY;
        let mut index = self.count;
        // From the last group to the second.
        while index > 1 {
            index -= 1;
            let (Some(stretch), Some(before)) = (self.get(index), self.get(index - 1)) else { break };
            length += stretch.length;
            if stretch.goes_on_like(before) {
                continue;
            }
            let entry = largest_entry(limit, length, &stretch.ceiling).min(stretch.ceiling.speed);
            speed_behind = stretch.ceiling.speed / stretch.rate;
            limit = (entry * (1.0 - ROUNDING) / stretch.rate).min(before.ceiling.speed);
            length = 0.0;
        }
        let mut end = origin;
        let mut count = 0;
        while let Some(stretch) = self.get(count)
            && (count == 0 || self.get(count - 1).is_some_and(|before| stretch.goes_on_like(before)))
        {
            end += stretch.length;
            count += 1;
        }
        if count == self.count {
            (limit, speed_behind) = (0.0, f64::INFINITY);
        }
        Group { count, end, exit_max: limit, speed_behind }
    }
}
