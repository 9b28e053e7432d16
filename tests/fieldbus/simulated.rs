//! Bring-up and cyclic exchange against the simulated segment, in virtual time.

use motiond::devices::{Device, PdoEntry, PdoMap, objects};
use motiond::fieldbus::frame_pump::LinkCounters;
use motiond::fieldbus::link::capture::Capture;
use motiond::fieldbus::link::fault_injection::{Fault, FaultInjection, FaultRates};
use motiond::fieldbus::{
    AlState, BringUpError, BringUpFailure, Bus, BusDifference, ExchangeReport, FrameLink, FramePump,
    LinkError, PumpSettings, SdoValue, SdoWrite, bring_up,
};
use motiond::simulator::{Channel, Injection, Segment, SegmentDescription};
use motiond::units::Nanoseconds;

use crate::segment_link::{
    CYCLE, SegmentLink, description, digital_terminal, expected_cell, pump_on, segment, simulated,
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

/// Every cycle of `cycles` in which the inputs were not fresh.
fn stale_cycles<L: FrameLink>(bus: &mut Bus<L>, cycles: u32) -> Vec<u32> {
    (0..cycles).filter(|_| !cycle(bus).fresh).collect()
}

#[test]
fn each_fault_of_the_wire_costs_only_the_cycles_it_touches() {
    let settings = PumpSettings::SIMULATED;
    let link = FaultInjection::new(SegmentLink::new(segment()), FaultRates::default(), 7);
    let mut bus = bring_up(FramePump::new(link, settings), &description()).expect("a good bus comes up");
    for (fault, lost, counted) in [
        (Fault::DropSent, 1, LinkCounters::default()),
        (Fault::Drop, 1, LinkCounters::default()),
        // Beyond the receive deadline, within the cycle.
        (Fault::Delay(Nanoseconds(900_000)), 1, LinkCounters { late: 1, ..LinkCounters::default() }),
        // Three cycles later, in the middle of another exchange.
        (Fault::Delay(Nanoseconds(2_990_000)), 1, LinkCounters { late: 1, ..LinkCounters::default() }),
        // In time: nothing is lost.
        (Fault::Delay(Nanoseconds(500_000)), 0, LinkCounters::default()),
        (Fault::Duplicate, 0, LinkCounters { duplicate: 1, ..LinkCounters::default() }),
        (Fault::Truncate(40), 1, LinkCounters { malformed: 1, ..LinkCounters::default() }),
        (
            Fault::Corrupt { byte: 17, mask: 0x40 },
            1,
            LinkCounters { malformed: 1, ..LinkCounters::default() },
        ),
        (Fault::Corrupt { byte: 10, mask: 0x40 }, 1, LinkCounters { late: 1, ..LinkCounters::default() }),
        (Fault::Corrupt { byte: 12, mask: 0x40 }, 1, LinkCounters { foreign: 1, ..LinkCounters::default() }),
    ] {
        assert!(cycle(&mut bus).fresh);
        let before = cycle(&mut bus);
        assert!(bus.link_mut().script(fault));
        let stale: Vec<bool> = (0..10).map(|_| cycle(&mut bus)).map(|report| !report.fresh).collect();
        let after = cycle(&mut bus);
        assert_eq!(stale.iter().filter(|stale| **stale).count(), lost, "{fault:?}: {stale:?}");
        assert_eq!(stale.first(), Some(&(lost == 1)), "{fault:?}");
        assert_eq!(after.lost - before.lost, lost as u64, "{fault:?}");
        let difference = LinkCounters {
            late: after.link.late - before.link.late,
            duplicate: after.link.duplicate - before.link.duplicate,
            malformed: after.link.malformed - before.link.malformed,
            foreign: after.link.foreign - before.link.foreign,
            ..LinkCounters::default()
        };
        assert_eq!(difference, counted, "{fault:?}");
        assert!(after.al_states[..8].iter().all(|state| *state == AlState::Op), "{fault:?}");
    }
}

#[test]
fn a_wire_with_random_faults_never_shows_old_inputs_as_new() {
    let rates = FaultRates {
        drop_ppm: 20_000,
        delay_ppm: 30_000,
        delay_max: Nanoseconds(4_000_000),
        duplicate_ppm: 30_000,
        corrupt_ppm: 20_000,
        truncate_ppm: 10_000,
        ..FaultRates::default()
    };
    let link = FaultInjection::new(SegmentLink::new(segment()), FaultRates::default(), 0x5EED);
    let settings = PumpSettings::SIMULATED;
    let mut bus = bring_up(FramePump::new(link, settings), &description()).expect("a good bus comes up");
    bus.link_mut().set_rates(rates);
    let mut fresh = 0;
    for count in 0..5_000_u32 {
        // The digital inputs count the cycles: what is read as new must be this cycle's number.
        let number = u8::try_from(count % 256).unwrap();
        for channel in 0..8 {
            let channel = Channel { device: 6, channel };
            let level = number >> channel.channel & 1 == 1;
            let segment = &mut bus.link_mut().inner_mut().segment;
            segment.inject(Injection::DigitalInput { channel, level }).expect("the terminal exists");
        }
        let report = cycle(&mut bus);
        if report.fresh {
            fresh += 1;
            assert_eq!(bus.inputs(6), [number], "cycle {count}");
        } else {
            assert!(!report.is_fresh(6));
        }
    }
    assert!(bus.link().injected() > 400, "{} faults", bus.link().injected());
    assert!((4_500..5_000).contains(&fresh), "{fresh} of 5000 cycles fresh");
}

#[test]
fn a_missing_drive_and_a_wrong_terminal_are_listed_by_name() {
    let mut devices: Vec<Device> = expected_cell().iter().map(|expected| expected.device).collect();
    devices[7].identity.product = 0x777;
    devices[5].identity.revision = 9;
    devices.remove(4);
    let segment = Segment::new(SegmentDescription::new(simulated(&devices))).expect("a valid segment");
    let failure = failure_of(segment);
    let BringUpError::BusDiffers { differences } = &failure.error else { panic!("{}", failure.error) };
    let kinds: Vec<(&str, usize)> = differences
        .iter()
        .map(|difference| match difference {
            BusDifference::Missing { position, .. } => ("missing", *position),
            BusDifference::Unexpected { position, .. } => ("unexpected", *position),
            BusDifference::Other { position, .. } => ("other", *position),
            BusDifference::Swapped { .. } | BusDifference::Moved { .. } | BusDifference::Alias { .. } => {
                panic!("{difference}")
            }
        })
        .collect();
    // Drives 5 and 6 are alike but for the revision: either can be the one that is gone.
    assert_eq!(kinds.iter().filter(|(kind, _)| *kind == "missing").count(), 1, "{kinds:?}");
    assert!(kinds.contains(&("other", 4)) && kinds.contains(&("other", 6)), "{kinds:?}");
    let text = failure.error.to_string();
    assert!(text.contains("(position 4): revision is 0x9, expected 0x1"), "{text}");
    assert!(text.contains("analog terminal (position 6): product is 0x777, expected 0x202"), "{text}");
    assert!(text.contains("is missing"), "{text}");
    // What to do is said once for each kind.
    for (remedy, count) in [("check power and cable", 1), ("put the described device", 1), ("take the", 0)] {
        assert_eq!(text.matches(remedy).count(), count, "{remedy}: {text}");
    }
}

#[test]
fn one_device_too_many_is_listed() {
    let mut devices: Vec<Device> = expected_cell().iter().map(|expected| expected.device).collect();
    devices.push(digital_terminal());
    let segment = Segment::new(SegmentDescription::new(simulated(&devices))).expect("a valid segment");
    let text = failure_of(segment).error.to_string();
    assert!(text.contains("an undescribed device is at position"), "{text}");
}

#[test]
fn a_refused_state_names_device_state_and_reason_in_words() {
    use motiond::simulator::AlState as SimulatedState;
    for (state, code, shown_state, words) in [
        (SimulatedState::PreOp, 0x0016, "PRE-OP", "invalid mailbox configuration"),
        (SimulatedState::SafeOp, 0x001E, "SAFE-OP", "invalid input configuration"),
        (SimulatedState::Op, 0x002D, "OP", "SYNC0 was never received"),
    ] {
        let mut segment = segment();
        segment.inject(Injection::RefuseState { device: 3, state, code }).expect("the device exists");
        let failure = failure_of(segment);
        let text = failure.error.to_string();
        assert!(
            matches!(&failure.error, BringUpError::Refused { position: 3, status_code, .. } if *status_code == code),
            "{text}"
        );
        for part in ["joint 4 (position 3) refused", shown_state, words, &format!("{code:#06x}")] {
            assert!(text.contains(part), "{text} should contain {part}");
        }
        // The same pump brings the bus up once the reason is gone.
        let BringUpFailure { mut pump, .. } = failure;
        let granted = Injection::RefuseState { device: 3, state, code: 0 };
        pump.link_mut().segment.inject(granted).expect("the device exists");
        let mut bus = bring_up(pump, &description()).unwrap_or_else(|failure| panic!("{}", failure.error));
        assert!(cycle(&mut bus).fresh);
    }
}

#[test]
fn when_nothing_answers_bring_up_ends_by_itself_in_virtual_time() {
    let mut segment = segment();
    segment.inject(Injection::Detach { position: 0 }).expect("a position");
    let failure = failure_of(segment);
    assert_eq!(failure.error, BringUpError::NothingAnswers);
    let ended = failure.pump.link().now();
    assert!((Nanoseconds(1_000_000)..Nanoseconds(30_000_000_000)).contains(&ended), "{ended:?}");
}

#[test]
fn a_bus_that_goes_silent_in_the_middle_ends_with_an_error_wherever_it_happens() {
    // Frames get lost for good after a number that grows over the whole bring-up.
    let mut outcomes = Vec::new();
    for answered in (0..5_500).step_by(250) {
        let link = SilentAfter { link: SegmentLink::new(segment()), frames_left: answered };
        match bring_up(FramePump::new(link, PumpSettings::SIMULATED), &description()) {
            Ok(_) => outcomes.push(String::from("up")),
            Err(failure) => outcomes.push(failure.error.to_string()),
        }
    }
    assert_eq!(
        outcomes.first().map(String::as_str),
        Some("no device answers: check power, cable, and that the right network interface is configured")
    );
    assert_eq!(outcomes.last().map(String::as_str), Some("up"), "5250 frames are enough: {outcomes:#?}");
    assert!(outcomes.iter().filter(|outcome| *outcome != "up").count() > 10);
}

/// The cable is cut after a number of frames.
#[derive(Debug)]
struct SilentAfter {
    link: SegmentLink,
    frames_left: u32,
}

impl FrameLink for SilentAfter {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        if self.frames_left == 0 {
            return Ok(());
        }
        self.frames_left -= 1;
        self.link.send(frame)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Nanoseconds) -> Result<Option<usize>, LinkError> {
        self.link.receive(buffer, deadline)
    }

    fn now(&self) -> Nanoseconds {
        self.link.now()
    }

    fn wait_until(&mut self, time: Nanoseconds) {
        self.link.wait_until(time);
    }
}

#[test]
fn a_start_up_object_the_drive_does_not_have_is_named_with_the_abort_in_words() {
    let mut description = description();
    description.devices[2].startup.push(SdoWrite { index: 0x2FFF, subindex: 1, value: SdoValue::U16(5) });
    let failure = bring_up(pump_on(segment()), &description).expect_err("there is no such object");
    let text = failure.error.to_string();
    assert!(
        text.starts_with("joint 3 (position 2), object 0x2fff:01: refused with abort code 0x0602"),
        "{text}"
    );
}

#[test]
fn start_up_objects_are_written_and_read_back_as_a_capture_shows() {
    let link = Capture::new(SegmentLink::new(segment()), 10_000, 8 << 20);
    let bus = bring_up(FramePump::new(link, PumpSettings::SIMULATED), &description()).expect("a good bus");
    let mut file = Vec::new();
    bus.link().write_pcapng(&mut file, 0).expect("memory takes everything");
    let count = |wanted: &[u8]| file.windows(wanted.len()).filter(|bytes| *bytes == wanted).count();
    // SDO download of two bytes to 0x6066:00, value 15: in the request and in its frame coming back.
    assert_eq!(count(&[0x2B, 0x66, 0x60, 0x00, 15, 0]), 12, "six drives");
    // Answer to the upload that follows.
    assert_eq!(count(&[0x4B, 0x66, 0x60, 0x00, 15, 0]), 6);
    // 0x60C2:01 = 1, :02 = -3.
    assert_eq!(count(&[0x2F, 0xC2, 0x60, 0x01, 1]), 12);
    assert_eq!(count(&[0x2F, 0xC2, 0x60, 0x02, 0xFD]), 12);
}

#[test]
fn a_drive_with_another_mapping_from_the_factory_gets_the_described_one() {
    let mut devices: Vec<Device> = expected_cell().iter().map(|expected| expected.device).collect();
    let entry = |index, bits| PdoEntry { index, subindex: 0, bits };
    devices[1].outputs = PdoMap::new(0x1600, &[entry(objects::CONTROLWORD, 16)]).expect("whole bytes");
    devices[1].inputs =
        PdoMap::new(0x1A00, &[entry(objects::POSITION_ACTUAL, 32), entry(objects::STATUSWORD, 16)])
            .expect("whole bytes");
    let segment = Segment::new(SegmentDescription::new(simulated(&devices))).expect("a valid segment");
    let mut bus =
        bring_up(pump_on(segment), &description()).unwrap_or_else(|failure| panic!("{}", failure.error));
    assert!(cycle(&mut bus).fresh);
    assert_eq!(bus.inputs(1).len(), 16);
    assert_eq!(statusword(&bus, 1), statusword(&bus, 0));
}

#[test]
fn a_process_data_length_that_differs_from_the_description_is_named() {
    let mut description = description();
    description.devices[6].device.inputs = PdoMap::EMPTY;
    let failure = bring_up(pump_on(segment()), &description).expect_err("the terminal has inputs");
    let text = failure.error.to_string();
    assert!(
        text.starts_with("digital terminal (position 6) has 1 bytes of inputs, described are 0; "),
        "{text}"
    );
    assert!(text.ends_with("correct the entries of its inputs in its drive file"), "{text}");
}

#[test]
fn when_the_cycle_stops_the_devices_notice_within_the_watchdog_time() {
    let mut bus = bus();
    assert!(cycle(&mut bus).fresh);
    let until = bus.now().plus(Nanoseconds(9_000_000));
    bus.link_mut().wait_until(until);
    assert!(cycle(&mut bus).fresh, "9 ms without a frame are survived");
    let until = bus.now().plus(Nanoseconds(11_500_000));
    bus.link_mut().wait_until(until);
    let report = cycle(&mut bus);
    assert!(report.al_states[..8].iter().all(|state| *state == AlState::SafeOp), "{report:?}");
    let deadline = bus.now().plus(CYCLE);
    let status = bus.al_status(0, deadline).expect("the drive answers");
    assert_eq!((status.error, status.code), (true, 0x001B));
    assert!(status.words().contains("watchdog"));
}

#[test]
fn a_wrong_working_counter_marks_every_input_stale_for_that_cycle() {
    let mut bus = bus();
    for offset in [-1, 1, -3] {
        assert!(cycle(&mut bus).fresh);
        let before = bus.inputs(0).to_vec();
        bus.link_mut()
            .segment
            .inject(Injection::WorkingCounterOffset { count: 1, offset })
            .expect("always possible");
        let report = cycle(&mut bus);
        assert!(report.answered && !report.fresh);
        assert_eq!(report.fresh_subdevices, 0);
        assert_eq!(i32::from(report.working_counter), 24 + i32::from(offset));
        assert_eq!(bus.inputs(0), before);
    }
    assert_eq!(cycle(&mut bus).working_counter_errors, 3);
}

#[test]
fn when_the_cable_is_cut_the_devices_before_the_cut_stay_fresh() {
    let mut bus = bus();
    bus.link_mut().segment.inject(Injection::Detach { position: 4 }).expect("a position");
    let report = cycle(&mut bus);
    assert_eq!(report.working_counter, 12);
    assert_eq!(report.fresh_subdevices, 0b1111);
    assert!(!report.fresh && report.is_fresh(3) && !report.is_fresh(4));
    assert_eq!(report.al_states[3..5], [AlState::Op, AlState::NoAnswer]);
}

#[test]
fn a_drive_that_falls_out_of_op_is_stale_and_its_reason_can_be_read() {
    use motiond::simulator::AlState as SimulatedState;
    let mut bus = bus();
    let fall = Injection::AlError { device: 2, state: SimulatedState::SafeOp, code: 0x001A };
    bus.link_mut().segment.inject(fall).expect("the device exists");
    let report = cycle(&mut bus);
    assert_eq!(report.al_states[2], AlState::SafeOp);
    assert!(report.is_fresh(2) && report.fresh, "inputs are valid in SAFE-OP: {report:?}");
    let deadline = bus.now().plus(CYCLE);
    assert_eq!(bus.al_status(2, deadline).map(|status| status.code), Some(0x001A));
    assert!(bus.al_status(8, deadline).is_none(), "there is no ninth device");
}

#[test]
fn after_a_power_cycle_the_same_pump_brings_the_bus_up_again() {
    let mut bus = bus();
    for device in 0..8 {
        let off = Injection::PowerCycle { device, off_for: Nanoseconds(50_000_000) };
        bus.link_mut().segment.inject(off).expect("the device exists");
    }
    assert!(!cycle(&mut bus).fresh);
    let until = bus.now().plus(Nanoseconds(60_000_000));
    bus.link_mut().wait_until(until);
    assert!(!cycle(&mut bus).fresh, "devices in INIT");
    let pump = bus.shut_down(Nanoseconds(100_000_000));
    let mut bus = bring_up(pump, &description()).unwrap_or_else(|failure| panic!("{}", failure.error));
    assert_eq!(stale_cycles(&mut bus, 100), Vec::<u32>::new());
}

#[test]
fn an_orderly_end_leaves_every_device_in_init_without_a_watchdog_trip() {
    let mut bus = bus();
    assert_eq!(stale_cycles(&mut bus, 20), Vec::<u32>::new());
    let pump = bus.shut_down(Nanoseconds(100_000_000));
    let segment = &pump.link().segment;
    for device in 0..8 {
        let snapshot = segment.device(device).expect("the device exists");
        assert_eq!(snapshot.al_status.state, motiond::simulator::AlState::Init);
        assert_eq!(snapshot.watchdog_expiries, 0);
    }
}

#[test]
fn with_clocks_that_drift_the_cycle_keeps_its_place_before_sync0() {
    let types: Vec<Device> = expected_cell().iter().map(|expected| expected.device).collect();
    for drift_ppm in [40.0, -60.0] {
        let mut devices = simulated(&types);
        for (device, share) in devices.iter_mut().zip([1.0, -0.5, 0.3, 0.9, -1.0, 0.1]) {
            device.clock_drift_ppm = drift_ppm * share;
        }
        let segment = Segment::new(SegmentDescription::new(devices)).expect("a valid segment");
        let mut bus =
            bring_up(pump_on(segment), &description()).unwrap_or_else(|failure| panic!("{}", failure.error));
        for _ in 0..6_000 {
            cycle(&mut bus);
        }
        let report = cycle(&mut bus);
        let clock = report.clock.expect("the bus has clocks");
        assert!(clock.locked && clock.phase_error_smoothed_ns.abs() < 200.0, "{clock:?}");
        assert!((clock.rate_difference_ppb - drift_ppm * 1e3).abs() < 2_000.0, "{clock:?}");
        // Seen from the devices: SYNC0 comes half a cycle after the frame, and none was without outputs.
        for drive in 0..6 {
            let snapshot = bus.link().segment.device(drive).expect("the device exists");
            let next = snapshot.next_sync0.expect("SYNC0 runs").since(report.sent_at);
            assert!(next.0.abs_diff(500_000) < 5_000, "drive {drive}: SYNC0 {next:?} after the frame");
            assert_eq!(snapshot.missed_events, 0);
        }
    }
}

#[test]
fn several_buses_in_several_threads_run_at_the_same_time() {
    let threads: Vec<_> = (0..3)
        .map(|_| {
            std::thread::spawn(|| {
                let mut bus = bus();
                (stale_cycles(&mut bus, 500), bus.now())
            })
        })
        .collect();
    let ends: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect();
    assert!(ends.iter().all(|end| *end == ends[0] && end.0.is_empty()), "{ends:?}");
}

#[test]
fn outputs_reach_the_devices_and_come_one_cycle_later_as_inputs_of_the_world() {
    let mut bus = bus();
    bus.outputs_mut(6).copy_from_slice(&[0b1010_0101]);
    bus.outputs_mut(7).copy_from_slice(&[0x34, 0x12, 0xFF, 0xFF]);
    assert_eq!(bus.link().segment.digital_outputs(6), 0);
    cycle(&mut bus);
    cycle(&mut bus);
    let segment = &bus.link().segment;
    assert_eq!(segment.digital_outputs(6), 0b1010_0101);
    assert_eq!(segment.analog_output(Channel { device: 7, channel: 0 }), 0x1234);
    assert_eq!(segment.analog_output(Channel { device: 7, channel: 1 }), -1);
}

#[test]
fn a_bus_without_clocks_comes_up_and_runs() {
    let mut description = description();
    description.clock = None;
    let mut bus =
        bring_up(pump_on(segment()), &description).unwrap_or_else(|failure| panic!("{}", failure.error));
    let report = cycle(&mut bus);
    assert!(report.fresh && report.clock.is_none());
    assert_eq!(stale_cycles(&mut bus, 200), Vec::<u32>::new());
}

#[test]
fn missed_cycles_are_left_out_and_the_phase_stays() {
    let mut bus = bus();
    let first = bus.wait_for_cycle();
    bus.exchange(first.planned.plus(Nanoseconds(800_000)));
    bus.link_mut().wait_until(first.planned.plus(Nanoseconds(3_400_000)));
    let next = bus.wait_for_cycle();
    assert_eq!(next.skipped.0, 2);
    let distance = next.planned.since(first.planned);
    assert!(distance.0.abs_diff(3_000_000) <= 1_000, "{distance:?}");
    assert!(next.woke_at >= first.planned.plus(Nanoseconds(3_400_000)));
}

#[test]
fn one_device_that_was_restarted_comes_to_op_with_the_others() {
    let mut bus = bus();
    let off = Injection::PowerCycle { device: 2, off_for: Nanoseconds(50_000_000) };
    bus.link_mut().segment.inject(off).expect("the device exists");
    // Its clock follows the reference as well as it can, from wherever it began.
    for _ in 0..8_000 {
        cycle(&mut bus);
    }
    let pump = bus.shut_down(Nanoseconds(100_000_000));
    let mut bus = bring_up(pump, &description()).unwrap_or_else(|failure| panic!("{}", failure.error));
    assert_eq!(stale_cycles(&mut bus, 100), Vec::<u32>::new());
}
