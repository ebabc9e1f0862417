//! Items to write, and ways to write and read them.

use std::sync::Arc;

use neuraflow_core::model::{
    Channel, Chunk, Decision, FeatureSpec, Features, Id, Marker, NoDecision, SamplingRate, StreamHeader,
    StreamKey, Timestamp, Window, WindowInfo, WindowStatus,
};
use neuraflow_core::sink::{Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_sinks::table::{Query, Row, Scan, Stage, Table, TableError, TableItem, TableReader, TableSink};

/// 50 ms.
pub const HOP: i64 = 50_000_000;
pub const SECOND: i64 = 1_000_000_000;

pub fn stage(name: &str) -> Stage {
    Stage::new(name).unwrap()
}

pub fn key(tenant: u128, session: &str, device: &str) -> StreamKey {
    StreamKey { tenant: Id::from_u128(tenant), ..StreamKey::of_names(session, device) }
}

pub fn header(key: StreamKey, name: &str) -> Arc<StreamHeader> {
    let channels = vec![Channel::new("Fp1"), Channel::new("Séite µ")];
    Arc::new(StreamHeader::new(key, name, SamplingRate::ratio(78_125, 4).unwrap(), channels))
}

/// A window of 50 ms that begins at `start`.
pub fn info(stream: &Arc<StreamHeader>, start: i64) -> WindowInfo {
    WindowInfo {
        stream: Arc::clone(stream),
        index: start.div_euclid(HOP),
        start: Timestamp::from_nanos(start),
        end: Timestamp::from_nanos(start.saturating_add(HOP)),
        expected: 13,
        received: 12,
        imputed: 1,
        status: WindowStatus::Gap,
        warm_up: start % 3 == 0,
        arrival: 0,
        marker: None,
    }
}

pub fn layout() -> Arc<FeatureSpec> {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Arc::new(FeatureSpec {
        rows: names(&["Fp1", "Séite µ"]),
        columns: names(&["α", "β"]),
        unit: "µV²".into(),
    })
}

pub fn features(stream: &Arc<StreamHeader>, start: i64, value: f64) -> Features {
    Features { info: info(stream, start), spec: layout(), values: vec![value, -0.0, f64::INFINITY, 1e-300] }
}

pub fn window(stream: &Arc<StreamHeader>, start: i64) -> Window {
    let mut samples = Chunk::new(start.unsigned_abs(), 2);
    samples.extend(&[1.5, -0.0, f32::MIN_POSITIVE, f32::NEG_INFINITY]);
    Window { info: info(stream, start), samples }
}

pub fn decision(stream: &Arc<StreamHeader>, start: i64, intent: Option<&str>) -> Decision<String> {
    let outcome = intent.map(|intent| (intent.to_owned(), 0.75)).ok_or(NoDecision::Artifact);
    Decision { info: info(stream, start), outcome }
}

pub fn epoch(stream: &Arc<StreamHeader>, start: i64, number: i64, label: &str) -> Features {
    let mut epoch = features(stream, start, number as f64);
    epoch.info.index = number;
    epoch.info.marker = Some(Arc::new(Marker::new(Timestamp::from_nanos(start + 1), label)));
    epoch
}

/// Writes items as a stage, and makes them durable.
pub fn write<T: Table, I: TableItem>(table: &T, name: &str, items: &[I]) -> Result<(), SinkError> {
    let mut writer = TableSink::new(table.clone(), stage(name)).open(&SinkContext::default())?;
    let mut items = items.to_vec();
    writer.write(&mut items)?;
    assert!(items.is_empty(), "an Ok that leaves {}", items.len());
    writer.finish()
}

pub fn read<T: Table, I: TableItem>(table: &T, query: Query) -> Vec<I> {
    let found = TableReader::new(table.clone()).read(query).collect::<Result<Vec<_>, TableError>>();
    found.unwrap().into_iter().map(|found| found.item).collect()
}

pub fn starts(items: &[Features]) -> Vec<i64> {
    items.iter().map(|item| item.info.start.as_nanos()).collect()
}

pub fn everything<T: Table>(table: &T) -> Vec<Row> {
    table.scan(&Scan::everything()).collect::<Result<_, _>>().unwrap()
}
