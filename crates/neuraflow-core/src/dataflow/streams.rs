//! The streams of one worker: which there are, and what happens to them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::ahead;
use super::books::{Refused, Seat, Slot};
use super::capture::Capture;
use super::chain::Work;
use super::graph::Graph;
use super::items::{LateSamples, StreamControl};
use super::outbox::{Outbox, Outboxes};
use super::report::StreamReport;
use super::shared::Shared;
use super::stream::Workspace;
use super::watch::INTERVAL;
use crate::ingest::{Entry, EntryBody, Slab, StreamId};
use crate::model::{StreamHeader, StreamKey};

/// All streams of one worker.
pub(super) struct Streams {
    pub(super) graph: Arc<Graph>,
    pub(super) outboxes: Rc<Outboxes>,
    pub(super) shared: Arc<Shared>,
    pub(super) late: Option<Rc<RefCell<Outbox<LateSamples>>>>,
    pub(super) controls: Option<Rc<RefCell<Outbox<StreamControl>>>>,
    /// Where the reports are left at the end.
    reports: Rc<RefCell<Vec<StreamReport>>>,
    /// By reader, then by slot. After the readers come those that were restored and that no reader has taken up yet.
    pub(super) seats: Vec<Vec<Option<Seat>>>,
    /// Which reader a key entered through.
    pub(super) owners: BTreeMap<StreamKey, StreamId>,
    /// What checkpoints need, if there are any.
    pub(super) capture: Option<Capture>,
    /// Lent to the stream whose turn it is.
    space: Workspace,
    /// Since they were last published.
    samples: u64,
    windows: u64,
    /// When the slab being processed was taken up.
    taken: u64,
    /// Of this activation: how long a packet waited, when it was taken up, and how many windows it closed.
    timings: Vec<(u64, u64, u64)>,
    /// Streams whose state is not on the board yet, and when the board was last written.
    untold: BTreeSet<StreamId>,
    told: u64,
    /// Latest arrival seen: the one that the end of the input is stamped with.
    arrival: u64,
}

impl Streams {
    pub(super) fn new(
        graph: Arc<Graph>,
        outboxes: Rc<Outboxes>,
        shared: Arc<Shared>,
        reports: Rc<RefCell<Vec<StreamReport>>>,
        capture: Option<Capture>,
    ) -> Self {
        let late = graph.late.map(|outlet| outboxes.of::<LateSamples>(outlet));
        let controls = graph.controls.map(|outlet| outboxes.of::<StreamControl>(outlet));
        Self {
            graph,
            outboxes,
            shared,
            late,
            controls,
            reports,
            seats: Vec::new(),
            owners: BTreeMap::new(),
            capture,
            space: Workspace::default(),
            samples: 0,
            windows: 0,
            taken: 0,
            timings: Vec::new(),
            untold: BTreeSet::new(),
            told: 0,
            arrival: 0,
        }
    }

    pub(super) fn slab(&mut self, slab: &mut Slab) {
        self.taken = self.shared.clock.now();
        let strikes = self.shared.plot.strikes(self.taken, 5_000_000);
        let copies = self.capture.as_ref().is_some_and(Capture::copies);
        let mut values = slab.values.as_slice();
        let many = self.owners.len() >= ahead::MANY;
        let mut entries = slab.entries.as_slice();
        while let Some((entry, next)) = entries.split_first() {
            entries = next;
            if many {
                self.fetch_ahead(next);
            }
            let taken = match entry.body {
                EntryBody::Samples { values, .. } => values as usize,
                _ => 0,
            };
            let (own, rest) = values.split_at(taken.min(values.len()));
            values = rest;
            // As much of the next packet as of this one: what another worker has read lies in that one's caches.
            ahead::fetch(&rest[..taken.min(rest.len()).min(ahead::VALUES)]);
            if copies {
                self.copy_before_change(entry.stream);
            }
            if strikes {
                self.entry(&Entry { body: EntryBody::Silent, ..entry.clone() }, &[]);
            }
            self.entry(entry, own);
        }
        slab.entries.clear();
        slab.values.clear();
    }

    /// Asks for the memory of the streams whose turn is next.
    fn fetch_ahead(&self, next: &[Entry]) {
        for (part, turn) in ahead::TURNS.into_iter().enumerate() {
            let Some(Entry { stream: StreamId { reader, slot }, .. }) = next.get(turn - 1) else { continue };
            let seat = self.seats.get(*reader as usize).and_then(|seats| seats.get(*slot as usize));
            match (part, seat) {
                (0, Some(seat)) => ahead::fetch(seat),
                (1, Some(Some(Seat { slot: Slot::Running(state), .. }))) => state.fetch(),
                (2, Some(Some(Seat { slot: Slot::Running(state), .. }))) => state.fetch_memory(),
                _ => {}
            }
        }
    }

    fn entry(&mut self, entry: &Entry, values: &[f32]) {
        let Entry { stream: id, arrival, ref body } = *entry;
        self.arrival = self.arrival.max(arrival);
        match body {
            EntryBody::Open(header) => return self.open(id, Arc::clone(header), arrival),
            EntryBody::Resume(header) => return self.resume(id, Arc::clone(header), arrival),
            _ => {}
        }
        let Some(seat) = seat(&mut self.seats, id) else {
            return self.shared.count_orphans(values.len() as u64);
        };
        seat.touched = true;
        match &mut seat.slot {
            Slot::Running(state) => {
                let (before, space) = (state.samples_in(), &mut self.space);
                match body {
                    EntryBody::Samples { sequence, .. } => state.samples(*sequence, values, arrival, space),
                    EntryBody::Marker(marker) => state.marker(marker.clone(), arrival, space),
                    EntryBody::Dropped { sequence, samples } => {
                        state.dropped(*sequence, *samples, arrival, space);
                    }
                    EntryBody::Silent => state.silent(arrival, space),
                    EntryBody::End { next } => state.end(*next, arrival, space),
                    EntryBody::Control(control) => state.control(control, arrival, space),
                    EntryBody::Open(_) | EntryBody::Resume(_) => {}
                }
                self.samples += state.samples_in() - before;
                self.note(id, arrival);
            }
            Slot::Refused(refused) => {
                refused.count(body, values.len());
                self.touch_owner(id);
            }
        }
    }

    /// A stream that is refused, and whose key is another source's, is kept with that one's state.
    fn touch_owner(&mut self, id: StreamId) {
        let key = seat(&mut self.seats, id).map(|seat| seat.header().key);
        if let Some(owner) = key.and_then(|key| self.owners.get(&key).copied())
            && let Some(owner) = seat(&mut self.seats, owner)
        {
            owner.touched = true;
        }
    }

    /// Takes up a stream that was opened before the checkpoint that was restored. Where there was none, it begins here.
    fn resume(&mut self, id: StreamId, header: Arc<StreamHeader>, arrival: u64) {
        self.claim(id, &header);
        match seat(&mut self.seats, id) {
            Some(seat) if **seat.header() == *header => {}
            _ => self.open(id, header, arrival),
        }
    }

    fn open(&mut self, id: StreamId, header: Arc<StreamHeader>, arrival: u64) {
        self.claim(id, &header);
        let owner = *self.owners.entry(header.key).or_insert(id);
        let (mut resume_at, mut past) = (None, None);
        if let Some(mut before) = place(&mut self.seats, id).take() {
            if let Slot::Running(state) = &mut before.slot {
                state.end(None, arrival, &mut self.space);
                resume_at = state.closed_until();
                self.note(id, arrival);
            }
            past = Some(Box::new(before.books()));
        }
        let slot = if owner == id {
            let made = self.graph.stream(
                Arc::clone(&header),
                resume_at,
                &self.outboxes,
                self.late.clone(),
                &mut Vec::new(), // known since the graph was built
            );
            made.map_or_else(|error| Slot::Refused(Refused::new(header, error.to_string())), Slot::Running)
        } else {
            let reason =
                "another source already brings this stream; give them different session or device ids";
            self.capture.iter_mut().for_each(|capture| capture.double(header.key, id));
            Slot::Refused(Refused::new(header, reason.into()))
        };
        let captured = self.capture.as_ref().map_or(0, Capture::not_before);
        *place(&mut self.seats, id) = Some(Seat { slot, past, captured, touched: true });
        self.touch_owner(id);
    }

    /// The input is over: streams that did not end by themselves are flushed, in the order of their keys.
    pub(super) fn end_all(&mut self) {
        let arrival = self.arrival;
        let ids: Vec<StreamId> = self.owners.values().copied().collect();
        for id in ids {
            if let Some(Seat { slot: Slot::Running(state), .. }) = seat(&mut self.seats, id) {
                state.end(None, arrival, &mut self.space);
                self.note(id, arrival);
            }
        }
    }

    /// What came of a packet or an end, for whoever watches; an error after which no stream may go on ends the pipeline.
    fn note(&mut self, id: StreamId, arrival: u64) {
        let windows = std::mem::take(&mut self.space.work.closed);
        self.windows += windows;
        if windows > 0 {
            let wait = self.taken.saturating_sub(arrival);
            match self.timings.last_mut() {
                // Packets of one poll arrived together.
                Some(last) if (last.0, last.1) == (wait, self.taken) => last.2 += windows,
                _ => self.timings.push((wait, self.taken, windows)),
            }
        }
        if self.shared.board.is_watched() {
            self.untold.insert(id);
        }
        let Work { controls, fatal, .. } = &mut self.space.work;
        match &self.controls {
            Some(outbox) => controls.drain(..).for_each(|control| outbox.borrow_mut().push(control)),
            None => controls.clear(),
        }
        if let Some(error) = fatal.take() {
            self.shared.fail(*error);
        }
    }

    pub(super) fn leave_reports(&mut self) {
        let seats = std::mem::take(&mut self.seats);
        self.reports.borrow_mut().extend(seats.iter().flatten().flatten().map(Seat::report));
    }

    /// All slabs of an activation are processed: what was computed leaves now.
    pub(super) fn computed(&mut self) {
        let now = self.shared.clock.now();
        self.outboxes.flushed().set(now);
        if !self.timings.is_empty() {
            let split = |(wait, taken, windows): (u64, u64, u64)| (wait, now.saturating_sub(taken), windows);
            self.shared.record(self.timings.drain(..).map(split));
        }
    }

    /// Publishes what came since the last call, for whoever watches. Says when to call again, if something is untold.
    pub(super) fn publish(&mut self, over: bool) -> Option<Duration> {
        self.shared.samples_in.fetch_add(std::mem::take(&mut self.samples), Ordering::Relaxed);
        self.shared.windows.fetch_add(std::mem::take(&mut self.windows), Ordering::Relaxed);
        if self.untold.is_empty() {
            return None;
        }
        let now = self.outboxes.flushed().get();
        let since = now.saturating_sub(self.told);
        if since < INTERVAL && !over {
            return Some(Duration::from_nanos(INTERVAL - since));
        }
        self.told = now;
        let untold = std::mem::take(&mut self.untold);
        let seats = &mut self.seats;
        self.shared
            .board
            .write(untold.into_iter().filter_map(|id| seat(seats, id).map(|seat| seat.report())));
        None
    }
}

impl Drop for Streams {
    /// Torn down before the input was over. After a failure the books are closed as they stand: samples that waited for
    /// earlier ones will not be put in order any more. Suspended, they go on waiting in the checkpoint.
    fn drop(&mut self) {
        if !self.shared.is_suspended() {
            for seat in self.seats.iter_mut().flatten().flatten() {
                if let Slot::Running(state) = &mut seat.slot {
                    state.give_up();
                }
            }
        }
        self.leave_reports();
    }
}

pub(super) fn seat(seats: &mut [Vec<Option<Seat>>], id: StreamId) -> Option<&mut Seat> {
    seats.get_mut(id.reader as usize)?.get_mut(id.slot as usize)?.as_mut()
}

/// Where a stream has its seat, or will have it.
pub(super) fn place(seats: &mut Vec<Vec<Option<Seat>>>, id: StreamId) -> &mut Option<Seat> {
    let (reader, slot) = (id.reader as usize, id.slot as usize);
    if seats.len() <= reader {
        seats.resize_with(reader + 1, Vec::new);
    }
    if seats[reader].len() <= slot {
        seats[reader].resize_with(slot + 1, || None);
    }
    &mut seats[reader][slot]
}
