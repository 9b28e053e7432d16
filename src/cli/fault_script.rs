//! Fault scripts: what goes wrong in the simulated cell, and when. One event a line, the same for
//! `motiond simulate`, `motiond run` and `motiond simulate-bus`:
//!
//! ```text
//! # comment
//! at start: identity 3 product 0x999
//! at cycle 12000: drop 4
//! at 3.5 s: drive 2 fault 0x7500
//! after OP 200 cycles: stall 50 ms
//! after executing 500 cycles: arc lost
//! ```
//!
//! Positions count from 1, in bus order. `at start` is before the controller sees the bus. Cycles count the cycles
//! of the daemon in `simulate` and `run`, and the frames with process data in `simulate-bus`. `after STATE` counts from
//! the first cycle in which all SubDevices have reached an AL state (INIT, PREOP, SAFEOP, OP), or in which the
//! machine is in a state of its own (not in `simulate-bus`: the bus does not know it).
//!
//! What can happen: [`WORDS`](super::fault_actions::words::WORDS), printed by `motiond simulate --help`.

use std::path::Path;

use super::fault_actions::{self, Mistake, number_of};
use crate::config::problem::Problem;
use crate::machine::MachineState;
use crate::simulator::{AlState, Injection, InjectionError, Segment};

/// When an event happens.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    Start,
    Cycle(u64),
    Seconds(f64),
    After { state: ScriptState, cycles: u64 },
}

/// A state that events can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptState {
    /// Of the machine.
    Machine(MachineState),
    /// Of the SubDevices: the lowest of them.
    Bus(AlState),
}

/// What a script is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptUse {
    /// The whole cell, with its machine states.
    Cell,
    /// The SubDevices alone.
    Bus,
}

/// States there are to follow.
const STATES: usize = MachineState::ALL.len() + AlState::ALL.len();

#[derive(Clone, Debug, PartialEq)]
struct ScriptEvent {
    /// Line of the script, from 1 on.
    line: usize,
    when: When,
    injection: Injection,
}

/// A script and how far it has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaultScript {
    waiting: Vec<ScriptEvent>,
    /// Cycle in which each state was first seen.
    entered: Vec<(ScriptState, u64)>,
}

impl FaultScript {
    /// Reads a script for a whole cell.
    ///
    /// # Errors
    /// Every line that is not understood, with what is.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        Self::parse_for(text, ScriptUse::Cell)
    }

    /// Reads a script.
    ///
    /// # Errors
    /// Every line that is not understood or not possible there, with what is.
    pub fn parse_for(text: &str, used_for: ScriptUse) -> Result<Self, Vec<Problem>> {
        let mut waiting = Vec::new();
        let mut problems = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            match parse_line(number + 1, line, used_for) {
                Ok(event) => waiting.push(event),
                Err(Mistake { message, allowed }) => problems.push(Problem {
                    place: format!("line {}", number + 1),
                    message: format!("`{line}`: {message}"),
                    allowed: allowed.into_owned(),
                    remedy: "correct the line; positions count from 1".to_owned(),
                }),
            }
        }
        if problems.is_empty() {
            Ok(Self { waiting, entered: Vec::with_capacity(STATES) })
        } else {
            Err(problems)
        }
    }

    /// Reads the script of a whole cell from a file and tries it on a segment that is thrown away.
    ///
    /// # Errors
    /// The file cannot be read, or every line that is not understood or not possible.
    pub fn load(path: &Path, segment: Segment) -> Result<Self, Vec<Problem>> {
        let text = super::read_text(path).map_err(|problem| vec![problem])?;
        let script = Self::parse(&text)?;
        script.check(segment).map(|()| script)
    }

    /// Tries every event on a segment that is thrown away.
    ///
    /// # Errors
    /// Every line that names something which is not there.
    pub fn check(&self, mut segment: Segment) -> Result<(), Vec<Problem>> {
        let problems: Vec<Problem> = self
            .waiting
            .iter()
            .filter_map(|event| {
                let error = segment.inject(event.injection).err()?;
                let (message, allowed) = in_words(&error, &segment);
                let remedy = "correct the line; positions count from 1, in bus order";
                Some(Problem::new(format!("line {}", event.line), message, allowed, remedy))
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// True when nothing happens any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes what happens before the controller sees the bus.
    pub fn at_start(&mut self) -> Vec<Injection> {
        std::iter::from_fn(|| self.take_first(|when, _| when == When::Start)).collect()
    }

    /// Events that are due in `cycle`, with the machine in `state` and `time_s` since start.
    pub fn due(&mut self, cycle: u64, time_s: f64, state: MachineState) -> Vec<Injection> {
        self.due_in(cycle, time_s, &[ScriptState::Machine(state)]).collect()
    }

    /// Events that are due in `cycle`, in all of `states`, `time_s` since start. Allocates nothing: a real-time
    /// thread with a simulated segment behind it may ask.
    pub fn due_in(
        &mut self,
        cycle: u64,
        time_s: f64,
        states: &[ScriptState],
    ) -> impl Iterator<Item = Injection> {
        for state in states {
            if !self.is_over()
                && self.entered.len() < STATES
                && !self.entered.iter().any(|(seen, _)| seen == state)
            {
                self.entered.push((*state, cycle));
            }
        }
        std::iter::from_fn(move || {
            self.take_first(|when, entered| match when {
                When::Start => true,
                When::Cycle(at) => cycle >= at,
                When::Seconds(at) => time_s >= at,
                When::After { state, cycles } => {
                    entered.iter().any(|(seen, since)| *seen == state && cycle >= since + cycles)
                }
            })
        })
    }

    fn take_first(&mut self, is_due: impl Fn(When, &[(ScriptState, u64)]) -> bool) -> Option<Injection> {
        let at = self.waiting.iter().position(|event| is_due(event.when, &self.entered))?;
        Some(self.waiting.remove(at).injection)
    }
}

/// Why something cannot happen, and what can; positions from 1 on, as scripts have them.
fn in_words(error: &InjectionError, segment: &Segment) -> (String, String) {
    let count = segment.device_count();
    match *error {
        InjectionError::NoSuchDevice { device } => {
            (format!("there is no SubDevice {}", device + 1), format!("the positions 1 to {count}"))
        }
        InjectionError::WrongKind { device } => {
            let kinds = (0..count).filter_map(|position| {
                Some(format!("{} {}", position + 1, segment.device(position)?.kind.word()))
            });
            let kinds: Vec<String> = kinds.collect();
            (
                format!("the SubDevice {} is of another kind, or has no such axis", device + 1),
                format!("a SubDevice of that kind: {}", kinds.join(", ")),
            )
        }
        InjectionError::NoSuchChannel { channel } => (
            format!("the SubDevice {} has no input channel {}", channel.device + 1, channel.channel),
            "a channel of a terminal".to_owned(),
        ),
        InjectionError::NoClock { device } => (
            format!("the SubDevice {} has no distributed clock", device + 1),
            "a SubDevice with a clock, as the drives have".to_owned(),
        ),
        InjectionError::NoSuchEquipment => {
            (error.to_string(), "a cell with `stop_input` or `[welding]`".to_owned())
        }
    }
}

const WHENS: &str = "at start: …, at cycle N: …, at T s: …, after STATE N cycles: …";

fn parse_line(number: usize, line: &str, used_for: ScriptUse) -> Result<ScriptEvent, Mistake> {
    let (when, action) = line.split_once(':').ok_or(Mistake::new("there is no colon", WHENS))?;
    let when_words: Vec<&str> = when.split_whitespace().collect();
    let when = match when_words.as_slice() {
        ["at", "start"] => When::Start,
        ["at", "cycle", number] => When::Cycle(number_of(number, WHENS)?),
        ["at", seconds, "s"] => {
            let seconds: f64 = number_of(seconds, WHENS)?;
            if !seconds.is_finite() || seconds < 0.0 {
                return Err(Mistake::new("the time is not a number of seconds from 0 on", WHENS));
            }
            When::Seconds(seconds)
        }
        ["after", state] => When::After { state: state_of(state, used_for)?, cycles: 0 },
        ["after", state, cycles, "cycles"] => {
            When::After { state: state_of(state, used_for)?, cycles: number_of(cycles, WHENS)? }
        }
        _ => return Err(Mistake::new("when is not understood", WHENS)),
    };
    let words: Vec<&str> = action.split_whitespace().collect();
    Ok(ScriptEvent { line: number, when, injection: fault_actions::injection(&words)? })
}

fn state_of(name: &str, used_for: ScriptUse) -> Result<ScriptState, Mistake> {
    if let Some(state) = AlState::ALL.into_iter().find(|state| state.name() == name) {
        return Ok(ScriptState::Bus(state));
    }
    match MachineState::ALL.into_iter().find(|state| state.name() == name) {
        Some(state) if used_for == ScriptUse::Cell => Ok(ScriptState::Machine(state)),
        Some(_) => {
            Err(Mistake::new("the bus does not know the state of the machine", "INIT, PREOP, SAFEOP, OP"))
        }
        None => Err(Mistake::new(
            "there is no such state",
            "INIT, PREOP, SAFEOP, OP; in `simulate` and `run` also disabled, enabling, ready, executing, holding, held, \
             stopping, disabling, fault_reaction, fault",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_is_not_understood_is_named() {
        let problems = FaultScript::parse(
            "drop 4\nat cycle x: drop 4\nat cycle 3: explode\n\nat cycle 3: detach 0\nat -1 s: drop 1",
        )
        .unwrap_err();
        let places: Vec<&str> = problems.iter().map(|problem| problem.place.as_str()).collect();
        assert_eq!(places, ["line 1", "line 2", "line 3", "line 5", "line 6"]);
        assert_eq!(problems[3].allowed, "detach N; N from 1 on");
        assert!(problems[2].allowed.contains("drop, ") && problems[2].allowed.contains("--help"));
    }

    #[test]
    fn events_happen_once_and_in_their_cycle() {
        let mut script = FaultScript::parse("at cycle 3: drop 1\nafter held 2 cycles: attach").unwrap();
        let mut seen = Vec::new();
        for cycle in 0..10 {
            let state = if cycle < 5 { MachineState::Executing } else { MachineState::Held };
            for injection in script.due(cycle, 0.0, state) {
                seen.push((cycle, injection));
            }
        }
        assert_eq!(seen, [(3, Injection::DropFrames { count: 1, processed: true }), (7, Injection::Attach)]);
    }
}
