//! The damped Newton loop, one kernel from seed to answer so that nothing leaves the registers of its instructions.

use nalgebra::{Matrix3, Rotation3, UnitQuaternion};

use super::{InverseResult, InverseSettings};
use crate::geometry::Pose;
use crate::joints::{JointVector, MAX_JOINTS};
use crate::kinematics::chain::{Axes, Chain, Posed, Positions, for_width, lanes_of};
use crate::kinematics::instructions::compiled_for_each;
use crate::kinematics::lanes::{Eight, Four, fma};

/// Damping for each unit of squared error; tuned on random poses of six- and seven-joint arms.
const DAMPING_OF_ERROR: f64 = 1e-2;
/// Keeps J Jᵀ positive definite at exactly singular poses (m² and rad² are near one for industrial arms).
const DAMPING_MIN: f64 = 1e-14;
/// What multiplies the damping after a step was taken back.
const DAMPING_GROWTH: f64 = 16.0;

compiled_for_each!(
    four lanes: pub(super) fn solve(
        chain: &Chain, target: &Target, seed: &JointVector, settings: &InverseSettings
    ) -> InverseResult,
    newton
);

/// Lanes of a displacement: x y z in the lower four, the rotation vector in the upper four.
const ROWS: [usize; 6] = [0, 1, 2, 4, 5, 6];

#[inline(always)]
fn newton<const FUSED: bool>(
    chain: &Chain,
    target: &Target,
    seed: &JointVector,
    settings: &InverseSettings,
) -> InverseResult {
    if !seed.is_finite() || !target.is_finite() {
        return InverseResult::NotConverged {
            q: JointVector::from_padded(seed.as_padded(), chain.joint_count()),
            position_error_m: f64::INFINITY,
            orientation_error_rad: f64::INFINITY,
        };
    }
    let (q, end) =
        for_width!(chain.constants().width, N => iterate::<FUSED, N>(chain, target, seed, settings));
    let mut values = [0.0; MAX_JOINTS];
    values[..8].copy_from_slice(&q[0].0);
    values[8..].copy_from_slice(&q[1].0[..MAX_JOINTS - 8]);
    let q = JointVector::from_padded(&values, chain.joint_count());
    match end {
        End::Converged(iterations) => InverseResult::Converged { q, iterations },
        End::NotConverged(error) => InverseResult::NotConverged {
            q,
            position_error_m: error.position_squared.sqrt(),
            orientation_error_rad: error.orientation_squared.sqrt(),
        },
    }
}

/// How the steps ended.
enum End {
    Converged(u8),
    NotConverged(PoseError),
}

/// The loop itself, for at most `N` joints.
#[inline(always)]
fn iterate<const FUSED: bool, const N: usize>(
    chain: &Chain,
    target: &Target,
    seed: &JointVector,
    settings: &InverseSettings,
) -> (Positions, End) {
    let position_allowed = settings.position_tolerance_m * settings.position_tolerance_m;
    let orientation_allowed = settings.orientation_tolerance_rad * settings.orientation_tolerance_rad;
    let mut q = lanes_of(seed.as_padded());
    let mut at = chain.posed::<FUSED, N>(&q);
    let mut error = target.error::<FUSED, N>(&at);
    let mut growth = 1.0;
    let mut iterations = 0;
    while !(error.position_squared <= position_allowed && error.orientation_squared <= orientation_allowed) {
        if iterations == settings.iterations_max {
            return (q, End::NotConverged(error));
        }
        iterations += 1;

        let jacobian = chain.columns::<FUSED, N>(&at);
        let damping = growth * DAMPING_OF_ERROR * error.squared() + DAMPING_MIN;
        let y = damped_solve::<FUSED, N>(&jacobian, damping, error.vector);
        let mut step = [Eight::ZERO; 2];
        for joint in 0..N {
            let p = (jacobian[joint] * y).0;
            step[joint / 8].0[joint % 8] = ((p[0] + p[4]) + (p[1] + p[5])) + (p[2] + p[6]);
        }
        let largest = step[0].max_abs().max(step[1].max_abs());
        let scale = Eight::splat(if largest > settings.step_max { settings.step_max / largest } else { 1.0 });
        let q_next = [step[0].times_plus::<FUSED>(scale, q[0]), step[1].times_plus::<FUSED>(scale, q[1])];
        let at_next = chain.posed::<FUSED, N>(&q_next);
        let error_next = target.error::<FUSED, N>(&at_next);
        if error_next.squared() < error.squared() {
            (q, at, error) = (q_next, at_next, error_next);
            growth = (growth / DAMPING_GROWTH).max(1.0);
        } else {
            // Also the way out when rounding made the step NaN.
            growth *= DAMPING_GROWTH;
        }
    }
    (q, End::Converged(iterations))
}

/// (J Jᵀ + λ I)⁻¹ e by L D Lᵀ without pivoting, columns as lanes; the right-hand side is eliminated on the way.
///
/// Source: Golub, Van Loan 2013, algorithm 4.1.2, in its outer-product form.
#[inline(always)]
fn damped_solve<const FUSED: bool, const N: usize>(
    jacobian: &[Eight; N],
    damping: f64,
    error: Eight,
) -> Eight {
    let mut gram = [Eight::ZERO; 6];
    for (column, &row) in gram.iter_mut().zip(&ROWS) {
        column.0[row] = damping;
    }
    for column in jacobian {
        for (sum, &row) in gram.iter_mut().zip(&ROWS) {
            *sum = column.times_plus::<FUSED>(Eight::splat(column.0[row]), *sum);
        }
    }
    let mut right = error;
    let mut lower = [Eight::ZERO; 6];
    let mut solved = [0.0; 6];
    for k in 0..6 {
        let row = ROWS[k];
        let inverse = 1.0 / gram[k].0[row];
        let scaled = gram[k] * Eight::splat(inverse);
        lower[k] = scaled;
        solved[k] = right.0[row] * inverse;
        right = scaled.times_plus::<FUSED>(Eight::splat(-right.0[row]), right);
        for j in k + 1..6 {
            gram[j] = scaled.times_plus::<FUSED>(Eight::splat(-gram[k].0[ROWS[j]]), gram[j]);
        }
    }
    for k in (0..5).rev() {
        for j in (k + 1..6).rev() {
            solved[k] = fma::<FUSED>(-lower[k].0[ROWS[j]], solved[j], solved[k]);
        }
    }
    let [a, b, c, d, e, f] = solved;
    Eight([a, b, c, 0.0, d, e, f, 0.0])
}

/// The wanted pose in the form the loop compares with.
pub(in crate::kinematics) struct Target {
    pub(in crate::kinematics) axes: Axes,
}

impl Target {
    pub(in crate::kinematics) fn new(x_base_flange: &Pose) -> Self {
        let (q, p) = (x_base_flange.rotation.coords, x_base_flange.translation.vector);
        let (x2, y2, z2) = (q.x + q.x, q.y + q.y, q.z + q.z);
        let (xx, yy, zz) = (q.x * x2, q.y * y2, q.z * z2);
        let (xy, xz, yz) = (q.x * y2, q.x * z2, q.y * z2);
        let (wx, wy, wz) = (q.w * x2, q.w * y2, q.w * z2);
        Self {
            axes: Axes {
                x: Four([1.0 - (yy + zz), xy + wz, xz - wy, 0.0]),
                y: Four([xy - wz, 1.0 - (xx + zz), yz + wx, 0.0]),
                z: Four([xz + wy, yz - wx, 1.0 - (xx + yy), 0.0]),
                p: Four([p.x, p.y, p.z, 0.0]),
            },
        }
    }

    fn is_finite(&self) -> bool {
        let Axes { x, y, z, p } = &self.axes;
        [x, y, z, p].into_iter().all(|part| part.0.iter().all(|value| value.is_finite()))
    }

    /// What is still missing to the wanted pose.
    #[inline(always)]
    fn error<const FUSED: bool, const N: usize>(&self, posed: &Posed<N>) -> PoseError {
        let (wanted, is) = (&self.axes, &posed.flange);
        let position = wanted.p - is.p;
        let orientation = rotation_vector::<FUSED>(is, wanted);
        let mut vector = Eight::ZERO;
        for lane in 0..4 {
            vector.0[lane] = position.0[lane];
            vector.0[lane + 4] = orientation.0[lane];
        }
        PoseError {
            vector,
            position_squared: position.dot(position),
            orientation_squared: orientation.dot(orientation),
        }
    }
}

/// What is still missing to the wanted pose.
#[derive(Clone, Copy)]
struct PoseError {
    vector: Eight,
    position_squared: f64,
    orientation_squared: f64,
}

impl PoseError {
    #[inline(always)]
    fn squared(&self) -> f64 {
        self.position_squared + self.orientation_squared
    }
}

/// Rotation vector (rad, base axes) of the turn from `is` to `wanted`, angle in 0..=π.
#[inline(always)]
pub(super) fn rotation_vector<const FUSED: bool>(is: &Axes, wanted: &Axes) -> Four {
    // Twice sine times axis, and the trace of the turn.
    let twice_sine_axis =
        is.x.cross::<FUSED>(wanted.x) + is.y.cross::<FUSED>(wanted.y) + is.z.cross::<FUSED>(wanted.z);
    let diagonal = is.x * wanted.x + is.y * wanted.y + is.z * wanted.z;
    let trace = (diagonal.0[0] + diagonal.0[1]) + diagonal.0[2];
    let sine_squared = 0.25 * twice_sine_axis.dot(twice_sine_axis);
    if trace > 1.0 && sine_squared < 1e-6 {
        // asin(x) / x to the fourth power: the next term is below 1e-19.
        twice_sine_axis.scaled(0.5 * (1.0 + sine_squared * (1.0 / 6.0 + sine_squared * 0.075)))
    } else {
        far_turn(is, wanted, twice_sine_axis, trace, sine_squared)
    }
}

/// Rotation vector (rad) of a turn that is not small, angle in 0..=π.
#[inline(never)]
fn far_turn(is: &Axes, wanted: &Axes, twice_sine_axis: Four, trace: f64, sine_squared: f64) -> Four {
    let cosine = 0.5 * (trace - 1.0);
    if cosine > -0.9 {
        let sine = sine_squared.sqrt();
        return twice_sine_axis.scaled(0.5 * sine.atan2(cosine) / sine);
    }
    // Near half a turn the axis is not in the antisymmetric part any more.
    let rotation: Matrix3<f64> = wanted.frame().rotation * is.frame().rotation.transpose();
    let quaternion = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(rotation));
    Four::of(&quaternion.scaled_axis())
}
