//! Backing off: each wait twice as long as the one before.

use std::time::Duration;

/// How long to wait before something is tried again.
///
/// ```
/// use std::time::Duration;
/// use neuraflow_core::resilience::{Backoff, Jitter};
/// let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
/// assert_eq!(backoff.wait(2), Duration::from_millis(400));
/// assert_eq!(backoff.wait(20), Duration::from_secs(1));
/// let spread = backoff.spread(2, &mut Jitter::new(7));
/// assert!(spread >= Duration::from_millis(200) && spread <= Duration::from_millis(400));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// The first wait is `first`, each further one twice as long, up to `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// How long before trial number `trial` in a row, from 0.
    pub fn wait(&self, trial: u32) -> Duration {
        self.first.saturating_mul(2u32.saturating_pow(trial)).min(self.longest)
    }

    /// The same, or down to half of it: those that failed together do not all come back together.
    pub fn spread(&self, trial: u32, jitter: &mut Jitter) -> Duration {
        jitter.shorten(self.wait(trial))
    }
}

/// Where waits get their randomness from: SplitMix64 (Steele, Lea & Flood 2014), from a seed, so that a test can repeat it.
#[derive(Clone, Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// From a seed: one that differs between those that may fail together.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Between a half and all of `wait`.
    fn shorten(&mut self, wait: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(nanos - z % (nanos / 2 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
        let waits = [0, 1, 2, 6, 7, 40].map(|trial| backoff.wait(trial).as_millis());
        assert_eq!(waits, [100, 200, 400, 6_400, 10_000, 10_000]);
    }

    #[test]
    fn a_spread_wait_is_between_a_half_and_the_whole() {
        let mut jitter = Jitter::new(1);
        for wait in [0, 1, 2, 1_000, u64::MAX] {
            for _ in 0..1_000 {
                let spread = jitter.shorten(Duration::from_nanos(wait)).as_nanos() as u64;
                assert!(spread <= wait && spread >= wait / 2, "{spread} of {wait}");
            }
        }
    }
}
