//! One SubDevice: the application layer between the [ESC](super::esc) and the application behind it. Grants AL
//! transitions, watches the outputs, serves the mailbox and lets the application run.

mod disturbances;
mod transitions;

use crate::devices::{Connection, DeviceKind};
use crate::units::Nanoseconds;

use super::al_state::{AlState, AlStatus, code};
use super::clock::DistributedClock;
use super::description::SimulatedDevice;
use super::dictionary::Dictionary;
use super::esc::{EscEvents, EscMemory, Watchdog, register};
use super::mailbox::{self, Emergency, Mailbox};
use super::process_data::{PROCESS_DATA_BYTES_MAX, SyncManagerPlan, SyncManagerUse};
use super::random::Random;
use super::servo::Servo;
use super::sii::Sii;
use super::terminal::Terminal;
use disturbances::Disturbances;

/// Random sequences of sensors.
const SENSOR_STREAM: u64 = 0x3000;

/// What is behind the ESC.
#[derive(Debug)]
pub(super) enum Application {
    /// The axes of a drive.
    Drive(Vec<Servo>),
    Terminal(Box<Terminal>),
}

/// Where the process data of one direction lies.
#[derive(Clone, Copy, Debug, Default)]
struct Direction {
    /// Sync manager; `None`: the device has none for this direction.
    manager: Option<usize>,
    /// Length as mapped now.
    bytes: usize,
}

/// One SubDevice.
#[derive(Debug)]
pub(super) struct SubDevice {
    simulated: SimulatedDevice,
    plan: SyncManagerPlan,
    /// What frames touch.
    pub(super) esc: EscMemory,
    mailbox: Option<Box<Mailbox>>,
    dictionary: Dictionary,
    /// What is behind it.
    pub(super) application: Application,
    status: AlStatus,
    /// The controller has asked for the identification.
    shows_id: bool,
    outputs: Direction,
    inputs: Direction,
    /// The last complete outputs.
    latched: [u8; PROCESS_DATA_BYTES_MAX],
    /// Written since the last SYNC0.
    is_fresh: bool,
    /// Outputs seen since OP was requested.
    outputs_seen: bool,
    /// SYNC0 seen since OP was requested.
    sync0_seen: bool,
    /// The device runs on SYNC0 in OP.
    is_synchronised: bool,
    /// OP was requested and is granted when outputs and SYNC0 are there, up to this time.
    op_wanted_until: Option<Nanoseconds>,
    /// When the sync manager watchdog expires.
    watchdog_until: Option<Nanoseconds>,
    watchdog_expiries: u32,
    missed_in_a_row: u16,
    missed: u16,
    /// Injected: this state is refused with this code.
    refused: Option<(AlState, u16)>,
    /// Injected: without supply up to this time.
    off_until: Option<Nanoseconds>,
    /// Injected: frames pass by.
    pub(super) is_bridged: bool,
    /// Injected: what else is wrong.
    disturbances: Disturbances,
    random: Random,
}

impl SubDevice {
    /// A device at power-on.
    pub(super) fn new(
        simulated: SimulatedDevice,
        position: usize,
        seed: u64,
        record_capacity: usize,
    ) -> Self {
        let device = simulated.device;
        let mut random = Random::new(seed, position as u64);
        // Devices are switched on at different times: their clocks differ by up to 18 minutes.
        let local_ns = random.next() >> 24;
        let axes = simulated.parameters.axes();
        let application = if axes.is_empty() {
            let noise = Random::new(seed, SENSOR_STREAM + position as u64);
            Application::Terminal(Box::new(Terminal::new(&device, &simulated.parameters, noise)))
        } else {
            let servos = axes.iter().enumerate();
            Application::Drive(
                servos.map(|(axis, parameters)| Servo::new(axis, parameters, record_capacity)).collect(),
            )
        };
        let clock = device
            .distributed_clock
            .then(|| DistributedClock::new(local_ns, simulated.clock_drift_ppm, Nanoseconds(0)));
        let mut subdevice = Self {
            plan: SyncManagerPlan::of(&device),
            esc: EscMemory::new(&device, Sii::new(&simulated), clock),
            mailbox: device.kind.has_mailbox().then(|| Box::new(Mailbox::new())),
            dictionary: Dictionary::default(),
            application,
            status: AlStatus::default(),
            shows_id: false,
            outputs: Direction::default(),
            inputs: Direction::default(),
            latched: [0; PROCESS_DATA_BYTES_MAX],
            is_fresh: false,
            outputs_seen: false,
            sync0_seen: false,
            is_synchronised: false,
            op_wanted_until: None,
            watchdog_until: None,
            watchdog_expiries: 0,
            missed_in_a_row: 0,
            missed: 0,
            refused: None,
            off_until: None,
            is_bridged: false,
            disturbances: Disturbances::default(),
            random,
            simulated,
        };
        subdevice.outputs.manager = subdevice.plan.index_of(SyncManagerUse::Outputs);
        subdevice.inputs.manager = subdevice.plan.index_of(SyncManagerUse::Inputs);
        subdevice.make_dictionary();
        subdevice.enter(AlState::Init);
        subdevice
    }

    /// The object dictionary at power-on.
    fn make_dictionary(&mut self) {
        let SimulatedDevice { name, device, parameters, .. } = &self.simulated;
        self.dictionary = match &mut self.application {
            Application::Drive(servos) => Servo::dictionary_of(servos, name, device),
            Application::Terminal(_) if self.mailbox.is_some() => {
                Terminal::dictionary(name, device, parameters)
            }
            Application::Terminal(_) => Dictionary::default(),
        };
    }

    // ---- power -----------------------------------------------------------------------------------------

    /// True while it has no supply.
    pub(super) const fn is_off(&self) -> bool {
        self.off_until.is_some()
    }

    /// Takes the supply away up to `until`.
    pub(super) fn switch_off(&mut self, until: Nanoseconds, now: Nanoseconds) {
        self.off_until = Some(until);
        self.op_wanted_until = None;
        self.watchdog_until = None;
        self.status = AlStatus::default();
        match &mut self.application {
            Application::Drive(servos) => {
                servos.iter_mut().for_each(|servo| servo.set_safe_torque_off(true, now));
            }
            Application::Terminal(terminal) => terminal.switch_off(),
        }
    }

    /// Gives the supply back when it is time. Returns true when it came back.
    pub(super) fn switch_on_if_due(&mut self, now: Nanoseconds) -> bool {
        let due = self.off_until.is_some_and(|until| now >= until);
        if due {
            self.off_until = None;
            self.power_on(now);
        }
        due
    }

    fn power_on(&mut self, now: Nanoseconds) {
        let device = self.simulated.device;
        match &mut self.application {
            Application::Drive(servos) => {
                for servo in servos {
                    servo.set_safe_torque_off(false, now);
                    servo.power_on(now);
                }
            }
            Application::Terminal(terminal) => terminal.switch_off(),
        }
        self.make_dictionary();
        let local_ns = self.random.next() >> 40;
        let clock = device
            .distributed_clock
            .then(|| DistributedClock::new(local_ns, self.simulated.clock_drift_ppm, now));
        self.esc.power_on(clock);
        self.status = AlStatus::default();
        self.shows_id = false;
        self.latched = [0; PROCESS_DATA_BYTES_MAX];
        self.is_fresh = false;
        self.is_synchronised = false;
        self.op_wanted_until = None;
        self.watchdog_until = None;
        self.missed = 0;
        self.enter(AlState::Init);
    }

    // ---- time ------------------------------------------------------------------------------------------

    /// Lets time pass up to `now`.
    pub(super) fn advance(&mut self, now: Nanoseconds) {
        if self.is_off() || self.hangs(now) {
            return;
        }
        self.advance_mailbox(now);
        self.advance_transition(now);
        let mut pulses = false;
        if let Some(clock) = &mut self.esc.clock {
            clock.advance(now);
            let system_time = clock.system_time(now);
            while let Some(pulse) = self.esc.sync0.take_pulse(system_time) {
                let ago = system_time.wrapping_sub(pulse);
                if self.misses_sync0() {
                    continue;
                }
                self.sync0_event(Nanoseconds(now.0.saturating_sub(ago)));
                pulses = true;
            }
        }
        self.check_watchdog(now);
        if self.op_wanted_until.is_some() {
            self.grant_op(now);
        }
        self.check_sync0(now);
        let is_driven_by_sync0 = pulses || self.esc.sync0.next().is_some() && !self.disturbances.sync0_lost;
        match &mut self.application {
            Application::Drive(servos) => {
                if !is_driven_by_sync0 {
                    servos.iter_mut().for_each(|servo| servo.advance(now));
                    self.send_inputs();
                }
            }
            Application::Terminal(terminal) => {
                if !is_driven_by_sync0 {
                    terminal.advance(now);
                    self.send_inputs();
                }
            }
        }
    }

    fn sync0_event(&mut self, at: Nanoseconds) {
        self.check_watchdog(at);
        self.sync0_seen = true;
        self.application_event(at);
        if self.status.state == AlState::Op && self.outputs.bytes > 0 {
            self.count_missed(at);
        }
        self.is_fresh = false;
    }

    /// SYNC0, or outputs without SYNC0: the application takes the outputs over and samples its inputs.
    fn application_event(&mut self, at: Nanoseconds) {
        let is_op = self.status.state == AlState::Op;
        let data = self.latched.get(..self.outputs.bytes).unwrap_or(&[]);
        match &mut self.application {
            Application::Drive(servos) => {
                for servo in servos {
                    servo.advance_to_event(at);
                    if is_op {
                        servo.receive(data, self.is_fresh, at);
                    }
                }
            }
            Application::Terminal(terminal) => {
                if is_op {
                    terminal.receive(data);
                }
                terminal.advance(at);
            }
        }
        self.send_inputs();
    }

    fn count_missed(&mut self, at: Nanoseconds) {
        if self.is_fresh {
            self.missed_in_a_row = 0;
            return;
        }
        self.missed = self.missed.saturating_add(1);
        self.missed_in_a_row = self.missed_in_a_row.saturating_add(1);
        let limit = self.servos().first().map_or(0, |servo| servo.parameters().sync_error_limit);
        if limit > 0 && self.missed_in_a_row >= limit {
            self.fall_to(AlState::SafeOp, code::SYNC_ERROR, at);
        }
    }

    fn send_inputs(&mut self) {
        if self.status.state < AlState::SafeOp || self.inputs.bytes == 0 {
            return;
        }
        if let Some(manager) = self.inputs.manager {
            let area = self.esc.area_mut(manager);
            match &self.application {
                Application::Drive(servos) => servos.iter().for_each(|servo| servo.send(area)),
                Application::Terminal(terminal) => terminal.send(area),
            }
        }
    }

    // ---- watchdog --------------------------------------------------------------------------------------

    /// Time of the sync manager watchdog; `None`: switched off.
    fn watchdog_time(&self) -> Option<Nanoseconds> {
        let manager = self.outputs.manager?;
        let divider = u64::from(self.esc.register_u16(register::WATCHDOG_DIVIDER)) + 2;
        let count = u64::from(self.esc.register_u16(register::WATCHDOG_SM));
        let triggers = self.esc.manager(manager).triggers_watchdog() && self.outputs.bytes > 0;
        (triggers && count > 0).then_some(Nanoseconds(divider * 40 * count))
    }

    fn trigger_watchdog(&mut self, now: Nanoseconds) {
        self.watchdog_until = self.watchdog_time().map(|time| now.plus(time));
        self.esc.set_register_u16(register::WATCHDOG_STATUS, 1);
    }

    fn check_watchdog(&mut self, now: Nanoseconds) {
        let Some(until) = self.watchdog_until else { return };
        if now < until {
            return;
        }
        self.watchdog_until = None;
        self.esc.set_register_u16(register::WATCHDOG_STATUS, 0);
        self.esc.count_watchdog_expiry(Watchdog::SyncManager);
        self.watchdog_expiries += 1;
        if self.status.state == AlState::Op {
            self.fall_to(AlState::SafeOp, code::WATCHDOG, until);
        }
    }

    // ---- what frames have done -------------------------------------------------------------------------

    /// Acts on what a datagram has done to the ESC.
    pub(super) fn handle_events(&mut self, now: Nanoseconds) {
        if self.esc.events == EscEvents::default() {
            return;
        }
        if self.disturbances.hung_until.is_some() {
            // Nobody looks; what was written waits.
            return;
        }
        let events = std::mem::take(&mut self.esc.events);
        if events.written != 0
            && let Some(manager) = self.outputs.manager
            && events.written >> manager & 1 == 1
        {
            self.outputs_written(manager, now);
        }
        let mailboxes = 1 << mailbox::OUT | 1 << mailbox::IN;
        if self.mailbox.is_some() && (events.written | events.read | events.repeat) & mailboxes != 0 {
            self.mailbox_touched(events.repeat, now);
        }
        if events.al_control {
            self.al_control_requested(now);
        }
        if events.sync_managers_changed && self.status.state >= AlState::SafeOp && !self.managers_still_work()
        {
            self.fall_to(AlState::PreOp, code::INVALID_SYNC_MANAGER, now);
        }
        if events.sync_activation && self.is_synchronised && !self.esc.sync0.is_wanted() {
            if self.status.state == AlState::Op {
                self.fall_to(AlState::SafeOp, code::FATAL_SYNC_ERROR, now);
            }
            self.is_synchronised = false;
        }
        if events.reset {
            self.power_on(now);
        }
    }

    fn outputs_written(&mut self, manager: usize, now: Nanoseconds) {
        let area = self.esc.area(manager);
        let count = area.len().min(self.latched.len());
        if let (Some(to), Some(from)) = (self.latched.get_mut(..count), area.get(..count)) {
            to.copy_from_slice(from);
        }
        self.is_fresh = true;
        self.outputs_seen = true;
        self.trigger_watchdog(now);
        if self.op_wanted_until.is_some() {
            self.grant_op(now);
        }
        if !self.esc.sync0.is_wanted() {
            self.application_event(now);
        }
    }

    fn mailbox_touched(&mut self, repeat: u8, now: Nanoseconds) {
        let Some(mailbox) = &mut self.mailbox else { return };
        if repeat >> mailbox::IN & 1 == 1 {
            mailbox.repeat(&mut self.esc);
        }
        if self.status.state < AlState::PreOp {
            return;
        }
        match &self.application {
            Application::Drive(servos) => servos.iter().for_each(|servo| servo.show(&mut self.dictionary)),
            Application::Terminal(terminal) => terminal.show(&mut self.dictionary),
        }
        for index in [0x1C32, 0x1C33] {
            self.dictionary.set_number(index, 11, u64::from(self.missed));
        }
        let written = mailbox.serve(&mut self.esc, &mut self.dictionary, self.status.state, now);
        if let (true, Application::Drive(servos)) = (written, &mut self.application) {
            servos.iter_mut().for_each(|servo| servo.take_over(&self.dictionary));
        }
    }

    /// Sends a message the controller did not ask for. Returns false when the device has no mailbox.
    pub(super) fn send_emergency(&mut self, code: u16, register: u8, now: Nanoseconds) -> bool {
        let Some(mailbox) = &mut self.mailbox else { return false };
        mailbox.queue_emergency(Emergency { code, register, data: [0; 5] });
        if self.status.state >= AlState::PreOp && mailbox.has_work(&self.esc) {
            self.mailbox_touched(0, now);
        }
        true
    }

    // ---- what is seen ----------------------------------------------------------------------------------

    /// AL status.
    pub(super) const fn status(&self) -> AlStatus {
        self.status
    }

    /// How it is connected.
    pub(super) const fn connection(&self) -> Connection {
        self.simulated.device.connection
    }

    /// Kind of device.
    pub(super) const fn kind(&self) -> DeviceKind {
        self.simulated.device.kind
    }

    /// Name.
    pub(super) fn name(&self) -> &str {
        &self.simulated.name
    }

    /// How often the sync manager watchdog expired since the segment was made.
    pub(super) const fn watchdog_expiries(&self) -> u32 {
        self.watchdog_expiries
    }

    /// SYNC0 events without new outputs since power-on.
    pub(super) const fn missed_events(&self) -> u16 {
        self.missed
    }

    /// The terminal, where it is one.
    pub(super) fn terminal(&self) -> Option<&Terminal> {
        match &self.application {
            Application::Terminal(terminal) => Some(terminal),
            Application::Drive(_) => None,
        }
    }

    /// The terminal, where it is one.
    pub(super) fn terminal_mut(&mut self) -> Option<&mut Terminal> {
        match &mut self.application {
            Application::Terminal(terminal) => Some(terminal),
            Application::Drive(_) => None,
        }
    }

    /// The axes, where it is a drive.
    pub(super) fn servos(&self) -> &[Servo] {
        match &self.application {
            Application::Drive(servos) => servos,
            Application::Terminal(_) => &[],
        }
    }

    /// The axes, where it is a drive.
    pub(super) fn servos_mut(&mut self) -> &mut [Servo] {
        match &mut self.application {
            Application::Drive(servos) => servos,
            Application::Terminal(_) => &mut [],
        }
    }
}
