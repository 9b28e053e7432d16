//! A client of the socket on virtual time: sends lines, reads lines, lets cycles pass.

use motiond::api::lease::SessionId;
use motiond::api::request::Role;
use motiond::api::session::Peer;
use motiond::cli::assembly::Assembly;
use motiond::cli::fault_script::FaultScript;
use motiond::cli::virtual_cell::VirtualCell;
use motiond::jobs::files::MemoryFiles;
use motiond::machine::MachineState;
use serde_json::{Value, json};

pub const SAMPLE: &str = include_str!("../../config/jobs/weld-sample.json");

/// Position of the digital terminal on the bus, and its welding output.
const TERMINAL: usize = 6;
const WELD_ON: u64 = 1 << 1;
/// Longest virtual time anything may take, in cycles.
const PATIENCE: u64 = 120_000;

pub struct Client {
    pub cell: VirtualCell,
    session: SessionId,
    next_id: u64,
    pub epoch: u64,
    /// Events so far, in order.
    pub events: Vec<Value>,
    /// Answers nobody has asked for yet.
    answers: Vec<Value>,
}

fn connect(cell: &mut VirtualCell) -> SessionId {
    let now = cell.now();
    cell.broker_mut().open(Role::Programmer, Peer::Local { uid: None }, now).unwrap()
}

impl Client {
    /// A client of the built-in cell, connected and in control; drives off.
    pub fn new() -> Self {
        Self::with(&Assembly::load(None).unwrap(), "", 1)
    }

    pub fn with(assembly: &Assembly, script: &str, seed: u64) -> Self {
        Self::with_record(assembly, script, seed, MemoryFiles::default())
    }

    /// The same with the record of mastering in `record`.
    pub fn with_record(assembly: &Assembly, script: &str, seed: u64, record: MemoryFiles) -> Self {
        let script = FaultScript::parse(script).unwrap();
        let jobs = Box::new(MemoryFiles::default());
        let mut cell =
            VirtualCell::start_with_record(assembly, jobs, Box::new(record), script, seed).unwrap();
        let session = connect(&mut cell);
        let mut client =
            Self { cell, session, next_id: 1, epoch: 0, events: Vec::new(), answers: Vec::new() };
        client.call("hello", json!({"client": "whole-way"})).unwrap();
        client.call("subscribe", json!({"topics": ["events"]})).unwrap();
        let lease = client.call("control.acquire", json!({"lease_s": 60.0})).unwrap();
        client.epoch = lease["epoch"].as_u64().unwrap();
        client.cycles(2);
        client
    }

    /// What another client, connected just now, is answered by requests of its own. Nobody listens to the first one
    /// meanwhile.
    pub fn another<T>(&mut self, talk: impl FnOnce(&mut Self) -> T) -> T {
        let first = std::mem::replace(&mut self.session, connect(&mut self.cell));
        let result = talk(self);
        self.session = first;
        result
    }

    /// Sends one request and returns its answer.
    #[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
    pub fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.next_id;
        self.next_id += 1;
        let line = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string();
        self.send(&line);
        for _ in 0..PATIENCE {
            self.read();
            if let Some(at) = self.answers.iter().position(|answer| answer["id"].as_u64() == Some(id)) {
                let answer = self.answers.remove(at);
                return match answer.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(answer["result"].clone()),
                };
            }
            self.cycle();
        }
        panic!("{method} is never answered");
    }

    /// The same with the lease.
    pub fn command(&mut self, method: &str) -> Result<Value, Value> {
        self.call(method, json!({"epoch": self.epoch}))
    }

    pub fn send(&mut self, line: &str) {
        let now = self.cell.now();
        self.cell.broker_mut().receive(self.session, format!("{line}\n").as_bytes(), now);
        while self.cell.broker_mut().turn(self.session, now) {}
    }

    /// Reads what has come.
    fn read(&mut self) {
        while let Some(line) = self.cell.broker_mut().take_line(self.session) {
            let value: Value = serde_json::from_str(&line).unwrap();
            if value["method"] == "event" {
                self.events.push(value["params"].clone());
            } else {
                self.answers.push(value);
            }
        }
        let now = self.cell.now();
        self.cell.broker_mut().progressed(self.session, true, now);
    }

    /// The next answer, whatever its id.
    pub fn any_answer(&mut self) -> Value {
        self.read();
        self.answers.remove(0)
    }

    pub fn cycle(&mut self) {
        self.cell.step().unwrap();
        self.read();
    }

    pub fn cycles(&mut self, count: u64) {
        for _ in 0..count {
            self.cycle();
        }
    }

    /// Lets cycles pass until the machine is in `state`; renews the lease meanwhile.
    pub fn until(&mut self, state: MachineState) {
        for cycle in 0..PATIENCE {
            if self.cell.state() == state {
                return;
            }
            self.cycle();
            if cycle % 20_000 == 19_999 {
                self.command("control.renew").unwrap();
            }
        }
        panic!("never {state:?}; now {:?}; last events {:#?}", self.cell.state(), self.last_events());
    }

    pub fn last_events(&self) -> &[Value] {
        &self.events[self.events.len().saturating_sub(8)..]
    }

    /// Puts a document and returns its job id.
    pub fn put(&mut self, document: &str) -> Result<String, Value> {
        let document: Value = serde_json::from_str(document).unwrap();
        self.call("job.put", json!({"document": document}))
            .map(|stored| stored["job_id"].as_str().unwrap().to_owned())
    }

    pub fn enable(&mut self) {
        self.command("enable").unwrap();
        self.until(MachineState::Ready);
    }

    pub fn start(&mut self, job_id: &str) -> Result<Value, Value> {
        self.call("job.start", json!({"job_id": job_id, "epoch": self.epoch}))
    }

    /// Enabled, with the sample job under way.
    pub fn welding_job(&mut self) {
        self.enable();
        let job = self.put(SAMPLE).unwrap();
        self.start(&job).unwrap();
        self.until(MachineState::Executing);
    }

    /// Cycles until the arc burns and the arm moves along the seam.
    pub fn until_on_the_seam(&mut self) {
        for _ in 0..PATIENCE {
            self.cycle();
            let status = self.call("status", json!({})).unwrap();
            if self.arc_burns() && status["run"]["v_mm_s"].as_f64().is_some_and(|speed| speed > 5.0) {
                return;
            }
        }
        panic!("never on the seam");
    }

    pub fn arc_burns(&mut self) -> bool {
        self.cell.segment_mut().power_source(0).is_some_and(|source| source.arc)
    }

    /// The welding output of the terminal, as the last frame set it.
    pub fn weld_is_on(&mut self) -> bool {
        self.cell.segment_mut().digital_outputs(TERMINAL) & WELD_ON != 0
    }

    pub fn has_event(&self, claim: impl Fn(&Value) -> bool) -> bool {
        self.events.iter().any(claim)
    }
}
