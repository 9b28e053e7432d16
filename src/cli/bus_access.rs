//! A bus without a daemon: a network interface, or the simulated segment of a cell on virtual time.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::assembly::Assembly;
use super::problems;
use super::simulated_link::{Pace, SimulatedLink};
use crate::fieldbus::link::capture::Capture;
use crate::fieldbus::link::raw_socket::RawSocket;
use crate::fieldbus::link::replay::Replay;
use crate::fieldbus::mailbox::StampedEmergency;
use crate::fieldbus::{FrameLink, FramePump, PumpSettings};

/// Newest frames of a capture, and room for them.
const CAPTURE_FRAMES: usize = 262_144;
const CAPTURE_BYTES: usize = 32 * 1024 * 1024;

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
    /// A bus that was recorded with --capture, instead: it answers what it answered then, to the same command
    #[arg(long, value_name = "FILE", conflicts_with_all = ["interface", "simulated"])]
    pub replay: Option<PathBuf>,
    /// Write all frames to this pcapng file, for Wireshark or --replay
    #[arg(long, value_name = "FILE")]
    pub capture: Option<PathBuf>,
    /// Go on although a device is under control of somebody: expect it to fault
    #[arg(long)]
    pub force: bool,
}

/// A pump on any bus.
pub type AnyPump = FramePump<Capture<Box<dyn FrameLink + Send>>>;

impl BusOptions {
    /// True when a bus is named.
    #[must_use]
    pub const fn is_named(&self) -> bool {
        self.simulated || self.interface.is_some() || self.replay.is_some()
    }

    /// Opens the bus.
    ///
    /// # Errors
    /// None is named, or it cannot be opened.
    pub fn open(&self) -> anyhow::Result<AnyPump> {
        let (frames, bytes) = if self.capture.is_some() { (CAPTURE_FRAMES, CAPTURE_BYTES) } else { (1, 1) };
        // A recording is replayed frame by frame: the simulated segment is brought up as a real one for it.
        let settings = if self.simulated && self.capture.is_none() {
            PumpSettings::SIMULATED
        } else {
            PumpSettings::REAL
        };
        Ok(FramePump::new(Capture::new(self.link()?, frames, bytes), settings))
    }

    fn link(&self) -> anyhow::Result<Box<dyn FrameLink + Send>> {
        if self.simulated {
            let assembly = Assembly::load(self.cell.as_deref()).map_err(problems)?;
            return Ok(Box::new(SimulatedLink::new(assembly.simulated_segment(1)?, Pace::Virtual)));
        }
        if let Some(path) = &self.replay {
            let file = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            let replay = Replay::from_pcapng(&file).with_context(|| path.display().to_string())?;
            return Ok(Box::new(replay));
        }
        let Some(name) = &self.interface else {
            anyhow::bail!("which bus? name a network interface with --interface, or use --simulated");
        };
        let socket = RawSocket::open(name).with_context(|| format!("opening the interface `{name}`"))?;
        Ok(Box::new(socket))
    }

    /// Writes what was captured, where that was asked for.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_capture(&self, pump: &AnyPump) -> anyhow::Result<()> {
        let Some(path) = &self.capture else { return Ok(()) };
        let write = || {
            let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
            pump.link().write_pcapng(&mut file, 0)
        };
        write().with_context(|| format!("writing {}", path.display()))
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
