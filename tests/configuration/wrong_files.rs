//! Wrong files and what is said about them. A change of wording shows as a difference of the snapshots.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use motiond::config::load::{embedded_cell, load_cell};
use motiond::config::problem::Problem;
use motiond::jobs::expand::{expand, planning_limits};
use motiond::jobs::expand_problems::plan_problem;
use motiond::jobs::format::read_job;
use motiond::planning::plan;

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

#[test]
fn wrong_jobs_are_answered_with_place_range_and_remedy() {
    let cell = embedded_cell().expect("valid");
    let mut shown = String::new();
    for path in files("wrong-jobs") {
        let text = fs::read_to_string(&path).expect("readable");
        let problems = match read_job(&text, &cell) {
            Err(problems) => problems,
            Ok(job) => {
                let limits = planning_limits(&cell);
                let planned = plan(&expand(&job), &cell.model.chain, &limits, &cell.simulation.start_joints);
                planned
                    .err()
                    .unwrap_or_default()
                    .iter()
                    .map(|problem| plan_problem(problem, &cell.model.chain))
                    .collect()
            }
        };
        show(&mut shown, &path, &problems);
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn wrong_cells_are_answered_with_place_range_and_remedy() {
    let mut shown = String::new();
    for path in files("wrong-cells") {
        show(&mut shown, &path, &load_cell(&path).expect_err("wrong"));
    }
    insta::assert_snapshot!(shown);
}
