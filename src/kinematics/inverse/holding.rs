//! The solver for chains some of whose joints stand where the program says: a track, a column.

use super::solver::Solver;
use super::{InverseResult, InverseSettings};
use crate::geometry::Pose;
use crate::joints::JointVector;
use crate::kinematics::configuration::Wish;
use crate::kinematics::guide::inverse_holding;

/// Places the search starts from.
const ATTEMPTS: u16 = 60;

impl Solver {
    /// The solution nearest to `seed` in which the joints of `mask` (joint 1: bit 0) stand where `seed` has them.
    ///
    /// Searches: what it does not find need not be out of reach.
    #[must_use]
    pub fn nearest_holding(
        &self,
        x_base_flange: &Pose,
        seed: &JointVector,
        mask: u16,
    ) -> Option<JointVector> {
        let settings = InverseSettings { iterations_max: 60, step_max: 0.5, ..InverseSettings::default() };
        let mut best: Option<(f64, JointVector)> = None;
        for attempt in 0..ATTEMPTS {
            let spread = self.start_of_attempt(seed, attempt);
            let start = JointVector::from_fn(seed.len(), |joint| {
                if mask & (1 << joint) == 0 { spread.get(joint) } else { seed.get(joint) }
            });
            let solved = inverse_holding(self.chain(), x_base_flange, &start, mask, &settings);
            let InverseResult::Converged { q, .. } = solved else { continue };
            let Some(q) = self.nearest_turn(&q, seed, &Wish::FREE) else { continue };
            let gap = (q - *seed).max_abs();
            if best.as_ref().is_none_or(|(nearest, _)| gap < *nearest) {
                best = Some((gap, q));
            }
        }
        best.map(|(_, q)| q)
    }
}
