//! The ports the devices report (0x0110), checked before ethercrab looks at them: it asserts that they make a
//! tree it can follow.

use super::error::BringUpError;
use crate::devices::MAX_SUBDEVICES;
use crate::fieldbus::frame_pump::FramePump;
use crate::fieldbus::link::FrameLink;
use crate::fieldbus::registers;
use crate::units::Nanoseconds;

/// Longest time for all devices.
const READ_TIME: Nanoseconds = Nanoseconds(1_000_000_000);

/// Refuses what ethercrab would trip over. Says nothing when devices do not answer: that is found later, with
/// a better reason.
pub(super) fn check<L: FrameLink>(pump: &mut FramePump<L>) -> Result<(), BringUpError> {
    let deadline = pump.link().now().plus(READ_TIME);
    let count = registers::count_subdevices(pump, deadline).unwrap_or(0);
    let mut statuses = Vec::new();
    for position in 0..count.min(u16::try_from(MAX_SUBDEVICES).unwrap_or(u16::MAX)) {
        let Ok(status) = registers::read_by_position(pump, position, registers::DL_STATUS, deadline) else {
            return Ok(());
        };
        statuses.push(status);
    }
    match odd_one(&statuses) {
        None => Ok(()),
        Some((position, is_nested)) => Err(BringUpError::Topology {
            position,
            dl_status: statuses.get(position).copied().unwrap_or(0),
            is_nested,
        }),
    }
}

/// The first device that cannot be where it is, and whether it could be if forks within forks were followed.
fn odd_one(statuses: &[u16]) -> Option<(usize, bool)> {
    // Bits 4 to 7: a link at port 0 to 3.
    let open: Vec<u32> = statuses.iter().map(|status| (status >> 4 & 0x0F).count_ones()).collect();
    let mut free: Vec<u32> = open.iter().map(|open| open.saturating_sub(1)).collect();
    for (position, &ports) in open.iter().enumerate() {
        if ports == 0 {
            return Some((position, false));
        }
        let Some(previous) = position.checked_sub(1) else { continue };
        // What ethercrab takes for the parent: the previous device, or after the end of a branch the fork
        // before it, whether or not that one has a port left.
        let parent = if open.get(previous).is_some_and(|&open| open > 1) {
            Some(previous)
        } else {
            (0..previous).rev().find(|&before| open.get(before).is_some_and(|&open| open > 2))
        };
        let place = parent.and_then(|parent| free.get_mut(parent)).filter(|free| **free > 0);
        let Some(place) = place else {
            let is_nested = free.iter().take(position).any(|&free| free > 0);
            return Some((position, is_nested));
        };
        *place -= 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DL status with links at this many ports.
    fn ports(counts: &[u32]) -> Vec<u16> {
        counts.iter().map(|&count| ((1_u16 << count) - 1) << 4).collect()
    }

    #[test]
    fn lines_and_forks_are_accepted() {
        for good in [&[1][..], &[2, 2, 1], &[3, 1, 1], &[2, 3, 2, 1, 2, 1], &[4, 1, 1, 1], &[2, 2, 2]] {
            assert_eq!(odd_one(&ports(good)), None, "{good:?}");
        }
    }

    #[test]
    fn nonsense_and_what_cannot_be_followed_is_named() {
        assert_eq!(odd_one(&ports(&[0])), Some((0, false)));
        assert_eq!(odd_one(&ports(&[2, 0, 1])), Some((1, false)));
        assert_eq!(odd_one(&ports(&[1, 1])), Some((1, false)));
        assert_eq!(odd_one(&ports(&[2, 1, 1])), Some((2, false)));
        assert_eq!(odd_one(&ports(&[3, 1, 1, 1])), Some((3, false)));
        // A fork within a fork, and a device at the outer one behind it.
        assert_eq!(odd_one(&ports(&[3, 3, 1, 1, 1])), Some((4, true)));
    }
}
