//! The monotonic clock that everything about arrival, pacing and latency is measured with.

use std::fmt::Debug;
use std::time::Instant;

/// A monotonic clock in nanoseconds from an arbitrary start. It never decides what a window contains.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Nanoseconds since the clock's start.
    fn now(&self) -> u64;
}

/// What the machine's clock shows when it starts: a day, so that also what came before can be told in it. What a journal kept
/// of the process before is as old as it is, and not as young as this one.
const START: u64 = 24 * 60 * 60 * 1_000_000_000;

/// The machine's monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock that starts now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX).saturating_add(START)
    }
}
