//! The simulated segment as a link of the fieldbus, in virtual time, and a small bus to put on it.
//!
//! This is all it takes to plug the simulator in: frames go through [`Segment::process_frame`], what comes
//! back is kept until it is due, and waiting is what makes time pass.

use motiond::devices::{Connection, Device, DeviceKind, Identity, PdoEntry, PdoMap, objects};
use motiond::fieldbus::link::MAX_FRAME_BYTES;
use motiond::fieldbus::{
    BusDescription, ExpectedDevice, FrameLink, FramePump, LinkError, PumpSettings, SdoValue, SdoWrite,
};
use motiond::simulator::{DriveParameters, Segment, SegmentDescription, SimulatedDevice};
use motiond::units::Nanoseconds;

/// Frames that can be on the wire at once.
const ON_THE_WIRE: usize = 8;
/// Cable, network interface and all SubDevices, there and back.
pub(crate) const ROUND_TRIP: Nanoseconds = Nanoseconds(20_000);

/// The length of a frame on its way back, with its bytes.
#[derive(Debug)]
struct Returning {
    due: Nanoseconds,
    length: usize,
    bytes: [u8; MAX_FRAME_BYTES],
}

/// A segment in the same process.
#[derive(Debug)]
pub(crate) struct SegmentLink {
    pub(crate) segment: Segment,
    now: Nanoseconds,
    returning: [Option<Returning>; ON_THE_WIRE],
}

impl SegmentLink {
    pub(crate) fn new(segment: Segment) -> Self {
        Self { segment, now: Nanoseconds(0), returning: [const { None }; ON_THE_WIRE] }
    }

    fn first_due(&self) -> Option<Nanoseconds> {
        self.returning.iter().flatten().map(|frame| frame.due).min()
    }

    fn advance_to(&mut self, time: Nanoseconds) {
        self.now = self.now.max(time);
        self.segment.advance_to(self.now);
    }
}

impl FrameLink for SegmentLink {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        let mut bytes = [0; MAX_FRAME_BYTES];
        let copy = bytes.get_mut(..frame.len()).ok_or(LinkError::TooLong)?;
        copy.copy_from_slice(frame);
        if self.segment.process_frame(copy, self.now) {
            let free = self.returning.iter_mut().find(|slot| slot.is_none()).ok_or(LinkError::Full)?;
            *free = Some(Returning { due: self.now.plus(ROUND_TRIP), length: frame.len(), bytes });
        }
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Nanoseconds) -> Result<Option<usize>, LinkError> {
        let due = self.first_due();
        self.advance_to(due.map_or(deadline, |due| due.min(deadline)));
        let frame = self
            .returning
            .iter_mut()
            .find_map(|slot| slot.take_if(|frame| Some(frame.due) == due && frame.due <= self.now));
        Ok(frame.map(|frame| {
            buffer[..frame.length].copy_from_slice(&frame.bytes[..frame.length]);
            frame.length
        }))
    }

    fn now(&self) -> Nanoseconds {
        self.now
    }

    fn wait_until(&mut self, time: Nanoseconds) {
        self.advance_to(time);
    }
}

pub(crate) fn entry(index: u16, subindex: u8, bits: u8) -> PdoEntry {
    PdoEntry { index, subindex, bits }
}

/// Eight entries of one bit each.
fn eight_bits(index: u16) -> [PdoEntry; 8] {
    [1, 2, 3, 4, 5, 6, 7, 8].map(|subindex| entry(index, subindex, 1))
}

pub(crate) fn map(pdo: u16, entries: &[PdoEntry]) -> PdoMap {
    PdoMap::new(pdo, entries).expect("a map of whole bytes")
}

/// A CiA 402 drive: 8 bytes out, 16 bytes in.
pub(crate) fn drive() -> Device {
    Device {
        kind: DeviceKind::ServoDrive,
        identity: Identity { vendor: 0x0000_0666, product: 0x0000_0402, revision: 1, serial: 0 },
        outputs: map(
            0x1600,
            &[
                entry(objects::CONTROLWORD, 0, 16),
                entry(objects::TARGET_POSITION, 0, 32),
                entry(objects::MODE, 0, 8),
                entry(0, 0, 8),
            ],
        ),
        inputs: map(
            0x1A00,
            &[
                entry(objects::STATUSWORD, 0, 16),
                entry(objects::POSITION_ACTUAL, 0, 32),
                entry(objects::VELOCITY_ACTUAL, 0, 32),
                entry(objects::TORQUE_ACTUAL, 0, 16),
                entry(objects::ERROR_CODE, 0, 16),
                entry(objects::MODE_DISPLAY, 0, 8),
                entry(0, 0, 8),
            ],
        ),
        distributed_clock: true,
        connection: Connection::Cable,
    }
}

/// Eight digital inputs and outputs.
pub(crate) fn digital_terminal() -> Device {
    Device {
        kind: DeviceKind::DigitalIo,
        identity: Identity { vendor: 0x0000_0666, product: 0x0000_0101, revision: 1, serial: 0 },
        outputs: map(0x1600, &eight_bits(0x7000)),
        inputs: map(0x1A00, &eight_bits(0x6000)),
        distributed_clock: false,
        connection: Connection::Cable,
    }
}

/// Two analog inputs and outputs.
pub(crate) fn analog_terminal() -> Device {
    Device {
        kind: DeviceKind::AnalogIo,
        identity: Identity { vendor: 0x0000_0666, product: 0x0000_0202, revision: 1, serial: 0 },
        outputs: map(0x1600, &[entry(0x7010, 1, 16), entry(0x7010, 2, 16)]),
        inputs: map(0x1A00, &[entry(0x6010, 1, 16), entry(0x6010, 2, 16)]),
        distributed_clock: false,
        connection: Connection::Cable,
    }
}

pub(crate) const CYCLE: Nanoseconds = Nanoseconds(1_000_000);

/// Six drives, a digital and an analog terminal, as the controller expects them.
pub(crate) fn expected_cell() -> Vec<ExpectedDevice> {
    let startup: Vec<SdoWrite> = SdoWrite::interpolation_period(CYCLE)
        .into_iter()
        .flatten()
        .chain([SdoWrite { index: objects::FOLLOWING_ERROR_TIMEOUT, subindex: 0, value: SdoValue::U16(15) }])
        .collect();
    let mut devices: Vec<ExpectedDevice> = (1..=6)
        .map(|joint| ExpectedDevice {
            name: format!("joint {joint}"),
            device: drive(),
            alias: None,
            startup: startup.clone(),
            reactions: Vec::new(),
        })
        .collect();
    for (name, device) in [("digital terminal", digital_terminal()), ("analog terminal", analog_terminal())] {
        devices.push(ExpectedDevice {
            name: name.into(),
            device,
            alias: None,
            startup: Vec::new(),
            reactions: Vec::new(),
        });
    }
    devices
}

/// What is really on the wire for a list of device types.
pub(crate) fn simulated(devices: &[Device]) -> Vec<SimulatedDevice> {
    devices
        .iter()
        .enumerate()
        .map(|(position, device)| {
            let name = format!("device {position}");
            SimulatedDevice::without_motor(&name, *device)
                .unwrap_or_else(|| SimulatedDevice::servo_drive(&name, *device, DriveParameters::default()))
        })
        .collect()
}

/// The segment that fits [`expected_cell`].
pub(crate) fn segment() -> Segment {
    let devices: Vec<Device> = expected_cell().iter().map(|expected| expected.device).collect();
    Segment::new(SegmentDescription::new(simulated(&devices))).expect("a valid segment")
}

/// The bus that fits [`expected_cell`].
pub(crate) fn description() -> BusDescription {
    BusDescription::new(expected_cell(), CYCLE)
}

/// A pump on a segment.
pub(crate) fn pump_on(segment: Segment) -> FramePump<SegmentLink> {
    FramePump::new(SegmentLink::new(segment), PumpSettings::SIMULATED)
}
