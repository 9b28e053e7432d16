//! Every cycle time a cell may have: the bus comes up with it, and the sample job is welded in the same time.

use motiond::cli::assembly::Assembly;
use motiond::machine::MachineState;
use serde_json::json;

use crate::client::Client;

/// The built-in cell with another cycle time.
fn cell(cycle_time_ms: f64) -> Assembly {
    let text = std::fs::read_to_string("config/simulated-cell.toml").unwrap();
    let lines = text.lines().map(|line| match line.split_once(" = ") {
        Some(("cycle_time_ms", _)) => format!("cycle_time_ms = {cycle_time_ms:?}"),
        // Without it SYNC0 comes in the middle of a cycle.
        Some(("sync_shift_us", _)) => String::new(),
        Some(("model", _)) => "model = \"six-axis-8kg\"".to_owned(),
        _ => line.to_owned(),
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cell.toml");
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let assembly = Assembly::load(Some(&path)).unwrap();
    assert!((assembly.cell.link.cycle_time.as_seconds() * 1e3 - cycle_time_ms).abs() < 1e-9);
    assembly
}

/// Virtual time from the start of the sample job to its end, s.
fn welded_in_s(cycle_time_ms: f64) -> f64 {
    let mut client = Client::with(&cell(cycle_time_ms), "", 1);
    client.welding_job();
    let began = client.cell.now().as_seconds();
    client.until(MachineState::Ready);
    let took_s = client.cell.now().as_seconds() - began;
    let completed = client.has_event(|event| event["kind"] == "run_state" && event["state"] == "completed");
    assert!(completed, "at {cycle_time_ms} ms: {:#?}", client.last_events());
    let status = client.call("status", json!({})).unwrap();
    for counter in ["lost_frames", "late_cycles", "wkc_errors", "heap_allocations_in_cycle"] {
        assert_eq!(status["counters"][counter], 0, "{counter} at {cycle_time_ms} ms");
    }
    let source = client.cell.segment_mut().power_source(0).unwrap();
    assert_eq!((source.ignitions, source.weld_on), (1, false), "at {cycle_time_ms} ms");
    took_s
}

#[test]
fn the_sample_job_is_welded_with_every_cycle_time() {
    let usual_s = welded_in_s(1.0);
    assert!(usual_s > 30.0, "{usual_s}");
    for cycle_time_ms in [0.5, 2.0, 4.0] {
        let took_s = welded_in_s(cycle_time_ms);
        // Some hundred transitions, each at the next cycle.
        assert!((took_s - usual_s).abs() < 0.5, "{took_s} s at {cycle_time_ms} ms, {usual_s} s at 1 ms");
    }
}
