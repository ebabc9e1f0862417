//! What the pipeline writes into.

use std::marker::PhantomData;
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
#[derive(Debug)]
pub struct OutboxWriter<S> {
    pub(super) desk: Arc<Desk>,
    pub(super) thread: Option<JoinHandle<()>>,
    pub(super) config: OutboxConfig,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) dir: PathBuf,
    pub(super) inner: PhantomData<fn(S)>,
}

impl<S> OutboxWriter<S> {
    /// Appends what is encoded, once there is room.
    fn append(&self, payloads: &[Vec<u8>]) -> Result<(), SinkError> {
        let bytes = payloads.iter().map(|payload| payload.len() as u64).sum::<u64>();
        let mut inside = self.desk.lock();
        loop {
            let waiting = inside.log.end() - inside.log.passed();
            if waiting == 0 || waiting + bytes <= self.config.max_bytes {
                break;
            }
            inside = self.desk.wait(inside, NAP);
        }
        let written = inside.log.append(payloads.iter().map(Vec::as_slice));
        self.desk.tell(&inside, self.clock.now());
        drop(inside);
        self.desk.changed.notify_all();
        written.map_err(|error| io_error("write", &self.dir, error))
    }

    fn sync(&self) -> Result<u64, SinkError> {
        let mut inside = self.desk.lock();
        inside.log.sync().map_err(|error| io_error("flush", &self.dir, error))?;
        Ok(inside.log.end())
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
        let (mut payloads, mut bytes, mut too_long) = (Vec::new(), 0, None);
        let mut wrong = Vec::new();
        for item in items.iter() {
            let payload = options().serialize(item);
            wrong.push(payload.is_err());
            match payload {
                Ok(payload) => {
                    bytes += payload.len() as u64;
                    payloads.push(payload);
                    if bytes >= self.config.segment_bytes {
                        self.append(&payloads)?;
                        (payloads, bytes) = (Vec::new(), 0);
                    }
                }
                Err(error) => too_long = Some(error),
            }
        }
        self.append(&payloads)?;
        let mut wrong = wrong.into_iter();
        items.retain(|_| wrong.next() == Some(true));
        too_long.map_or(Ok(()), |error| {
            let (what, expected) = ("item", format!("at most {} bytes", frame::LIMIT));
            Err(SinkError::Layout { sink: NAME.into(), what, expected, found: error.to_string() })
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

impl<S> Drop for OutboxWriter<S> {
    fn drop(&mut self) {
        self.stop();
    }
}
