//! Faults of frames, mailboxes and SubDevices, each seen from the wire.

use super::support::{
    Datagram, LOGICAL_INPUTS, Outputs, STATION, Wire, command as c, digital_terminal, frame, servo,
};
use crate::simulator::{
    AlState, AlStatus, Flapping, FrameFault, Injection, MailboxFault, SiiNumber, SubDeviceFault,
};
use crate::units::Nanoseconds;

const MILLISECOND: Nanoseconds = Nanoseconds(1_000_000);

fn wire() -> Wire {
    let mut wire = Wire::new(vec![servo(), servo()]);
    wire.pre_op(0);
    wire
}

fn frames(wire: &mut Wire, fault: FrameFault) {
    wire.segment.inject(Injection::Frames(fault)).unwrap();
}

fn mailbox(wire: &mut Wire, fault: MailboxFault) {
    wire.segment.inject(Injection::Mailbox { device: 0, fault }).unwrap();
}

fn device(wire: &mut Wire, fault: SubDeviceFault) {
    wire.segment.inject(Injection::SubDevice { device: 0, fault }).unwrap();
}

/// What comes back by itself, with the first index of each frame.
fn returned(wire: &mut Wire) -> Vec<(u8, usize)> {
    let mut buffer = [0; 1518];
    let mut found = Vec::new();
    while let Some(length) = wire.segment.next_returned_frame(wire.now, &mut buffer) {
        found.push((buffer[17], length));
    }
    found
}

fn probe() -> [Datagram; 1] {
    [Datagram::new(c::BRD, 0, 0x0130, &[0; 2])]
}

/// A normal upload of the device type whose answer is not waited for.
fn ask(wire: &mut Wire, counter: u8, index: u16) {
    let mut message = vec![0; 128];
    message[0] = 10;
    message[5] = 3 | counter << 4;
    message[7] = 0x20;
    message[8] = 0x40;
    message[9..11].copy_from_slice(&index.to_le_bytes());
    assert!(wire.write(0, 0x1000, &message));
}

#[test]
fn frames_are_lost_by_chance_as_often_as_the_seed_says() {
    let lost = |seed| {
        let mut description = super::super::SegmentDescription::new(vec![servo()]);
        description.seed = seed;
        let mut wire = Wire::of(description);
        frames(&mut wire, FrameFault::DropRandom { count: 1000, per_mille: 100 });
        (0..1000).filter(|_| wire.exchange(&probe()).is_none()).collect::<Vec<_>>()
    };
    assert_eq!(lost(1), lost(1));
    assert_ne!(lost(1), lost(2));
    assert!((70..130).contains(&lost(1).len()), "{}", lost(1).len());
}

#[test]
fn frames_are_cut_swapped_accompanied_and_emptied() {
    let mut wire = wire();
    let whole = frame(&probe()).len();
    frames(&mut wire, FrameFault::Truncate { count: 1, bytes: 20 });
    assert!(wire.exchange(&probe()).is_none());
    assert_eq!(returned(&mut wire), [(0, 20)]);

    frames(&mut wire, FrameFault::Swap { count: 1 });
    assert!(wire.exchange(&probe()).is_none());
    assert_eq!(returned(&mut wire), []);
    let longer = [Datagram::new(c::BRD, 0, 0x0130, &[0; 6])];
    assert!(wire.exchange(&longer).is_none());
    assert_eq!(returned(&mut wire), [(0, whole + 4), (0, whole)], "the later one first");

    frames(&mut wire, FrameFault::Foreign { count: 1 });
    assert!(wire.exchange(&probe()).is_none());
    assert_eq!(returned(&mut wire), [(0xF7, whole), (0, whole)]);

    frames(&mut wire, FrameFault::Nop { count: 1 });
    assert_eq!(wire.exchange(&probe()).unwrap()[0].command, 0);
    assert_eq!(wire.exchange(&probe()).unwrap()[0].command, c::BRD);
}

#[test]
fn a_stalled_host_sees_its_frames_late_and_at_once() {
    let mut wire = wire();
    frames(&mut wire, FrameFault::Stall { lasts: Nanoseconds(50_000_000) });
    for _ in 0..3 {
        assert!(wire.exchange(&probe()).is_none());
    }
    assert_eq!(returned(&mut wire), []);
    wire.wait(Nanoseconds(50_000_000));
    assert_eq!(returned(&mut wire).len(), 3);
    assert!(wire.exchange(&probe()).is_some());
}

#[test]
fn a_link_that_is_down_lets_nothing_through_and_a_full_queue_refuses() {
    let mut wire = wire();
    frames(&mut wire, FrameFault::LinkDown { lasts: Nanoseconds(100_000_000) });
    assert!(wire.exchange(&[Datagram::new(c::FPWR, STATION, 0x0420, &[7, 0])]).is_none());
    wire.wait(Nanoseconds(100_000_000));
    assert_eq!(wire.read_u16(0, 0x0420), 1000, "never arrived");
    frames(&mut wire, FrameFault::RefuseSending { count: 1 });
    assert_eq!([wire.segment.refuses_frame(), wire.segment.refuses_frame()], [true, false]);
}

#[test]
fn a_bad_contact_comes_and_goes_and_is_counted() {
    let mut wire = wire();
    let flapping = Flapping { position: 1, period: Nanoseconds(10_000_000), count: 2 };
    wire.segment.inject(Injection::Flapping(flapping)).unwrap();
    let mut reached = Vec::new();
    for _ in 0..6 {
        wire.wait(MILLISECOND);
        reached.push(wire.send(c::BRD, 0, 0, &[0]).working_counter);
        wire.wait(Nanoseconds(9_000_000));
    }
    assert_eq!(reached, [1, 2, 1, 2, 2, 2]);
    assert_eq!(wire.read(0, 0x0311, 1), Some(vec![2]), "links lost at port 1");
}

#[test]
fn an_answer_is_missing_late_or_replaced() {
    let mut wire = wire();
    mailbox(&mut wire, MailboxFault::Mute { count: 1 });
    ask(&mut wire, 1, 0x1000);
    assert_eq!(wire.receive_mailbox(0), None);
    mailbox(&mut wire, MailboxFault::Late { count: 1, delay: MILLISECOND });
    ask(&mut wire, 2, 0x1000);
    assert_eq!(wire.receive_mailbox(0), None);
    wire.wait(MILLISECOND);
    assert_eq!(wire.receive_mailbox(0).unwrap()[9..11], [0x00, 0x10]);
    mailbox(&mut wire, MailboxFault::EmergencyInstead { count: 1, code: 0x2320 });
    ask(&mut wire, 3, 0x1000);
    let emergency = wire.receive_mailbox(0).unwrap();
    assert_eq!((emergency[7] >> 4, &emergency[8..10]), (1, &[0x20, 0x23][..]));
    assert_eq!(wire.receive_mailbox(0), None);
}

#[test]
fn an_answer_has_a_wrong_counter_index_or_toggle() {
    let mut wire = wire();
    let counter = |wire: &mut Wire, number| {
        ask(wire, number, 0x1000);
        wire.receive_mailbox(0).unwrap()[5] >> 4 & 7
    };
    let first = counter(&mut wire, 1);
    mailbox(&mut wire, MailboxFault::WrongCounter { count: 1 });
    assert_ne!(counter(&mut wire, 2), first % 7 + 1);
    mailbox(&mut wire, MailboxFault::WrongIndex { count: 1 });
    ask(&mut wire, 3, 0x1000);
    assert_eq!(wire.receive_mailbox(0).unwrap()[9..11], [0x01, 0x10]);
    // A value that takes segments.
    let value = [7; 300];
    let mut request = vec![0x21, 0x00, 0x21, 0];
    request.extend_from_slice(&300_u32.to_le_bytes());
    request.extend_from_slice(&value[..100]);
    wire.sdo(0, &request);
    for (toggle, part) in [(0x00, 100..200), (0x11, 200..300)] {
        let mut segment = vec![toggle];
        segment.extend_from_slice(&value[part]);
        wire.sdo(0, &segment);
    }
    wire.sdo(0, &[0x40, 0x00, 0x21, 0, 0, 0, 0, 0]);
    mailbox(&mut wire, MailboxFault::WrongToggle { count: 1 });
    assert_eq!(wire.sdo(0, &[0x60, 0, 0, 0, 0, 0, 0, 0])[0] & 0x10, 0x10);
}

#[test]
fn a_request_is_aborted_or_stays_in_the_mailbox() {
    let mut wire = wire();
    mailbox(&mut wire, MailboxFault::Abort { index: Some(0x60C2), code: 0x0800_0021 });
    assert_eq!(wire.download(0, 0x60C2, 1, &[2]), Err(0x0800_0021));
    assert_eq!(wire.download(0, 0x605A, 0, &[2, 0]), Ok(()));
    mailbox(&mut wire, MailboxFault::Abort { index: None, code: 0x0800_0020 });
    assert_eq!(wire.download(0, 0x605A, 0, &[2, 0]), Err(0x0800_0020));
    mailbox(&mut wire, MailboxFault::Abort { index: None, code: 0 });
    mailbox(&mut wire, MailboxFault::Stuck { stuck: true });
    ask(&mut wire, 1, 0x1000);
    assert_eq!(wire.receive_mailbox(0), None);
    assert!(!wire.write(0, 0x1000, &[0; 128]), "full");
    mailbox(&mut wire, MailboxFault::Stuck { stuck: false });
    assert!(wire.receive_mailbox(0).is_some());
}

#[test]
fn complete_access_without_padding_is_one_byte_shorter() {
    let mut wire = wire();
    let length = |wire: &mut Wire| wire.sdo(0, &[0x50, 0x18, 0x10, 0, 0, 0, 0, 0])[4];
    assert_eq!(length(&mut wire), 18);
    mailbox(&mut wire, MailboxFault::Unpadded { unpadded: true });
    assert_eq!(length(&mut wire), 17);
}

#[test]
fn emergencies_come_by_themselves_at_their_rate() {
    let mut wire = wire();
    mailbox(&mut wire, MailboxFault::EmergencyFlood { period: MILLISECOND, code: 0x8611 });
    let mut count = 0;
    for _ in 0..20 {
        wire.wait(MILLISECOND);
        while let Some(message) = wire.receive_mailbox(0) {
            assert_eq!(message[8..10], [0x11, 0x86]);
            count += 1;
        }
    }
    assert!((19..=21).contains(&count), "{count}");
    mailbox(&mut wire, MailboxFault::EmergencyFlood { period: Nanoseconds(0), code: 0 });
    wire.wait(Nanoseconds(10_000_000));
    while wire.receive_mailbox(0).is_some() {}
    wire.wait(Nanoseconds(10_000_000));
    assert_eq!(wire.receive_mailbox(0), None);
}

#[test]
fn one_device_falsifies_the_working_counter() {
    let mut wire = wire();
    wire.drive_in_op(0);
    let read = |wire: &mut Wire| wire.send_logical(c::LRD, LOGICAL_INPUTS, &[0; 4]).working_counter;
    assert_eq!(read(&mut wire), 1);
    device(&mut wire, SubDeviceFault::WorkingCounter { count: 2, offset: -1 });
    assert_eq!([read(&mut wire), read(&mut wire), read(&mut wire)], [0, 0, 1]);
}

#[test]
fn the_shown_status_differs_from_the_state_while_data_flows() {
    let mut wire = wire();
    wire.drive_in_op(0);
    let shown = AlStatus { state: AlState::SafeOp, error: true, code: 0x001B };
    device(&mut wire, SubDeviceFault::ShownStatus(Some(shown)));
    assert_eq!((wire.read_u16(0, 0x0130), wire.read_u16(0, 0x0134)), (0x14, 0x001B));
    assert_eq!(wire.send_logical(c::LRD, LOGICAL_INPUTS, &[0; 4]).working_counter, 1);
    device(&mut wire, SubDeviceFault::ShownStatus(None));
    assert_eq!(wire.read_u16(0, 0x0130), 0x08);
}

#[test]
fn a_slow_device_takes_its_time() {
    let mut wire = Wire::new(vec![servo()]);
    device(&mut wire, SubDeviceFault::SlowTransitions { delay: Nanoseconds(300_000_000) });
    wire.sync_manager(0, 0, 0x1000, 128, 0x26);
    wire.sync_manager(0, 1, 0x1080, 128, 0x22);
    assert_eq!(wire.request(0, 0x02), (0x01, 0));
    wire.wait(Nanoseconds(299_000_000));
    assert_eq!(wire.read_u16(0, 0x0130), 0x01);
    wire.wait(MILLISECOND);
    assert_eq!(wire.read_u16(0, 0x0130), 0x02);
}

#[test]
fn identity_order_and_number_of_devices_can_be_wrong() {
    let mut wire = Wire::new(vec![servo(), digital_terminal()]);
    let product = |wire: &mut Wire, position: u16| {
        let read = |wire: &mut Wire, command, data: &[u8]| {
            wire.send(command, 0_u16.wrapping_sub(position), 0x0502, data)
        };
        read(wire, c::APWR, &[0, 1, 0x0A, 0, 0, 0]);
        read(wire, c::APRD, &[0; 10]);
        u16::from_le_bytes(read(wire, c::APRD, &[0; 10]).data[6..8].try_into().unwrap())
    };
    assert_eq!([product(&mut wire, 0), product(&mut wire, 1)], [0x402, 0x808]);
    device(&mut wire, SubDeviceFault::ChangePlaces { with: 1 });
    assert_eq!([product(&mut wire, 0), product(&mut wire, 1)], [0x808, 0x402]);
    device(&mut wire, SubDeviceFault::Identity { number: SiiNumber::Product, value: 0x999 });
    assert_eq!(product(&mut wire, 0), 0x999);
    let count = |wire: &mut Wire| wire.send(c::BRD, 0, 0, &[0]).working_counter;
    device(&mut wire, SubDeviceFault::Doubled);
    assert_eq!(count(&mut wire), 3);
    assert_eq!(product(&mut wire, 2), 0x808, "another one of the type");
    device(&mut wire, SubDeviceFault::Bridged { bridged: true });
    assert_eq!(count(&mut wire), 2);
    assert_eq!(product(&mut wire, 0), 0x402);
}

#[test]
fn a_processor_that_hangs_is_noticed_by_its_watchdog_and_answers_nothing() {
    let mut wire = wire();
    device(&mut wire, SubDeviceFault::Hang { lasts: Nanoseconds(300_000_000) });
    ask(&mut wire, 1, 0x1000);
    assert_eq!(wire.receive_mailbox(0), None);
    assert_eq!(wire.request(0, 0x01).0, 0x02, "no transition");
    wire.wait(Nanoseconds(101_000_000));
    assert_eq!(wire.read(0, 0x0443, 1), Some(vec![1]), "100 ms by default");
    assert_eq!(wire.read_u16(0, 0x0110) & 0b11, 0b01);
    wire.wait(Nanoseconds(200_000_000));
    assert_eq!(wire.read_u16(0, 0x0110) & 0b11, 0b11);
    assert_eq!(wire.read_u16(0, 0x0130), 0x01, "what was asked for happens at last");
}

#[test]
fn without_sync0_a_drive_leaves_op_and_says_why() {
    let mut wire = wire();
    wire.drive_in_op(0);
    device(&mut wire, SubDeviceFault::Sync0Lost { lost: true });
    for _ in 0..6 {
        wire.cycle(0, Outputs::default());
    }
    assert_eq!((wire.read_u16(0, 0x0130), wire.read_u16(0, 0x0134)), (0x14, 0x002C));
}

#[test]
fn what_a_clock_shows_can_be_wrong() {
    let mut wire = wire();
    device(&mut wire, SubDeviceFault::ClockDifference { by_ns: -25_000 });
    assert_eq!(wire.read_u32(0, 0x092C), 1 << 31 | 25_000);
    device(&mut wire, SubDeviceFault::ClockJitter { up_to_ns: 2_000 });
    let mut steps = Vec::new();
    let mut before = wire.read_u64(0, 0x0910);
    for _ in 0..100 {
        let now = wire.read_u64(0, 0x0910);
        steps.push(now.wrapping_sub(before) as i64 - 10_000);
        before = now;
    }
    assert!(
        steps.iter().any(|step| step.abs() > 500) && steps.iter().all(|step| step.abs() <= 4_000),
        "{steps:?}"
    );
    device(&mut wire, SubDeviceFault::NarrowClock);
    assert_eq!(wire.read_u32(0, 0x0914), 0);
    assert_eq!(wire.read_u16(0, 0x0008) & 0x0C, 0x04);
}
