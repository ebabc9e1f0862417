//! FIR design: the windowed sinc, its minimum-phase relative, and what can be said of taps.

use core::f64::consts::PI;

use num_complex::Complex64;

use super::design::{check_edge, check_sampling_rate};
use super::fft::Fft;
use super::stats::sum;
use super::{DesignError, Response, Window, complex};

/// Most taps that a design has: two seconds at 30 kHz.
pub const MAX_TAPS: usize = 1 << 16;

/// Designs an FIR filter of linear phase by windowing: `scipy.signal.firwin(taps, edges, window='hamming',
/// pass_zero=btype, fs=sampling_rate)`. Edges in Hz are those of −6 dB; the gain is 1 at 0 Hz, at Nyquist or in the middle of
/// the band, whichever passes.
///
/// Source: A. V. Oppenheim and R. W. Schafer, *Discrete-Time Signal Processing*, 3rd ed., §7.5.
///
/// # Errors
/// Edges or a sampling rate out of range; no tap, or more than [`MAX_TAPS`]; an even number of taps for a filter that
/// passes half the sampling rate, which it would have to take out.
///
/// ```
/// use neuraflow_ops::kernel::{Response, firwin};
/// let taps = firwin(101, Response::Lowpass(40.0), 250.0)?;
/// assert_eq!(taps.len(), 101);
/// assert!((taps.iter().sum::<f64>() - 1.0).abs() < 1e-12);
/// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
/// ```
pub fn firwin(taps: usize, response: Response, sampling_rate: f64) -> Result<Vec<f64>, DesignError> {
    if taps == 0 || taps > MAX_TAPS {
        return Err(DesignError::Taps { expected: "1 to 65,536", found: taps });
    }
    windowed_sinc(&Window::HammingSymmetric.values(taps), response, sampling_rate)
}

/// The same with any taper, which has as many values as the filter has taps.
pub(crate) fn windowed_sinc(
    taper: &[f64],
    response: Response,
    sampling_rate: f64,
) -> Result<Vec<f64>, DesignError> {
    check_sampling_rate(sampling_rate)?;
    let edge = |hz: f64| check_edge(hz, sampling_rate).map(|()| hz / (sampling_rate / 2.0));
    let (first, second) = match response {
        Response::Lowpass(hz) => ([0.0, edge(hz)?], None),
        Response::Highpass(hz) => ([edge(hz)?, 1.0], None),
        Response::Bandpass(low, high) => ([edge(low)?, edge(high)?], None),
        Response::Bandstop(low, high) => ([0.0, edge(low)?], Some([edge(high)?, 1.0])),
    };
    if let Response::Bandpass(low, high) | Response::Bandstop(low, high) = response
        && low >= high
    {
        return Err(DesignError::EdgesNotIncreasing { low, high });
    }
    if taper.len().is_multiple_of(2) && second.unwrap_or(first)[1] == 1.0 {
        return Err(DesignError::Taps { expected: "an odd number", found: taper.len() });
    }
    let middle = 0.5 * (taper.len() as f64 - 1.0);
    let places = (0..taper.len()).map(|n| n as f64 - middle);
    let ideal = |m: f64, [low, high]: [f64; 2]| high * sinc(high * m) - low * sinc(low * m);
    let taps: Vec<f64> = places
        .clone()
        .zip(taper)
        .map(|(m, weight)| (ideal(m, first) + second.map_or(0.0, |band| ideal(m, band))) * weight)
        .collect();
    let one_at = match first {
        [0.0, _] => 0.0,
        [_, 1.0] => 1.0,
        [low, high] => 0.5 * (low + high),
    };
    let turned: Vec<f64> = places.zip(&taps).map(|(m, tap)| tap * libm::cos(PI * m * one_at)).collect();
    let gain = sum(&turned);
    Ok(taps.into_iter().map(|tap| tap / gain).collect())
}

/// sin(πx) / πx.
fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { libm::sin(PI * x) / (PI * x) }
}

/// Kaiser's taper of `length` values, symmetric: `scipy.signal.windows.kaiser(length, beta)`.
pub(crate) fn kaiser(length: usize, beta: f64) -> Vec<f64> {
    if length <= 1 {
        return vec![1.0; length];
    }
    let half = (length - 1) as f64 / 2.0;
    let value = |n: usize| {
        let place = (n as f64 - half) / half;
        bessel_i0(beta * ((1.0 - place) * (1.0 + place)).max(0.0).sqrt()) / bessel_i0(beta)
    };
    (0..length).map(value).collect()
}

/// The modified Bessel function of order 0, by its power series, whose terms are all positive.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut term, mut total, mut k) = (1.0, 1.0, 1.0);
    while term > total * 1e-17 {
        term *= quarter / (k * k);
        total += term;
        k += 1.0;
    }
    total
}

/// The filter with the same gain at every frequency and the least delay: `scipy.signal.minimum_phase(taps,
/// method='homomorphic', half=False)`.
///
/// Source: A. V. Oppenheim and R. W. Schafer, *Discrete-Time Signal Processing*, 3rd ed., §13.5 (the cepstrum folded onto
/// positive times).
///
/// # Errors
/// Fewer than three taps; taps that are all zero or not finite.
///
/// ```
/// use neuraflow_ops::kernel::{Response, firwin, minimum_phase};
/// let linear = firwin(51, Response::Lowpass(40.0), 250.0)?;
/// let early = minimum_phase(&linear)?;
/// let greatest = |taps: &[f64]| (0..taps.len()).max_by(|a, b| taps[*a].total_cmp(&taps[*b]));
/// assert!(greatest(&early) < greatest(&linear));
/// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
/// ```
pub fn minimum_phase(taps: &[f64]) -> Result<Vec<f64>, DesignError> {
    if taps.len() < 3 || taps.len() > MAX_TAPS {
        return Err(DesignError::Taps { expected: "3 to 65,536", found: taps.len() });
    }
    if taps.iter().any(|tap| !tap.is_finite()) || taps.iter().all(|tap| *tap == 0.0) {
        return Err(DesignError::Taps {
            expected: "finite values that are not all 0 in the",
            found: taps.len(),
        });
    }
    // As fine a grid as SciPy takes: 1 % of the wider of zeros' distances.
    let length = (200 * (taps.len() - 1)).next_power_of_two();
    let mut plan = Fft::<Complex64>::new(length);
    let mut work: Vec<Complex64> = taps.iter().map(|tap| Complex64::new(*tap, 0.0)).collect();
    work.resize(length, Complex64::default());
    plan.forward(&mut work);
    let mut moduli: Vec<f64> = work.iter().map(|value| complex::abs(*value)).collect();
    if taps.len().is_multiple_of(2) && mirrored(taps) {
        // They have a zero at half the sampling rate, which rounding would hide, and its logarithm is what counts there.
        moduli[length / 2] = 0.0;
    }
    let least = moduli.iter().copied().filter(|modulus| *modulus > 0.0).fold(f64::INFINITY, f64::min);
    for (value, modulus) in work.iter_mut().zip(&moduli) {
        // The conjugate of a real spectrum is itself, so a forward transform over the length is the inverse.
        *value = Complex64::new(libm::log(modulus + 1e-7 * least), 0.0);
    }
    plan.forward(&mut work);
    for (n, value) in work.iter_mut().enumerate() {
        let weight = match n {
            0 => 1.0,
            n if n < length / 2 => 2.0,
            _ => 0.0,
        };
        *value = Complex64::new(value.re / length as f64 * weight, 0.0);
    }
    plan.forward(&mut work);
    for value in &mut work {
        let modulus = libm::exp(value.re);
        // Conjugated, for the inverse by a forward transform.
        *value = Complex64::new(modulus * libm::cos(value.im), -modulus * libm::sin(value.im));
    }
    plan.forward(&mut work);
    Ok(work[..taps.len()].iter().map(|value| value.re / length as f64).collect())
}

/// Whether taps are the same from either end, but for rounding.
fn mirrored(taps: &[f64]) -> bool {
    let greatest = taps.iter().fold(0.0_f64, |greatest, tap| greatest.max(tap.abs()));
    taps.iter().zip(taps.iter().rev()).all(|(one, other)| (one - other).abs() <= 1e-12 * greatest)
}

/// Hilbert's transformer as an FIR filter: the ideal one, 2 / πm at odd distances m from its middle, times a Hamming taper. An
/// odd number of taps; it delays by half of what they span.
pub(crate) fn hilbert(taps: usize) -> Vec<f64> {
    let middle = taps as i64 / 2;
    let taper = Window::HammingSymmetric.values(taps);
    let tap = |(n, weight): (usize, &f64)| match n as i64 - middle {
        m if m % 2 == 0 => 0.0,
        m => 2.0 / (PI * m as f64) * weight,
    };
    taper.iter().enumerate().map(tap).collect()
}

/// Complex gain of taps at a frequency, and the same of each tap times its place.
fn transform(taps: &[f64], frequency: f64, sampling_rate: f64) -> (Complex64, Complex64) {
    let (mut plain, mut placed) = (Complex64::default(), Complex64::default());
    for (n, tap) in taps.iter().enumerate() {
        let angle = -2.0 * PI * frequency / sampling_rate * n as f64;
        let turned = Complex64::new(libm::cos(angle) * tap, libm::sin(angle) * tap);
        plain += turned;
        placed += turned * n as f64;
    }
    (plain, placed)
}

/// Power that taps let through at a frequency.
pub(crate) fn power_at(taps: &[f64], frequency: f64, sampling_rate: f64) -> f64 {
    transform(taps, frequency, sampling_rate).0.norm_sqr()
}

/// Group delay of taps at a frequency, in samples.
pub(crate) fn group_delay_at(taps: &[f64], frequency: f64, sampling_rate: f64) -> f64 {
    let (plain, placed) = transform(taps, frequency, sampling_rate);
    complex::div(placed, plain).re
}
