//! What one cycle costs: `Cycle::step` with inverse kinematics on a straight line for 6 and 12 joints, and
//! the whole cycle of the built-in cell with ethercrab and the simulated segment around it.
//!
//! On a machine with other work the times say little: the last lines compare each with a fixed piece of
//! arithmetic, in turns, by the fastest of many rounds.

#![expect(clippy::panic, clippy::print_stdout, reason = "a benchmark prints")]

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use motiond::boundary::command_queue::{Command, StampedCommand};
use motiond::boundary::event_queue::EventKind;
use motiond::boundary::piece_queue::{Piece, PieceKind};
use motiond::boundary::{DaemonEnd, boundary};
use motiond::cli::assembly::Assembly;
use motiond::cli::simulated_link::{Pace, SimulatedLink};
use motiond::config::cell::Coupling;
use motiond::devices::MAX_SUBDEVICES;
use motiond::devices::objects::MODE_CSP;
use motiond::drives::channels::{ChannelFreshness, ChannelValues};
use motiond::drives::process_image::DriveFeedback;
use motiond::drives::scaling::{ArmScaling, DriveScaling};
use motiond::fieldbus::{AlState, FramePump, PumpSettings, bring_up};
use motiond::geometry::Pose;
use motiond::joints::{JointLimit, JointLimits, JointVector, MAX_JOINTS};
use motiond::kinematics::inverse::InverseSettings;
use motiond::kinematics::{Chain, ChainJoint, JointKind};
use motiond::machine::{ControlEpoch, MachineState, RunTag};
use motiond::realtime::bus_supervision::ExchangeResult;
use motiond::realtime::cycle::{Cycle, CycleInputs, CycleOutputs, CycleSettings};
use motiond::realtime::run_loop::RunLoop;
use motiond::realtime::supervision::SupervisionSettings;
use motiond::trajectory::path::{JointPath, LinePath, Path};
use motiond::trajectory::{Ceiling, Segment};
use motiond::units::Nanoseconds;
use nalgebra::Vector3;

const COUNTS_PER_TURN: f64 = 8_388_608.0;
const GEAR: f64 = 100.0;

/// Keeps the arm moving along a line, again and again: at its end it goes back in joint space within a few
/// cycles, so that a redundant arm starts from the same joint positions each time.
struct Shuttle {
    daemon: DaemonEnd,
    line: Segment,
    /// Limits of the way back.
    back: Ceiling,
    q_start: JointVector,
    pushed: u32,
}

impl Shuttle {
    fn new(daemon: DaemonEnd, chain: &Chain, q_start: JointVector) -> Self {
        let x_start = chain.forward(&q_start);
        let mut x_end = x_start;
        x_end.translation.vector.z += 0.05;
        let line = Segment {
            path: Path::Line(LinePath::new(x_start, x_end)),
            ceiling: Ceiling { speed: 0.05, acceleration: 0.5, jerk: 5.0 },
            x_flange_tool: Pose::identity(),
            payload: motiond::dynamics::RigidBody::none(),
            q_start,
            q_end: q_start,
            guide: motiond::kinematics::guide::Guide::None,
        };
        let back = Ceiling { speed: 25.0, acceleration: 500.0, jerk: 50_000.0 };
        Self { daemon, line, back, q_start, pushed: 0 }
    }

    fn command(&mut self, command: Command) {
        let stamped = StampedCommand { epoch: ControlEpoch(0), id: 0, command };
        self.daemon.commands.push(stamped).expect("the queue is empty");
    }

    /// Takes what the cycle has published; at the end of the line sends the arm back and along it again.
    fn serve(&mut self) {
        while let Some(event) = self.daemon.events.pop() {
            assert!(!matches!(event.kind, EventKind::Fault(_)), "{event:?}");
        }
        while let Some(sample) = self.daemon.samples.pop() {
            if sample.s >= self.line.path.length() && sample.piece + 1 == self.pushed {
                let back = Segment {
                    path: Path::Joint(JointPath::new(sample.q_setpoint, self.q_start)),
                    ceiling: self.back,
                    q_start: sample.q_setpoint,
                    ..self.line
                };
                self.push(back);
                self.push(self.line);
            }
        }
    }

    fn push(&mut self, segment: Segment) {
        let piece = Piece {
            run: RunTag(1),
            epoch: ControlEpoch(0),
            index: self.pushed,
            instruction: 0,
            kind: PieceKind::Motion(segment),
        };
        self.pushed += 1;
        assert!(self.daemon.pieces.push(piece).is_ok());
    }
}

/// A machine whose drives are where they were told to be.
struct Ideal {
    cycle: Cycle,
    inputs: CycleInputs,
    outputs: CycleOutputs,
}

impl Ideal {
    fn step(&mut self) {
        for (feedback, command) in self.inputs.drives.iter_mut().zip(&self.outputs.drives) {
            feedback.position_counts = command.target_counts;
            feedback.statusword = match command.controlword {
                0x06 => 0x1231,
                0x07 => 0x1233,
                0x0F => 0x1237,
                _ => 0x1250,
            };
        }
        self.cycle.step(&self.inputs, &mut self.outputs);
    }
}

fn arm_of(joints: usize) -> (Chain, JointVector) {
    if joints == 6 {
        let cell = Assembly::load(None).expect("the built-in cell is valid").cell;
        return (cell.model.chain, JointVector::from_fn(6, |joint| [0.3, 0.2, 0.1, 0.2, -1.2, 0.5][joint]));
    }
    let axes = [Vector3::z_axis(), Vector3::y_axis(), Vector3::x_axis()];
    let chain: Vec<ChainJoint> = (0..joints)
        .map(|joint| ChainJoint {
            kind: JointKind::Revolute,
            origin: Pose::translation(0.05, 0.0, 0.15),
            axis: axes[joint % 3],
        })
        .collect();
    let chain = Chain::from_joints(&chain, &Pose::translation(0.0, 0.0, 0.1)).expect("a valid chain");
    (chain, JointVector::from_fn(joints, |joint| if joint % 2 == 0 { 0.4 } else { -0.3 }))
}

fn ideal(joints: usize) -> (Ideal, Shuttle) {
    let (chain, q) = arm_of(joints);
    let limit = JointLimit {
        position_min: -1e4,
        position_max: 1e4,
        speed_max: 30.0,
        acceleration_max: 1e4,
        jerk_max: 1e7,
    };
    // The counters stand at zero; the offsets put the arm where it starts.
    let scaling: Vec<DriveScaling> = q
        .iter()
        .map(|offset_rad| DriveScaling {
            counts_per_turn: COUNTS_PER_TURN,
            counter_bits: 32,
            gear_ratio: GEAR,
            sign: 1.0,
            offset_rad,
        })
        .collect();
    let (realtime_end, daemon) = boundary();
    let settings = CycleSettings {
        cycle_time: Nanoseconds(1_000_000),
        chain,
        inverse: InverseSettings::default(),
        limits: JointLimits::from_slice(&vec![limit; joints]).expect("at most twelve"),
        scaling: ArmScaling::new(&scaling, Coupling::identity(joints)).expect("one drive a joint"),
        positions: motiond::positions::PositionsAtStart::as_in_cell_file(6),
        drive_subdevices: std::array::from_fn(|drive| drive),
        brake_release_s: 0.0,
        brake_close_s: 0.0,
        supervision: SupervisionSettings {
            following_error_rad: JointVector::from_fn(joints, |_| 0.1),
            following_lag_s: 0.02,
            stop_input: None,
        },
        feed_forward: motiond::realtime::feed_forward::FeedForwardSettings::default(),
        safe_outputs: ChannelValues::default(),
    };
    let drives = [DriveFeedback { statusword: 0x1250, mode_display: MODE_CSP, ..DriveFeedback::default() };
        MAX_JOINTS];
    let inputs = CycleInputs {
        exchange: ExchangeResult {
            received: true,
            fresh_subdevices: u32::MAX,
            working_counter: 1,
            working_counter_expected: 1,
            al_states: [AlState::Op; MAX_SUBDEVICES],
            subdevices: joints,
            skipped_cycles: 0,
            clock: None,
        },
        drives,
        channels: ChannelValues::default(),
        channels_fresh: ChannelFreshness::ALL,
        late_cycles: 0,
        heap_allocations: 0,
    };
    let mut machine =
        Ideal { cycle: Cycle::new(settings, realtime_end), inputs, outputs: CycleOutputs::default() };
    let mut shuttle = Shuttle::new(daemon, &chain, q);
    shuttle.command(Command::Enable);
    for _ in 0..100 {
        machine.step();
    }
    shuttle.command(Command::Start(RunTag(1)));
    while let Some(sample) = shuttle.daemon.samples.pop() {
        shuttle = Shuttle::new(shuttle.daemon, &chain, sample.q_setpoint);
    }
    shuttle.push(shuttle.line);
    for _ in 0..100 {
        machine.step();
    }
    assert_eq!(machine.cycle.state(), MachineState::Executing);
    (machine, shuttle)
}

fn step_alone(criterion: &mut Criterion) {
    for joints in [6, 12] {
        let (mut machine, mut shuttle) = ideal(joints);
        criterion.bench_function(&format!("Cycle::step, {joints} joints on a line"), |bencher| {
            bencher.iter(|| {
                machine.step();
                shuttle.serve();
            });
        });
        assert_eq!(
            machine.cycle.state(),
            MachineState::Executing,
            "the arm must have been moving all the time"
        );
    }
}

/// The built-in cell, its arm on its way along the line.
fn whole() -> (RunLoop<SimulatedLink>, Shuttle) {
    let assembly = Assembly::load(None).expect("the built-in cell is valid");
    let q = JointVector::from_fn(6, |joint| [0.3, 0.2, 0.1, 0.2, -1.2, 0.5][joint]);
    let mut standing = assembly.clone();
    standing.cell.simulation.start_joints = q;
    let segment = standing.simulated_segment(1).expect("the built-in segment is valid");
    let pump = FramePump::new(SimulatedLink::new(segment, Pace::Virtual), PumpSettings::SIMULATED);
    let Ok(bus) = bring_up(pump, &standing.bus_description()) else {
        panic!("the simulated segment comes up")
    };
    let (realtime_end, mut daemon) = boundary();
    let settings = standing.cycle_settings().expect("the built-in cell is valid");
    let map = standing.process_data_map().expect("the built-in cell is valid");
    let mut run_loop = RunLoop::new(bus, Cycle::new(settings, realtime_end), map);
    let enable = StampedCommand { epoch: ControlEpoch(0), id: 0, command: Command::Enable };
    daemon.commands.push(enable).expect("the queue is empty");
    let mut q_start = q;
    while run_loop.state() != MachineState::Ready {
        run_loop.one_cycle(0);
        while let Some(sample) = daemon.samples.pop() {
            q_start = sample.q_setpoint;
        }
    }
    let mut shuttle = Shuttle::new(daemon, &standing.cell.model.chain, q_start);
    shuttle.back = Ceiling { speed: 1.0, acceleration: 5.0, jerk: 60.0 };
    shuttle.command(Command::Start(RunTag(1)));
    shuttle.push(shuttle.line);
    for _ in 0..100 {
        run_loop.one_cycle(0);
        shuttle.serve();
    }
    assert_eq!(run_loop.state(), MachineState::Executing);
    (run_loop, shuttle)
}

fn whole_cycle(criterion: &mut Criterion) {
    let (mut run_loop, mut shuttle) = whole();
    criterion.bench_function(
        "whole cycle: ethercrab, six simulated drives and terminals, 6 joints",
        |bencher| {
            bencher.iter(|| {
                run_loop.one_cycle(0);
                shuttle.serve();
            });
        },
    );
    assert_eq!(run_loop.state(), MachineState::Executing, "the arm must have been moving all the time");
}

/// Arithmetic that depends on nothing of this program: a chain of 100 sines and cosines.
fn reference() {
    let mut value = black_box(0.5_f64);
    for _ in 0..100 {
        let (sin, cos) = value.sin_cos();
        value = sin * cos + 0.5;
    }
    black_box(value);
}

/// Time of one of `CALLS` calls, ns.
fn time_of(mut call: impl FnMut()) -> f64 {
    const CALLS: u32 = 50;
    let begun = Instant::now();
    for _ in 0..CALLS {
        call();
    }
    begun.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
}

/// Each against the reference, in turns; what other programs take away hits all of them.
fn compared(_: &mut Criterion) {
    let (mut six, mut six_shuttle) = ideal(6);
    let (mut twelve, mut twelve_shuttle) = ideal(12);
    let (mut run_loop, mut shuttle) = whole();
    let mut fastest_ns = [f64::INFINITY; 4];
    for _ in 0..400 {
        let round = [
            time_of(reference),
            time_of(|| {
                six.step();
                six_shuttle.serve();
            }),
            time_of(|| {
                twelve.step();
                twelve_shuttle.serve();
            }),
            time_of(|| {
                run_loop.one_cycle(0);
                shuttle.serve();
            }),
        ];
        fastest_ns.iter_mut().zip(round).for_each(|(fastest, time)| *fastest = fastest.min(time));
    }
    let [reference, others @ ..] = fastest_ns;
    println!(
        "reference, 100 sines and cosines: {reference:.0} ns; times the reference, fastest of 400 rounds:"
    );
    for (name, time) in ["Cycle::step, 6 joints", "Cycle::step, 12 joints", "whole cycle"].iter().zip(others)
    {
        println!("  {name}: {:.2} ({time:.0} ns)", time / reference);
    }
}

criterion_group!(benches, step_alone, whole_cycle, compared);
criterion_main!(benches);
