//! The machine's state machine: one pure function of state and event.

use crate::machine::MachineState;

/// What can happen to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MachineEvent {
    /// Command: switch on.
    Enable,
    /// Command: switch off.
    Disable,
    /// Command: start a run.
    Start,
    /// Command: stop on the path, resumable.
    Hold,
    /// Command: go on.
    Resume,
    /// Command: stop on the path, discard the run.
    Stop,
    /// All drives follow their target and the brakes have had time to open.
    DrivesOn,
    /// No drive has torque and the brakes have had time to close.
    DrivesOff,
    /// The path stands still.
    Standing,
    /// The last piece of the run is done.
    RunCompleted,
    /// A fault whose reaction is a stop on the path.
    PathHoldFault,
    /// A fault whose reaction ends with torque off.
    StopFault,
    /// The reaction to a fault has ended with torque off.
    ReactionDone,
    /// The fault was acknowledged and no drive reports one any more.
    FaultCleared,
}

impl MachineEvent {
    /// Every event.
    pub const ALL: [Self; 14] = [
        Self::Enable,
        Self::Disable,
        Self::Start,
        Self::Hold,
        Self::Resume,
        Self::Stop,
        Self::DrivesOn,
        Self::DrivesOff,
        Self::Standing,
        Self::RunCompleted,
        Self::PathHoldFault,
        Self::StopFault,
        Self::ReactionDone,
        Self::FaultCleared,
    ];
}

/// What an event does to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Go there.
    To(MachineState),
    /// Nothing changes; the event is in order.
    Stay,
    /// The event is a command that is not possible in this state.
    Refused,
}

/// What `event` does in `state`. `disable_next` tells that a stop under way is to end switched off.
#[must_use]
pub const fn on(state: MachineState, event: MachineEvent, disable_next: bool) -> Transition {
    use MachineEvent as E;
    use MachineState as S;
    use Transition::{Refused, Stay, To};
    match (state, event) {
        // A fault that ends with torque off wins everywhere; without torque there is nothing to stop.
        (S::Disabled | S::Fault, E::StopFault) => To(S::Fault),
        (S::FaultReaction, E::StopFault) => Stay,
        (_, E::StopFault) => To(S::FaultReaction),
        (S::FaultReaction, E::ReactionDone) => To(S::Fault),
        (S::Fault, E::FaultCleared) => To(S::Disabled),

        (S::Disabled, E::Enable) => To(S::Enabling),
        (S::Enabling, E::DrivesOn) => To(S::Ready),
        (S::Ready | S::Enabling, E::Enable) => Stay,

        (S::Ready, E::Start) => To(S::Executing),
        (S::Executing, E::RunCompleted) => To(S::Ready),
        (S::Executing, E::Hold | E::PathHoldFault) => To(S::Holding),
        (S::Holding | S::Held, E::Hold | E::PathHoldFault) => Stay,
        (S::Holding, E::Standing) => To(S::Held),
        (S::Holding | S::Held, E::Resume) => To(S::Executing),
        (S::Executing, E::Resume) => Stay,

        (S::Executing | S::Holding | S::Held, E::Stop | E::Disable) => To(S::Stopping),
        (S::Stopping, E::Stop | E::Disable) => Stay,
        (S::Ready, E::Stop) => Stay,
        (S::Stopping, E::Standing) => To(if disable_next { S::Disabling } else { S::Ready }),

        (S::Ready | S::Enabling, E::Disable) => To(S::Disabling),
        (S::Disabled | S::Disabling | S::FaultReaction | S::Fault, E::Disable) => Stay,
        (S::Disabling, E::DrivesOff) => To(S::Disabled),

        (_, E::Enable | E::Start | E::Hold | E::Resume | E::Stop) => Refused,
        (
            _,
            E::DrivesOn
            | E::DrivesOff
            | E::Standing
            | E::RunCompleted
            | E::PathHoldFault
            | E::ReactionDone
            | E::FaultCleared,
        ) => Stay,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn every_state_and_every_event_have_one_transition() {
        let mut table = String::new();
        for state in MachineState::ALL {
            for event in MachineEvent::ALL {
                let plain = on(state, event, false);
                let disabling = on(state, event, true);
                let event_name = format!("{event:?}");
                write!(table, "{:>14} {event_name:<13} {plain:?}", state.name()).unwrap();
                if disabling != plain {
                    write!(table, "; on the way to disabled {disabling:?}").unwrap();
                }
                table.push('\n');
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn no_event_but_start_and_resume_leads_to_motion_on_a_path() {
        for state in MachineState::ALL {
            for event in MachineEvent::ALL {
                if on(state, event, false) == Transition::To(MachineState::Executing) {
                    assert!(
                        matches!(event, MachineEvent::Start | MachineEvent::Resume),
                        "{event:?} in {state:?} starts motion"
                    );
                }
            }
        }
    }

    #[test]
    fn a_latched_fault_is_left_by_acknowledgement_only() {
        for event in MachineEvent::ALL {
            let leaves = matches!(on(MachineState::Fault, event, false), Transition::To(next) if next != MachineState::Fault);
            assert_eq!(leaves, event == MachineEvent::FaultCleared, "{event:?}");
        }
    }
}
