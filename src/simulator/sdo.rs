//! SDO server: expedited, normal and segmented transfers in both directions, complete access, aborts
//! (ETG.1000.6, 5.6.2).

use std::borrow::Cow;

use super::al_state::AlState;
use super::complete_access::Padding;
use super::dictionary::{Abort, Dictionary, ObjectAddress};
use super::wire::{put, put_u8, put_u16, put_u32, u8_at, u32_at};

/// Longest value that can be transferred.
const TRANSFER_BYTES_MAX: usize = 2048;
/// Command byte, index, subindex, four bytes.
const SDO_BYTES: usize = 8;
/// Data bytes a segment has at least room for.
const SEGMENT_BYTES_MIN: usize = 7;

/// A transfer that needs more than one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Transfer {
    #[default]
    None,
    Upload {
        done: usize,
        toggle: bool,
    },
    Download {
        address: ObjectAddress,
        complete: bool,
        size: usize,
        toggle: bool,
    },
}

/// Command bit 4 of the first message of a transfer: all subindices at once.
const COMPLETE_ACCESS: u8 = 1 << 4;

/// The server of one device.
#[derive(Clone, Debug)]
pub(super) struct SdoServer {
    /// How subindex 0 is sent and expected in complete access.
    pub(super) padding: Padding,
    transfer: Transfer,
    buffer: Vec<u8>,
}

impl SdoServer {
    /// A server without a transfer.
    pub(super) fn new() -> Self {
        Self {
            padding: Padding::default(),
            transfer: Transfer::None,
            buffer: Vec::with_capacity(TRANSFER_BYTES_MAX),
        }
    }

    /// Forgets any transfer.
    pub(super) fn reset(&mut self) {
        self.transfer = Transfer::None;
        self.buffer.clear();
    }

    /// Answers an SDO request (what follows the CoE header) into `reply`. Returns its length; `None`: no reply.
    pub(super) fn request(
        &mut self,
        request: &[u8],
        dictionary: &mut Dictionary,
        state: AlState,
        reply: &mut [u8],
    ) -> Option<usize> {
        let command = u8_at(request, 0);
        let address = ObjectAddress::at(request, 1);
        let answer = match command >> 5 {
            0 => self.download_segment(request, dictionary, state, reply),
            1 => self.download(request, dictionary, state, reply).map_err(|abort| (address, abort)),
            2 => self.upload(request, dictionary, reply).map_err(|abort| (address, abort)),
            3 => self.upload_segment(request, reply),
            4 => {
                self.reset();
                return None;
            }
            _ => Err((address, Abort::UnknownCommand)),
        };
        Some(answer.unwrap_or_else(|(address, abort)| {
            self.reset();
            put_u8(reply, 0, 0x80);
            put_u16(reply, 1, address.index);
            put_u8(reply, 3, address.subindex);
            put_u32(reply, 4, abort as u32);
            SDO_BYTES
        }))
    }

    fn write(
        &self,
        dictionary: &mut Dictionary,
        address: ObjectAddress,
        complete: bool,
        data: &[u8],
        state: AlState,
    ) -> Result<(), Abort> {
        if complete {
            dictionary.write_complete(address, self.padding, data, state)
        } else {
            dictionary.write(address.index, address.subindex, data, state)
        }
    }

    fn upload(&mut self, request: &[u8], dictionary: &Dictionary, reply: &mut [u8]) -> Result<usize, Abort> {
        self.reset();
        let complete = u8_at(request, 0) & COMPLETE_ACCESS;
        let address = ObjectAddress::at(request, 1);
        let value: Cow<'_, [u8]> = if complete == 0 {
            dictionary.read(address.index, address.subindex)?.into()
        } else {
            dictionary.read_complete(address, self.padding)?.into()
        };
        put_u16(reply, 1, address.index);
        put_u8(reply, 3, address.subindex);
        if (1..=4).contains(&value.len()) {
            put_u8(reply, 0, 0x43 | complete | ((4 - value.len()) as u8) << 2);
            put_u32(reply, 4, 0);
            put(reply, 4, &value);
            return Ok(SDO_BYTES);
        }
        put_u8(reply, 0, 0x41 | complete);
        put_u32(reply, 4, value.len() as u32);
        let first = value.len().min(reply.len().saturating_sub(SDO_BYTES));
        put(reply, SDO_BYTES, value.get(..first).unwrap_or(&[]));
        if first < value.len() {
            self.buffer.extend_from_slice(&value);
            self.transfer = Transfer::Upload { done: first, toggle: false };
        }
        Ok(SDO_BYTES + first)
    }

    fn upload_segment(&mut self, request: &[u8], reply: &mut [u8]) -> Result<usize, (ObjectAddress, Abort)> {
        let Transfer::Upload { done, toggle } = self.transfer else {
            return Err((ObjectAddress::default(), Abort::UnknownCommand));
        };
        if (u8_at(request, 0) & 0x10 != 0) != toggle {
            return Err((ObjectAddress::default(), Abort::ToggleNotAlternated));
        }
        let rest = self.buffer.get(done..).unwrap_or(&[]);
        let count = rest.len().min(reply.len().saturating_sub(1));
        put(reply, 1, rest.get(..count).unwrap_or(&[]));
        let last = count == rest.len();
        let unused = SEGMENT_BYTES_MIN.saturating_sub(count);
        put_u8(reply, 0, u8::from(toggle) << 4 | (unused as u8) << 1 | u8::from(last));
        reply.get_mut(1 + count..1 + count + unused).unwrap_or(&mut []).fill(0);
        if last {
            self.reset();
        } else {
            self.transfer = Transfer::Upload { done: done + count, toggle: !toggle };
        }
        Ok(1 + count + unused)
    }

    fn download(
        &mut self,
        request: &[u8],
        dictionary: &mut Dictionary,
        state: AlState,
        reply: &mut [u8],
    ) -> Result<usize, Abort> {
        self.reset();
        let command = u8_at(request, 0);
        let complete = command & COMPLETE_ACCESS != 0;
        let address = ObjectAddress::at(request, 1);
        if command & 0x02 != 0 {
            let count = if command & 0x01 == 0 { 4 } else { 4 - usize::from(command >> 2 & 3) };
            let data = request.get(4..4 + count).ok_or(Abort::LengthDiffers)?;
            self.write(dictionary, address, complete, data, state)?;
        } else {
            let size = u32_at(request, 4) as usize;
            if size > TRANSFER_BYTES_MAX {
                return Err(Abort::OutOfMemory);
            }
            if !complete {
                dictionary.check_write(address.index, address.subindex, size, state)?;
            }
            let data = request.get(SDO_BYTES..).unwrap_or(&[]);
            let data = data.get(..data.len().min(size)).unwrap_or(&[]);
            if data.len() == size {
                self.write(dictionary, address, complete, data, state)?;
            } else {
                self.buffer.extend_from_slice(data);
                self.transfer = Transfer::Download { address, complete, size, toggle: false };
            }
        }
        put_u8(reply, 0, 0x60 | command & COMPLETE_ACCESS);
        put_u16(reply, 1, address.index);
        put_u8(reply, 3, address.subindex);
        put_u32(reply, 4, 0);
        Ok(SDO_BYTES)
    }

    fn download_segment(
        &mut self,
        request: &[u8],
        dictionary: &mut Dictionary,
        state: AlState,
        reply: &mut [u8],
    ) -> Result<usize, (ObjectAddress, Abort)> {
        let Transfer::Download { address, complete, size, toggle } = self.transfer else {
            return Err((ObjectAddress::default(), Abort::UnknownCommand));
        };
        let command = u8_at(request, 0);
        if (command & 0x10 != 0) != toggle {
            return Err((address, Abort::ToggleNotAlternated));
        }
        let data = request.get(1..).unwrap_or(&[]);
        let unused = if data.len() == SEGMENT_BYTES_MIN { usize::from(command >> 1 & 7) } else { 0 };
        let data = data.get(..data.len() - unused).unwrap_or(&[]);
        if self.buffer.len() + data.len() > size {
            return Err((address, Abort::LengthTooHigh));
        }
        self.buffer.extend_from_slice(data);
        self.transfer = Transfer::Download { address, complete, size, toggle: !toggle };
        if command & 0x01 != 0 {
            let written = if self.buffer.len() == size {
                self.write(dictionary, address, complete, &self.buffer, state)
            } else {
                Err(Abort::LengthDiffers)
            };
            written.map_err(|abort| (address, abort))?;
            self.reset();
        }
        put_u8(reply, 0, 0x20 | u8::from(toggle) << 4);
        reply.get_mut(1..SDO_BYTES).unwrap_or(&mut []).fill(0);
        Ok(SDO_BYTES)
    }
}
