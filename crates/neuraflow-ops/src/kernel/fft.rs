//! Complex transforms of any length, planned once, with the same bits on every processor.
//!
//! Our own, because the libraries take their roots of unity from std's sine and cosine, which the system's C
//! library computes differently with and without fused multiply-add: docs/adr/0005 has the measurement.

use core::f64::consts::PI;

use num_complex::{Complex, Complex64};

use super::Value;
use super::cell::Cell;

/// Prime factors up to this are transformed directly; a length with a greater one goes through Bluestein.
const LARGEST_DIRECT: usize = 61;

/// e^(−2πi k / n) for k up to n, from the first eighth of the turn, so that quarters and mirrored roots are exact.
pub(super) fn root(k: usize, n: usize) -> Complex64 {
    let mut eighths = 8 * k;
    let below = eighths > 4 * n;
    if below {
        eighths = 8 * n - eighths;
    }
    let left = eighths > 2 * n;
    if left {
        eighths = 4 * n - eighths;
    }
    let steep = eighths > n;
    if steep {
        eighths = 2 * n - eighths;
    }
    let angle = 2.0 * PI * eighths as f64 / (8 * n) as f64;
    let (cos, sin) = (libm::cos(angle), libm::sin(angle));
    let (cos, sin) = if steep { (sin, cos) } else { (cos, sin) };
    Complex64::new(if left { -cos } else { cos }, if below { sin } else { -sin })
}

/// A root in the precision of the transform.
pub(super) fn rounded<S: Value>(root: Complex64) -> Complex<S> {
    Complex { re: S::from_f64(root.re), im: S::from_f64(root.im) }
}

/// A forward transform X(k) = Σ x(j) e^(−2πi jk / n) of one length, in place.
#[derive(Debug, Clone)]
pub(super) enum Fft<C: Cell> {
    Direct(Stockham<C>),
    Chirp(Bluestein<C>),
}

impl<C: Cell> Fft<C> {
    pub(super) fn new(n: usize) -> Self {
        if factors(n).iter().all(|factor| *factor <= LARGEST_DIRECT) {
            Fft::Direct(Stockham::new(n))
        } else {
            Fft::Chirp(Bluestein::new(n))
        }
    }

    /// Transforms `x`, whose length is the planned one.
    #[inline(always)]
    pub(super) fn forward(&mut self, x: &mut [C]) {
        match self {
            Fft::Direct(plan) => plan.forward(x),
            Fft::Chirp(plan) => plan.forward(x),
        }
    }
}

/// Prime factors, but 4 in place of two 2s: its butterfly has no multiplication.
fn factors(mut n: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut factor = 4;
    while n > 1 {
        while n.is_multiple_of(factor) {
            found.push(factor);
            n /= factor;
        }
        factor = match factor {
            4 => 2,
            2 => 3,
            _ if factor * factor > n => n,
            _ => factor + 2,
        };
    }
    found
}

/// Self-sorting mixed-radix transform (T. G. Stockham 1966; P. N. Swarztrauber 1987, "Multiprocessor FFTs").
#[derive(Debug, Clone)]
pub(super) struct Stockham<C: Cell> {
    factors: Vec<usize>,
    roots: Vec<Complex<C::Scalar>>,
    other: Vec<C>,
    leg: Vec<C>,
}

impl<C: Cell> Stockham<C> {
    fn new(n: usize) -> Self {
        let factors = factors(n);
        let widest = factors.iter().copied().max().unwrap_or(1);
        Self {
            factors,
            roots: (0..n).map(|k| rounded(root(k, n))).collect(),
            other: vec![C::ZERO; n],
            leg: vec![C::ZERO; widest],
        }
    }

    #[inline(always)]
    fn forward(&mut self, x: &mut [C]) {
        // Each stage splits the transforms of length `span` by its factor; `stride` of them are interleaved.
        let (mut span, mut stride) = (x.len(), 1);
        let (mut from, mut to) = (x, &mut self.other[..]);
        for factor in &self.factors {
            let roots = &self.roots[..];
            // A factor that the compiler knows keeps its values in registers.
            match *factor {
                2 => stage::<C, 2>(from, to, roots, [span, stride]),
                3 => stage::<C, 3>(from, to, roots, [span, stride]),
                4 => stage::<C, 4>(from, to, roots, [span, stride]),
                5 => stage::<C, 5>(from, to, roots, [span, stride]),
                factor => rare_stage(from, to, roots, [span, stride], &mut self.leg[..factor]),
            }
            (from, to) = (to, from);
            (span, stride) = (span / factor, stride * factor);
        }
        if !self.factors.len().is_multiple_of(2) {
            to.copy_from_slice(from); // the last stage has left it in the other place
        }
    }
}

/// One stage, by the factor `P`, from `x` to `other`.
#[inline(always)]
fn stage<C: Cell, const P: usize>(
    x: &[C],
    other: &mut [C],
    roots: &[Complex<C::Scalar>],
    [span, stride]: [usize; 2],
) {
    let (rest, step) = (span / P, roots.len() / P);
    let mut turns = [roots[0]; P];
    for (turn, root) in turns.iter_mut().enumerate() {
        *root = roots[step * turn];
    }
    for (k, mut out) in other.chunks_exact_mut(stride * P).enumerate() {
        // Slices of one length, so that nothing is left to check where the values are.
        let (mut legs, mut factors) = ([&x[..stride]; P], [roots[0]; P]);
        let mut outs = [(); P].map(
            #[inline(always)]
            |()| {
                let (head, tail) = std::mem::take(&mut out).split_at_mut(stride);
                out = tail;
                head
            },
        );
        for j in 0..P {
            legs[j] = &x[stride * (k + rest * j)..][..stride];
            factors[j] = roots[stride * j * k];
        }
        for q in 0..stride {
            let mut leg = [C::ZERO; P];
            for j in 0..P {
                leg[j] = legs[j][q];
            }
            butterfly(
                &mut leg,
                &turns,
                #[inline(always)]
                |r, value| outs[r][q] = value.times_root(factors[r], r * k),
            );
        }
    }
}

/// One stage by any factor, as many as `leg` has values.
#[inline(always)]
fn rare_stage<C: Cell>(
    x: &[C],
    other: &mut [C],
    roots: &[Complex<C::Scalar>],
    [span, stride]: [usize; 2],
    leg: &mut [C],
) {
    let factor = leg.len();
    let (rest, step) = (span / factor, roots.len() / factor);
    let mut turns = [roots[0]; LARGEST_DIRECT];
    for (turn, root) in turns.iter_mut().take(factor).enumerate() {
        *root = roots[step * turn];
    }
    for k in 0..rest {
        for q in 0..stride {
            for (j, value) in leg.iter_mut().enumerate() {
                *value = x[q + stride * (k + rest * j)];
            }
            let at = q + stride * factor * k;
            // The index stays below n: r·k < factor · rest = span, and stride · span = n.
            butterfly(
                leg,
                &turns,
                #[inline(always)]
                |r, value| other[at + stride * r] = value.times_root(roots[stride * r * k], r * k),
            );
        }
    }
}

/// The transform of a few values, given `turns` of its own length; overwrites them.
#[inline(always)]
fn butterfly<C: Cell>(leg: &mut [C], turns: &[Complex<C::Scalar>], mut put: impl FnMut(usize, C)) {
    match leg {
        [a, b] => {
            put(0, *a + *b);
            put(1, *a - *b);
        }
        [a, b, c, d] => {
            let (even, odd) = (*a + *c, *b + *d);
            let (low, high) = (*a - *c, *b - *d);
            let turned = high.turned();
            put(0, even + odd);
            put(1, low + turned);
            put(2, even - odd);
            put(3, low - turned);
        }
        leg => odd_butterfly(leg, turns, put),
    }
}

/// Transform of odd length: legs j and p − j share their products with cosine and sine.
#[inline(always)]
fn odd_butterfly<C: Cell>(leg: &mut [C], turns: &[Complex<C::Scalar>], mut put: impl FnMut(usize, C)) {
    let p = leg.len();
    let half = p / 2;
    let (first, rest) = (leg[0], &mut leg[1..]);
    for j in 0..half {
        let (a, b) = (rest[j], rest[p - 2 - j]);
        (rest[j], rest[p - 2 - j]) = (a + b, a - b);
    }
    put(0, rest[..half].iter().fold(first, |sum, value| sum + *value));
    for r in 1..=half {
        let (mut even, mut odd) = (first, C::ZERO);
        let mut turn = 0;
        for j in 0..half {
            turn += r;
            if turn >= p {
                turn -= p;
            }
            let w = turns[turn];
            even = even + rest[j].scaled(w.re);
            odd = odd + rest[p - 2 - j].scaled(w.im);
        }
        let turned = odd.turned_back();
        put(r, even + turned);
        put(p - r, even - turned);
    }
}

/// Any length as a convolution of a power-of-two length (L. Bluestein 1970, IEEE Trans. Audio Electroacoust.
/// 18(4):451).
#[derive(Debug, Clone)]
pub(super) struct Bluestein<C: Cell> {
    chirp: Vec<Complex<C::Scalar>>,
    /// Transform of the conjugate chirp, over the convolution's length.
    kernel: Vec<Complex<C::Scalar>>,
    inner: Stockham<C>,
    work: Vec<C>,
}

impl<C: Cell> Bluestein<C> {
    fn new(n: usize) -> Self {
        let length = (2 * n - 1).next_power_of_two();
        // The square is reduced first: a large angle would lose the digits of its turn.
        let turn = |k: usize| (k as u128 * k as u128 % (2 * n as u128)) as usize;
        let chirp: Vec<_> = (0..n).map(|k| root(turn(k), 2 * n)).collect();
        let mut kernel = vec![Complex64::ZERO; length];
        for (k, value) in chirp.iter().enumerate() {
            kernel[k] = value.conj();
            kernel[(length - k) % length] = value.conj();
        }
        Stockham::<Complex64>::new(length).forward(&mut kernel);
        for value in &mut kernel {
            *value /= length as f64;
        }
        Self {
            chirp: chirp.into_iter().map(rounded).collect(),
            kernel: kernel.into_iter().map(rounded).collect(),
            inner: Stockham::new(length),
            work: vec![C::ZERO; length],
        }
    }

    #[inline(always)]
    fn forward(&mut self, x: &mut [C]) {
        self.work.fill(C::ZERO);
        for ((work, x), chirp) in self.work.iter_mut().zip(&*x).zip(&self.chirp) {
            *work = x.times(*chirp);
        }
        // The inverse transform is the forward one between two conjugations. A loop, so that it is compiled once.
        for is_inverse in [false, true] {
            self.inner.forward(&mut self.work);
            if !is_inverse {
                for (work, kernel) in self.work.iter_mut().zip(&self.kernel) {
                    *work = work.times(*kernel).conj();
                }
            }
        }
        for ((x, work), chirp) in x.iter_mut().zip(&self.work).zip(&self.chirp) {
            *x = work.conj().times(*chirp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_equals_the_definition() {
        for n in (1..200).chain([256, 521, 1000, 1009]) {
            let x: Vec<_> = (0..n)
                .map(|k| {
                    Complex64::new((k * 7919 % 1013) as f64 - 506.0, (k * 104_729 % 1013) as f64 - 506.0)
                })
                .collect();
            let mut found = x.clone();
            let mut plan = Fft::<Complex64>::new(n);
            plan.forward(&mut found);
            let scale = x.iter().map(|v| v.norm()).sum::<f64>();
            for (k, found) in found.iter().enumerate().step_by(1 + n / 100) {
                let expected: Complex64 =
                    x.iter().enumerate().map(|(j, value)| value * root(j * k % n, n)).sum();
                assert!((found - expected).norm() <= 1e-14 * scale, "{n} {k}: {found} {expected}");
            }
            let mut again = x.clone();
            plan.forward(&mut again);
            assert_eq!(again, found, "a plan keeps nothing between calls");
        }
    }

    #[test]
    fn roots_are_exact_where_they_can_be() {
        let [one, down, back, up] = [0, 1, 2, 3].map(|k| root(k, 4));
        assert_eq!([one.re, one.im.abs(), down.re, down.im], [1.0, 0.0, 0.0, -1.0]);
        assert_eq!([back.re, back.im.abs(), up.re, up.im], [-1.0, 0.0, 0.0, 1.0]);
        for k in 0..97 {
            let angle = -2.0 * PI * k as f64 / 97.0;
            assert!((root(k, 97) - Complex64::new(angle.cos(), angle.sin())).norm() < 1e-15);
        }
    }

    #[test]
    fn factors_multiply_back() {
        for n in 1..3000 {
            let found = factors(n);
            assert_eq!(found.iter().product::<usize>(), n);
            assert!(found.iter().all(|f| *f == 4 || (2..*f).all(|d| f % d != 0)), "{n}: {found:?}");
        }
    }
}
