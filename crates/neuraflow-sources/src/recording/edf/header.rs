//! The header of an EDF or BDF file: 256 bytes, and 256 more for each signal.
//!
//! Nothing is allocated by what the header claims before the file's real size allows it.

use std::io::Read;

use neuraflow_core::model::Timestamp;
use neuraflow_core::source::SourceError;

use super::start;
use crate::recording::calibration::Calibration;
use crate::recording::warning::malformed;
use crate::recording::{Warning, fields};

/// Bytes of the fixed part, and of each signal's part.
const PART: u64 = 256;

/// What an EDF or BDF header says, checked against the size of its file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EdfHeader {
    /// Bytes of one digital sample: 2 in EDF, 3 in BDF.
    pub sample_bytes: usize,
    /// Whether records may be apart in time (EDF+D, BDF+D).
    pub discontinuous: bool,
    /// The patient field.
    pub patient: String,
    /// The recording field.
    pub recording: String,
    /// The start by date and time fields, in whole seconds, taken as UTC.
    pub start: Timestamp,
    /// Seconds in a data record as an exact fraction `(numerator, denominator)`; zero where there are only
    /// annotations.
    pub record_seconds: (u64, u64),
    /// Whole data records in the file.
    pub records: u64,
    /// The signals, annotations included, in file order.
    pub signals: Vec<EdfSignal>,
    /// Bytes before the first data record.
    pub header_bytes: u64,
    /// Bytes of a data record.
    pub record_bytes: u64,
}

/// What the header says of one signal.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EdfSignal {
    /// Its label as written.
    pub label: String,
    /// The transducer field.
    pub transducer: String,
    /// The physical dimension as written.
    pub unit: String,
    /// The prefiltering field.
    pub prefiltering: String,
    /// Samples in a data record.
    pub samples: u32,
    /// From digital to physical values.
    pub calibration: Calibration,
    /// Whether the file's calibration of it could be used; if not, its values are digital counts.
    pub calibrated: bool,
    /// Whether its bytes are annotations (TALs), not samples.
    pub annotations: bool,
    /// Where its bytes begin within a data record.
    pub offset: u64,
}

/// Reads the header from the start of a file of `size` bytes.
pub(super) fn read(
    input: &mut impl Read,
    size: u64,
    target: &str,
    warnings: &mut Vec<Warning>,
) -> Result<EdfHeader, SourceError> {
    let bad = |field: &str, expected: &str, found: String| malformed(target, field, expected, found);
    if size < PART {
        return Err(bad("header", "at least 256 bytes", format!("{size} bytes")));
    }
    let mut fixed = vec![0; PART as usize];
    fill(input, &mut fixed, target)?;
    let bdf = fixed.starts_with(b"\xffBIOSEMI");
    if !bdf && fixed[0] != b'0' {
        return Err(bad("version", "0 (EDF) or 0xFF BIOSEMI (BDF)", fields::shown(&fixed[..8])));
    }
    let (reserved, claimed_records) = (&fixed[192..236], &fixed[236..244]);
    let (duration, count) = (&fixed[244..252], &fixed[252..256]);

    let signals = fields::integer(count)
        .and_then(|n| u64::try_from(n).ok())
        .filter(|&n| n > 0)
        .ok_or_else(|| bad("number of signals", "a whole number above 0", fields::shown(count)))?;
    let header_bytes = PART * (signals + 1);
    if header_bytes > size {
        let expected = format!("a header of {header_bytes} bytes for {signals} signals");
        return Err(bad("number of signals", &expected, format!("a file of {size} bytes")));
    }
    let record_seconds = fields::decimal(duration).ok_or_else(|| {
        bad("duration of a data record", "seconds as a decimal number (with a dot)", fields::shown(duration))
    })?;
    let mut columns = vec![0; (header_bytes - PART) as usize];
    fill(input, &mut columns, target)?;
    let sample_bytes = if bdf { 3 } else { 2 };
    let signals =
        Columns { bytes: &columns, signals: signals as usize, target }.signals(sample_bytes, warnings)?;
    let ordinary = signals.iter().filter(|signal| !signal.annotations).count();
    if record_seconds.0 == 0 && ordinary > 0 {
        let expected = format!("above 0 s, as the file has {ordinary} signals with samples");
        return Err(bad("duration of a data record", &expected, fields::shown(duration)));
    }

    let record_bytes: u64 = signals.iter().map(|s| u64::from(s.samples) * sample_bytes as u64).sum();
    let room = size - header_bytes;
    if record_bytes > room {
        let expected = format!("at least one of {record_bytes} bytes");
        return Err(bad("data records", &expected, format!("{room} bytes after the header")));
    }
    let plus = if bdf { b"BDF+" } else { b"EDF+" };
    let recording = fields::text(&fixed[88..168]);
    let header = EdfHeader {
        sample_bytes,
        discontinuous: reserved.starts_with(plus) && reserved[4] == b'D',
        patient: fields::text(&fixed[8..88]),
        start: start::start(&fixed[168..176], &fixed[176..184], &recording, warnings),
        recording,
        record_seconds,
        records: room / record_bytes,
        signals,
        header_bytes,
        record_bytes,
    };
    check_header_bytes(&fixed[184..192], claimed_records, &header, size, target, warnings)?;
    check_records(claimed_records, &header, size, warnings);
    Ok(header)
}

/// The header states its own length beside the number of signals. If they disagree, either could be wrong: the
/// length is ignored only where the file's size confirms the number of signals.
fn check_header_bytes(
    field: &[u8],
    claimed_records: &[u8],
    header: &EdfHeader,
    size: u64,
    target: &str,
    warnings: &mut Vec<Warning>,
) -> Result<(), SourceError> {
    let expected = format!("{} for {} signals", header.header_bytes, header.signals.len());
    if fields::integer(field) == i64::try_from(header.header_bytes).ok() {
        return Ok(());
    }
    let implied = fields::integer(claimed_records)
        .and_then(|records| u64::try_from(records).ok())
        .and_then(|records| records.checked_mul(header.record_bytes)?.checked_add(header.header_bytes));
    if implied != Some(size) {
        return Err(malformed(target, "number of header bytes", expected, fields::shown(field)));
    }
    let action = "the field is ignored: the file's size confirms the number of signals";
    warnings.push(Warning::new("number of header bytes", expected, fields::shown(field), action));
    Ok(())
}

/// The number of records is what the file holds; the header may not know (−1) or be wrong.
fn check_records(claimed: &[u8], header: &EdfHeader, size: u64, warnings: &mut Vec<Warning>) {
    let (whole, rest) = (header.records, (size - header.header_bytes) % header.record_bytes);
    if fields::integer(claimed) != i64::try_from(whole).ok() {
        let (expected, found) = (format!("{whole}, as many as the file holds"), fields::shown(claimed));
        let lost =
            fields::integer(claimed).and_then(|n| u64::try_from(n).ok()).and_then(|n| n.checked_sub(whole));
        let action = match lost {
            Some(lost) if lost > 0 => {
                format!("{whole} records are read; {lost} that the header promises are missing")
            }
            _ => format!("the header's number is ignored and {whole} records are read"),
        };
        warnings.push(Warning::new("number of data records", expected, found, action));
    }
    if rest > 0 {
        let expected = format!("whole records of {} bytes", header.record_bytes);
        let found = format!("{rest} bytes after record {}", whole - 1);
        let action = format!("these {rest} bytes are dropped, and annotations in them");
        warnings.push(Warning::new("end of file", expected, found, action));
    }
}

/// The signal headers: one column of fields after another.
struct Columns<'a> {
    bytes: &'a [u8],
    signals: usize,
    target: &'a str,
}

impl Columns<'_> {
    /// Widths of the ten columns: label, transducer, unit, physical minimum and maximum, digital minimum and
    /// maximum, prefiltering, samples in a record, reserved.
    const WIDTHS: [usize; 10] = [16, 80, 8, 8, 8, 8, 8, 80, 8, 32];

    fn field(&self, column: usize, signal: usize) -> &[u8] {
        let before: usize = Self::WIDTHS[..column].iter().sum();
        let start = before * self.signals + Self::WIDTHS[column] * signal;
        self.bytes.get(start..start + Self::WIDTHS[column]).unwrap_or_default()
    }

    fn signals(
        &self,
        sample_bytes: usize,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<EdfSignal>, SourceError> {
        let mut signals = Vec::with_capacity(self.signals);
        let mut offset = 0;
        for index in 0..self.signals {
            let signal = self.signal(index, offset, warnings)?;
            offset += u64::from(signal.samples) * sample_bytes as u64;
            signals.push(signal);
        }
        Ok(signals)
    }

    fn signal(
        &self,
        index: usize,
        offset: u64,
        warnings: &mut Vec<Warning>,
    ) -> Result<EdfSignal, SourceError> {
        let label = fields::text(self.field(0, index));
        let name = |what: &str| format!("signal {index} {label:?}: {what}");
        let bad = |what: &str, expected: &str, column: usize| {
            malformed(self.target, name(what), expected, fields::shown(self.field(column, index)))
        };
        let samples = fields::integer(self.field(8, index))
            .and_then(|n| u32::try_from(n).ok())
            .filter(|&n| n > 0)
            .ok_or_else(|| bad("samples in a record", "a whole number above 0", 8))?;
        let unit = fields::text(self.field(2, index));
        let annotations = matches!(label.trim(), "EDF Annotations" | "BDF Annotations");
        let calibration = if annotations {
            Some(Calibration::counts()) // bytes of text: its ranges mean nothing
        } else {
            let real = |what, column| {
                fields::real(self.field(column, index))
                    .ok_or_else(|| bad(what, "a number with a decimal dot", column))
            };
            let integer = |what, column| {
                fields::integer(self.field(column, index)).ok_or_else(|| bad(what, "a whole number", column))
            };
            let physical = (real("physical minimum", 3)?, real("physical maximum", 4)?);
            let digital = (integer("digital minimum", 5)?, integer("digital maximum", 6)?);
            let calibration = Calibration::new(digital, physical, &unit);
            if calibration.is_none() {
                warnings.push(Warning::new(
                    name("calibration"),
                    "digital minimum below maximum, and different physical limits",
                    format!("digital {}..{}, physical {}..{}", digital.0, digital.1, physical.0, physical.1),
                    "the calibration is dropped: the channel carries digital counts and is no EEG channel",
                ));
            }
            calibration
        };
        Ok(EdfSignal {
            transducer: fields::text(self.field(1, index)),
            prefiltering: fields::text(self.field(7, index)),
            calibrated: calibration.is_some(),
            calibration: calibration.unwrap_or_else(Calibration::counts),
            label,
            unit,
            samples,
            annotations,
            offset,
        })
    }
}

fn fill(input: &mut impl Read, buffer: &mut [u8], target: &str) -> Result<(), SourceError> {
    input.read_exact(buffer).map_err(|source| SourceError::Io {
        action: "read",
        target: target.to_owned(),
        source,
    })
}
