//! The whole program on virtual time and one thread: simulated segment, bus, cycle, daemon. The same
//! inputs give the same bytes; `simulate` and the tests drive it.

use std::sync::Arc;

use anyhow::Context as _;

use super::assembly::Assembly;
use super::fault_script::{FaultScript, ScriptState};
use super::job_planner::CellPlanner;
use super::simulated_link::{Pace, SimulatedLink};
use crate::api::broker::Broker;
use crate::api::daemon::Daemon;
use crate::api::session::Limits;
use crate::boundary::boundary;
use crate::fieldbus::{BusDescription, FramePump, PumpSettings, bring_up};
use crate::jobs::files::{Files, MemoryFiles};
use crate::jobs::planning_desk::InlineDesk;
use crate::jobs::store::JobStore;
use crate::machine::MachineState;
use crate::mastering::store::{MasteringStore, Meanwhile};
use crate::realtime::cycle::Cycle;
use crate::realtime::run_loop::RunLoop;
use crate::simulator::Segment;
use crate::units::{Cycles, Nanoseconds};

/// A cell with everything in it, cycle by cycle.
#[derive(Debug)]
pub struct VirtualCell {
    run_loop: RunLoop<SimulatedLink>,
    broker: Broker,
    description: BusDescription,
    script: FaultScript,
    cycle_time: Nanoseconds,
    cycles: u64,
}

impl VirtualCell {
    /// Brings the simulated cell up to OP; drives off, nobody in control.
    ///
    /// # Errors
    /// What the configuration, the segment or the bring-up refuses, in words.
    pub fn start(
        assembly: &Assembly,
        files: Box<dyn Files>,
        script: FaultScript,
        seed: u64,
    ) -> anyhow::Result<Self> {
        Self::start_with_record(assembly, files, Box::new(MemoryFiles::default()), script, seed)
    }

    /// The same with the record of mastering in `record`. The arm stands where the cell file says, wherever the record
    /// has left it.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with_record(
        assembly: &Assembly,
        files: Box<dyn Files>,
        record: Box<dyn Files>,
        mut script: FaultScript,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let mastering = MasteringStore::open(record, &assembly.cell, Meanwhile::Unknown, || 0)
            .context("reading the record of mastering")?;
        let assembly = &assembly.standing(*mastering.at_start(), None);
        let settings = assembly.cycle_settings().map_err(super::problems)?;
        let guards = assembly.guards().map_err(super::problems)?;
        let map = assembly.process_data_map().map_err(super::problems)?;
        script.check(assembly.simulated_segment(seed)?).map_err(super::problems).context("fault script")?;
        let mut segment = assembly.simulated_segment(seed)?;
        for injection in script.at_start() {
            segment.inject(injection)?;
        }
        let link = SimulatedLink::new(segment, Pace::Virtual);
        let pump = FramePump::new(link, PumpSettings::SIMULATED);
        let description = assembly.bus_description();
        let bus = bring_up(pump, &description)
            .map_err(|failure| anyhow::anyhow!("bringing up the simulated segment: {}", failure.error))?;
        let (realtime_end, daemon_end) = boundary();
        let store = JobStore::open(files).context("opening the job store")?;
        let planner = Arc::new(CellPlanner::new(assembly.clone()));
        let mut daemon = Daemon::new(assembly.facts(), daemon_end, store, Box::new(InlineDesk::new(planner)));
        daemon.keep_positions(mastering);
        Ok(Self {
            cycle_time: settings.cycle_time,
            run_loop: RunLoop::new(bus, Cycle::new(settings, realtime_end).guarded(&guards), map),
            broker: Broker::new(daemon, Limits::default()),
            description,
            script,
            cycles: 0,
        })
    }

    /// Virtual time since the first cycle.
    #[must_use]
    pub const fn now(&self) -> Nanoseconds {
        Nanoseconds(self.cycles.saturating_mul(self.cycle_time.0))
    }

    /// Time between two cycles.
    #[must_use]
    pub const fn cycle_time(&self) -> Nanoseconds {
        self.cycle_time
    }

    /// Cycles sent so far.
    #[must_use]
    pub const fn cycles(&self) -> Cycles {
        Cycles(self.cycles)
    }

    /// State of the machine.
    #[must_use]
    pub const fn state(&self) -> MachineState {
        self.run_loop.state()
    }

    /// Sessions and daemon.
    pub const fn broker_mut(&mut self) -> &mut Broker {
        &mut self.broker
    }

    /// The daemon's core.
    pub const fn daemon_mut(&mut self) -> &mut Daemon {
        self.broker.daemon_mut()
    }

    /// The link to the simulated segment.
    ///
    /// # Panics
    /// Never: the link is away only while the bus is being brought up, which [`step`](Self::step) does whole.
    pub fn link_mut(&mut self) -> &mut SimulatedLink {
        self.run_loop.link_mut().expect("no bring-up is under way between two steps")
    }

    /// The simulated segment, to look at and to inject into.
    pub fn segment_mut(&mut self) -> &mut Segment {
        self.link_mut().segment_mut()
    }

    /// One cycle of everything: what the script has for it, the real-time side, the daemon side.
    ///
    /// # Errors
    /// The script names something that is not in the cell.
    pub fn step(&mut self) -> anyhow::Result<()> {
        self.cycles += 1;
        let states =
            [ScriptState::Machine(self.state()), ScriptState::Bus(self.segment_mut().lowest_state())];
        let due: Vec<_> = self.script.due_in(self.cycles, self.now().as_seconds(), &states).collect();
        for injection in due {
            self.segment_mut()
                .inject(injection)
                .with_context(|| format!("fault script, cycle {}", self.cycles))?;
        }
        self.run_loop.one_cycle(0);
        if self.run_loop.wants_bring_up() {
            let result = self.run_loop.bring_up_again(&self.description).map_err(|error| error.to_string());
            self.broker.daemon_mut().bus_brought_up(result);
        }
        self.broker.poll(self.now());
        Ok(())
    }
}
