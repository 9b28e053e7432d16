//! Complete access: all subindices of an object in one SDO transfer (ETG.1000.6, 5.6.2). The values follow each
//! other without gaps, except that subindex 0 takes 16 bits.

use super::al_state::AlState;
use super::dictionary::{Abort, Access, Dictionary, Entry, ObjectAddress};
use super::wire::u8_at;

/// How subindex 0 is transferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Padding {
    /// In 16 bits, as the standard wants it.
    #[default]
    SixteenBits,
    /// In 8 bits, as some devices do it.
    None,
}

impl Padding {
    const fn bytes(self) -> usize {
        match self {
            Self::SixteenBits => 2,
            Self::None => 1,
        }
    }
}

impl Dictionary {
    /// The values of an object from subindex 0 or 1 up to the number that subindex 0 holds.
    pub(super) fn read_complete(&self, address: ObjectAddress, padding: Padding) -> Result<Vec<u8>, Abort> {
        let (entries, count) = self.entries_of(address)?;
        let mut values = Vec::new();
        if address.subindex == 0 {
            values.push(count);
            values.resize(padding.bytes(), 0);
        }
        for entry in entries.iter().filter(|entry| (1..=count).contains(&entry.subindex)) {
            values.extend_from_slice(&entry.value);
        }
        Ok(values)
    }

    /// Writes them. Nothing is changed when one of them is refused; what only the device may write is skipped.
    pub(super) fn write_complete(
        &mut self,
        address: ObjectAddress,
        padding: Padding,
        data: &[u8],
        state: AlState,
    ) -> Result<(), Abort> {
        let (entries, present) = self.entries_of(address)?;
        if entries.iter().all(|entry| entry.access == Access::Constant) {
            return Err(Abort::ReadOnly);
        }
        let (count, mut rest) = if address.subindex == 0 {
            (u8_at(data, 0), data.get(padding.bytes()..).ok_or(Abort::LengthTooLow)?)
        } else {
            (present, data)
        };
        let mut values = Vec::new();
        for entry in entries.iter().filter(|entry| (1..=count).contains(&entry.subindex)) {
            let (value, others) = rest.split_at_checked(entry.value.len()).ok_or(Abort::LengthTooLow)?;
            rest = others;
            if entry.access != Access::Constant {
                values.push((entry.subindex, value));
            }
        }
        if !rest.is_empty() {
            return Err(Abort::LengthTooHigh);
        }
        let has_variable_count = entries.first().is_some_and(|first| first.access != Access::Constant);
        if !has_variable_count && count != present {
            return Err(Abort::ValueOutOfRange);
        }
        let before = self.object(address.index).cloned();
        let write = || {
            // As with single subindices: the count is zero while the entries change.
            if has_variable_count {
                self.write(address.index, 0, &[0], state)?;
            }
            for (subindex, value) in values {
                self.write(address.index, subindex, value, state)?;
            }
            if has_variable_count { self.write(address.index, 0, &[count], state) } else { Ok(()) }
        };
        let written = write();
        if let (Err(_), Some(before)) = (written, before) {
            self.restore(before);
        }
        written
    }

    /// The entries of an object that has several, and how many subindex 0 says there are.
    fn entries_of(&self, address: ObjectAddress) -> Result<(&[Entry], u8), Abort> {
        let entries = self.object(address.index).ok_or(Abort::NoSuchObject)?.entries.as_slice();
        if entries.len() < 2 {
            return Err(Abort::CompleteAccessNotSupported);
        }
        // Only the whole object, with or without its number of entries.
        if address.subindex > 1 {
            return Err(Abort::UnsupportedAccess);
        }
        Ok((entries, entries.first().map_or(0, |entry| u8_at(&entry.value, 0))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::description::{DeviceParameters, DriveParameters};
    use super::super::servo::Servo;
    use super::super::tests::support::servo;
    use super::*;

    fn dictionary() -> Dictionary {
        let simulated = servo();
        assert!(matches!(simulated.parameters, DeviceParameters::ServoDrive(_)));
        let mut axes = [Servo::new(0, &DriveParameters::default(), 0)];
        Servo::dictionary_of(&mut axes, "drive", &simulated.device)
    }

    const fn at(index: u16, subindex: u8) -> ObjectAddress {
        ObjectAddress { index, subindex }
    }

    const MAPPING: [u8; 10] = [2, 0, 0x10, 0, 0x40, 0x60, 0x20, 0, 0x7A, 0x60];

    #[test]
    fn the_number_of_entries_takes_sixteen_bits_and_the_rest_follows_without_gaps() {
        let dictionary = dictionary();
        assert_eq!(dictionary.read_complete(at(0x1600, 0), Padding::SixteenBits).unwrap(), MAPPING);
        assert_eq!(dictionary.read_complete(at(0x1600, 1), Padding::SixteenBits).unwrap(), MAPPING[2..]);
        let unpadded = dictionary.read_complete(at(0x1600, 0), Padding::None).unwrap();
        assert_eq!((unpadded.len(), unpadded[0], unpadded[1]), (9, 2, 0x10));
    }

    #[test]
    fn a_mapping_is_written_at_once_or_not_at_all() {
        let mut dictionary = dictionary();
        let write = |dictionary: &mut Dictionary, data: &[u8], state| {
            dictionary.write_complete(at(0x1600, 0), Padding::SixteenBits, data, state)
        };
        let shorter = [1, 0, 0x10, 0, 0x40, 0x60];
        assert_eq!(write(&mut dictionary, &shorter, AlState::SafeOp), Err(Abort::WrongState));
        assert_eq!(write(&mut dictionary, &shorter[..5], AlState::PreOp), Err(Abort::LengthTooLow));
        assert_eq!(write(&mut dictionary, &MAPPING[..], AlState::PreOp), Ok(()));
        // The statusword is no output.
        let wrong = [2, 0, 0x10, 0, 0x40, 0x60, 0x10, 0, 0x41, 0x60];
        assert_eq!(write(&mut dictionary, &wrong, AlState::PreOp), Err(Abort::NotMappable));
        assert_eq!(dictionary.read_complete(at(0x1600, 0), Padding::SixteenBits).unwrap(), MAPPING);
        assert_eq!(write(&mut dictionary, &shorter, AlState::PreOp), Ok(()));
        assert_eq!(dictionary.read_complete(at(0x1600, 0), Padding::SixteenBits).unwrap(), shorter);
    }

    #[test]
    fn what_cannot_be_accessed_at_once_says_why() {
        let mut dictionary = dictionary();
        let read = |index, subindex| dictionary.read_complete(at(index, subindex), Padding::SixteenBits);
        assert_eq!(read(0x6040, 0), Err(Abort::CompleteAccessNotSupported));
        assert_eq!(read(0x1018, 2), Err(Abort::UnsupportedAccess));
        assert_eq!(read(0x5FFF, 0), Err(Abort::NoSuchObject));
        let identity = dictionary.read_complete(at(0x1018, 0), Padding::SixteenBits).unwrap();
        let written =
            dictionary.write_complete(at(0x1018, 0), Padding::SixteenBits, &identity, AlState::PreOp);
        assert_eq!(written, Err(Abort::ReadOnly));
    }
}
