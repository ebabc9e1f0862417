//! EDF, EDF+C, EDF+D, BDF, BDF+C and BDF+D.
//!
//! Signals of equal rate are one stream; annotations become markers. Data records are read on demand.
//! Source: Kemp & Olivan, *European data format 'plus' (EDF+)*, Clin. Neurophysiol. 114 (2003), 1755–1761, and
//! the specifications at edfplus.info; BDF is EDF with 24-bit samples.

mod annotations;
mod header;
mod records;
mod scan;
mod start;
mod timeline;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use neuraflow_core::model::Span;
use neuraflow_core::source::SourceError;

pub use self::header::{EdfHeader, EdfSignal};
use self::records::Records;
use self::timeline::Timeline;
pub use super::calibration::Calibration;
use super::reader::{About, Block, Contents, Opened, RecordingReader, open_file};
use super::streams::{Signal, by_rate, headers};
use super::warning::malformed;

/// An open EDF or BDF file: its header, and its samples as digital counts or in the declared unit.
///
/// [`Recording`](super::Recording) gives the same samples as streams.
///
/// ```no_run
/// use neuraflow_sources::recording::edf::Edf;
/// let mut file = Edf::open("S001R04.edf")?;
/// let (counts, volts) = (file.digital(0, 0)?, file.physical(0, 0)?);
/// println!("{}: {} is {} {}", file.header().signals[0].label, counts[0], volts[0], file.header().signals[0].unit);
/// # Ok::<(), neuraflow_core::source::SourceError>(())
/// ```
#[derive(Debug)]
pub struct Edf {
    header: EdfHeader,
    records: Records,
    /// The shape of each stream's part of a record.
    shapes: Vec<Shape>,
    /// Where each signal's samples go, in file order, so that a record is read from front to back.
    places: Vec<Place>,
    timeline: Timeline,
    target: String,
    next: u64,
    onset: Vec<u8>,
}

/// The samples that a record has of a stream, and the stream's channels.
#[derive(Clone, Copy, Debug)]
struct Shape {
    samples: usize,
    channels: usize,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    signal: usize,
    stream: usize,
    channel: usize,
}

impl Edf {
    /// Opens a file that is EDF or BDF. Recoverable faults pass in silence here; `Recording` reports them.
    ///
    /// # Errors
    /// [`SourceError::Io`] where the system refuses the file, [`SourceError::Malformed`] where it is no EDF or BDF.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        let (file, about) = open_file(path.as_ref())?;
        Ok(Self::read(file, &about)?.0)
    }

    /// What the header says.
    pub fn header(&self) -> &EdfHeader {
        &self.header
    }

    /// The samples of one signal in one data record, as the integers in the file. Both are counted from 0, signals
    /// with the annotation signals among them.
    ///
    /// # Errors
    /// [`SourceError::Malformed`] where there is no such signal or record, or the file has become shorter;
    /// [`SourceError::Io`] where it cannot be read.
    pub fn digital(&mut self, signal: usize, record: u64) -> Result<Vec<i32>, SourceError> {
        let mut samples = Vec::new();
        self.records.digital(&self.header, record, signal, |count| samples.push(count))?;
        Ok(samples)
    }

    /// The samples of one signal in one data record, in the unit that the file declares for it.
    ///
    /// # Errors
    /// As [`digital`](Self::digital).
    pub fn physical(&mut self, signal: usize, record: u64) -> Result<Vec<f64>, SourceError> {
        let counts = self.digital(signal, record)?;
        let calibration = self.header.signals.get(signal).map(|s| &s.calibration);
        Ok(calibration
            .map_or_else(Vec::new, |line| counts.iter().map(|&count| line.physical(count)).collect()))
    }

    /// Opens it as a recording.
    pub(super) fn opened(file: File, about: &About) -> Result<Opened, SourceError> {
        let (edf, contents) = Self::read(file, about)?;
        Ok(Opened { contents, reader: Box::new(edf) })
    }

    fn read(file: File, about: &About) -> Result<(Self, Contents), SourceError> {
        let (size, target) = (about.size, &*about.target);
        let mut warnings = Vec::new();
        let mut file = BufReader::with_capacity(64 << 10, file);
        let header = header::read(&mut file, size, target, &mut warnings)?;
        let mut records = Records::new(file, target);
        let sizes_agree =
            header.header_bytes + header.records * header.record_bytes == size && warnings.is_empty();
        if !sizes_agree && records.line_ends_were_converted(&header) {
            let found = "a CR before every LF: the file was copied as text; copy it again as binary";
            return Err(malformed(target, "data records", "bytes as they were recorded", found));
        }
        let streams = by_rate(&header.signals);
        let mut headers = headers(&header.signals, &streams, header.record_seconds, header.start, about)?;
        let samples = |signals: &Vec<usize>| u64::from(header.signals[signals[0]].samples);
        let timeline = Timeline::new(headers.iter().map(|h| h.rate).zip(streams.iter().map(samples)));
        let scan = scan::scan(&mut records, &header, timeline.clone(), target, &mut warnings)?;
        for stream in &mut headers {
            stream.t0 = header.start + Span::nanos(scan.first_onset);
        }
        let contents = Contents { streams: headers, markers: scan.markers, warnings };
        let shape = |signals: &Vec<usize>| Shape {
            samples: header.signals[signals[0]].samples as usize,
            channels: signals.len(),
        };
        let shapes = streams.iter().map(shape).collect();
        let places = places(&streams);
        let target = target.to_owned();
        let edf = Self { header, records, shapes, places, timeline, target, next: 0, onset: Vec::new() };
        Ok((edf, contents))
    }

    fn place_record(&mut self, record: u64) -> Result<(), SourceError> {
        let keeper = self.header.signals.iter().position(|signal| signal.annotations);
        let Some(keeper) = keeper.filter(|_| self.header.discontinuous) else {
            self.timeline.follow();
            return Ok(());
        };
        self.records.bytes(&self.header, record, keeper, &mut self.onset)?;
        scan::place(&mut self.timeline, record, annotations::onset(&self.onset), &self.target)
    }
}

impl RecordingReader for Edf {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, SourceError> {
        let record = self.next;
        if record >= self.header.records || self.shapes.is_empty() {
            return Ok(false);
        }
        self.place_record(record)?;
        self.next += 1;
        let chunks = block.restart(record, self.shapes.len());
        for (stream, (shape, chunk)) in self.shapes.iter().zip(chunks.iter_mut()).enumerate() {
            chunk.restart(self.timeline.first(stream), shape.channels);
            chunk.extend_missing(shape.samples);
        }
        for &Place { signal, stream, channel } in &self.places {
            let calibration = &self.header.signals[signal].calibration;
            let values = chunks[stream].values_mut().iter_mut();
            let mut column = values.skip(channel).step_by(self.shapes[stream].channels);
            self.records.digital(&self.header, record, signal, |count| {
                if let Some(value) = column.next() {
                    *value = calibration.streamed(count);
                }
            })?;
        }
        Ok(true)
    }

    fn seek(&mut self, first: &[u64]) -> Result<(), SourceError> {
        let wanted = first.iter().copied().enumerate().filter(|(_, sample)| *sample < u64::MAX);
        self.timeline.restart(0);
        self.next = 0;
        if self.header.discontinuous {
            // Only the records themselves say where they are.
            while self.next < self.header.records {
                let before = self.timeline.clone();
                self.place_record(self.next)?;
                if wanted.clone().any(|(stream, sample)| self.timeline.next(stream) > sample) {
                    self.timeline = before;
                    return Ok(());
                }
                self.next += 1;
            }
        } else {
            let record = wanted.clone().map(|(stream, sample)| self.timeline.record_of(stream, sample)).min();
            self.next = record.unwrap_or(u64::MAX).min(self.header.records);
            self.timeline.restart(self.next);
        }
        let end = |stream| match self.header.discontinuous {
            true => self.timeline.next(stream),
            false => self.header.records.saturating_mul(self.shapes[stream].samples as u64),
        };
        match wanted.clone().find(|&(stream, sample)| stream < self.shapes.len() && sample > end(stream)) {
            Some((stream, sample)) => Err(malformed(
                &self.target,
                format!("stream {stream}"),
                format!("at least the {sample} samples that were read of it before"),
                end(stream).to_string(),
            )),
            None => Ok(()),
        }
    }
}

/// Where the signals of the streams go, in file order.
fn places(streams: &[Vec<usize>]) -> Vec<Place> {
    let of_stream = |(stream, signals): (usize, &Vec<usize>)| {
        let place = move |(channel, &signal): (usize, &usize)| Place { signal, stream, channel };
        signals.iter().enumerate().map(place).collect::<Vec<_>>()
    };
    let mut places: Vec<Place> = streams.iter().enumerate().flat_map(of_stream).collect();
    places.sort_by_key(|place| place.signal);
    places
}

impl Signal for EdfSignal {
    fn label(&self) -> &str {
        &self.label
    }

    fn samples(&self) -> u32 {
        if self.annotations { 0 } else { self.samples }
    }

    fn calibration(&self) -> (&Calibration, bool) {
        (&self.calibration, self.calibrated)
    }
}
