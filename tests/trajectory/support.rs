//! The arm, and a cycle without anything around it.

use motiond::boundary::piece_queue::PieceKind;
use motiond::config::kinematic_model::EmbeddedModel;
use motiond::geometry::Pose;
use motiond::joints::JointVector;
use motiond::kinematics::Chain;
use motiond::kinematics::guide::{Follower, Place};
use motiond::kinematics::inverse::{InverseResult, InverseSettings};
use motiond::planning::{
    Limits, MoveTarget, Plan, PlanProblem, Posture, Program, RateLimits, SpeedPolicy, Step, StepKind,
    ToolLimits, plan,
};
use motiond::trajectory::Segment;
use motiond::trajectory::path::PathPoint;
use motiond::trajectory::time_law::{PathClock, Target};
use motiond::units::Ratio;
use nalgebra::{Translation3, UnitQuaternion, Vector3};

/// The shipped arm with its limits.
pub(crate) fn arm() -> (Chain, Limits) {
    let model = EmbeddedModel::by_name("six-axis-8kg").expect("shipped").load().expect("valid");
    let limits = Limits {
        torques: None,
        joints: model.limits,
        tool: ToolLimits {
            translation: RateLimits { speed: 2.0, acceleration: 10.0, jerk: 200.0 },
            rotation: RateLimits { speed: 3.0, acceleration: 20.0, jerk: 400.0 },
        },
    };
    (model.chain, limits)
}

/// A torch: 300 mm out, bent by 35°.
pub(crate) fn torch() -> Pose {
    Pose::from_parts(
        Translation3::new(0.08, 0.0, 0.3),
        UnitQuaternion::from_scaled_axis(Vector3::new(0.0, 0.61, 0.0)),
    )
}

/// Elbow up, wrist bent by 60°: away from everything.
pub(crate) fn home() -> JointVector {
    joints(&[0.0, 0.2, -0.3, 0.0, 1.05, 0.0])
}

/// The tool at [`home`].
pub(crate) fn x_home() -> Pose {
    arm().0.forward(&home()) * torch()
}

pub(crate) fn joints(values: &[f64]) -> JointVector {
    JointVector::from_slice(values).expect("at most MAX_JOINTS")
}

pub(crate) fn step(instruction: u32, kind: StepKind) -> Step {
    Step { instruction, kind }
}

pub(crate) fn move_joint(target: MoveTarget) -> StepKind {
    StepKind::MoveJoint { target, posture: Posture::FREE, speed: Ratio::ONE, acceleration: Ratio::ONE }
}

pub(crate) fn move_linear(x_base_tool: Pose, speed_m_s: f64, policy: SpeedPolicy) -> StepKind {
    StepKind::MoveLinear { x_base_tool, posture: Posture::FREE, speed_m_s, acceleration_m_s2: None, policy }
}

pub(crate) fn move_circular(via: Vector3<f64>, x_base_tool: Pose, speed_m_s: f64) -> StepKind {
    StepKind::MoveCircular {
        via_in_base: via,
        x_base_tool,
        posture: Posture::FREE,
        speed_m_s,
        acceleration_m_s2: None,
        policy: SpeedPolicy::Adapt,
    }
}

/// `pose` displaced by `by` m and turned by the rotation vector `turn`, both in base axes.
pub(crate) fn displaced(pose: &Pose, by: [f64; 3], turn: [f64; 3]) -> Pose {
    Pose::from_parts(
        Translation3::from(pose.translation.vector + Vector3::from(by)),
        UnitQuaternion::from_scaled_axis(Vector3::from(turn)) * pose.rotation,
    )
}

/// Plans the steps, numbered from 0, from `q_start` with the torch.
pub(crate) fn planned(q_start: &JointVector, kinds: Vec<StepKind>) -> Result<Plan, Vec<PlanProblem>> {
    let (chain, limits) = arm();
    let steps = kinds.into_iter().zip(0..).map(|(kind, instruction)| step(instruction, kind)).collect();
    plan(
        &Program { x_flange_tool: torch(), payload: motiond::dynamics::RigidBody::none(), steps },
        &chain,
        &limits,
        q_start,
    )
}

/// The motions of a plan.
pub(crate) fn segments(plan: &Plan) -> Vec<Segment> {
    let motion = |kind: &PieceKind| if let PieceKind::Motion(segment) = kind { Some(*segment) } else { None };
    plan.pieces.iter().filter_map(|piece| motion(&piece.kind)).collect()
}

/// One cycle of an executed segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cycle {
    pub(crate) s: f64,
    pub(crate) q: JointVector,
    /// Nominal pose of the tool; `None` on a joint path.
    pub(crate) x_base_tool: Option<Pose>,
}

/// Runs a segment at `dt` from standstill to standstill; `override_at` is asked before each cycle.
pub(crate) fn execute(
    chain: &Chain,
    segment: &Segment,
    dt: f64,
    mut target_at: impl FnMut(usize) -> Target,
) -> Vec<Cycle> {
    let settings = InverseSettings {
        position_tolerance_m: 1e-12,
        orientation_tolerance_rad: 1e-12,
        ..InverseSettings::default()
    };
    let follower = Follower::new(*chain);
    let mut clock = PathClock::start(segment.path.length(), segment.ceiling).expect("planned");
    let mut q = segment.q_start;
    let mut cycles = Vec::new();
    while !clock.is_at_end() {
        assert!(cycles.len() < 1_000_000, "the end is not reached");
        clock.set_target(target_at(cycles.len()));
        let s = clock.step(dt).s;
        let x_base_tool = match segment.path.sample(s) {
            PathPoint::Joints(sampled) => {
                q = sampled;
                None
            }
            PathPoint::Pose(x_base_tool) => {
                let fraction = s / segment.path.length();
                let place =
                    Place { fraction, x_base_tool: &x_base_tool, x_flange_tool: &segment.x_flange_tool };
                let solved = follower.inverse(&segment.guide, &place, &q, &settings);
                let InverseResult::Converged { q: solved, .. } = solved else {
                    panic!("planned, but not solved at s = {s}: {solved:?}");
                };
                q = solved;
                Some(x_base_tool)
            }
        };
        cycles.push(Cycle { s, q, x_base_tool });
    }
    assert_eq!(clock.fallbacks(), 0);
    cycles
}
