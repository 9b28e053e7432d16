//! A bus of equal drives, brought up with the settings for real devices.

use motiond::fieldbus::{Bus, BusDescription, ExpectedDevice, FramePump, PumpSettings, bring_up};
use motiond::simulator::{Segment, SegmentDescription};

use crate::segment_link::{CYCLE, SegmentLink, drive, expected_cell, simulated};

/// `drives` drives in OP, on a wire with a round trip of 20 µs; the clock of the link is the time it took.
pub(crate) fn bus_of_drives(drives: usize) -> Result<Bus<SegmentLink>, String> {
    let startup = expected_cell().into_iter().next().map(|expected| expected.startup).unwrap_or_default();
    let devices: Vec<ExpectedDevice> = (0..drives)
        .map(|at| ExpectedDevice {
            name: format!("drive {at}"),
            device: drive(),
            alias: None,
            startup: startup.clone(),
            reactions: Vec::new(),
        })
        .collect();
    let kinds: Vec<_> = devices.iter().map(|expected| expected.device).collect();
    let segment =
        Segment::new(SegmentDescription::new(simulated(&kinds))).map_err(|error| format!("{error:?}"))?;
    let pump = FramePump::new(SegmentLink::new(segment), PumpSettings::REAL);
    bring_up(pump, &BusDescription::new(devices, CYCLE)).map_err(|failure| failure.error.to_string())
}
