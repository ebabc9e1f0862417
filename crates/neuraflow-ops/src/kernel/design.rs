//! IIR design: Butterworth, Chebyshev and elliptic filters of any band, and the notch, as second-order sections.
//!
//! The road is SciPy's: analog prototype, band transform, bilinear transform with the edges prewarped, then
//! poles and zeros paired into sections. Section order, pairing and the place of the gain (the first section)
//! are those of SciPy with `output='sos'`, so designs can be compared row by row.

use core::f64::consts::PI;

use num_complex::Complex64;

use super::pairing::sections_from_zpk;
use super::{DesignError, Sos, prototype, transform};

/// Highest order accepted. A band-pass of this order has 16 sections.
pub const MAX_ORDER: usize = 16;

/// Sampling rate the bilinear transform works at; edges are normalised to it, as SciPy does.
pub(super) const DESIGN_RATE: f64 = 2.0;

/// Half the power, in dB below all of it: what separates a pass band from a stop band.
const HALF_POWER: f64 = 3.010_299_956_639_812;

/// Beyond it a stop band is below the last digit of `f64`.
const MOST_ATTENUATION: f64 = 400.0;

/// Which frequencies a filter lets through. Edges in Hz; what the gain is there, each design says.
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

impl Zpk {
    /// How many more poles there are than zeros.
    pub(super) fn degree(&self) -> usize {
        self.poles.len() - self.zeros.len()
    }
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
    check_order(order)?;
    digital(prototype::butterworth(order), response, sampling_rate)
}

/// Designs a Chebyshev filter of the first kind, as `scipy.signal.cheby1(order, ripple, edges, btype,
/// fs=sampling_rate, output='sos')`: the gain swings between 0 and −`ripple` dB up to the edges, where it is −`ripple`
/// dB, and falls faster beyond them than a Butterworth filter's.
///
/// Source: P. L. Chebyshev's polynomials; T. W. Parks and C. S. Burrus, *Digital Filter Design* (1987), §7.3.
///
/// # Errors
/// As [`butterworth`]; a ripple that is not above 0 dB and below half the power, 3.01 dB.
///
/// ```
/// use neuraflow_ops::kernel::{Response, chebyshev1};
/// let filter = chebyshev1(4, 0.5, Response::Lowpass(40.0), 250.0)?;
/// let power = filter.frequency_response(40.0, 250.0).norm_sqr();
/// assert!((10.0 * power.log10() + 0.5).abs() < 1e-9);
/// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
/// ```
pub fn chebyshev1(
    order: usize,
    ripple: f64,
    response: Response,
    sampling_rate: f64,
) -> Result<Sos, DesignError> {
    check_order(order)?;
    check_ripple(ripple)?;
    digital(prototype::chebyshev1(order, ripple), response, sampling_rate)
}

/// Designs a Chebyshev filter of the second kind, as `scipy.signal.cheby2(order, attenuation, edges, btype,
/// fs=sampling_rate, output='sos')`: flat where it passes, and from the edges on at most −`attenuation` dB. The edges are
/// those of the *stop* band: the gain there is −`attenuation` dB.
///
/// # Errors
/// As [`butterworth`]; an attenuation that is not above half the power, 3.01 dB, or not finite.
///
/// ```
/// use neuraflow_ops::kernel::{Response, chebyshev2};
/// let filter = chebyshev2(4, 40.0, Response::Lowpass(40.0), 250.0)?;
/// let gain = |hz| filter.frequency_response(hz, 250.0).norm_sqr().sqrt();
/// assert!((gain(40.0) - 0.01).abs() < 1e-9 && gain(70.0) <= 0.01 + 1e-9 && gain(5.0) > 0.99);
/// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
/// ```
pub fn chebyshev2(
    order: usize,
    attenuation: f64,
    response: Response,
    sampling_rate: f64,
) -> Result<Sos, DesignError> {
    check_order(order)?;
    check_attenuation(attenuation)?;
    digital(prototype::chebyshev2(order, attenuation), response, sampling_rate)
}

/// Designs an elliptic (Cauer) filter, as `scipy.signal.ellip(order, ripple, attenuation, edges, btype,
/// fs=sampling_rate, output='sos')`: the steepest for its order, with ripples where it passes and where it stops. The gain
/// at the edges is −`ripple` dB.
///
/// Source: S. J. Orfanidis, *Lecture Notes on Elliptic Filter Design* (2006).
///
/// # Errors
/// As [`chebyshev1`] and [`chebyshev2`].
///
/// ```
/// use neuraflow_ops::kernel::{Response, elliptic};
/// let filter = elliptic(4, 0.5, 40.0, Response::Lowpass(40.0), 250.0)?;
/// let gain = |hz| filter.frequency_response(hz, 250.0).norm_sqr().sqrt();
/// assert!(gain(40.0) > 0.94 && gain(60.0) < 0.0101);
/// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
/// ```
pub fn elliptic(
    order: usize,
    ripple: f64,
    attenuation: f64,
    response: Response,
    sampling_rate: f64,
) -> Result<Sos, DesignError> {
    check_order(order)?;
    check_ripple(ripple)?;
    check_attenuation(attenuation)?;
    digital(prototype::elliptic(order, ripple, attenuation), response, sampling_rate)
}

/// A prototype with its edges moved, as sections.
fn digital(prototype: Zpk, response: Response, sampling_rate: f64) -> Result<Sos, DesignError> {
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
    let analog = match response {
        Response::Lowpass(edge) => transform::lowpass(prototype, warp(edge)?),
        Response::Highpass(edge) => transform::highpass(prototype, warp(edge)?),
        Response::Bandpass(low, high) => {
            let (centre, width) = band(low, high)?;
            transform::bandpass(prototype, centre, width)
        }
        Response::Bandstop(low, high) => {
            let (centre, width) = band(low, high)?;
            transform::bandstop(prototype, centre, width)
        }
    };
    stable(sections_from_zpk(transform::bilinear(analog)))
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

fn check_order(order: usize) -> Result<(), DesignError> {
    if order == 0 || order > MAX_ORDER {
        return Err(DesignError::Order { max: MAX_ORDER, found: order });
    }
    Ok(())
}

fn check_ripple(ripple: f64) -> Result<(), DesignError> {
    if ripple > 0.0 && ripple < HALF_POWER { Ok(()) } else { Err(DesignError::Ripple { found: ripple }) }
}

fn check_attenuation(attenuation: f64) -> Result<(), DesignError> {
    if attenuation > HALF_POWER && attenuation <= MOST_ATTENUATION {
        Ok(())
    } else {
        Err(DesignError::Attenuation { found: attenuation })
    }
}

pub(super) fn check_sampling_rate(sampling_rate: f64) -> Result<(), DesignError> {
    if sampling_rate.is_finite() && sampling_rate > 0.0 {
        Ok(())
    } else {
        Err(DesignError::SamplingRate { found: sampling_rate })
    }
}

pub(super) fn check_edge(edge: f64, sampling_rate: f64) -> Result<(), DesignError> {
    if !edge.is_finite() {
        return Err(DesignError::EdgeNotFinite { found: edge });
    }
    let nyquist = sampling_rate / 2.0;
    if edge <= 0.0 || edge >= nyquist {
        return Err(DesignError::EdgeOutOfRange { nyquist, found: edge });
    }
    Ok(())
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
