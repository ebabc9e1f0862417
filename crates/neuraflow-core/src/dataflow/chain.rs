//! A stream's chain: its own instance of every operator in the graph, wired as a tree.
//!
//! Chunks are pushed in at the root; windows, features and decisions come out at the outlets. A chain runs to
//! completion on each push, on the worker that owns the stream.

use std::sync::Arc;

use smallvec::SmallVec;

use super::error::PipelineError;
use super::outbox::Pool;
use super::report::WindowCounts;
use crate::model::{Chunk, Marker, Recovery, StreamHeader, Timestamp, Window, WindowInfo};
use crate::operator::{Item, Operator, OperatorError, WindowItem};
use crate::window::{Coverage, EpochCutter, WindowAssembler};

/// What every node of a chain may read and write while something is pushed through it.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) header: Arc<StreamHeader>,
    /// Which samples were received, filled in or missing.
    pub(super) coverage: Coverage,
    /// Chunks for stages to put their output into.
    pub(super) spare: Vec<Chunk>,
    /// The first sample whose coverage an open window still needs.
    pub(super) needs_from: u64,
    /// Arrival of the packet being processed.
    pub(super) arrival: u64,
    /// Windows closed by the graph's main window.
    pub(super) windows: WindowCounts,
    /// Inputs that an operator refused, and that were left out.
    pub(super) refused_inputs: u64,
    /// The first error that no stream should go on after.
    pub(super) fatal: Option<PipelineError>,
}

impl Step {
    fn failed(&mut self, stage: &Arc<str>, error: OperatorError) -> Recovery {
        let recovery = error.recovery();
        match recovery {
            Recovery::Skip | Recovery::Reset => self.refused_inputs += 1,
            Recovery::Retry | Recovery::Stop => {
                self.fatal.get_or_insert_with(|| PipelineError::Operator {
                    stage: Arc::clone(stage),
                    stream: self.header.name.clone(),
                    source: error,
                });
            }
        }
        recovery
    }
}

/// What travels through a chain beside the data, in its place in the stream.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// After a gap: operators start anew with the next sample, number `at`.
    Restart { at: u64 },
    /// The stream's counter jumped: the next sample is number `to`, and there are no windows in between.
    Jump { to: u64 },
    /// An experiment event.
    Marker(Arc<Marker>),
    /// Nothing follows: put out what is still held.
    End,
}

/// A place in a chain that takes items of one type.
pub(super) trait Node<T> {
    fn push(&mut self, item: &T, step: &mut Step);

    /// Takes an item that nobody else needs, and gives one back whose memory may be used again, if it can.
    fn give(&mut self, item: T, step: &mut Step) -> Option<T> {
        self.push(&item, step);
        Some(item)
    }

    fn event(&mut self, event: &Event, step: &mut Step);
}

/// Most places have one or two: they lie beside their parent.
pub(super) type Children<T> = SmallVec<[Box<dyn Node<T>>; 2]>;

pub(super) fn push_all<T>(children: &mut Children<T>, item: &T, step: &mut Step) {
    for child in children {
        child.push(item, step);
    }
}

/// Passes an item on that nobody needs afterwards. Gives one back whose memory may be used again.
fn give_all<T>(children: &mut Children<T>, item: T, step: &mut Step) -> Option<T> {
    let Some((last, others)) = children.split_last_mut() else { return Some(item) };
    for child in others {
        child.push(&item, step);
    }
    last.give(item, step)
}

pub(super) fn event_all<T>(children: &mut Children<T>, event: &Event, step: &mut Step) {
    for child in children {
        child.event(event, step);
    }
}

/// A stage: signal in, signal out.
pub(super) struct StageNode<O> {
    pub(super) stage: Arc<str>,
    pub(super) operator: O,
    pub(super) channels_out: usize,
    /// One past the last sample put in.
    pub(super) next: u64,
    pub(super) children: Children<Chunk>,
}

impl<O: Operator<In = Chunk, Out = Chunk>> StageNode<O> {
    /// Lets `fill` put samples from `first` on into a chunk, and passes them on.
    fn put_out(&mut self, first: u64, step: &mut Step, fill: impl FnOnce(&mut Self, &mut Chunk, &mut Step)) {
        let mut out = step.spare.pop().unwrap_or_default();
        out.restart(first, self.channels_out);
        fill(self, &mut out, step);
        if !out.is_empty() {
            push_all(&mut self.children, &out, step);
        }
        step.spare.push(out);
    }

    fn flush(&mut self, step: &mut Step) {
        self.put_out(self.next, step, |node, out, step| {
            if let Err(error) = node.operator.finish(out) {
                step.failed(&node.stage, error);
            }
        });
    }
}

impl<O: Operator<In = Chunk, Out = Chunk>> Node<Chunk> for StageNode<O> {
    fn push(&mut self, chunk: &Chunk, step: &mut Step) {
        self.next = chunk.end();
        self.put_out(chunk.first(), step, |node, out, step| {
            if let Err(error) = node.operator.process(chunk, out) {
                // The samples keep their place: what could not be computed is missing, not gone.
                out.restart(chunk.first(), node.channels_out);
                out.extend_missing(chunk.len());
                if step.failed(&node.stage, error) == Recovery::Reset {
                    node.operator.reset();
                }
            }
        });
    }

    fn event(&mut self, event: &Event, step: &mut Step) {
        match event {
            Event::Restart { .. } | Event::Jump { .. } => {
                self.flush(step);
                self.operator.reset();
            }
            Event::End => self.flush(step),
            Event::Marker(_) => {}
        }
        event_all(&mut self.children, event, step);
    }
}

/// Cuts the signal into windows.
pub(super) struct WindowNode {
    pub(super) assembler: WindowAssembler,
    /// Samples until everything ahead of the window has settled.
    pub(super) warm_up: u64,
    /// First sample after the latest start or restart.
    pub(super) started: u64,
    /// Whether the stream's window counts are taken here.
    pub(super) counted: bool,
    pub(super) children: Children<Window>,
}

/// What a window node does with a closed window.
fn closed<'a>(
    children: &'a mut Children<Window>,
    counted: bool,
    step: &'a mut Step,
) -> impl FnMut(&Window) + 'a {
    move |window| {
        if counted {
            step.windows.count(window.info.status);
        }
        push_all(children, window, step);
    }
}

impl Node<Chunk> for WindowNode {
    fn push(&mut self, chunk: &Chunk, step: &mut Step) {
        let settled = self.started.saturating_add(self.warm_up);
        let coverage = std::mem::take(&mut step.coverage);
        let (arrival, mut space) = (step.arrival, step.spare.pop().unwrap_or_default());
        self.assembler.swap_space(&mut space);
        let mut out = closed(&mut self.children, self.counted, step);
        self.assembler.push(chunk, &coverage, settled, arrival, &mut out);
        drop(out);
        self.assembler.swap_space(&mut space);
        step.spare.push(space);
        step.coverage = coverage;
        step.needs_from = step.needs_from.min(self.assembler.needs_from());
    }

    fn event(&mut self, event: &Event, step: &mut Step) {
        let settled = self.started.saturating_add(self.warm_up);
        let coverage = std::mem::take(&mut step.coverage);
        let arrival = step.arrival;
        match event {
            Event::Restart { at } => self.started = *at,
            Event::Jump { to } => {
                let out = &mut closed(&mut self.children, self.counted, step);
                self.assembler.jump(*to, &coverage, settled, arrival, out);
                self.started = *to;
            }
            Event::End => {
                let out = &mut closed(&mut self.children, self.counted, step);
                self.assembler.finish(&coverage, settled, arrival, out);
            }
            Event::Marker(_) => {}
        }
        step.coverage = coverage;
        event_all(&mut self.children, event, step);
    }
}

/// Cuts epochs around markers.
pub(super) struct EpochNode {
    pub(super) cutter: EpochCutter,
    pub(super) warm_up: u64,
    pub(super) started: u64,
    pub(super) children: Children<Window>,
}

impl Node<Chunk> for EpochNode {
    fn push(&mut self, chunk: &Chunk, step: &mut Step) {
        let settled = self.started.saturating_add(self.warm_up);
        let coverage = std::mem::take(&mut step.coverage);
        let (arrival, children) = (step.arrival, &mut self.children);
        self.cutter.push(chunk, &coverage, settled, arrival, &mut |epoch| push_all(children, epoch, step));
        step.coverage = coverage;
        step.needs_from = step.needs_from.min(self.cutter.needs_from());
    }

    fn event(&mut self, event: &Event, step: &mut Step) {
        let settled = self.started.saturating_add(self.warm_up);
        let (arrival, children) = (step.arrival, &mut self.children);
        let out = &mut |epoch: &Window| push_all(children, epoch, step);
        match event {
            Event::Restart { at } => self.started = *at,
            Event::Jump { to } => {
                self.cutter.jump(*to, settled, arrival, out);
                self.started = *to;
            }
            Event::Marker(marker) => self.cutter.marker(Arc::clone(marker), settled, arrival, out),
            Event::End => self.cutter.finish(settled, arrival, out),
        }
        event_all(&mut self.children, event, step);
    }
}

/// An operator from one item of a window to the next: window → features, features → decision.
pub(super) struct MapNode<O: Operator> {
    pub(super) stage: Arc<str>,
    pub(super) operator: O,
    pub(super) spec: <O::Out as Item>::Spec,
    /// What it computes into; empty between two windows of whatever stream.
    pub(super) pool: Pool<O::Out>,
    /// How long after a start its output is settled, in nanoseconds of event time: every warm-up and look-back up to here.
    pub(super) settling: crate::model::Span,
    /// Event time of the latest start or restart.
    pub(super) started: Timestamp,
    /// Whether it holds windows back until later ones have come.
    pub(super) looks_ahead: bool,
    /// The last window since the latest start or restart.
    pub(super) latest: Option<WindowInfo>,
    pub(super) children: Children<O::Out>,
}

impl<O: Operator> MapNode<O>
where
    O::Out: WindowItem,
{
    /// Puts out what the operator still holds, a window's item at a time.
    fn flush(&mut self, step: &mut Step) {
        let Some(mut after) = self.latest.take() else { return };
        // What it is asked with is the instant after the last window. What it has to give is of an earlier one.
        (after.index, after.start) = (after.index.saturating_add(1), after.end);
        (after.expected, after.received, after.imputed) = (0, 0, 0);
        let mut given = None;
        let mut out = item(&self.pool, &self.spec, &after);
        loop {
            out.begin(&after);
            if let Err(error) = self.operator.finish(&mut out) {
                step.failed(&self.stage, error);
                break;
            }
            // Each later than the one before, so that it comes to an end whatever the operator does.
            match out.info().map(|info| info.index) {
                Some(index) if index < after.index && Some(index) > given => given = Some(index),
                _ => break,
            }
            push_all(&mut self.children, &out, step);
        }
        self.pool.borrow_mut().push(out);
    }
}

impl<O: Operator> Node<O::In> for MapNode<O>
where
    O::Out: WindowItem,
{
    fn push(&mut self, input: &O::In, step: &mut Step) {
        let Some(info) = input.info() else { return };
        let settled = info.end >= self.started + self.settling;
        let info = match &mut self.latest {
            Some(latest) => {
                latest.clone_from(info);
                latest
            }
            empty => empty.insert(info.clone()),
        };
        info.warm_up |= !settled;
        let mut out = item(&self.pool, &self.spec, info);
        if let Err(error) = self.operator.process(input, &mut out) {
            out.begin(info); // nothing half-computed leaves
            if step.failed(&self.stage, error) == Recovery::Reset {
                self.operator.reset();
            }
        }
        let spare = if !self.looks_ahead || out.info().is_some_and(|given| given.index != info.index) {
            give_all(&mut self.children, out, step)
        } else {
            Some(out)
        };
        self.pool.borrow_mut().extend(spare);
    }

    fn event(&mut self, event: &Event, step: &mut Step) {
        match event {
            Event::Restart { at } | Event::Jump { to: at } => {
                self.flush(step);
                self.operator.reset();
                self.started = step.header.time_of(*at);
            }
            Event::End => self.flush(step),
            Event::Marker(_) => {}
        }
        event_all(&mut self.children, event, step);
    }
}

/// An item to compute into, out of the pool if there is one, that is empty but for its window.
fn item<T: WindowItem>(pool: &Pool<T>, spec: &T::Spec, info: &WindowInfo) -> T {
    let taken = pool.borrow_mut().pop();
    match taken {
        Some(mut item) => {
            item.reshape(spec);
            item.begin(info);
            item
        }
        None => T::blank(info.clone(), spec),
    }
}
