//! Rows 1 to 8: frames that are lost, late, twice, damaged, and wrong working counters.

use motiond::machine::MachineState;

use crate::drill::{ALL, Drill};

/// Row 1: one frame lost is ridden through.
#[test]
fn one_lost_frame_every_ten_milliseconds_changes_nothing_the_drives_receive() {
    let mut drill = Drill::in_motion();
    for _ in 0..9 {
        drill.inject("drop 1");
        drill.cycles(210);
    }
    drill.assert_undisturbed("one lost frame");
    assert!(!drill.client.has_event(|event| event["kind"] == "warning"));
    assert_eq!(drill.status()["counters"]["lost_frames"], 9);
}

/// Row 2: two or three in a row are ridden through, and somebody is told.
#[test]
fn two_or_three_lost_frames_warn_and_change_nothing_the_drives_receive() {
    for count in [2, 3] {
        let mut drill = Drill::in_motion();
        drill.inject(&format!("drop {count}"));
        drill.cycles(500);
        drill.assert_undisturbed("lost frames");
        assert!(drill.has_warning("E1001"), "{count} lost frames: {:#?}", drill.client.last_events());
        assert!(!drill.client.has_event(|event| event["kind"] == "fault"));
    }
}

/// Row 3: four in a row, or as many in a short time, are a quick stop in the fifth frame and every one after it.
#[test]
fn four_lost_frames_are_a_quick_stop_in_the_fifth_and_in_every_one_that_follows() {
    for (name, count) in [("four frames", 4), ("forty frames", 40)] {
        let mut drill = Drill::in_motion();
        drill.inject(&format!("drop {count}"));
        drill.cycles(100);
        // Frames that are lost on their way back have reached the drives: so do those with the reaction.
        assert_eq!(drill.first_reaction(&ALL), Some(4), "{name}");
        drill.assert_quick_stop(name, 4, &ALL);
        assert!(drill.has_fault("E1001"));
        drill.until(MachineState::Fault, 3_000);
        drill.assert_becomes_ready(name, "");
    }
}

#[test]
fn every_second_frame_lost_fills_the_bucket_and_is_a_quick_stop() {
    let mut drill = Drill::in_motion();
    // 3 for a lost frame, 1 off for a good one: above 9 with the fifth.
    for _ in 0..5 {
        drill.inject("drop 1");
        drill.cycles(2);
    }
    drill.cycles(100);
    assert_eq!(drill.first_reaction(&ALL), Some(9), "five of nine frames");
    drill.assert_quick_stop("bucket", 9, &ALL);
    drill.until(MachineState::Fault, 3_000);
    drill.assert_becomes_ready("bucket", "");
}

/// Row 3, without end: the drives' own watchdogs stop them within 10 ms.
#[test]
fn when_frames_stop_for_good_the_drives_stop_by_their_own_watchdog() {
    let mut drill = Drill::in_motion();
    drill.inject("detach 1");
    let mut stopped_after = None;
    for cycle in 0..400 {
        drill.cycle();
        if stopped_after.is_none()
            && (0..6)
                .all(|drive| drill.client.cell.segment_mut().device(drive).unwrap().watchdog_expiries > 0)
        {
            stopped_after = Some(cycle);
        }
    }
    assert!(stopped_after.is_some_and(|cycles| cycles <= 11), "watchdog after {stopped_after:?} cycles");
    for drive in 0..6 {
        let speed = drill.client.cell.segment_mut().drive(drive).unwrap().velocity_counts_s;
        // 1 mrad/s at the joint whose drive counts least: the arm still swings behind the brakes.
        assert!(speed.abs() < 8_000.0, "drive {drive} still moves at {speed} counts/s");
    }
    drill.until(MachineState::Fault, 4_000);
    drill.assert_becomes_ready("no frames", "attach");
}

/// Row 4: a share of frames lost over ten seconds.
#[test]
fn more_than_one_frame_in_a_thousand_warns_and_more_than_one_in_a_hundred_stops_on_the_path() {
    let mut drill = Drill::in_motion();
    let mut losses = 0;
    let mut warned_at = None;
    while drill.state() == MachineState::Executing && losses < 200 {
        drill.inject("drop 1");
        drill.cycles(19);
        losses += 1;
        if warned_at.is_none() && drill.has_warning("E1006") {
            warned_at = Some(losses);
        }
    }
    assert_eq!((warned_at, losses), (Some(11), 101));
    assert!(drill.has_fault("E1006"));
    drill.until(MachineState::Held, 2_000);
    // The frame with the hundred and first loss is the first; the reaction is in the next.
    let lost = 100 * 19;
    assert_eq!(drill.first_reaction(&ALL), Some(lost + 1));
    drill.cycles(100);
    drill.assert_path_hold("loss rate", lost + 1);
    drill.assert_becomes_ready("loss rate", "");
}

/// Row 5: late, twice, out of order: never used as current; late is lost.
#[test]
fn late_double_and_swapped_frames_are_never_taken_for_current() {
    for (name, line, counter, lost) in [
        ("late", "delay 900 us for 3", "late", 3),
        ("later than a cycle", "delay 1700 us for 3", "late", 3),
        ("duplicate", "dup 50", "duplicate", 0),
    ] {
        let mut drill = Drill::in_motion();
        drill.inject(line);
        drill.cycles(400);
        drill.assert_undisturbed(name);
        let status = drill.status();
        assert_eq!(status["counters"]["lost_frames"], lost, "{name}: {status}");
        assert!(status["bus"]["line"][counter].as_u64().unwrap() >= 3, "{name}: {status}");
    }
    let mut drill = Drill::in_motion();
    drill.inject("delay 900 us for 4");
    drill.cycles(100);
    assert_eq!(drill.first_reaction(&ALL), Some(4), "four late frames are four lost ones");
    drill.assert_quick_stop("late", 4, &ALL);
    drill.until(MachineState::Fault, 3_000);
    drill.assert_becomes_ready("late", "");
}

/// Row 6: damaged headers are dropped and counted; whatever one damaged byte does, nothing moves wrongly, and
/// the daemon lives.
#[test]
fn a_damaged_byte_anywhere_never_moves_the_arm_wrongly() {
    // A whole cyclic frame of the cell: headers, every drive's data, AL states.
    for offset in (0..330).step_by(3) {
        let mut drill = Drill::in_motion();
        drill.inject(&format!("flip byte {offset} for 1"));
        drill.cycles(60);
        let state = drill.state();
        assert!(
            matches!(
                state,
                MachineState::Executing
                    | MachineState::Holding
                    | MachineState::Held
                    | MachineState::FaultReaction
                    | MachineState::Fault
            ),
            "byte {offset}: {state:?}"
        );
        // The headers of Ethernet and EtherCAT, up to the data of the first datagram: one lost frame.
        if (6..26).contains(&offset) {
            drill.assert_undisturbed(&format!("byte {offset}"));
        }
    }
}

/// Row 7: a working counter that is too low is a lost frame for the data it belongs to.
#[test]
fn a_low_working_counter_is_like_a_lost_frame() {
    for count in [1, 3] {
        let mut drill = Drill::in_motion();
        drill.inject(&format!("wkc -1 for {count}"));
        drill.cycles(500);
        drill.assert_undisturbed("low working counter");
        assert_eq!(drill.status()["counters"]["wkc_errors"], count);
    }
    let mut drill = Drill::in_motion();
    drill.inject("wkc -1 for 4");
    drill.cycles(100);
    assert_eq!(drill.first_reaction(&ALL), Some(4));
    drill.assert_quick_stop("low working counter", 4, &ALL);
    assert!(drill.has_fault("E1002"));
    drill.until(MachineState::Fault, 3_000);
    drill.assert_becomes_ready("low working counter", "");
}

/// Row 8: a working counter that is too high stops on the path at once, and the bus is counted.
#[test]
fn a_high_working_counter_stops_on_the_path_and_counts_the_bus() {
    let mut drill = Drill::in_motion();
    drill.inject("wkc +1 for 1");
    drill.until(MachineState::Held, 2_000);
    drill.cycles(100);
    assert_eq!(drill.first_reaction(&ALL), Some(1));
    drill.assert_path_hold("high working counter", 1);
    assert!(drill.has_fault("E1003"));
    assert!(
        drill.client.has_event(|event| event["kind"] == "bus_counted"
            && event["found"] == 8
            && event["expected"] == 8),
        "{:#?}",
        drill.client.last_events()
    );
    drill.assert_becomes_ready("high working counter", "");
}
