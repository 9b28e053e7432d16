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

/// Model of a servo drive with motor, gear and load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimulatedDrive {
    /// Gain of the position loop, 1/s: following error = speed / gain without feed-forward.
    pub position_gain: f64,
    /// Share of the velocity the drive feeds forward by itself, 0 to 1.
    pub velocity_feed_forward: f64,
    /// Time constant of the speed loop, s: motor and gear inertia behind the current loop.
    pub speed_time_constant: f64,
}

impl Default for SimulatedDrive {
    /// A well-tuned industrial drive.
    fn default() -> Self {
        Self { position_gain: 60.0, velocity_feed_forward: 0.0, speed_time_constant: 0.002 }
    }
}

/// Model of a welding power source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimulatedPowerSource {
    /// From weld-on with gas and wire until the arc burns, s.
    pub ignition_delay: f64,
    /// From weld-off until the arc is out, s.
    pub extinction_delay: f64,
    /// Time constant of current and voltage, s.
    pub time_constant: f64,
    /// The arc burns only with gas on.
    pub needs_gas: bool,
}

impl Default for SimulatedPowerSource {
    /// A usual inverter.
    fn default() -> Self {
        Self { ignition_delay: 0.12, extinction_delay: 0.02, time_constant: 0.005, needs_gas: true }
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
    let default = SimulatedDrive::default();
    let gain = table.number_or("position_gain_per_s", Range::new(1.0, 500.0, "1/s"), default.position_gain);
    let feed_forward = table.number_or(
        "velocity_feed_forward_ratio",
        Range::new(0.0, 1.0, ""),
        default.velocity_feed_forward,
    );
    let time_constant = table.number_or("speed_time_constant_s", seconds(0.1), default.speed_time_constant);
    Some(SimulatedDrive {
        position_gain: gain?,
        velocity_feed_forward: feed_forward?,
        speed_time_constant: time_constant?,
    })
}

fn read_power_source(mut table: Table<'_>) -> Option<SimulatedPowerSource> {
    let default = SimulatedPowerSource::default();
    let ignition = table.number_or("ignition_delay_s", seconds(5.0), default.ignition_delay);
    let extinction = table.number_or("extinction_delay_s", seconds(1.0), default.extinction_delay);
    let time_constant = table.number_or("time_constant_s", seconds(1.0), default.time_constant);
    let needs_gas = table.flag_or("needs_gas", default.needs_gas);
    Some(SimulatedPowerSource {
        ignition_delay: ignition?,
        extinction_delay: extinction?,
        time_constant: time_constant?,
        needs_gas: needs_gas?,
    })
}
