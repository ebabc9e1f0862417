//! A clock that only tests move.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::resilience::Clock;

/// A monotonic clock that stands still until it is advanced. Share it in an `Arc`.
///
/// ```
/// use std::sync::Arc;
/// use neuraflow_core::resilience::Clock;
/// use neuraflow_core::testing::FakeClock;
/// let clock = Arc::new(FakeClock::new());
/// clock.advance(1_500);
/// assert_eq!(clock.now(), 1_500);
/// ```
#[derive(Debug, Default)]
pub struct FakeClock(AtomicU64);

impl FakeClock {
    /// A clock that shows 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// A clock that shows `nanos`.
    pub fn at(nanos: u64) -> Self {
        Self(AtomicU64::new(nanos))
    }

    /// Moves it forward by `nanos` nanoseconds; it stops at the largest time it can show.
    pub fn advance(&self, nanos: u64) {
        let mut now = self.0.load(Ordering::Acquire);
        while let Err(seen) =
            self.0.compare_exchange(now, now.saturating_add(nanos), Ordering::AcqRel, Ordering::Acquire)
        {
            now = seen;
        }
    }
}

impl Clock for FakeClock {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}
