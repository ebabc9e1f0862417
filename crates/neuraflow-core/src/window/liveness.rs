//! Liveness: whether anything has been heard of a stream lately.

use std::time::Duration;

/// A stream that has fallen silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// When it was last heard, in nanoseconds of the clock that is passed in.
    pub since: u64,
    /// How long ago that is.
    pub lasted: Duration,
}

/// Watches one live stream for silence. It has no clock: every call says what time it is, in nanoseconds of a
/// monotonic clock. What it finds enters the stream as a control packet, so that a replay need not watch again.
///
/// ```
/// use std::time::Duration;
/// use neuraflow_core::window::Liveness;
/// let mut liveness = Liveness::new(Duration::from_secs(1), 0);
/// liveness.heard(500_000_000);
/// assert_eq!(liveness.next_check(), Some(1_500_000_000));
/// assert!(liveness.check(1_400_000_000).is_none());
/// assert_eq!(liveness.check(1_600_000_000).map(|s| s.since), Some(500_000_000));
/// assert!(liveness.check(9_000_000_000).is_none()); // reported once
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liveness {
    timeout: u64,
    heard: u64,
    reported: bool,
}

impl Liveness {
    /// Watches a stream that was opened at `now`. A silence is reported once it has lasted for `timeout`.
    pub fn new(timeout: Duration, now: u64) -> Self {
        let timeout = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX).max(1);
        Self { timeout, heard: now, reported: false }
    }

    /// Something was heard of the stream.
    pub fn heard(&mut self, now: u64) {
        self.heard = self.heard.max(now);
        self.reported = false;
    }

    /// Whether the stream has been silent for too long; says so once for each silence.
    pub fn check(&mut self, now: u64) -> Option<Silence> {
        let lasted = now.saturating_sub(self.heard);
        if self.reported || lasted < self.timeout {
            return None;
        }
        self.reported = true;
        Some(Silence { since: self.heard, lasted: Duration::from_nanos(lasted) })
    }

    /// When [`check`](Self::check) can next find a silence; `None` until something is heard again.
    pub fn next_check(&self) -> Option<u64> {
        (!self.reported).then(|| self.heard.saturating_add(self.timeout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_each_silence_once() {
        let mut liveness = Liveness::new(Duration::from_nanos(10), 100);
        assert_eq!(liveness.check(109), None);
        assert_eq!(liveness.next_check(), Some(110));
        assert_eq!(liveness.check(110), Some(Silence { since: 100, lasted: Duration::from_nanos(10) }));
        assert_eq!((liveness.check(111), liveness.next_check()), (None, None));
        liveness.heard(120);
        liveness.heard(115); // out of order
        assert_eq!(liveness.next_check(), Some(130));
        assert_eq!(liveness.check(0), None);
        assert!(liveness.check(131).is_some());
    }
}
