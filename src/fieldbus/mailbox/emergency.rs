//! Emergency messages: what a device tells without being asked, kept in a bounded ring.

use super::bytes::{u8_at, u16_at};
use crate::bus_health::mailbox::Emergency;
use crate::units::Nanoseconds;

/// Emergencies that are kept.
pub const KEPT: usize = 32;

/// From the eight bytes behind the CoE header.
pub(super) fn parse(body: &[u8]) -> Option<Emergency> {
    let mut data = [0; 5];
    data.copy_from_slice(body.get(3..8)?);
    Some(Emergency { code: u16_at(body, 0)?, register: u8_at(body, 2)?, data })
}

/// An emergency with its sender and time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StampedEmergency {
    /// When it was read, on the clock of the link.
    pub at: Nanoseconds,
    /// Position of the device on the wire, from 0.
    pub position: usize,
    /// What it said.
    pub emergency: Emergency,
}

/// The newest [`KEPT`] emergencies; older ones are counted.
#[derive(Clone, Copy, Debug)]
pub struct EmergencyRing {
    entries: [StampedEmergency; KEPT],
    count: u64,
}

impl Default for EmergencyRing {
    fn default() -> Self {
        let nothing = StampedEmergency {
            at: Nanoseconds(0),
            position: 0,
            emergency: Emergency { code: 0, register: 0, data: [0; 5] },
        };
        Self { entries: [nothing; KEPT], count: 0 }
    }
}

impl EmergencyRing {
    /// Emergencies received so far, kept or not.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Keeps an emergency; the oldest makes room.
    pub fn push(&mut self, emergency: StampedEmergency) {
        if let Some(place) = self.entries.get_mut(place_of(self.count)) {
            *place = emergency;
        }
        self.count = self.count.saturating_add(1);
    }

    /// Those kept, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &StampedEmergency> {
        let oldest = self.count.saturating_sub(KEPT as u64);
        (oldest..self.count).filter_map(|number| self.entries.get(place_of(number)))
    }
}

fn place_of(number: u64) -> usize {
    usize::try_from(number % KEPT as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_emergencies_are_kept_in_order_and_all_are_counted() {
        let mut ring = EmergencyRing::default();
        for code in 0..100 {
            let emergency = Emergency { code, ..Emergency::default() };
            ring.push(StampedEmergency { emergency, ..StampedEmergency::default() });
        }
        let codes: Vec<u16> = ring.iter().map(|kept| kept.emergency.code).collect();
        assert_eq!(codes, (68..100).collect::<Vec<u16>>());
        assert_eq!(ring.count(), 100);
    }
}
