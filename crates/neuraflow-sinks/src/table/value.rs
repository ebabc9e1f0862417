//! The value of a cell: what is common to everything computed from a window.
//!
//! | bytes | little-endian |
//! |---|---|
//! | 1 | version: 1 |
//! | 1 | flags: 1 warm-up, 2 has a marker, 4 has a layout |
//! | 1 | status: 0 complete, 1 gap, 2 partial |
//! | 8 | id of the stream's header in the directory |
//! | 8 | number of the window |
//! | 8 | its end, nanoseconds |
//! | 4, 4, 4 | samples expected, received, imputed |
//! | 8, 8, 4, … | with a marker: time, duration, length of its label, label in UTF-8 |
//! | 8 | with a layout: its id in the directory |
//! | … | the item's own bytes |
//! | 4 | CRC-32C of all before |
//!
//! The window's start is in the qualifier. Its arrival is no part of a result and is not stored.

use std::sync::Arc;

use neuraflow_core::model::{Marker, Span, StreamHeader, Timestamp, WindowInfo, WindowStatus};

use super::error::TableError;
use super::stage::Qualifier;

const VERSION: u8 = 1;
const WARM_UP: u8 = 1;
const MARKER: u8 = 2;
const LAYOUT: u8 = 4;

/// The value up to the item's own bytes. [`seal`] ends it.
pub(super) fn begin(info: &WindowInfo, header: u64, layout: Option<u64>) -> Vec<u8> {
    let flag = |set, flag| if set { flag } else { 0 };
    let flags =
        flag(info.warm_up, WARM_UP) | flag(info.marker.is_some(), MARKER) | flag(layout.is_some(), LAYOUT);
    let status = match info.status {
        WindowStatus::Complete => 0,
        WindowStatus::Gap => 1,
        WindowStatus::Partial => 2,
    };
    let mut out = vec![VERSION, flags, status];
    out.extend_from_slice(&header.to_le_bytes());
    out.extend_from_slice(&info.index.to_le_bytes());
    out.extend_from_slice(&info.end.as_nanos().to_le_bytes());
    for count in [info.expected, info.received, info.imputed] {
        out.extend_from_slice(&count.to_le_bytes());
    }
    if let Some(marker) = &info.marker {
        out.extend_from_slice(&marker.time.as_nanos().to_le_bytes());
        out.extend_from_slice(&marker.duration.as_nanos().to_le_bytes());
        // A label of 4 GiB would be far above the limit of a cell, which is checked.
        out.extend_from_slice(&(marker.label.len() as u32).to_le_bytes());
        out.extend_from_slice(marker.label.as_bytes());
    }
    if let Some(layout) = layout {
        out.extend_from_slice(&layout.to_le_bytes());
    }
    out
}

/// Adds the checksum.
pub(super) fn seal(mut value: Vec<u8>) -> Vec<u8> {
    let checksum = crc32c::crc32c(&value);
    value.extend_from_slice(&checksum.to_le_bytes());
    value
}

/// A value that was opened: what it is about, and the item's own bytes.
pub(super) struct Opened<'a> {
    pub(super) info: WindowInfo,
    pub(super) layout: Option<u64>,
    pub(super) body: Bytes<'a>,
}

/// Opens a value. `header` finds the stream's header by its id.
pub(super) fn open<'a>(
    at: &Qualifier,
    value: &'a [u8],
    header: impl FnOnce(u64) -> Option<Arc<StreamHeader>>,
) -> Result<Opened<'a>, TableError> {
    let (body, checksum) = value.split_last_chunk::<4>().ok_or_else(|| short(value.len()))?;
    let mut bytes = Bytes(body);
    let [version, flags, status] = bytes.take()?;
    if version != VERSION {
        return Err(malformed("version 1", format!("version {version}")));
    }
    if crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
        return Err(malformed("the checksum of its bytes", "another one".into()));
    }
    if flags & !(WARM_UP | MARKER | LAYOUT) != 0 {
        return Err(malformed("known flags", format!("{flags:#010b}")));
    }
    let status = match status {
        0 => WindowStatus::Complete,
        1 => WindowStatus::Gap,
        2 => WindowStatus::Partial,
        other => return Err(malformed("a status from 0 to 2", other.to_string())),
    };
    let id = bytes.u64()?;
    let stream = header(id).ok_or_else(|| malformed("a header of the directory", format!("{id:016x}")))?;
    let (index, end) = (bytes.i64()?, bytes.time()?);
    let (expected, received, imputed) = (bytes.u32()?, bytes.u32()?, bytes.u32()?);
    let marker = if flags & MARKER != 0 {
        let (time, duration) = (bytes.time()?, Span::nanos(bytes.i64()?));
        let length = bytes.u32()? as usize;
        let label = bytes.text(length)?.to_owned();
        Some(Arc::new(Marker { time, duration, label }))
    } else {
        None
    };
    let layout = if flags & LAYOUT != 0 { Some(bytes.u64()?) } else { None };
    let (start, warm_up) = (at.start, flags & WARM_UP != 0);
    let arrival = 0;
    let info = WindowInfo {
        stream,
        index,
        start,
        end,
        expected,
        received,
        imputed,
        status,
        warm_up,
        arrival,
        marker,
    };
    Ok(Opened { info, layout, body: bytes })
}

pub(super) fn malformed(expected: &'static str, found: String) -> TableError {
    TableError::Malformed { what: "cell", expected, found }
}

fn short(found: usize) -> TableError {
    malformed("more bytes", found.to_string())
}

/// The bytes of a cell that are not read yet.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    /// The next `N` bytes.
    ///
    /// # Errors
    /// There are fewer; so with all that follow.
    pub fn take<const N: usize>(&mut self) -> Result<[u8; N], TableError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or_else(|| short(self.0.len()))?;
        self.0 = rest;
        Ok(*taken)
    }

    /// The next 4 bytes as a number.
    pub fn u32(&mut self) -> Result<u32, TableError> {
        self.take().map(u32::from_le_bytes)
    }

    /// The next 8 bytes as a number.
    pub fn u64(&mut self) -> Result<u64, TableError> {
        self.take().map(u64::from_le_bytes)
    }

    /// The next 8 bytes as a 64-bit float.
    pub fn f64(&mut self) -> Result<f64, TableError> {
        self.take().map(f64::from_le_bytes)
    }

    fn i64(&mut self) -> Result<i64, TableError> {
        self.take().map(i64::from_le_bytes)
    }

    fn time(&mut self) -> Result<Timestamp, TableError> {
        self.i64().map(Timestamp::from_nanos)
    }

    /// The next `length` bytes as text.
    pub fn text(&mut self, length: usize) -> Result<&'a str, TableError> {
        let (text, rest) = self.0.split_at_checked(length).ok_or_else(|| short(self.0.len()))?;
        self.0 = rest;
        str::from_utf8(text).map_err(|_| malformed("UTF-8", "other bytes".into()))
    }

    /// All that is left.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }
}
