//! The Butterworth filter: no ripple in the pass band, −3 dB at its edges.

use std::ops::Range;

use ndarray::{Array2, ArrayRef2};
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::Chunk;
use neuraflow_core::operator::{Latency, Operator, OperatorError, SignalSpec};

use super::latency::Bands;
use super::refusal::{Names, refusal};
use super::stage::SosStage;
use crate::kernel::{DesignError, Precision, Response, Sos, Value, butterworth};

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
#[derive(Debug, Clone)]
pub struct Butterworth {
    order: usize,
    response: Response,
    stage: SosStage,
}

impl Butterworth {
    /// Passes what is below `hz`.
    pub fn lowpass(order: usize, hz: f64) -> Self {
        Self::new(order, Response::Lowpass(hz))
    }

    /// Passes what is above `hz`.
    pub fn highpass(order: usize, hz: f64) -> Self {
        Self::new(order, Response::Highpass(hz))
    }

    /// Passes what is between the two edges of `hz`.
    pub fn bandpass(order: usize, hz: Range<f64>) -> Self {
        Self::new(order, Response::Bandpass(hz.start, hz.end))
    }

    /// Passes what is outside the two edges of `hz`.
    pub fn bandstop(order: usize, hz: Range<f64>) -> Self {
        Self::new(order, Response::Bandstop(hz.start, hz.end))
    }

    fn new(order: usize, response: Response) -> Self {
        Self { order, response, stage: SosStage::default() }
    }

    /// Computes in this precision; [`Precision::Double`] without it. Where the design is not stable in single
    /// precision, `prepare` and [`filter`](Self::filter) refuse it with [`OperatorError::Spec`].
    ///
    /// ```
    /// use ndarray::Array2;
    /// use neuraflow_ops::filter::Butterworth;
    /// use neuraflow_ops::kernel::Precision;
    /// let constant = Array2::from_elem((100, 2), 10.0_f32); // µV
    /// let single = Butterworth::highpass(2, 1.0).precision(Precision::Single);
    /// assert!(single.filter(&constant, 250.0)?.iter().all(|value| value.abs() < 1e-3));
    /// assert!(single.filter(&constant, 30_000.0).is_err());
    /// # Ok::<(), neuraflow_core::operator::OperatorError>(())
    /// ```
    #[must_use]
    pub fn precision(mut self, precision: Precision) -> Self {
        self.stage.precision = precision;
        self
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

    /// Filters a whole recording `[sample][channel]` in `f32` or `f64`, forward in time, all channels alike;
    /// unit and shape are kept. As a stage that starts with it: `scipy.signal.sosfilt` with `zi =
    /// sosfilt_zi(sos) · x[0]`, and a fresh start after missing values.
    ///
    /// # Errors
    /// [`OperatorError::Spec`] for what [`design`](Self::design) refuses, or the [`precision`](Self::precision).
    ///
    /// ```
    /// use ndarray::Array2;
    /// use neuraflow_ops::filter::Butterworth;
    /// let tones = Array2::from_shape_fn((1000, 2), |(n, channel)| {
    ///     (std::f64::consts::TAU * [10.0, 90.0][channel] * n as f64 / 250.0).sin()
    /// });
    /// let filtered = Butterworth::bandpass(4, 1.0..40.0).filter(&tones, 250.0)?;
    /// let power = filtered.map(|value| value * value).mean_axis(ndarray::Axis(0)).unwrap();
    /// assert!(power[0] > 0.4 && power[1] < 1e-3);
    /// # Ok::<(), neuraflow_core::operator::OperatorError>(())
    /// ```
    pub fn filter<T: Value>(
        &self,
        signal: &ArrayRef2<T>,
        sampling_rate: f64,
    ) -> Result<Array2<T>, OperatorError> {
        self.stage.filter_array(&self.checked_design(sampling_rate)?, signal)
    }

    fn checked_design(&self, sampling_rate: f64) -> Result<Sos, OperatorError> {
        self.design(sampling_rate).map_err(|error| refusal(error, &self.names()))
    }

    fn names(&self) -> Names {
        const PASS: [&str; 2] = ["lower edge of the pass band", "upper edge of the pass band"];
        const STOP: [&str; 2] = ["lower edge of the stop band", "upper edge of the stop band"];
        match self.response {
            Response::Lowpass(hz) => Names::of_edge(PASS[1], hz),
            Response::Highpass(hz) => Names::of_edge(PASS[0], hz),
            Response::Bandpass(low, high) => Names::of_band("pass band", PASS, [low, high]),
            Response::Bandstop(low, high) => Names::of_band("stop band", STOP, [low, high]),
        }
    }

    fn bands(&self, nyquist: f64) -> Bands {
        match self.response {
            Response::Lowpass(hz) => Bands::one(0.0, hz),
            Response::Highpass(hz) => Bands::one(hz, nyquist),
            Response::Bandpass(low, high) => Bands::one(low, high),
            Response::Bandstop(low, high) => Bands::around(low, high, nyquist),
        }
    }
}

impl Operator for Butterworth {
    type In = Chunk;
    type Out = Chunk;

    /// # Errors
    /// [`OperatorError::Spec`] where the filter cannot be designed for this rate: an edge at or beyond
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
    fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
        let rate = spec.rate.as_hz();
        self.stage.prepare(&self.checked_design(rate)?, &self.bands(rate / 2.0), spec)?;
        Ok(spec.clone())
    }

    fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        self.stage.process(input, out)
    }

    fn reset(&mut self) {
        self.stage.reset();
    }

    fn latency(&self) -> Latency {
        self.stage.latency()
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.stage.snapshot(writer);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.stage.restore(reader)
    }
}
