//! The clock ethercrab's time-outs read. It does not run by itself: the frame pump sets it from its link
//! before it polls, and asks afterwards which time-out would end first.
//!
//! The clock is thread-local, so that several buses in several threads (tests, several segments) each
//! have their own time, real or virtual.

use std::cell::Cell;
use std::task::Waker;

use embassy_time_driver::{Driver, TICK_HZ};

use crate::units::Nanoseconds;

const NANOSECONDS_PER_TICK: u64 = 1_000_000_000 / TICK_HZ;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    static NEXT_TIMEOUT: Cell<u64> = const { Cell::new(u64::MAX) };
}

#[derive(Debug)]
struct PumpedClock;

impl Driver for PumpedClock {
    fn now(&self) -> u64 {
        NOW.get() / NANOSECONDS_PER_TICK
    }

    fn schedule_wake(&self, at: u64, _waker: &Waker) {
        NEXT_TIMEOUT.set(NEXT_TIMEOUT.get().min(at));
    }
}

embassy_time_driver::time_driver_impl!(static DRIVER: PumpedClock = PumpedClock);

/// Sets this thread's clock and forgets the time-outs asked for so far. To be called before each poll.
pub fn begin_poll(now: Nanoseconds) {
    NOW.set(now.0);
    NEXT_TIMEOUT.set(u64::MAX);
}

/// The earliest time-out the last poll is waiting for; the end of time when there is none.
#[must_use]
pub fn next_timeout() -> Nanoseconds {
    Nanoseconds(NEXT_TIMEOUT.get().saturating_mul(NANOSECONDS_PER_TICK))
}

/// What the clock of this thread shows.
#[must_use]
pub fn now() -> Nanoseconds {
    Nanoseconds(NOW.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_its_own_clock() {
        begin_poll(Nanoseconds(5_000_000));
        let other = std::thread::spawn(|| {
            begin_poll(Nanoseconds(7_000));
            embassy_time_driver::now()
        });
        assert_eq!(other.join().ok(), Some(7));
        assert_eq!(embassy_time_driver::now(), 5_000);
    }

    #[test]
    fn the_earliest_timeout_of_a_poll_is_kept_and_forgotten_at_the_next() {
        begin_poll(Nanoseconds(0));
        embassy_time_driver::schedule_wake(30, Waker::noop());
        embassy_time_driver::schedule_wake(20, Waker::noop());
        embassy_time_driver::schedule_wake(40, Waker::noop());
        assert_eq!(next_timeout(), Nanoseconds(20_000));
        begin_poll(Nanoseconds(1));
        assert_eq!(next_timeout(), Nanoseconds(u64::MAX));
    }
}
