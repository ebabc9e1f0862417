//! How values become bytes: bincode with fixed-width little-endian integers and a size limit.

use bincode::Options;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The largest value in bytes: a guard against a corrupt length, not a quota.
pub(super) const LIMIT: u64 = 1 << 30;

/// The one encoding of everything in this room.
pub(super) fn encoding() -> impl Options {
    bincode::DefaultOptions::new().with_fixint_encoding().with_little_endian().with_limit(LIMIT)
}

/// Bytes that are copied as they are. Serde takes a `Vec<u8>` number by number, which costs more than all the rest of a
/// checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Raw<'a>(pub(super) &'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&[u8]>::deserialize(deserializer).map(Raw)
    }
}
