//! Poles and zeros paired into second-order sections, in the order of SciPy's `zpk2sos` (pairing 'nearest').

use num_complex::Complex64;

use super::complex;
use super::design::Zpk;

/// Roots closer to the real axis than this, relative to their modulus, count as real (SciPy's `_cplxreal`).
const REAL_TOLERANCE: f64 = 100.0 * f64::EPSILON;

/// Sections `[b0, b1, b2, 1, a1, a2]` of a digital filter with as many zeros as poles. The section whose poles
/// are closest to the unit circle comes last, the gain sits in the first.
pub(super) fn sections_from_zpk(zpk: Zpk) -> Vec<[f64; 6]> {
    let Zpk { mut zeros, mut poles, gain } = zpk;
    if poles.len() % 2 == 1 {
        poles.push(Complex64::new(0.0, 0.0));
        zeros.push(Complex64::new(0.0, 0.0));
    }
    // From here on a complex root stands for itself and its conjugate. Real roots are even in number: the
    // total is even and complex roots come in pairs.
    let mut zeros = upper_half(zeros);
    let mut poles = upper_half(poles);
    let mut sections = Vec::new();
    while let Some(first) = take_worst(&mut poles, |_| true) {
        let second = if is_real(&first) { take_worst(&mut poles, is_real) } else { Some(first.conj()) };
        let zero = take_nearest(&mut zeros, first, |_| true);
        let other = match zero {
            Some(zero) if !is_real(&zero) => Some(zero.conj()),
            _ => take_nearest(&mut zeros, first, is_real),
        };
        let [b0, b1, b2] = polynomial(zero, other);
        let [a0, a1, a2] = polynomial(Some(first), second);
        sections.push([b0, b1, b2, a0, a1, a2]);
    }
    sections.reverse();
    if let Some(section) = sections.first_mut() {
        for b in &mut section[..3] {
            *b *= gain;
        }
    }
    sections
}

fn is_real(root: &Complex64) -> bool {
    root.im == 0.0
}

/// Coefficients of (1 − first/z)(1 − second/z); the roots are real or conjugate, so they are real.
fn polynomial(first: Option<Complex64>, second: Option<Complex64>) -> [f64; 3] {
    let zero = Complex64::new(0.0, 0.0);
    let (first, second) = (first.unwrap_or(zero), second.unwrap_or(zero));
    [1.0, (-first - second).re, (first * second).re]
}

/// One root of each conjugate pair, the pair averaged, followed by the real roots.
fn upper_half(mut roots: Vec<Complex64>) -> Vec<Complex64> {
    let by_imaginary = |a: &Complex64, b: &Complex64| a.im.abs().total_cmp(&b.im.abs());
    roots.sort_by(|a, b| a.re.total_cmp(&b.re).then(by_imaginary(a, b)));
    let (real, rest): (Vec<_>, Vec<_>) =
        roots.into_iter().partition(|root| root.im.abs() <= REAL_TOLERANCE * complex::abs(*root));
    let (mut upper, mut lower): (Vec<_>, Vec<_>) = rest.into_iter().partition(|root| root.im > 0.0);
    // Real parts that differ by rounding only are one run, sorted by imaginary part, so that the two halves
    // line up.
    let mut start = 0;
    while start < upper.len() {
        let mut stop = start + 1;
        while stop < upper.len()
            && upper[stop].re - upper[stop - 1].re <= REAL_TOLERANCE * complex::abs(upper[stop - 1])
        {
            stop += 1;
        }
        upper[start..stop].sort_by(by_imaginary);
        if let Some(run) = lower.get_mut(start..stop) {
            run.sort_by(by_imaginary);
        }
        start = stop;
    }
    let pairs = upper.iter().zip(&lower).map(|(up, low)| (up + low.conj()) / 2.0);
    pairs.chain(real.iter().map(|root| Complex64::new(root.re, 0.0))).collect()
}

/// Takes the admissible root closest to the unit circle; the first of equals.
fn take_worst(roots: &mut Vec<Complex64>, admit: fn(&Complex64) -> bool) -> Option<Complex64> {
    take_least(roots, admit, |root| (1.0 - complex::abs(root)).abs())
}

/// Takes the admissible root nearest to `to`; the first of equals.
fn take_nearest(
    roots: &mut Vec<Complex64>,
    to: Complex64,
    admit: fn(&Complex64) -> bool,
) -> Option<Complex64> {
    take_least(roots, admit, |root| complex::abs(root - to))
}

fn take_least(
    roots: &mut Vec<Complex64>,
    admit: fn(&Complex64) -> bool,
    cost: impl Fn(Complex64) -> f64,
) -> Option<Complex64> {
    let mut best: Option<(usize, f64)> = None;
    for (index, root) in roots.iter().enumerate().filter(|(_, root)| admit(root)) {
        let found = cost(*root);
        if best.is_none_or(|(_, least)| found < least) {
            best = Some((index, found));
        }
    }
    best.map(|(index, _)| roots.remove(index))
}
