//! What the daemon tells, for people: status, events, and the progress of a run.

use std::io::IsTerminal as _;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::connection::refusal_text;
use super::print_error;

/// Steps of the bar.
const BAR_STEPS: u64 = 1000;

/// The progress of a run: a bar on a terminal, a line for each event worth one elsewhere.
pub struct Progress {
    bar: Option<ProgressBar>,
    visible: bool,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Progress").field("visible", &self.visible).finish_non_exhaustive()
    }
}

impl Progress {
    /// Progress of `job` on standard error; nothing at all unless `visible`.
    #[must_use]
    pub fn new(visible: bool, job: &Path) -> Self {
        let bar = (visible && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(BAR_STEPS);
            // A template that is not understood leaves the plain bar.
            if let Ok(style) =
                ProgressStyle::with_template("{prefix}{bar:30} {percent:>3} %  {elapsed}  {msg}")
            {
                bar.set_style(style);
            }
            if let Some(name) = job.file_stem() {
                bar.set_prefix(format!("{} ", name.to_string_lossy()));
            }
            bar
        });
        Self { bar, visible }
    }

    /// Shows a notification.
    pub fn show(&mut self, message: &Value) {
        let params = &message["params"];
        if message["method"] == "status" {
            if let Some(bar) = &self.bar {
                let status = &params["status"];
                let share = status["run"]["progress"].as_f64().unwrap_or(0.0).clamp(0.0, 1.0);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
                bar.set_position((share * 1000.0) as u64);
                bar.set_message(arm_text(status));
            }
        } else if message["method"] == "event" && is_worth_a_line(params) {
            match &self.bar {
                Some(bar) => bar.println(event_text(params)),
                None if self.visible => print_error(&event_text(params)),
                None => {}
            }
        }
    }

    /// Ends the bar.
    pub fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish();
        }
    }
}

/// Refused commands are not: those of this client end it with the refusal, others do not concern it.
fn is_worth_a_line(event: &Value) -> bool {
    matches!(
        event["kind"].as_str(),
        Some("run_state" | "phase_began" | "process_interrupted" | "fault" | "warning")
    )
}

/// State of the arm and of the arc in one line.
fn arm_text(status: &Value) -> String {
    let run = &status["run"];
    let mut text = status["state"].as_str().unwrap_or("-").to_owned();
    text.push_str(if status["arc"] == true { ", arc on" } else { ", arc off" });
    if let (Some(process), Some(phase)) = (run["process"].as_str(), run["phase"].as_str()) {
        text.push_str(&format!(", {process}: {phase}"));
    }
    if let Some(speed) = run["v_mm_s"].as_f64() {
        text.push_str(&format!(", {speed:.1} mm/s"));
    }
    text
}

/// An event in one line; what went wrong with cause and remedy below.
#[must_use]
pub fn event_text(event: &Value) -> String {
    let time_s = event["time_s"].as_f64().unwrap_or(0.0);
    let kind = event["kind"].as_str().unwrap_or_default();
    let mut text = format!("{time_s:>10.3} s  {kind}");
    if kind == "command_refused" {
        let command = event["command"].as_str().unwrap_or_default();
        return format!("{text} {command}: {}", refusal_text(&json!({"data": event["error"]})));
    }
    if matches!(kind, "fault" | "warning") {
        return format!("{text}: {}", refusal_text(&json!({"data": event})));
    }
    for (key, value) in event.as_object().into_iter().flatten() {
        if matches!(key.as_str(), "seq" | "time_s" | "cycle" | "kind") || value.is_null() {
            continue;
        }
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.push_str(&format!("  {key} {value}"));
    }
    text
}

/// The status.
#[must_use]
pub fn status_text(status: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let numbers = |value: &Value, decimals: usize| {
        let numbers = value.as_array().into_iter().flatten().filter_map(Value::as_f64);
        numbers.map(|number| format!("{number:.decimals$}")).collect::<Vec<_>>().join("  ")
    };
    let mut lines = vec![format!("state     {}", text(&status["state"]))];
    let run = &status["run"];
    if run.is_object() {
        lines.push(format!(
            "run       {} of {}: {}, {:.0} %, instruction {}, segment {}",
            text(&run["run_id"]),
            text(&run["job_id"]),
            text(&run["state"]),
            run["progress"].as_f64().unwrap_or(0.0) * 100.0,
            run["instruction"],
            run["segment"],
        ));
        if run["process"].is_string() {
            lines.push(format!("process   {}: {}", text(&run["process"]), text(&run["phase"])));
        }
        if let (Some(way), Some(speed)) = (run["s_mm"].as_f64(), run["v_mm_s"].as_f64()) {
            lines.push(format!("on path   {way:.1} mm, {speed:.2} mm/s"));
        }
    }
    lines.push(format!("tool      {} mm", numbers(&status["tcp"]["position_mm"], 2)));
    lines.push(format!("joints    {} °", numbers(&status["joints_deg"], 3)));
    lines.push(format!("override  {:.0} %", status["override_percent"].as_f64().unwrap_or(0.0)));
    lines.push(format!("arc       {}", if status["arc"] == true { "on" } else { "off" }));
    let on: Vec<&str> = ["inputs", "outputs"]
        .iter()
        .flat_map(|key| status[*key].as_object().into_iter().flatten())
        .filter_map(|(name, level)| (*level == true).then_some(name.as_str()))
        .collect();
    lines.push(format!("on        {}", on.join(", ")));
    let counters = &status["counters"];
    lines.push(format!(
        "cycles    {} sent, {} frames lost, {} late, {} working-counter errors",
        status["cycle"], counters["lost_frames"], counters["late_cycles"], counters["wkc_errors"],
    ));
    for fault in status["faults"].as_array().into_iter().flatten() {
        lines.push(format!("fault     {}", refusal_text(&json!({"data": fault}))));
    }
    lines.join("\n")
}
