//! DC removal with one pole: an offset goes, and little else.

use std::f64::consts::TAU;

use neuraflow_core::operator::OperatorError;

use super::cascade::cascade;
use super::latency::Bands;
use super::refusal::{Names, refusal};
use super::stage::SosStage;
use crate::kernel::{DesignError, Response, Sos};

/// Takes off each channel's slow part, an exponential average that follows it with a time constant.
///
/// ```text
/// m[n] = m[n−1] + α (x[n] − m[n−1]),    y[n] = x[n] − m[n],    α = 1 − exp(−1 / (τ · rate))
/// ```
///
/// That is a high-pass of one pole, `scipy.signal.lfilter([1 − α, α − 1], [1, α − 1], x)`, whose −3 dB lie near 1 / 2πτ:
/// 0.16 Hz for a second. One section, set by a time; it does not separate 0.1 Hz from 1 Hz. Drift it follows τ late. How all filters treat channels, gaps and
/// latency: see [`filter`](crate::filter).
///
/// Source: J. O. Smith, *Introduction to Digital Filters*, "DC Blocker".
///
/// ```
/// use ndarray::Array2;
/// use neuraflow_ops::filter::DcRemoval;
/// let drifting = Array2::from_shape_fn((2_500, 1), |(n, _)| 15_000.0 + 0.01 * n as f64); // µV, 2.5 µV/s
/// let level = DcRemoval::over_millis(1_000).filter(&drifting, 250.0)?;
/// assert!((level[(2_499, 0)] - 2.5).abs() < 0.01); // a second behind the drift
/// # Ok::<(), neuraflow_core::operator::OperatorError>(())
/// ```
///
/// # Errors
/// `prepare`: a time constant that is not above 0; one so long that rounding makes the pole unstable.
#[derive(Debug, Clone)]
pub struct DcRemoval {
    seconds: f64,
    stage: SosStage,
}

impl DcRemoval {
    /// Follows the slow part with a time constant of this many milliseconds.
    pub fn over_millis(millis: i64) -> Self {
        Self { seconds: millis as f64 / 1e3, stage: SosStage::default() }
    }

    /// The filter for a sampling rate in Hz, to look at or to run on slices with [`SosFilter`](crate::kernel::SosFilter).
    ///
    /// # Errors
    /// A time constant or sampling rate that is not above 0; a pole that rounding makes unstable.
    ///
    /// ```
    /// use neuraflow_ops::filter::DcRemoval;
    /// let sos = DcRemoval::over_millis(1_000).design(250.0)?;
    /// assert_eq!(sos.frequency_response(0.0, 250.0).norm(), 0.0);
    /// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
    /// ```
    pub fn design(&self, sampling_rate: f64) -> Result<Sos, DesignError> {
        if !(sampling_rate.is_finite() && sampling_rate > 0.0) {
            return Err(DesignError::SamplingRate { found: sampling_rate });
        }
        let edge = self.edge();
        if !(self.seconds > 0.0 && edge < sampling_rate / 2.0) {
            return Err(DesignError::EdgeOutOfRange { nyquist: sampling_rate / 2.0, found: edge });
        }
        let pole = libm::exp(-1.0 / (self.seconds * sampling_rate));
        Sos::from_sections(vec![[pole, -pole, 0.0, 1.0, -pole, 0.0]])
    }

    /// About where −3 dB are, in Hz.
    fn edge(&self) -> f64 {
        1.0 / (TAU * self.seconds)
    }

    fn checked_design(&self, sampling_rate: f64) -> Result<Sos, OperatorError> {
        let names = Names::of_edge("1 / 2π of the time constant", self.edge());
        self.design(sampling_rate).map_err(|error| refusal(error, &names))
    }

    fn bands(&self, sos: &Sos, sampling_rate: f64) -> Bands {
        let power = |hz| sos.frequency_response(hz, sampling_rate).norm_sqr();
        Bands::within_half_power(power, Response::Highpass(self.edge()), sampling_rate)
    }
}

cascade!(DcRemoval, "DcRemoval::over_millis(1_000)");
