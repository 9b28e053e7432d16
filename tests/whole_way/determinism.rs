//! The same inputs give the same bytes.

use std::sync::{Arc, Mutex};

use motiond::cli::assembly::Assembly;
use motiond::machine::MachineState;
use motiond::telemetry::trace::TraceWriter;

use crate::client::Client;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Trace and events of the sample job under a script.
fn run(script: &str, seed: u64) -> (Vec<u8>, String) {
    let assembly = Assembly::load(None).unwrap();
    let facts = assembly.facts();
    let mut client = Client::with(&assembly, script, seed);
    let bytes = Shared::default();
    let trace = TraceWriter::new(bytes.clone(), &facts.joints, &facts.channels).unwrap();
    let trace = Arc::new(Mutex::new(trace));
    client.cell.daemon_mut().add_recorder(Box::new(Arc::clone(&trace)));
    client.welding_job();
    client.until_on_the_seam();
    client.command("hold").unwrap();
    client.until(MachineState::Held);
    client.command("resume").unwrap();
    client.cycles(5000);
    trace.lock().unwrap().finish().unwrap();
    let events: Vec<String> = client.events.iter().map(ToString::to_string).collect();
    let trace = bytes.0.lock().unwrap().clone();
    (trace, events.join("\n"))
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let script = "at cycle 4000: drop 2\nat cycle 4500: dup 3\nat cycle 5000: flip byte 40 for 1";
    let (first, second) = (run(script, 7), run(script, 7));
    assert!(first.0.len() > 500_000, "the trace has {} bytes", first.0.len());
    assert!(first.0 == second.0, "two traces of the same inputs differ");
    assert_eq!(first.1, second.1);
}

#[test]
fn another_seed_gives_another_ignition() {
    // The check above could not fail if nothing ever differed.
    assert!(run("", 1).0 != run("", 2).0);
}
