//! Samples that wait for earlier ones.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Runs of samples by the number of their first; they never overlap.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Reorder {
    channels: usize,
    samples: usize,
    runs: BTreeMap<u64, Vec<f32>>,
}

impl Reorder {
    pub(super) fn new(channels: usize) -> Self {
        Self { channels: channels.max(1), ..Self::default() }
    }

    /// Samples held.
    pub(super) fn len(&self) -> usize {
        self.samples
    }

    /// The first sample held: its number and values.
    pub(super) fn first(&self) -> Option<(u64, &[f32])> {
        let (first, values) = self.runs.first_key_value()?;
        Some((*first, values.get(..self.channels)?))
    }

    /// If sample `n` is held, the end of the run that holds it.
    pub(super) fn held_until(&self, n: u64) -> Option<u64> {
        let (first, values) = self.runs.range(..=n).next_back()?;
        let end = first + (values.len() / self.channels) as u64;
        (n < end).then_some(end)
    }

    /// The first run that begins after sample `n`.
    pub(super) fn next_after(&self, n: u64) -> Option<u64> {
        self.runs.range(n.saturating_add(1)..).next().map(|(first, _)| *first)
    }

    /// Takes in samples of which none is held.
    pub(super) fn insert(&mut self, first: u64, values: &[f32]) {
        self.samples += values.len() / self.channels;
        if let Some((start, run)) = self.runs.range_mut(..first).next_back()
            && start + (run.len() / self.channels) as u64 == first
        {
            run.extend_from_slice(values);
        } else {
            self.runs.insert(first, values.to_vec());
        }
    }

    /// Takes out the run that begins exactly at sample `n`.
    pub(super) fn take(&mut self, n: u64) -> Option<Vec<f32>> {
        let run = self.runs.remove(&n)?;
        self.samples -= run.len() / self.channels;
        Some(run)
    }
}
