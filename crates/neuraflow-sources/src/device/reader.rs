//! The pipeline's side of a device.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use neuraflow_core::ingest::{Ingest, StreamSlot};
use neuraflow_core::model::{PacketBody, Positions, StreamHeader, StreamKey};
use neuraflow_core::source::{Polled, SourceError, SourceReader};

use super::journal::{Again, Backlog, Emitted, Keeper, wall};
use super::queue::{Body, Entry};
use super::shared::Shared;

/// A stream as its reader knows it.
struct Heard {
    key: StreamKey,
    /// None until its open is emitted, or it is resumed.
    slot: Option<StreamSlot>,
    /// Arrival of the latest samples.
    at: u64,
    /// Whether the next silence is worth a report.
    listening: bool,
}

pub(super) struct Reader {
    shared: Arc<Shared>,
    keeper: Option<Arc<Keeper>>,
    heard: Vec<Heard>,
    by_key: HashMap<StreamKey, usize>,
    /// Which of them the queue's numbers mean.
    numbers: Vec<usize>,
    stale_after: Option<u64>,
    /// Streams that a pipeline before was told of, and whether this one knows them, until they are taken up.
    told: Option<(Vec<StreamHeader>, bool)>,
    /// What the journal has to be read again.
    backlog: Option<Backlog>,
    resumed: bool,
    /// A stop was asked for.
    stopped: bool,
    /// How far ahead streams are, once the backlog was read.
    emitted: Emitted,
}

impl Reader {
    /// A reader that knows the streams the queue knows, in their order.
    pub(super) fn new(
        shared: Arc<Shared>,
        keeper: Option<Arc<Keeper>>,
        known: Vec<StreamHeader>,
        stale_after: Option<u64>,
    ) -> Self {
        let mut reader = Self {
            shared,
            keeper,
            heard: Vec::new(),
            by_key: HashMap::new(),
            numbers: Vec::new(),
            stale_after,
            told: None,
            backlog: None,
            resumed: false,
            stopped: false,
            emitted: Emitted::default(),
        };
        for header in known {
            let index = reader.hear(header.key);
            reader.numbers.push(index);
        }
        reader
    }

    /// What comes before the queue.
    pub(super) fn read_first(&mut self, backlog: Option<Backlog>) {
        self.backlog = backlog;
    }

    /// Streams that were opened before, and are not opened again.
    pub(super) fn take_up(&mut self, told: Vec<StreamHeader>, knows: bool) {
        self.told = Some((told, knows));
    }

    /// The stream's place among those that are heard.
    fn hear(&mut self, key: StreamKey) -> usize {
        let heard = &mut self.heard;
        *self.by_key.entry(key).or_insert_with(|| {
            heard.push(Heard { key, slot: None, at: 0, listening: false });
            heard.len() - 1
        })
    }

    fn opened(&mut self, index: usize, slot: StreamSlot, arrival: u64) {
        let Some(stream) = self.heard.get_mut(index) else { return };
        (stream.slot, stream.at, stream.listening) = (Some(slot), arrival, true);
    }

    fn emit(&mut self, entry: Entry, out: &mut Ingest) {
        out.set_arrival(entry.arrival);
        if let Body::Open(header) = entry.body {
            let index = self.hear(header.key);
            if self.numbers.len() <= entry.stream {
                self.numbers.resize(entry.stream + 1, index);
            }
            self.numbers[entry.stream] = index;
            let slot = out.open(*header);
            self.opened(index, slot, entry.arrival);
            return;
        }
        let Some(stream) = self.numbers.get(entry.stream).and_then(|index| self.heard.get_mut(*index)) else {
            return;
        };
        let Some(slot) = stream.slot else { return };
        match entry.body {
            Body::Samples { sequence, ref values, .. } => out.samples(slot, sequence, values),
            Body::Dropped { sequence, samples } => {
                out.dropped(slot, sequence, samples);
                if entry.place.end > 0 {
                    self.emitted.note(stream.key.stable_hash(), entry.place.end);
                }
            }
            Body::Marker(marker) => {
                out.marker(slot, marker);
                return;
            }
            Body::Control(control) => {
                out.control(slot, control);
                return;
            }
            Body::End { next } => {
                out.end(slot, Some(next));
                stream.listening = false;
                return;
            }
            Body::Open(_) => return,
        }
        (stream.at, stream.listening) = (entry.arrival, true);
    }

    /// Takes up what was opened before.
    fn emit_told(&mut self, now: u64, out: &mut Ingest) {
        if let Some((told, knows)) = self.told.take() {
            for header in told {
                let index = self.hear(header.key);
                let slot = if knows { out.resume(header) } else { out.open(header) };
                self.opened(index, slot, now);
            }
        }
    }

    /// Emits again what the journal has, up to about `budget` samples; whether that was all.
    fn emit_again(&mut self, now: u64, budget: usize, out: &mut Ingest) -> Result<bool, SourceError> {
        let Some(mut backlog) = self.backlog.take() else { return Ok(true) };
        if !std::mem::replace(&mut self.resumed, true) {
            for header in backlog.streams() {
                let (index, slot) = (self.hear(header.key), out.resume(header.clone()));
                self.opened(index, slot, now);
            }
        }
        let (present, mut spent) = (wall(), 0);
        while spent < budget.max(1) {
            let Some(Again { header, body, wall }) = backlog.next()? else {
                if let Some(journal) = &self.shared.journal {
                    journal.count(backlog.counts);
                }
                self.emitted = backlog.into_emitted();
                return Ok(true);
            };
            spent += match &body {
                PacketBody::Samples { values, .. } => values.len() / header.channels.len().max(1),
                _ => 1,
            };
            let index = self.hear(header.key);
            let Some(stream) = self.heard.get_mut(index) else { continue };
            // It is as old as it was, whichever process took it: what is old must not drive anything.
            out.set_arrival(now.saturating_sub(present.saturating_sub(wall)));
            let slot = match (&body, stream.slot) {
                (PacketBody::Open(_), _) | (_, None) => out.open(header),
                (_, Some(slot)) => slot,
            };
            (stream.slot, stream.at) = (Some(slot), now);
            stream.listening = !matches!(body, PacketBody::End { .. } | PacketBody::Silent);
            match body {
                PacketBody::Samples { sequence, values } => out.samples(slot, sequence, &values),
                PacketBody::Marker(marker) => out.marker(slot, marker),
                PacketBody::Dropped { sequence, samples } => out.dropped(slot, sequence, samples),
                PacketBody::Silent => out.silent(slot),
                PacketBody::End { next } => out.end(slot, next),
                PacketBody::Control(control) => out.control(slot, control),
                _ => {}
            }
        }
        if let Some(journal) = &self.shared.journal {
            journal.count(backlog.counts);
        }
        self.backlog = Some(backlog);
        Ok(false)
    }

    /// Reports streams that fell silent; when the next one would, in nanoseconds from `now`.
    fn listen(&mut self, now: u64, out: &mut Ingest) -> Option<u64> {
        let patience = self.stale_after?;
        let mut state = self.shared.lock();
        if !state.queue.is_empty() || state.writing {
            // Something comes, before which a silence would have to be written down.
            return Some(1_000_000);
        }
        let mut next = None;
        for stream in self.heard.iter_mut().filter(|stream| stream.listening) {
            match (stream.at.saturating_add(patience).checked_sub(now), stream.slot) {
                (None | Some(0), Some(slot)) => {
                    out.silent(slot);
                    stream.listening = false;
                    if self.shared.journal.is_some() {
                        state.silences.push((stream.key.stable_hash(), wall()));
                        state.queue.silent();
                    }
                }
                (Some(wait), _) => next = Some(next.map_or(wait, |next: u64| next.min(wait))),
                (None, None) => {}
            }
        }
        next
    }
}

impl SourceReader for Reader {
    fn poll(&mut self, out: &mut Ingest, budget: usize) -> Result<Polled, SourceError> {
        let now = out.arrival();
        self.emit_told(now, out);
        let all = self.emit_again(now, budget, out)?;
        out.set_arrival(now);
        if !all {
            return Ok(Polled::Ready);
        }
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

    fn positions(&self) -> Option<Positions> {
        self.shared.journal.as_ref()?;
        if let Some(backlog) = &self.backlog {
            return Some(backlog.emitted().positions());
        }
        let all = self.shared.lock().queue.emitted();
        Some(Emitted { all, ahead: self.emitted.ahead.clone() }.positions())
    }

    fn committed(&mut self, positions: &Positions) {
        if let (Some(keeper), Some(all)) = (&self.keeper, Emitted::all_in(positions)) {
            keeper.passed(all);
        }
        let all = self.shared.lock().queue.emitted();
        self.emitted.ahead.retain(|_, end| *end > all);
    }

    fn stopped(&mut self) {
        self.stopped = true;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // What a journal holds outlives a stop.
        self.shared.reader_gone(self.stopped && self.shared.journal.is_none());
    }
}
