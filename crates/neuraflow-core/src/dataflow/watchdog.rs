//! The watchdog: notices a worker that has been at one and the same thing for too long.
//!
//! A thread cannot be killed. What can be done is to say so, to stop the others, and to wait for it no longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::error::PipelineError;
use super::shared::Shared;

/// What the workers are at.
#[derive(Debug)]
pub(super) struct Duty {
    /// How long a worker may be at one activation of an operator.
    limit: Duration,
    /// For each worker, since when it has been at one: nanoseconds of the pipeline's clock and one more; 0 between two.
    since: Vec<AtomicU64>,
}

/// As long as it lives, a worker is at something.
pub(super) struct Busy<'a>(&'a AtomicU64);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl Duty {
    pub(super) fn new(limit: Duration, workers: usize) -> Self {
        Self { limit, since: (0..workers).map(|_| AtomicU64::new(0)).collect() }
    }

    pub(super) fn begin(&self, worker: usize, now: u64) -> Option<Busy<'_>> {
        let since = self.since.get(worker)?;
        since.store(now.saturating_add(1), Ordering::Relaxed);
        Some(Busy(since))
    }

    /// How long the watchdog sleeps between two looks: the pipeline's clock need not be the machine's.
    fn nap(&self) -> Duration {
        (self.limit / 4).clamp(Duration::from_millis(1), Duration::from_millis(100))
    }

    /// The same as [`overdue`](Self::overdue), but where the last look is far too long ago: the process was stopped, or the
    /// machine asleep, and the workers with it. They get until the next look.
    fn look(&self, looked: &mut u64, now: u64) -> Option<(usize, Duration)> {
        let away = Duration::from_nanos(now.saturating_sub(std::mem::replace(looked, now)));
        if away > 2 * self.nap() + self.limit / 2 { None } else { self.overdue(now) }
    }

    /// A worker that has been at something for too long, and for how long.
    fn overdue(&self, now: u64) -> Option<(usize, Duration)> {
        let times = self.since.iter().map(|since| match since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_nanos(now.saturating_sub(since - 1)),
        });
        times.enumerate().find(|(_, time)| *time > self.limit)
    }
}

/// Starts the thread. It ends with the run, or when it has found a worker that hangs.
pub(super) fn start(shared: &Arc<Shared>) -> Result<JoinHandle<()>, PipelineError> {
    let shared = Arc::clone(shared);
    let thread = std::thread::Builder::new().name("watchdog".to_owned());
    let started = thread.spawn(move || {
        let Some(duty) = &shared.duty else { return };
        let mut looked = shared.clock.now();
        while !shared.wait_until_gone(duty.nap()) {
            if let Some((worker, time)) = duty.look(&mut looked, shared.clock.now()) {
                tracing::error!(worker, ?time, "a worker hangs");
                return shared.give_up_on(PipelineError::WorkerHung { worker, time });
            }
        }
    });
    started.map_err(|error| PipelineError::Spawn { workers: 1, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_stopped_with_the_watchdog_does_not_hang() {
        let second = 1_000_000_000;
        let duty = Duty::new(Duration::from_secs(5), 2);
        let (busy, mut looked) = (duty.begin(1, 10 * second), 10 * second);
        // The process is stopped for a minute in the middle of an activation.
        assert_eq!(duty.look(&mut looked, 70 * second), None);
        let hangs = duty.look(&mut looked, 70 * second + second / 10);
        assert_eq!(hangs, Some((1, Duration::from_millis(60_100))), "it had its time");
        drop(busy);
        assert_eq!(duty.look(&mut looked, 71 * second), None);
    }
}
