//! The sink trait: where results leave a pipeline.

use std::io;
use std::sync::Arc;

use thiserror::Error;

use crate::model::{Positions, Recovery};
use crate::operator::Item;
use crate::resilience::{Clock, SystemClock};

/// A place for results. A pipeline opens it when it starts.
pub trait Sink: Send + Sync + 'static {
    /// What it takes.
    type Item: Item;
    /// What writes the items.
    type Writer: SinkWriter<Item = Self::Item>;

    /// What people call it, in errors and reports.
    fn name(&self) -> String;

    /// Where its writers run. Anything that may block belongs on a [`Placement::Thread`].
    fn placement(&self) -> Placement;

    /// Makes a writer: one for each worker where the sink is [`Placement::Inline`], else one for all.
    fn open(&self, context: &SinkContext) -> Result<Self::Writer, SinkError>;
}

/// What a sink is told when it is opened.
#[derive(Clone, Debug)]
pub struct SinkContext {
    /// The pipeline's clock, in whose nanoseconds [`arrival`](crate::model::WindowInfo::arrival) is told.
    pub clock: Arc<dyn Clock>,
    /// What the writer answered to the [`barrier`](SinkWriter::barrier) of the checkpoint that is restored. Everything
    /// written after that is written again: a sink that appends cuts off what lies beyond.
    pub from: Option<Positions>,
}

impl Default for SinkContext {
    /// A clock of its own, for sinks that are used without a pipeline.
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock::new()), from: None }
    }
}

/// Writes items, from one thread.
pub trait SinkWriter: Send + 'static {
    /// What it takes.
    type Item: Item;

    /// Takes out of `items` what it writes: all of them, if it answers `Ok`. Items of one stream arrive in the order of
    /// their windows.
    ///
    /// What it leaves in `items` with an error counts as skipped where the error says [`Recovery::Skip`], and is offered
    /// again, at most twice, where it says [`Recovery::Retry`].
    fn write(&mut self, items: &mut Vec<Self::Item>) -> Result<(), SinkError>;

    /// Items that were written and whose memory may be used for others: a writer that only looks at its items keeps them
    /// here instead of dropping them, and a pipeline in its stride allocates nothing for them.
    fn spent(&mut self) -> Option<&mut Vec<Self::Item>> {
        None
    }

    /// Makes durable what was written so far, which is exactly what checkpoint number `checkpoint` covers, and says how far
    /// that is. Only a sink on a [`Placement::Thread`] has its answer kept; one in line has nothing durable.
    fn barrier(&mut self, checkpoint: u64) -> Result<Positions, SinkError> {
        let _ = checkpoint;
        Ok(Positions::default())
    }

    /// Everything was written: flush, close, be durable.
    fn finish(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Where a sink's writers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// On the worker, in line with the operators: for writers that never block and take microseconds.
    Inline,
    /// On a thread of their own behind a queue.
    Thread {
        /// How many items the queue holds.
        capacity: usize,
        /// What happens when it is full.
        overflow: Overflow,
    },
}

/// What a bounded queue does when it is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The producer waits (a thread) or is held back (a worker stops taking input; it never blocks). Nothing is lost.
    Block,
    /// The oldest entry makes room; it is counted.
    DropOldest,
    /// The new entry is refused; it is counted.
    DropNewest,
}

/// Why a sink failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The file system or network said no.
    #[error("sink {sink}: cannot {action} {target}: {source}")]
    Io {
        /// Which sink.
        sink: String,
        /// What it was doing: `create`, `write`, `flush`.
        action: &'static str,
        /// The file or address.
        target: String,
        /// What the system said.
        source: io::Error,
    },
    /// The item does not fit what was written before.
    #[error("sink {sink}: {what}: expected {expected}, found {found}")]
    Layout {
        /// Which sink.
        sink: String,
        /// Which property.
        what: &'static str,
        /// What fits.
        expected: String,
        /// What came.
        found: String,
    },
    /// What a sink finds in its place is not what the checkpoint that the run goes on from left there.
    #[error(
        "sink {sink}: {target}: expected {expected}, found {found}; put back what the checkpoint left there, or start without the checkpoint"
    )]
    Position {
        /// Which sink.
        sink: String,
        /// The file or address.
        target: String,
        /// What the checkpoint left.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The other side is gone: a receiver was dropped, a peer has closed.
    #[error(
        "sink {sink}: the receiver is gone; keep it alive as long as the pipeline runs, or stop the pipeline first"
    )]
    Disconnected {
        /// Which sink.
        sink: String,
    },
}

impl SinkError {
    /// What to do after it.
    pub fn recovery(&self) -> Recovery {
        match self {
            // A network that is silent or away now may answer later.
            Self::Io { source, .. } if may_pass(source.kind()) => Recovery::Retry,
            Self::Layout { .. } => Recovery::Skip,
            Self::Io { .. } | Self::Position { .. } | Self::Disconnected { .. } => Recovery::Stop,
        }
    }
}

/// Whether what a system said may be otherwise the next time.
fn may_pass(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        kind,
        Kind::Interrupted
            | Kind::TimedOut
            | Kind::WouldBlock
            | Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::NotConnected
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
    )
}
