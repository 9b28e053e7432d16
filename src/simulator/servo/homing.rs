//! Homing by the drive itself (IEC 61800-7-201, homing mode): methods 17 to 24, 33 to 35 and 37.
//!
//! A method is a list of legs: turn in a direction until a signal has an edge while turning that way. The last
//! edge is the home position. Where the axis comes to rest behind it does not matter.

use super::super::injection::ShaftSwitch;
use super::switches::{Edge, ShaftSignals, Signal};
use crate::devices::objects as o;

/// Most legs of a method.
const LEGS_MAX: usize = 4;
/// Share of a turn after which an index pulse must have come.
const INDEX_TURNS_MAX: f64 = 1.1;

/// Settings of homing, from the dictionary.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HomingSettings {
    pub(super) method: i8,
    /// Towards the switch, counts/s.
    pub(super) fast: f64,
    /// Towards the edge, counts/s.
    pub(super) slow: f64,
    /// Counts/s².
    pub(super) acceleration: f64,
    /// Zero position minus home position, counts.
    pub(super) home_offset: i32,
}

/// Turn that way until this edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leg {
    forwards: bool,
    fast: bool,
    signal: Signal,
    rising: bool,
}

const fn leg(forwards: bool, fast: bool, switch: ShaftSwitch, rising: bool) -> Leg {
    Leg { forwards, fast, signal: Signal::Switch(switch), rising }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Phase {
    /// Not started, or interrupted.
    #[default]
    Idle,
    /// On leg number so.
    Turning(usize),
    Attained,
    Failed,
}

/// Homing under way, or how it ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Homing {
    phase: Phase,
    legs: [Option<Leg>; LEGS_MAX],
    /// Speed of the ramp, counts/s.
    speed: f64,
    /// Where the leg began, counts.
    begin: f64,
    is_standing: bool,
}

impl Homing {
    /// Starts. Gives true when the home position is where the shaft is.
    pub(super) fn start(&mut self, method: i8, signals: &ShaftSignals, position: f64) -> bool {
        use ShaftSwitch::{Home, NegativeLimit, PositiveLimit};
        let (home, negative, positive) =
            (signals.is_on(Home), signals.is_on(NegativeLimit), signals.is_on(PositiveLimit));
        // What comes first when the shaft is on the wrong side, and the edge that is the home position.
        let (first, last) = match method {
            17 => (
                (!negative).then_some(leg(false, true, NegativeLimit, true)),
                leg(true, false, NegativeLimit, false),
            ),
            18 => (
                (!positive).then_some(leg(true, true, PositiveLimit, true)),
                leg(false, false, PositiveLimit, false),
            ),
            19 | 23 => ((!home).then_some(leg(true, true, Home, true)), leg(false, false, Home, false)),
            20 | 24 => (home.then_some(leg(false, true, Home, false)), leg(true, !home, Home, true)),
            21 => ((!home).then_some(leg(false, true, Home, true)), leg(true, false, Home, false)),
            22 => (home.then_some(leg(true, true, Home, false)), leg(false, !home, Home, true)),
            33 | 34 => {
                (None, Leg { forwards: method == 34, fast: false, signal: Signal::Index, rising: true })
            }
            35 | 37 => {
                *self = Self { phase: Phase::Attained, ..Self::default() };
                return true;
            }
            _ => {
                *self = Self { phase: Phase::Failed, ..Self::default() };
                return false;
            }
        };
        let legs = match first {
            Some(first) => [Some(first), Some(last), None, None],
            None => [Some(last), None, None, None],
        };
        *self = Self { phase: Phase::Turning(0), legs, begin: position, ..Self::default() };
        // Already on the limit switch it would turn to: the edge is behind.
        let ahead = self.limit_ahead(0);
        if let Some(limit) = ahead.filter(|limit| signals.is_on(*limit)) {
            self.reach_limit(limit, method, 0);
        }
        false
    }

    /// The limit switch in the direction of a leg.
    fn limit_ahead(&self, at: usize) -> Option<ShaftSwitch> {
        let leg = self.legs.get(at).copied().flatten()?;
        Some(if leg.forwards { ShaftSwitch::PositiveLimit } else { ShaftSwitch::NegativeLimit })
    }

    /// On the limit switch ahead without having seen the edge: methods 23 and 24 turn back once.
    fn reach_limit(&mut self, limit: ShaftSwitch, method: i8, at: usize) {
        let back = |rising| Some(leg(false, true, ShaftSwitch::Home, rising));
        match method {
            23 | 24 if at == 0 && limit == ShaftSwitch::PositiveLimit => {
                self.legs = if method == 23 {
                    [back(true), Some(leg(false, false, ShaftSwitch::Home, false)), None, None]
                } else {
                    [back(true), back(false), Some(leg(true, false, ShaftSwitch::Home, true)), None]
                };
            }
            _ => self.phase = Phase::Failed,
        }
    }

    /// The start bit was taken back, or the mode was left.
    pub(super) fn interrupt(&mut self) {
        if let Phase::Turning(_) = self.phase {
            self.phase = Phase::Idle;
        }
    }

    /// It ends with an error.
    pub(super) fn fail(&mut self) {
        *self = Self { phase: Phase::Failed, speed: self.speed, ..Self::default() };
    }

    /// Back to "not started"; the axis turns at `speed`, counts/s.
    pub(super) const fn reset(&mut self, speed: f64) {
        *self = Self { phase: Phase::Idle, legs: [None; LEGS_MAX], speed, begin: 0.0, is_standing: false };
    }

    /// An edge. Gives true when it is the home position.
    pub(super) fn pass(&mut self, edge: &Edge, method: i8, position: f64) -> bool {
        let Phase::Turning(at) = self.phase else { return false };
        let Some(leg) = self.legs.get(at).copied().flatten() else { return false };
        if edge.forwards != leg.forwards {
            return false;
        }
        if edge.signal == leg.signal && edge.rising == leg.rising {
            self.begin = position;
            let is_last = self.legs.get(at + 1).copied().flatten().is_none();
            self.phase = if is_last { Phase::Attained } else { Phase::Turning(at + 1) };
            return is_last;
        }
        let ahead = self.limit_ahead(at);
        if let Some(limit) = ahead.filter(|limit| edge.rising && edge.signal == Signal::Switch(*limit)) {
            self.reach_limit(limit, method, at);
        }
        false
    }

    /// Speed the axis is to turn at over the next `seconds`, counts/s; `None`: hold.
    pub(super) fn advance(
        &mut self,
        settings: &HomingSettings,
        counts_per_turn: f64,
        position: f64,
        is_halted: bool,
        seconds: f64,
    ) -> Option<f64> {
        let leg =
            if let Phase::Turning(at) = self.phase { self.legs.get(at).copied().flatten() } else { None };
        if leg.is_some_and(|leg| leg.signal == Signal::Index)
            && (position - self.begin).abs() > INDEX_TURNS_MAX * counts_per_turn
        {
            self.phase = Phase::Failed;
        }
        let wanted = match leg {
            Some(leg) if !is_halted && self.phase != Phase::Failed => {
                let speed = if leg.fast { settings.fast } else { settings.slow };
                if leg.forwards { speed } else { -speed }
            }
            Some(_) | None => 0.0,
        };
        let step = settings.acceleration * seconds;
        self.speed += (wanted - self.speed).clamp(-step, step);
        (wanted != 0.0 || self.speed.abs() > 0.0).then_some(self.speed)
    }

    /// The axis holds its position, or not.
    pub(super) const fn set_standing(&mut self, is_standing: bool) {
        self.is_standing = is_standing;
    }

    /// Statusword bits 10, 12 and 13 in homing.
    pub(super) fn statusword(&self) -> u16 {
        let bit = |on: bool, bit: u16| if on { bit } else { 0 };
        let is_turning = matches!(self.phase, Phase::Turning(_));
        bit(self.is_standing && !is_turning, o::STATUS_TARGET_REACHED)
            | bit(self.phase == Phase::Attained, o::STATUS_HOMING_ATTAINED)
            | bit(self.phase == Phase::Failed, o::STATUS_HOMING_ERROR)
    }
}
