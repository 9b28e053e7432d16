//! Accesses that take several registers at once, as a master in the kernel makes them: no such master runs here.

use super::support::{STATION, Wire, command as c, servo};
use crate::units::Nanoseconds;

#[test]
fn type_revision_counts_and_features_come_in_twelve_bytes() {
    let mut wire = Wire::new(vec![servo()]);
    let answer = wire.send(c::APRD, 0, 0x0000, &[0; 12]);
    assert_eq!(answer.working_counter, 1);
    assert_eq!(answer.data[4..6], [8, 8], "FMMUs and sync managers");
    assert_eq!(answer.data[8] & 0x0C, 0x0C, "a clock of 64 bits");
}

#[test]
fn al_status_and_its_code_come_in_six_bytes() {
    let mut wire = Wire::new(vec![servo()]);
    assert_eq!(wire.request(0, 0x08), (0x11, 0x0011));
    assert_eq!(wire.read(0, 0x0130, 6), Some(vec![0x11, 0, 0, 0, 0x11, 0]));
    assert_eq!(wire.request(0, 0x11), (0x01, 0), "acknowledged");
}

#[test]
fn sii_command_and_address_go_in_six_bytes_and_the_answer_comes_in_ten() {
    let mut wire = Wire::new(vec![servo()]);
    for (word, expected) in [(0x0008_u32, [0x7A, 0x0E, 0, 0]), (0x000A, [0x02, 0x04, 0, 0])] {
        let mut command = vec![0x80, 0x01];
        command.extend_from_slice(&word.to_le_bytes());
        assert!(wire.write(0, 0x0502, &command));
        let busy = wire.read(0, 0x0502, 10).unwrap();
        assert_eq!(busy[1] & 0x80, 0x80, "busy at first: {busy:02x?}");
        let ready = wire.read(0, 0x0502, 10).unwrap();
        assert_eq!(ready[1] & 0x80, 0, "{ready:02x?}");
        assert_eq!(ready[2..6], word.to_le_bytes());
        assert_eq!(ready[6..10], expected);
    }
}

#[test]
fn a_sync_manager_page_comes_in_eight_bytes() {
    let mut wire = Wire::new(vec![servo()]);
    wire.pre_op(0);
    assert_eq!(wire.read(0, 0x0808, 8), Some(vec![0x80, 0x10, 128, 0, 0x22, 0, 1, 0]));
    // All of one configuration in one write, as with the first mailbox.
    assert_eq!(wire.read(0, 0x0800, 8), Some(vec![0x00, 0x10, 128, 0, 0x26, 0, 1, 0]));
}

#[test]
fn offset_and_delay_go_in_twelve_bytes() {
    let mut wire = Wire::new(vec![servo()]);
    let before = wire.read_u64(0, 0x0910);
    let mut block = 0x0100_0000_0000_u64.to_le_bytes().to_vec();
    block.extend_from_slice(&4321_u32.to_le_bytes());
    assert!(wire.write(0, 0x0920, &block));
    assert_eq!(wire.read(0, 0x0920, 12), Some(block));
    let moved = wire.read_u64(0, 0x0910).wrapping_sub(before);
    assert!((0x0100_0000_0000..0x0100_0010_0000).contains(&moved), "{moved:#x}");
}

#[test]
fn system_time_difference_and_receive_times_come_in_one_block() {
    let mut wire = Wire::new(vec![servo(), servo()]);
    assert_eq!(wire.send(c::BWR, 0, 0x0900, &[0]).working_counter, 2, "one byte is enough");
    assert_eq!(wire.send(c::BWR, 0, 0x0900, &[0; 4]).working_counter, 2);
    let block = wire.read(0, 0x0900, 0x20).unwrap();
    let port = |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().unwrap());
    assert_eq!(port(4).wrapping_sub(port(0)), 1200, "to the second and back");
    assert_eq!(port(0), port(0x18), "the processing unit is behind port 0");
}

#[test]
fn activation_goes_in_two_bytes_and_a_start_time_that_has_passed_starts_nothing() {
    let mut wire = Wire::new(vec![servo()]);
    assert!(wire.write(0, 0x0980, &[0, 0]));
    let cycles = [1_000_000_u32.to_le_bytes(), 0_u32.to_le_bytes()].concat();
    assert!(wire.write(0, 0x09A0, &cycles), "SYNC0 and SYNC1 in eight bytes");
    for (ahead, active) in [(2_000_000_i64, 1), (-1, 0)] {
        let start = wire.read_u64(0, 0x0910).wrapping_add_signed(ahead);
        assert!(wire.write(0, 0x0981, &[0]));
        assert!(wire.write(0, 0x0990, &start.to_le_bytes()));
        // AssignActivate 0x0300: the lower byte to 0x0980, the upper one to 0x0981.
        assert!(wire.write(0, 0x0980, &[0x00, 0x03]));
        assert_eq!(wire.read(0, 0x0984, 1), Some(vec![active]));
    }
}

#[test]
fn all_fmmus_are_cleared_by_one_broadcast() {
    let mut wire = Wire::new(vec![servo(), servo()]);
    wire.fmmu(1, 3, 0x1234, 8, 0x1100, 2);
    // 16 of them, though there are eight.
    assert_eq!(wire.send(c::BWR, 0, 0x0600, &[0; 256]).working_counter, 2);
    assert_eq!(wire.read(1, 0x0630, 16), Some(vec![0; 16]));
}

#[test]
fn loop_parameters_restart_the_filter() {
    let mut wire = Wire::new(vec![servo()]);
    let behind = wire.read_u64(0, 0x0910).wrapping_add(500_000);
    assert!(wire.write(0, 0x0910, &behind.to_le_bytes()));
    assert_ne!(wire.read_u32(0, 0x092C) & 0x7FFF_FFFF, 0);
    assert!(wire.write(0, 0x0930, &0x1000_u16.to_le_bytes()));
    assert_eq!(wire.read_u32(0, 0x092C) & 0x7FFF_FFFF, 0);
}

#[test]
fn counters_of_a_port_are_cleared_by_any_write() {
    let mut wire = Wire::new(vec![servo(), servo()]);
    wire.segment.inject(crate::simulator::Injection::Detach { position: 1 }).unwrap();
    assert_eq!(wire.read(0, 0x0310, 4), Some(vec![0, 1, 0, 0]), "the link of port 1 was lost once");
    wire.wait(Nanoseconds(1));
    assert!(wire.write(0, 0x0300, &[0; 20]));
    assert_eq!(wire.read(0, 0x0300, 20), Some(vec![0; 20]));
    assert_eq!(wire.send(c::FPRD, STATION, 0x0310, &[0; 4]).data, [0; 4]);
}
