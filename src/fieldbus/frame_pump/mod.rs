//! Drives ethercrab's futures: sends the frames they make, gives them the answers, and lets time pass.
//!
//! ethercrab finds the request an answer belongs to by one byte, which repeats after a few dozen
//! cycles, and treats an unexpected answer as the end of its transmit task. Here every frame gets a
//! sequence number in its source address (bytes 2 to 5; SubDevices change only bit 1 of byte 0), and an
//! answer is accepted only when that number is outstanding, for the first time, and the datagram
//! headers are those that were sent. Anything else is counted and dropped: it can neither pass for new
//! data nor stop the bus.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ethercrab::{
    MainDevice, MainDeviceConfig, PduRx, PduStorage, PduTx, ReceiveAction, RetryBehaviour, Timeouts,
};

use super::link::{FrameLink, MAX_FRAME_BYTES};
use super::time_driver;
use crate::units::Nanoseconds;

/// Frames of ethercrab in flight. Few, so that its datagram index cannot wrap within the time a slot is
/// reused: 4 slots × 34 datagrams < 256.
const FRAMES_IN_FLIGHT: usize = 4;
/// Frames whose answers are still recognised as late or duplicate.
const REMEMBERED_FRAMES: usize = 8;
/// Link errors tolerated in one run before it waits for its limit: an interface that fails at once on
/// every call must not make a busy loop.
const LINK_ERRORS_MAX: u32 = 16;

const ETHERTYPE_ETHERCAT: [u8; 2] = [0x88, 0xA4];
/// First two bytes of our source address as sent; the first SubDevice sets bit 1 of the first one.
const SOURCE_SENT: [u8; 2] = [0x10, 0x10];
const SOURCE_ANSWERED: [u8; 2] = [0x12, 0x10];
const SOURCE: usize = 6;
const SEQUENCE: usize = 8;
const ETHERTYPE: usize = 12;
const FIRST_DATAGRAM: usize = 16;
const DATAGRAM_HEADER_BYTES: usize = 10;
const WORKING_COUNTER_BYTES: usize = 2;

/// What is fixed for the life of a MainDevice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PumpSettings {
    /// Round trips spent on making the clocks drift together before PRE-OP. Real devices want some
    /// thousands; a simulated segment without drift next to none.
    pub clock_drift_rounds: u32,
    /// How long one frame may take during bring-up. In the cycle the receive deadline counts.
    pub frame_timeout: Nanoseconds,
    /// How often a frame is sent again during bring-up.
    pub frame_retries: usize,
    /// How long a device may take for INIT and PRE-OP.
    pub transition_timeout: Nanoseconds,
}

impl PumpSettings {
    /// For a network interface.
    pub const REAL: Self = Self {
        clock_drift_rounds: 5_000,
        frame_timeout: Nanoseconds(30_000_000),
        frame_retries: 3,
        transition_timeout: Nanoseconds(3_000_000_000),
    };
    /// For a simulated segment in the same process.
    pub const SIMULATED: Self = Self { clock_drift_rounds: 200, ..Self::REAL };
}

/// What has passed over the link since the pump was made. Each counts up and wraps never (64 bits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Frames handed to the link.
    pub sent: u64,
    /// Answers accepted.
    pub accepted: u64,
    /// Answers to a frame nobody waits for any more.
    pub late: u64,
    /// Second answers to the same frame.
    pub duplicate: u64,
    /// EtherCAT frames whose headers are not those that were sent.
    pub malformed: u64,
    /// Frames that are not ours: another protocol, another sender, our own frame unprocessed.
    pub foreign: u64,
    /// Frames the link could not send.
    pub send_errors: u64,
    /// Failures of the link while receiving.
    pub receive_errors: u64,
}

/// Why a future did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PumpEnd {
    /// The limit passed.
    Elapsed,
}

#[derive(Clone, Copy, Debug)]
struct SentFrame {
    sequence: u32,
    length: usize,
    answered: bool,
    bytes: [u8; MAX_FRAME_BYTES],
}

/// A link with an ethercrab MainDevice on it.
pub struct FramePump<L> {
    link: L,
    main_device: &'static MainDevice<'static>,
    transmitter: PduTx<'static>,
    receiver: PduRx<'static>,
    sent: [SentFrame; REMEMBERED_FRAMES],
    next_sequence: u32,
    /// First sequence number of the run that is going on.
    run_begins_at: u32,
    receive_buffer: [u8; MAX_FRAME_BYTES],
    counters: LinkCounters,
}

impl<L: std::fmt::Debug> std::fmt::Debug for FramePump<L> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("FramePump")
            .field("link", &self.link)
            .field("next_sequence", &self.next_sequence)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl<L: FrameLink> FramePump<L> {
    /// A MainDevice on `link`.
    ///
    /// The storage of the MainDevice (8 KiB) is leaked: ethercrab wants it for the whole life of the
    /// program. Make one pump per segment and keep it through every bring-up; any number per process works.
    #[expect(clippy::disallowed_types, reason = "once per segment, at start")]
    pub fn new(link: L, settings: PumpSettings) -> Self {
        let storage: &'static PduStorage<FRAMES_IN_FLIGHT, MAX_FRAME_BYTES> =
            Box::leak(Box::new(PduStorage::new()));
        let Ok((transmitter, receiver, pdu_loop)) = storage.try_split() else {
            unreachable!("a storage that was just made has not been split")
        };
        let timeouts = Timeouts {
            state_transition: Duration::from_nanos(settings.transition_timeout.0),
            pdu: Duration::from_nanos(settings.frame_timeout.0),
            eeprom: Duration::from_millis(200),
            wait_loop_delay: Duration::ZERO,
            mailbox_echo: Duration::from_millis(500),
            mailbox_response: Duration::from_secs(2),
        };
        let config = MainDeviceConfig {
            dc_static_sync_iterations: settings.clock_drift_rounds,
            retry_behaviour: RetryBehaviour::Count(settings.frame_retries),
        };
        let main_device = Box::leak(Box::new(MainDevice::new(pdu_loop, timeouts, config)));
        let nothing = SentFrame { sequence: 0, length: 0, answered: true, bytes: [0; MAX_FRAME_BYTES] };
        Self {
            link,
            main_device,
            transmitter,
            receiver,
            sent: [nothing; REMEMBERED_FRAMES],
            next_sequence: 1,
            run_begins_at: 1,
            receive_buffer: [0; MAX_FRAME_BYTES],
            counters: LinkCounters::default(),
        }
    }

    /// The MainDevice, for making futures to [`run`](Self::run).
    pub(super) const fn main_device(&self) -> &'static MainDevice<'static> {
        self.main_device
    }

    /// The link.
    pub const fn link(&self) -> &L {
        &self.link
    }

    /// The link, for whoever has to act on it: inject a fault, take a capture, advance a simulated machine.
    pub const fn link_mut(&mut self) -> &mut L {
        &mut self.link
    }

    /// Gives the link back; the MainDevice is not used again.
    pub fn into_link(self) -> L {
        self.link
    }

    /// What has passed over the link.
    pub const fn counters(&self) -> LinkCounters {
        self.counters
    }

    /// Runs `future` to its end, or drops it when the clock of the link reaches `limit`.
    ///
    /// # Errors
    /// [`PumpEnd::Elapsed`]: the limit passed first.
    ///
    /// # Real-time
    /// No allocation of its own. Ends at `limit`, plus one poll.
    pub(super) fn run<F: Future>(&mut self, future: F, limit: Nanoseconds) -> Result<F::Output, PumpEnd> {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        let mut link_errors = 0_u32;
        self.run_begins_at = self.next_sequence;
        loop {
            time_driver::begin_poll(self.link.now());
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Ok(output);
            }
            // Before the limit is looked at: a cycle that woke too late to wait still sends its outputs.
            link_errors += self.send_all();
            if self.link.now() >= limit {
                return Err(PumpEnd::Elapsed);
            }
            link_errors += u32::from(!self.receive_one(time_driver::next_timeout().min(limit)));
            if link_errors >= LINK_ERRORS_MAX {
                self.link.wait_until(limit);
            }
        }
    }

    /// Sends what ethercrab has ready; returns the number of failures.
    ///
    /// A frame the link refuses counts as sent, and so as lost on the wire: ethercrab would otherwise
    /// offer it again at once, for ever.
    fn send_all(&mut self) -> u32 {
        let mut failures = 0;
        for _ in 0..FRAMES_IN_FLIGHT {
            let Some(frame) = self.transmitter.next_sendable_frame() else { break };
            let Self { link, sent, next_sequence, counters, .. } = self;
            // The result is the length this closure returns; it never fails.
            let _length = frame.send_blocking(|bytes| {
                let sequence = *next_sequence;
                *next_sequence = next_sequence.wrapping_add(1);
                let Some(slot) = sent.get_mut(sequence as usize % REMEMBERED_FRAMES) else {
                    return Ok(bytes.len());
                };
                let Some(copy) = slot.bytes.get_mut(..bytes.len()) else { return Ok(bytes.len()) };
                copy.copy_from_slice(bytes);
                write_source(copy, sequence);
                counters.sent += 1;
                if link.send(copy).is_err() {
                    counters.send_errors += 1;
                    failures += 1;
                }
                *slot = SentFrame { sequence, length: bytes.len(), answered: false, bytes: slot.bytes };
                Ok(bytes.len())
            });
        }
        failures
    }

    /// Takes one frame from the link, waiting until `deadline`; false when the link failed.
    fn receive_one(&mut self, deadline: Nanoseconds) -> bool {
        let length = match self.link.receive(&mut self.receive_buffer, deadline) {
            Ok(Some(length)) => length,
            Ok(None) => return true,
            Err(_) => {
                self.counters.receive_errors += 1;
                return false;
            }
        };
        let Some(answer) = self.receive_buffer.get(..length) else {
            self.counters.malformed += 1;
            return true;
        };
        let counter = match classify(answer, &self.sent, self.run_begins_at) {
            Arrival::Answer(slot) => match self.receiver.receive_frame(answer) {
                Ok(ReceiveAction::Processed) => {
                    if let Some(sent) = self.sent.get_mut(slot) {
                        sent.answered = true;
                    }
                    &mut self.counters.accepted
                }
                // ethercrab gave the frame up in the meantime (its own time-out).
                Ok(ReceiveAction::Ignored) | Err(_) => &mut self.counters.late,
            },
            Arrival::Late => &mut self.counters.late,
            Arrival::Duplicate => &mut self.counters.duplicate,
            Arrival::Malformed => &mut self.counters.malformed,
            Arrival::Foreign => &mut self.counters.foreign,
        };
        *counter += 1;
        true
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    /// The answer to the frame remembered in this place.
    Answer(usize),
    Late,
    Duplicate,
    Malformed,
    Foreign,
}

/// Puts our source address with the sequence number into a frame.
fn write_source(frame: &mut [u8], sequence: u32) {
    let [a, b, c, d] = sequence.to_be_bytes();
    let [first, second] = SOURCE_SENT;
    if let Some(source) = frame.get_mut(SOURCE..ETHERTYPE) {
        source.copy_from_slice(&[first, second, a, b, c, d]);
    }
}

fn u16_at(frame: &[u8], offset: usize) -> Option<u16> {
    frame.get(offset..)?.first_chunk::<2>().copied().map(u16::from_le_bytes)
}

/// What a received frame is, seen from the run that began with frame `run_begins_at`.
fn classify(answer: &[u8], sent: &[SentFrame; REMEMBERED_FRAMES], run_begins_at: u32) -> Arrival {
    if answer.get(ETHERTYPE..FIRST_DATAGRAM - 2) != Some(ETHERTYPE_ETHERCAT.as_slice())
        || answer.get(SOURCE..SEQUENCE) != Some(SOURCE_ANSWERED.as_slice())
    {
        return Arrival::Foreign;
    }
    let Some(sequence) = answer.get(SEQUENCE..).and_then(|rest| rest.first_chunk::<4>()) else {
        return Arrival::Foreign;
    };
    let sequence = u32::from_be_bytes(*sequence);
    let place = sequence as usize % REMEMBERED_FRAMES;
    let Some(request) = sent.get(place).filter(|request| request.sequence == sequence && request.length > 0)
    else {
        return Arrival::Late;
    };
    if request.answered {
        return Arrival::Duplicate;
    }
    // Wrapping distance: true when `sequence` is before the run.
    if sequence.wrapping_sub(run_begins_at) > u32::MAX / 2 {
        return Arrival::Late;
    }
    match request.bytes.get(..request.length) {
        Some(request) if headers_match(request, answer) => Arrival::Answer(place),
        Some(_) | None => Arrival::Malformed,
    }
}

/// True when `answer` has the datagrams of `request`: same commands, indices, lengths, addresses.
///
/// Data and working counters differ, and so do the position of position-addressed and broadcast
/// commands (each SubDevice counts it up), the circulating bit and the event bits. An answer may be
/// longer: network interfaces pad short frames.
fn headers_match(request: &[u8], answer: &[u8]) -> bool {
    if answer.len() < request.len() || request.get(14..FIRST_DATAGRAM) != answer.get(14..FIRST_DATAGRAM) {
        return false;
    }
    let mut offset = FIRST_DATAGRAM;
    // A datagram is at least 12 bytes long, so the frame ends this loop.
    while offset < request.len() {
        let (Some(asked), Some(answered)) = (
            request.get(offset..offset + DATAGRAM_HEADER_BYTES),
            answer.get(offset..offset + DATAGRAM_HEADER_BYTES),
        ) else {
            return false;
        };
        // Auto-increment (1 to 3) and broadcast (7 to 9) commands, and ARMW, count the position up.
        let position_changes = matches!(asked.first(), Some(1..=3 | 7..=9 | 13));
        let same = asked.get(..2) == answered.get(..2)
            && (position_changes || asked.get(2..4) == answered.get(2..4))
            && asked.get(4..6) == answered.get(4..6);
        let (Some(flags_asked), Some(flags_answered)) = (u16_at(asked, 6), u16_at(answered, 6)) else {
            return false;
        };
        // Length (bits 0 to 10) and the "more datagrams" bit; bit 14 is the circulating bit.
        if !same || flags_asked & 0x87FF != flags_answered & 0x87FF {
            return false;
        }
        offset += DATAGRAM_HEADER_BYTES + usize::from(flags_asked & 0x07FF) + WORKING_COUNTER_BYTES;
    }
    offset == request.len()
}

#[cfg(test)]
mod tests;
