//! Inverse kinematics of a whole arm, limits, branches and turns included: closed form where the arm has one,
//! the search with restarts for every other.

use std::f64::consts::TAU;

use super::{GlobalSettings, InverseResult, Spread, inverse_from_seed};
use crate::geometry::Pose;
use crate::joints::{JointLimits, JointVector, MAX_JOINTS};
use crate::kinematics::chain::{Chain, JointKind};
use crate::kinematics::closed::{Class, ClosedForm};
use crate::kinematics::configuration::{Configuration, Wish};
use crate::kinematics::guide::SphericalShoulder;
use crate::kinematics::singularity::Anatomy;

/// Two solutions nearer than this in every joint are one, rad or m.
const SAME: f64 = 1e-6;

/// One way to reach a pose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Solution {
    /// Joint positions within the limits, rad or m.
    pub q: JointVector,
    /// Branch; `None` for arms without.
    pub configuration: Option<Configuration>,
}

/// An arm with its limits and what is known about its inverse. Made once; `Copy`, without heap.
#[derive(Clone, Copy, Debug)]
pub struct Solver {
    chain: Chain,
    limits: JointLimits,
    closed: Option<ClosedForm>,
    shoulder: Option<SphericalShoulder>,
    spread: Spread,
    search: GlobalSettings,
}

impl Solver {
    /// The solver of `chain` within `limits`; `None` when these are of another joint count.
    ///
    /// Not for the cycle: looks for a closed form and proves it.
    #[must_use]
    pub fn new(chain: &Chain, limits: &JointLimits) -> Option<Self> {
        (limits.len() == chain.joint_count()).then(|| Self {
            chain: *chain,
            limits: *limits,
            closed: ClosedForm::find(chain),
            shoulder: SphericalShoulder::find(chain),
            spread: Spread::new(chain.joint_count()),
            search: GlobalSettings::default(),
        })
    }

    /// The same solver without its closed form; for tests and measurements.
    #[must_use]
    pub const fn searching(mut self, search: GlobalSettings) -> Self {
        self.closed = None;
        self.shoulder = None;
        self.search = search;
        self
    }

    /// The chain.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> &JointLimits {
        &self.limits
    }

    /// The spherical shoulder and wrist of a seven-joint arm, if it has them.
    #[must_use]
    pub const fn shoulder(&self) -> Option<&SphericalShoulder> {
        self.shoulder.as_ref()
    }

    /// The closed form, if the arm has one.
    #[must_use]
    pub const fn closed_form(&self) -> Option<&ClosedForm> {
        self.closed.as_ref()
    }

    /// The branch `q` is on; `None` for arms without.
    #[must_use]
    pub fn configuration(&self, q: &JointVector) -> Option<Configuration> {
        let closed = self.closed.as_ref().map(|closed| closed.configuration(&self.chain, q));
        closed.or_else(|| self.shoulder.as_ref().map(|shoulder| shoulder.configuration(q)))
    }

    /// Which singular poses the arm has; `None` for arms without a closed form.
    #[must_use]
    pub fn anatomy(&self) -> Option<Anatomy> {
        match (&self.closed, &self.shoulder) {
            (Some(closed), _) => Some(match closed.class() {
                Class::SphericalWrist => Anatomy::SphericalWrist,
                Class::ThreeParallel => Anatomy::ThreeParallel,
            }),
            (None, Some(_)) => Some(Anatomy::SphericalShoulder),
            (None, None) => None,
        }
    }

    /// The solution for `x_base_flange` that grants `wish` and is nearest to `seed`, where the arm is.
    ///
    /// Nearest: the largest joint difference is smallest. `None`: no solution within the limits (closed form), or
    /// none was found (search); or an input is not finite.
    /// # Real-time
    /// No allocation; for planning: the search takes up to `attempts_max` × `iterations_max` steps.
    #[must_use]
    pub fn nearest(&self, x_base_flange: &Pose, seed: &JointVector, wish: &Wish) -> Option<Solution> {
        if let Some(shoulder) = &self.shoulder {
            let found = self.nearest_arm_angle(shoulder, x_base_flange, seed, wish);
            if found.is_some() || wish.arm_angle_rad.is_some() {
                return found;
            }
        } else if wish.arm_angle_rad.is_some() {
            return None;
        }
        let mut best: Option<((u8, f64), Solution)> = None;
        self.candidates(x_base_flange, seed, &mut |q| {
            let configuration = self.configuration(q);
            let Some(misses) = wish.misses(configuration) else { return true };
            let Some(q) = self.nearest_turn(q, seed, wish) else { return true };
            let rank = (misses, (q - *seed).max_abs());
            if best.is_none_or(|(of_best, _)| rank < of_best) {
                best = Some((rank, Solution { q, configuration }));
            }
            true
        });
        best.map(|(_, solution)| solution)
    }

    /// Any solution within the limits, as quickly as possible: that from `seed` if it leads to one.
    ///
    /// # Real-time
    /// As [`nearest`](Self::nearest).
    #[must_use]
    pub fn any(&self, x_base_flange: &Pose, seed: &JointVector) -> Option<JointVector> {
        let mut found = None;
        self.candidates(x_base_flange, seed, &mut |q| {
            found = self.nearest_turn(q, seed, &Wish::FREE);
            found.is_none()
        });
        found
    }

    /// Calls `visit` with every solution within the limits, each branch with every turn its joints allow, until it
    /// answers false. The search visits what it finds, which need not be all.
    pub fn each(&self, x_base_flange: &Pose, seed: &JointVector, visit: &mut dyn FnMut(&Solution) -> bool) {
        let mut seen = [JointVector::zeros(0); 32];
        let mut count = 0;
        self.candidates(x_base_flange, seed, &mut |q| {
            let is_known = seen.iter().take(count).any(|other| self.whole_turns_apart(q, other) < SAME);
            if is_known {
                return true;
            }
            if let Some(place) = seen.get_mut(count) {
                *place = *q;
                count += 1;
            }
            let configuration = self.configuration(q);
            self.each_turn(q, &mut |q| visit(&Solution { q: *q, configuration })) && count < seen.len()
        });
    }

    /// As [`each`](Self::each) of an arm with a spherical shoulder, at one arm angle, rad: every branch and turn.
    pub fn each_at_arm_angle(
        &self,
        x_base_flange: &Pose,
        arm_angle: f64,
        seed: &JointVector,
        visit: &mut dyn FnMut(&Solution) -> bool,
    ) {
        let Some(shoulder) = &self.shoulder else { return };
        let mut goes_on = true;
        self.each_branch(shoulder, x_base_flange, arm_angle, seed, &mut |branch, q| {
            let configuration = Some(branch);
            goes_on = goes_on && self.each_turn(q, &mut |q| visit(&Solution { q: *q, configuration }));
        });
    }

    /// Calls `visit` with joint positions that reach the pose, whole turns left open, until it answers false.
    fn candidates(
        &self,
        x_base_flange: &Pose,
        seed: &JointVector,
        visit: &mut dyn FnMut(&JointVector) -> bool,
    ) {
        if !seed.is_finite() {
            return;
        }
        if let Some(closed) = &self.closed {
            let branches = closed.branches(&self.chain, x_base_flange, seed);
            let _all = branches.iter().all(|q| visit(&q));
            return;
        }
        let mut found = 0;
        for attempt in 0..self.search.attempts_max {
            let start = if attempt == 0 {
                JointVector::from_fn(self.chain.joint_count(), |joint| seed.get(joint))
            } else {
                self.spread.point(&self.chain, &self.limits, seed, attempt)
            };
            let result = inverse_from_seed(&self.chain, x_base_flange, &start, &self.search.attempt);
            let InverseResult::Converged { q, .. } = result else { continue };
            if self.nearest_turn(&q, seed, &Wish::FREE).is_none() {
                continue;
            }
            found += 1;
            if !visit(&q) || found >= self.search.solutions_max {
                return;
            }
        }
    }

    /// Where attempt `attempt` of a search starts: the seed first, then points that fill the joint ranges.
    pub(super) fn start_of_attempt(&self, seed: &JointVector, attempt: u16) -> JointVector {
        if attempt == 0 { *seed } else { self.spread.point(&self.chain, &self.limits, seed, attempt) }
    }

    /// `q` with whole turns added so that it is within the limits, grants the wish and is nearest to `seed`.
    pub(super) fn nearest_turn(
        &self,
        q: &JointVector,
        seed: &JointVector,
        wish: &Wish,
    ) -> Option<JointVector> {
        let mut turned = *q;
        for (joint, limit) in self.limits.as_slice().iter().enumerate() {
            let value = q.get(joint);
            if !self.chain.is_same_after_a_turn(joint) {
                if value < limit.position_min || value > limit.position_max {
                    return None;
                }
                continue;
            }
            let near = seed.get(joint).clamp(limit.position_min, limit.position_max);
            let closest = value + ((near - value) / TAU).round() * TAU;
            let is_good = |candidate: f64| {
                candidate >= limit.position_min
                    && candidate <= limit.position_max
                    && wish.allows_turn(joint, candidate, seed)
            };
            // Turns asked for may be far away; those within the limits are few, and a bound stands beside.
            let candidate = (0..=256_u16).find_map(|step| {
                let by = f64::from(step.div_ceil(2)) * if step % 2 == 0 { -TAU } else { TAU };
                Some(closest + by).filter(|candidate| is_good(*candidate))
            })?;
            turned.set(joint, candidate);
        }
        Some(turned)
    }

    /// Calls `visit` with `q` in every turn the limits allow; false when it said so.
    fn each_turn(&self, q: &JointVector, visit: &mut dyn FnMut(&JointVector) -> bool) -> bool {
        let mut lowest = *q;
        let mut turns = [1_u32; MAX_JOINTS];
        for (joint, limit) in self.limits.as_slice().iter().enumerate() {
            let value = q.get(joint);
            let is_revolute = self.chain.joint_kind(joint) == Some(JointKind::Revolute);
            if is_revolute && self.chain.is_same_after_a_turn(joint) {
                let first = value + ((limit.position_min - value) / TAU).ceil() * TAU;
                let room = ((limit.position_max - first) / TAU).floor();
                if room < 0.0 {
                    return true;
                }
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
                let count = room.min(15.0) as u32 + 1;
                turns[joint] = count;
                lowest.set(joint, first);
            } else if value < limit.position_min || value > limit.position_max {
                return true;
            }
        }
        let total: u32 = turns.iter().product::<u32>().min(4096);
        (0..total).all(|mut index| {
            let mut turned = lowest;
            for (joint, count) in turns.iter().enumerate().take(q.len()) {
                turned.set(joint, lowest.get(joint) + f64::from(index % count) * TAU);
                index /= count;
            }
            visit(&turned)
        })
    }

    fn whole_turns_apart(&self, a: &JointVector, b: &JointVector) -> f64 {
        (0..a.len()).fold(0.0, |largest: f64, joint| {
            let gap = a.get(joint) - b.get(joint);
            let turning = self.chain.is_same_after_a_turn(joint);
            largest.max(if turning { gap - (gap / TAU).round() * TAU } else { gap }.abs())
        })
    }
}
