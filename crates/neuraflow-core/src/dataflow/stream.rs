//! A stream on its worker: from packets to its chain.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::chain::{
    Children, Event, Sections, SectionsReader, Step, event_all, fetch_all, push_all, restore_all,
    snapshot_all,
};
use super::error::{PipelineError, RestoreFault};
use super::items::{ControlError, LateSamples, StreamControl};
use super::outbox::Outbox;
use super::report::{StreamReport, WindowCounts};
use crate::model::{Chunk, Control, Marker, Sequence, StreamHeader, Timestamp};
use crate::window::{Coverage, Filled, GapFiller, Piece, Sequencer, WindowGrid};

/// What the part of a stream's state ahead of its chain is called among the stages.
const STREAM: &str = "stream";

/// What is written of it beside its sequencer, gap filler and coverage: windows, refused inputs, markers, samples given up, and
/// whether it has ended.
type Rest = (WindowCounts, u64, u64, u64, bool);

/// Everything a stream has: its place in the sequence, its gap filler and its chain of operators.
pub(super) struct StreamState {
    grid: WindowGrid,
    sequencer: Sequencer,
    filler: GapFiller,
    root: Children<Chunk>,
    step: Step,
    late: Option<Rc<RefCell<Outbox<LateSamples>>>>,
    markers: u64,
    /// Samples that waited when the pipeline failed.
    given_up: u64,
    ended: bool,
}

/// Memory that is of use only while something is pushed through a stream: a worker has one, and lends it to the stream
/// whose turn it is. Ten thousand streams with memory of their own would not fit into the processor's caches.
#[derive(Default)]
pub(super) struct Workspace {
    filled: Chunk,
    spare: Vec<Chunk>,
}

/// What something done to a stream came to.
pub(super) struct Change {
    pub(super) samples: u64,
    pub(super) windows: u64,
    pub(super) rare: Option<Box<Rare>>,
}

/// What few packets bring about.
pub(super) struct Rare {
    /// What became of controls.
    pub(super) controls: Vec<StreamControl>,
    /// The first error that no stream should go on after.
    pub(super) fatal: Option<Box<PipelineError>>,
}

impl StreamState {
    pub(super) fn new(
        header: Arc<StreamHeader>,
        grid: WindowGrid,
        sequencer: Sequencer,
        filler: GapFiller,
        root: Children<Chunk>,
        late: Option<Rc<RefCell<Outbox<LateSamples>>>>,
    ) -> Self {
        let step = Step {
            header,
            coverage: Coverage::default(),
            spare: Vec::new(),
            needs_from: 0,
            arrival: 0,
            windows: WindowCounts::default(),
            refused_inputs: 0,
            listeners: 0,
            controls: Vec::new(),
            fatal: None,
        };
        Self { grid, sequencer, filler, root, step, late, markers: 0, given_up: 0, ended: false }
    }

    /// Asks for the memory of the nodes so deep in its chain.
    pub(super) fn fetch(&self, depth: usize) {
        fetch_all(&self.root, depth);
    }

    pub(super) fn samples(&mut self, sequence: Sequence, values: &[f32], arrival: u64, space: &mut Chunk) {
        self.step.arrival = arrival;
        let Self { sequencer, filler, root, step, late, .. } = self;
        sequencer.samples(sequence, values, &mut |piece| pass_on(&piece, filler, root, step, late, space));
    }

    pub(super) fn dropped(&mut self, sequence: Sequence, samples: u64, arrival: u64, space: &mut Chunk) {
        self.step.arrival = arrival;
        let Self { sequencer, filler, root, step, late, .. } = self;
        sequencer.dropped(sequence, samples, &mut |piece| pass_on(&piece, filler, root, step, late, space));
    }

    pub(super) fn silent(&mut self, arrival: u64, space: &mut Chunk) {
        self.step.arrival = arrival;
        let Self { sequencer, filler, root, step, late, .. } = self;
        sequencer.silent(&mut |piece| pass_on(&piece, filler, root, step, late, space));
    }

    pub(super) fn marker(&mut self, marker: Marker, arrival: u64) {
        self.step.arrival = arrival;
        self.markers += 1;
        self.step.refused_inputs += u64::from(self.ended); // nothing is left to take it
        event_all(&mut self.root, &Event::Marker(Arc::new(marker)), &mut self.step);
    }

    pub(super) fn control(&mut self, control: Arc<Control>, arrival: u64) {
        self.step.arrival = arrival;
        self.step.listeners = 0;
        event_all(&mut self.root, &Event::Control(Arc::clone(&control)), &mut self.step);
        if self.step.listeners == 0 {
            let unheard = ControlError::Unheard { target: control.target.clone() };
            let error = if self.ended { ControlError::Ended } else { unheard };
            self.step.controlled(&control, None, Err(error));
        }
    }

    /// Flushes everything and lets the operators go: what comes afterwards is rejected, and a pipeline that sees many
    /// streams end must not keep the memory of all their look-backs.
    pub(super) fn end(&mut self, next: Option<Sequence>, arrival: u64, space: &mut Chunk) {
        if self.ended {
            return;
        }
        self.ended = true;
        self.step.arrival = arrival;
        let Self { sequencer, filler, root, step, late, .. } = self;
        sequencer.end(next, &mut |piece| pass_on(&piece, filler, root, step, late, space));
        event_all(root, &Event::End, step);
        root.clear();
        step.coverage = Coverage::default();
    }

    /// Writes everything that what follows depends on.
    pub(super) fn snapshot(&self, sections: &mut Sections) {
        sections.write(STREAM, None, |writer| {
            let Step { coverage, windows, refused_inputs, .. } = &self.step;
            writer.put(&self.sequencer);
            writer.put(&self.filler);
            writer.put(coverage);
            let rest: Rest = (*windows, *refused_inputs, self.markers, self.given_up, self.ended);
            writer.put(&rest);
        });
        snapshot_all(&self.root, sections);
    }

    /// Takes it back. An error leaves a state that is of no use.
    pub(super) fn restore(&mut self, sections: &mut SectionsReader<'_>) -> Result<(), RestoreFault> {
        let step = &mut self.step;
        let (sequencer, filler, rest) = sections.read(STREAM, None, |reader| {
            let (sequencer, filler) = (reader.take()?, reader.take()?);
            step.coverage = reader.take()?;
            Ok((sequencer, filler, reader.take::<Rest>()?))
        })?;
        if !self.sequencer.restore(sequencer) || !self.filler.restore(filler) {
            return Err(RestoreFault::Grid);
        }
        let (windows, refused_inputs, markers, given_up, ended) = rest;
        (step.windows, step.refused_inputs) = (windows, refused_inputs);
        (self.markers, self.given_up, self.ended) = (markers, given_up, ended);
        if ended {
            self.root.clear();
        }
        restore_all(&mut self.root, sections)
    }

    /// The pipeline has failed: samples that wait for earlier ones are dropped. No operator is run any more.
    pub(super) fn give_up(&mut self) {
        let accounting = self.sequencer.accounting();
        self.given_up = accounting.samples_in.saturating_sub(accounting.settled());
    }

    /// Does something to the stream, and says what came of it.
    pub(super) fn watched(
        &mut self,
        space: &mut Workspace,
        act: impl FnOnce(&mut Self, &mut Chunk),
    ) -> Change {
        let count = |state: &Self| (state.sequencer.accounting().samples_in, state.step.windows.total());
        let before = count(self);
        std::mem::swap(&mut self.step.spare, &mut space.spare);
        act(self, &mut space.filled);
        std::mem::swap(&mut self.step.spare, &mut space.spare);
        let after = count(self);
        let rare = !self.step.controls.is_empty() || self.step.fatal.is_some();
        Change {
            samples: after.0 - before.0,
            windows: after.1 - before.1,
            rare: if rare { Some(self.take_rare()) } else { None },
        }
    }

    #[cold]
    fn take_rare(&mut self) -> Box<Rare> {
        let Step { controls, fatal, .. } = &mut self.step;
        Box::new(Rare { controls: std::mem::take(controls), fatal: fatal.take() })
    }

    pub(super) fn header(&self) -> &Arc<StreamHeader> {
        &self.step.header
    }

    /// Event time up to which windows are closed: where the stream may resume after a reconnect.
    pub(super) fn closed_until(&self) -> Option<Timestamp> {
        let last = self.sequencer.position().checked_sub(1)?;
        Some(self.grid.interval(self.grid.index_of(last)).1)
    }

    pub(super) fn report(&self) -> StreamReport {
        let mut accounting = *self.sequencer.accounting();
        accounting.add(self.filler.accounting());
        accounting.dropped += self.given_up;
        StreamReport {
            header: Arc::clone(&self.step.header),
            accounting,
            windows: self.step.windows,
            markers: self.markers,
            refused_inputs: self.step.refused_inputs,
            refused: None,
        }
    }
}

/// One piece of the sequence, through the gap filler into the chain.
fn pass_on(
    piece: &Piece<'_>,
    filler: &mut GapFiller,
    root: &mut Children<Chunk>,
    step: &mut Step,
    late: &mut Option<Rc<RefCell<Outbox<LateSamples>>>>,
    space: &mut Chunk,
) {
    match piece {
        Piece::Late { first, values } => {
            if let Some(late) = late {
                let mut chunk = Chunk::new(*first, step.header.channels.len());
                chunk.extend(values);
                late.borrow_mut().push(LateSamples { stream: Arc::clone(&step.header), chunk });
            }
        }
        Piece::Jump { to, .. } => {
            step.coverage.forget_before(*to);
            event_all(root, &Event::Jump { to: *to }, step);
            filler.piece(piece, space, &mut |_| {});
        }
        _ => filler.piece(piece, space, &mut |filled| match filled {
            Filled::Chunk { chunk, coverage } => {
                step.coverage.push(chunk.first(), chunk.len() as u64, coverage);
                step.needs_from = chunk.end();
                push_all(root, chunk, step);
                step.coverage.forget_before(step.needs_from);
            }
            Filled::Restart { at } => event_all(root, &Event::Restart { at }, step),
        }),
    }
}
