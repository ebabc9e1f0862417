//! The plan of a graph: factories from which every stream gets its own chain.
//!
//! A plan is checked when the pipeline is built, by making a chain for every stream that the sources announce;
//! on the workers it makes the chains that run.

use std::sync::Arc;

use super::chain::{
    Child, Children, Clock, EPOCHS, EpochNode, Fixture, MapNode, Node, StageNode, Waiting, WindowNode,
};
use super::error::BuildError;
use super::items::{MarkerNode, StreamMarker};
use super::outbox::Outboxes;
use super::report::PathLatency;
use crate::model::{Chunk, Span, StreamHeader, Timestamp, Window};
use crate::operator::{Item, Latency, Operator, SignalSpec, WindowItem, WindowSpec, shared};
use crate::window::{EpochConfig, EpochCutter, WindowAssembler, WindowGrid};

/// Makes a node, and everything after it, for one stream.
pub(super) trait Plan<T: Item>: Send + Sync {
    /// `ahead` is the latency contract of everything before the node.
    fn instantiate(
        &self,
        spec: &T::Spec,
        ahead: Latency,
        site: &mut Site<'_>,
    ) -> Result<Child<T>, BuildError>;

    /// Writes a line about the node, and those of everything after it: what a state is the state of.
    fn describe(&self, depth: usize, lines: &mut Vec<String>);
}

pub(super) type Plans<T> = Vec<Arc<dyn Plan<T>>>;
pub(super) type Factory<O> = Arc<dyn Fn() -> O + Send + Sync>;

/// Where a chain is being built, and what is noted down on the way.
pub(super) struct Site<'a> {
    pub(super) header: &'a Arc<StreamHeader>,
    /// The first sample that the chain will see.
    pub(super) first: u64,
    pub(super) origin: Timestamp,
    pub(super) budget: Option<Span>,
    pub(super) outboxes: &'a Outboxes,
    pub(super) paths: &'a mut Vec<PathLatency>,
    /// Nodes made so far: where the next one stands in the graph.
    pub(super) nodes: &'a mut usize,
    /// The stream's place on all shelves.
    pub(super) at: usize,
}

impl Site<'_> {
    /// Puts a node beside those that other streams have at the same place of the graph.
    fn put<T, N>(&mut self, stage: &Arc<str>, children: Children<N::Out>, node: N) -> Child<T>
    where
        T: 'static,
        N: Node<T> + 'static,
        N::Out: Clone + 'static,
    {
        let fixture = Fixture { stage: Arc::clone(stage), children };
        let places = self.outboxes.shelves.put(*self.nodes, self.at, fixture, node);
        *self.nodes += 1;
        Child::Places(places)
    }

    /// Prepares an operator: what comes out of it, and the latency up to there, which must be within the budget.
    fn prepare<O: Operator>(
        &self,
        stage: &Arc<str>,
        operator: &mut O,
        spec: &<O::In as Item>::Spec,
        ahead: Latency,
    ) -> Result<(<O::Out as Item>::Spec, Latency), BuildError> {
        let prepared = operator.prepare(spec).and_then(|out| operator.open(self.header).map(|()| out));
        let out = prepared.map_err(|source| BuildError::Stage {
            stage: Arc::clone(stage),
            stream: self.header.name.clone(),
            source,
        })?;
        let latency = ahead.then(operator.latency());
        let found = latency.group_delay + latency.look_ahead;
        match self.budget {
            Some(budget) if found > budget => {
                Err(BuildError::OverBudget { stage: Arc::clone(stage), budget, found })
            }
            _ => Ok((out, latency)),
        }
    }
}

pub(super) fn instantiate_all<T: Item>(
    plans: &Plans<T>,
    spec: &T::Spec,
    ahead: Latency,
    site: &mut Site<'_>,
) -> Result<Children<T>, BuildError> {
    plans.iter().map(|plan| plan.instantiate(spec, ahead, site)).collect()
}

pub(super) fn describe_all<T: Item>(plans: &Plans<T>, depth: usize, lines: &mut Vec<String>) {
    plans.iter().for_each(|plan| plan.describe(depth, lines));
}

/// A line of a graph's description. How far it is set in tells what it comes after.
fn line(depth: usize, stage: &str, what: &str) -> String {
    format!("{:1$}{stage}{what}", "", 2 * depth)
}

pub(super) struct StagePlan<O> {
    pub(super) stage: Arc<str>,
    pub(super) make: Factory<O>,
    pub(super) children: Plans<Chunk>,
}

impl<O: Operator<In = Chunk, Out = Chunk>> Plan<Chunk> for StagePlan<O> {
    fn instantiate(
        &self,
        spec: &SignalSpec,
        ahead: Latency,
        site: &mut Site<'_>,
    ) -> Result<Child<Chunk>, BuildError> {
        let mut operator = (self.make)();
        let (out_spec, latency) = site.prepare(&self.stage, &mut operator, spec, ahead)?;
        let clock = Clock::new(site.header, spec.rate, out_spec.rate);
        let children = match &clock {
            None => instantiate_all(&self.children, &out_spec, latency, site)?,
            Some(clock) => {
                let (header, first) = (clock.header(), clock.behind(site.first));
                let Site { origin, budget, outboxes, at, .. } = *site;
                let (paths, nodes) = (&mut *site.paths, &mut *site.nodes);
                let mut behind = Site { header, first, origin, budget, outboxes, paths, nodes, at };
                instantiate_all(&self.children, &out_spec, latency, &mut behind)?
            }
        };
        let channels_out = out_spec.channels.len();
        let node = StageNode { operator, channels_out, next: 0, needs_from: 0, clock: clock.map(Box::new) };
        Ok(site.put(&self.stage, children, node))
    }

    fn describe(&self, depth: usize, lines: &mut Vec<String>) {
        lines.push(line(depth, &self.stage, ""));
        describe_all(&self.children, depth + 1, lines);
    }
}

pub(super) struct MapPlan<O: Operator> {
    pub(super) stage: Arc<str>,
    pub(super) make: Factory<O>,
    pub(super) children: Plans<O::Out>,
}

impl<O: Operator> Plan<O::In> for MapPlan<O>
where
    O::Out: WindowItem,
{
    fn instantiate(
        &self,
        spec: &<O::In as Item>::Spec,
        ahead: Latency,
        site: &mut Site<'_>,
    ) -> Result<Child<O::In>, BuildError> {
        let mut operator = (self.make)();
        let (out_spec, latency) = site.prepare(&self.stage, &mut operator, spec, ahead)?;
        let out_spec = shared(out_spec);
        let children = instantiate_all(&self.children, &out_spec, latency, site)?;
        let looks_ahead = operator.latency().look_ahead > Span::ZERO;
        let node = MapNode {
            operator,
            spec: out_spec,
            settling: latency.warm_up + latency.look_back,
            started: site.header.time_of(site.first),
            looks_ahead,
            latest: None,
            waiting: Waiting::default(),
        };
        Ok(site.put(&self.stage, children, node))
    }

    fn describe(&self, depth: usize, lines: &mut Vec<String>) {
        lines.push(line(depth, &self.stage, ""));
        describe_all(&self.children, depth + 1, lines);
    }
}

pub(super) struct WindowPlan {
    pub(super) stage: Arc<str>,
    pub(super) hop: Span,
    pub(super) counted: bool,
    pub(super) children: Plans<Window>,
}

impl Plan<Chunk> for WindowPlan {
    fn instantiate(
        &self,
        spec: &SignalSpec,
        ahead: Latency,
        site: &mut Site<'_>,
    ) -> Result<Child<Chunk>, BuildError> {
        let header = Arc::clone(site.header);
        let grid = WindowGrid::new(header.t0, spec.rate, site.origin, self.hop);
        let grid = grid.and_then(|grid| grid.dense_enough().map(|()| grid)).map_err(|source| {
            BuildError::Window { stage: Arc::clone(&self.stage), stream: header.name.clone(), source }
        })?;
        let warm_up = spec.rate.samples_in(ahead.warm_up);
        let window_spec = WindowSpec { signal: spec.clone(), hop: self.hop };
        let children = instantiate_all(&self.children, &window_spec, ahead, site)?;
        let assembler = WindowAssembler::new(header, grid, site.first);
        let (started, counted) = (site.first, self.counted);
        Ok(site.put(&self.stage, children, WindowNode { assembler, warm_up, started, counted }))
    }

    fn describe(&self, depth: usize, lines: &mut Vec<String>) {
        lines.push(line(depth, &self.stage, if self.counted { ": counted" } else { "" }));
        describe_all(&self.children, depth + 1, lines);
    }
}

pub(super) struct EpochPlan {
    pub(super) epochs: EpochConfig,
    pub(super) children: Plans<Window>,
}

impl Plan<Chunk> for EpochPlan {
    fn instantiate(
        &self,
        spec: &SignalSpec,
        ahead: Latency,
        site: &mut Site<'_>,
    ) -> Result<Child<Chunk>, BuildError> {
        let window_spec = WindowSpec { signal: spec.clone(), hop: self.epochs.before + self.epochs.after };
        let children = instantiate_all(&self.children, &window_spec, ahead, site)?;
        let cutter = EpochCutter::new(Arc::clone(site.header), self.epochs.clone(), site.first);
        let cutter = cutter.map_err(|source| BuildError::Window {
            stage: EPOCHS.into(),
            stream: site.header.name.clone(),
            source,
        })?;
        let warm_up = spec.rate.samples_in(ahead.warm_up);
        Ok(site.put(&EPOCHS.into(), children, EpochNode { cutter, warm_up, started: site.first }))
    }

    fn describe(&self, depth: usize, lines: &mut Vec<String>) {
        let EpochConfig { before, after, labels, history } = &self.epochs;
        let nanos = [before, after, history].map(|span| span.as_nanos());
        lines.push(line(depth, EPOCHS, &format!(": {nanos:?} ns, labels {labels:?}")));
        describe_all(&self.children, depth + 1, lines);
    }
}

/// The end of a branch.
pub(super) struct OutletPlan {
    pub(super) outlet: usize,
    pub(super) name: Arc<str>,
}

impl<T: Item> Plan<T> for OutletPlan {
    fn instantiate(&self, _: &T::Spec, ahead: Latency, site: &mut Site<'_>) -> Result<Child<T>, BuildError> {
        site.paths.push(PathLatency {
            stream: site.header.key,
            sink: Arc::clone(&self.name),
            latency: ahead,
        });
        Ok(Child::Outlet(site.outboxes.of::<T>(self.outlet)))
    }

    fn describe(&self, depth: usize, lines: &mut Vec<String>) {
        lines.push(line(depth, "sink ", &self.name));
    }
}

/// Markers leave here.
pub(super) struct MarkerPlan {
    pub(super) outlet: usize,
    pub(super) name: Arc<str>,
}

impl Plan<Chunk> for MarkerPlan {
    fn instantiate(
        &self,
        _: &SignalSpec,
        _: Latency,
        site: &mut Site<'_>,
    ) -> Result<Child<Chunk>, BuildError> {
        let outlet = Child::Outlet(site.outboxes.of::<StreamMarker>(self.outlet));
        Ok(site.put(&self.name, [outlet].into_iter().collect(), MarkerNode))
    }

    fn describe(&self, depth: usize, lines: &mut Vec<String>) {
        lines.push(line(depth, "markers to sink ", &self.name));
    }
}
