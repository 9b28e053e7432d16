//! Which robot it is, and how far this cell lets it go.

use std::path::PathBuf;

use super::SubDevice;
use crate::config::document::{Range, Table};
use crate::config::kinematic_model::KinematicModel;
use crate::joints::{JointLimit, JointLimits, MAX_JOINTS};
use crate::kinematics::JointKind;

/// Where the robot model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RobotSource {
    /// A model that is part of the program, by name.
    BuiltIn(String),
    /// A folder with `robot.urdf` and `limits.toml`, as written; relative to the cell file.
    Folder(PathBuf),
}

/// The robot of the cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Robot {
    /// Where its model comes from.
    pub source: RobotSource,
    /// Link of the model that is the base frame; `None`: the root.
    pub base_link: Option<String>,
    /// Link of the model that is the flange; `None`: the end of the chain.
    pub tip_link: Option<String>,
}

/// Limits of the tool centre point. SI units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TcpLimits {
    /// m/s
    pub speed_max: f64,
    /// m/s²
    pub acceleration_max: f64,
    /// m/s³
    pub jerk_max: f64,
    /// rad/s
    pub orientation_speed_max: f64,
    /// rad/s²
    pub orientation_acceleration_max: f64,
    /// rad/s³
    pub orientation_jerk_max: f64,
}

pub(super) fn read_robot(mut table: Table<'_>) -> Option<Robot> {
    let model = table.maybe("model", |value| value.identifier().map(str::to_owned));
    let folder = table.maybe("folder", |value| value.text(4096).map(PathBuf::from));
    let base_link = table.maybe("base_link", |value| value.text(100).map(str::to_owned));
    let tip_link = table.maybe("tip_link", |value| value.text(100).map(str::to_owned));
    let source = match (table.has("model"), table.has("folder")) {
        (true, false) => RobotSource::BuiltIn(model??),
        (false, true) => RobotSource::Folder(folder??),
        (false, false) => {
            table.problem("model", "missing", "`model` or `folder`", "name a built-in model or a folder");
            return None;
        }
        (true, true) => {
            table.problem("folder", "written beside `model`", "one of the two", "remove one");
            return None;
        }
    };
    Some(Robot { source, base_link: base_link?, tip_link: tip_link? })
}

/// The limits of the model, made narrower by `joint_limits`; of joints whose entry has a mistake, those of
/// the model. `None` without a model, but the entries are looked at.
pub(super) fn read_joint_limits(root: &mut Table<'_>, model: Option<&KinematicModel>) -> Option<JointLimits> {
    let unlimited = JointLimit {
        position_min: -1e3,
        position_max: 1e3,
        speed_max: 1e3,
        acceleration_max: 1e5,
        jerk_max: 1e7,
    };
    let mut limits =
        model.map_or_else(|| vec![unlimited; MAX_JOINTS], |model| model.limits.as_slice().to_vec());
    // What some joint may have: for entries that do not say which joint.
    let widest = limits.iter().copied().reduce(wider).unwrap_or(unlimited);
    let mut written = vec![false; limits.len()];
    let items = root.optional("joint_limits").and_then(|value| value.list(0..=limits.len()));
    for item in items.unwrap_or_default() {
        let narrowed = item.table().and_then(|mut table| {
            let joint = super::subdevice::read_joint(&mut table, limits.len());
            let Some(joint) = joint else {
                let _unchecked = narrow(&mut table, &widest, JointKind::Revolute);
                return None;
            };
            if written.get(joint) == Some(&true) {
                table.problem(
                    "joint",
                    format!("joint {} is written twice", joint + 1),
                    "every joint once",
                    "remove one of the two",
                );
            }
            let kind = model.and_then(|model| model.chain.joint_kind(joint)).unwrap_or(JointKind::Revolute);
            let limit = narrow(&mut table, limits.get(joint)?, kind)?;
            Some((joint, limit))
        });
        let place = narrowed
            .and_then(|(joint, limit)| Some((limit, limits.get_mut(joint)?, written.get_mut(joint)?)));
        if let Some((limit, slot, flag)) = place {
            *slot = limit;
            *flag = true;
        }
    }
    model.and_then(|_| JointLimits::from_slice(&limits))
}

fn wider(a: JointLimit, b: JointLimit) -> JointLimit {
    JointLimit {
        position_min: a.position_min.min(b.position_min),
        position_max: a.position_max.max(b.position_max),
        speed_max: a.speed_max.max(b.speed_max),
        acceleration_max: a.acceleration_max.max(b.acceleration_max),
        jerk_max: a.jerk_max.max(b.jerk_max),
    }
}

/// The keys of a limit with their units: of a turning joint, of a sliding one.
const TURNING: [(&str, &str); 5] = [
    ("position_min_deg", "°"),
    ("position_max_deg", "°"),
    ("speed_max_deg_s", "°/s"),
    ("acceleration_max_deg_s2", "°/s²"),
    ("jerk_max_deg_s3", "°/s³"),
];
const SLIDING: [(&str, &str); 5] = [
    ("position_min_mm", "mm"),
    ("position_max_mm", "mm"),
    ("speed_max_mm_s", "mm/s"),
    ("acceleration_max_mm_s2", "mm/s²"),
    ("jerk_max_mm_s3", "mm/s³"),
];

/// Reads limits in degrees (of a sliding joint in mm) that lie within those of the model.
fn narrow(table: &mut Table<'_>, model: &JointLimit, kind: JointKind) -> Option<JointLimit> {
    let keys = if kind == JointKind::Prismatic { SLIDING } else { TURNING };
    let outside = kind.outside_per_unit();
    // The model's limits as written ones, widened by what conversion and rounding of a written limit may lose.
    let slack = 4e-7;
    let mut read = |(key, unit): (&'static str, &'static str), min: f64, max: f64, default: f64| {
        let range = Range::new(min, max, unit);
        let read = table.maybe(key, |value| value.number(range))?;
        Some(read.map_or(default, |written| written / outside))
    };
    let (lowest, highest) = (model.position_min * outside - slack, model.position_max * outside + slack);
    let position_min = read(keys[0], lowest, highest, model.position_min);
    let position_max = read(keys[1], lowest, highest, model.position_max);
    let mut rate = |key, max: f64| read(key, 0.001, max * outside + slack, max);
    let speed_max = rate(keys[2], model.speed_max);
    let acceleration_max = rate(keys[3], model.acceleration_max);
    let jerk_max = rate(keys[4], model.jerk_max);
    if let (Some(min), Some(max)) = (position_min, position_max)
        && min >= max
    {
        table.problem(
            keys[0].0,
            format!("{:.6} is not below the largest position", min * outside),
            format!("below {:.6} {}", max * outside, keys[0].1),
            format!("lower it, or raise `{}`", keys[1].0),
        );
        return None;
    }
    Some(JointLimit {
        position_min: position_min?.max(model.position_min),
        position_max: position_max?.min(model.position_max),
        speed_max: speed_max?.min(model.speed_max),
        acceleration_max: acceleration_max?.min(model.acceleration_max),
        jerk_max: jerk_max?.min(model.jerk_max),
    })
}

/// Notes what keeps this model from being driven by `drive_count` drives.
pub(super) fn check_model(
    root: &Table<'_>,
    model: &KinematicModel,
    drive_count: Option<usize>,
) -> Option<()> {
    let joint_count = model.joint_names.len();
    let too_few_or_many = drive_count.filter(|count| *count != joint_count);
    if let Some(count) = too_few_or_many {
        root.problem(
            "subdevices",
            format!("{count} drives for the {joint_count} joints of `{}`", model.name),
            format!("{joint_count} drives"),
            "add or remove drives, or choose another robot",
        );
    }
    too_few_or_many.is_none().then_some(())
}

/// A sliding joint needs a drive with a lead, a turning one a drive without.
pub(super) fn check_leads(root: &Table<'_>, model: &KinematicModel, subdevices: &[SubDevice]) -> Option<()> {
    let mut fits = true;
    let drives = subdevices.iter().enumerate().flat_map(|(position, subdevice)| {
        let own = subdevice.drives.iter().enumerate();
        own.map(move |(at, drive)| match subdevice.device.kind.axes() {
            0 | 1 => (format!("subdevices[{position}]"), drive),
            _ => (format!("subdevices[{position}].axes[{at}]"), drive),
        })
    });
    for (place, drive) in drives {
        let slides = model.chain.joint_kind(drive.joint) == Some(JointKind::Prismatic);
        let joint = drive.joint + 1;
        let (message, allowed, remedy) = match (slides, drive.lead) {
            (true, None) => (
                format!("missing, but joint {joint} slides"),
                "the travel for one turn after the gear, mm",
                "add `lead_mm`, and `following_error_max_mm` instead of `following_error_max_deg`",
            ),
            (false, Some(_)) => {
                (format!("written, but joint {joint} turns"), "no `lead_mm`", "remove it, or correct `joint`")
            }
            (true, Some(_)) | (false, None) => continue,
        };
        root.problem(&format!("{place}.lead_mm"), message, allowed, remedy);
        fits = false;
    }
    fits.then_some(())
}

pub(super) fn read_tcp_limits(mut table: Table<'_>) -> Option<TcpLimits> {
    let speed_max = table.number("speed_max_mm_s", Range::new(1.0, 1e4, "mm/s"));
    let acceleration_max = table.number("acceleration_max_mm_s2", Range::new(1.0, 1e5, "mm/s²"));
    let jerk_max = table.number("jerk_max_mm_s3", Range::new(1.0, 1e7, "mm/s³"));
    let orientation_speed_max = table.number("orientation_speed_max_deg_s", Range::new(0.1, 1e4, "°/s"));
    let orientation_acceleration_max =
        table.number("orientation_acceleration_max_deg_s2", Range::new(0.1, 1e5, "°/s²"));
    let orientation_jerk_max = table.number("orientation_jerk_max_deg_s3", Range::new(0.1, 1e7, "°/s³"));
    Some(TcpLimits {
        speed_max: speed_max? * 1e-3,
        acceleration_max: acceleration_max? * 1e-3,
        jerk_max: jerk_max? * 1e-3,
        orientation_speed_max: orientation_speed_max?.to_radians(),
        orientation_acceleration_max: orientation_acceleration_max?.to_radians(),
        orientation_jerk_max: orientation_jerk_max?.to_radians(),
    })
}
