//! The sinks of a migration: old rows, and both kinds of rows for one and the same item.

use std::collections::BTreeSet;
use std::sync::Arc;

use neuraflow_core::model::{Features, Positions, Recovery, StreamKey, Timestamp};
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};

use super::super::item::TableItem;
use super::super::row::Batch;
use super::super::sink::{QUEUE, Worst};
use super::super::{Table, TableError};
use super::salted::SaltedLayout;
use super::state::{Migration, Phase};

/// Writes features as the old layout has them. For a table that something else has written until now, put that sink in its place.
#[derive(Clone, Debug)]
pub struct SaltedSink<T> {
    table: T,
    layout: Arc<SaltedLayout>,
}

impl<T: Table> SaltedSink<T> {
    /// Writes into `table`.
    pub fn new(table: T, layout: Arc<SaltedLayout>) -> Self {
        Self { table, layout }
    }
}

impl<T: Table> Sink for SaltedSink<T> {
    type Item = Features;
    type Writer = SaltedWriter<T>;

    fn name(&self) -> String {
        format!("old rows of {}", self.table.name())
    }

    fn placement(&self) -> Placement {
        QUEUE
    }

    fn open(&self, _: &SinkContext) -> Result<SaltedWriter<T>, SinkError> {
        Ok(SaltedWriter { sink: self.clone(), name: self.name() })
    }
}

/// Writes for a [`SaltedSink`].
#[derive(Debug)]
pub struct SaltedWriter<T> {
    sink: SaltedSink<T>,
    name: String,
}

impl<T: Table> SinkWriter for SaltedWriter<T> {
    type Item = Features;

    fn write(&mut self, items: &mut Vec<Features>) -> Result<(), SinkError> {
        let (mut batch, mut worst) = (Batch::default(), Worst::default());
        let rows: Vec<Result<Vec<usize>, TableError>> =
            items.iter().map(|item| self.sink.layout.rows(item, &mut batch)).collect();
        let written = if batch.is_empty() { Vec::new() } else { self.sink.table.put(&batch) };
        let failed = rows.iter().filter_map(|rows| rows.as_ref().err());
        failed.chain(written.iter().filter_map(|row| row.as_ref().err())).for_each(|error| worst.note(error));
        let mut rows = rows.into_iter();
        items.retain(|_| {
            let taken = |row: &usize| written.get(*row).is_some_and(Result::is_ok);
            !rows.next().is_some_and(|rows| rows.is_ok_and(|rows| rows.iter().all(taken)))
        });
        worst.told_by(&self.name)
    }

    fn barrier(&mut self, _: u64) -> Result<Positions, SinkError> {
        self.sink.table.sync().map_err(|error| error.of_sink(&self.name))?;
        Ok(Positions::default())
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.barrier(0).map(drop)
    }
}

/// Writes each item to the old table, and from [`Phase::Both`] on to the new one too. It counts as written once both have it: behind an
/// outbox one record stands for both, and a crash between the two is made good by the next offer.
#[derive(Debug)]
pub struct DualSink<O, N> {
    old: O,
    new: N,
    migration: Migration,
}

impl<O, N> DualSink<O, N> {
    /// Writes into `old`, and as far as `migration` says into `new`. Neither may mind to be given something twice.
    pub fn new(old: O, new: N, migration: Migration) -> Self {
        Self { old, new, migration }
    }
}

impl<I, O, N> Sink for DualSink<O, N>
where
    I: TableItem,
    O: Sink<Item = I>,
    N: Sink<Item = I>,
{
    type Item = I;
    type Writer = DualWriter<O::Writer, N::Writer>;

    fn name(&self) -> String {
        format!("{}, and {}", self.old.name(), self.new.name())
    }

    fn placement(&self) -> Placement {
        QUEUE
    }

    fn open(&self, context: &SinkContext) -> Result<Self::Writer, SinkError> {
        let (old, new) = (self.old.open(context)?, self.new.open(context)?);
        Ok(DualWriter { old, new, migration: self.migration.clone() })
    }
}

/// Writes for a [`DualSink`].
#[derive(Debug)]
pub struct DualWriter<O, N> {
    old: O,
    new: N,
    migration: Migration,
}

/// What tells an item from all others of its stage.
fn place<I: TableItem>(item: &I) -> (StreamKey, Timestamp, i64) {
    let info = item.window();
    (info.stream.key, info.start, info.index)
}

impl<I, O, N> SinkWriter for DualWriter<O, N>
where
    I: TableItem,
    O: SinkWriter<Item = I>,
    N: SinkWriter<Item = I>,
{
    type Item = I;

    fn write(&mut self, items: &mut Vec<I>) -> Result<(), SinkError> {
        let (phase, _stays) = self.migration.writing();
        let mut left = items.clone();
        let old = self.old.write(&mut left);
        let mut open: BTreeSet<_> = left.iter().map(place).collect();
        let new = if phase == Phase::Old {
            Ok(())
        } else {
            left.clone_from(items);
            let new = self.new.write(&mut left);
            open.extend(left.iter().map(place));
            new
        };
        items.retain(|item| open.contains(&place(item)));
        // What is worth another try comes first: what is left out for good is found again then.
        match (old, new) {
            (Err(old), Err(new)) if old.recovery() == Recovery::Skip => Err(new),
            (Err(error), _) | (_, Err(error)) => Err(error),
            (Ok(()), Ok(())) => Ok(()),
        }
    }

    fn barrier(&mut self, checkpoint: u64) -> Result<Positions, SinkError> {
        let mut positions = self.old.barrier(checkpoint)?;
        positions.absorb(self.new.barrier(checkpoint)?);
        Ok(positions)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        let old = self.old.finish();
        self.new.finish().and(old)
    }
}
