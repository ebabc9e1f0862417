//! How much a client may say: a token bucket.

use tokio::time::Instant;

/// Fills at a steady rate up to two seconds' worth.
#[derive(Debug)]
pub(super) struct Budget {
    rate: f64,
    tokens: f64,
    at: Instant,
}

impl Budget {
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        let rate = f64::from(rate.max(1));
        Self { rate, tokens: 2.0 * rate, at: now }
    }

    /// Takes one token; `false` if there is none.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let earned = now.duration_since(self.at).as_secs_f64() * self.rate;
        (self.tokens, self.at) = ((self.tokens + earned).min(2.0 * self.rate), now);
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn allows_a_burst_of_two_seconds_and_then_the_rate() {
        let start = Instant::now();
        let mut budget = Budget::new(10, start);
        assert_eq!((0..100).filter(|_| budget.take(start)).count(), 20);
        let later = start + Duration::from_millis(500);
        assert_eq!((0..100).filter(|_| budget.take(later)).count(), 5);
        let much_later = start + Duration::from_secs(3_600);
        assert_eq!((0..100).filter(|_| budget.take(much_later)).count(), 20);
    }
}
