//! Pairs of inequalities `-e ≤ below` and `e ≤ above` with their slacks and multipliers.

use super::lanes::Lanes;

/// An expression `e` bounded from above (index 0) and from below (index 1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    slack: [Lanes; 2],
    multiplier: [Lanes; 2],
}

/// What a pair adds to the Newton system. The residuals are `g = ±e - bound ≤ 0`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Curvature along the gradient of `e`.
    pub(super) weight: Lanes,
    /// Difference of the two curvatures: the coupling with a bound that moves.
    pub(super) weight_difference: Lanes,
    /// Pull along the gradient of `e`.
    pub(super) force: Lanes,
    /// Pull on a bound that moves with both sides.
    pub(super) force_sum: Lanes,
}

/// Changes of slacks and multipliers.
#[derive(Clone, Copy, Debug)]
pub(super) struct BoundsStep {
    slack: [Lanes; 2],
    multiplier: [Lanes; 2],
}

/// Smallest slack to start with, as a part of the bound's scale of one.
const SLACK_MIN: f64 = 0.05;
/// Part of the way to the nearest zero that is gone at most.
const TO_THE_BOUNDARY: f64 = 0.99;

impl Bounds {
    /// Well inside, or where `g` says.
    pub(super) fn start(g: [Lanes; 2], barrier: f64) -> Self {
        let slack = g.map(|g| g.map(|g| (-g).max(SLACK_MIN)));
        Self { slack, multiplier: slack.map(|slack| slack.map(|slack| barrier / slack)) }
    }

    pub(super) fn terms(&self, g: [Lanes; 2], barrier: f64) -> Terms {
        let side = |side: usize| {
            let (s, z) = (self.slack[side], self.multiplier[side]);
            let weight = z / s;
            (weight, Lanes::all(barrier) / s + weight * (g[side] + s))
        };
        let ((above, pull_above), (below, pull_below)) = (side(0), side(1));
        Terms {
            weight: above + below,
            weight_difference: above - below,
            force: pull_above - pull_below,
            force_sum: pull_above + pull_below,
        }
    }

    /// Pull of the multipliers themselves along the gradient of `e`.
    pub(super) fn multiplier_difference(&self) -> Lanes {
        self.multiplier[0] - self.multiplier[1]
    }

    /// The step that goes with a change `dg` of the residuals.
    pub(super) fn step(&self, g: [Lanes; 2], dg: [Lanes; 2], barrier: f64) -> BoundsStep {
        let slack = [0, 1].map(|side| -(g[side] + self.slack[side]) - dg[side]);
        let multiplier = [0, 1].map(|side| {
            (Lanes::all(barrier) - self.multiplier[side] * slack[side]) / self.slack[side]
                - self.multiplier[side]
        });
        BoundsStep { slack, multiplier }
    }

    /// Longest steps of slack and multiplier that keep both above zero.
    pub(super) fn longest(&self, step: &BoundsStep) -> (f64, f64) {
        let of = |values: &[Lanes; 2], steps: &[Lanes; 2]| {
            let mut most = 1.0_f64;
            for side in 0..2 {
                for (value, step) in values[side].0.iter().zip(&steps[side].0) {
                    // One comparison for the ordinary case.
                    if value + most * step < (1.0 - TO_THE_BOUNDARY) * value {
                        most = -TO_THE_BOUNDARY * value / step;
                    }
                }
            }
            most
        };
        (of(&self.slack, &step.slack), of(&self.multiplier, &step.multiplier))
    }

    pub(super) fn advance(&mut self, step: &BoundsStep, primal: f64, dual: f64) {
        for side in 0..2 {
            self.slack[side] += step.slack[side] * primal;
            self.multiplier[side] += step.multiplier[side] * dual;
        }
    }

    /// Sum of slack times multiplier.
    pub(super) fn complementarity(&self) -> f64 {
        (self.slack[0] * self.multiplier[0] + self.slack[1] * self.multiplier[1]).sum()
    }

    /// How far the residuals and slacks are apart.
    pub(super) fn infeasibility(&self, g: [Lanes; 2]) -> f64 {
        [0, 1]
            .map(|side| (g[side] + self.slack[side]).map(f64::abs).largest())
            .into_iter()
            .fold(0.0, f64::max)
    }
}
