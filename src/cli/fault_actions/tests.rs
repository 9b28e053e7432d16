use std::collections::BTreeSet;

use super::words::{WORDS, Word, listed};
use crate::cli::assembly::Assembly;
use crate::cli::fault_script::{FaultScript, ScriptUse};
use crate::simulator::{
    ArcFailure, FrameFault, HomingFailure, Injection, MailboxFault, Segment, ServoFault, ShaftSwitch,
    SubDeviceFault,
};

fn words() -> impl Iterator<Item = &'static Word> {
    WORDS.iter().flat_map(|(_, words)| *words)
}

/// Everything a form can be written as: each choice, with and without what is in brackets.
fn variants(word: &Word) -> Vec<String> {
    let mut lines = vec![Vec::new()];
    let mut example = word.example.split_whitespace();
    for part in word.form.split_whitespace() {
        let written = example.next();
        let choices: Vec<Option<&str>> = match part {
            part if part.starts_with('[') => vec![written, None],
            part if part.contains('|') && part.to_lowercase() == part => part.split('|').map(Some).collect(),
            // As many words as the example has: a time has two.
            _ => vec![written],
        };
        if part == "T" || part.ends_with("_T") {
            let unit = example.next();
            lines.iter_mut().for_each(|line: &mut Vec<Option<&str>>| line.extend([written, unit]));
            continue;
        }
        lines = lines
            .iter()
            .flat_map(|line| choices.iter().map(move |choice| [line.as_slice(), &[*choice]].concat()))
            .collect();
    }
    lines.iter().map(|line| line.iter().flatten().copied().collect::<Vec<_>>().join(" ")).collect()
}

/// A cell in which everything there is can go wrong.
fn segments() -> [Segment; 2] {
    let terminals = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/terminal-cell.toml");
    [None, Some(terminals.as_path())].map(|cell| Assembly::load(cell).unwrap().simulated_segment(1).unwrap())
}

#[test]
fn every_word_that_is_listed_is_read_and_happens() {
    let list = listed();
    for word in words() {
        assert!(list.contains(word.form) && list.contains(word.example), "{}", word.form);
        let mut lines = variants(word);
        lines.push(word.example.to_owned());
        for line in lines {
            let script = FaultScript::parse_for(&format!("at start: {line}"), ScriptUse::Bus)
                .unwrap_or_else(|problems| panic!("{line}: {problems:?}"));
            let happens = segments().into_iter().any(|segment| script.check(segment).is_ok());
            assert!(happens, "{line} happens in neither cell");
        }
    }
}

/// A name for each thing that can be injected; a new one does not compile until it is here, and fails the test
/// below until it has a word.
fn kind(injection: &Injection) -> &'static str {
    match injection {
        Injection::Frames(fault) => match fault {
            FrameFault::DropRandom { .. } => "drop random",
            FrameFault::Truncate { .. } => "truncate",
            FrameFault::Swap { .. } => "swap",
            FrameFault::Foreign { .. } => "foreign",
            FrameFault::Nop { .. } => "nop",
            FrameFault::Stall { .. } => "stall",
            FrameFault::LinkDown { .. } => "link down",
            FrameFault::RefuseSending { .. } => "refuse",
        },
        Injection::Flapping(_) => "flapping",
        Injection::Mailbox { fault, .. } => match fault {
            MailboxFault::Mute { .. } => "mute",
            MailboxFault::Late { .. } => "late",
            MailboxFault::WrongCounter { .. } => "counter",
            MailboxFault::WrongIndex { .. } => "index",
            MailboxFault::WrongToggle { .. } => "toggle",
            MailboxFault::Stuck { .. } => "stuck",
            MailboxFault::Unpadded { .. } => "unpadded",
            MailboxFault::Abort { .. } => "abort",
            MailboxFault::EmergencyInstead { .. } => "emergency instead",
            MailboxFault::EmergencyFlood { .. } => "emergency flood",
        },
        Injection::SubDevice { fault, .. } => match fault {
            SubDeviceFault::WorkingCounter { .. } => "working counter of one",
            SubDeviceFault::ShownStatus(_) => "shown status",
            SubDeviceFault::SlowTransitions { .. } => "slow",
            SubDeviceFault::Identity { .. } => "identity",
            SubDeviceFault::Bridged { .. } => "bridged",
            SubDeviceFault::ChangePlaces { .. } => "places",
            SubDeviceFault::Doubled => "doubled",
            SubDeviceFault::Hang { .. } => "hang",
            SubDeviceFault::Sync0Lost { .. } => "sync0",
            SubDeviceFault::ClockDifference { .. } => "clock difference",
            SubDeviceFault::ClockJitter { .. } => "clock jitter",
            SubDeviceFault::NarrowClock => "narrow clock",
        },
        Injection::Drive { fault, .. } => match fault {
            ServoFault::ModeDisplay(_) => "mode display",
            ServoFault::IgnoresSetpoints(_) => "ignores setpoints",
            ServoFault::TargetReached(_) => "target reached",
            ServoFault::Homing(Some(HomingFailure::Error)) => "homing error",
            ServoFault::Homing(Some(HomingFailure::Never)) => "homing never",
            ServoFault::Homing(None) => "homing well",
            ServoFault::SlowReaction(_) => "slow reaction",
            ServoFault::EncoderZero => "encoder zero",
        },
        Injection::DropFrames { processed: true, .. } => "drop",
        Injection::DropFrames { processed: false, .. } => "drop unprocessed",
        Injection::DuplicateFrames { .. } => "duplicate",
        Injection::DelayFrames { .. } => "delay",
        Injection::CorruptFrames { .. } => "corrupt",
        Injection::WorkingCounterOffset { .. } => "working counter",
        Injection::Detach { .. } => "detach",
        Injection::Attach => "attach",
        Injection::PowerCycle { .. } => "power cycle",
        Injection::AlError { .. } => "al error",
        Injection::RefuseState { .. } => "refuse state",
        Injection::DriveFault { lasts: false, .. } => "drive fault",
        Injection::DriveFault { lasts: true, .. } => "lasting drive fault",
        Injection::Emergency { .. } => "emergency",
        Injection::SafeTorqueOff { .. } => "safe torque off",
        Injection::VoltageLoss { .. } => "voltage",
        Injection::EncoderJump { .. } => "encoder jump",
        Injection::EncoderSpeed { .. } => "encoder speed",
        Injection::Wrench { .. } => "wrench",
        Injection::PlantStall { .. } => "stalled",
        Injection::ShaftSwitch { switch, .. } => match switch {
            ShaftSwitch::NegativeLimit => "negative limit",
            ShaftSwitch::PositiveLimit => "positive limit",
            ShaftSwitch::Home => "home switch",
            ShaftSwitch::Probe1 => "probe 1",
            ShaftSwitch::Probe2 => "probe 2",
        },
        Injection::ClockStep { .. } => "clock step",
        Injection::ClockDrift { .. } => "clock drift",
        Injection::PortErrors { .. } => "port errors",
        Injection::StopInput { .. } => "stop input",
        Injection::DigitalInput { .. } => "digital input",
        Injection::AnalogInput { .. } => "analog input",
        Injection::PowerSource(Some(ArcFailure::NotReady)) => "arc not ready",
        Injection::PowerSource(Some(ArcFailure::NeverEstablishes)) => "arc never",
        Injection::PowerSource(Some(ArcFailure::GoesOutAfter(_))) => "arc lost",
        Injection::PowerSource(None) => "arc well",
    }
}

#[test]
fn everything_that_can_be_injected_has_a_word() {
    let switches = ["negative_limit", "positive_limit", "home", "probe_1", "probe_2"];
    let more = switches.map(|switch| format!("switch 1 {switch} on"));
    let lines = words().flat_map(|word| [variants(word), vec![word.example.to_owned()]].concat()).chain(more);
    let text: String = lines.map(|line| format!("at start: {line}\n")).collect();
    let mut script = FaultScript::parse_for(&text, ScriptUse::Bus).unwrap();
    let found: BTreeSet<&str> = script.at_start().iter().map(kind).collect();
    // As many as `kind` has arms.
    assert_eq!(found.len(), KINDS, "{found:#?}");
}

/// Arms of [`kind`].
const KINDS: usize = 74;

#[test]
fn what_is_not_there_is_named_with_its_line() {
    let text = "at start: bridge 2\nat 3 s: hang 40 1 s\nat 4 s: mailbox 7 mute 1\nat 5 s: drop 1";
    let script = FaultScript::parse_for(text, ScriptUse::Bus).unwrap();
    let assembly = Assembly::load(None).unwrap();
    let problems = script.check(assembly.simulated_segment(1).unwrap()).unwrap_err();
    let places: Vec<&str> = problems.iter().map(|problem| problem.place.as_str()).collect();
    assert_eq!(places, ["line 2", "line 3"], "no device 40; device 7 has no mailbox: {problems:?}");
}

#[test]
fn numbers_times_and_states_that_make_no_sense_are_refused_with_what_is_allowed() {
    for (wrong, allowed) in [
        ("at start: drop 101 % of 10", "0 to 100 %"),
        ("at start: stall 50", "50 ms"),
        ("at start: stall 50 min", "50 ms"),
        ("at start: stall -1 s", "3600 s"),
        ("at start: identity 2 colour 3", "serial"),
        ("at start: show 1 RUN", "SAFEOP"),
        ("at start: al 1 OP 3", "INIT, PREOP, SAFEOP"),
        ("at start: mailbox 1 sleeps", "mailbox N toggle N"),
        ("at start: mailbox 0 mute 1", "mailbox N mute N"),
        ("at start: drive 2 burns", "drive N fault CODE [lasts]"),
        ("at start: drive 2.0 well", "drive N well"),
        ("at start: switch 2 lid on", "switch N SWITCH on|off|free"),
        ("at start: switch 2 home up", "on, off, free"),
        ("at start: wrench 12 1 2 3", "wrench N FX FY FZ TX TY TZ"),
        ("at start: wkc one for 3", "wkc ±N for N"),
        ("after executing: swap 1", "SAFEOP"),
        ("at start: burn 3", "mailbox, emcy, drive"),
    ] {
        let problems = FaultScript::parse_for(wrong, ScriptUse::Bus).unwrap_err();
        assert_eq!(problems[0].place, "line 1", "{wrong}");
        assert!(problems[0].allowed.contains(allowed), "{wrong}: {}", problems[0].allowed);
    }
    assert!(FaultScript::parse_for("after executing: swap 1", ScriptUse::Cell).is_ok());
    assert!(FaultScript::parse_for("after OP 20 cycles: swap 1", ScriptUse::Bus).is_ok());
}
