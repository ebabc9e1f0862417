//! A stage: an operator on the signal.

use std::sync::Arc;

use super::{
    Children, Event, Node, Sections, SectionsReader, Step, event_all, push_all, restore_all, snapshot_all,
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
    pub(in crate::dataflow) children: Children<Chunk>,
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
        restore_all(&mut self.children, sections)
    }
}
