//! One connection: its half-received line, its subscriptions, what waits to be sent, its time limits.
//! Without socket and clock.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::error::ApiError;
use super::framing::LineSplitter;
use super::lease::SessionId;
use super::protocol::{Id, write_answer, write_notification};
use super::request::{Role, Subscribe, Topic};
use crate::jobs::planning_desk::Ticket;
use crate::telemetry::events::LoggedEvent;
use crate::units::Nanoseconds;

/// Limits of connections.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Connections at once.
    pub sessions_max: usize,
    /// Of these, kept free for the Unix socket: a flood over TCP must not keep a local user out.
    pub reserved_local: usize,
    /// Time for the first whole message, s.
    pub first_message_s: f64,
    /// Time for a message from its first byte to its end, s.
    pub message_s: f64,
    /// Time without any message, for sessions that neither subscribe nor hold the lease, s.
    pub idle_s: f64,
    /// Time in which a client must read something while there is something to read, s.
    pub write_stall_s: f64,
    /// Messages that may wait for a client to read them.
    pub waiting_max: usize,
    /// Bytes of those.
    pub waiting_bytes_max: usize,
    /// Unacceptable messages in a row.
    pub mistakes_max: u32,
    /// Answers that may be open.
    pub open_answers_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions_max: 64,
            reserved_local: 2,
            first_message_s: 2.0,
            message_s: 5.0,
            idle_s: 300.0,
            write_stall_s: 2.0,
            waiting_max: 1024,
            waiting_bytes_max: 4 * 1024 * 1024,
            mistakes_max: 3,
            open_answers_max: 16,
        }
    }
}

/// Where a connection comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The Unix socket; the user's number as the kernel tells it.
    Local {
        /// User number, where known.
        uid: Option<u32>,
    },
    /// TCP.
    Network {
        /// Address and port.
        address: String,
    },
}

impl std::fmt::Display for Peer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local { uid: Some(uid) } => write!(formatter, "local user {uid}"),
            Self::Local { uid: None } => write!(formatter, "local"),
            Self::Network { address } => write!(formatter, "{address}"),
        }
    }
}

#[derive(Debug)]
struct StatusSubscription {
    period: Nanoseconds,
    due: Nanoseconds,
    max_hz: f64,
    seq: u64,
    dropped: u64,
    newest: Option<Value>,
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// What it may do.
    pub role: Role,
    /// Where it comes from.
    pub peer: Peer,
    /// The client's name for itself.
    pub client: String,
    /// Received and not yet looked at.
    pub input: VecDeque<u8>,
    /// Cuts lines.
    pub splitter: LineSplitter,
    opened: Nanoseconds,
    had_message: bool,
    last_message: Nanoseconds,
    line_began: Option<Nanoseconds>,
    mistakes: u32,
    events: bool,
    status: Option<StatusSubscription>,
    waiting: VecDeque<String>,
    waiting_bytes: usize,
    /// Since when something waits and nothing was read.
    stalled_since: Option<Nanoseconds>,
    open: BTreeMap<Ticket, Id>,
    closing: Option<ApiError>,
}

impl Session {
    /// A new connection.
    #[must_use]
    pub fn new(id: SessionId, role: Role, peer: Peer, now: Nanoseconds) -> Self {
        Self {
            id,
            role,
            client: peer.to_string(),
            peer,
            input: VecDeque::new(),
            splitter: LineSplitter::default(),
            opened: now,
            had_message: false,
            last_message: now,
            line_began: None,
            mistakes: 0,
            events: false,
            status: None,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            stalled_since: None,
            open: BTreeMap::new(),
            closing: None,
        }
    }

    // -- receiving --------------------------------------------------------------------------------

    /// Notes that bytes came.
    pub fn received(&mut self, now: Nanoseconds) {
        self.line_began.get_or_insert(now);
    }

    /// Notes that all received bytes were looked at.
    pub fn looked_at_all(&mut self) {
        if !self.splitter.is_inside_line() {
            self.line_began = None;
        }
    }

    /// Notes a whole message. `unacceptable` ones are counted; too many in a row close the session.
    pub fn message(&mut self, unacceptable: bool, limits: &Limits, now: Nanoseconds) {
        self.last_message = now;
        self.line_began = Some(now);
        if unacceptable {
            self.mistakes += 1;
            if self.mistakes >= limits.mistakes_max {
                self.close(ApiError::TooManyMistakes { count: self.mistakes });
            }
        } else {
            self.had_message = true;
            self.mistakes = 0;
        }
    }

    // -- sending ----------------------------------------------------------------------------------

    /// Puts a line behind those that wait; a client that does not read is cut off.
    pub fn send(&mut self, line: String, limits: &Limits, now: Nanoseconds) {
        if self.closing.is_some() {
            return;
        }
        self.waiting_bytes += line.len();
        self.waiting.push_back(line);
        self.stalled_since.get_or_insert(now);
        if self.waiting.len() > limits.waiting_max || self.waiting_bytes > limits.waiting_bytes_max {
            self.close(ApiError::SlowReader { waiting: self.waiting.len() });
        }
    }

    /// The next line to send: answers and events in order, then the newest status.
    pub fn take_line(&mut self) -> Option<String> {
        if let Some(line) = self.waiting.pop_front() {
            self.waiting_bytes -= line.len();
            return Some(line);
        }
        let newest = self.status.as_mut()?.newest.take()?;
        Some(write_notification("status", &newest))
    }

    /// True when there is something to send.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.waiting.is_empty() || self.status.as_ref().is_some_and(|status| status.newest.is_some())
    }

    /// Notes that the client has read something; `nothing_left` when nothing is on its way any more.
    pub fn progressed(&mut self, nothing_left: bool, now: Nanoseconds) {
        self.stalled_since = (!nothing_left || self.has_output()).then_some(now);
    }

    // -- open answers -----------------------------------------------------------------------------

    /// Keeps the `id` of a request whose answer comes later.
    pub fn keep_open(&mut self, ticket: Ticket, id: Id) {
        self.open.insert(ticket, id);
    }

    /// Answers that are open.
    #[must_use]
    pub fn open_answers(&self) -> usize {
        self.open.len()
    }

    /// The `id` of a request whose answer has come.
    pub fn close_open(&mut self, ticket: Ticket) -> Option<Id> {
        self.open.remove(&ticket)
    }

    // -- subscriptions ----------------------------------------------------------------------------

    /// Subscribes; the whole status is due at once.
    pub fn subscribe(&mut self, subscribe: &Subscribe, now: Nanoseconds) {
        for topic in &subscribe.topics {
            match topic {
                Topic::Events => self.events = true,
                Topic::Status => {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "the rate was checked to be within 0.1 to 100 per second"
                    )]
                    let period = Nanoseconds((1e9 / subscribe.max_hz) as u64);
                    self.status = Some(StatusSubscription {
                        period,
                        due: now,
                        max_hz: subscribe.max_hz,
                        seq: 0,
                        dropped: 0,
                        newest: None,
                    });
                }
            }
        }
    }

    /// Ends subscriptions; an empty list ends all.
    pub fn unsubscribe(&mut self, topics: &[Topic]) {
        if topics.is_empty() || topics.contains(&Topic::Events) {
            self.events = false;
        }
        if topics.is_empty() || topics.contains(&Topic::Status) {
            self.status = None;
        }
    }

    /// What is subscribed to.
    #[must_use]
    pub fn topics(&self) -> Vec<Topic> {
        let mut topics = Vec::new();
        if self.status.is_some() {
            topics.push(Topic::Status);
        }
        if self.events {
            topics.push(Topic::Events);
        }
        topics
    }

    /// Largest rate of the status, 1/s; zero without a subscription.
    #[must_use]
    pub fn max_hz(&self) -> f64 {
        self.status.as_ref().map_or(0.0, |status| status.max_hz)
    }

    /// Sends an event if it is subscribed to, or if the session asked for what it reports.
    pub fn event(&mut self, event: &LoggedEvent, owner: bool, limits: &Limits, now: Nanoseconds) {
        if self.events || owner {
            self.send(write_notification("event", event), limits, now);
        }
    }

    /// True when a status is due.
    #[must_use]
    pub fn status_due(&self, now: Nanoseconds) -> bool {
        self.closing.is_none() && self.status.as_ref().is_some_and(|status| status.due <= now)
    }

    /// Puts the newest status in place of one that was not read yet.
    pub fn set_status(&mut self, status: &Value, now: Nanoseconds) {
        let Some(subscription) = &mut self.status else { return };
        subscription.due = now.plus(subscription.period);
        subscription.seq += 1;
        if subscription.newest.is_some() {
            subscription.dropped += 1;
        }
        subscription.newest = Some(json!({
            "seq": subscription.seq,
            "dropped": subscription.dropped,
            "status": status,
        }));
        self.stalled_since.get_or_insert(now);
    }

    // -- the end ----------------------------------------------------------------------------------

    /// Ends the session: what waits is thrown away, the reason is the last line.
    pub fn close(&mut self, reason: ApiError) {
        if self.closing.is_some() {
            return;
        }
        self.waiting.clear();
        self.status = None;
        self.events = false;
        self.open.clear();
        let line = write_answer(None, &Err(reason.clone()));
        self.waiting_bytes = line.len();
        self.waiting.push_back(line);
        self.closing = Some(reason);
    }

    /// Why the session is to be closed, if it is: send what [`take_line`](Self::take_line) still gives,
    /// without waiting, and close.
    #[must_use]
    pub const fn closing(&self) -> Option<&ApiError> {
        self.closing.as_ref()
    }

    /// Closes the session when one of its time limits has passed.
    pub fn check_time(&mut self, in_control: bool, limits: &Limits, now: Nanoseconds) {
        let passed = |since: Nanoseconds, limit_s: f64| now.since(since).as_seconds() > limit_s;
        let over = |what, limit_s| ApiError::ConnectionTimeout { what, limit_s };
        if self.stalled_since.is_some_and(|since| passed(since, limits.write_stall_s)) {
            self.close(over("reading what was sent", limits.write_stall_s));
        } else if !self.had_message && passed(self.opened, limits.first_message_s) {
            self.close(over("the first message", limits.first_message_s));
        } else if self.line_began.is_some_and(|since| passed(since, limits.message_s)) {
            self.close(over("one message", limits.message_s));
        } else if self.status.is_none()
            && !self.events
            && !in_control
            && self.open.is_empty()
            && passed(self.last_message, limits.idle_s)
        {
            self.close(over("the time without a message", limits.idle_s));
        }
    }
}
