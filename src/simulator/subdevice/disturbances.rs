//! What goes wrong in a SubDevice beyond states and supply: shown status, slow transitions, a processor that hangs,
//! a lost SYNC0.

use crate::units::Nanoseconds;

use super::super::al_state::{AlState, AlStatus, code};
use super::super::esc::{Watchdog, register};
use super::super::faults::{MailboxFault, SubDeviceFault};
use super::SubDevice;

/// SYNC0 pulses that may be missing before the device gives up.
const SYNC0_MISSING_MAX: u16 = 4;

/// Disturbances in force.
#[derive(Clone, Debug, Default)]
pub(super) struct Disturbances {
    working_counter: (u32, i16),
    shown: Option<AlStatus>,
    transition_delay: Nanoseconds,
    /// When the state that was asked for last is entered.
    transition_due: Option<Nanoseconds>,
    pub(super) hung_until: Option<Nanoseconds>,
    /// When the watchdog of the process data interface expires.
    pdi_watchdog_until: Option<Nanoseconds>,
    pub(super) sync0_lost: bool,
    sync0_missing: u16,
}

impl SubDevice {
    /// Something goes wrong from now on.
    pub(in super::super) fn inject(&mut self, fault: SubDeviceFault, now: Nanoseconds) {
        match fault {
            SubDeviceFault::WorkingCounter { count, offset } => {
                self.disturbances.working_counter = (count, offset);
            }
            SubDeviceFault::ShownStatus(status) => {
                self.disturbances.shown = status;
                let shown = self.shown_status();
                self.esc.show_al_status(shown.register(), shown.code);
            }
            SubDeviceFault::SlowTransitions { delay } => self.disturbances.transition_delay = delay,
            SubDeviceFault::Identity { number, value } => self.esc.sii.set_number(number, value),
            SubDeviceFault::Hang { lasts } => {
                self.disturbances.hung_until = Some(now.plus(lasts));
                let count = u64::from(self.esc.register_u16(register::WATCHDOG_PDI));
                let divider = u64::from(self.esc.register_u16(register::WATCHDOG_DIVIDER)) + 2;
                let time = Nanoseconds(divider * 40 * count);
                self.disturbances.pdi_watchdog_until = (count > 0).then_some(now.plus(time));
            }
            SubDeviceFault::Sync0Lost { lost } => {
                self.disturbances.sync0_lost = lost;
                self.disturbances.sync0_missing = 0;
            }
            SubDeviceFault::ClockDifference { by_ns } => self.esc.clock_faults.difference_ns = by_ns,
            SubDeviceFault::ClockJitter { up_to_ns } => {
                let random = self.random.clone();
                self.esc.clock_faults.jitter = (up_to_ns > 0).then_some((up_to_ns, random));
            }
            SubDeviceFault::NarrowClock => self.esc.narrow_clock(),
            // Matters of the line, not of one device.
            SubDeviceFault::Bridged { .. }
            | SubDeviceFault::ChangePlaces { .. }
            | SubDeviceFault::Doubled => {}
        }
    }

    /// The mailbox misbehaves. Returns false when there is none.
    pub(in super::super) fn inject_into_mailbox(&mut self, fault: MailboxFault, now: Nanoseconds) -> bool {
        let Some(mailbox) = &mut self.mailbox else { return false };
        mailbox.faults.inject(fault, now);
        self.mailbox_touched(0, now);
        true
    }

    /// Another device of the same type, at power-on.
    pub(in super::super) fn double(&mut self, now: Nanoseconds) -> Self {
        let seed = self.random.next();
        let mut double = Self::new(self.simulated.clone(), 0, seed, 0);
        double.power_on(now);
        double
    }

    /// By how much this device falsifies the working counter of this frame.
    pub(in super::super) const fn take_count_offset(&mut self) -> i16 {
        let (count, offset) = self.disturbances.working_counter;
        self.disturbances.working_counter.0 = count.saturating_sub(1);
        if count > 0 { offset } else { 0 }
    }

    /// AL status as it is shown.
    pub(super) fn shown_status(&self) -> AlStatus {
        self.disturbances.shown.unwrap_or(self.status)
    }

    /// AL control was written: at once, or when a slow device has come so far.
    pub(super) fn al_control_requested(&mut self, now: Nanoseconds) {
        if self.disturbances.transition_delay.0 == 0 {
            self.al_control_written(now);
        } else {
            self.disturbances.transition_due = Some(now.plus(self.disturbances.transition_delay));
        }
    }

    pub(super) fn advance_transition(&mut self, now: Nanoseconds) {
        if self.disturbances.transition_due.take_if(|due| now >= *due).is_some() {
            self.al_control_written(now);
        }
    }

    /// Answers that are late, emergencies that come by themselves.
    pub(super) fn advance_mailbox(&mut self, now: Nanoseconds) {
        if self.mailbox.as_ref().is_some_and(|mailbox| mailbox.faults.is_due(now)) {
            self.mailbox_touched(0, now);
        }
    }

    /// True while the processor hangs; what runs in the ESC by itself goes on.
    pub(super) fn hangs(&mut self, now: Nanoseconds) -> bool {
        let Some(until) = self.disturbances.hung_until else { return false };
        if let Some(clock) = &mut self.esc.clock {
            clock.advance(now);
        }
        let expired = self.disturbances.pdi_watchdog_until.take_if(|watchdog| now >= *watchdog);
        if expired.is_some() {
            self.esc.count_watchdog_expiry(Watchdog::ProcessDataInterface);
            self.esc.show_application(false);
        }
        if now < until {
            return true;
        }
        self.disturbances.hung_until = None;
        self.disturbances.pdi_watchdog_until = None;
        self.esc.show_application(true);
        self.handle_events(now);
        false
    }

    /// A SYNC0 pulse was due; true when it is lost.
    pub(super) const fn misses_sync0(&mut self) -> bool {
        if self.disturbances.sync0_lost {
            self.disturbances.sync0_missing = self.disturbances.sync0_missing.saturating_add(1);
        }
        self.disturbances.sync0_lost
    }

    /// Gives up when SYNC0 stays away.
    pub(super) fn check_sync0(&mut self, now: Nanoseconds) {
        let is_missed = self.disturbances.sync0_missing >= SYNC0_MISSING_MAX;
        if is_missed && self.is_synchronised && self.status.state == AlState::Op {
            self.fall_to(AlState::SafeOp, code::FATAL_SYNC_ERROR, now);
        }
    }
}
