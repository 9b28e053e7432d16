//! The robot model: reads `robot.urdf` and `limits.toml` of a folder, checks them, and makes the fixed-size
//! chain with names, limits, masses and shapes. The only user of `k` and `urdf-rs`; nothing of them leaves here.
//!
//! The text is checked before the libraries see it, because they drop words that are not numbers, keep only
//! position limits, panic on a mimic joint without target and walk recursively. `xacro` is never run and a path
//! inside a URDF is never opened.
//!
//! ```text
//! text ──look_through──▶ lines, numbers ──urdf-rs──▶ robot ──examine──▶ path base…tip ──k──▶ Chain
//! limits.toml ──read_ends──▶ base, tip ──────────┘      └──combine──▶ JointLimits
//! ```

mod convert;
mod embedded;
mod limits;
mod reroot;
mod structure;
mod text;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use nalgebra::{Matrix3, Vector3};

use super::document::{parse_toml, read_toml};
use super::problem::Problem;
use crate::dynamics::{ArmDynamics, DynamicsError, LinkInertia, RigidBody};
use crate::geometry::Pose;
use crate::joints::{JointLimit, JointLimits};
use crate::kinematics::Chain;
use structure::Purpose;

pub use embedded::{EMBEDDED_MODELS, EmbeddedModel, SIX_AXIS_8KG};
pub use limits::CONTINUOUS_POSITION_MAX_RAD;

/// File name of the robot description in a model folder.
pub const URDF_FILE: &str = "robot.urdf";
/// File name of acceleration, jerk and narrower limits in a model folder.
pub const LIMITS_FILE: &str = "limits.toml";

/// Most problems that are reported of one model; the last one then says how many more there are.
const PROBLEMS_MAX: usize = 100;

/// A valid robot model.
#[derive(Clone, Debug, PartialEq)]
pub struct KinematicModel {
    /// Name of the robot in the URDF.
    pub name: String,
    /// Link the base frame belongs to.
    pub base_link: String,
    /// The base is a link that joints of the chain move in the room, such as the table of a positioner.
    pub base_moves: bool,
    /// Link the flange frame belongs to.
    pub tip_link: String,
    /// Chain from base to flange.
    pub chain: Chain,
    /// Names of the moving joints, base first, as many as the chain has.
    pub joint_names: Vec<String>,
    /// Position, speed, acceleration and jerk limits of the moving joints.
    pub limits: JointLimits,
    /// Largest torque (Nm) or force (N) of each moving joint; `None` where the URDF says 0 or nothing.
    pub effort_limits: Vec<Option<f64>>,
    /// What each moving link carries: index 0 the base, index i the link after joint i (from 1). The frames are
    /// those of [`Chain::link_poses`].
    pub links: Vec<MovingLink>,
}

impl KinematicModel {
    /// The masses of the model as dynamics wants them; gravity along −z of the base, no payload, no friction.
    ///
    /// # Errors
    /// [`DynamicsError`]: the URDF gives no moving link a mass, or the base is a table that is moved itself.
    pub fn dynamics(&self) -> Result<ArmDynamics, DynamicsError> {
        if self.base_moves {
            return Err(DynamicsError::MovingBase);
        }
        let links: Vec<LinkInertia> = self.links.iter().map(MovingLink::inertia).collect();
        ArmDynamics::new(&self.chain, &links)
    }

    /// Joints whose links have no mass at all: their own torques are too small, and alone they cannot be accelerated.
    pub fn joints_without_mass(&self) -> impl Iterator<Item = &str> {
        let links = self.links.iter().skip(1).zip(&self.joint_names);
        links.filter(|(link, _)| link.bodies.is_empty()).map(|(_, joint)| joint.as_str())
    }

    /// Name of a moving link (index as in `links`): that of its first URDF link with a mass, otherwise its joint's.
    #[must_use]
    pub fn link_name(&self, index: usize) -> String {
        let body = self.links.get(index).and_then(|link| link.bodies.first());
        match (body, index.checked_sub(1)) {
            (Some(body), _) => body.link.clone(),
            (None, None) => self.base_link.clone(),
            (None, Some(joint)) => {
                self.joint_names.get(joint).map_or_else(String::new, |name| format!("link of {name}"))
            }
        }
    }
}

impl MovingLink {
    /// All masses together.
    fn inertia(&self) -> LinkInertia {
        self.bodies.iter().fold(LinkInertia::none(), |sum, body| {
            let about_center = RigidBody {
                mass_kg: body.mass_kg,
                center_of_mass_m: Vector3::zeros(),
                inertia_kg_m2: body.inertia_kg_m2,
            };
            sum.with(&about_center.in_frame(&body.x_link_body))
        })
    }
}

/// Masses and shapes that move together. Links on fixed joints are folded in; side branches are held at zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MovingLink {
    /// Masses.
    pub bodies: Vec<Body>,
    /// Shapes for pictures and distances.
    pub shapes: Vec<Shape>,
}

/// The mass of one URDF link.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// URDF link it belongs to.
    pub link: String,
    /// Mass, > 0.
    pub mass_kg: f64,
    /// Centre of mass and axes of the inertia, in the frame of the moving link.
    pub x_link_body: Pose,
    /// Inertia about the centre of mass, kg m², in the axes of `x_link_body`.
    pub inertia_kg_m2: Matrix3<f64>,
}

/// A simple shape at a link.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// What the URDF has it for.
    pub shape_use: ShapeUse,
    /// Centre and axes of the shape in the frame of the moving link.
    pub x_link_shape: Pose,
    /// Form and size.
    pub geometry: Geometry,
}

/// What a shape is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapeUse {
    /// To be looked at.
    Visual,
    /// For distances; usually larger and simpler.
    Collision,
}

/// Form and size of a shape, m.
#[derive(Clone, Debug, PartialEq)]
pub enum Geometry {
    /// A box around its centre.
    Box {
        /// Length of the sides along x, y, z.
        size_m: [f64; 3],
    },
    /// A cylinder around its centre, along z.
    Cylinder {
        /// Radius.
        radius_m: f64,
        /// Length.
        length_m: f64,
    },
    /// A cylinder with round ends, along z.
    Capsule {
        /// Radius.
        radius_m: f64,
        /// Length without the ends.
        length_m: f64,
    },
    /// A ball.
    Sphere {
        /// Radius.
        radius_m: f64,
    },
    /// A mesh in a file, which is not opened.
    Mesh {
        /// As written in the URDF.
        file: String,
        /// Factor along x, y, z.
        scale: [f64; 3],
    },
}

/// Everything that is wrong with a model, at least one problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelProblems(pub Vec<Problem>);

impl fmt::Display for ModelProblems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            write!(formatter, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ModelProblems {}

/// Reads `robot.urdf` and `limits.toml` of `folder`; base and tip as `limits.toml` or the tree has them.
///
/// # Errors
/// Every problem of both files: unreadable, too large, not what the formats allow, or not one chain we can move.
pub fn load_model(folder: &Path) -> Result<KinematicModel, ModelProblems> {
    load_model_between(folder, None, None)
}

/// [`load_model`] with base and tip link as [`from_text`] takes them.
///
/// # Errors
/// Every problem of both files.
pub fn load_model_between(
    folder: &Path,
    base: Option<&str>,
    tip: Option<&str>,
) -> Result<KinematicModel, ModelProblems> {
    let mut problems = Vec::new();
    let urdf = read_file(folder, URDF_FILE, &mut problems);
    let limits = read_file(folder, LIMITS_FILE, &mut problems);
    match (urdf, limits) {
        (Some(urdf), Some(limits)) => from_text(&urdf, &limits, base, tip),
        // One of two files can still be checked for itself.
        (Some(urdf), None) => {
            let mut of_urdf = Vec::new();
            if let Some((robot, outline)) = read_robot(&urdf, &mut of_urdf) {
                let _structure = structure::examine(&robot, &outline, base, tip, Purpose::Move, &mut of_urdf);
            }
            problems.extend(of_urdf.into_iter().map(|problem| problem.in_file(URDF_FILE)));
            Err(finish(problems))
        }
        (None, _) => Err(finish(problems)),
    }
}

/// Makes a model of the text of a URDF and of its `limits.toml`.
///
/// `base` may lie on another branch than `tip`, as the table of a positioner does: the chain then begins with the
/// joints of the positioner, backwards, and poses are those on the table.
/// `base` and `tip` are link names; where they are `None`, `chain.base` and `chain.tip` of the limits hold, and
/// where these are missing too, the root of the tree and its only end.
/// # Errors
/// Every problem of both texts.
pub fn from_text(
    urdf: &str,
    limits: &str,
    base: Option<&str>,
    tip: Option<&str>,
) -> Result<KinematicModel, ModelProblems> {
    let ends =
        parse_toml(limits).map_or_else(|_| limits::Ends::default(), |document| limits::read_ends(&document));
    let (base, tip) = (base.or(ends.base.as_deref()), tip.or(ends.tip.as_deref()));

    let mut problems = Vec::new();
    let mut base_moves = false;
    let robot = read_robot(urdf, &mut problems).and_then(|(mut robot, outline)| {
        if let (Some(base), Some(tip)) = (base, tip) {
            base_moves = reroot::at_base(&mut robot, base, tip);
        }
        let structure = structure::examine(&robot, &outline, base, tip, Purpose::Move, &mut problems)?;
        Some((robot, structure))
    });
    let moving = robot.as_ref().map(|(robot, structure)| structure.driven(robot));
    let limits = read_toml(limits, |document| {
        let tree = robot.iter().flat_map(|(robot, _)| &robot.joints);
        let all: Vec<&str> =
            tree.filter(|joint| structure::is_moving(joint)).map(|joint| joint.name.as_str()).collect();
        limits::combine(document, moving.as_deref(), &all)
    });

    problems = problems.into_iter().map(|problem| problem.in_file(URDF_FILE)).collect();
    let limits = limits.unwrap_or_else(|mistakes| {
        problems.extend(mistakes.into_iter().map(|problem| problem.in_file(LIMITS_FILE)));
        Vec::new()
    });
    match (robot.as_ref(), moving) {
        (Some((robot, structure)), Some(moving)) if problems.is_empty() => {
            let model = assemble(robot, structure, &moving, &limits);
            model.map(|model| KinematicModel { base_moves, ..model }).map_err(|problem| finish(vec![problem]))
        }
        _ => Err(finish(problems)),
    }
}

/// Makes a model of a URDF alone, to calculate with: acceleration and jerk limits, which it does not have, are
/// infinite, and so are speed and effort limits it leaves out.
///
/// `base` and `tip` are link names. Where they are `None`: the root of the tree, and the end with the most moving
/// joints before it. Ends behind the fingers of a gripper (joints that mimic each other) are left out, and of
/// several others `tool0`, the tool frame of ROS, is taken.
/// # Errors
/// Every problem of the text. Several ends that could be meant: a problem that lists them.
pub fn from_urdf(urdf: &str, base: Option<&str>, tip: Option<&str>) -> Result<KinematicModel, ModelProblems> {
    let mut problems = Vec::new();
    let Some((robot, outline)) = read_robot(urdf, &mut problems) else { return Err(finish(problems)) };
    match structure::examine(&robot, &outline, base, tip, Purpose::Calculate, &mut problems) {
        Some(structure) if problems.is_empty() => {
            let moving = structure.driven(&robot);
            let limits: Vec<JointLimit> =
                moving.iter().map(|joint| limits::of_urdf(joint, &outline)).collect();
            assemble(&robot, &structure, &moving, &limits).map_err(|problem| finish(vec![problem]))
        }
        _ => Err(finish(problems)),
    }
}

/// The model of checked parts.
fn assemble(
    robot: &urdf_rs::Robot,
    structure: &structure::Structure,
    moving: &[&urdf_rs::Joint],
    limits: &[JointLimit],
) -> Result<KinematicModel, Problem> {
    let chain = convert::chain_through_k(robot, structure)?;
    let limits = JointLimits::from_slice(limits)
        .filter(|limits| limits.len() == chain.joint_count() && moving.len() == chain.joint_count())
        .ok_or_else(|| {
            Problem::new("", "limits and chain differ in length", "", "report this as a defect")
        })?;
    Ok(KinematicModel {
        name: robot.name.clone(),
        base_link: structure.base.clone(),
        base_moves: false,
        tip_link: structure.tip.clone(),
        chain,
        joint_names: moving.iter().map(|joint| joint.name.clone()).collect(),
        limits,
        effort_limits: moving
            .iter()
            .map(|joint| Some(joint.limit.effort).filter(|effort| *effort > 0.0))
            .collect(),
        links: convert::moving_links(robot, structure),
    })
}

/// Text to parsed model, when nothing is wrong with the text.
fn read_robot(urdf: &str, problems: &mut Vec<Problem>) -> Option<(urdf_rs::Robot, text::Outline)> {
    let before = problems.len();
    let outline = text::look_through(urdf, problems);
    if problems.len() > before {
        return None;
    }
    match urdf_rs::read_from_string(urdf) {
        Ok(robot) => Some((robot, outline)),
        Err(error) => {
            problems.push(Problem::new("", format!("is not URDF: {error}"), "URDF 1.0 or 1.1", ""));
            None
        }
    }
}

/// The text of one file of a model folder.
fn read_file(folder: &Path, name: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let path = folder.join(name);
    let mut note = |message: String, allowed: &str, remedy: &str| {
        problems.push(Problem::new(path.display().to_string(), message, allowed, remedy));
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) => {
            let remedy = if folder.join(format!("{name}.xacro")).exists() {
                "xacro is never run here: expand it first, xacro robot.urdf.xacro > robot.urdf"
            } else {
                "a model is a folder with robot.urdf and limits.toml"
            };
            note(format!("cannot be opened: {error}"), "a file that can be read", remedy);
            return None;
        }
    };
    let size_max = u64::try_from(text::TEXT_SIZE_MAX).unwrap_or(u64::MAX);
    let mut text = String::new();
    match file.take(size_max + 1).read_to_string(&mut text) {
        Ok(size) if size > text::TEXT_SIZE_MAX => {
            note("is larger than 8 MiB".to_owned(), "at most 8 MiB", "leave meshes in files of their own");
            None
        }
        Ok(_) => Some(text),
        Err(error) => {
            note(format!("cannot be read: {error}"), "text in UTF-8", "");
            None
        }
    }
}

/// Cuts the list to [`PROBLEMS_MAX`].
fn finish(mut problems: Vec<Problem>) -> ModelProblems {
    if problems.is_empty() {
        problems.push(Problem::new("", "the model could not be made", "", "report this as a defect"));
    }
    if problems.len() > PROBLEMS_MAX {
        let more = problems.len() - (PROBLEMS_MAX - 1);
        problems.truncate(PROBLEMS_MAX - 1);
        problems.push(Problem::new(
            "",
            format!("and {more} more problems"),
            "",
            "correct the first ones and check again",
        ));
    }
    ModelProblems(problems)
}

#[cfg(test)]
mod tests;
