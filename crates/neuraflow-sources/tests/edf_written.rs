//! EDF and BDF files that the tests write themselves: no recording is needed to run these.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside #[test]

mod support;

use std::fs;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use neuraflow_core::model::{
    ChannelKind, Packet, PacketBody, SamplingRate, Span, StreamKey, Timestamp, Unit,
};
use neuraflow_core::resilience::SystemClock;
use neuraflow_core::source::{Source, SourceContext, SourceError, Waker};
use neuraflow_core::testing::{FakeClock, collect_packets};
use neuraflow_sources::recording::edf::Edf;
use neuraflow_sources::recording::{Block, Recording};
use neuraflow_sources::replay::{Replay, Speed};
use proptest::prelude::*;
use support::{Data, File, Signal, Temporary};

/// 1970-01-02, the start that the writer puts into headers.
const DAY: Timestamp = Timestamp::from_nanos(86_400_000_000_000);

/// First samples of the blocks of a stream, and all its values.
type Drained = (Vec<u64>, Vec<f32>);

fn drain(recording: &mut Recording) -> Result<Vec<Drained>, SourceError> {
    let mut streams = vec![(Vec::new(), Vec::new()); recording.streams().len()];
    let mut block = Block::default();
    while recording.next_block(&mut block)? {
        for (stream, chunk) in streams.iter_mut().zip(block.chunks()) {
            stream.0.push(chunk.first());
            stream.1.extend_from_slice(chunk.values());
        }
    }
    Ok(streams)
}

fn refused(file: &File) -> String {
    let written = file.write();
    match Recording::open(&written.0) {
        Err(error @ SourceError::Malformed { .. }) => {
            assert!(error.to_string().starts_with(&written.0.display().to_string()), "{error}");
            error.to_string()
        }
        other => panic!("expected Malformed, found {other:?}"),
    }
}

fn warned(file: &File, words: &[&str]) -> Recording {
    let recording = Recording::open(file.write().0.clone()).unwrap();
    let warnings: Vec<String> = recording.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), words.len(), "{warnings:?}");
    for (warning, word) in warnings.iter().zip(words) {
        assert!(warning.contains(word), "{warning} does not say {word}");
    }
    recording
}

/// One signal at 100 Hz whose counts are the sample's number, with annotations.
fn plus(reserved: &str, lists: &[&[u8]]) -> File {
    let bdf = reserved.starts_with("BDF");
    let samples = Signal::new("Cz", 100).filled(lists.len(), |n| n as i32);
    let label = if bdf { "BDF Annotations" } else { "EDF Annotations" };
    File::new(reserved, vec![samples, Signal::annotations(label, 60, bdf, lists)])
}

#[test]
fn several_rates_are_several_streams_in_microvolts() {
    let with_unit = |mut signal: Signal, unit: &[u8], range: (&str, &str)| {
        signal.unit = unit.to_vec();
        signal.physical = (range.0.to_owned(), range.1.to_owned());
        signal
    };
    let volts =
        with_unit(Signal::new("EEG C3-Ref", 10), b"V", ("-0.32768", "0.32767")).filled(3, |n| n as i32);
    let slow =
        with_unit(Signal::new("Temp rectal", 4), b"degC", ("-32768", "32767")).filled(3, |n| 30 + n as i32);
    let again =
        with_unit(Signal::new("EEG C3-Ref", 10), b"\xb5V", ("32768", "-32767")).filled(3, |n| -(n as i32));
    let mut file = File::new("", vec![volts, slow, again]);
    file.duration = "0.8".to_owned();
    for bdf in [false, true] {
        file.bdf = bdf;
        let written = file.write();
        let mut recording = Recording::open(&written.0).unwrap();
        let streams = recording.streams().to_vec();
        assert_eq!(recording.warnings(), []);
        assert_eq!(streams.len(), 2);
        assert_eq!(streams[0].rate, SamplingRate::ratio(25, 2).unwrap());
        assert_eq!(streams[1].rate, SamplingRate::hz(5).unwrap());
        let stem = written.0.file_stem().unwrap().to_str().unwrap();
        let key = StreamKey::of_names(stem, "recording");
        assert_eq!([streams[0].key, streams[1].key], [key, key.with_signal(1)]);
        assert_eq!(streams[0].channels.iter().map(|c| c.label()).collect::<Vec<_>>(), ["EEG C3-Ref"; 2]);
        assert_eq!(streams[0].channels[0].name(), "C3");
        assert!(streams[0].channels.iter().all(|channel| channel.unit() == &Unit::Microvolt));
        assert_eq!(streams[1].channels[0].unit(), &Unit::Other("degC".to_owned()));
        assert_eq!((streams[0].t0, recording.marker_stream()), (DAY, Some(0)));

        let read = drain(&mut recording).unwrap();
        assert_eq!((read[0].0.as_slice(), read[1].0.as_slice()), (&[0, 10, 20][..], &[0, 4, 8][..]));
        for (n, sample) in read[0].1.chunks(2).enumerate() {
            let expected = [n as f32 * 10.0, n as f32];
            assert!(
                (sample[0] - expected[0]).abs() < 0.01 && (sample[1] - expected[1]).abs() < 0.01,
                "{n}: {sample:?}"
            );
        }
        assert_eq!(read[1].1, (0..12).map(|n| 30.0 + n as f32).collect::<Vec<_>>());
        let mut edf = Edf::open(&written.0).unwrap();
        assert_eq!(edf.digital(1, 2).unwrap(), [38, 39, 40, 41]);
        assert_eq!(edf.physical(1, 2).unwrap(), [38.0, 39.0, 40.0, 41.0]);
        assert!(edf.digital(3, 0).is_err() && edf.physical(0, 3).is_err());
        let renamed = recording.with_names("session", "device");
        assert_eq!(renamed.streams()[1].key, StreamKey::of_names("session", "device").with_signal(1));
    }
}

#[test]
fn bdf_has_24_bits_and_a_status_channel() {
    let mut eeg = Signal::new("Fp1", 4);
    eeg.physical = ("-262144".to_owned(), "262143".to_owned());
    eeg.digital = ("-8388608".to_owned(), "8388607".to_owned());
    let mut status = eeg.clone();
    (status.label, status.unit) = (b"Status".to_vec(), b"Boolean".to_vec());
    status.physical = status.digital.clone();
    let counts = [-8_388_608, 8_388_607, -1, 0x01_02_03];
    let mut file = File::new("24BIT", vec![eeg.filled(1, |n| counts[n]), status.filled(1, |n| counts[n])]);
    file.record_count = Some("  1".to_owned());
    let mut recording = warned(&file, &[]);
    let channels = &recording.streams()[0].channels;
    assert_eq!(
        (channels[1].kind(), channels[1].unit()),
        (ChannelKind::Trigger, &Unit::Other("Boolean".to_owned()))
    );
    let values = drain(&mut recording).unwrap().remove(0).1;
    assert_eq!(values.iter().skip(1).step_by(2).copied().collect::<Vec<_>>(), counts.map(|c| c as f32));
    assert_eq!((values[0], values[2]), (-262_144.0, 262_143.0));
}

#[test]
fn discontinuous_records_leave_holes_and_start_within_a_second() {
    for reserved in ["EDF+D", "BDF+D"] {
        let file = plus(
            reserved,
            &[
                b"+0.25\x14\x14\0+0.5\x152\x14go\x14\0",
                b"+1.25\x14\x14\0",
                b"+4.25\x14\x14\0+1\x14late entry\x14\0",
                b"+5.2540000001\x14\x14\0",
            ],
        );
        let mut recording = warned(&file, &[]);
        assert_eq!(recording.streams()[0].t0, DAY + Span::millis(250));
        assert_eq!(drain(&mut recording).unwrap()[0].0, [0, 100, 400, 500]);
        let found: Vec<_> =
            recording.markers().iter().map(|m| (m.time - DAY, m.duration, &*m.label)).collect();
        let expected = [(Span::millis(500), Span::secs(2), "go"), (Span::secs(1), Span::ZERO, "late entry")];
        assert_eq!(found, expected);
    }
}

#[test]
fn discontinuous_records_must_say_when_and_must_not_go_back() {
    let back = refused(&plus("EDF+D", &[b"+0\x14\x14\0", b"+7\x14\x14\0", b"+6.5\x14\x14\0"]));
    assert!(
        back.contains("record 2: onset: expected 8 s or later") && back.contains("found 6.5 s"),
        "{back}"
    );
    let silent = refused(&plus("EDF+D", &[b"+0\x14\x14\0", b""]));
    assert!(silent.contains("record 1: onset: expected a time-keeping list"), "{silent}");
    let none = refused(&File::new("EDF+D", vec![Signal::new("Cz", 10).filled(2, |_| 0)]));
    assert!(none.contains("an annotation signal"), "{none}");
}

#[test]
fn contiguous_files_stay_contiguous_and_other_onsets_are_said() {
    let file = plus("EDF+C", &[b"+0.5\x14\x14\0", b"+3.5\x14\x14\0", b"+4.5\x14\x14\0", b""]);
    let mut recording = warned(&file, &["record 3", "another onset in 2 records, first in record 1"]);
    assert_eq!(recording.streams()[0].t0, DAY + Span::millis(500));
    assert_eq!(drain(&mut recording).unwrap()[0].0, [0, 100, 200, 300]);
}

#[test]
fn annotations_come_from_every_annotation_signal_in_order_of_time() {
    let mut file =
        plus("EDF+C", &[b"+0\x14\x14first\x14\0", "+1\x14\x14\0+0.5\x14größer\x14µ\x14\0".as_bytes()]);
    let second = [&b"+0.25\x14other\x14\0+0.75\x14latin \xe9\x14\0"[..], b""];
    file.signals.push(Signal::annotations("EDF Annotations", 40, false, &second));
    let recording = warned(&file, &[]);
    let labels: Vec<&str> = recording.markers().iter().map(|m| m.label.as_str()).collect();
    assert_eq!(labels, ["first", "other", "größer", "µ", "latin é"]);
}

#[test]
fn a_file_of_annotations_alone_has_markers_and_nothing_to_replay() {
    let lists: &[&[u8]] = &[b"+0\x14\x14\0+1\x1530\x14Sleep stage W\x14\0"];
    let mut file = File::new("EDF+C", vec![Signal::annotations("EDF Annotations", 60, false, lists)]);
    file.duration = "0".to_owned();
    let written = file.write();
    let mut recording = Recording::open(&written.0).unwrap();
    assert_eq!(
        (recording.streams().len(), recording.markers().len(), recording.marker_stream()),
        (0, 1, None)
    );
    assert!(!recording.next_block(&mut Block::default()).unwrap());
    let error = Replay::open(&written.0).unwrap_err().to_string();
    assert!(error.contains("1 annotations alone"), "{error}");
}

#[test]
fn the_file_decides_how_many_records_there_are() {
    let whole = plus("EDF+C", &[b"+0\x14\x14\0", b"+1\x14\x14\0", b"+2\x14\x14\0"]);
    for (claimed, word) in [
        ("-1", "3 records are read"),
        ("7", "4 that the header promises"),
        ("1", "3 records are read"),
        ("x", "3 records"),
    ] {
        let file = File { record_count: Some(claimed.to_owned()), ..whole.clone() };
        assert_eq!(drain(&mut warned(&file, &[word])).unwrap()[0].0, [0, 100, 200]);
    }
    let file = File { tail: vec![7; 99], ..whole.clone() };
    assert_eq!(drain(&mut warned(&file, &["99 bytes are dropped"])).unwrap()[0].0.len(), 3);
    let file = File { header_bytes: Some("1".to_owned()), ..whole.clone() };
    warned(&file, &["number of header bytes: expected 768 for 2 signals, found \"1\""]);
    let file = File { record_count: Some("2".to_owned()), ..file };
    assert!(refused(&file).contains("number of header bytes"));
    let header_only = File { signals: vec![Signal::new("Cz", 10)], ..whole };
    assert!(refused(&header_only).contains("data records: expected at least one of 20 bytes, found 0 bytes"));
}

#[test]
fn header_fields_that_are_none_are_refused_by_name() {
    let good = File::new("", vec![Signal::new("Cz", 10).filled(2, |n| n as i32)]);
    let with = |change: &dyn Fn(&mut File)| {
        let mut file = good.clone();
        change(&mut file);
        refused(&file)
    };
    for (message, word) in [
        (with(&|f| f.duration = "0".to_owned()), "duration of a data record: expected above 0 s"),
        (with(&|f| f.duration = "1,5".to_owned()), "found \"1,5\""),
        (with(&|f| f.duration = "0.000000".to_owned()), "duration"),
        (with(&|f| f.signals[0].claimed = Some("0".to_owned())), "signal 0 \"Cz\": samples in a record"),
        (with(&|f| f.signals[0].claimed = Some("4000000".to_owned())), "at least one of 8000000 bytes"),
        (with(&|f| f.signals[0].physical.0 = String::new()), "physical minimum"),
        (with(&|f| f.signals[0].digital.1 = "1.5".to_owned()), "digital maximum: expected a whole number"),
        (
            with(&|f| (f.duration, f.signals[0].claimed) = (".0000001".to_owned(), Some("20".to_owned()))),
            "sampling rate",
        ),
    ] {
        assert!(message.contains(word), "{message} does not say {word}");
    }
}

#[test]
fn an_unusable_calibration_or_date_is_dropped_and_said() {
    let mut file = File::new(
        "",
        vec![Signal::new("Cz", 10).filled(1, |n| n as i32), Signal::new("Pz", 10).filled(1, |n| n as i32)],
    );
    file.signals[1].physical = ("0".to_owned(), "0".to_owned());
    file.recording.clear();
    file.date = "99.99.99".to_owned();
    let mut recording = warned(&file, &["signal 1 \"Pz\": calibration", "starts at the Unix epoch"]);
    let stream = &recording.streams()[0];
    assert_eq!(stream.t0, Timestamp::EPOCH);
    assert_eq!(
        (stream.channels[0].kind(), stream.channels[1].kind()),
        (ChannelKind::Eeg, ChannelKind::Other)
    );
    assert_eq!(stream.channels[1].unit(), &Unit::Other("digital count".to_owned()));
    assert_eq!(drain(&mut recording).unwrap()[0].1.iter().skip(1).step_by(2).sum::<f32>(), 45.0);
}

#[test]
fn damage_in_one_record_is_got_over_and_a_shift_of_all_is_not() {
    let lists: Vec<&[u8]> = vec![b"+0\x14\x14\0", b"+1\x14\x14\0", b"+2\x14\x14\0", b"+3\x14\x14\0"];
    let mut file = plus("EDF+C", &lists);
    let damage =
        |file: &mut File, record: usize| file.signals[1].records[record] = Data::Bytes(vec![0xdb; 60]);
    damage(&mut file, 1);
    let mut recording =
        warned(&file, &["other bytes in 1 records, first in record 1", "60 bytes are dropped"]);
    assert_eq!(drain(&mut recording).unwrap()[0].0, [0, 100, 200, 300]);
    damage(&mut file, 2);
    damage(&mut file, 3);
    let error = refused(&file);
    assert!(error.contains("record 1, annotations") && error.contains("DB DB"), "{error}");
}

#[test]
fn a_file_that_shrinks_is_an_error_that_names_the_record() {
    let samples = Signal::new("Cz", 30_000).filled(8, |n| (n % 1000) as i32);
    let written = File::new("", vec![samples]).write();
    let mut recording = Recording::open(&written.0).unwrap();
    fs::OpenOptions::new().write(true).open(&written.0).unwrap().set_len(512 + 60_000 * 5 + 7).unwrap();
    let error = drain(&mut recording).unwrap_err().to_string();
    assert!(error.contains("record 5, signal 0 \"Cz\": expected"), "{error}");
}

#[test]
fn what_is_no_file_is_said_in_one_line() {
    let directory = Recording::open(env!("CARGO_TARGET_TMPDIR")).unwrap_err();
    assert!(matches!(directory, SourceError::Io { .. }));
    assert!(directory.to_string().contains("is a directory"), "{directory}");
    let absent = Recording::open("no/such/file.edf").unwrap_err();
    assert!(matches!(absent, SourceError::Io { action: "open", .. }), "{absent}");
    let empty = Recording::open(&Temporary::with(b"").0).unwrap_err();
    assert!(matches!(empty, SourceError::Malformed { .. }), "{empty}");
    let short = Recording::open(&Temporary::with(b"0       X").0).unwrap_err();
    assert!(short.to_string().contains("header: expected at least 256 bytes, found 9 bytes"), "{short}");
    let text = Temporary::with(&b"samples\n".repeat(99));
    assert!(matches!(Recording::open(&text.0), Err(SourceError::UnsupportedFormat { .. })));
    assert!(Edf::open(&text.0).unwrap_err().to_string().contains("version: expected 0 (EDF)"));
}

fn context(worker: usize, waker: Waker) -> SourceContext {
    SourceContext { worker, workers: 2, waker, clock: Arc::new(SystemClock::new()), from: None }
}

#[test]
fn a_dropped_reader_ends_its_thread() {
    // Far more than is read ahead, so that the thread stands waiting for room.
    let written = File::new("", vec![Signal::new("Cz", 10_000).filled(60, |n| (n % 1000) as i32)]).write();
    let replay = Replay::open(&written.0).unwrap();
    let (wakes, woken) = mpsc::channel();
    let reader = replay.open(context(0, Waker::new(move || wakes.send(()).unwrap_or_default()))).unwrap();
    assert!(reader.is_some());
    woken.recv_timeout(Duration::from_secs(20)).expect("the thread wakes the worker");
    drop(reader);
    // The thread held the waker, and with it the other end of this channel.
    loop {
        match woken.recv_timeout(Duration::from_secs(20)) {
            Ok(()) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("the thread is still there"),
        }
    }
}

#[test]
fn one_worker_opens_it_and_settings_are_checked() {
    let written = File::new("", vec![Signal::new("Cz", 10).filled(2, |n| n as i32)]).write();
    let replay = Replay::open(&written.0).unwrap();
    let idle = || Waker::new(|| ());
    assert!(replay.open(context(1, idle())).unwrap().is_none());
    assert_eq!(replay.streams(), Recording::open(&written.0).unwrap().streams());
    let key = StreamKey::of_names("session", "cap");
    assert_eq!(replay.clone().key(key).streams()[0].key, key);
    for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refused = replay.clone().speed(Speed::Times(speed)).open(context(0, idle())).err();
        assert!(matches!(refused, Some(SourceError::Setting { setting: "speed", .. })), "{speed}");
    }
    let refused = replay.packet(0).open(context(1, idle())).err();
    assert!(matches!(refused, Some(SourceError::Setting { setting: "replay packet", .. })));
}

/// A small valid file, EDF+C, EDF+D or BDF+D.
fn small(kind: usize) -> Vec<u8> {
    let lists: [&[u8]; 3] =
        [b"+0.5\x14\x14\0+0.7\x151\x14T1\x14\0", b"+1.5\x14\x14\0", b"+2.5\x14\x14\0+3\x14x\x14\0"];
    let mut file = plus(["EDF+C", "EDF+D", "BDF+D"][kind], &lists);
    file.signals.insert(0, Signal::new("Fz", 7).filled(3, |n| n as i32));
    file.bytes()
}

/// Opens and reads whatever it is; gives how many values there were.
fn read_all(bytes: &[u8]) -> usize {
    let written = Temporary::with(bytes);
    let Ok(mut recording) = Recording::open(&written.0) else { return 0 };
    assert!(recording.warnings().len() < 20);
    let read = drain(&mut recording).map(|streams| streams.iter().map(|(_, values)| values.len()).sum());
    if let Ok(replay) = Replay::open(&written.0) {
        // What can be read can be replayed, every value of it; what fails fails.
        let packets = collect_packets(&replay, &Arc::new(FakeClock::new()));
        let values = |packet: &Packet| match &packet.body {
            PacketBody::Samples { values, .. } => values.len(),
            _ => 0,
        };
        let replayed = packets.ok().map(|all| all.iter().map(|(_, packet)| values(packet)).sum());
        assert_eq!(replayed, read.as_ref().ok().copied());
    }
    read.unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn damage_is_never_a_panic_nor_more_values_than_bytes(
        kind in 0usize..3,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        header in prop::collection::vec((0usize..1024, prop::sample::select(b"0123456789-+. \0\xff".to_vec())), 0..12),
        keep in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = small(kind);
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        for (at, value) in header {
            bytes[at] = value;
        }
        if let Some(keep) = keep {
            bytes.truncate(keep.index(bytes.len()));
        }
        prop_assert!(read_all(&bytes) <= bytes.len());
    }
}
