//! SDO information: which objects there are, and what their entries are like (ETG.1000.6, 5.6.3).

use super::dictionary::{Abort, Access, Dictionary, Entry, Mappable, Object};
use super::object_names::{entry_name, object_name};
use super::wire::{put, put_u8, put_u16, put_u32, u8_at, u16_at};

/// Operation codes; the answer is one more than the question.
const GET_LIST: u8 = 1;
const GET_OBJECT: u8 = 3;
const GET_ENTRY: u8 = 5;
const ERROR: u8 = 7;
/// Longest answer; no object list is longer.
const ANSWER_BYTES_MAX: usize = 4096;
/// Bits of the access word (ETG.1000.6, table 44).
const READABLE: u16 = 0b111;
const WRITABLE: u16 = 0b11_1000;
const WRITABLE_PRE_OP: u16 = 0b00_1000;
const MAPPABLE_OUTPUTS: u16 = 1 << 6;
const MAPPABLE_INPUTS: u16 = 1 << 7;

/// Answers questions about a dictionary, in as many fragments as it takes.
#[derive(Clone, Debug)]
pub(super) struct ObjectInformation {
    answer: Vec<u8>,
    operation: u8,
    /// Bytes of the answer that are sent; `None`: nothing is being sent.
    done: Option<usize>,
}

impl ObjectInformation {
    /// Nothing is being asked.
    pub(super) fn new() -> Self {
        Self { answer: Vec::with_capacity(ANSWER_BYTES_MAX), operation: 0, done: None }
    }

    /// Forgets the answer that is being sent.
    pub(super) fn reset(&mut self) {
        self.answer.clear();
        self.done = None;
    }

    /// Answers a request (what follows the CoE header) into `reply`. Returns the length of the first fragment.
    pub(super) fn request(&mut self, request: &[u8], dictionary: &Dictionary, reply: &mut [u8]) -> usize {
        self.reset();
        let operation = u8_at(request, 0) & 0x7F;
        let answered = match operation {
            GET_LIST => self.list(u16_at(request, 4), dictionary),
            GET_OBJECT => self.object(u16_at(request, 4), dictionary),
            GET_ENTRY => self.entry(u16_at(request, 4), u8_at(request, 6), dictionary),
            _ => Err(Abort::UnsupportedAccess),
        };
        match answered {
            Ok(()) => {
                self.operation = operation + 1;
                self.done = Some(0);
                self.next_fragment(reply).unwrap_or(0)
            }
            Err(abort) => {
                self.reset();
                put_u32(reply, 0, u32::from(ERROR));
                put_u32(reply, 4, abort as u32);
                8
            }
        }
    }

    /// The next fragment of an answer, when one is to be sent.
    pub(super) fn next_fragment(&mut self, reply: &mut [u8]) -> Option<usize> {
        let done = self.done?;
        let room = (reply.len().saturating_sub(4) & !1).max(2);
        let rest = self.answer.get(done..).unwrap_or(&[]);
        let count = rest.len().min(room);
        let left = (rest.len() - count).div_ceil(room);
        put_u8(reply, 0, self.operation | u8::from(left > 0) << 7);
        put_u8(reply, 1, 0);
        put_u16(reply, 2, left as u16);
        put(reply, 4, rest.get(..count).unwrap_or(&[]));
        if left == 0 {
            self.reset();
        } else {
            self.done = Some(done + count);
        }
        Some(4 + count)
    }

    fn list(&mut self, kind: u16, dictionary: &Dictionary) -> Result<(), Abort> {
        let outputs = || dictionary.mappable_indices(Mappable::Outputs);
        let inputs = || dictionary.mappable_indices(Mappable::Inputs);
        self.add(kind);
        match kind {
            0 => {
                let counts = [dictionary.indices().count(), outputs().count(), inputs().count(), 0, 0];
                counts.iter().for_each(|count| self.add(*count as u16));
            }
            1 => dictionary.indices().for_each(|index| self.add(index)),
            2 => outputs().for_each(|index| self.add(index)),
            3 => inputs().for_each(|index| self.add(index)),
            // Objects that are stored for a replacement, and those for start-up: none.
            4 | 5 => {}
            _ => return Err(Abort::UnsupportedAccess),
        }
        Ok(())
    }

    fn object(&mut self, index: u16, dictionary: &Dictionary) -> Result<(), Abort> {
        let object = dictionary.object(index).ok_or(Abort::NoSuchObject)?;
        let (code, data_type) = kind_of(object);
        self.add(index);
        self.add(data_type);
        self.answer.push(object.entries.last().map_or(0, |entry| entry.subindex));
        self.answer.push(code);
        self.answer.extend_from_slice(object_name(index).as_bytes());
        Ok(())
    }

    fn entry(&mut self, index: u16, subindex: u8, dictionary: &Dictionary) -> Result<(), Abort> {
        let object = dictionary.object(index).ok_or(Abort::NoSuchObject)?;
        let entry = object.entries.iter().find(|entry| entry.subindex == subindex);
        let entry = entry.ok_or(Abort::NoSuchSubindex)?;
        self.add(index);
        self.answer.push(subindex);
        // No unit, default, least or largest value follows.
        self.answer.push(0);
        self.add(data_type(index, entry));
        self.add((entry.bytes_max * 8) as u16);
        self.add(access(entry));
        let name = entry_name(index, subindex);
        self.answer.extend_from_slice(name.as_bytes());
        Ok(())
    }

    fn add(&mut self, number: u16) {
        self.answer.extend_from_slice(&number.to_le_bytes());
    }
}

/// Object code and data type.
fn kind_of(object: &Object) -> (u8, u16) {
    const VARIABLE: u8 = 7;
    const ARRAY: u8 = 8;
    const RECORD: u8 = 9;
    const PDO_MAPPING: u16 = 0x21;
    const IDENTITY: u16 = 0x23;
    let first = object.entries.first().map_or(0, |entry| data_type(object.index, entry));
    let second = object.entries.get(1).map_or(first, |entry| data_type(object.index, entry));
    match object.index {
        0x1018 => (RECORD, IDENTITY),
        0x1600..=0x17FF | 0x1A00..=0x1BFF => (RECORD, PDO_MAPPING),
        0x1C32 | 0x1C33 => (RECORD, 0x29),
        _ if object.entries.len() > 1 => (ARRAY, second),
        _ => (VARIABLE, first),
    }
}

/// Base data types (ETG.1020).
fn data_type(index: u16, entry: &Entry) -> u16 {
    let signed = is_signed(index) && (entry.subindex > 0 || entry.bytes_max != 1 || is_signed_byte(index));
    match (entry.bytes_max, signed) {
        (1, true) => 0x02,
        (2, true) => 0x03,
        (4, true) => 0x04,
        (1, false) => 0x05,
        (2, false) => 0x06,
        (4, false) => 0x07,
        _ if matches!(index, 0x1008..=0x100A) => 0x09,
        (8, false) => 0x1B,
        (8, true) => 0x15,
        _ => 0x0A,
    }
}

/// Objects of CiA 402 that are numbers with sign.
const fn is_signed(index: u16) -> bool {
    // A dual-axis drive has the second axis 0x800 further on.
    let first_axis = if index >= 0x6800 && index < 0x7000 { index - 0x800 } else { index };
    matches!(
        first_axis,
        0x6007
            | 0x605A..=0x605E
            | 0x6060..=0x6064
            | 0x606C
            | 0x6071
            | 0x6077
            | 0x607A
            | 0x607C
            | 0x607D
            | 0x6098
            | 0x60B0..=0x60B2
            | 0x60BA..=0x60BD
            | 0x60F4
            | 0x60FF
    )
}

/// Single bytes with sign: modes and the homing method.
const fn is_signed_byte(index: u16) -> bool {
    matches!(index & !0x0800, 0x6060 | 0x6061 | 0x6098)
}

const fn access(entry: &Entry) -> u16 {
    let write = match entry.access {
        Access::Constant => 0,
        Access::Writable => WRITABLE,
        Access::WritablePreOp => WRITABLE_PRE_OP,
    };
    let map = match entry.mappable {
        Mappable::No => 0,
        Mappable::Outputs => MAPPABLE_OUTPUTS,
        Mappable::Inputs => MAPPABLE_INPUTS,
    };
    READABLE | write | map
}

#[cfg(test)]
mod tests {
    use super::super::description::DriveParameters;
    use super::super::servo::Servo;
    use super::super::tests::support::servo;
    use super::*;

    fn ask(request: &[u8], room: usize) -> Vec<Vec<u8>> {
        let mut axes = [Servo::new(0, &DriveParameters::default(), 0)];
        let dictionary = Servo::dictionary_of(&mut axes, "drive", &servo().device);
        let mut information = ObjectInformation::new();
        let mut reply = vec![0; room];
        let mut length = information.request(request, &dictionary, &mut reply);
        let mut fragments = vec![reply[..length].to_vec()];
        while let Some(next) = information.next_fragment(&mut reply) {
            length = next;
            fragments.push(reply[..length].to_vec());
        }
        fragments
    }

    #[test]
    fn a_long_list_comes_in_fragments_that_count_down() {
        let fragments = ask(&[1, 0, 0, 0, 1, 0], 40);
        assert!(fragments.len() > 2, "{}", fragments.len());
        for (at, fragment) in fragments.iter().enumerate() {
            let left = fragments.len() - 1 - at;
            assert_eq!(fragment[0], 2 | u8::from(left > 0) << 7);
            assert_eq!(usize::from(u16_at(fragment, 2)), left);
        }
        let whole: Vec<u8> = fragments.iter().flat_map(|fragment| fragment[4..].to_vec()).collect();
        assert_eq!(whole[..4], [1, 0, 0x00, 0x10], "list type, then the first object");
        assert!(whole.chunks(2).skip(1).is_sorted_by_key(|index| u16_at(index, 0)));
    }

    #[test]
    fn an_object_and_an_entry_are_described() {
        let object = &ask(&[3, 0, 0, 0, 0x40, 0x60], 120)[0];
        assert_eq!(
            object[..10],
            [4, 0, 0, 0, 0x40, 0x60, 0x06, 0, 0, 7],
            "UNSIGNED16, no subindices, variable"
        );
        assert_eq!(&object[10..], b"Controlword");
        let entry = &ask(&[5, 0, 0, 0, 0x7A, 0x60, 0, 0], 120)[0];
        let access = (READABLE | WRITABLE | MAPPABLE_OUTPUTS).to_le_bytes();
        assert_eq!(entry[..12], [6, 0, 0, 0, 0x7A, 0x60, 0, 0, 0x04, 0, 32, 0], "INTEGER32 of 32 bits");
        assert_eq!(entry[12..14], access);
        assert_eq!(&entry[14..], b"Target position");
    }

    #[test]
    fn what_is_not_there_is_answered_with_an_error() {
        for (request, abort) in [
            ([3, 0, 0, 0, 0xFF, 0x5F, 0, 0], Abort::NoSuchObject),
            ([5, 0, 0, 0, 0x40, 0x60, 7, 0], Abort::NoSuchSubindex),
            ([1, 0, 0, 0, 9, 0, 0, 0], Abort::UnsupportedAccess),
            ([9, 0, 0, 0, 0, 0, 0, 0], Abort::UnsupportedAccess),
        ] {
            let answer = &ask(&request, 120)[0];
            assert_eq!(answer[0], ERROR);
            assert_eq!(answer[4..8], (abort as u32).to_le_bytes());
        }
    }
}
