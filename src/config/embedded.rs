//! The files of `config/` that are part of the program, so that a demonstration runs from any directory.

/// The simulated cell, `config/simulated-cell.toml`.
pub const CELL: &str = include_str!("../../config/simulated-cell.toml");

/// Device types by name, `config/drives/`.
pub const DEVICES: [(&str, &str); 19] = [
    ("generic-cia402", include_str!("../../config/drives/generic-cia402.toml")),
    ("generic-dual-cia402", include_str!("../../config/drives/generic-dual-cia402.toml")),
    ("digital-io-8", include_str!("../../config/drives/digital-io-8.toml")),
    ("analog-io-2", include_str!("../../config/drives/analog-io-2.toml")),
    ("ebus-coupler", include_str!("../../config/drives/ebus-coupler.toml")),
    ("ebus-digital-in-8", include_str!("../../config/drives/ebus-digital-in-8.toml")),
    ("ebus-digital-out-8", include_str!("../../config/drives/ebus-digital-out-8.toml")),
    ("ebus-analog-in-4", include_str!("../../config/drives/ebus-analog-in-4.toml")),
    ("ebus-analog-out-4", include_str!("../../config/drives/ebus-analog-out-4.toml")),
    ("ebus-encoder-1", include_str!("../../config/drives/ebus-encoder-1.toml")),
    ("force-torque-6", include_str!("../../config/drives/force-torque-6.toml")),
    ("delta-asda-a2-e", include_str!("../../config/drives/delta-asda-a2-e.toml")),
    ("delta-asda-a3-e", include_str!("../../config/drives/delta-asda-a3-e.toml")),
    ("inovance-is620n", include_str!("../../config/drives/inovance-is620n.toml")),
    ("inovance-sv660n", include_str!("../../config/drives/inovance-sv660n.toml")),
    ("maxon-epos4-50-5", include_str!("../../config/drives/maxon-epos4-50-5.toml")),
    ("omron-r88d-1sn01l", include_str!("../../config/drives/omron-r88d-1sn01l.toml")),
    ("panasonic-minas-a5b", include_str!("../../config/drives/panasonic-minas-a5b.toml")),
    ("yaskawa-sgdv-e5", include_str!("../../config/drives/yaskawa-sgdv-e5.toml")),
];

/// Data sets of processes by name, `config/processes/`.
pub const SCHEDULES: [(&str, &str); 1] =
    [("fillet-4mm", include_str!("../../config/processes/fillet-4mm.toml"))];

/// The sample job for [`CELL`], `config/jobs/weld-sample.json`.
pub const SAMPLE_JOB: &str = include_str!("../../config/jobs/weld-sample.json");
