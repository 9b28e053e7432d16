//! The acknowledgement of a fault: drives are reset, a bus that is not whole is brought up again, and a joint must be
//! where it was.

use super::{Cycle, CycleInputs};
use crate::boundary::event_queue::{EventKind, Refusal};
use crate::faults::{FaultCode, Reaction};
use crate::machine::MachineState;
use crate::positions::Distrust;
use crate::realtime::fault_reaction::reaction;
use crate::realtime::supervision::Finding;

/// Longest time drives may take to leave the fault state after an acknowledgement, s.
const RESET_TIMEOUT_S: f64 = 2.0;
/// Time after an acknowledgement until a SubDevice that is not in OP is brought up again, s.
const BRING_UP_AFTER_S: f64 = 0.005;
/// Distance a joint may have moved while its drive was away, rad or m, besides what it takes to stop: brakes give,
/// belts settle.
const READMISSION_DISTANCE: f64 = 0.01;
/// Time a drive may have gone on at its speed before it noticed that nobody speaks to it, s.
const UNSEEN_TIME_S: f64 = 0.02;

/// Whether an acknowledgement needs the bus to be brought up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BringUp {
    NotWanted,
    Wanted,
    /// It was, for this acknowledgement.
    Tried,
}

impl Cycle {
    /// True when the acknowledgement under way needs the bus to be brought up again.
    #[must_use]
    pub const fn wants_bring_up(&self) -> bool {
        matches!(self.bring_up, BringUp::Wanted)
    }

    /// The bus was brought up again, or could not be: then the acknowledgement is refused.
    pub fn brought_up(&mut self, success: bool) {
        self.bring_up = BringUp::Tried;
        self.bus.acknowledge();
        if success {
            self.resetting = self.resetting.map(|(id, _)| (id, 0.0));
            self.q_before_bring_up.get_or_insert_with(|| *self.drives.q_actual());
        } else {
            self.refuse_reset();
        }
    }

    /// Acknowledges a latched fault; in the fault state the drives are reset first.
    pub(super) fn acknowledge(&mut self, id: u32) {
        match self.state {
            MachineState::FaultReaction => {
                self.publish(EventKind::CommandRefused { id, refusal: Refusal::State(self.state) });
            }
            MachineState::Fault => {
                self.resetting = Some((id, 0.0));
                self.bring_up = BringUp::NotWanted;
            }
            MachineState::Disabled
            | MachineState::Enabling
            | MachineState::Ready
            | MachineState::Executing
            | MachineState::Holding
            | MachineState::Held
            | MachineState::Stopping
            | MachineState::Disabling => {
                self.clear_fault();
                self.publish(EventKind::CommandDone { id });
            }
        }
    }

    pub(super) fn clear_fault(&mut self) {
        self.latched = None;
        self.reported = 0;
        self.reaction = Reaction::RideThrough;
        self.joint_stop = None;
        self.quick_stops = 0;
        self.gives_way = false;
        self.resetting = None;
        self.bus.acknowledge();
    }

    /// Carries an acknowledgement on; true once no drive reports a fault and the stop chain is closed.
    pub(super) fn advance_reset(&mut self, inputs: &CycleInputs) -> bool {
        let Some((id, elapsed_s)) = self.resetting else { return false };
        let chain_closed = self.supervision.stop_input().is_none_or(|channel| inputs.channels.is_on(channel));
        let clear = inputs.exchange.is_fresh()
            && self.drives.is_fresh()
            && self.drives.first_faulted().is_none()
            && chain_closed;
        if clear {
            if let Some(finding) = self.implausible_position() {
                // Told and refused once; after a second acknowledgement the joint has to be mastered or confirmed.
                if let Some(joint) = finding.place {
                    self.positions.lose(usize::from(joint), Distrust::Moved);
                }
                self.publish(EventKind::Fault(self.fault_of(finding, reaction(finding.code))));
                self.refuse_reset();
                return false;
            }
            self.publish(EventKind::CommandDone { id });
            return true;
        }
        self.resetting = Some((id, elapsed_s + self.dt_s));
        let bus_is_whole = inputs.exchange.received && inputs.exchange.first_not_operational().is_none();
        if elapsed_s > BRING_UP_AFTER_S && !bus_is_whole && self.bring_up == BringUp::NotWanted {
            self.bring_up = BringUp::Wanted;
        }
        if elapsed_s > RESET_TIMEOUT_S {
            self.refuse_reset();
        }
        false
    }

    /// After a bring-up: the first joint that is not where it was.
    fn implausible_position(&mut self) -> Option<Finding> {
        let before = self.q_before_bring_up.take()?;
        let q = self.drives.q_actual();
        (0..q.len()).find_map(|joint| {
            let moved = (q.get(joint) - before.get(joint)).abs();
            let speed = self.speed_at_fault.get(joint).abs();
            let deceleration = self.settings.limits.as_slice().get(joint)?.acceleration_max;
            let limit = READMISSION_DISTANCE + speed * (UNSEEN_TIME_S + 0.5 * speed / deceleration);
            (moved > limit).then(|| Finding {
                code: FaultCode::PositionJump,
                place: u8::try_from(joint).ok(),
                value: moved,
                limit,
            })
        })
    }

    fn refuse_reset(&mut self) {
        let Some((id, _)) = self.resetting.take() else { return };
        self.publish(EventKind::CommandRefused { id, refusal: Refusal::State(self.state) });
        if let Some(fault) = self.latched {
            self.publish(EventKind::Fault(fault));
        }
    }
}
