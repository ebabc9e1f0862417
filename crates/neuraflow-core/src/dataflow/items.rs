//! Items that leave a pipeline beside windows and what is computed from them.

use std::sync::Arc;

use super::chain::{Event, Fixture, Node, Sections, SectionsReader, Step};
use super::error::RestoreFault;
use thiserror::Error;

use crate::model::{Chunk, Control, Marker, StreamHeader, Timestamp};
use crate::operator::{Item, OperatorError};

/// An experiment event of a stream, in its place among the samples.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamMarker {
    /// Whose.
    pub stream: Arc<StreamHeader>,
    /// What happened, and when.
    pub marker: Arc<Marker>,
}

impl Item for StreamMarker {
    type Spec = ();
}

/// Samples that arrived after their window had closed: kept apart, counted, never mixed in.
#[derive(Clone, Debug, PartialEq)]
pub struct LateSamples {
    /// Whose.
    pub stream: Arc<StreamHeader>,
    /// The samples, with their place in the stream.
    pub chunk: Chunk,
}

impl Item for LateSamples {
    type Spec = ();
}

/// What became of a [`Control`] at an operator, or that there was none for it.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamControl {
    /// Whose.
    pub stream: Arc<StreamHeader>,
    /// What was told.
    pub control: Arc<Control>,
    /// Position and type of the operator; `None` where no operator listens.
    pub stage: Option<Arc<str>>,
    /// The beginning of the first window for which it holds, or why it never will: the operator goes on as before.
    pub outcome: Result<Timestamp, ControlError>,
}

impl Item for StreamControl {
    type Spec = ();
}

/// Why a control has no effect.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum ControlError {
    /// No operator of the stream listens to that name.
    #[error("expected the name that an operator behind a window listens to, found {target}")]
    Unheard {
        /// The name.
        target: String,
    },
    /// The operator refused it.
    #[error(transparent)]
    Refused(#[from] OperatorError),
    /// As many already wait for their time.
    #[error("expected at most {limit} controls that wait for their time, found one more; send them later")]
    TooMany {
        /// How many may wait.
        limit: usize,
    },
    /// No window began at or after its time.
    #[error("expected a window that begins at or after its time, found the end of the stream")]
    Ended,
}

/// Puts markers out.
pub(super) struct MarkerNode;

impl Node<Chunk> for MarkerNode {
    type Out = StreamMarker;

    fn push(&mut self, _: &Chunk, _: &Fixture<StreamMarker>, _: &mut Step<'_>) {}

    fn event(&mut self, event: &Event, fixture: &Fixture<StreamMarker>, step: &mut Step<'_>) {
        if let Event::Marker(marker) = event {
            let item = StreamMarker { stream: Arc::clone(step.header), marker: Arc::clone(marker) };
            fixture.children.push(&item, step);
        }
    }

    fn snapshot(&self, _: &Fixture<StreamMarker>, _: usize, _: &mut Sections) {}

    fn restore(
        &mut self,
        _: &Fixture<StreamMarker>,
        _: usize,
        _: &mut SectionsReader<'_>,
    ) -> Result<(), RestoreFault> {
        Ok(())
    }
}
