use proptest::prelude::{Strategy, prop_assert, prop_oneof, proptest};

use super::super::instructions::{Instructions, compiled_for_each};
use super::super::test_chains::cases;
use super::{Eight, atan2, sin_cos};

compiled_for_each!(fn sines(angle: Eight) -> (Eight, Eight), sin_cos);
compiled_for_each!(fn angles(y: Eight, x: Eight) -> Eight, atan2);

/// Difference in units of the last place of the library's value, at least of one near 1e-20.
fn units(found: f64, wanted: f64) -> f64 {
    let place = (wanted.abs().max(1e-20).to_bits() + 1).max(1);
    let unit = f64::from_bits(place) - f64::from_bits(place - 1);
    (found - wanted).abs() / unit
}

fn number() -> impl Strategy<Value = f64> {
    let scale = prop_oneof![-1.0..1.0, -10.0..10.0, -7e4..7e4, -1e6..1e6_f64];
    prop_oneof![
        4 => scale,
        1 => (-2000_i32..2000).prop_map(|n| f64::from(n) * std::f64::consts::FRAC_PI_2),
        1 => (-2000_i32..2000, -1e-8..1e-8_f64).prop_map(|(n, d)| f64::from(n) * std::f64::consts::FRAC_PI_4 + d),
        1 => -1e-9..1e-9_f64,
    ]
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn sine_and_cosine_are_within_a_unit_of_the_last_place(x in proptest::array::uniform8(number())) {
        for instructions in Instructions::available().into_iter().flatten() {
            let (sine, cosine) = sines(instructions, Eight(x));
            for (lane, x) in x.into_iter().enumerate() {
                let (s, c) = (sine.0[lane], cosine.0[lane]);
                // Two of units: the library is itself off by half of one. Near a zero crossing the digits of the
                // result are those of the reduction, good to 1e-19.
                let good = |found: f64, wanted: f64| units(found, wanted) <= 1.6 || (found - wanted).abs() <= 3e-17 * wanted.abs().max(2e-3);
                prop_assert!(good(s, x.sin()), "{}: sin {x:e} = {s:e}, {:e}", instructions.name(), x.sin());
                prop_assert!(good(c, x.cos()), "{}: cos {x:e} = {c:e}, {:e}", instructions.name(), x.cos());
            }
        }
    }

    #[test]
    fn the_angle_of_a_point_is_within_two_units_of_the_last_place(
        y in proptest::array::uniform8(number()), x in proptest::array::uniform8(number())
    ) {
        for instructions in Instructions::available().into_iter().flatten() {
            let found = angles(instructions, Eight(y), Eight(x));
            for lane in 0..8 {
                let wanted = y[lane].atan2(x[lane]);
                prop_assert!(units(found.0[lane], wanted) <= 2.0, "{}: atan2({:e}, {:e}) = {:e}, {wanted:e}",
                    instructions.name(), y[lane], x[lane], found.0[lane]);
            }
        }
    }
}

#[test]
fn angles_that_are_huge_or_no_numbers_go_to_the_library() {
    for instructions in Instructions::available().into_iter().flatten() {
        let x = [1e7, -3e12, f64::NAN, f64::INFINITY, 0.0, -0.0, 1.0, 2.0];
        let (sine, cosine) = sines(instructions, Eight(x));
        for (lane, x) in x.into_iter().enumerate() {
            assert!(sine.0[lane].to_bits() == x.sin().to_bits() || x.sin().is_nan() && sine.0[lane].is_nan());
            assert!(
                cosine.0[lane].to_bits() == x.cos().to_bits() || x.cos().is_nan() && cosine.0[lane].is_nan()
            );
        }
    }
}

#[test]
fn points_on_the_axes_have_the_angles_of_the_library() {
    let y = [0.0, 0.0, 1.0, -1.0, -0.0, 0.0, 1.0, -1.0];
    let x = [1.0, -1.0, 0.0, 0.0, -1.0, 0.0, -1.0, -1.0];
    for instructions in Instructions::available().into_iter().flatten() {
        let found = angles(instructions, Eight(y), Eight(x));
        for lane in 0..8 {
            assert!((found.0[lane] - y[lane].atan2(x[lane])).abs() <= 4.5e-16, "lane {lane}: {found:?}");
        }
    }
}
