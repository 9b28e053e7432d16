//! A chain that begins on another branch than the tip: the table of a positioner as the base of the arm that works on
//! it. The tree is hung up at that link; each joint on the way to the old root is turned round.
//!
//! From there on the part on the table stands still and the room moves, which is what a path on the part wants: its
//! poses are those of the work object, and the joints of the positioner are joints of the chain like any other.

use nalgebra::UnitQuaternion;
use urdf_rs::{Inertial, Joint, JointType, Link, LinkName, Pose, Robot, Vec3};

/// Hangs the tree up at `base` when neither of `base` and `tip` lies above the other; true when it did.
///
/// A joint P → C with origin O and axis a becomes C → P' with axis −a, and P' → P, fixed, with the inverse of O: a
/// URDF has the origin before the motion, a joint turned round behind it.
pub(super) fn at_base(robot: &mut Robot, base: &str, tip: &str) -> bool {
    let (Some(above_base), Some(above_tip)) = (way_up(robot, base), way_up(robot, tip)) else { return false };
    let passes = |way: &[usize], link: &str| way.iter().any(|joint| robot.joints[*joint].parent.link == link);
    if base == tip || passes(&above_base, tip) || passes(&above_tip, base) {
        return false;
    }
    for index in above_base {
        let joint = robot.joints[index].clone();
        let behind = format!("{} before {}", joint.parent.link, joint.name);
        let turned = &mut robot.joints[index];
        turned.origin = Pose::default();
        turned.axis.xyz = Vec3(joint.axis.xyz.0.map(|entry| -entry));
        turned.parent = LinkName { link: joint.child.link.clone() };
        turned.child = LinkName { link: behind.clone() };
        robot.joints.push(Joint {
            name: format!("origin of {}", joint.name),
            joint_type: JointType::Fixed,
            origin: inverse(&joint.origin),
            parent: LinkName { link: behind.clone() },
            child: LinkName { link: joint.parent.link },
            mimic: None,
            calibration: None,
            dynamics: None,
            safety_controller: None,
            ..joint
        });
        robot.links.push(Link {
            name: behind,
            inertial: Inertial::default(),
            visual: Vec::new(),
            collision: Vec::new(),
        });
    }
    true
}

/// The joints from a link up to the root; `None` in a circle.
fn way_up(robot: &Robot, link: &str) -> Option<Vec<usize>> {
    let mut way = Vec::new();
    let mut link = link;
    while let Some(index) = robot.joints.iter().position(|joint| joint.child.link == link) {
        if way.len() > robot.joints.len() {
            return None;
        }
        way.push(index);
        link = &robot.joints[index].parent.link;
    }
    Some(way)
}

fn inverse(origin: &Pose) -> Pose {
    let [roll, pitch, yaw] = origin.rpy.0;
    let turn = UnitQuaternion::from_euler_angles(roll, pitch, yaw).inverse();
    let moved = -(turn * nalgebra::Vector3::from(origin.xyz.0));
    let (roll, pitch, yaw) = turn.euler_angles();
    Pose { xyz: Vec3(moved.into()), rpy: Vec3([roll, pitch, yaw]) }
}
