//! Spiking-band power.

use std::sync::Arc;

use ndarray::{Array1, ArrayView2};
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::channel_statistic::{ChannelStatistic, of_array, of_samples};
use crate::kernel::{Value, stats};

/// Spiking-band power of each channel, in µV: the mean magnitude `Σ |x| / n` over the valid values of a signal band-passed to
/// 300–1,000 Hz.
///
/// It follows the firing of units too small for a threshold, and needs no more than 2,000 samples a second. Put
/// `Butterworth::bandpass(2, 300.0..1_000.0)` ahead of it; of the whole band of spikes, 300–6,000 Hz, it is the same statistic.
///
/// Input: windows of any number of samples. Output: one row for each channel that is not a trigger, one column `spiking band`. Missing
/// values are left out. NaN where no value is valid, so in a window without samples, and, with
/// [`over_millis`](Self::over_millis), until the look-back has been filled once. Without it there is no state, and the
/// look-back declared is the window.
///
/// Source: S. R. Nason et al. (2020), Nat. Biomed. Eng. 4(10):973–983.
///
/// # Errors
/// `prepare`: only trigger channels; a look-back shorter than one sample. `process`: another number of channels.
///
/// ```
/// use neuraflow_ops::feature::SpikingBandPower;
/// // Two samples of two channels.
/// assert_eq!(SpikingBandPower::of_samples(&[3.0_f32, 1.0, -5.0, f32::NAN], 2)?, [4.0, 1.0]);
/// # Ok::<(), neuraflow_core::operator::OperatorError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SpikingBandPower {
    statistic: ChannelStatistic,
}

fn magnitude(samples: &[f64]) -> f64 {
    stats::mean_magnitude(samples).value
}

impl SpikingBandPower {
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

    /// Of each channel of plain sample-major values `[sample][channel]`, without a pipeline.
    ///
    /// # Errors
    /// The number of values is not a multiple of the number of channels.
    pub fn of_samples<T: Value>(values: &[T], channels: usize) -> Result<Vec<f64>, OperatorError> {
        of_samples(values, channels, magnitude)
    }

    /// Of each channel of an array `[sample][channel]` of any memory layout.
    pub fn of_array<T: Value>(values: ArrayView2<'_, T>) -> Array1<f64> {
        of_array(values, magnitude)
    }
}

impl Operator for SpikingBandPower {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.statistic.prepare(spec, "spiking band", "µV")
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        self.statistic.process(input, out, magnitude)
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
