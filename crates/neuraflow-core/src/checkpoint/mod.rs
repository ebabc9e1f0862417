//! Checkpoints: what survives a crash, and where it is kept.
//!
//! | file | its story |
//! |---|---|
//! | `snapshot`, `record` | an operator's state as bytes; a stream's state: one section for each node of its chain |
//! | `fingerprint` | which pipeline wrote it |
//! | `coordinator`, `flight`, `commit` | [`Checkpoints`]: from `begin` to `commit`, one in flight at a time |
//! | `groups`, `part`, `manifest` | which bytes are where: a base and increments for each key group, in a few files |
//! | `restore` | finding the newest checkpoint that can be restored |
//! | `envelope`, `encoding` | how bytes are told from damaged bytes |
//! | `store`, `local`, `disk` | where they are kept |
//!
//! Nothing here has a thread or knows Timely.

mod commit;
mod config;
mod coordinator;
mod disk;
mod encoding;
mod envelope;
mod error;
mod fingerprint;
mod flight;
mod groups;
mod local;
mod manifest;
mod part;
mod record;
mod restore;
mod snapshot;
mod store;

pub use commit::Committed;
pub use config::Config;
pub use coordinator::Checkpoints;
pub use disk::{Disk, DiskFile, DiskLock, RealDisk};
pub use error::{CheckpointError, Damage, Skipped};
pub use fingerprint::{Difference, Fingerprint, Migration};
pub use flight::Expected;
pub use local::LocalStore;
pub use record::{Section, StreamSnapshot};
pub use restore::Restored;
pub use snapshot::{RestoreError, SnapshotReader, SnapshotWriter};
pub use store::{CheckpointStore, StoreError};
