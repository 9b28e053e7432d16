//! Executes pieces: samples the path at this cycle's path parameter and solves inverse kinematics.
//! The path parameter advances per sent cycle, never per wall-clock time.

use super::feed_forward::JointMotion;
use super::process_phases::{PathWish, PhaseNews, ProcessPhases};
use super::supervision::Finding;
use crate::boundary::piece_queue::{Piece, PieceKind, PieceReader};
use crate::drives::channels::ChannelValues;
use crate::dynamics::RigidBody;
use crate::faults::FaultCode;
use crate::geometry::Pose;
use crate::joints::JointVector;
use crate::kinematics::Chain;
use crate::kinematics::guide::{Follower, Place};
use crate::kinematics::inverse::{InverseResult, InverseSettings};
use crate::machine::{ControlEpoch, RunTag};
use crate::trajectory::Segment;
use crate::trajectory::path::{PathDerivatives, PathPoint};
use crate::trajectory::time_law::{PathClock, PathState, Target};
use crate::units::Ratio;

/// How far the arm may be from where a segment starts, rad: planning solves inverse kinematics to much
/// less.
const START_TOLERANCE: f64 = 1e-6;
/// Pieces without duration that are executed in one cycle at most.
const PIECES_PER_CYCLE_MAX: usize = 8;
/// Stale pieces dropped in one cycle at most.
const DROPPED_PER_CYCLE_MAX: usize = 64;

/// What the machine wants of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Go on.
    Run,
    /// Stop on the path.
    Stop,
}

/// What one cycle of interpolation gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interpolation {
    /// Setpoint, rad.
    pub q: JointVector,
    /// How the path moves there; `None`: not known.
    pub motion: Option<JointMotion>,
    /// The path stands still.
    pub standing: bool,
    /// The last piece of the run is done.
    pub completed: bool,
    /// A piece began: position in the run, position of its instruction.
    pub began: Option<(u32, u32)>,
    /// What happened in the phases of the process.
    pub news: PhaseNews,
}

/// What the pieces act on beside the arm.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The pieces to come.
    pub pieces: &'a mut PieceReader,
    /// The process under way.
    pub phases: &'a mut ProcessPhases,
    /// Input channels of this cycle.
    pub inputs: &'a ChannelValues,
    /// Output channels of this cycle.
    pub outputs: &'a mut ChannelValues,
}

#[derive(Clone, Copy, Debug)]
#[expect(clippy::large_enum_variant, reason = "lives once, in place, in the cycle")]
enum Activity {
    None,
    Motion { segment: Segment, clock: PathClock },
    Dwell { left_s: f64 },
    WaitInput { channel: u8, on: bool, timeout_s: f32, elapsed_s: f64 },
}

/// Executes the pieces of one run at a time.
#[derive(Debug)]
pub struct Interpolator {
    follower: Follower,
    inverse: InverseSettings,
    dt_s: f64,
    override_ratio: Ratio,
    activity: Activity,
    /// A piece popped but not begun yet.
    pending: Option<Piece>,
    run: RunTag,
    epoch: ControlEpoch,
    /// Pieces of runs up to this one are dropped.
    ended: RunTag,
    piece: u32,
    instruction: u32,
    s: f64,
    speed: f64,
    x_flange_tool: Pose,
    payload: RigidBody,
}

impl Interpolator {
    /// Nothing to do yet, override 100 %.
    #[must_use]
    pub fn new(chain: Chain, inverse: InverseSettings, dt_s: f64) -> Self {
        Self {
            follower: Follower::new(chain),
            inverse,
            dt_s,
            override_ratio: Ratio::ONE,
            activity: Activity::None,
            pending: None,
            run: RunTag::default(),
            epoch: ControlEpoch::default(),
            ended: RunTag::default(),
            piece: 0,
            instruction: 0,
            s: 0.0,
            speed: 0.0,
            x_flange_tool: Pose::identity(),
            payload: RigidBody::none(),
        }
    }

    /// Starts a run under a lease.
    pub fn start(&mut self, run: RunTag, epoch: ControlEpoch) {
        self.activity = Activity::None;
        self.run = run;
        self.epoch = epoch;
        self.s = 0.0;
        self.speed = 0.0;
    }

    /// Ends the run; what is left of it is dropped.
    pub fn discard(&mut self) {
        self.activity = Activity::None;
        self.ended = self.ended.max(self.run);
        self.run = RunTag::default();
        self.speed = 0.0;
    }

    /// Drops stale pieces, a bounded number a cycle, so that the queue empties while nothing runs.
    pub fn drop_stale(&mut self, pieces: &mut PieceReader) {
        for _ in 0..DROPPED_PER_CYCLE_MAX {
            if self.look(pieces) != Next::Dropped {
                return;
            }
        }
    }

    /// Looks at the next piece, leaving it in `pending`; a stale one is dropped.
    fn look(&mut self, pieces: &mut PieceReader) -> Next {
        if self.pending.is_none() {
            self.pending = pieces.pop();
        }
        match self.pending {
            None => Next::Empty,
            Some(piece) if piece.run <= self.ended => {
                self.pending = None;
                Next::Dropped
            }
            Some(_) => Next::Pending,
        }
    }

    /// Speed override from now on.
    pub fn set_override(&mut self, ratio: Ratio) {
        self.override_ratio = ratio;
    }

    /// Speed override in force.
    #[must_use]
    pub const fn override_ratio(&self) -> Ratio {
        self.override_ratio
    }

    /// The run; zero: none.
    #[must_use]
    pub const fn run(&self) -> RunTag {
        self.run
    }

    /// Position of the current piece and of its instruction, path parameter and its speed.
    #[must_use]
    pub const fn place(&self) -> (u32, u32, f64, f64) {
        (self.piece, self.instruction, self.s, self.speed)
    }

    /// Tool of the current motion, in the flange frame.
    #[must_use]
    pub const fn x_flange_tool(&self) -> &Pose {
        &self.x_flange_tool
    }

    /// Tool and load of the current motion, in the flange frame.
    #[must_use]
    pub const fn payload(&self) -> &RigidBody {
        &self.payload
    }

    /// Tool centre point at joint positions `q`, base frame.
    #[must_use]
    pub fn x_base_tool(&self, q: &JointVector) -> Pose {
        self.follower.chain().forward(q) * self.x_flange_tool
    }

    /// Advances by one cycle from setpoint `q` moving at `q_speed`.
    ///
    /// # Errors
    /// The path cannot be followed: inverse kinematics failed, the arm is not at the start, a phase or
    /// a wait failed. The setpoint `q` stays in force.
    pub fn step(
        &mut self,
        demand: Demand,
        q: &JointVector,
        q_speed: &JointVector,
        around: &mut Surroundings<'_>,
    ) -> Result<Interpolation, Finding> {
        let mut result = Interpolation {
            q: *q,
            motion: None,
            standing: true,
            completed: false,
            began: None,
            news: PhaseNews::None,
        };
        if demand == Demand::Stop {
            if let Activity::Motion { .. } = self.activity {
                self.advance_motion(demand, q_speed, &mut result)?;
            }
            return Ok(result);
        }
        let (wish, news) = around.phases.step(around.inputs, around.outputs).map_err(|failure| Finding {
            code: failure.code,
            place: Some(failure.phase),
            value: failure.value_s,
            limit: failure.limit_s,
        })?;
        result.news = news;
        if wish == PathWish::Wait {
            self.speed = 0.0;
            return Ok(result);
        }
        for _ in 0..PIECES_PER_CYCLE_MAX {
            match &mut self.activity {
                Activity::Motion { .. } => {
                    self.advance_motion(demand, q_speed, &mut result)?;
                    return Ok(result);
                }
                Activity::Dwell { left_s } => {
                    *left_s -= self.dt_s;
                    if *left_s <= 0.5 * self.dt_s {
                        self.activity = Activity::None;
                    }
                    return Ok(result);
                }
                Activity::WaitInput { channel, on, timeout_s, elapsed_s } => {
                    if around.inputs.is_on(*channel) == *on {
                        self.activity = Activity::None;
                        continue;
                    }
                    *elapsed_s += self.dt_s;
                    let limit = f64::from(*timeout_s);
                    if limit > 0.0 && *elapsed_s >= limit {
                        let (place, value) = (Some(*channel), *elapsed_s);
                        *elapsed_s = 0.0;
                        return Err(Finding { code: FaultCode::PhaseTimeout, place, value, limit });
                    }
                    return Ok(result);
                }
                Activity::None => {
                    if self.begin_next(q, around, &mut result)? == Begun::Nothing {
                        return Ok(result);
                    }
                }
            }
        }
        Ok(result)
    }

    fn begin_next(
        &mut self,
        q: &JointVector,
        around: &mut Surroundings<'_>,
        result: &mut Interpolation,
    ) -> Result<Begun, Finding> {
        if self.look(around.pieces) == Next::Dropped {
            return Ok(Begun::Something);
        }
        // Pieces of another run wait for its start; those of another lease are dropped with theirs.
        let Some(piece) = self.pending.filter(|piece| piece.run == self.run) else {
            return Ok(Begun::Nothing);
        };
        self.pending = None;
        if piece.epoch != self.epoch {
            return Ok(Begun::Something);
        }
        self.piece = piece.index;
        self.instruction = piece.instruction;
        self.s = 0.0;
        self.speed = 0.0;
        result.began = Some((piece.index, piece.instruction));
        match piece.kind {
            PieceKind::Motion(segment) => {
                let distance = (segment.q_start - *q).max_abs();
                if !matches!(distance.partial_cmp(&START_TOLERANCE), Some(std::cmp::Ordering::Less)) {
                    return Err(Finding {
                        code: FaultCode::NotAtStart,
                        place: None,
                        value: distance,
                        limit: START_TOLERANCE,
                    });
                }
                self.x_flange_tool = segment.x_flange_tool;
                self.payload = segment.payload;
                // A ceiling that is no positive number cannot come from the planner.
                let Some(clock) = PathClock::start(segment.path.length(), segment.ceiling) else {
                    return Err(Finding {
                        code: FaultCode::SetpointNotFinite,
                        place: None,
                        value: segment.ceiling.speed,
                        limit: 0.0,
                    });
                };
                self.activity = Activity::Motion { segment, clock };
            }
            PieceKind::ProcessStart(table) => {
                around.phases.start(&table);
                return Ok(Begun::Nothing);
            }
            PieceKind::ProcessEnd => {
                around.phases.end_of_path();
                return Ok(Begun::Nothing);
            }
            PieceKind::Dwell(duration_s) => self.activity = Activity::Dwell { left_s: duration_s },
            PieceKind::Output(action) => around.outputs.apply(action),
            PieceKind::WaitInput { channel, on, timeout_s } => {
                self.activity = Activity::WaitInput { channel, on, timeout_s, elapsed_s: 0.0 };
            }
            PieceKind::EndOfRun => {
                result.completed = true;
                return Ok(Begun::Nothing);
            }
        }
        Ok(Begun::Something)
    }

    fn advance_motion(
        &mut self,
        demand: Demand,
        q_speed: &JointVector,
        result: &mut Interpolation,
    ) -> Result<(), Finding> {
        let Activity::Motion { segment, clock } = &mut self.activity else { return Ok(()) };
        clock.set_target(match demand {
            Demand::Run => Target::Run { override_ratio: self.override_ratio },
            Demand::Stop => Target::Hold,
        });
        let state = clock.step(self.dt_s);
        self.s = state.s;
        self.speed = state.speed;
        result.standing = clock.is_standing();
        result.q = match segment.path.sample(state.s) {
            PathPoint::Joints(q) => q,
            PathPoint::Pose(x_base_tool) => {
                let place = Place {
                    fraction: state.s / segment.path.length(),
                    x_base_tool: &x_base_tool,
                    x_flange_tool: &segment.x_flange_tool,
                };
                let seed = result.q + *q_speed * self.dt_s;
                match self.follower.inverse(&segment.guide, &place, &seed, &self.inverse) {
                    InverseResult::Converged { q, .. } => q,
                    InverseResult::NotConverged { position_error_m, .. } => {
                        return Err(Finding {
                            code: FaultCode::InverseKinematics,
                            place: None,
                            value: position_error_m,
                            limit: self.inverse.position_tolerance_m,
                        });
                    }
                }
            }
        };
        result.motion = motion_along(&self.follower, segment, &state, &result.q);
        if clock.is_at_end() && demand == Demand::Run {
            self.activity = Activity::None;
        }
        Ok(())
    }
}

/// Speeds and accelerations of the joints at `q`, from the derivatives of the path; `None` at a singular pose.
fn motion_along(
    follower: &Follower,
    segment: &Segment,
    at: &PathState,
    q: &JointVector,
) -> Option<JointMotion> {
    match segment.path.derivatives(at.s) {
        PathDerivatives::Joints { first } => {
            Some(JointMotion { speeds: first * at.speed, accelerations: first * at.acceleration })
        }
        PathDerivatives::Tool { first, second, .. } => {
            let (speeds, accelerations) = follower.motion(
                &segment.guide,
                segment.path.length(),
                (at.s, at.speed, at.acceleration),
                (&first, &second),
                &segment.x_flange_tool,
                q,
                |s| match segment.path.sample(s) {
                    PathPoint::Pose(x_base_tool) => Some(x_base_tool),
                    PathPoint::Joints(_) => None,
                },
            )?;
            Some(JointMotion { speeds, accelerations })
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    /// Look again in this cycle.
    Something,
    /// Nothing more in this cycle.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// No piece waits.
    Empty,
    /// A stale piece was dropped; there may be more.
    Dropped,
    /// A piece waits in `pending`.
    Pending,
}
