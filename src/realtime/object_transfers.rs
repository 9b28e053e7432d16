//! Objects of SubDevices read and written in the slack of the cycle, on the daemon's order, and emergencies taken in:
//! one mailbox datagram a cycle, a bounded number of chunks.

use crate::boundary::object_queue::{Chunk, ObjectNews, ObjectOrder, ObjectTransfer, RealtimeObjects};
use crate::bus_health::BusNews;
use crate::bus_health::mailbox::MailboxProblem;
use crate::fieldbus::mailbox::{MailboxEvent, Request};
use crate::fieldbus::{Bus, FrameLink};
use crate::units::Nanoseconds;

/// Longest time without a step forward of a transfer.
const PATIENCE: Nanoseconds = Nanoseconds(1_000_000_000);
/// Orders taken, and chunks told, in one cycle at most.
const PER_CYCLE_MAX: usize = 8;
/// Emergencies told at once, and cycles after which one more may be told; a flood is only counted.
const EMERGENCIES_AT_ONCE: u32 = 16;
const CYCLES_PER_EMERGENCY: u32 = 100;

/// What has ended and is being told.
#[derive(Clone, Copy, Debug)]
struct Ended {
    number: u32,
    result: Result<u32, MailboxProblem>,
    /// Bytes of the value that are told before; none after a write.
    told_until: usize,
    told: usize,
}

/// The transfer under way, and the room there is for news of emergencies.
#[derive(Clone, Copy, Debug)]
pub struct ObjectTransfers {
    active: Option<ObjectTransfer>,
    ended: Option<Ended>,
    /// Why the value that is coming cannot be written.
    refused: Option<MailboxProblem>,
    emergencies_left: u32,
    cycles: u32,
}

impl Default for ObjectTransfers {
    fn default() -> Self {
        Self { active: None, ended: None, refused: None, emergencies_left: EMERGENCIES_AT_ONCE, cycles: 0 }
    }
}

impl ObjectTransfers {
    /// One cycle's worth of work: at most one datagram, until `deadline`. An emergency comes back as news.
    ///
    /// # Real-time
    /// No allocation. Ends at the deadline.
    pub fn step<L: FrameLink>(
        &mut self,
        bus: &mut Bus<L>,
        queues: &mut RealtimeObjects,
        deadline: Nanoseconds,
    ) -> Option<BusNews> {
        self.tell(bus.mailbox_data(), queues);
        self.take_orders(queues, |order| match order {
            ObjectOrder::Value(chunk) => bus.load_mailbox(chunk.offset as usize, chunk.bytes()),
            ObjectOrder::Transfer(transfer) => {
                bus.begin_mailbox(usize::from(transfer.position), request(&transfer), &[], PATIENCE)
            }
        });
        match bus.mailbox_step(deadline) {
            MailboxEvent::Nothing => None,
            MailboxEvent::Done(result) => {
                self.end(result.map(|bytes| u32::try_from(bytes).unwrap_or(u32::MAX)));
                None
            }
            MailboxEvent::Emergency(stamped) => {
                let position = u8::try_from(stamped.position).ok()?;
                self.may_tell().then_some(BusNews::Emergency(position, stamped.emergency))
            }
        }
    }

    /// A cycle without a bus: what was under way has failed, and so does what comes.
    pub fn step_without_bus(&mut self, queues: &mut RealtimeObjects) {
        self.interrupt();
        self.tell(&[], queues);
        self.take_orders(queues, |_| Err(MailboxProblem::NoBus));
    }

    /// The bus has gone, with the transfer that was under way.
    pub fn interrupt(&mut self) {
        self.end(Err(MailboxProblem::NoBus));
    }

    /// To be called once a cycle: after some, one more emergency may be told.
    pub fn cycle_passed(&mut self) {
        self.cycles += 1;
        if self.cycles >= CYCLES_PER_EMERGENCY {
            self.cycles = 0;
            self.emergencies_left = (self.emergencies_left + 1).min(EMERGENCIES_AT_ONCE);
        }
    }

    const fn may_tell(&mut self) -> bool {
        let may = self.emergencies_left > 0;
        self.emergencies_left = self.emergencies_left.saturating_sub(1);
        may
    }

    fn take_orders(
        &mut self,
        queues: &mut RealtimeObjects,
        mut carry_out: impl FnMut(ObjectOrder) -> Result<(), MailboxProblem>,
    ) {
        for _ in 0..PER_CYCLE_MAX {
            // The value of a transfer is where that of the next one would come.
            if self.active.is_some() || self.ended.is_some() {
                return;
            }
            let Some(order) = queues.pop() else { return };
            let result = self.refused.map_or_else(|| carry_out(order), Err);
            match order {
                ObjectOrder::Value(_) => self.refused = result.err(),
                ObjectOrder::Transfer(transfer) => {
                    self.refused = None;
                    self.active = Some(transfer);
                    if let Err(problem) = result {
                        self.end(Err(problem));
                    }
                }
            }
        }
    }

    fn end(&mut self, result: Result<u32, MailboxProblem>) {
        let Some(transfer) = self.active.take() else { return };
        let read = if transfer.written.is_none() { result.unwrap_or(0) } else { 0 };
        self.ended = Some(Ended { number: transfer.number, result, told_until: read as usize, told: 0 });
    }

    /// Tells what has ended, as far as there is room.
    fn tell(&mut self, value: &[u8], queues: &mut RealtimeObjects) {
        let Some(ended) = &mut self.ended else { return };
        let value = value.get(..ended.told_until).unwrap_or(&[]);
        for _ in 0..PER_CYCLE_MAX {
            match Chunk::of(value, ended.told) {
                Some(chunk) => {
                    if !queues.push(ObjectNews::Value(chunk)) {
                        return;
                    }
                    ended.told = chunk.end();
                }
                None => {
                    if queues.push(ObjectNews::Ended { number: ended.number, result: ended.result }) {
                        self.ended = None;
                    }
                    return;
                }
            }
        }
    }
}

fn request(transfer: &ObjectTransfer) -> Request {
    let ObjectTransfer { index, subindex, complete, .. } = *transfer;
    match transfer.written {
        None => Request::Upload { index, subindex, complete },
        Some(length) => Request::Download { index, subindex, complete, length: length as usize },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::object_queue::{CAPACITY, DaemonObjects, object_queues};

    fn order(number: u32, written: Option<u32>) -> ObjectOrder {
        let transfer =
            ObjectTransfer { number, position: 0, index: 0x1008, subindex: 0, complete: false, written };
        ObjectOrder::Transfer(transfer)
    }

    fn heard(daemon: &mut DaemonObjects) -> Vec<ObjectNews> {
        std::iter::from_fn(|| daemon.pop()).collect()
    }

    #[test]
    fn without_a_bus_everything_ends_with_that_reason_and_chunks_lead_nowhere() {
        let (mut realtime, mut daemon) = object_queues();
        let mut transfers = ObjectTransfers::default();
        let chunk = Chunk::of(&[1; 100], 0).unwrap();
        for sent in [ObjectOrder::Value(chunk), order(1, Some(100)), order(2, None)] {
            assert!(daemon.push(sent));
        }
        for _ in 0..4 {
            transfers.step_without_bus(&mut realtime);
        }
        let result = Err(MailboxProblem::NoBus);
        let ended = |number| ObjectNews::Ended { number, result };
        assert_eq!(heard(&mut daemon), [ended(1), ended(2)]);
    }

    #[test]
    fn a_long_value_waits_for_room_and_nothing_else_begins_before_it_is_told() {
        let (mut realtime, mut daemon) = object_queues();
        let mut transfers = ObjectTransfers::default();
        let value: Vec<u8> = (0..40_000_u32).map(|at| at.to_le_bytes()[0]).collect();
        assert!(daemon.push(order(7, None)) && daemon.push(order(8, None)));
        let mut begun = 0;
        transfers.take_orders(&mut realtime, |_| {
            begun += 1;
            Ok(())
        });
        transfers.end(Ok(40_000));
        for _ in 0..20 {
            transfers.tell(&value, &mut realtime);
            transfers.take_orders(&mut realtime, |_| {
                begun += 1;
                Ok(())
            });
        }
        // The queue is full of chunks.
        assert_eq!(begun, 1);
        let mut got: Vec<u8> = Vec::new();
        let mut news = heard(&mut daemon);
        assert_eq!(news.len(), CAPACITY);
        for _ in 0..40 {
            transfers.tell(&value, &mut realtime);
            news.extend(heard(&mut daemon));
        }
        for one in &news {
            if let ObjectNews::Value(chunk) = one {
                got.extend(chunk.bytes());
            }
        }
        assert_eq!(got, value);
        assert_eq!(news.last(), Some(&ObjectNews::Ended { number: 7, result: Ok(40_000) }));
    }

    #[test]
    fn a_flood_of_emergencies_is_told_in_part() {
        let mut transfers = ObjectTransfers::default();
        let mut told = 0;
        for _ in 0..10_000 {
            transfers.cycle_passed();
            told += u32::from(transfers.may_tell());
        }
        assert_eq!(told, EMERGENCIES_AT_ONCE + 10_000 / CYCLES_PER_EMERGENCY);
    }
}
