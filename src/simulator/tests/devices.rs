//! Device kinds beside the servo drive of one axis, and how they are connected.

use crate::devices::{Connection, Device, DeviceKind, DrivePlace, Identity, PdoEntry, PdoMap};
use crate::simulator::{
    DescriptionError, DriveParameters, Injection, Segment, SegmentDescription, SimulatedDevice,
};
use crate::units::Nanoseconds;

use super::support::{Wire, digital_terminal, servo};

fn device(kind: DeviceKind, outputs: PdoMap, inputs: PdoMap) -> Device {
    Device {
        kind,
        identity: Identity { vendor: 0xE7A, product: 0x100, revision: 1, serial: 0 },
        outputs,
        inputs,
        distributed_clock: false,
        connection: Connection::Cable,
    }
}

fn map(pdo: u16, entries: &[(u16, u8, u8)]) -> PdoMap {
    PdoMap::EMPTY.with(pdo, &entries_of(entries)).unwrap()
}

fn entries_of(entries: &[(u16, u8, u8)]) -> Vec<PdoEntry> {
    entries.iter().map(|&(index, subindex, bits)| PdoEntry { index, subindex, bits }).collect()
}

fn dual_drive() -> SimulatedDevice {
    let outputs = [(0x6040, 0, 16), (0x607A, 0, 32), (0x60B1, 0, 32)];
    let inputs = [(0x6041, 0, 16), (0x6064, 0, 32), (0x606C, 0, 32)];
    let second = |entries: [(u16, u8, u8); 3]| {
        entries_of(&entries.map(|(index, sub, bits)| (index + 0x800, sub, bits)))
    };
    let device = device(
        DeviceKind::DualServoDrive,
        map(0x1600, &outputs).with(0x1610, &second(outputs)).unwrap(),
        map(0x1A00, &inputs).with(0x1A10, &second(inputs)).unwrap(),
    );
    SimulatedDevice::dual_servo_drive("dual", device, [DriveParameters::default(); 2])
}

fn encoder() -> SimulatedDevice {
    let outputs = [(0x7000, 1, 1), (0x7000, 2, 1), (0, 0, 6), (0x7000, 17, 32)];
    let inputs = [(0x6000, 1, 1), (0x6000, 2, 1), (0, 0, 6), (0x6000, 17, 32), (0x6000, 18, 32)];
    let device = device(DeviceKind::Encoder, map(0x1600, &outputs), map(0x1A00, &inputs));
    SimulatedDevice::without_motor("encoder", device).unwrap()
}

fn force_sensor() -> SimulatedDevice {
    let mut inputs: Vec<(u16, u8, u8)> = (1..=6).map(|subindex| (0x6000, subindex, 32)).collect();
    inputs.extend([(0x6010, 1, 1), (0x6010, 2, 1), (0, 0, 6), (0x6020, 0, 16)]);
    let outputs = [(0x7000, 1, 1), (0, 0, 7)];
    let device = device(DeviceKind::ForceTorqueSensor, map(0x1600, &outputs), map(0x1A00, &inputs));
    SimulatedDevice::without_motor("sensor", device).unwrap()
}

fn coupler_with_clock() -> SimulatedDevice {
    let mut device = device(DeviceKind::Coupler, PdoMap::EMPTY, PdoMap::EMPTY);
    device.distributed_clock = true;
    SimulatedDevice::without_motor("coupler", device).unwrap()
}

fn on_backplane() -> SimulatedDevice {
    let mut terminal = digital_terminal();
    terminal.device.connection = Connection::EBus;
    terminal
}

#[test]
fn a_coupler_has_its_terminals_at_port_1_and_the_next_cable_at_port_2() {
    let devices = vec![servo(), coupler_with_clock(), on_backplane(), on_backplane(), servo(), servo()];
    let mut wire = Wire::new(devices);
    let links: Vec<u16> = (0..6).map(|device| wire.read_u16(device, 0x0110)).collect();
    assert_eq!(links, [0x5A33, 0x6A73, 0x5A33, 0x5613, 0x5A33, 0x5613], "{links:04X?}");
    let ports: Vec<u8> = (0..4).map(|device| wire.read(device, 0x0007, 1).unwrap()[0]).collect();
    assert_eq!(ports, [0x0F, 0x3B, 0x0A, 0x0A]);
    assert!(wire.write(1, 0x0900, &[0; 4]));
    let time = |wire: &mut Wire, port: u16| wire.read_u32(1, 0x0900 + 4 * port);
    let first = time(&mut wire, 0);
    // Hops of 600 ns: two terminals there and back, then two drives more.
    assert_eq!(time(&mut wire, 1).wrapping_sub(first), 2 * 2 * 600);
    assert_eq!(time(&mut wire, 2).wrapping_sub(first), 2 * 4 * 600);
    assert_eq!(time(&mut wire, 3), 0, "nothing there");
}

#[test]
fn a_frame_reaches_what_is_behind_a_branch_after_it_has_come_back_from_it() {
    let mut wire = Wire::new(vec![servo(), coupler_with_clock(), on_backplane(), on_backplane(), servo()]);
    // All in one frame, as the broadcast that latches receive times is.
    wire.send(super::support::command::BWR, 0, 0x0900, &[0; 4]);
    let receive = |wire: &mut Wire, device| wire.read_u64(device, 0x0918);
    let [first, coupler, last] = [0, 1, 4].map(|device| receive(&mut wire, device));
    let local = |segment: &Segment, device: usize| segment.device(device).unwrap().system_time_ns;
    let offset = |device: usize| local(&wire.segment, device).wrapping_sub(local(&wire.segment, 0));
    assert_eq!(coupler.wrapping_sub(offset(1)).wrapping_sub(first), 600);
    // One hop to the coupler, two terminals there and back, one hop more.
    assert_eq!(last.wrapping_sub(offset(4)).wrapping_sub(first), 600 + 4 * 600 + 600);
}

#[test]
fn a_terminal_of_a_backplane_needs_one() {
    let error = |devices| Segment::new(SegmentDescription::new(devices)).map(|_| ()).unwrap_err();
    assert_eq!(error(vec![servo(), on_backplane()]), DescriptionError::NoBackplane { device: 1 });
    assert_eq!(error(vec![on_backplane()]), DescriptionError::NoBackplane { device: 0 });
    assert!(Segment::new(SegmentDescription::new(vec![coupler_with_clock(), on_backplane()])).is_ok());
}

#[test]
fn a_loop_the_controller_closes_ends_the_line_there() {
    let mut wire = Wire::new(vec![servo(), servo(), servo()]);
    // 0x0101, two bits a port: port 1 of the second closed; 7: ports 2 and 3 as they were.
    assert!(wire.write(1, 0x0101, &[0x0C]));
    assert_eq!(wire.read(2, 0x0130, 2), None);
    assert_eq!(wire.read_u16(1, 0x0110), 0x5633, "the link is there, the loop is closed");
    assert!(wire.write(1, 0x0101, &[0x00]));
    assert!(wire.read(2, 0x0130, 2).is_some());
    assert_eq!(wire.read_u16(1, 0x0110), 0x5A33);
}

#[test]
fn the_identification_is_shown_in_place_of_the_code_while_it_is_asked_for() {
    let mut drive = servo();
    drive.alias = 0x0123;
    let mut wire = Wire::new(vec![drive]);
    assert_eq!(wire.request(0, 0x21), (0x21, 0x0123));
    assert_eq!(wire.request(0, 0x01), (0x01, 0));
    // An error counts more: its code is shown.
    let refused = wire.request(0, 0x24);
    assert_eq!(refused, (0x11, 0x0011));
}

#[test]
fn a_drive_of_two_axes_has_the_objects_of_each_and_its_own_mapping() {
    let mut wire = Wire::new(vec![dual_drive()]);
    wire.pre_op(0);
    let number = |wire: &mut Wire, index, subindex| {
        let bytes = wire.upload(0, index, subindex).unwrap();
        bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    assert_eq!(number(&mut wire, 0x1000, 0), 0xFFFF_0192, "several logical devices");
    assert_eq!((number(&mut wire, 0x67FF, 0), number(&mut wire, 0x6FFF, 0)), (0x0002_0192, 0x0002_0192));
    assert_eq!(number(&mut wire, 0x1C12, 0), 2);
    assert_eq!((number(&mut wire, 0x1C12, 1), number(&mut wire, 0x1C12, 2)), (0x1600, 0x1610));
    assert_eq!(number(&mut wire, 0x1A10, 1), 0x6841_0010);
    // Settings and faults belong to one axis.
    wire.download(0, 0x6866, 0, &7_u16.to_le_bytes()).unwrap();
    assert_eq!((number(&mut wire, 0x6066, 0), number(&mut wire, 0x6866, 0)), (20, 7));
    let second = DrivePlace { subdevice: 0, axis: 1 };
    wire.segment.inject(Injection::DriveFault { drive: second, code: 0x7305, lasts: false }).unwrap();
    assert_eq!((number(&mut wire, 0x603F, 0), number(&mut wire, 0x683F, 0)), (0, 0x7305));
    assert_eq!(number(&mut wire, 0x1001, 0), 1, "the error register is that of the SubDevice");
    let third = DrivePlace { subdevice: 0, axis: 2 };
    assert!(wire.segment.inject(Injection::PlantStall { drive: third, stalled: true }).is_err());
}

/// Behind a drive and in OP, with process data sync managers of these lengths.
fn in_op(device: SimulatedDevice, outputs: u16, inputs: u16) -> Wire {
    let mut wire = Wire::new(vec![servo(), device]);
    wire.pre_op(1);
    wire.sync_manager(1, 2, 0x1100, outputs, 0x64);
    wire.sync_manager(1, 3, 0x1280, inputs, 0x20);
    assert_eq!(wire.request(1, 0x04), (0x04, 0));
    wire.request(1, 0x08);
    wire
}

#[test]
fn an_encoder_input_counts_is_set_and_latches_at_its_index() {
    let mut wire = in_op(encoder(), 5, 9);
    let exchange = |wire: &mut Wire, bits: u8, value: i32| {
        let mut outputs = vec![bits];
        outputs.extend(value.to_le_bytes());
        assert!(wire.write(1, 0x1100, &outputs));
        wire.wait(Nanoseconds(1_000_000));
        let inputs = wire.read(1, 0x1280, 9).unwrap();
        let number = |at: usize| i32::from_le_bytes(inputs[at..at + 4].try_into().unwrap());
        (inputs[0], number(1), number(5))
    };
    assert_eq!(exchange(&mut wire, 0, 0), (0, 0, 0));
    wire.segment.inject(Injection::EncoderSpeed { device: 1, counts_s: 1_000_000.0 }).unwrap();
    let (_, counter, _) = exchange(&mut wire, 0, 0);
    // Two frames of 10 µs on the way.
    assert!((1_000..=1_030).contains(&counter), "{counter} counts in a millisecond");
    // Set once, with the edge; it counts on from there.
    let (status, counter, _) = exchange(&mut wire, 2, -5_000);
    assert_eq!(status, 2);
    assert!((-4_000..=-3_970).contains(&counter), "{counter}");
    let before = exchange(&mut wire, 2, -5_000).1;
    assert!(before > counter + 900, "held high it does not set again: {before}");
    // Index pulses each 4096 counts of the shaft: one is passed within five milliseconds.
    let latched = (0..5).map(|_| exchange(&mut wire, 1, 0)).find(|(status, ..)| status & 1 == 1);
    let (_, counter, latch) = latched.expect("an index pulse has been passed");
    assert!(latch <= counter && counter - latch <= 1_030, "{latch} before {counter}");
    let again = exchange(&mut wire, 1, 0).2;
    assert_eq!(again, latch, "the first one stays");
    assert_eq!(exchange(&mut wire, 0, 0).0 & 1, 0);
}

#[test]
fn a_force_sensor_shows_what_acts_on_it_and_is_tared() {
    let mut wire = in_op(force_sensor(), 1, 27);
    let exchange = |wire: &mut Wire, tare: u8| {
        assert!(wire.write(1, 0x1100, &[tare]));
        wire.wait(Nanoseconds(1_000_000));
        let inputs = wire.read(1, 0x1280, 27).unwrap();
        let force = |at: usize| f64::from(i32::from_le_bytes(inputs[4 * at..4 * at + 4].try_into().unwrap()));
        let scale = |at: usize| if at < 3 { 100_000.0 } else { 1_000_000.0 };
        let wrench: [f64; 6] = std::array::from_fn(|at| force(at) / scale(at));
        (wrench, inputs[24], u16::from_le_bytes([inputs[25], inputs[26]]))
    };
    let acting = [10.0, -20.0, 300.0, 1.0, -2.0, 3.0];
    wire.segment.inject(Injection::Wrench { device: 1, wrench: acting }).unwrap();
    let (seen, status, first) = exchange(&mut wire, 0);
    assert_eq!(status, 0);
    for (seen, acting) in seen.iter().zip(acting) {
        assert!((seen - acting).abs() <= 0.05, "{seen} for {acting}");
    }
    let (seen, status, second) = exchange(&mut wire, 1);
    assert_eq!(status, 2, "tared");
    assert!((2..=3).contains(&second.wrapping_sub(first)), "two samples a millisecond");
    assert!(seen.iter().all(|seen| seen.abs() <= 0.1), "{seen:?}");
    let beyond = [1_500.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    wire.segment.inject(Injection::Wrench { device: 1, wrench: beyond }).unwrap();
    let (seen, status, _) = exchange(&mut wire, 1);
    assert_eq!(status, 3, "overload");
    assert!(seen[0] <= 1_000.0 - 9.9, "cut to what it can measure: {}", seen[0]);
    assert_eq!(wire.upload(1, 0x8000, 1), Ok(100_000_u32.to_le_bytes().to_vec()));
}
