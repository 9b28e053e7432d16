//! Where process data lies in the memory of a SubDevice, and how single objects lie in it.

use crate::devices::{Device, PdoMap};

use super::wire::{bits_at, put_bits};

/// Most bytes of process data in one direction.
pub(super) const PROCESS_DATA_BYTES_MAX: usize = 128;
/// Start of the mailbox the controller writes.
pub(super) const MAILBOX_OUT_START: u16 = 0x1000;
/// Start of the mailbox the controller reads.
pub(super) const MAILBOX_IN_START: u16 = 0x1080;
/// Length of each mailbox.
pub(super) const MAILBOX_BYTES: u16 = 128;
/// Start of the outputs; three buffers of the largest length follow each other.
const OUTPUTS_START: u16 = 0x1100;
/// Start of the inputs.
const INPUTS_START: u16 = 0x1280;

/// What a sync manager is for, as in the SII and at 0x1C00.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SyncManagerUse {
    /// Mailbox, controller to device.
    MailboxOut = 1,
    /// Mailbox, device to controller.
    MailboxIn = 2,
    /// Process data, controller to device.
    Outputs = 3,
    /// Process data, device to controller.
    Inputs = 4,
}

/// A sync manager as the SII announces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedSyncManager {
    /// What it is for.
    pub usage: SyncManagerUse,
    /// Physical start address.
    pub start: u16,
    /// Length, bytes.
    pub length: u16,
    /// Control register (0x0804).
    pub control: u8,
}

/// Which sync managers a device has, by index.
#[derive(Clone, Debug)]
pub(super) struct SyncManagerPlan(Vec<PlannedSyncManager>);

impl SyncManagerPlan {
    /// Mailboxes first where the device has them; a direction without data is left out on simple devices.
    pub(super) fn of(device: &Device) -> Self {
        let mut plan = Vec::new();
        let coe = device.kind.has_mailbox();
        if coe {
            plan.push(PlannedSyncManager {
                usage: SyncManagerUse::MailboxOut,
                start: MAILBOX_OUT_START,
                length: MAILBOX_BYTES,
                control: 0x26,
            });
            plan.push(PlannedSyncManager {
                usage: SyncManagerUse::MailboxIn,
                start: MAILBOX_IN_START,
                length: MAILBOX_BYTES,
                control: 0x22,
            });
        }
        if coe || device.outputs.bytes() > 0 {
            plan.push(PlannedSyncManager {
                usage: SyncManagerUse::Outputs,
                start: OUTPUTS_START,
                length: device.outputs.bytes() as u16,
                // Buffered, written by the controller, interrupt to the application, watchdog.
                control: 0x64,
            });
        }
        if coe || device.inputs.bytes() > 0 {
            plan.push(PlannedSyncManager {
                usage: SyncManagerUse::Inputs,
                start: INPUTS_START,
                length: device.inputs.bytes() as u16,
                control: 0x20,
            });
        }
        Self(plan)
    }

    /// All of them, by index.
    pub(super) fn all(&self) -> &[PlannedSyncManager] {
        &self.0
    }

    /// Index of the one with this use.
    pub(super) fn index_of(&self, usage: SyncManagerUse) -> Option<usize> {
        self.0.iter().position(|planned| planned.usage == usage)
    }
}

/// One object in the process data of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MappedObject {
    pub(super) index: u16,
    pub(super) subindex: u8,
    /// First bit.
    pub(super) offset: usize,
    /// Number of bits.
    pub(super) bits: usize,
}

impl MappedObject {
    /// Its value, as an unsigned number.
    pub(super) fn read(&self, data: &[u8]) -> u64 {
        bits_at(data, self.offset, self.bits)
    }

    /// Sets its value.
    pub(super) fn write(&self, data: &mut [u8], value: u64) {
        put_bits(data, self.offset, self.bits, value);
    }
}

/// The mapping of one direction, as the object dictionary says: `(index, subindex, bits)` in wire order.
#[derive(Clone, Debug, Default)]
pub(super) struct Mapping {
    objects: Vec<MappedObject>,
    bits: usize,
}

impl Mapping {
    /// Lays the entries out one after the other. Index zero is padding.
    pub(super) fn new(entries: impl Iterator<Item = (u16, u8, usize)>) -> Self {
        let mut mapping = Self::default();
        for (index, subindex, bits) in entries {
            if index != 0 {
                mapping.objects.push(MappedObject { index, subindex, offset: mapping.bits, bits });
            }
            mapping.bits += bits;
        }
        mapping
    }

    /// The mapping of a device type.
    pub(super) fn of(map: &PdoMap) -> Self {
        let entries = map.entries().iter();
        Self::new(entries.map(|entry| (entry.index, entry.subindex, usize::from(entry.bits))))
    }

    /// The objects, in wire order, without padding.
    pub(super) fn objects(&self) -> &[MappedObject] {
        &self.objects
    }

    /// Length in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bits.div_ceil(8)
    }
}
