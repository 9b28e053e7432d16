//! Device descriptions and a hand-made controller for tests: it knows frames and registers, nothing more.

use crate::devices::{Device, DeviceKind, Identity, PdoEntry, PdoMap, objects as o};

use super::super::{DriveParameters, SimulatedDevice};

fn entry(index: u16, subindex: u8, bits: u8) -> PdoEntry {
    PdoEntry { index, subindex, bits }
}

pub(in super::super) fn servo_device() -> Device {
    let outputs = [
        entry(o::CONTROLWORD, 0, 16),
        entry(o::TARGET_POSITION, 0, 32),
        entry(o::VELOCITY_OFFSET, 0, 32),
        entry(o::MODE, 0, 8),
        entry(0, 0, 8),
    ];
    let inputs = [
        entry(o::STATUSWORD, 0, 16),
        entry(o::POSITION_ACTUAL, 0, 32),
        entry(o::VELOCITY_ACTUAL, 0, 32),
        entry(o::TORQUE_ACTUAL, 0, 16),
        entry(o::ERROR_CODE, 0, 16),
        entry(o::MODE_DISPLAY, 0, 8),
        entry(0, 0, 8),
    ];
    Device {
        kind: DeviceKind::ServoDrive,
        identity: Identity { vendor: 0x0000_0E7A, product: 0x402, revision: 0x0001_0002, serial: 7 },
        outputs: PdoMap::new(0x1600, &outputs).unwrap(),
        inputs: PdoMap::new(0x1A00, &inputs).unwrap(),
        distributed_clock: true,
    }
}

pub(in super::super) fn servo() -> SimulatedDevice {
    SimulatedDevice::servo_drive("drive", servo_device(), DriveParameters::default())
}

pub(in super::super) fn digital_terminal() -> SimulatedDevice {
    let bits = |index: u16| -> Vec<PdoEntry> { (1..=8).map(|sub| entry(index, sub, 1)).collect() };
    let device = Device {
        kind: DeviceKind::DigitalIo,
        identity: Identity { vendor: 0x0000_0E7A, product: 0x808, revision: 1, serial: 0 },
        outputs: PdoMap::new(0x1600, &bits(0x7000)).unwrap(),
        inputs: PdoMap::new(0x1A00, &bits(0x6000)).unwrap(),
        distributed_clock: false,
    };
    SimulatedDevice::digital_io("digital", device)
}

pub(in super::super) fn analog_terminal() -> SimulatedDevice {
    let device = Device {
        kind: DeviceKind::AnalogIo,
        identity: Identity { vendor: 0x0000_0E7A, product: 0x202, revision: 1, serial: 0 },
        outputs: PdoMap::new(0x1600, &[entry(0x7010, 1, 16), entry(0x7010, 2, 16)]).unwrap(),
        inputs: PdoMap::new(0x1A00, &[entry(0x6010, 1, 16), entry(0x6010, 2, 16)]).unwrap(),
        distributed_clock: false,
    };
    SimulatedDevice::analog_io("analog", device)
}
