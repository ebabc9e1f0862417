//! A stream's chain: its own instance of every operator in the graph, wired as a tree.
//!
//! Chunks are pushed in at the root; windows, features and decisions come out at the outlets. A chain runs to
//! completion on each push, on the worker that owns the stream.

mod clock;
mod map;
mod sections;
mod stage;
mod told;
mod window;

use std::sync::Arc;

use smallvec::SmallVec;

pub(super) use clock::Clock;
pub(super) use map::MapNode;
pub(super) use sections::{Sections, SectionsReader};
pub(super) use stage::StageNode;
pub(super) use told::Waiting;
pub(super) use window::{EPOCHS, EpochNode, WindowNode};

use super::ahead;
use super::error::{PipelineError, RestoreFault};
use super::items::{ControlError, StreamControl};
use super::report::WindowCounts;
use crate::model::{Chunk, Control, Marker, Recovery, StreamHeader, Timestamp};
use crate::operator::OperatorError;
use crate::window::Coverage;

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
    /// Operators that have listened to the control being told.
    pub(super) listeners: u64,
    /// What became of controls since they were last put out.
    pub(super) controls: Vec<StreamControl>,
    /// The first error that no stream should go on after.
    pub(super) fatal: Option<Box<PipelineError>>,
}

impl Step {
    fn failed(&mut self, stage: &Arc<str>, error: OperatorError) -> Recovery {
        let recovery = error.recovery();
        match recovery {
            Recovery::Skip | Recovery::Reset => self.refused_inputs += 1,
            Recovery::Retry | Recovery::Stop => {
                self.fatal.get_or_insert_with(|| {
                    let (stage, stream) = (Arc::clone(stage), self.header.name.clone());
                    Box::new(PipelineError::Operator { stage, stream, source: error })
                });
            }
        }
        recovery
    }

    /// Notes what became of a control.
    pub(super) fn controlled(
        &mut self,
        control: &Arc<Control>,
        stage: Option<&Arc<str>>,
        outcome: Result<Timestamp, ControlError>,
    ) {
        let (stream, target) = (&self.header.name, &control.target);
        match &outcome {
            Ok(from) => tracing::info!(%stream, %target, from = from.as_nanos(), "control taken"),
            Err(error) => {
                tracing::warn!(%stream, %target, %error, "control refused");
                self.refused_inputs += 1;
            }
        }
        let (stream, control) = (Arc::clone(&self.header), Arc::clone(control));
        self.controls.push(StreamControl { stream, control, stage: stage.cloned(), outcome });
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
    /// Something that an operator is told.
    Control(Arc<Control>),
    /// Nothing follows: put out what is still held.
    End,
}

/// A place in a chain that takes items of one type.
pub(super) trait Node<T> {
    fn push(&mut self, item: &T, step: &mut Step);

    /// Takes an item that nobody needs afterwards: it may keep it, and leave another in its place whose memory is used again.
    fn give(&mut self, item: &mut T, step: &mut Step) {
        self.push(item, step);
    }

    fn event(&mut self, event: &Event, step: &mut Step);

    /// Asks for the memory of what lies so many places behind it, see [`ahead`](super::ahead).
    fn fetch(&self, _depth: usize) {}

    /// Writes what it and everything after it have to remember over a restart.
    fn snapshot(&self, sections: &mut Sections);

    /// Takes that back, in the same order.
    fn restore(&mut self, sections: &mut SectionsReader<'_>) -> Result<(), RestoreFault>;
}

/// Most places have one or two: they lie beside their parent.
pub(super) type Children<T> = SmallVec<[Box<dyn Node<T>>; 2]>;

pub(super) fn push_all<T>(children: &mut Children<T>, item: &T, step: &mut Step) {
    for child in children {
        child.push(item, step);
    }
}

/// Passes an item on that nobody needs afterwards. What is left of it has memory that may be used again.
fn give_all<T>(children: &mut Children<T>, item: &mut T, step: &mut Step) {
    if let Some((last, others)) = children.split_last_mut() {
        for child in others {
            child.push(item, step);
        }
        last.give(item, step);
    }
}

/// Asks for the memory of the children, or of what lies so many places behind them.
pub(super) fn fetch_all<T>(children: &Children<T>, depth: usize) {
    for child in children {
        match depth.checked_sub(1) {
            None => ahead::fetch(&**child),
            Some(depth) => child.fetch(depth),
        }
    }
}

pub(super) fn event_all<T>(children: &mut Children<T>, event: &Event, step: &mut Step) {
    for child in children {
        child.event(event, step);
    }
}

pub(super) fn snapshot_all<T>(children: &Children<T>, sections: &mut Sections) {
    children.iter().for_each(|child| child.snapshot(sections));
}

pub(super) fn restore_all<T>(
    children: &mut Children<T>,
    sections: &mut SectionsReader<'_>,
) -> Result<(), RestoreFault> {
    children.iter_mut().try_for_each(|child| child.restore(sections))
}
