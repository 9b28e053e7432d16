//! Inverse dynamics by the recursive Newton-Euler algorithm, in the frames of the links.
//!
//! Source: Luh, Walker, Paul 1980; Featherstone 2008, chapter 5. Gravity enters as an acceleration of the base.
//! With S = [α]× + [ω]×[ω]× of a link and its moments m, h = ∫ r dm, J = ∫ r rᵀ dm, the force on a link is
//! m a + S h and the torque about its origin is h × a + the skew part of S J: no term is computed twice.

use nalgebra::{Matrix3, Vector3};

use super::ArmDynamics;
use crate::joints::{JointVector, MAX_JOINTS};

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
    #[inline(always)]
    pub(super) fn posture(&self, q: &JointVector) -> Posture {
        let still = Turn { twist: (0.0, 1.0), joint: (0.0, 1.0) };
        let mut posture = Posture { turns: [still; MAX_JOINTS], offsets: [Vector3::zeros(); MAX_JOINTS] };
        for (joint, segment) in self.segments.iter().enumerate().take(self.count) {
            let value = q.get(joint);
            let mut offset = segment.offset;
            let angle = if segment.is_prismatic {
                // Along z of the link, which is the third column of the twist.
                offset.y -= segment.twist.0 * value;
                offset.z += segment.twist.1 * value;
                segment.angle
            } else {
                segment.angle + value
            };
            posture.turns[joint] = Turn { twist: segment.twist, joint: angle.sin_cos() };
            posture.offsets[joint] = offset;
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
        self.newton_euler(&self.posture(q), qd, qdd, &self.lift)
    }

    /// Torques (N m or N) that hold links and payload at rest against gravity at `q`.
    ///
    /// # Real-time
    /// No allocation; two passes over the joints.
    #[must_use]
    pub fn gravity_torques(&self, q: &JointVector) -> JointVector {
        let still = JointVector::zeros(self.count);
        self.newton_euler(&self.posture(q), &still, &still, &self.lift)
    }

    /// Coriolis and centrifugal torques C(q, q̇) q̇ of links and payload, N m or N.
    ///
    /// # Real-time
    /// No allocation; two passes over the joints.
    #[must_use]
    pub fn coriolis_torques(&self, q: &JointVector, qd: &JointVector) -> JointVector {
        self.newton_euler(&self.posture(q), qd, &JointVector::zeros(self.count), &Vector3::zeros())
    }

    /// The algorithm itself; `lift` is the acceleration of the frame the first segment begins in.
    #[inline(always)]
    pub(super) fn newton_euler(
        &self,
        posture: &Posture,
        qd: &JointVector,
        qdd: &JointVector,
        lift: &Vector3<f64>,
    ) -> JointVector {
        let mut forces = [Vector3::zeros(); MAX_JOINTS];
        let mut moments = [Vector3::zeros(); MAX_JOINTS];
        // Angular speed, acceleration of the origin, and S of the frame before.
        let (mut w, mut al, mut a, mut s) = (Vector3::zeros(), Vector3::zeros(), *lift, Matrix3::zeros());
        for joint in 0..self.count {
            let segment = &self.segments[joint];
            let turn = &posture.turns[joint];
            let (speed, acceleration) = (qd.get(joint), qdd.get(joint));
            a = turn.inward(&(a + s * posture.offsets[joint]));
            w = turn.inward(&w);
            al = turn.inward(&al);
            if segment.is_prismatic {
                a += Vector3::new(2.0 * w.y * speed, -2.0 * w.x * speed, acceleration);
            } else {
                al += Vector3::new(w.y * speed, -w.x * speed, acceleration);
                w.z += speed;
            }
            s = turning(&w, &al);
            let inertia = &segment.inertia;
            forces[joint] = a * inertia.mass + s * inertia.moment;
            moments[joint] = skew_part(&s, &inertia.second) + inertia.moment.cross(&a);
        }
        let mut torques = JointVector::zeros(self.count);
        let (mut force, mut moment) = (Vector3::zeros(), Vector3::zeros());
        for joint in (0..self.count).rev() {
            force += forces[joint];
            moment += moments[joint];
            let torque = if self.segments[joint].is_prismatic { force.z } else { moment.z };
            torques.set(joint, torque);
            force = posture.turns[joint].outward(&force);
            moment = posture.turns[joint].outward(&moment) + posture.offsets[joint].cross(&force);
        }
        torques
    }
}

/// S = [α]× + [ω]×[ω]×.
#[inline(always)]
fn turning(w: &Vector3<f64>, al: &Vector3<f64>) -> Matrix3<f64> {
    let (xx, yy, zz) = (w.x * w.x, w.y * w.y, w.z * w.z);
    let (xy, xz, yz) = (w.x * w.y, w.x * w.z, w.y * w.z);
    Matrix3::new(
        -yy - zz,
        xy - al.z,
        xz + al.y,
        xy + al.z,
        -xx - zz,
        yz - al.x,
        xz - al.y,
        yz + al.x,
        -xx - yy,
    )
}

/// ∫ r × (S r) dm with J = ∫ r rᵀ dm: the skew part of S J.
#[inline(always)]
fn skew_part(s: &Matrix3<f64>, j: &Matrix3<f64>) -> Vector3<f64> {
    Vector3::new(
        (s.m31 * j.m12 + s.m32 * j.m22 + s.m33 * j.m32) - (s.m21 * j.m13 + s.m22 * j.m23 + s.m23 * j.m33),
        (s.m11 * j.m13 + s.m12 * j.m23 + s.m13 * j.m33) - (s.m31 * j.m11 + s.m32 * j.m21 + s.m33 * j.m31),
        (s.m21 * j.m11 + s.m22 * j.m21 + s.m23 * j.m31) - (s.m11 * j.m12 + s.m12 * j.m22 + s.m13 * j.m32),
    )
}
