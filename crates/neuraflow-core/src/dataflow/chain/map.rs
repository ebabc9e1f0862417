//! An operator from one item of a window to the next.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Children, Event, Node, Sections, SectionsReader, Step, Waiting, event_all, fetch_all, give_all, push_all,
    restore_all, snapshot_all,
};
use crate::dataflow::error::RestoreFault;
use crate::dataflow::outbox::Scratch;
use crate::model::{Marker, Recovery, Span, StreamHeader, Timestamp, WindowInfo, WindowStatus};
use crate::operator::{Item, Operator, WindowItem};

/// An operator from one item of a window to the next: window → features, features → decision.
pub(in crate::dataflow) struct MapNode<O: Operator> {
    pub(in crate::dataflow) stage: Arc<str>,
    pub(in crate::dataflow) operator: O,
    pub(in crate::dataflow) spec: <O::Out as Item>::Spec,
    /// What it computes into. Between two windows its content means nothing: it may be another stream's.
    pub(in crate::dataflow) scratch: Scratch<O::Out>,
    /// How long after a start its output is settled, in nanoseconds of event time: every warm-up and look-back up to here.
    pub(in crate::dataflow) settling: Span,
    /// Event time of the latest start or restart.
    pub(in crate::dataflow) started: Timestamp,
    /// Whether it holds windows back until later ones have come.
    pub(in crate::dataflow) looks_ahead: bool,
    /// The last window since the latest start or restart, as what comes out of it has it. Kept up while it is needed: by what looks
    /// ahead always, by others until they have settled.
    pub(in crate::dataflow) latest: Option<WindowInfo>,
    /// What the operator is still to be told.
    pub(in crate::dataflow) waiting: Waiting,
    pub(in crate::dataflow) children: Children<O::Out>,
}

impl<O: Operator> MapNode<O>
where
    O::Out: WindowItem,
{
    /// Puts out what the operator still holds, a window's item at a time.
    fn flush(&mut self, step: &mut Step) {
        let Some(mut after) = self.latest.take().filter(|_| self.looks_ahead) else { return };
        // What it is asked with is the instant after the last window. What it has to give is of an earlier one.
        (after.index, after.start) = (after.index.saturating_add(1), after.end);
        (after.expected, after.received, after.imputed) = (0, 0, 0);
        let mut given = None;
        let mut scratch = self.scratch.borrow_mut();
        let out = item(&mut scratch, &self.spec, &after);
        loop {
            out.begin(&after);
            if let Err(error) = self.operator.finish(out) {
                step.failed(&self.stage, error);
                break;
            }
            // Each later than the one before, so that it comes to an end whatever the operator does.
            match out.info().map(|info| info.index) {
                Some(index) if index < after.index && Some(index) > given => given = Some(index),
                _ => break,
            }
            push_all(&mut self.children, out, step);
        }
    }
}

impl<O: Operator> Node<O::In> for MapNode<O>
where
    O::Out: WindowItem,
{
    fn push(&mut self, input: &O::In, step: &mut Step) {
        let Some(info) = input.info() else { return };
        self.waiting.tell(&mut self.operator, &self.stage, info.start, step);
        let settled = info.end >= self.started + self.settling;
        let info = if self.looks_ahead || !settled {
            let latest = match &mut self.latest {
                Some(latest) => {
                    latest.clone_from(info);
                    latest
                }
                empty => empty.insert(info.clone()),
            };
            latest.warm_up |= !settled;
            &*latest
        } else {
            info
        };
        let mut scratch = self.scratch.borrow_mut();
        let out = item(&mut scratch, &self.spec, info);
        if let Err(error) = self.operator.process(input, out) {
            out.begin(info); // nothing half-computed leaves
            if step.failed(&self.stage, error) == Recovery::Reset {
                self.operator.reset();
            }
        }
        if !self.looks_ahead || out.info().is_some_and(|given| given.index != info.index) {
            give_all(&mut self.children, out, step);
        }
    }

    fn fetch(&self, depth: usize) {
        fetch_all(&self.children, depth);
    }

    fn event(&mut self, event: &Event, step: &mut Step) {
        match event {
            Event::Restart { at } | Event::Jump { to: at } => {
                self.flush(step);
                self.operator.reset();
                self.started = step.header.time_of(*at);
            }
            Event::End => {
                self.flush(step);
                self.waiting.end(&self.stage, step);
            }
            Event::Control(control) => self.waiting.control(&self.operator, &self.stage, control, step),
            Event::Marker(marker) => self.waiting.marker(&self.operator, marker, step),
        }
        event_all(&mut self.children, event, step);
    }

    fn snapshot(&self, sections: &mut Sections) {
        sections.write(&self.stage, Some(self.operator.latency()), |writer| {
            writer.put(&self.started);
            writer.put(&self.latest.as_ref().map(Latest::of));
            if Waiting::is_for(&self.operator) {
                writer.put(&self.waiting);
            }
            self.operator.snapshot(writer);
        });
        snapshot_all(&self.children, sections);
    }

    fn restore(&mut self, sections: &mut SectionsReader<'_>) -> Result<(), RestoreFault> {
        let (contract, header) = (self.operator.latency(), Arc::clone(sections.header()));
        sections.read(&self.stage, Some(contract), |reader| {
            self.started = reader.take()?;
            self.latest = reader.take::<Option<Latest>>()?.map(|latest| latest.info(header));
            if Waiting::is_for(&self.operator) {
                self.waiting = reader.take()?;
            }
            self.operator.restore(reader)
        })?;
        restore_all(&mut self.children, sections)
    }
}

/// An item to compute into, that is empty but for its window.
fn item<'a, T: WindowItem>(scratch: &'a mut Option<T>, spec: &T::Spec, info: &WindowInfo) -> &'a mut T {
    match scratch {
        Some(item) => {
            item.reshape(spec);
            item.begin(info);
            item
        }
        empty => empty.insert(T::blank(info.clone(), spec)),
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
