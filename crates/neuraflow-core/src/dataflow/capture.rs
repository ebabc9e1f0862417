//! Capture: the state of a worker's streams as it is at the cut, and back.
//!
//! A stream is copied at its first packet from beyond the cut, or else once nothing from before it can come any more; and
//! only if it has changed since the last time. So no stream waits for another, and processing is never held up for longer than
//! it takes to copy one.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::books::{Books, Refused, Seat, Slot};
use super::chain::{Sections, SectionsReader};
use super::cut::{Cut, Cuts, Part};
use super::error::{PipelineError, RestoreFault};
use super::ingress::Tick;
use super::keyed::Snapshots;
use super::planted::{Planted, Plot};
use super::streams::{Streams, place, seat};
use crate::checkpoint::StreamSnapshot;
use crate::ingest::StreamId;
use crate::model::{StreamHeader, StreamKey};

/// What the first section of a stream is called.
const BOOKS: &str = "books";

/// Bytes of state that are written in one activation, at least: processing goes on in between.
const SLICE: usize = 1 << 20;

/// A worker's side of the cuts.
pub(super) struct Capture {
    cuts: Arc<Cuts>,
    worker: usize,
    workers: usize,
    /// Names of the sources, in the order of their readers.
    sources: Arc<[Arc<str>]>,
    cut: Cut,
    /// The boundary of the cut that what is being processed lies beyond.
    beyond: Option<Tick>,
    /// The latest tick of what was processed.
    reached: Tick,
    /// Whether every stream has been written that must be.
    done: bool,
    /// The stream to look at next.
    cursor: (usize, usize),
    /// Streams that were restored and that their source has not taken up yet.
    parked: BTreeMap<(StreamKey, Arc<str>), StreamId>,
    /// Streams that are refused because their key is another source's.
    doubles: BTreeMap<StreamKey, Vec<StreamId>>,
    /// With planted bugs: streams are not copied; that it is too late for a cut is not noticed.
    careless: bool,
    unwary: bool,
}

/// The first section of a stream: what is known of it beside its state.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The source that it entered through.
    source: Arc<str>,
    refused: Option<Refused>,
    past: Option<Box<Books>>,
    /// Other sources that bring the same stream, and what was refused of them.
    doubles: Vec<(Arc<str>, Refused, Option<Box<Books>>)>,
}

impl Capture {
    pub(super) fn new(cuts: Arc<Cuts>, worker: usize, workers: usize, sources: Arc<[Arc<str>]>) -> Self {
        Self {
            cuts,
            worker,
            workers,
            sources,
            cut: Cut::default(),
            beyond: None,
            reached: 0,
            done: true,
            cursor: (0, 0),
            parked: BTreeMap::new(),
            doubles: BTreeMap::new(),
            careless: false,
            unwary: false,
        }
    }

    /// The same, with a bug where one is planted.
    pub(super) fn with(self, plot: &Plot) -> Self {
        let (careless, unwary) = (plot.is(Planted::NoCopyOnTouch), plot.is(Planted::CrossesUnnoticed));
        Self { careless, unwary, ..self }
    }

    /// Looks whether there is a newer cut.
    fn look(&mut self) {
        if let Some(cut) = self.cuts.newer(self.cut.number) {
            // What lies beyond it is in the states already: nothing can be copied any more as it was.
            let missed = self.reached >= cut.boundary && !self.unwary;
            if missed {
                self.cuts.tell(Part::Missed { number: cut.number, tick: self.reached });
            }
            (self.cut, self.done, self.cursor) = (cut, missed, (0, 0));
        }
    }

    /// Whether streams must be copied before they change.
    pub(super) fn copies(&self) -> bool {
        self.beyond.is_some() && !self.done && !self.careless
    }

    /// The last checkpoint that a stream which begins now is not in.
    pub(super) fn not_before(&self) -> u64 {
        if self.beyond.is_some() { self.cut.number } else { 0 }
    }

    /// Notes that a stream has the key of another source's.
    pub(super) fn double(&mut self, key: StreamKey, id: StreamId) {
        let doubles = self.doubles.entry(key).or_default();
        if !doubles.contains(&id) {
            doubles.push(id);
        }
    }

    fn source_of(&self, id: StreamId) -> Arc<str> {
        let source = self.sources.get(id.reader as usize / self.workers.max(1)).cloned();
        let parked =
            || self.parked.iter().find(|(_, parked)| **parked == id).map(|((_, name), _)| name.clone());
        source.or_else(parked).unwrap_or_default()
    }
}

impl Streams {
    /// Looks on which side of the cut a slab lies that has come under this tick. If it is not the side of what was processed
    /// last, what that left must leave first: the answer is the tick before which it may not, if there is one.
    pub(super) fn turn(&mut self, tick: Tick) -> Option<Option<Tick>> {
        let capture = self.capture.as_mut()?;
        capture.look();
        capture.reached = capture.reached.max(tick);
        let boundary =
            (tick >= capture.cut.boundary && capture.cut.number > 0).then_some(capture.cut.boundary);
        let before = std::mem::replace(&mut capture.beyond, boundary);
        (before != boundary).then_some(before)
    }

    /// The tick before which what was computed may not leave, if it lies beyond a cut.
    pub(super) fn beyond(&self) -> Option<Tick> {
        self.capture.as_ref().and_then(|capture| capture.beyond)
    }

    /// Copies a stream's state of the cut before it changes.
    pub(super) fn copy_before_change(&mut self, id: StreamId) {
        let key = seat(&mut self.seats, id).map(|seat| seat.header().key);
        if let Some(owner) = key.and_then(|key| self.owners.get(&key).copied()) {
            self.capture_one(owner);
        }
    }

    /// Nothing before `boundary` can come any more, if `passed` says so: then what is left of the cut is written, a slice at a
    /// time. Answers whether there is more.
    pub(super) fn capture(&mut self, passed: impl FnOnce(Tick) -> bool) -> bool {
        let Some(capture) = &mut self.capture else { return false };
        capture.look();
        // After an error that no stream may go on after, what is left of the states is no state to go on from.
        if capture.done || !passed(capture.cut.boundary) || self.shared.aborted() {
            return false;
        }
        let mut room = SLICE;
        let (mut reader, mut slot) = capture.cursor;
        while reader < self.seats.len() {
            while slot < self.seats[reader].len() {
                if room == 0 {
                    self.capture.iter_mut().for_each(|capture| capture.cursor = (reader, slot));
                    return true;
                }
                let written = self.capture_one(StreamId { reader: reader as u32, slot: slot as u32 });
                room = room.saturating_sub(written);
                slot += 1;
            }
            (reader, slot) = (reader + 1, 0);
        }
        if let Some(capture) = &mut self.capture {
            capture.done = true;
            capture.cuts.tell(Part::Worker { number: capture.cut.number, worker: capture.worker });
        }
        false
    }

    /// Writes a stream, if the cut needs it. How many bytes it has.
    fn capture_one(&mut self, id: StreamId) -> usize {
        let Some(capture) = &self.capture else { return 0 };
        let number = capture.cut.number;
        let Some(seat) = seat(&mut self.seats, id).filter(|seat| seat.captured < number) else { return 0 };
        let (key, due) = (seat.header().key, seat.touched || capture.cut.all);
        if self.owners.get(&key) != Some(&id) || self.shared.aborted() {
            return 0;
        }
        // Also what has not changed is done with: what changes it from now on lies beyond the cut.
        (seat.captured, seat.touched) = (number, false);
        if !due {
            return 0;
        }
        let snapshot = self.snapshot(key, id);
        let bytes = |snapshot: &StreamSnapshot| snapshot.sections.iter().map(|s| s.bytes.len()).sum();
        let written = snapshot.as_ref().map_or(0, bytes);
        if let Some(capture) = &self.capture {
            capture.cuts.tell(Part::Stream { number, key, snapshot });
        }
        written
    }

    fn snapshot(&mut self, key: StreamKey, id: StreamId) -> Result<StreamSnapshot, RestoreFault> {
        let (mut doubles, mut source) = (Vec::new(), Arc::default());
        if let Some(capture) = &self.capture {
            source = capture.source_of(id);
            for double in capture.doubles.get(&key).into_iter().flatten() {
                if let Some(Seat { slot: Slot::Refused(refused), past, .. }) = seat(&mut self.seats, *double)
                {
                    doubles.push((capture.source_of(*double), refused.clone(), past.clone()));
                }
            }
        }
        let mut sections = Sections::default();
        let Some(seat) = seat(&mut self.seats, id) else { return Err(RestoreFault::Grid) };
        let (refused, running) = match &seat.slot {
            Slot::Running(state) => (None, Some(state)),
            Slot::Refused(refused) => (Some(refused.clone()), None),
        };
        let kept = Kept { source, refused, past: seat.past.clone(), doubles };
        sections.write(BOOKS, None, |writer| writer.put(&kept));
        if let Some(state) = running {
            state.snapshot(&mut sections);
        }
        Ok(StreamSnapshot { header: (**seat.header()).clone(), sections: sections.finish()? })
    }

    /// Takes back the streams of a checkpoint. They are parked until their sources take them up.
    pub(super) fn restore(&mut self, snapshots: Snapshots) -> Result<(), PipelineError> {
        for (key, snapshot) in snapshots {
            self.restore_one(key, &snapshot).map_err(|fault| PipelineError::Restore {
                stream: snapshot.header.name.clone(),
                source: Box::new(fault),
            })?;
        }
        Ok(())
    }

    fn restore_one(&mut self, key: StreamKey, snapshot: &StreamSnapshot) -> Result<(), RestoreFault> {
        let header = Arc::new(snapshot.header.clone());
        let mut sections = SectionsReader::new(&snapshot.sections, &header);
        let kept: Kept = sections.read(BOOKS, None, |reader| reader.take())?;
        let slot = match kept.refused {
            Some(refused) => Slot::Refused(refused),
            None => {
                let (late, none) = (self.late.clone(), &mut Vec::new());
                let mut state = self.graph.stream(Arc::clone(&header), None, &self.outboxes, late, none)?;
                state.restore(&mut sections)?;
                Slot::Running(state)
            }
        };
        sections.finish()?;
        let owner = self.park(key, kept.source, slot, kept.past);
        self.owners.insert(key, owner);
        for (source, refused, past) in kept.doubles {
            let double = self.park(key, source, Slot::Refused(refused), past);
            self.capture.iter_mut().for_each(|capture| capture.double(key, double));
        }
        Ok(())
    }

    fn park(&mut self, key: StreamKey, source: Arc<str>, slot: Slot, past: Option<Box<Books>>) -> StreamId {
        let readers = self.capture.as_ref().map_or(0, |capture| capture.sources.len() * capture.workers);
        let id =
            StreamId { reader: readers as u32, slot: self.seats.get(readers).map_or(0, Vec::len) as u32 };
        *place(&mut self.seats, id) = Some(Seat { slot, past, captured: 0, touched: false });
        if let Some(capture) = &mut self.capture {
            // A source that the pipeline does not have any more leaves its streams to whoever brings them.
            let source = if capture.sources.contains(&source) { source } else { Arc::default() };
            capture.parked.insert((key, source), id);
        }
        id
    }

    /// A source brings a stream: if it was restored and is still parked, it takes its seat.
    pub(super) fn claim(&mut self, id: StreamId, header: &StreamHeader) {
        let Some(capture) = &mut self.capture else { return };
        if capture.parked.is_empty() || seat(&mut self.seats, id).is_some() {
            return;
        }
        let key = header.key;
        let own = capture.parked.remove(&(key, capture.source_of(id)));
        let Some(parked) = own.or_else(|| capture.parked.remove(&(key, Arc::default()))) else { return };
        let taken = place(&mut self.seats, parked).take();
        *place(&mut self.seats, id) = taken;
        if let Some(owner) = self.owners.get_mut(&key).filter(|owner| **owner == parked) {
            *owner = id;
        }
        for double in capture.doubles.get_mut(&key).into_iter().flatten().filter(|double| **double == parked)
        {
            *double = id;
        }
    }
}
