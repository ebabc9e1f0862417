//! A stage: an operator on the signal.

use std::ops::Range;

use super::{Clock, Event, Fixture, Node, Sections, SectionsReader, Step};
use crate::dataflow::error::RestoreFault;
use crate::model::{Chunk, Recovery};
use crate::operator::Operator;

/// A stage: signal in, signal out.
pub(in crate::dataflow) struct StageNode<O> {
    pub(in crate::dataflow) operator: O,
    pub(in crate::dataflow) channels_out: usize,
    /// One past the last sample put in.
    pub(in crate::dataflow) next: u64,
    /// The first sample put in whose coverage was still needed when something was put out last. What is held back has no window
    /// yet, and none of its samples may be forgotten.
    pub(in crate::dataflow) needs_from: u64,
    /// The clock of everything after it, if it gives another sampling rate.
    pub(in crate::dataflow) clock: Option<Box<Clock>>,
}

impl<O: Operator<In = Chunk, Out = Chunk>> StageNode<O> {
    /// Lets `fill` put samples from `first` on into a chunk, and passes them on.
    fn put_out(
        &mut self,
        first: u64,
        fixture: &Fixture<Chunk>,
        step: &mut Step<'_>,
        fill: impl FnOnce(&mut Self, &mut Chunk, &mut Step<'_>),
    ) {
        let mut out = step.work.spare.pop().unwrap_or_default();
        out.restart(self.behind(first), self.channels_out);
        fill(self, &mut out, step);
        if !out.is_empty() {
            let needed_by_others = std::mem::replace(&mut step.needs_from, u64::MAX);
            let children = &fixture.children;
            match &self.clock {
                Some(clock) => clock.step_behind(step, |step| children.push(&out, step)),
                None => children.push(&out, step),
            }
            self.needs_from = std::mem::replace(&mut step.needs_from, needed_by_others);
        }
        step.needs_from = step.needs_from.min(self.needs_from);
        step.work.spare.push(out);
    }

    /// The number that a sample has behind the stage.
    fn behind(&self, n: u64) -> u64 {
        self.clock.as_ref().map_or(n, |clock| clock.behind(n))
    }

    fn flush(&mut self, fixture: &Fixture<Chunk>, step: &mut Step<'_>) {
        self.put_out(self.next, fixture, step, |node, out, step| {
            if let Err(error) = node.operator.finish(out) {
                step.failed(&fixture.stage, error);
            }
        });
    }
}

impl<O: Operator<In = Chunk, Out = Chunk>> Node<Chunk> for StageNode<O> {
    type Out = Chunk;

    fn push(&mut self, chunk: &Chunk, fixture: &Fixture<Chunk>, step: &mut Step<'_>) {
        self.next = chunk.end();
        self.put_out(chunk.first(), fixture, step, |node, out, step| {
            if let Err(error) = node.operator.process(chunk, out) {
                // The samples keep their place: what could not be computed is missing, not gone.
                let (first, end) = (node.behind(chunk.first()), node.behind(chunk.end()));
                out.restart(first, node.channels_out);
                out.extend_missing((end - first) as usize);
                if step.failed(&fixture.stage, error) == Recovery::Reset {
                    node.operator.reset();
                }
            }
        });
    }

    fn memory(&self) -> Range<*const u8> {
        self.operator.memory()
    }

    fn event(&mut self, event: &Event, fixture: &Fixture<Self::Out>, step: &mut Step<'_>) {
        match event {
            Event::Restart { .. } | Event::Jump { .. } => {
                self.flush(fixture, step);
                self.operator.reset();
            }
            Event::End => self.flush(fixture, step),
            Event::Marker(_) | Event::Control(_) => {}
        }
        let children = &fixture.children;
        match &self.clock {
            Some(clock) => {
                let event = clock.event(event);
                clock.step_behind(step, |step| children.event(&event, step));
            }
            None => children.event(event, step),
        }
    }

    fn snapshot(&self, fixture: &Fixture<Self::Out>, at: usize, sections: &mut Sections) {
        sections.write(&fixture.stage, Some(self.operator.latency()), |writer| {
            writer.put(&self.next);
            self.operator.snapshot(writer);
        });
        fixture.children.snapshot(at, sections);
    }

    fn restore(
        &mut self,
        fixture: &Fixture<Self::Out>,
        at: usize,
        sections: &mut SectionsReader<'_>,
    ) -> Result<(), RestoreFault> {
        let contract = self.operator.latency();
        sections.read(&fixture.stage, Some(contract), |reader| {
            self.next = reader.take()?;
            self.operator.restore(reader)
        })?;
        let children = &fixture.children;
        match &self.clock {
            Some(clock) => sections.of_stream(clock.header(), |sections| children.restore(at, sections)),
            None => children.restore(at, sections),
        }
    }
}
