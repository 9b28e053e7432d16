//! The in-process segment as a link: frames go into the simulated segment and come back after its
//! propagation delay. Time is virtual: it is the number of sent cycles, either as fast as the machine
//! can or paced to the wall clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::fieldbus::link::{FrameLink, LinkError, MAX_FRAME_BYTES};
use crate::platform::clock;
use crate::simulator::Segment;
use crate::units::Nanoseconds;

/// Frames that may be under way at once.
const FRAMES_MAX: usize = 32;
/// Time from sending a frame to having it back, besides the segment's own processing delay.
const WIRE_DELAY: Nanoseconds = Nanoseconds(20_000);

/// How virtual time passes.
#[derive(Clone, Debug)]
pub enum Pace {
    /// As fast as the machine can.
    Virtual,
    /// Not faster than the wall clock. A stall shifts the origin: cycles are never sent in a burst.
    WallClock {
        /// A wake-up later than this counts as late.
        late_after: Nanoseconds,
        /// Late wake-ups so far.
        late: Arc<AtomicU64>,
    },
}

/// A simulated segment behind a [`FrameLink`].
#[derive(Debug)]
pub struct SimulatedLink {
    segment: Segment,
    now: Nanoseconds,
    pace: Pace,
    /// Wall clock minus virtual time; set with the first wait.
    origin: Option<u64>,
    /// Ring of answers on their way back, oldest at `first`.
    answers: Vec<Answer>,
    first: usize,
    count: usize,
    /// The network interface refuses to send and to receive.
    is_down: bool,
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    arrives: Nanoseconds,
    length: usize,
    bytes: [u8; MAX_FRAME_BYTES],
}

impl SimulatedLink {
    /// A link to `segment`, at time zero.
    #[must_use]
    pub fn new(segment: Segment, pace: Pace) -> Self {
        let empty = Answer { arrives: Nanoseconds(0), length: 0, bytes: [0; MAX_FRAME_BYTES] };
        Self {
            segment,
            now: Nanoseconds(0),
            pace,
            origin: None,
            answers: vec![empty; FRAMES_MAX],
            first: 0,
            count: 0,
            is_down: false,
        }
    }

    /// The segment, to look at and to inject into.
    pub const fn segment_mut(&mut self) -> &mut Segment {
        &mut self.segment
    }

    /// The segment, to look at.
    #[must_use]
    pub const fn segment(&self) -> &Segment {
        &self.segment
    }

    /// The second one of a frame that was duplicated travels behind the first.
    fn take_double(&mut self) {
        let arrives = self.now.plus(WIRE_DELAY);
        if let Some(answer) = self.answers.get_mut((self.first + self.count) % FRAMES_MAX)
            && self.count < FRAMES_MAX
            && let Some(length) = self.segment.next_returned_frame(self.now, &mut answer.bytes)
        {
            (answer.length, answer.arrives) = (length, arrives);
            self.count += 1;
        }
    }

    /// Lets the network interface fail as one that is down does, or work again.
    pub const fn set_down(&mut self, down: bool) {
        self.is_down = down;
    }

    fn pass_time(&mut self, until: Nanoseconds) {
        if until > self.now {
            self.segment.advance_to(until);
            self.now = until;
        }
    }

    /// Lets the wall clock catch up with virtual time; when it is ahead, moves the origin instead.
    fn pace_to_wall_clock(&mut self) {
        let Pace::WallClock { late_after, late } = &self.pace else { return };
        let wall = clock::now();
        let origin = *self.origin.get_or_insert_with(|| wall.0.saturating_sub(self.now.0));
        let due = Nanoseconds(origin.saturating_add(self.now.0));
        if wall < due {
            clock::sleep_until(due);
        }
        let behind = clock::now().since(due);
        if behind > *late_after {
            late.fetch_add(1, Ordering::Relaxed);
            self.origin = Some(origin.saturating_add(behind.0));
        }
    }
}

impl FrameLink for SimulatedLink {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        if self.is_down {
            return Err(LinkError::Down);
        }
        if self.count == FRAMES_MAX || self.segment.refuses_frame() {
            return Err(LinkError::Full);
        }
        let Some(answer) = self.answers.get_mut((self.first + self.count) % FRAMES_MAX) else {
            return Err(LinkError::Full);
        };
        let Some(bytes) = answer.bytes.get_mut(..frame.len()) else { return Err(LinkError::TooLong) };
        bytes.copy_from_slice(frame);
        if self.segment.process_frame(bytes, self.now) {
            answer.length = frame.len();
            answer.arrives = self.now.plus(WIRE_DELAY);
            self.count += 1;
            self.take_double();
        }
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Nanoseconds) -> Result<Option<usize>, LinkError> {
        if self.is_down {
            self.pass_time(deadline);
            return Err(LinkError::Down);
        }
        // Frames that injected faults have duplicated or delayed come by themselves.
        if let Some(length) = self.segment.next_returned_frame(self.now, buffer) {
            return Ok(Some(length));
        }
        let next = self.answers.get(self.first).filter(|_| self.count > 0);
        let Some(answer) = next.filter(|answer| answer.arrives <= deadline.max(self.now)) else {
            self.pass_time(deadline);
            return Ok(self.segment.next_returned_frame(self.now, buffer));
        };
        let (arrives, length) = (answer.arrives, answer.length);
        let (Some(source), Some(target)) = (answer.bytes.get(..length), buffer.get_mut(..length)) else {
            return Err(LinkError::TooLong);
        };
        target.copy_from_slice(source);
        self.first = (self.first + 1) % FRAMES_MAX;
        self.count -= 1;
        self.pass_time(arrives);
        Ok(Some(length))
    }

    fn now(&self) -> Nanoseconds {
        self.now
    }

    fn wait_until(&mut self, time: Nanoseconds) {
        self.pass_time(time);
        self.pace_to_wall_clock();
    }
}
