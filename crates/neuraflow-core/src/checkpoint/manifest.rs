//! The manifest: one small file that makes a checkpoint out of parts. A checkpoint exists once its manifest does.

use std::collections::BTreeMap;

use bincode::Options;
use serde::{Deserialize, Serialize};

use super::encoding::encoding;
use super::envelope::{self, Kind};
use super::error::{CheckpointError, Damage};
use super::fingerprint::Fingerprint;
use crate::model::Positions;

/// What the names of manifests begin with.
pub(super) const MANIFESTS: &str = "manifest-";
/// What the names of parts begin with.
pub(super) const PARTS: &str = "part-";
/// What the names of claimed generations begin with.
pub(super) const GENERATIONS: &str = "generation-";

/// A name that sorts like its number.
pub(super) fn numbered(prefix: &str, number: u64) -> String {
    format!("{prefix}{number:020}")
}

/// The number in a name; `None` if it is not one of ours.
pub(super) fn number_of(prefix: &str, name: &str) -> Option<u64> {
    let number = name.strip_prefix(prefix)?.parse().ok()?;
    (name == numbered(prefix, number)).then_some(number)
}

/// What a checkpoint is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Its place in the chain of commits, without a hole: two processes that go on from one manifest want the same next
    /// place, and only one can have it.
    pub(super) sequence: u64,
    /// The checkpoint's number.
    pub(super) number: u64,
    /// Which life of the pipeline wrote it.
    pub(super) generation: u64,
    pub(super) fingerprint: Fingerprint,
    pub(super) sources: BTreeMap<String, Positions>,
    pub(super) sinks: BTreeMap<String, Positions>,
    /// Where the state of each key group is: a base, and what has changed since, the oldest first.
    pub(super) groups: BTreeMap<u16, Vec<Extent>>,
}

/// A run of bytes in a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extent {
    pub(super) part: Part,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) checksum: u32,
}

/// Names a part. Its generation keeps what a crashed life left behind apart from what the next one writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) number: u64,
    pub(super) generation: u64,
    pub(super) index: u32,
}

impl Part {
    pub(super) fn name(self) -> String {
        format!("{PARTS}{:020}-{:010}-{:04}", self.number, self.generation, self.index)
    }

    /// The part of this name; `None` if it is not one of ours.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let mut numbers = name.strip_prefix(PARTS)?.splitn(3, '-');
        let number = numbers.next()?.parse().ok()?;
        let generation = numbers.next()?.parse().ok()?;
        let index = numbers.next()?.parse().ok()?;
        Some(Self { number, generation, index })
    }
}

impl Manifest {
    pub(super) fn name(&self) -> String {
        numbered(MANIFESTS, self.sequence)
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, CheckpointError> {
        let body = encoding()
            .serialize(self)
            .map_err(|error| CheckpointError::Encoding { what: self.name(), reason: error.to_string() })?;
        Ok(envelope::seal(Kind::Manifest, self.fingerprint.hash(), &body))
    }

    pub(super) fn decode(file: &str, bytes: &[u8]) -> Result<Self, CheckpointError> {
        let damaged = |damage| CheckpointError::Damaged { file: file.to_owned(), damage };
        let (hash, body) = envelope::open(Kind::Manifest, file, bytes)?;
        let manifest: Self = encoding()
            .deserialize(body)
            .map_err(|error| damaged(Damage::Encoding { reason: error.to_string() }))?;
        // Intact bytes under a wrong name are a file that somebody copied.
        let contradictions = [
            ("name", file.to_owned(), manifest.name()),
            ("fingerprint", format!("{hash:032x}"), format!("{:032x}", manifest.fingerprint.hash())),
        ];
        for (what, expected, found) in contradictions {
            if expected != found {
                return Err(damaged(Damage::Contradiction { what, expected, found }));
            }
        }
        Ok(manifest)
    }
}
