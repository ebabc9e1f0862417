//! Replay as a source: what it gives, whatever the packet size and the speed.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers outside #[test]

mod support;

use std::fs;
use std::sync::Arc;

use neuraflow_core::model::{Marker, Packet, PacketBody, Span, Timestamp};
use neuraflow_core::source::{Polled, Source, SourceError};
use neuraflow_core::testing::{FakeClock, Probe, collect_packets, collect_worker, data};
use neuraflow_sources::recording::{Block, Recording};
use neuraflow_sources::replay::{Replay, Speed};
use support::{File, Signal};

/// What one stream gave.
#[derive(Debug, Default, PartialEq)]
struct Stream {
    opened: usize,
    /// First sample of each packet, and how many there are in it.
    packets: Vec<(u64, u64)>,
    values: Vec<f32>,
    markers: Vec<Marker>,
    next: Option<u64>,
}

/// The packets sorted by stream, each in the order in which it came.
fn by_stream(replay: &Replay, packets: &[(u64, Packet)]) -> Vec<Stream> {
    let headers = replay.streams();
    let mut streams: Vec<Stream> = headers.iter().map(|_| Stream::default()).collect();
    for (_, packet) in packets {
        let index = headers.iter().position(|header| header.key == packet.stream).unwrap();
        let (stream, channels) = (&mut streams[index], headers[index].channels.len());
        match &packet.body {
            PacketBody::Open(header) => {
                assert_eq!(**header, headers[index]);
                stream.opened += 1;
            }
            PacketBody::Samples { sequence, values } => {
                stream.packets.push((*sequence, (values.len() / channels) as u64));
                stream.values.extend_from_slice(values);
            }
            PacketBody::Marker(marker) => stream.markers.push(marker.clone()),
            PacketBody::End { next } => stream.next = *next,
            other => panic!("{other:?}"),
        }
    }
    streams
}

fn replayed(replay: &Replay) -> Vec<(u64, Packet)> {
    collect_packets(replay, &Arc::new(FakeClock::new())).unwrap()
}

/// Two rates, a hole, and markers.
fn two_rates() -> File {
    let lists: [&[u8]; 4] = [
        b"+0.5\x14\x14\0+0.51\x14T1\x14\0",
        b"+1.5\x14\x14\0+3\x14in the hole\x14\0",
        b"+4.5\x14\x14\0",
        b"+5.5\x14\x14\0+9\x14after\x14\0",
    ];
    let slow = Signal::new("Resp", 8).filled(4, |n| n as i32);
    let fast = |label, sign: i32| Signal::new(label, 100).filled(4, move |n| sign * n as i32);
    let signals =
        vec![slow, fast("Cz", 1), fast("Pz", -1), Signal::annotations("EDF Annotations", 60, false, &lists)];
    File::new("EDF+D", signals)
}

#[test]
fn neither_packet_size_nor_speed_changes_what_is_given() {
    let written = two_rates().write();
    let replay = Replay::open(&written.0).unwrap();
    let reference = by_stream(&replay, &replayed(&replay));
    let firsts = |stream: &Stream| stream.packets.iter().flat_map(|&(f, n)| f..f + n).collect::<Vec<_>>();
    assert_eq!(firsts(&reference[0]), (0..16).chain(32..48).collect::<Vec<_>>());
    assert_eq!(firsts(&reference[1]), (0..200).chain(400..600).collect::<Vec<_>>());
    assert_eq!((reference[0].next, reference[1].next), (Some(48), Some(600)));
    assert_eq!((reference[0].markers.len(), reference[1].markers.len()), (0, 3));
    assert_eq!(reference[1].packets[0], (0, 1), "10 ms are one sample of the fast stream");

    for packet in [1, 7, 13, 64, 10_000, usize::MAX] {
        for speed in [Speed::Max, Speed::RealTime, Speed::Times(16.0)] {
            let replay = replay.clone().packet(packet).speed(speed);
            let streams = by_stream(&replay, &replayed(&replay));
            let runs = [[(0, 16), (32, 48)], [(0, 200), (400, 600)]];
            for ((stream, reference), runs) in streams.iter().zip(&reference).zip(runs) {
                assert_eq!((stream.opened, stream.next), (1, reference.next), "{packet} {speed:?}");
                assert_eq!((&stream.values, &stream.markers), (&reference.values, &reference.markers));
                let cut = |(start, end): (u64, u64)| {
                    let firsts = (start..end).step_by(packet);
                    firsts.map(move |first| (first, (packet as u64).min(end - first)))
                };
                assert_eq!(stream.packets, runs.into_iter().flat_map(cut).collect::<Vec<_>>(), "{packet}");
            }
        }
    }
}

#[test]
fn packets_arrive_when_their_last_samples_are_due() {
    let written = two_rates().write();
    let replay = Replay::open(&written.0).unwrap().packet(10).speed(Speed::Times(2.0));
    let clock = Arc::new(FakeClock::at(7_000_000_000));
    let packets = collect_packets(&replay, &clock).unwrap();
    let headers = replay.streams();
    let mut last = 0;
    for (arrival, packet) in &packets {
        assert!(*arrival >= last, "in order");
        last = *arrival;
        if let PacketBody::Samples { sequence, values } = &packet.body {
            let header = headers.iter().find(|header| header.key == packet.stream).unwrap();
            let end = sequence + (values.len() / header.channels.len()) as u64;
            let due = 7_000_000_000 + header.rate.offset(end - 1).as_nanos() as u64 / 2;
            assert_eq!(*arrival, due, "{sequence}");
        }
    }
}

#[test]
fn until_ends_every_stream_in_event_time() {
    let written = two_rates().write();
    let replay = Replay::open(&written.0).unwrap();
    for (until, fast, slow, markers) in [
        (Span::ZERO, 0, 0, 0),
        (Span::millis(1_500), 150, 12, 1),
        (Span::secs(3), 300, 24, 2),
        (Span::secs(4_000), 600, 48, 3),
    ] {
        let replay = replay.clone().until(until);
        let streams = by_stream(&replay, &replayed(&replay));
        assert_eq!((streams[1].next, streams[0].next), (Some(fast), Some(slow)), "{until:?}");
        assert!(streams[1].packets.iter().all(|(first, count)| first + count <= fast), "{until:?}");
        assert_eq!(streams[1].markers.len(), markers, "{until:?}");
    }
}

#[test]
fn only_the_first_worker_reads() {
    let written = two_rates().write();
    let replay = Replay::open(&written.0).unwrap();
    let clock = Arc::new(FakeClock::new());
    assert!(collect_worker(&replay, &clock, 1, 3).unwrap().is_empty());
    assert!(!collect_worker(&replay, &clock, 0, 3).unwrap().is_empty());
}

#[test]
fn a_file_that_shrinks_fails_in_the_middle_and_a_changed_one_at_once() {
    let big = File::new("", vec![Signal::new("Cz", 30_000).filled(40, |n| (n % 1000) as i32)]);
    let written = big.write();
    let replay = Replay::open(&written.0).unwrap();
    let mut probe = Probe::open(&replay, &Arc::new(FakeClock::new()), 0, 1).unwrap().unwrap();
    let samples = |packet: &(u64, Packet)| matches!(packet.1.body, PacketBody::Samples { .. });
    while !probe.poll(1).unwrap().1.iter().any(samples) {
        std::thread::yield_now();
    }
    // It is open and has read a few records ahead, not as many as forty.
    fs::OpenOptions::new().write(true).open(&written.0).unwrap().set_len(512 + 60_000 * 30 + 7).unwrap();
    match probe.finish().unwrap_err() {
        SourceError::Malformed { field, .. } => assert_eq!(field, "record 30, signal 0 \"Cz\""),
        other => panic!("{other}"),
    }
    let other = File::new("", vec![Signal::new("Cz", 20).filled(8, |n| n as i32)]);
    fs::write(&written.0, other.bytes()).unwrap();
    let error = collect_packets(&replay, &Arc::new(FakeClock::new())).unwrap_err().to_string();
    assert!(error.contains("streams: expected those it had when the replay was made"), "{error}");
    // Ended readers stay ended.
    let replay = Replay::open(&written.0).unwrap();
    let mut probe = Probe::open(&replay, &Arc::new(FakeClock::new()), 0, 1).unwrap().unwrap();
    probe.finish().unwrap();
    assert_eq!(probe.poll(100).unwrap(), (Polled::Ended, Vec::new()));
}

#[test]
fn a_real_recording_arrives_whole_with_its_cues_in_place() {
    let Some(path) = data::recording("edf/S001R04.edf") else { return };
    let mut recording = Recording::open(&path).unwrap();
    let (mut values, mut block) = (Vec::new(), Block::default());
    while recording.next_block(&mut block).unwrap() {
        values.extend_from_slice(block.chunks()[0].values());
    }
    let replay = Replay::open(&path).unwrap().speed(Speed::RealTime);
    assert_eq!(replay.name(), "replay of S001R04.edf");
    let clock = Arc::new(FakeClock::new());
    let packets = collect_packets(&replay, &clock).unwrap();
    let stream = by_stream(&replay, &packets).remove(0);
    assert!(stream.values == values, "the recording's own values");
    assert_eq!((stream.next, stream.markers.as_slice()), (Some(20_000), recording.markers()));
    assert_eq!(stream.packets[..3], [(0, 2), (2, 2), (4, 2)], "10 ms at 160 Hz are 1.6 samples");
    // 125 s of recording took 125 s of the clock, less one sample.
    let header = &replay.streams()[0];
    assert_eq!(packets.last().unwrap().0, header.rate.offset(19_999).as_nanos() as u64);
    // Each cue comes after all samples before it and before the packet of its own.
    let (mut end, mut cues) = (Timestamp::EPOCH, 0);
    for (_, packet) in &packets {
        match &packet.body {
            PacketBody::Samples { sequence, .. } => end = header.time_of(sequence + 2),
            PacketBody::Marker(marker) => {
                assert!(cues == 0 || marker.time + Span::millis(4) >= end, "{marker:?} at {end}");
                assert!(cues == 0 || marker.time < end + Span::nanos(12_500_000), "{marker:?} at {end}");
                cues += 1;
            }
            _ => {}
        }
    }
    assert_eq!(cues, 30);
}
