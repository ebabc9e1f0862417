//! The local store: the rows of a table in one file on this machine, for those who have no Bigtable.
//!
//! The file is [redb](https://docs.rs/redb)'s: a B-tree with transactions that survives a crash at any moment. One process has
//! it open at a time; within the process any number of sinks and readers share it.

mod rows;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{Database, DatabaseError, Durability, ReadableDatabase, TableDefinition};

use crate::table::{Batch, Row, Scan, Table, TableError};

pub use rows::LocalRows;

/// Row key, family, qualifier.
type Place = (&'static [u8], u8, &'static [u8]);
/// Timestamp, value.
type Stored = (i64, &'static [u8]);
/// All cells, sorted as Bigtable sorts them. The version of the format is in the name: another one is another table.
const CELLS: TableDefinition<'static, Place, Stored> = TableDefinition::new("cells 1");
/// What may be written between two commits that reach the disk. Space that is freed is used again only after one.
const UNSYNCED: u64 = 32 << 20;

/// A [`Table`] in a file.
///
/// What was written is durable once a pipeline's checkpoint says so, or at its end; a crash before loses it, and the pipeline
/// computes it again.
///
/// ```
/// use neuraflow_sinks::store::LocalTable;
/// use neuraflow_sinks::table::{Scan, Table};
/// # let scratch = neuraflow_core::testing::Scratch::new()?;
/// # let file = scratch.file("results.redb");
/// let table = LocalTable::open(&file)?;
/// assert_eq!(table.scan(&Scan::everything()).count(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct LocalTable(Arc<Inner>);

struct Inner {
    path: PathBuf,
    database: Database,
    /// Bytes since the last commit that reached the disk.
    unsynced: AtomicU64,
}

impl LocalTable {
    /// Opens the table in the file `path`, which is made if it is not there.
    ///
    /// # Errors
    /// [`TableError::Locked`] where another process has it open; [`TableError::Failed`] where it cannot be made or is no table.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TableError> {
        let path = path.as_ref().to_owned();
        let database = Database::create(&path).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => TableError::Locked { table: path.display().to_string() },
            other => failed(&path, "open", &other),
        })?;
        let table = Self(Arc::new(Inner { path, database, unsynced: AtomicU64::new(0) }));
        table.commit(&Batch::default(), Durability::Immediate)?;
        Ok(table)
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), TableError> {
        self.transact(batch, durability).map_err(|error| failed(&self.0.path, "write", &error))
    }

    fn transact(&self, batch: &Batch, durability: Durability) -> Result<(), redb::Error> {
        let mut transaction = self.0.database.begin_write()?;
        transaction.set_durability(durability)?;
        // After a crash the file is open again at once, however large it is.
        transaction.set_quick_repair(matches!(durability, Durability::Immediate));
        {
            let mut cells = transaction.open_table(CELLS)?;
            for Row { key, cells: row } in batch.rows() {
                for cell in row {
                    let place = (&key[..], cell.family as u8, &cell.qualifier[..]);
                    cells.insert(place, (cell.timestamp, &cell.value[..]))?;
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

impl Table for LocalTable {
    type Rows = LocalRows;

    fn name(&self) -> String {
        self.0.path.display().to_string()
    }

    /// All rows or none.
    fn put(&self, batch: &Batch) -> Vec<Result<(), TableError>> {
        let bytes: u64 =
            batch.rows().iter().flat_map(|row| &row.cells).map(|cell| cell.value.len() as u64).sum();
        let due = self.0.unsynced.fetch_add(bytes, Ordering::Relaxed) + bytes >= UNSYNCED;
        let written = if due {
            self.0.unsynced.store(0, Ordering::Relaxed);
            self.commit(batch, Durability::Immediate)
        } else {
            self.commit(batch, Durability::None)
        };
        batch.rows().iter().map(|_| written.clone()).collect()
    }

    /// The rows as they are at this moment; what is written meanwhile is not among them.
    fn scan(&self, scan: &Scan) -> LocalRows {
        let read = || -> Result<_, redb::Error> {
            let start = (&scan.start[..], 0, &[][..]);
            let cells = self.0.database.begin_read()?.open_table(CELLS)?;
            Ok(match &scan.end {
                _ if scan.is_empty() => None,
                Some(end) => Some(cells.range(start..(&end[..], 0, &[][..]))?),
                None => Some(cells.range(start..)?),
            })
        };
        LocalRows::new(read().map_err(|error| failed(&self.0.path, "read", &error)), scan, &self.0.path)
    }

    fn sync(&self) -> Result<(), TableError> {
        self.0.unsynced.store(0, Ordering::Relaxed);
        self.commit(&Batch::default(), Durability::Immediate)
    }
}

impl fmt::Debug for LocalTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalTable").field(&self.0.path).finish()
    }
}

fn failed(path: &Path, action: &'static str, error: &impl fmt::Display) -> TableError {
    TableError::Failed { table: path.display().to_string(), action, reason: error.to_string() }
}
