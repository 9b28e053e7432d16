//! Inverse dynamics by the recursive Newton-Euler algorithm, in the frames of the links.
//!
//! Source: Luh, Walker, Paul 1980; Featherstone 2008, chapter 5. Gravity enters as an acceleration of the base.
//! With S = [α]× + [ω]×[ω]× of a link and its moments m, h = ∫ r dm, J = ∫ r rᵀ dm, the force on a link is
//! m a + S h and the torque about its origin is h × a + the skew part of S J: no term is computed twice.

use nalgebra::Vector3;

use super::ArmDynamics;
use super::model::Segment;
use crate::joints::{JointVector, MAX_JOINTS};
use crate::kinematics::chain::for_width;
use crate::kinematics::instructions::compiled_for_each;
use crate::kinematics::lanes::{Eight, fma, sin_cos};

compiled_for_each!(
    four lanes: fn torques(
        arm: &ArmDynamics, q: &JointVector, qd: &JointVector, qdd: &JointVector, lift: &Vector3<f64>
    ) -> JointVector,
    newton_euler
);
compiled_for_each!(four lanes: fn sines_and_cosines(angles: &[Eight; 2]) -> [(Eight, Eight); 2], both);

#[inline(always)]
fn both<const FUSED: bool>(angles: &[Eight; 2]) -> [(Eight, Eight); 2] {
    // Not `map`: its closure would be compiled for the baseline.
    [sin_cos::<FUSED>(angles[0]), sin_cos::<FUSED>(angles[1])]
}

/// Rotation from the frame before to a link's: sines and cosines of twist and joint angle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    twist: (f64, f64),
    joint: (f64, f64),
}

impl Turn {
    /// A vector in the axes of the frame before, in those of the link.
    #[inline(always)]
    pub(super) fn inward(&self, v: &Vector3<f64>) -> Vector3<f64> {
        let (st, ct) = self.twist;
        let (s, c) = self.joint;
        let y = ct * v.y + st * v.z;
        let z = ct * v.z - st * v.y;
        Vector3::new(c * v.x + s * y, c * y - s * v.x, z)
    }

    /// A vector in the axes of the link, in those of the frame before.
    #[inline(always)]
    pub(super) fn outward(&self, v: &Vector3<f64>) -> Vector3<f64> {
        let (st, ct) = self.twist;
        let (s, c) = self.joint;
        let x = c * v.x - s * v.y;
        let y = s * v.x + c * v.y;
        Vector3::new(x, ct * y - st * v.z, st * y + ct * v.z)
    }
}

/// Where the links stand: the turn and the offset of each joint at one q.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posture {
    pub(super) turns: [Turn; MAX_JOINTS],
    pub(super) offsets: [Vector3<f64>; MAX_JOINTS],
}

impl ArmDynamics {
    /// Turns and offsets at `q`.
    pub(super) fn posture(&self, q: &JointVector) -> Posture {
        let still = Turn { twist: (0.0, 1.0), joint: (0.0, 1.0) };
        let mut posture = Posture { turns: [still; MAX_JOINTS], offsets: [Vector3::zeros(); MAX_JOINTS] };
        let turned = sines_and_cosines(self.instructions, &self.angles.at(q));
        for (joint, segment) in self.segments.iter().enumerate().take(self.count) {
            let (sines, cosines) = &turned[joint / 8];
            posture.turns[joint] =
                Turn { twist: segment.twist, joint: (sines.0[joint % 8], cosines.0[joint % 8]) };
            posture.offsets[joint] = offset_at(segment, q.get(joint)).into();
        }
        posture
    }

    /// Torques (N m or N) of links and payload for the motion `q`, `qd`, `qdd`, without friction and motors.
    ///
    /// Values that are not finite give torques that are not finite.
    /// # Real-time
    /// No allocation; two passes over the joints.
    #[must_use]
    pub fn rigid_body_torques(&self, q: &JointVector, qd: &JointVector, qdd: &JointVector) -> JointVector {
        torques(self.instructions, self, q, qd, qdd, &self.lift)
    }

    /// Torques (N m or N) that hold links and payload at rest against gravity at `q`.
    ///
    /// # Real-time
    /// No allocation; two passes over the joints.
    #[must_use]
    pub fn gravity_torques(&self, q: &JointVector) -> JointVector {
        let still = JointVector::zeros(self.count);
        torques(self.instructions, self, q, &still, &still, &self.lift)
    }

    /// Coriolis and centrifugal torques C(q, q̇) q̇ of links and payload, N m or N.
    ///
    /// # Real-time
    /// No allocation; two passes over the joints.
    #[must_use]
    pub fn coriolis_torques(&self, q: &JointVector, qd: &JointVector) -> JointVector {
        torques(self.instructions, self, q, qd, &JointVector::zeros(self.count), &Vector3::zeros())
    }
}

/// What is added to `q` for the turns about z, and for which joints `q` is a turn; a lane a joint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Angles {
    constant: [Eight; 2],
    turns: [Eight; 2],
}

impl Angles {
    pub(super) const NONE: Self = Self { constant: [Eight::ZERO; 2], turns: [Eight::ZERO; 2] };

    pub(super) fn set(&mut self, joint: usize, segment: &Segment) {
        self.constant[joint / 8].0[joint % 8] = segment.angle;
        self.turns[joint / 8].0[joint % 8] = f64::from(u8::from(!segment.is_prismatic));
    }

    #[inline(always)]
    fn at(&self, q: &JointVector) -> [Eight; 2] {
        let values = q.as_padded();
        let q = [Eight::of(values), Eight::of(&values[8..])];
        [self.constant[0] + q[0] * self.turns[0], self.constant[1] + q[1] * self.turns[1]]
    }
}

/// Where the origin of a link is in the frame before: a sliding joint moves along z of the link, which is the third
/// column of the twist.
#[inline(always)]
fn offset_at(segment: &Segment, q: f64) -> [f64; 3] {
    let [x, y, z] = segment.offset.into();
    if segment.is_prismatic { [x, y - segment.twist.0 * q, z + segment.twist.1 * q] } else { [x, y, z] }
}

/// The algorithm itself; `lift` is the acceleration of the frame the first segment begins in.
#[inline(always)]
fn newton_euler<const FUSED: bool>(
    arm: &ArmDynamics,
    q: &JointVector,
    qd: &JointVector,
    qdd: &JointVector,
    lift: &Vector3<f64>,
) -> JointVector {
    let angles = arm.angles.at(q);
    let mut torques = [0.0; MAX_JOINTS];
    for_width!(arm.width, N => {
        pass::<FUSED, N>(&arm.segments, &angles, [q.as_padded(), qd.as_padded(), qdd.as_padded()], (*lift).into(), &mut torques);
    });
    JointVector::from_padded(&torques, arm.count)
}

/// From the base to the last of `N` links with motion, and back with forces.
#[inline(always)]
fn pass<const FUSED: bool, const N: usize>(
    segments: &[Segment; MAX_JOINTS],
    angles: &[Eight; 2],
    [q, qd, qdd]: [&[f64; MAX_JOINTS]; 3],
    lift: V,
    torques: &mut [f64; MAX_JOINTS],
) {
    let mut turned = sin_cos::<FUSED>(angles[0]);
    let mut steps = [Step { twist: (0.0, 1.0), joint: (0.0, 1.0), offset: [0.0; 3] }; N];
    let mut forces = [[0.0; 3]; N];
    let mut moments = [[0.0; 3]; N];
    // Angular speed, its change, acceleration of the origin, and S of the frame before.
    let (mut w, mut al, mut a, mut s) = ([0.0; 3], [0.0; 3], lift, [[0.0; 3]; 3]);
    for joint in 0..N {
        if joint == 8 {
            turned = sin_cos::<FUSED>(angles[1]);
        }
        let segment = &segments[joint];
        let (speed, acceleration) = (qd[joint], qdd[joint]);
        let step = Step {
            twist: segment.twist,
            joint: (turned.0.0[joint % 8], turned.1.0[joint % 8]),
            offset: offset_at(segment, q[joint]),
        };
        a = step.inward::<FUSED>(times_plus::<FUSED>(&s, step.offset, a));
        w = step.inward::<FUSED>(w);
        al = step.inward::<FUSED>(al);
        if segment.is_prismatic {
            a = [
                fma::<FUSED>(2.0 * w[1], speed, a[0]),
                fma::<FUSED>(-2.0 * w[0], speed, a[1]),
                a[2] + acceleration,
            ];
        } else {
            al = [fma::<FUSED>(w[1], speed, al[0]), fma::<FUSED>(-w[0], speed, al[1]), al[2] + acceleration];
            w[2] += speed;
        }
        s = turning::<FUSED>(w, al);
        let inertia = &segment.inertia;
        let first: V = inertia.moment.into();
        let mass = inertia.mass;
        forces[joint] = times_plus::<FUSED>(&s, first, [a[0] * mass, a[1] * mass, a[2] * mass]);
        moments[joint] = cross_plus::<FUSED>(first, a, skew_part::<FUSED>(&s, &inertia.second));
        steps[joint] = step;
    }
    let (mut force, mut moment) = ([0.0; 3], [0.0; 3]);
    for joint in (0..N).rev() {
        force = plus(force, forces[joint]);
        moment = plus(moment, moments[joint]);
        torques[joint] = if segments[joint].is_prismatic { force[2] } else { moment[2] };
        let step = &steps[joint];
        force = step.outward::<FUSED>(force);
        moment = cross_plus::<FUSED>(step.offset, force, step.outward::<FUSED>(moment));
    }
}

/// A vector in space.
type V = [f64; 3];

/// Turn and shift from the frame before to a link's.
#[derive(Clone, Copy)]
struct Step {
    twist: (f64, f64),
    joint: (f64, f64),
    offset: V,
}

impl Step {
    /// A vector in the axes of the frame before, in those of the link.
    #[inline(always)]
    fn inward<const FUSED: bool>(&self, v: V) -> V {
        let ((st, ct), (s, c)) = (self.twist, self.joint);
        let y = fma::<FUSED>(st, v[2], ct * v[1]);
        let z = fma::<FUSED>(-st, v[1], ct * v[2]);
        [fma::<FUSED>(s, y, c * v[0]), fma::<FUSED>(c, y, -(s * v[0])), z]
    }

    /// A vector in the axes of the link, in those of the frame before.
    #[inline(always)]
    fn outward<const FUSED: bool>(&self, v: V) -> V {
        let ((st, ct), (s, c)) = (self.twist, self.joint);
        let x = fma::<FUSED>(c, v[0], -(s * v[1]));
        let y = fma::<FUSED>(s, v[0], c * v[1]);
        [x, fma::<FUSED>(ct, y, -(st * v[2])), fma::<FUSED>(st, y, ct * v[2])]
    }
}

#[inline(always)]
fn plus(a: V, b: V) -> V {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// M v + addend, M by rows.
#[inline(always)]
fn times_plus<const FUSED: bool>(m: &[V; 3], v: V, addend: V) -> V {
    let mut result = addend;
    for (entry, row) in result.iter_mut().zip(m) {
        *entry = fma::<FUSED>(row[0], v[0], fma::<FUSED>(row[1], v[1], fma::<FUSED>(row[2], v[2], *entry)));
    }
    result
}

/// a × b + addend.
#[inline(always)]
fn cross_plus<const FUSED: bool>(a: V, b: V, addend: V) -> V {
    [
        fma::<FUSED>(a[1], b[2], fma::<FUSED>(-a[2], b[1], addend[0])),
        fma::<FUSED>(a[2], b[0], fma::<FUSED>(-a[0], b[2], addend[1])),
        fma::<FUSED>(a[0], b[1], fma::<FUSED>(-a[1], b[0], addend[2])),
    ]
}

/// S = [α]× + [ω]×[ω]×, by rows.
#[inline(always)]
fn turning<const FUSED: bool>(w: V, al: V) -> [V; 3] {
    let (xx, yy, zz) = (w[0] * w[0], w[1] * w[1], w[2] * w[2]);
    let above = |sum: f64| fma::<FUSED>(w[0], w[1], sum);
    [
        [-yy - zz, above(-al[2]), fma::<FUSED>(w[0], w[2], al[1])],
        [above(al[2]), -xx - zz, fma::<FUSED>(w[1], w[2], -al[0])],
        [fma::<FUSED>(w[0], w[2], -al[1]), fma::<FUSED>(w[1], w[2], al[0]), -xx - yy],
    ]
}

/// ∫ r × (S r) dm with J = ∫ r rᵀ dm: the skew part of S J.
#[inline(always)]
fn skew_part<const FUSED: bool>(s: &[V; 3], j: &nalgebra::Matrix3<f64>) -> V {
    let columns: [V; 3] = j.data.0;
    // Entry (row, column) of S J; J is symmetric.
    let entry = |row: usize, column: usize, from: f64| {
        let (r, c) = (&s[row], &columns[column]);
        fma::<FUSED>(r[0], c[0], fma::<FUSED>(r[1], c[1], fma::<FUSED>(r[2], c[2], from)))
    };
    [entry(2, 1, -entry(1, 2, 0.0)), entry(0, 2, -entry(2, 0, 0.0)), entry(1, 0, -entry(0, 1, 0.0))]
}
