//! What goes wrong in a mailbox, and what that makes of its answers.

use crate::units::Nanoseconds;

use super::faults::MailboxFault;
use super::process_data::MAILBOX_BYTES;
use super::wire::{put, put_u8, put_u16, u8_at, u16_at};

/// First byte of an SDO message behind mailbox and CoE header.
const SDO: usize = 8;

/// Faults in force.
#[derive(Clone, Debug, Default)]
pub(super) struct MailboxFaults {
    mute: u32,
    late: (u32, Nanoseconds),
    wrong_counter: u32,
    wrong_index: u32,
    wrong_toggle: u32,
    pub(super) stuck: bool,
    pub(super) unpadded: bool,
    abort: Option<(Option<u16>, u32)>,
    instead: (u32, u16),
    flood: Option<(Nanoseconds, u16)>,
    next_flood: Nanoseconds,
    /// An answer that comes late, and when.
    waiting: Option<(Nanoseconds, Answer)>,
}

/// A message as it goes into the mailbox: everything but length and counter.
pub(super) type Answer = ([u8; MAILBOX_BYTES as usize], u8, usize);

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnswerFate {
    /// It is sent; its counter is off by so much.
    Sent { counter_off: u8 },
    /// It is never sent.
    Lost,
    /// An emergency with this code is sent in its place.
    Emergency { code: u16 },
    /// It is sent after this time.
    Late { delay: Nanoseconds },
}

fn take(count: &mut u32) -> bool {
    let some = *count > 0;
    *count = count.saturating_sub(1);
    some
}

impl MailboxFaults {
    pub(super) fn inject(&mut self, fault: MailboxFault, now: Nanoseconds) {
        match fault {
            MailboxFault::Mute { count } => self.mute = count,
            MailboxFault::Late { count, delay } => self.late = (count, delay),
            MailboxFault::WrongCounter { count } => self.wrong_counter = count,
            MailboxFault::WrongIndex { count } => self.wrong_index = count,
            MailboxFault::WrongToggle { count } => self.wrong_toggle = count,
            MailboxFault::Stuck { stuck } => self.stuck = stuck,
            MailboxFault::Unpadded { unpadded } => self.unpadded = unpadded,
            MailboxFault::Abort { index, code } => self.abort = (code != 0).then_some((index, code)),
            MailboxFault::EmergencyInstead { count, code } => self.instead = (count, code),
            MailboxFault::EmergencyFlood { period, code } => {
                self.flood = (period.0 > 0).then_some((period, code));
                self.next_flood = now;
            }
        }
    }

    /// The abort code for an SDO request (what follows the CoE header), when it is to be aborted.
    pub(super) fn abort_of(&self, request: &[u8]) -> Option<u32> {
        let (index, code) = self.abort?;
        // Segments carry no index.
        let is_first = matches!(u8_at(request, 0) >> 5, 1 | 2);
        (is_first && index.is_none_or(|index| index == u16_at(request, 1))).then_some(code)
    }

    /// Changes an SDO answer as it lies in `buffer`, and says what becomes of it.
    pub(super) fn fate(&mut self, buffer: &mut [u8]) -> AnswerFate {
        let specifier = u8_at(buffer, SDO) >> 5;
        if specifier == 0 && take(&mut self.wrong_toggle) {
            let command = u8_at(buffer, SDO) ^ 0x10;
            put_u8(buffer, SDO, command);
        }
        if matches!(specifier, 2 | 3) && take(&mut self.wrong_index) {
            let index = u16_at(buffer, SDO + 1) ^ 1;
            put_u16(buffer, SDO + 1, index);
        }
        if take(&mut self.mute) {
            return AnswerFate::Lost;
        }
        if take(&mut self.instead.0) {
            return AnswerFate::Emergency { code: self.instead.1 };
        }
        if take(&mut self.late.0) {
            return AnswerFate::Late { delay: self.late.1 };
        }
        AnswerFate::Sent { counter_off: if take(&mut self.wrong_counter) { 3 } else { 0 } }
    }

    /// Keeps an answer until `due`.
    pub(super) fn wait(&mut self, due: Nanoseconds, buffer: &[u8], kind: u8, length: usize) {
        let mut message = [0; MAILBOX_BYTES as usize];
        put(&mut message, 0, buffer);
        self.waiting = Some((due, (message, kind, length)));
    }

    /// An answer waits for its time: nothing else is answered before it.
    pub(super) const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Something is due by itself.
    pub(super) fn is_due(&self, now: Nanoseconds) -> bool {
        self.waiting.as_ref().is_some_and(|(due, _)| now >= *due)
            || self.flood.is_some() && now >= self.next_flood
    }

    /// The answer that is due.
    pub(super) fn take_due(&mut self, now: Nanoseconds) -> Option<Answer> {
        self.waiting.take_if(|(due, _)| now >= *due).map(|(_, answer)| answer)
    }

    /// The code of an emergency of the flood that is due.
    pub(super) fn take_flood(&mut self, now: Nanoseconds) -> Option<u16> {
        let (period, code) = self.flood.filter(|_| now >= self.next_flood)?;
        self.next_flood = now.plus(period);
        Some(code)
    }
}
