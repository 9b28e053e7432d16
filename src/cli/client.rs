//! The client subcommands: what an operator does with a running daemon from a shell.
//!
//! `hold`, `stop` and `disable` need no control. The others take the control lease for as long as they
//! need it and give it back. `submit` gives it back when the job has started, so that another shell can
//! hold, resume and override the run; with `--attend` it keeps it, and the arm holds on its path when the
//! shell goes away.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client_text::{Progress, event_text, status_text};
use super::connection::{CallError, Connection, refusal_text};
use super::job_planner::report_text;
use super::master;
pub use super::master::MasterArguments;
use super::{Exit, print, print_error, read_text};

/// Lease of a client, s.
const LEASE_S: f64 = 5.0;
/// How often a lease that is kept is renewed.
const RENEW_PERIOD: Duration = Duration::from_secs(1);
/// Longest wait for a command to be carried out, and for what it brings about.
const DONE_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest wait for a job to be planned and started.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Rate at which the progress is shown, 1/s.
const PROGRESS_HZ: f64 = 10.0;

/// What every client subcommand takes.
#[derive(Clone, Debug, Args)]
pub struct ClientOptions {
    /// Unix socket of the daemon [default: $MOTIOND_SOCKET, else motiond-state/motiond.sock]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Print JSON, errors included
    #[arg(long)]
    pub(super) json: bool,
}

/// What the subcommands take that need control.
#[derive(Clone, Debug, Args)]
pub struct ControlOptions {
    /// Where the daemon is, and how to print
    #[command(flatten)]
    pub(super) client: ClientOptions,
    /// Take control from another client, for this reason; a run is put on hold first
    #[arg(long, value_name = "REASON")]
    take_over: Option<String>,
}

/// A client subcommand.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Upload a job, start it and follow it to its end
    Submit(SubmitArguments),
    /// Print the status
    Status(ClientOptions),
    /// Print events as they happen, with --json statuses too
    Watch(ClientOptions),
    /// Stop on the path, resumable
    Hold(ClientOptions),
    /// Go on after a hold
    Resume(ControlOptions),
    /// Stop on the path and discard the run
    Stop(ClientOptions),
    /// Switch the drives on
    Enable(ControlOptions),
    /// Stop on the path and switch the drives off
    Disable(ClientOptions),
    /// Acknowledge a fault
    Reset(ControlOptions),
    /// Say where a joint is, confirm where all are, or show which positions are relied on
    Master(MasterArguments),
    /// Set the speed override
    Override {
        /// Per cent, 1 to 100
        #[arg(value_parser = per_cent)]
        percent: f64,
        /// How control is taken
        #[command(flatten)]
        control: ControlOptions,
    },
}

/// Arguments of `motiond submit`.
#[derive(Clone, Debug, Args)]
pub struct SubmitArguments {
    /// The job
    job: PathBuf,
    /// How control is taken
    #[command(flatten)]
    control: ControlOptions,
    /// Store and check the job, do not start it
    #[arg(long, conflicts_with_all = ["enable", "attend", "detach"])]
    check: bool,
    /// Switch the drives on first
    #[arg(long)]
    enable: bool,
    /// Do not wait for its end
    #[arg(long, conflicts_with = "attend")]
    detach: bool,
    /// Stay in control: when this command ends before the job, the arm holds on its path
    #[arg(long)]
    attend: bool,
}

/// How a subcommand ended, what it prints with and without `--json`.
pub(super) type Ended = Result<(Exit, Value, String), CallError>;

/// Carries a client subcommand out; prints what came of it.
///
/// # Errors
/// None: what the daemon refuses, or that it cannot be reached, is printed and is in the exit code.
pub fn client(command: &ClientCommand) -> anyhow::Result<Exit> {
    let (ended, json) = match command {
        ClientCommand::Submit(arguments) => (submit(arguments), arguments.control.client.json),
        ClientCommand::Status(options) => (status(options), options.json),
        ClientCommand::Watch(options) => (watch(options), options.json),
        ClientCommand::Hold(options) => (stop_like("hold", &["held", "ready"], options), options.json),
        ClientCommand::Stop(options) => {
            (stop_like("stop", &["ready", "disabled", "fault"], options), options.json)
        }
        ClientCommand::Disable(options) => {
            (stop_like("disable", &["disabled", "fault"], options), options.json)
        }
        ClientCommand::Resume(control) => {
            (under_lease("resume", &json!({}), &["executing", "ready"], control), control.client.json)
        }
        ClientCommand::Enable(control) => {
            (under_lease("enable", &json!({}), &["ready"], control), control.client.json)
        }
        ClientCommand::Reset(control) => {
            (under_lease("reset", &json!({}), &["disabled", "ready", "held"], control), control.client.json)
        }
        ClientCommand::Master(arguments) => (master::master(arguments), arguments.control.client.json),
        ClientCommand::Override { percent, control } => {
            (set_override(*percent, control), control.client.json)
        }
    };
    Ok(finish(ended, json))
}

fn finish(ended: Ended, json: bool) -> Exit {
    match ended {
        Ok((exit, value, text)) => {
            print(&if json { value.to_string() } else { text });
            exit
        }
        Err(error) => {
            let refused = matches!(error, CallError::Refused(_));
            if json {
                let data = match &error {
                    CallError::Refused(refusal) => refusal["data"].clone(),
                    CallError::Connection(_) | CallError::NoAnswer => {
                        json!({"name": "no_daemon", "message": error.to_string()})
                    }
                };
                print(&json!({"ok": false, "error": data}).to_string());
            } else {
                print_error(&error.to_string());
            }
            if refused { Exit::Mistake } else { Exit::Failure }
        }
    }
}

/// Whether it is in range the daemon says; what is no number JSON cannot even carry.
fn per_cent(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| "not a number; allowed: 1 to 100 %".to_owned())
}

pub(super) fn connect(options: &ClientOptions, command: &str) -> Result<Connection, CallError> {
    connect_to(options.socket.as_deref(), command)
}

/// A connection to the daemon at `socket`, or where the environment says, or at the usual place.
pub(super) fn connect_to(socket: Option<&Path>, command: &str) -> Result<Connection, CallError> {
    let socket = socket
        .map(Path::to_path_buf)
        .or_else(|| std::env::var_os("MOTIOND_SOCKET").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from("motiond-state/motiond.sock"));
    let mut connection = Connection::open(&socket).map_err(|error| {
        std::io::Error::new(
            error.kind(),
            format!(
                "no daemon can be reached at {}: {error}; start one with `motiond run`, or name its socket with --socket",
                socket.display()
            ),
        )
    })?;
    connection.call("hello", &json!({"client": format!("motiond {command}")}))?;
    Ok(connection)
}

/// Takes the control lease, from another client only for a reason; gives its epoch.
pub(super) fn take_control(
    connection: &mut Connection,
    take_over: Option<&str>,
    on_loss: &str,
) -> Result<u64, CallError> {
    let mut params = json!({"lease_s": LEASE_S, "on_loss": on_loss});
    if let Some(reason) = take_over {
        params["take_over"] = json!(reason);
    }
    let lease = connection.call("control.acquire", &params)?;
    Ok(lease["epoch"].as_u64().unwrap_or(0))
}

/// `hold`, `stop`, `disable`: anybody may, without the lease.
fn stop_like(method: &str, until: &[&str], options: &ClientOptions) -> Ended {
    let mut connection = connect(options, method)?;
    let state = carry_out(&mut connection, method, &json!({}), until)?;
    Ok((Exit::Success, json!({"ok": true, "state": state}), format!("the machine is {state}")))
}

pub(super) fn under_lease(method: &str, params: &Value, until: &[&str], control: &ControlOptions) -> Ended {
    let mut connection = connect(&control.client, method)?;
    // A run that is under way goes on when this command is done.
    let epoch = take_control(&mut connection, control.take_over.as_deref(), "continue")?;
    let mut params = params.clone();
    params["epoch"] = json!(epoch);
    let state = carry_out(&mut connection, method, &params, until)?;
    connection.call("control.release", &json!({"epoch": epoch}))?;
    Ok((Exit::Success, json!({"ok": true, "state": state}), format!("the machine is {state}")))
}

fn set_override(percent: f64, control: &ControlOptions) -> Ended {
    let (exit, mut value, text) = under_lease("override", &json!({"percent": percent}), &[], control)?;
    value["override_percent"] = json!(percent);
    Ok((exit, value, format!("the override is {percent} %; {text}")))
}

/// Gives a command, waits until it is carried out and, unless `until` is empty, until the machine is in one
/// of these states; returns the state.
fn carry_out(
    connection: &mut Connection,
    method: &str,
    params: &Value,
    until: &[&str],
) -> Result<String, CallError> {
    connection.call("subscribe", &json!({"topics": ["events"]}))?;
    let accepted = connection.call(method, params)?;
    until_done(connection, &accepted, DONE_TIMEOUT, &mut |_| {})?;
    let begun = Instant::now();
    loop {
        let status = connection.call("status", &json!({}))?;
        let state = status["state"].as_str().unwrap_or_default();
        if until.is_empty() || until.contains(&state) {
            return Ok(state.to_owned());
        }
        if state == "fault" {
            return Err(CallError::Refused(json!({"data": status["faults"][0]})));
        }
        if begun.elapsed() > DONE_TIMEOUT {
            return Err(CallError::NoAnswer);
        }
        // Any event may be the change of state that is waited for.
        let _looked_at_above = connection.notification()?;
    }
}

/// Waits for the event that tells what became of an accepted command; what else is told goes to `meanwhile`.
///
/// # Errors
/// It was refused after all, nothing was told in time, or the connection failed.
fn until_done(
    connection: &mut Connection,
    accepted: &Value,
    limit: Duration,
    meanwhile: &mut dyn FnMut(&Value),
) -> Result<(), CallError> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        let Some(message) = connection.notification()? else { continue };
        let event = &message["params"];
        if !event["command_id"].is_null() && event["command_id"] == accepted["command_id"] {
            return if event["kind"] == "command_done" {
                Ok(())
            } else {
                Err(CallError::Refused(json!({"data": event["error"]})))
            };
        }
        meanwhile(&message);
    }
    Err(CallError::NoAnswer)
}

fn status(options: &ClientOptions) -> Ended {
    let status = connect(options, "status")?.call("status", &json!({}))?;
    let text = status_text(&status);
    Ok((Exit::Success, status, text))
}

/// Prints what is told until the connection ends.
fn watch(options: &ClientOptions) -> Ended {
    let mut connection = connect(options, "watch")?;
    let topics = if options.json { json!(["events", "status"]) } else { json!(["events"]) };
    connection.call("subscribe", &json!({"topics": topics, "max_hz": PROGRESS_HZ}))?;
    loop {
        let Some(message) = connection.notification()? else { continue };
        if options.json {
            print(&message.to_string());
        } else {
            print(&event_text(&message["params"]));
        }
    }
}

fn submit(arguments: &SubmitArguments) -> Ended {
    let control = &arguments.control;
    let document = match read_text(&arguments.job) {
        Ok(text) => text,
        Err(problem) => {
            let problem = crate::api::error::ProblemData::from(&problem);
            let data = json!({"name": "job_invalid", "message": problem.message, "problems": [problem]});
            return Err(CallError::Refused(json!({"data": data})));
        }
    };
    let mut connection = connect(&control.client, "submit")?;
    if arguments.check {
        return check(&mut connection, &document);
    }
    let on_loss = if arguments.attend { "hold" } else { "continue" };
    let epoch = take_control(&mut connection, control.take_over.as_deref(), on_loss)?;
    if arguments.enable {
        carry_out(&mut connection, "enable", &json!({"epoch": epoch}), &["ready"])?;
    }
    let mut progress = Progress::new(!control.client.json, &arguments.job);
    let run_id = start(&mut connection, epoch, &document, &mut |message| progress.show(message))?;
    if !arguments.attend {
        connection.call("control.release", &json!({"epoch": epoch}))?;
    }
    if arguments.detach {
        return Ok((Exit::Success, json!({"ok": true, "run_id": run_id}), format!("{run_id} is under way")));
    }
    let kept = arguments.attend.then_some(epoch);
    let end = follow_with(&mut connection, kept, &run_id, &mut |message| progress.show(message))?;
    progress.end();
    let exit = if end.state == "completed" { Exit::Success } else { Exit::NotCompleted };
    let mut text = format!("{run_id}: {}", end.state);
    for fault in &end.faults {
        text.push_str(&format!("\n{}", refusal_text(&json!({"data": fault}))));
    }
    let value =
        json!({"ok": exit == Exit::Success, "run_id": run_id, "state": end.state, "faults": end.faults});
    Ok((exit, value, text))
}

fn check(connection: &mut Connection, document: &str) -> Ended {
    let stored = connection.call("job.put", &json!({"document": document}))?;
    let checked = connection.call("job.check", &json!({"job_id": stored["job_id"]}))?;
    let job_id = stored["job_id"].as_str().unwrap_or_default();
    if checked["ok"] == true {
        let duration_s = checked["duration_s"].as_f64().unwrap_or(0.0);
        let text = format!("{}\n{job_id} takes {duration_s:.3} s", report_text(&checked["report"]));
        return Ok((Exit::Success, checked, text));
    }
    let message = format!("{job_id} cannot be executed");
    let text = refusal_text(&json!({"data": {"message": message, "problems": checked["problems"]}}));
    Ok((Exit::Mistake, checked, text))
}

/// Uploads a document, starts it, and waits until the cycle has taken the start; gives the run's id.
fn start(
    connection: &mut Connection,
    epoch: u64,
    document: &str,
    told: &mut dyn FnMut(&Value),
) -> Result<String, CallError> {
    let stored = connection.call("job.put", &json!({"document": document}))?;
    connection.call("subscribe", &json!({"topics": ["events", "status"], "max_hz": PROGRESS_HZ}))?;
    let accepted = connection.call("job.start", &json!({"job_id": stored["job_id"], "epoch": epoch}))?;
    until_done(connection, &accepted, START_TIMEOUT, told)?;
    Ok(accepted["run_id"].as_str().unwrap_or_default().to_owned())
}

/// Uploads a document and starts it; gives the run's id.
///
/// # Errors
/// What the daemon refuses, when it is asked or after planning.
pub fn start_job(connection: &mut Connection, epoch: u64, document: &str) -> Result<String, CallError> {
    start(connection, epoch, document, &mut |_| {})
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunEnd {
    /// Its last state.
    pub state: String,
    /// Faults on the way.
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
    let mut progress = Progress::new(visible, Path::new(""));
    let end = follow_with(connection, Some(epoch), run, &mut |message| progress.show(message));
    progress.end();
    end
}

fn follow_with(
    connection: &mut Connection,
    kept: Option<u64>,
    run: &str,
    told: &mut dyn FnMut(&Value),
) -> Result<RunEnd, CallError> {
    let mut faults = Vec::new();
    let mut renewed = Instant::now();
    loop {
        if let Some(epoch) = kept
            && renewed.elapsed() >= RENEW_PERIOD
        {
            renewed = Instant::now();
            connection.call("control.renew", &json!({"epoch": epoch}))?;
        }
        let Some(message) = connection.notification()? else { continue };
        told(&message);
        let event = &message["params"];
        if event["kind"] == "fault" {
            faults.push(event.clone());
        }
        if event["kind"] == "run_state" && event["run_id"] == *run {
            let state = event["state"].as_str().unwrap_or_default();
            let ended = matches!(state, "completed" | "stopped" | "faulted" | "refused");
            if ended || (state == "held" && !faults.is_empty()) {
                return Ok(RunEnd { state: state.to_owned(), faults });
            }
        }
    }
}
