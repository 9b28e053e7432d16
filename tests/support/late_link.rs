//! A link on a host that wakes late and is held up on the way to the wire.

use motiond::fieldbus::{FrameLink, LinkError};
use motiond::units::Nanoseconds;

/// Adds to every wake-up, and between the wake-up and the wire.
pub(crate) struct LateLink<L, W, S> {
    pub(crate) link: L,
    pub(crate) wakes_late: W,
    pub(crate) sends_late: S,
}

impl<L: FrameLink, W: FnMut() -> u64, S: FnMut() -> u64> FrameLink for LateLink<L, W, S> {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        let held_up = Nanoseconds((self.sends_late)());
        self.link.wait_until(self.link.now().plus(held_up));
        self.link.send(frame)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Nanoseconds) -> Result<Option<usize>, LinkError> {
        self.link.receive(buffer, deadline)
    }

    fn now(&self) -> Nanoseconds {
        self.link.now()
    }

    fn wait_until(&mut self, time: Nanoseconds) {
        self.link.wait_until(time.plus(Nanoseconds((self.wakes_late)())));
    }
}
