//! Bad input: a clear error that names the place; nothing moves, nothing is lost.

use motiond::machine::MachineState;
use serde_json::{Value, json};

use crate::client::{Client, SAMPLE};

/// The sample with one change.
fn changed(change: impl Fn(&mut Value)) -> String {
    let mut document: Value = serde_json::from_str(SAMPLE).unwrap();
    change(&mut document);
    document.to_string()
}

/// Name of the error and everything it says.
fn named(error: &Value) -> (String, String) {
    (error["data"]["name"].as_str().unwrap_or_default().to_owned(), error.to_string())
}

#[test]
fn documents_that_cannot_be_right_are_refused_with_the_place() {
    type Change = fn(&mut Value);
    let cases: &[(&str, Change)] = &[
        ("instructions[5]", |job| {
            job["instructions"][5].as_object_mut().unwrap().remove("weld_schedule");
        }),
        ("instructions[3].v_mm_s", |job| job["instructions"][3]["v_mm_s"] = json!(-5)),
        ("instructions[3].v_mm_s", |job| job["instructions"][3]["v_mm_s"] = json!("fast")),
        ("instructions[3].v_m_s", |job| job["instructions"][3]["v_m_s"] = json!(0.06)),
        ("instructions[4].time_s", |job| job["instructions"][4]["time_s"] = json!(1e9)),
        ("instructions[2].pose.quaternion_wxyz", |job| {
            job["instructions"][2]["pose"]["quaternion_wxyz"] = json!([0, 0, 0, 0]);
        }),
        ("tool", |job| job["tool"] = json!("gripper")),
        ("work_object", |job| job["work_object"] = json!("moon")),
        ("instructions[0].output", |job| job["instructions"][0]["output"] = json!("hatch")),
        ("instructions[0].output", |job| job["instructions"][0]["output"] = json!("weld_on")),
        ("instructions[1].do", |job| job["instructions"][1]["do"] = json!("jump")),
        ("format_version", |job| job["format_version"] = json!(99)),
    ];
    let mut client = Client::new();
    for (place, change) in cases {
        let error = client.put(&changed(change)).unwrap_err();
        let (name, text) = named(&error);
        assert!(text.contains(place), "{place} is not named in {text}");
        assert_eq!(name, "job_invalid", "{text}");
        assert!(text.contains("remedy") && text.contains("allowed"), "{text}");
    }
    assert_eq!(client.call("job.list", json!({})).unwrap()["jobs"], json!([]));
}

#[test]
fn several_mistakes_are_reported_at_once() {
    let mut client = Client::new();
    let document = changed(|job| {
        job["tool"] = json!("gripper");
        job["instructions"][3]["v_mm_s"] = json!(-5);
        job["instructions"][4]["time_s"] = json!(-1);
    });
    let text = client.put(&document).unwrap_err().to_string();
    for place in ["tool", "instructions[3].v_mm_s", "instructions[4].time_s"] {
        assert!(text.contains(place), "{place} is not named in {text}");
    }
}

#[test]
fn paths_that_cannot_be_travelled_are_refused_before_anything_moves() {
    type Change = fn(&mut Value);
    let cases: &[(&str, Change)] = &[
        ("out of reach", |job| job["instructions"][2]["pose"]["position_mm"] = json!([3000.0, 0.0, 0.0])),
        // Along x towards and over the axis of joint 1.
        ("a path over the shoulder", |job| {
            job["instructions"][3]["pose"]["position_mm"] = json!([-1200.0, -150.0, 0.0]);
        }),
        ("a joint limit", |job| {
            job["instructions"][1]["joints_deg"] = json!([0.0, -7.5, 24.3, 0.0, 51.2, 900.0]);
        }),
    ];
    for (name, change) in cases {
        let mut client = Client::new();
        client.enable();
        let before = client.call("status", json!({})).unwrap()["joints_setpoint_deg"].clone();
        match client.put(&changed(change)) {
            // What the document alone shows.
            Err(error) => assert_eq!(named(&error).0, "job_invalid", "{name}"),
            // What planning shows.
            Ok(job) => {
                let report = client.call("job.check", json!({"job_id": job})).unwrap();
                assert_eq!(report["ok"], false, "{name}: {report}");
                assert!(report["problems"].to_string().contains("instructions["), "{name}: {report}");
                client.start(&job).unwrap();
                client.cycles(500);
                assert!(client.has_event(|event| event["state"] == "refused"), "{name}");
            }
        }
        let after = client.call("status", json!({})).unwrap();
        assert_eq!(after["joints_setpoint_deg"], before, "{name}: the arm moved");
        assert_eq!(after["state"], "ready", "{name}");
        // And a good job still runs.
        let job = client.put(SAMPLE).unwrap();
        client.start(&job).unwrap();
        client.until(MachineState::Executing);
    }
}

#[test]
fn lines_that_are_no_requests_are_answered_and_the_run_goes_on() {
    let mut client = Client::new();
    client.welding_job();
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"hold","params":{}1{}}}"#,
        "[".repeat(99),
        "]".repeat(99)
    );
    let lines = [
        ("{", -32700),
        ("\u{0}\u{1}\u{7f}", -32700),
        (&deep, -32700),
        (r#"{"jsonrpc":"2.0","id":1,"method":"override","params":{"epoch":1,"percent":NaN}}"#, -32700),
        (r#"{"jsonrpc":"2.0","id":1,"method":"override","params":{"epoch":1,"percent":-1e999}}"#, -32700),
        ("[]", -32600),
        ("\"hold\"", -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"explode"}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"override","params":{"epoch":1,"percent":"50"}}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"override","params":{"epoch":1,"percent":1e300}}"#, -32602),
    ];
    for (line, code) in lines {
        client.send(line);
        let answer = client.any_answer();
        assert_eq!(answer["error"]["code"], code, "{line}: {answer}");
        // A request in between: too many unacceptable lines in a row would end the connection.
        let status = client.call("status", json!({})).unwrap();
        assert_eq!(
            (&status["state"], &status["override_percent"]),
            (&json!("executing"), &json!(100.0)),
            "{line}"
        );
    }
    client.cycles(100);
    assert_eq!(client.cell.state(), MachineState::Executing);
}

#[test]
fn starts_in_the_wrong_state_are_refused() {
    let mut client = Client::new();
    let job = client.put(SAMPLE).unwrap();
    let refused = |client: &mut Client, job: &str| {
        let error = client.start(job).unwrap_err();
        assert!(error["data"]["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{error}");
        named(&error)
    };
    let (name, text) = refused(&mut client, &job);
    assert!(name == "not_enabled" && text.contains("disabled"), "{text}");
    client.enable();
    client.start(&job).unwrap();
    client.until(MachineState::Executing);
    let (name, text) = refused(&mut client, &job);
    assert!(name == "run_active" && text.contains("run-"), "{text}");
    assert_eq!(refused(&mut client, "job-999999").0, "job_unknown");
    assert_eq!(client.cell.state(), MachineState::Executing);
}

#[test]
fn a_second_client_cannot_start_a_job_while_one_runs_and_can_still_hold_it() {
    let mut client = Client::new();
    client.welding_job();
    let job = client.put(SAMPLE).unwrap();
    let start = json!({"job_id": job, "epoch": client.epoch});
    client.another(|second| {
        for (method, params) in [("job.start", &start), ("control.acquire", &json!({"lease_s": 60.0}))] {
            let error = second.call(method, params.clone()).unwrap_err();
            assert_eq!(named(&error).0, "not_in_control", "{error}");
            assert!(error["data"]["holder"]["client"].as_str().unwrap().starts_with("whole-way"), "{error}");
        }
    });
    // Where the first one lets the run go on without it, the run itself is in the way.
    client.call("control.acquire", json!({"lease_s": 60.0, "on_loss": "continue"})).unwrap();
    client.command("control.release").unwrap();
    client.another(|second| {
        let lease = second.call("control.acquire", json!({"lease_s": 60.0})).unwrap();
        let error = second.call("job.start", json!({"job_id": job, "epoch": lease["epoch"]})).unwrap_err();
        assert_eq!(named(&error).0, "run_active", "{error}");
        assert_eq!(second.cell.state(), MachineState::Executing);
        second.call("hold", json!({})).unwrap();
        second.until(MachineState::Held);
    });
}
