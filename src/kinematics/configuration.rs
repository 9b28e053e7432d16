//! Which of the branches of an arm a joint position is on, in the words of the trade, and what a target may ask
//! of it.

use std::f64::consts::{PI, TAU};

use super::chain::{Chain, JointKind};
use crate::joints::{JointVector, MAX_JOINTS};

/// On which side of axis 1 the wrist (three parallel axes: axis 6) is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shoulder {
    /// Where the arm faces at q1 = 0.
    Front,
    /// Behind axis 1: the arm reaches over its head.
    Back,
}

impl Shoulder {
    /// Each with the name it has in documents.
    pub const NAMED: [(&str, Self); 2] = [("front", Self::Front), ("back", Self::Back)];
}

/// On which side of the line from axis 2 to the wrist axis 3 is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elbow {
    /// Above, seen along the base's z.
    Up,
    /// Below.
    Down,
}

impl Elbow {
    /// Each with the name it has in documents.
    pub const NAMED: [(&str, Self); 2] = [("up", Self::Up), ("down", Self::Down)];
}

/// The sign of joint 5, counted from where axes 4 and 6 are parallel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrist {
    /// Positive, or straight.
    NoFlip,
    /// Negative.
    Flip,
}

impl Wrist {
    /// The other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::NoFlip => Self::Flip,
            Self::Flip => Self::NoFlip,
        }
    }

    /// Each with the name it has in documents.
    pub const NAMED: [(&str, Self); 2] = [("noflip", Self::NoFlip), ("flip", Self::Flip)];
}

/// Branch of an arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Side of axis 1.
    pub shoulder: Shoulder,
    /// Side of the elbow.
    pub elbow: Elbow,
    /// Sign of joint 5.
    pub wrist: Wrist,
}

impl Configuration {
    /// All there are.
    pub const ALL: [Self; 8] = {
        let mut all = [Self { shoulder: Shoulder::Front, elbow: Elbow::Up, wrist: Wrist::NoFlip }; 8];
        let mut index = 0;
        while index < all.len() {
            if index & 1 != 0 {
                all[index].shoulder = Shoulder::Back;
            }
            if index & 2 != 0 {
                all[index].elbow = Elbow::Down;
            }
            if index & 4 != 0 {
                all[index].wrist = Wrist::Flip;
            }
            index += 1;
        }
        all
    };

    /// How many of the three differ, 0..=3.
    #[must_use]
    pub fn differences(self, other: Self) -> u8 {
        u8::from(self.shoulder != other.shoulder)
            + u8::from(self.elbow != other.elbow)
            + u8::from(self.wrist != other.wrist)
    }

    /// Names of shoulder, elbow and wrist, as in documents.
    #[must_use]
    pub fn names(self) -> [&'static str; 3] {
        [
            name_of(&Shoulder::NAMED, self.shoulder),
            name_of(&Elbow::NAMED, self.elbow),
            name_of(&Wrist::NAMED, self.wrist),
        ]
    }
}

impl std::fmt::Display for Configuration {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [shoulder, elbow, wrist] = self.names();
        write!(formatter, "{shoulder}, {elbow}, {wrist}")
    }
}

fn name_of<T: Copy + PartialEq>(named: &[(&'static str, T); 2], value: T) -> &'static str {
    named.iter().find(|(_, other)| *other == value).map_or("", |(name, _)| name)
}

/// Whole turns of each joint: 0 within -π..=π, 1 within π..=3π, and so on. Always 0 for sliding joints.
pub type Turns = [i8; MAX_JOINTS];

/// The turn number of a joint at `value`, rad.
#[must_use]
pub fn turn_of(value: f64) -> i8 {
    let turn = ((value.abs() - PI) / TAU).ceil().max(0.0).copysign(value);
    #[expect(clippy::cast_possible_truncation, reason = "clamped")]
    let turn = turn.clamp(-127.0, 127.0) as i8;
    turn
}

/// The turn number of each joint of `chain` at `q`; 0 for sliding joints and beyond the last.
#[must_use]
pub fn turns_of(chain: &Chain, q: &JointVector) -> Turns {
    std::array::from_fn(|joint| match chain.joint_kind(joint) {
        Some(JointKind::Revolute | JointKind::Continuous) => turn_of(q.get(joint)),
        Some(JointKind::Prismatic) | None => 0,
    })
}

/// Which branch a target asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigurationMode {
    /// This one and no other.
    Exact(Configuration),
    /// This one if it can be, otherwise one that differs as little as possible.
    Nearest(Configuration),
    /// Whichever is nearest to where the arm is.
    Free,
}

/// Which turns of the joints a target asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnMode {
    /// These.
    Use(Turns),
    /// Those the joints have where the arm is: no cable winds up.
    Same,
    /// Whichever are nearest to where the arm is.
    Free,
}

/// What a target asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// Branch.
    pub configuration: ConfigurationMode,
    /// Whole turns.
    pub turns: TurnMode,
    /// Arm angle of a spherical shoulder, rad
    /// ([`SphericalShoulder`](crate::kinematics::guide::SphericalShoulder)); `None`: left open.
    pub arm_angle_rad: Option<f64>,
}

impl Wish {
    /// Whatever is nearest to where the arm is.
    pub const FREE: Self =
        Self { configuration: ConfigurationMode::Free, turns: TurnMode::Free, arm_angle_rad: None };

    /// How many flags a branch has other than asked for; `None` when it must not be taken. A branch of an arm
    /// without such flags cannot be asked for.
    pub(super) fn misses(&self, configuration: Option<Configuration>) -> Option<u8> {
        match (self.configuration, configuration) {
            (ConfigurationMode::Free, _) => Some(0),
            (ConfigurationMode::Exact(wanted), Some(is)) => (wanted == is).then_some(0),
            (ConfigurationMode::Nearest(wanted), Some(is)) => Some(wanted.differences(is)),
            (ConfigurationMode::Exact(_), None) => None,
            (ConfigurationMode::Nearest(_), None) => Some(0),
        }
    }

    /// Whether joint `joint` may stand at `value`, where the arm is at `seed`.
    pub(super) fn allows_turn(&self, joint: usize, value: f64, seed: &JointVector) -> bool {
        match self.turns {
            TurnMode::Use(turns) => turns.get(joint).is_none_or(|turn| *turn == turn_of(value)),
            TurnMode::Same => turn_of(seed.get(joint)) == turn_of(value),
            TurnMode::Free => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::turn_of;
    use std::f64::consts::PI;

    #[test]
    fn turns_are_counted_from_the_half_turn_on() {
        for (value, turn) in [
            (0.0, 0),
            (PI, 0),
            (-PI, 0),
            (PI + 1e-9, 1),
            (-PI - 1e-9, -1),
            (3.0 * PI - 1e-9, 1),
            (3.0 * PI + 1e-9, 2),
            (-6.0, -1),
            (1e9, 127),
        ] {
            assert_eq!(turn_of(value), turn, "{value}");
        }
    }
}
