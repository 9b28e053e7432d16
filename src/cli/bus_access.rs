//! A bus without a daemon: a network interface, or the simulated segment of a cell on virtual time.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::assembly::Assembly;
use super::problems;
use super::simulated_link::{Pace, SimulatedLink};
use crate::fieldbus::link::raw_socket::RawSocket;
use crate::fieldbus::mailbox::StampedEmergency;
use crate::fieldbus::{FrameLink, FramePump, PumpSettings};

/// Which bus.
#[derive(Clone, Debug, Args)]
pub struct BusOptions {
    /// Network interface the devices are connected to
    #[arg(long, value_name = "IF")]
    pub interface: Option<String>,
    /// The simulated segment instead, on virtual time
    #[arg(long, conflicts_with = "interface")]
    pub simulated: bool,
    /// Cell of the simulated segment [default: the built-in simulated cell]
    #[arg(long, value_name = "FILE", requires = "simulated")]
    pub cell: Option<PathBuf>,
    /// Go on although a device is under control of somebody: expect it to fault
    #[arg(long)]
    pub force: bool,
}

/// A pump on any bus.
pub type AnyPump = FramePump<Box<dyn FrameLink + Send>>;

impl BusOptions {
    /// True when a bus is named.
    #[must_use]
    pub const fn is_named(&self) -> bool {
        self.simulated || self.interface.is_some()
    }

    /// Opens the bus.
    ///
    /// # Errors
    /// None is named, or it cannot be opened.
    pub fn open(&self) -> anyhow::Result<AnyPump> {
        if self.simulated {
            let assembly = Assembly::load(self.cell.as_deref()).map_err(problems)?;
            let link = SimulatedLink::new(assembly.simulated_segment(1)?, Pace::Virtual);
            return Ok(FramePump::new(Box::new(link), PumpSettings::SIMULATED));
        }
        let Some(name) = &self.interface else {
            anyhow::bail!("which bus? name a network interface with --interface, or use --simulated");
        };
        let socket = RawSocket::open(name).with_context(|| format!("opening the interface `{name}`"))?;
        Ok(FramePump::new(Box::new(socket), PumpSettings::REAL))
    }
}

/// Emergencies in words, one a line.
#[must_use]
pub fn emergency_lines(emergencies: &[StampedEmergency]) -> Vec<String> {
    emergencies
        .iter()
        .map(|stamped| format!("emergency from position {}: {}", stamped.position, stamped.emergency))
        .collect()
}
