//! Six-axis force and torque sensor: forces and torques as counts with noise, tared on request.
//!
//! Channels, in the order of the process data; what a device type does not map is not used.
//!
//! | | 0 | 1 | 2 | 3 | 4 | 5 | 6 |
//! |---|---|---|---|---|---|---|---|
//! | digital outputs | tare (rising edge) | | | | | | |
//! | digital inputs | overload | tared | | | | | |
//! | analog inputs | Fx | Fy | Fz | Tx | Ty | Tz | sample counter |

use crate::units::Nanoseconds;

use super::description::ForceSensorParameters;
use super::random::Random;
use super::terminal::Channels;

const TARE: usize = 0;
const OVERLOAD: usize = 0;
const IS_TARED: usize = 1;
const SAMPLE_COUNTER: usize = 6;
/// It measures so often; in between it shows the last sample.
const SAMPLE_PERIOD_NS: u64 = 500_000;

/// The sensor.
#[derive(Clone, Debug)]
pub(super) struct ForceSensor {
    parameters: ForceSensorParameters,
    random: Random,
    /// Forces, N, and torques, N m, that act on it.
    wrench: [f64; 6],
    /// Shown as zero.
    tare: [i32; 6],
    is_tared: bool,
    wanted_tare: bool,
    sampled: Nanoseconds,
    samples: i32,
    sample: [i32; 6],
}

impl ForceSensor {
    /// Nothing acts on it.
    pub(super) const fn new(parameters: &ForceSensorParameters, random: Random) -> Self {
        Self {
            parameters: *parameters,
            random,
            wrench: [0.0; 6],
            tare: [0; 6],
            is_tared: false,
            wanted_tare: false,
            sampled: Nanoseconds(0),
            samples: 0,
            sample: [0; 6],
        }
    }

    /// What acts on it from now on: forces, N, then torques, N m.
    pub(super) const fn set_wrench(&mut self, wrench: [f64; 6]) {
        self.wrench = wrench;
    }

    /// Measures, tares on request, and shows the newest sample.
    pub(super) fn advance(&mut self, outputs: &Channels, inputs: &mut Channels, now: Nanoseconds) {
        let periods = now.since(self.sampled).0 / SAMPLE_PERIOD_NS;
        if periods > 0 {
            self.sampled = Nanoseconds(self.sampled.0 + periods * SAMPLE_PERIOD_NS);
            self.samples = self.samples.wrapping_add(periods as i32);
            self.measure();
        }
        let wanted = outputs.level(TARE);
        if wanted && !self.wanted_tare {
            self.tare = self.sample;
            self.is_tared = true;
        }
        self.wanted_tare = wanted;
        for (channel, (sample, tare)) in self.sample.iter().zip(self.tare).enumerate() {
            inputs.set_value(channel, sample.wrapping_sub(tare));
        }
        inputs.set_level(OVERLOAD, self.is_overloaded());
        inputs.set_level(IS_TARED, self.is_tared);
        inputs.set_value(SAMPLE_COUNTER, self.samples);
    }

    fn measure(&mut self) {
        let ForceSensorParameters { counts_per_n, counts_per_nm, force_max_n, torque_max_nm, noise_n } =
            self.parameters;
        for (at, (sample, acting)) in self.sample.iter_mut().zip(self.wrench).enumerate() {
            let (counts, most, noise) = if at < 3 {
                (counts_per_n, force_max_n, noise_n)
            } else {
                (counts_per_nm, torque_max_nm, 0.1 * noise_n)
            };
            let shown = (acting + noise * self.random.symmetric()).clamp(-most, most);
            *sample = (shown * counts).round() as i32;
        }
    }

    fn is_overloaded(&self) -> bool {
        let most = |at| if at < 3 { self.parameters.force_max_n } else { self.parameters.torque_max_nm };
        self.wrench.iter().enumerate().any(|(at, acting)| acting.abs() > most(at))
    }
}
