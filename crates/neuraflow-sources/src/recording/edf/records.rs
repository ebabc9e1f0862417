//! The data records: bytes of one signal of one record, and their digital samples.

use std::fs::File;
use std::io::BufReader;

use neuraflow_core::source::SourceError;

use super::header::{EdfHeader, EdfSignal};
use crate::recording::positioned::Positioned;
use crate::recording::warning::{malformed, unreadable};

/// Bytes read at a time: a multiple of both 2 and 3.
const PIECE: usize = 48 << 10;

/// Reads the data records of an open file.
#[derive(Debug)]
pub(super) struct Records {
    file: Positioned,
    target: String,
    piece: Vec<u8>,
}

impl Records {
    /// Takes over a file, wherever it stands.
    pub(super) fn new(file: BufReader<File>, target: &str) -> Self {
        Self { file: Positioned::new(file), target: target.to_owned(), piece: Vec::new() }
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
        self.file.read(start, into).map_err(|error| unreadable(&self.target, what(), error))
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
            self.file
                .read(start, &mut self.piece)
                .map_err(|error| unreadable(&self.target, place(record, signal, described), error))?;
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

    /// Whether the data look as if a text-mode copy had put a CR before each LF, which moves all bytes behind.
    pub(super) fn line_ends_were_converted(&mut self, header: &EdfHeader) -> bool {
        let mut bytes = vec![0; 256 << 10];
        let Ok(filled) = self.file.read_some(header.header_bytes, &mut bytes) else { return false };
        let pairs = bytes[..filled].windows(2).filter(|pair| pair[1] == b'\n');
        let (feeds, converted) =
            pairs.fold((0u32, 0u32), |(n, c), pair| (n + 1, c + u32::from(pair[0] == b'\r')));
        feeds >= 16 && feeds == converted
    }
}

fn place(record: u64, signal: usize, described: &EdfSignal) -> String {
    format!("record {record}, signal {signal} {:?}", described.label)
}
