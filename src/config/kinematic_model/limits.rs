//! `limits.toml`: acceleration and jerk, which a URDF cannot carry, and narrower position and speed limits.

use std::f64::consts::TAU;

use toml::{Table, Value};
use urdf_rs::{Joint, JointType};

use crate::config::problem::Problem;
use crate::joints::JointLimit;

/// Position limit that stands in for "none" on a continuous joint: ten thousand turns either way, rad.
///
/// A finite number, so that sums and differences of limits stay numbers.
pub const CONTINUOUS_POSITION_MAX_RAD: f64 = 10_000.0 * TAU;

/// What `[chain]` says; both may be missing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) base: Option<String>,
    pub(super) tip: Option<String>,
}

/// `limits.toml` as written: a table whose shape has been checked.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) ends: Ends,
    joints: Table,
}

/// Unit names of a joint in this file and what they are in SI.
struct Unit {
    name: &'static str,
    in_si: f64,
}

const DEGREES: Unit = Unit { name: "deg", in_si: TAU / 360.0 };
const MILLIMETRES: Unit = Unit { name: "mm", in_si: 1e-3 };

/// Reads the shape of the file; what is wrong goes to `problems`. `None` when nothing can be read.
pub(super) fn read(text: &str, problems: &mut Vec<Problem>) -> Option<Written> {
    let table: Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            let line = error.span().map_or(1, |span| {
                1 + text.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count()
            });
            problems.push(Problem::new(format!("line {line}"), error.message(), "TOML", ""));
            return None;
        }
    };
    refuse_unknown("", &table, &["chain", "joints"], problems);
    let ends = table.get("chain").map_or_else(Ends::default, |value| read_ends(value, problems));
    match table.get("joints") {
        Some(Value::Table(joints)) => Some(Written { ends, joints: joints.clone() }),
        Some(_) => {
            problems.push(Problem::new("joints", "is not a table", "[joints.NAME] for each joint", ""));
            None
        }
        None => {
            problems.push(Problem::new(
                "joints",
                "is missing",
                "[joints.NAME] for each moving joint",
                "write acceleration and jerk of each joint",
            ));
            None
        }
    }
}

fn read_ends(value: &Value, problems: &mut Vec<Problem>) -> Ends {
    let Value::Table(chain) = value else {
        problems.push(Problem::new("chain", "is not a table", "base and tip", ""));
        return Ends::default();
    };
    refuse_unknown("chain", chain, &["base", "tip"], problems);
    let mut link = |key: &str| match chain.get(key) {
        None => None,
        Some(Value::String(name)) => Some(name.clone()),
        Some(_) => {
            problems.push(Problem::new(format!("chain.{key}"), "is not text", "the name of a link", ""));
            None
        }
    };
    Ends { base: link("base"), tip: link("tip") }
}

/// Limits of `joints` (the moving ones, base first); what is wrong goes to `problems`.
pub(super) fn combine(written: &Written, joints: &[&Joint], problems: &mut Vec<Problem>) -> Vec<JointLimit> {
    for name in written.joints.keys() {
        if !joints.iter().any(|joint| joint.name == *name) {
            let names: Vec<&str> = joints.iter().map(|joint| joint.name.as_str()).collect();
            problems.push(Problem::new(
                format!("joints.{name}"),
                "is not a moving joint between base and tip",
                names.join(", "),
                "correct the name or remove the table",
            ));
        }
    }
    joints.iter().map(|joint| combine_joint(written, joint, problems)).collect()
}

fn combine_joint(written: &Written, joint: &Joint, problems: &mut Vec<Problem>) -> JointLimit {
    let unit = if joint.joint_type == JointType::Prismatic { MILLIMETRES } else { DEGREES };
    let place = format!("joints.{}", joint.name);
    let empty = Table::new();
    let table = match written.joints.get(&joint.name) {
        Some(Value::Table(table)) => table,
        Some(_) => {
            problems.push(Problem::new(place.clone(), "is not a table", "acceleration and jerk", ""));
            &empty
        }
        None => {
            problems.push(Problem::new(
                place.clone(),
                "is missing",
                format!("acceleration_max_{0}_s2 and jerk_max_{0}_s3", unit.name),
                "a URDF has no acceleration and jerk: write them here",
            ));
            return JointLimit {
                position_min: 0.0,
                position_max: 0.0,
                speed_max: 0.0,
                acceleration_max: 0.0,
                jerk_max: 0.0,
            };
        }
    };
    let keys = Keys::new(unit.name);
    refuse_unknown(&place, table, &keys.all(), problems);
    let mut reader = Reader { table, place, unit, problems };

    let (low, high) = if joint.joint_type == JointType::Continuous {
        (-CONTINUOUS_POSITION_MAX_RAD, CONTINUOUS_POSITION_MAX_RAD)
    } else {
        (joint.limit.lower, joint.limit.upper)
    };
    let position_min = reader.narrowed(&keys.position_min, low, high).unwrap_or(low);
    let position_max = reader.narrowed(&keys.position_max, low, high).unwrap_or(high);
    if position_min >= position_max {
        reader.note(&keys.position_min, "is not below the largest position", "smallest < largest");
    }
    JointLimit {
        position_min,
        position_max,
        speed_max: reader.narrowed(&keys.speed, 0.0, joint.limit.velocity).unwrap_or(joint.limit.velocity),
        acceleration_max: reader.required(&keys.acceleration),
        jerk_max: reader.required(&keys.jerk),
    }
}

/// Key names of a joint.
struct Keys {
    position_min: String,
    position_max: String,
    speed: String,
    acceleration: String,
    jerk: String,
}

impl Keys {
    fn new(unit: &str) -> Self {
        Self {
            position_min: format!("position_min_{unit}"),
            position_max: format!("position_max_{unit}"),
            speed: format!("speed_max_{unit}_s"),
            acceleration: format!("acceleration_max_{unit}_s2"),
            jerk: format!("jerk_max_{unit}_s3"),
        }
    }

    fn all(&self) -> [&str; 5] {
        [&self.position_min, &self.position_max, &self.speed, &self.acceleration, &self.jerk]
    }
}

struct Reader<'a> {
    table: &'a Table,
    place: String,
    unit: Unit,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn note(&mut self, key: &str, message: impl Into<String>, allowed: impl Into<String>) {
        self.problems.push(Problem::new(format!("{}.{key}", self.place), message, allowed, ""));
    }

    /// A finite number of the file, in SI.
    fn number(&mut self, key: &str) -> Option<f64> {
        let number = match self.table.get(key)? {
            Value::Float(number) => *number,
            #[expect(clippy::cast_precision_loss, reason = "limits are far below 2^53")]
            Value::Integer(number) => *number as f64,
            Value::String(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
                f64::NAN
            }
        };
        if !number.is_finite() {
            self.note(
                key,
                "is not a finite number",
                format!("a number in the unit of the key, {}", self.unit.name),
            );
            return None;
        }
        Some(number * self.unit.in_si)
    }

    /// A limit that must lie within `low..=high` (SI); `None` when it is not written or wrong.
    fn narrowed(&mut self, key: &str, low: f64, high: f64) -> Option<f64> {
        let value = self.number(key)?;
        // Degrees turned into radians and back may differ in the last digits.
        let slack = 1e-6 * high.abs().max(low.abs());
        if value < low - slack || value > high + slack || (low >= 0.0 && value <= 0.0) {
            let (low, high) = (low / self.unit.in_si, high / self.unit.in_si);
            let allowed = if low >= 0.0 {
                format!("above 0, at most {high:.3}")
            } else {
                format!("{low:.3} to {high:.3}")
            };
            self.note(key, format!("{} is wider than the URDF", value / self.unit.in_si), allowed);
            return None;
        }
        Some(value.clamp(low, high))
    }

    /// A number above zero that must be there.
    fn required(&mut self, key: &str) -> f64 {
        if !self.table.contains_key(key) {
            self.note(key, "is missing", "a number above 0");
            return 0.0;
        }
        let value = self.number(key).unwrap_or(f64::NAN);
        if value <= 0.0 {
            self.note(key, format!("is {}", value / self.unit.in_si), "a number above 0");
        }
        value
    }
}

fn refuse_unknown(place: &str, table: &Table, known: &[&str], problems: &mut Vec<Problem>) {
    for key in table.keys().filter(|key| !known.contains(&key.as_str())) {
        let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
        problems.push(Problem::new(place, "is not a known key", known.join(", "), "correct or remove it"));
    }
}
