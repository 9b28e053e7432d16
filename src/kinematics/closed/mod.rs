//! Inverse kinematics in closed form, all branches at once, for six-joint arms whose last three axes meet in a
//! point (spherical wrist, offsets included) and for those with three parallel axes.
//!
//! The class is found from the axes alone. Real descriptions are only almost special: the nearest special geometry
//! is solved, each branch is then polished on the true chain by Newton steps, and what is missing at the end is
//! checked. A class counts as found only after it returned known joint positions of this very chain.
//! Sources: Pieper 1968 (three axes through a point); Hawkins 2013 (three parallel axes).

mod kernel;

use nalgebra::Vector3;

use super::chain::{Axes, Axis, Chain, Frame, JointKind, Layout, Step, lay_out};
use super::configuration::{Configuration, Elbow, Shoulder, Wrist};
use super::inverse::{InverseResult, InverseSettings, Target, inverse_of_target};
use super::lanes::{Eight, Four};
use crate::geometry::Pose;
use crate::joints::{JointVector, MAX_JOINTS};
use kernel::Lanes;

/// What makes an arm solvable in closed form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Axes 4, 5 and 6 meet in a point; axes 2 and 3 are parallel.
    SphericalWrist,
    /// Axes 2, 3 and 4 are parallel; axes 5 and 6 meet.
    ThreeParallel,
}

/// How far an arm may be from special, m and rad; the polish has to make up for it.
const NEARLY_M: f64 = 5e-3;
const NEARLY_RAD: f64 = 0.02;
/// Sine of an angle between axes that must not be parallel.
const SINE_MIN: f64 = 0.1;
/// Shortest link, m.
const LINK_MIN_M: f64 = 1e-3;

/// Without polish a branch may miss the pose by this much (m and rad).
const ROUNDING: f64 = 1e-13;
/// What a polished branch may miss, m and rad. At singular poses the last digits are not reached.
const ENOUGH: f64 = 1e-9;
/// Farthest a polish may move a joint, rad; beyond it the branch is another one.
const POLISH_MAX_RAD: f64 = 0.3;

const POLISH: InverseSettings = InverseSettings {
    position_tolerance_m: 1e-13,
    orientation_tolerance_rad: 1e-13,
    iterations_max: 12,
    step_max: 0.1,
};

/// The special geometry of an arm.
#[derive(Clone, Copy, Debug)]
struct Geometry {
    class: Class,
    steps: [Step; 6],
    /// What is added to each joint position.
    theta: Eight,
    /// From the base frame to the frame of joint 1.
    x_first_base: Axes,
    /// From the flange to the frame behind the turn of joint 6.
    x_flange_last: Axes,
    /// Distance of the point that joint 1 to 3 must place from the frame of joint 2, along axis 2, m.
    height: f64,
    /// Distance from axis 3 to the wrist's centre, m, and the angle (sine, cosine) to it. Spherical wrist only.
    forearm: f64,
    forearm_turn: (f64, f64),
}

/// A wanted orientation (columns) and position in the frame of joint 1.
#[derive(Clone, Copy, Debug)]
struct Seen {
    x: [f64; 3],
    y: [f64; 3],
    z: [f64; 3],
    p: [f64; 3],
}

impl Geometry {
    /// The frame behind the turn of joint 6 at a wanted flange, in the frame of joint 1.
    #[inline(always)]
    fn seen_from_first<const FUSED: bool>(&self, flange: &Axes) -> Seen {
        let last = self.x_first_base.times::<FUSED>(&flange.times::<FUSED>(&self.x_flange_last));
        let numbers = |v: Four| [v.0[0], v.0[1], v.0[2]];
        Seen { x: numbers(last.x), y: numbers(last.y), z: numbers(last.z), p: numbers(last.p) }
    }

    /// The constants of laid-out special axes; `None` when they are not special enough to divide by.
    fn of(class: Class, layout: &Layout, flange: &Frame) -> Option<Self> {
        let Layout { base, steps, behind, .. } = layout;
        let [s1, s2, s3, s4, s5, s6, ..] = *steps;
        let has_room = |step: &Step| step.sin_alpha.abs() > SINE_MIN;
        let flat = |step: &Step| step.sin_alpha == 0.0 && step.a.abs() > LINK_MIN_M;
        let no_side = [s1, s2, s3, s4, s5].iter().all(|step| step.b.abs() < ROUNDING);
        if !(no_side && has_room(&s1) && flat(&s2) && has_room(&s4) && has_room(&s5)) {
            return None;
        }
        let (height, forearm, forearm_turn) = match class {
            Class::SphericalWrist => {
                let (x, y) = (s3.a, -s2.cos_alpha * s3.sin_alpha * s4.d);
                let length = x.hypot(y);
                let is_point = [s4.a, s5.a, s5.d].iter().all(|value| value.abs() < ROUNDING);
                if length < LINK_MIN_M || !is_point {
                    return None;
                }
                (s2.d + s2.cos_alpha * (s3.d + s3.cos_alpha * s4.d), length, (y / length, x / length))
            }
            Class::ThreeParallel => {
                if !flat(&s3) || s5.a.abs() > ROUNDING {
                    return None;
                }
                let (sign2, sign3) = (s2.cos_alpha, s2.cos_alpha * s3.cos_alpha);
                (s2.d + sign2 * s3.d + sign3 * (s4.d + s4.cos_alpha * s5.d), 0.0, (0.0, 1.0))
            }
        };
        let turn = nalgebra::Rotation3::from_axis_angle(&Vector3::z_axis(), s6.theta).into_inner();
        let last = behind.get(4)?.times(&Frame { rotation: turn, translation: Vector3::zeros() });
        Some(Self {
            class,
            steps: [s1, s2, s3, s4, s5, s6],
            theta: Eight([s1.theta, s2.theta, s3.theta, s4.theta, s5.theta, s6.theta, 0.0, 0.0]),
            x_first_base: Axes::of(&base.inverse()),
            x_flange_last: Axes::of(&flange.inverse().times(&last)),
            height,
            forearm,
            forearm_turn,
        })
    }
}

/// A closed form found for a chain and proven on it.
#[derive(Clone, Copy, Debug)]
pub struct ClosedForm {
    geometry: Geometry,
    /// Whether the special geometry is that of the chain to the last digits.
    is_exact: bool,
    /// 1 where the frame of joint 2 faces the base's x at q1 = 0, otherwise -1.
    front: f64,
    /// 1 where axis 1 points along the base's z, otherwise -1.
    up: f64,
}

/// All branches that reach a pose: at most eight.
#[derive(Clone, Copy, Debug)]
pub struct Branches(Lanes);

impl Branches {
    /// The branches, joint positions in -π..=π.
    pub fn iter(&self) -> impl Iterator<Item = JointVector> + '_ {
        (0..8).filter(|lane| self.0.exists >> lane & 1 == 1).map(|lane| self.0.joints(lane))
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.exists.count_ones() as usize
    }

    /// True when the pose is out of reach.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.exists == 0
    }
}

impl Lanes {
    /// Joint positions of one branch.
    fn joints(&self, lane: usize) -> JointVector {
        let mut values = [0.0; MAX_JOINTS];
        for (value, lanes) in values.iter_mut().zip(&self.q) {
            *value = lanes.0.get(lane).copied().unwrap_or(0.0);
        }
        JointVector::from_padded(&values, 6)
    }
}

impl ClosedForm {
    /// The closed form of `chain`, if it has one.
    ///
    /// Not for the cycle: solves some hundred poses to prove it.
    #[must_use]
    pub fn find(chain: &Chain) -> Option<Self> {
        let (axes, flange) = chain.axes()?;
        let axes: &[Axis; 6] = axes.first_chunk()?;
        let turns =
            |joint| matches!(chain.joint_kind(joint), Some(JointKind::Revolute | JointKind::Continuous));
        if chain.joint_count() != 6 || !(0..6).all(turns) {
            return None;
        }
        [spherical_wrist(axes), three_parallel(axes)].into_iter().flatten().find_map(|(class, special)| {
            let layout = lay_out(&special, &flange);
            let geometry = Geometry::of(class, &layout, &flange)?;
            let faces = layout.behind.first().map_or(1.0, |frame| frame.rotation[(0, 0)]);
            let rises = layout.base.rotation[(2, 2)];
            let mut found = Self {
                geometry,
                is_exact: true,
                front: if faces < -0.1 { -1.0 } else { 1.0 },
                up: if rises < 0.0 { -1.0 } else { 1.0 },
            };
            found.is_exact = samples().all(|q| found.worst_miss(chain, &q) < ROUNDING);
            found.is_proven_on(chain).then_some(found)
        })
    }

    /// Which class it is.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.geometry.class
    }

    /// Whether the arm is of this class to the last digits; otherwise each branch is polished on the true chain.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        self.is_exact
    }

    /// All branches of `chain` that reach `x_base_flange`, joint positions in -π..=π; limits are not looked at.
    ///
    /// `chain` must be the one this was found for. Where a singular pose leaves an angle free (joint 1 with the
    /// wrist above it, joint 4 with the wrist stretched, joint 6 of three parallel axes likewise), that of
    /// `reference` is taken. Each branch meets the pose within 1e-12 m and rad, at singular poses within 1e-9.
    /// # Real-time
    /// No allocation; one pass for all branches, and for arms that are almost special at most 12 Newton steps each.
    #[must_use]
    pub fn branches(&self, chain: &Chain, x_base_flange: &Pose, reference: &JointVector) -> Branches {
        let target = Target::new(x_base_flange);
        let mut lanes = kernel::branches(chain.instructions(), &self.geometry, &target.axes, reference);
        let rough = lanes.exists & if self.is_exact { !lanes.is_exact } else { u8::MAX };
        if rough != 0 {
            polish(chain, &target, &mut lanes, rough);
        }
        Branches(lanes)
    }

    /// The branch `q` is on. At a singular pose, where two meet, the first of the two names.
    ///
    /// # Real-time
    /// No allocation; one pass over the joints.
    #[must_use]
    pub fn configuration(&self, chain: &Chain, q: &JointVector) -> Configuration {
        let geometry = &self.geometry;
        let [s1, s2, s3, _, s5, _] = &geometry.steps;
        let seen = geometry.seen_from_first::<false>(&Target::new(&chain.forward(q)).axes);
        let (sine, cosine) = (q.get(0) + s1.theta).sin_cos();
        let forward = cosine * seen.p[0] + sine * seen.p[1];
        let (forearm_sine, forearm_cosine) = geometry.forearm_turn;
        let (sine, cosine) = (s2.cos_alpha * (q.get(2) + s3.theta)).sin_cos();
        let bend = sine * forearm_cosine + cosine * forearm_sine;
        let straight = if s5.theta.cos() < -0.1 { -1.0 } else { 1.0 };
        let wrist = straight * (q.get(4) + s5.theta).sin();
        // Behind the shoulder the elbow plane is seen from its other side.
        let side = if forward < 0.0 { -1.0 } else { 1.0 };
        let lift = -bend * side * s1.sin_alpha * self.up;
        Configuration {
            shoulder: if forward * self.front < 0.0 { Shoulder::Back } else { Shoulder::Front },
            elbow: if lift < 0.0 { Elbow::Down } else { Elbow::Up },
            wrist: if wrist < 0.0 { Wrist::Flip } else { Wrist::NoFlip },
        }
    }

    /// The largest distance or angle by which the special geometry misses the chain at `q`.
    fn worst_miss(&self, chain: &Chain, q: &JointVector) -> f64 {
        let pose = chain.forward(q);
        let target = Target::new(&pose);
        let lanes = kernel::branches(chain.instructions(), &self.geometry, &target.axes, q);
        Branches(lanes)
            .iter()
            .map(|q| {
                let gap = crate::geometry::displacement(&chain.forward(&q), &pose);
                gap.linear.norm().max(gap.angular.norm())
            })
            .fold(0.0, f64::max)
    }

    /// Whether known joint positions come back among the branches, which are all solutions.
    fn is_proven_on(&self, chain: &Chain) -> bool {
        samples().all(|q| {
            let branches = self.branches(chain, &chain.forward(&q), &q);
            branches.iter().any(|found| turned_apart(&found, &q) < 1e-6)
        })
    }
}

/// Makes the branches of the bits `rough` exact on the true chain; one that does not stay what it is ceases to exist.
#[inline(never)]
fn polish(chain: &Chain, target: &Target, lanes: &mut Lanes, rough: u8) {
    for lane in (0..8).filter(|lane| rough >> lane & 1 == 1) {
        let q = lanes.joints(lane);
        if let Some(polished) = polished(chain, target, &q) {
            for (lanes, value) in lanes.q.iter_mut().zip(polished.iter()) {
                lanes.0[lane] = value;
            }
        } else {
            lanes.exists &= !(1 << lane);
        }
    }
}

/// A branch made exact on the true chain, if it stays the same branch.
fn polished(chain: &Chain, target: &Target, q: &JointVector) -> Option<JointVector> {
    let polished = match inverse_of_target(chain, target, q, &POLISH) {
        InverseResult::Converged { q, .. } => q,
        InverseResult::NotConverged { q, position_error_m, orientation_error_rad }
            if position_error_m <= ENOUGH && orientation_error_rad <= ENOUGH =>
        {
            q
        }
        InverseResult::NotConverged { .. } => return None,
    };
    (turned_apart(&polished, q) <= POLISH_MAX_RAD).then_some(polished)
}

/// Largest difference of two joint positions, whole turns left out.
fn turned_apart(a: &JointVector, b: &JointVector) -> f64 {
    use std::f64::consts::TAU;
    (*a - *b).map(|gap| gap - (gap / TAU).round() * TAU).max_abs()
}

/// Joint positions for the proof: a fixed sequence that fills ±π evenly and meets no singular pose.
fn samples() -> impl Iterator<Item = JointVector> {
    const SHARES: [f64; 6] = [0.862_1, 0.743_2, 0.640_7, 0.552_3, 0.476_2, 0.410_5];
    (1..=32_u8).map(|index| {
        JointVector::from_fn(6, |joint| {
            let share = SHARES.get(joint).copied().unwrap_or(0.5);
            std::f64::consts::PI * (2.0 * (0.5 + f64::from(index) * share).fract() - 1.0)
        })
    })
}

/// The axes with 4, 5 and 6 through one point and 3 parallel to 2, when they nearly are.
fn spherical_wrist(axes: &[Axis; 6]) -> Option<(Class, [Axis; 6])> {
    let mut special = *axes;
    // The point nearest to the three lines: each takes away the part along itself.
    let mut matrix = nalgebra::Matrix3::zeros();
    let mut right = Vector3::zeros();
    for axis in &axes[3..] {
        let across = nalgebra::Matrix3::identity() - axis.direction * axis.direction.transpose();
        matrix += across;
        right += across * axis.point;
    }
    let centre = matrix.try_inverse()? * right;
    for axis in &mut special[3..] {
        let from = axis.point - centre;
        if (from - axis.direction * axis.direction.dot(&from)).norm() > NEARLY_M {
            return None;
        }
        axis.point = centre;
    }
    make_parallel(&mut special, 1, 2)?;
    Some((Class::SphericalWrist, special))
}

/// The axes with 3 and 4 parallel to 2 and 6 through 5, when they nearly are.
fn three_parallel(axes: &[Axis; 6]) -> Option<(Class, [Axis; 6])> {
    let mut special = *axes;
    make_parallel(&mut special, 1, 2)?;
    make_parallel(&mut special, 1, 3)?;
    let (fifth, sixth) = (&axes[4], &axes[5]);
    let normal = fifth.direction.cross(&sixth.direction);
    if normal.norm() < SINE_MIN {
        return None;
    }
    let normal = normal.normalize();
    let apart = normal.dot(&(sixth.point - fifth.point));
    if apart.abs() > NEARLY_M {
        return None;
    }
    special[5].point -= normal * apart;
    Some((Class::ThreeParallel, special))
}

/// Gives `other` the direction of `first`, when it nearly has it.
fn make_parallel(axes: &mut [Axis; 6], first: usize, other: usize) -> Option<()> {
    let (direction, is) = (axes[first].direction, axes[other].direction);
    if direction.cross(&is).norm() > NEARLY_RAD {
        return None;
    }
    axes[other].direction = direction * direction.dot(&is).signum();
    Some(())
}

#[cfg(test)]
mod tests;
