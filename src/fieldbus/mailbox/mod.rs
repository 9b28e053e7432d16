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

mod abort;
mod bytes;
pub(super) mod client;
mod coe;
pub(super) mod datagram;
pub mod emergency;
mod exchange;
pub mod information;
pub(super) mod room;

pub use abort::abort_words;
pub use client::Client;
pub use coe::{ObjectList, Request};
pub use emergency::{Emergency, EmergencyRing, StampedEmergency};
pub use exchange::{Answer, Channel, Datagram, Event, MESSAGE_BYTES_MAX, Mailbox, MailboxCounters};
pub use room::{MailboxEvent, SDO_BYTES_MAX};

use std::fmt;

/// Why a mailbox request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailboxProblem {
    /// The device refused with this SDO abort code.
    Aborted {
        /// The code; [`abort_words`] says what it means.
        code: u32,
    },
    /// The device could not use the mailbox message itself (ETG.1000.4, mailbox error reply).
    MessageRefused {
        /// The error number.
        detail: u16,
    },
    /// The device has no mailbox, or no CoE in it.
    NoMailbox,
    /// No answer in time.
    Timeout,
    /// The value is longer than there is room for.
    TooLong {
        /// Length of the value, bytes.
        bytes: usize,
        /// Room there is.
        room: usize,
    },
    /// The device sent more or fewer bytes than it had announced.
    LengthDiffers {
        /// Bytes announced.
        announced: usize,
        /// Bytes sent.
        sent: usize,
    },
    /// The toggle bit of a segment did not alternate: a segment is missing or came twice.
    Toggle,
    /// The answer does not have the form of one.
    Malformed,
    /// Another transfer is under way.
    Busy,
}

impl std::error::Error for MailboxProblem {}

impl fmt::Display for MailboxProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted { code } => {
                write!(formatter, "refused with abort code {code:#010x}: {}", abort_words(*code))
            }
            Self::MessageRefused { detail } => {
                let words = match detail {
                    1 => "syntax of the header",
                    2 => "the protocol is not supported",
                    3 => "wrong channel",
                    4 => "the service is not supported",
                    5 => "invalid header",
                    6 => "the message is too short",
                    7 => "no memory in the device",
                    8 => "inconsistent length",
                    _ => "unknown reason",
                };
                write!(formatter, "the device cannot use the message: {words} (mailbox error {detail})")
            }
            Self::NoMailbox => formatter.write_str("the device has no CoE mailbox"),
            Self::Timeout => formatter.write_str("no answer in time"),
            Self::TooLong { bytes, room } => {
                write!(formatter, "the value has {bytes} bytes, there is room for {room}")
            }
            Self::LengthDiffers { announced, sent } => {
                write!(formatter, "the device announced {announced} bytes and sent {sent}")
            }
            Self::Toggle => formatter.write_str("a segment is missing or came twice"),
            Self::Malformed => formatter.write_str("the answer makes no sense"),
            Self::Busy => formatter.write_str("another transfer is under way"),
        }
    }
}
