//! Muse CSV that the tests write themselves: jitter, losses, and every kind of damage.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside #[test]

mod support;

use std::fmt::Write as _;
use std::sync::Arc;

use neuraflow_core::model::{PacketBody, SamplingRate, Timestamp};
use neuraflow_core::source::SourceError;
use neuraflow_core::testing::{FakeClock, collect_packets};
use neuraflow_sources::recording::{Block, Recording};
use neuraflow_sources::replay::Replay;
use proptest::prelude::*;
use support::Temporary;

const NAMES: &str = "timestamps,TP9,Right AUX,Marker0";

/// Rows as a recorder writes them: 256 Hz, milliseconds, a marker in every hundredth row. Values are the rows' numbers.
fn rows(count: usize) -> Vec<String> {
    let row = |n: usize| {
        let marker = if n % 100 == 99 { 2 } else { 0 };
        format!("{:.3},{n},{}.5,{marker}", 1_486_223_115.483 + n as f64 / 256.0, n)
    };
    (0..count).map(row).collect()
}

fn text(rows: &[String]) -> Vec<u8> {
    let mut text = format!("{NAMES}\n");
    rows.iter().for_each(|row| writeln!(text, "{row}").unwrap());
    text.into_bytes()
}

fn open(bytes: &[u8]) -> Recording {
    Recording::open(&Temporary::with(bytes).0).unwrap()
}

/// Sample numbers and the first channel's values.
fn drain(recording: &mut Recording) -> Vec<(u64, f32)> {
    let (mut all, mut block) = (Vec::new(), Block::default());
    while recording.next_block(&mut block).unwrap() {
        let chunk = &block.chunks()[0];
        assert!(!chunk.is_empty() && chunk.len() <= 256);
        all.extend(chunk.samples().enumerate().map(|(n, sample)| (chunk.first() + n as u64, sample[0])));
    }
    all
}

fn refused(bytes: &[u8]) -> String {
    let written = Temporary::with(bytes);
    match Recording::open(&written.0) {
        Err(error @ SourceError::Malformed { .. }) => error.to_string(),
        other => panic!("expected Malformed, found {other:?}"),
    }
}

#[test]
fn rows_are_samples_at_the_nominal_rate() {
    let mut recording = open(&text(&rows(1_000)));
    let stream = recording.streams()[0].clone();
    assert_eq!((stream.rate, recording.warnings()), (SamplingRate::hz(256).unwrap(), &[][..]));
    assert_eq!(stream.t0, Timestamp::from_nanos(1_486_223_115_483_000_000));
    let markers: Vec<_> = recording.markers().iter().map(|marker| (marker.time, &*marker.label)).collect();
    assert_eq!(markers, (0..10).map(|n| (stream.time_of(99 + 100 * n), "2")).collect::<Vec<_>>());
    let all = drain(&mut recording);
    assert_eq!(all, (0..1_000).map(|n| (n, n as f32)).collect::<Vec<_>>());
    recording.seek(&[700]).unwrap();
    assert_eq!(drain(&mut recording), all[700..]);
    recording.seek(&[1_000]).unwrap();
    assert_eq!(drain(&mut recording), []);
    assert!(recording.seek(&[1_001]).unwrap_err().to_string().contains("at least the 1001 samples"));
}

#[test]
fn a_leap_of_the_timestamps_is_a_hole_and_jitter_is_none() {
    // Two packets of 12 are lost at 300; timestamps come in packets, up to 30 ms late.
    let late = |n: usize| if n % 12 < 6 { 0.0 } else { 0.015 * ((n / 12) % 3) as f64 };
    let mut lost: Vec<String> = (0..1_000)
        .map(|n| format!("{:.3},{n},0,{}", 100.0 + n as f64 / 256.0 + late(n), u8::from(n == 500)))
        .collect();
    lost.drain(300..324);
    let mut recording = open(&text(&lost));
    assert_eq!(recording.warnings(), []);
    let stream = recording.streams()[0].clone();
    let all = drain(&mut recording);
    let (before, behind) = all.split_at(300);
    assert_eq!(before.last(), Some(&(299, 299.0)));
    // To the jitter: three samples are 12 ms.
    let hole = behind[0].0 - 300;
    assert!((21..=27).contains(&hole), "{hole}");
    assert!(behind.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1));
    assert_eq!(recording.markers()[0].time, stream.time_of(500 + hole - 24));
    recording.seek(&[300 + hole + 5]).unwrap();
    assert_eq!(drain(&mut recording), behind[5..]);
}

#[test]
fn rows_that_cannot_be_read_leave_their_places_empty() {
    let mut damaged = rows(600);
    damaged[100] = String::new();
    damaged[200] = "1486223116.260,26".to_owned();
    damaged[300] = damaged[300].replacen("300", "x", 1);
    damaged[400] = "\u{fffd}".repeat(3_000);
    damaged.insert(500, damaged[499].clone());
    let mut bytes = text(&damaged);
    bytes.extend_from_slice(b"\r\n\n");
    let mut recording = open(&bytes);
    let warnings: Vec<String> = recording.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("line 102") && warnings[0].contains("4 such rows"), "{warnings:?}");
    assert!(warnings[1].contains("line 502") && warnings[1].contains("1 that repeat"), "{warnings:?}");
    let expected = (0..600).filter(|n| ![100, 200, 300, 400].contains(n)).map(|n| (n, n as f32));
    assert_eq!(drain(&mut recording), expected.collect::<Vec<_>>());
}

#[test]
fn one_wrong_timestamp_moves_nothing_and_a_clock_set_back_is_said() {
    let mut odd = rows(600);
    odd[200] = odd[200].replacen("1486", "2486", 1);
    let mut recording = open(&text(&odd));
    assert!(recording.warnings()[0].to_string().contains("1 that the next one does not follow"));
    assert_eq!(drain(&mut recording), (0..600).map(|n| (n, n as f32)).collect::<Vec<_>>());
    let back: Vec<String> = rows(300).into_iter().chain(rows(300)).collect();
    let mut recording = open(&text(&back));
    assert!(recording.warnings()[0].to_string().contains("1 leaps back"), "{:?}", recording.warnings());
    assert_eq!(drain(&mut recording).last().map(|last| last.0), Some(599));
}

#[test]
fn what_is_no_table_of_a_headband_is_refused() {
    let few = refused(&text(&rows(1)));
    assert!(few.contains("at least two with timestamps that go on"), "{few}");
    let slow: Vec<String> = (0..50).map(|n| format!("{:.3},1,2,0", f64::from(n) / 64.0)).collect();
    let slow = refused(&text(&slow));
    assert!(slow.contains("the rate of a Muse headband: 220, 256, 500 Hz, found 64.0 Hz"), "{slow}");
    let none = refused(b"timestamps,TP9\xff,AF7\n1,2,3\n");
    assert!(none.contains("line 1"), "{none}");
}

/// Opens and reads whatever it is, and replays it; gives how many values there were.
fn read_all(bytes: &[u8]) -> usize {
    let written = Temporary::with(bytes);
    let Ok(mut recording) = Recording::open(&written.0) else { return 0 };
    assert!(recording.warnings().len() < 20);
    let read = drain(&mut recording).len() * recording.streams()[0].channels.len();
    let replay = Replay::open(&written.0).unwrap();
    let packets = collect_packets(&replay, &Arc::new(FakeClock::new())).unwrap();
    let values =
        |body: &PacketBody| if let PacketBody::Samples { values, .. } = body { values.len() } else { 0 };
    assert_eq!(packets.iter().map(|(_, packet)| values(&packet.body)).sum::<usize>(), read);
    read
}

#[test]
fn a_file_cut_at_any_byte_is_refused_or_read_as_far_as_it_goes() {
    let bytes = text(&rows(30));
    let mut most = 0;
    for length in 0..bytes.len() {
        let values = read_all(&bytes[..length]);
        assert!(values >= most && values <= length, "{length}: {values} after {most}");
        most = values;
    }
    assert_eq!(most, 60);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn damage_is_never_a_panic_nor_more_values_than_bytes(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        texts in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::sample::select(b"0123456789-+.,e\r\n".to_vec())), 0..12),
        keep in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = text(&rows(60));
        for (at, value) in flips.into_iter().chain(texts) {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(keep) = keep {
            bytes.truncate(keep.index(bytes.len()));
        }
        prop_assert!(read_all(&bytes) <= bytes.len());
    }
}
