//! Little-endian numbers in byte slices. Reading beyond the end gives zeros and writing there does nothing, so
//! that no frame can make the simulation panic.

/// The `N` bytes at `offset`; zeros where the slice ends.
fn bytes<const N: usize>(data: &[u8], offset: usize) -> [u8; N] {
    let mut result = [0; N];
    if let Some(source) = data.get(offset..) {
        let count = source.len().min(N);
        if let (Some(to), Some(from)) = (result.get_mut(..count), source.get(..count)) {
            to.copy_from_slice(from);
        }
    }
    result
}

/// One byte.
pub(super) fn u8_at(data: &[u8], offset: usize) -> u8 {
    data.get(offset).copied().unwrap_or(0)
}

/// Two bytes.
pub(super) fn u16_at(data: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes(bytes(data, offset))
}

/// Four bytes.
pub(super) fn u32_at(data: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes(data, offset))
}

/// Eight bytes.
pub(super) fn u64_at(data: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes(data, offset))
}

/// Writes `value` at `offset`, as far as the slice goes.
pub(super) fn put(data: &mut [u8], offset: usize, value: &[u8]) {
    if let Some(target) = data.get_mut(offset..) {
        let count = target.len().min(value.len());
        if let (Some(to), Some(from)) = (target.get_mut(..count), value.get(..count)) {
            to.copy_from_slice(from);
        }
    }
}

/// Writes one byte.
pub(super) fn put_u8(data: &mut [u8], offset: usize, value: u8) {
    put(data, offset, &[value]);
}

/// Writes two bytes.
pub(super) fn put_u16(data: &mut [u8], offset: usize, value: u16) {
    put(data, offset, &value.to_le_bytes());
}

/// Writes four bytes.
pub(super) fn put_u32(data: &mut [u8], offset: usize, value: u32) {
    put(data, offset, &value.to_le_bytes());
}

/// Writes eight bytes.
pub(super) fn put_u64(data: &mut [u8], offset: usize, value: u64) {
    put(data, offset, &value.to_le_bytes());
}

/// Up to 64 bits from bit `offset` on, least significant first.
pub(super) fn bits_at(data: &[u8], offset: usize, count: usize) -> u64 {
    let (byte, shift) = (offset / 8, offset % 8);
    let count = count.min(64);
    let raw = if shift == 0 {
        u64_at(data, byte)
    } else {
        (u64_at(data, byte) >> shift) | (u64::from(u8_at(data, byte + 8)) << (64 - shift))
    };
    if count == 64 { raw } else { raw & ((1 << count) - 1) }
}

/// Replaces up to 64 bits from bit `offset` on, least significant first.
pub(super) fn put_bits(data: &mut [u8], offset: usize, count: usize, value: u64) {
    if offset.is_multiple_of(8) && count.is_multiple_of(8) && count <= 64 {
        put(data, offset / 8, value.to_le_bytes().get(..count / 8).unwrap_or(&[]));
        return;
    }
    for bit in 0..count.min(64) {
        set_bit(data, offset + bit, value >> bit & 1 == 1);
    }
}

/// One bit.
pub(super) fn bit_at(data: &[u8], offset: usize) -> bool {
    u8_at(data, offset / 8) >> (offset % 8) & 1 == 1
}

/// Sets one bit.
pub(super) fn set_bit(data: &mut [u8], offset: usize, value: bool) {
    if let Some(byte) = data.get_mut(offset / 8) {
        let mask = 1 << (offset % 8);
        if value {
            *byte |= mask;
        } else {
            *byte &= !mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reading_beyond_the_end_gives_zeros_and_writing_there_nothing() {
        let mut data = [0x11, 0x22, 0x33];
        assert_eq!(u32_at(&data, 1), 0x3322);
        assert_eq!(u16_at(&data, 17), 0);
        put_u32(&mut data, 2, 0xAABB_CCDD);
        assert_eq!(data, [0x11, 0x22, 0xDD]);
    }

    proptest! {
        #[test]
        fn bits_come_back_and_their_neighbours_stay(
            background: [u8; 12], offset in 0_usize..32, count in 1_usize..=64, value: u64,
        ) {
            let mut data = background;
            put_bits(&mut data, offset, count, value);
            let mask = if count == 64 { u64::MAX } else { (1 << count) - 1 };
            prop_assert_eq!(bits_at(&data, offset, count), value & mask);
            for bit in (0..offset).chain(offset + count..96) {
                prop_assert_eq!(bit_at(&data, bit), bit_at(&background, bit));
            }
        }
    }
}
