//! What a transform computes with: one complex number, or one of each of several channels side by side.

use core::ops::{Add, Sub};

use num_complex::Complex64;

/// Channels that are transformed side by side.
pub(crate) const LANES: usize = 4;

/// A complex number, or as many of them as there are lanes, each with the same operations in the same order.
pub(super) trait Cell: Copy + Add<Output = Self> + Sub<Output = Self> {
    type Real: Copy;
    const ZERO: Self;

    fn new(re: Self::Real, im: Self::Real) -> Self;
    fn real(re: Self::Real) -> Self;
    fn times(self, factor: Complex64) -> Self;
    fn scaled(self, factor: f64) -> Self;
    fn halved(self) -> Self;
    fn conj(self) -> Self;
    /// Times −i.
    fn turned(self) -> Self;
    /// Times i.
    fn turned_back(self) -> Self;
}

impl Cell for Complex64 {
    type Real = f64;
    const ZERO: Self = Complex64::new(0.0, 0.0);

    #[inline(always)]
    fn new(re: f64, im: f64) -> Self {
        Complex64::new(re, im)
    }
    #[inline(always)]
    fn real(re: f64) -> Self {
        Complex64::new(re, 0.0)
    }
    #[inline(always)]
    fn times(self, factor: Complex64) -> Self {
        self * factor
    }
    #[inline(always)]
    fn scaled(self, factor: f64) -> Self {
        self * factor
    }
    #[inline(always)]
    fn halved(self) -> Self {
        self / 2.0
    }
    #[inline(always)]
    fn conj(self) -> Self {
        Complex64::new(self.re, -self.im)
    }
    #[inline(always)]
    fn turned(self) -> Self {
        Complex64::new(self.im, -self.re)
    }
    #[inline(always)]
    fn turned_back(self) -> Self {
        Complex64::new(-self.im, self.re)
    }
}

/// One complex number of each of several channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wide {
    pub(super) re: [f64; LANES],
    pub(super) im: [f64; LANES],
}

/// Makes a [`Wide`] lane by lane.
#[inline(always)]
fn each(lane: impl Fn(usize) -> (f64, f64)) -> Wide {
    let mut wide = Wide::ZERO;
    for at in 0..LANES {
        (wide.re[at], wide.im[at]) = lane(at);
    }
    wide
}

impl Add for Wide {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        each(|at| (self.re[at] + other.re[at], self.im[at] + other.im[at]))
    }
}

impl Sub for Wide {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        each(|at| (self.re[at] - other.re[at], self.im[at] - other.im[at]))
    }
}

impl Cell for Wide {
    type Real = [f64; LANES];
    const ZERO: Self = Wide { re: [0.0; LANES], im: [0.0; LANES] };

    #[inline(always)]
    fn new(re: [f64; LANES], im: [f64; LANES]) -> Self {
        Wide { re, im }
    }
    #[inline(always)]
    fn real(re: [f64; LANES]) -> Self {
        Wide { re, im: [0.0; LANES] }
    }
    #[inline(always)]
    fn times(self, f: Complex64) -> Self {
        each(|at| (self.re[at] * f.re - self.im[at] * f.im, self.re[at] * f.im + self.im[at] * f.re))
    }
    #[inline(always)]
    fn scaled(self, factor: f64) -> Self {
        each(|at| (self.re[at] * factor, self.im[at] * factor))
    }
    #[inline(always)]
    fn halved(self) -> Self {
        each(|at| (self.re[at] / 2.0, self.im[at] / 2.0))
    }
    #[inline(always)]
    fn conj(self) -> Self {
        each(|at| (self.re[at], -self.im[at]))
    }
    #[inline(always)]
    fn turned(self) -> Self {
        each(|at| (self.im[at], -self.re[at]))
    }
    #[inline(always)]
    fn turned_back(self) -> Self {
        each(|at| (-self.im[at], self.re[at]))
    }
}
