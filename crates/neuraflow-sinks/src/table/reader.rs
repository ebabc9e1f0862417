//! Reading results back: stream by stream, the newest first, as the table gives them.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::Arc;

use neuraflow_core::model::{Id, StreamHeader, StreamKey};

use super::directory::Directory;
use super::item::TableItem;
use super::key::{RowKey, stream_prefix};
use super::query::Query;
use super::row::{Cell, Families, Row, Scan, successor};
use super::stage::{Qualifier, Stage};
use super::{Table, TableError, value};

/// Reads what [`TableSink`](super::TableSink)s have written into a [`Table`].
///
#[cfg_attr(feature = "store", doc = "```")]
#[cfg_attr(not(feature = "store"), doc = "```ignore")]
/// use neuraflow_core::model::{Features, StreamKey};
/// use neuraflow_sinks::store::LocalTable;
/// use neuraflow_sinks::table::{Query, TableReader};
/// # let scratch = neuraflow_core::testing::Scratch::new()?;
/// # let file = scratch.file("results.redb");
/// let reader = TableReader::new(LocalTable::open(file)?);
/// let stream = StreamKey::of_names("session", "headset");
/// for found in reader.read::<Features>(Query::stream(stream).latest(20)) {
///     let found = found?;
///     println!("{} {}: {:?}", found.item.info.start, found.stage, found.item.values);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TableReader<T> {
    table: T,
}

/// A result, and the stage that computed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<I> {
    /// Which stage.
    pub stage: Stage,
    /// The result. Its window's arrival is 0.
    pub item: I,
}

impl<T: Table> TableReader<T> {
    /// Reads from `table`.
    pub fn new(table: T) -> Self {
        Self { table }
    }

    /// The results of one kind that a query asks for: stream by stream in the order of their keys, and the newest first in each.
    /// They are read as the iterator goes; an iterator that is dropped reads no further.
    ///
    /// Cells that cannot be read are told in their place, and the others follow. After any other error the iterator ends.
    pub fn read<I: TableItem>(&self, query: Query) -> Records<T, I> {
        let streams = Streams { table: self.table.clone(), left: Some(query.keys()) };
        Records { streams, query, current: None, ready: VecDeque::new(), ended: false, item: PhantomData }
    }

    /// The headers of all streams of a session, by their keys; of a stream that began anew with another header, all of them.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn streams(&self, tenant: Id, session: Id) -> Result<Vec<Arc<StreamHeader>>, TableError> {
        let mut streams =
            Streams { table: self.table.clone(), left: Some(Query::session(tenant, session).keys()) };
        let mut headers = Vec::new();
        while let Some((_, directory)) = streams.next()? {
            headers.extend(directory.into_streams());
        }
        Ok(headers)
    }
}

/// Finds the streams in a range of keys: reads the first row of each, and goes on beyond its last.
#[derive(Debug)]
struct Streams<T> {
    table: T,
    left: Option<Scan>,
}

impl<T: Table> Streams<T> {
    fn next(&mut self) -> Result<Option<(StreamKey, Directory)>, TableError> {
        let Some(scan) = self.left.take() else { return Ok(None) };
        let Some(row) = self.table.scan(&scan.clone().first(1)).next().transpose()? else { return Ok(None) };
        let stream = RowKey::parse(&row.key)?.stream();
        self.left = successor(&stream_prefix(&stream)).map(|start| Scan { start, ..scan });
        Ok(Some((stream, Directory::read(&row))))
    }
}

/// The results that a query asks for; see [`TableReader::read`].
pub struct Records<T: Table, I> {
    streams: Streams<T>,
    query: Query,
    current: Option<Current<T::Rows>>,
    /// Results of the row that was read last.
    ready: VecDeque<Result<Found<I>, TableError>>,
    ended: bool,
    item: PhantomData<I>,
}

/// The stream that is being read.
struct Current<R> {
    stream: StreamKey,
    directory: Directory,
    /// The directory is as new as the row that is being taken apart.
    fresh: bool,
    rows: R,
    /// How many more results of it are asked for.
    left: usize,
}

impl<T: Table, I: TableItem> Records<T, I> {
    /// Reads on until something is ready; false at the end.
    fn advance(&mut self) -> Result<bool, TableError> {
        loop {
            let Some(current) = &mut self.current else {
                let Some((stream, directory)) = self.streams.next()? else { return Ok(false) };
                let scan = self.query.rows(stream).of(Families::only(I::FAMILY));
                let left = self.query.latest.unwrap_or(usize::MAX);
                let rows = self.streams.table.scan(&scan);
                self.current = Some(Current { stream, directory, fresh: false, rows, left });
                continue;
            };
            match current.rows.next().transpose()? {
                Some(row) if current.left > 0 => {
                    self.take(row);
                    if !self.ready.is_empty() {
                        return Ok(true);
                    }
                }
                _ => self.current = None,
            }
        }
    }

    /// Takes the results out of a row.
    fn take(&mut self, row: Row) {
        let Some(current) = &mut self.current else { return };
        current.fresh = false;
        for cell in row.cells.iter().filter(|cell| cell.family == I::FAMILY) {
            if current.left == 0 {
                break;
            }
            let at = match Qualifier::parse(&cell.qualifier) {
                Ok(at) => at,
                Err(error) => {
                    self.ready.push_back(Err(error));
                    continue;
                }
            };
            let wanted = self.query.stage.as_ref().is_none_or(|stage| *stage == at.stage);
            if wanted && self.query.covers(at.start) {
                current.left -= 1;
                let found = current.found(&self.streams.table, at, cell);
                self.ready.push_back(found);
            }
        }
    }
}

impl<R> Current<R> {
    fn found<T: Table, I: TableItem>(
        &mut self,
        table: &T,
        at: Qualifier,
        cell: &Cell,
    ) -> Result<Found<I>, TableError> {
        let opened = value::open(&at, &cell.value, |id| self.look(table, |directory| directory.stream(id)))?;
        let layout = match opened.layout {
            Some(id) => Some(
                self.look(table, |directory| directory.layout(id))
                    .ok_or_else(|| value::malformed("a layout of the directory", format!("{id:016x}")))?,
            ),
            None => None,
        };
        Ok(Found { stage: at.stage, item: I::read(opened.info, layout.as_ref(), opened.body)? })
    }

    /// Looks something up. What is missing may have been written since the directory was read: it is read again, once a row.
    fn look<E>(&mut self, table: &impl Table, find: impl Fn(&Directory) -> Option<E>) -> Option<E> {
        if let Some(found) = find(&self.directory) {
            return Some(found);
        }
        if !std::mem::replace(&mut self.fresh, true)
            && let Some(Ok(row)) = table.scan(&Scan::stream(&self.stream).first(1)).next()
        {
            self.directory = Directory::read(&row);
        }
        find(&self.directory)
    }
}

impl<T: Table, I: TableItem> Iterator for Records<T, I> {
    type Item = Result<Found<I>, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.ready.pop_front() {
                return Some(found);
            }
            if self.ended {
                return None;
            }
            match self.advance() {
                Ok(true) => {}
                Ok(false) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
    }
}
