//! `motiond simulate`: the same daemon code, cycle and wire on virtual time, faster than real time; the
//! same inputs give the same bytes of trace.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;

use super::assembly::Assembly;
use super::check::print_problems;
use super::fault_actions;
use super::fault_script::FaultScript;
use super::job_planner::CellPlanner;
use super::report_text::report_text;
use super::virtual_cell::VirtualCell;
use super::{Exit, print, read_text};
use crate::api::answer::Answer;
use crate::api::daemon::{Caller, Handled};
use crate::api::error::ApiError;
use crate::api::lease::SessionId;
use crate::api::request::{
    ControlAcquire, JobPut, JobStart, OnLoss, Request, Role, UnderLease, WithoutLease,
};
use crate::jobs::files::MemoryFiles;
use crate::jobs::planning_desk::JobPlanner as _;
use crate::jobs::runner::RunState;
use crate::machine::MachineState;
use crate::telemetry::report::{Report, RunReport};
use crate::telemetry::trace::TraceWriter;

/// Longest virtual time for switching on or off, s.
const SWITCHING_S: f64 = 20.0;
/// A run that stands held this long is given up, s: nobody is there to resume it.
const HELD_S: f64 = 1.0;

/// Lease of the only client, s; renewed every half of it.
const LEASE_S: f64 = 60.0;

/// Arguments of `motiond simulate`.
#[derive(Debug, Args)]
#[command(after_long_help = fault_actions::words::listed())]
pub struct SimulateArguments {
    /// The cell file [default: the built-in simulated cell]
    #[arg(long)]
    cell: Option<PathBuf>,
    /// The job
    job: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Write a CSV with one row a cycle
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Write a picture of path and speed (SVG)
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// What goes wrong, and when
    #[arg(long, value_name = "SCRIPT")]
    fault: Option<PathBuf>,
    /// Seed of everything random in the simulated cell
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs a job on the simulated cell and prints the report.
///
/// # Errors
/// Files that cannot be written, a simulated cell that does not come up.
pub fn simulate(arguments: &SimulateArguments) -> anyhow::Result<Exit> {
    let assembly = match Assembly::load(arguments.cell.as_deref()) {
        Ok(assembly) => assembly,
        Err(problems) => return Ok(mistakes(arguments.cell.as_deref(), &problems, arguments.json)),
    };
    let job = match read_text(&arguments.job) {
        Ok(text) => text,
        Err(problem) => return Ok(mistakes(Some(&arguments.job), &[problem], arguments.json)),
    };
    let script = match &arguments.fault {
        None => FaultScript::default(),
        Some(path) => {
            // What it names is looked up on a segment like the one it is for, before anything starts.
            match FaultScript::load(path, assembly.simulated_segment(arguments.seed)?) {
                Ok(script) => script,
                Err(problems) => return Ok(mistakes(Some(path), &problems, arguments.json)),
            }
        }
    };
    // Whatever is wrong with the job is said before anything starts.
    let planner = CellPlanner::new(assembly.clone());
    if let Err(problems) = planner.plan(&job, &assembly.cell.simulation.start_joints) {
        return Ok(mistakes(Some(&arguments.job), &problems, arguments.json));
    }
    let begun = Instant::now();
    let mut cell = VirtualCell::start(&assembly, Box::new(MemoryFiles::default()), script, arguments.seed)?;
    let facts = assembly.facts();
    let report = Arc::new(Mutex::new(RunReport::new(
        assembly.cell.model.chain,
        facts.channels.clone(),
        facts.cycle.as_seconds(),
    )));
    cell.daemon_mut().add_recorder(Box::new(Arc::clone(&report)));
    let trace = match &arguments.trace {
        None => None,
        Some(path) => {
            let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
            let trace = Arc::new(Mutex::new(TraceWriter::new(file, &facts.joints, &facts.channels)?));
            cell.daemon_mut().add_recorder(Box::new(Arc::clone(&trace)));
            Some((trace, path))
        }
    };
    let refused = run_job(&mut cell, &job)?;
    let wall_s = begun.elapsed().as_secs_f64();
    if let Some(error) = refused {
        return Ok(print_refusal(&arguments.job, &error, arguments.json));
    }
    if let Some((trace, path)) = trace {
        trace
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .finish()
            .with_context(|| format!("writing {}", path.display()))?;
    }
    let report = report.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = &arguments.picture {
        let title =
            arguments.job.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        std::fs::write(path, report.picture(&title))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(print_report(&report.report(Some(wall_s)), arguments.json))
}

fn mistakes(file: Option<&Path>, problems: &[crate::config::problem::Problem], json: bool) -> Exit {
    print_problems(file.unwrap_or_else(|| Path::new("built-in cell")), problems, json);
    Exit::Mistake
}

/// Prints a report as text or JSON.
pub fn print_report(report: &Report, json: bool) -> Exit {
    if json {
        print(&serde_json::to_string_pretty(report).unwrap_or_default());
    } else {
        print(&report_text(report));
    }
    if report.result == "completed" { Exit::Success } else { Exit::NotCompleted }
}

fn print_refusal(job: &Path, error: &ApiError, json: bool) -> Exit {
    let data = error.data();
    if json {
        print(&serde_json::json!({"ok": false, "error": data}).to_string());
    } else {
        super::print_error(&format!("{}: {} ({}): {}", job.display(), data.message, data.name, data.remedy));
    }
    Exit::Mistake
}

/// What `simulate` does as the only client of the daemon. `Some`: the job was refused.
fn run_job(cell: &mut VirtualCell, job: &str) -> anyhow::Result<Option<ApiError>> {
    let caller = Caller { session: SessionId(1), client: "simulate".to_owned(), role: Role::Programmer };
    let put =
        Request::JobPut(JobPut { document: serde_json::Value::String(job.to_owned()), document_hash: None });
    let job_id = match ask(cell, &caller, put) {
        Ok(Answer::Stored { job_id, .. }) => job_id,
        Ok(other) => bail!("unexpected answer to job.put: {other:?}"),
        Err(error) => return Ok(Some(error)),
    };
    let acquire = ControlAcquire { lease_s: LEASE_S, on_loss: OnLoss::Hold, take_over: None };
    let epoch = match ask(cell, &caller, Request::ControlAcquire(acquire)) {
        Ok(Answer::Lease { epoch, .. }) => epoch,
        other => bail!("unexpected answer to control.acquire: {other:?}"),
    };
    step(cell)?;
    ask(cell, &caller, Request::Enable(UnderLease { epoch }))
        .map_err(|error| anyhow!("{}", error.message()))?;
    if !until(cell, SWITCHING_S, |cell| cell.state() == MachineState::Ready)? {
        return Ok(None);
    }
    if let Err(error) = ask(cell, &caller, Request::JobStart(JobStart { job_id, epoch })) {
        return Ok(Some(error));
    }
    let mut held_s = 0.0;
    let mut renewed_s = cell.now().as_seconds();
    loop {
        step(cell)?;
        if cell.now().as_seconds() > renewed_s + 0.5 * LEASE_S {
            renewed_s = cell.now().as_seconds();
            // Nobody else is there to have taken it.
            let _renewed = ask(cell, &caller, Request::ControlRenew(UnderLease { epoch }));
        }
        let state = cell.daemon_mut().run().map(|run| run.state);
        if state.is_none_or(RunState::is_final) {
            break;
        }
        held_s = if state == Some(RunState::Held) { held_s + cell.cycle_time().as_seconds() } else { 0.0 };
        if held_s > HELD_S {
            // Refused only when the run has ended in the meantime.
            let _refused = ask(cell, &caller, Request::Stop(WithoutLease { epoch: None }));
            held_s = 0.0;
        }
    }
    // Refused only in states in which the drives are already on their way off.
    let _refused = ask(cell, &caller, Request::Disable(WithoutLease { epoch: None }));
    until(cell, SWITCHING_S, |cell| matches!(cell.state(), MachineState::Disabled | MachineState::Fault))?;
    Ok(None)
}

fn ask(cell: &mut VirtualCell, caller: &Caller, request: Request) -> Result<Answer, ApiError> {
    let now = cell.now();
    match cell.daemon_mut().handle(caller, request, now)? {
        Handled::Now(answer) => Ok(answer),
        Handled::Later(_) => Err(ApiError::Internal { detail: "the answer comes later".to_owned() }),
    }
}

fn step(cell: &mut VirtualCell) -> anyhow::Result<()> {
    cell.step()?;
    while cell.daemon_mut().take_notice().is_some() {}
    Ok(())
}

fn until(cell: &mut VirtualCell, limit_s: f64, done: impl Fn(&VirtualCell) -> bool) -> anyhow::Result<bool> {
    let end = cell.now().as_seconds() + limit_s;
    while cell.now().as_seconds() < end {
        step(cell)?;
        if done(cell) {
            return Ok(true);
        }
        if cell.state() == MachineState::Fault {
            return Ok(false);
        }
    }
    Ok(false)
}
