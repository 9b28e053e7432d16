//! One file a subcommand; `run` assembles the daemon, the only place that knows all.
