//! Jobs and runs: stored, checked, started, held, stopped, ended by faults; what survives a restart.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use motiond::api::session::Limits;
use motiond::boundary::command_queue::Command;
use motiond::config::problem::Problem;
use motiond::faults::{FaultCode, Reaction};
use motiond::jobs::files::MemoryFiles;
use motiond::jobs::planning_desk::{JobFacts, JobPlanner as _, Order, Outcome, PlanningDesk, ThreadDesk};
use motiond::machine::MachineState;
use serde_json::{Value, json};

use crate::bench::{Bench, TestPlanner, inline_desk};

/// A desk that keeps its orders until the test lets it go on.
#[derive(Debug, Default)]
struct HeldDesk(Arc<Mutex<(VecDeque<Order>, bool)>>);

pub struct Hand(Arc<Mutex<(VecDeque<Order>, bool)>>);

impl Hand {
    pub fn finish(&self) {
        self.0.lock().unwrap().1 = true;
    }
}

pub fn held_desk() -> (Box<dyn PlanningDesk>, Hand) {
    let desk = HeldDesk::default();
    let hand = Hand(Arc::clone(&desk.0));
    (Box::new(desk), hand)
}

impl PlanningDesk for HeldDesk {
    fn read(&self, document: &str) -> Result<JobFacts, Vec<Problem>> {
        TestPlanner.read(document)
    }

    fn submit(&mut self, order: Order) -> Result<(), Box<Order>> {
        self.0.lock().unwrap().0.push_back(order);
        Ok(())
    }

    fn collect(&mut self) -> Option<Outcome> {
        let mut orders = self.0.lock().unwrap();
        if !orders.1 {
            return None;
        }
        let order = orders.0.pop_front()?;
        let result = TestPlanner
            .plan(&order.document, &order.q_start)
            .map_err(motiond::jobs::planning_desk::PlanFailure::Problems);
        Some(Outcome { ticket: order.ticket, result })
    }
}

fn kinds(notices: &[Value]) -> Vec<String> {
    notices
        .iter()
        .filter(|line| line["method"] == "event")
        .map(|line| {
            let event = &line["params"];
            let detail = ["state", "command", "change"].iter().find_map(|key| event[*key].as_str());
            format!("{} {}", event["kind"].as_str().unwrap(), detail.unwrap_or_default()).trim().to_owned()
        })
        .collect()
}

#[test]
fn a_job_goes_from_its_document_to_its_end_and_every_step_is_told() {
    let mut bench = Bench::new();
    let (session, watcher) = (bench.connect(), bench.connect());
    let (epoch, job_id) = bench.ready(session, 2);
    bench.call(watcher, "subscribe", json!({"topics": ["events"]})).unwrap();
    let checked = bench.call(session, "job.check", json!({"job_id": job_id})).unwrap();
    assert_eq!(checked["ok"], true);
    assert_eq!(checked["duration_s"], 1.0);
    assert_eq!(checked["report"]["segments"], 2);

    let accepted = bench.call(session, "job.start", json!({"job_id": job_id, "epoch": epoch})).unwrap();
    assert_eq!(accepted["accepted"], true);
    let run_id = accepted["run_id"].as_str().unwrap().to_owned();
    assert_eq!(run_id, "run-000001-000001");
    assert_eq!(bench.cycle.state, MachineState::Ready, "accepted is not done");
    bench.step(2);
    bench.cycle.phase(1, 0);
    bench.step(6);
    let notices = bench.read(watcher);
    assert_eq!(
        kinds(&notices),
        [
            "run_state planning",
            "run_state starting",
            "command_done job.start",
            "machine_state executing",
            "run_state executing",
            "phase_began",
            "segment_began",
            "segment_began",
            "run_state completed",
            "machine_state ready",
        ]
        .map(str::to_owned)
    );
    let phase = notices.iter().find(|line| line["params"]["kind"] == "phase_began").unwrap();
    assert_eq!(phase["params"]["process"], "seam-1");
    assert_eq!(phase["params"]["phase"], "gas_preflow");
    let sequence: Vec<u64> = notices.iter().filter_map(|line| line["params"]["seq"].as_u64()).collect();
    assert!(sequence.windows(2).all(|pair| pair[1] == pair[0] + 1));
    let done = notices.iter().find(|line| line["params"]["command"] == "job.start").unwrap();
    assert_eq!(done["params"]["command_id"], accepted["command_id"]);
    let status = bench.status(session);
    assert_eq!(status["run"]["progress"], 1.0);
    assert_eq!(status["run"]["run_id"], run_id);
}

#[test]
fn a_start_is_refused_with_its_reason_in_every_state_but_ready() {
    let mut bench = Bench::new();
    let session = bench.connect();
    let epoch = bench.acquire(session);
    let stored = bench.call(session, "job.put", json!({"document": {"name": "a", "pieces": 50}})).unwrap();
    let start = json!({"job_id": stored["job_id"], "epoch": epoch});
    assert_eq!(bench.refused(session, "job.start", start.clone()), "not_enabled");
    bench.call(session, "enable", json!({"epoch": epoch})).unwrap();
    bench.step(1);
    assert_eq!(bench.refused(session, "job.start", start.clone()), "not_enabled");
    bench.step(2);
    assert_eq!(
        bench.refused(session, "job.start", json!({"job_id": "job-9", "epoch": epoch})),
        "job_unknown"
    );
    bench.call(session, "job.start", start.clone()).unwrap();
    assert_eq!(bench.refused(session, "job.start", start.clone()), "run_active");
    bench.step(3);
    assert_eq!(bench.refused(session, "job.start", start.clone()), "run_active");
    assert_eq!(bench.refused(session, "resume", json!({"epoch": epoch})), "wrong_state");
    bench.cycle.fault(FaultCode::FollowingError, Reaction::JointStop);
    bench.step(2);
    let error = bench.call(session, "job.start", start.clone()).unwrap_err();
    assert_eq!(error["data"]["name"], "fault_active");
    assert!(error["message"].as_str().unwrap().contains("E2005"), "{error}");
    assert_eq!(bench.refused(session, "enable", json!({"epoch": epoch})), "fault_active");
    let status = bench.status(session);
    assert_eq!(status["run"]["state"], "faulted");
    assert_eq!(status["faults"][0]["name"], "following_error");
    assert_eq!(status["faults"][0]["where"], "joint 3", "counted from 1 outside");

    bench.call(session, "reset", json!({"epoch": epoch})).unwrap();
    bench.step(2);
    assert_eq!(bench.status(session)["faults"], json!([]));
    bench.call(session, "enable", json!({"epoch": epoch})).unwrap();
    bench.step(3);
    bench.call(session, "job.start", start).unwrap();
    bench.step(60);
    assert_eq!(bench.status(session)["run"]["state"], "completed");
}

#[test]
fn a_fault_that_holds_the_path_is_resumed_only_after_its_acknowledgement() {
    let mut bench = Bench::new();
    let session = bench.connect();
    let (epoch, job_id) = bench.ready(session, 50);
    bench.call(session, "job.start", json!({"job_id": job_id, "epoch": epoch})).unwrap();
    bench.step(3);
    bench.cycle.fault(FaultCode::ProcessLost, Reaction::PathHold);
    bench.step(3);
    assert_eq!(bench.cycle.state, MachineState::Held);
    assert_eq!(bench.refused(session, "resume", json!({"epoch": epoch})), "fault_active");
    bench.call(session, "reset", json!({"epoch": epoch})).unwrap();
    bench.step(1);
    bench.call(session, "resume", json!({"epoch": epoch})).unwrap();
    bench.step(60);
    assert_eq!(bench.status(session)["run"]["state"], "completed");
}

#[test]
fn a_job_for_another_tool_out_of_reach_or_with_mistakes_says_so() {
    let mut bench = Bench::new();
    let session = bench.connect();
    let (epoch, _) = bench.ready(session, 1);
    let mut store = |document: Value| {
        let stored = bench.call(session, "job.put", json!({"document": document})).unwrap();
        stored["job_id"].as_str().unwrap().to_owned()
    };
    let other_tool = store(json!({"name": "a", "tool": "gripper"}));
    let far = store(json!({"name": "b", "far": true}));
    let panics = store(json!({"name": "c", "panic": true}));
    let start = |job_id: &str| json!({"job_id": job_id, "epoch": epoch});
    assert_eq!(bench.refused(session, "job.start", start(&other_tool)), "wrong_tool");

    let checked = bench.call(session, "job.check", json!({"job_id": far})).unwrap();
    assert_eq!(checked["ok"], false);
    assert_eq!(checked["problems"][0]["where"], "instructions[0]");
    assert_eq!(checked["problems"][0]["remedy"], "move it nearer");
    // Planning comes after the acceptance; the refusal is an event.
    let accepted = bench.call(session, "job.start", start(&far)).unwrap();
    bench.step(1);
    let events: Vec<Value> =
        bench.broker.daemon().events().since(0).map(|event| serde_json::to_value(event).unwrap()).collect();
    let refusal = events.iter().find(|event| event["command_id"] == accepted["command_id"]).unwrap();
    assert_eq!(refusal["kind"], "command_refused");
    assert_eq!(refusal["error"]["name"], "job_invalid");
    assert_eq!(refusal["error"]["problems"][0]["where"], "instructions[0]");
    assert_eq!(bench.status(session)["run"]["state"], "refused");

    // A panic of the planner is an error of one request, not the end of the daemon.
    assert_eq!(bench.refused(session, "job.check", json!({"job_id": panics})), "internal");
    assert_eq!(bench.cycle.state, MachineState::Ready);
}

#[test]
fn stopping_or_holding_while_the_run_is_planned_takes_effect() {
    let (desk, hand) = held_desk();
    let mut bench = Bench::on(&MemoryFiles::default(), desk, Limits::default());
    let session = bench.connect();
    let (epoch, job_id) = bench.ready(session, 5);
    let start = json!({"job_id": job_id, "epoch": epoch});
    bench.call(session, "job.start", start.clone()).unwrap();
    bench.call(session, "stop", json!({})).unwrap();
    bench.step(2);
    assert_eq!(bench.status(session)["run"]["state"], "stopped");
    bench.call(session, "job.start", start.clone()).unwrap();
    bench.call(session, "hold", json!({})).unwrap();
    bench.step(2);
    assert_eq!(bench.cycle.state, MachineState::Ready);
    hand.finish();
    bench.step(4);
    assert_eq!(bench.cycle.state, MachineState::Held, "the hold follows the start");
    assert!(bench.cycle.executed.is_empty(), "and nothing moved between");
    bench.call(session, "resume", json!({"epoch": epoch})).unwrap();
    bench.step(10);
    assert_eq!(bench.status(session)["run"]["state"], "completed");
    let runs = bench.cycle.commands.iter().filter(|stamped| matches!(stamped.command, Command::Start(_)));
    assert_eq!(runs.count(), 1, "the plan of the stopped run was not started");
}

#[test]
fn a_machine_that_leaves_ready_during_planning_is_not_started() {
    let (desk, hand) = held_desk();
    let mut bench = Bench::on(&MemoryFiles::default(), desk, Limits::default());
    let session = bench.connect();
    let (epoch, job_id) = bench.ready(session, 5);
    bench.call(session, "job.start", json!({"job_id": job_id, "epoch": epoch})).unwrap();
    bench.cycle.fault(FaultCode::StopInput, Reaction::JointStop);
    bench.step(2);
    hand.finish();
    bench.step(3);
    assert_eq!(bench.status(session)["run"]["state"], "refused");
    assert!(bench.cycle.executed.is_empty());
}

#[test]
fn a_run_longer_than_the_queue_is_fed_as_there_is_room() {
    let mut bench = Bench::new();
    let session = bench.connect();
    let count = u32::try_from(motiond::boundary::piece_queue::CAPACITY + 500).unwrap();
    let (epoch, job_id) = bench.ready(session, count);
    bench.call(session, "job.start", json!({"job_id": job_id, "epoch": epoch})).unwrap();
    for _ in 0..60 {
        for _ in 0..250 {
            bench.cycle.step();
        }
        bench.step(1);
        let ran = bench.status(session)["run"].clone();
        if ran["state"] == "completed" {
            break;
        }
        bench.call(session, "control.renew", json!({"epoch": epoch})).unwrap();
    }
    assert_eq!(bench.status(session)["run"]["state"], "completed");
    let indices: Vec<u32> = bench.cycle.executed.iter().map(|piece| piece.index).collect();
    assert_eq!(indices, (0..=count).collect::<Vec<u32>>());
}

#[test]
fn documents_survive_a_restart_under_the_same_name_and_nothing_starts_by_itself() {
    let files = MemoryFiles::default();
    let mut bench = Bench::on(&files, inline_desk(), Limits::default());
    let session = bench.connect();
    let (epoch, job_id) = bench.ready(session, 50);
    let text = "{\"pieces\": 50,\n \"name\": \"job\"}";
    let again = bench.call(session, "job.put", json!({"document": text})).unwrap();
    assert_eq!(again["job_id"], *job_id, "the same content in another layout is the same job");
    assert_eq!(again["stored"], false);
    bench.call(session, "job.start", json!({"job_id": job_id, "epoch": epoch})).unwrap();
    bench.step(3);
    assert_eq!(bench.cycle.state, MachineState::Executing);
    drop(bench);

    let survived = files.after_power_cut(false);
    let mut bench = Bench::on(&survived, inline_desk(), Limits::default());
    let session = bench.connect();
    let hello = bench.call(session, "hello", json!({"client": "test"})).unwrap();
    assert_eq!(hello["boot_id"], 2);
    bench.step(50);
    assert!(bench.cycle.commands.is_empty(), "{:?}", bench.cycle.commands);
    assert_eq!(bench.status(session)["run"], Value::Null);
    let jobs = bench.call(session, "job.list", json!({})).unwrap();
    assert_eq!(jobs["jobs"][0]["job_id"], *job_id);
    let (epoch, same) = bench.ready(session, 50);
    assert_eq!(same, job_id);
    let run = bench.call(session, "job.start", json!({"job_id": job_id, "epoch": epoch})).unwrap();
    assert_eq!(run["run_id"], "run-000002-000001", "a run's name is never used twice");
}

#[test]
fn what_could_not_be_made_durable_is_not_acknowledged() {
    let files = MemoryFiles::default();
    let mut bench = Bench::on(&files, inline_desk(), Limits::default());
    let session = bench.connect();
    files.fail_from(files.operations(), std::io::ErrorKind::StorageFull);
    let put = json!({"document": {"name": "a"}});
    assert_eq!(bench.refused(session, "job.put", put.clone()), "storage");
    assert_eq!(bench.call(session, "job.list", json!({})).unwrap()["jobs"], json!([]));
    files.fail_from(u64::MAX, std::io::ErrorKind::Other);
    assert!(bench.call(session, "job.put", put).is_ok());
    let wrong_hash = json!({"document": {"name": "a"}, "document_hash": "00"});
    assert_eq!(bench.refused(session, "job.put", wrong_hash), "invalid_params");
}

#[test]
fn a_flood_of_documents_is_answered_busy_and_delays_no_stop() {
    let mut bench = Bench::new();
    let session = bench.connect();
    let mut flood = Vec::new();
    for number in 0..100 {
        let line = json!({"jsonrpc": "2.0", "id": number, "method": "job.put", "params": {"document": {"name": number.to_string()}}});
        flood.extend_from_slice(format!("{line}\n").as_bytes());
    }
    // One document a turn: others get their turn between.
    bench.broker.receive(session, &flood, bench.now);
    assert!(bench.broker.turn(session, bench.now));
    assert_eq!(bench.read(session).len(), 1);
    while bench.broker.turn(session, bench.now) {}
    let answers = bench.read(session);
    let busy = answers.iter().filter(|line| line["error"]["data"]["name"] == "busy").count();
    assert_eq!(busy, 80);
    bench.wait_ms(200);
    assert!(bench.call(session, "job.put", json!({"document": {"name": "later"}})).is_ok());
}

#[test]
fn events_lost_on_a_stalled_daemon_do_not_leave_a_run_behind() {
    let mut bench = Bench::new();
    let session = bench.connect();
    let (epoch, job_id) = bench.ready(session, 3000);
    bench.call(session, "job.start", json!({"job_id": job_id, "epoch": epoch})).unwrap();
    bench.step(2);
    // The daemon sleeps while the cycle executes everything: its events overflow.
    for _ in 0..4000 {
        bench.cycle.step();
    }
    bench.step(2);
    let status = bench.status(session);
    assert_eq!(status["state"], "ready");
    assert!(status["counters"]["dropped_events"].as_u64().unwrap() > 0);
    assert_ne!(status["run"]["state"], "executing");
    bench.call(session, "control.acquire", json!({})).unwrap();
    assert!(bench.call(session, "job.start", json!({"job_id": job_id, "epoch": epoch})).is_ok());
}

#[test]
fn the_end_of_the_daemon_stops_the_arm_and_switches_off_whoever_is_in_control() {
    let mut bench = Bench::new();
    let session = bench.connect();
    let (epoch, job_id) = bench.ready(session, 2000);
    bench.call(session, "job.start", json!({"job_id": job_id, "epoch": epoch})).unwrap();
    bench.step(3);
    bench.broker.daemon_mut().begin_shutdown();
    assert!(!bench.broker.daemon().is_shut_down());
    let again = bench.refused(session, "enable", json!({"epoch": epoch}));
    assert_eq!(again, "cancelled");
    bench.step(5);
    assert_eq!(bench.cycle.state, MachineState::Disabled);
    assert!(bench.broker.daemon().is_shut_down());
}

#[test]
fn the_planner_thread_gives_the_same_plans_in_the_same_order() {
    let (done, finished) = std::sync::mpsc::channel();
    let mut desk = ThreadDesk::start(Arc::new(TestPlanner), move || {
        // The test may be over.
        let _ = done.send(());
    })
    .unwrap();
    let q_start = motiond::joints::JointVector::zeros(6);
    for (ticket, pieces) in [(1, 3), (2, 5)] {
        let document = json!({"name": "a", "pieces": pieces}).to_string();
        let ticket = motiond::jobs::planning_desk::Ticket(ticket);
        assert!(desk.submit(Order { ticket, document, q_start }).is_ok());
    }
    for (ticket, pieces) in [(1, 4), (2, 6)] {
        finished.recv_timeout(std::time::Duration::from_secs(30)).unwrap();
        let outcome = desk.collect().unwrap();
        assert_eq!(outcome.ticket.0, ticket);
        assert_eq!(outcome.result.unwrap().pieces.len(), pieces);
    }
}
