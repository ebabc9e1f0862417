//! Windows and epochs: where the signal is cut.

use std::ops::Range;
use std::sync::Arc;

use super::{Children, Event, Fixture, Node, Sections, SectionsReader, Step};
use crate::dataflow::error::RestoreFault;
use crate::model::{Chunk, Window};
use crate::window::{Counts, Cut, EpochCutter, WindowAssembler};

/// What epochs are called among the stages.
pub(in crate::dataflow) const EPOCHS: &str = "epochs";

/// Cuts the signal into windows.
pub(in crate::dataflow) struct WindowNode {
    pub(in crate::dataflow) assembler: WindowAssembler,
    /// Samples until everything ahead of the window has settled.
    pub(in crate::dataflow) warm_up: u64,
    /// First sample after the latest start or restart.
    pub(in crate::dataflow) started: u64,
    /// Whether the stream's window counts are taken here.
    pub(in crate::dataflow) counted: bool,
}

/// What a window node does with the windows that close.
struct Closed<'a, 'b> {
    children: &'a Children<Window>,
    counted: bool,
    step: &'a mut Step<'b>,
}

impl Cut for Closed<'_, '_> {
    fn counts(&self, samples: Range<u64>) -> Counts {
        self.step.coverage.count(samples)
    }

    fn window(&mut self, window: &Window) {
        if self.counted {
            self.step.windows.count(window.info.status);
            self.step.work.closed += 1;
        }
        self.children.push(window, self.step);
    }
}

impl Node<Chunk> for WindowNode {
    type Out = Window;

    fn push(&mut self, chunk: &Chunk, fixture: &Fixture<Window>, step: &mut Step<'_>) {
        let settled = self.started.saturating_add(self.warm_up);
        let (arrival, mut space) = (step.arrival, step.work.spare.pop().unwrap_or_default());
        self.assembler.swap_space(&mut space);
        let mut closed = Closed { children: &fixture.children, counted: self.counted, step };
        self.assembler.push(chunk, settled, arrival, &mut closed);
        self.assembler.swap_space(&mut space);
        step.work.spare.push(space);
        step.needs_from = step.needs_from.min(self.assembler.needs_from());
    }

    fn event(&mut self, event: &Event, fixture: &Fixture<Self::Out>, step: &mut Step<'_>) {
        let settled = self.started.saturating_add(self.warm_up);
        let arrival = step.arrival;
        let mut closed = Closed { children: &fixture.children, counted: self.counted, step };
        match event {
            Event::Restart { at } => self.started = *at,
            Event::Jump { to } => {
                self.assembler.jump(*to, settled, arrival, &mut closed);
                self.started = *to;
            }
            Event::End => self.assembler.finish(settled, arrival, &mut closed),
            Event::Marker(_) | Event::Control(_) => {}
        }
        fixture.children.event(event, step);
    }

    fn snapshot(&self, fixture: &Fixture<Self::Out>, at: usize, sections: &mut Sections) {
        sections.write(&fixture.stage, None, |writer| {
            writer.put(&self.started);
            writer.put(&self.assembler.state());
        });
        fixture.children.snapshot(at, sections);
    }

    fn restore(
        &mut self,
        fixture: &Fixture<Self::Out>,
        at: usize,
        sections: &mut SectionsReader<'_>,
    ) -> Result<(), RestoreFault> {
        sections.read(&fixture.stage, None, |reader| {
            self.started = reader.take()?;
            self.assembler.restore(&reader.take()?);
            Ok(())
        })?;
        fixture.children.restore(at, sections)
    }
}

/// Cuts epochs around markers.
pub(in crate::dataflow) struct EpochNode {
    pub(in crate::dataflow) cutter: EpochCutter,
    pub(in crate::dataflow) warm_up: u64,
    pub(in crate::dataflow) started: u64,
}

impl Node<Chunk> for EpochNode {
    type Out = Window;

    fn push(&mut self, chunk: &Chunk, fixture: &Fixture<Window>, step: &mut Step<'_>) {
        let settled = self.started.saturating_add(self.warm_up);
        let coverage = std::mem::take(step.coverage);
        let (arrival, children) = (step.arrival, &fixture.children);
        self.cutter.push(chunk, &coverage, settled, arrival, &mut |epoch| children.push(epoch, step));
        *step.coverage = coverage;
        step.needs_from = step.needs_from.min(self.cutter.needs_from());
    }

    fn event(&mut self, event: &Event, fixture: &Fixture<Self::Out>, step: &mut Step<'_>) {
        let settled = self.started.saturating_add(self.warm_up);
        let (arrival, children) = (step.arrival, &fixture.children);
        let out = &mut |epoch: &Window| children.push(epoch, step);
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
        fixture.children.event(event, step);
    }

    fn snapshot(&self, fixture: &Fixture<Self::Out>, at: usize, sections: &mut Sections) {
        sections.write(&fixture.stage, None, |writer| {
            writer.put(&self.started);
            writer.put(self.cutter.state());
        });
        fixture.children.snapshot(at, sections);
    }

    fn restore(
        &mut self,
        fixture: &Fixture<Self::Out>,
        at: usize,
        sections: &mut SectionsReader<'_>,
    ) -> Result<(), RestoreFault> {
        sections.read(&fixture.stage, None, |reader| {
            self.started = reader.take()?;
            self.cutter.restore(reader.take()?);
            Ok(())
        })?;
        fixture.children.restore(at, sections)
    }
}
