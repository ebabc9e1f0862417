//! The analytic envelope: how strong an oscillation is, sample by sample.

use neuraflow_core::operator::OperatorError;

use super::past::{PastStage, Plan, Recursion, past_filter};
use crate::kernel::{MAX_TAPS, dot, hilbert};

/// The amplitude of an oscillation at every sample: the modulus of its analytic signal, in the signal's unit.
///
/// ```text
/// y[n] = √(x[n−d]² + (h ∗ x)[n]²),    h Hilbert's transformer of 2d + 1 taps
/// ```
///
/// `scipy.signal.hilbert` needs the whole recording and looks into the future from every sample. This is causal: a
/// transformer of finite length, a Hamming-tapered 2 / πm, which is late by d samples and so is the envelope. How long it must
/// be, the lowest frequency of the signal decides: d is 1.65 of its periods, at which its gain is within 1 % from
/// there to as far below Nyquist. **Put a band-pass ahead of it**: an envelope means something for a narrow band only, and
/// what is below the lowest frequency comes out wrong. Not linear; the delay is exactly d for every envelope. How all
/// filters treat channels and gaps: see [`filter`](crate::filter).
///
/// Source: A. V. Oppenheim and R. W. Schafer, *Discrete-Time Signal Processing*, 3rd ed., §12.4.
///
/// ```
/// use ndarray::Array2;
/// use neuraflow_ops::filter::Envelope;
/// let alpha = Array2::from_shape_fn((500, 1), |(n, _)| 20.0 * (std::f64::consts::TAU * 10.0 * n as f64 / 250.0).cos());
/// let amplitude = Envelope::down_to(8.0).filter(&alpha, 250.0)?;
/// assert!((amplitude[(499, 0)] - 20.0).abs() < 0.2);
/// # Ok::<(), neuraflow_core::operator::OperatorError>(())
/// ```
///
/// # Errors
/// `prepare`: a lowest frequency that is not above 0 Hz and below a quarter of the sampling rate, or so low that more than
/// [`MAX_TAPS`](crate::kernel::MAX_TAPS) are needed; more than 2²⁴ values to remember.
#[derive(Debug, Clone)]
pub struct Envelope {
    lowest: f64,
    stage: PastStage<Quadrature>,
}

/// The transformer's taps but the first, oldest value's first, and the first.
#[derive(Debug, Clone)]
struct Quadrature {
    first: f64,
    rest: Vec<f64>,
}

impl Envelope {
    /// The envelope of signals whose lowest frequency this is, in Hz.
    pub fn down_to(hz: f64) -> Self {
        Self { lowest: hz, stage: PastStage::default() }
    }

    fn plan(&self, sampling_rate: f64) -> Result<Plan<Quadrature>, OperatorError> {
        let delay = libm::ceil(1.65 * sampling_rate / self.lowest);
        let fits = self.lowest > 0.0 && self.lowest < sampling_rate / 4.0;
        if !(fits && 2.0 * delay + 1.0 <= MAX_TAPS as f64) {
            return Err(OperatorError::Spec {
                what: "lowest frequency of the envelope",
                expected: format!(
                    "from {} Hz to {} Hz at {sampling_rate} Hz; raise it, or change the sampling rate first",
                    3.3 * sampling_rate / MAX_TAPS as f64,
                    sampling_rate / 4.0
                ),
                found: format!("{} Hz", self.lowest),
            });
        }
        let taps = hilbert(2 * delay as usize + 1);
        let settling = taps.len() - 1;
        let (first, rest) = taps.split_first().map_or((0.0, &[][..]), |(first, rest)| (*first, rest));
        let recursion = Quadrature { first, rest: rest.iter().rev().copied().collect() };
        Ok(Plan { recursion, delays: (delay, delay), settling })
    }
}

impl Recursion for Quadrature {
    fn length(&self) -> usize {
        self.rest.len()
    }

    fn steady(&self, value: f64) -> f64 {
        value
    }

    fn step(&self, past: &[f64], value: f64) -> (f64, f64) {
        let delayed = past[self.rest.len() / 2];
        let turned = self.first * value + dot(&self.rest, past);
        (value, libm::hypot(delayed, turned))
    }
}

past_filter!(Envelope, "Envelope::down_to(8.0)");
