//! What a device tells through its mailbox: names, mapping, object list.

use super::categories::printable;
use crate::devices::PdoEntry;
use crate::fieldbus::mailbox::information::{EntryDescription, ObjectDescription, ObjectKind};
use crate::fieldbus::mailbox::{Client, MailboxProblem, ObjectList};

/// PDOs of one sync manager read at most.
const PDOS_MAX: u8 = 16;
/// Entries of one PDO read at most.
const ENTRIES_MAX: u8 = 64;
/// Abort code: there is no such object.
const NO_SUCH_OBJECT: u32 = 0x0602_0000;

/// One PDO a device is set to exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScannedPdo {
    /// Where it is assigned: 0x1C12 (outputs) or 0x1C13 (inputs).
    pub assignment: u16,
    /// Index.
    pub index: u16,
    /// Entries.
    pub entries: Vec<PdoEntry>,
}

/// One object of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScannedObject {
    /// Index.
    pub index: u16,
    /// Name.
    pub name: String,
    /// `variable`, `array`, `record`, or empty when there is no description.
    pub kind: &'static str,
    /// Its entries.
    pub entries: Vec<ScannedEntry>,
}

/// One entry of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScannedEntry {
    /// Subindex.
    pub subindex: u8,
    /// Data type (CiA 301).
    pub data_type: u16,
    /// Length in bits.
    pub bits: u16,
    /// `ro`, `rw`, `wo`.
    pub access: &'static str,
    /// `rx`, `tx` or empty.
    pub mapping: &'static str,
    /// Name.
    pub name: String,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) names: [Option<String>; 3],
    pub(super) pdos: Vec<ScannedPdo>,
    pub(super) objects: Vec<ScannedObject>,
    pub(super) problems: Vec<String>,
}

pub(super) async fn read_all(client: Client<'_>, with_objects: bool) -> Found {
    let mut found = Found::default();
    for (name, index) in found.names.iter_mut().zip([0x1008, 0x1009, 0x100A]) {
        // All three are optional.
        *name = client.upload(index, 0).await.ok().map(|bytes| printable(&bytes));
    }
    for assignment in [0x1C12, 0x1C13] {
        match read_assignment(&client, assignment).await {
            Ok(pdos) => found.pdos.extend(pdos),
            Err((_, _, MailboxProblem::Aborted { code: NO_SUCH_OBJECT } | MailboxProblem::NoMailbox)) => {}
            Err((index, subindex, problem)) => {
                found.problems.push(format!("object {index:#06x}:{subindex:02x}: {problem}"));
            }
        }
    }
    if with_objects {
        match read_objects(&client).await {
            Ok(objects) => found.objects = objects,
            Err(problem) => found.problems.push(format!("object list: {problem}")),
        }
    }
    found
}

type Failure = (u16, u8, MailboxProblem);

async fn number(client: &Client<'_>, index: u16, subindex: u8) -> Result<u32, Failure> {
    let bytes = client.upload(index, subindex).await.map_err(|problem| (index, subindex, problem))?;
    Ok(bytes.iter().take(4).rev().fold(0, |number, &byte| number << 8 | u32::from(byte)))
}

async fn read_assignment(client: &Client<'_>, assignment: u16) -> Result<Vec<ScannedPdo>, Failure> {
    let mut pdos = Vec::new();
    let count = number(client, assignment, 0).await?.min(u32::from(PDOS_MAX));
    for place in (1..=PDOS_MAX).take_while(|&place| u32::from(place) <= count) {
        let index = u16::try_from(number(client, assignment, place).await? & 0xFFFF).unwrap_or(0);
        let mut pdo = ScannedPdo { assignment, index, entries: Vec::new() };
        let entries = number(client, index, 0).await?.min(u32::from(ENTRIES_MAX));
        for subindex in (1..=ENTRIES_MAX).take_while(|&subindex| u32::from(subindex) <= entries) {
            let [bits, sub, low, high] = number(client, index, subindex).await?.to_le_bytes();
            pdo.entries.push(PdoEntry { index: u16::from_le_bytes([low, high]), subindex: sub, bits });
        }
        pdos.push(pdo);
    }
    Ok(pdos)
}

async fn read_objects(client: &Client<'_>) -> Result<Vec<ScannedObject>, MailboxProblem> {
    let mut objects = Vec::new();
    for index in client.objects(ObjectList::All).await? {
        let mut object = ScannedObject { index, ..ScannedObject::default() };
        // Many devices list their objects without describing them.
        let description = client.object(index).await.unwrap_or_default();
        if let Some(described) = ObjectDescription::parse(&description) {
            object.name = printable(described.name);
            object.kind = match described.kind {
                ObjectKind::Variable => "variable",
                ObjectKind::Array => "array",
                ObjectKind::Record => "record",
                ObjectKind::Other(_) => "other",
            };
            for subindex in 0..=described.last_subindex {
                // Records have gaps.
                let Ok(bytes) = client.entry(index, subindex).await else { continue };
                let Some(entry) = EntryDescription::parse(&bytes) else { continue };
                let (access, mapping) = entry.access_words();
                object.entries.push(ScannedEntry {
                    subindex,
                    data_type: entry.data_type,
                    bits: entry.bits,
                    access,
                    mapping,
                    name: printable(entry.name),
                });
            }
        }
        objects.push(object);
    }
    Ok(objects)
}
