//! The local store: the rows of a table in one file on this machine, for those who have no Bigtable.
//!
//! The file is [redb](https://docs.rs/redb)'s: a B-tree with transactions that survives a crash at any moment. One process has
//! it open at a time; within the process any number of sinks and readers share it.

mod rows;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::{fmt, slice};

use redb::{Database, Durability, ReadableDatabase, TableDefinition};

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
/// computes it again. A disk that was full for a while loses nothing: what is not durable yet is held in memory, up to 32 MiB.
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
    /// None after the file system has failed: redb has to open the file anew then.
    database: RwLock<Option<Database>>,
    /// Since the last commit that reached the disk. Whoever writes holds it.
    unsynced: Mutex<Unsynced>,
}

/// What was written and may be lost: redb forgets it where the file is opened anew.
#[derive(Default)]
struct Unsynced {
    batches: Vec<Batch>,
    bytes: u64,
}

impl LocalTable {
    /// Opens the table in the file `path`, which is made if it is not there.
    ///
    /// # Errors
    /// [`TableError::Locked`] where another process has it open; [`TableError::Failed`] where it cannot be made or is no table.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TableError> {
        let path = path.as_ref().to_owned();
        let database = open(&path).map_err(|error| match error {
            redb::Error::DatabaseAlreadyOpen => TableError::Locked { table: path.display().to_string() },
            other => failed(&path, "open", &other),
        })?;
        let database = RwLock::new(Some(database));
        Ok(Self(Arc::new(Inner { path, database, unsynced: Mutex::default() })))
    }
}

/// Opens a file that has the table afterwards.
fn open(path: &Path) -> Result<Database, redb::Error> {
    let database = Database::create(path)?;
    transact(&database, &[], Durability::Immediate)?;
    Ok(database)
}

impl Inner {
    fn unsynced(&self) -> MutexGuard<'_, Unsynced> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the database as it is.
    fn now<T>(&self, act: impl Fn(&Database) -> Result<T, redb::Error>) -> Result<T, redb::Error> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        database.as_ref().map_or(Err(redb::Error::PreviousIo), act)
    }

    /// Does something with the database. After a failure of the file system it is opened anew first, and given what it has forgotten.
    fn with<T>(
        &self,
        unsynced: &mut Unsynced,
        act: impl Fn(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, redb::Error> {
        match self.now(&act) {
            Err(redb::Error::PreviousIo) => {}
            done => return done,
        }
        let mut place = self.database.write().unwrap_or_else(PoisonError::into_inner);
        *place = None; // it lets the file go
        let database = open(&self.path)?;
        transact(&database, &unsynced.batches, Durability::Immediate)?;
        *unsynced = Unsynced::default();
        act(place.insert(database))
    }
}

/// About as many bytes as it takes in memory.
fn size(batch: &Batch) -> u64 {
    const CELL: usize = 100;
    let cells = |row: &Row| {
        row.cells.iter().map(|cell| cell.value.len() + cell.qualifier.len() + CELL).sum::<usize>()
    };
    batch.rows().iter().map(|row| (2 * row.key.len() + cells(row)) as u64).sum()
}

/// Writes batches in one transaction.
fn transact(database: &Database, batches: &[Batch], durability: Durability) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(durability)?;
    // After a crash the file is open again at once, however large it is.
    transaction.set_quick_repair(matches!(durability, Durability::Immediate));
    {
        let mut cells = transaction.open_table(CELLS)?;
        for Row { key, cells: row } in batches.iter().flat_map(Batch::rows) {
            for cell in row {
                let place = (&key[..], cell.family as u8, &cell.qualifier[..]);
                cells.insert(place, (cell.timestamp, &cell.value[..]))?;
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

impl Table for LocalTable {
    type Rows = LocalRows;

    fn name(&self) -> String {
        self.0.path.display().to_string()
    }

    /// All rows or none.
    fn put(&self, batch: &Batch) -> Vec<Result<(), TableError>> {
        let bytes = size(batch);
        let mut unsynced = self.0.unsynced();
        let due = unsynced.bytes + bytes >= UNSYNCED;
        let durability = if due { Durability::Immediate } else { Durability::None };
        let written =
            self.0.with(&mut unsynced, |database| transact(database, slice::from_ref(batch), durability));
        match &written {
            Ok(()) if due => *unsynced = Unsynced::default(),
            Ok(()) => {
                unsynced.batches.push(batch.clone());
                unsynced.bytes += bytes;
            }
            Err(_) => {}
        }
        let written = written.map_err(|error| failed(&self.0.path, "write", &error));
        batch.rows().iter().map(|_| written.clone()).collect()
    }

    /// The rows as they are at this moment; what is written meanwhile is not among them.
    fn scan(&self, scan: &Scan) -> LocalRows {
        let read = |database: &Database| -> Result<_, redb::Error> {
            let start = (&scan.start[..], 0, &[][..]);
            let cells = database.begin_read()?.open_table(CELLS)?;
            Ok(match &scan.end {
                _ if scan.is_empty() => None,
                Some(end) => Some(cells.range(start..(&end[..], 0, &[][..]))?),
                None => Some(cells.range(start..)?),
            })
        };
        let mut rows = self.0.now(read);
        if matches!(rows, Err(redb::Error::PreviousIo)) {
            rows = self.0.with(&mut self.0.unsynced(), read);
        }
        LocalRows::new(rows.map_err(|error| failed(&self.0.path, "read", &error)), scan, &self.0.path)
    }

    fn sync(&self) -> Result<(), TableError> {
        let mut unsynced = self.0.unsynced();
        let synced = self.0.with(&mut unsynced, |database| transact(database, &[], Durability::Immediate));
        synced.map_err(|error| failed(&self.0.path, "write", &error))?;
        *unsynced = Unsynced::default();
        Ok(())
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
