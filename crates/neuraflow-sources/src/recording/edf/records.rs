//! The data records: bytes of one signal of one record, and their digital samples.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};

use neuraflow_core::source::SourceError;

use super::header::{EdfHeader, EdfSignal};
use crate::recording::warning::malformed;

/// Bytes read at a time: a multiple of both 2 and 3.
const PIECE: usize = 48 << 10;

/// Reads the data records of an open file.
#[derive(Debug)]
pub(super) struct Records {
    file: BufReader<File>,
    target: String,
    /// Where the file stands, if that is known.
    position: Option<u64>,
    piece: Vec<u8>,
}

impl Records {
    /// Takes over a file, wherever it stands.
    pub(super) fn new(file: BufReader<File>, target: &str) -> Self {
        Self { file, target: target.to_owned(), position: None, piece: Vec::new() }
    }

    /// All bytes of one signal of one record. They are at most as many as the file has.
    pub(super) fn bytes(
        &mut self,
        header: &EdfHeader,
        record: u64,
        signal: usize,
        into: &mut Vec<u8>,
    ) -> Result<(), SourceError> {
        let (described, start) = self.locate(header, record, signal)?;
        into.resize(described.samples as usize * header.sample_bytes, 0);
        let what = || place(record, signal, described);
        Self::read(&mut self.file, &mut self.position, start, into)
            .map_err(|e| failed(&self.target, what(), e))
    }

    /// The digital samples of one signal of one record, one after another.
    pub(super) fn digital(
        &mut self,
        header: &EdfHeader,
        record: u64,
        signal: usize,
        mut take: impl FnMut(i32),
    ) -> Result<(), SourceError> {
        let (described, mut start) = self.locate(header, record, signal)?;
        let mut left = described.samples as usize * header.sample_bytes;
        while left > 0 {
            let now = left.min(PIECE);
            self.piece.resize(now, 0);
            Self::read(&mut self.file, &mut self.position, start, &mut self.piece)
                .map_err(|error| failed(&self.target, place(record, signal, described), error))?;
            match header.sample_bytes {
                2 => {
                    self.piece.chunks_exact(2).for_each(|b| take(i32::from(i16::from_le_bytes([b[0], b[1]]))))
                }
                _ => self
                    .piece
                    .chunks_exact(3)
                    .for_each(|b| take(i32::from_le_bytes([0, b[0], b[1], b[2]]) >> 8)),
            }
            start += now as u64;
            left -= now;
        }
        Ok(())
    }

    fn locate<'h>(
        &self,
        header: &'h EdfHeader,
        record: u64,
        signal: usize,
    ) -> Result<(&'h EdfSignal, u64), SourceError> {
        let outside = |field: &str, count: u64, found: u64| {
            Err(malformed(&self.target, field, format!("one of 0..{count}"), found.to_string()))
        };
        if record >= header.records {
            return outside("data record", header.records, record);
        }
        match header.signals.get(signal) {
            None => outside("signal", header.signals.len() as u64, signal as u64),
            Some(found) => Ok((found, header.header_bytes + record * header.record_bytes + found.offset)),
        }
    }

    fn read(
        file: &mut BufReader<File>,
        position: &mut Option<u64>,
        start: u64,
        into: &mut [u8],
    ) -> std::io::Result<()> {
        let forward =
            position.take().and_then(|now| i64::try_from(start).ok()?.checked_sub(i64::try_from(now).ok()?));
        match forward {
            Some(distance) => file.seek_relative(distance)?,
            None => file.seek(SeekFrom::Start(start)).map(drop)?,
        }
        file.read_exact(into)?;
        *position = Some(start + into.len() as u64);
        Ok(())
    }

    /// Whether the data look as if a text-mode copy had put a CR before each LF, which moves all bytes behind.
    pub(super) fn line_ends_were_converted(&mut self, header: &EdfHeader) -> bool {
        let mut bytes = vec![0; 256 << 10];
        let mut filled = 0;
        self.position = None;
        if self.file.seek(SeekFrom::Start(header.header_bytes)).is_err() {
            return false;
        }
        while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.file.read(room) {
                Ok(0) | Err(_) => break,
                Ok(read) => filled += read,
            }
        }
        let pairs = bytes[..filled].windows(2).filter(|pair| pair[1] == b'\n');
        let (feeds, converted) =
            pairs.fold((0u32, 0u32), |(n, c), pair| (n + 1, c + u32::from(pair[0] == b'\r')));
        feeds >= 16 && feeds == converted
    }
}

fn place(record: u64, signal: usize, described: &EdfSignal) -> String {
    format!("record {record}, signal {signal} {:?}", described.label)
}

fn failed(target: &str, place: String, source: std::io::Error) -> SourceError {
    if source.kind() == ErrorKind::UnexpectedEof {
        return malformed(
            target,
            place,
            "the bytes that were there when it was opened",
            "the end of the file",
        );
    }
    SourceError::Io { action: "read", target: format!("{target}, {place}"), source }
}
