//! The main job, and what an operator does with it.

use motiond::machine::MachineState;
use serde_json::json;

use crate::client::Client;

#[test]
fn a_job_sent_over_the_socket_is_welded_from_gas_to_postflow() {
    let mut client = Client::new();
    client.welding_job();
    client.until(MachineState::Ready);
    let phases: Vec<&str> = client
        .events
        .iter()
        .filter(|event| event["kind"] == "phase_began")
        .map(|event| event["phase"].as_str().unwrap())
        .collect();
    assert_eq!(phases, ["preflow", "ignition", "main", "crater_fill", "burn_back", "postflow"]);
    assert!(client.has_event(|event| event["kind"] == "run_state" && event["state"] == "completed"));
    let source = client.cell.segment_mut().power_source(0).unwrap();
    assert_eq!(source.ignitions, 1);
    assert!(!source.gas && !source.weld_on && !source.arc);
    assert_eq!(source.burned_without_gas.0, 0);
    let status = client.call("status", json!({})).unwrap();
    for counter in
        ["lost_frames", "late_cycles", "wkc_errors", "heap_allocations_in_cycle", "dropped_samples"]
    {
        assert_eq!(status["counters"][counter], 0, "{counter}");
    }
    client.command("disable").unwrap();
    client.until(MachineState::Disabled);
}

#[test]
fn accepted_and_done_are_two_answers() {
    let mut client = Client::new();
    let answer = client.command("enable").unwrap();
    let id = answer["command_id"].as_u64().unwrap();
    assert_eq!(answer["accepted"], true);
    let done = |client: &Client| {
        client.has_event(|event| event["kind"] == "command_done" && event["command_id"].as_u64() == Some(id))
    };
    assert!(!done(&client), "done before a cycle has gone by");
    client.until(MachineState::Ready);
    assert!(done(&client));
}

#[test]
fn hold_takes_the_arc_away_and_resume_ignites_again_before_it_moves() {
    let mut client = Client::new();
    client.welding_job();
    client.until_on_the_seam();
    client.command("hold").unwrap();
    client.cycles(3);
    assert!(!client.weld_is_on(), "the arc is off while the arm is still stopping");
    client.until(MachineState::Held);
    let held = client.call("status", json!({})).unwrap()["tcp"]["position_mm"].clone();
    client.cycles(500);
    client.command("resume").unwrap();
    client.cycles(100);
    let waiting = client.call("status", json!({})).unwrap();
    assert_eq!(waiting["run"]["phase"], "preflow");
    assert_eq!(waiting["tcp"]["position_mm"], held, "moves before the arc is back");
    client.until(MachineState::Ready);
    assert!(client.has_event(|event| event["state"] == "completed"));
    assert_eq!(client.cell.segment_mut().power_source(0).unwrap().ignitions, 2);
}

#[test]
fn override_slows_the_seam_and_changes_nothing_else() {
    let mut client = Client::new();
    client.welding_job();
    client.until_on_the_seam();
    client.call("override", json!({"percent": 50.0, "epoch": client.epoch})).unwrap();
    client.cycles(1000);
    let status = client.call("status", json!({})).unwrap();
    assert_eq!(status["override_percent"], 50.0);
    assert!((status["run"]["v_mm_s"].as_f64().unwrap() - 5.0).abs() < 1e-6, "{status}");
    assert!(client.arc_burns());
}

#[test]
fn stop_discards_the_run_and_another_can_be_started_from_there() {
    let mut client = Client::new();
    client.welding_job();
    client.until_on_the_seam();
    client.command("stop").unwrap();
    client.until(MachineState::Ready);
    assert!(client.has_event(|event| event["state"] == "stopped"));
    assert!(!client.weld_is_on());
    let job = client.put(crate::client::SAMPLE).unwrap();
    client.start(&job).unwrap();
    client.until(MachineState::Executing);
    client.until(MachineState::Ready);
    assert!(client.has_event(|event| event["state"] == "completed"));
}
