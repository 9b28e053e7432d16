//! What is audited before OP: how each drive reacts when something goes wrong, and how far its joint goes then.

use crate::bus_health::reaction::{
    OPTION_CODES, Reaction, ReactionRule, SYNC_ERROR_LIMIT, SYNC_ERROR_SETTING, SYNC_ERROR_STEP,
};
use crate::config::cell::{Cell, SubDevice};
use crate::devices::objects;
use crate::telemetry::joint_travel::JointTravel;
use crate::units::Nanoseconds;

/// Time after which a SubDevice without frames makes itself safe: watchdog, and its own counting of missed frames.
pub const REACTION_TIME: Nanoseconds = Nanoseconds(10_000_000);

/// What `subdevice` must do; nothing is asked of one that moves nothing.
#[must_use]
pub fn reactions_of(subdevice: &SubDevice, cycle_time: Nanoseconds) -> Vec<Reaction> {
    let axes = 0..u16::try_from(subdevice.device.kind.axes()).unwrap_or(0);
    if axes.is_empty() {
        return Vec::new();
    }
    let cycles = u32::try_from(REACTION_TIME.0 / cycle_time.0.max(1)).unwrap_or(u32::MAX).max(1);
    let limit = i32::try_from(SYNC_ERROR_STEP.saturating_mul(cycles)).unwrap_or(i32::MAX);
    let option_codes = axes.flat_map(|axis| {
        OPTION_CODES.iter().zip(subdevice.option_codes).filter_map(move |(code, value)| {
            let index = code.index + objects::AXIS_STEP * axis;
            Some(Reaction { index, subindex: 0, rule: ReactionRule::Equal(i32::from(value?)) })
        })
    });
    let rule = ReactionRule::AtMost(limit);
    option_codes.chain([Reaction { index: SYNC_ERROR_SETTING, subindex: SYNC_ERROR_LIMIT, rule }]).collect()
}

/// How far each joint goes when the controller dies at its full speed.
#[must_use]
pub fn joint_travels(cell: &Cell) -> Vec<JointTravel> {
    // The drive still reaches for the setpoint of the last cycle when its watchdog begins to count.
    let notices_after_s = REACTION_TIME.as_seconds() + cell.link.cycle_time.as_seconds();
    let limits = cell.joint_limits.as_slice().iter().enumerate();
    limits
        .filter_map(|(joint, limit)| {
            let kind = cell.model.chain.joint_kind(joint)?;
            Some(JointTravel::new(joint, kind, limit.speed_max, limit.acceleration_max, notices_after_s))
        })
        .collect()
}
