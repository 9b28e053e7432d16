//! What the terminals are wired to: a welding power source.

use crate::units::Nanoseconds;

use super::description::{Channel, PowerSourceParameters};
use super::injection::ArcFailure;
use super::random::Random;

/// How often the equipment is computed.
pub(super) const EQUIPMENT_PERIOD_NS: u64 = 1_000_000;
/// Full scale of an analog channel: 10 V.
const ANALOG_FULL_SCALE: f64 = 32767.0;
/// Current for each m/min of wire where only the wire feed is commanded (1.2 mm solid wire).
const CURRENT_PER_WIRE_FEED: f64 = 25.0;
/// Time constant of the measured voltage, s.
const VOLTAGE_TIME_CONSTANT_S: f64 = 0.005;
/// Share of the current setpoint below which no arc burns.
const ARC_CURRENT_MIN_A: f64 = 5.0;

/// Channels of the terminals, as the equipment sees them.
pub(super) trait Wiring {
    /// Level of a digital output.
    fn digital_output(&self, channel: Channel) -> bool;
    /// Value of an analog output.
    fn analog_output(&self, channel: Channel) -> i32;
    /// Sets the level at a digital input.
    fn set_digital_input(&mut self, channel: Channel, level: bool);
    /// Sets the value at an analog input.
    fn set_analog_input(&mut self, channel: Channel, value: i32);
}

/// What can be seen of a power source from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PowerSourceSnapshot {
    /// Gas flows.
    pub gas: bool,
    /// Weld is on.
    pub weld_on: bool,
    /// An arc burns.
    pub arc: bool,
    /// Current, A.
    pub current_a: f64,
    /// Voltage, V.
    pub voltage_v: f64,
    /// Wire feed, m/min.
    pub wire_feed_m_min: f64,
    /// How often an arc was established.
    pub ignitions: u32,
    /// How long arcs have burned without gas.
    pub burned_without_gas: Nanoseconds,
}

/// State of the arc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arc {
    Off,
    Igniting {
        until: Nanoseconds,
    },
    Burning {
        since: Nanoseconds,
    },
    /// Went out while weld is on; weld has to be switched off first.
    Out,
}

/// A welding power source.
#[derive(Clone, Debug)]
pub(super) struct PowerSource {
    parameters: PowerSourceParameters,
    random: Random,
    arc: Arc,
    failure: Option<ArcFailure>,
    snapshot: PowerSourceSnapshot,
}

impl PowerSource {
    /// A power source that is ready.
    pub(super) fn new(parameters: &PowerSourceParameters, seed: u64, stream: u64) -> Self {
        Self {
            parameters: *parameters,
            random: Random::new(seed, stream),
            arc: Arc::Off,
            failure: None,
            snapshot: PowerSourceSnapshot::default(),
        }
    }

    /// Injects a failure, or takes it away.
    pub(super) const fn set_failure(&mut self, failure: Option<ArcFailure>) {
        self.failure = failure;
    }

    /// What can be seen from outside.
    pub(super) const fn snapshot(&self) -> PowerSourceSnapshot {
        self.snapshot
    }

    /// One period up to `now`.
    pub(super) fn step(&mut self, wiring: &mut impl Wiring, now: Nanoseconds) {
        let parameters = self.parameters;
        let digital = |wiring: &dyn Wiring, channel: Option<Channel>| {
            channel.is_some_and(|channel| wiring.digital_output(channel))
        };
        let analog = |wiring: &dyn Wiring, channel: Option<Channel>, full_scale: f64| {
            channel.map(|channel| {
                (f64::from(wiring.analog_output(channel)) / ANALOG_FULL_SCALE * full_scale).max(0.0)
            })
        };
        let weld_on = digital(wiring, parameters.weld_on);
        let gas = digital(wiring, parameters.gas);
        let wire = analog(wiring, parameters.wire_feed_setpoint, parameters.wire_feed_full_scale_m_min);
        let current = analog(wiring, parameters.current_setpoint, parameters.current_full_scale_a)
            .or_else(|| wire.map(|wire| wire * CURRENT_PER_WIRE_FEED))
            .unwrap_or(parameters.current_full_scale_a * 0.4);
        let voltage = analog(wiring, parameters.voltage_setpoint, parameters.voltage_full_scale_v)
            .unwrap_or(14.0 + 0.05 * current);
        self.arc = self.next_arc(weld_on, current, now);
        let burns = matches!(self.arc, Arc::Burning { .. });
        if burns && !self.snapshot.arc {
            self.snapshot.ignitions += 1;
        }
        if burns && !gas {
            self.snapshot.burned_without_gas =
                self.snapshot.burned_without_gas.plus(Nanoseconds(EQUIPMENT_PERIOD_NS));
        }
        let (current_goal, voltage_goal) = if burns {
            let ripple = 1.0 + parameters.ripple * self.random.symmetric();
            (current * ripple, voltage * (2.0 - ripple))
        } else if weld_on {
            (0.0, parameters.open_circuit_voltage_v)
        } else {
            (0.0, 0.0)
        };
        let approach = |value: &mut f64, goal: f64, time_constant_s: f64| {
            let share = EQUIPMENT_PERIOD_NS as f64 * 1e-9 / time_constant_s.max(1e-3);
            *value += (goal - *value) * share.min(1.0);
        };
        approach(&mut self.snapshot.current_a, current_goal, parameters.current_time_constant_s);
        approach(&mut self.snapshot.voltage_v, voltage_goal, VOLTAGE_TIME_CONSTANT_S);
        self.snapshot.weld_on = weld_on;
        self.snapshot.gas = gas;
        self.snapshot.arc = burns;
        self.snapshot.wire_feed_m_min = if weld_on { wire.unwrap_or(0.0) } else { 0.0 };

        let output = |wiring: &mut dyn Wiring, channel: Option<Channel>, level: bool| {
            if let Some(channel) = channel {
                wiring.set_digital_input(channel, level);
            }
        };
        output(wiring, parameters.arc_established, burns);
        output(wiring, parameters.ready, self.failure != Some(ArcFailure::NotReady));
        for (channel, value, full_scale) in [
            (parameters.actual_current, self.snapshot.current_a, parameters.current_full_scale_a),
            (parameters.actual_voltage, self.snapshot.voltage_v, parameters.voltage_full_scale_v),
        ] {
            if let Some(channel) = channel {
                let raw = (value / full_scale * ANALOG_FULL_SCALE).round();
                wiring.set_analog_input(channel, raw.clamp(0.0, ANALOG_FULL_SCALE) as i32);
            }
        }
    }

    fn next_arc(&mut self, weld_on: bool, current_a: f64, now: Nanoseconds) -> Arc {
        if !weld_on {
            return Arc::Off;
        }
        match self.arc {
            Arc::Off => {
                let jitter = self.parameters.ignition_jitter.0 as f64 * self.random.symmetric();
                let delay = self.parameters.ignition_delay.0.saturating_add_signed(jitter as i64);
                Arc::Igniting { until: now.plus(Nanoseconds(delay)) }
            }
            Arc::Igniting { until } => {
                let fails = matches!(self.failure, Some(ArcFailure::NeverEstablishes | ArcFailure::NotReady))
                    || current_a < ARC_CURRENT_MIN_A;
                if now >= until && !fails { Arc::Burning { since: now } } else { self.arc }
            }
            Arc::Burning { since } => match self.failure {
                Some(ArcFailure::GoesOutAfter(time)) if now.since(since) >= time => Arc::Out,
                Some(ArcFailure::NotReady) => Arc::Out,
                Some(ArcFailure::GoesOutAfter(_) | ArcFailure::NeverEstablishes) | None => self.arc,
            },
            Arc::Out => Arc::Out,
        }
    }
}
