//! The file format of a packet log: a header, then records of length, checksum and payload. Little-endian.

use std::io::{self, Read};

use bincode::Options;
use neuraflow_core::model::{Packet, PacketBody};

const MAGIC: [u8; 8] = *b"NFPKTLOG";
/// The version written, and the only one read.
pub(super) const VERSION: u32 = 1;
/// Bytes of the header: magic, version, CRC-32 of both.
pub(super) const HEADER: usize = 16;
/// Bytes before a payload: its length and CRC-32.
pub(super) const PREFIX: usize = 8;
/// Longest payload: 16 million values in one packet.
pub(super) const LIMIT: u32 = 64 << 20;

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_fixint_encoding().with_little_endian().with_limit(u64::from(LIMIT))
}

/// The header of a new file.
pub(super) fn header() -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..12]);
    bytes[12..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// What is wrong with a header: which field, what was expected, what was found.
pub(super) fn check_header(bytes: &[u8]) -> Result<(), (&'static str, String, String)> {
    let Some(bytes) = bytes.get(..HEADER) else {
        return Err(("header", format!("{HEADER} bytes"), format!("{} bytes", bytes.len())));
    };
    if bytes[..8] != MAGIC {
        let found = String::from_utf8_lossy(&bytes[..8]).escape_debug().to_string();
        return Err(("magic", "NFPKTLOG, a packet log".into(), found));
    }
    let version = word(bytes, 8);
    if word(bytes, 12) != crc32fast::hash(&bytes[..12]) {
        return Err(("header checksum", "the CRC-32 of the header".into(), "another".into()));
    }
    if version != VERSION {
        return Err((
            "version",
            format!("{VERSION}; read it with the release that wrote it"),
            version.to_string(),
        ));
    }
    Ok(())
}

/// A record, prefix and all; `Err` with its size if it is too long for one.
pub(super) fn encode(arrival: u64, packet: &Packet) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; PREFIX];
    options().serialize_into(&mut bytes, &(arrival, packet)).map_err(|error| error.to_string())?;
    let length = u32::try_from(bytes.len() - PREFIX).map_err(|error| error.to_string())?;
    let crc = crc32fast::hash(&bytes[PREFIX..]);
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[4..PREFIX].copy_from_slice(&crc.to_le_bytes());
    Ok(bytes)
}

/// One step through a file.
pub(super) enum Step {
    /// A packet, and the bytes its record takes.
    Packet(u64, Packet, u64),
    /// The file ends after a whole record.
    End,
    /// What follows is not a whole, undamaged record: what is wrong with it, and the bytes that it claims to take.
    Broken(&'static str, Option<u64>),
}

/// Reads the next record. `buffer` is reused.
pub(super) fn next(file: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Step> {
    match fill(file, PREFIX as u64, buffer)? {
        0 => return Ok(Step::End),
        PREFIX => {}
        _ => return Ok(Step::Broken("it is cut off within a record's prefix", None)),
    }
    let (length, crc) = (word(buffer, 0), word(buffer, 4));
    if length == 0 || length > LIMIT {
        return Ok(Step::Broken("a record's length is 0 or beyond the limit", None));
    }
    let size = PREFIX as u64 + u64::from(length);
    // Grows with what is really there: a length in a damaged file allocates nothing.
    if fill(file, u64::from(length), buffer)? != length as usize {
        return Ok(Step::Broken("it is cut off within a record", None));
    }
    if crc32fast::hash(buffer) != crc {
        return Ok(Step::Broken("a record's checksum does not hold", Some(size)));
    }
    match options().deserialize::<(u64, Packet)>(buffer) {
        Ok((arrival, packet)) if agrees(&packet) => Ok(Step::Packet(arrival, packet, size)),
        _ => Ok(Step::Broken("a record is no packet", Some(size))),
    }
}

/// Whether a header that opens a stream is that stream's.
fn agrees(packet: &Packet) -> bool {
    !matches!(&packet.body, PacketBody::Open(header) if header.key != packet.stream)
}

fn fill(file: &mut impl Read, count: u64, buffer: &mut Vec<u8>) -> io::Result<usize> {
    buffer.clear();
    file.take(count).read_to_end(buffer)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_le_bytes)
}
