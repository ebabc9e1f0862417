//! IIR design: Butterworth of any band and the notch, as second-order sections.
//!
//! The road is SciPy's: analog prototype, band transform, bilinear transform with the edges prewarped, then
//! poles and zeros paired into sections. Section order, pairing and the place of the gain (the first section)
//! are those of `scipy.signal.butter(..., output='sos')`, so designs can be compared row by row.

use core::f64::consts::PI;

use num_complex::Complex64;

use super::complex;
use super::pairing::sections_from_zpk;
use super::{DesignError, Sos};

/// Highest Butterworth order accepted. A band-pass of this order has 16 sections.
pub const MAX_ORDER: usize = 16;

/// Sampling rate the bilinear transform works at; edges are normalised to it, as SciPy does.
const DESIGN_RATE: f64 = 2.0;

/// Which frequencies a filter lets through; edges in Hz, where the gain is −3 dB.
///
/// ```
/// use neuraflow_ops::kernel::{Response, butterworth};
/// let alpha = butterworth(4, Response::Bandpass(8.0, 13.0), 250.0)?;
/// assert_eq!(alpha.sections().len(), 4); // order 4 on each side: eight poles
/// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Response {
    /// Passes below the edge.
    Lowpass(f64),
    /// Passes above the edge.
    Highpass(f64),
    /// Passes between the lower and the upper edge.
    Bandpass(f64, f64),
    /// Passes outside the lower and the upper edge.
    Bandstop(f64, f64),
}

/// Zeros, poles and gain of a transfer function.
pub(super) struct Zpk {
    pub(super) zeros: Vec<Complex64>,
    pub(super) poles: Vec<Complex64>,
    pub(super) gain: f64,
}

/// Designs a Butterworth filter of `order` at `sampling_rate` (Hz), as `scipy.signal.butter(order, edges,
/// btype, fs=sampling_rate, output='sos')`.
///
/// Band filters have twice the order in poles, as in SciPy and MATLAB. Source: S. Butterworth, "On the theory
/// of filter amplifiers" (1930); A. V. Oppenheim and R. W. Schafer, *Discrete-Time Signal Processing*, 3rd
/// ed., §7.2 (bilinear transform).
///
/// Where two poles are equally far from the unit circle (a band whose edges add up to half the sampling rate)
/// SciPy orders them by rounding noise; there the order of sections may differ, never the filter.
///
/// # Errors
/// An order of 0 or above [`MAX_ORDER`]; a sampling rate or edge that is not finite; an edge not between 0 Hz
/// and half the sampling rate; band edges that do not increase; a filter that rounding makes unstable (SciPy
/// returns it).
///
/// ```
/// use neuraflow_ops::kernel::{Response, butterworth};
/// let filter = butterworth(4, Response::Bandpass(1.0, 40.0), 250.0)?;
/// let gain = |hz| {
///     let h = filter.frequency_response(hz, 250.0);
///     (h.re * h.re + h.im * h.im).sqrt()
/// };
/// assert!((gain(10.0) - 1.0).abs() < 1e-3);
/// assert!((gain(40.0) - 0.5_f64.sqrt()).abs() < 1e-9);
/// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
/// ```
pub fn butterworth(order: usize, response: Response, sampling_rate: f64) -> Result<Sos, DesignError> {
    if order == 0 || order > MAX_ORDER {
        return Err(DesignError::Order { max: MAX_ORDER, found: order });
    }
    check_sampling_rate(sampling_rate)?;
    let warp = |edge: f64| -> Result<f64, DesignError> {
        check_edge(edge, sampling_rate)?;
        let normalised = edge / (sampling_rate / 2.0);
        Ok(2.0 * DESIGN_RATE * libm::tan(PI * normalised / DESIGN_RATE))
    };
    let band = |low: f64, high: f64| -> Result<(f64, f64), DesignError> {
        let (low_warped, high_warped) = (warp(low)?, warp(high)?);
        // The warped edges are compared too: edges a rounding apart would give a band of no width.
        if low >= high || low_warped >= high_warped {
            return Err(DesignError::EdgesNotIncreasing { low, high });
        }
        Ok(((low_warped * high_warped).sqrt(), high_warped - low_warped))
    };
    let poles = prototype(order);
    let analog = match response {
        Response::Lowpass(edge) => lowpass(poles, warp(edge)?),
        Response::Highpass(edge) => highpass(poles, warp(edge)?),
        Response::Bandpass(low, high) => {
            let (centre, width) = band(low, high)?;
            bandpass(poles, centre, width)
        }
        Response::Bandstop(low, high) => {
            let (centre, width) = band(low, high)?;
            bandstop(poles, centre, width)
        }
    };
    stable(sections_from_zpk(bilinear(analog)))
}

/// Designs a notch at `frequency` (Hz) with a −3 dB width of `frequency / quality`, as one section: the
/// `scipy.signal.iirnotch(frequency, quality, fs=sampling_rate)` of S. J. Orfanidis, *Introduction to Signal
/// Processing* (1996), §11.3.
///
/// # Errors
/// A frequency or sampling rate that is not finite or out of range; a quality factor that is not finite or so
/// low that the notch is wider than the spectrum.
///
/// ```
/// use neuraflow_ops::kernel::notch;
/// let mains = notch(50.0, 30.0, 250.0)?;
/// let h = mains.frequency_response(50.0, 250.0);
/// assert!(h.re.abs() < 1e-12 && h.im.abs() < 1e-12);
/// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
/// ```
pub fn notch(frequency: f64, quality: f64, sampling_rate: f64) -> Result<Sos, DesignError> {
    check_sampling_rate(sampling_rate)?;
    check_edge(frequency, sampling_rate)?;
    let normalised = 2.0 * frequency / sampling_rate;
    // Above this the width is under the Nyquist frequency, so the tangent below stays on its first branch.
    if !(quality.is_finite() && quality > normalised) {
        return Err(DesignError::Quality { min: normalised, found: quality });
    }
    let width = normalised / quality * PI;
    let centre = normalised * PI;
    let gain = 1.0 / (1.0 + libm::tan(width / 2.0));
    let cosine = libm::cos(centre);
    stable(vec![[gain, gain * (-2.0 * cosine), gain, 1.0, -2.0 * gain * cosine, 2.0 * gain - 1.0]])
}

/// The cascade, unless rounding has put a pole on the unit circle.
fn stable(sections: Vec<[f64; 6]>) -> Result<Sos, DesignError> {
    Sos::from_sections(sections).map_err(|error| match error {
        DesignError::Section { section, found } => DesignError::Unstable { section, found },
        other => other,
    })
}

fn check_sampling_rate(sampling_rate: f64) -> Result<(), DesignError> {
    if sampling_rate.is_finite() && sampling_rate > 0.0 {
        Ok(())
    } else {
        Err(DesignError::SamplingRate { found: sampling_rate })
    }
}

fn check_edge(edge: f64, sampling_rate: f64) -> Result<(), DesignError> {
    if !edge.is_finite() {
        return Err(DesignError::EdgeNotFinite { found: edge });
    }
    let nyquist = sampling_rate / 2.0;
    if edge <= 0.0 || edge >= nyquist {
        return Err(DesignError::EdgeOutOfRange { nyquist, found: edge });
    }
    Ok(())
}

/// Poles of the analog low-pass with its edge at 1 rad/s; it has no zeros and gain 1.
fn prototype(order: usize) -> Vec<Complex64> {
    let n = order as f64;
    (0..order)
        .map(|k| {
            // -N+1, -N+3, ... N-1: the middle one of an odd order is 0, so its pole is exactly real.
            let m = 2.0 * k as f64 - n + 1.0;
            let angle = PI * m / (2.0 * n);
            Complex64::new(-libm::cos(angle), -libm::sin(angle))
        })
        .collect()
}

fn lowpass(poles: Vec<Complex64>, edge: f64) -> Zpk {
    let gain = power(edge, poles.len());
    Zpk { zeros: Vec::new(), poles: poles.into_iter().map(|p| p * edge).collect(), gain }
}

fn highpass(poles: Vec<Complex64>, edge: f64) -> Zpk {
    let edge = Complex64::new(edge, 0.0);
    let zeros = vec![Complex64::new(0.0, 0.0); poles.len()];
    let gain = inversion_gain(&poles);
    Zpk { zeros, poles: poles.into_iter().map(|p| complex::div(edge, p)).collect(), gain }
}

fn bandpass(poles: Vec<Complex64>, centre: f64, width: f64) -> Zpk {
    let gain = power(width, poles.len());
    let zeros = vec![Complex64::new(0.0, 0.0); poles.len()];
    let scaled: Vec<_> = poles.into_iter().map(|p| p * width / 2.0).collect();
    Zpk { zeros, poles: split_to_band(&scaled, centre), gain }
}

fn bandstop(poles: Vec<Complex64>, centre: f64, width: f64) -> Zpk {
    let gain = inversion_gain(&poles);
    let mut zeros = vec![Complex64::new(0.0, centre); poles.len()];
    zeros.resize(2 * poles.len(), Complex64::new(0.0, -centre));
    let half = Complex64::new(width / 2.0, 0.0);
    let scaled: Vec<_> = poles.into_iter().map(|p| complex::div(half, p)).collect();
    Zpk { zeros, poles: split_to_band(&scaled, centre), gain }
}

/// Each low-pass root becomes two, around plus and minus the centre.
fn split_to_band(roots: &[Complex64], centre: f64) -> Vec<Complex64> {
    let offset = |r: &Complex64| complex::sqrt(r * r - centre * centre);
    roots.iter().map(|r| r + offset(r)).chain(roots.iter().map(|r| r - offset(r))).collect()
}

/// Gain left by turning a low-pass without zeros upside down.
fn inversion_gain(poles: &[Complex64]) -> f64 {
    let product = poles.iter().fold(Complex64::new(1.0, 0.0), |product, p| product * -p);
    complex::div(Complex64::new(1.0, 0.0), product).re
}

fn bilinear(analog: Zpk) -> Zpk {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_what_was_found() {
        let low = |order, edge| butterworth(order, Response::Lowpass(edge), 250.0);
        assert_eq!(low(0, 40.0), Err(DesignError::Order { max: MAX_ORDER, found: 0 }));
        assert_eq!(low(17, 40.0), Err(DesignError::Order { max: MAX_ORDER, found: 17 }));
        assert!(matches!(low(4, f64::NAN), Err(DesignError::EdgeNotFinite { .. })));
        assert_eq!(low(4, 125.0), Err(DesignError::EdgeOutOfRange { nyquist: 125.0, found: 125.0 }));
        assert_eq!(low(4, 0.0), Err(DesignError::EdgeOutOfRange { nyquist: 125.0, found: 0.0 }));
        assert_eq!(
            butterworth(4, Response::Bandpass(40.0, 1.0), 250.0),
            Err(DesignError::EdgesNotIncreasing { low: 40.0, high: 1.0 })
        );
        assert_eq!(
            butterworth(4, Response::Bandstop(40.0, 40.0), 250.0),
            Err(DesignError::EdgesNotIncreasing { low: 40.0, high: 40.0 })
        );
        assert!(matches!(
            butterworth(4, Response::Lowpass(1e-5), 30_000.0),
            Err(DesignError::Unstable { .. })
        ));
        for rate in [0.0, -1.0, f64::INFINITY, f64::NAN] {
            assert!(matches!(
                butterworth(4, Response::Lowpass(1.0), rate),
                Err(DesignError::SamplingRate { .. })
            ));
        }
        for quality in [0.0, -3.0, f64::NAN, 0.4] {
            assert!(matches!(notch(50.0, quality, 250.0), Err(DesignError::Quality { .. })));
        }
        assert!(matches!(notch(125.0, 30.0, 250.0), Err(DesignError::EdgeOutOfRange { .. })));
    }
}
