//! What features of one number per channel share: over the window, or over a look-back.

use std::marker::PhantomData;
use std::sync::Arc;

use ndarray::{Array1, ArrayView2};
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, Span, Window};
use neuraflow_core::operator::{Latency, OperatorError, WindowSpec};

use super::LookBack;
use crate::kernel::{KernelError, Value};
use crate::shape::{Rows, same_channels};

/// One number of a channel.
pub(super) trait OfChannel {
    /// What it is called, and its unit.
    const COLUMN: &'static str;
    const UNIT: &'static str;

    /// Of a channel's samples, oldest first.
    fn of(samples: &[f64]) -> f64;

    /// Of all channels of `[sample][channel]` at once, where that is faster: the same, to the bit.
    const OF_ALL: Option<OfAll> = None;
}

pub(super) type OfAll = fn(&[f32], &mut [f64]) -> Result<(), KernelError>;

/// A number for each channel: settings, and, once prepared, the memory.
#[derive(Clone, Debug)]
pub(super) struct ChannelStatistic<S> {
    /// Over the window alone without it.
    pub(super) over: Option<Span>,
    hop: Span,
    rows: Arc<Rows>,
    look_back: Option<LookBack>,
    samples: Vec<f64>,
    statistic: PhantomData<S>,
}

// Derived, it would ask the same of `S`.
impl<S> Default for ChannelStatistic<S> {
    fn default() -> Self {
        Self {
            over: None,
            hop: Span::ZERO,
            rows: Arc::default(),
            look_back: None,
            samples: Vec::new(),
            statistic: PhantomData,
        }
    }
}

impl<S: OfChannel> ChannelStatistic<S> {
    pub(super) fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.rows = Rows::of(&spec.signal.channels)?;
        self.hop = spec.hop;
        self.look_back = self.over.map(|span| LookBack::new(span, &self.rows, &spec.signal)).transpose()?;
        Ok(Arc::new(FeatureSpec {
            rows: self.rows.names.clone(),
            columns: [S::COLUMN.to_owned()].into(),
            unit: S::UNIT.to_owned(),
        }))
    }

    pub(super) fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        same_channels(self.rows.width, input.samples.channels())?;
        match (&mut self.look_back, S::OF_ALL) {
            (Some(look_back), _) => {
                look_back.push(&input.samples, &self.rows);
                if look_back.is_full() {
                    for (row, value) in out.values.iter_mut().enumerate() {
                        *value = S::of(look_back.copy(row, &mut self.samples));
                    }
                }
                Ok(())
            }
            (None, Some(of_all)) => self.process_all(of_all, input, out),
            (None, None) => {
                for (value, channel) in out.values.iter_mut().zip(&self.rows.channels) {
                    self.samples.clear();
                    self.samples.extend(input.samples.samples().map(|sample| f64::from(sample[*channel])));
                    *value = S::of(&self.samples);
                }
                Ok(())
            }
        }
    }

    /// Over the window alone, all channels at once.
    fn process_all(
        &mut self,
        of_all: OfAll,
        input: &Window,
        out: &mut Features,
    ) -> Result<(), OperatorError> {
        let refused = |error: KernelError| OperatorError::Input {
            what: "values",
            expected: "whole samples of the prepared channels".to_owned(),
            found: error.to_string(),
        };
        if self.rows.are_all() {
            return of_all(input.samples.values(), &mut out.values).map_err(refused);
        }
        self.samples.resize(self.rows.width, f64::NAN);
        of_all(input.samples.values(), &mut self.samples).map_err(refused)?;
        for (value, channel) in out.values.iter_mut().zip(&self.rows.channels) {
            *value = self.samples[*channel];
        }
        Ok(())
    }

    pub(super) fn reset(&mut self) {
        if let Some(look_back) = &mut self.look_back {
            look_back.reset();
        }
    }

    pub(super) fn latency(&self) -> Latency {
        Latency { look_back: self.over.unwrap_or(self.hop), ..Latency::default() }
    }

    pub(super) fn snapshot(&self, writer: &mut SnapshotWriter) {
        if let Some(look_back) = &self.look_back {
            look_back.snapshot(writer);
        }
    }

    pub(super) fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.look_back.as_mut().map_or(Ok(()), |look_back| look_back.restore(reader))
    }
}

/// One number for each channel of an array `[sample][channel]`.
pub(super) fn of_array<S: OfChannel, T: Value>(values: ArrayView2<'_, T>) -> Array1<f64> {
    values
        .columns()
        .into_iter()
        .map(|column| S::of(&column.iter().map(|value| value.to_f64()).collect::<Vec<f64>>()))
        .collect()
}

/// Gives a feature with a `statistic: ChannelStatistic<…>` what all of these have: constructor, look-back, plain arrays and the
/// `Operator`.
macro_rules! channel_feature {
    ($feature:ident, $statistic:ty) => {
        impl $feature {
            /// Over each window alone.
            pub fn new() -> Self {
                Self::default()
            }

            /// Over a look-back of this many milliseconds that ends with the window.
            #[must_use]
            pub fn over_millis(mut self, millis: i64) -> Self {
                self.statistic.over = Some(neuraflow_core::model::Span::millis(millis));
                self
            }

            /// Of each channel of plain sample-major values `[sample][channel]`, without a pipeline.
            ///
            /// # Errors
            /// The number of values is not a multiple of the number of channels.
            pub fn of_samples<T: crate::kernel::Value>(
                values: &[T],
                channels: usize,
            ) -> Result<Vec<f64>, neuraflow_core::operator::OperatorError> {
                Ok(Self::of_array(crate::shape::as_array(values, channels)?).to_vec())
            }

            /// Of each channel of an array `[sample][channel]` of any memory layout.
            pub fn of_array<T: crate::kernel::Value>(
                values: ndarray::ArrayView2<'_, T>,
            ) -> ndarray::Array1<f64> {
                crate::feature::channel_statistic::of_array::<$statistic, T>(values)
            }
        }

        crate::feature::window_feature!($feature, statistic);
    };
}

pub(super) use channel_feature;
