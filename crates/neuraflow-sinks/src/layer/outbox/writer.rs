//! What the pipeline writes into.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use bincode::Options;
use neuraflow_core::model::Positions;
use neuraflow_core::resilience::Clock;
use neuraflow_core::sink::{Sink, SinkError, SinkWriter};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::config::OutboxConfig;
use super::desk::{Desk, NAP, nanos};
use super::{END, NAME, frame, io_error, options};

/// Writes into an [`Outbox`](super::Outbox).
pub struct OutboxWriter<S: Sink> {
    pub(super) desk: Arc<Desk<S::Item>>,
    pub(super) thread: Option<JoinHandle<()>>,
    pub(super) config: OutboxConfig,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) dir: PathBuf,
    /// Empty between two writes, for the memory that it has.
    pub(super) encoded: Encoded<S::Item>,
}

impl<S: Sink> fmt::Debug for OutboxWriter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboxWriter").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// Bytes of memory that are kept for the next write.
const KEPT: usize = 4 << 20;

/// Items, and the same encoded one after another.
pub(super) struct Encoded<T> {
    items: Vec<T>,
    bytes: Vec<u8>,
    /// Where the bytes of each end.
    ends: Vec<usize>,
}

impl<T> Encoded<T> {
    pub(super) fn new() -> Self {
        Self { items: Vec::new(), bytes: Vec::new(), ends: Vec::new() }
    }

    fn clear(&mut self) {
        self.items.clear();
        self.ends.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
    }
}

impl<T: Serialize> Encoded<T> {
    /// Adds an item, or gives it back with the reason why it cannot be encoded.
    fn add(&mut self, item: T) -> Result<(), (T, String)> {
        let begin = self.bytes.len();
        // Without the limit, which would cost a pass of its own over every item.
        let encoded = options().with_no_limit().serialize_into(&mut self.bytes, &item);
        let found = match encoded {
            Ok(()) if self.bytes.len() - begin <= frame::LIMIT => {
                self.ends.push(self.bytes.len());
                self.items.push(item);
                return Ok(());
            }
            Ok(()) => format!("{} bytes", self.bytes.len() - begin),
            Err(error) => error.to_string(),
        };
        self.bytes.truncate(begin);
        Err((item, found))
    }

    fn payloads(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| &self.bytes[begin..*end])
    }
}

impl<S: Sink> OutboxWriter<S>
where
    S::Item: Serialize,
{
    /// Appends what is encoded, once there is room, and empties it.
    fn append(&self, encoded: &mut Encoded<S::Item>) -> Result<(), SinkError> {
        let mut inside = self.desk.lock();
        loop {
            let waiting = inside.log.end() - inside.log.passed();
            if waiting == 0 || waiting + encoded.bytes.len() as u64 <= self.config.max_bytes {
                break;
            }
            inside = self.desk.wait(inside, NAP);
        }
        let begin = inside.log.end();
        let written = inside.log.append(encoded.payloads());
        if written.is_ok() {
            // A frame is its payload and what is before it.
            let ends = encoded
                .ends
                .iter()
                .zip(1..)
                .map(|(end, frames)| begin + (end + frames * frame::PREFIX) as u64);
            inside.fresh.push(begin, ends.zip(encoded.items.drain(..)));
            encoded.clear();
        }
        self.desk.tell(&inside, self.clock.now());
        drop(inside);
        self.desk.changed.notify_all();
        written.map_err(|error| io_error("write", &self.dir, error))
    }
}

impl<S: Sink> OutboxWriter<S> {
    fn sync(&self) -> Result<u64, SinkError> {
        self.desk.sync().map_err(|error| io_error("flush", &self.dir, error))
    }

    fn stop(&mut self) {
        self.desk.lock().stop = true;
        self.desk.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it catches the panics of the sink behind, and has none of its own
        }
    }
}

impl<S: Sink> SinkWriter for OutboxWriter<S>
where
    S::Item: Serialize + DeserializeOwned,
{
    type Item = S::Item;

    fn write(&mut self, items: &mut Vec<S::Item>) -> Result<(), SinkError> {
        let mut encoded = std::mem::replace(&mut self.encoded, Encoded::new());
        let (mut wrong, mut too_long) = (Vec::new(), None);
        let mut all = std::mem::take(items).into_iter();
        let written = loop {
            let next = all.next();
            let ended = next.is_none();
            if let Some(Err((item, reason))) = next.map(|item| encoded.add(item)) {
                wrong.push(item);
                too_long = Some(reason);
            }
            if ended || encoded.bytes.len() as u64 >= self.config.segment_bytes {
                let written = self.append(&mut encoded);
                if ended || written.is_err() {
                    break written;
                }
            }
        };
        // What is not in the log: nothing else is given again.
        wrong.append(&mut encoded.items);
        wrong.extend(all);
        encoded.clear();
        self.encoded = encoded;
        *items = wrong;
        written?;
        too_long.map_or(Ok(()), |found| {
            let (what, expected) = ("item", format!("at most {} bytes", frame::LIMIT));
            Err(SinkError::Layout { sink: NAME.into(), what, expected, found })
        })
    }

    fn barrier(&mut self, _: u64) -> Result<Positions, SinkError> {
        let mut positions = Positions::default();
        positions.set(END, self.sync()?);
        Ok(positions)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.sync()?;
        let until = self.clock.now().saturating_add(nanos(self.config.linger));
        let mut inside = self.desk.lock();
        while inside.log.passed() < inside.log.end() && self.clock.now() < until {
            inside = self.desk.wait(inside, NAP);
        }
        let left = inside.log.end() - inside.log.passed();
        drop(inside);
        if left > 0 {
            tracing::warn!(bytes = left, outbox = %self.dir.display(), "left in the outbox, for the next run to hand on");
        }
        self.stop();
        Ok(())
    }
}

impl<S: Sink> Drop for OutboxWriter<S> {
    fn drop(&mut self) {
        self.stop();
    }
}
