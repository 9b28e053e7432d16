//! Units that cross module borders as types. Inside numeric kernels plain `f64` in SI units is used;
//! conversion to and from other units happens in `config`, `api` and `drives::scaling` only.

/// A ratio in `0.0..=1.0`: override, fraction of a path, share of a limit.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Ratio(f64);

impl Ratio {
    /// Nothing.
    pub const ZERO: Self = Self(0.0);
    /// The whole.
    pub const ONE: Self = Self(1.0);

    /// A ratio, or `None` when `value` is not a finite number in `0.0..=1.0`.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// The number, in `0.0..=1.0`.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// Time since an arbitrary origin, in nanoseconds: `CLOCK_MONOTONIC`, or virtual time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nanoseconds(pub u64);

impl Nanoseconds {
    /// This time plus `other`; saturates at the end of time (584 years).
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// This time minus `earlier`; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// In seconds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a duration of 104 days is exact to a nanosecond")]
    pub const fn as_seconds(self) -> f64 {
        self.0 as f64 * 1e-9
    }
}

/// Number of cycles sent since the real-time thread began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cycles(pub u64);
