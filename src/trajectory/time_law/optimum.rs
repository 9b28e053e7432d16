//! The time-optimal profile to a point that is too near for the full speed, by `rsruckig`, and what is
//! done when it finds none.
//!
//! The solver is called below its `Ruckig` front end: that one keeps vectors on the heap and formats a
//! text on every error, whichever error handler is chosen. The step underneath is arrays only and says
//! yes or no.

use rsruckig::block::Block;
use rsruckig::position_third_step1::PositionThirdOrderStep1;
use rsruckig::profile::Profile as RuckigProfile;

use super::profile::{Profile, State};
use crate::trajectory::Ceiling;

/// Halvings of the speed interval in [`bisected`]: the interval is then below the rounding of a speed.
const HALVINGS: usize = 60;

/// Largest deviation of a solved profile from its target, in parts of the distance.
const END_TOLERANCE: f64 = 1e-10;

/// The time-optimal profile from `from` to the speed `exit` at `target`, or `None` when the solver finds none
/// that is forward, within the ceilings and exact.
///
/// The speed ceiling must not be what limits: the caller has checked that running up to it and slowing down
/// again needs more than the distance.
/// # Real-time
/// No allocation; about 1 µs; loops bounded by the degree of the polynomials.
/// Source: Berscheid and Kröger 2021, "Jerk-limited real-time trajectory generation with arbitrary
/// target states", step 1.
pub(super) fn solved(from: State, target: f64, exit: f64, ceiling: &Ceiling) -> Option<Profile> {
    let distance = target - from.s;
    let Ceiling { acceleration, jerk, .. } = *ceiling;
    // The solver compares with absolute tolerances: give it a problem of size one.
    let time = (acceleration / jerk).min((distance / jerk).cbrt());
    let length = jerk * time * time * time;
    let v0 = from.v * time / length;
    let vf = exit * time / length;
    let a0 = from.a * time * time / length;
    let pf = distance / length;
    // More than can be reached within the distance changes nothing.
    let a_max = (acceleration * time * time / length).min(10.0 + 2.0 * a0.abs());
    let v_max = 10.0 + 2.0 * (v0 + vf + a0 * a0) + a_max * a_max + (2.0 * a_max * pf).sqrt();

    let mut boundary = RuckigProfile::default();
    boundary.set_boundary(0.0, v0, a0, pf, vf, 0.0);
    let mut block = Block::default();
    let mut solver =
        PositionThirdOrderStep1::new(0.0, v0, a0, pf, vf, 0.0, v_max, -v_max, a_max, -a_max, 1.0);
    if !solver.get_profile(&boundary, &mut block) {
        return None;
    }
    let solution = &block.p_min;
    let mut profile = Profile::standing_at(from);
    for (duration, direction) in solution.t.iter().zip(&solution.j) {
        profile.push(duration * time, direction * jerk);
    }
    is_usable(&profile, from, target, exit, ceiling).then(|| profile.ending_at(target, exit))
}

/// True when `profile` goes forward from `from` to the speed `exit` at `target` within the ceilings.
fn is_usable(profile: &Profile, from: State, target: f64, exit: f64, ceiling: &Ceiling) -> bool {
    let distance = target - from.s;
    let end = profile.end();
    let duration = profile.duration();
    let forward = profile.phases().iter().all(|phase| {
        // Speed is least where the acceleration passes zero upwards, or at the start of a phase.
        let turn = if phase.jerk > 0.0 { -phase.start.a / phase.jerk } else { 0.0 };
        let least = phase.start.after(turn.clamp(0.0, phase.duration), phase.jerk).v;
        least >= -END_TOLERANCE * distance / duration
            && phase.start.a.abs() <= ceiling.acceleration.max(from.a.abs()) * (1.0 + 1e-9)
            && phase.jerk.abs() <= ceiling.jerk * (1.0 + 1e-9)
    });
    forward
        && duration.is_finite()
        && (end.s - target).abs() <= END_TOLERANCE * distance
        && (end.v - exit).abs() <= END_TOLERANCE * distance / duration
}

/// A profile from `from` to the speed `exit` at `target` that always exists: change to a speed between `exit`
/// and `speed_max`, hold it, change to `exit`. The speed is found by halving an interval. Within the
/// ceilings; not always the fastest.
///
/// Changing to `exit` at once must fit into the distance (but for rounding), running up to `speed_max` first
/// must not.
/// # Real-time
/// No allocation; [`HALVINGS`] steps of about 0.1 µs.
pub(super) fn bisected(from: State, target: f64, speed_max: f64, exit: f64, ceiling: &Ceiling) -> Profile {
    let ends_before = |speed: f64| through(from, speed, exit, ceiling).end().s <= target;
    cruising(from, target, halved(exit, speed_max, ends_before), exit, ceiling)
}

/// The exit speed, between `kept` and `wanted`, nearest to `wanted` that a change from `from` reaches before
/// `target`: the change to `kept` does.
/// # Real-time
/// No allocation; [`HALVINGS`] steps of about 0.1 µs.
pub(super) fn nearest_exit(from: State, target: f64, kept: f64, wanted: f64, ceiling: &Ceiling) -> f64 {
    halved(kept, wanted, |exit| end_of_change(from, exit, ceiling) <= target)
}

/// The last value from `good` towards `bad` that `holds`, by halving; `good` is not asked.
fn halved(mut good: f64, mut bad: f64, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = 0.5 * (good + bad);
        if holds(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    good
}

/// Change to `speed`, then to `exit`.
fn through(from: State, speed: f64, exit: f64, ceiling: &Ceiling) -> Profile {
    let mut profile = Profile::standing_at(from);
    profile.push_change(speed, ceiling);
    profile.push_change(exit, ceiling);
    profile
}

/// Change to `speed`, keep it for as long as the distance asks, change to `exit` at `target`.
///
/// The caller knows that both changes fit into the distance.
pub(super) fn cruising(from: State, target: f64, speed: f64, exit: f64, ceiling: &Ceiling) -> Profile {
    let spare = target - through(from, speed, exit, ceiling).end().s;
    let mut profile = Profile::standing_at(from);
    profile.push_change(speed, ceiling);
    if speed > 0.0 {
        profile.push(spare / speed, 0.0);
    }
    profile.push_change(exit, ceiling);
    profile.ending_at(target, exit)
}

/// Where change to `speed` and then to `exit` end.
pub(super) fn end_through(from: State, speed: f64, exit: f64, ceiling: &Ceiling) -> f64 {
    through(from, speed, exit, ceiling).end().s
}

/// Where the change to `exit` ends.
pub(super) fn end_of_change(from: State, exit: f64, ceiling: &Ceiling) -> f64 {
    let mut profile = Profile::standing_at(from);
    profile.push_change(exit, ceiling);
    profile.end().s
}
