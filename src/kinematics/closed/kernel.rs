//! All branches at once, a lane each: shoulder, elbow and wrist by the bits of the lane.

use super::{Class, Geometry};
use crate::joints::JointVector;
use crate::kinematics::chain::{Axes, Step};
use crate::kinematics::instructions::compiled_for_each;
use crate::kinematics::lanes::{Eight, atan2, sin_cos};

/// Signs of the roots that make the branches apart.
const SHOULDER: Eight = Eight([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0]);
const ELBOW: Eight = Eight([1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0, -1.0]);
const WRIST: Eight = Eight([1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0]);

/// Square of the length of a lever (of 1 m or 1) below which the angle it fixes is free.
const FREE_SQUARED: f64 = 1e-20;
/// How far outside a cosine may be and still be rounding.
const COSINE_MARGIN: f64 = 1e-9;

/// Square of what a branch may miss the pose by, m² and rad², and still count as exact.
const EXACT_SQUARED: f64 = 1e-25;

/// Joint positions of all branches, a lane each, and which of them count: bit i for lane i.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes {
    /// Joint positions, -π..=π.
    pub(super) q: [Eight; 6],
    /// The branch exists.
    pub(super) exists: u8,
    /// The branch meets the pose to the last digits.
    pub(super) is_exact: u8,
}

compiled_for_each!(
    pub(super) fn branches(geometry: &Geometry, target: &Axes, reference: &JointVector) -> Lanes,
    solve
);

/// A sine and cosine for each lane.
#[derive(Clone, Copy)]
struct Turn {
    s: Eight,
    c: Eight,
}

impl Turn {
    /// The turn that takes the direction of u to that of v; `free` where one of them is nothing.
    #[inline(always)]
    fn between(u: [Eight; 2], v: [Eight; 2], free: Self) -> Self {
        let lengths = ((u[0] * u[0] + u[1] * u[1]) * (v[0] * v[0] + v[1] * v[1])).root();
        let is_fixed = lengths - Eight::splat(FREE_SQUARED);
        let inverse = Eight::splat(1.0) / lengths.or_where_negative(is_fixed, Eight::splat(1.0));
        let c = (u[0] * v[0] + u[1] * v[1]) * inverse;
        let s = (u[0] * v[1] - u[1] * v[0]) * inverse;
        Self { s: s.or_where_negative(is_fixed, free.s), c: c.or_where_negative(is_fixed, free.c) }
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        Self { s: self.s * other.c - self.c * other.s, c: self.c * other.c + self.s * other.s }
    }

    #[inline(always)]
    fn flipped(self, sign: f64) -> Self {
        Self { s: sign * self.s, c: self.c }
    }
}

/// What joints do that a singular pose leaves free.
struct FreeTurns {
    s: Eight,
    c: Eight,
}

impl FreeTurns {
    #[inline(always)]
    fn of(&self, joint: usize) -> Turn {
        Turn { s: Eight::splat(self.s.0[joint]), c: Eight::splat(self.c.0[joint]) }
    }
}

#[inline(always)]
fn solve<const FUSED: bool>(geometry: &Geometry, target: &Axes, reference: &JointVector) -> Lanes {
    let [step1, step2, step3, step4, step5, _] = &geometry.steps;
    let angles = Eight::of(reference.as_padded()) + geometry.theta;
    let (free_s, free_c) = sin_cos::<FUSED>(angles);
    let free = FreeTurns { s: free_s, c: free_c };

    // The pose of the frame behind joint 6, seen from the frame of joint 1; only its turn about z depends on q6.
    let x = geometry.seen_from_first::<FUSED>(target);
    let [wx, wy, wz] = x.p;

    // Joint 1: the target's distance along axis 2 does not depend on the joints behind it.
    let y = (step1.cos_alpha * (wz - step1.d) - geometry.height) / step1.sin_alpha;
    let across_squared = wx * wx + wy * wy;
    let forward_squared = across_squared - y * y;
    let forward = Eight::splat(forward_squared.max(0.0).sqrt()) * SHOULDER;
    let t1 = Turn::between([forward, Eight::splat(y)], [Eight::splat(wx), Eight::splat(wy)], free.of(0));
    let mut exists = Eight::splat(forward_squared + COSINE_MARGIN * (1.0 + across_squared));

    // Where the target is in the frame of joint 2.
    let px = forward - Eight::splat(step1.a);
    let py = Eight::splat(step1.cos_alpha * y + step1.sin_alpha * (wz - step1.d));

    // Columns of the wanted orientation in the frame of joint 2.
    let wanted = [into_second(step1, t1, x.x), into_second(step1, t1, x.y), into_second(step1, t1, x.z)];

    let (t2, t3, t4, t5, t6);
    match geometry.class {
        Class::SphericalWrist => {
            let (found2, found3, inside) = two_links(px, py, step2.a, geometry.forearm, free.of(1));
            exists = exists.min(inside);
            let (s, c) = geometry.forearm_turn;
            let forearm_turn = Turn { s: Eight::splat(s), c: Eight::splat(c) };
            (t2, t3) = (found2, found3.minus(forearm_turn).flipped(step2.cos_alpha));
            // The wanted orientation in the frame of joint 4.
            let first = behind(step3, t3, behind(step2, t2, wanted[0]));
            let third = behind(step3, t3, behind(step2, t2, wanted[2]));
            let (found5, inside) =
                wrist_angle(step4, step5, third[2], third[0] * third[0] + third[1] * third[1]);
            exists = exists.min(inside);
            t5 = found5;
            // The third column is that of a turn by joint 4 of what joint 5 makes of it.
            let n = [
                step5.sin_alpha * t5.s,
                Eight::splat(-step4.sin_alpha * step5.cos_alpha) - (step4.cos_alpha * step5.sin_alpha) * t5.c,
            ];
            t4 = Turn::between(n, [third[0], third[1]], free.of(3));
            let first_column = behind(step5, t5, behind(step4, t4, first));
            t6 = Turn { s: first_column[1], c: first_column[0] };
        }
        Class::ThreeParallel => {
            let sign = step2.cos_alpha * step3.cos_alpha;
            // The third row in the frame of joint 4 is known: its z axis is that of joint 2 but for the sign.
            let row = [sign * wanted[0][2], sign * wanted[1][2], sign * wanted[2][2]];
            let (found5, inside) = wrist_angle(step4, step5, row[2], row[0] * row[0] + row[1] * row[1]);
            exists = exists.min(inside);
            t5 = found5;
            let k = [
                step4.sin_alpha * t5.s,
                (step4.sin_alpha * step5.cos_alpha) * t5.c + Eight::splat(step4.cos_alpha * step5.sin_alpha),
            ];
            t6 = Turn::between([row[0], row[1]], k, free.of(5));
            let (axis_x, all_c) = turned_back(step5, t5, t6, [wanted[0][0], wanted[1][0], wanted[2][0]]);
            let (axis_y, all_s) = turned_back(step5, t5, t6, [wanted[0][1], wanted[1][1], wanted[2][1]]);
            let all = Turn { s: all_s, c: all_c };
            let ox = px - step5.d * axis_x - step4.a * all.c;
            let oy = py - step5.d * axis_y - step4.a * all.s;
            let (found2, found3, inside) = two_links(ox, oy, step2.a, step3.a, free.of(1));
            exists = exists.min(inside);
            t2 = found2;
            t3 = found3.flipped(step2.cos_alpha);
            t4 = all.minus(found2).minus(found3).flipped(sign);
        }
    }

    let turns = [t1, t2, t3, t4, t5, t6];
    let mut q = [Eight::ZERO; 6];
    for (joint, turn) in turns.iter().enumerate() {
        let angle = atan2::<FUSED>(turn.s, turn.c) - Eight::splat(geometry.steps[joint].theta);
        q[joint] = wrapped(angle);
    }
    let missing_squared = missing(geometry, &turns, &x);
    Lanes {
        q,
        exists: exists.bits(|value| value >= 0.0),
        is_exact: missing_squared.bits(|value| value < EXACT_SQUARED),
    }
}

/// A direction seen from the frame of joint 1, in the frame of joint 2.
#[inline(always)]
fn into_second(step: &Step, turn: Turn, v: [f64; 3]) -> [Eight; 3] {
    let x = v[0] * turn.c + v[1] * turn.s;
    let y = v[1] * turn.c - v[0] * turn.s;
    [
        x,
        step.cos_alpha * y + Eight::splat(step.sin_alpha * v[2]),
        Eight::splat(step.cos_alpha * v[2]) - step.sin_alpha * y,
    ]
}

/// A row of the wanted orientation turned back by joint 6, the angle between and joint 5: its numbers along axis 5 and
/// along the x axis of the frame behind joint 4, which has the sum of the planar turns.
#[inline(always)]
fn turned_back(step5: &Step, t5: Turn, t6: Turn, row: [Eight; 3]) -> (Eight, Eight) {
    let x = row[0] * t6.c - row[1] * t6.s;
    let y = row[0] * t6.s + row[1] * t6.c;
    let y_of_5 = step5.cos_alpha * y - step5.sin_alpha * row[2];
    let z_of_5 = step5.sin_alpha * y + step5.cos_alpha * row[2];
    (z_of_5, x * t5.c - y_of_5 * t5.s)
}

/// v in the frame behind a step without its shift: turned back about z and about x.
#[inline(always)]
fn behind(step: &Step, turn: Turn, v: [Eight; 3]) -> [Eight; 3] {
    let x = v[0] * turn.c + v[1] * turn.s;
    let y = v[1] * turn.c - v[0] * turn.s;
    [x, step.cos_alpha * y + step.sin_alpha * v[2], step.cos_alpha * v[2] - step.sin_alpha * y]
}

/// Angles of two links of lengths `first` and `second` in a plane that reach (x, y), and how far inside it is.
#[inline(always)]
fn two_links(x: Eight, y: Eight, first: f64, second: f64, free: Turn) -> (Turn, Turn, Eight) {
    let squared = x * x + y * y;
    let cosine = (0.5 / (first * second)) * (squared - Eight::splat(first * first + second * second));
    let sine_squared = Eight::splat(1.0) - cosine * cosine;
    let cosine = limited(cosine);
    let bend = Turn { s: sine_squared.root() * ELBOW, c: cosine };
    let reach = [Eight::splat(first) + second * bend.c, second * bend.s];
    let lift = Turn::between(reach, [x, y], free);
    (lift, bend, sine_squared + Eight::splat(COSINE_MARGIN))
}

/// Joint 5 from the cosine between axes 4 and 6 and the square of the sine.
#[inline(always)]
fn wrist_angle(step4: &Step, step5: &Step, along: Eight, across_squared: Eight) -> (Turn, Eight) {
    let inverse = 1.0 / (step4.sin_alpha * step5.sin_alpha);
    let cosine = inverse * (Eight::splat(step4.cos_alpha * step5.cos_alpha) - along);
    // For right angles the sine comes from the part across, which keeps its digits where the cosine is one.
    let is_right = step4.cos_alpha == 0.0 && step5.cos_alpha == 0.0;
    let sine_squared = if is_right { across_squared } else { Eight::splat(1.0) - cosine * cosine };
    let sine = sine_squared.root() * WRIST;
    (Turn { s: sine, c: limited(cosine) }, Eight::splat(1.0 + COSINE_MARGIN) - cosine * cosine)
}

/// Brought into -1..=1.
#[inline(always)]
fn limited(cosine: Eight) -> Eight {
    cosine.map(|value| value.clamp(-1.0, 1.0))
}

/// An angle in -2π..=2π brought into -π..=π.
#[inline(always)]
fn wrapped(angle: Eight) -> Eight {
    use std::f64::consts::{PI, TAU};
    angle.map(|value| {
        let once = if value > PI { value - TAU } else { value };
        if once < -PI { once + TAU } else { once }
    })
}

/// Forward kinematics of all lanes from the sines and cosines found, compared with what is wanted: the larger of the
/// squares of distance (m) and, for small angles, of angle (rad).
#[inline(always)]
fn missing(geometry: &Geometry, turns: &[Turn; 6], x: &super::Seen) -> Eight {
    let one = Eight::splat(1.0);
    let mut columns =
        [[one, Eight::ZERO, Eight::ZERO], [Eight::ZERO, one, Eight::ZERO], [Eight::ZERO, Eight::ZERO, one]];
    let mut p = [Eight::ZERO; 3];
    for (index, turn) in turns.iter().enumerate() {
        let [cx, cy, cz] = columns;
        let mut next = [[Eight::ZERO; 3]; 3];
        for axis in 0..3 {
            next[0][axis] = cx[axis] * turn.c + cy[axis] * turn.s;
            next[1][axis] = cy[axis] * turn.c - cx[axis] * turn.s;
            next[2][axis] = cz[axis];
        }
        if index < 5 {
            let step = &geometry.steps[index];
            for axis in 0..3 {
                p[axis] = p[axis] + step.d * cz[axis] + step.a * next[0][axis];
                let (y, z) = (next[1][axis], next[2][axis]);
                next[1][axis] = step.cos_alpha * y + step.sin_alpha * z;
                next[2][axis] = step.cos_alpha * z - step.sin_alpha * y;
            }
        }
        columns = next;
    }
    let mut position = Eight::ZERO;
    let mut orientation = Eight::ZERO;
    for axis in 0..3 {
        let gap = p[axis] - Eight::splat(x.p[axis]);
        position = position + gap * gap;
        for (column, wanted) in columns.iter().zip([&x.x, &x.y, &x.z]) {
            let gap = column[axis] - Eight::splat(wanted[axis]);
            orientation = orientation + gap * gap;
        }
    }
    // The nine differences of a turn by a small angle add up to twice its square.
    position.max(0.5 * orientation)
}
