//! What a transform computes with: one complex number, or one of each of several channels side by side.

use core::ops::{Add, Sub};

use num_complex::{Complex, Complex64};

use super::Value;

/// Channels that are transformed side by side in `f64`. Eight are no faster: 1500 points then leave the first cache.
pub(crate) const DOUBLES: usize = 4;

/// Channels that are transformed side by side in `f32`, in the same memory.
pub(crate) const SINGLES: usize = 8;

/// A complex number, or as many of them as there are lanes, each with the same operations in the same order.
pub(crate) trait Cell: Copy + Add<Output = Self> + Sub<Output = Self> {
    /// What roots of unity are rounded to.
    type Scalar: Value;
    type Real: Copy;
    const ZERO: Self;

    fn new(re: Self::Real, im: Self::Real) -> Self;
    fn real(re: Self::Real) -> Self;
    fn times(self, factor: Complex<Self::Scalar>) -> Self;
    /// Times a root of unity, the first of which, number 0, is 1.
    fn times_root(self, root: Complex<Self::Scalar>, number: usize) -> Self;
    fn scaled(self, factor: Self::Scalar) -> Self;
    fn halved(self) -> Self;
    fn conj(self) -> Self;
    /// Times −i.
    fn turned(self) -> Self;
    /// Times i.
    fn turned_back(self) -> Self;
}

impl Cell for Complex64 {
    type Scalar = f64;
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
    fn times_root(self, root: Complex64, _: usize) -> Self {
        self * root
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

/// One complex number of each of `W` channels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wide<S, const W: usize> {
    pub(crate) re: [S; W],
    pub(crate) im: [S; W],
}

/// Makes a [`Wide`] lane by lane.
#[inline(always)]
fn each<S: Value, const W: usize>(lane: impl Fn(usize) -> (S, S)) -> Wide<S, W> {
    let mut wide = Wide::ZERO;
    for at in 0..W {
        (wide.re[at], wide.im[at]) = lane(at);
    }
    wide
}

impl<S: Value, const W: usize> Add for Wide<S, W> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        each(|at| (self.re[at] + other.re[at], self.im[at] + other.im[at]))
    }
}

impl<S: Value, const W: usize> Sub for Wide<S, W> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        each(|at| (self.re[at] - other.re[at], self.im[at] - other.im[at]))
    }
}

impl<S: Value, const W: usize> Cell for Wide<S, W> {
    type Scalar = S;
    type Real = [S; W];
    const ZERO: Self = Wide { re: [S::ZERO; W], im: [S::ZERO; W] };

    #[inline(always)]
    fn new(re: [S; W], im: [S; W]) -> Self {
        Wide { re, im }
    }
    #[inline(always)]
    fn real(re: [S; W]) -> Self {
        Wide { re, im: [S::ZERO; W] }
    }
    #[inline(always)]
    fn times(self, f: Complex<S>) -> Self {
        each(|at| (self.re[at] * f.re - self.im[at] * f.im, self.re[at] * f.im + self.im[at] * f.re))
    }
    // Times 1 turns the sign of some zeros and does nothing else; who computes side by side asks for powers, which have none.
    #[inline(always)]
    fn times_root(self, root: Complex<S>, number: usize) -> Self {
        if number == 0 { self } else { self.times(root) }
    }
    #[inline(always)]
    fn scaled(self, factor: S) -> Self {
        each(|at| (self.re[at] * factor, self.im[at] * factor))
    }
    #[inline(always)]
    fn halved(self) -> Self {
        self.scaled(S::from_f64(0.5))
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
