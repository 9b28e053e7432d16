//! What a segment consists of: the one thing a caller has to write down.

use crate::devices::{ChannelKind, Connection, Device, DeviceKind, DrivePlace, MAX_SUBDEVICES, PdoMap};
use crate::units::Nanoseconds;

use super::arm::ArmParameters;
use super::process_data::{PROCESS_DATA_BYTES_MAX, PlannedSyncManager, SyncManagerPlan};
use super::random::Random;

/// Random sequence of the clock drifts.
const CLOCK_STREAM: u64 = 0x2000;

/// A line of SubDevices and what is wired to their terminals.
#[derive(Clone, Debug)]
pub struct SegmentDescription {
    /// The SubDevices, in bus order.
    pub devices: Vec<SimulatedDevice>,
    /// What the terminals are wired to.
    pub equipment: Vec<Equipment>,
    /// What the drives move; `None`: each turns only itself.
    pub arm: Option<ArmParameters>,
    /// Seed of everything random: ripple, ignition jitter, power-on clock values.
    pub seed: u64,
    /// Time a frame needs from one SubDevice to the next: processing and cable.
    pub hop_delay: Nanoseconds,
    /// How many received setpoints each drive keeps for [`Segment::drain_received`]; older ones are overwritten.
    ///
    /// [`Segment::drain_received`]: super::Segment::drain_received
    pub record_capacity: usize,
}

impl SegmentDescription {
    /// A segment of `devices`, without equipment, with ordinary delays.
    #[must_use]
    pub const fn new(devices: Vec<SimulatedDevice>) -> Self {
        Self {
            devices,
            equipment: Vec::new(),
            arm: None,
            seed: 1,
            hop_delay: Nanoseconds(600),
            record_capacity: 4096,
        }
    }

    /// The same segment with `equipment` wired to it.
    #[must_use]
    pub fn with_equipment(mut self, equipment: Vec<Equipment>) -> Self {
        self.equipment = equipment;
        self
    }

    /// Lets the clocks run up to `ppm` too fast or too slow, each differently, as the seed says.
    pub fn spread_clocks(&mut self, ppm: f64) {
        let mut random = Random::new(self.seed, CLOCK_STREAM);
        for device in &mut self.devices {
            device.clock_drift_ppm = ppm * random.symmetric();
        }
    }

    /// Everything that makes the description unusable; the first one found.
    pub(super) fn check(&self) -> Result<(), DescriptionError> {
        if self.devices.len() > MAX_SUBDEVICES {
            return Err(DescriptionError::TooManyDevices { count: self.devices.len() });
        }
        for (device, simulated) in self.devices.iter().enumerate() {
            if simulated.parameters.kind() != simulated.device.kind {
                return Err(DescriptionError::KindDiffers { device });
            }
            for bytes in [simulated.device.outputs.bytes(), simulated.device.inputs.bytes()] {
                if bytes > PROCESS_DATA_BYTES_MAX {
                    return Err(DescriptionError::ProcessDataTooLong { device, bytes });
                }
            }
            for axis in simulated.parameters.axes() {
                axis.check(device)?;
            }
            if let DeviceParameters::Encoder(encoder) = &simulated.parameters
                && encoder.counts_per_turn == 0
            {
                return Err(DescriptionError::DriveParameter { device, parameter: "counts_per_turn" });
            }
            if !simulated.clock_drift_ppm.is_finite() || simulated.clock_drift_ppm.abs() > 1000.0 {
                return Err(DescriptionError::ClockDrift { device });
            }
        }
        for (device, pair) in (1..).zip(self.devices.windows(2)) {
            let [before, after] = pair else { continue };
            let has_backplane =
                before.device.connection == Connection::EBus || before.device.kind == DeviceKind::Coupler;
            if after.device.connection == Connection::EBus && !has_backplane {
                return Err(DescriptionError::NoBackplane { device });
            }
        }
        if self.devices.first().is_some_and(|first| first.device.connection == Connection::EBus) {
            return Err(DescriptionError::NoBackplane { device: 0 });
        }
        for equipment in &self.equipment {
            equipment.check(&self.devices)?;
        }
        if let Some(arm) = &self.arm {
            let is_drive = |place: &DrivePlace| {
                let device = self.devices.get(place.subdevice);
                device.is_some_and(|found| place.axis < found.device.kind.axes())
            };
            if arm.drives.len() != arm.dynamics.joint_count() || !arm.drives.iter().all(is_drive) {
                return Err(DescriptionError::ArmDrives { joints: arm.dynamics.joint_count() });
            }
        }
        Ok(())
    }
}

/// One SubDevice.
#[derive(Clone, Debug)]
pub struct SimulatedDevice {
    /// Name in the SII; at most 60 bytes of it are used.
    pub name: String,
    /// Identity and process data, as the controller knows the type of device.
    pub device: Device,
    /// Station alias in the SII.
    pub alias: u16,
    /// How much faster its clock runs than true time, parts per million.
    pub clock_drift_ppm: f64,
    /// What is behind the EtherCAT SubDevice controller.
    pub parameters: DeviceParameters,
}

impl SimulatedDevice {
    /// A servo drive with a motor.
    #[must_use]
    pub fn servo_drive(name: &str, device: Device, parameters: DriveParameters) -> Self {
        Self::new(name, device, DeviceParameters::ServoDrive(parameters))
    }

    /// A servo drive with two motors.
    #[must_use]
    pub fn dual_servo_drive(name: &str, device: Device, axes: [DriveParameters; 2]) -> Self {
        Self::new(name, device, DeviceParameters::DualServoDrive(Box::new(axes)))
    }

    /// Anything but a drive, with nothing special behind it.
    #[must_use]
    pub fn without_motor(name: &str, device: Device) -> Option<Self> {
        let parameters = match device.kind {
            DeviceKind::ServoDrive | DeviceKind::DualServoDrive => return None,
            DeviceKind::Coupler => DeviceParameters::Coupler,
            DeviceKind::DigitalIo => DeviceParameters::DigitalIo,
            DeviceKind::AnalogIo => DeviceParameters::AnalogIo,
            DeviceKind::Encoder => DeviceParameters::Encoder(EncoderParameters::default()),
            DeviceKind::ForceTorqueSensor => {
                DeviceParameters::ForceTorqueSensor(ForceSensorParameters::default())
            }
        };
        Some(Self::new(name, device, parameters))
    }

    /// A terminal with digital inputs and outputs.
    #[must_use]
    pub fn digital_io(name: &str, device: Device) -> Self {
        Self::new(name, device, DeviceParameters::DigitalIo)
    }

    /// A terminal with analog inputs and outputs, −10…10 V as −32767…32767.
    #[must_use]
    pub fn analog_io(name: &str, device: Device) -> Self {
        Self::new(name, device, DeviceParameters::AnalogIo)
    }

    /// The image of its SII, as the controller reads it (ETG.2010).
    #[must_use]
    pub fn sii_image(&self) -> Vec<u8> {
        super::sii::image(self)
    }

    /// Its sync managers at power-on, by index.
    #[must_use]
    pub fn sync_managers(&self) -> Vec<PlannedSyncManager> {
        SyncManagerPlan::of(&self.device).all().to_vec()
    }

    fn new(name: &str, device: Device, parameters: DeviceParameters) -> Self {
        Self { name: name.to_owned(), device, alias: 0, clock_drift_ppm: 0.0, parameters }
    }
}

/// What is behind the EtherCAT SubDevice controller.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a handful of them, made once")]
pub enum DeviceParameters {
    /// Servo drive.
    ServoDrive(DriveParameters),
    /// Servo drive with two axes.
    DualServoDrive(Box<[DriveParameters; 2]>),
    /// Coupler between cable and backplane.
    Coupler,
    /// Digital terminal.
    DigitalIo,
    /// Analog terminal.
    AnalogIo,
    /// Input for an encoder.
    Encoder(EncoderParameters),
    /// Force and torque sensor.
    ForceTorqueSensor(ForceSensorParameters),
}

impl DeviceParameters {
    const fn kind(&self) -> DeviceKind {
        match self {
            Self::ServoDrive(_) => DeviceKind::ServoDrive,
            Self::DualServoDrive(_) => DeviceKind::DualServoDrive,
            Self::Coupler => DeviceKind::Coupler,
            Self::DigitalIo => DeviceKind::DigitalIo,
            Self::AnalogIo => DeviceKind::AnalogIo,
            Self::Encoder(_) => DeviceKind::Encoder,
            Self::ForceTorqueSensor(_) => DeviceKind::ForceTorqueSensor,
        }
    }

    /// The axes of a drive, none of anything else.
    pub(super) fn axes(&self) -> &[DriveParameters] {
        match self {
            Self::ServoDrive(parameters) => std::slice::from_ref(parameters),
            Self::DualServoDrive(axes) => axes.as_slice(),
            Self::Coupler
            | Self::DigitalIo
            | Self::AnalogIo
            | Self::Encoder(_)
            | Self::ForceTorqueSensor(_) => &[],
        }
    }
}

/// An encoder that no drive reads: a conveyor, a turntable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EncoderParameters {
    /// Counts between two index pulses, > 0.
    pub counts_per_turn: u32,
    /// Where it stands at power-on, counts.
    pub initial_counts: i64,
    /// How fast it turns, counts/s.
    pub speed_counts_s: f64,
}

impl Default for EncoderParameters {
    /// A standing encoder of 4096 counts.
    fn default() -> Self {
        Self { counts_per_turn: 4096, initial_counts: 0, speed_counts_s: 0.0 }
    }
}

/// A force and torque sensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForceSensorParameters {
    /// Counts a newton.
    pub counts_per_n: f64,
    /// Counts a newton metre.
    pub counts_per_nm: f64,
    /// Largest force it can measure, N.
    pub force_max_n: f64,
    /// Largest torque it can measure, N m.
    pub torque_max_nm: f64,
    /// Largest noise of forces, N; torques have a tenth of it in N m.
    pub noise_n: f64,
}

impl Default for ForceSensorParameters {
    /// For the flange of a robot of some 10 kg.
    fn default() -> Self {
        Self {
            counts_per_n: 100_000.0,
            counts_per_nm: 1_000_000.0,
            force_max_n: 1000.0,
            torque_max_nm: 100.0,
            noise_n: 0.05,
        }
    }
}

/// Motor, gear, brake and settings of one drive. All on the motor side of the gear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DriveParameters {
    /// Encoder counts a motor turn.
    pub counts_per_turn: u32,
    /// Width of the position counter in bits, `8..=32`: it wraps at its ends, sign-extended to 32 bits.
    pub counter_bits: u8,
    /// Where the shaft stands at the beginning, counts; the position counter shows it cut to its width.
    pub initial_position_counts: i64,
    /// What the encoder knows after its supply was off.
    pub encoder: EncoderKind,
    /// Shaft position of one index pulse, counts; there is one a turn.
    pub index_offset_counts: i64,
    /// Switches along the shaft.
    pub switches: Switches,
    /// Gain of the position loop Kv: speed = Kv × position error. 1/s.
    pub position_gain_1_s: f64,
    /// Gain of the speed loop inside: acceleration = gain × speed error. 1/s.
    pub speed_gain_1_s: f64,
    /// Integral time of the speed loop, s; zero: it has no integral part.
    pub speed_integral_time_s: f64,
    /// Inertia of the motor, kg m².
    pub motor_inertia_kg_m2: f64,
    /// Inertia of the gear as the motor feels it, kg m²; without an arm that of the load too.
    pub gear_inertia_kg_m2: f64,
    /// Rated torque, N m: unit of 0x6077.
    pub rated_torque_nm: f64,
    /// Largest torque, N m.
    pub peak_torque_nm: f64,
    /// Torque of dry friction, N m.
    pub friction_nm: f64,
    /// Torque of viscous friction, N m s.
    pub viscous_friction_nm_s: f64,
    /// The drive knows this friction and adds it to the torque of its loops.
    pub compensates_friction: bool,
    /// Largest motor speed, rad/s.
    pub speed_limit_rad_s: f64,
    /// Deceleration of the quick stop ramp, rad/s². At 0x6085 it is shown in 1000 counts/s².
    pub quick_stop_rad_s2: f64,
    /// Following error window (0x6065) at power-on, counts.
    pub following_error_window_counts: u32,
    /// Following error time-out (0x6066) at power-on, ms.
    pub following_error_timeout_ms: u16,
    /// From torque on to brake open.
    pub brake_open_delay: Nanoseconds,
    /// From the order to close to brake closed; torque stays on meanwhile.
    pub brake_close_delay: Nanoseconds,
    /// Torque of the closed brake, N m.
    pub brake_torque_nm: f64,
    /// Interpolation periods (0x60C2) without a new setpoint after which an enabled drive reports a fault; zero:
    /// it goes on with the last one.
    pub setpoint_timeout_periods: u16,
    /// Consecutive SYNC0 events without new outputs after which the drive drops to SAFE-OP with AL status code
    /// 0x001A; zero: only the sync manager watchdog supervises.
    pub sync_error_limit: u16,
}

impl Default for DriveParameters {
    /// A 400 W motor with a 23-bit encoder at a robot joint.
    fn default() -> Self {
        Self {
            counts_per_turn: 1 << 23,
            counter_bits: 32,
            initial_position_counts: 0,
            encoder: EncoderKind::Absolute,
            index_offset_counts: 0,
            switches: Switches::default(),
            position_gain_1_s: 80.0,
            speed_gain_1_s: 800.0,
            speed_integral_time_s: 0.0,
            motor_inertia_kg_m2: 0.3e-4,
            gear_inertia_kg_m2: 0.7e-4,
            rated_torque_nm: 1.27,
            peak_torque_nm: 3.8,
            friction_nm: 0.03,
            viscous_friction_nm_s: 1e-4,
            compensates_friction: true,
            speed_limit_rad_s: 523.6,
            quick_stop_rad_s2: 5000.0,
            following_error_window_counts: 2 << 23,
            following_error_timeout_ms: 20,
            brake_open_delay: Nanoseconds(60_000_000),
            brake_close_delay: Nanoseconds(40_000_000),
            brake_torque_nm: 2.5,
            setpoint_timeout_periods: 0,
            sync_error_limit: 0,
        }
    }
}

/// What an encoder knows after its supply was off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EncoderKind {
    /// Its place within the width of the counter.
    #[default]
    Absolute,
    /// Nothing: it counts from zero again.
    Incremental,
}

/// A switch that is on while the shaft is in `from..to`, counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cam {
    /// First position where it is on.
    pub from: i64,
    /// First position beyond.
    pub to: i64,
}

/// The switches along the shaft of a drive, wired to its digital inputs. Left out: not there, always off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// Negative limit switch.
    pub negative_limit: Option<Cam>,
    /// Positive limit switch.
    pub positive_limit: Option<Cam>,
    /// Home switch.
    pub home: Option<Cam>,
    /// Input of touch probe 1.
    pub probe_1: Option<Cam>,
    /// Input of touch probe 2.
    pub probe_2: Option<Cam>,
}

impl DriveParameters {
    fn check(&self, device: usize) -> Result<(), DescriptionError> {
        let positive = [
            ("position_gain_1_s", self.position_gain_1_s),
            ("speed_gain_1_s", self.speed_gain_1_s),
            ("motor_inertia_kg_m2", self.motor_inertia_kg_m2),
            ("rated_torque_nm", self.rated_torque_nm),
            ("peak_torque_nm", self.peak_torque_nm),
            ("speed_limit_rad_s", self.speed_limit_rad_s),
            ("quick_stop_rad_s2", self.quick_stop_rad_s2),
            ("brake_torque_nm", self.brake_torque_nm),
            ("counts_per_turn", f64::from(self.counts_per_turn)),
        ];
        for (parameter, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                return Err(DescriptionError::DriveParameter { device, parameter });
            }
        }
        let not_negative = [
            ("speed_integral_time_s", self.speed_integral_time_s),
            ("gear_inertia_kg_m2", self.gear_inertia_kg_m2),
            ("friction_nm", self.friction_nm),
            ("viscous_friction_nm_s", self.viscous_friction_nm_s),
        ];
        for (parameter, value) in not_negative {
            if !(value.is_finite() && value >= 0.0) {
                return Err(DescriptionError::DriveParameter { device, parameter });
            }
        }
        if !(8..=32).contains(&self.counter_bits) {
            return Err(DescriptionError::DriveParameter { device, parameter: "counter_bits" });
        }
        Ok(())
    }
}

/// One channel of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Channel {
    /// Position of the terminal on the bus, counted from 0.
    pub device: usize,
    /// Channel, counted from 0 in the order of the process data: one bit (digital) or one entry (analog).
    pub channel: u8,
}

/// Something wired to terminals.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a handful of them, made once")]
pub enum Equipment {
    /// A welding power source.
    WeldingPowerSource(PowerSourceParameters),
    /// A status contact of the emergency-stop chain: 1 while closed. Starts closed.
    StopInput {
        /// The digital input.
        input: Channel,
    },
}

impl Equipment {
    fn check(&self, devices: &[SimulatedDevice]) -> Result<(), DescriptionError> {
        use ChannelKind::{Analog, Digital};
        let check = |channel: Option<Channel>, kind: ChannelKind, map: fn(&Device) -> &PdoMap| {
            let Some(channel) = channel else { return Ok(()) };
            let device = devices.get(channel.device).map(|found| &found.device);
            let exists = device.is_some_and(|device| {
                let entries = map(device).entries().iter();
                let channels = entries.filter(|entry| entry.channel() == Some(kind)).count();
                device.kind.axes() == 0 && usize::from(channel.channel) < channels
            });
            if exists { Ok(()) } else { Err(DescriptionError::NoSuchChannel { channel }) }
        };
        match self {
            Self::StopInput { input } => check(Some(*input), Digital, |device| &device.inputs),
            Self::WeldingPowerSource(source) => {
                check(source.gas, Digital, |device| &device.outputs)?;
                check(source.weld_on, Digital, |device| &device.outputs)?;
                check(source.arc_established, Digital, |device| &device.inputs)?;
                check(source.ready, Digital, |device| &device.inputs)?;
                check(source.wire_feed_setpoint, Analog, |device| &device.outputs)?;
                check(source.current_setpoint, Analog, |device| &device.outputs)?;
                check(source.voltage_setpoint, Analog, |device| &device.outputs)?;
                check(source.actual_current, Analog, |device| &device.inputs)?;
                check(source.actual_voltage, Analog, |device| &device.inputs)
            }
        }
    }
}

/// A welding power source: which channels it is wired to, and how it behaves. Channels left out are not wired.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerSourceParameters {
    /// Digital output: gas valve open.
    pub gas: Option<Channel>,
    /// Digital output: weld.
    pub weld_on: Option<Channel>,
    /// Analog output: wire feed speed, 10 V = [`wire_feed_full_scale_m_min`](Self::wire_feed_full_scale_m_min).
    pub wire_feed_setpoint: Option<Channel>,
    /// Analog output: current, 10 V = [`current_full_scale_a`](Self::current_full_scale_a). Where it is not
    /// wired, the current follows the wire feed.
    pub current_setpoint: Option<Channel>,
    /// Analog output: voltage, 10 V = [`voltage_full_scale_v`](Self::voltage_full_scale_v).
    pub voltage_setpoint: Option<Channel>,
    /// Digital input: arc established (current flows).
    pub arc_established: Option<Channel>,
    /// Digital input: ready to weld.
    pub ready: Option<Channel>,
    /// Analog input: actual current, scaled as the setpoint.
    pub actual_current: Option<Channel>,
    /// Analog input: actual voltage, scaled as the setpoint.
    pub actual_voltage: Option<Channel>,
    /// Current at 10 V, A.
    pub current_full_scale_a: f64,
    /// Voltage at 10 V, V.
    pub voltage_full_scale_v: f64,
    /// Wire feed at 10 V, m/min.
    pub wire_feed_full_scale_m_min: f64,
    /// From weld on to arc established.
    pub ignition_delay: Nanoseconds,
    /// Most the ignition delay varies to either side.
    pub ignition_jitter: Nanoseconds,
    /// Voltage without an arc while weld is on, V.
    pub open_circuit_voltage_v: f64,
    /// Largest ripple of current and voltage, as a share of the value.
    pub ripple: f64,
    /// Time constant of the current, s.
    pub current_time_constant_s: f64,
}

impl Default for PowerSourceParameters {
    fn default() -> Self {
        Self {
            gas: None,
            weld_on: None,
            wire_feed_setpoint: None,
            current_setpoint: None,
            voltage_setpoint: None,
            arc_established: None,
            ready: None,
            actual_current: None,
            actual_voltage: None,
            current_full_scale_a: 500.0,
            voltage_full_scale_v: 50.0,
            wire_feed_full_scale_m_min: 25.0,
            ignition_delay: Nanoseconds(80_000_000),
            ignition_jitter: Nanoseconds(20_000_000),
            open_circuit_voltage_v: 48.0,
            ripple: 0.03,
            current_time_constant_s: 0.02,
        }
    }
}

/// Why a description cannot be simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptionError {
    /// More SubDevices than [`MAX_SUBDEVICES`].
    #[error("{count} SubDevices are more than {MAX_SUBDEVICES}")]
    TooManyDevices {
        /// How many.
        count: usize,
    },
    /// The parameters are for another kind of device.
    #[error("SubDevice {device}: the parameters are for another kind of device")]
    KindDiffers {
        /// Position on the bus, counted from 0.
        device: usize,
    },
    /// One direction of the process data is longer than the simulated memory has room for.
    #[error("SubDevice {device}: {bytes} bytes of process data are more than {PROCESS_DATA_BYTES_MAX}")]
    ProcessDataTooLong {
        /// Position on the bus, counted from 0.
        device: usize,
        /// How long it is.
        bytes: usize,
    },
    /// A parameter of a drive is out of its range.
    #[error("SubDevice {device}: {parameter} is out of range")]
    DriveParameter {
        /// Position on the bus, counted from 0.
        device: usize,
        /// Name of the field of [`DriveParameters`].
        parameter: &'static str,
    },
    /// A terminal of a backplane follows neither a coupler nor such a terminal.
    #[error("SubDevice {device}: a terminal on the E-bus follows a coupler or another such terminal")]
    NoBackplane {
        /// Position on the bus, counted from 0.
        device: usize,
    },
    /// The clock drift is not within ±1000 ppm.
    #[error("SubDevice {device}: the clock drift is not within ±1000 ppm")]
    ClockDrift {
        /// Position on the bus, counted from 0.
        device: usize,
    },
    /// The arm is not moved by one servo drive a joint.
    #[error("the arm has {joints} joints and needs one servo drive of the segment for each")]
    ArmDrives {
        /// Joints of the arm.
        joints: usize,
    },
    /// Equipment is wired to a channel that is not there.
    #[error("equipment is wired to channel {} of SubDevice {}, which does not have it", channel.channel, channel.device)]
    NoSuchChannel {
        /// The channel.
        channel: Channel,
    },
}
