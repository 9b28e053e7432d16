//! AL state machine of a SubDevice: what is checked before a state is granted, and what follows from it.

use crate::units::Nanoseconds;

use super::super::al_state::{AlState, AlStatus, Decision, code, decide};
use super::super::clock::SYNC0_CYCLE_MIN_NS;
use super::super::esc::register;
use super::super::mailbox;
use super::super::process_data::{Mapping, PlannedSyncManager};
use super::{Application, Direction, SubDevice};

/// How long a device waits in SAFE-OP for outputs and SYNC0 after OP was requested.
const OP_TIMEOUT: Nanoseconds = Nanoseconds(5_000_000_000);
/// Bit 5 of AL control: the identification is asked for; of AL status: it is shown.
const ID_REQUEST: u16 = 1 << 5;
/// Shortest and longest SYNC0 cycle the devices accept, ns.
const SYNC0_CYCLE_NS: std::ops::RangeInclusive<u32> = SYNC0_CYCLE_MIN_NS..=100_000_000;

impl SubDevice {
    pub(super) fn al_control_written(&mut self, now: Nanoseconds) {
        let control = self.esc.register_u16(register::AL_CONTROL);
        self.shows_id = control & ID_REQUEST != 0;
        match decide(self.status, control) {
            Decision::Ignored => {}
            Decision::Stays => {
                self.op_wanted_until = None;
                self.show_status(AlStatus { state: self.status.state, ..AlStatus::default() });
            }
            Decision::Refused(code) => self.refuse(code),
            Decision::Wanted(target) => self.transition_wanted(target, now),
        }
    }

    fn transition_wanted(&mut self, target: AlState, now: Nanoseconds) {
        let injected = self.refused.filter(|(state, _)| *state == target).map(|(_, code)| code);
        if let Some(code) = injected {
            self.refuse(code);
            return;
        }
        let from = self.status.state;
        if from == AlState::PreOp && target == AlState::SafeOp {
            self.take_over_mapping();
        }
        if let Err(code) = self.check(target) {
            self.refuse(code);
            return;
        }
        if target == AlState::Op {
            self.status.error = false;
            self.status.code = code::NONE;
            self.show_status(self.status);
            self.outputs_seen = false;
            self.sync0_seen = false;
            self.op_wanted_until = Some(now.plus(OP_TIMEOUT));
            self.grant_op(now);
            return;
        }
        self.leave_op(now);
        self.enter(target);
    }

    /// Grants OP when outputs and SYNC0 are there; gives up when they do not come.
    pub(super) fn grant_op(&mut self, now: Nanoseconds) {
        let Some(until) = self.op_wanted_until else { return };
        let is_synchronised = self.esc.sync0.is_wanted();
        let has_outputs = self.outputs.bytes == 0 || self.outputs_seen;
        let has_sync0 = !is_synchronised || self.sync0_seen;
        if has_outputs && has_sync0 {
            self.op_wanted_until = None;
            self.is_synchronised = is_synchronised;
            self.missed_in_a_row = 0;
            self.show_status(AlStatus { state: AlState::Op, ..AlStatus::default() });
            if self.outputs.bytes > 0 {
                self.trigger_watchdog(now);
            }
        } else if now >= until {
            self.op_wanted_until = None;
            self.refuse(if has_sync0 { code::NO_VALID_OUTPUTS } else { code::NO_SYNC_ERROR });
        }
    }

    /// Outputs are not valid any more.
    fn leave_op(&mut self, now: Nanoseconds) {
        self.op_wanted_until = None;
        if self.status.state != AlState::Op {
            return;
        }
        match &mut self.application {
            Application::Drive(servos) => servos.iter_mut().for_each(|servo| servo.outputs_lost(now)),
            Application::Terminal(terminal) => terminal.switch_off(),
        }
    }

    pub(super) fn enter(&mut self, state: AlState) {
        for manager in [self.outputs.manager, self.inputs.manager].into_iter().flatten() {
            self.esc.set_manager_disabled(manager, state < AlState::SafeOp);
        }
        if let Some(mailbox) = &mut self.mailbox {
            for manager in [mailbox::OUT, mailbox::IN] {
                self.esc.set_manager_disabled(manager, state == AlState::Init);
            }
            if state == AlState::Init {
                mailbox.reset();
            }
        }
        if state < AlState::SafeOp {
            self.watchdog_until = None;
            self.is_synchronised = false;
        }
        self.show_status(AlStatus { state, ..AlStatus::default() });
        self.send_inputs();
    }

    fn refuse(&mut self, code: u16) {
        self.show_status(AlStatus { state: self.status.state, error: true, code });
    }

    /// Leaves the state by itself.
    pub(in super::super) fn fall_to(&mut self, state: AlState, code: u16, now: Nanoseconds) {
        self.leave_op(now);
        if state < self.status.state && state < AlState::SafeOp {
            self.enter(state);
        }
        self.show_status(AlStatus { state: self.status.state.min(state), error: true, code });
    }

    fn show_status(&mut self, status: AlStatus) {
        self.status = status;
        let shown = self.shown_status();
        // Asked for, the explicit device identification stands in place of the code (ETG.1020, 0x0120 bit 5).
        if self.shows_id && !shown.error {
            self.esc.show_al_status(shown.register() | ID_REQUEST, self.esc.sii.alias());
        } else {
            self.esc.show_al_status(shown.register(), shown.code);
        }
    }

    /// Injects a refusal of a state; code zero: granted again.
    pub(in super::super) fn set_refused(&mut self, state: AlState, code: u16) {
        self.refused = (code != 0).then_some((state, code));
    }

    fn take_over_mapping(&mut self) {
        let device = &self.simulated.device;
        let (outputs, inputs) = if self.mailbox.is_some() {
            let assignment = |direction: &Direction| 0x1C10 + direction.manager.unwrap_or(0) as u16;
            (
                self.dictionary.mapping(assignment(&self.outputs)),
                self.dictionary.mapping(assignment(&self.inputs)),
            )
        } else {
            (Mapping::of(&device.outputs), Mapping::of(&device.inputs))
        };
        self.outputs.bytes = outputs.bytes();
        self.inputs.bytes = inputs.bytes();
        match &mut self.application {
            Application::Drive(servos) => {
                servos.iter_mut().for_each(|servo| servo.set_mapping(&outputs, &inputs));
            }
            Application::Terminal(terminal) => terminal.set_mapping(&outputs, &inputs),
        }
    }

    /// Are the settings right for this state? The AL status code if not.
    fn check(&self, target: AlState) -> Result<(), u16> {
        let from = self.status.state;
        if target >= AlState::PreOp && target > from {
            self.check_mailbox()?;
        }
        if target >= AlState::SafeOp && target > from {
            self.check_process_data()?;
        }
        Ok(())
    }

    fn check_mailbox(&self) -> Result<(), u16> {
        let is_right = self.mailbox.is_none()
            || [mailbox::OUT, mailbox::IN].into_iter().all(|index| {
                self.plan
                    .all()
                    .get(index)
                    .is_some_and(|planned| self.is_as_planned(index, planned, usize::from(planned.length)))
            });
        if is_right { Ok(()) } else { Err(code::INVALID_MAILBOX) }
    }

    fn is_as_planned(&self, index: usize, planned: &PlannedSyncManager, bytes: usize) -> bool {
        let manager = self.esc.manager(index);
        manager.is_activated()
            && manager.start() == usize::from(planned.start)
            && manager.length() == bytes
            && manager.mode() == planned.control & 0x0F
    }

    fn check_process_data(&self) -> Result<(), u16> {
        for (direction, error) in [(self.outputs, code::INVALID_OUTPUTS), (self.inputs, code::INVALID_INPUTS)]
        {
            let Some(index) = direction.manager else { continue };
            let planned = self.plan.all().get(index);
            let is_right = if direction.bytes == 0 {
                !self.esc.manager(index).is_activated()
            } else {
                planned.is_some_and(|planned| self.is_as_planned(index, planned, direction.bytes))
            };
            if !is_right {
                return Err(error);
            }
        }
        let sync0 = &self.esc.sync0;
        if sync0.is_cyclic() {
            if !sync0.is_wanted() {
                return Err(code::INVALID_DC_SYNC);
            }
            if !SYNC0_CYCLE_NS.contains(&sync0.cycle_ns) {
                return Err(code::INVALID_DC_CYCLE);
            }
            // A watchdog shorter than the cycle it watches expires in every cycle.
            if self.watchdog_time().is_some_and(|time| time.0 < u64::from(sync0.cycle_ns)) {
                return Err(code::INVALID_WATCHDOG);
            }
        }
        Ok(())
    }

    pub(super) fn managers_still_work(&self) -> bool {
        [self.outputs, self.inputs].into_iter().all(|direction| {
            let manager = direction.manager.filter(|_| direction.bytes > 0);
            manager.is_none_or(|index| self.esc.manager(index).is_activated())
        })
    }
}
