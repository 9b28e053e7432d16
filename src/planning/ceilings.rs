//! From the derivatives along a path to constant ceilings of speed, acceleration and jerk along its
//! parameter, so that every joint and the tool keep within their limits in whatever state between.
//!
//! For each quantity x that is limited, x' ṡ ≤ V, x' s̈ + x'' ṡ² ≤ A and x' s⃛ + 3 x'' ṡ s̈ + x''' ṡ³ ≤ J, with
//! magnitudes everywhere: signs change along the path and with braking. The curvature terms are what is
//! lost first when they are neglected, and exactly where paths are bent.

use super::problem::LimitName;
use crate::trajectory::{Ceiling, time_law};

/// Share of a joint limit that planning uses; the rest covers what lies between two samples.
pub(super) const JOINT_SHARE: f64 = 0.98;

/// A speed is held when it leaves this share of the acceleration (and jerk) there would be without it.
const SHARE_LEFT: f64 = 0.1;

/// Rows a path is compressed to, for each limited quantity.
const BLOCKS_MAX: usize = 128;

/// Magnitudes of the derivatives of one limited quantity, and its limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    /// Whose limits these are.
    pub(super) limit: LimitName,
    /// Where on the path.
    pub(super) s: f64,
    /// |dx/ds|, |d²x/ds²|, |d³x/ds³|.
    pub(super) derivatives: [f64; 3],
    /// Speed, acceleration, jerk allowed.
    pub(super) allowed: [f64; 3],
}

impl Row {
    /// Share of the speed, acceleration and jerk allowed that is used at the ceilings.
    pub(super) fn shares(&self, ceiling: &Ceiling) -> [f64; 3] {
        let [first, second, third] = self.derivatives;
        let Ceiling { speed, acceleration, jerk } = *ceiling;
        [
            first * speed / self.allowed[0],
            (first * acceleration + second * speed * speed) / self.allowed[1],
            (first * jerk + 3.0 * second * speed * acceleration + third * speed.powi(3)) / self.allowed[2],
        ]
    }

    /// Largest speed with no acceleration along the path.
    fn speed_max(&self) -> f64 {
        let [first, second, third] = self.derivatives;
        let [speed, acceleration, jerk] = self.allowed;
        (speed / first).min((acceleration / second).sqrt()).min((jerk / third).cbrt())
    }
}

/// Compresses the rows of one quantity, in order of `s`, to at most [`BLOCKS_MAX`] with the largest
/// magnitudes and the smallest limits of neighbouring ones, the ends of each block shared with the next.
pub(super) fn compress(rows: &[Row]) -> impl Iterator<Item = Row> + '_ {
    let block = rows.len().div_ceil(BLOCKS_MAX).max(1);
    (0..rows.len()).step_by(block).filter_map(move |start| {
        let end = (start + block + 1).min(rows.len());
        let rows = rows.get(start..end)?;
        // Stands where its speed limit is lowest.
        let slowest = rows.iter().min_by(|a, b| a.speed_max().total_cmp(&b.speed_max()))?;
        let largest = |order: usize| rows.iter().map(|row| row.derivatives[order]).fold(0.0, f64::max);
        let smallest = |order: usize| rows.iter().map(|row| row.allowed[order]).fold(f64::INFINITY, f64::min);
        Some(Row {
            derivatives: [largest(0), largest(1), largest(2)],
            allowed: [smallest(0), smallest(1), smallest(2)],
            ..*slowest
        })
    })
}

/// What the program asks of a motion along its parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wanted {
    /// Speed; infinite: as fast as possible.
    pub(super) speed: f64,
    /// Acceleration; infinite: as much as possible.
    pub(super) acceleration: f64,
}

/// The chosen ceilings, and the largest speed the path could hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chosen {
    pub(super) ceiling: Ceiling,
    /// At most what was wanted.
    pub(super) achievable_speed: f64,
}

/// Ceilings that keep all `rows`, for a path of `length` > 0.
///
/// The wanted speed if it can be held with some acceleration left; otherwise the combination that is
/// fastest over this length. `None` when nothing moves (no row limits).
pub(super) fn choose(rows: &[Row], length: f64, wanted: &Wanted) -> Option<Chosen> {
    let slowest = rows.iter().map(Row::speed_max).fold(wanted.speed, f64::min);
    if !(slowest.is_finite() && slowest > 0.0) {
        return None;
    }
    let free = best_at(rows, length, 0.0, wanted)?.0;
    let held = |speed: f64| {
        best_at(rows, length, speed, wanted).is_some_and(|(ceiling, _)| {
            ceiling.acceleration >= SHARE_LEFT * free.acceleration && ceiling.jerk >= SHARE_LEFT * free.jerk
        })
    };
    let achievable_speed = if held(slowest) {
        slowest
    } else {
        let (mut low, mut high) = (0.0, slowest);
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            if held(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    };
    if achievable_speed >= wanted.speed {
        let (ceiling, _) = best_at(rows, length, wanted.speed, wanted)?;
        return Some(Chosen { ceiling, achievable_speed });
    }
    // Coarse, then around the best.
    let mut best: Option<(Ceiling, f64)> = None;
    let mut consider = |speed: f64| {
        if let Some(candidate) = best_at(rows, length, speed, wanted)
            && best.is_none_or(|(_, duration)| candidate.1 < duration)
        {
            best = Some(candidate);
        }
        best.map(|(ceiling, _)| ceiling.speed)
    };
    let mut fastest = None;
    for step in 0..24 {
        fastest = consider(achievable_speed * 0.85f64.powi(step));
    }
    let around = fastest?;
    for step in -4..=4 {
        consider((around * 1.03f64.powi(step)).min(achievable_speed));
    }
    best.map(|(ceiling, _)| Chosen { ceiling, achievable_speed })
}

/// The row that is used most at `ceiling`, and its largest share.
pub(super) fn most_used(rows: &[Row], ceiling: &Ceiling) -> Option<(Row, f64)> {
    rows.iter()
        .map(|row| (*row, row.shares(ceiling).into_iter().fold(0.0, f64::max)))
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
}

/// Acceleration and jerk that go with `speed` and give the shortest time, which is returned too. `speed`
/// zero stands for a vanishing one: what is left for acceleration and jerk then.
fn best_at(rows: &[Row], length: f64, speed: f64, wanted: &Wanted) -> Option<(Ceiling, f64)> {
    let most = rows
        .iter()
        .map(|row| {
            let [first, second, _] = row.derivatives;
            (row.allowed[1] - second * speed * speed) / first
        })
        .fold(f64::INFINITY, f64::min)
        .min(wanted.acceleration);
    if !(most.is_finite() && most > 0.0) {
        return None;
    }
    let mut best: Option<(Ceiling, f64)> = None;
    for share in [1.0, 0.85, 0.7, 0.55, 0.4, 0.25, 0.1] {
        let acceleration = most * share;
        let jerk = rows
            .iter()
            .map(|row| {
                let [first, second, third] = row.derivatives;
                (row.allowed[2] - 3.0 * second * speed * acceleration - third * speed.powi(3)) / first
            })
            .fold(f64::INFINITY, f64::min);
        if !(jerk.is_finite() && jerk > 0.0) {
            continue;
        }
        let ceiling = Ceiling { speed, acceleration, jerk };
        if speed <= 0.0 {
            return Some((ceiling, f64::INFINITY));
        }
        let Some(duration) = time_law::duration(length, ceiling) else { continue };
        if best.is_none_or(|(_, shortest)| duration < shortest) {
            best = Some((ceiling, duration));
        }
    }
    best
}
