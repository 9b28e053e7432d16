//! The in-process segment of a running daemon with a fault script: what is due happens between two cycles, on the
//! real-time thread, without allocation. The script follows the machine through [`MachineWatch`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::fault_script::{FaultScript, ScriptState};
use super::simulated_link::SimulatedLink;
use crate::fieldbus::link::{FrameLink, LinkError};
use crate::machine::MachineState;
use crate::units::Nanoseconds;

/// How far the machine is, for the script of the segment behind its bus. Written after each cycle.
#[derive(Debug, Default)]
pub struct MachineWatch {
    cycles: AtomicU64,
    /// Place in [`MachineState::ALL`].
    state: AtomicUsize,
}

impl MachineWatch {
    /// One more cycle has ended, in this state. Real-time safe.
    pub fn passed(&self, state: MachineState) {
        self.cycles.fetch_add(1, Ordering::Relaxed);
        let place = MachineState::ALL.iter().position(|known| *known == state).unwrap_or(0);
        self.state.store(place, Ordering::Relaxed);
    }

    /// Cycles so far.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.cycles.load(Ordering::Relaxed)
    }

    /// State after the last one.
    #[must_use]
    pub fn state(&self) -> MachineState {
        MachineState::ALL.get(self.state.load(Ordering::Relaxed)).copied().unwrap_or(MachineState::Disabled)
    }
}

/// A simulated segment in which things go wrong by a script.
#[derive(Debug)]
pub struct ScriptedLink {
    link: SimulatedLink,
    script: FaultScript,
    watch: Arc<MachineWatch>,
}

impl ScriptedLink {
    /// A link on which `script` happens; what it has for the start has happened already.
    ///
    /// # Errors
    /// The script names something that is not in the segment.
    pub fn new(
        mut link: SimulatedLink,
        mut script: FaultScript,
        watch: Arc<MachineWatch>,
    ) -> anyhow::Result<Self> {
        for injection in script.at_start() {
            link.segment_mut().inject(injection)?;
        }
        Ok(Self { link, script, watch })
    }

    fn let_happen(&mut self) {
        if self.script.is_over() {
            return;
        }
        let segment = self.link.segment_mut();
        let states = [ScriptState::Machine(self.watch.state()), ScriptState::Bus(segment.lowest_state())];
        let time_s = self.link.now().as_seconds();
        for injection in self.script.due_in(self.watch.cycles(), time_s, &states) {
            // The script was tried beforehand; what an earlier fault has taken away cannot fail any more.
            let _impossible_now = self.link.segment_mut().inject(injection);
        }
    }
}

impl FrameLink for ScriptedLink {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        self.link.send(frame)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Nanoseconds) -> Result<Option<usize>, LinkError> {
        self.link.receive(buffer, deadline)
    }

    fn now(&self) -> Nanoseconds {
        self.link.now()
    }

    fn wait_until(&mut self, time: Nanoseconds) {
        self.link.wait_until(time);
        self.let_happen();
    }
}
