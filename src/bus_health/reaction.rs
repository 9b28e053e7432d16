//! What a drive does when nobody speaks to it any more, or something else goes wrong: objects that a controller must
//! know before it lets the drive move. Source: CiA 402-2 (option codes), ETG.1020 (synchronisation errors).

use crate::devices::objects;

/// An option code of CiA 402.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionCode {
    /// Index of the object; subindex 0, i16.
    pub index: u16,
    /// Its key in a drive file.
    pub key: &'static str,
    /// Largest value the standard names.
    pub most: i16,
    /// What is wanted unless the drive file says otherwise.
    pub usual: i16,
}

/// Abort connection option code, i16.
const ABORT_CONNECTION_OPTION: u16 = 0x6007;

/// Every option code: stops go along a ramp and end without torque, and a lost connection is a fault.
pub const OPTION_CODES: [OptionCode; 6] = [
    OptionCode { index: ABORT_CONNECTION_OPTION, key: "abort_connection", most: 3, usual: 1 },
    OptionCode { index: objects::QUICK_STOP_OPTION, key: "quick_stop", most: 8, usual: 2 },
    OptionCode { index: objects::SHUTDOWN_OPTION, key: "shutdown", most: 1, usual: 0 },
    OptionCode { index: objects::DISABLE_OPERATION_OPTION, key: "disable_operation", most: 1, usual: 1 },
    OptionCode { index: objects::HALT_OPTION, key: "halt", most: 4, usual: 1 },
    OptionCode { index: objects::FAULT_REACTION_OPTION, key: "fault", most: 4, usual: 2 },
];

/// The value of each of [`OPTION_CODES`] that a drive must have; `None`: it has no such object.
pub type OptionCodeValues = [Option<i16>; OPTION_CODES.len()];

/// What every drive gets whose file says nothing.
#[must_use]
pub fn usual_option_codes() -> OptionCodeValues {
    OPTION_CODES.map(|code| Some(code.usual))
}

/// Synchronisation error settings; subindex 2: the counter at which the drive gives up. Each cycle without a frame
/// adds 3, each with one takes 1 away.
pub const SYNC_ERROR_SETTING: u16 = 0x10F1;
/// Subindex of the limit.
pub const SYNC_ERROR_LIMIT: u8 = 2;
/// What a missed frame adds to the counter.
pub const SYNC_ERROR_STEP: u32 = 3;

/// What must be found at an object before OP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReactionRule {
    /// This value, as a signed number.
    Equal(i32),
    /// This value or less, and not zero; the device need not have the object.
    AtMost(i32),
}

/// An object that is read, written when it is not what it must be, and read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// Index.
    pub index: u16,
    /// Subindex.
    pub subindex: u8,
    /// What it must be.
    pub rule: ReactionRule,
}

impl ReactionRule {
    /// The value that is written.
    #[must_use]
    pub const fn wanted(self) -> i32 {
        match self {
            Self::Equal(value) | Self::AtMost(value) => value,
        }
    }

    /// True when `found` will do.
    #[must_use]
    pub const fn is_kept_by(self, found: i32) -> bool {
        match self {
            Self::Equal(value) => found == value,
            Self::AtMost(value) => found > 0 && found <= value,
        }
    }

    /// True when a device without the object will do.
    #[must_use]
    pub const fn may_be_missing(self) -> bool {
        matches!(self, Self::AtMost(_))
    }
}

/// How far an axis goes when the controller dies at full speed, in the unit of its joint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Travel {
    /// Until the drive notices: it goes on at its speed.
    pub unnoticed: f64,
    /// Until it stands.
    pub total: f64,
}

/// Largest travel from `speed` on: unchanged for `notices_after_s`, then slowed down by `deceleration`.
#[must_use]
pub fn worst_travel(speed: f64, deceleration: f64, notices_after_s: f64) -> Travel {
    let unnoticed = speed * notices_after_s;
    Travel { unnoticed, total: unnoticed + 0.5 * speed * speed / deceleration }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_travel_is_that_of_the_reference_table() {
        // 180 °/s, 600 °/s², 10 ms.
        let Travel { unnoticed, total } = worst_travel(180.0, 600.0, 0.010);
        assert!((unnoticed - 1.8).abs() < 1e-12 && (total - 28.8).abs() < 1e-12, "{unnoticed} {total}");
    }

    #[test]
    fn rules_are_kept_by_what_they_say() {
        let (equal, most) = (ReactionRule::Equal(-2), ReactionRule::AtMost(30));
        assert!(equal.is_kept_by(-2) && !equal.is_kept_by(2) && !equal.may_be_missing());
        assert!(most.is_kept_by(30) && most.is_kept_by(1) && !most.is_kept_by(0) && !most.is_kept_by(31));
    }
}
