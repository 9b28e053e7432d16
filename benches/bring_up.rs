//! Time from a silent wire to OP for 1, 6, 16 and 32 simulated drives, with the settings for real devices, on a
//! wire with a round trip of 20 µs. Bus time is what the frames take; wall time what this machine computes.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(dead_code, reason = "a part of what tests use")]

use std::time::Instant;

use motiond::fieldbus::FrameLink as _;

#[path = "../tests/support/drives_bus.rs"]
mod drives_bus;
#[path = "../tests/support/segment_link.rs"]
mod segment_link;

fn main() {
    println!("drives  bus time to OP  a drive  times the one before  wall time");
    let mut before: Option<(f64, f64)> = None;
    for drives in [1_u32, 6, 16, 32] {
        let begun = Instant::now();
        match drives_bus::bus_of_drives(drives as usize) {
            Ok(bus) => {
                let (count, bus_s) = (f64::from(drives), bus.link().now().as_seconds());
                let growth = before.map_or_else(String::new, |(fewer, less_s)| {
                    format!("{:.2} (linear {:.2})", bus_s / less_s, count / fewer)
                });
                println!(
                    "{drives:6}  {bus_s:12.3} s  {:4.0} ms  {growth:>20}  {:7.3} s",
                    1e3 * bus_s / count,
                    begun.elapsed().as_secs_f64()
                );
                before = Some((count, bus_s));
            }
            Err(error) => println!("{drives:6}  {error}"),
        }
    }
}
