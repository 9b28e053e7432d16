//! The lines of a [fault script](super::fault_script) for the wire and the SubDevices themselves.

use super::fault_script::{Mistake, code_of, place, read};
use crate::simulator::{
    AlState, AlStatus, Flapping, FrameFault, Injection, MailboxFault, SiiNumber, SubDeviceFault,
};
use crate::units::Nanoseconds;

/// What can happen on the wire and in the SubDevices. `T` is a time: `50 ms`, `900 us`, `2 s`.
pub const WIRE_ACTIONS: &str = "\
frames: drop N | drop N unprocessed | drop P % of N | dup N | delay N us for N | truncate B for N | swap N | \
foreign N | nop N | flip byte N for N | wkc ±N for N | wkc ±N node N for N; \
host and cable: stall T | link down T | refuse N | detach N | attach | flap N every T for N; \
SubDevice: powercycle N for T s | al N STATE CODE | refuse_state N STATE CODE | show N STATE [CODE] | show N well | \
slow N T | identity N vendor|product|revision|serial|alias NUMBER | places N N | bridge N | unbridge N | \
double N | hang N T; \
clock: sync0 N lost|back | clock_difference N NS | clock_jitter N NS | clock_32_bits N; \
mailbox N: mute N | late T for N | counter N | index N | toggle N | stuck | well | unpadded | padded | \
abort INDEX|all CODE | instead CODE for N | flood CODE every T | calm; emcy N CODE";

/// Reads an action.
pub(super) fn injection(words: &[&str]) -> Result<Injection, Mistake> {
    let count = |word: &str| read::<u32>(word, WIRE_ACTIONS);
    Ok(match words {
        ["drop", number, "unprocessed"] => Injection::DropFrames { count: count(number)?, processed: false },
        ["drop", percent, "%", "of", number] => {
            let percent: f64 = read(percent, WIRE_ACTIONS)?;
            if !(0.0..=100.0).contains(&percent) {
                return Err(("the share is out of range", "0 to 100 %"));
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
            let per_mille = (percent * 10.0).round() as u16;
            Injection::Frames(FrameFault::DropRandom { count: count(number)?, per_mille })
        }
        ["truncate", bytes, "for", number] => Injection::Frames(FrameFault::Truncate {
            count: count(number)?,
            bytes: read(bytes, WIRE_ACTIONS)?,
        }),
        ["swap", number] => Injection::Frames(FrameFault::Swap { count: count(number)? }),
        ["foreign", number] => Injection::Frames(FrameFault::Foreign { count: count(number)? }),
        ["nop", number] => Injection::Frames(FrameFault::Nop { count: count(number)? }),
        ["stall", time @ ..] => Injection::Frames(FrameFault::Stall { lasts: time_of(time)? }),
        ["link", "down", time @ ..] => Injection::Frames(FrameFault::LinkDown { lasts: time_of(time)? }),
        ["refuse", number] => Injection::Frames(FrameFault::RefuseSending { count: count(number)? }),
        ["flap", position, "every", time, unit, "for", number] => Injection::Flapping(Flapping {
            position: place(position)?,
            period: time_of(&[time, unit])?,
            count: count(number)?,
        }),
        ["wkc", offset, "node", position, "for", number] => device(
            position,
            SubDeviceFault::WorkingCounter { count: count(number)?, offset: read(offset, WIRE_ACTIONS)? },
        )?,
        ["refuse_state", position, state, code] => {
            Injection::RefuseState { device: place(position)?, state: state_of(state)?, code: code_of(code)? }
        }
        ["show", position, "well"] => device(position, SubDeviceFault::ShownStatus(None))?,
        ["show", position, state] => {
            let shown = AlStatus { state: state_of(state)?, ..AlStatus::default() };
            device(position, SubDeviceFault::ShownStatus(Some(shown)))?
        }
        ["show", position, state, code] => {
            let shown = AlStatus { state: state_of(state)?, error: true, code: code_of(code)? };
            device(position, SubDeviceFault::ShownStatus(Some(shown)))?
        }
        ["slow", position, time @ ..] => {
            device(position, SubDeviceFault::SlowTransitions { delay: time_of(time)? })?
        }
        ["identity", position, number, value] => {
            let number = match *number {
                "vendor" => SiiNumber::Vendor,
                "product" => SiiNumber::Product,
                "revision" => SiiNumber::Revision,
                "serial" => SiiNumber::Serial,
                "alias" => SiiNumber::Alias,
                _ => return Err(("there is no such number", "vendor, product, revision, serial, alias")),
            };
            device(position, SubDeviceFault::Identity { number, value: number_of(value)? })?
        }
        ["places", one, other] => device(one, SubDeviceFault::ChangePlaces { with: place(other)? })?,
        ["bridge", position] => device(position, SubDeviceFault::Bridged { bridged: true })?,
        ["unbridge", position] => device(position, SubDeviceFault::Bridged { bridged: false })?,
        ["double", position] => device(position, SubDeviceFault::Doubled)?,
        ["hang", position, time @ ..] => device(position, SubDeviceFault::Hang { lasts: time_of(time)? })?,
        ["sync0", position, level @ ("lost" | "back")] => {
            device(position, SubDeviceFault::Sync0Lost { lost: *level == "lost" })?
        }
        ["clock_difference", position, by_ns] => {
            device(position, SubDeviceFault::ClockDifference { by_ns: read(by_ns, WIRE_ACTIONS)? })?
        }
        ["clock_jitter", position, up_to_ns] => {
            device(position, SubDeviceFault::ClockJitter { up_to_ns: read(up_to_ns, WIRE_ACTIONS)? })?
        }
        ["clock_32_bits", position] => device(position, SubDeviceFault::NarrowClock)?,
        ["emcy", position, code] => {
            Injection::Emergency { device: place(position)?, code: code_of(code)?, register: 1 }
        }
        ["mailbox", position, fault @ ..] => {
            Injection::Mailbox { device: place(position)?, fault: mailbox(fault)? }
        }
        _ => return Err(("what happens is not understood", ALL_ACTIONS)),
    })
}

/// Both lists, for a line that fits neither.
const ALL_ACTIONS: &str = "an action of the list in src/cli/fault_script.rs and src/cli/fault_actions.rs, such as \
`drop 4`, `drive 2 fault 0x7500`, `mailbox 2 mute 1`";

fn mailbox(words: &[&str]) -> Result<MailboxFault, Mistake> {
    let count = |word: &str| read::<u32>(word, WIRE_ACTIONS);
    Ok(match words {
        ["mute", number] => MailboxFault::Mute { count: count(number)? },
        ["late", time, unit, "for", number] => {
            MailboxFault::Late { count: count(number)?, delay: time_of(&[time, unit])? }
        }
        ["counter", number] => MailboxFault::WrongCounter { count: count(number)? },
        ["index", number] => MailboxFault::WrongIndex { count: count(number)? },
        ["toggle", number] => MailboxFault::WrongToggle { count: count(number)? },
        ["stuck"] => MailboxFault::Stuck { stuck: true },
        ["well"] => MailboxFault::Stuck { stuck: false },
        ["unpadded"] => MailboxFault::Unpadded { unpadded: true },
        ["padded"] => MailboxFault::Unpadded { unpadded: false },
        ["abort", "all", code] => MailboxFault::Abort { index: None, code: number_of(code)? },
        ["abort", index, code] => {
            MailboxFault::Abort { index: Some(code_of(index)?), code: number_of(code)? }
        }
        ["instead", code, "for", number] => {
            MailboxFault::EmergencyInstead { count: count(number)?, code: code_of(code)? }
        }
        ["flood", code, "every", time, unit] => {
            MailboxFault::EmergencyFlood { period: time_of(&[time, unit])?, code: code_of(code)? }
        }
        ["calm"] => MailboxFault::EmergencyFlood { period: Nanoseconds(0), code: 0 },
        _ => return Err(("what happens to the mailbox is not understood", WIRE_ACTIONS)),
    })
}

fn device(position: &str, fault: SubDeviceFault) -> Result<Injection, Mistake> {
    Ok(Injection::SubDevice { device: place(position)?, fault })
}

fn state_of(name: &str) -> Result<AlState, Mistake> {
    let found = AlState::ALL.into_iter().find(|state| state.name() == name);
    found.ok_or(("there is no such state", "INIT, PREOP, SAFEOP, OP"))
}

fn number_of(word: &str) -> Result<u32, Mistake> {
    let parsed = match word.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => word.parse(),
    };
    parsed.map_err(|_| ("the number is not understood", "a number up to 0xFFFFFFFF"))
}

/// A time with its unit.
fn time_of(words: &[&str]) -> Result<Nanoseconds, Mistake> {
    const ALLOWED: &str = "a time up to 3600 s, such as 900 us, 50 ms, 2 s";
    let [number, unit] = words else { return Err(("there is no time", ALLOWED)) };
    let per_second = match *unit {
        "s" => 1.0,
        "ms" => 1e3,
        "us" => 1e6,
        _ => return Err(("there is no such unit of time", ALLOWED)),
    };
    let seconds = read::<f64>(number, ALLOWED)? / per_second;
    if !(0.0..=3600.0).contains(&seconds) {
        return Err(("the time is out of range", ALLOWED));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 3600 s")]
    Ok(Nanoseconds((seconds * 1e9).round() as u64))
}

#[cfg(test)]
mod tests {
    use super::super::fault_script::{FaultScript, ScriptUse};

    /// One line of every action.
    const ALL: &str = "
        drop 2 unprocessed
        drop 0.5 % of 10000
        truncate 30 for 2
        swap 1
        foreign 3
        nop 1
        stall 50 ms
        link down 100 ms
        refuse 2
        flap 3 every 20 ms for 5
        wkc -1 node 3 for 4
        refuse_state 2 SAFEOP 0x0024
        show 1 SAFEOP
        show 1 SAFEOP 0x001B
        show 1 well
        slow 2 300 ms
        identity 2 serial 0x1234
        places 1 2
        bridge 2
        unbridge 2
        double 3
        hang 1 200 ms
        sync0 1 lost
        sync0 1 back
        clock_difference 1 -25000
        clock_jitter 1 2000
        clock_32_bits 1
        emcy 1 0x8611
        mailbox 1 mute 1
        mailbox 1 late 20 ms for 1
        mailbox 1 counter 1
        mailbox 1 index 1
        mailbox 1 toggle 1
        mailbox 1 stuck
        mailbox 1 well
        mailbox 1 unpadded
        mailbox 1 padded
        mailbox 1 abort all 0x08000020
        mailbox 1 abort 0x60C2 0x08000021
        mailbox 1 instead 0x2320 for 2
        mailbox 1 flood 0x8611 every 1 ms
        mailbox 1 calm";

    #[test]
    fn every_action_is_read_and_happens() {
        let lines: Vec<&str> = ALL.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let text: String = lines.iter().map(|line| format!("at start: {line}\n")).collect();
        let mut script = FaultScript::parse_for(&text, ScriptUse::Bus).unwrap();
        let assembly = crate::cli::assembly::Assembly::load(None).unwrap();
        assert_eq!(script.check(assembly.simulated_segment(1).unwrap()), Ok(()));
        assert_eq!(script.at_start().len(), lines.len());
        assert!(script.at_start().is_empty(), "once");
    }

    #[test]
    fn what_is_not_there_is_named_with_its_line() {
        let text = "at start: bridge 2\nat 3 s: hang 40 1 s\nat 4 s: mailbox 7 mute 1\nat 5 s: drop 1";
        let script = FaultScript::parse_for(text, ScriptUse::Bus).unwrap();
        let assembly = crate::cli::assembly::Assembly::load(None).unwrap();
        let problems = script.check(assembly.simulated_segment(1).unwrap()).unwrap_err();
        let places: Vec<&str> = problems.iter().map(|problem| problem.place.as_str()).collect();
        assert_eq!(places, ["line 2", "line 3"], "no device 40; device 7 has no mailbox: {problems:?}");
    }

    #[test]
    fn numbers_times_and_states_that_make_no_sense_are_refused() {
        for wrong in [
            "at start: drop 101 % of 10",
            "at start: stall 50",
            "at start: stall 50 min",
            "at start: stall -1 s",
            "at start: identity 2 colour 3",
            "at start: show 1 RUN",
            "at start: mailbox 1 sleeps",
            "at start: mailbox 0 mute 1",
            "after executing: swap 1",
            "at start: burn 3",
        ] {
            let problems = FaultScript::parse_for(wrong, ScriptUse::Bus).unwrap_err();
            assert_eq!(problems[0].place, "line 1", "{wrong}");
        }
        assert!(FaultScript::parse_for("after executing: swap 1", ScriptUse::Cell).is_ok());
        assert!(FaultScript::parse_for("after OP 20 cycles: swap 1", ScriptUse::Bus).is_ok());
    }
}
