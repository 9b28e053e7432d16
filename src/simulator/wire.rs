//! Little-endian numbers in byte slices. Reading beyond the end gives zeros and writing there does nothing, so
//! that no frame can make the simulation panic.

/// The `N` bytes at `offset`; zeros where the slice ends.
fn bytes<const N: usize>(data: &[u8], offset: usize) -> [u8; N] {
    // A copy of fixed length is one load; one of any length is a call.
    if let Some(whole) = data.get(offset..).and_then(|rest| rest.first_chunk::<N>()) {
        return *whole;
    }
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

/// Writes `N` bytes at `offset`, as far as the slice goes.
fn put_bytes<const N: usize>(data: &mut [u8], offset: usize, value: [u8; N]) {
    match data.get_mut(offset..).and_then(|rest| rest.first_chunk_mut::<N>()) {
        Some(target) => *target = value,
        None => put(data, offset, &value),
    }
}

/// Writes one byte.
pub(super) fn put_u8(data: &mut [u8], offset: usize, value: u8) {
    put_bytes(data, offset, [value]);
}

/// Writes two bytes.
pub(super) fn put_u16(data: &mut [u8], offset: usize, value: u16) {
    put_bytes(data, offset, value.to_le_bytes());
}

/// Writes four bytes.
pub(super) fn put_u32(data: &mut [u8], offset: usize, value: u32) {
    put_bytes(data, offset, value.to_le_bytes());
}

/// Writes eight bytes.
pub(super) fn put_u64(data: &mut [u8], offset: usize, value: u64) {
    put_bytes(data, offset, value.to_le_bytes());
}

/// Up to 64 bits from bit `offset` on, least significant first.
pub(super) fn bits_at(data: &[u8], offset: usize, count: usize) -> u64 {
    let (byte, shift) = (offset / 8, offset % 8);
    match (shift, count) {
        (_, 1) => return u64::from(bit_at(data, offset)),
        (0, 8) => return u64::from(u8_at(data, byte)),
        (0, 16) => return u64::from(u16_at(data, byte)),
        (0, 32) => return u64::from(u32_at(data, byte)),
        _ => {}
    }
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
    match (offset % 8, count) {
        (0, 8) => return put_u8(data, offset / 8, value as u8),
        (0, 16) => return put_u16(data, offset / 8, value as u16),
        (0, 32) => return put_u32(data, offset / 8, value as u32),
        (0, 64) => return put_u64(data, offset / 8, value),
        _ => {}
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

/// Largest whole number not above `value`. The library's `floor` is a call where the processor is not known to
/// have the instruction.
pub(super) fn floor(value: f64) -> i64 {
    let truncated = value as i64;
    truncated - i64::from(truncated as f64 > value)
}

/// Nearest whole number, halves away from zero.
pub(super) fn round(value: f64) -> i64 {
    (value + 0.5_f64.copysign(value)) as i64
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
        fn floor_and_round_are_those_of_the_library(value in -1e15..1e15_f64) {
            prop_assert_eq!(floor(value), value.floor() as i64);
            if (value - value.trunc()).abs() < 0.499_999 || value.abs() > 1e6 {
                prop_assert!((round(value) - value.round() as i64).abs() <= i64::from(value.abs() > 1e12));
            }
        }

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
