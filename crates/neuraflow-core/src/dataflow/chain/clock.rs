//! The clock behind a stage that gives another sampling rate.

use std::sync::Arc;

use super::{Event, Step};
use crate::model::{SamplingRate, StreamHeader};
use crate::window::Coverage;

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
    pub(in crate::dataflow) fn step_behind(&self, step: &mut Step<'_>, act: impl FnOnce(&mut Step<'_>)) {
        let mut coverage = Coverage::default();
        for (run, kind) in step.coverage.runs(0..u64::MAX) {
            let first = self.behind(run.start);
            coverage.push(first, self.behind(run.end) - first, kind);
        }
        let mut behind = Step {
            at: step.at,
            header: &self.header,
            coverage: &mut coverage,
            windows: &mut *step.windows,
            refused_inputs: &mut *step.refused_inputs,
            work: &mut *step.work,
            needs_from: u64::MAX,
            arrival: step.arrival,
        };
        act(&mut behind);
        step.needs_from = step.needs_from.min(self.ahead(behind.needs_from));
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
