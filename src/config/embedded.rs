//! The files of `config/` that are part of the program, so that a demonstration runs from any directory.

/// The simulated cell, `config/simulated-cell.toml`.
pub const CELL: &str = include_str!("../../config/simulated-cell.toml");

/// Device types by name, `config/drives/`.
pub const DEVICES: [(&str, &str); 3] = [
    ("generic-cia402", include_str!("../../config/drives/generic-cia402.toml")),
    ("digital-io-8", include_str!("../../config/drives/digital-io-8.toml")),
    ("analog-io-2", include_str!("../../config/drives/analog-io-2.toml")),
];

/// Data sets of processes by name, `config/processes/`.
pub const SCHEDULES: [(&str, &str); 1] =
    [("fillet-4mm", include_str!("../../config/processes/fillet-4mm.toml"))];

/// The sample job for [`CELL`], `config/jobs/weld-sample.json`.
pub const SAMPLE_JOB: &str = include_str!("../../config/jobs/weld-sample.json");
