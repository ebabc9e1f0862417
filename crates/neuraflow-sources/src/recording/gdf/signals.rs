//! What the header says of each signal: one column of fields after another.

use neuraflow_core::source::SourceError;

use super::sample::SampleType;
use crate::recording::calibration::Calibration;
use crate::recording::warning::malformed;
use crate::recording::{Warning, fields};

/// What the header says of one signal.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GdfSignal {
    /// Its label as written.
    pub label: String,
    /// The transducer field.
    pub transducer: String,
    /// The physical dimension: as written, or by version 2's code for it.
    pub unit: String,
    /// The prefiltering field.
    pub prefiltering: String,
    /// Samples in a data record; 0 in a signal without any.
    pub samples: u32,
    /// How its samples are stored.
    pub stored: SampleType,
    /// From stored to physical values.
    pub calibration: Calibration,
    /// Whether the file's calibration of it could be used; if not, its values are as they are stored.
    pub calibrated: bool,
    /// Where its bytes begin within a data record.
    pub offset: u64,
}

impl GdfSignal {
    /// Bytes that it has in a data record.
    pub(super) fn record_bytes(&self) -> u64 {
        u64::from(self.samples) * self.stored.bytes() as u64
    }
}

/// The signal headers of either version.
pub(super) struct Columns<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) signals: usize,
    /// Whether in the layout of version 2.
    pub(super) second: bool,
    pub(super) target: &'a str,
}

/// Where a column begins within a signal's 256 bytes, were there one signal, and its width.
type Column = (usize, usize);

const LABEL: Column = (0, 16);
const TRANSDUCER: Column = (16, 80);
const DIMENSION: Column = (96, 8);
/// In version 2 the last two bytes of the physical dimension.
const DIMENSION_CODE: Column = (102, 2);
const PHYSICAL: [Column; 2] = [(104, 8), (112, 8)];
const DIGITAL: [Column; 2] = [(120, 8), (128, 8)];
/// In version 2 at least these of its bytes are text.
const PREFILTERING: [Column; 2] = [(136, 80), (136, 64)];
const SAMPLES: Column = (216, 4);
const TYPE: Column = (220, 4);

impl Columns<'_> {
    /// A signal's bytes in a column. `within` is the column that it is part of: columns follow each other whole.
    fn field(&self, (start, width): Column, within: Column, signal: usize) -> &[u8] {
        let at = within.0 * self.signals + within.1 * signal + (start - within.0);
        self.bytes.get(at..at + width).unwrap_or_default()
    }

    fn own(&self, column: Column, signal: usize) -> &[u8] {
        self.field(column, column, signal)
    }

    fn number<const N: usize>(&self, column: Column, signal: usize) -> [u8; N] {
        self.own(column, signal).first_chunk().copied().unwrap_or([0; N])
    }

    /// All signals, in file order.
    pub(super) fn signals(&self, warnings: &mut Vec<Warning>) -> Result<Vec<GdfSignal>, SourceError> {
        let mut signals = Vec::with_capacity(self.signals);
        let mut offset = 0;
        for index in 0..self.signals {
            let signal = self.signal(index, offset, warnings)?;
            offset += signal.record_bytes();
            signals.push(signal);
        }
        Ok(signals)
    }

    fn signal(
        &self,
        index: usize,
        offset: u64,
        warnings: &mut Vec<Warning>,
    ) -> Result<GdfSignal, SourceError> {
        let label = fields::text(self.own(LABEL, index));
        let name = |what: &str| format!("signal {index} {label:?}: {what}");
        let code = u32::from_le_bytes(self.number(TYPE, index));
        let stored = SampleType::of_code(code).ok_or_else(|| {
            let expected = "the code of an integer of 8, 16, 24, 32 or 64 bits, or of a float of 32 or 64";
            malformed(self.target, name("sample type"), expected, code.to_string())
        })?;
        let samples = u32::from_le_bytes(self.number(SAMPLES, index));
        let limit = |column| f64::from_le_bytes(self.number(column, index));
        let physical = PHYSICAL.map(limit);
        let digital = match self.second {
            true => DIGITAL.map(limit),
            false => DIGITAL.map(|column| i64::from_le_bytes(self.number(column, index)) as f64),
        };
        let unit = self.unit(index);
        let calibration = Calibration::through((digital[0], digital[1]), (physical[0], physical[1]), &unit);
        if calibration.is_none() {
            warnings.push(Warning::new(
                name("calibration"),
                "digital minimum below maximum, and different physical limits",
                format!("digital {}..{}, physical {}..{}", digital[0], digital[1], physical[0], physical[1]),
                "the calibration is dropped: the channel carries stored numbers and is no EEG channel",
            ));
        }
        Ok(GdfSignal {
            transducer: fields::text(self.own(TRANSDUCER, index)),
            prefiltering: fields::text(self.field(
                PREFILTERING[usize::from(self.second)],
                if self.second { (136, 68) } else { PREFILTERING[0] },
                index,
            )),
            calibrated: calibration.is_some(),
            calibration: calibration.unwrap_or_else(Calibration::counts),
            label,
            unit,
            samples,
            stored,
            offset,
        })
    }

    fn unit(&self, signal: usize) -> String {
        if !self.second {
            return fields::text(self.own(DIMENSION, signal));
        }
        let text = fields::text(self.own((96, 6), signal));
        let code: [u8; 2] = self.number(DIMENSION_CODE, signal);
        let code = u16::from_le_bytes(code);
        match (of_code(code), text.is_empty()) {
            (Some(unit), _) => unit.to_owned(),
            (None, true) if code != 0 => format!("dimension code {code}"),
            (None, _) => text,
        }
    }
}

/// Volts and their parts by the codes of ISO/IEEE 11073-10101, and what has no dimension.
fn of_code(code: u16) -> Option<&'static str> {
    match code {
        4256 => Some("V"),
        4274 => Some("mV"),
        4275 => Some("uV"),
        4276 => Some("nV"),
        544 => Some("%"),
        _ => None,
    }
}
