//! The simulated segment seen by a MainDevice nobody here wrote: ethercrab brings it to OP and moves it.

#![expect(clippy::tests_outside_test_module, reason = "an integration test is a test module")]

mod bus_process;
mod support;

use motiond::devices::objects as o;
use motiond::fieldbus::bring_up::BringUpError;
use motiond::simulator::{AlState, DriveState, Injection};
use motiond::units::Nanoseconds;
use support::{Rig, cell, servo_device};

#[test]
fn six_drives_and_two_terminals_reach_op_with_synchronised_clocks() {
    let rig = Rig::new(cell());
    for device in 0..8 {
        assert_eq!(rig.segment().device(device).unwrap().al_status.state, AlState::Op, "SubDevice {device}");
    }
    for drive in 1..6 {
        let difference = rig.segment().device(drive).unwrap().clock_difference_ns;
        assert!(difference.abs() < 100.0, "clock of drive {drive} differs by {difference} ns");
    }
}

#[test]
fn drives_enabled_by_frames_follow_their_targets() {
    let mut rig = Rig::new(cell());
    rig.enable_all();
    for drive in 0..6 {
        let seen = rig.segment().drive(drive).unwrap();
        assert_eq!(seen.state, DriveState::OperationEnabled, "drive {drive}");
        assert!(seen.brake_open);
    }
    let start: Vec<i32> = (0..6).map(|drive| rig.position(drive)).collect();
    for cycle in 1..=1000 {
        for (drive, begin) in start.iter().enumerate() {
            rig.set_target(drive, begin.wrapping_add(cycle * 1000));
        }
        rig.cycle();
    }
    rig.cycles(300);
    for (drive, begin) in start.iter().enumerate() {
        let arrived = rig.position(drive).wrapping_sub(*begin);
        assert!((arrived - 1_000_000).abs() <= 1, "drive {drive} is at {arrived}");
        assert_ne!(rig.statusword(drive) & o::STATUS_FOLLOWS_COMMAND, 0);
    }
}

#[test]
fn every_cycle_brings_one_fresh_setpoint_to_each_drive() {
    let mut rig = Rig::new(cell());
    rig.enable_all();
    for drive in 0..6 {
        rig.segment_mut().drain_received(drive, |_| {});
    }
    rig.cycles(1000);
    for drive in 0..6 {
        let mut received = Vec::new();
        rig.segment_mut().drain_received(drive, |setpoint| received.push(setpoint));
        assert!((999..=1001).contains(&received.len()), "drive {drive} received {}", received.len());
        let stale = received.iter().filter(|setpoint| !setpoint.is_fresh).count();
        assert_eq!(stale, 0, "drive {drive}");
    }
}

#[test]
fn the_same_description_and_frames_give_the_same_bytes() {
    let run = || {
        let mut rig = Rig::new(cell());
        rig.enable_all();
        let mut seen = Vec::new();
        for cycle in 0..500 {
            for drive in 0..6 {
                let target = rig.position(drive).wrapping_add(cycle % 7);
                rig.set_target(drive, target);
            }
            rig.cycle();
            for device in 0..8 {
                seen.extend_from_slice(rig.bus.inputs(device));
            }
        }
        seen
    };
    assert_eq!(run(), run());
}

#[test]
fn a_silent_controller_makes_the_devices_safe_within_the_watchdog_time() {
    let mut rig = Rig::new(cell());
    rig.enable_all();
    rig.bus.outputs_mut(6)[0] = 0xFF;
    rig.cycles(3);
    assert_eq!(rig.segment().digital_outputs(6), 0xFF);
    let silent_until = rig.bus.now().plus(Nanoseconds(12_000_000));
    rig.segment_mut().advance_to(silent_until);
    assert_eq!(rig.segment().digital_outputs(6), 0);
    for device in 0..8 {
        let seen = rig.segment().device(device).unwrap();
        assert_eq!((seen.al_status.state, seen.al_status.error), (AlState::SafeOp, true));
        assert_eq!((seen.al_status.code, seen.watchdog_expiries), (0x001B, 1));
    }
    for drive in 0..6 {
        assert_eq!(rig.segment().drive(drive).unwrap().error_code, 0x7500);
    }
}

#[test]
fn a_drive_with_another_identity_is_reported_by_the_bus_comparison() {
    let mut wrong = cell();
    wrong.devices[2].device.identity.product += 1;
    let error = Rig::try_new(wrong, &cell()).err();
    assert!(matches!(error, Some(BringUpError::BusDiffers { .. })), "{error:?}");
}

#[test]
fn a_refused_state_is_reported_with_its_code() {
    let description = cell();
    let mut segment = motiond::simulator::Segment::new(description.clone()).unwrap();
    segment.inject(Injection::RefuseState { device: 3, state: AlState::SafeOp, code: 0x0024 }).unwrap();
    let error = Rig::try_with(segment, &description).err();
    let text = format!("{error:?}");
    assert!(text.contains("36"), "AL status code 0x0024 in {text}");
}

#[test]
fn a_detached_tail_lowers_the_working_counter_and_comes_back_in_init() {
    let mut rig = Rig::new(cell());
    let expected = rig.cycle().expected_working_counter;
    rig.segment_mut().inject(Injection::Detach { position: 5 }).unwrap();
    assert!(rig.cycle().working_counter < expected);
    rig.segment_mut().inject(Injection::Attach).unwrap();
    rig.cycles(1);
    rig.segment_mut().inject(Injection::PowerCycle { device: 5, off_for: Nanoseconds(5_000_000) }).unwrap();
    rig.cycles(20);
    let back = rig.segment().device(5).unwrap();
    assert!(back.is_reachable);
    assert_eq!(back.al_status.state, AlState::Init);
    assert!(!rig.cycle().is_fresh(5));
}

#[test]
fn any_position_at_power_on_survives_enabling() {
    for initial in [0, 1, -1, i32::MAX, i32::MIN, i32::MAX - 3, 0x7FFF_0000] {
        let mut description = cell();
        support::set_initial_position(&mut description, 0, initial);
        let mut rig = Rig::new(description);
        rig.enable_all();
        rig.cycles(100);
        assert_eq!(rig.position(0), initial);
        let target = initial.wrapping_add(5000);
        for step in 1..=50 {
            rig.set_target(0, initial.wrapping_add(step * 100));
            rig.cycle();
        }
        rig.cycles(300);
        let off = rig.position(0).wrapping_sub(target);
        assert!(off.abs() <= 1, "from {initial}: off by {off}");
    }
}

#[test]
fn the_mapping_from_the_factory_is_not_the_one_of_the_device_type() {
    // Otherwise nothing would show that the controller writes it.
    let rig = Rig::new(cell());
    assert_ne!(servo_device().outputs.bytes(), 6);
    assert_eq!(rig.bus_inputs_len(0), servo_device().inputs.bytes());
}
