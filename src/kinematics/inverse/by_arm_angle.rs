//! The solver for arms with a spherical shoulder: the closed form over branches and arm angles.

use super::solver::{Solution, Solver};
use super::{InverseResult, InverseSettings};
use crate::geometry::Pose;
use crate::joints::JointVector;
use crate::kinematics::configuration::{Configuration, Wish};
use crate::kinematics::guide::SphericalShoulder;

/// Arm angles that are tried, to either side of that of the seed.
const ANGLES: u16 = 36;
/// A joint this near to a limit, as a share of its range, is avoided where another arm angle helps.
const MARGIN_MIN: f64 = 0.05;
/// What a solution may miss, m and rad: rounding.
const EXACT: InverseSettings = InverseSettings {
    position_tolerance_m: 1e-11,
    orientation_tolerance_rad: 1e-11,
    iterations_max: 0,
    step_max: 1.0,
};

impl Solver {
    /// The solution that grants `wish`, keeps away from the joint limits and is nearest to `seed`.
    ///
    /// Of the arm angles that asked for, or else those in steps of five degrees around that of the seed.
    pub(super) fn nearest_arm_angle(
        &self,
        shoulder: &SphericalShoulder,
        x_base_flange: &Pose,
        seed: &JointVector,
        wish: &Wish,
    ) -> Option<Solution> {
        let around = wish.arm_angle_rad.or_else(|| shoulder.arm_angle(seed)).unwrap_or(0.0);
        let steps = if wish.arm_angle_rad.is_some() { 0 } else { 2 * ANGLES };
        let mut best: Option<((u8, bool, f64), Solution)> = None;
        for step in 0..=steps {
            let aside = f64::from(step.div_ceil(2)) * if step % 2 == 0 { -1.0 } else { 1.0 };
            let angle = around + aside * std::f64::consts::PI / f64::from(ANGLES);
            self.each_branch(shoulder, x_base_flange, angle, seed, &mut |branch, q| {
                let Some(misses) = wish.misses(Some(branch)) else { return };
                let Some(q) = self.nearest_turn(q, seed, wish) else { return };
                let rank = (misses, self.margin(&q) < MARGIN_MIN, (q - *seed).max_abs());
                if best.is_none_or(|(of_best, _)| rank < of_best) {
                    best = Some((rank, Solution { q, configuration: Some(branch) }));
                }
            });
        }
        best.map(|(_, solution)| solution)
    }

    /// Calls `visit` with each branch that reaches the pose at one arm angle, whole turns left open.
    pub(super) fn each_branch(
        &self,
        shoulder: &SphericalShoulder,
        x_base_flange: &Pose,
        angle: f64,
        seed: &JointVector,
        visit: &mut dyn FnMut(Configuration, &JointVector),
    ) {
        for branch in Configuration::ALL {
            let solved = shoulder.inverse(self.chain(), x_base_flange, angle, branch, seed, &EXACT);
            if let InverseResult::Converged { q, .. } = solved {
                visit(branch, &q);
            }
        }
    }

    /// How far `q` is from the nearest limit, as a share of the range of that joint.
    fn margin(&self, q: &JointVector) -> f64 {
        let limits = self.limits().as_slice().iter().zip(q.iter());
        limits.fold(f64::INFINITY, |least, (limit, value)| {
            let room = (value - limit.position_min).min(limit.position_max - value);
            least.min(room / (limit.position_max - limit.position_min))
        })
    }
}
