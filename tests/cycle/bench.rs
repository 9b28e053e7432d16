//! A cycle on a bench: two joints, drives that are just good enough to answer, no bus. The real
//! simulated segment is used elsewhere; here single cycles are looked at.

use motiond::boundary::command_queue::{Command, StampedCommand};
use motiond::boundary::event_queue::{Event, EventKind};
use motiond::boundary::phase_table::Action;
use motiond::boundary::piece_queue::{Piece, PieceKind};
use motiond::boundary::sample_ring::Sample;
use motiond::boundary::{DaemonEnd, boundary};
use motiond::config::cell::Coupling;
use motiond::devices::MAX_SUBDEVICES;
use motiond::devices::objects::MODE_CSP;
use motiond::drives::channels::{ChannelFreshness, ChannelValues};
use motiond::drives::process_image::DriveFeedback;
use motiond::drives::scaling::{ArmScaling, DriveScaling};
use motiond::fieldbus::AlState;
use motiond::geometry::Pose;
use motiond::joints::{JointLimit, JointLimits, JointVector, MAX_JOINTS};
use motiond::kinematics::inverse::InverseSettings;
use motiond::kinematics::{Chain, ChainJoint, JointKind};
use motiond::machine::{ControlEpoch, MachineState, RunTag};
use motiond::positions::PositionsAtStart;
use motiond::realtime::bus_supervision::ExchangeResult;
use motiond::realtime::cycle::{Cycle, CycleInputs, CycleOutputs, CycleSettings};
use motiond::realtime::supervision::SupervisionSettings;
use motiond::trajectory::path::{JointPath, Path};
use motiond::trajectory::{Ceiling, Segment};
use motiond::units::Nanoseconds;
use nalgebra::Vector3;

pub const JOINTS: usize = 2;
pub const STOP_INPUT: u8 = 0;
pub const SAFE_OUTPUT: u8 = 9;
pub const LIMIT: JointLimit = JointLimit {
    position_min: -3.0,
    position_max: 3.0,
    speed_max: 2.0,
    acceleration_max: 10.0,
    jerk_max: 200.0,
};
const COUNTS_PER_TURN: f64 = 1_048_576.0;
const GEAR: f64 = 100.0;

/// A drive that obeys the controlword and follows its target one cycle later.
#[derive(Clone, Copy, Debug)]
pub struct BenchDrive {
    pub statusword: u16,
    pub counts: i32,
    pub error_code: u16,
    pub faulted: bool,
    pub has_voltage: bool,
    pub frozen: bool,
    reset_bit: bool,
}

impl BenchDrive {
    fn at(counts: i32) -> Self {
        Self {
            statusword: 0x0250,
            counts,
            error_code: 0,
            faulted: false,
            has_voltage: true,
            frozen: false,
            reset_bit: false,
        }
    }

    fn take(&mut self, controlword: u16, target: i32) {
        let edge = controlword & 0x80 != 0 && !self.reset_bit;
        self.reset_bit = controlword & 0x80 != 0;
        if self.faulted {
            if edge && self.error_code != 0xFFFF {
                self.faulted = false;
                self.error_code = 0;
                self.statusword = 0x0250;
            } else {
                self.statusword = 0x0218;
            }
            return;
        }
        if !self.has_voltage {
            self.statusword = 0x0240;
            return;
        }
        let low = self.statusword & 0x6F;
        let next = match (low, controlword & 0x0F) {
            (_, word) if word & 0b10 == 0 => 0x40,
            (0x27 | 0x07, word) if word & 0b100 == 0 => 0x07,
            (0x40, 0x06) => 0x21,
            (0x21, 0x07) | (0x27, 0x07) => 0x23,
            (0x23, 0x0F) => 0x27,
            (0x23, 0x06) => 0x21,
            (same, _) => same,
        };
        self.statusword = 0x0210 | next;
        if low == 0x27 && !self.frozen {
            self.counts = target;
        }
    }
}

pub struct Bench {
    pub cycle: Cycle,
    pub daemon: DaemonEnd,
    pub drives: [BenchDrive; JOINTS],
    pub channels: ChannelValues,
    pub outputs: CycleOutputs,
    pub exchange: ExchangeResult,
    pub events: Vec<Event>,
    /// Sample of the last step.
    pub sample: Option<Sample>,
    command_id: u32,
    piece_index: u32,
    pub epoch: ControlEpoch,
}

pub fn scaling() -> DriveScaling {
    DriveScaling {
        counts_per_turn: COUNTS_PER_TURN,
        counter_bits: 32,
        gear_ratio: GEAR,
        sign: 1.0,
        offset_rad: 0.0,
    }
}

/// Joint angle, rad, that `counts` more or less are.
pub fn radians(counts: f64) -> f64 {
    counts / scaling().counts_per_radian()
}

impl Bench {
    pub fn new() -> Self {
        Self::at([0, 0])
    }

    pub fn at(counts: [i32; JOINTS]) -> Self {
        // The joint angles follow the counters, so limits are laid around where the arm stands.
        let arm = ArmScaling::new(&[scaling(); JOINTS], Coupling::identity(JOINTS)).unwrap();
        let start = arm.joints(|drive| i64::from(counts[drive]));
        let limits: Vec<JointLimit> = start
            .iter()
            .map(|q| JointLimit { position_min: q - 3.0, position_max: q + 3.0, ..LIMIT })
            .collect();
        let joint = ChainJoint {
            kind: JointKind::Revolute,
            origin: Pose::translation(0.5, 0.0, 0.0),
            axis: Vector3::z_axis(),
        };
        let (realtime_end, daemon) = boundary();
        let settings = CycleSettings {
            cycle_time: Nanoseconds(1_000_000),
            chain: Chain::from_joints(&[joint; JOINTS], &Pose::translation(0.5, 0.0, 0.0)).unwrap(),
            inverse: InverseSettings::default(),
            limits: JointLimits::from_slice(&limits).unwrap(),
            scaling: arm,
            positions: PositionsAtStart::as_in_cell_file(JOINTS),
            drive_subdevices: std::array::from_fn(|drive| drive),
            brake_release_s: 0.02,
            brake_close_s: 0.01,
            supervision: SupervisionSettings {
                following_error_rad: JointVector::from_fn(JOINTS, |_| 0.02),
                following_lag_s: 0.02,
                stop_input: Some(STOP_INPUT),
            },
            feed_forward: motiond::realtime::feed_forward::FeedForwardSettings::default(),
            safe_outputs: ChannelValues::default(),
        };
        let mut channels = ChannelValues::default();
        channels.apply(Action::Digital { channel: STOP_INPUT, on: true });
        let mut bench = Self {
            cycle: Cycle::new(settings, realtime_end),
            daemon,
            drives: counts.map(BenchDrive::at),
            channels,
            outputs: CycleOutputs::default(),
            exchange: ExchangeResult {
                received: true,
                fresh_subdevices: 0b11,
                working_counter: 6,
                working_counter_expected: 6,
                al_states: [AlState::Op; MAX_SUBDEVICES],
                subdevices: JOINTS,
                skipped_cycles: 0,
                clock: None,
            },
            events: Vec::new(),
            sample: None,
            command_id: 0,
            piece_index: 0,
            epoch: ControlEpoch(1),
        };
        bench.command(Command::NewEpoch);
        bench.step();
        bench
    }

    pub fn command(&mut self, command: Command) -> u32 {
        self.command_id += 1;
        let stamped = StampedCommand { epoch: self.epoch, id: self.command_id, command };
        self.daemon.commands.push(stamped).unwrap();
        self.command_id
    }

    pub fn step(&mut self) -> Sample {
        self.exchange_with_drives();
        while let Some(event) = self.daemon.events.pop() {
            self.events.push(event);
        }
        let sample = self.daemon.samples.pop().unwrap();
        self.sample = Some(sample);
        sample
    }

    fn exchange_with_drives(&mut self) {
        let mut feedback = [DriveFeedback::default(); MAX_JOINTS];
        for (entry, drive) in feedback.iter_mut().zip(&self.drives) {
            *entry = DriveFeedback {
                statusword: drive.statusword,
                position_counts: drive.counts,
                error_code: drive.error_code,
                mode_display: MODE_CSP,
                ..DriveFeedback::default()
            };
        }
        let inputs = CycleInputs {
            exchange: self.exchange,
            drives: feedback,
            channels: self.channels,
            channels_fresh: ChannelFreshness::ALL,
            late_cycles: 0,
            heap_allocations: 0,
        };
        self.cycle.step(&inputs, &mut self.outputs);
        for (drive, command) in self.drives.iter_mut().zip(&self.outputs.drives) {
            drive.take(command.controlword, command.target_counts);
        }
    }

    pub fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step();
        }
    }

    /// Steps until the machine is in `state`; panics after ten seconds of machine time.
    pub fn until(&mut self, state: MachineState) -> Sample {
        for _ in 0..10_000 {
            let sample = self.step();
            if sample.state == state {
                return sample;
            }
        }
        panic!("never {state:?}; now {:?}, events {:?}", self.cycle.state(), self.events);
    }

    pub fn enabled() -> Self {
        let mut bench = Self::new();
        bench.command(Command::Enable);
        bench.until(MachineState::Ready);
        bench
    }

    pub fn push(&mut self, run: RunTag, kind: PieceKind) {
        let piece =
            Piece { run, epoch: self.epoch, index: self.piece_index, instruction: self.piece_index, kind };
        self.piece_index += 1;
        assert!(self.daemon.pieces.push(piece).is_ok());
    }

    /// Pushes a joint motion from `from` to `to` (rad).
    pub fn push_move(&mut self, run: RunTag, from: [f64; JOINTS], to: [f64; JOINTS]) {
        let from = JointVector::from_slice(&from).unwrap();
        let to = JointVector::from_slice(&to).unwrap();
        let segment = Segment {
            path: Path::Joint(JointPath::new(from, to)),
            ceiling: Ceiling {
                speed: LIMIT.speed_max,
                acceleration: LIMIT.acceleration_max,
                jerk: LIMIT.jerk_max,
            },
            x_flange_tool: Pose::identity(),
            payload: motiond::dynamics::RigidBody::none(),
            q_start: from,
            q_end: to,
            guide: motiond::kinematics::guide::Guide::None,
        };
        self.push(run, PieceKind::Motion(segment));
    }

    /// A run that moves joint 1 from 0 to 1 rad, started.
    pub fn moving() -> Self {
        let mut bench = Self::enabled();
        bench.push_move(RunTag(1), [0.0, 0.0], [1.0, 0.5]);
        bench.push(RunTag(1), PieceKind::EndOfRun);
        bench.command(Command::Start(RunTag(1)));
        bench.steps(300);
        let sample = bench.sample.unwrap();
        assert_eq!(sample.state, MachineState::Executing);
        assert!(sample.speed > 0.5, "{sample:?}");
        bench
    }

    /// The daemon's threads are gone; from here only [`step_alone`](Self::step_alone) may be used.
    pub fn lose_daemon(&mut self) {
        let (_realtime_end, other) = boundary();
        drop(std::mem::replace(&mut self.daemon, other));
    }

    /// A step nobody listens to.
    pub fn step_alone(&mut self) -> MachineState {
        self.exchange_with_drives();
        self.cycle.state()
    }

    pub fn has_event(&self, wanted: impl Fn(&EventKind) -> bool) -> bool {
        self.events.iter().any(|event| wanted(&event.kind))
    }
}
