//! The source trait: where packets enter a pipeline.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::ingest::Ingest;
use crate::model::{Positions, Recovery, StreamHeader, StreamKey};
use crate::resilience::Clock;

/// Where packets come from. A pipeline opens it on every worker.
pub trait Source: Send + Sync + 'static {
    /// What people call it, in errors and reports.
    fn name(&self) -> String;

    /// The streams it is known to bring, so that `build()` can check the graph against them. Others may follow.
    fn streams(&self) -> Vec<StreamHeader>;

    /// Makes a worker's reader, or `None` where this worker has nothing to read. A stream enters through one
    /// reader only: its packets would lose their order otherwise.
    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError>;
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        (**self).streams()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        (**self).open(context)
    }
}

/// What a source is told when a worker opens it.
#[derive(Clone, Debug)]
pub struct SourceContext {
    /// The worker that will poll the reader.
    pub worker: usize,
    /// How many workers there are.
    pub workers: usize,
    /// Wakes that worker, from any thread.
    pub waker: Waker,
    /// The pipeline's clock; arrivals are stamped with it.
    pub clock: Arc<dyn Clock>,
    /// Where reading goes on, if a checkpoint is restored: what all of this source's readers had emitted then. A reader picks
    /// what it is responsible for; a part that is not named there is read from its beginning.
    pub from: Option<Positions>,
}

impl SourceContext {
    /// Whether a stream is computed on this worker, however it comes in. A source that may choose reads it here: what is read on
    /// another worker moves from one core's caches to the other's.
    pub fn owns(&self, stream: &StreamKey) -> bool {
        stream.worker(self.workers) == self.worker
    }
}

/// Reads packets on a worker's thread. It never blocks.
pub trait SourceReader {
    /// Puts up to about `budget` samples into `out` and says when to be asked again.
    fn poll(&mut self, out: &mut Ingest, budget: usize) -> Result<Polled, SourceError>;

    /// How far it is: opened from here, a reader emits exactly what this one has not emitted yet. Asked between two polls.
    /// `None` if it cannot read anything again, as a device cannot.
    ///
    /// A stream that was opened before is taken up with [`Ingest::resume`], which is no packet, and not opened again.
    fn positions(&self) -> Option<Positions> {
        None
    }

    /// No checkpoint that is still kept goes back behind these positions of the source, all its readers together: whatever
    /// was held to be read again up to there may be let go. Told between two polls; it never blocks. By default nothing is held.
    fn committed(&mut self, positions: &Positions) {
        let _ = positions;
    }

    /// A stop was asked for: this reader is not polled any more, and none is opened after it. One that is dropped without having
    /// been told may be followed by another, where a supervisor starts the pipeline again. By default nothing comes of it.
    fn stopped(&mut self) {}
}

/// When a reader wants to be polled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// At once: there is more.
    Ready,
    /// After this time (a replay that keeps pace), or when woken.
    After(Duration),
    /// When woken.
    Idle,
    /// Never: everything was read.
    Ended,
}

/// Wakes the worker that polls a source, from any thread. Cheap when the wake is already pending.
#[derive(Clone)]
pub struct Waker(Arc<dyn Fn() + Send + Sync>);

impl Waker {
    /// A waker that calls `wake`.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    /// Asks for a poll soon.
    pub fn wake(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}

/// Why a source could not be opened or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The file system or network said no.
    #[error("cannot {action} {target}: {source}")]
    Io {
        /// What it was doing: `open`, `read`.
        action: &'static str,
        /// The file or address.
        target: String,
        /// What the system said.
        source: io::Error,
    },
    /// What was read is not what it should be.
    #[error("{target}: {field}: expected {expected}, found {found}")]
    Malformed {
        /// The file or address.
        target: String,
        /// Which part of it.
        field: String,
        /// What would have been accepted.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Nothing here reads this format.
    #[error("{target}: no reader for {found} yet; readable: {readable}")]
    UnsupportedFormat {
        /// The file.
        target: String,
        /// What its first bytes look like.
        found: String,
        /// What can be read.
        readable: &'static str,
    },
    /// Where reading was to go on, there is nothing any more: what lies between is lost.
    #[error(
        "{target}: expected the record at {wanted}, found {found}; what is between is lost: restore it, or begin without the checkpoint"
    )]
    DataLoss {
        /// The part of the source.
        target: String,
        /// The place of the record that was to be read.
        wanted: u64,
        /// What is there instead.
        found: String,
    },
    /// A setting does not make sense.
    #[error("{setting}: expected {expected}, found {found}")]
    Setting {
        /// Which setting.
        setting: &'static str,
        /// What would be accepted.
        expected: String,
        /// What was given.
        found: String,
    },
}

impl SourceError {
    /// What to do after it.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::Interrupted => Recovery::Retry,
            _ => Recovery::Stop,
        }
    }
}
