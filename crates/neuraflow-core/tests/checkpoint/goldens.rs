//! Files of every format version, committed here, are restored for ever.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use neuraflow_core::checkpoint::{
    Checkpoints, Expected, Fingerprint, LocalStore, Restored, Section, SnapshotReader, SnapshotWriter,
    StreamSnapshot,
};
use neuraflow_core::model::{
    Channel, ChannelKind, Id, SamplingRate, SequenceBits, StreamHeader, StreamKey, Timestamp, Unit,
};
use neuraflow_core::testing::Scratch;

use crate::parts::at;

fn golden(version: u16) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/goldens/checkpoint/v{version}"))
}

fn pipeline() -> Fingerprint {
    Fingerprint::new([
        "gaps: interpolate 10 ms",
        "butterworth: order 4, 1-40 Hz",
        "window: 50 ms",
        "sink csv",
    ])
}

/// A stream of everything a header can say.
fn header(n: u64) -> StreamHeader {
    let key = |device: u128| StreamKey {
        tenant: Id::from_u128(7),
        session: Id::of_name("S001R04"),
        device: Id::from_u128(device << 100 | 3),
        signal: n as u16,
    };
    // Some share a key group, so that there are increments upon a base.
    let key = (0..).map(key).filter(|key| key.group() == 5).nth(n as usize).unwrap();
    let channels = vec![
        Channel::new("Fc5."),
        Channel::new("EOG left").with_kind(ChannelKind::Eog),
        Channel::new("Status"),
        Channel::new("Temp").with_unit(Unit::Other("°C".into())),
    ];
    let rate = SamplingRate::ratio(78_125, 4).unwrap();
    let mut header = StreamHeader::new(key, format!("device {n}"), rate, channels);
    header.t0 = Timestamp::from_nanos(1_250_000_000_000_000_000 + n as i64);
    header.sequence = SequenceBits::new(8).unwrap();
    header.first_sequence = 254;
    header
}

fn snapshot(n: u64, round: u64) -> StreamSnapshot {
    let mut filter = SnapshotWriter::default();
    filter.put(&vec![round as f64 + 0.5, -1e-300, f64::NAN]);
    filter.put(&Some(("warm", n)));
    let clock = Section { stage: "sequencer".into(), bytes: vec![n as u8, round as u8] };
    let empty = Section { stage: "window".into(), bytes: Vec::new() };
    let filter = Section { stage: "butterworth".into(), bytes: filter.into_bytes().unwrap() };
    StreamSnapshot { header: header(n), sections: vec![clock, filter, empty] }
}

/// Three checkpoints: one of all streams, one of a few, one in which a stream ends.
fn write(directory: &PathBuf) {
    let store = Arc::new(LocalStore::open(directory).unwrap());
    let (mut checkpoints, _) = Checkpoints::open(store, pipeline(), None).unwrap();
    for (round, streams) in [vec![0, 1, 2, 3], vec![1, 2], vec![2]].into_iter().enumerate() {
        let round = round as u64;
        let expected = Expected { readers: 2, workers: 1, sinks: vec!["csv".into(), "npy".into()] };
        let number = checkpoints.begin(expected).unwrap();
        checkpoints.source(number, 0, "replay", Some(at("S001R04/eeg", 640 * (round + 1))));
        checkpoints.source(number, 1, "headset", None);
        for n in streams {
            checkpoints.stream(number, header(n).key, snapshot(n, round).encode().unwrap());
        }
        if round == 2 {
            checkpoints.forget(number, header(3).key);
        }
        checkpoints.worker_done(number, 0);
        checkpoints.sink(number, "csv", at("windows.csv", 10_000 + round));
        checkpoints.sink(number, "npy", at("a.npy", 128));
        checkpoints.commit().unwrap();
    }
}

fn restore(directory: &PathBuf) -> Restored {
    let store = Arc::new(LocalStore::open(directory).unwrap());
    Checkpoints::open(store, pipeline(), None).unwrap().1.unwrap()
}

fn files(directory: &PathBuf) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let named =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()));
    named.filter(|(name, _)| name != "lock").collect()
}

fn check(restored: &Restored) {
    assert_eq!((restored.number, restored.generation, restored.skipped.len()), (3, 1, 0));
    assert_eq!(restored.sources, BTreeMap::from([("replay".to_owned(), at("S001R04/eeg", 1_920))]));
    let sinks = [("csv".to_owned(), at("windows.csv", 10_002)), ("npy".to_owned(), at("a.npy", 128))];
    assert_eq!(restored.sinks, BTreeMap::from(sinks));
    let expected = [snapshot(0, 0), snapshot(1, 1), snapshot(2, 2)];
    assert_eq!(restored.streams, expected.into_iter().map(|s| (s.header.key, s)).collect());
    let filter = &restored.streams[&header(2).key].sections[1];
    let mut reader = SnapshotReader::new(&filter.bytes);
    let values: Vec<f64> = reader.take().unwrap();
    assert_eq!((values[0], values[1], values[2].is_nan()), (2.5, -1e-300, true));
    assert_eq!(reader.take::<Option<(String, u64)>>().unwrap(), Some(("warm".to_owned(), 2)));
}

#[test]
fn version_1_is_restored_for_ever() {
    let scratch = Scratch::new().unwrap();
    let copy = scratch.path().to_owned();
    for (name, bytes) in files(&golden(1)) {
        fs::write(copy.join(name), bytes).unwrap();
    }
    check(&restore(&copy));
}

#[test]
fn what_is_written_today_is_version_1_to_the_byte() {
    let scratch = Scratch::new().unwrap();
    let today = scratch.path().to_owned();
    write(&today);
    let (today, golden) = (files(&today), files(&golden(1)));
    assert_eq!(today.keys().collect::<Vec<_>>(), golden.keys().collect::<Vec<_>>());
    for (name, bytes) in golden {
        assert!(today[&name] == bytes, "{name} has changed: what is stored needs a new format version");
    }
}

#[test]
#[ignore = "writes the files of a new format version; those of an old one are never written again"]
fn write_goldens() {
    let directory = golden(1);
    assert!(!directory.exists(), "{} is there, and stays as it is", directory.display());
    write(&directory);
    fs::remove_file(directory.join("lock")).unwrap();
    check(&{
        let scratch = Scratch::new().unwrap();
        let copy = scratch.path().to_owned();
        for (name, bytes) in files(&directory) {
            fs::write(copy.join(name), bytes).unwrap();
        }
        restore(&copy)
    });
}
