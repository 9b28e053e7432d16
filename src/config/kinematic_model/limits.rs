//! `limits.toml`: acceleration and jerk, which a URDF cannot carry, and narrower position and speed limits.

use std::f64::consts::TAU;

use urdf_rs::{Joint, JointType};

use super::text::Outline;
use crate::config::document::{Node, Range, Table, Value, listed};
use crate::config::problem::{Problem, Problems};
use crate::joints::JointLimit;

/// Position limit that stands in for "none" on a continuous joint: ten thousand turns either way, rad.
///
/// A finite number, so that sums and differences of limits stay numbers.
pub const CONTINUOUS_POSITION_MAX_RAD: f64 = 10_000.0 * TAU;

/// The limits a URDF has of a joint; what it leaves out is infinite.
pub(super) fn of_urdf(joint: &Joint, outline: &Outline) -> JointLimit {
    let (position_min, position_max) = if joint.joint_type == JointType::Continuous {
        (-CONTINUOUS_POSITION_MAX_RAD, CONTINUOUS_POSITION_MAX_RAD)
    } else {
        (joint.limit.lower, joint.limit.upper)
    };
    let has_speed = outline.has_limit(&joint.name, "velocity") && joint.limit.velocity > 0.0;
    JointLimit {
        position_min,
        position_max,
        speed_max: if has_speed { joint.limit.velocity } else { f64::INFINITY },
        acceleration_max: f64::INFINITY,
        jerk_max: f64::INFINITY,
    }
}

/// What `[chain]` says; both may be missing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) base: Option<String>,
    pub(super) tip: Option<String>,
}

/// How the limits of a joint are written.
struct Keys {
    position_min: &'static str,
    position_max: &'static str,
    speed_max: &'static str,
    acceleration_max: &'static str,
    jerk_max: &'static str,
    /// Of positions, speeds, accelerations and jerks.
    units: [&'static str; 4],
    /// One of these units in SI.
    in_si: f64,
}

const TURNING: Keys = Keys {
    position_min: "position_min_deg",
    position_max: "position_max_deg",
    speed_max: "speed_max_deg_s",
    acceleration_max: "acceleration_max_deg_s2",
    jerk_max: "jerk_max_deg_s3",
    units: ["°", "°/s", "°/s²", "°/s³"],
    in_si: TAU / 360.0,
};

const SLIDING: Keys = Keys {
    position_min: "position_min_mm",
    position_max: "position_max_mm",
    speed_max: "speed_max_mm_s",
    acceleration_max: "acceleration_max_mm_s2",
    jerk_max: "jerk_max_mm_s3",
    units: ["mm", "mm/s", "mm/s²", "mm/s³"],
    in_si: 1e-3,
};

/// Smallest speed, acceleration and jerk that are taken for meant, in the unit of the key.
const SMALLEST: f64 = 0.001;
/// Largest acceleration and jerk, in the unit of the key.
const ACCELERATION_LARGEST: f64 = 1e6;
const JERK_LARGEST: f64 = 1e9;

/// Reads `[chain]`; other mistakes are for [`combine`].
pub(super) fn read_ends(document: &Node) -> Ends {
    let ignored = Problems::default();
    let link =
        |chain: &mut Table<'_>, key| chain.maybe(key, |value| value.text(100).map(str::to_owned)).flatten();
    let mut root = match Value::root(document, &ignored).table() {
        Some(root) => root,
        None => return Ends::default(),
    };
    let chain = root.optional("chain").and_then(|chain| chain.table());
    chain.map_or_else(Ends::default, |mut chain| Ends {
        base: link(&mut chain, "base"),
        tip: link(&mut chain, "tip"),
    })
}

/// Limits of `joints` (the moving ones, base first).
///
/// `all` are the moving joints of the whole tree: another chain of the same model may want their limits.
/// `joints` is `None` when the URDF is wrong: then only what can be said without it is checked.
pub(super) fn combine(
    document: &Node,
    joints: Option<&[&Joint]>,
    all: &[&str],
) -> Result<Vec<JointLimit>, Vec<Problem>> {
    let problems = Problems::default();
    let limits = read(document, joints, all, &problems);
    problems.finish(limits)
}

fn read(
    document: &Node,
    joints: Option<&[&Joint]>,
    all: &[&str],
    problems: &Problems,
) -> Option<Vec<JointLimit>> {
    let mut root = Value::root(document, problems).table()?;
    if let Some(mut chain) = root.optional("chain").and_then(|chain| chain.table()) {
        for key in ["base", "tip"] {
            let _name = chain.maybe(key, |value| value.text(100).map(drop));
        }
    }
    let table = root.section("joints")?;
    let Some(joints) = joints else {
        table.abandon();
        return Some(Vec::new());
    };
    for joint in joints.iter().filter(|joint| !table.has(&joint.name)) {
        let keys = keys_of(joint);
        table.problem(
            &joint.name,
            "missing",
            format!("a table with `{}` and `{}`", keys.acceleration_max, keys.jerk_max),
            "a URDF has no acceleration and jerk: write them here",
        );
    }
    let mut found: Vec<Option<JointLimit>> = vec![None; joints.len()];
    for (name, value) in table.named() {
        match joints.iter().position(|joint| joint.name == name) {
            Some(index) => {
                let joint = joints[index];
                found[index] = value.table().and_then(|table| read_joint(table, joint, keys_of(joint)));
            }
            None if all.contains(&name) => {}
            None => value.problem(
                "is not a moving joint between base and tip",
                listed(joints.iter().map(|joint| joint.name.as_str())),
                "correct the name or remove the table",
            ),
        }
    }
    found.into_iter().collect()
}

const fn keys_of(joint: &Joint) -> &'static Keys {
    match joint.joint_type {
        JointType::Prismatic => &SLIDING,
        JointType::Revolute
        | JointType::Continuous
        | JointType::Fixed
        | JointType::Floating
        | JointType::Planar
        | JointType::Spherical => &TURNING,
    }
}

fn read_joint(mut table: Table<'_>, joint: &Joint, keys: &Keys) -> Option<JointLimit> {
    let (low, high) = if joint.joint_type == JointType::Continuous {
        (-CONTINUOUS_POSITION_MAX_RAD, CONTINUOUS_POSITION_MAX_RAD)
    } else {
        (joint.limit.lower, joint.limit.upper)
    };
    let [position, speed, acceleration, jerk] = keys.units;
    let positions = Range::new(rounded(low / keys.in_si), rounded(high / keys.in_si), position);
    let speeds = Range::new(SMALLEST, rounded(joint.limit.velocity / keys.in_si), speed);
    let number = |value: Value<'_>, range| value.number(range).map(|number| number * keys.in_si);

    let position_min = table.maybe(keys.position_min, |value| number(value, positions));
    let position_max = table.maybe(keys.position_max, |value| number(value, positions));
    let speed_max = table.maybe(keys.speed_max, |value| number(value, speeds));
    let acceleration_max =
        table.number(keys.acceleration_max, Range::new(SMALLEST, ACCELERATION_LARGEST, acceleration));
    let jerk_max = table.number(keys.jerk_max, Range::new(SMALLEST, JERK_LARGEST, jerk));

    let position_min = position_min?.map_or(low, |value| value.max(low));
    let position_max = position_max?.map_or(high, |value| value.min(high));
    if position_min >= position_max {
        table.problem(keys.position_min, "is not below the largest position", "smallest < largest", "");
        return None;
    }
    Some(JointLimit {
        position_min,
        position_max,
        speed_max: speed_max?.map_or(joint.limit.velocity, |value| value.min(joint.limit.velocity)),
        acceleration_max: acceleration_max? * keys.in_si,
        jerk_max: jerk_max? * keys.in_si,
    })
}

/// To a thousandth of a unit: a URDF writes 150 degrees as 2.617994, and 150 must not count as wider.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
