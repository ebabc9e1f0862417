//! When samples and gaps are passed on: the sequencer's sense of what can still come.

use serde::{Deserialize, Serialize};

use super::given_up::{GivenUp, Why};
use super::piece::{GapExtent, Piece};
use super::sequencer::Sequencer;
use crate::model::Span;

/// When the gap at `next` is given up.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Deadline {
    next: u64,
    /// First sample after the window of `next`.
    window_end: u64,
    /// First sample that proves the window to be over for good.
    proof: u64,
}

impl Sequencer {
    /// One past the highest sample seen or passed on.
    pub(super) fn base(&self) -> u64 {
        self.next.max(self.highest.map_or(0, |h| h + 1))
    }

    /// Passes on everything that waits, up to the highest sample seen.
    pub(super) fn flush(&mut self, out: &mut impl FnMut(Piece<'_>)) {
        self.pass_on(out);
        while let Some(first) = self.waiting.first().map(|(first, _)| first) {
            self.missing(first, None, out);
            self.pass_on(out);
        }
        self.missing(self.highest.map_or(0, |h| h + 1), None, out);
    }

    /// Passes on what has become next, and gives up what the stream has left behind for good.
    pub(super) fn settle(&mut self, out: &mut impl FnMut(Piece<'_>)) {
        loop {
            self.pass_on(out);
            let Some(highest) = self.highest.filter(|h| *h >= self.next) else { return };
            let first = self.waiting.first().map(|(first, _)| first);
            if let Some(first) = first
                && self.dropped.look(self.next..first) == (first - self.next, true)
            {
                // Nothing else can come: no need to wait for it.
                self.missing(first, None, out);
                continue;
            }
            let deadline = self.deadline();
            if highest < deadline.proof && self.dropped.len() <= GivenUp::RANGES {
                return;
            }
            let end = deadline.window_end.min(highest + 1);
            self.missing(first.map_or(end, |first| first.min(end)), None, out);
        }
    }

    fn deadline(&mut self) -> Deadline {
        match self.deadline {
            Some(deadline) if deadline.next == self.next => deadline,
            _ => {
                let index = self.grid.index_of(self.next);
                let end = self.grid.interval(index).1;
                let lateness = self.config.lateness.max(Span::ZERO);
                let deadline = Deadline {
                    next: self.next,
                    window_end: self.grid.first_at_or_after(end).max(self.next.saturating_add(1)),
                    proof: self.grid.first_at_or_after(end + lateness),
                };
                self.deadline = Some(deadline);
                deadline
            }
        }
    }

    /// Passes on waiting samples for as long as there is no gap.
    pub(super) fn pass_on(&mut self, out: &mut impl FnMut(Piece<'_>)) {
        while let Some(run) = self.waiting.take(self.next) {
            self.received((run.len() / self.channels) as u64, &run, out);
        }
    }

    /// Passes on so many samples, which are next.
    pub(super) fn received(&mut self, count: u64, values: &[f32], out: &mut impl FnMut(Piece<'_>)) {
        let first = self.next;
        self.next += count;
        self.gap_start = None;
        self.dropped.forget_before(self.next);
        self.accounting.windowed += count;
        out(Piece::Samples { first, values });
    }

    /// Gives up everything from `next` to `end`, of which nothing may be waiting. `beyond` is the first sample
    /// after the gap where it is not among the waiting.
    pub(super) fn missing(
        &mut self,
        end: u64,
        beyond: Option<(u64, &[f32])>,
        out: &mut impl FnMut(Piece<'_>),
    ) {
        let first = self.next;
        if end <= first {
            return;
        }
        self.skip(end);
        let beyond = beyond.or_else(|| self.waiting.first());
        let start = *self.gap_start.get_or_insert(first);
        let gap = GapExtent { start, end: beyond.map(|(n, _)| n) };
        out(Piece::Missing { first, count: end - first, gap, after: beyond.map(|(_, values)| values) });
    }

    /// Flushes, and goes on at sample `to`.
    pub(super) fn jump(&mut self, to: u64, out: &mut impl FnMut(Piece<'_>)) {
        self.flush(out);
        let from = self.next;
        if from < to {
            self.skip(to);
            self.gap_start = None;
            self.accounting.jumps += 1;
            out(Piece::Jump { from, to });
        }
    }

    /// Moves on to `end` and remembers what is left behind.
    fn skip(&mut self, end: u64) {
        while self.next < end {
            let (count, dropped) = self.dropped.look(self.next..end);
            let why = if dropped { Why::Dropped } else { Why::Lost };
            self.given_up.push(self.next..self.next + count, why);
            if !dropped {
                self.accounting.lost += count;
            }
            self.next += count;
        }
        self.dropped.forget_before(self.next);
    }
}
