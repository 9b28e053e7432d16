//! `motiond run`: the daemon, until it is told to end.

use std::path::{Path, PathBuf};

use clap::Args;

use super::assembly::Assembly;
use super::check::print_problems;
use super::engine::{Engine, EngineOptions};
use super::fault_actions;
use super::fault_script::FaultScript;
use super::{Exit, print};
use crate::config::cell::LinkKind;
use crate::config::document::listed;
use crate::config::problem::Problem;

/// Arguments of `motiond run`.
#[derive(Debug, Args)]
#[command(after_long_help = fault_actions::words::listed())]
pub struct RunArguments {
    /// The cell file
    cell: PathBuf,
    /// Where jobs are kept [default: $STATE_DIRECTORY, else ./motiond-state]
    #[arg(long)]
    state_dir: Option<PathBuf>,
    /// Path of the Unix socket [default: that of the cell file, else motiond.sock in the state directory]
    #[arg(long)]
    socket: Option<PathBuf>,
    /// What goes wrong, and when, on the simulated segment
    #[arg(long, value_name = "SCRIPT")]
    fault: Option<PathBuf>,
    /// At the end, write the newest frames of the bus to this pcapng file, for Wireshark
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
    /// Seed of everything random on the simulated segment
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the daemon until SIGTERM or SIGINT: arm stopped on its path, drives off, then 0.
///
/// # Errors
/// The daemon could not be started, or did not end in order.
pub fn run(arguments: &RunArguments) -> anyhow::Result<Exit> {
    let assembly = match Assembly::load(Some(&arguments.cell)) {
        Ok(assembly) => assembly,
        Err(problems) => {
            print_problems(&arguments.cell, &problems, false);
            return Ok(Exit::Mistake);
        }
    };
    if let Some(problem) = missing_interface(&assembly.cell.link.kind) {
        print_problems(&arguments.cell, &[problem], false);
        return Ok(Exit::Mistake);
    }
    let script = match script_of(arguments, &assembly)? {
        Ok(script) => script,
        Err((file, problems)) => {
            print_problems(file, &problems, false);
            return Ok(Exit::Mistake);
        }
    };
    let state_dir = state_dir(arguments.state_dir.as_deref());
    let socket = socket_path(&assembly, arguments.socket.as_deref(), &state_dir);
    std::fs::create_dir_all(&state_dir)?;
    // Signals are taken from the first moment on, so that none is missed while the bus comes up.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut ended = {
        let _inside = runtime.enter();
        (
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?,
        )
    };
    let options = EngineOptions {
        state_dir,
        socket: socket.clone(),
        seed: arguments.seed,
        capture: arguments.capture.is_some(),
        script,
        ..EngineOptions::default()
    };
    let engine = Engine::start(&assembly, options, &mut |_| {})?;
    print(super::NOTICE);
    print(&format!(
        "cell `{}` is up: {} SubDevices in OP after {:.2} s",
        assembly.cell.name,
        assembly.cell.subdevices.len(),
        engine.started.bring_up.as_secs_f64()
    ));
    print(engine.started.rights.trim_end());
    print(&format!(
        "queues and rings: {:.1} MiB",
        crate::boundary::queue_bytes() as f64 / f64::from(1 << 20)
    ));
    print(&format!("listening on {}", socket.display()));
    for travel in super::reactions::joint_travels(&assembly.cell) {
        print(&travel.text());
    }
    if let Some(address) = engine.tcp {
        print(&format!("listening on {address} (loopback only)"));
    }
    let by_itself = runtime.block_on(async {
        let mut look = tokio::time::interval(std::time::Duration::from_millis(100));
        loop {
            tokio::select! {
                _ = ended.0.recv() => return false,
                _ = ended.1.recv() => return false,
                _ = look.tick() => if !engine.is_running() { return true; },
            }
        }
    });
    if !engine.is_filtered() {
        print("no:  system-call filter of the real-time thread: the kernel refused it");
    }
    if !by_itself {
        print("ending: the arm stops on its path, the drives are switched off");
    }
    engine.stop(arguments.capture.as_deref())?;
    if by_itself {
        anyhow::bail!("a thread of the daemon ended by itself");
    }
    print("ended in order");
    Ok(Exit::Success)
}

/// The fault script, or the file that has the mistakes.
fn script_of<'a>(
    arguments: &'a RunArguments,
    assembly: &Assembly,
) -> anyhow::Result<Result<FaultScript, (&'a Path, Vec<Problem>)>> {
    let Some(path) = arguments.fault.as_deref() else { return Ok(Ok(FaultScript::default())) };
    if assembly.cell.link.kind != LinkKind::Simulated {
        let problem = Problem::new(
            "ethercat.link",
            "a fault script is for the simulated segment only",
            "`simulated`",
            "leave --fault away, or give the script to `motiond simulate-bus` at the other end of the wire",
        );
        return Ok(Err((&arguments.cell, vec![problem])));
    }
    let script = FaultScript::load(path, assembly.simulated_segment(arguments.seed)?);
    Ok(script.map_err(|problems| (path, problems)))
}

/// A network interface that this machine does not have.
fn missing_interface(link: &LinkKind) -> Option<Problem> {
    let LinkKind::Interface(wanted) = link else { return None };
    let entries = std::fs::read_dir("/sys/class/net").ok()?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    (!names.contains(wanted)).then(|| {
        Problem::new(
            "ethercat.link",
            format!("this machine has no network interface `{wanted}`"),
            format!("{}, or `simulated`", listed(names)),
            "name the interface the SubDevices are connected to; `ip link` lists them",
        )
    })
}

fn state_dir(wanted: Option<&Path>) -> PathBuf {
    wanted.map_or_else(
        || std::env::var_os("STATE_DIRECTORY").map_or_else(|| PathBuf::from("motiond-state"), PathBuf::from),
        Path::to_path_buf,
    )
}

/// The Unix socket of a daemon.
#[must_use]
pub fn socket_path(assembly: &Assembly, wanted: Option<&Path>, state_dir: &Path) -> PathBuf {
    wanted
        .map(Path::to_path_buf)
        .or_else(|| assembly.cell.sockets.unix_path.clone())
        .unwrap_or_else(|| state_dir.join("motiond.sock"))
}
