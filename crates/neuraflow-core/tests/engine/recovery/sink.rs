//! A sink that appends, keeps what it has, and goes back to what a checkpoint covers when it is opened again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use neuraflow_core::model::Positions;
use neuraflow_core::operator::Item;
use neuraflow_core::sink::{Overflow, Placement, Sink, SinkContext, SinkError, SinkWriter};

use super::tape::Fuse;

/// A row: whose it is, and all its bits.
pub(crate) type Row = (String, String);

/// What outlives a run.
pub(crate) type File = Arc<Mutex<Vec<Row>>>;

pub(crate) struct Append<T> {
    pub(crate) name: String,
    pub(crate) file: File,
    pub(crate) row: fn(&T) -> Row,
    pub(crate) fuse: Fuse,
    pub(crate) capacity: usize,
}

impl<T: Item> Sink for Append<T> {
    type Item = T;
    type Writer = Appending<T>;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn placement(&self) -> Placement {
        Placement::Thread { capacity: self.capacity, overflow: Overflow::Block }
    }

    fn open(&self, context: &SinkContext) -> Result<Appending<T>, SinkError> {
        let from = context.from.as_ref().and_then(|from| from.get("rows")).unwrap_or(0);
        let mut rows = self.file.lock().unwrap();
        assert!(rows.len() as u64 >= from, "{}: durable rows are gone", self.name);
        rows.truncate(from as usize);
        Ok(Appending { file: Arc::clone(&self.file), row: self.row, fuse: self.fuse.clone() })
    }
}

pub(crate) struct Appending<T> {
    file: File,
    row: fn(&T) -> Row,
    fuse: Fuse,
}

impl<T: Item> SinkWriter for Appending<T> {
    type Item = T;

    fn write(&mut self, items: &mut Vec<T>) -> Result<(), SinkError> {
        if self.fuse.burns() {
            return Err(SinkError::Disconnected { sink: "append".into() });
        }
        self.file.lock().unwrap().extend(items.drain(..).map(|item| (self.row)(&item)));
        Ok(())
    }

    fn barrier(&mut self, _: u64) -> Result<Positions, SinkError> {
        let mut positions = Positions::default();
        positions.set("rows", self.file.lock().unwrap().len() as u64);
        Ok(positions)
    }
}

/// The rows of each stream, in their order.
pub(crate) fn by_stream(file: &File) -> BTreeMap<String, Vec<String>> {
    let mut streams = BTreeMap::<String, Vec<String>>::new();
    for (stream, row) in file.lock().unwrap().iter() {
        streams.entry(stream.clone()).or_default().push(row.clone());
    }
    streams
}
