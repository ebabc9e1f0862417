//! Where checkpoints are kept, and what a store must promise.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::model::Recovery;

/// Keeps named runs of bytes, which are written once and never changed. A directory is one
/// ([`LocalStore`](super::LocalStore)); an object store can be one.
pub trait CheckpointStore: Send + Sync + fmt::Debug {
    /// Keeps `bytes` as `name`. When it returns `Ok` they survive a power failure. Of several writers of one name exactly
    /// one succeeds; the others are told [`StoreError::Exists`]. After another error they may be there, whole, or not
    /// there; never in part.
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// All bytes of `name`.
    fn get(&self, name: &str) -> Result<Vec<u8>, StoreError>;

    /// `length` bytes of `name` from `offset`, or fewer where it ends before.
    fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Vec<u8>, StoreError>;

    /// The names that begin with `prefix`, in order.
    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError>;

    /// Forgets `name`, if it is there. After a crash it may be back until the next successful `put_if_absent`.
    fn delete(&self, name: &str) -> Result<(), StoreError>;
}

/// Why a store could not do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The name is taken.
    #[error(
        "{name} exists already; another process writes to the same place: give each pipeline a place of its own"
    )]
    Exists {
        /// Which name.
        name: String,
    },
    /// There is nothing of this name.
    #[error("{name} is not there; something removed it")]
    Missing {
        /// Which name.
        name: String,
    },
    /// Another store is open on the same directory.
    #[error(
        "{} is in use by another pipeline; wait until that one has stopped, or give each a directory of its own",
        directory.display()
    )]
    Locked {
        /// Which directory.
        directory: PathBuf,
    },
    /// No store takes such a name.
    #[error("expected a name of lower-case letters, digits and hyphens, found {name:?}")]
    Name {
        /// What was given.
        name: String,
    },
    /// The file system or network said no.
    #[error("cannot {action} {target}: {source}")]
    Io {
        /// What it was doing: `write`, `read`, `rename`.
        action: &'static str,
        /// The file or address.
        target: String,
        /// What the system said.
        source: io::Error,
    },
}

impl StoreError {
    /// What to do after it. A full disk may have room again at the next checkpoint.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Io { .. } => Recovery::Retry,
            _ => Recovery::Stop,
        }
    }
}
