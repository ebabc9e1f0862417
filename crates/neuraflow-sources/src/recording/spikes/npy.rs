//! The header of a `.npy` file, versions 1 to 3: where an event's time and unit lie.
//!
//! Source: *The NPY format*, NumPy's reference documentation, `numpy.lib.format`.

use std::fs::File;
use std::io::{BufReader, Read};

use neuraflow_core::source::SourceError;

use crate::recording::warning::{malformed, unreadable};

/// No list of a few fields has a longer header, whatever its length says.
const LONGEST: usize = 4_096;
/// Bytes of an event, at most.
const WIDEST: usize = 256;

/// A number's type: its letter and its bytes, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Type {
    letter: u8,
    bytes: usize,
}

/// Where things lie.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Bytes ahead of the first event.
    pub(super) header: u64,
    /// Bytes of an event.
    pub(super) stride: usize,
    /// Events by the header.
    pub(super) events: u64,
    time: usize,
    unit: (usize, Type),
}

impl Layout {
    /// An event's time in seconds.
    pub(super) fn time(&self, record: &[u8]) -> f64 {
        let bytes = record.get(self.time..).and_then(|rest| rest.first_chunk::<8>());
        bytes.map_or(f64::NAN, |bytes| f64::from_le_bytes(*bytes))
    }

    /// An event's unit; none where it is below 0.
    pub(super) fn unit(&self, record: &[u8]) -> Option<u64> {
        let (at, Type { letter, bytes }) = self.unit;
        let stored = record.get(at..at + bytes)?;
        let negative = letter == b'i' && stored.last().is_some_and(|byte| *byte >= 0x80);
        (!negative).then(|| stored.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

/// Reads the header; the file then stands at the first event.
pub(super) fn read(file: &mut BufReader<File>, target: &str) -> Result<Layout, SourceError> {
    let failed = |error| unreadable(target, "header".to_owned(), error);
    let mut start = [0; 8];
    file.read_exact(&mut start).map_err(failed)?;
    let version = start[6];
    let (prefix, length) = match version {
        1 => {
            let mut bytes = [0; 2];
            file.read_exact(&mut bytes).map_err(failed)?;
            (10, usize::from(u16::from_le_bytes(bytes)))
        }
        2 | 3 => {
            let mut bytes = [0; 4];
            file.read_exact(&mut bytes).map_err(failed)?;
            (12, u32::from_le_bytes(bytes) as usize)
        }
        _ => return Err(malformed(target, "version of the .npy format", "1, 2 or 3", version.to_string())),
    };
    if length > LONGEST {
        let expected = format!("at most {LONGEST} bytes");
        return Err(malformed(target, "length of the header", expected, length.to_string()));
    }
    let mut text = vec![0; length];
    file.read_exact(&mut text).map_err(failed)?;
    let text = String::from_utf8_lossy(&text);
    parse(&text, (prefix + length) as u64).map_err(|(field, expected)| {
        let found: String = text.trim_end().chars().take(160).collect();
        malformed(target, field, expected, found)
    })
}

/// The layout that the header's dictionary tells of, or which part of it is not as expected.
fn parse(text: &str, header: u64) -> Result<Layout, (&'static str, &'static str)> {
    let value = |key: &str| {
        let (_, rest) = text.split_once(key)?;
        rest.trim_start().strip_prefix(':').map(str::trim_start)
    };
    let order = value("'fortran_order'").filter(|rest| rest.starts_with("False") || rest.starts_with("True"));
    order.ok_or(("header", "a dictionary with 'fortran_order'"))?;
    let shape = value("'shape'").and_then(|rest| rest.strip_prefix('(')?.split_once(')'));
    let (shape, _) = shape.ok_or(("header", "a dictionary with 'shape'"))?;
    let dimensions: Vec<&str> = shape.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    const ONE: (&str, &str) = ("shape", "one dimension: a list of spikes");
    let [events] = dimensions[..] else { return Err(ONE) };
    let events = events.parse().map_err(|_| ONE)?;
    const FIELDS: (&str, &str) = (
        "dtype",
        "a list of spikes with fields time ('<f8', seconds) and unit (an integer), such as [('time', '<f8'), ('unit', '<u2')]",
    );
    let described = value("'descr'").and_then(|rest| rest.strip_prefix('[')?.split_once(']'));
    let (described, _) = described.ok_or(FIELDS)?;
    let (mut stride, mut time, mut unit) = (0, None, None);
    for field in described.split('(').skip(1) {
        let (field, _) = field.split_once(')').ok_or(FIELDS)?;
        let parts: Vec<&str> = field.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        let [name, kind] = parts[..] else { return Err(FIELDS) };
        let bare = |text: &str| text.trim_matches(['\'', '"']).to_owned();
        let kind =
            number_type(&bare(kind)).ok_or(("dtype", "fields of little-endian numbers of up to 8 bytes"))?;
        match bare(name).as_str() {
            "time" if kind == (Type { letter: b'f', bytes: 8 }) => time = Some(stride),
            "unit" if kind.letter == b'u' || kind.letter == b'i' => unit = Some((stride, kind)),
            "time" | "unit" => return Err(FIELDS),
            _ => {}
        }
        stride += kind.bytes;
    }
    if stride > WIDEST {
        return Err(("dtype", "at most 256 bytes for each spike"));
    }
    let (time, unit) = time.zip(unit).ok_or(FIELDS)?;
    Ok(Layout { header, stride, events, time, unit })
}

/// `<f8`, `|u1` and the like.
fn number_type(text: &str) -> Option<Type> {
    let (order, rest) = text.split_at_checked(1)?;
    let (letter, bytes) = rest.split_at_checked(1)?;
    let bytes = bytes.parse().ok().filter(|bytes| [1, 2, 4, 8].contains(bytes))?;
    let known = order == "<" || order == "|" && bytes == 1;
    let letter = letter.bytes().next().filter(|letter| b"fiub".contains(letter))?;
    known.then_some(Type { letter, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_wherever_they_lie() {
        let text = "{'descr': [('unit', '|u1'), ('width', '<f4'), ('time', '<f8')], 'fortran_order': False, 'shape': (7,), }";
        let layout = parse(text, 128).unwrap();
        assert_eq!((layout.stride, layout.events, layout.time, layout.unit.0), (13, 7, 5, 0));
        let record = [[200, 0, 0, 0, 0].as_slice(), &1.5_f64.to_le_bytes()].concat();
        assert_eq!((layout.time(&record), layout.unit(&record)), (1.5, Some(200)));
        let negative = text.replace("'|u1'", "'<i4'");
        let layout = parse(&negative, 128).unwrap();
        assert_eq!(layout.unit(&[&(-1_i32).to_le_bytes()[..], &[0; 12]].concat()), None);
    }

    #[test]
    fn what_is_no_list_of_spikes_says_what_it_should_be() {
        let good = "{'descr': [('time', '<f8'), ('unit', '<u2')], 'fortran_order': False, 'shape': (7,), }";
        assert!(parse(good, 0).is_ok());
        for (old, new, field) in [
            ("[('time', '<f8'), ('unit', '<u2')]", "'<f8'", "dtype"),
            ("'<f8'", "'<f4'", "dtype"),
            ("'<u2'", "'<f8'", "dtype"),
            ("'<u2'", "'>u2'", "dtype"),
            ("('unit', '<u2')", "('id', '<u2')", "dtype"),
            ("('unit', '<u2')", "('unit', '<u2', (2,))", "dtype"),
            ("(7,)", "(7, 2)", "shape"),
            ("(7,)", "()", "shape"),
            ("'shape'", "'form'", "header"),
        ] {
            assert_eq!(parse(&good.replace(old, new), 0).unwrap_err().0, field, "{new}");
        }
    }
}
