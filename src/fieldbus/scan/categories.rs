//! The categories of the SII: strings, names, sync managers, PDOs (ETG.1000.6, table 17 and following;
//! ETG.2010).

use crate::devices::PdoEntry;
use crate::fieldbus::frame_pump::FramePump;
use crate::fieldbus::link::FrameLink;
use crate::fieldbus::sii;
use crate::units::Nanoseconds;

/// First word of mailbox offsets and sizes, then protocols.
const MAILBOX_WORD: u32 = 0x18;
/// First word of the first category.
const FIRST_CATEGORY_WORD: u32 = 0x40;
/// Categories read at most; a damaged SII must not be read for ever.
const CATEGORIES_MAX: usize = 64;
/// Longest category, words.
const CATEGORY_WORDS_MAX: u16 = 4096;
const STRINGS: u16 = 10;
const GENERAL: u16 = 30;
const TRANSMIT_PDOS: u16 = 50;
const RECEIVE_PDOS: u16 = 51;
const END: u16 = 0xFFFF;

/// Where the SII says the mailbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiiMailbox {
    out: (u16, u16),
    inward: (u16, u16),
    /// Bits: 1 EoE, 2 CoE, 3 FoE, 4 SoE, 5 VoE.
    pub protocols: u16,
}

impl SiiMailbox {
    /// The registers of sync managers 0 and 1.
    pub(super) const fn sync_managers(&self) -> [u8; 16] {
        let [a, b] = self.out.0.to_le_bytes();
        let [c, d] = self.out.1.to_le_bytes();
        let [e, f] = self.inward.0.to_le_bytes();
        let [g, h] = self.inward.1.to_le_bytes();
        [a, b, c, d, 0x26, 0, 1, 0, e, f, g, h, 0x22, 0, 1, 0]
    }
}

/// One PDO of the SII.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiiPdo {
    /// Index.
    pub index: u16,
    /// Sync manager; 0xFF: none.
    pub sync_manager: u8,
    /// Outputs, seen from the controller.
    pub is_output: bool,
    /// Name.
    pub name: String,
    /// Entries.
    pub entries: Vec<PdoEntry>,
}

/// What the SII says besides the identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiiContent {
    /// Name of the device.
    pub name: String,
    /// Order number.
    pub order: String,
    /// Group of devices.
    pub group: String,
    /// Mailbox, when it has one.
    pub mailbox: Option<SiiMailbox>,
    /// PDOs.
    pub pdos: Vec<SiiPdo>,
}

/// Reads all categories; `None` when the device stops answering.
pub(super) fn read<L: FrameLink>(
    pump: &mut FramePump<L>,
    position: u16,
    deadline: Nanoseconds,
) -> Option<SiiContent> {
    let mut content = SiiContent::default();
    let mut words = [0; 10];
    sii::read(pump, position, MAILBOX_WORD, &mut words, deadline)?;
    let word = |at: usize| {
        words.get(2 * at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u16::from_le_bytes)
    };
    let mailbox = SiiMailbox { out: (word(0), word(1)), inward: (word(2), word(3)), protocols: word(4) };
    content.mailbox = (mailbox.out.1 > 0 && mailbox.inward.1 > 0).then_some(mailbox);

    let (mut strings, mut general) = (Vec::new(), Vec::new());
    let mut pdos = Vec::new();
    let mut at = FIRST_CATEGORY_WORD;
    for _ in 0..CATEGORIES_MAX {
        let mut head = [0; 4];
        sii::read(pump, position, at, &mut head, deadline)?;
        let [a, b, c, d] = head;
        let (kind, length) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        if kind == END || length > CATEGORY_WORDS_MAX {
            break;
        }
        if matches!(kind, STRINGS | GENERAL | TRANSMIT_PDOS | RECEIVE_PDOS) {
            let mut bytes = vec![0; 2 * usize::from(length)];
            sii::read(pump, position, at + 2, &mut bytes, deadline)?;
            match kind {
                STRINGS => strings = parse_strings(&bytes),
                GENERAL => general = bytes,
                _ => pdos.push((kind == RECEIVE_PDOS, bytes)),
            }
        }
        at = at.checked_add(2 + u32::from(length))?;
    }
    let text = |number: Option<&u8>| {
        let number = usize::from(*number?).checked_sub(1)?;
        strings.get(number).cloned()
    };
    // General: group, picture, order, name, as numbers of strings.
    content.group = text(general.first()).unwrap_or_default();
    content.order = text(general.get(2)).unwrap_or_default();
    content.name = text(general.get(3)).unwrap_or_default();
    for (is_output, bytes) in &pdos {
        content.pdos.extend(parse_pdos(bytes, *is_output, &strings));
    }
    Some(content)
}

/// A count, then each string behind its length.
fn parse_strings(bytes: &[u8]) -> Vec<String> {
    let Some((&count, mut rest)) = bytes.split_first() else { return Vec::new() };
    let mut strings = Vec::new();
    for _ in 0..count {
        let Some((&length, behind)) = rest.split_first() else { break };
        let Some((text, later)) = behind.split_at_checked(usize::from(length)) else { break };
        strings.push(printable(text));
        rest = later;
    }
    strings
}

/// What a device calls something: without control characters, whatever its encoding.
pub(super) fn printable(bytes: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(bytes).chars().filter(|letter| !letter.is_control()).collect();
    text.trim().to_owned()
}

/// PDOs one behind the other: eight bytes each, and eight for each entry.
fn parse_pdos(bytes: &[u8], is_output: bool, strings: &[String]) -> Vec<SiiPdo> {
    let mut pdos = Vec::new();
    let mut chunks = bytes.chunks_exact(8);
    while let Some(&[low, high, count, sync_manager, _, name, ..]) = chunks.next() {
        let name = usize::from(name).checked_sub(1).and_then(|number| strings.get(number)).cloned();
        let mut pdo = SiiPdo {
            index: u16::from_le_bytes([low, high]),
            sync_manager,
            is_output,
            name: name.unwrap_or_default(),
            entries: Vec::new(),
        };
        for _ in 0..count {
            let Some(&[low, high, subindex, _, _, bits, ..]) = chunks.next() else { break };
            pdo.entries.push(PdoEntry { index: u16::from_le_bytes([low, high]), subindex, bits });
        }
        pdos.push(pdo);
    }
    pdos
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_pdos_are_read_and_damaged_ones_end_early() {
        let strings = parse_strings(&[2, 3, b'a', b'b', b'c', 1, b'x']);
        assert_eq!(strings, ["abc", "x"]);
        assert_eq!(parse_strings(&[5, 3, b'a', b'b', b'c', 9, b'x']), ["abc"]);
        assert_eq!(parse_strings(&[]), Vec::<String>::new());
        let bytes =
            [0x00, 0x16, 1, 2, 0, 1, 0, 0, 0x40, 0x60, 0, 0, 0, 16, 0, 0, 0x01, 0x16, 9, 2, 0, 0, 0, 0];
        let pdos = parse_pdos(&bytes, true, &strings);
        assert_eq!(pdos.len(), 2);
        assert_eq!((pdos[0].index, pdos[0].name.as_str(), pdos[0].sync_manager), (0x1600, "abc", 2));
        assert_eq!(pdos[0].entries, [PdoEntry { index: 0x6040, subindex: 0, bits: 16 }]);
        assert_eq!((pdos[1].index, pdos[1].entries.len()), (0x1601, 0));
    }
}
