//! Planning: from targets to segments with ceilings, and the preflight report. Pure functions on a program
//! and the model of the arm; reading jobs belongs to `jobs`, expanding processes to `processes`, running
//! segments to the real-time side.
//!
//! [`plan`] takes a whole [`Program`] and finds all its mistakes at once. Every Cartesian motion is walked
//! in small steps with the inverse kinematics of the cycle, so that what is checked is what is executed.
//! Each motion goes from standstill to standstill; the time law itself is made from the ceilings by
//! [`time_law`](crate::trajectory::time_law), here to know the duration, in the cycle to move.

mod ceilings;
mod clearance;
mod follow;
mod joint_derivatives;
mod motions;
mod posture;
mod problem;
mod report;
mod singular;
#[cfg(test)]
mod tests;
mod torque;
pub mod waypoints;

pub use clearance::{SegmentClearance, clearances};
pub use posture::{External, Posture};
pub use problem::{LimitName, PlanProblem, PlanProblemKind, ValueName};
pub use report::{PreflightReport, SegmentReport};
pub use singular::SingularityRule;
pub use torque::TorqueBounds;

use nalgebra::Vector3;

use crate::boundary::phase_table::{Action, PhaseTable};
use crate::boundary::piece_queue::{Piece, PieceKind};
use crate::dynamics::RigidBody;
use crate::geometry::Pose;
use crate::joints::{JointLimits, JointVector};
use crate::kinematics::Chain;
use crate::machine::{ControlEpoch, RunTag};
use crate::units::Ratio;

/// A program to be planned. SI units, poses in the base frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// Tool centre point in the flange frame.
    pub x_flange_tool: Pose,
    /// Tool and load at the flange, in the flange frame.
    pub payload: RigidBody,
    /// In order.
    pub steps: Vec<Step>,
}

/// One step of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Position of its instruction in the document, from 0.
    pub instruction: u32,
    /// What to do.
    pub kind: StepKind,
}

/// What a step does. Motions start where the one before ended, the first at the start of the plan.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "programs are short-lived; a box would only be unpacked again")]
pub enum StepKind {
    /// A motion that could not be read. A program with one is planned only to find its other mistakes: the
    /// plan goes on from the next target.
    Unreadable,
    /// All joints together, straight in joint space.
    MoveJoint {
        /// Where to.
        target: MoveTarget,
        /// What it asks of the joint positions, where the target is a pose.
        posture: Posture,
        /// Share of the joint speeds, > 0.
        speed: Ratio,
        /// Share of the joint accelerations, > 0.
        acceleration: Ratio,
    },
    /// The tool straight to a pose.
    MoveLinear {
        /// Where to.
        x_base_tool: Pose,
        /// What it asks of the joint positions.
        posture: Posture,
        /// Speed of the tool, m/s, > 0.
        speed_m_s: f64,
        /// Acceleration of the tool, m/s², > 0; `None`: as much as the limits allow.
        acceleration_m_s2: Option<f64>,
        /// What happens when the speed cannot be held.
        policy: SpeedPolicy,
    },
    /// The tool on an arc through a point to a pose.
    MoveCircular {
        /// A point between, m, base frame; its orientation does not matter.
        via_in_base: Vector3<f64>,
        /// Where to.
        x_base_tool: Pose,
        /// What it asks of the joint positions.
        posture: Posture,
        /// Speed of the tool, m/s, > 0.
        speed_m_s: f64,
        /// Acceleration of the tool along the arc, m/s², > 0; `None`: as much as the limits allow.
        acceleration_m_s2: Option<f64>,
        /// What happens when the speed cannot be held.
        policy: SpeedPolicy,
    },
    /// A process begins with the next motion.
    ProcessStart(PhaseTable),
    /// The process ends.
    ProcessEnd,
    /// Stand still, s, ≥ 0.
    Dwell(f64),
    /// Set an output.
    Output(Action),
    /// Stand still until a digital input has a level.
    WaitInput {
        /// Channel, counted from 0 over the whole cell.
        channel: u8,
        /// The level waited for.
        on: bool,
        /// Longest wait, s, ≥ 0; zero: no limit.
        timeout_s: f32,
    },
}

/// Where a joint motion goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MoveTarget {
    /// Joint positions, rad or m.
    Joints(JointVector),
    /// A pose of the tool; of the joint positions that reach it as the posture asks, the nearest to where the
    /// motion starts.
    Pose(Pose),
}

/// What happens when the programmed speed of the tool cannot be held on the whole path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpeedPolicy {
    /// The program is refused.
    Strict,
    /// The motion is slower, and the report says so.
    Adapt,
}

/// What planning keeps to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Of every joint.
    pub joints: JointLimits,
    /// Of the tool, on Cartesian motions.
    pub tool: ToolLimits,
    /// Masses and torques; `None`: not known, torques are not looked at.
    pub torques: Option<TorqueBounds>,
}

/// Limits of the tool centre point on Cartesian motions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToolLimits {
    /// Of its position: m/s, m/s², m/s³.
    pub translation: RateLimits,
    /// Of its orientation: rad/s, rad/s², rad/s³.
    pub rotation: RateLimits,
}

/// Speed, acceleration and jerk, all > 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimits {
    /// Largest speed.
    pub speed: f64,
    /// Largest acceleration.
    pub acceleration: f64,
    /// Largest jerk.
    pub jerk: f64,
}

/// A piece of a plan, without the identities it gets when it is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlannedPiece {
    /// Position of its instruction in the document, from 0.
    pub instruction: u32,
    /// What to do.
    pub kind: PieceKind,
}

/// A program that can be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// In order, without [`PieceKind::EndOfRun`].
    pub pieces: Vec<PlannedPiece>,
    /// Joint positions the plan starts from, rad or m.
    pub q_start: JointVector,
    /// Joint positions it ends at, rad or m.
    pub q_end: JointVector,
    /// What it will do.
    pub report: PreflightReport,
}

impl Plan {
    /// The pieces of a run, numbered from 0, closed by [`PieceKind::EndOfRun`].
    pub fn pieces_of_run(&self, run: RunTag, epoch: ControlEpoch) -> impl Iterator<Item = Piece> + '_ {
        let last = self.pieces.last().map_or(0, |piece| piece.instruction);
        let end = PlannedPiece { instruction: last, kind: PieceKind::EndOfRun };
        self.pieces.iter().copied().chain(std::iter::once(end)).zip(0..).map(move |(piece, index)| Piece {
            run,
            epoch,
            index,
            instruction: piece.instruction,
            kind: piece.kind,
        })
    }
}

/// Plans `program` for the arm `chain`, standing at `q_start` (rad or m).
///
/// # Errors
/// All mistakes that were found, in order of the program. After a motion that cannot be made planning goes
/// on from its target if joint positions for it are known, so that later mistakes are found too.
pub fn plan(
    program: &Program,
    chain: &Chain,
    limits: &Limits,
    q_start: &JointVector,
) -> Result<Plan, Vec<PlanProblem>> {
    motions::Planner::new(program, chain, limits, *q_start)?.run(&program.steps)
}
