//! One run at a time: from a planned job to pieces fed to the cycle, from events of the cycle to the
//! state of the run. Knows nothing of clients; never starts or resumes by itself.
//!
//! ```text
//! Planning ─planned→ Starting ─machine executes→ Executing ⇄ Holding, Held
//!    │ failed, stop      │ refused                  │ stop → Stopping
//!    ↓                   ↓                          ↓ run ended
//! Refused/Stopped     Refused            Completed, Stopped, Faulted
//! ```

use serde::Serialize;

use super::planning_desk::{PlannedPiece, PlannedRun, Ticket};
use super::store::StoredJob;
use crate::boundary::event_queue::RunResult;
use crate::boundary::piece_queue::{Piece, PieceKind, PieceWriter};
use crate::machine::{ControlEpoch, MachineState, RunTag};

/// State of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Accepted, being planned.
    Planning,
    /// Planned, the start is on its way to the cycle.
    Starting,
    /// Being executed.
    Executing,
    /// Slowing down on the path.
    Holding,
    /// Standing on the path, can be resumed.
    Held,
    /// Slowing down, to be discarded.
    Stopping,
    /// All of it was executed.
    Completed,
    /// Stopped on request.
    Stopped,
    /// Ended by a fault.
    Faulted,
    /// Could not be planned, or the cycle refused to start it.
    Refused,
}

/// What can happen to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEvent {
    /// The plan is there and its start was sent.
    Planned,
    /// It cannot be executed.
    PlanFailed,
    /// The cycle refused the start.
    StartRefused,
    /// A stop was asked for.
    StopAsked,
    /// The machine entered a state.
    Machine(MachineState),
    /// The cycle reports the end of the run.
    Ended(RunResult),
}

impl RunState {
    /// Every state.
    pub const ALL: [Self; 10] = [
        Self::Planning,
        Self::Starting,
        Self::Executing,
        Self::Holding,
        Self::Held,
        Self::Stopping,
        Self::Completed,
        Self::Stopped,
        Self::Faulted,
        Self::Refused,
    ];

    /// The name used on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Starting => "starting",
            Self::Executing => "executing",
            Self::Holding => "holding",
            Self::Held => "held",
            Self::Stopping => "stopping",
            Self::Completed => "completed",
            Self::Stopped => "stopped",
            Self::Faulted => "faulted",
            Self::Refused => "refused",
        }
    }

    /// True when nothing more will happen to the run.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Completed | Self::Stopped | Self::Faulted | Self::Refused => true,
            Self::Planning
            | Self::Starting
            | Self::Executing
            | Self::Holding
            | Self::Held
            | Self::Stopping => false,
        }
    }

    /// The state after `event`. A final state stays.
    #[must_use]
    pub const fn on(self, event: RunEvent) -> Self {
        if self.is_final() {
            return self;
        }
        match (event, self) {
            (RunEvent::Ended(RunResult::Completed), _) => Self::Completed,
            (RunEvent::Ended(RunResult::Stopped), _) => Self::Stopped,
            (RunEvent::Ended(RunResult::Faulted), _) => Self::Faulted,
            (RunEvent::Planned, Self::Planning) => Self::Starting,
            // A stop during planning: nothing of the run has reached the cycle.
            (RunEvent::StopAsked, Self::Planning) => Self::Stopped,
            (RunEvent::PlanFailed, Self::Planning) | (RunEvent::StartRefused, Self::Starting) => {
                Self::Refused
            }
            (RunEvent::Machine(state), _) => self.on_machine(state),
            (RunEvent::Planned | RunEvent::PlanFailed | RunEvent::StartRefused | RunEvent::StopAsked, _) => {
                self
            }
        }
    }

    const fn on_machine(self, machine: MachineState) -> Self {
        match (self, machine) {
            // Before the start took effect the machine's states are not this run's.
            (Self::Planning, _) => self,
            (Self::Starting, MachineState::Executing) => Self::Executing,
            (Self::Starting, MachineState::Holding) => Self::Holding,
            (Self::Starting, MachineState::Held) => Self::Held,
            (Self::Starting, _) => self,
            (_, MachineState::Executing) => Self::Executing,
            (_, MachineState::Holding) => Self::Holding,
            (_, MachineState::Held) => Self::Held,
            (_, MachineState::Stopping) => Self::Stopping,
            // How it ended is told by the end of the run.
            (_, _) => self,
        }
    }
}

/// One run.
#[derive(Debug)]
pub struct Run {
    /// Tag of its pieces on the boundary.
    pub tag: RunTag,
    /// The name it was accepted under.
    pub run_id: String,
    /// The job.
    pub job: StoredJob,
    /// Its state.
    pub state: RunState,
    /// The lease its pieces are stamped with.
    pub epoch: ControlEpoch,
    /// Its order at the planning desk.
    pub ticket: Ticket,
    /// Number given to the start command.
    pub start_command: u32,
    /// The plan, once there.
    pub plan: PlannedRun,
    /// Position of the current piece.
    pub piece: u32,
    /// Position of the current instruction.
    pub instruction: u32,
    /// Path parameter on the current piece, in the unit of its path; where it ended once it has.
    pub s: f64,
    pushed: usize,
    elapsed_before: Vec<f64>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Progress {
    /// Share of the planned time that is done, 0 to 1.
    pub fraction: f64,
    /// Planned time at 100 %, s.
    pub planned_s: f64,
}

impl Run {
    /// A run that waits for its plan.
    #[must_use]
    pub fn new(
        tag: RunTag,
        run_id: String,
        job: StoredJob,
        epoch: ControlEpoch,
        ticket: Ticket,
        start_command: u32,
    ) -> Self {
        Self {
            tag,
            run_id,
            job,
            state: RunState::Planning,
            epoch,
            ticket,
            start_command,
            plan: PlannedRun::default(),
            piece: 0,
            instruction: 0,
            s: 0.0,
            pushed: 0,
            elapsed_before: Vec::new(),
        }
    }

    /// Takes the plan.
    pub fn set_plan(&mut self, plan: PlannedRun) {
        let mut elapsed = 0.0;
        self.elapsed_before = plan
            .pieces
            .iter()
            .map(|piece| {
                let before = elapsed;
                elapsed += piece.duration_s;
                before
            })
            .collect();
        self.plan = plan;
        self.pushed = 0;
    }

    /// Pushes pieces as far as there is credit. Returns how many.
    pub fn feed(&mut self, pieces: &mut PieceWriter) -> usize {
        let before = self.pushed;
        while let Some(planned) = self.plan.pieces.get(self.pushed) {
            let Ok(index) = u32::try_from(self.pushed) else { break };
            let piece = Piece {
                run: self.tag,
                epoch: self.epoch,
                index,
                instruction: planned.instruction,
                kind: planned.kind,
            };
            if pieces.push(piece).is_err() {
                break;
            }
            self.pushed += 1;
        }
        self.pushed - before
    }

    /// The planned piece that is being executed.
    #[must_use]
    pub fn current_piece(&self) -> Option<&PlannedPiece> {
        self.plan.pieces.get(usize::try_from(self.piece).ok()?)
    }

    /// How far the run is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let s = self.s;
        let planned_s = self.plan.duration_s();
        if self.state == RunState::Completed {
            return Progress { fraction: 1.0, planned_s };
        }
        let index = usize::try_from(self.piece).unwrap_or(usize::MAX);
        let before = self.elapsed_before.get(index).copied().unwrap_or(0.0);
        let within = self.current_piece().map_or(0.0, |piece| {
            let PieceKind::Motion(segment) = &piece.kind else { return 0.0 };
            let length = segment.path.length();
            if length > 0.0 { piece.duration_s * (s / length).clamp(0.0, 1.0) } else { 0.0 }
        });
        let fraction = if planned_s > 0.0 { ((before + within) / planned_s).clamp(0.0, 1.0) } else { 0.0 };
        Progress { fraction, planned_s }
    }

    /// Name of a process and of one of its phases, for people.
    #[must_use]
    pub fn phase_name(&self, table: u16, phase: u8) -> Option<(&str, &str)> {
        let names = self.plan.processes.iter().find(|names| names.table == table)?;
        let phase = names.phases.iter().find(|(number, _)| *number == phase)?;
        Some((&names.name, &phase.1))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn every_state_and_every_event_have_one_outcome() {
        let mut events = vec![
            RunEvent::Planned,
            RunEvent::PlanFailed,
            RunEvent::StartRefused,
            RunEvent::StopAsked,
            RunEvent::Ended(RunResult::Completed),
            RunEvent::Ended(RunResult::Stopped),
            RunEvent::Ended(RunResult::Faulted),
        ];
        events.extend(MachineState::ALL.map(RunEvent::Machine));
        let mut table = String::new();
        for state in RunState::ALL {
            for event in &events {
                let event_name = format!("{event:?}");
                let next = state.on(*event);
                if next != state {
                    writeln!(table, "{:>9} | {event_name:<22} | {}", state.name(), next.name()).unwrap();
                }
                assert!(!state.is_final() || next == state, "{state:?} left by {event:?}");
            }
        }
        insta::assert_snapshot!(table);
    }
}
