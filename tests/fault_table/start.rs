//! Row 20: a bus that is not the configured one.

use motiond::cli::assembly::Assembly;
use motiond::cli::fault_script::FaultScript;
use motiond::cli::simulated_link::{Pace, SimulatedLink};
use motiond::fieldbus::{BringUpError, FramePump, PumpSettings, bring_up};
use motiond::simulator::AlState;

/// Row 20: another identity, order or number of devices is refused before any of them gets outputs, with each
/// difference named; with the right ones it comes up.
#[test]
fn a_bus_that_differs_from_the_cell_is_refused_and_every_difference_is_listed() {
    let assembly = Assembly::load(None).unwrap();
    let description = assembly.bus_description();
    for (script, expected) in [
        ("at start: identity 3 product 0x999", &["drive-3 (position 2): product is 0x999"][..]),
        ("at start: identity 2 revision 7", &["drive-2 (position 1): revision is 0x7"][..]),
        ("at start: places 6 7", &["positions 5 and 6 are swapped"][..]),
        ("at start: detach 7", &["(position 6, ", "(position 7, "][..]),
        (
            "at start: identity 1 vendor 5\nat start: identity 4 product 6",
            &["drive-1 (position 0): vendor is 0x5", "drive-4 (position 3): product is 0x6"][..],
        ),
    ] {
        let mut segment = assembly.simulated_segment(1).unwrap();
        for injection in FaultScript::parse(script).unwrap().at_start() {
            segment.inject(injection).unwrap();
        }
        let pump = FramePump::new(SimulatedLink::new(segment, Pace::Virtual), PumpSettings::SIMULATED);
        let failure = bring_up(pump, &description).map(drop).expect_err("another bus");
        let text = failure.error.to_string();
        assert!(matches!(failure.error, BringUpError::BusDiffers { .. }), "{script}: {text}");
        for words in expected {
            assert!(text.contains(words), "{script}: {text}");
        }
        let mut pump = failure.pump;
        let segment = pump.link_mut().segment_mut();
        for device in 0..segment.device_count() {
            let state = segment.device(device).unwrap().al_status.state;
            assert!(
                matches!(state, AlState::Init | AlState::PreOp),
                "{script}: device {device} is in {state:?}"
            );
        }
    }
    // The same link, with what the cell describes: the fault has ended.
    let mut segment = assembly.simulated_segment(1).unwrap();
    for injection in FaultScript::parse("at start: detach 7").unwrap().at_start() {
        segment.inject(injection).unwrap();
    }
    let pump = FramePump::new(SimulatedLink::new(segment, Pace::Virtual), PumpSettings::SIMULATED);
    let mut pump = bring_up(pump, &description).map(drop).expect_err("two are missing").pump;
    for injection in FaultScript::parse("at start: attach").unwrap().at_start() {
        pump.link_mut().segment_mut().inject(injection).unwrap();
    }
    assert!(bring_up(pump, &description).is_ok());
}
