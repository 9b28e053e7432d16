//! How the cycle follows the reference clock of the bus, in simulation: six drives with clocks that are up to 50 ppm
//! wrong, on a host that wakes as late as this machine does. Its wake-ups are recorded first, for 20 s.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(dead_code, reason = "a part of what tests use")]

use motiond::fieldbus::{BusDescription, ExchangeReport, FramePump, PumpSettings, bring_up};
use motiond::platform::clock;
use motiond::platform::realtime_thread::{RealtimeThreadSettings, set_up};
use motiond::simulator::{Injection, Segment, SegmentDescription};
use motiond::units::Nanoseconds;

#[path = "../tests/support/late_link.rs"]
mod late_link;
#[path = "../tests/support/segment_link.rs"]
mod segment_link;

use late_link::LateLink;
use segment_link::{CYCLE, SegmentLink, expected_cell, simulated};

/// Wake-ups recorded, one a cycle.
const RECORDED: usize = 20_000;
const CYCLES: usize = 60_000;
/// Cycles after bring-up in which the loop still learns the rate.
const LEARNING: usize = 5_000;
/// The reference clock jumps by so much at the end, ns: the loop has to find it again.
const STEP_NS: i64 = 300_000;
const CYCLES_TO_RELOCK: u32 = 10_000;
const DRIFTS_PPM: [f64; 6] = [50.0, -50.0, 17.0, -3.0, 42.0, -28.0];

/// How late this machine wakes, ns, at real-time priority where it is allowed.
fn record() -> Vec<u64> {
    let _rights = set_up(&RealtimeThreadSettings::default());
    let mut planned = clock::now();
    let mut lateness = Vec::with_capacity(RECORDED);
    for _ in 0..RECORDED {
        planned = planned.plus(CYCLE).max(clock::now());
        clock::sleep_until(planned);
        lateness.push(clock::now().since(planned).0);
    }
    lateness
}

/// The value that `per_mille` of all do not exceed.
fn percentile(values: &mut [u64], per_mille: usize) -> u64 {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) * per_mille / 1000).copied().unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53 ns")]
fn us(ns: u64) -> f64 {
    ns as f64 * 1e-3
}

fn run(name: &str, lateness: &[u64]) {
    let expected = expected_cell();
    let types: Vec<_> = expected.iter().map(|expected| expected.device).collect();
    let mut devices = simulated(&types);
    for (device, ppm) in devices.iter_mut().zip(DRIFTS_PPM) {
        device.clock_drift_ppm = ppm;
    }
    let Ok(segment) = Segment::new(SegmentDescription::new(devices)) else {
        println!("{name}: not simulated");
        return;
    };
    let mut wake_ups = lateness.iter().copied().cycle();
    let link = LateLink {
        link: SegmentLink::new(segment),
        wakes_late: move || wake_ups.next().unwrap_or(0),
        sends_late: || 0,
    };
    let pump = FramePump::new(link, PumpSettings::REAL);
    let mut bus = match bring_up(pump, &BusDescription::new(expected, CYCLE)) {
        Ok(bus) => bus,
        Err(failure) => {
            println!("{name}: {}", failure.error);
            return;
        }
    };
    let mut reports: Vec<ExchangeReport> = Vec::with_capacity(CYCLES);
    for _ in 0..CYCLES {
        let start = bus.wait_for_cycle();
        let deadline = start.planned.plus(Nanoseconds(CYCLE.0 * 8 / 10));
        reports.push(bus.exchange(deadline));
        let look_until = bus.now().plus(Nanoseconds(CYCLE.0 / 10));
        // The differences of the clocks are read here, one device a cycle.
        let _news = bus.look_around(look_until);
    }
    let settled = reports.get(LEARNING..).unwrap_or(&[]);
    let clocks: Vec<_> = settled.iter().filter_map(|report| report.clock).collect();
    let Some(last) = clocks.last() else { return };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a magnitude below a cycle")]
    let mut errors: Vec<u64> = clocks.iter().map(|clock| clock.phase_error_ns.abs() as u64).collect();
    let margins = settled.iter().filter_map(|report| report.clock_time);
    // SYNC0 comes at whole multiples of the cycle time.
    let mut margins: Vec<u64> = margins.map(|time| CYCLE.0 - time % CYCLE.0).collect();
    let difference = settled.iter().filter_map(|report| report.clock_difference).map(|(_, ns)| ns).max();
    let [p50, p99, max] = [500, 990, 1000].map(|per_mille| us(percentile(&mut errors, per_mille)));
    let step = Injection::ClockStep { device: 0, by_ns: STEP_NS };
    let mut was_lost = false;
    let relocked = bus.link_mut().link.segment.inject(step).is_ok().then(|| {
        (0..CYCLES_TO_RELOCK).find(|_| {
            let start = bus.wait_for_cycle();
            let report = bus.exchange(start.planned.plus(Nanoseconds(CYCLE.0 * 8 / 10)));
            let is_locked = report.clock.is_some_and(|clock| clock.locked);
            was_lost |= !is_locked;
            was_lost && is_locked
        })
    });
    let relocked = relocked.flatten().map_or(f64::NAN, |cycles| f64::from(cycles) * CYCLE.as_seconds());
    let locked = f64::from(u32::try_from(last.lock_cycles).unwrap_or(u32::MAX)) * CYCLE.as_seconds();
    print_row([
        name.to_owned(),
        format!("{locked:.3}"),
        format!("{relocked:.3}"),
        format!("{p50:.2}"),
        format!("{p99:.2}"),
        format!("{max:.2}"),
        format!("{:.1}", us(percentile(&mut margins, 1))),
        format!("{:.1}", us(percentile(&mut margins, 500))),
        format!("{:.2}", last.rate_difference_ppb * 1e-3),
        format!("{:.3}", us(u64::from(difference.unwrap_or(0)))),
        last.outliers.to_string(),
        last.lock_losses.to_string(),
    ]);
}

fn print_row(columns: [String; 12]) {
    let mut columns = columns.into_iter();
    print!("{:21}", columns.next().unwrap_or_default());
    columns.for_each(|column| print!("{column:>9}"));
    println!();
}

fn main() {
    let mut lateness = std::thread::spawn(record).join().unwrap_or_default();
    let recorded = lateness.clone();
    let [p50, p99, p999, max] =
        [500, 990, 999, 1000].map(|per_mille| us(percentile(&mut lateness, per_mille)));
    println!(
        "{RECORDED} wake-ups of this machine: p50 {p50:.1}, p99 {p99:.1}, p99.9 {p999:.1}, max {max:.1} µs late"
    );
    println!("clocks {DRIFTS_PPM:?} ppm, the first is the reference; {CYCLES} cycles of 1 ms");
    println!("\n                     time to lock, s        |phase error|, µs     frame before SYNC0");
    print_row(
        [
            "the host wakes",
            "start",
            "step",
            "p50",
            "p99",
            "max",
            "p0.1, µs",
            "p50, µs",
            "rate ppm",
            "0x092C µs",
            "outliers",
            "losses",
        ]
        .map(str::to_owned),
    );
    run("on time", &[0]);
    run("as this machine does", &recorded);
}
