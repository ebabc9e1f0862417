//! Writing an operator's state and reading it back.
//!
//! Values are encoded with bincode, one after another, in the order in which they were put. An envelope with
//! version, fingerprint and checksum goes around this where it is stored.

use bincode::Options;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::encoding::{LIMIT, encoding};

fn values() -> impl Options {
    encoding().allow_trailing_bytes()
}

/// Collects an operator's state.
///
/// ```
/// use neuraflow_core::checkpoint::{SnapshotReader, SnapshotWriter};
/// let mut writer = SnapshotWriter::default();
/// writer.put(&vec![1.0f64, 2.0]);
/// let bytes = writer.into_bytes()?;
/// let mut reader = SnapshotReader::new(&bytes);
/// assert_eq!(reader.take::<Vec<f64>>()?, [1.0, 2.0]);
/// reader.finish()?;
/// # Ok::<(), neuraflow_core::checkpoint::RestoreError>(())
/// ```
#[derive(Debug, Default)]
pub struct SnapshotWriter {
    bytes: Vec<u8>,
    failed: Option<String>,
}

impl SnapshotWriter {
    /// Appends one value. A value that cannot be encoded makes [`into_bytes`](Self::into_bytes) fail.
    pub fn put<T: Serialize + ?Sized>(&mut self, value: &T) {
        // The limit is looked at in the end: here it would cost a second walk through all numbers.
        if let Err(error) = values().with_no_limit().serialize_into(&mut self.bytes, value) {
            self.failed.get_or_insert_with(|| error.to_string());
        }
    }

    /// Everything put so far.
    pub fn into_bytes(self) -> Result<Vec<u8>, RestoreError> {
        match self.failed {
            Some(reason) => Err(RestoreError::Encoding { reason }),
            None if self.bytes.len() as u64 > LIMIT => Err(RestoreError::Encoding {
                reason: format!("{} bytes, more than {LIMIT}", self.bytes.len()),
            }),
            None => Ok(self.bytes),
        }
    }
}

/// Gives an operator its state back.
#[derive(Debug)]
pub struct SnapshotReader<'a> {
    rest: &'a [u8],
}

impl<'a> SnapshotReader<'a> {
    /// Reads from the bytes of a [`SnapshotWriter`].
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next value.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<T, RestoreError> {
        values()
            .deserialize_from(&mut self.rest)
            .map_err(|error| RestoreError::Encoding { reason: error.to_string() })
    }

    /// Checks that everything was taken.
    pub fn finish(self) -> Result<(), RestoreError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(RestoreError::TrailingBytes { found: self.rest.len() })
        }
    }
}

/// Why a state could not be written or taken back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The bytes are no encoding of the value asked for.
    #[error(
        "operator state could not be decoded ({reason}); it was written by another version or is damaged: start without it"
    )]
    Encoding {
        /// What the decoder said.
        reason: String,
    },
    /// Bytes are left over after the last value.
    #[error(
        "operator state has {found} bytes left over; it was written by another operator: start without it"
    )]
    TrailingBytes {
        /// How many.
        found: usize,
    },
    /// The state is of another shape than this instance was prepared for.
    #[error(
        "operator state of {what}: expected {expected}, found {found}; restore it with the pipeline that wrote it"
    )]
    Shape {
        /// Which part of the state.
        what: &'static str,
        /// What this instance has.
        expected: usize,
        /// What the state has.
        found: usize,
    },
}
