//! The Chebyshev filter of the second kind: flat where it passes, ripples where it stops.

use neuraflow_core::operator::OperatorError;

use super::cascade::{band_constructors, cascade};
use super::latency::Bands;
use super::refusal::{Names, refusal};
use super::stage::SosStage;
use crate::kernel::{DesignError, Response, Sos, chebyshev2};

/// A Chebyshev filter of the second kind: flat where it passes, at most −`attenuation` dB where it stops. Edges in Hz are
/// those of the **stop** band: at them the gain is −`attenuation` dB, and what passes lies inside.
///
/// The design is `scipy.signal.cheby2(order, attenuation, edges, btype, fs=rate, output='sos')`. Delays are declared for the
/// band within −3 dB, which is found in the design. How all filters treat channels, gaps and latency: see
/// [`filter`](crate::filter).
///
/// ```
/// use neuraflow_ops::filter::Chebyshev2;
/// // Whatever is at 50 Hz and above is 40 dB down, and the alpha band is as it was.
/// let filter = Chebyshev2::lowpass(6, 40.0, 50.0).design(250.0)?;
/// let gain = |hz| filter.frequency_response(hz, 250.0).norm_sqr().sqrt();
/// assert!(gain(50.0) < 0.0101 && gain(80.0) < 0.0101 && gain(13.0) > 0.999);
/// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
/// ```
///
/// # Errors
/// `prepare`: as [`Butterworth`](super::Butterworth); an attenuation that is not above 3.01 dB and up to 400 dB.
#[derive(Debug, Clone)]
pub struct Chebyshev2 {
    order: usize,
    attenuation: f64,
    response: Response,
    stage: SosStage,
}

impl Chebyshev2 {
    band_constructors!(attenuation: f64);

    fn new(order: usize, attenuation: f64, response: Response) -> Self {
        Self { order, attenuation, response, stage: SosStage::default() }
    }

    /// The cascade for a sampling rate in Hz, to look at or to run on slices with
    /// [`SosFilter`](crate::kernel::SosFilter).
    ///
    /// # Errors
    /// As [`chebyshev2`]: an order, edge or sampling rate out of range; an attenuation out of range.
    ///
    /// ```
    /// use neuraflow_ops::filter::Chebyshev2;
    /// let sos = Chebyshev2::bandpass(4, 40.0, 0.5..45.0).design(250.0)?;
    /// assert!(sos.sections().len() >= 3);
    /// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
    /// ```
    pub fn design(&self, sampling_rate: f64) -> Result<Sos, DesignError> {
        chebyshev2(self.order, self.attenuation, self.response, sampling_rate)
    }

    fn checked_design(&self, sampling_rate: f64) -> Result<Sos, OperatorError> {
        self.design(sampling_rate).map_err(|error| refusal(error, &Names::of(self.response)))
    }

    fn bands(&self, sos: &Sos, sampling_rate: f64) -> Bands {
        let power = |hz| sos.frequency_response(hz, sampling_rate).norm_sqr();
        Bands::within_half_power(power, self.response, sampling_rate)
    }
}

cascade!(Chebyshev2, "Chebyshev2::bandpass(4, 40.0, 0.5..45.0)");
