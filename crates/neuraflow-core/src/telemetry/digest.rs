//! The digest of a run's output: equal digests mean that every result had the same bits.

use std::collections::BTreeMap;

use crate::model::{Features, Marker, StableHasher, StreamKey, WindowInfo};

/// A hash over every output value's bits, in order within a stream, independent of the order between streams.
///
/// NaNs count as equal; arrival and latency are left out. Give every place of the graph its own `path` number.
///
/// ```
/// use neuraflow_core::model::{Marker, StreamKey, Timestamp};
/// use neuraflow_core::telemetry::OutputDigest;
/// let (a, b) = (StreamKey::of_names("s", "a"), StreamKey::of_names("s", "b"));
/// let cue = Marker::new(Timestamp::EPOCH, "cue");
/// let (mut one, mut other) = (OutputDigest::default(), OutputDigest::default());
/// one.marker(0, &a, &cue);
/// one.marker(0, &b, &cue);
/// other.marker(0, &b, &cue);
/// other.marker(0, &a, &cue);
/// assert_eq!(one.finish(), other.finish());
/// ```
#[derive(Clone, Debug, Default)]
pub struct OutputDigest(BTreeMap<(u32, StreamKey), StableHasher>);

impl OutputDigest {
    fn of(&mut self, path: u32, stream: &StreamKey) -> &mut StableHasher {
        self.0.entry((path, *stream)).or_default()
    }

    /// Adds a feature vector and the window it was computed from.
    pub fn features(&mut self, path: u32, features: &Features) {
        let hasher = self.of(path, &features.info.stream.key);
        window(hasher, &features.info);
        hasher.u64(features.values.len() as u64);
        for value in &features.values {
            hasher.f64(*value);
        }
    }

    /// Adds a marker.
    pub fn marker(&mut self, path: u32, stream: &StreamKey, marker: &Marker) {
        add_marker(self.of(path, stream), marker);
    }

    /// The digest of everything added so far.
    pub fn finish(&self) -> u128 {
        let mut all = StableHasher::default();
        for ((path, key), hasher) in &self.0 {
            all.u64(u64::from(*path)).u64(key.stable_hash()).bytes(&hasher.finish().to_le_bytes());
        }
        all.finish()
    }
}

fn window(hasher: &mut StableHasher, info: &WindowInfo) {
    hasher.u64(info.index as u64).u64(info.start.as_nanos() as u64).u64(info.end.as_nanos() as u64);
    hasher.u64(u64::from(info.expected)).u64(u64::from(info.received)).u64(u64::from(info.imputed));
    hasher.u64(info.status as u64).u64(u64::from(info.warm_up));
    if let Some(marker) = &info.marker {
        add_marker(hasher, marker);
    }
}

fn add_marker(hasher: &mut StableHasher, marker: &Marker) {
    hasher.u64(marker.time.as_nanos() as u64).u64(marker.duration.as_nanos() as u64);
    hasher.u64(marker.label.len() as u64).bytes(marker.label.as_bytes());
}
