//! From an analog low-pass prototype to a digital filter of any band.

use num_complex::Complex64;

use super::complex;
use super::design::{DESIGN_RATE, Zpk};
use super::prototype::product;

/// Moves the edge from 1 rad/s to `edge`.
pub(super) fn lowpass(prototype: Zpk, edge: f64) -> Zpk {
    let gain = prototype.gain * power(edge, prototype.degree());
    let scaled = |roots: Vec<Complex64>| roots.into_iter().map(|root| root * edge).collect();
    Zpk { zeros: scaled(prototype.zeros), poles: scaled(prototype.poles), gain }
}

/// Turns the prototype upside down around `edge`.
pub(super) fn highpass(prototype: Zpk, edge: f64) -> Zpk {
    let gain = prototype.gain * inversion_gain(&prototype);
    let order = prototype.poles.len();
    let edge = Complex64::new(edge, 0.0);
    let inverted = |roots: Vec<Complex64>| -> Vec<_> {
        roots.into_iter().map(|root| complex::div(edge, root)).collect()
    };
    let (mut zeros, poles) = (inverted(prototype.zeros), inverted(prototype.poles));
    zeros.resize(order, Complex64::new(0.0, 0.0));
    Zpk { zeros, poles, gain }
}

/// Two slopes, around `centre`, `width` apart.
pub(super) fn bandpass(prototype: Zpk, centre: f64, width: f64) -> Zpk {
    let degree = prototype.degree();
    let gain = prototype.gain * power(width, degree);
    let split = |roots: &[Complex64]| {
        let scaled: Vec<_> = roots.iter().map(|root| root * width / 2.0).collect();
        split_to_band(&scaled, centre)
    };
    let (mut zeros, poles) = (split(&prototype.zeros), split(&prototype.poles));
    zeros.resize(zeros.len() + degree, Complex64::new(0.0, 0.0));
    Zpk { zeros, poles, gain }
}

/// A hole around `centre`, `width` wide.
pub(super) fn bandstop(prototype: Zpk, centre: f64, width: f64) -> Zpk {
    let degree = prototype.degree();
    let gain = prototype.gain * inversion_gain(&prototype);
    let half = Complex64::new(width / 2.0, 0.0);
    let split = |roots: &[Complex64]| {
        let scaled: Vec<_> = roots.iter().map(|root| complex::div(half, *root)).collect();
        split_to_band(&scaled, centre)
    };
    let (mut zeros, poles) = (split(&prototype.zeros), split(&prototype.poles));
    zeros.resize(zeros.len() + degree, Complex64::new(0.0, centre));
    zeros.resize(zeros.len() + degree, Complex64::new(0.0, -centre));
    Zpk { zeros, poles, gain }
}

/// Each low-pass root becomes two, around plus and minus the centre.
fn split_to_band(roots: &[Complex64], centre: f64) -> Vec<Complex64> {
    let offset = |r: &Complex64| complex::sqrt(r * r - centre * centre);
    roots.iter().map(|r| r + offset(r)).chain(roots.iter().map(|r| r - offset(r))).collect()
}

/// Gain left by turning a low-pass upside down.
fn inversion_gain(prototype: &Zpk) -> f64 {
    complex::div(product(&prototype.zeros), product(&prototype.poles)).re
}

/// The digital filter whose response is the analog one with its frequencies warped.
pub(super) fn bilinear(analog: Zpk) -> Zpk {
    let rate = Complex64::new(2.0 * DESIGN_RATE, 0.0);
    let map = |root: &Complex64| complex::div(rate + root, rate - root);
    let product = |roots: &[Complex64]| {
        roots.iter().fold(Complex64::new(1.0, 0.0), |product, root| product * (rate - root))
    };
    let gain = analog.gain * complex::div(product(&analog.zeros), product(&analog.poles)).re;
    let poles: Vec<_> = analog.poles.iter().map(map).collect();
    let mut zeros: Vec<_> = analog.zeros.iter().map(map).collect();
    // Zeros at infinity land on half the sampling rate.
    zeros.resize(poles.len(), Complex64::new(-1.0, 0.0));
    Zpk { zeros, poles, gain }
}

/// Integer power; std's `powi` makes no promise about its bits.
fn power(base: f64, exponent: usize) -> f64 {
    libm::pow(base, exponent as f64)
}
