//! What is known of where the joints are: the reference of each drive's counter, and whether it can be relied on.
//! Data that both sides use; the record on disk is the business of `mastering`.

use crate::devices::Identity;
use crate::joints::{JointVector, MAX_JOINTS};

/// Why the position of a joint is not relied on. Until it is referenced again no job is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Distrust {
    /// There is no record of an earlier mastering, and the cell file does not vouch for its offsets.
    NoRecord,
    /// The record was damaged.
    DamagedRecord,
    /// Another drive (vendor, product or serial number) than the one that was mastered.
    OtherDrive,
    /// Gear, encoder or coupling in the cell file are not those the record was made with.
    OtherScaling,
    /// The daemon ended while the drives were on: nobody saw where the arm came to rest.
    EndedWhileOn,
    /// The counter shows the same number at several positions of the joint, and none of them was recorded.
    Ambiguous,
    /// The joint is further from where it was than it can have moved while nobody looked.
    Moved,
    /// The position jumped by more than the joint can move in a cycle.
    Jumped,
    /// Homing was begun and did not reach its end: the drive may have moved its zero or not.
    HomingFailed,
}

impl Distrust {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::NoRecord,
        Self::DamagedRecord,
        Self::OtherDrive,
        Self::OtherScaling,
        Self::EndedWhileOn,
        Self::Ambiguous,
        Self::Moved,
        Self::Jumped,
        Self::HomingFailed,
    ];

    /// The stable name, on the wire and in the record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoRecord => "no_record",
            Self::DamagedRecord => "damaged_record",
            Self::OtherDrive => "other_drive",
            Self::OtherScaling => "other_scaling",
            Self::EndedWhileOn => "ended_while_on",
            Self::Ambiguous => "ambiguous",
            Self::Moved => "moved",
            Self::Jumped => "jumped",
            Self::HomingFailed => "homing_failed",
        }
    }

    /// What happened, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoRecord => "it was never mastered: there is no record",
            Self::DamagedRecord => "the record of its mastering was damaged",
            Self::OtherDrive => "its drive is not the one that was mastered",
            Self::OtherScaling => "gear, encoder or coupling in the cell file changed since it was mastered",
            Self::EndedWhileOn => "the daemon ended while the drives were on",
            Self::Ambiguous => "its counter shows the same number at several positions",
            Self::Moved => "it is further from where it was than it can have moved unseen",
            Self::Jumped => "its encoder jumped",
            Self::HomingFailed => "homing was begun and did not reach its end",
        }
    }
}

/// The reason for each joint, joint 1 first; `None`: it is relied on.
pub type JointDistrust = [Option<Distrust>; MAX_JOINTS];

/// How the counter of one drive belongs to the position after its gear.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DriveReference {
    /// Position after the gear at count 0, rad (m where the joint slides); `None`: that of the cell file.
    pub position_at_count_0: Option<f64>,
    /// The count, followed over every wrap, where the drive was last seen; `None`: not known.
    pub counts: Option<i64>,
    /// The drive the reference was taken of; `None`: any.
    pub identity: Option<Identity>,
}

/// What is known before the first frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PositionsAtStart {
    /// One for each drive.
    pub drives: [DriveReference; MAX_JOINTS],
    /// What is known already not to be relied on.
    pub distrust: JointDistrust,
    /// How far each joint may be from where it was last seen, rad or m.
    pub travel_max: JointVector,
}

impl PositionsAtStart {
    /// The offsets of the cell file hold; nothing is known of where `joints` joints were.
    #[must_use]
    pub fn as_in_cell_file(joints: usize) -> Self {
        Self {
            drives: [DriveReference::default(); MAX_JOINTS],
            distrust: [None; MAX_JOINTS],
            travel_max: JointVector::zeros(joints),
        }
    }
}

/// True when these are not the same device: vendor, product and serial number count, the firmware does not.
#[must_use]
pub const fn is_other_device(one: &Identity, other: &Identity) -> bool {
    one.vendor != other.vendor || one.product != other.product || one.serial != other.serial
}
