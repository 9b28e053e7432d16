//! Reading and writing objects of SubDevices while the bus runs. Two queues: orders from the daemon (writer) to the
//! real-time thread (reader), news back. One transfer at a time; a value longer than a chunk comes in several, in
//! order: before the order of a write, before the end of a read. Full: whoever writes waits its turn.

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

use crate::bus_health::mailbox::MailboxProblem;

/// Orders, and news, that may wait.
pub const CAPACITY: usize = 64;
/// Bytes that go through the queue at once.
pub const CHUNK_BYTES: usize = 240;

/// Part of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where it begins in the value, bytes.
    pub offset: u32,
    length: u8,
    bytes: [u8; CHUNK_BYTES],
}

impl Chunk {
    /// The part of `value` from `offset` on, as much as goes through at once; `None` behind its end.
    #[must_use]
    pub fn of(value: &[u8], offset: usize) -> Option<Self> {
        let rest = value.get(offset..)?;
        let part = rest.get(..rest.len().min(CHUNK_BYTES)).filter(|part| !part.is_empty())?;
        let mut bytes = [0; CHUNK_BYTES];
        bytes.get_mut(..part.len())?.copy_from_slice(part);
        Some(Self { offset: u32::try_from(offset).ok()?, length: u8::try_from(part.len()).ok()?, bytes })
    }

    /// What it carries.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&[])
    }

    /// Where what follows it begins, bytes.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.offset as usize + self.length as usize
    }
}

/// Which object, and what is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectTransfer {
    /// Number given by the daemon, returned with the end.
    pub number: u32,
    /// Position of the SubDevice on the bus, from 0.
    pub position: u8,
    /// Index of the object.
    pub index: u16,
    /// Its subindex; with complete access 0 or 1: where it begins.
    pub subindex: u8,
    /// All subindices at once.
    pub complete: bool,
    /// Length of the value to be written, bytes, whose chunks have come before; `None`: it is read.
    pub written: Option<u32>,
}

/// From the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "places of a queue are made once, for the largest")]
pub enum ObjectOrder {
    /// Part of the value that the next transfer writes.
    Value(Chunk),
    /// Read, or write.
    Transfer(ObjectTransfer),
}

/// From the real-time thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "places of a queue are made once, for the largest")]
pub enum ObjectNews {
    /// Part of the value that was read.
    Value(Chunk),
    /// The transfer with this number has ended: bytes transferred, or why not.
    Ended {
        /// The daemon's number.
        number: u32,
        /// What came of it.
        result: Result<u32, MailboxProblem>,
    },
}

/// The daemon's end.
#[derive(Debug)]
pub struct DaemonObjects {
    orders: Arc<ArrayQueue<ObjectOrder>>,
    news: Arc<ArrayQueue<ObjectNews>>,
}

/// The real-time thread's end.
#[derive(Debug)]
pub struct RealtimeObjects {
    orders: Arc<ArrayQueue<ObjectOrder>>,
    news: Arc<ArrayQueue<ObjectNews>>,
}

/// Makes both queues.
#[must_use]
pub fn object_queues() -> (RealtimeObjects, DaemonObjects) {
    let orders = Arc::new(ArrayQueue::new(CAPACITY));
    let news = Arc::new(ArrayQueue::new(CAPACITY));
    (RealtimeObjects { orders: Arc::clone(&orders), news: Arc::clone(&news) }, DaemonObjects { orders, news })
}

impl DaemonObjects {
    /// Pushes an order; false when the queue is full.
    #[must_use]
    pub fn push(&mut self, order: ObjectOrder) -> bool {
        self.orders.push(order).is_ok()
    }

    /// The next news, if there are any.
    pub fn pop(&mut self) -> Option<ObjectNews> {
        self.news.pop()
    }
}

impl RealtimeObjects {
    /// The next order, if there is one. Real-time safe.
    pub fn pop(&mut self) -> Option<ObjectOrder> {
        self.orders.pop()
    }

    /// Pushes news; false when the queue is full. Real-time safe.
    #[must_use]
    pub fn push(&mut self, news: ObjectNews) -> bool {
        self.news.push(news).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_cut_into_chunks_and_put_together_again() {
        for length in [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 1000] {
            let value: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut again: Vec<u8> = Vec::new();
            while let Some(chunk) = Chunk::of(&value, again.len()) {
                assert_eq!(chunk.offset as usize, again.len());
                again.extend(chunk.bytes());
                assert_eq!(chunk.end(), again.len());
            }
            assert_eq!(again, value);
        }
    }
}
