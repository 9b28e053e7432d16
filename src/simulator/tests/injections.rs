//! Faults of frames, cables and devices that tests can switch on.

use super::support::{
    Datagram, LOGICAL_INPUTS, Outputs, STATION, Wire, command as c, digital_terminal, frame, servo,
};
use crate::simulator::{AlState, Channel, Injection, InjectionError};
use crate::units::Nanoseconds;

fn wire() -> Wire {
    Wire::new(vec![servo(), digital_terminal()])
}

#[test]
fn dropped_frames_are_processed_or_not() {
    let mut wire = wire();
    for (processed, value) in [(false, 1000), (true, 7)] {
        wire.segment.inject(Injection::DropFrames { count: 2, processed }).unwrap();
        for _ in 0..2 {
            assert_eq!(wire.exchange(&[Datagram::new(c::FPWR, STATION, 0x0420, &[7, 0])]), None);
        }
        assert_eq!(wire.read_u16(0, 0x0420), value);
    }
    assert_eq!(wire.segment.statistics().lost, 4);
}

#[test]
fn duplicate_and_late_frames_come_back_by_themselves() {
    let mut wire = wire();
    let mut buffer = [0; 1518];
    let sent = [Datagram::new(c::BRD, 0, 0, &[0; 4])];
    wire.segment.inject(Injection::DuplicateFrames { count: 1 }).unwrap();
    assert!(wire.exchange(&sent).is_some());
    assert_eq!(wire.segment.next_returned_frame(wire.now, &mut buffer), Some(frame(&sent).len()));
    assert_eq!(buffer[6], 0x12);
    assert_eq!(wire.segment.next_returned_frame(wire.now, &mut buffer), None);

    wire.segment.inject(Injection::DelayFrames { count: 1, delay: Nanoseconds(900_000) }).unwrap();
    assert_eq!(wire.exchange(&sent), None);
    let before = Nanoseconds(wire.now.0 + 899_999);
    assert_eq!(wire.segment.next_returned_frame(before, &mut buffer), None);
    let due = Nanoseconds(wire.now.0 + 900_000);
    assert!(wire.segment.next_returned_frame(due, &mut buffer).is_some());
}

#[test]
fn a_corrupted_frame_differs_in_one_byte() {
    let mut wire = wire();
    let sent = [Datagram::new(c::BRD, 0, 0x0020, &[0; 4])];
    let good = wire.exchange(&sent).unwrap();
    wire.segment.inject(Injection::CorruptFrames { count: 1, offset: 26, mask: 0x81 }).unwrap();
    let bad = wire.exchange(&sent).unwrap();
    assert_eq!(bad[0].data[0], good[0].data[0] ^ 0x81);
    assert_eq!(bad[0].data[1..], good[0].data[1..]);
    assert_eq!(wire.exchange(&sent).unwrap(), good);
}

#[test]
fn the_working_counter_of_logical_datagrams_can_be_wrong() {
    let mut wire = wire();
    wire.drive_in_op(0);
    for offset in [-1, 2] {
        wire.segment.inject(Injection::WorkingCounterOffset { count: 1, offset }).unwrap();
        let answers = wire
            .exchange(&[
                Datagram::logical(c::LRD, LOGICAL_INPUTS, &[0; 16]),
                Datagram::new(c::BRD, 0, 0, &[0]),
            ])
            .unwrap();
        assert_eq!(answers[0].working_counter, 1_u16.wrapping_add_signed(offset));
        assert_eq!(answers[1].working_counter, 2);
    }
    wire.cycle(0, Outputs::default());
    assert_eq!(wire.send_logical(c::LRD, LOGICAL_INPUTS, &[0; 16]).working_counter, 1);
}

#[test]
fn a_cut_cable_hides_the_tail_and_keeps_its_state() {
    let mut wire = Wire::new(vec![servo(), servo(), servo()]);
    wire.pre_op(2);
    wire.segment.inject(Injection::Detach { position: 1 }).unwrap();
    assert_eq!(wire.send(c::BRD, 0, 0, &[0]).working_counter, 1);
    wire.segment.inject(Injection::Attach).unwrap();
    assert_eq!(wire.send(c::BRD, 0, 0, &[0]).working_counter, 3);
    assert_eq!(wire.read_u16(2, 0x0130), 0x02);
    wire.segment.inject(Injection::Detach { position: 0 }).unwrap();
    assert_eq!(wire.exchange(&[Datagram::new(c::BRD, 0, 0, &[0])]), None);
}

#[test]
fn a_device_without_supply_cuts_the_line_and_comes_back_in_init() {
    let mut wire = Wire::new(vec![servo(), servo(), servo()]);
    wire.pre_op(1);
    wire.segment.inject(Injection::PowerCycle { device: 1, off_for: Nanoseconds(3_000_000) }).unwrap();
    assert_eq!(wire.send(c::BRD, 0, 0, &[0]).working_counter, 1);
    wire.wait(Nanoseconds(3_000_000));
    assert_eq!(wire.send(c::BRD, 0, 0, &[0]).working_counter, 3);
    assert_eq!(wire.read(1, 0x0130, 2), None, "its station address is gone");
    assert_eq!(wire.send(c::APRD, 0xFFFF, 0x0130, &[0; 2]).data, [1, 0]);
    assert_eq!(wire.read_u16(2, 0x0130), 1, "the one behind it stayed on");
}

#[test]
fn a_device_falls_with_the_code_it_is_told() {
    let mut wire = wire();
    wire.drive_in_op(0);
    let fall = |state, code| Injection::AlError { device: 0, state, code };
    wire.segment.inject(fall(AlState::SafeOp, 0x0032)).unwrap();
    assert_eq!((wire.read_u16(0, 0x0130), wire.read_u16(0, 0x0134)), (0x14, 0x0032));
    wire.segment.inject(fall(AlState::Init, 0x0051)).unwrap();
    assert_eq!((wire.read_u16(0, 0x0130), wire.read_u16(0, 0x0134)), (0x11, 0x0051));
}

#[test]
fn what_does_not_exist_cannot_fail() {
    let mut wire = wire();
    let fault = |device: usize| Injection::DriveFault { drive: device.into(), code: 1, lasts: false };
    assert_eq!(wire.segment.inject(fault(9)), Err(InjectionError::NoSuchDevice { device: 9 }));
    assert_eq!(wire.segment.inject(fault(1)), Err(InjectionError::WrongKind { device: 1 }));
    let channel = Channel { device: 1, channel: 8 };
    assert_eq!(
        wire.segment.inject(Injection::DigitalInput { channel, level: true }),
        Err(InjectionError::NoSuchChannel { channel })
    );
    assert_eq!(
        wire.segment.inject(Injection::StopInput { closed: false }),
        Err(InjectionError::NoSuchEquipment)
    );
    assert_eq!(wire.segment.inject(Injection::PowerSource(None)), Err(InjectionError::NoSuchEquipment));
}

#[test]
fn random_bytes_never_stop_the_segment() {
    let mut wire = Wire::new(vec![servo(), digital_terminal(), servo()]);
    wire.drive_in_op(0);
    let mut random = super::super::random::Random::new(1, 2);
    for round in 0..20_000_u64 {
        let length = (random.next() % 200) as usize;
        let mut bytes: Vec<u8> = std::iter::repeat_with(|| random.next() as u8).take(length + 16).collect();
        bytes[12] = 0x88;
        bytes[13] = 0xA4;
        // Mostly plausible: type 1, length of the frame, a known command, a known address.
        bytes[14] = length as u8;
        bytes[15] = 0x10;
        if length > 12 {
            bytes[16] %= 16;
            bytes[18] = (random.next() % 4) as u8;
            bytes[19] = if bytes[19] & 1 == 0 { 0x10 } else { 0 };
            bytes[21] &= 0x1F;
            bytes[22] = (length - 12) as u8;
            bytes[23] = 0;
        }
        wire.segment.process_frame(&mut bytes, Nanoseconds(wire.now.0 + round * 5_000));
    }
    assert!(wire.segment.statistics().datagrams > 10_000);
}
