//! Windows and epochs: where the signal is cut.

use std::ops::Range;
use std::sync::Arc;

use super::{
    Children, Event, Node, Sections, SectionsReader, Step, event_all, fetch_all, push_all, restore_all,
    snapshot_all,
};
use crate::dataflow::error::RestoreFault;
use crate::model::{Chunk, Window};
use crate::window::{Counts, Cut, EpochCutter, WindowAssembler};

/// What epochs are called among the stages.
pub(in crate::dataflow) const EPOCHS: &str = "epochs";

/// Cuts the signal into windows.
pub(in crate::dataflow) struct WindowNode {
    pub(in crate::dataflow) stage: Arc<str>,
    pub(in crate::dataflow) assembler: WindowAssembler,
    /// Samples until everything ahead of the window has settled.
    pub(in crate::dataflow) warm_up: u64,
    /// First sample after the latest start or restart.
    pub(in crate::dataflow) started: u64,
    /// Whether the stream's window counts are taken here.
    pub(in crate::dataflow) counted: bool,
    pub(in crate::dataflow) children: Children<Window>,
}

/// What a window node does with the windows that close.
struct Closed<'a> {
    children: &'a mut Children<Window>,
    counted: bool,
    step: &'a mut Step,
}

impl Cut for Closed<'_> {
    fn counts(&self, samples: Range<u64>) -> Counts {
        self.step.coverage.count(samples)
    }

    fn window(&mut self, window: &Window) {
        if self.counted {
            self.step.windows.count(window.info.status);
        }
        push_all(self.children, window, self.step);
    }
}

impl Node<Chunk> for WindowNode {
    fn push(&mut self, chunk: &Chunk, step: &mut Step) {
        let settled = self.started.saturating_add(self.warm_up);
        let (arrival, mut space) = (step.arrival, step.spare.pop().unwrap_or_default());
        self.assembler.swap_space(&mut space);
        let mut closed = Closed { children: &mut self.children, counted: self.counted, step };
        self.assembler.push(chunk, settled, arrival, &mut closed);
        self.assembler.swap_space(&mut space);
        step.spare.push(space);
        step.needs_from = step.needs_from.min(self.assembler.needs_from());
    }

    fn fetch(&self, depth: usize) {
        fetch_all(&self.children, depth);
    }

    fn event(&mut self, event: &Event, step: &mut Step) {
        let settled = self.started.saturating_add(self.warm_up);
        let arrival = step.arrival;
        let mut closed = Closed { children: &mut self.children, counted: self.counted, step };
        match event {
            Event::Restart { at } => self.started = *at,
            Event::Jump { to } => {
                self.assembler.jump(*to, settled, arrival, &mut closed);
                self.started = *to;
            }
            Event::End => self.assembler.finish(settled, arrival, &mut closed),
            Event::Marker(_) | Event::Control(_) => {}
        }
        event_all(&mut self.children, event, step);
    }

    fn snapshot(&self, sections: &mut Sections) {
        sections.write(&self.stage, None, |writer| {
            writer.put(&self.started);
            writer.put(&self.assembler.state());
        });
        snapshot_all(&self.children, sections);
    }

    fn restore(&mut self, sections: &mut SectionsReader<'_>) -> Result<(), RestoreFault> {
        sections.read(&self.stage, None, |reader| {
            self.started = reader.take()?;
            self.assembler.restore(&reader.take()?);
            Ok(())
        })?;
        restore_all(&mut self.children, sections)
    }
}

/// Cuts epochs around markers.
pub(in crate::dataflow) struct EpochNode {
    pub(in crate::dataflow) cutter: EpochCutter,
    pub(in crate::dataflow) warm_up: u64,
    pub(in crate::dataflow) started: u64,
    pub(in crate::dataflow) children: Children<Window>,
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

    fn fetch(&self, depth: usize) {
        fetch_all(&self.children, depth);
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
            Event::Control(_) => {}
            Event::End => self.cutter.finish(settled, arrival, out),
        }
        event_all(&mut self.children, event, step);
    }

    fn snapshot(&self, sections: &mut Sections) {
        sections.write(EPOCHS, None, |writer| {
            writer.put(&self.started);
            writer.put(self.cutter.state());
        });
        snapshot_all(&self.children, sections);
    }

    fn restore(&mut self, sections: &mut SectionsReader<'_>) -> Result<(), RestoreFault> {
        sections.read(EPOCHS, None, |reader| {
            self.started = reader.take()?;
            self.cutter.restore(reader.take()?);
            Ok(())
        })?;
        restore_all(&mut self.children, sections)
    }
}
