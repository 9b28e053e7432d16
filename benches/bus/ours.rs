//! Our side: bring-up and cycles on a network interface, each with its times.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use motiond::config::drive_file::read_device;
use motiond::config::embedded;
use motiond::fieldbus::distributed_clock::ClockStatus;
use motiond::fieldbus::link::raw_socket::RawSocket;
use motiond::fieldbus::{BusDescription, ExpectedDevice, FramePump, PumpSettings, SdoWrite, bring_up};
use motiond::platform::realtime_thread::{RealtimeThreadSettings, set_up};
use motiond::units::Nanoseconds;

pub(crate) const CYCLE: Nanoseconds = Nanoseconds(1_000_000);
/// Both peers wait as long for an answer.
const PATIENCE: Nanoseconds = Nanoseconds(20_000_000);
/// Longer than the machine stands still: the bus stays in OP.
const WATCHDOG: Nanoseconds = Nanoseconds(1_000_000_000);
const LEAVE_OP: Nanoseconds = Nanoseconds(200_000_000);

/// One cycle on `CLOCK_MONOTONIC`, ns.
#[derive(Clone, Copy)]
pub(crate) struct CycleTimes {
    pub(crate) planned: u64,
    pub(crate) woke: u64,
    /// From handing over the outputs to having the inputs; `None`: lost.
    pub(crate) exchange: Option<u64>,
}

pub(crate) struct Measured {
    pub(crate) bring_up: Duration,
    pub(crate) cycles: Vec<CycleTimes>,
    /// Frames sent in these cycles.
    pub(crate) frames: u64,
    /// After the last cycle; `None` without distributed clocks.
    pub(crate) clock: Option<ClockStatus>,
}

/// `drives` generic drives as `simulate-bus --drives` shows them.
fn description(drives: usize, clocked: bool) -> anyhow::Result<BusDescription> {
    let file = embedded::DEVICES.iter().find(|(name, _)| *name == "generic-cia402");
    let device = read_device(file.context("the generic drive file")?.1)
        .map_err(|problems| anyhow!("the generic drive file: {problems:?}"))?;
    let startup: Vec<SdoWrite> = SdoWrite::interpolation_period(CYCLE).into_iter().flatten().collect();
    let devices = (1..=drives).map(|number| ExpectedDevice {
        name: format!("drive-{number}"),
        device,
        alias: None,
        startup: startup.clone(),
        reactions: Vec::new(),
    });
    let mut description = BusDescription::new(devices.collect(), CYCLE);
    description.watchdog = WATCHDOG;
    if !clocked {
        description.clock = None;
    }
    Ok(description)
}

/// Brings the bus up and exchanges process data for `cycles` cycles, in a thread as real-time as the machine allows.
pub(crate) fn measure(
    interface: &str,
    drives: usize,
    clocked: bool,
    cycles: usize,
    core: usize,
) -> anyhow::Result<Measured> {
    let description = description(drives, clocked)?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| -> anyhow::Result<Measured> {
            let settings = RealtimeThreadSettings { core: Some(core), ..RealtimeThreadSettings::default() };
            let _rights = set_up(&settings);
            let mut times = Vec::with_capacity(cycles);
            let begun = Instant::now();
            let pump = FramePump::new(RawSocket::open(interface)?, PumpSettings::REAL);
            let mut bus = bring_up(pump, &description).map_err(|failure| anyhow!("{}", failure.error))?;
            let bring_up = begun.elapsed();
            let (mut frames_before, mut frames, mut clock) = (None, 0, None);
            for _ in 0..cycles {
                let start = bus.wait_for_cycle();
                let report = bus.exchange(start.woke_at.plus(PATIENCE));
                frames = report.link.sent - *frames_before.get_or_insert(report.link.sent);
                clock = report.clock;
                let took = report.ended_at.since(report.sent_at).0;
                times.push(CycleTimes {
                    planned: start.planned.0,
                    woke: start.woke_at.0,
                    exchange: report.answered.then_some(took),
                });
            }
            let _link = bus.shut_down(LEAVE_OP);
            Ok(Measured { bring_up, cycles: times, frames, clock })
        });
        thread.join().map_err(|_| anyhow!("the thread that measures panicked"))?
    })
}
