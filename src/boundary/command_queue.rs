//! Commands. Writer: the daemon. Reader: the real-time thread, all waiting ones each cycle, bounded by
//! the capacity. Full: the request is answered "busy".

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

use crate::machine::{ControlEpoch, RunTag};
use crate::units::Ratio;

/// Commands that may wait.
pub const CAPACITY: usize = 64;

/// What the daemon may ask of the cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    /// A new control lease: whatever carries an older epoch is ignored from now on.
    NewEpoch,
    /// Switch the drives on, open the brakes.
    Enable,
    /// Stop on the path if moving, close the brakes, switch the drives off.
    Disable,
    /// Acknowledge a latched fault and reset the drives.
    ResetFault,
    /// Start executing the pieces of a run.
    Start(RunTag),
    /// Stop on the path, resumable.
    Hold,
    /// Go on after a hold.
    Resume,
    /// Stop on the path and discard the run.
    Stop,
    /// Speed override.
    Override(Ratio),
    /// A joint is at this position (rad or m), whatever its counter says: the reference follows.
    SetJoint {
        /// The joint, from 0.
        joint: u8,
        /// Where it is.
        position: f64,
    },
    /// The positions shown are right.
    AcceptPositions {
        /// Of this joint (from 0) only; `None`: of all.
        joint: Option<u8>,
    },
}

/// A command with the lease it was given under.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StampedCommand {
    /// Lease of the sender.
    pub epoch: ControlEpoch,
    /// Number given by the daemon, returned in the event that answers it.
    pub id: u32,
    /// What is asked.
    pub command: Command,
}

/// The daemon's end.
#[derive(Clone, Debug)]
pub struct CommandWriter(Arc<ArrayQueue<StampedCommand>>);

/// The real-time thread's end.
#[derive(Debug)]
pub struct CommandReader(Arc<ArrayQueue<StampedCommand>>);

/// Makes the queue.
#[must_use]
pub fn command_queue() -> (CommandWriter, CommandReader) {
    let queue = Arc::new(ArrayQueue::new(CAPACITY));
    (CommandWriter(Arc::clone(&queue)), CommandReader(queue))
}

impl CommandWriter {
    /// Pushes a command.
    ///
    /// # Errors
    /// Gives the command back when the queue is full.
    pub fn push(&mut self, command: StampedCommand) -> Result<(), StampedCommand> {
        self.0.push(command)
    }
}

impl CommandReader {
    /// The next command, if there is one. Real-time safe.
    pub fn pop(&mut self) -> Option<StampedCommand> {
        self.0.pop()
    }
}
