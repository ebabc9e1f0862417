//! Jacobi's elliptic functions, as far as elliptic filters need them.
//!
//! Arguments are in quarter periods K(k). Source: S. J. Orfanidis, *Lecture Notes on Elliptic Filter Design* (2006), §§2–5;
//! M. Abramowitz and I. Stegun, *Handbook of Mathematical Functions*, §§16.14 and 17.3.

use core::f64::consts::PI;

use num_complex::Complex64;

use super::complex;

/// Moduli fall as the square of the one before: from any below 1 they are below the last digit after these.
const STEPS: usize = 12;

/// The descending Landen sequence of a modulus k, from k itself on.
fn moduli(k: f64) -> Vec<f64> {
    let mut sequence = vec![k];
    let mut last = k;
    while last > f64::EPSILON && sequence.len() < STEPS {
        let complement = ((1.0 - last) * (1.0 + last)).sqrt();
        let ratio = last / (1.0 + complement);
        last = ratio * ratio;
        sequence.push(last);
    }
    sequence
}

/// Complete elliptic integral K of the modulus whose complement is this, by the arithmetic-geometric mean.
fn quarter_period(complement: f64) -> f64 {
    let (mut a, mut b) = (1.0, complement);
    for _ in 0..40 {
        if (a - b).abs() <= f64::EPSILON * a {
            break;
        }
        (a, b) = ((a + b) / 2.0, (a * b).sqrt());
    }
    PI / (2.0 * a)
}

/// The modulus k with `order · K′(k)/K(k) = K′(k₁)/K(k₁)`, by nomes.
pub(super) fn modulus_of_degree(order: usize, k1: f64) -> f64 {
    let (period, other) = (quarter_period(((1.0 - k1) * (1.0 + k1)).sqrt()), quarter_period(k1));
    let nome = libm::exp(-PI * other / period / order as f64);
    let power = |exponent: usize| libm::pow(nome, exponent as f64);
    let above: f64 = (1..=8).map(|m| power(m * (m + 1))).sum();
    let below: f64 = (1..=8).map(|m| power(m * m)).sum();
    let ratio = (1.0 + above) / (1.0 + 2.0 * below);
    4.0 * nome.sqrt() * ratio * ratio
}

/// The u with `sn(j·u·K, k) = j·t`.
pub(super) fn imaginary_arc_sine(t: f64, k: f64) -> f64 {
    let sequence = moduli(k);
    let falling = sequence.windows(2).fold(t, |t, pair| {
        let stretched = t * pair[0];
        2.0 * t / ((1.0 + pair[1]) * (1.0 + (1.0 + stretched * stretched).sqrt()))
    });
    libm::asinh(falling) * 2.0 / PI
}

/// The functions of one modulus.
pub(super) struct Landen {
    moduli: Vec<f64>,
}

impl Landen {
    pub(super) fn new(modulus: f64) -> Self {
        Self { moduli: moduli(modulus) }
    }

    /// cd((u − j·v)·K).
    pub(super) fn cd(&self, u: f64, v: f64) -> Complex64 {
        let (a, b) = (u * PI / 2.0, v * PI / 2.0);
        let start = Complex64::new(libm::cos(a) * libm::cosh(b), libm::sin(a) * libm::sinh(b));
        self.moduli[1..].iter().rev().fold(start, |w, k| complex::div(w * (1.0 + k), 1.0 + w * w * *k))
    }

    /// The s with `sn(j·v·K) = j·s`.
    pub(super) fn imaginary_sn(&self, v: f64) -> f64 {
        let start = libm::sinh(v * PI / 2.0);
        self.moduli[1..].iter().rev().fold(start, |s, k| (1.0 + k) * s / (1.0 - k * s * s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quarter_period_is_that_of_the_tables() {
        // Abramowitz and Stegun, table 17.1: K at m = 0, 0.5 and 0.99.
        for (m, period) in [(0.0, PI / 2.0), (0.5, 1.854_074_677_301_372), (0.99, 3.695_637_362_989_875)] {
            assert!((quarter_period((1.0_f64 - m).sqrt()) - period).abs() < 1e-14, "{m}");
        }
    }

    #[test]
    fn the_functions_have_their_values_at_quarter_periods_and_invert() {
        for k in [1e-9, 0.1, 0.7, 0.999] {
            let landen = Landen::new(k);
            assert!((landen.cd(0.0, 0.0).re - 1.0).abs() < 1e-15);
            assert!(landen.cd(1.0, 0.0).re.abs() < 1e-15);
            // cd(K/2) = 1 / √(1 + k′)
            let complement = ((1.0 - k) * (1.0 + k)).sqrt();
            assert!((landen.cd(0.5, 0.0).re - 1.0 / (1.0 + complement).sqrt()).abs() < 1e-14, "{k}");
            for t in [1e-3, 0.5, 7.0] {
                let back = landen.imaginary_sn(imaginary_arc_sine(t, k));
                assert!((back / t - 1.0).abs() < 1e-12, "{k} {t}: {back}");
            }
        }
    }
}
