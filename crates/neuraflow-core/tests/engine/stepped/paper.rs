//! A sink that appends to a file of a disk that may fail, and cuts off what its checkpoint does not cover.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use neuraflow_core::checkpoint::{Disk, DiskFile};
use neuraflow_core::model::Positions;
use neuraflow_core::operator::Item;
use neuraflow_core::sink::{Overflow, Placement, Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_core::testing::SimulatedDisk;

use super::super::recovery::sink::Row;

/// A file at the end of a path. Each row is a line: whose it is, and all its bits.
pub(super) struct Paper<T> {
    pub(super) name: &'static str,
    pub(super) disk: Arc<SimulatedDisk>,
    pub(super) row: fn(&T) -> Row,
    /// A planted bug: nothing is cut off, so that what is computed again is there twice.
    pub(super) keeps_all: bool,
}

fn failed(name: &'static str, action: &'static str) -> impl Fn(io::Error) -> SinkError {
    move |source| SinkError::Io { sink: name.into(), action, target: "its paper".into(), source }
}

impl<T: Item> Sink for Paper<T> {
    type Item = T;
    type Writer = Pen<T>;

    fn name(&self) -> String {
        self.name.into()
    }

    fn placement(&self) -> Placement {
        Placement::Thread { capacity: 12, overflow: Overflow::Block }
    }

    fn open(&self, context: &SinkContext) -> Result<Pen<T>, SinkError> {
        let mut length = context.from.as_ref().and_then(|from| from.get("bytes")).unwrap_or(0);
        if self.keeps_all {
            let there = self.disk.read(self.name, 0, u64::MAX).map_or(0, |bytes| bytes.len() as u64);
            length = length.max(there);
        }
        let file = self.disk.append_to(self.name, length).map_err(failed(self.name, "open"))?;
        self.disk.sync_names().map_err(failed(self.name, "open"))?;
        Ok(Pen { name: self.name, file, row: self.row, length })
    }
}

pub(super) struct Pen<T> {
    name: &'static str,
    file: Box<dyn DiskFile>,
    row: fn(&T) -> Row,
    length: u64,
}

impl<T> Pen<T> {
    fn sync(&mut self) -> Result<(), SinkError> {
        self.file.sync().map_err(failed(self.name, "sync"))
    }
}

impl<T: Item> SinkWriter for Pen<T> {
    type Item = T;

    fn write(&mut self, items: &mut Vec<T>) -> Result<(), SinkError> {
        let mut lines = String::new();
        for item in items.drain(..) {
            let (stream, row) = (self.row)(&item);
            lines.push_str(&format!("{stream}\t{row}\n"));
        }
        self.file.append(lines.as_bytes()).map_err(failed(self.name, "write"))?;
        self.length += lines.len() as u64;
        Ok(())
    }

    fn barrier(&mut self, _: u64) -> Result<Positions, SinkError> {
        self.sync()?;
        let mut positions = Positions::default();
        positions.set("bytes", self.length);
        Ok(positions)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.sync()
    }
}

/// The rows of each stream in a file, in their order. What is no row is kept as one, of nobody.
pub(super) fn rows(disk: &SimulatedDisk, name: &str) -> BTreeMap<String, Vec<String>> {
    let bytes = disk.read(name, 0, u64::MAX).unwrap_or_default();
    let mut streams = BTreeMap::<String, Vec<String>>::new();
    for line in String::from_utf8_lossy(&bytes).lines() {
        let (stream, row) = line.split_once('\t').unwrap_or(("", line));
        streams.entry(stream.to_owned()).or_default().push(row.to_owned());
    }
    streams
}
