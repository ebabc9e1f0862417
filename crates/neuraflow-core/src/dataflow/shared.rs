//! What the workers of one pipeline and its handle share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;

use super::error::PipelineError;
use super::pressure::Pressure;
use super::report::LatencyHistogram;
use super::watch::Board;
use crate::resilience::Clock;
use crate::source::Waker;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) pressure: Pressure,
    /// Sources stop being polled, and everything under way is drained.
    stop: AtomicBool,
    /// Workers leave their loops at once.
    abort: AtomicBool,
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
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            pressure: Pressure::default(),
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
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.abort.store(true, Ordering::SeqCst);
        self.unpark_all();
    }

    pub(super) fn take_failure(&self) -> Option<PipelineError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn aborted(&self) -> bool {
        self.abort.load(Ordering::SeqCst)
    }

    pub(super) fn request_stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
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
