//! A histogram that many threads add to without waiting for each other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::family::Buckets;

/// How many durations fell between which bounds.
#[derive(Debug)]
pub(super) struct Histogram {
    /// Upper bounds in seconds, increasing; values beyond the last one have a bucket too.
    bounds: &'static [f64],
    counts: Box<[AtomicU64]>,
    nanos: AtomicU64,
}

impl Histogram {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, nanos: AtomicU64::new(0) }
    }

    pub(super) fn record(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = self.bounds.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(super) fn buckets(&self) -> Buckets {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let sum = self.nanos.load(Ordering::Relaxed) as f64 / 1e9;
        Buckets { sum, counts: bounds.zip(counts).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_is_below_it() {
        let histogram = Histogram::new(&[0.001, 0.5]);
        for micros in [0, 1_000, 1_001, 500_000, 500_001, 9_000_000] {
            histogram.record(Duration::from_micros(micros));
        }
        let Buckets { sum, counts } = histogram.buckets();
        assert_eq!(counts, [(0.001, 2), (0.5, 2), (f64::INFINITY, 2)]);
        assert!((sum - 10.002_002).abs() < 1e-9);
    }
}
