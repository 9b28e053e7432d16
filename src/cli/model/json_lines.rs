//! One JSON object a line in, one a line out. A line that cannot be answered gets `{"error", "line"}`, and the
//! next one is read.

use std::io::{self, BufRead, Read, Write};

use nalgebra::{Quaternion, Translation3, UnitQuaternion};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::cli::Exit;
use crate::config::kinematic_model::KinematicModel;
use crate::geometry::Pose;
use crate::joints::JointVector;

/// Longest line that is read, bytes; a pose with every number written out needs a few hundred.
const LINE_SIZE_MAX: u64 = 1 << 20;

/// How far the length of a quaternion may be from one: numbers written with few digits.
const QUATERNION_ROUNDING: f64 = 1e-3;

/// Answers every line of standard input on standard output.
///
/// Answers are handed on as soon as no further input is waiting, so another program can ask and wait in turn.
/// # Errors
/// Standard input cannot be read. That nobody reads the answers any more ends it without an error.
pub(super) fn answer_lines<A: Serialize>(
    mut answer: impl FnMut(&Question) -> Result<A, String>,
) -> anyhow::Result<Exit> {
    let mut input = io::BufReader::with_capacity(1 << 16, io::stdin().lock());
    let mut output = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut exit = Exit::Success;
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        if input.buffer().is_empty() && output.flush().is_err() {
            return Ok(exit);
        }
        if input.by_ref().take(LINE_SIZE_MAX).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let result = if !line.ends_with(b"\n") && line.len() as u64 == LINE_SIZE_MAX {
            skip_line(&mut input)?;
            Err(format!("the line is longer than {LINE_SIZE_MAX} bytes"))
        } else if line.trim_ascii().is_empty() {
            continue;
        } else {
            Question::read(&line).and_then(|question| answer(&question))
        };
        let written = match result {
            Ok(answer) => write_line(&mut output, &answer),
            Err(error) => {
                exit = Exit::Mistake;
                write_line(&mut output, &json!({"error": error, "line": number}))
            }
        };
        if written.is_err() {
            return Ok(exit);
        }
    }
    let _closed = output.flush();
    Ok(exit)
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let waiting = input.fill_buf()?;
        let (length, ends) = match waiting.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (waiting.len(), waiting.is_empty()),
        };
        input.consume(length);
        if ends {
            return Ok(());
        }
    }
}

fn write_line(output: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *output, value)?;
    output.write_all(b"\n")
}

/// One line that was asked.
#[derive(Debug)]
pub(super) struct Question(Map<String, Value>);

impl Question {
    fn read(line: &[u8]) -> Result<Self, String> {
        match serde_json::from_slice(line) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err("is not a JSON object, such as {\"q\": [0.1, 0.2]}".to_owned()),
            Err(error) => Err(format!("is not JSON: {error}")),
        }
    }

    /// Refuses what no question of this kind has: a misspelt key must not be taken for a missing one.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), String> {
        match self.0.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(format!("`{key}` is not known here; known: {}", known.join(", "))),
            None => Ok(()),
        }
    }

    /// The value of a key, `None` when it is missing or null.
    pub(super) fn maybe(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// `count` numbers.
    pub(super) fn numbers(&self, key: &str, count: usize) -> Result<Vec<f64>, String> {
        let value = self.maybe(key).ok_or_else(|| format!("`{key}` is missing: {count} numbers"))?;
        let numbers: Option<Vec<f64>> =
            value.as_array().and_then(|entries| entries.iter().map(Value::as_f64).collect());
        let numbers = numbers.ok_or_else(|| format!("`{key}` is not a list of numbers"))?;
        if numbers.len() == count {
            Ok(numbers)
        } else {
            Err(format!("`{key}` has {} numbers, {count} are needed", numbers.len()))
        }
    }

    /// True or false; false when missing.
    pub(super) fn flag(&self, key: &str) -> Result<bool, String> {
        self.maybe(key).map_or(Ok(false), |value| {
            value.as_bool().ok_or_else(|| format!("`{key}` is neither true nor false"))
        })
    }

    /// `position_m` and `quaternion_wxyz`, the latter brought to length one.
    pub(super) fn pose(&self) -> Result<Pose, String> {
        let position = self.numbers("position_m", 3)?;
        let quaternion = self.numbers("quaternion_wxyz", 4)?;
        let [x, y, z] = position[..] else { return Err("`position_m` has not three numbers".to_owned()) };
        let [w, i, j, k] = quaternion[..] else {
            return Err("`quaternion_wxyz` has not four numbers".to_owned());
        };
        let quaternion = Quaternion::new(w, i, j, k);
        let length = quaternion.norm();
        if !(1.0 - QUATERNION_ROUNDING..=1.0 + QUATERNION_ROUNDING).contains(&length) {
            return Err(format!(
                "`quaternion_wxyz` has the length {length}; allowed: 1 within {QUATERNION_ROUNDING}"
            ));
        }
        Ok(Pose::from_parts(Translation3::new(x, y, z), UnitQuaternion::new_normalize(quaternion)))
    }

    /// One value for each moving joint of `model`.
    pub(super) fn joints(&self, key: &str, model: &KinematicModel) -> Result<JointVector, String> {
        let numbers = self
            .numbers(key, model.chain.joint_count())
            .map_err(|error| format!("{error}; the joints are {}", model.joint_names.join(", ")))?;
        JointVector::from_slice(&numbers).ok_or_else(|| format!("`{key}` has too many numbers"))
    }
}

/// A pose as it is written: metres and a quaternion of length one, w first and not negative.
#[derive(Debug, Serialize)]
pub(super) struct PoseAnswer {
    position_m: [f64; 3],
    quaternion_wxyz: [f64; 4],
}

impl From<&Pose> for PoseAnswer {
    fn from(pose: &Pose) -> Self {
        let quaternion = pose.rotation.quaternion();
        let sign = if quaternion.w < 0.0 { -1.0 } else { 1.0 };
        Self {
            position_m: pose.translation.vector.into(),
            quaternion_wxyz: [quaternion.w, quaternion.i, quaternion.j, quaternion.k].map(|part| sign * part),
        }
    }
}
