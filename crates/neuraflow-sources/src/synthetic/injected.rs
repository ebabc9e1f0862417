//! The ground truth: what the faults of a stream amount to, so that accounting can be held against it.

use super::faults::Fault;
use super::script::{Act, Release, Step};

/// What was injected into one stream. Samples count once for all channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Injected {
    /// Samples that the headset took, sent or not.
    pub taken: u64,
    /// Gaps, and the samples lost in them.
    pub gaps: u64,
    /// Samples lost in gaps.
    pub gap_samples: u64,
    /// Losses of the link.
    pub dropouts: u64,
    /// Samples lost with the link.
    pub dropout_samples: u64,
    /// Runs that were sent twice.
    pub duplicates: u64,
    /// Samples that were sent twice.
    pub duplicated_samples: u64,
    /// Neighbouring runs that were swapped.
    pub swaps: u64,
    /// Samples that came after their successors, in time for a lateness of 10 ms.
    pub swapped_samples: u64,
    /// Runs that came 200 to 400 ms of event time after their neighbours.
    pub delays: u64,
    /// Samples in them: late for 50 ms windows.
    pub delayed_samples: u64,
    /// Runs in which a channel was spoilt.
    pub spoilt_runs: u64,
    /// Values (one channel of one sample) that were NaN or infinite.
    pub spoilt_values: u64,
    /// Times the counter wrapped.
    pub wraps: u64,
}

impl Injected {
    /// Samples that never arrive.
    pub fn lost(&self) -> u64 {
        self.gap_samples + self.dropout_samples
    }

    /// Samples in all packets, duplicates included.
    pub fn sent(&self) -> u64 {
        self.taken - self.lost() + self.duplicated_samples
    }

    pub(super) fn add(&mut self, step: &Step) {
        let samples = step.samples.end - step.samples.start;
        if step.act.takes() {
            self.taken += samples;
        }
        let (runs, count) = match step.act {
            Act::Send | Act::Hold | Act::Keep => return,
            Act::Spoil { .. } => (&mut self.spoilt_runs, &mut self.spoilt_values),
            Act::Lose(Fault::Dropout) => (&mut self.dropouts, &mut self.dropout_samples),
            Act::Lose(_) => (&mut self.gaps, &mut self.gap_samples),
            Act::Release(Release::Duplicate) => (&mut self.duplicates, &mut self.duplicated_samples),
            Act::Release(Release::Swap) => (&mut self.swaps, &mut self.swapped_samples),
            Act::Release(Release::Delay) => (&mut self.delays, &mut self.delayed_samples),
        };
        *runs += 1;
        *count += samples;
    }
}
