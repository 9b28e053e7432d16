//! Expected against found devices.

use std::fmt;

use crate::devices::{Identity, MAX_SUBDEVICES};
use crate::fieldbus::description::ExpectedDevice;
use crate::fieldbus::frame_pump::FramePump;
use crate::fieldbus::link::FrameLink;
use crate::fieldbus::registers;
use crate::fieldbus::sii::{self, FoundDevice};
use crate::units::Nanoseconds;

/// One difference between the described and the found bus. Positions count from 0 in wire order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusDifference {
    /// A described device is not there.
    Missing {
        /// Place in the description.
        position: usize,
        /// Configured name.
        name: String,
        /// What was expected.
        expected: Identity,
    },
    /// A device is there that is not described.
    Unexpected {
        /// Place on the wire.
        position: usize,
        /// What it is.
        found: Identity,
    },
    /// Another device is in its place: another type, revision or serial number.
    Other {
        /// Place on the wire.
        position: usize,
        /// Configured name.
        name: String,
        /// What was expected.
        expected: Identity,
        /// What is there.
        found: Identity,
    },
    /// Two devices are in each other's places.
    Swapped {
        /// Their places.
        positions: [usize; 2],
        /// The configured names of these places.
        names: [String; 2],
    },
    /// A device is in another place than described.
    Moved {
        /// Its place in the description.
        described: usize,
        /// Its place on the wire.
        position: usize,
        /// Configured name.
        name: String,
    },
    /// The right type of device with another station alias.
    Alias {
        /// Place on the wire.
        position: usize,
        /// Configured name.
        name: String,
        /// What was expected.
        expected: u16,
        /// What its SII holds.
        found: u16,
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
                for (what, expected, found, may_be_any) in [
                    ("vendor", expected.vendor, found.vendor, false),
                    ("product", expected.product, found.product, false),
                    ("revision", expected.revision, found.revision, true),
                    ("serial number", expected.serial, found.serial, true),
                ] {
                    if expected != found && !(may_be_any && expected == 0) {
                        write!(formatter, "{separator}{what} is {found:#x}, expected {expected:#x}")?;
                        separator = ", ";
                    }
                }
                Ok(())
            }
            Self::Swapped { positions: [first, second], names: [one, other] } => write!(
                formatter,
                "the devices at positions {first} and {second} are swapped: {one} is where {other} should be"
            ),
            Self::Moved { described, position, name } => {
                write!(formatter, "{name} is at position {position}, described is position {described}")
            }
            Self::Alias { position, name, expected, found } => write!(
                formatter,
                "{name} (position {position}): station alias is {found}, expected {expected}"
            ),
        }
    }
}

impl BusDifference {
    /// What to do about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Missing { .. } => {
                "check power and cable of the first missing device, or take what is not there out of the cell file"
            }
            Self::Unexpected { .. } => "take the undescribed device off the bus, or add it to the cell file",
            Self::Other { .. } => {
                "put the described device in its place, or name a drive file with the identity of the one that is there"
            }
            Self::Swapped { .. } => "swap their cables, or their places in the cell file",
            Self::Moved { .. } => "change the cables, or the order in the cell file",
            Self::Alias { .. } => "give the device its alias, or correct the alias in the cell file",
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

/// How different two devices are: 0 same, 1 another revision, serial number or alias, 3 another device.
fn distance(expected: &ExpectedDevice, found: &FoundDevice) -> usize {
    let (wanted, there) = (&expected.device.identity, &found.identity);
    let differs = |wanted: u32, there: u32| wanted != 0 && wanted != there;
    if (wanted.vendor, wanted.product) != (there.vendor, there.product) {
        3
    } else {
        usize::from(
            differs(wanted.revision, there.revision)
                || differs(wanted.serial, there.serial)
                || expected.alias.is_some_and(|alias| alias != found.alias),
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
pub(super) fn compare(expected: &[ExpectedDevice], found: &[FoundDevice]) -> Vec<BusDifference> {
    let (rows, columns) = (expected.len(), found.len());
    // costs[i][j]: the last i expected against the last j found.
    let mut costs = vec![vec![0_usize; columns + 1]; rows + 1];
    for i in 0..=rows {
        for j in 0..=columns {
            costs[i][j] = match (i, j) {
                (0, _) => j * GAP,
                (_, 0) => i * GAP,
                _ => {
                    let same = distance(&expected[rows - i], &found[columns - j]);
                    (costs[i - 1][j - 1] + same).min(costs[i - 1][j] + GAP).min(costs[i][j - 1] + GAP)
                }
            };
        }
    }
    let (mut replaced, mut missing, mut extra) = (Vec::new(), Vec::new(), Vec::new());
    let (mut i, mut j) = (rows, columns);
    while i > 0 || j > 0 {
        let (row, column) = (rows - i, columns - j);
        if i > 0 && j > 0 {
            let (device, other) = (&expected[row], found[column]);
            let distance = distance(device, &other);
            if costs[i][j] == costs[i - 1][j - 1] + distance {
                if distance > 0 {
                    replaced.push((column, row));
                }
                (i, j) = (i - 1, j - 1);
                continue;
            }
        }
        if i > 0 && costs[i][j] == costs[i - 1][j] + GAP {
            missing.push(row);
            i -= 1;
        } else {
            extra.push(column);
            j -= 1;
        }
    }
    let mut differences = Vec::new();
    add_replaced(&mut differences, &replaced, expected, found);
    add_gaps(&mut differences, &missing, extra, expected, found);
    differences.sort_by_key(BusDifference::position);
    differences
}

/// Described devices without a place on the wire, and places on the wire without a described device. One that
/// is both has moved; by one place: it is swapped with its neighbour.
#[expect(clippy::indexing_slicing, reason = "the places come from the lists they index")]
fn add_gaps(
    differences: &mut Vec<BusDifference>,
    missing: &[usize],
    mut extra: Vec<usize>,
    expected: &[ExpectedDevice],
    found: &[FoundDevice],
) {
    for &row in missing {
        let device = &expected[row];
        let moved = extra.iter().position(|&column| distance(device, &found[column]) == 0);
        let (name, position) = (device.name.clone(), row);
        differences.push(match moved.map(|at| extra.remove(at)) {
            Some(column) if column.abs_diff(row) == 1 && column < expected.len() => {
                let positions = [row.min(column), row.max(column)];
                BusDifference::Swapped { positions, names: positions.map(|at| expected[at].name.clone()) }
            }
            Some(column) => BusDifference::Moved { described: row, position: column, name },
            None => BusDifference::Missing { position, name, expected: device.device.identity },
        });
    }
    for column in extra {
        differences.push(BusDifference::Unexpected { position: column, found: found[column].identity });
    }
}

/// Devices that are there in place of another one, as (place on the wire, place in the description): two in
/// each other's places are one difference.
#[expect(clippy::indexing_slicing, reason = "the places come from the lists they index")]
fn add_replaced(
    differences: &mut Vec<BusDifference>,
    replaced: &[(usize, usize)],
    expected: &[ExpectedDevice],
    found: &[FoundDevice],
) {
    let mut is_told = vec![false; replaced.len()];
    for (this, &(column, row)) in replaced.iter().enumerate() {
        if is_told[this] {
            continue;
        }
        let (device, there) = (&expected[row], &found[column]);
        let partner = (this + 1..replaced.len()).find(|&other| {
            let (other_column, other_row) = replaced[other];
            !is_told[other]
                && distance(device, &found[other_column]) == 0
                && distance(&expected[other_row], there) == 0
        });
        if let Some(other) = partner {
            is_told[other] = true;
            let (other_column, other_row) = replaced[other];
            differences.push(BusDifference::Swapped {
                positions: [column, other_column],
                names: [device.name.clone(), expected[other_row].name.clone()],
            });
            continue;
        }
        let name = &device.name;
        let without_alias = ExpectedDevice { alias: None, ..device.clone() };
        if distance(&without_alias, there) > 0 {
            let (expected, found) = (device.device.identity, there.identity);
            differences.push(BusDifference::Other { position: column, name: name.clone(), expected, found });
        }
        if let Some(alias) = device.alias.filter(|alias| *alias != there.alias) {
            let (expected, found) = (alias, there.alias);
            differences.push(BusDifference::Alias { position: column, name: name.clone(), expected, found });
        }
    }
}

impl BusDifference {
    const fn position(&self) -> usize {
        match self {
            Self::Missing { position, .. }
            | Self::Unexpected { position, .. }
            | Self::Other { position, .. }
            | Self::Moved { position, .. }
            | Self::Alias { position, .. }
            | Self::Swapped { positions: [position, _], .. } => *position,
        }
    }
}

/// Longest time for all identities, for an error message after a failed discovery.
const READ_TIME: Nanoseconds = Nanoseconds(2_000_000_000);
/// Reads the identity of every device on the wire by position, as far as they answer.
pub(super) fn read_identities<L: FrameLink>(pump: &mut FramePump<L>) -> Vec<FoundDevice> {
    let deadline = pump.link().now().plus(READ_TIME);
    let count = registers::count_subdevices(pump, deadline).unwrap_or(0);
    (0..count)
        .take(MAX_SUBDEVICES + 1)
        .map_while(|position| sii::read_identity(pump, position, deadline))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::{Connection, Device, DeviceKind, PdoMap};

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
                    connection: Connection::Cable,
                },
                alias: None,
                startup: Vec::new(),
                reactions: Vec::new(),
            })
            .collect()
    }

    fn found(products: &[u32]) -> Vec<FoundDevice> {
        products.iter().map(|&product| FoundDevice { identity: identity(product), alias: 0 }).collect()
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
    fn two_devices_in_each_others_places_are_one_difference() {
        let text = shown(&[1, 2, 3], &[3, 2, 1]);
        assert!(text.starts_with("the devices at positions 0 and 2 are swapped: device 0"), "{text}");
        assert!(!text.contains(';') || text.matches("; ").count() == 1, "{text}");
        let text = shown(&[1, 2], &[2, 1]);
        assert!(text.starts_with("the devices at positions 0 and 1 are swapped: device 0"), "{text}");
        // Three in a circle are no pair.
        let text = shown(&[1, 2, 3], &[2, 3, 1]);
        assert!(text.starts_with("device 0 is at position 2, described is position 0"), "{text}");
    }

    #[test]
    fn drives_of_one_type_are_told_apart_by_serial_number_or_alias() {
        let mut wanted = expected(&[1, 1]);
        let mut there = found(&[1, 1]);
        for (at, serial) in [(0, 11), (1, 22)] {
            wanted[at].device.identity.serial = serial;
            there[1 - at].identity.serial = serial;
        }
        assert!(matches!(&compare(&wanted, &there)[..], [BusDifference::Swapped { positions: [0, 1], .. }]));
        let mut wanted = expected(&[1, 1]);
        let mut there = found(&[1, 1]);
        (wanted[0].alias, there[0].alias) = (Some(7), 9);
        assert_eq!(
            compare(&wanted, &there)[0].to_string(),
            "device 0 (position 0): station alias is 9, expected 7"
        );
        (wanted[1].alias, there[1].alias) = (Some(9), 7);
        assert!(matches!(&compare(&wanted, &there)[..], [BusDifference::Swapped { .. }]));
    }

    #[test]
    fn every_difference_is_listed_in_wire_order() {
        let mut there = found(&[1, 2, 9, 4, 6]);
        there[0].identity.revision = 5;
        there[3].identity.serial = 77;
        let mut wanted = expected(&[1, 2, 3, 4, 5]);
        wanted[3].device.identity.serial = 78;
        wanted[3].alias = Some(3);
        let found: Vec<String> = compare(&wanted, &there).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "device 0 (position 0): revision is 0x5, expected 0x1",
                "device 2 (position 2): product is 0x9, expected 0x3",
                "device 3 (position 3): serial number is 0x4d, expected 0x4e",
                "device 3 (position 3): station alias is 0, expected 3",
                "device 4 (position 4): product is 0x6, expected 0x5",
            ]
        );
        wanted[0].device.identity.revision = 0;
        assert_eq!(compare(&wanted, &there).len(), 4, "a revision of zero means any");
    }

    #[test]
    fn every_device_missing_lists_every_one() {
        assert_eq!(compare(&expected(&[1, 1, 2]), &[]).len(), 3);
    }

    #[test]
    fn a_serial_number_of_zero_means_any_and_another_one_is_checked() {
        let mut wanted = expected(&[1]);
        let mut there = found(&[1]);
        there[0].identity.serial = 55;
        assert_eq!(compare(&wanted, &there), []);
        wanted[0].device.identity.serial = 56;
        assert_eq!(
            compare(&wanted, &there)[0].to_string(),
            "device 0 (position 0): serial number is 0x37, expected 0x38"
        );
    }
}
