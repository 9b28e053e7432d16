//! What a target asks of the joint positions: branch and whole turns.

use crate::config::cell::Cell;
use crate::config::document::{Range, Table, Value, listed};
use crate::joints::{JointVector, MAX_JOINTS};
use crate::kinematics::configuration::{
    Configuration, ConfigurationMode, Elbow, Shoulder, TurnMode, Turns, Wish, Wrist,
};
use crate::planning::{External, Posture, SingularityRule};

/// Whole turns a joint can be asked for.
const TURNS_MAX: i64 = 100;

#[derive(Clone, Copy)]
enum BranchWord {
    Exact,
    Nearest,
    Free,
}

#[derive(Clone, Copy)]
enum TurnWord {
    Use,
    Same,
    Free,
}

#[derive(Clone, Copy)]
enum Passing {
    Refuse,
    SlowDown,
    WristJoint,
    LockAxis4,
    OrientationError,
}

const PASSINGS: [(&str, Passing); 5] = [
    ("refuse", Passing::Refuse),
    ("slow_down", Passing::SlowDown),
    ("wrist_joint", Passing::WristJoint),
    ("lock_axis_4", Passing::LockAxis4),
    ("orientation_error", Passing::OrientationError),
];

/// Error of the orientation that is allowed where a wrist is guided and the motion does not say, rad (10°).
const ORIENTATION_ERROR: f64 = 10.0 * std::f64::consts::PI / 180.0;

const BRANCH_WORDS: [(&str, BranchWord); 3] =
    [("exact", BranchWord::Exact), ("nearest", BranchWord::Nearest), ("free", BranchWord::Free)];

const TURN_WORDS: [(&str, TurnWord); 3] =
    [("use", TurnWord::Use), ("same", TurnWord::Same), ("free", TurnWord::Free)];

/// `configuration`, `configuration_mode`, `turn_mode` and `arm_angle_deg` of a motion. `by_joints`: its target says the joint
/// positions themselves, so there is nothing left to ask.
pub(super) fn read_posture(table: &mut Table<'_>, cell: &Cell, by_joints: bool) -> Option<Posture> {
    let written = table.maybe("configuration", |value| read_configuration(&value, cell));
    let branch_word = table.maybe("configuration_mode", |value| value.choice(&BRANCH_WORDS));
    let turn_word = table.maybe("turn_mode", |value| value.choice(&TURN_WORDS));
    let arm_angle = table
        .maybe("arm_angle_deg", |value| value.number(Range::new(-360.0, 360.0, "°")).map(f64::to_radians));
    let singularity = read_singularity(table);
    let external = read_external(table, cell);
    if by_joints {
        let keys = [
            "configuration",
            "configuration_mode",
            "turn_mode",
            "arm_angle_deg",
            "singularity",
            "orientation_error_max_deg",
            "external",
            "external_mode",
        ];
        let written: Vec<_> = keys.into_iter().filter(|key| table.has(key)).collect();
        for key in &written {
            let remedy = "remove it, or write the target as `pose`";
            table.problem(key, "written beside `joints_deg`", "joint positions say it already", remedy);
        }
        return written.is_empty().then_some(Posture::FREE);
    }
    let (flags, turns) = written?.unwrap_or((None, None));
    let missing = |key: &str, what: &str| {
        table.problem("configuration", "missing", what, format!("add it, or write `\"{key}\": \"free\"`"));
    };
    const FLAGS: &str = "`shoulder`, `elbow` and `wrist`, as `motiond model ik` prints them";
    let configuration = match (branch_word?, flags) {
        (Some(BranchWord::Free), _) | (None, None) => ConfigurationMode::Free,
        (Some(BranchWord::Nearest), Some(flags)) => ConfigurationMode::Nearest(flags),
        (Some(BranchWord::Exact) | None, Some(flags)) => ConfigurationMode::Exact(flags),
        (Some(BranchWord::Exact | BranchWord::Nearest), None) => {
            missing("configuration_mode", FLAGS);
            return None;
        }
    };
    let turns = match (turn_word?, turns) {
        (Some(TurnWord::Free), _) | (None, None) => TurnMode::Free,
        (Some(TurnWord::Same), _) => TurnMode::Same,
        (Some(TurnWord::Use) | None, Some(turns)) => TurnMode::Use(turns),
        (Some(TurnWord::Use), None) => {
            missing("turn_mode", "`turns`, one whole number a joint, as `motiond model ik` prints them");
            return None;
        }
    };
    let wish = Wish { configuration, turns, arm_angle_rad: arm_angle? };
    Some(Posture { wish, singularity: singularity?, external: external? })
}

/// `external` (positions by the names of joints, ° or mm) or `external_mode`.
fn read_external(table: &mut Table<'_>, cell: &Cell) -> Option<External> {
    let positions = table.maybe("external", |value| {
        let names = &cell.model.joint_names;
        let mut mask = 0_u16;
        let mut positions = JointVector::zeros(cell.joint_count());
        for (name, value) in value.table()?.named() {
            let Some(joint) = names.iter().position(|known| known == name) else {
                value.problem("unknown joint", listed(names), "correct the name");
                return None;
            };
            let limit = cell.joint_limits.as_slice().get(joint)?;
            let kind = cell.model.chain.joint_kind(joint)?;
            let per_unit = kind.outside_per_unit();
            let range =
                Range::new(limit.position_min * per_unit, limit.position_max * per_unit, kind.outside_unit());
            positions.set(joint, value.number(range)? / per_unit);
            mask |= 1 << joint;
        }
        Some(External::At { mask, positions })
    });
    let mode = table.maybe("external_mode", |value| value.choice(&EXTERNAL_MODES));
    match (positions?, mode?) {
        (Some(at), None) => Some(at),
        (None, mode) => Some(mode.unwrap_or(External::Keep)),
        (Some(_), Some(_)) => {
            table.problem("external_mode", "written beside `external`", "one of the two", "remove one");
            None
        }
    }
}

const EXTERNAL_MODES: [(&str, External); 3] =
    [("keep", External::Keep), ("follow", External::Follow), ("optimise", External::Optimise)];

/// `singularity` and `orientation_error_max_deg`.
fn read_singularity(table: &mut Table<'_>) -> Option<SingularityRule> {
    let word = table.or_default("singularity", Passing::Refuse, |value| value.choice(&PASSINGS));
    let most = table.maybe("orientation_error_max_deg", |value| {
        value.number(Range::new(0.01, 180.0, "°")).map(f64::to_radians)
    });
    let (word, most) = (word?, most?);
    Some(match (word, most) {
        (Passing::Refuse | Passing::SlowDown, Some(_)) => {
            let remedy = "remove it, or choose another `singularity`";
            table.problem("orientation_error_max_deg", "no such error is made", "nothing", remedy);
            return None;
        }
        (Passing::Refuse, None) => SingularityRule::Refuse,
        (Passing::SlowDown, None) => SingularityRule::SlowDown,
        (Passing::WristJoint, most) => SingularityRule::WristJoint(most.unwrap_or(ORIENTATION_ERROR)),
        (Passing::LockAxis4, most) => SingularityRule::LockAxis4(most.unwrap_or(ORIENTATION_ERROR)),
        (Passing::OrientationError, Some(most)) => SingularityRule::OrientationError(most),
        (Passing::OrientationError, None) => {
            let remedy = "add it: how far the tool may tilt off its orientation";
            table.problem("orientation_error_max_deg", "missing", "0.01 to 180 °", remedy);
            return None;
        }
    })
}

type Written = (Option<Configuration>, Option<Turns>);

/// Flags, all three or none, and turns, one a joint.
fn read_configuration(value: &Value<'_>, cell: &Cell) -> Option<Written> {
    let mut table = value.table()?;
    let keys = ["shoulder", "elbow", "wrist"];
    let any = keys.iter().any(|key| table.has(key));
    let turns = table.maybe("turns", |value| read_turns(&value, cell));
    if !any {
        if !table.has("turns") {
            table.problem("shoulder", "missing", "`front`, `back`", "say which branch, or which `turns`");
            return None;
        }
        // Asked for, so that a misspelt one is compared with them.
        keys.into_iter().for_each(|key| drop(table.optional(key)));
        return Some((None, turns?));
    }
    let shoulder = table.choice("shoulder", &Shoulder::NAMED);
    let elbow = table.choice("elbow", &Elbow::NAMED);
    let wrist = table.choice("wrist", &Wrist::NAMED);
    let flags = Configuration { shoulder: shoulder?, elbow: elbow?, wrist: wrist? };
    Some((Some(flags), turns?))
}

fn read_turns(value: &Value<'_>, cell: &Cell) -> Option<Turns> {
    let joints = cell.joint_count();
    let read: Vec<Option<i8>> =
        value.list(joints..=joints)?.iter().map(|turn| turn.whole(-TURNS_MAX..=TURNS_MAX)).collect();
    let mut turns = [0; MAX_JOINTS];
    for (turn, read) in turns.iter_mut().zip(read) {
        *turn = read?;
    }
    Some(turns)
}
