//! AL transitions of whole devices: what is checked, what is refused, what is waited for.

use super::support::{Datagram, LOGICAL_OUTPUTS, Outputs, Wire, command as c, digital_terminal, servo};
use crate::simulator::{AlState, Injection};
use crate::units::Nanoseconds;

#[test]
fn pre_op_needs_the_mailboxes_of_the_sii() {
    let mut wire = Wire::new(vec![servo()]);
    assert_eq!(wire.request(0, 0x02), (0x11, 0x0016));
    wire.sync_manager(0, 0, 0x1000, 128, 0x26);
    wire.sync_manager(0, 1, 0x1080, 64, 0x22);
    assert_eq!(wire.request(0, 0x12), (0x11, 0x0016), "too short");
    assert!(wire.write(0, 0x080E, &[0]));
    wire.sync_manager(0, 1, 0x1080, 128, 0x22);
    assert_eq!(wire.request(0, 0x02), (0x11, 0x0016), "not acknowledged");
    assert_eq!(wire.request(0, 0x12), (0x02, 0));
}

#[test]
fn safe_op_needs_sync_managers_as_long_as_the_mapping() {
    let mut wire = Wire::new(vec![servo()]);
    wire.pre_op(0);
    assert_eq!(wire.request(0, 0x04), (0x12, 0x001D), "outputs not set up");
    wire.map_drive(0);
    assert!(wire.write(0, 0x081E, &[0]));
    wire.sync_manager(0, 3, 0x1280, 15, 0x20);
    assert_eq!(wire.request(0, 0x14), (0x12, 0x001E), "inputs too short");
    assert!(wire.write(0, 0x081E, &[0]));
    wire.sync_manager(0, 3, 0x1280, 16, 0x20);
    assert_eq!(wire.request(0, 0x14), (0x04, 0));
}

#[test]
fn safe_op_needs_usable_clock_settings() {
    let mut wire = Wire::new(vec![servo()]);
    wire.pre_op(0);
    wire.map_drive(0);
    assert!(wire.write(0, 0x0981, &[0x01]));
    assert_eq!(wire.request(0, 0x04), (0x12, 0x0030), "cyclic operation without SYNC0");
    assert!(wire.write(0, 0x0981, &[0x00]));
    wire.start_sync0(0, 1_000_000, 10_000);
    assert_eq!(wire.request(0, 0x14), (0x12, 0x0035), "10 µs");
    wire.start_sync0(0, 1_000_000, 1_000_000);
    assert!(wire.write(0, 0x0420, &[5, 0]));
    assert_eq!(wire.request(0, 0x14), (0x12, 0x001F), "a watchdog of half a cycle");
    assert!(wire.write(0, 0x0420, &[100, 0]));
    assert_eq!(wire.request(0, 0x14), (0x04, 0));
}

#[test]
fn op_waits_for_outputs_and_gives_up_without_them() {
    let mut wire = Wire::new(vec![servo()]);
    wire.pre_op(0);
    wire.map_drive(0);
    wire.request(0, 0x04);
    assert_eq!(wire.request(0, 0x08), (0x04, 0), "waits");
    wire.wait(Nanoseconds(6_000_000_000));
    assert_eq!((wire.read_u16(0, 0x0130), wire.read_u16(0, 0x0134)), (0x14, 0x0019));
    wire.request(0, 0x14);
    wire.request(0, 0x08);
    wire.cycle(0, Outputs::default());
    assert_eq!(wire.read_u16(0, 0x0130), 0x08);
}

#[test]
fn op_with_sync0_in_the_past_is_refused() {
    let mut wire = Wire::new(vec![servo()]);
    wire.pre_op(0);
    wire.map_drive(0);
    wire.start_sync0(0, 0, 1_000_000);
    assert_eq!(wire.request(0, 0x04), (0x04, 0));
    wire.request(0, 0x08);
    for _ in 0..5100 {
        wire.cycle(0, Outputs::default());
    }
    assert_eq!((wire.read_u16(0, 0x0130), wire.read_u16(0, 0x0134)), (0x14, 0x002D));
}

#[test]
fn stopping_sync0_in_op_is_a_fatal_sync_error() {
    let mut wire = Wire::new(vec![servo()]);
    wire.drive_in_op(0);
    assert!(wire.write(0, 0x0981, &[0]));
    assert_eq!((wire.read_u16(0, 0x0130), wire.read_u16(0, 0x0134)), (0x14, 0x002C));
}

#[test]
fn switching_off_a_process_data_sync_manager_in_op_leads_to_pre_op() {
    let mut wire = Wire::new(vec![servo()]);
    wire.drive_in_op(0);
    assert!(wire.write(0, 0x0816, &[0]));
    assert_eq!((wire.read_u16(0, 0x0130), wire.read_u16(0, 0x0134)), (0x12, 0x0017));
    let answer = wire.exchange(&[Datagram::logical(c::LRW, LOGICAL_OUTPUTS, &[0; 12])]).unwrap();
    assert_eq!(answer[0].working_counter, 0);
}

#[test]
fn missed_setpoints_are_a_sync_error_where_the_drive_supervises_them() {
    let mut drive = servo();
    if let crate::simulator::DeviceParameters::ServoDrive(parameters) = &mut drive.parameters {
        parameters.sync_error_limit = 5;
    }
    let mut wire = Wire::new(vec![drive]);
    wire.drive_in_op(0);
    wire.cycle(0, Outputs::default());
    wire.wait(Nanoseconds(5_400_000));
    assert_eq!(wire.read_u16(0, 0x0130), 0x08);
    assert_eq!(wire.segment.device(0).unwrap().missed_events, 4);
    wire.wait(Nanoseconds(1_000_000));
    assert_eq!((wire.read_u16(0, 0x0130), wire.read_u16(0, 0x0134)), (0x14, 0x001A));
}

#[test]
fn going_down_is_always_granted_and_empties_what_was_open() {
    for target in [0x01, 0x02, 0x04] {
        let mut wire = Wire::new(vec![servo()]);
        wire.drive_in_op(0);
        assert_eq!(wire.request(0, target), (target, 0));
    }
}

#[test]
fn a_state_can_be_refused_by_injection() {
    let mut wire = Wire::new(vec![digital_terminal()]);
    let refuse = |code| Injection::RefuseState { device: 0, state: AlState::PreOp, code };
    wire.segment.inject(refuse(0x0050)).unwrap();
    assert_eq!(wire.request(0, 0x02), (0x11, 0x0050));
    wire.segment.inject(refuse(0)).unwrap();
    assert_eq!(wire.request(0, 0x12), (0x02, 0));
}
