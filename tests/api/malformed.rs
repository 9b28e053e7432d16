//! Every kind of unacceptable input gets a typed error and changes nothing.

use motiond::api::framing::LINE_MAX;
use motiond::api::request::Request;
use motiond::api::session::Limits;
use motiond::jobs::files::MemoryFiles;
use motiond::machine::MachineState;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::bench::{Bench, inline_desk};

/// One line in, the one line that answers it.
fn answer(line: &[u8]) -> Value {
    let mut bench = Bench::new();
    let session = bench.connect();
    let commands = bench.cycle.commands.len();
    bench.send(session, line);
    bench.send(session, b"\n");
    bench.step(2);
    let mut answers = bench.read(session);
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(bench.cycle.commands.len(), commands, "something reached the cycle");
    assert_eq!(bench.cycle.state, MachineState::Disabled);
    assert!(bench.broker.daemon().events().last() == 0, "something happened");
    answers.remove(0)
}

#[test]
fn every_malformed_line_gets_its_own_error_and_changes_nothing() {
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"status","params":{}1{}}}"#,
        "[".repeat(40),
        "]".repeat(40)
    );
    let table: &[(&[u8], i32, &str, Value)] = &[
        (b"{", -32700, "parse_error", Value::Null),
        (b"hello", -32700, "parse_error", Value::Null),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"} x", -32700, "parse_error", Value::Null),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"override","params":{"epoch":1,"percent":NaN}}"#,
            -32700,
            "parse_error",
            Value::Null,
        ),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"override","params":{"epoch":1,"percent":1e999}}"#,
            -32700,
            "parse_error",
            Value::Null,
        ),
        (b"{\"jsonrpc\":\"2.0\",\"id\":\"\xc3\x28\",\"method\":\"status\"}", -32700, "not_utf8", Value::Null),
        (br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"status"}"#, -32700, "duplicate_key", Value::Null),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"resume","params":{"epoch":1,"epoch":2}}"#,
            -32700,
            "duplicate_key",
            Value::Null,
        ),
        (deep.as_bytes(), -32700, "too_deep", Value::Null),
        (b"[]", -32600, "invalid_request", Value::Null),
        (br#"[{"jsonrpc":"2.0","id":1,"method":"status"}]"#, -32600, "invalid_request", Value::Null),
        (b"17", -32600, "invalid_request", Value::Null),
        (b"null", -32600, "invalid_request", Value::Null),
        (br#"{"id":1,"method":"status"}"#, -32600, "invalid_request", json!(1)),
        (br#"{"jsonrpc":"1.0","id":1,"method":"status"}"#, -32600, "invalid_request", json!(1)),
        (br#"{"jsonrpc":2.0,"id":1,"method":"status"}"#, -32600, "invalid_request", json!(1)),
        (br#"{"jsonrpc":"2.0","id":1}"#, -32600, "invalid_request", json!(1)),
        (br#"{"jsonrpc":"2.0","id":1,"method":5}"#, -32600, "invalid_request", json!(1)),
        (br#"{"jsonrpc":"2.0","id":null,"method":"status"}"#, -32600, "invalid_request", Value::Null),
        (br#"{"jsonrpc":"2.0","id":1.5,"method":"status"}"#, -32600, "invalid_request", Value::Null),
        (br#"{"jsonrpc":"2.0","id":[1],"method":"status"}"#, -32600, "invalid_request", Value::Null),
        (br#"{"jsonrpc":"2.0","id":1,"method":"status","extra":1}"#, -32600, "invalid_request", json!(1)),
        (br#"{"jsonrpc":"2.0","id":1,"result":{}}"#, -32600, "invalid_request", json!(1)),
        (br#"{"jsonrpc":"2.0","id":"a","method":"fly"}"#, -32601, "method_not_found", json!("a")),
        (br#"{"jsonrpc":"2.0","id":1,"method":"Status"}"#, -32601, "method_not_found", json!(1)),
        (br#"{"jsonrpc":"2.0","id":1,"method":"status","params":[]}"#, -32602, "invalid_params", json!(1)),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"status","params":{"x":1}}"#,
            -32602,
            "invalid_params",
            json!(1),
        ),
        (br#"{"jsonrpc":"2.0","id":1,"method":"resume"}"#, -32602, "invalid_params", json!(1)),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"job.put","params":{"document":[1]}}"#,
            -32602,
            "invalid_params",
            json!(1),
        ),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"job.put","params":{"document":"{\"a\":1,\"a\":2}"}}"#,
            -32700,
            "duplicate_key",
            json!(1),
        ),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"job.put","params":{"document":{}}}"#,
            7202,
            "job_invalid",
            json!(1),
        ),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"job.check","params":{"job_id":"../../etc/passwd"}}"#,
            7201,
            "job_unknown",
            json!(1),
        ),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"job.start","params":{"job_id":"x","epoch":1}}"#,
            7102,
            "not_in_control",
            json!(1),
        ),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"enable","params":{"epoch":0}}"#,
            7102,
            "not_in_control",
            json!(1),
        ),
    ];
    for (line, code, name, id) in table {
        let answer = answer(line);
        let shown = String::from_utf8_lossy(line);
        assert_eq!(answer["error"]["code"], *code, "{shown}: {answer}");
        assert_eq!(answer["error"]["data"]["name"], *name, "{shown}: {answer}");
        assert_eq!(answer["id"], *id, "{shown}");
        for key in ["code", "message", "cause", "remedy"] {
            assert!(!answer["error"]["data"][key].as_str().unwrap().is_empty(), "{shown}: {key}");
        }
    }
}

#[test]
fn all_mistakes_of_a_document_are_reported_at_once_with_their_places() {
    let answer = answer(br#"{"jsonrpc":"2.0","id":1,"method":"job.put","params":{"document":{}}}"#);
    let problems = answer["error"]["data"]["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 2);
    assert_eq!(problems[1]["where"], "pieces");
    assert_eq!(problems[1]["allowed"], "1 to 100");
}

#[test]
fn an_oversize_line_is_refused_without_keeping_it_and_the_next_one_works() {
    let mut bench = Bench::new();
    let session = bench.connect();
    let portion = vec![b'x'; 64 * 1024];
    for _ in 0..2 * LINE_MAX / portion.len() {
        bench.send(session, &portion);
    }
    bench.send(session, b"\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n");
    let answers = bench.read(session);
    assert_eq!(answers[0]["error"]["data"]["name"], "too_large");
    assert_eq!(answers[1]["id"], 1);
    assert!(answers[1]["result"]["state"].is_string());
}

#[test]
fn three_unacceptable_lines_in_a_row_close_the_session_and_a_good_one_forgives() {
    let mut bench = Bench::new();
    let session = bench.connect();
    let status = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n";
    for _ in 0..5 {
        bench.send(session, b"{\n{\n");
        bench.send(session, status);
    }
    assert!(bench.broker.closing(session).is_none());
    // Refused requests are understood: they are no mistakes of the protocol.
    for _ in 0..10 {
        bench.send(
            session,
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resume\",\"params\":{\"epoch\":9}}\n",
        );
    }
    assert!(bench.broker.closing(session).is_none());
    bench.read(session);
    bench.send(session, b"{\n{\n{\n{\n");
    let answers = bench.read(session);
    assert_eq!(answers.last().unwrap()["error"]["data"]["name"], "too_many_mistakes");
    assert!(bench.broker.closing(session).is_some());
}

#[test]
fn requests_without_id_are_carried_out_only_if_they_take_motion_away() {
    for method in Request::METHODS {
        let mut bench = Bench::new();
        let session = bench.connect();
        let (epoch, job_id) = bench.ready(session, 50);
        bench.call(session, "job.start", json!({"job_id": job_id, "epoch": epoch})).unwrap();
        bench.step(3);
        bench.read(session);
        let params = match method.name {
            "hello" => json!({"client": "x"}),
            "job.put" => json!({"document": {"name": "other"}}),
            "job.check" => json!({"job_id": job_id}),
            "job.start" => json!({"job_id": job_id, "epoch": epoch}),
            "override" => json!({"percent": 50, "epoch": epoch}),
            "subscribe" => json!({"topics": ["events"]}),
            "resume" | "enable" | "reset" | "control.renew" | "control.release" => json!({"epoch": epoch}),
            _ => json!({}),
        };
        let before = bench.cycle.commands.len();
        let line = json!({"jsonrpc": "2.0", "method": method.name, "params": params});
        bench.send(session, format!("{line}\n").as_bytes());
        bench.step(1);
        let reached_the_cycle = bench.cycle.commands.len() > before;
        assert_eq!(reached_the_cycle, ["hold", "stop", "disable"].contains(&method.name), "{}", method.name);
        let answered = bench.read(session).iter().any(|line| line.get("id").is_some());
        assert!(!answered, "{} was answered", method.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(7),
        cases: 2000,
        ..ProptestConfig::default()
    })]

    /// Whatever bytes arrive in whatever portions: no panic, nothing reaches the cycle, every answer is an
    /// error with a name.
    #[test]
    fn noise_never_moves_anything(portions in proptest::collection::vec(
        proptest::collection::vec(
            prop_oneof![4 => any::<u8>(), 1 => Just(b'\n'), 1 => Just(b'{'), 1 => Just(b'"'), 1 => Just(b'}')],
            0..60,
        ),
        1..6,
    )) {
        let mut bench = Bench::on(&MemoryFiles::default(), inline_desk(), Limits::default());
        let session = bench.connect();
        for portion in &portions {
            bench.send(session, portion);
        }
        bench.step(1);
        prop_assert!(bench.cycle.commands.is_empty());
        for line in bench.read(session) {
            prop_assert!(line["error"]["data"]["name"].is_string(), "{line}");
        }
    }

    /// Requests put together from real methods and arbitrary parameters, without the lease: nothing but
    /// stops reaches the cycle.
    #[test]
    fn without_the_lease_nothing_but_a_stop_reaches_the_cycle(
        method in 0..Request::METHODS.len(),
        epoch in any::<i64>(),
        number in any::<f64>(),
        text in ".{0,12}",
    ) {
        let mut bench = Bench::new();
        let session = bench.connect();
        let name = Request::METHODS[method].name;
        for params in [
            json!({}),
            json!({"epoch": epoch}),
            json!({"epoch": epoch, "percent": number}),
            json!({"epoch": epoch, "job_id": text}),
            json!({text.clone(): number}),
        ] {
            let line = json!({"jsonrpc": "2.0", "id": 1, "method": name, "params": params});
            bench.send(session, format!("{line}\n").as_bytes());
        }
        bench.step(1);
        for stamped in &bench.cycle.commands {
            use motiond::boundary::command_queue::Command;
            prop_assert!(
                matches!(stamped.command, Command::Hold | Command::Stop | Command::Disable | Command::NewEpoch),
                "{stamped:?}"
            );
        }
    }
}
