//! Names of objects, as CiA 301, CiA 402 and ETG.1000.6 call them.

use std::borrow::Cow;

/// Name of an object.
pub(super) fn object_name(index: u16) -> Cow<'static, str> {
    let name = match index {
        0x1000 => "Device type",
        0x1001 => "Error register",
        0x1008 => "Manufacturer device name",
        0x1009 => "Manufacturer hardware version",
        0x100A => "Manufacturer software version",
        0x1018 => "Identity object",
        0x10F1 => "Error settings",
        0x1600..=0x17FF => return format!("Receive PDO mapping {}", index - 0x1600 + 1).into(),
        0x1A00..=0x1BFF => return format!("Transmit PDO mapping {}", index - 0x1A00 + 1).into(),
        0x1C00 => "Sync manager communication type",
        0x1C12 => "Sync manager 2 PDO assignment",
        0x1C13 => "Sync manager 3 PDO assignment",
        0x1C32 => "Output sync manager parameter",
        0x1C33 => "Input sync manager parameter",
        0x2100 => "Parameter backup",
        0x6800..=0x6FFF => return format!("{} (axis 2)", axis_object_name(index - 0x0800)).into(),
        _ => axis_object_name(index),
    };
    name.into()
}

const fn axis_object_name(index: u16) -> &'static str {
    match index {
        0x6007 => "Abort connection option code",
        0x603F => "Error code",
        0x6040 => "Controlword",
        0x6041 => "Statusword",
        0x605A => "Quick stop option code",
        0x605B => "Shutdown option code",
        0x605C => "Disable operation option code",
        0x605D => "Halt option code",
        0x605E => "Fault reaction option code",
        0x6060 => "Modes of operation",
        0x6061 => "Modes of operation display",
        0x6062 => "Position demand value",
        0x6064 => "Position actual value",
        0x6065 => "Following error window",
        0x6066 => "Following error time out",
        0x606C => "Velocity actual value",
        0x6071 => "Target torque",
        0x6072 => "Max torque",
        0x6076 => "Motor rated torque",
        0x6077 => "Torque actual value",
        0x607A => "Target position",
        0x607C => "Home offset",
        0x607D => "Software position limit",
        0x6084 => "Profile deceleration",
        0x6085 => "Quick stop deceleration",
        0x608F => "Position encoder resolution",
        0x6098 => "Homing method",
        0x6099 => "Homing speeds",
        0x609A => "Homing acceleration",
        0x60B0 => "Position offset",
        0x60B1 => "Velocity offset",
        0x60B2 => "Torque offset",
        0x60B8 => "Touch probe function",
        0x60B9 => "Touch probe status",
        0x60BA => "Touch probe 1 positive edge",
        0x60BB => "Touch probe 1 negative edge",
        0x60BC => "Touch probe 2 positive edge",
        0x60BD => "Touch probe 2 negative edge",
        0x60C2 => "Interpolation time period",
        0x60F4 => "Following error actual value",
        0x60FD => "Digital inputs",
        0x60FE => "Digital outputs",
        0x60FF => "Target velocity",
        0x6502 => "Supported drive modes",
        0x6000..=0x6006 => "Inputs",
        0x7000..=0x7FFF => "Outputs",
        _ => "Object",
    }
}

/// Name of an entry: that of the object where it has only one.
pub(super) fn entry_name(index: u16, subindex: u8) -> Cow<'static, str> {
    let name = match (index, subindex) {
        (0x1018, 1) => "Vendor ID",
        (0x1018, 2) => "Product code",
        (0x1018, 3) => "Revision number",
        (0x1018, 4) => "Serial number",
        (0x1C32 | 0x1C33, 1) => "Synchronization type",
        (0x1C32 | 0x1C33, 2) => "Cycle time",
        (0x1C32 | 0x1C33, 4) => "Synchronization types supported",
        (0x1C32 | 0x1C33, 5) => "Minimum cycle time",
        (0x1C32 | 0x1C33, 6) => "Calc and copy time",
        (0x1C32 | 0x1C33, 11) => "SM event missed counter",
        (_, 0) => return object_name(index),
        _ => return format!("Entry {subindex}").into(),
    };
    name.into()
}
