//! Addressing and working counter of each command (ETG.1000.4, 5.4), FMMUs, several datagrams a frame.

use super::support::{
    Datagram, STATION, Wire, analog_terminal, command as c, digital_terminal, frame, servo,
};
use crate::units::Nanoseconds;

fn wire() -> Wire {
    Wire::new(vec![servo(), servo(), digital_terminal()])
}

#[test]
fn position_addressing_counts_up_and_meets_one() {
    let mut wire = wire();
    for position in 0..3_u16 {
        let answer = wire.send(c::APRD, 0_u16.wrapping_sub(position), 0x0010, &[0; 2]);
        assert_eq!(answer.working_counter, 1);
        assert_eq!(answer.data, (STATION + position).to_le_bytes());
        assert_eq!(answer.adp(), 3_u16.wrapping_sub(position), "each of three has added one");
    }
    assert_eq!(wire.send(c::APRD, 1, 0x0010, &[0; 2]).working_counter, 0);
    assert_eq!(wire.send(c::APRD, 0xFFFD, 0x0010, &[0; 2]).working_counter, 0, "there is no fourth");
}

#[test]
fn configured_addressing_meets_the_station_address_and_the_enabled_alias() {
    let mut aliased = servo();
    aliased.alias = 0x2222;
    let mut wire = Wire::new(vec![servo(), aliased]);
    let answer = wire.send(c::FPRD, STATION + 1, 0x0012, &[0; 2]);
    assert_eq!((answer.working_counter, answer.data, answer.address[0]), (1, vec![0x22, 0x22], 0x02));
    assert_eq!(wire.send(c::FPRD, 0x2222, 0x0012, &[0; 2]).working_counter, 0, "the alias is off");
    assert!(wire.write(1, 0x0100, &[0x01, 0x00, 0x07, 0x01]));
    assert_eq!(wire.send(c::FPRD, 0x2222, 0x0012, &[0; 2]).working_counter, 1);
}

#[test]
fn broadcast_reads_are_ored_and_counted_by_each() {
    let mut wire = wire();
    let answer = wire.send(c::BRD, 0, 0x0000, &[0x80]);
    assert_eq!((answer.working_counter, answer.data.clone(), answer.adp()), (3, vec![0x91], 3));
    let states = wire.send(c::BRD, 0, 0x0130, &[0; 2]);
    assert_eq!(states.data, [1, 0]);
    wire.pre_op(0);
    assert_eq!(wire.send(c::BRD, 0, 0x0130, &[0; 2]).data, [3, 0], "INIT or PRE-OP");
}

#[test]
fn broadcast_writes_reach_each() {
    let mut wire = wire();
    assert_eq!(wire.send(c::BWR, 0, 0x0420, &[0x64, 0x00]).working_counter, 3);
    for device in 0..3 {
        assert_eq!(wire.read_u16(device, 0x0420), 100);
    }
}

#[test]
fn reading_and_writing_at_once_counts_three_and_gives_the_old_value() {
    let mut wire = wire();
    let answer = wire.send(c::FPRW, STATION, 0x0420, &[7, 0]);
    assert_eq!((answer.working_counter, answer.data), (3, vec![0xE8, 0x03]));
    let answer = wire.send(c::APRW, 0xFFFF, 0x0420, &[9, 0]);
    assert_eq!((answer.working_counter, answer.data), (3, vec![0xE8, 0x03]));
    let answer = wire.send(c::BRW, 0, 0x0420, &[0x00, 0x10]);
    // 7, then 9, then 0x03E8 ORed to what was sent; each wrote what had arrived there.
    assert_eq!((answer.working_counter, answer.data), (9, vec![0xEF, 0x13]));
    assert_eq!(wire.read_u16(0, 0x0420), 0x1000);
    assert_eq!(wire.read_u16(1, 0x0420), 0x1007);
}

#[test]
fn a_read_only_register_does_not_count_a_write() {
    let mut wire = wire();
    assert_eq!(wire.send(c::FPWR, STATION, 0x0130, &[8, 0]).working_counter, 0);
    assert_eq!(wire.send(c::FPRW, STATION, 0x0130, &[8, 0]).working_counter, 1);
    assert_eq!(wire.read_u16(0, 0x0130), 1);
}

#[test]
fn read_multiple_write_takes_from_one_and_gives_to_the_others() {
    let mut wire = wire();
    assert!(wire.write(1, 0x0420, &[5, 0]));
    let answer = wire.send(c::FRMW, STATION + 1, 0x0420, &[1, 0]);
    assert_eq!((answer.working_counter, answer.data), (3, vec![5, 0]));
    let values: Vec<u16> = (0..3).map(|device| wire.read_u16(device, 0x0420)).collect();
    assert_eq!(values, [1, 5, 5], "the first one saw what was sent");
    let answer = wire.send(c::ARMW, 0, 0x0420, &[0, 0]);
    assert_eq!((answer.working_counter, answer.data.clone(), answer.adp()), (3, vec![1, 0], 3));
    assert_eq!(wire.read_u16(2, 0x0420), 1);
}

#[test]
fn only_devices_with_a_clock_count_clock_registers() {
    let mut wire = wire();
    assert_eq!(wire.send(c::BWR, 0, 0x0900, &[0; 4]).working_counter, 2);
    assert_eq!(wire.send(c::FRMW, STATION, 0x0910, &[0; 8]).working_counter, 2);
    assert_eq!(wire.read(2, 0x0910, 8), None);
}

#[test]
fn registers_beyond_the_fmmus_there_are_do_not_count() {
    let mut wire = wire();
    assert_eq!(wire.send(c::BWR, 0, 0x0600 + 7 * 16, &[0; 16]).working_counter, 3);
    assert_eq!(wire.send(c::BWR, 0, 0x0600 + 8 * 16, &[0; 16]).working_counter, 0);
    assert_eq!(wire.send(c::BWR, 0, 0x0800 + 8 * 8, &[0; 8]).working_counter, 0);
}

#[test]
fn an_unknown_command_and_nop_change_nothing() {
    let mut wire = wire();
    for command in [0, 15, 200] {
        let sent = Datagram::new(command, 0, 0x0420, &[1, 2]);
        assert_eq!(wire.exchange(std::slice::from_ref(&sent)), Some(vec![sent]));
    }
}

#[test]
fn datagrams_of_one_frame_are_done_in_order() {
    let mut wire = wire();
    let answers = wire
        .exchange(&[
            Datagram::new(c::FPWR, STATION, 0x0420, &[0x11, 0]),
            Datagram::new(c::FPRD, STATION, 0x0420, &[0; 2]),
            Datagram::new(c::BRD, 0, 0x0000, &[0; 1]),
        ])
        .unwrap();
    assert_eq!(answers[1].data, [0x11, 0]);
    assert_eq!(answers.iter().map(|answer| answer.working_counter).collect::<Vec<_>>(), [1, 1, 3]);
}

#[test]
fn a_reply_carries_a_locally_administered_source_address_and_the_same_length() {
    let mut wire = wire();
    let sent = frame(&[Datagram::new(c::BRD, 0, 0, &[0; 4])]);
    let mut padded = sent.clone();
    padded.resize(60, 0xAA);
    assert!(wire.segment.process_frame(&mut padded, Nanoseconds(1)));
    assert_eq!(padded[6], 0x12);
    assert_eq!(padded[7..12], sent[7..12]);
    assert_eq!((padded.len(), padded[59]), (60, 0xAA));
}

#[test]
fn what_is_no_ethercat_frame_does_not_come_back() {
    let mut wire = wire();
    let good = frame(&[Datagram::new(c::BRD, 0, 0, &[0; 4])]);
    let spoiled = |at: usize, value: u8| {
        let mut frame = good.clone();
        frame[at] = value;
        frame
    };
    let refused = [Vec::new(), vec![0; 13], good[..15].to_vec(), spoiled(12, 0x08), spoiled(15, 0x40)];
    for mut frame in refused {
        let before = frame.clone();
        assert!(!wire.segment.process_frame(&mut frame, Nanoseconds(1)));
        assert_eq!(frame, before);
    }
    assert_eq!(wire.segment.statistics().refused, 5);
}

#[test]
fn a_truncated_datagram_is_left_alone() {
    let mut wire = wire();
    let whole = frame(&[Datagram::new(c::BWR, 0, 0x0420, &[7, 0])]);
    for length in 16..whole.len() {
        let mut cut = whole[..length].to_vec();
        assert!(wire.segment.process_frame(&mut cut, Nanoseconds(1)));
    }
    // The length in the EtherCAT header counts too.
    let mut short = whole.clone();
    short[14] -= 1;
    assert!(wire.segment.process_frame(&mut short, Nanoseconds(1)));
    assert_eq!(wire.read_u16(0, 0x0420), 1000);
}

#[test]
fn logical_commands_count_reads_writes_and_both() {
    let mut wire = wire();
    // Plain process memory, without sync managers.
    for device in 0..2 {
        let offset = u32::from(device) * 4;
        wire.fmmu(device, 0, 0x100 + offset, 4, 0x1800, 2);
        wire.fmmu(device, 1, 0x200 + offset, 4, 0x1800, 1);
    }
    assert_eq!(wire.send_logical(c::LWR, 0x100, &[1, 2, 3, 4, 5, 6, 7, 8]).working_counter, 2);
    let answer = wire.send_logical(c::LRD, 0x200, &[0; 8]);
    assert_eq!((answer.working_counter, answer.data), (2, vec![1, 2, 3, 4, 5, 6, 7, 8]));
    assert_eq!(wire.send_logical(c::LRD, 0x100, &[0; 8]).working_counter, 0, "written, not read");
    assert_eq!(wire.send_logical(c::LRW, 0x100, &[0; 8]).working_counter, 4, "two writes");
    assert_eq!(wire.send_logical(c::LRW, 0x200, &[0; 8]).working_counter, 2, "two reads");
    assert_eq!(wire.send_logical(c::LRW, 0x100, &[0; 0x108]).working_counter, 6, "two of both");
    assert_eq!(wire.send_logical(c::LRW, 0x300, &[0; 8]).working_counter, 0);
}

#[test]
fn a_device_with_two_fmmus_of_one_direction_counts_once() {
    let mut wire = wire();
    wire.fmmu(0, 0, 0x100, 2, 0x1800, 1);
    wire.fmmu(0, 1, 0x102, 2, 0x1900, 1);
    assert_eq!(wire.send_logical(c::LRD, 0x100, &[0; 4]).working_counter, 1);
}

#[test]
fn single_bits_of_several_devices_share_a_byte() {
    let mut wire = wire();
    for (device, logical_bits, physical_bit) in [(0, (0, 2), 4), (1, (3, 3), 0), (2, (4, 7), 2)] {
        let mut registers = [0; 16];
        registers[0..4].copy_from_slice(&0x50_u32.to_le_bytes());
        registers[4] = 1;
        (registers[6], registers[7]) = logical_bits;
        registers[8..10].copy_from_slice(&0x1800_u16.to_le_bytes());
        registers[10] = physical_bit;
        registers[11] = 3;
        registers[12] = 1;
        assert!(wire.write(device, 0x0600, &registers));
        assert!(wire.write(device, 0x1800, &[0xA5]));
    }
    let answer = wire.send_logical(c::LWR, 0x50, &[0b1011_0101]);
    assert_eq!(answer.working_counter, 3);
    let bytes: Vec<u8> = (0..3).map(|device| wire.read(device, 0x1800, 1).unwrap()[0]).collect();
    // Bits around the mapped ones keep 0xA5 = 1010_0101.
    assert_eq!(bytes, [0b1101_0101, 0b1010_0100, 0b1010_1101]);
    let answer = wire.send_logical(c::LRD, 0x50, &[0]);
    assert_eq!((answer.working_counter, answer.data), (3, vec![0b1011_0101]));
}

#[test]
fn an_fmmu_can_show_the_state_of_the_mailbox() {
    let mut wire = Wire::new(vec![analog_terminal()]);
    wire.pre_op(0);
    let mut registers = [0; 16];
    registers[0..4].copy_from_slice(&0x80_u32.to_le_bytes());
    registers[4] = 1;
    registers[8..10].copy_from_slice(&0x080D_u16.to_le_bytes());
    registers[10] = 3;
    registers[11] = 1;
    registers[12] = 1;
    assert!(wire.write(0, 0x0620, &registers));
    assert_eq!(wire.send_logical(c::LRD, 0x80, &[0]).data, [0]);
    wire.segment
        .inject(crate::simulator::Injection::Emergency { device: 0, code: 0x1000, register: 1 })
        .unwrap();
    assert_eq!(wire.send_logical(c::LRD, 0x80, &[0]).data, [1], "bit 3 of 0x080D: mailbox full");
}

#[test]
fn nothing_comes_back_from_an_empty_segment() {
    let mut wire = Wire::new(Vec::new());
    assert_eq!(wire.exchange(&[Datagram::new(c::BRD, 0, 0, &[0; 4])]), None);
}
