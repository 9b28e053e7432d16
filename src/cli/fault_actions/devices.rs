//! SubDevices: state machine, identity, clock, mailbox.

use super::{Mistake, code, number, place, real, state, time, wide};
use crate::simulator::{AlState, AlStatus, Injection, MailboxFault, SiiNumber, SubDeviceFault};
use crate::units::Nanoseconds;

pub(super) fn read(words: &[&str]) -> Result<Option<Injection>, Mistake> {
    Ok(Some(match words {
        ["wkc", offset, "node", position, "for", count] => device(
            position,
            SubDeviceFault::WorkingCounter { count: number(count)?, offset: number(offset)? },
        )?,
        ["powercycle", position, "for", off_for @ ..] => {
            Injection::PowerCycle { device: place(position)?, off_for: time(off_for)? }
        }
        ["al", position, to, because] => {
            let state = state(to)?;
            if state == AlState::Op {
                return Err(Mistake::new("there is no such state to fall to", "INIT, PREOP, SAFEOP"));
            }
            Injection::AlError { device: place(position)?, state, code: code(because)? }
        }
        ["refuse_state", position, wanted, because] => {
            Injection::RefuseState { device: place(position)?, state: state(wanted)?, code: code(because)? }
        }
        ["show", position, "well"] => device(position, SubDeviceFault::ShownStatus(None))?,
        ["show", position, shown] => {
            let shown = AlStatus { state: state(shown)?, ..AlStatus::default() };
            device(position, SubDeviceFault::ShownStatus(Some(shown)))?
        }
        ["show", position, shown, because] => {
            let shown = AlStatus { state: state(shown)?, error: true, code: code(because)? };
            device(position, SubDeviceFault::ShownStatus(Some(shown)))?
        }
        ["slow", position, delay @ ..] => {
            device(position, SubDeviceFault::SlowTransitions { delay: time(delay)? })?
        }
        ["identity", position, which, value] => {
            let number = match *which {
                "vendor" => SiiNumber::Vendor,
                "product" => SiiNumber::Product,
                "revision" => SiiNumber::Revision,
                "serial" => SiiNumber::Serial,
                "alias" => SiiNumber::Alias,
                _ => {
                    return Err(Mistake::new(
                        "there is no such number",
                        "vendor, product, revision, serial, alias",
                    ));
                }
            };
            device(position, SubDeviceFault::Identity { number, value: wide(value)? })?
        }
        ["places", one, other] => device(one, SubDeviceFault::ChangePlaces { with: place(other)? })?,
        ["bridge", position] => device(position, SubDeviceFault::Bridged { bridged: true })?,
        ["unbridge", position] => device(position, SubDeviceFault::Bridged { bridged: false })?,
        ["double", position] => device(position, SubDeviceFault::Doubled)?,
        ["hang", position, lasts @ ..] => device(position, SubDeviceFault::Hang { lasts: time(lasts)? })?,
        ["sync0", position, level @ ("lost" | "back")] => {
            device(position, SubDeviceFault::Sync0Lost { lost: *level == "lost" })?
        }
        ["clock_difference", position, by_ns] => {
            device(position, SubDeviceFault::ClockDifference { by_ns: number(by_ns)? })?
        }
        ["clock_jitter", position, up_to_ns] => {
            device(position, SubDeviceFault::ClockJitter { up_to_ns: number(up_to_ns)? })?
        }
        ["clock_32_bits", position] => device(position, SubDeviceFault::NarrowClock)?,
        ["dc", "step", position, amount, "us"] => Injection::ClockStep {
            device: place(position)?,
            by_ns: number::<i64>(amount)?.saturating_mul(1000),
        },
        ["dc", "drift", position, ppm, "ppm"] => {
            let ppm = real(ppm, -1000.0..=1000.0, "-1000 to 1000 ppm")?;
            Injection::ClockDrift { device: place(position)?, ppm }
        }
        ["emcy", position, error] => {
            Injection::Emergency { device: place(position)?, code: code(error)?, register: 1 }
        }
        ["mailbox", position, fault @ ..] => {
            Injection::Mailbox { device: place(position)?, fault: mailbox(fault)? }
        }
        _ => return Ok(None),
    }))
}

fn mailbox(words: &[&str]) -> Result<MailboxFault, Mistake> {
    let count = number::<u32>;
    Ok(match words {
        ["mute", times] => MailboxFault::Mute { count: count(times)? },
        ["late", late, unit, "for", times] => {
            MailboxFault::Late { count: count(times)?, delay: time(&[late, unit])? }
        }
        ["counter", times] => MailboxFault::WrongCounter { count: count(times)? },
        ["index", times] => MailboxFault::WrongIndex { count: count(times)? },
        ["toggle", times] => MailboxFault::WrongToggle { count: count(times)? },
        ["stuck"] => MailboxFault::Stuck { stuck: true },
        ["well"] => MailboxFault::Stuck { stuck: false },
        ["unpadded"] => MailboxFault::Unpadded { unpadded: true },
        ["padded"] => MailboxFault::Unpadded { unpadded: false },
        ["abort", "all", because] => MailboxFault::Abort { index: None, code: wide(because)? },
        ["abort", index, because] => MailboxFault::Abort { index: Some(code(index)?), code: wide(because)? },
        ["instead", error, "for", times] => {
            MailboxFault::EmergencyInstead { count: count(times)?, code: code(error)? }
        }
        ["flood", error, "every", period, unit] => {
            MailboxFault::EmergencyFlood { period: time(&[period, unit])?, code: code(error)? }
        }
        ["calm"] => MailboxFault::EmergencyFlood { period: Nanoseconds(0), code: 0 },
        _ => return Err(Mistake::forms("what happens to the mailbox is not understood")),
    })
}

fn device(position: &str, fault: SubDeviceFault) -> Result<Injection, Mistake> {
    Ok(Injection::SubDevice { device: place(position)?, fault })
}
