//! The running daemon in its threads: real-time thread, planner, sockets. What `run` and `demo` share.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::sync::oneshot;

use super::assembly::Assembly;
use super::fault_script::FaultScript;
use super::job_planner::CellPlanner;
use super::realtime_side::{BroughtUp, RealtimeSide, Shared, StartNews};
use super::scripted_link::ScriptedLink;
use super::simulated_link::{Pace, SimulatedLink};
use crate::api::broker::Broker;
use crate::api::daemon::Daemon;
use crate::api::request::Role;
use crate::api::server::{Listeners, serve};
use crate::api::session::Limits;
use crate::boundary::boundary;
use crate::config::cell::LinkKind;
use crate::fieldbus::link::capture::Capture;
use crate::fieldbus::link::raw_socket::RawSocket;
use crate::fieldbus::{FrameLink, Progress};
use crate::jobs::files::{DiskFiles, Files, MemoryFiles};
use crate::jobs::planning_desk::ThreadDesk;
use crate::jobs::store::JobStore;
use crate::mastering::store::{MasteringStore, Meanwhile};
use crate::platform::clock;
use crate::telemetry::recorder::Recorder;
use crate::units::Nanoseconds;

/// Frames and bytes the bus capture keeps.
const CAPTURE_FRAMES: usize = 16_384;
const CAPTURE_BYTES: usize = 6 * 1024 * 1024;
/// Share of the cycle, in percent, after which a paced simulated cycle counts as late.
const LATE_PERCENT: u64 = 35;
/// Longest time the arm gets to stop and the drives to switch off at the end.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);
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
    /// What goes wrong on the simulated segment.
    pub script: FaultScript,
    /// The arm starts where the cell file says, and where it is left is not recorded.
    pub forgets_positions: bool,
}

/// A recorder that can be moved to the daemon's thread.
pub struct BoxedRecorder(pub Box<dyn Recorder>);

impl std::fmt::Debug for BoxedRecorder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("BoxedRecorder")
    }
}

/// A running daemon.
#[derive(Debug)]
pub struct Engine {
    /// What was found at start.
    pub started: BroughtUp,
    /// Address of the TCP socket.
    pub tcp: Option<SocketAddr>,
    realtime: RealtimeSide,
    service: JoinHandle<anyhow::Result<()>>,
    shutdown: oneshot::Sender<()>,
    capture: bool,
}

impl Engine {
    /// Brings the bus up, starts the threads, opens the sockets. `progress` is told how far the bus has come.
    ///
    /// # Errors
    /// What refused, in words, with the remedy where there is one.
    pub fn start(
        assembly: &Assembly,
        options: EngineOptions,
        progress: &mut dyn FnMut(Progress),
    ) -> anyhow::Result<Self> {
        let (realtime_end, daemon_end) = boundary();
        let files = DiskFiles::open(options.state_dir.join("jobs"))
            .with_context(|| format!("opening the state directory {}", options.state_dir.display()))?;
        let store = JobStore::open(Box::new(files))
            .with_context(|| format!("reading the jobs in {}", options.state_dir.display()))?;
        let mastering = open_record(assembly, &options)?;
        let assembly = &assembly.standing(*mastering.at_start(), mastering.simulated_joints());
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

        let shared = Shared::default();
        let link = open_link(assembly, options.seed, options.script, &shared)?;
        let (frames, bytes) = if options.capture { (CAPTURE_FRAMES, CAPTURE_BYTES) } else { (1, 2048) };
        let wire = Capture::new(link, frames, bytes);
        let (realtime, heard) = RealtimeSide::start(assembly, wire, realtime_end, shared)?;
        let started = loop {
            match heard.start.recv().context("the real-time thread ended before the bus was up")? {
                StartNews::Progress(news) => progress(news),
                StartNews::Ended(result) => break result?,
            }
        };

        let planner = Arc::new(CellPlanner::new(assembly.clone()));
        let desk = ThreadDesk::start(planner, || {}).context("starting the planner thread")?;
        let mut daemon = Daemon::new(assembly.facts(), daemon_end, store, Box::new(desk));
        daemon.follow_bring_ups(heard.bring_ups);
        daemon.keep_positions(mastering);
        for BoxedRecorder(recorder) in options.recorders {
            daemon.add_recorder(recorder);
        }
        let broker = Broker::new(daemon, Limits::default());
        let (shutdown, shutdown_asked) = oneshot::channel::<()>();
        let service = std::thread::Builder::new()
            .name("api".to_owned())
            .spawn(move || serve_until(listeners, broker, shutdown_asked))
            .context("starting the socket thread")?;
        Ok(Self { started, tcp, realtime, service, shutdown, capture: options.capture })
    }

    /// True while both sides run.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.realtime.is_running() && !self.service.is_finished()
    }

    /// False when the kernel did not take the system-call filter of the real-time thread.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        self.realtime.is_filtered()
    }

    /// Stops the arm on its path, switches the drives off, takes the bus down. Writes the bus capture when
    /// there is one and a path is given.
    ///
    /// # Errors
    /// A thread panicked, the drives did not switch off in time, or the capture could not be written.
    pub fn stop(self, capture: Option<&Path>) -> anyhow::Result<()> {
        // The service has ended by itself when nobody receives; joining it tells why.
        let _gone = self.shutdown.send(());
        let service = self.service.join();
        let link = self.realtime.stop()?.and_then(|run_loop| run_loop.shut_down(LEAVE_OP));
        if let Some(path) = capture.filter(|_| self.capture) {
            let mut file = std::io::BufWriter::new(
                std::fs::File::create(path).with_context(|| format!("creating {}", path.display()))?,
            );
            link.context("the bus was being brought up")?
                .write_pcapng(&mut file, 0)
                .with_context(|| format!("writing the bus capture {}", path.display()))?;
        }
        match service {
            Ok(result) => result,
            Err(_) => Err(anyhow!("the socket thread panicked")),
        }
    }
}

fn open_record(assembly: &Assembly, options: &EngineOptions) -> anyhow::Result<MasteringStore> {
    let simulated = assembly.cell.link.kind == LinkKind::Simulated;
    let files: Box<dyn Files> = if options.forgets_positions {
        Box::new(MemoryFiles::default())
    } else {
        Box::new(DiskFiles::open(options.state_dir.join("mastering"))?)
    };
    let meanwhile = if simulated { Meanwhile::Nothing } else { Meanwhile::Unknown };
    MasteringStore::open(files, &assembly.cell, meanwhile, clock::unix_s)
        .with_context(|| format!("reading the record of mastering in {}", options.state_dir.display()))
}

fn open_link(
    assembly: &Assembly,
    seed: u64,
    script: FaultScript,
    shared: &Shared,
) -> anyhow::Result<Box<dyn FrameLink + Send>> {
    Ok(match &assembly.cell.link.kind {
        LinkKind::Simulated => {
            let late_after = Nanoseconds(assembly.cell.link.cycle_time.0 * LATE_PERCENT / 100);
            let pace = Pace::WallClock { late_after, late: Arc::clone(&shared.late) };
            let link = SimulatedLink::new(assembly.simulated_segment(seed)?, pace);
            Box::new(ScriptedLink::new(link, script, Arc::clone(&shared.watch))?)
        }
        LinkKind::Interface(name) => {
            Box::new(RawSocket::open(name).with_context(|| format!("opening the interface `{name}`"))?)
        }
    })
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
