//! Reading while others write.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use neuraflow_core::model::{Decision, Features, Timestamp};
use neuraflow_core::sink::{Sink, SinkContext, SinkWriter};
use neuraflow_core::testing::Scratch;
use neuraflow_sinks::layer::{Outbox, OutboxConfig};
use neuraflow_sinks::store::LocalTable;
use neuraflow_sinks::table::{Batch, Query, Scan, Table, TableError, TableReader, TableSink};

use super::kit::*;

/// A table into which somebody writes a stream with a new header just before a certain scan.
#[derive(Clone)]
struct Busy {
    table: LocalTable,
    scans: Arc<AtomicUsize>,
    before: usize,
}

fn anew() -> Features {
    let mut header = (*header(key(1, "session", "headset"), "headset")).clone();
    header.t0 = Timestamp::from_nanos(SECOND);
    features(&Arc::new(header), SECOND, 2.0)
}

impl Table for Busy {
    type Rows = <LocalTable as Table>::Rows;

    fn name(&self) -> String {
        self.table.name()
    }

    fn put(&self, batch: &Batch) -> Vec<Result<(), TableError>> {
        self.table.put(batch)
    }

    fn scan(&self, scan: &Scan) -> Self::Rows {
        if self.scans.fetch_add(1, Ordering::Relaxed) == self.before {
            write(&self.table, "power", &[anew()]).unwrap();
        }
        self.table.scan(scan)
    }

    fn sync(&self) -> Result<(), TableError> {
        self.table.sync()
    }
}

#[test]
fn a_header_that_is_written_after_the_directory_was_read_is_found() {
    let scratch = Scratch::new().unwrap();
    let table = LocalTable::open(scratch.file("table")).unwrap();
    let old = features(&header(key(1, "session", "headset"), "headset"), 0, 1.0);
    write(&table, "power", std::slice::from_ref(&old)).unwrap();
    // The first scan finds the stream and its directory, the second reads the rows.
    let busy = Busy { table, scans: Arc::default(), before: 1 };
    let found = TableReader::new(busy.clone()).read::<Features>(Query::stream(old.info.stream.key));
    let found: Vec<Features> = found.map(|found| found.unwrap().item).collect();
    assert_eq!(found, [anew(), old]);
    assert_eq!(busy.scans.load(Ordering::Relaxed), 4, "stream, rows, directory again, no further stream");
}

#[test]
fn decisions_go_through_an_outbox() {
    let scratch = Scratch::new().unwrap();
    let table = LocalTable::open(scratch.file("table")).unwrap();
    let stream = header(key(1, "session", "headset"), "headset");
    let intents = [Some("left"), None, Some("right")];
    let mut items: Vec<Decision<String>> =
        (0..).zip(intents).map(|(n, intent)| decision(&stream, n * HOP, intent)).collect();
    let mut wanted = items.clone();
    wanted.reverse();
    let sink = TableSink::new(table.clone(), stage("intent"));
    let outbox = Outbox::new(sink, scratch.file("outbox"), OutboxConfig::default()).unwrap();
    let mut writer = outbox.open(&SinkContext::default()).unwrap();
    writer.write(&mut items).unwrap();
    writer.finish().unwrap();
    assert_eq!(read::<_, Decision<String>>(&table, Query::stream(stream.key)), wanted);
}
