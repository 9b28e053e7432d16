//! JSON-RPC 2.0: from a line to a request, from an answer to a line. Without state.
//!
//! Differences from the letter of the specification, all on the strict side: batches are refused (half
//! a batch of motion commands is worse than none), an `id` is a string or an integer, parameters are
//! passed by name, unknown members are refused.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::error::ApiError;
use super::request::Request;
use super::strict_json::parse_bytes;

/// Longest `id` that is a string, bytes.
const ID_BYTES_MAX: usize = 128;

/// The `id` of a request: a string or an integer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id(Value);

impl Id {
    /// As it goes back to the client.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.0
    }
}

/// What a line asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// None: a notification, which gets no answer.
    pub id: Option<Id>,
    /// What is asked.
    pub request: Request,
}

/// Why a line is not carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct BadLine {
    /// The `id` to answer to, as far as it could be read.
    pub id: Option<Id>,
    /// The line had an `id` or could not be understood far enough to know: it gets an answer.
    pub answer: bool,
    /// Not even a request: a client that sends many of these is not one of ours.
    pub malformed: bool,
    /// Why.
    pub error: ApiError,
}

impl BadLine {
    fn malformed(id: Option<Id>, error: ApiError) -> Box<Self> {
        Box::new(Self { id, answer: true, malformed: true, error })
    }
}

/// Reads one line.
///
/// # Errors
/// Why it is not a request, with what is needed to answer it.
pub fn read_line(line: &[u8]) -> Result<Call, Box<BadLine>> {
    let value = parse_bytes(line).map_err(|error| BadLine::malformed(None, ApiError::Json(error)))?;
    let invalid = |id: Option<Id>, detail: &str| {
        BadLine::malformed(id, ApiError::InvalidRequest { detail: detail.to_owned() })
    };
    let mut members: Map<String, Value> = match value {
        Value::Object(members) => members,
        Value::Array(_) => return Err(invalid(None, "batches are not accepted; send one request a line")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(invalid(None, "a request is an object"));
        }
    };
    let id = match members.remove("id") {
        None => None,
        Some(Value::String(text)) if text.len() <= ID_BYTES_MAX => Some(Id(Value::String(text))),
        Some(Value::Number(number)) if !number.is_f64() => Some(Id(Value::Number(number))),
        Some(_) => return Err(invalid(None, "`id` is a short string or an integer")),
    };
    if members.remove("jsonrpc") != Some(Value::String("2.0".to_owned())) {
        return Err(invalid(id, "`jsonrpc` must be \"2.0\""));
    }
    let method = match members.remove("method") {
        Some(Value::String(method)) => method,
        Some(_) => return Err(invalid(id, "`method` is a string")),
        None => return Err(invalid(id, "`method` is missing")),
    };
    let params = members.remove("params").unwrap_or(Value::Null);
    if let Some(unknown) = members.keys().next() {
        let unknown: String = unknown.chars().take(64).collect();
        return Err(invalid(id, &format!("unknown member \"{}\"", unknown.escape_debug())));
    }
    match Request::read(&method, params) {
        Ok(request) => Ok(Call { id, request }),
        Err(error) => Err(Box::new(BadLine { answer: id.is_some(), id, malformed: false, error })),
    }
}

/// The line that answers a request.
#[must_use]
pub fn write_answer(id: Option<&Id>, result: &Result<Answer, ApiError>) -> String {
    let id = id.map_or(&Value::Null, Id::value);
    let answer = match result {
        Ok(answer) => json!({"jsonrpc": "2.0", "id": id, "result": answer}),
        Err(error) => json!({
            "jsonrpc": "2.0",
            "id": id,
            "error": {"code": error.rpc_code(), "message": error.message(), "data": error.data()},
        }),
    };
    line(&answer)
}

/// The line of a notification.
#[must_use]
pub fn write_notification(method: &str, params: &impl Serialize) -> String {
    line(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
}

fn line(value: &Value) -> String {
    let mut text = value.to_string();
    text.push('\n');
    text
}
