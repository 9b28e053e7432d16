//! Elimination along the knots: how much is left open of a knot's state by everything before it, one knot after the
//! other, and back again. Each joint has a system of its own; all are solved side by side.
//!
//! The system is that of a quadratic program: minimise the curvature and pull at every knot x = (q, v, a) and every
//! control u (change of acceleration over an interval), with x' = Φ x + Γ u + c from knot to knot. What is carried is
//! the inverse curvature (the covariance of the Kalman filter): it stays finite where a knot is held, and nothing is
//! divided that could vanish.
//! Source: Bryson, Ho 1975, section 13.2 (filter and smoother by the sweep method).

use super::lanes::Lanes;

/// What holds a knot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Nothing.
    Free,
    /// Its position.
    Position,
    /// Position, speed and acceleration.
    All,
}

/// Curvatures at a knot and of the control after it, each of one bounded quantity.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnotCurvature {
    pub(super) position: Lanes,
    pub(super) speed: Lanes,
    pub(super) acceleration: Lanes,
    /// Of v + a h/2.
    pub(super) middle: Lanes,
    /// Of u; > 0.
    pub(super) control: Lanes,
}

impl KnotCurvature {
    /// The same everywhere.
    pub(super) const EVEN: Self = Self {
        position: Lanes::all(1.0),
        speed: Lanes::all(1.0),
        acceleration: Lanes::all(1.0),
        middle: Lanes::ZERO,
        control: Lanes::all(1.0),
    };
}

/// At a knot and the interval after it. As a right-hand side: pull on x and u, and the constant c with its sign
/// turned (that of the acceleration is zero). As a solution: x, u and the multiplier of the step to the next knot.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnotVector {
    pub(super) x: [Lanes; 3],
    pub(super) u: Lanes,
    pub(super) step: [Lanes; 3],
}

impl KnotVector {
    pub(super) const ZERO: Self = Self { x: [Lanes::ZERO; 3], u: Lanes::ZERO, step: [Lanes::ZERO; 3] };

    pub(super) fn scaled(&self, factor: f64) -> Self {
        Self {
            x: self.x.map(|entry| entry * factor),
            u: self.u * factor,
            step: self.step.map(|entry| entry * factor),
        }
    }
}

/// Symmetric 3×3: qq, qv, qa, vv, va, aa.
type Symmetric3 = [Lanes; 6];

#[derive(Clone, Copy, Debug)]
struct Factor {
    curvature: KnotCurvature,
    held: Held,
    /// Length of the interval after the knot.
    h: f64,
    /// What is open of the state, as an inverse curvature, before what pulls at the knot itself.
    before: Symmetric3,
    /// The same with it, and held.
    after: Symmetric3,
    /// One over the control's curvature.
    control_inverse: Lanes,
    /// Where the position is held: its column just before, and one over its own entry.
    held_column: [Lanes; 3],
    held_inverse: Lanes,
}

/// The factors of one group of joints.
#[derive(Clone, Debug)]
pub(super) struct Factors(Vec<Factor>);

fn times(matrix: &Symmetric3, x: &[Lanes; 3]) -> [Lanes; 3] {
    let [qq, qv, qa, vv, va, aa] = *matrix;
    [qq * x[0] + qv * x[1] + qa * x[2], qv * x[0] + vv * x[1] + va * x[2], qa * x[0] + va * x[1] + aa * x[2]]
}

/// Φ x: constant acceleration over an interval.
fn forth(h: f64, x: &[Lanes; 3]) -> [Lanes; 3] {
    [x[0] + x[1] * h + x[2] * (0.5 * h * h), x[1] + x[2] * h, x[2]]
}

/// Φᵀ y.
fn back(h: f64, y: &[Lanes; 3]) -> [Lanes; 3] {
    [y[0], y[1] + y[0] * h, y[2] + y[1] * h + y[0] * (0.5 * h * h)]
}

/// Γ: what a change of acceleration, even over the interval, does to the next knot.
fn control(h: f64) -> [f64; 3] {
    [h * h / 6.0, 0.5 * h, 1.0]
}

const INDEX: [[usize; 3]; 3] = [[0, 1, 2], [1, 3, 4], [2, 4, 5]];

/// Adds curvature `weight` of coordinate `axis` to what `open` is the inverse of.
fn add_axis(open: &mut Symmetric3, axis: usize, weight: Lanes) {
    let column = [0, 1, 2].map(|row| open[INDEX[row][axis]]);
    let share = Lanes::all(1.0) / (Lanes::all(1.0) + weight * column[axis]);
    let taken = weight * share;
    for row in 0..3 {
        for other in row..3 {
            open[INDEX[row][other]] = if row == axis || other == axis {
                // Written so that nothing is taken away: the rest is far smaller than what was.
                open[INDEX[row][other]] * share
            } else {
                open[INDEX[row][other]] - column[row] * column[other] * taken
            };
        }
    }
}

/// The same for the quantity v + a `lever`, in the form that stays positive.
fn add_middle(open: &mut Symmetric3, lever: f64, weight: Lanes) {
    let zero = Lanes::ZERO;
    let direction = [zero, Lanes::all(1.0), Lanes::all(lever)];
    let column = times(open, &direction);
    let along = column[1] + column[2] * lever;
    let share = Lanes::all(1.0) / (Lanes::all(1.0) + weight * along);
    let gain = column.map(|entry| entry * weight * share);
    // (I - gain dᵀ) P (I - gain dᵀ)ᵀ + gain gainᵀ / weight, where the last is column columnᵀ weight share².
    let rows: [[Lanes; 3]; 3] = std::array::from_fn(|row| {
        std::array::from_fn(|other| open[INDEX[row][other]] - gain[row] * column[other])
    });
    let noise = weight * share * share;
    for row in 0..3 {
        let projected = rows[row][1] + rows[row][2] * lever;
        for other in row..3 {
            open[INDEX[row][other]] =
                rows[row][other] - projected * gain[other] + column[row] * column[other] * noise;
        }
    }
}

impl KnotCurvature {
    /// Curvature times x.
    fn times(&self, h: f64, x: &[Lanes; 3]) -> [Lanes; 3] {
        let lever = 0.5 * h;
        let middle = self.middle * (x[1] + x[2] * lever);
        [self.position * x[0], self.speed * x[1] + middle, self.acceleration * x[2] + middle * lever]
    }
}

impl Factors {
    pub(super) const fn empty() -> Self {
        Self(Vec::new())
    }

    /// Factors the system. `interval(k)` is the length of the interval after knot `k`.
    pub(super) fn refactor(
        &mut self,
        curvature: &[KnotCurvature],
        held: impl Fn(usize) -> Held,
        interval: impl Fn(usize) -> f64,
    ) {
        self.0.clear();
        let zero = Lanes::ZERO;
        let last = curvature.len() - 1;
        let mut open: Symmetric3 = [zero; 6];
        for (k, here) in curvature.iter().enumerate() {
            let h = if k < last { interval(k) } else { 0.0 };
            let held = held(k);
            let before = open;
            let mut factor = Factor {
                curvature: *here,
                held,
                h,
                before,
                after: [zero; 6],
                control_inverse: Lanes::all(1.0) / here.control,
                held_inverse: zero,
                held_column: [zero; 3],
            };
            if held != Held::All {
                add_axis(&mut open, 0, here.position);
                add_axis(&mut open, 1, here.speed);
                add_axis(&mut open, 2, here.acceleration);
                add_middle(&mut open, 0.5 * h, here.middle);
                if held == Held::Position {
                    factor.held_inverse = Lanes::all(1.0) / open[0];
                    factor.held_column = [open[0], open[1], open[2]];
                    let column = factor.held_column;
                    for row in 0..3 {
                        for other in row..3 {
                            open[INDEX[row][other]] -= column[row] * column[other] * factor.held_inverse;
                        }
                    }
                    open[0] = zero;
                    open[1] = zero;
                    open[2] = zero;
                }
                factor.after = open;
            }
            // Φ P Φᵀ + Γ Γᵀ / w.
            let columns =
                [0, 1, 2].map(|column| forth(h, &[0, 1, 2].map(|row| factor.after[INDEX[row][column]])));
            let rows = [0, 1, 2].map(|row| forth(h, &[columns[0][row], columns[1][row], columns[2][row]]));
            let gamma = control(h);
            for row in 0..3 {
                for other in row..3 {
                    open[INDEX[row][other]] =
                        rows[row][other] + factor.control_inverse * (gamma[row] * gamma[other]);
                }
            }
            self.0.push(factor);
        }
    }

    /// Solves, in place. Everything before knot `first` must be zero. `states` is working memory, one a knot.
    pub(super) fn solve(&self, vector: &mut [KnotVector], states: &mut [[Lanes; 3]], first: usize) {
        let zero = [Lanes::ZERO; 3];
        let last = vector.len() - 1;
        let mut x = zero;
        states[..first].fill(zero);
        for k in first..=last {
            let factor = &self.0[k];
            states[k] = factor.update(&x, &vector[k].x);
            if k < last {
                x = states[k];
                if factor.held == Held::Position {
                    x[0] = Lanes::ZERO;
                }
                let push = vector[k].u * factor.control_inverse;
                let gamma = control(factor.h);
                let moved = forth(factor.h, &x);
                x = [0, 1, 2].map(|row| moved[row] + push * gamma[row] - vector[k].step[row]);
            }
        }
        // The multiplier of the step to the knot in hand.
        let mut y = solve_symmetric(&self.0[last].before, &x);
        vector[last] = KnotVector::ZERO;
        for k in (0..last).rev() {
            let factor = &self.0[k];
            let gamma = control(factor.h);
            let through = y[0] * gamma[0] + y[1] * gamma[1] + y[2] * gamma[2];
            let solution = &mut vector[k];
            solution.u = (solution.u - through) * factor.control_inverse;
            solution.step = y;
            let after = back(factor.h, &y);
            let pull = solution.x;
            if factor.held == Held::All {
                solution.x = zero;
                continue;
            }
            let open = times(&factor.after, &after);
            let mut x = [0, 1, 2].map(|row| states[k][row] - open[row]);
            let mut holding = Lanes::ZERO;
            if factor.held == Held::Position {
                let column = &factor.held_column;
                let through = column[0] * after[0] + column[1] * after[1] + column[2] * after[2];
                holding = (states[k][0] - through) * factor.held_inverse;
                x[0] = Lanes::ZERO;
            }
            let curved = factor.curvature.times(factor.h, &x);
            y = [0, 1, 2].map(|row| curved[row] - pull[row] + after[row]);
            y[0] += holding;
            solution.x = x;
        }
    }
}

impl Factor {
    /// The state at the knot as far as everything up to it says, from that without the knot. Where the position is
    /// held the first entry is what it would be if it were not (held it is zero).
    fn update(&self, x: &[Lanes; 3], pull: &[Lanes; 3]) -> [Lanes; 3] {
        if self.held == Held::All {
            return [Lanes::ZERO; 3];
        }
        let curved = self.curvature.times(self.h, x);
        let pull = [0, 1, 2].map(|row| pull[row] - curved[row]);
        let moved = times(&self.after, &pull);
        let mut state = [0, 1, 2].map(|row| x[row] + moved[row]);
        if self.held == Held::Position {
            let column = &self.held_column;
            let along = column[0] * pull[0] + column[1] * pull[1] + column[2] * pull[2];
            let position = x[0] + along;
            // `after` has lost what is along the column; the rest of it brings the position to zero.
            for row in 1..3 {
                state[row] -= column[row] * self.held_inverse * x[0];
            }
            state[0] = position;
        }
        state
    }
}

/// Solves a symmetric positive 3×3.
fn solve_symmetric(matrix: &Symmetric3, right: &[Lanes; 3]) -> [Lanes; 3] {
    let [qq, qv, qa, vv, va, aa] = *matrix;
    let (l1, l2) = (qv / qq, qa / qq);
    let d1 = vv - l1 * qv;
    let rest = va - l1 * qa;
    let l12 = rest / d1;
    let d2 = aa - l2 * qa - l12 * rest;
    let z1 = right[1] - l1 * right[0];
    let z2 = right[2] - l2 * right[0] - l12 * z1;
    let a = z2 / d2;
    let v = z1 / d1 - l12 * a;
    [right[0] / qq - l1 * v - l2 * a, v, a]
}
