//! The running daemon in its threads: real-time thread, planner, sockets. What `run` and `demo` share.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use tokio::sync::oneshot;

use super::assembly::Assembly;
use super::job_planner::CellPlanner;
use super::simulated_link::{Pace, SimulatedLink};
use crate::api::broker::Broker;
use crate::api::daemon::Daemon;
use crate::api::request::Role;
use crate::api::server::{Listeners, serve};
use crate::api::session::Limits;
use crate::boundary::{RealtimeEnd, boundary};
use crate::config::cell::LinkKind;
use crate::fieldbus::link::capture::Capture;
use crate::fieldbus::link::raw_socket::RawSocket;
use crate::fieldbus::{FrameLink, FramePump, PumpSettings, bring_up};
use crate::jobs::files::DiskFiles;
use crate::jobs::planning_desk::ThreadDesk;
use crate::jobs::store::JobStore;
use crate::machine::MachineState;
use crate::platform::clock;
use crate::platform::realtime_thread::{RealtimeThreadSettings, set_up};
use crate::platform::system_call_filter;
use crate::realtime::cycle::Cycle;
use crate::realtime::run_loop::RunLoop;
use crate::telemetry::recorder::Recorder;
use crate::units::Nanoseconds;

/// Frames and bytes the bus capture keeps.
const CAPTURE_FRAMES: usize = 16_384;
const CAPTURE_BYTES: usize = 6 * 1024 * 1024;
/// Share of the cycle, in percent, after which a paced simulated cycle counts as late.
const LATE_PERCENT: u64 = 35;
/// Longest time the arm gets to stop and the drives to switch off at the end.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);
/// Most cycles the real-time thread goes on for after its end was asked for, until the machine is at rest.
const SHUTDOWN_CYCLES: u32 = 10_000;
/// Longest time a SubDevice gets to leave OP at the end.
const LEAVE_OP: Nanoseconds = Nanoseconds(200_000_000);

/// What the daemon is started with besides the cell.
#[derive(Debug, Default)]
pub struct EngineOptions {
    /// Where jobs are kept.
    pub state_dir: PathBuf,
    /// Unix socket.
    pub socket: PathBuf,
    /// Recorders that see everything from the first cycle.
    pub recorders: Vec<BoxedRecorder>,
    /// Keep the newest frames for [`Engine::stop`] to write.
    pub capture: bool,
    /// Seed of the simulated segment.
    pub seed: u64,
}

/// A recorder that can be moved to the daemon's thread.
pub struct BoxedRecorder(pub Box<dyn Recorder>);

impl std::fmt::Debug for BoxedRecorder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("BoxedRecorder")
    }
}

/// What was found at start.
#[derive(Clone, Debug)]
pub struct Started {
    /// From the first frame to OP, wall clock.
    pub bring_up: Duration,
    /// What the real-time thread got, and the commands that grant the rest.
    pub rights: String,
    /// All rights were there.
    pub has_all_rights: bool,
    /// Address of the TCP socket.
    pub tcp: Option<SocketAddr>,
}

type Wire = Capture<Box<dyn FrameLink + Send>>;

/// A running daemon.
#[derive(Debug)]
pub struct Engine {
    /// What was found at start.
    pub started: Started,
    realtime: Option<JoinHandle<RunLoop<Wire>>>,
    realtime_stop: Arc<AtomicBool>,
    unfiltered: Arc<AtomicBool>,
    service: Option<JoinHandle<anyhow::Result<()>>>,
    shutdown: Option<oneshot::Sender<()>>,
    capture: bool,
}

impl Engine {
    /// Brings the bus up, starts the threads, opens the sockets.
    ///
    /// # Errors
    /// What refused, in words, with the remedy where there is one.
    pub fn start(assembly: &Assembly, options: EngineOptions) -> anyhow::Result<Self> {
        let (realtime_end, daemon_end) = boundary();
        let files = DiskFiles::open(options.state_dir.join("jobs"))
            .with_context(|| format!("opening the state directory {}", options.state_dir.display()))?;
        let store = JobStore::open(Box::new(files))
            .with_context(|| format!("reading the jobs in {}", options.state_dir.display()))?;
        let mut listeners = Listeners::none()
            .unix(&options.socket, Role::Programmer)
            .with_context(|| format!("listening on {}", options.socket.display()))?;
        if let Some(port) = assembly.cell.sockets.tcp_port {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            listeners = listeners.tcp(address, Role::Programmer).with_context(|| {
                format!("listening on {address}; choose another sockets.tcp_port in the cell file, or 0 for any free one")
            })?;
        }
        let tcp = listeners.tcp_address();

        let realtime_stop = Arc::new(AtomicBool::new(false));
        let late = Arc::new(AtomicU64::new(0));
        let link = open_link(assembly, options.seed, &late)?;
        let unfiltered = Arc::new(AtomicBool::new(false));
        let (realtime, outcome) = start_realtime(
            assembly,
            link,
            realtime_end,
            options.capture,
            Arc::clone(&realtime_stop),
            late,
            Arc::clone(&unfiltered),
        )?;
        let found = outcome.recv().context("the real-time thread ended before the bus was up")??;

        let planner = Arc::new(CellPlanner::new(assembly.clone()));
        let desk = ThreadDesk::start(planner, || {}).context("starting the planner thread")?;
        let mut daemon = Daemon::new(assembly.facts(), daemon_end, store, Box::new(desk));
        for BoxedRecorder(recorder) in options.recorders {
            daemon.add_recorder(recorder);
        }
        let broker = Broker::new(daemon, Limits::default());
        let (shutdown, shutdown_asked) = oneshot::channel::<()>();
        let service = std::thread::Builder::new()
            .name("api".to_owned())
            .spawn(move || serve_until(listeners, broker, shutdown_asked))
            .context("starting the socket thread")?;
        Ok(Self {
            started: Started { tcp, ..found },
            realtime: Some(realtime),
            realtime_stop,
            unfiltered,
            service: Some(service),
            shutdown: Some(shutdown),
            capture: options.capture,
        })
    }

    /// True while both threads run.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let runs = |finished: Option<bool>| finished == Some(false);
        runs(self.realtime.as_ref().map(JoinHandle::is_finished))
            && runs(self.service.as_ref().map(JoinHandle::is_finished))
    }

    /// False when the kernel did not take the system-call filter of the real-time thread.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        !self.unfiltered.load(Ordering::Relaxed)
    }

    /// Stops the arm on its path, switches the drives off, takes the bus down. Writes the bus capture when
    /// there is one and a path is given.
    ///
    /// # Errors
    /// A thread panicked, the drives did not switch off in time, or the capture could not be written.
    pub fn stop(mut self, capture: Option<&Path>) -> anyhow::Result<()> {
        if let Some(shutdown) = self.shutdown.take() {
            // The service has ended by itself when nobody receives; joining it tells why.
            let _gone = shutdown.send(());
        }
        let service = self.service.take().map(JoinHandle::join);
        self.realtime_stop.store(true, Ordering::Relaxed);
        let Some(Ok(run_loop)) = self.realtime.take().map(JoinHandle::join) else {
            return Err(anyhow!("the real-time thread panicked; the drives' own watchdogs stop them"));
        };
        let link = run_loop.shut_down(LEAVE_OP);
        if let Some(path) = capture.filter(|_| self.capture) {
            let mut file = std::io::BufWriter::new(
                std::fs::File::create(path).with_context(|| format!("creating {}", path.display()))?,
            );
            link.context("the bus was being brought up")?
                .write_pcapng(&mut file, 0)
                .with_context(|| format!("writing the bus capture {}", path.display()))?;
        }
        match service {
            Some(Ok(result)) => result,
            Some(Err(_)) | None => Err(anyhow!("the socket thread panicked")),
        }
    }
}

fn open_link(
    assembly: &Assembly,
    seed: u64,
    late: &Arc<AtomicU64>,
) -> anyhow::Result<Box<dyn FrameLink + Send>> {
    Ok(match &assembly.cell.link.kind {
        LinkKind::Simulated => {
            let late_after = Nanoseconds(assembly.cell.link.cycle_time.0 * LATE_PERCENT / 100);
            let pace = Pace::WallClock { late_after, late: Arc::clone(late) };
            Box::new(SimulatedLink::new(assembly.simulated_segment(seed)?, pace))
        }
        LinkKind::Interface(name) => {
            Box::new(RawSocket::open(name).with_context(|| format!("opening the interface `{name}`"))?)
        }
    })
}

type StartOutcome = Receiver<anyhow::Result<Started>>;

fn start_realtime(
    assembly: &Assembly,
    link: Box<dyn FrameLink + Send>,
    end: RealtimeEnd,
    capture: bool,
    stop: Arc<AtomicBool>,
    late: Arc<AtomicU64>,
    unfiltered: Arc<AtomicBool>,
) -> anyhow::Result<(JoinHandle<RunLoop<Wire>>, StartOutcome)> {
    let settings = assembly.cycle_settings().map_err(super::problems)?;
    let guards = assembly.guards().map_err(super::problems)?;
    let map = assembly.process_data_map().map_err(super::problems)?;
    let description = assembly.bus_description();
    let simulated = assembly.cell.link.kind == LinkKind::Simulated;
    let pump_settings = if simulated { PumpSettings::SIMULATED } else { PumpSettings::REAL };
    let (frames, bytes) = if capture { (CAPTURE_FRAMES, CAPTURE_BYTES) } else { (1, 2048) };
    let wanted = RealtimeThreadSettings {
        priority: assembly.cell.realtime.priority,
        core: assembly.cell.realtime.cpu.map(usize::from),
        lock_memory: assembly.cell.realtime.lock_memory,
        ..RealtimeThreadSettings::default()
    };
    let (report, outcome) = sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("realtime".to_owned())
        .stack_size(2 * 1024 * 1024)
        .spawn(move || {
            // Before the bus comes up: it takes longer than the drives' watchdogs wait for the first cycle.
            let rights = set_up(&wanted);
            let begun = Instant::now();
            let pump = FramePump::new(Capture::new(link, frames, bytes), pump_settings);
            let bus = match bring_up(pump, &description) {
                Ok(bus) => bus,
                Err(failure) => {
                    // Nobody waits any more when the start was given up; then there is nobody to tell.
                    let _gone = report.send(Err(anyhow!("bringing up the bus: {}", failure.error)));
                    std::panic::resume_unwind(Box::new("the bus did not come up"));
                }
            };
            let bring_up = begun.elapsed();
            let mut run_loop = RunLoop::new(bus, Cycle::new(settings, end).guarded(&guards), map);
            let started = Started {
                bring_up,
                rights: rights.to_string(),
                has_all_rights: rights.is_complete(),
                tcp: None,
            };
            // Said before the filter is on: to wake the receiver is a system call of its own.
            let _gone = report.send(Ok(started));
            if system_call_filter::install().is_err() {
                unfiltered.store(true, Ordering::Relaxed);
            }
            while !stop.load(Ordering::Relaxed) {
                run_loop.one_cycle(late.load(Ordering::Relaxed));
            }
            // Usually at rest already. When the daemon's threads died, the cycle is switching off by itself.
            let mut cycles_left = SHUTDOWN_CYCLES;
            while !matches!(run_loop.state(), MachineState::Disabled | MachineState::Fault) && cycles_left > 0
            {
                run_loop.one_cycle(late.load(Ordering::Relaxed));
                cycles_left -= 1;
            }
            run_loop
        })
        .context("starting the real-time thread")?;
    Ok((thread, outcome))
}

fn serve_until(listeners: Listeners, broker: Broker, shutdown: oneshot::Receiver<()>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let broker = runtime.block_on(serve(
        listeners,
        broker,
        clock::now,
        async {
            // A dropped sender means the same: the daemon is to end.
            let _asked = shutdown.await;
        },
        SHUTDOWN_PATIENCE,
        |_| {},
    ))?;
    if broker.daemon().is_shut_down() {
        Ok(())
    } else {
        Err(anyhow!("the drives did not report that they are off within {} s", SHUTDOWN_PATIENCE.as_secs()))
    }
}
