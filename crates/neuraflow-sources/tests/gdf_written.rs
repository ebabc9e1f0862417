//! GDF files that the tests write themselves: both versions, every sample type, every kind of damage.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside #[test]

mod support;

use std::sync::Arc;

use neuraflow_core::model::{ChannelKind, PacketBody, SamplingRate, Span, Timestamp, Unit};
use neuraflow_core::source::{Source, SourceError};
use neuraflow_core::testing::{FakeClock, collect_packets};
use neuraflow_sources::recording::gdf::Gdf;
use neuraflow_sources::recording::{Block, Recording};
use neuraflow_sources::replay::Replay;
use proptest::prelude::*;
use support::Temporary;

/// A signal to be written: its samples, as they are stored, of all records.
#[derive(Clone)]
struct Signal {
    label: &'static str,
    code: u32,
    samples: u32,
    digital: (f64, f64),
    physical: (f64, f64),
    stored: Vec<u8>,
}

/// Position, type and duration.
type Event = (u32, u16, u32);

/// A file to be written.
#[derive(Clone)]
struct File {
    second: bool,
    records: i64,
    duration: (u32, u32),
    signals: Vec<Signal>,
    /// The table's mode, and its events.
    events: Option<(u8, Vec<Event>)>,
    event_rate: u16,
}

impl File {
    fn bytes(&self) -> Vec<u8> {
        let ns = self.signals.len();
        let mut out = if self.second { b"GDF 2.20".to_vec() } else { b"GDF 1.25".to_vec() };
        out.resize(168, b' ');
        if self.second {
            out.extend_from_slice(&(733_997_u64 << 32).to_le_bytes());
            out.resize(184, 0);
            out.extend_from_slice(&(ns as u16 + 2).to_le_bytes()); // a block of tags behind the signals
            out.resize(236, 0);
        } else {
            out.extend_from_slice(b"2009081216150025");
            out.extend_from_slice(&(256 * (ns as u64 + 1)).to_le_bytes());
            out.resize(236, 0);
        }
        out.extend_from_slice(&self.records.to_le_bytes());
        out.extend_from_slice(&self.duration.0.to_le_bytes());
        out.extend_from_slice(&self.duration.1.to_le_bytes());
        out.extend_from_slice(&(ns as u32).to_le_bytes());
        let mut column = |width: usize, field: &dyn Fn(&Signal) -> Vec<u8>| {
            for signal in &self.signals {
                let at = out.len();
                out.extend(field(signal));
                out.resize(at + width, if self.second { 0 } else { b' ' });
            }
        };
        let limit = |value: f64| if self.second { value.to_le_bytes() } else { (value as i64).to_le_bytes() };
        column(16, &|s| s.label.into());
        column(80, &|_| b"AgCl".into());
        if self.second {
            column(6, &|_| Vec::new());
            column(2, &|_| 4274_u16.to_le_bytes().into()); // mV
        } else {
            column(8, &|_| b"mV".into());
        }
        column(8, &|s| s.physical.0.to_le_bytes().into());
        column(8, &|s| s.physical.1.to_le_bytes().into());
        column(8, &|s| limit(s.digital.0).into());
        column(8, &|s| limit(s.digital.1).into());
        if self.second {
            column(68, &|_| b"HP:0.1Hz".into());
            (0..3).for_each(|_| column(4, &|_| 50_f32.to_le_bytes().into()));
        } else {
            column(80, &|_| b"HP:0.1Hz".into());
        }
        column(4, &|s| s.samples.to_le_bytes().into());
        column(4, &|s| s.code.to_le_bytes().into());
        column(32, &|_| Vec::new());
        out.resize(out.len() + if self.second { 256 } else { 0 }, 0xee);
        for record in 0..self.records.max(0) as usize {
            for signal in &self.signals {
                let part = signal.stored.len() / self.records.max(1) as usize;
                out.extend_from_slice(&signal.stored[record * part..(record + 1) * part]);
            }
        }
        if let Some((mode, events)) = &self.events {
            let count = (events.len() as u32).to_le_bytes();
            out.push(*mode);
            if self.second {
                out.extend_from_slice(&count[..3]);
                out.extend_from_slice(&f32::from(self.event_rate).to_le_bytes());
            } else {
                out.extend_from_slice(&u32::from(self.event_rate).to_le_bytes()[..3]);
                out.extend_from_slice(&count);
            }
            events.iter().for_each(|(position, ..)| out.extend_from_slice(&position.to_le_bytes()));
            events.iter().for_each(|(_, kind, _)| out.extend_from_slice(&kind.to_le_bytes()));
            if mode & 2 != 0 {
                events.iter().for_each(|_| out.extend_from_slice(&1_u16.to_le_bytes()));
                events.iter().for_each(|(.., lasts)| out.extend_from_slice(&lasts.to_le_bytes()));
            }
        }
        out
    }

    fn open(&self) -> Recording {
        Recording::open(&Temporary::with(&self.bytes()).0).unwrap()
    }

    fn refused(&self) -> String {
        let written = Temporary::with(&self.bytes());
        match Recording::open(&written.0) {
            Err(error @ SourceError::Malformed { .. }) => error.to_string(),
            other => panic!("expected Malformed, found {other:?}"),
        }
    }
}

/// Two records of half a second: two signals of 4 samples in each record, one of 2, each of another type.
fn file(second: bool) -> File {
    let signal = |label, code, samples, stored: Vec<u8>| Signal {
        label,
        code,
        samples,
        digital: (-10.0, 10.0),
        physical: (-1.0, 1.0),
        stored,
    };
    let floats = (0..8).flat_map(|n| f64::from(n).to_le_bytes()).collect();
    let shorts = (0..4).flat_map(|n: i16| (-n).to_le_bytes()).collect();
    let threes = (-4..4_i32).flat_map(|n| n.to_le_bytes().into_iter().take(3));
    File {
        second,
        records: 2,
        duration: (1, 2),
        signals: vec![
            signal("Cz", 17, 4, floats),
            signal("Resp", 3, 2, shorts),
            signal("Oz", 279, 4, threes.collect()),
        ],
        events: Some((3, vec![(5, 33_025, 2), (1, 768, 8)])),
        event_rate: 0,
    }
}

/// The samples of every stream, as far as they can be read.
fn drain(recording: &mut Recording) -> Result<Vec<Vec<f32>>, SourceError> {
    let mut streams = vec![Vec::new(); recording.streams().len()];
    let mut block = Block::default();
    while recording.next_block(&mut block)? {
        streams.iter_mut().zip(block.chunks()).for_each(|(all, chunk)| all.extend_from_slice(chunk.values()));
    }
    Ok(streams)
}

#[test]
fn both_versions_give_streams_by_rate_and_markers_in_order_of_time() {
    for second in [false, true] {
        let mut recording = file(second).open();
        assert_eq!(recording.warnings(), []);
        let [fast, slow] = recording.streams() else { panic!("two rates") };
        assert_eq!((fast.rate, slow.rate), (SamplingRate::hz(8).unwrap(), SamplingRate::hz(4).unwrap()));
        let labels: Vec<&str> = fast.channels.iter().map(|channel| channel.label()).collect();
        assert_eq!((labels, slow.channels[0].label()), (vec!["Cz", "Oz"], "Resp"));
        assert_eq!((fast.channels[0].unit(), fast.channels[0].kind()), (&Unit::Microvolt, ChannelKind::Eeg));
        let start = Timestamp::from_nanos(if second { 1_250_035_200 } else { 1_250_093_700 } * 1_000_000_000);
        let start = if second { start } else { start + Span::millis(250) };
        assert_eq!((fast.t0, slow.t0), (start, start));
        let markers: Vec<_> =
            recording.markers().iter().map(|m| (m.time - start, m.duration, m.label.as_str())).collect();
        let expected = [(Span::ZERO, Span::secs(1), "768"), (Span::millis(500), Span::millis(250), "33025")];
        assert_eq!(markers, expected);
        // A stored ten is a millivolt.
        let [fast, slow] = drain(&mut recording).unwrap().try_into().unwrap();
        let expected: Vec<f32> = (0..8).flat_map(|n| [n as f32 * 100.0, (n - 4) as f32 * 100.0]).collect();
        assert!(fast.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-3), "{fast:?}");
        assert!(
            slow.iter().zip([0.0, -100.0, -200.0, -300.0]).all(|(a, b)| (a - b).abs() < 1e-3),
            "{slow:?}"
        );
        let written = Temporary::with(&file(second).bytes());
        let mut gdf = Gdf::open(&written.0).unwrap();
        assert_eq!(gdf.header().signals[1].transducer, "AgCl");
        assert_eq!(gdf.header().signals[2].prefiltering, "HP:0.1Hz");
        let found = gdf.physical(0, 1).unwrap();
        assert!(found.iter().zip([0.4, 0.5, 0.6, 0.7]).all(|(a, b)| (a - b).abs() < 1e-15), "{found:?}");
    }
}

#[test]
fn events_have_a_rate_of_their_own_and_modes_say_what_there_is() {
    let mut file = File { event_rate: 1_000, ..file(false) };
    file.events = Some((1, vec![(1_251, 7, 0), (0, 9, 0)]));
    let recording = file.open();
    let [warning] = recording.warnings() else { panic!("{:?}", recording.warnings()) };
    assert!(warning.to_string().contains("positions from 1, found 1 at 0"), "{warning}");
    let [marker] = recording.markers() else { panic!() };
    let since = marker.time - recording.streams()[0].t0;
    assert_eq!((since, marker.duration, &*marker.label), (Span::millis(1_250), Span::millis(1), "7"));
    file.events = Some((2, vec![(1, 7, 0)]));
    let recording = file.open();
    assert!(recording.warnings()[0].to_string().contains("mode 1, 3, 5 or 7, found mode 2"));
    assert!(recording.markers().is_empty());
    file.events = None;
    assert_eq!((file.open().warnings().len(), file.open().markers().len()), (0, 0));
}

#[test]
fn a_file_of_events_alone_has_markers() {
    let events = File { signals: Vec::new(), event_rate: 100, records: 0, ..file(true) };
    let recording = events.open();
    assert_eq!((recording.streams().len(), recording.markers().len(), recording.warnings().len()), (0, 2, 0));
    assert!(Replay::open(Temporary::with(&events.bytes()).0.clone()).is_err());
    let lost = File { event_rate: 0, ..events }.open();
    assert!(lost.warnings()[0].to_string().contains("expected a sampling rate"), "{:?}", lost.warnings());
}

#[test]
fn what_cannot_be_got_over_is_refused_by_name() {
    let with = |change: &dyn Fn(&mut File)| {
        let mut file = file(false);
        change(&mut file);
        file.refused()
    };
    for (message, word) in [
        (with(&|f| f.signals[1].code = 18), "signal 1 \"Resp\": sample type"),
        (with(&|f| f.duration = (0, 1)), "duration of a data record: expected seconds above 0"),
        (with(&|f| f.duration = (1, 0)), "found 1/0"),
        (with(&|f| f.duration = (1, u32::MAX)), "sampling rate"),
        (with(&|f| f.records = 0), "data records: expected at least one of 48 bytes, found 0 by the header"),
        (with(&|f| f.signals[0].samples = u32::MAX), "data records"),
    ] {
        assert!(message.contains(word), "{message} does not say {word}");
    }
    // Without a usable line the stored numbers are given, under a kind of their own.
    let mut flat = file(true);
    flat.signals[2].physical = (1.0, 1.0);
    let mut recording = flat.open();
    assert!(recording.warnings()[0].to_string().contains("signal 2 \"Oz\": calibration"));
    assert_eq!(recording.streams()[0].channels[1].kind(), ChannelKind::Other);
    assert_eq!(drain(&mut recording).unwrap()[0][1], -4.0);
}

/// Opens and reads whatever it is, and replays it; gives how many values there were.
fn read_all(bytes: &[u8]) -> usize {
    let written = Temporary::with(bytes);
    let Ok(mut recording) = Recording::open(&written.0) else { return 0 };
    assert!(recording.warnings().len() < 20);
    let count = |streams: Vec<Vec<f32>>| streams.iter().map(Vec::len).sum::<usize>();
    let read = drain(&mut recording).map(count).ok();
    if let Ok(replay) = Replay::open(&written.0) {
        let packets = collect_packets(&replay, &Arc::new(FakeClock::new())).ok();
        let values =
            |body: &PacketBody| if let PacketBody::Samples { values, .. } = body { values.len() } else { 0 };
        assert_eq!(
            packets.map(|all| all.iter().map(|(_, packet)| values(&packet.body)).sum::<usize>()),
            read
        );
        assert_eq!(replay.streams(), recording.streams());
    }
    read.unwrap_or(0)
}

#[test]
fn a_file_cut_at_any_byte_is_refused_or_read_as_far_as_it_goes() {
    for second in [false, true] {
        let bytes = file(second).bytes();
        let mut most = 0;
        for length in 0..bytes.len() {
            let values = read_all(&bytes[..length]);
            assert!(values >= most && values * 2 <= length, "{length}: {values} after {most}");
            most = values;
        }
        assert_eq!(most, 20, "all records were there before the end of the event table");
    }
}

#[test]
fn a_seek_goes_on_with_the_same_samples() {
    let mut recording = file(true).open();
    let whole = drain(&mut recording).unwrap();
    recording.seek(&[5, u64::MAX]).unwrap();
    let mut block = Block::default();
    recording.next_block(&mut block).unwrap();
    assert_eq!((block.record(), block.chunks()[0].first(), block.chunks()[1].first()), (1, 4, 2));
    assert_eq!(block.chunks()[0].values(), &whole[0][8..]);
    assert!(recording.seek(&[9, u64::MAX]).unwrap_err().to_string().contains("at least the 9 samples"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn damage_is_never_a_panic_nor_more_values_than_bytes(
        second: bool,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        numbers in prop::collection::vec((184usize..256, prop::sample::select(vec![0_u8, 1, 2, 127, 255])), 0..6),
        keep in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = file(second).bytes();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        for (at, value) in numbers {
            bytes[at] = value;
        }
        if let Some(keep) = keep {
            bytes.truncate(keep.index(bytes.len()));
        }
        prop_assert!(read_all(&bytes) <= bytes.len());
    }
}
