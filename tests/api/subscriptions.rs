//! Subscriptions, slow readers and time limits, on virtual time.

use motiond::api::broker::Broker;
use motiond::api::request::Role;
use motiond::api::session::{Limits, Peer};
use serde_json::json;

use crate::bench::Bench;

#[test]
fn the_whole_status_comes_at_once_and_then_at_the_rate_asked_for() {
    let mut bench = Bench::new();
    let session = bench.connect();
    bench.call(session, "subscribe", json!({"topics": ["status"], "max_hz": 10})).unwrap();
    bench.step(1);
    let first = bench.read(session);
    assert_eq!(first.len(), 1);
    let status = &first[0]["params"]["status"];
    assert_eq!(first[0]["method"], "status");
    assert_eq!(status["state"], "disabled");
    assert_eq!(status["tcp"]["position_mm"], json!([1000.0, 2000.0, 3000.0]));
    assert_eq!(status["arc"], true);
    assert_eq!(status["outputs"], json!({"gas": true}));
    let mut received = 0;
    for _ in 0..1000 {
        bench.step(1);
        received += bench.read(session).len();
    }
    assert!((9..=10).contains(&received), "{received} in a second at 10 Hz");
}

#[test]
fn a_slow_reader_gets_the_newest_status_and_learns_what_it_missed() {
    let mut bench = Bench::new();
    let session = bench.connect();
    bench.call(session, "subscribe", json!({"topics": ["status"], "max_hz": 100})).unwrap();
    bench.step(1000);
    let lines = bench.read(session);
    assert_eq!(lines.len(), 1, "only the newest is kept");
    let (seq, dropped) = (&lines[0]["params"]["seq"], &lines[0]["params"]["dropped"]);
    assert_eq!(seq.as_u64().unwrap(), dropped.as_u64().unwrap() + 1);
    assert!(dropped.as_u64().unwrap() > 90);
}

#[test]
fn events_are_never_dropped_silently_a_client_that_does_not_read_is_cut_off() {
    let limits = Limits { write_stall_s: 1e9, ..Limits::default() };
    let mut bench =
        Bench::on(&motiond::jobs::files::MemoryFiles::default(), crate::bench::inline_desk(), limits);
    let (reader, sleeper) = (bench.connect(), bench.connect());
    for session in [reader, sleeper] {
        bench.call(session, "subscribe", json!({"topics": ["events"]})).unwrap();
    }
    let (epoch, job_id) = bench.ready(reader, 3000);
    bench.call(reader, "control.acquire", json!({"lease_s": 60.0})).unwrap();
    bench.call(reader, "job.start", json!({"job_id": job_id, "epoch": epoch})).unwrap();
    let mut last = 0;
    for _ in 0..1500 {
        bench.step(1);
        for line in bench.read(reader) {
            if let Some(seq) = line["params"]["seq"].as_u64() {
                assert!(last == 0 || seq == last + 1, "{last} then {seq}");
                last = seq;
            }
        }
    }
    assert!(bench.broker.closing(reader).is_none());
    assert!(bench.broker.closing(sleeper).is_some());
    let last_words = bench.read(sleeper);
    assert_eq!(last_words.len(), 1);
    assert_eq!(last_words[0]["error"]["data"]["name"], "slow_reader");

    // It comes back and asks for what it missed.
    let again = bench.connect();
    let line = json!({"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": {"topics": ["events"], "since": 5}});
    let wide = Limits::default().waiting_max;
    bench.send(again, format!("{line}\n").as_bytes());
    let missed = bench.read(again);
    assert!(missed.len() <= wide);
    if missed[0]["id"] == 1 {
        assert_eq!(missed[1]["params"]["seq"], 6);
    }
}

#[test]
fn whoever_gave_a_command_is_told_what_became_of_it_without_a_subscription_and_once_with_one() {
    let mut bench = Bench::new();
    let (one, other) = (bench.connect(), bench.connect());
    let epoch = bench.acquire(one);
    for subscribed in [false, true] {
        if subscribed {
            bench.call(one, "subscribe", json!({"topics": ["events"]})).unwrap();
        }
        let answer = bench.call(one, "override", json!({"percent": 50, "epoch": epoch})).unwrap();
        bench.step(1);
        let told = bench.read(one);
        let done: Vec<_> =
            told.iter().filter(|line| line["params"]["command_id"] == answer["command_id"]).collect();
        assert_eq!(done.len(), 1, "{told:?}");
        assert_eq!(done[0]["params"]["kind"], "command_done");
        assert!(bench.read(other).is_empty());
    }
}

#[test]
fn time_limits_close_silent_half_open_and_stalled_connections() {
    let mut bench = Bench::new();
    let silent = bench.connect();
    bench.wait_ms(1900);
    assert!(bench.broker.closing(silent).is_none());
    bench.wait_ms(300);
    assert!(bench.broker.closing(silent).is_some(), "no first message");

    let dripping = bench.connect();
    bench.call(dripping, "status", json!({})).unwrap();
    for _ in 0..60 {
        bench.send(dripping, b"x");
        bench.wait_ms(100);
    }
    assert!(bench.broker.closing(dripping).is_some(), "one byte at a time");

    let stalled = bench.connect();
    bench.call(stalled, "subscribe", json!({"topics": ["status"]})).unwrap();
    bench.wait_ms(2500);
    assert!(bench.broker.closing(stalled).is_some(), "nothing read");
    assert_eq!(bench.read(stalled)[0]["error"]["data"]["name"], "connection_timeout");

    let (idle, in_control, watching) = (bench.connect(), bench.connect(), bench.connect());
    bench.call(idle, "status", json!({})).unwrap();
    bench.call(watching, "subscribe", json!({"topics": ["events"]})).unwrap();
    let epoch = bench.acquire(in_control);
    for _ in 0..305 {
        bench.wait_ms(1000);
        bench.call(in_control, "control.renew", json!({"epoch": epoch})).unwrap();
        bench.read(watching);
    }
    assert!(bench.broker.closing(idle).is_some());
    assert!(bench.broker.closing(in_control).is_none());
    assert!(bench.broker.closing(watching).is_none());
}

fn network(broker: &mut Broker, now: motiond::units::Nanoseconds) -> bool {
    broker.open(Role::Operator, Peer::Network { address: "127.0.0.1:5".to_owned() }, now).is_ok()
}

#[test]
fn a_flood_over_tcp_leaves_room_for_the_local_user() {
    let mut bench = Bench::new();
    let limits = Limits::default();
    let opened = (0..1000).filter(|_| network(&mut bench.broker, bench.now)).count();
    assert_eq!(opened, limits.sessions_max - limits.reserved_local);
    let local = bench.connect();
    assert!(bench.call(local, "stop", json!({})).is_ok());
}

#[test]
fn unsubscribing_ends_what_was_asked_and_hello_tells_what_there_is() {
    let mut bench = Bench::new();
    let session = bench.connect();
    let hello = bench.call(session, "hello", json!({"client": "a\nb", "version": "1"})).unwrap();
    assert_eq!(hello["server"], "motiond");
    assert_eq!(hello["joints"], 6);
    assert_eq!(hello["limits"]["message_bytes"], 1_048_576);
    assert!(hello["notice"].as_str().unwrap().contains("not a safety component"));
    let answer =
        bench.call(session, "subscribe", json!({"topics": ["events", "status"], "max_hz": 5})).unwrap();
    assert_eq!(answer["topics"], json!(["status", "events"]));
    let answer = bench.call(session, "unsubscribe", json!({"topics": ["status"]})).unwrap();
    assert_eq!(answer["topics"], json!(["events"]));
    assert_eq!(bench.call(session, "unsubscribe", json!({})).unwrap()["topics"], json!([]));
    bench.step(300);
    assert!(bench.read(session).is_empty());
}
