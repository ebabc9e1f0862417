//! What goes around a model's bytes.
//!
//! | bytes | |
//! |---|---|
//! | 8 | marker |
//! | 2 | format version |
//! | 2 | zero |
//! | 8 | length of the body |
//! | 4 | CRC-32C of the body |
//! | 4 | CRC-32C of all of the header before this |
//!
//! Numbers are little-endian. Every version keeps this header, so that an older release can tell a newer model from a
//! damaged one.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::ModelError;

/// What a model's bytes begin with, by what it decides. It begins with a byte that is no text, and has a line end of each kind, so
/// that a transfer that changes them shows.
pub(super) type Marker = [u8; 8];

/// Of a decoder of classes.
pub(super) const CLASSES: Marker = *b"\x89NFMD\r\n\x1a";
/// Of a decoder of trajectories.
pub(super) const TRAJECTORY: Marker = *b"\x89NFTD\r\n\x1a";

/// The version this release writes, and the newest it reads.
const VERSION: u16 = 1;

const HEADER: usize = 28;

/// The most bytes that a model may have: 1,024 channels and a few classes.
pub(super) const MOST: u64 = 1 << 28;

fn damaged(what: &'static str, expected: impl ToString, found: impl ToString) -> ModelError {
    ModelError::Damaged { what, expected: expected.to_string(), found: found.to_string() }
}

/// The bytes of a model with this body.
pub(super) fn seal(marker: Marker, body: &[u8]) -> Result<Vec<u8>, ModelError> {
    let length = (HEADER + body.len()) as u64;
    if length > MOST {
        return Err(damaged("length", format!("at most {MOST} bytes"), length));
    }
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(&marker);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(body).to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes.extend_from_slice(body);
    Ok(bytes)
}

/// What a model decides, by the bytes that it begins with.
fn of(marker: &[u8]) -> &'static str {
    if *marker == CLASSES { "that of a decoder of classes" } else { "that of a decoder of trajectories" }
}

/// The body of a model's bytes.
pub(super) fn open(marker: Marker, bytes: &[u8]) -> Result<&[u8], ModelError> {
    if bytes.len() as u64 > MOST {
        return Err(damaged("length", format!("at most {MOST} bytes"), "more"));
    }
    let Some((header, body)) = bytes.split_first_chunk::<HEADER>() else {
        return Err(damaged("length", format!("at least {HEADER} bytes"), bytes.len()));
    };
    if header[..8] != marker {
        let found = match &header[..8] {
            other if *other == CLASSES || *other == TRAJECTORY => of(other).to_owned(),
            other => format!("{other:02x?}, with which no model begins"),
        };
        return Err(damaged("marker", of(&marker), found));
    }
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    same("checksum of the header", number(24), crc32c::crc32c(&header[..24]))?;
    let found = u16::from_le_bytes([header[8], header[9]]);
    if found > VERSION {
        return Err(ModelError::Version { supported: VERSION, found });
    }
    let length = u64::from(number(12)) | u64::from(number(16)) << 32;
    if length != body.len() as u64 {
        return Err(damaged("length of the body", length, body.len()));
    }
    same("checksum of the body", number(20), crc32c::crc32c(body))?;
    Ok(body)
}

fn same(what: &'static str, expected: u32, found: u32) -> Result<(), ModelError> {
    if expected == found {
        return Ok(());
    }
    Err(damaged(what, format!("{expected:08x}"), format!("{found:08x}")))
}

/// Writes a model's bytes to a file, whole or not at all.
pub(super) fn save(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|source| ModelError::Io { action: "write", path: partial.clone(), source })?;
    fs::rename(&partial, path).map_err(|source| ModelError::Io {
        action: "rename to",
        path: path.to_owned(),
        source,
    })
}

/// Reads a model's bytes from a file, and no more than a model may have.
pub(super) fn load(path: &Path) -> Result<Vec<u8>, ModelError> {
    let failed = |source| ModelError::Io { action: "read", path: path.to_owned(), source };
    let mut bytes = Vec::new();
    // A byte more than a model may have is enough to know that it is none.
    File::open(path).map_err(failed)?.take(MOST + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Names as they are written down: bytes, not strings, for reading a string allocates what its length claims.
pub(super) fn to_bytes(names: &[String]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.clone().into_bytes()).collect()
}

/// Names that were written down.
pub(super) fn to_names(what: &'static str, bytes: Vec<Vec<u8>>) -> Result<Vec<String>, ModelError> {
    let text = |name| {
        String::from_utf8(name).map_err(|error| {
            let (expected, found) = ("names in UTF-8".to_owned(), error.to_string());
            ModelError::Invalid { what, expected, found }
        })
    };
    bytes.into_iter().map(text).collect()
}
