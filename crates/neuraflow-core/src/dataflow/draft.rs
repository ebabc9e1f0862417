//! What all parts of a graph under construction write to.

use std::any::type_name;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::error::BuildError;
use super::outlet::{OpenOutlet, SinkOutlet};
use crate::model::{Span, Timestamp};
use crate::sink::{Placement, Sink};
use crate::source::Source;
use crate::window::GapPolicy;

/// Sources, outlets and settings, gathered while the graph is put together.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) sources: Vec<Arc<dyn Source>>,
    pub(super) outlets: Vec<OpenOutlet>,
    /// The sinks that checkpoints keep a position of, by name.
    pub(super) answering: Vec<String>,
    pub(super) stages: usize,
    pub(super) hops: Vec<Span>,
    /// Whether the main path has a window yet: its first one gives the stream's window counts.
    pub(super) counted: bool,
    pub(super) late: Option<usize>,
    pub(super) controls: Option<usize>,
    pub(super) gaps: GapPolicy,
    pub(super) lateness: Option<Span>,
    pub(super) origin: Timestamp,
    pub(super) budget: Option<Span>,
    pub(super) set_aside_unfit: bool,
    pub(super) misplaced: Option<BuildError>,
}

pub(super) type SharedDraft = Rc<RefCell<Draft>>;

impl Draft {
    pub(super) fn add_outlet(&mut self, open: impl FnOnce(usize) -> OpenOutlet) -> usize {
        let outlet = self.outlets.len();
        self.outlets.push(open(outlet));
        outlet
    }

    /// Adds a sink's outlet.
    pub(super) fn add_sink<S: Sink>(&mut self, sink: S) -> usize {
        if matches!(sink.placement(), Placement::Thread { .. }) {
            self.answering.push(sink.name());
        }
        let sink = Arc::new(sink);
        self.add_outlet(|outlet| {
            Box::new(move |_, workers, shared| SinkOutlet::open(&sink, outlet, workers, shared))
        })
    }

    /// The position and type of the next operator, as errors name it.
    pub(super) fn stage<O>(&mut self) -> Arc<str> {
        self.stages += 1;
        let full = type_name::<O>();
        let plain = full.split('<').next().unwrap_or(full).rsplit("::").next().unwrap_or(full);
        format!("stage {} ({plain})", self.stages).into()
    }
}
