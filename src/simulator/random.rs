//! Seeded random numbers: the only ones in the simulation.

/// SplitMix64 (Steele, Lea, Flood 2014): small, seedable, good enough for ripple and jitter.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// A sequence of its own for each `seed` and `stream`.
    pub(super) const fn new(seed: u64, stream: u64) -> Self {
        Self(seed ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    /// The next 64 bits.
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number in −1..1.
    pub(super) fn symmetric(&mut self) -> f64 {
        // 53 bits: as many as the mantissa holds.
        (self.next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}
