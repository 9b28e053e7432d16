//! The chain: constants made once, forward kinematics and Jacobian from them.

use nalgebra::{Matrix3, Rotation3, Translation3, Unit, UnitQuaternion, Vector3};

use super::Jacobian;
use crate::geometry::{Pose, Twist};
use crate::joints::{JointVector, MAX_JOINTS};

/// What a joint does along or about its axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JointKind {
    /// Turns between two position limits, rad.
    Revolute,
    /// Turns without a position limit of its own, rad.
    Continuous,
    /// Slides, m.
    Prismatic,
}

impl JointKind {
    /// What a person reads and writes for one rad (degrees) or m (millimetres).
    #[must_use]
    pub const fn outside_per_unit(self) -> f64 {
        match self {
            Self::Revolute | Self::Continuous => 180.0 / std::f64::consts::PI,
            Self::Prismatic => 1e3,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn outside_unit(self) -> &'static str {
        match self {
            Self::Revolute | Self::Continuous => "°",
            Self::Prismatic => "mm",
        }
    }
}

/// One moving joint as it is described, fixed joints before it already folded into `origin`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChainJoint {
    /// Revolute, continuous or prismatic.
    pub kind: JointKind,
    /// Pose of the joint's child frame in the previous joint's child frame (base for the first) at q = 0.
    pub origin: Pose,
    /// Axis in the child frame; the joint turns about it or slides along it.
    pub axis: Unit<Vector3<f64>>,
}

/// Why joints do not make a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No joint at all.
    #[error("the chain has no moving joint")]
    NoJoint,
    /// More than [`MAX_JOINTS`].
    #[error("the chain has {count} moving joints, at most {MAX_JOINTS} are allowed")]
    TooManyJoints {
        /// How many there are.
        count: usize,
    },
    /// An origin has a value that is not a finite number. `joint` equal to the joint count: the flange.
    #[error("the origin of joint {joint} is not finite or its orientation is not of length one")]
    OriginNotValid {
        /// Index of the joint, from 0.
        joint: usize,
    },
    /// An axis is not a vector of length one.
    #[error("the axis of joint {joint} is not a vector of length one")]
    AxisNotUnit {
        /// Index of the joint, from 0.
        joint: usize,
    },
}

/// A constant rigid transform as the kernels want it: no quaternion.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Constant {
    rotation: Matrix3<f64>,
    translation: Vector3<f64>,
}

impl Constant {
    fn identity() -> Self {
        Self { rotation: Matrix3::identity(), translation: Vector3::zeros() }
    }

    fn from_pose(pose: &Pose) -> Self {
        Self {
            rotation: pose.rotation.to_rotation_matrix().into_inner(),
            translation: pose.translation.vector,
        }
    }
}

/// A frame that has been computed: rotation as a matrix, position in m, in base axes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) rotation: Matrix3<f64>,
    pub(super) translation: Vector3<f64>,
}

impl Frame {
    pub(super) fn pose(&self) -> Pose {
        let rotation = Rotation3::from_matrix_unchecked(self.rotation);
        Pose::from_parts(
            Translation3::from(self.translation),
            UnitQuaternion::from_rotation_matrix(&rotation),
        )
    }

    fn then(&mut self, constant: &Constant) {
        self.translation += self.rotation * constant.translation;
        self.rotation *= constant.rotation;
    }
}

/// The axes of all joints of a posed chain, in base axes, and the flange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posed {
    pub(super) flange: Frame,
    /// Direction of each joint's axis.
    axes: [Vector3<f64>; MAX_JOINTS],
    /// A point on each joint's axis.
    points: [Vector3<f64>; MAX_JOINTS],
}

/// A serial chain from base to flange: constants only, `Copy`, without heap.
///
/// Made once by [`Chain::from_joints`]. Inside, frames are turned so that each joint moves about or along its
/// own z axis; each step is then one constant 3×3 product and one plane rotation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chain {
    /// Previous joint's inner frame to this joint's inner frame at q = 0.
    steps: [Constant; MAX_JOINTS],
    kinds: [JointKind; MAX_JOINTS],
    /// Last joint's inner frame to flange.
    flange: Constant,
    /// Turns an inner frame back into the described child frame of the joint.
    described: [Matrix3<f64>; MAX_JOINTS],
    count: usize,
    /// Sum of the lengths of all constant offsets, m.
    stretched_m: f64,
}

impl Chain {
    /// A chain of `joints`, base first; `x_last_flange` is the pose of the flange in the last joint's child frame.
    ///
    /// # Errors
    /// [`ChainError`] when there are none or too many joints, or a value is not finite or not of length one.
    pub fn from_joints(joints: &[ChainJoint], x_last_flange: &Pose) -> Result<Self, ChainError> {
        if joints.is_empty() {
            return Err(ChainError::NoJoint);
        }
        if joints.len() > MAX_JOINTS {
            return Err(ChainError::TooManyJoints { count: joints.len() });
        }
        if !is_rigid(x_last_flange) {
            return Err(ChainError::OriginNotValid { joint: joints.len() });
        }
        let mut chain = Self {
            steps: [Constant::identity(); MAX_JOINTS],
            kinds: [JointKind::Revolute; MAX_JOINTS],
            flange: Constant::identity(),
            described: [Matrix3::identity(); MAX_JOINTS],
            count: joints.len(),
            stretched_m: x_last_flange.translation.vector.norm(),
        };
        let mut x_inner_described = Matrix3::identity();
        for (index, joint) in joints.iter().enumerate() {
            if !is_rigid(&joint.origin) {
                return Err(ChainError::OriginNotValid { joint: index });
            }
            if !is_one(joint.axis.norm()) {
                return Err(ChainError::AxisNotUnit { joint: index });
            }
            let origin = Constant::from_pose(&joint.origin);
            let inner = frame_with_z_along(&joint.axis);
            chain.steps[index] = Constant {
                rotation: x_inner_described * origin.rotation * inner,
                translation: x_inner_described * origin.translation,
            };
            chain.kinds[index] = joint.kind;
            x_inner_described = inner.transpose();
            chain.described[index] = x_inner_described;
            chain.stretched_m += origin.translation.norm();
        }
        let flange = Constant::from_pose(x_last_flange);
        chain.flange = Constant {
            rotation: x_inner_described * flange.rotation,
            translation: x_inner_described * flange.translation,
        };
        Ok(chain)
    }

    /// Number of moving joints, `1..=MAX_JOINTS`.
    #[must_use]
    pub const fn joint_count(&self) -> usize {
        self.count
    }

    /// What joint `joint` (from 0) does; `None` beyond the last.
    #[must_use]
    pub fn joint_kind(&self, joint: usize) -> Option<JointKind> {
        self.kinds.get(..self.count)?.get(joint).copied()
    }

    /// A length that makes rotations comparable with translations, m: half of the stretched chain, at least 1 mm.
    #[must_use]
    pub fn characteristic_length_m(&self) -> f64 {
        (0.5 * self.stretched_m).max(1e-3)
    }

    /// Pose of the flange in the base frame at `q` (rad or m; missing entries count as zero).
    ///
    /// A `q` that is not finite gives a pose that is not finite.
    /// # Real-time
    /// No allocation; one pass over the joints.
    #[must_use]
    pub fn forward(&self, q: &JointVector) -> Pose {
        let mut frame = Frame { rotation: Matrix3::identity(), translation: Vector3::zeros() };
        self.walk(q, |_, moved| frame = *moved);
        frame.then(&self.flange);
        frame.pose()
    }

    /// [`forward`](Self::forward) together with the [`Jacobian`] of the flange at `q`.
    ///
    /// # Real-time
    /// No allocation; one pass over the joints.
    #[must_use]
    pub fn forward_with_jacobian(&self, q: &JointVector) -> (Pose, Jacobian) {
        let posed = self.posed(q);
        (posed.flange.pose(), self.jacobian(&posed))
    }

    /// Velocity of the flange for joint speeds `qd` (rad/s or m/s) at `q`, base axes.
    ///
    /// # Real-time
    /// No allocation; one pass over the joints.
    #[must_use]
    pub fn flange_velocity(&self, q: &JointVector, qd: &JointVector) -> Twist {
        let posed = self.posed(q);
        let jacobian = self.jacobian(&posed);
        let mut twist = Twist::zero();
        for (column, speed) in jacobian.column_iter().zip(qd.iter()) {
            twist.linear += column.fixed_rows::<3>(0) * speed;
            twist.angular += column.fixed_rows::<3>(3) * speed;
        }
        twist
    }

    /// Poses of the base, of the child link of every joint, and of the flange, for pictures and distances.
    ///
    /// # Real-time
    /// No allocation; one pass over the joints.
    #[must_use]
    pub fn link_poses(&self, q: &JointVector) -> LinkPoses {
        let mut poses = [Pose::identity(); MAX_JOINTS + 2];
        let mut last = Frame { rotation: Matrix3::identity(), translation: Vector3::zeros() };
        self.walk(q, |index, moved| {
            last = *moved;
            let described = Frame { rotation: moved.rotation * self.described[index], ..*moved };
            poses[index + 1] = described.pose();
        });
        last.then(&self.flange);
        poses[self.count + 1] = last.pose();
        LinkPoses { poses, count: self.count + 2 }
    }

    /// Flange and all joint axes at `q`.
    pub(super) fn posed(&self, q: &JointVector) -> Posed {
        let mut flange = Frame { rotation: Matrix3::identity(), translation: Vector3::zeros() };
        let mut axes = [Vector3::zeros(); MAX_JOINTS];
        let mut points = [Vector3::zeros(); MAX_JOINTS];
        self.walk(q, |index, moved| {
            axes[index] = moved.rotation.column(2).into_owned();
            points[index] = moved.translation;
            flange = *moved;
        });
        flange.then(&self.flange);
        Posed { flange, axes, points }
    }

    /// The Jacobian of the flange of a posed chain.
    ///
    /// Source: Siciliano, Sciavicco, Villani, Oriolo 2009, equations 3.30 (geometric Jacobian).
    pub(super) fn jacobian(&self, posed: &Posed) -> Jacobian {
        let mut jacobian = Jacobian::zeros();
        for index in 0..self.count {
            let axis = posed.axes[index];
            let mut column = jacobian.column_mut(index);
            match self.kinds[index] {
                JointKind::Revolute | JointKind::Continuous => {
                    let arm = posed.flange.translation - posed.points[index];
                    column.fixed_rows_mut::<3>(0).copy_from(&axis.cross(&arm));
                    column.fixed_rows_mut::<3>(3).copy_from(&axis);
                }
                JointKind::Prismatic => column.fixed_rows_mut::<3>(0).copy_from(&axis),
            }
        }
        jacobian
    }

    /// Calls `visit` with the inner frame of each joint after its motion, base to tip.
    #[inline]
    fn walk(&self, q: &JointVector, mut visit: impl FnMut(usize, &Frame)) {
        let mut values = [0.0; MAX_JOINTS];
        for (value, given) in values.iter_mut().zip(q.as_slice()) {
            *value = *given;
        }
        // Sines first: they do not depend on each other, the products below do.
        let mut turns = [(0.0, 1.0); MAX_JOINTS];
        for ((turn, kind), value) in turns.iter_mut().zip(&self.kinds).zip(&values).take(self.count) {
            if *kind != JointKind::Prismatic {
                *turn = value.sin_cos();
            }
        }
        let first = &self.steps[0];
        let mut frame = Frame { rotation: first.rotation, translation: first.translation };
        for (index, (sine, cosine)) in turns.iter().enumerate().take(self.count) {
            if index > 0 {
                frame.then(&self.steps[index]);
            }
            if self.kinds[index] == JointKind::Prismatic {
                frame.translation += frame.rotation.column(2) * values[index];
            } else {
                let (x, y) = (frame.rotation.column(0).into_owned(), frame.rotation.column(1).into_owned());
                frame.rotation.set_column(0, &(x * *cosine + y * *sine));
                frame.rotation.set_column(1, &(y * *cosine - x * *sine));
            }
            visit(index, &frame);
        }
    }
}

/// Poses in the base frame: base link, child link of each joint, flange.
#[derive(Clone, Copy, Debug)]
pub struct LinkPoses {
    poses: [Pose; MAX_JOINTS + 2],
    count: usize,
}

impl LinkPoses {
    /// Index 0 the base (identity), index i the child link of joint i (from 1), the last the flange.
    #[must_use]
    pub fn as_slice(&self) -> &[Pose] {
        self.poses.get(..self.count).unwrap_or(&[])
    }
}

fn is_rigid(pose: &Pose) -> bool {
    pose.translation.vector.iter().all(|value| value.is_finite()) && is_one(pose.rotation.into_inner().norm())
}

/// False for NaN too.
fn is_one(length: f64) -> bool {
    (length - 1.0).abs() < 1e-9
}

/// A rotation whose z axis is `axis`. Exact for the coordinate axes, which most robots use.
fn frame_with_z_along(axis: &Unit<Vector3<f64>>) -> Matrix3<f64> {
    let z = axis.into_inner().normalize();
    let smallest = z.iamin();
    let mut helper = Vector3::zeros();
    helper[smallest] = 1.0;
    // For a coordinate axis the smallest entry is an exact zero, so x and y are exact too.
    let x = (helper - z * z[smallest]).normalize();
    let y = z.cross(&x);
    Matrix3::from_columns(&[x, y, z])
}

#[cfg(test)]
mod tests;
