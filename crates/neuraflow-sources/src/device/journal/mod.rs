//! A journal of what a device pushed, so that the end of the process loses none of it.
//!
//! A device cannot be asked again for what it sent. With a journal, a push returns once its samples are written to a file,
//! and a pipeline that goes on from a checkpoint reads from there what the checkpoint does not cover. The journal is a folder of
//! segments. One is removed when no checkpoint goes back to it any more, so a journal needs a pipeline with checkpoints:
//! without them it fills up, and the device's overflow policy takes over.
//!
//! What is written is safe from the end of the process, `kill -9` included: the system holds it. It is made durable at an
//! interval, and a power failure or a crash of the system may take what was pushed since, at most that long. What a failure
//! leaves half written at the end is cut off; damage is skipped up to the next whole record, counted, and shows as lost samples.
//! No record is read whose checksum does not hold.

mod backlog;
mod keeper;
mod record;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use neuraflow_core::model::Positions;
use neuraflow_core::source::SourceError;

pub(super) use backlog::{Again, Backlog, Counts, Emitted};
pub(super) use keeper::Keeper;
pub(super) use record::Told;
pub(super) use writer::{Place, Writer};

/// Bytes of a record of samples besides its values, at most.
const OVERHEAD: usize = 64;
/// Bytes that a record of silence takes.
pub(super) const SILENT_BYTES: u64 = record::SILENT_BYTES;

/// How a journal is kept.
///
/// ```
/// use neuraflow_sources::device::JournalConfig;
/// let config = JournalConfig { max_bytes: 1 << 30, ..JournalConfig::default() };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalConfig {
    /// Bytes after which a new segment is begun: 4 KiB to 256 MiB. Segments are removed whole.
    pub segment_bytes: u64,
    /// Bytes that all segments may have together, at least four times as many. At 64 channels and 1 kHz ten seconds are 2.6 MB.
    pub max_bytes: u64,
    /// How often what was written is forced to the disk: what a power failure may take. `None` leaves it to the system, which
    /// takes half a minute or so.
    pub fsync: Option<Duration>,
}

impl Default for JournalConfig {
    /// Segments of 16 MiB, 256 MiB in all, durable after 200 ms.
    fn default() -> Self {
        Self { segment_bytes: 16 << 20, max_bytes: 256 << 20, fsync: Some(Duration::from_millis(200)) }
    }
}

impl JournalConfig {
    fn check(&self) -> Result<(), SourceError> {
        let wrong = |setting, expected: &str, found: u64| {
            Err(SourceError::Setting { setting, expected: expected.into(), found: found.to_string() })
        };
        if !(4 << 10..=256 << 20).contains(&self.segment_bytes) {
            return wrong("journal segment_bytes", "4 KiB to 256 MiB", self.segment_bytes);
        }
        if self.max_bytes < 4 * self.segment_bytes {
            return wrong("journal max_bytes", "at least four segments", self.max_bytes);
        }
        match self.fsync {
            Some(interval) if interval < Duration::from_millis(1) => {
                wrong("journal fsync", "an interval of at least 1 ms, or None", 0)
            }
            _ => Ok(()),
        }
    }
}

/// What a journal holds and has lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalStats {
    /// Bytes of all segments.
    pub bytes: u64,
    /// Files.
    pub segments: u64,
    /// Packets that were read again since the pipeline was opened.
    pub replayed: u64,
    /// Bytes that were damaged and skipped meanwhile. Samples in them are lost, and counted so.
    pub damaged_bytes: u64,
    /// Bytes of records that were not written whole when the process or the system before this one ended.
    pub torn_bytes: u64,
}

/// A device's journal.
#[derive(Debug)]
pub(super) struct Journal {
    dir: PathBuf,
    writer: Mutex<Writer>,
    counts: Mutex<Counts>,
    /// Held as long as the journal is open, so that no other process opens it.
    lock: File,
}

impl Drop for Journal {
    /// Lets go of the folder now: a process that is being started has the file open too, until it runs its program.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

impl Journal {
    pub(super) fn open(dir: &Path, config: JournalConfig) -> Result<Self, SourceError> {
        config.check()?;
        fs::create_dir_all(dir).map_err(|error| writer::io_error("create", dir, error))?;
        let path = dir.join("lock");
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = opened.map_err(|error| writer::io_error("open", &path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(writer::io_error("lock", &path, error)),
            Err(TryLockError::WouldBlock) => {
                return Err(SourceError::Setting {
                    setting: "journal folder",
                    expected: format!("one that no other device uses; {} is in use", dir.display()),
                    found: "a second device".into(),
                });
            }
        }
        let writer = Mutex::new(Writer::open(dir, config)?);
        Ok(Self { dir: dir.to_owned(), writer, counts: Mutex::default(), lock })
    }

    /// The writer. Who pushes holds it until the record is queued, so that both have the same order.
    pub(super) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be read again: from a position on, up to what the queue holds.
    pub(super) fn backlog(&self, from: Option<&Positions>, until: u64) -> Result<Backlog, SourceError> {
        let writer = self.writer();
        let segments = writer.segments().cloned().collect();
        drop(writer);
        Backlog::open(segments, from, until, &self.dir.display().to_string())
    }

    /// Notes what was read again.
    pub(super) fn count(&self, counts: Counts) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner) = counts;
    }

    pub(super) fn stats(&self) -> JournalStats {
        let writer = self.writer();
        let counts = *self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        JournalStats {
            bytes: writer.total(),
            segments: writer.segments().len() as u64,
            replayed: counts.packets,
            damaged_bytes: counts.damaged,
            torn_bytes: writer.torn.max(counts.torn),
        }
    }
}

/// Bytes that samples take in the journal, at most.
pub(super) fn size_of(values: usize) -> usize {
    OVERHEAD + 4 * values
}

/// The present, in nanoseconds since the Unix epoch: arrivals are told in it, as a clock that starts with a process cannot.
pub(super) fn wall() -> u64 {
    writer::wall()
}

/// A journal that is shared with the thread that looks after it.
pub(super) type SharedJournal = Arc<Journal>;
