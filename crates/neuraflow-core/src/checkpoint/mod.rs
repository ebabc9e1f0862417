//! Operator state as bytes.

mod snapshot;

pub use snapshot::{RestoreError, SnapshotReader, SnapshotWriter};
