//! CoE object dictionary: values with their access rules (ETG.1000.6, 5.6; CiA 301), and the rules of PDO
//! assignment and mapping.

use crate::devices::{Device, PdoEntry, PdoMap};

use super::al_state::AlState;
use super::process_data::{Mapping, PROCESS_DATA_BYTES_MAX, SyncManagerPlan, SyncManagerUse};
use super::wire::{u8_at, u16_at, u32_at, u64_at};

/// Most entries of a PDO.
const PDO_ENTRIES_MAX: u8 = 32;
/// Most PDOs assigned to a sync manager.
const ASSIGNED_PDOS_MAX: u8 = 4;

/// SDO abort code (CiA 301, ETG.1000.6 table 41).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Abort {
    ToggleNotAlternated = 0x0503_0000,
    UnknownCommand = 0x0504_0001,
    OutOfMemory = 0x0504_0005,
    UnsupportedAccess = 0x0601_0000,
    ReadOnly = 0x0601_0002,
    CountNotZero = 0x0601_0003,
    CompleteAccessNotSupported = 0x0601_0004,
    NoSuchObject = 0x0602_0000,
    NotMappable = 0x0604_0041,
    MappingTooLong = 0x0604_0042,
    LengthDiffers = 0x0607_0010,
    LengthTooHigh = 0x0607_0012,
    LengthTooLow = 0x0607_0013,
    NoSuchSubindex = 0x0609_0011,
    ValueOutOfRange = 0x0609_0030,
    WrongState = 0x0800_0022,
}

/// Who may write a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The device alone.
    Constant,
    /// The controller too.
    Writable,
    /// The controller too, in PRE-OP only.
    WritablePreOp,
}

/// Which PDOs an object may be mapped into, seen from the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mappable {
    No,
    Outputs,
    Inputs,
}

/// One value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) subindex: u8,
    pub(super) access: Access,
    pub(super) mappable: Mappable,
    pub(super) value: Vec<u8>,
    /// Longest value; shorter ones are accepted only where the length may vary.
    pub(super) bytes_max: usize,
    /// Least and largest value a controller may write, as a signed number.
    range: Option<(i64, i64)>,
}

/// One object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) index: u16,
    /// By rising subindex.
    pub(super) entries: Vec<Entry>,
}

/// All objects of a device, by rising index.
#[derive(Clone, Debug, Default)]
pub(super) struct Dictionary {
    objects: Vec<Object>,
}

impl Dictionary {
    /// What every CoE device has: device type, name, versions, identity, sync manager types, PDO assignment
    /// and mapping. `defaults` are the mappings after power-on: outputs, inputs.
    pub(super) fn new(name: &str, device: &Device, device_type: u32, defaults: [&PdoMap; 2]) -> Self {
        let mut dictionary = Self::default();
        dictionary.add(0x1000, 0, Access::Constant, &device_type.to_le_bytes());
        dictionary.add(0x1001, 0, Access::Constant, &[0]);
        dictionary.add(0x1008, 0, Access::Constant, name.as_bytes());
        dictionary.add(0x1009, 0, Access::Constant, b"simulated");
        dictionary.add(0x100A, 0, Access::Constant, b"1.0");
        let identity = device.identity;
        dictionary.add(0x1018, 0, Access::Constant, &[4]);
        let numbers = [identity.vendor, identity.product, identity.revision, identity.serial];
        for (subindex, number) in (1..).zip(numbers) {
            dictionary.add(0x1018, subindex, Access::Constant, &number.to_le_bytes());
        }
        let plan = SyncManagerPlan::of(device);
        dictionary.add(0x1C00, 0, Access::Constant, &[plan.all().len() as u8]);
        for (subindex, planned) in (1..).zip(plan.all()) {
            dictionary.add(0x1C00, subindex, Access::Constant, &[planned.usage as u8]);
        }
        for (usage, map) in [(SyncManagerUse::Outputs, defaults[0]), (SyncManagerUse::Inputs, defaults[1])] {
            let manager = plan.index_of(usage).unwrap_or(0) as u16;
            dictionary.add_assignment(0x1C10 + manager, map);
            map.pdos().for_each(|(pdo, entries)| dictionary.add_mapping(pdo, entries));
        }
        // Synchronisation parameters: type, cycle time, types supported, least cycle time, missed events.
        for index in [0x1C32, 0x1C33] {
            dictionary.add(index, 0, Access::Constant, &[11]);
            dictionary.add(index, 1, Access::Writable, &1_u16.to_le_bytes());
            dictionary.add(index, 2, Access::Writable, &1_000_000_u32.to_le_bytes());
            dictionary.add(index, 4, Access::Constant, &0x0007_u16.to_le_bytes());
            dictionary.add(index, 5, Access::Constant, &125_000_u32.to_le_bytes());
            dictionary.add(index, 6, Access::Constant, &0_u32.to_le_bytes());
            dictionary.add(index, 11, Access::Constant, &0_u16.to_le_bytes());
        }
        dictionary
    }

    fn add_assignment(&mut self, index: u16, map: &PdoMap) {
        self.add(index, 0, Access::WritablePreOp, &[map.pdos().count() as u8]);
        let mut pdos = map.pdos();
        for subindex in 1..=ASSIGNED_PDOS_MAX {
            let value = pdos.next().map_or(0, |(pdo, _)| pdo);
            self.add(index, subindex, Access::WritablePreOp, &value.to_le_bytes());
        }
    }

    fn add_mapping(&mut self, pdo: u16, entries: &[PdoEntry]) {
        self.add(pdo, 0, Access::WritablePreOp, &[entries.len() as u8]);
        for subindex in 1..=PDO_ENTRIES_MAX {
            let entry = entries.get(usize::from(subindex) - 1);
            let value = entry.map_or(0, |entry| entry.mapping_value());
            self.add(pdo, subindex, Access::WritablePreOp, &value.to_le_bytes());
        }
    }

    /// Adds a value, or replaces it.
    pub(super) fn add(&mut self, index: u16, subindex: u8, access: Access, value: &[u8]) {
        self.add_entry(index, subindex, access, Mappable::No, value);
    }

    /// Adds a value that may be mapped into PDOs.
    pub(super) fn add_mappable(
        &mut self,
        index: u16,
        subindex: u8,
        access: Access,
        mappable: Mappable,
        value: &[u8],
    ) {
        self.add_entry(index, subindex, access, mappable, value);
    }

    fn add_entry(&mut self, index: u16, subindex: u8, access: Access, mappable: Mappable, value: &[u8]) {
        let entry =
            Entry { subindex, access, mappable, value: value.to_vec(), bytes_max: value.len(), range: None };
        let position = match self.objects.binary_search_by_key(&index, |object| object.index) {
            Ok(position) => position,
            Err(position) => {
                self.objects.insert(position, Object { index, entries: Vec::new() });
                position
            }
        };
        if let Some(object) = self.objects.get_mut(position) {
            match object.entries.binary_search_by_key(&subindex, |entry| entry.subindex) {
                Ok(position) => {
                    if let Some(old) = object.entries.get_mut(position) {
                        *old = entry;
                    }
                }
                Err(position) => object.entries.insert(position, entry),
            }
        }
    }

    /// Lets a controller write only `least..=most` to a signed value.
    pub(super) fn limit(&mut self, index: u16, subindex: u8, least: i64, most: i64) {
        if let Some(entry) = self.entry_mut(index, subindex) {
            entry.range = Some((least, most));
        }
    }

    /// Adds a value whose length may vary up to `bytes_max`.
    pub(super) fn add_variable(&mut self, index: u16, value: &[u8], bytes_max: usize) {
        self.add_entry(index, 0, Access::Writable, Mappable::No, value);
        if let Some(entry) = self.entry_mut(index, 0) {
            entry.bytes_max = bytes_max;
            entry.value.reserve(bytes_max);
        }
    }

    /// Makes sure that an object a device type maps exists.
    pub(super) fn ensure_mappable(&mut self, map: &PdoMap, mappable: Mappable) {
        for entry in map.entries() {
            if entry.index != 0 && self.entry(entry.index, entry.subindex).is_none() {
                let value = vec![0; usize::from(entry.bits).div_ceil(8)];
                let access = if mappable == Mappable::Outputs { Access::Writable } else { Access::Constant };
                self.add_entry(entry.index, entry.subindex, access, mappable, &value);
            }
        }
    }

    /// An object.
    pub(super) fn object(&self, index: u16) -> Option<&Object> {
        let position = self.objects.binary_search_by_key(&index, |object| object.index).ok()?;
        self.objects.get(position)
    }

    /// Puts an object back as it was.
    pub(super) fn restore(&mut self, object: Object) {
        if let Ok(position) = self.objects.binary_search_by_key(&object.index, |found| found.index)
            && let Some(place) = self.objects.get_mut(position)
        {
            *place = object;
        }
    }

    fn entry(&self, index: u16, subindex: u8) -> Option<&Entry> {
        self.object(index)?.entries.iter().find(|entry| entry.subindex == subindex)
    }

    fn entry_mut(&mut self, index: u16, subindex: u8) -> Option<&mut Entry> {
        let position = self.objects.binary_search_by_key(&index, |object| object.index).ok()?;
        self.objects.get_mut(position)?.entries.iter_mut().find(|entry| entry.subindex == subindex)
    }

    /// Indices of all objects, rising.
    pub(super) fn indices(&self) -> impl Iterator<Item = u16> + '_ {
        self.objects.iter().map(|object| object.index)
    }

    /// Number of objects with at least one value for which `mappable` holds.
    pub(super) fn mappable_indices(&self, mappable: Mappable) -> impl Iterator<Item = u16> + '_ {
        self.objects
            .iter()
            .filter(move |object| object.entries.iter().any(|entry| entry.mappable == mappable))
            .map(|object| object.index)
    }

    /// A value as an unsigned number; zero when it does not exist.
    pub(super) fn number(&self, index: u16, subindex: u8) -> u64 {
        self.entry(index, subindex).map_or(0, |entry| u64_at(&entry.value, 0))
    }

    /// Sets a value from inside the device: no access rules.
    pub(super) fn set_number(&mut self, index: u16, subindex: u8, number: u64) {
        if let Some(entry) = self.entry_mut(index, subindex) {
            let bytes = number.to_le_bytes();
            let count = entry.value.len().min(bytes.len());
            entry
                .value
                .get_mut(..count)
                .unwrap_or(&mut [])
                .copy_from_slice(bytes.get(..count).unwrap_or(&[]));
        }
    }

    /// A value, for an SDO upload.
    pub(super) fn read(&self, index: u16, subindex: u8) -> Result<&[u8], Abort> {
        let object = self.object(index).ok_or(Abort::NoSuchObject)?;
        let entry = object.entries.iter().find(|entry| entry.subindex == subindex);
        entry.map(|entry| entry.value.as_slice()).ok_or(Abort::NoSuchSubindex)
    }

    /// Most bytes a download to this value may have, checked before the data arrives.
    pub(super) fn check_write(
        &self,
        index: u16,
        subindex: u8,
        bytes: usize,
        state: AlState,
    ) -> Result<(), Abort> {
        self.object(index).ok_or(Abort::NoSuchObject)?;
        let entry = self.entry(index, subindex).ok_or(Abort::NoSuchSubindex)?;
        match entry.access {
            Access::Constant => return Err(Abort::ReadOnly),
            Access::WritablePreOp if state != AlState::PreOp => return Err(Abort::WrongState),
            Access::Writable | Access::WritablePreOp => {}
        }
        if bytes > entry.bytes_max {
            return Err(Abort::LengthTooHigh);
        }
        if entry.bytes_max == entry.value.len() && bytes != entry.bytes_max && entry.bytes_max <= 8 {
            return Err(Abort::LengthDiffers);
        }
        Ok(())
    }

    /// An SDO download.
    pub(super) fn write(
        &mut self,
        index: u16,
        subindex: u8,
        data: &[u8],
        state: AlState,
    ) -> Result<(), Abort> {
        self.check_write(index, subindex, data.len(), state)?;
        if is_pdo_configuration(index) {
            self.check_pdo_write(index, subindex, data)?;
        }
        let entry = self.entry_mut(index, subindex).ok_or(Abort::NoSuchSubindex)?;
        let unused = 64 - 8 * data.len().clamp(1, 8);
        let number = (u64_at(data, 0) << unused) as i64 >> unused;
        if entry.range.is_some_and(|(least, most)| !(least..=most).contains(&number)) {
            return Err(Abort::ValueOutOfRange);
        }
        entry.value.clear();
        entry.value.extend_from_slice(data);
        Ok(())
    }

    /// Assignment and mapping: entries change only while the count is zero, and the count is accepted only
    /// when the entries make sense.
    fn check_pdo_write(&self, index: u16, subindex: u8, data: &[u8]) -> Result<(), Abort> {
        if subindex > 0 {
            return if self.number(index, 0) == 0 { Ok(()) } else { Err(Abort::CountNotZero) };
        }
        let count = u8_at(data, 0);
        let is_assignment = index >= 0x1C10;
        if count > if is_assignment { ASSIGNED_PDOS_MAX } else { PDO_ENTRIES_MAX } {
            return Err(Abort::ValueOutOfRange);
        }
        let mut bits = 0;
        for entry in 1..=count {
            let value = self.number(index, entry) as u32;
            if is_assignment {
                let pdo = value as u16;
                self.object(pdo).filter(|_| is_mapping(pdo)).ok_or(Abort::NotMappable)?;
            } else {
                let wanted = if index < 0x1A00 { Mappable::Outputs } else { Mappable::Inputs };
                let (mapped, sub) = ((value >> 16) as u16, (value >> 8) as u8);
                let found = self.entry(mapped, sub);
                if mapped != 0 && found.is_none_or(|found| found.mappable != wanted) {
                    return Err(Abort::NotMappable);
                }
                bits += value & 0xFF;
            }
        }
        if bits as usize > PROCESS_DATA_BYTES_MAX * 8 {
            return Err(Abort::MappingTooLong);
        }
        Ok(())
    }

    /// The mapping of one direction as it is configured now: the PDOs assigned at `assignment` (0x1C12, 0x1C13).
    pub(super) fn mapping(&self, assignment: u16) -> Mapping {
        let assigned = self.number(assignment, 0) as u8;
        let pdos = (1..=assigned).map(|subindex| self.number(assignment, subindex) as u16);
        Mapping::new(pdos.flat_map(|pdo| {
            let count = self.number(pdo, 0) as u8;
            (1..=count).map(move |subindex| {
                let value = self.read(pdo, subindex).map_or(0, |value| u32_at(value, 0));
                ((value >> 16) as u16, (value >> 8) as u8, (value & 0xFF) as usize)
            })
        }))
    }
}

const fn is_mapping(index: u16) -> bool {
    matches!(index, 0x1600..=0x17FF | 0x1A00..=0x1BFF)
}

const fn is_pdo_configuration(index: u16) -> bool {
    is_mapping(index) || matches!(index, 0x1C10..=0x1C2F)
}

/// Index and subindex of an SDO request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ObjectAddress {
    pub(super) index: u16,
    pub(super) subindex: u8,
}

impl ObjectAddress {
    /// As it lies behind the command byte.
    pub(super) fn at(data: &[u8], offset: usize) -> Self {
        Self { index: u16_at(data, offset), subindex: u8_at(data, offset + 2) }
    }
}
