//! The columns of the table, and its rows.

use std::io;

use super::lines::Lines;
use crate::recording::fields;

/// The columns: timestamps first, then in any order signals and markers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// Behind the timestamps: the signal's name, or `None` for a column of markers.
    columns: Vec<Option<String>>,
}

impl Columns {
    /// By the first line, if it names columns.
    pub(super) fn of(line: &str) -> Option<Self> {
        let mut names = line.trim_start_matches('\u{feff}').split(',').map(str::trim);
        names.next().filter(|name| name.eq_ignore_ascii_case("timestamps"))?;
        let marker = |name: &str| name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("marker"));
        let columns = names.map(|name| (!marker(name)).then(|| name.to_owned())).collect();
        Some(Self { columns })
    }

    /// The names of the signals.
    pub(super) fn signals(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().flatten().map(String::as_str)
    }

    /// Fields that a row has.
    pub(super) fn fields(&self) -> usize {
        self.columns.len() + 1
    }

    /// A row's time and markers; its values go into `values`. An error says what was expected and found.
    fn row(&self, line: &str, values: &mut Vec<f32>) -> Result<Row, (String, String)> {
        let found = line.split(',').count();
        if found != self.fields() {
            return Err((format!("{} fields", self.fields()), found.to_string()));
        }
        let mut fields = line.split(',').map(str::trim);
        let time = fields.next().unwrap_or_default();
        let time = fields::nanos(time.as_bytes())
            .ok_or_else(|| ("seconds as a decimal number".to_owned(), format!("{time:?}")))?;
        values.clear();
        let mut markers = Vec::new();
        for (column, field) in self.columns.iter().zip(fields) {
            match column {
                Some(name) => values.push(
                    value(field).ok_or_else(|| (format!("a number for {name}"), format!("{field:?}")))?,
                ),
                None => markers.extend(label(field)),
            }
        }
        Ok(Row { time, markers })
    }
}

/// A value in µV; `nan` and what no signal reaches are missing values.
fn value(field: &str) -> Option<f32> {
    let value: f64 = field.parse().ok()?;
    Some(if value.abs() <= 1e30 { value as f32 } else { f32::NAN })
}

/// A marker's label: whole numbers without a point; none where there is 0 or nothing.
fn label(field: &str) -> Option<String> {
    match field.parse::<f64>() {
        Ok(code) if code == 0.0 || code.is_nan() => None,
        Ok(code) if code == code.trunc() && code.abs() < 1e15 => Some(format!("{code:.0}")),
        _ => (!field.is_empty()).then(|| field.to_owned()),
    }
}

/// What a row says beside its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Nanoseconds since the epoch of the recorder's clock.
    pub(super) time: i64,
    pub(super) markers: Vec<String>,
}

/// A line that stands for a sample, readable or not.
#[derive(Debug)]
pub(super) struct Slot {
    /// Its number in the file, from 1.
    pub(super) line: u64,
    /// The row, or what was expected and found.
    pub(super) row: Result<Row, (String, String)>,
}

/// The lines below the first one, each in place of a sample: also a line that cannot be read, for a row was there. Lines that
/// repeat the one above them, and empty ones at the end, are none.
#[derive(Debug)]
pub(super) struct Slots {
    lines: Lines,
    columns: Columns,
    above: String,
    /// Empty lines to be given, and whether the line behind them was read.
    empty: u64,
    held: bool,
    /// How many repeated the line above, and the first of them.
    pub(super) repeated: (u64, u64),
}

impl Slots {
    pub(super) fn new(lines: Lines, columns: Columns) -> Self {
        Self { lines, columns, above: String::new(), empty: 0, held: false, repeated: (0, 0) }
    }

    /// Back to the line below the first one.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        self.lines.rewind()?;
        self.lines.advance()?;
        (self.empty, self.held, self.repeated) = (0, false, (0, 0));
        self.above.clear();
        Ok(())
    }

    /// The next one; the values of its row are put into `values`.
    pub(super) fn next(&mut self, values: &mut Vec<f32>) -> io::Result<Option<Slot>> {
        while !self.held {
            if !self.lines.advance()? {
                return Ok(None);
            }
            match self.lines.text() {
                Some(text) if text.trim().is_empty() => self.empty += 1,
                Some(text) if text == self.above => {
                    let first = if self.repeated.0 == 0 { self.lines.number } else { self.repeated.1 };
                    self.repeated = (self.repeated.0 + 1, first);
                }
                _ => self.held = true,
            }
        }
        let fault = |found: &str| Err((format!("{} fields", self.columns.fields()), found.to_owned()));
        if self.empty > 0 {
            let line = self.lines.number - self.empty;
            self.empty -= 1;
            return Ok(Some(Slot { line, row: fault("an empty line") }));
        }
        self.held = false;
        let row = match self.lines.text() {
            Some(text) => {
                self.above.clear();
                self.above.push_str(text);
                self.columns.row(text, values)
            }
            None => fault("what is no line of text"),
        };
        Ok(Some(Slot { line: self.lines.number, row }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_rows_are_read_as_they_stand() {
        let columns = Columns::of("timestamps,TP9,Right AUX,Marker0").unwrap();
        assert_eq!(columns.signals().collect::<Vec<_>>(), ["TP9", "Right AUX"]);
        let mut values = Vec::new();
        let row = columns.row("213542.918, 10.742,nan,2.0", &mut values).unwrap();
        assert_eq!((row.time, row.markers), (213_542_918_000_000, vec!["2".to_owned()]));
        assert!(values[0] == 10.742 && values[1].is_nan());
        let mut said = |line| columns.row(line, &mut values).unwrap_err();
        assert_eq!(said("1,2,3"), ("4 fields".to_owned(), "3".to_owned()));
        assert_eq!(said("1,x,3,0"), ("a number for TP9".to_owned(), "\"x\"".to_owned()));
        assert_eq!(said("x,2,3,0").1, "\"x\"");
        assert_eq!(Columns::of("time,TP9"), None);
        assert_eq!(["0", "", "nan", "0.0"].map(label), [const { None }; 4]);
        assert_eq!(["1", "-3", "1.5", "go"].map(label), ["1", "-3", "1.5", "go"].map(|l| Some(l.to_owned())));
    }
}
