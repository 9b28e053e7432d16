//! What the simulated segment is like. Ignored on a real interface.

use crate::config::document::{Range, Table};
use crate::joints::JointVector;

use super::seconds;

/// The simulated segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Simulation {
    /// Where the arm stands at start, rad.
    pub start_joints: JointVector,
    /// The drives and what they turn.
    pub drive: SimulatedDrive,
    /// The welding power source behind the terminals.
    pub power_source: SimulatedPowerSource,
}

/// Model of a servo drive with motor, gear and load; the same for every drive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimulatedDrive {
    /// Gain of the position loop, 1/s: speed = gain × position error.
    pub position_gain: f64,
    /// Gain of the speed loop, 1/s: acceleration = gain × speed error.
    pub speed_gain: f64,
    /// Inertia of the motor, kg m².
    pub motor_inertia: f64,
    /// Inertia of gear and load as the motor feels it, kg m².
    pub gear_inertia: f64,
    /// Largest torque as a multiple of the rated one.
    pub peak_torque_ratio: f64,
}

impl Default for SimulatedDrive {
    /// A well-tuned industrial drive.
    fn default() -> Self {
        Self {
            position_gain: 80.0,
            speed_gain: 800.0,
            motor_inertia: 0.3e-4,
            gear_inertia: 0.7e-4,
            peak_torque_ratio: 3.0,
        }
    }
}

/// Model of a welding power source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimulatedPowerSource {
    /// From weld-on to arc established, s.
    pub ignition_delay: f64,
    /// Most the ignition delay varies to either side, s.
    pub ignition_jitter: f64,
    /// Time constant of the current, s.
    pub current_time_constant: f64,
    /// Voltage without arc while weld is on, V.
    pub open_circuit_voltage: f64,
    /// Largest ripple of current and voltage, as a share of the value.
    pub ripple_ratio: f64,
}

impl Default for SimulatedPowerSource {
    /// A usual inverter.
    fn default() -> Self {
        Self {
            ignition_delay: 0.08,
            ignition_jitter: 0.02,
            current_time_constant: 0.005,
            open_circuit_voltage: 48.0,
            ripple_ratio: 0.03,
        }
    }
}

pub(super) fn read_simulation(root: &mut Table<'_>, joint_count: Option<usize>) -> Option<Simulation> {
    let Some(value) = root.optional("simulation") else {
        return Some(Simulation {
            start_joints: JointVector::zeros(joint_count?),
            drive: SimulatedDrive::default(),
            power_source: SimulatedPowerSource::default(),
        });
    };
    let mut table = value.table()?;
    let start_joints = table.maybe("start_joints_deg", |value| {
        let count = joint_count?;
        let degrees: Vec<_> = value
            .list(count..=count)?
            .iter()
            .map(|entry| entry.number(Range::new(-720.0, 720.0, "°")).map(f64::to_radians))
            .collect();
        JointVector::from_slice(&degrees.into_iter().collect::<Option<Vec<_>>>()?)
    });
    let drive = table.maybe("drive", |value| value.table().and_then(read_drive));
    let power_source = table.maybe("power_source", |value| value.table().and_then(read_power_source));
    Some(Simulation {
        start_joints: match start_joints? {
            Some(joints) => joints,
            None => JointVector::zeros(joint_count?),
        },
        drive: drive?.unwrap_or_default(),
        power_source: power_source?.unwrap_or_default(),
    })
}

fn read_drive(mut table: Table<'_>) -> Option<SimulatedDrive> {
    const INERTIA: Range = Range::new(1e-7, 1.0, "kg m²");
    let default = SimulatedDrive::default();
    let position_gain =
        table.number_or("position_gain_per_s", Range::new(1.0, 500.0, "1/s"), default.position_gain);
    let speed_gain = table.number_or("speed_gain_per_s", Range::new(10.0, 5000.0, "1/s"), default.speed_gain);
    let motor_inertia = table.number_or("motor_inertia_kg_m2", INERTIA, default.motor_inertia);
    let gear_inertia = table.number_or("gear_inertia_kg_m2", INERTIA, default.gear_inertia);
    let peak_torque_ratio =
        table.number_or("peak_torque_ratio", Range::new(1.0, 10.0, ""), default.peak_torque_ratio);
    Some(SimulatedDrive {
        position_gain: position_gain?,
        speed_gain: speed_gain?,
        motor_inertia: motor_inertia?,
        gear_inertia: gear_inertia?,
        peak_torque_ratio: peak_torque_ratio?,
    })
}

fn read_power_source(mut table: Table<'_>) -> Option<SimulatedPowerSource> {
    let default = SimulatedPowerSource::default();
    let ignition_delay = table.number_or("ignition_delay_s", seconds(5.0), default.ignition_delay);
    let ignition_jitter = table.number_or("ignition_jitter_s", seconds(1.0), default.ignition_jitter);
    let time_constant =
        table.number_or("current_time_constant_s", seconds(1.0), default.current_time_constant);
    let voltage =
        table.number_or("open_circuit_voltage_v", Range::new(0.0, 120.0, "V"), default.open_circuit_voltage);
    let ripple = table.number_or("ripple_ratio", Range::new(0.0, 0.5, ""), default.ripple_ratio);
    Some(SimulatedPowerSource {
        ignition_delay: ignition_delay?,
        ignition_jitter: ignition_jitter?,
        current_time_constant: time_constant?,
        open_circuit_voltage: voltage?,
        ripple_ratio: ripple?,
    })
}
