//! Directories are written before the first cell that needs them, and then no more.

use std::collections::HashMap;
use std::sync::Arc;

use neuraflow_core::model::{FeatureSpec, StreamHeader, StreamKey};

use super::item::TableItem;
use super::row::{Batch, Cell};
use super::stage::{Qualifier, Stage, cell_time};
use super::{RowKey, Table, TableError, directory, value};

/// Streams that are remembered; beyond them some directories are written once more, which changes nothing.
const REMEMBERED: usize = 65_536;
/// Headers, and layouts, that are remembered of a stream.
const OF_A_STREAM: usize = 16;

/// Which directories a writer has written.
#[derive(Debug, Default)]
pub(super) struct Directories(HashMap<StreamKey, Known>);

/// Headers and layouts with their ids. Items that come from a disk have copies of them, so that looking at the address is not enough.
#[derive(Debug, Default)]
struct Known {
    streams: Vec<(Arc<StreamHeader>, u64)>,
    layouts: Vec<(Arc<FeatureSpec>, u64)>,
}

/// The ids by which a cell names its header and its layout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids {
    stream: u64,
    layout: Option<u64>,
}

impl Ids {
    /// The cell of an item.
    pub(super) fn cell<I: TableItem>(self, item: &I, stage: &Stage) -> Cell {
        let info = item.window();
        let mut value = value::begin(info, self.stream, self.layout);
        item.write(&mut value);
        Cell {
            family: I::FAMILY,
            qualifier: Qualifier::of_window(info, stage).to_bytes(),
            timestamp: cell_time(info.end),
            value: value::seal(value),
        }
    }
}

impl Directories {
    /// Makes sure that the directories of some items are written, all in one batch, and gives their ids, or why they are not.
    pub(super) fn introduce<T: Table, I: TableItem>(
        &mut self,
        table: &T,
        items: &[I],
    ) -> Vec<Result<Ids, TableError>> {
        let mut batch = Batch::default();
        let mut ids: Vec<_> = items.iter().map(|item| self.ids(item, &mut batch)).collect();
        if batch.is_empty() {
            return ids;
        }
        let mut failed: HashMap<StreamKey, TableError> = HashMap::new();
        for (row, answer) in batch.rows().iter().zip(table.put(&batch)) {
            if let (Ok(key), Err(error)) = (RowKey::parse(&row.key), answer) {
                self.0.remove(&key.stream());
                failed.insert(key.stream(), error);
            }
        }
        for (item, ids) in items.iter().zip(&mut ids) {
            if let Some(error) = failed.get(&item.window().stream.key) {
                *ids = Err(error.clone());
            }
        }
        ids
    }

    /// The ids of an item; what is not known to be written goes into `batch`.
    fn ids<I: TableItem>(&mut self, item: &I, batch: &mut Batch) -> Result<Ids, TableError> {
        let stream = &item.window().stream;
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&stream.key) {
            self.0.clear();
        }
        let known = self.0.entry(stream.key).or_default();
        let row = RowKey::directory(stream.key);
        let id = remember(&mut known.streams, stream, &row, batch, directory::of_stream)?;
        let layout = item.layout();
        let layout =
            layout.map(|layout| remember(&mut known.layouts, layout, &row, batch, directory::of_layout));
        Ok(Ids { stream: id, layout: layout.transpose()? })
    }
}

fn remember<T: PartialEq>(
    known: &mut Vec<(Arc<T>, u64)>,
    content: &Arc<T>,
    row: &RowKey,
    batch: &mut Batch,
    cell: impl FnOnce(&T) -> Result<(u64, Cell), TableError>,
) -> Result<u64, TableError> {
    let is = |(other, _): &&(Arc<T>, u64)| Arc::ptr_eq(other, content) || other == content;
    if let Some((_, id)) = known.iter().find(is) {
        return Ok(*id);
    }
    let (id, cell) = cell(content)?;
    batch.add(row, cell)?;
    if known.len() >= OF_A_STREAM {
        known.clear();
    }
    known.push((Arc::clone(content), id));
    Ok(id)
}
