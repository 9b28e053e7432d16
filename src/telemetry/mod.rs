//! What is made of samples and events: status, event log, trace, report, picture. Reads the boundary,
//! asks for nothing; who gets it over the socket is decided in `api`.

pub mod events;
pub mod recorder;
pub mod status;
