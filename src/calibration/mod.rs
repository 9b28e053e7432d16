//! From measured poses to tools, frames, axes and corrections of the arm, each with residuals and a verdict. Pure
//! functions of numbers in SI units; files are read and written by `cli::calibrate`. Not for the cycle: allocates.
//!
//! Everything here refuses measurements that cannot tell what is asked (points in a line, tools that never turned):
//! least squares would give a number all the same, and an arm would move by it.

mod axes;
mod frames;
mod kinematic;
mod payload;
mod tool;

pub use axes::{LinearAxis, RotaryAxis, linear_axis, rotary_axis};
pub use frames::{FramePoints, RigidFit, rigid_fit, work_object};
pub use kinematic::{
    Held, KinematicCalibration, KinematicMeasurement, KinematicTask, Parameter, ParameterKind,
    kinematic_calibration,
};
pub use payload::{Estimate, PayloadFit, PayloadSample, identify_payload};
pub use tool::{ToolDirection, ToolFit, tool_direction, tool_position};

/// Why measurements give no result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CalibrationProblem {
    /// Fewer than the unknowns need.
    #[error("{given} {what} given, at least {needed} are needed")]
    TooFew {
        /// What there is too little of.
        what: &'static str,
        /// How many there are.
        given: usize,
        /// How many are needed.
        needed: usize,
    },
    /// A value is not a finite number.
    #[error("measurement {} is not finite", point + 1)]
    NotFinite {
        /// Which, from 0.
        point: usize,
    },
    /// The measurements differ too little, or in too few directions.
    #[error("{what}: {found:.3} {unit}, at least {needed:.3} {unit} are needed")]
    TooLittle {
        /// What is too small.
        what: &'static str,
        /// What was found.
        found: f64,
        /// What is needed.
        needed: f64,
        /// Unit of both.
        unit: &'static str,
    },
    /// No combination of numbers explains the measurements.
    #[error("the search does not settle after {rounds} rounds")]
    NotSettled {
        /// Rounds that were made.
        rounds: u32,
    },
}

/// Distances between what was measured and what the result says, m, in the order of the measurements.
#[derive(Clone, Debug, PartialEq)]
pub struct Residuals(pub Vec<f64>);

impl Residuals {
    /// Mean, m; zero when there are none.
    #[must_use]
    pub fn mean_m(&self) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.iter().sum::<f64>() / as_f64(self.0.len()) }
    }

    /// The worst measurement (from 0) and its distance, m.
    #[must_use]
    pub fn worst(&self) -> Option<(usize, f64)> {
        self.0.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The largest, m; zero when there are none.
    #[must_use]
    pub fn max_m(&self) -> f64 {
        self.worst().map_or(0.0, |(_, distance)| distance)
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of measurements")]
const fn as_f64(count: usize) -> f64 {
    count as f64
}

/// Notes the first measurement that is not finite.
fn check_finite(points: impl IntoIterator<Item = nalgebra::Vector3<f64>>) -> Result<(), CalibrationProblem> {
    let bad = points.into_iter().position(|point| !point.iter().all(|value| value.is_finite()));
    bad.map_or(Ok(()), |point| Err(CalibrationProblem::NotFinite { point }))
}

#[cfg(test)]
mod test_noise;
