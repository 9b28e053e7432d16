//! From a described chain to the fewest constants a joint: frames are slid and turned along the joint axes until
//! every step is a turn about z, a shift and a turn about the new x.
//!
//! Source: Denavit, Hartenberg 1955. Axes that are nearly parallel have their common normal far away; there the
//! frame stays beside its neighbour and the shift keeps a part along the new y (Hayati, Mirmirani 1985).

use nalgebra::{Matrix3, Vector3};

use super::description::JointKind;
use crate::joints::MAX_JOINTS;

/// A rigid transform as the kernels want it: no quaternion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::kinematics) struct Frame {
    pub(in crate::kinematics) rotation: Matrix3<f64>,
    pub(in crate::kinematics) translation: Vector3<f64>,
}

impl Frame {
    pub(in crate::kinematics) fn identity() -> Self {
        Self { rotation: Matrix3::identity(), translation: Vector3::zeros() }
    }

    pub(in crate::kinematics) fn times(&self, other: &Self) -> Self {
        Self {
            rotation: self.rotation * other.rotation,
            translation: self.translation + self.rotation * other.translation,
        }
    }

    pub(in crate::kinematics) fn inverse(&self) -> Self {
        let rotation = self.rotation.transpose();
        Self { rotation, translation: -(rotation * self.translation) }
    }
}

/// One joint and what is fixed behind it: a turn by `q + theta` about z (a sliding joint: by `theta`), a shift of
/// `d` along z (a sliding joint: of `q + d`), a turn by alpha about the new x, and a shift of `a` along the new x and
/// `b` along the new y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::kinematics) struct Step {
    pub(in crate::kinematics) kind: JointKind,
    pub(in crate::kinematics) theta: f64,
    pub(in crate::kinematics) d: f64,
    pub(in crate::kinematics) a: f64,
    pub(in crate::kinematics) b: f64,
    pub(in crate::kinematics) sin_alpha: f64,
    pub(in crate::kinematics) cos_alpha: f64,
}

impl Step {
    const NONE: Self = Self {
        kind: JointKind::Revolute,
        theta: 0.0,
        d: 0.0,
        a: 0.0,
        b: 0.0,
        sin_alpha: 0.0,
        cos_alpha: 1.0,
    };
}

/// Where a joint is at q = 0, in the base frame: a point of its axis and the direction.
#[derive(Clone, Copy, Debug)]
pub(in crate::kinematics) struct Axis {
    pub(in crate::kinematics) kind: JointKind,
    pub(in crate::kinematics) point: Vector3<f64>,
    pub(in crate::kinematics) direction: Vector3<f64>,
}

/// The frames and steps of a chain at q = 0.
#[derive(Clone, Copy, Debug)]
pub(in crate::kinematics) struct Layout {
    /// Frame of the first joint, in the base frame.
    pub(in crate::kinematics) base: Frame,
    pub(in crate::kinematics) steps: [Step; MAX_JOINTS],
    /// Frame behind the step of each joint, in the base frame.
    pub(in crate::kinematics) behind: [Frame; MAX_JOINTS],
    /// The flange in the frame behind the last step.
    pub(in crate::kinematics) x_last_flange: Frame,
}

/// Lays frames along `axes` (at least one, base first) up to the flange.
pub(in crate::kinematics) fn lay_out(axes: &[Axis], flange: &Frame) -> Layout {
    let base = axes.first().map_or_else(Frame::identity, first_frame);
    let mut layout = Layout {
        base,
        steps: [Step::NONE; MAX_JOINTS],
        behind: [base; MAX_JOINTS],
        x_last_flange: Frame::identity(),
    };
    let mut frame = base;
    for (index, axis) in axes.iter().enumerate().take(MAX_JOINTS) {
        let column = |index| flange.rotation.column(index).into_owned();
        let at_flange = Axis { kind: axis.kind, point: flange.translation, direction: column(2) };
        let (next, x_wanted) = match axes.get(index + 1) {
            Some(next) => (next, None),
            None => (&at_flange, Some(column(0))),
        };
        (layout.steps[index], frame) = step_to(axis.kind, &frame, next, x_wanted);
        layout.behind[index] = frame;
    }
    layout.x_last_flange = frame.inverse().times(flange);
    layout
}

/// Sine of the angle between two axes above which their common normal is used.
const SINE_MIN: f64 = 0.05;
/// What is smaller than this is rounding of the description (rad and m).
const ROUNDING: f64 = 4e-15;

/// A frame on the first axis, near the base frame's orientation.
fn first_frame(axis: &Axis) -> Frame {
    let z = axis.direction;
    // The base axis that is most across; for a coordinate axis the frame is then exact.
    let across = if z.x.abs() < 0.9 { Vector3::x() } else { Vector3::y() };
    let x = (across - z * z.dot(&across)).normalize();
    Frame { rotation: Matrix3::from_columns(&[x, z.cross(&x), z]), translation: axis.point }
}

/// The step of a joint that stands in `frame`, up to the axis `next`, and the frame there (all at q = 0).
///
/// `x_wanted` is used where the two axes are one line, so that nothing is left to turn behind the last of them.
fn step_to(kind: JointKind, frame: &Frame, next: &Axis, x_wanted: Option<Vector3<f64>>) -> (Step, Frame) {
    let (x_old, z_old) = (frame.rotation.column(0).into_owned(), frame.rotation.column(2).into_owned());
    let z = next.direction;
    let normal = z_old.cross(&z);
    let sine = normal.norm();
    let cosine = z_old.dot(&z);
    let offset = next.point - frame.translation;

    // Where on the next axis the frame stands.
    let origin = if sine > SINE_MIN {
        let along = (cosine * offset.dot(&z_old) - offset.dot(&z)) / (sine * sine);
        next.point + z * along
    } else if x_wanted.is_some() {
        next.point
    } else {
        next.point - z * (offset.dot(&z_old) / cosine)
    };
    let shift = origin - frame.translation;

    let across = shift - z_old * z_old.dot(&shift);
    let x = if sine > ROUNDING {
        normal / sine
    } else if across.norm() > 1e-9 {
        across.normalize()
    } else {
        x_wanted.unwrap_or(x_old)
    };
    let x = (x - z * z.dot(&x)).normalize();
    let rotation = Matrix3::from_columns(&[x, z.cross(&x), z]);

    let (sin_alpha, cos_alpha) = exact_pair(normal.dot(&x), cosine);
    let theta = z_old.dot(&x_old.cross(&x)).atan2(x_old.dot(&x));
    let a = shift.dot(&x);
    let (d, b) = if sine > SINE_MIN {
        (shift.dot(&z_old), 0.0)
    } else {
        let b = shift.dot(&z_old.cross(&x)) / cos_alpha;
        (shift.dot(&z_old) - b * sin_alpha, b)
    };
    let step =
        Step { kind, theta: exact(theta), d: exact(d), a: exact(a), b: exact(b), sin_alpha, cos_alpha };
    (step, Frame { rotation, translation: origin })
}

fn exact(value: f64) -> f64 {
    if value.abs() < ROUNDING { 0.0 } else { value }
}

/// Sine and cosine on the unit circle, right angles exactly.
fn exact_pair(sine: f64, cosine: f64) -> (f64, f64) {
    if cosine.abs() < ROUNDING {
        (sine.signum(), 0.0)
    } else if sine.abs() < ROUNDING {
        (0.0, cosine.signum())
    } else {
        let length = sine.hypot(cosine);
        (sine / length, cosine / length)
    }
}
