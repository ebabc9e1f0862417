//! Errors, by what they were, of what kind of signal, and how bad.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use neuraflow_core::dataflow::{PipelineError, Status};
use neuraflow_core::model::{Recovery, StreamHeader};

use super::Metrics;
use super::family::{Bounded, Kind, Writer};
use super::signal::{ANY, signal_type};

/// How bad an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something was left out, and all goes on.
    Warning,
    /// Something has to be done again.
    Error,
    /// Something has stopped.
    Critical,
}

impl Severity {
    /// As labels have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl From<Recovery> for Severity {
    /// What is left out is a warning, what is done again an error, and what stops is critical.
    fn from(recovery: Recovery) -> Self {
        match recovery {
            Recovery::Skip | Recovery::Reset => Self::Warning,
            Recovery::Retry => Self::Error,
            Recovery::Stop => Self::Critical,
        }
    }
}

/// Errors that somebody told of, by type, kind of signal and severity.
#[derive(Debug)]
pub(super) struct Errors(Mutex<Bounded<3, u64>>);

impl Errors {
    pub(super) fn new(limit: usize) -> Self {
        Self(Mutex::new(Bounded::new(limit, 1)))
    }

    fn count(&self, labels: [&str; 3]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(labels, || 0) += 1;
    }

    /// Those, and those that watched pipelines know of themselves.
    pub(super) fn write<'s>(
        &self,
        out: &mut Writer<'_>,
        pipelines: impl Iterator<Item = &'s Status>,
    ) -> fmt::Result {
        const NAME: &str = "neural_processing_errors";
        let errors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = BTreeMap::<_, u64>::new();
        pipelines
            .for_each(|status| known(status, |labels, count| *counts.entry(labels).or_default() += count));
        out.family(NAME, "Errors while signals were processed, by type", Kind::Counter, |family| {
            let told = errors.entries.iter().map(|([kind, signal, severity], count)| {
                ([kind.as_str(), signal.as_str(), severity.as_str()], *count)
            });
            for ([kind, signal, severity], count) in told.chain(counts) {
                let labels = [("error_type", kind), ("signal_type", signal), ("severity", severity)];
                family.tell(&[], &labels, count as f64);
            }
        })?;
        out.folded.insert(NAME, errors.folded());
        Ok(())
    }
}

/// What went wrong in a pipeline by its own books.
fn known(status: &Status, mut tell: impl FnMut([&'static str; 3], u64)) {
    for stream in &status.streams {
        let signal = signal_type(&stream.header);
        tell(["refused_input", signal, Severity::Warning.name()], stream.refused_inputs);
        tell(["refused_stream", signal, Severity::Critical.name()], u64::from(stream.refused.is_some()));
    }
    let skipped = status.sinks.iter().map(|sink| sink.skipped).sum();
    tell(["sink_skipped", ANY, Severity::Warning.name()], skipped);
    let dropped = status.sinks.iter().map(|sink| sink.dropped).sum();
    tell(["sink_overflow", ANY, Severity::Warning.name()], dropped);
    tell(["pipeline_restart", ANY, Severity::Error.name()], u64::from(status.health.restarts));
}

impl Metrics {
    /// Counts an error of the host's own. `error_type` is one of a few; `stream` is the one it is about, if it is about one.
    pub fn error(&self, error_type: &str, stream: Option<&StreamHeader>, severity: Severity) {
        let signal = stream.map_or(ANY, signal_type);
        self.0.errors.count([error_type, signal, severity.name()]);
    }

    /// Counts what a pipeline ended with.
    ///
    /// ```
    /// use neuraflow_core::dataflow::PipelineError;
    /// use neuraflow_core::sink::SinkError;
    /// use neuraflow_sinks::metrics::Metrics;
    /// let metrics = Metrics::default();
    /// // In a host: `if let Err(error) = running.join() { metrics.failed(&error) }`
    /// metrics.failed(&PipelineError::Sink(SinkError::Disconnected { sink: "feedback".into() }));
    /// let line = "neural_processing_errors_total{error_type=\"sink\",signal_type=\"any\",severity=\"critical\"} 1";
    /// assert!(metrics.text()?.contains(line));
    /// # Ok::<(), std::fmt::Error>(())
    /// ```
    pub fn failed(&self, error: &PipelineError) {
        let kind = match error {
            PipelineError::Panicked { .. } => "panic",
            PipelineError::Source { .. } => "source",
            PipelineError::Operator { .. } => "operator",
            PipelineError::Sink(_) => "sink",
            PipelineError::Restore { .. } | PipelineError::Checkpoint(_) | PipelineError::Suspend { .. } => {
                "checkpoint"
            }
            PipelineError::WorkerHung { .. } => "hang",
            _ => "pipeline",
        };
        self.error(kind, None, error.recovery().into());
    }
}
