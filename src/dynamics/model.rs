//! The arm as the algorithms want it: a frame in every link whose z axis is the joint's, constants between them.

use nalgebra::{Matrix3, Vector3};

use super::newton_euler::Angles;
use super::{GRAVITY_M_S2, JointFriction, LinkInertia, MassMatrix, RigidBody};
use crate::geometry::Pose;
use crate::joints::{JointVector, MAX_JOINTS};
use crate::kinematics::chain::Width;
use crate::kinematics::{Chain, Instructions, JointKind};

/// Why an arm has no dynamics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DynamicsError {
    /// There must be one entry for the base and one for the link of each joint.
    #[error(
        "{links} link inertias for a chain of {joints} joints: one for the base and one a joint are needed"
    )]
    LinkCount {
        /// Entries given.
        links: usize,
        /// Joints of the chain.
        joints: usize,
    },
    /// A value is not finite or a mass is negative. Index 0: the base.
    #[error("link {link} has a mass or inertia that is not finite or negative")]
    LinkNotValid {
        /// Index of the link.
        link: usize,
    },
    /// The base of the chain is moved itself: gravity has no fixed direction in it.
    #[error("the base of the chain moves")]
    MovingBase,
    /// The chain moves nothing that weighs something.
    #[error("no moving link has a mass")]
    NoMass,
}

/// One joint and the link behind it.
///
/// The inner frame of the link has its z axis on the joint's axis. From the frame before: rotation about x by
/// the twist, then about z by `q` + `angle`; the x axis of a frame is the common normal to the next axis, as in
/// modified Denavit-Hartenberg parameters (Craig 1986), but the origin stays where the URDF has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Segment {
    pub(super) is_prismatic: bool,
    /// Twist: sine and cosine of the rotation about x.
    pub(super) twist: (f64, f64),
    /// Added to q of a turning joint, rad; the whole rotation about z of a sliding one.
    pub(super) angle: f64,
    /// Origin in the frame before, at q = 0.
    pub(super) offset: Vector3<f64>,
    /// Masses of the link, in the inner frame.
    pub(super) inertia: LinkInertia,
}

/// Masses, motors and friction of one arm: constants only, `Copy`, without heap.
///
/// Frames: `base` is the base link; payloads are described in the flange frame. Units: rad, m, s, N m (turning
/// joints), N (sliding joints).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ArmDynamics {
    pub(super) segments: [Segment; MAX_JOINTS],
    pub(super) count: usize,
    pub(super) width: Width,
    pub(super) angles: Angles,
    pub(super) instructions: Instructions,
    /// Turns base axes into the axes of the frame the first segment begins in.
    x_first_base: Matrix3<f64>,
    /// Upward acceleration that stands for gravity, in the frame the first segment begins in.
    pub(super) lift: Vector3<f64>,
    gravity: Vector3<f64>,
    /// Last link without payload, and the flange in its inner frame.
    bare_last: LinkInertia,
    flange: (Matrix3<f64>, Vector3<f64>),
    payload: RigidBody,
    pub(super) friction: [JointFriction; MAX_JOINTS],
    has_friction: bool,
    pub(super) motors: MassMatrix,
    has_motors: bool,
}

impl ArmDynamics {
    /// Dynamics of `chain` with the masses `links`: index 0 the base (which does not move), index i all that
    /// moves with joint i (from 1), in the frames of [`Chain::link_poses`].
    ///
    /// Gravity points along −z of the base frame; no payload, no friction, motors without inertia.
    /// # Errors
    /// [`DynamicsError`] when links and joints do not match or nothing has a mass.
    pub fn new(chain: &Chain, links: &[LinkInertia]) -> Result<Self, DynamicsError> {
        let count = chain.joint_count();
        if links.len() != count + 1 {
            return Err(DynamicsError::LinkCount { links: links.len(), joints: count });
        }
        for (link, inertia) in links.iter().enumerate() {
            let values = inertia.moment.iter().chain(inertia.second.iter());
            if !(inertia.mass >= 0.0 && inertia.mass.is_finite())
                || values.into_iter().any(|v| !v.is_finite())
            {
                return Err(DynamicsError::LinkNotValid { link });
            }
        }
        if links.iter().skip(1).all(|inertia| inertia.mass <= 0.0) {
            return Err(DynamicsError::NoMass);
        }
        let none = Segment {
            is_prismatic: false,
            twist: (0.0, 1.0),
            angle: 0.0,
            offset: Vector3::zeros(),
            inertia: LinkInertia::none(),
        };
        let mut dynamics = Self {
            segments: [none; MAX_JOINTS],
            count,
            width: Width::of(count),
            angles: Angles::NONE,
            instructions: chain.instructions(),
            x_first_base: Matrix3::identity(),
            lift: Vector3::zeros(),
            gravity: Vector3::zeros(),
            bare_last: LinkInertia::none(),
            flange: (Matrix3::identity(), Vector3::zeros()),
            payload: RigidBody::none(),
            friction: [JointFriction::default(); MAX_JOINTS],
            has_friction: false,
            motors: MassMatrix::zeros(),
            has_motors: false,
        };
        dynamics.lay_frames(chain, links);
        dynamics.set_gravity(Vector3::new(0.0, 0.0, -GRAVITY_M_S2));
        Ok(dynamics)
    }

    /// Chooses the inner frames at q = 0 and takes constants and masses over into them.
    fn lay_frames(&mut self, chain: &Chain, links: &[LinkInertia]) {
        let zero = JointVector::zeros(self.count);
        let (x_base_flange, jacobian) = chain.forward_with_jacobian(&zero);
        let poses = chain.link_poses(&zero);
        let described =
            |joint: usize| poses.as_slice().get(joint + 1).copied().unwrap_or_else(Pose::identity);
        let axis = |joint: usize| -> Vector3<f64> {
            let rows = if chain.joint_kind(joint) == Some(JointKind::Prismatic) { 0 } else { 3 };
            jacobian.fixed_view::<3, 1>(rows, joint).normalize()
        };
        // The frame the first segment begins in: at the first joint, so that its twist is zero.
        let mut before = frame_on(&axis(0), &axis(0));
        let mut origin_before = described(0).translation.vector;
        self.x_first_base = before.transpose();
        for joint in 0..self.count {
            let next = if joint + 1 < self.count { axis(joint + 1) } else { axis(joint) };
            let frame = frame_on(&axis(joint), &next);
            let pose = described(joint);
            let origin = pose.translation.vector;
            let between = before.transpose() * frame;
            let is_prismatic = chain.joint_kind(joint) == Some(JointKind::Prismatic);
            let x_inner_described = frame.transpose() * pose.rotation.to_rotation_matrix().into_inner();
            let inertia = links
                .get(joint + 1)
                .map_or_else(LinkInertia::none, |link| link.seen_from(&x_inner_described, &Vector3::zeros()));
            // between = Rx(twist) Rz(angle): its third column is (0, −sin twist, cos twist), its first row
            // (cos angle, −sin angle, 0).
            let (sine, cosine) = (-between.m23, between.m33);
            let length = sine.hypot(cosine);
            self.segments[joint] = Segment {
                is_prismatic,
                twist: (sine / length, cosine / length),
                angle: (-between.m12).atan2(between.m11),
                offset: before.transpose() * (origin - origin_before),
                inertia,
            };
            self.angles.set(joint, &self.segments[joint]);
            self.bare_last = inertia;
            self.flange = (
                frame.transpose() * x_base_flange.rotation.to_rotation_matrix().into_inner(),
                frame.transpose() * (x_base_flange.translation.vector - origin),
            );
            before = frame;
            origin_before = origin;
        }
        // The first frame stands at the first joint already.
        self.segments[0].offset = Vector3::zeros();
    }

    /// The same arm computed with other instructions than those of its chain; for tests and measurements.
    #[must_use]
    pub const fn with_instructions(mut self, instructions: Instructions) -> Self {
        self.instructions = instructions;
        self
    }

    /// Number of joints.
    #[must_use]
    pub const fn joint_count(&self) -> usize {
        self.count
    }

    /// Gravity in the base frame, m/s²: (0, 0, −9.81) for an arm on the floor, (0, 0, 9.81) from the ceiling.
    pub fn set_gravity(&mut self, gravity_base_m_s2: Vector3<f64>) {
        self.gravity = gravity_base_m_s2;
        self.lift = self.x_first_base * -gravity_base_m_s2;
    }

    /// Gravity in the base frame, m/s².
    #[must_use]
    pub const fn gravity_base_m_s2(&self) -> Vector3<f64> {
        self.gravity
    }

    /// What hangs at the flange (tool and load together), in the flange frame; replaces the payload before.
    ///
    /// # Real-time
    /// No allocation; a fixed number of 3×3 products.
    pub fn set_payload(&mut self, payload: &[RigidBody]) {
        let at_flange = payload.iter().fold(LinkInertia::none(), |sum, body| sum.with(body));
        self.payload = at_flange.as_body();
        let (rotation, translation) = self.flange;
        let added = at_flange.seen_from(&rotation, &translation);
        if let Some(last) = self.count.checked_sub(1).and_then(|last| self.segments.get_mut(last)) {
            last.inertia = LinkInertia {
                mass: self.bare_last.mass + added.mass,
                moment: self.bare_last.moment + added.moment,
                second: self.bare_last.second + added.second,
            };
        }
    }

    /// What hangs at the flange, in the flange frame.
    #[must_use]
    pub const fn payload(&self) -> &RigidBody {
        &self.payload
    }

    /// Friction of each joint, joint 1 first; joints beyond the slice have none.
    pub fn set_friction(&mut self, friction: &[JointFriction]) {
        self.friction = [JointFriction::default(); MAX_JOINTS];
        for (entry, given) in self.friction.iter_mut().zip(friction) {
            *entry = *given;
        }
        self.has_friction = self.friction.iter().any(|entry| *entry != JointFriction::default());
    }

    /// Inertia of the motors as the joints feel it, kg m²: with drive angles behind the gears `m = D q` it is
    /// `Dᵀ diag(ratio² × rotor inertia) D`, diagonal where every drive turns its own joint.
    ///
    /// Only their rotation about their own shafts is meant; their mass belongs to the links.
    pub fn set_motor_inertia(&mut self, motors: MassMatrix) {
        self.motors = motors;
        self.has_motors = motors.iter().any(|entry| *entry != 0.0);
    }

    /// Torques (N m or N) the drives must give for the motion `q`, `qd`, `qdd`, with friction and motors.
    ///
    /// # Real-time
    /// No allocation; two passes over the joints.
    #[must_use]
    pub fn torques(&self, q: &JointVector, qd: &JointVector, qdd: &JointVector) -> JointVector {
        let rigid = self.rigid_body_torques(q, qd, qdd);
        rigid + self.drive_train_torques(qd, qdd)
    }

    /// What friction and the inertia of the motors ask for beyond the links, N m or N.
    ///
    /// # Real-time
    /// No allocation; at most `MAX_JOINTS`² steps.
    #[must_use]
    pub fn drive_train_torques(&self, qd: &JointVector, qdd: &JointVector) -> JointVector {
        let mut torques = JointVector::zeros(self.count);
        for (joint, torque) in torques.as_mut_slice().iter_mut().enumerate() {
            if self.has_friction {
                *torque += self.friction.get(joint).map_or(0.0, |friction| friction.torque(qd.get(joint)));
            }
            if self.has_motors {
                *torque +=
                    (0..self.count).map(|other| self.motors[(joint, other)] * qdd.get(other)).sum::<f64>();
            }
        }
        torques
    }
}

/// Axes of a frame with z along `z` and x along the common normal of `z` and `next`, any where they are parallel.
fn frame_on(z: &Vector3<f64>, next: &Vector3<f64>) -> Matrix3<f64> {
    let normal = z.cross(next);
    let length = normal.norm();
    let x = if length > 1e-9 {
        normal / length
    } else {
        let mut other = Vector3::zeros();
        other[z.iamin()] = 1.0;
        (other - z * z.dot(&other)).normalize()
    };
    // Twice, so that x is at right angles to z to the last digit also where the axes are nearly parallel.
    let x = (x - z * z.dot(&x)).normalize();
    Matrix3::from_columns(&[x, z.cross(&x), *z])
}
