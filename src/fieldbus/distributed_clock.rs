//! Locks the cycle to the reference clock of the bus: a phase-locked loop in software.
//!
//! SYNC0 comes at whole multiples of the cycle time on the reference clock. The frame should pass the
//! devices a fixed time before that. Each cycle the loop compares when the frame did pass (the system
//! time it brought back) with when it should have, and shifts the next wake-up a little.

use crate::units::Nanoseconds;

/// Largest shift of a wake-up, ns: drives see the cycle time change by this much at most.
const SLEW_MAX_NS: f64 = 1_000.0;
/// Share of the filtered error corrected per cycle. 1/50: a step is gone in about 50 cycles, and
/// ±30 µs of measuring noise move a wake-up by 0.6 µs.
const PROPORTIONAL: f64 = 0.02;
/// Share added to the learnt rate difference per cycle; a quarter of the square of [`PROPORTIONAL`]
/// makes the loop critically damped.
const INTEGRAL: f64 = PROPORTIONAL * PROPORTIONAL / 4.0;
/// A measurement further than this from the filtered error is an outlier and not used, ns: one late frame must
/// not move the cycle.
const OUTLIER_NS: f64 = 20_000.0;
/// Outliers in a row that are believed: the clock has jumped.
const OUTLIERS_MAX: u16 = 10;
/// Smoothing of the shown error: one eighth of each new measurement.
const SMOOTHING: f64 = 0.125;
/// Below this smoothed error the loop counts towards lock, ns.
const LOCK_NS: f64 = 10_000.0;
/// Above this smoothed error the lock is lost, ns.
const UNLOCK_NS: f64 = 50_000.0;
/// Cycles within [`LOCK_NS`] before the loop calls itself locked.
const LOCK_CYCLES: u16 = 100;
/// Cycles without a measurement before the lock is lost.
const COAST_CYCLES_MAX: u16 = 100;

/// How well the cycle follows the reference clock.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClockStatus {
    /// Last measured phase error, ns; positive: the frame is late against the clock.
    pub phase_error_ns: f64,
    /// The same, smoothed over about eight cycles, ns.
    pub phase_error_smoothed_ns: f64,
    /// How much faster the reference clock runs than ours, parts per billion.
    pub rate_difference_ppb: f64,
    /// The cycle follows the clock.
    pub locked: bool,
    /// Cycles from the first measurement, or from the loss of the lock, to the newest lock; 0 before.
    pub lock_cycles: u64,
    /// How often the lock was lost.
    pub lock_losses: u32,
    /// Measurements that were not used because they were too far from what was expected.
    pub outliers: u64,
}

/// The loop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DistributedClock {
    cycle_time_ns: f64,
    cycle_time: u64,
    /// Where in the cycle of the reference clock the frame should pass, ns.
    target_phase: u64,
    smoothed_ns: f64,
    rate_ns_per_cycle: f64,
    correction_ns: f64,
    cycles_in_lock: u16,
    cycles_coasted: u16,
    outliers_in_a_row: u16,
    /// Cycles without lock, up to now.
    cycles_unlocked: u64,
    has_measurement: bool,
    status: ClockStatus,
}

impl DistributedClock {
    /// A loop that wants each frame to pass `sync0_shift` before SYNC0. A cycle time of zero is taken as 1 ns.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a cycle time is far below 2^53 ns")]
    pub fn new(cycle_time: Nanoseconds, sync0_shift: Nanoseconds) -> Self {
        let cycle = cycle_time.0.max(1);
        Self {
            cycle_time_ns: cycle as f64,
            cycle_time: cycle,
            target_phase: (cycle - sync0_shift.0 % cycle) % cycle,
            smoothed_ns: 0.0,
            rate_ns_per_cycle: 0.0,
            correction_ns: 0.0,
            cycles_in_lock: 0,
            cycles_coasted: 0,
            outliers_in_a_row: 0,
            cycles_unlocked: 0,
            has_measurement: false,
            status: ClockStatus::default(),
        }
    }

    /// Phase error of a frame that passed the reference clock at `clock_time`, in half-open
    /// −cycle/2..cycle/2, ns. Positive: too late.
    #[must_use]
    pub fn phase_error_ns(&self, clock_time: u64) -> i64 {
        let phase = clock_time % self.cycle_time;
        let late = (phase + self.cycle_time - self.target_phase) % self.cycle_time;
        // Both are below the cycle time, which fits.
        let (late, cycle) = (late.cast_signed(), self.cycle_time.cast_signed());
        if late >= cycle - cycle / 2 { late - cycle } else { late }
    }

    /// Takes one measurement: the frame was planned for `planned`, sent at `sent_at` (both on the host's
    /// clock) and passed the reference clock at `clock_time`. Lateness of the host alone is taken out.
    #[expect(clippy::cast_precision_loss, reason = "differences within a cycle are far below 2^53 ns")]
    pub fn update(&mut self, planned: Nanoseconds, sent_at: Nanoseconds, clock_time: u64) -> ClockStatus {
        let host_late = sent_at.since(planned).0.min(self.cycle_time) as f64;
        let measured = self.wrapped(self.phase_error_ns(clock_time) as f64 - host_late);
        self.cycles_coasted = 0;
        if self.is_used(measured) {
            self.steer();
        }
        self.status.phase_error_ns = measured;
        self.status.phase_error_smoothed_ns = self.smoothed_ns;
        self.status.rate_difference_ppb = self.rate_ns_per_cycle / self.cycle_time_ns * 1e9;
        let error = self.smoothed_ns.abs();
        if error < LOCK_NS {
            self.cycles_in_lock = self.cycles_in_lock.saturating_add(1);
        } else if error > UNLOCK_NS || !self.status.locked {
            self.cycles_in_lock = 0;
        }
        self.set_locked(self.cycles_in_lock >= LOCK_CYCLES || (self.status.locked && error <= UNLOCK_NS));
        self.status
    }

    /// Filters a measurement in; false when it is an outlier. Many outliers in a row are a jump of the clock,
    /// and taken over as they are.
    fn is_used(&mut self, measured: f64) -> bool {
        let innovation = self.wrapped(measured - self.smoothed_ns);
        let is_outlier = self.has_measurement && innovation.abs() > OUTLIER_NS;
        if is_outlier && self.outliers_in_a_row < OUTLIERS_MAX {
            self.outliers_in_a_row += 1;
            self.status.outliers += 1;
            return false;
        }
        self.outliers_in_a_row = 0;
        self.smoothed_ns = if is_outlier || !self.has_measurement {
            measured
        } else {
            self.wrapped(self.smoothed_ns + SMOOTHING * innovation)
        };
        self.has_measurement = true;
        true
    }

    /// The next correction, and the rate learnt.
    fn steer(&mut self) {
        // Late against the clock: wake earlier.
        let wanted = -PROPORTIONAL * self.smoothed_ns - self.rate_ns_per_cycle;
        self.correction_ns = wanted.clamp(-SLEW_MAX_NS, SLEW_MAX_NS);
        // Learn the rate only when not limited, or the loop overshoots after a long approach.
        if (wanted - self.correction_ns).abs() < f64::EPSILON {
            self.rate_ns_per_cycle = (self.rate_ns_per_cycle + INTEGRAL * self.smoothed_ns)
                .clamp(-SLEW_MAX_NS / 2.0, SLEW_MAX_NS / 2.0);
        }
    }

    fn set_locked(&mut self, locked: bool) {
        let was_locked = self.status.locked;
        self.status.locked = locked;
        if was_locked && !locked {
            self.status.lock_losses = self.status.lock_losses.saturating_add(1);
            self.cycles_unlocked = 0;
        } else if !was_locked {
            self.cycles_unlocked += 1;
            if locked {
                self.status.lock_cycles = self.cycles_unlocked;
            }
        }
    }

    /// A cycle without a measurement: go on at the learnt rate.
    pub fn coast(&mut self) -> ClockStatus {
        self.correction_ns = -self.rate_ns_per_cycle;
        self.cycles_coasted = self.cycles_coasted.saturating_add(1);
        if self.cycles_coasted > COAST_CYCLES_MAX {
            self.cycles_in_lock = 0;
            self.set_locked(false);
        }
        self.status
    }

    /// By how much the next cycle should be longer than the cycle time, ns, within ±1000.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "clamped to ±1000 in `update`")]
    pub fn correction_ns(&self) -> i64 {
        self.correction_ns.round() as i64
    }

    /// How well the cycle follows.
    #[must_use]
    pub const fn status(&self) -> ClockStatus {
        self.status
    }

    /// `value` brought into −cycle/2..cycle/2.
    fn wrapped(&self, value: f64) -> f64 {
        value - self.cycle_time_ns * (value / self.cycle_time_ns).round()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CYCLE: u64 = 1_000_000;

    /// A host and a reference clock with another rate and phase, no noise unless given.
    struct Clocks {
        offset: i64,
        rate_ppm: f64,
    }

    impl Clocks {
        fn reference(&self, host: u64) -> u64 {
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "test")]
            let drift = (host as f64 * self.rate_ppm * 1e-6) as i64;
            host.saturating_add_signed(self.offset + drift)
        }
    }

    fn run(clocks: &Clocks, cycles: u32, mut late_ns: impl FnMut(u32) -> u64) -> (DistributedClock, i64) {
        let mut clock = DistributedClock::new(Nanoseconds(CYCLE), Nanoseconds(CYCLE / 2));
        let mut planned = 5_000_000_u64;
        let mut last_planned_error = 0;
        for cycle in 0..cycles {
            let sent = planned + late_ns(cycle);
            last_planned_error = clock.phase_error_ns(clocks.reference(planned));
            clock.update(Nanoseconds(planned), Nanoseconds(sent), clocks.reference(sent));
            assert!(clock.correction_ns().abs() <= 1_000, "slew limit in cycle {cycle}");
            planned = (planned + CYCLE).saturating_add_signed(clock.correction_ns());
        }
        (clock, last_planned_error)
    }

    #[test]
    fn equal_clocks_in_phase_stay_untouched_and_lock_after_a_hundred_cycles() {
        let clocks = Clocks { offset: 500_000, rate_ppm: 0.0 };
        let (clock, error) = run(&clocks, 99, |_| 0);
        assert!(!clock.status().locked);
        assert_eq!((clock.correction_ns(), error), (0, 0));
        assert!(run(&clocks, 100, |_| 0).0.status().locked);
    }

    #[test]
    fn a_phase_error_of_a_third_of_a_cycle_is_slewed_away_from_either_side() {
        for offset in [200_000, 800_000] {
            let (clock, error) = run(&Clocks { offset, rate_ppm: 0.0 }, 1_500, |_| 0);
            assert!(clock.status().locked && error.abs() < 100, "offset {offset}: error {error} ns");
        }
    }

    #[test]
    fn a_rate_difference_is_learnt_and_leaves_no_phase_error() {
        for rate_ppm in [-100.0, 80.0] {
            let (clock, error) = run(&Clocks { offset: 480_000, rate_ppm }, 6_000, |_| 0);
            let status = clock.status();
            assert!(status.locked && error.abs() < 200, "{rate_ppm} ppm: {error} ns");
            assert!((status.rate_difference_ppb - rate_ppm * 1e3).abs() < 2_000.0, "{status:?}");
        }
    }

    #[test]
    fn lateness_of_the_host_does_not_move_the_cycle() {
        // Every seventh frame 300 µs late, all others 0 to 40 µs.
        let late =
            |cycle: u32| if cycle.is_multiple_of(7) { 300_000 } else { u64::from(cycle * 7919 % 40_000) };
        let (clock, error) = run(&Clocks { offset: 500_000, rate_ppm: 0.0 }, 2_000, late);
        assert!(clock.status().locked && error.abs() < 1_000, "error {error} ns");
    }

    #[test]
    fn the_lock_holds_through_a_short_loss_and_is_given_up_after_a_long_one() {
        let (mut clock, _) = run(&Clocks { offset: 500_000, rate_ppm: 50.0 }, 3_000, |_| 0);
        let rate = clock.status().rate_difference_ppb;
        for _ in 0..COAST_CYCLES_MAX {
            assert!(clock.coast().locked);
        }
        assert!(!clock.coast().locked);
        assert!((clock.status().rate_difference_ppb - rate).abs() < f64::EPSILON);
        assert_eq!(clock.correction_ns(), -50, "goes on at the learnt rate");
    }

    #[test]
    fn a_phase_jump_of_the_reference_clock_loses_the_lock_and_gets_it_back() {
        let (mut clock, _) = run(&Clocks { offset: 500_000, rate_ppm: 0.0 }, 500, |_| 0);
        let mut planned = 600_000_000_u64;
        let jumped = Clocks { offset: 800_000, rate_ppm: 0.0 };
        let mut was_lost = false;
        for _ in 0..2_000 {
            let status = clock.update(Nanoseconds(planned), Nanoseconds(planned), jumped.reference(planned));
            was_lost |= !status.locked;
            planned = (planned + CYCLE).saturating_add_signed(clock.correction_ns());
        }
        assert!(was_lost && clock.status().locked);
    }
}
