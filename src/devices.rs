//! Description of a SubDevice: identity, process data objects, kind. Shared vocabulary of the
//! controller and the simulated segment; no behaviour.

/// Largest number of SubDevices on a segment.
pub const MAX_SUBDEVICES: usize = 32;
/// Largest number of entries in one direction of a device's process data.
pub const MAX_PDO_ENTRIES: usize = 24;
/// Largest number of PDOs in one direction of a device's process data.
pub const MAX_PDOS: usize = 4;
/// Largest number of axes of one SubDevice.
pub const MAX_AXES: usize = 2;

/// Digital channels of a cell in each direction.
pub const DIGITAL_CHANNELS: usize = 64;
/// Analog channels of a cell in each direction.
pub const ANALOG_CHANNELS: usize = 16;

/// What the SII says a SubDevice is (ETG.1000.6, SII words 8 to 15).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Vendor id.
    pub vendor: u32,
    /// Product code.
    pub product: u32,
    /// Revision number.
    pub revision: u32,
    /// Serial number; zero: any.
    pub serial: u32,
}

/// One object entry in the process data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PdoEntry {
    /// Object index; zero: padding.
    pub index: u16,
    /// Subindex.
    pub subindex: u8,
    /// Length in bits.
    pub bits: u8,
}

/// What a terminal has for an entry of its process data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelKind {
    /// One bit.
    Digital,
    /// A signed number of 8, 16 or 32 bits.
    Analog,
}

impl PdoEntry {
    /// The kind of channel it is on a terminal; `None`: padding, or nothing that can be a channel. Channels of one
    /// kind and direction are counted in the order of the process data.
    #[must_use]
    pub const fn channel(self) -> Option<ChannelKind> {
        match (self.index, self.bits) {
            (0, _) => None,
            (_, 1) => Some(ChannelKind::Digital),
            (_, 8 | 16 | 32) => Some(ChannelKind::Analog),
            _ => None,
        }
    }

    /// The entry as it is written to a mapping object (CiA 301, 0x1600): index, subindex, length.
    #[must_use]
    pub const fn mapping_value(self) -> u32 {
        (self.index as u32) << 16 | (self.subindex as u32) << 8 | self.bits as u32
    }
}

/// The process data of one direction: the PDOs and what is mapped into them, in wire order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PdoMap {
    /// Index of each PDO mapping object, 0x1600… (outputs) or 0x1A00… (inputs), and how many entries are its own.
    pdos: [(u16, u8); MAX_PDOS],
    entries: [PdoEntry; MAX_PDO_ENTRIES],
    count: u8,
}

impl PdoMap {
    /// No process data.
    pub const EMPTY: Self = Self {
        pdos: [(0, 0); MAX_PDOS],
        entries: [PdoEntry { index: 0, subindex: 0, bits: 0 }; MAX_PDO_ENTRIES],
        count: 0,
    };

    /// A map of one PDO, or `None` when `pdo` is zero, there are more than [`MAX_PDO_ENTRIES`] entries or the
    /// length is not a whole number of bytes.
    #[must_use]
    pub fn new(pdo: u16, entries: &[PdoEntry]) -> Option<Self> {
        Self::EMPTY.with(pdo, entries)
    }

    /// The same map with one more PDO behind, or `None` when `pdo` is zero, there are more than [`MAX_PDOS`] or
    /// [`MAX_PDO_ENTRIES`], or the length is not a whole number of bytes.
    #[must_use]
    pub fn with(mut self, pdo: u16, entries: &[PdoEntry]) -> Option<Self> {
        let start = usize::from(self.count);
        let end = start + entries.len();
        self.entries.get_mut(start..end)?.copy_from_slice(entries);
        self.count = u8::try_from(end).ok()?;
        let free = self.pdos.iter_mut().find(|(index, _)| *index == 0)?;
        *free = (pdo, u8::try_from(entries.len()).ok()?);
        (pdo != 0 && self.bits().is_multiple_of(8)).then_some(self)
    }

    /// The PDOs with their entries, in wire order.
    pub fn pdos(&self) -> impl Iterator<Item = (u16, &[PdoEntry])> {
        let mut rest = self.entries();
        self.pdos.iter().take_while(|(index, _)| *index != 0).map(move |&(index, count)| {
            let (own, behind) = rest.split_at_checked(usize::from(count)).unwrap_or((rest, &[]));
            rest = behind;
            (index, own)
        })
    }

    /// The entries, in wire order.
    #[must_use]
    pub fn entries(&self) -> &[PdoEntry] {
        self.entries.get(..self.count as usize).unwrap_or(&[])
    }

    /// Length in bits.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.entries().iter().map(|entry| entry.bits as usize).sum()
    }

    /// Length in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bits().div_ceil(8)
    }

    /// Where an object starts, in bits from the start of this direction's data; `None` when it is not mapped.
    #[must_use]
    pub fn bit_offset(&self, index: u16, subindex: u8) -> Option<usize> {
        let mut offset = 0;
        for entry in self.entries() {
            if entry.index == index && entry.subindex == subindex {
                return Some(offset);
            }
            offset += entry.bits as usize;
        }
        None
    }
}

/// What a SubDevice does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// Servo drive, CiA 402, one axis.
    ServoDrive,
    /// Servo drive, CiA 402, two axes: the objects of the second lie [`objects::AXIS_STEP`] higher.
    DualServoDrive,
    /// Joins cable and backplane: terminals follow on its E-bus. No process data, no mailbox.
    Coupler,
    /// Digital inputs and outputs; process data described in the SII, no mailbox.
    DigitalIo,
    /// Analog inputs and outputs; CoE mailbox.
    AnalogIo,
    /// Input for an encoder that no drive reads; CoE mailbox.
    Encoder,
    /// Force and torque sensor of six axes; CoE mailbox.
    ForceTorqueSensor,
}

impl DeviceKind {
    /// All of them, with the word drive files have for each.
    pub const ALL: [(&str, Self); 7] = [
        ("servo_drive", Self::ServoDrive),
        ("dual_servo_drive", Self::DualServoDrive),
        ("coupler", Self::Coupler),
        ("digital_io", Self::DigitalIo),
        ("analog_io", Self::AnalogIo),
        ("encoder", Self::Encoder),
        ("force_torque_sensor", Self::ForceTorqueSensor),
    ];

    /// The word drive files have for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }

    /// How many axes it drives; zero: it is no drive.
    #[must_use]
    pub const fn axes(self) -> usize {
        match self {
            Self::ServoDrive => 1,
            Self::DualServoDrive => 2,
            Self::Coupler | Self::DigitalIo | Self::AnalogIo | Self::Encoder | Self::ForceTorqueSensor => 0,
        }
    }

    /// It has a CoE mailbox: process data can be mapped, objects read and written.
    #[must_use]
    pub const fn has_mailbox(self) -> bool {
        match self {
            Self::Coupler | Self::DigitalIo => false,
            Self::ServoDrive
            | Self::DualServoDrive
            | Self::AnalogIo
            | Self::Encoder
            | Self::ForceTorqueSensor => true,
        }
    }
}

/// One axis of a drive: a SubDevice and which of its axes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DrivePlace {
    /// Position of the SubDevice on the bus, counted from 0.
    pub subdevice: usize,
    /// Which axis of it, counted from 0.
    pub axis: usize,
}

impl From<usize> for DrivePlace {
    /// The first axis of a SubDevice.
    fn from(subdevice: usize) -> Self {
        Self { subdevice, axis: 0 }
    }
}

/// How a SubDevice is connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Connection {
    /// By Ethernet cable.
    #[default]
    Cable,
    /// To the backplane of a coupler (E-bus).
    EBus,
}

/// A type of SubDevice: one file in `config/drives/`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Device {
    /// What it does.
    pub kind: DeviceKind,
    /// What its SII says.
    pub identity: Identity,
    /// Controller to device.
    pub outputs: PdoMap,
    /// Device to controller.
    pub inputs: PdoMap,
    /// Has distributed clocks and a SYNC0 event.
    pub distributed_clock: bool,
    /// How it is connected.
    pub connection: Connection,
}

/// Object numbers and bits of CiA 402 (IEC 61800-7-201) and CiA 301 that go over the wire.
pub mod objects {
    /// Between an object of one axis and the same of the next (CiA 402-2, IEC 61800-7-201: 0x6000 + 0x800 a device module).
    pub const AXIS_STEP: u16 = 0x0800;
    /// Error code, u16.
    pub const ERROR_CODE: u16 = 0x603F;
    /// Controlword, u16.
    pub const CONTROLWORD: u16 = 0x6040;
    /// Statusword, u16.
    pub const STATUSWORD: u16 = 0x6041;
    /// Quick stop option code, i16.
    pub const QUICK_STOP_OPTION: u16 = 0x605A;
    /// Shutdown option code, i16.
    pub const SHUTDOWN_OPTION: u16 = 0x605B;
    /// Disable operation option code, i16.
    pub const DISABLE_OPERATION_OPTION: u16 = 0x605C;
    /// Halt option code, i16.
    pub const HALT_OPTION: u16 = 0x605D;
    /// Fault reaction option code, i16.
    pub const FAULT_REACTION_OPTION: u16 = 0x605E;
    /// Modes of operation, i8.
    pub const MODE: u16 = 0x6060;
    /// Modes of operation display, i8.
    pub const MODE_DISPLAY: u16 = 0x6061;
    /// Position actual value, i32 counts.
    pub const POSITION_ACTUAL: u16 = 0x6064;
    /// Following error window, u32 counts.
    pub const FOLLOWING_ERROR_WINDOW: u16 = 0x6065;
    /// Following error time out, u16 ms.
    pub const FOLLOWING_ERROR_TIMEOUT: u16 = 0x6066;
    /// Velocity actual value, i32 counts/s.
    pub const VELOCITY_ACTUAL: u16 = 0x606C;
    /// Target torque, i16, per thousand of rated torque.
    pub const TARGET_TORQUE: u16 = 0x6071;
    /// Torque actual value, i16, per thousand of rated torque.
    pub const TORQUE_ACTUAL: u16 = 0x6077;
    /// Target position, i32 counts.
    pub const TARGET_POSITION: u16 = 0x607A;
    /// Home offset, i32 counts: zero position minus home position.
    pub const HOME_OFFSET: u16 = 0x607C;
    /// Software position limit, :01 smallest, :02 largest, i32 counts.
    pub const SOFTWARE_POSITION_LIMIT: u16 = 0x607D;
    /// Homing method, i8.
    pub const HOMING_METHOD: u16 = 0x6098;
    /// Homing speeds, :01 towards the switch, :02 towards the edge or index pulse, u32 counts/s.
    pub const HOMING_SPEEDS: u16 = 0x6099;
    /// Homing acceleration, u32, in the drive's unit of acceleration.
    pub const HOMING_ACCELERATION: u16 = 0x609A;
    /// Velocity offset, i32 counts/s.
    pub const VELOCITY_OFFSET: u16 = 0x60B1;
    /// Torque offset, i16, per thousand of rated torque.
    pub const TORQUE_OFFSET: u16 = 0x60B2;
    /// Touch probe function, u16.
    pub const TOUCH_PROBE_FUNCTION: u16 = 0x60B8;
    /// Touch probe status, u16.
    pub const TOUCH_PROBE_STATUS: u16 = 0x60B9;
    /// Position latched at the positive edge of touch probe 1, i32 counts.
    pub const TOUCH_PROBE_1_POSITIVE: u16 = 0x60BA;
    /// Position latched at the negative edge of touch probe 1, i32 counts.
    pub const TOUCH_PROBE_1_NEGATIVE: u16 = 0x60BB;
    /// Position latched at the positive edge of touch probe 2, i32 counts.
    pub const TOUCH_PROBE_2_POSITIVE: u16 = 0x60BC;
    /// Position latched at the negative edge of touch probe 2, i32 counts.
    pub const TOUCH_PROBE_2_NEGATIVE: u16 = 0x60BD;
    /// Interpolation time period, :01 u8 value, :02 i8 power of ten.
    pub const INTERPOLATION_PERIOD: u16 = 0x60C2;
    /// Digital inputs, u32.
    pub const DIGITAL_INPUTS: u16 = 0x60FD;
    /// Digital outputs, :01 u32.
    pub const DIGITAL_OUTPUTS: u16 = 0x60FE;
    /// Target velocity, i32 counts/s.
    pub const TARGET_VELOCITY: u16 = 0x60FF;

    /// Mode 6: homing.
    pub const MODE_HOMING: i8 = 6;
    /// Mode 8: cyclic synchronous position.
    pub const MODE_CSP: i8 = 8;
    /// Mode 9: cyclic synchronous velocity.
    pub const MODE_CSV: i8 = 9;
    /// Mode 10: cyclic synchronous torque.
    pub const MODE_CST: i8 = 10;

    /// Digital inputs bit 0: negative limit switch.
    pub const INPUT_NEGATIVE_LIMIT: u32 = 1 << 0;
    /// Digital inputs bit 1: positive limit switch.
    pub const INPUT_POSITIVE_LIMIT: u32 = 1 << 1;
    /// Digital inputs bit 2: home switch.
    pub const INPUT_HOME_SWITCH: u32 = 1 << 2;
    /// Digital inputs bit 3: interlock, here safe torque off.
    pub const INPUT_INTERLOCK: u32 = 1 << 3;

    /// Statusword bit 0: ready to switch on.
    pub const STATUS_READY_TO_SWITCH_ON: u16 = 1 << 0;
    /// Statusword bit 1: switched on.
    pub const STATUS_SWITCHED_ON: u16 = 1 << 1;
    /// Statusword bit 2: operation enabled.
    pub const STATUS_OPERATION_ENABLED: u16 = 1 << 2;
    /// Statusword bit 3: fault.
    pub const STATUS_FAULT: u16 = 1 << 3;
    /// Statusword bit 4: voltage enabled (the power stage is supplied).
    pub const STATUS_VOLTAGE_ENABLED: u16 = 1 << 4;
    /// Statusword bit 5: quick stop is *not* active.
    pub const STATUS_QUICK_STOP: u16 = 1 << 5;
    /// Statusword bit 6: switch on disabled.
    pub const STATUS_SWITCH_ON_DISABLED: u16 = 1 << 6;
    /// Statusword bit 7: warning.
    pub const STATUS_WARNING: u16 = 1 << 7;
    /// Statusword bit 9: remote.
    pub const STATUS_REMOTE: u16 = 1 << 9;
    /// Statusword bit 10: target reached; in homing: standing.
    pub const STATUS_TARGET_REACHED: u16 = 1 << 10;
    /// Statusword bit 11: an internal limit is active.
    pub const STATUS_INTERNAL_LIMIT: u16 = 1 << 11;
    /// Statusword bit 12 in homing: home position found.
    pub const STATUS_HOMING_ATTAINED: u16 = 1 << 12;
    /// Statusword bit 13 in homing: it failed.
    pub const STATUS_HOMING_ERROR: u16 = 1 << 13;
    /// Statusword bit 12 in CSP, CSV and CST: the drive follows the command value.
    pub const STATUS_FOLLOWS_COMMAND: u16 = 1 << 12;
    /// Statusword bit 13 in CSP: following error.
    pub const STATUS_FOLLOWING_ERROR: u16 = 1 << 13;

    /// Controlword bit 0: switch on.
    pub const CONTROL_SWITCH_ON: u16 = 1 << 0;
    /// Controlword bit 1: enable voltage.
    pub const CONTROL_ENABLE_VOLTAGE: u16 = 1 << 1;
    /// Controlword bit 2: quick stop is *not* wanted.
    pub const CONTROL_QUICK_STOP: u16 = 1 << 2;
    /// Controlword bit 3: enable operation.
    pub const CONTROL_ENABLE_OPERATION: u16 = 1 << 3;
    /// Controlword bit 4 in homing: start, on the rising edge; interrupt, on the falling edge.
    pub const CONTROL_HOMING_START: u16 = 1 << 4;
    /// Controlword bit 8: halt.
    pub const CONTROL_HALT: u16 = 1 << 8;
    /// Controlword bit 7: fault reset, on the rising edge.
    pub const CONTROL_FAULT_RESET: u16 = 1 << 7;
}
