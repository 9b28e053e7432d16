//! The whole cycle (bus, machine, inverse kinematics, phases, queues) through every state of the machine: no heap,
//! no system call that is not on the list. And that the same cycle with a bug in it is found out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use motiond::boundary::command_queue::{Command, StampedCommand};
use motiond::boundary::event_queue::EventKind;
use motiond::boundary::object_queue::{Chunk, ObjectNews, ObjectOrder, ObjectTransfer};
use motiond::boundary::piece_queue::Piece;
use motiond::boundary::{DaemonEnd, RealtimeEnd, boundary};
use motiond::cli::assembly::Assembly;
use motiond::cli::job_planner::CellPlanner;
use motiond::cli::simulated_link::{Pace, SimulatedLink};
use motiond::config::embedded::SAMPLE_JOB;
use motiond::fieldbus::{FrameLink, FramePump, LinkError, PumpSettings, bring_up};
use motiond::jobs::planning_desk::JobPlanner as _;
use motiond::joints::JointVector;
use motiond::machine::{ControlEpoch, MachineState, RunTag};
use motiond::platform::system_call_filter;
use motiond::platform::trap_allocator::counts;
use motiond::realtime::cycle::Cycle;
use motiond::realtime::run_loop::RunLoop;
use motiond::simulator::Injection;
use motiond::units::{Nanoseconds, Ratio};

use crate::take_turn;

/// Guards against a hang; nothing is measured with it.
const PATIENCE: Duration = Duration::from_secs(120);
/// Cycles the machine runs at least.
const CYCLES_MIN: u64 = 100_000;

/// What the test, as the daemon, shares with the real-time thread.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    fault_wanted: AtomicBool,
    cycles: AtomicU64,
}

struct Daemon {
    end: DaemonEnd,
    planner: CellPlanner,
    shared: Arc<Shared>,
    runs: u32,
    state: MachineState,
    q: JointVector,
}

impl Daemon {
    fn command(&mut self, command: Command) {
        let stamped = StampedCommand { epoch: ControlEpoch(0), id: 0, command };
        self.end.commands.push(stamped).expect("the cycle empties the queue");
    }

    /// A value of several chunks is written and read back, and a device is asked for what it does not have.
    fn transfer_objects(&mut self) {
        let value = [0x5A; 1000];
        let transfer = |number, index, written| {
            let (position, subindex, complete) = (3, 0, false);
            ObjectOrder::Transfer(ObjectTransfer { number, position, index, subindex, complete, written })
        };
        let mut sent = 0;
        while let Some(chunk) = Chunk::of(&value, sent) {
            assert!(self.end.objects.push(ObjectOrder::Value(chunk)));
            sent = chunk.end();
        }
        for order in [transfer(1, 0x2100, Some(1000)), transfer(2, 0x2100, None), transfer(3, 0x5FFF, None)] {
            assert!(self.end.objects.push(order));
        }
        let begun = Instant::now();
        let (mut bytes, mut ended) = (0, Vec::new());
        while ended.len() < 3 {
            assert!(begun.elapsed() < PATIENCE, "the transfers never end");
            self.look();
            while let Some(news) = self.end.objects.pop() {
                match news {
                    ObjectNews::Value(chunk) => bytes += chunk.bytes().len(),
                    ObjectNews::Ended { result, .. } => ended.push(result),
                }
            }
        }
        assert_eq!((bytes, ended[0], ended[1], ended[2].is_ok()), (1000, Ok(1000), Ok(1000), false));
    }

    fn look(&mut self) {
        while let Some(event) = self.end.events.pop() {
            if let EventKind::State(state) = event.kind {
                self.state = state;
            }
        }
        while let Some(sample) = self.end.samples.pop() {
            self.q = sample.q_setpoint;
        }
        std::thread::yield_now();
    }

    fn until(&mut self, state: MachineState) {
        let begun = Instant::now();
        while self.state != state {
            assert!(begun.elapsed() < PATIENCE, "never {state:?}, now {:?}", self.state);
            self.look();
        }
    }

    fn cycles(&mut self, count: u64) {
        let begun = Instant::now();
        let end = self.shared.cycles.load(Ordering::Relaxed) + count;
        while self.shared.cycles.load(Ordering::Relaxed) < end {
            assert!(begun.elapsed() < PATIENCE, "the real-time thread stands still");
            self.look();
        }
    }

    fn weld(&mut self) {
        self.cycles(10);
        let plan = self.planner.plan(SAMPLE_JOB, &self.q).expect("the sample job can be planned");
        self.runs += 1;
        for (index, piece) in (0_u32..).zip(&plan.pieces) {
            let piece = Piece {
                run: RunTag(self.runs),
                epoch: ControlEpoch(0),
                index,
                instruction: piece.instruction,
                kind: piece.kind,
            };
            assert!(self.end.pieces.push(piece).is_ok());
        }
        self.command(Command::Start(RunTag(self.runs)));
        self.until(MachineState::Executing);
    }

    /// Through every state there is.
    fn through_every_state(&mut self) {
        self.command(Command::Enable);
        self.until(MachineState::Ready);
        self.weld();
        self.cycles(5000);
        self.transfer_objects();
        self.command(Command::Hold);
        self.until(MachineState::Held);
        self.command(Command::Resume);
        self.until(MachineState::Executing);
        self.cycles(1000);
        for percent in [50.0, 10.0, 100.0] {
            self.command(Command::Override(Ratio::new(percent / 100.0).expect("a ratio")));
            self.cycles(500);
        }
        self.command(Command::Stop);
        self.until(MachineState::Ready);
        self.weld();
        self.cycles(4000);
        self.shared.fault_wanted.store(true, Ordering::Relaxed);
        self.until(MachineState::Fault);
        self.command(Command::ResetFault);
        self.until(MachineState::Disabled);
        self.command(Command::Enable);
        self.until(MachineState::Ready);
        self.command(Command::Disable);
        self.until(MachineState::Disabled);
    }
}

/// The loop of the built-in cell, its bus in OP, on a link made of the simulated one.
fn run_loop_on<L: FrameLink>(
    cell: &Assembly,
    end: RealtimeEnd,
    wrap: impl FnOnce(SimulatedLink) -> L,
) -> RunLoop<L> {
    let segment = cell.simulated_segment(1).expect("the built-in segment is valid");
    let link = wrap(SimulatedLink::new(segment, Pace::Virtual));
    let Ok(bus) = bring_up(FramePump::new(link, PumpSettings::SIMULATED), &cell.bus_description()) else {
        panic!("the segment comes up")
    };
    let settings = cell.cycle_settings().expect("the built-in cell is valid");
    let guards = cell.guards().expect("the built-in cell is valid");
    let map = cell.process_data_map().expect("the built-in cell is valid");
    RunLoop::new(bus, Cycle::new(settings, end).guarded(&guards), map)
}

#[test]
fn the_whole_cycle_uses_no_heap_and_no_foreign_system_call_in_any_state() {
    let _turn = take_turn();
    let assembly = Assembly::load(None).expect("the built-in cell is valid");
    let (realtime_end, end) = boundary();
    let shared = Arc::new(Shared::default());
    let in_thread = Arc::clone(&shared);
    let cell = assembly.clone();
    let thread = std::thread::spawn(move || {
        let mut run_loop = run_loop_on(&cell, realtime_end, |link| link);
        let before = (counts(), system_call_filter::forbidden_system_calls());
        system_call_filter::install().expect("the kernel has seccomp");
        while !in_thread.stop.load(Ordering::Relaxed) {
            if in_thread.fault_wanted.swap(false, Ordering::Relaxed) {
                let fault = Injection::DriveFault { drive: 2.into(), code: 0x7500, lasts: false };
                assert!(run_loop.link_mut().is_some_and(|link| link.segment_mut().inject(fault).is_ok()));
            }
            run_loop.one_cycle(0);
            in_thread.cycles.fetch_add(1, Ordering::Relaxed);
        }
        let after = (counts(), system_call_filter::forbidden_system_calls());
        // Given back whole: what is freed at the end is not the cycle's business.
        (before, after, run_loop)
    });
    let mut daemon = Daemon {
        end,
        planner: CellPlanner::new(assembly),
        shared: Arc::clone(&shared),
        runs: 0,
        state: MachineState::Disabled,
        q: JointVector::zeros(6),
    };
    while shared.cycles.load(Ordering::Relaxed) < CYCLES_MIN {
        daemon.through_every_state();
    }
    shared.stop.store(true, Ordering::Relaxed);
    let (before, after, _run_loop) = thread.join().expect("the real-time thread ends in order");
    assert_eq!(after.0, before.0, "heap use in the cycle");
    let last = system_call_filter::last_forbidden_system_call();
    assert_eq!(after.1, before.1, "forbidden system calls in the cycle, the last one {last:?}");
    println!("{} cycles, no heap, no forbidden system call", shared.cycles.load(Ordering::Relaxed));
}

/// A link with a bug in it, committed whenever it receives.
struct Buggy {
    link: SimulatedLink,
    bug: fn(),
}

impl FrameLink for Buggy {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        self.link.send(frame)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Nanoseconds) -> Result<Option<usize>, LinkError> {
        (self.bug)();
        self.link.receive(buffer, deadline)
    }

    fn now(&self) -> Nanoseconds {
        self.link.now()
    }

    fn wait_until(&mut self, time: Nanoseconds) {
        self.link.wait_until(time);
    }
}

/// Heap uses and forbidden system calls that a hundred cycles with a bug are charged with.
fn charged_with(bug: fn()) -> (u64, u64) {
    std::thread::spawn(move || {
        let cell = Assembly::load(None).expect("the built-in cell is valid");
        let (realtime_end, _end) = boundary();
        let mut run_loop = run_loop_on(&cell, realtime_end, |link| Buggy { link, bug: || {} });
        run_loop.link_mut().expect("the bus is up").bug = bug;
        system_call_filter::install().expect("the kernel has seccomp");
        let before = (counts(), system_call_filter::forbidden_system_calls());
        for _ in 0..100 {
            run_loop.one_cycle(0);
        }
        let after = (counts(), system_call_filter::forbidden_system_calls());
        let heap = after.0.allocations + after.0.frees - before.0.allocations - before.0.frees;
        (heap, after.1 - before.1, run_loop)
    })
    .join()
    .map(|(heap, calls, _run_loop)| (heap, calls))
    .expect("the thread ends in order")
}

#[test]
fn a_bug_in_the_whole_cycle_is_found_out() {
    let _turn = take_turn();
    assert_eq!(charged_with(|| {}), (0, 0));
    let (heap, calls) = charged_with(|| drop(std::hint::black_box(Box::new(5))));
    assert!(heap >= 200 && calls == 0, "an allocation and a free a cycle: {heap}, {calls}");
    let (heap, calls) = charged_with(|| assert!(std::fs::File::open("/dev/null").is_err(), "it is refused"));
    assert!(heap == 0 && calls >= 100, "a system call a cycle: {heap}, {calls}");
    let (heap, calls) = charged_with(|| std::thread::park_timeout(Duration::from_micros(1)));
    assert!(heap == 0 && calls >= 100, "a wait for a lock a cycle: {heap}, {calls}");
}
