//! Answers that are not all well: exactly the entries that failed for now are sent again, and reads go on where they broke off.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bigtable_rs::google::bigtable::v2::ReadRowsResponse;
use bigtable_rs::google::bigtable::v2::read_rows_response::CellChunk;
use bigtable_rs::google::bigtable::v2::read_rows_response::cell_chunk::RowStatus;
use bigtable_rs::google::bigtable::v2::row_range::StartKey;
use neuraflow_core::model::{Features, Recovery};
use neuraflow_core::resilience::Backoff;
use neuraflow_core::sink::{Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_core::testing::Random;
use neuraflow_sinks::bigtable::{Bigtable, BigtableConfig};
use neuraflow_sinks::table::{RowKey, Scan, Table, TableError, TableSink};
use tonic::{Code, Status};

use super::fake::{Fake, Fate};
use super::kit::*;

fn table(fake: &Fake, attempts: u32) -> Bigtable {
    let config = BigtableConfig::new("project", "instance", "table");
    Bigtable::connect(BigtableConfig {
        emulator: Some(fake.address.to_string()),
        deadline: Duration::from_secs(10),
        attempts,
        backoff: Backoff::new(Duration::from_millis(1), Duration::from_millis(2)),
        seed: 1,
        ..config
    })
    .unwrap()
}

fn directory(key: &[u8]) -> bool {
    RowKey::parse(key).unwrap().second().is_none()
}

/// One item a second, so that each is an entry.
fn items(count: i64) -> Vec<Features> {
    let stream = header(key(1, "session", "headset"), "headset");
    (0..count).map(|n| features(&stream, n * SECOND, n as f64)).collect()
}

fn write_some(table: &Bigtable, items: &mut Vec<Features>) -> Result<(), SinkError> {
    TableSink::new(table.clone(), stage("power")).open(&SinkContext::default()).unwrap().write(items)
}

#[test]
fn exactly_the_entries_that_failed_are_sent_again() {
    let seed = 20_261_128;
    println!("seed {seed}");
    let mut random = Random::new(seed);
    // Half of the entries of a call fail, or are not answered at all.
    let failed: Arc<Mutex<Vec<Vec<Vec<u8>>>>> = Arc::default();
    let fake = Fake::start({
        let failed = Arc::clone(&failed);
        move |call, key| {
            let fate = match random.below(6) {
                _ if directory(key) => Fate::Taken,
                0 => Fate::Fails(Code::Unavailable),
                1 => Fate::Unanswered,
                2 => Fate::Fails(Code::Aborted),
                _ => Fate::Taken,
            };
            let mut failed = failed.lock().unwrap();
            failed.resize(call + 1, Vec::new());
            if fate != Fate::Taken {
                failed[call].push(key.to_vec());
            }
            fate
        }
    });
    let mut left = items(64);
    write_some(&table(&fake, 30), &mut left).unwrap();
    assert!(left.is_empty());
    let calls = fake.calls();
    let calls = &calls[1..]; // the first is the directory
    assert_eq!(calls[0].len(), 64);
    assert!(calls.len() > 3, "{} calls", calls.len());
    let failed = failed.lock().unwrap();
    for (call, sent) in calls.iter().enumerate().skip(1) {
        assert_eq!(*sent, failed[call], "call {call} sends what failed in the one before");
    }
    assert!(failed[calls.len()].is_empty());
}

#[test]
fn half_of_the_entries_fail_once_and_only_they_come_twice() {
    let odd = |key: &[u8]| RowKey::parse(key).unwrap().second().is_some_and(|second| second % 2 == 1);
    let fake = Fake::start(move |call, key| match call {
        1 if odd(key) => Fate::Fails(Code::Unavailable),
        _ => Fate::Taken,
    });
    write_some(&table(&fake, 3), &mut items(64)).unwrap();
    let calls = fake.calls();
    assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [1, 64, 32]);
    let failed: Vec<Vec<u8>> = calls[1].iter().filter(|key| odd(key)).cloned().collect();
    assert_eq!(calls[2], failed);
}

#[test]
fn what_still_fails_is_left_for_the_next_offer_and_told_as_worth_it() {
    let fake = Fake::start(|call, key| match RowKey::parse(key).unwrap().second() {
        Some(second) if second < 3 && call < 3 => Fate::Fails(Code::Unavailable),
        _ => Fate::Taken,
    });
    let (table, all) = (table(&fake, 2), items(10));
    let mut left = all.clone();
    let error = write_some(&table, &mut left).unwrap_err();
    assert_eq!((error.recovery(), &left[..]), (Recovery::Retry, &all[..3]), "{error}");
    write_some(&table, &mut left).unwrap();
    assert!(left.is_empty());
    // Directory, ten, three again; another writer's directory, and the three.
    assert_eq!(fake.calls().iter().map(Vec::len).collect::<Vec<_>>(), [1, 10, 3, 1, 3]);
}

#[test]
fn what_is_refused_is_sent_once_and_left_out() {
    let fake = Fake::start(|_, key| match RowKey::parse(key).unwrap().second() {
        Some(4) => Fate::Fails(Code::InvalidArgument),
        _ => Fate::Taken,
    });
    let (table, all) = (table(&fake, 3), items(10));
    let mut left = all.clone();
    let error = write_some(&table, &mut left).unwrap_err();
    assert_eq!((error.recovery(), &left[..]), (Recovery::Skip, &all[4..5]), "{error}");
    assert!(error.to_string().contains("InvalidArgument: as told"), "{error}");
    assert_eq!(fake.calls().iter().map(Vec::len).collect::<Vec<_>>(), [1, 10]);
}

#[test]
fn nothing_is_written_of_a_stream_whose_directory_is_not() {
    let fake =
        Fake::start(|_, key| if directory(key) { Fate::Fails(Code::Unavailable) } else { Fate::Taken });
    let mut left = items(10);
    let error = write_some(&table(&fake, 2), &mut left).unwrap_err();
    assert_eq!((error.recovery(), left.len()), (Recovery::Retry, 10), "{error}");
    assert!(fake.calls().iter().flatten().all(|key| directory(key)));
}

fn chunk(key: &[u8], value: &[u8], whole: i32, commit: bool) -> CellChunk {
    CellChunk {
        row_key: key.to_vec(),
        family_name: (!key.is_empty()).then(|| "f".into()),
        qualifier: (!key.is_empty()).then(|| b"q".to_vec()),
        timestamp_micros: 1_000,
        value: value.to_vec(),
        value_size: whole,
        row_status: commit.then_some(RowStatus::CommitRow(true)),
        ..CellChunk::default()
    }
}

fn message(chunks: Vec<CellChunk>) -> ReadRowsResponse {
    ReadRowsResponse { chunks, ..ReadRowsResponse::default() }
}

#[test]
fn a_read_goes_on_after_the_last_whole_row() {
    let fake = Fake::start(|_, _| Fate::Taken);
    let cut = || Some(Status::unavailable("as told"));
    // A row over two messages, another whose second half never comes.
    let first = message(vec![chunk(b"a", b"1", 0, true), chunk(b"b", b"2", 2, false)]);
    let second = message(vec![chunk(b"", b"2", 0, true), chunk(b"c", b"3", 2, false)]);
    fake.will_read(vec![first, second], cut());
    fake.will_read(Vec::new(), cut());
    let skipped = ReadRowsResponse { last_scanned_row_key: b"m".to_vec(), ..ReadRowsResponse::default() };
    fake.will_read(vec![message(vec![chunk(b"c", b"33", 0, true)]), skipped], cut());
    fake.will_read(vec![message(vec![chunk(b"z", b"4", 0, true)])], None);
    let rows = table(&fake, 3).scan(&Scan::everything().first(9));
    let found: Vec<(Vec<u8>, Vec<u8>)> =
        rows.map(|row| row.unwrap()).map(|row| (row.key, row.cells[0].value.clone())).collect();
    let wanted = [("a", "1"), ("b", "22"), ("c", "33"), ("z", "4")];
    assert_eq!(found, wanted.map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())));
    let asked = fake.asked().into_iter().map(|request| {
        let range = request.rows.unwrap().row_ranges.remove(0);
        let Some(StartKey::StartKeyClosed(start)) = range.start_key else { panic!("{range:?}") };
        (start, request.rows_limit)
    });
    let wanted = [(&b""[..], 9), (b"b\0", 7), (b"b\0", 7), (b"m\0", 6)];
    assert_eq!(asked.collect::<Vec<_>>(), wanted.map(|(start, limit)| (start.to_vec(), limit)));
}

#[test]
fn a_read_that_breaks_off_again_and_again_is_an_error_after_what_was_read() {
    let fake = Fake::start(|_, _| Fate::Taken);
    fake.will_read(vec![message(vec![chunk(b"a", b"1", 0, true)])], Some(Status::unavailable("as told")));
    for _ in 0..9 {
        fake.will_read(Vec::new(), Some(Status::unavailable("as told")));
    }
    let found: Vec<_> = table(&fake, 3).scan(&Scan::everything()).collect();
    assert_eq!(found.len(), 2);
    assert!(matches!(&found[1], Err(TableError::Unavailable { action: "read", .. })), "{found:?}");
    assert_eq!(fake.asked().len(), 3);
}

#[test]
fn an_answer_that_makes_no_sense_is_not_asked_for_again() {
    let fake = Fake::start(|_, _| Fate::Taken);
    fake.will_read(vec![message(vec![chunk(b"", b"1", 0, true)])], None);
    let found: Vec<_> = table(&fake, 3).scan(&Scan::everything()).collect();
    assert!(matches!(&found[..], [Err(TableError::Failed { action: "read", .. })]), "{found:?}");
    assert_eq!(fake.asked().len(), 1);
}
