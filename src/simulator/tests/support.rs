//! Device descriptions and a hand-made controller for tests: it knows frames and registers, nothing more.

use crate::devices::{Connection, Device, DeviceKind, Identity, PdoEntry, PdoMap, objects as o};

use crate::units::Nanoseconds;

use super::super::{DriveParameters, Segment, SegmentDescription, SimulatedDevice};

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
        connection: Connection::Cable,
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
        connection: Connection::Cable,
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
        connection: Connection::Cable,
    };
    SimulatedDevice::analog_io("analog", device)
}

/// Datagram commands by number.
pub(super) mod command {
    pub(in super::super) const APRD: u8 = 1;
    pub(in super::super) const APWR: u8 = 2;
    pub(in super::super) const APRW: u8 = 3;
    pub(in super::super) const FPRD: u8 = 4;
    pub(in super::super) const FPWR: u8 = 5;
    pub(in super::super) const FPRW: u8 = 6;
    pub(in super::super) const BRD: u8 = 7;
    pub(in super::super) const BWR: u8 = 8;
    pub(in super::super) const BRW: u8 = 9;
    pub(in super::super) const LRD: u8 = 10;
    pub(in super::super) const LWR: u8 = 11;
    pub(in super::super) const LRW: u8 = 12;
    pub(in super::super) const ARMW: u8 = 13;
    pub(in super::super) const FRMW: u8 = 14;
}
use command as c;

/// One datagram to send, or as it came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    pub(super) command: u8,
    /// ADP and ADO, or the logical address.
    pub(super) address: [u8; 4],
    pub(super) data: Vec<u8>,
    pub(super) interrupts: u16,
    pub(super) working_counter: u16,
}

impl Datagram {
    pub(super) fn new(command: u8, adp: u16, ado: u16, data: &[u8]) -> Self {
        let [low, high] = adp.to_le_bytes();
        let [first, second] = ado.to_le_bytes();
        Self {
            command,
            address: [low, high, first, second],
            data: data.to_vec(),
            interrupts: 0,
            working_counter: 0,
        }
    }

    pub(super) fn logical(command: u8, address: u32, data: &[u8]) -> Self {
        Self { address: address.to_le_bytes(), ..Self::new(command, 0, 0, data) }
    }

    pub(super) fn adp(&self) -> u16 {
        u16::from_le_bytes([self.address[0], self.address[1]])
    }
}

/// An Ethernet frame with these datagrams.
pub(super) fn frame(datagrams: &[Datagram]) -> Vec<u8> {
    let mut frame = vec![0xFF; 6];
    frame.extend_from_slice(&[0x10; 6]);
    frame.extend_from_slice(&[0x88, 0xA4]);
    let length: usize = datagrams.iter().map(|datagram| datagram.data.len() + 12).sum();
    frame.extend_from_slice(&(length as u16 | 0x1000).to_le_bytes());
    for (number, datagram) in datagrams.iter().enumerate() {
        frame.push(datagram.command);
        frame.push(number as u8);
        frame.extend_from_slice(&datagram.address);
        let more = if number + 1 < datagrams.len() { 0x8000 } else { 0 };
        frame.extend_from_slice(&(datagram.data.len() as u16 | more).to_le_bytes());
        frame.extend_from_slice(&datagram.interrupts.to_le_bytes());
        frame.extend_from_slice(&datagram.data);
        frame.extend_from_slice(&datagram.working_counter.to_le_bytes());
    }
    frame
}

/// The datagrams of a frame that came back.
fn taken_apart(frame: &[u8]) -> Vec<Datagram> {
    let word = |at: usize| u16::from_le_bytes([frame[at], frame[at + 1]]);
    let mut datagrams = Vec::new();
    let mut at = 16;
    loop {
        let length = usize::from(word(at + 6) & 0x07FF);
        datagrams.push(Datagram {
            command: frame[at],
            address: frame[at + 2..at + 6].try_into().unwrap(),
            data: frame[at + 10..at + 10 + length].to_vec(),
            interrupts: word(at + 8),
            working_counter: word(at + 10 + length),
        });
        if word(at + 6) & 0x8000 == 0 {
            return datagrams;
        }
        at += 12 + length;
    }
}

/// Station address given to the first device; the others follow.
pub(super) const STATION: u16 = 0x1001;
/// Where the outputs of the first device lie in the process image; the next one 0x100 further on.
pub(super) const LOGICAL_OUTPUTS: u32 = 0x0001_0000;
/// Where its inputs lie.
pub(super) const LOGICAL_INPUTS: u32 = 0x0002_0000;

/// A segment with a controller made by hand.
pub(super) struct Wire {
    pub(super) segment: Segment,
    pub(super) now: Nanoseconds,
    mailbox_counter: u8,
}

impl Wire {
    /// Devices at power-on, with station addresses.
    pub(super) fn new(devices: Vec<SimulatedDevice>) -> Self {
        Self::of(SegmentDescription::new(devices))
    }

    pub(super) fn of(description: SegmentDescription) -> Self {
        let segment = Segment::new(description).unwrap();
        let mut wire = Self { segment, now: Nanoseconds(0), mailbox_counter: 0 };
        for position in 0..wire.segment.device_count() as u16 {
            let address = (STATION + position).to_le_bytes();
            assert_eq!(wire.send(c::APWR, 0_u16.wrapping_sub(position), 0x0010, &address).working_counter, 1);
        }
        wire
    }

    pub(super) fn wait(&mut self, time: Nanoseconds) {
        self.now = self.now.plus(time);
        self.segment.advance_to(self.now);
    }

    /// Sends a frame; 10 µs pass. `None`: it did not come back.
    pub(super) fn exchange(&mut self, datagrams: &[Datagram]) -> Option<Vec<Datagram>> {
        self.now = self.now.plus(Nanoseconds(10_000));
        let mut frame = frame(datagrams);
        self.segment.process_frame(&mut frame, self.now).then(|| taken_apart(&frame))
    }

    /// Sends one datagram.
    pub(super) fn send(&mut self, command: u8, adp: u16, ado: u16, data: &[u8]) -> Datagram {
        self.exchange(&[Datagram::new(command, adp, ado, data)]).unwrap().remove(0)
    }

    /// Sends one logical datagram.
    pub(super) fn send_logical(&mut self, command: u8, address: u32, data: &[u8]) -> Datagram {
        self.exchange(&[Datagram::logical(command, address, data)]).unwrap().remove(0)
    }

    /// Reads registers or memory; `None` when the working counter stays zero.
    pub(super) fn read(&mut self, device: u16, address: u16, length: usize) -> Option<Vec<u8>> {
        let answer = self.send(c::FPRD, STATION + device, address, &vec![0; length]);
        (answer.working_counter == 1).then_some(answer.data)
    }

    pub(super) fn read_u16(&mut self, device: u16, address: u16) -> u16 {
        u16::from_le_bytes(self.read(device, address, 2).unwrap().try_into().unwrap())
    }

    pub(super) fn read_u32(&mut self, device: u16, address: u16) -> u32 {
        u32::from_le_bytes(self.read(device, address, 4).unwrap().try_into().unwrap())
    }

    pub(super) fn read_u64(&mut self, device: u16, address: u16) -> u64 {
        u64::from_le_bytes(self.read(device, address, 8).unwrap().try_into().unwrap())
    }

    /// Writes registers or memory; false when the working counter stays zero.
    pub(super) fn write(&mut self, device: u16, address: u16, data: &[u8]) -> bool {
        self.send(c::FPWR, STATION + device, address, data).working_counter == 1
    }

    /// Requests an AL state; AL status and code after it.
    pub(super) fn request(&mut self, device: u16, control: u16) -> (u16, u16) {
        assert!(self.write(device, 0x0120, &control.to_le_bytes()));
        (self.read_u16(device, 0x0130), self.read_u16(device, 0x0134))
    }

    pub(super) fn sync_manager(&mut self, device: u16, index: u16, start: u16, length: u16, control: u8) {
        let (start, length) = (start.to_le_bytes(), length.to_le_bytes());
        let registers = [start[0], start[1], length[0], length[1], control, 0, u8::from(length != [0, 0]), 0];
        assert!(self.write(device, 0x0800 + 8 * index, &registers));
    }

    /// An FMMU over whole bytes.
    pub(super) fn fmmu(
        &mut self,
        device: u16,
        index: u16,
        logical: u32,
        length: u16,
        physical: u16,
        kind: u8,
    ) {
        let mut registers = [0; 16];
        registers[0..4].copy_from_slice(&logical.to_le_bytes());
        registers[4..6].copy_from_slice(&length.to_le_bytes());
        registers[7] = 7;
        registers[8..10].copy_from_slice(&physical.to_le_bytes());
        registers[11] = kind;
        registers[12] = 1;
        assert!(self.write(device, 0x0600 + 16 * index, &registers));
    }

    /// Mailboxes and PRE-OP.
    pub(super) fn pre_op(&mut self, device: u16) {
        self.sync_manager(device, 0, 0x1000, 128, 0x26);
        self.sync_manager(device, 1, 0x1080, 128, 0x22);
        assert_eq!(self.request(device, 0x02), (0x02, 0));
    }

    /// Process data sync managers and FMMUs for a drive as [`servo_device`] maps it.
    pub(super) fn map_drive(&mut self, device: u16) {
        let types = servo_device();
        for (assignment, map) in [(0x1C12, types.outputs), (0x1C13, types.inputs)] {
            self.download(device, assignment, 0, &[0]).unwrap();
            for (pdo, entries) in map.pdos() {
                self.download(device, pdo, 0, &[0]).unwrap();
                for (subindex, entry) in (1..).zip(entries) {
                    self.download(device, pdo, subindex, &entry.mapping_value().to_le_bytes()).unwrap();
                }
                self.download(device, pdo, 0, &[entries.len() as u8]).unwrap();
            }
            for (subindex, (pdo, _)) in (1..).zip(map.pdos()) {
                self.download(device, assignment, subindex, &pdo.to_le_bytes()).unwrap();
            }
            self.download(device, assignment, 0, &[map.pdos().count() as u8]).unwrap();
        }
        let (outputs, inputs) = (types.outputs.bytes() as u16, types.inputs.bytes() as u16);
        let offset = u32::from(device) * 0x100;
        self.sync_manager(device, 2, 0x1100, outputs, 0x64);
        self.sync_manager(device, 3, 0x1280, inputs, 0x20);
        self.fmmu(device, 0, LOGICAL_OUTPUTS + offset, outputs, 0x1100, 2);
        self.fmmu(device, 1, LOGICAL_INPUTS + offset, inputs, 0x1280, 1);
    }

    /// SYNC0 from `delay` on, every `cycle_ns`.
    pub(super) fn start_sync0(&mut self, device: u16, delay: u64, cycle_ns: u32) {
        let start = self.read_u64(device, 0x0910) + delay;
        assert!(self.write(device, 0x0990, &start.to_le_bytes()));
        assert!(self.write(device, 0x09A0, &cycle_ns.to_le_bytes()));
        assert!(self.write(device, 0x0981, &[0x03]));
    }

    /// A drive in OP with SYNC0 every millisecond, 0.5 ms after the frames of [`cycle`](Self::cycle).
    pub(super) fn drive_in_op(&mut self, device: u16) {
        self.pre_op(device);
        self.map_drive(device);
        self.now = Nanoseconds(self.now.0.next_multiple_of(1_000_000));
        self.start_sync0(device, 10_490_000, 1_000_000);
        assert_eq!(self.request(device, 0x04), (0x04, 0));
        self.request(device, 0x08);
        for _ in 0..15 {
            self.cycle(device, Outputs::default());
        }
        assert_eq!(self.read_u16(device, 0x0130), 0x08, "code {:#x}", self.read_u16(device, 0x0134));
    }

    /// The frame of the next millisecond for one drive.
    pub(super) fn cycle(&mut self, device: u16, outputs: Outputs) -> Inputs {
        self.now = Nanoseconds((self.now.0 + 1).next_multiple_of(1_000_000) - 10_000);
        let offset = u32::from(device) * 0x100;
        let data = outputs.bytes();
        let answer = self
            .exchange(&[
                Datagram::logical(c::LRW, LOGICAL_OUTPUTS + offset, &data),
                Datagram::logical(c::LRW, LOGICAL_INPUTS + offset, &[0; 16]),
            ])
            .unwrap();
        Inputs::of(&answer[1].data)
    }

    /// Cycles until `done`, at most `limit`; the inputs of the last one.
    pub(super) fn cycle_until(
        &mut self,
        device: u16,
        outputs: Outputs,
        limit: usize,
        done: impl Fn(Inputs) -> bool,
    ) -> Inputs {
        for _ in 0..limit {
            let inputs = self.cycle(device, outputs);
            if done(inputs) {
                return inputs;
            }
        }
        panic!("not within {limit} cycles: {:?}", self.segment.drive(usize::from(device)));
    }

    /// A drive that follows its setpoint at the actual position.
    pub(super) fn drive_enabled(&mut self, device: u16) -> Outputs {
        self.drive_in_op(device);
        let mut outputs = Outputs { mode: o::MODE_CSP, ..Outputs::default() };
        outputs.target = self.cycle(device, outputs).position;
        for controlword in [0x06, 0x07, 0x0F] {
            outputs.controlword = controlword;
            self.cycle(device, outputs);
            self.cycle(device, outputs);
        }
        self.cycle_until(device, outputs, 100, |inputs| inputs.statusword & o::STATUS_FOLLOWS_COMMAND != 0);
        outputs
    }

    /// One mailbox message and the answer to it.
    pub(super) fn mailbox(&mut self, device: u16, kind: u8, body: &[u8]) -> Vec<u8> {
        self.mailbox_counter = self.mailbox_counter % 7 + 1;
        let mut message = vec![0; 128];
        message[0..2].copy_from_slice(&(body.len() as u16).to_le_bytes());
        message[5] = kind | self.mailbox_counter << 4;
        message[6..6 + body.len()].copy_from_slice(body);
        assert!(self.write(device, 0x1000, &message), "mailbox full");
        self.receive_mailbox(device).expect("an answer")
    }

    /// The message waiting in the mailbox, with its header.
    pub(super) fn receive_mailbox(&mut self, device: u16) -> Option<Vec<u8>> {
        let mut message = self.read(device, 0x1080, 128)?;
        message.truncate(6 + usize::from(u16::from_le_bytes([message[0], message[1]])));
        Some(message)
    }

    /// An SDO request; what follows the CoE header of the answer.
    pub(super) fn sdo(&mut self, device: u16, request: &[u8]) -> Vec<u8> {
        let mut body = vec![0x00, 0x20];
        body.extend_from_slice(request);
        let answer = self.mailbox(device, 3, &body);
        let service = if answer[8] == 0x80 { 2 } else { 3 };
        assert_eq!(answer[7] >> 4, service, "SDO response, or an abort as a request: {answer:02x?}");
        answer[8..].to_vec()
    }

    /// An expedited download; the abort code if it is refused.
    pub(super) fn download(
        &mut self,
        device: u16,
        index: u16,
        subindex: u8,
        value: &[u8],
    ) -> Result<(), u32> {
        let mut request = vec![0x23 | ((4 - value.len()) as u8) << 2];
        request.extend_from_slice(&index.to_le_bytes());
        request.push(subindex);
        request.extend_from_slice(value);
        request.resize(8, 0);
        let answer = self.sdo(device, &request);
        if answer[0] == 0x80 { Err(u32::from_le_bytes(answer[4..8].try_into().unwrap())) } else { Ok(()) }
    }

    /// An upload that fits into one message; the abort code if it is refused.
    pub(super) fn upload(&mut self, device: u16, index: u16, subindex: u8) -> Result<Vec<u8>, u32> {
        let [low, high] = index.to_le_bytes();
        let answer = self.sdo(device, &[0x40, low, high, subindex, 0, 0, 0, 0]);
        match answer[0] {
            0x80 => Err(u32::from_le_bytes(answer[4..8].try_into().unwrap())),
            0x41 => Ok(answer[8..].to_vec()),
            expedited => Ok(answer[4..8 - usize::from(expedited >> 2 & 3)].to_vec()),
        }
    }
}

/// Outputs of a drive as [`servo_device`] maps them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outputs {
    pub(super) controlword: u16,
    pub(super) target: i32,
    pub(super) velocity_offset: i32,
    pub(super) mode: i8,
}

impl Outputs {
    pub(super) fn bytes(self) -> Vec<u8> {
        let mut bytes = self.controlword.to_le_bytes().to_vec();
        bytes.extend_from_slice(&self.target.to_le_bytes());
        bytes.extend_from_slice(&self.velocity_offset.to_le_bytes());
        bytes.extend_from_slice(&self.mode.to_le_bytes());
        bytes.push(0);
        bytes
    }
}

/// Inputs of a drive as [`servo_device`] maps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inputs {
    pub(super) statusword: u16,
    pub(super) position: i32,
    pub(super) velocity: i32,
    pub(super) torque: i16,
    pub(super) error_code: u16,
    pub(super) mode_display: i8,
}

impl Inputs {
    fn of(data: &[u8]) -> Self {
        let two = |at: usize| u16::from_le_bytes([data[at], data[at + 1]]);
        let four = |at: usize| i32::from_le_bytes(data[at..at + 4].try_into().unwrap());
        Self {
            statusword: two(0),
            position: four(2),
            velocity: four(6),
            torque: two(10) as i16,
            error_code: two(12),
            mode_display: data[14] as i8,
        }
    }

    /// State of the drive by the bits of the statusword (IEC 61800-7-201, statusword).
    pub(super) fn state(self) -> &'static str {
        match self.statusword & 0x6F {
            word if word & 0x4F == 0x00 => "not ready",
            word if word & 0x4F == 0x40 => "switch on disabled",
            0x21 => "ready to switch on",
            0x23 => "switched on",
            0x27 => "operation enabled",
            0x07 => "quick stop active",
            word if word & 0x4F == 0x0F => "fault reaction active",
            word if word & 0x4F == 0x08 => "fault",
            _ => "nonsense",
        }
    }
}
