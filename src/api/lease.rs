//! The control lease: at most one session may start motion, and every change of hands has a number.
//!
//! ```text
//! free ─acquire→ held ─release, expiry, end of session→ free
//!                held ─acquire with take-over→ held by another
//! ```
//! The number (*epoch*) grows with every change of hands and never goes back, so that a message that was
//! delayed past a change is recognised. The lease decides who may ask; what happens to a run when it is
//! lost is [`OnLoss`] and carried out by the daemon.

use super::error::{ApiError, Holder};
use super::request::OnLoss;
use crate::machine::ControlEpoch;
use crate::units::Nanoseconds;

/// Number of a session since the daemon started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// The lease as it is held now.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Who holds it.
    pub session: SessionId,
    /// The holder's name for itself.
    pub client: String,
    /// Length of the lease.
    pub duration: Nanoseconds,
    /// When it is lost unless renewed.
    pub until: Nanoseconds,
    /// When it changed hands.
    pub since: Nanoseconds,
    /// What happens to a run when it is lost.
    pub on_loss: OnLoss,
}

/// What an acquisition amounted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// It was free.
    New,
    /// The holder asked again: renewed, same epoch.
    Renewed,
    /// It was taken from another session.
    TakenOver {
        /// That session.
        from: SessionId,
    },
}

/// The one lease of the daemon.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lease {
    held: Option<Held>,
    epoch: ControlEpoch,
}

impl Lease {
    /// Number of the lease in force, or of the last one when nobody holds it. Zero: never held.
    #[must_use]
    pub const fn epoch(&self) -> ControlEpoch {
        self.epoch
    }

    /// The lease as it is held now, if it is. One past its end counts until [`expire`](Self::expire).
    #[must_use]
    pub const fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// What an [`acquire`](Self::acquire) by `session` would be, without doing it.
    ///
    /// # Errors
    /// `NotInControl` when another session holds it and `take_over` is false.
    pub fn would_acquire(
        &self,
        session: SessionId,
        take_over: bool,
        now: Nanoseconds,
    ) -> Result<Acquired, ApiError> {
        match &self.held {
            None => Ok(Acquired::New),
            Some(held) if held.session == session => Ok(Acquired::Renewed),
            Some(held) if take_over => Ok(Acquired::TakenOver { from: held.session }),
            Some(_) => Err(self.not_in_control(now)),
        }
    }

    /// Gives the lease to `session`.
    ///
    /// # Errors
    /// As [`would_acquire`](Self::would_acquire); nothing has changed then.
    pub fn acquire(
        &mut self,
        session: SessionId,
        client: &str,
        duration: Nanoseconds,
        on_loss: OnLoss,
        take_over: bool,
        now: Nanoseconds,
    ) -> Result<Acquired, ApiError> {
        let acquired = self.would_acquire(session, take_over, now)?;
        let mut since = now;
        if acquired == Acquired::Renewed {
            since = self.held.as_ref().map_or(now, |held| held.since);
        } else {
            self.epoch = ControlEpoch(self.epoch.0.saturating_add(1));
        }
        self.held = Some(Held {
            session,
            client: client.to_owned(),
            duration,
            until: now.plus(duration),
            since,
            on_loss,
        });
        Ok(acquired)
    }

    /// Checks that `session` holds the lease with number `epoch`, and renews it.
    ///
    /// # Errors
    /// `NotInControl`, or `StaleEpoch` when the session holds it under another number.
    pub fn prove(&mut self, session: SessionId, epoch: u32, now: Nanoseconds) -> Result<(), ApiError> {
        let current = self.epoch.0;
        match &mut self.held {
            Some(held) if held.session == session => {
                if epoch != current {
                    return Err(ApiError::StaleEpoch { given: epoch, current });
                }
                held.until = now.plus(held.duration);
                Ok(())
            }
            Some(_) | None => Err(self.not_in_control(now)),
        }
    }

    /// Ends the lease if `session` holds it; returns what was held.
    pub fn give_up(&mut self, session: SessionId) -> Option<Held> {
        self.held.take_if(|held| held.session == session)
    }

    /// Ends the lease if its time has passed; returns what was held.
    pub fn expire(&mut self, now: Nanoseconds) -> Option<Held> {
        self.held.take_if(|held| held.until <= now)
    }

    fn not_in_control(&self, now: Nanoseconds) -> ApiError {
        ApiError::NotInControl {
            holder: self.held.as_ref().map(|held| Holder {
                session: held.session.0,
                client: held.client.clone(),
                held_for_s: now.since(held.since).as_seconds(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    const A: SessionId = SessionId(1);
    const B: SessionId = SessionId(2);
    const SECOND: Nanoseconds = Nanoseconds(1_000_000_000);

    fn held_by_a() -> Lease {
        let mut lease = Lease::default();
        lease.acquire(A, "a", SECOND, OnLoss::Hold, false, Nanoseconds(0)).unwrap();
        lease
    }

    fn show(lease: &Lease) -> String {
        lease.held().map_or_else(
            || format!("free, epoch {}", lease.epoch().0),
            |held| {
                format!(
                    "held by {} until {} ms, epoch {}",
                    held.client,
                    held.until.0 / 1_000_000,
                    lease.epoch().0
                )
            },
        )
    }

    #[test]
    fn every_state_and_every_event_have_one_outcome() {
        type Event = (&'static str, fn(&mut Lease) -> String);
        const NOW: Nanoseconds = Nanoseconds(500_000_000);
        fn outcome<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
            match result {
                Ok(value) => format!("{value:?}"),
                Err(ApiError::NotInControl { holder: Some(holder) }) => format!("refused: {}", holder.client),
                Err(ApiError::NotInControl { holder: None }) => "refused: nobody holds it".to_owned(),
                Err(other) => format!("refused: {other:?}"),
            }
        }
        let states = [("free", Lease::default()), ("held by a", held_by_a())];
        let events: [Event; 13] = [
            ("a acquires", |l| outcome(l.acquire(A, "a", SECOND, OnLoss::Hold, false, NOW))),
            ("a acquires with take-over", |l| outcome(l.acquire(A, "a", SECOND, OnLoss::Hold, true, NOW))),
            ("b acquires", |l| outcome(l.acquire(B, "b", SECOND, OnLoss::Hold, false, NOW))),
            ("b acquires with take-over", |l| outcome(l.acquire(B, "b", SECOND, OnLoss::Hold, true, NOW))),
            ("a proves 1", |l| outcome(l.prove(A, 1, NOW))),
            ("a proves 0", |l| outcome(l.prove(A, 0, NOW))),
            ("a proves 2", |l| outcome(l.prove(A, 2, NOW))),
            ("b proves 1", |l| outcome(l.prove(B, 1, NOW))),
            ("a gives up", |l| format!("{:?}", l.give_up(A).map(|held| held.client))),
            ("b gives up", |l| format!("{:?}", l.give_up(B).map(|held| held.client))),
            ("time passes 500 ms", |l| format!("{:?}", l.expire(NOW).map(|held| held.client))),
            ("time passes 999 ms", |l| format!("{:?}", l.expire(Nanoseconds(999_999_999)).map(|h| h.client))),
            ("time passes 1000 ms", |l| format!("{:?}", l.expire(SECOND).map(|held| held.client))),
        ];
        let mut table = String::new();
        for (state, lease) in &states {
            for (event, act) in &events {
                let mut lease = lease.clone();
                let result = act(&mut lease);
                writeln!(table, "{state:>9} | {event:<25} | {result:<42} | {}", show(&lease)).unwrap();
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn the_number_grows_with_every_change_of_hands_and_never_goes_back() {
        let mut lease = held_by_a();
        assert_eq!(lease.epoch(), ControlEpoch(1));
        lease.acquire(B, "b", SECOND, OnLoss::Hold, true, Nanoseconds(1)).unwrap();
        assert_eq!(lease.epoch(), ControlEpoch(2));
        assert!(matches!(lease.prove(A, 1, Nanoseconds(2)), Err(ApiError::NotInControl { .. })));
        lease.give_up(B);
        assert_eq!(lease.epoch(), ControlEpoch(2));
        lease.acquire(A, "a", SECOND, OnLoss::Hold, false, Nanoseconds(3)).unwrap();
        assert_eq!(lease.epoch(), ControlEpoch(3));
        assert_eq!(lease.prove(A, 1, Nanoseconds(4)), Err(ApiError::StaleEpoch { given: 1, current: 3 }));
    }
}
