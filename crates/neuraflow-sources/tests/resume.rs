//! Reading goes on where it was: whatever was drained before, a reader that is opened at the positions of another emits
//! exactly what that one had not emitted yet, on as many workers as there are then.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers outside #[test]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use neuraflow_core::model::{Packet, PacketBody, Positions, SamplingRate, Span, StreamKey};
use neuraflow_core::source::{Polled, Source, SourceError};
use neuraflow_core::testing::{FakeClock, Probe, Scratch, collect_worker, data};
use neuraflow_sources::log::PacketLog;
use neuraflow_sources::pace::Speed;
use neuraflow_sources::replay::Replay;
use neuraflow_sources::synthetic::{FaultPlan, Synthetic};
use proptest::prelude::*;
use support::{File, Signal};

/// A packet in words that compare: the values of samples by their bits, since missing ones equal nothing.
#[derive(Clone, Debug, PartialEq)]
enum Told {
    Samples(u64, Vec<u32>),
    Other(String),
}

fn told(body: PacketBody) -> Told {
    match body {
        PacketBody::Samples { sequence, values } => {
            Told::Samples(sequence, values.into_iter().map(f32::to_bits).collect())
        }
        body => Told::Other(format!("{body:?}")),
    }
}

/// What came of every stream, and what came of each worker's reader.
#[derive(Debug, Default, PartialEq)]
struct Run {
    streams: BTreeMap<StreamKey, Vec<Told>>,
    workers: Vec<Vec<(StreamKey, Told)>>,
}

impl Run {
    fn take(&mut self, worker: usize, packets: Vec<(u64, Packet)>) {
        self.workers.resize_with(self.workers.len().max(worker + 1), Vec::new);
        for (_, Packet { stream, body }) in packets {
            let told = told(body);
            self.streams.entry(stream).or_default().push(told.clone());
            self.workers[worker].push((stream, told));
        }
    }
}

fn uninterrupted(source: &dyn Source, workers: usize) -> Run {
    let mut run = Run::default();
    for worker in 0..workers {
        run.take(worker, collect_worker(source, &Arc::new(FakeClock::new()), worker, workers).unwrap());
    }
    run
}

/// One run of the source until it is interrupted: on how many workers, and the budgets of each worker's polls.
#[derive(Clone, Debug)]
struct Leg {
    workers: usize,
    polls: usize,
    budget: usize,
}

fn legs(workers: impl Strategy<Value = usize> + Clone + 'static) -> impl Strategy<Value = Vec<Leg>> {
    let leg = (workers, 0..60_usize, 1..400_usize);
    prop::collection::vec(leg.prop_map(|(workers, polls, budget)| Leg { workers, polls, budget }), 1..5)
}

/// Everything from runs that each go on where the one before was interrupted, the last of them to the end.
fn interrupted(source: &dyn Source, legs: &[Leg]) -> Run {
    let mut run = Run::default();
    let mut from: Option<Positions> = None;
    let last = legs.len() - 1;
    for (index, leg) in legs.iter().enumerate() {
        // Each process has a clock of its own, and starts at another time.
        let clock = Arc::new(FakeClock::at(1_000 * index as u64));
        let mut reached = Positions::default();
        for worker in 0..leg.workers {
            let probe = Probe::open_from(source, &clock, worker, leg.workers, from.clone()).unwrap();
            run.take(worker, Vec::new());
            let Some(mut probe) = probe else { continue };
            if index == last {
                run.take(worker, probe.finish().unwrap());
                continue;
            }
            // Workers are never equally far.
            for _ in 0..leg.polls * (worker + 1) {
                let (polled, packets) = probe.poll(leg.budget).unwrap();
                run.take(worker, packets);
                match polled {
                    Polled::After(wait) => clock.advance(wait.as_nanos() as u64),
                    Polled::Idle => {
                        while probe.wakes() == 0 {
                            std::thread::yield_now();
                        }
                    }
                    Polled::Ready => {}
                    Polled::Ended => break,
                }
            }
            reached.absorb(probe.positions().unwrap());
        }
        // Kept in a manifest, and read from it again.
        from = Some(bincode::deserialize(&bincode::serialize(&reached).unwrap()).unwrap());
    }
    run
}

fn check(source: &dyn Source, legs: &[Leg]) {
    let (whole, parts) = (uninterrupted(source, legs[0].workers), interrupted(source, legs));
    assert_eq!(whole.streams.len(), parts.streams.len());
    for (key, packets) in &whole.streams {
        let found = &parts.streams[key];
        let differs = packets.iter().zip(found).position(|(a, b)| a != b);
        assert_eq!((packets.len(), None), (found.len(), differs), "{key:?}, {legs:?}");
    }
    if legs.iter().all(|leg| leg.workers == legs[0].workers) {
        assert!(whole.workers == parts.workers, "the order between streams, {legs:?}");
    }
}

fn speed() -> impl Strategy<Value = Speed> + Clone {
    prop_oneof![Just(Speed::Max), Just(Speed::RealTime), Just(Speed::Times(7.5))]
}

/// Two rates, two holes (one within a packet of most sizes), and markers, some of them in holes and after the end.
fn with_holes() -> File {
    let lists: [&[u8]; 6] = [
        b"+0.5\x14\x14\0+0.51\x14T1\x14\0",
        b"+1.5\x14\x14\0+3\x14in the hole\x14\0",
        b"+4.5\x14\x14\0+4.51\x14T2\x14\0",
        b"+5.5\x14\x14\0+5.9\x14T3\x14\0+5.9\x14T4\x14\0",
        b"+6.75\x14\x14\0",
        b"+7.75\x14\x14\0+9\x14after\x14\0",
    ];
    let slow = Signal::new("Resp", 8).filled(6, |n| n as i32);
    let fast = |label, sign: i32| Signal::new(label, 100).filled(6, move |n| sign * n as i32);
    let signals =
        vec![slow, fast("Cz", 1), fast("Pz", -1), Signal::annotations("EDF Annotations", 60, false, &lists)];
    File::new("EDF+D", signals)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_recording_with_holes(
        legs in legs(1..4_usize),
        packet in prop_oneof![Just(None), (1..150_usize).prop_map(Some)],
        speed in speed(),
        until in prop_oneof![Just(None), (0..8_000_i64).prop_map(Some)],
    ) {
        let written = with_holes().write();
        let mut replay = Replay::open(&written.0).unwrap().speed(speed);
        if let Some(samples) = packet {
            replay = replay.packet(samples);
        }
        if let Some(millis) = until {
            replay = replay.until(Span::millis(millis));
        }
        check(&replay, &legs);
    }

    #[test]
    fn a_contiguous_recording_of_three_rates(
        legs in legs(1..4_usize),
        packet in 1..700_usize,
        speed in speed(),
    ) {
        let filled = |label, samples, sign: i32| {
            Signal::new(label, samples).filled(9, move |n| sign * (n % 30_000) as i32)
        };
        let written = File::new("", vec![filled("a", 256, 1), filled("b", 10, -1), filled("c", 1, 2)]).write();
        check(&Replay::open(&written.0).unwrap().packet(packet).speed(speed), &legs);
    }

    #[test]
    fn headsets_with_every_fault(
        legs in legs(1..6_usize),
        packet in 1..70_usize,
        seed in 0..1_000_u64,
        speed in speed(),
        faults in prop_oneof![Just(FaultPlan::ALL), Just(FaultPlan::NONE), (0..128_u8).prop_map(|bits| {
            let kinds = neuraflow_sources::synthetic::Fault::ALL.into_iter().enumerate();
            kinds.filter(|(i, _)| bits >> i & 1 == 1).fold(FaultPlan::NONE, |plan, (_, fault)| plan.with(fault))
        })],
    ) {
        let rate = SamplingRate::hz(250).unwrap();
        let source = Synthetic::new(3, rate).streams(5).seed(seed).seconds(24.0).packet(packet);
        check(&source.faults(faults).speed(speed), &legs);
    }

    #[test]
    fn a_log_of_packets(legs in legs(1..4_usize), packet in 1..40_usize, seed in 0..1_000_u64) {
        let rate = SamplingRate::hz(250).unwrap();
        let source = Synthetic::new(2, rate).streams(3).seed(seed).seconds(8.0).packet(packet);
        let scratch = Scratch::new().unwrap();
        let recorded = PacketLog::record(source.faults(FaultPlan::ALL), scratch.file("log")).unwrap();
        uninterrupted(&recorded, 1);
        check(&PacketLog::open(scratch.file("log")).unwrap(), &legs);
    }
}

#[test]
fn a_block_that_is_read_again_beyond_the_limit_gives_nothing_more() {
    // The slow stream has been given up to its limit, which lies within the block that the fast one goes on in.
    let written = with_holes().write();
    let replay =
        Replay::open(&written.0).unwrap().packet(100).until(Span::millis(6_261)).speed(Speed::RealTime);
    let leg = |polls| Leg { workers: 1, polls, budget: 141 };
    (0..20).for_each(|polls| check(&replay, &[leg(polls), leg(0)]));
}

#[test]
fn real_recordings() {
    let damaged_muse = "malformed/muse_01_ragged_duplicate_reordered_gap.csv"; // with holes
    for name in ["edf/S001R04.edf", "bdf", "gdf", "muse/SSVEP_subject1_session1", damaged_muse] {
        let Some(path) = data::recording(name) else { return };
        let files = match path.is_dir() {
            true => std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect(),
            false => vec![path],
        };
        for file in files {
            let Ok(replay) = Replay::open(&file) else { continue };
            let replay = replay.until(Span::secs(20));
            for seed in 1..4 {
                let leg = |n| Leg { workers: 1 + n % 3, polls: 7 * seed * n + 1, budget: 37 * seed };
                check(&replay, &[leg(1), leg(2), leg(3), leg(4)]);
            }
        }
    }
}

#[test]
fn packets_of_another_size_go_on_with_the_next_sample() {
    let rate = SamplingRate::hz(250).unwrap();
    let headset =
        |packet| Synthetic::new(2, rate).seed(3).seconds(20.0).faults(FaultPlan::ALL).packet(packet);
    let written = with_holes().write();
    let recording = |packet| Replay::open(&written.0).unwrap().packet(packet);
    let pairs: [[Box<dyn Source>; 2]; 2] =
        [[Box::new(headset(13)), Box::new(headset(64))], [Box::new(recording(13)), Box::new(recording(64))]];
    let samples = |packets: &[(u64, Packet)]| -> u64 {
        let values = packets.iter().map(|(_, packet)| match &packet.body {
            PacketBody::Samples { values, .. } => values.len() as u64,
            _ => 0,
        });
        values.sum()
    };
    for [before, after] in pairs {
        let clock = Arc::new(FakeClock::new());
        let whole = samples(&Probe::open(&*before, &clock, 0, 1).unwrap().unwrap().finish().unwrap());
        let mut probe = Probe::open(&*before, &clock, 0, 1).unwrap().unwrap();
        let mut given = Vec::new();
        while given.len() < 9 {
            given.extend(probe.poll(1).unwrap().1);
        }
        let from = probe.positions();
        let rest = Probe::open_from(&*after, &clock, 0, 1, from).unwrap().unwrap().finish().unwrap();
        assert_eq!(samples(&given) + samples(&rest), whole, "{}", before.name());
    }
}

#[test]
fn pace_is_kept_from_where_reading_goes_on() {
    let written = File::new("", vec![Signal::new("Cz", 100).filled(60, |n| n as i32)]).write();
    let rate = SamplingRate::hz(100).unwrap();
    let sources: [Box<dyn Source>; 2] = [
        Box::new(Replay::open(&written.0).unwrap().packet(10).speed(Speed::RealTime)),
        Box::new(Synthetic::new(1, rate).seconds(60.0).packet(10).speed(Speed::RealTime)),
    ];
    for source in sources {
        let clock = Arc::new(FakeClock::new());
        let mut probe = Probe::open(&*source, &clock, 0, 1).unwrap().unwrap();
        let mut given = Vec::new();
        while given.len() < 1 + 300 {
            let (polled, packets) = probe.poll(1_000).unwrap();
            given.extend(packets);
            match polled {
                Polled::After(wait) => clock.advance(wait.as_nanos() as u64),
                _ => std::thread::yield_now(),
            }
        }
        let later = Arc::new(FakeClock::at(500));
        let mut rest = Probe::open_from(&*source, &later, 0, 1, probe.positions()).unwrap().unwrap();
        let arrivals: Vec<u64> = rest.finish().unwrap().into_iter().map(|(arrival, _)| arrival).collect();
        let every: Vec<u64> = (1..=300).map(|n| 500 + n * 100_000_000).collect();
        assert_eq!(arrivals[..300], every, "{}", source.name());
    }
}

#[test]
fn positions_that_cannot_be_are_refused() {
    let clock = Arc::new(FakeClock::new());
    let refused = |source: &dyn Source, at: u64| -> String {
        let mut probe = Probe::open(source, &clock, 0, 1).unwrap().unwrap();
        probe.poll(1).unwrap();
        let mut from = Positions::default();
        let parts = probe.positions().unwrap();
        parts.iter().filter(|(part, _)| part.contains(['-', ' '])).for_each(|(part, _)| from.set(part, at));
        let opened = Probe::open_from(source, &clock, 0, 1, Some(from));
        let error = match opened {
            Ok(probe) => probe.unwrap().finish().unwrap_err(),
            Err(error) => error,
        };
        assert!(matches!(error, SourceError::Malformed { .. }), "{error}");
        error.to_string()
    };
    let contiguous = File::new("", vec![Signal::new("Cz", 100).filled(6, |n| n as i32)]).write();
    let text = refused(&Replay::open(&contiguous.0).unwrap(), 601);
    assert!(text.contains("expected at least the 601 samples") && text.contains("found 600"), "{text}");
    let holes = with_holes().write();
    assert!(refused(&Replay::open(&holes.0).unwrap(), 70_000).contains("70000"));
    let headset = Synthetic::new(1, SamplingRate::hz(100).unwrap()).seconds(1.0);
    assert!(refused(&headset, 102).contains("expected at most 101, its end"));
    let scratch = Scratch::new().unwrap();
    uninterrupted(&PacketLog::record(headset, scratch.file("log")).unwrap(), 1);
    let log = PacketLog::open(scratch.file("log")).unwrap();
    assert!(refused(&log, 1 << 40).contains("position: expected from 16"));
    assert!(refused(&log, 17).contains("expected the packets that were there"));
}
