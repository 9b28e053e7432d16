//! Ten thousand cycles of process data against the simulated segment: nothing on the heap, no system call
//! outside the list.

use motiond::fieldbus::{Bus, bring_up};
use motiond::platform::system_call_filter::{forbidden_system_calls, install};
use motiond::platform::trap_allocator::HeapCounts;
use motiond::units::Nanoseconds;

use crate::heap::heap_use_in_cycle;
use crate::segment_link::{SegmentLink, description, pump_on, segment};
use crate::take_turn;

const CYCLES: usize = 10_000;

fn run_cycles(bus: &mut Bus<SegmentLink>) -> usize {
    let mut fresh = 0;
    for count in 0..CYCLES {
        let start = bus.wait_for_cycle();
        let report = bus.exchange(start.planned.plus(Nanoseconds(800_000)));
        fresh += usize::from(report.fresh);
        for drive in 0..6 {
            let position = bus.inputs(drive).get(2..6).and_then(|bytes| bytes.first_chunk::<4>()).copied();
            if let (Some(position), Some(target)) = (position, bus.outputs_mut(drive).get_mut(2..6)) {
                target.copy_from_slice(&position);
            }
        }
        if count % 16 == 0 {
            let deadline = bus.now().plus(Nanoseconds(100_000));
            let status = bus.al_status(count % 8, deadline);
            fresh -= usize::from(status.is_none());
        }
    }
    fresh
}

#[test]
fn ten_thousand_exchanges_use_no_heap_and_no_system_call() {
    let _turn = take_turn();
    let thread = std::thread::spawn(|| {
        let mut bus = bring_up(pump_on(segment()), &description()).expect("the bus comes up");
        install().expect("this kernel has seccomp");
        let before = forbidden_system_calls();
        let mut fresh = 0;
        let heap = heap_use_in_cycle(|| fresh = run_cycles(&mut bus));
        let forbidden = forbidden_system_calls() - before;
        // Freeing what bring-up made may give memory back to the system: after the count.
        (fresh, heap, forbidden)
    });
    let (fresh, heap, forbidden) = thread.join().expect("the thread ends");
    assert_eq!(fresh, CYCLES);
    assert_eq!(heap, HeapCounts::default());
    assert_eq!(forbidden, 0);
}

#[test]
fn exchanges_that_are_lost_use_no_heap_either() {
    use motiond::simulator::Injection;
    let _turn = take_turn();
    let mut bus = bring_up(pump_on(segment()), &description()).expect("the bus comes up");
    let lost_frames = Injection::DropFrames { count: 500, processed: false };
    bus.link_mut().segment.inject(lost_frames).expect("always possible");
    let mut lost = 0;
    let heap = heap_use_in_cycle(|| {
        for _ in 0..500 {
            let start = bus.wait_for_cycle();
            lost = bus.exchange(start.planned.plus(Nanoseconds(800_000))).lost;
        }
    });
    assert_eq!((lost, heap), (500, HeapCounts::default()));
}
