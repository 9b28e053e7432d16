//! Carrying out requests: what each one checks and does.

use serde_json::{Value, json};

use super::commands::states_for;
use super::{API_VERSION, Caller, Daemon, Handled, NOTICE, PUTS_AT_ONCE, PUTS_PER_S};
use crate::api::answer::{Answer, HelloAnswer, LimitsAnswer};
use crate::api::error::ApiError;
use crate::api::framing::LINE_MAX;
use crate::api::lease::Acquired;
use crate::api::request::{ControlAcquire, JobPut, JobStart, OnLoss, Role};
use crate::api::strict_json::{DEPTH_MAX, parse_text};
use crate::boundary::command_queue::Command;
use crate::jobs::planning_desk::{Order, Ticket};
use crate::jobs::runner::{Run, RunState};
use crate::jobs::store::{StoreError, canonical_text, document_hash};
use crate::machine::{MachineState, RunTag};
use crate::units::Nanoseconds;

impl Daemon {
    pub(super) fn hello(&self, caller: &Caller) -> Answer {
        Answer::Hello(Box::new(HelloAnswer {
            server: "motiond",
            version: env!("CARGO_PKG_VERSION"),
            api_version: API_VERSION,
            boot_id: self.store.boot(),
            session: caller.session.0,
            role: caller.role.name(),
            cell: self.facts.cell.clone(),
            robot: self.facts.robot.clone(),
            joints: self.facts.joints.len(),
            cycle_s: self.facts.cycle.as_seconds(),
            tools: self.facts.tools.clone(),
            limits: LimitsAnswer { message_bytes: LINE_MAX, depth: DEPTH_MAX },
            notice: NOTICE,
        }))
    }

    pub(super) fn lease_answer(&self) -> Answer {
        let (lease_s, on_loss) = self
            .lease
            .held()
            .map_or_else(|| (0.0, OnLoss::default()), |held| (held.duration.as_seconds(), held.on_loss));
        Answer::Lease { epoch: self.lease.epoch().0, lease_s, on_loss }
    }

    pub(super) fn acquire(
        &mut self,
        caller: &Caller,
        acquire: &ControlAcquire,
        now: Nanoseconds,
    ) -> Result<Answer, ApiError> {
        let take_over = acquire.take_over.is_some();
        let acquired = self.lease.would_acquire(caller.session, take_over, now)?;
        if let Acquired::TakenOver { .. } = acquired {
            if caller.role < Role::Programmer {
                return Err(ApiError::RoleTooLow { has: caller.role, needs: Role::Programmer });
            }
            if self.active_run().is_some() {
                // First the hold, then the change of hands: nothing moves under two hands.
                self.hold(caller)?;
            }
        }
        let duration = nanoseconds(acquire.lease_s);
        self.lease.acquire(caller.session, &caller.client, duration, acquire.on_loss, take_over, now)?;
        if acquired != Acquired::Renewed {
            let change = if acquired == Acquired::New { "acquired" } else { "taken_over" };
            self.log(
                "control",
                json!({
                    "change": change,
                    "holder": caller.client,
                    "session": caller.session.0,
                    "epoch": self.lease.epoch().0,
                    "reason": acquire.take_over.as_deref().map(shortened),
                }),
                None,
            );
        }
        self.announce_epoch();
        Ok(self.lease_answer())
    }

    pub(super) fn put(&mut self, put: &JobPut, now: Nanoseconds) -> Result<Answer, ApiError> {
        let canonical = if let Value::String(text) = &put.document {
            canonical_text(&parse_text(text).map_err(ApiError::Json)?)
        } else {
            canonical_text(&put.document)
        };
        if let Some(expected) = &put.document_hash {
            let actual = document_hash(&canonical);
            if *expected != actual {
                return Err(ApiError::InvalidParams {
                    place: "document_hash".to_owned(),
                    detail: format!("the document's hash is {actual}"),
                });
            }
        }
        self.desk.read(&canonical).map_err(|problems| ApiError::JobInvalid { problems })?;

        // Storing waits for the disk; a flood of documents must not delay a stop.
        let refill = now.since(self.puts_at).as_seconds() * PUTS_PER_S;
        self.puts_left = (self.puts_left + refill).min(PUTS_AT_ONCE);
        self.puts_at = now;
        if self.puts_left < 1.0 {
            return Err(ApiError::Busy {
                what: "the number of documents stored per second",
                retry_after_s: 1.0 / PUTS_PER_S,
            });
        }
        self.puts_left -= 1.0;
        let (job, stored) = self.store.put(&canonical).map_err(|error| storage(&error))?;
        if stored {
            self.log("job_stored", json!({"job_id": job.job_id, "document_hash": job.document_hash}), None);
        }
        Ok(Answer::Stored { job_id: job.job_id, document_hash: job.document_hash, stored })
    }

    pub(super) fn document(&self, job_id: &str) -> Result<String, ApiError> {
        self.store.document(job_id).map_err(|error| match error {
            StoreError::Unknown => ApiError::JobUnknown { job_id: job_id.to_owned() },
            StoreError::Refused(_) | StoreError::Fenced(_) | StoreError::Full | StoreError::Corrupt(_) => {
                storage(&error)
            }
        })
    }

    pub(super) fn order(&mut self, document: String) -> Result<Ticket, ApiError> {
        let q_start = self.standing().ok_or(ApiError::WrongState {
            state: self.machine,
            needs: "any state, once the real-time thread has run its first cycle",
        })?;
        let ticket = Ticket(self.next_ticket);
        self.desk
            .submit(Order { ticket, document, q_start })
            .map_err(|_| ApiError::Busy { what: "the queue of the planner", retry_after_s: 1.0 })?;
        self.next_ticket += 1;
        Ok(ticket)
    }

    pub(super) fn check(&mut self, caller: &Caller, job_id: &str) -> Result<Handled, ApiError> {
        let document = self.document(job_id)?;
        let ticket = self.order(document)?;
        self.checks.insert(ticket, (caller.session, job_id.to_owned()));
        Ok(Handled::Later(ticket))
    }

    pub(super) fn start(&mut self, caller: &Caller, start: &JobStart) -> Result<Answer, ApiError> {
        let document = self.document(&start.job_id)?;
        let job = self
            .store
            .find(&start.job_id)
            .cloned()
            .ok_or_else(|| ApiError::JobUnknown { job_id: start.job_id.clone() })?;
        if let Some(run) = self.active_run() {
            return Err(ApiError::RunActive { run_id: run.run_id.clone() });
        }
        self.may_start()?;
        let facts = self.desk.read(&document).map_err(|problems| ApiError::JobInvalid { problems })?;
        if !facts.tool.is_empty() && !self.facts.tools.contains(&facts.tool) {
            return Err(ApiError::WrongTool { job_tool: facts.tool, cell_tools: self.facts.tools.clone() });
        }

        let ticket = self.order(document)?;
        let command_id = self.new_command(caller.session, "job.start");
        let tag = RunTag(self.next_run);
        self.next_run += 1;
        let run_id = format!("run-{:06}-{:06}", self.store.boot(), tag.0);
        self.run = Some(Run::new(tag, run_id.clone(), job, self.cycle_epoch, ticket, command_id));
        self.start_owed = false;
        self.holds_owed.clear();
        self.log_run();
        Ok(Answer::RunAccepted { accepted: true, command_id, run_id })
    }

    pub(super) fn may_start(&self) -> Result<(), ApiError> {
        if !self.faults.is_empty() {
            return Err(self.fault_active());
        }
        let joints = self.untrusted_joints();
        if !joints.is_empty() {
            return Err(ApiError::PositionUntrusted { joints });
        }
        match self.machine {
            MachineState::Ready => Ok(()),
            MachineState::Fault | MachineState::FaultReaction => Err(self.fault_active()),
            state @ (MachineState::Disabled | MachineState::Enabling | MachineState::Disabling) => {
                Err(ApiError::NotEnabled { state })
            }
            state @ (MachineState::Executing
            | MachineState::Holding
            | MachineState::Held
            | MachineState::Stopping) => Err(ApiError::WrongState { state, needs: states_for("job.start") }),
        }
    }

    pub(super) fn hold(&mut self, caller: &Caller) -> Result<Answer, ApiError> {
        if self.run.as_ref().is_some_and(|run| run.state == RunState::Planning) {
            // The cycle knows nothing of the run yet; the hold follows its start in the same cycle.
            if self.holds_owed.len() >= crate::boundary::command_queue::CAPACITY / 2 {
                return Err(busy_commands());
            }
            let command_id = self.new_command(caller.session, "hold");
            self.holds_owed.push(command_id);
            return Ok(Answer::Accepted { accepted: true, command_id });
        }
        self.command(caller, Command::Hold, "hold")
    }

    pub(super) fn resume(&mut self, caller: &Caller) -> Result<Answer, ApiError> {
        if !self.faults.is_empty() {
            return Err(self.fault_active());
        }
        match self.machine {
            MachineState::Held | MachineState::Holding => self.command(caller, Command::Resume, "resume"),
            MachineState::Fault | MachineState::FaultReaction => Err(self.fault_active()),
            state @ (MachineState::Disabled
            | MachineState::Enabling
            | MachineState::Ready
            | MachineState::Executing
            | MachineState::Stopping
            | MachineState::Disabling) => Err(ApiError::WrongState { state, needs: states_for("resume") }),
        }
    }

    pub(super) fn enable(&mut self, caller: &Caller) -> Result<Answer, ApiError> {
        if !self.faults.is_empty() {
            return Err(self.fault_active());
        }
        match self.machine {
            MachineState::Fault | MachineState::FaultReaction => Err(self.fault_active()),
            MachineState::Disabled
            | MachineState::Enabling
            | MachineState::Ready
            | MachineState::Executing
            | MachineState::Holding
            | MachineState::Held
            | MachineState::Stopping
            | MachineState::Disabling => self.command(caller, Command::Enable, "enable"),
        }
    }

    pub(super) fn stop(
        &mut self,
        caller: &Caller,
        command: Command,
        name: &'static str,
    ) -> Result<Answer, ApiError> {
        let answer = self.command(caller, command, name)?;
        self.cancel_planning();
        Ok(answer)
    }

    pub(super) fn fault_active(&self) -> ApiError {
        ApiError::FaultActive { fault: self.faults.first().map(|latched| latched.fault.code.number()) }
    }
}

pub(super) fn storage(error: &StoreError) -> ApiError {
    ApiError::Storage { detail: error.to_string() }
}

pub(super) fn busy_commands() -> ApiError {
    ApiError::Busy { what: "the command queue", retry_after_s: 0.05 }
}

fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Seconds within the range of leases to nanoseconds.
fn nanoseconds(seconds: f64) -> Nanoseconds {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be between 0.5 s and 60 s; a cast saturates"
    )]
    Nanoseconds((seconds * 1e9) as u64)
}
