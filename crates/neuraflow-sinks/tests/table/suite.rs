//! What every table does. Each function is given an empty one.

use std::sync::Arc;

use neuraflow_core::model::{Decision, Features, Recovery, StreamHeader, Timestamp, Window};
use neuraflow_core::sink::{Sink, SinkContext, SinkWriter};
use neuraflow_sinks::table::{
    Batch, Cell, Families, Family, Found, Query, RowKey, Scan, Table, TableError, TableReader, TableSink,
};

use super::kit::*;

/// The suite as tests of one kind of table; `$open` hands an empty one to a function.
macro_rules! conformance {
    ($open:path: $($name:ident)*) => {
        $(#[test]
        fn $name() {
            $open(|table| $crate::suite::$name(&table));
        })*
    };
    ($open:path) => {
        $crate::suite::conformance!($open:
            items_come_back_as_they_were
            a_nan_stays_a_nan
            writing_again_changes_nothing
            rows_are_in_the_order_of_their_keys
            ranges_end_where_they_say
            the_ends_of_time_are_in_reach
            the_latest_are_the_newest_of_each_stream
            tenants_sessions_and_devices_are_apart
            reading_stops_early_and_goes_on_row_by_row
            a_stream_may_begin_anew_with_another_header
            what_is_too_large_is_left_out_and_all_else_is_written
            nothing_to_write_is_no_trouble
            foreign_cells_are_told_and_the_others_follow
        );
    };
}
pub(crate) use conformance;

pub fn items_come_back_as_they_were<T: Table>(table: &T) {
    let stream = header(key(1, "Sitzung ✓", "头戴式耳机"), "头戴式耳机");
    let of = Query::stream(stream.key);
    let numbers =
        vec![features(&stream, 0, 1.25), epoch(&stream, 0, 7, "Ton"), epoch(&stream, 0, 8, "Licht")];
    write(table, "α power", &numbers).unwrap();
    let mut back: Vec<Features> = read(table, of.clone());
    back.sort_by_key(|item| (item.info.marker.is_some(), item.info.index));
    assert_eq!(back, numbers);

    write(table, "raw", &[window(&stream, 0)]).unwrap();
    assert_eq!(read::<_, Window>(table, of.clone()), [window(&stream, 0)]);

    let decisions = [decision(&stream, HOP, Some("左")), decision(&stream, 0, None)];
    write(table, "intent", &decisions).unwrap();
    assert_eq!(read::<_, Decision<String>>(table, of.clone()), decisions);

    let found: Vec<Found<Features>> =
        TableReader::new(table.clone()).read(of.latest(1)).collect::<Result<_, _>>().unwrap();
    assert_eq!(found[0].stage, stage("α power"));
    let headers = TableReader::new(table.clone()).streams(stream.key.tenant, stream.key.session).unwrap();
    assert_eq!(headers, [stream]);
}

pub fn writing_again_changes_nothing<T: Table>(table: &T) {
    let stream = header(key(1, "session", "headset"), "headset");
    let items: Vec<Features> = (0..40).map(|n| features(&stream, n * HOP, n as f64)).collect();
    write(table, "power", &items).unwrap();
    let before = everything(table);
    // Another writer, another order, other batches, another arrival.
    for part in items.chunks(7).rev() {
        let mut part = part.to_vec();
        part.iter_mut().for_each(|item| item.info.arrival = 99);
        write(table, "power", &part).unwrap();
    }
    assert_eq!(everything(table), before);
    let keys: Vec<_> = before.iter().map(|row| RowKey::parse(&row.key).unwrap().second()).collect();
    assert_eq!(keys, [None, Some(1), Some(0)]);
    assert!(before.iter().skip(1).all(|row| row.cells.len() == 20));
}

pub fn a_nan_stays_a_nan<T: Table>(table: &T) {
    let stream = header(key(1, "session", "headset"), "headset");
    let mut item = features(&stream, 0, f64::NAN);
    item.values[1] = -f64::NAN;
    write(table, "power", &[item.clone()]).unwrap();
    let back: Vec<Features> = read(table, Query::stream(stream.key));
    let nans: Vec<bool> = back[0].values.iter().map(|value| value.is_nan()).collect();
    assert_eq!((nans, &back[0].values[2..]), (vec![true, true, false, false], &item.values[2..]));
    let mut raw = window(&stream, 0);
    raw.samples.extend_missing(1);
    write(table, "raw", &[raw]).unwrap();
    let back: Vec<Window> = read(table, Query::stream(stream.key));
    assert!(back[0].samples.values()[4..].iter().all(|value| value.is_nan()) && back[0].samples.len() == 3);
}

pub fn rows_are_in_the_order_of_their_keys<T: Table>(table: &T) {
    // Ids that need all of their bytes, seconds on both sides of the epoch.
    for (tenant, device) in [(u128::MAX, "a"), (0, "a"), (1 << 127, "b"), (255, "a"), (256, "a"), (0, "b")] {
        let stream = header(key(tenant, "session", device), device);
        let items: Vec<Features> = (-3..3).map(|second| features(&stream, second * SECOND, 0.0)).collect();
        write(table, "power", &items).unwrap();
        write(table, "raw", &[window(&stream, 0)]).unwrap();
    }
    let rows = everything(table);
    assert_eq!(rows.len(), 6 * 7);
    assert!(rows.is_sorted_by(|a, b| a.key < b.key));
    for row in &rows {
        assert!(row.cells.is_sorted_by_key(|cell| (cell.family, cell.qualifier.clone())));
    }
    // A range of keys is that part of it, and a limit its beginning.
    let (start, end) = (rows[5].key.clone(), Some(rows[20].key.clone()));
    let scan = Scan { start, end, ..Scan::everything() };
    let found = |scan: &Scan| table.scan(scan).collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(found(&scan), rows[5..20]);
    assert_eq!(found(&scan.clone().first(4)), rows[5..9]);
    assert!(found(&scan.clone().first(0)).is_empty());
    let backwards = Scan { start: rows[9].key.clone(), end: Some(rows[9].key.clone()), ..Scan::everything() };
    assert!(found(&backwards).is_empty());
    // Rows without a cell of the families asked for are left out, before they are counted.
    let raw = found(&Scan::everything().of(Families::only(Family::Windows)).first(5));
    assert_eq!(raw.len(), 5);
    assert!(raw.iter().flat_map(|row| &row.cells).all(|cell| cell.family == Family::Windows));
}

pub fn ranges_end_where_they_say<T: Table>(table: &T) {
    let stream = header(key(1, "session", "headset"), "headset");
    // A grid that no second is a multiple of: windows lie across seconds, and belong to that in which they begin.
    let all: Vec<i64> = (-60..60).map(|n| n * 70_000_000 - 7).collect();
    let items: Vec<Features> = all.iter().map(|start| features(&stream, *start, 0.0)).collect();
    write(table, "power", &items).unwrap();
    let edges = [
        i64::MIN,
        -4 * SECOND,
        -SECOND - 1,
        -SECOND,
        -SECOND + 1,
        -7,
        -1,
        0,
        1,
        all[70],
        all[70] + 1,
        SECOND,
        SECOND + 1,
        2 * SECOND,
        i64::MAX,
    ];
    for from in edges {
        for until in edges {
            let query = Query::stream(stream.key)
                .from(Timestamp::from_nanos(from))
                .until(Timestamp::from_nanos(until));
            let wanted: Vec<i64> =
                all.iter().rev().copied().filter(|start| (from..until).contains(start)).collect();
            assert_eq!(starts(&read(table, query)), wanted, "{from} to {until}");
        }
    }
    write(table, "other", &items[..3]).unwrap();
    let of = |name| starts(&read(table, Query::stream(stream.key).of_stage(stage(name))));
    assert_eq!((of("power").len(), of("other").len(), of("none").len()), (120, 3, 0));
}

pub fn the_ends_of_time_are_in_reach<T: Table>(table: &T) {
    let stream = header(key(1, "session", "headset"), "headset");
    let ends = [i64::MAX, i64::MAX - SECOND, 0, -1, i64::MIN + SECOND, i64::MIN];
    let items: Vec<Features> = ends.iter().map(|start| features(&stream, *start, 1.0)).collect();
    write(table, "power", &items).unwrap();
    assert_eq!(read::<_, Features>(table, Query::stream(stream.key)), items);
    let last = Query::stream(stream.key).from(Timestamp::from_nanos(i64::MAX));
    assert_eq!(starts(&read(table, last)), [i64::MAX]);
    let first = Query::stream(stream.key).until(Timestamp::from_nanos(i64::MIN + 1));
    assert_eq!(starts(&read(table, first)), [i64::MIN]);
    assert!(
        read::<_, Features>(table, Query::stream(stream.key).until(Timestamp::from_nanos(i64::MIN)))
            .is_empty()
    );
}

pub fn the_latest_are_the_newest_of_each_stream<T: Table>(table: &T) {
    let streams: Vec<Arc<StreamHeader>> = (0..3)
        .map(|signal| header(key(1, "session", "headset").with_signal(signal), &format!("signal {signal}")))
        .collect();
    for (n, stream) in streams.iter().enumerate() {
        let count = 10 + 30 * n as i64;
        let items: Vec<Features> = (0..count).map(|k| features(stream, k * HOP, 0.0)).collect();
        write(table, "power", &items).unwrap();
        write(table, "other", &items[..5]).unwrap();
    }
    let session = Query::session(streams[0].key.tenant, streams[0].key.session).of_stage(stage("power"));
    for count in [0, 1, 25] {
        let found: Vec<Features> = read(table, session.clone().latest(count));
        for (n, stream) in streams.iter().enumerate() {
            let all = 10 + 30 * n as i64;
            let wanted: Vec<i64> = (0..all).rev().take(count).map(|k| k * HOP).collect();
            let of: Vec<Features> =
                found.iter().filter(|item| item.info.stream.key == stream.key).cloned().collect();
            assert_eq!(starts(&of), wanted, "{count} of {}", stream.name);
        }
    }
    // The newest before a moment.
    let before = Query::stream(streams[2].key)
        .until(Timestamp::from_nanos(8 * HOP))
        .of_stage(stage("power"))
        .latest(2);
    assert_eq!(starts(&read(table, before)), [7 * HOP, 6 * HOP]);
}

pub fn tenants_sessions_and_devices_are_apart<T: Table>(table: &T) {
    let mut streams = Vec::new();
    for tenant in [0, 1, u128::MAX] {
        for session in ["a", "b"] {
            for device in ["x", "y"] {
                let stream = header(key(tenant, session, device), device);
                write(table, "power", &[features(&stream, 0, streams.len() as f64)]).unwrap();
                streams.push(stream);
            }
        }
    }
    for (n, stream) in streams.iter().enumerate() {
        let of = |query| {
            let mut values: Vec<f64> =
                read::<_, Features>(table, query).iter().map(|f| f.values[0]).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let (tenant, session, device) = (stream.key.tenant, stream.key.session, stream.key.device);
        let pair = (n - n % 2) as f64;
        assert_eq!(of(Query::session(tenant, session)), [pair, pair + 1.0]);
        assert_eq!(of(Query::device(tenant, session, device)), [n as f64]);
        assert_eq!(of(Query::stream(stream.key)), [n as f64]);
        let mut headers = TableReader::new(table.clone()).streams(tenant, session).unwrap();
        headers.sort_by_key(|header| header.name.clone());
        assert_eq!(
            headers.iter().map(|header| header.key).collect::<Vec<_>>(),
            [streams[n - n % 2].key, streams[n - n % 2 + 1].key]
        );
        let rows = table.scan(&Scan::session(tenant, session)).count();
        assert_eq!(rows, 4, "two streams, each with a directory");
    }
}

pub fn reading_stops_early_and_goes_on_row_by_row<T: Table>(table: &T) {
    let stream = header(key(1, "session", "headset"), "headset");
    let items: Vec<Features> = (0..2_000).map(|n| features(&stream, n * HOP, n as f64)).collect();
    write(table, "power", &items).unwrap();
    let reader = TableReader::new(table.clone());
    let mut records = reader.read::<Features>(Query::stream(stream.key));
    let first: Vec<f64> = records.by_ref().take(3).map(|found| found.unwrap().item.values[0]).collect();
    assert_eq!(first, [1999.0, 1998.0, 1997.0]);
    // Meanwhile somebody else reads and writes.
    let newer: Vec<Features> = (2_000..2_010).map(|n| features(&stream, n * HOP, n as f64)).collect();
    write(table, "power", &newer).unwrap();
    assert_eq!(starts(&read(table, Query::stream(stream.key).latest(1))), [2_009 * HOP]);
    let rest: Vec<f64> = records.map(|found| found.unwrap().item.values[0]).collect();
    assert_eq!(rest.len(), 1_997);
    assert!(rest.is_sorted_by(|a, b| a > b));
}

pub fn a_stream_may_begin_anew_with_another_header<T: Table>(table: &T) {
    let first = header(key(1, "session", "headset"), "headset");
    let mut anew = (*first).clone();
    (anew.t0, anew.name) = (Timestamp::from_nanos(10 * SECOND), "headset, other montage".into());
    let anew = Arc::new(anew);
    let wide = |start| {
        let mut item = features(&anew, start, 2.0);
        let mut spec = (*item.spec).clone();
        spec.columns = ["γ".to_owned()].into();
        (item.spec, item.values) = (Arc::new(spec), vec![5.0, 6.0]);
        item
    };
    let mut writer = TableSink::new(table.clone(), stage("power")).open(&SinkContext::default()).unwrap();
    writer.write(&mut vec![features(&first, 0, 1.0), wide(10 * SECOND), features(&first, HOP, 1.0)]).unwrap();
    writer.finish().unwrap();
    let found: Vec<Features> = read(table, Query::stream(first.key));
    assert_eq!(found, [wide(10 * SECOND), features(&first, HOP, 1.0), features(&first, 0, 1.0)]);
    let mut headers = TableReader::new(table.clone()).streams(first.key.tenant, first.key.session).unwrap();
    headers.sort_by_key(|header| header.t0);
    assert_eq!(headers, [first, anew]);
}

pub fn what_is_too_large_is_left_out_and_all_else_is_written<T: Table>(table: &T) {
    let stream = header(key(1, "session", "headset"), "headset");
    let mut large = window(&stream, HOP);
    large.samples.extend_missing(Batch::MAX_CELL / 8);
    let mut writer = TableSink::new(table.clone(), stage("raw")).open(&SinkContext::default()).unwrap();
    let mut items = vec![window(&stream, 0), large.clone(), window(&stream, 2 * HOP)];
    let error = writer.write(&mut items).unwrap_err();
    assert_eq!(error.recovery(), Recovery::Skip, "{error}");
    assert!(error.to_string().contains("bytes of a cell: expected at most 10485760, found 10485"), "{error}");
    assert_eq!((items.len(), items[0].info.start), (1, large.info.start));
    writer.finish().unwrap();
    let found: Vec<Window> = read(table, Query::stream(stream.key));
    assert_eq!(found, [window(&stream, 2 * HOP), window(&stream, 0)]);
    let cell = |qualifier: usize, timestamp| Cell {
        family: Family::Features,
        qualifier: vec![b'q'; qualifier],
        timestamp,
        value: Vec::new(),
    };
    let row = RowKey::directory(stream.key);
    for (qualifier, timestamp) in [(Batch::MAX_QUALIFIER + 1, 0), (1, -1_000), (1, 1)] {
        assert!(Batch::default().add(&row, cell(qualifier, timestamp)).is_err());
    }
    // The largest there may be are taken, and come back.
    let mut batch = Batch::default();
    batch.add(&row, Cell { value: vec![7; Batch::MAX_CELL], ..cell(Batch::MAX_QUALIFIER, 0) }).unwrap();
    assert_eq!(table.put(&batch), [Ok(())]);
    let back =
        table.scan(&Scan::stream(&stream.key).of(Families::only(Family::Features))).next().unwrap().unwrap();
    assert_eq!(back, batch.rows()[0]);
}

pub fn nothing_to_write_is_no_trouble<T: Table>(table: &T) {
    write::<_, Features>(table, "power", &[]).unwrap();
    assert!(table.put(&Batch::default()).is_empty());
    assert!(everything(table).is_empty());
    let stream = key(1, "session", "headset");
    assert!(read::<_, Features>(table, Query::stream(stream)).is_empty());
    assert!(TableReader::new(table.clone()).streams(stream.tenant, stream.session).unwrap().is_empty());
}

pub fn foreign_cells_are_told_and_the_others_follow<T: Table>(table: &T) {
    let stream = header(key(1, "session", "headset"), "headset");
    write(table, "power", &[features(&stream, 0, 1.0), features(&stream, 3 * SECOND, 2.0)]).unwrap();
    let row = RowKey::of_time(stream.key, Timestamp::from_nanos(SECOND));
    let whole = everything(table)[1].cells[0].clone();
    let mut decayed = whole.clone();
    decayed.value[20] ^= 1;
    let mut newer = whole.clone();
    newer.value[0] = 2;
    let mut batch = Batch::default();
    for (name, cell) in
        [("decayed", decayed), ("newer", newer), ("short", Cell { value: vec![1], ..whole.clone() })]
    {
        let qualifier = [&whole.qualifier[..8], name.as_bytes()].concat();
        batch.add(&row, Cell { qualifier, ..cell }).unwrap();
    }
    batch.add(&row, Cell { qualifier: b"no".to_vec(), ..whole }).unwrap();
    assert!(table.put(&batch).into_iter().all(|entry| entry.is_ok()));
    let found: Vec<Result<Found<Features>, TableError>> =
        TableReader::new(table.clone()).read(Query::stream(stream.key)).collect();
    let good: Vec<f64> = found.iter().flatten().map(|found| found.item.values[0]).collect();
    let bad: Vec<&TableError> = found.iter().filter_map(|found| found.as_ref().err()).collect();
    assert_eq!((good, bad.len()), (vec![2.0, 1.0], 4));
    assert!(
        bad.iter()
            .all(|error| matches!(error, TableError::Malformed { .. }) && error.recovery() == Recovery::Skip)
    );
}
