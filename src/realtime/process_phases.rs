//! Runs the phase table of a process beside the path. Knows no process by name: phases, conditions and
//! actions are data.

use crate::boundary::phase_table::{Phase, PhaseEnd, PhaseTable, Stage};
use crate::drives::channels::ChannelValues;
use crate::faults::FaultCode;

/// What a process wants the path to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathWish {
    /// Nothing to wait for: the path may go on.
    Move,
    /// A phase runs at standstill: the path waits.
    Wait,
}

/// What happened in the phases this cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseNews {
    /// Nothing.
    None,
    /// A phase began.
    Began {
        /// Table number.
        table: u16,
        /// Phase number.
        phase: u8,
    },
    /// All phases are done.
    Ended {
        /// Table number.
        table: u16,
    },
}

/// Something went wrong in a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhaseFailure {
    /// [`FaultCode::PhaseTimeout`] or [`FaultCode::ProcessLost`].
    pub code: FaultCode,
    /// The phase's number.
    pub phase: u8,
    /// Time that passed, s.
    pub value_s: f64,
    /// Time that was allowed, s.
    pub limit_s: f64,
}

#[derive(Clone, Copy, Debug)]
struct Active {
    table: PhaseTable,
    stage: Stage,
    /// Position of the running phase; `None`: the stage's phases are done.
    position: Option<usize>,
    began: bool,
    cycles: u64,
    /// Cycles in a row in which the end condition held.
    confirmed: u64,
    /// Cycles in a row in which the supervised input was missing.
    missing: u64,
}

/// The running process, if any.
#[derive(Clone, Copy, Debug)]
pub struct ProcessPhases {
    dt_s: f64,
    active: Option<Active>,
    /// Outputs are in their safe state since a stop; the start phases run again on resume.
    interrupted: bool,
}

impl ProcessPhases {
    /// No process, cycles of `dt_s`.
    #[must_use]
    pub const fn new(dt_s: f64) -> Self {
        Self { dt_s, active: None, interrupted: false }
    }

    /// A process begins with its start phases, path held.
    pub fn start(&mut self, table: &PhaseTable) {
        self.interrupted = false;
        self.active = Some(Active::at(*table, Stage::Before));
    }

    /// The path of the process has ended: its end phases run, path held.
    pub fn end_of_path(&mut self) {
        if let Some(active) = &mut self.active {
            *active = Active::at(active.table, Stage::After);
        }
    }

    /// Numbers of the table and phase in force, for status.
    #[must_use]
    pub fn current(&self) -> Option<(u16, u8)> {
        let active = self.active.as_ref()?;
        let phase = active.table.phase(active.position?)?;
        (!self.interrupted).then_some((active.table.number, phase.number))
    }

    /// A process is under way.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.active.is_some()
    }

    /// Any stop: takes the outputs to their safe state. Returns the table's number the first time.
    pub fn interrupt(&mut self, outputs: &mut ChannelValues) -> Option<u16> {
        let active = self.active.as_ref()?;
        for action in active.table.safe.iter() {
            outputs.apply(action);
        }
        let first = !self.interrupted;
        self.interrupted = true;
        first.then_some(active.table.number)
    }

    /// The run is discarded: there is no process any more. Outputs are already safe.
    pub fn discard(&mut self) {
        self.active = None;
        self.interrupted = false;
    }

    /// Advances by one cycle: sets outputs, reads inputs. Not called while stopped.
    ///
    /// # Errors
    /// A phase ran out of time or lost what it supervises.
    pub fn step(
        &mut self,
        inputs: &ChannelValues,
        outputs: &mut ChannelValues,
    ) -> Result<(PathWish, PhaseNews), PhaseFailure> {
        let Some(active) = &mut self.active else { return Ok((PathWish::Move, PhaseNews::None)) };
        if self.interrupted {
            self.interrupted = false;
            // What had not reached its end phases starts again where the path stands. End phases that
            // were interrupted are not repeated: there is nothing left to end.
            if active.stage == Stage::After {
                let table = active.table.number;
                self.active = None;
                return Ok((PathWish::Move, PhaseNews::Ended { table }));
            }
            *active = Active::at(active.table, Stage::Before);
        }
        let mut news = PhaseNews::None;
        // At most one phase begins a cycle, so that each phase's outputs reach the wire.
        if let Some(phase) = active.current() {
            if !active.began {
                active.begin(&phase, outputs);
                news = PhaseNews::Began { table: active.table.number, phase: phase.number };
            }
            active.run(&phase, inputs, self.dt_s)?;
        }
        if active.position.is_some() {
            let wish = if active.stage == Stage::During { PathWish::Move } else { PathWish::Wait };
            return Ok((wish, news));
        }
        match active.stage {
            Stage::Before => {
                *active = Active::at(active.table, Stage::During);
                // The path begins to move in the cycle in which its first phase sets its outputs.
                if let Some(phase) = active.current() {
                    active.begin(&phase, outputs);
                    news = PhaseNews::Began { table: active.table.number, phase: phase.number };
                }
                Ok((PathWish::Move, news))
            }
            Stage::During => Ok((PathWish::Move, news)),
            Stage::After => {
                let table = active.table.number;
                self.active = None;
                Ok((PathWish::Move, PhaseNews::Ended { table }))
            }
        }
    }
}

impl Active {
    fn at(table: PhaseTable, stage: Stage) -> Self {
        Self {
            table,
            stage,
            position: table.next_in(stage, 0),
            began: false,
            cycles: 0,
            confirmed: 0,
            missing: 0,
        }
    }

    fn current(&self) -> Option<Phase> {
        self.table.phase(self.position?).copied()
    }

    fn begin(&mut self, phase: &Phase, outputs: &mut ChannelValues) {
        for action in phase.actions.iter() {
            outputs.apply(action);
        }
        self.began = true;
        self.cycles = 0;
        self.confirmed = 0;
        self.missing = 0;
    }

    fn run(&mut self, phase: &Phase, inputs: &ChannelValues, dt_s: f64) -> Result<(), PhaseFailure> {
        self.cycles += 1;
        let elapsed_s = seconds(self.cycles, dt_s);
        if let Some(supervision) = phase.supervision {
            let kept = inputs.is_on(supervision.channel) == supervision.on;
            self.missing = if kept { 0 } else { self.missing + 1 };
            let missing_s = seconds(self.missing, dt_s);
            let limit_s = f64::from(supervision.confirm_s);
            if self.missing > 0 && missing_s >= limit_s - 0.5 * dt_s {
                return Err(PhaseFailure {
                    code: FaultCode::ProcessLost,
                    phase: phase.number,
                    value_s: missing_s,
                    limit_s,
                });
            }
        }
        let ended = match phase.end {
            PhaseEnd::Elapsed(duration_s) => elapsed_s >= f64::from(duration_s) - 0.5 * dt_s,
            PhaseEnd::Input { channel, on, confirm_s } => {
                self.confirmed = if inputs.is_on(channel) == on { self.confirmed + 1 } else { 0 };
                self.confirmed > 0 && seconds(self.confirmed, dt_s) >= f64::from(confirm_s) - 0.5 * dt_s
            }
            PhaseEnd::Path => false,
        };
        if ended {
            self.position = self.table.next_in(self.stage, self.position.map_or(0, |position| position + 1));
            self.began = false;
        } else if phase.timeout_s > 0.0 && elapsed_s >= f64::from(phase.timeout_s) - 0.5 * dt_s {
            return Err(PhaseFailure {
                code: FaultCode::PhaseTimeout,
                phase: phase.number,
                value_s: elapsed_s,
                limit_s: f64::from(phase.timeout_s),
            });
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "cycles of a phase stay far below 2^53")]
fn seconds(cycles: u64, dt_s: f64) -> f64 {
    cycles as f64 * dt_s
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::phase_table::{Action, Actions, Supervision};

    const GAS: u8 = 0;
    const ARC: u8 = 1;
    const ARC_OK: u8 = 2;

    fn digital(channel: u8, on: bool) -> Action {
        Action::Digital { channel, on }
    }

    fn phase(number: u8, stage: Stage, actions: &[Action], end: PhaseEnd) -> Phase {
        Phase {
            number,
            stage,
            actions: Actions::new(actions).unwrap(),
            end,
            timeout_s: 0.0,
            supervision: None,
        }
    }

    fn table() -> PhaseTable {
        let mut ignition = phase(
            2,
            Stage::Before,
            &[digital(ARC, true)],
            PhaseEnd::Input { channel: ARC_OK, on: true, confirm_s: 0.003 },
        );
        ignition.timeout_s = 0.010;
        let mut main = phase(3, Stage::During, &[], PhaseEnd::Path);
        main.supervision = Some(Supervision { channel: ARC_OK, on: true, confirm_s: 0.002 });
        PhaseTable::new(
            7,
            Actions::new(&[digital(GAS, false), digital(ARC, false)]).unwrap(),
            &[
                phase(1, Stage::Before, &[digital(GAS, true)], PhaseEnd::Elapsed(0.005)),
                ignition,
                main,
                phase(4, Stage::After, &[digital(ARC, false)], PhaseEnd::Elapsed(0.004)),
            ],
        )
        .unwrap()
    }

    /// Steps until the path may move; gives the cycles that took.
    fn until_move(
        phases: &mut ProcessPhases,
        inputs: &ChannelValues,
        outputs: &mut ChannelValues,
    ) -> Result<u32, PhaseFailure> {
        for cycle in 1..1000 {
            if phases.step(inputs, outputs)?.0 == PathWish::Move {
                return Ok(cycle);
            }
        }
        panic!("the path never moves");
    }

    fn arc_ok() -> ChannelValues {
        let mut inputs = ChannelValues::default();
        inputs.apply(digital(ARC_OK, true));
        inputs
    }

    #[test]
    fn the_path_waits_for_the_start_phases_and_the_end_phases() {
        let mut phases = ProcessPhases::new(1e-3);
        let mut outputs = ChannelValues::default();
        phases.start(&table());
        assert_eq!(until_move(&mut phases, &arc_ok(), &mut outputs), Ok(8));
        assert!(outputs.is_on(GAS) && outputs.is_on(ARC));
        assert_eq!(phases.current(), Some((7, 3)));
        for _ in 0..100 {
            assert_eq!(phases.step(&arc_ok(), &mut outputs), Ok((PathWish::Move, PhaseNews::None)));
        }
        phases.end_of_path();
        assert_eq!(
            phases.step(&arc_ok(), &mut outputs),
            Ok((PathWish::Wait, PhaseNews::Began { table: 7, phase: 4 }))
        );
        assert!(!outputs.is_on(ARC) && outputs.is_on(GAS));
        assert_eq!(until_move(&mut phases, &arc_ok(), &mut outputs), Ok(3));
        assert!(!phases.is_active());
    }

    #[test]
    fn an_input_that_never_comes_ends_in_a_timeout() {
        let mut phases = ProcessPhases::new(1e-3);
        let mut outputs = ChannelValues::default();
        phases.start(&table());
        let failure = until_move(&mut phases, &ChannelValues::default(), &mut outputs).unwrap_err();
        assert_eq!((failure.code, failure.phase), (FaultCode::PhaseTimeout, 2));
    }

    #[test]
    fn a_supervised_input_may_be_missing_for_less_than_its_time() {
        let mut phases = ProcessPhases::new(1e-3);
        let mut outputs = ChannelValues::default();
        phases.start(&table());
        until_move(&mut phases, &arc_ok(), &mut outputs).unwrap();
        let off = ChannelValues::default();
        assert!(phases.step(&off, &mut outputs).is_ok());
        assert!(phases.step(&arc_ok(), &mut outputs).is_ok());
        assert!(phases.step(&off, &mut outputs).is_ok());
        assert_eq!(phases.step(&off, &mut outputs).unwrap_err().code, FaultCode::ProcessLost);
    }

    #[test]
    fn an_interrupted_process_starts_again_with_its_start_phases() {
        let mut phases = ProcessPhases::new(1e-3);
        let mut outputs = ChannelValues::default();
        phases.start(&table());
        until_move(&mut phases, &arc_ok(), &mut outputs).unwrap();
        assert_eq!(phases.interrupt(&mut outputs), Some(7));
        assert!(!outputs.is_on(GAS) && !outputs.is_on(ARC));
        assert_eq!(phases.interrupt(&mut outputs), None);
        assert_eq!(phases.current(), None);
        assert_eq!(until_move(&mut phases, &arc_ok(), &mut outputs), Ok(8));
        assert!(outputs.is_on(GAS) && outputs.is_on(ARC));
    }

    #[test]
    fn interrupted_end_phases_are_not_repeated() {
        let mut phases = ProcessPhases::new(1e-3);
        let mut outputs = ChannelValues::default();
        phases.start(&table());
        until_move(&mut phases, &arc_ok(), &mut outputs).unwrap();
        phases.end_of_path();
        phases.step(&arc_ok(), &mut outputs).unwrap();
        phases.interrupt(&mut outputs);
        assert_eq!(phases.step(&arc_ok(), &mut outputs), Ok((PathWish::Move, PhaseNews::Ended { table: 7 })));
        assert!(!outputs.is_on(GAS) && !outputs.is_on(ARC));
    }

    #[test]
    fn every_state_and_every_event_have_one_outcome() {
        type Change = fn(&mut ProcessPhases, &mut ChannelValues);
        fn show(phases: &ProcessPhases) -> String {
            let Some(active) = &phases.active else { return "none".to_owned() };
            let number = active.position.and_then(|position| active.table.phase(position));
            let number = number.map_or_else(|| "-".to_owned(), |phase| phase.number.to_string());
            let stopped = if phases.interrupted { ", stopped" } else { "" };
            format!("{:?} {number}{stopped}", active.stage)
        }
        fn steps(phases: &mut ProcessPhases, outputs: &mut ChannelValues, count: u32) {
            for _ in 0..count {
                phases.step(&arc_ok(), outputs).unwrap();
            }
        }
        let states: [Change; 7] = [
            |_, _| {},
            |phases, _| phases.start(&table()),
            |phases, outputs| {
                phases.start(&table());
                steps(phases, outputs, 6);
            },
            |phases, outputs| {
                phases.start(&table());
                steps(phases, outputs, 9);
            },
            |phases, outputs| {
                phases.start(&table());
                steps(phases, outputs, 9);
                phases.interrupt(outputs);
            },
            |phases, outputs| {
                phases.start(&table());
                steps(phases, outputs, 9);
                phases.end_of_path();
                steps(phases, outputs, 1);
            },
            |phases, outputs| {
                phases.start(&table());
                steps(phases, outputs, 9);
                phases.end_of_path();
                steps(phases, outputs, 1);
                phases.interrupt(outputs);
            },
        ];
        type Event = fn(&mut ProcessPhases, &mut ChannelValues) -> String;
        /// Twenty cycles, or as many as it takes to fail.
        fn twenty(phases: &mut ProcessPhases, inputs: &ChannelValues, outputs: &mut ChannelValues) -> String {
            let failed = (1..=20).find_map(|cycle| {
                let failure = phases.step(inputs, outputs).err()?;
                Some(format!("{:?} in phase {}, cycle {cycle}", failure.code, failure.phase))
            });
            failed.unwrap_or_default()
        }
        let events: [(&str, Event); 7] = [
            ("start", |phases, _| {
                phases.start(&table());
                String::new()
            }),
            ("end of path", |phases, _| {
                phases.end_of_path();
                String::new()
            }),
            ("interrupt", |phases, outputs| format!("{:?}", phases.interrupt(outputs))),
            ("discard", |phases, _| {
                phases.discard();
                String::new()
            }),
            ("step", |phases, outputs| format!("{:?}", phases.step(&arc_ok(), outputs))),
            ("20 steps", |phases, outputs| twenty(phases, &arc_ok(), outputs)),
            ("20 without arc", |phases, outputs| twenty(phases, &ChannelValues::default(), outputs)),
        ];
        let mut rows = String::new();
        for enter in states {
            for (event, act) in events {
                let mut phases = ProcessPhases::new(1e-3);
                let mut outputs = ChannelValues::default();
                enter(&mut phases, &mut outputs);
                let before = show(&phases);
                let result = act(&mut phases, &mut outputs);
                let on = |channel, name| if outputs.is_on(channel) { name } else { "" };
                let after = show(&phases);
                let row = format!(
                    "{before:>17} | {event:<14} | {after:<17} | {:<3} {:<3} | {result}",
                    on(GAS, "gas"),
                    on(ARC, "arc")
                );
                rows.push_str(row.trim_end());
                rows.push('\n');
            }
        }
        insta::assert_snapshot!(rows);
    }
}
