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

mod commands;
mod mastering;
mod objects;
mod reports;
mod requests;
mod run;

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::Receiver;

use serde_json::json;

use super::answer::Answer;
use super::error::ApiError;
use super::lease::{Lease, SessionId};
use super::request::{Motion, Request, Role};
use crate::boundary::DaemonEnd;
use crate::boundary::command_queue::Command;
use crate::boundary::event_queue::Event;
use crate::boundary::position_reports::PositionReport;
use crate::boundary::sample_ring::Sample;
use crate::faults::Fault;
use crate::jobs::planning_desk::{PlanningDesk, Ticket};
use crate::jobs::runner::Run;
use crate::jobs::store::JobStore;
use crate::kinematics::JointKind;
use crate::machine::{ControlEpoch, MachineState};
use crate::mastering::store::MasteringStore;
use crate::telemetry::bus_status::BusMonitor;
use crate::telemetry::events::{EventLog, LoggedEvent};
use crate::telemetry::joint_travel::JointTravel;
use crate::telemetry::recorder::Recorder;
use crate::telemetry::status::ChannelNames;
use crate::telemetry::status::FaultStatus;
use crate::units::{Nanoseconds, Ratio};

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
    /// Kinds of the joints, joint 1 first.
    pub joints: Vec<JointKind>,
    /// Least and largest position of each joint, rad or m.
    pub position_limits: Vec<(f64, f64)>,
    /// Cycle time.
    pub cycle: Nanoseconds,
    /// Tools of the cell.
    pub tools: Vec<String>,
    /// Names of the channels.
    pub channels: ChannelNames,
    /// Names of the SubDevices, in bus order.
    pub subdevices: Vec<String>,
    /// How far each joint goes when the controller dies.
    pub travels: Vec<JointTravel>,
    /// Indices of the objects mapped into the outputs of each SubDevice.
    pub mapped_outputs: Vec<Vec<u16>>,
}

/// How bringing the bus up again ended: what it cannot do, in words.
pub type BringUpResult = Result<(), String>;

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

/// A fault that waits for its acknowledgement.
#[derive(Debug)]
struct LatchedFault {
    fault: Fault,
    /// As it was told when it came: what was under way has its name here.
    words: FaultStatus,
}

/// The end of the daemon: the last command it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shutdown {
    NotAsked,
    /// The switching off waits for room in the queue.
    Owed,
    /// It was sent with this number.
    Sent(u32),
    /// The cycle has taken it.
    Taken,
}

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
    shutdown: Shutdown,
    machine: MachineState,
    latest: Option<Sample>,
    faults: Vec<LatchedFault>,
    mastering: Option<MasteringStore>,
    mastering_failure: Option<String>,
    position_report: Option<PositionReport>,
    bus: BusMonitor,
    bring_ups: Option<Receiver<BringUpResult>>,
    events: EventLog,
    events_of_poll: VecDeque<Event>,
    dropped_reported: u64,
    recorders: Vec<Box<dyn Recorder>>,
    objects: objects::ObjectErrands,
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
            bus: BusMonitor::new(facts.subdevices.clone(), facts.cycle).with_travels(facts.travels.clone()),
            mastering: None,
            mastering_failure: None,
            position_report: None,
            bring_ups: None,
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
            shutdown: Shutdown::NotAsked,
            machine: MachineState::Disabled,
            latest: None,
            faults: Vec::new(),
            events: EventLog::default(),
            events_of_poll: VecDeque::new(),
            dropped_reported: 0,
            recorders: Vec::new(),
            objects: objects::ObjectErrands::default(),
            notices: VecDeque::new(),
        }
    }

    /// Results of bring-ups of the bus after the first one come here.
    pub fn follow_bring_ups(&mut self, results: Receiver<BringUpResult>) {
        self.bring_ups = Some(results);
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

    /// True when `session` holds the control lease.
    #[must_use]
    pub fn in_control(&self, session: SessionId) -> bool {
        self.lease.held().is_some_and(|held| held.session == session)
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
        if self.shutdown != Shutdown::NotAsked && request.method().motion == Motion::Starts {
            return Err(ApiError::Cancelled { by: "the daemon is being ended" });
        }
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
            Request::MasterSet(set) => self.master_set(caller, &set).map(Handled::Now),
            Request::MasterAccept(accept) => self.master_accept(caller, &accept).map(Handled::Now),
            Request::MasterStatus(_) => Ok(Handled::Now(self.master_status())),
            Request::SdoRead(read) => self.sdo_read(caller, &read),
            Request::SdoWrite(write) => self.sdo_write(caller, &write),
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
    /// daemon. Done when [`is_shut_down`](Self::is_shut_down).
    pub fn begin_shutdown(&mut self) {
        if let Some(held) = self.lease.held().cloned() {
            self.lease.give_up(held.session);
            self.log("control", json!({"change": "lost", "reason": "shutdown", "holder": held.client}), None);
        }
        self.cancel_planning();
        if self.shutdown == Shutdown::NotAsked {
            self.shutdown = Shutdown::Owed;
        }
        self.send_owed();
    }

    /// The cycle has taken the switching off and it is done: nothing moves, no drive has torque.
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        self.shutdown == Shutdown::Taken
            && self.active_run().is_none()
            && matches!(self.machine, MachineState::Disabled | MachineState::Fault)
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
        self.run_errands();
        self.announce_epoch();
    }
}
