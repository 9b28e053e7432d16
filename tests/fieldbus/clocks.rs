//! The cycle follows the reference clock of the bus, on hosts that are not on time, in virtual time.

use motiond::fieldbus::{ExchangeReport, FramePump, PumpSettings, bring_up};
use motiond::simulator::{Segment, SegmentDescription};
use motiond::units::Nanoseconds;

use crate::late_link::LateLink;
use crate::segment_link::{CYCLE, SegmentLink, description, expected_cell, simulated};

/// Clocks that are up to 50 ppm wrong; the reference runs fast.
fn drifting_segment() -> Segment {
    let types: Vec<_> = expected_cell().iter().map(|expected| expected.device).collect();
    let mut devices = simulated(&types);
    for (device, ppm) in devices.iter_mut().zip([50.0, -50.0, 17.0, -3.0, 42.0, -28.0]) {
        device.clock_drift_ppm = ppm;
    }
    Segment::new(SegmentDescription::new(devices)).expect("a valid segment")
}

struct Watched {
    /// Change of the time between two planned cycles against the cycle time, ns; skipped cycles taken out.
    steps: Vec<i64>,
    reports: Vec<ExchangeReport>,
}

fn watch(wakes_late: impl FnMut() -> u64, sends_late: impl FnMut() -> u64, cycles: usize) -> Watched {
    let link = LateLink { link: SegmentLink::new(drifting_segment()), wakes_late, sends_late };
    let mut bus = bring_up(FramePump::new(link, PumpSettings::SIMULATED), &description())
        .unwrap_or_else(|failure| panic!("{}", failure.error));
    let mut watched = Watched { steps: Vec::new(), reports: Vec::new() };
    let mut before: Option<Nanoseconds> = None;
    for _ in 0..cycles {
        let start = bus.wait_for_cycle();
        if let Some(before) = before {
            let whole = CYCLE.0 * (start.skipped.0 + 1);
            watched.steps.push(start.planned.since(before).0.cast_signed() - whole.cast_signed());
        }
        before = Some(start.planned);
        watched.reports.push(bus.exchange(start.planned.plus(Nanoseconds(800_000))));
    }
    watched
}

/// Evenly spread in 0..`below`, the same at every run.
fn noise(below: u64) -> impl FnMut() -> u64 {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    move || {
        // xorshift64 (Marsaglia 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    }
}

#[test]
fn a_host_that_wakes_late_locks_to_clocks_that_are_fifty_millionths_wrong() {
    // Mostly 0 to 60 µs, one in 200 up to half a millisecond, one in 2000 more than two cycles.
    let (mut usual, mut rare) = (noise(60_000), noise(2_000));
    let wakes_late = move || match rare() {
        0 => 2_300_000,
        1..=10 => 480_000,
        _ => usual(),
    };
    let watched = watch(wakes_late, || 0, 8_000);
    let clock = watched.reports.last().and_then(|report| report.clock).expect("the bus has clocks");
    assert!(clock.locked && clock.lock_losses == 0, "{clock:?}");
    assert!((100..2_000).contains(&clock.lock_cycles), "{clock:?}");
    assert!((clock.rate_difference_ppb - 50e3).abs() < 1_000.0, "{clock:?}");
    let settled = watched.reports.get(4_000..).expect("so many cycles");
    let worst = settled.iter().filter_map(|report| report.clock);
    let worst = worst.map(|clock| clock.phase_error_smoothed_ns.abs()).fold(0.0, f64::max);
    assert!(worst < 300.0, "{worst} ns");
    assert!(watched.steps.iter().all(|step| step.abs() <= 1_000), "slewed by 1 µs a cycle at most");
}

#[test]
fn a_frame_that_is_held_up_on_its_way_does_not_move_the_cycle() {
    let mut frame = 0_u32;
    let sends_late = move || {
        frame += 1;
        if frame.is_multiple_of(50) { 90_000 } else { 0 }
    };
    let watched = watch(|| 0, sends_late, 6_000);
    let settled = watched.reports.get(3_000..).expect("so many cycles");
    let clocks: Vec<_> = settled.iter().filter_map(|report| report.clock).collect();
    let (first, last) = (clocks.first().expect("clocks"), clocks.last().expect("clocks"));
    // One frame in fifty, and every exchange is one frame here.
    assert!((55..=65).contains(&(last.outliers - first.outliers)), "{first:?} {last:?}");
    let worst = clocks.iter().map(|clock| clock.phase_error_smoothed_ns.abs()).fold(0.0, f64::max);
    assert!(worst < 300.0, "{worst} ns");
    assert!(last.locked && last.lock_losses == 0);
}
