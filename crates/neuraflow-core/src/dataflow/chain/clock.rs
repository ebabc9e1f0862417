//! The clock behind a stage that gives another sampling rate.

use std::sync::Arc;

use super::{Event, Step};
use crate::model::{SamplingRate, StreamHeader};

/// Numbers samples on both sides of a stage that gives another sampling rate. Sample m behind it lies where sample m · down / up
/// ahead of it does, and is made of that one, or the one before, and earlier ones.
pub(in crate::dataflow) struct Clock {
    header: Arc<StreamHeader>,
    up: u128,
    down: u128,
}

impl Clock {
    /// The clock behind a stage, if it gives another rate.
    pub(in crate::dataflow) fn new(
        header: &StreamHeader,
        ahead: SamplingRate,
        behind: SamplingRate,
    ) -> Option<Self> {
        let product = |a: u64, b: u64| u128::from(a) * u128::from(b);
        (ahead != behind).then(|| Self {
            header: Arc::new(StreamHeader { rate: behind, ..header.clone() }),
            up: product(behind.num(), ahead.den()),
            down: product(behind.den(), ahead.num()),
        })
    }

    /// The stream as it is behind the stage.
    pub(in crate::dataflow) fn header(&self) -> &Arc<StreamHeader> {
        &self.header
    }

    /// The first sample behind the stage at or after sample `n` ahead of it.
    pub(in crate::dataflow) fn behind(&self, n: u64) -> u64 {
        let exact = u128::from(n).checked_mul(self.up).map(|product| product.div_ceil(self.down));
        exact.and_then(|m| u64::try_from(m).ok()).unwrap_or(u64::MAX)
    }

    /// The last sample ahead of the stage at or before sample `m` behind it.
    fn ahead(&self, m: u64) -> u64 {
        let exact = u128::from(m).checked_mul(self.down).map(|product| product / self.up);
        exact.and_then(|n| u64::try_from(n).ok()).unwrap_or(u64::MAX)
    }

    /// The same event, told to those behind the stage.
    pub(in crate::dataflow) fn event(&self, event: &Event) -> Event {
        match event {
            Event::Restart { at } => Event::Restart { at: self.behind(*at) },
            Event::Jump { to } => Event::Jump { to: self.behind(*to) },
            other => other.clone(),
        }
    }

    /// Does something behind the stage: there the stream's rate, and the numbers of its samples, are others.
    pub(in crate::dataflow) fn step_behind(&self, step: &mut Step, act: impl FnOnce(&mut Step)) {
        let coverage = std::mem::take(&mut step.coverage);
        let header = std::mem::replace(&mut step.header, Arc::clone(&self.header));
        for (run, kind) in coverage.runs(0..u64::MAX) {
            let first = self.behind(run.start);
            step.coverage.push(first, self.behind(run.end) - first, kind);
        }
        let needed = std::mem::replace(&mut step.needs_from, u64::MAX);
        act(step);
        (step.coverage, step.header) = (coverage, header);
        step.needs_from = needed.min(self.ahead(step.needs_from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StreamKey;

    #[test]
    fn every_sample_behind_is_made_of_one_ahead_and_every_run_of_its_own() {
        let rate = |num, den| SamplingRate::ratio(num, den).unwrap();
        for (ahead, behind) in [
            (rate(250, 1), rate(125, 1)),
            (rate(250, 1), rate(256, 1)),
            (rate(64, 5), rate(100, 3)),
            (rate(78_125, 4), rate(250, 1)),
        ] {
            let header = StreamHeader::new(StreamKey::default(), "a", ahead, vec![]);
            assert!(Clock::new(&header, ahead, ahead).is_none());
            let clock = Clock::new(&header, ahead, behind).unwrap();
            for n in 0..2_000 {
                for m in clock.behind(n)..clock.behind(n + 1) {
                    assert_eq!(clock.ahead(m), n, "{ahead} to {behind}");
                    // It lies neither before that sample nor at or after the next.
                    let time = clock.header.time_of(m);
                    assert!(time >= header.time_of(n) && time <= header.time_of(n + 1));
                }
            }
        }
    }
}
