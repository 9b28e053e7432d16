//! A cell on virtual time: segment, link, ethercrab on the frame pump, and the least of a drive controller.

#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

use std::collections::VecDeque;

use motiond::devices::{Connection, Device, DeviceKind, Identity, PdoEntry, PdoMap, objects as o};
use motiond::fieldbus::bring_up::{BringUpError, bring_up};
use motiond::fieldbus::bus::{Bus, ExchangeReport};
use motiond::fieldbus::description::{BusDescription, ExpectedDevice, SdoWrite};
use motiond::fieldbus::frame_pump::{FramePump, PumpSettings};
use motiond::fieldbus::link::{FrameLink, LinkError};
use motiond::simulator::{
    Channel, DeviceParameters, DriveParameters, Equipment, PowerSourceParameters, Segment,
    SegmentDescription, SimulatedDevice,
};
use motiond::units::Nanoseconds;

/// Round trip of a frame.
const ROUND_TRIP: Nanoseconds = Nanoseconds(20_000);
const CYCLE: Nanoseconds = Nanoseconds(1_000_000);

/// A segment as a link on virtual time.
pub(crate) struct SegmentLink {
    segment: Segment,
    now: Nanoseconds,
    on_the_wire: VecDeque<(Nanoseconds, Vec<u8>)>,
}

impl FrameLink for SegmentLink {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        let mut answer = frame.to_vec();
        if self.segment.process_frame(&mut answer, self.now) {
            self.on_the_wire.push_back((self.now.plus(ROUND_TRIP), answer));
        }
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Nanoseconds) -> Result<Option<usize>, LinkError> {
        let is_due = |(arrival, _): &mut (Nanoseconds, Vec<u8>)| *arrival <= deadline.max(self.now);
        let Some((arrival, frame)) = self.on_the_wire.pop_front_if(is_due) else {
            self.now = self.now.max(deadline);
            return Ok(None);
        };
        self.now = self.now.max(arrival);
        buffer[..frame.len()].copy_from_slice(&frame);
        Ok(Some(frame.len()))
    }

    fn now(&self) -> Nanoseconds {
        self.now
    }

    fn wait_until(&mut self, time: Nanoseconds) {
        self.now = self.now.max(time);
        self.segment.advance_to(self.now);
    }
}

/// A running cell.
pub(crate) struct Rig {
    pub(crate) bus: Bus<SegmentLink>,
}

impl Rig {
    pub(crate) fn new(description: SegmentDescription) -> Self {
        let expected = description.clone();
        Self::try_new(description, &expected).unwrap()
    }

    pub(crate) fn try_new(
        description: SegmentDescription,
        expected: &SegmentDescription,
    ) -> Result<Self, BringUpError> {
        Self::try_with(Segment::new(description).unwrap(), expected)
    }

    pub(crate) fn try_with(segment: Segment, expected: &SegmentDescription) -> Result<Self, BringUpError> {
        let link = SegmentLink { segment, now: Nanoseconds(0), on_the_wire: VecDeque::new() };
        let devices = expected.devices.iter().map(|simulated| {
            let startup = if simulated.device.kind == DeviceKind::ServoDrive {
                SdoWrite::interpolation_period(CYCLE).unwrap().to_vec()
            } else {
                Vec::new()
            };
            ExpectedDevice {
                name: simulated.name.clone(),
                device: simulated.device,
                alias: None,
                startup,
                reactions: Vec::new(),
            }
        });
        let bus = BusDescription::new(devices.collect(), CYCLE);
        match bring_up(FramePump::new(link, PumpSettings::SIMULATED), &bus) {
            Ok(bus) => Ok(Self { bus }),
            Err(failure) => Err(failure.error),
        }
    }

    pub(crate) fn segment(&self) -> &Segment {
        &self.bus.link().segment
    }

    pub(crate) fn segment_mut(&mut self) -> &mut Segment {
        &mut self.bus.link_mut().segment
    }

    pub(crate) fn cycle(&mut self) -> ExchangeReport {
        let start = self.bus.wait_for_cycle();
        self.bus.exchange(start.woke_at.plus(Nanoseconds(800_000)))
    }

    pub(crate) fn cycles(&mut self, count: usize) {
        for _ in 0..count {
            self.cycle();
        }
    }

    pub(crate) fn bus_inputs_len(&self, device: usize) -> usize {
        self.bus.inputs(device).len()
    }

    fn input(&self, drive: usize, object: u16) -> usize {
        let device = servo_device();
        let offset = device.inputs.bit_offset(object, 0).unwrap() / 8;
        assert!(offset < self.bus.inputs(drive).len());
        offset
    }

    pub(crate) fn statusword(&self, drive: usize) -> u16 {
        let at = self.input(drive, o::STATUSWORD);
        u16::from_le_bytes(self.bus.inputs(drive)[at..at + 2].try_into().unwrap())
    }

    pub(crate) fn position(&self, drive: usize) -> i32 {
        let at = self.input(drive, o::POSITION_ACTUAL);
        i32::from_le_bytes(self.bus.inputs(drive)[at..at + 4].try_into().unwrap())
    }

    fn set(&mut self, drive: usize, object: u16, value: &[u8]) {
        let at = servo_device().outputs.bit_offset(object, 0).unwrap() / 8;
        self.bus.outputs_mut(drive)[at..at + value.len()].copy_from_slice(value);
    }

    pub(crate) fn set_controlword(&mut self, drive: usize, value: u16) {
        self.set(drive, o::CONTROLWORD, &value.to_le_bytes());
    }

    pub(crate) fn set_target(&mut self, drive: usize, value: i32) {
        self.set(drive, o::TARGET_POSITION, &value.to_le_bytes());
    }

    /// Shutdown, switch on, enable operation, with the target at the actual position; then brakes open.
    pub(crate) fn enable_all(&mut self) {
        self.cycles(3);
        for controlword in [0x0006, 0x0007, 0x000F] {
            for drive in 0..6 {
                self.set(drive, o::MODE, &o::MODE_CSP.to_le_bytes());
                let position = self.position(drive);
                self.set_target(drive, position);
                self.set_controlword(drive, controlword);
            }
            self.cycles(4);
        }
        self.cycles(80);
    }
}

pub(crate) fn set_initial_position(description: &mut SegmentDescription, device: usize, counts: i32) {
    if let DeviceParameters::ServoDrive(parameters) = &mut description.devices[device].parameters {
        parameters.initial_position_counts = i64::from(counts);
    }
}

fn entry(index: u16, subindex: u8, bits: u8) -> PdoEntry {
    PdoEntry { index, subindex, bits }
}

pub(crate) fn servo_device() -> Device {
    let outputs = [
        entry(o::CONTROLWORD, 0, 16),
        entry(o::TARGET_POSITION, 0, 32),
        entry(o::VELOCITY_OFFSET, 0, 32),
        entry(o::TORQUE_OFFSET, 0, 16),
        entry(o::MODE, 0, 8),
        entry(0, 0, 8),
    ];
    let inputs = [
        entry(o::STATUSWORD, 0, 16),
        entry(o::POSITION_ACTUAL, 0, 32),
        entry(o::VELOCITY_ACTUAL, 0, 32),
        entry(o::TORQUE_ACTUAL, 0, 16),
        entry(o::ERROR_CODE, 0, 16),
        entry(o::DIGITAL_INPUTS, 0, 32),
        entry(o::MODE_DISPLAY, 0, 8),
        entry(0, 0, 8),
    ];
    Device {
        kind: DeviceKind::ServoDrive,
        identity: Identity { vendor: 0x4D4F_5449, product: 0x402, revision: 0x0001_0000, serial: 0 },
        outputs: PdoMap::new(0x1600, &outputs).unwrap(),
        inputs: PdoMap::new(0x1A00, &inputs).unwrap(),
        distributed_clock: true,
        connection: Connection::Cable,
    }
}

/// Six drives with different clocks and positions, a digital and an analog terminal, a power source.
pub(crate) fn cell() -> SegmentDescription {
    let mut devices: Vec<SimulatedDevice> = (0..6)
        .map(|joint: i32| {
            let parameters = DriveParameters {
                initial_position_counts: i64::from(joint) * 1_234_567,
                ..DriveParameters::default()
            };
            let mut drive =
                SimulatedDevice::servo_drive(&format!("drive {joint}"), servo_device(), parameters);
            drive.clock_drift_ppm = f64::from(joint * 7 - 20);
            drive
        })
        .collect();
    let bits = |index: u16| -> Vec<PdoEntry> { (1..=8).map(|sub| entry(index, sub, 1)).collect() };
    let terminal = |kind, product, outputs: &[PdoEntry], inputs: &[PdoEntry]| Device {
        kind,
        identity: Identity { vendor: 0x4D4F_5449, product, revision: 0x0001_0000, serial: 0 },
        outputs: PdoMap::new(0x1600, outputs).unwrap(),
        inputs: PdoMap::new(0x1A00, inputs).unwrap(),
        distributed_clock: false,
        connection: Connection::Cable,
    };
    let digital = terminal(DeviceKind::DigitalIo, 0x808, &bits(0x7000), &bits(0x6000));
    let analog = terminal(
        DeviceKind::AnalogIo,
        0x202,
        &[entry(0x7000, 1, 16), entry(0x7000, 2, 16)],
        &[entry(0x6000, 1, 16), entry(0x6000, 2, 16)],
    );
    devices.push(SimulatedDevice::digital_io("digital", digital));
    devices.push(SimulatedDevice::analog_io("analog", analog));
    let channel = |device, channel| Some(Channel { device, channel });
    SegmentDescription::new(devices).with_equipment(vec![
        Equipment::StopInput { input: Channel { device: 6, channel: 7 } },
        Equipment::WeldingPowerSource(PowerSourceParameters {
            gas: channel(6, 0),
            weld_on: channel(6, 1),
            arc_established: channel(6, 0),
            ready: channel(6, 1),
            current_setpoint: channel(7, 0),
            voltage_setpoint: channel(7, 1),
            actual_current: channel(7, 0),
            actual_voltage: channel(7, 1),
            ..PowerSourceParameters::default()
        }),
    ])
}
