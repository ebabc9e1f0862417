//! Retry: a write that failed for a passing reason is made again, a few times, within a budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use neuraflow_core::model::{Positions, Recovery};
use neuraflow_core::resilience::{Backoff, Budget, Clock, Jitter};
use neuraflow_core::sink::{Overflow, Placement, Sink, SinkContext, SinkError, SinkWriter};

/// How long to nap at most: the pipeline's clock need not be the machine's.
const NAP: Duration = Duration::from_millis(20);
/// Items that wait where the sink behind has no queue of its own.
const QUEUE: usize = 4_096;

/// How often, and after what waits, something is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// Retries of one write, at most.
    pub most: u32,
    /// How long to wait before each, with jitter.
    pub wait: Backoff,
    /// Retries for a hundred writes. Beyond them a failure is the caller's: where everything fails, trying again helps nobody.
    pub budget_percent: u32,
    /// Retries that are there at the start, and that are saved at most.
    pub reserve: u32,
    /// The seed of the jitter.
    pub seed: u64,
}

impl Default for RetryConfig {
    /// Three retries after 10 ms to 1 s, of 10 % of all writes, and ten for bad times.
    fn default() -> Self {
        Self {
            most: 3,
            wait: Backoff::new(Duration::from_millis(10), Duration::from_secs(1)),
            budget_percent: 10,
            reserve: 10,
            seed: u64::from(std::process::id()),
        }
    }
}

/// A sink in front of another that makes a write again which failed for a reason that may pass
/// ([`Recovery::Retry`]): what is left of it, after a wait. What still fails then is the pipeline's, or that of the layer before.
///
/// It waits on the thread of the sink. The sink behind may be given the same twice, where it took something and failed all the
/// same.
///
/// ```
/// use neuraflow_core::model::Features;
/// use neuraflow_sinks::Callback;
/// use neuraflow_sinks::layer::{Retry, RetryConfig};
/// let sink = Retry::new(Callback::new(|features: &Features| drop(features.clone())), RetryConfig::default());
/// assert_eq!(sink.retries(), 0);
/// ```
#[derive(Debug)]
pub struct Retry<S> {
    inner: S,
    config: RetryConfig,
    retries: Arc<AtomicU64>,
}

impl<S> Retry<S> {
    /// In front of `inner`.
    pub fn new(inner: S, config: RetryConfig) -> Self {
        Self { inner, config, retries: Arc::default() }
    }

    /// Writes that were made again so far.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }
}

impl<S: Sink> Sink for Retry<S> {
    type Item = S::Item;
    type Writer = RetryWriter<S::Writer>;

    fn name(&self) -> String {
        self.inner.name()
    }

    fn placement(&self) -> Placement {
        off_the_worker(self.inner.placement())
    }

    fn open(&self, context: &SinkContext) -> Result<Self::Writer, SinkError> {
        Ok(RetryWriter {
            inner: self.inner.open(context)?,
            config: self.config,
            budget: Budget::new(self.config.budget_percent, self.config.reserve),
            jitter: Jitter::new(self.config.seed),
            clock: Arc::clone(&context.clock),
            retries: Arc::clone(&self.retries),
        })
    }
}

/// Whoever waits does not do so on a worker.
pub(super) fn off_the_worker(placement: Placement) -> Placement {
    match placement {
        Placement::Inline => Placement::Thread { capacity: QUEUE, overflow: Overflow::Block },
        thread @ Placement::Thread { .. } => thread,
    }
}

/// Writes through a [`Retry`].
#[derive(Debug)]
pub struct RetryWriter<W> {
    inner: W,
    config: RetryConfig,
    budget: Budget,
    jitter: Jitter,
    clock: Arc<dyn Clock>,
    retries: Arc<AtomicU64>,
}

impl<W: SinkWriter> RetryWriter<W> {
    /// Makes a call again as long as it fails for a passing reason, and may be.
    fn again<T>(&mut self, mut call: impl FnMut(&mut W) -> Result<T, SinkError>) -> Result<T, SinkError> {
        self.budget.earn();
        let mut retries = 0;
        loop {
            match call(&mut self.inner) {
                Err(error) if error.recovery() == Recovery::Retry => {
                    if retries == self.config.most || !self.budget.spend() {
                        return Err(error);
                    }
                    self.pause(retries);
                    retries += 1;
                    self.retries.fetch_add(1, Ordering::Relaxed);
                }
                answer => return answer,
            }
        }
    }

    fn pause(&mut self, retries: u32) {
        let wait = self.config.wait.spread(retries, &mut self.jitter);
        let until = self.clock.now().saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
        loop {
            let left = Duration::from_nanos(until.saturating_sub(self.clock.now()));
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(NAP));
        }
    }
}

impl<W: SinkWriter> SinkWriter for RetryWriter<W> {
    type Item = W::Item;

    fn write(&mut self, items: &mut Vec<W::Item>) -> Result<(), SinkError> {
        self.again(|inner| inner.write(items))
    }

    fn spent(&mut self) -> Option<&mut Vec<W::Item>> {
        self.inner.spent()
    }

    fn barrier(&mut self, checkpoint: u64) -> Result<Positions, SinkError> {
        self.again(|inner| inner.barrier(checkpoint))
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.again(SinkWriter::finish)
    }
}
