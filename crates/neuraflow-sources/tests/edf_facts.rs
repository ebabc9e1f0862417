//! Every real EDF and BDF recording against what MNE and pyedflib read from it (`FACTS.json`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside #[test]

#[path = "support/facts.rs"]
mod facts;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use facts::{agrees, list};
use neuraflow_core::model::{ChannelKind, Unit};
use neuraflow_core::testing::data;
use neuraflow_sources::recording::edf::Edf;
use neuraflow_sources::recording::{Block, Recording};
use serde_json::Value;

/// All samples of one signal in the unit the file declares, and as integers.
fn signal(file: &mut Edf, index: usize) -> (Vec<f64>, Vec<i32>) {
    let (mut physical, mut digital) = (Vec::new(), Vec::new());
    for record in 0..file.header().records {
        physical.extend(file.physical(index, record).unwrap());
        digital.extend(file.digital(index, record).unwrap());
    }
    (physical, digital)
}

fn check(name: &str, path: &Path, facts: &Value) {
    let by_mne = facts["unit"] == "uV(mne*1e6)";
    let recording = Recording::open(path).unwrap_or_else(|error| panic!("{error}"));
    let mut file = Edf::open(path).unwrap();
    let ordinary: Vec<usize> =
        (0..file.header().signals.len()).filter(|&i| !file.header().signals[i].annotations).collect();
    assert_eq!(ordinary.len() as u64, facts["channels"], "{name}");

    for (channel, &index) in ordinary.iter().enumerate() {
        let (mut physical, digital) = signal(&mut file, index);
        if by_mne && file.header().signals[index].label == "Status" {
            // MNE keeps the low 17 bits of BioSemi's trigger word, which is no voltage, and the facts scaled it.
            physical = digital.iter().map(|&word| f64::from(word & 0x1_ffff) * 1e6).collect();
        }
        let count = physical.len() as f64;
        let mean = physical.iter().sum::<f64>() / count;
        let deviation = (physical.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
        if let Some(label) = facts.get("names").map(|names| &names[channel]) {
            assert_eq!(file.header().signals[index].label.trim(), *label, "{name}");
        }
        let what = format!("{name} channel {channel}: mean {mean} deviation {deviation}");
        let tiny = facts["mean"][channel].as_f64().unwrap().abs() < 1e-9 * deviation;
        assert!(
            agrees(mean, &facts["mean"][channel], 6) || (tiny && mean.abs() < 1e-9 * deviation),
            "{what}"
        );
        let std = &facts["std_ddof0"][channel];
        assert!(agrees(deviation, std, 6), "{what}");
        let extremes =
            [("min", f64::INFINITY, f64::min as fn(f64, f64) -> f64), ("max", -f64::INFINITY, f64::max)];
        for (extreme, from, pick) in extremes {
            if let Some(fact) = facts.get(extreme).map(|all| &all[channel]) {
                assert!(agrees(physical.iter().copied().fold(from, pick), fact, 6), "{what} {extreme}");
            }
        }
        if channel == 0 {
            for (at, fact) in list(facts, "ch0_first5").iter().enumerate() {
                assert!(agrees(physical[at], fact, 9), "{name} sample {at}: {} is not {fact}", physical[at]);
            }
            for (at, fact) in list(facts, "ch0_first5_digital").iter().enumerate() {
                assert_eq!(i64::from(digital[at]), *fact, "{name} sample {at}");
            }
            for (at, fact) in list(facts, "ch0_last3").iter().enumerate() {
                assert!(agrees(physical[physical.len() - 3 + at], fact, 9), "{name}");
            }
            let samples = facts.get("samples_ch0").or_else(|| facts.get("samples")).and_then(Value::as_u64);
            assert_eq!(physical.len() as u64, samples.unwrap(), "{name}");
        }
    }
    check_streams(name, &recording, facts);
    check_markers(name, &recording, facts);
    check_blocks(name, recording, &mut file, &ordinary);
}

fn check_streams(name: &str, recording: &Recording, facts: &Value) {
    let rates: BTreeSet<u64> = recording.streams().iter().map(|s| s.rate.as_hz().to_bits()).collect();
    let expected = match facts.get("rates_hz") {
        Some(_) => list(facts, "rates_hz").iter().map(|hz| hz.as_f64().unwrap().to_bits()).collect(),
        None => facts
            .get("rate_hz")
            .or_else(|| facts.get("sfreq"))
            .and_then(Value::as_f64)
            .map(f64::to_bits)
            .into_iter()
            .collect::<BTreeSet<u64>>(),
    };
    if !expected.is_empty() {
        assert_eq!(rates, expected, "{name}");
    }
    assert_eq!(rates.len(), recording.streams().len(), "{name}: one stream for each rate");
    for (index, stream) in recording.streams().iter().enumerate() {
        assert_eq!(usize::from(stream.key.signal), index);
        if let Some(start) = facts.get("start").or_else(|| facts.get("meas_date")).and_then(Value::as_str) {
            assert_eq!(seconds_of(start), stream.t0.as_nanos().div_euclid(1_000_000_000), "{name}");
        }
        assert!(
            stream
                .channels
                .iter()
                .filter(|c| c.label() == "Status")
                .all(|c| c.kind() == ChannelKind::Trigger)
        );
    }
    // pyedflib prints this fraction a tenth too small (its 100 ns ticks are taken for microseconds × 10): the file
    // itself says +0.3945312.
    let subsecond = if name.contains("utf8") { 394_531_200 } else { 0 };
    assert!(
        recording.streams().iter().all(|s| s.t0.as_nanos().rem_euclid(1_000_000_000) == subsecond),
        "{name}"
    );
    assert_eq!(recording.warnings(), [], "{name}");
}

/// Seconds since the epoch of `2009-08-12 16:15:00`, by counting days.
fn seconds_of(text: &str) -> i64 {
    let number = |range: std::ops::Range<usize>| text[range].parse::<i64>().unwrap();
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    let leap = |y: i64| (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    let months = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days: i64 = (1970..year).map(|y| if leap(y) { 366 } else { 365 }).sum::<i64>()
        + months[..month as usize - 1].iter().sum::<i64>()
        + day
        - 1;
    days * 86_400 + number(11..13) * 3600 + number(14..16) * 60 + number(17..19)
}

fn check_markers(name: &str, recording: &Recording, facts: &Value) {
    let markers = recording.markers();
    if let Some(count) = facts.get("annotation_count").and_then(Value::as_u64) {
        assert_eq!(markers.len() as u64, count, "{name}");
    }
    let start = recording.streams().first().map_or_else(|| markers[0].time, |stream| stream.t0);
    let (all, first) = (list(facts, "annotations"), list(facts, "annotations_first10"));
    for (marker, fact) in markers.iter().zip(if all.is_empty() { first } else { all }) {
        let (onset, duration) = (fact[0].as_f64().unwrap(), fact[1].as_f64().unwrap());
        assert!(
            ((marker.time - start).as_secs_f64() - onset).abs() < 6e-7,
            "{name}: {marker:?} is not {fact}"
        );
        assert!((marker.duration.as_secs_f64() - duration).abs() < 6e-7, "{name}: {marker:?} is not {fact}");
        assert_eq!(marker.label, fact[2], "{name}");
    }
    for (label, count) in facts.get("annotation_counts").and_then(Value::as_object).into_iter().flatten() {
        assert_eq!(markers.iter().filter(|m| m.label == *label).count() as u64, *count, "{name} {label}");
    }
}

/// What streams carry is the calibrated value of the same integers, in microvolts where it is a voltage.
fn check_blocks(name: &str, mut recording: Recording, file: &mut Edf, ordinary: &[usize]) {
    let mut block = Block::default();
    let mut next = vec![0; recording.streams().len()];
    let mut blocks = 0;
    while recording.next_block(&mut block).unwrap() {
        let mut signals = ordinary.iter();
        for (index, (stream, chunk)) in recording.streams().iter().zip(block.chunks()).enumerate() {
            assert_eq!((chunk.first(), chunk.channels()), (next[index], stream.channels.len()), "{name}");
            next[index] = chunk.end();
            if recording.streams().len() > 1 {
                continue; // signals of several streams are interleaved; the written files test those
            }
            for (channel, &signal) in signals.by_ref().take(stream.channels.len()).enumerate() {
                let declared = file.header().signals[signal].unit.clone();
                let scale = match (declared.as_str(), stream.channels[channel].unit()) {
                    ("uV", Unit::Microvolt) => 1.0,
                    (other, Unit::Other(unit)) if other == unit => 1.0,
                    mismatch => panic!("{name}: {mismatch:?}"),
                };
                let physical = file.physical(signal, block.record()).unwrap();
                for (sample, value) in chunk.samples().zip(physical) {
                    assert_eq!(sample[channel], (value * scale) as f32, "{name}");
                }
            }
        }
        blocks += 1;
    }
    if !ordinary.is_empty() {
        assert_eq!(blocks, file.header().records, "{name}");
    }
}

#[test]
fn every_edf_and_bdf_is_read_as_mne_and_pyedflib_read_it() {
    let Some(facts) = data::recording("FACTS.json") else { return };
    let facts: Value = serde_json::from_slice(&fs::read(facts).unwrap()).unwrap();
    let mut checked = 0;
    for folder in ["edf", "bdf"] {
        let Some(folder) = data::recording(folder) else { return };
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "edf" || extension == "bdf") {
                let file = path.file_name().unwrap().to_string_lossy().into_owned();
                let name = format!("{}/{file}", folder.file_name().unwrap().to_string_lossy());
                check(&name, &path, &facts[&name]);
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 15, "recordings checked");
}
