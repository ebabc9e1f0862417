//! The header of a GDF file: 256 bytes, and 256 more for each signal; in version 2 more may follow.
//!
//! Nothing is allocated by what the header claims before the file's real size allows it.

use std::io::Read;

use neuraflow_core::model::Timestamp;
use neuraflow_core::source::SourceError;

use super::signals::{Columns, GdfSignal};
use super::start;
use crate::recording::warning::{malformed, unreadable};
use crate::recording::{Warning, fields};

/// Bytes of the fixed part, and of each signal's part.
pub(super) const PART: u64 = 256;

/// What a GDF header says, checked against the size of its file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GdfHeader {
    /// The version in hundredths: 125 is 1.25. From 190 on the header has the layout of version 2.
    pub version: u32,
    /// The patient field.
    pub patient: String,
    /// The recording field.
    pub recording: String,
    /// The start, taken as UTC; the Unix epoch where the header has none.
    pub start: Timestamp,
    /// Seconds in a data record as an exact fraction `(numerator, denominator)`.
    pub record_seconds: (u64, u64),
    /// Whole data records in the file.
    pub records: u64,
    /// The signals, in file order.
    pub signals: Vec<GdfSignal>,
    /// Bytes before the first data record.
    pub header_bytes: u64,
    /// Bytes of a data record; 0 in a file of events alone.
    pub record_bytes: u64,
    /// Whether the file goes on to where its event table should be.
    pub(super) whole: bool,
}

impl GdfHeader {
    /// Where the event table begins.
    pub(super) fn data_end(&self) -> u64 {
        self.header_bytes + self.records * self.record_bytes
    }
}

/// Reads the header from the start of a file of `size` bytes.
pub(super) fn read(
    input: &mut impl Read,
    size: u64,
    target: &str,
    warnings: &mut Vec<Warning>,
) -> Result<GdfHeader, SourceError> {
    let bad = |field: &str, expected: &str, found: String| malformed(target, field, expected, found);
    if size < PART {
        return Err(bad("header", "at least 256 bytes", format!("{size} bytes")));
    }
    let mut fixed = [0; PART as usize];
    input.read_exact(&mut fixed).map_err(|error| unreadable(target, "header".to_owned(), error))?;
    let version =
        version(&fixed).ok_or_else(|| bad("version", "GDF 1.00 to 2.99", fields::shown(&fixed[..8])))?;
    let second = version >= 190;
    let (claimed, signals) = match second {
        true => (
            PART * u64::from(u16::from_le_bytes(bytes(&fixed, 184))),
            u64::from(u16::from_le_bytes(bytes(&fixed, 252))),
        ),
        false => (u64::from_le_bytes(bytes(&fixed, 184)), u64::from(u32::from_le_bytes(bytes(&fixed, 252)))),
    };
    let least = PART * (signals + 1);
    if least > size {
        let expected = format!("a header of {least} bytes for {signals} signals");
        return Err(bad("number of signals", &expected, format!("a file of {size} bytes")));
    }
    if claimed < least || claimed > size {
        let expected = format!("{least} for {signals} signals, or more within the file's {size}");
        return Err(bad("number of header bytes", &expected, claimed.to_string()));
    }
    let mut columns = vec![0; (least - PART) as usize];
    input.read_exact(&mut columns).map_err(|error| unreadable(target, "signal headers".to_owned(), error))?;
    let columns = Columns { bytes: &columns, signals: signals as usize, second, target };
    let signals = columns.signals(warnings)?;
    let record_bytes = signals.iter().map(|signal| signal.record_bytes()).sum();
    let duration = (
        u64::from(u32::from_le_bytes(bytes(&fixed, 244))),
        u64::from(u32::from_le_bytes(bytes(&fixed, 248))),
    );
    if record_bytes > 0 && (duration.0 == 0 || duration.1 == 0) {
        let expected = "seconds above 0 as numerator and denominator";
        return Err(bad("duration of a data record", expected, format!("{}/{}", duration.0, duration.1)));
    }
    let start = match second {
        true => start::by_days(u64::from_le_bytes(bytes(&fixed, 168)), warnings),
        false => start::by_text(&fixed[168..184], warnings),
    };
    let mut header = GdfHeader {
        version,
        patient: fields::text(&fixed[8..if second { 74 } else { 88 }]),
        recording: fields::text(&fixed[88..if second { 152 } else { 168 }]),
        start,
        record_seconds: duration,
        records: 0,
        signals,
        header_bytes: claimed,
        record_bytes,
        whole: true,
    };
    count_records(&mut header, i64::from_le_bytes(bytes(&fixed, 236)), size, target, warnings)?;
    Ok(header)
}

/// `GDF 1.25` as 125.
fn version(fixed: &[u8]) -> Option<u32> {
    let number = fixed.strip_prefix(b"GDF ")?.get(..4)?;
    match number {
        [major @ (b'1' | b'2'), b'.', tenths, hundredths]
            if tenths.is_ascii_digit() && hundredths.is_ascii_digit() =>
        {
            let digit = |byte: &u8| u32::from(byte - b'0');
            Some(100 * digit(major) + 10 * digit(tenths) + digit(hundredths))
        }
        _ => None,
    }
}

/// As many records as the header says, if the file holds them; it may not know (−1), as after a crash of the recorder.
fn count_records(
    header: &mut GdfHeader,
    claimed: i64,
    size: u64,
    target: &str,
    warnings: &mut Vec<Warning>,
) -> Result<(), SourceError> {
    let room = size - header.header_bytes;
    let Some(held) = room.checked_div(header.record_bytes) else {
        return Ok(()); // no signals: a file of events alone
    };
    let claim = u64::try_from(claimed).ok();
    header.records = claim.map_or(held, |claim| claim.min(held));
    header.whole = claim == Some(header.records);
    if header.records == 0 {
        let expected = format!("at least one of {} bytes", header.record_bytes);
        let found = format!("{claimed} by the header, {room} bytes after it");
        return Err(malformed(target, "data records", expected, found));
    }
    if !header.whole {
        let action = match claim {
            Some(claim) => {
                let missing = claim - header.records;
                format!(
                    "{held} records are read; {missing} that the header promises are missing, and the event table"
                )
            }
            None => format!("{held} records are read, and no event table"),
        };
        let expected = format!("{held}, as many as the file holds");
        warnings.push(Warning::new("number of data records", expected, claimed.to_string(), action));
    }
    Ok(())
}

/// `N` bytes of the fixed part.
fn bytes<const N: usize>(fixed: &[u8; PART as usize], at: usize) -> [u8; N] {
    fixed.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}
