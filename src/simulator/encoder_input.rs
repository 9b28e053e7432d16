//! An encoder at the input of a terminal: a counter that can be set, and latched at the index pulse.
//!
//! Channels, in the order of the process data; what a device type does not map is not used.
//!
//! | | 0 | 1 |
//! |---|---|---|
//! | digital outputs | latch at the next index pulse | set the counter (rising edge) |
//! | analog outputs | value to set | |
//! | digital inputs | latched since it was asked for | counter is set |
//! | analog inputs | counter | latched counter |

use crate::units::Nanoseconds;

use super::description::EncoderParameters;
use super::terminal::Channels;

const ENABLE_LATCH: usize = 0;
const SET_COUNTER: usize = 1;
const SET_VALUE: usize = 0;
const LATCH_VALID: usize = 0;
const SET_DONE: usize = 1;
const COUNTER: usize = 0;
const LATCH: usize = 1;

/// The encoder and its counter.
#[derive(Clone, Debug)]
pub(super) struct EncoderInput {
    counts_per_turn: i64,
    speed_counts_s: f64,
    /// Where the encoder stands, counts since it was mounted.
    position: f64,
    /// Counter less position.
    offset: i64,
    advanced: Nanoseconds,
    was_set: bool,
    is_latched: bool,
}

impl EncoderInput {
    /// At power-on the counter shows where the encoder stands.
    pub(super) fn new(parameters: &EncoderParameters) -> Self {
        Self {
            counts_per_turn: i64::from(parameters.counts_per_turn.max(1)),
            speed_counts_s: parameters.speed_counts_s,
            position: parameters.initial_counts as f64,
            offset: 0,
            advanced: Nanoseconds(0),
            was_set: false,
            is_latched: false,
        }
    }

    /// It turns at this speed from now on, counts/s.
    pub(super) const fn set_speed(&mut self, counts_s: f64) {
        self.speed_counts_s = counts_s;
    }

    /// Its reading jumps.
    pub(super) fn jump(&mut self, counts: i32) {
        self.offset += i64::from(counts);
    }

    /// Turns up to `now`, obeys the outputs and shows counter and latch.
    pub(super) fn advance(&mut self, outputs: &Channels, inputs: &mut Channels, now: Nanoseconds) {
        let before = self.position.floor() as i64;
        self.position += self.speed_counts_s * now.since(self.advanced).as_seconds();
        self.advanced = self.advanced.max(now);
        let after = self.position.floor() as i64;
        if !outputs.level(ENABLE_LATCH) {
            self.is_latched = false;
        } else if !self.is_latched
            && let Some(index) = index_between(before, after, self.counts_per_turn)
        {
            self.is_latched = true;
            inputs.set_value(LATCH, (index + self.offset) as i32);
        }
        let set = outputs.level(SET_COUNTER);
        if set && !self.was_set {
            self.offset = i64::from(outputs.value(SET_VALUE)) - after;
        }
        self.was_set = set;
        inputs.set_level(LATCH_VALID, self.is_latched);
        inputs.set_level(SET_DONE, set);
        inputs.set_value(COUNTER, (after + self.offset) as i32);
    }
}

/// The index pulse that is passed first on the way from one count to another; there is one at each whole turn.
const fn index_between(from: i64, to: i64, turn: i64) -> Option<i64> {
    if to > from {
        let next = (from.div_euclid(turn) + 1) * turn;
        if next <= to { Some(next) } else { None }
    } else if to < from {
        let last = (from - 1).div_euclid(turn) * turn;
        if last >= to { Some(last) } else { None }
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_pulses_are_found_both_ways_and_once() {
        assert_eq!(index_between(4090, 4100, 4096), Some(4096));
        assert_eq!(index_between(4096, 4100, 4096), None, "it stands on it already");
        assert_eq!(index_between(4100, 4090, 4096), Some(4096));
        assert_eq!(index_between(5, -5, 4096), Some(0));
        assert_eq!(index_between(-5, -4097, 4096), Some(-4096));
        assert_eq!(index_between(7, 7, 4096), None);
    }
}
