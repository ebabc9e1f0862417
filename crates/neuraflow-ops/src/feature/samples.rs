//! The samples of an epoch themselves, as numbers for a decoder of evoked responses.

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::LookBack;
use crate::shape::{Rows, same_channels};

/// The samples of an epoch, in µV: what the [decoders](crate::decode) of evoked responses look at, for which it matters when
/// something happens.
///
/// Put a band-pass filter ahead of it. Of each channel the mean of its first samples may be taken off:
/// [`baseline_millis`](Self::baseline_millis).
///
/// Input: epochs, or, with [`over_millis`](Self::over_millis), windows of any number of samples. Output: a row for each channel
/// that is not a trigger, and a column for each sample, named by its time since the first: `0 ms`, `4 ms`. Missing
/// values are NaN, and all are where a window has another number of samples than its length calls for, or
/// until the look-back has been filled once. State: the samples of the look-back, or none.
///
/// # Errors
/// `prepare`: only trigger channels; no sample, or more than 2²⁰ values in all; a baseline of no sample, or longer than the
/// epoch. `process`: another number of channels.
///
/// ```
/// use neuraflow_ops::feature::Samples;
/// // In a pipeline: .epochs(EpochConfig::new(Span::millis(100), Span::millis(800))).feature(epoch)
/// let epoch = || Samples::new().baseline_millis(100);
/// let last_second = || Samples::new().over_millis(1_000);
/// # let _ = (epoch, last_second);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Samples {
    over: Option<Span>,
    baseline: Option<Span>,
    hop: Span,
    rows: Arc<Rows>,
    look_back: Option<LookBack>,
    columns: usize,
    /// Samples of the baseline.
    first: usize,
    line: Vec<f64>,
}

impl Samples {
    /// Of the window or epoch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of a look-back of this many milliseconds that ends with the window.
    #[must_use]
    pub fn over_millis(mut self, millis: i64) -> Self {
        self.over = Some(Span::millis(millis));
        self
    }

    /// Takes the mean of the first so many milliseconds off each channel: as long as an epoch begins before its marker.
    #[must_use]
    pub fn baseline_millis(mut self, millis: i64) -> Self {
        self.baseline = Some(Span::millis(millis));
        self
    }

    fn take_baseline_off(&self, out: &mut Features) {
        if self.first > 0 {
            for values in out.values.chunks_exact_mut(self.columns) {
                let mean = values[..self.first].iter().sum::<f64>() / self.first as f64;
                values.iter_mut().for_each(|value| *value -= mean);
            }
        }
    }
}

impl Operator for Samples {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        /// A file's header can claim any rate and any number of channels.
        const MOST: u64 = 1 << 20;
        self.rows = Rows::of(&spec.signal.channels)?;
        self.hop = spec.hop;
        let rate = spec.signal.rate;
        let columns = rate.samples_in(self.over.unwrap_or(self.hop));
        if columns == 0 || columns.saturating_mul(self.rows.len() as u64) > MOST {
            return Err(OperatorError::Spec {
                what: "samples of an epoch",
                expected: format!("from 1 value to {MOST} over all channels"),
                found: format!("{columns} samples of {} channels at {rate}", self.rows.len()),
            });
        }
        self.first = match self.baseline {
            None => 0,
            Some(span) => match rate.samples_in(span) {
                first if span > Span::ZERO && (1..=columns).contains(&first) => first as usize,
                first => {
                    return Err(OperatorError::Spec {
                        what: "baseline",
                        expected: format!("from 1 sample to the epoch's {columns} at {rate}"),
                        found: format!("{} ms, which is {first} samples", span.as_millis_f64()),
                    });
                }
            },
        };
        self.look_back = self.over.map(|span| LookBack::new(span, &self.rows, &spec.signal)).transpose()?;
        self.columns = columns as usize;
        let time = |n: u64| format!("{} ms", rate.offset(n).as_millis_f64());
        Ok(Arc::new(FeatureSpec {
            rows: self.rows.names.clone(),
            columns: (0..columns).map(time).collect(),
            unit: "µV".to_owned(),
        }))
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        same_channels(self.rows.width, input.samples.channels())?;
        let Some(look_back) = &mut self.look_back else {
            if input.samples.len() == self.columns {
                for (n, sample) in input.samples.samples().enumerate() {
                    for (row, channel) in self.rows.channels.iter().enumerate() {
                        out.values[row * self.columns + n] = f64::from(sample[*channel]);
                    }
                }
                self.take_baseline_off(out);
            }
            return Ok(());
        };
        look_back.push(&input.samples, &self.rows);
        if look_back.is_full() {
            for (row, values) in out.values.chunks_exact_mut(self.columns).enumerate() {
                values.copy_from_slice(look_back.copy(row, &mut self.line));
            }
            self.take_baseline_off(out);
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.look_back.iter_mut().for_each(LookBack::reset);
    }

    fn latency(&self) -> Latency {
        Latency { look_back: self.over.unwrap_or(self.hop), ..Latency::default() }
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.look_back.iter().for_each(|look_back| look_back.snapshot(writer));
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.look_back.as_mut().map_or(Ok(()), |look_back| look_back.restore(reader))
    }
}
