//! Segments: the files of a journal. Each has a place in the journal, which its name and its head tell, and begins with the
//! streams that were open then, so that it can be read when those before it are gone.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::record::{self, Record};

const MAGIC: [u8; 7] = *b"NFJOURN";
const VERSION: u8 = 1;
/// Bytes of the head: magic, version, place, end of the segment before, checksum.
pub(super) const HEAD: usize = 32;
const EXTENSION: &str = "journal";

/// A file of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Where its first record lies.
    pub(super) base: u64,
    pub(super) path: PathBuf,
    /// Bytes of the file.
    pub(super) size: u64,
}

impl Segment {
    /// The segment that begins at `base` in the folder `dir`.
    pub(super) fn new(dir: &Path, base: u64) -> Self {
        Self { base, path: dir.join(format!("{base:020}.{EXTENSION}")), size: 0 }
    }

    /// Where its records end, if all its bytes are records.
    pub(super) fn end(&self) -> u64 {
        self.base.saturating_add(self.size.saturating_sub(HEAD as u64))
    }

    /// The segments in a folder, in their order. Other files are none of ours.
    pub(super) fn list(dir: &Path) -> io::Result<Vec<Self>> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let path = entry.path();
            let ours = path.extension().is_some_and(|extension| extension == EXTENSION);
            let base = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| stem.len() == 20);
            if let (true, Some(base)) = (ours, base.and_then(|stem| stem.parse().ok())) {
                segments.push(Self { base, size: entry.metadata()?.len(), path });
            }
        }
        segments.sort_by_key(|segment| segment.base);
        Ok(segments)
    }
}

/// The head of a segment that lies at `base`; the one before it ended at `follows`.
pub(super) fn head(base: u64, follows: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..7].copy_from_slice(&MAGIC);
    head[7] = VERSION;
    head[8..16].copy_from_slice(&base.to_le_bytes());
    head[16..24].copy_from_slice(&follows.to_le_bytes());
    let sum = u64::from(crc32c::crc32c(&head[..24]));
    head[24..].copy_from_slice(&sum.to_le_bytes());
    head
}

/// What a head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Where the segment before it ended.
    Follows(u64),
    /// It is of another version.
    Version(u8),
    /// It is no head, or not of this place.
    Damaged,
}

/// What the head of a segment says.
pub(super) fn head_of(segment: &Segment) -> io::Result<Head> {
    let mut bytes = Vec::new();
    File::open(&segment.path)?.take(HEAD as u64).read_to_end(&mut bytes)?;
    Ok(read_head(&bytes, segment.base))
}

fn read_head(bytes: &[u8], base: u64) -> Head {
    let Some(found) = bytes.get(..HEAD) else { return Head::Damaged };
    let long = |at: usize| found[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
    if found[..7] != MAGIC || long(24) != u64::from(crc32c::crc32c(&found[..24])) {
        return Head::Damaged;
    }
    match found[7] {
        VERSION if long(8) == base => Head::Follows(long(16)),
        VERSION => Head::Damaged,
        other => Head::Version(other),
    }
}

/// What comes next in a segment.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// A record at this place.
    Record(u64, Record),
    /// So many bytes that are no record, with whole records behind them.
    Damaged(u64),
    /// So many bytes that are no record, and nothing behind them: the end was torn off.
    Torn(u64),
    /// Nothing.
    End,
}

/// Goes through a segment, from record to record. The file is in memory: it is no longer than segments are made.
#[derive(Debug)]
pub(super) struct Walk {
    base: u64,
    bytes: Vec<u8>,
    at: usize,
    pub(super) head: Head,
}

impl Walk {
    pub(super) fn open(segment: &Segment) -> io::Result<Self> {
        let bytes = fs::read(&segment.path)?;
        Ok(Self {
            base: segment.base,
            at: HEAD.min(bytes.len()),
            head: read_head(&bytes, segment.base),
            bytes,
        })
    }

    pub(super) fn next(&mut self) -> Step {
        let place = |at: usize| self.base + (at - HEAD) as u64;
        let rest = &self.bytes[self.at..];
        if rest.is_empty() {
            return Step::End;
        }
        if let Some(record) = record::decode(rest, place(self.at)) {
            let at = place(self.at);
            self.at += record.bytes as usize;
            return Step::Record(at, record);
        }
        let begin = self.at;
        let mut next = begin + 1;
        while let Some(found) = record::find(&self.bytes[next..]) {
            next += found;
            if record::decode(&self.bytes[next..], place(next)).is_some() {
                self.at = next;
                return Step::Damaged((next - begin) as u64);
            }
            next += 1;
        }
        self.at = self.bytes.len();
        Step::Torn((self.at - begin) as u64)
    }
}
