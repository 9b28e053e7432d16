//! The corners of planning: what is refused, with which place and amount, and what is not.

use std::f64::consts::PI;

use motiond::boundary::piece_queue::PieceKind;
use motiond::geometry::Pose;
use motiond::joints::JointVector;
use motiond::machine::{ControlEpoch, RunTag};
use motiond::planning::{
    LimitName, MoveTarget, PlanProblem, PlanProblemKind, Posture, Program, SpeedPolicy, StepKind, ValueName,
    plan,
};
use motiond::trajectory::path::{ArcProblem, ParameterUnit};
use motiond::trajectory::time_law::Target;
use motiond::units::Ratio;
use nalgebra::{Translation3, UnitQuaternion, Vector3};

use crate::support::{
    arm, displaced, execute, home, joints, move_circular, move_joint, move_linear, planned, segments, step,
    torch, x_home,
};

const ADAPT: SpeedPolicy = SpeedPolicy::Adapt;

/// The problems of a program that must have some.
fn problems(kinds: Vec<StepKind>) -> Vec<PlanProblem> {
    match planned(&home(), kinds) {
        Err(problems) => problems,
        Ok(plan) => panic!("should be refused: {:?}", plan.report),
    }
}

/// The only problem of a program that must have one.
fn problem(kinds: Vec<StepKind>) -> PlanProblemKind {
    let problems = problems(kinds);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].kind
}

#[test]
fn a_motion_to_where_the_arm_stands_takes_no_time() {
    let plan = planned(
        &home(),
        vec![move_joint(MoveTarget::Joints(home())), move_linear(x_home(), 0.1, SpeedPolicy::Strict)],
    )
    .expect("nothing is wrong with it");
    assert_eq!(plan.report.duration_s.to_bits(), 0);
    assert_eq!(plan.pieces.len(), 2);
    for segment in segments(&plan) {
        assert!(execute(&arm().0, &segment, 0.001, |_| Target::Hold).is_empty());
    }
}

#[test]
fn there_and_back_ends_where_it_started() {
    let there = displaced(&x_home(), [-0.1, 0.2, -0.05], [0.2, 0.0, 0.1]);
    let plan = planned(
        &home(),
        vec![
            move_linear(there, 0.2, ADAPT),
            move_linear(x_home(), 0.2, ADAPT),
            move_linear(there, 0.2, ADAPT),
        ],
    )
    .expect("plain");
    let segments = segments(&plan);
    assert!((segments[1].q_end - home()).max_abs() < 1e-9);
    assert!((segments[2].q_end - segments[0].q_end).max_abs() < 1e-9);
    assert!((plan.report.segments[0].duration_s - plan.report.segments[2].duration_s).abs() < 1e-6);
}

#[test]
fn a_pure_rotation_is_planned_in_radians() {
    let turned = displaced(&x_home(), [0.0; 3], [0.0, 0.0, 0.8]);
    let plan = planned(&home(), vec![move_linear(turned, 0.001, SpeedPolicy::Strict)]).expect("plain");
    let report = plan.report.segments[0];
    assert_eq!((report.unit, report.programmed_m_s), (ParameterUnit::ToolRotation, None));
    assert!((report.length - 0.8).abs() < 1e-9);
    assert!(report.duration_s < 2.0, "the tool's speed says nothing about a rotation");
    let position = x_home().translation.vector;
    for cycle in execute(&arm().0, &segments(&plan)[0], 0.001, |_| Target::Run { override_ratio: Ratio::ONE })
    {
        let tool = (arm().0.forward(&cycle.q) * torch()).translation.vector;
        assert!((tool - position).norm() < 1e-8);
    }
}

#[test]
fn half_a_turn_about_the_tool_is_planned() {
    let flange_axis = x_home().rotation * torch().rotation.inverse() * Vector3::z();
    let turn = flange_axis * (PI - 1e-6);
    let turned = displaced(&x_home(), [-0.05, 0.0, 0.0], [turn.x, turn.y, turn.z]);
    match planned(&home(), vec![move_linear(turned, 0.1, ADAPT)]) {
        Ok(plan) => assert!((segments(&plan)[0].q_end - home()).max_abs() > 1.0),
        Err(problems) => assert!(
            problems.iter().all(|problem| matches!(
                problem.kind,
                PlanProblemKind::JointLimit { .. }
                    | PlanProblemKind::Singular { .. }
                    | PlanProblemKind::PathOutOfReach { .. }
            )),
            "{problems:?}"
        ),
    }
}

#[test]
fn points_that_make_no_arc_are_refused() {
    let end = displaced(&x_home(), [-0.2, 0.0, 0.0], [0.0; 3]);
    let via = |by: [f64; 3]| displaced(&x_home(), by, [0.0; 3]).translation.vector;
    let arc = |by, end| problem(vec![move_circular(via(by), end, 0.1)]);
    let kind = arc([-0.1, 0.0, 0.000_05], end);
    assert!(
        matches!(kind, PlanProblemKind::Arc(ArcProblem::Collinear { distance_m }) if (distance_m - 5e-5).abs() < 1e-9),
        "{kind:?}"
    );
    assert_eq!(arc([0.0; 3], end), PlanProblemKind::Arc(ArcProblem::ViaAtStart));
    assert_eq!(arc([-0.2, 0.0, 0.0], end), PlanProblemKind::Arc(ArcProblem::ViaAtEnd));
    assert_eq!(arc([-0.1, 0.1, 0.0], x_home()), PlanProblemKind::Arc(ArcProblem::EndAtStart));
}

#[test]
fn a_target_out_of_reach_is_refused_with_how_much_is_missing() {
    let far = displaced(&x_home(), [2.0, 0.0, 0.0], [0.0; 3]);
    let kind = problem(vec![move_joint(MoveTarget::Pose(far))]);
    assert!(
        matches!(kind, PlanProblemKind::TargetOutOfReach { missing_m, .. } if (1.0..2.0).contains(&missing_m)),
        "{kind:?}"
    );
    let kind = problem(vec![move_linear(far, 0.1, ADAPT)]);
    assert!(
        matches!(kind, PlanProblemKind::PathOutOfReach { s, missing_m, .. }
            if (0.05..1.0).contains(&s) && (1.0..2.0).contains(&missing_m)),
        "{kind:?}"
    );
}

#[test]
fn a_joint_target_outside_its_limits_is_refused_with_joint_and_amount() {
    let mut q = home();
    q.set(2, 1.5);
    let kind = problem(vec![move_joint(MoveTarget::Joints(q))]);
    let PlanProblemKind::TargetOutsideLimits { joint: 2, by } = kind else { panic!("{kind:?}") };
    assert!((by - (1.5 - 1.221_730)).abs() < 1e-6);
}

#[test]
fn a_path_that_needs_a_joint_beyond_its_limit_is_refused_with_place_joint_and_amount() {
    // Turning about the axis of joint 6, from near its limit over it.
    let mut q = home();
    q.set(5, 5.9);
    let (chain, limits) = arm();
    let x_start = chain.forward(&q) * torch();
    let axis = chain.forward(&q).rotation * Vector3::z();
    let turn = axis * 0.6;
    let program = Program {
        x_flange_tool: torch(),
        payload: motiond::dynamics::RigidBody::none(),
        steps: vec![step(
            7,
            move_linear(
                Pose::from_parts(
                    Translation3::from(x_start.translation.vector),
                    UnitQuaternion::from_scaled_axis(turn) * x_start.rotation,
                ),
                0.1,
                ADAPT,
            ),
        )],
    };
    let problems = plan(&program, &chain, &limits, &q).expect_err("beyond the limit of joint 6");
    let limit = problems
        .iter()
        .find_map(|problem| {
            let PlanProblemKind::JointLimit { s, joint: 5, by } = problem.kind else { return None };
            Some((problem.instruction, s, by))
        })
        .unwrap_or_else(|| panic!("{problems:?}"));
    assert_eq!(limit.0, Some(7));
    assert!(limit.1 > 0.0 && limit.1 <= 0.6 && limit.2 > 0.0, "{limit:?}");
}

#[test]
fn a_path_through_the_straight_wrist_is_refused_as_singular() {
    // Joint 5 from one side of straight to the other, as a straight line of the tool.
    let (chain, limits) = arm();
    let before = joints(&[0.0, 0.2, -0.3, 0.0, 0.4, 0.0]);
    let after = joints(&[0.0, 0.2, -0.3, 0.0, -0.4, 0.0]);
    for (sideways, refused) in [(1e-3, true), (0.25, false)] {
        let mut x_end = chain.forward(&after) * torch();
        x_end.translation.vector.y += sideways;
        let program = Program {
            x_flange_tool: torch(),
            payload: motiond::dynamics::RigidBody::none(),
            steps: vec![step(0, move_linear(x_end, 0.1, ADAPT))],
        };
        let outcome = plan(&program, &chain, &limits, &before);
        let singular = outcome.as_ref().is_err_and(|problems| {
            problems.iter().any(|problem| {
                matches!(problem.kind, PlanProblemKind::Singular { s, closeness, closeness_min, .. }
                    if s > 0.0 && closeness < closeness_min)
            })
        });
        assert_eq!(singular, refused, "{sideways}: {:?}", outcome.map(|plan| plan.report));
    }
}

#[test]
fn strict_refuses_a_speed_that_adapt_slows_down() {
    let there = displaced(&x_home(), [-0.1, 0.3, 0.0], [0.0; 3]);
    let kind = problem(vec![move_linear(there, 5.0, SpeedPolicy::Strict)]);
    let PlanProblemKind::SpeedNotHeld { programmed_m_s, achievable_m_s, .. } = kind else {
        panic!("{kind:?}")
    };
    assert!((programmed_m_s - 5.0).abs() < 1e-12 && achievable_m_s < 2.0 + 1e-12);
    let plan = planned(&home(), vec![move_linear(there, 5.0, ADAPT)]).expect("slower");
    let report = plan.report.segments[0];
    assert!(report.speed <= achievable_m_s && report.limited_by != LimitName::Programmed);
    // What strict says can be held, is held.
    let possible = achievable_m_s * 0.99;
    let plan = planned(&home(), vec![move_linear(there, possible, SpeedPolicy::Strict)]).expect("held");
    assert_eq!(plan.report.segments[0].speed.to_bits(), possible.to_bits());
    assert_eq!(plan.report.segments[0].limited_by, LimitName::Programmed);
}

#[test]
fn numbers_that_are_none_are_refused_by_name() {
    let there = displaced(&x_home(), [-0.1, 0.1, 0.0], [0.0; 3]);
    let nan = displaced(&x_home(), [f64::NAN, 0.0, 0.0], [0.0; 3]);
    let ratio = |speed, acceleration| StepKind::MoveJoint {
        target: MoveTarget::Joints(home()),
        posture: Posture::FREE,
        speed: Ratio::new(speed).expect("in 0..=1"),
        acceleration: Ratio::new(acceleration).expect("in 0..=1"),
    };
    let accelerated = |acceleration| StepKind::MoveLinear {
        x_base_tool: there,
        posture: Posture::FREE,
        speed_m_s: 0.1,
        acceleration_m_s2: Some(acceleration),
        policy: ADAPT,
    };
    let table = [
        (move_linear(nan, 0.1, ADAPT), ValueName::Target),
        (move_circular(Vector3::new(f64::INFINITY, 0.0, 0.0), there, 0.1), ValueName::Target),
        (move_joint(MoveTarget::Pose(nan)), ValueName::Target),
        (move_joint(MoveTarget::Joints(joints(&[f64::NAN; 6]))), ValueName::Target),
        (move_linear(there, 0.0, ADAPT), ValueName::Speed),
        (move_linear(there, f64::NAN, ADAPT), ValueName::Speed),
        (move_linear(there, f64::INFINITY, ADAPT), ValueName::Speed),
        (ratio(0.0, 1.0), ValueName::Speed),
        (ratio(1.0, 0.0), ValueName::Acceleration),
        (accelerated(-1.0), ValueName::Acceleration),
        (StepKind::Dwell(-1.0), ValueName::Duration),
        (StepKind::Dwell(f64::NAN), ValueName::Duration),
        (StepKind::WaitInput { channel: 0, on: true, timeout_s: f32::NAN }, ValueName::Duration),
    ];
    for (kind, name) in table {
        assert_eq!(problem(vec![kind.clone()]), PlanProblemKind::Value(name), "{kind:?}");
    }
    let five = MoveTarget::Joints(JointVector::zeros(5));
    assert_eq!(problem(vec![move_joint(five)]), PlanProblemKind::JointCount { expected: 6, found: 5 });
}

#[test]
fn what_makes_every_step_meaningless_is_refused_first() {
    let (chain, limits) = arm();
    let program = |x_flange_tool| Program {
        x_flange_tool,
        payload: motiond::dynamics::RigidBody::none(),
        steps: vec![step(0, StepKind::Dwell(1.0))],
    };
    let outcome = |x_flange_tool, q: &JointVector| plan(&program(x_flange_tool), &chain, &limits, q);
    assert!(outcome(torch(), &home()).is_ok());
    let mut q = home();
    q.set(0, 3.0);
    let Err(problems) = outcome(torch(), &q) else { panic!("joint 1 is outside") };
    assert!(matches!(problems[0].kind, PlanProblemKind::StartOutsideLimits { joint: 0, by } if by < 0.04));
    let bad_tool = Pose::translation(f64::NAN, 0.0, 0.0);
    let Err(problems) = outcome(bad_tool, &JointVector::zeros(5)) else { panic!("both are wrong") };
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.instruction.is_none()));
}

#[test]
fn all_mistakes_of_a_program_are_found_at_once_each_with_its_instruction() {
    let there = displaced(&x_home(), [-0.1, 0.2, 0.0], [0.0; 3]);
    let far = displaced(&x_home(), [2.0, 0.0, 0.0], [0.0; 3]);
    let mut outside = home();
    outside.set(4, 3.0);
    let problems = problems(vec![
        move_linear(there, 9.0, SpeedPolicy::Strict),
        move_linear(x_home(), 0.1, ADAPT),
        move_joint(MoveTarget::Joints(outside)),
        // Where this starts is not known.
        move_linear(there, 0.1, SpeedPolicy::Strict),
        move_joint(MoveTarget::Joints(home())),
        move_linear(far, 0.1, ADAPT),
        move_joint(MoveTarget::Joints(home())),
        StepKind::Dwell(f64::NAN),
    ]);
    let found: Vec<Option<u32>> = problems.iter().map(|problem| problem.instruction).collect();
    assert_eq!(found, [Some(0), Some(2), Some(5), Some(7)], "{problems:?}");
}

#[test]
fn the_pieces_of_a_run_are_numbered_without_gaps_and_closed() {
    let there = displaced(&x_home(), [-0.1, 0.1, 0.0], [0.0; 3]);
    let plan = planned(
        &home(),
        vec![move_linear(there, 0.1, ADAPT), StepKind::Dwell(0.5), move_linear(x_home(), 0.1, ADAPT)],
    )
    .expect("plain");
    let pieces: Vec<_> = plan.pieces_of_run(RunTag(3), ControlEpoch(2)).collect();
    let numbers: Vec<(u32, u32)> = pieces.iter().map(|piece| (piece.index, piece.instruction)).collect();
    assert_eq!(numbers, [(0, 0), (1, 1), (2, 2), (3, 2)]);
    assert_eq!(pieces[3].kind, PieceKind::EndOfRun);
    assert!(pieces.iter().all(|piece| piece.run == RunTag(3) && piece.epoch == ControlEpoch(2)));
    let motions: f64 = plan.report.segments.iter().map(|segment| segment.duration_s).sum();
    assert!((plan.report.duration_s - motions - 0.5).abs() < 1e-12);
}

#[test]
fn a_pose_target_takes_the_joints_nearest_to_the_start() {
    let target = displaced(&x_home(), [-0.05, 0.05, 0.0], [0.0; 3]);
    let plan = planned(&home(), vec![move_joint(MoveTarget::Pose(target))]).expect("plain");
    assert!((plan.q_end - home()).max_abs() < 0.3, "{:?}", plan.q_end);
}
