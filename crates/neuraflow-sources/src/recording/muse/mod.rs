//! Muse CSV: samples of a Muse headband as `muse-lsl` writes them.
//!
//! A line of names (`timestamps,TP9,AF7,AF8,TP10,Right AUX,Marker`), then a row for each sample: seconds, values in µV, and
//! in columns that begin with `Marker` a code where there is one. Rows are samples in the order of the file, at the
//! headband's nominal rate from the first timestamp on; where timestamps leap by more than 40 ms, samples are missing.
//! Shorter losses cannot be told from the jitter of the connection.

mod lines;
mod scan;
mod table;

use std::fs::File;

use neuraflow_core::model::{Channel, ChannelKind};
use neuraflow_core::source::SourceError;

use self::lines::Lines;
use self::scan::{Places, RATES};
use self::table::{Columns, Slots};
use super::reader::{About, Block, Contents, Opened, RecordingReader};
use super::streams::of_file;
use super::warning::{malformed, unreadable};

/// Samples in a block, at most.
const BLOCK: usize = 256;

/// An open Muse CSV.
#[derive(Debug)]
pub(super) struct Muse {
    slots: Slots,
    places: Places,
    channels: usize,
    samples: u64,
    target: String,
    /// The next slot.
    slot: u64,
    blocks: u64,
    /// The sample whose values are in `values`.
    held: Option<u64>,
    values: Vec<f32>,
}

impl Muse {
    /// Opens it as a recording.
    pub(super) fn opened(file: File, about: &About) -> Result<Opened, SourceError> {
        let About { target, key, name, .. } = about;
        let failed = |error| unreadable(target, "rows".to_owned(), error);
        let mut lines = Lines::new(file);
        lines.advance().map_err(failed)?;
        let columns = lines.text().and_then(Columns::of).filter(|columns| columns.signals().next().is_some());
        let columns = columns.ok_or_else(|| {
            let found = lines.text().unwrap_or("no line of text").chars().take(80).collect::<String>();
            malformed(target, "line 1", "names of columns: timestamps, then at least one signal", found)
        })?;
        let channels: Vec<Channel> = columns.signals().map(channel).collect();
        let mut slots = Slots::new(lines, columns);
        let measured = scan::measured_rate(&mut slots).map_err(failed)?.ok_or_else(|| {
            malformed(target, "rows", "at least two with timestamps that go on", "none that can be read")
        })?;
        let rate = scan::nominal_rate(measured).ok_or_else(|| {
            let expected = RATES.map(|rate| rate.to_string()).join(", ");
            let expected = format!("the rate of a Muse headband: {expected} Hz");
            malformed(target, "sampling rate by the timestamps", expected, format!("{measured:.1} Hz"))
        })?;
        let mut warnings = Vec::new();
        let scan = scan::scan(&mut slots, rate, about.size, &mut warnings).map_err(failed)?;
        let scan =
            scan.ok_or_else(|| malformed(target, "rows", "those that were there a moment ago", "none"))?;
        slots.rewind().map_err(failed)?;
        let count = channels.len();
        let stream = of_file(key.with_signal(0), name, rate, channels, scan.t0);
        let muse = Self {
            slots,
            places: scan.places,
            channels: count,
            samples: scan.samples,
            target: target.clone(),
            slot: 0,
            blocks: 0,
            held: None,
            values: Vec::new(),
        };
        let contents = Contents { streams: vec![stream], markers: scan.markers, warnings };
        Ok(Opened { contents, reader: Box::new(muse) })
    }

    /// The next sample that can be read, its values then in `values`.
    fn peek(&mut self) -> Result<Option<u64>, SourceError> {
        while self.held.is_none() {
            let next = self.slots.next(&mut self.values);
            let Some(slot) = next.map_err(|error| unreadable(&self.target, "rows".to_owned(), error))? else {
                return Ok(None);
            };
            self.held = slot.row.ok().and_then(|_| self.places.sample(self.slot));
            self.slot += 1;
        }
        Ok(self.held)
    }
}

impl RecordingReader for Muse {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, SourceError> {
        let [chunk] = block.restart(self.blocks, 1) else { return Ok(false) };
        chunk.restart(0, self.channels);
        while let Some(sample) = self.peek()? {
            if chunk.is_empty() {
                chunk.restart(sample, self.channels);
            } else if sample != chunk.end() || chunk.len() >= BLOCK {
                break;
            }
            chunk.extend(&self.values);
            self.held = None;
        }
        self.blocks += 1;
        Ok(!chunk.is_empty())
    }

    fn seek(&mut self, first: &[u64]) -> Result<(), SourceError> {
        let wanted = first.first().copied().unwrap_or(0);
        if wanted != u64::MAX && wanted > self.samples {
            let expected = format!("at least the {wanted} samples that were read of it before");
            return Err(malformed(&self.target, "stream 0", expected, self.samples.to_string()));
        }
        self.slots.rewind().map_err(|error| unreadable(&self.target, "rows".to_owned(), error))?;
        (self.slot, self.held) = (0, None);
        while self.peek()?.is_some_and(|sample| sample < wanted) {
            self.held = None;
        }
        Ok(())
    }
}

/// The auxiliary electrode shares the reference of the others.
fn channel(name: &str) -> Channel {
    let channel = Channel::new(name);
    if name.to_ascii_lowercase().contains("aux") { channel.with_kind(ChannelKind::Eeg) } else { channel }
}
