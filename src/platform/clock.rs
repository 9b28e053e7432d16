//! The monotonic clock and sleeping to an absolute time on it; the wall clock for people.

use rustix::io::Errno;
use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::units::Nanoseconds;

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// `CLOCK_MONOTONIC`.
///
/// # Real-time
/// No system call on x86-64 and aarch64 (vDSO).
#[must_use]
pub fn now() -> Nanoseconds {
    let time = clock_gettime(ClockId::Monotonic);
    // Seconds and nanoseconds since start of the machine are not negative.
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    Nanoseconds(seconds.saturating_mul(NANOSECONDS_PER_SECOND).saturating_add(nanoseconds))
}

/// Seconds since 1970 by the wall clock, for people; it may jump either way.
#[must_use]
pub fn unix_s() -> u64 {
    u64::try_from(clock_gettime(ClockId::Realtime).tv_sec).unwrap_or(0)
}

/// Sleeps until `time` on the clock of [`now`]; returns at once when it has passed.
///
/// # Real-time
/// One system call, more only when a signal interrupts it. Absolute, so that lateness does not add up.
pub fn sleep_until(time: Nanoseconds) {
    let request = timespec(time);
    while clock_nanosleep_absolute(ClockId::Monotonic, &request) == Err(Errno::INTR) {}
}

/// As the kernel wants it.
#[must_use]
pub fn timespec(time: Nanoseconds) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.0 / NANOSECONDS_PER_SECOND).unwrap_or(i64::MAX),
        // Below 10⁹, which every width holds.
        tv_nsec: (time.0 % NANOSECONDS_PER_SECOND).try_into().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeping_ends_not_before_the_time_and_at_once_when_it_has_passed() {
        let until = now().plus(Nanoseconds(2_000_000));
        sleep_until(until);
        assert!(now() >= until);
        sleep_until(Nanoseconds(0));
    }

    #[test]
    fn a_time_is_split_into_seconds_and_nanoseconds() {
        let time = timespec(Nanoseconds(3_000_000_007));
        assert_eq!((time.tv_sec, time.tv_nsec), (3, 7));
    }
}
