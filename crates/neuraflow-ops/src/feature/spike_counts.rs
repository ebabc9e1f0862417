//! How often units fire.

use std::sync::Arc;

use ndarray::{Array1, ArrayView2};
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::channel_statistic::{ChannelStatistic, of_array, of_samples};
use crate::kernel::{Value, stats};

/// The spikes of each unit or electrode in a window: the sum of samples that count spikes, as those of spike-train recordings
/// do. For signals that are not sorted: [`ThresholdCrossings`](crate::spike::ThresholdCrossings).
///
/// Windows of 10, 20 or 50 ms are bins of that length; a window may be as short as one sample. Where up to a tenth of the samples is
/// missing the count is that of the others, scaled up by their share; where more is, it is NaN.
///
/// Input: windows of any number of samples. Output: one row for each channel that is not a trigger, one column `spikes`. NaN in a window
/// without samples, and, with [`over_millis`](Self::over_millis), until the look-back has been filled once. Without it there is no
/// state, and the look-back declared is the window.
///
/// # Errors
/// `prepare`: only trigger channels; a look-back shorter than one sample. `process`: another number of channels.
///
/// ```
/// use neuraflow_ops::feature::SpikeCounts;
/// // Three milliseconds of two units.
/// assert_eq!(SpikeCounts::of_samples(&[0.0_f32, 1.0, 0.0, 2.0, 1.0, 0.0], 2)?, [1.0, 3.0]);
/// let feature = SpikeCounts::new(); // in a pipeline: .window(Tumbling::millis(50)).feature(SpikeCounts::new)
/// # let _ = feature;
/// # Ok::<(), neuraflow_core::operator::OperatorError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SpikeCounts {
    statistic: ChannelStatistic,
}

fn count(samples: &[f64]) -> f64 {
    let mean = stats::mean(samples);
    if mean.valid * 10 < samples.len() * 9 {
        return f64::NAN;
    }
    if mean.valid == samples.len() && !samples.is_empty() {
        return stats::sum(samples);
    }
    mean.value * samples.len() as f64
}

impl SpikeCounts {
    /// In each window alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// In a look-back of this many milliseconds that ends with the window.
    #[must_use]
    pub fn over_millis(mut self, millis: i64) -> Self {
        self.statistic.over = Some(Span::millis(millis));
        self
    }

    /// The spikes of each channel of plain sample-major counts `[sample][channel]`, without a pipeline.
    ///
    /// # Errors
    /// The number of values is not a multiple of the number of channels.
    pub fn of_samples<T: Value>(values: &[T], channels: usize) -> Result<Vec<f64>, OperatorError> {
        of_samples(values, channels, count)
    }

    /// The spikes of each channel of an array `[sample][channel]` of any memory layout.
    pub fn of_array<T: Value>(values: ArrayView2<'_, T>) -> Array1<f64> {
        of_array(values, count)
    }
}

impl Operator for SpikeCounts {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.statistic.prepare(spec, "spikes", "spikes")
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        self.statistic.process(input, out, count)
    }

    fn reset(&mut self) {
        self.statistic.reset();
    }

    fn latency(&self) -> Latency {
        self.statistic.latency()
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.statistic.snapshot(writer);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.statistic.restore(reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_may_be_missing() {
        let mut counts = [1.0; 20];
        counts[3] = f64::NAN;
        counts[4] = f64::NAN;
        assert!((count(&counts) - 20.0).abs() < 1e-12);
        counts[5] = f64::NAN;
        assert!(count(&counts).is_nan() && count(&[]).is_nan());
        assert_eq!(count(&[0.0, 2.0, 1.0]), 3.0);
    }
}
