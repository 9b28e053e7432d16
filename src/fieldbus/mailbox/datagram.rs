//! A [`Datagram`] over the wire: one frame, one answer, and an end at the deadline.

use super::exchange::{Answer, Channel, Datagram, MESSAGE_BYTES_MAX, Mailbox};
use crate::fieldbus::frame_pump::FramePump;
use crate::fieldbus::link::FrameLink;
use crate::fieldbus::registers::{self, RegisterError};
use crate::units::Nanoseconds;

/// Room for one message.
pub(in crate::fieldbus) type Scratch = [u8; MESSAGE_BYTES_MAX];

/// Sync managers 0 and 1.
const SYNC_MANAGERS: u16 = 0x0800;

/// The mailbox of a SubDevice in PRE-OP or above; `None` when it has none.
pub(in crate::fieldbus) fn open<L: FrameLink>(
    pump: &mut FramePump<L>,
    station: u16,
    deadline: Nanoseconds,
) -> Option<Mailbox> {
    let mut registers = [0; 16];
    registers::read_at_station(pump, station, SYNC_MANAGERS, &mut registers, deadline).ok()?;
    Channel::from_registers(station, &registers).map(Mailbox::new)
}

/// Sends `datagram` to the SubDevice at `station` and waits for its answer until `deadline`. What is written
/// is taken from `scratch`, what is read is put there.
///
/// `deadline` must be nearer than ethercrab's own time-out for a frame: a mailbox is emptied by reading it, so
/// ethercrab's silent second try would find nothing and the message would be gone.
///
/// # Real-time
/// No allocation. Ends at the deadline.
pub(in crate::fieldbus) fn exchange<'a, L: FrameLink>(
    pump: &mut FramePump<L>,
    station: u16,
    datagram: Datagram,
    scratch: &'a mut Scratch,
    deadline: Nanoseconds,
) -> Answer<'a> {
    let (result, length) = match datagram {
        Datagram::Write { address, length } => {
            let bytes = scratch.get(..length).unwrap_or(&[]);
            (registers::write_at_station(pump, station, address, bytes, deadline), 0)
        }
        Datagram::Read { address, length } => {
            let target = scratch.get_mut(..length).unwrap_or(&mut []);
            (registers::read_at_station(pump, station, address, target, deadline), length)
        }
    };
    match result {
        Ok(()) => Answer::Done(scratch.get(..length).unwrap_or(&[])),
        Err(RegisterError::Refused(ethercrab::error::Error::WorkingCounter { .. })) => Answer::Refused,
        Err(RegisterError::Elapsed | RegisterError::Refused(_)) => Answer::Lost,
    }
}
