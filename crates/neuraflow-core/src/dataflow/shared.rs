//! What the workers of one pipeline and its handle share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use super::checkpointing::Ledger;
use super::cluster::Peers;
use super::cut::{Cuts, Part};
use super::error::PipelineError;
use super::launch::Launch;
use super::naming::Places;
use super::planted::Plot;
use super::pressure::Pressure;
use super::report::LatencyHistogram;
use super::runtime::Progress;
use super::watch::{Board, Health, State};
use super::watchdog::{Busy, Duty};
use crate::model::Positions;
use crate::resilience::Clock;
use crate::source::Waker;

/// Where sources and sinks go on from, by their names.
#[derive(Debug, Default)]
pub(super) struct Resume(Option<(Places, Places)>);

impl Resume {
    /// From the positions of sources and of sinks in a checkpoint.
    pub(super) fn from(sources: Places, sinks: Places) -> Self {
        Self(Some((sources, sinks)))
    }

    /// What a source had emitted; `None` if no checkpoint is restored.
    pub(super) fn source(&self, name: &str) -> Option<Positions> {
        self.0.as_ref().map(|(sources, _)| sources.get(name).cloned().unwrap_or_default())
    }

    /// What a sink had made durable; `None` if no checkpoint is restored.
    pub(super) fn sink(&self, name: &str) -> Option<Positions> {
        self.0.as_ref().map(|(_, sinks)| sinks.get(name).cloned().unwrap_or_default())
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) pressure: Pressure,
    /// The other processes, in a cluster.
    pub(super) peers: Option<Arc<Peers>>,
    /// Sources stop being polled, and everything under way is drained.
    stop: AtomicBool,
    /// Workers leave their loops at once.
    abort: AtomicBool,
    /// They leave them because the last checkpoint is written.
    suspended: AtomicBool,
    /// If checkpoints are made.
    pub(super) cuts: Option<Arc<Cuts>>,
    pub(super) resume: Resume,
    /// What the workers are at, if somebody watches over it.
    pub(super) duty: Option<Duty>,
    pub(super) plot: Plot,
    health: Mutex<Health>,
    /// How many workers have left.
    gone: Mutex<usize>,
    left: Condvar,
    /// A worker hangs.
    hung: AtomicBool,
    workers: usize,
    /// What became of the checkpoints.
    pub(super) ledger: Ledger,
    failure: Mutex<Option<PipelineError>>,
    threads: Mutex<Vec<Thread>>,
    wakers: Mutex<Vec<Waker>>,
    orphans: AtomicU64,
    pub(super) board: Board,
    latency: Mutex<(LatencyHistogram, LatencyHistogram)>,
    pub(super) samples_in: AtomicU64,
    pub(super) windows: AtomicU64,
}

impl Shared {
    pub(super) fn new(
        launch: &Launch<'_>,
        cuts: Option<Arc<Cuts>>,
        resume: Resume,
        peers: Option<Peers>,
    ) -> Self {
        let (workers, watchdog) = (launch.workers.count(), launch.watchdog);
        let (pressure, peers) = (Pressure::new(workers), peers.map(Arc::new));
        if let Some(peers) = peers.clone() {
            pressure.set_neighbours(Waker::new(move || peers.look()));
        }
        Self {
            clock: Arc::clone(launch.clock),
            peers,
            suspended: AtomicBool::new(false),
            cuts,
            resume,
            duty: watchdog.map(|limit| Duty::new(limit, workers)),
            plot: Plot::new(launch.planted),
            health: Mutex::new(launch.health.clone()),
            gone: Mutex::new(0),
            left: Condvar::new(),
            hung: AtomicBool::new(false),
            workers,
            ledger: Ledger::default(),
            pressure,
            stop: AtomicBool::new(false),
            abort: AtomicBool::new(false),
            failure: Mutex::new(None),
            threads: Mutex::new(Vec::new()),
            wakers: Mutex::new(Vec::new()),
            orphans: AtomicU64::new(0),
            board: Board::default(),
            latency: Mutex::default(),
            samples_in: AtomicU64::new(0),
            windows: AtomicU64::new(0),
        }
    }

    /// A worker registers its thread, so that it can be unparked: a parked worker sees no flag by itself.
    pub(super) fn register(&self, thread: Thread) {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    /// Keeps the first failure, and makes every worker leave.
    pub(super) fn fail(&self, error: PipelineError) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if health.state == State::Running {
            (health.state, health.reason) = (State::after(&error), Some(error.to_string()));
        }
        drop(health);
        let reason = self.peers.as_ref().map(|_| error.to_string()).unwrap_or_default();
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.peers.iter().for_each(|peers| peers.fail(&reason));
        self.abort.store(true, Ordering::SeqCst);
        self.unpark_all();
    }

    pub(super) fn take_failure(&self) -> Option<PipelineError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn aborted(&self) -> bool {
        self.abort.load(Ordering::SeqCst)
    }

    /// A worker hangs: the others leave, and nobody waits for that one.
    pub(super) fn give_up_on(&self, error: PipelineError) {
        self.hung.store(true, Ordering::SeqCst);
        self.fail(error);
    }

    /// How many workers the run has.
    pub(super) fn workers(&self) -> usize {
        self.workers
    }

    pub(super) fn is_hung(&self) -> bool {
        self.hung.load(Ordering::SeqCst)
    }

    /// A worker begins something that should not take long.
    pub(super) fn busy(&self, worker: usize) -> Option<Busy<'_>> {
        self.duty.as_ref().and_then(|duty| duty.begin(worker % self.workers, self.clock.now()))
    }

    /// A worker has left.
    pub(super) fn leave(&self) {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        *gone += 1;
        if let Some(peers) = self.peers.as_ref().filter(|_| *gone >= self.workers) {
            peers.part();
        }
        drop(gone);
        self.left.notify_all();
    }

    /// Waits for `time` at most. Whether all workers have left.
    pub(super) fn wait_until_gone(&self, time: Duration) -> bool {
        let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        let here = |gone: &mut usize| *gone < self.workers;
        let waited = self.left.wait_timeout_while(gone, time, here).unwrap_or_else(PoisonError::into_inner);
        *waited.0 >= self.workers
    }

    pub(super) fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The run is over, if it has not failed already.
    pub(super) fn finished(&self) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if health.state == State::Running {
            health.state = State::Finished;
        }
    }

    pub(super) fn progress(&self) -> Progress {
        let Health { state, restarts, .. } = self.health();
        let samples_in = self.samples_in.load(Ordering::Relaxed);
        Progress { samples_in, windows: self.windows.load(Ordering::Relaxed), state, restarts }
    }

    /// Tells the thread that makes checkpoints something, if there is one.
    pub(super) fn tell(&self, part: impl FnOnce() -> Part) {
        if let Some(cuts) = &self.cuts {
            cuts.tell(part());
        }
    }

    /// Makes every worker leave, without flushing anything: all there is to know is in a checkpoint.
    pub(super) fn suspend(&self) {
        self.suspended.store(true, Ordering::SeqCst);
        self.abort.store(true, Ordering::SeqCst);
        self.unpark_all();
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.suspended.load(Ordering::SeqCst)
    }

    pub(super) fn request_stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.wake_ingress();
        self.peers.iter().for_each(|peers| peers.stop());
    }

    /// Makes every ingress run, so that it notices a stop or a cut.
    pub(super) fn wake_ingress(&self) {
        for waker in self.wakers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            waker.wake();
        }
    }

    /// Registers what must run for a stop to be noticed.
    pub(super) fn wake_on_stop(&self, waker: Waker) {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
    }

    pub(super) fn count_orphans(&self, values: u64) {
        if values > 0 {
            self.orphans.fetch_add(values, Ordering::Relaxed);
        }
    }

    pub(super) fn orphans(&self) -> u64 {
        self.orphans.load(Ordering::Relaxed)
    }

    pub(super) fn stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Adds what one activation took: for each slab, how long it had waited, how long it took, and the windows it closed.
    pub(super) fn record(&self, slabs: impl Iterator<Item = (u64, u64, u64)>) {
        let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        for (wait, compute, windows) in slabs {
            latency.0.record_many(wait, windows);
            latency.1.record_many(compute, windows);
        }
    }

    /// Wait and compute so far.
    pub(super) fn latency(&self) -> (LatencyHistogram, LatencyHistogram) {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn unpark_all(&self) {
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            thread.unpark();
        }
    }
}
