//! An outbox: results wait on the disk until the sink behind takes them.
//!
//! | file | its story |
//! |---|---|
//! | `frame` | what tells a whole record from everything else |
//! | `log`, `reader` | the segments on the disk, how much of them was handed on, and what comes next |
//! | `gather` | what is handed on next, read while the last is written |
//! | `fresh` | what need not be read, since it was written just now |
//! | `drain` | the thread that hands on, backs off, and asks the breaker |
//! | `lane`, `hand` | what is handed on side by side, and through what |
//! | `refused` | what the sink behind will never take |
//! | `writer`, `desk` | what the pipeline writes into, and what it shares with that thread |
//! | `watch` | what others may know of it |

mod config;
mod desk;
mod drain;
mod frame;
mod fresh;
mod gather;
mod hand;
mod lane;
mod log;
mod reader;
mod refused;
mod watch;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use bincode::Options;
use neuraflow_core::sink::{Overflow, Placement, Sink, SinkContext, SinkError};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use config::OutboxConfig;
pub use watch::{OutboxStats, OutboxWatch};
pub use writer::OutboxWriter;

use desk::{Desk, Inside};
use drain::Drain;
use fresh::Fresh;
use log::Log;
use refused::Refused;
use writer::Encoded;

/// Items that wait for the disk before the pipeline is held back.
const QUEUE: usize = 4_096;
/// What the positions call the end of the log.
const END: &str = "outbox";

const NAME: &str = "outbox";

/// A sink in front of another: what it takes is written to files in a folder, and handed on from there in order. While the sink
/// behind is away, results wait on the disk; after a crash or a stop they are handed on by the next run.
///
/// - With checkpoints, what is in the outbox is exactly what the pipeline computed: a restart cuts off what lies beyond the
///   checkpoint, and it is computed again.
/// - The sink behind may be given something again: after a crash, and after a write of which it is not known how far it came. It must
///   write the same thing to the same place, as a table with keys does; files that only grow do not.
/// - Several writes may be under way at the same time ([`OutboxConfig::concurrency`]), each through a writer of its own. The items
///   of one stream are handed on in their order.
/// - Where a batch is refused for good ([`Recovery::Skip`](neuraflow_core::model::Recovery::Skip)), what was not written of it is
///   counted, and kept in the folder `refused` beside it: [`refused`](Self::refused) reads it. So is an item on which the sink
///   behind panics three times in a row, alone, and what another release or another pipeline has left in the folder.
/// - What it hands on counts as taken once the sink behind has answered a barrier too.
/// - A write of the sink behind that never returns is waited for, at the end as well: put a [`Timeout`](super::Timeout) around it.
/// - A pipeline whose outbox is full ends only once there is room, whether it is stopped or has failed.
///
/// ```
/// use neuraflow_core::model::Features;
/// use neuraflow_sinks::Callback;
/// use neuraflow_sinks::layer::{Outbox, OutboxConfig};
/// # let scratch = neuraflow_core::testing::Scratch::new()?;
/// # let folder = scratch.file("outbox");
/// let table = Callback::new(|features: &Features| println!("{:?}", features.info.start));
/// let sink = Outbox::new(table, folder, OutboxConfig::default())?;
/// let watch = sink.watch(); // how much waits, and for how long
/// assert_eq!(watch.stats().waiting_bytes, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Outbox<S> {
    inner: Arc<S>,
    dir: PathBuf,
    config: OutboxConfig,
    watch: OutboxWatch,
}

impl<S: Sink> Outbox<S>
where
    S::Item: Serialize + DeserializeOwned,
{
    /// In front of `inner`, with its files in the folder `dir`, which no other outbox uses.
    ///
    /// # Errors
    /// A setting makes no sense.
    pub fn new(inner: S, dir: impl AsRef<Path>, config: OutboxConfig) -> Result<Self, SinkError> {
        config.check()?;
        let watch = OutboxWatch::default();
        Ok(Self { inner: Arc::new(inner), dir: dir.as_ref().to_owned(), config, watch })
    }

    /// Looks on, from any thread.
    pub fn watch(&self) -> OutboxWatch {
        self.watch.clone()
    }

    /// What the sink behind an outbox in the folder `dir` refused, the oldest first. Not while the outbox is open.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn refused(dir: impl AsRef<Path>) -> io::Result<Vec<S::Item>> {
        Refused::read(dir.as_ref())
    }
}

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_fixint_encoding().with_little_endian().with_limit(frame::LIMIT as u64)
}

impl<S: Sink> Sink for Outbox<S>
where
    S::Item: Serialize + DeserializeOwned,
{
    type Item = S::Item;
    type Writer = OutboxWriter<S>;

    fn name(&self) -> String {
        format!("{NAME} {} of {}", self.dir.display(), self.inner.name())
    }

    fn placement(&self) -> Placement {
        Placement::Thread { capacity: QUEUE, overflow: Overflow::Block }
    }

    fn open(&self, context: &SinkContext) -> Result<OutboxWriter<S>, SinkError> {
        let until = context.from.as_ref().and_then(|from| from.get(END));
        let failed = |action, source| io_error(action, &self.dir, source);
        let log = Log::open(&self.dir, self.config.segment_bytes, until).map_err(|error| match until {
            Some(until) if error.kind() == io::ErrorKind::UnexpectedEof => SinkError::Position {
                sink: NAME.into(),
                target: self.dir.display().to_string(),
                expected: format!("what the checkpoint left there, {until} bytes"),
                found: error.to_string(),
            },
            _ => failed("open", error),
        })?;
        let refused =
            Refused::open(&self.dir, self.config.max_refused_bytes).map_err(|e| failed("open", e))?;
        let clock = Arc::clone(&context.clock);
        let desk = Arc::new(Desk {
            inside: Mutex::new(Inside {
                log,
                fresh: Fresh::new(self.config.round_bytes as u64),
                stop: false,
            }),
            changed: Condvar::new(),
            watch: self.watch.clone(),
        });
        desk.watch.begin(&clock);
        desk.tell(&desk.lock(), clock.now());
        let drain = Drain::new(Arc::clone(&self.inner), self.config, Arc::clone(&desk), refused, context);
        let thread = std::thread::Builder::new().name(NAME.to_owned()).spawn(move || drain.run());
        let thread = Some(thread.map_err(|error| failed("start a thread for", error))?);
        Ok(OutboxWriter {
            desk,
            thread,
            config: self.config,
            clock,
            dir: self.dir.clone(),
            encoded: Encoded::new(),
        })
    }
}

fn io_error(action: &'static str, dir: &Path, source: io::Error) -> SinkError {
    SinkError::Io { sink: NAME.into(), action, target: dir.display().to_string(), source }
}
