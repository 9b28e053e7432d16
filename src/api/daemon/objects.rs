//! Objects of SubDevices over the socket: the transfers that wait, and the one under way.

use std::collections::VecDeque;

use serde_json::json;

use super::{Caller, Daemon, Handled, Notice};
use crate::api::answer::Answer;
use crate::api::error::ApiError;
use crate::api::hexadecimal::{bytes_of_hexadecimal, hexadecimal};
use crate::api::lease::SessionId;
use crate::api::owned_objects::why_owned;
use crate::api::request::{SdoRead, SdoWrite, SubDeviceName};
use crate::boundary::object_queue::{Chunk, DaemonObjects, ObjectNews, ObjectOrder, ObjectTransfer};
use crate::bus_health::mailbox::{MailboxProblem, OBJECT_BYTES_MAX};
use crate::jobs::planning_desk::Ticket;

/// Transfers that may wait.
const WAITING_MAX: usize = 64;

/// One transfer, from the request to its answer.
#[derive(Debug)]
struct Errand {
    session: SessionId,
    ticket: Ticket,
    transfer: ObjectTransfer,
    name: String,
    /// What is written, or what was read so far.
    value: Vec<u8>,
}

/// Transfers in order, the first one under way.
#[derive(Debug, Default)]
pub(super) struct ObjectErrands {
    waiting: VecDeque<Errand>,
    next_number: u32,
    /// Bytes of the value of the first one that are on their way.
    sent: usize,
    /// The order of the first one is on its way: what comes back belongs to it.
    ordered: bool,
}

impl ObjectErrands {
    /// Sends what there is room for; gives back what has ended.
    fn go_on(&mut self, queues: &mut DaemonObjects) -> Option<(Errand, Result<u32, MailboxProblem>)> {
        loop {
            self.send(queues);
            match queues.pop()? {
                ObjectNews::Value(chunk) => {
                    if let Some(errand) = self.waiting.front_mut().filter(|_| self.ordered) {
                        errand.value.extend_from_slice(chunk.bytes());
                    }
                }
                ObjectNews::Ended { number, result } => {
                    let ended =
                        self.waiting.pop_front_if(|first| self.ordered && first.transfer.number == number);
                    if let Some(errand) = ended {
                        (self.sent, self.ordered) = (0, false);
                        return Some((errand, result));
                    }
                }
            }
        }
    }

    fn send(&mut self, queues: &mut DaemonObjects) {
        let Some(errand) = self.waiting.front().filter(|_| !self.ordered) else { return };
        if errand.transfer.written.is_some() {
            while let Some(chunk) = Chunk::of(&errand.value, self.sent) {
                if !queues.push(ObjectOrder::Value(chunk)) {
                    return;
                }
                self.sent = chunk.end();
            }
        }
        self.ordered = queues.push(ObjectOrder::Transfer(errand.transfer));
    }
}

impl Daemon {
    pub(super) fn sdo_read(&mut self, caller: &Caller, read: &SdoRead) -> Result<Handled, ApiError> {
        let position = self.position_of(&read.subdevice)?;
        let transfer = ObjectTransfer {
            number: 0,
            position,
            index: read.index,
            subindex: read.subindex,
            complete: read.complete,
            written: None,
        };
        self.order_transfer(caller, transfer, Vec::new())
    }

    pub(super) fn sdo_write(&mut self, caller: &Caller, write: &SdoWrite) -> Result<Handled, ApiError> {
        let position = self.position_of(&write.subdevice)?;
        let outputs = self.facts.mapped_outputs.get(usize::from(position));
        let object = (write.index, write.subindex);
        if let Some(why) = why_owned(write.index, outputs.map_or(&[], Vec::as_slice)) {
            return Err(ApiError::ObjectOwned { object, why });
        }
        let value = bytes_of_hexadecimal(&write.data)
            .map_err(|detail| ApiError::InvalidParams { place: "data".to_owned(), detail })?;
        if value.is_empty() || value.len() > OBJECT_BYTES_MAX {
            let detail = format!("{} bytes; allowed: 1 to {OBJECT_BYTES_MAX}", value.len());
            return Err(ApiError::InvalidParams { place: "data".to_owned(), detail });
        }
        let transfer = ObjectTransfer {
            number: 0,
            position,
            index: write.index,
            subindex: write.subindex,
            complete: write.complete,
            written: u32::try_from(value.len()).ok(),
        };
        self.order_transfer(caller, transfer, value)
    }

    fn position_of(&self, subdevice: &SubDeviceName) -> Result<u8, ApiError> {
        let names = &self.facts.subdevices;
        let found = match subdevice {
            SubDeviceName::Position(position) => position.checked_sub(1).filter(|at| *at < names.len()),
            SubDeviceName::Name(name) => names.iter().position(|known| known == name),
        };
        found.and_then(|at| u8::try_from(at).ok()).ok_or_else(|| ApiError::InvalidParams {
            place: "subdevice".to_owned(),
            detail: format!(
                "no such SubDevice; there are the positions 1 to {}: {}",
                names.len(),
                names.join(", ")
            ),
        })
    }

    fn order_transfer(
        &mut self,
        caller: &Caller,
        transfer: ObjectTransfer,
        value: Vec<u8>,
    ) -> Result<Handled, ApiError> {
        if self.objects.waiting.len() >= WAITING_MAX {
            return Err(ApiError::Busy { what: "the queue of object transfers", retry_after_s: 0.5 });
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let number = self.objects.next_number;
        self.objects.next_number = number.wrapping_add(1);
        let name = self.facts.subdevices.get(usize::from(transfer.position)).cloned().unwrap_or_default();
        self.objects.waiting.push_back(Errand {
            session: caller.session,
            ticket,
            transfer: ObjectTransfer { number, ..transfer },
            name,
            value,
        });
        Ok(Handled::Later(ticket))
    }

    /// Sends what waits, answers what has ended.
    pub(super) fn run_errands(&mut self) {
        while let Some((errand, result)) = self.objects.go_on(&mut self.end.objects) {
            let Errand { session, ticket, transfer, name, value } = errand;
            let subdevice = usize::from(transfer.position) + 1;
            let object = (transfer.index, transfer.subindex);
            let result = match result {
                Err(problem) => Err(ApiError::ObjectFailed { subdevice: name, object, problem }),
                Ok(_) if transfer.written.is_some() => {
                    let details = json!({
                        "subdevice": subdevice,
                        "name": name,
                        "object": format!("{:#06x}:{:02x}", object.0, object.1),
                        "bytes": value.len(),
                        "data": hexadecimal(value.get(..value.len().min(16)).unwrap_or(&[])),
                    });
                    self.log("object_written", details, None);
                    Ok(Answer::ObjectWritten { written: true, bytes: value.len() })
                }
                Ok(_) => Ok(Answer::Object { bytes: value.len(), data: hexadecimal(&value) }),
            };
            self.notice(Notice::Answer { session, ticket, result });
        }
    }
}
