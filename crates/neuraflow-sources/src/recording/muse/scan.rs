//! One look at all rows when a file is opened: the sampling rate, where samples are missing, and the markers.
//!
//! Rows are samples, in the order of the file. Their timestamps say when they arrived, up to 33 ms apart over Bluetooth and
//! now and then backwards, and are good for two things: the sampling rate, and how much is missing where they leap.

use std::io;

use neuraflow_core::model::{Marker, SamplingRate, Timestamp};

use super::table::{Row, Slots};
use crate::recording::Warning;

/// The sampling rates that Muse headbands have, in Hz.
pub(super) const RATES: [u64; 3] = [220, 256, 500];
/// How far a measured rate may be from one of them.
const RATE_TOLERANCE: f64 = 0.05;
/// Timestamps further than this from where the rows ahead put them are no jitter: a packet of 12 samples is 47 ms long.
const LEAP: f64 = 0.040;
/// How fast the mean of the timestamps' deviation follows them, for each row.
const FOLLOW: f64 = 1.0 / 64.0;
/// What may be held of markers beside twice the file's size, and how much of it one takes.
const MEMORY: u64 = 8 << 20;
const MARKER_BYTES: u64 = 96;

/// What all rows together say.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) t0: Timestamp,
    pub(super) places: Places,
    pub(super) samples: u64,
    pub(super) markers: Vec<Marker>,
}

/// Which sample a slot is.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// Slots ahead of the first readable row.
    lead: u64,
    /// From this slot on, so many samples are missing, all holes so far together.
    holes: Vec<(u64, u64)>,
}

impl Places {
    /// The number of the sample in this slot; none ahead of the first.
    pub(super) fn sample(&self, slot: u64) -> Option<u64> {
        let ahead = self.holes.partition_point(|(from, _)| *from <= slot);
        let lost = ahead.checked_sub(1).and_then(|hole| self.holes.get(hole)).map_or(0, |(_, lost)| *lost);
        Some(slot.checked_sub(self.lead)?.saturating_add(lost))
    }
}

/// The sampling rate by the timestamps, in Hz and not rounded; none where there are not two readable rows.
pub(super) fn measured_rate(slots: &mut Slots) -> io::Result<Option<f64>> {
    let (mut rows, mut seconds) = (0_u64, 0.0);
    let (mut number, mut last, mut values) = (0_u64, None::<(u64, i64)>, Vec::new());
    slots.rewind()?;
    while let Some(slot) = slots.next(&mut values)? {
        if let Ok(Row { time, .. }) = slot.row {
            if let Some((before, earlier)) = last {
                let step = (i128::from(time) - i128::from(earlier)) as f64 / 1e9;
                let count = number - before;
                if step.abs() <= LEAP * count as f64 {
                    (rows, seconds) = (rows + count, seconds + step);
                }
            }
            last = Some((number, time));
        }
        number += 1;
    }
    Ok((seconds > 0.0).then(|| rows as f64 / seconds))
}

/// The rate of a headband that is meant by a measured one.
pub(super) fn nominal_rate(measured: f64) -> Option<SamplingRate> {
    let meant = RATES.into_iter().find(|rate| (measured / *rate as f64 - 1.0).abs() <= RATE_TOLERANCE)?;
    SamplingRate::hz(meant).ok()
}

/// Places all rows of a file of `size` bytes, and gathers its markers; none where no row can be read.
pub(super) fn scan(
    slots: &mut Slots,
    rate: SamplingRate,
    size: u64,
    warnings: &mut Vec<Warning>,
) -> io::Result<Option<Scan>> {
    let mut clock = None::<Clock>;
    let (mut faults, mut markers, mut beyond) = (Faults::default(), Vec::new(), 0_u64);
    let most = (MEMORY + 2 * size) / MARKER_BYTES;
    let (mut number, mut end, mut values) = (0, 0, Vec::new());
    slots.rewind()?;
    while let Some(slot) = slots.next(&mut values)? {
        match slot.row {
            Ok(row) => {
                let clock = clock.get_or_insert_with(|| Clock::new(number, row.time, rate));
                clock.row(number, row.time, slot.line);
                for label in row.markers {
                    if (markers.len() as u64) < most { markers.push((number, label)) } else { beyond += 1 }
                }
                end = number + 1;
            }
            Err(fault) => faults.add(slot.line, fault),
        }
        number += 1;
    }
    let Some(clock) = clock else { return Ok(None) };
    faults.warn(slots.repeated, &clock, beyond, warnings);
    let places = Places { lead: clock.lead, holes: clock.holes };
    let t0 = Timestamp::from_nanos(clock.first);
    let marker = |(slot, label)| Marker::new(t0 + rate.offset(places.sample(slot).unwrap_or(0)), label);
    let markers = markers.into_iter().map(marker).collect();
    let samples = places.sample(end.max(1) - 1).map_or(0, |last| last + 1);
    Ok(Some(Scan { t0, samples, markers, places }))
}

/// Follows the timestamps, and finds where they leap.
struct Clock {
    rate: f64,
    lead: u64,
    first: i64,
    holes: Vec<(u64, u64)>,
    lost: u64,
    /// How far timestamps are from where the samples' numbers put them, on the mean, in seconds.
    lag: f64,
    /// A row whose timestamp leaps, by how much, and its line: believed if the next row agrees.
    leap: Option<(u64, f64, u64)>,
    /// Timestamps that were not believed, and the first one's line.
    astray: (u64, u64),
    /// How often the clock was set back, and the first time's line.
    back: (u64, u64),
}

fn count(place: &mut (u64, u64), line: u64) {
    *place = (place.0 + 1, if place.0 == 0 { line } else { place.1 });
}

impl Clock {
    fn new(lead: u64, first: i64, rate: SamplingRate) -> Self {
        let rate = rate.as_hz();
        Self {
            rate,
            lead,
            first,
            holes: Vec::new(),
            lost: 0,
            lag: 0.0,
            leap: None,
            astray: (0, 0),
            back: (0, 0),
        }
    }

    fn row(&mut self, slot: u64, time: i64, line: u64) {
        let since = (i128::from(time) - i128::from(self.first)) as f64 / 1e9;
        let mut ahead = since - (slot - self.lead + self.lost) as f64 / self.rate - self.lag;
        if let Some((from, leapt, at)) = self.leap.take() {
            if (ahead - leapt).abs() > LEAP {
                count(&mut self.astray, at);
            } else if leapt > 0.0 {
                let lost = (leapt * self.rate).round() as u64;
                self.lost = self.lost.saturating_add(lost);
                self.holes.push((from, self.lost));
                ahead -= lost as f64 / self.rate;
            } else {
                // Samples go on where the clock was set back.
                count(&mut self.back, at);
                self.lag += leapt;
                ahead -= leapt;
            }
        }
        if ahead.abs() > LEAP {
            self.leap = Some((slot, ahead, line));
        } else {
            self.lag += FOLLOW * ahead;
        }
    }
}

/// Rows that could not be read.
#[derive(Default)]
struct Faults {
    rows: u64,
    first: Option<(u64, (String, String))>,
}

impl Faults {
    fn add(&mut self, line: u64, fault: (String, String)) {
        self.rows += 1;
        self.first.get_or_insert((line, fault));
    }

    fn warn(self, repeated: (u64, u64), clock: &Clock, beyond: u64, warnings: &mut Vec<Warning>) {
        let mut warn = |field: String, expected: &str, found: String, action: &str| {
            warnings.push(Warning::new(field, expected, found, action));
        };
        if let Some((line, (expected, found))) = self.first {
            let action = format!("{} such rows are dropped, and their samples missing", self.rows);
            warn(format!("line {line}"), &expected, found, &action);
        }
        if let (times @ 1.., line) = repeated {
            let found = format!("{times} that repeat the one above");
            warn(format!("line {line}"), "each row once", found, "the repeated ones are dropped");
        }
        if let (times @ 1.., line) = clock.astray {
            let found = format!("{times} that the next one does not follow");
            warn(
                format!("line {line}"),
                "a timestamp near its neighbours'",
                found,
                "the timestamps are ignored",
            );
        }
        if let (times @ 1.., line) = clock.back {
            let found = format!("{times} leaps back");
            warn(
                format!("line {line}"),
                "timestamps that go on",
                found,
                "samples are taken to follow each other",
            );
        }
        if beyond > 0 {
            let found = format!("{beyond} more");
            warn(
                "markers".to_owned(),
                "no more than a file of this size may hold",
                found,
                "these are dropped",
            );
        }
    }
}
