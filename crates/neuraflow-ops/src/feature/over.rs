//! What features share that compute some numbers of each channel over a look-back.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, SamplingRate, Span, Window};
use neuraflow_core::operator::{Latency, OperatorError, WindowSpec};

use super::LookBack;
use crate::kernel::Value;
use crate::shape::{Rows, as_array, same_channels};

/// Some numbers of one channel.
pub(crate) trait Statistic: Clone {
    /// The look-back that its settings ask for, where they do.
    fn span(&self, rate: SamplingRate) -> Option<Span> {
        let _ = rate;
        None
    }

    /// Checks its settings, and plans for look-backs of so many samples. Its columns and their unit.
    fn plan(&mut self, rate: SamplingRate, samples: usize) -> Result<Columns, OperatorError>;

    /// Of a channel's samples, oldest first, one number for each column; `out` arrives filled with NaN.
    fn compute(&mut self, samples: &[f64], out: &mut [f64]);
}

/// What the numbers are.
pub(crate) struct Columns {
    pub(crate) names: Vec<String>,
    pub(crate) unit: &'static str,
}

impl Columns {
    pub(crate) fn of(names: &[&str], unit: &'static str) -> Self {
        Self { names: names.iter().map(|name| (*name).to_owned()).collect(), unit }
    }
}

/// A statistic over a look-back that ends with the window: settings, and, once prepared, the memory.
#[derive(Clone, Debug)]
pub(crate) struct Over<S> {
    pub(crate) span: Span,
    pub(crate) statistic: S,
    rows: Arc<Rows>,
    look_back: LookBack,
    samples: Vec<f64>,
}

/// The longest look-back that is planned for: four seconds at 30 kHz. What is longer may be no more than a header's claim.
const MOST: u64 = 1 << 17;

impl<S: Statistic> Over<S> {
    /// Over one second.
    pub(crate) fn new(statistic: S) -> Self {
        Self {
            span: Span::secs(1),
            statistic,
            rows: Arc::default(),
            look_back: LookBack::default(),
            samples: Vec::new(),
        }
    }

    fn plan(&mut self, rate: SamplingRate) -> Result<(usize, Columns), OperatorError> {
        self.span = self.statistic.span(rate).unwrap_or(self.span);
        let samples = rate.samples_in(self.span);
        if samples == 0 || samples > MOST {
            return Err(OperatorError::Spec {
                what: "look-back",
                expected: format!("1 to {MOST} samples; change it, or lower the sampling rate first"),
                found: format!("{} ms, which is {samples} samples at {rate}", self.span.as_millis_f64()),
            });
        }
        Ok((samples as usize, self.statistic.plan(rate, samples as usize)?))
    }

    pub(crate) fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.rows = Rows::of(&spec.signal.channels)?;
        let (_, columns) = self.plan(spec.signal.rate)?;
        self.look_back = LookBack::new(self.span, &self.rows, &spec.signal)?;
        Ok(Arc::new(FeatureSpec {
            rows: self.rows.names.clone(),
            columns: columns.names.into(),
            unit: columns.unit.to_owned(),
        }))
    }

    pub(crate) fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        same_channels(self.rows.width, input.samples.channels())?;
        self.look_back.push(&input.samples, &self.rows);
        if self.look_back.is_full() {
            let columns = (out.values.len() / self.rows.len().max(1)).max(1);
            for (row, values) in out.values.chunks_exact_mut(columns).enumerate() {
                self.statistic.compute(self.look_back.copy(row, &mut self.samples), values);
            }
        }
        Ok(())
    }

    /// The numbers of each channel over the last look-back of `[sample][channel]`.
    pub(crate) fn of_array<T: Value>(
        &self,
        values: ArrayView2<'_, T>,
        rate: SamplingRate,
    ) -> Result<Array2<f64>, OperatorError> {
        let mut own = self.clone();
        let (length, columns) = own.plan(rate)?;
        let skip = values.nrows().checked_sub(length).ok_or_else(|| OperatorError::Input {
            what: "samples",
            expected: format!("at least the {length} of the look-back"),
            found: values.nrows().to_string(),
        })?;
        let mut out = Array2::from_elem((values.ncols(), columns.names.len()), f64::NAN);
        for (column, mut row) in values.columns().into_iter().zip(out.rows_mut()) {
            let samples: Vec<f64> = column.iter().skip(skip).map(|value| value.to_f64()).collect();
            if let Some(row) = row.as_slice_mut() {
                own.statistic.compute(&samples, row);
            }
        }
        Ok(out)
    }

    /// The same of plain sample-major values.
    pub(crate) fn of_samples<T: Value>(
        &self,
        values: &[T],
        channels: usize,
        rate: SamplingRate,
    ) -> Result<Vec<f64>, OperatorError> {
        Ok(self.of_array(as_array(values, channels)?, rate)?.into_raw_vec_and_offset().0)
    }

    pub(crate) fn latency(&self) -> Latency {
        Latency { look_back: self.span, ..Latency::default() }
    }

    pub(crate) fn reset(&mut self) {
        self.look_back.reset();
    }

    pub(crate) fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.look_back.snapshot(writer);
    }

    pub(crate) fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.look_back.restore(reader)
    }
}

/// Gives a feature with `over: Over<…>` its look-back, its array methods and its `Operator`.
macro_rules! look_back_feature {
    ($feature:ident) => {
        impl $feature {
            /// Over a look-back of this many milliseconds that ends with the window.
            #[must_use]
            pub fn over_millis(mut self, millis: i64) -> Self {
                self.over.span = neuraflow_core::model::Span::millis(millis);
                self
            }

            /// Over the last look-back of plain sample-major values `[sample][channel]`, as `[channel][column]`, without a
            /// pipeline.
            ///
            /// # Errors
            /// As `prepare`; the number of values is not a multiple of the number of channels; fewer samples than the
            /// look-back.
            pub fn of_samples<T: crate::kernel::Value>(
                &self,
                values: &[T],
                channels: usize,
                rate: neuraflow_core::model::SamplingRate,
            ) -> Result<Vec<f64>, neuraflow_core::operator::OperatorError> {
                self.over.of_samples(values, channels, rate)
            }

            /// Over the last look-back of an array `[sample][channel]` of any memory layout, as `[channel][column]`.
            ///
            /// # Errors
            /// As `prepare`; fewer samples than the look-back.
            pub fn of_array<T: crate::kernel::Value>(
                &self,
                values: ndarray::ArrayView2<'_, T>,
                rate: neuraflow_core::model::SamplingRate,
            ) -> Result<ndarray::Array2<f64>, neuraflow_core::operator::OperatorError> {
                self.over.of_array(values, rate)
            }
        }

        $crate::feature::window_feature!($feature, over);
    };
}

/// Gives a feature the `Operator` that one of its fields has the parts of.
macro_rules! window_feature {
    ($feature:ident, $part:ident) => {
        impl neuraflow_core::operator::Operator for $feature {
            type In = neuraflow_core::model::Window;
            type Out = neuraflow_core::model::Features;

            fn prepare(
                &mut self,
                spec: &neuraflow_core::operator::WindowSpec,
            ) -> Result<
                std::sync::Arc<neuraflow_core::model::FeatureSpec>,
                neuraflow_core::operator::OperatorError,
            > {
                self.$part.prepare(spec)
            }

            fn process(
                &mut self,
                input: &neuraflow_core::model::Window,
                out: &mut neuraflow_core::model::Features,
            ) -> Result<(), neuraflow_core::operator::OperatorError> {
                self.$part.process(input, out)
            }

            fn reset(&mut self) {
                self.$part.reset();
            }

            fn latency(&self) -> neuraflow_core::operator::Latency {
                self.$part.latency()
            }

            fn snapshot(&self, writer: &mut neuraflow_core::checkpoint::SnapshotWriter) {
                self.$part.snapshot(writer);
            }

            fn restore(
                &mut self,
                reader: &mut neuraflow_core::checkpoint::SnapshotReader<'_>,
            ) -> Result<(), neuraflow_core::checkpoint::RestoreError> {
                self.$part.restore(reader)
            }
        }
    };
}

pub(crate) use {look_back_feature, window_feature};
