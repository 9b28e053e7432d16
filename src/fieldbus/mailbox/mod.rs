//! The CoE mailbox of the SubDevices: reading and writing objects of any size, object descriptions,
//! emergencies. Own code on single register datagrams, because the mailbox must go on while process data is
//! exchanged, survive lost frames, and take an emergency in place of an answer for what it is.
//!
//! ```text
//! Client ── asynchronous scripts over many SubDevices at once, before the cycle (bring-up, scan)
//! Bus::mailbox_step ── one datagram in the slack of a cycle
//!    ↓
//! Mailbox ── one SubDevice: counters, repeat, time-out; says which datagram is next, takes its answer
//!    ↓
//! Transfer ── one CoE request: SDO upload and download, object information; bytes in, bytes out
//! ```
//!
//! Neither [`Mailbox`] nor `Transfer` sends anything or knows a clock: time and answers are arguments.
//!
//! Source: ETG.1000.4 (mailbox, sync manager), ETG.1000.6 clause 5.6 (CoE), CiA 301 (SDO, emergency).

mod bytes;
pub(super) mod client;
mod coe;
pub(super) mod datagram;
pub mod emergency;
mod exchange;
pub mod information;
pub(super) mod room;

pub use crate::bus_health::mailbox::{Emergency, MailboxProblem, abort_words};
pub use client::Client;
pub use coe::{ObjectList, Request};
pub use emergency::{EmergencyRing, StampedEmergency};
pub use exchange::{Answer, Channel, Datagram, Event, MESSAGE_BYTES_MAX, Mailbox, MailboxCounters};
pub use room::MailboxEvent;
