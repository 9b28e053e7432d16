//! Simulated time of a segment that answers on a network interface: the wall clock, with or without the times in
//! which this machine stood still.

use crate::units::Nanoseconds;

/// A wake-up so much after its time is a stall of this machine.
const STALL: Nanoseconds = Nanoseconds(1_000_000);

/// Turns times of the wall clock into simulated time and back.
#[derive(Clone, Copy, Debug)]
pub struct SegmentTime {
    /// Wall clock at simulated time zero, moved on by the pauses.
    origin: Nanoseconds,
    pauses: bool,
}

impl SegmentTime {
    /// Simulated time zero is `now`. `pauses`: it stands still in stalls of this machine.
    #[must_use]
    pub const fn new(now: Nanoseconds, pauses: bool) -> Self {
        Self { origin: now, pauses }
    }

    /// Simulated time at `wall`.
    #[must_use]
    pub fn simulated(&self, wall: Nanoseconds) -> Nanoseconds {
        wall.since(self.origin)
    }

    /// When on the wall clock `simulated` will be, unless there are pauses before.
    #[must_use]
    pub fn wall(&self, simulated: Nanoseconds) -> Nanoseconds {
        self.origin.plus(simulated)
    }

    /// A wait that was to end at `due` ended at `now`, or earlier by a frame. Returns the length of the stall when
    /// there was one. Of `sync_cycle` whole multiples are left out, so that a controller which leaves whole cycles
    /// out too finds the clocks of the SubDevices in their old phase.
    pub fn woke(
        &mut self,
        due: Nanoseconds,
        now: Nanoseconds,
        sync_cycle: Option<Nanoseconds>,
    ) -> Option<Nanoseconds> {
        let late = now.since(due);
        if late <= STALL {
            return None;
        }
        if self.pauses {
            let step = sync_cycle.map_or(1, |cycle| cycle.0.max(1));
            self.origin = self.origin.plus(Nanoseconds(late.0 - late.0 % step));
        }
        Some(late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn after_stall(pauses: bool, late_us: u64, sync_cycle: Option<u64>) -> (Option<u64>, u64) {
        let mut time = SegmentTime::new(Nanoseconds(500 * MS), pauses);
        let due = Nanoseconds(600 * MS);
        let now = due.plus(Nanoseconds(late_us * 1_000));
        let stall = time.woke(due, now, sync_cycle.map(Nanoseconds));
        assert_eq!(time.wall(time.simulated(now)), now);
        (stall.map(|stall| stall.0 / 1_000), time.simulated(now).0 / 1_000)
    }

    #[test]
    fn a_stall_passes_like_any_other_time_unless_it_is_to_be_left_out() {
        assert_eq!(after_stall(false, 23_400, None), (Some(23_400), 123_400));
        assert_eq!(after_stall(true, 23_400, None), (Some(23_400), 100_000));
    }

    #[test]
    fn of_a_stall_whole_cycles_are_left_out_so_that_the_phase_of_the_clocks_stays() {
        assert_eq!(after_stall(true, 23_400, Some(4 * MS)), (Some(23_400), 103_400));
        assert_eq!(after_stall(true, 3_900, Some(4 * MS)), (Some(3_900), 103_900), "less than a cycle");
    }

    #[test]
    fn an_ordinary_late_wake_up_is_no_stall() {
        assert_eq!(after_stall(true, 1_000, None), (None, 101_000));
    }
}
