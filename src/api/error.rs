//! What a request is answered with when it is not carried out: data first, text from the catalogue.

use serde::Serialize;

use super::request::Role;
use super::strict_json::{DEPTH_MAX, JsonError};
use crate::bus_health::mailbox::MailboxProblem;
use crate::config::messages::{Catalogue, ErrorCode, Language};
use crate::config::problem::Problem;
use crate::machine::MachineState;

/// One reason why a request is refused. Nothing has changed when it is returned.
#[derive(Clone, Debug, PartialEq)]
pub enum ApiError {
    /// The line is not acceptable JSON.
    Json(JsonError),
    /// The line is longer than the limit.
    TooLarge {
        /// The limit, bytes.
        bytes_max: usize,
    },
    /// JSON, but not a JSON-RPC 2.0 request.
    InvalidRequest {
        /// What is missing or wrong.
        detail: String,
    },
    /// No such method.
    MethodNotFound {
        /// The method asked for.
        method: String,
    },
    /// The parameters do not fit the method.
    InvalidParams {
        /// Key path in `params`.
        place: String,
        /// What is wrong there.
        detail: String,
    },
    /// The session's role does not allow the method.
    RoleTooLow {
        /// The session's role.
        has: Role,
        /// The role the method needs.
        needs: Role,
    },
    /// The call needs the control lease, and this session does not hold it.
    NotInControl {
        /// Who holds it, if anybody does.
        holder: Option<Holder>,
    },
    /// The call carries the number of an older lease.
    StaleEpoch {
        /// The number it carries.
        given: u32,
        /// The number in force.
        current: u32,
    },
    /// Not possible in this state of the machine.
    WrongState {
        /// The state.
        state: MachineState,
        /// The states in which it is possible.
        needs: &'static str,
    },
    /// The drives are not enabled.
    NotEnabled {
        /// The state.
        state: MachineState,
    },
    /// A fault is latched.
    FaultActive {
        /// The fault's number, when it is known.
        fault: Option<u16>,
    },
    /// Another run is active.
    RunActive {
        /// That run.
        run_id: String,
    },
    /// No job with this name is stored.
    JobUnknown {
        /// The name asked for.
        job_id: String,
    },
    /// The job document has mistakes, or the job cannot be executed on this cell.
    JobInvalid {
        /// Every mistake found.
        problems: Vec<Problem>,
    },
    /// The job is written for a tool that is not mounted.
    WrongTool {
        /// The tool the job asks for.
        job_tool: String,
        /// The tools of the cell.
        cell_tools: Vec<String>,
    },
    /// The object is written by the controller alone.
    ObjectOwned {
        /// Index and subindex.
        object: (u16, u8),
        /// What it is.
        why: &'static str,
    },
    /// An object could not be read or written.
    ObjectFailed {
        /// Name of the SubDevice.
        subdevice: String,
        /// Index and subindex.
        object: (u16, u8),
        /// What the device or its mailbox says.
        problem: MailboxProblem,
    },
    /// A bounded queue is full; nothing was changed.
    Busy {
        /// What is full.
        what: &'static str,
        /// When to try again, s.
        retry_after_s: f64,
    },
    /// The job could not be made durable.
    Storage {
        /// What the file system says.
        detail: String,
    },
    /// The daemon accepts no more connections.
    TooManySessions {
        /// The limit.
        sessions_max: usize,
    },
    /// A time limit of the connection has passed.
    ConnectionTimeout {
        /// Which one.
        what: &'static str,
        /// The limit, s.
        limit_s: f64,
    },
    /// The client does not read fast enough.
    SlowReader {
        /// Messages that were waiting.
        waiting: usize,
    },
    /// Too many malformed messages in a row.
    TooManyMistakes {
        /// How many.
        count: u32,
    },
    /// The position of joints is not relied on.
    PositionUntrusted {
        /// The joints, from 1, each with the reason.
        joints: Vec<(usize, &'static str)>,
    },
    /// Another request took it back before it was carried out.
    Cancelled {
        /// What happened.
        by: &'static str,
    },
    /// A defect of this program.
    Internal {
        /// What happened.
        detail: String,
    },
}

/// Who holds the control lease.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Holder {
    /// The session's number.
    pub session: u64,
    /// The client's name for itself.
    pub client: String,
    /// For how long it has held the lease, s.
    pub held_for_s: f64,
}

/// The object in `error.data`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ErrorData {
    /// Stable number, shown with a leading `E`.
    pub code: String,
    /// Stable name.
    pub name: &'static str,
    /// What happened here, with values.
    pub message: String,
    /// Why such a thing happens.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
    /// The place: a key path, a job, a state. Null where there is none.
    #[serde(rename = "where")]
    pub place: Option<String>,
    /// Each mistake of a document.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ProblemData>,
    /// Who holds the lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    /// When to try again, s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<f64>,
}

/// One mistake of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProblemData {
    /// Key path, or line and column.
    #[serde(rename = "where")]
    pub place: String,
    /// What is wrong, with the value found.
    pub message: String,
    /// What may stand there.
    pub allowed: String,
    /// What to do about it.
    pub remedy: String,
}

impl From<&Problem> for ProblemData {
    fn from(problem: &Problem) -> Self {
        Self {
            place: problem.place.clone(),
            message: problem.message.clone(),
            allowed: problem.allowed.clone(),
            remedy: problem.remedy.clone(),
        }
    }
}

impl ApiError {
    /// The `code` of the JSON-RPC error: the standard's for protocol errors, else that of [`code`](Self::code).
    #[must_use]
    pub fn rpc_code(&self) -> i32 {
        match self {
            Self::Json(_) | Self::TooLarge { .. } => -32700,
            Self::InvalidRequest { .. } => -32600,
            Self::MethodNotFound { .. } => -32601,
            Self::InvalidParams { .. } => -32602,
            Self::Internal { .. } => -32603,
            Self::RoleTooLow { .. }
            | Self::NotInControl { .. }
            | Self::StaleEpoch { .. }
            | Self::WrongState { .. }
            | Self::NotEnabled { .. }
            | Self::FaultActive { .. }
            | Self::RunActive { .. }
            | Self::JobUnknown { .. }
            | Self::JobInvalid { .. }
            | Self::WrongTool { .. }
            | Self::ObjectOwned { .. }
            | Self::ObjectFailed { .. }
            | Self::Busy { .. }
            | Self::Storage { .. }
            | Self::TooManySessions { .. }
            | Self::ConnectionTimeout { .. }
            | Self::SlowReader { .. }
            | Self::TooManyMistakes { .. }
            | Self::PositionUntrusted { .. }
            | Self::Cancelled { .. } => i32::from(self.code().number()),
        }
    }

    /// The code, under which the catalogue has the text.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Json(JsonError::Malformed { .. }) => ErrorCode::ParseError,
            Self::Json(JsonError::NotUtf8 { .. }) => ErrorCode::NotUtf8,
            Self::Json(JsonError::DuplicateKey { .. }) => ErrorCode::DuplicateKey,
            Self::Json(JsonError::TooDeep) => ErrorCode::TooDeep,
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::InvalidRequest { .. } => ErrorCode::InvalidRequest,
            Self::MethodNotFound { .. } => ErrorCode::MethodNotFound,
            Self::InvalidParams { .. } => ErrorCode::InvalidParams,
            Self::TooManySessions { .. } => ErrorCode::TooManySessions,
            Self::ConnectionTimeout { .. } => ErrorCode::ConnectionTimeout,
            Self::SlowReader { .. } => ErrorCode::SlowReader,
            Self::TooManyMistakes { .. } => ErrorCode::TooManyMistakes,
            Self::RoleTooLow { .. } => ErrorCode::RoleTooLow,
            Self::NotInControl { .. } => ErrorCode::NotInControl,
            Self::StaleEpoch { .. } => ErrorCode::StaleEpoch,
            Self::WrongState { .. } => ErrorCode::WrongState,
            Self::NotEnabled { .. } => ErrorCode::NotEnabled,
            Self::FaultActive { .. } => ErrorCode::FaultActive,
            Self::RunActive { .. } => ErrorCode::RunActive,
            Self::Busy { .. } => ErrorCode::Busy,
            Self::PositionUntrusted { .. } => ErrorCode::PositionUntrusted,
            Self::Cancelled { .. } => ErrorCode::Cancelled,
            Self::JobUnknown { .. } => ErrorCode::JobUnknown,
            Self::JobInvalid { .. } => ErrorCode::JobInvalid,
            Self::WrongTool { .. } => ErrorCode::WrongTool,
            Self::Storage { .. } => ErrorCode::Storage,
            Self::ObjectOwned { .. } => ErrorCode::ObjectOwned,
            Self::ObjectFailed { .. } => ErrorCode::ObjectFailed,
            Self::Internal { .. } => ErrorCode::Internal,
        }
    }

    /// The stable name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        &Catalogue::of(Language::English).error(self.code()).name
    }

    /// What happened here, with values.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Json(JsonError::Malformed { line, column, detail }) => {
                format!("not JSON: {detail} (line {line}, column {column})")
            }
            Self::Json(JsonError::NotUtf8 { byte }) => format!("byte {byte} is not UTF-8"),
            Self::Json(JsonError::DuplicateKey { key }) => {
                format!("the key \"{}\" appears twice in one object", key.escape_debug())
            }
            Self::Json(JsonError::TooDeep) => {
                format!("arrays and objects are nested deeper than {DEPTH_MAX}")
            }
            Self::TooLarge { bytes_max } => format!("the message is longer than {bytes_max} bytes"),
            Self::InvalidRequest { detail } => format!("not a JSON-RPC 2.0 request: {detail}"),
            Self::MethodNotFound { method } => format!("there is no method \"{}\"", method.escape_debug()),
            Self::InvalidParams { place, detail } if place.is_empty() => format!("params: {detail}"),
            Self::InvalidParams { place, detail } => format!("params.{place}: {detail}"),
            Self::RoleTooLow { has, needs } => {
                format!("the session has the role {}; {} is needed", has.name(), needs.name())
            }
            Self::NotInControl { holder: None } => "nobody holds the control lease".to_owned(),
            Self::NotInControl { holder: Some(holder) } => format!(
                "the control lease is held by {} (session {}) since {:.1} s",
                holder.client, holder.session, holder.held_for_s
            ),
            Self::StaleEpoch { given, current } => {
                format!("the request carries epoch {given}; the lease in force has {current}")
            }
            Self::WrongState { state, needs } => {
                format!("not possible while the machine is {}; possible in: {needs}", state.name())
            }
            Self::NotEnabled { state } => {
                format!("the drives are not enabled: the machine is {}", state.name())
            }
            Self::FaultActive { fault: Some(number) } => format!("the fault E{number} is latched"),
            Self::FaultActive { fault: None } => "a fault is latched".to_owned(),
            Self::PositionUntrusted { joints } => {
                let reasons: Vec<String> =
                    joints.iter().map(|(joint, reason)| format!("joint {joint}: {reason}")).collect();
                format!("the position is not relied on: {}", reasons.join("; "))
            }
            Self::RunActive { run_id } => format!("{run_id} is active"),
            Self::JobUnknown { job_id } => {
                format!("no job \"{}\" is stored", job_id.chars().take(64).collect::<String>().escape_debug())
            }
            Self::JobInvalid { problems } => match problems.as_slice() {
                [] => "the job cannot be executed".to_owned(),
                [one] => format!("the job cannot be executed: {one}"),
                [first, rest @ ..] => {
                    format!("the job cannot be executed: {first} (and {} more)", rest.len())
                }
            },
            Self::WrongTool { job_tool, cell_tools } => {
                format!("the job is for the tool \"{job_tool}\"; the cell has: {}", cell_tools.join(", "))
            }
            Self::ObjectOwned { object: (index, subindex), why } => {
                format!(
                    "{index:#06x}:{subindex:02x} of a SubDevice cannot be written over the socket: it is {why}"
                )
            }
            Self::ObjectFailed { subdevice, object: (index, subindex), problem } => {
                format!("{index:#06x}:{subindex:02x} of {subdevice}: {problem}")
            }
            Self::Busy { what, .. } => format!("{what} is full"),
            Self::Storage { detail } => format!("the job could not be stored: {detail}"),
            Self::TooManySessions { sessions_max } => {
                format!("{sessions_max} connections are open, which is the limit")
            }
            Self::ConnectionTimeout { what, limit_s } => format!("{what} took longer than {limit_s} s"),
            Self::SlowReader { waiting } => format!("{waiting} messages were waiting to be read"),
            Self::TooManyMistakes { count } => format!("{count} unacceptable messages in a row"),
            Self::Cancelled { by } => format!("not carried out: {by}"),
            Self::Internal { detail } => format!("defect in the daemon: {detail}"),
        }
    }

    /// The place concerned: key path, job, run or state.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        match self {
            Self::Json(JsonError::Malformed { line, column, .. }) => {
                Some(format!("line {line}, column {column}"))
            }
            Self::Json(JsonError::NotUtf8 { byte }) => Some(format!("byte {byte}")),
            Self::Json(JsonError::DuplicateKey { key }) => Some(key.clone()),
            Self::InvalidParams { place, .. } if place.is_empty() => Some("params".to_owned()),
            Self::InvalidParams { place, .. } => Some(format!("params.{place}")),
            Self::MethodNotFound { .. } => Some("method".to_owned()),
            Self::StaleEpoch { .. } => Some("params.epoch".to_owned()),
            Self::WrongState { state, .. } | Self::NotEnabled { state } => Some(state.name().to_owned()),
            Self::RunActive { run_id } => Some(run_id.clone()),
            Self::JobUnknown { .. } => Some("params.job_id".to_owned()),
            Self::JobInvalid { problems } => problems.first().map(|problem| problem.place.clone()),
            Self::WrongTool { .. } => Some("tool".to_owned()),
            Self::PositionUntrusted { joints } => joints.first().map(|(joint, _)| format!("joint {joint}")),
            Self::ObjectOwned { object: (index, subindex), .. }
            | Self::ObjectFailed { object: (index, subindex), .. } => {
                Some(format!("{index:#06x}:{subindex:02x}"))
            }
            Self::Json(JsonError::TooDeep)
            | Self::TooLarge { .. }
            | Self::InvalidRequest { .. }
            | Self::RoleTooLow { .. }
            | Self::NotInControl { .. }
            | Self::FaultActive { .. }
            | Self::Busy { .. }
            | Self::Storage { .. }
            | Self::TooManySessions { .. }
            | Self::ConnectionTimeout { .. }
            | Self::SlowReader { .. }
            | Self::TooManyMistakes { .. }
            | Self::Cancelled { .. }
            | Self::Internal { .. } => None,
        }
    }

    /// The object for `error.data`.
    #[must_use]
    pub fn data(&self) -> ErrorData {
        let text = Catalogue::of(Language::English).error(self.code());
        ErrorData {
            code: format!("E{}", self.code().number()),
            name: self.name(),
            message: self.message(),
            cause: text.cause.clone(),
            remedy: if let Self::WrongState { needs, .. } = self {
                format!("{}: {needs}.", text.remedy.trim_end_matches('.'))
            } else {
                text.remedy.clone()
            },
            place: self.place(),
            problems: if let Self::JobInvalid { problems } = self {
                problems.iter().map(ProblemData::from).collect()
            } else {
                Vec::new()
            },
            holder: if let Self::NotInControl { holder } = self { holder.clone() } else { None },
            retry_after_s: if let Self::Busy { retry_after_s, .. } = self {
                Some(*retry_after_s)
            } else {
                None
            },
        }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "E{} {}: {}", self.code().number(), self.name(), self.message())
    }
}

impl std::error::Error for ApiError {}
