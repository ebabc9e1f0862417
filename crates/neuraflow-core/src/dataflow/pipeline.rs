//! The builder: a graph put together with types that are checked at compile time.

use std::any::type_name;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;

use super::deliver::{OpenOutlet, SinkOutlet};
use super::error::{BuildError, PipelineError};
use super::graph::Graph;
use super::items::{LateSamples, StreamMarker};
use super::plan::{EpochPlan, Factory, MapPlan, MarkerPlan, OutletPlan, Plans, StagePlan, WindowPlan};
use super::raw::RawOutlet;
use super::report::{PathLatency, Report};
use super::runtime::{Running, Workers, spawn};
use crate::model::{Chunk, Features, Span, Timestamp, Window};
use crate::operator::{Item, Operator, WindowItem};
use crate::resilience::{Clock, SystemClock};
use crate::sink::Sink;
use crate::source::Source;
use crate::window::{EpochConfig, GapPolicy};

/// Windows of equal length that follow one another without overlap.
///
/// How far back a feature looks is the feature's own setting: the window only says how often it is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tumbling {
    hop: Span,
}

impl Tumbling {
    /// Windows of `hop`.
    pub const fn of(hop: Span) -> Self {
        Self { hop }
    }

    /// Windows of so many milliseconds.
    pub const fn millis(millis: i64) -> Self {
        Self::of(Span::millis(millis))
    }
}

/// What all parts of a graph under construction write to.
#[derive(Default)]
struct Draft {
    sources: Vec<Arc<dyn Source>>,
    outlets: Vec<OpenOutlet>,
    stages: usize,
    hops: Vec<Span>,
    /// Whether the main path has a window yet: its first one gives the stream's window counts.
    counted: bool,
    late: Option<usize>,
    gaps: GapPolicy,
    lateness: Option<Span>,
    origin: Timestamp,
    budget: Option<Span>,
    misplaced: Option<BuildError>,
}

type Shared = Rc<RefCell<Draft>>;

/// A point in a graph under construction, at which items of type `T` come out.
///
/// `R` is what the finished path belongs to: the whole [`Graph`](Complete), or a [`Branch`] of it.
#[must_use = "a graph does nothing before a sink ends it"]
pub struct Flow<T: Item, R> {
    draft: Shared,
    /// What stands here, for error messages.
    at: Arc<str>,
    children: Plans<T>,
    finish: Box<dyn FnOnce(Plans<T>) -> R>,
    main: bool,
}

/// A branch that has its sink.
pub struct Branch<T: Item>(Plans<T>);

/// A graph all of whose paths have their sinks; [`build`](Complete::build) makes it a [`Pipeline`].
#[must_use = "call build()"]
pub struct Complete {
    draft: Shared,
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
    clock: Arc<dyn Clock>,
}

impl Pipeline {
    /// Begins a graph at a source.
    #[allow(clippy::should_implement_trait)] // not a conversion: it reads as where the data comes from
    pub fn from(source: impl Source) -> Flow<Chunk, Complete> {
        let draft = Shared::default();
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
        self.spawn(Workers(NonZeroUsize::MIN))?.join()
    }
}

impl<T: Item, R: 'static> Flow<T, R> {
    /// Adds a side path from here: the closure ends it with a sink.
    pub fn branch(mut self, path: impl FnOnce(Flow<T, Branch<T>>) -> Branch<T>) -> Self {
        let fork = Flow {
            draft: Rc::clone(&self.draft),
            at: Arc::clone(&self.at),
            children: Vec::new(),
            finish: Box::new(Branch),
            main: false,
        };
        let Branch(plans) = path(fork);
        self.children.extend(plans);
        self
    }

    /// Ends the path in a sink.
    pub fn sink<S: Sink<Item = T>>(self, sink: S) -> R {
        let (name, sink) = (sink.name(), Arc::new(sink));
        self.outlet(name, |outlet| {
            Box::new(move |_, workers, shared| SinkOutlet::open(&sink, outlet, workers, shared))
        })
    }

    /// Ends the path in Timely operators of your own: `build` is called with the stream on every worker.
    pub fn raw(self, name: &str, build: impl Fn(super::raw::RawStream<'_, T>) + Send + Sync + 'static) -> R {
        let build: super::raw::RawBuild<T> = Arc::new(build);
        self.outlet(name.to_owned(), |outlet| {
            Box::new(move |_, _, _| Ok(RawOutlet::open(outlet, Arc::clone(&build))))
        })
    }

    fn outlet(mut self, name: String, open: impl FnOnce(usize) -> OpenOutlet) -> R {
        let outlet = self.draft.borrow_mut().add_outlet(open);
        self.children.push(Arc::new(OutletPlan { outlet, name: name.into() }));
        (self.finish)(self.children)
    }

    fn next<U: Item>(self, at: Arc<str>, plan: impl FnOnce(Plans<U>) -> Plans<T> + 'static) -> Flow<U, R> {
        let (mut children, finish) = (self.children, self.finish);
        Flow {
            draft: self.draft,
            at,
            children: Vec::new(),
            finish: Box::new(move |after| {
                children.extend(plan(after));
                finish(children)
            }),
            main: self.main,
        }
    }

    fn map<O>(self, make: Factory<O>) -> Flow<O::Out, R>
    where
        O: Operator<In = T>,
        O::Out: WindowItem,
    {
        let stage = self.draft.borrow_mut().stage::<O>();
        let name = Arc::clone(&stage);
        self.next(stage, move |children| vec![Arc::new(MapPlan { stage: name, make, children })])
    }
}

impl Draft {
    fn add_outlet(&mut self, open: impl FnOnce(usize) -> OpenOutlet) -> usize {
        let outlet = self.outlets.len();
        self.outlets.push(open(outlet));
        outlet
    }

    /// The position and type of the next operator, as errors name it.
    fn stage<O>(&mut self) -> Arc<str> {
        self.stages += 1;
        let full = type_name::<O>();
        let plain = full.split('<').next().unwrap_or(full).rsplit("::").next().unwrap_or(full);
        format!("stage {} ({plain})", self.stages).into()
    }
}

impl<R: 'static> Flow<Chunk, R> {
    /// Adds an operator on the signal: a filter, a reference. `make` is called once for each stream.
    pub fn stage<O>(self, make: impl Fn() -> O + Send + Sync + 'static) -> Flow<Chunk, R>
    where
        O: Operator<In = Chunk, Out = Chunk>,
    {
        let stage = self.draft.borrow_mut().stage::<O>();
        let (name, make): (_, Factory<O>) = (Arc::clone(&stage), Arc::new(make));
        self.next(stage, move |children| vec![Arc::new(StagePlan { stage: name, make, children })])
    }

    /// Cuts the signal into windows of event time.
    pub fn window(self, window: Tumbling) -> Flow<Window, R> {
        let hop = window.hop;
        let mut draft = self.draft.borrow_mut();
        let counted = self.main && !draft.counted;
        draft.counted |= counted;
        draft.hops.push(hop);
        drop(draft);
        let stage: Arc<str> = format!("window of {} ms", hop.as_millis_f64()).into();
        let name = Arc::clone(&stage);
        self.next(stage, move |children| vec![Arc::new(WindowPlan { stage: name, hop, counted, children })])
    }

    /// Cuts epochs around markers.
    pub fn epochs(self, epochs: EpochConfig) -> Flow<Window, R> {
        self.next("epochs".into(), move |children| vec![Arc::new(EpochPlan { epochs, children })])
    }

    /// Sends the stream's markers to a sink.
    pub fn markers<S: Sink<Item = StreamMarker>>(mut self, sink: S) -> Self {
        let sink = Arc::new(sink);
        let outlet = self.draft.borrow_mut().add_outlet(|outlet| {
            Box::new(move |_, workers, shared| SinkOutlet::open(&sink, outlet, workers, shared))
        });
        self.children.push(Arc::new(MarkerPlan { outlet }));
        self
    }

    /// Sends samples that were too late to a sink, for the whole pipeline.
    pub fn late<S: Sink<Item = LateSamples>>(self, sink: S) -> Self {
        let sink = Arc::new(sink);
        let mut draft = self.draft.borrow_mut();
        let outlet = draft.add_outlet(|outlet| {
            Box::new(move |_, workers, shared| SinkOutlet::open(&sink, outlet, workers, shared))
        });
        draft.late = Some(outlet);
        drop(draft);
        self
    }

    /// Adds a source whose streams take the same way. Directly after [`Pipeline::from`].
    pub fn merge(self, source: impl Source) -> Self {
        self.setting("merge", |draft| draft.sources.push(Arc::new(source)))
    }

    /// What is done where samples are missing. Directly after [`Pipeline::from`].
    pub fn gaps(self, policy: GapPolicy) -> Self {
        self.setting("gaps", |draft| draft.gaps = policy)
    }

    /// How far beyond a window's end the stream's own event time must be before missing samples are given up
    /// (10 ms by default). Directly after [`Pipeline::from`].
    pub fn lateness(self, lateness: Span) -> Self {
        self.setting("lateness", |draft| draft.lateness = Some(lateness))
    }

    /// Where the grid of windows begins (the Unix epoch by default). Directly after [`Pipeline::from`].
    pub fn origin(self, origin: Timestamp) -> Self {
        self.setting("origin", |draft| draft.origin = origin)
    }

    /// The most group delay and look-ahead that any path may add up to. Directly after [`Pipeline::from`].
    pub fn latency_budget(self, budget: Span) -> Self {
        self.setting("latency_budget", |draft| draft.budget = Some(budget))
    }

    fn setting(self, setting: &'static str, set: impl FnOnce(&mut Draft)) -> Self {
        let mut draft = self.draft.borrow_mut();
        if &*self.at == "source" && self.main {
            set(&mut draft);
        } else {
            let found = format!("it after {}", self.at);
            let expected = "it directly after Pipeline::from";
            draft.misplaced.get_or_insert(BuildError::Setting { setting, expected, found });
        }
        drop(draft);
        self
    }
}

impl<R: 'static> Flow<Window, R> {
    /// Computes something from every window. `make` is called once for each stream.
    pub fn feature<O>(self, make: impl Fn() -> O + Send + Sync + 'static) -> Flow<O::Out, R>
    where
        O: Operator<In = Window>,
        O::Out: WindowItem,
    {
        self.map(Arc::new(make))
    }
}

impl<R: 'static> Flow<Features, R> {
    /// Decides something from every feature vector. `make` is called once for each stream.
    pub fn decode<O>(self, make: impl Fn() -> O + Send + Sync + 'static) -> Flow<O::Out, R>
    where
        O: Operator<In = Features>,
        O::Out: WindowItem,
    {
        self.map(Arc::new(make))
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
        let mut latencies = Vec::new();
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
                graph.check(&header, &mut latencies)?;
            }
        }
        Ok(Pipeline {
            graph: Arc::new(graph),
            sources: std::mem::take(&mut draft.sources),
            outlets: std::mem::take(&mut draft.outlets),
            latencies,
            clock: Arc::new(SystemClock::new()),
        })
    }
}
