//! Bring-up and cyclic exchange against the simulated segment, in virtual time.

use motiond::devices::objects;
use motiond::fieldbus::{
    AlState, BringUpError, BringUpFailure, Bus, BusDifference, ExchangeReport, FrameLink, FramePump,
    PumpSettings, SdoValue, SdoWrite, bring_up,
};
use motiond::simulator::{Injection, Segment, SegmentDescription};
use motiond::units::Nanoseconds;

use crate::segment_link::{
    CYCLE, SegmentLink, description, drive, expected_cell, pump_on, segment, simulated,
};

fn bus() -> Bus<SegmentLink> {
    bring_up(pump_on(segment()), &description()).unwrap_or_else(|failure| panic!("{}", failure.error))
}

fn failure_of(segment: Segment) -> BringUpFailure<SegmentLink> {
    *bring_up(pump_on(segment), &description()).expect_err("this bus must not come up")
}

fn cycle<L: FrameLink>(bus: &mut Bus<L>) -> ExchangeReport {
    let start = bus.wait_for_cycle();
    bus.exchange(start.planned.plus(Nanoseconds(800_000)))
}

fn statusword(bus: &Bus<SegmentLink>, drive: usize) -> u16 {
    u16::from_le_bytes([bus.inputs(drive)[0], bus.inputs(drive)[1]])
}

#[test]
fn six_drives_and_two_terminals_come_to_op() {
    let begin = std::time::Instant::now();
    let mut bus = bus();
    println!(
        "start to OP: {:.1} ms of wall time, {:.1} ms of bus time, {:?}",
        begin.elapsed().as_secs_f64() * 1e3,
        bus.now().as_seconds() * 1e3,
        bus.link().segment.statistics(),
    );
    let report = cycle(&mut bus);
    assert!(report.answered && report.fresh);
    assert_eq!((report.working_counter, report.expected_working_counter), (24, 24));
    assert!(report.al_states[..8].iter().all(|state| *state == AlState::Op));
    assert!(report.al_states[8..].iter().all(|state| *state == AlState::NoAnswer));
    assert_eq!((report.lost, report.working_counter_errors), (0, 0));
    assert!(report.clock.is_some_and(|clock| clock.locked));
    for drive in 0..6 {
        assert_eq!((bus.inputs(drive).len(), bus.outputs_mut(drive).len()), (16, 8));
        // Switch on disabled: a drive without controlword.
        assert_eq!(statusword(&bus, drive) & 0x4F, objects::STATUS_SWITCH_ON_DISABLED);
    }
    assert_eq!((bus.inputs(6).len(), bus.outputs_mut(6).len()), (1, 1));
    assert_eq!((bus.inputs(7).len(), bus.outputs_mut(7).len()), (4, 4));
    assert_eq!((bus.inputs(8).len(), bus.outputs_mut(8).len()), (0, 0));
}
