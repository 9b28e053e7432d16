//! `motiond calibrate`: reads measurements (JSON), prints what to put into the cell file and how well it fits.
//! Reading is in `measurements`, what is printed in `outcome`, the mathematics in `calibration`.

mod measurements;
mod outcome;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::check::print_problems;
use super::{Exit, print, print_error, read_text};
use crate::config::document::{Value, parse_json};
use crate::config::problem::{Problem, Problems};

/// Arguments of `motiond calibrate`.
#[derive(Debug, Args)]
pub struct CalibrateArguments {
    /// What is calibrated
    #[arg(value_enum)]
    kind: Kind,
    /// Measurements, JSON; `motiond calibrate KIND --example` prints such a file
    #[arg(required_unless_present = "example")]
    file: Option<PathBuf>,
    /// Name of the tool, work object or axis in the result
    #[arg(long, default_value = "calibrated")]
    name: String,
    /// Largest residual that is accepted, mm
    #[arg(long, default_value_t = 1.0)]
    accept_mm: f64,
    /// Write what belongs into the cell file or model here
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
    /// Print an example of the measurements and end
    #[arg(long)]
    example: bool,
}

/// What can be calibrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Tool centre point: four or more poses at one tip, one or two more for the direction
    Tcp,
    /// Work object: three points
    WorkObject,
    /// Track: one fixed point from several places of the carriage
    Track,
    /// Positioner: marked points of the plate at several angles, one or two axes
    Positioner,
    /// Base of a second robot: three or more points both have touched
    Base,
    /// Joint offsets and link parameters from places of a target on the flange
    Kinematic,
}

/// Carries out the calibration and prints it.
pub fn calibrate(arguments: &CalibrateArguments) -> Exit {
    let kind = arguments.kind;
    let Some(file) = arguments.file.as_ref().filter(|_| !arguments.example) else {
        print(measurements::example(kind));
        return Exit::Success;
    };
    if !(arguments.accept_mm.is_finite() && arguments.accept_mm > 0.0) {
        print_error("--accept-mm: a number above 0 mm");
        return Exit::Mistake;
    }
    let name_is_usable = (1..=64).contains(&arguments.name.len())
        && arguments.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if !name_is_usable {
        print_error("--name: 1 to 64 letters, digits, `_`, `-`");
        return Exit::Mistake;
    }
    let outcome = read_text(file)
        .and_then(|text| parse_json(&text))
        .map_err(|problem| vec![problem])
        .and_then(|node| {
            let problems = Problems::default();
            let task = measurements::read(kind, &Value::root(&node, &problems));
            problems.finish(task)
        })
        .and_then(|task| {
            outcome::solve(&task, &arguments.name).map_err(|problem| {
                vec![Problem::new("", problem.to_string(), "", "measure again; nothing was written")]
            })
        });
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(problems) => {
            print_problems(file, &problems, arguments.json);
            return Exit::Mistake;
        }
    };
    if let Some(problem) = outcome.refusal(arguments.accept_mm) {
        print_problems(file, &[problem], arguments.json);
        return Exit::Mistake;
    }
    if let Some(path) = &arguments.output
        && let Err(error) = std::fs::write(path, &outcome.snippet)
    {
        print_error(&format!("{}: cannot be written: {error}", path.display()));
        return Exit::Failure;
    }
    print(&if arguments.json { format!("{:#}", outcome.json()) } else { outcome.text() });
    Exit::Success
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn outcome(kind: Kind, text: &str) -> Result<outcome::Outcome, String> {
        let words =
            |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let node = parse_json(text).map_err(|problem| problem.to_string())?;
        let problems = Problems::default();
        let task = measurements::read(kind, &Value::root(&node, &problems));
        let task = problems.finish(task).map_err(words)?;
        outcome::solve(&task, "gun").map_err(|problem| problem.to_string())
    }

    #[test]
    fn every_example_is_accepted_at_a_tenth_of_a_millimetre_or_two() {
        for kind in Kind::value_variants() {
            let found = outcome(*kind, measurements::example(*kind))
                .unwrap_or_else(|text| panic!("{kind:?}: {text}"));
            assert!(found.refusal(0.25).is_none(), "{kind:?}: {}", found.text());
            let noisy = !matches!(kind, Kind::WorkObject);
            assert_eq!(found.refusal(0.001).is_some(), noisy, "{kind:?}: {}", found.text());
        }
    }

    #[test]
    fn the_tool_of_the_example_is_that_of_the_sample_cell() {
        let found = outcome(Kind::Tcp, measurements::example(Kind::Tcp)).expect("good").json();
        let position = found["found"]["position_mm"].as_array().expect("three numbers");
        for (found, wanted) in position.iter().zip([37.4607, 0.0, 342.7184]) {
            assert!((found.as_f64().expect("a number") - wanted).abs() < 0.3, "{position:?}");
        }
        let pitch = 2.0 * found["found"]["quaternion_wxyz"][2].as_f64().expect("a number").asin();
        assert!((pitch.to_degrees() - 22.0).abs() < 0.2, "{pitch}");
        let snippet = found["snippet"].as_str().expect("text");
        let table: toml::Table = snippet.parse().expect("TOML");
        assert!(table["tools"]["gun"]["quaternion_wxyz"].is_array());
    }

    #[test]
    fn the_offsets_of_the_kinematic_example_come_back() {
        let found = outcome(Kind::Kinematic, measurements::example(Kind::Kinematic)).expect("good").json();
        for (name, wanted) in [("joint_2", -0.35), ("joint_3", 0.5), ("joint_4", -0.6), ("joint_5", 0.55)] {
            let name = format!("offset of {name}");
            let list = found["found"]["parameters"].as_array().expect("a list");
            let one = list.iter().find(|one| one["name"] == json!(name)).expect("found");
            let value = one["value_deg"].as_f64().expect("a number");
            assert!((value - wanted).abs() < 0.02, "{name}: {value}");
        }
        assert_eq!(found["found"]["held"], json!(["offset of joint_6", "offset of joint_1"]));
    }

    #[test]
    fn a_residual_above_the_limit_names_the_measurement() {
        let mut points: serde_json::Value =
            serde_json::from_str(measurements::example(Kind::Base)).expect("JSON");
        points["points"][2]["first_mm"][0] =
            json!(points["points"][2]["first_mm"][0].as_f64().expect("a number") + 8.0);
        let found = outcome(Kind::Base, &points.to_string()).expect("three good ones");
        let problem = found.refusal(1.0).expect("8 mm off");
        assert_eq!(problem.place, "points[2]");
        assert!(problem.message.contains("the worst") && problem.allowed.contains("1 mm"), "{problem}");
    }

    #[test]
    fn mistakes_in_a_file_of_measurements_are_named_by_place() {
        let refused = |kind, text: &str| outcome(kind, text).expect_err("a mistake");
        let text = refused(
            Kind::Tcp,
            r#"{"poses": [{"position_mm": [1, 2], "quaternion_wxyz": [2, 0, 0, 0]}], "pose": 1}"#,
        );
        for part in ["poses[0].position_mm", "poses[0].quaternion_wxyz", "pose: unknown"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(
            refused(Kind::Track, r#"{"measurements": [{"track_mm": "1", "point_mm": [0, 0, 0]}]}"#)
                .contains("measurements[0].track_mm")
        );
        assert!(
            refused(Kind::Kinematic, r#"{"parameters": "links", "measurements": []}"#)
                .contains("model: missing")
        );
        let four_joints = r#"{"model": "six-axis-8kg", "parameters": "links", "measurements": [{"joints_deg": [1, 2, 3, 4], "point_mm": [0, 0, 0]}]}"#;
        assert!(refused(Kind::Kinematic, four_joints).contains("measurements[0].joints_deg"));
        assert!(refused(Kind::Base, r#"{"points": []}"#).contains("at least 3"));
        assert!(
            refused(Kind::WorkObject, "[]").contains("table")
                || refused(Kind::WorkObject, "[]").contains("list")
        );
    }
}
