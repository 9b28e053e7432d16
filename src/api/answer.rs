//! What a request is answered with when it is accepted.

use serde::Serialize;

use super::request::{OnLoss, Topic};
use crate::api::error::ProblemData;
use crate::mastering::record::{DriveRecord, Mastered};
use crate::telemetry::status::Status;

/// The answer to one request. On the wire only the content appears.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To `hello`.
    Hello(Box<HelloAnswer>),
    /// To `control.acquire` and `control.renew`.
    Lease {
        /// Number of the lease; goes into every request that can start motion.
        epoch: u32,
        /// Time after which it is lost unless renewed, s.
        lease_s: f64,
        /// What happens to a run when it is lost.
        on_loss: OnLoss,
    },
    /// To `control.release`.
    Released {
        /// Always true.
        released: bool,
    },
    /// To `job.put`: the document is durable.
    Stored {
        /// The name it was accepted under.
        job_id: String,
        /// SHA-256 of the canonical text.
        document_hash: String,
        /// False when it was there already.
        stored: bool,
    },
    /// To `job.check`.
    Checked {
        /// The job.
        job_id: String,
        /// It can be executed from where the arm stands.
        ok: bool,
        /// How long it takes at 100 %, s; null unless `ok`.
        duration_s: Option<f64>,
        /// Every reason why it cannot be executed.
        problems: Vec<ProblemData>,
        /// The pre-flight report; null unless `ok`.
        report: serde_json::Value,
    },
    /// To `job.list`.
    Jobs {
        /// The stored jobs, oldest first.
        jobs: Vec<crate::jobs::store::StoredJob>,
        /// Files that were set aside because their content was not what was stored.
        quarantined: Vec<String>,
    },
    /// To `job.start`: not started yet, events tell.
    RunAccepted {
        /// Always true: refusals are errors.
        accepted: bool,
        /// Returned in the event that tells that the start was carried out.
        command_id: u32,
        /// Returned in every event of the run.
        run_id: String,
    },
    /// To the commands: not carried out yet, an event tells.
    Accepted {
        /// Always true: refusals are errors.
        accepted: bool,
        /// Returned in the event that tells that it was carried out.
        command_id: u32,
    },
    /// To `master.status`.
    Mastering(Box<MasteringAnswer>),
    /// To `sdo.read`.
    Object {
        /// Length of the value.
        bytes: usize,
        /// The value, lowest byte first, in pairs of hexadecimal digits.
        data: String,
    },
    /// To `sdo.write`: the device has taken the value.
    ObjectWritten {
        /// Always true: refusals are errors.
        written: bool,
        /// Length of the value.
        bytes: usize,
    },
    /// To `status`.
    Status(Box<Status>),
    /// To `subscribe`.
    Subscribed {
        /// What is subscribed to now.
        topics: Vec<Topic>,
        /// Largest rate of `status`, 1/s.
        max_hz: f64,
        /// Number of the newest event.
        last_event_seq: u64,
    },
    /// To `unsubscribe`.
    Unsubscribed {
        /// What is still subscribed to.
        topics: Vec<Topic>,
    },
}

/// What the daemon is and can.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HelloAnswer {
    /// Always `motiond`.
    pub server: &'static str,
    /// Version of the program.
    pub version: &'static str,
    /// Version of this interface; grows when something is changed or taken away.
    pub api_version: u32,
    /// Number of this start of the daemon.
    pub boot_id: u32,
    /// Number of the session.
    pub session: u64,
    /// What the session may do.
    pub role: &'static str,
    /// Name of the cell.
    pub cell: String,
    /// Name of the robot model.
    pub robot: String,
    /// Number of joints.
    pub joints: usize,
    /// Cycle time, s.
    pub cycle_s: f64,
    /// Tools of the cell.
    pub tools: Vec<String>,
    /// Limits of the connection.
    pub limits: LimitsAnswer,
    /// What every user has to know.
    pub notice: &'static str,
}

/// Limits of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LimitsAnswer {
    /// Longest line, bytes.
    pub message_bytes: usize,
    /// Deepest nesting.
    pub depth: usize,
}

/// What is known of where the joints are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MasteringAnswer {
    /// What the daemon found at its start: `record`, `nothing`, `damaged`; null: it keeps no record.
    pub found_at_start: Option<&'static str>,
    /// What is shown here is on disk, but for what has moved since.
    pub recorded: bool,
    /// Why it is not.
    pub failure: Option<String>,
    /// It was written with the drives off and the brakes closed.
    pub settled: bool,
    /// The joints, joint 1 first.
    pub joints: Vec<JointTrust>,
    /// The drives of the record.
    pub drives: Vec<DriveMastering>,
}

/// Whether the position of a joint is relied on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JointTrust {
    /// The joint, from 1.
    pub joint: usize,
    /// Where it is, deg; of a sliding joint mm; null before the first cycle.
    pub position: Option<f64>,
    /// It is relied on.
    pub trusted: bool,
    /// Stable name of the reason why not.
    pub reason: Option<&'static str>,
    /// The reason in words.
    pub message: Option<&'static str>,
}

/// The reference of a drive.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DriveMastering {
    /// Name of the drive.
    pub drive: String,
    /// Vendor id.
    pub vendor: u32,
    /// Product code.
    pub product: u32,
    /// Serial number.
    pub serial: u32,
    /// Count followed over every wrap, where it was last recorded.
    pub counts: i64,
    /// Position after the gear at count 0, rad or m.
    pub position_at_count_0: f64,
    /// How it was mastered; null: the reference is that of the cell file.
    pub mastered: Option<Mastered>,
}

impl From<&DriveRecord> for DriveMastering {
    fn from(record: &DriveRecord) -> Self {
        Self {
            drive: record.name.clone(),
            vendor: record.vendor,
            product: record.product,
            serial: record.serial,
            counts: record.counts,
            position_at_count_0: record.position_at_count_0,
            mastered: record.mastered.clone(),
        }
    }
}
