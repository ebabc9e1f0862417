//! The Chebyshev filter of the first kind: ripples where it passes, and steeper than Butterworth beyond.

use neuraflow_core::operator::OperatorError;

use super::cascade::{band_constructors, cascade};
use super::latency::Bands;
use super::refusal::{Names, refusal};
use super::stage::SosStage;
use crate::kernel::{DesignError, Response, Sos, chebyshev1};

/// A Chebyshev filter of the first kind: the gain swings between 0 and −`ripple` dB where it passes, and falls faster
/// beyond than a Butterworth filter's of the same order. Edges in Hz, where the gain is −`ripple` dB.
///
/// The design is `scipy.signal.cheby1(order, ripple, edges, btype, fs=rate, output='sos')`. A ripple of 0.1 to 1 dB is
/// usual; the deeper, the steeper, and the longer its delay. Delays are declared for the band within −3 dB. How all
/// filters treat channels, gaps and latency: see [`filter`](crate::filter).
///
/// ```
/// use neuraflow_core::model::{Channel, SamplingRate};
/// use neuraflow_core::operator::{Missing, Operator, SignalSpec};
/// use neuraflow_ops::filter::Chebyshev1;
/// // A third of the 60 Hz that a Butterworth filter of this order lets through.
/// let mut filter = Chebyshev1::bandpass(4, 0.5, 1.0..40.0);
/// let channels = [Channel::new("Cz")].into();
/// filter.prepare(&SignalSpec { channels, rate: SamplingRate::hz(250)?, missing: Missing::Restart })?;
/// assert!(filter.latency().group_delay < filter.latency().group_delay_max);
/// assert!(filter.design(250.0)?.frequency_response(60.0, 250.0).norm_sqr() < 0.004);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `prepare`: as [`Butterworth`](super::Butterworth); a ripple that is not above 0 dB and below 3.01 dB.
#[derive(Debug, Clone)]
pub struct Chebyshev1 {
    order: usize,
    ripple: f64,
    response: Response,
    stage: SosStage,
}

impl Chebyshev1 {
    band_constructors!(ripple: f64);

    fn new(order: usize, ripple: f64, response: Response) -> Self {
        Self { order, ripple, response, stage: SosStage::default() }
    }

    /// The cascade for a sampling rate in Hz, to look at or to run on slices with
    /// [`SosFilter`](crate::kernel::SosFilter).
    ///
    /// # Errors
    /// As [`chebyshev1`]: an order, edge or sampling rate out of range; a ripple out of range.
    ///
    /// ```
    /// use neuraflow_ops::filter::Chebyshev1;
    /// let sos = Chebyshev1::bandpass(4, 0.5, 1.0..40.0).design(250.0)?;
    /// assert!(sos.sections().len() >= 3);
    /// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
    /// ```
    pub fn design(&self, sampling_rate: f64) -> Result<Sos, DesignError> {
        chebyshev1(self.order, self.ripple, self.response, sampling_rate)
    }

    fn checked_design(&self, sampling_rate: f64) -> Result<Sos, OperatorError> {
        self.design(sampling_rate).map_err(|error| refusal(error, &Names::of(self.response)))
    }

    fn bands(&self, sos: &Sos, sampling_rate: f64) -> Bands {
        let power = |hz| sos.frequency_response(hz, sampling_rate).norm_sqr();
        Bands::within_half_power(power, self.response, sampling_rate)
    }
}

cascade!(Chebyshev1, "Chebyshev1::bandpass(4, 0.5, 1.0..40.0)");
