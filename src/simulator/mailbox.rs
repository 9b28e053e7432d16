//! Mailbox of one device: header, counters, error replies, repeat, and the CoE services behind it
//! (ETG.1000.4, 5.6; ETG.1000.6, 5.6).

use crate::units::Nanoseconds;

use super::al_state::AlState;
use super::complete_access::Padding;
use super::dictionary::Dictionary;
use super::esc::EscMemory;
use super::mailbox_faults::{AnswerFate, MailboxFaults};
use super::object_information::ObjectInformation;
use super::process_data::MAILBOX_BYTES;
use super::sdo::SdoServer;
use super::wire::{put, put_u8, put_u16, put_u32, u8_at, u16_at};

/// Sync manager of the mailbox the controller writes.
pub(super) const OUT: usize = 0;
/// Sync manager of the mailbox the controller reads.
pub(super) const IN: usize = 1;

/// Mailbox header.
const HEADER_BYTES: usize = 6;
/// CoE header behind it.
const COE_HEADER_BYTES: usize = 2;
/// Messages that can wait to be sent by themselves.
const EMERGENCIES_MAX: usize = 8;

/// Mailbox types.
const TYPE_ERROR: u8 = 0;
const TYPE_COE: u8 = 3;

/// Reasons of a mailbox error reply (ETG.1000.4, table 30).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
enum MailboxError {
    UnsupportedProtocol = 0x02,
    ServiceNotSupported = 0x04,
    SizeTooShort = 0x06,
    InvalidSize = 0x08,
}

/// CoE services.
const SERVICE_EMERGENCY: u16 = 1;
const SERVICE_SDO_REQUEST: u16 = 2;
const SERVICE_SDO_RESPONSE: u16 = 3;
const SERVICE_SDO_INFORMATION: u16 = 8;
/// Command byte of an SDO abort.
const ABORT: u8 = 0x80;

/// An emergency message (CiA 301; ETG.1000.6, 5.6.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Emergency {
    /// Error code, as at 0x603F.
    pub(super) code: u16,
    /// Error register, as at 0x1001.
    pub(super) register: u8,
    /// Manufacturer-specific.
    pub(super) data: [u8; 5],
}

/// The mailbox of one device.
#[derive(Debug)]
pub(super) struct Mailbox {
    sdo: SdoServer,
    information: ObjectInformation,
    /// Counter of the last request; zero: none yet.
    received_counter: u8,
    /// Counter of the last message sent by the device.
    sent_counter: u8,
    /// The last message sent, for a repeat.
    last_sent: [u8; MAILBOX_BYTES as usize],
    has_sent: bool,
    emergencies: [Emergency; EMERGENCIES_MAX],
    waiting: usize,
    /// What goes wrong.
    pub(super) faults: MailboxFaults,
}

impl Mailbox {
    /// An empty mailbox.
    pub(super) fn new() -> Self {
        Self {
            sdo: SdoServer::new(),
            information: ObjectInformation::new(),
            received_counter: 0,
            sent_counter: 0,
            last_sent: [0; MAILBOX_BYTES as usize],
            has_sent: false,
            emergencies: [Emergency::default(); EMERGENCIES_MAX],
            waiting: 0,
            faults: MailboxFaults::default(),
        }
    }

    /// Forgets messages and counters: the device is in INIT.
    pub(super) fn reset(&mut self) {
        self.sdo.reset();
        self.information.reset();
        self.received_counter = 0;
        self.sent_counter = 0;
        self.has_sent = false;
        self.waiting = 0;
    }

    /// Queues a message the controller did not ask for. When the queue is full the newest is lost.
    pub(super) fn queue_emergency(&mut self, emergency: Emergency) {
        if let Some(place) = self.emergencies.get_mut(self.waiting) {
            *place = emergency;
            self.waiting += 1;
        }
    }

    /// Puts the last message into the mailbox again.
    pub(super) fn repeat(&mut self, esc: &mut EscMemory) {
        if self.has_sent {
            put(esc.area_mut(IN), 0, &self.last_sent);
            esc.set_mailbox_full(IN, true);
        }
        esc.acknowledge_repeat(IN);
    }

    /// True when there is something to do: a request, or a message that can be sent.
    pub(super) fn has_work(&self, esc: &EscMemory) -> bool {
        esc.manager(OUT).is_full() || self.waiting > 0
    }

    /// Takes a request or sends a message, as long as the controller has emptied the mailbox it reads.
    /// Returns true when objects may have been written.
    pub(super) fn serve(
        &mut self,
        esc: &mut EscMemory,
        dictionary: &mut Dictionary,
        state: AlState,
        now: Nanoseconds,
    ) -> bool {
        if let Some(code) = self.faults.take_flood(now) {
            self.queue_emergency(Emergency { code, register: 1, data: [0; 5] });
        }
        if !esc.manager(IN).is_activated() || esc.manager(IN).is_full() {
            return false;
        }
        let mut message = [0; MAILBOX_BYTES as usize];
        let capacity = esc.manager(IN).length().min(message.len());
        let Some(buffer) = message.get_mut(..capacity) else { return false };
        if capacity < HEADER_BYTES + COE_HEADER_BYTES + 8 {
            return false;
        }
        if let Some((mut late, kind, length)) = self.faults.take_due(now) {
            self.send(esc, late.get_mut(..capacity).unwrap_or(&mut []), kind, length);
            return false;
        }
        if let Some(body) = buffer.get_mut(HEADER_BYTES + COE_HEADER_BYTES..)
            && let Some(count) = self.information.next_fragment(body)
        {
            self.send_coe(esc, buffer, SERVICE_SDO_INFORMATION, count);
            return false;
        }
        if self.waiting > 0 {
            let emergency = self.emergencies.first().copied().unwrap_or_default();
            self.emergencies.rotate_left(1);
            self.waiting -= 1;
            self.send_emergency(esc, buffer, emergency);
            return false;
        }
        if !esc.manager(OUT).is_full() || self.faults.stuck || self.faults.is_waiting() {
            return false;
        }
        let mut request = [0; MAILBOX_BYTES as usize];
        put(&mut request, 0, esc.area(OUT));
        esc.set_mailbox_full(OUT, false);
        self.request(&request, esc, dictionary, (state, now), buffer)
    }

    fn send_emergency(&mut self, esc: &mut EscMemory, buffer: &mut [u8], emergency: Emergency) {
        let body = HEADER_BYTES + COE_HEADER_BYTES;
        put_u16(buffer, body, emergency.code);
        put_u8(buffer, body + 2, emergency.register);
        put(buffer, body + 3, &emergency.data);
        self.send_coe(esc, buffer, SERVICE_EMERGENCY, 8);
    }

    fn request(
        &mut self,
        request: &[u8],
        esc: &mut EscMemory,
        dictionary: &mut Dictionary,
        (state, now): (AlState, Nanoseconds),
        buffer: &mut [u8],
    ) -> bool {
        let length = usize::from(u16_at(request, 0));
        let (kind, counter) = (u8_at(request, 5) & 0x0F, u8_at(request, 5) >> 4 & 7);
        // The same counter again is the same message again: it has been answered.
        if counter != 0 && counter == self.received_counter {
            return false;
        }
        self.received_counter = counter;
        if HEADER_BYTES + length > request.len() {
            self.send_error(esc, buffer, MailboxError::InvalidSize);
            return false;
        }
        if kind != TYPE_COE {
            self.send_error(esc, buffer, MailboxError::UnsupportedProtocol);
            return false;
        }
        let body = HEADER_BYTES + COE_HEADER_BYTES;
        if length
            < COE_HEADER_BYTES + 8 - usize::from(u16_at(request, 6) >> 12 == SERVICE_SDO_INFORMATION) * 2
        {
            self.send_error(esc, buffer, MailboxError::SizeTooShort);
            return false;
        }
        let message = request.get(body..HEADER_BYTES + length).unwrap_or(&[]);
        let Some(reply) = buffer.get_mut(body..) else { return false };
        match u16_at(request, HEADER_BYTES) >> 12 {
            SERVICE_SDO_REQUEST => {
                self.sdo.padding = if self.faults.unpadded { Padding::None } else { Padding::SixteenBits };
                let count = match self.faults.abort_of(message) {
                    Some(code) => {
                        put_u8(reply, 0, ABORT);
                        put(reply, 1, message.get(1..4).unwrap_or(&[]));
                        put_u32(reply, 4, code);
                        Some(8)
                    }
                    None => self.sdo.request(message, dictionary, state, reply),
                };
                if let Some(count) = count {
                    // An abort is a service the device asks for (ETG.1000.6, 5.6.2.7).
                    let is_abort = u8_at(buffer, body) == ABORT;
                    let service = if is_abort { SERVICE_SDO_REQUEST } else { SERVICE_SDO_RESPONSE };
                    self.answer(esc, buffer, service, count, now);
                }
                true
            }
            SERVICE_SDO_INFORMATION => {
                let count = self.information.request(message, dictionary, reply);
                self.send_coe(esc, buffer, SERVICE_SDO_INFORMATION, count);
                false
            }
            _ => {
                self.send_error(esc, buffer, MailboxError::ServiceNotSupported);
                false
            }
        }
    }

    /// An answer to an SDO request; it may go wrong.
    fn answer(
        &mut self,
        esc: &mut EscMemory,
        buffer: &mut [u8],
        service: u16,
        count: usize,
        now: Nanoseconds,
    ) {
        match self.faults.fate(buffer) {
            AnswerFate::Sent { counter_off } => {
                self.sent_counter = (self.sent_counter + counter_off) % 7;
                self.send_coe(esc, buffer, service, count);
            }
            AnswerFate::Lost => {}
            AnswerFate::Emergency { code } => {
                self.send_emergency(esc, buffer, Emergency { code, register: 1, data: [0; 5] });
            }
            AnswerFate::Late { delay } => {
                put_u16(buffer, HEADER_BYTES, service << 12);
                self.faults.wait(now.plus(delay), buffer, TYPE_COE, COE_HEADER_BYTES + count);
            }
        }
    }

    fn send_coe(&mut self, esc: &mut EscMemory, buffer: &mut [u8], service: u16, count: usize) {
        put_u16(buffer, HEADER_BYTES, service << 12);
        self.send(esc, buffer, TYPE_COE, COE_HEADER_BYTES + count);
    }

    fn send_error(&mut self, esc: &mut EscMemory, buffer: &mut [u8], error: MailboxError) {
        put_u16(buffer, HEADER_BYTES, 1);
        put_u16(buffer, HEADER_BYTES + 2, error as u16);
        self.send(esc, buffer, TYPE_ERROR, 4);
    }

    fn send(&mut self, esc: &mut EscMemory, buffer: &mut [u8], kind: u8, length: usize) {
        self.sent_counter = if self.sent_counter >= 7 { 1 } else { self.sent_counter + 1 };
        put_u16(buffer, 0, length as u16);
        put_u16(buffer, 2, 0);
        put_u8(buffer, 4, 0);
        put_u8(buffer, 5, kind | self.sent_counter << 4);
        self.last_sent.fill(0);
        put(&mut self.last_sent, 0, buffer);
        self.has_sent = true;
        put(esc.area_mut(IN), 0, buffer);
        esc.set_mailbox_full(IN, true);
    }
}
