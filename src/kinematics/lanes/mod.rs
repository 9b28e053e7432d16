//! Arithmetic on eight and on four numbers at once, written so that the compiler makes vector instructions of it.
//! Everything is `#[inline(always)]`: it takes on the instructions of the kernel that uses it.

mod atan2;
mod sin_cos;

pub(crate) use atan2::atan2;
pub(crate) use sin_cos::sin_cos;

/// Eight numbers side by side.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub(crate) struct Eight(pub(crate) [f64; 8]);

impl Eight {
    pub(crate) const ZERO: Self = Self([0.0; 8]);

    #[inline(always)]
    pub(crate) const fn splat(value: f64) -> Self {
        Self([value; 8])
    }

    /// The first eight values, zeros behind the last.
    #[inline(always)]
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut lanes = Self::ZERO;
        let count = values.len().min(8);
        lanes.0[..count].copy_from_slice(&values[..count]);
        lanes
    }

    #[inline(always)]
    pub(crate) fn map(self, mut f: impl FnMut(f64) -> f64) -> Self {
        let mut result = self;
        for lane in 0..8 {
            result.0[lane] = f(self.0[lane]);
        }
        result
    }

    /// Each lane of `self` where the mask is not below zero, of `other` elsewhere.
    #[inline(always)]
    pub(crate) fn or_where_negative(self, mask: Self, other: Self) -> Self {
        let mut result = self;
        for lane in 0..8 {
            result.0[lane] = if mask.0[lane] < 0.0 { other.0[lane] } else { self.0[lane] };
        }
        result
    }

    /// The smaller of two, lane by lane.
    #[inline(always)]
    pub(crate) fn min(self, other: Self) -> Self {
        let mut result = self;
        for lane in 0..8 {
            result.0[lane] = if other.0[lane] < self.0[lane] { other.0[lane] } else { self.0[lane] };
        }
        result
    }

    /// Largest magnitude; NaN lanes are left out.
    #[inline(always)]
    pub(crate) fn max_abs(self) -> f64 {
        let a = self.map(f64::abs).0;
        let larger = |x: f64, y: f64| if x > y { x } else { y };
        larger(larger(larger(a[0], a[4]), larger(a[1], a[5])), larger(larger(a[2], a[6]), larger(a[3], a[7])))
    }

    /// The larger of two, lane by lane; NaN where either is.
    #[inline(always)]
    pub(crate) fn max(self, other: Self) -> Self {
        let mut result = self;
        for lane in 0..8 {
            let (a, b) = (self.0[lane], other.0[lane]);
            result.0[lane] = if a > b { a } else { b } + 0.0 * a;
        }
        result
    }

    /// A bit for each lane, the lowest for the first: whether `is` holds there.
    #[inline(always)]
    pub(crate) fn bits(self, is: impl Fn(f64) -> bool) -> u8 {
        let mut bits = 0;
        for lane in 0..8 {
            bits |= u8::from(is(self.0[lane])) << lane;
        }
        bits
    }

    /// Root of each lane; of what is negative, zero.
    #[inline(always)]
    pub(crate) fn root(self) -> Self {
        self.map(|value| if value > 0.0 { value } else { 0.0 }.sqrt())
    }

    /// `self * factor + addend`.
    #[inline(always)]
    pub(crate) fn times_plus<const FUSED: bool>(self, factor: Self, addend: Self) -> Self {
        let mut result = self;
        for lane in 0..8 {
            result.0[lane] = fma::<FUSED>(self.0[lane], factor.0[lane], addend.0[lane]);
        }
        result
    }
}

macro_rules! lanewise {
    ($type:ident, $count:literal, $trait:ident, $method:ident, $operator:tt) => {
        impl std::ops::$trait for $type {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                let mut result = self;
                for lane in 0..$count {
                    result.0[lane] = self.0[lane] $operator other.0[lane];
                }
                result
            }
        }
    };
}
impl std::ops::Neg for Eight {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.map(|value| -value)
    }
}

impl std::ops::Mul<Eight> for f64 {
    type Output = Eight;
    #[inline(always)]
    fn mul(self, lanes: Eight) -> Eight {
        lanes.map(|value| self * value)
    }
}

lanewise!(Eight, 8, Add, add, +);
lanewise!(Eight, 8, Sub, sub, -);
lanewise!(Eight, 8, Mul, mul, *);
lanewise!(Eight, 8, Div, div, /);
lanewise!(Four, 4, Add, add, +);
lanewise!(Four, 4, Sub, sub, -);
lanewise!(Four, 4, Mul, mul, *);

/// A vector in space; the last number is zero.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(32))]
pub(crate) struct Four(pub(crate) [f64; 4]);

impl Four {
    pub(crate) const ZERO: Self = Self([0.0; 4]);

    #[inline(always)]
    pub(crate) fn of(v: &nalgebra::Vector3<f64>) -> Self {
        Self([v.x, v.y, v.z, 0.0])
    }

    #[inline(always)]
    pub(crate) fn vector(self) -> nalgebra::Vector3<f64> {
        nalgebra::Vector3::new(self.0[0], self.0[1], self.0[2])
    }

    #[inline(always)]
    pub(crate) fn scaled(self, factor: f64) -> Self {
        self * Self([factor; 4])
    }

    /// `self * factor + addend`.
    #[inline(always)]
    pub(crate) fn times_plus<const FUSED: bool>(self, factor: f64, addend: Self) -> Self {
        let mut result = self;
        for lane in 0..4 {
            result.0[lane] = fma::<FUSED>(self.0[lane], factor, addend.0[lane]);
        }
        result
    }

    #[inline(always)]
    pub(crate) fn dot(self, other: Self) -> f64 {
        let product = self * other;
        (product.0[0] + product.0[1]) + (product.0[2] + product.0[3])
    }

    /// Vector product; the last number is zero.
    #[inline(always)]
    pub(crate) fn cross<const FUSED: bool>(self, other: Self) -> Self {
        let turned = |v: Self| Self([v.0[1], v.0[2], v.0[0], v.0[3]]);
        let (a, b) = (turned(self), turned(other));
        // a × b, its numbers turned once more: one rotation fewer than the definition.
        let mut result = self * b;
        for lane in 0..4 {
            result.0[lane] = fma::<FUSED>(-a.0[lane], other.0[lane], result.0[lane]);
        }
        turned(result)
    }
}

/// `a * b + c`, rounded once where the processor can.
#[inline(always)]
pub(crate) fn fma<const FUSED: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

#[cfg(test)]
mod tests;
