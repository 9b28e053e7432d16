//! Step by step through a program: the segment of each motion, and what is wrong with it.

use super::ceilings::{self, Chosen, Row, Wanted};
use super::follow::{CLOSENESS_MIN, Followed, Way, follow};
use super::posture::{self, External, Kept, Posture};
use super::problem::{LimitName, PlanProblem, PlanProblemKind, ValueName};
use super::report::{PreflightReport, SegmentReport};
use super::singular::{Passage, SingularityRule};
use super::torque::TorqueBounds;
use super::{Limits, MoveTarget, Plan, PlannedPiece, Program, SpeedPolicy, Step, StepKind};
use nalgebra::Vector3;

use crate::boundary::phase_table::Action;
use crate::boundary::piece_queue::PieceKind;
use crate::dynamics::RigidBody;
use crate::geometry::Pose;
use crate::joints::JointVector;
use crate::kinematics::Chain;
use crate::kinematics::configuration::{ConfigurationMode, Wish, turns_of};
use crate::kinematics::guide::{Follower, Guide};
use crate::kinematics::inverse::{GlobalSettings, InverseResult, Solver, inverse_from_seed};
use crate::trajectory::path::{ArcPath, JointPath, LinePath, ParameterUnit, Path};
use crate::trajectory::{Ceiling, Segment, time_law};
use crate::units::Ratio;

/// Share of the joint limits that a joint line uses: it is exact, only rounding is left to cover.
const JOINT_LINE_SHARE: f64 = 0.999;

/// Outside a joint limit by less than this is rounding, rad or m.
const LIMIT_ROUNDING: f64 = 1e-9;

/// A motion that could only be made slower than this share of its programmed speed passes a singular pose
/// for all practical purposes.
const SLOWEST_SHARE: f64 = 0.01;

/// Planning of one program.
pub(super) struct Planner<'a> {
    chain: &'a Chain,
    follower: Follower,
    solver: Option<Solver>,
    limits: &'a Limits,
    x_flange_tool: Pose,
    payload: RigidBody,
    /// With the payload.
    torques: Option<TorqueBounds>,
    q_start: JointVector,
    /// Where the arm stands after the steps so far; `None` when that is not known.
    q: Option<JointVector>,
    pieces: Vec<PlannedPiece>,
    segments: Vec<SegmentReport>,
    standing_s: f64,
    problems: Vec<PlanProblem>,
    /// Of the path of the step under way.
    unit: Option<ParameterUnit>,
}

/// A Cartesian motion as programmed.
struct ToolMotion {
    path: Path,
    x_base_tool_end: Pose,
    posture: Posture,
    speed_m_s: f64,
    acceleration_m_s2: Option<f64>,
    policy: SpeedPolicy,
}

impl<'a> Planner<'a> {
    /// Refuses what makes every step meaningless.
    pub(super) fn new(
        program: &Program,
        chain: &'a Chain,
        limits: &'a Limits,
        q_start: JointVector,
    ) -> Result<Self, Vec<PlanProblem>> {
        let mut kinds = Vec::new();
        let expected = chain.joint_count();
        for found in [q_start.len(), limits.joints.len()] {
            if found != expected {
                kinds.push(PlanProblemKind::JointCount { expected, found });
            }
        }
        if !q_start.is_finite() {
            kinds.push(PlanProblemKind::Value(ValueName::Target));
        } else if let Some((joint, by)) = outside(limits, &q_start) {
            kinds.push(PlanProblemKind::StartOutsideLimits { joint, by });
        }
        if !is_finite(&program.x_flange_tool) {
            kinds.push(PlanProblemKind::Value(ValueName::Tool));
        }
        if !kinds.is_empty() {
            return Err(kinds
                .into_iter()
                .map(|kind| PlanProblem { instruction: None, unit: None, kind })
                .collect());
        }
        Ok(Self {
            chain,
            follower: Follower::new(*chain),
            solver: Solver::new(chain, &limits.joints),
            limits,
            x_flange_tool: program.x_flange_tool,
            payload: program.payload,
            torques: limits.torques.map(|torques| torques.carrying(&program.payload)),
            q_start,
            q: Some(q_start),
            pieces: Vec::new(),
            segments: Vec::new(),
            standing_s: 0.0,
            problems: Vec::new(),
            unit: None,
        })
    }

    /// Plans all steps.
    pub(super) fn run(mut self, steps: &[Step]) -> Result<Plan, Vec<PlanProblem>> {
        for step in steps {
            self.unit = None;
            if let Err(kinds) = self.step(step) {
                let (instruction, unit) = (Some(step.instruction), self.unit);
                self.problems.extend(kinds.into_iter().map(|kind| PlanProblem { instruction, unit, kind }));
            }
        }
        match self.q {
            Some(q_end) if self.problems.is_empty() => Ok(Plan {
                pieces: self.pieces,
                q_start: self.q_start,
                q_end,
                report: PreflightReport {
                    duration_s: self.standing_s
                        + self.segments.iter().map(|segment| segment.duration_s).sum::<f64>(),
                    segments: self.segments,
                },
            }),
            _ => Err(self.problems),
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), Vec<PlanProblemKind>> {
        let instruction = step.instruction;
        let invalid = |name| Err(vec![PlanProblemKind::Value(name)]);
        let kind = match &step.kind {
            StepKind::Unreadable => {
                self.q = None;
                return Ok(());
            }
            StepKind::MoveJoint { target, posture, speed, acceleration } => {
                return self.move_joint(instruction, target, posture, *speed, *acceleration);
            }
            StepKind::MoveLinear { x_base_tool, posture, speed_m_s, acceleration_m_s2, policy } => {
                if !is_finite(x_base_tool) {
                    self.q = None;
                    return invalid(ValueName::Target);
                }
                let Some(x_base_start) = self.x_base_tool() else { return self.take_up(x_base_tool) };
                let motion = ToolMotion {
                    path: Path::Line(LinePath::new(x_base_start, *x_base_tool)),
                    x_base_tool_end: *x_base_tool,
                    posture: *posture,
                    speed_m_s: *speed_m_s,
                    acceleration_m_s2: *acceleration_m_s2,
                    policy: *policy,
                };
                return self.move_tool(instruction, &motion);
            }
            StepKind::MoveCircular {
                via_in_base,
                x_base_tool,
                posture,
                speed_m_s,
                acceleration_m_s2,
                policy,
            } => {
                if !is_finite(x_base_tool) || !via_in_base.iter().all(|value| value.is_finite()) {
                    self.q = None;
                    return invalid(ValueName::Target);
                }
                let Some(x_base_start) = self.x_base_tool() else { return self.take_up(x_base_tool) };
                let arc = match ArcPath::new(x_base_start, *via_in_base, *x_base_tool) {
                    Ok(arc) => arc,
                    Err(problem) => {
                        self.q = self.nearest(x_base_tool, &Wish::FREE);
                        return Err(vec![PlanProblemKind::Arc(problem)]);
                    }
                };
                let motion = ToolMotion {
                    path: Path::Arc(arc),
                    x_base_tool_end: *x_base_tool,
                    posture: *posture,
                    speed_m_s: *speed_m_s,
                    acceleration_m_s2: *acceleration_m_s2,
                    policy: *policy,
                };
                return self.move_tool(instruction, &motion);
            }
            StepKind::ProcessStart(table) => PieceKind::ProcessStart(*table),
            StepKind::ProcessEnd => PieceKind::ProcessEnd,
            StepKind::Dwell(duration_s) => {
                if !(duration_s.is_finite() && *duration_s >= 0.0) {
                    return invalid(ValueName::Duration);
                }
                self.standing_s += duration_s;
                PieceKind::Dwell(*duration_s)
            }
            StepKind::Output(action) => {
                if let Action::Analog { value, .. } = action
                    && !value.is_finite()
                {
                    return invalid(ValueName::Target);
                }
                PieceKind::Output(*action)
            }
            StepKind::WaitInput { channel, on, timeout_s } => {
                if !(timeout_s.is_finite() && *timeout_s >= 0.0) {
                    return invalid(ValueName::Duration);
                }
                PieceKind::WaitInput { channel: *channel, on: *on, timeout_s: *timeout_s }
            }
        };
        self.pieces.push(PlannedPiece { instruction, kind });
        Ok(())
    }

    /// Pose of the tool where the arm stands; `None` after a motion that left that open.
    fn x_base_tool(&self) -> Option<Pose> {
        self.q.map(|q| self.chain.forward(&q) * self.x_flange_tool)
    }

    /// Goes on from the target of a motion whose start is not known.
    fn take_up(&mut self, x_base_tool: &Pose) -> Result<(), Vec<PlanProblemKind>> {
        self.q = self.nearest(x_base_tool, &Wish::FREE);
        if self.q.is_some() { Ok(()) } else { Err(vec![self.out_of_reach(x_base_tool)]) }
    }

    /// Joint positions for a pose of the tool, nearest to where the arm stands (or to the start).
    fn nearest(&self, x_base_tool: &Pose, wish: &Wish) -> Option<JointVector> {
        let x_base_flange = x_base_tool * self.x_flange_tool.inverse();
        let seed = self.q.unwrap_or(self.q_start);
        self.solver.as_ref()?.nearest(&x_base_flange, &seed, wish).map(|solution| solution.q)
    }

    /// Joint positions for a pose of the tool as a posture asks for them.
    fn taken(&self, x_base_tool: &Pose, posture: &Posture) -> Result<JointVector, PlanProblemKind> {
        let wish = &posture.wish;
        if let External::At { mask, positions } = posture.external {
            return self.taken_with(x_base_tool, mask, &positions);
        }
        if let Some(q) = self.nearest(x_base_tool, wish) {
            return Ok(q);
        }
        let free = self.nearest(x_base_tool, &Wish::FREE).ok_or_else(|| self.out_of_reach(x_base_tool))?;
        let offered = self.solver.as_ref().and_then(|solver| solver.configuration(&free));
        Err(if wish.arm_angle_rad.is_some() && self.follower.shoulder().is_none() {
            PlanProblemKind::NoArmAngle
        } else if offered.is_none() && matches!(wish.configuration, ConfigurationMode::Exact(_)) {
            PlanProblemKind::NoConfigurations
        } else {
            let (turns, joints) = (turns_of(self.chain, &free), free.len());
            PlanProblemKind::WishNotGranted { wish: *wish, offered, turns, joints }
        })
    }

    /// Joint positions for a pose of the tool with the external axes where the program says.
    fn taken_with(
        &self,
        x_base_tool: &Pose,
        mask: u16,
        positions: &JointVector,
    ) -> Result<JointVector, PlanProblemKind> {
        let joints = self.chain.joint_count();
        let found = mask.count_ones() as usize;
        if found != joints.saturating_sub(6) {
            return Err(PlanProblemKind::ExternalCount { needed: joints.saturating_sub(6), found });
        }
        let from = self.q.unwrap_or(self.q_start);
        let seed = JointVector::from_fn(joints, |joint| {
            if mask & (1 << joint) == 0 { from } else { *positions }.get(joint)
        });
        let x_base_flange = x_base_tool * self.x_flange_tool.inverse();
        let solved =
            self.solver.as_ref().and_then(|solver| solver.nearest_holding(&x_base_flange, &seed, mask));
        solved.ok_or_else(|| self.out_of_reach(x_base_tool))
    }

    fn move_joint(
        &mut self,
        instruction: u32,
        target: &MoveTarget,
        posture: &Posture,
        speed: Ratio,
        acceleration: Ratio,
    ) -> Result<(), Vec<PlanProblemKind>> {
        let mut kinds = Vec::new();
        if speed.get() <= 0.0 {
            kinds.push(PlanProblemKind::Value(ValueName::Speed));
        }
        if acceleration.get() <= 0.0 {
            kinds.push(PlanProblemKind::Value(ValueName::Acceleration));
        }
        let start = self.q;
        self.q = match self.joint_target(target, posture) {
            Ok(q) => Some(q),
            Err(kind) => {
                kinds.push(kind);
                None
            }
        };
        if !kinds.is_empty() {
            return Err(kinds);
        }
        let (Some(q_start), Some(q_end)) = (start, self.q) else { return Ok(()) };

        let path = JointPath::new(q_start, q_end);
        let mut rows: Vec<Row> = self
            .limits
            .joints
            .as_slice()
            .iter()
            .enumerate()
            .map(|(joint, limit)| Row {
                limit: LimitName::Joint(joint),
                s: 0.0,
                derivatives: [path.direction().get(joint).abs(), 0.0, 0.0],
                allowed: [
                    limit.speed_max * speed.get() * JOINT_LINE_SHARE,
                    limit.acceleration_max * acceleration.get() * JOINT_LINE_SHARE,
                    limit.jerk_max * JOINT_LINE_SHARE,
                ],
            })
            .collect();
        // No curvature: each ceiling is what the tightest joint allows.
        let tightest = |order: usize| {
            rows.iter().map(|row| row.allowed[order] / row.derivatives[0]).fold(f64::INFINITY, f64::min)
        };
        let mut ceiling = if path.length() > 0.0 {
            Ceiling { speed: tightest(0), acceleration: tightest(1), jerk: tightest(2) }
        } else {
            Ceiling { speed: 1.0, acceleration: 1.0, jerk: 1.0 }
        };
        if let Some(torques) = self.torques.as_ref().filter(|_| path.length() > 0.0) {
            rows.extend(torque_rows(torques, &path).map_err(|kind| vec![kind])?);
            let uses_too_much = ceilings::most_used(&rows, &ceiling).is_some_and(|(_, share)| share > 1.0);
            let wanted = Wanted { speed: ceiling.speed, acceleration: ceiling.acceleration };
            if uses_too_much && let Some(chosen) = ceilings::choose(&rows, path.length(), &wanted) {
                ceiling = chosen.ceiling;
            }
        }
        let segment = Segment {
            path: Path::Joint(path),
            ceiling,
            x_flange_tool: self.x_flange_tool,
            payload: self.payload,
            q_start,
            q_end,
            guide: Guide::None,
        };
        let rows = if path.length() > 0.0 { rows } else { Vec::new() };
        let report = SegmentReport {
            closest_singularity: None,
            joint_min: q_start.zip_map(&q_end, f64::min),
            joint_max: q_start.zip_map(&q_end, f64::max),
            ..self.report_of(instruction, &segment, &rows, None)
        };
        self.push(instruction, segment, report);
        Ok(())
    }

    /// Joint positions of a target, within the limits.
    fn joint_target(&self, target: &MoveTarget, posture: &Posture) -> Result<JointVector, PlanProblemKind> {
        match target {
            MoveTarget::Joints(q) => {
                let (expected, found) = (self.chain.joint_count(), q.len());
                if found != expected {
                    return Err(PlanProblemKind::JointCount { expected, found });
                }
                if !q.is_finite() {
                    return Err(PlanProblemKind::Value(ValueName::Target));
                }
                match outside(self.limits, q) {
                    Some((joint, by)) => Err(PlanProblemKind::TargetOutsideLimits { joint, by }),
                    None => Ok(*q),
                }
            }
            MoveTarget::Pose(pose) if !is_finite(pose) => Err(PlanProblemKind::Value(ValueName::Target)),
            MoveTarget::Pose(pose) => self.taken(pose, posture),
        }
    }

    /// How far a pose is from what the arm reaches, seen from where it stands.
    fn out_of_reach(&self, x_base_tool: &Pose) -> PlanProblemKind {
        let x_base_flange = x_base_tool * self.x_flange_tool.inverse();
        let seed = self.q.unwrap_or(self.q_start);
        let settings = GlobalSettings::default().attempt;
        let (missing_m, missing_rad) = match inverse_from_seed(self.chain, &x_base_flange, &seed, &settings) {
            InverseResult::Converged { .. } => (0.0, 0.0),
            InverseResult::NotConverged { position_error_m, orientation_error_rad, .. } => {
                (position_error_m, orientation_error_rad)
            }
        };
        PlanProblemKind::TargetOutOfReach { missing_m, missing_rad }
    }

    fn move_tool(&mut self, instruction: u32, motion: &ToolMotion) -> Result<(), Vec<PlanProblemKind>> {
        let Some(q_start) = self.q else { return Ok(()) };
        let mut kinds = Vec::new();
        let positive = |value: f64| value.is_finite() && value > 0.0;
        if !positive(motion.speed_m_s) {
            kinds.push(PlanProblemKind::Value(ValueName::Speed));
        }
        if motion.acceleration_m_s2.is_some_and(|acceleration| !positive(acceleration)) {
            kinds.push(PlanProblemKind::Value(ValueName::Acceleration));
        }
        let path = motion.path;
        self.unit = Some(path.unit());
        let mut segment = Segment {
            path,
            ceiling: Ceiling { speed: 1.0, acceleration: 1.0, jerk: 1.0 },
            x_flange_tool: self.x_flange_tool,
            payload: self.payload,
            q_start,
            q_end: q_start,
            guide: Guide::None,
        };
        if path.length() <= 0.0 {
            if !kinds.is_empty() {
                return Err(kinds);
            }
            let report = SegmentReport {
                closest_singularity: None,
                joint_min: q_start,
                joint_max: q_start,
                ..self.report_of(instruction, &segment, &[], Some(motion.speed_m_s))
            };
            self.push(instruction, segment, report);
            return Ok(());
        }

        let kept = match Kept::from_start(self.chain, self.solver.as_ref(), &q_start, &motion.posture) {
            Ok(kept) => kept,
            Err(kind) => {
                kinds.push(kind);
                Kept::from_start(self.chain, self.solver.as_ref(), &q_start, &Posture::FREE)
                    .map_err(|kind| vec![kind])?
            }
        };
        let way = Way {
            follower: &self.follower,
            guide: &Guide::None,
            x_flange_tool: &self.x_flange_tool,
            limits: self.limits,
            path: &path,
            kept: &kept,
            rule: motion.posture.singularity,
            anatomy: self.solver.as_ref().and_then(Solver::anatomy),
            torques: self.torques.as_ref(),
        };
        let guides = self.guides(motion, &path, &q_start).or_else(|kind| {
            kinds.push(kind);
            posture::guides(&self.follower, self.limits, &q_start, &Vector3::zeros(), &Posture::FREE)
                .map_err(|kind| vec![kind])
        })?;
        let (guide, followed) = self.followed(motion, &guides, &way, &q_start);
        segment.guide = guide;
        kinds.extend_from_slice(&followed.problems);
        if followed.problems.is_empty() {
            kinds.extend(posture::other_turn(self.chain, &motion.posture, &followed.q_end));
        }
        let rows: Vec<Row> = followed.rows.iter().flat_map(|rows| ceilings::compress(rows)).collect();
        let wanted = wanted(motion);
        if kinds.is_empty() {
            match self.tool_ceiling(motion, &rows, &wanted, &followed) {
                Ok(chosen) => segment.ceiling = chosen.ceiling,
                Err(kind) => kinds.push(kind),
            }
        }
        if !kinds.is_empty() {
            // Go on behind the bad motion, on its branch if the end was reached, else on any.
            let on_branch = self.is_at(&followed.q_end, &motion.x_base_tool_end)
                && outside(self.limits, &followed.q_end).is_none();
            self.q = on_branch
                .then_some(followed.q_end)
                .or_else(|| self.nearest(&motion.x_base_tool_end, &Wish::FREE));
            return Err(kinds);
        }
        segment.q_end = followed.q_end;
        self.q = Some(followed.q_end);
        let programmed = (path.unit() == ParameterUnit::ToolDistance).then_some(motion.speed_m_s);
        let report = SegmentReport {
            closest_singularity: Some(followed.closest_singularity),
            singular_distances: followed.distances,
            orientation_error_rad: followed.orientation_error,
            joint_min: followed.joint_min,
            joint_max: followed.joint_max,
            ..self.report_of(instruction, &segment, &rows, programmed)
        };
        self.push(instruction, segment, report);
        Ok(())
    }

    /// Ways to guide a path.
    fn guides(
        &self,
        motion: &ToolMotion,
        path: &Path,
        q_start: &JointVector,
    ) -> Result<Vec<Guide>, PlanProblemKind> {
        let rule = motion.posture.singularity;
        if !rule.may_flip_wrist() {
            let x_base_start = self.chain.forward(q_start) * self.x_flange_tool;
            let way = motion.x_base_tool_end.translation.vector - x_base_start.translation.vector;
            return posture::guides(&self.follower, self.limits, q_start, &way, &motion.posture);
        }
        let solver = self.solver.as_ref().filter(|solver| solver.closed_form().is_some());
        let passage = solver.and_then(|solver| {
            let (follower, x_flange_tool) = (&self.follower, &self.x_flange_tool);
            Some(Passage {
                follower,
                solver,
                x_flange_tool,
                path,
                q_start,
                branch: solver.configuration(q_start)?,
            })
        });
        passage.ok_or(PlanProblemKind::NoGuidedWrist)?.guides(rule, &motion.posture.wish)
    }

    /// The path by the guide that allows the highest speed, the first of several; or what is wrong with the last,
    /// which tries hardest (of a redundant arm the first, which keeps most).
    fn followed(
        &self,
        motion: &ToolMotion,
        guides: &[Guide],
        way: &Way<'_>,
        q_start: &JointVector,
    ) -> (Guide, Followed) {
        let mut best: Option<(f64, Guide, Followed)> = None;
        let mut refused: Option<(Guide, Followed)> = None;
        for guide in guides {
            let followed = follow(&Way { guide, ..*way }, q_start);
            if !followed.problems.is_empty() {
                if refused.is_none() || way.rule.may_flip_wrist() {
                    refused = Some((*guide, followed));
                }
                continue;
            }
            if !way.rule.may_flip_wrist() && motion.posture.external != External::Optimise {
                return (*guide, followed);
            }
            let rows: Vec<Row> = followed.rows.iter().flat_map(|rows| ceilings::compress(rows)).collect();
            let chosen = ceilings::choose(&rows, way.path.length(), &wanted(motion));
            let speed = chosen.map_or(0.0, |chosen| chosen.achievable_speed);
            if best.as_ref().is_none_or(|(fastest, ..)| speed > *fastest) {
                best = Some((speed, *guide, followed));
            }
        }
        let best = best.map(|(_, guide, followed)| (guide, followed)).or(refused);
        best.unwrap_or_else(|| (Guide::None, follow(way, q_start)))
    }

    /// Ceilings of a Cartesian motion that its policy accepts.
    fn tool_ceiling(
        &self,
        motion: &ToolMotion,
        rows: &[Row],
        wanted: &Wanted,
        followed: &Followed,
    ) -> Result<Chosen, PlanProblemKind> {
        let chosen = ceilings::choose(rows, motion.path.length(), wanted);
        let achievable = chosen.map_or(0.0, |chosen| chosen.achievable_speed);
        let slowest = match motion.posture.singularity {
            SingularityRule::SlowDown => 0.0,
            SingularityRule::Refuse
            | SingularityRule::WristJoint(_)
            | SingularityRule::LockAxis4(_)
            | SingularityRule::OrientationError(_) => SLOWEST_SHARE,
        };
        // What is in the way at the wanted speed.
        let asked = Ceiling { speed: wanted.speed, acceleration: 0.0, jerk: 0.0 };
        let blocking = ceilings::most_used(rows, &asked).map(|(row, _)| row);
        match chosen {
            Some(chosen) if achievable >= wanted.speed || wanted.speed.is_infinite() => Ok(chosen),
            Some(chosen) if motion.policy == SpeedPolicy::Adapt && achievable >= slowest * wanted.speed => {
                Ok(chosen)
            }
            _ => Err(match blocking {
                Some(Row { limit: LimitName::Joint(joint), s, .. })
                    if achievable < slowest * wanted.speed =>
                {
                    let (closeness, closeness_min) = (followed.closest_singularity, CLOSENESS_MIN);
                    let distances = followed.distances;
                    PlanProblemKind::Singular { s, closeness, closeness_min, joint, distances }
                }
                blocking => PlanProblemKind::SpeedNotHeld {
                    s: blocking.map_or(0.0, |row| row.s),
                    limit: blocking.map_or(LimitName::Programmed, |row| row.limit),
                    programmed_m_s: motion.speed_m_s,
                    achievable_m_s: achievable,
                },
            }),
        }
    }

    /// True when the tool is where it should be at `q`.
    fn is_at(&self, q: &JointVector, x_base_tool: &Pose) -> bool {
        let miss = crate::geometry::displacement(&(self.chain.forward(q) * self.x_flange_tool), x_base_tool);
        miss.linear.norm() < 1e-6 && miss.angular.norm() < 1e-6
    }

    /// The part of a report that all motions share.
    fn report_of(
        &self,
        instruction: u32,
        segment: &Segment,
        rows: &[Row],
        programmed_m_s: Option<f64>,
    ) -> SegmentReport {
        let ceiling = segment.ceiling;
        let of_joints = |order: usize| {
            rows.iter()
                .filter(|row| matches!(row.limit, LimitName::Joint(_)))
                .map(|row| row.shares(&ceiling)[order] * row.allowed[order] / self.limit_of(row, order))
                .fold(0.0, f64::max)
        };
        let cruise = Ceiling { acceleration: 0.0, jerk: 0.0, ..ceiling };
        let limited_by = match programmed_m_s {
            Some(programmed_m_s) if ceiling.speed >= programmed_m_s => LimitName::Programmed,
            _ => ceilings::most_used(rows, &cruise).map_or(LimitName::Programmed, |(row, _)| row.limit),
        };
        SegmentReport {
            instruction,
            unit: segment.path.unit(),
            length: segment.path.length(),
            duration_s: time_law::duration(segment.path.length(), ceiling).unwrap_or(0.0),
            programmed_m_s,
            speed: ceiling.speed,
            joint_speed_ratio: of_joints(0),
            joint_acceleration_ratio: of_joints(1),
            joint_jerk_ratio: of_joints(2),
            limited_by,
            closest_singularity: None,
            singular_distances: None,
            orientation_error_rad: 0.0,
            configuration: self.solver.as_ref().and_then(|solver| solver.configuration(&segment.q_end)),
            turns: turns_of(self.chain, &segment.q_end),
            joint_min: segment.q_start,
            joint_max: segment.q_start,
        }
    }

    /// The joint limit itself that a row stands for, without shares.
    fn limit_of(&self, row: &Row, order: usize) -> f64 {
        let LimitName::Joint(joint) = row.limit else { return f64::INFINITY };
        self.limits
            .joints
            .as_slice()
            .get(joint)
            .map_or(f64::INFINITY, |limit| [limit.speed_max, limit.acceleration_max, limit.jerk_max][order])
    }

    fn push(&mut self, instruction: u32, segment: Segment, report: SegmentReport) {
        self.pieces.push(PlannedPiece { instruction, kind: PieceKind::Motion(segment) });
        self.segments.push(report);
    }
}

/// What the torques allow on a joint line.
fn torque_rows(torques: &TorqueBounds, path: &JointPath) -> Result<Vec<Row>, PlanProblemKind> {
    const PLACES: u16 = 96;
    let none = JointVector::zeros(path.direction().len());
    let mut quantities: Vec<Vec<Row>> = Vec::new();
    for place in 0..=PLACES {
        let s = path.length() * f64::from(place) / f64::from(PLACES);
        let rows = torques.rows(s, &path.sample(s), &path.direction(), &none)?;
        quantities.resize_with(rows.len().max(quantities.len()), Vec::new);
        quantities.iter_mut().zip(rows).for_each(|(rows, row)| rows.push(row));
    }
    Ok(quantities.iter().flat_map(|rows| ceilings::compress(rows)).collect())
}

/// What a Cartesian motion asks of its parameter. A pure rotation has no speed of the tool to keep.
fn wanted(motion: &ToolMotion) -> Wanted {
    if motion.path.unit() == ParameterUnit::ToolDistance {
        Wanted { speed: motion.speed_m_s, acceleration: motion.acceleration_m_s2.unwrap_or(f64::INFINITY) }
    } else {
        Wanted { speed: f64::INFINITY, acceleration: f64::INFINITY }
    }
}

/// The joint furthest outside its limits, and how far.
fn outside(limits: &Limits, q: &JointVector) -> Option<(usize, f64)> {
    limits
        .joints
        .as_slice()
        .iter()
        .zip(q.iter())
        .map(|(limit, value)| (value - limit.position_max).max(limit.position_min - value))
        .enumerate()
        .filter(|(_, by)| *by > LIMIT_ROUNDING)
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
}

fn is_finite(pose: &Pose) -> bool {
    pose.translation.vector.iter().all(|value| value.is_finite())
        && pose.rotation.coords.iter().all(|value| value.is_finite())
}
