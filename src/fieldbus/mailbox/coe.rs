//! One CoE request as a sequence of messages: SDO upload and download (expedited, normal, segmented,
//! complete access) and SDO information. Makes the next message, takes the answer; nothing else.

use super::MailboxProblem;
use super::bytes::{put, u8_at, u16_at, u32_at};

/// CoE services (ETG.1000.6, table 26).
pub(super) const SERVICE_EMERGENCY: u16 = 1;
const SERVICE_SDO_REQUEST: u16 = 2;
const SERVICE_SDO_RESPONSE: u16 = 3;
const SERVICE_SDO_INFORMATION: u16 = 8;

/// CoE header: number and service.
pub(super) const COE_HEADER_BYTES: usize = 2;
/// Command, index, subindex, four bytes.
const SDO_BYTES: usize = 8;
/// Data bytes a segment has at least.
const SEGMENT_BYTES_MIN: usize = 7;
/// Opcode, reserved byte, fragments left.
const INFORMATION_HEADER_BYTES: usize = 4;

const COMPLETE_ACCESS: u8 = 1 << 4;
const COMMAND_ABORT: u8 = 0x80;
/// Abort code of a client that gives up: SDO protocol timed out.
const ABORT_TIMED_OUT: u32 = 0x0504_0000;

/// Which objects are listed (ETG.1000.6, table 43).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum ObjectList {
    /// How many there are of each kind.
    Counts = 0,
    /// All.
    All = 1,
    /// Those that can be mapped into outputs.
    Outputs = 2,
    /// Those that can be mapped into inputs.
    Inputs = 3,
}

/// What is asked of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Read an object.
    Upload {
        /// Index.
        index: u16,
        /// Subindex; with complete access 0 or 1: where it begins.
        subindex: u8,
        /// All subindices at once; subindex 0 then takes two bytes.
        complete: bool,
    },
    /// Write an object.
    Download {
        /// Index.
        index: u16,
        /// Subindex; with complete access 0 or 1: where it begins.
        subindex: u8,
        /// All subindices at once; subindex 0 then takes two bytes.
        complete: bool,
        /// Bytes to be written.
        length: usize,
    },
    /// Indices of objects.
    Objects {
        /// Which.
        list: ObjectList,
    },
    /// Name and kind of an object.
    Object {
        /// Index.
        index: u16,
    },
    /// Type, access and name of an entry.
    Entry {
        /// Index.
        index: u16,
        /// Subindex.
        subindex: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The request itself.
    First,
    /// A segment, with this toggle bit.
    Segment { toggle: bool },
    /// More fragments of an answer come by themselves; this many.
    Fragments { left: u16 },
    /// We give up and tell the device.
    Abort,
}

/// What an answer led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It does not belong to this request.
    NotOurs,
    /// A message has to be sent.
    Send,
    /// The next message comes by itself.
    Wait,
    /// Done; this many bytes were transferred.
    Done(usize),
    /// It failed, and the device knows.
    Failed(MailboxProblem),
    /// It failed, and the device should be told.
    Abort(MailboxProblem),
}

/// One request on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    request: Request,
    phase: Phase,
    /// Bytes transferred.
    done: usize,
    /// Bytes in the message sent last (download).
    in_message: usize,
    /// Bytes the device has announced (upload).
    announced: usize,
}

impl Transfer {
    pub(super) const fn new(request: Request) -> Self {
        Self { request, phase: Phase::First, done: 0, in_message: 0, announced: 0 }
    }

    /// Gives up: the next message is an abort.
    pub(super) const fn abort(&mut self) {
        self.phase = Phase::Abort;
    }

    pub(super) fn is_abort(&self) -> bool {
        self.phase == Phase::Abort
    }

    /// True when the device keeps a transfer open that it should be told about.
    pub(super) const fn is_segmented(&self) -> bool {
        matches!(self.phase, Phase::Segment { .. })
    }

    const fn object(&self) -> (u16, u8) {
        match self.request {
            Request::Upload { index, subindex, .. }
            | Request::Download { index, subindex, .. }
            | Request::Entry { index, subindex } => (index, subindex),
            Request::Object { index } => (index, 0),
            Request::Objects { .. } => (0, 0),
        }
    }

    /// Writes the next message into `body` (what follows the mailbox header, zeroed) and returns its length.
    /// `data` is what is downloaded.
    pub(super) fn write(&mut self, body: &mut [u8], data: &[u8]) -> usize {
        let service = match self.request {
            Request::Upload { .. } | Request::Download { .. } => SERVICE_SDO_REQUEST,
            Request::Objects { .. } | Request::Object { .. } | Request::Entry { .. } => {
                SERVICE_SDO_INFORMATION
            }
        };
        put(body, 0, &(service << 12).to_le_bytes());
        let room = body.len().saturating_sub(COE_HEADER_BYTES);
        let Some(message) = body.get_mut(COE_HEADER_BYTES..) else { return 0 };
        let length = match (self.request, self.phase) {
            (_, Phase::Abort) => {
                self.head(message, COMMAND_ABORT);
                put(message, 4, &ABORT_TIMED_OUT.to_le_bytes());
                SDO_BYTES
            }
            (Request::Upload { complete, .. }, Phase::First | Phase::Fragments { .. }) => {
                self.head(message, 0x40 | if complete { COMPLETE_ACCESS } else { 0 });
                SDO_BYTES
            }
            (Request::Upload { .. }, Phase::Segment { toggle }) => {
                put(message, 0, &[0x60 | u8::from(toggle) << 4]);
                SDO_BYTES
            }
            (Request::Download { complete, length, .. }, Phase::First | Phase::Fragments { .. }) => {
                self.write_download(message, room, data, complete, length)
            }
            (Request::Download { length, .. }, Phase::Segment { toggle }) => {
                self.write_segment(message, room, data, length, toggle)
            }
            (Request::Objects { list }, _) => {
                put(message, 0, &[1]);
                put(message, INFORMATION_HEADER_BYTES, &(list as u16).to_le_bytes());
                INFORMATION_HEADER_BYTES + 2
            }
            (Request::Object { index }, _) => {
                put(message, 0, &[3]);
                put(message, INFORMATION_HEADER_BYTES, &index.to_le_bytes());
                INFORMATION_HEADER_BYTES + 2
            }
            (Request::Entry { index, subindex }, _) => {
                put(message, 0, &[5]);
                put(message, INFORMATION_HEADER_BYTES, &index.to_le_bytes());
                // Value information 0: of all that can be asked for, the name alone.
                put(message, INFORMATION_HEADER_BYTES + 2, &[subindex, 0]);
                INFORMATION_HEADER_BYTES + 4
            }
        };
        COE_HEADER_BYTES + length
    }

    fn head(&self, message: &mut [u8], command: u8) {
        let (index, subindex) = self.object();
        let [low, high] = index.to_le_bytes();
        put(message, 0, &[command, low, high, subindex]);
    }

    fn write_download(
        &mut self,
        message: &mut [u8],
        room: usize,
        data: &[u8],
        complete: bool,
        length: usize,
    ) -> usize {
        let access = if complete { COMPLETE_ACCESS } else { 0 };
        if let 1..=4 = length {
            // Expedited, length indicated.
            let unused = u8::try_from(4 - length).unwrap_or(0);
            self.head(message, 0x23 | unused << 2 | access);
            put(message, 4, data.get(..length).unwrap_or(&[]));
            self.in_message = length;
            return SDO_BYTES;
        }
        self.head(message, 0x21 | access);
        put(message, 4, &u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        self.in_message = length.min(room.saturating_sub(SDO_BYTES));
        put(message, SDO_BYTES, data.get(..self.in_message).unwrap_or(&[]));
        SDO_BYTES + self.in_message
    }

    fn write_segment(
        &mut self,
        message: &mut [u8],
        room: usize,
        data: &[u8],
        length: usize,
        toggle: bool,
    ) -> usize {
        let rest = length.saturating_sub(self.done);
        self.in_message = rest.min(room.saturating_sub(1));
        let last = u8::from(self.in_message == rest);
        let unused = u8::try_from(SEGMENT_BYTES_MIN.saturating_sub(self.in_message)).unwrap_or(0);
        put(message, 0, &[u8::from(toggle) << 4 | unused << 1 | last]);
        let end = self.done.saturating_add(self.in_message);
        put(message, 1, data.get(self.done..end).unwrap_or(&[]));
        1 + self.in_message.max(SEGMENT_BYTES_MIN)
    }

    /// Takes an answer: what follows the mailbox header. Uploaded bytes go into `data`.
    pub(super) fn read(&mut self, body: &[u8], data: &mut [u8]) -> Step {
        let Some(service) = u16_at(body, 0).map(|header| header >> 12) else { return Step::NotOurs };
        let message = body.get(COE_HEADER_BYTES..).unwrap_or(&[]);
        match (self.request, service) {
            // A device may send its abort as a request of its own (ETG.1000.6, 5.6.2.7).
            (
                Request::Upload { .. } | Request::Download { .. },
                SERVICE_SDO_REQUEST | SERVICE_SDO_RESPONSE,
            ) if u8_at(message, 0).is_some_and(|command| command >> 5 == COMMAND_ABORT >> 5) => {
                self.read_abort(message)
            }
            (Request::Upload { .. }, SERVICE_SDO_RESPONSE) => self.read_upload(message, data),
            (Request::Download { length, .. }, SERVICE_SDO_RESPONSE) => self.read_download(message, length),
            (
                Request::Objects { .. } | Request::Object { .. } | Request::Entry { .. },
                SERVICE_SDO_INFORMATION,
            ) => self.read_information(message, data),
            _ => Step::NotOurs,
        }
    }

    /// True when the answer names our object; an answer to an older request that came too late does not.
    fn is_of_our_object(&self, message: &[u8]) -> bool {
        u16_at(message, 1).zip(u8_at(message, 3)) == Some(self.object())
    }

    fn read_abort(&self, message: &[u8]) -> Step {
        let Some(code) = u32_at(message, 4) else { return Step::Failed(MailboxProblem::Malformed) };
        // In a segmented transfer some devices leave index and subindex out.
        let is_ours = self.is_of_our_object(message) || self.is_segmented();
        if is_ours { Step::Failed(MailboxProblem::Aborted { code }) } else { Step::NotOurs }
    }

    fn read_upload(&mut self, message: &[u8], data: &mut [u8]) -> Step {
        let Some(command) = u8_at(message, 0) else { return Step::NotOurs };
        match self.phase {
            Phase::First if command >> 5 == 2 && self.is_of_our_object(message) => {
                let rest = message.get(4..).unwrap_or(&[]);
                if command & 0x02 != 0 {
                    let unused = if command & 0x01 != 0 { usize::from(command >> 2 & 3) } else { 0 };
                    let Some(value) = rest.get(..4 - unused) else {
                        return Step::Failed(MailboxProblem::Malformed);
                    };
                    return match self.keep(value, data) {
                        Ok(()) => Step::Done(self.done),
                        Err(problem) => Step::Failed(problem),
                    };
                }
                let Some(announced) = u32_at(rest, 0).and_then(|size| usize::try_from(size).ok()) else {
                    return Step::Failed(MailboxProblem::Malformed);
                };
                self.announced = announced;
                if announced > data.len() {
                    let problem = MailboxProblem::TooLong { bytes: announced, room: data.len() };
                    return Step::Abort(problem);
                }
                // What is behind the announced length is padding.
                let value = rest.get(4..).unwrap_or(&[]);
                let value = value.get(..announced).unwrap_or(value);
                if let Err(problem) = self.keep(value, data) {
                    return Step::Abort(problem);
                }
                if self.done == announced {
                    return Step::Done(self.done);
                }
                self.phase = Phase::Segment { toggle: false };
                Step::Send
            }
            Phase::Segment { toggle } if command >> 5 == 0 => {
                if (command & 0x10 != 0) != toggle {
                    return Step::Abort(MailboxProblem::Toggle);
                }
                let value = message.get(1..).unwrap_or(&[]);
                let unused = if value.len() == SEGMENT_BYTES_MIN { usize::from(command >> 1 & 7) } else { 0 };
                let value = value.get(..value.len().saturating_sub(unused)).unwrap_or(&[]);
                if let Err(problem) = self.keep(value, data) {
                    return Step::Abort(problem);
                }
                let (announced, sent) = (self.announced, self.done);
                if command & 0x01 != 0 {
                    if sent == announced {
                        return Step::Done(sent);
                    }
                    return Step::Failed(MailboxProblem::LengthDiffers { announced, sent });
                }
                // An endless transfer ends here: every segment brings a byte, or it is refused.
                if sent >= announced || value.is_empty() {
                    return Step::Abort(MailboxProblem::LengthDiffers { announced, sent });
                }
                self.phase = Phase::Segment { toggle: !toggle };
                Step::Send
            }
            Phase::First | Phase::Segment { .. } | Phase::Fragments { .. } | Phase::Abort => Step::NotOurs,
        }
    }

    fn read_download(&mut self, message: &[u8], length: usize) -> Step {
        let Some(command) = u8_at(message, 0) else { return Step::NotOurs };
        match self.phase {
            Phase::First if command >> 5 == 3 && self.is_of_our_object(message) => {
                self.done = self.in_message;
                if self.done >= length {
                    return Step::Done(length);
                }
                self.phase = Phase::Segment { toggle: false };
                Step::Send
            }
            Phase::Segment { toggle } if command >> 5 == 1 => {
                if (command & 0x10 != 0) != toggle {
                    return Step::Abort(MailboxProblem::Toggle);
                }
                self.done += self.in_message;
                if self.done >= length {
                    return Step::Done(length);
                }
                self.phase = Phase::Segment { toggle: !toggle };
                Step::Send
            }
            Phase::First | Phase::Segment { .. } | Phase::Fragments { .. } | Phase::Abort => Step::NotOurs,
        }
    }

    fn read_information(&mut self, message: &[u8], data: &mut [u8]) -> Step {
        let (Some(opcode), Some(left)) = (u8_at(message, 0).map(|byte| byte & 0x7F), u16_at(message, 2))
        else {
            return Step::NotOurs;
        };
        let content = message.get(INFORMATION_HEADER_BYTES..).unwrap_or(&[]);
        if opcode == 7 {
            let code = u32_at(content, 0);
            return Step::Failed(
                code.map_or(MailboxProblem::Malformed, |code| MailboxProblem::Aborted { code }),
            );
        }
        // The first fragment names what it describes.
        let names_ours = |wanted: u16| u16_at(content, 0) == Some(wanted);
        let is_first = !matches!(self.phase, Phase::Fragments { .. });
        let is_ours = match self.request {
            Request::Objects { list } => opcode == 2 && (!is_first || names_ours(list as u16)),
            Request::Object { index } => opcode == 4 && (!is_first || names_ours(index)),
            Request::Entry { index, subindex } => {
                opcode == 6 && (!is_first || (names_ours(index) && u8_at(content, 2) == Some(subindex)))
            }
            Request::Upload { .. } | Request::Download { .. } => false,
        };
        if !is_ours {
            return Step::NotOurs;
        }
        if let Phase::Fragments { left: expected } = self.phase
            && left.checked_add(1) != Some(expected)
        {
            return Step::Failed(MailboxProblem::Malformed);
        }
        if let Err(problem) = self.keep(content, data) {
            return Step::Failed(problem);
        }
        if left == 0 {
            return Step::Done(self.done);
        }
        self.phase = Phase::Fragments { left };
        Step::Wait
    }

    fn keep(&mut self, value: &[u8], data: &mut [u8]) -> Result<(), MailboxProblem> {
        let room = data.len();
        let end = self.done.saturating_add(value.len());
        let Some(target) = data.get_mut(self.done..end) else {
            return Err(MailboxProblem::TooLong { bytes: end, room });
        };
        target.copy_from_slice(value);
        self.done = end;
        Ok(())
    }
}
