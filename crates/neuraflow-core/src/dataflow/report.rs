//! The report of a run: what came in, where every sample went, and how long results took.

use std::sync::Arc;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::checkpointing::CheckpointReport;
use crate::model::{StreamHeader, StreamKey, WindowStatus};
use crate::operator::Latency;
use crate::window::Accounting;

/// What a pipeline did until its end.
///
/// A run that went on from a checkpoint reports of each stream all that happened to it since its beginning; sinks and
/// latencies are those of this run alone.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One entry for each stream, in the order of their keys.
    pub streams: Vec<StreamReport>,
    /// One entry for each sink, in the order in which they stand in the graph.
    pub sinks: Vec<SinkReport>,
    /// From arrival of a packet that closed windows to its worker taking it up, once for each window.
    pub wait: LatencyHistogram,
    /// From there to the end of the activation in which its windows were computed.
    pub compute: LatencyHistogram,
    /// Values that came for streams that were never opened: no stream can account for them.
    pub orphan_values: u64,
    /// What became of the checkpoints, if any were made.
    pub checkpoints: CheckpointReport,
}

/// What happened to one stream.
#[derive(Clone, Debug)]
pub struct StreamReport {
    /// The stream.
    pub header: Arc<StreamHeader>,
    /// Where every sample went.
    pub accounting: Accounting,
    /// Windows closed by the graph's main window.
    pub windows: WindowCounts,
    /// Experiment events.
    pub markers: u64,
    /// Inputs and controls that an operator refused and that were left out, and what came after the stream's end.
    pub refused_inputs: u64,
    /// Why the stream was not processed at all, if so; its samples are then counted as rejected.
    pub refused: Option<String>,
}

/// How many windows ended in which status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowCounts {
    /// Every expected sample arrived.
    pub complete: u64,
    /// Samples were missing.
    pub gap: u64,
    /// Cut by the stream's start or end.
    pub partial: u64,
}

impl WindowCounts {
    pub(super) fn count(&mut self, status: WindowStatus) {
        match status {
            WindowStatus::Complete => self.complete += 1,
            WindowStatus::Gap => self.gap += 1,
            WindowStatus::Partial => self.partial += 1,
        }
    }

    /// All windows.
    pub fn total(&self) -> u64 {
        self.complete + self.gap + self.partial
    }
}

impl std::ops::AddAssign for WindowCounts {
    fn add_assign(&mut self, other: Self) {
        self.complete += other.complete;
        self.gap += other.gap;
        self.partial += other.partial;
    }
}

/// What happened at one sink.
#[derive(Clone, Debug)]
pub struct SinkReport {
    /// Its name.
    pub name: Arc<str>,
    /// Items written.
    pub written: u64,
    /// Items given up because its queue was full.
    pub dropped: u64,
    /// Items it could not write and left out.
    pub skipped: u64,
    /// From leaving the operators to the sink having taken an item.
    pub output: LatencyHistogram,
    /// From arrival of the packet that closed an item's window to the sink having taken it.
    pub latency: LatencyHistogram,
}

/// The latency contract of one path through the graph, for one stream.
#[derive(Clone, Debug, PartialEq)]
pub struct PathLatency {
    /// The stream.
    pub stream: StreamKey,
    /// The sink at the path's end.
    pub sink: Arc<str>,
    /// The sum of what the operators on the path declare.
    pub latency: Latency,
}

/// A histogram of latencies in nanoseconds, exact to three digits.
#[derive(Clone, Debug)]
pub struct LatencyHistogram(Histogram<u64>);

impl Default for LatencyHistogram {
    fn default() -> Self {
        // Three significant digits from 1 ns; it grows by itself. `new(3)` cannot fail: 3 is in its range of 0 to 5.
        Self(Histogram::new(3).unwrap_or_else(|_| unreachable!()))
    }
}

impl LatencyHistogram {
    /// Adds one latency.
    pub fn record(&mut self, nanos: u64) {
        // It grows by itself, so that no latency is too long for it (`saturating_record` would not let it grow).
        let _ = self.0.record(nanos);
    }

    /// Adds the same latency several times.
    pub fn record_many(&mut self, nanos: u64, count: u64) {
        let _ = self.0.record_n(nanos, count);
    }

    /// Adds another histogram's latencies.
    pub fn merge(&mut self, other: &Self) {
        // Both have the same precision and grow by themselves, the only reason for which this could fail.
        let _ = self.0.add(&other.0);
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency in nanoseconds below which a share `quantile` of all lie, for example 0.99; `None` if there are none.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        (!self.0.is_empty()).then(|| self.0.value_at_quantile(quantile))
    }

    /// The largest in nanoseconds.
    pub fn max(&self) -> Option<u64> {
        (!self.0.is_empty()).then(|| self.0.max())
    }
}

impl Report {
    /// All streams' accounting in one.
    pub fn accounting(&self) -> Accounting {
        let mut sum = Accounting::default();
        self.streams.iter().for_each(|stream| sum.add(&stream.accounting));
        sum
    }

    /// All streams' windows in one.
    pub fn windows(&self) -> WindowCounts {
        let mut sum = WindowCounts::default();
        self.streams.iter().for_each(|stream| sum += stream.windows);
        sum
    }

    /// Whether every sample of every stream is in exactly one place.
    pub fn balances(&self) -> bool {
        self.streams.iter().all(|stream| stream.accounting.balances())
    }

    /// The stream with the most channels (the first of them in the order of keys).
    pub fn widest(&self) -> Option<&StreamReport> {
        self.streams.iter().rev().max_by_key(|stream| stream.header.channels.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_of_any_length_are_kept_to_three_digits() {
        let (mut histogram, mut other) = (LatencyHistogram::default(), LatencyHistogram::default());
        assert_eq!((histogram.count(), histogram.max(), histogram.quantile(0.5)), (0, None, None));
        for nanos in 1..=1_000 {
            histogram.record(nanos * 1_000);
        }
        other.record(3_600_000_000_000);
        histogram.merge(&other);
        assert_eq!(histogram.count(), 1_001);
        let close = |found: Option<u64>, expected: u64| found.unwrap().abs_diff(expected) <= expected / 500;
        assert!(close(histogram.quantile(0.5), 501_000), "{:?}", histogram.quantile(0.5));
        assert!(close(histogram.max(), 3_600_000_000_000), "{:?}", histogram.max());
    }
}
