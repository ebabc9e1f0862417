//! Cells in order, gathered into rows.

use std::fmt;
use std::path::{Path, PathBuf};

use redb::Range;

use super::{Place, Stored, failed};
use crate::table::{Cell, Families, Family, Row, Scan, TableError};

/// The rows of a scan of a [`LocalTable`](super::LocalTable).
pub struct LocalRows {
    /// The cells that are left; none at the end.
    cells: Option<Range<'static, Place, Stored>>,
    /// The first cell of the next row.
    ahead: Option<(Vec<u8>, Cell)>,
    trouble: Option<TableError>,
    families: Families,
    left: usize,
    path: PathBuf,
}

impl LocalRows {
    pub(super) fn new(
        cells: Result<Option<Range<'static, Place, Stored>>, TableError>,
        scan: &Scan,
        path: &Path,
    ) -> Self {
        let (cells, trouble) = match cells {
            Ok(cells) => (cells, None),
            Err(error) => (None, Some(error)),
        };
        let left = scan.limit.unwrap_or(usize::MAX);
        Self { cells, ahead: None, trouble, families: scan.families, left, path: path.to_owned() }
    }

    /// The next cell of the families asked for.
    fn cell(&mut self) -> Option<Result<(Vec<u8>, Cell), TableError>> {
        if let Some(ahead) = self.ahead.take() {
            return Some(Ok(ahead));
        }
        for stored in self.cells.as_mut()? {
            let (place, stored) = match stored {
                Ok(stored) => stored,
                Err(error) => return Some(Err(failed(&self.path, "read", &error))),
            };
            let ((key, family, qualifier), (timestamp, value)) = (place.value(), stored.value());
            let Some(family) = Family::ALL.into_iter().find(|known| *known as u8 == family) else { continue };
            if self.families.contains(family) {
                let (qualifier, value) = (qualifier.to_vec(), value.to_vec());
                return Some(Ok((key.to_vec(), Cell { family, qualifier, timestamp, value })));
            }
        }
        None
    }

    fn row(&mut self) -> Result<Option<Row>, TableError> {
        if let Some(error) = self.trouble.take() {
            return Err(error);
        }
        let Some((key, first)) = self.cell().transpose()? else { return Ok(None) };
        let mut row = Row { key, cells: vec![first] };
        while let Some((key, cell)) = self.cell().transpose()? {
            if key != row.key {
                self.ahead = Some((key, cell));
                break;
            }
            row.cells.push(cell);
        }
        Ok(Some(row))
    }
}

impl Iterator for LocalRows {
    type Item = Result<Row, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let row = self.row().transpose();
        if !matches!(row, Some(Ok(_))) {
            self.left = 0;
        }
        row
    }
}

impl fmt::Debug for LocalRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalRows")
            .field("path", &self.path)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
