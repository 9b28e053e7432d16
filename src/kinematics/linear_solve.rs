//! A 6×6 symmetric factorisation of fixed size, and the products that feed it.

use super::Jacobian;

pub(super) type Matrix6 = [[f64; 6]; 6];
pub(super) type Vector6 = [f64; 6];

/// L D Lᵀ of a symmetric positive definite matrix, without pivoting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ldlt {
    /// Unit lower triangle; the diagonal holds 1 / D.
    factor: Matrix6,
    /// Smallest pivot divided by the largest diagonal entry of the matrix; ≤ 0 or NaN when not positive definite.
    pub(super) pivot_ratio: f64,
}

impl Ldlt {
    /// Factors the lower triangle of `matrix`. Not positive definite: see [`pivot_ratio`](Self::pivot_ratio).
    ///
    /// Source: Golub, Van Loan 2013, algorithm 4.1.2.
    pub(super) fn new(matrix: &Matrix6) -> Self {
        let mut factor = *matrix;
        let mut pivots = [0.0; 6];
        let mut diagonal_max = 0.0_f64;
        let mut pivot_min = f64::INFINITY;
        for column in 0..6 {
            let mut scaled = [0.0; 6];
            let mut pivot = matrix[column][column];
            diagonal_max = diagonal_max.max(pivot);
            for inner in 0..column {
                scaled[inner] = factor[column][inner] * pivots[inner];
                pivot -= factor[column][inner] * scaled[inner];
            }
            // `min` would drop a NaN.
            if pivot.is_nan() || pivot < pivot_min {
                pivot_min = pivot;
            }
            pivots[column] = pivot;
            let inverse = 1.0 / pivot;
            for row in column + 1..6 {
                let mut value = matrix[row][column];
                for inner in 0..column {
                    value -= factor[row][inner] * scaled[inner];
                }
                factor[row][column] = value * inverse;
            }
            factor[column][column] = inverse;
        }
        Self { factor, pivot_ratio: pivot_min / diagonal_max }
    }

    /// Solves for one right-hand side.
    #[expect(clippy::needless_range_loop, reason = "triangular indices, as the source writes them")]
    pub(super) fn solve(&self, right: &Vector6) -> Vector6 {
        let mut x = *right;
        for row in 1..6 {
            for column in 0..row {
                x[row] -= self.factor[row][column] * x[column];
            }
        }
        for row in 0..6 {
            x[row] *= self.factor[row][row];
        }
        for row in (0..5).rev() {
            for column in row + 1..6 {
                x[row] -= self.factor[column][row] * x[column];
            }
        }
        x
    }
}

/// Lower triangle of J Jᵀ over the first `joints` columns.
pub(super) fn gram_of_rows(jacobian: &Jacobian, joints: usize) -> Matrix6 {
    let mut gram = [[0.0; 6]; 6];
    for column_of_joint in jacobian.data.0.iter().take(joints) {
        for row in 0..6 {
            for column in 0..=row {
                gram[row][column] += column_of_joint[row] * column_of_joint[column];
            }
        }
    }
    gram
}

/// Lower triangle of Jᵀ J for at most six joints; the identity on the rows beyond.
pub(super) fn gram_of_columns(jacobian: &Jacobian, joints: usize) -> Matrix6 {
    let mut gram = [[0.0; 6]; 6];
    for (row, line) in gram.iter_mut().enumerate() {
        for (column, entry) in line.iter_mut().enumerate().take(row + 1) {
            *entry = if row < joints {
                jacobian.column(row).dot(&jacobian.column(column))
            } else {
                f64::from(u8::from(row == column))
            };
        }
    }
    gram
}
