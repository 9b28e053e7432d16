//! A recorded bring-up replays to the same result.

use motiond::fieldbus::link::capture::Capture;
use motiond::fieldbus::link::replay::Replay;
use motiond::fieldbus::{FrameLink, FramePump, PumpSettings, bring_up};
use motiond::simulator::{AlState, Injection, Segment};
use motiond::units::Nanoseconds;

use crate::segment_link::{SegmentLink, description, segment};

fn recording_link(segment: Segment) -> Capture<SegmentLink> {
    Capture::new(SegmentLink::new(segment), 20_000, 16 << 20)
}

fn replay_of(capture: &Capture<SegmentLink>) -> Replay {
    let mut file = Vec::new();
    capture.write_pcapng(&mut file, 0).expect("memory takes everything");
    Replay::from_pcapng(&file).expect("what was just written is a recording")
}

#[test]
fn a_recorded_bring_up_and_its_first_cycles_replay_to_the_same_result() {
    fn cycles<L: FrameLink>(bus: &mut motiond::fieldbus::Bus<L>) -> Vec<(bool, u16, Vec<u8>)> {
        (0..50)
            .map(|_| {
                let start = bus.wait_for_cycle();
                let report = bus.exchange(start.planned.plus(Nanoseconds(800_000)));
                (report.fresh, report.working_counter, bus.inputs(3).to_vec())
            })
            .collect()
    }
    let pump = FramePump::new(recording_link(segment()), PumpSettings::SIMULATED);
    let mut bus = bring_up(pump, &description()).unwrap_or_else(|failure| panic!("{}", failure.error));
    let recorded = cycles(&mut bus);
    let ended = bus.now();
    let replay = replay_of(bus.link());
    let pump = FramePump::new(replay, PumpSettings::SIMULATED);
    let mut bus = bring_up(pump, &description()).unwrap_or_else(|failure| panic!("{}", failure.error));
    assert_eq!(cycles(&mut bus), recorded);
    assert_eq!((bus.now(), bus.link().strangers()), (ended, 0));
}

#[test]
fn a_recorded_refusal_replays_to_the_same_words() {
    let mut segment = segment();
    let refuse = Injection::RefuseState { device: 3, state: AlState::SafeOp, code: 0x001E };
    segment.inject(refuse).expect("the device exists");
    let pump = FramePump::new(recording_link(segment), PumpSettings::SIMULATED);
    let failure = bring_up(pump, &description()).map(drop).expect_err("refused");
    let replay = replay_of(failure.pump.link());
    let again = bring_up(FramePump::new(replay, PumpSettings::SIMULATED), &description());
    let again = again.map(drop).expect_err("refused again");
    assert_eq!(again.error.to_string(), failure.error.to_string());
}

#[test]
fn another_controller_than_the_recorded_one_gets_no_answers() {
    let pump = FramePump::new(recording_link(segment()), PumpSettings::SIMULATED);
    let bus = bring_up(pump, &description()).unwrap_or_else(|failure| panic!("{}", failure.error));
    let mut other = description();
    other.devices[2].startup.clear();
    let replay = replay_of(bus.link());
    let failure = bring_up(FramePump::new(replay, PumpSettings::SIMULATED), &other).map(drop);
    let failure = failure.expect_err("the frames are others");
    assert!(failure.pump.link().strangers() > 0);
}

#[test]
fn a_damaged_file_is_refused_with_the_place() {
    let pump = FramePump::new(recording_link(segment()), PumpSettings::SIMULATED);
    let bus = bring_up(pump, &description()).unwrap_or_else(|failure| panic!("{}", failure.error));
    let mut file = Vec::new();
    bus.link().write_pcapng(&mut file, 0).expect("memory takes everything");
    for length in [0, 10, 30, 61, 63, 100, 101] {
        // Whatever is cut off: an error or fewer frames, never a panic.
        let _outcome = Replay::from_pcapng(&file[..length]);
    }
    assert!(Replay::from_pcapng(&file[..101]).expect_err("cut").to_string().contains("cut off"));
    assert!(Replay::from_pcapng(b"#!/bin/sh\n").expect_err("no recording").to_string().contains("pcapng"));
}
