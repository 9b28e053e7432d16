//! Whatever is planned keeps every limit at every cycle, whatever is done with override and hold.

use motiond::geometry::displacement;
use motiond::joints::JointVector;
use motiond::kinematics::Chain;
use motiond::planning::{Limits, MoveTarget, Plan, SpeedPolicy, StepKind};
use motiond::trajectory::Segment;
use motiond::trajectory::path::Path;
use motiond::trajectory::time_law::Target;
use motiond::units::Ratio;
use nalgebra::Vector3;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::support::{
    Cycle, arm, displaced, execute, home, move_circular, move_joint, move_linear, planned, segments, torch,
};

/// The cycle.
const DT: f64 = 0.001;

/// What the difference of solved setpoints may exceed a limit by: parts of the limit, and the solver's
/// 1e-12 rad times what the difference does to it.
const EXCESS: f64 = 1.0 + 1e-6;
const SOLVER_NOISE: f64 = 1e-11;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(0x6d6f_7469_6f6e),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Programs around the middle of the working space; some of them are refused.
pub(crate) fn programs() -> impl Strategy<Value = Vec<StepKind>> {
    let (chain, _) = arm();
    let middle = chain.forward(&home()) * torch();
    let positions = [-0.4..0.1f64, -0.4..0.4, -0.3..0.15];
    let turns = [-0.7..0.7f64, -0.7..0.7, -0.7..0.7];
    let pose = (positions, turns).prop_map(move |(by, turn)| displaced(&middle, by, turn));
    let speed = (-2.0..0.5f64).prop_map(|exponent| 10f64.powf(exponent));
    let motion = prop_oneof![
        2 => pose.clone().prop_map(|pose| move_joint(MoveTarget::Pose(pose))),
        1 => [-1.5..1.5f64, -0.5..0.8, -1.0..0.5, -1.5..1.5, 0.3..1.5, -2.0..2.0]
            .prop_map(|q| move_joint(MoveTarget::Joints(JointVector::from_slice(&q).expect("six")))),
        4 => (pose.clone(), speed.clone())
            .prop_map(|(pose, speed)| move_linear(pose, speed, SpeedPolicy::Adapt)),
        3 => (pose.clone(), pose, speed)
            .prop_map(|(via, pose, speed)| move_circular(via.translation.vector, pose, speed)),
    ];
    prop::collection::vec(motion, 1..4)
}

/// What a joint does between cycles never exceeds its limits; the tool is on its path.
pub(crate) fn check(
    chain: &Chain,
    limits: &Limits,
    segment: &Segment,
    cycles: &[Cycle],
) -> Result<(), TestCaseError> {
    // Standstill before and after belongs to the motion.
    let mut q = vec![segment.q_start; 3];
    q.extend(cycles.iter().map(|cycle| cycle.q));
    q.extend([segment.q_end; 3]);
    let difference = |values: &[JointVector]| -> Vec<JointVector> {
        values.windows(2).map(|pair| (pair[1] - pair[0]) * (1.0 / DT)).collect()
    };
    let speeds = difference(&q);
    let accelerations = difference(&speeds);
    let jerks = difference(&accelerations);
    for (joint, limit) in limits.joints.as_slice().iter().enumerate() {
        for (name, values, allowed, noise) in [
            ("speed", &speeds, limit.speed_max, SOLVER_NOISE / DT),
            ("acceleration", &accelerations, limit.acceleration_max, SOLVER_NOISE / DT.powi(2)),
            ("jerk", &jerks, limit.jerk_max, SOLVER_NOISE / DT.powi(3)),
        ] {
            let (at, largest) = values
                .iter()
                .map(|values| values.get(joint).abs())
                .enumerate()
                .max_by(|(_, a), (_, b)| a.total_cmp(b))
                .unwrap_or_default();
            prop_assert!(
                largest <= allowed * EXCESS + noise,
                "{name} of joint {joint} is {largest} of {allowed} at cycle {at} of {} ({:?})",
                cycles.len(),
                segment.ceiling,
            );
        }
        for cycle in cycles {
            let value = cycle.q.get(joint);
            prop_assert!((limit.position_min - 1e-8..=limit.position_max + 1e-8).contains(&value));
        }
    }
    for cycle in cycles {
        let Some(wanted) = cycle.x_base_tool else { continue };
        let miss = displacement(&(chain.forward(&cycle.q) * segment.x_flange_tool), &wanted);
        let is_guided = segment.guide.wrist_at(cycle.s / segment.path.length()).is_some();
        prop_assert!(miss.linear.norm() <= 1e-8 && (is_guided || miss.angular.norm() <= 1e-8));
    }
    // No sample twice while moving, none missing.
    for pair in cycles.windows(2) {
        prop_assert!(pair[1].s >= pair[0].s);
    }
    let last = cycles.last().map(|cycle| cycle.q).unwrap_or(segment.q_start);
    prop_assert!((last - segment.q_end).max_abs() <= 1e-9, "ends {}", (last - segment.q_end).max_abs());
    Ok(())
}

/// The tool on its geometry, judged without the path's own sampling.
fn check_geometry(chain: &Chain, segment: &Segment, cycles: &[Cycle]) -> Result<(), TestCaseError> {
    let tool = |q: &JointVector| (chain.forward(q) * segment.x_flange_tool).translation.vector;
    let (start, end) = (tool(&segment.q_start), tool(&segment.q_end));
    for cycle in cycles {
        let here = tool(&cycle.q);
        let off = match segment.path {
            Path::Joint(_) => 0.0,
            Path::Line(_) => {
                let along = (end - start).try_normalize(1e-9).unwrap_or_else(Vector3::zeros);
                let from_start = here - start;
                (from_start - along * from_start.dot(&along)).norm()
            }
            Path::Arc(arc) => {
                let normal =
                    (start - arc.centre()).cross(&(tool(&cycles[cycles.len() / 2].q) - arc.centre()));
                let out_of_plane = normal
                    .try_normalize(1e-6)
                    .map_or(0.0, |normal| (here - arc.centre()).dot(&normal).abs() / (1.0 + arc.radius()));
                out_of_plane.max(((here - arc.centre()).norm() - arc.radius()).abs())
            }
        };
        prop_assert!(off <= 1e-8, "{off} m off");
    }
    Ok(())
}

fn check_continuous(plan: &Plan) -> Result<(), TestCaseError> {
    let segments = segments(plan);
    let mut q = plan.q_start;
    for segment in &segments {
        prop_assert_eq!(q, segment.q_start);
        q = segment.q_end;
    }
    prop_assert_eq!(q, plan.q_end);
    Ok(())
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn a_planned_program_keeps_every_limit_at_every_cycle(kinds in programs()) {
        let (chain, limits) = arm();
        let Ok(plan) = planned(&home(), kinds) else { return Ok(()) };
        check_continuous(&plan)?;
        let mut duration = 0.0;
        for segment in segments(&plan) {
            let cycles = execute(&chain, &segment, DT, |_| Target::Run { override_ratio: Ratio::ONE });
            check(&chain, &limits, &segment, &cycles)?;
            check_geometry(&chain, &segment, &cycles)?;
            duration += f64::from(u32::try_from(cycles.len()).unwrap_or(u32::MAX)) * DT;
        }
        let cycles_rounded_up = DT * 4.0;
        prop_assert!((duration - plan.report.duration_s).abs() <= cycles_rounded_up);
    }

    #[test]
    fn override_and_hold_at_any_cycle_keep_every_limit_too(
        kinds in programs(),
        script in prop::collection::vec((1..400usize, prop_oneof![
            Just(Target::Hold),
            (0.0..1.0f64).prop_map(|ratio| Target::Run { override_ratio: Ratio::new(ratio).expect("in 0..1") }),
        ]), 1..8),
    ) {
        let (chain, limits) = arm();
        let Ok(plan) = planned(&home(), kinds) else { return Ok(()) };
        for segment in segments(&plan) {
            let full = Target::Run { override_ratio: Ratio::ONE };
            let end: usize = script.iter().map(|(cycles, _)| cycles).sum();
            let cycles = execute(&chain, &segment, DT, |cycle| {
                let mut until = 0;
                let active = script.iter().find(|(cycles, _)| {
                    until += cycles;
                    cycle < until
                });
                if cycle >= end { full } else { active.map_or(full, |(_, target)| *target) }
            });
            check(&chain, &limits, &segment, &cycles)?;
            check_geometry(&chain, &segment, &cycles)?;
        }
    }
}

#[test]
fn most_random_programs_are_accepted_and_use_their_limits() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::new(config(1));
    let (mut accepted, mut used) = (0, 0.0);
    for _ in 0..100 {
        let kinds = programs().new_tree(&mut runner).expect("generates").current();
        let Ok(plan) = planned(&home(), kinds) else { continue };
        accepted += 1;
        let most = |ratio: fn(&motiond::planning::SegmentReport) -> f64| {
            plan.report.segments.iter().map(ratio).fold(0.0, f64::max)
        };
        for ratio in [
            most(|report| report.joint_speed_ratio),
            most(|report| report.joint_acceleration_ratio),
            most(|report| report.joint_jerk_ratio),
        ] {
            assert!(ratio <= 1.0, "{ratio}");
        }
        used += most(|report| report.joint_jerk_ratio);
    }
    assert!(accepted >= 60, "only {accepted} of 100 programs were accepted");
    assert!(used / f64::from(accepted) > 0.6, "jerk is used to {} only", used / f64::from(accepted));
}
