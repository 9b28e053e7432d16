//! Rows 16 and 17: distributed clocks.

use motiond::machine::MachineState;

use crate::drill::{ALL, Drill};

/// Row 16: a clock that stays away from the reference.
#[test]
fn a_clock_one_microsecond_off_warns_and_twenty_microseconds_off_stop_on_the_path() {
    let mut drill = Drill::in_motion();
    // The control loop of the device takes away 1 µs a cycle at most: gone before it counts.
    drill.inject("dc step 3 60 us");
    drill.cycles(300);
    assert_eq!(drill.state(), MachineState::Executing);
    assert!(!drill.client.has_event(|event| event["kind"] == "fault"));

    let mut drill = Drill::in_motion();
    drill.inject("dc step 3 400 us");
    drill.until(MachineState::Held, 2_000);
    drill.cycles(100);
    assert!(drill.has_fault("E1007"), "{:#?}", drill.client.last_events());
    let first = drill.first_reaction(&ALL).unwrap();
    // A hundred cycles, from the first reading on: every device is read once in 26 cycles.
    assert!((100..=100 + 3 * 8 + 2 + 2).contains(&first), "first reaction in frame {first}");
    drill.assert_path_hold("clock difference", first);
    drill.assert_becomes_ready("clock difference", "");
}

/// Row 17: the frames are away from their place before SYNC0.
#[test]
fn frames_a_third_of_a_cycle_from_their_place_stop_on_the_path_and_are_slewed_back() {
    let mut drill = Drill::in_motion();
    drill.inject("dc step 1 330 us");
    drill.cycles(1_500);
    assert!(drill.has_fault("E1008"), "{:#?}", drill.client.last_events());
    let first = drill.first_reaction(&ALL).unwrap();
    assert!((10..=12).contains(&first), "first reaction in frame {first}");
    drill.until(MachineState::Held, 10);
    drill.assert_path_hold("phase", first);
    let status = drill.status();
    assert_eq!(status["bus"]["clock"]["locked"], true, "{status}");
    assert_eq!(status["bus"]["clock"]["lock_losses"], 1, "{status}");
    drill.assert_becomes_ready("phase", "");
}
