//! The value of a record: a MessagePack array of the version and a map, around a frame of the signal codec.
//!
//! A record says whose it is by its key, the [bytes](StreamKey::to_bytes) of the stream's key. Whatever does not continue an earlier frame has the
//! stream's header with it, so that a reader may begin at any such record: a *key record*.

use neuraflow_core::codec::{FrameHeader, MAX_CHANNELS};
use neuraflow_core::model::{Control, Marker, Sequence, StreamHeader, StreamKey};
use rmp_serde::decode;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

/// The version that is written, and the only one that is read.
pub(super) const VERSION: u8 = 1;
/// The longest record that is written, in bytes: brokers take batches of 1 MiB unless they are told otherwise, and what a batch and a record
/// have around the value, the key among it, is below 512 bytes.
pub(super) const MAX_RECORD: usize = (1 << 20) - 512;
/// A MessagePack array of two.
const PAIR: u8 = 0x92;

/// What a record says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Envelope<'a> {
    /// Of key records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) header: Option<StreamHeader>,
    #[serde(borrow)]
    pub(super) body: Body<'a>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Body<'a> {
    /// The stream begins, or begins anew.
    Open,
    /// A frame of the signal codec.
    Samples {
        #[serde(borrow, serialize_with = "as_bytes")]
        frame: &'a [u8],
    },
    Marker {
        marker: Marker,
    },
    Dropped {
        sequence: Sequence,
        samples: u64,
    },
    Silent,
    End {
        next: Option<Sequence>,
    },
    Control {
        control: Control,
    },
}

fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Why a record is no envelope. What it says goes with the record to the dead letters.
#[derive(Debug, Error)]
pub(super) enum EnvelopeError {
    #[error("key: expected the 50 bytes of a stream's key, found {found}")]
    Key { found: String },
    #[error("envelope: expected a MessagePack array of a version and a map, found {found}")]
    Shape { found: String },
    #[error("envelope version: expected {VERSION}, found {found}; read it with the release that wrote it")]
    Version { found: u8 },
    #[error("envelope: {0}")]
    MessagePack(#[from] decode::Error),
    #[error("envelope: {what}: expected {expected}, found {found}")]
    Invalid { what: &'static str, expected: String, found: String },
    #[error("frame: {0}")]
    Frame(#[from] neuraflow_core::codec::CodecError),
}

/// The stream that a record's key names.
pub(super) fn key_of(bytes: Option<&[u8]>) -> Result<StreamKey, EnvelopeError> {
    bytes.and_then(StreamKey::from_bytes).ok_or_else(|| EnvelopeError::Key {
        found: bytes.map_or("none".to_owned(), |bytes| format!("{} bytes", bytes.len())),
    })
}

/// Writes the value of a record; `Err` with what MessagePack says of it.
pub(super) fn encode(envelope: &Envelope<'_>) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    let mut bytes = vec![PAIR, VERSION];
    rmp_serde::encode::write_named(&mut bytes, envelope)?;
    Ok(bytes)
}

/// Reads the value of a record of the stream `key`. What it allocates is bounded by the bytes there are.
pub(super) fn decode<'a>(key: &StreamKey, value: Option<&'a [u8]>) -> Result<Envelope<'a>, EnvelopeError> {
    let bytes = value.unwrap_or_default();
    let rest = match bytes {
        [PAIR, VERSION, rest @ ..] => rest,
        [PAIR, version, ..] => return Err(EnvelopeError::Version { found: *version }),
        [first, ..] => return Err(EnvelopeError::Shape { found: format!("a first byte of {first:02x}") }),
        [] => return Err(EnvelopeError::Shape { found: "nothing".into() }),
    };
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(rest);
    let envelope = Envelope::deserialize(&mut deserializer)?;
    if !matches!(IgnoredAny::deserialize(&mut deserializer), Err(decode::Error::InvalidMarkerRead(_))) {
        return Err(invalid("end", "nothing after the map", "more"));
    }
    check(key, &envelope)?;
    Ok(envelope)
}

fn check(key: &StreamKey, envelope: &Envelope<'_>) -> Result<(), EnvelopeError> {
    if let Some(header) = &envelope.header {
        if header.key != *key {
            return Err(invalid(
                "stream",
                format!("{key:?}, as the record's key has it"),
                format!("{:?}", header.key),
            ));
        }
        if !(1..=MAX_CHANNELS).contains(&header.channels.len()) {
            return Err(invalid("channels", "1 to 65536", header.channels.len()));
        }
    }
    match &envelope.body {
        Body::Samples { frame } => check_frame(envelope.header.as_ref(), key, frame),
        _ if envelope.header.is_none() => Err(invalid("header", "one, in all but continued frames", "none")),
        _ => Ok(()),
    }
}

/// A key frame comes with the header that it agrees with, and no other does.
fn check_frame(header: Option<&StreamHeader>, key: &StreamKey, frame: &[u8]) -> Result<(), EnvelopeError> {
    let frame = FrameHeader::read(frame)?;
    match (header, &frame.layout) {
        (None, None) => Ok(()),
        (Some(_), None) => Err(invalid("frame", "a key frame, since a header is there", "another")),
        (None, Some(_)) => Err(invalid("header", "one beside a key frame", "none")),
        (Some(header), Some(layout)) => {
            if layout.key != *key {
                return Err(invalid("stream of the frame", format!("{key:?}"), format!("{:?}", layout.key)));
            }
            if layout.channels != header.channels.len() {
                return Err(invalid("channels of the frame", header.channels.len(), layout.channels));
            }
            if layout.rate != header.rate {
                return Err(invalid("rate of the frame", header.rate.as_hz(), layout.rate.as_hz()));
            }
            Ok(())
        }
    }
}

fn invalid(what: &'static str, expected: impl ToString, found: impl ToString) -> EnvelopeError {
    EnvelopeError::Invalid { what, expected: expected.to_string(), found: found.to_string() }
}
