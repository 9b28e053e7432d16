//! All sessions and the daemon's core: bytes in, lines out. Without socket and clock, so that tests and
//! the simulation drive it directly.
//!
//! A transport opens a session for each connection, hands in what it receives ([`Broker::receive`]), has
//! it worked through in bounded portions ([`Broker::turn`]) so that no client keeps the others waiting,
//! and writes what [`Broker::take_line`] gives.

use std::collections::BTreeMap;

use super::answer::Answer;
use super::daemon::{Caller, Daemon, Handled, Notice};
use super::error::ApiError;
use super::framing::{Frame, LINE_MAX};
use super::lease::SessionId;
use super::protocol::{Call, read_line, write_answer};
use super::request::{Request, Role};
use super::session::{Limits, Peer, Session};
use crate::units::Nanoseconds;

/// Lines worked through in one turn.
const LINES_PER_TURN: usize = 32;

/// All sessions and the daemon's core.
#[derive(Debug)]
pub struct Broker {
    daemon: Daemon,
    limits: Limits,
    sessions: BTreeMap<SessionId, Session>,
    next_session: u64,
}

impl Broker {
    /// Sessions around `daemon`.
    #[must_use]
    pub const fn new(daemon: Daemon, limits: Limits) -> Self {
        Self { daemon, limits, sessions: BTreeMap::new(), next_session: 1 }
    }

    /// The daemon's core.
    #[must_use]
    pub const fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    /// The daemon's core, for requests that come from inside the program.
    pub const fn daemon_mut(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// Opens a session.
    ///
    /// # Errors
    /// `TooManySessions`; the line from [`write_answer`] tells the client before the transport closes.
    pub fn open(&mut self, role: Role, peer: Peer, now: Nanoseconds) -> Result<SessionId, ApiError> {
        let local = matches!(peer, Peer::Local { .. });
        let free_for_others = if local { 0 } else { self.limits.reserved_local };
        let sessions_max = self.limits.sessions_max.saturating_sub(free_for_others);
        if self.sessions.len() >= sessions_max {
            return Err(ApiError::TooManySessions { sessions_max });
        }
        let id = SessionId(self.next_session);
        self.next_session += 1;
        self.sessions.insert(id, Session::new(id, role, peer, now));
        Ok(id)
    }

    /// Sessions that are open.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Ends a session: its connection is gone.
    pub fn close(&mut self, session: SessionId, now: Nanoseconds) {
        if self.sessions.remove(&session).is_some() {
            self.daemon.session_ended(session);
            self.distribute(now);
        }
    }

    /// Takes bytes. The transport should not read more before [`turn`](Self::turn) says that all were
    /// worked through.
    pub fn receive(&mut self, session: SessionId, bytes: &[u8], now: Nanoseconds) {
        if let Some(session) = self.sessions.get_mut(&session)
            && session.closing().is_none()
            && !bytes.is_empty()
        {
            session.received(now);
            session.input.extend(bytes);
        }
    }

    /// Works through some of the received lines. Returns true when some are left.
    pub fn turn(&mut self, session: SessionId, now: Nanoseconds) -> bool {
        for _ in 0..LINES_PER_TURN {
            let Some(current) = self.sessions.get_mut(&session) else { return false };
            if current.closing().is_some() {
                current.input.clear();
                return false;
            }
            if current.input.is_empty() {
                current.looked_at_all();
                return false;
            }
            let (used, frame) = current.splitter.feed(current.input.make_contiguous());
            current.input.drain(..used);
            let slow = match frame {
                None => false,
                Some(Frame::Oversize) => {
                    let error = ApiError::TooLarge { bytes_max: LINE_MAX };
                    current.send(write_answer(None, &Err(error)), &self.limits, now);
                    current.message(true, &self.limits, now);
                    false
                }
                // Blank lines keep a connection open for people who type; they say nothing.
                Some(Frame::Line(line)) if line.iter().all(u8::is_ascii_whitespace) => false,
                Some(Frame::Line(line)) => self.line(session, &line, now),
            };
            if slow {
                break;
            }
        }
        self.sessions.get(&session).is_some_and(|session| !session.input.is_empty())
    }

    /// Carries out one line. Returns true when that may have taken milliseconds.
    fn line(&mut self, session: SessionId, line: &[u8], now: Nanoseconds) -> bool {
        let call = read_line(line);
        let Some(current) = self.sessions.get_mut(&session) else { return false };
        match call {
            Err(bad) => {
                if bad.answer {
                    current.send(write_answer(bad.id.as_ref(), &Err(bad.error)), &self.limits, now);
                }
                current.message(bad.malformed, &self.limits, now);
                false
            }
            Ok(Call { id: None, request }) => {
                // A refusal could not be told: only what takes motion away, or nothing, is done unheard.
                let allowed = request.method().as_notification;
                current.message(!allowed, &self.limits, now);
                if allowed {
                    // The result of a notification is nobody's.
                    let _unheard = self.request(session, &request, now);
                }
                self.distribute(now);
                false
            }
            Ok(Call { id: Some(id), request }) => {
                current.message(false, &self.limits, now);
                let slow = matches!(request, Request::JobPut(_));
                let since = if let Request::Subscribe(subscribe) = &request { subscribe.since } else { None };
                if matches!(request, Request::JobCheck(_))
                    && current.open_answers() >= self.limits.open_answers_max
                {
                    let error = ApiError::Busy { what: "the list of open answers", retry_after_s: 1.0 };
                    current.send(write_answer(Some(&id), &Err(error)), &self.limits, now);
                    return false;
                }
                let result = self.request(session, &request, now);
                if let Some(current) = self.sessions.get_mut(&session) {
                    match result {
                        Ok(Handled::Later(ticket)) => current.keep_open(ticket, id),
                        Ok(Handled::Now(answer)) => {
                            current.send(write_answer(Some(&id), &Ok(answer)), &self.limits, now);
                            if let Some(since) = since {
                                for event in self.daemon.events().since(since) {
                                    current.event(event, true, &self.limits, now);
                                }
                            }
                        }
                        Err(error) => current.send(write_answer(Some(&id), &Err(error)), &self.limits, now),
                    }
                }
                self.distribute(now);
                slow
            }
        }
    }

    /// Carries out a request for a session, its own business included.
    fn request(
        &mut self,
        session: SessionId,
        request: &Request,
        now: Nanoseconds,
    ) -> Result<Handled, ApiError> {
        // What is older belongs to nobody's subscription that begins here.
        self.distribute(now);
        let Some(current) = self.sessions.get_mut(&session) else {
            return Err(ApiError::Internal { detail: "the session is gone".to_owned() });
        };
        if let Request::Hello(hello) = request {
            let name: String = hello.client.chars().filter(|letter| !letter.is_control()).take(64).collect();
            current.client = format!("{name} ({})", current.peer);
        }
        let caller = Caller { session, client: current.client.clone(), role: current.role };
        let handled = self.daemon.handle(&caller, request.clone(), now)?;
        let Some(current) = self.sessions.get_mut(&session) else { return Ok(handled) };
        if let Request::Subscribe(subscribe) = request {
            current.subscribe(subscribe, now);
            return Ok(Handled::Now(Answer::Subscribed {
                topics: current.topics(),
                max_hz: current.max_hz(),
                last_event_seq: self.daemon.events().last(),
            }));
        }
        if let Request::Unsubscribe(unsubscribe) = request {
            current.unsubscribe(&unsubscribe.topics);
            return Ok(Handled::Now(Answer::Unsubscribed { topics: current.topics() }));
        }
        Ok(handled)
    }

    /// Lets the daemon's core do what is due, hands out events, open answers and statuses, and closes
    /// sessions whose time limits have passed. To be called every few milliseconds.
    pub fn poll(&mut self, now: Nanoseconds) {
        self.daemon.poll(now);
        self.distribute(now);
        let mut status = None;
        for session in self.sessions.values_mut() {
            if session.status_due(now) {
                let status = status
                    .get_or_insert_with(|| serde_json::to_value(self.daemon.status()).unwrap_or_default());
                session.set_status(status, now);
            }
            let in_control = self.daemon.in_control(session.id);
            session.check_time(in_control, &self.limits, now);
        }
    }

    fn distribute(&mut self, now: Nanoseconds) {
        while let Some(notice) = self.daemon.take_notice() {
            match notice {
                Notice::Event { event, owner } => {
                    for session in self.sessions.values_mut() {
                        session.event(&event, owner == Some(session.id), &self.limits, now);
                    }
                }
                Notice::Answer { session, ticket, result } => {
                    if let Some(session) = self.sessions.get_mut(&session)
                        && let Some(id) = session.close_open(ticket)
                    {
                        session.send(write_answer(Some(&id), &result), &self.limits, now);
                    }
                }
            }
        }
    }

    /// The next line for a session, its newline included.
    pub fn take_line(&mut self, session: SessionId) -> Option<String> {
        self.sessions.get_mut(&session)?.take_line()
    }

    /// True when a session has something to send.
    #[must_use]
    pub fn has_output(&self, session: SessionId) -> bool {
        self.sessions.get(&session).is_some_and(Session::has_output)
    }

    /// Notes that the client has read something; `nothing_left` when nothing is on its way any more.
    pub fn progressed(&mut self, session: SessionId, nothing_left: bool, now: Nanoseconds) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.progressed(nothing_left, now);
        }
    }

    /// Why a session is to be closed, if it is.
    #[must_use]
    pub fn closing(&self, session: SessionId) -> Option<&ApiError> {
        self.sessions.get(&session)?.closing()
    }
}
