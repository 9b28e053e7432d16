//! Eight joints side by side: the same arithmetic for each, so that the compiler makes vector instructions of it.

use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

/// Joints in a group.
pub(super) const WIDTH: usize = 8;

/// One number for each joint of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub(super) struct Lanes(pub(super) [f64; WIDTH]);

impl Lanes {
    pub(super) const ZERO: Self = Self([0.0; WIDTH]);

    pub(super) const fn all(value: f64) -> Self {
        Self([value; WIDTH])
    }

    #[inline]
    pub(super) fn map(self, of: impl Fn(f64) -> f64) -> Self {
        Self(self.0.map(of))
    }

    #[inline]
    pub(super) fn sum(self) -> f64 {
        self.0.iter().sum()
    }

    #[inline]
    pub(super) fn largest(self) -> f64 {
        self.0.iter().fold(f64::NEG_INFINITY, |largest, value| largest.max(*value))
    }
}

macro_rules! elementwise {
    ($trait:ident, $method:ident, $operator:tt) => {
        impl $trait for Lanes {
            type Output = Self;
            #[inline]
            fn $method(self, other: Self) -> Self {
                Self(std::array::from_fn(|lane| self.0[lane] $operator other.0[lane]))
            }
        }
        impl $trait<f64> for Lanes {
            type Output = Self;
            #[inline]
            fn $method(self, other: f64) -> Self {
                Self(std::array::from_fn(|lane| self.0[lane] $operator other))
            }
        }
    };
}
elementwise!(Add, add, +);
elementwise!(Sub, sub, -);
elementwise!(Mul, mul, *);
elementwise!(Div, div, /);

impl Neg for Lanes {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Self(self.0.map(|value| -value))
    }
}
impl AddAssign for Lanes {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
impl SubAssign for Lanes {
    #[inline]
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}
