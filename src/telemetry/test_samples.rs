//! Samples and plans for the tests of this folder: an arm of three linear joints, so that joint positions
//! are the position of the tool.

use nalgebra::{Unit, Vector3};

use crate::boundary::piece_queue::PieceKind;
use crate::boundary::sample_ring::{CycleCounters, Sample};
use crate::devices::ANALOG_CHANNELS;
use crate::geometry::Pose;
use crate::joints::JointVector;
use crate::kinematics::{Chain, ChainJoint, JointKind};
use crate::machine::{MachineState, RunTag};
use crate::trajectory::path::{ArcPath, LinePath, Path};
use crate::trajectory::{Ceiling, Segment};
use crate::units::{Cycles, Nanoseconds, Ratio};

/// Joints along x, y and z.
pub(super) fn gantry() -> Chain {
    let joint = |axis| ChainJoint {
        kind: JointKind::Prismatic,
        origin: Pose::identity(),
        axis: Unit::new_normalize(axis),
    };
    Chain::from_joints(&[joint(Vector3::x()), joint(Vector3::y()), joint(Vector3::z())], &Pose::identity())
        .unwrap()
}

/// Joint positions that put the tool there, m.
pub(super) fn at(position: Vector3<f64>) -> JointVector {
    JointVector::from_slice(position.as_slice()).unwrap()
}

/// The machine at rest at the origin, at 1 kHz.
pub(super) fn sample(cycle: u64) -> Sample {
    Sample {
        cycle: Cycles(cycle),
        time: Nanoseconds(cycle * 1_000_000),
        state: MachineState::Ready,
        run: RunTag(0),
        piece: 0,
        instruction: 0,
        s: 0.0,
        speed: 0.0,
        q_setpoint: JointVector::zeros(3),
        q_actual: JointVector::zeros(3),
        torque_actual: JointVector::zeros(3),
        torque_residual: JointVector::zeros(3),
        x_base_tool: Pose::identity(),
        x_flange_tool: Pose::identity(),
        override_ratio: Ratio::ONE,
        digital_inputs: 0,
        digital_outputs: 0,
        analog_inputs: [0.0; ANALOG_CHANNELS],
        analog_outputs: [0.0; ANALOG_CHANNELS],
        phase: None,
        fresh: true,
        fresh_subdevices: u32::MAX,
        digital_fresh: u64::MAX,
        analog_fresh: u32::MAX,
        drives_enabled: 0b111,
        drives_faulted: 0,
        counters: CycleCounters::default(),
        dropped: 0,
    }
}

fn segment(path: Path, from: Vector3<f64>, to: Vector3<f64>) -> Segment {
    Segment {
        path,
        ceiling: Ceiling { speed: 0.1, acceleration: 1.0, jerk: 10.0 },
        x_flange_tool: Pose::identity(),
        payload: crate::dynamics::RigidBody::none(),
        q_start: at(from),
        q_end: at(to),
        guide: crate::kinematics::guide::Guide::None,
    }
}

/// A straight segment at 0.1 m/s.
pub(super) fn line(from: Vector3<f64>, to: Vector3<f64>) -> Segment {
    let path = LinePath::new(Pose::translation(from.x, from.y, from.z), Pose::translation(to.x, to.y, to.z));
    segment(Path::Line(path), from, to)
}

/// A segment on an arc at 0.1 m/s.
pub(super) fn arc(from: Vector3<f64>, via: Vector3<f64>, to: Vector3<f64>) -> Segment {
    let start = Pose::translation(from.x, from.y, from.z);
    let end = Pose::translation(to.x, to.y, to.z);
    segment(Path::Arc(ArcPath::new(start, via, end).unwrap()), from, to)
}

/// A run of one straight segment of 0.5 m along x.
pub(super) fn straight_run() -> (Vec<PieceKind>, Segment) {
    let segment = line(Vector3::zeros(), Vector3::new(0.5, 0.0, 0.0));
    (vec![PieceKind::Motion(segment), PieceKind::EndOfRun], segment)
}
