//! Register file: information, SII, sync managers, watchdog, event requests, distributed clock.

use super::support::{Datagram, STATION, Wire, command as c, digital_terminal, servo};
use crate::units::Nanoseconds;

#[test]
fn the_information_block_can_be_read_at_once() {
    let mut wire = Wire::new(vec![servo(), digital_terminal()]);
    let block = wire.read(0, 0x0000, 12).unwrap();
    assert_eq!(block, [0x11, 0, 2, 0, 8, 8, 4, 0x0F, 0x0C, 0x01, 0, 0]);
    assert_eq!(wire.read_u16(1, 0x0008), 0, "no clock");
}

#[test]
fn the_link_status_says_who_is_last() {
    let mut wire = Wire::new(vec![servo(), servo(), servo()]);
    let links = |wire: &mut Wire| (0..3).map(|device| wire.read_u16(device, 0x0110)).collect::<Vec<_>>();
    // Port 0 open everywhere; port 1 open unless last; ports 2 and 3 closed.
    assert_eq!(links(&mut wire), [0x5A33, 0x5A33, 0x5613]);
    wire.segment.inject(crate::simulator::Injection::Detach { position: 2 }).unwrap();
    assert_eq!(wire.read_u16(1, 0x0110), 0x5613);
    assert_eq!(wire.read(2, 0x0110, 2), None);
}

#[test]
fn the_sii_is_read_through_its_registers_also_in_one_block() {
    let mut wire = Wire::new(vec![servo()]);
    assert!(wire.write(0, 0x0500, &[0]));
    assert!(wire.write(0, 0x0502, &[0x00, 0x01, 0x08, 0, 0, 0]));
    assert_eq!(wire.read_u16(0, 0x0502) & 0x8000, 0x8000, "busy");
    let block = wire.read(0, 0x0502, 14).unwrap();
    assert_eq!(block[..6], [0xC0, 0x00, 0x08, 0, 0, 0]);
    assert_eq!(block[6..14], [0x7A, 0x0E, 0, 0, 0x02, 0x04, 0, 0], "vendor and product");
    assert!(wire.write(0, 0x0500, &[1]));
    assert!(!wire.write(0, 0x0502, &[0x00, 0x01, 0x08, 0, 0, 0]), "the application owns it");
}

#[test]
fn process_memory_obeys_its_sync_manager() {
    let mut wire = Wire::new(vec![digital_terminal()]);
    assert!(wire.write(0, 0x1900, &[1, 2, 3, 4]), "plain memory");
    assert_eq!(wire.read(0, 0x1900, 4), Some(vec![1, 2, 3, 4]));
    wire.sync_manager(0, 4, 0x1900, 4, 0x64);
    assert!(!wire.write(0, 0x1901, &[9]), "not from its beginning");
    assert!(wire.write(0, 0x1900, &[9, 8, 7, 6]));
    assert_eq!(wire.read(0, 0x1900, 4), None, "the controller writes here");
    assert!(wire.write(0, 0x0826, &[0]));
    assert!(!wire.write(0, 0x1900, &[9, 8, 7, 6]), "set up but switched off");
}

#[test]
fn process_data_is_closed_below_safe_op() {
    let mut wire = Wire::new(vec![digital_terminal()]);
    wire.sync_manager(0, 0, 0x1100, 1, 0x64);
    wire.sync_manager(0, 1, 0x1280, 1, 0x20);
    assert!(!wire.write(0, 0x1100, &[1]));
    assert_eq!(wire.read(0, 0x1280, 1), None);
    wire.request(0, 0x02);
    assert_eq!(wire.request(0, 0x04), (0x04, 0));
    assert!(wire.write(0, 0x1100, &[1]));
    assert_eq!(wire.segment.digital_outputs(0), 0, "outputs are safe below OP");
    assert_eq!(wire.read(0, 0x1280, 1), Some(vec![0]));
}

#[test]
fn the_watchdog_takes_divider_and_time_from_its_registers() {
    let mut wire = Wire::new(vec![digital_terminal()]);
    let op = |wire: &mut Wire| {
        wire.request(0, 0x11);
        wire.sync_manager(0, 0, 0x1100, 1, 0x64);
        wire.sync_manager(0, 1, 0x1280, 1, 0x20);
        wire.request(0, 0x02);
        wire.request(0, 0x04);
        wire.request(0, 0x08);
        assert!(wire.write(0, 0x1100, &[0xFF]));
        assert_eq!(wire.read_u16(0, 0x0130), 0x08);
        assert_eq!(wire.segment.digital_outputs(0), 0xFF);
    };
    op(&mut wire);
    wire.wait(Nanoseconds(99_900_000));
    assert_eq!(wire.segment.digital_outputs(0), 0xFF, "power-on setting: 100 ms");
    assert_eq!(wire.read_u16(0, 0x0440), 1);
    wire.wait(Nanoseconds(100_000));
    assert_eq!(wire.segment.digital_outputs(0), 0);
    assert_eq!((wire.read_u16(0, 0x0130), wire.read_u16(0, 0x0134)), (0x14, 0x001B));
    assert_eq!((wire.read_u16(0, 0x0440), wire.read_u16(0, 0x0442)), (0, 1));
    assert!(wire.write(0, 0x0442, &[0]));
    assert_eq!(wire.read_u16(0, 0x0442), 0);

    // (998 + 2) × 40 ns × 50 = 2 ms.
    assert!(wire.write(0, 0x0400, &998_u16.to_le_bytes()));
    assert!(wire.write(0, 0x0420, &50_u16.to_le_bytes()));
    op(&mut wire);
    wire.wait(Nanoseconds(1_970_000));
    assert_eq!(wire.read_u16(0, 0x0130), 0x08);
    wire.wait(Nanoseconds(30_000));
    assert_eq!(wire.read_u16(0, 0x0130), 0x14);
    assert_eq!(wire.segment.device(0).unwrap().watchdog_expiries, 2);

    // Zero switches it off.
    assert!(wire.write(0, 0x0420, &[0, 0]));
    op(&mut wire);
    wire.wait(Nanoseconds(10_000_000_000));
    assert_eq!(wire.read_u16(0, 0x0130), 0x08);
}

#[test]
fn event_requests_show_in_the_interrupt_field_when_asked_for() {
    let mut wire = Wire::new(vec![servo()]);
    wire.request(0, 0x11);
    assert!(wire.write(0, 0x0120, &[0x03, 0x00]));
    assert_eq!(wire.send(c::BRD, 0, 0x0000, &[0]).interrupts, 0, "not asked for");
    assert!(wire.write(0, 0x0200, &0x0008_u16.to_le_bytes()));
    assert_eq!(wire.send(c::BRD, 0, 0x0000, &[0]).interrupts, 0x0008, "AL status changed");
    assert_eq!(wire.read_u16(0, 0x0130), 0x11);
    assert_eq!(wire.send(c::BRD, 0, 0x0000, &[0]).interrupts, 0, "it has been read");
}

#[test]
fn error_counters_are_cleared_by_any_write() {
    let mut wire = Wire::new(vec![servo()]);
    assert!(wire.write(0, 0x0300, &[0xFF]));
    assert_eq!(wire.read(0, 0x0300, 0x14), Some(vec![0; 0x14]));
}

#[test]
fn the_reset_sequence_starts_the_device_anew() {
    let mut wire = Wire::new(vec![servo(), servo()]);
    wire.pre_op(1);
    for letter in b"RXRES" {
        assert!(wire.write(1, 0x0040, &[*letter]));
    }
    assert_eq!(wire.read(1, 0x0130, 2), None, "its station address is gone");
    let answer = wire.send(c::APRD, 0xFFFF, 0x0130, &[0; 2]);
    assert_eq!((answer.working_counter, answer.data), (1, vec![1, 0]));
}

#[test]
fn receive_times_tell_the_delays_between_the_devices() {
    let mut wire = Wire::new(vec![servo(), servo(), servo()]);
    assert_eq!(wire.send(c::BWR, 0, 0x0900, &[0; 4]).working_counter, 3);
    let times: Vec<(u32, u32)> =
        (0..3).map(|device| (wire.read_u32(device, 0x0900), wire.read_u32(device, 0x0904))).collect();
    // 600 ns from one device to the next, forth and back.
    assert_eq!(times[0].1.wrapping_sub(times[0].0), 2400);
    assert_eq!(times[1].1.wrapping_sub(times[1].0), 1200);
    assert_eq!(times[2].1, 0, "nothing behind the last one");
    for device in 0..3 {
        assert_eq!(wire.read_u64(device, 0x0918) as u32, times[usize::from(device)].0);
    }
}

#[test]
fn offsets_delays_and_the_control_loop_bring_the_clocks_together() {
    let mut drives = vec![servo(), servo(), servo()];
    drives[0].clock_drift_ppm = -35.0;
    drives[2].clock_drift_ppm = 60.0;
    let mut wire = Wire::new(drives);
    wire.send(c::BWR, 0, 0x0900, &[0; 4]);
    for device in 0..3 {
        let local = wire.read_u64(device, 0x0918);
        let offset = 1_000_000_000_u64.wrapping_sub(local);
        assert!(wire.write(device, 0x0920, &offset.to_le_bytes()));
        assert!(wire.write(device, 0x0928, &(u32::from(device) * 600).to_le_bytes()));
    }
    for _ in 0..3000 {
        wire.wait(Nanoseconds(990_000));
        wire.exchange(&[Datagram::new(c::FRMW, STATION, 0x0910, &[0; 8])]).unwrap();
    }
    for device in 1..3 {
        let difference = wire.read_u32(device, 0x092C) & 0x7FFF_FFFF;
        assert!(difference < 30, "device {device}: {difference} ns");
    }
    let times: Vec<u64> = (0..3).map(|device| wire.segment.device(device).unwrap().system_time_ns).collect();
    assert!(times.iter().all(|time| time.abs_diff(times[0]) < 100), "{times:?}");
}

#[test]
fn sync0_comes_at_its_start_time_and_then_every_cycle() {
    let mut wire = Wire::new(vec![servo()]);
    wire.start_sync0(0, 5_000_000, 2_000_000);
    let first = wire.segment.device(0).unwrap().next_sync0.unwrap();
    wire.wait(Nanoseconds(first.since(wire.now).0 + 1_000));
    let second = wire.segment.device(0).unwrap().next_sync0.unwrap();
    assert_eq!(second.since(first), Nanoseconds(2_000_000));
    assert!(wire.write(0, 0x0981, &[0]));
    assert_eq!(wire.segment.device(0).unwrap().next_sync0, None);
}
