//! From a silent wire to a bus in OP, once per start: find, compare, map, watchdog, clocks, SAFE-OP, OP.
//! Not real-time: allocates, and may wait for seconds.
//!
//! ethercrab finds the devices and lays out the process data; both can run into assertions of it, and
//! reading the mapping takes its mailbox, which panics on an emergency. So its ports are checked first, panics
//! are caught, and finding and mapping begin anew. Objects are written by our own mailbox, all devices at once.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "runs once, before the cycle"
)]

mod comparison;
mod error;
mod mapping;
mod places;
mod topology;
mod transition;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use ethercrab::subdevice_group::{DcConfiguration, NoDc, PreOp};
use ethercrab::{DcSync, DefaultLock, SubDeviceGroup};

pub use comparison::BusDifference;
pub use error::{BringUpError, Direction, SdoProblem, Stage};

use ethercrab::error::Error;

use self::places::places_of;
use super::al_state::AlState;
use super::bus::{Bus, Group, MAX_PROCESS_IMAGE_BYTES, Mapped, Place, with_subdevice};
use super::description::BusDescription;
use super::diagnosis::Diagnosis;
use super::distributed_clock::DistributedClock;
use super::frame_pump::{FramePump, PumpEnd};
use super::link::FrameLink;
use super::mailbox::room::MailboxRoom;
use super::mailbox::{EmergencyRing, Mailbox, datagram};
use super::registers;
use super::sii::FoundDevice;
use super::time_driver;
use crate::devices::{Identity, MAX_SUBDEVICES};
use crate::units::Nanoseconds;

/// First SYNC0 this long after the clocks are configured: later than the last device has its settings.
const SYNC0_START_DELAY: Duration = Duration::from_millis(50);
/// How often finding and mapping begin anew when something comes in ethercrab's way.
const TRIES: u32 = 4;
/// At least this long in SAFE-OP with frames before OP is asked for, so that SYNC0 runs and every device
/// has seen outputs.
const SAFE_OP_MIN: Nanoseconds = Nanoseconds(60_000_000);
/// The watchdog counts in steps of 100 µs: (2498 + 2) × 40 ns.
const WATCHDOG_DIVIDER: u16 = 2_498;
const WATCHDOG_STEP: u64 = 100_000;

type Found = SubDeviceGroup<MAX_SUBDEVICES, MAX_PROCESS_IMAGE_BYTES, DefaultLock, PreOp, NoDc>;

/// A bring-up that failed. The pump comes back, for the next try on the same link.
#[derive(Debug)]
pub struct BringUpFailure<L> {
    /// What went wrong.
    pub error: BringUpError,
    /// The pump, usable again.
    pub pump: FramePump<L>,
}

/// How far bring-up has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Devices that are through with it.
    pub done: usize,
    /// Devices there are.
    pub devices: usize,
}

/// Brings the bus on the link of `pump` to OP.
///
/// All outputs are zero until the caller writes others: for CiA 402 drives "disable voltage".
///
/// # Errors
/// Everything that differs from `description`, or does not work, as data; the pump comes back with it.
/// SubDevices are left in whatever state they reached; the next try starts at INIT again.
pub fn bring_up<L: FrameLink>(
    pump: FramePump<L>,
    description: &BusDescription,
) -> Result<Bus<L>, Box<BringUpFailure<L>>> {
    bring_up_watched(pump, description, &mut |_| {})
}

/// The same, and tells `progress` how far it has come.
///
/// # Errors
/// As [`bring_up`].
pub fn bring_up_watched<L: FrameLink>(
    mut pump: FramePump<L>,
    description: &BusDescription,
    progress: &mut dyn FnMut(Progress),
) -> Result<Bus<L>, Box<BringUpFailure<L>>> {
    match prepare(&mut pump, description, progress) {
        Ok(prepared) => {
            let mut bus = prepared.into_bus(pump, description);
            match into_operation(&mut bus, description, progress) {
                Ok(()) => Ok(bus),
                Err(error) => Err(Box::new(BringUpFailure { error, pump: bus.pump })),
            }
        }
        Err(error) => Err(Box::new(BringUpFailure { error, pump })),
    }
}

struct Prepared {
    group: Box<Group>,
    places: [Place; MAX_SUBDEVICES],
    identities: [Identity; MAX_SUBDEVICES],
    room: Box<MailboxRoom>,
}

impl Prepared {
    fn into_bus<L: FrameLink>(self, pump: FramePump<L>, description: &BusDescription) -> Bus<L> {
        let planned = pump.link().now();
        Bus {
            pump,
            group: self.group,
            mailbox_room: self.room,
            count: description.devices.len(),
            identities: self.identities,
            expected_working_counter: self.places.iter().map(|place| place.working_counter).sum(),
            places: self.places,
            cycle_time: description.cycle_time,
            clock: clocks_wanted(description)
                .map(|clock| DistributedClock::new(description.cycle_time, clock.sync0_shift)),
            planned,
            input_image: [0; MAX_PROCESS_IMAGE_BYTES],
            output_image: [0; MAX_PROCESS_IMAGE_BYTES],
            lost: 0,
            working_counter_errors: 0,
            diagnosis: Diagnosis::new(clocked_subdevices(description)),
        }
    }
}

fn clocks_wanted(description: &BusDescription) -> Option<super::description::ClockDescription> {
    description.clock.filter(|_| description.devices.iter().any(|expected| expected.device.distributed_clock))
}

/// One bit for each device whose clock is used.
fn clocked_subdevices(description: &BusDescription) -> u32 {
    if clocks_wanted(description).is_none() {
        return 0;
    }
    let devices = description.devices.iter().enumerate();
    devices.fold(0, |mask, (at, expected)| mask | u32::from(expected.device.distributed_clock) << at)
}

/// INIT to SAFE-OP.
fn prepare<L: FrameLink>(
    pump: &mut FramePump<L>,
    description: &BusDescription,
    progress: &mut dyn FnMut(Progress),
) -> Result<Prepared, BringUpError> {
    let devices = description.devices.len();
    if devices > MAX_SUBDEVICES {
        return Err(BringUpError::TooManyDevices { expected: devices });
    }
    let mut emergencies = EmergencyRing::default();
    let mut tries = TRIES;
    let (group, mailboxes) = loop {
        tries -= 1;
        match find_and_map(pump, description, &mut emergencies, progress) {
            // Whatever ethercrab asserted, an emergency in all likelihood, passes.
            Err(BringUpError::Panicked { .. } | BringUpError::Interrupted { .. }) if tries > 0 => {}
            other => break other?,
        }
    };
    let places = places_of(pump, &group, description)?;
    let identities = identities_of(pump, &group);
    progress(Progress { stage: Stage::SafeOperation, done: 0, devices });
    transition::request_all(pump, description, AlState::SafeOp)?;
    progress(Progress { stage: Stage::SafeOperation, done: devices, devices });
    Ok(Prepared { group, places, identities, room: Box::new(MailboxRoom::new(mailboxes, emergencies)) })
}

type Mailboxes = [Option<Mailbox>; MAX_SUBDEVICES];

/// INIT to PRE-OP with everything written.
fn find_and_map<L: FrameLink>(
    pump: &mut FramePump<L>,
    description: &BusDescription,
    emergencies: &mut EmergencyRing,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Box<Group>, Mailboxes), BringUpError> {
    let devices = description.devices.len();
    progress(Progress { stage: Stage::Discovery, done: 0, devices });
    topology::check(pump)?;
    let group = discover(pump, description)?;
    progress(Progress { stage: Stage::Discovery, done: devices, devices });
    let mut mailboxes = [None; MAX_SUBDEVICES];
    for (position, mailbox) in mailboxes.iter_mut().enumerate().take(devices) {
        let limit = pump.link().now().plus(description.timeouts.sdo);
        *mailbox = datagram::open(pump, registers::station_address(position), limit);
    }
    let used = mailboxes.get_mut(..devices).unwrap_or(&mut []);
    let stage = Stage::Objects;
    progress(Progress { stage, done: 0, devices });
    mapping::configure_all(pump, description, used, emergencies, |done| {
        progress(Progress { stage, done, devices });
    })?;
    for (position, expected) in description.devices.iter().enumerate() {
        if expected.device.outputs.bytes() > 0 {
            set_watchdog(pump, position, &expected.name, description)?;
        }
    }
    progress(Progress { stage: Stage::ProcessDataMapping, done: 0, devices });
    let used = mailboxes.get_mut(..devices).unwrap_or(&mut []);
    mapping::hand_over(pump, description, used, emergencies);
    let group = map_process_data(pump, group, description)?;
    mapping::agree_on_counters(pump, used, emergencies);
    progress(Progress { stage: Stage::ProcessDataMapping, done: devices, devices });
    Ok((group, mailboxes))
}

/// Runs an ethercrab future that may panic: an emergency in place of a mailbox answer and nonsense in
/// the topology registers are assertions there.
fn guarded<L: FrameLink, F, T>(
    pump: &mut FramePump<L>,
    future: F,
    limit: Nanoseconds,
) -> Result<T, GuardedError>
where
    F: Future<Output = Result<T, Error>>,
{
    match catch_unwind(AssertUnwindSafe(|| pump.run(future, limit))) {
        Ok(Ok(Ok(value))) => Ok(value),
        Ok(Ok(Err(error))) => Err(GuardedError::Protocol(error)),
        Ok(Err(PumpEnd::Elapsed)) => Err(GuardedError::Elapsed),
        Err(_panic) => Err(GuardedError::Panicked),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GuardedError {
    Protocol(Error),
    Elapsed,
    Panicked,
}

impl GuardedError {
    fn at(self, stage: Stage) -> BringUpError {
        match self {
            Self::Protocol(error) => BringUpError::Protocol { stage, error },
            Self::Elapsed => BringUpError::Timeout { stage },
            Self::Panicked => BringUpError::Panicked { stage },
        }
    }
}

/// Finds all SubDevices, brings them to PRE-OP and compares them with the description.
fn discover<L: FrameLink>(
    pump: &mut FramePump<L>,
    description: &BusDescription,
) -> Result<Found, BringUpError> {
    let begin = pump.link().now();
    let accepted_before = pump.counters().accepted;
    let main_device = pump.main_device();
    let found = guarded(
        pump,
        main_device.init_single_group::<MAX_SUBDEVICES, MAX_PROCESS_IMAGE_BYTES>(|| time_driver::now().0),
        begin.plus(description.timeouts.discovery),
    );
    match found {
        Ok(group) if group.is_empty() => Err(BringUpError::NothingAnswers),
        Ok(group) => {
            let found: Vec<FoundDevice> = group
                .iter(main_device)
                .map(|subdevice| FoundDevice {
                    identity: subdevice.identity().into(),
                    alias: subdevice.alias_address(),
                })
                .collect();
            let differences = comparison::compare(&description.devices, &found);
            if differences.is_empty() { Ok(group) } else { Err(BringUpError::BusDiffers { differences }) }
        }
        Err(_) if pump.counters().accepted == accepted_before => Err(BringUpError::NothingAnswers),
        Err(error) => Err(diagnose_discovery(pump, description, error)),
    }
}

/// Why discovery failed: other devices than expected, a device that refused PRE-OP, or neither.
fn diagnose_discovery<L: FrameLink>(
    pump: &mut FramePump<L>,
    description: &BusDescription,
    error: GuardedError,
) -> BringUpError {
    let identities = comparison::read_identities(pump);
    let differences = comparison::compare(&description.devices, &identities);
    if !differences.is_empty() && !identities.is_empty() {
        return BringUpError::BusDiffers { differences };
    }
    transition::first_refusal(pump, description, AlState::PreOp).unwrap_or_else(|| error.at(Stage::Discovery))
}

fn set_watchdog<L: FrameLink>(
    pump: &mut FramePump<L>,
    position: usize,
    name: &str,
    description: &BusDescription,
) -> Result<(), BringUpError> {
    let wanted = u16::try_from(description.watchdog.0.div_ceil(WATCHDOG_STEP)).unwrap_or(u16::MAX).max(1);
    let mut found = [0_u16; 2];
    let registers =
        [(registers::WATCHDOG_DIVIDER, WATCHDOG_DIVIDER), (registers::SYNC_MANAGER_WATCHDOG, wanted)];
    for ((register, value), found) in registers.into_iter().zip(&mut found) {
        let deadline = pump.link().now().plus(description.timeouts.sdo);
        // What counts is what can be read back.
        let _written = registers::write(pump, position, register, value, deadline);
        *found = registers::read(pump, position, register, deadline).unwrap_or(0);
    }
    if found == [WATCHDOG_DIVIDER, wanted] {
        return Ok(());
    }
    let [divider, steps] = found;
    let found = Nanoseconds((u64::from(divider) + 2) * 40 * u64::from(steps));
    Err(BringUpError::Watchdog { position, name: name.into(), wanted: description.watchdog, found })
}

/// Sync managers and FMMUs from the mapping, then SYNC0.
fn map_process_data<L: FrameLink>(
    pump: &mut FramePump<L>,
    mut group: Found,
    description: &BusDescription,
) -> Result<Box<Group>, BringUpError> {
    let main_device = pump.main_device();
    let clocks = clocks_wanted(description);
    if clocks.is_some() {
        for (mut subdevice, expected) in group.iter_mut(main_device).zip(&description.devices) {
            if expected.device.distributed_clock {
                subdevice.set_dc_sync(DcSync::Sync0);
            }
        }
    }
    let limit = pump.link().now().plus(description.timeouts.discovery);
    let mapped: Mapped<NoDc> =
        guarded(pump, group.into_pre_op_pdi(main_device), limit).map_err(|error| match error {
            // An emergency where ethercrab reads the mapping ends as one of these, or as a panic.
            GuardedError::Protocol(error @ (Error::Mailbox(_) | Error::Wire(_))) => {
                BringUpError::Interrupted { error }
            }
            GuardedError::Protocol(_) | GuardedError::Elapsed | GuardedError::Panicked => {
                error.at(Stage::ProcessDataMapping)
            }
        })?;
    if clocks.is_none() {
        return Ok(Box::new(Group::Free(mapped)));
    }
    let configuration = DcConfiguration {
        start_delay: SYNC0_START_DELAY,
        sync0_period: Duration::from_nanos(description.cycle_time.0),
        // Moves only ethercrab's own suggestion for the next cycle, which is not used.
        sync0_shift: Duration::ZERO,
    };
    guarded(pump, mapped.configure_dc_sync(main_device, configuration), limit)
        .map(|group| Box::new(Group::Clocked(group)))
        .map_err(|error| error.at(Stage::ClockConfiguration))
}

impl From<ethercrab::SubDeviceIdentity> for Identity {
    fn from(found: ethercrab::SubDeviceIdentity) -> Self {
        Self {
            vendor: found.vendor_id,
            product: found.product_id,
            revision: found.revision,
            serial: found.serial,
        }
    }
}

/// What each device of the group says it is.
fn identities_of<L: FrameLink>(pump: &FramePump<L>, group: &Group) -> [Identity; MAX_SUBDEVICES] {
    let main_device = pump.main_device();
    let mut identities = [Identity::default(); MAX_SUBDEVICES];
    for (position, identity) in identities.iter_mut().enumerate() {
        with_subdevice!(group, main_device, position, |subdevice| {
            *identity = subdevice.identity().into();
        });
    }
    identities
}

/// SAFE-OP to OP, with frames going round all the time: first until the clocks agree, then until every
/// device is in OP.
fn into_operation<L: FrameLink>(
    bus: &mut Bus<L>,
    description: &BusDescription,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), BringUpError> {
    let begin = bus.now();
    let count = bus.count;
    progress(Progress { stage: Stage::ClockConfiguration, done: 0, devices: count });
    settle_clocks(bus, description, begin)?;
    progress(Progress { stage: Stage::Operation, done: 0, devices: count });
    let limit = bus.now().plus(description.timeouts.transition);
    let mut cycle = 0_usize;
    let mut told = 0;
    loop {
        let report = cycle_once(bus);
        let states = report.al_states.iter().take(count);
        let done = states.filter(|state| **state == AlState::Op).count();
        if done != told {
            told = done;
            progress(Progress { stage: Stage::Operation, done, devices: count });
        }
        if report.fresh && report.al_states.iter().take(count).all(|state| *state == AlState::Op) {
            bus.lost = 0;
            bus.working_counter_errors = 0;
            bus.diagnosis.restart();
            return Ok(());
        }
        // One more frame a cycle, so that the cycle is kept: first the requests, then, in turn, the status
        // of those that are not there yet.
        let position = cycle % count.max(1);
        if cycle < count {
            transition::request(&mut bus.pump, description, position, AlState::Op)?;
        } else if report.al_states.get(position) != Some(&AlState::Op) {
            let deadline = bus.now().plus(bus.cycle_time);
            let refusal = bus.al_status(position, deadline).filter(|status| status.error);
            if let Some(status) = refusal {
                return Err(transition::refused(description, position, AlState::Op, status));
            }
        }
        if bus.now() >= limit {
            return Err(transition::first_missing(&mut bus.pump, description, AlState::Op)
                .unwrap_or(BringUpError::Timeout { stage: Stage::Operation }));
        }
        cycle = cycle.wrapping_add(1);
    }
}

fn cycle_once<L: FrameLink>(bus: &mut Bus<L>) -> super::bus::ExchangeReport {
    let start = bus.wait_for_cycle();
    let cycle = bus.cycle_time.0;
    bus.exchange(start.woke_at.plus(Nanoseconds(cycle - cycle / 5)))
}

/// Cycles in SAFE-OP until our cycle follows the reference clock and every device's clock agrees with it.
fn settle_clocks<L: FrameLink>(
    bus: &mut Bus<L>,
    description: &BusDescription,
    begin: Nanoseconds,
) -> Result<(), BringUpError> {
    let Some(clocks) = clocks_wanted(description) else {
        while bus.now().since(begin) < SAFE_OP_MIN {
            cycle_once(bus);
        }
        return Ok(());
    };
    let mask = clocked_subdevices(description);
    let clocked: Vec<usize> = (0..description.devices.len()).filter(|at| mask >> at & 1 == 1).collect();
    let mut differences: Vec<Option<u32>> = vec![None; clocked.len()];
    let mut is_aligned = false;
    let mut cycle = 0_usize;
    loop {
        let report = cycle_once(bus);
        if let (false, Some(clock_time), Some(clock)) = (is_aligned, report.clock_time, bus.clock.as_mut()) {
            // Once, before anything moves: jump to the right phase instead of creeping there.
            let late = clock.phase_error_ns(clock_time)
                - report.sent_at.since(bus.planned).0.min(bus.cycle_time.0).cast_signed();
            bus.planned = Nanoseconds(bus.planned.0.saturating_add_signed(-late));
            *clock = DistributedClock::new(description.cycle_time, clocks.sync0_shift);
            is_aligned = true;
            continue;
        }
        let place = cycle % clocked.len().max(1);
        if let (Some(&position), Some(difference)) = (clocked.get(place), differences.get_mut(place)) {
            let deadline = bus.now().plus(bus.cycle_time);
            // A device that does not answer keeps its last value.
            *difference = bus.read_clock_difference(position, deadline).or(*difference);
        }
        let settled = |difference: &Option<u32>| {
            difference.is_some_and(|difference| u64::from(difference) < clocks.settled_below.0)
        };
        let waited = bus.now().since(begin);
        let locked = report.clock.is_some_and(|status| status.locked);
        if locked && waited >= SAFE_OP_MIN && differences.iter().all(settled) {
            return Ok(());
        }
        if waited > description.timeouts.clock {
            let worst = differences.iter().position(|difference| !settled(difference));
            return Err(
                match worst.and_then(|worst| Some((*clocked.get(worst)?, *differences.get(worst)?))) {
                    Some((position, difference)) => BringUpError::ClockNotSettled {
                        position,
                        name: error::name_of(description, position),
                        difference_ns: difference,
                    },
                    None => BringUpError::CycleNotLocked {
                        phase_error_ns: bus.clock.map_or(0.0, |clock| clock.status().phase_error_smoothed_ns),
                    },
                },
            );
        }
        cycle = cycle.wrapping_add(1);
    }
}

impl<L: FrameLink> Bus<L> {
    /// Ends operation in order: SAFE-OP (outputs safe), then INIT. Gives the pump back for another
    /// bring-up. SubDevices that do not follow within `limit` are left to their watchdogs.
    pub fn shut_down(mut self, limit: Nanoseconds) -> FramePump<L> {
        for state in [AlState::SafeOp, AlState::Init] {
            let deadline = self.now().plus(limit);
            for position in 0..self.count {
                let request = state.request() | transition::ACKNOWLEDGE;
                let _written =
                    registers::write(&mut self.pump, position, registers::AL_CONTROL, request, deadline);
            }
            for position in 0..self.count {
                while let Some(status) = self.al_status(position, deadline) {
                    if status.state == state || self.now() >= deadline {
                        break;
                    }
                }
            }
        }
        self.pump
    }
}
