//! `motiond check`: every mistake of a cell file or a job at once, before anything moves.

use std::path::{Path, PathBuf};

use clap::Args;

use super::assembly::Assembly;
use super::job_planner::CellPlanner;
use super::{Exit, read_text};
use crate::config::load::schedules_beside;
use crate::config::problem::Problem;
use crate::jobs::planning_desk::JobPlanner as _;
use crate::processes::schedule_problems;

/// Arguments of `motiond check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Cell to check the job against [default: the built-in simulated cell]; without a job: not used
    #[arg(long)]
    cell: Option<PathBuf>,
    /// A cell file (`.toml`), or with --cell a job (`.json`)
    file: PathBuf,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Checks a file and prints what was found.
pub fn check(arguments: &CheckArguments) -> Exit {
    let is_job = arguments.file.extension().is_some_and(|extension| extension == "json");
    let outcome = if is_job {
        check_job(arguments.cell.as_deref(), &arguments.file)
    } else {
        let loaded = Assembly::load(Some(&arguments.file)).map_err(|mut problems| {
            problems.extend(schedule_problems(&schedules_beside(&arguments.file), None));
            problems
        });
        loaded.and_then(|assembly| {
            assembly.process_data_map()?;
            assembly.cycle_settings()?;
            let guards = assembly.guards()?;
            let mistakes = schedule_problems(&assembly.cell.schedules, Some(&assembly.cell));
            if !mistakes.is_empty() {
                return Err(mistakes);
            }
            Ok(format!(
                "{}: the cell `{}` is valid: {} SubDevices, {} joints, robot `{}`, {}",
                arguments.file.display(),
                assembly.cell.name,
                assembly.cell.subdevices.len(),
                assembly.cell.joint_count(),
                assembly.cell.model.name,
                match (&assembly.cell.collision, guards.len()) {
                    (Some(settings), tools) => format!(
                        "collisions looked at for {tools} tool(s), {} area(s), margin {} mm",
                        settings.areas.len(),
                        settings.margin * 1e3
                    ),
                    (None, _) => "collisions not looked at (no section `[collision]`)".to_owned(),
                },
            ))
        })
    };
    match outcome {
        Ok(text) if arguments.json => {
            super::print(&serde_json::json!({"ok": true, "summary": text}).to_string());
        }
        Ok(text) => super::print(&text),
        Err(problems) => {
            if is_job && arguments.cell.is_none() && !arguments.json {
                super::print_error("checked against the built-in simulated cell; `--cell` names another one");
            }
            print_problems(&arguments.file, &problems, arguments.json);
            return Exit::Mistake;
        }
    }
    Exit::Success
}

fn check_job(cell: Option<&Path>, job: &Path) -> Result<String, Vec<Problem>> {
    let assembly = Assembly::load(cell).map_err(|problems| match cell {
        Some(cell) => {
            problems.into_iter().map(|problem| problem.in_file(&cell.display().to_string())).collect()
        }
        None => problems,
    })?;
    let cell_name = cell_name(cell, &assembly);
    let text = read_text(job).map_err(|problem| vec![problem])?;
    let q_start = assembly.cell.simulation.start_joints;
    let planner = CellPlanner::new(assembly);
    let plan = planner.plan(&text, &q_start)?;
    let facts = planner.read(&text)?;
    Ok(format!(
        "{}: the job `{}` is valid on {cell_name}: {} instructions, {:.1} s at 100 %\n{}",
        job.display(),
        facts.name,
        facts.instructions,
        plan.duration_s(),
        super::job_planner::report_text(&plan.report),
    ))
}

/// Which cell it is, for people.
fn cell_name(file: Option<&Path>, assembly: &Assembly) -> String {
    file.map_or_else(
        || format!("the built-in cell `{}`", assembly.cell.name),
        |file| format!("the cell {}", file.display()),
    )
}

/// Prints problems, one block each.
pub fn print_problems(file: &Path, problems: &[Problem], json: bool) {
    if json {
        let list: Vec<serde_json::Value> = problems
            .iter()
            .map(|problem| {
                serde_json::json!({
                    "where": problem.place,
                    "message": problem.message,
                    "allowed": problem.allowed,
                    "remedy": problem.remedy,
                })
            })
            .collect();
        super::print(&serde_json::json!({"ok": false, "problems": list}).to_string());
        return;
    }
    for problem in problems {
        super::print_error(&format!(
            "{}: {}\n  {}\n  allowed: {}\n  remedy: {}",
            file.display(),
            problem.place,
            problem.message,
            problem.allowed,
            problem.remedy,
        ));
    }
    let count = problems.len();
    super::print_error(&format!("{count} {}", if count == 1 { "mistake" } else { "mistakes" }));
}
