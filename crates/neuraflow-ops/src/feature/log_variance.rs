//! Logarithm of the variance.

use std::sync::Arc;

use ndarray::{Array1, ArrayView2};
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::channel_statistic::{ChannelStatistic, of_array, of_samples};
use crate::kernel::{Value, stats};

/// Natural logarithm of the variance of each channel, in ln µV²: `ln(Σ (x − x̄)² / n)` over the valid values.
///
/// The feature of common spatial patterns; close to normally distributed, as a linear discriminant wants it. A flat
/// channel gives −∞, one value alone too. Source: H. Ramoser, J. Müller-Gerking and G. Pfurtscheller (2000), IEEE Trans.
/// Rehabil. Eng. 8(4):441–446.
///
/// Input: windows of any number of samples. Output: one row for each channel that is not a trigger, one column
/// `log_variance`. Missing values are left out. NaN where no value is valid, so in a window without samples, and, with
/// [`over_millis`](Self::over_millis), until the look-back has been filled once. Without it there is no state, and the
/// look-back declared is the window.
///
/// # Errors
/// `prepare`: only trigger channels; a look-back shorter than one sample. `process`: another number of channels.
///
/// ```
/// use neuraflow_ops::feature::LogVariance;
/// // Three samples of one channel; the missing one does not count.
/// assert_eq!(LogVariance::of_samples(&[1.0_f64, f64::NAN, 3.0], 1)?, [0.0]);
/// # Ok::<(), neuraflow_core::operator::OperatorError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct LogVariance {
    statistic: ChannelStatistic,
}

fn log_variance(samples: &[f64]) -> f64 {
    stats::log_variance(samples, 0).value
}

impl LogVariance {
    /// Over each window alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Over a look-back of this many milliseconds that ends with the window.
    #[must_use]
    pub fn over_millis(mut self, millis: i64) -> Self {
        self.statistic.over = Some(Span::millis(millis));
        self
    }

    /// The logarithm of the variance of each channel of plain sample-major values `[sample][channel]`, in ln µV², without a pipeline.
    ///
    /// # Errors
    /// The number of values is not a multiple of the number of channels.
    pub fn of_samples<T: Value>(values: &[T], channels: usize) -> Result<Vec<f64>, OperatorError> {
        of_samples(values, channels, log_variance)
    }

    /// The logarithm of the variance of each channel of an array `[sample][channel]` of any memory layout, in ln µV².
    pub fn of_array<T: Value>(values: ArrayView2<'_, T>) -> Array1<f64> {
        of_array(values, log_variance)
    }
}

impl Operator for LogVariance {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.statistic.prepare(spec, "log_variance", "ln µV²")
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        self.statistic.process(input, out, log_variance)
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
