//! What is made of samples and events: status, event log, trace, report, picture. Reads the boundary,
//! asks for nothing; who gets it over the socket is decided in `api`.

pub mod bus_status;
pub mod events;
mod fault_values;
pub mod joint_travel;
pub mod measured_path;
pub mod picture;
pub mod recorder;
pub mod report;
pub mod statistics;
pub mod status;
#[cfg(test)]
mod test_samples;
pub mod trace;
