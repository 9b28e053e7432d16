//! The bus in operation: one exchange a cycle, with a plain answer to "which inputs are new?".

use ethercrab::subdevice_group::{HasDc, NoDc, PreOpPdi};
use ethercrab::{DefaultLock, MainDevice, SubDeviceGroup, TxRxResponse};

use super::diagnosis::Diagnosis;
use super::distributed_clock::{ClockStatus, DistributedClock};
use super::frame_pump::{FramePump, LinkCounters};
use super::link::FrameLink;
use super::mailbox::room::MailboxRoom;
use super::mailbox::{EmergencyRing, Mailbox, MailboxCounters, MailboxEvent, MailboxProblem, Request};
use super::registers;
use crate::bus_health::al_state::{AlState, AlStatus};
use crate::devices::{Identity, MAX_SUBDEVICES};
use crate::units::{Cycles, Nanoseconds};

/// Largest process image of a segment, inputs and outputs together: two frames.
pub const MAX_PROCESS_IMAGE_BYTES: usize = 2048;

/// ethercrab's group after process data is mapped. Its own state type stays at this one for good:
/// [`super::bring_up`] asks for AL states itself, because ethercrab's transitions hide the status code
/// and give the group up on failure.
pub(super) type Mapped<Clock> =
    SubDeviceGroup<MAX_SUBDEVICES, MAX_PROCESS_IMAGE_BYTES, DefaultLock, PreOpPdi, Clock>;

pub(super) enum Group {
    Clocked(Mapped<HasDc>),
    Free(Mapped<NoDc>),
}

impl std::fmt::Debug for Group {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Clocked(_) => "Clocked",
            Self::Free(_) => "Free",
        })
    }
}

/// Where one SubDevice's bytes are in the two images, and what it adds to the working counter.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) input_start: usize,
    pub(super) input_end: usize,
    pub(super) output_start: usize,
    pub(super) output_end: usize,
    pub(super) working_counter: u16,
}

/// What one exchange brought.
#[derive(Clone, Copy, Debug)]
pub struct ExchangeReport {
    /// When the frame was sent, on the clock of the link.
    pub sent_at: Nanoseconds,
    /// When the exchange ended: with the answer, or at the deadline.
    pub ended_at: Nanoseconds,
    /// The answer to this cycle's frame came in time.
    pub answered: bool,
    /// Every SubDevice's inputs are new.
    pub fresh: bool,
    /// One bit a SubDevice, first one lowest: its inputs are new.
    pub fresh_subdevices: u32,
    /// Working counter of the process data; 0 when not answered.
    pub working_counter: u16,
    /// What it should be: two for each SubDevice with outputs, one for each with inputs.
    pub expected_working_counter: u16,
    /// State of each SubDevice, in wire order; all `NoAnswer` when not answered.
    pub al_states: [AlState; MAX_SUBDEVICES],
    /// System time of the reference clock when the frame passed it, ns; `None` without clocks.
    pub clock_time: Option<u64>,
    /// How well the cycle follows the reference clock; `None` without clocks.
    pub clock: Option<ClockStatus>,
    /// Largest known difference of a SubDevice's clock from the reference, ns, and that SubDevice.
    pub clock_difference: Option<(usize, u32)>,
    /// Exchanges without an answer in time, since OP.
    pub lost: u64,
    /// Exchanges answered with a wrong working counter, since OP.
    pub working_counter_errors: u64,
    /// What passed over the link since the pump was made.
    pub link: LinkCounters,
}

impl ExchangeReport {
    /// True when the inputs of this SubDevice are from this cycle.
    #[must_use]
    pub const fn is_fresh(&self, subdevice: usize) -> bool {
        subdevice < MAX_SUBDEVICES && self.fresh_subdevices & (1 << subdevice) != 0
    }
}

/// The beginning of a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CycleStart {
    /// When the cycle was planned to begin.
    pub planned: Nanoseconds,
    /// When it began.
    pub woke_at: Nanoseconds,
    /// Whole cycles left out because the thread came too late for them.
    pub skipped: Cycles,
}

/// A bus in OP.
///
/// Use, once a cycle and always in the same thread: [`wait_for_cycle`](Self::wait_for_cycle),
/// [`exchange`](Self::exchange), then read [`inputs`](Self::inputs) and write
/// [`outputs_mut`](Self::outputs_mut) for the next one.
#[derive(Debug)]
pub struct Bus<L> {
    pub(super) pump: FramePump<L>,
    #[expect(
        clippy::disallowed_types,
        reason = "boxed once at bring-up: 20 KiB that need not be moved about"
    )]
    pub(super) group: Box<Group>,
    #[expect(clippy::disallowed_types, reason = "boxed once at bring-up, with the buffers of all mailboxes")]
    pub(super) mailbox_room: Box<MailboxRoom>,
    pub(super) count: usize,
    pub(super) identities: [Identity; MAX_SUBDEVICES],
    pub(super) places: [Place; MAX_SUBDEVICES],
    pub(super) expected_working_counter: u16,
    pub(super) cycle_time: Nanoseconds,
    pub(super) clock: Option<DistributedClock>,
    pub(super) planned: Nanoseconds,
    pub(super) input_image: [u8; MAX_PROCESS_IMAGE_BYTES],
    pub(super) output_image: [u8; MAX_PROCESS_IMAGE_BYTES],
    pub(super) lost: u64,
    pub(super) working_counter_errors: u64,
    pub(super) diagnosis: Diagnosis,
}

impl From<ethercrab::SubDeviceState> for AlState {
    fn from(state: ethercrab::SubDeviceState) -> Self {
        use ethercrab::SubDeviceState;
        match state {
            SubDeviceState::None => Self::NoAnswer,
            SubDeviceState::Init => Self::Init,
            SubDeviceState::PreOp => Self::PreOp,
            SubDeviceState::Bootstrap => Self::Bootstrap,
            SubDeviceState::SafeOp => Self::SafeOp,
            SubDeviceState::Op => Self::Op,
            SubDeviceState::Other(_) => Self::Invalid,
        }
    }
}

struct Answer {
    working_counter: u16,
    al_states: [AlState; MAX_SUBDEVICES],
    clock_time: Option<u64>,
}

impl Answer {
    fn new<T>(response: &TxRxResponse<MAX_SUBDEVICES, T>, clock_time: Option<u64>) -> Self {
        let mut al_states = [AlState::NoAnswer; MAX_SUBDEVICES];
        for (state, found) in al_states.iter_mut().zip(&response.subdevice_states) {
            *state = AlState::from(*found);
        }
        Self { working_counter: response.working_counter, al_states, clock_time }
    }
}

/// One exchange of process data as a future.
async fn exchange_process_data(
    group: &Group,
    main_device: &'static MainDevice<'static>,
) -> Result<Answer, ethercrab::error::Error> {
    match group {
        Group::Clocked(group) => {
            let response = group.tx_rx_dc(main_device).await?;
            Ok(Answer::new(&response, Some(response.extra.dc_system_time)))
        }
        Group::Free(group) => {
            let response = group.tx_rx_sync_system_time(main_device).await?;
            Ok(Answer::new(&response, response.extra))
        }
    }
}

/// Runs a block with ethercrab's reference to one SubDevice, whichever kind of group it is in.
macro_rules! with_subdevice {
    ($group:expr, $main_device:expr, $index:expr, |$subdevice:ident| $body:block) => {
        match $group {
            $crate::fieldbus::bus::Group::Clocked(group) => {
                if let Ok($subdevice) = group.subdevice($main_device, $index) $body
            }
            $crate::fieldbus::bus::Group::Free(group) => {
                if let Ok($subdevice) = group.subdevice($main_device, $index) $body
            }
        }
    };
}
pub(super) use with_subdevice;

impl<L: FrameLink> Bus<L> {
    /// Number of SubDevices.
    #[must_use]
    pub const fn subdevice_count(&self) -> usize {
        self.count
    }

    /// What each SubDevice said it is at the bring-up, in bus order.
    #[must_use]
    pub const fn identities(&self) -> &[Identity; MAX_SUBDEVICES] {
        &self.identities
    }

    /// Time between two cycles.
    #[must_use]
    pub const fn cycle_time(&self) -> Nanoseconds {
        self.cycle_time
    }

    /// Newest fresh inputs of a SubDevice, in wire order of its input PDO; empty when it has none or does
    /// not exist. Whether they are of this cycle says [`ExchangeReport::is_fresh`].
    #[must_use]
    pub fn inputs(&self, subdevice: usize) -> &[u8] {
        self.places
            .get(subdevice)
            .and_then(|place| self.input_image.get(place.input_start..place.input_end))
            .unwrap_or(&[])
    }

    /// Outputs of a SubDevice as the next exchange sends them; empty when it has none or does not exist.
    #[must_use]
    pub fn outputs_mut(&mut self, subdevice: usize) -> &mut [u8] {
        self.places
            .get(subdevice)
            .and_then(|place| self.output_image.get_mut(place.output_start..place.output_end))
            .unwrap_or(&mut [])
    }

    /// The link, for whoever has to act on it.
    #[must_use]
    pub const fn link(&self) -> &L {
        self.pump.link()
    }

    /// The link, for whoever has to act on it.
    pub const fn link_mut(&mut self) -> &mut L {
        self.pump.link_mut()
    }

    /// The clock of the link.
    #[must_use]
    pub fn now(&self) -> Nanoseconds {
        self.pump.link().now()
    }

    /// Waits for the beginning of the next cycle: one cycle time after the last one, corrected by at most
    /// 1 µs to follow the reference clock. When that has passed by more than a whole cycle, the missed
    /// cycles are left out, so that the phase to the clock stays.
    ///
    /// # Real-time
    /// Sleeps, at most until the next cycle.
    pub fn wait_for_cycle(&mut self) -> CycleStart {
        let correction = self.clock.as_ref().map_or(0, DistributedClock::correction_ns);
        let step = self.cycle_time.0.saturating_add_signed(correction);
        let mut planned = self.planned.plus(Nanoseconds(step));
        let now = self.now();
        let skipped = now.since(planned).0.checked_div(self.cycle_time.0).unwrap_or(0);
        planned = planned.plus(Nanoseconds(skipped.saturating_mul(self.cycle_time.0)));
        self.planned = planned;
        self.pump.link_mut().wait_until(planned);
        CycleStart { planned, woke_at: self.now(), skipped: Cycles(skipped) }
    }

    /// Sends the outputs and takes the inputs, waiting for them until `receive_deadline` on the clock of
    /// the link (0.8 of the cycle is usual). Whatever arrives later counts as lost.
    ///
    /// Inputs are copied only for SubDevices whose data is of this cycle: the answer belongs to the frame
    /// just sent, and its working counter is what the SubDevices that exchange process data by their AL
    /// state add up to. All others keep what they showed. A SubDevice in SAFE-OP has valid inputs; that it
    /// does not use its outputs says its state.
    ///
    /// # Real-time
    /// No allocation, no lock that anybody else could hold. Ends at the deadline. The work is
    /// proportional to the number of SubDevices and the size of the process image.
    pub fn exchange(&mut self, receive_deadline: Nanoseconds) -> ExchangeReport {
        self.put_outputs();
        let sent_at = self.now();
        let main_device = self.pump.main_device();
        let Self { pump, group, .. } = self;
        let answer = match pump.run(exchange_process_data(group, main_device), receive_deadline) {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(_)) | Err(_) => None,
        };
        let ended_at = self.now();

        let fresh_subdevices = answer.as_ref().map_or(0, |answer| self.fresh_subdevices(answer));
        self.take_inputs(fresh_subdevices);
        let (working_counter, al_states, clock_time) = match &answer {
            Some(answer) => (answer.working_counter, answer.al_states, answer.clock_time),
            None => (0, [AlState::NoAnswer; MAX_SUBDEVICES], None),
        };
        if answer.is_none() {
            self.lost += 1;
        } else if working_counter != self.expected_working_counter {
            self.working_counter_errors += 1;
        }
        let planned = self.planned;
        let clock = self.clock.as_mut().map(|clock| match clock_time {
            Some(clock_time) => clock.update(planned, sent_at, clock_time),
            None => clock.coast(),
        });
        let report = ExchangeReport {
            sent_at,
            ended_at,
            answered: answer.is_some(),
            fresh: answer.is_some() && fresh_subdevices == all_ones(self.count),
            fresh_subdevices,
            working_counter,
            expected_working_counter: self.expected_working_counter,
            al_states,
            clock_time,
            clock,
            clock_difference: self.diagnosis.clock_difference(),
            lost: self.lost,
            working_counter_errors: self.working_counter_errors,
            link: self.pump.counters(),
        };
        self.diagnosis.note(self.count, &report);
        report
    }

    /// Reads AL status and code of one SubDevice (0x0130, 0x0134) with a frame of its own, in the slack of
    /// the cycle; `None` when nothing came until `deadline`.
    ///
    /// # Real-time
    /// No allocation. Ends at the deadline.
    pub fn al_status(&mut self, subdevice: usize, deadline: Nanoseconds) -> Option<AlStatus> {
        registers::read(&mut self.pump, subdevice, registers::AL_STATUS, deadline)
            .ok()
            .map(AlStatus::from_registers)
    }

    /// Begins a mailbox transfer with a SubDevice; `value` is what a download writes. It goes on with
    /// [`mailbox_step`](Self::mailbox_step), and fails when the SubDevice lets `patience` pass without one step
    /// forward.
    ///
    /// # Errors
    /// Another transfer is under way, the SubDevice has no mailbox, or the value is too long.
    ///
    /// # Real-time
    /// No allocation; copies `value`.
    pub fn begin_mailbox(
        &mut self,
        position: usize,
        request: Request,
        value: &[u8],
        patience: Nanoseconds,
    ) -> Result<(), MailboxProblem> {
        self.load_mailbox(0, value)?;
        let now = self.now();
        self.mailbox_room.begin(position, request, now, patience)
    }

    /// Puts part of what the next download will write in its place; it then begins with an empty `value`.
    ///
    /// # Errors
    /// A transfer is under way, or the value is too long.
    ///
    /// # Real-time
    /// No allocation; copies `bytes`.
    pub fn load_mailbox(&mut self, offset: usize, bytes: &[u8]) -> Result<(), MailboxProblem> {
        self.mailbox_room.load(offset, bytes)
    }

    /// One step of mailbox work in the slack of the cycle: at most one frame, until `deadline`. Without a
    /// transfer it looks into the mailbox of one SubDevice, each in its turn, for an emergency.
    ///
    /// # Real-time
    /// No allocation. Ends at the deadline.
    pub fn mailbox_step(&mut self, deadline: Nanoseconds) -> MailboxEvent {
        self.mailbox_room.step(&mut self.pump, deadline)
    }

    /// The buffer of the last upload; [`MailboxEvent::Done`] says how much of it counts.
    #[must_use]
    pub fn mailbox_data(&self) -> &[u8] {
        self.mailbox_room.data()
    }

    /// Emergencies received since bring-up began.
    #[must_use]
    pub const fn emergencies(&self) -> &EmergencyRing {
        self.mailbox_room.emergencies()
    }

    /// What happened in the mailbox of a SubDevice; `None` when it has none.
    #[must_use]
    pub fn mailbox_counters(&self, position: usize) -> Option<MailboxCounters> {
        self.mailbox_room.mailbox(position).map(Mailbox::counters)
    }

    /// Bit mask of the SubDevices whose inputs in `answer` are new.
    ///
    /// ethercrab's process datagram carries one working counter for all. No SubDevice adds more than its
    /// share, and one without process data (off the cable, below SAFE-OP) adds nothing. So when the counter
    /// is exactly the sum over those in SAFE-OP and OP, they all took part; those in SAFE-OP after an error
    /// may have closed their process data, which leaves the sum over those in OP. In any other case
    /// nobody knows who is missing.
    fn fresh_subdevices(&self, answer: &Answer) -> u32 {
        let in_states = |wanted: &[AlState]| {
            let states = answer.al_states.iter().zip(&self.places).take(self.count).enumerate();
            states.filter(|(_, (state, _))| wanted.contains(state)).fold(
                (0_u32, 0_u16),
                |(mask, sum), (index, (_, place))| {
                    (mask | 1 << index, sum.saturating_add(place.working_counter))
                },
            )
        };
        [in_states(&[AlState::SafeOp, AlState::Op]), in_states(&[AlState::Op])]
            .into_iter()
            .find_map(|(mask, sum)| (sum == answer.working_counter).then_some(mask))
            .unwrap_or(0)
    }

    fn put_outputs(&mut self) {
        let main_device = self.pump.main_device();
        for index in 0..self.count {
            let Some(image) = self
                .places
                .get(index)
                .and_then(|place| self.output_image.get(place.output_start..place.output_end))
            else {
                continue;
            };
            with_subdevice!(&*self.group, main_device, index, |subdevice| {
                let mut outputs = subdevice.outputs_raw_mut();
                if outputs.len() == image.len() {
                    outputs.copy_from_slice(image);
                }
            });
        }
    }

    fn take_inputs(&mut self, fresh_subdevices: u32) {
        let main_device = self.pump.main_device();
        for index in (0..self.count).filter(|index| fresh_subdevices & (1 << index) != 0) {
            let Some(image) = self
                .places
                .get(index)
                .and_then(|place| self.input_image.get_mut(place.input_start..place.input_end))
            else {
                continue;
            };
            with_subdevice!(&*self.group, main_device, index, |subdevice| {
                let inputs = subdevice.inputs_raw();
                if inputs.len() == image.len() {
                    image.copy_from_slice(&inputs);
                }
            });
        }
    }
}

/// One bit for each of the first `count` SubDevices.
const fn all_ones(count: usize) -> u32 {
    if count >= MAX_SUBDEVICES { u32::MAX } else { (1 << count) - 1 }
}
