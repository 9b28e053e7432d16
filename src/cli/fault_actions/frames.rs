//! Frames, host and cable.

use super::{Mistake, number, place, real, time};
use crate::simulator::{Flapping, FrameFault, Injection};

pub(super) fn read(words: &[&str]) -> Result<Option<Injection>, Mistake> {
    Ok(Some(match words {
        ["drop", count] => Injection::DropFrames { count: number(count)?, processed: true },
        ["drop", count, "unprocessed"] => Injection::DropFrames { count: number(count)?, processed: false },
        ["drop", percent, "%", "of", count] => {
            let percent = real(percent, 0.0..=100.0, "0 to 100 %")?;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
            let per_mille = (percent * 10.0).round() as u16;
            Injection::Frames(FrameFault::DropRandom { count: number(count)?, per_mille })
        }
        ["dup", count] => Injection::DuplicateFrames { count: number(count)? },
        ["delay", late, unit, "for", count] => {
            Injection::DelayFrames { count: number(count)?, delay: time(&[late, unit])? }
        }
        ["flip", "byte", offset, "for", count] => {
            Injection::CorruptFrames { count: number(count)?, offset: number(offset)?, mask: 0xFF }
        }
        ["truncate", bytes, "for", count] => {
            Injection::Frames(FrameFault::Truncate { count: number(count)?, bytes: number(bytes)? })
        }
        ["swap", count] => Injection::Frames(FrameFault::Swap { count: number(count)? }),
        ["foreign", count] => Injection::Frames(FrameFault::Foreign { count: number(count)? }),
        ["nop", count] => Injection::Frames(FrameFault::Nop { count: number(count)? }),
        ["wkc", offset, "for", count] => {
            Injection::WorkingCounterOffset { count: number(count)?, offset: number(offset)? }
        }
        ["stall", lasts @ ..] => Injection::Frames(FrameFault::Stall { lasts: time(lasts)? }),
        ["link", "down", lasts @ ..] => Injection::Frames(FrameFault::LinkDown { lasts: time(lasts)? }),
        ["refuse", count] => Injection::Frames(FrameFault::RefuseSending { count: number(count)? }),
        ["detach", position] => Injection::Detach { position: place(position)? },
        ["attach"] => Injection::Attach,
        ["flap", position, "every", period, unit, "for", count] => Injection::Flapping(Flapping {
            position: place(position)?,
            period: time(&[period, unit])?,
            count: number(count)?,
        }),
        ["port_errors", position, port, invalid_frames, lost_links] => Injection::PortErrors {
            device: place(position)?,
            port: number(port)?,
            invalid_frames: number(invalid_frames)?,
            lost_links: number(lost_links)?,
        },
        _ => return Ok(None),
    }))
}
