//! Wrong files and what is said about them. A change of wording shows as a difference of the snapshots.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use motiond::cli::assembly::Assembly;
use motiond::cli::job_planner::CellPlanner;
use motiond::config::load::load_cell;
use motiond::config::problem::Problem;
use motiond::jobs::planning_desk::JobPlanner as _;
use motiond::joints::JointVector;
use serde_json::{Value, json};

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configuration").join(folder);
    let entries = fs::read_dir(folder).expect("the folder is part of the repository");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths
}

fn show(shown: &mut String, path: &Path, problems: &[Problem]) {
    assert!(!problems.is_empty(), "{} is not wrong", path.display());
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    writeln!(shown, "{name}").expect("text grows");
    for problem in problems {
        assert!(!problem.message.is_empty(), "{name}");
        assert!(!problem.allowed.is_empty() && !problem.remedy.is_empty(), "{name}: {problem}");
        writeln!(shown, "  {problem}").expect("text grows");
    }
}

/// The mistakes of a job, as a user is told them.
fn mistakes(planner: &CellPlanner, start: &JointVector, text: &str) -> Vec<Problem> {
    planner.plan(text, start).err().unwrap_or_default()
}

fn planner() -> (CellPlanner, JointVector) {
    let assembly = Assembly::load(None).expect("valid");
    let start = assembly.cell.simulation.start_joints;
    (CellPlanner::new(assembly), start)
}

#[test]
fn wrong_jobs_are_answered_with_place_range_and_remedy() {
    let (planner, start) = planner();
    let mut shown = String::new();
    for path in files("wrong-jobs") {
        let text = fs::read_to_string(&path).expect("readable");
        show(&mut shown, &path, &mistakes(&planner, &start, &text));
    }
    insta::assert_snapshot!(shown);
}

/// A job of these instructions.
fn job_of(instructions: &[Value]) -> String {
    json!({"format": "motiond-job", "format_version": 1, "name": "two", "tool": "torch",
           "work_object": "table", "instructions": instructions})
    .to_string()
}

#[test]
fn no_mistake_of_a_job_hides_another_one_of_its_data_or_its_path() {
    let (planner, start) = planner();
    let degrees: Vec<f64> = start.iter().map(f64::to_degrees).collect();
    let to_start = json!({"do": "move_j", "joints_deg": degrees, "speed_pct": 50});
    // What is not JSON at all hides what is behind it.
    let wrong: Vec<Vec<Value>> = files("wrong-jobs")
        .iter()
        .filter_map(|path| serde_json::from_str::<Value>(&fs::read_to_string(path).ok()?).ok())
        .filter_map(|job| Some(job["instructions"].as_array()?.clone()))
        .filter(|instructions| !mistakes(&planner, &start, &job_of(instructions)).is_empty())
        .collect();
    assert!(wrong.len() > 8, "{}", wrong.len());
    for first in &wrong {
        for second in &wrong {
            let both = [first.as_slice(), std::slice::from_ref(&to_start), second.as_slice()].concat();
            let found = mistakes(&planner, &start, &job_of(&both));
            for (instructions, offset) in [(first, 0), (second, first.len() + 1)] {
                for expected in mistakes(&planner, &start, &job_of(instructions)) {
                    let place = shifted(&expected.place, offset);
                    let hit = found
                        .iter()
                        .any(|problem| problem.place == place && problem.message == expected.message);
                    assert!(hit, "{place}: {} is not among {found:#?}", expected.message);
                }
            }
        }
    }
}

/// `instructions[1].pose` as the place it has `offset` instructions later.
fn shifted(place: &str, offset: usize) -> String {
    let rest = place.strip_prefix("instructions[").expect("a mistake of an instruction");
    let (number, rest) = rest.split_once(']').expect("a whole place");
    let number: usize = number.parse().expect("a number");
    format!("instructions[{}]{rest}", number + offset)
}

#[test]
fn wrong_cells_are_answered_with_place_range_and_remedy() {
    let mut shown = String::new();
    for path in files("wrong-cells") {
        show(&mut shown, &path, &load_cell(&path).expect_err("wrong"));
    }
    insta::assert_snapshot!(shown);
}
