//! What features of one number per channel share: over the window, or over a look-back.

use std::sync::Arc;

use ndarray::{Array1, ArrayView2};
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, Span, Window};
use neuraflow_core::operator::{Latency, OperatorError, WindowSpec};

use super::LookBack;
use crate::kernel::{KernelError, Value};
use crate::shape::{Rows, as_array, same_channels};

/// One number for each channel, from its samples oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct ChannelStatistic {
    /// Over the window alone without it.
    pub(super) over: Option<Span>,
    hop: Span,
    rows: Rows,
    look_back: Option<LookBack>,
    samples: Vec<f64>,
}

impl ChannelStatistic {
    pub(super) fn prepare(
        &mut self,
        spec: &WindowSpec,
        column: &str,
        unit: &str,
    ) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.rows = Rows::of(&spec.signal.channels)?;
        self.hop = spec.hop;
        self.look_back = self.over.map(|span| LookBack::new(span, &self.rows, &spec.signal)).transpose()?;
        Ok(Arc::new(FeatureSpec {
            rows: self.rows.names.clone(),
            columns: [column.to_owned()].into(),
            unit: unit.to_owned(),
        }))
    }

    pub(super) fn process(
        &mut self,
        input: &Window,
        out: &mut Features,
        statistic: impl Fn(&[f64]) -> f64,
    ) -> Result<(), OperatorError> {
        same_channels(self.rows.width, input.samples.channels())?;
        let Some(look_back) = &mut self.look_back else {
            for (value, channel) in out.values.iter_mut().zip(&self.rows.channels) {
                self.samples.clear();
                self.samples.extend(input.samples.samples().map(|sample| f64::from(sample[*channel])));
                *value = statistic(&self.samples);
            }
            return Ok(());
        };
        look_back.push(&input.samples, &self.rows);
        if look_back.is_full() {
            for (row, value) in out.values.iter_mut().enumerate() {
                *value = statistic(look_back.copy(row, &mut self.samples));
            }
        }
        Ok(())
    }

    /// Over the window alone, all channels at once: `statistic` takes `[sample][channel]` to one number a channel.
    pub(super) fn process_window(
        &mut self,
        input: &Window,
        out: &mut Features,
        statistic: impl Fn(&[f32], &mut [f64]) -> Result<(), KernelError>,
    ) -> Result<(), OperatorError> {
        same_channels(self.rows.width, input.samples.channels())?;
        let refused = |error: KernelError| OperatorError::Input {
            what: "values",
            expected: "whole samples of the prepared channels".to_owned(),
            found: error.to_string(),
        };
        if self.rows.are_all() {
            return statistic(input.samples.values(), &mut out.values).map_err(refused);
        }
        self.samples.resize(self.rows.width, f64::NAN);
        statistic(input.samples.values(), &mut self.samples).map_err(refused)?;
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

/// One number for each channel of sample-major values.
pub(super) fn of_samples<T: Value>(
    values: &[T],
    channels: usize,
    statistic: impl Fn(&[f64]) -> f64,
) -> Result<Vec<f64>, OperatorError> {
    Ok(of_array(as_array(values, channels)?, statistic).to_vec())
}

/// One number for each channel of an array `[sample][channel]`.
pub(super) fn of_array<T: Value>(
    values: ArrayView2<'_, T>,
    statistic: impl Fn(&[f64]) -> f64,
) -> Array1<f64> {
    values
        .columns()
        .into_iter()
        .map(|column| statistic(&column.iter().map(|value| value.to_f64()).collect::<Vec<f64>>()))
        .collect()
}
