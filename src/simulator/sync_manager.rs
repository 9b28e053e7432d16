//! Sync managers: who may touch which part of the process memory, and when (ETG.1000.4, 0x0800…).
//!
//! An access begins at the first byte of the area and ends at its last one; in between the area is open. In
//! mailbox mode the area is either full or empty; in buffered mode the newest complete content wins.

use super::wire::{u8_at, u16_at};

/// Sync managers of every simulated SubDevice.
pub(super) const SYNC_MANAGER_COUNT: usize = 8;
/// First register.
pub(super) const SYNC_MANAGER_BASE: usize = 0x0800;
/// Registers of one sync manager.
pub(super) const SYNC_MANAGER_BYTES: usize = 8;

/// Activate register, bit 0: enabled by the controller.
const ACTIVATE: u8 = 1 << 0;
/// Activate register, bit 1: a change asks for the last mailbox content again.
const REPEAT: u8 = 1 << 1;
/// PDI control register, bit 0: switched off by the SubDevice's application.
const PDI_DISABLE: u8 = 1 << 0;

/// Who moves data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The controller reads, the application writes.
    Read,
    /// The controller writes, the application reads.
    Write,
}

/// What came of an access by the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    /// Not allowed: no data is moved.
    Refused,
    /// Data is moved, the area stays open.
    Open,
    /// Data is moved and the last byte was touched: the content changes hands.
    Complete,
}

/// One sync manager.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SyncManager {
    start: u16,
    length: u16,
    control: u8,
    activate: u8,
    pdi_control: u8,
    /// Mailbox mode: holds a message that was not read yet.
    full: bool,
    /// The first byte was touched, the last one not yet.
    open: bool,
    /// Buffered mode: the buffer that was completed last, 3 before the first.
    buffer: u8,
    write_event: bool,
    read_event: bool,
}

impl SyncManager {
    /// As after power-on, switched off by the application or not.
    pub(super) fn new(pdi_disabled: bool) -> Self {
        Self { pdi_control: u8::from(pdi_disabled) * PDI_DISABLE, buffer: 3, ..Self::default() }
    }

    /// Takes over what the controller wrote: `registers` are the 8 bytes of this sync manager. Start, length
    /// and control are locked while it is enabled. Returns true when the last mailbox content is asked for again.
    pub(super) fn configure(&mut self, registers: &[u8]) -> bool {
        if self.activate & ACTIVATE == 0 {
            self.start = u16_at(registers, 0);
            self.length = u16_at(registers, 2);
            self.control = u8_at(registers, 4);
        }
        let activate = u8_at(registers, 6);
        if activate & ACTIVATE == 0 || self.activate & ACTIVATE == 0 {
            self.clear();
        }
        let repeat = (activate ^ self.activate) & REPEAT != 0 && activate & ACTIVATE != 0;
        self.activate = activate;
        repeat
    }

    /// The 8 register bytes.
    pub(super) const fn registers(&self) -> [u8; SYNC_MANAGER_BYTES] {
        let [start_low, start_high] = self.start.to_le_bytes();
        let [length_low, length_high] = self.length.to_le_bytes();
        [
            start_low,
            start_high,
            length_low,
            length_high,
            self.control,
            self.status(),
            self.activate,
            self.pdi_control,
        ]
    }

    /// Status register: write and read event, mailbox full, last buffer.
    pub(super) const fn status(&self) -> u8 {
        let buffer = if self.is_mailbox() { 0 } else { self.buffer << 4 };
        let full = if self.is_mailbox() && self.full { 1 << 3 } else { 0 };
        self.write_event as u8 | ((self.read_event as u8) << 1) | full | buffer
    }

    /// Lets the application switch it off or on.
    pub(super) fn set_pdi_disabled(&mut self, disabled: bool) {
        self.pdi_control = (self.pdi_control & !PDI_DISABLE) | (u8::from(disabled) * PDI_DISABLE);
        if disabled {
            self.clear();
        }
    }

    /// Shows the controller that a repeat request was served.
    pub(super) const fn acknowledge_repeat(&mut self) {
        self.pdi_control = (self.pdi_control & !REPEAT) | (self.activate & REPEAT);
    }

    const fn clear(&mut self) {
        self.full = false;
        self.open = false;
        self.buffer = 3;
        self.write_event = false;
        self.read_event = false;
    }

    /// First address.
    pub(super) const fn start(&self) -> usize {
        self.start as usize
    }

    /// Length in bytes.
    pub(super) const fn length(&self) -> usize {
        self.length as usize
    }

    /// Enabled by the controller.
    pub(super) const fn is_activated(&self) -> bool {
        self.activate & ACTIVATE != 0
    }

    /// Mailbox mode.
    pub(super) const fn is_mailbox(&self) -> bool {
        self.control & 0x03 == 0x02
    }

    /// Mode and direction bits of the control register.
    pub(super) const fn mode(&self) -> u8 {
        self.control & 0x0F
    }

    /// Control register bit 6: writes trigger the watchdog.
    pub(super) const fn triggers_watchdog(&self) -> bool {
        self.control & (1 << 6) != 0
    }

    /// Mailbox mode: holds a message.
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    /// Lets the application fill (`true`) or empty (`false`) a mailbox.
    pub(super) const fn set_full(&mut self, full: bool) {
        self.full = full;
        if full {
            self.write_event = true;
            self.read_event = false;
        } else {
            self.write_event = false;
            self.read_event = true;
        }
    }

    const fn direction(&self) -> Direction {
        if self.control >> 2 & 0x03 == 1 { Direction::Write } else { Direction::Read }
    }

    /// True when the access `start..end` touches this sync manager's area.
    pub(super) const fn overlaps(&self, start: usize, end: usize) -> bool {
        self.length > 0 && start < self.start() + self.length() && self.start() < end
    }

    /// Access of the controller to `start..end`, which [`overlaps`](Self::overlaps). Accesses that reach beyond
    /// the area are refused whole.
    pub(super) fn touch(&mut self, start: usize, end: usize, direction: Direction) -> Touch {
        let last = self.start() + self.length();
        let allowed = self.is_activated()
            && self.pdi_control & PDI_DISABLE == 0
            && self.direction() == direction
            && self.start() <= start
            && end <= last
            && (start == self.start() || self.open)
            && (!self.is_mailbox() || self.full == (direction == Direction::Read));
        if !allowed {
            return Touch::Refused;
        }
        if end < last {
            self.open = true;
            return Touch::Open;
        }
        self.open = false;
        if self.is_mailbox() {
            self.full = direction == Direction::Write;
        } else if direction == Direction::Write {
            self.buffer = if self.buffer >= 2 { 0 } else { self.buffer + 1 };
        }
        self.write_event = direction == Direction::Write;
        self.read_event = direction == Direction::Read;
        Touch::Complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(control: u8) -> SyncManager {
        let mut manager = SyncManager::new(false);
        manager.configure(&[0x00, 0x10, 0x10, 0x00, control, 0, 1, 0]);
        manager
    }

    const START: usize = 0x1000;
    const END: usize = 0x1010;

    #[test]
    fn a_mailbox_takes_one_message_until_it_is_emptied() {
        let mut mailbox = manager(0x26);
        assert_eq!(mailbox.touch(START, END, Direction::Write), Touch::Complete);
        assert_eq!(mailbox.status() & 0x08, 0x08);
        assert_eq!(mailbox.touch(START, END, Direction::Write), Touch::Refused);
        mailbox.set_full(false);
        assert_eq!(mailbox.touch(START, END, Direction::Write), Touch::Complete);
    }

    #[test]
    fn an_empty_mailbox_cannot_be_read() {
        let mut mailbox = manager(0x22);
        assert_eq!(mailbox.touch(START, END, Direction::Read), Touch::Refused);
        mailbox.set_full(true);
        assert_eq!(mailbox.touch(START, END, Direction::Read), Touch::Complete);
        assert_eq!(mailbox.touch(START, END, Direction::Read), Touch::Refused);
    }

    #[test]
    fn an_access_begins_at_the_first_byte_and_ends_at_the_last() {
        let mut outputs = manager(0x64);
        assert_eq!(outputs.touch(START + 1, END, Direction::Write), Touch::Refused);
        assert_eq!(outputs.touch(START, START + 4, Direction::Write), Touch::Open);
        assert_eq!(outputs.touch(START + 4, END, Direction::Write), Touch::Complete);
        assert_eq!(outputs.touch(START + 4, END, Direction::Write), Touch::Refused);
    }

    #[test]
    fn the_wrong_direction_and_accesses_beyond_the_area_are_refused() {
        let mut outputs = manager(0x64);
        assert_eq!(outputs.touch(START, END, Direction::Read), Touch::Refused);
        assert_eq!(outputs.touch(START, END + 1, Direction::Write), Touch::Refused);
        assert!(!outputs.overlaps(END, END + 4));
        assert!(outputs.overlaps(END - 1, END + 4));
    }

    #[test]
    fn the_settings_of_an_enabled_sync_manager_are_locked() {
        let mut outputs = manager(0x64);
        outputs.configure(&[0x00, 0x20, 0x20, 0x00, 0x26, 0, 1, 0]);
        assert_eq!((outputs.start(), outputs.length()), (0x1000, 0x10));
        outputs.configure(&[0; 8]);
        assert_eq!(outputs.touch(START, END, Direction::Write), Touch::Refused, "switched off");
        outputs.configure(&[0x00, 0x20, 0x20, 0x00, 0x26, 0, 1, 0]);
        assert_eq!((outputs.start(), outputs.length()), (0x2000, 0x20));
    }

    #[test]
    fn the_application_can_switch_it_off() {
        let mut outputs = manager(0x64);
        outputs.set_pdi_disabled(true);
        assert_eq!(outputs.touch(START, END, Direction::Write), Touch::Refused);
        assert_eq!(outputs.registers()[7], 1);
    }

    #[test]
    fn buffered_writes_walk_through_three_buffers() {
        let mut outputs = manager(0x64);
        let mut buffers = [0; 5];
        for buffer in &mut buffers {
            *buffer = outputs.status() >> 4;
            outputs.touch(START, END, Direction::Write);
        }
        assert_eq!(buffers, [3, 0, 1, 2, 0]);
    }

    #[test]
    fn a_toggled_repeat_bit_asks_for_the_content_again() {
        let mut mailbox = manager(0x22);
        assert!(mailbox.configure(&[0, 0, 0, 0, 0, 0, 0b11, 0]));
        mailbox.acknowledge_repeat();
        assert_eq!(mailbox.registers()[7], 0b10);
        assert!(!mailbox.configure(&[0, 0, 0, 0, 0, 0, 0b11, 0]));
    }
}
