//! GDF 1.x and 2.x: signals of any number type, and a table of events.
//!
//! Signals of equal rate are one stream; events become markers whose labels are the event types as numbers. Source: A.
//! Schlögl, *GDF: a general data format for biosignals*, arXiv:cs/0608052, versions 1.25 and 2.x.

mod events;
mod header;
mod sample;
mod signals;
mod start;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use neuraflow_core::source::SourceError;

pub use self::header::GdfHeader;
pub use self::sample::SampleType;
pub use self::signals::GdfSignal;
use super::calibration::Calibration;
use super::positioned::Positioned;
use super::reader::{About, Block, Contents, Opened, RecordingReader, open_file};
use super::streams::{Signal, by_rate, headers};
use super::warning::{malformed, unreadable};

/// Bytes decoded at a time: a multiple of every sample type's.
const PIECE: usize = 48 << 10;
/// Samples of the fastest stream in a block, at least: a record may be a single sample.
const BLOCK: u64 = 256;

/// An open GDF file: its header, and its samples in the declared unit.
///
/// [`Recording`](super::Recording) gives the same samples as streams.
///
/// ```no_run
/// use neuraflow_sources::recording::gdf::Gdf;
/// let mut file = Gdf::open("subject03.gdf")?;
/// let first = file.physical(0, 0)?;
/// println!("{}: {} {}", file.header().signals[0].label, first[0], file.header().signals[0].unit);
/// # Ok::<(), neuraflow_core::source::SourceError>(())
/// ```
#[derive(Debug)]
pub struct Gdf {
    header: GdfHeader,
    file: Positioned,
    target: String,
    /// The signals of each stream.
    streams: Vec<Vec<usize>>,
    /// Records in a block.
    per_block: u64,
    /// The record that is read next.
    next: u64,
    piece: Vec<u8>,
}

impl Gdf {
    /// Opens a file that is GDF. Recoverable faults pass in silence here; `Recording` reports them.
    ///
    /// # Errors
    /// [`SourceError::Io`] where the system refuses the file, [`SourceError::Malformed`] where it is no GDF.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        let (file, about) = open_file(path.as_ref())?;
        Ok(Self::read(file, &about)?.0)
    }

    /// What the header says.
    pub fn header(&self) -> &GdfHeader {
        &self.header
    }

    /// The samples of one signal in one data record, in the unit that the file declares for it. Both are counted from 0.
    ///
    /// # Errors
    /// [`SourceError::Malformed`] where there is no such signal or record, or the file has become shorter;
    /// [`SourceError::Io`] where it cannot be read.
    pub fn physical(&mut self, signal: usize, record: u64) -> Result<Vec<f64>, SourceError> {
        let calibration = self.header.signals.get(signal).map(|signal| signal.calibration.clone());
        let mut values = Vec::new();
        self.numbers(record, signal, |number| {
            values.extend(calibration.as_ref().map(|line| line.physical_of(number)));
        })?;
        Ok(values)
    }

    /// Opens it as a recording.
    pub(super) fn opened(file: File, about: &About) -> Result<Opened, SourceError> {
        let (gdf, contents) = Self::read(file, about)?;
        Ok(Opened { contents, reader: Box::new(gdf) })
    }

    fn read(file: File, about: &About) -> Result<(Self, Contents), SourceError> {
        let (size, target) = (about.size, &*about.target);
        let mut warnings = Vec::new();
        let mut file = BufReader::with_capacity(64 << 10, file);
        let header = header::read(&mut file, size, target, &mut warnings)?;
        let mut file = Positioned::new(file);
        let streams = by_rate(&header.signals);
        let headers = headers(&header.signals, &streams, header.record_seconds, header.start, about)?;
        let fastest = headers.iter().map(|stream| stream.rate).max_by(|a, b| a.as_hz().total_cmp(&b.as_hz()));
        let markers = events::read(&mut file, &header, fastest, size, target, &mut warnings)?;
        let most = header.signals.iter().map(|signal| u64::from(signal.samples)).max().unwrap_or(0);
        let contents = Contents { streams: headers, markers, warnings };
        let target = target.to_owned();
        let per_block = (BLOCK / most.max(1)).max(1);
        Ok((Self { header, file, target, streams, per_block, next: 0, piece: Vec::new() }, contents))
    }

    /// The numbers that are stored of one signal in one record, one after another.
    fn numbers(&mut self, record: u64, signal: usize, mut take: impl FnMut(f64)) -> Result<(), SourceError> {
        let Self { header, file, target, piece, .. } = self;
        let outside = |field: &str, count: u64, found: u64| {
            Err(malformed(target, field, format!("one of 0..{count}"), found.to_string()))
        };
        if record >= header.records {
            return outside("data record", header.records, record);
        }
        let Some(described) = header.signals.get(signal) else {
            return outside("signal", header.signals.len() as u64, signal as u64);
        };
        let mut start = header.header_bytes + record * header.record_bytes + described.offset;
        let mut left = described.record_bytes();
        while left > 0 {
            let now = left.min(PIECE as u64);
            piece.resize(now as usize, 0);
            file.read(start, piece).map_err(|error| {
                unreadable(target, format!("record {record}, signal {signal} {:?}", described.label), error)
            })?;
            let stored = described.stored;
            piece.chunks_exact(stored.bytes()).for_each(|sample| take(stored.number(sample)));
            start += now;
            left -= now;
        }
        Ok(())
    }
}

impl RecordingReader for Gdf {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, SourceError> {
        let record = self.next;
        if record >= self.header.records || self.streams.is_empty() {
            return Ok(false);
        }
        let records = self.per_block.min(self.header.records - record);
        self.next += records;
        let streams = std::mem::take(&mut self.streams);
        let chunks = block.restart(record, streams.len());
        let read = streams.iter().zip(chunks).try_for_each(|(signals, chunk)| {
            let samples = u64::from(self.header.signals[signals[0]].samples);
            chunk.restart(record * samples, signals.len());
            chunk.extend_missing((records * samples) as usize);
            for (channel, &signal) in signals.iter().enumerate() {
                let calibration = self.header.signals[signal].calibration.clone();
                let mut column = chunk.values_mut().iter_mut().skip(channel).step_by(signals.len());
                for record in record..record + records {
                    self.numbers(record, signal, |number| {
                        if let Some(value) = column.next() {
                            *value = calibration.streamed_of(number);
                        }
                    })?;
                }
            }
            Ok(())
        });
        self.streams = streams;
        read.map(|()| true)
    }

    fn seek(&mut self, first: &[u64]) -> Result<(), SourceError> {
        self.next = self.header.records;
        for (stream, (signals, &sample)) in self.streams.iter().zip(first).enumerate() {
            if sample == u64::MAX {
                continue;
            }
            let samples = u64::from(self.header.signals[signals[0]].samples);
            let end = self.header.records * samples;
            if sample > end {
                let expected = format!("at least the {sample} samples that were read of it before");
                return Err(malformed(&self.target, format!("stream {stream}"), expected, end.to_string()));
            }
            self.next = self.next.min(sample / samples);
        }
        Ok(())
    }
}

impl Signal for GdfSignal {
    fn label(&self) -> &str {
        &self.label
    }

    fn samples(&self) -> u32 {
        self.samples
    }

    fn calibration(&self) -> (&Calibration, bool) {
        (&self.calibration, self.calibrated)
    }
}
