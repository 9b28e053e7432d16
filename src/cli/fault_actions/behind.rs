//! What is behind the SubDevices: drives with their motors and switches, terminals, sensors, equipment.

use super::{Mistake, code, drive, number, place, real, time};
use crate::simulator::{ArcFailure, Channel, HomingFailure, Injection, ServoFault, ShaftSwitch};
use crate::units::Nanoseconds;

pub(super) fn read(words: &[&str]) -> Result<Option<Injection>, Mistake> {
    Ok(Some(match words {
        ["drive", at, fault @ ..] => return of_drive(at, fault).map(Some),
        ["sto", level @ ("on" | "off")] => Injection::SafeTorqueOff { device: None, active: *level == "on" },
        ["sto", level @ ("on" | "off"), position] => {
            Injection::SafeTorqueOff { device: Some(place(position)?), active: *level == "on" }
        }
        ["voltage", level @ ("lost" | "back")] => {
            Injection::VoltageLoss { device: None, lost: *level == "lost" }
        }
        ["voltage", level @ ("lost" | "back"), position] => {
            Injection::VoltageLoss { device: Some(place(position)?), lost: *level == "lost" }
        }
        ["encoder", at, "jump", counts] => {
            Injection::EncoderJump { drive: drive(at)?, counts: number(counts)? }
        }
        ["encoder", at, "zero"] => Injection::Drive { drive: drive(at)?, fault: ServoFault::EncoderZero },
        ["encoder", position, "speed", counts_s] => Injection::EncoderSpeed {
            device: place(position)?,
            counts_s: real(counts_s, -1e8..=1e8, "-1e8 to 1e8 counts/s")?,
        },
        ["plant", at, level @ ("stall" | "free")] => {
            Injection::PlantStall { drive: drive(at)?, stalled: *level == "stall" }
        }
        ["switch", at, which, level] => Injection::ShaftSwitch {
            drive: drive(at)?,
            switch: match *which {
                "negative_limit" => ShaftSwitch::NegativeLimit,
                "positive_limit" => ShaftSwitch::PositiveLimit,
                "home" => ShaftSwitch::Home,
                "probe_1" => ShaftSwitch::Probe1,
                "probe_2" => ShaftSwitch::Probe2,
                _ => return Err(Mistake::forms("there is no such switch")),
            },
            level: stuck(level)?,
        },
        ["wrench", position, values @ ..] => {
            let read: Result<Vec<f64>, Mistake> =
                values.iter().map(|value| real(value, -1e5..=1e5, "-100000 to 100000 N, N m")).collect();
            let wrench =
                <[f64; 6]>::try_from(read?).map_err(|_| Mistake::forms("a wrench has six numbers"))?;
            Injection::Wrench { device: place(position)?, wrench }
        }
        ["input", position, channel, level @ ("on" | "off")] => Injection::DigitalInput {
            channel: Channel { device: place(position)?, channel: number(channel)? },
            level: *level == "on",
        },
        ["analog", position, channel, counts] => Injection::AnalogInput {
            channel: Channel { device: place(position)?, channel: number(channel)? },
            value: number(counts)?,
        },
        ["stop_input", level @ ("open" | "closed")] => Injection::StopInput { closed: *level == "closed" },
        ["arc", "never"] => Injection::PowerSource(Some(ArcFailure::NeverEstablishes)),
        ["arc", "not_ready"] => Injection::PowerSource(Some(ArcFailure::NotReady)),
        ["arc", "lost"] => Injection::PowerSource(Some(ArcFailure::GoesOutAfter(Nanoseconds(0)))),
        ["arc", "well"] => Injection::PowerSource(None),
        _ => return Ok(None),
    }))
}

fn of_drive(at: &str, words: &[&str]) -> Result<Injection, Mistake> {
    let drive = drive(at)?;
    let fault = match words {
        ["fault", error] => return Ok(Injection::DriveFault { drive, code: code(error)?, lasts: false }),
        ["fault", error, "lasts"] => {
            return Ok(Injection::DriveFault { drive, code: code(error)?, lasts: true });
        }
        ["well"] => return Ok(Injection::DriveFault { drive, code: 0, lasts: false }),
        ["reaction", lasts @ ..] => ServoFault::SlowReaction(time(lasts)?),
        ["mode_display", "well"] => ServoFault::ModeDisplay(None),
        ["mode_display", mode] => ServoFault::ModeDisplay(Some(number(mode)?)),
        ["setpoints", level @ ("ignored" | "followed")] => ServoFault::IgnoresSetpoints(*level == "ignored"),
        ["target_reached", level] => ServoFault::TargetReached(stuck(level)?),
        ["homing", "error"] => ServoFault::Homing(Some(HomingFailure::Error)),
        ["homing", "never"] => ServoFault::Homing(Some(HomingFailure::Never)),
        ["homing", "well"] => ServoFault::Homing(None),
        _ => return Err(Mistake::forms("what happens to the drive is not understood")),
    };
    Ok(Injection::Drive { drive, fault })
}

/// A level something is stuck at; `None`: it works again.
fn stuck(word: &str) -> Result<Option<bool>, Mistake> {
    match word {
        "on" => Ok(Some(true)),
        "off" => Ok(Some(false)),
        "free" => Ok(None),
        _ => Err(Mistake::new("there is no such level", "on, off, free")),
    }
}
