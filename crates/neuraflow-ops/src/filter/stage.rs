//! Running a designed cascade: over the chunks of a stream, or over a whole array.

use std::ops::Range;
use std::ptr;
use std::sync::Arc;

use ndarray::{Array2, ArrayRef2};
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{ChannelKind, Chunk};
use neuraflow_core::operator::{self, Latency, OperatorError, SignalSpec, shared};

use super::latency::{Bands, latency};
use crate::kernel::{KernelError, Missing, Precision, Sos, SosFilter, SosState, Value};
use crate::shape::same_channels;

/// A cascade with the state of one stream, once it is prepared.
#[derive(Debug, Clone, Default)]
pub(super) struct SosStage {
    pub(super) precision: Precision,
    running: Option<Running>,
}

#[derive(Debug, Clone)]
struct Running {
    filter: SosFilter,
    /// Channels that pass unchanged. They run through the filter with the others, which keeps its lanes full,
    /// and are then put back: where there is none, nothing is spent on it.
    unfiltered: Vec<usize>,
    latency: Latency,
}

impl SosStage {
    pub(super) fn prepare(
        &mut self,
        sos: &Sos,
        bands: &Bands,
        spec: &SignalSpec,
    ) -> Result<(), OperatorError> {
        let (channels, missing) = (spec.channels.len(), spec.missing.into());
        let filter =
            SosFilter::with_precision(sos, channels, missing, self.precision).map_err(|e| refused(&e))?;
        // Of devices of one kind all are clones of the first's, and share its coefficients.
        let filter = (*shared(Arc::new(filter))).clone();
        let is_trigger = |index: &usize| spec.channels[*index].kind() == ChannelKind::Trigger;
        let unfiltered = (0..spec.channels.len()).filter(is_trigger).collect();
        self.running = Some(Running { filter, unfiltered, latency: latency(sos, bands, spec.rate)? });
        Ok(())
    }

    pub(super) fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        let Some(Running { filter, unfiltered, .. }) = &mut self.running else { return Err(unprepared()) };
        let channels = filter.channels();
        same_channels(channels, input.channels())?;
        same_channels(channels, out.channels())?;
        let filtered = out.extend_to_fill(input.len());
        filter.process(input.values(), filtered).map_err(|e| refused(&e))?;
        if !unfiltered.is_empty() {
            for (y, x) in filtered.chunks_exact_mut(channels).zip(input.samples()) {
                for channel in &*unfiltered {
                    y[*channel] = x[*channel];
                }
            }
        }
        Ok(())
    }

    pub(super) fn memory(&self) -> Range<*const u8> {
        self.running.as_ref().map_or(ptr::null()..ptr::null(), |running| running.filter.memory())
    }

    pub(super) fn reset(&mut self) {
        if let Some(running) = &mut self.running {
            running.filter.reset();
        }
    }

    pub(super) fn latency(&self) -> Latency {
        self.running.as_ref().map(|running| running.latency).unwrap_or_default()
    }

    pub(super) fn snapshot(&self, writer: &mut SnapshotWriter) {
        if let Some(running) = &self.running {
            writer.put(&running.filter.state());
        }
    }

    pub(super) fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let Some(running) = &mut self.running else {
            return Err(RestoreError::Encoding { reason: "the filter has not been prepared".to_owned() });
        };
        running.filter.set_state(&reader.take::<SosState>()?).map_err(not_restored)
    }

    /// Filters `[sample][channel]` from its first sample on, with a state of its own.
    pub(super) fn filter_array<T: Value>(
        &self,
        sos: &Sos,
        signal: &ArrayRef2<T>,
    ) -> Result<Array2<T>, OperatorError> {
        let mut filter = SosFilter::with_precision(sos, signal.ncols(), Missing::Restart, self.precision)
            .map_err(|e| refused(&e))?;
        let signal = signal.as_standard_layout();
        let mut filtered = signal.to_owned();
        if let (Some(x), Some(y)) = (signal.as_slice(), filtered.as_slice_mut()) {
            filter.process(x, y).map_err(|e| refused(&e))?;
        }
        Ok(filtered)
    }
}

impl From<operator::Missing> for Missing {
    fn from(missing: operator::Missing) -> Self {
        match missing {
            operator::Missing::Restart => Missing::Restart,
            operator::Missing::Freeze => Missing::Freeze,
        }
    }
}

/// What a filter says that is used before it is prepared.
pub(super) fn unprepared() -> OperatorError {
    OperatorError::Input {
        what: "order",
        expected: "a filter that has been prepared".to_owned(),
        found: "one that has not".to_owned(),
    }
}

/// A state that a kernel did not take.
pub(crate) fn not_restored(error: KernelError) -> RestoreError {
    match error {
        KernelError::State { what, expected, found } => RestoreError::Shape { what, expected, found },
        other => RestoreError::Encoding { reason: other.to_string() },
    }
}

fn refused(error: &KernelError) -> OperatorError {
    match error {
        KernelError::NoChannels => OperatorError::Spec {
            what: "channels",
            expected: "at least one".to_owned(),
            found: "none".to_owned(),
        },
        KernelError::UnstableInSingle { found, .. } => OperatorError::Spec {
            what: "precision of the filter",
            expected:
                "a filter that is stable in f32; use Precision::Double, move the edges away from 0 Hz, or \
                       lower the sampling rate first"
                    .to_owned(),
            found: format!("Precision::Single with a section {found:?}"),
        },
        other => OperatorError::Input {
            what: "values",
            expected: "whole samples of the prepared channels".to_owned(),
            found: other.to_string(),
        },
    }
}

/// Gives a filter with a `stage` and a `prepare_stage(spec)` its `Operator`.
macro_rules! stage_operator {
    ($filter:ident $(, { $($own:tt)* })?) => {
        impl neuraflow_core::operator::Operator for $filter {
            type In = neuraflow_core::model::Chunk;
            type Out = neuraflow_core::model::Chunk;

            fn prepare(
                &mut self,
                spec: &neuraflow_core::operator::SignalSpec,
            ) -> Result<neuraflow_core::operator::SignalSpec, neuraflow_core::operator::OperatorError> {
                self.prepare_stage(spec)?;
                Ok(spec.clone())
            }

            fn process(
                &mut self,
                input: &neuraflow_core::model::Chunk,
                out: &mut neuraflow_core::model::Chunk,
            ) -> Result<(), neuraflow_core::operator::OperatorError> {
                self.stage.process(input, out)
            }

            fn reset(&mut self) {
                self.stage.reset();
            }

            fn latency(&self) -> neuraflow_core::operator::Latency {
                self.stage.latency()
            }

            fn snapshot(&self, writer: &mut neuraflow_core::checkpoint::SnapshotWriter) {
                self.stage.snapshot(writer);
            }

            fn restore(
                &mut self,
                reader: &mut neuraflow_core::checkpoint::SnapshotReader<'_>,
            ) -> Result<(), neuraflow_core::checkpoint::RestoreError> {
                self.stage.restore(reader)
            }

            $($($own)*)?
        }
    };
}

pub(super) use stage_operator;
