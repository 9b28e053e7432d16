//! A link for unit tests: every frame comes back after a fixed time, in virtual time.

use std::collections::VecDeque;

use super::{FrameLink, LinkError};
use crate::units::Nanoseconds;

/// Gives every frame back unchanged after a round trip.
#[derive(Debug)]
pub(crate) struct Echo {
    now: Nanoseconds,
    round_trip: Nanoseconds,
    sent: usize,
    on_the_wire: VecDeque<(Nanoseconds, Vec<u8>)>,
}

impl Echo {
    pub(crate) const fn new(round_trip: Nanoseconds) -> Self {
        Self { now: Nanoseconds(0), round_trip, sent: 0, on_the_wire: VecDeque::new() }
    }

    pub(crate) const fn sent(&self) -> usize {
        self.sent
    }
}

impl FrameLink for Echo {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        self.sent += 1;
        self.on_the_wire.push_back((self.now.plus(self.round_trip), frame.to_vec()));
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Nanoseconds) -> Result<Option<usize>, LinkError> {
        let is_due = |(arrival, _): &mut (Nanoseconds, Vec<u8>)| *arrival <= deadline.max(self.now);
        let Some((arrival, frame)) = self.on_the_wire.pop_front_if(is_due) else {
            self.now = self.now.max(deadline);
            return Ok(None);
        };
        self.now = self.now.max(arrival);
        buffer[..frame.len()].copy_from_slice(&frame);
        Ok(Some(frame.len()))
    }

    fn now(&self) -> Nanoseconds {
        self.now
    }

    fn wait_until(&mut self, time: Nanoseconds) {
        self.now = self.now.max(time);
    }
}
