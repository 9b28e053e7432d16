//! The chain: constants made once, forward kinematics and Jacobian from them.

mod description;
mod gauge;
mod walk;

use nalgebra::{Matrix3, Quaternion, Translation3, UnitQuaternion, Vector3};

use super::Jacobian;
use super::instructions::{BASELINE_FUSED, Instructions, compiled_for_each};
use super::lanes::Eight;
use crate::geometry::{Pose, Twist};
use crate::joints::{JointVector, MAX_JOINTS};
use walk::{StepConstants, StepLanes, Tail, posed};

pub use description::{ChainError, ChainJoint, JointKind, Mimic};
pub(super) use gauge::{Axis, Frame, Layout, Step, lay_out};
pub(super) use walk::{Axes, Posed, Positions, WalkConstants};
pub(crate) use walk::{Width, for_width};

/// A serial chain from base to flange: constants only, `Copy`, without heap.
///
/// Made once by [`Chain::from_joints`]. Inside, the frames are slid and turned along the joint axes so that each
/// joint costs one plane rotation and one turn about x; vector instructions are chosen at the same time.
/// [`joint_count`](Self::joint_count) joints have a drive of their own; joints that follow another one come on top.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chain {
    constants: WalkConstants,
    /// From the frame behind a joint's step to the described child frame of the joint.
    x_step_link: [Frame; MAX_JOINTS],
    /// How each joint follows from those with a drive.
    followed: [Mimic; MAX_JOINTS],
    /// Whether any joint follows another one.
    is_coupled: bool,
    /// Kinds of the joints with a drive.
    kinds: [JointKind; MAX_JOINTS],
    count: usize,
    /// Sum of the lengths of all constant offsets, m.
    stretched_m: f64,
    instructions: Instructions,
}

compiled_for_each!(four lanes: fn flange_axes(chain: &Chain, q: &JointVector) -> Axes, walk::flange);
compiled_for_each!(
    four lanes: fn flange_and_jacobian(chain: &Chain, q: &JointVector, into: &mut Jacobian) -> Axes,
    walk::flange_and_jacobian
);
compiled_for_each!(
    four lanes: fn step_frames(chain: &Chain, q: &JointVector, into: &mut [Axes; MAX_JOINTS]) -> Axes,
    walk::frames
);

impl Chain {
    /// A chain of `joints`, base first; `x_last_flange` is the pose of the flange in the last joint's child frame.
    ///
    /// # Errors
    /// [`ChainError`] when there are none or too many joints, or a value is not finite or not of length one.
    pub fn from_joints(joints: &[ChainJoint], x_last_flange: &Pose) -> Result<Self, ChainError> {
        Self::from_coupled_joints(joints, &[None; MAX_JOINTS], x_last_flange)
    }

    /// [`from_joints`](Self::from_joints) where joint i follows another one if `mimics` has an entry for it.
    ///
    /// # Errors
    /// [`ChainError`] as there, and when a joint follows one without a drive.
    pub fn from_coupled_joints(
        joints: &[ChainJoint],
        mimics: &[Option<Mimic>],
        x_last_flange: &Pose,
    ) -> Result<Self, ChainError> {
        if joints.is_empty() {
            return Err(ChainError::NoJoint);
        }
        if joints.len() > MAX_JOINTS {
            return Err(ChainError::TooManyJoints { count: joints.len() });
        }
        if !is_rigid(x_last_flange) {
            return Err(ChainError::OriginNotValid { joint: joints.len() });
        }
        // Everything at q = 0, in the base frame.
        let mut link = Frame::identity();
        let mut links = [link; MAX_JOINTS];
        let mut axes = [Axis { kind: JointKind::Revolute, point: Vector3::zeros(), direction: Vector3::z() };
            MAX_JOINTS];
        let mut stretched_m = x_last_flange.translation.vector.norm();
        for (index, joint) in joints.iter().enumerate() {
            if !is_rigid(&joint.origin) {
                return Err(ChainError::OriginNotValid { joint: index });
            }
            if !is_one(joint.axis.norm()) {
                return Err(ChainError::AxisNotUnit { joint: index });
            }
            link = link.times(&frame_of(&joint.origin));
            links[index] = link;
            axes[index] = Axis {
                kind: joint.kind,
                point: link.translation,
                direction: (link.rotation * joint.axis.into_inner()).normalize(),
            };
            stretched_m += joint.origin.translation.vector.norm();
        }
        let flange = link.times(&frame_of(x_last_flange));

        let layout = lay_out(&axes[..joints.len()], &flange);
        let mut x_step_link = [Frame::identity(); MAX_JOINTS];
        for ((x_step_link, behind), link) in x_step_link.iter_mut().zip(&layout.behind).zip(&links) {
            *x_step_link = behind.inverse().times(link);
        }
        let Layout { base, steps, x_last_flange: x_step_flange, .. } = layout;
        let (sine, cosine) = (x_step_flange.rotation[(1, 0)], x_step_flange.rotation[(0, 0)]);
        let shift = x_step_flange.translation.z;
        let is_there = sine.abs() > 1e-15 || cosine < 0.0 || shift.abs() > 1e-15;

        let (followed, kinds, count) = drives(joints, mimics)?;
        Ok(Self {
            constants: WalkConstants {
                lanes: StepLanes::of(&steps, joints.len()),
                steps: steps.each_ref().map(StepConstants::of),
                is_turning: steps.each_ref().map(|step| step.kind != JointKind::Prismatic),
                base: Axes::of(&base),
                count: joints.len(),
                width: Width::of(joints.len()),
                tail: Tail { is_there, sine, cosine, shift },
            },
            x_step_link,
            followed,
            is_coupled: count < joints.len(),
            kinds,
            count,
            stretched_m,
            instructions: Instructions::detect(),
        })
    }

    /// The same chain computed with other instructions; for tests and measurements.
    #[must_use]
    pub const fn with_instructions(mut self, instructions: Instructions) -> Self {
        self.instructions = instructions;
        self
    }

    /// The instructions the chain is computed with.
    #[must_use]
    pub const fn instructions(&self) -> Instructions {
        self.instructions
    }

    /// Number of joints with a drive of their own, `1..=MAX_JOINTS`.
    #[must_use]
    pub const fn joint_count(&self) -> usize {
        self.count
    }

    /// What joint `joint` (from 0) does; `None` beyond the last.
    #[must_use]
    pub fn joint_kind(&self, joint: usize) -> Option<JointKind> {
        self.kinds.get(..self.count)?.get(joint).copied()
    }

    /// Whether a whole turn of joint `joint` brings every link back to where it was: it turns, and no joint follows it by
    /// anything but whole turns.
    pub(super) fn is_same_after_a_turn(&self, joint: usize) -> bool {
        let followers = self.followed.iter().zip(&self.constants.is_turning).take(self.constants.count);
        followers
            .filter(|(mimic, _)| mimic.joint == joint)
            .all(|(mimic, is_turning)| *is_turning && mimic.multiplier.fract().abs() < f64::EPSILON)
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
        pose_of(&flange_axes(self.instructions, self, q))
    }

    /// [`forward`](Self::forward) as rotation matrix and position (m), without the way over a quaternion.
    ///
    /// # Real-time
    /// No allocation; one pass over the joints.
    #[must_use]
    pub fn forward_matrix(&self, q: &JointVector) -> (Matrix3<f64>, Vector3<f64>) {
        let frame = flange_axes(self.instructions, self, q).frame();
        (frame.rotation, frame.translation)
    }

    /// [`forward`](Self::forward) together with the [`Jacobian`] of the flange at `q`.
    ///
    /// # Real-time
    /// No allocation; one pass over the joints.
    #[must_use]
    pub fn forward_with_jacobian(&self, q: &JointVector) -> (Pose, Jacobian) {
        let mut jacobian = Jacobian::zeros();
        let pose = self.forward_and_jacobian(q, &mut jacobian);
        (pose, jacobian)
    }

    /// [`forward_with_jacobian`](Self::forward_with_jacobian) into a matrix that is at hand, without copying one.
    ///
    /// # Real-time
    /// No allocation; one pass over the joints.
    #[must_use]
    pub fn forward_and_jacobian(&self, q: &JointVector, into: &mut Jacobian) -> Pose {
        let pose = self.forward_and_moving_jacobian(q, into);
        self.fold_jacobian(into);
        pose
    }

    /// The same with a column for each joint that moves, those that follow another one included.
    pub(super) fn forward_and_moving_jacobian(&self, q: &JointVector, into: &mut Jacobian) -> Pose {
        pose_of(&flange_and_jacobian(self.instructions, self, q, into))
    }

    /// Rates of all joints that move for those of the joints with a drive.
    pub(super) fn moving_rates(&self, rates: &JointVector) -> JointVector {
        let moving = self.followed.iter().map(|mimic| mimic.multiplier * rates.get(mimic.joint));
        let mut result = JointVector::zeros(self.constants.count);
        result.as_mut_slice().iter_mut().zip(moving).for_each(|(entry, rate)| *entry = rate);
        result
    }

    /// Velocity of the flange for joint speeds `qd` (rad/s or m/s) at `q`, base axes.
    ///
    /// # Real-time
    /// No allocation; one pass over the joints.
    #[must_use]
    pub fn flange_velocity(&self, q: &JointVector, qd: &JointVector) -> Twist {
        let (_, jacobian) = self.forward_with_jacobian(q);
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
        let mut frames = [Axes::ZERO; MAX_JOINTS];
        let flange = step_frames(self.instructions, self, q, &mut frames);
        let mut poses = [Pose::identity(); MAX_JOINTS + 2];
        let moving = self.constants.count;
        for ((pose, frame), x_step_link) in
            poses.iter_mut().skip(1).zip(&frames).zip(&self.x_step_link).take(moving)
        {
            *pose = pose_of(&Axes::of(&frame.frame().times(x_step_link)));
        }
        poses[moving + 1] = pose_of(&flange);
        LinkPoses { poses, count: moving + 2 }
    }

    /// The constants of the pass over the joints.
    pub(super) const fn constants(&self) -> &WalkConstants {
        &self.constants
    }

    /// The axes and the flange at q = 0; `None` when some joints follow others.
    pub(super) fn axes(&self) -> Option<([Axis; MAX_JOINTS], Frame)> {
        let zero = JointVector::zeros(self.count);
        let posed = posed::<BASELINE_FUSED, MAX_JOINTS>(&self.constants, &self.positions(&zero));
        let axes = std::array::from_fn(|joint| Axis {
            kind: self.kinds[joint],
            point: posed.points[joint].vector(),
            direction: posed.axes[joint].vector(),
        });
        (!self.is_coupled).then(|| (axes, posed.flange.frame()))
    }

    /// Flange and axes for positions of the joints with a drive as lanes.
    #[inline(always)]
    pub(super) fn posed<const FUSED: bool, const N: usize>(&self, q: &Positions) -> Posed<N> {
        if self.is_coupled {
            let mut driven = [0.0; MAX_JOINTS];
            driven[..8].copy_from_slice(&q[0].0);
            driven[8..].copy_from_slice(&q[1].0[..MAX_JOINTS - 8]);
            let q = self.positions(&JointVector::from_padded(&driven, self.count));
            return posed::<FUSED, N>(&self.constants, &q);
        }
        posed::<FUSED, N>(&self.constants, q)
    }

    /// Columns of the joints with a drive: linear in the lower four lanes, angular in the upper four.
    #[inline(always)]
    pub(super) fn columns<const FUSED: bool, const N: usize>(&self, posed: &Posed<N>) -> [Eight; N] {
        let mut columns = [Eight::ZERO; N];
        for (joint, column) in columns.iter_mut().enumerate() {
            if joint < self.constants.count {
                let (linear, angular) = posed.column::<FUSED>(&self.constants, joint);
                column.0[..4].copy_from_slice(&linear.0);
                column.0[4..].copy_from_slice(&angular.0);
            }
        }
        if self.is_coupled {
            self.fold_columns(&mut columns);
        }
        columns
    }

    /// Positions of all moving joints for those with a drive.
    #[inline(always)]
    pub(super) fn positions(&self, q: &JointVector) -> Positions {
        // Chosen as a place in memory, so that whole vectors are loaded from it.
        let mut held = [0.0; MAX_JOINTS];
        let values = if self.is_coupled {
            self.follow(q, &mut held);
            &held
        } else {
            q.as_padded()
        };
        lanes_of(values)
    }

    /// Positions of all moving joints where some follow others.
    #[inline(never)]
    fn follow(&self, q: &JointVector, into: &mut [f64; MAX_JOINTS]) {
        for (value, mimic) in into.iter_mut().zip(&self.followed).take(self.constants.count) {
            *value = mimic.multiplier * q.get(mimic.joint) + mimic.offset;
        }
    }

    /// Adds the columns of joints that follow another one to that one's.
    pub(super) fn fold_jacobian(&self, jacobian: &mut Jacobian) {
        if !self.is_coupled {
            return;
        }
        let of_all = *jacobian;
        *jacobian = Jacobian::zeros();
        for (column, mimic) in of_all.column_iter().zip(&self.followed).take(self.constants.count) {
            let mut target = jacobian.column_mut(mimic.joint);
            target += column * mimic.multiplier;
        }
    }

    /// The same for columns as lanes.
    #[inline(never)]
    fn fold_columns<const N: usize>(&self, columns: &mut [Eight; N]) {
        let of_all = *columns;
        *columns = [Eight::ZERO; N];
        for (column, mimic) in of_all.iter().zip(&self.followed).take(self.constants.count) {
            columns[mimic.joint] = columns[mimic.joint] + *column * Eight::splat(mimic.multiplier);
        }
    }
}

/// A number a joint as lanes.
#[inline(always)]
pub(super) fn lanes_of(values: &[f64; MAX_JOINTS]) -> Positions {
    [Eight::of(values), Eight::of(&values[8..])]
}

/// How each joint follows from those with a drive, the kinds of these, and their number.
fn drives(
    joints: &[ChainJoint],
    mimics: &[Option<Mimic>],
) -> Result<([Mimic; MAX_JOINTS], [JointKind; MAX_JOINTS], usize), ChainError> {
    let mimic_of = |joint: usize| mimics.get(joint).copied().flatten();
    let mut followed = [Mimic { joint: 0, multiplier: 1.0, offset: 0.0 }; MAX_JOINTS];
    let mut kinds = [JointKind::Revolute; MAX_JOINTS];
    let mut count = 0;
    for (index, joint) in joints.iter().enumerate() {
        if mimic_of(index).is_none() {
            followed[index].joint = count;
            kinds[count] = joint.kind;
            count += 1;
        }
    }
    for index in 0..joints.len() {
        if let Some(mimic) = mimic_of(index) {
            let is_good = mimic.joint < joints.len()
                && mimic_of(mimic.joint).is_none()
                && mimic.multiplier.is_finite()
                && mimic.offset.is_finite();
            if !is_good {
                return Err(ChainError::MimicNotValid { joint: index });
            }
            followed[index] = Mimic { joint: followed[mimic.joint].joint, ..mimic };
        }
    }
    Ok((followed, kinds, count))
}

/// The pose of computed axes, w of the quaternion not negative.
///
/// Source: Shepperd 1978 (the largest of the four is found by a root, the others by division).
#[inline(never)]
fn pose_of(axes: &Axes) -> Pose {
    let Axes { x, y, z, p } = axes;
    let (m00, m11, m22) = (x.0[0], y.0[1], z.0[2]);
    // Rows of the symmetric and antisymmetric sums that the three others are made of.
    let (wx, wy, wz) = (y.0[2] - z.0[1], z.0[0] - x.0[2], x.0[1] - y.0[0]);
    let (xy, xz, yz) = (x.0[1] + y.0[0], z.0[0] + x.0[2], y.0[2] + z.0[1]);
    let [w, i, j, k] = if m22 < 0.0 {
        if m00 > m11 {
            let t = 1.0 + m00 - m11 - m22;
            [wx, t, xy, xz].map(|part| part * (0.5 / t.sqrt()))
        } else {
            let t = 1.0 - m00 + m11 - m22;
            [wy, xy, t, yz].map(|part| part * (0.5 / t.sqrt()))
        }
    } else if m00 < -m11 {
        let t = 1.0 - m00 - m11 + m22;
        [wz, xz, yz, t].map(|part| part * (0.5 / t.sqrt()))
    } else {
        let t = 1.0 + m00 + m11 + m22;
        [t, wx, wy, wz].map(|part| part * (0.5 / t.sqrt()))
    };
    let sign = 1.0_f64.copysign(w);
    let quaternion = Quaternion::new(sign * w, sign * i, sign * j, sign * k);
    Pose::from_parts(Translation3::from(p.vector()), UnitQuaternion::new_unchecked(quaternion))
}

fn frame_of(pose: &Pose) -> Frame {
    Frame { rotation: pose.rotation.to_rotation_matrix().into_inner(), translation: pose.translation.vector }
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

#[cfg(test)]
mod tests;
