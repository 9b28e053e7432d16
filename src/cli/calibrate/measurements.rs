//! Measurements as a person or a teach pendant writes them: JSON with the unit in every key.

use nalgebra::Vector3;

use super::Kind;
use crate::calibration::{FramePoints, KinematicMeasurement, KinematicTask, ToolDirection};
use crate::config::document::{Range, Table, Value, listed};
use crate::config::kinematic_model::{EMBEDDED_MODELS, EmbeddedModel, KinematicModel, load_model};
use crate::config::quantities::{COORDINATE, read_pose};
use crate::geometry::Pose;
use crate::joints::JointVector;
use crate::kinematics::JointKind;

/// Most measurements of a file.
const MEASUREMENTS_MAX: usize = 2000;
const ANGLE: Range = Range::new(-36_000.0, 36_000.0, "°");

/// What is to be calculated.
#[derive(Debug)]
pub(super) enum Task {
    Tcp { poses: Vec<Pose>, direction: Option<ToolDirection> },
    WorkObject { points: FramePoints, checks: Vec<(Vector3<f64>, Vector3<f64>)> },
    Track { measurements: Vec<(f64, Vector3<f64>)> },
    Positioner { axes: Vec<PositionerAxis> },
    Base { pairs: Vec<(Vector3<f64>, Vector3<f64>)> },
    Kinematic { model: Box<KinematicModel>, measurements: Vec<KinematicMeasurement>, task: KinematicTask },
}

/// One axis of a positioner.
#[derive(Debug)]
pub(super) struct PositionerAxis {
    pub(super) name: String,
    /// Angle of the first axis while this one, the second, was measured, rad; zero for the first itself.
    pub(super) first_axis_rad: f64,
    pub(super) measurements: Vec<(f64, Vector3<f64>)>,
}

/// Reads the measurements of one kind.
pub(super) fn read(kind: Kind, value: &Value<'_>) -> Option<Task> {
    let mut table = value.table()?;
    match kind {
        Kind::Tcp => {
            let model = read_model(&mut table)?;
            let poses = list(&mut table, "poses", |value| read_flange(value, model.as_ref()));
            let z = table.maybe("z_pose", |value| read_flange(&value, model.as_ref()));
            let x = table.maybe("x_pose", |value| read_flange(&value, model.as_ref()));
            let (poses, z, x) = (poses?, z?, x?);
            let direction = match (z, x) {
                (Some(x_base_flange_z), x_base_flange_x) => {
                    Some(ToolDirection { x_base_flange_z, x_base_flange_x })
                }
                (None, None) => None,
                (None, Some(_)) => {
                    table.problem("z_pose", "missing beside `x_pose`", "a pose", "add the z pose");
                    return None;
                }
            };
            Some(Task::Tcp { poses, direction })
        }
        Kind::WorkObject => {
            let points = if table.has("x1_mm") {
                let (x1, x2, y) =
                    (point(&mut table, "x1_mm"), point(&mut table, "x2_mm"), point(&mut table, "y_mm"));
                FramePoints::Foot { x1: x1?, x2: x2?, y: y? }
            } else {
                let (origin, x, xy) =
                    (point(&mut table, "origin_mm"), point(&mut table, "x_mm"), point(&mut table, "xy_mm"));
                FramePoints::Origin { origin: origin?, x: x?, xy: xy? }
            };
            let checks = table.or_default("checks", Vec::new(), |value| {
                let items = value.list(0..=MEASUREMENTS_MAX)?;
                let read: Vec<_> =
                    items.iter().map(|item| two_points(item, "measured_mm", "expected_mm")).collect();
                read.into_iter().collect()
            });
            Some(Task::WorkObject { points, checks: checks? })
        }
        Kind::Track => {
            let measurements = list(&mut table, "measurements", |value| {
                let mut item = value.table()?;
                let travel = item.number("track_mm", Range::new(-200_000.0, 200_000.0, "mm"));
                let at = point(&mut item, "point_mm");
                Some((travel? * 1e-3, at?))
            });
            Some(Task::Track { measurements: measurements? })
        }
        Kind::Positioner => {
            let value = table.required("axes", || "a list of one or two axes".to_owned())?;
            let items = value.list(1..=2)?;
            let axes: Vec<_> = items.iter().enumerate().map(|(index, item)| read_axis(item, index)).collect();
            Some(Task::Positioner { axes: axes.into_iter().collect::<Option<_>>()? })
        }
        Kind::Base => {
            let pairs = list(&mut table, "points", |value| two_points(value, "first_mm", "second_mm"));
            Some(Task::Base { pairs: pairs? })
        }
        Kind::Kinematic => {
            let model = read_model(&mut table)?;
            let Some(model) = model else {
                table.problem("model", "missing", "`model` or `folder`", "name the arm that was measured");
                table.abandon();
                return None;
            };
            let base =
                table.maybe("instrument", |value| value.table().and_then(|mut table| read_pose(&mut table)));
            let target = table.maybe("target_mm", |value| value.vector::<3>(COORDINATE).map(metres));
            let links = table.choice("parameters", &[("offsets", false), ("links", true)]);
            let measurements = list(&mut table, "measurements", |value| {
                let mut item = value.table()?;
                let q = read_joints(&mut item, &model);
                let at = point(&mut item, "point_mm");
                Some(KinematicMeasurement { q: q?, target_in_instrument: at? })
            });
            let task = KinematicTask { x_instrument_base: base?, target_in_flange: target?, links: links? };
            Some(Task::Kinematic { model: Box::new(model), measurements: measurements?, task })
        }
    }
}

fn read_axis(value: &Value<'_>, index: usize) -> Option<PositionerAxis> {
    let mut table = value.table()?;
    let name = table.identifier("name");
    let first_axis = if index == 0 { Some(0.0) } else { table.number("first_axis_deg", ANGLE) };
    let measurements = list(&mut table, "measurements", |value| {
        let mut item = value.table()?;
        let angle = item.number("angle_deg", ANGLE);
        let at = point(&mut item, "point_mm");
        Some((angle?.to_radians(), at?))
    });
    Some(PositionerAxis {
        name: name?.to_owned(),
        first_axis_rad: first_axis?.to_radians(),
        measurements: measurements?,
    })
}

/// `Some(None)`: no model is named.
fn read_model(table: &mut Table<'_>) -> Option<Option<KinematicModel>> {
    let model = table.maybe("model", |value| {
        let name = value.identifier()?;
        let found = EmbeddedModel::by_name(name).and_then(|model| model.load().ok());
        if found.is_none() {
            let names = listed(EMBEDDED_MODELS.iter().map(|model| model.name));
            value.problem(format!("unknown robot `{name}`"), names, "name a built-in model, or a `folder`");
        }
        found
    })?;
    let folder = table.maybe("folder", |value| {
        let folder = value.text(4096)?;
        match load_model(std::path::Path::new(folder)) {
            Ok(model) => Some(model),
            Err(problems) => {
                value.problem(problems.to_string(), "a folder with robot.urdf and limits.toml", "");
                None
            }
        }
    })?;
    Some(model.or(folder))
}

/// Every entry of a list of measurements.
fn list<'a, T>(
    table: &mut Table<'a>,
    key: &'static str,
    read: impl Fn(&Value<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let items = table.list(key, 0..=MEASUREMENTS_MAX)?;
    let read: Vec<Option<T>> = items.iter().map(read).collect();
    read.into_iter().collect()
}

fn metres(millimetres: [f64; 3]) -> Vector3<f64> {
    Vector3::from(millimetres) * 1e-3
}

fn point(table: &mut Table<'_>, key: &'static str) -> Option<Vector3<f64>> {
    let value = table.required(key, || format!("a list of 3 numbers, {}", COORDINATE.describe()))?;
    value.vector::<3>(COORDINATE).map(metres)
}

fn two_points(
    value: &Value<'_>,
    one: &'static str,
    other: &'static str,
) -> Option<(Vector3<f64>, Vector3<f64>)> {
    let mut table = value.table()?;
    let (one, other) = (point(&mut table, one), point(&mut table, other));
    Some((one?, other?))
}

/// A flange pose, written as such or as joint positions of the model.
fn read_flange(value: &Value<'_>, model: Option<&KinematicModel>) -> Option<Pose> {
    let mut table = value.table()?;
    match model {
        Some(model) if !table.has("position_mm") => {
            read_joints(&mut table, model).map(|q| model.chain.forward(&q))
        }
        Some(_) | None => read_pose(&mut table),
    }
}

/// `joints_deg`; sliding joints stand in it in mm.
fn read_joints(table: &mut Table<'_>, model: &KinematicModel) -> Option<JointVector> {
    let count = model.chain.joint_count();
    let value = table.required("joints_deg", || format!("a list of {count} numbers, °"))?;
    let items = value.list(count..=count)?;
    let read: Vec<Option<f64>> = items
        .iter()
        .enumerate()
        .map(|(joint, item)| match model.chain.joint_kind(joint) {
            Some(JointKind::Prismatic) => {
                item.number(Range::new(-200_000.0, 200_000.0, "mm")).map(|mm| mm * 1e-3)
            }
            Some(JointKind::Revolute | JointKind::Continuous) | None => {
                item.number(ANGLE).map(f64::to_radians)
            }
        })
        .collect();
    JointVector::from_slice(&read.into_iter().collect::<Option<Vec<f64>>>()?)
}

/// A file of measurements of this kind.
pub(super) const fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Tcp => include_str!("examples/tcp.json"),
        Kind::WorkObject => include_str!("examples/work-object.json"),
        Kind::Track => include_str!("examples/track.json"),
        Kind::Positioner => include_str!("examples/positioner.json"),
        Kind::Base => include_str!("examples/base.json"),
        Kind::Kinematic => include_str!("examples/kinematic.json"),
    }
}
