//! A graph under construction: stages, windows, features and branches, with types that are checked at compile time.

use std::rc::Rc;
use std::sync::Arc;

use super::chain::EPOCHS;
use super::draft::Draft;
use super::draft::SharedDraft;
use super::error::BuildError;
use super::items::{LateSamples, StreamControl, StreamMarker};
use super::plan::{EpochPlan, Factory, MapPlan, MarkerPlan, OutletPlan, Plans, StagePlan, WindowPlan};
use super::raw::RawOutlet;
use crate::model::{Chunk, Decision, Features, Span, Timestamp, Window};
use crate::operator::{Item, Operator, WindowItem};
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

/// A point in a graph under construction, at which items of type `T` come out.
///
/// `R` is what the finished path belongs to: the whole [graph](super::Complete), or a [`Branch`] of it.
#[must_use = "a graph does nothing before a sink ends it"]
pub struct Flow<T: Item, R> {
    pub(super) draft: SharedDraft,
    /// What stands here, for error messages.
    pub(super) at: Arc<str>,
    pub(super) children: Plans<T>,
    pub(super) finish: Box<dyn FnOnce(Plans<T>) -> R>,
    pub(super) main: bool,
}

/// A branch that has its sink.
pub struct Branch<T: Item>(Plans<T>);

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
        let name = sink.name();
        let outlet = self.draft.borrow_mut().add_sink(sink);
        self.end(name, outlet)
    }

    /// Ends the path in Timely operators of your own: `build` is called with the stream on every worker.
    pub fn raw(self, name: &str, build: impl Fn(super::raw::RawStream<'_, T>) + Send + Sync + 'static) -> R {
        let build: super::raw::RawBuild<T> = Arc::new(build);
        let outlet = self
            .draft
            .borrow_mut()
            .add_outlet(|outlet| Box::new(move |_, _, _| Ok(RawOutlet::open(outlet, Arc::clone(&build)))));
        self.end(name.to_owned(), outlet)
    }

    fn end(mut self, name: String, outlet: usize) -> R {
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
        self.next(EPOCHS.into(), move |children| vec![Arc::new(EpochPlan { epochs, children })])
    }

    /// Sends the stream's markers to a sink.
    pub fn markers<S: Sink<Item = StreamMarker>>(mut self, sink: S) -> Self {
        let name = sink.name().into();
        let outlet = self.draft.borrow_mut().add_sink(sink);
        self.children.push(Arc::new(MarkerPlan { outlet, name }));
        self
    }

    /// Sends samples that were too late to a sink, for the whole pipeline; once. Directly after [`Pipeline::from`](super::Pipeline::from).
    pub fn late<S: Sink<Item = LateSamples>>(self, sink: S) -> Self {
        self.setting("late", |draft| {
            if draft.late.is_some() {
                let (expected, found) = ("one sink for late samples", "two".to_owned());
                draft.misplaced.get_or_insert(BuildError::Setting { setting: "late", expected, found });
            }
            draft.late = Some(draft.add_sink(sink));
        })
    }

    /// What became of every [control](crate::model::Control): from when on it holds, or why it never will. Without this, refused ones are only
    /// [counted](super::StreamReport::refused_inputs) and logged. Directly after [`Pipeline::from`](super::Pipeline::from).
    pub fn controls(self, sink: impl Sink<Item = StreamControl>) -> Self {
        self.setting("controls", |draft| {
            if draft.controls.is_some() {
                let (expected, found) = ("one sink for what became of controls", "two".to_owned());
                draft.misplaced.get_or_insert(BuildError::Setting { setting: "controls", expected, found });
            }
            draft.controls = Some(draft.add_sink(sink));
        })
    }

    /// Adds a source whose streams take the same way. Directly after [`Pipeline::from`](super::Pipeline::from).
    pub fn merge(self, source: impl Source) -> Self {
        self.setting("merge", |draft| draft.sources.push(Arc::new(source)))
    }

    /// What is done where samples are missing. Directly after [`Pipeline::from`](super::Pipeline::from).
    pub fn gaps(self, policy: GapPolicy) -> Self {
        self.setting("gaps", |draft| draft.gaps = policy)
    }

    /// How far beyond a window's end the stream's own event time must be before missing samples are given up
    /// (10 ms by default). Directly after [`Pipeline::from`](super::Pipeline::from).
    pub fn lateness(self, lateness: Span) -> Self {
        self.setting("lateness", |draft| draft.lateness = Some(lateness))
    }

    /// Where the grid of windows begins (the Unix epoch by default). Directly after [`Pipeline::from`](super::Pipeline::from).
    pub fn origin(self, origin: Timestamp) -> Self {
        self.setting("origin", |draft| draft.origin = origin)
    }

    /// The most group delay and look-ahead that any path may add up to. Directly after [`Pipeline::from`](super::Pipeline::from).
    pub fn latency_budget(self, budget: Span) -> Self {
        self.setting("latency_budget", |draft| draft.budget = Some(budget))
    }

    /// Streams that the graph cannot process (too slow for a filter, too few channels) do not fail the build, as long as one
    /// stream fits: they are set aside, their samples counted as rejected. Directly after [`Pipeline::from`](super::Pipeline::from).
    pub fn set_aside_unfit(self) -> Self {
        self.setting("set_aside_unfit", |draft| draft.set_aside_unfit = true)
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

impl<I: Clone + Send + 'static, R: 'static> Flow<Decision<I>, R> {
    /// Decides something from the decisions so far. `make` is called once for each stream.
    pub fn decide<O>(self, make: impl Fn() -> O + Send + Sync + 'static) -> Flow<O::Out, R>
    where
        O: Operator<In = Decision<I>>,
        O::Out: WindowItem,
    {
        self.map(Arc::new(make))
    }
}
