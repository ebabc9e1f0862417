//! Parts: files of key groups' states. A few large files instead of one for every group.

use bincode::Options;
use serde::{Deserialize, Serialize};

use super::encoding::{LIMIT, Raw, encoding};
use super::envelope::{self, HEADER, Kind};
use super::error::{CheckpointError, Damage};
use super::manifest::{Extent, Part};
use super::store::CheckpointStore;
use crate::model::StreamKey;

/// A part is closed once it has this many bytes, so that nobody needs all of a large state in one piece of memory.
const FULL: usize = 32 << 20;

/// What an extent holds of one stream: its state, or that it has none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry<'a> {
    pub(super) key: StreamKey,
    #[serde(borrow)]
    pub(super) state: Option<Raw<'a>>,
}

impl Entry<'_> {
    /// How many bytes it takes in an extent.
    pub(super) fn size(&self) -> u64 {
        KEY + 1 + self.state.map_or(0, |state| 8 + state.0.len() as u64)
    }
}

/// The bytes of a stream's key: three ids and the signal.
const KEY: u64 = 3 * 16 + 2;

/// Writes a checkpoint's parts, one after another.
#[derive(Debug)]
pub(super) struct PartWriter<'a> {
    store: &'a dyn CheckpointStore,
    fingerprint: u128,
    next: Part,
    /// The part being filled, with room for its header.
    file: Vec<u8>,
    /// The parts that were put, or may have been, and the bytes of their extents.
    put: Vec<(Part, u64)>,
}

impl<'a> PartWriter<'a> {
    pub(super) fn new(store: &'a dyn CheckpointStore, fingerprint: u128, first: Part) -> Self {
        Self { store, fingerprint, next: first, file: vec![0; HEADER], put: Vec::new() }
    }

    /// Adds a key group's entries.
    pub(super) fn entries(&mut self, entries: &[Entry<'_>]) -> Result<Extent, CheckpointError> {
        let from = self.file.len();
        encoding().serialize_into(&mut self.file, entries).map_err(|error| CheckpointError::Encoding {
            what: self.next.name(),
            reason: error.to_string(),
        })?;
        self.close_extent(from)
    }

    /// Adds the bytes of an extent as they are.
    pub(super) fn copy(&mut self, bytes: &[u8]) -> Result<Extent, CheckpointError> {
        let from = self.file.len();
        self.file.extend_from_slice(bytes);
        self.close_extent(from)
    }

    fn close_extent(&mut self, from: usize) -> Result<Extent, CheckpointError> {
        let bytes = &self.file[from..];
        let extent = Extent {
            part: self.next,
            offset: from as u64,
            length: bytes.len() as u64,
            checksum: crc32c::crc32c(bytes),
        };
        if self.file.len() >= FULL {
            self.put()?;
        }
        Ok(extent)
    }

    fn put(&mut self) -> Result<(), CheckpointError> {
        if self.file.len() > HEADER {
            envelope::seal_in_place(Kind::Part, self.fingerprint, &mut self.file);
            self.put.push((self.next, (self.file.len() - HEADER) as u64));
            self.store.put_if_absent(&self.next.name(), &self.file)?;
            self.next.index += 1;
            self.file.truncate(HEADER);
        }
        Ok(())
    }

    /// Makes all durable.
    pub(super) fn finish(&mut self) -> Result<(), CheckpointError> {
        self.put()
    }

    /// The parts so far and how many bytes of extents each has, whether they could be put or not.
    pub(super) fn into_parts(self) -> Vec<(Part, u64)> {
        self.put
    }
}

/// Checks that a part is one, and was written by the pipeline with this fingerprint. Answers the bytes of its extents.
pub(super) fn check_part(
    store: &dyn CheckpointStore,
    part: Part,
    fingerprint: u128,
) -> Result<u64, CheckpointError> {
    let file = part.name();
    let header = envelope::header(Kind::Part, &file, &store.get_range(&file, 0, HEADER as u64)?)?;
    if header.fingerprint != fingerprint {
        let damage = Damage::Contradiction {
            what: "fingerprint",
            expected: format!("{fingerprint:032x}"),
            found: format!("{:032x}", header.fingerprint),
        };
        return Err(CheckpointError::Damaged { file, damage });
    }
    Ok(header.length)
}

/// The bytes of an extent.
pub(super) fn read(store: &dyn CheckpointStore, extent: &Extent) -> Result<Vec<u8>, CheckpointError> {
    let file = extent.part.name();
    let damaged = |damage| CheckpointError::Damaged { file: file.clone(), damage };
    let bytes = store.get_range(&file, extent.offset, extent.length.min(LIMIT + HEADER as u64))?;
    if bytes.len() as u64 != extent.length {
        return Err(damaged(Damage::Length { expected: extent.length, found: bytes.len() as u64 }));
    }
    envelope::check("extent", extent.checksum, &bytes).map_err(damaged)?;
    Ok(bytes)
}

/// What the bytes of an extent say.
pub(super) fn entries<'a>(extent: &Extent, bytes: &'a [u8]) -> Result<Vec<Entry<'a>>, CheckpointError> {
    encoding().deserialize(bytes).map_err(|error| CheckpointError::Damaged {
        file: extent.part.name(),
        damage: Damage::Encoding { reason: error.to_string() },
    })
}
