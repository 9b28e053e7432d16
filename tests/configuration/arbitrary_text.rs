//! Arbitrary and damaged text is answered, never a panic; what is accepted is finite and within limits.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use motiond::config::cell::{Cell, Robot, Surroundings, read_cell};
use motiond::config::document::{parse_json, parse_toml};
use motiond::config::drive_file::{DriveFile, read_device};
use motiond::config::load::embedded_cell;
use motiond::config::problem::{PROBLEMS_MAX, Problem};
use motiond::jobs::expand::expand;
use motiond::jobs::format::read_job;
use motiond::planning::StepKind;
use proptest::prelude::*;

static CELL: LazyLock<Cell> = LazyLock::new(|| embedded_cell().expect("the embedded cell is valid"));
static JOB_TEXT: LazyLock<String> = LazyLock::new(|| shipped("jobs/weld-sample.json"));
static CELL_TEXT: LazyLock<String> = LazyLock::new(|| shipped("simulated-cell.toml"));
static DEVICE_TEXT: LazyLock<String> = LazyLock::new(|| shipped("drives/generic-cia402.toml"));

fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
    fs::read_to_string(path).expect("the file is part of the repository")
}

/// Words that mean something in some place, and mostly something wrong in others.
const WORDS: &[&str] = &[
    "0",
    "-1",
    "1e308",
    "-1e308",
    "1e999",
    "0.1",
    "9007199254740993",
    "18446744073709551616",
    "null",
    "true",
    "\"\"",
    "\"torch\"",
    "\"move_c\"",
    "\"seam\"",
    "{}",
    "[]",
    "[[]]",
    "[0,0,0]",
    "nan",
    "inf",
    "-inf",
    "\\u0000",
    "\"do\"",
    "\"weld\"",
    "joint",
    "=",
    ":",
    ",",
    "\n",
    "\"",
    "}",
    "]",
    "é",
    "焊",
];

/// One damage: a range of the text becomes a word, a copy of another range, or nothing.
#[derive(Clone, Debug)]
struct Damage {
    at: prop::sample::Index,
    length: usize,
    word: Option<usize>,
    copy_from: Option<prop::sample::Index>,
}

fn damage() -> impl Strategy<Value = Damage> {
    (
        any::<prop::sample::Index>(),
        0_usize..40,
        proptest::option::of(0..WORDS.len()),
        proptest::option::weighted(0.2, any::<prop::sample::Index>()),
    )
        .prop_map(|(at, length, word, copy_from)| Damage { at, length, word, copy_from })
}

fn damaged(text: &str, damages: &[Damage]) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for damage in damages {
        let at = damage.at.index(letters.len() + 1);
        let end = (at + damage.length).min(letters.len());
        let copy: Vec<char> = match damage.copy_from {
            Some(from) => letters.iter().skip(from.index(letters.len() + 1)).take(60).copied().collect(),
            None => Vec::new(),
        };
        let word = damage.word.map_or("", |word| WORDS[word]).chars();
        letters.splice(at..end, word.chain(copy));
    }
    letters.into_iter().collect()
}

/// Replaces the `number`th scalar of the text, so that the damage stays one of meaning, not of syntax.
fn with_scalar(text: &str, number: usize, word: &str) -> String {
    let starts: Vec<usize> = text
        .char_indices()
        .filter(|(at, letter)| {
            letter.is_ascii_digit()
                && text[..*at].chars().next_back().is_some_and(|before| " [-(:".contains(before))
        })
        .map(|(at, _)| at)
        .collect();
    let Some(&start) = starts.get(number % starts.len().max(1)) else {
        return text.to_owned();
    };
    let is_number = |letter: char| letter.is_ascii_alphanumeric() || "._".contains(letter);
    let end = text[start..].find(|letter| !is_number(letter)).map_or(text.len(), |length| start + length);
    format!("{}{word}{}", &text[..start], &text[end..])
}

fn answered<T>(result: Result<T, Vec<Problem>>) -> Result<Option<T>, TestCaseError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(problems) => {
            prop_assert!(!problems.is_empty(), "refused without a reason");
            prop_assert!(problems.len() <= PROBLEMS_MAX + 1, "{} problems", problems.len());
            for problem in problems {
                prop_assert!(!problem.message.is_empty(), "a problem without message");
                let text = problem.to_string();
                prop_assert!(text.len() < 4_000, "{} bytes for one problem", text.len());
                prop_assert!(!text.chars().any(char::is_control), "control characters in {text:?}");
            }
            Ok(None)
        }
    }
}

fn check_job(text: &str) -> Result<(), TestCaseError> {
    let Some(job) = answered(read_job(text, &CELL))? else {
        return Ok(());
    };
    for step in expand(&job).steps {
        let finite = match step.kind {
            StepKind::Unreadable => false,
            StepKind::MoveJoint { speed, acceleration, .. } => speed.get() > 0.0 && acceleration.get() > 0.0,
            StepKind::MoveLinear { x_base_tool, speed_m_s, .. }
            | StepKind::MoveCircular { x_base_tool, speed_m_s, .. } => {
                let pose = x_base_tool.to_homogeneous().iter().all(|number| number.is_finite());
                pose && (1e-4..=CELL.tcp_limits.speed_max).contains(&speed_m_s)
            }
            StepKind::Dwell(time) => (0.0..=3600.0).contains(&time),
            StepKind::WaitInput { timeout_s, .. } => timeout_s >= 0.0,
            StepKind::ProcessStart(_) | StepKind::ProcessEnd | StepKind::Output(_) => true,
        };
        prop_assert!(finite, "{:?}", step.kind);
    }
    Ok(())
}

fn check_cell(text: &str) -> Result<(), TestCaseError> {
    let node = match parse_toml(text) {
        Ok(node) => node,
        Err(problem) => return answered::<()>(Err(vec![problem])).map(|_| ()),
    };
    let load_model = |_: &Robot| Ok(CELL.model.clone());
    let devices = CELL
        .subdevices
        .iter()
        .map(|subdevice| {
            let file = DriveFile {
                device: subdevice.device,
                name: None,
                sources: Vec::new(),
                quirks: Vec::new(),
                counts_per_turn: None,
                startup: Vec::new(),
                option_codes: subdevice.option_codes,
            };
            (subdevice.device_type.clone(), Some(file))
        })
        .collect();
    let read = read_cell(&node, Surroundings { devices, schedules: Vec::new(), load_model: &load_model });
    if let Some(cell) = answered(read)? {
        for (drive, narrowed) in cell.drives().iter().zip(cell.joint_limits.as_slice()) {
            prop_assert!(drive.1.counts_per_radian().is_finite());
            prop_assert!(narrowed.position_min < narrowed.position_max);
        }
        for (narrowed, model) in cell.joint_limits.as_slice().iter().zip(cell.model.limits.as_slice()) {
            prop_assert!(narrowed.position_min >= model.position_min);
            prop_assert!(narrowed.position_max <= model.position_max);
            prop_assert!(narrowed.speed_max <= model.speed_max && narrowed.speed_max > 0.0);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(text in "\\PC*") {
        check_job(&text)?;
        check_cell(&text)?;
        answered(read_device(&text))?;
    }

    #[test]
    fn any_json_like_text_is_answered(text in "[\\[\\]{}:,\"0-9eE.a-d\n -]*") {
        answered(parse_json(&text).map_err(|problem| vec![problem]))?;
        check_job(&text)?;
    }

    #[test]
    fn a_damaged_job_is_answered(damages in prop::collection::vec(damage(), 1..6)) {
        check_job(&damaged(&JOB_TEXT, &damages))?;
    }

    #[test]
    fn a_damaged_cell_is_answered(damages in prop::collection::vec(damage(), 1..6)) {
        check_cell(&damaged(&CELL_TEXT, &damages))?;
    }

    #[test]
    fn a_damaged_device_file_is_answered(damages in prop::collection::vec(damage(), 1..6)) {
        answered(read_device(&damaged(&DEVICE_TEXT, &damages)))?;
    }

    #[test]
    fn any_value_in_place_of_another_is_answered(number in 0_usize..500, word in 0..WORDS.len()) {
        check_job(&with_scalar(&JOB_TEXT, number, WORDS[word]))?;
        check_cell(&with_scalar(&CELL_TEXT, number, WORDS[word]))?;
        answered(read_device(&with_scalar(&DEVICE_TEXT, number, WORDS[word])))?;
    }
}
