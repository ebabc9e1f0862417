//! The directory row of a stream: what its cells have in common, each under the hash of its own bytes.
//!
//! A device that comes back with other channels adds a header and replaces none. Values are JSON, for people and for programs in any
//! language, and at timestamp 0, so that writing them again changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use neuraflow_core::model::{FeatureSpec, StreamHeader, stable_hash};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::TableError;
use super::row::{Cell, Family, Row};

const VERSION: u8 = 1;
/// What the qualifiers begin with; the id follows in hexadecimal.
const STREAM: &str = "stream ";
const LAYOUT: &str = "layout ";

/// The value of a cell of the directory.
#[derive(Serialize, Deserialize)]
struct Entry<T> {
    version: u8,
    content: T,
}

/// The cell for a stream's header, and the id by which others name it.
pub(super) fn of_stream(header: &StreamHeader) -> Result<(u64, Cell), TableError> {
    cell(STREAM, header)
}

/// The cell for the layout of features, and the id by which others name it.
pub(super) fn of_layout(layout: &FeatureSpec) -> Result<(u64, Cell), TableError> {
    cell(LAYOUT, layout)
}

fn cell(kind: &str, content: &impl Serialize) -> Result<(u64, Cell), TableError> {
    let value = serde_json::to_vec(&Entry { version: VERSION, content })
        .map_err(|error| malformed("what JSON can hold", error.to_string()))?;
    let id = id(&value);
    let qualifier = format!("{kind}{id:016x}").into_bytes();
    Ok((id, Cell { family: Family::Directory, qualifier, timestamp: 0, value }))
}

fn id(value: &[u8]) -> u64 {
    stable_hash(value) as u64
}

fn malformed(expected: &'static str, found: String) -> TableError {
    TableError::Malformed { what: "directory", expected, found }
}

/// What is known of a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    streams: BTreeMap<u64, Arc<StreamHeader>>,
    layouts: BTreeMap<u64, Arc<FeatureSpec>>,
}

impl Directory {
    /// Reads a directory row. Entries that are not ours or have decayed are left out: the cells that name them say so.
    pub(super) fn read(row: &Row) -> Self {
        let mut directory = Self::default();
        for Cell { qualifier, value, .. } in row.cells.iter().filter(|cell| cell.family == Family::Directory)
        {
            let id = id(value);
            if *qualifier == format!("{STREAM}{id:016x}").as_bytes() {
                directory.streams.extend(entry(value).map(|header| (id, header)));
            } else if *qualifier == format!("{LAYOUT}{id:016x}").as_bytes() {
                directory.layouts.extend(entry(value).map(|layout| (id, layout)));
            }
        }
        directory
    }

    pub(super) fn stream(&self, id: u64) -> Option<Arc<StreamHeader>> {
        self.streams.get(&id).cloned()
    }

    pub(super) fn layout(&self, id: u64) -> Option<Arc<FeatureSpec>> {
        self.layouts.get(&id).cloned()
    }

    /// All headers.
    pub(super) fn into_streams(self) -> impl Iterator<Item = Arc<StreamHeader>> {
        self.streams.into_values()
    }
}

fn entry<T: DeserializeOwned>(value: &[u8]) -> Option<Arc<T>> {
    let Entry { version, content } = serde_json::from_slice(value).ok()?;
    (version == VERSION).then(|| Arc::new(content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuraflow_core::model::{Channel, Id, SamplingRate, StreamKey, Unit};

    #[test]
    fn headers_and_layouts_are_read_back_and_decayed_ones_left_out() {
        let key = StreamKey {
            tenant: Id::from_u128(u128::MAX),
            ..StreamKey::of_names("séance", "头戴式耳机")
        };
        let channels =
            vec![Channel::new("Fp1."), Channel::new("µ\u{1f9e0}").with_unit(Unit::Other("°C".into()))];
        let header =
            StreamHeader::new(key, "头戴式耳机 \"1\"", SamplingRate::ratio(78_125, 4).unwrap(), channels);
        let layout =
            FeatureSpec { rows: ["a".into()].into(), columns: ["α".into()].into(), unit: "µV²".into() };
        let (stream, first) = of_stream(&header).unwrap();
        let (numbers, mut second) = of_layout(&layout).unwrap();
        let mut row = Row { key: Vec::new(), cells: vec![first, second.clone()] };
        let directory = Directory::read(&row);
        assert_eq!(directory.stream(stream).as_deref(), Some(&header));
        assert_eq!(directory.layout(numbers).as_deref(), Some(&layout));
        second.value[20] ^= 1;
        row.cells[1] = second;
        assert!(Directory::read(&row).layout(numbers).is_none());
    }
}
