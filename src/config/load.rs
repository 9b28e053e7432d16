//! Files → a valid cell. A cell file refers to files beside it: device types in `drives/`, data sets of
//! processes in `processes/`, a robot model; where these folders are missing, or have no such file, what is
//! part of the program is taken.

use std::fs;
use std::path::Path;

use super::cell::{Cell, Robot, RobotSource, Schedule, Surroundings, read_cell};
use super::document::{Value, listed, read_toml};
use super::drive_file::read_drive_file;
use super::embedded;
use super::kinematic_model::{EMBEDDED_MODELS, EmbeddedModel, KinematicModel, from_text, load_model_between};
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
    let load_model = |robot: &Robot| model_of(robot, Some(folder));
    let surroundings = surroundings(Some(folder), &load_model, &mut problems);
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
    let load_model = |robot: &Robot| model_of(robot, None);
    let surroundings = surroundings(None, &load_model, &mut problems);
    finish(embedded::CELL, surroundings, problems)
}

fn finish(text: &str, surroundings: Surroundings<'_>, others: Vec<Problem>) -> Result<Cell, Vec<Problem>> {
    match read_toml(text, |node| read_cell(node, surroundings)) {
        Ok(cell) if others.is_empty() => Ok(cell),
        Ok(_) => Err(others),
        Err(mut problems) => {
            problems.extend(others);
            Err(problems)
        }
    }
}

/// The data sets of processes that a cell file may refer to, as far as they can be read.
#[must_use]
pub fn schedules_beside(path: &Path) -> Vec<Schedule> {
    // What is wrong with the others is for `load_cell` to say.
    schedules(path.parent(), &mut Vec::new())
}

fn schedules(folder: Option<&Path>, problems: &mut Vec<Problem>) -> Vec<Schedule> {
    let mut found = Vec::new();
    for (name, text) in named_texts(folder, "processes", &embedded::SCHEDULES, problems) {
        match read_schedule(&name, &text) {
            Ok(schedule) => found.push(schedule),
            Err(mistakes) => problems.extend(in_file(mistakes, "processes", &name)),
        }
    }
    found
}

/// What a cell in `folder` may refer to: its files, then what is part of the program.
fn surroundings<'a>(
    folder: Option<&Path>,
    load_model: &'a dyn Fn(&Robot) -> Result<KinematicModel, Vec<Problem>>,
    problems: &mut Vec<Problem>,
) -> Surroundings<'a> {
    let mut found = Surroundings { devices: Vec::new(), schedules: Vec::new(), load_model };
    for (name, text) in named_texts(folder, "drives", &embedded::DEVICES, problems) {
        match read_drive_file(&text) {
            Ok(device) => found.devices.push((name, Some(device))),
            Err(mistakes) => {
                problems.extend(in_file(mistakes, "drives", &name));
                found.devices.push((name, None));
            }
        }
    }
    found.schedules = schedules(folder, problems);
    found
}

/// Loads the model of a robot; a folder is relative to that of the cell.
fn model_of(robot: &Robot, folder: Option<&Path>) -> Result<KinematicModel, Vec<Problem>> {
    let (base, tip) = (robot.base_link.as_deref(), robot.tip_link.as_deref());
    match &robot.source {
        RobotSource::BuiltIn(name) => match EmbeddedModel::by_name(name) {
            Some(model) => from_text(model.urdf, model.limits, base, tip).map_err(|problems| problems.0),
            None => Err(vec![Problem::new(
                "robot.model",
                format!("unknown robot `{name}`"),
                listed(EMBEDDED_MODELS.iter().map(|model| model.name)),
                "name a built-in model, or a `folder`",
            )]),
        },
        RobotSource::Folder(path) => {
            let path = folder.map_or_else(|| path.clone(), |folder| folder.join(path));
            load_model_between(&path, base, tip).map_err(|problems| problems.0)
        }
    }
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
    let cannot_read = |error: std::io::Error| {
        problem(error.to_string(), "a file that can be read", "check path and permissions")
    };
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
    read_toml(text, |node| {
        let problems = Problems::default();
        let schedule = Value::root(node, &problems).table().and_then(|mut root| {
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(problems: &[Problem]) -> String {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_embedded_cell_is_valid() {
        let cell = embedded_cell().unwrap_or_else(|problems| panic!("{}", lines(&problems)));
        assert_eq!(cell.joint_count(), 6);
        assert_eq!(cell.drives().len(), 6);
    }

    #[test]
    fn the_cell_on_disk_is_the_embedded_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/simulated-cell.toml");
        assert_eq!(load_cell(&path), embedded_cell());
    }

    /// A folder with the shipped cell, changed by `change`.
    fn folder_with(change: impl Fn(&str) -> String) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("cell.toml");
        fs::write(&path, change(embedded::CELL)).expect("a file for the test");
        (folder, path)
    }

    #[test]
    fn files_beside_the_cell_come_before_those_of_the_program() {
        let (folder, path) = folder_with(str::to_owned);
        fs::create_dir(folder.path().join("drives")).expect("a folder for the test");
        let (name, text) = embedded::DEVICES[0];
        let changed = text.replace("revision = 0x00010000", "revision = 7");
        assert_ne!(text, changed);
        fs::write(folder.path().join(format!("drives/{name}.toml")), changed).expect("a file for the test");
        let cell = load_cell(&path).unwrap_or_else(|problems| panic!("{}", lines(&problems)));
        assert_eq!(cell.subdevices[0].device.identity.revision, 7);
        assert_ne!(cell.subdevices[6].device.identity.revision, 7);
    }

    #[test]
    fn mistakes_of_all_files_are_reported_together_each_with_its_file() {
        let (folder, path) = folder_with(|text| text.replace("mass_kg = 2.4", "mass_kg = -2.4"));
        for kind in ["drives", "processes"] {
            fs::create_dir(folder.path().join(kind)).expect("a folder for the test");
        }
        fs::write(folder.path().join("drives/new.toml"), "kind = 3").expect("a file for the test");
        fs::write(folder.path().join("processes/new.toml"), "a = = 3").expect("a file for the test");
        let problems = load_cell(&path).expect_err("three files are wrong");
        let text = lines(&problems);
        assert!(text.contains("tools.torch.mass_kg: -2.4 is too small"), "{text}");
        assert!(text.contains("drives/new.toml: kind: found 3"), "{text}");
        assert!(text.contains("processes/new.toml: line 1, column 5"), "{text}");
    }

    #[test]
    fn a_line_that_is_no_toml_hides_no_mistake_of_the_file() {
        let (_folder, path) = folder_with(|text| {
            text.replace("mass_kg = 2.4", "mass_kg = -2.4")
                .replace("cycle_time_ms = 1.0", "cycle_time_ms = 1.0 ms")
                .replace("[sockets]", "[sockets]\nport = 7")
        });
        let problems = load_cell(&path).expect_err("three mistakes");
        let text = lines(&problems);
        assert_eq!(problems.len(), 3, "{text}");
        for part in ["cycle_time_ms = 1.0 ms", "tools.torch.mass_kg: -2.4 is too small", "sockets.port"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_missing_file_and_one_that_is_not_text_are_named() {
        let problems = load_cell(Path::new("no/such/cell.toml")).expect_err("missing");
        assert!(lines(&problems).contains("no/such/cell.toml"), "{}", lines(&problems));
        let (_folder, path) = folder_with(str::to_owned);
        fs::write(&path, b"name = \"\xff\"").expect("a file for the test");
        let problems = load_cell(&path).expect_err("not UTF-8");
        assert!(lines(&problems).contains("byte 8 is not UTF-8"), "{}", lines(&problems));
    }

    #[test]
    fn a_robot_model_in_a_folder_is_found_beside_the_cell() {
        let (folder, path) =
            folder_with(|text| text.replace("model = \"six-axis-8kg\"", "folder = \"robots/mine\""));
        let robot = folder.path().join("robots/mine");
        let problems = load_cell(&path).expect_err("no model yet");
        assert!(lines(&problems).contains("robots/mine"), "{}", lines(&problems));
        fs::create_dir_all(&robot).expect("a folder for the test");
        let model = EMBEDDED_MODELS[0];
        fs::write(robot.join("robot.urdf"), model.urdf).expect("a file for the test");
        fs::write(robot.join("limits.toml"), model.limits).expect("a file for the test");
        let cell = load_cell(&path).unwrap_or_else(|problems| panic!("{}", lines(&problems)));
        assert_eq!(cell.model.joint_names.len(), 6);
    }
}
