//! A daemon without sockets, a clock that stands until it is moved, and a cycle that the test plays.

use std::sync::Arc;

use motiond::api::broker::Broker;
use motiond::api::daemon::{CellFacts, Daemon};
use motiond::api::lease::SessionId;
use motiond::api::request::Role;
use motiond::api::session::{Limits, Peer};
use motiond::boundary::command_queue::{Command, StampedCommand};
use motiond::boundary::event_queue::{Event, EventKind, Refusal, RunResult};
use motiond::boundary::piece_queue::{Piece, PieceKind};
use motiond::boundary::sample_ring::{CycleCounters, Sample};
use motiond::boundary::{RealtimeEnd, boundary};
use motiond::config::problem::Problem;
use motiond::devices::ANALOG_CHANNELS;
use motiond::faults::{Fault, FaultCode, Reaction};
use motiond::geometry::Pose;
use motiond::jobs::files::MemoryFiles;
use motiond::jobs::planning_desk::{
    InlineDesk, JobFacts, JobPlanner, PlannedPiece, PlannedRun, PlanningDesk, ProcessNames,
};
use motiond::jobs::store::JobStore;
use motiond::joints::JointVector;
use motiond::kinematics::JointKind;
use motiond::machine::{ControlEpoch, MachineState, RunTag};
use motiond::telemetry::status::ChannelNames;
use motiond::units::{Cycles, Nanoseconds, Ratio};
use serde_json::{Value, json};

pub const MILLISECOND: u64 = 1_000_000;

/// Reads documents like `{"name": "a", "tool": "torch", "pieces": 3}`; each piece is a dwell.
#[derive(Debug)]
pub struct TestPlanner;

impl JobPlanner for TestPlanner {
    fn read(&self, document: &str) -> Result<JobFacts, Vec<Problem>> {
        let document: Value = serde_json::from_str(document).unwrap();
        let name = document["name"].as_str();
        let Some(name) = name else {
            return Err(vec![
                Problem::new("name", "missing", "text", "add it"),
                Problem::new("pieces", "missing", "1 to 100", "add it"),
            ]);
        };
        Ok(JobFacts {
            name: name.to_owned(),
            tool: document["tool"].as_str().unwrap_or("torch").to_owned(),
            instructions: 1,
        })
    }

    fn plan(&self, document: &str, _q_start: &JointVector) -> Result<PlannedRun, Vec<Problem>> {
        let document: Value = serde_json::from_str(document).unwrap();
        assert!(document["panic"].is_null(), "the planner's own mistake");
        if document["far"] == true {
            return Err(vec![Problem::new(
                "instructions[0]",
                "out of reach by 100 mm",
                "",
                "move it nearer",
            )]);
        }
        let count = u32::try_from(document["pieces"].as_u64().unwrap_or(3)).unwrap();
        let mut pieces: Vec<PlannedPiece> = (0..count)
            .map(|instruction| PlannedPiece { instruction, kind: PieceKind::Dwell(0.5), duration_s: 0.5 })
            .collect();
        pieces.push(PlannedPiece { instruction: count, kind: PieceKind::EndOfRun, duration_s: 0.0 });
        Ok(PlannedRun {
            pieces,
            processes: vec![ProcessNames {
                table: 1,
                name: "seam-1".to_owned(),
                phases: vec![(0, "gas_preflow".to_owned())],
            }],
            report: json!({"segments": count}),
        })
    }
}

/// What the real-time thread would do, as far as the daemon sees it; every change takes one step.
#[derive(Debug)]
pub struct PlayedCycle {
    pub end: RealtimeEnd,
    pub state: MachineState,
    pub epoch: ControlEpoch,
    pub run: RunTag,
    pub piece: u32,
    pub cycle: u64,
    pub commands: Vec<StampedCommand>,
    pub executed: Vec<Piece>,
    /// Stands for a stalled thread: takes nothing, reports nothing.
    pub stalled: bool,
    latched: bool,
    disable_next: bool,
}

impl PlayedCycle {
    fn publish(&mut self, kind: EventKind) {
        self.end.events.publish(Event { cycle: Cycles(self.cycle), run: self.run, kind });
    }

    pub fn enter(&mut self, state: MachineState) {
        self.state = state;
        self.publish(EventKind::State(state));
    }

    pub fn fault(&mut self, code: FaultCode, reaction: Reaction) {
        self.latched = true;
        let cycle = Cycles(self.cycle);
        self.publish(EventKind::Fault(Fault {
            code,
            reaction,
            place: Some(2),
            value: 7.0,
            limit: 5.0,
            cycle,
        }));
        let active = !matches!(self.state, MachineState::Disabled | MachineState::Ready);
        if reaction == Reaction::PathHold {
            self.enter(MachineState::Holding);
        } else {
            self.enter(MachineState::FaultReaction);
            if active {
                self.publish(EventKind::RunEnded(RunResult::Faulted));
            }
        }
    }

    pub fn phase(&mut self, table: u16, phase: u8) {
        self.publish(EventKind::PhaseBegan { table, phase });
    }

    fn take(&mut self, stamped: StampedCommand) {
        self.commands.push(stamped);
        let id = stamped.id;
        let stops = matches!(stamped.command, Command::Hold | Command::Stop | Command::Disable);
        if stamped.command == Command::NewEpoch {
            self.epoch = self.epoch.max(stamped.epoch);
            return self.publish(EventKind::CommandDone { id });
        }
        if stamped.epoch != self.epoch && !stops {
            let refusal = Refusal::StaleEpoch;
            return self.publish(EventKind::CommandRefused { id, refusal });
        }
        use MachineState as S;
        let next = match (stamped.command, self.state) {
            (Command::Enable, S::Disabled) if !self.latched => Some(S::Enabling),
            (Command::Start(run), S::Ready) if !self.latched => {
                self.run = run;
                self.piece = 0;
                Some(S::Executing)
            }
            (Command::Hold, S::Executing) => Some(S::Holding),
            (Command::Resume, S::Holding | S::Held) if !self.latched => Some(S::Executing),
            (Command::Stop, S::Executing | S::Holding | S::Held) => Some(S::Stopping),
            (Command::Disable, S::Executing | S::Holding | S::Held) => {
                self.disable_next = true;
                Some(S::Stopping)
            }
            (Command::Disable, S::Ready | S::Enabling) => Some(S::Disabling),
            (Command::ResetFault, state) => {
                self.latched = false;
                (state == S::Fault).then_some(S::Disabled)
            }
            (Command::Override(_) | Command::Disable, _)
            | (Command::Stop, S::Ready | S::Stopping)
            | (Command::Hold, S::Holding | S::Held) => None,
            (_, state) => {
                let refusal = Refusal::State(state);
                return self.publish(EventKind::CommandRefused { id, refusal });
            }
        };
        self.publish(EventKind::CommandDone { id });
        if let Some(next) = next {
            self.enter(next);
        }
    }

    pub fn step(&mut self) {
        if self.stalled {
            return;
        }
        self.cycle += 1;
        let before = self.state;
        while let Some(stamped) = self.end.commands.pop() {
            self.take(stamped);
        }
        if self.state == before {
            self.advance();
        }
        self.publish_sample();
    }

    fn advance(&mut self) {
        match self.state {
            MachineState::Enabling => self.enter(MachineState::Ready),
            MachineState::Holding => self.enter(MachineState::Held),
            MachineState::Stopping => {
                self.publish(EventKind::RunEnded(RunResult::Stopped));
                self.run = RunTag(0);
                let next = if self.disable_next { MachineState::Disabling } else { MachineState::Ready };
                self.disable_next = false;
                self.enter(next);
            }
            MachineState::Disabling => self.enter(MachineState::Disabled),
            MachineState::FaultReaction => self.enter(MachineState::Fault),
            MachineState::Executing => {
                while let Some(piece) = self.end.pieces.pop() {
                    if piece.run != self.run {
                        continue;
                    }
                    self.executed.push(piece);
                    if piece.kind == PieceKind::EndOfRun {
                        self.publish(EventKind::RunEnded(RunResult::Completed));
                        self.run = RunTag(0);
                        self.enter(MachineState::Ready);
                        return;
                    }
                    self.piece = piece.index;
                    let (index, instruction) = (piece.index, piece.instruction);
                    self.publish(EventKind::PieceBegan { index, instruction });
                    return;
                }
            }
            MachineState::Disabled | MachineState::Ready | MachineState::Held | MachineState::Fault => {}
        }
    }

    fn publish_sample(&mut self) {
        self.end.samples.publish(Sample {
            cycle: Cycles(self.cycle),
            time: Nanoseconds(self.cycle * MILLISECOND),
            state: self.state,
            run: self.run,
            piece: self.piece,
            instruction: self.piece,
            s: 0.0,
            speed: 0.0,
            q_setpoint: JointVector::zeros(6),
            q_actual: JointVector::zeros(6),
            torque_actual: JointVector::zeros(6),
            torque_residual: JointVector::zeros(6),
            x_base_tool: Pose::translation(1.0, 2.0, 3.0),
            x_flange_tool: Pose::identity(),
            override_ratio: Ratio::ONE,
            digital_inputs: 0b10,
            digital_outputs: 0b1,
            analog_inputs: [0.0; ANALOG_CHANNELS],
            analog_outputs: [0.0; ANALOG_CHANNELS],
            phase: None,
            fresh: true,
            fresh_subdevices: u32::MAX,
            digital_fresh: u64::MAX,
            analog_fresh: u32::MAX,
            drives_enabled: 0,
            drives_faulted: 0,
            counters: CycleCounters::default(),
            dropped: 0,
        });
    }
}

/// A store folder and a planner around which daemons can be started one after another.
pub struct Bench {
    pub broker: Broker,
    pub cycle: PlayedCycle,
    pub now: Nanoseconds,
    next_id: u64,
}

pub fn facts() -> CellFacts {
    CellFacts {
        cell: "test-cell".to_owned(),
        robot: "test-arm".to_owned(),
        joints: vec![JointKind::Revolute; 6],
        position_limits: vec![(-3.0, 3.0); 6],
        cycle: Nanoseconds(MILLISECOND),
        tools: vec!["torch".to_owned()],
        subdevices: vec!["drive-1".to_owned()],
        travels: Vec::new(),
        mapped_outputs: vec![vec![0x6040, 0x607A]],
        channels: ChannelNames {
            digital_inputs: vec![("arc_established".to_owned(), 1)],
            digital_outputs: vec![("gas".to_owned(), 0)],
            arc_input: Some(1),
            ..ChannelNames::default()
        },
    }
}

pub fn played_cycle(end: RealtimeEnd) -> PlayedCycle {
    PlayedCycle {
        end,
        state: MachineState::Disabled,
        epoch: ControlEpoch(0),
        run: RunTag(0),
        piece: 0,
        cycle: 0,
        commands: Vec::new(),
        executed: Vec::new(),
        stalled: false,
        latched: false,
        disable_next: false,
    }
}

pub fn inline_desk() -> Box<dyn PlanningDesk> {
    Box::new(InlineDesk::new(Arc::new(TestPlanner)))
}

impl Bench {
    pub fn new() -> Self {
        Self::on(&MemoryFiles::default(), inline_desk(), Limits::default())
    }

    pub fn on(files: &MemoryFiles, desk: Box<dyn PlanningDesk>, limits: Limits) -> Self {
        let (realtime, end) = boundary();
        let store = JobStore::open(Box::new(files.clone())).unwrap();
        let broker = Broker::new(Daemon::new(facts(), end, store, desk), limits);
        let mut bench = Self { broker, cycle: played_cycle(realtime), now: Nanoseconds(0), next_id: 1 };
        bench.step(1);
        bench
    }

    /// A cycle and a poll, `count` times.
    pub fn step(&mut self, count: u64) {
        for _ in 0..count {
            self.now.0 += MILLISECOND;
            self.cycle.step();
            self.broker.poll(self.now);
        }
    }

    /// Time passes, with a cycle and a poll every 100 ms.
    pub fn wait_ms(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds.div_ceil(100) {
            self.now.0 += 100 * MILLISECOND;
            self.cycle.step();
            self.broker.poll(self.now);
        }
    }

    pub fn connect(&mut self) -> SessionId {
        self.connect_as(Role::Programmer)
    }

    pub fn connect_as(&mut self, role: Role) -> SessionId {
        self.broker.open(role, Peer::Local { uid: Some(1000) }, self.now).unwrap()
    }

    /// Sends bytes and has all of them worked through.
    pub fn send(&mut self, session: SessionId, bytes: &[u8]) {
        self.broker.receive(session, bytes, self.now);
        while self.broker.turn(session, self.now) {}
    }

    /// Everything that waits to be sent, parsed.
    pub fn read(&mut self, session: SessionId) -> Vec<Value> {
        let mut lines = Vec::new();
        while let Some(line) = self.broker.take_line(session) {
            assert!(line.ends_with('\n') && line.matches('\n').count() == 1);
            lines.push(serde_json::from_str(&line).unwrap());
        }
        self.broker.progressed(session, true, self.now);
        lines
    }

    /// A request and its answer (`result` or `error`). Notifications that came with it are thrown away.
    #[expect(clippy::needless_pass_by_value, reason = "parameters are written where they are used")]
    pub fn call(&mut self, session: SessionId, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.next_id;
        self.next_id += 1;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send(session, format!("{request}\n").as_bytes());
        let mut lines = self.read(session);
        if !lines.iter().any(|line| line["id"] == id) {
            self.broker.poll(self.now);
            lines.extend(self.read(session));
        }
        let at = lines.iter().position(|line| line["id"] == id).expect("an answer");
        let mut answer = lines.remove(at);
        assert_eq!(answer["jsonrpc"], "2.0");
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(answer["error"].take()),
        }
    }

    /// Name of the error a request is refused with.
    pub fn refused(&mut self, session: SessionId, method: &str, params: Value) -> String {
        let error = self.call(session, method, params).expect_err("refused");
        let data = &error["data"];
        for key in ["code", "name", "message", "cause", "remedy"] {
            assert!(data[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {error}");
        }
        assert!(data.get("where").is_some());
        data["name"].as_str().unwrap().to_owned()
    }

    pub fn acquire(&mut self, session: SessionId) -> u64 {
        let answer = self.call(session, "control.acquire", json!({"lease_s": 5.0})).unwrap();
        self.step(1);
        answer["epoch"].as_u64().unwrap()
    }

    /// In control, enabled, and a job of `pieces` pieces stored.
    pub fn ready(&mut self, session: SessionId, pieces: u32) -> (u64, String) {
        let epoch = self.acquire(session);
        self.call(session, "enable", json!({"epoch": epoch})).unwrap();
        self.step(3);
        assert_eq!(self.cycle.state, MachineState::Ready);
        let document = json!({"name": "job", "pieces": pieces});
        let stored = self.call(session, "job.put", json!({"document": document})).unwrap();
        (epoch, stored["job_id"].as_str().unwrap().to_owned())
    }

    pub fn status(&mut self, session: SessionId) -> Value {
        self.call(session, "status", json!({})).unwrap()
    }
}
