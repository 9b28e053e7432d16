//! What the simulated segment is like. Ignored on a real interface.

use crate::config::document::{Range, Table, Value};
use crate::config::kinematic_model::KinematicModel;
use crate::joints::{JointLimits, JointVector, MAX_JOINTS};
use crate::kinematics::JointKind;

use super::seconds;

/// The simulated segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Simulation {
    /// Where the arm stands at start, rad or m.
    pub start_joints: JointVector,
    /// The drives and what they turn.
    pub drive: SimulatedDrive,
    /// The welding power source behind the terminals.
    pub power_source: SimulatedPowerSource,
}

/// The loops of a servo drive; the same for every drive. What they turn are the motors of the SubDevices and
/// the arm of the robot model with the first tool of the cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimulatedDrive {
    /// Gain of the position loop, 1/s: speed = gain × position error.
    pub position_gain: f64,
    /// Gain of the speed loop, 1/s: acceleration = gain × speed error.
    pub speed_gain: f64,
    /// Integral time of the speed loop, s; zero: it has no integral part.
    pub speed_integral_time: f64,
}

impl Default for SimulatedDrive {
    /// A well-tuned industrial drive.
    fn default() -> Self {
        Self { position_gain: 80.0, speed_gain: 800.0, speed_integral_time: 0.02 }
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

/// `limits` are those of the joints as far as they are known.
pub(super) fn read_simulation(
    root: &mut Table<'_>,
    joint_count: Option<usize>,
    model: Option<&KinematicModel>,
    limits: Option<&JointLimits>,
) -> Option<Simulation> {
    let kind_of =
        |joint| model.and_then(|model| model.chain.joint_kind(joint)).unwrap_or(JointKind::Revolute);
    let mut table = match root.optional("simulation") {
        Some(value) => Some(value.table()?),
        None => None,
    };
    let written = table.as_mut().and_then(|table| table.optional("start_joints_deg"));
    let start_joints = match &written {
        Some(value) => read_start(value, joint_count, kind_of),
        None => joint_count.map(JointVector::zeros),
    };
    if let (Some(start), Some(limits)) = (&start_joints, limits) {
        check_start(root, written.as_ref(), start, limits, kind_of);
    }
    let (drive, power_source) = match &mut table {
        Some(table) => (
            table.maybe("drive", |value| value.table().and_then(read_drive)),
            table.maybe("power_source", |value| value.table().and_then(read_power_source)),
        ),
        None => (Some(None), Some(None)),
    };
    Some(Simulation {
        start_joints: start_joints?,
        drive: drive?.unwrap_or_default(),
        power_source: power_source?.unwrap_or_default(),
    })
}

fn read_start(
    value: &Value<'_>,
    joint_count: Option<usize>,
    kind_of: impl Fn(usize) -> JointKind,
) -> Option<JointVector> {
    let lengths = joint_count.map_or(1..=MAX_JOINTS, |count| count..=count);
    let read: Vec<_> = value
        .list(lengths)?
        .iter()
        .enumerate()
        .map(|(joint, entry)| {
            let kind = kind_of(joint);
            let largest = if kind == JointKind::Prismatic { 100_000.0 } else { 720.0 };
            let range = Range::new(-largest, largest, kind.outside_unit());
            entry.number(range).map(|written| written / kind.outside_per_unit())
        })
        .collect();
    JointVector::from_slice(&read.into_iter().collect::<Option<Vec<_>>>()?)
}

/// The simulated arm begins within its limits.
fn check_start(
    root: &Table<'_>,
    written: Option<&Value<'_>>,
    start: &JointVector,
    limits: &JointLimits,
    kind_of: impl Fn(usize) -> JointKind,
) {
    let outside = limits.first_outside(start, 1e-9);
    let Some((joint, limit)) = outside.and_then(|joint| Some((joint, limits.as_slice().get(joint)?))) else {
        return;
    };
    let (per_unit, unit) = (kind_of(joint).outside_per_unit(), kind_of(joint).outside_unit());
    let message =
        format!("{:.3}{unit} is outside the limits of joint {}", start.get(joint) * per_unit, joint + 1);
    let allowed =
        format!("{:.3} to {:.3} {unit}", limit.position_min * per_unit, limit.position_max * per_unit);
    let item = written.and_then(|value| value.list(0..=MAX_JOINTS)?.into_iter().nth(joint));
    match item {
        Some(item) => item.problem(message, allowed, "begin within the joint limits"),
        None => root.problem("simulation", message, allowed, "write `start_joints_deg`"),
    }
}

fn read_drive(mut table: Table<'_>) -> Option<SimulatedDrive> {
    let default = SimulatedDrive::default();
    let position_gain =
        table.number_or("position_gain_per_s", Range::new(1.0, 500.0, "1/s"), default.position_gain);
    let speed_gain = table.number_or("speed_gain_per_s", Range::new(10.0, 5000.0, "1/s"), default.speed_gain);
    let speed_integral_time =
        table.number_or("speed_integral_time_s", seconds(10.0), default.speed_integral_time);
    Some(SimulatedDrive {
        position_gain: position_gain?,
        speed_gain: speed_gain?,
        speed_integral_time: speed_integral_time?,
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
