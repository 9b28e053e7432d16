//! Profiles of piecewise constant jerk on the path parameter: how they are sampled, and the closed-form
//! change of speed they are made of, forwards and backwards.

use crate::trajectory::Ceiling;

/// Phases a profile has at most: a change of speed (3), a cruise (1), a stop (3).
pub(super) const MAX_PHASES: usize = 7;

/// Parameter, speed, acceleration.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct State {
    pub(super) s: f64,
    pub(super) v: f64,
    pub(super) a: f64,
}

impl State {
    /// The state after `t` seconds at constant `jerk`.
    pub(super) fn after(self, t: f64, jerk: f64) -> Self {
        Self {
            s: self.s + t * (self.v + t * (self.a / 2.0 + t * jerk / 6.0)),
            v: self.v + t * (self.a + t * jerk / 2.0),
            a: self.a + t * jerk,
        }
    }
}

impl State {
    /// Speed when the acceleration is taken away as fast as the jerk ceiling allows.
    pub(super) fn released(self, ceiling: &Ceiling) -> f64 {
        self.v + self.a * self.a.abs() / (2.0 * ceiling.jerk)
    }
}

/// A time with constant jerk.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Phase {
    pub(super) duration: f64,
    pub(super) jerk: f64,
    pub(super) start: State,
}

/// Phases one after the other, then standstill at `end`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Profile {
    phases: [Phase; MAX_PHASES],
    count: usize,
    end: State,
}

impl Profile {
    /// No phase: stands at `state`.
    pub(super) const fn standing_at(state: State) -> Self {
        let none = Phase { duration: 0.0, jerk: 0.0, start: State { s: 0.0, v: 0.0, a: 0.0 } };
        Self { phases: [none; MAX_PHASES], count: 0, end: state }
    }

    /// Adds a phase of `duration` seconds at the end; nothing when it is not positive or the profile is
    /// full.
    pub(super) fn push(&mut self, duration: f64, jerk: f64) {
        if duration > 0.0
            && let Some(slot) = self.phases.get_mut(self.count)
        {
            *slot = Phase { duration, jerk, start: self.end };
            self.count += 1;
            self.end = self.end.after(duration, jerk);
        }
    }

    /// Adds the fastest change from the end of this profile to `speed` and no acceleration. Where it
    /// ends is then exact in speed and acceleration.
    pub(super) fn push_change(&mut self, speed: f64, ceiling: &Ceiling) {
        let change = SpeedChange::new(self.end, speed, ceiling);
        self.push(change.rise, change.jerk);
        self.push(change.hold, 0.0);
        self.push(change.fall, -change.jerk);
        self.end.v = speed;
        self.end.a = 0.0;
    }

    /// Where the profile ends.
    pub(super) const fn end(&self) -> State {
        self.end
    }

    /// The same profile, ending at `s` with `speed` and no acceleration to the last bit.
    pub(super) const fn ending_at(mut self, s: f64, speed: f64) -> Self {
        self.end = State { s, v: speed, a: 0.0 };
        self
    }

    /// Phases in order.
    pub(super) fn phases(&self) -> &[Phase] {
        self.phases.get(..self.count).unwrap_or(&[])
    }

    /// Time until the end, s.
    pub(super) fn duration(&self) -> f64 {
        self.phases().iter().map(|phase| phase.duration).sum()
    }
}

/// The largest speed (without acceleration) from which `length` is enough to slow down to `exit_max` or less
/// (without acceleration); not limited by the ceiling of speed. Zero for no length and no exit.
///
/// The way from one speed to another is longest for an exit somewhere between; it is shortest at one of the
/// ends of the range.
/// # Real-time
/// No allocation; at most twice [`NEWTON_STEPS`] steps.
pub(super) fn largest_entry(exit_max: f64, length: f64, ceiling: &Ceiling) -> f64 {
    entry_for(exit_max, length, ceiling).max(entry_for(0.0, length, ceiling))
}

/// The largest speed from which `length` is enough to slow down to `exit`.
fn entry_for(exit: f64, length: f64, ceiling: &Ceiling) -> f64 {
    let Ceiling { acceleration, jerk, .. } = *ceiling;
    // A change larger than this reaches the ceiling of acceleration.
    let change = acceleration * acceleration / jerk;
    if length >= (2.0 * exit + change) * acceleration / jerk {
        let constant = exit * exit - exit * change + 2.0 * length * acceleration;
        return 0.5 * ((change * change + 4.0 * constant).max(0.0).sqrt() - change);
    }
    // (2 exit + x²) x = length √jerk with x² the change of speed: from above Newton falls monotonically.
    let way = length * jerk.sqrt();
    let mut x = way.cbrt();
    if exit > 0.0 {
        x = x.min(0.5 * way / exit);
    }
    for _ in 0..NEWTON_STEPS {
        let slope = 3.0 * x * x + 2.0 * exit;
        if slope <= 0.0 {
            break;
        }
        x -= (x * (x * x + 2.0 * exit) - way) / slope;
    }
    exit + x * x
}

/// Steps in [`largest_entry`]: from the better of its two bounds six reach the rounding.
const NEWTON_STEPS: usize = 8;

/// The fastest jerk-limited change from a state to another speed with no acceleration at its end: jerk
/// one way, constant acceleration, jerk the other way.
#[derive(Clone, Copy, Debug)]
struct SpeedChange {
    jerk: f64,
    rise: f64,
    hold: f64,
    fall: f64,
}

impl SpeedChange {
    /// Total for finite states and positive ceilings: all durations are finite and ≥ 0.
    fn new(from: State, speed: f64, ceiling: &Ceiling) -> Self {
        let Ceiling { acceleration: a_max, jerk: j_max, .. } = *ceiling;
        // Mirrored so that the change is upwards.
        let sign = if speed >= from.released(ceiling) { 1.0 } else { -1.0 };
        let (rise_in_speed, a) = (sign * (speed - from.v), sign * from.a);
        let peak = (j_max * rise_in_speed + 0.5 * a * a).max(0.0).sqrt();
        let (peak, hold) = if peak > a_max {
            (a_max, (rise_in_speed + 0.5 * a * a / j_max) / a_max - a_max / j_max)
        } else {
            (peak, 0.0)
        };
        Self {
            jerk: sign * j_max,
            rise: ((peak - a) / j_max).max(0.0),
            hold: hold.max(0.0),
            fall: peak / j_max,
        }
    }
}
