//! The one-dimensional jerk-limited planner on the path parameter. Where the path goes and what the
//! ceilings are is decided elsewhere; here is only when.
//!
//! [`PathClock`] runs the parameter along a path made of [`Stretch`]es, each with its own ceilings. It passes
//! from one to the next without standing, at the largest speed from which it can keep what lies ahead and
//! with no acceleration, and always can stop inside the stretches it knows: more can be added at any time
//! and nothing is ever revoked. Override, hold and resume are other targets of the same planner: they change
//! the speed along the path, within the same ceilings of acceleration and jerk, and never the geometry. A
//! profile is computed when the target or what is known changes and only sampled otherwise.
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
#[cfg(test)]
#[expect(clippy::disallowed_macros, clippy::disallowed_types, reason = "tests may allocate")]
mod path_tests;
mod profile;
mod stretches;
#[cfg(test)]
#[expect(clippy::disallowed_macros, clippy::disallowed_types, reason = "tests may allocate")]
mod tests;

pub use stretches::{STRETCHES_MAX, Stretch};

use profile::{Profile, State};
use stretches::{Group, Stretches};

use super::Ceiling;
use crate::units::Ratio;

/// A smaller override than this stands still: the end would not be reached within a lifetime.
pub const SMALLEST_OVERRIDE: f64 = 1e-6;

/// What the clock is asked to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// Go to the end of what is known.
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
    /// Path parameter on the present stretch, in `0..=length`; never decreases on it.
    pub s: f64,
    /// ds/dt, ≥ 0.
    pub speed: f64,
    /// d²s/dt².
    pub acceleration: f64,
    /// d³s/dt³, piecewise constant.
    pub jerk: f64,
}

/// The clock of a path: its parameter against time.
///
/// `Copy` and of fixed size; owned by whoever moves along the path.
#[derive(Clone, Copy, Debug)]
pub struct PathClock {
    ahead: Stretches,
    /// Stretches left behind.
    passed: usize,
    /// Where the present stretch begins, counted as the profile does: from the start of its group.
    origin: f64,
    group: Group,
    target: Target,
    profile: Profile,
    /// Phase of the profile the clock is in; the number of phases: past the end.
    phase: usize,
    /// Time since the start of that phase, s.
    time_in_phase: f64,
    /// Counted from the start of the group.
    at: PathState,
    fallbacks: u32,
}

impl PathClock {
    /// A clock standing at the start of a path of `length` (in its unit), asked to [`Target::Hold`].
    ///
    /// `None` when `length` is negative or not finite, or a ceiling is not a positive finite number.
    #[must_use]
    pub fn start(length: f64, ceiling: Ceiling) -> Option<Self> {
        let stretch = Stretch { length, ceiling, rate: 1.0 };
        let ahead = Stretches::only(stretch);
        stretch.is_valid().then(|| Self {
            ahead,
            passed: 0,
            origin: 0.0,
            group: ahead.group(0.0),
            target: Target::Hold,
            profile: Profile::standing_at(State::default()),
            phase: 0,
            time_in_phase: 0.0,
            at: PathState::default(),
            fallbacks: 0,
        })
    }

    /// Adds a stretch behind the last. False, and nothing changes: there is no room, or a number in it is
    /// not usable.
    /// # Real-time
    /// No allocation; below 20 µs.
    pub fn push(&mut self, stretch: Stretch) -> bool {
        let taken = stretch.is_valid() && self.ahead.push(stretch);
        if taken {
            self.renew();
        }
        taken
    }

    /// Lets the last stretch end at `length` and go on with `more`. False, and nothing changes: the clock is
    /// past that place or too fast for what follows, there is no room, or a number is not usable.
    /// # Real-time
    /// No allocation; below 20 µs.
    pub fn branch_off(&mut self, length: f64, more: &[Stretch]) -> bool {
        let mut other = *self;
        other.ahead.set_last_length(length);
        let taken = length.is_finite()
            && length >= 0.0
            && more.iter().all(|stretch| stretch.is_valid() && other.ahead.push(*stretch));
        if !taken {
            return false;
        }
        other.group = other.ahead.group(other.origin);
        let fits = other.is_on_time();
        if fits {
            other.replan();
            *self = other;
        }
        fits
    }

    /// True when what lies behind the group can be kept from the present state.
    fn is_on_time(&self) -> bool {
        let ceiling = self.ceiling();
        let from = self.from(&ceiling);
        let exit = self.kept_exit(from, &ceiling);
        from.s <= self.group.end && optimum::end_of_change(from, exit, &ceiling) <= self.group.end
    }

    /// An exit that can be reached before the end of the group: the one that is asked least of, or standstill.
    /// From more than three times a speed down to it takes a longer way than down to standstill, because the
    /// deceleration must be taken away earlier; in between the way is longer than at one of the ends.
    fn kept_exit(&self, from: State, ceiling: &Ceiling) -> f64 {
        let exit = from.released(ceiling).clamp(0.0, self.group.exit_max);
        let way = |exit| optimum::end_of_change(from, exit, ceiling);
        if way(exit) > self.group.end && way(0.0) < way(exit) { 0.0 } else { exit }
    }

    /// Stretches that were left behind since the start: the number of the present one, from 0.
    #[must_use]
    pub const fn passed(&self) -> usize {
        self.passed
    }

    /// Stretches that are known, the present one included.
    #[must_use]
    pub const fn known(&self) -> usize {
        self.ahead.len()
    }

    /// Where the clock is, on the present stretch.
    #[must_use]
    pub fn state(&self) -> PathState {
        let length = self.length();
        let s = if self.at.s >= self.origin + length { length } else { (self.at.s - self.origin).max(0.0) };
        PathState { s, ..self.at }
    }

    /// Length of the present stretch.
    #[must_use]
    pub fn length(&self) -> f64 {
        self.ahead.get(0).map_or(0.0, |stretch| stretch.length)
    }

    /// Ceilings of the present stretch.
    #[must_use]
    pub fn ceiling(&self) -> Ceiling {
        let none = Ceiling { speed: 1.0, acceleration: 1.0, jerk: 1.0 };
        self.ahead.get(0).map_or(none, |stretch| stretch.ceiling)
    }

    /// What was asked last.
    #[must_use]
    pub const fn target(&self) -> Target {
        self.target
    }

    /// True at the end of the last stretch that is known, standing.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.group.count == self.ahead.len() && self.at.s >= self.group.end && self.is_standing()
    }

    /// True when speed and acceleration are zero; also at the start, on a hold, at override zero and at
    /// the end.
    #[must_use]
    pub fn is_standing(&self) -> bool {
        self.phase >= self.profile.phases().len() && self.at.speed <= 0.0
    }

    /// How often the optimal solver found no usable profile and the halving one was taken instead. Zero
    /// in ordinary life; to be shown among the counters.
    #[must_use]
    pub const fn fallbacks(&self) -> u32 {
        self.fallbacks
    }

    /// Time until the present target is reached (standstill), or until the ceilings change, s.
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
        if target != self.target {
            self.target = target;
            self.replan();
        }
    }

    /// Goes on by `dt_s` seconds (≥ 0; anything else counts as 0) and says where the clock then is.
    /// # Real-time
    /// No allocation; at most seven phases of each known stretch are passed.
    pub fn step(&mut self, dt_s: f64) -> PathState {
        // `max` drops a NaN.
        self.time_in_phase += dt_s.max(0.0);
        for _ in 0..=STRETCHES_MAX {
            while let Some(phase) = self.profile.phases().get(self.phase)
                && self.time_in_phase >= phase.duration
            {
                self.time_in_phase -= phase.duration;
                self.phase += 1;
            }
            let end = self.profile.end();
            // Too late to enter it with any speed the next group begins from standstill.
            let goes_on = end.s >= self.group.end && (end.v > 0.0 || self.speed_share() > 0.0);
            if self.phase < self.profile.phases().len() || !goes_on || !self.has_more() {
                break;
            }
            let late = self.time_in_phase;
            self.enter_next_group(end.v);
            self.replan();
            self.time_in_phase = late;
        }
        let (reached, jerk) = if let Some(phase) = self.profile.phases().get(self.phase) {
            (phase.start.after(self.time_in_phase, phase.jerk), phase.jerk)
        } else {
            self.time_in_phase = 0.0;
            (self.profile.end(), 0.0)
        };
        // Rounding must not move the arm backwards or past the end.
        self.at = PathState {
            s: reached.s.max(self.at.s).min(self.group.end),
            speed: reached.v.max(0.0),
            acceleration: reached.a,
            jerk,
        };
        while self.group.count > 1 && self.at.s >= self.origin + self.length() {
            self.origin += self.length();
            self.passed += 1;
            self.group.count -= 1;
            self.ahead.drop_first(1);
        }
        self.state()
    }

    /// Goes on to the end of the present stretch, or to where the clock stands if that is nearer; says how
    /// long that takes, s. For planning.
    pub fn run_through(&mut self) -> f64 {
        let end = self.origin + self.length();
        let mut left = 0.0;
        for (index, phase) in self.profile.phases().iter().enumerate().skip(self.phase) {
            let since = if index == self.phase { self.time_in_phase } else { 0.0 };
            if phase.start.after(phase.duration, phase.jerk).s >= end && self.group.count > 1 {
                let (mut low, mut high) = (since, phase.duration);
                for _ in 0..60 {
                    let middle = 0.5 * (low + high);
                    if phase.start.after(middle, phase.jerk).s < end {
                        low = middle;
                    } else {
                        high = middle;
                    }
                }
                left += high - since;
                break;
            }
            left += phase.duration - since;
        }
        let number = self.passed;
        self.step(left);
        // Rounding of the sum of times.
        for _ in 0..8 {
            if self.passed > number || self.is_standing() {
                break;
            }
            let more = 1e-12 * left.max(1e-3);
            left += more;
            self.step(more);
        }
        left
    }

    /// True when a group follows the present one.
    const fn has_more(&self) -> bool {
        self.group.count < self.ahead.len()
    }

    /// Where a new profile begins.
    fn from(&self, ceiling: &Ceiling) -> State {
        let most = ceiling.acceleration;
        State { s: self.at.s, v: self.at.speed, a: self.at.acceleration.clamp(-most, most) }
    }

    /// Leaves the group at its end, at `speed` in its parameter.
    fn enter_next_group(&mut self, speed: f64) {
        self.passed += self.group.count;
        self.ahead.drop_first(self.group.count);
        self.origin = 0.0;
        let rate = self.ahead.get(0).map_or(1.0, |stretch| stretch.rate);
        self.at = PathState { s: 0.0, speed: speed * rate, acceleration: 0.0, jerk: 0.0 };
        self.group = self.ahead.group(0.0);
    }

    /// Looks at the stretches again and makes a new profile if they say something new.
    fn renew(&mut self) {
        let group = self.ahead.group(self.origin);
        if group != self.group {
            self.group = group;
            self.replan();
        }
    }

    /// Share of the ceilings of speed that is asked for.
    const fn speed_share(&self) -> f64 {
        match self.target {
            Target::Run { override_ratio } if override_ratio.get() >= SMALLEST_OVERRIDE => {
                override_ratio.get()
            }
            Target::Run { .. } | Target::Hold => 0.0,
        }
    }

    /// A new profile from the present state.
    fn replan(&mut self) {
        let speed = self.speed_share();
        // Standing at the end of a group the next one begins.
        for _ in 0..STRETCHES_MAX {
            let stands = self.at.speed <= 0.0 && self.at.acceleration.abs() <= 0.0;
            if !(speed > 0.0 && stands && self.at.s >= self.group.end && self.has_more()) {
                break;
            }
            self.enter_next_group(0.0);
        }
        let ceiling = self.ceiling();
        let from = self.from(&ceiling);
        self.profile = if speed > 0.0 {
            let exit = self.group.exit_max.min(speed * ceiling.speed.min(self.group.speed_behind));
            self.run_profile(from, speed * ceiling.speed, exit, &ceiling)
        } else {
            self.stop_profile(from, &ceiling)
        };
        self.phase = 0;
        self.time_in_phase = 0.0;
    }

    /// The profile to the end of the group with at most `speed`, leaving it with `exit` if possible.
    fn run_profile(&mut self, from: State, speed: f64, exit: f64, ceiling: &Ceiling) -> Profile {
        let end = self.group.end;
        if end <= from.s {
            let exit = from.v.min(self.group.exit_max);
            return Profile::standing_at(State { s: end, v: exit, a: 0.0 });
        }
        if optimum::end_through(from, speed, exit, ceiling) <= end {
            return optimum::cruising(from, end, speed, exit, ceiling);
        }
        // The speed is not reached. Already on the last change (but for rounding): leave it alone.
        let shortest = optimum::end_of_change(from, exit, ceiling);
        if shortest > end * (1.0 - 1e-14) {
            return self.late_profile(from, exit, ceiling);
        }
        // Faster than the (lowered) ceiling: the optimum might speed up once more before it brakes, or
        // dip below and rise again. Only fall instead.
        if from.released(ceiling) > speed {
            return optimum::bisected(from, end, speed, exit, ceiling);
        }
        optimum::solved(from, end, exit, ceiling).unwrap_or_else(|| {
            self.fallbacks = self.fallbacks.saturating_add(1);
            optimum::bisected(from, end, speed, exit, ceiling)
        })
    }

    /// The profile to the end of the group when a change to `exit` does not fit: leaves it as near to that as
    /// possible, slower when there is no way left to speed up, faster (but not too fast for what follows) when
    /// there is none left to slow down.
    fn late_profile(&self, from: State, exit: f64, ceiling: &Ceiling) -> Profile {
        let end = self.group.end;
        let kept = self.kept_exit(from, ceiling);
        let exit = optimum::nearest_exit(from, end, kept, exit, ceiling);
        let mut profile = Profile::standing_at(from);
        profile.push_change(exit, ceiling);
        profile.ending_at(end, exit)
    }

    /// The fastest stop.
    fn stop_profile(&self, from: State, ceiling: &Ceiling) -> Profile {
        let mut profile = Profile::standing_at(from);
        profile.push_change(0.0, ceiling);
        let stop = profile.end().s;
        if stop > self.group.end && self.has_more() {
            return self.late_profile(from, 0.0, ceiling);
        }
        profile.ending_at(stop.max(from.s).min(self.group.end), 0.0)
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

/// Time over `length` at full override, entered at `entry` and left at `exit` (both cut to the ceiling of
/// speed), s. What cannot be reached of `exit` counts with the time it takes at the ceiling of acceleration.
/// `None` as for [`PathClock::start`].
#[must_use]
pub fn duration_between(length: f64, ceiling: Ceiling, entry: f64, exit: f64) -> Option<f64> {
    let mut clock = PathClock::start(length, ceiling)?;
    clock.at.speed = entry.min(ceiling.speed);
    let exit = exit.min(ceiling.speed);
    clock.group.exit_max = exit;
    clock.set_target(Target::Run { override_ratio: Ratio::ONE });
    Some(clock.remaining() + (exit - clock.profile.end().v).max(0.0) / ceiling.acceleration)
}
