//! An operator from one item of a window to the next.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Event, Fixture, Node, Sections, SectionsReader, Step, Waiting};
use crate::dataflow::error::RestoreFault;
use crate::model::{Marker, Recovery, Span, StreamHeader, Timestamp, WindowInfo, WindowStatus};
use crate::operator::{Item, Operator, WindowItem};

/// An operator from one item of a window to the next: window → features, features → decision.
pub(in crate::dataflow) struct MapNode<O: Operator> {
    pub(in crate::dataflow) operator: O,
    pub(in crate::dataflow) spec: <O::Out as Item>::Spec,
    /// How long after a start its output is settled, in nanoseconds of event time: every warm-up and look-back up to here.
    pub(in crate::dataflow) settling: Span,
    /// Event time of the latest start or restart.
    pub(in crate::dataflow) started: Timestamp,
    /// Whether it holds windows back until later ones have come.
    pub(in crate::dataflow) looks_ahead: bool,
    /// The last window since the latest start or restart, as what comes out of it has it. Kept up while it is needed: by what looks
    /// ahead always, by others until they have settled.
    pub(in crate::dataflow) latest: Option<Box<WindowInfo>>,
    /// What the operator is still to be told.
    pub(in crate::dataflow) waiting: Waiting,
}

impl<O: Operator> MapNode<O>
where
    O::Out: WindowItem,
{
    /// Puts out what the operator still holds, a window's item at a time.
    fn flush(&mut self, fixture: &Fixture<O::Out>, step: &mut Step<'_>) {
        let Some(mut after) = self.latest.take().filter(|_| self.looks_ahead) else { return };
        // What it is asked with is the instant after the last window. What it has to give is of an earlier one.
        (after.index, after.start) = (after.index.saturating_add(1), after.end);
        (after.expected, after.received, after.imputed) = (0, 0, 0);
        let Self { operator, spec, .. } = self;
        let mut given = None;
        let mut more = true;
        while std::mem::take(&mut more) {
            let blank = || O::Out::blank((*after).clone(), spec);
            fixture.children.make(step, blank, |out, step| {
                out.reshape(spec);
                out.begin(&after);
                if let Err(error) = operator.finish(out) {
                    step.failed(&fixture.stage, error);
                    return false;
                }
                // Each later than the one before, so that it comes to an end whatever the operator does.
                let index = out.info().map(|info| info.index);
                more = index > given && index < Some(after.index);
                if more {
                    given = index;
                }
                more
            });
        }
    }
}

impl<O: Operator> Node<O::In> for MapNode<O>
where
    O::Out: WindowItem,
{
    type Out = O::Out;

    fn push(&mut self, input: &O::In, fixture: &Fixture<O::Out>, step: &mut Step<'_>) {
        let Some(info) = input.info() else { return };
        if Waiting::is_for(&self.operator) {
            self.waiting.tell(&mut self.operator, &fixture.stage, info.start, step);
        }
        let settled = info.end >= self.started + self.settling;
        let info = if self.looks_ahead || !settled {
            let latest = match &mut self.latest {
                Some(latest) => {
                    (**latest).clone_from(info);
                    latest
                }
                empty => empty.insert(Box::new(info.clone())),
            };
            latest.warm_up |= !settled;
            &**latest
        } else {
            info
        };
        let Self { operator, spec, looks_ahead, .. } = self;
        let blank = || O::Out::blank(info.clone(), spec);
        fixture.children.make(step, blank, |out, step| {
            out.reshape(spec);
            out.begin(info);
            if let Err(error) = operator.process(input, out) {
                out.begin(info); // nothing half-computed leaves
                if step.failed(&fixture.stage, error) == Recovery::Reset {
                    operator.reset();
                }
            }
            !*looks_ahead || out.info().is_some_and(|given| given.index != info.index)
        });
    }

    fn event(&mut self, event: &Event, fixture: &Fixture<Self::Out>, step: &mut Step<'_>) {
        match event {
            Event::Restart { at } | Event::Jump { to: at } => {
                self.flush(fixture, step);
                self.operator.reset();
                self.started = step.header.time_of(*at);
            }
            Event::End => {
                self.flush(fixture, step);
                self.waiting.end(&fixture.stage, step);
            }
            Event::Control(control) => self.waiting.control(&self.operator, &fixture.stage, control, step),
            Event::Marker(marker) => self.waiting.marker(&self.operator, marker, step),
        }
        fixture.children.event(event, step);
    }

    fn snapshot(&self, fixture: &Fixture<Self::Out>, at: usize, sections: &mut Sections) {
        sections.write(&fixture.stage, Some(self.operator.latency()), |writer| {
            writer.put(&self.started);
            writer.put(&self.latest.as_deref().map(Latest::of));
            if Waiting::is_for(&self.operator) {
                writer.put(&self.waiting);
            }
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
        let (contract, header) = (self.operator.latency(), Arc::clone(sections.header()));
        sections.read(&fixture.stage, Some(contract), |reader| {
            self.started = reader.take()?;
            self.latest = reader.take::<Option<Latest>>()?.map(|latest| Box::new(latest.info(header)));
            if Waiting::is_for(&self.operator) {
                self.waiting = reader.take()?;
            }
            self.operator.restore(reader)
        })?;
        fixture.children.restore(at, sections)
    }
}

/// What is written of a node's last window: everything but the stream's header, which is written once for all nodes.
#[derive(Serialize, Deserialize)]
struct Latest {
    index: i64,
    start: Timestamp,
    end: Timestamp,
    expected: u32,
    received: u32,
    imputed: u32,
    status: WindowStatus,
    warm_up: bool,
    arrival: u64,
    marker: Option<Arc<Marker>>,
}

impl Latest {
    fn of(info: &WindowInfo) -> Self {
        let WindowInfo { stream: _, marker, .. } = info;
        Self {
            index: info.index,
            start: info.start,
            end: info.end,
            expected: info.expected,
            received: info.received,
            imputed: info.imputed,
            status: info.status,
            warm_up: info.warm_up,
            arrival: info.arrival,
            marker: marker.clone(),
        }
    }

    fn info(self, stream: Arc<StreamHeader>) -> WindowInfo {
        let Self { index, start, end, expected, received, imputed, status, warm_up, arrival, marker } = self;
        WindowInfo {
            stream,
            index,
            start,
            end,
            expected,
            received,
            imputed,
            status,
            warm_up,
            arrival,
            marker,
        }
    }
}
