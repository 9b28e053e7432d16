//! The status object: the newest sample in the units and names of the outside.

use serde::Serialize;

use super::bus_status::BusStatus;
use super::fault_values::values_in_words;
use crate::boundary::piece_queue::PieceKind;
use crate::boundary::sample_ring::Sample;
use crate::bus_health::drive_error::error_code_words;
use crate::config::messages::{Catalogue, Language};
use crate::faults::{Fault, FaultCode, PlaceKind};
use crate::geometry::Pose;
use crate::joints::JointVector;
use crate::kinematics::JointKind;
use crate::trajectory::path::ParameterUnit;

/// Names of the cell's channels and what the status says about them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChannelNames {
    /// Digital inputs: name and channel.
    pub digital_inputs: Vec<(String, u8)>,
    /// Digital outputs: name and channel.
    pub digital_outputs: Vec<(String, u8)>,
    /// Analog inputs: name (with unit) and channel.
    pub analog_inputs: Vec<(String, u8)>,
    /// Analog outputs: name (with unit) and channel.
    pub analog_outputs: Vec<(String, u8)>,
    /// The digital input that tells that the arc burns.
    pub arc_input: Option<u8>,
}

impl ChannelNames {
    /// True when the arc burns in `sample`; always false on a cell without one.
    #[must_use]
    pub fn arc_on(&self, sample: &Sample) -> bool {
        self.arc_input.is_some_and(|channel| bit(sample.digital_inputs, channel))
    }
}

/// Level of a channel in a mask; false beyond 63.
#[must_use]
pub fn bit(mask: u64, channel: u8) -> bool {
    mask.checked_shr(u32::from(channel)).unwrap_or(0) & 1 == 1
}

/// A pose in the units of the outside.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PoseStatus {
    /// Position, mm.
    pub position_mm: [f64; 3],
    /// Orientation as a unit quaternion, w first, w ≥ 0.
    pub orientation_wxyz: [f64; 4],
}

impl From<&Pose> for PoseStatus {
    fn from(pose: &Pose) -> Self {
        let position = pose.translation.vector;
        let rotation = pose.rotation;
        // A quaternion and its negative are the same rotation; one of them is chosen for readers.
        let sign = if rotation.w < 0.0 { -1.0 } else { 1.0 };
        Self {
            position_mm: [position.x * 1e3, position.y * 1e3, position.z * 1e3],
            orientation_wxyz: [rotation.w, rotation.i, rotation.j, rotation.k].map(|value| value * sign),
        }
    }
}

/// The run, as far as the status shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunStatus {
    /// The run.
    pub run_id: String,
    /// The job.
    pub job_id: String,
    /// State of the run.
    pub state: &'static str,
    /// Share of the planned time that is done, 0 to 1.
    pub progress: f64,
    /// Planned time at 100 % override, s.
    pub planned_s: f64,
    /// Position of the instruction in the document, from 0.
    pub instruction: u32,
    /// Position of the piece in the run, from 0.
    pub segment: u32,
    /// Way travelled on a Cartesian segment, mm; null on others.
    pub s_mm: Option<f64>,
    /// Speed along a Cartesian segment, mm/s; null on others.
    pub v_mm_s: Option<f64>,
    /// The process in force.
    pub process: Option<String>,
    /// Its phase.
    pub phase: Option<String>,
}

/// A fault, as the status shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultStatus {
    /// Stable number, shown with a leading `E`.
    pub code: String,
    /// Stable name.
    pub name: String,
    /// What happened, with values.
    pub message: String,
    /// What the value means, in words, where it is a code; else null.
    pub detail: Option<String>,
    /// Why such a thing happens.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
    /// The joint, drive, SubDevice, input or phase concerned, in words; joints and SubDevices count from 1.
    #[serde(rename = "where")]
    pub place: Option<String>,
    /// The value that was seen, with its unit; null where there is none.
    pub value: Option<String>,
    /// The limit it is held against, with its unit; null where there is none.
    pub limit: Option<String>,
    /// What the machine did.
    pub reaction: &'static str,
    /// The cycle it was detected in.
    pub cycle: u64,
}

/// Counters since the daemon started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CounterStatus {
    /// Cyclic exchanges that brought nothing in time.
    pub lost_frames: u64,
    /// Cycles that began late or were skipped.
    pub late_cycles: u64,
    /// Exchanges with a wrong working counter.
    pub wkc_errors: u64,
    /// Heap allocations seen inside a cycle.
    pub heap_allocations_in_cycle: u64,
    /// Samples nobody could take.
    pub dropped_samples: u64,
    /// Events nobody could take.
    pub dropped_events: u64,
}

/// The status object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Cycles sent.
    pub cycle: u64,
    /// Path time: sent cycles × cycle time, s.
    pub time_s: f64,
    /// State of the machine.
    pub state: &'static str,
    /// Latched faults, the first one first.
    pub faults: Vec<FaultStatus>,
    /// The run, the last one if none is active.
    pub run: Option<RunStatus>,
    /// Tool centre point of the setpoint in the base frame.
    pub tcp: PoseStatus,
    /// Joint positions measured, deg; of prismatic joints in mm.
    pub joints_deg: Vec<f64>,
    /// Joint setpoints, deg; of prismatic joints in mm.
    pub joints_setpoint_deg: Vec<f64>,
    /// Torques that reach the joints by what the drives report, Nm; of prismatic joints N. Zero where not known.
    pub joint_torques_nm: Vec<f64>,
    /// What of them the model does not explain.
    pub torque_residuals_nm: Vec<f64>,
    /// Speed override in force, %.
    pub override_percent: f64,
    /// The arc burns.
    pub arc: bool,
    /// Digital inputs by name.
    pub inputs: std::collections::BTreeMap<String, bool>,
    /// Digital outputs by name.
    pub outputs: std::collections::BTreeMap<String, bool>,
    /// Analog inputs by name.
    pub analog_inputs: std::collections::BTreeMap<String, f32>,
    /// Analog outputs by name.
    pub analog_outputs: std::collections::BTreeMap<String, f32>,
    /// Joints (from 1) whose position is not relied on; `master.status` says why.
    pub untrusted_joints: Vec<usize>,
    /// The inputs of this status were received in this cycle, all of them.
    pub fresh: bool,
    /// Names of the inputs that were not: their values are older.
    pub stale_inputs: Vec<String>,
    /// The bus.
    pub bus: BusStatus,
    /// Drives in operation enabled, in bus order.
    pub drives_enabled: Vec<bool>,
    /// Counters since start.
    pub counters: CounterStatus,
}

/// Parameter and speed of `kind` at the sample in mm and mm/s; none unless it is travelled by distance.
#[must_use]
pub fn distance_on(kind: &PieceKind, sample: &Sample) -> Option<(f64, f64)> {
    let PieceKind::Motion(segment) = kind else { return None };
    (segment.path.unit() == ParameterUnit::ToolDistance).then_some((sample.s * 1e3, sample.speed * 1e3))
}

/// The name of a reaction on the wire.
#[must_use]
const fn reaction_name(fault: &Fault) -> &'static str {
    use crate::faults::Reaction;
    match fault.reaction {
        Reaction::RideThrough => "ride_through",
        Reaction::PathHold => "path_hold",
        Reaction::JointStop => "joint_stop",
        Reaction::QuickStop => "quick_stop",
        Reaction::TorqueOff => "torque_off",
    }
}

/// Builds the status from the newest sample.
#[must_use]
pub fn status(
    sample: &Sample,
    kinds: &[JointKind],
    channels: &ChannelNames,
    run: Option<RunStatus>,
    faults: Vec<FaultStatus>,
    bus: BusStatus,
    dropped_events: u64,
) -> Status {
    let stale = |names: &[(String, u8)], fresh: u64| -> Vec<String> {
        names.iter().filter(|(_, channel)| !bit(fresh, *channel)).map(|(name, _)| name.clone()).collect()
    };
    let mut stale_inputs = stale(&channels.digital_inputs, sample.digital_fresh);
    stale_inputs.extend(stale(&channels.analog_inputs, u64::from(sample.analog_fresh)));
    let digital = |names: &[(String, u8)], mask: u64| {
        names.iter().map(|(name, channel)| (name.clone(), bit(mask, *channel))).collect()
    };
    let analog = |names: &[(String, u8)], values: &[f32]| {
        names
            .iter()
            .filter_map(|(name, channel)| Some((name.clone(), *values.get(usize::from(*channel))?)))
            .collect()
    };
    Status {
        cycle: sample.cycle.0,
        time_s: sample.time.as_seconds(),
        state: sample.state.name(),
        faults,
        run,
        tcp: PoseStatus::from(&sample.x_base_tool),
        joint_torques_nm: sample.torque_actual.as_slice().to_vec(),
        torque_residuals_nm: sample.torque_residual.as_slice().to_vec(),
        joints_deg: outside_units(&sample.q_actual, kinds),
        joints_setpoint_deg: outside_units(&sample.q_setpoint, kinds),
        override_percent: sample.override_ratio.get() * 100.0,
        arc: channels.arc_on(sample),
        inputs: digital(&channels.digital_inputs, sample.digital_inputs),
        outputs: digital(&channels.digital_outputs, sample.digital_outputs),
        analog_inputs: analog(&channels.analog_inputs, &sample.analog_inputs),
        analog_outputs: analog(&channels.analog_outputs, &sample.analog_outputs),
        untrusted_joints: Vec::new(),
        fresh: sample.fresh,
        stale_inputs,
        bus,
        drives_enabled: (0..sample.q_actual.len())
            .map(|drive| bit(u64::from(sample.drives_enabled), u8::try_from(drive).unwrap_or(u8::MAX)))
            .collect(),
        counters: CounterStatus {
            lost_frames: sample.counters.lost_frames,
            late_cycles: sample.counters.late_cycles,
            wkc_errors: sample.counters.working_counter_errors,
            heap_allocations_in_cycle: sample.counters.heap_allocations,
            dropped_samples: sample.dropped,
            dropped_events,
        },
    }
}

/// Joint positions in deg, and in mm where the joint slides.
fn outside_units(q: &JointVector, kinds: &[JointKind]) -> Vec<f64> {
    q.iter().zip(kinds).map(|(value, kind)| value * kind.outside_per_unit()).collect()
}

/// What the number in a fault counts, in words.
fn place_of(code: FaultCode, place: u8) -> String {
    let from_one = u32::from(place) + 1;
    match code.place_kind() {
        PlaceKind::SubDevice => format!("SubDevice {from_one}"),
        PlaceKind::Drive => format!("drive of joint {from_one}"),
        PlaceKind::Joint => format!("joint {from_one}"),
        // Phases and channels count from 0 everywhere; the daemon knows their names.
        PlaceKind::Phase => format!("phase {place}"),
        PlaceKind::Link => format!("link {place}"),
        PlaceKind::DigitalInput => format!("digital input {place}"),
        PlaceKind::Nothing => place.to_string(),
    }
}

/// The error code a drive shows (0x603F), in words.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float to integer saturates")]
fn drive_error_words(value: f64) -> String {
    let code = value as u16;
    format!("error code {code:#06x}: {}", error_code_words(code))
}

/// A fault in words: those of the catalogue, with the values seen. `kinds` are those of the joints.
#[must_use]
pub fn fault_status(fault: &Fault, kinds: &[JointKind]) -> FaultStatus {
    let text = Catalogue::of(Language::English).fault(fault.code);
    let (value, limit) = values_in_words(fault, kinds);
    FaultStatus {
        code: format!("E{}", fault.code.number()),
        name: text.name.clone(),
        message: text.message.clone(),
        detail: (fault.code == FaultCode::DriveFault).then(|| drive_error_words(fault.value)),
        cause: text.cause.clone(),
        remedy: text.remedy.clone(),
        place: fault.place.map(|place| place_of(fault.code, place)),
        value,
        limit,
        reaction: reaction_name(fault),
        cycle: fault.cycle.0,
    }
}
