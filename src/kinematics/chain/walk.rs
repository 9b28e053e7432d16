//! The pass over the joints, written once and compiled for each set of instructions.

use super::Chain;
use super::description::JointKind;
use super::gauge::{Frame, Step};
use crate::joints::{JointVector, MAX_JOINTS};
use crate::kinematics::Jacobian;
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

    /// The frame `other`, described in this one, in the frame this one is described in.
    #[inline(always)]
    pub(in crate::kinematics) fn times<const FUSED: bool>(&self, other: &Self) -> Self {
        Self {
            x: self.turned::<FUSED>(other.x),
            y: self.turned::<FUSED>(other.y),
            z: self.turned::<FUSED>(other.z),
            p: self.p + self.turned::<FUSED>(other.p),
        }
    }

    /// A vector in the axes of this frame, in those the frame is described in.
    #[inline(always)]
    fn turned<const FUSED: bool>(&self, v: Four) -> Four {
        self.x.times_plus::<FUSED>(v.0[0], self.y.times_plus::<FUSED>(v.0[1], self.z.scaled(v.0[2])))
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
    /// 1 for turning joints, otherwise 0.
    turns: [Eight; 2],
    /// 1 for sliding joints, otherwise 0. Behind the last joint both are 0.
    slides: [Eight; 2],
    theta: [Eight; 2],
    d: [Eight; 2],
    sin_alpha: [Eight; 2],
    cos_alpha: [Eight; 2],
}

impl StepLanes {
    /// `steps` of which the first `count` are joints.
    pub(super) fn of(steps: &[Step; MAX_JOINTS], count: usize) -> Self {
        let lanes = |of: &dyn Fn(&Step) -> f64| {
            let mut lanes = [Eight::ZERO; 2];
            for (index, step) in steps.iter().enumerate() {
                lanes[index / 8].0[index % 8] = of(step);
            }
            lanes
        };
        let moving = |is_sliding: bool| {
            let mut lanes =
                lanes(&|step| f64::from(u8::from((step.kind == JointKind::Prismatic) == is_sliding)));
            for index in count..MAX_JOINTS {
                lanes[index / 8].0[index % 8] = 0.0;
            }
            lanes
        };
        Self {
            turns: moving(false),
            slides: moving(true),
            theta: lanes(&|step| step.theta),
            d: lanes(&|step| step.d),
            sin_alpha: lanes(&|step| step.sin_alpha),
            cos_alpha: lanes(&|step| step.cos_alpha),
        }
    }
}

/// What the turn of a step about its new x axis and the shift along the new axes are made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct StepConstants {
    a: f64,
    b: f64,
    sin_alpha: f64,
    cos_alpha: f64,
}

impl StepConstants {
    pub(super) fn of(step: &Step) -> Self {
        Self { a: step.a, b: step.b, sin_alpha: step.sin_alpha, cos_alpha: step.cos_alpha }
    }
}

/// What `q` makes of the steps of eight joints, a lane a joint.
struct Turned {
    sine: Eight,
    cosine: Eight,
    s_ca: Eight,
    c_ca: Eight,
    s_sa: Eight,
    c_sa: Eight,
    d: Eight,
}

impl Turned {
    #[inline(always)]
    fn at<const FUSED: bool>(lanes: &StepLanes, block: usize, q: &Eight) -> Self {
        let (sine, cosine) = sin_cos::<FUSED>(q.times_plus::<FUSED>(lanes.turns[block], lanes.theta[block]));
        let (sin_alpha, cos_alpha) = (lanes.sin_alpha[block], lanes.cos_alpha[block]);
        Self {
            sine,
            cosine,
            s_ca: sine * cos_alpha,
            c_ca: cosine * cos_alpha,
            s_sa: sine * sin_alpha,
            c_sa: cosine * sin_alpha,
            d: q.times_plus::<FUSED>(lanes.slides[block], lanes.d[block]),
        }
    }
}

/// For how many joints a kernel is compiled: the next larger of a few numbers, so that its loops are unrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    Four,
    Six,
    Seven,
    Nine,
    Twelve,
}

impl Width {
    pub(crate) const fn of(joints: usize) -> Self {
        match joints {
            0..=4 => Self::Four,
            5..=6 => Self::Six,
            7 => Self::Seven,
            8..=9 => Self::Nine,
            _ => Self::Twelve,
        }
    }
}

/// Evaluates an expression with the constant `$n` that stands for a [`Width`].
macro_rules! for_width {
    ($width:expr, $n:ident => $body:expr) => {
        match $width {
            $crate::kinematics::chain::Width::Four => {
                const $n: usize = 4;
                $body
            }
            $crate::kinematics::chain::Width::Six => {
                const $n: usize = 6;
                $body
            }
            $crate::kinematics::chain::Width::Seven => {
                const $n: usize = 7;
                $body
            }
            $crate::kinematics::chain::Width::Nine => {
                const $n: usize = 9;
                $body
            }
            $crate::kinematics::chain::Width::Twelve => {
                const $n: usize = 12;
                $body
            }
        }
    };
}
pub(crate) use for_width;

/// What the walk needs of a chain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::kinematics) struct WalkConstants {
    pub(super) lanes: StepLanes,
    pub(super) steps: [StepConstants; MAX_JOINTS],
    pub(super) is_turning: [bool; MAX_JOINTS],
    /// Frame of the first joint.
    pub(super) base: Axes,
    /// Number of joints that move, with or without a drive of their own.
    pub(in crate::kinematics) count: usize,
    /// Number of steps that are walked: behind the last joint come steps that change nothing.
    pub(in crate::kinematics) width: Width,
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
fn walk<const FUSED: bool, const N: usize>(
    constants: &WalkConstants,
    q: &Positions,
    mut visit: impl FnMut(usize, &Axes, &Axes),
) -> Axes {
    let mut frame = constants.base;
    let mut turned = Turned::at::<FUSED>(&constants.lanes, 0, &q[0]);
    for joint in 0..N {
        if joint == 8 {
            turned = Turned::at::<FUSED>(&constants.lanes, 1, &q[1]);
        }
        let (step, lane) = (&constants.steps[joint], joint % 8);
        let Axes { x, y, z, p } = frame;
        // x cos + y sin; then (y cos - x sin) turned with z by alpha. What waits longest is added last.
        let next_x = y.times_plus::<FUSED>(turned.sine.0[lane], x.scaled(turned.cosine.0[lane]));
        let next_y = y.times_plus::<FUSED>(
            turned.c_ca.0[lane],
            z.times_plus::<FUSED>(step.sin_alpha, x.scaled(-turned.s_ca.0[lane])),
        );
        let next_z = y.times_plus::<FUSED>(
            -turned.c_sa.0[lane],
            z.times_plus::<FUSED>(step.cos_alpha, x.scaled(turned.s_sa.0[lane])),
        );
        let shift = next_x
            .times_plus::<FUSED>(step.a, next_y.times_plus::<FUSED>(step.b, z.scaled(turned.d.0[lane])));
        let next = Axes { x: next_x, y: next_y, z: next_z, p: p + shift };
        visit(joint, &frame, &next);
        frame = next;
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

/// A posed chain: the flange, and axis and a point on it of every joint.
#[derive(Clone, Copy, Debug)]
pub(in crate::kinematics) struct Posed<const N: usize> {
    pub(in crate::kinematics) flange: Axes,
    pub(in crate::kinematics) axes: [Four; N],
    pub(in crate::kinematics) points: [Four; N],
}

#[inline(always)]
pub(in crate::kinematics) fn posed<const FUSED: bool, const N: usize>(
    constants: &WalkConstants,
    q: &Positions,
) -> Posed<N> {
    let mut axes = [Four::ZERO; N];
    let mut points = [Four::ZERO; N];
    let flange = walk::<FUSED, N>(constants, q, |index, before, _| {
        axes[index] = before.z;
        points[index] = before.p;
    });
    Posed { flange, axes, points }
}

impl<const N: usize> Posed<N> {
    /// Linear and angular velocity of the flange for a unit speed of a joint.
    #[inline(always)]
    pub(in crate::kinematics) fn column<const FUSED: bool>(
        &self,
        constants: &WalkConstants,
        joint: usize,
    ) -> (Four, Four) {
        let axis = self.axes[joint];
        // A sliding joint moves along its axis and turns nothing.
        if constants.is_turning[joint] {
            (axis.cross::<FUSED>(self.flange.p - self.points[joint]), axis)
        } else {
            (axis, Four::ZERO)
        }
    }
}

/// The pose of the flange as axes and origin.
#[inline(always)]
pub(super) fn flange<const FUSED: bool>(chain: &Chain, q: &JointVector) -> Axes {
    let constants = chain.constants();
    let q = chain.positions(q);
    for_width!(constants.width, N => walk::<FUSED, N>(constants, &q, |_, _, _| ()))
}

/// The pose of the flange and, into `into`, the frame behind each joint's step.
#[inline(always)]
pub(super) fn frames<const FUSED: bool>(
    chain: &Chain,
    q: &JointVector,
    into: &mut [Axes; MAX_JOINTS],
) -> Axes {
    let constants = chain.constants();
    let q = chain.positions(q);
    for_width!(constants.width, N => {
        walk::<FUSED, N>(constants, &q, |index, _, after| into[index] = *after)
    })
}

/// The pose of the flange and, into `into`, the columns of all moving joints.
#[inline(always)]
pub(super) fn flange_and_jacobian<const FUSED: bool>(
    chain: &Chain,
    q: &JointVector,
    into: &mut Jacobian,
) -> Axes {
    let constants = chain.constants();
    let q = chain.positions(q);
    for_width!(constants.width, N => {
        let posed = posed::<FUSED, N>(constants, &q);
        for joint in 0..N {
            let (linear, angular) = posed.column::<FUSED>(constants, joint);
            let target = &mut into.data.0[joint];
            // Four numbers at once; the fourth is written again.
            target[..4].copy_from_slice(&linear.0);
            target[3..].copy_from_slice(&angular.0[..3]);
        }
        for joint in 0..MAX_JOINTS {
            if joint >= constants.count {
                into.data.0[joint] = [0.0; 6];
            }
        }
        posed.flange
    })
}
