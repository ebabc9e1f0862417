//! Rows as both stores take and give them, and the limits they keep.

use std::collections::HashMap;

use super::error::TableError;
use super::key::{RowKey, session_prefix, stream_prefix};
use neuraflow_core::model::{Id, StreamKey};

/// What a cell holds: each kind is in a column family of its own, so that whoever asks for one does not read the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Headers of streams and layouts of features, in directory rows.
    Directory,
    /// Samples of windows.
    Windows,
    /// Features.
    Features,
    /// Decisions.
    Decisions,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Directory, Self::Windows, Self::Features, Self::Decisions];

    /// Its name in a table: short, since every cell has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Directory => "h",
            Self::Windows => "w",
            Self::Features => "f",
            Self::Decisions => "d",
        }
    }

    /// The family of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }
}

/// Some of the families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families(u8);

impl Families {
    /// All of them.
    pub const ALL: Self = Self(0b1111);

    /// One of them.
    pub const fn only(family: Family) -> Self {
        Self(1 << family as u8)
    }

    /// These, and another one.
    #[must_use]
    pub const fn and(self, family: Family) -> Self {
        Self(self.0 | 1 << family as u8)
    }

    /// Whether it is one of these.
    pub const fn contains(self, family: Family) -> bool {
        self.0 & 1 << family as u8 != 0
    }

    /// Each of these, in order.
    pub fn iter(self) -> impl Iterator<Item = Family> {
        Family::ALL.into_iter().filter(move |family| self.contains(*family))
    }
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its column family.
    pub family: Family,
    /// Its column within the family.
    pub qualifier: Vec<u8>,
    /// Microseconds since the Unix epoch, a multiple of 1000, at least 0.
    pub timestamp: i64,
    /// The value.
    pub value: Vec<u8>,
}

/// A row, or what a scan has asked for of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its key.
    pub key: Vec<u8>,
    /// Its cells, by family and qualifier when read.
    pub cells: Vec<Cell>,
}

/// Rows to be written together, each once, within the limits of every table.
///
/// ```
/// use neuraflow_core::model::{StreamKey, Timestamp};
/// use neuraflow_sinks::table::{Batch, Cell, Family, RowKey};
/// let key = RowKey::of_time(StreamKey::of_names("session", "headset"), Timestamp::EPOCH);
/// let cell = |value| Cell { family: Family::Features, qualifier: b"q".to_vec(), timestamp: 0, value };
/// let mut batch = Batch::default();
/// assert_eq!(batch.add(&key, cell(vec![1]))?, 0); // the number of its row in the batch
/// assert!(batch.add(&key, cell(vec![0; Batch::MAX_CELL + 1])).is_err());
/// # Ok::<(), neuraflow_sinks::table::TableError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Batch {
    rows: Vec<Row>,
    /// Which row has a key.
    numbers: HashMap<Vec<u8>, usize>,
}

impl Batch {
    /// The largest value of a cell, in bytes. Bigtable takes 100 MiB and advises against more than 10.
    pub const MAX_CELL: usize = 10 << 20;
    /// The longest qualifier, in bytes. Bigtable takes 16 KiB; ours are below 150 bytes.
    pub const MAX_QUALIFIER: usize = 4 << 10;
    /// The longest row key, in bytes: as Bigtable has it. Ours have 60.
    pub const MAX_KEY: usize = 4 << 10;
    /// The most cells of a row that a batch writes, as Bigtable has it.
    pub const MAX_CELLS: usize = 100_000;
    /// The largest row that a batch writes, in bytes. Bigtable takes rows of 256 MiB.
    pub const MAX_ROW: usize = 100 << 20;

    /// Adds a cell, and says which of the batch's rows it is in. What is in the row under the same family and qualifier is replaced.
    ///
    /// # Errors
    /// The cell, its qualifier or the row would be too large.
    pub fn add(&mut self, key: &RowKey, cell: Cell) -> Result<usize, TableError> {
        self.add_at(&key.to_bytes(), cell)
    }

    /// The same, with a key of any layout.
    ///
    /// # Errors
    /// The same, and the key is too long.
    pub fn add_at(&mut self, key: &[u8], cell: Cell) -> Result<usize, TableError> {
        let within = |what, limit, found| {
            if found <= limit { Ok(()) } else { Err(TableError::Limit { what, limit, found }) }
        };
        within("bytes of a row key", Self::MAX_KEY, key.len())?;
        within("bytes of a qualifier", Self::MAX_QUALIFIER, cell.qualifier.len())?;
        within("bytes of a cell", Self::MAX_CELL, cell.value.len())?;
        if cell.timestamp < 0 || cell.timestamp % 1_000 != 0 {
            let expected = "a whole number of milliseconds since 1970";
            let found = format!("{} µs", cell.timestamp);
            return Err(TableError::Setting { what: "timestamp of a cell", expected, found });
        }
        let number = self.numbers.get(key).copied().unwrap_or(self.rows.len());
        if let Some(row) = self.rows.get_mut(number) {
            row.cells.retain(|other| (other.family, &other.qualifier) != (cell.family, &cell.qualifier));
            let size = row.cells.iter().map(|cell| cell.value.len()).sum::<usize>() + cell.value.len();
            within("bytes of a row", Self::MAX_ROW, size)?;
            within("cells of a row", Self::MAX_CELLS, row.cells.len() + 1)?;
            row.cells.push(cell);
        } else {
            self.rows.push(Row { key: key.to_vec(), cells: vec![cell] });
            self.numbers.insert(key.to_vec(), number);
        }
        Ok(number)
    }

    /// Its rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// A range of rows, and what of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The first key that may be read.
    pub start: Vec<u8>,
    /// The first key beyond; none for the end of the table.
    pub end: Option<Vec<u8>>,
    /// The families to read. Rows without a cell of these are left out.
    pub families: Families,
    /// Stop after so many rows.
    pub limit: Option<usize>,
}

impl Scan {
    /// All rows, all of them.
    pub fn everything() -> Self {
        Self { start: Vec::new(), end: None, families: Families::ALL, limit: None }
    }

    /// All rows whose keys begin with `prefix`.
    pub fn prefix(prefix: &[u8]) -> Self {
        Self { start: prefix.to_vec(), end: successor(prefix), ..Self::everything() }
    }

    /// All rows of a session.
    pub fn session(tenant: Id, session: Id) -> Self {
        Self::prefix(&session_prefix(tenant, session))
    }

    /// All rows of a stream, the directory first and then the newest.
    pub fn stream(stream: &StreamKey) -> Self {
        Self::prefix(&stream_prefix(stream))
    }

    /// Only these families of them.
    #[must_use]
    pub fn of(self, families: Families) -> Self {
        Self { families, ..self }
    }

    /// Only the first `limit` rows of them.
    #[must_use]
    pub fn first(self, limit: usize) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Whether no key is in the range.
    pub fn is_empty(&self) -> bool {
        self.limit == Some(0) || self.end.as_ref().is_some_and(|end| *end <= self.start)
    }
}

/// The first key beyond all that begin with `prefix`; none if there is no such key.
pub(super) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut next = prefix[..=keep].to_vec();
    next[keep] += 1;
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_of_a_prefix_carries() {
        assert_eq!(successor(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(successor(&[1, 255, 255]), Some(vec![2]));
        assert_eq!(successor(&[255, 255]), None);
        assert_eq!(successor(&[]), None);
    }
}
