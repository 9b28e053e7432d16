//! Fieldbus memory management unit: a piece of the logical process image that lies in a SubDevice's memory
//! (ETG.1000.4, 0x0600…). Mapping is by bits; whole bytes take a short way.

use super::wire::{u8_at, u16_at, u32_at};

/// FMMUs of every simulated SubDevice.
pub(super) const FMMU_COUNT: usize = 8;
/// First register.
pub(super) const FMMU_BASE: usize = 0x0600;
/// Registers of one FMMU.
pub(super) const FMMU_BYTES: usize = 16;

/// One FMMU, taken apart once when its registers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fmmu {
    logical_start: u32,
    length: u16,
    logical_start_bit: u8,
    logical_end_bit: u8,
    physical_start: u16,
    physical_start_bit: u8,
    /// The controller reads through it.
    pub(super) reads: bool,
    /// The controller writes through it.
    pub(super) writes: bool,
    active: bool,
}

/// Part of a datagram that an FMMU maps, in whole bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteSpan {
    /// First byte in the datagram.
    pub(super) data_start: usize,
    /// First byte in the memory of the SubDevice.
    pub(super) physical_start: usize,
    /// Number of bytes.
    pub(super) length: usize,
}

/// Part of a datagram that an FMMU maps, in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BitSpan {
    /// First bit in the datagram.
    pub(super) data_bit: usize,
    /// First bit in the memory of the SubDevice, from the start of address 0.
    pub(super) physical_bit: usize,
    /// Number of bits.
    pub(super) count: usize,
}

/// How a datagram meets an FMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// Byte by byte.
    Bytes(ByteSpan),
    /// Bit by bit.
    Bits(BitSpan),
}

impl Fmmu {
    /// Takes over the 16 register bytes.
    pub(super) fn from_registers(registers: &[u8]) -> Self {
        let kind = u8_at(registers, 11);
        Self {
            logical_start: u32_at(registers, 0),
            length: u16_at(registers, 4),
            logical_start_bit: u8_at(registers, 6) & 7,
            logical_end_bit: u8_at(registers, 7) & 7,
            physical_start: u16_at(registers, 8),
            physical_start_bit: u8_at(registers, 10) & 7,
            reads: kind & 1 != 0,
            writes: kind & 2 != 0,
            active: u8_at(registers, 12) & 1 != 0,
        }
    }

    /// The part of a datagram of `length` bytes at `logical` that this FMMU maps.
    pub(super) fn span(&self, logical: u32, length: usize) -> Option<Span> {
        if !self.active || self.length == 0 {
            return None;
        }
        let (begin, end) = (u64::from(logical), u64::from(logical) + length as u64);
        let mine = u64::from(self.logical_start);
        let mine_end = mine + u64::from(self.length);
        if begin >= mine_end || mine >= end {
            return None;
        }
        let first = begin.max(mine);
        let last = end.min(mine_end);
        if self.logical_start_bit == 0 && self.logical_end_bit == 7 && self.physical_start_bit == 0 {
            return Some(Span::Bytes(ByteSpan {
                data_start: (first - begin) as usize,
                physical_start: usize::from(self.physical_start) + (first - mine) as usize,
                length: (last - first) as usize,
            }));
        }
        // From here on in bits, counted from logical address 0.
        let mine_first_bit = mine * 8 + u64::from(self.logical_start_bit);
        let mine_last_bit = (mine_end - 1) * 8 + u64::from(self.logical_end_bit) + 1;
        let first_bit = (begin * 8).max(mine_first_bit);
        let last_bit = (end * 8).min(mine_last_bit);
        (first_bit < last_bit).then(|| {
            Span::Bits(BitSpan {
                data_bit: (first_bit - begin * 8) as usize,
                physical_bit: usize::from(self.physical_start) * 8
                    + usize::from(self.physical_start_bit)
                    + (first_bit - mine_first_bit) as usize,
                count: (last_bit - first_bit) as usize,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fmmu(logical: u32, length: u16, bits: (u8, u8), physical: (u16, u8)) -> Fmmu {
        let mut registers = [0; FMMU_BYTES];
        registers[0..4].copy_from_slice(&logical.to_le_bytes());
        registers[4..6].copy_from_slice(&length.to_le_bytes());
        (registers[6], registers[7]) = bits;
        registers[8..10].copy_from_slice(&physical.0.to_le_bytes());
        registers[10] = physical.1;
        registers[11] = 3;
        registers[12] = 1;
        Fmmu::from_registers(&registers)
    }

    #[test]
    fn whole_bytes_are_cut_to_what_the_datagram_covers() {
        let fmmu = fmmu(0x100, 8, (0, 7), (0x1100, 0));
        let bytes = |data_start, physical_start, length| {
            Some(Span::Bytes(ByteSpan { data_start, physical_start, length }))
        };
        assert_eq!(fmmu.span(0xF0, 64), bytes(16, 0x1100, 8));
        assert_eq!(fmmu.span(0x104, 64), bytes(0, 0x1104, 4));
        assert_eq!(fmmu.span(0xF0, 18), bytes(16, 0x1100, 2));
        assert_eq!(fmmu.span(0xF0, 16), None);
        assert_eq!(fmmu.span(0x108, 16), None);
    }

    #[test]
    fn single_bits_are_placed_where_the_registers_say() {
        // Three bits: bit 5 to 7 of logical byte 0x10, to bits 2 to 4 at 0x1200.
        let fmmu = fmmu(0x10, 1, (5, 7), (0x1200, 2));
        let expected = BitSpan { data_bit: 5, physical_bit: 0x1200 * 8 + 2, count: 3 };
        assert_eq!(fmmu.span(0x10, 1), Some(Span::Bits(expected)));
    }

    #[test]
    fn a_bit_range_may_cross_a_byte_border() {
        // Bit 6 of byte 0 to bit 1 of byte 1.
        let fmmu = fmmu(0x20, 2, (6, 1), (0x1000, 0));
        let expected = BitSpan { data_bit: 6, physical_bit: 0x1000 * 8, count: 4 };
        assert_eq!(fmmu.span(0x20, 2), Some(Span::Bits(expected)));
    }

    #[test]
    fn an_inactive_or_empty_fmmu_maps_nothing() {
        assert_eq!(Fmmu::default().span(0, 100), None);
        assert_eq!(fmmu(0, 0, (0, 7), (0x1000, 0)).span(0, 100), None);
    }

    #[test]
    fn a_mapping_at_the_end_of_the_address_space_does_not_wrap() {
        let fmmu = fmmu(u32::MAX - 1, 8, (0, 7), (0x1000, 0));
        assert!(fmmu.span(u32::MAX, 4).is_some());
        assert_eq!(fmmu.span(0, 4), None);
    }
}
