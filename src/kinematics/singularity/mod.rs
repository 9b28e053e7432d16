//! How far a pose is from a singular one. For planning and display; bounded, but not meant for every cycle.

mod distances;

pub use distances::{Anatomy, SingularDistances};

use super::Jacobian;
use super::chain::Chain;

/// Closeness to singular poses, from the singular values of the Jacobian.
///
/// Rotation rows are multiplied by the chain's characteristic length, so that all values are lengths (m per rad,
/// or a plain ratio for sliding joints).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Singularity {
    /// Smallest singular value, ≥ 0. Zero: a direction of the flange (or, below six joints, of joint space) is lost.
    pub smallest: f64,
    /// Largest singular value, ≥ 0.
    pub largest: f64,
    /// Product of all singular values, ≥ 0. Source: Yoshikawa 1985.
    pub manipulability: f64,
}

/// Singular values of `jacobian` of `chain`, min(6, joints) of them.
///
/// # Real-time
/// No allocation; at most 16 sweeps over 15 pairs. A Jacobian that is not finite gives NaN.
/// Source: one-sided Jacobi, Golub, Van Loan 2013, section 8.6.3.
#[must_use]
pub fn singularity(chain: &Chain, jacobian: &Jacobian) -> Singularity {
    let joints = chain.joint_count();
    if !jacobian.iter().all(|value| value.is_finite()) {
        return Singularity { smallest: f64::NAN, largest: f64::NAN, manipulability: f64::NAN };
    }
    let length = chain.characteristic_length_m();
    let mut scaled = *jacobian;
    scaled.fixed_rows_mut::<3>(3).scale_mut(length);

    // The shorter side becomes the vectors that are made orthogonal.
    let vectors = joints.min(6);
    let mut lines = [[0.0; crate::joints::MAX_JOINTS]; 6];
    for (index, line) in lines.iter_mut().enumerate().take(vectors) {
        for (entry, target) in line.iter_mut().enumerate() {
            *target = if joints >= 6 {
                scaled[(index, entry)]
            } else if entry < 6 {
                scaled[(entry, index)]
            } else {
                0.0
            };
        }
    }
    for _ in 0..16 {
        let mut rotated = false;
        for first in 0..vectors {
            for second in first + 1..vectors {
                rotated |= orthogonalise(&mut lines, first, second);
            }
        }
        if !rotated {
            break;
        }
    }
    let mut result = Singularity { smallest: f64::INFINITY, largest: 0.0, manipulability: 1.0 };
    for line in lines.iter().take(vectors) {
        let value = dot(line, line).sqrt();
        result.smallest = result.smallest.min(value);
        result.largest = result.largest.max(value);
        result.manipulability *= value;
    }
    result
}

/// Angle between the fourth and the sixth axis of a six-joint arm, folded to 0..=π/2, rad; for a spherical wrist
/// this is the distance of joint 5 from the singular pose, |q5|. `None` for other joint counts.
///
/// # Real-time
/// No allocation, no loop.
#[must_use]
pub fn wrist_singularity_distance_rad(chain: &Chain, jacobian: &Jacobian) -> Option<f64> {
    if chain.joint_count() != 6 {
        return None;
    }
    let fourth = jacobian.fixed_view::<3, 1>(3, 3);
    let sixth = jacobian.fixed_view::<3, 1>(3, 5);
    Some(fourth.cross(&sixth).norm().atan2(fourth.dot(&sixth).abs()))
}

/// Turns two lines in their plane so that they become orthogonal; false when they already are.
fn orthogonalise<const N: usize>(lines: &mut [[f64; N]; 6], first: usize, second: usize) -> bool {
    let (alpha, beta) = (dot(&lines[first], &lines[first]), dot(&lines[second], &lines[second]));
    let gamma = dot(&lines[first], &lines[second]);
    if gamma * gamma <= 1e-30 * alpha * beta || !gamma.is_finite() {
        return false;
    }
    let zeta = (beta - alpha) / (2.0 * gamma);
    let tangent = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
    let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
    let sine = cosine * tangent;
    let (a, b) = (lines[first], lines[second]);
    lines[first] = std::array::from_fn(|entry| cosine * a[entry] - sine * b[entry]);
    lines[second] = std::array::from_fn(|entry| sine * a[entry] + cosine * b[entry]);
    true
}

fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests;
