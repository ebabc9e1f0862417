//! The builder's two ends: a source to begin a graph at, and the checked graph that runs.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::deliver::OpenOutlet;
use super::draft::SharedDraft;
use super::error::{BuildError, PipelineError};
use super::flow::Flow;
use super::graph::Graph;
use super::plan::Plans;
use super::report::{PathLatency, Report};
use super::runtime::{Running, Workers, spawn};
use crate::model::{Chunk, Span};
use crate::resilience::{Clock, SystemClock};
use crate::source::Source;

/// A graph all of whose paths have their sinks; [`build`](Complete::build) makes it a [`Pipeline`].
#[must_use = "call build()"]
pub struct Complete {
    draft: SharedDraft,
    root: Plans<Chunk>,
}

/// A checked graph, ready to run.
///
/// ```text
/// Pipeline::from(source).stage(filter).window(Tumbling::millis(50)).feature(power).sink(sink).build()?.run()?
/// ```
pub struct Pipeline {
    pub(super) graph: Arc<Graph>,
    pub(super) sources: Vec<Arc<dyn Source>>,
    pub(super) outlets: Vec<OpenOutlet>,
    latencies: Vec<PathLatency>,
    set_aside: Vec<BuildError>,
    clock: Arc<dyn Clock>,
}

impl Pipeline {
    /// Begins a graph at a source.
    #[allow(clippy::should_implement_trait)] // not a conversion: it reads as where the data comes from
    pub fn from(source: impl Source) -> Flow<Chunk, Complete> {
        let draft = SharedDraft::default();
        draft.borrow_mut().sources.push(Arc::new(source));
        let owned = Rc::clone(&draft);
        Flow {
            draft,
            at: "source".into(),
            children: Vec::new(),
            finish: Box::new(move |root| Complete { draft: owned, root }),
            main: true,
        }
    }

    /// The latency contract of every path, for every stream that the sources announced.
    pub fn latencies(&self) -> &[PathLatency] {
        &self.latencies
    }

    /// Why streams were set aside, one reason for each.
    pub fn set_aside(&self) -> &[BuildError] {
        &self.set_aside
    }

    /// Measures arrival, pacing and latency with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Starts the workers and returns at once; the host keeps its own thread.
    pub fn spawn(self, workers: Workers) -> Result<Running, PipelineError> {
        let clock = Arc::clone(&self.clock);
        spawn(self, workers, clock)
    }

    /// Runs on one worker until the input ends.
    pub fn run(self) -> Result<Report, PipelineError> {
        self.spawn(Workers::new(1))?.join()
    }
}

impl Complete {
    /// Checks the graph against every stream that the sources announce.
    pub fn build(self) -> Result<Pipeline, BuildError> {
        let mut draft = self.draft.borrow_mut();
        if let Some(misplaced) = draft.misplaced.take() {
            return Err(misplaced);
        }
        let lateness = draft.lateness.unwrap_or(Span::millis(10));
        if lateness < Span::ZERO {
            let (expected, found) = ("zero or more", format!("{} ms", lateness.as_millis_f64()));
            return Err(BuildError::Setting { setting: "lateness", expected, found });
        }
        let hop = draft.hops.iter().copied().min().unwrap_or(Span::millis(50));
        let (late, gaps, origin, budget) = (draft.late, draft.gaps, draft.origin, draft.budget);
        let graph = Graph { root: self.root, late, gaps, lateness, origin, hop, budget };
        let (mut latencies, mut set_aside, mut fitting) = (Vec::new(), Vec::new(), 0);
        let mut seen: BTreeMap<_, String> = BTreeMap::new();
        for source in &draft.sources {
            for header in source.streams() {
                if let Some(first) = seen.insert(header.key, source.name()) {
                    return Err(BuildError::DuplicateStream {
                        stream: header.name,
                        first,
                        second: source.name(),
                    });
                }
                match graph.check(&header, &mut latencies) {
                    Ok(()) => fitting += 1,
                    Err(unfit) if draft.set_aside_unfit => set_aside.push(unfit),
                    Err(unfit) => return Err(unfit),
                }
            }
        }
        if fitting == 0 && !set_aside.is_empty() {
            return Err(set_aside.swap_remove(0));
        }
        Ok(Pipeline {
            graph: Arc::new(graph),
            sources: std::mem::take(&mut draft.sources),
            outlets: std::mem::take(&mut draft.outlets),
            latencies,
            set_aside,
            clock: Arc::new(SystemClock::new()),
        })
    }
}
