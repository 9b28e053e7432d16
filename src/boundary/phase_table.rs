//! The phases of a process as data. Made by `processes`, run by the real-time side, which knows no
//! process by name.
//!
//! A table accompanies the motions between a [`PieceKind::ProcessStart`](super::piece_queue::PieceKind)
//! and the next `ProcessEnd`. `Before` phases run with the path held at its start, `During` phases run
//! while it moves, `After` phases run with the path held at its end. On any stop the `safe` actions are
//! taken in the same cycle as the first stop setpoint; a resumed path runs the `Before` phases again.

/// Largest number of phases in a table.
pub const MAX_PHASES: usize = 10;
/// Largest number of actions at the start of a phase.
pub const MAX_ACTIONS: usize = 6;

/// An output set at the start of a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// Digital output `channel` becomes `on`.
    Digital {
        /// Channel, counted from 0 over the whole cell.
        channel: u8,
        /// The new level.
        on: bool,
    },
    /// Analog output `channel` becomes `value`.
    Analog {
        /// Channel, counted from 0 over the whole cell.
        channel: u8,
        /// In the channel's unit, as the cell file scales it.
        value: f32,
    },
}

/// Up to [`MAX_ACTIONS`] actions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Actions {
    actions: [Option<Action>; MAX_ACTIONS],
}

impl Actions {
    /// The actions in `slice`; `None` when there are more than [`MAX_ACTIONS`].
    #[must_use]
    pub fn new(slice: &[Action]) -> Option<Self> {
        let mut actions = [None; MAX_ACTIONS];
        for (slot, action) in actions.get_mut(..slice.len())?.iter_mut().zip(slice) {
            *slot = Some(*action);
        }
        Some(Self { actions })
    }

    /// The actions, in order.
    pub fn iter(&self) -> impl Iterator<Item = Action> + '_ {
        self.actions.iter().flatten().copied()
    }
}

/// When a phase runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Path held at the start.
    Before,
    /// Path moving.
    During,
    /// Path held at the end.
    After,
}

/// What ends a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PhaseEnd {
    /// After this time, s.
    Elapsed(f32),
    /// When a digital input has had a level for `confirm_s`.
    Input {
        /// Channel, counted from 0 over the whole cell.
        channel: u8,
        /// The level waited for.
        on: bool,
        /// For how long, s.
        confirm_s: f32,
    },
    /// With the end of the path. Only for [`Stage::During`].
    Path,
}

/// A digital input that must keep its level during a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Supervision {
    /// Channel, counted from 0 over the whole cell.
    pub channel: u8,
    /// The level it must have.
    pub on: bool,
    /// For how long it may be missing, s.
    pub confirm_s: f32,
}

/// One phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// Number reported in events and status; its name is the daemon's business.
    pub number: u8,
    /// When it runs.
    pub stage: Stage,
    /// Outputs set in its first cycle.
    pub actions: Actions,
    /// What ends it.
    pub end: PhaseEnd,
    /// Longest time it may take, s; zero: no limit. Exceeded: `FaultCode::PhaseTimeout`.
    pub timeout_s: f32,
    /// Lost: `FaultCode::ProcessLost`.
    pub supervision: Option<Supervision>,
}

/// The phases of one process path, for example one seam.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhaseTable {
    /// Number reported in events and status, for example the seam.
    pub number: u16,
    /// Outputs of any stop.
    pub safe: Actions,
    phases: [Option<Phase>; MAX_PHASES],
}

impl PhaseTable {
    /// A table; `None` when there are more than [`MAX_PHASES`] phases.
    #[must_use]
    pub fn new(number: u16, safe: Actions, phases: &[Phase]) -> Option<Self> {
        let mut table = [None; MAX_PHASES];
        for (slot, phase) in table.get_mut(..phases.len())?.iter_mut().zip(phases) {
            *slot = Some(*phase);
        }
        Some(Self { number, safe, phases: table })
    }

    /// The phase at `position`, in order.
    #[must_use]
    pub fn phase(&self, position: usize) -> Option<&Phase> {
        self.phases.get(position)?.as_ref()
    }

    /// Position of the first phase at or after `position` that belongs to `stage`.
    #[must_use]
    pub fn next_in(&self, stage: Stage, position: usize) -> Option<usize> {
        (position..MAX_PHASES).find(|&at| self.phase(at).is_some_and(|phase| phase.stage == stage))
    }
}
