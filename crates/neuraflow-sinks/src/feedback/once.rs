//! At most once: how far each stream of a sink was published, in a file that outlives the process.
//!
//! The file is written before a window is published, and read when the next process begins: a window that it covers is not
//! published again. What is written survives the end of the process, `kill -9` included, as the system holds it; it is not
//! forced to the disk, which would cost a window milliseconds, so the last moments before a power failure may be missing. On
//! a file system in memory the write never waits for a disk.
//!
//! A head of 32 bytes (magic, version, whose it is, check), then a slot of 32 bytes for each stream: the key's hash, the end
//! of the last window published, how many windows with that end were (epochs of markers at the same sample), and a check.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use neuraflow_core::model::{StreamKey, Timestamp, stable_hash};

use super::error::FeedbackError;

const MAGIC: [u8; 8] = *b"NFONCE\0\x01";
/// Bytes of a slot, and of the head.
const SLOT: usize = 32;

/// How far a sink has published.
#[derive(Debug)]
pub(super) struct Once {
    path: PathBuf,
    file: File,
    /// The file, slot by slot.
    bytes: Vec<u8>,
    slots: HashMap<u64, Slot>,
    /// Bytes that are not in the file yet.
    dirty: Option<(usize, usize)>,
}

/// The last window that was published of a stream.
#[derive(Clone, Copy, Debug)]
struct Slot {
    at: usize,
    end: i64,
    windows: u64,
}

/// How many windows with one end a writer has come by: after a restart the first of them are those that were published.
#[derive(Debug, Default)]
pub(super) struct Met(HashMap<u64, (i64, u64)>);

impl Once {
    /// The file at `path`, made if it is missing. `owner` is the sink's name; a file belongs to one sink, and is open once.
    pub(super) fn open(path: &Path, owner: &str) -> Result<Self, FeedbackError> {
        let failed = |action| move |source| FeedbackError::Mark { action, path: path.to_owned(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(unfit(path, "a file for this sink alone", "one in use"));
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock")(error)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed("read"))?;
        // A slot that was not written whole was not followed by a window.
        bytes.truncate(bytes.len() - bytes.len() % SLOT);
        let head = head(owner);
        let mut once = Self { path: path.to_owned(), file, bytes, slots: HashMap::new(), dirty: None };
        match once.bytes.get(..SLOT) {
            None => {
                once.bytes = head.to_vec();
                once.dirty = Some((0, SLOT));
                once.write().map_err(failed("write"))?;
            }
            Some(found) if found[..8] != MAGIC => {
                let found = String::from_utf8_lossy(&found[..8]).escape_debug().to_string();
                return Err(unfit(path, "a file of published windows", &found));
            }
            Some(found) if *found != head => {
                return Err(unfit(path, &format!("the file of {owner}"), "that of another sink"));
            }
            Some(_) => once.read_slots()?,
        }
        Ok(once)
    }

    fn read_slots(&mut self) -> Result<(), FeedbackError> {
        for at in (SLOT..self.bytes.len()).step_by(SLOT) {
            let slot = &self.bytes[at..at + SLOT];
            if word(slot, 24) != check(slot) {
                let found = format!("a damaged slot at byte {at}");
                return Err(unfit(&self.path, "slots whose checks hold", &found));
            }
            let (end, windows) = (word(slot, 8).cast_signed(), word(slot, 16));
            self.slots.insert(word(slot, 0), Slot { at, end, windows });
        }
        Ok(())
    }

    /// Whether a window was not published yet. It counts as published from now on: [`write`](Self::write) before it is.
    pub(super) fn is_first(&mut self, stream: &StreamKey, end: Timestamp, met: &mut Met) -> bool {
        let (key, end) = (stream.stable_hash(), end.as_nanos());
        let met = met.0.entry(key).or_insert((end, 0));
        *met = (end, if met.0 == end { met.1 + 1 } else { 1 });
        let fresh = Slot { at: self.bytes.len(), end, windows: 0 };
        let slot = self.slots.entry(key).or_insert(fresh);
        if end < slot.end || (end == slot.end && met.1 <= slot.windows) {
            return false;
        }
        slot.windows = if end == slot.end { slot.windows + 1 } else { 1 };
        slot.end = end;
        let Slot { at, end, windows } = *slot;
        self.bytes.resize(self.bytes.len().max(at + SLOT), 0);
        let bytes = &mut self.bytes[at..at + SLOT];
        bytes[..8].copy_from_slice(&key.to_le_bytes());
        bytes[8..16].copy_from_slice(&end.to_le_bytes());
        bytes[16..24].copy_from_slice(&windows.to_le_bytes());
        let check = check(bytes);
        bytes[24..].copy_from_slice(&check.to_le_bytes());
        let (from, to) = self.dirty.unwrap_or((at, at));
        self.dirty = Some((from.min(at), to.max(at + SLOT)));
        true
    }

    /// Writes what was published since the last call, in one piece.
    pub(super) fn write(&mut self) -> io::Result<()> {
        let Some((from, to)) = self.dirty else { return Ok(()) };
        write_at(&self.file, &self.bytes[from..to], from as u64)?;
        self.dirty = None;
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Once {
    /// Lets go of the file now: a process that is being started has it open too, until it runs its program.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

fn head(owner: &str) -> [u8; SLOT] {
    let mut head = [0; SLOT];
    head[..8].copy_from_slice(&MAGIC);
    head[8..24].copy_from_slice(&stable_hash(owner.as_bytes()).to_le_bytes());
    let check = check(&head);
    head[24..].copy_from_slice(&check.to_le_bytes());
    head
}

fn check(slot: &[u8]) -> u64 {
    stable_hash(&slot[..24]) as u64
}

fn word(slot: &[u8], at: usize) -> u64 {
    slot.get(at..at + 8).and_then(|word| word.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn unfit(path: &Path, expected: &str, found: &str) -> FeedbackError {
    FeedbackError::Unfit { path: path.to_owned(), expected: expected.into(), found: found.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuraflow_core::testing::Scratch;

    fn key(name: &str) -> StreamKey {
        StreamKey::of_names("s", name)
    }

    fn at(nanos: i64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    #[test]
    fn what_was_published_is_known_to_the_next_process() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.file("once");
        for _ in 0..3 {
            // The same windows come again each time, as they do after a restart: two of them have one end.
            let (mut once, mut met) = (Once::open(&path, "sink").unwrap(), Met::default());
            let mut first = |stream: &str, end| {
                let first = once.is_first(&key(stream), at(end), &mut met);
                once.write().unwrap();
                first
            };
            let known = std::fs::metadata(&path).unwrap().len() > 32;
            let ends = [("a", -50), ("b", 7), ("a", 100), ("a", 100), ("b", 3), ("b", 50)];
            let found = ends.map(|(stream, end)| first(stream, end));
            assert_eq!(found, if known { [false; 6] } else { [true, true, true, true, false, true] });
        }
        let (mut once, mut met) = (Once::open(&path, "sink").unwrap(), Met::default());
        assert!(
            once.is_first(&key("a"), at(101), &mut met) && once.is_first(&key("c"), at(i64::MIN), &mut met)
        );
        drop(once); // killed before it was written
        let (mut once, mut met) = (Once::open(&path, "sink").unwrap(), Met::default());
        assert!(once.is_first(&key("a"), at(101), &mut met));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 3 * 32);
    }

    #[test]
    fn a_third_window_with_the_same_end_is_new() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.file("once");
        for run in 1..4_u64 {
            let (mut once, mut met) = (Once::open(&path, "sink").unwrap(), Met::default());
            let found: Vec<bool> = (0..run).map(|_| once.is_first(&key("a"), at(5), &mut met)).collect();
            let expected: Vec<bool> = (1..=run).map(|n| n == run).collect();
            assert_eq!(found, expected);
            once.write().unwrap();
        }
    }

    #[test]
    fn files_that_are_none_of_this_sink_are_refused() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.file("once");
        let mut once = Once::open(&path, "sink").unwrap();
        once.is_first(&key("a"), at(1), &mut Met::default());
        once.write().unwrap();
        let refused = |owner| Once::open(&path, owner).unwrap_err().to_string();
        assert!(refused("sink").contains("found one in use"));
        drop(once);
        assert!(refused("another").contains("expected the file of another, found that of another sink"));
        let whole = std::fs::read(&path).unwrap();
        for byte in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[byte] ^= 0x10;
            std::fs::write(&path, damaged).unwrap();
            assert!(Once::open(&path, "sink").is_err(), "byte {byte}");
        }
        std::fs::write(&path, &whole[..40]).unwrap();
        assert!(Once::open(&path, "sink").is_ok(), "a slot that was never written whole");
        assert!(Once::open(&scratch.file("no/such/folder"), "sink").is_err());
    }
}
