//! A stream's chain: its own instance of every operator in the graph.
//!
//! Chunks are pushed in at the root; windows, features and decisions come out at the outlets. A chain runs to
//! completion on each push, on the worker that owns the stream. The tree of a graph's places is the same for all streams, and a
//! worker has it once: at each place stands a shelf, with the nodes of all streams side by side.

mod child;
mod clock;
mod map;
mod sections;
mod shelf;
mod stage;
mod told;
mod window;

use std::ops::Range;
use std::ptr;
use std::sync::Arc;

pub(super) use child::{Child, Children};
pub(super) use clock::Clock;
pub(super) use map::MapNode;
pub(super) use sections::{Sections, SectionsReader};
pub(super) use shelf::{Berth, Fixture, Shelves};
pub(super) use stage::StageNode;
pub(super) use told::Waiting;
pub(super) use window::{EPOCHS, EpochNode, WindowNode};

use super::error::{PipelineError, RestoreFault};
use super::items::{ControlError, StreamControl};
use super::report::WindowCounts;
use crate::model::{Chunk, Control, Marker, Recovery, StreamHeader, Timestamp};
use crate::operator::OperatorError;
use crate::window::Coverage;

/// What every node of a chain may read and write while something is pushed through it: of the stream, and of its worker.
pub(super) struct Step<'a> {
    /// The stream's place on all shelves.
    pub(super) at: usize,
    pub(super) header: &'a Arc<StreamHeader>,
    /// Which samples were received, filled in or missing.
    pub(super) coverage: &'a mut Coverage,
    /// Windows closed by the graph's main window.
    pub(super) windows: &'a mut WindowCounts,
    /// Inputs that an operator refused, and that were left out.
    pub(super) refused_inputs: &'a mut u64,
    pub(super) work: &'a mut Work,
    /// The first sample whose coverage an open window still needs.
    pub(super) needs_from: u64,
    /// Arrival of the packet being processed.
    pub(super) arrival: u64,
}

/// What a worker has for the stream whose turn it is: memory, of which ten thousand streams would fill the processor's caches, and
/// what came of the turn.
#[derive(Default)]
pub(super) struct Work {
    /// Chunks for stages to put their output into; boxed, as each is taken out and put back with every packet.
    #[allow(clippy::vec_box)]
    pub(super) spare: Vec<Box<Chunk>>,
    /// Windows that the graph's main window has closed.
    pub(super) closed: u64,
    /// Operators that have listened to the control being told.
    pub(super) listeners: u64,
    /// What became of controls.
    pub(super) controls: Vec<StreamControl>,
    /// The first error that no stream should go on after.
    pub(super) fatal: Option<Box<PipelineError>>,
}

impl Step<'_> {
    fn failed(&mut self, stage: &Arc<str>, error: OperatorError) -> Recovery {
        let recovery = error.recovery();
        match recovery {
            Recovery::Skip | Recovery::Reset => *self.refused_inputs += 1,
            Recovery::Retry | Recovery::Stop => {
                self.work.fatal.get_or_insert_with(|| {
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
                *self.refused_inputs += 1;
            }
        }
        let (stream, control) = (Arc::clone(self.header), Arc::clone(control));
        self.work.controls.push(StreamControl { stream, control, stage: stage.cloned(), outcome });
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

/// What one stream has at one place of a chain, where items of one type come. What it has in common with all other streams'
/// there is its [`Fixture`].
pub(super) trait Node<T> {
    /// What comes out of it.
    type Out;

    fn push(&mut self, item: &T, fixture: &Fixture<Self::Out>, step: &mut Step<'_>);

    fn event(&mut self, event: &Event, fixture: &Fixture<Self::Out>, step: &mut Step<'_>);

    /// The memory outside of it that a push begins with, see [`Operator::memory`](crate::operator::Operator::memory).
    fn memory(&self) -> Range<*const u8> {
        ptr::null()..ptr::null()
    }

    /// Writes what the stream, with number `at`, has to remember over a restart here and behind.
    fn snapshot(&self, fixture: &Fixture<Self::Out>, at: usize, sections: &mut Sections);

    /// Takes that back, in the same order.
    fn restore(
        &mut self,
        fixture: &Fixture<Self::Out>,
        at: usize,
        sections: &mut SectionsReader<'_>,
    ) -> Result<(), RestoreFault>;
}
