//! Power drive system state machine of the simulated drive: which controlword leads where (IEC 61800-7-201,
//! figure "Power drive system FSA"; ETG.6010).
//!
//! ```text
//!  0 ──→ NotReady ──1→ SwitchOnDisabled ──2→ ReadyToSwitchOn ──3→ SwitchedOn ──4→ OperationEnabled
//!                            ↑  ↑  ↑  └──────7─────┘  └────6──────┘   └────5─────┘   │ 11     ↑ 16
//!                            │  │  └───────────────10────────────────┘               ↓        │
//!                            │  └──9 (from OperationEnabled)          12─── QuickStopActive ──┘
//!                            15
//!  any ──13→ FaultReactionActive ──14→ Fault
//! ```

use crate::devices::objects;

/// State of the drive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DriveState {
    /// Self-test.
    NotReady,
    /// Initialised; may not be switched on.
    #[default]
    SwitchOnDisabled,
    /// May be switched on.
    ReadyToSwitchOn,
    /// Power stage on, no torque.
    SwitchedOn,
    /// Follows its setpoints.
    OperationEnabled,
    /// Stops, or has stopped, on the quick stop ramp.
    QuickStopActive,
    /// Stops because of a fault.
    FaultReactionActive,
    /// Without torque because of a fault.
    Fault,
}

impl DriveState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::NotReady,
        Self::SwitchOnDisabled,
        Self::ReadyToSwitchOn,
        Self::SwitchedOn,
        Self::OperationEnabled,
        Self::QuickStopActive,
        Self::FaultReactionActive,
        Self::Fault,
    ];

    /// Statusword bits 0 to 3, 5 and 6.
    pub(super) const fn statusword(self) -> u16 {
        use objects as o;
        match self {
            Self::NotReady => 0,
            Self::SwitchOnDisabled => o::STATUS_SWITCH_ON_DISABLED,
            Self::ReadyToSwitchOn => o::STATUS_READY_TO_SWITCH_ON | o::STATUS_QUICK_STOP,
            Self::SwitchedOn => o::STATUS_READY_TO_SWITCH_ON | o::STATUS_SWITCHED_ON | o::STATUS_QUICK_STOP,
            Self::OperationEnabled => {
                o::STATUS_READY_TO_SWITCH_ON
                    | o::STATUS_SWITCHED_ON
                    | o::STATUS_OPERATION_ENABLED
                    | o::STATUS_QUICK_STOP
            }
            Self::QuickStopActive => {
                o::STATUS_READY_TO_SWITCH_ON | o::STATUS_SWITCHED_ON | o::STATUS_OPERATION_ENABLED
            }
            Self::FaultReactionActive => {
                o::STATUS_READY_TO_SWITCH_ON
                    | o::STATUS_SWITCHED_ON
                    | o::STATUS_OPERATION_ENABLED
                    | o::STATUS_FAULT
            }
            Self::Fault => o::STATUS_FAULT,
        }
    }
}

/// Command of a controlword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    DisableVoltage,
    QuickStop,
    Shutdown,
    /// Also "disable operation": the same bits.
    SwitchOn,
    EnableOperation,
    FaultReset,
    /// Bit 7 is still set: nothing but the two stops is obeyed.
    None,
}

impl Command {
    /// The command of `controlword` when `previous` was received before it.
    pub(super) const fn of(controlword: u16, previous: u16) -> Self {
        if controlword & !previous & objects::CONTROL_FAULT_RESET != 0 {
            return Self::FaultReset;
        }
        if controlword & objects::CONTROL_ENABLE_VOLTAGE == 0 {
            return Self::DisableVoltage;
        }
        if controlword & objects::CONTROL_QUICK_STOP == 0 {
            return Self::QuickStop;
        }
        if controlword & objects::CONTROL_FAULT_RESET != 0 {
            return Self::None;
        }
        match (
            controlword & objects::CONTROL_SWITCH_ON != 0,
            controlword & objects::CONTROL_ENABLE_OPERATION != 0,
        ) {
            (false, _) => Self::Shutdown,
            (true, false) => Self::SwitchOn,
            (true, true) => Self::EnableOperation,
        }
    }
}

/// What the inside of the drive allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conditions {
    /// The power stage is supplied.
    pub(super) voltage: bool,
    /// Safe torque off is not active.
    pub(super) torque_allowed: bool,
    /// Quick stop option code 5 to 8: the drive stays in QuickStopActive and may be enabled again.
    pub(super) stays_in_quick_stop: bool,
    /// The cause of the fault is gone.
    pub(super) fault_gone: bool,
}

/// The numbered transition a command leads to, and the state behind it; `None`: nothing happens.
pub(super) const fn transition(
    state: DriveState,
    command: Command,
    conditions: Conditions,
) -> Option<(u8, DriveState)> {
    use DriveState as S;
    let may_enable = conditions.voltage && conditions.torque_allowed;
    match (state, command) {
        (S::SwitchOnDisabled, Command::Shutdown) if conditions.torque_allowed => {
            Some((2, S::ReadyToSwitchOn))
        }
        (S::ReadyToSwitchOn, Command::SwitchOn | Command::EnableOperation) if may_enable => {
            Some((3, S::SwitchedOn))
        }
        (S::ReadyToSwitchOn, Command::DisableVoltage | Command::QuickStop) => Some((7, S::SwitchOnDisabled)),
        (S::SwitchedOn, Command::EnableOperation) if may_enable => Some((4, S::OperationEnabled)),
        (S::SwitchedOn, Command::Shutdown) => Some((6, S::ReadyToSwitchOn)),
        (S::SwitchedOn, Command::DisableVoltage | Command::QuickStop) => Some((10, S::SwitchOnDisabled)),
        (S::OperationEnabled, Command::SwitchOn) => Some((5, S::SwitchedOn)),
        (S::OperationEnabled, Command::Shutdown) => Some((8, S::ReadyToSwitchOn)),
        (S::OperationEnabled, Command::DisableVoltage) => Some((9, S::SwitchOnDisabled)),
        (S::OperationEnabled, Command::QuickStop) => Some((11, S::QuickStopActive)),
        (S::QuickStopActive, Command::DisableVoltage) => Some((12, S::SwitchOnDisabled)),
        (S::QuickStopActive, Command::EnableOperation) if conditions.stays_in_quick_stop && may_enable => {
            Some((16, S::OperationEnabled))
        }
        (S::Fault, Command::FaultReset) if conditions.fault_gone => Some((15, S::SwitchOnDisabled)),
        (
            S::NotReady
            | S::SwitchOnDisabled
            | S::ReadyToSwitchOn
            | S::SwitchedOn
            | S::OperationEnabled
            | S::QuickStopActive
            | S::FaultReactionActive
            | S::Fault,
            Command::DisableVoltage
            | Command::QuickStop
            | Command::Shutdown
            | Command::SwitchOn
            | Command::EnableOperation
            | Command::FaultReset
            | Command::None,
        ) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    const READY: Conditions =
        Conditions { voltage: true, torque_allowed: true, stays_in_quick_stop: false, fault_gone: true };

    fn table(conditions: Conditions) -> String {
        let words = [0x0000, 0x0002, 0x0006, 0x0007, 0x000F, 0x0080, 0x0086, 0x008F];
        let mut table = String::new();
        for state in DriveState::ALL {
            write!(table, "{state:?}:").unwrap();
            for word in words {
                let answer = transition(state, Command::of(word, 0), conditions);
                let answer = answer.map_or_else(|| "-".to_owned(), |(number, to)| format!("{number}→{to:?}"));
                write!(table, " {word:#06x} {answer};").unwrap();
            }
            table.push('\n');
        }
        table
    }

    #[test]
    fn every_state_and_controlword_has_its_transition() {
        insta::assert_snapshot!("ready", table(READY));
    }

    #[test]
    fn without_voltage_nothing_is_switched_on() {
        insta::assert_snapshot!("no_voltage", table(Conditions { voltage: false, ..READY }));
    }

    #[test]
    fn with_safe_torque_off_nothing_leaves_switch_on_disabled() {
        insta::assert_snapshot!("safe_torque_off", table(Conditions { torque_allowed: false, ..READY }));
    }

    #[test]
    fn a_quick_stop_that_stays_can_be_left_to_operation_enabled() {
        let stays = Conditions { stays_in_quick_stop: true, ..READY };
        assert_eq!(
            transition(DriveState::QuickStopActive, Command::EnableOperation, stays),
            Some((16, DriveState::OperationEnabled))
        );
    }

    #[test]
    fn a_fault_is_reset_by_the_rising_edge_only() {
        assert_eq!(Command::of(0x0080, 0x0000), Command::FaultReset);
        assert_eq!(Command::of(0x0086, 0x0086), Command::None);
        assert_eq!(Command::of(0x0080, 0x0080), Command::DisableVoltage);
        let lasting = Conditions { fault_gone: false, ..READY };
        assert_eq!(transition(DriveState::Fault, Command::FaultReset, lasting), None);
    }
}
