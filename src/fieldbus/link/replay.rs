//! A recorded bus as a link: whoever sends the frames of the recording gets its answers, at its times. What
//! went wrong on a machine goes wrong again here, as often as one likes.

#![expect(clippy::disallowed_types, reason = "reads a file; not used with drives")]

use std::fmt;

use super::capture::FrameDirection;
use super::{FrameLink, LinkError};
use crate::units::Nanoseconds;

/// Frames of a recording that are passed over to find the one that is sent.
const SKIPPED_MAX: usize = 8;
/// First byte of the first datagram, and bytes of a datagram besides its data.
const FIRST_DATAGRAM: usize = 16;
const DATAGRAM_OVERHEAD: usize = 12;

/// Why a file is no recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayError {
    /// Byte in the file.
    pub offset: usize,
    /// What is wrong there.
    pub message: String,
}

impl std::error::Error for ReplayError {}

impl fmt::Display for ReplayError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "byte {}: {}; use a pcapng file as this program or Wireshark writes it",
            self.offset, self.message
        )
    }
}

#[derive(Clone, Debug)]
struct Recorded {
    time: Nanoseconds,
    direction: FrameDirection,
    bytes: Vec<u8>,
}

/// A recording that answers.
#[derive(Clone, Debug)]
pub struct Replay {
    frames: Vec<Recorded>,
    /// The next frame of the recording.
    next: usize,
    /// Answers to what was sent, due when their time has come.
    due: std::collections::VecDeque<usize>,
    now: Nanoseconds,
    strangers: u64,
}

impl Replay {
    /// Reads a pcapng file with one Ethernet interface; directions are those of the controller.
    ///
    /// # Errors
    /// The file is none, is damaged, or says nothing about directions.
    pub fn from_pcapng(file: &[u8]) -> Result<Self, ReplayError> {
        let frames = read_frames(file)?;
        let now = frames.first().map_or(Nanoseconds(0), |frame| frame.time);
        Ok(Self { frames, next: 0, due: std::collections::VecDeque::new(), now, strangers: 0 })
    }

    /// Frames sent that are not in the recording at this place.
    #[must_use]
    pub const fn strangers(&self) -> u64 {
        self.strangers
    }
}

/// True when both frames carry the same datagrams: commands, indices, addresses, lengths. Data may differ:
/// times are written, for one.
fn same_datagrams(sent: &[u8], recorded: &[u8]) -> bool {
    if sent.len() != recorded.len() {
        return false;
    }
    let mut at = FIRST_DATAGRAM;
    while at + DATAGRAM_OVERHEAD <= sent.len() {
        let (Some(ours), Some(theirs)) = (sent.get(at..at + 8), recorded.get(at..at + 8)) else {
            return false;
        };
        if ours != theirs {
            return false;
        }
        let &[.., low, high] = ours else { return false };
        at += DATAGRAM_OVERHEAD + usize::from(u16::from_le_bytes([low, high]) & 0x07FF);
    }
    true
}

impl FrameLink for Replay {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        let sent = |recorded: &&Recorded| recorded.direction == FrameDirection::Sent;
        let found = (self.next..self.frames.len())
            .filter(|&at| self.frames.get(at).as_ref().is_some_and(sent))
            .take(SKIPPED_MAX)
            .find(|&at| self.frames.get(at).is_some_and(|recorded| same_datagrams(frame, &recorded.bytes)));
        let Some(at) = found else {
            // As if it were lost on the wire.
            self.strangers += 1;
            return Ok(());
        };
        self.next = at + 1;
        let until = self
            .frames
            .iter()
            .skip(self.next)
            .position(|recorded| recorded.direction == FrameDirection::Sent);
        let end = until.map_or(self.frames.len(), |count| self.next + count);
        self.due.extend(self.next..end);
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Nanoseconds) -> Result<Option<usize>, LinkError> {
        let first = self.due.front().and_then(|&at| self.frames.get(at));
        let Some(frame) = first.filter(|frame| frame.time <= deadline.max(self.now)) else {
            self.now = self.now.max(deadline);
            return Ok(None);
        };
        let target = buffer.get_mut(..frame.bytes.len()).ok_or(LinkError::TooLong)?;
        target.copy_from_slice(&frame.bytes);
        self.now = self.now.max(frame.time);
        let length = frame.bytes.len();
        self.due.pop_front();
        Ok(Some(length))
    }

    fn now(&self) -> Nanoseconds {
        self.now
    }

    fn wait_until(&mut self, time: Nanoseconds) {
        self.now = self.now.max(time);
    }
}

/// The enhanced packet blocks of a file (draft-ietf-opsawg-pcapng, section 4.3).
fn read_frames(file: &[u8]) -> Result<Vec<Recorded>, ReplayError> {
    const SECTION: u32 = 0x0A0D_0D0A;
    const MAGIC: u32 = 0x1A2B_3C4D;
    const ENHANCED_PACKET: u32 = 6;
    const FLAGS: u16 = 2;
    let word =
        |at: usize| file.get(at..).and_then(|rest| rest.first_chunk().copied()).map(u32::from_le_bytes);
    let wrong = |offset: usize, message: &str| ReplayError { offset, message: message.to_owned() };
    if word(0) != Some(SECTION) || word(8) != Some(MAGIC) {
        return Err(wrong(0, "no pcapng section with the byte order of this machine"));
    }
    let mut frames = Vec::new();
    let mut at = 0_usize;
    while at < file.len() {
        let length = word(at + 4).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let end = at.checked_add(length).filter(|&end| length >= 12 && length % 4 == 0 && end <= file.len());
        let end = end.ok_or_else(|| wrong(at, "a block is cut off"))?;
        if word(at) == Some(ENHANCED_PACKET) {
            let (Some(high), Some(low), Some(captured)) = (word(at + 12), word(at + 16), word(at + 20))
            else {
                return Err(wrong(at, "a packet is cut off"));
            };
            let captured = usize::try_from(captured).unwrap_or(usize::MAX);
            let data_end =
                (at + 28).checked_add(captured).filter(|&data_end| data_end <= end.saturating_sub(4));
            let data_end = data_end.ok_or_else(|| wrong(at, "a packet is longer than its block"))?;
            let bytes = file.get(at + 28..data_end).unwrap_or(&[]).to_vec();
            // Options: number, length, value padded to four bytes.
            let mut option = at + 28 + captured.next_multiple_of(4);
            let mut direction = None;
            while let Some(head) = word(option).filter(|_| option + 4 <= end - 4) {
                let [a, b, c, d] = head.to_le_bytes();
                let (number, length) = (u16::from_le_bytes([a, b]), usize::from(u16::from_le_bytes([c, d])));
                if number == 0 {
                    break;
                }
                if number == FLAGS {
                    direction = match word(option + 4).map(|flags| flags & 3) {
                        Some(1) => Some(FrameDirection::Received),
                        Some(2) => Some(FrameDirection::Sent),
                        _ => None,
                    };
                }
                option += 4 + length.next_multiple_of(4);
            }
            let direction = direction.ok_or_else(|| wrong(at, "a packet without direction"))?;
            let time = Nanoseconds(u64::from(high) << 32 | u64::from(low));
            frames.push(Recorded { time, direction, bytes });
        }
        at = end;
    }
    Ok(frames)
}
