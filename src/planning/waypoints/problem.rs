//! What is asked, and what a solved problem looks like.

/// Magnitudes a joint may reach, all > 0: rad/s, rad/s², rad/s³ (m for a prismatic joint).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WaypointLimits {
    /// Largest speed.
    pub speed: f64,
    /// Largest acceleration.
    pub acceleration: f64,
    /// Largest jerk.
    pub jerk: f64,
    /// Smallest and largest position; `None`: free.
    pub position: Option<(f64, f64)>,
}

/// Joint waypoints to be passed in order, from rest to rest.
#[derive(Clone, Debug, PartialEq)]
pub struct WaypointProblem<'a> {
    /// Positions, one row a waypoint, rad or m. At least two; every row as long as `limits`.
    pub waypoints: &'a [Vec<f64>],
    /// One entry a joint.
    pub limits: &'a [WaypointLimits],
    /// How far a joint may pass a waypoint that is neither first nor last, rad or m, ≥ 0. Zero: exactly through.
    pub zone: f64,
}

/// Why there is no trajectory.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WaypointError {
    /// Fewer than two waypoints.
    #[error("{found} waypoints given, at least 2 are needed")]
    TooFew {
        /// How many there are.
        found: usize,
    },
    /// More than the solver takes at once.
    #[error("{found} waypoints given, at most {max} can be solved at once")]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many may be.
        max: usize,
    },
    /// A row has another number of joints than there are limits.
    #[error("waypoint {waypoint} has {found} joints, {expected} are expected")]
    JointCount {
        /// Position in the list, from 0.
        waypoint: usize,
        /// Joints given.
        found: usize,
        /// Joints expected.
        expected: usize,
    },
    /// A value is not finite, or a limit is not above zero.
    #[error("{what} is not a usable number")]
    Value {
        /// Which.
        what: String,
    },
    /// A waypoint lies outside the position limits of a joint.
    #[error("joint {} of waypoint {waypoint} is at {position:.6}, allowed {} to {}", joint + 1, allowed.0, allowed.1)]
    OutsideLimits {
        /// Position in the list, from 0.
        waypoint: usize,
        /// The joint, from 0.
        joint: usize,
        /// Where, rad or m.
        position: f64,
        /// Smallest and largest, rad or m.
        allowed: (f64, f64),
    },
    /// The solver did not come to an end; nothing it has would be proven.
    #[error("no trajectory was found")]
    NotSolved,
}

/// Part of a trajectory with constant jerk.
#[derive(Clone, Debug, PartialEq)]
struct Interval {
    start_s: f64,
    duration_s: f64,
    /// Per joint at the start: position, speed, acceleration; and the jerk until the end.
    joints: Vec<[f64; 4]>,
}

/// Joint positions over time, piecewise cubic.
#[derive(Clone, Debug, PartialEq)]
pub struct WaypointTrajectory {
    intervals: Vec<Interval>,
    end: Vec<f64>,
    /// When each waypoint is passed, s; the first at 0.
    pub passed_s: Vec<f64>,
    /// Iterations the solver made.
    pub iterations: usize,
    /// The arm stands at every waypoint: they were not solved together.
    pub stops_at_waypoints: bool,
}

/// Largest share of a limit that is used, 1 at the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LimitShares {
    /// Of the speed.
    pub speed: f64,
    /// Of the acceleration.
    pub acceleration: f64,
    /// Of the jerk.
    pub jerk: f64,
}

impl WaypointTrajectory {
    /// From the knots of the solver: `acceleration(joint, knot)`; everything else follows by integration from the
    /// first waypoint, so that the parts fit together exactly.
    pub(super) fn from_accelerations(
        problem: &WaypointProblem<'_>,
        distinct: &[usize],
        cut: usize,
        durations_s: &[f64],
        acceleration: impl Fn(usize, usize) -> f64,
        iterations: usize,
    ) -> Self {
        let mut at: Vec<(f64, f64)> = problem.waypoints[0].iter().map(|&q| (q, 0.0)).collect();
        let mut now = 0.0;
        let mut passed_distinct_s = vec![0.0];
        let mut intervals = Vec::with_capacity(durations_s.len());
        for (knot, &duration_s) in durations_s.iter().enumerate() {
            let joints = at
                .iter_mut()
                .enumerate()
                .map(|(joint, (q, v))| {
                    let (a, a_next) = (acceleration(joint, knot), acceleration(joint, knot + 1));
                    let part = [*q, *v, a, (a_next - a) / duration_s];
                    [*q, *v, _] = state_after(&part, duration_s);
                    part
                })
                .collect();
            intervals.push(Interval { start_s: now, duration_s, joints });
            now += duration_s;
            if (knot + 1).is_multiple_of(cut) {
                passed_distinct_s.push(now);
            }
        }
        let passed_s = (0..problem.waypoints.len())
            .map(|waypoint| passed_distinct_s[distinct.partition_point(|&first| first <= waypoint) - 1])
            .collect();
        let end = problem.waypoints[problem.waypoints.len() - 1].clone();
        Self { intervals, end, passed_s, iterations, stops_at_waypoints: false }
    }

    /// One move after the other; each starts where the one before ended. At least one.
    pub(super) fn joined(moves: Vec<Self>) -> Self {
        let mut moves = moves.into_iter();
        let mut joined = moves.next().expect("a problem has at least two waypoints");
        joined.stops_at_waypoints = true;
        for next in moves {
            let start_s = joined.duration_s();
            joined.intervals.extend(next.intervals.into_iter().map(|mut interval| {
                interval.start_s += start_s;
                interval
            }));
            joined.passed_s.push(joined.duration_s());
            joined.end = next.end;
            joined.iterations += next.iterations;
        }
        joined
    }

    /// The same path, `factor` times slower.
    pub(super) fn stretched(mut self, factor: f64) -> Self {
        for interval in &mut self.intervals {
            interval.start_s *= factor;
            interval.duration_s *= factor;
            for part in &mut interval.joints {
                part[1] /= factor;
                part[2] /= factor * factor;
                part[3] /= factor * factor * factor;
            }
        }
        self.passed_s.iter_mut().for_each(|time_s| *time_s *= factor);
        self
    }
}

fn state_after(part: &[f64; 4], t: f64) -> [f64; 3] {
    let [q, v, a, j] = *part;
    [q + t * (v + t * (a / 2.0 + t * j / 6.0)), v + t * (a + t * j / 2.0), a + t * j]
}

impl WaypointTrajectory {
    /// Stands at `position`: all `waypoints` waypoints are the same.
    pub(super) fn standing(position: &[f64], waypoints: usize) -> Self {
        Self {
            intervals: Vec::new(),
            end: position.to_vec(),
            passed_s: vec![0.0; waypoints],
            iterations: 0,
            stops_at_waypoints: false,
        }
    }

    /// From first to last waypoint, s.
    #[must_use]
    pub fn duration_s(&self) -> f64 {
        self.intervals.last().map_or(0.0, |interval| interval.start_s + interval.duration_s)
    }

    /// Position, speed and acceleration of each joint at `time_s`, clamped to the duration.
    #[must_use]
    pub fn sample(&self, time_s: f64) -> Vec<[f64; 3]> {
        if time_s >= self.duration_s() {
            return self.end.iter().map(|&q| [q, 0.0, 0.0]).collect();
        }
        let index = self.intervals.partition_point(|interval| interval.start_s <= time_s).max(1) - 1;
        let interval = &self.intervals[index];
        let t = (time_s - interval.start_s).max(0.0);
        interval.joints.iter().map(|part| state_after(part, t)).collect()
    }

    /// The largest shares of the limits that are used anywhere, exactly (not at samples).
    #[must_use]
    pub fn shares(&self, limits: &[WaypointLimits]) -> Vec<LimitShares> {
        let mut shares = vec![LimitShares::default(); limits.len()];
        for interval in &self.intervals {
            for ((part, limits), shares) in interval.joints.iter().zip(limits).zip(&mut shares) {
                let [_, v, a, j] = *part;
                let [_, v_end, a_end] = state_after(part, interval.duration_s);
                // The speed has its extreme inside where the acceleration changes sign.
                let v_inside = if a * a_end < 0.0 { v - a * a / (2.0 * j) } else { v };
                let speed = v.abs().max(v_end.abs()).max(v_inside.abs());
                shares.speed = shares.speed.max(speed / limits.speed);
                shares.acceleration = shares.acceleration.max(a.abs().max(a_end.abs()) / limits.acceleration);
                shares.jerk = shares.jerk.max(j.abs() / limits.jerk);
            }
        }
        shares
    }
}

impl WaypointTrajectory {
    /// The joint (from 0) and the limit that is used up for the longest time between two times: `v`, `a` or `j`.
    #[must_use]
    pub fn limiting(&self, limits: &[WaypointLimits], from_s: f64, to_s: f64) -> (usize, &'static str) {
        /// From this share on a limit counts as used up.
        const USED_UP: f64 = 0.98;
        let mut longest = (0.0, (0, "v"));
        for (joint, limits) in limits.iter().enumerate() {
            let mut used_s = [0.0; 3];
            for interval in self.intervals.iter().filter(|part| from_s <= part.start_s && part.start_s < to_s)
            {
                let part = &interval.joints[joint];
                let [_, v, a] = state_after(part, 0.5 * interval.duration_s);
                let shares = [v / limits.speed, a / limits.acceleration, part[3] / limits.jerk];
                for (used_s, share) in used_s.iter_mut().zip(shares) {
                    if share.abs() >= USED_UP {
                        *used_s += interval.duration_s;
                    }
                }
            }
            for (used_s, name) in used_s.into_iter().zip(["v", "a", "j"]) {
                if used_s > longest.0 {
                    longest = (used_s, (joint, name));
                }
            }
        }
        longest.1
    }

    /// How far each joint leaves its position limits at most, rad or m; exactly (not at samples).
    pub(super) fn overshoots(&self, limits: &[WaypointLimits]) -> Vec<f64> {
        let mut most = vec![0.0; limits.len()];
        for interval in &self.intervals {
            for ((part, limits), most) in interval.joints.iter().zip(limits).zip(&mut most) {
                let Some((low, high)) = limits.position else { continue };
                let [_, v, a, j] = *part;
                // The position turns where v + a t + j t²/2 = 0; the form without cancellation gives both roots.
                let root = (a * a - 2.0 * v * j).sqrt();
                let sum = -(a + root.copysign(a));
                for t in [sum / j, 2.0 * v / sum, interval.duration_s] {
                    if (0.0..=interval.duration_s).contains(&t) {
                        let [q, ..] = state_after(part, t);
                        *most = f64::max(*most, (q - high).max(low - q));
                    }
                }
            }
        }
        most
    }
}

impl WaypointProblem<'_> {
    /// Everything the solver takes for granted.
    pub(super) fn check(&self) -> Result<(), WaypointError> {
        let value = |what: String| Err(WaypointError::Value { what });
        if self.waypoints.len() < 2 {
            return Err(WaypointError::TooFew { found: self.waypoints.len() });
        }
        if self.waypoints.len() > super::WAYPOINTS_MAX {
            return Err(WaypointError::TooMany { found: self.waypoints.len(), max: super::WAYPOINTS_MAX });
        }
        if !(self.zone.is_finite() && self.zone >= 0.0) {
            return value("the zone".to_owned());
        }
        for (joint, limits) in self.limits.iter().enumerate() {
            let positive = |value: f64| value.is_finite() && value > 0.0;
            if !(positive(limits.speed) && positive(limits.acceleration) && positive(limits.jerk)) {
                return value(format!("a limit of joint {}", joint + 1));
            }
        }
        for (waypoint, row) in self.waypoints.iter().enumerate() {
            if row.len() != self.limits.len() {
                return Err(WaypointError::JointCount {
                    waypoint,
                    found: row.len(),
                    expected: self.limits.len(),
                });
            }
            for (joint, (&position, limits)) in row.iter().zip(self.limits).enumerate() {
                if !position.is_finite() {
                    return value(format!("joint {} of waypoint {waypoint}", joint + 1));
                }
                if let Some(allowed) = limits.position
                    && !(allowed.0..=allowed.1).contains(&position)
                {
                    return Err(WaypointError::OutsideLimits { waypoint, joint, position, allowed });
                }
            }
        }
        Ok(())
    }

    /// Waypoints that differ from the one before.
    pub(super) fn distinct(&self) -> Vec<usize> {
        let mut distinct = vec![0];
        for waypoint in 1..self.waypoints.len() {
            let before = &self.waypoints[distinct[distinct.len() - 1]];
            if self.waypoints[waypoint].iter().zip(before).any(|(a, b)| (a - b).abs() > 1e-9) {
                distinct.push(waypoint);
            }
        }
        distinct
    }

    /// Where a joint may go: its limits, or far beyond its waypoints.
    pub(super) fn position_range(&self, joint: usize) -> (f64, f64) {
        self.limits[joint].position.unwrap_or_else(|| {
            let values = || self.waypoints.iter().map(|row| row[joint]);
            let low = values().fold(f64::INFINITY, f64::min);
            let high = values().fold(f64::NEG_INFINITY, f64::max);
            let far = 10.0 * (high - low) + 10.0;
            (low - far, high + far)
        })
    }
}
