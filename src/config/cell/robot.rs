//! Which robot it is, and how far this cell lets it go.

use std::path::PathBuf;

use crate::config::document::{Range, Table};

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
    /// What this cell allows less than the model.
    pub narrowings: Vec<JointNarrowing>,
}

/// Limits of one joint that replace those of the model. Units: rad and seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JointNarrowing {
    /// The joint, counted from 0.
    pub joint: usize,
    /// Smallest position.
    pub position_min: Option<f64>,
    /// Largest position.
    pub position_max: Option<f64>,
    /// Largest speed.
    pub speed_max: Option<f64>,
    /// Largest acceleration.
    pub acceleration_max: Option<f64>,
    /// Largest jerk.
    pub jerk_max: Option<f64>,
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
    let source = match (model?, folder?) {
        (Some(model), None) => RobotSource::BuiltIn(model),
        (None, Some(folder)) => RobotSource::Folder(folder),
        (None, None) => {
            table.problem("model", "missing", "`model` or `folder`", "name a built-in model or a folder");
            return None;
        }
        (Some(_), Some(_)) => {
            table.problem("folder", "written beside `model`", "one of the two", "remove one");
            return None;
        }
    };
    Some(Robot { source, base_link: base_link?, tip_link: tip_link?, narrowings: Vec::new() })
}

pub(super) fn read_narrowings(
    root: &mut Table<'_>,
    joint_count: Option<usize>,
) -> Option<Vec<JointNarrowing>> {
    let Some(value) = root.optional("joint_limits") else {
        return Some(Vec::new());
    };
    let joint_count = joint_count?;
    let read: Vec<Option<JointNarrowing>> = value
        .list(0..=joint_count)?
        .iter()
        .map(|item| {
            let mut table = item.table()?;
            let joint = super::subdevice::read_joint(&mut table, joint_count);
            let position_min = degrees(&mut table, "position_min_deg", Range::new(-1e4, 1e4, "°"));
            let position_max = degrees(&mut table, "position_max_deg", Range::new(-1e4, 1e4, "°"));
            let speed_max = degrees(&mut table, "speed_max_deg_s", Range::new(0.001, 1e4, "°/s"));
            let acceleration_max =
                degrees(&mut table, "acceleration_max_deg_s2", Range::new(0.001, 1e6, "°/s²"));
            let jerk_max = degrees(&mut table, "jerk_max_deg_s3", Range::new(0.001, 1e8, "°/s³"));
            Some(JointNarrowing {
                joint: joint?,
                position_min: position_min?,
                position_max: position_max?,
                speed_max: speed_max?,
                acceleration_max: acceleration_max?,
                jerk_max: jerk_max?,
            })
        })
        .collect();
    let narrowings = read.into_iter().collect::<Option<Vec<_>>>()?;
    for (index, narrowing) in narrowings.iter().enumerate() {
        if narrowings.iter().take(index).any(|earlier| earlier.joint == narrowing.joint) {
            root.problem(
                "joint_limits",
                format!("joint {} is written twice", narrowing.joint + 1),
                "every joint once",
                "remove one of the two",
            );
        }
    }
    Some(narrowings)
}

fn degrees(table: &mut Table<'_>, key: &'static str, range: Range) -> Option<Option<f64>> {
    table.maybe(key, |value| value.number(range).map(f64::to_radians))
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
