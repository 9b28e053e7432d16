//! Reading the SII (the EEPROM with what a SubDevice is) by place on the wire, in any state.
//! Not real-time: a real EEPROM needs some 100 µs a word.
//!
//! Source: ETG.1000.4 (SII access), ETG.1000.6 table 16 (content).

use super::frame_pump::FramePump;
use super::link::FrameLink;
use super::registers;
use crate::devices::Identity;
use crate::units::Nanoseconds;

/// Tries until the SII interface is not busy.
const TRIES: usize = 1_000;
/// Who may access it, and control with address.
const CONFIGURATION: u16 = 0x0500;
const CONTROL: u16 = 0x0502;
const DATA: u16 = 0x0508;
const BUSY: u16 = 1 << 15;
/// Eight bytes at a time.
const READS_EIGHT: u16 = 1 << 6;
/// Command "read".
const READ: u8 = 1;

/// First word of the station alias, one word.
const ALIAS_WORD: u32 = 4;
/// First word of the identity: vendor, product, revision, serial, two words each.
const IDENTITY_WORD: u32 = 8;

/// What a device says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FoundDevice {
    pub(super) identity: Identity,
    pub(super) alias: u16,
}

/// Takes the SII of the device at `position` away from its own controller, for the master.
pub(super) fn take_over<L: FrameLink>(
    pump: &mut FramePump<L>,
    position: u16,
    deadline: Nanoseconds,
) -> Option<()> {
    registers::write_by_position(pump, position, CONFIGURATION, 2_u8, deadline).ok()?;
    registers::write_by_position(pump, position, CONFIGURATION, 0_u8, deadline).ok()
}

/// Reads `target.len()` bytes from `word` on; `None` when the device does not answer or stays busy.
pub(super) fn read<L: FrameLink>(
    pump: &mut FramePump<L>,
    position: u16,
    word: u32,
    target: &mut [u8],
    deadline: Nanoseconds,
) -> Option<()> {
    let mut word = word;
    let mut rest = target;
    while !rest.is_empty() {
        let [a, b, c, d] = word.to_le_bytes();
        let command = [0, READ, a, b, c, d];
        registers::write_by_position(pump, position, CONTROL, command, deadline).ok()?;
        let mut control = BUSY;
        for _ in 0..TRIES {
            control = registers::read_by_position(pump, position, CONTROL, deadline).ok()?;
            if control & BUSY == 0 {
                break;
            }
        }
        if control & BUSY != 0 {
            return None;
        }
        let data: [u8; 8] = if control & READS_EIGHT != 0 {
            registers::read_by_position(pump, position, DATA, deadline).ok()?
        } else {
            let four: [u8; 4] = registers::read_by_position(pump, position, DATA, deadline).ok()?;
            let [a, b, c, d] = four;
            [a, b, c, d, 0, 0, 0, 0]
        };
        let count = rest.len().min(if control & READS_EIGHT != 0 { 8 } else { 4 });
        let (now, later) = rest.split_at_mut(count);
        now.copy_from_slice(data.get(..count)?);
        rest = later;
        word = word.checked_add(if count == 8 { 4 } else { 2 })?;
    }
    Some(())
}

/// Identity and alias of the device at `position`.
pub(super) fn read_identity<L: FrameLink>(
    pump: &mut FramePump<L>,
    position: u16,
    deadline: Nanoseconds,
) -> Option<FoundDevice> {
    take_over(pump, position, deadline)?;
    let mut alias = [0; 2];
    read(pump, position, ALIAS_WORD, &mut alias, deadline)?;
    let mut words = [0; 16];
    read(pump, position, IDENTITY_WORD, &mut words, deadline)?;
    let mut numbers =
        words.chunks_exact(4).filter_map(|four| four.first_chunk().copied().map(u32::from_le_bytes));
    let mut next = || numbers.next().unwrap_or(0);
    let identity = Identity { vendor: next(), product: next(), revision: next(), serial: next() };
    Some(FoundDevice { identity, alias: u16::from_le_bytes(alias) })
}
