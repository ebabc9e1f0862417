//! From a pipeline into tables, and back: the local store and a real Bigtable emulator hold the same rows, and what is read is what the
//! pipeline computed.

use std::sync::{Arc, Mutex};

use neuraflow::prelude::*;
use neuraflow::sinks::bigtable::{Bigtable, BigtableConfig};
use neuraflow::sinks::layer::{Outbox, OutboxConfig};
use neuraflow::sinks::store::LocalTable;
use neuraflow::sinks::table::{Query, Scan, Stage, Table, TableItem, TableReader, TableSink};
use neuraflow::testing::Scratch;

#[path = "support/service.rs"]
mod service;

const STREAMS: usize = 3;

/// Windows into one sink, features into another.
fn run(windows: impl Sink<Item = Window>, power: impl Sink<Item = Features>) {
    let headsets = Synthetic::new(4, SamplingRate::ratio(78_125, 625).unwrap())
        .seed(11)
        .streams(STREAMS)
        .until(Span::millis(3_170));
    let report = Pipeline::from(headsets)
        .stage(|| Butterworth::bandpass(4, 1.0..40.0))
        .window(Tumbling::millis(50))
        .branch(|flow| flow.sink(windows))
        .feature(|| BandPower::bands([("alpha", 8.0..13.0), ("beta", 13.0..30.0)]).over_millis(500))
        .sink(power)
        .build()
        .unwrap()
        .run()
        .unwrap();
    assert!(report.balances());
}

fn stage(name: &str) -> Stage {
    Stage::new(name).unwrap()
}

fn write<T: Table>(table: &T) {
    run(TableSink::new(table.clone(), stage("raw")), TableSink::new(table.clone(), stage("power")));
}

/// What a pipeline without a table computes, in the order of a table: the newest first, in each stream.
fn computed() -> (Vec<Window>, Vec<Features>) {
    let (windows, power) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    run(
        Callback::new({
            let windows = Arc::clone(&windows);
            move |window: &Window| windows.lock().unwrap().push(window.clone())
        }),
        Callback::new({
            let power = Arc::clone(&power);
            move |features: &Features| power.lock().unwrap().push(features.clone())
        }),
    );
    fn sorted<T: TableItem + Clone>(items: &Mutex<Vec<T>>) -> Vec<T> {
        let mut items = items.lock().unwrap().clone();
        items.sort_by_key(|item| (item.window().stream.key, std::cmp::Reverse(item.window().start)));
        items
    }
    (sorted(&windows), sorted(&power))
}

/// By its bits: NaN is what it was, and arrival is no part of a result.
fn shown<T: TableItem + std::fmt::Debug>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    let arrival = |text: String| text.split(", ").filter(|part| !part.starts_with("arrival: ")).collect();
    items.into_iter().map(|item| arrival(format!("{item:?}"))).collect()
}

fn check<T: Table>(table: &T) {
    let reader = TableReader::new(table.clone());
    let (windows, power) = computed();
    assert_eq!(windows.len(), STREAMS * 64);
    let session = windows[0].info.stream.key;
    let headers = reader.streams(session.tenant, session.session).unwrap();
    assert_eq!(headers.len(), STREAMS);
    let query = Query::session(session.tenant, session.session);
    let mut found: Vec<_> = reader.read::<Window>(query.clone()).map(|found| found.unwrap()).collect();
    assert!(found.iter().all(|found| found.stage == stage("raw")));
    found.sort_by_key(|found| found.item.info.stream.key); // stable: the order in each stream is the table's
    assert_eq!(shown(found.into_iter().map(|found| found.item)), shown(windows));
    let mut found: Vec<_> = reader.read::<Features>(query).map(|found| found.unwrap().item).collect();
    found.sort_by_key(|found| found.info.stream.key);
    assert_eq!(shown(found), shown(power));
}

fn bigtable(service: &service::Service) -> Bigtable {
    let config = BigtableConfig::new("project", "instance", "results");
    let table = Bigtable::connect(BigtableConfig { emulator: Some(service.address()), ..config }).unwrap();
    table.create().unwrap();
    table
}

#[test]
fn a_pipeline_writes_into_the_local_store_and_all_is_read_back() {
    let scratch = Scratch::new().unwrap();
    let table = LocalTable::open(scratch.file("results")).unwrap();
    write(&table);
    check(&table);
}

#[test]
fn a_pipeline_writes_into_bigtable_the_same_rows_as_into_the_local_store() {
    let Some(service) = service::Service::start("bigtable") else { return };
    let scratch = Scratch::new().unwrap();
    let (far, near) = (bigtable(&service), LocalTable::open(scratch.file("results")).unwrap());
    write(&near);
    // Twice, the second time through outboxes: nothing is there twice.
    write(&far);
    let outbox = |name: &str| scratch.file(name);
    let config = OutboxConfig::default();
    run(
        Outbox::new(TableSink::new(far.clone(), stage("raw")), outbox("raw"), config).unwrap(),
        Outbox::new(TableSink::new(far.clone(), stage("power")), outbox("power"), config).unwrap(),
    );
    check(&far);
    let rows = |rows: &mut dyn Iterator<Item = Result<_, _>>| rows.collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(rows(&mut far.scan(&Scan::everything())), rows(&mut near.scan(&Scan::everything())));
}
