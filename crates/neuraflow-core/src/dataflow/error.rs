//! What can go wrong while building or running a pipeline.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::cluster::ClusterError;
use crate::checkpoint::{CheckpointError, RestoreError};
use crate::model::{Recovery, Span};
use crate::operator::{Latency, OperatorError};
use crate::sink::SinkError;
use crate::source::SourceError;
use crate::window::WindowError;

/// Why a pipeline could not be built. Names the stage, what it expected and what it found.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// An operator refused a stream that the sources announce.
    #[error("{stage}, stream {stream}: {source}")]
    Stage {
        /// Position and type of the operator.
        stage: Arc<str>,
        /// Name of the stream.
        stream: String,
        /// Its reason.
        source: OperatorError,
    },
    /// A window that cannot be laid over the stream.
    #[error("{stage}, stream {stream}: {source}")]
    Window {
        /// Position of the window.
        stage: Arc<str>,
        /// Name of the stream.
        stream: String,
        /// The reason.
        source: WindowError,
    },
    /// Two sources bring the same stream.
    #[error(
        "stream {stream}: expected one source, found it in {first} and {second}; give them different session or device ids"
    )]
    DuplicateStream {
        /// Name of the stream.
        stream: String,
        /// One source.
        first: String,
        /// The other.
        second: String,
    },
    /// A setting that belongs directly after the source, or is out of range.
    #[error("{setting}: expected {expected}, found {found}")]
    Setting {
        /// Which setting.
        setting: &'static str,
        /// What would be accepted.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// The latency contracts add up to more than the budget.
    #[error("{stage}: expected at most {} ms of group delay and look-ahead, found {} ms; use shorter filters or raise the budget", budget.as_millis_f64(), found.as_millis_f64())]
    OverBudget {
        /// Where the sum passed the budget.
        stage: Arc<str>,
        /// The budget.
        budget: Span,
        /// The sum.
        found: Span,
    },
}

/// Why a stream's state does not fit the pipeline that would go on from it. Names the stage, what it expected and what it found.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RestoreFault {
    /// The state at this place was written by another stage.
    #[error(
        "{stage}: expected its own state, found that of {found}; restore it with the graph that wrote it, or give a migration"
    )]
    Stage {
        /// Which stage of this graph.
        stage: Arc<str>,
        /// Whose state is there.
        found: String,
    },
    /// The operator was designed anew: its latency contract is another one.
    #[error(
        "{stage}: expected the latency contract {expected:?}, found {found:?}; restore it with the settings that wrote it, or give a migration"
    )]
    Contract {
        /// Which stage.
        stage: Arc<str>,
        /// Its contract now.
        expected: Latency,
        /// Its contract when the state was written.
        found: Latency,
    },
    /// The state could not be written or taken back.
    #[error("{stage}: {source}")]
    State {
        /// Which stage.
        stage: Arc<str>,
        /// The reason.
        source: RestoreError,
    },
    /// The state of a stage that this graph does not have.
    #[error(
        "{stage}: expected the end of the state, found this stage's; restore it with the graph that wrote it, or give a migration"
    )]
    LeftOver {
        /// Which stage.
        stage: String,
    },
    /// The windows lie elsewhere, or the stream is described in another way than its own header does.
    #[error(
        "stream: expected the grid of this graph's windows and the channels of the stream's header, found others; restore it with the origin and the hops that wrote it, or give a migration"
    )]
    Grid,
    /// The graph refuses the stream now.
    #[error(transparent)]
    Refused(#[from] BuildError),
}

/// Why a pipeline stopped before its input ended.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// An operator, source or sink panicked. All workers were stopped.
    #[error("{place} panicked: {message}; this is a bug in an operator, source or sink")]
    Panicked {
        /// Which thread: `worker 1`, `sink csv`.
        place: String,
        /// What the panic said.
        message: String,
    },
    /// A source could not be opened or read.
    #[error("source {name}: {source}")]
    Source {
        /// Which source.
        name: String,
        /// The reason.
        source: SourceError,
    },
    /// An operator failed in a way it cannot go on from.
    #[error("{stage}, stream {stream}: {source}")]
    Operator {
        /// Position and type of the operator.
        stage: Arc<str>,
        /// Name of the stream.
        stream: String,
        /// The reason.
        source: OperatorError,
    },
    /// A sink failed.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A stream could not go on from its state in the checkpoint.
    #[error("stream {stream}: {source}")]
    Restore {
        /// Name of the stream.
        stream: String,
        /// The reason.
        source: Box<RestoreFault>,
    },
    /// Checkpoints could not be read, or another process has taken them over.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The pipeline was to be left at a checkpoint, and that was not to be had.
    #[error(
        "the last checkpoint could not be made in {tries} tries: {reason}; the one before is whole, and a restart goes on from it"
    )]
    Suspend {
        /// How often it was tried.
        tries: u32,
        /// What went wrong the last time.
        reason: String,
    },
    /// A worker has been at one activation of an operator for longer than the watchdog allows. The other workers were stopped; the
    /// one that hangs is left alone.
    #[error(
        "worker {worker} hangs: it has been at one thing for {time:?}; end the process, and go on from the last checkpoint in a new one"
    )]
    WorkerHung {
        /// Which worker.
        worker: usize,
        /// For how long, by the pipeline's clock.
        time: Duration,
    },
    /// Several processes do not, or no longer, run the pipeline together.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The operating system gave no threads.
    #[error("cannot start {workers} worker threads: {reason}")]
    Spawn {
        /// How many were asked for.
        workers: usize,
        /// What the system said.
        reason: String,
    },
}

impl PipelineError {
    /// What to do after it: a pipeline that has failed is over, but starting it again may help.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Source { source, .. } => source.recovery(),
            Self::Sink(error) => error.recovery(),
            Self::Checkpoint(error) => error.recovery(),
            Self::Cluster(error) => error.recovery(),
            Self::Suspend { .. } => Recovery::Retry,
            Self::Panicked { .. }
            | Self::Operator { .. }
            | Self::Spawn { .. }
            | Self::Restore { .. }
            | Self::WorkerHung { .. } => Recovery::Stop,
        }
    }

    /// Whether a run from the last checkpoint may fare better.
    pub(super) fn may_be_retried(&self) -> bool {
        match self {
            Self::Restore { .. } | Self::WorkerHung { .. } | Self::Suspend { .. } => false,
            Self::Checkpoint(error) => error.recovery() == Recovery::Retry,
            _ => true,
        }
    }
}
