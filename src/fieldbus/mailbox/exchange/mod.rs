//! The mailbox of one SubDevice: which datagram is next, and what its answer means.
//!
//! ```text
//!            begin                     written
//! Listening ────────► Sending ──────────────────► Listening ── answer ──► done, or Sending (next segment)
//!     ▲                    └─ lost: the same message again, same counter; refused: first a read, because a
//!     │ acknowledged          device takes nothing while its own message waits, then again
//! AwaitingRepeat ◄── AskingRepeat ◄── a read was lost: the device is asked for its last message again
//! ```

use super::bytes::{put, u8_at, u16_at};
use super::coe::{COE_HEADER_BYTES, Request, SERVICE_EMERGENCY, Step, Transfer};
use super::emergency;
use super::{Emergency, MailboxProblem};
use crate::units::Nanoseconds;

/// Longest message that fits into a datagram of its own (ETG.1000.4: mailboxes up to 1486 bytes).
pub const MESSAGE_BYTES_MAX: usize = 1486;
/// Length, address, priority, type and counter.
const HEADER_BYTES: usize = 6;
/// Shortest mailbox an SDO fits in.
const MAILBOX_BYTES_MIN: usize = HEADER_BYTES + COE_HEADER_BYTES + 8;
const TYPE_ERROR: u8 = 0;
const TYPE_COE: u8 = 3;
/// Sync manager 1, activate register; its PDI control register follows.
const REPEAT_REQUEST: u16 = 0x080E;
const REPEAT_ACKNOWLEDGE: u16 = 0x080F;
const REPEAT_BIT: u8 = 1 << 1;
const ENABLE_BIT: u8 = 1 << 0;
/// How often the acknowledgement of a repeat is looked for. Some devices never acknowledge.
const REPEAT_LOOKS: u8 = 20;
/// How long an abort message may take to get rid of.
const ABORT_TIME: Nanoseconds = Nanoseconds(20_000_000);

/// Where the mailbox is in the memory of a SubDevice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Station address.
    pub station: u16,
    /// First byte and length of what the controller writes (sync manager 0).
    pub out: (u16, u16),
    /// First byte and length of what the controller reads (sync manager 1).
    pub inward: (u16, u16),
    /// State of the repeat request bit.
    pub repeat: bool,
}

impl Channel {
    /// From the registers of sync managers 0 and 1 (16 bytes at 0x0800); `None` when they are not an enabled
    /// mailbox of usable size.
    #[must_use]
    pub fn from_registers(station: u16, registers: &[u8; 16]) -> Option<Self> {
        // Control bits 0 to 3: mailbox (2), written (4) or read (0) by the controller.
        let area = |at: usize, mode: u8| {
            let (start, length) = (u16_at(registers, at)?, u16_at(registers, at + 2)?);
            let (control, activate) = (u8_at(registers, at + 4)?, u8_at(registers, at + 6)?);
            let fits = (MAILBOX_BYTES_MIN..=MESSAGE_BYTES_MAX).contains(&usize::from(length));
            (control & 0x0F == mode && activate & ENABLE_BIT != 0 && fits).then_some((start, length))
        };
        let repeat = u8_at(registers, 14)? & REPEAT_BIT != 0;
        Some(Self { station, out: area(0, 0x06)?, inward: area(8, 0x02)?, repeat })
    }
}

/// A register access of one SubDevice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datagram {
    /// Write the first `length` bytes of the scratch buffer.
    Write {
        /// Register or memory address.
        address: u16,
        /// Bytes.
        length: usize,
    },
    /// Read.
    Read {
        /// Register or memory address.
        address: u16,
        /// Bytes.
        length: usize,
    },
}

/// What came back for a [`Datagram`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Nothing: the frame, or its answer, was lost.
    Lost,
    /// Working counter 0: mailbox full (write) or empty (read).
    Refused,
    /// Done; what was read, empty for a write.
    Done(&'a [u8]),
}

/// What an answer led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing to tell.
    Nothing,
    /// The device sent an emergency.
    Emergency(Emergency),
    /// The request is done: bytes transferred, or why not.
    Done(Result<usize, MailboxProblem>),
}

/// What happened in a mailbox; each counts up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailboxCounters {
    /// Messages written.
    pub sent: u32,
    /// Messages read.
    pub received: u32,
    /// Emergencies among them.
    pub emergencies: u32,
    /// Messages that came twice.
    pub duplicate: u32,
    /// Messages nobody waited for, of other protocols, or without sense.
    pub unexpected: u32,
    /// Times the device was asked for its last message again.
    pub repeats: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Listening,
    Sending,
    AskingRepeat,
    AwaitingRepeat { looks: u8 },
}

/// The mailbox of one SubDevice.
#[derive(Clone, Copy, Debug)]
pub struct Mailbox {
    channel: Channel,
    state: State,
    transfer: Option<Transfer>,
    /// Why we gave up, while the device is being told.
    given_up: Option<MailboxProblem>,
    patience: Nanoseconds,
    deadline: Nanoseconds,
    sent_counter: u8,
    received_counter: u8,
    repeat: bool,
    /// The message was refused and is still to be written.
    unsent: bool,
    counters: MailboxCounters,
}

impl Mailbox {
    /// A mailbox nobody has used since the device left INIT.
    #[must_use]
    pub const fn new(channel: Channel) -> Self {
        Self {
            channel,
            state: State::Listening,
            transfer: None,
            given_up: None,
            patience: Nanoseconds(0),
            deadline: Nanoseconds(0),
            sent_counter: 0,
            received_counter: 0,
            repeat: channel.repeat,
            unsent: false,
            counters: MailboxCounters {
                sent: 0,
                received: 0,
                emergencies: 0,
                duplicate: 0,
                unexpected: 0,
                repeats: 0,
            },
        }
    }

    /// Somebody else has used the mailbox: the next message counts as new, whatever its number.
    pub const fn forget_received(&mut self) {
        self.received_counter = 0;
    }

    /// Number of the last message sent; 0: none.
    #[must_use]
    pub const fn last_sent(&self) -> u8 {
        self.sent_counter
    }

    /// Station address of the SubDevice.
    #[must_use]
    pub const fn station(&self) -> u16 {
        self.channel.station
    }

    /// Bytes of the mailboxes: what the controller writes, what it reads.
    #[must_use]
    pub const fn sizes(&self) -> (u16, u16) {
        (self.channel.out.1, self.channel.inward.1)
    }

    /// What has happened so far.
    #[must_use]
    pub const fn counters(&self) -> MailboxCounters {
        self.counters
    }

    /// True while a request is under way.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        self.transfer.is_some()
    }

    /// Counter of the last message sent, 1 to 7; 0: none.
    #[must_use]
    pub const fn sent_counter(&self) -> u8 {
        self.sent_counter
    }

    /// Begins a request at `now`. It fails when the device lets `patience` pass without one step forward.
    ///
    /// # Errors
    /// [`MailboxProblem::Busy`].
    pub fn begin(
        &mut self,
        request: Request,
        now: Nanoseconds,
        patience: Nanoseconds,
    ) -> Result<(), MailboxProblem> {
        if self.is_busy() {
            return Err(MailboxProblem::Busy);
        }
        self.transfer = Some(Transfer::new(request));
        self.patience = patience;
        self.deadline = now.plus(patience);
        self.send_next();
        Ok(())
    }

    /// A message that was not sent before: with the next counter, 1 to 7.
    const fn send_next(&mut self) {
        self.sent_counter = if self.sent_counter >= 7 { 1 } else { self.sent_counter + 1 };
        self.state = State::Sending;
        self.unsent = false;
    }

    /// The next datagram. For a write its bytes are in `scratch` ([`MESSAGE_BYTES_MAX`] long); `data` is what
    /// is downloaded. Without a request under way: one that takes whatever the device has to say.
    pub fn next(&mut self, data: &[u8], scratch: &mut [u8]) -> Datagram {
        let (address, length) = self.channel.inward;
        match (self.state, self.transfer.as_mut()) {
            (State::Sending, Some(transfer)) => {
                let (address, length) = self.channel.out;
                let length = usize::from(length).min(scratch.len());
                let message = scratch.get_mut(..length).unwrap_or(&mut []);
                message.fill(0);
                let written = message.get_mut(HEADER_BYTES..).map_or(0, |body| transfer.write(body, data));
                put(message, 0, &u16::try_from(written).unwrap_or(0).to_le_bytes());
                put(message, 5, &[TYPE_COE | self.sent_counter << 4]);
                Datagram::Write { address, length }
            }
            (State::AskingRepeat, _) => {
                put(scratch, 0, &[ENABLE_BIT | if self.repeat { REPEAT_BIT } else { 0 }]);
                Datagram::Write { address: REPEAT_REQUEST, length: 1 }
            }
            (State::AwaitingRepeat { .. }, _) => Datagram::Read { address: REPEAT_ACKNOWLEDGE, length: 1 },
            (State::Listening, _) | (State::Sending, None) => {
                Datagram::Read { address, length: usize::from(length) }
            }
        }
    }

    /// Takes the answer to the datagram from [`next`](Self::next). Uploaded bytes go into `data`.
    pub fn answer(&mut self, answer: Answer<'_>, data: &mut [u8], now: Nanoseconds) -> Event {
        let event = match (self.state, answer) {
            (State::Sending, Answer::Done(_)) => {
                self.counters.sent = self.counters.sent.saturating_add(1);
                self.state = State::Listening;
                self.unsent = false;
                self.given_up.take().map_or(Event::Nothing, |problem| self.end(Err(problem)))
            }
            (State::Sending, Answer::Refused) => {
                self.state = State::Listening;
                self.unsent = true;
                Event::Nothing
            }
            (State::Listening, Answer::Done(bytes)) => {
                let event = self.received(bytes, data, now);
                self.send_unsent();
                event
            }
            (State::Listening, Answer::Refused) => {
                self.send_unsent();
                Event::Nothing
            }
            (State::Listening, Answer::Lost) => {
                // The device may have sent its message into the lost frame.
                self.repeat = !self.repeat;
                self.counters.repeats = self.counters.repeats.saturating_add(1);
                self.state = State::AskingRepeat;
                Event::Nothing
            }
            (State::AskingRepeat, Answer::Done(_)) => {
                self.state = State::AwaitingRepeat { looks: REPEAT_LOOKS };
                Event::Nothing
            }
            (State::AwaitingRepeat { looks }, answer) => {
                let acknowledged = match answer {
                    Answer::Done(bytes) => {
                        u8_at(bytes, 0).is_some_and(|found| (found & REPEAT_BIT != 0) == self.repeat)
                    }
                    Answer::Lost | Answer::Refused => false,
                };
                self.state = if acknowledged || looks == 0 {
                    State::Listening
                } else {
                    State::AwaitingRepeat { looks: looks - 1 }
                };
                Event::Nothing
            }
            (State::Sending, Answer::Lost) | (State::AskingRepeat, Answer::Lost | Answer::Refused) => {
                Event::Nothing
            }
        };
        if matches!(event, Event::Done(_)) || !self.is_busy() || now < self.deadline {
            return event;
        }
        let ended = self.give_up(MailboxProblem::Timeout, now);
        // An emergency that came with the last answer must not get lost; the end is told with the next one.
        if event == Event::Nothing { ended } else { event }
    }

    /// Back to a message that was refused.
    fn send_unsent(&mut self) {
        if self.unsent && self.is_busy() {
            self.state = State::Sending;
        }
    }

    /// Ends a request without success; a device with an open transfer is told first.
    fn give_up(&mut self, problem: MailboxProblem, now: Nanoseconds) -> Event {
        let Some(transfer) = self.transfer.as_mut() else { return Event::Nothing };
        if transfer.is_abort() || !transfer.is_segmented() {
            let problem = self.given_up.take().unwrap_or(problem);
            return self.end(Err(problem));
        }
        self.abort(problem, now)
    }

    fn abort(&mut self, problem: MailboxProblem, now: Nanoseconds) -> Event {
        if let Some(transfer) = self.transfer.as_mut() {
            transfer.abort();
        }
        self.given_up = Some(problem);
        self.deadline = now.plus(ABORT_TIME);
        self.send_next();
        Event::Nothing
    }

    fn end(&mut self, result: Result<usize, MailboxProblem>) -> Event {
        self.transfer = None;
        self.given_up = None;
        self.unsent = false;
        self.state = State::Listening;
        Event::Done(result)
    }

    fn unexpected(&mut self) -> Event {
        self.counters.unexpected = self.counters.unexpected.saturating_add(1);
        Event::Nothing
    }

    fn received(&mut self, bytes: &[u8], data: &mut [u8], now: Nanoseconds) -> Event {
        self.counters.received = self.counters.received.saturating_add(1);
        let (Some(length), Some(kind)) = (u16_at(bytes, 0), u8_at(bytes, 5)) else {
            return self.unexpected();
        };
        let Some(body) = bytes.get(HEADER_BYTES..).and_then(|rest| rest.get(..usize::from(length))) else {
            return self.unexpected();
        };
        // Counter 0 is that of a device that does not count.
        let counter = kind >> 4 & 7;
        if counter != 0 && counter == self.received_counter {
            self.counters.duplicate = self.counters.duplicate.saturating_add(1);
            return Event::Nothing;
        }
        self.received_counter = counter;
        match kind & 0x0F {
            TYPE_COE if u16_at(body, 0).is_some_and(|header| header >> 12 == SERVICE_EMERGENCY) => {
                let Some(emergency) = body.get(COE_HEADER_BYTES..).and_then(emergency::parse) else {
                    return self.unexpected();
                };
                self.counters.emergencies = self.counters.emergencies.saturating_add(1);
                Event::Emergency(emergency)
            }
            TYPE_COE => self.coe(body, data, now),
            TYPE_ERROR if self.is_busy() => {
                let detail = u16_at(body, 2);
                self.end(Err(detail
                    .map_or(MailboxProblem::Malformed, |detail| MailboxProblem::MessageRefused { detail })))
            }
            _ => self.unexpected(),
        }
    }

    fn coe(&mut self, body: &[u8], data: &mut [u8], now: Nanoseconds) -> Event {
        let Some(transfer) = self.transfer.as_mut() else { return self.unexpected() };
        match transfer.read(body, data) {
            Step::NotOurs => self.unexpected(),
            Step::Send => {
                self.deadline = now.plus(self.patience);
                self.send_next();
                Event::Nothing
            }
            Step::Wait => {
                self.deadline = now.plus(self.patience);
                Event::Nothing
            }
            Step::Done(length) => self.end(Ok(length)),
            Step::Failed(problem) => self.end(Err(problem)),
            Step::Abort(problem) => self.abort(problem, now),
        }
    }
}

#[cfg(test)]
mod tests;
