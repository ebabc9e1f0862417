//! The cutter and the reader without files: what is cut, in which order, and when.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use neuraflow_core::model::{Channel, Chunk, Marker, SamplingRate, Span, StreamHeader, StreamKey, Timestamp};
use neuraflow_core::source::{Polled, SourceError};
use proptest::prelude::*;

use super::Speed;
use super::cutter::{Cutter, Next, Ready};
use super::place::Place;
use super::prefetch::Message;
use super::reader::ReplayReader;

/// What came out, in words that compare.
#[derive(Clone, Debug, PartialEq)]
enum Out {
    Samples(usize, u64, Vec<f32>),
    Marker(String),
    End(usize, u64),
}

fn out(next: Next<'_>) -> Out {
    match next {
        Next::Samples { stream, first, values } => Out::Samples(stream, first, values.to_vec()),
        Next::Marker { marker, .. } => Out::Marker(marker.label.clone()),
        Next::End { stream, next } => Out::End(stream, next),
    }
}

fn headers() -> Arc<[StreamHeader]> {
    let stream = |signal, hz, channels: usize| {
        let channels = (0..channels).map(|i| Channel::new(format!("ch{i}"))).collect();
        StreamHeader::new(
            StreamKey::default().with_signal(signal),
            "test",
            SamplingRate::hz(hz).unwrap(),
            channels,
        )
    };
    [stream(0, 100, 2), stream(1, 10, 1)].into()
}

fn marker(millis: i64, label: &str) -> Marker {
    Marker::new(Timestamp::EPOCH + Span::millis(millis), label)
}

/// Samples `first..end` whose values tell where they are from.
fn chunk(channels: usize, first: u64, end: u64) -> Chunk {
    let mut chunk = Chunk::new(first, channels);
    for n in first..end {
        chunk.extend(&(0..channels).map(|c| n as f32 + c as f32 / 10.0).collect::<Vec<_>>());
    }
    chunk
}

/// A block of both streams: `fast` samples at 100 Hz, `slow` at 10 Hz.
fn block(fast: (u64, u64), slow: (u64, u64)) -> Vec<Chunk> {
    vec![chunk(2, fast.0, fast.1), chunk(1, slow.0, slow.1)]
}

fn cutter(markers: Vec<Marker>, packet: [u64; 2], limit: [u64; 2]) -> Cutter {
    Cutter::new(headers(), markers.into(), 0, &packet, &limit, &Place::start(2))
}

fn drain(cutter: &mut Cutter) -> Vec<Out> {
    let mut all = Vec::new();
    while matches!(cutter.ready(), Ready::At(_) | Ready::Now) {
        cutter.take(&mut |next| all.push(out(next)));
    }
    all
}

/// Stream, first and end of the packets of samples.
fn ranges(all: &[Out]) -> Vec<(usize, u64, u64)> {
    let range = |out: &Out| match out {
        Out::Samples(stream, first, values) => {
            Some((*stream, *first, first + (values.len() / [2, 1][*stream]) as u64))
        }
        _ => None,
    };
    all.iter().filter_map(range).collect()
}

#[test]
fn packets_cross_blocks_and_restart_at_holes() {
    let mut cutter = cutter(Vec::new(), [7, 1], [u64::MAX; 2]);
    for (fast, slow) in [((0, 10), (0, 1)), ((10, 20), (1, 2)), ((35, 50), (4, 5))] {
        cutter.push(block(fast, slow));
    }
    cutter.finish();
    let all = drain(&mut cutter);
    let fast: Vec<_> = ranges(&all).into_iter().filter(|r| r.0 == 0).map(|r| (r.1, r.2)).collect();
    assert_eq!(fast, [(0, 7), (7, 14), (14, 20), (35, 42), (42, 49), (49, 50)]);
    assert_eq!(all[all.len() - 2..], [Out::End(0, 50), Out::End(1, 5)]);
    assert_eq!(cutter.ready(), Ready::Finished);
}

#[test]
fn streams_are_interleaved_by_the_time_of_their_last_samples() {
    let mut cutter = cutter(Vec::new(), [4, 1], [u64::MAX; 2]);
    cutter.push(block((0, 12), (0, 2)));
    // Last samples at 30 ms, 0; then 70, 100; then 110 ms. The slow stream might have one at 200 ms: not known yet.
    assert_eq!(ranges(&drain(&mut cutter)), [(1, 0, 1), (0, 0, 4), (0, 4, 8), (1, 1, 2)]);
    assert_eq!(cutter.ready(), Ready::Starved);
    cutter.push(block((12, 16), (2, 3)));
    assert_eq!(ranges(&drain(&mut cutter)), [(0, 8, 12), (0, 12, 16)]);
}

#[test]
fn a_marker_goes_before_the_packet_that_holds_the_nearest_sample() {
    // At 100 Hz: 39 ms is nearest to sample 4, 34 ms to 3, 35 ms a tie that the earlier wins; 50 s is after the end.
    let markers = vec![marker(-5, "before"), marker(35, "tie"), marker(39, "four"), marker(50_000, "after")];
    let mut cutter = cutter(markers, [4, 1], [u64::MAX; 2]);
    cutter.push(block((0, 8), (0, 1)));
    cutter.finish();
    let all = drain(&mut cutter);
    let place = |wanted: &Out| all.iter().position(|out| out == wanted).unwrap();
    let packet = |first| all.iter().position(|o| matches!(o, Out::Samples(0, f, _) if *f == first)).unwrap();
    let label = |text: &str| place(&Out::Marker(text.to_owned()));
    assert!(label("before") < label("tie") && label("tie") < packet(0));
    assert!(packet(0) < label("four") && label("four") < packet(4));
    assert!(packet(4) < label("after") && label("after") < place(&Out::End(0, 8)));
}

#[test]
fn a_limit_cuts_the_last_packet_and_tells_the_next_sample() {
    for (limit, last, end) in [(10, (8, 10), 10), (12, (8, 12), 12), (25, (16, 20), 25), (60, (48, 50), 50)] {
        let mut cutter = cutter(Vec::new(), [4, 1], [limit, 1]);
        for (fast, slow) in [((0, 10), (0, 1)), ((10, 20), (1, 2)), ((40, 50), (4, 5))] {
            cutter.push(block(fast, slow));
        }
        assert_eq!(cutter.is_full(), limit <= 50, "{limit}");
        cutter.finish();
        let all = drain(&mut cutter);
        let fast = ranges(&all).into_iter().rfind(|r| r.0 == 0).unwrap();
        assert_eq!((fast.1, fast.2), last, "{limit}");
        assert!(all.contains(&Out::End(0, end)), "{limit}");
    }
}

fn reader(markers: Vec<Marker>, messages: Receiver<Message>, speed: Speed) -> ReplayReader {
    ReplayReader::new(
        headers(),
        Place::start(2),
        cutter(markers, [4, 1], [u64::MAX; 2]),
        messages,
        speed,
        "test.edf".to_owned(),
    )
}

fn step(reader: &mut ReplayReader, now_ms: u64, budget: usize) -> (Result<Polled, SourceError>, Vec<Out>) {
    let mut all = Vec::new();
    let polled = reader.step(now_ms * 1_000_000, budget, &mut |next, _| all.push(out(next)));
    (polled, all)
}

#[test]
fn a_paced_replay_gives_each_packet_when_its_last_sample_is_due() {
    let (sender, messages) = channel();
    let mut reader = reader(Vec::new(), messages, Speed::Times(2.0));
    assert_eq!(step(&mut reader, 1000, 1000).0.unwrap(), Polled::Idle);
    sender.send(Message::Blocks(vec![block((0, 12), (0, 2))])).unwrap();
    sender.send(Message::End).unwrap();
    // Twice as fast: event time 0 at 1000 ms, 30 ms at 1015 ms, 70 ms at 1035 ms.
    let (polled, all) = step(&mut reader, 1000, 1000);
    assert_eq!((polled.unwrap(), ranges(&all)), (Polled::After(Duration::from_millis(15)), vec![(1, 0, 1)]));
    let (polled, all) = step(&mut reader, 1014, 1000);
    assert_eq!((polled.unwrap(), ranges(&all)), (Polled::After(Duration::from_millis(1)), vec![]));
    let (polled, all) = step(&mut reader, 1035, 1000);
    assert_eq!(polled.unwrap(), Polled::After(Duration::from_millis(15)));
    assert_eq!(ranges(&all), [(0, 0, 4), (0, 4, 8)]);
    let (polled, all) = step(&mut reader, 9000, 1000);
    assert_eq!((polled.unwrap(), ranges(&all)), (Polled::Ended, vec![(1, 1, 2), (0, 8, 12)]));
    let (polled, all) = step(&mut reader, 9000, 1000);
    assert_eq!((polled.unwrap(), all), (Polled::Ended, vec![]));
}

#[test]
fn a_budget_is_kept_to_and_nothing_is_lost_by_it() {
    let (sender, messages) = channel();
    sender.send(Message::Blocks(vec![block((0, 100), (0, 10))])).unwrap();
    sender.send(Message::End).unwrap();
    let mut reader = reader(vec![marker(500, "m")], messages, Speed::Max);
    let mut all = Vec::new();
    loop {
        let (polled, part) = step(&mut reader, 0, 5);
        assert!(part.len() <= 6, "{part:?}");
        all.extend(part);
        match polled.unwrap() {
            Polled::Ready => {}
            Polled::Ended => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ranges(&all).len(), 35);
    assert!(all.contains(&Out::Marker("m".to_owned())));
}

#[test]
fn a_failed_or_vanished_thread_is_an_error_after_what_it_read() {
    let (sender, messages) = channel();
    let mut failed = reader(Vec::new(), messages, Speed::Max);
    sender.send(Message::Blocks(vec![block((0, 4), (0, 1))])).unwrap();
    let error = SourceError::Setting { setting: "test", expected: "a".to_owned(), found: "b".to_owned() };
    sender.send(Message::Failed(error)).unwrap();
    let (polled, all) = step(&mut failed, 0, 1000);
    assert!(matches!(polled, Err(SourceError::Setting { .. })), "{polled:?}");
    assert_eq!(ranges(&all), [(1, 0, 1)]);

    let (sender, messages) = channel();
    drop(sender);
    let polled = step(&mut reader(Vec::new(), messages, Speed::Max), 0, 1000).0;
    assert!(polled.unwrap_err().to_string().contains("test.edf: the reading thread stopped"));
}

/// Lengths of blocks in tenths of a second, and of holes before them.
fn recording() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((1u64..4, prop_oneof![3 => Just(0u64), 1 => 1u64..5]), 1..20)
}

proptest! {
    #[test]
    fn what_is_cut_depends_on_the_recording_alone(
        blocks in recording(), packet in 1u64..80, slow_packet in 1u64..6, late in prop::collection::vec(any::<bool>(), 20),
    ) {
        let (mut tenth, mut all_blocks) = (0, Vec::new());
        for (index, (length, hole)) in blocks.iter().enumerate() {
            tenth += if index > 0 { *hole } else { 0 };
            all_blocks.push(block((tenth * 10, (tenth + length) * 10), (tenth, tenth + length)));
            tenth += length;
        }
        let markers: Vec<_> = (0..20).map(|i| marker(i * 333, &i.to_string())).collect();
        let mut at_once = cutter(markers.clone(), [packet, slow_packet], [u64::MAX; 2]);
        all_blocks.iter().for_each(|block| at_once.push(block.clone()));
        at_once.finish();
        let expected = drain(&mut at_once);
        // Block by block, drained or not in between.
        let mut by_block = cutter(markers, [packet, slow_packet], [u64::MAX; 2]);
        let mut found = Vec::new();
        for (block, late) in all_blocks.iter().zip(late) {
            by_block.push(block.clone());
            if !late {
                found.extend(drain(&mut by_block));
            }
        }
        by_block.finish();
        found.extend(drain(&mut by_block));
        prop_assert_eq!(&found, &expected);
        // Every sample once and in order, packets on their grid.
        for (stream, channels) in [(0, 2), (1, 1)] {
            let given = ranges(&expected).into_iter().filter(|range| range.0 == stream);
            let chunks = all_blocks.iter().map(|block| &block[stream]);
            let wanted: Vec<u64> = chunks.flat_map(|chunk| chunk.first()..chunk.end()).collect();
            prop_assert_eq!(given.flat_map(|(_, first, end)| first..end).collect::<Vec<_>>(), wanted);
            for out in &expected {
                if let Out::Samples(of, first, values) = out && *of == stream {
                    let end = first + (values.len() / channels) as u64;
                    let whole = chunk(channels, *first, end);
                    prop_assert_eq!(whole.values(), values.as_slice());
                }
            }
        }
    }
}
