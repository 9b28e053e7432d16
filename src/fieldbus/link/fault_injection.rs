//! Wraps a link and makes the wire bad: lost, late, duplicate, damaged, shortened frames, by script or by
//! a seeded random number, so that a run can be repeated exactly.
//!
//! Faults act on what comes back, except [`Fault::DropSent`]. A network interface drops frames with
//! damaged content by their check sequence; what [`Fault::Corrupt`] shows is what remains beyond that: a
//! damaged header of a device or a driver.

use super::{FrameLink, LinkError, MAX_FRAME_BYTES};
use crate::units::Nanoseconds;

/// Frames that can be held back at once; more are lost.
const HELD_FRAMES: usize = 8;
/// Scripted faults that can be waiting at once.
const SCRIPT_LENGTH: usize = 32;

/// One thing that happens to one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The frame never reaches the devices.
    DropSent,
    /// The answer is lost.
    Drop,
    /// The answer comes this much later.
    Delay(Nanoseconds),
    /// The answer comes twice.
    Duplicate,
    /// One byte of the answer, counted from its beginning, is combined with a mask by exclusive or.
    Corrupt {
        /// Which byte.
        byte: usize,
        /// Bits to turn over.
        mask: u8,
    },
    /// The answer is cut to this many bytes.
    Truncate(usize),
}

/// How often a fault happens by chance, in parts per million of the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultRates {
    /// [`Fault::DropSent`].
    pub drop_sent_ppm: u32,
    /// [`Fault::Drop`].
    pub drop_ppm: u32,
    /// [`Fault::Delay`] by up to [`delay_max`](Self::delay_max).
    pub delay_ppm: u32,
    /// Longest delay.
    pub delay_max: Nanoseconds,
    /// [`Fault::Duplicate`].
    pub duplicate_ppm: u32,
    /// [`Fault::Corrupt`] in the first 26 bytes: Ethernet, EtherCAT and first datagram header.
    pub corrupt_ppm: u32,
    /// [`Fault::Truncate`] to any length.
    pub truncate_ppm: u32,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    due: Nanoseconds,
    length: usize,
    bytes: [u8; MAX_FRAME_BYTES],
}

/// A bad wire.
#[derive(Debug)]
pub struct FaultInjection<L> {
    link: L,
    rates: FaultRates,
    random: u64,
    script: [Option<Fault>; SCRIPT_LENGTH],
    held: [Option<Held>; HELD_FRAMES],
    injected: u64,
}

impl<L: FrameLink> FaultInjection<L> {
    /// A wire with faults by chance; the same `seed` gives the same faults to the same frames.
    pub const fn new(link: L, rates: FaultRates, seed: u64) -> Self {
        Self {
            link,
            rates,
            random: seed,
            script: [None; SCRIPT_LENGTH],
            held: [const { None }; HELD_FRAMES],
            injected: 0,
        }
    }

    /// Other rates from now on.
    pub const fn set_rates(&mut self, rates: FaultRates) {
        self.rates = rates;
    }

    /// Adds a fault for the next frame that has none yet; false when the script is full.
    /// Scripted faults come before random ones, one a frame, in order.
    pub fn script(&mut self, fault: Fault) -> bool {
        let free = self.script.iter_mut().find(|entry| entry.is_none());
        free.map(|entry| *entry = Some(fault)).is_some()
    }

    /// Number of faults that happened.
    #[must_use]
    pub const fn injected(&self) -> u64 {
        self.injected
    }

    /// The wrapped link.
    pub const fn inner(&self) -> &L {
        &self.link
    }

    /// The wrapped link.
    pub const fn inner_mut(&mut self) -> &mut L {
        &mut self.link
    }

    /// The next scripted fault, when it is one for this side of the wire.
    fn take_scripted(&mut self, for_sending: bool) -> Option<Fault> {
        let fault = self.script.first().copied().flatten()?;
        if (fault == Fault::DropSent) != for_sending {
            return None;
        }
        self.script.rotate_left(1);
        if let Some(last) = self.script.last_mut() {
            *last = None;
        }
        Some(fault)
    }

    /// SplitMix64 (Steele, Lea, Flood, 2014): small, seeded, good enough for faults.
    const fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    const fn happens(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.next_random() % 1_000_000 < ppm as u64
    }

    /// A random number below `bound` (at least 1).
    const fn below(&mut self, bound: u64) -> u64 {
        self.next_random() % if bound == 0 { 1 } else { bound }
    }

    fn random_fault(&mut self, length: usize) -> Option<Fault> {
        let rates = self.rates;
        if self.happens(rates.drop_ppm) {
            return Some(Fault::Drop);
        }
        if self.happens(rates.delay_ppm) {
            return Some(Fault::Delay(Nanoseconds(self.below(rates.delay_max.0))));
        }
        if self.happens(rates.duplicate_ppm) {
            return Some(Fault::Duplicate);
        }
        if self.happens(rates.corrupt_ppm) {
            let byte = usize::try_from(self.below(26)).unwrap_or(0);
            let mask = u8::try_from(1 + self.below(255)).unwrap_or(1);
            return Some(Fault::Corrupt { byte, mask });
        }
        if self.happens(rates.truncate_ppm) {
            return Some(Fault::Truncate(usize::try_from(self.below(length as u64)).unwrap_or(0)));
        }
        None
    }

    fn hold(&mut self, frame: &[u8], due: Nanoseconds) {
        let Some(free) = self.held.iter_mut().find(|held| held.is_none()) else { return };
        let mut bytes = [0; MAX_FRAME_BYTES];
        if let Some(copy) = bytes.get_mut(..frame.len()) {
            copy.copy_from_slice(frame);
            *free = Some(Held { due, length: frame.len(), bytes });
        }
    }

    /// When the first held frame is due.
    fn first_due(&self) -> Option<Nanoseconds> {
        self.held.iter().flatten().map(|held| held.due).min()
    }

    /// Takes the first held frame that is due at `now` into `buffer`.
    fn take_due(&mut self, buffer: &mut [u8], now: Nanoseconds) -> Option<usize> {
        let first = self.first_due().filter(|due| *due <= now)?;
        let held = self.held.iter_mut().find_map(|held| held.take_if(|held| held.due == first))?;
        buffer.get_mut(..held.length)?.copy_from_slice(held.bytes.get(..held.length)?);
        Some(held.length)
    }

    /// What becomes of an answer: its length, or `None` when it is not delivered now.
    fn apply(&mut self, fault: Fault, buffer: &mut [u8], length: usize) -> Option<usize> {
        self.injected += 1;
        let now = self.link.now();
        let frame = buffer.get_mut(..length)?;
        match fault {
            Fault::DropSent | Fault::Drop => None,
            Fault::Delay(by) => {
                self.hold(frame, now.plus(by));
                None
            }
            Fault::Duplicate => {
                self.hold(frame, now);
                Some(length)
            }
            Fault::Corrupt { byte, mask } => {
                if let Some(byte) = frame.get_mut(byte) {
                    *byte ^= mask;
                }
                Some(length)
            }
            Fault::Truncate(bytes) => Some(bytes.min(length)),
        }
    }
}

impl<L: FrameLink> FrameLink for FaultInjection<L> {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        let rate = self.rates.drop_sent_ppm;
        if self.take_scripted(true).is_some() || self.happens(rate) {
            self.injected += 1;
            return Ok(());
        }
        self.link.send(frame)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Nanoseconds) -> Result<Option<usize>, LinkError> {
        loop {
            if let Some(length) = self.take_due(buffer, self.link.now()) {
                return Ok(Some(length));
            }
            let until = self.first_due().map_or(deadline, |due| due.min(deadline));
            let Some(length) = self.link.receive(buffer, until)? else {
                if let Some(length) = self.take_due(buffer, self.link.now()) {
                    return Ok(Some(length));
                }
                if self.link.now() >= deadline {
                    return Ok(None);
                }
                continue;
            };
            let fault = match self.take_scripted(false) {
                Some(fault) => Some(fault),
                None => self.random_fault(length),
            };
            let Some(fault) = fault else { return Ok(Some(length)) };
            if let Some(length) = self.apply(fault, buffer, length) {
                return Ok(Some(length));
            }
        }
    }

    fn now(&self) -> Nanoseconds {
        self.link.now()
    }

    fn wait_until(&mut self, time: Nanoseconds) {
        self.link.wait_until(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fieldbus::link::testing::Echo;

    fn bad_wire(rates: FaultRates, seed: u64) -> FaultInjection<Echo> {
        FaultInjection::new(Echo::new(Nanoseconds(1_000)), rates, seed)
    }

    /// Sends one frame and takes everything that comes within 1 ms: (arrival in ns after sending, bytes).
    fn round_trip(link: &mut FaultInjection<Echo>) -> Vec<(u64, Vec<u8>)> {
        let begin = link.now();
        link.send(&[1, 2, 3, 4]).unwrap();
        let mut buffer = [0; MAX_FRAME_BYTES];
        let mut frames = Vec::new();
        while let Some(length) = link.receive(&mut buffer, begin.plus(Nanoseconds(1_000_000))).unwrap() {
            frames.push((link.now().since(begin).0, buffer[..length].to_vec()));
        }
        assert_eq!(link.now(), begin.plus(Nanoseconds(1_000_000)), "waited to the deadline, no longer");
        frames
    }

    #[test]
    fn each_scripted_fault_does_to_one_frame_what_it_says() {
        let whole = vec![1, 2, 3, 4];
        for (fault, expected) in [
            (Fault::DropSent, vec![]),
            (Fault::Drop, vec![]),
            (Fault::Delay(Nanoseconds(500_000)), vec![(501_000, whole.clone())]),
            (Fault::Duplicate, vec![(1_000, whole.clone()), (1_000, whole.clone())]),
            (Fault::Corrupt { byte: 2, mask: 0xF0 }, vec![(1_000, vec![1, 2, 0xF3, 4])]),
            (Fault::Truncate(3), vec![(1_000, vec![1, 2, 3])]),
        ] {
            let mut link = bad_wire(FaultRates::default(), 0);
            assert!(link.script(fault));
            assert_eq!(round_trip(&mut link), expected, "{fault:?}");
            assert_eq!(round_trip(&mut link), [(1_000, whole.clone())], "the frame after {fault:?}");
            assert_eq!(link.injected(), 1);
        }
    }

    #[test]
    fn a_frame_delayed_beyond_the_deadline_comes_in_a_later_receive() {
        let mut link = bad_wire(FaultRates::default(), 0);
        assert!(link.script(Fault::Delay(Nanoseconds(1_500_000))));
        assert_eq!(round_trip(&mut link), []);
        let arrivals: Vec<u64> = round_trip(&mut link).iter().map(|(time, _)| *time).collect();
        assert_eq!(arrivals, [1_000, 501_000]);
    }

    #[test]
    fn the_same_seed_gives_the_same_faults_and_rates_are_kept() {
        let rates = FaultRates { drop_ppm: 200_000, duplicate_ppm: 100_000, ..FaultRates::default() };
        let counts = |seed| {
            let mut link = bad_wire(rates, seed);
            (0..2_000).map(|_| round_trip(&mut link).len()).collect::<Vec<_>>()
        };
        let (first, again, other) = (counts(1), counts(1), counts(2));
        assert_eq!(first, again);
        assert_ne!(first, other);
        let share = |frames| first.iter().filter(|count| **count == frames).count();
        assert!((300..500).contains(&share(0)), "about a fifth is lost: {}", share(0));
        assert!((100..250).contains(&share(2)), "about a tenth of the rest is double: {}", share(2));
    }
}
