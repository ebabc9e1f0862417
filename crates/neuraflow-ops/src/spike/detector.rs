//! The detector of spikes.

use std::sync::Arc;

use ndarray::ArrayView2;
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{SamplingRate, Span, Window};
use neuraflow_core::operator::{Latency, Missing, Operator, OperatorError, WindowSpec};

use super::channel::{Channel, Rules, deviation};
use super::crossings::ThresholdCrossings;
use super::item::{Spike, Spikes};
use super::running::{Running, unprepared};
use crate::kernel::Value;
use crate::shape::Rows;

/// Finds spikes by a threshold below zero, in a signal that has been band-passed, usually from 300 to 6,000 Hz.
///
/// ```text
/// threshold = −k · MAD / 0.6745,    MAD = median |x − median x| over the first second
/// crossing  = the first sample below it after one that was not, and not within 1.5 ms of the last crossing
/// trough    = the lowest sample within 0.5 ms from there, and between samples the vertex of a parabola through it and its neighbours
/// ```
///
/// The refractory time is longer than a unit's, for behind a causal filter a deep spike rings, and crosses again after about a millisecond. `k`
/// is 4.5 unless set. `MAD / 0.6745` is the noise's standard deviation, whatever spikes there are. A missing value (NaN) ends a
/// waveform; after it a channel begins anew, its estimate included, or goes on, as the stream's [`Missing`] says, and what follows is no crossing
/// before the signal has been above the threshold. [`thresholds_microvolts`](Self::thresholds_microvolts) outlive gaps.
///
/// Input: windows of any number of samples and any length, a millisecond too. Output: [`Spikes`], each with the window by whose end its
/// waveform was complete; none until the first second has been seen. At the stream's end a waveform that has begun is lost. State: the
/// first second's samples until then; a few numbers a channel from then on. Channels that are no triggers.
///
/// Source: R. Quian Quiroga, Z. Nadasdy and Y. Ben-Shaul (2004), Neural Comput. 16(8):1661–1687, section 3.1.
///
/// # Errors
/// `prepare`: fewer than 1,000 samples a second; a factor that is not above 0; a calibration of fewer than 2 samples or of more than 2²⁶ values over all channels; an alignment
/// longer than the refractory time, or either negative or beyond a second; as many thresholds as there are not channels, or one that is
/// not below 0; only trigger channels. `process`: another number of channels than prepared.
///
/// ```
/// use ndarray::Array2;
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::spike::SpikeDetector;
/// // 10 ms of one channel at 30 kHz, with a spike whose trough is between samples 151 and 152.
/// let depth = |n: usize| { let away = n as f32 - 151.5; -80.0 * (-away * away / 20.0).exp() };
/// let signal = Array2::from_shape_fn((300, 1), |(n, _)| depth(n));
/// let detector = SpikeDetector::new().thresholds_microvolts([-40.0]);
/// let spikes = detector.detect(signal.view(), SamplingRate::hz(30_000)?)?;
/// assert_eq!(spikes.len(), 1);
/// assert!((spikes[0].trough - 151.5).abs() < 1e-3 && spikes[0].microvolts < -79.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SpikeDetector {
    factor: f64,
    calibration: Span,
    refractory: Span,
    align: Span,
    /// In µV, one for each channel; estimated if empty.
    thresholds: Vec<f64>,
    running: Option<Running>,
}

impl Default for SpikeDetector {
    fn default() -> Self {
        Self {
            factor: 4.5,
            calibration: Span::secs(1),
            refractory: Span::nanos(1_500_000),
            align: Span::nanos(500_000),
            thresholds: Vec::new(),
            running: None,
        }
    }
}

impl SpikeDetector {
    /// With the settings above.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many standard deviations of the noise below zero the threshold is: 3 to 6 are usual.
    #[must_use]
    pub fn threshold(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Estimates the noise over the first this many milliseconds.
    #[must_use]
    pub fn calibrated_millis(mut self, millis: i64) -> Self {
        self.calibration = Span::millis(millis);
        self
    }

    /// These thresholds in µV, below 0, one for each channel that is no trigger, in place of estimates.
    #[must_use]
    pub fn thresholds_microvolts(mut self, thresholds: impl IntoIterator<Item = f64>) -> Self {
        self.thresholds = thresholds.into_iter().collect();
        self
    }

    /// After a crossing of a channel there is no other for this many microseconds.
    #[must_use]
    pub fn refractory_micros(mut self, micros: i64) -> Self {
        self.refractory = Span::nanos(micros.saturating_mul(1_000));
        self
    }

    /// The trough is within this many microseconds of the crossing.
    #[must_use]
    pub fn align_micros(mut self, micros: i64) -> Self {
        self.align = Span::nanos(micros.saturating_mul(1_000));
        self
    }

    /// The operator that counts crossings in each window, as this finds them.
    pub fn counts(self) -> ThresholdCrossings {
        ThresholdCrossings::of(self)
    }

    /// The thresholds in µV of a whole array `[sample][channel]`, missing values left out; NaN for a channel without a value.
    pub fn estimate<T: Value>(&self, values: ArrayView2<'_, T>) -> Vec<f64> {
        let threshold = |column: ndarray::ArrayView1<'_, T>| {
            let there: Vec<f64> =
                column.iter().map(|value| value.to_f64()).filter(|value| value.is_finite()).collect();
            -self.factor * deviation(&there)
        };
        values.columns().into_iter().map(threshold).collect()
    }

    /// The spikes of an array `[sample][channel]` in µV, of any memory layout, as a stream that starts with it would give them: in order of when
    /// their waveforms were complete.
    ///
    /// # Errors
    /// As `prepare`.
    pub fn detect<T: Value>(
        &self,
        values: ArrayView2<'_, T>,
        rate: SamplingRate,
    ) -> Result<Vec<Spike>, OperatorError> {
        let rules = self.rules(rate, values.ncols(), Missing::Restart)?;
        let mut channels = self.fresh(values.ncols());
        let mut spikes = Vec::new();
        for (number, sample) in (0..).zip(values.rows()) {
            for (at, (channel, value)) in channels.iter_mut().zip(sample).enumerate() {
                spikes.extend(channel.step(&rules, at, number, value.to_f64()).spike);
            }
        }
        Ok(spikes)
    }

    /// Gets ready for a stream.
    pub(super) fn start(&self, spec: &WindowSpec) -> Result<Running, OperatorError> {
        let rows = Rows::of(&spec.signal.channels)?;
        let rules = self.rules(spec.signal.rate, rows.len(), spec.signal.missing)?;
        Ok(Running { rules, channels: self.fresh(rows.len()), rows })
    }

    /// Channels that have seen nothing yet.
    pub(super) fn fresh(&self, count: usize) -> Vec<Channel> {
        match self.thresholds.is_empty() {
            true => vec![Channel::default(); count],
            false => self.thresholds.iter().map(|threshold| Channel::with_threshold(*threshold)).collect(),
        }
    }

    /// How long nothing is detected.
    pub(super) fn warm_up(&self) -> Span {
        if self.thresholds.is_empty() { self.calibration } else { Span::ZERO }
    }

    fn rules(&self, rate: SamplingRate, channels: usize, missing: Missing) -> Result<Rules, OperatorError> {
        const MOST: u64 = 1 << 26;
        /// Below it a spike is shorter than a sample.
        const SLOWEST: f64 = 1_000.0;
        let refused =
            |what, expected: String, found: String| Err(OperatorError::Spec { what, expected, found });
        if !(self.factor > 0.0 && self.factor.is_finite()) {
            let expected = "above 0; 4.5 is usual".to_owned();
            return refused("factor of the threshold", expected, self.factor.to_string());
        }
        if rate.as_hz() < SLOWEST {
            let expected = format!("at least {SLOWEST} Hz: spikes last for about a millisecond");
            return refused("sampling rate", expected, rate.to_string());
        }
        let millis = |span: Span| format!("{} ms", span.as_millis_f64());
        let second = Span::ZERO..=Span::secs(1);
        if !second.contains(&self.refractory) || !second.contains(&self.align) || self.align > self.refractory
        {
            let expected = format!(
                "from 0 to the refractory time, {}, and that at most a second",
                millis(self.refractory)
            );
            return refused("alignment of spikes", expected, millis(self.align));
        }
        if self.thresholds.is_empty() {
            let samples = if self.calibration > Span::ZERO { rate.samples_in(self.calibration) } else { 0 };
            if samples < 2 || samples.saturating_mul(channels as u64) > MOST {
                let expected =
                    format!("at least 2 samples, and at most {MOST} values over {channels} channels");
                let found = format!("{}, which is {samples} samples at {rate}", millis(self.calibration));
                return refused("calibration of the threshold", expected, found);
            }
        } else if self.thresholds.len() != channels {
            let expected = format!("{channels}, one for each channel");
            return refused("thresholds", expected, self.thresholds.len().to_string());
        } else if let Some(found) = self.thresholds.iter().find(|value| !(**value < 0.0 && value.is_finite()))
        {
            return refused("threshold in µV", "below 0".to_owned(), found.to_string());
        }
        Ok(Rules {
            factor: self.factor,
            calibration: rate.samples_in(self.calibration.max(Span::ZERO)) as usize,
            refractory: rate.samples_in(self.refractory),
            align: rate.samples_in(self.align),
            missing,
        })
    }
}

impl Operator for SpikeDetector {
    type In = Window;
    type Out = Spikes;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<[String]>, OperatorError> {
        let running = self.start(spec)?;
        let names = Arc::clone(&running.rows.names);
        self.running = Some(running);
        Ok(names)
    }

    fn process(&mut self, input: &Window, out: &mut Spikes) -> Result<(), OperatorError> {
        let running = self.running.as_mut().ok_or_else(unprepared)?;
        running.take(input, |_, step, _| out.spikes.extend(step.spike))
    }

    fn reset(&mut self) {
        let fresh = self.running.as_ref().map(|running| self.fresh(running.rows.len()));
        if let (Some(running), Some(fresh)) = (&mut self.running, fresh) {
            running.channels = fresh;
        }
    }

    fn latency(&self) -> Latency {
        // A spike comes when its waveform is complete.
        Latency { look_back: self.align, warm_up: self.warm_up(), ..Latency::default() }
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.running.iter().for_each(|running| running.snapshot(writer));
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.running.as_mut().map_or(Ok(()), |running| running.restore(reader))
    }
}
