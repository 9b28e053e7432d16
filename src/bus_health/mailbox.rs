//! What mailboxes have to say: why a request failed, SDO abort codes and emergencies in words.
//!
//! Source: ETG.1000.4 (mailbox), ETG.1000.6 clause 5.6 (CoE), CiA 301 (SDO, emergency).

use std::fmt;

use super::drive_error::error_code_words;

/// Longest value of an object that is read or written while the bus is in operation.
pub const OBJECT_BYTES_MAX: usize = 64 * 1024;

/// Why a mailbox request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailboxProblem {
    /// The device refused with this SDO abort code.
    Aborted {
        /// The code; [`abort_words`] says what it means.
        code: u32,
    },
    /// The device could not use the mailbox message itself (ETG.1000.4, mailbox error reply).
    MessageRefused {
        /// The error number.
        detail: u16,
    },
    /// The device has no mailbox, or no CoE in it.
    NoMailbox,
    /// No answer in time.
    Timeout,
    /// The value is longer than there is room for.
    TooLong {
        /// Length of the value, bytes.
        bytes: usize,
        /// Room there is.
        room: usize,
    },
    /// The device sent more or fewer bytes than it had announced.
    LengthDiffers {
        /// Bytes announced.
        announced: usize,
        /// Bytes sent.
        sent: usize,
    },
    /// The toggle bit of a segment did not alternate: a segment is missing or came twice.
    Toggle,
    /// The answer does not have the form of one.
    Malformed,
    /// Another transfer is under way.
    Busy,
    /// The bus is not up, or went down meanwhile.
    NoBus,
}

impl std::error::Error for MailboxProblem {}

impl fmt::Display for MailboxProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted { code } => {
                write!(formatter, "refused with abort code {code:#010x}: {}", abort_words(*code))
            }
            Self::MessageRefused { detail } => {
                let words = match detail {
                    1 => "syntax of the header",
                    2 => "the protocol is not supported",
                    3 => "wrong channel",
                    4 => "the service is not supported",
                    5 => "invalid header",
                    6 => "the message is too short",
                    7 => "no memory in the device",
                    8 => "inconsistent length",
                    _ => "unknown reason",
                };
                write!(formatter, "the device cannot use the message: {words} (mailbox error {detail})")
            }
            Self::NoMailbox => formatter.write_str("the device has no CoE mailbox"),
            Self::Timeout => formatter.write_str("no answer in time"),
            Self::TooLong { bytes, room } => {
                write!(formatter, "the value has {bytes} bytes, there is room for {room}")
            }
            Self::LengthDiffers { announced, sent } => {
                write!(formatter, "the device announced {announced} bytes and sent {sent}")
            }
            Self::Toggle => formatter.write_str("a segment is missing or came twice"),
            Self::Malformed => formatter.write_str("the answer makes no sense"),
            Self::Busy => formatter.write_str("another transfer is under way"),
            Self::NoBus => formatter.write_str("the bus is not up"),
        }
    }
}

/// An emergency message (CiA 301; ETG.1000.6, 5.6.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Emergency {
    /// Error code, as at 0x603F; 0: the error is gone.
    pub code: u16,
    /// Error register, as at 0x1001.
    pub register: u8,
    /// What the manufacturer says.
    pub data: [u8; 5],
}

impl fmt::Display for Emergency {
    /// Code in words, the kinds of errors in the register, the bytes of the manufacturer when there are any.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.code == 0 {
            formatter.write_str("the error is gone")?;
        } else {
            write!(formatter, "error code {:#06x}, {}", self.code, error_code_words(self.code))?;
        }
        write!(formatter, "; error register {:#04x}", self.register)?;
        let mut kinds = REGISTER_BITS.iter().filter(|(bit, _)| self.register & bit != 0);
        if let Some((_, first)) = kinds.next() {
            write!(formatter, " ({first}")?;
            kinds.try_for_each(|(_, kind)| write!(formatter, ", {kind}"))?;
            formatter.write_str(")")?;
        }
        if self.data != [0; 5] {
            write!(formatter, "; manufacturer data {:02x?}", self.data)?;
        }
        Ok(())
    }
}

/// Bits of the error register 0x1001 (CiA 301).
const REGISTER_BITS: [(u8, &str); 7] = [
    (1 << 0, "generic"),
    (1 << 1, "current"),
    (1 << 2, "voltage"),
    (1 << 3, "temperature"),
    (1 << 4, "communication"),
    (1 << 5, "device profile"),
    (1 << 7, "manufacturer"),
];

/// What an SDO abort code means, with what to look at where that is not obvious.
///
/// Source: CiA 301, SDO abort codes; ETG.1000.6, table 41.
#[must_use]
pub const fn abort_words(code: u32) -> &'static str {
    match code {
        0x0503_0000 => "the toggle bit did not alternate",
        0x0504_0000 => "the device waited too long for the next segment",
        0x0504_0001 => "unknown command",
        0x0504_0005 => "no memory in the device",
        0x0601_0000 => "this access to the object is not supported",
        0x0601_0001 => "the object can only be written",
        0x0601_0002 => "the object can only be read",
        0x0601_0003 => "the subindex cannot be written: subindex 0 must be written with 0 first",
        0x0601_0004 => "complete access is not supported for this object",
        0x0601_0005 => "the object is longer than the mailbox",
        0x0601_0006 => "the object is mapped into process data and cannot be written",
        0x0602_0000 => "there is no such object",
        0x0604_0041 => "the object cannot be mapped into process data",
        0x0604_0042 => "the mapped objects are longer than the process data may be",
        0x0604_0043 => "the parameters do not fit each other",
        0x0604_0047 => "internal incompatibility of the device",
        0x0606_0000 => "a fault of the hardware prevents the access",
        0x0607_0010 => "data type or length do not match",
        0x0607_0012 => "the value is too long",
        0x0607_0013 => "the value is too short",
        0x0609_0011 => "there is no such subindex",
        0x0609_0030 => "the value is out of range",
        0x0609_0031 => "the value is too large",
        0x0609_0032 => "the value is too small",
        0x0609_0033 => "the list of modules does not match",
        0x0609_0036 => "the largest value is below the smallest",
        0x0800_0000 => "general error",
        0x0800_0020 => "the device cannot take the value over",
        0x0800_0021 => "the device cannot take the value over: it is controlled locally",
        0x0800_0022 => "the device cannot take the value over in its present state",
        0x0800_0023 => "the device has no object dictionary",
        _ => "a code of this device type: see the manual of the drive",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emergency_is_told_with_code_register_and_bytes_in_words() {
        let emergency = Emergency { code: 0x8611, register: 0x21, data: [1, 2, 0, 0, 0xFF] };
        assert_eq!(
            emergency.to_string(),
            "error code 0x8611, following error; error register 0x21 (generic, device profile); manufacturer data \
             [01, 02, 00, 00, ff]"
        );
        let gone = Emergency::default();
        assert_eq!(gone.to_string(), "the error is gone; error register 0x00");
    }
}
