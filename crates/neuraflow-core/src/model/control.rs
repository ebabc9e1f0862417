//! A control: what a host tells an operator of a running stream.

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// Something that an operator of a running stream is told: a new model, to stop adapting.
///
/// It travels as a packet, as everything that changes a stream's state does, so that logs, journals and topics have it and
/// a replay gives the same bits. An operator that [listens](crate::operator::Operator::listens_to) to `target` takes it ahead of
/// the first window that begins at or after `at`, and it holds from there on; one that comes later than that window takes effect
/// with the window that closes next. Give `at` some time ahead of the present: then the result does not depend on
/// how samples are cut into packets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// Event time from which it holds.
    pub at: Timestamp,
    /// The name that the operator listens to.
    pub target: String,
    /// What it is told, in the operator's own encoding.
    #[serde(with = "as_bytes")]
    pub payload: Vec<u8>,
}

impl Control {
    /// Tells the operator that listens to `target` something, from `at` on.
    pub fn new(at: Timestamp, target: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self { at, target: target.into(), payload: payload.into() }
    }
}

/// Bytes as bytes, not as a sequence of numbers: MessagePack would need up to two bytes for each.
mod as_bytes {
    use std::fmt;

    use serde::de::{Error, SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_byte_buf(Bytes)
    }

    struct Bytes;

    impl<'de> Visitor<'de> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }

        fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<Vec<u8>, A::Error> {
            let mut all = Vec::new(); // grows with what is there, whatever the length claims
            while let Some(byte) = bytes.next_element()? {
                all.push(byte);
            }
            Ok(all)
        }
    }
}
