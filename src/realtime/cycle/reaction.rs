//! The reaction to a fault, from its first cycle to drives that are off.

use super::Cycle;
use crate::boundary::event_queue::EventKind;
use crate::drives::cia402::DriveGoal;
use crate::faults::{FaultCode, Reaction};
use crate::machine::MachineState;
use crate::realtime::fault_reaction::reaction;
use crate::realtime::machine_state::{MachineEvent, on};
use crate::realtime::supervision::Finding;

/// Longest time a quick stop or a switching off may take before the fault counts as reacted to, s.
const REACTION_TIMEOUT_S: f64 = 3.0;
/// Speed below which a joint counts as standing after a quick stop, rad/s.
const STANDING_SPEED: f64 = 1e-3;
/// Time a joint must stand before a quick stop counts as done, s.
const STANDING_TIME_S: f64 = 0.05;

impl Cycle {
    /// Latches a fault and starts its reaction, unless a stronger one is under way.
    pub(super) fn raise(&mut self, finding: Finding) {
        let fault = self.fault_of(finding, reaction(finding.code));
        if let (FaultCode::PositionJump, Some(drive)) = (fault.code, fault.place) {
            self.quick_stops |= 1_u32.checked_shl(u32::from(drive)).unwrap_or(0);
        }
        let bit = FaultCode::ALL.iter().position(|code| *code == fault.code).map_or(0, |at| 1_u64 << at);
        if self.reported & bit == 0 {
            self.reported |= bit;
            self.publish(EventKind::Fault(fault));
        }
        self.latched.get_or_insert(fault);
        let in_reaction = self.state == MachineState::FaultReaction;
        if in_reaction && fault.reaction <= self.reaction {
            // A joint stop that cannot go on is replaced by the drives' own.
            if Self::is_gate_code(fault.code) {
                self.reaction = self.reaction.max(Reaction::QuickStop);
                self.gives_way = true;
            }
            return;
        }
        if self.state == MachineState::Fault {
            return;
        }
        let event = match fault.reaction {
            Reaction::RideThrough => return,
            Reaction::PathHold => MachineEvent::PathHoldFault,
            Reaction::JointStop | Reaction::QuickStop | Reaction::TorqueOff => MachineEvent::StopFault,
        };
        if event == MachineEvent::StopFault {
            self.reaction = self.reaction.max(fault.reaction);
            self.gives_way |= fault.code == FaultCode::CycleStall;
            self.outputs = self.settings.safe_outputs;
        }
        self.apply(on(self.state, event, self.disable_next));
    }

    const fn is_gate_code(code: FaultCode) -> bool {
        matches!(
            code,
            FaultCode::SetpointNotFinite
                | FaultCode::SetpointPosition
                | FaultCode::SetpointSpeed
                | FaultCode::SetpointAcceleration
        )
    }

    pub(super) fn is_reaction_done(&mut self) -> bool {
        let torque = self.drives.any_torque();
        if !torque {
            self.condition_s += self.dt_s;
        }
        (!torque && self.condition_s >= self.settings.brake_close_s) || self.in_state_s > REACTION_TIMEOUT_S
    }

    pub(super) fn drive_goal(&mut self) -> DriveGoal {
        match self.state {
            MachineState::Disabled | MachineState::Disabling | MachineState::Fault => DriveGoal::Off,
            MachineState::Enabling
            | MachineState::Ready
            | MachineState::Executing
            | MachineState::Holding
            | MachineState::Held
            | MachineState::Stopping => DriveGoal::On,
            MachineState::FaultReaction => match self.reaction {
                Reaction::RideThrough | Reaction::PathHold | Reaction::JointStop => {
                    let stands = self.joint_stop.is_none_or(|stop| stop.is_standing());
                    if stands && (self.quick_stops == 0 || self.has_quick_stop_ended()) {
                        DriveGoal::Off
                    } else {
                        DriveGoal::StayOn
                    }
                }
                Reaction::QuickStop => {
                    if self.has_quick_stop_ended() {
                        DriveGoal::Off
                    } else {
                        DriveGoal::QuickStop
                    }
                }
                Reaction::TorqueOff => DriveGoal::Off,
            },
        }
    }

    /// True once every joint has stood for a while, or cannot be waited for any longer.
    fn has_quick_stop_ended(&mut self) -> bool {
        let speed = (*self.drives.q_actual() - *self.drives.q_previous()) * (1.0 / self.dt_s);
        // Standing is believed of fresh positions only.
        if self.drives.is_fresh() && speed.max_abs() < STANDING_SPEED {
            self.standing_s += self.dt_s;
        }
        self.standing_s > STANDING_TIME_S || self.in_state_s > 0.5 * REACTION_TIMEOUT_S
    }
}
