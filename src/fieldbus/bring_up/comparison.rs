//! Expected against found devices.

use std::fmt;

use crate::devices::{Identity, MAX_SUBDEVICES};
use crate::fieldbus::description::ExpectedDevice;
use crate::fieldbus::frame_pump::FramePump;
use crate::fieldbus::link::FrameLink;
use crate::fieldbus::registers;
use crate::units::Nanoseconds;

/// One difference between the described and the found bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusDifference {
    /// A described device is not there.
    Missing {
        /// Place in the description, from 0.
        position: usize,
        /// Configured name.
        name: String,
        /// What was expected.
        expected: Identity,
    },
    /// A device is there that is not described.
    Unexpected {
        /// Place on the wire, from 0.
        position: usize,
        /// What it is.
        found: Identity,
    },
    /// Another device is in its place.
    Other {
        /// Place on the wire, from 0.
        position: usize,
        /// Configured name.
        name: String,
        /// What was expected.
        expected: Identity,
        /// What is there.
        found: Identity,
    },
}

impl fmt::Display for BusDifference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { position, name, expected } => {
                write!(formatter, "{name} (position {position}, {}) is missing", Words(expected))
            }
            Self::Unexpected { position, found } => {
                write!(formatter, "an undescribed device is at position {position}: {}", Words(found))
            }
            Self::Other { position, name, expected, found } => {
                write!(formatter, "{name} (position {position}): ")?;
                let mut separator = "";
                for (what, expected, found) in [
                    ("vendor", expected.vendor, found.vendor),
                    ("product", expected.product, found.product),
                    ("revision", expected.revision, found.revision),
                    ("serial number", expected.serial, found.serial),
                ] {
                    if expected != found && !(what == "serial number" && expected == 0) {
                        write!(formatter, "{separator}{what} is {found:#x}, expected {expected:#x}")?;
                        separator = ", ";
                    }
                }
                Ok(())
            }
        }
    }
}

struct Words<'a>(&'a Identity);

impl fmt::Display for Words<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "vendor {:#x}, product {:#x}, revision {:#x}",
            self.0.vendor, self.0.product, self.0.revision
        )
    }
}

/// How different two devices are: 0 same, 1 another revision or serial number, 3 another device.
fn distance(expected: &Identity, found: &Identity) -> usize {
    if (expected.vendor, expected.product) != (found.vendor, found.product) {
        3
    } else {
        usize::from(
            expected.revision != found.revision || (expected.serial != 0 && expected.serial != found.serial),
        )
    }
}

/// Cost of a missing or an undescribed device. Two of them cost more than one other device in its
/// place, so that a replaced device is shown as such.
const GAP: usize = 2;

/// Every difference, in wire order.
///
/// The two lists are aligned with the fewest differences (edit distance), so that one missing device
/// is shown as one missing device and not as a shift of all that follow.
#[expect(
    clippy::indexing_slicing,
    reason = "i <= rows and j <= columns, the sizes everything here is made with"
)]
pub(super) fn compare(expected: &[ExpectedDevice], found: &[Identity]) -> Vec<BusDifference> {
    let (rows, columns) = (expected.len(), found.len());
    // costs[i][j]: the last i expected against the last j found.
    let mut costs = vec![vec![0_usize; columns + 1]; rows + 1];
    for i in 0..=rows {
        for j in 0..=columns {
            costs[i][j] = match (i, j) {
                (0, _) => j * GAP,
                (_, 0) => i * GAP,
                _ => {
                    let same = distance(&expected[rows - i].device.identity, &found[columns - j]);
                    (costs[i - 1][j - 1] + same).min(costs[i - 1][j] + GAP).min(costs[i][j - 1] + GAP)
                }
            };
        }
    }
    let mut differences = Vec::new();
    let (mut i, mut j) = (rows, columns);
    while i > 0 || j > 0 {
        let (row, column) = (rows - i, columns - j);
        if i > 0 && j > 0 {
            let (device, other) = (&expected[row], found[column]);
            let distance = distance(&device.device.identity, &other);
            if costs[i][j] == costs[i - 1][j - 1] + distance {
                if distance > 0 {
                    differences.push(BusDifference::Other {
                        position: column,
                        name: device.name.clone(),
                        expected: device.device.identity,
                        found: other,
                    });
                }
                (i, j) = (i - 1, j - 1);
                continue;
            }
        }
        if i > 0 && costs[i][j] == costs[i - 1][j] + GAP {
            let device = &expected[row];
            differences.push(BusDifference::Missing {
                position: row,
                name: device.name.clone(),
                expected: device.device.identity,
            });
            i -= 1;
        } else {
            differences.push(BusDifference::Unexpected { position: column, found: found[column] });
            j -= 1;
        }
    }
    differences
}

/// Longest time for all identities, for an error message after a failed discovery.
const READ_TIME: Nanoseconds = Nanoseconds(2_000_000_000);
/// Tries until the SII interface is not busy.
const SII_TRIES: usize = 1_000;
/// SII: who may access it, and control with address.
const SII_CONFIGURATION: u16 = 0x0500;
const SII_CONTROL: u16 = 0x0502;
const SII_DATA: u16 = 0x0508;
const SII_BUSY: u16 = 1 << 15;
/// First SII word of the identity: vendor, product, revision, serial, two words each.
const SII_IDENTITY: u32 = 8;

/// Reads the identity of every device on the wire by position, as far as they answer.
pub(super) fn read_identities<L: FrameLink>(pump: &mut FramePump<L>) -> Vec<Identity> {
    let deadline = pump.link().now().plus(READ_TIME);
    let count = registers::count_subdevices(pump, deadline).unwrap_or(0);
    (0..count)
        .take(MAX_SUBDEVICES + 1)
        .map_while(|position| read_identity(pump, position, deadline))
        .collect()
}

fn read_identity<L: FrameLink>(
    pump: &mut FramePump<L>,
    position: u16,
    deadline: Nanoseconds,
) -> Option<Identity> {
    // Take the SII from the device's own controller, then use it (ETG.1000.4, SII access).
    registers::write_by_position(pump, position, SII_CONFIGURATION, 2_u8, deadline).ok()?;
    registers::write_by_position(pump, position, SII_CONFIGURATION, 0_u8, deadline).ok()?;
    let mut words = [0_u32; 4];
    for (offset, word) in (0_u32..).step_by(2).zip(&mut words) {
        let [a, b, c, d] = (SII_IDENTITY + offset).to_le_bytes();
        // Command "read" (bit 8), then the word address.
        registers::write_by_position(pump, position, SII_CONTROL, [0x00, 0x01, a, b, c, d], deadline).ok()?;
        let mut is_ready = false;
        for _ in 0..SII_TRIES {
            let control: u16 = registers::read_by_position(pump, position, SII_CONTROL, deadline).ok()?;
            is_ready = control & SII_BUSY == 0;
            if is_ready {
                break;
            }
        }
        if !is_ready {
            return None;
        }
        *word = registers::read_by_position(pump, position, SII_DATA, deadline).ok()?;
    }
    let [vendor, product, revision, serial] = words;
    Some(Identity { vendor, product, revision, serial })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::{Device, DeviceKind, PdoMap};

    fn identity(product: u32) -> Identity {
        Identity { vendor: 1, product, revision: 1, serial: 0 }
    }

    fn expected(products: &[u32]) -> Vec<ExpectedDevice> {
        products
            .iter()
            .enumerate()
            .map(|(index, &product)| ExpectedDevice {
                name: format!("device {index}"),
                device: Device {
                    kind: DeviceKind::DigitalIo,
                    identity: identity(product),
                    outputs: PdoMap::EMPTY,
                    inputs: PdoMap::EMPTY,
                    distributed_clock: false,
                },
                startup: Vec::new(),
            })
            .collect()
    }

    fn found(products: &[u32]) -> Vec<Identity> {
        products.iter().map(|&product| identity(product)).collect()
    }

    fn shown(expected_products: &[u32], found_products: &[u32]) -> String {
        compare(&expected(expected_products), &found(found_products))
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ")
    }

    #[test]
    fn equal_buses_have_no_differences() {
        assert_eq!(compare(&expected(&[1, 1, 2]), &found(&[1, 1, 2])), []);
    }

    #[test]
    fn a_missing_device_in_the_middle_is_one_difference() {
        assert_eq!(
            shown(&[1, 2, 3, 4], &[1, 3, 4]),
            "device 1 (position 1, vendor 0x1, product 0x2, revision 0x1) is missing"
        );
    }

    #[test]
    fn an_undescribed_device_at_the_front_is_one_difference() {
        assert_eq!(
            shown(&[1, 2], &[9, 1, 2]),
            "an undescribed device is at position 0: vendor 0x1, product 0x9, revision 0x1"
        );
    }

    #[test]
    fn a_replaced_device_is_shown_in_its_place() {
        assert_eq!(shown(&[1, 2, 3], &[1, 7, 3]), "device 1 (position 1): product is 0x7, expected 0x2");
    }

    #[test]
    fn swapped_devices_are_both_listed() {
        assert_eq!(compare(&expected(&[1, 2]), &found(&[2, 1])).len(), 2);
    }

    #[test]
    fn every_device_missing_lists_every_one() {
        assert_eq!(compare(&expected(&[1, 1, 2]), &[]).len(), 3);
    }

    #[test]
    fn a_serial_number_of_zero_means_any_and_another_one_is_checked() {
        let mut wanted = expected(&[1]);
        let mut there = found(&[1]);
        there[0].serial = 55;
        assert_eq!(compare(&wanted, &there), []);
        wanted[0].device.identity.serial = 56;
        assert_eq!(
            compare(&wanted, &there)[0].to_string(),
            "device 0 (position 0): serial number is 0x37, expected 0x38"
        );
    }
}
