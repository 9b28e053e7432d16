//! Rows 12 to 15: drives that fault, leave their state, do not follow or show nonsense.

use motiond::machine::MachineState;
use motiond::simulator::DriveState;

use crate::drill::{ALL, Drill, ENABLED, others};

/// Cycles from a change in a drive to the frame that shows it: its inputs are latched at SYNC0 and fetched by the
/// frame after that.
const SHOWN_AFTER: usize = 0;

/// Row 12: a drive fault is a joint stop of the others in the next frame, with its code and text.
#[test]
fn a_drive_fault_stops_the_others_together_and_says_the_code() {
    for code in [0x2310_u16, 0x2320, 0x3210, 0x3220, 0x4310, 0x7121, 0x7305, 0x7320, 0x7500, 0x8611, 0x8612] {
        let mut drill = Drill::in_motion();
        drill.inject(&format!("drive 3 fault {code:#06x}"));
        drill.cycles(600);
        let name = format!("{code:#06x}");
        let first = drill.first_reaction(&others(2)).unwrap();
        assert!(first <= SHOWN_AFTER + 1, "{name}: first reaction in frame {first}");
        drill.assert_joint_stop(&name, first, &others(2));
        let fault = drill
            .client
            .events
            .iter()
            .find(|event| event["kind"] == "fault" && event["code"] == "E2001")
            .unwrap()
            .clone();
        assert_eq!(fault["value"], format!("0x{code:04X}"), "{fault}");
        let text = fault["detail"].as_str().unwrap();
        assert!(text.contains(&format!("{code:#06x}")), "{text}");
        if code == 0x2310 {
            drill.until(MachineState::Fault, 3_500);
            drill.cycles(1_000);
            assert_eq!(drill.drive_state(2), DriveState::Fault, "reset by itself");
            drill.assert_becomes_ready(&name, "");
        }
    }
}

/// Row 13: enable, voltage, STO or quick-stop lost without being told to.
#[test]
fn a_drive_that_leaves_its_state_stops_the_others_and_its_target_follows_it() {
    for (name, line, cure, code) in [
        ("STO of one drive", "sto on 2", "sto off 2", "E2002"),
        ("voltage of one drive", "voltage lost 2", "voltage back 2", "E2001"),
    ] {
        let mut drill = Drill::in_motion();
        drill.inject(line);
        drill.cycles(600);
        let first = drill.first_reaction(&others(1)).unwrap();
        assert!(first <= SHOWN_AFTER + 1, "{name}: first reaction in frame {first}");
        drill.assert_joint_stop(name, first, &others(1));
        assert!(drill.has_fault(code), "{name}: {:#?}", drill.client.last_events());
        // The one concerned: not enabled again, its target is where it is.
        for frame in &drill.frames[first..] {
            let Some(one) = frame[1] else { continue };
            assert_ne!(one.controlword & 0x8F, ENABLED, "{name}: enabled during the reaction");
        }
        let last = drill.frames.last().unwrap()[1].unwrap();
        let behind = last.target_position.wrapping_sub(last.position_actual).unsigned_abs();
        assert!(behind < 2_000_000, "{name}: target {behind} counts away from the shaft");
        drill.until(MachineState::Fault, 4_000);
        drill.assert_becomes_ready(name, cure);
    }
}

/// Row 13 for all drives at once: nothing is left to stop.
#[test]
fn safe_torque_off_of_all_drives_leaves_nothing_enabled() {
    let mut drill = Drill::in_motion();
    drill.inject("sto on");
    drill.cycles(SHOWN_AFTER as u64 + 3);
    for drive in ALL {
        let word = drill.frames[SHOWN_AFTER + 1][drive].unwrap().controlword;
        assert_ne!(word & 0x8F, ENABLED, "drive {}", drive + 1);
    }
    drill.until(MachineState::Fault, 4_000);
    // Released while the fault is latched: nothing is switched on.
    drill.inject("sto off");
    drill.cycles(500);
    for frame in &drill.frames[SHOWN_AFTER + 1..] {
        for one in frame.iter().flatten() {
            assert_ne!(one.controlword & 0x8F, ENABLED);
        }
    }
    drill.assert_becomes_ready("STO", "");
}

/// Row 14: a shaft that is stuck.
#[test]
fn a_stuck_axis_is_a_joint_stop_before_it_is_twice_its_limit_behind() {
    let mut drill = Drill::in_motion();
    drill.inject("plant 1 stall");
    let mut cycles = 0;
    while drill.state() == MachineState::Executing && cycles < 300 {
        drill.cycle();
        cycles += 1;
    }
    drill.cycles(600);
    assert!(drill.has_fault("E2005"), "{:#?}", drill.client.last_events());
    let first = drill.first_reaction(&others(0)).unwrap();
    drill.assert_joint_stop("stuck axis", first, &others(0));
    // From the frame in which the error exceeds the limit to the one with the reaction: one cycle.
    let fault = drill.client.events.iter().find(|event| event["code"] == "E2005").unwrap().clone();
    let degrees = |key: &str| -> f64 {
        fault[key].as_str().and_then(|text| text.strip_suffix(" °")).unwrap().parse().unwrap()
    };
    let (value, limit) = (degrees("value"), degrees("limit"));
    let speed_max_deg_s = 200.0;
    assert!(value > limit && value - limit <= speed_max_deg_s * 2e-3, "{value} °, limit {limit} °");
    drill.until(MachineState::Fault, 4_000);
    drill.assert_becomes_ready("stuck axis", "plant 1 free");
}

/// Row 15: a jump of an encoder is a quick stop of that axis and a joint stop of the others.
#[test]
fn an_encoder_jump_is_a_quick_stop_of_its_axis_and_a_joint_stop_of_the_others() {
    let mut drill = Drill::in_motion();
    // About 0.1 rad at the joint.
    drill.inject("encoder 2 jump 20000000");
    drill.cycles(600);
    let first = drill.first_reaction(&others(1)).unwrap();
    assert!(first <= SHOWN_AFTER + 1, "first reaction in frame {first}");
    assert_eq!(drill.first_reaction(&[1]), Some(first));
    drill.assert_quick_stop("encoder jump", first, &[1]);
    drill.assert_joint_stop("encoder jump", first, &others(1));
    let fault = drill.client.events.iter().find(|event| event["code"] == "E2006").unwrap();
    assert_eq!(fault["where"], "joint 2");
}
