//! The actions of a [fault script](super::fault_script): words to injections. What there is stands in
//! [`words::WORDS`].

mod behind;
mod devices;
mod frames;
#[cfg(test)]
mod tests;
pub mod words;

use std::borrow::Cow;
use std::str::FromStr;

use crate::devices::DrivePlace;
use crate::simulator::{AlState, Injection};
use crate::units::Nanoseconds;

/// What is wrong, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) message: &'static str,
    pub(super) allowed: Cow<'static, str>,
}

impl Mistake {
    pub(super) const fn new(message: &'static str, allowed: &'static str) -> Self {
        Self { message, allowed: Cow::Borrowed(allowed) }
    }

    /// What is allowed are the forms of the word the action begins with.
    const fn forms(message: &'static str) -> Self {
        Self::new(message, "")
    }
}

/// Reads an action.
pub(super) fn injection(words: &[&str]) -> Result<Injection, Mistake> {
    let read = || {
        for group in [frames::read, devices::read, behind::read] {
            if let Some(injection) = group(words)? {
                return Ok(injection);
            }
        }
        Err(Mistake::forms("what happens is not understood"))
    };
    read().map_err(|mistake: Mistake| {
        let is_open = mistake.allowed.is_empty();
        if is_open { Mistake { allowed: words::allowed(words.first().copied()), ..mistake } } else { mistake }
    })
}

/// A number; `allowed`: what may be there instead.
pub(super) fn number_of<T: FromStr>(word: &str, allowed: &'static str) -> Result<T, Mistake> {
    word.parse().map_err(|_| Mistake::new("a number is not understood or out of range", allowed))
}

fn number<T: FromStr>(word: &str) -> Result<T, Mistake> {
    number_of(word, "")
}

/// A number with a fraction, in a range.
fn real(word: &str, range: std::ops::RangeInclusive<f64>, allowed: &'static str) -> Result<f64, Mistake> {
    let value: f64 = number_of(word, allowed)?;
    if range.contains(&value) { Ok(value) } else { Err(Mistake::new("a number is out of range", allowed)) }
}

/// A position on the bus.
fn place(word: &str) -> Result<usize, Mistake> {
    number::<usize>(word)?.checked_sub(1).ok_or(Mistake::forms("positions count from 1"))
}

/// A drive: its position, and behind a dot its axis where a SubDevice has two.
fn drive(word: &str) -> Result<DrivePlace, Mistake> {
    let (position, axis) = word.split_once('.').unwrap_or((word, "1"));
    Ok(DrivePlace { subdevice: place(position)?, axis: place(axis)? })
}

/// A code of 16 bits.
fn code(word: &str) -> Result<u16, Mistake> {
    let parsed = match word.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16),
        None => word.parse(),
    };
    parsed.map_err(|_| Mistake::new("the code is not understood", "a number up to 0xFFFF"))
}

/// A number of 32 bits.
fn wide(word: &str) -> Result<u32, Mistake> {
    let parsed = match word.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => word.parse(),
    };
    parsed.map_err(|_| Mistake::new("the number is not understood", "a number up to 0xFFFFFFFF"))
}

fn state(name: &str) -> Result<AlState, Mistake> {
    let found = AlState::ALL.into_iter().find(|state| state.name() == name);
    found.ok_or(Mistake::new("there is no such state", "INIT, PREOP, SAFEOP, OP"))
}

/// A time with its unit.
fn time(words: &[&str]) -> Result<Nanoseconds, Mistake> {
    const ALLOWED: &str = "a time up to 3600 s, such as 900 us, 50 ms, 2 s";
    let [number, unit] = words else { return Err(Mistake::new("there is no time", ALLOWED)) };
    let per_second = match *unit {
        "s" => 1.0,
        "ms" => 1e3,
        "us" => 1e6,
        _ => return Err(Mistake::new("there is no such unit of time", ALLOWED)),
    };
    let seconds = number_of::<f64>(number, ALLOWED)? / per_second;
    if !(0.0..=3600.0).contains(&seconds) {
        return Err(Mistake::new("the time is out of range", ALLOWED));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 3600 s")]
    Ok(Nanoseconds((seconds * 1e9).round() as u64))
}
