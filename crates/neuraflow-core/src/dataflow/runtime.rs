//! The runtime: workers that the host can start, watch, stop and join.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use timely::WorkerConfig;
use timely::communication::{Allocator, Config, WorkerGuards, initialize};
use timely::dataflow::operators::Concatenate;
use timely::worker::Worker;

use super::deliver::{Outlet, panic_message};
use super::error::PipelineError;
use super::graph::Graph;
use super::ingress::ingress;
use super::keyed::keyed;
use super::pipeline::Pipeline;
use super::report::{Report, StreamReport};
use super::shared::Shared;
use super::slab::UsedSlabs;
use super::watch::Watch;
use crate::resilience::Clock;
use crate::source::Source;

/// How many worker threads a pipeline runs on. The output does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workers {
    count: NonZeroUsize,
    spin: bool,
}

impl Workers {
    /// So many workers, at least one, that sleep while there is nothing to do.
    pub fn new(workers: usize) -> Self {
        Self { count: NonZeroUsize::new(workers).unwrap_or(NonZeroUsize::MIN), spin: false }
    }

    /// The same, but that they never sleep: each takes up all of a processor core, and notices a packet at once instead of
    /// after being woken, which takes some 20 µs. Worth it only where each has a core that nothing else wants: workers that spin in
    /// each other's way are slower than workers that sleep.
    #[must_use]
    pub fn spinning(self) -> Self {
        Self { spin: true, ..self }
    }
}

/// A running pipeline. Dropping it stops and drains it, as [`stop`](Running::stop) and [`join`](Running::join) do.
pub struct Running {
    shared: Arc<Shared>,
    guards: Option<WorkerGuards<Vec<StreamReport>>>,
    outlets: Vec<Arc<dyn Outlet>>,
}

/// How far a running pipeline is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Samples that came in, all channels at one instant counting once.
    pub samples_in: u64,
    /// Windows closed by the graph's main window.
    pub windows: u64,
}

pub(super) fn spawn(
    pipeline: Pipeline,
    workers: Workers,
    clock: Arc<dyn Clock>,
) -> Result<Running, PipelineError> {
    let Workers { count, spin } = workers;
    let count = count.get();
    let shared = Arc::new(Shared::new(clock));
    let mut running = Running { shared: Arc::clone(&shared), guards: None, outlets: Vec::new() };
    for (index, open) in pipeline.outlets.iter().enumerate() {
        running.outlets.push(open(index, count, &shared)?); // on an error, those that are open are finished
    }
    let (graph, sources) = (pipeline.graph, pipeline.sources);
    let (of_worker, outlets_of_worker) = (shared, running.outlets.clone());
    let guards = initialize(Config::Process(count), move |allocator| {
        run_worker(allocator, spin, &graph, &sources, &outlets_of_worker, &of_worker)
    })
    .map_err(|reason| PipelineError::Spawn { workers: count, reason })?;
    running.guards = Some(guards);
    Ok(running)
}

/// A worker's whole life. A panic anywhere in it stops all workers and becomes the pipeline's error.
fn run_worker(
    allocator: Allocator,
    spin: bool,
    graph: &Arc<Graph>,
    sources: &[Arc<dyn Source>],
    outlets: &[Arc<dyn Outlet>],
    shared: &Arc<Shared>,
) -> Vec<StreamReport> {
    let index = allocator.index();
    shared.register(std::thread::current());
    let reports = Rc::new(RefCell::new(Vec::new()));
    let life = catch_unwind(AssertUnwindSafe(|| {
        let mut worker = Worker::new(WorkerConfig::default(), allocator, Some(std::time::Instant::now()));
        let used = UsedSlabs::default();
        worker.dataflow(|scope| {
            let readers = sources.iter().enumerate().map(|(number, source)| {
                let id = number * scope.peers() + scope.index();
                ingress(scope, source, id as u32, &used, shared)
            });
            let slabs = scope.concatenate(readers.collect::<Vec<_>>());
            keyed(slabs, graph, outlets, shared, &used, &reports);
        });
        while worker.has_dataflows() && !shared.aborted() {
            if spin {
                worker.step();
                std::hint::spin_loop();
            } else {
                worker.step_or_park(None);
            }
        }
        for dataflow in worker.installed_dataflows() {
            worker.drop_dataflow(dataflow);
        }
    }));
    if let Err(panic) = life {
        shared.fail(PipelineError::Panicked {
            place: format!("worker {index}"),
            message: panic_message(&*panic),
        });
    }
    reports.take()
}

impl Running {
    /// How far it is.
    pub fn progress(&self) -> Progress {
        Progress {
            samples_in: self.shared.samples_in.load(Ordering::Relaxed),
            windows: self.shared.windows.load(Ordering::Relaxed),
        }
    }

    /// Whether all workers are gone, so that [`join`](Running::join) returns at once but for sinks still writing.
    pub fn is_finished(&self) -> bool {
        self.guards.as_ref().is_none_or(|guards| guards.guards().iter().all(|guard| guard.is_finished()))
    }

    /// Looks on from another thread, for dashboards and metrics.
    pub fn watch(&self) -> Watch {
        Watch::new(&self.shared, &self.outlets)
    }

    /// Asks for a stop: sources are read no further, everything under way is drained, the last windows are flushed.
    pub fn stop(&self) {
        self.shared.request_stop();
    }

    /// A handle that stops the pipeline from anywhere, for example from a signal handler.
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.shared))
    }

    /// Waits until the input has ended, or the pipeline was stopped or has failed.
    pub fn join(self) -> Result<Report, PipelineError> {
        let (report, result) = self.outcome();
        result.map(|()| report)
    }

    /// Waits as [`join`](Running::join) does. Where the pipeline has failed, the report says how far it came: samples under
    /// way between source and operators are not in it yet, and those that waited for earlier ones count as dropped.
    pub fn outcome(mut self) -> (Report, Result<(), PipelineError>) {
        let mut streams: Vec<StreamReport> = self.wait().into_iter().flatten().collect();
        streams.sort_by_key(|stream| stream.header.key);
        self.outlets.iter().for_each(|outlet| outlet.finish());
        let sinks = self.outlets.iter().filter_map(|outlet| outlet.report()).collect();
        let (wait, compute) = self.shared.latency();
        let report = Report { streams, sinks, wait, compute, orphan_values: self.shared.orphans() };
        (report, self.shared.take_failure().map_or(Ok(()), Err))
    }

    fn wait(&mut self) -> Vec<Vec<StreamReport>> {
        let Some(guards) = self.guards.take() else { return Vec::new() };
        // A worker catches its own panics, so that each result is there.
        guards.join().into_iter().filter_map(Result::ok).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        self.wait();
        self.outlets.iter().for_each(|outlet| outlet.finish());
    }
}

/// Stops a pipeline from any thread.
#[derive(Clone)]
pub struct Stopper(Arc<Shared>);

impl Stopper {
    /// Asks for a stop, as [`Running::stop`] does.
    pub fn stop(&self) {
        self.0.request_stop();
    }
}
