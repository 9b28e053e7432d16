//! Properties of the clock over random segments and random commands at random instants.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rsruckig::prelude::{InputParameter, Ruckig, ThrowErrorHandler, Trajectory};

use super::*;

/// Parts of a limit that rounding may exceed it by.
const EXCESS: f64 = 1.0 + 1e-9;

fn run(override_ratio: f64) -> Target {
    Target::Run { override_ratio: Ratio::new(override_ratio).unwrap_or(Ratio::ONE) }
}

/// Ten to the power of a number in `range`.
fn decades(range: std::ops::Range<f64>) -> impl Strategy<Value = f64> {
    range.prop_map(|exponent| 10f64.powf(exponent))
}

fn ceilings() -> impl Strategy<Value = Ceiling> {
    (decades(-3.0..1.0), decades(-1.0..2.0), decades(-1.0..3.0))
        .prop_map(|(speed, acceleration, jerk)| Ceiling { speed, acceleration, jerk })
}

fn targets() -> impl Strategy<Value = Target> {
    prop_oneof![
        2 => Just(Target::Hold),
        4 => (0.0..1.0f64).prop_map(run),
        2 => Just(run(1.0)),
        1 => Just(run(0.0)),
        1 => decades(-8.0..0.0).prop_map(run),
    ]
}

/// Commands and the fraction of the nominal duration after which each comes.
fn scripts() -> impl Strategy<Value = Vec<(f64, Target)>> {
    prop_oneof![
        3 => prop::collection::vec((0.0..0.3f64, targets()), 1..12),
        1 => prop::collection::vec((0.0..0.003f64, targets()), 1..200),
    ]
}

/// Time of the fastest stop from `v`, `a`: closed form, written apart from the product's.
fn fastest_stop(v: f64, a: f64, ceiling: &Ceiling) -> f64 {
    let Ceiling { acceleration: a_max, jerk, .. } = *ceiling;
    if a < 0.0 && v <= a * a / (2.0 * jerk) * (1.0 + 1e-9) {
        return -a / jerk;
    }
    let peak = (jerk * v + 0.5 * a * a).sqrt();
    if peak <= a_max {
        return (a + 2.0 * peak) / jerk;
    }
    // (a + a_max)/jerk down, hold, a_max/jerk back.
    let hold = (v + a * a / (2.0 * jerk) - a_max * a_max / jerk) / a_max;
    (a + a_max) / jerk + hold + a_max / jerk
}

/// What every step of every run keeps to.
fn check_step(
    before: PathState,
    now: PathState,
    clock: &PathClock,
    speed_allowed: f64,
    dt: f64,
) -> Result<(), TestCaseError> {
    let Ceiling { acceleration, jerk, .. } = clock.ceiling();
    let length = clock.length();
    prop_assert!(now.s.is_finite() && now.speed.is_finite() && now.acceleration.is_finite());
    prop_assert!(now.s >= before.s && now.s <= length, "s from {} to {}", before.s, now.s);
    prop_assert!(now.speed <= speed_allowed * EXCESS + 1e-12, "{} > {speed_allowed}", now.speed);
    prop_assert!(now.acceleration.abs() <= acceleration * EXCESS);
    let rounding = 1e-9 * acceleration;
    let jump = (now.acceleration - before.acceleration).abs();
    prop_assert!(jump <= jerk * dt * (1.0 + 1e-6) + rounding, "{jump} > {}", jerk * dt);
    let change = (now.speed - before.speed).abs();
    prop_assert!(change <= acceleration * dt * EXCESS + 1e-9 * clock.ceiling().speed);
    let way = now.s - before.s;
    let fastest = before.speed.max(now.speed) + jerk * dt * dt;
    prop_assert!(way <= fastest * dt * EXCESS + 1e-9 * length, "{way} in {dt} at {fastest}");
    Ok(())
}

fn check_script(
    length: f64,
    ceiling: Ceiling,
    steps: f64,
    script: &[(f64, Target)],
) -> Result<PathClock, TestCaseError> {
    let mut clock = PathClock::start(length, ceiling).ok_or_else(|| TestCaseError::fail("rejected"))?;
    let nominal = duration(length, ceiling).ok_or_else(|| TestCaseError::fail("rejected"))?;
    let dt = nominal / steps;
    let mut before = clock.state();
    let full = run(1.0);
    for (fraction, target) in std::iter::once(&(0.0, full)).chain(script) {
        // The wait belongs to the target before; the change happens at any instant, also off the grid.
        let mut left = fraction * nominal;
        let mut allowed = speed_allowed(&clock, before);
        while left > 0.0 {
            let now = clock.step(dt.min(left));
            check_step(before, now, &clock, allowed, dt.min(left))?;
            allowed = allowed.min(speed_allowed(&clock, now));
            before = now;
            left -= dt;
        }
        clock.set_target(*target);
        let after = clock.state();
        prop_assert_eq!(before, after, "a change of target moved the clock");
        if *target == Target::Hold {
            let (v, a) = (after.speed, after.acceleration);
            let optimum = fastest_stop(v, a, &ceiling);
            prop_assert!(
                clock.remaining() <= optimum * (1.0 + 1e-6) + 1e-7 * nominal,
                "stop takes {} instead of {optimum}",
                clock.remaining()
            );
        }
    }
    // Then to the end.
    clock.set_target(full);
    let mut allowed = speed_allowed(&clock, before);
    let bound = clock.remaining();
    prop_assert!(bound.is_finite());
    let mut passed = 0.0;
    while !clock.is_at_end() {
        let now = clock.step(dt);
        check_step(before, now, &clock, allowed, dt)?;
        allowed = allowed.min(speed_allowed(&clock, now));
        before = now;
        passed += dt;
        prop_assert!(passed <= bound + 2.0 * dt, "the end is not reached");
    }
    prop_assert_eq!(clock.state().s.to_bits(), length.to_bits());
    prop_assert_eq!(clock.state().speed.to_bits(), 0);
    prop_assert_eq!(clock.state().acceleration.to_bits(), 0);
    Ok(clock)
}

/// The speed that may still be seen: the ceiling in force, or what the present acceleration leads to
/// before it can be taken away.
fn speed_allowed(clock: &PathClock, now: PathState) -> f64 {
    let ceiling = match clock.target() {
        Target::Run { override_ratio } => clock.ceiling().speed * override_ratio.get(),
        Target::Hold => 0.0,
    };
    let inevitable = now.speed + now.acceleration.max(0.0).powi(2) / (2.0 * clock.ceiling().jerk);
    ceiling.max(inevitable)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 20_000,
        rng_seed: RngSeed::Fixed(0x6d6f_7469_6f6e),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_sequence_of_override_hold_and_resume_keeps_every_limit_and_ends_exactly(
        length in decades(-9.0..3.0),
        ceiling in ceilings(),
        steps in 20.0..400.0f64,
        script in scripts(),
    ) {
        check_script(length, ceiling, steps, &script)?;
    }

    #[test]
    fn at_full_override_the_law_is_the_time_optimal_one(
        length in decades(-3.0..2.0),
        ceiling in ceilings(),
    ) {
        let mut input = InputParameter::<1>::new(None);
        input.target_position[0] = length;
        input.max_velocity[0] = ceiling.speed;
        input.max_acceleration[0] = ceiling.acceleration;
        input.max_jerk[0] = ceiling.jerk;
        let mut trajectory = Trajectory::new(None);
        let outcome =
            Ruckig::<1, ThrowErrorHandler>::new(None, 0.001).calculate(&input, &mut trajectory);
        prop_assert!(outcome.is_ok());
        let expected = trajectory.get_duration();
        let got = duration(length, ceiling);
        prop_assert!(got.is_some_and(|got| (got - expected).abs() <= 1e-6 * expected),
            "{got:?} instead of {expected}");
    }
}

/// Also from a moving state the law to the end is the optimum: the same solver through its front end.
#[test]
fn after_a_resume_the_law_is_the_time_optimal_one() {
    let ceiling = Ceiling { speed: 1.0, acceleration: 4.0, jerk: 40.0 };
    let mut compared = 0;
    for hold_after in 1..60 {
        for resume_after in 0..30 {
            let Some(mut clock) = PathClock::start(0.3, ceiling) else { continue };
            clock.set_target(run(1.0));
            clock.step(0.01 * f64::from(hold_after));
            clock.set_target(Target::Hold);
            clock.step(0.01 * f64::from(resume_after));
            let from = clock.state();
            clock.set_target(run(1.0));
            let mut input = InputParameter::<1>::new(None);
            input.current_position[0] = from.s;
            input.current_velocity[0] = from.speed;
            input.current_acceleration[0] = from.acceleration;
            input.target_position[0] = 0.3;
            input.max_velocity[0] = ceiling.speed;
            input.max_acceleration[0] = ceiling.acceleration;
            input.max_jerk[0] = ceiling.jerk;
            let mut trajectory = Trajectory::new(None);
            let outcome = Ruckig::<1, ThrowErrorHandler>::new(None, 0.001).calculate(&input, &mut trajectory);
            if outcome.is_ok() {
                compared += 1;
                assert!(
                    clock.remaining() <= trajectory.get_duration() + 1e-5,
                    "{} instead of {} from {from:?}",
                    clock.remaining(),
                    trajectory.get_duration()
                );
            }
        }
    }
    assert!(compared > 1500, "only {compared} compared");
}

/// What stands in when the solver finds nothing, and when the ceiling was lowered: from any state of a
/// motion it reaches the end within the ceilings.
#[test]
fn the_stand_in_profile_reaches_the_end_within_the_ceilings() {
    let ceiling = Ceiling { speed: 1.0, acceleration: 4.0, jerk: 40.0 };
    for length in [1e-6, 1e-3, 0.05, 0.3, 0.7] {
        let Some(total) = duration(length, ceiling) else { panic!("the ceilings are positive") };
        for instant in 0..100 {
            let Some(mut clock) = PathClock::start(length, ceiling) else { continue };
            clock.set_target(run(1.0));
            let now = clock.step(total * f64::from(instant) / 100.0);
            let from = State { s: now.s, v: now.speed, a: now.acceleration };
            for speed in [0.01, 0.1, 0.5, 1.0] {
                if optimum::end_through(from, speed, 0.0, &ceiling) <= length {
                    continue;
                }
                clock.profile = optimum::bisected(from, length, speed, 0.0, &ceiling);
                clock.phase = 0;
                clock.time_in_phase = 0.0;
                clock.at = now;
                let allowed = speed.max(from.released(&ceiling)).max(from.v);
                let remaining = clock.remaining();
                assert!(remaining.is_finite(), "{from:?}");
                let mut before = now;
                for _ in 0..=400 {
                    let now = clock.step(remaining / 399.0);
                    let checked = check_step(before, now, &clock, allowed, remaining / 399.0);
                    assert!(checked.is_ok(), "{from:?} to {length} at {speed}: {checked:?}");
                    before = now;
                }
                assert!(clock.is_at_end(), "{from:?} to {length} at {speed}: {before:?}");
            }
        }
    }
}

#[test]
fn the_solver_fails_seldom_enough_that_the_count_means_something() {
    let ceiling = Ceiling { speed: 0.5, acceleration: 2.0, jerk: 20.0 };
    let (mut fallbacks, mut changes) = (0, 0);
    for length in [1e-9, 1e-4, 0.01, 0.1, 0.3, 1.0] {
        let Some(mut clock) = PathClock::start(length, ceiling) else { continue };
        let Some(total) = duration(length, ceiling) else { continue };
        for cycle in 0..2000 {
            clock.set_target(run([1.0, 0.9, 1.0, 0.95][cycle % 4]));
            clock.step(total / 1500.0);
            changes += 1;
        }
        assert!(clock.is_at_end(), "{length}: {:?}", clock.state());
        fallbacks += clock.fallbacks();
    }
    assert!(fallbacks * 1000 <= changes, "{fallbacks} of {changes}");
}

#[test]
fn a_segment_without_length_is_at_its_end_at_once() {
    let ceiling = Ceiling { speed: 1.0, acceleration: 1.0, jerk: 1.0 };
    let Some(mut clock) = PathClock::start(0.0, ceiling) else { panic!("zero length is allowed") };
    assert!(clock.is_at_end());
    clock.set_target(run(1.0));
    assert!(clock.is_at_end() && clock.is_standing());
    assert_eq!(clock.step(0.001), PathState::default());
    assert_eq!(duration(0.0, ceiling), Some(0.0));
}

#[test]
fn lengths_and_ceilings_that_make_no_law_are_refused() {
    let good = Ceiling { speed: 1.0, acceleration: 1.0, jerk: 1.0 };
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(PathClock::start(1.0, Ceiling { speed: bad, ..good }).is_none());
        assert!(PathClock::start(1.0, Ceiling { acceleration: bad, ..good }).is_none());
        assert!(PathClock::start(1.0, Ceiling { jerk: bad, ..good }).is_none());
    }
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(PathClock::start(bad, good).is_none());
    }
}

#[test]
fn nothing_moves_before_it_is_asked_to_and_at_override_zero_it_waits_without_being_held() {
    let ceiling = Ceiling { speed: 0.5, acceleration: 2.0, jerk: 20.0 };
    let Some(mut clock) = PathClock::start(1.0, ceiling) else { panic!("valid") };
    assert_eq!(clock.target(), Target::Hold);
    clock.step(1.0);
    assert_eq!(clock.state(), PathState::default());
    clock.set_target(run(1.0));
    clock.step(0.5);
    clock.set_target(run(0.0));
    clock.step(5.0);
    assert!(clock.is_standing() && !clock.is_at_end() && clock.target() != Target::Hold);
    let waiting = clock.state();
    clock.step(5.0);
    assert_eq!(clock.state(), waiting);
    clock.set_target(run(1.0));
    clock.step(100.0);
    assert!(clock.is_at_end());
}

#[test]
fn steps_that_are_no_time_change_nothing() {
    let ceiling = Ceiling { speed: 0.5, acceleration: 2.0, jerk: 20.0 };
    let Some(mut clock) = PathClock::start(1.0, ceiling) else { panic!("valid") };
    clock.set_target(run(1.0));
    let before = clock.step(0.3);
    for nothing in [0.0, -1.0, f64::NAN] {
        assert_eq!(clock.step(nothing), before);
    }
}
