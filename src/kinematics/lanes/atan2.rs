//! Angle of eight points in the plane.

use std::f64::consts::{FRAC_PI_2, PI};

use super::{Eight, fma};

/// arctan(x) / x - 1 on 0..=tan(π/8) in powers of x², lowest first.
const COEFFICIENTS: [f64; 11] = [
    -3.333_333_333_333_293e-1,
    1.999_999_999_987_648_3e-1,
    -1.428_571_427_250_346_6e-1,
    1.111_111_040_546_236e-1,
    -9.090_887_133_436_507e-2,
    7.691_876_205_044_83e-2,
    -6.661_073_137_387_531e-2,
    5.833_570_133_790_573_5e-2,
    -4.976_877_994_615_932e-2,
    3.653_157_274_421_691_6e-2,
    -1.628_582_011_536_578_2e-2,
];

/// tan(π/8), below which the polynomial is used as it is.
const TAN_EIGHTH: f64 = 0.414_213_562_373_095_03;
/// What rounding takes from π/2, π/4 and π.
const FRAC_PI_2_REST: f64 = 6.123_233_995_736_766e-17;

/// `y.atan2(x)` of each lane, rad, in -π..=π. Both zero: zero.
///
/// Within 2 units in the last place. Lanes that are not finite: any value.
/// Source: reduction by (x - 1) / (x + 1) and minimax polynomial (fdlibm, public coefficients).
#[inline(always)]
pub(crate) fn atan2<const FUSED: bool>(y: Eight, x: Eight) -> Eight {
    let mut angles = Eight::ZERO;
    for lane in 0..8 {
        let (b, a) = (y.0[lane].abs(), x.0[lane].abs());
        let is_steep = b > a;
        let (low, high) = if is_steep { (a, b) } else { (b, a) };
        // low / high above tan(π/8): turn back by π/4 without a second division.
        let is_middle = low > TAN_EIGHTH * high;
        let (numerator, denominator) = if is_middle { (low - high, low + high) } else { (low, high) };
        let denominator = if denominator > 0.0 { denominator } else { 1.0 };
        let t = numerator / denominator;
        let z = t * t;
        let w = z * z;
        let c = &COEFFICIENTS;
        let even = fma::<FUSED>(
            w,
            fma::<FUSED>(w, fma::<FUSED>(w, fma::<FUSED>(w, fma::<FUSED>(w, c[10], c[8]), c[6]), c[4]), c[2]),
            c[0],
        );
        let odd =
            fma::<FUSED>(w, fma::<FUSED>(w, fma::<FUSED>(w, fma::<FUSED>(w, c[9], c[7]), c[5]), c[3]), c[1]);
        let series = fma::<FUSED>(z, odd, even) * z;
        let mut angle = fma::<FUSED>(t, series, t);
        let (offset, rest) = if is_middle { (0.5 * FRAC_PI_2, 0.5 * FRAC_PI_2_REST) } else { (0.0, 0.0) };
        angle = offset + (angle + rest);
        angle = if is_steep { FRAC_PI_2 - (angle - FRAC_PI_2_REST) } else { angle };
        angle = if x.0[lane] < 0.0 { PI - (angle - 2.0 * FRAC_PI_2_REST) } else { angle };
        angles.0[lane] = angle.copysign(y.0[lane]);
    }
    angles
}
