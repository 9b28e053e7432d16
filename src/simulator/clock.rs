//! Distributed clock of one SubDevice: local time, system time, drift compensation, SYNC0 (ETG.1000.4, 0x0900…).

use crate::units::Nanoseconds;

use super::wire::floor;

/// Largest step the control loop may add to the system time at one comparison, ns. It is bounded so that a
/// wrong reference slews the clock instead of making it jump.
const PHASE_STEP_MAX_NS: f64 = 1000.0;
/// Share of the difference that one comparison takes away.
const PHASE_GAIN: f64 = 0.25;
/// Change of the rate for each ns of difference at one comparison.
const RATE_GAIN: f64 = 5e-9;
/// Largest rate correction: an oscillator is within 100 ppm.
const RATE_MAX: f64 = 200e-6;
/// Weight of the newest comparison in the difference shown at 0x092C.
const FILTER_WEIGHT: f64 = 0.25;

/// A free-running clock and its correction. All times are ns; system time wraps at 64 bits.
#[derive(Clone, Debug)]
pub(super) struct DistributedClock {
    /// Local time at `seen`.
    local_ns: u64,
    /// Part of a nanosecond that belongs to `local_ns`.
    local_fraction: f64,
    /// How much faster than true time the oscillator runs, e.g. 20e-6.
    drift: f64,
    /// True time of the last [`advance`](Self::advance).
    seen: Nanoseconds,
    /// Register 0x0920.
    pub(super) offset: u64,
    /// Register 0x0928.
    pub(super) delay: u32,
    /// What the control loop has added to the system time, at `seen`.
    correction_ns: f64,
    /// How fast the control loop adds to it.
    correction_rate: f64,
    /// Filtered difference, local minus received.
    difference_ns: f64,
}

impl DistributedClock {
    /// A clock that shows `local_ns` at true time `now`.
    pub(super) const fn new(local_ns: u64, drift_ppm: f64, now: Nanoseconds) -> Self {
        Self {
            local_ns,
            local_fraction: 0.0,
            drift: drift_ppm * 1e-6,
            seen: now,
            offset: 0,
            delay: 0,
            correction_ns: 0.0,
            correction_rate: 0.0,
            difference_ns: 0.0,
        }
    }

    /// Lets the clock run up to true time `now`.
    pub(super) fn advance(&mut self, now: Nanoseconds) {
        let elapsed = now.since(self.seen).0;
        let fraction = self.local_fraction + elapsed as f64 * self.drift;
        let whole = floor(fraction);
        self.local_ns = self.local_ns.wrapping_add(elapsed).wrapping_add_signed(whole);
        self.local_fraction = fraction - whole as f64;
        self.correction_ns += elapsed as f64 * self.correction_rate;
        self.seen = self.seen.max(now);
    }

    /// Injected: the local time jumps.
    pub(super) const fn step(&mut self, by_ns: i64) {
        self.local_ns = self.local_ns.wrapping_add_signed(by_ns);
    }

    /// Injected: the oscillator runs this much faster than true time from now on, ppm.
    pub(super) const fn set_drift(&mut self, ppm: f64) {
        self.drift = ppm * 1e-6;
    }

    /// Local time at true time `at`, with what the control loop has added to it: the loop makes the local clock
    /// itself run faster or slower. `at` is not before the last [`advance`](Self::advance).
    pub(super) fn local_time(&self, at: Nanoseconds) -> u64 {
        let elapsed = at.since(self.seen).0;
        let whole = floor(self.local_fraction + elapsed as f64 * self.drift);
        let correction = floor(self.correction_ns + elapsed as f64 * self.correction_rate);
        self.local_ns.wrapping_add(elapsed).wrapping_add_signed(whole).wrapping_add_signed(correction)
    }

    /// Local copy of the system time at true time `at`.
    pub(super) fn system_time(&self, at: Nanoseconds) -> u64 {
        self.local_time(at).wrapping_add(self.offset)
    }

    /// The reference's system time passed by at true time `at`: one step of the control loop.
    pub(super) fn compare(&mut self, reference: u64, at: Nanoseconds) {
        let expected = reference.wrapping_add(u64::from(self.delay));
        let difference = self.system_time(at).wrapping_sub(expected) as i64 as f64;
        self.difference_ns += FILTER_WEIGHT * (difference - self.difference_ns);
        self.correction_ns -= (PHASE_GAIN * difference).clamp(-PHASE_STEP_MAX_NS, PHASE_STEP_MAX_NS);
        // Only a clock that is nearly right may learn its rate, else a far-away reference winds it up.
        if difference.abs() < 4.0 * PHASE_STEP_MAX_NS {
            self.correction_rate = (self.correction_rate - RATE_GAIN * difference).clamp(-RATE_MAX, RATE_MAX);
        }
    }

    /// Forgets what the control loop has learned (a write to 0x0930…0x0935); the time does not jump.
    pub(super) const fn reset_control_loop(&mut self) {
        self.correction_rate = 0.0;
        self.difference_ns = 0.0;
    }

    /// Register 0x092C: sign and magnitude, the sign set when the local copy is behind. `off_ns` is a fault that is
    /// added.
    pub(super) fn difference_register(&self, off_ns: i32) -> u32 {
        let difference = self.difference_ns + f64::from(off_ns);
        let magnitude = difference.abs().min(f64::from(0x7FFF_FFFF_u32)) as u32;
        magnitude | if difference < 0.0 { 1 << 31 } else { 0 }
    }

    /// Difference between this clock and the reference as the SubDevice sees it, ns.
    pub(super) const fn difference_ns(&self) -> f64 {
        self.difference_ns
    }

    /// True time at which the system time is `system_time`; at least the last [`advance`](Self::advance).
    pub(super) fn true_time_of(&self, system_time: u64) -> Nanoseconds {
        let ahead = system_time.wrapping_sub(self.system_time(self.seen)) as i64;
        Nanoseconds(self.seen.0.saturating_add_signed(ahead.max(0)))
    }
}

/// The SYNC0 generator: registers 0x0981, 0x0990, 0x09A0.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sync0 {
    /// Register 0x0981.
    pub(super) activation: u8,
    /// Period, ns.
    pub(super) cycle_ns: u32,
    /// System time of the next pulse; `None` while none will come.
    next: Option<u64>,
}

/// Shortest SYNC0 cycle that is generated, ns. Devices refuse shorter ones on the way to SAFE-OP.
pub(super) const SYNC0_CYCLE_MIN_NS: u32 = 62_500;
/// Pulses that may be due at once. A clock that was set further ahead has left its start time behind.
const PULSES_DUE_MAX: u64 = 100_000;

/// 0x0981 bit 0: cyclic operation.
const CYCLIC_OPERATION: u8 = 1 << 0;
/// 0x0981 bit 1: generate SYNC0.
const SYNC0_GENERATION: u8 = 1 << 1;

impl Sync0 {
    /// A write to 0x0981. A start time that has passed already never comes again (within 584 years).
    pub(super) fn activate(&mut self, activation: u8, start_time: u64, cycle_ns: u32, system_time: u64) {
        self.activation = activation;
        self.cycle_ns = cycle_ns;
        let wanted =
            activation & (CYCLIC_OPERATION | SYNC0_GENERATION) == CYCLIC_OPERATION | SYNC0_GENERATION;
        let in_future = start_time.wrapping_sub(system_time) as i64 > 0;
        self.next = (wanted && cycle_ns >= SYNC0_CYCLE_MIN_NS && in_future).then_some(start_time);
    }

    /// True when the controller asked for distributed clock operation.
    pub(super) const fn is_cyclic(&self) -> bool {
        self.activation & CYCLIC_OPERATION != 0
    }

    /// True when SYNC0 is asked for.
    pub(super) const fn is_wanted(&self) -> bool {
        self.is_cyclic() && self.activation & SYNC0_GENERATION != 0
    }

    /// System time of the next pulse.
    pub(super) const fn next(&self) -> Option<u64> {
        self.next
    }

    /// Takes the next pulse if it lies at or before `system_time`.
    pub(super) fn take_pulse(&mut self, system_time: u64) -> Option<u64> {
        let pulse = self.next.filter(|&pulse| system_time.wrapping_sub(pulse) as i64 >= 0)?;
        if system_time.wrapping_sub(pulse) / u64::from(self.cycle_ns.max(1)) > PULSES_DUE_MAX {
            self.next = None;
            return None;
        }
        self.next = Some(pulse.wrapping_add(u64::from(self.cycle_ns)));
        Some(pulse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    #[test]
    fn a_clock_runs_as_fast_as_its_oscillator() {
        let mut clock = DistributedClock::new(5_000, 50.0, Nanoseconds(0));
        for step in 1..=10_000_u64 {
            clock.advance(Nanoseconds(step * 100_000));
        }
        let local = clock.local_time(Nanoseconds(1_000_000_000));
        assert!(
            (1_000_055_000 - 1..=1_000_055_000 + 1).contains(&local),
            "50 µs gained in a second: {local}"
        );
    }

    #[test]
    fn the_control_loop_removes_offset_and_drift() {
        let mut reference = DistributedClock::new(77, -30.0, Nanoseconds(0));
        let mut clock = DistributedClock::new(1_000_000_000, 45.0, Nanoseconds(0));
        clock.offset = 77_u64.wrapping_sub(1_000_000_000).wrapping_add(3_000);
        clock.delay = 500;
        for cycle in 1..=3000_u64 {
            let sent = Nanoseconds(cycle * MILLISECOND);
            let arrived = Nanoseconds(sent.0 + 500);
            reference.advance(sent);
            clock.advance(sent);
            clock.compare(reference.system_time(sent), arrived);
        }
        assert!(clock.difference_ns().abs() < 20.0, "difference {} ns", clock.difference_ns());
        assert!(clock.difference_register(0) & 0x7FFF_FFFF < 20);
    }

    #[test]
    fn a_wrong_reference_slews_the_clock_and_does_not_make_it_jump() {
        let mut clock = DistributedClock::new(0, 0.0, Nanoseconds(0));
        clock.advance(Nanoseconds(MILLISECOND));
        let before = clock.system_time(Nanoseconds(MILLISECOND));
        clock.compare(u64::MAX / 2, Nanoseconds(MILLISECOND));
        let after = clock.system_time(Nanoseconds(MILLISECOND));
        assert!(after.abs_diff(before) <= 1000);
        clock.reset_control_loop();
        assert_eq!(clock.difference_register(0), 0);
    }

    #[test]
    fn the_difference_register_is_sign_and_magnitude() {
        let mut clock = DistributedClock::new(0, 0.0, Nanoseconds(0));
        clock.compare(4_000, Nanoseconds(0));
        assert_eq!(clock.difference_register(0), 1 << 31 | 1_000, "behind by 4 µs, a quarter of it filtered");
    }

    #[test]
    fn sync0_starts_at_its_start_time_and_repeats() {
        let mut sync = Sync0::default();
        sync.activate(0x03, 1_000_000, 100_000, 900_000);
        assert_eq!(sync.take_pulse(999_999), None);
        assert_eq!(sync.take_pulse(1_150_000), Some(1_000_000));
        assert_eq!(sync.take_pulse(1_150_000), Some(1_100_000));
        assert_eq!(sync.take_pulse(1_150_000), None);
        assert_eq!(sync.next(), Some(1_200_000));
    }

    #[test]
    fn a_clock_set_far_ahead_has_left_its_start_time_behind() {
        let mut sync = Sync0::default();
        sync.activate(0x03, 1_000_000, 100_000, 900_000);
        assert_eq!(sync.take_pulse(1 << 60), None);
        assert_eq!(sync.next(), None);
    }

    #[test]
    fn sync0_with_a_start_time_in_the_past_never_comes() {
        let mut sync = Sync0::default();
        sync.activate(0x03, 1_000_000, 100_000, 1_000_001);
        assert!(sync.is_wanted());
        assert_eq!(sync.take_pulse(u64::MAX / 4), None);
    }

    #[test]
    fn true_time_is_the_inverse_of_system_time() {
        let mut clock = DistributedClock::new(123_456, 20.0, Nanoseconds(0));
        clock.offset = 999;
        clock.advance(Nanoseconds(MILLISECOND));
        let at = Nanoseconds(3 * MILLISECOND);
        let found = clock.true_time_of(clock.system_time(at));
        assert!(found.0.abs_diff(at.0) < 100, "within the drift of 2 ms: {found:?}");
    }
}
