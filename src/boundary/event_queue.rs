//! Events. Writer: the real-time thread. Reader: telemetry. Full: the event is counted as dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::queue::ArrayQueue;

use crate::faults::Fault;
use crate::machine::{MachineState, RunTag};
use crate::units::Cycles;

/// Events that may wait.
pub const CAPACITY: usize = 1024;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunResult {
    /// All pieces executed.
    Completed,
    /// Stopped on request.
    Stopped,
    /// A fault ended it.
    Faulted,
}

/// Why the cycle refused a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not possible in this machine state.
    State(MachineState),
    /// The sender's lease is no longer the newest.
    StaleEpoch,
    /// The position of a joint (from 0) is not relied on.
    PositionUntrusted(u8),
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EventKind {
    /// A command was carried out (its effect may still be under way).
    CommandDone {
        /// The command's number.
        id: u32,
    },
    /// A command was refused.
    CommandRefused {
        /// The command's number.
        id: u32,
        /// Why.
        refusal: Refusal,
    },
    /// The machine entered a state.
    State(MachineState),
    /// A fault was detected; `reaction` says what was done.
    Fault(Fault),
    /// A condition that was ridden through.
    Warning(Fault),
    /// A piece began.
    PieceBegan {
        /// Position in the run.
        index: u32,
        /// Position of its instruction in the document.
        instruction: u32,
    },
    /// A phase of a process began.
    PhaseBegan {
        /// The table's number.
        table: u16,
        /// The phase's number.
        phase: u8,
    },
    /// Process outputs were taken to their safe state before the process had ended.
    ProcessInterrupted {
        /// The table's number.
        table: u16,
    },
    /// A process ended regularly.
    ProcessEnded {
        /// The table's number.
        table: u16,
    },
    /// A run ended.
    RunEnded(RunResult),
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// The cycle it happened in.
    pub cycle: Cycles,
    /// The run it belongs to; zero: none.
    pub run: RunTag,
    /// What happened.
    pub kind: EventKind,
}

/// The real-time thread's end.
#[derive(Debug)]
pub struct EventWriter {
    queue: Arc<ArrayQueue<Event>>,
    dropped: Arc<AtomicU64>,
}

/// The daemon's end.
#[derive(Debug)]
pub struct EventReader {
    queue: Arc<ArrayQueue<Event>>,
    dropped: Arc<AtomicU64>,
}

/// Makes the queue.
#[must_use]
pub fn event_queue() -> (EventWriter, EventReader) {
    let queue = Arc::new(ArrayQueue::new(CAPACITY));
    let dropped = Arc::new(AtomicU64::new(0));
    (EventWriter { queue: Arc::clone(&queue), dropped: Arc::clone(&dropped) }, EventReader { queue, dropped })
}

impl EventWriter {
    /// Publishes an event; counts it as dropped when nobody made room. Real-time safe.
    pub fn publish(&mut self, event: Event) {
        if self.queue.push(event).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl EventReader {
    /// The next event, if there is one.
    pub fn pop(&mut self) -> Option<Event> {
        self.queue.pop()
    }

    /// Events lost because the queue was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
