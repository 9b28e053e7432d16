//! The numbers in the parameters of requests: what each may be, and how it is said.

use super::error::ApiError;

/// What a number in the parameters may be. A key means the same in every method.
pub(super) struct NumberRange {
    key: &'static str,
    min: f64,
    max: f64,
    unit: &'static str,
}

pub(super) const LEASE_S: NumberRange = NumberRange { key: "lease_s", min: 0.5, max: 60.0, unit: " s" };
pub(super) const PERCENT: NumberRange = NumberRange { key: "percent", min: 1.0, max: 100.0, unit: " %" };
pub(super) const MAX_HZ: NumberRange = NumberRange { key: "max_hz", min: 0.1, max: 100.0, unit: " 1/s" };
/// The others are whole numbers; what this cell has of them is checked where it is known.
const WHOLE: [NumberRange; 4] = [
    NumberRange { key: "epoch", min: 0.0, max: 4_294_967_295.0, unit: "" },
    NumberRange { key: "joint", min: 1.0, max: 12.0, unit: "" },
    NumberRange { key: "index", min: 0.0, max: 65_535.0, unit: "" },
    NumberRange { key: "subindex", min: 0.0, max: 255.0, unit: "" },
];

impl NumberRange {
    /// The range of the number with this key, if it has one of its own.
    fn of(key: &str) -> Option<&'static Self> {
        [&LEASE_S, &PERCENT, &MAX_HZ].into_iter().chain(&WHOLE).find(|range| range.key == key)
    }

    /// That `value` is in range.
    ///
    /// # Errors
    /// `InvalidParams` with the key and the range.
    pub(super) fn check(&self, value: f64) -> Result<(), ApiError> {
        if (self.min..=self.max).contains(&value) {
            return Ok(());
        }
        Err(ApiError::InvalidParams {
            place: self.key.to_owned(),
            detail: format!("{value} is out of range; {self}"),
        })
    }
}

impl std::fmt::Display for NumberRange {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "allowed: {} to {}{}", self.min, self.max, self.unit)
    }
}

/// What the reader of parameters found at `place`: kinds of numbers as this language calls them, and their range.
pub(super) fn in_words(place: &str, detail: &str) -> String {
    let mut words = detail.replace("expected f64", "expected a number");
    for kind in ["expected u8", "expected u16", "expected u32"] {
        words = words.replace(kind, "expected a whole number");
    }
    if let Some(range) = NumberRange::of(place) {
        words.push_str(&format!("; {range}"));
    }
    words
}
