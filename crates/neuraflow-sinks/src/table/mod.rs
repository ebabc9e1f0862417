//! Results in a table: one layout, one sink and one set of reads for Bigtable and for the local store.
//!
//! | file | its story |
//! |---|---|
//! | `key`, `stage` | where a value stands: row key, qualifier, timestamp |
//! | `value`, `item` | a window, features or a decision as the bytes of one cell |
//! | `directory` | what the cells of a stream have in common: its header and the layouts of its features |
//! | `row` | rows and batches, which keep the limits |
//! | `sink`, `introduce` | writes items, and the directories that they need first |
//! | `query`, `reader` | what to read, and reading it |
//! | `migration` | from an older layout to this one, while the pipeline runs |
//!
//! The layout by byte is in `docs/reference/table.md`. The same item always has the same row, qualifier, timestamp and value, so that
//! writing it again changes nothing: an outbox, a replay or a restart may do so as often as they like.

mod directory;
mod error;
mod introduce;
mod item;
mod key;
pub mod migration;
mod query;
mod reader;
mod row;
mod sink;
mod stage;
mod value;

pub use error::TableError;
pub use item::TableItem;
pub use key::RowKey;
pub use query::Query;
pub use reader::{Found, Records, TableReader};
pub use row::{Batch, Cell, Families, Family, Row, Scan};
pub use sink::{TableSink, TableWriter};
pub use stage::{Qualifier, Stage, cell_time};

/// Rows of cells, sorted by their keys. Cheap to clone: clones are the same table.
pub trait Table: Clone + Send + Sync + 'static {
    /// What a scan gives.
    type Rows: Iterator<Item = Result<Row, TableError>> + Send;

    /// What people call it, in errors and reports.
    fn name(&self) -> String;

    /// Writes the rows of a batch, in any order, and says of each, in the batch's order, what became of it. A row is written whole
    /// or not at all; a cell that is there with the same timestamp is replaced.
    fn put(&self, batch: &Batch) -> Vec<Result<(), TableError>>;

    /// The rows of a range, in the order of their keys, as they are read: whoever stops early saves the rest.
    fn scan(&self, scan: &Scan) -> Self::Rows;

    /// Makes durable what was written.
    ///
    /// # Errors
    /// It could not be, and what was written since the last time may be lost in a crash.
    fn sync(&self) -> Result<(), TableError>;
}
