//! A client's connection to the daemon: one line out, lines in. Used by the client subcommands and `demo`.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longest wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one read waits before the caller may look around.
const READ_TIMEOUT: Duration = Duration::from_millis(100);

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The daemon refused; its typed error.
    #[error("{}", refusal_text(.0))]
    Refused(Value),
    /// The connection failed.
    #[error("the connection to the daemon failed: {0}")]
    Connection(#[from] std::io::Error),
    /// The daemon did not answer in time.
    #[error("the daemon did not answer within {} s", ANSWER_TIMEOUT.as_secs())]
    NoAnswer,
}

/// The typed error of the daemon in words: message, place, values, cause, remedy.
#[must_use]
pub fn refusal_text(error: &Value) -> String {
    let data = &error["data"];
    let mut text =
        data["message"].as_str().or_else(|| error["message"].as_str()).unwrap_or("refused").to_owned();
    for key in ["code", "where", "value", "limit", "cause", "remedy"] {
        let value = &data[key];
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if !value.is_empty() && value != "null" {
            text.push_str(&format!("\n  {key}: {value}"));
        }
    }
    for problem in data["problems"].as_array().into_iter().flatten() {
        let part = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
        text.push_str(&format!("\n  {}: {}", part("where"), part("message")));
        for key in ["allowed", "remedy"] {
            if !part(key).is_empty() {
                text.push_str(&format!("\n    {key}: {}", part(key)));
            }
        }
    }
    text
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    reader: BufReader<UnixStream>,
    line: Vec<u8>,
    next_id: u64,
    notifications: VecDeque<Value>,
}

impl Connection {
    /// Connects to the daemon's Unix socket.
    ///
    /// # Errors
    /// Nobody listens there, or it is not allowed.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        Ok(Self {
            reader: BufReader::new(stream),
            line: Vec::new(),
            next_id: 1,
            notifications: VecDeque::new(),
        })
    }

    /// Sends a request and waits for its answer; notifications that come meanwhile are kept.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call(&mut self, method: &str, params: &Value) -> Result<Value, CallError> {
        let id = self.next_id;
        self.next_id += 1;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.reader.get_mut().write_all(format!("{request}\n").as_bytes())?;
        let begun = Instant::now();
        while begun.elapsed() < ANSWER_TIMEOUT {
            let Some(message) = self.read()? else { continue };
            if message["id"].as_u64() == Some(id) {
                return match message.get("error") {
                    Some(error) => Err(CallError::Refused(error.clone())),
                    None => Ok(message["result"].clone()),
                };
            }
            // The reason why the daemon is about to close the connection answers nothing in particular.
            if let (Value::Null, Some(error)) = (&message["id"], message.get("error")) {
                return Err(CallError::Refused(error.clone()));
            }
            self.notifications.push_back(message);
        }
        Err(CallError::NoAnswer)
    }

    /// The next notification, waiting a tenth of a second for it.
    ///
    /// # Errors
    /// The connection failed.
    pub fn notification(&mut self) -> std::io::Result<Option<Value>> {
        if let Some(kept) = self.notifications.pop_front() {
            return Ok(Some(kept));
        }
        self.read()
    }

    /// One message, if a whole line has come.
    fn read(&mut self) -> std::io::Result<Option<Value>> {
        match self.reader.read_until(b'\n', &mut self.line) {
            Ok(0) => {
                Err(std::io::Error::new(ErrorKind::UnexpectedEof, "the daemon has closed the connection"))
            }
            Ok(_) if self.line.ends_with(b"\n") => {
                let message = serde_json::from_slice(&self.line)
                    .map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error))?;
                self.line.clear();
                Ok(Some(message))
            }
            Ok(_) => Ok(None),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
