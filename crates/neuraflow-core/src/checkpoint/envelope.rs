//! What goes around everything that is stored: what it is, who wrote it, and whether it is still what was written.
//!
//! | bytes | |
//! |---|---|
//! | 8 | marker |
//! | 2 | format version |
//! | 2 | kind of file |
//! | 16 | hash of the pipeline's fingerprint |
//! | 8 | length of the body |
//! | 4 | CRC-32C of the body |
//! | 4 | CRC-32C of all of the header before this |
//!
//! Numbers are little-endian. Every version keeps this header, so that an older release can tell a newer file from a
//! damaged one.

use super::error::{CheckpointError, Damage};

/// Begins with a byte that is no text, and has a line end of each kind, so that a transfer that changes them shows.
const MARKER: [u8; 8] = *b"\x89NFCP\r\n\x1a";

/// The version this release writes, and the newest it reads.
pub(super) const VERSION: u16 = 1;

/// The length of the header.
pub(super) const HEADER: usize = 44;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Manifest = 1,
    Part = 2,
    Generation = 3,
}

/// The bytes of a file.
pub(super) fn seal(kind: Kind, fingerprint: u128, body: &[u8]) -> Vec<u8> {
    let mut file = vec![0; HEADER];
    file.extend_from_slice(body);
    seal_in_place(kind, fingerprint, &mut file);
    file
}

/// Fills in the header of a file whose first [`HEADER`] bytes were left free.
pub(super) fn seal_in_place(kind: Kind, fingerprint: u128, file: &mut [u8]) {
    let Some((header, body)) = file.split_first_chunk_mut::<HEADER>() else { return };
    header[0..8].copy_from_slice(&MARKER);
    header[8..10].copy_from_slice(&VERSION.to_le_bytes());
    header[10..12].copy_from_slice(&(kind as u16).to_le_bytes());
    header[12..28].copy_from_slice(&fingerprint.to_le_bytes());
    header[28..36].copy_from_slice(&(body.len() as u64).to_le_bytes());
    header[36..40].copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
    let checksum = crc32c::crc32c(&header[0..40]);
    header[40..44].copy_from_slice(&checksum.to_le_bytes());
}

/// A header that is intact and of a version we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) fingerprint: u128,
    pub(super) length: u64,
    checksum: u32,
}

/// Reads the header of `file`, which should be of `kind`.
pub(super) fn header(kind: Kind, file: &str, bytes: &[u8]) -> Result<Header, CheckpointError> {
    let damaged = |damage| CheckpointError::Damaged { file: file.to_owned(), damage };
    let Some(header) = bytes.first_chunk::<HEADER>() else {
        return Err(damaged(Damage::Length { expected: HEADER as u64, found: bytes.len() as u64 }));
    };
    if header[0..8] != MARKER {
        return Err(damaged(Damage::Magic));
    }
    check("header", u32_at(header, 40), &header[0..40]).map_err(damaged)?;
    let found = u16_at(header, 8);
    if found > VERSION {
        return Err(CheckpointError::UnsupportedVersion { file: file.to_owned(), found, supported: VERSION });
    }
    let found = u16_at(header, 10);
    if found != kind as u16 {
        return Err(damaged(Damage::Kind { expected: kind as u16, found }));
    }
    Ok(Header {
        fingerprint: u128::from_le_bytes(array(header, 12)),
        length: u64::from_le_bytes(array(header, 28)),
        checksum: u32_at(header, 36),
    })
}

/// The body of `file`, which should be of `kind`, and the hash of the fingerprint of who wrote it.
pub(super) fn open<'a>(kind: Kind, file: &str, bytes: &'a [u8]) -> Result<(u128, &'a [u8]), CheckpointError> {
    let damaged = |damage| CheckpointError::Damaged { file: file.to_owned(), damage };
    let header = header(kind, file, bytes)?;
    let body = &bytes[HEADER..];
    if body.len() as u64 != header.length {
        return Err(damaged(Damage::Length { expected: header.length, found: body.len() as u64 }));
    }
    check("body", header.checksum, body).map_err(damaged)?;
    Ok((header.fingerprint, body))
}

/// Whether `bytes` are those that `expected` was computed of.
pub(super) fn check(what: &'static str, expected: u32, bytes: &[u8]) -> Result<(), Damage> {
    let found = crc32c::crc32c(bytes);
    if found == expected { Ok(()) } else { Err(Damage::Checksum { what, expected, found }) }
}

fn array<const N: usize>(header: &[u8; HEADER], at: usize) -> [u8; N] {
    std::array::from_fn(|n| header[at + n])
}

fn u16_at(header: &[u8; HEADER], at: usize) -> u16 {
    u16::from_le_bytes(array(header, at))
}

fn u32_at(header: &[u8; HEADER], at: usize) -> u32 {
    u32::from_le_bytes(array(header, at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..300)
    }

    fn damage(bytes: &[u8]) -> Damage {
        match open(Kind::Part, "part", bytes) {
            Err(CheckpointError::Damaged { damage, .. }) => damage,
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        #[test]
        fn what_was_sealed_comes_out(body in bytes(), fingerprint: u128) {
            let file = seal(Kind::Part, fingerprint, &body);
            prop_assert_eq!(open(Kind::Part, "part", &file).unwrap(), (fingerprint, &body[..]));
        }

        #[test]
        fn whatever_happens_to_a_file_it_is_noticed(
            body in bytes(),
            at: prop::sample::Index,
            cut: prop::sample::Index,
            over in bytes(),
            inserts: bool,
        ) {
            let file = seal(Kind::Manifest, 7, &body);
            let from = at.index(file.len() + 1);
            let to = if inserts { from } else { from + cut.index(file.len() - from + 1) };
            let mut other = file.clone();
            other.splice(from..to, over);
            match open(Kind::Manifest, "manifest", &other) {
                Ok(found) => prop_assert_eq!((found, &other), ((7, &body[..]), &file)),
                Err(error) => prop_assert!(error.is_damage(), "{}", error),
            }
        }

        #[test]
        fn no_bytes_are_taken_for_a_file(bytes in bytes()) {
            prop_assert!(open(Kind::Manifest, "manifest", &bytes).is_err());
        }
    }

    #[test]
    fn every_single_flipped_bit_is_noticed() {
        let file = seal(Kind::Part, u128::MAX / 3, b"state of a stream");
        for bit in 0..8 * file.len() {
            let mut other = file.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let error = open(Kind::Part, "part", &other).unwrap_err();
            assert!(error.is_damage(), "bit {bit}: {error}");
        }
    }

    #[test]
    fn damage_is_told_apart() {
        let file = seal(Kind::Part, 7, b"state");
        assert_eq!(damage(b"short"), Damage::Length { expected: 44, found: 5 });
        assert_eq!(damage(&[0; 60]), Damage::Magic);
        assert_eq!(damage(&file[..file.len() - 1]), Damage::Length { expected: 5, found: 4 });
        assert_eq!(damage(&seal(Kind::Manifest, 7, b"state")), Damage::Kind { expected: 2, found: 1 });
        let mut other = file;
        other[HEADER] ^= 1;
        assert!(matches!(damage(&other), Damage::Checksum { what: "body", .. }));
    }
}
