//! From a valid cell and a robot model to everything the two sides need at start: settings of the cycle,
//! description of the bus, process data map, and the simulated segment.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::reactions::{REACTION_TIME, joint_travels, reactions_of};
use crate::api::daemon::CellFacts;
use crate::config::cell::{Cell, Drive, NamedGuard, SdoValue as WrittenValue, Tool, full_scale};
use crate::config::collision_model::CollisionModelError;
use crate::config::load::{embedded_cell, load_cell};
use crate::config::problem::Problem;
use crate::devices::{MAX_SUBDEVICES, objects};
use crate::drives::channels::{AnalogChannel, ChannelValues, Channels, DigitalChannel};
use crate::drives::process_image::DriveLayout;
use crate::drives::scaling::{ArmScaling, DriveScaling, MotorTorque};
use crate::dynamics::{ArmDynamics, JointFriction, MassMatrix};
use crate::fieldbus::{BusDescription, ClockDescription, ExpectedDevice, SdoValue, SdoWrite};
use crate::joints::{JointVector, MAX_JOINTS};
use crate::kinematics::inverse::InverseSettings;
use crate::positions::PositionsAtStart;
use crate::realtime::clearance::ToolGuard;
use crate::realtime::cycle::CycleSettings;
use crate::realtime::feed_forward::FeedForwardSettings;
use crate::realtime::run_loop::ProcessDataMap;
use crate::realtime::supervision::SupervisionSettings;
use crate::simulator::{
    ArmParameters, Channel, DriveParameters, Equipment, PowerSourceParameters, Segment, SegmentDescription,
    SimulatedDevice,
};
use crate::telemetry::status::ChannelNames;
use crate::units::Nanoseconds;

/// Following lag that is tolerated, as a multiple of the lag expected of a drive with [`DRIVE_GAIN_MIN`].
const FOLLOWING_LAG_S: f64 = 2.0 / DRIVE_GAIN_MIN;
/// Softest position loop a drive is expected to have, 1/s.
const DRIVE_GAIN_MIN: f64 = 40.0;

/// Inertia of rotor and gear of a simulated motor of which the cell says nothing, kg m².
const SIMULATED_INERTIA_KG_M2: f64 = 1e-4;
/// Peak torque of such a motor, as a multiple of the rated one.
const SIMULATED_PEAK_RATIO: f64 = 3.0;

/// A cell, ready to be put together.
#[derive(Clone, Debug)]
pub struct Assembly {
    /// The cell.
    pub cell: Cell,
    /// What is known of where the arm stands.
    positions: PositionsAtStart,
    /// Made once, when first asked for, and shared by all clones: trying what can meet takes a moment.
    guards: Arc<OnceLock<Result<Vec<NamedGuard>, CollisionModelError>>>,
}

impl Assembly {
    /// Loads the cell file, or the built-in simulated cell, with its robot model.
    ///
    /// # Errors
    /// Every mistake of all files.
    pub fn load(cell_file: Option<&Path>) -> Result<Self, Vec<Problem>> {
        let cell = match cell_file {
            Some(path) => load_cell(path)?,
            None => embedded_cell()?,
        };
        let positions = PositionsAtStart::as_in_cell_file(cell.joint_count());
        Ok(Self { positions, guards: Arc::default(), cell })
    }

    /// The same with what is known of where the arm stands. A simulated one stands at `simulated_joints` (rad or m),
    /// else where the cell file says.
    #[must_use]
    pub fn standing(&self, positions: PositionsAtStart, simulated_joints: Option<JointVector>) -> Self {
        let mut standing = Self { positions, ..self.clone() };
        if let Some(joints) = simulated_joints {
            standing.cell.simulation.start_joints = joints;
        }
        standing
    }

    /// What of the cell the interface shows.
    #[must_use]
    pub fn facts(&self) -> CellFacts {
        let cell = &self.cell;
        let number = |at: usize| u8::try_from(at).unwrap_or(u8::MAX);
        let digital = |channels: &[crate::config::cell::DigitalChannel]| {
            let named = channels.iter().enumerate();
            named.filter_map(|(at, channel)| Some((channel.name.clone()?, number(at)))).collect()
        };
        let analog = |channels: &[crate::config::cell::AnalogChannel]| {
            let named = channels.iter().enumerate();
            named
                .filter_map(|(at, channel)| {
                    Some((format!("{}_{}", channel.name.clone()?, channel.unit), number(at)))
                })
                .collect()
        };
        CellFacts {
            cell: cell.name.clone(),
            robot: cell.model.name.clone(),
            joints: (0..cell.joint_count()).filter_map(|joint| cell.model.chain.joint_kind(joint)).collect(),
            position_limits: cell
                .joint_limits
                .as_slice()
                .iter()
                .map(|limit| (limit.position_min, limit.position_max))
                .collect(),
            cycle: cell.link.cycle_time,
            tools: cell.tools.iter().map(|tool| tool.name.clone()).collect(),
            channels: ChannelNames {
                digital_inputs: digital(&cell.io.digital_inputs),
                digital_outputs: digital(&cell.io.digital_outputs),
                analog_inputs: analog(&cell.io.analog_inputs),
                analog_outputs: analog(&cell.io.analog_outputs),
                arc_input: cell.welding.map(|welding| welding.arc_established),
            },
            subdevices: cell.subdevices.iter().map(|subdevice| subdevice.name.clone()).collect(),
            travels: joint_travels(cell),
            mapped_outputs: cell
                .subdevices
                .iter()
                .map(|subdevice| subdevice.device.outputs.entries().iter().map(|entry| entry.index).collect())
                .collect(),
        }
    }

    /// Settings of the cycle.
    ///
    /// # Errors
    /// A drive whose process data lacks an object, with its place in the cell.
    pub fn cycle_settings(&self) -> Result<CycleSettings, Vec<Problem>> {
        let drives = self.cell.drives();
        let scalings: Vec<DriveScaling> = drives.iter().map(|(_, drive)| scaling(drive)).collect();
        let scaling = ArmScaling::new(&scalings, self.cell.coupling).ok_or_else(|| {
            vec![Problem::new(
                "subdevices",
                format!("{} drives for {} joints", drives.len(), self.cell.joint_count()),
                "one drive a joint",
                "add the missing drives",
            )]
        })?;
        let motors: Vec<MotorTorque> = drives.iter().map(|(_, drive)| motor_torque(drive)).collect();
        let scaling = scaling.with_motors(&motors);
        let slowest =
            |delay: fn(&Drive) -> f64| drives.iter().map(|(_, drive)| delay(drive)).fold(0.0, f64::max);
        let mut drive_subdevices = [MAX_SUBDEVICES; MAX_JOINTS];
        for (slot, (position, _)) in drive_subdevices.iter_mut().zip(&drives) {
            *slot = position.subdevice;
        }
        Ok(CycleSettings {
            cycle_time: self.cell.link.cycle_time,
            chain: self.cell.model.chain,
            // Tighter than the default: its 1 nm steps would show in the jerk taken by differences.
            inverse: InverseSettings {
                position_tolerance_m: 1e-12,
                orientation_tolerance_rad: 1e-12,
                ..InverseSettings::default()
            },
            limits: self.cell.joint_limits,
            scaling,
            positions: self.positions,
            drive_subdevices,
            brake_release_s: slowest(|drive| drive.brake_release_delay),
            brake_close_s: slowest(|drive| drive.brake_close_delay),
            supervision: SupervisionSettings {
                following_error_rad: JointVector::from_fn(drives.len(), |joint| {
                    drives.get(joint).map_or(0.0, |(_, drive)| drive.following_error_max)
                }),
                following_lag_s: FOLLOWING_LAG_S,
                stop_input: self.cell.stop_input,
            },
            feed_forward: self.feed_forward(),
            safe_outputs: self.safe_outputs(),
        })
    }

    /// What the arm must keep away from with the tool of this name; `None`: the cell has no such tool, or no
    /// section `[collision]`.
    ///
    /// # Errors
    /// An arm without shapes to look at.
    pub fn guard(&self, tool: &str) -> Result<Option<&NamedGuard>, Vec<Problem>> {
        let guards = self.named_guards()?;
        let named = self.cell.tools.iter().zip(guards).find(|(entry, _)| entry.name == tool);
        Ok(named.map(|(_, guard)| guard))
    }

    /// What the cycle watches, one entry a tool; nothing where the cell has no section `[collision]`.
    ///
    /// # Errors
    /// An arm without shapes to look at.
    pub fn guards(&self) -> Result<Vec<ToolGuard>, Vec<Problem>> {
        let named = self.cell.tools.iter().zip(self.named_guards()?);
        let guard = |(tool, named): (&Tool, &NamedGuard)| ToolGuard {
            x_flange_tool: tool.x_flange_tool,
            guard: named.guard,
            // Planning keeps the whole margin; half of it is never reached by what it let pass.
            distance_min_m: self.cell.collision.as_ref().map_or(0.0, |settings| 0.5 * settings.margin),
        };
        Ok(named.map(guard).collect())
    }

    /// One for each tool, in their order, or none at all.
    fn named_guards(&self) -> Result<&[NamedGuard], Vec<Problem>> {
        let of_every_tool = || self.cell.tools.iter().filter_map(|tool| self.cell.guard(tool)).collect();
        match self.guards.get_or_init(of_every_tool) {
            Ok(guards) => Ok(guards),
            Err(error) => Err(vec![super::job_clearance::no_shapes(error)]),
        }
    }

    fn safe_outputs(&self) -> ChannelValues {
        let io = &self.cell.io;
        let mut values = ChannelValues::default();
        for (channel, output) in io.digital_outputs.iter().enumerate() {
            values.digital |= u64::from(output.safe) << channel;
        }
        #[expect(clippy::cast_possible_truncation, reason = "channel values need no more than 24 bits")]
        for (value, output) in values.analog.iter_mut().zip(&io.analog_outputs) {
            *value = output.safe as f32;
        }
        values
    }

    /// Where drives and channels lie in the process data.
    ///
    /// # Errors
    /// A drive whose process data lacks an object, with its place in the cell.
    pub fn process_data_map(&self) -> Result<ProcessDataMap, Vec<Problem>> {
        let mut layouts = [None; MAX_JOINTS];
        let mut problems = Vec::new();
        for (slot, (place, _)) in layouts.iter_mut().zip(self.cell.drives()) {
            let position = place.subdevice;
            let Some(subdevice) = self.cell.subdevices.get(position) else { continue };
            match DriveLayout::new(place, &subdevice.device) {
                Ok(layout) => *slot = Some(layout),
                Err(missing) => problems.push(Problem::new(
                    format!("subdevices[{position}].type"),
                    format!("`{}`: {missing}", subdevice.device_type),
                    "controlword, target position, statusword and actual position mapped at byte borders",
                    "add the object to the PDO map of the device file",
                )),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut channels = Channels::NONE;
        let io = &self.cell.io;
        for (slot, channel) in channels.digital_inputs.iter_mut().zip(&io.digital_inputs) {
            *slot = Some(DigitalChannel { subdevice: channel.subdevice, bit: channel.bit_offset });
        }
        for (slot, channel) in channels.digital_outputs.iter_mut().zip(&io.digital_outputs) {
            *slot = Some(DigitalChannel { subdevice: channel.subdevice, bit: channel.bit_offset });
        }
        for (slot, channel) in channels.analog_inputs.iter_mut().zip(&io.analog_inputs) {
            *slot = Some(analog(channel));
        }
        for (slot, channel) in channels.analog_outputs.iter_mut().zip(&io.analog_outputs) {
            *slot = Some(analog(channel));
        }
        Ok(ProcessDataMap { drives: layouts, channels })
    }

    /// What must be found on the bus.
    #[must_use]
    pub fn bus_description(&self) -> BusDescription {
        let link = &self.cell.link;
        let interpolation = SdoWrite::interpolation_period(link.cycle_time);
        let devices = self
            .cell
            .subdevices
            .iter()
            .map(|subdevice| {
                let axes = 0..u16::try_from(subdevice.device.kind.axes()).unwrap_or(0);
                let period = axes.flat_map(|axis| {
                    let of_axis = move |write: &SdoWrite| SdoWrite {
                        index: write.index + objects::AXIS_STEP * axis,
                        ..*write
                    };
                    interpolation.iter().flatten().map(of_axis)
                });
                let written = subdevice.startup.iter().map(|sdo| SdoWrite {
                    index: sdo.index,
                    subindex: sdo.subindex,
                    value: sdo_value(sdo.value),
                });
                ExpectedDevice {
                    name: subdevice.name.clone(),
                    device: subdevice.device,
                    alias: subdevice.alias,
                    startup: period.chain(written).collect(),
                    reactions: reactions_of(subdevice, link.cycle_time),
                }
            })
            .collect();
        let mut description = BusDescription::new(devices, link.cycle_time);
        description.watchdog = REACTION_TIME;
        description.clock = match (description.clock, link.distributed_clock) {
            (Some(usual), Some(clock)) => Some(ClockDescription { sync0_shift: clock.sync_shift, ..usual }),
            (None, _) | (_, None) => None,
        };
        description
    }

    /// The simulated segment of this cell, with the arm where the cell says.
    ///
    /// # Errors
    /// What the simulated segment does not accept, in words.
    pub fn simulated_segment(&self, seed: u64) -> anyhow::Result<Segment> {
        Ok(Segment::new(self.segment_description(seed))?)
    }

    /// What the simulated segment of this cell consists of.
    #[must_use]
    pub fn segment_description(&self, seed: u64) -> SegmentDescription {
        let simulation = &self.cell.simulation;
        let angles = self.cell.coupling.drives(&simulation.start_joints);
        let parameters = |drive: &Drive| DriveParameters {
            counts_per_turn: drive.counts_per_turn,
            counter_bits: drive.counter_bits,
            initial_position_counts: scaling(drive).counts(angles.get(drive.joint)),
            position_gain_1_s: simulation.drive.position_gain,
            speed_gain_1_s: simulation.drive.speed_gain,
            speed_integral_time_s: simulation.drive.speed_integral_time,
            motor_inertia_kg_m2: drive.rotor_inertia.unwrap_or(SIMULATED_INERTIA_KG_M2),
            gear_inertia_kg_m2: 0.0,
            friction_nm: drive.friction,
            viscous_friction_nm_s: drive.viscous_friction,
            compensates_friction: false,
            rated_torque_nm: drive.rated_torque,
            peak_torque_nm: drive.peak_torque.unwrap_or(SIMULATED_PEAK_RATIO * drive.rated_torque),
            brake_open_delay: nanoseconds(0.8 * drive.brake_release_delay),
            brake_close_delay: nanoseconds(0.8 * drive.brake_close_delay),
            brake_torque_nm: 2.0 * drive.rated_torque,
            following_error_window_counts: drive.counts_per_turn.saturating_mul(8),
            ..DriveParameters::default()
        };
        let devices = self
            .cell
            .subdevices
            .iter()
            .map(|subdevice| {
                let (name, device) = (&subdevice.name, subdevice.device);
                // An axis without a joint has an ordinary motor that nobody uses.
                let axis = |axis| {
                    let drive = subdevice.drives.iter().find(|drive| drive.axis == axis);
                    drive.map_or_else(DriveParameters::default, parameters)
                };
                SimulatedDevice::without_motor(name, device).unwrap_or_else(|| match device.kind.axes() {
                    2 => SimulatedDevice::dual_servo_drive(name, device, [axis(0), axis(1)]),
                    _ => SimulatedDevice::servo_drive(name, device, axis(0)),
                })
            })
            .collect();
        let mut description = SegmentDescription::new(devices).with_equipment(self.equipment());
        description.seed = seed;
        description.arm = self.simulated_arm();
        description
    }

    /// Masses of the arm with the first tool of the cell, motors left out.
    fn bare_dynamics(&self) -> Option<ArmDynamics> {
        let mut dynamics = self.cell.model.dynamics().ok()?;
        if let Some(tool) = self.cell.tools.first() {
            dynamics.set_payload(&[tool.body()]);
        }
        Some(dynamics)
    }

    /// What the simulated drives move; `None`: the robot model has no masses, so each turns only itself.
    fn simulated_arm(&self) -> Option<ArmParameters> {
        let drives = self.cell.drives();
        let coupling = self.cell.coupling.joint_from_drive();
        let mut joint_per_shaft = MassMatrix::zeros();
        for joint in 0..drives.len() {
            for (column, (_, drive)) in drives.iter().enumerate() {
                joint_per_shaft[(joint, column)] =
                    coupling[joint][column] / (drive.sign * drive.turns_per_tau());
            }
        }
        Some(ArmParameters {
            dynamics: self.bare_dynamics()?,
            drives: drives.iter().map(|(position, _)| *position).collect(),
            joint_per_shaft,
            start_joints: self.cell.simulation.start_joints,
        })
    }

    /// What is fed forward to the drives, with the first tool of the cell until a motion says which.
    fn feed_forward(&self) -> FeedForwardSettings {
        let dynamics = self.cell.dynamics().map(|mut dynamics| {
            if let Some(tool) = self.cell.tools.first() {
                dynamics.set_payload(&[tool.body()]);
            }
            dynamics
        });
        let wanted = self.cell.feed_forward;
        FeedForwardSettings { dynamics, velocity: wanted.velocity, torque: wanted.torque }
    }

    fn equipment(&self) -> Vec<Equipment> {
        let io = &self.cell.io;
        // Number over the whole cell → SubDevice and number on it.
        let on_its_device = |owners: Vec<usize>, number: u8| {
            let number = usize::from(number);
            let device = *owners.get(number)?;
            let before = owners.iter().take(number).filter(|owner| **owner == device).count();
            Some(Channel { device, channel: u8::try_from(before).ok()? })
        };
        let digital_input = |number| {
            on_its_device(io.digital_inputs.iter().map(|channel| channel.subdevice).collect(), number)
        };
        let digital_output = |number| {
            on_its_device(io.digital_outputs.iter().map(|channel| channel.subdevice).collect(), number)
        };
        let analog_input = |number| {
            on_its_device(io.analog_inputs.iter().map(|channel| channel.subdevice).collect(), number)
        };
        let analog_output = |number| {
            on_its_device(io.analog_outputs.iter().map(|channel| channel.subdevice).collect(), number)
        };
        let mut equipment = Vec::new();
        if let Some(input) = self.cell.stop_input.and_then(digital_input) {
            equipment.push(Equipment::StopInput { input });
        }
        if let Some(welding) = &self.cell.welding {
            let full_scale = |number: u8, or: f64| {
                io.analog_outputs.get(usize::from(number)).map_or(or, |at| at.scaling.at_100_percent)
            };
            let source = &self.cell.simulation.power_source;
            equipment.push(Equipment::WeldingPowerSource(PowerSourceParameters {
                gas: digital_output(welding.gas),
                weld_on: digital_output(welding.weld_on),
                arc_established: digital_input(welding.arc_established),
                current_setpoint: analog_output(welding.current),
                voltage_setpoint: analog_output(welding.voltage),
                actual_current: welding.actual_current.and_then(analog_input),
                actual_voltage: welding.actual_voltage.and_then(analog_input),
                current_full_scale_a: full_scale(welding.current, 500.0),
                voltage_full_scale_v: full_scale(welding.voltage, 50.0),
                ignition_delay: nanoseconds(source.ignition_delay),
                ignition_jitter: nanoseconds(source.ignition_jitter),
                current_time_constant_s: source.current_time_constant,
                open_circuit_voltage_v: source.open_circuit_voltage,
                ripple: source.ripple_ratio,
                ..PowerSourceParameters::default()
            }));
        }
        equipment
    }
}

fn motor_torque(drive: &Drive) -> MotorTorque {
    let friction = JointFriction {
        coulomb: drive.friction,
        viscous: drive.viscous_friction,
        // A few turns a minute: slow enough to be dry friction, smooth enough to be fed forward.
        smoothing_speed: 0.1,
        ..JointFriction::default()
    };
    MotorTorque { rated_nm: drive.rated_torque, friction }
}

fn scaling(drive: &Drive) -> DriveScaling {
    DriveScaling {
        counts_per_turn: f64::from(drive.counts_per_turn),
        counter_bits: u32::from(drive.counter_bits),
        gear_ratio: drive.turns_per_tau(),
        sign: drive.sign,
        offset_rad: drive.position_at_count_0(),
    }
}

fn analog(channel: &crate::config::cell::AnalogChannel) -> AnalogChannel {
    let span = channel.scaling.at_100_percent - channel.scaling.at_0_percent;
    AnalogChannel {
        subdevice: channel.subdevice,
        byte: channel.bit_offset / 8,
        bits: channel.bits,
        unit_per_count: span / full_scale(channel.bits),
        offset: channel.scaling.at_0_percent,
    }
}

const fn sdo_value(value: WrittenValue) -> SdoValue {
    match value {
        WrittenValue::U8(value) => SdoValue::U8(value),
        WrittenValue::U16(value) => SdoValue::U16(value),
        WrittenValue::U32(value) => SdoValue::U32(value),
        WrittenValue::I8(value) => SdoValue::U8(value.cast_unsigned()),
        WrittenValue::I16(value) => SdoValue::U16(value.cast_unsigned()),
        WrittenValue::I32(value) => SdoValue::U32(value.cast_unsigned()),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "delays are checked to be 0 to 10 s"
)]
fn nanoseconds(seconds: f64) -> Nanoseconds {
    Nanoseconds((seconds * 1e9) as u64)
}
