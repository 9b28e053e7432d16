//! One sample a cycle. Writer: the real-time thread. Reader: telemetry (one). Full: the sample is
//! counted as dropped; the next one carries the count.

use rtrb::{Consumer, Producer, RingBuffer};

use crate::devices::ANALOG_CHANNELS;
use crate::geometry::Pose;
use crate::joints::JointVector;
use crate::machine::{MachineState, RunTag};
use crate::units::{Cycles, Nanoseconds, Ratio};

/// Samples that may wait: four seconds at 1 kHz.
pub const CAPACITY: usize = 4096;

/// Counters of the bus and of the cycle since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CycleCounters {
    /// Cyclic exchanges that brought nothing in time.
    pub lost_frames: u64,
    /// Cycles that began later than the limit, or were skipped.
    pub late_cycles: u64,
    /// Exchanges with a wrong working counter.
    pub working_counter_errors: u64,
    /// Heap allocations seen inside a cycle.
    pub heap_allocations: u64,
}

/// What one cycle saw and did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Number of the cycle, counted in sent frames.
    pub cycle: Cycles,
    /// Path time: number of sent cycles × cycle time.
    pub time: Nanoseconds,
    /// State at the end of the cycle.
    pub state: MachineState,
    /// The run; zero: none.
    pub run: RunTag,
    /// Position of the current piece in the run.
    pub piece: u32,
    /// Position of its instruction in the document.
    pub instruction: u32,
    /// Path parameter: m on a Cartesian path, rad on a joint path.
    pub s: f64,
    /// ds/dt.
    pub speed: f64,
    /// Joint setpoints, rad or m.
    pub q_setpoint: JointVector,
    /// Joint positions, rad or m.
    pub q_actual: JointVector,
    /// Torques that reach the joints by what the drives report, Nm; zero where that is not known.
    pub torque_actual: JointVector,
    /// What of them the model does not explain, Nm; zero unless the drives hold or move the arm.
    pub torque_residual: JointVector,
    /// Tool centre point of the setpoint in the base frame.
    pub x_base_tool: Pose,
    /// Tool in use, in the flange frame.
    pub x_flange_tool: Pose,
    /// Speed override in force.
    pub override_ratio: Ratio,
    /// Digital inputs, channel 0 in bit 0.
    pub digital_inputs: u64,
    /// Digital outputs, channel 0 in bit 0.
    pub digital_outputs: u64,
    /// Analog inputs in their channel's unit.
    pub analog_inputs: [f32; ANALOG_CHANNELS],
    /// Analog outputs in their channel's unit.
    pub analog_outputs: [f32; ANALOG_CHANNELS],
    /// Process table in force and its phase.
    pub phase: Option<(u16, u8)>,
    /// Inputs of this sample were received in this cycle, all of them.
    pub fresh: bool,
    /// Bit i: the inputs of SubDevice i were.
    pub fresh_subdevices: u32,
    /// Bit i: digital input i was.
    pub digital_fresh: u64,
    /// Bit i: analog input i was.
    pub analog_fresh: u32,
    /// Bit i: drive i is in operation enabled.
    pub drives_enabled: u32,
    /// Bit i: drive i reports a fault.
    pub drives_faulted: u32,
    /// Counters since start.
    pub counters: CycleCounters,
    /// Samples dropped before this one.
    pub dropped: u64,
}

/// The real-time thread's end.
#[derive(Debug)]
pub struct SampleWriter {
    producer: Producer<Sample>,
    dropped: u64,
}

/// The daemon's end.
#[derive(Debug)]
pub struct SampleReader(Consumer<Sample>);

/// Makes the ring.
#[must_use]
pub fn sample_ring() -> (SampleWriter, SampleReader) {
    let (producer, consumer) = RingBuffer::new(CAPACITY);
    (SampleWriter { producer, dropped: 0 }, SampleReader(consumer))
}

impl SampleWriter {
    /// Publishes a sample; counts it as dropped when the ring is full. Real-time safe, wait-free.
    pub fn publish(&mut self, mut sample: Sample) {
        sample.dropped = self.dropped;
        if self.producer.push(sample).is_err() {
            self.dropped += 1;
        }
    }

    /// The daemon's end does not exist any more. Real-time safe: reads one counter.
    #[must_use]
    pub fn is_reader_gone(&self) -> bool {
        self.producer.is_abandoned()
    }
}

impl SampleReader {
    /// The next sample, if there is one.
    pub fn pop(&mut self) -> Option<Sample> {
        self.0.pop().ok()
    }

    /// Samples waiting.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.slots()
    }
}
