//! The mailboxes of a bus in operation: one transfer at a time for the whole bus, one datagram a step, and
//! in between a look into each mailbox for what devices say by themselves.

use super::MailboxProblem;
use super::coe::Request;
use super::datagram::{Scratch, exchange};
use super::emergency::{EmergencyRing, StampedEmergency};
use super::exchange::{Event, MESSAGE_BYTES_MAX, Mailbox};
use crate::bus_health::mailbox::OBJECT_BYTES_MAX;
use crate::devices::MAX_SUBDEVICES;
use crate::fieldbus::frame_pump::FramePump;
use crate::fieldbus::link::FrameLink;
use crate::units::Nanoseconds;

/// What a mailbox step led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailboxEvent {
    /// Nothing to tell.
    Nothing,
    /// A device sent an emergency.
    Emergency(StampedEmergency),
    /// The transfer is done: bytes transferred, or why not.
    Done(Result<usize, MailboxProblem>),
}

/// All mailboxes of a bus with the buffers they share. Made once, at bring-up.
#[derive(Debug)]
pub(in crate::fieldbus) struct MailboxRoom {
    mailboxes: [Option<Mailbox>; MAX_SUBDEVICES],
    emergencies: EmergencyRing,
    /// The device whose transfer is under way.
    active: Option<usize>,
    /// The device that is looked at next.
    listened: usize,
    scratch: Scratch,
    #[expect(clippy::disallowed_types, reason = "made once, at bring-up")]
    data: Box<[u8]>,
}

impl MailboxRoom {
    #[expect(clippy::disallowed_macros, reason = "once, at bring-up")]
    pub(in crate::fieldbus) fn new(
        mailboxes: [Option<Mailbox>; MAX_SUBDEVICES],
        emergencies: EmergencyRing,
    ) -> Self {
        Self {
            mailboxes,
            emergencies,
            active: None,
            listened: 0,
            scratch: [0; MESSAGE_BYTES_MAX],
            data: vec![0; OBJECT_BYTES_MAX].into_boxed_slice(),
        }
    }

    pub(in crate::fieldbus) const fn emergencies(&self) -> &EmergencyRing {
        &self.emergencies
    }

    /// The mailbox of a device, for its counters.
    pub(in crate::fieldbus) fn mailbox(&self, position: usize) -> Option<&Mailbox> {
        self.mailboxes.get(position)?.as_ref()
    }

    /// What was uploaded last.
    pub(in crate::fieldbus) fn data(&self) -> &[u8] {
        &self.data
    }

    /// Puts part of what a download will write into the buffer.
    pub(in crate::fieldbus) fn load(&mut self, offset: usize, bytes: &[u8]) -> Result<(), MailboxProblem> {
        if self.active.is_some() {
            return Err(MailboxProblem::Busy);
        }
        let (end, room) = (offset.saturating_add(bytes.len()), self.data.len());
        let Some(target) = self.data.get_mut(offset..end) else {
            return Err(MailboxProblem::TooLong { bytes: end, room });
        };
        target.copy_from_slice(bytes);
        Ok(())
    }

    pub(in crate::fieldbus) fn begin(
        &mut self,
        position: usize,
        request: Request,
        now: Nanoseconds,
        patience: Nanoseconds,
    ) -> Result<(), MailboxProblem> {
        if self.active.is_some() {
            return Err(MailboxProblem::Busy);
        }
        let mailbox = self.mailboxes.get_mut(position).and_then(Option::as_mut);
        mailbox.ok_or(MailboxProblem::NoMailbox)?.begin(request, now, patience)?;
        self.active = Some(position);
        Ok(())
    }

    pub(in crate::fieldbus) fn step<L: FrameLink>(
        &mut self,
        pump: &mut FramePump<L>,
        deadline: Nanoseconds,
    ) -> MailboxEvent {
        let Some(position) = self.active.or_else(|| self.next_to_listen_to()) else {
            return MailboxEvent::Nothing;
        };
        let Some(mailbox) = self.mailboxes.get_mut(position).and_then(Option::as_mut) else {
            self.active = None;
            return MailboxEvent::Done(Err(MailboxProblem::NoMailbox));
        };
        let datagram = mailbox.next(&self.data, &mut self.scratch);
        let answer = exchange(pump, mailbox.station(), datagram, &mut self.scratch, deadline);
        let now = pump.link().now();
        match mailbox.answer(answer, &mut self.data, now) {
            Event::Nothing => MailboxEvent::Nothing,
            Event::Emergency(emergency) => {
                let stamped = StampedEmergency { at: now, position, emergency };
                self.emergencies.push(stamped);
                MailboxEvent::Emergency(stamped)
            }
            Event::Done(result) => {
                self.active = None;
                MailboxEvent::Done(result)
            }
        }
    }

    /// The next device with a mailbox, in turn.
    fn next_to_listen_to(&mut self) -> Option<usize> {
        for offset in 1..=MAX_SUBDEVICES {
            let position = (self.listened + offset) % MAX_SUBDEVICES;
            if self.mailboxes.get(position).is_some_and(Option::is_some) {
                self.listened = position;
                return Some(position);
            }
        }
        None
    }
}
