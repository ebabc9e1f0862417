//! What was given up: ranges of samples that are no longer waited for.

use std::collections::VecDeque;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Why a range was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Why {
    /// It never came, and counts as lost.
    Lost,
    /// The source dropped it.
    Dropped,
    /// It lies before the first sample that was asked for.
    Before,
}

/// Sorted ranges that do not overlap, at most [`RANGES`](Self::RANGES) of them: the oldest are forgotten.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct GivenUp {
    ranges: VecDeque<(u64, u64, Why)>,
}

impl GivenUp {
    pub(super) const RANGES: usize = 1024;

    /// Adds a range after all others.
    pub(super) fn push(&mut self, range: Range<u64>, why: Why) {
        if range.is_empty() {
            return;
        }
        match self.ranges.back_mut() {
            Some(last) if last.1 == range.start && last.2 == why => last.1 = range.end,
            _ => self.ranges.push_back((range.start, range.end, why)),
        }
        self.forget();
    }

    /// What is known of the first samples of a range: why they were given up (`None`: they were not),
    /// and how many of them this holds for.
    pub(super) fn look(&self, range: Range<u64>) -> (u64, Option<Why>) {
        let i = self.ranges.partition_point(|r| r.1 <= range.start);
        let (end, why) = match self.ranges.get(i) {
            Some(&(first, end, why)) if first <= range.start => (end, Some(why)),
            Some(&(first, ..)) => (first, None),
            None => (range.end, None),
        };
        (end.min(range.end).saturating_sub(range.start), why)
    }

    /// Takes a range out of the one range that contains it, or changes its reason.
    pub(super) fn replace(&mut self, range: Range<u64>, why: Option<Why>) {
        let i = self.ranges.partition_point(|r| r.1 <= range.start);
        let Some(&(first, end, old)) = self.ranges.get(i) else { return };
        if first > range.start || end < range.end || range.is_empty() {
            return;
        }
        self.ranges.remove(i);
        let parts =
            [(range.end, end, Some(old)), (range.start, range.end, why), (first, range.start, Some(old))];
        for (first, end, why) in parts {
            if let Some(why) = why
                && first < end
            {
                self.ranges.insert(i, (first, end, why));
            }
        }
        self.forget();
    }

    fn forget(&mut self) {
        while self.ranges.len() > Self::RANGES {
            self.ranges.pop_front();
        }
    }
}

/// Ranges that the source reported as dropped and that are not reached yet: sorted, not overlapping.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Dropped {
    ranges: Vec<(u64, u64)>,
}

impl Dropped {
    /// Adds a range, which may overlap others.
    pub(super) fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let from = self.ranges.partition_point(|r| r.1 < range.start);
        let to = self.ranges.partition_point(|r| r.0 <= range.end);
        let merged =
            self.ranges[from..to].iter().fold((range.start, range.end), |m, r| (m.0.min(r.0), m.1.max(r.1)));
        self.ranges.splice(from..to, [merged]);
    }

    /// Whether the first samples of a range were dropped, and how many of them this holds for.
    pub(super) fn look(&self, range: Range<u64>) -> (u64, bool) {
        let i = self.ranges.partition_point(|r| r.1 <= range.start);
        let (end, dropped) = match self.ranges.get(i) {
            Some(&(first, end)) if first <= range.start => (end, true),
            Some(&(first, _)) => (first, false),
            None => (range.end, false),
        };
        (end.min(range.end).saturating_sub(range.start), dropped)
    }

    /// How many ranges are waiting.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Forgets what lies before sample `n`.
    pub(super) fn forget_before(&mut self, n: u64) {
        if self.ranges.first().is_some_and(|r| r.1 <= n) {
            let i = self.ranges.partition_point(|r| r.1 <= n);
            self.ranges.drain(..i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_sample_leaves_the_rest_given_up() {
        let mut given_up = GivenUp::default();
        given_up.push(10..20, Why::Lost);
        given_up.push(20..25, Why::Lost);
        given_up.push(30..40, Why::Dropped);
        assert_eq!(given_up.look(0..12), (10, None));
        assert_eq!(given_up.look(12..50), (13, Some(Why::Lost)));
        given_up.replace(14..16, None);
        given_up.replace(20..25, Some(Why::Dropped));
        let whole: Vec<_> = given_up.ranges.iter().copied().collect();
        assert_eq!(
            whole,
            [(10, 14, Why::Lost), (16, 20, Why::Lost), (20, 25, Why::Dropped), (30, 40, Why::Dropped)]
        );
        given_up.replace(15..18, None); // no single range holds it
        assert_eq!(given_up.ranges.len(), 4);
    }

    #[test]
    fn memory_is_bounded() {
        let mut given_up = GivenUp::default();
        for n in 0..5_000 {
            given_up.push(2 * n..2 * n + 1, Why::Lost);
        }
        assert_eq!(given_up.ranges.len(), GivenUp::RANGES);
        assert_eq!(given_up.look(9_998..9_999), (1, Some(Why::Lost)));
        assert_eq!(given_up.look(0..1), (1, None));
    }

    #[test]
    fn dropped_ranges_merge() {
        let mut dropped = Dropped::default();
        for range in [10..20, 30..40, 20..22, 21..31, 50..60] {
            dropped.add(range);
        }
        assert_eq!(dropped.ranges, [(10, 40), (50, 60)]);
        assert_eq!(dropped.look(5..100), (5, false));
        assert_eq!(dropped.look(15..100), (25, true));
        dropped.forget_before(45);
        assert_eq!(dropped.ranges, [(50, 60)]);
    }
}
