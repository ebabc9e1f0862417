//! What can be written as rows of a table.

use neuraflow_core::model::{Features, StreamHeader, Timestamp, Window, WindowInfo};
use neuraflow_core::operator::Item;

/// An item that can be written as rows of a CSV file.
pub trait CsvItem: Item {
    /// What the file's name calls it: `features`, `windows`.
    const KIND: &'static str;

    /// Whose it is.
    fn stream(&self) -> &StreamHeader;

    /// The header row. A file holds rows of one header only.
    fn header(&self, row: &mut Row<'_>);

    /// Writes its rows, each ended with [`Row::end`].
    fn rows(&self, row: &mut Row<'_>);
}

/// Writes fields as RFC 4180 says: a field with a comma, a quote or a line break is quoted.
#[derive(Debug)]
pub struct Row<'a> {
    bytes: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Row<'a> {
    pub(super) fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self { bytes, first: true }
    }

    /// A text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.separate();
        if text.contains([',', '"', '\n', '\r']) || text.starts_with(' ') || text.ends_with(' ') {
            self.bytes.push(b'"');
            self.bytes.extend_from_slice(text.replace('"', "\"\"").as_bytes());
            self.bytes.push(b'"');
        } else {
            self.bytes.extend_from_slice(text.as_bytes());
        }
        self
    }

    /// A number in the fewest digits that give the same `f64`; `NaN`, `inf` and `-inf` as they are.
    pub fn number(&mut self, number: f64) -> &mut Self {
        self.text(&format!("{number:?}"))
    }

    /// A sample's value, in the fewest digits that give the same `f32`.
    pub fn value(&mut self, value: f32) -> &mut Self {
        self.text(&format!("{value:?}"))
    }

    /// A count.
    pub fn count(&mut self, count: u64) -> &mut Self {
        self.text(&count.to_string())
    }

    /// An instant in seconds since the Unix epoch, to the nanosecond.
    pub fn time(&mut self, time: Timestamp) -> &mut Self {
        let nanos = time.as_nanos();
        let (size, sign) = (nanos.unsigned_abs(), if nanos < 0 { "-" } else { "" });
        self.text(&format!("{sign}{}.{:09}", size / 1_000_000_000, size % 1_000_000_000))
    }

    /// Ends the row.
    pub fn end(&mut self) {
        self.bytes.extend_from_slice(b"\r\n");
        self.first = true;
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.bytes.push(b',');
        }
    }
}

/// The columns that every window-like item begins with.
pub(super) fn info_header(info: &WindowInfo, row: &mut Row<'_>) {
    for name in ["window_start_s", "window_end_s", "status", "expected", "received", "imputed", "warm_up"] {
        row.text(name);
    }
    if info.marker.is_some() {
        row.text("marker");
    }
}

pub(super) fn info_row(info: &WindowInfo, row: &mut Row<'_>) {
    row.time(info.start).time(info.end).text(info.status.name());
    row.count(info.expected.into()).count(info.received.into()).count(info.imputed.into());
    row.text(if info.warm_up { "true" } else { "false" });
    if let Some(marker) = &info.marker {
        row.text(&marker.label);
    }
}

/// One row for each window: where it lies, then every number as `<row>_<column>`.
impl CsvItem for Features {
    const KIND: &'static str = "features";

    fn stream(&self) -> &StreamHeader {
        &self.info.stream
    }

    fn header(&self, row: &mut Row<'_>) {
        info_header(&self.info, row);
        for name in self.spec.rows.iter() {
            for column in self.spec.columns.iter() {
                row.text(&format!("{name}_{column}"));
            }
        }
        row.end();
    }

    fn rows(&self, row: &mut Row<'_>) {
        info_row(&self.info, row);
        for value in &self.values {
            row.number(*value);
        }
        row.end();
    }
}

/// One row for each sample: its time and its window's status, then one value in µV for each channel.
impl CsvItem for Window {
    const KIND: &'static str = "windows";

    fn stream(&self) -> &StreamHeader {
        &self.info.stream
    }

    fn header(&self, row: &mut Row<'_>) {
        row.text("time_s");
        info_header(&self.info, row);
        for channel in self.info.stream.channels.iter() {
            row.text(channel.label());
        }
        row.end();
    }

    fn rows(&self, row: &mut Row<'_>) {
        for (n, sample) in (self.samples.first()..).zip(self.samples.samples()) {
            row.time(self.info.stream.time_of(n));
            info_row(&self.info, row);
            for value in sample {
                row.value(*value);
            }
            row.end();
        }
    }
}
