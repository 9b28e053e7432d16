//! What a target asks of the joint positions: branch and whole turns.

use crate::config::cell::Cell;
use crate::config::document::{Table, Value};
use crate::joints::MAX_JOINTS;
use crate::kinematics::configuration::{
    Configuration, ConfigurationMode, Elbow, Shoulder, TurnMode, Turns, Wish, Wrist,
};
use crate::planning::Posture;

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

const BRANCH_WORDS: [(&str, BranchWord); 3] =
    [("exact", BranchWord::Exact), ("nearest", BranchWord::Nearest), ("free", BranchWord::Free)];

const TURN_WORDS: [(&str, TurnWord); 3] =
    [("use", TurnWord::Use), ("same", TurnWord::Same), ("free", TurnWord::Free)];

/// `configuration`, `configuration_mode` and `turn_mode` of a motion. `by_joints`: its target says the joint
/// positions themselves, so there is nothing left to ask.
pub(super) fn read_posture(table: &mut Table<'_>, cell: &Cell, by_joints: bool) -> Option<Posture> {
    let written = table.maybe("configuration", |value| read_configuration(&value, cell));
    let branch_word = table.maybe("configuration_mode", |value| value.choice(&BRANCH_WORDS));
    let turn_word = table.maybe("turn_mode", |value| value.choice(&TURN_WORDS));
    if by_joints {
        let keys = ["configuration", "configuration_mode", "turn_mode"];
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
    Some(Posture { wish: Wish { configuration, turns } })
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
