//! One file a subcommand; `run` assembles the daemon, the only place that knows all.

pub mod assembly;
pub mod fault_script;
pub mod simulated_link;
