//! Joint waypoints in the shortest time: the path between them is free, every limit of speed, acceleration and jerk
//! holds everywhere, and waypoints are passed exactly (or within a zone) without stopping.
//!
//! What lives here: the problem, its solver and the trajectory. Programs with tool paths are planned by
//! [`plan`](super::plan) on geometry that is given.

mod bounds;
mod elimination;
mod guess;
mod lanes;
mod problem;
mod solver;

pub use problem::{LimitShares, WaypointError, WaypointLimits, WaypointProblem, WaypointTrajectory};

use lanes::{Lanes, WIDTH};
use solver::{JointGroup, Solver};

/// Most waypoints solved at once.
pub const WAYPOINTS_MAX: usize = 200;

/// Intervals of constant jerk in all, if there are few segments.
const INTERVALS: usize = 96;
/// Intervals of a segment at least: with 12, random problems of eight waypoints come within 0.3 % of 48.
const CUT_MIN: usize = 12;
/// Intervals of a segment at most.
const CUT_MAX: usize = 48;
/// Barriers to start from, and intervals more than usual in a segment, tried in this order. The first serves nearly
/// always; with other knots the rounding that stopped one attempt does not come again.
const ATTEMPTS: [(f64, usize); 6] = [(2e-2, 0), (5e-2, 3), (1e-2, 6), (1e-1, 9), (5e-3, 12), (2e-2, 18)];
/// A trajectory is slowed by at most this part to take back what the solver left above a limit.
const STRETCH_MAX: f64 = 1e-3;
/// How far a waypoint may be missed by rounding, rad or m.
const MISS_MAX: f64 = 1e-9;
/// Most runs with position limits drawn in further.
const DRAWN_IN_MAX: usize = 4;

/// The fastest trajectory through the waypoints that the solver finds, from rest to rest.
///
/// If the solver does not come to an end for all at once, the arm stops at each waypoint
/// ([`WaypointTrajectory::stops_at_waypoints`]). Every limit holds everywhere, between waypoints and samples too; waypoints are passed to 1e-9 (or within the zone).
/// Allocates; not for the cycle. 8 waypoints of 7 joints take a few milliseconds.
/// # Errors
/// [`WaypointError`]: a value that is no usable number, or no trajectory found.
pub fn plan_waypoints(problem: &WaypointProblem<'_>) -> Result<WaypointTrajectory, WaypointError> {
    problem.check()?;
    let distinct = problem.distinct();
    let segments = distinct.len() - 1;
    if segments == 0 {
        return Ok(WaypointTrajectory::standing(&problem.waypoints[0], problem.waypoints.len()));
    }
    let cut = (INTERVALS / segments).clamp(CUT_MIN, CUT_MAX);
    let attempts =
        || ATTEMPTS.iter().find_map(|&(barrier, more)| attempt(problem, &distinct, cut + more, barrier));
    attempts().or_else(|| stopping(problem)).ok_or(WaypointError::NotSolved)
}

/// Rest to rest from each waypoint to the next: where limits lie so far apart that no attempt came to an end.
fn stopping(problem: &WaypointProblem<'_>) -> Option<WaypointTrajectory> {
    if problem.waypoints.len() == 2 {
        return None;
    }
    let moves: Option<Vec<_>> = problem
        .waypoints
        .windows(2)
        .map(|waypoints| plan_waypoints(&WaypointProblem { waypoints, ..*problem }).ok())
        .collect();
    moves.map(WaypointTrajectory::joined)
}

/// A trajectory with `cut` intervals in a segment that keeps all limits. `None`: not solved.
///
/// The solver looks at positions at knots: where one is left between them, the limit is drawn in and it runs again.
fn attempt(
    problem: &WaypointProblem<'_>,
    distinct: &[usize],
    cut: usize,
    barrier: f64,
) -> Option<WaypointTrajectory> {
    let mut limits = problem.limits.to_vec();
    for _ in 0..DRAWN_IN_MAX {
        let trajectory = run(&WaypointProblem { limits: &limits, ..*problem }, distinct, cut, barrier)?;
        let overshoots = trajectory.overshoots(problem.limits);
        if overshoots.iter().all(|overshoot| *overshoot <= MISS_MAX) {
            return Some(trajectory);
        }
        for (limits, overshoot) in limits.iter_mut().zip(overshoots) {
            limits.position =
                limits.position.map(|(low, high)| (low + 1.5 * overshoot, high - 1.5 * overshoot));
        }
    }
    None
}

/// One run of the solver. `None`: not solved, or not to the limits.
fn run(
    problem: &WaypointProblem<'_>,
    distinct: &[usize],
    cut: usize,
    barrier: f64,
) -> Option<WaypointTrajectory> {
    let guess = guess::guess(problem, distinct, cut);
    let groups: Vec<JointGroup> = (0..problem.limits.len())
        .step_by(WIDTH)
        .map(|first| joint_group(problem, distinct, guess.unit_s, first))
        .collect();
    let knots = (0..groups.len()).map(|group| guess.knots_of(group)).collect();
    let solution = Solver::new(&groups, cut, guess.lengths, guess.shares, knots, barrier).solve()?;
    let trajectory = WaypointTrajectory::from_accelerations(
        problem,
        distinct,
        cut,
        &solution.intervals.iter().map(|length| length * guess.unit_s).collect::<Vec<_>>(),
        |joint, knot| {
            solution.accelerations[joint / WIDTH][knot].0[joint % WIDTH] * problem.limits[joint].speed
                / guess.unit_s
        },
        solution.iterations,
    );
    let stretch = trajectory
        .shares(problem.limits)
        .iter()
        .map(|shares| shares.speed.max(shares.acceleration.sqrt()).max(shares.jerk.cbrt()))
        .fold(1.0, f64::max);
    let kept = problem.waypoints.iter().zip(&trajectory.passed_s).all(|(waypoint, &time_s)| {
        let passed = trajectory.sample(time_s);
        waypoint.iter().zip(passed).all(|(wanted, [q, _, _])| (wanted - q).abs() <= problem.zone + MISS_MAX)
    });
    // NaN is no stretch.
    (stretch <= 1.0 + STRETCH_MAX && kept).then(|| trajectory.stretched(stretch))
}

/// Eight joints from `first` on in the units of the solver; lanes without a joint stand still.
fn joint_group(problem: &WaypointProblem<'_>, distinct: &[usize], unit_s: f64, first: usize) -> JointGroup {
    let lanes = |missing: f64, of: &dyn Fn(usize) -> f64| {
        Lanes(std::array::from_fn(|lane| {
            if first + lane < problem.limits.len() { of(first + lane) } else { missing }
        }))
    };
    let limits = problem.limits;
    let unit_of_position = |joint: usize| limits[joint].speed * unit_s;
    JointGroup {
        acceleration: lanes(1.0, &|j| limits[j].acceleration * unit_s / limits[j].speed),
        jerk: lanes(1.0, &|j| limits[j].jerk * unit_s * unit_s / limits[j].speed),
        position: [
            lanes(-1.0, &|j| problem.position_range(j).0 / unit_of_position(j)),
            lanes(1.0, &|j| problem.position_range(j).1 / unit_of_position(j)),
        ],
        waypoints: distinct
            .iter()
            .map(|&waypoint| lanes(0.0, &|j| problem.waypoints[waypoint][j] / unit_of_position(j)))
            .collect(),
        zone: lanes(problem.zone, &|j| problem.zone / unit_of_position(j)),
    }
}
