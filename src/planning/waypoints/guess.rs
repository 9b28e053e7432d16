//! A first guess: a smooth curve through the waypoints, slow enough for every limit.

use super::lanes::{Lanes, WIDTH};
use super::problem::WaypointProblem;

/// Share of the limits the guess uses at most.
const SHARE: f64 = 0.7;

/// Knots in the units of the solver.
#[derive(Clone, Debug)]
pub(super) struct Guess {
    /// Unit of time, s.
    pub(super) unit_s: f64,
    /// Mean length of the intervals of each segment, in that unit.
    pub(super) lengths: Vec<f64>,
    /// Length of each interval over the mean of its segment.
    pub(super) shares: Vec<f64>,
    /// `[joint][knot]`: q, v, a over the speed limit.
    joints: Vec<Vec<[f64; 3]>>,
}

impl Guess {
    pub(super) fn knots_of(&self, group: usize) -> Vec<[Lanes; 3]> {
        let joints = self.joints.get(group * WIDTH..).unwrap_or(&[]);
        let count = joints.first().map_or(0, Vec::len);
        (0..count)
            .map(|knot| {
                [0, 1, 2].map(|order| {
                    Lanes(std::array::from_fn(|lane| {
                        joints.get(lane).map_or(0.0, |joint| joint[knot][order])
                    }))
                })
            })
            .collect()
    }
}

/// A clamped cubic spline through the waypoints `distinct`, stretched in time until it keeps the limits.
pub(super) fn guess(problem: &WaypointProblem<'_>, distinct: &[usize], cut: usize) -> Guess {
    let mut durations: Vec<f64> = distinct
        .windows(2)
        .map(|pair| {
            let (from, to) = (&problem.waypoints[pair[0]], &problem.waypoints[pair[1]]);
            from.iter()
                .zip(to)
                .zip(problem.limits)
                .map(|((from, to), limits)| {
                    let way = (to - from).abs();
                    (way / limits.speed)
                        .max((2.0 * way / limits.acceleration).sqrt())
                        .max((8.0 * way / limits.jerk).cbrt())
                })
                .fold(0.0, f64::max)
        })
        .collect();
    let shares: Vec<f64> = durations
        .iter()
        .flat_map(|&duration| interval_shares(cut, speeding_up(problem) / duration))
        .collect();
    let splines: Vec<Vec<f64>> = (0..problem.limits.len())
        .map(|joint| {
            let points: Vec<f64> = distinct.iter().map(|&w| problem.waypoints[w][joint]).collect();
            clamped_spline_accelerations(&points, &durations)
        })
        .collect();
    let mut stretch = 0.0_f64;
    for (joint, (second, limits)) in splines.iter().zip(problem.limits).enumerate() {
        for (segment, &duration) in durations.iter().enumerate() {
            let way =
                problem.waypoints[distinct[segment + 1]][joint] - problem.waypoints[distinct[segment]][joint];
            let (a, b) = (second[segment], second[segment + 1]);
            let speed = way / duration - duration * (2.0 * a + b) / 6.0;
            let speed_end = speed + duration * (a + b) / 2.0;
            let speed_largest = speed.abs().max(speed_end.abs()).max((speed + duration * a / 2.0).abs());
            stretch = stretch
                .max(speed_largest / limits.speed)
                .max((a.abs().max(b.abs()) / limits.acceleration).sqrt())
                .max(((b - a).abs() / duration / limits.jerk).cbrt());
        }
    }
    stretch /= SHARE;
    durations.iter_mut().for_each(|duration| *duration *= stretch);
    let segments = distinct.len() - 1;
    let whole: f64 = durations.iter().sum();
    let unit_s = whole / count_as_f64(segments * cut);
    let lengths: Vec<f64> =
        durations.iter().map(|duration| duration / (count_as_f64(cut) * unit_s)).collect();
    let joints = splines
        .iter()
        .enumerate()
        .map(|(joint, second)| {
            let scale = 1.0 / problem.limits[joint].speed;
            let at = |waypoint: usize| problem.waypoints[distinct[waypoint]][joint];
            let mut knots = Vec::with_capacity(segments * cut + 1);
            for (segment, &duration) in durations.iter().enumerate() {
                let (a, b) =
                    (second[segment] / (stretch * stretch), second[segment + 1] / (stretch * stretch));
                let speed = (at(segment + 1) - at(segment)) / duration - duration * (2.0 * a + b) / 6.0;
                let jerk = (b - a) / duration;
                let mut t = 0.0;
                for share in &shares[segment * cut..(segment + 1) * cut] {
                    knots.push([
                        (at(segment) + t * (speed + t * (a / 2.0 + t * jerk / 6.0))) * scale / unit_s,
                        (speed + t * (a + t * jerk / 2.0)) * scale,
                        (a + t * jerk) * scale * unit_s,
                    ]);
                    t += duration * share / count_as_f64(cut);
                }
            }
            knots.push([at(segments) * scale / unit_s, 0.0, 0.0]);
            knots[0] = [knots[0][0], 0.0, 0.0];
            knots
        })
        .collect();
    Guess { unit_s, lengths, shares, joints }
}

/// Time the slowest joint takes from rest to its full speed, s.
fn speeding_up(problem: &WaypointProblem<'_>) -> f64 {
    let of = |limits: &super::WaypointLimits| {
        let ramp = limits.acceleration / limits.jerk;
        if limits.acceleration * ramp < limits.speed {
            limits.speed / limits.acceleration + ramp
        } else {
            2.0 * (limits.speed / limits.jerk).sqrt()
        }
    };
    problem.limits.iter().map(of).fold(0.0, f64::max)
}

/// Lengths of the intervals of a segment over their mean: a third of them at either end, where speeds change, and
/// the rest between, which is long on a long way. `end` is the share of its time in which speeds change.
fn interval_shares(cut: usize, end: f64) -> Vec<f64> {
    let at_end = cut / 3;
    let (short, long) = (count_as_f64(at_end), count_as_f64(cut - 2 * at_end));
    let whole = count_as_f64(cut);
    let end = (1.1 * end).min(short / whole);
    let (short, long) = (end * whole / short, (1.0 - 2.0 * end) * whole / long);
    (0..cut).map(|k| if k < at_end || k >= cut - at_end { short } else { long }).collect()
}

/// Second derivatives at the points of a cubic spline that stands at both ends.
fn clamped_spline_accelerations(points: &[f64], durations: &[f64]) -> Vec<f64> {
    let last = points.len() - 1;
    let slope = |segment: usize| (points[segment + 1] - points[segment]) / durations[segment];
    // Tridiagonal, diagonally dominant.
    let mut diagonal = vec![0.0; points.len()];
    let mut right = vec![0.0; points.len()];
    for i in 0..=last {
        let (before, after) =
            (if i > 0 { durations[i - 1] } else { 0.0 }, if i < last { durations[i] } else { 0.0 });
        diagonal[i] = 2.0 * (before + after);
        let slope_before = if i > 0 { slope(i - 1) } else { 0.0 };
        let slope_after = if i < last { slope(i) } else { 0.0 };
        right[i] = 6.0 * (slope_after - slope_before);
        if i > 0 {
            let factor = before / diagonal[i - 1];
            diagonal[i] -= factor * before;
            right[i] -= factor * right[i - 1];
        }
    }
    let mut second = vec![0.0; points.len()];
    for i in (0..=last).rev() {
        let after = if i < last { durations[i] * second[i + 1] } else { 0.0 };
        second[i] = (right[i] - after) / diagonal[i];
    }
    second
}

#[expect(clippy::cast_precision_loss, reason = "counts of knots are far below 2^52")]
fn count_as_f64(count: usize) -> f64 {
    count as f64
}
