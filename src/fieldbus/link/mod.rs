//! The wire: whatever carries Ethernet frames to the SubDevices and back, and the clock that belongs to it.
//! Knows nothing of EtherCAT datagrams.

pub mod capture;
pub mod fault_injection;
mod looking;
pub mod raw_socket;
pub mod replay;
#[cfg(test)]
pub(crate) mod testing;

use crate::units::Nanoseconds;

/// Longest Ethernet frame without its check sequence.
pub const MAX_FRAME_BYTES: usize = 1514;

/// Why a link could not send or receive. The frame concerned is lost; the link stays usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The interface is down or its cable is out.
    #[error("the network interface is down")]
    Down,
    /// The send queue is full.
    #[error("the send queue of the network interface is full")]
    Full,
    /// The frame is longer than [`MAX_FRAME_BYTES`].
    #[error("the frame is too long")]
    TooLong,
    /// The operating system refused, with its error number.
    #[error("the operating system refused: error number {0}")]
    System(i32),
}

/// A way to the SubDevices: a network interface, or a simulated segment in the same process.
///
/// The link owns the clock, because only it knows whether time is real or virtual: in virtual time
/// waiting for a frame that does not come *is* what makes time pass.
///
/// # Real-time
/// No method allocates. `send` and `now` never wait; `receive` and `wait_until` wait at most until the
/// given time.
pub trait FrameLink {
    /// Sends one Ethernet frame (destination, source, type, payload; no check sequence).
    ///
    /// # Errors
    /// The frame could not be handed over. `Ok` does not mean that anybody received it.
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError>;

    /// Takes the next frame, waiting for it until `deadline` on the clock of [`now`](Self::now).
    ///
    /// Returns its length in `buffer` ([`MAX_FRAME_BYTES`] long), or `None` when the deadline has
    /// passed. A deadline in the past takes what has already arrived. In virtual time the clock then
    /// stands at the arrival of the frame, or at the deadline.
    ///
    /// # Errors
    /// The link failed; the caller counts it and may go on.
    fn receive(&mut self, buffer: &mut [u8], deadline: Nanoseconds) -> Result<Option<usize>, LinkError>;

    /// The clock of this link: `CLOCK_MONOTONIC`, or virtual time. Never runs backwards.
    fn now(&self) -> Nanoseconds;

    /// Waits until `time`; returns at once when it has passed. Frames that arrive meanwhile are kept.
    fn wait_until(&mut self, time: Nanoseconds);
}

impl<L: FrameLink + ?Sized> FrameLink for &mut L {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        (**self).send(frame)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Nanoseconds) -> Result<Option<usize>, LinkError> {
        (**self).receive(buffer, deadline)
    }

    fn now(&self) -> Nanoseconds {
        (**self).now()
    }

    fn wait_until(&mut self, time: Nanoseconds) {
        (**self).wait_until(time);
    }
}

#[expect(clippy::disallowed_types, reason = "forwards to a link somebody boxed at start; allocates nothing")]
impl<L: FrameLink + ?Sized> FrameLink for Box<L> {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        (**self).send(frame)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Nanoseconds) -> Result<Option<usize>, LinkError> {
        (**self).receive(buffer, deadline)
    }

    fn now(&self) -> Nanoseconds {
        (**self).now()
    }

    fn wait_until(&mut self, time: Nanoseconds) {
        (**self).wait_until(time);
    }
}
