//! The pipeline's side of a device.

use std::sync::Arc;
use std::time::Duration;

use neuraflow_core::ingest::{Ingest, StreamSlot};
use neuraflow_core::model::{Span, StreamHeader};
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader};

use super::DeviceConfig;
use super::queue::{Body, Entry};
use super::shared::{Shared, Side};

/// What a pipeline reads of a device. Read by worker 0, once.
#[derive(Debug)]
pub struct DeviceSource {
    shared: Arc<Shared>,
    config: DeviceConfig,
}

impl DeviceSource {
    pub(super) fn new(shared: Arc<Shared>, config: DeviceConfig) -> Self {
        Self { shared, config }
    }
}

impl Source for DeviceSource {
    fn name(&self) -> String {
        "device".into()
    }

    /// The streams that were opened before the pipeline was built.
    fn streams(&self) -> Vec<StreamHeader> {
        self.shared.lock().queue.headers()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        if context.worker != 0 {
            return Ok(None);
        }
        let wrong = |setting, expected: &str, found| SourceError::Setting {
            setting,
            expected: expected.into(),
            found,
        };
        if self.config.capacity == 0 {
            return Err(wrong("device capacity", "at least 1 sample", "0".into()));
        }
        let stale_after = match self.config.stale_after.map(Span::as_nanos) {
            None => None,
            Some(nanos) if nanos > 0 => Some(nanos.unsigned_abs()),
            Some(nanos) => {
                return Err(wrong("device stale_after", "more than 0, or None", format!("{nanos} ns")));
            }
        };
        let mut state = self.shared.lock();
        if state.side != Side::Waiting {
            return Err(wrong(
                "device source",
                "to be opened by one pipeline; make a new device::channel for another",
                "a second pipeline".into(),
            ));
        }
        state.side = Side::Reading;
        state.queue.stamp(context.clock.now());
        state.reader = Some((context.waker, context.clock));
        drop(state);
        Ok(Some(Box::new(Reader { shared: Arc::clone(&self.shared), streams: Vec::new(), stale_after })))
    }
}

impl Drop for DeviceSource {
    fn drop(&mut self) {
        if self.shared.lock().side == Side::Waiting {
            self.shared.disconnect();
        }
    }
}

/// A stream as its reader knows it.
struct Heard {
    slot: StreamSlot,
    /// Arrival of the latest samples.
    at: u64,
    /// Whether the next silence is worth a report.
    listening: bool,
}

struct Reader {
    shared: Arc<Shared>,
    /// By the number that the queue gave them; each begins with its open.
    streams: Vec<Heard>,
    stale_after: Option<u64>,
}

impl Reader {
    fn emit(&mut self, entry: Entry, out: &mut Ingest) {
        out.set_arrival(entry.arrival);
        if let Body::Open(header) = entry.body {
            let heard = Heard { slot: out.open(*header), at: entry.arrival, listening: true };
            match self.streams.get_mut(entry.stream) {
                Some(stream) => *stream = heard,
                None => self.streams.push(heard),
            }
            return;
        }
        let Some(stream) = self.streams.get_mut(entry.stream) else { return };
        match entry.body {
            Body::Samples { sequence, ref values, .. } => out.samples(stream.slot, sequence, values),
            Body::Dropped { sequence, samples } => out.dropped(stream.slot, sequence, samples),
            Body::Marker(marker) => {
                out.marker(stream.slot, marker);
                return;
            }
            Body::End { next } => {
                out.end(stream.slot, Some(next));
                stream.listening = false;
                return;
            }
            Body::Open(_) => return,
        }
        (stream.at, stream.listening) = (entry.arrival, true);
    }

    /// Reports streams that fell silent; when the next one would, in nanoseconds from `now`.
    fn listen(&mut self, now: u64, out: &mut Ingest) -> Option<u64> {
        let patience = self.stale_after?;
        let mut next = None;
        for stream in self.streams.iter_mut().filter(|stream| stream.listening) {
            match stream.at.saturating_add(patience).checked_sub(now) {
                None | Some(0) => {
                    out.silent(stream.slot);
                    stream.listening = false;
                }
                Some(wait) => next = Some(next.map_or(wait, |next: u64| next.min(wait))),
            }
        }
        next
    }
}

impl SourceReader for Reader {
    fn poll(&mut self, out: &mut Ingest, budget: usize) -> Result<Polled, SourceError> {
        let now = out.arrival();
        let mut state = self.shared.lock();
        state.waking = false;
        let (mut batch, mut spent, mut freed) = (Vec::new(), 0, false);
        while spent < budget.max(1) as u64
            && let Some(entry) = state.queue.pop()
        {
            spent += match entry.body {
                Body::Samples { samples, .. } => {
                    freed = true;
                    samples
                }
                _ => 1,
            };
            batch.push(entry);
        }
        let (more, closed) = (!state.queue.is_empty(), state.closed);
        if freed {
            self.shared.made_room(state);
        } else {
            drop(state);
        }
        batch.into_iter().for_each(|entry| self.emit(entry, out));
        out.set_arrival(now);
        if more {
            return Ok(Polled::Ready);
        }
        if closed {
            return Ok(Polled::Ended);
        }
        Ok(self.listen(now, out).map_or(Polled::Idle, |wait| Polled::After(Duration::from_nanos(wait))))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.disconnect();
    }
}
