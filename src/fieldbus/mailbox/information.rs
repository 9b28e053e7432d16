//! What the SDO information service says of objects and entries (ETG.1000.6, 5.6.3).

use super::bytes::{u8_at, u16_at};

/// What kind of object it is (CiA 301, object codes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// One value.
    Variable,
    /// Values of one type.
    Array,
    /// Values of several types.
    Record,
    /// Another code.
    Other(u8),
}

/// Description of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectDescription<'a> {
    /// Index.
    pub index: u16,
    /// Data type (CiA 301, 0x0001…).
    pub data_type: u16,
    /// Largest subindex.
    pub last_subindex: u8,
    /// Kind.
    pub kind: ObjectKind,
    /// Name, as the device writes it.
    pub name: &'a [u8],
}

impl<'a> ObjectDescription<'a> {
    /// From the answer to [`Request::Object`](super::Request::Object).
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        Some(Self {
            index: u16_at(bytes, 0)?,
            data_type: u16_at(bytes, 2)?,
            last_subindex: u8_at(bytes, 4)?,
            kind: match u8_at(bytes, 5)? {
                7 => ObjectKind::Variable,
                8 => ObjectKind::Array,
                9 => ObjectKind::Record,
                other => ObjectKind::Other(other),
            },
            name: bytes.get(6..)?,
        })
    }
}

/// Description of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryDescription<'a> {
    /// Index.
    pub index: u16,
    /// Subindex.
    pub subindex: u8,
    /// Data type (CiA 301, 0x0001…).
    pub data_type: u16,
    /// Length in bits.
    pub bits: u16,
    /// Access rights: bits 0 to 2 readable in PRE-OP, SAFE-OP, OP; 3 to 5 writable; 6 mappable into outputs,
    /// 7 into inputs.
    pub access: u16,
    /// Name, as the device writes it.
    pub name: &'a [u8],
}

impl<'a> EntryDescription<'a> {
    /// From the answer to [`Request::Entry`](super::Request::Entry).
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        Some(Self {
            index: u16_at(bytes, 0)?,
            subindex: u8_at(bytes, 2)?,
            data_type: u16_at(bytes, 4)?,
            bits: u16_at(bytes, 6)?,
            access: u16_at(bytes, 8)?,
            name: bytes.get(10..)?,
        })
    }

    /// `ro`, `wo`, `rw` or `--`, and for an entry that can be mapped `rx` (outputs) or `tx` (inputs).
    #[must_use]
    pub const fn access_words(&self) -> (&'static str, &'static str) {
        let access = match (self.access & 0x07 != 0, self.access & 0x38 != 0) {
            (true, true) => "rw",
            (true, false) => "ro",
            (false, true) => "wo",
            (false, false) => "--",
        };
        let mapping = match (self.access & 0x40 != 0, self.access & 0x80 != 0) {
            (true, true) => "rx tx",
            (true, false) => "rx",
            (false, true) => "tx",
            (false, false) => "",
        };
        (access, mapping)
    }
}

/// A data type number in words (CiA 301, table 44).
#[must_use]
pub const fn data_type_name(number: u16) -> &'static str {
    match number {
        0x0001 => "bool",
        0x0002 => "i8",
        0x0003 => "i16",
        0x0004 => "i32",
        0x0005 => "u8",
        0x0006 => "u16",
        0x0007 => "u32",
        0x0008 => "f32",
        0x0009 => "string",
        0x000A => "bytes",
        0x0011 => "f64",
        0x0015 => "i64",
        0x001B => "u64",
        0x0016 => "u24",
        0x0010 => "i24",
        _ => "other",
    }
}
