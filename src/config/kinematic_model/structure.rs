//! Second look, at the parsed model: is it a tree, and is what lies between base and tip a chain we can move.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use urdf_rs::{Joint, JointType, Robot};

use super::text::Outline;
use crate::config::problem::Problem;
use crate::joints::MAX_JOINTS;

/// The way from base to tip, and who hangs where.
#[derive(Debug)]
pub(super) struct Structure {
    pub(super) base: String,
    pub(super) tip: String,
    /// Index into `robot.joints` of each joint from base to tip, fixed ones included.
    pub(super) path: Vec<usize>,
    /// Index of the joints that begin at a link.
    pub(super) children: HashMap<String, Vec<usize>>,
}

/// What a model is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A cell moves it: every limit must be there and the tip must be clear.
    Move,
    /// Somebody calculates with it: what the format allows to be missing may be missing.
    Calculate,
}

impl Structure {
    /// The joints of the path with a drive of their own, base first.
    pub(super) fn driven<'a>(&self, robot: &'a Robot) -> Vec<&'a Joint> {
        let joints = self.path.iter().map(|index| &robot.joints[*index]);
        joints.filter(|joint| is_moving(joint) && joint.mimic.is_none()).collect()
    }
}

/// Checks the tree and finds the path; what is wrong goes to `problems`. `None`: no path could be found.
pub(super) fn examine(
    robot: &Robot,
    outline: &Outline,
    base: Option<&str>,
    tip: Option<&str>,
    purpose: Purpose,
    problems: &mut Vec<Problem>,
) -> Option<Structure> {
    let before = problems.len();
    check_references(robot, outline, problems);
    check_values(robot, outline, problems);
    if problems.len() > before {
        return None;
    }

    let mut children: HashMap<String, Vec<usize>> = HashMap::new();
    let mut parent_joint: HashMap<&str, usize> = HashMap::new();
    for (index, joint) in robot.joints.iter().enumerate() {
        children.entry(joint.parent.link.clone()).or_default().push(index);
        parent_joint.insert(&joint.child.link, index);
    }
    let root = single_root(robot, outline, &parent_joint, &children, problems)?;

    let base = match base {
        Some(base) => named_link(robot, base, "base", problems)?,
        None => root,
    };
    let tip = match tip {
        Some(tip) => named_link(robot, tip, "tip", problems)?,
        None => match purpose {
            Purpose::Move => only_end(robot, outline, &base, &children, problems)?,
            Purpose::Calculate => longest_end(robot, outline, &base, &children, problems)?,
        },
    };
    let path = path_between(robot, outline, &base, &tip, &parent_joint, problems)?;
    check_chain(robot, outline, &path, purpose, problems);
    (problems.len() == before).then_some(Structure { base, tip, path, children })
}

/// Names that are used must exist; a link has one parent.
fn check_references(robot: &Robot, outline: &Outline, problems: &mut Vec<Problem>) {
    let links: BTreeSet<&str> = robot.links.iter().map(|link| link.name.as_str()).collect();
    let joints: BTreeSet<&str> = robot.joints.iter().map(|joint| joint.name.as_str()).collect();
    if robot.links.is_empty() {
        problems.push(Problem::new("", "the robot has no link", "a tree of links and joints", ""));
    }
    let mut parents: BTreeMap<&str, &str> = BTreeMap::new();
    for joint in &robot.joints {
        let place = outline.joint_place(&joint.name);
        for (role, link) in [("parent", &joint.parent.link), ("child", &joint.child.link)] {
            if !links.contains(link.as_str()) {
                problems.push(Problem::new(
                    place.clone(),
                    format!("{role} link \"{link}\" does not exist"),
                    "the name of a <link> of this file",
                    "correct the name or add the link",
                ));
            }
        }
        if joint.parent.link == joint.child.link {
            problems.push(Problem::new(
                place.clone(),
                format!("joins link \"{}\" to itself", joint.child.link),
                "two different links",
                "",
            ));
        } else if let Some(first) = parents.insert(&joint.child.link, &joint.name) {
            problems.push(Problem::new(
                place.clone(),
                format!("link \"{}\" is already the child of joint \"{first}\"", joint.child.link),
                "one parent for each link",
                "closed loops cannot be moved: cut the loop",
            ));
        }
        if let Some(mimic) = &joint.mimic {
            if !joints.contains(mimic.joint.as_str()) {
                problems.push(Problem::new(
                    place,
                    format!("mimics joint \"{}\", which does not exist", mimic.joint),
                    "the name of a <joint> of this file",
                    "correct the name or remove <mimic>",
                ));
            } else if mimic.joint == joint.name {
                problems.push(Problem::new(place, "mimics itself", "another joint", "remove <mimic>"));
            }
        }
    }
}

/// Values that no link or joint may have, wherever it stands in the tree.
fn check_values(robot: &Robot, outline: &Outline, problems: &mut Vec<Problem>) {
    for joint in &robot.joints {
        let length = joint.axis.xyz.iter().map(|value| value * value).sum::<f64>().sqrt();
        // Below this the direction is rounding; above it the square overflowed.
        if is_moving(joint) && !(1e-6..=1e6).contains(&length) {
            problems.push(Problem::new(
                outline.joint_place(&joint.name),
                format!("<axis> xyz has the length {length}"),
                "a direction, best of length 1",
                "for example xyz=\"0 0 1\"",
            ));
        }
    }
    for link in &robot.links {
        let inertia = &link.inertial.inertia;
        if link.inertial.mass.value < 0.0 || inertia.ixx < 0.0 || inertia.iyy < 0.0 || inertia.izz < 0.0 {
            problems.push(Problem::new(
                outline.link_place(&link.name),
                "<inertial> has a negative mass or moment of inertia",
                "0 kg (unknown) or more",
                "",
            ));
        }
        let geometries = link.visual.iter().map(|visual| &visual.geometry);
        for geometry in geometries.chain(link.collision.iter().map(|collision| &collision.geometry)) {
            if !is_solid(geometry) {
                problems.push(Problem::new(
                    outline.link_place(&link.name),
                    "a shape has a size that is not above zero",
                    "sizes, radii and lengths above 0 m",
                    "",
                ));
            }
        }
    }
}

fn is_solid(geometry: &urdf_rs::Geometry) -> bool {
    match geometry {
        urdf_rs::Geometry::Box { size } => size.iter().all(|side| *side > 0.0),
        urdf_rs::Geometry::Cylinder { radius, length } => *radius > 0.0 && *length > 0.0,
        urdf_rs::Geometry::Capsule { radius, length } => *radius > 0.0 && *length >= 0.0,
        urdf_rs::Geometry::Sphere { radius } => *radius > 0.0,
        urdf_rs::Geometry::Mesh { .. } => true,
    }
}

/// The link all others hang from.
fn single_root(
    robot: &Robot,
    outline: &Outline,
    parent_joint: &HashMap<&str, usize>,
    children: &HashMap<String, Vec<usize>>,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let roots: Vec<&str> = robot
        .links
        .iter()
        .map(|link| link.name.as_str())
        .filter(|name| !parent_joint.contains_key(name))
        .collect();
    let reached: BTreeSet<&str> = roots.iter().flat_map(|root| descendants(robot, root, children)).collect();
    for link in robot.links.iter().filter(|link| !reached.contains(link.name.as_str())) {
        // Every link has at most one parent here, so what no root reaches runs in a circle.
        problems.push(Problem::new(
            outline.link_place(&link.name),
            "the joints run in a circle through this link",
            "a tree: every link reached once from the root",
            "remove the joint that closes the circle",
        ));
    }
    match roots.as_slice() {
        [root] if reached.len() == robot.links.len() => Some((*root).to_owned()),
        [] | [_] => None,
        [_, others @ ..] => {
            for other in others {
                problems.push(Problem::new(
                    outline.link_place(other),
                    format!("no joint leads to this link; \"{}\" is a root already", roots[0]),
                    "one root",
                    "add the missing joint or remove the link",
                ));
            }
            None
        }
    }
}

/// `from` and every link below it.
fn descendants<'a>(robot: &'a Robot, from: &'a str, children: &HashMap<String, Vec<usize>>) -> Vec<&'a str> {
    let mut found = vec![from];
    let mut next = 0;
    // The tree was checked for double parents, so no link is met twice.
    while let Some(link) = found.get(next) {
        for index in children.get(*link).into_iter().flatten() {
            found.push(&robot.joints[*index].child.link);
        }
        next += 1;
    }
    found
}

fn named_link(robot: &Robot, name: &str, role: &str, problems: &mut Vec<Problem>) -> Option<String> {
    if robot.links.iter().any(|link| link.name == name) {
        return Some(name.to_owned());
    }
    let names: Vec<&str> = robot.links.iter().take(40).map(|link| link.name.as_str()).collect();
    problems.push(Problem::new(
        format!("{role} link \"{name}\""),
        "does not exist",
        names.join(", "),
        "choose a link of the model",
    ));
    None
}

/// The only link below `base` without children.
fn only_end(
    robot: &Robot,
    outline: &Outline,
    base: &str,
    children: &HashMap<String, Vec<usize>>,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let mut link = base;
    loop {
        match children.get(link).map_or(&[][..], Vec::as_slice) {
            [] => return Some(link.to_owned()),
            [only] => link = &robot.joints[*only].child.link,
            several => {
                let names: Vec<&str> =
                    several.iter().map(|index| robot.joints[*index].child.link.as_str()).collect();
                problems.push(Problem::new(
                    outline.link_place(link),
                    format!("the tree branches here, to {}", names.join(" and ")),
                    "one chain, or a tip link that is named",
                    "write chain.tip in limits.toml",
                ));
                return None;
            }
        }
    }
}

/// The end below `base` that is most likely the tool: see [`super::from_urdf`].
fn longest_end(
    robot: &Robot,
    outline: &Outline,
    base: &str,
    children: &HashMap<String, Vec<usize>>,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let coupled: BTreeSet<&str> = robot
        .joints
        .iter()
        .filter_map(|joint| Some([joint.name.as_str(), joint.mimic.as_ref()?.joint.as_str()]))
        .flatten()
        .collect();
    // Link, moving joints before it, whether a coupled joint is among them.
    let mut waiting = vec![(base, 0_usize, false)];
    let mut ends = Vec::new();
    while let Some((link, joints, is_coupled)) = waiting.pop() {
        let below = children.get(link).map_or(&[][..], Vec::as_slice);
        if below.is_empty() {
            ends.push((link, joints, is_coupled));
        }
        for joint in below.iter().map(|index| &robot.joints[*index]) {
            waiting.push((
                joint.child.link.as_str(),
                joints + usize::from(is_moving(joint)),
                is_coupled || coupled.contains(joint.name.as_str()),
            ));
        }
    }
    // Fingers behind an arm, not the rods of a parallelogram, which leave no long way without them.
    if ends.iter().any(|(_, joints, is_coupled)| !is_coupled && *joints >= 4) {
        ends.retain(|(_, _, is_coupled)| !is_coupled);
    }
    let most = ends.iter().map(|(_, joints, _)| *joints).max()?;
    ends.retain(|(_, joints, _)| *joints == most);
    let mut names: Vec<&str> = ends.iter().map(|(link, _, _)| *link).collect();
    names.sort_unstable();
    match names.as_slice() {
        [only] => Some((*only).to_owned()),
        several if several.contains(&"tool0") => Some("tool0".to_owned()),
        several => {
            problems.push(Problem::new(
                outline.link_place(base),
                format!("{} ends with {most} moving joints each hang below it", several.len()),
                several.iter().take(40).copied().collect::<Vec<_>>().join(", "),
                "name the tip link, with --tip LINK or as `tip`",
            ));
            None
        }
    }
}

/// Joints from `base` down to `tip`.
fn path_between(
    robot: &Robot,
    outline: &Outline,
    base: &str,
    tip: &str,
    parent_joint: &HashMap<&str, usize>,
    problems: &mut Vec<Problem>,
) -> Option<Vec<usize>> {
    let mut path = Vec::new();
    let mut link = tip;
    while link != base {
        let Some(index) = parent_joint.get(link) else {
            problems.push(Problem::new(
                outline.link_place(tip),
                format!("the tip does not hang below the base \"{base}\": the way up ends at \"{link}\""),
                "a tip below the base",
                "exchange base and tip, or name other links",
            ));
            return None;
        };
        path.push(*index);
        link = &robot.joints[*index].parent.link;
    }
    path.reverse();
    Some(path)
}

/// Every joint between base and tip must be one we can move or hold, with limits.
fn check_chain(
    robot: &Robot,
    outline: &Outline,
    path: &[usize],
    purpose: Purpose,
    problems: &mut Vec<Problem>,
) {
    let joints: Vec<&Joint> = path.iter().map(|index| &robot.joints[*index]).collect();
    let moving = joints.iter().filter(|joint| is_moving(joint)).count();
    if moving == 0 || moving > MAX_JOINTS {
        problems.push(Problem::new(
            "",
            format!("{moving} moving joints between base and tip"),
            format!("1 to {MAX_JOINTS}"),
            "name other base and tip links",
        ));
    }
    for joint in joints {
        let place = outline.joint_place(&joint.name);
        if matches!(joint.joint_type, JointType::Floating | JointType::Planar | JointType::Spherical) {
            problems.push(Problem::new(
                place.clone(),
                format!(
                    "joint to link \"{}\" is neither revolute, continuous, prismatic nor fixed",
                    joint.child.link
                ),
                "revolute, continuous, prismatic, fixed",
                "model it by several joints with one axis each",
            ));
        }
        // To calculate with, a joint may follow another one of the chain.
        let follows = joint.mimic.as_ref().and_then(|mimic| path_joint(robot, path, &mimic.joint));
        let can_follow = purpose == Purpose::Calculate && follows.is_some_and(|joint| joint.mimic.is_none());
        if joint.mimic.is_some() && !can_follow {
            problems.push(Problem::new(
                place.clone(),
                format!("mimics another joint on the way to link \"{}\"", joint.child.link),
                "joints with a drive of their own between base and tip",
                "remove <mimic>; couple drives by the coupling matrix of the cell configuration",
            ));
        }
        if is_moving(joint) {
            check_limits(joint, &place, outline, purpose, problems);
        }
    }
}

/// The moving joint of this name between base and tip.
pub(super) fn path_joint<'a>(robot: &'a Robot, path: &[usize], name: &str) -> Option<&'a Joint> {
    path.iter().map(|index| &robot.joints[*index]).find(|joint| joint.name == name && is_moving(joint))
}

fn check_limits(
    joint: &Joint,
    place: &str,
    outline: &Outline,
    purpose: Purpose,
    problems: &mut Vec<Problem>,
) {
    let limit = &joint.limit;
    let has = |attribute| outline.has_limit(&joint.name, attribute);
    let has_positions = joint.joint_type != JointType::Continuous;
    let needed: &[&str] = match (purpose, has_positions) {
        (Purpose::Move, true) => &["lower", "upper", "velocity"],
        (Purpose::Move, false) => &["velocity"],
        (Purpose::Calculate, true) => &["lower", "upper"],
        (Purpose::Calculate, false) => &[],
    };
    for attribute in needed.iter().filter(|attribute| !has(attribute)) {
        problems.push(Problem::new(
            place,
            format!("<limit> has no {attribute}"),
            "lower and upper (rad or m), velocity (rad/s or m/s)",
            "take it from the data sheet of the arm",
        ));
    }
    if has_positions && has("lower") && has("upper") && limit.lower >= limit.upper {
        problems.push(Problem::new(
            place,
            format!("<limit> lower {} is not below upper {}", limit.lower, limit.upper),
            "lower < upper",
            "exchange them or correct a sign",
        ));
    }
    if purpose == Purpose::Move && has("velocity") && limit.velocity <= 0.0 {
        problems.push(Problem::new(
            place,
            format!("<limit> velocity is {}", limit.velocity),
            "above 0 rad/s or m/s",
            "take it from the data sheet of the arm",
        ));
    }
    if limit.effort < 0.0 {
        problems.push(Problem::new(
            place,
            format!("<limit> effort is {}", limit.effort),
            "0 (unknown) or more, Nm or N",
            "",
        ));
    }
}

/// A joint that changes the pose of its child.
pub(super) fn is_moving(joint: &Joint) -> bool {
    match joint.joint_type {
        JointType::Revolute | JointType::Continuous | JointType::Prismatic => true,
        JointType::Fixed | JointType::Floating | JointType::Planar | JointType::Spherical => false,
    }
}
