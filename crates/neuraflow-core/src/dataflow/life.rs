//! A worker's life: the graph that it builds, the steps that it takes, and how it leaves.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use timely::WorkerConfig;
use timely::communication::Allocator;
use timely::dataflow::operators::Concatenate;
use timely::worker::Worker;

use super::capture::Capture;
use super::cut::Part;
use super::deliver::panic_message;
use super::error::PipelineError;
use super::graph::Graph;
use super::ingress::ingress;
use super::keyed::{Site, Snapshots, keyed};
use super::outlet::Outlet;
use super::pace::Pace;
use super::report::StreamReport;
use super::shared::Shared;
use super::slab::UsedSlabs;
use crate::source::Source;

/// What all workers of a run live on. Not the sinks: they are let go with their last writer.
pub(super) struct Life {
    pub(super) pace: Pace,
    pub(super) graph: Arc<Graph>,
    pub(super) sources: Vec<Arc<dyn Source>>,
    pub(super) outlets: Vec<Arc<dyn Outlet>>,
    pub(super) shared: Arc<Shared>,
    /// For each worker the streams that it goes on with. It takes them.
    pub(super) restored: Mutex<Vec<Option<Snapshots>>>,
}

impl Life {
    /// A worker's whole life. A panic anywhere in it stops all workers and becomes the pipeline's error.
    pub(super) fn live(&self, allocator: Allocator) -> Vec<StreamReport> {
        let (index, shared) = (allocator.index(), &self.shared);
        shared.register(std::thread::current());
        let reports = Rc::new(RefCell::new(Vec::new()));
        let mut worker = Worker::new(WorkerConfig::default(), allocator, self.pace.begins());
        let life = catch_unwind(AssertUnwindSafe(|| {
            self.build(&mut worker, &reports);
            self.pace.built(index);
            while worker.has_dataflows() && !shared.aborted() && self.pace.step(&mut worker, shared) {}
        }));
        // Not while it unwinds: Timely's own threads panic when they find that a worker has been dropped by a panic.
        let end = catch_unwind(AssertUnwindSafe(|| {
            for dataflow in worker.installed_dataflows() {
                worker.drop_dataflow(dataflow);
            }
            drop(worker);
        }));
        if let Err(panic) = life.and(end) {
            let (place, message) = (format!("worker {index}"), panic_message(&*panic));
            shared.fail(PipelineError::Panicked { place, message });
        }
        self.pace.left(index);
        shared.leave();
        reports.take()
    }

    fn build(&self, worker: &mut Worker, reports: &Rc<RefCell<Vec<StreamReport>>>) {
        let (shared, sources) = (&self.shared, &self.sources);
        let (index, workers) = (worker.index(), worker.peers());
        let _busy = shared.busy(index);
        let used = UsedSlabs::default();
        let names: Arc<[Arc<str>]> = sources.iter().map(|source| source.name().into()).collect();
        let capture = shared
            .cuts
            .as_ref()
            .map(|cuts| Capture::new(Arc::clone(cuts), index, workers, names).with(&shared.plot));
        let restored = self
            .restored
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_mut(index % shared.workers()) // they are counted over all processes
            .and_then(Option::take);
        let mut opened = 0;
        worker.dataflow(|scope| {
            let readers = sources.iter().enumerate().map(|(number, source)| {
                let id = number * workers + index;
                let (slabs, reads) = ingress(scope, source, id as u32, &used, shared);
                opened += usize::from(reads);
                slabs
            });
            let slabs = scope.concatenate(readers.collect::<Vec<_>>());
            let site = Site { graph: &self.graph, outlets: &self.outlets, shared, used: &used, reports };
            keyed(slabs, &site, capture, restored.unwrap_or_default());
        });
        shared.tell(|| Part::Ready { readers: opened });
    }
}
