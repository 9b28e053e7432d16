//! A cell with an arm in fast motion, a fault script, and everything its drives receive, frame by frame.

use std::sync::OnceLock;

use motiond::cli::assembly::Assembly;
use motiond::cli::fault_script::FaultScript;
use motiond::machine::MachineState;
use motiond::simulator::{DriveState, ReceivedSetpoint};
use serde_json::Value;

use crate::client::Client;
use crate::oracle::{Oracle, Received};

/// Fast joint motion there and back, for about eight seconds.
const JOB: &str = r#"{
    "format": "motiond-job", "format_version": 1, "name": "drill", "tool": "torch", "work_object": "table",
    "instructions": [
        { "do": "move_j", "joints_deg": [-60.0, -25.0, 35.0, -30.0, 60.0, 50.0], "speed_pct": 100 },
        { "do": "move_j", "joints_deg": [60.0, 10.0, 10.0, 30.0, 85.0, -50.0], "speed_pct": 100 },
        { "do": "move_j", "joints_deg": [-60.0, -25.0, 35.0, -30.0, 60.0, 50.0], "speed_pct": 100 },
        { "do": "move_j", "joints_deg": [60.0, 10.0, 10.0, 30.0, 85.0, -50.0], "speed_pct": 100 },
        { "do": "move_j", "joints_deg": [-60.0, -25.0, 35.0, -30.0, 60.0, 50.0], "speed_pct": 100 },
        { "do": "move_j", "joints_deg": [60.0, 10.0, 10.0, 30.0, 85.0, -50.0], "speed_pct": 100 }
    ]
}"#;

pub const DRIVES: usize = 6;
/// Cycles from the start of the run to the fault: joint 1 speeding up on its longest way.
const INTO_MOTION: u64 = 1_020;
/// Frames the twin without a fault is watched for.
const TWIN_FRAMES: usize = 3_000;

const CONTROL_MASK: u16 = 0x8F;
pub const ENABLED: u16 = 0x0F;

pub struct Drill {
    pub client: Client,
    pub oracle: Oracle,
    /// Every frame since the fault was injected, oldest first. Entry 0 is the first frame under the fault.
    pub frames: Vec<Received>,
    /// Records wait here until their frame is complete.
    waiting: Vec<Vec<ReceivedSetpoint>>,
    /// A run was started and nothing has stopped it.
    authorised: bool,
    /// Frames that are not recorded yet; `None`: no fault was injected.
    recording: Option<u32>,
}

/// The same motion without any fault, from the same cycle on.
fn twin() -> &'static [Received] {
    static TWIN: OnceLock<Vec<Received>> = OnceLock::new();
    TWIN.get_or_init(|| {
        let mut drill = Drill::in_motion();
        drill.record();
        drill.cycles(TWIN_FRAMES as u64 + 1);
        assert!(drill.oracle.speed_share_max > 0.5, "too slow to show anything");
        assert!(drill.oracle.acceleration_share_max > 0.5, "too gentle to show anything");
        drill.frames
    })
}

impl Drill {
    /// Enabled, with the run under way.
    pub fn in_motion() -> Self {
        Self::with(&Assembly::load(None).unwrap())
    }

    pub fn with(assembly: &Assembly) -> Self {
        let mut drill = Self::at_rest(assembly);
        drill.enable();
        drill.start();
        drill.cycles(INTO_MOTION);
        drill
    }

    /// In OP, drives off.
    pub fn at_rest(assembly: &Assembly) -> Self {
        Self {
            client: Client::with(assembly, "", 1),
            oracle: Oracle::new(assembly),
            frames: Vec::new(),
            waiting: vec![Vec::new(); DRIVES],
            authorised: false,
            recording: None,
        }
    }

    pub fn state(&self) -> MachineState {
        self.client.cell.state()
    }

    pub fn enable(&mut self) {
        self.client.command("enable").unwrap();
        self.until(MachineState::Ready, 3_000);
    }

    /// Starts the run; returns when it is executing.
    pub fn start(&mut self) {
        let job = self.client.put(JOB).unwrap();
        self.authorised = true;
        self.client.start(&job).unwrap();
        self.until(MachineState::Executing, 500);
    }

    pub fn resume(&mut self) {
        self.authorised = true;
        self.client.command("resume").unwrap();
        self.until(MachineState::Executing, 100);
    }

    fn record(&mut self) {
        // SYNC0 comes half a cycle after the frame: in the next step the frame before is seen.
        self.recording.get_or_insert(1);
    }

    /// A line of a fault script, carried out before the next frame.
    pub fn inject(&mut self, line: &str) {
        let mut script = FaultScript::parse(&format!("at cycle 0: {line}")).unwrap();
        for injection in script.due(1, 0.0, MachineState::Executing) {
            self.client.cell.segment_mut().inject(injection).unwrap();
        }
        self.record();
    }

    /// One cycle, judged by the oracle.
    pub fn cycle(&mut self) {
        self.client.cycle();
        let state = self.state();
        self.authorised &= !matches!(
            state,
            MachineState::Held | MachineState::Disabled | MachineState::Fault | MachineState::FaultReaction
        );
        let stops =
            matches!(state, MachineState::Holding | MachineState::Stopping | MachineState::FaultReaction);
        let segment = self.client.cell.segment_mut();
        let mut frame: Received = Vec::with_capacity(DRIVES);
        for (drive, waiting) in self.waiting.iter_mut().enumerate() {
            let overwritten = segment.drain_received(drive, |one| waiting.push(one));
            assert_eq!(overwritten, 0);
            // One SYNC0, one record. A drive that is gone or not in OP has none; while the bus is brought up again
            // there are more than cycles.
            if waiting.len() > 2 {
                waiting.drain(..waiting.len() - 1);
            }
            frame.push(if waiting.is_empty() { None } else { Some(waiting.remove(0)) });
        }
        self.oracle.judge(&frame, self.authorised || stops);
        match &mut self.recording {
            Some(0) => self.frames.push(frame),
            Some(before) => *before -= 1,
            None => {}
        }
    }

    pub fn cycles(&mut self, count: u64) {
        for _ in 0..count {
            self.cycle();
        }
    }

    pub fn until(&mut self, state: MachineState, patience: u64) {
        for _ in 0..patience {
            if self.state() == state {
                return;
            }
            self.cycle();
        }
        panic!("never {state:?}, but {:?}: {:#?}", self.state(), self.client.last_events());
    }

    pub fn has_fault(&self, code: &str) -> bool {
        self.client.has_event(|event| event["kind"] == "fault" && event["code"] == code)
    }

    pub fn has_warning(&self, code: &str) -> bool {
        self.client.has_event(|event| event["kind"] == "warning" && event["code"] == code)
    }

    pub fn status(&mut self) -> Value {
        self.client.call("status", serde_json::json!({})).unwrap()
    }

    // ---- what the drives received ------------------------------------------------------------------------

    /// First frame that differs from the motion without a fault, of the drives in `drives`.
    pub fn first_reaction(&self, drives: &[usize]) -> Option<usize> {
        let twin = twin();
        self.frames.iter().zip(twin).position(|(frame, twin)| {
            drives.iter().any(|&drive| match (frame[drive], twin[drive]) {
                (Some(received), Some(expected)) => {
                    received.is_fresh
                        && (received.controlword, received.target_position)
                            != (expected.controlword, expected.target_position)
                }
                _ => false,
            })
        })
    }

    /// Asserts that nothing the drives received differs from the motion without a fault.
    pub fn assert_undisturbed(&self, name: &str) {
        assert_eq!(self.first_reaction(&ALL), None, "{name}: a reaction");
        assert_eq!(self.state(), MachineState::Executing, "{name}");
    }

    /// Asserts that from frame `from` on each of `drives` is told to quick stop in every frame it receives, until
    /// it has left "operation enabled", and is never enabled again.
    pub fn assert_quick_stop(&self, name: &str, from: usize, drives: &[usize]) {
        for &drive in drives {
            let words: Vec<u16> = self.frames[from..]
                .iter()
                .filter_map(|frame| frame[drive].filter(|one| one.is_fresh))
                .map(|one| one.controlword & CONTROL_MASK)
                .collect();
            assert_eq!(words[0] & 0x06, 0x02, "{name}: drive {}, first frame", drive + 1);
            let stops = words.iter().take_while(|word| **word & 0x06 == 0x02).count();
            assert!(stops >= 20, "{name}: drive {}: only {stops} frames with quick stop", drive + 1);
            assert!(!words.contains(&ENABLED), "{name}: drive {} enabled again", drive + 1);
        }
    }

    /// Asserts a joint stop from frame `from` on: each axis slows down and never turns round, all stand in the
    /// same frame, no controlword changes before, all are switched off together after it.
    pub fn assert_joint_stop(&self, name: &str, from: usize, drives: &[usize]) {
        let mut ends = Vec::new();
        for &drive in drives {
            let records: Vec<ReceivedSetpoint> = self.frames[from.saturating_sub(2)..]
                .iter()
                .filter_map(|frame| frame[drive].filter(|one| one.is_fresh))
                .collect();
            let off = records.iter().position(|one| one.controlword & CONTROL_MASK != ENABLED);
            let off = off.unwrap_or_else(|| panic!("{name}: drive {} stays on", drive + 1));
            let steps: Vec<i32> = records[..off]
                .windows(2)
                .map(|pair| pair[1].target_position.wrapping_sub(pair[0].target_position))
                .collect();
            for pair in steps.windows(2).skip(1) {
                assert!(
                    pair[1].abs() <= pair[0].abs() + 2,
                    "{name}: drive {} speeds up: {pair:?}",
                    drive + 1
                );
                assert!(
                    i64::from(pair[1]) * i64::from(pair[0]) >= 0 || pair[1].abs() <= 2,
                    "{name}: drive {} turns round",
                    drive + 1
                );
            }
            // Half a count of rounding may come and go.
            let standing = steps.iter().rposition(|step| step.abs() > 1).map_or(0, |last| last + 1);
            ends.push((standing, off));
        }
        let last = ends.iter().map(|end| end.0).max().unwrap();
        let slowest: Vec<_> = ends.iter().filter(|end| last - end.0 > 12).collect();
        assert!(slowest.is_empty(), "{name}: axes stand at different times: {ends:?}");
        assert!(last > 20, "{name}: no ramp: {ends:?}");
        assert!(ends.iter().all(|end| end.1 == ends[0].1), "{name}: not switched off together: {ends:?}");
        for &drive in drives {
            let again = self.frames[from.saturating_sub(2) + ends[0].1..]
                .iter()
                .filter_map(|frame| frame[drive])
                .any(|one| one.controlword & CONTROL_MASK == ENABLED);
            assert!(!again, "{name}: drive {} enabled again", drive + 1);
        }
    }

    /// Asserts a stop on the path from frame `from` on: drives stay enabled, every target lies on the way the arm
    /// would have gone, and at the end it stands.
    pub fn assert_path_hold(&self, name: &str, from: usize) {
        let way: Vec<[i32; DRIVES]> = twin().iter().map(targets).collect();
        let mut at = from.saturating_sub(2);
        for (index, frame) in self.frames.iter().enumerate().skip(from) {
            if frame.iter().any(|one| one.is_none_or(|one| !one.is_fresh)) {
                continue;
            }
            for one in frame.iter().flatten() {
                assert_eq!(one.controlword & CONTROL_MASK, ENABLED, "{name}: frame {index}");
            }
            let here = targets(frame);
            // Between two neighbours of the undisturbed way, in the direction of travel.
            while at + 1 < way.len() && !is_between(&here, &way[at], &way[at + 1]) {
                at += 1;
                assert!(at < index + 2, "{name}: frame {index} is not on the way");
            }
        }
        let last: Vec<_> = self.frames.iter().rev().take(20).map(targets).collect();
        assert!(last.windows(2).all(|pair| pair[0] == pair[1]), "{name}: the arm does not stand");
    }

    // ---- the second oracle ----------------------------------------------------------------------------------

    /// After the fault has ended (`cure`) the machine becomes ready again: on acknowledgement and explicit
    /// start, and not before.
    pub fn assert_becomes_ready(&mut self, name: &str, cure: &str) {
        let state = self.state();
        self.cycles(400);
        assert_eq!(self.state(), state, "{name}: the state changes by itself");
        let again = if state == MachineState::Held { "resume" } else { "enable" };
        assert!(self.client.command(again).is_err(), "{name}: {again} without acknowledgement");
        if !cure.is_empty() {
            self.inject(cure);
        }
        self.cycles(600);
        assert_eq!(self.state(), state, "{name}: the end of the fault changes the state");
        self.client.command("reset").unwrap();
        if state == MachineState::Held {
            self.cycles(5);
            self.resume();
        } else {
            self.until(MachineState::Disabled, 6_000);
            self.cycles(200);
            assert_eq!(self.state(), MachineState::Disabled, "{name}: a reset starts nothing");
            self.enable();
            self.cycles(100);
            assert_eq!(self.state(), MachineState::Ready, "{name}: enabling starts nothing");
            self.start();
        }
        self.cycles(500);
        assert_eq!(self.state(), MachineState::Executing, "{name}: {:#?}", self.client.last_events());
    }

    pub fn drive_state(&mut self, drive: usize) -> DriveState {
        self.client.cell.segment_mut().drive(drive).unwrap().state
    }
}

pub const ALL: [usize; DRIVES] = [0, 1, 2, 3, 4, 5];

/// Every drive but one.
pub fn others(drive: usize) -> Vec<usize> {
    ALL.into_iter().filter(|other| *other != drive).collect()
}

fn targets(frame: &Received) -> [i32; DRIVES] {
    std::array::from_fn(|drive| frame[drive].map_or(0, |one| one.target_position))
}

/// `here` lies between `first` and `second` in every drive, to a few counts.
fn is_between(here: &[i32; DRIVES], first: &[i32; DRIVES], second: &[i32; DRIVES]) -> bool {
    (0..DRIVES).all(|drive| {
        let way = i64::from(second[drive].wrapping_sub(first[drive]));
        let done = i64::from(here[drive].wrapping_sub(first[drive]));
        // The way is straight within a cycle to less than a thousandth of its length.
        let slack = way.abs() / 200 + 64;
        (way.min(0) - slack..=way.max(0) + slack).contains(&done)
    })
}
