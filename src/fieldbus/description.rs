//! What the bus should look like: the devices in wire order, what to write to them, cycle and clock.
//! Built once from the configuration; constant afterwards.

#![expect(clippy::disallowed_types, reason = "built at start, only read in the cycle")]

use crate::bus_health::reaction::Reaction;
use crate::devices::{Device, objects};
use crate::units::Nanoseconds;

/// A value of an object dictionary entry, as it goes over the wire (little-endian, two's complement).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdoValue {
    /// One byte: u8, i8, bool.
    U8(u8),
    /// Two bytes: u16, i16.
    U16(u16),
    /// Four bytes: u32, i32, f32 as bits.
    U32(u32),
}

impl SdoValue {
    /// The value, zero-extended.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::U8(value) => value as u32,
            Self::U16(value) => value as u32,
            Self::U32(value) => value,
        }
    }

    /// Bytes on the wire.
    #[must_use]
    pub const fn bytes(&self) -> SdoBytes {
        let (count, bits) = match *self {
            Self::U8(value) => (1, value as u32),
            Self::U16(value) => (2, value as u32),
            Self::U32(value) => (4, value),
        };
        SdoBytes { bytes: bits.to_le_bytes(), count }
    }
}

/// The bytes of an [`SdoValue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SdoBytes {
    bytes: [u8; 4],
    count: usize,
}

impl std::ops::Deref for SdoBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.count).unwrap_or(&[])
    }
}

/// One object to be written in PRE-OP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SdoWrite {
    /// Object index.
    pub index: u16,
    /// Subindex.
    pub subindex: u8,
    /// Value.
    pub value: SdoValue,
}

impl SdoWrite {
    /// The interpolation time period (0x60C2) for a cycle time, as the two writes it needs; `None` when
    /// the cycle is not 1 to 255 steps of 10 µs, 100 µs, 1 ms or 10 ms.
    /// Source: CiA 402-2, object 0x60C2.
    #[must_use]
    pub fn interpolation_period(cycle_time: Nanoseconds) -> Option<[Self; 2]> {
        // Largest step first, so that 1 ms is written as 1 × 10⁻³ s: what every drive accepts.
        for (step_ns, exponent) in [(10_000_000, -2_i8), (1_000_000, -3), (100_000, -4), (10_000, -5)] {
            if cycle_time.0 != 0 && cycle_time.0.is_multiple_of(step_ns) {
                let steps = u8::try_from(cycle_time.0 / step_ns).ok()?;
                let write = |subindex, value| Self { index: objects::INTERPOLATION_PERIOD, subindex, value };
                return Some([
                    write(1, SdoValue::U8(steps)),
                    write(2, SdoValue::U8(exponent.cast_unsigned())),
                ]);
            }
        }
        None
    }
}

/// One device as the configuration expects it.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedDevice {
    /// Its name in the cell, for messages.
    pub name: String,
    /// Identity, process data, kind. A revision or serial number of zero means any.
    pub device: Device,
    /// The station alias its SII must hold; `None`: any.
    pub alias: Option<u16>,
    /// Objects to write in PRE-OP, in this order, after the process data mapping.
    pub startup: Vec<SdoWrite>,
    /// What it must do when something goes wrong: audited last in PRE-OP.
    pub reactions: Vec<Reaction>,
}

/// Distributed clocks of the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockDescription {
    /// How long after the planned sending of a frame SYNC0 comes, below the cycle time. Half a cycle is
    /// the most tolerant of jitter on both sides.
    pub sync0_shift: Nanoseconds,
    /// Largest difference of a device's system time from the reference (0x092C) before OP is asked for.
    pub settled_below: Nanoseconds,
}

/// How long bring-up waits before it gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BringUpTimeouts {
    /// Finding all devices, reading their SII, PRE-OP.
    pub discovery: Nanoseconds,
    /// One SDO transfer.
    pub sdo: Nanoseconds,
    /// SAFE-OP, OP, and back: each.
    pub transition: Nanoseconds,
    /// Clocks come together.
    pub clock: Nanoseconds,
}

impl Default for BringUpTimeouts {
    fn default() -> Self {
        Self {
            discovery: Nanoseconds(30_000_000_000),
            sdo: Nanoseconds(3_000_000_000),
            transition: Nanoseconds(10_000_000_000),
            clock: Nanoseconds(5_000_000_000),
        }
    }
}

/// The whole bus.
#[derive(Clone, Debug, PartialEq)]
pub struct BusDescription {
    /// The devices, in the order the frame passes them.
    pub devices: Vec<ExpectedDevice>,
    /// Time between two frames.
    pub cycle_time: Nanoseconds,
    /// Distributed clocks, or `None` to run without SYNC0.
    pub clock: Option<ClockDescription>,
    /// After this time without outputs a device makes itself safe (sync manager watchdog, 0x0420).
    /// In steps of 100 µs, at most 10 ms for a moving machine.
    pub watchdog: Nanoseconds,
    /// How long bring-up waits.
    pub timeouts: BringUpTimeouts,
}

impl BusDescription {
    /// A bus with the usual settings: SYNC0 half a cycle after the frame, 10 ms watchdog.
    #[must_use]
    pub fn new(devices: Vec<ExpectedDevice>, cycle_time: Nanoseconds) -> Self {
        let has_clock = devices.iter().any(|expected| expected.device.distributed_clock);
        Self {
            devices,
            cycle_time,
            clock: has_clock.then_some(ClockDescription {
                sync0_shift: Nanoseconds(cycle_time.0 / 2),
                settled_below: Nanoseconds(10_000),
            }),
            watchdog: Nanoseconds(10_000_000),
            timeouts: BringUpTimeouts::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpolation_period_is_written_in_the_largest_step_that_fits() {
        let written = |ns| {
            SdoWrite::interpolation_period(Nanoseconds(ns))
                .map(|[value, exponent]| (value.value.bits(), exponent.value.bits()))
        };
        assert_eq!(written(1_000_000), Some((1, 0xFD)));
        assert_eq!(written(500_000), Some((5, 0xFC)));
        assert_eq!(written(2_000_000), Some((2, 0xFD)));
        assert_eq!(written(250_000), Some((25, 0xFB)));
        assert_eq!(written(123_456), None);
        assert_eq!(written(0), None);
    }
}
