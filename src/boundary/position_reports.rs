//! Where the joints are, for the record that survives a power cut. Writer: the real-time thread, once a second and
//! at every change. Reader: the daemon. Full: a regular report is left out; room is kept for changes.

use rtrb::{Consumer, Producer, RingBuffer};

use crate::devices::Identity;
use crate::joints::{JointVector, MAX_JOINTS};
use crate::positions::JointDistrust;
use crate::units::Cycles;

/// Reports that may wait.
pub const CAPACITY: usize = 64;
/// Room that regular reports leave to changes.
const KEPT_FOR_CHANGES: usize = CAPACITY / 2;

/// Where everything is, whole: the newest one replaces all before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PositionReport {
    /// The cycle it was made in.
    pub cycle: Cycles,
    /// No drive has torque and the brakes have had time to close: the arm stays where it is.
    pub is_settled: bool,
    /// Nothing moves.
    pub is_standing: bool,
    /// Joint positions, rad or m.
    pub q: JointVector,
    /// Followed count of each drive.
    pub counts: [i64; MAX_JOINTS],
    /// Position of each drive after its gear at count 0, rad or m.
    pub positions_at_count_0: JointVector,
    /// Each drive, as found on the bus.
    pub identities: [Identity; MAX_JOINTS],
    /// Which joints are not relied on.
    pub distrust: JointDistrust,
    /// Number of changes of references or trust so far.
    pub changes: u32,
}

/// The real-time thread's end.
#[derive(Debug)]
pub struct PositionWriter(Producer<PositionReport>);

/// The daemon's end.
#[derive(Debug)]
pub struct PositionReader(Consumer<PositionReport>);

/// Makes the ring.
#[must_use]
pub fn position_reports() -> (PositionWriter, PositionReader) {
    let (producer, consumer) = RingBuffer::new(CAPACITY);
    (PositionWriter(producer), PositionReader(consumer))
}

impl PositionWriter {
    /// Publishes a report; false when there was no room. `is_change` may use the last half of the ring.
    /// Real-time safe, wait-free.
    pub fn publish(&mut self, report: PositionReport, is_change: bool) -> bool {
        (is_change || self.0.slots() > KEPT_FOR_CHANGES) && self.0.push(report).is_ok()
    }
}

impl PositionReader {
    /// The next report, if there is one.
    pub fn pop(&mut self) -> Option<PositionReport> {
        self.0.pop().ok()
    }
}
