//! The sink: items become cells, and those that fail are kept for the next offer.

use std::marker::PhantomData;

use neuraflow_core::model::{Positions, Recovery};
use neuraflow_core::sink::{Overflow, Placement, Sink, SinkContext, SinkError, SinkWriter};

use super::introduce::Directories;
use super::item::TableItem;
use super::row::Batch;
use super::stage::Stage;
use super::{RowKey, Table, TableError};

/// Items that wait for the table, on a thread, before the pipeline is held back.
pub(super) const QUEUE: Placement = Placement::Thread { capacity: 4_096, overflow: Overflow::Block };

/// Writes what one stage of a pipeline computes into a [`Table`].
///
/// Every item has a place of its own, which only its stream, window and stage decide: written again it changes nothing. So a pipeline
/// that goes on from a checkpoint, and an outbox in front, write every result once, however often they try.
///
/// Items that a table cannot take (too large, refused) are left out and counted. Where the table is away, `write` leaves what has not been written
/// and says so: put `layer::Outbox` in front, and it waits on the disk.
///
#[cfg_attr(feature = "store", doc = "```")]
#[cfg_attr(not(feature = "store"), doc = "```ignore")]
/// use neuraflow_core::model::Features;
/// use neuraflow_sinks::store::LocalTable;
/// use neuraflow_sinks::table::{Stage, TableSink};
/// # let scratch = neuraflow_core::testing::Scratch::new()?;
/// # let file = scratch.file("results.redb");
/// let table = LocalTable::open(file)?;
/// let sink = TableSink::<_, Features>::new(table, Stage::new("band power")?); // pipeline.….sink(sink)
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TableSink<T, I> {
    table: T,
    stage: Stage,
    item: PhantomData<fn(I)>,
}

impl<T: Table, I: TableItem> TableSink<T, I> {
    /// Writes into `table`, as the results of `stage`.
    pub fn new(table: T, stage: Stage) -> Self {
        Self { table, stage, item: PhantomData }
    }
}

impl<T: Table, I: TableItem> Sink for TableSink<T, I> {
    type Item = I;
    type Writer = TableWriter<T, I>;

    fn name(&self) -> String {
        format!("{} of {}", self.stage, self.table.name())
    }

    fn placement(&self) -> Placement {
        QUEUE
    }

    fn open(&self, _: &SinkContext) -> Result<Self::Writer, SinkError> {
        Ok(TableWriter {
            table: self.table.clone(),
            stage: self.stage.clone(),
            directories: Directories::default(),
            name: self.name(),
            item: PhantomData,
        })
    }
}

/// Writes for a [`TableSink`].
#[derive(Debug)]
pub struct TableWriter<T, I> {
    table: T,
    stage: Stage,
    directories: Directories,
    name: String,
    item: PhantomData<fn(I)>,
}

/// The worst that has befallen the items of a write.
#[derive(Default)]
pub(super) struct Worst(Option<TableError>);

impl Worst {
    pub(super) fn note(&mut self, error: &TableError) {
        let weight = |error: &TableError| match error.recovery() {
            Recovery::Skip | Recovery::Reset => 0,
            Recovery::Retry => 1,
            Recovery::Stop => 2,
        };
        if self.0.as_ref().is_none_or(|worst| weight(error) > weight(worst)) {
            self.0 = Some(error.clone());
        }
    }

    /// What `write` answers.
    pub(super) fn told_by(self, sink: &str) -> Result<(), SinkError> {
        self.0.map_or(Ok(()), |error| Err(error.of_sink(sink)))
    }
}

impl<T: Table, I: TableItem> SinkWriter for TableWriter<T, I> {
    type Item = I;

    /// Leaves in `items` what was not written, and tells the worst reason. What a table will never take is told only once
    /// everything else is written.
    fn write(&mut self, items: &mut Vec<I>) -> Result<(), SinkError> {
        let (mut batch, mut worst) = (Batch::default(), Worst::default());
        let ids = self.directories.introduce(&self.table, items);
        let places: Vec<Option<usize>> = items
            .iter()
            .zip(ids)
            .map(|(item, ids)| {
                let key = RowKey::of_time(item.window().stream.key, item.window().start);
                let place = ids.and_then(|ids| batch.add(&key, ids.cell(item, &self.stage)));
                place.inspect_err(|error| worst.note(error)).ok()
            })
            .collect();
        let written = if batch.is_empty() { Vec::new() } else { self.table.put(&batch) };
        written.iter().filter_map(|entry| entry.as_ref().err()).for_each(|error| worst.note(error));
        let mut places = places.into_iter();
        items.retain(|_| {
            let row = places.next().flatten();
            !row.and_then(|row| written.get(row)).is_some_and(Result::is_ok)
        });
        worst.told_by(&self.name)
    }

    /// What was written is durable; a table needs no positions, since writing again changes nothing.
    fn barrier(&mut self, _: u64) -> Result<Positions, SinkError> {
        self.table.sync().map_err(|error| error.of_sink(&self.name))?;
        Ok(Positions::default())
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.barrier(0).map(drop)
    }
}
