//! Analog low-pass prototypes whose edge is at 1 rad/s: poles, zeros and gain.
//!
//! Orders, edges and ripples are checked by the designers that call these.

use core::f64::consts::{LN_10, PI};

use num_complex::Complex64;

use super::complex;
use super::design::Zpk;
use super::elliptic::{Landen, imaginary_arc_sine, modulus_of_degree};

/// Angles of a maximally flat filter's poles: −N+1, −N+3, … N−1, times π / 2N. The middle one of an odd order is
/// exactly 0, so its pole is exactly real.
fn angles(order: usize) -> impl Iterator<Item = f64> {
    let n = order as f64;
    (0..order).map(move |k| PI * (2.0 * k as f64 - n + 1.0) / (2.0 * n))
}

/// 10^(dB / 10) − 1: how far a power ratio is from 1.
fn excess_power(decibels: f64) -> f64 {
    libm::expm1(LN_10 * 0.1 * decibels)
}

/// The product of all −root.
pub(super) fn product(roots: &[Complex64]) -> Complex64 {
    roots.iter().fold(Complex64::new(1.0, 0.0), |product, root| product * -root)
}

/// Gain 1 at 0 Hz, −3 dB at the edge; no zeros.
pub(super) fn butterworth(order: usize) -> Zpk {
    let poles = angles(order).map(|angle| Complex64::new(-libm::cos(angle), -libm::sin(angle))).collect();
    Zpk { zeros: Vec::new(), poles, gain: 1.0 }
}

/// Between 0 and −`ripple` dB up to the edge; no zeros.
pub(super) fn chebyshev1(order: usize, ripple: f64) -> Zpk {
    let epsilon = excess_power(ripple).sqrt();
    let mu = libm::asinh(1.0 / epsilon) / order as f64;
    let (sinh, cosh) = (libm::sinh(mu), libm::cosh(mu));
    let pole = |angle| Complex64::new(-sinh * libm::cos(angle), -cosh * libm::sin(angle));
    let poles: Vec<_> = angles(order).map(pole).collect();
    let gain = product(&poles).re;
    // An even order stands at the bottom of its ripple at 0 Hz.
    let gain = if order.is_multiple_of(2) { gain / (1.0 + epsilon * epsilon).sqrt() } else { gain };
    Zpk { zeros: Vec::new(), poles, gain }
}

/// At most −`attenuation` dB from the edge on, flat at 0 Hz.
pub(super) fn chebyshev2(order: usize, attenuation: f64) -> Zpk {
    let mu = libm::asinh(excess_power(attenuation).sqrt()) / order as f64;
    let (sinh, cosh) = (libm::sinh(mu), libm::cosh(mu));
    let one = Complex64::new(1.0, 0.0);
    let pole = |angle| Complex64::new(-sinh * libm::cos(angle), -cosh * libm::sin(angle));
    let poles: Vec<_> = angles(order).map(|angle| complex::div(one, pole(angle))).collect();
    // The zero of the middle angle, which is 0, lies at infinity.
    let off_middle = angles(order).filter(|angle| *angle != 0.0);
    let zeros: Vec<_> = off_middle.map(|angle| Complex64::new(0.0, 1.0 / libm::sin(angle))).collect();
    let gain = complex::div(product(&poles), product(&zeros)).re;
    Zpk { zeros, poles, gain }
}

/// Between 0 and −`ripple` dB up to the edge, at most −`attenuation` dB as soon after it as the order can.
///
/// Source: S. J. Orfanidis, *Lecture Notes on Elliptic Filter Design* (2006): roots by Landen transformations, the
/// degree equation by nomes.
pub(super) fn elliptic(order: usize, ripple: f64, attenuation: f64) -> Zpk {
    let epsilon = excess_power(ripple).sqrt();
    let discrimination = epsilon / excess_power(attenuation).sqrt();
    let modulus = modulus_of_degree(order, discrimination);
    let landen = Landen::new(modulus);
    let depth = imaginary_arc_sine(1.0 / epsilon, discrimination) / order as f64;
    let (mut zeros, mut poles) = (Vec::new(), Vec::new());
    for i in 0..order / 2 {
        let u = (2 * i + 1) as f64 / order as f64;
        let zero = 1.0 / (modulus * landen.cd(u, 0.0).re);
        let pole = landen.cd(u, depth) * Complex64::new(0.0, 1.0);
        zeros.extend([Complex64::new(0.0, zero), Complex64::new(0.0, -zero)]);
        poles.extend([pole, pole.conj()]);
    }
    if !order.is_multiple_of(2) {
        poles.push(Complex64::new(-landen.imaginary_sn(depth), 0.0));
    }
    let gain = complex::div(product(&poles), product(&zeros)).re;
    let gain = if order.is_multiple_of(2) { gain / (1.0 + epsilon * epsilon).sqrt() } else { gain };
    Zpk { zeros, poles, gain }
}
