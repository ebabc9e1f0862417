//! The quality of every channel, window by window.

use std::sync::Arc;

use ndarray::ArrayView2;
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, SamplingRate, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::score::{Quality, assess};
use crate::feature::LookBack;
use crate::kernel::Value;
use crate::shape::{Rows, as_array, same_channels};

/// A quality score from 0 to 1 for each channel, over a look-back that ends with the window.
///
/// The score and its five parts are defined at [`assess`]: 0 for a flat or missing channel, near 1 for clean EEG, and
/// no fault can be made up for by another part. Input: raw windows of any number of samples, before any filter.
/// Output: one row for each channel that is not a trigger, one column `score`, without unit. Never NaN: until the
/// look-back has been filled the score comes from what there is, and it is 0 as long as there is nothing. State: the
/// samples of the look-back, by default one second.
///
/// # Errors
/// `prepare`: only trigger channels; a look-back shorter than one sample. `process`: another number of channels.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::quality::SignalQuality;
/// // One second of two channels: 10 Hz, and nothing.
/// let values: Vec<f32> = (0..250).flat_map(|n| [30.0 * (0.25 * n as f32).sin(), 0.0]).collect();
/// let quality = SignalQuality::of_samples(&values, 2, SamplingRate::hz(250)?)?;
/// assert!(quality[0].score() > 0.99);
/// assert_eq!(quality[1].score(), 0.0);
/// // In a pipeline: .feature(SignalQuality::new)
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SignalQuality {
    over: Span,
    rate: f64,
    rows: Arc<Rows>,
    look_back: LookBack,
    samples: Vec<f64>,
}

impl Default for SignalQuality {
    fn default() -> Self {
        Self {
            over: Span::secs(1),
            rate: 0.0,
            rows: Arc::default(),
            look_back: LookBack::default(),
            samples: Vec::new(),
        }
    }
}

impl SignalQuality {
    /// Over one second.
    pub fn new() -> Self {
        Self::default()
    }

    /// Over a look-back of this many milliseconds.
    #[must_use]
    pub fn over_millis(mut self, millis: i64) -> Self {
        self.over = Span::millis(millis);
        self
    }

    /// The quality of each channel of plain sample-major µV values `[sample][channel]`, over all of them.
    ///
    /// # Errors
    /// The number of values is not a multiple of the number of channels.
    pub fn of_samples<T: Value>(
        values: &[T],
        channels: usize,
        rate: SamplingRate,
    ) -> Result<Vec<Quality>, OperatorError> {
        Ok(Self::of_array(as_array(values, channels)?, rate))
    }

    /// The quality of each channel of an array `[sample][channel]` of any memory layout, in µV, over all of it.
    pub fn of_array<T: Value>(values: ArrayView2<'_, T>, rate: SamplingRate) -> Vec<Quality> {
        let columns = values.columns().into_iter();
        let samples = columns.map(|column| column.iter().map(|value| value.to_f64()).collect::<Vec<_>>());
        samples.map(|samples| assess(&samples, rate.as_hz(), true)).collect()
    }
}

impl Operator for SignalQuality {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.rows = Rows::of(&spec.signal.channels)?;
        self.rate = spec.signal.rate.as_hz();
        self.look_back = LookBack::new(self.over, &self.rows, &spec.signal)?;
        Ok(Arc::new(FeatureSpec {
            rows: self.rows.names.clone(),
            columns: ["score".to_owned()].into(),
            unit: String::new(),
        }))
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        same_channels(self.rows.width, input.samples.channels())?;
        self.look_back.push(&input.samples, &self.rows);
        let rows = out.values.iter_mut().zip(&self.rows.microvolts).enumerate();
        for (row, (value, microvolts)) in rows {
            let samples = self.look_back.copy(row, &mut self.samples);
            *value = assess(samples, self.rate, *microvolts).score();
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.look_back.reset();
    }

    fn latency(&self) -> Latency {
        Latency { look_back: self.over, ..Latency::default() }
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.look_back.snapshot(writer);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.look_back.restore(reader)
    }
}
