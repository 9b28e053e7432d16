//! Tools and work objects.

use nalgebra::{Matrix3, Vector3};

use super::collision::read_tool_capsules;
use crate::collision::Capsule;
use crate::config::document::{Range, Table};
use crate::config::quantities::{COORDINATE, read_pose};
use crate::dynamics::RigidBody;
use crate::geometry::Pose;

/// A tool on the flange.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Name, as an identifier.
    pub name: String,
    /// Tool centre point in the flange frame.
    pub x_flange_tool: Pose,
    /// Mass, kg.
    pub mass: f64,
    /// Centre of gravity in the flange frame, m.
    pub center_of_gravity: Vector3<f64>,
    /// Capsules around it in the flange frame; none: its distance to other things is not looked at.
    pub capsules: Vec<Capsule>,
    /// Inertia about the centre of gravity, axes of the flange frame, kg m².
    pub inertia: Matrix3<f64>,
}

impl Tool {
    /// The tool as a mass at the flange, in the flange frame.
    #[must_use]
    pub fn body(&self) -> RigidBody {
        RigidBody {
            mass_kg: self.mass,
            center_of_mass_m: self.center_of_gravity,
            inertia_kg_m2: self.inertia,
        }
    }
}

/// A frame jobs are written in.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkObject {
    /// Name, as an identifier.
    pub name: String,
    /// The frame in the base frame.
    pub x_base_work: Pose,
}

pub(super) fn read_tools(root: &mut Table<'_>) -> Option<Vec<Tool>> {
    read_named(root, "tools", |name, mut table| {
        let x_flange_tool = read_pose(&mut table);
        let mass = table.number("mass_kg", Range::new(0.0, 2000.0, "kg"));
        let center = table
            .required("center_of_gravity_mm", || format!("a list of 3 numbers, {}", COORDINATE.describe()))
            .and_then(|value| value.vector::<3>(COORDINATE));
        let capsules = read_tool_capsules(&mut table);
        // ixx, iyy, izz, ixy, ixz, iyz as data sheets list them.
        let inertia = table.or_default("inertia_kg_m2", [0.0; 6], |value| {
            let entries = value.vector::<6>(Range::new(-1000.0, 1000.0, "kg m²"))?;
            let is_physical = RigidBody { inertia_kg_m2: symmetric(&entries), ..RigidBody::none() }.is_physical();
            if !is_physical {
                value.problem(
                    "no body has such an inertia",
                    "ixx, iyy, izz, ixy, ixz, iyz about the centre of gravity; each principal value at most the sum of the two others",
                    "take it from the data sheet of the tool, or leave it out",
                );
            }
            is_physical.then_some(entries)
        });
        Some(Tool {
            name,
            x_flange_tool: x_flange_tool?,
            mass: mass?,
            center_of_gravity: Vector3::from(center?) * 1e-3,
            capsules: capsules?,
            inertia: symmetric(&inertia?),
        })
    })
}

pub(super) fn read_work_objects(root: &mut Table<'_>) -> Option<Vec<WorkObject>> {
    read_named(root, "work_objects", |name, mut table| {
        let x_base_work = read_pose(&mut table)?;
        Some(WorkObject { name, x_base_work })
    })
}

fn symmetric(&[xx, yy, zz, xy, xz, yz]: &[f64; 6]) -> Matrix3<f64> {
    Matrix3::new(xx, xy, xz, xy, yy, yz, xz, yz, zz)
}

/// Reads a table whose keys are names.
fn read_named<T>(
    root: &mut Table<'_>,
    key: &'static str,
    read: impl Fn(String, Table<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let named = root.section(key)?.named();
    let mut items = Vec::new();
    for (name, value) in named {
        let valid_name = is_identifier(name);
        if !valid_name {
            value.problem(
                "this name is not allowed",
                "1 to 64 letters, digits, `_`, `-`",
                "choose another name",
            );
        }
        let item = value.table().and_then(|table| read(name.to_owned(), table));
        items.push(item.filter(|_| valid_name));
    }
    items.into_iter().collect()
}

/// True for 1 to 64 ASCII letters, digits, `_` and `-`.
pub(super) fn is_identifier(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
