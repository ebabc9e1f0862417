//! The elliptic filter: the steepest for its order.

use neuraflow_core::operator::OperatorError;

use super::cascade::{band_constructors, cascade};
use super::latency::Bands;
use super::refusal::{Names, refusal};
use super::stage::SosStage;
use crate::kernel::{DesignError, Response, Sos, elliptic};

/// An elliptic (Cauer) filter: the steepest for its order. The gain swings between 0 and −`ripple` dB where it passes, and
/// below −`attenuation` dB where it stops. Edges in Hz, where the gain is −`ripple` dB.
///
/// The design is `scipy.signal.ellip(order, ripple, attenuation, edges, btype, fs=rate, output='sos')`. Steepness costs
/// delay: at its edges an elliptic filter delays longer than any other here. Delays are declared for the band within −3
/// dB. How all filters treat channels, gaps and latency: see [`filter`](crate::filter).
///
/// ```
/// use neuraflow_ops::filter::Elliptic;
/// let filter = Elliptic::lowpass(5, 0.5, 40.0, 40.0).design(250.0)?;
/// let gain = |hz| filter.frequency_response(hz, 250.0).norm_sqr().sqrt();
/// assert!(gain(40.0) > 0.944 && gain(50.0) < 0.0101);
/// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
/// ```
///
/// # Errors
/// `prepare`: as [`Butterworth`](super::Butterworth); a ripple that is not above 0 dB and below 3.01 dB; an attenuation that is
/// not above 3.01 dB and up to 400 dB.
#[derive(Debug, Clone)]
pub struct Elliptic {
    order: usize,
    ripple: f64,
    attenuation: f64,
    response: Response,
    stage: SosStage,
}

impl Elliptic {
    band_constructors!(ripple: f64, attenuation: f64);

    fn new(order: usize, ripple: f64, attenuation: f64, response: Response) -> Self {
        Self { order, ripple, attenuation, response, stage: SosStage::default() }
    }

    /// The cascade for a sampling rate in Hz, to look at or to run on slices with
    /// [`SosFilter`](crate::kernel::SosFilter).
    ///
    /// # Errors
    /// As [`elliptic`]: an order, edge or sampling rate out of range; a ripple or an attenuation out of range.
    ///
    /// ```
    /// use neuraflow_ops::filter::Elliptic;
    /// let sos = Elliptic::bandpass(3, 0.5, 40.0, 1.0..40.0).design(250.0)?;
    /// assert!(sos.sections().len() >= 3);
    /// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
    /// ```
    pub fn design(&self, sampling_rate: f64) -> Result<Sos, DesignError> {
        elliptic(self.order, self.ripple, self.attenuation, self.response, sampling_rate)
    }

    fn checked_design(&self, sampling_rate: f64) -> Result<Sos, OperatorError> {
        self.design(sampling_rate).map_err(|error| refusal(error, &Names::of(self.response)))
    }

    fn bands(&self, sos: &Sos, sampling_rate: f64) -> Bands {
        let power = |hz| sos.frequency_response(hz, sampling_rate).norm_sqr();
        Bands::within_half_power(power, self.response, sampling_rate)
    }
}

cascade!(Elliptic, "Elliptic::bandpass(3, 0.5, 40.0, 1.0..40.0)");
