//! Walks a Cartesian path with the same inverse kinematics as the cycle, warm from sample to sample, and
//! notes what the joints do and what goes wrong.

use super::ceilings::{JOINT_SHARE, Row};
use super::joint_derivatives::{JointDerivatives, joint_derivatives};
use super::posture::Kept;
use super::problem::{LimitName, PlanProblemKind};
use super::singular::SingularityRule;
use super::torque::TorqueBounds;
use super::{Limits, ToolLimits};
use crate::geometry::{Pose, displacement};
use crate::joints::JointVector;
use crate::kinematics::guide::{Follower, Guide, Place};
use crate::kinematics::inverse::{InverseResult, InverseSettings};
use crate::kinematics::jacobian_derivative::tool_jacobian;
use crate::kinematics::singularity::{Anatomy, SingularDistances};
use crate::trajectory::path::{Path, PathDerivatives, PathPoint};

/// Largest distance of the tool between two samples, m.
const SPACING_M: f64 = 5e-4;
/// Largest angle of the tool between two samples, rad.
const SPACING_RAD: f64 = 5e-3;
/// Samples of a path: at least, and at most (the spacing then grows: 20 m or 200 rad reach it).
const SAMPLES_MIN: usize = 48;
const SAMPLES_MAX: usize = 40_000;

/// Least closeness (smallest singular value over the characteristic length) a path may have. A spherical
/// wrist reaches it a little more than half a degree from straight.
pub(super) const CLOSENESS_MIN: f64 = 0.01;

/// Of an elbow nearer to stretched than this (rad) the reach may end.
const STRETCHED_RAD: f64 = 0.1;
/// Halfway between two samples in joint space the tool must be as near as this to the path.
const MIDPOINT_M: f64 = 5e-4;
const MIDPOINT_RAD: f64 = 5e-3;

/// Beyond a joint limit by less than this is rounding, rad or m.
const LIMIT_ROUNDING: f64 = 1e-9;

/// As the cycle solves, only finer, so that the end of one motion is the start of the next.
const SETTINGS: InverseSettings = InverseSettings {
    position_tolerance_m: 1e-12,
    orientation_tolerance_rad: 1e-12,
    iterations_max: 10,
    step_max: 0.2,
};
/// A solution this near counts: where the arm is almost singular the last digits are not reached.
const ENOUGH_M: f64 = 1e-8;
const ENOUGH_RAD: f64 = 1e-8;

/// What the joints do along a path.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    /// Rows of one limited quantity after the other, each in order of `s`.
    pub(super) rows: Vec<Vec<Row>>,
    /// Joints at the end of the path, or at the last sample that could be reached.
    pub(super) q_end: JointVector,
    pub(super) closest_singularity: f64,
    /// Least distances from the singular poses; `None` for arms whose anatomy is not known.
    pub(super) distances: Option<SingularDistances>,
    /// Largest error of the orientation, where a guide leaves it open, rad.
    pub(super) orientation_error: f64,
    pub(super) joint_min: JointVector,
    pub(super) joint_max: JointVector,
    pub(super) problems: Vec<PlanProblemKind>,
}

/// A path and all that following it needs.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) follower: &'a Follower,
    pub(super) guide: &'a Guide,
    pub(super) x_flange_tool: &'a Pose,
    pub(super) limits: &'a Limits,
    /// Of length > 0.
    pub(super) path: &'a Path,
    pub(super) kept: &'a Kept<'a>,
    pub(super) rule: SingularityRule,
    pub(super) anatomy: Option<Anatomy>,
    /// With the payload.
    pub(super) torques: Option<&'a TorqueBounds>,
}

impl Way<'_> {
    fn place<'b>(&'b self, s: f64, x_base_tool: &'b Pose) -> Place<'b> {
        Place { fraction: s / self.path.length(), x_base_tool, x_flange_tool: self.x_flange_tool }
    }
}

/// Follows a path from `q_start`, where the arm stands at `s = 0`.
pub(super) fn follow(way: &Way<'_>, q_start: &JointVector) -> Followed {
    let Way { follower, guide, x_flange_tool, limits, path, kept, .. } = *way;
    let chain = follower.chain();
    let count = sample_count(path);
    let spacing = path.length() / count_as_f64(count);
    let mut walk = Walk::new(limits, way.rule, *q_start);
    let (mut q, mut rate) = (*q_start, JointVector::zeros(chain.joint_count()));
    for index in 0..=count {
        let s = if index == count { path.length() } else { spacing * count_as_f64(index) };
        let PathPoint::Pose(x_base_tool) = path.sample(s) else { break };
        let place = way.place(s, &x_base_tool);
        let ahead = if index == 0 { q } else { q + rate * spacing };
        let q_next = match solve(follower, guide, &place, &ahead, &q) {
            Ok(q_next) => q_next,
            Err(missing) => {
                // Near a singular pose the solver loses the path although the arm is not stretched.
                if walk.nearest.is_some() && walk.distances.is_some_and(|near| near.elbow_rad > STRETCHED_RAD)
                {
                    break;
                }
                // Near the edge of the reach the arm is singular too; that is the same mistake.
                walk.nearest = None;
                let (missing_m, missing_rad) = farthest(way, s, &q, missing);
                walk.problems.push(PlanProblemKind::PathOutOfReach { s, missing_m, missing_rad });
                break;
            }
        };
        if index > 0 {
            walk.check_branch(way, (s - spacing, s), (&q, &q_next));
        }
        q = q_next;
        walk.lost = walk.lost.or_else(|| kept.lost(s, &q));
        let (x_base_flange, jacobian) = chain.forward_with_jacobian(&q);
        let jacobian_tool = tool_jacobian(&x_base_flange, &jacobian, x_flange_tool);
        let derivatives = joint_derivatives(follower, guide, x_flange_tool, path, s, &q, &jacobian_tool);
        let closeness = guide.closeness(chain, place.fraction, (&jacobian, &jacobian_tool));
        walk.note(s, &q, closeness, derivatives.as_ref());
        walk.note_tool(path, s);
        if let Some(anatomy) = way.anatomy {
            let here = SingularDistances::of(anatomy, &x_base_flange, &jacobian);
            walk.distances = Some(walk.distances.map_or(here, |before| before.nearest(&here)));
        }
        if guide.wrist_at(place.fraction).is_some() {
            let miss = displacement(&(x_base_flange * x_flange_tool), &x_base_tool).angular.norm();
            walk.orientation_error = walk.orientation_error.max(miss);
        }
        if let (Some(bounds), Some(derivatives)) = (way.torques, &derivatives) {
            walk.note_torques(bounds.rows(s, &q, &derivatives.first, &derivatives.second));
        }
        rate = derivatives.map_or_else(|| JointVector::zeros(q.len()), |derivatives| derivatives.first);
    }
    walk.finish(q, spacing)
}

/// State of a walk along a path.
struct Walk<'a> {
    limits: &'a Limits,
    rule: SingularityRule,
    rows: Vec<Vec<Row>>,
    /// Rows of torques, one quantity after the other.
    torques: Vec<Vec<Row>>,
    too_heavy: Option<PlanProblemKind>,
    distances: Option<SingularDistances>,
    orientation_error: f64,
    closest: f64,
    /// Nearest sample below the threshold: s, closeness, fastest joint.
    nearest: Option<(f64, f64, usize)>,
    jump: Option<PlanProblemKind>,
    /// What the path should have kept and does not.
    lost: Option<PlanProblemKind>,
    /// For each joint: where it first left its limits, and the largest excess.
    outside: Vec<Option<(f64, f64)>>,
    joint_min: JointVector,
    joint_max: JointVector,
    rate: JointVector,
    problems: Vec<PlanProblemKind>,
}

impl<'a> Walk<'a> {
    fn new(limits: &'a Limits, rule: SingularityRule, q_start: JointVector) -> Self {
        let joints = q_start.len();
        Self {
            limits,
            rule,
            torques: Vec::new(),
            too_heavy: None,
            distances: None,
            orientation_error: 0.0,
            rows: vec![Vec::new(); joints + 2],
            closest: f64::INFINITY,
            nearest: None,
            jump: None,
            lost: None,
            outside: vec![None; joints],
            joint_min: q_start,
            joint_max: q_start,
            rate: JointVector::zeros(joints),
            problems: Vec::new(),
        }
    }

    /// Notes position, closeness to singular poses and derivatives of the joints at a sample.
    fn note(&mut self, s: f64, q: &JointVector, closeness: f64, derivatives: Option<&JointDerivatives>) {
        self.joint_min = self.joint_min.zip_map(q, f64::min);
        self.joint_max = self.joint_max.zip_map(q, f64::max);
        for ((limit, value), outside) in
            self.limits.joints.as_slice().iter().zip(q.iter()).zip(&mut self.outside)
        {
            let by = (value - limit.position_max).max(limit.position_min - value);
            if by > LIMIT_ROUNDING {
                let (first, largest) = outside.get_or_insert((s, by));
                *outside = Some((*first, largest.max(by)));
            }
        }
        if let Some(derivatives) = derivatives {
            self.rate = derivatives.first;
            for (joint, (limit, rows)) in self.limits.joints.as_slice().iter().zip(&mut self.rows).enumerate()
            {
                rows.push(Row {
                    limit: LimitName::Joint(joint),
                    s,
                    derivatives: [
                        derivatives.first.get(joint).abs(),
                        derivatives.second.get(joint).abs(),
                        derivatives.third.get(joint).abs(),
                    ],
                    allowed: [limit.speed_max, limit.acceleration_max, limit.jerk_max]
                        .map(|allowed| allowed * JOINT_SHARE),
                });
            }
        }
        let closeness = if derivatives.is_some() { closeness } else { 0.0 };
        self.closest = self.closest.min(closeness);
        if closeness < self.rule.closeness_min()
            && self.nearest.is_none_or(|(_, nearest, _)| closeness < nearest)
        {
            self.nearest = Some((s, closeness, fastest_joint(&self.rate, self.limits)));
        }
    }

    /// Notes what the torques allow at a sample.
    fn note_torques(&mut self, rows: Result<Vec<Row>, PlanProblemKind>) {
        match rows {
            Ok(rows) => {
                self.torques.resize_with(rows.len().max(self.torques.len()), Vec::new);
                self.torques.iter_mut().zip(rows).for_each(|(rows, row)| rows.push(row));
            }
            Err(kind) => self.too_heavy = self.too_heavy.or(Some(kind)),
        }
    }

    /// Notes the derivatives of the tool at a sample.
    fn note_tool(&mut self, path: &Path, s: f64) {
        let PathDerivatives::Tool { first, second, third } = path.derivatives(s) else { return };
        let joints = self.outside.len();
        let ToolLimits { translation, rotation } = self.limits.tool;
        let orders = [first, second, third];
        let linear = Row {
            limit: LimitName::ToolTranslation,
            s,
            derivatives: orders.map(|twist| twist.linear.norm()),
            allowed: [translation.speed, translation.acceleration, translation.jerk],
        };
        let angular = Row {
            limit: LimitName::ToolRotation,
            s,
            derivatives: orders.map(|twist| twist.angular.norm()),
            allowed: [rotation.speed, rotation.acceleration, rotation.jerk],
        };
        for (rows, row) in self.rows.iter_mut().skip(joints).zip([linear, angular]) {
            rows.push(row);
        }
    }

    /// Notes a jump to another branch: halfway in joint space the tool is then not on the path.
    fn check_branch(
        &mut self,
        way: &Way<'_>,
        (s_before, s): (f64, f64),
        (before, after): (&JointVector, &JointVector),
    ) {
        let middle = 0.5 * (s_before + s);
        let PathPoint::Pose(x_base_tool) = way.path.sample(middle) else { return };
        let halfway = way.follower.chain().forward(&((*before + *after) * 0.5)) * way.x_flange_tool;
        let miss = displacement(&halfway, &x_base_tool);
        let turned =
            miss.angular.norm() > MIDPOINT_RAD && way.guide.wrist_at(middle / way.path.length()).is_none();
        if self.jump.is_none() && (miss.linear.norm() > MIDPOINT_M || turned) {
            let step = *after - *before;
            let joint = largest_entry(&step);
            self.jump = Some(PlanProblemKind::BranchJump { s, joint, by: step.get(joint).abs() });
        }
    }

    /// Everything that was noted. Between two samples a derivative may be larger by half a spacing of the
    /// next one.
    fn finish(mut self, q_end: JointVector, spacing: f64) -> Followed {
        for row in self.rows.iter_mut().flatten() {
            let [first, second, third] = row.derivatives;
            row.derivatives = [first + 0.5 * spacing * second, second + 0.5 * spacing * third, third];
        }
        if let Some((s, closeness, joint)) = self.nearest {
            let (closeness_min, distances) = (self.rule.closeness_min(), self.distances);
            self.problems.push(PlanProblemKind::Singular { s, closeness, closeness_min, joint, distances });
        } else if self.problems.is_empty() {
            self.problems.extend(self.jump.or(self.lost));
        }
        let outside = self.outside.iter().enumerate().filter_map(|(joint, outside)| {
            outside.map(|(s, by)| PlanProblemKind::JointLimit { s, joint, by })
        });
        self.problems.extend(outside);
        self.problems.extend(self.too_heavy);
        let allowed = self.rule.orientation_error_max();
        if self.orientation_error > allowed + 1e-9 && self.problems.is_empty() {
            let needed = self.orientation_error;
            self.problems.push(PlanProblemKind::OrientationError { needed, allowed });
        }
        self.rows.append(&mut self.torques);
        Followed {
            rows: self.rows,
            distances: self.distances,
            orientation_error: self.orientation_error,
            q_end,
            closest_singularity: self.closest,
            joint_min: self.joint_min,
            joint_max: self.joint_max,
            problems: self.problems,
        }
    }
}

/// How far the path is out of reach from `s` on (m, rad), looked at in some places; `missing` is known
/// already.
fn farthest(way: &Way<'_>, s: f64, q: &JointVector, missing: (f64, f64)) -> (f64, f64) {
    let path = way.path;
    let settings = InverseSettings { iterations_max: 40, ..SETTINGS };
    (1..=32).fold(missing, |farthest, place| {
        let here = s + (path.length() - s) * f64::from(place) / 32.0;
        let PathPoint::Pose(x_base_tool) = path.sample(here) else { return farthest };
        match way.follower.inverse(way.guide, &way.place(here, &x_base_tool), q, &settings) {
            InverseResult::NotConverged { position_error_m, orientation_error_rad, .. }
                if position_error_m > farthest.0 =>
            {
                (position_error_m, orientation_error_rad)
            }
            InverseResult::NotConverged { .. } | InverseResult::Converged { .. } => farthest,
        }
    })
}

/// Joint positions at a pose near `ahead`, or near `behind` if that does not lead there; else what is
/// missing (m, rad).
fn solve(
    follower: &Follower,
    guide: &Guide,
    place: &Place<'_>,
    ahead: &JointVector,
    behind: &JointVector,
) -> Result<JointVector, (f64, f64)> {
    let mut missing = (f64::INFINITY, f64::INFINITY);
    for seed in [ahead, behind] {
        match follower.inverse(guide, place, seed, &SETTINGS) {
            InverseResult::Converged { q, .. } => return Ok(q),
            InverseResult::NotConverged { q, position_error_m, orientation_error_rad } => {
                if position_error_m <= ENOUGH_M && orientation_error_rad <= ENOUGH_RAD {
                    return Ok(q);
                }
                if position_error_m + orientation_error_rad < missing.0 + missing.1 {
                    missing = (position_error_m, orientation_error_rad);
                }
            }
        }
    }
    Err(missing)
}

/// The joint that uses the largest share of its speed limit at `rate`.
fn fastest_joint(rate: &JointVector, limits: &Limits) -> usize {
    let mut joint_limits = limits.joints.as_slice().iter();
    largest_entry(&rate.map(|rate| joint_limits.next().map_or(0.0, |limit| rate / limit.speed_max)))
}

fn largest_entry(values: &JointVector) -> usize {
    (0..values.len()).max_by(|a, b| values.get(*a).abs().total_cmp(&values.get(*b).abs())).unwrap_or(0)
}

/// Number of steps a path is sampled in.
fn sample_count(path: &Path) -> usize {
    let length = path.length();
    let PathDerivatives::Tool { first, .. } = path.derivatives(0.0) else { return SAMPLES_MIN };
    let steps = (length * first.linear.norm() / SPACING_M).max(length * first.angular.norm() / SPACING_RAD);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped; NaN becomes 0")]
    let steps = steps.ceil().clamp(0.0, 1e9) as usize;
    steps.clamp(SAMPLES_MIN, SAMPLES_MAX)
}

#[expect(clippy::cast_precision_loss, reason = "at most SAMPLES_MAX")]
fn count_as_f64(count: usize) -> f64 {
    count as f64
}
