//! What has to be in the table: computed in one go from the signals, and laid out by hand as docs/reference/table.md says.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::Array2;
use neuraflow::model::{FeatureSpec, PacketBody, stable_hash};
use neuraflow::prelude::*;
use neuraflow::testing::{FakeClock, collect_packets};

use crate::settings::{CHANNELS, RATE, STAGE, filter, headsets};

/// Row, family and qualifier.
pub type Place = (Vec<u8>, String, Vec<u8>);
/// Timestamp and value.
pub type Content = (i64, Vec<u8>);

const HOP: i64 = 50_000_000;
const SECOND: i64 = 1_000_000_000;
const PERIOD: i64 = SECOND / RATE as i64;

/// All cells that `count` headsets of so many seconds come to.
pub fn cells(count: usize, seconds: f64) -> BTreeMap<Place, Content> {
    let mut headers = BTreeMap::new();
    let mut signals: BTreeMap<StreamKey, Vec<f32>> = BTreeMap::new();
    for (_, packet) in collect_packets(&headsets(count, seconds), &Arc::new(FakeClock::new())).unwrap() {
        match packet.body {
            PacketBody::Open(header) => drop(headers.insert(packet.stream, header)),
            PacketBody::Samples { values, .. } => signals.entry(packet.stream).or_default().extend(values),
            _ => {}
        }
    }
    let settled = settled();
    let mut cells = BTreeMap::new();
    for (key, values) in signals {
        let header = &headers[&key];
        let array = Array2::from_shape_vec((values.len() / CHANNELS, CHANNELS), values).unwrap();
        let filtered = filter().filter(&array, RATE as f64).unwrap().into_raw_vec_and_offset().0;
        of_stream(header, &filtered, settled, &mut cells);
    }
    cells
}

/// After how much of a stream its results count as settled: what the operators declare.
fn settled() -> Span {
    let (sink, _results) = neuraflow::sinks::bounded::<Features>(1, Overflow::Block);
    let pipeline =
        Pipeline::from(headsets(1, 1.0)).stage(filter).window(Tumbling::millis(50)).feature(Rms::new);
    let pipeline = pipeline.sink(sink).build().unwrap();
    let contract = pipeline.latencies()[0].latency;
    contract.warm_up + contract.look_back
}

fn of_stream(header: &StreamHeader, signal: &[f32], settled: Span, cells: &mut BTreeMap<Place, Content>) {
    assert_eq!(header.t0, Timestamp::EPOCH);
    let names: Vec<String> = header.channels.iter().map(|channel| channel.name().to_owned()).collect();
    let layout =
        FeatureSpec { rows: names.into(), columns: ["rms".to_owned()].into(), unit: "µV".to_owned() };
    let mut ids = [0; 2];
    let contents = [
        ("stream", serde_json::to_string(header).unwrap()),
        ("layout", serde_json::to_string(&layout).unwrap()),
    ];
    for ((kind, content), id) in contents.into_iter().zip(&mut ids) {
        let value = format!("{{\"version\":1,\"content\":{content}}}").into_bytes();
        *id = stable_hash(&value) as u64;
        let place = (row(&header.key, 0), "h".to_owned(), format!("{kind} {id:016x}").into_bytes());
        cells.insert(place, (0, value));
    }
    let samples = signal.len() / CHANNELS;
    let windows = samples as i64 * PERIOD / HOP;
    for window in 0..windows {
        let (start, end) = (window * HOP, (window + 1) * HOP);
        let first = ((start + PERIOD - 1) / PERIOD) as usize;
        let past = ((end + PERIOD - 1) / PERIOD) as usize;
        let mut value = vec![1, 4 | u8::from(end < settled.as_nanos()), 0];
        value.extend(ids[0].to_le_bytes());
        value.extend(window.to_le_bytes());
        value.extend(end.to_le_bytes());
        for count in [past - first, past - first, 0] {
            value.extend((count as u32).to_le_bytes());
        }
        value.extend(ids[1].to_le_bytes());
        for rms in Rms::of_samples(&signal[first * CHANNELS..past * CHANNELS], CHANNELS).unwrap() {
            value.extend(rms.to_le_bytes());
        }
        value.extend(crc32c::crc32c(&value).to_le_bytes());
        let mut qualifier = (i64::MAX - start).to_be_bytes().to_vec();
        qualifier.extend(STAGE.as_bytes());
        let second = (i64::MAX - start / SECOND) as u64;
        let place = (row(&header.key, second), "f".to_owned(), qualifier);
        cells.insert(place, (end / 1_000_000 * 1_000, value));
    }
}

fn row(key: &StreamKey, rank: u64) -> Vec<u8> {
    let session = [key.tenant.as_u128().to_be_bytes(), key.session.as_u128().to_be_bytes()].concat();
    let mut row = (stable_hash(&session) as u16).to_be_bytes().to_vec();
    row.extend(session);
    row.extend(key.device.as_u128().to_be_bytes());
    row.extend(key.signal.to_be_bytes());
    row.extend(rank.to_be_bytes());
    row
}
