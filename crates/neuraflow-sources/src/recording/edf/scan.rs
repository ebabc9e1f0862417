//! One pass over the annotation signals when a file is opened: markers, the sub-second start, and whether the
//! records are where they should be.

use neuraflow_core::model::Marker;
use neuraflow_core::source::SourceError;

use super::annotations::{Markers, Onset, onset};
use super::header::EdfHeader;
use super::records::Records;
use super::timeline::Timeline;
use crate::recording::Warning;
use crate::recording::warning::malformed;

/// How far a record's stated onset may be from where a contiguous file has it before that is said: 10 ms.
const CLOCK_TOLERANCE: i128 = 10_000_000;
const MARKER_MEMORY: u64 = 8 << 20;

/// What the annotation signals say.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Nanoseconds from the header's start to the first record.
    pub(super) first_onset: i64,
    /// The annotations, in order of time.
    pub(super) markers: Vec<Marker>,
}

/// Reads every annotation signal of every record, in memory of at most 8 MiB + 3 × the file's size.
pub(super) fn scan(
    records: &mut Records,
    header: &EdfHeader,
    mut timeline: Timeline,
    target: &str,
    warnings: &mut Vec<Warning>,
) -> Result<Scan, SourceError> {
    let signals: Vec<usize> = (0..header.signals.len()).filter(|&i| header.signals[i].annotations).collect();
    let Some(&keeper) = signals.first() else {
        if !header.discontinuous {
            return Ok(Scan::default());
        }
        let expected = "an annotation signal, which gives each record's onset in EDF+D and BDF+D";
        return Err(malformed(target, "signals", expected, "none"));
    };
    let room = MARKER_MEMORY + 2 * (header.records * header.record_bytes);
    let mut markers = Markers::new(header.start, room);
    let mut clock = RecordClock::default();
    let mut bytes = Vec::new();
    for record in 0..header.records {
        for &signal in &signals {
            records.bytes(header, record, signal, &mut bytes)?;
            if signal == keeper {
                let found = onset(&bytes);
                clock.take(record, found, header, &bytes);
                if header.discontinuous {
                    place(&mut timeline, record, found, target)?;
                }
            }
            markers.take(&bytes);
        }
    }
    clock.finish(header, target, warnings)?;
    if let (lists @ 1.., bytes) = markers.unreadable {
        warnings.push(Warning::new(
            "annotations",
            "lists of onset, 0x14 and text",
            format!("{lists} that are none"),
            format!("their {bytes} bytes are dropped"),
        ));
    }
    if markers.beyond > 0 {
        let expected = format!("annotations within {room} bytes of memory");
        let found = format!("{} more", markers.beyond);
        warnings.push(Warning::new("annotations", expected, found, "these are dropped"));
    }
    Ok(Scan { first_onset: clock.first_onset.unwrap_or(0), markers: markers.sorted() })
}

/// Puts a record of a discontinuous file in its place.
pub(super) fn place(
    timeline: &mut Timeline,
    record: u64,
    found: Onset,
    target: &str,
) -> Result<(), SourceError> {
    let field = || format!("record {record}: onset");
    match found {
        Onset::At(nanos) => timeline.place(nanos).map_err(|overlap| {
            let expected = format!("{} s or later, where the record ahead ends", seconds(overlap.earliest));
            malformed(target, field(), expected, format!("{} s", seconds(nanos)))
        }),
        Onset::Unreadable | Onset::Misplaced => {
            let expected = "a time-keeping list (+onset 0x14 0x14), as the file is discontinuous";
            Err(malformed(target, field(), expected, "none"))
        }
    }
}

/// Follows what the records say of their own time.
#[derive(Debug, Default)]
struct RecordClock {
    first_onset: Option<i64>,
    unreadable: Option<Run>,
    /// Records whose annotation signal holds something else, up to the last one looked at.
    misplaced: Option<Run>,
    /// Records that were misplaced, with good ones behind them.
    damaged: Option<Run>,
    astray: Option<Run>,
    /// The first bytes of the first misplaced record.
    sample: Vec<u8>,
}

/// How many records, and the first of them.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u64,
    count: u64,
}

fn count(run: &mut Option<Run>, record: u64, times: u64) {
    run.get_or_insert(Run { first: record, count: 0 }).count += times;
}

impl RecordClock {
    fn take(&mut self, record: u64, found: Onset, header: &EdfHeader, bytes: &[u8]) {
        if found == Onset::Misplaced {
            if self.misplaced.is_none() {
                self.sample = bytes.iter().take(8).copied().collect();
            }
            count(&mut self.misplaced, record, 1);
            return;
        }
        // Bytes out of place stay out of place. The first record must be good, or nothing says where they belong.
        if let Some(run) = self.misplaced.filter(|run| run.first > 0) {
            count(&mut self.damaged, run.first, run.count);
            self.misplaced = None;
        }
        let Onset::At(nanos) = found else {
            count(&mut self.unreadable, record, 1);
            return;
        };
        let (num, den) = (i128::from(header.record_seconds.0), i128::from(header.record_seconds.1));
        let contiguous = i128::from(record) * num * 1_000_000_000 / den.max(1);
        match self.first_onset {
            // Where the first lists are unreadable, the recording is taken to start on the header's second.
            None if record == 0 => self.first_onset = Some(nanos),
            first => {
                let away = i128::from(nanos) - i128::from(first.unwrap_or(0)) - contiguous;
                if away.abs() > CLOCK_TOLERANCE {
                    count(&mut self.astray, record, 1);
                }
            }
        }
    }

    fn finish(
        &self,
        header: &EdfHeader,
        target: &str,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), SourceError> {
        if let Some(run) = self.misplaced {
            let bytes: Vec<String> = self.sample.iter().map(|b| format!("{b:02X}")).collect();
            let field = format!("record {}, annotations", run.first);
            let expected =
                "a time-keeping list (+onset 0x14 0x14); if the file was copied as text, copy it as binary";
            return Err(malformed(target, field, expected, format!("bytes {}", bytes.join(" "))));
        }
        let mut warn = |run: Option<Run>, expected: &str, found: &str, action: &str| {
            if let Some(run) = run {
                let found = format!("{found} in {} records, first in record {}", run.count, run.first);
                warnings.push(Warning::new("record onsets", expected, found, action));
            }
        };
        let list = "a time-keeping list (+onset 0x14 0x14)";
        warn(self.damaged, list, "other bytes", "their annotations are dropped, and their samples kept");
        warn(self.unreadable, list, "none that can be read", "they are taken to follow the record ahead");
        if !header.discontinuous {
            let expected = "one record after the other, as the header says the file is contiguous";
            warn(self.astray, expected, "another onset", "their onsets are ignored");
        }
        Ok(())
    }
}

fn seconds(nanos: i64) -> f64 {
    nanos as f64 / 1e9
}
