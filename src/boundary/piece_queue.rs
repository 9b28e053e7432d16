//! Planned pieces. Writer: the planner (one). Reader: the real-time thread. Full: no credit, the
//! planner pushes later.

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

use super::phase_table::{Action, PhaseTable};
use crate::machine::{ControlEpoch, RunTag};
use crate::trajectory::Segment;

/// Pieces that may be ahead of the arm.
pub const CAPACITY: usize = 10_240;

/// What a piece asks for.
///
/// `Copy`, so that nothing is freed in the cycle: large variants stay in place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PieceKind {
    /// Move along a segment.
    Motion(Segment),
    /// A process begins with the next motion.
    ProcessStart(PhaseTable),
    /// The process ends where the arm stands now.
    ProcessEnd,
    /// Stand still, s.
    Dwell(f64),
    /// Set an output.
    Output(Action),
    /// Stand still until a digital input has a level.
    WaitInput {
        /// Channel, counted from 0 over the whole cell.
        channel: u8,
        /// The level waited for.
        on: bool,
        /// Longest wait, s; exceeded: `FaultCode::PhaseTimeout`. Zero: no limit.
        timeout_s: f32,
    },
    /// The run is complete.
    EndOfRun,
}

/// One piece of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    /// The run it belongs to; pieces of other runs are dropped.
    pub run: RunTag,
    /// The lease it was started under; pieces of older ones are dropped.
    pub epoch: ControlEpoch,
    /// Position in the run, from 0, without gaps.
    pub index: u32,
    /// Position of the instruction in the job document, from 0.
    pub instruction: u32,
    /// What to do.
    pub kind: PieceKind,
}

/// The planner's end.
#[derive(Debug)]
pub struct PieceWriter(Arc<ArrayQueue<Piece>>);

/// The real-time thread's end.
#[derive(Debug)]
pub struct PieceReader(Arc<ArrayQueue<Piece>>);

/// Makes the queue.
#[must_use]
pub fn piece_queue() -> (PieceWriter, PieceReader) {
    let queue = Arc::new(ArrayQueue::new(CAPACITY));
    (PieceWriter(Arc::clone(&queue)), PieceReader(queue))
}

impl PieceWriter {
    /// Pushes a piece.
    ///
    /// # Errors
    /// Gives the piece back when the queue is full.
    #[expect(clippy::result_large_err, reason = "the piece is given back to be pushed later")]
    pub fn push(&mut self, piece: Piece) -> Result<(), Piece> {
        self.0.push(piece)
    }

    /// Pieces that can be pushed now.
    #[must_use]
    pub fn credit(&self) -> usize {
        CAPACITY.saturating_sub(self.0.len())
    }
}

impl PieceReader {
    /// The next piece, if there is one. Real-time safe.
    pub fn pop(&mut self) -> Option<Piece> {
        self.0.pop()
    }
}
