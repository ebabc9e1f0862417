//! Why a checkpoint could not be written or restored.

use thiserror::Error;

use super::snapshot::RestoreError;
use super::store::StoreError;
use crate::model::Recovery;

/// Why a checkpoint could not be written or restored.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The store said no.
    #[error("checkpoint store: {0}")]
    Store(#[from] StoreError),
    /// A file is not what was written. While restoring, an older checkpoint takes its place if there is one.
    #[error("{file} is damaged: {damage}")]
    Damaged {
        /// Which file.
        file: String,
        /// What is wrong with it.
        damage: Damage,
    },
    /// A newer release wrote it.
    #[error(
        "{file} has format version {found}, supported are versions up to {supported}; use the release that wrote it"
    )]
    UnsupportedVersion {
        /// Which file.
        file: String,
        /// Its version.
        found: u16,
        /// The newest version this release reads.
        supported: u16,
    },
    /// Another pipeline wrote it.
    #[error(
        "the checkpoint is of another pipeline; stage {stage} differs: expected {expected}, found {found}; \
         restore it with the pipeline that wrote it, give a migration, or start in an empty directory"
    )]
    ChangedPipeline {
        /// The first stage that differs.
        stage: String,
        /// What this pipeline has there.
        expected: String,
        /// What the checkpoint's pipeline had there.
        found: String,
    },
    /// There are checkpoints, but none can be restored. To start all over silently would be to lose data.
    #[error(
        "none of {} checkpoints can be restored: {}; repair the directory, or move it away to start afresh",
        tried.len(), all(tried)
    )]
    NothingUsable {
        /// The newest first.
        tried: Vec<Skipped>,
    },
    /// Only one checkpoint is in flight at a time.
    #[error("checkpoint {number} is still in flight; commit or abandon it before the next one begins")]
    InFlight {
        /// The one in flight.
        number: u64,
    },
    /// Not everybody has answered, or no checkpoint was begun.
    #[error("there is nothing to commit yet: {missing}")]
    Incomplete {
        /// What is missing.
        missing: String,
    },
    /// Somebody else has committed on top of the same checkpoint. This process must stop: what it would write would not
    /// fit.
    #[error(
        "another process has committed checkpoints here since this one started (file {file}); \
         stop this pipeline, and give each pipeline a place of its own"
    )]
    Overtaken {
        /// The other's file.
        file: String,
    },
    /// A stream's state is intact, but no encoding of one.
    #[error("state of a stream: {0}")]
    State(#[from] RestoreError),
    /// It cannot be written in this format.
    #[error("{what} cannot be encoded ({reason}); expected at most 1 GiB of state in one key group")]
    Encoding {
        /// What was to be written.
        what: String,
        /// What the encoder said.
        reason: String,
    },
    /// A setting does not make sense.
    #[error("{setting}: expected {expected}, found {found}")]
    Setting {
        /// Which setting.
        setting: &'static str,
        /// What would be accepted.
        expected: &'static str,
        /// What was given.
        found: String,
    },
}

impl CheckpointError {
    /// What to do after it: a checkpoint that was not written for lack of room can be tried again with the next one.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Store(error) => error.recovery(),
            Self::InFlight { .. } | Self::Incomplete { .. } => Recovery::Retry,
            _ => Recovery::Stop,
        }
    }

    /// Whether it tells of this one checkpoint's bytes, so that an older checkpoint may do.
    pub(super) fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::State(_) | Self::Store(StoreError::Missing { .. }))
    }
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Damage {
    /// It does not begin like one of our files.
    #[error("it does not begin with the marker of a checkpoint file")]
    Magic,
    /// It is a file of another kind.
    #[error("expected a file of kind {expected}, found kind {found}")]
    Kind {
        /// What it should be.
        expected: u16,
        /// What it says.
        found: u16,
    },
    /// It is shorter or longer than it says.
    #[error("expected {expected} bytes, found {found}")]
    Length {
        /// What it should have.
        expected: u64,
        /// What it has.
        found: u64,
    },
    /// Some bits have changed.
    #[error("expected checksum {expected:08x} of the {what}, found {found:08x}")]
    Checksum {
        /// Of which part.
        what: &'static str,
        /// What was written.
        expected: u32,
        /// What the bytes give.
        found: u32,
    },
    /// The bytes are intact, but contradict each other.
    #[error("{what}: expected {expected}, found {found}")]
    Contradiction {
        /// What is contradicted.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The bytes are intact, but no encoding of what should be there.
    #[error("it cannot be decoded: {reason}")]
    Encoding {
        /// What the decoder said.
        reason: String,
    },
}

/// A checkpoint that could not be restored, so that an older one was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its manifest.
    pub manifest: String,
    /// Why.
    pub reason: String,
}

fn all(tried: &[Skipped]) -> String {
    let told: Vec<_> = tried.iter().map(|one| format!("{} ({})", one.manifest, one.reason)).collect();
    told.join("; ")
}
