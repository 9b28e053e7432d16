//! The run: from its plan to its start, and feeding its pieces.

use serde_json::{Value, json};

use super::{Daemon, Notice};
use crate::api::answer::Answer;
use crate::api::error::{ApiError, ProblemData};
use crate::boundary::command_queue::Command;
use crate::jobs::planning_desk::{Outcome, PlanFailure, PlannedRun};
use crate::jobs::runner::{Run, RunEvent, RunState};
use crate::joints::JointVector;
use crate::machine::MachineState;

impl Daemon {
    pub(super) fn active_run(&self) -> Option<&Run> {
        self.run.as_ref().filter(|run| !run.state.is_final())
    }

    /// Where the arm stands: the setpoint while drives hold it, else the measured position.
    pub(super) fn standing(&self) -> Option<JointVector> {
        self.latest.as_ref().map(|sample| match sample.state {
            MachineState::Disabled
            | MachineState::Enabling
            | MachineState::Fault
            | MachineState::FaultReaction => sample.q_actual,
            MachineState::Ready
            | MachineState::Executing
            | MachineState::Holding
            | MachineState::Held
            | MachineState::Stopping
            | MachineState::Disabling => sample.q_setpoint,
        })
    }

    pub(super) fn run_event(&mut self, event: RunEvent) {
        let Some(run) = &mut self.run else { return };
        let next = run.state.on(event);
        if next != run.state {
            run.state = next;
            self.log_run();
        }
    }

    pub(super) fn log_run(&mut self) {
        let Some(run) = &self.run else { return };
        let details = json!({"run_id": run.run_id, "job_id": run.job.job_id, "state": run.state.name()});
        self.log("run_state", details, None);
    }

    /// Takes back a run of which nothing has reached the cycle.
    pub(super) fn cancel_planning(&mut self) {
        let Some(start_command) =
            self.run.as_ref().filter(|run| run.state == RunState::Planning).map(|run| run.start_command)
        else {
            return;
        };
        self.start_owed = false;
        let error = ApiError::Cancelled { by: "the run was stopped while it was being planned" };
        self.command_refused(start_command, &error);
        for id in std::mem::take(&mut self.holds_owed) {
            self.command_refused(id, &error);
        }
        self.run_event(RunEvent::StopAsked);
    }

    pub(super) fn planned(&mut self, outcome: Outcome) {
        if let Some((session, job_id)) = self.checks.remove(&outcome.ticket) {
            let result = checked(job_id, outcome.result);
            self.notice(Notice::Answer { session, ticket: outcome.ticket, result });
            return;
        }
        let waiting = self.run.as_ref().is_some_and(|run| {
            run.ticket == outcome.ticket && run.state == RunState::Planning && run.plan.pieces.is_empty()
        });
        if !waiting {
            return;
        }
        match outcome.result {
            Ok(plan) => {
                if let Some(run) = &mut self.run {
                    run.set_plan(plan);
                    for recorder in &mut self.recorders {
                        recorder.planned(run.tag, &mut run.plan.pieces.iter().map(|piece| &piece.kind));
                    }
                    self.start_owed = true;
                }
            }
            Err(failure) => {
                let error = plan_error(failure);
                self.refuse_start(&error);
            }
        }
    }

    pub(super) fn refuse_start(&mut self, error: &ApiError) {
        self.start_owed = false;
        if let Some(id) = self.run.as_ref().map(|run| run.start_command) {
            self.command_refused(id, error);
        }
        self.run_event(RunEvent::PlanFailed);
        for id in std::mem::take(&mut self.holds_owed) {
            self.command_refused(id, error);
        }
    }

    /// Sends the start of a planned run, its first pieces before it, holds asked for behind it.
    pub(super) fn send_start(&mut self) {
        if !self.start_owed {
            return;
        }
        // The plan took time; the machine may have left the state it was accepted in.
        if let Err(error) = self.may_start() {
            self.refuse_start(&error);
            return;
        }
        let cycle_epoch = self.cycle_epoch;
        let Some(run) = &mut self.run else { return };
        run.epoch = cycle_epoch;
        run.feed(&mut self.end.pieces);
        let (id, tag) = (run.start_command, run.tag);
        if !self.push(id, Command::Start(tag)) {
            return;
        }
        self.start_owed = false;
        self.run_event(RunEvent::Planned);
        for id in std::mem::take(&mut self.holds_owed) {
            if !self.push(id, Command::Hold) {
                // Never lost: the daemon sends it itself as soon as there is room.
                self.owed.push_back(Command::Hold);
            }
        }
    }

    pub(super) fn feed(&mut self) {
        if let Some(run) = &mut self.run {
            match run.state {
                RunState::Starting | RunState::Executing | RunState::Holding | RunState::Held => {
                    run.feed(&mut self.end.pieces);
                }
                RunState::Planning
                | RunState::Stopping
                | RunState::Completed
                | RunState::Stopped
                | RunState::Faulted
                | RunState::Refused => {}
            }
        }
    }
}

fn checked(job_id: String, result: Result<PlannedRun, PlanFailure>) -> Result<Answer, ApiError> {
    match result {
        Ok(plan) => Ok(Answer::Checked {
            job_id,
            ok: true,
            duration_s: Some(plan.duration_s()),
            problems: Vec::new(),
            report: plan.report,
        }),
        Err(PlanFailure::Problems(problems)) => Ok(Answer::Checked {
            job_id,
            ok: false,
            duration_s: None,
            problems: problems.iter().map(ProblemData::from).collect(),
            report: Value::Null,
        }),
        Err(PlanFailure::Panicked(detail)) => Err(ApiError::Internal { detail }),
    }
}

fn plan_error(failure: PlanFailure) -> ApiError {
    match failure {
        PlanFailure::Problems(problems) => ApiError::JobInvalid { problems },
        PlanFailure::Panicked(detail) => ApiError::Internal { detail },
    }
}
