//! Values of objects as people write them: with a data type by name.

use std::fmt;
use std::str::FromStr;

use crate::api::hexadecimal::{bytes_of_hexadecimal, hexadecimal};

/// Data type of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdoType {
    /// Unsigned whole number of so many bytes: 1, 2, 4, 8.
    Unsigned(usize),
    /// Signed whole number of so many bytes: 1, 2, 4, 8.
    Signed(usize),
    /// 32-bit floating point.
    Float32,
    /// Text.
    Text,
    /// Bytes in hexadecimal.
    Bytes,
}

/// The names of all types.
pub const TYPE_NAMES: &str = "u8, u16, u32, u64, i8, i16, i32, i64, f32, string, bytes";

impl FromStr for SdoType {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Ok(match name {
            "u8" => Self::Unsigned(1),
            "u16" => Self::Unsigned(2),
            "u32" => Self::Unsigned(4),
            "u64" => Self::Unsigned(8),
            "i8" => Self::Signed(1),
            "i16" => Self::Signed(2),
            "i32" => Self::Signed(4),
            "i64" => Self::Signed(8),
            "f32" => Self::Float32,
            "string" => Self::Text,
            "bytes" => Self::Bytes,
            other => return Err(format!("unknown data type `{other}`; allowed: {TYPE_NAMES}")),
        })
    }
}

impl fmt::Display for SdoType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned(bytes) => write!(formatter, "u{}", 8 * bytes),
            Self::Signed(bytes) => write!(formatter, "i{}", 8 * bytes),
            Self::Float32 => formatter.write_str("f32"),
            Self::Text => formatter.write_str("string"),
            Self::Bytes => formatter.write_str("bytes"),
        }
    }
}

impl SdoType {
    /// What a value of this length most likely is, when nobody says.
    #[must_use]
    pub const fn guess(bytes: &[u8]) -> Self {
        match bytes.len() {
            1 | 2 | 4 | 8 => Self::Unsigned(bytes.len()),
            _ => Self::Bytes,
        }
    }

    /// The bytes of a value as written: whole numbers also in hexadecimal (`0x…`).
    ///
    /// # Errors
    /// What is wrong with it, and what is allowed.
    pub fn encode(self, written: &str) -> Result<Vec<u8>, String> {
        match self {
            Self::Unsigned(bytes) => {
                let value = whole(written)?;
                let end = 1_i128 << (8 * bytes);
                if !(0..end).contains(&value) {
                    return Err(format!("{value} is out of range; allowed for {self}: 0 to {}", end - 1));
                }
                Ok(value.to_le_bytes().into_iter().take(bytes).collect())
            }
            Self::Signed(bytes) => {
                let value = whole(written)?;
                let end = 1_i128 << (8 * bytes - 1);
                if !(-end..end).contains(&value) {
                    return Err(format!(
                        "{value} is out of range; allowed for {self}: {} to {}",
                        -end,
                        end - 1
                    ));
                }
                Ok(value.to_le_bytes().into_iter().take(bytes).collect())
            }
            Self::Float32 => {
                let value: f32 =
                    written.trim().parse().map_err(|_| format!("`{written}` is not a number"))?;
                if !value.is_finite() {
                    return Err(format!("`{written}` is not a finite number"));
                }
                Ok(value.to_le_bytes().to_vec())
            }
            Self::Text => Ok(written.as_bytes().to_vec()),
            Self::Bytes => bytes_of_hexadecimal(written),
        }
    }

    /// A value in words. A length that does not fit the type is said, with the bytes.
    ///
    /// # Errors
    /// The length does not fit.
    pub fn decode(self, bytes: &[u8]) -> Result<String, String> {
        let wanted = match self {
            Self::Unsigned(length) | Self::Signed(length) => length,
            Self::Float32 => 4,
            Self::Text | Self::Bytes => bytes.len(),
        };
        if bytes.len() != wanted {
            return Err(format!(
                "the object has {} bytes ({}), {self} has {wanted}",
                bytes.len(),
                hexadecimal(bytes)
            ));
        }
        let mut wide = [0; 8];
        for (place, byte) in wide.iter_mut().zip(bytes) {
            *place = *byte;
        }
        let unsigned = u64::from_le_bytes(wide);
        Ok(match self {
            Self::Unsigned(_) => unsigned.to_string(),
            Self::Signed(length) => {
                let unused = 64 - 8 * length;
                ((unsigned << unused).cast_signed() >> unused).to_string()
            }
            Self::Float32 => {
                let [a, b, c, d, ..] = wide;
                f32::from_le_bytes([a, b, c, d]).to_string()
            }
            Self::Text => {
                let text = String::from_utf8_lossy(bytes);
                text.trim_end_matches('\0').chars().filter(|letter| !letter.is_control()).collect()
            }
            Self::Bytes => hexadecimal(bytes),
        })
    }
}

fn whole(written: &str) -> Result<i128, String> {
    let text = written.trim().replace('_', "");
    let (sign, digits) = text.strip_prefix('-').map_or((1, text.as_str()), |digits| (-1, digits));
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => i128::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    value
        .map(|value| sign * value)
        .map_err(|_| format!("`{written}` is not a whole number (decimal, or hexadecimal with 0x)"))
}

/// An object as written: `0x6064`, `6064`, `0x1018:1`, `1018:01` (always hexadecimal); the subindex is 0 when
/// left out.
///
/// # Errors
/// What it should look like.
pub fn read_object(text: &str) -> Result<(u16, u8), String> {
    let wrong =
        || format!("`{text}` is no object; write index and subindex in hexadecimal, for example 0x6064:00");
    let (index, subindex) = text.split_once(':').unwrap_or((text, "0"));
    let plain = |part: &str| part.trim().trim_start_matches("0x").trim_start_matches("0X").to_owned();
    let index = u16::from_str_radix(&plain(index), 16).map_err(|_| wrong())?;
    let subindex = u8::from_str_radix(&plain(subindex), 16).map_err(|_| wrong())?;
    Ok((index, subindex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_reads_back_what_it_writes_at_both_ends_of_its_range() {
        for (name, least, most) in [
            ("u8", "0", "255"),
            ("u16", "0", "65535"),
            ("u32", "0", "4294967295"),
            ("u64", "0", "18446744073709551615"),
            ("i8", "-128", "127"),
            ("i16", "-32768", "32767"),
            ("i32", "-2147483648", "2147483647"),
            ("i64", "-9223372036854775808", "9223372036854775807"),
        ] {
            let kind: SdoType = name.parse().unwrap();
            assert_eq!(kind.to_string(), name);
            for value in [least, most, "5"] {
                assert_eq!(kind.decode(&kind.encode(value).unwrap()).unwrap(), value, "{name}");
            }
            let beyond = (most.parse::<i128>().unwrap() + 1).to_string();
            assert!(kind.encode(&beyond).unwrap_err().contains(most), "{name}");
            let below = (least.parse::<i128>().unwrap() - 1).to_string();
            assert!(kind.encode(&below).is_err(), "{name}");
        }
        assert_eq!(SdoType::Float32.decode(&SdoType::Float32.encode("-1.5").unwrap()).unwrap(), "-1.5");
        assert_eq!(SdoType::Text.decode(b"motiond\0\0").unwrap(), "motiond");
        assert_eq!(SdoType::Bytes.encode("01 fF2a").unwrap(), [1, 0xFF, 0x2A]);
        assert_eq!(SdoType::Unsigned(2).encode("0x1_F").unwrap(), [0x1F, 0]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        for (kind, written) in [
            (SdoType::Unsigned(1), "x"),
            (SdoType::Unsigned(1), "-1"),
            (SdoType::Float32, "inf"),
            (SdoType::Float32, "a"),
            (SdoType::Bytes, "123"),
            (SdoType::Bytes, "zz"),
        ] {
            assert!(kind.encode(written).is_err(), "{kind} {written}");
        }
        assert!(SdoType::Unsigned(4).decode(&[1, 2]).unwrap_err().contains("2 bytes (01 02)"));
        assert!("u12".parse::<SdoType>().unwrap_err().contains("u16"));
    }

    #[test]
    fn objects_are_written_in_hexadecimal_with_or_without_prefix() {
        for text in ["0x1018:01", "1018:1", "0x1018:0x1"] {
            assert_eq!(read_object(text), Ok((0x1018, 1)), "{text}");
        }
        assert_eq!(read_object("6064"), Ok((0x6064, 0)));
        for text in ["", ":", "60640", "6064:100", "position"] {
            assert!(read_object(text).unwrap_err().contains("0x6064:00"), "{text}");
        }
    }
}
