//! The measured path against the programmed one, sample by sample: how far beside it the tool is, and how
//! far behind its setpoint in time.
//!
//! The two are kept apart: a drive that follows its setpoint late, but on the path, has a servo lag and no
//! path deviation. So the deviation is the distance from the measured tool centre point (drive positions
//! through forward kinematics) to the nearest point of the programmed segment or its neighbours, and the
//! lag is the time since the setpoint was where that nearest point is.

use nalgebra::{Point3, Vector3};

use crate::boundary::piece_queue::PieceKind;
use crate::boundary::sample_ring::Sample;
use crate::joints::JointVector;
use crate::kinematics::Chain;
use crate::trajectory::Segment;
use crate::trajectory::path::{ParameterUnit, Path, PathDerivatives, PathPoint};

/// Iterations of the search for the nearest point; it ends earlier when it stands.
const ITERATIONS_MAX: usize = 12;
/// A step along the path smaller than this (m or rad) ends the search.
const STEP_MIN: f64 = 1e-10;
/// Time from an end of a segment, at its ceiling of speed, within which its neighbour is looked at too, s.
const NEIGHBOUR_S: f64 = 0.1;
/// Step of the numeric derivative of a joint motion's tool path, rad or m.
const DERIVATIVE_STEP: f64 = 1e-6;
/// Setpoints remembered to find the lag: a quarter of a second at 1 kHz.
const HISTORY: usize = 256;
/// The lag is measured while the setpoint's speed, then and now, differs by less than this share: while a
/// law ramps, the time shift of a drive is not a property of the drive alone.
const SPEED_CHANGE_MAX: f64 = 0.01;

/// Position of the tool centre point at `s` on a segment, m, base frame.
#[must_use]
pub fn tool_position(segment: &Segment, chain: &Chain, s: f64) -> Vector3<f64> {
    match segment.path.sample(s) {
        PathPoint::Pose(pose) => pose.translation.vector,
        PathPoint::Joints(q) => tool_of(chain, &q, segment),
    }
}

fn tool_of(chain: &Chain, q: &JointVector, segment: &Segment) -> Vector3<f64> {
    (chain.forward(q) * segment.x_flange_tool).translation.vector
}

/// Derivative of [`tool_position`] with respect to `s`.
fn tool_direction(segment: &Segment, chain: &Chain, s: f64) -> Vector3<f64> {
    match segment.path.derivatives(s) {
        PathDerivatives::Tool { first, .. } => first.linear,
        PathDerivatives::Joints { .. } => {
            let length = segment.path.length();
            let (before, after) = ((s - DERIVATIVE_STEP).max(0.0), (s + DERIVATIVE_STEP).min(length));
            if after > before {
                (tool_position(segment, chain, after) - tool_position(segment, chain, before))
                    / (after - before)
            } else {
                Vector3::zeros()
            }
        }
    }
}

/// A point of a segment and its distance from what was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearest {
    /// Path parameter.
    pub s: f64,
    /// Distance, m.
    pub distance_m: f64,
}

/// The point of `segment` nearest to `measured` (m, base frame), searched from `s_guess` (Gauss–Newton on
/// the distance; exact in one step on a line).
#[must_use]
pub fn nearest_on(segment: &Segment, chain: &Chain, measured: &Vector3<f64>, s_guess: f64) -> Nearest {
    let length = segment.path.length();
    let mut s = s_guess.clamp(0.0, length);
    let mut offset = measured - tool_position(segment, chain, s);
    for _ in 0..ITERATIONS_MAX {
        let direction = tool_direction(segment, chain, s);
        let steepness = direction.norm_squared();
        // A pure rotation, or a joint motion that does not move the tool here.
        if steepness < 1e-12 {
            break;
        }
        let next = (s + offset.dot(&direction) / steepness).clamp(0.0, length);
        let next_offset = measured - tool_position(segment, chain, next);
        let step = (next - s).abs();
        // On a strongly bent path a full step may lead away; what was found stays.
        if next_offset.norm_squared() > offset.norm_squared() {
            break;
        }
        (s, offset) = (next, next_offset);
        if step < STEP_MIN {
            break;
        }
    }
    Nearest { s, distance_m: offset.norm() }
}

/// What was found for one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Distance from the programmed path, m.
    pub distance_m: f64,
    /// Path parameter of the nearest point, if it is on the segment being executed.
    pub s: Option<f64>,
    /// The segment being executed is Cartesian.
    pub cartesian: bool,
    /// Time since the setpoint was at the nearest point, s; only while it moves along the segment.
    pub lag_s: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Setpoint {
    time_s: f64,
    s: f64,
    speed: f64,
}

/// Follows the measured path of a run.
#[derive(Debug)]
pub struct MeasuredPath {
    chain: Chain,
    segments: Vec<Option<Segment>>,
    /// Piece the history belongs to.
    piece: u32,
    history: Vec<Setpoint>,
    history_next: usize,
    last_s: f64,
}

impl MeasuredPath {
    /// For the arm `chain`.
    #[must_use]
    pub fn new(chain: Chain) -> Self {
        Self {
            chain,
            segments: Vec::new(),
            piece: u32::MAX,
            history: Vec::with_capacity(HISTORY),
            history_next: 0,
            last_s: 0.0,
        }
    }

    /// The arm.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The segments of the run, by position of their piece.
    pub fn segments(&self) -> impl Iterator<Item = (usize, &Segment)> {
        self.segments.iter().enumerate().filter_map(|(at, segment)| Some((at, segment.as_ref()?)))
    }

    /// The segment of a piece, if it is a motion.
    #[must_use]
    pub fn segment(&self, piece: u32) -> Option<&Segment> {
        self.segments.get(usize::try_from(piece).ok()?)?.as_ref()
    }

    /// Takes the plan of a run.
    pub fn planned(&mut self, pieces: &mut dyn Iterator<Item = &PieceKind>) {
        self.segments = pieces
            .map(|piece| if let PieceKind::Motion(segment) = piece { Some(*segment) } else { None })
            .collect();
        self.piece = u32::MAX;
    }

    /// The measured tool centre point: drive positions through forward kinematics; m, base frame.
    #[must_use]
    pub fn tool(&self, sample: &Sample) -> Point3<f64> {
        (self.chain.forward(&sample.q_actual) * sample.x_flange_tool).translation.vector.into()
    }

    /// Compares the measured `tool` (m, base frame) of a sample of the run with the programmed path. None
    /// when its piece is no motion.
    pub fn look(&mut self, sample: &Sample, tool: &Point3<f64>) -> Option<Measured> {
        let segment = *self.segment(sample.piece)?;
        if sample.piece != self.piece {
            self.piece = sample.piece;
            self.history.clear();
            self.history_next = 0;
            self.last_s = 0.0;
        }
        let time_s = sample.time.as_seconds();
        self.remember(Setpoint { time_s, s: sample.s, speed: sample.speed });

        let tool = tool.coords;
        let nearest = nearest_on(&segment, &self.chain, &tool, self.last_s);
        self.last_s = nearest.s;
        // Near its ends the measured point may still, or already, be on a neighbour.
        let reach = NEIGHBOUR_S * segment.ceiling.speed;
        let before = if nearest.s <= reach { self.before(sample.piece) } else { None };
        let after = if nearest.s >= segment.path.length() - reach { self.after(sample.piece) } else { None };
        let neighbour = [before.map(|other| (other, other.path.length())), after.map(|other| (other, 0.0))]
            .into_iter()
            .flatten()
            .map(|(other, s_guess)| nearest_on(other, &self.chain, &tool, s_guess).distance_m)
            .reduce(f64::min);
        let on_neighbour = neighbour.is_some_and(|distance_m| distance_m < nearest.distance_m);
        Some(Measured {
            distance_m: neighbour.map_or(nearest.distance_m, |other| other.min(nearest.distance_m)),
            s: (!on_neighbour).then_some(nearest.s),
            cartesian: !matches!(segment.path, Path::Joint(_)),
            lag_s: if !on_neighbour && segment.path.unit() == ParameterUnit::ToolDistance {
                self.time_at(nearest.s, sample.speed).map(|then| time_s - then)
            } else {
                None
            },
        })
    }

    fn before(&self, piece: u32) -> Option<&Segment> {
        let piece = usize::try_from(piece).ok()?;
        self.segments.get(..piece)?.iter().rev().flatten().next()
    }

    fn after(&self, piece: u32) -> Option<&Segment> {
        let piece = usize::try_from(piece).ok()?;
        self.segments.get(piece + 1..)?.iter().flatten().next()
    }

    fn remember(&mut self, setpoint: Setpoint) {
        if self.history.len() < HISTORY {
            self.history.push(setpoint);
        } else if let Some(oldest) = self.history.get_mut(self.history_next) {
            *oldest = setpoint;
            self.history_next = (self.history_next + 1) % HISTORY;
        }
    }

    /// When the setpoint was at `s`, s; none when that is not remembered, or the speed was another one
    /// than `speed` now.
    fn time_at(&self, s: f64, speed: f64) -> Option<f64> {
        let (recent, old) = self.history.split_at_checked(self.history_next)?;
        // Oldest first; the parameter never decreases.
        let ordered = || old.iter().chain(recent);
        let after = ordered().find(|past| past.s >= s)?;
        let before = ordered().take_while(|past| past.s < s).last()?;
        let steady = |past: &Setpoint| (past.speed - speed).abs() <= SPEED_CHANGE_MAX * speed;
        if speed <= 0.0 || !steady(before) || !steady(after) {
            return None;
        }
        let share = (s - before.s) / (after.s - before.s);
        Some(before.time_s + share * (after.time_s - before.time_s))
    }
}
