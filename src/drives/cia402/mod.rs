//! CiA 402 (IEC 61800-7-201) as the controller sees it: which state a statusword means, and which
//! controlword leads from there to where the machine wants the drive.
//!
//! ```text
//!            ┌─────────────────────── Fault ←── FaultReactionActive ←── (any state, on a fault)
//!            │ fault reset (edge of bit 7)
//!            ↓
//!   SwitchOnDisabled ──shutdown→ ReadyToSwitchOn ──switch on→ SwitchedOn ──enable→ OperationEnabled
//!            ↑                                                                          │ quick stop
//!            └──────────────────────── disable voltage ──────────── QuickStopActive ←───┘
//! ```

use crate::devices::objects::{
    CONTROL_ENABLE_OPERATION, CONTROL_ENABLE_VOLTAGE, CONTROL_FAULT_RESET, CONTROL_QUICK_STOP,
    CONTROL_SWITCH_ON,
};

/// State of a drive, from its statusword.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DriveState {
    /// Starting up.
    NotReadyToSwitchOn,
    /// No torque, power stage may be off.
    SwitchOnDisabled,
    /// No torque, power stage may be supplied.
    ReadyToSwitchOn,
    /// Power stage supplied, no torque.
    SwitchedOn,
    /// Follows the target.
    OperationEnabled,
    /// Stopping, or stopped, by quick stop.
    QuickStopActive,
    /// Reacting to a fault.
    FaultReactionActive,
    /// Faulted, no torque.
    Fault,
}

impl DriveState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::NotReadyToSwitchOn,
        Self::SwitchOnDisabled,
        Self::ReadyToSwitchOn,
        Self::SwitchedOn,
        Self::OperationEnabled,
        Self::QuickStopActive,
        Self::FaultReactionActive,
        Self::Fault,
    ];

    /// The state a statusword (0x6041) means; `None` for a pattern the standard does not define.
    #[must_use]
    pub const fn from_statusword(statusword: u16) -> Option<Self> {
        // CiA 402-2, statusword: bits 0-3 and 6 decide; bit 5 tells quick stop from enabled.
        match statusword & 0x6F {
            0x00 | 0x20 => Some(Self::NotReadyToSwitchOn),
            0x40 | 0x60 => Some(Self::SwitchOnDisabled),
            0x21 => Some(Self::ReadyToSwitchOn),
            0x23 => Some(Self::SwitchedOn),
            0x27 => Some(Self::OperationEnabled),
            0x07 => Some(Self::QuickStopActive),
            0x0F | 0x2F => Some(Self::FaultReactionActive),
            0x08 | 0x28 => Some(Self::Fault),
            _ => None,
        }
    }

    /// True while the drive can produce torque.
    #[must_use]
    pub const fn has_torque(self) -> bool {
        matches!(self, Self::OperationEnabled | Self::QuickStopActive | Self::FaultReactionActive)
    }
}

/// Where the machine wants a drive to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DriveGoal {
    /// Without torque.
    Off,
    /// Following its target.
    On,
    /// Following its target as long as it does: whatever has left "operation enabled" is led off and not
    /// switched on again. For stops after a fault.
    StayOn,
    /// Stopped by its own quick-stop ramp, then off.
    QuickStop,
}

/// The controlword that leads a drive from `state` one step towards `goal`.
///
/// `reset_edge` is the level of the fault-reset bit (bit 7), which matters in [`DriveState::Fault`]
/// only: the drive acts on its rising edge.
#[must_use]
pub const fn controlword(state: Option<DriveState>, goal: DriveGoal, reset_edge: bool) -> u16 {
    const DISABLE_VOLTAGE: u16 = 0;
    const SHUTDOWN: u16 = CONTROL_ENABLE_VOLTAGE | CONTROL_QUICK_STOP;
    const SWITCH_ON: u16 = SHUTDOWN | CONTROL_SWITCH_ON;
    const ENABLE: u16 = SWITCH_ON | CONTROL_ENABLE_OPERATION;
    const QUICK_STOP: u16 = CONTROL_ENABLE_VOLTAGE;

    let Some(state) = state else { return DISABLE_VOLTAGE };
    match (state, goal) {
        (DriveState::Fault, _) if reset_edge => CONTROL_FAULT_RESET,
        (DriveState::Fault | DriveState::FaultReactionActive | DriveState::NotReadyToSwitchOn, _) => {
            DISABLE_VOLTAGE
        }
        (DriveState::SwitchOnDisabled, DriveGoal::On) => SHUTDOWN,
        (DriveState::ReadyToSwitchOn, DriveGoal::On) => SWITCH_ON,
        (DriveState::SwitchedOn | DriveState::OperationEnabled, DriveGoal::On)
        | (DriveState::OperationEnabled, DriveGoal::StayOn) => ENABLE,
        (DriveState::OperationEnabled | DriveState::QuickStopActive, DriveGoal::QuickStop) => QUICK_STOP,
        // Out of operation through "disable operation", so that the drive's own ramp and brake
        // sequence run (0x605C) before the power stage goes off.
        (DriveState::OperationEnabled, DriveGoal::Off) => SWITCH_ON,
        (DriveState::SwitchedOn, DriveGoal::Off | DriveGoal::StayOn | DriveGoal::QuickStop) => SHUTDOWN,
        (DriveState::QuickStopActive, DriveGoal::On | DriveGoal::StayOn | DriveGoal::Off)
        | (DriveState::SwitchOnDisabled | DriveState::ReadyToSwitchOn, _) => DISABLE_VOLTAGE,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn every_state_and_every_goal_have_one_controlword() {
        let mut table = String::new();
        let states = DriveState::ALL.iter().map(|state| Some(*state)).chain([None]);
        for state in states {
            for goal in [DriveGoal::Off, DriveGoal::On, DriveGoal::StayOn, DriveGoal::QuickStop] {
                let name = state.map_or_else(|| "undefined".to_owned(), |state| format!("{state:?}"));
                let goal_name = format!("{goal:?}");
                writeln!(
                    table,
                    "{name:>20} {goal_name:>9}: {:#06x}, reset edge {:#06x}",
                    controlword(state, goal, false),
                    controlword(state, goal, true)
                )
                .unwrap();
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn every_statusword_means_at_most_one_state_and_the_upper_bits_do_not_matter() {
        for statusword in 0..=u16::MAX {
            assert_eq!(
                DriveState::from_statusword(statusword),
                DriveState::from_statusword(statusword & 0x6F),
                "statusword {statusword:#06x}"
            );
        }
        let defined = (0..128).filter(|&low| DriveState::from_statusword(low).is_some()).count();
        // Bits 4 does not count: twelve patterns of the six deciding bits, each with bit 4 on or off.
        assert_eq!(defined, 24);
    }
}
