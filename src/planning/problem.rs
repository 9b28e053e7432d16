//! What keeps a program from being planned: data with the place and the amount, one entry a mistake.

use crate::kinematics::configuration::{Configuration, Turns, Wish};
use crate::kinematics::singularity::SingularDistances;
use crate::trajectory::path::{ArcProblem, ParameterUnit};

/// A limit that a motion runs into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitName {
    /// Speed, acceleration or jerk of a joint, counted from 0.
    Joint(usize),
    /// Torque at a joint, counted from 0.
    JointTorque(usize),
    /// Torque of a drive, counted from 0.
    DriveTorque(usize),
    /// Speed, acceleration or jerk of the tool centre point.
    ToolTranslation,
    /// Turning speed, acceleration or jerk of the tool.
    ToolRotation,
    /// What the program asks for.
    Programmed,
}

impl std::fmt::Display for LimitName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Joint(joint) => write!(formatter, "joint {}", joint + 1),
            Self::JointTorque(joint) => write!(formatter, "the torque of joint {}", joint + 1),
            Self::DriveTorque(drive) => write!(formatter, "the torque of drive {}", drive + 1),
            Self::ToolTranslation => formatter.write_str("the tool centre point"),
            Self::ToolRotation => formatter.write_str("the turning of the tool"),
            Self::Programmed => formatter.write_str("the program"),
        }
    }
}

/// A number of an instruction that is no valid number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueName {
    /// A target or via position, or its orientation.
    Target,
    /// A speed or share of speed.
    Speed,
    /// An acceleration or share of acceleration.
    Acceleration,
    /// A duration or time-out.
    Duration,
    /// The tool.
    Tool,
}

/// One mistake of a program: which instruction and what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlanProblem {
    /// Position of the instruction in the document, from 0; `None`: of the program as a whole.
    pub instruction: Option<u32>,
    /// What the parameter of its path counts; `None`: it has no path, or none was found.
    pub unit: Option<ParameterUnit>,
    /// What is wrong.
    pub kind: PlanProblemKind,
}

/// What is wrong, with the numbers needed to mend it. SI units, joints counted from 0, `s` along the path in
/// its own unit (m, or rad for a pure rotation).
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum PlanProblemKind {
    /// A value is not finite, negative, or zero where that means nothing.
    #[error("{0:?} is not a usable number")]
    Value(ValueName),
    /// The start, a joint target or the limits have another number of joints than the arm.
    #[error("{found} joints given for an arm of {expected}")]
    JointCount {
        /// Joints of the arm.
        expected: usize,
        /// Joints given.
        found: usize,
    },
    /// The motion starts outside a position limit.
    #[error("joint {} starts {by:.4} outside its limits", joint + 1)]
    StartOutsideLimits {
        /// The joint.
        joint: usize,
        /// How far, rad or m.
        by: f64,
    },
    /// A joint target lies outside a position limit.
    #[error("the target of joint {} is {by:.4} outside its limits", joint + 1)]
    TargetOutsideLimits {
        /// The joint.
        joint: usize,
        /// How far, rad or m.
        by: f64,
    },
    /// No joint positions within the limits reach the target.
    #[error("the target is out of reach: {missing_m:.4} m and {missing_rad:.4} rad are missing")]
    TargetOutOfReach {
        /// Distance left at the best attempt, m; zero when only the joint limits are in the way.
        missing_m: f64,
        /// Angle left at the best attempt, rad.
        missing_rad: f64,
    },
    /// The path leaves the reach of the arm on its way.
    #[error("the path leaves the reach at s = {s:.4}, by up to {missing_m:.4} m and {missing_rad:.4} rad")]
    PathOutOfReach {
        /// Where it leaves.
        s: f64,
        /// Distance left at the farthest place behind it, m.
        missing_m: f64,
        /// Angle left there, rad.
        missing_rad: f64,
    },
    /// The path needs a joint beyond its position limit.
    #[error("joint {} leaves its limits at s = {s:.4}, by up to {by:.4}", joint + 1)]
    JointLimit {
        /// Where it leaves them.
        s: f64,
        /// The joint.
        joint: usize,
        /// Largest excess on the path, rad or m.
        by: f64,
    },
    /// The path comes too near a singular pose.
    #[error(
        "near s = {s:.4} the arm is almost singular ({closeness:.4} of at least {closeness_min:.4}); joint {} \
         would be the fastest",
        joint + 1
    )]
    Singular {
        /// Where it is nearest.
        s: f64,
        /// Smallest singular value of the Jacobian over the characteristic length of the arm.
        closeness: f64,
        /// Least value allowed.
        closeness_min: f64,
        /// The joint that moves fastest there.
        joint: usize,
        /// Least distances from the singular poses on the way; `None` for arms whose anatomy is not known.
        distances: Option<SingularDistances>,
    },
    /// Passing a singular pose, the orientation is off by more than the motion allows.
    #[error("the orientation is off by {needed:.4} rad, {allowed:.4} rad are allowed")]
    OrientationError {
        /// Largest error, rad.
        needed: f64,
        /// Largest error allowed, rad.
        allowed: f64,
    },
    /// The motion asks for a way through singular poses that this arm does not have.
    #[error("only six-joint arms with a closed form have a wrist that can be guided")]
    NoGuidedWrist,
    /// Gravity alone needs more torque than there is.
    #[error("{limit} must carry {needed:.1} Nm at s = {s:.4}, {allowed:.1} Nm are allowed")]
    TooHeavy {
        /// Where.
        s: f64,
        /// Whose torque.
        limit: LimitName,
        /// What gravity needs, Nm (sliding joints: N).
        needed: f64,
        /// What planning uses of the limit.
        allowed: f64,
    },
    /// The joints would have to jump to another branch.
    #[error("joint {} would jump by {by:.4} at s = {s:.4}", joint + 1)]
    BranchJump {
        /// Where.
        s: f64,
        /// The joint that jumps furthest.
        joint: usize,
        /// By how much, rad or m.
        by: f64,
    },
    /// A target asks for a branch, but the arm has none to choose from.
    #[error("the arm has no shoulder, elbow and wrist configurations")]
    NoConfigurations,
    /// A target says where another number of joints goes than the arm has beyond six.
    #[error("{found} external axes are given, the arm has {needed} joints beyond six")]
    ExternalCount {
        /// Joints beyond six.
        needed: usize,
        /// Given.
        found: usize,
    },
    /// A target asks for an arm angle, but the arm has none where the motion starts.
    #[error("the arm has no arm angle there")]
    NoArmAngle,
    /// The target is reached, but not as asked for.
    #[error("the target is not reached in the configuration and turns asked for, but for instance otherwise")]
    WishNotGranted {
        /// What was asked for.
        wish: Wish,
        /// Branch of the joint positions nearest to where the motion starts.
        offered: Option<Configuration>,
        /// Their turns.
        turns: Turns,
        /// How many joints the arm has.
        joints: usize,
    },
    /// A path asks for a branch at its end that is not that of its start.
    #[error("the path starts {is} and cannot end {asked}")]
    StartGoverns {
        /// What the target asks for.
        asked: Configuration,
        /// Where the motion starts.
        is: Configuration,
    },
    /// The path goes from one branch to another.
    #[error("the configuration changes from {from} to {to} at s = {s:.4}")]
    ConfigurationChange {
        /// Where.
        s: f64,
        /// Before.
        from: Configuration,
        /// Behind.
        to: Configuration,
    },
    /// The path winds or unwinds a joint although its target asks for the turns of the start.
    #[error("joint {} goes from turn {from} to turn {to} at s = {s:.4}", joint + 1)]
    TurnChange {
        /// Where.
        s: f64,
        /// The joint.
        joint: usize,
        /// Turn at the start.
        from: i8,
        /// Turn there.
        to: i8,
    },
    /// A path does not end in the turns its target asks for.
    #[error("joint {} ends in turn {is} instead of {asked}", joint + 1)]
    EndTurn {
        /// The joint.
        joint: usize,
        /// What the target asks for.
        asked: i8,
        /// Where the path leads.
        is: i8,
    },
    /// The programmed speed cannot be held, and the motion insists on it.
    #[error("{limit} allows only {achievable_m_s:.4} m/s of {programmed_m_s:.4} m/s at s = {s:.4}")]
    SpeedNotHeld {
        /// Where.
        s: f64,
        /// What limits.
        limit: LimitName,
        /// What the program asks for, m/s.
        programmed_m_s: f64,
        /// What can be held on the whole path, m/s.
        achievable_m_s: f64,
    },
    /// Three points make no arc.
    #[error("the three points make no arc: {0:?}")]
    Arc(ArcProblem),
}
