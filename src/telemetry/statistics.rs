//! Smallest, largest and mean of a stream of numbers, in constant memory.

use serde::Serialize;

/// Collects numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

/// Smallest, mean and largest value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MinMeanMax {
    /// Smallest.
    pub min: f64,
    /// Mean over the samples.
    pub mean: f64,
    /// Largest.
    pub max: f64,
}

/// Mean and largest value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MeanMax {
    /// Mean over the samples.
    pub mean: f64,
    /// Largest.
    pub max: f64,
}

impl Statistics {
    /// Takes a number; one that is not finite is left out.
    pub fn add(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        if self.count == 0 {
            (self.min, self.max) = (value, value);
        }
        self.count += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// How many numbers were taken.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Smallest, mean and largest times `factor`; none without a number.
    #[must_use]
    pub fn min_mean_max(&self, factor: f64) -> Option<MinMeanMax> {
        let mean = self.mean()?;
        Some(MinMeanMax { min: self.min * factor, mean: mean * factor, max: self.max * factor })
    }

    /// Mean and largest times `factor`; none without a number.
    #[must_use]
    pub fn mean_max(&self, factor: f64) -> Option<MeanMax> {
        let mean = self.mean()?;
        Some(MeanMax { mean: mean * factor, max: self.max * factor })
    }

    #[expect(clippy::cast_precision_loss, reason = "exact up to 2⁵³ samples")]
    fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}
