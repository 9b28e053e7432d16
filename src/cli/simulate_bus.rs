//! `motiond simulate-bus`: the simulated segment as a process of its own behind a network interface, for our
//! controller, for those of others and for tests of the wire.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use crossbeam::queue::ArrayQueue;

use super::assembly::Assembly;
use super::check::print_problems;
use super::device_files;
use super::fault_actions;
use super::fault_script::{FaultScript, ScriptState, ScriptUse};
use super::segment_time::SegmentTime;
use super::{Exit, print, print_error, read_text};
use crate::config::drive_file::read_device;
use crate::config::embedded;
use crate::devices::MAX_SUBDEVICES;
use crate::fieldbus::link::raw_socket::{OpenError, RawSocket};
use crate::fieldbus::link::{FrameLink, LinkError, MAX_FRAME_BYTES};
use crate::platform::realtime_thread::{RealtimeThreadSettings, remedy_of_rights, set_up};
use crate::simulator::{
    AlStatus, DriveParameters, Injection, Segment, SegmentDescription, SegmentStatistics, SimulatedDevice,
};
use crate::units::Nanoseconds;

/// Longest time without looking at the clock: simulated time passes and `stop` is seen at least so often.
const IDLE: Nanoseconds = Nanoseconds(2_000_000);
/// A stall of this machine that is told when it happens; all are counted.
const TOLD_STALL: Nanoseconds = Nanoseconds(4_000_000);
/// News that may wait to be printed.
const NEWS_MAX: usize = 4096;
/// Start positions of the drives of `--drives` lie so far apart, counts.
const START_POSITION_STEP: i32 = 100_000;

/// Their type.
const DRIVE_TYPE: &str = "generic-cia402";

/// Arguments of `motiond simulate-bus`.
#[derive(Debug, Args)]
#[command(after_long_help = fault_actions::words::listed())]
pub struct SimulateBusArguments {
    /// Network interface the controller is connected to, e.g. one end of a veth pair
    #[arg(long, value_name = "IF", required_unless_present_any = ["write_sii", "write_esi"])]
    interface: Option<String>,
    /// The cell whose SubDevices answer [default: the built-in simulated cell]
    #[arg(long, value_name = "FILE")]
    cell: Option<PathBuf>,
    /// Instead of a cell: so many servo drives, and nothing else
    #[arg(long, value_name = "N", conflicts_with = "cell",
          value_parser = clap::value_parser!(u8).range(1..=MAX_SUBDEVICES as i64))]
    drives: Option<u8>,
    /// What goes wrong, and when: a fault script
    #[arg(long, value_name = "SCRIPT")]
    fault: Option<PathBuf>,
    /// Clocks of the SubDevices run up to this much too fast or too slow
    #[arg(long, value_name = "PPM", default_value_t = 20.0, value_parser = drift)]
    clock_drift_ppm: f64,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Real-time priority (`SCHED_FIFO`), 1 to 99; 0: ordinary
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u8).range(0..=99))]
    priority: u8,
    /// Processor to stay on [default: any]
    #[arg(long, value_name = "N")]
    cpu: Option<u16>,
    /// Simulated time stands still while this machine does, so that its stalls do not run out the watchdogs of
    /// the SubDevices. For machines that are shared; a controller sees the same frames as ever
    #[arg(long)]
    pause_in_stalls: bool,
    /// Write the SII image of each SubDevice into a folder: `01-NAME.bin` …
    #[arg(long, value_name = "DIR")]
    write_sii: Option<PathBuf>,
    /// Write an ESI file of the types of SubDevices
    #[arg(long, value_name = "FILE")]
    write_esi: Option<PathBuf>,
    /// Say nothing of the states the SubDevices take and of stalls
    #[arg(long)]
    quiet: bool,
}

fn drift(text: &str) -> Result<f64, String> {
    let allowed = || "a number from 0 to 1000".to_owned();
    text.parse().ok().filter(|ppm| (0.0..=1000.0).contains(ppm)).ok_or_else(allowed)
}

#[derive(Clone, Copy, Debug)]
enum News {
    /// A SubDevice has taken a state.
    Change { device: usize, status: AlStatus },
    /// This machine stood still.
    Stall(Nanoseconds),
}

/// What the bus thread tells while it runs.
#[derive(Debug)]
struct Told {
    news: ArrayQueue<News>,
    late: AtomicU64,
    latest_us: AtomicU64,
    send_failures: AtomicU64,
    impossible: AtomicU64,
}

/// Answers frames on a network interface until SIGTERM or SIGINT.
///
/// # Errors
/// No such interface, no right to use it, a segment that cannot be simulated.
pub fn simulate_bus(arguments: &SimulateBusArguments) -> anyhow::Result<Exit> {
    let (description, types) = match description(arguments) {
        Ok(described) => described,
        Err(exit) => return Ok(exit),
    };
    if let Some(folder) = &arguments.write_sii {
        device_files::write_sii(folder, &description.devices)?;
    }
    if let Some(file) = &arguments.write_esi {
        device_files::write_esi(file, &description.devices, &types)?;
    }
    match &arguments.interface {
        Some(interface) => answer_on(interface, description, arguments),
        None => Ok(Exit::Success),
    }
}

fn answer_on(
    interface: &str,
    description: SegmentDescription,
    arguments: &SimulateBusArguments,
) -> anyhow::Result<Exit> {
    let names: Vec<String> = description.devices.iter().map(|device| device.name.clone()).collect();
    let script = match script(arguments.fault.as_deref(), &description) {
        Ok(script) => script,
        Err(exit) => return Ok(exit),
    };
    let segment = Segment::new(description)?;
    let socket = match RawSocket::open(interface) {
        Ok(socket) => socket,
        Err(error @ OpenError::NoSuchInterface) => {
            print_error(&format!("motiond: --interface {interface}: {error}"));
            return Ok(Exit::Mistake);
        }
        Err(OpenError::NotPermitted) => {
            let remedy = remedy_of_rights();
            return Err(anyhow!("raw sockets are not permitted; to grant them: {remedy}"));
        }
        Err(error) => return Err(anyhow!("interface `{interface}`: {error}")),
    };
    // Signals are taken before anything is said, so that whoever waits for the first line can end it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut ended = {
        let _inside = runtime.enter();
        (
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?,
        )
    };
    let told = Told {
        news: ArrayQueue::new(NEWS_MAX),
        late: AtomicU64::new(0),
        latest_us: AtomicU64::new(0),
        send_failures: AtomicU64::new(0),
        impossible: AtomicU64::new(0),
    };
    let stop = AtomicBool::new(false);
    let wanted = RealtimeThreadSettings {
        priority: (arguments.priority > 0).then_some(arguments.priority),
        core: arguments.cpu.map(usize::from),
        ..RealtimeThreadSettings::default()
    };
    let statistics = std::thread::scope(|scope| -> anyhow::Result<SegmentStatistics> {
        let (ready, rights) = std::sync::mpsc::sync_channel(1);
        let (stop, told) = (&stop, &told);
        let bus = std::thread::Builder::new()
            .name("bus".to_owned())
            .spawn_scoped(scope, move || {
                let rights = set_up(&wanted);
                // The receiver waits for it.
                let _gone = ready.send(rights.to_string());
                let time = SegmentTime::new(socket.now(), arguments.pause_in_stalls);
                answer(socket, segment, script, time, stop, told)
            })
            .context("starting the bus thread")?;
        if let Ok(rights) = rights.recv() {
            print(rights.trim_end());
        }
        print(&format!("{} SubDevices answer on {interface}", names.len()));
        let is_gone = runtime.block_on(async {
            let mut look = tokio::time::interval(Duration::from_millis(100));
            loop {
                tokio::select! {
                    _ = ended.0.recv() => return false,
                    _ = ended.1.recv() => return false,
                    _ = look.tick() => {
                        print_news(told, &names, arguments.quiet);
                        if bus.is_finished() { return false; }
                        if !exists(interface) { return true; }
                    }
                }
            }
        });
        stop.store(true, Ordering::Relaxed);
        let statistics = bus.join().map_err(|_| anyhow!("the bus thread panicked"))?;
        if is_gone {
            return Err(anyhow!("the interface `{interface}` is gone"));
        }
        statistics
    });
    print_news(&told, &names, arguments.quiet);
    let statistics = statistics?;
    print(&summary(&statistics, &told));
    Ok(Exit::Success)
}

/// The socket of an interface that was taken away stays silent: only the system knows.
fn exists(interface: &str) -> bool {
    Path::new("/sys/class/net").join(interface).exists()
}

/// The segment that is asked for, and the names of the types of its SubDevices; what is wrong has been said when there
/// is none.
fn description(arguments: &SimulateBusArguments) -> Result<(SegmentDescription, Vec<String>), Exit> {
    let (mut description, types) = match arguments.drives {
        Some(count) => (drives(count), vec![DRIVE_TYPE.to_owned(); usize::from(count)]),
        None => match Assembly::load(arguments.cell.as_deref()) {
            Ok(assembly) => {
                let types = assembly.cell.subdevices.iter().map(|subdevice| subdevice.device_type.clone());
                (assembly.segment_description(arguments.seed), types.collect())
            }
            Err(problems) => {
                let file = arguments.cell.clone().unwrap_or_else(|| PathBuf::from("built-in cell"));
                print_problems(&file, &problems, false);
                return Err(Exit::Mistake);
            }
        },
    };
    description.seed = arguments.seed;
    description.spread_clocks(arguments.clock_drift_ppm);
    Ok((description, types))
}

/// The fault script; what is wrong has been said when there is none.
fn script(path: Option<&Path>, description: &SegmentDescription) -> Result<FaultScript, Exit> {
    let Some(path) = path else { return Ok(FaultScript::default()) };
    let read = || {
        let text = read_text(path).map_err(|problem| vec![problem])?;
        let script = FaultScript::parse_for(&text, ScriptUse::Bus)?;
        match Segment::new(description.clone()) {
            Ok(segment) => script.check(segment).map(|()| script),
            // Said when the segment itself is made.
            Err(_) => Ok(script),
        }
    };
    read().map_err(|problems| {
        print_problems(path, &problems, false);
        Exit::Mistake
    })
}

/// Servo drives of the generic type, each at another position.
fn drives(count: u8) -> SegmentDescription {
    let text = embedded::DEVICES.iter().find(|(name, _)| *name == DRIVE_TYPE).map_or("", |found| found.1);
    let device = read_device(text).expect("the device files of the program are valid: a test reads them");
    let devices = (1..=i32::from(count)).map(|number| {
        let parameters = DriveParameters {
            initial_position_counts: i64::from(number * START_POSITION_STEP),
            ..DriveParameters::default()
        };
        SimulatedDevice::servo_drive(&format!("drive-{number}"), device, parameters)
    });
    SegmentDescription::new(devices.collect())
}

/// Answers frames until `stop`, or until the interface is gone.
fn answer(
    mut socket: RawSocket,
    mut segment: Segment,
    mut script: FaultScript,
    mut time: SegmentTime,
    stop: &AtomicBool,
    told: &Told,
) -> anyhow::Result<SegmentStatistics> {
    let mut looked_at = socket.now();
    let mut seen = vec![AlStatus::default(); segment.device_count()];
    let mut buffer = [0; MAX_FRAME_BYTES];
    inject(&mut segment, script.at_start(), told);
    while !stop.load(Ordering::Relaxed) {
        // From the last look at the clock on: work that was interrupted for long is a stall like a late wake-up.
        let idle_until = looked_at.plus(IDLE);
        let due = segment.next_return_due().map_or(idle_until, |due| time.wall(due).min(idle_until));
        let received = match socket.receive(&mut buffer, due) {
            Ok(received) => received,
            // As with the cable out: it may come back.
            Err(LinkError::Down) => {
                socket.wait_until(due);
                None
            }
            Err(error) => return Err(anyhow!("receiving: {error}")),
        };
        looked_at = socket.now();
        if let Some(stall) = time.woke(due, looked_at, segment.sync_cycle()) {
            told.late.fetch_add(1, Ordering::Relaxed);
            told.latest_us.fetch_max(stall.0 / 1000, Ordering::Relaxed);
            if stall > TOLD_STALL {
                told.news.force_push(News::Stall(stall));
            }
        }
        let now = time.simulated(looked_at);
        let states = [ScriptState::Bus(segment.lowest_state())];
        let due = script.due_in(segment.statistics().cyclic, now.as_seconds(), &states);
        inject(&mut segment, due, told);
        match received.and_then(|length| buffer.get_mut(..length)) {
            Some(frame) => {
                if segment.process_frame(frame, now) {
                    send(&mut socket, frame, told);
                }
            }
            None => segment.advance_to(now),
        }
        while let Some(length) = segment.next_returned_frame(now, &mut buffer) {
            send(&mut socket, buffer.get(..length).unwrap_or(&[]), told);
        }
        for (device, seen) in seen.iter_mut().enumerate() {
            let Some(status) = segment.device(device).map(|found| found.al_status) else { continue };
            if *seen != status {
                *seen = status;
                // Full: whoever prints is far behind, and the newest matters most.
                told.news.force_push(News::Change { device, status });
            }
        }
    }
    Ok(segment.statistics())
}

/// What the script has. It was tried beforehand; what the faults before have made impossible is counted.
fn inject(segment: &mut Segment, due: impl IntoIterator<Item = Injection>, told: &Told) {
    for injection in due {
        if segment.inject(injection).is_err() {
            told.impossible.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A frame that cannot be sent is lost, as on a cable that is out.
fn send(socket: &mut RawSocket, frame: &[u8], told: &Told) {
    if socket.send(frame).is_err() {
        told.send_failures.fetch_add(1, Ordering::Relaxed);
    }
}

fn print_news(told: &Told, names: &[String], quiet: bool) {
    while let Some(news) = told.news.pop() {
        if quiet {
            continue;
        }
        print(&match news {
            News::Stall(stall) => format!("this machine stood still for {:.1} ms", stall.as_seconds() * 1e3),
            News::Change { device, status } => {
                let name = names.get(device).map_or("", String::as_str);
                let mut line = format!("{} {name}: {}", device + 1, status.state.name());
                if status.error {
                    let _written = write!(line, " with error 0x{:04X}", status.code);
                }
                line
            }
        });
    }
}

fn summary(statistics: &SegmentStatistics, told: &Told) -> String {
    let mut text = format!(
        "frames: {} ({} with process data, {} datagrams), lost: {}, not EtherCAT: {}",
        statistics.frames, statistics.cyclic, statistics.datagrams, statistics.lost, statistics.refused
    );
    let failures = told.send_failures.load(Ordering::Relaxed);
    if failures > 0 {
        let _written = write!(text, "\nframes that could not be sent back: {failures}");
    }
    let impossible = told.impossible.load(Ordering::Relaxed);
    if impossible > 0 {
        let _written = write!(text, "\nlines of the fault script that had become impossible: {impossible}");
    }
    let late = told.late.load(Ordering::Relaxed);
    if late > 0 {
        let latest_ms = told.latest_us.load(Ordering::Relaxed) as f64 / 1000.0;
        let _written = write!(
            text,
            "\nthis machine stood still {late} times for more than 1 ms, once for {latest_ms:.1} ms"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drives_without_a_cell_stand_at_different_positions_with_different_clocks() {
        let mut description = drives(16);
        description.spread_clocks(20.0);
        assert_eq!(description.devices.len(), 16);
        let drifts: Vec<f64> = description.devices.iter().map(|device| device.clock_drift_ppm).collect();
        assert!(drifts.iter().all(|drift| drift.abs() <= 20.0), "{drifts:?}");
        assert!(drifts.windows(2).all(|pair| (pair[0] - pair[1]).abs() > 1e-6), "{drifts:?}");
        assert!(Segment::new(description).is_ok());
    }

    #[test]
    fn a_drift_that_no_clock_has_is_refused() {
        assert_eq!(drift("20"), Ok(20.0));
        for wrong in ["-1", "1001", "NaN", "fast"] {
            assert!(drift(wrong).is_err(), "{wrong}");
        }
    }
}
