//! A stream on its worker: from packets to its chain.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::ahead;
use super::chain::{Berth, Children, Event, Sections, SectionsReader, Step, Work};
use super::error::RestoreFault;
use super::items::{ControlError, LateSamples};
use super::outbox::Outbox;
use super::report::{StreamReport, WindowCounts};
use crate::model::{Chunk, Control, Marker, Sequence, StreamHeader, Timestamp};
use crate::window::{Coverage, Filled, GapFiller, Piece, Sequencer};

/// What the part of a stream's state ahead of its chain is called among the stages.
const STREAM: &str = "stream";

/// What is written of it beside its sequencer, gap filler and coverage: windows, refused inputs, markers, samples given up, and
/// whether it has ended.
type Rest = (WindowCounts, u64, u64, u64, bool);

/// Everything a stream has: its place in the sequence, its gap filler and its chain of operators.
pub(super) struct StreamState {
    sequencer: Sequencer,
    filler: GapFiller,
    berth: Berth,
    root: Rc<Children<Chunk>>,
    header: Arc<StreamHeader>,
    /// Which samples were received, filled in or missing.
    coverage: Coverage,
    /// Windows closed by the graph's main window.
    windows: WindowCounts,
    /// Inputs that an operator refused, or that came when nothing was left to take them.
    refused_inputs: u64,
    late: Option<Rc<RefCell<Outbox<LateSamples>>>>,
    markers: u64,
    /// Samples that waited when the pipeline failed.
    given_up: u64,
    ended: bool,
}

/// What a worker lends to the stream whose turn it is.
#[derive(Default)]
pub(super) struct Workspace {
    filled: Chunk,
    pub(super) work: Work,
}

/// What takes the pieces of a stream once they are in order.
struct Onward<'a> {
    filler: &'a mut GapFiller,
    root: &'a Children<Chunk>,
    step: Step<'a>,
    late: &'a Option<Rc<RefCell<Outbox<LateSamples>>>>,
    filled: &'a mut Chunk,
}

impl StreamState {
    pub(super) fn new(
        header: Arc<StreamHeader>,
        sequencer: Sequencer,
        filler: GapFiller,
        berth: Berth,
        root: Rc<Children<Chunk>>,
        late: Option<Rc<RefCell<Outbox<LateSamples>>>>,
    ) -> Self {
        Self {
            sequencer,
            filler,
            berth,
            root,
            header,
            coverage: Coverage::default(),
            windows: WindowCounts::default(),
            refused_inputs: 0,
            late,
            markers: 0,
            given_up: 0,
            ended: false,
        }
    }

    /// What puts its packets in order, and what takes them then.
    fn apart<'a>(&'a mut self, arrival: u64, space: &'a mut Workspace) -> (&'a mut Sequencer, Onward<'a>) {
        let Self { sequencer, filler, berth, root, header, coverage, windows, refused_inputs, late, .. } =
            self;
        let Workspace { filled, work } = space;
        let step =
            Step { at: berth.at, header, coverage, windows, refused_inputs, work, needs_from: 0, arrival };
        (sequencer, Onward { filler, root, step, late, filled })
    }

    /// Asks for the memory of its nodes.
    pub(super) fn fetch(&self) {
        self.root.fetch(self.berth.at);
    }

    /// Asks for the memory that its operators have elsewhere.
    pub(super) fn fetch_memory(&self) {
        self.root.fetch_memory(self.berth.at);
    }

    pub(super) fn samples(
        &mut self,
        sequence: Sequence,
        values: &[f32],
        arrival: u64,
        space: &mut Workspace,
    ) {
        // Every item that leaves is counted there, and a count waits for its memory.
        ahead::fetch_count(&self.header);
        let (sequencer, mut onward) = self.apart(arrival, space);
        sequencer.samples(sequence, values, &mut |piece| onward.piece(&piece));
    }

    pub(super) fn dropped(&mut self, sequence: Sequence, samples: u64, arrival: u64, space: &mut Workspace) {
        let (sequencer, mut onward) = self.apart(arrival, space);
        sequencer.dropped(sequence, samples, &mut |piece| onward.piece(&piece));
    }

    pub(super) fn silent(&mut self, arrival: u64, space: &mut Workspace) {
        let (sequencer, mut onward) = self.apart(arrival, space);
        sequencer.silent(&mut |piece| onward.piece(&piece));
    }

    pub(super) fn marker(&mut self, marker: Marker, arrival: u64, space: &mut Workspace) {
        self.markers += 1;
        self.refused_inputs += u64::from(self.ended); // nothing is left to take it
        self.apart(arrival, space).1.event(&Event::Marker(Arc::new(marker)));
    }

    pub(super) fn control(&mut self, control: &Arc<Control>, arrival: u64, space: &mut Workspace) {
        let ended = self.ended;
        space.work.listeners = 0;
        let (_, mut onward) = self.apart(arrival, space);
        onward.event(&Event::Control(Arc::clone(control)));
        if onward.step.work.listeners == 0 {
            let unheard = ControlError::Unheard { target: control.target.clone() };
            let error = if ended { ControlError::Ended } else { unheard };
            onward.step.controlled(control, None, Err(error));
        }
    }

    /// Flushes everything and lets the operators go: what comes afterwards is rejected, and a pipeline that sees many
    /// streams end must not keep the memory of all their look-backs.
    pub(super) fn end(&mut self, next: Option<Sequence>, arrival: u64, space: &mut Workspace) {
        if self.ended {
            return;
        }
        self.ended = true;
        let (sequencer, mut onward) = self.apart(arrival, space);
        sequencer.end(next, &mut |piece| onward.piece(&piece));
        onward.event(&Event::End);
        self.berth.clear();
        self.coverage = Coverage::default();
    }

    /// Writes everything that what follows depends on.
    pub(super) fn snapshot(&self, sections: &mut Sections) {
        sections.write(STREAM, None, |writer| {
            writer.put(&self.sequencer);
            writer.put(&self.filler);
            writer.put(&self.coverage);
            let rest: Rest = (self.windows, self.refused_inputs, self.markers, self.given_up, self.ended);
            writer.put(&rest);
        });
        self.root.snapshot(self.berth.at, sections);
    }

    /// Takes it back. An error leaves a state that is of no use.
    pub(super) fn restore(&mut self, sections: &mut SectionsReader<'_>) -> Result<(), RestoreFault> {
        let coverage = &mut self.coverage;
        let (sequencer, filler, rest) = sections.read(STREAM, None, |reader| {
            let (sequencer, filler) = (reader.take()?, reader.take()?);
            *coverage = reader.take()?;
            Ok((sequencer, filler, reader.take::<Rest>()?))
        })?;
        if !self.sequencer.restore(sequencer) || !self.filler.restore(filler) {
            return Err(RestoreFault::Grid);
        }
        let (windows, refused_inputs, markers, given_up, ended) = rest;
        (self.windows, self.refused_inputs) = (windows, refused_inputs);
        (self.markers, self.given_up, self.ended) = (markers, given_up, ended);
        if ended {
            self.berth.clear();
        }
        self.root.restore(self.berth.at, sections)
    }

    /// The pipeline has failed: samples that wait for earlier ones are dropped. No operator is run any more.
    pub(super) fn give_up(&mut self) {
        let accounting = self.sequencer.accounting();
        self.given_up = accounting.samples_in.saturating_sub(accounting.settled());
    }

    /// All samples that came in so far.
    pub(super) fn samples_in(&self) -> u64 {
        self.sequencer.accounting().samples_in
    }

    pub(super) fn header(&self) -> &Arc<StreamHeader> {
        &self.header
    }

    /// Event time up to which windows are closed: where the stream may resume after a reconnect.
    pub(super) fn closed_until(&self) -> Option<Timestamp> {
        let last = self.sequencer.position().checked_sub(1)?;
        Some(self.sequencer.grid().interval(self.sequencer.grid().index_of(last)).1)
    }

    pub(super) fn report(&self) -> StreamReport {
        let mut accounting = *self.sequencer.accounting();
        accounting.add(self.filler.accounting());
        accounting.dropped += self.given_up;
        StreamReport {
            header: Arc::clone(&self.header),
            accounting,
            windows: self.windows,
            markers: self.markers,
            refused_inputs: self.refused_inputs,
            refused: None,
        }
    }
}

impl Onward<'_> {
    /// One piece of the sequence, through the gap filler into the chain.
    fn piece(&mut self, piece: &Piece<'_>) {
        let Self { filler, root, step, late, filled } = self;
        match piece {
            Piece::Late { first, values } => {
                if let Some(late) = late {
                    let mut chunk = Chunk::new(*first, step.header.channels.len());
                    chunk.extend(values);
                    late.borrow_mut().push(LateSamples { stream: Arc::clone(step.header), chunk });
                }
            }
            Piece::Jump { to, .. } => {
                step.coverage.forget_before(*to);
                root.event(&Event::Jump { to: *to }, step);
                filler.piece(piece, filled, &mut |_| {});
            }
            _ => filler.piece(piece, filled, &mut |filled| match filled {
                Filled::Chunk { chunk, coverage } => {
                    step.coverage.push(chunk.first(), chunk.len() as u64, coverage);
                    step.needs_from = chunk.end();
                    root.push(chunk, step);
                    step.coverage.forget_before(step.needs_from);
                }
                Filled::Restart { at } => root.event(&Event::Restart { at }, step),
            }),
        }
    }

    fn event(&mut self, event: &Event) {
        self.root.event(event, &mut self.step);
    }
}
