//! A type of SubDevice: one file in `config/drives/`.

use super::cell::{StartupSdo, read_startup};
use super::document::{Table, Value, read_toml};
use super::problem::{Problem, Problems};
use crate::bus_health::reaction::{OPTION_CODES, OptionCodeValues, usual_option_codes};
use crate::devices::{
    Connection, Device, DeviceKind, Identity, MAX_PDO_ENTRIES, MAX_PDOS, PdoEntry, PdoMap, objects,
};

/// A type of SubDevice with what a cell takes from it unless it says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct DriveFile {
    /// Identity and process data.
    pub device: Device,
    /// Name of the family, for people.
    pub name: Option<String>,
    /// Public documents the numbers come from.
    pub sources: Vec<String>,
    /// What one has to know about it, a sentence each.
    pub quirks: Vec<String>,
    /// Counts of one turn of the motor, where the family has one encoder.
    pub counts_per_turn: Option<u32>,
    /// SDOs written in PRE-OP before those of the cell.
    pub startup: Vec<StartupSdo>,
    /// What its option codes must be before OP.
    pub option_codes: OptionCodeValues,
}

/// Reads a device type.
///
/// # Errors
/// Every mistake of the file.
pub fn read_device(text: &str) -> Result<Device, Vec<Problem>> {
    read_drive_file(text).map(|file| file.device)
}

/// Reads a device type with everything in its file.
///
/// # Errors
/// Every mistake of the file.
pub fn read_drive_file(text: &str) -> Result<DriveFile, Vec<Problem>> {
    read_toml(text, |node| {
        let problems = Problems::default();
        let file = Value::root(node, &problems).table().and_then(read_root);
        problems.finish(file)
    })
}

/// Identity and process data as they stand in a drive file; what is zero, and so not known, is left out.
#[must_use]
pub fn identity_and_maps_text(device: &Device) -> String {
    let identity = device.identity;
    let mut text =
        format!("\n[identity]\nvendor = {:#010x}\nproduct = {:#010x}\n", identity.vendor, identity.product);
    if identity.revision != 0 {
        text.push_str(&format!("revision = {:#010x}\n", identity.revision));
    }
    for (direction, map) in [("outputs", &device.outputs), ("inputs", &device.inputs)] {
        let (open, close) = if map.pdos().count() > 1 { ("[[", "]]") } else { ("[", "]") };
        for (pdo, entries) in map.pdos() {
            text.push_str(&format!("\n{open}{direction}{close}\npdo = {pdo:#06x}\nentries = [\n"));
            for entry in entries {
                text.push_str(&format!(
                    "    {{ index = {:#06x}, subindex = {}, bits = {} }},\n",
                    entry.index, entry.subindex, entry.bits
                ));
            }
            text.push_str("]\n");
        }
    }
    text
}

fn read_texts(value: &Value<'_>) -> Option<Vec<String>> {
    let texts: Vec<_> = value.list(0..=32)?.iter().map(|item| item.text(400).map(str::to_owned)).collect();
    texts.into_iter().collect()
}

fn read_root(mut root: Table<'_>) -> Option<DriveFile> {
    let name = root.maybe("name", |value| value.text(100).map(str::to_owned));
    let sources = root.or_default("sources", Vec::new(), |value| read_texts(&value));
    let quirks = root.or_default("quirks", Vec::new(), |value| read_texts(&value));
    let counts_per_turn = root.maybe("counts_per_turn", |value| value.whole::<u32>(16..=1 << 31));
    let startup = root.or_default("startup_sdos", Vec::new(), |value| read_startup(&value));
    let option_codes =
        root.or_default("reactions", usual_option_codes(), |value| read_option_codes(value.table()?));
    let version = root.integer("format_version", 1..=1);
    let kind = root.choice("kind", &DeviceKind::ALL);
    let connection = root.or_default("connection", Connection::Cable, |value| {
        value.choice(&[("cable", Connection::Cable), ("ebus", Connection::EBus)])
    });
    let distributed_clock = root.flag_or("distributed_clock", false);
    let identity = root.section("identity").and_then(read_identity);
    let outputs = root.maybe("outputs", |value| read_map(&value));
    let inputs = root.maybe("inputs", |value| read_map(&value));
    let outputs = outputs.map(|map| map.unwrap_or(PdoMap::EMPTY));
    let inputs = inputs.map(|map| map.unwrap_or(PdoMap::EMPTY));
    for axis in 0..kind.map_or(0, DeviceKind::axes) {
        check_objects(&root, axis, outputs.as_ref(), inputs.as_ref());
    }
    if kind == Some(DeviceKind::Coupler) {
        for (key, map) in [("outputs", &outputs), ("inputs", &inputs)] {
            if map.as_ref().is_some_and(|map| !map.entries().is_empty()) {
                root.problem(key, "a coupler exchanges no data itself", "none", "remove the section");
            }
        }
    }
    version?;
    let device = Device {
        kind: kind?,
        identity: identity?,
        outputs: outputs?,
        inputs: inputs?,
        distributed_clock: distributed_clock?,
        connection: connection?,
    };
    Some(DriveFile {
        device,
        name: name?,
        sources: sources?,
        quirks: quirks?,
        counts_per_turn: counts_per_turn?,
        startup: startup?,
        option_codes: option_codes?,
    })
}

/// Option codes that are not the usual ones: by name, and `missing`, those the drive does not have.
fn read_option_codes(mut table: Table<'_>) -> Option<OptionCodeValues> {
    let keys: Vec<(&str, usize)> = OPTION_CODES.iter().enumerate().map(|(at, code)| (code.key, at)).collect();
    let missing = table.or_default("missing", Vec::new(), |value| {
        let items = value.list(0..=OPTION_CODES.len())?;
        items.iter().map(|item| item.choice(&keys)).collect::<Option<Vec<usize>>>()
    });
    let mut values = usual_option_codes();
    let mut is_valid = true;
    for (code, value) in OPTION_CODES.iter().zip(&mut values) {
        // Negative values are the manufacturer's own.
        let read = table.or_default(code.key, code.usual, |value| {
            value.whole(i64::from(i16::MIN)..=i64::from(code.most))
        });
        is_valid &= read.is_some();
        *value = read;
    }
    for at in missing? {
        if let Some(value) = values.get_mut(at) {
            *value = None;
        }
    }
    is_valid.then_some(values)
}

fn read_identity(mut table: Table<'_>) -> Option<Identity> {
    const WORD: std::ops::RangeInclusive<i64> = 0..=u32::MAX as i64;
    let vendor = table.whole("vendor", WORD);
    let product = table.whole("product", WORD);
    // Firmware of one family comes in many revisions: left out, or 0, any will do.
    let revision = table.or_default("revision", 0, |value| value.whole(WORD));
    let serial = table.or_default("serial", 0, |value| value.whole(WORD));
    Some(Identity { vendor: vendor?, product: product?, revision: revision?, serial: serial? })
}

/// The PDOs of one direction: a table where there is one, a list of them where there are several.
fn read_map(value: &Value<'_>) -> Option<PdoMap> {
    let tables = if value.is_list() { value.list(1..=MAX_PDOS)? } else { vec![value.clone()] };
    let pdos: Vec<Option<Pdo<'_>>> = tables.iter().map(|value| value.table().and_then(read_pdo)).collect();
    let pdos: Vec<Pdo<'_>> = pdos.into_iter().collect::<Option<_>>()?;
    let mut map = PdoMap::EMPTY;
    for Pdo { place, index, entries } in pdos {
        let count = map.entries().len() + entries.len();
        if count > MAX_PDO_ENTRIES {
            place.problem(
                format!("{count} entries together"),
                format!("at most {MAX_PDO_ENTRIES} in one direction"),
                "leave out what is not used",
            );
            return None;
        }
        if map.pdos().any(|(other, _)| other == index) {
            place.problem("another PDO has this index", "every PDO once", "correct `pdo`");
            return None;
        }
        map = map.with(index, &entries)?;
    }
    Some(map)
}

/// One PDO as written.
struct Pdo<'a> {
    place: Value<'a>,
    index: u16,
    entries: Vec<PdoEntry>,
}

fn read_pdo(mut table: Table<'_>) -> Option<Pdo<'_>> {
    let index = table.whole::<u16>("pdo", 0x1600..=0x1BFF);
    let list = table.required("entries", || format!("a list of 1 to {MAX_PDO_ENTRIES}"))?;
    let entries: Vec<Option<PdoEntry>> = list.list(1..=MAX_PDO_ENTRIES)?.iter().map(read_entry).collect();
    let entries: Vec<PdoEntry> = entries.into_iter().collect::<Option<_>>()?;
    // The number of the PDO has no part in what may be wrong with its entries.
    let bits: u32 = entries.iter().map(|entry| u32::from(entry.bits)).sum();
    if !bits.is_multiple_of(8) {
        list.problem(
            format!("{bits} bits together"),
            "a whole number of bytes",
            "add an entry of index 0 as padding",
        );
        return None;
    }
    Some(Pdo { place: list, index: index?, entries })
}

fn read_entry(item: &Value<'_>) -> Option<PdoEntry> {
    let mut table = item.table()?;
    let index = table.whole("index", 0..=0xFFFF);
    let subindex = table.or_default("subindex", 0, |value| value.whole(0..=255));
    let bits = table.whole("bits", 1..=64);
    Some(PdoEntry { index: index?, subindex: subindex?, bits: bits? })
}

/// A servo drive without these objects cannot be driven in CSP. A map that could not be read is `None`.
fn check_objects(root: &Table<'_>, axis: usize, outputs: Option<&PdoMap>, inputs: Option<&PdoMap>) {
    let offset = objects::AXIS_STEP * u16::try_from(axis).unwrap_or(0);
    let needed = [
        ("outputs", outputs, objects::CONTROLWORD, 16),
        ("outputs", outputs, objects::TARGET_POSITION, 32),
        ("inputs", inputs, objects::STATUSWORD, 16),
        ("inputs", inputs, objects::POSITION_ACTUAL, 32),
    ];
    for (key, map, index, bits) in needed {
        let Some(map) = map else { continue };
        let index = index + offset;
        let mapped = map.entries().iter().any(|entry| entry.index == index && entry.bits == bits);
        if !mapped {
            root.problem(
                key,
                format!("0x{index:04X} with {bits} bits is not mapped"),
                "a servo drive maps 0x6040, 0x607A, 0x6041 and 0x6064, and the same + 0x800 for a second axis",
                "add the entry",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        read_device(text).expect_err("the file is wrong").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_mistakes_of_a_device_file_are_reported() {
        let found = messages(
            r#"
            format_version = 1
            kind = "servo"
            colour = "red"
            [identity]
            vendor = -1
            product = 2
            revision = 3
            [inputs]
            pdo = 0x1A00
            entries = [{ index = 0x6041, bits = 17 }]
            "#,
        );
        let places: Vec<_> = found.iter().map(|message| message.split(':').next().unwrap_or("")).collect();
        assert_eq!(places, ["kind", "identity.vendor", "inputs.entries", "colour"], "{found:#?}");
    }

    #[test]
    fn a_servo_drive_needs_its_four_objects() {
        let found = messages(
            r#"
            format_version = 1
            kind = "servo_drive"
            [identity]
            vendor = 1
            product = 2
            revision = 3
            [outputs]
            pdo = 0x1600
            entries = [{ index = 0x6040, bits = 16 }]
            "#,
        );
        assert_eq!(found.len(), 3, "{found:#?}");
        assert!(found.iter().any(|message| message.contains("0x607A")));
    }
}
