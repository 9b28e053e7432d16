//! Time from a silent wire to OP for 1, 6, 16 and 32 simulated drives, with the settings for real devices, on a
//! wire with a round trip of 20 µs. Bus time is what the frames take; wall time what this machine computes.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(dead_code, reason = "a part of what tests use")]

use std::time::Instant;

use motiond::fieldbus::{BusDescription, ExpectedDevice, FrameLink as _, FramePump, PumpSettings, bring_up};
use motiond::simulator::{Segment, SegmentDescription};

#[path = "../tests/support/segment_link.rs"]
mod segment_link;

use segment_link::{CYCLE, SegmentLink, drive, expected_cell, simulated};

fn main() {
    let startup = expected_cell().into_iter().next().map(|expected| expected.startup).unwrap_or_default();
    println!("drives  bus time to OP  a drive  wall time");
    let mut first = None;
    for drives in [1_usize, 6, 16, 32] {
        let devices: Vec<ExpectedDevice> = (0..drives)
            .map(|at| ExpectedDevice {
                name: format!("drive {at}"),
                device: drive(),
                alias: None,
                startup: startup.clone(),
            })
            .collect();
        let kinds: Vec<_> = devices.iter().map(|expected| expected.device).collect();
        let Ok(segment) = Segment::new(SegmentDescription::new(simulated(&kinds))) else {
            println!("{drives}: not simulated");
            continue;
        };
        let pump = FramePump::new(SegmentLink::new(segment), PumpSettings::REAL);
        let begun = Instant::now();
        match bring_up(pump, &BusDescription::new(devices, CYCLE)) {
            Ok(bus) => {
                let bus_s = bus.link().now().as_seconds();
                first.get_or_insert(bus_s);
                println!(
                    "{drives:6}  {bus_s:12.3} s  {:4.0} ms  {:7.3} s",
                    1e3 * bus_s / f64::from(u32::try_from(drives).unwrap_or(1)),
                    begun.elapsed().as_secs_f64()
                );
            }
            Err(failure) => println!("{drives:6}  {}", failure.error),
        }
    }
}
