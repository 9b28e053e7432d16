//! Little-endian numbers at an offset; what is not there is not read.

pub(super) fn u8_at(bytes: &[u8], offset: usize) -> Option<u8> {
    bytes.get(offset).copied()
}

pub(super) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().copied().map(u16::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(u32::from_le_bytes)
}

/// Puts `source` at `offset`; what does not fit is left out.
pub(super) fn put(target: &mut [u8], offset: usize, source: &[u8]) {
    for (place, byte) in target.iter_mut().skip(offset).zip(source) {
        *place = *byte;
    }
}
