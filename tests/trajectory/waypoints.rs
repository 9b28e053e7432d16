//! Joint waypoints in the shortest time: through every point, within every limit, and as fast as an independent
//! solver where there is one.

use motiond::planning::waypoints::{
    WaypointError, WaypointLimits, WaypointProblem, WaypointTrajectory, plan_waypoints,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rsruckig::prelude::{InputParameter, Ruckig, ThrowErrorHandler, Trajectory};

/// What rounding may add to a share of a limit.
const ROUNDING: f64 = 1e-9;

const EVEN: WaypointLimits = WaypointLimits { speed: 2.0, acceleration: 8.0, jerk: 80.0, position: None };

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(0x6d6f_7469_6f6e),
        failure_persistence: None,
        max_shrink_iters: 100,
        ..ProptestConfig::default()
    }
}

/// Limits from a slow positioner to a fast wrist: full speed after 0.05 to 0.6 s, full acceleration after 0.02 to
/// 0.25 s.
fn limits(joints: usize) -> impl Strategy<Value = Vec<WaypointLimits>> {
    let one =
        (-0.5..1.0f64, 0.2..1.3f64, 0.6..1.7f64).prop_map(|(speed, acceleration, jerk)| WaypointLimits {
            speed: 10f64.powf(speed),
            acceleration: 10f64.powf(speed + acceleration),
            jerk: 10f64.powf(speed + acceleration + jerk),
            position: None,
        });
    prop::collection::vec(one, joints)
}

fn problems(
    waypoints: std::ops::Range<usize>,
) -> impl Strategy<Value = (Vec<Vec<f64>>, Vec<WaypointLimits>)> {
    (1..=12usize, waypoints).prop_flat_map(|(joints, waypoints)| {
        let row = prop::collection::vec(-2.0..2.0f64, joints);
        (prop::collection::vec(row, waypoints), limits(joints))
    })
}

fn planned(waypoints: &[Vec<f64>], limits: &[WaypointLimits], zone: f64) -> WaypointTrajectory {
    plan_waypoints(&WaypointProblem { waypoints, limits, zone }).expect("there is a trajectory")
}

/// Largest distance of a joint from any waypoint when that is passed.
fn miss(trajectory: &WaypointTrajectory, waypoints: &[Vec<f64>]) -> f64 {
    let misses = trajectory.passed_s.iter().zip(waypoints).flat_map(|(&time_s, waypoint)| {
        let sample = trajectory.sample(time_s);
        waypoint.iter().zip(sample).map(|(wanted, [q, _, _])| (wanted - q).abs()).collect::<Vec<_>>()
    });
    misses.fold(0.0, f64::max)
}

/// Third, second and first differences of samples at the cycle time never exceed a limit: what a drive would see.
fn check_differences(
    trajectory: &WaypointTrajectory,
    limits: &[WaypointLimits],
) -> Result<(), TestCaseError> {
    const DT: f64 = 1e-3;
    // Rounding of positions of a few rad, differenced.
    let noise = |order: i32| 8.0 * f64::EPSILON * 4.0 / DT.powi(order);
    let mut last = [const { Vec::new() }; 3];
    let mut time_s = -3.0 * DT;
    while time_s < trajectory.duration_s() + 4.0 * DT {
        let mut now: Vec<f64> = trajectory.sample(time_s.max(0.0)).iter().map(|state| state[0]).collect();
        for (order, last) in last.iter_mut().enumerate() {
            let before = std::mem::replace(last, now.clone());
            if before.is_empty() {
                break;
            }
            now = now.iter().zip(&before).map(|(now, before)| (now - before) / DT).collect();
            for (joint, (rate, limits)) in now.iter().zip(limits).enumerate() {
                let allowed = [limits.speed, limits.acceleration, limits.jerk][order];
                let order = i32::try_from(order).expect("three orders") + 1;
                prop_assert!(
                    rate.abs() <= allowed * (1.0 + 1e-9) + noise(order),
                    "joint {joint}, difference {order}: {rate} at {time_s} s, allowed {allowed}"
                );
            }
        }
        time_s += DT;
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn every_limit_holds_everywhere_and_every_waypoint_is_passed((waypoints, limits) in problems(2..9)) {
        let trajectory = planned(&waypoints, &limits, 0.0);
        prop_assert!(!trajectory.stops_at_waypoints, "not solved together");
        for shares in trajectory.shares(&limits) {
            prop_assert!(shares.speed <= 1.0 + ROUNDING, "{shares:?}");
            prop_assert!(shares.acceleration <= 1.0 + ROUNDING, "{shares:?}");
            prop_assert!(shares.jerk <= 1.0 + ROUNDING, "{shares:?}");
        }
        prop_assert!(miss(&trajectory, &waypoints) <= 1e-9, "misses by {}", miss(&trajectory, &waypoints));
        for state in trajectory.sample(0.0).iter().chain(&trajectory.sample(trajectory.duration_s() * (1.0 - 1e-15))) {
            prop_assert!(state[1].abs() < 1e-7 && state[2].abs() < 1e-6, "not at rest: {state:?}");
        }
        check_differences(&trajectory, &limits)?;
    }

    /// From point to point the optimum is known. Jerk changes at knots only: joints with limits far apart lose up to 3 %.
    #[test]
    fn a_single_move_is_as_fast_as_the_time_optimal_one((waypoints, limits) in problems(2..3)) {
        let trajectory = planned(&waypoints, &limits, 0.0);
        let mut input = InputParameter::<0>::new(Some(limits.len()));
        for (joint, limits) in limits.iter().enumerate() {
            input.current_position[joint] = waypoints[0][joint];
            input.target_position[joint] = waypoints[1][joint];
            input.max_velocity[joint] = limits.speed;
            input.max_acceleration[joint] = limits.acceleration;
            input.max_jerk[joint] = limits.jerk;
        }
        let mut optimum = Trajectory::<0>::new(Some(limits.len()));
        Ruckig::<0, ThrowErrorHandler>::new(Some(limits.len()), 1e-3)
            .calculate(&input, &mut optimum)
            .expect("rest to rest has a solution");
        prop_assume!(optimum.get_duration() > 0.0);
        let ratio = trajectory.duration_s() / optimum.get_duration();
        prop_assert!((1.0 - 1e-6..1.03).contains(&ratio), "{ratio} of the optimum");
    }

    #[test]
    fn a_zone_is_kept_and_saves_time((waypoints, limits) in problems(3..7), zone in 0.01..0.3f64) {
        let exact = planned(&waypoints, &limits, 0.0);
        let rounded = planned(&waypoints, &limits, zone);
        prop_assert!(miss(&rounded, &waypoints) <= zone + 1e-9);
        prop_assert!(rounded.stops_at_waypoints || rounded.duration_s() <= exact.duration_s() * 1.005);
    }

    #[test]
    fn position_limits_hold_between_waypoints((waypoints, limits) in problems(3..7)) {
        // As tight as the waypoints allow, so that a free curve would swing over.
        let limits: Vec<WaypointLimits> = limits
            .into_iter()
            .enumerate()
            .map(|(joint, limits)| {
                let values = || waypoints.iter().map(|row| row[joint]);
                let (low, high) =
                    (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
                WaypointLimits { position: Some((low - 0.02, high + 0.02)), ..limits }
            })
            .collect();
        let trajectory = planned(&waypoints, &limits, 0.0);
        let samples = 2000;
        for sample in 0..=samples {
            let time_s = trajectory.duration_s() * f64::from(sample) / f64::from(samples);
            for ([q, _, _], limits) in trajectory.sample(time_s).iter().zip(&limits) {
                let (low, high) = limits.position.expect("given above");
                prop_assert!((low - 1e-9..=high + 1e-9).contains(q), "{q} outside {low} to {high}");
            }
        }
    }
}

#[test]
fn corners_have_defined_results() {
    let limits = [EVEN; 2];
    let rows = |rows: &[[f64; 2]]| rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>();

    let standing = planned(&rows(&[[0.1, 0.2], [0.1, 0.2]]), &limits, 0.0);
    assert_eq!((standing.duration_s(), standing.passed_s.len()), (0.0, 2));
    assert_eq!(standing.sample(1.0), [[0.1, 0.0, 0.0], [0.2, 0.0, 0.0]]);

    // A point given twice is passed once.
    let twice = rows(&[[0.0, 0.0], [0.5, 0.0], [0.5, 0.0], [1.0, 1.0]]);
    let trajectory = planned(&twice, &limits, 0.0);
    assert_eq!(trajectory.passed_s.len(), 4);
    assert_eq!(trajectory.passed_s[1].to_bits(), trajectory.passed_s[2].to_bits());
    assert!(miss(&trajectory, &twice) < 1e-9);

    // There and back, on a line, and steps from tiny to large.
    for points in [
        vec![[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]],
        vec![[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]],
        vec![[0.0, 0.0], [1e-4, 0.0], [1.0, 1.0], [1.0, 1.0 + 1e-4]],
    ] {
        let points = rows(&points);
        let trajectory = planned(&points, &limits, 0.0);
        assert!(miss(&trajectory, &points) < 1e-9, "{points:?}");
        check_differences(&trajectory, &limits).expect("limits hold");
    }
    // Points on a line are no reason to slow down.
    let (direct, through) = (rows(&[[0.0, 0.0], [1.0, 1.0]]), rows(&[[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]));
    let ratio = planned(&through, &limits, 0.0).duration_s() / planned(&direct, &limits, 0.0).duration_s();
    assert!((0.995..1.005).contains(&ratio), "{ratio}");
}

#[test]
fn mistakes_are_named() {
    let plan = |waypoints: &[Vec<f64>], limits: &[WaypointLimits], zone| {
        plan_waypoints(&WaypointProblem { waypoints, limits, zone }).expect_err("must be refused")
    };
    let two = [vec![0.0, 0.0], vec![1.0, 1.0]];
    assert_eq!(plan(&two[..1], &[EVEN; 2], 0.0), WaypointError::TooFew { found: 1 });
    assert_eq!(plan(&two, &[EVEN; 3], 0.0), WaypointError::JointCount { waypoint: 0, found: 2, expected: 3 });
    assert!(matches!(plan(&[vec![0.0], vec![f64::NAN]], &[EVEN], 0.0), WaypointError::Value { .. }));
    assert!(matches!(plan(&two, &[EVEN; 2], -1.0), WaypointError::Value { .. }));
    assert!(matches!(
        plan(&two, &[WaypointLimits { jerk: 0.0, ..EVEN }; 2], 0.0),
        WaypointError::Value { .. }
    ));
    let narrow = WaypointLimits { position: Some((-0.5, 0.5)), ..EVEN };
    assert_eq!(
        plan(&two, &[EVEN, narrow], 0.0),
        WaypointError::OutsideLimits { waypoint: 1, joint: 1, position: 1.0, allowed: (-0.5, 0.5) }
    );
    let many = vec![vec![0.0]; 201];
    assert_eq!(plan(&many, &[EVEN], 0.0), WaypointError::TooMany { found: 201, max: 200 });
}
