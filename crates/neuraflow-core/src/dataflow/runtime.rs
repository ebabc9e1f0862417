//! The runtime: workers that the host can start, watch, stop and join.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use timely::communication::{Config, WorkerGuards, initialize};

use super::cluster::{Links, Mesh};
use super::cut::Part;
use super::error::PipelineError;
use super::life::Life;
use super::outlet::Outlet;
use super::report::{Report, StreamReport};
use super::shared::Shared;
use super::watch::{Run, State, Watch};

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

    pub(super) fn count(self) -> usize {
        self.count.get()
    }

    /// Whether they never sleep.
    pub(super) fn spins(self) -> bool {
        self.spin
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
    pub(super) shared: Arc<Shared>,
    guards: Option<WorkerGuards<Vec<StreamReport>>>,
    pub(super) outlets: Vec<Arc<dyn Outlet>>,
    /// The thread that makes checkpoints, or sees to it that another process can.
    pub(super) checkpoints: Option<JoinHandle<()>>,
    pub(super) watchdog: Option<JoinHandle<()>>,
    /// What connects it with other processes; and Timely's connections, as long as no worker has them.
    pub(super) links: Option<Links>,
    pub(super) mesh: Option<Mesh>,
}

/// How far a running pipeline is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What it is at.
    pub state: State,
    /// How often it was started again.
    pub restarts: u32,
    /// Samples that came in, all channels at one instant counting once.
    pub samples_in: u64,
    /// Windows closed by the graph's main window.
    pub windows: u64,
}

impl Running {
    /// Nothing of it has been started yet.
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            guards: None,
            outlets: Vec::new(),
            checkpoints: None,
            watchdog: None,
            links: None,
            mesh: None,
        }
    }

    /// Starts the workers.
    pub(super) fn start(&mut self, life: Life) -> Result<(), PipelineError> {
        let workers = self.shared.workers();
        let live = move |allocator| life.live(allocator);
        let guards = match self.mesh.take() {
            Some(mesh) => mesh.start(&self.shared, live),
            None => initialize(Config::Process(workers), live)
                .map_err(|reason| PipelineError::Spawn { workers, reason }),
        };
        self.guards = Some(guards?);
        Ok(())
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.shared.progress()
    }

    /// Whether all workers are gone, so that [`join`](Running::join) returns at once but for sinks still writing.
    pub fn is_finished(&self) -> bool {
        self.guards.as_ref().is_none_or(|guards| guards.guards().iter().all(|guard| guard.is_finished()))
    }

    /// Looks on from another thread, for dashboards and metrics.
    pub fn watch(&self) -> Watch {
        Watch::new(Arc::new(self.run()))
    }

    pub(super) fn run(&self) -> Run {
        Run::new(&self.shared, &self.outlets)
    }

    /// Asks for a stop: sources are read no further, everything under way is drained, the last windows are flushed.
    pub fn stop(&self) {
        self.shared.request_stop();
    }

    /// A handle that stops the pipeline from anywhere, for example from a signal handler.
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.shared))
    }

    /// Asks for a checkpoint now instead of at the next interval. It is made in the background.
    pub fn checkpoint(&self) {
        self.shared.tell(|| Part::Now);
    }

    /// Makes a last checkpoint and leaves the pipeline there, to go on later, elsewhere, or on another number of workers:
    /// nothing is read or computed beyond it, no window is flushed. Samples that wait for earlier ones are in the report's
    /// `samples_in` only. Where the input ends before, or there are no checkpoints, it is drained as by [`stop`](Self::stop), and
    /// there is nothing to go on with: [`suspended`](super::CheckpointReport::suspended) tells. In a cluster all processes are left there.
    pub fn suspend(self) -> Result<Report, PipelineError> {
        self.stopper().suspend();
        self.join()
    }

    /// Waits until the input has ended, or the pipeline was stopped or has failed.
    pub fn join(self) -> Result<Report, PipelineError> {
        let (report, result) = self.outcome();
        result.map(|()| report)
    }

    /// Waits as [`join`](Running::join) does. Where the pipeline has failed, the report says how far it came: samples under
    /// way between source and operators are not in it yet, and those that waited for earlier ones count as dropped.
    pub fn outcome(mut self) -> (Report, Result<(), PipelineError>) {
        let streams = self.wait();
        self.finish();
        self.report(streams)
    }

    /// After all is over: what the workers say of their streams, and what else is known.
    pub(super) fn report(&self, streams: Vec<Vec<StreamReport>>) -> (Report, Result<(), PipelineError>) {
        let mut streams: Vec<StreamReport> = streams.into_iter().flatten().collect();
        streams.sort_by_key(|stream| stream.header.key);
        let sinks = self.outlets.iter().filter_map(|outlet| outlet.report()).collect();
        let (wait, compute) = self.shared.latency();
        let (orphan_values, checkpoints) = (self.shared.orphans(), self.shared.ledger.read());
        let report = Report { streams, sinks, wait, compute, orphan_values, checkpoints };
        (report, self.shared.take_failure().map_or(Ok(()), Err))
    }

    pub(super) fn wait(&mut self) -> Vec<Vec<StreamReport>> {
        let reports = self.wait_for_workers();
        self.links = None; // waits for the good-byes of other processes
        reports
    }

    fn wait_for_workers(&mut self) -> Vec<Vec<StreamReport>> {
        let Some(guards) = self.guards.take() else { return Vec::new() };
        if self.shared.duty.is_some() {
            while !self.shared.wait_until_gone(Duration::from_millis(100)) {
                if self.shared.is_hung() {
                    // Joining, and already dropping them, would wait for the worker that hangs.
                    std::mem::forget(guards);
                    return Vec::new();
                }
            }
        }
        // A worker catches its own panics, so that each result is there. Timely joins its connections as well, and panics if
        // they have: the run has an error then.
        let results = catch_unwind(AssertUnwindSafe(|| guards.join())).unwrap_or_default();
        results.into_iter().filter_map(Result::ok).collect()
    }

    /// After all workers are gone: waits for the sinks, and then for the checkpoint that may be under way.
    fn finish(&mut self) {
        self.outlets.iter().for_each(|outlet| outlet.finish());
        self.shared.tell(|| Part::Over);
        if let Some(thread) = self.checkpoints.take() {
            // It has nothing to say: what it did is in the ledger.
            let _ = thread.join();
        }
        if let Some(thread) = self.watchdog.take() {
            let _ = thread.join();
        }
        self.shared.finished();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        self.wait();
        self.finish();
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

    /// Asks for a last checkpoint, to be left there; without checkpoints for a stop.
    pub(super) fn suspend(&self) {
        match &self.0.cuts {
            Some(cuts) => cuts.tell(Part::Suspend),
            None => self.stop(),
        }
    }
}
