//! The event log: what happened, numbered without gaps, the newest [`KEPT`] kept in memory.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::{Map, Value};

/// Events that are kept.
pub const KEPT: usize = 4096;

/// One entry of the log, as it goes to clients.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LoggedEvent {
    /// Number of the event since the daemon started, from 1, without gaps.
    pub seq: u64,
    /// Path time: sent cycles × cycle time, s.
    pub time_s: f64,
    /// The cycle it happened in, or the newest one known for what happened outside the cycle.
    pub cycle: u64,
    /// What kind of event it is.
    pub kind: &'static str,
    /// Its details.
    #[serde(flatten)]
    pub details: Map<String, Value>,
}

/// The log.
#[derive(Debug, Default)]
pub struct EventLog {
    kept: VecDeque<LoggedEvent>,
    last: u64,
}

impl EventLog {
    /// Adds an event and gives it its number. `details` is an object; anything else is taken as none.
    pub fn add(&mut self, time_s: f64, cycle: u64, kind: &'static str, details: Value) -> LoggedEvent {
        self.last += 1;
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        let details = if let Value::Object(details) = details { details } else { Map::new() };
        let event = LoggedEvent { seq: self.last, time_s, cycle, kind, details };
        self.kept.push_back(event.clone());
        event
    }

    /// Number of the newest event; zero: none yet.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// The kept events after number `since`, oldest first. When the first one's number is not
    /// `since + 1`, those between are no longer kept.
    pub fn since(&self, since: u64) -> impl Iterator<Item = &LoggedEvent> {
        self.kept.iter().filter(move |event| event.seq > since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_have_no_gaps_and_the_newest_are_kept() {
        let mut log = EventLog::default();
        for number in 0..KEPT + 10 {
            log.add(0.0, 0, "test", json!({"n": number}));
        }
        assert_eq!(log.last(), u64::try_from(KEPT + 10).unwrap());
        let numbers: Vec<u64> = log.since(0).map(|event| event.seq).collect();
        assert_eq!(numbers.len(), KEPT);
        assert_eq!(numbers[0], 11);
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
        assert_eq!(log.since(log.last()).count(), 0);
    }

    #[test]
    fn an_event_is_one_flat_object() {
        let mut log = EventLog::default();
        let event = log.add(0.25, 250, "command_done", json!({"command_id": 3}));
        assert_eq!(
            serde_json::to_value(event).unwrap(),
            json!({"seq": 1, "time_s": 0.25, "cycle": 250, "kind": "command_done", "command_id": 3})
        );
    }
}
