//! Application layer state machine: which requests are granted, refused or ignored (ETG.1000.6, AL control and
//! AL status).

/// State of a SubDevice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum AlState {
    /// No communication but registers.
    #[default]
    Init = 1,
    /// Mailbox works.
    PreOp = 2,
    /// Firmware update; the simulated devices have none.
    Bootstrap = 3,
    /// Inputs are valid, outputs are safe.
    SafeOp = 4,
    /// Outputs are applied.
    Op = 8,
}

impl AlState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Init, Self::PreOp, Self::Bootstrap, Self::SafeOp, Self::Op];

    /// Its name as the standard writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::PreOp => "PREOP",
            Self::Bootstrap => "BOOT",
            Self::SafeOp => "SAFEOP",
            Self::Op => "OP",
        }
    }

    /// The state with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Init),
            2 => Some(Self::PreOp),
            3 => Some(Self::Bootstrap),
            4 => Some(Self::SafeOp),
            8 => Some(Self::Op),
            _ => None,
        }
    }
}

/// AL status code (ETG.1020): why a transition was refused or a state was left.
pub(super) mod code {
    pub(in super::super) const NONE: u16 = 0x0000;
    pub(in super::super) const INVALID_REQUEST: u16 = 0x0011;
    pub(in super::super) const UNKNOWN_STATE: u16 = 0x0012;
    pub(in super::super) const BOOTSTRAP_NOT_SUPPORTED: u16 = 0x0013;
    pub(in super::super) const INVALID_MAILBOX: u16 = 0x0016;
    pub(in super::super) const INVALID_SYNC_MANAGER: u16 = 0x0017;
    pub(in super::super) const NO_VALID_OUTPUTS: u16 = 0x0019;
    pub(in super::super) const SYNC_ERROR: u16 = 0x001A;
    pub(in super::super) const WATCHDOG: u16 = 0x001B;
    pub(in super::super) const INVALID_OUTPUTS: u16 = 0x001D;
    pub(in super::super) const INVALID_INPUTS: u16 = 0x001E;
    pub(in super::super) const INVALID_WATCHDOG: u16 = 0x001F;
    pub(in super::super) const FATAL_SYNC_ERROR: u16 = 0x002C;
    pub(in super::super) const NO_SYNC_ERROR: u16 = 0x002D;
    pub(in super::super) const INVALID_DC_SYNC: u16 = 0x0030;
    pub(in super::super) const INVALID_DC_CYCLE: u16 = 0x0035;
}

/// State, error bit and AL status code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlStatus {
    /// The state.
    pub state: AlState,
    /// The error bit: set until it is acknowledged.
    pub error: bool,
    /// AL status code; zero while there is no error.
    pub code: u16,
}

impl AlStatus {
    /// Register 0x0130.
    pub(super) const fn register(self) -> u16 {
        self.state as u16 | (self.error as u16) << 4
    }
}

/// What a write to AL control leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The error has to be acknowledged first: nothing changes.
    Ignored,
    /// The state stays; an error is acknowledged.
    Stays,
    /// Not a transition there is.
    Refused(u16),
    /// To be granted if the settings for it are right.
    Wanted(AlState),
}

/// Bit 4 of AL control.
const ACKNOWLEDGE: u16 = 1 << 4;

/// Decides about `control`, the value written to 0x0120, from the state alone.
pub(super) fn decide(status: AlStatus, control: u16) -> Decision {
    let number = (control & 0x0F) as u8;
    let from = status.state as u8;
    let acknowledged = control & ACKNOWLEDGE != 0;
    if status.error && !acknowledged && number >= from {
        return Decision::Ignored;
    }
    let Some(target) = AlState::from_number(number) else {
        return Decision::Refused(code::UNKNOWN_STATE);
    };
    match (status.state, target) {
        (_, AlState::Bootstrap) => Decision::Refused(code::BOOTSTRAP_NOT_SUPPORTED),
        (AlState::Init, AlState::SafeOp | AlState::Op) | (AlState::PreOp, AlState::Op) => {
            Decision::Refused(code::INVALID_REQUEST)
        }
        (AlState::Bootstrap, AlState::PreOp | AlState::SafeOp | AlState::Op) => {
            Decision::Refused(code::INVALID_REQUEST)
        }
        (from, target) if from == target => Decision::Stays,
        (
            AlState::Init | AlState::PreOp | AlState::Bootstrap | AlState::SafeOp | AlState::Op,
            AlState::Init | AlState::PreOp | AlState::SafeOp | AlState::Op,
        ) => Decision::Wanted(target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    #[test]
    fn every_state_and_request_has_its_answer() {
        let mut table = String::new();
        for state in AlState::ALL {
            for error in [false, true] {
                let status = AlStatus { state, error, code: 0 };
                write!(table, "{state:?}{}:", if error { "+error" } else { "" }).unwrap();
                for request in [0x0, 0x1, 0x2, 0x3, 0x4, 0x8, 0x11, 0x12, 0x14, 0x18] {
                    let answer = match decide(status, request) {
                        Decision::Ignored => "ignored".to_owned(),
                        Decision::Stays => "stays".to_owned(),
                        Decision::Refused(code) => format!("{code:#04x}"),
                        Decision::Wanted(state) => format!("{state:?}?"),
                    };
                    write!(table, " {request:#04x}→{answer}").unwrap();
                }
                table.push('\n');
            }
        }
        insta::assert_snapshot!(table);
    }
}
