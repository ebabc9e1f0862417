//! The keyed operator: every stream's own chain, on the worker that its key group maps to.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use timely::dataflow::Stream;
use timely::dataflow::channels::pact::DistributorPact;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::deliver::{Flush, Outlet};
use super::graph::Graph;
use super::ingress::Tick;
use super::items::LateSamples;
use super::outbox::{Outbox, Outboxes};
use super::report::{StreamReport, WindowCounts};
use super::shared::Shared;
use super::slab::{SlabRoute, UsedSlabs, keep};
use super::stream::{Change, StreamState, Workspace};
use super::watch::INTERVAL;
use crate::ingest::{Entry, EntryBody, Slab, StreamId};
use crate::model::{StreamHeader, StreamKey};
use crate::window::Accounting;

/// Installs the operator on this worker. Stream reports are left in `reports` when the input has ended, or the operator
/// is torn down before that.
pub(super) fn keyed(
    slabs: Stream<'_, Tick, Slab>,
    graph: &Arc<Graph>,
    outlets: &[Arc<dyn Outlet>],
    shared: &Arc<Shared>,
    used: &UsedSlabs,
    reports: &Rc<RefCell<Vec<StreamReport>>>,
) {
    let outboxes = Rc::new(Outboxes::default());
    let slabs_scope = slabs.scope();
    let mut builder = OperatorBuilder::new("keyed".to_owned(), slabs_scope);
    let activator = slabs_scope.activator_for(builder.operator_info().address);
    let mut input = builder.new_input(slabs, DistributorPact(|_| SlabRoute));
    let mut flushes: Vec<Flush> =
        outlets.iter().map(|outlet| outlet.attach(&mut builder, &outboxes, shared)).collect();
    let (reports, used) = (Rc::clone(reports), Rc::clone(used));
    let mut streams = Streams::new(Arc::clone(graph), Rc::clone(&outboxes), Arc::clone(shared), reports);
    builder.build(move |mut capabilities: Vec<Capability<Tick>>| {
        move |frontiers| {
            let mut weight = 0;
            input.for_each(|_, slab| {
                weight += slab.weight();
                streams.slab(slab);
                keep(&used, std::mem::take(slab));
            });
            let over = frontiers[0].is_empty();
            if over {
                streams.end_all();
            }
            streams.computed();
            for (flush, capability) in flushes.iter_mut().zip(&capabilities) {
                flush(capability);
            }
            if let Some(wait) = streams.publish(over) {
                activator.activate_after(wait); // what is not told yet is told then, if nothing else comes
            }
            if over {
                streams.leave_reports();
            }
            if weight > 0 {
                streams.shared.pressure.leave(weight);
            }
            match frontiers[0].frontier().first() {
                Some(tick) => capabilities
                    .iter_mut()
                    .filter(|cap| tick > cap.time())
                    .for_each(|cap| cap.downgrade(tick)),
                None => capabilities.clear(),
            }
        }
    });
}

/// A stream as its worker knows it.
enum Slot {
    Running(Box<StreamState>),
    /// What comes for it is only counted: its samples as rejected, or as dropped where the source dropped them.
    Refused {
        header: Arc<StreamHeader>,
        reason: String,
        accounting: Accounting,
        markers: u64,
    },
}

/// All streams of one worker.
struct Streams {
    graph: Arc<Graph>,
    outboxes: Rc<Outboxes>,
    shared: Arc<Shared>,
    late: Option<Rc<RefCell<Outbox<LateSamples>>>>,
    /// Where the reports are left at the end.
    reports: Rc<RefCell<Vec<StreamReport>>>,
    /// By reader, then by slot.
    slots: Vec<Vec<Option<Slot>>>,
    /// Which reader a key entered through.
    owners: BTreeMap<StreamKey, StreamId>,
    /// What earlier runs of a reopened stream leave for the report.
    past: BTreeMap<StreamId, StreamReport>,
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
    fn new(
        graph: Arc<Graph>,
        outboxes: Rc<Outboxes>,
        shared: Arc<Shared>,
        reports: Rc<RefCell<Vec<StreamReport>>>,
    ) -> Self {
        let late = graph.late.map(|outlet| outboxes.of::<LateSamples>(outlet));
        Self {
            graph,
            outboxes,
            shared,
            late,
            reports,
            slots: Vec::new(),
            owners: BTreeMap::new(),
            past: BTreeMap::new(),
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

    fn slab(&mut self, slab: &mut Slab) {
        self.taken = self.shared.clock.now();
        let mut values = slab.values.as_slice();
        for entry in slab.entries.drain(..) {
            let taken = match entry.body {
                EntryBody::Samples { values, .. } => values as usize,
                _ => 0,
            };
            let (own, rest) = values.split_at(taken.min(values.len()));
            values = rest;
            self.entry(entry, own);
        }
        slab.values.clear();
    }

    fn entry(&mut self, entry: Entry, values: &[f32]) {
        let Entry { stream: id, arrival, body } = entry;
        self.arrival = self.arrival.max(arrival);
        // Without a checkpoint to take its state from, a stream that is resumed begins here.
        if let EntryBody::Open(header) | EntryBody::Resume(header) = body {
            self.open(id, header, arrival);
            return;
        }
        match slot(&mut self.slots, id) {
            Some(Slot::Running(state)) => {
                let change = state.watched(&mut self.space, |state| match body {
                    EntryBody::Samples { sequence, .. } => state.samples(sequence, values, arrival),
                    EntryBody::Marker(marker) => state.marker(marker),
                    EntryBody::Dropped { sequence, samples } => state.dropped(sequence, samples, arrival),
                    EntryBody::Silent => state.silent(arrival),
                    EntryBody::End { next } => state.end(next, arrival),
                    EntryBody::Open(_) | EntryBody::Resume(_) => {}
                });
                self.note(id, arrival, change);
            }
            Some(Slot::Refused { header, accounting, markers, .. }) => match body {
                EntryBody::Samples { .. } => {
                    let samples = values.len().div_ceil(header.channels.len().max(1)) as u64;
                    accounting.samples_in += samples;
                    accounting.rejected += samples;
                }
                EntryBody::Dropped { samples, .. } => {
                    // As the sequencer does: a claim that no device can have earned must not spoil the books.
                    let samples = samples.min((1 << 62) - accounting.samples_in.min(1 << 62));
                    accounting.samples_in += samples;
                    accounting.dropped += samples;
                }
                EntryBody::Marker(_) => *markers += 1,
                EntryBody::Silent | EntryBody::End { .. } | EntryBody::Open(_) | EntryBody::Resume(_) => {}
            },
            None => self.shared.count_orphans(values.len() as u64),
        }
    }

    fn open(&mut self, id: StreamId, header: Arc<StreamHeader>, arrival: u64) {
        let (reader, index) = (id.reader as usize, id.slot as usize);
        if self.slots.len() <= reader {
            self.slots.resize_with(reader + 1, Vec::new);
        }
        if self.slots[reader].len() <= index {
            self.slots[reader].resize_with(index + 1, || None);
        }
        let owner = *self.owners.entry(header.key).or_insert(id);
        let mut resume_at = None;
        match self.slots[reader][index].take() {
            Some(Slot::Running(mut before)) => {
                let change = before.watched(&mut self.space, |state| state.end(None, arrival));
                self.note(id, arrival, change);
                resume_at = before.closed_until();
                self.keep(id, before.report());
            }
            Some(refused) => self.keep(id, report_of(&refused)),
            None => {}
        }
        let slot = if owner == id {
            let made = self.graph.stream(
                Arc::clone(&header),
                resume_at,
                &self.outboxes,
                self.late.clone(),
                &mut Vec::new(), // known since the graph was built
            );
            made.map_or_else(
                |error| refuse(header, error.to_string()),
                |state| Slot::Running(Box::new(state)),
            )
        } else {
            refuse(
                header,
                "another source already brings this stream; give them different session or device ids".into(),
            )
        };
        self.slots[reader][index] = Some(slot);
    }

    /// The input is over: streams that did not end by themselves are flushed, in the order of their keys.
    fn end_all(&mut self) {
        let arrival = self.arrival;
        let ids: Vec<StreamId> = self.owners.values().copied().collect();
        for id in ids {
            if let Some(Slot::Running(state)) = slot(&mut self.slots, id) {
                let change = state.watched(&mut self.space, |state| state.end(None, arrival));
                self.note(id, arrival, change);
            }
        }
    }

    /// What a packet or an end changed, for whoever watches; an error after which no stream may go on ends the pipeline.
    fn note(&mut self, id: StreamId, arrival: u64, change: Change) {
        self.samples += change.samples;
        self.windows += change.windows;
        if change.windows > 0 {
            let wait = self.taken.saturating_sub(arrival);
            match self.timings.last_mut() {
                // Packets of one poll arrived together.
                Some(last) if (last.0, last.1) == (wait, self.taken) => last.2 += change.windows,
                _ => self.timings.push((wait, self.taken, change.windows)),
            }
        }
        if self.shared.board.is_watched() {
            self.untold.insert(id);
        }
        if let Some(error) = change.fatal {
            self.shared.fail(error);
        }
    }

    fn leave_reports(&mut self) {
        for (reader, slots) in std::mem::take(&mut self.slots).iter().enumerate() {
            for (index, slot) in slots.iter().enumerate() {
                if let Some(slot) = slot {
                    self.keep(StreamId { reader: reader as u32, slot: index as u32 }, report_of(slot));
                }
            }
        }
        self.reports.borrow_mut().extend(std::mem::take(&mut self.past).into_values());
    }

    /// Keeps a report, together with those of the stream's earlier runs.
    fn keep(&mut self, id: StreamId, mut report: StreamReport) {
        if let Some(earlier) = self.past.remove(&id) {
            report.absorb(&earlier);
        }
        self.past.insert(id, report);
    }

    /// All slabs of an activation are processed: what was computed leaves now.
    fn computed(&mut self) {
        let now = self.shared.clock.now();
        self.outboxes.flushed().set(now);
        if !self.timings.is_empty() {
            let split = |(wait, taken, windows): (u64, u64, u64)| (wait, now.saturating_sub(taken), windows);
            self.shared.record(self.timings.drain(..).map(split));
        }
    }

    /// Publishes what came since the last call, for whoever watches. Says when to call again, if something is untold.
    fn publish(&mut self, over: bool) -> Option<Duration> {
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
        let reports = untold.into_iter().filter_map(|id| {
            let mut report =
                self.slots.get(id.reader as usize)?.get(id.slot as usize)?.as_ref().map(report_of)?;
            if let Some(earlier) = self.past.get(&id) {
                report.absorb(earlier);
            }
            Some(report)
        });
        self.shared.board.write(reports);
        None
    }
}

impl Drop for Streams {
    /// Torn down after a failure, before the input was over: the books are closed as they stand. Samples that waited for
    /// earlier ones will not be put in order any more.
    fn drop(&mut self) {
        for state in self.slots.iter_mut().flatten().flatten() {
            if let Slot::Running(state) = state {
                state.give_up();
            }
        }
        self.leave_reports();
    }
}

fn slot(slots: &mut [Vec<Option<Slot>>], id: StreamId) -> Option<&mut Slot> {
    slots.get_mut(id.reader as usize)?.get_mut(id.slot as usize)?.as_mut()
}

fn refuse(header: Arc<StreamHeader>, reason: String) -> Slot {
    tracing::warn!(stream = %header.name, %reason, "stream refused");
    Slot::Refused { header, reason, accounting: Accounting::default(), markers: 0 }
}

fn report_of(slot: &Slot) -> StreamReport {
    match slot {
        Slot::Running(state) => state.report(),
        Slot::Refused { header, reason, accounting, markers } => StreamReport {
            header: Arc::clone(header),
            accounting: *accounting,
            windows: WindowCounts::default(),
            markers: *markers,
            refused_inputs: 0,
            refused: Some(reason.clone()),
        },
    }
}
