//! Modes of operation: what the drive makes of its setpoints in CSP, CSV and CST, and homing.

use crate::devices::objects as o;
use crate::units::Nanoseconds;

use super::super::faults::HomingFailure;
use super::super::injection::ShaftSwitch;
use super::super::motor::{Demand, wrap};
use super::super::wire::floor;
use super::setpoints::{Line, Setpoints};
use super::switches::{Edge, Signal};
use super::{Activity, Servo};

impl Servo {
    /// What the mode asks of the motor over the next `seconds`.
    pub(super) fn follow(&mut self, seconds: f64) -> Demand {
        let (from, period) = (self.stepped, self.interpolation_period_ns);
        let rated_nm = self.parameters.rated_torque_nm;
        let torque_offset_nm = f64::from(self.torque_offset) / 1000.0 * rated_nm;
        let speed_offset = f64::from(self.velocity_offset);
        match self.mode_display {
            o::MODE_CSV => Demand::Speed {
                target: self.setpoints.velocity.at(from, period) + speed_offset,
                torque_offset_nm,
            },
            o::MODE_CST => {
                let per_mille = self.setpoints.torque.at(from, period);
                Demand::Torque(per_mille / 1000.0 * rated_nm + torque_offset_nm)
            }
            o::MODE_HOMING => self.home(seconds),
            _ => {
                let target = self.setpoints.position.at(from, period);
                Demand::Position { target, speed_offset, torque_offset_nm }
            }
        }
    }

    /// Homing turns the axis, or holds it.
    pub(super) fn home(&mut self, seconds: f64) -> Demand {
        let is_halted = self.controlword & o::CONTROL_HALT != 0;
        let counts_per_turn = f64::from(self.parameters.counts_per_turn);
        let position = self.motor.position;
        let speed = self.homing.advance(&self.homing_settings, counts_per_turn, position, is_halted, seconds);
        if let Some(speed) = speed {
            self.homing_hold = None;
            self.homing.set_standing(false);
            return Demand::speed(speed);
        }
        if self.homing_hold.is_none() && !self.motor.stands() {
            return Demand::speed(0.0);
        }
        self.homing.set_standing(true);
        Demand::hold(*self.homing_hold.get_or_insert(position))
    }

    /// Edges of switches and index pulses on the way of the last step: for homing and touch probes.
    pub(super) fn pass_edges(&mut self) {
        for edge in self.signals.turn(floor(self.motor.shaft())) {
            self.pass_edge(&edge);
            self.mind_limit_switch(&edge);
        }
    }

    pub(super) fn pass_edge(&mut self, edge: &Edge) {
        let position = self.motor.position_at(edge.at);
        self.probes.pass(edge, self.motor.shown(position));
        if self.homing.pass(edge, self.homing_settings.method, self.motor.position) {
            self.set_home(position);
        }
    }

    /// Onto a limit switch outside homing: a quick stop, as if it were commanded.
    fn mind_limit_switch(&mut self, edge: &Edge) {
        let is_limit = [ShaftSwitch::NegativeLimit, ShaftSwitch::PositiveLimit]
            .into_iter()
            .any(|limit| edge.signal == Signal::Switch(limit));
        if is_limit && edge.rising && !self.is_homing() && self.is_following() {
            self.quick_stop(self.stepped);
        }
    }

    /// The home position is found: zero lies the home offset beyond it (0x607C).
    pub(super) fn set_home(&mut self, position: i64) {
        self.motor.origin = position + i64::from(self.homing_settings.home_offset);
    }

    /// Operation enabled, brake open, in a mode of operation.
    pub(super) fn is_following(&self) -> bool {
        self.activity == Activity::Following && self.motor.is_brake_open() && self.mode_display != 0
    }

    pub(super) fn is_homing(&self) -> bool {
        self.mode_display == o::MODE_HOMING
    }

    /// From now on setpoints count: those before them are what the motor does now, so that nothing jumps.
    pub(super) fn begin_to_follow(&mut self) {
        self.demand = floor(self.motor.position) as f64;
        self.setpoints = Setpoints {
            position: Line::at_rest(self.demand),
            velocity: Line::at_rest(self.motor.speed),
            torque: Line::at_rest(f64::from(self.motor.torque_per_mille())),
        };
        self.homing.reset(self.motor.speed);
        self.homing_hold = self.motor.stands().then_some(self.motor.position);
    }

    pub(super) fn take_mode(&mut self, mode: i8) {
        self.mode = mode;
        // A mode that is not built in leaves the mode as it is.
        let is_known = matches!(mode, 0 | o::MODE_HOMING | o::MODE_CSP | o::MODE_CSV | o::MODE_CST);
        if is_known && mode != self.mode_display {
            self.mode_display = mode;
            self.begin_to_follow();
        }
    }

    /// Homing starts with the rising edge of its bit and is interrupted by the falling one.
    pub(super) fn take_homing_start(&mut self) {
        let (now, before) = (self.controlword, self.previous_controlword);
        if !self.is_homing() || !self.is_following() {
            return;
        }
        if now & !before & o::CONTROL_HOMING_START != 0 {
            match self.disturbances.homing {
                Some(HomingFailure::Error) => return self.homing.fail(),
                Some(HomingFailure::Never) => return,
                None => {}
            }
            let at_once = self.homing.start(self.homing_settings.method, &self.signals, self.motor.position);
            if at_once {
                self.set_home(floor(self.motor.position));
            }
        } else if before & !now & o::CONTROL_HOMING_START != 0 {
            self.homing.interrupt();
        }
    }

    /// New setpoints: interpolate from where they are now.
    pub(super) fn take_setpoints(&mut self, at: Nanoseconds) {
        if !self.is_following() || self.disturbances.ignores_setpoints {
            self.setpoints.position = Line::at_rest(self.demand);
            return;
        }
        let period = self.interpolation_period_ns;
        let target = match self.software_limits {
            Some((least, most)) => self.target_position.clamp(least, most),
            None => self.target_position,
        };
        self.is_position_limited = target != self.target_position && self.mode_display == o::MODE_CSP;
        // Shortest way round the counter: the difference modulo its width.
        let now_at = floor(self.setpoints.position.to);
        let shown = i64::from(self.motor.shown(now_at));
        let step = wrap(i64::from(target).wrapping_sub(shown), self.parameters.counter_bits);
        self.setpoints.position.lead_to(now_at as f64 + f64::from(step), at, period);
        self.setpoints.velocity.lead_to(f64::from(self.target_velocity), at, period);
        self.setpoints.torque.lead_to(f64::from(self.target_torque), at, period);
    }

    /// Injected: a switch along the shaft is stuck, or works again.
    pub(in super::super) fn force_switch(
        &mut self,
        switch: ShaftSwitch,
        level: Option<bool>,
        now: Nanoseconds,
    ) {
        // Latched where the shaft is at this moment, not at the last control step.
        let since = now.since(self.stepped).as_seconds();
        let shaft = floor(self.motor.shaft() + self.motor.speed * since);
        let forwards = self.motor.speed >= 0.0;
        if let Some(edge) = self.signals.force(switch, level, forwards) {
            self.pass_edge(&Edge { at: shaft, ..edge });
            self.mind_limit_switch(&edge);
        }
    }
}
