//! The client subcommands: what an operator does with a running daemon from a shell.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::connection::{CallError, Connection};
use super::{Exit, print, print_error};

/// Lease of a client, s; renewed while it follows a job.
const LEASE_S: f64 = 5.0;
/// How often the lease is renewed and the status is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Longest wait for a command to be carried out.
const DONE_TIMEOUT: Duration = Duration::from_secs(20);

/// What every client subcommand takes.
#[derive(Clone, Debug, Args)]
pub struct ClientOptions {
    /// Unix socket of the daemon
    #[arg(long, default_value = "motiond-state/motiond.sock", global = true)]
    socket: PathBuf,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

/// A client subcommand.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Upload a job, start it and follow it to its end
    Submit {
        /// The job
        job: PathBuf,
        /// Do not wait for its end
        #[arg(long)]
        detach: bool,
        /// Where the daemon is, and how to print
        #[command(flatten)]
        options: ClientOptions,
    },
    /// Print the status
    Status {
        /// Where the daemon is, and how to print
        #[command(flatten)]
        options: ClientOptions,
    },
    /// Stop on the path, resumable
    Hold {
        /// Where the daemon is, and how to print
        #[command(flatten)]
        options: ClientOptions,
    },
    /// Go on after a hold
    Resume {
        /// Where the daemon is, and how to print
        #[command(flatten)]
        options: ClientOptions,
    },
    /// Stop on the path and discard the run
    Stop {
        /// Where the daemon is, and how to print
        #[command(flatten)]
        options: ClientOptions,
    },
    /// Switch the drives on
    Enable {
        /// Where the daemon is, and how to print
        #[command(flatten)]
        options: ClientOptions,
    },
    /// Stop and switch the drives off
    Disable {
        /// Where the daemon is, and how to print
        #[command(flatten)]
        options: ClientOptions,
    },
    /// Acknowledge a fault
    Reset {
        /// Where the daemon is, and how to print
        #[command(flatten)]
        options: ClientOptions,
    },
    /// Set the speed override
    Override {
        /// Per cent, 1 to 100
        percent: f64,
        /// Where the daemon is, and how to print
        #[command(flatten)]
        options: ClientOptions,
    },
}

/// Carries a client subcommand out.
///
/// # Errors
/// The daemon cannot be reached or does not answer. What it refuses is printed.
pub fn client(command: &ClientCommand) -> anyhow::Result<Exit> {
    let result = match command {
        ClientCommand::Submit { job, detach, options } => submit(job, *detach, options),
        ClientCommand::Status { options } => status(options),
        ClientCommand::Hold { options } => stop_like("hold", options),
        ClientCommand::Stop { options } => stop_like("stop", options),
        ClientCommand::Disable { options } => stop_like("disable", options),
        ClientCommand::Resume { options } => under_lease("resume", &json!({}), options),
        ClientCommand::Enable { options } => under_lease("enable", &json!({}), options),
        ClientCommand::Reset { options } => under_lease("reset", &json!({}), options),
        ClientCommand::Override { percent, options } => {
            under_lease("override", &json!({"percent": percent}), options)
        }
    };
    match result.map_err(|error| error.downcast::<CallError>()) {
        Ok(exit) => Ok(exit),
        Err(Ok(refused @ CallError::Refused(_))) => {
            print_error(&refused.to_string());
            Ok(Exit::Mistake)
        }
        Err(Ok(other)) => Err(other.into()),
        Err(Err(other)) => Err(other),
    }
}

fn connect(socket: &Path) -> anyhow::Result<Connection> {
    let mut connection = Connection::open(socket).with_context(|| {
        format!(
            "no daemon can be reached at {}; start one with `motiond run`, or name its socket with --socket",
            socket.display()
        )
    })?;
    connection.call("hello", &json!({"client": "motiond"}))?;
    Ok(connection)
}

/// Takes the control lease; a job that is under way when the client ends goes on.
fn take_control(connection: &mut Connection) -> Result<u64, CallError> {
    let lease = connection.call("control.acquire", &json!({"lease_s": LEASE_S, "on_loss": "continue"}))?;
    Ok(lease["epoch"].as_u64().unwrap_or(0))
}

/// `hold`, `stop`, `disable`: anybody may, without the lease.
fn stop_like(method: &str, options: &ClientOptions) -> anyhow::Result<Exit> {
    let mut connection = connect(&options.socket)?;
    connection.call("subscribe", &json!({"topics": ["events"]}))?;
    let accepted = connection.call(method, &json!({}))?;
    until_done(&mut connection, method, &accepted, options.json)
}

fn under_lease(method: &str, params: &Value, options: &ClientOptions) -> anyhow::Result<Exit> {
    let mut connection = connect(&options.socket)?;
    connection.call("subscribe", &json!({"topics": ["events"]}))?;
    let epoch = take_control(&mut connection)?;
    let mut params = params.clone();
    params["epoch"] = json!(epoch);
    let accepted = connection.call(method, &params)?;
    let exit = until_done(&mut connection, method, &accepted, options.json)?;
    connection.call("control.release", &json!({"epoch": epoch}))?;
    Ok(exit)
}

/// Waits for the event that tells what became of an accepted command.
fn until_done(
    connection: &mut Connection,
    method: &str,
    accepted: &Value,
    json: bool,
) -> anyhow::Result<Exit> {
    let begun = Instant::now();
    while begun.elapsed() < DONE_TIMEOUT {
        let Some(message) = connection.notification()? else { continue };
        let event = &message["params"];
        if event["command_id"] != accepted["command_id"] || event["command_id"].is_null() {
            continue;
        }
        let done = event["kind"] == "command_done";
        if json {
            print(&event.to_string());
        } else if done {
            print(&format!("{method}: done"));
        } else {
            print_error(&format!("{method}: refused by the machine: {event}"));
        }
        return Ok(if done { Exit::Success } else { Exit::NotCompleted });
    }
    anyhow::bail!("{method} was accepted, but not carried out within {} s", DONE_TIMEOUT.as_secs())
}

fn status(options: &ClientOptions) -> anyhow::Result<Exit> {
    let mut connection = connect(&options.socket)?;
    let status = connection.call("status", &json!({}))?;
    print(&if options.json { status.to_string() } else { status_text(&status) });
    Ok(Exit::Success)
}

/// A status for people.
fn status_text(status: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let numbers = |value: &Value, unit: &str| {
        let list: Vec<String> = value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_f64)
            .map(|value| format!("{value:.2}"))
            .collect();
        format!("{} {unit}", list.join("  "))
    };
    let run = &status["run"];
    let mut lines = vec![
        format!("state     {}", text(&status["state"])),
        format!("override  {} %", status["override_percent"]),
        format!("joints    {}", numbers(&status["joints_deg"], "°")),
        format!("tool      {}", numbers(&status["tcp"]["position_mm"], "mm")),
        format!("arc       {}", if status["arc"] == true { "on" } else { "off" }),
        format!("counters  {}", status["counters"]),
    ];
    if run.is_object() {
        lines.push(format!(
            "run       {} of {}: {}, {:.0} %, phase {}",
            text(&run["run_id"]),
            text(&run["job_id"]),
            text(&run["state"]),
            run["progress"].as_f64().unwrap_or(0.0) * 100.0,
            text(&run["phase"]),
        ));
    }
    for fault in status["faults"].as_array().into_iter().flatten() {
        lines.push(format!("fault     {} {}", text(&fault["code"]), text(&fault["message"])));
        lines.push(format!("          where: {}, value {}", fault["where"], fault["value"]));
        lines.push(format!("          remedy: {}", text(&fault["remedy"])));
    }
    lines.join("\n")
}

fn submit(job: &Path, detach: bool, options: &ClientOptions) -> anyhow::Result<Exit> {
    let text = std::fs::read_to_string(job).with_context(|| format!("reading {}", job.display()))?;
    let mut connection = connect(&options.socket)?;
    let epoch = take_control(&mut connection)?;
    let run = start_job(&mut connection, epoch, &text)?;
    if detach {
        print(&if options.json { json!({"run_id": run}).to_string() } else { format!("accepted as {run}") });
        return Ok(Exit::Success);
    }
    let end = follow(&mut connection, epoch, &run, !options.json)?;
    connection.call("control.release", &json!({"epoch": epoch}))?;
    print(&if options.json {
        json!({"run_id": run, "state": end.state, "faults": end.faults}).to_string()
    } else {
        format!("{run}: {}", end.state)
    });
    for fault in &end.faults {
        print_error(&super::connection::refusal_text(&json!({"data": fault})));
    }
    Ok(if end.state == "completed" { Exit::Success } else { Exit::NotCompleted })
}

/// Uploads a document and starts it; gives the run's id.
///
/// # Errors
/// What the daemon refuses.
pub fn start_job(connection: &mut Connection, epoch: u64, document: &str) -> Result<String, CallError> {
    let stored = connection.call("job.put", &json!({"document": document}))?;
    connection.call("subscribe", &json!({"topics": ["events"]}))?;
    let started = connection.call("job.start", &json!({"job_id": stored["job_id"], "epoch": epoch}))?;
    Ok(started["run_id"].as_str().unwrap_or_default().to_owned())
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunEnd {
    /// Its last state.
    pub state: String,
    /// Faults and refusals on the way.
    pub faults: Vec<Value>,
}

/// Follows a run to its end with a progress bar (on a terminal, when `visible`), keeping the lease.
///
/// A run that a fault has put on hold waits for an operator: it is given back as `held`.
///
/// # Errors
/// The connection failed or the lease was lost.
pub fn follow(
    connection: &mut Connection,
    epoch: u64,
    run: &str,
    visible: bool,
) -> Result<RunEnd, CallError> {
    let bar = ProgressBar::with_draw_target(
        Some(1000),
        if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
    );
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} %  {elapsed}  {msg}") {
        bar.set_style(style);
    }
    let mut faults = Vec::new();
    let mut looked = Instant::now();
    let state = loop {
        if let Some(message) = connection.notification()? {
            let event = &message["params"];
            if event["kind"] == "fault" {
                faults.push(event.clone());
            }
            if event["kind"] == "run_state" && event["run_id"] == *run {
                let state = event["state"].as_str().unwrap_or_default();
                let ended = matches!(state, "completed" | "stopped" | "faulted" | "refused");
                if ended || (state == "held" && !faults.is_empty()) {
                    if state == "refused" {
                        faults.push(event.clone());
                    }
                    break state.to_owned();
                }
            }
        }
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            connection.call("control.renew", &json!({"epoch": epoch}))?;
            show(&bar, &connection.call("status", &json!({}))?);
        }
    };
    bar.finish_and_clear();
    Ok(RunEnd { state, faults })
}

fn show(bar: &ProgressBar, status: &Value) {
    let run = &status["run"];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    let position = (run["progress"].as_f64().unwrap_or(0.0).clamp(0.0, 1.0) * 1000.0) as u64;
    bar.set_position(position);
    let arc = if status["arc"] == true { "arc on" } else { "arc off" };
    let phase = run["phase"].as_str().unwrap_or("-");
    let speed = run["v_mm_s"].as_f64().map_or_else(String::new, |speed| format!(", {speed:.1} mm/s"));
    bar.set_message(format!("{}, {arc}, phase {phase}{speed}", status["state"].as_str().unwrap_or("-")));
}
