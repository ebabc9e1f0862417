//! The event table behind the data records.

use neuraflow_core::model::{Marker, SamplingRate, Span};
use neuraflow_core::source::SourceError;

use super::header::GdfHeader;
use crate::recording::Warning;
use crate::recording::positioned::Positioned;
use crate::recording::warning::unreadable;

/// What may be held of events beside twice the file's size, and how much of it a marker takes.
const MEMORY: u64 = 8 << 20;
const MARKER_BYTES: u64 = 96;

/// Where the table's columns are, by its first 8 bytes.
struct Layout {
    events: u64,
    /// Positions per second; none where the table leaves it to the signals.
    rate: Option<SamplingRate>,
    /// Whether channels and durations follow positions and types.
    durations: bool,
    event_bytes: u64,
}

impl Layout {
    /// `None` where it is no mode of the format.
    fn of(head: [u8; 8], version: u32) -> Option<Self> {
        let [mode, a, b, c, rest @ ..] = head;
        let short = u32::from_le_bytes([a, b, c, 0]);
        let long = u32::from_le_bytes(rest);
        let (events, rate) = match version < 194 {
            true => (long, SamplingRate::hz(u64::from(short)).ok()),
            false => (short, SamplingRate::from_hz(f64::from(f32::from_le_bytes(rest))).ok()),
        };
        // The lowest bit is always set; the next two say what there is beside positions and types.
        let known = matches!(mode, 1 | 3 | 5 | 7);
        let (durations, stamps) = (mode & 2 != 0, mode & 4 != 0);
        let event_bytes = 6 + if durations { 6 } else { 0 } + if stamps { 8 } else { 0 };
        known.then_some(Self { events: u64::from(events), rate, durations, event_bytes })
    }
}

/// Reads the events as markers in order of time, in memory of at most 8 MiB + 3 × the file's size.
///
/// A marker's label is its type as a number. Positions are counted from 1, in samples; an event without a duration covers
/// the sample that it is at.
pub(super) fn read(
    file: &mut Positioned,
    header: &GdfHeader,
    rate: Option<SamplingRate>,
    size: u64,
    target: &str,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Marker>, SourceError> {
    let start = header.data_end();
    let room = size - start;
    if !header.whole || room == 0 {
        return Ok(Vec::new()); // said already, or a file without events
    }
    let mut dropped = |expected: String, found: String| {
        warnings.push(Warning::new("event table", expected, found, "its events are dropped"));
        Ok(Vec::new())
    };
    let failed = |error| unreadable(target, "event table".to_owned(), error);
    let mut head = [0; 8];
    if room < 8 {
        return dropped("at least 8 bytes".to_owned(), format!("{room} bytes"));
    }
    file.read(start, &mut head).map_err(failed)?;
    let Some(layout) = Layout::of(head, header.version) else {
        return dropped("mode 1, 3, 5 or 7".to_owned(), format!("mode {}", head[0]));
    };
    let needed = 8 + layout.events * layout.event_bytes;
    if needed > room {
        return dropped(format!("{needed} bytes for {} events", layout.events), format!("{room} bytes"));
    }
    let Some(rate) = layout.rate.or(rate) else {
        return dropped("a sampling rate for its positions".to_owned(), "none, and no signals".to_owned());
    };
    let mut columns = vec![0; (needed - 8) as usize];
    file.read(start + 8, &mut columns).map_err(failed)?;
    let mut markers = Markers { rate, header, markers: Vec::new(), outside: 0 };
    let kept = layout.events.min((MEMORY + 2 * size) / MARKER_BYTES);
    markers.take(&columns, &layout, kept as usize);
    let Markers { mut markers, outside, .. } = markers;
    markers.sort_by_key(|marker| marker.time);
    let mut lost = |count: u64, expected: String, found: String| {
        if count > 0 {
            warnings.push(Warning::new("event table", expected, found, "these are dropped"));
        }
    };
    lost(outside, "positions from 1".to_owned(), format!("{outside} at 0"));
    let beyond = layout.events - kept;
    lost(beyond, format!("at most {kept} events in a file of this size"), format!("{beyond} more"));
    let rest = room - needed;
    lost(rest, "the end of the file behind the event table".to_owned(), format!("{rest} bytes more"));
    Ok(markers)
}

struct Markers<'a> {
    rate: SamplingRate,
    header: &'a GdfHeader,
    markers: Vec<Marker>,
    /// Events before the first sample.
    outside: u64,
}

impl Markers<'_> {
    fn take(&mut self, columns: &[u8], layout: &Layout, kept: usize) {
        let events = layout.events as usize;
        let (positions, rest) = columns.split_at(4 * events);
        let (types, rest) = rest.split_at(2 * events);
        let lengths = if layout.durations { rest.get(2 * events..).unwrap_or_default() } else { &[] };
        let long = |bytes: &[u8], event: usize| {
            bytes.get(4 * event..).and_then(|rest| rest.first_chunk()).copied().map(u32::from_le_bytes)
        };
        self.markers.reserve_exact(kept);
        for (event, kind) in types.chunks_exact(2).take(kept).enumerate() {
            let label = u16::from_le_bytes([kind[0], kind[1]]).to_string();
            let Some(sample) = long(positions, event).and_then(|position| position.checked_sub(1)) else {
                self.outside += 1;
                continue;
            };
            let samples = long(lengths, event).unwrap_or(1);
            let time = self.header.start + self.rate.offset(u64::from(sample));
            let duration: Span = self.rate.offset(u64::from(samples));
            self.markers.push(Marker { time, duration, label });
        }
    }
}
