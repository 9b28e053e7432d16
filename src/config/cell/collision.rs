//! What the arm of a cell must keep away from: itself, and areas.

use nalgebra::Vector3;

use super::{Cell, Tool};
use crate::collision::{Area, AreaForm, AreaKind, AreaSubject, Capsule, Guard, GuardedArea, MAX_AREAS};
use crate::config::collision_model::{CollisionModelError, collision_model};
use crate::config::document::{Range, Table, Value};
use crate::config::kinematic_model::KinematicModel;
use crate::config::quantities::{COORDINATE, read_pose};

/// Most capsules of a tool.
const TOOL_CAPSULES_MAX: usize = 8;
/// A length of something that stands in a cell, mm.
const LENGTH: Range = Range::new(1.0, 40_000.0, "mm");

/// The section `[collision]`.
#[derive(Clone, Debug, PartialEq)]
pub struct CollisionSettings {
    /// A job that comes nearer than this is refused, m.
    pub margin: f64,
    /// Pairs of links (or `tool`) whose distance does not matter.
    pub allowed: Vec<[String; 2]>,
    /// Areas to stay out of or within, with their names.
    pub areas: Vec<(String, GuardedArea)>,
}

/// A guard with the names of what it guards.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedGuard {
    /// What is computed with.
    pub guard: Guard,
    /// Link of each capsule, or `tool`.
    pub capsules: Vec<String>,
    /// Name of each area.
    pub areas: Vec<String>,
}

impl Cell {
    /// What the arm with `tool` must keep away from; `None`: the cell has no section `[collision]`.
    #[must_use]
    pub fn guard(&self, tool: &Tool) -> Option<Result<NamedGuard, CollisionModelError>> {
        let settings = self.collision.as_ref()?;
        Some(collision_model(&self.model, &tool.capsules, &settings.allowed).and_then(|model| {
            let areas: Vec<GuardedArea> = settings.areas.iter().map(|(_, area)| *area).collect();
            let tool_from = model.names.iter().position(|name| name == "tool").unwrap_or(model.names.len());
            let tool_from = u8::try_from(tool_from).unwrap_or(u8::MAX);
            let too_many = CollisionModelError::TooMany { capsules: model.names.len(), pairs: areas.len() };
            Ok(NamedGuard {
                guard: Guard::new(model.arm, tool_from, &areas).ok_or(too_many)?,
                capsules: model.names,
                areas: settings.areas.iter().map(|(name, _)| name.clone()).collect(),
            })
        }))
    }
}

pub(super) fn read_collision(
    mut table: Table<'_>,
    model: Option<&KinematicModel>,
) -> Option<CollisionSettings> {
    let margin = table.number_or("margin_mm", Range::new(0.0, 1000.0, "mm"), 5.0);
    let allowed = table.or_default("allowed", Vec::new(), |value| {
        let items = value.list(0..=100)?;
        let read: Vec<_> = items.iter().map(|item| read_allowed(item, model)).collect();
        read.into_iter().collect()
    });
    let areas = table.or_default("areas", Vec::new(), |value| {
        let named = value.table()?.named();
        if named.len() > MAX_AREAS {
            value.problem(
                format!("{} areas", named.len()),
                format!("at most {MAX_AREAS}"),
                "put small areas together into a larger one",
            );
            return None;
        }
        let read: Vec<_> = named
            .into_iter()
            .map(|(name, value)| Some((name.to_owned(), value.table().and_then(read_area)?)))
            .collect();
        read.into_iter().collect()
    });
    Some(CollisionSettings { margin: margin? * 1e-3, allowed: allowed?, areas: areas? })
}

fn read_allowed(value: &Value<'_>, model: Option<&KinematicModel>) -> Option<[String; 2]> {
    let items = value.list(2..=2)?;
    let mut names = Vec::new();
    for item in &items {
        let name = item.text(100)?;
        if let Some(model) = model {
            let links: Vec<String> = (0..model.links.len()).map(|index| model.link_name(index)).collect();
            if name != "tool" && !links.iter().any(|link| link == name) {
                let known = format!("{}, tool", links.join(", "));
                item.problem(format!("no link is called `{name}`"), known, "name a link of the robot");
                return None;
            }
        }
        names.push(name.to_owned());
    }
    <[String; 2]>::try_from(names).ok()
}

fn read_area(mut table: Table<'_>) -> Option<GuardedArea> {
    let kind = table.choice("kind", &[("keep_out", AreaKind::KeepOut), ("keep_in", AreaKind::KeepIn)]);
    let subject = table.choice(
        "applies_to",
        &[("tcp", AreaSubject::ToolPoint), ("tool", AreaSubject::Tool), ("arm", AreaSubject::Arm)],
    );
    let form = table.choice("form", &[("box", 0), ("cylinder", 1), ("sphere", 2), ("half_space", 3)]);
    let form = match form {
        Some(0) => {
            let size = table.required("size_mm", || format!("a list of 3 numbers, {}", LENGTH.describe()));
            size.and_then(|size| size.vector::<3>(LENGTH))
                .map(|size| AreaForm::Box { half_m: Vector3::from(size) * 0.5e-3 })
        }
        Some(1) => {
            let (radius, length) = (table.number("radius_mm", LENGTH), table.number("length_mm", LENGTH));
            radius.zip(length).map(|(radius, length)| AreaForm::Cylinder {
                radius_m: radius * 1e-3,
                half_m: length * 0.5e-3,
            })
        }
        Some(2) => {
            table.number("radius_mm", LENGTH).map(|radius| AreaForm::Sphere { radius_m: radius * 1e-3 })
        }
        Some(_) => Some(AreaForm::HalfSpace),
        None => {
            table.abandon();
            return None;
        }
    };
    let pose = read_pose(&mut table);
    Some(GuardedArea { area: Area::new(kind?, form?, &pose?), subject: subject? })
}

/// `capsules` of a tool, in the flange frame.
pub(super) fn read_tool_capsules(table: &mut Table<'_>) -> Option<Vec<Capsule>> {
    table.or_default("capsules", Vec::new(), |value| {
        let items = value.list(0..=TOOL_CAPSULES_MAX)?;
        let read: Vec<Option<Capsule>> = items
            .iter()
            .map(|item| {
                let mut table = item.table()?;
                let mut end = |key| {
                    let value =
                        table.required(key, || format!("a list of 3 numbers, {}", COORDINATE.describe()))?;
                    value.vector::<3>(COORDINATE).map(|point| Vector3::from(point) * 1e-3)
                };
                let (start, end) = (end("from_mm"), end("to_mm"));
                let radius = table.number("radius_mm", Range::new(1.0, 5000.0, "mm"));
                Some(Capsule { start: start?, end: end?, radius_m: radius? * 1e-3 })
            })
            .collect();
        read.into_iter().collect()
    })
}
