//! Sine and cosine of eight angles.

use std::f64::consts::FRAC_2_PI;

use super::{Eight, fma};

/// Beyond this the reduction loses digits and the library is asked, rad. About 160,000 turns.
const ANGLE_MAX: f64 = 1e6;

/// Adding it rounds to a whole number, which then stands in the lowest bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// π/2 in two and in four parts. The first of the four end in zero bits, so that whole multiples up to 2^20 are exact.
const HALF_PI: [f64; 2] = [std::f64::consts::FRAC_PI_2, 6.123_233_995_736_766e-17];
const HALF_PI_PARTS: [f64; 3] =
    [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_6e-21];

/// Sine and cosine of each lane (rad).
///
/// Within 1 unit in the last place of the exact value. Not finite: NaN.
/// Source: argument reduction of Cody, Waite 1980; minimax polynomials on ±π/4 (fdlibm, public coefficients).
#[inline(always)]
pub(crate) fn sin_cos<const FUSED: bool>(angle: Eight) -> (Eight, Eight) {
    let mut is_small = true;
    for lane in 0..8 {
        is_small &= angle.0[lane].abs() <= ANGLE_MAX;
    }
    let (mut sines, mut cosines) = (Eight::ZERO, Eight::ZERO);
    if !is_small {
        by_library(&angle, &mut sines, &mut cosines);
        return (sines, cosines);
    }
    for lane in 0..8 {
        let x = angle.0[lane];
        let shifted = fma::<FUSED>(x, FRAC_2_PI, ROUNDER);
        let quarters = shifted - ROUNDER;
        let r = if FUSED {
            // The first difference is exact: its bits reach from 1/2 down to those of x and of 2^-52.
            fma::<true>(-quarters, HALF_PI[1], fma::<true>(-quarters, HALF_PI[0], x))
        } else {
            (x - quarters * HALF_PI_PARTS[0]) - (quarters * HALF_PI_PARTS[1] + quarters * HALF_PI_PARTS[2])
        };
        let z = r * r;
        let z2 = z * z;
        // Even and odd halves side by side, a shorter way than Horner's.
        let s_low = fma::<FUSED>(z, 8.333_333_333_322_49e-3, -1.666_666_666_666_663_2e-1);
        let s_mid = fma::<FUSED>(z, 2.755_731_370_707_006_8e-6, -1.984_126_982_985_795e-4);
        let s_high = fma::<FUSED>(z, 1.589_690_995_211_55e-10, -2.505_076_025_340_686_3e-8);
        let s = fma::<FUSED>(fma::<FUSED>(s_high, z2, s_mid), z2, s_low);
        let sine = fma::<FUSED>(s, z * r, r);
        let c_low = fma::<FUSED>(z, -1.388_888_888_887_411e-3, 4.166_666_666_666_66e-2);
        let c_mid = fma::<FUSED>(z, -2.755_731_435_139_066_3e-7, 2.480_158_728_947_673e-5);
        let c_high = fma::<FUSED>(z, -1.135_964_755_778_819_5e-11, 2.087_572_321_298_175e-9);
        let c = fma::<FUSED>(fma::<FUSED>(c_high, z2, c_mid), z2, c_low);
        // 1 - z/2 is rounded; what that lost comes back with the rest.
        let head = fma::<FUSED>(z, -0.5, 1.0);
        let lost = fma::<FUSED>(z, -0.5, 1.0 - head);
        let cosine = head + fma::<FUSED>(c, z2, lost);
        let bits = shifted.to_bits();
        let is_odd = bits & 1 != 0;
        let sine_sign = (bits & 2) << 62;
        let cosine_sign = (bits.wrapping_add(1) & 2) << 62;
        let (first, second) = if is_odd { (cosine, sine) } else { (sine, cosine) };
        sines.0[lane] = f64::from_bits(first.to_bits() ^ sine_sign);
        cosines.0[lane] = f64::from_bits(second.to_bits() ^ cosine_sign);
    }
    (sines, cosines)
}

#[cold]
#[inline(never)]
fn by_library(angle: &Eight, sines: &mut Eight, cosines: &mut Eight) {
    *sines = angle.map(f64::sin);
    *cosines = angle.map(f64::cos);
}
