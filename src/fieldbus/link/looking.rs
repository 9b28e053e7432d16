//! How long a receiver looks for a frame again and again before it sleeps.
//!
//! To fall asleep and be woken costs some tens of microseconds where the processor idles meanwhile, more in a
//! virtual machine: as much as the frame is under way. So the receiver looks for a short time first. It stops
//! looking where that does not pay: the answer takes longer, or whoever has to make it waits for this very
//! processor.

use crate::units::Nanoseconds;

/// Longest look, ns: a frame through some tens of SubDevices is back by then.
const LOOK_MAX: u64 = 100_000;
/// Share of the time that is left: the loop never looks through a whole cycle, which the kernel would take for a
/// runaway thread.
const SHARE: u64 = 4;
/// Looks in vain, one after the other, until it is given up for a while.
const IN_VAIN_MAX: u8 = 3;
/// Receptions in that while.
const RESTS: u16 = 250;

/// Whether looking has paid lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Looking {
    in_vain: u8,
    rests_left: u16,
}

impl Looking {
    /// Until when to look for a frame that is wanted by `deadline`; `now`: not at all.
    pub(super) fn until(&mut self, now: Nanoseconds, deadline: Nanoseconds) -> Nanoseconds {
        if self.rests_left > 0 {
            self.rests_left -= 1;
            return now;
        }
        now.plus(Nanoseconds((deadline.since(now).0 / SHARE).min(LOOK_MAX)))
    }

    /// A frame came while it was looked for.
    pub(super) const fn found(&mut self) {
        self.in_vain = 0;
    }

    /// None came.
    pub(super) const fn found_nothing(&mut self) {
        self.in_vain += 1;
        if self.in_vain >= IN_VAIN_MAX {
            *self = Self { in_vain: 0, rests_left: RESTS };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Nanoseconds = Nanoseconds(5_000_000);

    fn look(looking: &mut Looking, left_us: u64) -> u64 {
        looking.until(NOW, NOW.plus(Nanoseconds(left_us * 1_000))).since(NOW).0 / 1_000
    }

    #[test]
    fn a_look_takes_a_quarter_of_the_time_left_and_never_more_than_a_tenth_of_a_millisecond() {
        let mut looking = Looking::default();
        assert_eq!([800, 400, 80, 0].map(|left| look(&mut looking, left)), [100, 100, 20, 0]);
    }

    #[test]
    fn what_does_not_pay_is_given_up_and_tried_again_later() {
        let mut looking = Looking::default();
        for _ in 0..3 {
            assert_eq!(look(&mut looking, 800), 100);
            looking.found_nothing();
        }
        assert!((0..RESTS).all(|_| look(&mut looking, 800) == 0));
        assert_eq!(look(&mut looking, 800), 100);
    }

    #[test]
    fn a_frame_now_and_then_keeps_it_looking() {
        let mut looking = Looking::default();
        for _ in 0..100 {
            looking.found_nothing();
            looking.found_nothing();
            looking.found();
            assert_eq!(look(&mut looking, 800), 100);
        }
    }
}
