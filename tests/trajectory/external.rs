//! External axes: a track under the arm, and a positioner that carries the part.

use motiond::config::kinematic_model::{EmbeddedModel, KinematicModel};
use motiond::geometry::Pose;
use motiond::joints::JointVector;
use motiond::planning::{
    External, Limits, MoveTarget, Plan, PlanProblem, PlanProblemKind, Posture, Program, RateLimits,
    SpeedPolicy, StepKind, ToolLimits, plan,
};
use motiond::trajectory::time_law::Target;
use motiond::units::Ratio;
use nalgebra::{Translation3, UnitQuaternion, Vector3};

use crate::limits_kept::check;
use crate::support::{displaced, execute, joints, segments, step};

const FULL: Target = Target::Run { override_ratio: Ratio::ONE };

fn model(base: Option<&str>) -> (KinematicModel, Limits) {
    let model = EmbeddedModel::by_name("track-positioner-16kg").expect("shipped");
    let model = model.load_between(base, Some("flange")).unwrap_or_else(|problems| panic!("{problems}"));
    let rate = RateLimits { speed: 2.0, acceleration: 20.0, jerk: 400.0 };
    let limits = Limits {
        torques: None,
        joints: model.limits,
        tool: ToolLimits { translation: rate, rotation: rate },
    };
    (model, limits)
}

/// The joints of a chain, named, rad or m.
fn placed(model: &KinematicModel, values: &[(&str, f64)]) -> (u16, JointVector) {
    let mut q = JointVector::zeros(model.chain.joint_count());
    let mut mask = 0;
    for (name, value) in values {
        let joint = model.joint_names.iter().position(|known| known == name).expect("a joint of the chain");
        q.set(joint, *value);
        mask |= 1 << joint;
    }
    (mask, q)
}

const ARM: [(&str, f64); 6] = [
    ("joint_1", 1.2),
    ("joint_2", 0.2),
    ("joint_3", 0.1),
    ("joint_4", 0.2),
    ("joint_5", 0.9),
    ("joint_6", -0.3),
];

fn line(
    (model, limits): &(KinematicModel, Limits),
    q_start: &JointVector,
    x_base_tool: Pose,
    external: External,
) -> Result<Plan, Vec<PlanProblem>> {
    let posture = Posture { external, ..Posture::FREE };
    let policy = SpeedPolicy::Adapt;
    let kind = StepKind::MoveLinear { x_base_tool, posture, speed_m_s: 0.2, acceleration_m_s2: None, policy };
    run((model, limits), q_start, kind)
}

fn run(
    (model, limits): (&KinematicModel, &Limits),
    q_start: &JointVector,
    kind: StepKind,
) -> Result<Plan, Vec<PlanProblem>> {
    let payload = motiond::dynamics::RigidBody::none();
    let program = Program { x_flange_tool: Pose::identity(), payload, steps: vec![step(0, kind)] };
    plan(&program, &model.chain, limits, q_start)
}

#[test]
fn a_track_stays_follows_goes_where_it_is_told_or_where_the_path_is_fastest() {
    let group = model(None);
    let (model, limits) = &group;
    let mut start: Vec<(&str, f64)> = ARM.to_vec();
    start.push(("track", 1.0));
    let (_, q_start) = placed(model, &start);
    let there = displaced(&model.chain.forward(&q_start), [0.3, 0.1, 0.0], [0.0; 3]);
    let (mask, at) = placed(model, &[("track", 1.7)]);
    let track = |plan: &Plan| plan.q_end.get(0);
    let cases = [
        (External::Keep, Some(1.0)),
        (External::Follow, Some(1.3)),
        (External::At { mask, positions: at }, Some(1.7)),
        (External::Optimise, None),
    ];
    let mut slowest = f64::INFINITY;
    for (external, wanted) in cases {
        let plan =
            line(&group, &q_start, there, external).unwrap_or_else(|found| panic!("{external:?}: {found:?}"));
        if let Some(wanted) = wanted {
            assert!((track(&plan) - wanted).abs() < 1e-9, "{external:?}: {}", track(&plan));
        }
        let reached = model.chain.forward(&plan.q_end);
        assert!((reached.translation.vector - there.translation.vector).norm() < 1e-9);
        for segment in segments(&plan) {
            for ratio in [1.0, 0.4] {
                let target = Target::Run { override_ratio: Ratio::new(ratio).expect("a share") };
                check(&model.chain, limits, &segment, &execute(&model.chain, &segment, 1e-3, |_| target))
                    .expect("limits kept, tool on the path");
            }
        }
        let speed = plan.report.segments[0].speed;
        if external == External::Optimise {
            assert!(speed >= slowest - 1e-9, "{speed} is not the fastest");
        } else {
            slowest = if slowest.is_infinite() { speed } else { slowest.max(speed) };
        }
    }
    // As the target of a joint motion.
    let posture = Posture { external: External::At { mask, positions: at }, ..Posture::FREE };
    let (target, speed, acceleration) = (MoveTarget::Pose(there), Ratio::ONE, Ratio::ONE);
    let kind = StepKind::MoveJoint { target, posture, speed, acceleration };
    let plan = run((model, limits), &q_start, kind).expect("within reach");
    assert!((track(&plan) - 1.7).abs() < 1e-12);
    // One position too many.
    let (mask, at) = placed(model, &[("track", 1.7), ("joint_1", 0.3)]);
    let refused =
        line(&group, &q_start, there, External::At { mask, positions: at }).expect_err("two of one");
    assert_eq!(refused[0].kind, PlanProblemKind::ExternalCount { needed: 1, found: 2 });
}

/// Pose of the positioner's table in the room, written a second time from the URDF.
fn x_room_table(tilt: f64, turn: f64) -> Pose {
    let rotate = |axis, angle| {
        Pose::from_parts(Translation3::identity(), UnitQuaternion::from_axis_angle(axis, angle))
    };
    Pose::translation(2.0, 1.6, 0.9)
        * rotate(&Vector3::y_axis(), tilt)
        * rotate(&Vector3::z_axis(), turn)
        * Pose::translation(0.0, 0.0, -0.1)
}

#[test]
fn the_chain_from_the_table_to_the_flange_is_the_arm_seen_from_the_part() {
    let (room, _) = model(None);
    let (part, _) = model(Some("table"));
    assert!(part.base_moves && !room.base_moves && part.dynamics().is_err());
    assert_eq!(part.joint_names[..3], ["positioner_turn", "positioner_tilt", "track"].map(str::to_owned));
    for (index, (tilt, turn, track)) in
        [(0.0, 0.0, 1.0), (0.7, -2.0, 2.5), (-1.3, 4.0, 0.2)].into_iter().enumerate()
    {
        let mut values: Vec<(&str, f64)> = ARM.to_vec();
        values.push(("track", track));
        let in_room = room.chain.forward(&placed(&room, &values).1);
        values.extend([("positioner_tilt", tilt), ("positioner_turn", turn)]);
        let on_part = part.chain.forward(&placed(&part, &values).1);
        let wanted = x_room_table(tilt, turn).inverse() * in_room;
        let miss = motiond::geometry::displacement(&on_part, &wanted);
        assert!(miss.linear.norm() < 1e-12 && miss.angular.norm() < 1e-12, "case {index}: {miss:?}");
    }
}

#[test]
fn a_seam_on_the_turning_table_is_followed_by_arm_and_positioner_together() {
    let group = model(Some("table"));
    let (model, limits) = &group;
    let (room, _) = self::model(None);
    // A tool that points down on the table, from the side of the track.
    let mut near: Vec<(&str, f64)> = vec![("track", 1.6), ("positioner_tilt", 0.0), ("positioner_turn", 0.0)];
    near.extend([
        ("joint_1", 1.2),
        ("joint_2", 0.6),
        ("joint_3", 0.1),
        ("joint_4", 0.1),
        ("joint_5", 0.8),
        ("joint_6", 0.0),
    ]);
    let (_, q_start) = placed(model, &near);
    // 80 mm along the part while the table turns by 60° and tilts by 15°.
    let there = displaced(&model.chain.forward(&q_start), [0.05, 0.06, 0.02], [0.0; 3]);
    let (mask, positions) =
        placed(model, &[("positioner_turn", 0.6), ("positioner_tilt", 0.2), ("track", 1.7)]);
    let plan = line(&group, &q_start, there, External::At { mask, positions })
        .unwrap_or_else(|found| panic!("{found:?}"));
    let segment = segments(&plan)[0];
    let cycles = execute(&model.chain, &segment, 1e-3, |_| FULL);
    check(&model.chain, limits, &segment, &cycles).expect("limits kept, tool on the path");
    let named = |name: &str| model.joint_names.iter().position(|known| known == name).expect("a joint");
    let start = model.chain.forward(&q_start).translation.vector;
    let along = (there.translation.vector - start).normalize();
    let mut moved_in_room = 0.0_f64;
    let first_in_room = {
        let values: Vec<(&str, f64)> =
            room.joint_names.iter().map(|name| (name.as_str(), q_start.get(named(name)))).collect();
        room.chain.forward(&placed(&room, &values).1).translation.vector
    };
    for cycle in &cycles {
        // The flange in the room by the arm alone, the table by the positioner alone.
        let values: Vec<(&str, f64)> =
            room.joint_names.iter().map(|name| (name.as_str(), cycle.q.get(named(name)))).collect();
        let in_room = room.chain.forward(&placed(&room, &values).1);
        let table =
            x_room_table(cycle.q.get(named("positioner_tilt")), cycle.q.get(named("positioner_turn")));
        let on_part = (table.inverse() * in_room).translation.vector - start;
        assert!((on_part - along * on_part.dot(&along)).norm() < 1e-8, "off the seam on the part");
        moved_in_room = moved_in_room.max((in_room.translation.vector - first_in_room).norm());
    }
    let end = cycles.last().expect("moves").q;
    assert!((end.get(named("positioner_turn")) - 0.6).abs() < 1e-9);
    assert!((end.get(named("positioner_tilt")) - 0.2).abs() < 1e-9);
    assert!(moved_in_room > 0.1, "the positioner carries the part away: {moved_in_room} m");
}

#[test]
fn joints_by_their_limits() {
    let (model, limits) = model(Some("table"));
    assert_eq!(model.chain.joint_count(), 9);
    assert!(limits.joints.as_slice().iter().all(|limit| limit.jerk_max.is_finite()));
    assert_eq!(joints(&[0.0; 9]).len(), 9);
}
