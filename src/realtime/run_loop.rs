//! The run loop: wake at an absolute time, send at once what the last cycle computed, receive until 0.8
//! of the cycle, step, sleep. So a reaction leaves one cycle after its input.

use super::bus_supervision::{ClockResult, ExchangeResult};
use super::cycle::{Cycle, CycleInputs, CycleOutputs};
use super::object_transfers::ObjectTransfers;
use crate::bus_health::BusNews;
use crate::devices::MAX_SUBDEVICES;
use crate::drives::channels::{ChannelFreshness, ChannelValues, Channels};
use crate::drives::process_image::{DriveFeedback, DriveLayout};
use crate::fieldbus::{
    AlState, BringUpError, Bus, BusDescription, ExchangeReport, FrameLink, FramePump, bring_up,
};
use crate::joints::MAX_JOINTS;
use crate::machine::MachineState;
use crate::platform::trap_allocator::{self, CycleGuard};
use crate::units::Nanoseconds;

/// Share of the cycle, in percent, until which inputs are waited for.
const RECEIVE_PERCENT: u64 = 80;
/// Share of the cycle, in percent, after which a wake-up counts as late.
const LATE_PERCENT: u64 = 35;

/// Share of the cycle, in percent, until which there is time for a look at the health of the bus or for one datagram
/// of a mailbox, and at which that ends.
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

/// Longest time a SubDevice gets to leave OP before the bus is brought up again.
const LEAVE_OP: Nanoseconds = Nanoseconds(100_000_000);

/// The bus, or what is left of it.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one, and it stays where it is")]
enum Line<L> {
    Up(Bus<L>),
    /// It could not be brought up again: cycles go on without, so that commands are answered.
    Down {
        pump: FramePump<L>,
        planned: Nanoseconds,
    },
    /// For the moment of changing over.
    Changing,
}

/// Bus and machine, cycle by cycle.
#[derive(Debug)]
pub struct RunLoop<L> {
    line: Line<L>,
    cycle_time: Nanoseconds,
    subdevices: usize,
    cycle: Cycle,
    map: ProcessDataMap,
    outputs: CycleOutputs,
    late_cycles: u64,
    transfers: ObjectTransfers,
    looks_first: bool,
}

impl<L: FrameLink> RunLoop<L> {
    /// A loop over a bus in OP and a machine that has not seen it yet.
    #[must_use]
    pub fn new(bus: Bus<L>, mut cycle: Cycle, map: ProcessDataMap) -> Self {
        cycle.take_identities(bus.identities());
        tell_emergencies(&bus, &mut cycle);
        Self {
            cycle_time: bus.cycle_time(),
            subdevices: bus.subdevice_count(),
            line: Line::Up(bus),
            cycle,
            map,
            outputs: CycleOutputs::default(),
            late_cycles: 0,
            transfers: ObjectTransfers::default(),
            looks_first: false,
        }
    }

    /// State of the machine after the last cycle.
    #[must_use]
    pub const fn state(&self) -> MachineState {
        self.cycle.state()
    }

    /// Takes the bus down after the last cycle and gives its link back. SubDevices that do not leave OP within
    /// `limit` are left to their watchdogs. `None`: a bring-up was given up in the middle.
    #[must_use]
    pub fn shut_down(self, limit: Nanoseconds) -> Option<L> {
        match self.line {
            Line::Up(bus) => Some(bus.shut_down(limit).into_link()),
            Line::Down { pump, .. } => Some(pump.into_link()),
            Line::Changing => None,
        }
    }

    /// The link; `None` after a bring-up that was given up in the middle.
    pub const fn link_mut(&mut self) -> Option<&mut L> {
        match &mut self.line {
            Line::Up(bus) => Some(bus.link_mut()),
            Line::Down { pump, .. } => Some(pump.link_mut()),
            Line::Changing => None,
        }
    }

    /// True when the acknowledgement of a fault needs the bus to be brought up again: a SubDevice is not in OP.
    #[must_use]
    pub const fn wants_bring_up(&self) -> bool {
        self.cycle.wants_bring_up()
    }

    /// Brings the bus up again, from INIT on, with everything that is checked at a start: identities, mapping,
    /// reactions. No frame goes out meanwhile but those of the bring-up, and no drive has torque: the machine is
    /// in its fault state. Afterwards the acknowledgement goes on, or is refused.
    ///
    /// Not real-time safe, and not possible under the system-call filter.
    ///
    /// # Errors
    /// Why the bus did not come up. It can be tried again.
    pub fn bring_up_again(&mut self, description: &BusDescription) -> Result<(), BringUpError> {
        let pump = match std::mem::replace(&mut self.line, Line::Changing) {
            Line::Up(bus) => bus.shut_down(LEAVE_OP),
            Line::Down { pump, .. } => pump,
            Line::Changing => return Err(BringUpError::NothingAnswers),
        };
        let (line, result) = match bring_up(pump, description) {
            Ok(bus) => {
                self.cycle.take_identities(bus.identities());
                tell_emergencies(&bus, &mut self.cycle);
                (Line::Up(bus), Ok(()))
            }
            Err(failure) => {
                let planned = failure.pump.link().now();
                (Line::Down { pump: failure.pump, planned }, Err(failure.error))
            }
        };
        self.line = line;
        self.transfers.interrupt();
        self.outputs = CycleOutputs::default();
        self.cycle.brought_up(result.is_ok());
        result
    }

    /// One cycle. `late_before` are late cycles that somebody else counted (a link that paces simulated
    /// time to the wall clock).
    ///
    /// # Real-time
    /// No allocation, lock or panic path; the system calls are those of the link: wait, send, receive.
    pub fn one_cycle(&mut self, late_before: u64) {
        let bus = match &mut self.line {
            Line::Up(bus) => bus,
            Line::Down { .. } | Line::Changing => return self.cycle_without_bus(late_before),
        };
        let start = bus.wait_for_cycle();
        let _guard = CycleGuard::enter();
        let cycle_time = self.cycle_time.0;
        if start.skipped.0 > 0 || start.woke_at.since(start.planned).0 > cycle_time * LATE_PERCENT / 100 {
            self.late_cycles += 1;
        }
        let deadline = start.planned.plus(Nanoseconds(cycle_time * RECEIVE_PERCENT / 100));
        let report = bus.exchange(deadline);
        let late_cycles = self.late_cycles + late_before;
        let inputs = inputs(bus, &self.map, &report, start.skipped.0, late_cycles);
        self.cycle.step(&inputs, &mut self.outputs);
        write_outputs(bus, &self.map, &self.outputs);
        // What is left of the cycle goes to the health of the bus, and to mailboxes: either first in turn.
        self.transfers.cycle_passed();
        let begins = start.planned.plus(Nanoseconds(cycle_time * SLACK_BEGINS_PERCENT / 100));
        let ends = start.planned.plus(Nanoseconds(cycle_time * SLACK_ENDS_PERCENT / 100));
        self.looks_first = !self.looks_first;
        for looks in [self.looks_first, !self.looks_first] {
            if bus.now() > begins {
                break;
            }
            let news = if looks {
                bus.look_around(ends)
            } else {
                self.transfers.step(bus, self.cycle.objects(), ends)
            };
            if let Some(news) = news {
                self.cycle.publish_bus_news(news);
            }
        }
    }

    /// A cycle in which nothing is sent and nothing comes.
    fn cycle_without_bus(&mut self, late_before: u64) {
        if let Line::Down { pump, planned } = &mut self.line {
            *planned = planned.plus(self.cycle_time).max(pump.link().now());
            pump.link_mut().wait_until(*planned);
        }
        let _guard = CycleGuard::enter();
        let nothing = CycleInputs {
            exchange: ExchangeResult {
                received: false,
                fresh_subdevices: 0,
                working_counter: 0,
                working_counter_expected: 1,
                al_states: [AlState::NoAnswer; MAX_SUBDEVICES],
                subdevices: self.subdevices,
                skipped_cycles: 0,
                clock: None,
            },
            drives: [DriveFeedback::default(); MAX_JOINTS],
            channels: ChannelValues::default(),
            channels_fresh: ChannelFreshness::default(),
            late_cycles: self.late_cycles + late_before,
            heap_allocations: heap_operations(),
        };
        self.cycle.step(&nothing, &mut self.outputs);
        self.transfers.step_without_bus(self.cycle.objects());
    }
}

/// What devices have said while the bus came up.
fn tell_emergencies<L: FrameLink>(bus: &Bus<L>, cycle: &mut Cycle) {
    for kept in bus.emergencies().iter() {
        let position = u8::try_from(kept.position).unwrap_or(u8::MAX);
        cycle.publish_bus_news(BusNews::Emergency(position, kept.emergency));
    }
}

fn heap_operations() -> u64 {
    let heap = trap_allocator::counts();
    heap.allocations + heap.frees
}

fn inputs<L: FrameLink>(
    bus: &Bus<L>,
    map: &ProcessDataMap,
    report: &ExchangeReport,
    skipped: u64,
    late_cycles: u64,
) -> CycleInputs {
    let mut drives = [DriveFeedback::default(); MAX_JOINTS];
    for (feedback, layout) in drives.iter_mut().zip(&map.drives) {
        if let Some(layout) = layout {
            *feedback = layout.decode(bus.inputs(layout.subdevice));
        }
    }
    CycleInputs {
        exchange: ExchangeResult {
            received: report.answered,
            fresh_subdevices: report.fresh_subdevices,
            working_counter: report.working_counter,
            working_counter_expected: report.expected_working_counter,
            al_states: report.al_states,
            subdevices: bus.subdevice_count(),
            skipped_cycles: u32::try_from(skipped).unwrap_or(u32::MAX),
            clock: report.clock.map(|clock| ClockResult {
                phase_error_ns: report.clock_time.map(|_| clock.phase_error_ns),
                cycle_time_ns: bus.cycle_time().as_seconds() * 1e9,
                difference: report.clock_difference,
            }),
        },
        drives,
        channels: map.channels.decode(|subdevice| bus.inputs(subdevice)),
        channels_fresh: map.channels.freshness(|subdevice| report.is_fresh(subdevice)),
        late_cycles,
        heap_allocations: heap_operations(),
    }
}

fn write_outputs<L: FrameLink>(bus: &mut Bus<L>, map: &ProcessDataMap, outputs: &CycleOutputs) {
    for (command, layout) in outputs.drives.iter().zip(&map.drives) {
        if let Some(layout) = layout {
            layout.encode(command, bus.outputs_mut(layout.subdevice));
        }
    }
    for subdevice in 0..bus.subdevice_count() {
        map.channels.encode(&outputs.channels, subdevice, bus.outputs_mut(subdevice));
    }
}
