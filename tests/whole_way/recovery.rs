//! The daemon as a process of its own on the simulated segment, paced to the wall clock: a lost SubDevice, a cut
//! cable, a faulted drive, and back to work over the socket without a restart. Every wait is a read with a deadline.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use motiond::cli::connection::{CallError, Connection};
use serde_json::{Value, json};

use crate::client::SAMPLE;

/// Longest wait for anything; only a broken program ever waits that long.
const DEADLINE: Duration = Duration::from_secs(60);
/// Acknowledgements until the fault must have ended.
const RESETS_MAX: usize = 100;

struct Daemon {
    process: Child,
    connection: Connection,
    epoch: u64,
    events: Vec<Value>,
    _folder: tempfile::TempDir,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

impl Daemon {
    /// A daemon on whose segment `script` happens; in control, drives off.
    fn start(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cell = std::fs::read_to_string("config/simulated-cell.toml").unwrap();
        let lines = cell.lines().map(|line| match line.split_once(" = ") {
            Some(("tcp_port", _)) => "tcp_port = 0",
            Some(("model", _)) => "model = \"six-axis-8kg\"",
            _ => line,
        });
        std::fs::write(folder.path().join("cell.toml"), lines.collect::<Vec<_>>().join("\n")).unwrap();
        std::fs::write(folder.path().join("faults.txt"), script).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_motiond"))
            .args(["run", "cell.toml", "--fault", "faults.txt", "--state-dir", "state"])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let is_up = lines.by_ref().map(Result::unwrap).any(|line| line.starts_with("listening on "));
        assert!(is_up, "the daemon ended before it listened");
        // Read on, so that the daemon never waits for a full pipe.
        std::thread::spawn(move || lines.count());
        let mut connection = Connection::open(&folder.path().join("state/motiond.sock")).unwrap();
        connection.call("hello", &json!({"client": "recovery"})).unwrap();
        connection.call("subscribe", &json!({"topics": ["events"]})).unwrap();
        let lease = connection.call("control.acquire", &json!({"lease_s": 60.0})).unwrap();
        let epoch = lease["epoch"].as_u64().unwrap();
        Self { process, connection, epoch, events: Vec::new(), _folder: folder }
    }

    fn command(&mut self, method: &str) -> Result<Value, CallError> {
        self.connection.call(method, &json!({"epoch": self.epoch}))
    }

    fn state(&mut self) -> String {
        self.connection.call("status", &json!({})).unwrap()["state"].as_str().unwrap().to_owned()
    }

    /// The next event that `wanted` knows, after those seen so far.
    fn event(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        while begun.elapsed() < DEADLINE {
            let Some(message) = self.connection.notification().unwrap() else { continue };
            if message["method"] == "event" {
                let event = message["params"].clone();
                self.events.push(event.clone());
                if wanted(&event) {
                    return event;
                }
            }
        }
        panic!(
            "never told; state {}; last events {:#?}",
            self.state(),
            &self.events[self.events.len().saturating_sub(8)..]
        );
    }

    fn until(&mut self, state: &str) {
        self.event(|event| event["kind"] == "machine_state" && event["state"] == state);
    }

    fn enable(&mut self) {
        self.command("enable").unwrap();
        self.until("ready");
    }

    /// Acknowledges until it is taken; gives how often it was refused.
    fn reset(&mut self) -> usize {
        for refusals in 0..RESETS_MAX {
            let accepted = self.command("reset").unwrap();
            let answer = self.event(|event| event["command_id"] == accepted["command_id"]);
            if answer["kind"] == "command_done" {
                return refusals;
            }
            assert_eq!(answer["error"]["name"], "fault_active", "{answer}");
            assert_eq!(self.state(), "fault");
        }
        panic!("never acknowledged: {:#?}", self.events.last());
    }

    /// The sample job runs until the arm is on its second segment.
    fn works(&mut self) {
        self.enable();
        let document: Value = serde_json::from_str(SAMPLE).unwrap();
        let stored = self.connection.call("job.put", &json!({"document": document})).unwrap();
        let start = json!({"job_id": stored["job_id"], "epoch": self.epoch});
        self.connection.call("job.start", &start).unwrap();
        self.event(|event| event["kind"] == "segment_began" && event["segment"] == 1);
        self.connection.call("stop", &json!({})).unwrap();
        self.until("ready");
    }

    /// SIGTERM, and it ends in order.
    fn end(mut self) {
        let pid = i32::try_from(self.process.id()).unwrap();
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(pid).unwrap(),
            rustix::process::Signal::TERM,
        )
        .unwrap();
        assert!(self.process.wait().unwrap().success());
    }

    fn bring_ups(&self) -> Vec<&Value> {
        self.events.iter().filter(|event| event["kind"] == "bus_bring_up").collect()
    }
}

#[test]
fn a_power_cycled_drive_works_again_after_reset_and_nothing_moves_before() {
    let mut daemon = Daemon::start("after ready 200 cycles: powercycle 3 for 1 s");
    daemon.enable();
    daemon.until("fault");
    assert!(daemon.command("enable").is_err(), "enabled without an acknowledgement");
    let refusals = daemon.reset();
    daemon.until("disabled");
    let bring_ups = daemon.bring_ups();
    let (last, failed) = bring_ups.split_last().unwrap();
    assert_eq!((&last["up"], failed.len()), (&json!(true), refusals), "{bring_ups:#?}");
    // While it is off, everything from it on is missing.
    for failure in failed {
        assert!(failure["message"].as_str().is_some_and(|text| text.contains("missing")), "{failure}");
    }
    assert_eq!(daemon.state(), "disabled");
    daemon.works();
    daemon.end();
}

#[test]
fn a_cable_that_is_pulled_and_put_back_is_the_same() {
    let mut daemon = Daemon::start("after ready 200 cycles: detach 4\nafter fault 300 cycles: attach");
    daemon.enable();
    daemon.until("fault");
    daemon.reset();
    daemon.until("disabled");
    assert_eq!(daemon.bring_ups().last().unwrap()["up"], json!(true));
    daemon.works();
    daemon.end();
}

#[test]
fn a_drive_that_has_its_fault_reset_needs_no_bring_up() {
    let mut daemon = Daemon::start("after ready 200 cycles: drive 2 fault 0x7500");
    daemon.enable();
    daemon.until("fault");
    assert_eq!(daemon.reset(), 0);
    daemon.until("disabled");
    assert_eq!(daemon.bring_ups().len(), 0);
    daemon.works();
    daemon.end();
}
