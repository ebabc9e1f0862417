//! How often the threshold is crossed.

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::detector::SpikeDetector;
use super::running::{Running, unprepared};

/// Threshold crossings of each channel in each window: spike counts without sorting, in bins as long as the window, of 1, 10, 20 or 50 ms
/// say.
///
/// A crossing counts in the window that it lies in, without a look-ahead; what one is, [`SpikeDetector`] says. Where up to a tenth
/// of the samples is missing the count is that of the others, scaled up by their share.
///
/// Input: windows of any number of samples. Output: one row for each channel that is not a trigger, one column `spikes`, as
/// [`SpikeCounts`](crate::feature::SpikeCounts) of sorted units gives; decoders of trajectories take either. NaN until the threshold is
/// known, where more than a tenth of the samples is missing, and in a window without samples. State: that of the detector.
///
/// # Errors
/// As [`SpikeDetector`].
///
/// ```
/// use neuraflow_ops::spike::SpikeDetector;
/// // In a pipeline: .window(Tumbling::millis(20)).feature(counts)
/// let counts = || SpikeDetector::new().threshold(4.0).refractory_micros(800).counts();
/// # let _ = counts();
/// ```
#[derive(Clone, Debug)]
pub struct ThresholdCrossings {
    detector: SpikeDetector,
    running: Option<Running>,
    hop: Span,
    /// For each row: crossings, and valid samples.
    counts: Vec<(u64, u64)>,
    /// For each row, whether its threshold was known when the window began.
    known: Vec<bool>,
}

impl ThresholdCrossings {
    pub(super) fn of(detector: SpikeDetector) -> Self {
        Self { detector, running: None, hop: Span::ZERO, counts: Vec::new(), known: Vec::new() }
    }
}

impl Operator for ThresholdCrossings {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        let running = self.detector.start(spec)?;
        let rows = running.rows.names.clone();
        self.hop = spec.hop;
        self.running = Some(running);
        Ok(Arc::new(FeatureSpec { rows, columns: ["spikes".to_owned()].into(), unit: "spikes".to_owned() }))
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        let running = self.running.as_mut().ok_or_else(unprepared)?;
        self.known.clear();
        self.known.extend(running.channels.iter().map(|channel| channel.threshold.is_some()));
        self.counts.clear();
        self.counts.resize(self.known.len(), (0, 0));
        let counts = &mut self.counts;
        running.take(input, |row, step, value| {
            if let Some((crossings, valid)) = counts.get_mut(row) {
                *crossings += u64::from(step.crossed);
                *valid += u64::from(value.is_finite());
            }
        })?;
        let samples = input.samples.len() as u64;
        for ((value, (crossings, valid)), known) in out.values.iter_mut().zip(&self.counts).zip(&self.known) {
            *value = if *known && samples > 0 && valid * 10 >= samples * 9 {
                *crossings as f64 * (samples as f64 / *valid as f64)
            } else {
                f64::NAN
            };
        }
        Ok(())
    }

    fn reset(&mut self) {
        if let Some(running) = &mut self.running {
            running.channels = self.detector.fresh(running.rows.len());
        }
    }

    fn latency(&self) -> Latency {
        Latency { look_back: self.hop, warm_up: self.detector.warm_up(), ..Latency::default() }
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.running.iter().for_each(|running| running.snapshot(writer));
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.running.as_mut().map_or(Ok(()), |running| running.restore(reader))
    }
}
