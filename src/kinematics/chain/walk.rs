//! The pass over the joints, written once and compiled for each set of instructions.

use super::description::JointKind;
use super::gauge::{Frame, Step};
use crate::joints::MAX_JOINTS;
use crate::kinematics::lanes::{Eight, Four, sin_cos};

/// A frame as three axes and an origin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::kinematics) struct Axes {
    pub(in crate::kinematics) x: Four,
    pub(in crate::kinematics) y: Four,
    pub(in crate::kinematics) z: Four,
    pub(in crate::kinematics) p: Four,
}

impl Axes {
    pub(in crate::kinematics) const ZERO: Self =
        Self { x: Four::ZERO, y: Four::ZERO, z: Four::ZERO, p: Four::ZERO };

    pub(in crate::kinematics) fn of(frame: &Frame) -> Self {
        let column = |index| Four::of(&frame.rotation.column(index).into_owned());
        Self { x: column(0), y: column(1), z: column(2), p: Four::of(&frame.translation) }
    }

    pub(in crate::kinematics) fn frame(&self) -> Frame {
        Frame {
            rotation: nalgebra::Matrix3::from_columns(&[self.x.vector(), self.y.vector(), self.z.vector()]),
            translation: self.p.vector(),
        }
    }
}

/// The constants of all steps, a lane a joint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct StepLanes {
    /// 1 for turning joints, 0 for sliding ones.
    turns: [Eight; 2],
    theta: [Eight; 2],
    d: [Eight; 2],
    a: [Eight; 2],
    b: [Eight; 2],
    sin_alpha: [Eight; 2],
    cos_alpha: [Eight; 2],
}

impl StepLanes {
    pub(super) fn of(steps: &[Step; MAX_JOINTS]) -> Self {
        let lanes = |of: &dyn Fn(&Step) -> f64| {
            let mut lanes = [Eight::ZERO; 2];
            for (index, step) in steps.iter().enumerate() {
                lanes[index / 8].0[index % 8] = of(step);
            }
            lanes
        };
        Self {
            turns: lanes(&|step| f64::from(u8::from(step.kind != JointKind::Prismatic))),
            theta: lanes(&|step| step.theta),
            d: lanes(&|step| step.d),
            a: lanes(&|step| step.a),
            b: lanes(&|step| step.b),
            sin_alpha: lanes(&|step| step.sin_alpha),
            cos_alpha: lanes(&|step| step.cos_alpha),
        }
    }
}

/// What the walk needs of a chain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::kinematics) struct WalkConstants {
    pub(super) lanes: StepLanes,
    /// Frame of the first joint.
    pub(super) base: Axes,
    /// Number of joints that move, with or without a drive of their own.
    pub(in crate::kinematics) count: usize,
    /// Turn about and shift along z from the last frame to the flange.
    pub(super) tail: Tail,
}

/// A turn about z and a shift along it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tail {
    pub(super) is_there: bool,
    pub(super) sine: f64,
    pub(super) cosine: f64,
    pub(super) shift: f64,
}

/// Positions of all joints, room for two blocks of lanes.
pub(in crate::kinematics) type Positions = [Eight; 2];

/// Visits the joints base to tip: `visit(index, before, after)` with the frame whose z is the joint's axis, and the
/// frame behind its step. Returns the flange.
#[inline(always)]
pub(in crate::kinematics) fn walk<const FUSED: bool>(
    constants: &WalkConstants,
    q: &Positions,
    mut visit: impl FnMut(usize, &Axes, &Axes),
) -> Axes {
    let lanes = &constants.lanes;
    let mut frame = constants.base;
    let mut block = 0;
    let mut first = 0;
    while first < constants.count {
        // Two blocks at most: there are no more than MAX_JOINTS joints.
        let turns = lanes.turns[block];
        let (sine, cosine) = sin_cos::<FUSED>(q[block].times_plus::<FUSED>(turns, lanes.theta[block]));
        let slide = Eight::splat(1.0) - turns;
        let d = q[block].times_plus::<FUSED>(slide, lanes.d[block]);
        let (sin_alpha, cos_alpha) = (lanes.sin_alpha[block], lanes.cos_alpha[block]);
        let s_ca = sine * cos_alpha;
        let c_ca = cosine * cos_alpha;
        let s_sa = sine * sin_alpha;
        let c_sa = cosine * sin_alpha;
        for lane in 0..(constants.count - first).min(8) {
            let Axes { x, y, z, p } = frame;
            // x cos + y sin; then (y cos - x sin) turned with z by alpha. What waits longest is added last.
            let next_x = y.times_plus::<FUSED>(sine.0[lane], x.scaled(cosine.0[lane]));
            let next_y = y.times_plus::<FUSED>(
                c_ca.0[lane],
                z.times_plus::<FUSED>(sin_alpha.0[lane], x.scaled(-s_ca.0[lane])),
            );
            let next_z = y.times_plus::<FUSED>(
                -c_sa.0[lane],
                z.times_plus::<FUSED>(cos_alpha.0[lane], x.scaled(s_sa.0[lane])),
            );
            let shift = next_x.times_plus::<FUSED>(
                lanes.a[block].0[lane],
                next_y.times_plus::<FUSED>(lanes.b[block].0[lane], z.scaled(d.0[lane])),
            );
            let next = Axes { x: next_x, y: next_y, z: next_z, p: p + shift };
            visit(first + lane, &frame, &next);
            frame = next;
        }
        block += 1;
        first += 8;
    }
    if constants.tail.is_there {
        let Tail { sine, cosine, shift, .. } = constants.tail;
        let Axes { x, y, z, p } = frame;
        frame = Axes {
            x: y.times_plus::<FUSED>(sine, x.scaled(cosine)),
            y: x.times_plus::<FUSED>(-sine, y.scaled(cosine)),
            z,
            p: z.times_plus::<FUSED>(shift, p),
        };
    }
    frame
}

/// Velocity of the flange for a unit speed of a joint: linear in the lower four lanes, angular in the upper four.
#[inline(always)]
pub(in crate::kinematics) fn column<const FUSED: bool>(is_turning: bool, axis: Four, lever: Four) -> Eight {
    let (linear, angular) = if is_turning { (axis.cross::<FUSED>(lever), axis) } else { (axis, Four::ZERO) };
    let mut column = Eight::ZERO;
    for lane in 0..4 {
        column.0[lane] = linear.0[lane];
        column.0[lane + 4] = angular.0[lane];
    }
    column
}

/// A posed chain: the flange, and axis and a point on it of every joint.
#[derive(Clone, Copy, Debug)]
pub(in crate::kinematics) struct Posed {
    pub(in crate::kinematics) flange: Axes,
    pub(in crate::kinematics) axes: [Four; MAX_JOINTS],
    pub(in crate::kinematics) points: [Four; MAX_JOINTS],
}

#[inline(always)]
pub(in crate::kinematics) fn posed<const FUSED: bool>(constants: &WalkConstants, q: &Positions) -> Posed {
    let mut axes = [Four::ZERO; MAX_JOINTS];
    let mut points = [Four::ZERO; MAX_JOINTS];
    let flange = walk::<FUSED>(constants, q, |index, before, _| {
        axes[index] = before.z;
        points[index] = before.p;
    });
    Posed { flange, axes, points }
}

#[inline(always)]
pub(super) fn flange<const FUSED: bool>(constants: &WalkConstants, q: &Positions) -> Axes {
    walk::<FUSED>(constants, q, |_, _, _| ())
}

#[inline(always)]
pub(super) fn frames<const FUSED: bool>(
    constants: &WalkConstants,
    q: &Positions,
    into: &mut [Axes; MAX_JOINTS],
) -> Axes {
    walk::<FUSED>(constants, q, |index, _, after| into[index] = *after)
}

/// The columns of all joints of a posed chain.
#[inline(always)]
pub(in crate::kinematics) fn columns<const FUSED: bool>(
    constants: &WalkConstants,
    posed: &Posed,
    into: &mut [Eight; MAX_JOINTS],
) {
    let turns = &constants.lanes.turns;
    for index in 0..constants.count.min(MAX_JOINTS) {
        let is_turning = turns[index / 8].0[index % 8] > 0.5;
        into[index] = column::<FUSED>(is_turning, posed.axes[index], posed.flange.p - posed.points[index]);
    }
}

#[inline(always)]
pub(super) fn flange_and_columns<const FUSED: bool>(
    constants: &WalkConstants,
    q: &Positions,
    into: &mut [Eight; MAX_JOINTS],
) -> Axes {
    let posed = posed::<FUSED>(constants, q);
    columns::<FUSED>(constants, &posed, into);
    posed.flange
}
