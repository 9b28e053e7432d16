//! SubDevice information interface: the EEPROM image (ETG.2010) and the registers to get at it (0x0500…).

use crate::devices::{Connection, DeviceKind, PdoEntry};

use super::description::SimulatedDevice;
use super::faults::SiiNumber;
use super::process_data::{
    MAILBOX_BYTES, MAILBOX_IN_START, MAILBOX_OUT_START, SyncManagerPlan, SyncManagerUse,
};
use super::wire::{put_u16, put_u32, u16_at};

/// Size of the image.
const IMAGE_BYTES: usize = 2048;
/// Word address of the first category.
const FIRST_CATEGORY_WORD: usize = 0x40;
/// Longest string; masters keep 64 bytes.
const STRING_BYTES_MAX: usize = 60;

/// Bits of the control register 0x0502.
mod control {
    pub(super) const WRITE_ENABLE: u16 = 1 << 0;
    /// Eight bytes at a time.
    pub(super) const READ_EIGHT: u16 = 1 << 6;
    /// Two address bytes.
    pub(super) const ADDRESS_TWO: u16 = 1 << 7;
    pub(super) const READ: u16 = 1 << 8;
    pub(super) const WRITE: u16 = 1 << 9;
    pub(super) const RELOAD: u16 = 1 << 10;
    pub(super) const COMMAND_ERROR: u16 = 1 << 13;
    pub(super) const WRITE_ERROR: u16 = 1 << 14;
    pub(super) const BUSY: u16 = 1 << 15;
}

/// The EEPROM and its interface.
#[derive(Clone, Debug)]
pub(super) struct Sii {
    image: Vec<u8>,
    /// Register 0x0500 bit 0: the application owns it.
    pub(super) owned_by_application: bool,
    command: u16,
    errors: u16,
    address: u32,
    data: [u8; 8],
    /// How often the control register still reads busy.
    busy_reads: u8,
}

impl Sii {
    /// The image of a device.
    pub(super) fn new(device: &SimulatedDevice) -> Self {
        Self {
            image: image(device),
            owned_by_application: false,
            command: 0,
            errors: 0,
            address: 0,
            data: [0; 8],
            busy_reads: 0,
        }
    }

    /// Forgets everything but the image: power-on.
    pub(super) const fn power_on(&mut self) {
        self.owned_by_application = false;
        self.command = 0;
        self.errors = 0;
        self.address = 0;
        self.data = [0; 8];
        self.busy_reads = 0;
    }

    /// Replaces a number of the image; the checksum stays right.
    pub(super) fn set_number(&mut self, number: SiiNumber, value: u32) {
        match number {
            SiiNumber::Vendor => put_u32(&mut self.image, 16, value),
            SiiNumber::Product => put_u32(&mut self.image, 20, value),
            SiiNumber::Revision => put_u32(&mut self.image, 24, value),
            SiiNumber::Serial => put_u32(&mut self.image, 28, value),
            SiiNumber::Alias => {
                put_u16(&mut self.image, 8, value as u16);
                let crc = checksum(self.image.get(..14).unwrap_or(&[]));
                put_u16(&mut self.image, 14, u16::from(crc));
            }
        }
    }

    /// Station alias, word 4.
    pub(super) fn alias(&self) -> u16 {
        u16_at(&self.image, 8)
    }

    /// Registers 0x0502…0x050F. Reading tells one busy state: a real EEPROM needs some 100 µs.
    pub(super) fn registers(&mut self) -> [u8; 14] {
        let mut registers = [0; 14];
        let mut status = control::READ_EIGHT | control::ADDRESS_TWO | self.errors;
        if self.busy_reads > 0 {
            self.busy_reads -= 1;
            status |= control::BUSY | self.command;
        }
        put_u16(&mut registers, 0, status);
        put_u32(&mut registers, 2, self.address);
        if let Some(data) = registers.get_mut(6..) {
            data.copy_from_slice(&self.data);
        }
        registers
    }

    /// A write of `data` to the registers from 0x0502 + `offset` on. Returns false when it has no effect because
    /// the application owns the EEPROM.
    pub(super) fn write(&mut self, offset: usize, data: &[u8]) -> bool {
        if self.owned_by_application {
            return false;
        }
        let mut command = [0; 2];
        let mut has_command = false;
        let mut address = self.address.to_le_bytes();
        for (position, &byte) in (offset..).zip(data) {
            match position {
                0..=1 => {
                    if let Some(target) = command.get_mut(position) {
                        *target = byte;
                    }
                    has_command |= position == 1;
                }
                2..=5 => {
                    if let Some(target) = address.get_mut(position - 2) {
                        *target = byte;
                    }
                }
                _ => {
                    if let Some(target) = self.data.get_mut(position - 6) {
                        *target = byte;
                    }
                }
            }
        }
        self.address = u32::from_le_bytes(address);
        if has_command {
            self.execute(u16::from_le_bytes(command));
        }
        true
    }

    fn execute(&mut self, command: u16) {
        self.errors = 0;
        self.command = command & (control::READ | control::WRITE | control::RELOAD);
        self.busy_reads = 1;
        let start = (self.address as usize).saturating_mul(2);
        match self.command {
            0 => self.busy_reads = 0,
            control::READ => {
                for (offset, target) in self.data.iter_mut().enumerate() {
                    *target = self.image.get(start.saturating_add(offset)).copied().unwrap_or(0xFF);
                }
            }
            control::WRITE if command & control::WRITE_ENABLE == 0 => {
                self.errors = control::WRITE_ERROR;
            }
            control::WRITE => match self.image.get_mut(start..start.saturating_add(2)) {
                Some(word) => word.copy_from_slice(&[self.data[0], self.data[1]]),
                None => self.errors = control::COMMAND_ERROR,
            },
            control::RELOAD => {}
            _ => self.errors = control::COMMAND_ERROR,
        }
    }

    /// True when the checksum of words 0 to 6 is right.
    #[cfg(test)]
    pub(super) fn checksum_is_right(&self) -> bool {
        self.image[14] == checksum(&self.image[..14])
    }

    /// The whole image.
    #[cfg(test)]
    pub(super) fn image(&self) -> &[u8] {
        &self.image
    }
}

/// CRC-8 with polynomial 0x07, start value 0xFF (ETG.1000.6, word 7).
fn checksum(data: &[u8]) -> u8 {
    data.iter().fold(0xFF, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc: u8, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 0x07 })
    })
}

/// The image of a device.
pub(super) fn image(simulated: &SimulatedDevice) -> Vec<u8> {
    let device = &simulated.device;
    let mut image = vec![0; FIRST_CATEGORY_WORD * 2];
    // PDI: 16-bit microcontroller; SYNC pulse 10 µs.
    put_u16(&mut image, 0, 0x0008);
    put_u16(&mut image, 4, 1000);
    put_u16(&mut image, 8, simulated.alias);
    let crc = checksum(image.get(..14).unwrap_or(&[]));
    put_u16(&mut image, 14, u16::from(crc));
    put_u32(&mut image, 16, device.identity.vendor);
    put_u32(&mut image, 20, device.identity.product);
    put_u32(&mut image, 24, device.identity.revision);
    put_u32(&mut image, 28, device.identity.serial);
    let coe = device.kind.has_mailbox();
    if coe {
        put_u16(&mut image, 0x18 * 2, MAILBOX_OUT_START);
        put_u16(&mut image, 0x19 * 2, MAILBOX_BYTES);
        put_u16(&mut image, 0x1A * 2, MAILBOX_IN_START);
        put_u16(&mut image, 0x1B * 2, MAILBOX_BYTES);
        put_u16(&mut image, 0x1C * 2, 0x0004);
    }
    put_u16(&mut image, 0x3E * 2, (IMAGE_BYTES / 128 - 1) as u16);
    put_u16(&mut image, 0x3F * 2, 1);

    let mut strings = vec![2];
    // Masters that look no further take the first string for the name.
    for text in [simulated.name.as_str(), "motiond simulated devices"] {
        let bytes = text.as_bytes();
        let bytes = bytes.get(..bytes.len().min(STRING_BYTES_MAX)).unwrap_or(&[]);
        strings.push(bytes.len() as u8);
        strings.extend_from_slice(bytes);
    }
    category(&mut image, 10, strings);

    let mut general = vec![0; 32];
    // Group, order number, name: numbers of strings.
    general[0] = 2;
    general[2] = 1;
    general[3] = 1;
    // SDO, SDO information, PDO assignment, PDO configuration, complete access.
    general[5] = if coe { 0x2F } else { 0 };
    general[14] = 1;
    // Kind of each port, four bits each: 1 MII, 3 E-bus.
    let ports = match (device.connection, device.kind) {
        (_, DeviceKind::Coupler) => 0x0131,
        (Connection::Cable, _) => 0x0011,
        (Connection::EBus, _) => 0x0033,
    };
    put_u16(&mut general, 16, ports);
    category(&mut image, 30, general);

    let plan = SyncManagerPlan::of(device);
    let uses = plan.all().iter().filter_map(|planned| match planned.usage {
        SyncManagerUse::Outputs => Some(1),
        SyncManagerUse::Inputs => Some(2),
        SyncManagerUse::MailboxIn => Some(3),
        SyncManagerUse::MailboxOut => None,
    });
    let mut fmmus: Vec<u8> = uses.collect();
    // Mailbox state last, so that process data gets the first FMMUs.
    fmmus.sort_unstable();
    category(&mut image, 40, fmmus);

    let mut managers = Vec::new();
    for planned in plan.all() {
        let mut entry = [0; 8];
        put_u16(&mut entry, 0, planned.start);
        put_u16(&mut entry, 2, planned.length);
        entry[4] = planned.control;
        entry[6] = 1;
        entry[7] = planned.usage as u8;
        managers.extend_from_slice(&entry);
    }
    category(&mut image, 41, managers);

    for (number, map, usage) in
        [(50, &device.inputs, SyncManagerUse::Inputs), (51, &device.outputs, SyncManagerUse::Outputs)]
    {
        if let (Some(manager), true) = (plan.index_of(usage), map.bits() > 0) {
            let pdos = map.pdos().flat_map(|(index, entries)| pdo(index, entries, manager as u8));
            category(&mut image, number, pdos.collect());
        }
    }
    if device.distributed_clock {
        let mut clock = vec![0; 24];
        // AssignActivate: SYNC0.
        put_u16(&mut clock, 14, 0x0300);
        category(&mut image, 60, clock);
    }
    image.extend_from_slice(&[0xFF, 0xFF]);
    image.resize(IMAGE_BYTES.max(image.len()), 0xFF);
    image
}

fn category(image: &mut Vec<u8>, number: u16, mut content: Vec<u8>) {
    if content.len() % 2 == 1 {
        content.push(0);
    }
    image.extend_from_slice(&number.to_le_bytes());
    image.extend_from_slice(&((content.len() / 2) as u16).to_le_bytes());
    image.append(&mut content);
}

fn pdo(index: u16, entries: &[PdoEntry], manager: u8) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    put_u16(&mut bytes, 0, index);
    bytes[2] = entries.len() as u8;
    bytes[3] = manager;
    for entry in entries {
        let mut raw = [0; 8];
        put_u16(&mut raw, 0, entry.index);
        raw[2] = entry.subindex;
        raw[4] = data_type(entry.bits);
        raw[5] = entry.bits;
        bytes.extend_from_slice(&raw);
    }
    bytes
}

/// Base data type of ETG.1020 that is as long: BOOLEAN, UNSIGNED8 …
const fn data_type(bits: u8) -> u8 {
    match bits {
        1 => 0x01,
        8 => 0x05,
        16 => 0x06,
        32 => 0x07,
        64 => 0x1B,
        _ => 0x00,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::support::{digital_terminal, servo};
    use super::super::wire::u32_at;
    use super::*;

    #[test]
    fn the_checksum_is_the_published_one() {
        // Check value over "123456789", computed with an independent bit-serial program.
        assert_eq!(checksum(b"123456789"), 0xFB);
        assert!(Sii::new(&servo()).checksum_is_right());
    }

    #[test]
    fn identity_and_mailboxes_stand_where_the_standard_says() {
        let simulated = servo();
        let sii = Sii::new(&simulated);
        let image = sii.image();
        assert_eq!(u32_at(image, 16), simulated.device.identity.vendor);
        assert_eq!(u32_at(image, 24), simulated.device.identity.revision);
        assert_eq!(u16_at(image, 0x18 * 2), 0x1000);
        assert_eq!(u16_at(image, 0x1C * 2), 4, "CoE");
        assert_eq!((usize::from(u16_at(image, 0x3E * 2)) + 1) * 128, image.len());
    }

    fn categories(image: &[u8]) -> Vec<(u16, usize)> {
        let mut found = Vec::new();
        let mut at = FIRST_CATEGORY_WORD * 2;
        while u16_at(image, at) != 0xFFFF {
            let length = usize::from(u16_at(image, at + 2)) * 2;
            found.push((u16_at(image, at), length));
            at += 4 + length;
        }
        found
    }

    #[test]
    fn categories_follow_each_other_to_the_end_marker() {
        let drive: Vec<u16> = categories(Sii::new(&servo()).image()).iter().map(|found| found.0).collect();
        assert_eq!(drive, [10, 30, 40, 41, 50, 51, 60]);
        let terminal = categories(Sii::new(&digital_terminal()).image());
        assert!(terminal.contains(&(41, 16)), "two sync managers, no mailbox: {terminal:?}");
    }

    #[test]
    fn a_read_command_in_one_write_is_busy_once_and_then_gives_eight_bytes() {
        let mut sii = Sii::new(&servo());
        assert!(sii.write(0, &[0x00, 0x01, 0x08, 0, 0, 0]));
        assert_eq!(u16_at(&sii.registers(), 0) & control::BUSY, control::BUSY);
        let registers = sii.registers();
        assert_eq!(u16_at(&registers, 0), control::READ_EIGHT | control::ADDRESS_TWO);
        assert_eq!(&registers[6..], &sii.image()[16..24]);
    }

    #[test]
    fn writing_needs_the_enable_bit_in_the_same_write() {
        let mut sii = Sii::new(&servo());
        sii.write(6, &[0x34, 0x12]);
        sii.write(0, &[0x00, 0x02, 4, 0, 0, 0]);
        sii.registers();
        assert_ne!(u16_at(&sii.registers(), 0) & control::WRITE_ERROR, 0);
        assert_eq!(sii.alias(), 0);
        sii.write(0, &[0x01, 0x02, 4, 0, 0, 0]);
        assert_eq!(sii.alias(), 0x1234);
    }

    #[test]
    fn the_controller_cannot_touch_what_the_application_owns() {
        let mut sii = Sii::new(&servo());
        sii.owned_by_application = true;
        assert!(!sii.write(0, &[0x00, 0x01, 0x08, 0, 0, 0]));
    }

    #[test]
    fn reading_beyond_the_end_gives_ones() {
        let mut sii = Sii::new(&servo());
        sii.write(0, &[0x00, 0x01, 0xFF, 0xFF, 0xFF, 0xFF]);
        assert_eq!(&sii.registers()[6..], &[0xFF; 8]);
    }
}
