//! The end of a journal that is written: appends records, begins segments, and keeps within the bound.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use neuraflow_core::model::{PacketBody, StreamHeader};
use neuraflow_core::source::SourceError;

use super::JournalConfig;
use super::record::{self, Item, Told};
use super::segment::{self, HEAD, Head, Segment, Step, Walk};

/// Each process begins at the next multiple of this: what it writes never lies where something was that a power failure took.
const ERA: u64 = 1 << 40;

/// Where a record lies: its first byte, and one past its last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// The streams that are open at a place of the journal, by the hash of their keys.
pub(super) type Streams = BTreeMap<u64, StreamHeader>;

/// Keeps track of which streams are open, record by record.
pub(super) fn follow(streams: &mut Streams, stream: u64, item: &Item) {
    match item {
        Item::Known(header) => drop(streams.insert(stream, (**header).clone())),
        Item::Packet(PacketBody::Open(header)) => drop(streams.insert(stream, (**header).clone())),
        Item::Packet(PacketBody::End { .. }) => drop(streams.remove(&stream)),
        _ => {}
    }
}

/// Nanoseconds since the Unix epoch.
pub(super) fn wall() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn io_error(action: &'static str, path: &Path, source: io::Error) -> SourceError {
    SourceError::Io { action, target: path.display().to_string(), source }
}

#[derive(Debug)]
pub(crate) struct Writer {
    dir: PathBuf,
    config: JournalConfig,
    /// All segments; the last one is written.
    segments: VecDeque<Segment>,
    file: Arc<File>,
    /// Files with something that was not made durable yet.
    unsynced: Vec<Arc<File>>,
    /// Bytes of all segments.
    total: u64,
    streams: Streams,
    buffer: Vec<u8>,
    /// Bytes of a torn end that the process before left.
    pub(super) torn: u64,
}

impl Writer {
    /// Goes on with the journal in `dir`, in a new segment.
    pub(super) fn open(dir: &Path, config: JournalConfig) -> Result<Self, SourceError> {
        let segments = Segment::list(dir).map_err(|error| io_error("list", dir, error))?;
        let (streams, end, torn) = tail(&segments)?;
        let base = segments.last().map_or(0, |last| last.base.max(end));
        let base = (base / ERA + 1) * ERA;
        let total: u64 = segments.iter().map(|segment| segment.size).sum();
        let (segment, file) = create(dir, base, end, &streams, &mut Vec::new())?;
        file.sync_all().map_err(|error| io_error("flush", &segment.path, error))?;
        sync_folder(dir)?;
        let total = total + segment.size;
        let mut segments = VecDeque::from(segments);
        segments.push_back(segment);
        let (dir, buffer) = (dir.to_owned(), Vec::new());
        Ok(Self { dir, config, segments, file, unsynced: Vec::new(), total, streams, buffer, torn })
    }

    /// Where the next record will lie.
    pub(crate) fn end(&self) -> u64 {
        self.segments.back().map_or(0, Segment::end)
    }

    /// Whether samples of so many bytes fit in. Something is kept back for what is never dropped.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        let needed = bytes as u64 + self.preamble();
        self.total.saturating_add(needed) <= self.config.max_bytes - self.config.max_bytes / 16
    }

    /// Whether anything fits in.
    pub(crate) fn is_full(&self) -> bool {
        self.total.saturating_add(self.preamble()) > self.config.max_bytes
    }

    /// Roughly what a new segment begins with.
    fn preamble(&self) -> u64 {
        let header =
            |header: &StreamHeader| 512 + 128 * header.channels.len() as u64 + header.name.len() as u64;
        HEAD as u64 + 64 + self.streams.values().map(header).sum::<u64>()
    }

    pub(crate) fn max_bytes(&self) -> u64 {
        self.config.max_bytes
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn segments(&self) -> impl ExactSizeIterator<Item = &Segment> {
        self.segments.iter()
    }

    /// Writes a record and says where it lies.
    pub(crate) fn append(&mut self, stream: u64, wall: u64, told: Told<'_>) -> io::Result<Place> {
        if self.segments.back().is_some_and(|segment| segment.size >= self.config.segment_bytes) {
            self.rotate()?;
        }
        let start = self.end();
        self.write_records([(stream, wall, told)])?;
        match told {
            Told::Open(header) => drop(self.streams.insert(stream, header.clone())),
            Told::End { .. } => drop(self.streams.remove(&stream)),
            _ => {}
        }
        Ok(Place { start, end: self.end() })
    }

    /// Writes that streams fell silent, with nothing in between: their reader has counted on where these records lie.
    pub(crate) fn silences(&mut self, silences: &[(u64, u64)]) -> io::Result<()> {
        self.write_records(silences.iter().map(|(stream, wall)| (*stream, *wall, Told::Silent)))
    }

    /// Writes records in one piece: all of them or none.
    fn write_records<'a>(
        &mut self,
        records: impl IntoIterator<Item = (u64, u64, Told<'a>)>,
    ) -> io::Result<()> {
        let (begin, mut buffer) = (self.end(), std::mem::take(&mut self.buffer));
        buffer.clear();
        let encoded = records.into_iter().try_for_each(|(stream, wall, told)| {
            let at = begin + buffer.len() as u64;
            record::encode(&mut buffer, at, stream, wall, told)
        });
        let written = match encoded {
            Err(fault) => Err(io::Error::new(io::ErrorKind::InvalidInput, fault)),
            Ok(()) if buffer.is_empty() => Ok(()),
            Ok(()) => self.write(&buffer),
        };
        self.buffer = buffer;
        written
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(segment) = self.segments.back_mut() else { return Ok(()) };
        if let Err(error) = (&*self.file).write_all(bytes) {
            // What was written of it is cut off; if it cannot be, it is a torn end with nothing behind it but a new segment.
            if self.file.set_len(segment.size).is_err() {
                self.rotate()?;
            }
            return Err(error);
        }
        segment.size += bytes.len() as u64;
        self.total += bytes.len() as u64;
        if self.unsynced.is_empty() {
            self.unsynced.push(Arc::clone(&self.file));
        }
        Ok(())
    }

    /// Begins a new segment.
    fn rotate(&mut self) -> io::Result<()> {
        let end = self.end();
        let made = create(&self.dir, end, end, &self.streams, &mut self.buffer);
        let (segment, file) = made.map_err(|error| match error {
            SourceError::Io { source, .. } => source,
            other => io::Error::other(other.to_string()),
        })?;
        self.total += segment.size;
        self.segments.push_back(segment);
        self.unsynced.push(Arc::clone(&file));
        self.file = file;
        Ok(())
    }

    /// Takes the files that are to be made durable.
    pub(super) fn take_unsynced(&mut self) -> Vec<Arc<File>> {
        std::mem::take(&mut self.unsynced)
    }

    /// The segments that end at or before `position`: nobody goes back to them.
    pub(super) fn passed(&self, position: u64) -> Vec<Segment> {
        // What lies between two eras is nothing; the next one's beginning is no end of this one.
        let before_last = self.segments.len().saturating_sub(1);
        let passed = self.segments.iter().take(before_last).take_while(|segment| segment.end() <= position);
        passed.cloned().collect()
    }

    /// The first segments are gone.
    pub(super) fn forget(&mut self, gone: usize) {
        for segment in self.segments.drain(..gone.min(self.segments.len().saturating_sub(1))) {
            self.total = self.total.saturating_sub(segment.size);
        }
    }
}

/// The streams that are open where the segments end, that end, and the bytes behind it that are no record.
pub(super) fn tail(segments: &[Segment]) -> Result<(Streams, u64, u64), SourceError> {
    let (mut streams, mut end, mut torn) = (Streams::new(), 0, 0);
    for (number, segment) in segments[start_of(segments, u64::MAX)?..].iter().enumerate() {
        let mut walk = Walk::open(segment).map_err(|error| io_error("read", &segment.path, error))?;
        if number == 0 {
            streams.clear();
        }
        torn = 0;
        end = segment.base;
        loop {
            match walk.next() {
                Step::Record(at, record) => {
                    end = at + record.bytes;
                    follow(&mut streams, record.stream, &record.item);
                }
                Step::Damaged(_) => {}
                Step::Torn(bytes) => torn = bytes,
                Step::End => break,
            }
        }
    }
    Ok((streams, end, torn))
}

/// The last segment at or before `position` that tells which streams were open when it began.
pub(super) fn start_of(segments: &[Segment], position: u64) -> Result<usize, SourceError> {
    let candidates = segments.partition_point(|segment| segment.base <= position);
    for number in (0..candidates).rev() {
        let segment = &segments[number];
        let mut walk = Walk::open(segment).map_err(|error| io_error("read", &segment.path, error))?;
        if let Head::Version(found) = walk.head {
            return Err(SourceError::Malformed {
                target: segment.path.display().to_string(),
                field: "version of the journal".into(),
                expected: "1; read it with the release that wrote it".into(),
                found: found.to_string(),
            });
        }
        loop {
            match walk.next() {
                Step::Record(_, record) if record.item == Item::Begin => return Ok(number),
                Step::Record(_, record) if matches!(record.item, Item::Known(_)) => {}
                _ => break,
            }
        }
    }
    Ok(0)
}

/// Makes a segment that begins with the streams that are open.
fn create(
    dir: &Path,
    base: u64,
    follows: u64,
    streams: &Streams,
    buffer: &mut Vec<u8>,
) -> Result<(Segment, Arc<File>), SourceError> {
    let mut segment = Segment::new(dir, base);
    buffer.clear();
    buffer.extend_from_slice(&segment::head(base, follows));
    let place = |buffer: &Vec<u8>| base + (buffer.len() - HEAD) as u64;
    let invalid = |fault| io_error("encode", dir, io::Error::new(io::ErrorKind::InvalidData, fault));
    for (stream, header) in streams {
        let at = place(buffer);
        record::encode(buffer, at, *stream, wall(), Told::Known(header)).map_err(invalid)?;
    }
    let at = place(buffer);
    record::encode(buffer, at, 0, wall(), Told::Begin).map_err(invalid)?;
    let created = OpenOptions::new().append(true).create_new(true).open(&segment.path);
    let mut file = created.map_err(|error| io_error("create", &segment.path, error))?;
    if let Err(error) = file.write_all(buffer) {
        let _ = std::fs::remove_file(&segment.path);
        return Err(io_error("write", &segment.path, error));
    }
    segment.size = buffer.len() as u64;
    Ok((segment, Arc::new(file)))
}

/// Makes the names of files durable. Elsewhere than on Unix a folder cannot be opened for that.
pub(super) fn sync_folder(dir: &Path) -> Result<(), SourceError> {
    if cfg!(unix) {
        let synced = File::open(dir).and_then(|folder| folder.sync_all());
        synced.map_err(|error| io_error("flush", dir, error))?;
    }
    Ok(())
}
