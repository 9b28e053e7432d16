//! Ten thousand cycles of process data against the simulated segment: nothing on the heap, no system call
//! outside the list.

use motiond::devices::{Device, MAX_SUBDEVICES, objects};
use motiond::fieldbus::{Bus, BusDescription, ExpectedDevice, SdoWrite, bring_up};
use motiond::platform::system_call_filter::{forbidden_system_calls, install};
use motiond::platform::trap_allocator::HeapCounts;
use motiond::simulator::{Segment, SegmentDescription};
use motiond::units::Nanoseconds;

use crate::heap::heap_use_in_cycle;
use crate::segment_link::{CYCLE, SegmentLink, description, drive, entry, map, pump_on, segment, simulated};
use crate::take_turn;

const CYCLES: usize = 10_000;
/// Following error actual value (CiA 402-2): the controller works it out itself.
const FOLLOWING_ERROR_ACTUAL: u16 = 0x60F4;

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

/// A drive that tells as much as drives do: 16 bytes out, 40 bytes in.
fn talkative_drive() -> Device {
    let outputs = [
        entry(objects::CONTROLWORD, 0, 16),
        entry(objects::TARGET_POSITION, 0, 32),
        entry(objects::MODE, 0, 8),
        entry(0, 0, 8),
        entry(objects::TARGET_VELOCITY, 0, 32),
        entry(objects::VELOCITY_OFFSET, 0, 32),
    ];
    let inputs = [
        entry(objects::STATUSWORD, 0, 16),
        entry(objects::POSITION_ACTUAL, 0, 32),
        entry(objects::MODE_DISPLAY, 0, 8),
        entry(0, 0, 8),
        entry(objects::VELOCITY_ACTUAL, 0, 32),
        entry(objects::TORQUE_ACTUAL, 0, 16),
        entry(objects::ERROR_CODE, 0, 16),
        entry(objects::DIGITAL_INPUTS, 0, 32),
        entry(FOLLOWING_ERROR_ACTUAL, 0, 32),
        entry(objects::TOUCH_PROBE_1_POSITIVE, 0, 32),
        entry(objects::TOUCH_PROBE_1_NEGATIVE, 0, 32),
        entry(objects::TOUCH_PROBE_2_POSITIVE, 0, 32),
        entry(objects::TOUCH_PROBE_2_NEGATIVE, 0, 32),
    ];
    Device { outputs: map(0x1600, &outputs), inputs: map(0x1A00, &inputs), ..drive() }
}

#[test]
fn thirty_two_drives_with_clocks_in_several_frames_a_cycle_use_no_heap_and_no_system_call() {
    let _turn = take_turn();
    let thread = std::thread::spawn(|| {
        let devices = [talkative_drive(); MAX_SUBDEVICES];
        let startup: Vec<SdoWrite> = SdoWrite::interpolation_period(CYCLE).into_iter().flatten().collect();
        let expected = (1..).zip(devices).map(|(number, device)| ExpectedDevice {
            name: format!("drive {number}"),
            device,
            alias: None,
            startup: startup.clone(),
            reactions: Vec::new(),
        });
        let description = BusDescription::new(expected.collect(), CYCLE);
        let segment = Segment::new(SegmentDescription::new(simulated(&devices))).expect("a valid segment");
        let mut bus = bring_up(pump_on(segment), &description)
            .unwrap_or_else(|failure| panic!("the bus comes up: {}", failure.error));
        install().expect("this kernel has seccomp");
        let before = forbidden_system_calls();
        let (mut fresh, mut frames, mut is_locked) = (0, 0, false);
        let heap = heap_use_in_cycle(|| {
            for _ in 0..CYCLES {
                let start = bus.wait_for_cycle();
                let sent_before = frames;
                let report = bus.exchange(start.planned.plus(Nanoseconds(800_000)));
                frames = report.link.sent;
                let carried_by_several = sent_before == 0 || frames - sent_before >= 2;
                fresh += usize::from(report.fresh && carried_by_several);
                is_locked = report.clock.is_some_and(|clock| clock.locked);
            }
        });
        (fresh, is_locked, heap, forbidden_system_calls() - before)
    });
    let (fresh, is_locked, heap, forbidden) = thread.join().expect("the thread ends");
    assert_eq!((fresh, is_locked), (CYCLES, true));
    assert_eq!(heap, HeapCounts::default());
    assert_eq!(forbidden, 0);
    println!(
        "{CYCLES} cycles with 32 drives and clocks, several frames each: no heap, no forbidden system call"
    );
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
