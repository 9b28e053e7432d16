//! Rows 9 to 11, 18 to 20: SubDevices that are gone, restarted or out of OP, the network interface, mailboxes, and a
//! bus that is not the configured one.

use motiond::machine::MachineState;

use crate::drill::{ALL, Drill, others};

/// Row 9: the cable is cut behind drive 4.
#[test]
fn a_cut_cable_stops_the_remaining_axes_together_and_its_place_is_told() {
    let mut drill = Drill::in_motion();
    drill.inject("detach 5");
    drill.cycles(600);
    let remaining = [0, 1, 2, 3];
    let first = drill.first_reaction(&remaining).unwrap();
    assert!(first <= 4, "first reaction in frame {first}");
    drill.assert_joint_stop("cut cable", first, &remaining);
    assert!(drill.has_fault("E1005"));
    let told = drill.client.events.iter().find(|event| event["kind"] == "bus_interrupted");
    let told = told.unwrap_or_else(|| panic!("{:#?}", drill.client.last_events())).clone();
    let text = told["message"].as_str().unwrap();
    assert!(text.contains("between `drive-4` (position 4) and `drive-5` (position 5)"), "{text}");
    let status = drill.status();
    assert!(status["bus"]["interruption"].as_str().unwrap().contains("between"), "{status}");
    drill.until(MachineState::Fault, 4_000);
    drill.assert_becomes_ready("cut cable", "attach");
}

/// Row 10: one SubDevice restarts; it comes back on command only.
#[test]
fn a_restarted_drive_is_taken_in_again_on_command_only_and_nothing_moves() {
    let mut drill = Drill::in_motion();
    drill.inject("powercycle 3 for 0.2 s");
    drill.cycles(600);
    let remaining = [0, 1];
    let first = drill.first_reaction(&remaining).unwrap();
    assert!(first <= 4, "first reaction in frame {first}");
    drill.assert_joint_stop("power cycle", first, &remaining);
    drill.until(MachineState::Fault, 4_000);
    drill.cycles(2_000);
    assert_eq!(drill.state(), MachineState::Fault, "taken in by itself");
    drill.assert_becomes_ready("power cycle", "");
}

/// Row 11: a drive falls to SAFE-OP.
#[test]
fn a_drive_in_safe_op_stops_the_others_within_two_cycles_and_its_code_is_told_in_words() {
    for (code, words) in [(0x001A, "synchronisation"), (0x001B, "watchdog"), (0x002C, "SYNC")] {
        let mut drill = Drill::in_motion();
        drill.inject(&format!("al 2 SAFEOP {code:#06x}"));
        drill.cycles(600);
        let first = drill.first_reaction(&others(1)).unwrap();
        assert!(first <= 2, "{code:#06x}: first reaction in frame {first}");
        drill.assert_joint_stop("SAFE-OP", first, &others(1));
        let told = drill.client.events.iter().find(|event| event["kind"] == "subdevice_left_op");
        let told = told.unwrap_or_else(|| panic!("{:#?}", drill.client.last_events())).clone();
        let text = told["message"].as_str().unwrap();
        assert!(text.contains("`drive-2`") && text.contains("SAFE-OP") && text.contains(words), "{text}");
        drill.until(MachineState::Fault, 4_000);
        drill.assert_becomes_ready("SAFE-OP", "");
    }
}

/// Row 18: the network interface refuses.
#[test]
fn a_network_interface_that_fails_is_like_lost_frames() {
    let mut drill = Drill::in_motion();
    drill.client.cell.link_mut().set_down(true);
    drill.inject("drop 0");
    drill.cycles(6);
    drill.client.cell.link_mut().set_down(false);
    drill.cycles(100);
    assert!(drill.has_fault("E1001"), "{:#?}", drill.client.last_events());
    // Nothing reached the drives meanwhile: the first frame afterwards is the quick stop.
    let first = drill.first_reaction(&ALL).unwrap();
    let unfresh =
        drill.frames[..first].iter().flat_map(|frame| frame.iter().flatten()).filter(|one| !one.is_fresh);
    assert!(unfresh.count() > 0);
    let status = drill.status();
    assert!(status["bus"]["line"]["send_errors"].as_u64().unwrap() >= 6, "{status}");
    drill.until(MachineState::Fault, 4_000);
    drill.assert_becomes_ready("interface", "");
}
