//! The run loop: wake at an absolute time, send at once what the last cycle computed, receive until 0.8
//! of the cycle, step, sleep. So a reaction leaves one cycle after its input.

use super::bus_supervision::{ClockResult, ExchangeResult};
use super::cycle::{Cycle, CycleInputs, CycleOutputs};
use crate::drives::channels::Channels;
use crate::drives::process_image::{DriveFeedback, DriveLayout};
use crate::fieldbus::{Bus, ExchangeReport, FrameLink};
use crate::joints::MAX_JOINTS;
use crate::machine::MachineState;
use crate::platform::trap_allocator::{self, CycleGuard};
use crate::units::Nanoseconds;

/// Share of the cycle, in percent, until which inputs are waited for.
const RECEIVE_PERCENT: u64 = 80;
/// Share of the cycle, in percent, after which a wake-up counts as late.
const LATE_PERCENT: u64 = 35;

/// Share of the cycle, in percent, until which there is time for one look at the health of the bus, and at
/// which that look ends.
const SLACK_BEGINS_PERCENT: u64 = 70;
const SLACK_ENDS_PERCENT: u64 = 90;

/// Where drives and channels lie in the process data.
#[derive(Clone, Copy, Debug)]
pub struct ProcessDataMap {
    /// The drives, joint 1 first.
    pub drives: [Option<DriveLayout>; MAX_JOINTS],
    /// Digital and analog channels.
    pub channels: Channels,
}

/// Bus and machine, cycle by cycle.
#[derive(Debug)]
pub struct RunLoop<L> {
    bus: Bus<L>,
    cycle: Cycle,
    map: ProcessDataMap,
    outputs: CycleOutputs,
    late_cycles: u64,
}

impl<L: FrameLink> RunLoop<L> {
    /// A loop over a bus in OP and a machine that has not seen it yet.
    #[must_use]
    pub fn new(bus: Bus<L>, cycle: Cycle, map: ProcessDataMap) -> Self {
        Self { bus, cycle, map, outputs: CycleOutputs::default(), late_cycles: 0 }
    }

    /// State of the machine after the last cycle.
    #[must_use]
    pub const fn state(&self) -> MachineState {
        self.cycle.state()
    }

    /// The bus, to take it down after the last cycle.
    #[must_use]
    pub fn into_bus(self) -> Bus<L> {
        self.bus
    }

    /// The bus.
    pub const fn bus_mut(&mut self) -> &mut Bus<L> {
        &mut self.bus
    }

    /// One cycle. `late_before` are late cycles that somebody else counted (a link that paces simulated
    /// time to the wall clock).
    ///
    /// # Real-time
    /// No allocation, lock or panic path; the system calls are those of the link: wait, send, receive.
    pub fn one_cycle(&mut self, late_before: u64) {
        let start = self.bus.wait_for_cycle();
        let _guard = CycleGuard::enter();
        let cycle_time = self.bus.cycle_time().0;
        if start.skipped.0 > 0 || start.woke_at.since(start.planned).0 > cycle_time * LATE_PERCENT / 100 {
            self.late_cycles += 1;
        }
        let deadline = start.planned.plus(Nanoseconds(cycle_time * RECEIVE_PERCENT / 100));
        let report = self.bus.exchange(deadline);
        let inputs = self.inputs(&report, start.skipped.0, late_before);
        self.cycle.step(&inputs, &mut self.outputs);
        self.write_outputs();
        self.use_slack(start.planned);
    }

    /// Looks at the health of the bus with what is left of the cycle.
    fn use_slack(&mut self, planned: Nanoseconds) {
        let cycle_time = self.bus.cycle_time().0;
        if self.bus.now().since(planned).0 > cycle_time * SLACK_BEGINS_PERCENT / 100 {
            return;
        }
        let deadline = planned.plus(Nanoseconds(cycle_time * SLACK_ENDS_PERCENT / 100));
        if let Some(news) = self.bus.look_around(deadline) {
            self.cycle.publish_bus_news(news);
        }
    }

    fn inputs(&self, report: &ExchangeReport, skipped: u64, late_before: u64) -> CycleInputs {
        let mut drives = [DriveFeedback::default(); MAX_JOINTS];
        for (feedback, layout) in drives.iter_mut().zip(&self.map.drives) {
            if let Some(layout) = layout {
                *feedback = layout.decode(self.bus.inputs(layout.subdevice));
            }
        }
        let heap = trap_allocator::counts();
        CycleInputs {
            exchange: ExchangeResult {
                received: report.answered,
                fresh_subdevices: report.fresh_subdevices,
                working_counter: report.working_counter,
                working_counter_expected: report.expected_working_counter,
                al_states: report.al_states,
                subdevices: self.bus.subdevice_count(),
                skipped_cycles: u32::try_from(skipped).unwrap_or(u32::MAX),
                clock: report.clock.map(|clock| ClockResult {
                    phase_error_ns: report.clock_time.map(|_| clock.phase_error_ns),
                    cycle_time_ns: self.bus.cycle_time().as_seconds() * 1e9,
                    difference: report.clock_difference,
                }),
            },
            drives,
            channels: self.map.channels.decode(|subdevice| self.bus.inputs(subdevice)),
            channels_fresh: self.map.channels.freshness(|subdevice| report.is_fresh(subdevice)),
            late_cycles: self.late_cycles + late_before,
            heap_allocations: heap.allocations + heap.frees,
        }
    }

    fn write_outputs(&mut self) {
        for (command, layout) in self.outputs.drives.iter().zip(&self.map.drives) {
            if let Some(layout) = layout {
                layout.encode(command, self.bus.outputs_mut(layout.subdevice));
            }
        }
        for subdevice in 0..self.bus.subdevice_count() {
            self.map.channels.encode(&self.outputs.channels, subdevice, self.bus.outputs_mut(subdevice));
        }
    }
}
