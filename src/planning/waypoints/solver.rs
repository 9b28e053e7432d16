//! The nonlinear program and its interior point method.
//!
//! Each segment between two waypoints is cut into equal intervals of constant jerk. Unknown are position, speed and
//! acceleration of every joint at the knots and the length of the intervals of each segment. Joints touch each other
//! only through these lengths: a Newton step is one pass along the knots for all joints side by side
//! ([`super::elimination`]) and a dense system with one unknown a segment. Speed between knots is kept by the control
//! polygon of its parabola, so that every limit holds everywhere and not only at knots.
//!
//! Units here: each joint's speed limit is 1, and so is the first guess of an interval.
//! Source: Nocedal, Wright 2006, chapter 19 (primal-dual interior point methods).

use super::bounds::{Bounds, BoundsStep};
use super::elimination::{Factors, Held, KnotCurvature, KnotVector};
use super::lanes::Lanes;

/// Most iterations; ordinary problems take 15 to 30.
const ITERATIONS_MAX: usize = 60;
/// The trajectory is at most this part longer than the optimum on its knots.
const GAP: f64 = 1e-3;
/// Equations and bounds hold to this at the end; what is left is mended by [`Solver::repair`].
const RESIDUAL: f64 = 1e-4;
/// Rounds of mending: each takes away all but what elimination rounds off.
const REPAIRS: usize = 4;
/// Shortest interval, as a part of the first guess.
const INTERVAL_MIN: f64 = 1e-6;

/// Limits and waypoints of up to eight joints.
#[derive(Clone, Debug)]
pub(super) struct JointGroup {
    pub(super) acceleration: Lanes,
    pub(super) jerk: Lanes,
    /// Smallest and largest position.
    pub(super) position: [Lanes; 2],
    pub(super) waypoints: Vec<Lanes>,
    /// How far a waypoint may be passed; zero in all lanes: exactly.
    pub(super) zone: Lanes,
}

/// The unknowns of one group.
#[derive(Clone, Debug)]
struct Unknowns {
    /// q, v, a at the knots.
    knots: Vec<[Lanes; 3]>,
    /// Multipliers of the step from each knot to the next: position, speed, acceleration.
    steps: Vec<[Lanes; 3]>,
    position: Vec<Bounds>,
    speed: Vec<Bounds>,
    acceleration: Vec<Bounds>,
    /// Middle of the control polygon of the speed, one an interval.
    middle: Vec<Bounds>,
    jerk: Vec<Bounds>,
}

/// Working memory of one group.
#[derive(Clone, Debug)]
struct Scratch {
    curvature: Vec<KnotCurvature>,
    factors: Factors,
    pulled: Vec<KnotVector>,
    /// What a change of the intervals' length pulls at, one a segment; and the answer to it.
    borders: Vec<Vec<KnotVector>>,
    answers: Vec<Vec<KnotVector>>,
    states: Vec<[Lanes; 3]>,
}

/// Lengths of the intervals and accelerations at the knots.
#[derive(Clone, Debug)]
pub(super) struct Solution {
    /// One an interval.
    pub(super) intervals: Vec<f64>,
    /// Accelerations, `[group][knot]`.
    pub(super) accelerations: Vec<Vec<Lanes>>,
    pub(super) iterations: usize,
}

pub(super) struct Solver<'a> {
    groups: &'a [JointGroup],
    /// Intervals in a segment.
    cut: usize,
    segments: usize,
    /// Mean length of an interval, one a segment.
    lengths: Vec<f64>,
    /// Length of each interval over the mean of its segment.
    shares: Vec<f64>,
    /// Slack and multiplier of each length above its smallest.
    length_bounds: Vec<(f64, f64)>,
    unknowns: Vec<Unknowns>,
    scratch: Vec<Scratch>,
    /// Dense system of the lengths, row by row, and its right-hand side.
    dense: Vec<f64>,
    dense_rhs: Vec<f64>,
}

fn sides(value: Lanes, above: Lanes, below: Lanes) -> [Lanes; 2] {
    [value - above, below - value]
}

impl JointGroup {
    fn held(&self, knot: usize, cut: usize) -> Held {
        let segment = cut;
        if knot == 0 || knot == segment * (self.waypoints.len() - 1) {
            Held::All
        } else if knot.is_multiple_of(segment) && self.zone == Lanes::ZERO {
            Held::Position
        } else {
            Held::Free
        }
    }

    /// Smallest and largest position at a knot. Where it is held they mean nothing, and are far from it.
    fn position_bounds(&self, knot: usize, cut: usize) -> [Lanes; 2] {
        if knot.is_multiple_of(cut) {
            let waypoint = self.waypoints[knot / cut];
            if self.held(knot, cut) != Held::Free {
                return [waypoint - 1.0, waypoint + 1.0];
            }
            let low = waypoint - self.zone;
            let high = waypoint + self.zone;
            return [
                Lanes(std::array::from_fn(|lane| low.0[lane].max(self.position[0].0[lane]))),
                Lanes(std::array::from_fn(|lane| high.0[lane].min(self.position[1].0[lane]))),
            ];
        }
        self.position
    }
}

/// How far speed and position of the next knot are from what follows from this one.
fn step_residual(h: f64, here: &[Lanes; 3], next: &[Lanes; 3]) -> [Lanes; 3] {
    [
        next[0] - here[0] - here[1] * h - (here[2] * 2.0 + next[2]) * (h * h / 6.0),
        next[1] - here[1] - (here[2] + next[2]) * (0.5 * h),
        Lanes::ZERO,
    ]
}

impl<'a> Solver<'a> {
    /// `guess` gives q, v, a at the knots for intervals of mean `lengths`, one a segment, times `shares`, one an
    /// interval.
    pub(super) fn new(
        groups: &'a [JointGroup],
        cut: usize,
        lengths: Vec<f64>,
        shares: Vec<f64>,
        guess: Vec<Vec<[Lanes; 3]>>,
        barrier: f64,
    ) -> Self {
        let segments = lengths.len();
        let interval = |k: usize| lengths[k / cut] * shares[k];
        let one = Lanes::all(1.0);
        let unknowns: Vec<Unknowns> = groups
            .iter()
            .zip(guess)
            .map(|(group, knots)| {
                let intervals = knots.len() - 1;
                let start = |value, above, below| Bounds::start(sides(value, above, below), barrier);
                let position = (0..=intervals)
                    .map(|k| {
                        let [low, high] = group.position_bounds(k, cut);
                        start(knots[k][0], high, low)
                    })
                    .collect();
                Unknowns {
                    position,
                    speed: knots.iter().map(|x| start(x[1], one, -one)).collect(),
                    acceleration: knots
                        .iter()
                        .map(|x| start(x[2], group.acceleration, -group.acceleration))
                        .collect(),
                    middle: (0..intervals)
                        .map(|k| start(knots[k][1] + knots[k][2] * (0.5 * interval(k)), one, -one))
                        .collect(),
                    jerk: (0..intervals)
                        .map(|k| {
                            let most = group.jerk * interval(k);
                            start(knots[k + 1][2] - knots[k][2], most, -most)
                        })
                        .collect(),
                    steps: vec![[Lanes::ZERO; 3]; intervals],
                    knots,
                }
            })
            .collect();
        let scratch = unknowns
            .iter()
            .map(|unknowns| Scratch {
                curvature: vec![KnotCurvature::EVEN; unknowns.knots.len()],
                factors: Factors::empty(),
                pulled: vec![KnotVector::ZERO; unknowns.knots.len()],
                borders: vec![vec![KnotVector::ZERO; cut]; segments],
                answers: vec![vec![KnotVector::ZERO; unknowns.knots.len()]; segments],
                states: vec![[Lanes::ZERO; 3]; unknowns.knots.len()],
            })
            .collect();
        let length_bounds =
            lengths.iter().map(|length| (length - INTERVAL_MIN, barrier / (length - INTERVAL_MIN))).collect();
        Self {
            groups,
            cut,
            segments,
            lengths,
            shares,
            length_bounds,
            unknowns,
            scratch,
            dense: vec![0.0; segments * segments],
            dense_rhs: vec![0.0; segments],
        }
    }

    /// Runs to the end. `None`: not within [`ITERATIONS_MAX`].
    pub(super) fn solve(mut self) -> Option<Solution> {
        let count = self.bounds_count();
        let mut barrier = self.complementarity() / count;
        for iteration in 0..ITERATIONS_MAX {
            let total: f64 = self.lengths.iter().sum::<f64>() * count_as_f64(self.cut);
            let residual = self.residual();
            if barrier * count < GAP * total && residual < RESIDUAL {
                self.repair();
                return Some(self.solution(iteration));
            }
            let step = self.newton(barrier)?;
            let (primal, dual) = self.longest(&step);
            self.advance(&step, primal, dual);
            let shortest = primal.min(dual);
            let average = self.complementarity() / count;
            let shrink = if shortest > 0.9 {
                0.05
            } else if shortest > 0.5 {
                0.2
            } else {
                0.6
            };
            barrier = (average * shrink).max(0.1 * GAP * total / count);
        }
        None
    }

    /// Closes the equations by the smallest changes at the knots, lengths kept: the barrier's own elimination leaves
    /// a rest, because its curvatures lie many powers of ten apart.
    fn repair(&mut self) {
        let (cut, lengths, shares) = (self.cut, &self.lengths, &self.shares);
        for (group, (u, scratch)) in self.groups.iter().zip(self.unknowns.iter_mut().zip(&mut self.scratch)) {
            scratch.curvature.fill(KnotCurvature::EVEN);
            scratch.factors.refactor(
                &scratch.curvature,
                |k| group.held(k, cut),
                |k| lengths[k / cut] * shares[k],
            );
            for _ in 0..REPAIRS {
                scratch.pulled.fill(KnotVector::ZERO);
                for (k, pair) in u.knots.windows(2).enumerate() {
                    let [here, next] = [&pair[0], &pair[1]];
                    scratch.pulled[k].step = step_residual(lengths[k / cut] * shares[k], here, next);
                }
                scratch.factors.solve(&mut scratch.pulled, &mut scratch.states, 0);
                for (x, change) in u.knots.iter_mut().zip(&scratch.pulled) {
                    for (value, change) in x.iter_mut().zip(&change.x) {
                        *value += *change;
                    }
                }
            }
        }
    }

    fn solution(self, iterations: usize) -> Solution {
        Solution {
            intervals: (0..self.cut * self.segments).map(|k| self.interval(k)).collect(),
            accelerations: self
                .unknowns
                .iter()
                .map(|unknowns| unknowns.knots.iter().map(|x| x[2]).collect())
                .collect(),
            iterations,
        }
    }

    /// Length of the interval after a knot.
    fn interval(&self, knot: usize) -> f64 {
        self.lengths[knot / self.cut] * self.shares[knot]
    }

    fn bounds_count(&self) -> f64 {
        let knots = self.cut * self.segments + 1;
        count_as_f64(self.groups.len() * super::lanes::WIDTH * 2 * (5 * knots - 2) + self.segments)
    }

    fn complementarity(&self) -> f64 {
        let of = |bounds: &[Bounds]| bounds.iter().map(Bounds::complementarity).sum::<f64>();
        self.unknowns
            .iter()
            .map(|u| of(&u.position) + of(&u.speed) + of(&u.acceleration) + of(&u.middle) + of(&u.jerk))
            .sum::<f64>()
            + self.length_bounds.iter().map(|(slack, multiplier)| slack * multiplier).sum::<f64>()
    }

    /// How far equations and bounds are from holding.
    fn residual(&self) -> f64 {
        let one = Lanes::all(1.0);
        let mut most = 0.0_f64;
        for (group, u) in self.groups.iter().zip(&self.unknowns) {
            let last = u.knots.len() - 1;
            for (k, x) in u.knots.iter().enumerate() {
                let held = group.held(k, self.cut);
                if held == Held::Free {
                    let [low, high] = group.position_bounds(k, self.cut);
                    most = most.max(u.position[k].infeasibility(sides(x[0], high, low)));
                }
                if held != Held::All {
                    most = most.max(u.speed[k].infeasibility(sides(x[1], one, -one)));
                    most = most.max(u.acceleration[k].infeasibility(sides(
                        x[2],
                        group.acceleration,
                        -group.acceleration,
                    )));
                }
                if k < last {
                    let h = self.interval(k);
                    for residual in step_residual(h, x, &u.knots[k + 1]) {
                        most = most.max(residual.map(f64::abs).largest());
                    }
                    most = most.max(u.middle[k].infeasibility(sides(x[1] + x[2] * (0.5 * h), one, -one)));
                    let jerk = group.jerk * h;
                    most = most.max(u.jerk[k].infeasibility(sides(u.knots[k + 1][2] - x[2], jerk, -jerk)));
                }
            }
        }
        most
    }

    /// One Newton step of the barrier problem. `None` when the dense system cannot be made positive.
    fn newton(&mut self, barrier: f64) -> Option<Step> {
        let segments = self.segments;
        self.dense.fill(0.0);
        for (rhs, (slack, _)) in self.dense_rhs.iter_mut().zip(&self.length_bounds) {
            // One more unit of an interval's length costs as many as there are intervals in the segment.
            *rhs = -(count_as_f64(self.cut) - barrier / slack);
        }
        for (segment, (slack, multiplier)) in self.length_bounds.iter().enumerate() {
            self.dense[segment * segments + segment] = multiplier / slack;
        }
        for index in 0..self.groups.len() {
            self.assemble(index, barrier);
        }
        for scratch in &mut self.scratch {
            let Scratch { factors, pulled, borders, answers, states, .. } = scratch;
            factors.solve(pulled, states, 0);
            for (column, (border, answer)) in borders.iter().zip(answers.iter_mut()).enumerate() {
                let first = column * self.cut;
                answer.fill(KnotVector::ZERO);
                answer[first..first + self.cut].copy_from_slice(border);
                factors.solve(answer, states, first);
            }
            for (row, border) in borders.iter().enumerate() {
                let within = row * self.cut..(row + 1) * self.cut;
                self.dense_rhs[row] -= product(border, &pulled[within.clone()]);
                for (column, answer) in answers.iter().enumerate().take(row + 1) {
                    self.dense[row * segments + column] -= product(border, &answer[within.clone()]);
                }
            }
        }
        let lengths = solve_positive(&mut self.dense, &mut self.dense_rhs, segments)?;
        let mut groups = Vec::with_capacity(self.groups.len());
        for index in 0..self.groups.len() {
            let Scratch { pulled, answers, .. } = &mut self.scratch[index];
            for (answer, change) in answers.iter().zip(&lengths) {
                for (pulled, answer) in pulled.iter_mut().zip(answer) {
                    for (to, from) in pulled.x.iter_mut().zip(&answer.x) {
                        *to -= *from * *change;
                    }
                    for (to, from) in pulled.step.iter_mut().zip(&answer.step) {
                        *to -= *from * *change;
                    }
                }
            }
            groups.push(self.group_step(index, &lengths, barrier));
        }
        let length_bounds = self
            .length_bounds
            .iter()
            .zip(&lengths)
            .map(|((slack, multiplier), change)| {
                (*change, (barrier - multiplier * change) / slack - multiplier)
            })
            .collect();
        Some(Step { lengths, length_bounds, groups })
    }

    /// Curvature, right-hand side and border columns of a group, and its segment of the dense system.
    fn assemble(&mut self, index: usize, barrier: f64) {
        let (cut, segments) = (self.cut, self.segments);
        let group = &self.groups[index];
        let u = &self.unknowns[index];
        let Scratch { curvature, factors, pulled, borders, .. } = &mut self.scratch[index];
        let one = Lanes::all(1.0);
        let last = u.knots.len() - 1;
        for k in 0..=last {
            let [q, v, a] = u.knots[k];
            let [low, high] = group.position_bounds(k, cut);
            let position = u.position[k].terms(sides(q, high, low), barrier);
            let speed = u.speed[k].terms(sides(v, one, -one), barrier);
            let acceleration =
                u.acceleration[k].terms(sides(a, group.acceleration, -group.acceleration), barrier);
            curvature[k] = KnotCurvature {
                position: position.weight,
                speed: speed.weight,
                acceleration: acceleration.weight,
                middle: Lanes::ZERO,
                control: one,
            };
            pulled[k] =
                KnotVector { x: [-position.force, -speed.force, -acceleration.force], ..KnotVector::ZERO };
        }
        for k in 0..last {
            let segment = k / cut;
            let share = self.shares[k];
            let h = self.lengths[segment] * share;
            let [_, v, a] = u.knots[k];
            let next = u.knots[k + 1];
            let [of_position, of_speed, _] = u.steps[k];

            // The step: v' = v + a h + u h/2, q' = q + v h + a h²/2 + u h²/6.
            let bend = (a * 2.0 + next[2]) / 3.0;
            let mut border = KnotVector {
                x: [Lanes::ZERO, of_position, of_speed + of_position * h],
                u: of_speed * 0.5 + of_position * (h / 3.0),
                step: [v + bend * h, (a + next[2]) * 0.5, Lanes::ZERO],
            };
            pulled[k].step = step_residual(h, &u.knots[k], &next);
            let mut hh = of_position * bend;

            // Middle of the control polygon: v + a h/2.
            let half = 0.5 * h;
            let middle = u.middle[k].terms(sides(v + a * half, one, -one), barrier);
            curvature[k].middle = middle.weight;
            pulled[k].x[1] -= middle.force;
            pulled[k].x[2] -= middle.force * half;
            let along = a * 0.5;
            border.x[1] += middle.weight * along;
            border.x[2] += middle.weight * along * half + u.middle[k].multiplier_difference() * 0.5;
            hh += middle.weight * along * along;

            // Jerk: |u| ≤ J h.
            let most = group.jerk * h;
            let jerk = u.jerk[k].terms(sides(next[2] - a, most, -most), barrier);
            curvature[k].control = jerk.weight;
            pulled[k].u = -jerk.force;
            border.u -= group.jerk * jerk.weight_difference;
            hh += group.jerk * group.jerk * jerk.weight;

            borders[segment][k % cut] = border.scaled(share);
            self.dense[segment * segments + segment] += hh.sum() * share * share;
            self.dense_rhs[segment] -= (middle.force * along - group.jerk * jerk.force_sum).sum() * share;
        }
        let (lengths, shares) = (&self.lengths, &self.shares);
        factors.refactor(curvature, |k| group.held(k, cut), |k| lengths[k / cut] * shares[k]);
    }

    /// Steps of the bounds that go with the solution in `pulled`.
    fn group_step(&self, index: usize, lengths: &[f64], barrier: f64) -> GroupStep {
        let group = &self.groups[index];
        let u = &self.unknowns[index];
        let changes = &self.scratch[index].pulled;
        let one = Lanes::all(1.0);
        let last = u.knots.len() - 1;
        let both = |change: Lanes| [change, -change];
        let mut step = GroupStep::with_knots(u.knots.len());
        for k in 0..=last {
            let [q, v, a] = u.knots[k];
            let [dq, dv, da] = changes[k].x;
            let [low, high] = group.position_bounds(k, self.cut);
            step.knots.push(changes[k].x);
            step.position.push(u.position[k].step(sides(q, high, low), both(dq), barrier));
            step.speed.push(u.speed[k].step(sides(v, one, -one), both(dv), barrier));
            step.acceleration.push(u.acceleration[k].step(
                sides(a, group.acceleration, -group.acceleration),
                both(da),
                barrier,
            ));
            if k == last {
                break;
            }
            let segment = k / self.cut;
            let (h, dh) = (self.interval(k), lengths[segment] * self.shares[k]);
            step.steps.push([0, 1, 2].map(|row| changes[k].step[row] - u.steps[k][row]));
            step.middle.push(u.middle[k].step(
                sides(v + a * (0.5 * h), one, -one),
                both(dv + da * (0.5 * h) + a * (0.5 * dh)),
                barrier,
            ));
            let most = group.jerk * h;
            let (change, widened) = (changes[k + 1].x[2] - da, group.jerk * dh);
            step.jerk.push(u.jerk[k].step(
                sides(u.knots[k + 1][2] - a, most, -most),
                [change - widened, -change - widened],
                barrier,
            ));
        }
        step
    }

    fn longest(&self, step: &Step) -> (f64, f64) {
        let (mut primal, mut dual) = (1.0_f64, 1.0_f64);
        for ((slack, multiplier), (slack_step, multiplier_step)) in
            self.length_bounds.iter().zip(&step.length_bounds)
        {
            primal = primal.min(longest_scalar(*slack, *slack_step));
            dual = dual.min(longest_scalar(*multiplier, *multiplier_step));
        }
        for (u, step) in self.unknowns.iter().zip(&step.groups) {
            for (bounds, steps) in u.pairs(step) {
                for (bounds, step) in bounds.iter().zip(steps) {
                    let (of_slack, of_multiplier) = bounds.longest(step);
                    primal = primal.min(of_slack);
                    dual = dual.min(of_multiplier);
                }
            }
        }
        (primal, dual)
    }

    fn advance(&mut self, step: &Step, primal: f64, dual: f64) {
        for (length, change) in self.lengths.iter_mut().zip(&step.lengths) {
            *length += primal * change;
        }
        for ((bound, length), (_, multiplier_step)) in
            self.length_bounds.iter_mut().zip(&self.lengths).zip(&step.length_bounds)
        {
            *bound = (length - INTERVAL_MIN, bound.1 + dual * multiplier_step);
        }
        for (u, step) in self.unknowns.iter_mut().zip(&step.groups) {
            for (x, change) in u.knots.iter_mut().zip(&step.knots) {
                for (value, change) in x.iter_mut().zip(change) {
                    *value += *change * primal;
                }
            }
            for (multipliers, change) in u.steps.iter_mut().zip(&step.steps) {
                for (value, change) in multipliers.iter_mut().zip(change) {
                    *value += *change * primal;
                }
            }
            for (bounds, steps) in [
                (&mut u.position, &step.position),
                (&mut u.speed, &step.speed),
                (&mut u.acceleration, &step.acceleration),
                (&mut u.middle, &step.middle),
                (&mut u.jerk, &step.jerk),
            ] {
                for (bounds, step) in bounds.iter_mut().zip(steps) {
                    bounds.advance(step, primal, dual);
                }
            }
        }
    }
}

impl Unknowns {
    fn pairs<'s>(&'s self, step: &'s GroupStep) -> [(&'s [Bounds], &'s [BoundsStep]); 5] {
        [
            (&self.position, &step.position),
            (&self.speed, &step.speed),
            (&self.acceleration, &step.acceleration),
            (&self.middle, &step.middle),
            (&self.jerk, &step.jerk),
        ]
    }
}

struct Step {
    lengths: Vec<f64>,
    length_bounds: Vec<(f64, f64)>,
    groups: Vec<GroupStep>,
}

#[derive(Default)]
struct GroupStep {
    knots: Vec<[Lanes; 3]>,
    steps: Vec<[Lanes; 3]>,
    position: Vec<BoundsStep>,
    speed: Vec<BoundsStep>,
    acceleration: Vec<BoundsStep>,
    middle: Vec<BoundsStep>,
    jerk: Vec<BoundsStep>,
}

impl GroupStep {
    fn with_knots(count: usize) -> Self {
        Self {
            knots: Vec::with_capacity(count),
            steps: Vec::with_capacity(count),
            position: Vec::with_capacity(count),
            speed: Vec::with_capacity(count),
            acceleration: Vec::with_capacity(count),
            middle: Vec::with_capacity(count),
            jerk: Vec::with_capacity(count),
        }
    }
}

/// Sum over all entries of the products.
fn product(border: &[KnotVector], answer: &[KnotVector]) -> f64 {
    let mut sum = Lanes::ZERO;
    for (border, answer) in border.iter().zip(answer) {
        sum += border.u * answer.u;
        for row in 0..3 {
            sum += border.x[row] * answer.x[row] + border.step[row] * answer.step[row];
        }
    }
    sum.sum()
}

/// What at least stays of an interval's length, and of its multiplier, in a step.
const LEFT: f64 = 0.2;

fn longest_scalar(value: f64, step: f64) -> f64 {
    if value + step < LEFT * value { (LEFT - 1.0) * value / step } else { 1.0 }
}

/// Solves a symmetric system given by its lower half, made positive by growing its diagonal if it is not.
fn solve_positive(matrix: &mut [f64], rhs: &mut [f64], size: usize) -> Option<Vec<f64>> {
    let largest = (0..size).map(|i| matrix[i * size + i].abs()).fold(0.0, f64::max);
    let mut grown = 0.0;
    for _ in 0..40 {
        let mut factor = matrix.to_vec();
        for i in 0..size {
            factor[i * size + i] += grown;
        }
        if cholesky(&mut factor, size) {
            let mut x = rhs.to_vec();
            for i in 0..size {
                for j in 0..i {
                    x[i] -= factor[i * size + j] * x[j];
                }
                x[i] /= factor[i * size + i];
            }
            for i in (0..size).rev() {
                for j in i + 1..size {
                    x[i] -= factor[j * size + i] * x[j];
                }
                x[i] /= factor[i * size + i];
            }
            return x.iter().all(|value| value.is_finite()).then_some(x);
        }
        grown = if grown > 0.0 { grown * 10.0 } else { 1e-8 * largest };
    }
    None
}

fn cholesky(matrix: &mut [f64], size: usize) -> bool {
    for i in 0..size {
        for j in 0..=i {
            let mut sum = matrix[i * size + j];
            for k in 0..j {
                sum -= matrix[i * size + k] * matrix[j * size + k];
            }
            if i == j {
                // NaN is not positive either.
                if sum.is_nan() || sum <= 0.0 {
                    return false;
                }
                matrix[i * size + i] = sum.sqrt();
            } else {
                matrix[i * size + j] = sum / matrix[j * size + j];
            }
        }
    }
    true
}

#[expect(clippy::cast_precision_loss, reason = "counts of knots and bounds are far below 2^52")]
fn count_as_f64(count: usize) -> f64 {
    count as f64
}
