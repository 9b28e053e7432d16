//! Setpoints of the cyclic synchronous modes: received once a bus cycle, interpolated in between (0x60C2).

use crate::units::Nanoseconds;

/// A straight line from where the setpoint was to the one received, over the interpolation period.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    pub(super) from: f64,
    pub(super) to: f64,
    begin: Nanoseconds,
}

impl Line {
    /// Stands at `value`.
    pub(super) const fn at_rest(value: f64) -> Self {
        Self { from: value, to: value, begin: Nanoseconds(0) }
    }

    /// The setpoint at `now`.
    pub(super) fn at(&self, now: Nanoseconds, period_ns: u64) -> f64 {
        let elapsed = now.since(self.begin).0;
        if elapsed >= period_ns {
            return self.to;
        }
        self.from + (self.to - self.from) * (elapsed as f64 / period_ns as f64)
    }

    /// A new setpoint, received at `now`.
    pub(super) fn lead_to(&mut self, to: f64, now: Nanoseconds, period_ns: u64) {
        *self = Self { from: self.at(now, period_ns), to, begin: now };
    }
}

/// Setpoints of all three modes: counts (not wrapped), counts/s, per thousand of rated torque.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Setpoints {
    pub(super) position: Line,
    pub(super) velocity: Line,
    pub(super) torque: Line,
}
