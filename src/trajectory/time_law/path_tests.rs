//! Properties of the clock over paths of several stretches, with random commands and stretches that come late.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

const EXCESS: f64 = 1.0 + 1e-9;

fn run(override_ratio: f64) -> Target {
    Target::Run { override_ratio: Ratio::new(override_ratio).unwrap_or(Ratio::ONE) }
}

fn decades(range: std::ops::Range<f64>) -> impl Strategy<Value = f64> {
    range.prop_map(|exponent| 10f64.powf(exponent))
}

fn ceilings() -> impl Strategy<Value = Ceiling> {
    (decades(-2.0..0.5), decades(-1.0..1.5), decades(0.0..2.5))
        .prop_map(|(speed, acceleration, jerk)| Ceiling { speed, acceleration, jerk })
}

/// Stretches of all lengths; some share the ceilings of the one before, some count in another unit.
fn paths() -> impl Strategy<Value = Vec<Stretch>> {
    let stretch =
        (decades(-3.5..0.0), ceilings(), any::<bool>(), prop_oneof![2 => Just(1.0), 1 => decades(-1.0..1.0)]);
    prop::collection::vec(stretch, 1..14).prop_map(|parts| {
        let mut path: Vec<Stretch> = Vec::new();
        for (length, ceiling, same, rate) in parts {
            let (ceiling, rate) = match path.last() {
                Some(before) if same => (before.ceiling, 1.0),
                _ => (ceiling, rate),
            };
            path.push(Stretch { length, ceiling, rate });
        }
        path
    })
}

fn targets() -> impl Strategy<Value = Target> {
    prop_oneof![2 => Just(Target::Hold), 4 => (0.0..1.0f64).prop_map(run), 3 => Just(run(1.0))]
}

/// A clock that is followed step by step.
struct Watched<'a> {
    clock: PathClock,
    path: &'a [Stretch],
    dt: f64,
    steps: usize,
}

impl Watched<'_> {
    /// One step: within the ceilings of the stretches it touches, and continuous.
    fn step(&mut self) -> Result<(), TestCaseError> {
        let (number, before) = (self.clock.passed(), self.clock.state());
        let now = self.clock.step(self.dt);
        self.steps += 1;
        let passed = self.clock.passed();
        prop_assert!(passed >= number && passed < self.path.len());
        let touched = &self.path[number..=passed];
        prop_assert!(now.s.is_finite() && now.s <= self.path[passed].length);
        prop_assert!(passed > number || now.s >= before.s);
        let ceiling = self.path[passed].ceiling;
        prop_assert!(now.speed <= ceiling.speed * EXCESS, "{} of {}", now.speed, ceiling.speed);
        prop_assert!(now.acceleration.abs() <= ceiling.acceleration * EXCESS);
        // Everything in the unit of the stretch the step began on.
        let mut rate = 1.0;
        let (mut acceleration, mut jerk) = (touched[0].ceiling.acceleration, touched[0].ceiling.jerk);
        for stretch in &touched[1..] {
            rate *= stretch.rate;
            acceleration = acceleration.max(stretch.ceiling.acceleration / rate);
            jerk = jerk.max(stretch.ceiling.jerk / rate);
        }
        let change = (now.speed / rate - before.speed).abs();
        prop_assert!(change <= acceleration * self.dt * (1.0 + 1e-6) + 1e-10, "speed jumps by {change}");
        let jump = (now.acceleration / rate - before.acceleration).abs();
        prop_assert!(
            jump <= jerk * self.dt * (1.0 + 1e-6) + 1e-7 * acceleration,
            "acceleration jumps by {jump}"
        );
        Ok(())
    }
}

fn started(path: &[Stretch], dt: f64) -> Result<Watched<'_>, TestCaseError> {
    let first = path[0];
    let clock =
        PathClock::start(first.length, first.ceiling).ok_or_else(|| TestCaseError::fail("refused"))?;
    Ok(Watched { clock, path, dt, steps: 0 })
}

fn check_end(watched: &Watched<'_>) -> Result<(), TestCaseError> {
    let last = watched.path.len() - 1;
    prop_assert_eq!(watched.clock.passed(), last);
    prop_assert_eq!(watched.clock.state().s.to_bits(), watched.path[last].length.to_bits());
    prop_assert_eq!(watched.clock.state().speed.to_bits(), 0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        rng_seed: RngSeed::Fixed(0x6d6f_7469),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_path_is_passed_within_the_ceilings_whatever_is_commanded(
        path in paths(),
        script in prop::collection::vec((1..200_usize, targets()), 0..10),
    ) {
        let mut watched = started(&path, 1e-3)?;
        for stretch in &path[1..] {
            prop_assert!(watched.clock.push(*stretch));
        }
        for (steps, target) in script {
            watched.clock.set_target(target);
            for _ in 0..steps {
                watched.step()?;
            }
        }
        watched.clock.set_target(run(1.0));
        while !watched.clock.is_at_end() {
            watched.step()?;
            prop_assert!(watched.steps < 2_000_000, "the end is not reached");
        }
        check_end(&watched)?;
    }

    #[test]
    fn stretches_that_come_late_cost_time_and_nothing_else(
        path in paths(),
        waits in prop::collection::vec(0..300_usize, 13),
    ) {
        let mut watched = started(&path, 1e-3)?;
        watched.clock.set_target(run(1.0));
        for (stretch, wait) in path[1..].iter().zip(waits) {
            for _ in 0..wait {
                watched.step()?;
            }
            prop_assert!(watched.clock.push(*stretch));
        }
        while !watched.clock.is_at_end() {
            watched.step()?;
            prop_assert!(watched.steps < 2_000_000, "the end is not reached");
        }
        check_end(&watched)?;
    }

    #[test]
    fn a_hold_stands_on_the_path_and_goes_on_from_there(path in paths(), after in 0.0..1.0f64) {
        let mut watched = started(&path, 1e-3)?;
        for stretch in &path[1..] {
            prop_assert!(watched.clock.push(*stretch));
        }
        watched.clock.set_target(run(1.0));
        let mut whole = watched.clock;
        let mut total = 0.0;
        while !whole.is_at_end() {
            total += whole.run_through();
        }
        while f64::from(u32::try_from(watched.steps).unwrap_or(u32::MAX)) * 1e-3 < after * total {
            watched.step()?;
        }
        watched.clock.set_target(Target::Hold);
        while !watched.clock.is_standing() {
            watched.step()?;
            prop_assert!(watched.steps < 2_000_000, "it does not come to a stand");
        }
        let stood = (watched.clock.passed(), watched.clock.state());
        watched.step()?;
        prop_assert_eq!(stood.0, watched.clock.passed());
        prop_assert_eq!(stood.1.s.to_bits(), watched.clock.state().s.to_bits());
        watched.clock.set_target(run(1.0));
        while !watched.clock.is_at_end() {
            watched.step()?;
        }
        check_end(&watched)?;
    }

    /// The planner adds up the times of the stretches; the cycle needs as long.
    #[test]
    fn the_sum_of_the_stretches_is_the_time_of_the_cycle(path in paths()) {
        let mut watched = started(&path, 1e-3)?;
        for stretch in &path[1..] {
            prop_assert!(watched.clock.push(*stretch));
        }
        watched.clock.set_target(run(1.0));
        let mut planned = watched.clock;
        let mut total = 0.0;
        for number in 0..path.len() {
            prop_assert_eq!(planned.passed(), number);
            total += planned.run_through();
        }
        prop_assert!(planned.is_at_end());
        while !watched.clock.is_at_end() {
            watched.step()?;
        }
        let needed = f64::from(u32::try_from(watched.steps).unwrap_or(u32::MAX)) * 1e-3;
        prop_assert!((needed - total).abs() <= 2e-3, "{needed} instead of {total}");
    }
}

/// Branching off to what comes late is granted in time and refused when it would be too fast, and then the
/// clock goes to the end it knew.
#[test]
fn branching_off_is_granted_in_time_and_refused_too_late() {
    let ceiling = Ceiling { speed: 0.5, acceleration: 2.0, jerk: 40.0 };
    let slow = Ceiling { speed: 0.05, ..ceiling };
    let corner = Stretch { length: 0.02, ceiling: slow, rate: 1.0 };
    let (mut granted, mut refused) = (0, 0);
    for after in 0..700 {
        let mut clock = PathClock::start(0.2, ceiling).expect("positive");
        clock.set_target(run(1.0));
        for _ in 0..after {
            clock.step(1e-3);
        }
        let before = clock.state();
        let taken = clock.branch_off(0.19, &[corner]);
        assert_eq!(clock.state(), before);
        if taken {
            granted += 1;
            assert!(before.s <= 0.19);
        } else {
            refused += 1;
        }
        let mut fastest_in_corner = 0.0_f64;
        while !clock.is_at_end() {
            let now = clock.step(1e-3);
            if clock.passed() == 1 {
                fastest_in_corner = fastest_in_corner.max(now.speed);
            }
        }
        assert_eq!(clock.passed(), usize::from(taken));
        assert!(fastest_in_corner <= 0.05 * EXCESS);
    }
    assert!(granted > 100 && refused > 50, "{granted} granted, {refused} refused");
}
