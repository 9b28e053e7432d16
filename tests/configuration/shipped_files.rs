//! Every file in `config/` is valid.

use std::fs;
use std::path::{Path, PathBuf};

use motiond::config::cell::Cell;
use motiond::config::drive_file::{read_device, read_drive_file};
use motiond::config::load::load_cell;
use motiond::config::messages::Catalogue;
use motiond::config::problem::Problem;
use motiond::jobs::expand::{expand, planning_limits};
use motiond::jobs::expand_problems::plan_problem;
use motiond::jobs::format::read_job;
use motiond::planning::plan;
use motiond::processes::schedule_problems;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)
}

/// The files of a folder, not of the folders below it.
fn files(name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(name)).expect("the folder is part of the repository");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    assert!(!paths.is_empty(), "config/{name} has no files");
    paths
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn report(path: &Path, problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    format!("{}\n{}", path.display(), lines.join("\n"))
}

fn shipped_cell() -> Cell {
    let path = folder("simulated-cell.toml");
    load_cell(&path).unwrap_or_else(|problems| panic!("{}", report(&path, &problems)))
}

#[test]
fn every_cell_is_valid_with_its_data_sets() {
    for path in files("") {
        let cell = load_cell(&path).unwrap_or_else(|problems| panic!("{}", report(&path, &problems)));
        assert_eq!(schedule_problems(&cell.schedules, Some(&cell)), [], "{}", path.display());
        assert!(!cell.schedules.is_empty());
    }
}

#[test]
fn drive_files_of_real_families_say_where_their_numbers_come_from() {
    let mut makers = std::collections::BTreeSet::new();
    for path in files("drives") {
        let file =
            read_drive_file(&text(&path)).unwrap_or_else(|problems| panic!("{}", report(&path, &problems)));
        let identity = file.device.identity;
        // The vendor number of the simulated devices.
        if identity.vendor != 0x4D4F_5449 {
            assert!(!file.sources.is_empty() && file.name.is_some(), "{}", path.display());
            assert_ne!(identity.product, 0, "{}", path.display());
            makers.insert(identity.vendor);
        }
    }
    assert!(makers.len() >= 6, "{makers:?}");
}

#[test]
fn every_device_type_is_valid() {
    for path in files("drives") {
        read_device(&text(&path)).unwrap_or_else(|problems| panic!("{}", report(&path, &problems)));
    }
}

#[test]
fn every_message_file_is_valid() {
    for path in files("messages") {
        Catalogue::read(&text(&path)).unwrap_or_else(|problems| panic!("{}", report(&path, &problems)));
    }
}

#[test]
fn every_sample_job_can_be_driven_in_the_simulated_cell() {
    let cell = shipped_cell();
    for path in files("jobs") {
        let job =
            read_job(&text(&path), &cell).unwrap_or_else(|problems| panic!("{}", report(&path, &problems)));
        let planned =
            plan(&expand(&job), &cell.model.chain, &planning_limits(&cell), &cell.simulation.start_joints);
        if let Err(found) = planned {
            let problems: Vec<_> =
                found.iter().map(|problem| plan_problem(problem, &cell.model.chain)).collect();
            panic!("{}", report(&path, &problems));
        }
    }
}

#[test]
fn nothing_else_lies_in_the_folder() {
    let known = ["drives", "jobs", "messages", "processes"];
    for entry in fs::read_dir(folder("")).expect("the folder is part of the repository") {
        let path = entry.expect("readable").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_cell = path.extension().is_some_and(|extension| extension == "toml");
        assert!(is_cell || known.contains(&name), "config/{name} is read by no test");
    }
}
