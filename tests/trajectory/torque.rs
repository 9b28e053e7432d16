//! Torque limits: what a heavier load costs, and that what was planned never needs more than there is.

use motiond::config::kinematic_model::EmbeddedModel;
use motiond::dynamics::{ArmDynamics, RigidBody};
use motiond::joints::JointVector;
use motiond::planning::{
    Limits, MoveTarget, Plan, PlanProblem, PlanProblemKind, Program, SpeedPolicy, StepKind, TorqueBounds,
    plan,
};
use motiond::trajectory::time_law::Target;
use motiond::units::Ratio;
use nalgebra::Vector3;

use crate::support::{
    arm, displaced, execute, home, joints, move_joint, move_linear, segments, step, torch, x_home,
};

/// Torques that bear the arm and a load, but do not accelerate them as fast as the other limits would.
fn bounded() -> (Limits, ArmDynamics) {
    let model = EmbeddedModel::by_name("six-axis-8kg").expect("shipped").load().expect("valid");
    let dynamics = model.dynamics().expect("has masses");
    let mut joint_from_drive = [[0.0; 12]; 12];
    for (joint, row) in joint_from_drive.iter_mut().enumerate() {
        row[joint] = 1.0;
    }
    let (_, limits) = arm();
    let efforts: Vec<f64> = model.effort_limits.iter().map(|effort| effort.expect("stated") * 0.5).collect();
    // Two joints by their drives, the others by themselves.
    let of = |wanted: bool| {
        JointVector::from_fn(6, |joint| if (joint < 2) == wanted { efforts[joint] } else { f64::INFINITY })
    };
    let torques = TorqueBounds { dynamics, joints: of(false), drives: of(true), joint_from_drive };
    (Limits { torques: Some(torques), ..limits }, dynamics)
}

fn load(mass: f64) -> RigidBody {
    RigidBody::point_mass(mass, Vector3::new(0.0, 0.0, 0.15))
}

fn planned(limits: &Limits, mass: f64, kinds: Vec<StepKind>) -> Result<Plan, Vec<PlanProblem>> {
    let (chain, _) = arm();
    let steps = kinds.into_iter().zip(0..).map(|(kind, number)| step(number, kind)).collect();
    plan(&Program { x_flange_tool: torch(), payload: load(mass), steps }, &chain, limits, &home())
}

fn motions() -> Vec<StepKind> {
    vec![
        move_joint(MoveTarget::Joints(joints(&[0.8, 0.7, 0.2, 0.4, 0.9, 0.3]))),
        move_joint(MoveTarget::Joints(home())),
        move_linear(displaced(&x_home(), [-0.1, 0.25, 0.1], [0.0; 3]), 1.5, SpeedPolicy::Adapt),
        move_linear(x_home(), 1.5, SpeedPolicy::Adapt),
    ]
}

#[test]
fn a_heavier_load_takes_longer_and_no_torque_goes_beyond_its_limit() {
    let (limits, arm_dynamics) = bounded();
    let bounds = limits.torques.expect("bounded");
    let (chain, free) = arm();
    let mut durations = Vec::new();
    for mass in [0.5, 4.0, 8.0] {
        let plan = planned(&limits, mass, motions()).unwrap_or_else(|found| panic!("{mass} kg: {found:?}"));
        let mut dynamics = arm_dynamics;
        dynamics.set_payload(&[load(mass)]);
        let mut largest_share = 0.0_f64;
        for segment in segments(&plan) {
            let cycles = execute(&chain, &segment, 1e-3, |_| Target::Run { override_ratio: Ratio::ONE });
            let mut q = vec![segment.q_start; 3];
            q.extend(cycles.iter().map(|cycle| cycle.q));
            for window in q.windows(3) {
                let speed = (window[2] - window[0]) * 500.0;
                let acceleration = (window[2] + window[0] - window[1] * 2.0) * 1e6;
                let torques = dynamics.torques(&window[1], &speed, &acceleration);
                for joint in 0..6 {
                    let limit = bounds.joints.get(joint).min(bounds.drives.get(joint));
                    largest_share = largest_share.max(torques.get(joint).abs() / limit);
                }
            }
        }
        assert!(largest_share <= 1.0, "{mass} kg uses {largest_share} of a torque limit");
        if mass > 1.0 {
            assert!(largest_share > 0.5, "{mass} kg: {largest_share} is left unused");
        }
        durations.push(plan.report.duration_s);
    }
    let unlimited = planned(&free, 8.0, motions()).expect("not bounded").report.duration_s;
    assert!(durations[0] < durations[1] && durations[1] < durations[2], "{durations:?}");
    assert!(unlimited < durations[2], "{unlimited} {durations:?}");
}

#[test]
fn a_load_that_cannot_be_carried_is_refused_with_the_torque_it_needs() {
    let (limits, _) = bounded();
    for kind in [
        move_joint(MoveTarget::Joints(joints(&[0.1, 0.9, 0.3, 0.0, 0.9, 0.0]))),
        move_linear(displaced(&x_home(), [0.1, 0.0, 0.0], [0.0; 3]), 0.1, SpeedPolicy::Adapt),
    ] {
        let refused = planned(&limits, 200.0, vec![kind]).expect_err("200 kg");
        let PlanProblemKind::TooHeavy { needed, allowed, .. } = refused[0].kind else {
            panic!("{refused:?}")
        };
        assert!(needed > allowed && allowed > 0.0);
    }
}
