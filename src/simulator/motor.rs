//! Motor, gear inertia, brake and encoder of one drive, with the position and speed loops that hold it.

use std::f64::consts::TAU;

use crate::units::Nanoseconds;

use super::description::{DriveParameters, EncoderKind};
use super::wire::{floor, round};

/// What the control loops are asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Demand {
    /// No current: the motor coasts, or the brake holds it.
    Free,
    /// Hold where the loop was closed.
    Position {
        /// Counts, not wrapped.
        target: f64,
        /// Added to the speed the position loop asks for, counts/s.
        speed_offset: f64,
        /// Added to the torque the speed loop asks for, N m.
        torque_offset_nm: f64,
    },
    /// Speed, counts/s.
    Speed {
        /// Counts/s.
        target: f64,
        /// Added to the torque the speed loop asks for, N m.
        torque_offset_nm: f64,
    },
    /// Torque, N m; cut where the motor would turn faster than it may.
    Torque(f64),
}

impl Demand {
    /// Speed, counts/s, without offsets.
    pub(super) const fn speed(target: f64) -> Self {
        Self::Speed { target, torque_offset_nm: 0.0 }
    }

    /// Hold a position, counts.
    pub(super) const fn hold(target: f64) -> Self {
        Self::Position { target, speed_offset: 0.0, torque_offset_nm: 0.0 }
    }
}

/// A motor with everything on its shaft. Positions are encoder counts, not wrapped; speeds counts/s.
///
/// Three places are told apart: where the shaft is ([`shaft`](Self::shaft), what switches see), where the encoder
/// says it is (`position`, what the loops work with; the two differ after an injected jump), and what the drive
/// shows ([`encoder`](Self::encoder): counted from an origin that homing sets, wrapped).
#[derive(Clone, Debug)]
pub(super) struct Motor {
    parameters: DriveParameters,
    /// Counts a radian.
    counts_per_rad: f64,
    rad_per_count: f64,
    /// Inertia the loops are tuned to, kg m².
    tuned_inertia_kg_m2: f64,
    /// What the shaft turns: rotor and gear alone, or an arm.
    pub(super) load: Load,
    /// Torque of the integral part of the speed loop, N m.
    integral_nm: f64,
    /// Where the encoder says the shaft is.
    pub(super) position: f64,
    /// How far the encoder is wrong.
    slipped: f64,
    /// Position that is shown as zero.
    pub(super) origin: i64,
    /// How fast it turns.
    pub(super) speed: f64,
    /// Torque of the motor, N m.
    pub(super) torque_nm: f64,
    /// The torque the loops asked for was cut.
    pub(super) is_limited: bool,
    /// Injected: the shaft cannot move.
    pub(super) stalled: bool,
    /// Torque on the shaft from outside, N m.
    pub(super) external_torque_nm: f64,
    /// Share of rated torque the drive may use (0x6072 / 1000); cut to the peak torque.
    pub(super) torque_limit_ratio: f64,
    brake: Brake,
}

/// What hangs on a shaft beside the motor itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    /// Inertia the shaft feels, with the rotor, kg m².
    pub(super) inertia_kg_m2: f64,
    /// Torque that pushes back, N m.
    pub(super) torque_nm: f64,
}

/// A spring-applied brake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Brake {
    Closed,
    Opening { at: Nanoseconds },
    Open,
    Closing { at: Nanoseconds },
}

impl Motor {
    /// A motor at rest, braked, at the initial position.
    pub(super) fn new(parameters: &DriveParameters) -> Self {
        Self {
            parameters: *parameters,
            counts_per_rad: f64::from(parameters.counts_per_turn) / TAU,
            rad_per_count: TAU / f64::from(parameters.counts_per_turn),
            tuned_inertia_kg_m2: parameters.motor_inertia_kg_m2 + parameters.gear_inertia_kg_m2,
            load: Load {
                inertia_kg_m2: parameters.motor_inertia_kg_m2 + parameters.gear_inertia_kg_m2,
                torque_nm: 0.0,
            },
            integral_nm: 0.0,
            position: parameters.initial_position_counts as f64,
            slipped: 0.0,
            origin: 0,
            speed: 0.0,
            torque_nm: 0.0,
            is_limited: false,
            stalled: false,
            external_torque_nm: 0.0,
            torque_limit_ratio: f64::INFINITY,
            brake: Brake::Closed,
        }
    }

    /// Tunes the loops to the inertia the shaft feels, kg m².
    pub(super) const fn tune(&mut self, inertia_kg_m2: f64) {
        self.tuned_inertia_kg_m2 = inertia_kg_m2;
    }

    /// Inertia of rotor and gear alone, kg m².
    pub(super) const fn rotor_inertia_kg_m2(&self) -> f64 {
        self.parameters.motor_inertia_kg_m2 + self.parameters.gear_inertia_kg_m2
    }

    /// Angle of the shaft, rad, not wrapped.
    pub(super) fn shaft_rad(&self) -> f64 {
        self.shaft() * self.rad_per_count
    }

    /// Speed of the shaft, rad/s.
    pub(super) fn speed_rad_s(&self) -> f64 {
        self.speed * self.rad_per_count
    }

    /// Neither a brake nor an injection keeps the shaft where it is.
    pub(super) fn can_turn(&self) -> bool {
        !self.stalled && (!self.is_held_by_brake() || self.speed != 0.0)
    }

    fn is_held_by_brake(&self) -> bool {
        matches!(self.brake, Brake::Closed | Brake::Opening { .. })
    }

    /// What motor, friction and injected torque do to the shaft together, N m.
    pub(super) fn driving_nm(&self) -> f64 {
        self.torque_nm + self.external_torque_nm - friction(&self.parameters, self.speed_rad_s())
    }

    /// Counts a radian of the motor shaft.
    pub(super) const fn counts_per_rad(&self) -> f64 {
        self.counts_per_rad
    }

    /// The position counter of the encoder, wrapped to its width and sign-extended.
    pub(super) fn encoder(&self) -> i32 {
        self.shown(floor(self.position))
    }

    /// A position as the counter shows it.
    pub(super) const fn shown(&self, position: i64) -> i32 {
        wrap(position.wrapping_sub(self.origin), self.parameters.counter_bits)
    }

    /// Where the shaft is.
    pub(super) fn shaft(&self) -> f64 {
        self.position - self.slipped
    }

    /// Where the encoder says the shaft is when it is at `shaft`.
    pub(super) fn position_at(&self, shaft: i64) -> i64 {
        shaft + floor(self.slipped)
    }

    /// The power supply was off. An absolute encoder knows where it is, within its width, and the drive has kept
    /// where zero is; an incremental one counts from zero again.
    pub(super) fn power_on(&mut self) {
        if self.parameters.encoder == EncoderKind::Incremental {
            self.origin = floor(self.position);
        }
        self.brake = Brake::Closed;
        self.speed = 0.0;
        self.torque_nm = 0.0;
    }

    /// Moves the encoder reading, not the shaft.
    pub(super) fn jump(&mut self, counts: i32) {
        self.position += f64::from(counts);
        self.slipped += f64::from(counts);
    }

    /// Starts to open the brake, unless it is opening or open.
    pub(super) fn open_brake(&mut self, now: Nanoseconds) {
        match self.brake {
            Brake::Closed | Brake::Closing { .. } => {
                self.brake = Brake::Opening { at: now.plus(self.parameters.brake_open_delay) };
            }
            Brake::Opening { .. } | Brake::Open => {}
        }
    }

    /// Starts to close the brake, unless it is closing or closed.
    pub(super) fn close_brake(&mut self, now: Nanoseconds) {
        match self.brake {
            Brake::Open | Brake::Opening { .. } => {
                self.brake = Brake::Closing { at: now.plus(self.parameters.brake_close_delay) };
            }
            Brake::Closing { .. } | Brake::Closed => {}
        }
    }

    /// The brake does not hold the shaft and is not about to.
    pub(super) fn is_brake_open(&self) -> bool {
        self.brake == Brake::Open
    }

    /// The brake holds the shaft.
    pub(super) fn is_brake_closed(&self) -> bool {
        self.brake == Brake::Closed
    }

    /// Turns slower than a thousandth of a turn a second.
    pub(super) fn stands(&self) -> bool {
        self.speed.abs() < f64::from(self.parameters.counts_per_turn) * 1e-3
    }

    /// Torque as 0x6077 shows it: per thousand of rated torque.
    pub(super) fn torque_per_mille(&self) -> i16 {
        round(self.torque_nm / self.parameters.rated_torque_nm * 1000.0) as i16
    }

    /// One step of loops and mechanics, from `now − seconds` to `now`.
    ///
    /// Cascade: speed = Kv × position error, acceleration = speed gain × speed error, both cut to their limits;
    /// semi-implicit Euler, stable for steps below 2 / speed gain.
    pub(super) fn step(&mut self, demand: Demand, seconds: f64, now: Nanoseconds) {
        match self.brake {
            Brake::Opening { at } if now >= at => self.brake = Brake::Open,
            Brake::Closing { at } if now >= at => self.brake = Brake::Closed,
            Brake::Opening { .. } | Brake::Closing { .. } | Brake::Open | Brake::Closed => {}
        }
        let parameters = &self.parameters;
        let per_rad = self.counts_per_rad;
        let held_by_brake = self.is_held_by_brake();
        let rad_per_count = self.rad_per_count;
        let speed_rad_s = self.speed * rad_per_count;
        let friction_nm = friction(parameters, speed_rad_s);
        let limit_nm = parameters.peak_torque_nm.min(parameters.rated_torque_nm * self.torque_limit_ratio);
        let speed_limit = parameters.speed_limit_rad_s;
        let proportional = self.tuned_inertia_kg_m2 * parameters.speed_gain_1_s;
        let known_nm = if parameters.compensates_friction { friction_nm } else { 0.0 };
        // What the speed loop asks for to turn at `reference` counts/s. What the arm does to the shaft it does not
        // know: its integral part finds it.
        let speed_loop = |reference: f64| {
            let wanted_rad_s = (reference * rad_per_count).clamp(-speed_limit, speed_limit);
            (
                proportional * (wanted_rad_s - speed_rad_s) + known_nm,
                (reference * rad_per_count).abs() > speed_limit,
            )
        };
        let mut error_nm = 0.0;
        let (wanted_nm, is_too_fast) = match demand {
            Demand::Free => {
                self.is_limited = false;
                self.torque_nm = 0.0;
                self.integral_nm = 0.0;
                self.coast(held_by_brake, seconds);
                return;
            }
            Demand::Position { target, speed_offset, torque_offset_nm } => {
                let reference = parameters.position_gain_1_s * (target - self.position) + speed_offset;
                let (torque_nm, is_too_fast) = speed_loop(reference);
                error_nm = torque_nm;
                (torque_nm + self.integral_nm + torque_offset_nm, is_too_fast)
            }
            Demand::Speed { target, torque_offset_nm } => {
                let (torque_nm, is_too_fast) = speed_loop(target);
                error_nm = torque_nm;
                (torque_nm + self.integral_nm + torque_offset_nm, is_too_fast)
            }
            Demand::Torque(torque_nm) => {
                // No more than what brings the motor to its largest speed in this direction.
                let most = speed_loop(speed_limit / rad_per_count).0;
                let least = speed_loop(-speed_limit / rad_per_count).0;
                (torque_nm.clamp(least, most), torque_nm > most || torque_nm < least)
            }
        };
        self.torque_nm = wanted_nm.clamp(-limit_nm, limit_nm);
        self.is_limited = wanted_nm.abs() > limit_nm || is_too_fast;
        if held_by_brake || self.stalled {
            self.integral_nm = 0.0;
        } else if parameters.speed_integral_time_s > 0.0 && !self.is_limited {
            self.integral_nm += (error_nm - known_nm) * seconds / parameters.speed_integral_time_s;
        }
        if self.stalled || held_by_brake {
            self.speed = 0.0;
            if held_by_brake {
                // The loops are closed on the position the brake holds: nothing to push against.
                self.torque_nm = 0.0;
                self.is_limited = false;
            }
            return;
        }
        let driving_nm = self.torque_nm + self.external_torque_nm - friction_nm - self.load.torque_nm;
        self.speed = (speed_rad_s + driving_nm / self.load.inertia_kg_m2 * seconds) * per_rad;
        self.position += self.speed * seconds;
    }

    /// Without current: friction and brake take the speed away; a torque from outside moves what neither holds.
    fn coast(&mut self, held_by_brake: bool, seconds: f64) {
        let parameters = &self.parameters;
        let speed_rad_s = self.speed * self.rad_per_count;
        let inertia_kg_m2 = self.load.inertia_kg_m2;
        let pushing_nm = self.external_torque_nm - self.load.torque_nm;
        let pushed = speed_rad_s + pushing_nm / inertia_kg_m2 * seconds;
        let braking_nm = parameters.friction_nm
            + parameters.viscous_friction_nm_s * speed_rad_s.abs()
            + if held_by_brake { parameters.brake_torque_nm } else { 0.0 };
        let lost = braking_nm / inertia_kg_m2 * seconds;
        let left = (pushed.abs() - lost).max(0.0).copysign(pushed);
        self.speed = if self.stalled { 0.0 } else { left * self.counts_per_rad };
        self.position += self.speed * seconds;
    }

    /// The brake does not hold any more.
    #[cfg(test)]
    pub(super) fn release_brake_for_test(&mut self) {
        self.brake = Brake::Open;
    }

    /// The brake holds only `torque_nm`.
    #[cfg(test)]
    pub(super) fn weaken_brake_for_test(&mut self, torque_nm: f64) {
        self.parameters.brake_torque_nm = torque_nm;
    }
}

/// Friction torque against the direction of `speed_rad_s`.
fn friction(parameters: &DriveParameters, speed_rad_s: f64) -> f64 {
    // Dry friction fades in over the first tenth of a rad/s so that it does not chatter at rest.
    let dry = (speed_rad_s / 0.1).clamp(-1.0, 1.0) * parameters.friction_nm;
    dry + parameters.viscous_friction_nm_s * speed_rad_s
}

/// `counts` modulo the width of the counter, sign-extended.
pub(super) const fn wrap(counts: i64, bits: u8) -> i32 {
    let shift = 64 - bits as u32;
    ((counts << shift) >> shift) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STEP_S: f64 = 250e-6;

    fn run(motor: &mut Motor, from_ms: u64, ms: u64, mut demand: impl FnMut(f64) -> Demand) {
        for step in 0..ms * 4 {
            let now = Nanoseconds(from_ms * 1_000_000 + (step + 1) * 250_000);
            motor.step(demand(step as f64 * STEP_S), STEP_S, now);
        }
    }

    fn position(target: f64) -> Demand {
        Demand::hold(target)
    }

    fn opened() -> Motor {
        let mut motor = Motor::new(&DriveParameters::default());
        motor.open_brake(Nanoseconds(0));
        run(&mut motor, 0, 100, |_| Demand::Free);
        assert!(motor.is_brake_open());
        motor
    }

    #[test]
    fn at_constant_speed_the_lag_is_speed_over_gain() {
        let mut motor = opened();
        let speed = 50.0 * motor.counts_per_rad();
        run(&mut motor, 100, 2000, |t| position(speed * t));
        let lag = speed * 2.0 - motor.position;
        let expected = speed / 80.0;
        assert!((lag / expected - 1.0).abs() < 0.01, "lag {lag}, expected {expected}");
    }

    #[test]
    fn with_the_speed_fed_forward_there_is_no_lag() {
        let mut motor = opened();
        let speed = 50.0 * motor.counts_per_rad();
        run(&mut motor, 100, 2000, |t| Demand::Position {
            target: speed * t,
            speed_offset: speed,
            torque_offset_nm: 0.0,
        });
        assert!((speed * 2.0 - motor.position).abs() < speed * 1e-5);
    }

    #[test]
    fn a_torque_fed_forward_accelerates_without_a_speed_error() {
        let mut motor = opened();
        let torque_offset_nm = 0.1;
        let target = motor.position;
        motor.step(
            Demand::Position { target, speed_offset: 0.0, torque_offset_nm },
            STEP_S,
            Nanoseconds(200_000_000),
        );
        let reached = motor.speed / motor.counts_per_rad();
        assert!((reached - torque_offset_nm / 1e-4 * STEP_S).abs() < 1e-9, "{reached} rad/s");
    }

    #[test]
    fn a_step_is_approached_without_overshoot() {
        let mut motor = opened();
        let target = motor.counts_per_rad();
        let mut largest = 0.0_f64;
        for chunk in 0..300 {
            run(&mut motor, 100 + chunk, 1, |_| position(target));
            largest = largest.max(motor.position);
        }
        assert!((motor.position - target).abs() < 1.0, "arrived: {}", motor.position - target);
        assert!(largest < target + 1.0);
    }

    #[test]
    fn speed_and_torque_stay_within_their_limits() {
        let mut motor = opened();
        let parameters = DriveParameters::default();
        let mut fastest = 0.0_f64;
        let mut strongest = 0.0_f64;
        for chunk in 0..500 {
            run(&mut motor, 100 + chunk, 1, |_| position(1e12));
            fastest = fastest.max(motor.speed / motor.counts_per_rad());
            strongest = strongest.max(motor.torque_nm);
        }
        assert!(fastest <= parameters.speed_limit_rad_s * 1.000_001 && fastest > 500.0);
        assert!(strongest <= parameters.peak_torque_nm && strongest > 3.7);
        assert!(motor.is_limited);
    }

    #[test]
    fn the_closed_brake_holds_whatever_the_loops_ask_for() {
        let mut motor = Motor::new(&DriveParameters::default());
        run(&mut motor, 0, 100, |_| position(1e9));
        assert!(motor.position.abs() < f64::EPSILON);
        assert!(motor.is_brake_closed());
    }

    #[test]
    fn without_current_the_brake_stops_the_shaft() {
        let mut motor = opened();
        run(&mut motor, 100, 200, |_| Demand::speed(100.0 * TAU * 1e4));
        motor.close_brake(Nanoseconds(300_000_000));
        run(&mut motor, 300, 300, |_| Demand::Free);
        assert!(motor.is_brake_closed() && motor.stands());
    }

    #[test]
    fn a_stalled_shaft_does_not_move() {
        let mut motor = opened();
        motor.stalled = true;
        let before = motor.position;
        run(&mut motor, 100, 100, |_| position(1e6));
        assert!((motor.position - before).abs() < f64::EPSILON);
        assert!(motor.torque_nm > 0.0);
    }

    proptest! {
        #[test]
        fn wrapping_is_addition_modulo_the_width(counts in -(1_i64 << 40)..(1_i64 << 40), bits in 8_u8..=32) {
            let wrapped = i64::from(wrap(counts, bits));
            let half = 1_i64 << (bits - 1);
            prop_assert!((-half..half).contains(&wrapped));
            prop_assert_eq!((counts - wrapped).rem_euclid(1 << bits), 0);
        }
    }
}
