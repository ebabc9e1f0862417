//! Coverage: which samples were received, made up, or missing.

use std::collections::VecDeque;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// What stands behind a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CoverageKind {
    /// It was received in time.
    Received,
    /// The gap policy made it up.
    Imputed,
    /// Nothing: its values are NaN.
    Missing,
}

/// How many samples of a range were received, made up, or missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Received in time.
    pub received: u64,
    /// Made up by the gap policy.
    pub imputed: u64,
    /// Missing.
    pub missing: u64,
}

impl Counts {
    /// Counts the samples of a run that are inside a range.
    fn add(&mut self, (first, end, kind): &Run, range: &Range<u64>) {
        let count = end.min(&range.end).saturating_sub(*first.max(&range.start));
        match kind {
            CoverageKind::Received => self.received += count,
            CoverageKind::Imputed => self.imputed += count,
            CoverageKind::Missing => self.missing += count,
        }
    }
}

/// The recent history of one stream as runs of equal kind. A stream without gaps has one run.
///
/// Filters change values and may hold samples back; this remembers what each sample was made from until its window closes.
///
/// ```
/// use neuraflow_core::window::{Counts, Coverage, CoverageKind};
/// let mut coverage = Coverage::default();
/// coverage.push(0, 10, CoverageKind::Received);
/// coverage.push(10, 2, CoverageKind::Imputed);
/// coverage.push(12, 8, CoverageKind::Received);
/// assert_eq!(coverage.count(5..15), Counts { received: 8, imputed: 2, missing: 0 });
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    older: VecDeque<Run>,
    /// Apart from the others, so that a stream without gaps keeps its only run here.
    latest: Option<Run>,
}

/// First sample, the one past the last, and what stands behind them.
type Run = (u64, u64, CoverageKind);

impl Coverage {
    /// The most runs remembered. Only a history that is never [forgotten](Self::forget_before) gets there: it loses its oldest runs.
    pub const MAX_RUNS: usize = 1 << 16;

    /// Adds the next `count` samples. Those before the end of the history are not counted again.
    pub fn push(&mut self, first: u64, count: u64, kind: CoverageKind) {
        let end = first.saturating_add(count);
        let first = self.latest.map_or(first, |latest| first.max(latest.1));
        if end <= first {
            return;
        }
        match &mut self.latest {
            Some(latest) if latest.1 == first && latest.2 == kind => latest.1 = end,
            latest => {
                self.older.extend(latest.replace((first, end, kind)));
                if self.older.len() == Self::MAX_RUNS {
                    self.older.pop_front();
                }
            }
        }
    }

    /// How many samples of a range were received, imputed and missing. Samples outside the history count nowhere.
    pub fn count(&self, range: Range<u64>) -> Counts {
        let mut counts = Counts::default();
        // Nearly always the range begins within the latest run, and nothing older reaches into it.
        if self.latest.is_none_or(|latest| range.start < latest.0) {
            let from = self.older.partition_point(|run| run.1 <= range.start);
            self.older
                .iter()
                .skip(from)
                .take_while(|run| run.0 < range.end)
                .for_each(|run| counts.add(run, &range));
        }
        if let Some(run) = &self.latest {
            counts.add(run, &range);
        }
        counts
    }

    /// The runs inside a range, in order.
    pub fn runs(&self, range: Range<u64>) -> impl Iterator<Item = (Range<u64>, CoverageKind)> + '_ {
        let from = self.older.partition_point(|run| run.1 <= range.start);
        let runs = self.older.iter().skip(from).chain(&self.latest);
        runs.take_while(move |run| run.0 < range.end).filter_map(move |run| {
            let inside = run.0.max(range.start)..run.1.min(range.end);
            (!inside.is_empty()).then_some((inside, run.2))
        })
    }

    /// Forgets everything before sample `n`.
    pub fn forget_before(&mut self, n: u64) {
        while self.older.front().is_some_and(|run| run.1 <= n) {
            self.older.pop_front();
        }
        if let Some(run) = self.older.front_mut().or(self.latest.as_mut()) {
            run.0 = n.clamp(run.0, run.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_in_steady_state() {
        let mut coverage = Coverage::default();
        for n in 0..10_000 {
            coverage.push(n * 7, 7, CoverageKind::Received);
            coverage.forget_before(n * 7);
        }
        assert!(coverage.older.is_empty());
        assert_eq!(coverage.count(0..u64::MAX).received, 7);
    }

    #[test]
    fn forgotten_and_repeated_samples_do_not_count() {
        let mut coverage = Coverage::default();
        coverage.push(0, 10, CoverageKind::Received);
        coverage.push(5, 10, CoverageKind::Missing); // 0..10 is known already
        coverage.push(100, 10, CoverageKind::Imputed); // after a jump
        assert_eq!(coverage.count(0..200), Counts { received: 10, imputed: 10, missing: 5 });
        assert_eq!(coverage.count(15..100), Counts::default());
        coverage.forget_before(12);
        assert_eq!(coverage.count(0..200), Counts { received: 0, imputed: 10, missing: 3 });
        coverage.forget_before(1_000);
        assert_eq!(coverage.count(0..2_000), Counts::default());
        coverage.push(1_000, 1, CoverageKind::Received);
        assert_eq!(coverage.count(0..2_000).received, 1);
    }
}
