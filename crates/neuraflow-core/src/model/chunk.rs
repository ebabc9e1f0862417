//! A chunk: contiguous samples of one stream.

use serde::{Deserialize, Serialize};

/// Contiguous samples of one stream in microvolts, sample-major: `[sample][channel]`.
///
/// A value that was not measured is NaN: operators must not let it into their state.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    first: u64,
    channels: usize,
    values: Vec<f32>,
}

impl Clone for Chunk {
    fn clone(&self) -> Self {
        Self { values: self.values.clone(), ..*self }
    }

    /// Allocates nothing where there is room.
    fn clone_from(&mut self, from: &Self) {
        (self.first, self.channels) = (from.first, from.channels);
        self.values.clone_from(&from.values);
    }
}

impl Chunk {
    /// An empty chunk that starts at sample `first` of its stream.
    pub fn new(first: u64, channels: usize) -> Self {
        Self { first, channels, values: Vec::new() }
    }

    /// Index of its first sample since the stream's start.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// One past the index of its last sample.
    pub fn end(&self) -> u64 {
        self.first + self.len() as u64
    }

    /// Channels in each sample.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Samples (all channels at one instant count once).
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.channels).unwrap_or(0)
    }

    /// Whether it holds no sample.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All values, `[sample][channel]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, to be changed in place.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// One slice of `channels` values for each sample.
    pub fn samples(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.channels.max(1))
    }

    /// Appends whole samples. Values beyond the last whole sample are left out; returns how many samples were taken.
    pub fn extend(&mut self, values: &[f32]) -> usize {
        let whole = values.len() - values.len() % self.channels.max(1);
        self.values.extend_from_slice(&values[..whole]);
        whole / self.channels.max(1)
    }

    /// Appends `samples` samples in which every value is missing (NaN). Returns their values, to be filled in.
    pub fn extend_missing(&mut self, samples: usize) -> &mut [f32] {
        let before = self.values.len();
        self.values.resize(before + samples * self.channels, f32::NAN);
        &mut self.values[before..]
    }

    /// Empties it for reuse, keeping its memory; it then starts at sample `first` with `channels` channels.
    pub fn restart(&mut self, first: u64, channels: usize) {
        self.values.clear();
        self.first = first;
        self.channels = channels;
    }
}
