//! The monotonic clock that everything about arrival, pacing and latency is measured with.

use std::fmt::Debug;
use std::time::Instant;

/// A monotonic clock in nanoseconds from an arbitrary start. It never decides what a window contains.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Nanoseconds since the clock's start.
    fn now(&self) -> u64;
}

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
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
