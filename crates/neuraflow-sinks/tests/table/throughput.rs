//! How fast: `cargo test -p neuraflow-sinks --features bigtable,layer,store --test table -- --ignored --nocapture throughput`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use neuraflow_core::model::{Features, StreamHeader};
use neuraflow_core::sink::{Sink, SinkContext, SinkWriter};
use neuraflow_core::testing::Scratch;
use neuraflow_sinks::bigtable::{Bigtable, BigtableConfig};
use neuraflow_sinks::store::LocalTable;
use neuraflow_sinks::table::{Query, Table, TableReader, TableSink};

use super::kit::*;
use super::service::Service;

/// Devices × windows of 50 ms, features of 8 channels and 5 bands.
const DEVICES: usize = 200;
const WINDOWS: i64 = 600;

fn items(streams: &[Arc<StreamHeader>], window: i64) -> Vec<Features> {
    let one = |stream: &Arc<StreamHeader>| {
        let mut item = features(stream, window * HOP, 1.0);
        item.spec = Arc::clone(LAYOUT.get_or_init(|| {
            let names = |what: &str, count| (0..count).map(|n| format!("{what} {n}")).collect();
            Arc::new(neuraflow_core::model::FeatureSpec {
                rows: names("channel", 8),
                columns: names("band", 5),
                unit: "µV²".into(),
            })
        }));
        item.values = (0..40).map(|n| (n as f64 + window as f64) * 0.37).collect();
        item
    };
    streams.iter().map(one).collect()
}

static LAYOUT: std::sync::OnceLock<Arc<neuraflow_core::model::FeatureSpec>> = std::sync::OnceLock::new();

/// Batches as a pipeline (256 items) and as a burst (4,000) hand them on.
fn measure<T: Table>(what: &str, batch: usize, table: &T) {
    let streams: Vec<_> = (0..DEVICES)
        .map(|n| {
            header(key(batch as u128, &format!("session {}", n / 10), &format!("device {n}")), "headset")
        })
        .collect();
    let mut writer = TableSink::new(table.clone(), stage("power")).open(&SinkContext::default()).unwrap();
    let all: Vec<Features> = (0..WINDOWS).flat_map(|window| items(&streams, window)).collect();
    let second = |item: &Features| (item.info.stream.key, item.info.start.as_nanos().div_euclid(SECOND));
    let rows = |part: &[Features]| part.iter().map(second).collect::<BTreeSet<_>>().len();
    let rows: usize = all.chunks(batch).map(rows).sum();
    let (cells, begun) = (all.len(), Instant::now());
    for part in all.chunks(batch) {
        writer.write(&mut part.to_vec()).unwrap();
    }
    writer.finish().unwrap();
    let written = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let mut read = 0;
    for session in 0..DEVICES / 10 {
        let stream = key(batch as u128, &format!("session {session}"), "");
        for found in
            TableReader::new(table.clone()).read::<Features>(Query::session(stream.tenant, stream.session))
        {
            found.unwrap();
            read += 1;
        }
    }
    assert_eq!(read, cells);
    let reading = begun.elapsed().as_secs_f64();
    println!(
        "{what}, {batch} items a batch: {:.0} cells/s in {:.0} rows/s written ({written:.1} s), {:.0} cells/s read",
        cells as f64 / written,
        rows as f64 / written,
        read as f64 / reading,
    );
}

#[test]
#[ignore = "takes a minute, and means something only on an idle machine"]
fn throughput() {
    let scratch = Scratch::new().unwrap();
    for batch in [256, 4_000] {
        measure("local store", batch, &LocalTable::open(scratch.file(&format!("table {batch}"))).unwrap());
    }
    let Some(service) = Service::start("bigtable") else { return };
    let config = BigtableConfig::new("project", "instance", "table");
    let table = Bigtable::connect(BigtableConfig { emulator: Some(service.address()), ..config }).unwrap();
    table.create().unwrap();
    for batch in [256, 4_000] {
        measure("Bigtable emulator", batch, &table);
    }
}
