//! SDO abort codes in words.

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
