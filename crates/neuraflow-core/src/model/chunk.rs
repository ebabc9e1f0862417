//! A chunk: contiguous samples of one stream.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Contiguous samples of one stream in microvolts, sample-major: `[sample][channel]`.
///
/// A value that was not measured is NaN: operators must not let it into their state.
#[derive(Default)]
pub struct Chunk {
    first: u64,
    channels: usize,
    len: usize,
    /// The values of `len` samples. What lies behind them was used before, and is of no meaning but to be written over: a chunk
    /// that is filled again and again need not be cleared in between.
    memory: Vec<f32>,
}

impl Clone for Chunk {
    fn clone(&self) -> Self {
        Self { memory: self.values().to_vec(), ..*self }
    }

    /// Allocates nothing where there is room.
    fn clone_from(&mut self, from: &Self) {
        self.restart(from.first, from.channels);
        self.append(from.len, from.values());
    }
}

impl PartialEq for Chunk {
    fn eq(&self, other: &Self) -> bool {
        (self.first, self.channels, self.values()) == (other.first, other.channels, other.values())
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, channels, .. } = self;
        let mut debug = f.debug_struct("Chunk");
        debug.field("first", first).field("channels", channels).field("values", &self.values()).finish()
    }
}

impl Chunk {
    /// An empty chunk that starts at sample `first` of its stream.
    pub fn new(first: u64, channels: usize) -> Self {
        Self { first, channels, ..Self::default() }
    }

    /// Index of its first sample since the stream's start.
    #[inline]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// One past the index of its last sample.
    #[inline]
    pub fn end(&self) -> u64 {
        self.first + self.len as u64
    }

    /// Channels in each sample.
    #[inline]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Samples (all channels at one instant count once).
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds no sample.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All values, `[sample][channel]`.
    #[inline]
    pub fn values(&self) -> &[f32] {
        &self.memory[..self.len * self.channels]
    }

    /// All values, to be changed in place.
    #[inline]
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.memory[..self.len * self.channels]
    }

    /// One slice of `channels` values for each sample.
    pub fn samples(&self) -> impl Iterator<Item = &[f32]> {
        self.values().chunks_exact(self.channels.max(1))
    }

    /// Appends whole samples. Values beyond the last whole sample are left out; returns how many samples were taken.
    pub fn extend(&mut self, values: &[f32]) -> usize {
        let samples = values.len().checked_div(self.channels).unwrap_or(0);
        self.append(samples, &values[..samples * self.channels]);
        samples
    }

    /// Appends so many samples, of which these are the values.
    #[inline]
    pub(crate) fn append(&mut self, samples: usize, values: &[f32]) {
        self.extend_to_fill(samples).copy_from_slice(values);
    }

    /// Appends `samples` samples in which every value is missing (NaN). Returns their values, to be filled in.
    pub fn extend_missing(&mut self, samples: usize) -> &mut [f32] {
        let values = self.extend_to_fill(samples);
        values.fill(f32::NAN);
        values
    }

    /// Appends `samples` samples, and returns their values, every one of which is to be filled in: they are not missing, but
    /// whatever earlier use has left there.
    ///
    /// ```
    /// use neuraflow_core::model::Chunk;
    /// let mut chunk = Chunk::new(0, 2);
    /// chunk.extend_to_fill(3).fill(1.0);
    /// assert_eq!((chunk.len(), chunk.values()), (3, &[1.0; 6][..]));
    /// ```
    #[inline]
    pub fn extend_to_fill(&mut self, samples: usize) -> &mut [f32] {
        let used = self.len * self.channels;
        let end = used + samples * self.channels;
        if self.memory.len() < end {
            self.grow(end);
        }
        self.len += if self.channels > 0 { samples } else { 0 };
        &mut self.memory[used..end]
    }

    /// Makes room for so many values.
    #[cold]
    fn grow(&mut self, values: usize) {
        self.memory.resize(values, f32::NAN);
    }

    /// Trades memory with another chunk. Both are empty afterwards.
    #[inline]
    pub(crate) fn swap_memory(&mut self, other: &mut Self) {
        (self.len, other.len) = (0, 0);
        std::mem::swap(&mut self.memory, &mut other.memory);
    }

    /// Empties it for reuse, keeping its memory; it then starts at sample `first` with `channels` channels.
    #[inline]
    pub fn restart(&mut self, first: u64, channels: usize) {
        self.first = first;
        self.channels = channels;
        self.len = 0;
    }
}

/// A chunk as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Chunk")]
struct Stored<'a> {
    first: u64,
    channels: usize,
    values: Cow<'a, [f32]>,
}

impl<'a> Stored<'a> {
    fn of(chunk: &'a Chunk) -> Self {
        let Chunk { first, channels, .. } = *chunk;
        Self { first, channels, values: Cow::Borrowed(chunk.values()) }
    }
}

impl Serialize for Chunk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Stored::of(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Chunk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Stored { first, channels, values } = Stored::deserialize(deserializer)?;
        let memory = values.into_owned();
        let len = memory.len().checked_div(channels).unwrap_or(0);
        Ok(Self { first, channels, len, memory })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> Chunk {
        let mut chunk = Chunk::new(7, 2);
        chunk.extend(&[1.0; 9]);
        chunk.restart(20, 3);
        chunk.extend(&[2.0, 3.0, 4.0]);
        chunk
    }

    #[test]
    fn nothing_of_earlier_contents_is_to_be_seen() {
        let mut chunk = filled();
        assert_eq!((chunk.len(), chunk.end(), chunk.values()), (1, 21, &[2.0, 3.0, 4.0][..]));
        let fresh = chunk.clone();
        assert_eq!((&fresh, fresh.memory.len()), (&chunk, 3));
        assert_eq!(format!("{chunk:?}"), "Chunk { first: 20, channels: 3, values: [2.0, 3.0, 4.0] }");
        assert!(chunk.extend_missing(1).iter().all(|value| value.is_nan()));
        assert_eq!(chunk.extend_to_fill(1).len(), 3);
        assert_eq!((chunk.len(), chunk.values().len()), (3, 9));
        chunk.clone_from(&fresh);
        assert_eq!(chunk, fresh);
    }

    #[test]
    fn is_stored_as_its_values() {
        let bytes = bincode::serialize(&filled()).unwrap();
        assert_eq!(bytes, bincode::serialize(&(20_u64, 3_usize, vec![2.0_f32, 3.0, 4.0])).unwrap());
        assert_eq!(bincode::deserialize::<Chunk>(&bytes).unwrap(), filled());
        let odd = bincode::serialize(&(0_u64, 2_usize, vec![1.0_f32; 5])).unwrap();
        assert_eq!(bincode::deserialize::<Chunk>(&odd).unwrap().values(), [1.0; 4]);
        let no_channels = bincode::serialize(&(0_u64, 0_usize, vec![1.0_f32; 5])).unwrap();
        assert!(bincode::deserialize::<Chunk>(&no_channels).unwrap().is_empty());
    }
}
