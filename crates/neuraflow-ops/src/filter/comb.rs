//! The comb: a frequency and all its multiples, taken out or singled out.

use std::f64::consts::PI;

use neuraflow_core::operator::OperatorError;

use super::past::{PastStage, Plan, Recursion, past_filter};
use super::refusal::{Names, refusal};
use crate::kernel::DesignError;

/// A comb: takes out a frequency and all its multiples, such as the mains with its harmonics, or lets only those through.
///
/// ```text
/// y[n] = b x[n] + c x[n−N] − a y[n−N],    N = rate / hz samples
/// ```
///
/// The design is `scipy.signal.iircomb(hz, quality, fs=rate)`: each tooth is `hz / quality` wide at −3 dB, whatever its
/// number. **0 Hz is a multiple too**: a notching comb takes the offset out with the mains. The rate must be a multiple of
/// `hz`. One multiplication more than a single notch takes care of all harmonics, where a cascade of notches grows with
/// them. The delay of a notching comb is declared midway between two teeth, at `hz / 2`, that of a peaking one at 0 Hz;
/// `group_delay_max` is the greatest within −3 dB. How all filters treat channels, gaps and latency: see
/// [`filter`](crate::filter).
///
/// Source: S. J. Orfanidis, *Introduction to Signal Processing* (1996), §11.5.
///
/// ```
/// use ndarray::Array2;
/// use neuraflow_ops::filter::Comb;
/// // Mains of 50 Hz with its third harmonic, at 1 kHz.
/// let turn = |n: usize, hz: f64| (std::f64::consts::TAU * hz * n as f64 / 1000.0).sin();
/// let hum = Array2::from_shape_fn((4_000, 1), |(n, _)| 30.0 * turn(n, 50.0) + 8.0 * turn(n, 150.0));
/// let clean = Comb::notch(50.0, 30.0).filter(&hum, 1000.0)?;
/// assert!(clean[(3_999, 0)].abs() < 1e-3);
/// # Ok::<(), neuraflow_core::operator::OperatorError>(())
/// ```
///
/// # Errors
/// `prepare`: a frequency out of range, or of which the rate is no multiple; a quality of 1 or less, at which teeth meet.
#[derive(Debug, Clone)]
pub struct Comb {
    hz: f64,
    quality: f64,
    peaks: bool,
    stage: PastStage<Teeth>,
}

/// Its coefficients.
#[derive(Debug, Clone)]
struct Teeth {
    period: usize,
    now: f64,
    before: f64,
    feedback: f64,
}

impl Comb {
    /// Takes out 0 Hz, `hz` and all its multiples.
    pub fn notch(hz: f64, quality: f64) -> Self {
        Self { hz, quality, peaks: false, stage: PastStage::default() }
    }

    /// Lets through 0 Hz, `hz` and all its multiples, and little between: `iircomb(hz, quality, ftype='peak',
    /// pass_zero=True)`.
    pub fn peak(hz: f64, quality: f64) -> Self {
        Self { hz, quality, peaks: true, stage: PastStage::default() }
    }

    fn design(&self, sampling_rate: f64) -> Result<Teeth, DesignError> {
        if !(sampling_rate.is_finite() && sampling_rate > 0.0) {
            return Err(DesignError::SamplingRate { found: sampling_rate });
        }
        if !self.hz.is_finite() {
            return Err(DesignError::EdgeNotFinite { found: self.hz });
        }
        if self.hz <= 0.0 || self.hz >= sampling_rate / 2.0 {
            return Err(DesignError::EdgeOutOfRange { nyquist: sampling_rate / 2.0, found: self.hz });
        }
        let period = libm::round(sampling_rate / self.hz);
        if (self.hz - sampling_rate / period).abs() / sampling_rate > 1e-14 {
            return Err(DesignError::Period { fundamental: self.hz, sampling_rate });
        }
        let width = 2.0 * PI * self.hz / sampling_rate / self.quality;
        let beta = libm::tan(period * width / 4.0);
        let (numerator, sign) =
            if self.peaks { (beta / (1.0 + beta), 1.0) } else { (1.0 / (1.0 + beta), -1.0) };
        Ok(Teeth {
            period: period as usize,
            now: numerator,
            before: sign * numerator,
            feedback: -(1.0 - beta) / (1.0 + beta),
        })
    }

    fn plan(&self, sampling_rate: f64) -> Result<Plan<Teeth>, OperatorError> {
        if !(self.quality.is_finite() && self.quality > 1.0) {
            return Err(OperatorError::Spec {
                what: "quality of the comb",
                expected: "above 1, at which teeth meet; 30 is usual".to_owned(),
                found: self.quality.to_string(),
            });
        }
        let names = Names::of_edge("frequency of the comb", self.hz);
        let teeth = self.design(sampling_rate).map_err(|error| refusal(error, &names))?;
        // Turns of the period: a notching comb passes midway between teeth, a peaking one at them.
        let middle = if self.peaks { 0.0 } else { PI };
        let edge = PI / self.quality;
        let delays = (teeth.delay(middle), teeth.delay(middle).max(teeth.delay(edge)));
        let settling = teeth.settling();
        Ok(Plan { recursion: teeth, delays, settling })
    }
}

impl Teeth {
    /// Group delay in samples where the period turns by this angle.
    fn delay(&self, angle: f64) -> f64 {
        let (sin, cos) = (libm::sin(angle), libm::cos(angle));
        // Re(c·e / (1 + c·e)) with e = exp(−j·angle)
        let of = |c: f64| {
            let (re, im) = (c * cos, -c * sin);
            (re * (1.0 + re) + im * im) / ((1.0 + re) * (1.0 + re) + im * im)
        };
        self.period as f64 * (of(self.before / self.now) - of(self.feedback))
    }

    /// The samples after which a thousandth of the impulse response is left.
    fn settling(&self) -> usize {
        let decay = self.feedback.abs();
        let first = (self.before - self.now * self.feedback).abs();
        let mut rest = first / (1.0 - decay);
        let whole = self.now.abs() + rest;
        let mut periods = 0;
        while rest > 1e-3 * whole {
            rest *= decay;
            periods += 1;
        }
        periods * self.period + 1
    }
}

impl Recursion for Teeth {
    fn length(&self) -> usize {
        self.period
    }

    fn steady(&self, value: f64) -> f64 {
        value / (1.0 + self.feedback)
    }

    fn step(&self, past: &[f64], value: f64) -> (f64, f64) {
        let delayed = past.first().copied().unwrap_or_default();
        let kept = value - self.feedback * delayed;
        (kept, self.now * kept + self.before * delayed)
    }
}

past_filter!(Comb, "Comb::notch(50.0, 30.0)");
