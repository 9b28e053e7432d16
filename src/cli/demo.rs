//! `motiond demo`: the main job on the embedded simulated cell, through the daemon's own socket, in real time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};

use super::assembly::Assembly;
use super::client::{follow, start_job};
use super::connection::Connection;
use super::engine::{BoxedRecorder, Engine, EngineOptions};
use super::report_text::report_text;
use super::{Exit, print, print_error};
use crate::config::embedded::SAMPLE_JOB;
use crate::telemetry::report::RunReport;

/// Longest wait for the drives to be on.
const ENABLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest path of a Unix socket that every system takes, bytes.
const SOCKET_PATH_MAX: usize = 100;

/// Arguments of `motiond demo`.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Leave the daemon running until SIGINT or SIGTERM
    #[arg(long)]
    keep: bool,
    /// Folder for report, picture and bus capture
    #[arg(long, default_value = "motiond-demo")]
    out: PathBuf,
}

/// Runs the demo.
///
/// # Errors
/// The daemon does not start, or the files cannot be written.
pub fn demo(arguments: &DemoArguments) -> anyhow::Result<Exit> {
    let mut assembly = Assembly::load(None).map_err(super::problems)?;
    // Two demos beside each other must not fight for a port.
    assembly.cell.sockets.tcp_port = Some(0);
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("creating {}", arguments.out.display()))?;
    let facts = assembly.facts();
    let report = Arc::new(Mutex::new(RunReport::new(
        assembly.cell.model.chain,
        facts.channels,
        facts.cycle.as_seconds(),
    )));
    let say = |text: &str| if arguments.json { print_error(text) } else { print(text) };
    say(super::NOTICE);
    let socket = socket_of(&arguments.out);
    let begun = Instant::now();
    let engine = Engine::start(
        &assembly,
        EngineOptions {
            state_dir: arguments.out.join("state"),
            socket: socket.clone(),
            recorders: vec![BoxedRecorder(Box::new(Arc::clone(&report)))],
            capture: true,
            seed: 1,
            forgets_positions: true,
            ..EngineOptions::default()
        },
        &mut |_| {},
    )?;
    say(&format!(
        "the simulated cell is up: {} SubDevices in OP after {:.2} s",
        assembly.cell.subdevices.len(),
        engine.started.bring_up.as_secs_f64()
    ));
    if !engine.started.has_all_rights {
        say("without the rights of a real-time thread the demo runs all the same:");
        say(engine.started.rights.trim_end());
    }
    say(&format!("daemon listening on {}", socket.display()));
    let outcome = weld(&socket, !arguments.json);
    let wall_s = begun.elapsed().as_secs_f64();
    let capture = arguments.out.join("bus.pcapng");
    let kept = if arguments.keep && outcome.is_ok() {
        Some(engine)
    } else {
        engine.stop(Some(&capture))?;
        None
    };
    let faults = outcome?;

    let picture = arguments.out.join("path.svg");
    let (result, drawn) = {
        let report = report.lock().unwrap_or_else(PoisonError::into_inner);
        (report.report(Some(wall_s)), report.picture("weld-sample"))
    };
    std::fs::write(&picture, drawn).with_context(|| format!("writing {}", picture.display()))?;
    let written = arguments.out.join("report.json");
    let mut value = serde_json::to_value(&result)?;
    value["files"] = json!({"report": written, "picture": picture, "bus_capture": capture});
    std::fs::write(&written, serde_json::to_string_pretty(&value)?)
        .with_context(|| format!("writing {}", written.display()))?;
    if arguments.json {
        print(&serde_json::to_string_pretty(&value)?);
    } else {
        print(&report_text(&result));
        print(&format!("{:<28} {}", "report", written.display()));
        print(&format!("{:<28} {}", "picture", picture.display()));
        print(&format!("{:<28} {}", "bus capture", capture.display()));
    }
    for fault in faults {
        print_error(&super::connection::refusal_text(&json!({"data": fault})));
    }
    if let Some(engine) = kept {
        say(&format!(
            "the daemon is kept running: `motiond status --socket {}`; Ctrl-C ends it and writes the bus capture",
            socket.display()
        ));
        wait_for_signal()?;
        engine.stop(Some(&capture))?;
    }
    Ok(if result.result == "completed" { Exit::Success } else { Exit::NotCompleted })
}

/// The socket beside the other files, or in the system's folder for temporary files when its path would be too
/// long for a socket.
fn socket_of(out: &Path) -> PathBuf {
    let beside = out.join("motiond.sock");
    if beside.as_os_str().len() <= SOCKET_PATH_MAX {
        beside
    } else {
        std::env::temp_dir().join(format!("motiond-demo-{}.sock", std::process::id()))
    }
}

/// What the demo does as a client; gives the faults there were.
fn weld(socket: &Path, visible: bool) -> anyhow::Result<Vec<Value>> {
    let mut connection =
        Connection::open(socket).with_context(|| format!("connecting to {}", socket.display()))?;
    connection.call("hello", &json!({"client": "demo"}))?;
    let lease = connection.call("control.acquire", &json!({"lease_s": 10.0, "on_loss": "stop"}))?;
    let epoch = lease["epoch"].as_u64().unwrap_or(0);
    connection.call("enable", &json!({"epoch": epoch}))?;
    let begun = Instant::now();
    while connection.call("status", &json!({}))?["state"] != "ready" {
        if begun.elapsed() > ENABLE_TIMEOUT {
            bail!("the drives did not switch on within {} s", ENABLE_TIMEOUT.as_secs());
        }
        // Paces the question; what comes meanwhile is not needed.
        let _unused = connection.notification()?;
    }
    let run = start_job(&mut connection, epoch, SAMPLE_JOB)?;
    Ok(follow(&mut connection, epoch, &run, visible)?.faults)
}

fn wait_for_signal() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    })
}
