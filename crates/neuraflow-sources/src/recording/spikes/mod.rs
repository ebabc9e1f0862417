//! Spike trains: which unit fired when, as a list of events in a `.npy` file.
//!
//! The array has one dimension and named fields: `time` in seconds (`<f8`), ascending, and `unit` (an integer from 0 on).
//! Other fields are passed over. A spike sorter's result becomes one with a line of NumPy:
//!
//! ```python
//! np.save("spikes.npy", np.array(sorted(zip(times, units)), dtype=[("time", "<f8"), ("unit", "<u2")]))
//! ```
//!
//! Events have no sampling rate, and streams need one: a stream of spike trains has 1,000 samples a second, a channel for
//! each unit, and in each sample how often the unit fired within the millisecond that begins there. So a window holds the
//! spikes of exactly its interval, and the sum over it is what the list says.

mod npy;

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use neuraflow_core::model::{Channel, ChannelKind, SamplingRate, Timestamp, Unit};
use neuraflow_core::source::SourceError;

use self::npy::Layout;
use super::reader::{About, Block, Contents, Opened, RecordingReader};
use super::streams::of_file;
use super::warning::{Warning, malformed, unreadable};

/// Samples in a second, and nanoseconds in a sample.
const RATE: u64 = 1_000;
const SAMPLE: i64 = 1_000_000;
/// Samples in a block.
const BLOCK: u64 = 500;
/// Units, at most.
const UNITS: u64 = 1_024;
/// Milliseconds between two spikes, at most: where nobody fires for an hour, nobody was recorded.
const SILENCE: u64 = 3_600_000;

/// A spike: the millisecond since the epoch of the recorder's clock, and who fired.
#[derive(Clone, Copy, Debug)]
struct Spike {
    millisecond: i64,
    unit: usize,
}

/// An open list of spikes.
#[derive(Debug)]
pub(super) struct Spikes {
    events: Events,
    units: usize,
    /// The first sample's millisecond.
    origin: i64,
    samples: u64,
    next: u64,
    held: Option<Spike>,
}

impl Spikes {
    /// Opens it as a recording: looks at all events once, for the units and the time that they span.
    pub(super) fn opened(file: File, about: &About) -> Result<Opened, SourceError> {
        let About { target, key, name, .. } = about;
        let mut file = BufReader::with_capacity(64 << 10, file);
        let layout = npy::read(&mut file, target)?;
        let there = about.size.saturating_sub(layout.header) / layout.stride as u64;
        let mut warnings = Vec::new();
        if there < layout.events {
            let action = "the ones that are there are read";
            let (expected, found) = (layout.events.to_string(), there.to_string());
            warnings.push(Warning::new("number of spikes", expected, found, action));
        }
        let count = there.min(layout.events);
        let record = vec![0; layout.stride];
        let mut events =
            Events { file, layout, count, read: 0, last: i64::MIN, record, target: target.clone() };
        let (mut first, mut units) = (None, 0);
        while let Some(spike) = events.next()? {
            first.get_or_insert(spike.millisecond);
            units = units.max(spike.unit + 1);
        }
        let Some(origin) = first else {
            return Err(malformed(target, "spikes", "at least one", "none"));
        };
        let samples = events.last.abs_diff(origin) + 1;
        events.rewind()?;
        let rate = SamplingRate::hz(RATE)
            .map_err(|error| malformed(target, "sampling rate", error.to_string(), RATE.to_string()))?;
        let t0 = Timestamp::from_nanos(origin.saturating_mul(SAMPLE));
        let stream = of_file(key.with_signal(0), name, rate, (0..units).map(channel).collect(), t0);
        let reader = Self { events, units, origin, samples, next: 0, held: None };
        let contents = Contents { streams: vec![stream], markers: Vec::new(), warnings };
        Ok(Opened { contents, reader: Box::new(reader) })
    }

    /// The next event that is not counted yet.
    fn peek(&mut self) -> Result<Option<Spike>, SourceError> {
        if self.held.is_none() {
            self.held = self.events.next()?;
        }
        Ok(self.held)
    }
}

impl RecordingReader for Spikes {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, SourceError> {
        let [chunk] = block.restart(self.next / BLOCK, 1) else { return Ok(false) };
        chunk.restart(self.next, self.units);
        let begin = self.next;
        let end = (begin + BLOCK).min(self.samples);
        if begin >= end {
            return Ok(false);
        }
        let counts = chunk.extend_missing((end - begin) as usize);
        counts.fill(0.0);
        while let Some(spike) = self.peek()? {
            let sample = spike.millisecond.abs_diff(self.origin);
            if sample >= end {
                break;
            }
            // Those before were counted ahead of where reading goes on.
            let place = sample.checked_sub(begin).map(|sample| sample as usize * self.units + spike.unit);
            if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
                *count += 1.0;
            }
            self.held = None;
        }
        self.next = end;
        Ok(true)
    }

    fn seek(&mut self, first: &[u64]) -> Result<(), SourceError> {
        let wanted = first.first().copied().unwrap_or(0);
        if wanted == u64::MAX {
            self.next = self.samples;
            return Ok(());
        }
        if wanted > self.samples {
            let expected = format!("at least the {wanted} samples that were read of it before");
            return Err(malformed(&self.events.target, "stream 0", expected, self.samples.to_string()));
        }
        self.events.rewind()?;
        (self.held, self.next) = (None, wanted / BLOCK * BLOCK);
        Ok(())
    }
}

fn channel(unit: usize) -> Channel {
    Channel::new(format!("unit {unit}"))
        .with_kind(ChannelKind::Other)
        .with_unit(Unit::Other("spikes".to_owned()))
}

/// Reads events one after another.
#[derive(Debug)]
struct Events {
    file: BufReader<File>,
    layout: Layout,
    /// How many there are, and how many were read.
    count: u64,
    read: u64,
    /// The last one's millisecond.
    last: i64,
    record: Vec<u8>,
    target: String,
}

impl Events {
    fn next(&mut self) -> Result<Option<Spike>, SourceError> {
        if self.read >= self.count {
            return Ok(None);
        }
        let number = self.read;
        self.file
            .read_exact(&mut self.record)
            .map_err(|error| unreadable(&self.target, format!("spike {number}"), error))?;
        let wrong = |field: &str, expected: &str, found: String| {
            Err(malformed(&self.target, format!("spike {number}, {field}"), expected, found))
        };
        let seconds = self.layout.time(&self.record);
        // Beyond ±2⁶² ns there is no time that one could add to.
        let nanos = libm::round(seconds * 1e9);
        if nanos.is_nan() || nanos.abs() > 4.6e18 {
            return wrong("time", "seconds from -146 to 146 years", seconds.to_string());
        }
        let millisecond = (nanos as i64).div_euclid(SAMPLE);
        if millisecond < self.last {
            return wrong(
                "time",
                "one not before the spike above: sort them by time",
                format!("{seconds} s"),
            );
        }
        if number > 0 && millisecond.abs_diff(self.last) > SILENCE {
            let expected = "one within an hour of the spike above: give each recording a file of its own";
            return wrong("time", expected, format!("{seconds} s"));
        }
        let Some(unit) = self.layout.unit(&self.record).filter(|unit| *unit < UNITS) else {
            return wrong("unit", "a number from 0 to 1023", format!("{:?}", self.layout.unit(&self.record)));
        };
        (self.last, self.read) = (millisecond, number + 1);
        Ok(Some(Spike { millisecond, unit: unit as usize }))
    }

    fn rewind(&mut self) -> Result<(), SourceError> {
        (self.read, self.last) = (0, i64::MIN);
        let begin = SeekFrom::Start(self.layout.header);
        self.file
            .seek(begin)
            .map(drop)
            .map_err(|error| unreadable(&self.target, "first spike".to_owned(), error))
    }
}
