//! What others may know of an outbox while it runs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use neuraflow_core::resilience::{BreakerState, Clock, Transitions};

/// The resolution of the oldest item's age, in nanoseconds.
const STEP: u64 = 100_000_000;
/// Steps that are remembered.
const STEPS: usize = 4_096;

/// What an outbox holds and has done since its pipeline was started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxStats {
    /// Bytes that wait to be handed on.
    pub waiting_bytes: u64,
    /// How long the oldest of them has waited, to a tenth of a second, or less exactly after minutes; since the start, if the run before left it.
    pub age: Duration,
    /// Items that the sink behind took.
    pub handed_on: u64,
    /// Writes that failed, and were tried again.
    pub failures: u64,
    /// Items that the sink behind refused for good.
    pub refused: u64,
    /// Bytes of items that were damaged on the disk: lost, and looked past.
    pub damaged_bytes: u64,
    /// Writes that may be made at the same time.
    pub concurrency: usize,
    /// Where the breaker is.
    pub breaker: BreakerState,
    /// How often it has changed to which state.
    pub transitions: Transitions,
    /// What the last write that failed said, if the one after it has not succeeded.
    pub trouble: Option<String>,
}

/// Looks at an [`Outbox`](super::Outbox) from any thread.
#[derive(Clone, Debug)]
pub struct OutboxWatch(Arc<Mutex<Known>>);

#[derive(Debug)]
struct Known {
    stats: OutboxStats,
    /// Up to where was written at what times, as far as it was not handed on.
    written: VecDeque<(u64, u64)>,
    /// The resolution of those times; coarser the longer something waits.
    step: u64,
    /// Of the run that is on, or was the last.
    clock: Option<Arc<dyn Clock>>,
}

impl Default for OutboxWatch {
    fn default() -> Self {
        let stats = OutboxStats {
            waiting_bytes: 0,
            age: Duration::ZERO,
            handed_on: 0,
            failures: 0,
            refused: 0,
            damaged_bytes: 0,
            concurrency: 1,
            breaker: BreakerState::Closed,
            transitions: Transitions::default(),
            trouble: None,
        };
        Self(Arc::new(Mutex::new(Known { stats, written: VecDeque::new(), step: STEP, clock: None })))
    }
}

impl OutboxWatch {
    /// What it holds, and what it has done.
    pub fn stats(&self) -> OutboxStats {
        let known = self.lock();
        // A sink behind that hangs keeps the outbox from telling anything, but not what waits from getting older.
        let age = known.written.front().zip(known.clock.as_ref());
        let age = age.map_or(0, |((_, since), clock)| clock.now().saturating_sub(*since));
        OutboxStats { age: Duration::from_nanos(age), ..known.stats.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut OutboxStats)) {
        change(&mut self.lock().stats);
    }

    pub(super) fn trouble(&self, reason: String) {
        self.change(|stats| stats.trouble = Some(reason));
    }

    /// A run begins: what waited in the one before waits since now.
    pub(super) fn begin(&self, clock: &Arc<dyn Clock>) {
        let mut known = self.lock();
        known.written.clear();
        known.clock = Some(Arc::clone(clock));
    }

    /// What lies between two places waits now.
    pub(super) fn waits(&self, passed: u64, end: u64, now: u64) {
        let mut known = self.lock();
        let known = &mut *known;
        let written = &mut known.written;
        while written.front().is_some_and(|(until, _)| *until <= passed) {
            written.pop_front();
        }
        if written.is_empty() {
            known.step = STEP;
        }
        match written.back_mut() {
            Some((until, at)) if now.saturating_sub(*at) < known.step || *until >= end => {
                *until = end.max(*until)
            }
            _ if end > passed => {
                written.push_back((end, now));
                if written.len() > STEPS {
                    // Every two become one, which is as old as the older.
                    let pairs = written.make_contiguous().chunks(2);
                    *written = pairs.map(|pair| (pair[pair.len() - 1].0, pair[0].1)).collect();
                    known.step = known.step.saturating_mul(2);
                }
            }
            _ => {}
        }
        known.stats.waiting_bytes = end - passed;
    }
}

#[cfg(test)]
mod tests {
    use neuraflow_core::testing::FakeClock;

    use super::*;

    #[test]
    fn what_is_known_of_a_long_outage_is_bounded_and_makes_nothing_younger() {
        let (watch, clock) = (OutboxWatch::default(), Arc::new(FakeClock::new()));
        watch.begin(&(Arc::clone(&clock) as Arc<dyn Clock>));
        for end in 1..100_000 {
            clock.advance(2 * STEP);
            watch.waits(0, end, clock.now());
        }
        let known = watch.lock().written.len();
        assert!(known <= STEPS, "{known} steps");
        for passed in [0, 1, 500, 60_000, 99_000] {
            watch.waits(passed, 99_999, clock.now());
            let (age, least) = (watch.stats().age.as_nanos() as u64, (99_999 - passed - 1) * 2 * STEP);
            assert!(
                age >= least && age <= least + least / 8 + 200 * STEP,
                "{passed}: {age}, {least} at least"
            );
        }
    }
}
