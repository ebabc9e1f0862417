//! Root mean square.

use std::sync::Arc;

use ndarray::{Array1, ArrayView2};
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::channel_statistic::{ChannelStatistic, of_array, of_samples};
use crate::kernel::{Value, stats};

/// Root mean square of each channel, in µV (or the channel's unit): `√(Σ x² / n)` over the valid values.
///
/// The mean is not taken off: put a high-pass filter or a reference ahead of it.
///
/// Input: windows of any number of samples. Output: one row for each channel that is not a trigger, one column
/// `rms`. Missing values are left out. NaN where no value is valid, so in a window without samples, and, with
/// [`over_millis`](Self::over_millis), until the look-back has been filled once. Without it there is no state, and the
/// look-back declared is the window.
///
/// # Errors
/// `prepare`: only trigger channels; a look-back shorter than one sample. `process`: another number of channels.
///
/// ```
/// use neuraflow_ops::feature::Rms;
/// // Two samples of two channels.
/// assert_eq!(Rms::of_samples(&[3.0_f32, 1.0, -3.0, f32::NAN], 2)?, [3.0, 1.0]);
/// let feature = Rms::new().over_millis(500); // in a pipeline: .feature(|| Rms::new().over_millis(500))
/// # let _ = feature;
/// # Ok::<(), neuraflow_core::operator::OperatorError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Rms {
    statistic: ChannelStatistic,
}

fn rms(samples: &[f64]) -> f64 {
    stats::rms(samples).value
}

impl Rms {
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

    /// The root mean square of each channel of plain sample-major values `[sample][channel]`, in its unit, without a pipeline.
    ///
    /// # Errors
    /// The number of values is not a multiple of the number of channels.
    pub fn of_samples<T: Value>(values: &[T], channels: usize) -> Result<Vec<f64>, OperatorError> {
        of_samples(values, channels, rms)
    }

    /// The root mean square of each channel of an array `[sample][channel]` of any memory layout, in its unit.
    pub fn of_array<T: Value>(values: ArrayView2<'_, T>) -> Array1<f64> {
        of_array(values, rms)
    }
}

impl Operator for Rms {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.statistic.prepare(spec, "rms", "µV")
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        match self.statistic.over {
            Some(_) => self.statistic.process(input, out, rms),
            None => self.statistic.process_window(input, out, stats::rms_of_channels),
        }
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
