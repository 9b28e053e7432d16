//! The control lease over the protocol: one hand on the robot, and what happens when it lets go.

use motiond::api::request::Role;
use motiond::boundary::command_queue::Command;
use motiond::machine::{ControlEpoch, MachineState};
use serde_json::json;

use crate::bench::Bench;

#[test]
fn a_second_client_is_told_who_is_in_control_and_can_still_stop() {
    let mut bench = Bench::new();
    let (first, second) = (bench.connect(), bench.connect());
    bench.call(first, "hello", json!({"client": "cell panel"})).unwrap();
    let (epoch, job_id) = bench.ready(first, 50);
    bench.call(first, "job.start", json!({"job_id": job_id, "epoch": epoch})).unwrap();
    bench.step(3);

    bench.wait_ms(1000);
    let error = bench.call(second, "control.acquire", json!({})).unwrap_err();
    assert_eq!(error["data"]["name"], "not_in_control");
    let holder = &error["data"]["holder"];
    assert!(holder["client"].as_str().unwrap().starts_with("cell panel"), "{holder}");
    assert!(holder["held_for_s"].as_f64().unwrap() >= 1.0);
    assert_eq!(bench.refused(second, "resume", json!({"epoch": epoch})), "not_in_control");
    assert_eq!(
        bench.refused(second, "job.start", json!({"job_id": job_id, "epoch": epoch})),
        "not_in_control"
    );
    assert_eq!(bench.refused(second, "override", json!({"percent": 10, "epoch": epoch})), "not_in_control");

    assert_eq!(bench.call(second, "hold", json!({})).unwrap()["accepted"], true);
    bench.step(2);
    assert_eq!(bench.cycle.state, MachineState::Held);
    assert_eq!(bench.call(second, "stop", json!({"epoch": 77})).unwrap()["accepted"], true);
    bench.step(2);
    assert_eq!(bench.cycle.state, MachineState::Ready);
}

#[test]
fn the_number_of_an_older_lease_moves_nothing() {
    let mut bench = Bench::new();
    let (first, second) = (bench.connect(), bench.connect());
    let old = bench.acquire(first);
    bench.call(first, "control.release", json!({"epoch": old})).unwrap();
    let between = bench.acquire(second);
    bench.call(second, "control.release", json!({"epoch": between})).unwrap();
    let new = bench.acquire(first);
    assert!(old < between && between < new);
    assert_eq!(bench.refused(first, "enable", json!({"epoch": old})), "stale_epoch");
    assert_eq!(bench.refused(first, "enable", json!({"epoch": new + 1})), "stale_epoch");
    bench.call(first, "enable", json!({"epoch": new})).unwrap();
    bench.step(1);
    assert_eq!(bench.cycle.epoch, ControlEpoch(u32::try_from(new).unwrap()));
    assert_eq!(bench.cycle.commands.last().unwrap().epoch, bench.cycle.epoch);
}

#[test]
fn what_a_lost_lease_does_to_a_run_is_what_was_declared() {
    type Lose = fn(&mut Bench, motiond::api::lease::SessionId, u64);
    let losses: [(&str, Lose); 3] = [
        ("expires", |bench, _, _| bench.wait_ms(5500)),
        ("is released", |bench, session, epoch| {
            bench.call(session, "control.release", json!({"epoch": epoch})).unwrap();
        }),
        ("ends with its connection", |bench, session, _| bench.broker.close(session, bench.now)),
    ];
    for (how, lose) in losses {
        for (on_loss, expected) in [
            ("hold", MachineState::Held),
            ("stop", MachineState::Ready),
            ("continue", MachineState::Executing),
        ] {
            let mut bench = Bench::new();
            let session = bench.connect();
            let (epoch, job_id) = bench.ready(session, 2000);
            let again =
                bench.call(session, "control.acquire", json!({"lease_s": 5.0, "on_loss": on_loss})).unwrap();
            assert_eq!(again["epoch"], epoch, "asking again does not change hands");
            bench.call(session, "job.start", json!({"job_id": job_id, "epoch": epoch})).unwrap();
            bench.step(5);
            lose(&mut bench, session, epoch);
            bench.step(5);
            assert_eq!(bench.cycle.state, expected, "the lease {how} with {on_loss}");
        }
    }
}

#[test]
fn every_request_under_the_lease_renews_it() {
    let mut bench = Bench::new();
    let session = bench.connect();
    let epoch = bench.acquire(session);
    for _ in 0..4 {
        bench.wait_ms(4000);
        bench.call(session, "control.renew", json!({"epoch": epoch})).unwrap();
    }
    bench.wait_ms(4900);
    bench.call(session, "override", json!({"percent": 50, "epoch": epoch})).unwrap();
    bench.step(1);
    bench.read(session);
    bench.wait_ms(5100);
    assert_eq!(bench.refused(session, "control.renew", json!({"epoch": epoch})), "not_in_control");
}

#[test]
fn a_lease_lost_during_planning_begins_no_motion() {
    use motiond::api::session::Limits;
    use motiond::jobs::files::MemoryFiles;
    let (desk, hand) = crate::runs::held_desk();
    let mut bench = Bench::on(&MemoryFiles::default(), desk, Limits::default());
    let session = bench.connect();
    let (epoch, job_id) = bench.ready(session, 5);
    bench.call(session, "job.start", json!({"job_id": job_id, "epoch": epoch})).unwrap();
    bench.step(1);
    bench.broker.close(session, bench.now);
    hand.finish();
    bench.step(5);
    assert_eq!(bench.cycle.state, MachineState::Ready);
    assert!(bench.cycle.executed.is_empty());
    assert!(!bench.cycle.commands.iter().any(|stamped| matches!(stamped.command, Command::Start(_))));
}

#[test]
fn taking_over_needs_the_role_and_a_reason_and_holds_the_run_first() {
    let mut bench = Bench::new();
    let (first, second) = (bench.connect(), bench.connect());
    let operator = bench.connect_as(Role::Operator);
    let (old, job_id) = bench.ready(first, 50);
    bench.call(first, "job.start", json!({"job_id": job_id, "epoch": old})).unwrap();
    bench.step(3);
    let take_over = json!({"take_over": "shift change"});
    assert_eq!(bench.refused(operator, "control.acquire", take_over.clone()), "role_too_low");
    bench.step(1);
    assert_eq!(bench.cycle.state, MachineState::Executing, "a refused take-over holds nothing");

    let new = bench.call(second, "control.acquire", take_over).unwrap()["epoch"].as_u64().unwrap();
    assert_eq!(bench.refused(first, "resume", json!({"epoch": old})), "not_in_control");
    bench.step(2);
    assert_eq!(bench.cycle.state, MachineState::Held);
    // The new hand goes on with the run it has taken over.
    bench.call(second, "resume", json!({"epoch": new})).unwrap();
    bench.step(60);
    assert_eq!(bench.status(second)["run"]["state"], "completed");
    // Only now does the cycle learn the new number: the pieces of the run carried the old one.
    assert_eq!(u64::from(bench.cycle.epoch.0), new);
    assert!(bench.cycle.executed.iter().all(|piece| u64::from(piece.epoch.0) == old));
}

#[test]
fn a_full_command_queue_is_answered_busy_and_a_lost_lease_still_holds_when_there_is_room() {
    let mut bench = Bench::new();
    let session = bench.connect();
    let (epoch, job_id) = bench.ready(session, 2000);
    bench.call(session, "job.start", json!({"job_id": job_id, "epoch": epoch})).unwrap();
    bench.step(3);
    bench.cycle.stalled = true;
    let mut refusals = 0;
    for _ in 0..100 {
        if let Err(error) = bench.call(session, "override", json!({"percent": 50, "epoch": epoch})) {
            assert_eq!(error["data"]["name"], "busy");
            assert!(error["data"]["retry_after_s"].as_f64().unwrap() > 0.0);
            refusals += 1;
        }
    }
    assert_eq!(refusals, 100 - motiond::boundary::command_queue::CAPACITY);
    bench.broker.close(session, bench.now);
    bench.step(3);
    bench.cycle.stalled = false;
    bench.step(4);
    assert_eq!(bench.cycle.state, MachineState::Held);
}

#[test]
fn a_viewer_may_look_and_nothing_else() {
    let mut bench = Bench::new();
    let viewer = bench.connect_as(Role::Viewer);
    assert!(bench.call(viewer, "status", json!({})).is_ok());
    assert!(bench.call(viewer, "job.list", json!({})).is_ok());
    assert!(bench.call(viewer, "subscribe", json!({"topics": ["events"]})).is_ok());
    for (method, params) in [
        ("control.acquire", json!({})),
        ("job.put", json!({"document": {"name": "x"}})),
        ("job.check", json!({"job_id": "job-000001"})),
        ("stop", json!({})),
        ("enable", json!({"epoch": 0})),
    ] {
        assert_eq!(bench.refused(viewer, method, params), "role_too_low", "{method}");
    }
    let operator = bench.connect_as(Role::Operator);
    assert_eq!(bench.refused(operator, "job.put", json!({"document": {"name": "x"}})), "role_too_low");
}
