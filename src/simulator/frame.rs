//! EtherCAT frames: Ethernet header, EtherCAT header, datagrams (ETG.1000.4, 5.3 and 5.4).

use super::wire::{put_u16, u8_at, u16_at};

/// Ethernet header and EtherCAT header.
pub(super) const HEADERS_BYTES: usize = 16;
/// Datagram header.
pub(super) const DATAGRAM_HEADER_BYTES: usize = 10;
/// Working counter behind the data.
pub(super) const WORKING_COUNTER_BYTES: usize = 2;

/// Whom a datagram means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Addressing {
    /// The SubDevice at which the address has been counted up to zero.
    Position,
    /// The SubDevice with that station address.
    Configured,
    /// All of them.
    Broadcast,
}

/// A command, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Nothing is done.
    None,
    /// Registers or memory of a SubDevice.
    Physical {
        /// Whose.
        addressing: Addressing,
        /// Data is read.
        reads: bool,
        /// Data is written.
        writes: bool,
    },
    /// Process image, through FMMUs.
    Logical {
        /// Data is read.
        reads: bool,
        /// Data is written.
        writes: bool,
    },
    /// The addressed one reads, all others write what passes by.
    ReadMultipleWrite {
        /// Who reads.
        addressing: Addressing,
    },
}

impl Command {
    /// The command with this number; unknown ones do nothing, as in an ESC.
    pub(super) const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Physical { addressing: Addressing::Position, reads: true, writes: false },
            2 => Self::Physical { addressing: Addressing::Position, reads: false, writes: true },
            3 => Self::Physical { addressing: Addressing::Position, reads: true, writes: true },
            4 => Self::Physical { addressing: Addressing::Configured, reads: true, writes: false },
            5 => Self::Physical { addressing: Addressing::Configured, reads: false, writes: true },
            6 => Self::Physical { addressing: Addressing::Configured, reads: true, writes: true },
            7 => Self::Physical { addressing: Addressing::Broadcast, reads: true, writes: false },
            8 => Self::Physical { addressing: Addressing::Broadcast, reads: false, writes: true },
            9 => Self::Physical { addressing: Addressing::Broadcast, reads: true, writes: true },
            10 => Self::Logical { reads: true, writes: false },
            11 => Self::Logical { reads: false, writes: true },
            12 => Self::Logical { reads: true, writes: true },
            13 => Self::ReadMultipleWrite { addressing: Addressing::Position },
            14 => Self::ReadMultipleWrite { addressing: Addressing::Configured },
            _ => Self::None,
        }
    }
}

/// Length of the EtherCAT payload if this is an EtherCAT frame with datagrams.
pub(super) fn payload_bytes(frame: &[u8]) -> Option<usize> {
    let is_ethercat = frame.len() >= HEADERS_BYTES && u8_at(frame, 12) == 0x88 && u8_at(frame, 13) == 0xA4;
    let header = u16_at(frame, 14);
    (is_ethercat && header >> 12 == 1).then_some(usize::from(header & 0x07FF))
}

/// Where a datagram lies in its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DatagramPlace {
    /// First byte of its header.
    pub(super) start: usize,
    /// Length of its data.
    pub(super) data_bytes: usize,
    /// Another datagram follows.
    pub(super) more_follow: bool,
}

impl DatagramPlace {
    /// The datagram at `start`, if it lies whole before `end`.
    pub(super) fn at(frame: &[u8], start: usize, end: usize) -> Option<Self> {
        let flags = u16_at(frame, start + 6);
        let place = Self { start, data_bytes: usize::from(flags & 0x07FF), more_follow: flags & 0x8000 != 0 };
        (place.end() <= end.min(frame.len())).then_some(place)
    }

    /// First byte of its data.
    pub(super) const fn data_start(&self) -> usize {
        self.start + DATAGRAM_HEADER_BYTES
    }

    /// First byte of its working counter.
    pub(super) const fn working_counter_start(&self) -> usize {
        self.data_start() + self.data_bytes
    }

    /// First byte behind it.
    pub(super) const fn end(&self) -> usize {
        self.working_counter_start() + WORKING_COUNTER_BYTES
    }
}

/// Adds to the working counter of a datagram; it wraps.
pub(super) fn add_working_counter(frame: &mut [u8], place: DatagramPlace, amount: u16) {
    let at = place.working_counter_start();
    let counter = u16_at(frame, at).wrapping_add(amount);
    put_u16(frame, at, counter);
}
