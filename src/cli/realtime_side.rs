//! The real-time side of a running daemon: its thread, and the threads that follow it.
//!
//! A thread brings the bus up, takes the system-call filter and cycles. The filter cannot be taken off again, and
//! a bring-up needs more than it lets pass. So when an acknowledgement wants the bus brought up again, the thread
//! ends and hands bus and machine to a fresh one. The machine is in its fault state meanwhile, no drive has torque.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use super::assembly::Assembly;
use super::scripted_link::MachineWatch;
use crate::api::daemon::BringUpResult;
use crate::boundary::RealtimeEnd;
use crate::config::cell::LinkKind;
use crate::fieldbus::link::capture::Capture;
use crate::fieldbus::{BusDescription, FrameLink, FramePump, Progress, PumpSettings, bring_up_watched};
use crate::machine::MachineState;
use crate::platform::realtime_thread::{RealtimeThread, RealtimeThreadSettings, set_up};
use crate::platform::system_call_filter;
use crate::realtime::cycle::Cycle;
use crate::realtime::run_loop::RunLoop;

/// Stack of a real-time thread, bytes.
const STACK_BYTES: usize = 2 * 1024 * 1024;
/// Most cycles the real-time thread goes on for after its end was asked for, until the machine is at rest.
const SHUTDOWN_CYCLES: u32 = 10_000;

/// A link whose newest frames are kept.
pub type Wire = Capture<Box<dyn FrameLink + Send>>;

/// What was found at start.
#[derive(Clone, Debug)]
pub struct BroughtUp {
    /// From the first frame to OP, wall clock.
    pub bring_up: Duration,
    /// What the real-time thread got, and the commands that grant the rest.
    pub rights: String,
    /// All rights were there.
    pub has_all_rights: bool,
}

/// What the real-time side says until it cycles for the first time.
#[derive(Debug)]
pub enum StartNews {
    /// How far the bring-up has come.
    Progress(Progress),
    /// It ended.
    Ended(anyhow::Result<BroughtUp>),
}

/// What threads share with the real-time side.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    stop: Arc<AtomicBool>,
    unfiltered: Arc<AtomicBool>,
    /// Late cycles the link has counted.
    pub late: Arc<AtomicU64>,
    /// How far the machine is.
    pub watch: Arc<MachineWatch>,
}

/// The running real-time side.
#[derive(Debug)]
pub struct RealtimeSide {
    shared: Shared,
    keeper: JoinHandle<Option<RunLoop<Wire>>>,
}

/// What is heard from it.
#[derive(Debug)]
pub struct Heard {
    /// Until the first cycle.
    pub start: Receiver<StartNews>,
    /// How later bring-ups ended.
    pub bring_ups: Receiver<BringUpResult>,
}

impl RealtimeSide {
    /// Starts the first thread; it begins with the bring-up on `wire`.
    ///
    /// # Errors
    /// The cell does not make a machine, or no thread could be started.
    pub fn start(
        assembly: &Assembly,
        wire: Wire,
        end: RealtimeEnd,
        shared: Shared,
    ) -> anyhow::Result<(Self, Heard)> {
        let (start_news, start) = channel();
        let (results, bring_ups) = channel();
        let settings = assembly.cycle_settings().map_err(super::problems)?;
        let guards = assembly.guards().map_err(super::problems)?;
        let map = assembly.process_data_map().map_err(super::problems)?;
        let simulated = assembly.cell.link.kind == LinkKind::Simulated;
        let pump_settings = if simulated { PumpSettings::SIMULATED } else { PumpSettings::REAL };
        let realtime = &assembly.cell.realtime;
        let thread = Thread {
            wanted: RealtimeThreadSettings {
                priority: realtime.priority,
                core: realtime.cpu.map(usize::from),
                lock_memory: realtime.lock_memory,
                ..RealtimeThreadSettings::default()
            },
            description: Arc::new(assembly.bus_description()),
            shared: shared.clone(),
        };
        let first = {
            let thread = thread.clone();
            move || {
                // Before the bus comes up: it takes longer than the drives' watchdogs wait for the first cycle.
                let rights = set_up(&thread.wanted);
                let begun = Instant::now();
                let pump = FramePump::new(wire, pump_settings);
                let mut progress = |progress| tell(&start_news, StartNews::Progress(progress));
                let bus = match bring_up_watched(pump, &thread.description, &mut progress) {
                    Ok(bus) => bus,
                    Err(failure) => {
                        let error = anyhow!("bringing up the bus: {}", failure.error);
                        tell(&start_news, StartNews::Ended(Err(error)));
                        return Left { run_loop: None, rights };
                    }
                };
                let bring_up = begun.elapsed();
                let run_loop = RunLoop::new(bus, Cycle::new(settings, end).guarded(&guards), map);
                let found =
                    BroughtUp { bring_up, rights: rights.to_string(), has_all_rights: rights.is_complete() };
                // Said before the filter is on: to wake the receiver is a system call of its own.
                tell(&start_news, StartNews::Ended(Ok(found)));
                thread.cycle_on(run_loop, rights)
            }
        };
        let first = spawn(first).context("starting the real-time thread")?;
        let keeper = std::thread::Builder::new()
            .name("bus-keeper".to_owned())
            .spawn(move || keep(&thread, first, &results))
            .context("starting the thread that follows the real-time thread")?;
        Ok((Self { shared, keeper }, Heard { start, bring_ups }))
    }

    /// True while there is a real-time thread.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.keeper.is_finished()
    }

    /// False when the kernel did not take the system-call filter.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        !self.shared.unfiltered.load(Ordering::Relaxed)
    }

    /// Ends the cycles and gives back what cycled. `None`: the bus never came up.
    ///
    /// # Errors
    /// A real-time thread panicked.
    pub fn stop(self) -> anyhow::Result<Option<RunLoop<Wire>>> {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.keeper
            .join()
            .map_err(|_| anyhow!("the real-time thread panicked; the drives' own watchdogs stop them"))
    }
}

/// Nobody listens any more when the start was given up; then there is nobody to tell.
fn tell<T>(listener: &Sender<T>, news: T) {
    let _gone = listener.send(news);
}

/// What a thread leaves behind. `rights` keep the processors awake until the next thread has its own.
struct Left {
    run_loop: Option<RunLoop<Wire>>,
    rights: RealtimeThread,
}

/// What every real-time thread needs.
#[derive(Clone)]
struct Thread {
    wanted: RealtimeThreadSettings,
    description: Arc<BusDescription>,
    shared: Shared,
}

fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> std::io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name("realtime".to_owned()).stack_size(STACK_BYTES).spawn(work)
}

/// Waits for each thread to end, and starts the next one when it ended to have the bus brought up again.
fn keep(thread: &Thread, first: JoinHandle<Left>, results: &Sender<BringUpResult>) -> Option<RunLoop<Wire>> {
    let mut current = first;
    loop {
        let Left { run_loop, rights } = current.join().unwrap_or_else(|panic| {
            tell(results, Err("the real-time thread panicked".to_owned()));
            resume_unwind(panic)
        });
        let run_loop = run_loop?;
        if thread.is_stopped() || !run_loop.wants_bring_up() {
            return Some(run_loop);
        }
        let (fresh, results) = (thread.clone(), results.clone());
        match spawn(move || fresh.bring_up_again(run_loop, &results)) {
            Ok(next) => current = next,
            Err(error) => resume_unwind(Box::new(format!("no further real-time thread: {error}"))),
        }
        drop(rights);
    }
}

impl Thread {
    fn bring_up_again(&self, mut run_loop: RunLoop<Wire>, results: &Sender<BringUpResult>) -> Left {
        let rights = set_up(&self.wanted);
        let result = run_loop.bring_up_again(&self.description).map_err(|error| error.to_string());
        tell(results, result);
        self.cycle_on(run_loop, rights)
    }

    /// Cycles under the filter, until the end is asked for or the bus must be brought up again.
    fn cycle_on(&self, mut run_loop: RunLoop<Wire>, rights: RealtimeThread) -> Left {
        if system_call_filter::install().is_err() {
            self.shared.unfiltered.store(true, Ordering::Relaxed);
        }
        while !self.is_stopped() && !run_loop.wants_bring_up() {
            self.one_cycle(&mut run_loop);
        }
        if self.is_stopped() {
            // Usually at rest already. When the daemon's threads died, the cycle is switching off by itself.
            let mut cycles_left = SHUTDOWN_CYCLES;
            while !matches!(run_loop.state(), MachineState::Disabled | MachineState::Fault) && cycles_left > 0
            {
                self.one_cycle(&mut run_loop);
                cycles_left -= 1;
            }
        }
        Left { run_loop: Some(run_loop), rights }
    }

    fn is_stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    fn one_cycle(&self, run_loop: &mut RunLoop<Wire>) {
        run_loop.one_cycle(self.shared.late.load(Ordering::Relaxed));
        self.shared.watch.passed(run_loop.state());
    }
}
