//! From the checked model, through `k`, to the fixed-size chain and plain data. `k` stands on another version of
//! the matrix library, so everything crosses by plain arrays.

use nalgebra::{Matrix3, Quaternion, Translation3, Unit, UnitQuaternion, Vector3};
use urdf_rs::{JointType, Robot};

use super::structure::{Structure, is_moving};
use super::{Body, Geometry, MovingLink, Shape, ShapeUse};
use crate::config::problem::Problem;
use crate::geometry::Pose;
use crate::kinematics::{Chain, ChainJoint, JointKind, Mimic};

/// The chain between base and tip as `k` understands the model.
pub(super) fn chain_through_k(robot: &Robot, structure: &Structure) -> Result<Chain, Problem> {
    // `k` panics where a limit is the wrong way round, also beside the chain. Limits do not come from it.
    let mut unlimited = robot.clone();
    for joint in &mut unlimited.joints {
        (joint.limit.lower, joint.limit.upper) = (0.0, 0.0);
    }
    let tree = k::Chain::<f64>::from(&unlimited);
    let internal = |what: String| Problem::new("", what, "", "report this as a defect");
    let mut joints = Vec::new();
    let mut mimics = Vec::new();
    let moving: Vec<&str> = structure
        .path
        .iter()
        .map(|index| &robot.joints[*index])
        .filter(|joint| is_moving(joint))
        .map(|joint| joint.name.as_str())
        .collect();
    let mut x_last_next = Pose::identity();
    for index in &structure.path {
        let described = &robot.joints[*index];
        let Some(node) = tree.find(&described.name) else {
            return Err(internal(format!("the kinematics library lost joint \"{}\"", described.name)));
        };
        let joint = node.joint();
        let origin = joint.origin();
        let quaternion = origin.rotation.coords;
        x_last_next *= Pose::from_parts(
            Translation3::new(origin.translation.x, origin.translation.y, origin.translation.z),
            UnitQuaternion::from_quaternion(Quaternion::new(
                quaternion[3],
                quaternion[0],
                quaternion[1],
                quaternion[2],
            )),
        );
        let (kind, axis) = match &joint.joint_type {
            k::JointType::Fixed => continue,
            k::JointType::Rotational { axis } if described.joint_type == JointType::Continuous => {
                (JointKind::Continuous, axis)
            }
            k::JointType::Rotational { axis } => (JointKind::Revolute, axis),
            k::JointType::Linear { axis } => (JointKind::Prismatic, axis),
        };
        let axis = Unit::new_normalize(Vector3::new(axis[0], axis[1], axis[2]));
        joints.push(ChainJoint { kind, origin: x_last_next, axis });
        mimics.push(described.mimic.as_ref().and_then(|mimic| {
            Some(Mimic {
                joint: moving.iter().position(|name| *name == mimic.joint)?,
                multiplier: mimic.multiplier.unwrap_or(1.0),
                offset: mimic.offset.unwrap_or(0.0),
            })
        }));
        x_last_next = Pose::identity();
    }
    Chain::from_coupled_joints(&joints, &mimics, &x_last_next).map_err(|error| internal(error.to_string()))
}

/// Masses and shapes of everything below the base, each at the moving link that carries it. What hangs on the
/// tip link is a tool: it keeps its shapes, its masses come with the payload.
pub(super) fn moving_links(robot: &Robot, structure: &Structure) -> Vec<MovingLink> {
    let moving = structure.path.iter().filter(|index| is_moving(&robot.joints[**index])).count();
    let mut links = vec![MovingLink::default(); moving + 1];
    let mut waiting = vec![(structure.base.as_str(), 0_usize, Pose::identity(), false)];
    while let Some((name, carrier, x_carrier_link, is_tool)) = waiting.pop() {
        if let Some(link) = robot.links.iter().find(|link| link.name == name) {
            add_shapes(&mut links[carrier], link, &x_carrier_link);
            if !is_tool {
                add_mass(&mut links[carrier], link, &x_carrier_link);
            }
        }
        let is_tool = is_tool || name == structure.tip;
        for index in structure.children.get(name).into_iter().flatten() {
            let joint = &robot.joints[*index];
            let x_carrier_child = x_carrier_link * pose_of(&joint.origin);
            if is_moving(joint) && structure.path.contains(index) {
                waiting.push((&joint.child.link, carrier + 1, Pose::identity(), false));
            } else {
                // Fixed, or a side branch, which is held where its joints are at zero.
                waiting.push((&joint.child.link, carrier, x_carrier_child, is_tool));
            }
        }
    }
    links
}

fn add_mass(carrier: &mut MovingLink, link: &urdf_rs::Link, x_carrier_link: &Pose) {
    let inertial = &link.inertial;
    if inertial.mass.value > 0.0 {
        let inertia = &inertial.inertia;
        carrier.bodies.push(Body {
            link: link.name.clone(),
            mass_kg: inertial.mass.value,
            x_link_body: x_carrier_link * pose_of(&inertial.origin),
            inertia_kg_m2: Matrix3::new(
                inertia.ixx,
                inertia.ixy,
                inertia.ixz,
                inertia.ixy,
                inertia.iyy,
                inertia.iyz,
                inertia.ixz,
                inertia.iyz,
                inertia.izz,
            ),
        });
    }
}

fn add_shapes(carrier: &mut MovingLink, link: &urdf_rs::Link, x_carrier_link: &Pose) {
    let visual = link.visual.iter().map(|visual| (ShapeUse::Visual, &visual.origin, &visual.geometry));
    let collision = link.collision.iter().map(|shape| (ShapeUse::Collision, &shape.origin, &shape.geometry));
    for (shape_use, origin, geometry) in visual.chain(collision) {
        carrier.shapes.push(Shape {
            shape_use,
            x_link_shape: x_carrier_link * pose_of(origin),
            geometry: geometry_of(geometry),
        });
    }
}

fn geometry_of(geometry: &urdf_rs::Geometry) -> Geometry {
    match geometry {
        urdf_rs::Geometry::Box { size } => Geometry::Box { size_m: size.0 },
        urdf_rs::Geometry::Cylinder { radius, length } => {
            Geometry::Cylinder { radius_m: *radius, length_m: *length }
        }
        urdf_rs::Geometry::Capsule { radius, length } => {
            Geometry::Capsule { radius_m: *radius, length_m: *length }
        }
        urdf_rs::Geometry::Sphere { radius } => Geometry::Sphere { radius_m: *radius },
        urdf_rs::Geometry::Mesh { filename, scale } => {
            Geometry::Mesh { file: filename.clone(), scale: scale.map_or([1.0; 3], |scale| scale.0) }
        }
    }
}

/// A URDF origin: translation after fixed-axis roll, pitch, yaw.
fn pose_of(origin: &urdf_rs::Pose) -> Pose {
    let [x, y, z] = origin.xyz.0;
    let [roll, pitch, yaw] = origin.rpy.0;
    Pose::from_parts(Translation3::new(x, y, z), UnitQuaternion::from_euler_angles(roll, pitch, yaw))
}
