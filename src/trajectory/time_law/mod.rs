//! The one-dimensional jerk-limited planner on the path parameter. Where the path goes and what the
//! ceilings are is decided elsewhere; here is only when.
//!
//! [`PathClock`] runs the parameter of one segment from 0 to its length. At full override it is the
//! time-optimal jerk-limited law. Override, hold and resume are other targets of the same planner: they
//! change the speed along the path, within the same ceilings of acceleration and jerk, and never the
//! geometry. A profile is computed when the target changes and only sampled otherwise.
//!
//! ```
//! use motiond::trajectory::Ceiling;
//! use motiond::trajectory::time_law::{PathClock, Target};
//! use motiond::units::Ratio;
//!
//! let ceiling = Ceiling { speed: 0.25, acceleration: 1.0, jerk: 10.0 };
//! let mut clock = PathClock::start(0.1, ceiling).ok_or("the ceilings are positive")?;
//! clock.set_target(Target::Run { override_ratio: Ratio::ONE });
//! while !clock.is_at_end() {
//!     let now = clock.step(0.001);
//!     assert!(now.s <= 0.1 && now.speed <= 0.25);
//! }
//! assert_eq!(clock.state().s, 0.1);
//! # Ok::<(), &str>(())
//! ```

mod optimum;
mod profile;
#[cfg(test)]
#[expect(clippy::disallowed_macros, clippy::disallowed_types, reason = "tests may allocate")]
mod tests;

use profile::{Profile, State};

use super::Ceiling;
use crate::units::Ratio;

/// A smaller override than this stands still: the end would not be reached within a lifetime.
pub const SMALLEST_OVERRIDE: f64 = 1e-6;

/// What the clock is asked to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// Go to the end.
    Run {
        /// Scales the ceiling of speed. Below [`SMALLEST_OVERRIDE`]: slow down to standstill and wait.
        override_ratio: Ratio,
    },
    /// Stop on the path as fast as the ceilings allow, and stay.
    Hold,
}

/// Where the clock is. Units: those of the path parameter, and seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PathState {
    /// Path parameter, in `0..=length`; never decreases.
    pub s: f64,
    /// ds/dt, ≥ 0.
    pub speed: f64,
    /// d²s/dt².
    pub acceleration: f64,
    /// d³s/dt³, piecewise constant.
    pub jerk: f64,
}

/// The clock of one segment: path parameter against time.
///
/// `Copy` and of fixed size; owned by whoever moves along the segment.
#[derive(Clone, Copy, Debug)]
pub struct PathClock {
    length: f64,
    ceiling: Ceiling,
    target: Target,
    profile: Profile,
    /// Phase of the profile the clock is in; the number of phases: past the end.
    phase: usize,
    /// Time since the start of that phase, s.
    time_in_phase: f64,
    state: PathState,
    fallbacks: u32,
}

impl PathClock {
    /// A clock standing at the start of a segment of `length` (in its unit), asked to [`Target::Hold`].
    ///
    /// `None` when `length` is negative or not finite, or a ceiling is not a positive finite number.
    #[must_use]
    pub fn start(length: f64, ceiling: Ceiling) -> Option<Self> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let valid = length.is_finite()
            && length >= 0.0
            && positive(ceiling.speed)
            && positive(ceiling.acceleration)
            && positive(ceiling.jerk);
        valid.then(|| Self {
            length,
            ceiling,
            target: Target::Hold,
            profile: Profile::standing_at(State::default()),
            phase: 0,
            time_in_phase: 0.0,
            state: PathState::default(),
            fallbacks: 0,
        })
    }

    /// Where the clock is.
    #[must_use]
    pub const fn state(&self) -> PathState {
        self.state
    }

    /// Length of the segment.
    #[must_use]
    pub const fn length(&self) -> f64 {
        self.length
    }

    /// What was asked last.
    #[must_use]
    pub const fn target(&self) -> Target {
        self.target
    }

    /// True at the end of the segment, standing.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.state.s >= self.length && self.is_standing()
    }

    /// True when speed and acceleration are zero; also at the start, on a hold, at override zero and at
    /// the end.
    #[must_use]
    pub fn is_standing(&self) -> bool {
        self.phase >= self.profile.phases().len() && self.state.speed <= 0.0
    }

    /// How often the optimal solver found no usable profile and the halving one was taken instead. Zero
    /// in ordinary life; to be shown among the counters.
    #[must_use]
    pub const fn fallbacks(&self) -> u32 {
        self.fallbacks
    }

    /// Time until the present target is reached (end or standstill), s.
    #[must_use]
    pub fn remaining(&self) -> f64 {
        let ahead: f64 = self.profile.phases().iter().skip(self.phase).map(|phase| phase.duration).sum();
        (ahead - self.time_in_phase).max(0.0)
    }

    /// Changes what the clock is asked to do, from the present state on: parameter, speed and
    /// acceleration are continuous. Asking the same again costs nothing.
    ///
    /// While the speed is above a lowered ceiling it only falls (after the present acceleration is taken
    /// away within the jerk ceiling).
    /// # Real-time
    /// No allocation; at most one solver call and 60 halvings, below 10 µs.
    pub fn set_target(&mut self, target: Target) {
        if target == self.target {
            return;
        }
        self.target = target;
        let from = State {
            s: self.state.s,
            v: self.state.speed,
            a: self.state.acceleration.clamp(-self.ceiling.acceleration, self.ceiling.acceleration),
        };
        self.profile = match target {
            Target::Run { override_ratio } if override_ratio.get() >= SMALLEST_OVERRIDE => {
                self.run_profile(from, self.ceiling.speed * override_ratio.get())
            }
            Target::Run { .. } | Target::Hold => self.stop_profile(from),
        };
        self.phase = 0;
        self.time_in_phase = 0.0;
    }

    /// Goes on by `dt_s` seconds (≥ 0; anything else counts as 0) and says where the clock then is.
    /// # Real-time
    /// No allocation; at most seven phases are passed.
    pub fn step(&mut self, dt_s: f64) -> PathState {
        // `max` drops a NaN.
        self.time_in_phase += dt_s.max(0.0);
        let phases = self.profile.phases();
        while let Some(phase) = phases.get(self.phase)
            && self.time_in_phase >= phase.duration
        {
            self.time_in_phase -= phase.duration;
            self.phase += 1;
        }
        let (reached, jerk) = if let Some(phase) = phases.get(self.phase) {
            (phase.start.after(self.time_in_phase, phase.jerk), phase.jerk)
        } else {
            self.time_in_phase = 0.0;
            (self.profile.end(), 0.0)
        };
        // Rounding must not move the arm backwards or past the end.
        self.state = PathState {
            s: reached.s.max(self.state.s).min(self.length),
            speed: reached.v.max(0.0),
            acceleration: reached.a,
            jerk,
        };
        self.state
    }

    /// The profile to the end with at most `speed`.
    fn run_profile(&mut self, from: State, speed: f64) -> Profile {
        let length = self.length;
        if length <= from.s {
            return Profile::standing_at(State { s: length, v: 0.0, a: 0.0 });
        }
        if optimum::end_through(from, speed, &self.ceiling) <= length {
            return optimum::cruising(from, length, speed, &self.ceiling);
        }
        // The speed is not reached. Already on the last stop (but for rounding): leave it alone.
        let shortest = optimum::end_through(from, 0.0, &self.ceiling);
        if length - shortest <= 1e-14 * length {
            return self.stop_profile(from).ending_at(length);
        }
        // Faster than the (lowered) ceiling: the optimum might speed up once more before it brakes, or
        // dip below and rise again. Only fall instead.
        if from.released(&self.ceiling) > speed {
            return optimum::bisected(from, length, speed, &self.ceiling);
        }
        optimum::solved(from, length, &self.ceiling).unwrap_or_else(|| {
            self.fallbacks = self.fallbacks.saturating_add(1);
            optimum::bisected(from, length, speed, &self.ceiling)
        })
    }

    /// The fastest stop.
    fn stop_profile(&self, from: State) -> Profile {
        let mut profile = Profile::standing_at(from);
        profile.push_change(0.0, &self.ceiling);
        let end = profile.end().s.max(from.s).min(self.length);
        profile.ending_at(end)
    }
}

/// Time from standstill at 0 to standstill at `length`, s, at full override. Zero for no length; `None`
/// as for [`PathClock::start`].
#[must_use]
pub fn duration(length: f64, ceiling: Ceiling) -> Option<f64> {
    let mut clock = PathClock::start(length, ceiling)?;
    clock.set_target(Target::Run { override_ratio: Ratio::ONE });
    Some(clock.remaining())
}
