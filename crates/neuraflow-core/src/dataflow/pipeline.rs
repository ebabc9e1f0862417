//! The builder's two ends: a source to begin a graph at, and the checked graph that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::checkpointing::Checkpointing;
use super::cluster::Cluster;
use super::draft::SharedDraft;
use super::error::{BuildError, PipelineError};
use super::flow::Flow;
use super::graph::Graph;
use super::launch::{Launch, spawn};
use super::outlet::OpenOutlet;
use super::plan::Plans;
use super::planted::Planted;
use super::report::{PathLatency, Report};
use super::runtime::{Running, Workers};
use super::watch::Health;
use crate::checkpoint::Fingerprint;
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
    pub(super) parts: Arc<Parts>,
    latencies: Vec<PathLatency>,
    set_aside: Vec<BuildError>,
    pub(super) checkpointing: Option<Checkpointing>,
    watchdog: Option<Duration>,
    planted: Option<Planted>,
    pub(super) clock: Arc<dyn Clock>,
}

/// What runs of a pipeline have in common: it can be started again.
pub(super) struct Parts {
    pub(super) graph: Arc<Graph>,
    pub(super) sources: Vec<Arc<dyn Source>>,
    pub(super) outlets: Vec<OpenOutlet>,
    /// The sinks that checkpoints keep a position of.
    pub(super) answering: Vec<String>,
    pub(super) fingerprint: Fingerprint,
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

    /// Makes checkpoints, and goes on from the newest one that is there.
    ///
    /// # Errors
    /// A checkpoint keeps how far each source and each sink with a thread has come by its name: two of one name cannot
    /// be told apart.
    pub fn checkpoints(mut self, checkpointing: Checkpointing) -> Result<Self, BuildError> {
        let sources: Vec<String> = self.parts.sources.iter().map(|source| source.name()).collect();
        for (setting, names) in
            [("sources with checkpoints", &sources), ("sinks with checkpoints", &self.parts.answering)]
        {
            let mut seen = BTreeSet::new();
            if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
                let (expected, found) = ("a name of its own for each", format!("two named {twice}"));
                return Err(BuildError::Setting { setting, expected, found });
            }
        }
        self.checkpointing = Some(checkpointing);
        Ok(self)
    }

    /// Reports a worker that has been at one activation of an operator for longer than `limit`, as
    /// [`PipelineError::WorkerHung`]. A thread cannot be killed: the other workers are stopped, and that one is not waited for.
    #[must_use]
    pub fn watchdog(mut self, limit: Duration) -> Self {
        self.watchdog = Some(limit);
        self
    }

    /// Plants a bug, for tests of tests.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn plant(mut self, bug: Planted) -> Self {
        self.planted = Some(bug);
        self
    }

    /// What a checkpoint of this pipeline is a checkpoint of: its sources, settings, stages and sinks.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.parts.fingerprint
    }

    /// Starts the workers and returns at once; the host keeps its own thread.
    pub fn spawn(self, workers: Workers) -> Result<Running, PipelineError> {
        self.start(workers, Health::default())
    }

    /// Starts this process's part of a run that several processes share, once all of them are there. Each computes the streams
    /// that its workers' key groups map to, wherever they come in; its sinks get the items of those, and its report is about
    /// them. Sources are asked for a reader on every worker of every process.
    ///
    /// A cluster stops as a whole: with the first process that is [stopped](Running::stop), and with an error in all the others
    /// when one fails or is lost. It is for work that needs more than one machine, on a private network: nothing is encrypted.
    /// Otherwise run one process for each set of partitions.
    ///
    /// Where process 0 is told to keep [checkpoints](Self::checkpoints), and no other is, they are the whole cluster's: all
    /// processes started again go on from the newest. Their number must be the same then; that of their workers need not be.
    ///
    /// # Errors
    /// The processes do not come together ([`ClusterError`](super::ClusterError)), or are not of one build with the same
    /// settings; or process 0 cannot open its checkpoints: all of them are told so.
    pub fn spawn_cluster(self, cluster: &Cluster) -> Result<Running, PipelineError> {
        let launch = self.launch(cluster.workers, Health::default());
        spawn(&Launch { cluster: Some(cluster), ..launch })
    }

    /// Starts a run, and may do so again.
    pub(super) fn start(&self, workers: Workers, health: Health) -> Result<Running, PipelineError> {
        spawn(&self.launch(workers, health))
    }

    pub(super) fn launch(&self, workers: Workers, health: Health) -> Launch<'_> {
        let Self { parts, checkpointing, watchdog, planted, clock, .. } = self;
        let (checkpointing, watchdog, planted) = (checkpointing.as_ref(), *watchdog, *planted);
        let cluster = None;
        Launch { parts, workers, cluster, clock, checkpointing, watchdog, planted, health }
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
        let (late, controls, gaps) = (draft.late, draft.controls, draft.gaps);
        let (origin, budget) = (draft.origin, draft.budget);
        let graph = Graph { root: self.root, late, controls, gaps, lateness, origin, hop, budget };
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
        let sources = std::mem::take(&mut draft.sources);
        let mut lines: Vec<String> =
            sources.iter().map(|source| format!("source {}", source.name())).collect();
        lines.extend(graph.describe());
        let parts = Parts {
            graph: Arc::new(graph),
            sources,
            outlets: std::mem::take(&mut draft.outlets),
            answering: std::mem::take(&mut draft.answering),
            fingerprint: Fingerprint::new(lines),
        };
        Ok(Pipeline {
            parts: Arc::new(parts),
            checkpointing: None,
            watchdog: None,
            planted: None,
            latencies,
            set_aside,
            clock: Arc::new(SystemClock::new()),
        })
    }
}
