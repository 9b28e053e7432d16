//! What goes wrong with frames beyond single counted faults: chance, order, shape, time.

use crate::units::Nanoseconds;

use super::super::faults::{Flapping, FrameFault};
use super::super::frame::HEADERS_BYTES;
use super::super::random::Random;
use super::super::wire::{put_u8, u8_at};
use super::take_one;

/// Random sequence of lost frames.
const DROP_STREAM: u64 = 0x3000;
/// Index of datagrams nobody has sent: controllers count theirs up from zero and seldom come so far.
const FOREIGN_INDEX: u8 = 0xF7;

/// What becomes of a frame on its way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It comes back.
    Returns,
    /// It is lost.
    Lost,
    /// It comes back with others or later: each when it is due, in this order.
    Instead(Vec<(Nanoseconds, Vec<u8>)>),
    /// It waits for the next one.
    Waits,
}

/// Faults in force.
#[derive(Clone, Debug)]
pub(super) struct FrameFaults {
    random: Random,
    drop_random: (u32, u16),
    truncate: (u32, usize),
    swap: u32,
    waiting: Option<Vec<u8>>,
    foreign: u32,
    nop: u32,
    stalled_until: Nanoseconds,
    down_until: Nanoseconds,
    refuse: u32,
    flapping: Option<Flapping>,
    next_flap: Nanoseconds,
    is_flapped_off: bool,
}

/// What a bad contact does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contact {
    Lost { position: usize },
    Back,
}

impl FrameFaults {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed, DROP_STREAM),
            drop_random: (0, 0),
            truncate: (0, 0),
            swap: 0,
            waiting: None,
            foreign: 0,
            nop: 0,
            stalled_until: Nanoseconds(0),
            down_until: Nanoseconds(0),
            refuse: 0,
            flapping: None,
            next_flap: Nanoseconds(0),
            is_flapped_off: false,
        }
    }

    pub(super) fn inject(&mut self, fault: FrameFault, now: Nanoseconds) {
        match fault {
            FrameFault::DropRandom { count, per_mille } => self.drop_random = (count, per_mille),
            FrameFault::Truncate { count, bytes } => self.truncate = (count, bytes),
            FrameFault::Swap { count } => self.swap = count,
            FrameFault::Foreign { count } => self.foreign = count,
            FrameFault::Nop { count } => self.nop = count,
            FrameFault::Stall { lasts } => self.stalled_until = now.plus(lasts),
            FrameFault::LinkDown { lasts } => self.down_until = now.plus(lasts),
            FrameFault::RefuseSending { count } => self.refuse = count,
        }
    }

    pub(super) const fn flap(&mut self, flapping: Flapping, now: Nanoseconds) {
        self.flapping = Some(flapping);
        self.next_flap = now;
        self.is_flapped_off = false;
    }

    /// What the bad contact does at `now`, if anything.
    pub(super) fn contact(&mut self, now: Nanoseconds) -> Option<Contact> {
        let flapping = self.flapping.as_mut().filter(|_| now >= self.next_flap)?;
        self.next_flap = now.plus(flapping.period);
        self.is_flapped_off = !self.is_flapped_off;
        if self.is_flapped_off {
            if take_one(&mut flapping.count) {
                return Some(Contact::Lost { position: flapping.position });
            }
            self.flapping = None;
            return None;
        }
        Some(Contact::Back)
    }

    /// The link is down at `now`.
    pub(super) fn is_down(&self, now: Nanoseconds) -> bool {
        now < self.down_until
    }

    /// Takes one of the frames that are refused when they are sent.
    pub(super) const fn takes_refusal(&mut self) -> bool {
        take_one(&mut self.refuse)
    }

    /// What becomes of `frame`, which would come back at `now`.
    pub(super) fn fate(&mut self, frame: &mut [u8], now: Nanoseconds) -> Fate {
        if take_one(&mut self.drop_random.0) && self.random.next() % 1000 < u64::from(self.drop_random.1) {
            return Fate::Lost;
        }
        if take_one(&mut self.nop) {
            put_u8(frame, HEADERS_BYTES, 0);
        }
        if let Some(earlier) = self.waiting.take() {
            return Fate::Instead(vec![(now, frame.to_vec()), (now, earlier)]);
        }
        if take_one(&mut self.swap) {
            self.waiting = Some(frame.to_vec());
            return Fate::Waits;
        }
        if take_one(&mut self.truncate.0) {
            let bytes = frame.get(..self.truncate.1).unwrap_or(frame);
            return Fate::Instead(vec![(now, bytes.to_vec())]);
        }
        if take_one(&mut self.foreign) {
            let mut foreign = frame.to_vec();
            let index = u8_at(frame, HEADERS_BYTES + 1) ^ FOREIGN_INDEX;
            put_u8(&mut foreign, HEADERS_BYTES + 1, index);
            return Fate::Instead(vec![(now, foreign), (now, frame.to_vec())]);
        }
        if now < self.stalled_until {
            return Fate::Instead(vec![(self.stalled_until, frame.to_vec())]);
        }
        Fate::Returns
    }
}
