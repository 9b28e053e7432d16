//! Measurement noise for the tests: always the same, even in −1..=1.

use nalgebra::Vector3;

pub(super) struct Noise(u64);

impl Noise {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// Source: Marsaglia 2003, "Xorshift RNGs".
    pub(super) fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).expect("32 bits")) / f64::from(u32::MAX) * 2.0 - 1.0
    }

    /// Each component within ±`size`.
    pub(super) fn vector(&mut self, size: f64) -> Vector3<f64> {
        Vector3::new(self.next(), self.next(), self.next()) * size
    }
}
