//! The bus over a pair of virtual network interfaces, against the simulated segment in a process of its own:
//!
//! * a whole exchange of process data, beside ethercrab's own transmit task and beside SOEM, in turns against the
//!   same segment;
//! * when frames are on the wire, beside the wake-ups of the same cycles;
//! * bring-up and exchange with 1, 6, 16 and 32 drives.
//!
//! Needs root for the interfaces, and for SOEM `pip install pysoem`. Arguments: `--cycles N` of a turn, `--rounds N`.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

mod ours;
mod wire;

use std::process::Command;

use anyhow::{Context as _, ensure};
use ours::{CYCLE, CycleTimes, measure};
use wire::{Beside, Wire, segment};

/// Real-time priority of all controllers; that of the segment is lower.
const PRIORITY: &str = "80";
/// Drives in the comparison.
const DRIVES: usize = 6;
const CYCLE_US: &str = "1000";
/// Cycles of each number of drives.
const GROWTH_CYCLES: usize = 4_000;

fn say(text: &str) {
    println!("{text}");
}

/// Nanoseconds, sorted; lost ones counted apart.
#[derive(Default)]
struct Distribution {
    values: Vec<i64>,
    lost: usize,
}

impl Distribution {
    fn of(values: impl IntoIterator<Item = Option<i64>>) -> Self {
        let mut distribution = Self::default();
        for value in values {
            match value {
                Some(value) => distribution.values.push(value),
                None => distribution.lost += 1,
            }
        }
        distribution.values.sort_unstable();
        distribution
    }

    /// The value that `per_mille` of all do not exceed, µs.
    fn us(&self, per_mille: usize) -> f64 {
        let last = self.values.len().saturating_sub(1);
        let value = self.values.get(last * per_mille / 1000).copied().unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53 ns")]
        let us = value as f64 * 1e-3;
        us
    }

    fn row(&self) -> String {
        let [p50, p99, p999, max] = [500, 990, 999, 1000].map(|per_mille| self.us(per_mille));
        format!("{p50:8.1} {p99:8.1} {p999:8.1} {max:9.1} {:6}", self.lost)
    }
}

fn main() -> anyhow::Result<()> {
    let argument = |name: &str, default| {
        let mut arguments = std::env::args().skip_while(|argument| argument != name);
        arguments.nth(1).map_or(Ok(default), |text| text.parse::<usize>())
    };
    let (cycles, rounds) = (argument("--cycles", 8_000)?, argument("--rounds", 3)?);
    if !rustix::process::geteuid().is_root() {
        say("SKIPPED: virtual network interfaces need root; run `sudo -E cargo bench --bench bus`");
        return Ok(());
    }
    let wire = Wire::make().context("making a pair of virtual network interfaces")?;
    let last_core = std::thread::available_parallelism()?.get() - 1;
    say(&format!(
        "cycle 1 ms; controllers at priority {PRIORITY} on processor 0, the segment at 60 on processor {last_core}"
    ));
    compare(&wire, cycles, rounds, last_core)?;
    growth(&wire, last_core)
}

/// A peer, started on the processor and with the priority that ours has; its exchanges, ns.
fn peer(command: &[&str], interface: &str, cycles: usize) -> anyhow::Result<Vec<Option<i64>>> {
    let cycles = cycles.to_string();
    let output = Command::new("chrt")
        .args(["-f", PRIORITY, "taskset", "-c", "0"])
        .args(command)
        .args([interface, CYCLE_US, &cycles])
        .stderr(std::process::Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    text.lines().map(|line| if line == "lost" { Ok(None) } else { Ok(Some(line.parse()?)) }).collect()
}

fn compare(wire: &Wire, cycles: usize, rounds: usize, core: usize) -> anyhow::Result<()> {
    let root = env!("CARGO_MANIFEST_DIR");
    let manifest = format!("{root}/benches/peers/ethercrab/Cargo.toml");
    let target = format!("{root}/target/peers");
    let build = ["build", "--release", "--quiet", "--manifest-path", &manifest, "--target-dir", &target];
    let has_ethercrab = Command::new(env!("CARGO")).args(build).status()?.success();
    let ethercrab = format!("{target}/release/ethercrab-peer");
    let has_soem =
        Command::new("python3").args(["-c", "import pysoem"]).status().is_ok_and(|it| it.success());
    if !has_soem {
        say("SKIPPED: SOEM; `python3 -m pip install pysoem`");
    }
    let soem = format!("{root}/benches/peers/soem.py");
    let stamps = format!("{root}/benches/peers/wire_stamps.py");

    let segment = segment(wire, DRIVES, core)?;
    let (mut own, mut theirs, mut soems) = (Vec::new(), Vec::new(), Vec::new());
    let (mut wake_ups, mut releases) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut stamper = Command::new("python3");
        stamper.args([&stamps, &wire.far]);
        let stamper = Beside::start(stamper, "ready")?;
        let offset = realtime_ahead();
        let measured = measure(&wire.near, DRIVES, false, cycles, 0)?;
        let stamped = stamper.end(false)?;
        let stamped: Result<Vec<i64>, _> = stamped.lines().map(str::parse).collect();
        releases.extend(late_on_wire(&measured.cycles, &stamped?, offset));
        for cycle in &measured.cycles {
            own.push(cycle.exchange.map(u64::cast_signed));
            wake_ups.push(Some(cycle.woke.cast_signed() - cycle.planned.cast_signed()));
        }
        if has_ethercrab {
            theirs.extend(peer(&[&ethercrab], &wire.near, cycles)?);
        }
        if has_soem {
            soems.extend(peer(&["python3", &soem], &wire.near, cycles)?);
        }
    }
    let said = segment.end(true)?;
    say(&format!("\nwhole exchange, {DRIVES} drives, {rounds} x {cycles} cycles each in turns, µs"));
    say("                                p50      p99    p99.9       max   lost   ours / it");
    let own = Distribution::of(own);
    say(&format!("motiond                    {}", own.row()));
    for (name, found) in [("ethercrab, tx_rx_task", theirs), ("SOEM through pysoem", soems)] {
        let found = Distribution::of(found);
        if !found.values.is_empty() {
            say(&format!("{name:26} {}   {:5.2}", found.row(), own.us(500) / found.us(500)));
        }
    }
    say("\nlateness against the planned time, the same cycles of motiond, µs");
    say("                                p50      p99    p99.9       max   lost   max - min");
    for (name, found) in [("wake-up of the thread", wake_ups), ("frame on the wire", releases)] {
        let found = Distribution::of(found);
        say(&format!("{name:26} {}   {:9.1}", found.row(), found.us(1000) - found.us(0)));
    }
    said.lines().filter(|line| line.contains("stood still")).for_each(say);
    Ok(())
}

/// How much `CLOCK_REALTIME`, which the kernel stamps frames with, is ahead of `CLOCK_MONOTONIC`, ns: the closest of
/// some pairs of readings.
fn realtime_ahead() -> i64 {
    use rustix::time::{ClockId, clock_gettime};
    let read = |clock| {
        let time = clock_gettime(clock);
        time.tv_sec * 1_000_000_000 + time.tv_nsec
    };
    let pairs = (0..100).map(|_| {
        let before = read(ClockId::Monotonic);
        let real = read(ClockId::Realtime);
        let after = read(ClockId::Monotonic);
        (after - before, real - (before + after) / 2)
    });
    pairs.min_by_key(|(width, _)| *width).map_or(0, |(_, ahead)| ahead)
}

/// For each cycle, how long after its planned time its frame was at the other end, ns; `None`: not seen before the
/// next cycle.
fn late_on_wire(cycles: &[CycleTimes], stamps: &[i64], ahead: i64) -> Vec<Option<i64>> {
    let mut stamps = stamps.iter().map(|stamp| stamp - ahead).peekable();
    let ends = cycles.iter().skip(1).map(|next| next.planned).chain([u64::MAX]);
    let of_cycle = cycles.iter().zip(ends).map(|(cycle, end)| {
        while stamps.next_if(|&stamp| stamp < cycle.planned.cast_signed()).is_some() {}
        let stamp = stamps.next_if(|&stamp| stamp < end.min(u64::MAX / 2).cast_signed())?;
        Some(stamp - cycle.planned.cast_signed())
    });
    of_cycle.collect()
}

/// What each further drive costs, with distributed clocks.
#[expect(clippy::cast_precision_loss, reason = "thousands of cycles, at most 32 drives")]
fn growth(wire: &Wire, core: usize) -> anyhow::Result<()> {
    say("\nwith distributed clocks, by the number of drives; bring-up on the wall clock");
    say(
        "drives   start to OP   a drive   exchange p50   a drive more   frames a cycle   lost   locked, phase error",
    );
    let mut before: Option<(usize, f64)> = None;
    for drives in [1_usize, 6, 16, 32] {
        let segment = segment(wire, drives, core)?;
        let measured = measure(&wire.near, drives, true, GROWTH_CYCLES, 0)?;
        segment.end(true)?;
        let found =
            Distribution::of(measured.cycles.iter().map(|cycle| cycle.exchange.map(u64::cast_signed)));
        let (seconds, us) = (measured.bring_up.as_secs_f64(), found.us(500));
        let more = before.map_or_else(String::new, |(fewer, us_before)| {
            format!("{:.2} µs", (us - us_before) / (drives - fewer) as f64)
        });
        let clock = measured.clock.map_or_else(String::new, |clock| {
            format!("{}, {:.1} µs", clock.locked, clock.phase_error_smoothed_ns * 1e-3)
        });
        say(&format!(
            "{drives:6}   {seconds:9.2} s   {:4.0} ms   {us:9.1} µs   {more:>12}   {:14.2}   {:4}   {clock}",
            1e3 * seconds / drives as f64,
            measured.frames as f64 / (GROWTH_CYCLES - 1) as f64,
            found.lost
        ));
        before = Some((drives, us));
    }
    ensure!(CYCLE.0 == 1_000_000, "the peers are told 1 ms");
    Ok(())
}
