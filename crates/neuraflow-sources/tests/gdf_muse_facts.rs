//! Every real GDF and Muse recording against what MNE and NumPy read from it (`FACTS.json`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside #[test]

#[path = "support/facts.rs"]
mod facts;

use std::collections::BTreeMap;
use std::fs;

use facts::{agrees, list};
use neuraflow_core::model::{ChannelKind, Marker, Timestamp, Unit};
use neuraflow_core::testing::data;
use neuraflow_sources::recording::gdf::Gdf;
use neuraflow_sources::recording::{Block, Recording};
use serde_json::Value;

/// The facts about every file of a kind that is there.
fn about(kind: &str) -> Vec<(String, Value)> {
    let Some(path) = data::recording("FACTS.json") else { return Vec::new() };
    let all: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let of_kind = all.as_object().unwrap().iter().filter(|(name, _)| name.starts_with(kind));
    of_kind.map(|(name, facts)| (name.clone(), facts.clone())).collect()
}

/// Values of each channel, in the stream's unit; blocks must follow each other without a hole.
fn drain(recording: &mut Recording) -> Vec<Vec<f64>> {
    let mut channels = vec![Vec::new(); recording.streams()[0].channels.len()];
    let mut block = Block::default();
    while recording.next_block(&mut block).unwrap() {
        assert_eq!(block.chunks()[0].first(), channels[0].len() as u64);
        for sample in block.chunks()[0].samples() {
            channels.iter_mut().zip(sample).for_each(|(channel, value)| channel.push(f64::from(*value)));
        }
    }
    channels
}

/// Mean, deviation and extremes of every channel, the first and last values of the first, to this many digits.
fn check_values(name: &str, channels: &[Vec<f64>], facts: &Value, digits: usize) {
    assert_eq!(channels.len() as u64, facts["channels"], "{name}");
    for (channel, values) in channels.iter().enumerate() {
        assert_eq!(values.len() as u64, facts["samples"], "{name}");
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let deviation = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for (what, found) in [("mean", mean), ("std_ddof0", deviation), ("min", least), ("max", most)] {
            assert!(agrees(found, &facts[what][channel], 6), "{name} channel {channel} {what}: {found}");
        }
    }
    let (firsts, lasts) = (list(facts, "ch0_first5"), list(facts, "ch0_last3"));
    assert_eq!((firsts.len(), lasts.len()), (5, 3));
    let behind = channels[0].len() - lasts.len();
    let pairs = firsts.iter().zip(&channels[0]).chain(lasts.iter().zip(&channels[0][behind..]));
    pairs.for_each(|(fact, found)| assert!(agrees(*found, fact, digits), "{name}: {found} is not {fact}"));
}

fn check_stream(name: &str, recording: &Recording, facts: &Value) {
    let [stream] = recording.streams() else { panic!("{name}: one stream") };
    assert_eq!(Some(stream.rate.as_hz()), facts["rate_hz"].as_f64(), "{name}");
    let labels: Vec<&str> = stream.channels.iter().map(|channel| channel.label()).collect();
    assert_eq!(Value::from(labels), facts["names"], "{name}");
    let electrode = |kind| kind == ChannelKind::Eeg;
    assert!(stream.channels.iter().all(|c| electrode(c.kind()) && *c.unit() == Unit::Microvolt), "{name}");
}

#[test]
fn gdf_files_are_what_mne_reads() {
    for (name, facts) in about("gdf/") {
        let path = data::recording(&name).expect("facts are about files that are there");
        let mut recording = Recording::open(&path).unwrap();
        check_stream(&name, &recording, &facts);
        // The header says nothing of a start: MNE has none, and the stream begins at the epoch.
        assert_eq!(
            (&facts["meas_date"], recording.streams()[0].t0),
            (&Value::from("None"), Timestamp::EPOCH)
        );
        assert_eq!(recording.warnings().len(), 1, "{:?}", recording.warnings());
        let expected: Vec<(f64, f64, &str)> = list(&facts, "annotations")
            .iter()
            .map(|fact| (fact[0].as_f64().unwrap(), fact[1].as_f64().unwrap(), fact[2].as_str().unwrap()))
            .collect();
        assert_eq!(recording.markers().len() as u64, facts["annotation_count"]);
        for (marker, (onset, duration, label)) in recording.markers().iter().zip(&expected) {
            let found = (marker.time - Timestamp::EPOCH).as_secs_f64();
            assert!((found - onset).abs() < 1e-6, "{name}: {found} is not {onset}");
            assert!((marker.duration.as_secs_f64() - duration).abs() < 1e-6 && marker.label == *label);
        }
        let streamed = drain(&mut recording);

        let mut file = Gdf::open(&path).unwrap();
        assert_eq!(facts["gdf_version"], format!("GDF {:.2}", f64::from(file.header().version) / 100.0));
        let of = |file: &mut Gdf, signal| {
            (0..file.header().records).flat_map(|r| file.physical(signal, r).unwrap()).collect::<Vec<f64>>()
        };
        let physical: Vec<Vec<f64>> = (0..8).map(|signal| of(&mut file, signal)).collect();
        check_values(&name, &physical, &facts, 9);
        let narrowed = physical.iter().map(|all| all.iter().map(|value| f64::from(*value as f32)).collect());
        assert_eq!(streamed, narrowed.collect::<Vec<Vec<f64>>>(), "{name}");
        assert!(file.physical(8, 0).is_err() && file.physical(0, 59_040).is_err());
    }
}

#[test]
fn muse_files_are_what_numpy_reads() {
    for (name, facts) in about("muse/") {
        let mut recording = Recording::open(data::recording(&name).unwrap()).unwrap();
        check_stream(&name, &recording, &facts);
        assert_eq!(recording.warnings(), [], "{name}");
        let stream = recording.streams()[0].clone();
        let mut counts = BTreeMap::<&str, u64>::new();
        recording.markers().iter().for_each(|marker| *counts.entry(&marker.label).or_default() += 1);
        assert_eq!(serde_json::to_value(&counts).unwrap(), facts["markers"], "{name}");
        let at = |fact: &Value| {
            Marker::new(stream.time_of(fact[0].as_u64().unwrap()), fact[1].as_u64().unwrap().to_string())
        };
        let first: Vec<Marker> = list(&facts, "marker_samples_first10").iter().map(at).collect();
        assert_eq!(recording.markers()[..first.len()], first, "{name}");
        // Values have three decimals, so that at most six digits are printed of them.
        check_values(&name, &drain(&mut recording), &facts, 6);
    }
}
