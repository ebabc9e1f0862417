//! The Butterworth filter: no ripple in the pass band, −3 dB at its edges.

use neuraflow_core::operator::OperatorError;

use super::cascade::{band_constructors, cascade};
use super::latency::Bands;
use super::refusal::{Names, refusal};
use super::stage::SosStage;
use crate::kernel::{DesignError, Response, Sos, butterworth};

/// A Butterworth filter of any band; edges in Hz, where the gain is −3 dB.
///
/// The design is `scipy.signal.butter(order, edges, btype, fs=rate, output='sos')`: band filters have twice
/// the order in poles. How all filters treat channels, gaps and latency: see [`filter`](crate::filter).
///
/// In a pipeline it is a stage:
///
/// ```
/// use neuraflow_core::model::{Channel, Chunk, SamplingRate};
/// use neuraflow_core::operator::{Missing, Operator, SignalSpec};
/// use neuraflow_ops::filter::Butterworth;
///
/// let mut filter = Butterworth::bandpass(4, 1.0..40.0);
/// filter.prepare(&SignalSpec {
///     channels: [Channel::new("Cz")].into(),
///     rate: SamplingRate::hz(250)?,
///     missing: Missing::Restart,
/// })?;
/// let latency = filter.latency();
/// assert_eq!(latency.group_delay.as_millis_f64().round(), 20.0); // at √(1 · 40) Hz
/// assert_eq!(latency.group_delay_max.as_millis_f64().round(), 616.0); // at 1 Hz
/// assert_eq!(latency.warm_up.as_millis_f64().round(), 2644.0);
///
/// let (mut input, mut output) = (Chunk::new(0, 1), Chunk::new(0, 1));
/// input.extend(&[80.0; 13]); // µV
/// filter.process(&input, &mut output)?;
/// assert!(output.values().iter().all(|value| value.abs() < 1e-3)); // the offset is gone, without a transient
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Without a pipeline it filters arrays, see [`filter`](Self::filter).
///
/// # Errors
/// `prepare`: [`OperatorError::Spec`] where the filter cannot be designed for this rate: an edge at or beyond
/// Nyquist, a band of no width, an order out of range, a filter that rounding makes unstable, in the precision chosen.
///
/// ```
/// # use neuraflow_core::model::{Channel, SamplingRate};
/// # use neuraflow_core::operator::{Missing, Operator, SignalSpec};
/// # use neuraflow_ops::filter::Butterworth;
/// # let spec = SignalSpec {
/// #     channels: [Channel::new("Cz")].into(),
/// #     rate: SamplingRate::hz(160)?,
/// #     missing: Missing::Restart,
/// # };
/// let error = Butterworth::bandpass(4, 1.0..200.0).prepare(&spec).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "upper edge of the pass band: expected below Nyquist 80 Hz; move it, or leave this edge out with a \
///      low- or high-pass, found 200 Hz"
/// );
/// # Ok::<(), neuraflow_core::model::RateError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Butterworth {
    order: usize,
    response: Response,
    stage: SosStage,
}

impl Butterworth {
    band_constructors!();

    fn new(order: usize, response: Response) -> Self {
        Self { order, response, stage: SosStage::default() }
    }

    /// The cascade for a sampling rate in Hz, to look at or to run on slices with
    /// [`SosFilter`](crate::kernel::SosFilter).
    ///
    /// # Errors
    /// As [`butterworth`]: an order, edge or sampling rate out of range.
    ///
    /// ```
    /// use neuraflow_ops::filter::Butterworth;
    /// use neuraflow_ops::kernel::{Missing, SosFilter};
    /// let sos = Butterworth::highpass(2, 1.0).design(250.0)?;
    /// let mut filter = SosFilter::new(&sos, 1, Missing::Freeze)?;
    /// let mut output = [0.0_f64; 3];
    /// filter.process(&[5.0, 5.0, 5.0], &mut output)?;
    /// assert!(output.iter().all(|value| value.abs() < 1e-12));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn design(&self, sampling_rate: f64) -> Result<Sos, DesignError> {
        butterworth(self.order, self.response, sampling_rate)
    }

    fn checked_design(&self, sampling_rate: f64) -> Result<Sos, OperatorError> {
        self.design(sampling_rate).map_err(|error| refusal(error, &Names::of(self.response)))
    }

    fn bands(&self, _: &Sos, sampling_rate: f64) -> Bands {
        Bands::of(self.response, sampling_rate / 2.0)
    }
}

cascade!(Butterworth, "Butterworth::bandpass(4, 1.0..40.0)");
