//! A stage: an operator on the signal.

use std::sync::Arc;

use super::{
    Children, Clock, Event, Node, Sections, SectionsReader, Step, event_all, fetch_all, push_all,
    restore_all, snapshot_all,
};
use crate::dataflow::error::RestoreFault;
use crate::model::{Chunk, Recovery};
use crate::operator::Operator;

/// A stage: signal in, signal out.
pub(in crate::dataflow) struct StageNode<O> {
    pub(in crate::dataflow) stage: Arc<str>,
    pub(in crate::dataflow) operator: O,
    pub(in crate::dataflow) channels_out: usize,
    /// One past the last sample put in.
    pub(in crate::dataflow) next: u64,
    /// The first sample put in whose coverage was still needed when something was put out last. What is held back has no window
    /// yet, and none of its samples may be forgotten.
    pub(in crate::dataflow) needs_from: u64,
    /// The clock of everything after it, if it gives another sampling rate.
    pub(in crate::dataflow) clock: Option<Clock>,
    pub(in crate::dataflow) children: Children<Chunk>,
}

impl<O: Operator<In = Chunk, Out = Chunk>> StageNode<O> {
    /// Lets `fill` put samples from `first` on into a chunk, and passes them on.
    fn put_out(&mut self, first: u64, step: &mut Step, fill: impl FnOnce(&mut Self, &mut Chunk, &mut Step)) {
        let mut out = step.spare.pop().unwrap_or_default();
        out.restart(self.behind(first), self.channels_out);
        fill(self, &mut out, step);
        if !out.is_empty() {
            let needed_by_others = std::mem::replace(&mut step.needs_from, u64::MAX);
            let children = &mut self.children;
            match &self.clock {
                Some(clock) => clock.step_behind(step, |step| push_all(children, &out, step)),
                None => push_all(children, &out, step),
            }
            self.needs_from = std::mem::replace(&mut step.needs_from, needed_by_others);
        }
        step.needs_from = step.needs_from.min(self.needs_from);
        step.spare.push(out);
    }

    /// The number that a sample has behind the stage.
    fn behind(&self, n: u64) -> u64 {
        self.clock.as_ref().map_or(n, |clock| clock.behind(n))
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
                let (first, end) = (node.behind(chunk.first()), node.behind(chunk.end()));
                out.restart(first, node.channels_out);
                out.extend_missing((end - first) as usize);
                if step.failed(&node.stage, error) == Recovery::Reset {
                    node.operator.reset();
                }
            }
        });
    }

    fn fetch(&self, depth: usize) {
        fetch_all(&self.children, depth);
    }

    fn event(&mut self, event: &Event, step: &mut Step) {
        match event {
            Event::Restart { .. } | Event::Jump { .. } => {
                self.flush(step);
                self.operator.reset();
            }
            Event::End => self.flush(step),
            Event::Marker(_) | Event::Control(_) => {}
        }
        let children = &mut self.children;
        match &self.clock {
            Some(clock) => {
                let event = clock.event(event);
                clock.step_behind(step, |step| event_all(children, &event, step));
            }
            None => event_all(children, event, step),
        }
    }

    fn snapshot(&self, sections: &mut Sections) {
        sections.write(&self.stage, Some(self.operator.latency()), |writer| {
            writer.put(&self.next);
            self.operator.snapshot(writer);
        });
        snapshot_all(&self.children, sections);
    }

    fn restore(&mut self, sections: &mut SectionsReader<'_>) -> Result<(), RestoreFault> {
        let contract = self.operator.latency();
        sections.read(&self.stage, Some(contract), |reader| {
            self.next = reader.take()?;
            self.operator.restore(reader)
        })?;
        let children = &mut self.children;
        match &self.clock {
            Some(clock) => sections.of_stream(clock.header(), |sections| restore_all(children, sections)),
            None => restore_all(children, sections),
        }
    }
}
