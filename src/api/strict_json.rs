//! JSON as the socket accepts it: stricter than RFC 8259 asks, because what is ambiguous must not move
//! an arm.
//!
//! Refused beyond malformed text: bytes that are not UTF-8, a key that appears twice in an object
//! (RFC 8259, section 4, leaves its meaning open), nesting deeper than [`DEPTH_MAX`], numbers that do not
//! fit a double, and anything after the value.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Deepest nesting of arrays and objects.
pub const DEPTH_MAX: usize = 32;

/// Why a text is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// Not UTF-8 from this byte on.
    NotUtf8 {
        /// First bad byte, counted from 0.
        byte: usize,
    },
    /// Nested deeper than [`DEPTH_MAX`].
    TooDeep,
    /// A key appears twice in one object.
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// Not JSON.
    Malformed {
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
        /// What the parser says.
        detail: String,
    },
}

/// Reads one JSON value that fills the whole of `bytes` (blanks around it are allowed).
///
/// # Errors
/// See [`JsonError`]; nothing is kept of a refused text.
pub fn parse_bytes(bytes: &[u8]) -> Result<Value, JsonError> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| JsonError::NotUtf8 { byte: error.valid_up_to() })?;
    parse_text(text)
}

/// Reads one JSON value that fills the whole of `text`; as [`parse_bytes`].
///
/// # Errors
/// See [`JsonError`].
pub fn parse_text(text: &str) -> Result<Value, JsonError> {
    // serde carries errors of a visitor as text only; the reason is kept beside it.
    let mut reason = None;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = StrictValue { depth: 0, reason: &mut reason }.deserialize(&mut deserializer);
    let value = value.and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| {
        reason.unwrap_or_else(|| JsonError::Malformed {
            line: error.line(),
            column: error.column(),
            detail: without_position(&error.to_string()),
        })
    })
}

/// The parser's words without its " at line 1 column 2", which is kept as numbers.
fn without_position(text: &str) -> String {
    text.split(" at line ").next().unwrap_or(text).to_owned()
}

struct StrictValue<'a> {
    depth: usize,
    reason: &'a mut Option<JsonError>,
}

impl StrictValue<'_> {
    fn deeper<E: serde::de::Error>(&mut self) -> Result<StrictValue<'_>, E> {
        if self.depth == DEPTH_MAX {
            *self.reason = Some(JsonError::TooDeep);
            return Err(E::custom("nested too deep"));
        }
        Ok(StrictValue { depth: self.depth + 1, reason: self.reason })
    }
}

impl<'de> DeserializeSeed<'de> for StrictValue<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictValue<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        let inner = self.deeper()?;
        while let Some(value) =
            elements.next_element_seed(StrictValue { depth: inner.depth, reason: &mut *inner.reason })?
        {
            array.push(value);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let inner = self.deeper()?;
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                let error = A::Error::custom("duplicate key");
                *inner.reason = Some(JsonError::DuplicateKey { key });
                return Err(error);
            }
            let value =
                entries.next_value_seed(StrictValue { depth: inner.depth, reason: &mut *inner.reason })?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_values_are_read_as_serde_json_reads_them() {
        let text = r#" {"a":[1,-2,3.5,true,null,"x\u00e9"],"b":{}} "#;
        assert_eq!(parse_text(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn every_kind_of_bad_text_has_its_reason() {
        let deep = |count: usize| format!("{}{}", "[".repeat(count), "]".repeat(count));
        assert!(parse_text(&deep(DEPTH_MAX)).is_ok());
        assert_eq!(parse_text(&deep(DEPTH_MAX + 1)), Err(JsonError::TooDeep));
        // Far beyond any stack: refused at the limit, not after recursion.
        assert_eq!(parse_text(&"[".repeat(500_000)), Err(JsonError::TooDeep));
        assert_eq!(
            parse_text(r#"{"epoch":1,"epoch":2}"#),
            Err(JsonError::DuplicateKey { key: "epoch".to_owned() })
        );
        assert_eq!(parse_bytes(b"{\"a\":\"\xff\"}"), Err(JsonError::NotUtf8 { byte: 6 }));
        for malformed in
            ["", "{", "nul", "NaN", "[1,]", "{\"a\":Infinity}", "1e999", "{} {}", "{'a':1}", "01"]
        {
            assert!(
                matches!(parse_text(malformed), Err(JsonError::Malformed { .. })),
                "{malformed:?} gave {:?}",
                parse_text(malformed)
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(7), ..ProptestConfig::default() })]

        /// Whatever we accept, the reference parser accepts and reads alike.
        #[test]
        fn nothing_is_accepted_that_the_reference_parser_refuses(bytes in proptest::collection::vec(
            prop_oneof![Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b':'), Just(b','), Just(b'1'), Just(b'a'), any::<u8>()], 0..40,
        )) {
            if let Ok(value) = parse_bytes(&bytes) {
                prop_assert_eq!(value, serde_json::from_slice::<Value>(&bytes).unwrap());
            }
        }
    }
}
