//! The daemon's core: every request is carried out here, on one thread, without socket, clock or sleep.
//!
//! It holds the daemon's ends of the boundary, the job store, the planning desk, the control lease, the
//! active run and the newest status. [`Daemon::handle`] carries out one request; [`Daemon::poll`] takes
//! what the cycle has reported, feeds pieces, notices a lost lease. Time is an argument.
//!
//! What is accepted and what is done are two answers: a command is answered with its `command_id`, and
//! an event `command_done` or `command_refused` follows when the cycle has decided. Checks made here
//! against the newest known state spare a round trip; the cycle checks again and has the last word.
//!
//! **Lease and run.** The pieces of a run carry the epoch under which it was started. When control
//! changes hands during a run, the run is put on hold first (unless it was left to `continue`), and the
//! new epoch is announced to the cycle when the run has ended: so the new holder can resume the run it
//! has taken over. Until then the broker alone keeps the old holder out, as it does at any time.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::answer::{Answer, HelloAnswer, LimitsAnswer};
use super::error::{ApiError, ProblemData};
use super::framing::LINE_MAX;
use super::lease::{Acquired, Held, Lease, SessionId};
use super::request::{ControlAcquire, JobPut, JobStart, OnLoss, Request, Role};
use super::strict_json::{DEPTH_MAX, parse_text};
use crate::boundary::DaemonEnd;
use crate::boundary::command_queue::{Command, StampedCommand};
use crate::boundary::event_queue::{Event, EventKind, Refusal, RunResult};
use crate::boundary::sample_ring::{CycleCounters, Sample};
use crate::devices::ANALOG_CHANNELS;
use crate::faults::{Fault, Reaction};
use crate::geometry::Pose;
use crate::jobs::planning_desk::{Order, Outcome, PlanFailure, PlanningDesk, Ticket};
use crate::jobs::runner::{Run, RunEvent, RunState};
use crate::jobs::store::{JobStore, StoreError, canonical_text, document_hash};
use crate::joints::JointVector;
use crate::machine::{ControlEpoch, MachineState, RunTag};
use crate::telemetry::events::{EventLog, LoggedEvent};
use crate::telemetry::recorder::Recorder;
use crate::telemetry::status::{
    ChannelNames, FaultStatus, RunStatus, Status, distance_on, fault_status, reaction_name, status,
};
use crate::units::{Cycles, Nanoseconds, Ratio};

/// Version of the interface.
pub const API_VERSION: u32 = 1;

/// What every user has to know.
pub const NOTICE: &str = "This software is not a safety component. It has no performance level or safety \
integrity level; every stop it makes is operational.";

/// What of the cell the interface shows.
#[derive(Clone, Debug, PartialEq)]
pub struct CellFacts {
    /// Name of the cell.
    pub cell: String,
    /// Name of the robot model.
    pub robot: String,
    /// Number of joints.
    pub joints: usize,
    /// Cycle time.
    pub cycle: Nanoseconds,
    /// Tools of the cell.
    pub tools: Vec<String>,
    /// Names of the channels.
    pub channels: ChannelNames,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The session.
    pub session: SessionId,
    /// The client's name for itself.
    pub client: String,
    /// What it may do.
    pub role: Role,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Handled {
    /// The answer.
    Now(Answer),
    /// The answer comes as [`Notice::Answer`] with this ticket.
    Later(Ticket),
}

/// Something to tell sessions.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// An event, for its subscribers, and for `owner` in any case: it asked for what is reported.
    Event {
        /// The event.
        event: LoggedEvent,
        /// The session whose command it answers.
        owner: Option<SessionId>,
    },
    /// The answer to a request that was left open.
    Answer {
        /// The session that asked.
        session: SessionId,
        /// What [`Handled::Later`] gave.
        ticket: Ticket,
        /// The answer.
        result: Result<Answer, ApiError>,
    },
}

/// Notices that may wait; only a caller that never takes them loses the oldest.
const NOTICES_MAX: usize = 8192;
/// Faults shown at once.
const FAULTS_MAX: usize = 16;
/// Commands whose answer is awaited.
const PENDING_MAX: usize = 1024;
/// Documents stored per second, and at once.
const PUTS_PER_S: f64 = 20.0;
const PUTS_AT_ONCE: f64 = 20.0;

/// The daemon's core.
pub struct Daemon {
    facts: CellFacts,
    end: DaemonEnd,
    store: JobStore,
    desk: Box<dyn PlanningDesk>,
    lease: Lease,
    /// The epoch the cycle knows; follows the lease's when no run is active.
    cycle_epoch: ControlEpoch,
    run: Option<Run>,
    /// A planned run whose start found the command queue full.
    start_owed: bool,
    /// Holds asked for while the run was being planned: they follow its start.
    holds_owed: Vec<u32>,
    /// Commands the daemon itself owes the cycle (a lost lease), until the queue has room.
    owed: VecDeque<Command>,
    pending: BTreeMap<u32, (SessionId, &'static str)>,
    checks: BTreeMap<Ticket, (SessionId, String)>,
    next_run: u32,
    next_command: u32,
    next_ticket: u64,
    puts_left: f64,
    puts_at: Nanoseconds,
    machine: MachineState,
    latest: Option<Sample>,
    faults: Vec<Fault>,
    events: EventLog,
    events_of_poll: VecDeque<Event>,
    dropped_reported: u64,
    recorders: Vec<Box<dyn Recorder>>,
    notices: VecDeque<Notice>,
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Daemon")
            .field("facts", &self.facts)
            .field("machine", &self.machine)
            .field("lease", &self.lease)
            .field("run", &self.run.as_ref().map(|run| (&run.run_id, run.state)))
            .finish_non_exhaustive()
    }
}

impl Daemon {
    /// A daemon at rest: nobody in control, no run; nothing of an earlier life is resumed.
    #[must_use]
    pub fn new(facts: CellFacts, end: DaemonEnd, store: JobStore, desk: Box<dyn PlanningDesk>) -> Self {
        Self {
            facts,
            end,
            store,
            desk,
            lease: Lease::default(),
            cycle_epoch: ControlEpoch(0),
            run: None,
            start_owed: false,
            holds_owed: Vec::new(),
            owed: VecDeque::new(),
            pending: BTreeMap::new(),
            checks: BTreeMap::new(),
            next_run: 1,
            next_command: 1,
            next_ticket: 1,
            puts_left: PUTS_AT_ONCE,
            puts_at: Nanoseconds(0),
            machine: MachineState::Disabled,
            latest: None,
            faults: Vec::new(),
            events: EventLog::default(),
            events_of_poll: VecDeque::new(),
            dropped_reported: 0,
            recorders: Vec::new(),
            notices: VecDeque::new(),
        }
    }

    /// Adds a recorder; it sees everything from now on.
    pub fn add_recorder(&mut self, recorder: Box<dyn Recorder>) {
        self.recorders.push(recorder);
    }

    /// What of the cell the interface shows.
    #[must_use]
    pub const fn facts(&self) -> &CellFacts {
        &self.facts
    }

    /// The event log.
    #[must_use]
    pub const fn events(&self) -> &EventLog {
        &self.events
    }

    /// The newest known state of the machine.
    #[must_use]
    pub const fn machine(&self) -> MachineState {
        self.machine
    }

    /// The active run, or the last one.
    #[must_use]
    pub const fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// The faults that are latched, the first one first.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// True when `session` holds the control lease.
    #[must_use]
    pub fn in_control(&self, session: SessionId) -> bool {
        self.lease.held().is_some_and(|held| held.session == session)
    }

    /// True when nothing moves, no drive has torque, and no run is active.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.active_run().is_none()
            && self.owed.is_empty()
            && matches!(self.machine, MachineState::Disabled | MachineState::Fault)
    }

    /// The next thing to tell sessions.
    pub fn take_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Carries out one request, or refuses it and changes nothing.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn handle(
        &mut self,
        caller: &Caller,
        request: Request,
        now: Nanoseconds,
    ) -> Result<Handled, ApiError> {
        let needs = request.method().role;
        if caller.role < needs {
            return Err(ApiError::RoleTooLow { has: caller.role, needs });
        }
        self.expire_lease(now);
        if let Some(epoch) = request.epoch() {
            self.lease.prove(caller.session, epoch, now)?;
        }
        match request {
            Request::Hello(_) => Ok(Handled::Now(self.hello(caller))),
            Request::ControlAcquire(acquire) => self.acquire(caller, &acquire, now).map(Handled::Now),
            Request::ControlRenew(_) => Ok(Handled::Now(self.lease_answer())),
            Request::ControlRelease(_) => {
                if let Some(held) = self.lease.give_up(caller.session) {
                    self.lease_ended(&held, "released");
                }
                Ok(Handled::Now(Answer::Released { released: true }))
            }
            Request::JobPut(put) => self.put(&put, now).map(Handled::Now),
            Request::JobCheck(check) => self.check(caller, &check.job_id),
            Request::JobList(_) => Ok(Handled::Now(Answer::Jobs {
                jobs: self.store.jobs().to_vec(),
                quarantined: self.store.quarantined().to_vec(),
            })),
            Request::JobStart(start) => self.start(caller, &start).map(Handled::Now),
            Request::Hold(_) => self.hold(caller).map(Handled::Now),
            Request::Resume(_) => self.resume(caller).map(Handled::Now),
            Request::Stop(_) => self.stop(caller, Command::Stop, "stop").map(Handled::Now),
            Request::Disable(_) => self.stop(caller, Command::Disable, "disable").map(Handled::Now),
            Request::Enable(_) => self.enable(caller).map(Handled::Now),
            Request::Reset(_) => self.command(caller, Command::ResetFault, "reset").map(Handled::Now),
            Request::Override(over) => {
                let ratio = Ratio::new(over.percent / 100.0).unwrap_or(Ratio::ONE);
                self.command(caller, Command::Override(ratio), "override").map(Handled::Now)
            }
            Request::Status(_) => Ok(Handled::Now(Answer::Status(Box::new(self.status())))),
            // Who is told what is the session's business; see `broker`.
            Request::Subscribe(subscribe) => Ok(Handled::Now(Answer::Subscribed {
                topics: subscribe.topics,
                max_hz: subscribe.max_hz,
                last_event_seq: self.events.last(),
            })),
            Request::Unsubscribe(_) => Ok(Handled::Now(Answer::Unsubscribed { topics: Vec::new() })),
        }
    }

    /// A session is gone: its lease is lost, its open answers are forgotten.
    pub fn session_ended(&mut self, session: SessionId) {
        self.checks.retain(|_, (owner, _)| *owner != session);
        if let Some(held) = self.lease.give_up(session) {
            self.lease_ended(&held, "session_ended");
        }
    }

    /// Stops the arm on its path and switches the drives off, whoever is in control; for the end of the
    /// daemon. Done when [`is_quiet`](Self::is_quiet).
    pub fn begin_shutdown(&mut self) {
        if let Some(held) = self.lease.held().cloned() {
            self.lease.give_up(held.session);
            self.log("control", json!({"change": "lost", "reason": "shutdown", "holder": held.client}), None);
        }
        self.cancel_planning();
        self.owed.push_back(Command::Disable);
        self.send_owed();
    }

    /// Takes everything the cycle has reported, feeds it, and notices what time has brought.
    pub fn poll(&mut self, now: Nanoseconds) {
        self.drain();
        self.expire_lease(now);
        while let Some(outcome) = self.desk.collect() {
            self.planned(outcome);
        }
        self.send_owed();
        self.send_start();
        self.feed();
        self.announce_epoch();
    }

    // -- requests ---------------------------------------------------------------------------------

    fn hello(&self, caller: &Caller) -> Answer {
        Answer::Hello(Box::new(HelloAnswer {
            server: "motiond",
            version: env!("CARGO_PKG_VERSION"),
            api_version: API_VERSION,
            boot_id: self.store.boot(),
            session: caller.session.0,
            role: caller.role.name(),
            cell: self.facts.cell.clone(),
            robot: self.facts.robot.clone(),
            joints: self.facts.joints,
            cycle_s: self.facts.cycle.as_seconds(),
            tools: self.facts.tools.clone(),
            limits: LimitsAnswer { message_bytes: LINE_MAX, depth: DEPTH_MAX },
            notice: NOTICE,
        }))
    }

    fn lease_answer(&self) -> Answer {
        let (lease_s, on_loss) = self
            .lease
            .held()
            .map_or_else(|| (0.0, OnLoss::default()), |held| (held.duration.as_seconds(), held.on_loss));
        Answer::Lease { epoch: self.lease.epoch().0, lease_s, on_loss }
    }

    fn acquire(
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

    fn put(&mut self, put: &JobPut, now: Nanoseconds) -> Result<Answer, ApiError> {
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

    fn document(&self, job_id: &str) -> Result<String, ApiError> {
        self.store.document(job_id).map_err(|error| match error {
            StoreError::Unknown => ApiError::JobUnknown { job_id: job_id.to_owned() },
            StoreError::Refused(_) | StoreError::Fenced(_) | StoreError::Full | StoreError::Corrupt(_) => {
                storage(&error)
            }
        })
    }

    fn order(&mut self, document: String) -> Result<Ticket, ApiError> {
        let q_start = self.standing().ok_or(ApiError::WrongState {
            state: self.machine,
            needs: "the first cycle of the real-time thread",
        })?;
        let ticket = Ticket(self.next_ticket);
        self.desk
            .submit(Order { ticket, document, q_start })
            .map_err(|_| ApiError::Busy { what: "the queue of the planner", retry_after_s: 1.0 })?;
        self.next_ticket += 1;
        Ok(ticket)
    }

    fn check(&mut self, caller: &Caller, job_id: &str) -> Result<Handled, ApiError> {
        let document = self.document(job_id)?;
        let ticket = self.order(document)?;
        self.checks.insert(ticket, (caller.session, job_id.to_owned()));
        Ok(Handled::Later(ticket))
    }

    fn start(&mut self, caller: &Caller, start: &JobStart) -> Result<Answer, ApiError> {
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

    fn may_start(&self) -> Result<(), ApiError> {
        match self.machine {
            MachineState::Ready => Ok(()),
            MachineState::Fault | MachineState::FaultReaction => Err(self.fault_active()),
            state @ (MachineState::Disabled | MachineState::Enabling | MachineState::Disabling) => {
                Err(ApiError::NotEnabled { state })
            }
            state @ (MachineState::Executing
            | MachineState::Holding
            | MachineState::Held
            | MachineState::Stopping) => Err(ApiError::WrongState { state, needs: "ready" }),
        }
    }

    fn hold(&mut self, caller: &Caller) -> Result<Answer, ApiError> {
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

    fn resume(&mut self, caller: &Caller) -> Result<Answer, ApiError> {
        match self.machine {
            MachineState::Held | MachineState::Holding => self.command(caller, Command::Resume, "resume"),
            MachineState::Fault | MachineState::FaultReaction => Err(self.fault_active()),
            state @ (MachineState::Disabled
            | MachineState::Enabling
            | MachineState::Ready
            | MachineState::Executing
            | MachineState::Stopping
            | MachineState::Disabling) => Err(ApiError::WrongState { state, needs: "held" }),
        }
    }

    fn enable(&mut self, caller: &Caller) -> Result<Answer, ApiError> {
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

    fn stop(&mut self, caller: &Caller, command: Command, name: &'static str) -> Result<Answer, ApiError> {
        let answer = self.command(caller, command, name)?;
        self.cancel_planning();
        Ok(answer)
    }

    fn fault_active(&self) -> ApiError {
        ApiError::FaultActive { fault: self.faults.first().map(|fault| fault.code.number()) }
    }

    // -- commands ---------------------------------------------------------------------------------

    fn new_command(&mut self, session: SessionId, name: &'static str) -> u32 {
        let id = self.next_command;
        self.next_command = self.next_command.wrapping_add(1).max(1);
        if self.pending.len() >= PENDING_MAX {
            self.pending.pop_first();
        }
        self.pending.insert(id, (session, name));
        id
    }

    fn push(&mut self, id: u32, command: Command) -> bool {
        self.end.commands.push(StampedCommand { epoch: self.cycle_epoch, id, command }).is_ok()
    }

    fn command(&mut self, caller: &Caller, command: Command, name: &'static str) -> Result<Answer, ApiError> {
        let command_id = self.new_command(caller.session, name);
        if self.push(command_id, command) {
            return Ok(Answer::Accepted { accepted: true, command_id });
        }
        self.pending.remove(&command_id);
        Err(busy_commands())
    }

    /// Sends what the daemon itself owes the cycle, as far as there is room.
    fn send_owed(&mut self) {
        while let Some(command) = self.owed.front().copied() {
            let id = self.next_command;
            if !self.push(id, command) {
                return;
            }
            self.next_command = self.next_command.wrapping_add(1).max(1);
            self.owed.pop_front();
        }
    }

    /// Tells the cycle the lease's number, unless a run still carries the old one.
    fn announce_epoch(&mut self) {
        let epoch = self.lease.epoch();
        if epoch == self.cycle_epoch || self.active_run().is_some() {
            return;
        }
        let stamped = StampedCommand { epoch, id: self.next_command, command: Command::NewEpoch };
        if self.end.commands.push(stamped).is_ok() {
            self.next_command = self.next_command.wrapping_add(1).max(1);
            self.cycle_epoch = epoch;
        }
    }

    // -- the lease --------------------------------------------------------------------------------

    fn expire_lease(&mut self, now: Nanoseconds) {
        if let Some(held) = self.lease.expire(now) {
            self.lease_ended(&held, "expired");
        }
    }

    fn lease_ended(&mut self, held: &Held, reason: &'static str) {
        self.log(
            "control",
            json!({
                "change": "lost",
                "reason": reason,
                "holder": held.client,
                "session": held.session.0,
                "epoch": self.lease.epoch().0,
            }),
            None,
        );
        let Some(run) = self.active_run() else { return };
        let planning = run.state == RunState::Planning;
        match held.on_loss {
            OnLoss::Continue => {}
            // Nothing moves yet: what was not begun under control is not begun without it.
            OnLoss::Hold | OnLoss::Stop if planning => self.cancel_planning(),
            OnLoss::Hold => self.owed.push_back(Command::Hold),
            OnLoss::Stop => self.owed.push_back(Command::Stop),
        }
        self.send_owed();
    }

    // -- the run ----------------------------------------------------------------------------------

    fn active_run(&self) -> Option<&Run> {
        self.run.as_ref().filter(|run| !run.state.is_final())
    }

    /// Where the arm stands: the setpoint while drives hold it, else the measured position.
    fn standing(&self) -> Option<JointVector> {
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

    fn run_event(&mut self, event: RunEvent) {
        let Some(run) = &mut self.run else { return };
        let next = run.state.on(event);
        if next != run.state {
            run.state = next;
            self.log_run();
        }
    }

    fn log_run(&mut self) {
        let Some(run) = &self.run else { return };
        let details = json!({"run_id": run.run_id, "job_id": run.job.job_id, "state": run.state.name()});
        self.log("run_state", details, None);
    }

    /// Takes back a run of which nothing has reached the cycle.
    fn cancel_planning(&mut self) {
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

    fn planned(&mut self, outcome: Outcome) {
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

    fn refuse_start(&mut self, error: &ApiError) {
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
    fn send_start(&mut self) {
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

    fn feed(&mut self) {
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

    // -- what the cycle reports -------------------------------------------------------------------

    fn drain(&mut self) {
        // The cycle publishes its events before its sample: every event of the samples counted here is
        // already in the queue, so that merging by cycle keeps the order in which things happened.
        let samples = self.end.samples.waiting();
        while let Some(event) = self.end.events.pop() {
            self.events_of_poll.push_back(event);
        }
        for _ in 0..samples {
            let Some(sample) = self.end.samples.pop() else { break };
            while let Some(event) = self.events_of_poll.pop_front_if(|event| event.cycle <= sample.cycle) {
                self.take_event(&event);
            }
            for recorder in &mut self.recorders {
                recorder.sample(&sample);
            }
            if let Some(run) = &mut self.run
                && run.tag == sample.run
                && !run.state.is_final()
            {
                run.piece = sample.piece;
                run.instruction = sample.instruction;
            }
            if self.latest.is_none() {
                self.machine_entered(sample.state);
            }
            self.latest = Some(sample);
        }
        while let Some(event) = self.events_of_poll.pop_front() {
            self.take_event(&event);
        }
        let dropped = self.end.events.dropped();
        if dropped > self.dropped_reported {
            self.log("events_dropped", json!({"count": dropped - self.dropped_reported}), None);
            self.dropped_reported = dropped;
            // State changes may be among them; the newest sample has the truth.
            if let Some(state) = self.latest.as_ref().map(|sample| sample.state) {
                self.machine_entered(state);
                self.end_run_by_state(state);
            }
        }
    }

    fn take_event(&mut self, event: &Event) {
        for recorder in &mut self.recorders {
            recorder.event(event);
        }
        let cycle = event.cycle;
        match event.kind {
            EventKind::CommandDone { id } => {
                if let Some((session, name)) = self.pending.remove(&id) {
                    let details = json!({"command_id": id, "command": name});
                    self.log_at(cycle, "command_done", details, Some(session));
                }
            }
            EventKind::CommandRefused { id, refusal } => {
                let error = match refusal {
                    Refusal::State(state) => {
                        ApiError::WrongState { state, needs: "a state that allows the command" }
                    }
                    Refusal::StaleEpoch => {
                        ApiError::StaleEpoch { given: self.cycle_epoch.0, current: self.lease.epoch().0 }
                    }
                };
                self.command_refused(id, &error);
                if self.run.as_ref().is_some_and(|run| run.start_command == id) {
                    self.run_event(RunEvent::StartRefused);
                }
            }
            EventKind::State(state) => {
                self.log_at(cycle, "machine_state", json!({"state": state.name()}), None);
                self.machine_entered(state);
            }
            EventKind::Fault(fault) => {
                if self.faults.len() < FAULTS_MAX {
                    self.faults.push(fault);
                }
                self.log_at(cycle, "fault", fault_json(&fault), None);
            }
            EventKind::Warning(fault) => self.log_at(cycle, "warning", fault_json(&fault), None),
            EventKind::PieceBegan { index, instruction } => {
                if let Some(run) = &mut self.run
                    && run.tag == event.run
                {
                    run.piece = index;
                    run.instruction = instruction;
                    let details = json!({"run_id": run.run_id, "segment": index, "instruction": instruction});
                    self.log_at(cycle, "segment_began", details, None);
                }
            }
            EventKind::PhaseBegan { table, phase } => {
                let names = self.run.as_ref().and_then(|run| run.phase_name(table, phase));
                let details = json!({
                    "process": names.map_or_else(|| table.to_string(), |(process, _)| process.to_owned()),
                    "phase": names.map_or_else(|| phase.to_string(), |(_, phase)| phase.to_owned()),
                });
                self.log_at(cycle, "phase_began", details, None);
            }
            EventKind::ProcessInterrupted { table } => {
                let details = json!({"process": self.process_name(table)});
                self.log_at(cycle, "process_interrupted", details, None);
            }
            EventKind::ProcessEnded { table } => {
                let details = json!({"process": self.process_name(table)});
                self.log_at(cycle, "process_ended", details, None);
            }
            EventKind::RunEnded(result) => {
                if self.run.as_ref().is_some_and(|run| run.tag == event.run) {
                    self.run_event(RunEvent::Ended(result));
                }
            }
        }
    }

    fn machine_entered(&mut self, state: MachineState) {
        match state {
            // The way from a fault to disabled is its acknowledgement.
            MachineState::Disabled => self.faults.clear(),
            // What only held the path is over when the path goes on or is given up.
            MachineState::Executing | MachineState::Ready => {
                self.faults.retain(|fault| fault.reaction > Reaction::PathHold);
            }
            MachineState::Enabling
            | MachineState::Holding
            | MachineState::Held
            | MachineState::Stopping
            | MachineState::Disabling
            | MachineState::FaultReaction
            | MachineState::Fault => {}
        }
        self.machine = state;
        self.run_event(RunEvent::Machine(state));
    }

    /// Ends a run whose own end was lost: the machine is in a state in which nothing is executed.
    fn end_run_by_state(&mut self, state: MachineState) {
        let under_way = self.run.as_ref().is_some_and(|run| match run.state {
            RunState::Executing | RunState::Holding | RunState::Held | RunState::Stopping => true,
            RunState::Planning
            | RunState::Starting
            | RunState::Completed
            | RunState::Stopped
            | RunState::Faulted
            | RunState::Refused => false,
        });
        match state {
            MachineState::Ready if under_way => self.run_event(RunEvent::Ended(RunResult::Stopped)),
            MachineState::Disabled | MachineState::Fault if under_way => {
                self.run_event(RunEvent::Ended(RunResult::Faulted));
            }
            MachineState::Disabled
            | MachineState::Enabling
            | MachineState::Ready
            | MachineState::Executing
            | MachineState::Holding
            | MachineState::Held
            | MachineState::Stopping
            | MachineState::Disabling
            | MachineState::FaultReaction
            | MachineState::Fault => {}
        }
    }

    fn process_name(&self, table: u16) -> String {
        self.run
            .as_ref()
            .and_then(|run| run.plan.processes.iter().find(|names| names.table == table))
            .map_or_else(|| table.to_string(), |names| names.name.clone())
    }

    // -- telling ----------------------------------------------------------------------------------

    fn command_refused(&mut self, id: u32, error: &ApiError) {
        if let Some((session, name)) = self.pending.remove(&id) {
            let error = serde_json::to_value(error.data()).unwrap_or_default();
            self.log(
                "command_refused",
                json!({"command_id": id, "command": name, "error": error}),
                Some(session),
            );
        }
    }

    fn log(&mut self, kind: &'static str, details: Value, owner: Option<SessionId>) {
        let cycle = self.latest.as_ref().map_or(Cycles(0), |sample| sample.cycle);
        self.log_at(cycle, kind, details, owner);
    }

    #[expect(clippy::cast_precision_loss, reason = "exact for nine million years of cycles at 1 kHz")]
    fn log_at(&mut self, cycle: Cycles, kind: &'static str, details: Value, owner: Option<SessionId>) {
        let time_s = cycle.0 as f64 * self.facts.cycle.as_seconds();
        let event = self.events.add(time_s, cycle.0, kind, details);
        self.notice(Notice::Event { event, owner });
    }

    fn notice(&mut self, notice: Notice) {
        if self.notices.len() >= NOTICES_MAX {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    /// The newest status.
    #[must_use]
    pub fn status(&self) -> Status {
        let blank = blank_sample(self.facts.joints);
        let sample = self.latest.as_ref().unwrap_or(&blank);
        let run = self.run.as_ref().map(|run| run_status(run, sample));
        let faults: Vec<FaultStatus> = self.faults.iter().map(fault_status).collect();
        let mut status = status(sample, &self.facts.channels, run, faults, self.end.events.dropped());
        // Events may be ahead of the newest sample.
        status.state = self.machine.name();
        status
    }
}

fn run_status(run: &Run, sample: &Sample) -> RunStatus {
    let on_run = sample.run == run.tag;
    let progress = run.progress(if on_run { sample.s } else { 0.0 });
    let distance = run
        .current_piece()
        .filter(|_| on_run && !run.state.is_final())
        .and_then(|piece| distance_on(&piece.kind, sample));
    let phase = sample.phase.filter(|_| on_run && !run.state.is_final());
    let names = phase.and_then(|(table, phase)| run.phase_name(table, phase));
    RunStatus {
        run_id: run.run_id.clone(),
        job_id: run.job.job_id.clone(),
        state: run.state.name(),
        progress: progress.fraction,
        planned_s: progress.planned_s,
        instruction: run.instruction,
        segment: run.piece,
        s_mm: distance.map(|(s_mm, _)| s_mm),
        v_mm_s: distance.map(|(_, v_mm_s)| v_mm_s),
        process: names.map(|(process, _)| process.to_owned()),
        phase: names.map(|(_, phase)| phase.to_owned()),
    }
}

fn checked(
    job_id: String,
    result: Result<crate::jobs::planning_desk::PlannedRun, PlanFailure>,
) -> Result<Answer, ApiError> {
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

fn storage(error: &StoreError) -> ApiError {
    ApiError::Storage { detail: error.to_string() }
}

fn busy_commands() -> ApiError {
    ApiError::Busy { what: "the command queue", retry_after_s: 0.05 }
}

fn fault_json(fault: &Fault) -> Value {
    let mut value = serde_json::to_value(fault_status(fault)).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.insert("reaction".to_owned(), reaction_name(fault).into());
        // The event has its own cycle.
        object.remove("cycle");
    }
    value
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

/// What is shown before the first cycle.
fn blank_sample(joints: usize) -> Sample {
    Sample {
        cycle: Cycles(0),
        time: Nanoseconds(0),
        state: MachineState::Disabled,
        run: RunTag(0),
        piece: 0,
        instruction: 0,
        s: 0.0,
        speed: 0.0,
        q_setpoint: JointVector::zeros(joints),
        q_actual: JointVector::zeros(joints),
        x_base_tool: Pose::identity(),
        x_flange_tool: Pose::identity(),
        override_ratio: Ratio::ONE,
        digital_inputs: 0,
        digital_outputs: 0,
        analog_inputs: [0.0; ANALOG_CHANNELS],
        analog_outputs: [0.0; ANALOG_CHANNELS],
        phase: None,
        fresh: false,
        drives_enabled: 0,
        drives_faulted: 0,
        counters: CycleCounters::default(),
        dropped: 0,
    }
}
