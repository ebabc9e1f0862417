//! Items that leave a pipeline beside windows and what is computed from them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::chain::{Event, Node, Sections, SectionsReader, Step};
use super::error::RestoreFault;
use super::outbox::Outbox;
use crate::model::{Chunk, Marker, StreamHeader};
use crate::operator::Item;

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

/// Puts markers out.
pub(super) struct MarkerNode {
    pub(super) outbox: Rc<RefCell<Outbox<StreamMarker>>>,
}

impl Node<Chunk> for MarkerNode {
    fn push(&mut self, _: &Chunk, _: &mut Step) {}

    fn event(&mut self, event: &Event, step: &mut Step) {
        if let Event::Marker(marker) = event {
            let item = StreamMarker { stream: Arc::clone(&step.header), marker: Arc::clone(marker) };
            self.outbox.borrow_mut().push(item);
        }
    }

    fn snapshot(&self, _: &mut Sections) {}

    fn restore(&mut self, _: &mut SectionsReader<'_>) -> Result<(), RestoreFault> {
        Ok(())
    }
}
