//! Files → a valid cell. A cell file refers to files beside it: device types in `drives/`, data sets of
//! processes in `processes/`, a robot model; where these folders are missing, or have no such file, what is
//! part of the program is taken.

use std::fs;
use std::path::Path;

use super::cell::{Cell, Schedule, Surroundings, read_cell};
use super::document::{Value, parse_toml};
use super::drive_file::read_device;
use super::embedded;
use super::problem::{Problem, Problems};

/// Longest file that is read, bytes.
const FILE_SIZE_MAX: u64 = 1 << 20;

/// Loads a cell file and what it refers to.
///
/// # Errors
/// Every mistake of all files concerned; those of another file than `path` begin with its name.
pub fn load_cell(path: &Path) -> Result<Cell, Vec<Problem>> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut problems = Vec::new();
    let surroundings = surroundings(Some(folder), &mut problems);
    let text = match read_file(path) {
        Ok(text) => text,
        Err(problem) => {
            problems.insert(0, problem);
            return Err(problems);
        }
    };
    finish(&text, surroundings, problems)
}

/// The simulated cell that is part of the program.
///
/// # Errors
/// Its mistakes; a test loads it, so there are none.
pub fn embedded_cell() -> Result<Cell, Vec<Problem>> {
    let mut problems = Vec::new();
    let surroundings = surroundings(None, &mut problems);
    finish(embedded::CELL, surroundings, problems)
}

fn finish(text: &str, surroundings: Surroundings, others: Vec<Problem>) -> Result<Cell, Vec<Problem>> {
    let cell = match parse_toml(text) {
        Ok(node) => read_cell(&node, surroundings),
        Err(problem) => Err(vec![problem]),
    };
    match cell {
        Ok(cell) if others.is_empty() => Ok(cell),
        Ok(_) => Err(others),
        Err(mut problems) => {
            problems.extend(others);
            Err(problems)
        }
    }
}

/// What a cell in `folder` may refer to: its files, then what is part of the program.
fn surroundings(folder: Option<&Path>, problems: &mut Vec<Problem>) -> Surroundings {
    let mut found = Surroundings::default();
    for (name, text) in named_texts(folder, "drives", &embedded::DEVICES, problems) {
        match read_device(&text) {
            Ok(device) => found.devices.push((name, device)),
            Err(mistakes) => problems.extend(in_file(mistakes, "drives", &name)),
        }
    }
    for (name, text) in named_texts(folder, "processes", &embedded::SCHEDULES, problems) {
        match read_schedule(&name, &text) {
            Ok(schedule) => found.schedules.push(schedule),
            Err(mistakes) => problems.extend(in_file(mistakes, "processes", &name)),
        }
    }
    found
}

fn in_file<'a>(
    mistakes: Vec<Problem>,
    folder: &'a str,
    name: &'a str,
) -> impl Iterator<Item = Problem> + use<'a> {
    mistakes.into_iter().map(move |problem| problem.in_file(&format!("{folder}/{name}.toml")))
}

/// The TOML files of a folder by name, sorted, and those embedded files whose name is not among them.
fn named_texts(
    folder: Option<&Path>,
    kind: &str,
    embedded: &[(&str, &str)],
    problems: &mut Vec<Problem>,
) -> Vec<(String, String)> {
    let entries = folder.and_then(|folder| fs::read_dir(folder.join(kind)).ok());
    let mut paths: Vec<_> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    let mut texts = Vec::new();
    for path in paths {
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else {
            continue;
        };
        match read_file(&path) {
            Ok(text) => texts.push((name.to_owned(), text)),
            Err(problem) => problems.push(problem),
        }
    }
    for (name, text) in embedded {
        if texts.iter().all(|(known, _)| known != name) {
            texts.push(((*name).to_owned(), (*text).to_owned()));
        }
    }
    texts
}

/// Reads a text file of at most 1 MiB.
///
/// # Errors
/// A file that is missing, unreadable, too long or not UTF-8.
pub fn read_file(path: &Path) -> Result<String, Problem> {
    let place = path.display().to_string();
    let problem =
        |message: String, allowed: &str, remedy: &str| Problem::new(place.clone(), message, allowed, remedy);
    let cannot_read = |error: std::io::Error| problem(error.to_string(), "", "check path and permissions");
    let size = fs::metadata(path).map_err(cannot_read)?.len();
    if size > FILE_SIZE_MAX {
        return Err(problem(format!("{size} bytes are too many"), "up to 1 MiB", "split the file"));
    }
    let bytes = fs::read(path).map_err(cannot_read)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        problem(format!("byte {at} is not UTF-8"), "UTF-8", "save the file as UTF-8")
    })
}

fn read_schedule(name: &str, text: &str) -> Result<Schedule, Vec<Problem>> {
    let node = parse_toml(text).map_err(|problem| vec![problem])?;
    let problems = Problems::default();
    let schedule = Value::root(&node, &problems).table().and_then(|mut root| {
        let version = root.integer("format_version", 1..=1);
        let process = root.identifier("process");
        let data = root.required("data", || "a table with the data of the process".to_owned());
        version?;
        Some(Schedule {
            name: name.to_owned(),
            process: process?.to_owned(),
            data: data?.as_written().clone(),
        })
    });
    problems.finish(schedule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_cell_is_valid() {
        match embedded_cell() {
            Ok(cell) => assert_eq!(cell.joint_count(), 6),
            Err(problems) => {
                let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
                panic!("{}", lines.join("\n"));
            }
        }
    }

    #[test]
    fn the_cell_on_disk_is_the_embedded_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/simulated-cell.toml");
        assert_eq!(load_cell(&path), embedded_cell());
    }
}
