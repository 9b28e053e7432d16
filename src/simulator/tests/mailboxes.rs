//! Mailbox and CoE: full and empty, counters, repeat, transfers of every length, aborts, lists, emergencies.

use super::support::{STATION, Wire, analog_terminal, command as c, digital_terminal, servo};
use crate::simulator::Injection;

fn wire() -> Wire {
    let mut wire = Wire::new(vec![servo()]);
    wire.pre_op(0);
    wire
}

fn request(counter: u8, index: u16, subindex: u8) -> Vec<u8> {
    let mut message = vec![0; 128];
    message[0] = 10;
    message[5] = 3 | counter << 4;
    message[7] = 0x20;
    message[8] = 0x40;
    message[9..11].copy_from_slice(&index.to_le_bytes());
    message[11] = subindex;
    message
}

#[test]
fn identity_and_names_are_uploaded() {
    let mut wire = wire();
    assert_eq!(wire.upload(0, 0x1000, 0), Ok(0x0002_0192_u32.to_le_bytes().to_vec()));
    assert_eq!(wire.upload(0, 0x1008, 0), Ok(b"drive".to_vec()), "five bytes: a normal transfer");
    assert_eq!(wire.upload(0, 0x1018, 2), Ok(0x402_u32.to_le_bytes().to_vec()));
    assert_eq!(wire.upload(0, 0x1C00, 3), Ok(vec![3]));
}

#[test]
fn an_empty_mailbox_cannot_be_read_and_a_full_one_not_written() {
    let mut wire = wire();
    assert_eq!(wire.read(0, 0x1080, 128), None);
    assert!(wire.write(0, 0x1000, &request(1, 0x1000, 0)));
    assert_eq!(wire.read(0, 0x080D, 1).unwrap()[0] & 0x08, 0x08, "an answer waits");
    // The next request stays in its mailbox until the answer is fetched.
    assert!(wire.write(0, 0x1000, &request(2, 0x1018, 1)));
    assert_eq!(wire.read(0, 0x0805, 1).unwrap()[0] & 0x08, 0x08);
    assert!(!wire.write(0, 0x1000, &request(3, 0x1018, 2)), "full");
    assert_eq!(wire.receive_mailbox(0).unwrap()[9..11], [0x00, 0x10]);
    assert_eq!(wire.receive_mailbox(0).unwrap()[9..11], [0x18, 0x10]);
    assert_eq!(wire.receive_mailbox(0), None);
}

#[test]
fn a_message_is_complete_only_with_its_last_byte() {
    let mut wire = wire();
    let message = request(1, 0x1000, 0);
    assert!(wire.write(0, 0x1000, &message[..16]));
    assert_eq!(wire.receive_mailbox(0), None);
    assert!(wire.write(0, 0x107F, &[0]));
    assert!(wire.receive_mailbox(0).is_some());
}

#[test]
fn the_same_counter_again_is_the_same_message_again() {
    let mut wire = wire();
    assert!(wire.write(0, 0x1000, &request(3, 0x1000, 0)));
    assert!(wire.receive_mailbox(0).is_some());
    assert!(wire.write(0, 0x1000, &request(3, 0x1000, 0)));
    assert_eq!(wire.receive_mailbox(0), None);
    // Counter zero is never a repetition.
    for _ in 0..2 {
        assert!(wire.write(0, 0x1000, &request(0, 0x1000, 0)));
        assert!(wire.receive_mailbox(0).is_some());
    }
}

#[test]
fn a_lost_answer_is_repeated_on_request() {
    let mut wire = wire();
    assert!(wire.write(0, 0x1000, &request(1, 0x1018, 1)));
    let answer = wire.receive_mailbox(0).unwrap();
    // Toggle the repeat bit at 0x080E; the device shows the same toggle at 0x080F.
    assert!(wire.write(0, 0x080E, &[0b11]));
    assert_eq!(wire.read(0, 0x080F, 1), Some(vec![0b10]));
    assert_eq!(wire.receive_mailbox(0), Some(answer.clone()));
    assert_eq!(wire.receive_mailbox(0), None);
    assert!(wire.write(0, 0x080E, &[0b01]));
    assert_eq!(wire.receive_mailbox(0), Some(answer));
}

#[test]
fn values_of_every_length_are_uploaded_expedited_normal_and_in_segments() {
    for length in [0, 1, 4, 5, 7, 112, 113, 225, 226, 232, 233, 234, 1000] {
        let mut wire = wire();
        let value: Vec<u8> = (0..length).map(|byte: u32| byte as u8).collect();
        download_normal(&mut wire, &value);
        let first = wire.sdo(0, &[0x40, 0x00, 0x21, 0, 0, 0, 0, 0]);
        if first[0] != 0x41 {
            assert!((1..=4).contains(&length));
            assert_eq!(first[4..4 + value.len()], value);
            continue;
        }
        assert_eq!(first[4..8], length.to_le_bytes());
        let mut got = first[8..].to_vec();
        let mut toggle = 0;
        while got.len() < value.len() {
            let segment = wire.sdo(0, &[0x60 | toggle, 0, 0, 0, 0, 0, 0, 0]);
            assert_eq!(segment[0] & 0xF0, toggle);
            let unused = if segment.len() == 8 { usize::from(segment[0] >> 1 & 7) } else { 0 };
            got.extend_from_slice(&segment[1..segment.len() - unused]);
            assert_eq!(segment[0] & 1 == 1, got.len() == value.len(), "last one");
            toggle ^= 0x10;
        }
        assert_eq!(got, value, "{length} bytes");
    }
}

/// Downloads to the variable object in one message and as many segments as it needs.
fn download_normal(wire: &mut Wire, value: &[u8]) {
    let mut request = vec![0x21, 0x00, 0x21, 0];
    request.extend_from_slice(&(value.len() as u32).to_le_bytes());
    let first = value.len().min(100);
    request.extend_from_slice(&value[..first]);
    assert_eq!(wire.sdo(0, &request)[0], 0x60);
    let mut toggle = 0;
    let mut rest = &value[first..];
    while !rest.is_empty() {
        let count = rest.len().min(100);
        let unused = 7_usize.saturating_sub(count);
        let last = u8::from(count == rest.len());
        let mut segment = vec![toggle | (unused as u8) << 1 | last];
        segment.extend_from_slice(&rest[..count]);
        segment.resize(segment.len() + unused, 0);
        assert_eq!(wire.sdo(0, &segment)[0], 0x20 | toggle);
        toggle ^= 0x10;
        rest = &rest[count..];
    }
}

#[test]
fn what_cannot_be_done_is_aborted_with_its_reason() {
    let mut wire = wire();
    assert_eq!(wire.upload(0, 0x5555, 0), Err(0x0602_0000), "no such object");
    assert_eq!(wire.upload(0, 0x1018, 9), Err(0x0609_0011), "no such subindex");
    assert_eq!(wire.download(0, 0x1018, 1, &[0; 4]), Err(0x0601_0002), "read-only");
    assert_eq!(wire.download(0, 0x6066, 0, &[0; 1]), Err(0x0607_0010), "too short");
    assert_eq!(wire.download(0, 0x6066, 0, &[0; 4]), Err(0x0607_0012), "too long");
    let complete = wire.sdo(0, &[0x50, 0x40, 0x60, 0, 0, 0, 0, 0]);
    assert_eq!(complete[4..8], 0x0601_0004_u32.to_le_bytes(), "complete access");
    let unknown = wire.sdo(0, &[0xE0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(unknown[4..8], 0x0504_0001_u32.to_le_bytes());
    let segment = wire.sdo(0, &[0x60, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(segment[4..8], 0x0504_0001_u32.to_le_bytes(), "no transfer");
}

#[test]
fn a_segment_with_the_wrong_toggle_ends_the_transfer() {
    let mut wire = wire();
    download_normal(&mut wire, &[1; 300]);
    assert_eq!(wire.sdo(0, &[0x40, 0x00, 0x21, 0, 0, 0, 0, 0])[0], 0x41);
    assert_eq!(wire.sdo(0, &[0x70, 0, 0, 0, 0, 0, 0, 0])[4..8], 0x0503_0000_u32.to_le_bytes());
    assert_eq!(wire.sdo(0, &[0x60, 0, 0, 0, 0, 0, 0, 0])[4..8], 0x0504_0001_u32.to_le_bytes());
}

#[test]
fn mapping_changes_only_while_its_count_is_zero_and_must_make_sense() {
    let mut wire = wire();
    let entry = |index: u32, bits: u32| (index << 16 | bits).to_le_bytes();
    assert_eq!(wire.download(0, 0x1600, 1, &entry(0x6040, 16)), Err(0x0601_0003));
    wire.download(0, 0x1600, 0, &[0]).unwrap();
    wire.download(0, 0x1600, 1, &entry(0x6041, 16)).unwrap();
    assert_eq!(wire.download(0, 0x1600, 0, &[1]), Err(0x0604_0041), "the statusword is no output");
    wire.download(0, 0x1600, 1, &entry(0, 0xFF)).unwrap();
    for subindex in 2..=6 {
        wire.download(0, 0x1600, subindex, &entry(0, 0xFF)).unwrap();
    }
    assert_eq!(wire.download(0, 0x1600, 0, &[6]), Err(0x0604_0042), "too long");
    assert_eq!(wire.download(0, 0x1600, 0, &[200]), Err(0x0609_0030));
    wire.download(0, 0x1C12, 0, &[0]).unwrap();
    wire.download(0, 0x1C12, 1, &0x1777_u16.to_le_bytes()).unwrap();
    assert_eq!(wire.download(0, 0x1C12, 0, &[1]), Err(0x0604_0041), "no such PDO");
}

#[test]
fn mapping_is_closed_outside_pre_op() {
    let mut wire = Wire::new(vec![servo()]);
    wire.drive_in_op(0);
    assert_eq!(wire.download(0, 0x1C12, 0, &[0]), Err(0x0800_0022));
    assert!(wire.upload(0, 0x6041, 0).is_ok(), "everything else goes on");
    assert_eq!(wire.download(0, 0x6066, 0, &[9, 0]), Ok(()));
}

#[test]
fn what_is_no_coe_request_gets_a_mailbox_error() {
    let mut wire = wire();
    let error = |answer: Vec<u8>| (answer[5] & 0x0F, u16::from_le_bytes([answer[8], answer[9]]));
    assert_eq!(error(wire.mailbox(0, 4, &[0; 10])), (0, 2), "FoE");
    assert_eq!(error(wire.mailbox(0, 3, &[0, 0x70, 0, 0, 0, 0, 0, 0, 0, 0])), (0, 4), "no such service");
    assert_eq!(error(wire.mailbox(0, 3, &[0, 0x20, 0x40])), (0, 6), "too short");
    let mut message = vec![0; 128];
    message[0] = 200;
    message[5] = 3;
    assert!(wire.write(0, 0x1000, &message));
    assert_eq!(error(wire.receive_mailbox(0).unwrap()), (0, 8), "longer than the mailbox");
}

#[test]
fn the_object_list_can_be_read() {
    let mut wire = wire();
    let mut body = vec![0x00, 0x80, 0x01, 0, 0, 0, 0x01, 0x00];
    let mut answer = wire.mailbox(0, 3, &body);
    let mut list = answer[12..].to_vec();
    while answer[8] & 0x80 != 0 {
        answer = wire.receive_mailbox(0).unwrap();
        list.extend_from_slice(&answer[12..]);
    }
    assert_eq!(list[..2], [1, 0], "list type");
    let indices: Vec<u16> = list[2..].chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    assert!(indices.is_sorted() && indices.contains(&0x1018) && indices.contains(&0x6064));
    assert_eq!(wire.receive_mailbox(0), None);

    body[6] = 0;
    let counts = wire.mailbox(0, 3, &body);
    assert_eq!(usize::from(u16::from_le_bytes([counts[14], counts[15]])), indices.len());
    body[2] = 9;
    assert_eq!(wire.mailbox(0, 3, &body)[8], 7, "no such operation");
}

#[test]
fn an_emergency_waits_behind_an_answer_and_comes_by_itself() {
    let mut wire = wire();
    assert!(wire.write(0, 0x1000, &request(1, 0x1000, 0)));
    for code in [0x2320, 0x8611] {
        wire.segment.inject(Injection::Emergency { device: 0, code, register: 0x21 }).unwrap();
    }
    assert_eq!(wire.receive_mailbox(0).unwrap()[7] >> 4, 3, "the answer first");
    let emergency = wire.receive_mailbox(0).unwrap();
    assert_eq!((emergency[7] >> 4, &emergency[8..11]), (1, &[0x20, 0x23, 0x21][..]));
    assert_eq!(wire.receive_mailbox(0).unwrap()[8..10], [0x11, 0x86]);
    assert_eq!(wire.receive_mailbox(0), None);
}

#[test]
fn a_mailbox_is_closed_in_init_and_absent_on_simple_terminals() {
    let mut wire = wire();
    wire.request(0, 0x01);
    assert!(!wire.write(0, 0x1000, &request(1, 0x1000, 0)));
    let mut simple = Wire::new(vec![digital_terminal()]);
    let injected = simple.segment.inject(Injection::Emergency { device: 0, code: 1, register: 0 });
    assert!(injected.is_err());
}

#[test]
fn the_analog_terminal_has_its_mapping_from_the_factory() {
    let mut wire = Wire::new(vec![analog_terminal()]);
    wire.pre_op(0);
    assert_eq!(wire.upload(0, 0x1600, 0), Ok(vec![2]));
    assert_eq!(wire.upload(0, 0x1600, 1), Ok(0x7010_0110_u32.to_le_bytes().to_vec()));
}

#[test]
fn random_mailbox_messages_never_stop_the_device() {
    let mut wire = wire();
    let mut random = crate::simulator::random::Random::new(7, 7);
    for _ in 0..3000 {
        let mut message: Vec<u8> = (0..16).flat_map(|_| random.next().to_le_bytes()).collect();
        message[0] %= 128;
        message[1] = 0;
        message[5] = 3 | message[5] & 0x70;
        message[7] = if message[7] & 1 == 0 { 0x20 } else { 0x80 };
        wire.send(c::FPWR, STATION, 0x1000, &message);
        while wire.read(0, 0x1080, 128).is_some() {}
    }
    wire.request(0, 0x01);
    assert_eq!(wire.request(0, 0x02), (0x02, 0));
    assert!(wire.upload(0, 0x1018, 1).is_ok());
}
