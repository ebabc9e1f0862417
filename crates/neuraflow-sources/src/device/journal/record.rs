//! Records of a journal: what was pushed, in frames that tell a whole record from everything else. Little-endian.
//!
//! A frame is a sync word, the payload's length, the CRC-32C of the record's place and payload, and the payload. With its place
//! in the sum, a record that lies where another one was is no record; after damage the sync word finds the next one.

use bincode::Options;
use neuraflow_core::model::{Control, Marker, PacketBody, Sequence, StreamHeader};

const SYNC: [u8; 4] = *b"NFjr";
/// Bytes before a payload: sync word, length, checksum.
const PREFIX: usize = 12;
/// Bytes of a payload before its body: kind, stream, wall time.
const HEAD: usize = 17;
/// Longest payload: 16 million values in one push.
const LIMIT: usize = 64 << 20;
/// Bytes of a whole record that a stream fell silent.
pub(super) const SILENT_BYTES: u64 = (PREFIX + HEAD) as u64;

/// What is written down.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told<'a> {
    /// At the beginning of a segment: a stream that was open before.
    Known(&'a StreamHeader),
    /// All streams that are known were told.
    Begin,
    Open(&'a StreamHeader),
    Samples {
        sequence: Sequence,
        values: &'a [f32],
    },
    Marker(&'a Marker),
    Dropped {
        sequence: Sequence,
        samples: u64,
    },
    End {
        next: Sequence,
    },
    Silent,
    Control(&'a Control),
}

/// What is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Known(Box<StreamHeader>),
    Begin,
    Packet(PacketBody),
}

/// A record that was read, and the bytes it takes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    /// The stable hash of the stream's key.
    pub(super) stream: u64,
    /// Nanoseconds since the Unix epoch, by this machine's clock.
    pub(super) wall: u64,
    pub(super) item: Item,
    pub(super) bytes: u64,
}

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_fixint_encoding().with_little_endian().with_limit(LIMIT as u64)
}

/// Appends a record that will lie at `at`; `Err` with its size or fault if it cannot be one.
pub(super) fn encode(
    out: &mut Vec<u8>,
    at: u64,
    stream: u64,
    wall: u64,
    told: Told<'_>,
) -> Result<(), String> {
    let begin = out.len();
    out.extend_from_slice(&[0; PREFIX]);
    let kind = match told {
        Told::Known(_) => 1,
        Told::Begin => 2,
        Told::Open(_) => 3,
        Told::Samples { .. } => 4,
        Told::Marker(_) => 5,
        Told::Dropped { .. } => 6,
        Told::End { .. } => 7,
        Told::Silent => 8,
        Told::Control(_) => 9,
    };
    out.push(kind);
    out.extend_from_slice(&stream.to_le_bytes());
    out.extend_from_slice(&wall.to_le_bytes());
    let serialized = match told {
        Told::Known(header) | Told::Open(header) => options().serialize_into(&mut *out, header),
        Told::Marker(marker) => options().serialize_into(&mut *out, marker),
        Told::Control(control) => options().serialize_into(&mut *out, control),
        Told::Samples { sequence, values } => {
            out.extend_from_slice(&sequence.to_le_bytes());
            out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            Ok(())
        }
        Told::Dropped { sequence, samples } => {
            out.extend_from_slice(&sequence.to_le_bytes());
            out.extend_from_slice(&samples.to_le_bytes());
            Ok(())
        }
        Told::End { next } => {
            out.extend_from_slice(&next.to_le_bytes());
            Ok(())
        }
        Told::Begin | Told::Silent => Ok(()),
    };
    let length = out.len() - begin - PREFIX;
    let fault = serialized.err().map(|error| error.to_string());
    if let Some(fault) = fault.or_else(|| (length > LIMIT).then(|| format!("{length} bytes"))) {
        out.truncate(begin);
        return Err(fault);
    }
    let sum = sum(at, &out[begin + PREFIX..]);
    out[begin..begin + 4].copy_from_slice(&SYNC);
    // Fits: it is at most LIMIT.
    out[begin + 4..begin + 8].copy_from_slice(&(length as u32).to_le_bytes());
    out[begin + 8..begin + PREFIX].copy_from_slice(&sum.to_le_bytes());
    Ok(())
}

/// The record at the front of `bytes`, which lie at `at`; `None` if there is no whole and undamaged one.
pub(super) fn decode(bytes: &[u8], at: u64) -> Option<Record> {
    if !bytes.starts_with(&SYNC) {
        return None;
    }
    let length = word(bytes, 4)? as usize;
    if !(HEAD..=LIMIT).contains(&length) {
        return None;
    }
    let payload = bytes.get(PREFIX..PREFIX + length)?;
    if word(bytes, 8)? != sum(at, payload) {
        return None;
    }
    let (kind, stream, wall, body) = (payload[0], long(payload, 1)?, long(payload, 9)?, &payload[HEAD..]);
    let item = match kind {
        1 => Item::Known(options().deserialize(body).ok()?),
        2 => Item::Begin,
        3 => Item::Packet(PacketBody::Open(options().deserialize(body).ok()?)),
        4 => {
            let values = body.get(8..)?.chunks_exact(4);
            let values = values.map(|value| f32::from_le_bytes([value[0], value[1], value[2], value[3]]));
            Item::Packet(PacketBody::Samples { sequence: long(body, 0)?, values: values.collect() })
        }
        5 => Item::Packet(PacketBody::Marker(options().deserialize(body).ok()?)),
        6 => Item::Packet(PacketBody::Dropped { sequence: long(body, 0)?, samples: long(body, 8)? }),
        7 => Item::Packet(PacketBody::End { next: Some(long(body, 0)?) }),
        8 => Item::Packet(PacketBody::Silent),
        9 => Item::Packet(PacketBody::Control(options().deserialize(body).ok()?)),
        _ => return None,
    };
    Some(Record { stream, wall, item, bytes: (PREFIX + length) as u64 })
}

/// Where the next sync word is in `bytes`, if there is one.
pub(super) fn find(bytes: &[u8]) -> Option<usize> {
    bytes.windows(SYNC.len()).position(|window| window == SYNC)
}

fn sum(at: u64, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&at.to_le_bytes()), payload)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
