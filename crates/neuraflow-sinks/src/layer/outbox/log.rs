//! The log of an outbox: segments in a folder, and how much of them was handed on.
//!
//! What is handed on is noted now and then, in a file beside the segments. If that is older than the truth, or gone, something
//! is handed on again; it is never ahead of what there is, so nothing is passed over.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::{self, Found};

const MAGIC: [u8; 8] = *b"NFOUTBX\x01";
/// Bytes of a segment before its frames: magic with the version, place of the first frame.
const HEAD: u64 = 16;
const EXTENSION: &str = "outbox";
/// The file that says up to where everything was handed on: the place, and its CRC-32C.
const NOTE: &str = "passed";

/// A file of the log: where its first frame lies, its bytes in all, and whether a power failure leaves it there.
#[derive(Clone, Copy, Debug)]
struct Segment {
    base: u64,
    size: u64,
    durable: bool,
}

impl Segment {
    fn end(self) -> u64 {
        self.base + (self.size - HEAD)
    }

    fn path(self, dir: &Path) -> PathBuf {
        dir.join(format!("{:020}.{EXTENSION}", self.base))
    }
}

#[derive(Debug)]
pub(super) struct Log {
    dir: PathBuf,
    segment_bytes: u64,
    segments: VecDeque<Segment>,
    /// The last segment, to append to.
    file: Arc<File>,
    /// Those before it that were not made durable since they were ended.
    unsynced: Vec<Arc<File>>,
    buffer: Vec<u8>,
    /// Where it is noted up to where everything was handed on.
    note: File,
    /// Up to where everything was handed on.
    passed: u64,
    /// Held as long as it is open, so that no other process opens it.
    _lock: File,
}

impl Log {
    /// Opens the log in a folder. What lies beyond `until` is cut off. Without it a torn end is: what a checkpoint knows of is not torn, but
    /// it may be damaged.
    pub(super) fn open(dir: &Path, segment_bytes: u64, until: Option<u64>) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::WouldBlock, "another process has this outbox open")
            }
        })?;
        let mut segments = list(dir)?;
        if let Some(until) = until {
            let end = segments.back().map_or(0, |last| last.end());
            if end < until {
                let found = format!("expected {until} bytes of a checkpoint or more, found {end}");
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, found));
            }
            let mut keep = segments.partition_point(|segment| segment.base < until);
            if keep == 0 && !segments.is_empty() {
                // Something that says where the log goes on must be durable before the rest is removed.
                if segments.front().is_some_and(|first| first.base > until) {
                    let (segment, file) = create(dir, until)?;
                    file.sync_all()?;
                    sync_folder(dir)?;
                    segments.push_front(segment);
                }
                keep = 1;
            }
            // The last one first: whatever ends the process meanwhile leaves no hole.
            for beyond in segments.drain(keep..).rev() {
                fs::remove_file(beyond.path(dir))?;
            }
            if let Some(last) = segments.back_mut().filter(|last| last.end() > until) {
                last.size = HEAD + (until - last.base);
                cut(*last, dir)?;
            }
        }
        if until.is_none()
            && let Some(last) = segments.back_mut()
        {
            last.size = HEAD + whole(&read(*last, dir)?, last.base);
            cut(*last, dir)?;
        }
        let end = segments.back().map_or(until.unwrap_or(0), |last| last.end());
        let (segment, file) = match segments.pop_back() {
            Some(last) => (last, OpenOptions::new().append(true).open(last.path(dir))?),
            None => create(dir, end)?,
        };
        segments.push_back(segment);
        let first = segments.front().map_or(end, |first| first.base);
        let passed = noted(dir).unwrap_or(first).clamp(first, end);
        let note = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join(NOTE))?;
        let (dir, buffer, unsynced, file) = (dir.to_owned(), Vec::new(), Vec::new(), Arc::new(file));
        let mut log =
            Self { dir, segment_bytes, segments, file, unsynced, buffer, note, passed, _lock: lock };
        // A note that is ahead, of a log whose end a power failure took, must not come back; nor may the file be gone.
        log.file.sync_all()?;
        log.note()?;
        log.note.sync_all()?;
        sync_folder(&log.dir)?;
        log.segments.iter_mut().for_each(|segment| segment.durable = true);
        Ok(log)
    }

    /// Where the next frame will lie.
    pub(super) fn end(&self) -> u64 {
        self.segments.back().map_or(0, |last| last.end())
    }

    /// Up to where everything was handed on.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    /// Appends payloads: all of them, or none and an error.
    pub(super) fn append<'a>(&mut self, payloads: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
        if self.segments.back().is_some_and(|last| last.size >= self.segment_bytes) {
            let (segment, file) = create(&self.dir, self.end())?;
            self.unsynced.push(std::mem::replace(&mut self.file, Arc::new(file)));
            self.segments.push_back(segment);
        }
        let (end, mut buffer) = (self.end(), std::mem::take(&mut self.buffer));
        buffer.clear();
        for payload in payloads {
            let at = end + buffer.len() as u64;
            frame::encode(&mut buffer, at, payload);
        }
        let written = (&*self.file).write_all(&buffer);
        let bytes = buffer.len() as u64;
        self.buffer = buffer;
        let Some(last) = self.segments.back_mut() else { return written };
        match written {
            Ok(()) => last.size += bytes,
            // What was written of them is cut off, or else it is what the next append follows: that would not be found again.
            Err(error) => {
                self.file.set_len(last.size)?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Makes everything durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let unsynced = self.unsynced();
        unsynced.sync()?;
        self.synced(&unsynced);
        Ok(())
    }

    /// What may not be durable of all that there is now. Others need not wait for the log while the disk takes it.
    pub(super) fn unsynced(&self) -> Unsynced {
        Unsynced {
            ended: self.unsynced.clone(),
            last: Arc::clone(&self.file),
            base: self.segments.back().map_or(0, |last| last.base),
            end: self.end(),
            dir: self.dir.clone(),
        }
    }

    /// All of that is durable now.
    pub(super) fn synced(&mut self, done: &Unsynced) {
        // Not what was the last one then: more may have come to it.
        self.unsynced.retain(|file| !done.ended.iter().any(|ended| Arc::ptr_eq(ended, file)));
        let known = self.segments.iter_mut().take_while(|segment| segment.base <= done.base);
        known.for_each(|segment| segment.durable = true);
    }

    /// Everything before `place` was handed on, and segments that lie before it are removed. False where one is left, since the one that
    /// follows has to be [made durable](Self::unsynced) first: a checkpoint may know of that only by what is removed.
    pub(super) fn pass(&mut self, place: u64) -> io::Result<bool> {
        self.passed = self.passed.max(place).min(self.end());
        let mut removed = true;
        // Before the note: one that is too old is put right when the log is opened.
        while let (Some(first), Some(next)) = (self.segments.front(), self.segments.get(1)) {
            if first.end() > self.passed {
                break;
            }
            removed = next.durable;
            if !removed {
                break;
            }
            fs::remove_file(first.path(&self.dir))?;
            self.segments.pop_front();
        }
        self.note()?;
        Ok(removed)
    }

    /// Over the note before, in one write: it happens for every batch, and a process that is killed leaves one of the two.
    fn note(&self) -> io::Result<()> {
        let place = self.passed.to_le_bytes();
        let mut note = [0; 12];
        note[..8].copy_from_slice(&place);
        note[8..].copy_from_slice(&crc32c::crc32c(&place).to_le_bytes());
        let mut file = &self.note;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&note)
    }

    /// Where to read next, from `place` on: the place, which is further on where a segment is gone, and the part of a file that lies there.
    pub(super) fn stretch(&self, place: u64) -> Option<(u64, Stretch)> {
        let segment = self.segments.iter().find(|segment| segment.end() > place)?;
        let place = place.max(segment.base);
        let from = HEAD + (place - segment.base);
        Some((place, Stretch { path: segment.path(&self.dir), from, bytes: segment.size - from }))
    }
}

/// Files of which something may not be durable.
#[derive(Debug)]
pub(super) struct Unsynced {
    ended: Vec<Arc<File>>,
    last: Arc<File>,
    /// Of the last one.
    base: u64,
    end: u64,
    dir: PathBuf,
}

impl Unsynced {
    /// Makes it durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        for file in self.ended.iter().chain([&self.last]) {
            file.sync_all()?;
        }
        // As often as a segment is ended another is begun, whose name has to be durable too.
        if self.ended.is_empty() { Ok(()) } else { sync_folder(&self.dir) }
    }

    /// Up to where everything is durable then.
    pub(super) fn end(&self) -> u64 {
        self.end
    }
}

/// A part of one file that holds frames.
#[derive(Debug)]
pub(super) struct Stretch {
    path: PathBuf,
    from: u64,
    pub(super) bytes: u64,
}

impl Stretch {
    /// Its bytes, at most so many.
    pub(super) fn read(&self, most: u64) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.from))?;
        let mut bytes = Vec::new();
        file.take(self.bytes.min(most)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The segments in a folder, in their order. Other files are none of ours.
fn list(dir: &Path) -> io::Result<VecDeque<Segment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        let ours = path.extension().is_some_and(|extension| extension == EXTENSION);
        let base = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| stem.len() == 20);
        let Some(base) = base.filter(|_| ours).and_then(|stem| stem.parse().ok()) else { continue };
        let mut head = Vec::new();
        File::open(&path)?.take(HEAD).read_to_end(&mut head)?;
        if head != self::head(base) {
            if entry.metadata()?.len() < HEAD || head.iter().all(|byte| *byte == 0) {
                fs::remove_file(&path)?; // it was being made when the process ended, or the power failed
                continue;
            }
            let found = "a head of another version, or a damaged one; read it with the release that wrote it, or move it away";
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{}: {found}", path.display())));
        }
        segments.push(Segment { base, size: entry.metadata()?.len(), durable: false });
    }
    segments.sort_by_key(|segment| segment.base);
    Ok(segments.into())
}

fn head(base: u64) -> [u8; HEAD as usize] {
    let mut head = [0; HEAD as usize];
    head[..8].copy_from_slice(&MAGIC);
    head[8..].copy_from_slice(&base.to_le_bytes());
    head
}

fn create(dir: &Path, base: u64) -> io::Result<(Segment, File)> {
    let segment = Segment { base, size: HEAD, durable: false };
    let mut file = OpenOptions::new().append(true).create(true).open(segment.path(dir))?;
    file.set_len(0)?; // an attempt for which the disk had no room may have left something
    file.write_all(&head(base))?;
    Ok((segment, file))
}

fn read(segment: Segment, dir: &Path) -> io::Result<Vec<u8>> {
    Stretch { path: segment.path(dir), from: HEAD, bytes: segment.size - HEAD }.read(u64::MAX)
}

/// Up to where the last whole frame of a segment reaches.
fn whole(bytes: &[u8], base: u64) -> u64 {
    let mut at = 0;
    loop {
        match frame::find(&bytes[at..], base + at as u64) {
            Found::Frame(_, size) => at += size,
            Found::Damaged(bytes) => at += bytes,
            Found::Nothing => return at as u64,
        }
    }
}

fn cut(segment: Segment, dir: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(segment.path(dir))?.set_len(segment.size)
}

/// Up to where something was handed on, if that was noted.
fn noted(dir: &Path) -> Option<u64> {
    let bytes = fs::read(dir.join(NOTE)).ok()?;
    let (place, sum) = bytes.split_first_chunk::<8>()?;
    (sum == crc32c::crc32c(place).to_le_bytes()).then(|| u64::from_le_bytes(*place))
}

/// Makes the names of files durable. Elsewhere than on Unix a folder cannot be opened for that.
fn sync_folder(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}
