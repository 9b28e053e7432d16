//! The socket: what may be asked, who may ask it, and how it is answered. What a job means lives in
//! `jobs` and `planning`; what the machine does is decided in the cycle.
//!
//! From the wire inwards: [`server`] moves bytes; [`framing`] cuts them into lines; [`broker`] keeps the
//! sessions, reads JSON-RPC 2.0 and writes answers and notifications; [`daemon`] carries requests out.
//! Everything but `server` is free of sockets, clocks and threads.

pub mod answer;
pub mod broker;
pub mod daemon;
pub mod error;
pub mod framing;
pub mod hexadecimal;
pub mod lease;
mod number_range;
pub mod owned_objects;
pub mod protocol;
pub mod request;
pub mod server;
pub mod session;
pub mod strict_json;
