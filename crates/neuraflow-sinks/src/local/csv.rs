//! CSV files: one for each stream.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::marker::PhantomData;
use std::path::Path;

use neuraflow_core::model::{Positions, StreamKey};
use neuraflow_core::sink::{Overflow, Placement, Sink, SinkContext, SinkError, SinkWriter};

use super::csv_item::{CsvItem, Row};
use super::durable::{Durable, misplaced};
use super::file::{OpenFiles, Records, Target};

const NAME: &str = "csv";
/// Items that wait for the disk before the pipeline is held back.
pub(super) const QUEUE: usize = 4_096;

/// Writes items to CSV files, one for each stream (RFC 4180, UTF-8, a header row). A table program, pandas or R
/// opens them while they grow: whenever the pipeline pauses, everything so far is in whole rows.
///
/// Features become one row for each window: `window_start_s,window_end_s,status,expected,received,imputed,warm_up`,
/// then `<row>_<column>` for every number. Windows become one row for each sample. Times are seconds since the Unix
/// epoch to the nanosecond. Quoting is a handful of lines, so no crate is brought in for it.
///
/// A path that ends with `.csv` is the one file of a single stream; any other is a directory (made if missing) with
/// a file `<stream name>-<hash of its key>.<kind>.csv` for each. Files that are there are replaced. At most 256 are open at
/// a time, however many streams there are. A run that goes on from a checkpoint appends to the files of that checkpoint.
///
/// ```no_run
/// use neuraflow_core::model::Features;
/// use neuraflow_sinks::local::Csv;
/// let sink = Csv::<Features>::create("results")?; // results/headset-0-1b2c3d4e.features.csv, …
/// # Ok::<(), neuraflow_core::sink::SinkError>(())
/// ```
#[derive(Debug)]
pub struct Csv<T> {
    target: Target,
    item: PhantomData<fn(T)>,
}

impl<T: CsvItem> Csv<T> {
    /// Files in the directory `path`, or the file `path` if it ends with `.csv`.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, SinkError> {
        Ok(Self { target: Target::new(NAME, path.as_ref(), "csv")?, item: PhantomData })
    }
}

impl<T: CsvItem> Sink for Csv<T> {
    type Item = T;
    type Writer = CsvWriter<T>;

    fn name(&self) -> String {
        format!("{NAME} {}", self.target.path().display())
    }

    fn placement(&self) -> Placement {
        Placement::Thread { capacity: QUEUE, overflow: Overflow::Block }
    }

    fn open(&self, context: &SinkContext) -> Result<CsvWriter<T>, SinkError> {
        let suffix = suffix::<T>();
        Ok(CsvWriter {
            durable: Durable::restore(NAME, &self.target, &[&suffix], context.from.as_ref())?,
            target: self.target.clone(),
            files: BTreeMap::new(),
            open: OpenFiles::default(),
            item: PhantomData,
        })
    }
}

/// Writes the files of a [`Csv`].
#[derive(Debug)]
pub struct CsvWriter<T> {
    target: Target,
    durable: Durable,
    files: BTreeMap<StreamKey, Table>,
    open: OpenFiles,
    item: PhantomData<fn(T)>,
}

#[derive(Debug)]
struct Table {
    records: Records,
    header: Vec<u8>,
    /// Rows that are not in the file yet.
    rows: Vec<u8>,
}

fn suffix<T: CsvItem>() -> String {
    format!(".{}.csv", T::KIND)
}

/// Refuses to go on with a file of other columns.
pub(super) fn begins_with(header: &[u8], records: &Records) -> Result<(), SinkError> {
    let found = records.read(header.len())?;
    if found == header {
        return Ok(());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    Err(misplaced(records.sink(), records.path(), format!("the columns {}", text(header)), text(&found)))
}

impl<T: CsvItem> CsvWriter<T> {
    /// The table that an item belongs in; its header row is checked against the item's.
    fn table(&mut self, item: &T) -> Result<&mut Table, SinkError> {
        let mut header = Vec::new();
        item.header(&mut Row::new(&mut header));
        let stream = item.stream();
        let table = match self.files.entry(stream.key) {
            Entry::Occupied(table) => table.into_mut(),
            Entry::Vacant(vacant) => {
                let path = self.durable.place(&self.target, stream)?.data(&suffix::<T>());
                let records = self.durable.records(path, &mut self.open)?;
                let rows = if records.whole() == 0 {
                    header.clone()
                } else {
                    begins_with(&header, &records)?;
                    Vec::new()
                };
                vacant.insert(Table { records, header: header.clone(), rows })
            }
        };
        if table.header != header {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
            return Err(SinkError::Layout {
                sink: NAME.into(),
                what: "columns",
                expected: text(&table.header),
                found: text(&header),
            });
        }
        Ok(table)
    }
}

impl<T: CsvItem> SinkWriter for CsvWriter<T> {
    type Item = T;

    /// Items that do not fit are left in `items` and the first of them is reported; all others are written.
    fn write(&mut self, items: &mut Vec<T>) -> Result<(), SinkError> {
        let mut refused = Ok(());
        items.retain(|item| match self.table(item) {
            Ok(table) => {
                item.rows(&mut Row::new(&mut table.rows));
                false
            }
            Err(error) => {
                if refused.is_ok() {
                    refused = Err(error);
                }
                true
            }
        });
        for table in self.files.values_mut().filter(|table| !table.rows.is_empty()) {
            table.records.append(&table.rows, &mut self.open)?;
            table.rows.clear();
        }
        refused
    }

    /// The number of bytes in each file.
    fn barrier(&mut self, _: u64) -> Result<Positions, SinkError> {
        let Self { durable, files, open, .. } = self;
        files.values_mut().try_for_each(|table| durable.sync(&mut table.records, open))?;
        durable.positions()
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.files.values_mut().try_for_each(|table| table.records.finish(&mut self.open))
    }
}
