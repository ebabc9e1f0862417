//! The journal of a device: what a push has accepted is read again, whatever happened in between, and nothing else is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use neuraflow_core::model::{
    Channel, Marker, Packet, PacketBody, Positions, SamplingRate, Span, StreamHeader, StreamKey, Timestamp,
};
use neuraflow_core::resilience::Clock;
use neuraflow_core::sink::Overflow;
use neuraflow_core::source::{Polled, SourceError};
use neuraflow_core::testing::{FakeClock, Probe, Scratch};
use neuraflow_sources::device::{
    self, DeviceConfig, DeviceHandle, DeviceSource, JournalConfig, PushError, Pushed,
};
use proptest::prelude::*;

fn key(i: usize) -> StreamKey {
    StreamKey::of_names("session", &format!("device-{i}"))
}

fn header(i: usize) -> StreamHeader {
    let rate = SamplingRate::hz(250).unwrap();
    StreamHeader::new(key(i), format!("device-{i}"), rate, vec![Channel::new("C3"), Channel::new("C4")])
}

/// `count` samples of two channels that tell the stream and the number.
fn values(stream: usize, first: u64, count: u64) -> Vec<f32> {
    (first..first + count).flat_map(|n| [n as f32, -1.0 - stream as f32]).collect()
}

const SMALL: JournalConfig = JournalConfig { segment_bytes: 4 << 10, max_bytes: 1 << 20, fsync: None };

fn config(capacity: usize, overflow: Overflow) -> DeviceConfig {
    DeviceConfig { capacity, overflow, stale_after: None }
}

fn open(folder: &Path, config: DeviceConfig) -> (DeviceHandle, DeviceSource) {
    device::journaled(config, folder, SMALL).unwrap()
}

fn clock() -> Arc<FakeClock> {
    Arc::new(FakeClock::at(1 << 50))
}

fn probe(source: &DeviceSource, from: Option<Positions>) -> Probe {
    Probe::open_from(source, &clock(), 0, 1, from).unwrap().unwrap()
}

/// What is there now, without waiting for more.
fn drain(probe: &mut Probe) -> Vec<Packet> {
    let mut all = Vec::new();
    loop {
        let (polled, packets) = probe.poll(64).unwrap();
        all.extend(packets.into_iter().map(|(_, packet)| packet));
        if polled != Polled::Ready {
            return all;
        }
    }
}

/// The folder as it is now: what a process that is killed at this moment leaves behind.
fn killed(folder: &Path, scratch: &Scratch, name: &str) -> PathBuf {
    let copy = scratch.file(name);
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    copy
}

/// Packets as what happens to each sample and else, stream by stream.
fn told(packets: &[Packet]) -> BTreeMap<StreamKey, Vec<String>> {
    let mut streams = BTreeMap::<StreamKey, Vec<String>>::new();
    for Packet { stream, body } in packets {
        let list = streams.entry(*stream).or_default();
        match body {
            PacketBody::Samples { sequence, values } => {
                let samples = values.chunks_exact(2).enumerate();
                list.extend(samples.map(|(i, v)| format!("{} is {v:?}", sequence + i as u64)));
            }
            PacketBody::Dropped { sequence, samples } => {
                list.extend((*sequence..sequence + samples).map(|n| format!("{n} dropped")));
            }
            other => list.push(format!("{other:?}")),
        }
    }
    streams
}

#[derive(Clone, Debug)]
enum Step {
    Push(usize, u64),
    Marker(usize),
    Reopen(usize),
    Poll(usize),
    /// The positions of a checkpoint.
    Checkpoint,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..3_usize, 1..9_u64).prop_map(|(stream, samples)| Step::Push(stream, samples)),
        1 => (0..3_usize).prop_map(Step::Marker),
        1 => (0..3_usize).prop_map(Step::Reopen),
        3 => (0..40_usize).prop_map(Step::Poll),
        2 => Just(Step::Checkpoint),
    ];
    prop::collection::vec(step, 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Wherever the process is killed, and whichever checkpoint the next one goes on from: it is given what the first one
    /// would have emitted after that checkpoint. Under `DropOldest` samples come again that had been given up.
    #[test]
    fn nothing_that_was_accepted_is_lost(policy in 0..3_usize, steps in steps()) {
        let overflow = [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest][policy];
        let scratch = Scratch::new().unwrap();
        let folder = scratch.file("journal");
        let (handle, source) = open(&folder, config(30, overflow));
        let mut reader = probe(&source, None);
        let (mut next, mut all, mut from) = ([0_u64; 3], Vec::new(), (0, None));
        (0..3).for_each(|i| handle.open(header(i)).unwrap());
        for step in steps {
            match step {
                Step::Push(i, samples) => {
                    match handle.try_push(&key(i), next[i], &values(i, next[i], samples)) {
                        Ok(_) => next[i] += samples,
                        Err(error) => prop_assert_eq!(error, PushError::Full { capacity: 30 }),
                    }
                }
                Step::Marker(i) => handle.marker(&key(i), Marker::new(Timestamp::EPOCH, "cue")).unwrap(),
                Step::Reopen(i) => {
                    handle.end(&key(i)).unwrap();
                    handle.open(header(i)).unwrap();
                    next[i] = 0;
                }
                Step::Poll(budget) => {
                    all.extend(reader.poll(budget).unwrap().1.into_iter().map(|(_, packet)| packet));
                }
                Step::Checkpoint => from = (all.len(), reader.positions()),
            }
        }
        let copy = killed(&folder, &scratch, "killed");
        all.extend(drain(&mut reader));
        let expected = told(&all[from.0..]);

        let (handle, source) = open(&copy, config(30, overflow));
        let mut reader = probe(&source, from.1.clone());
        let mut again = Vec::new();
        // A checkpoint of the new process, which is killed too.
        again.extend(reader.poll(50).unwrap().1.into_iter().map(|(_, packet)| packet));
        let middle = reader.positions();
        let copy = killed(&copy, &scratch, "killed again");
        drop((reader, source, handle));
        let (handle, source) = open(&copy, config(30, overflow));
        let mut reader = probe(&source, middle);
        again.extend(drain(&mut reader));
        let found = told(&again);
        if overflow == Overflow::DropOldest {
            let numbers = |streams: &BTreeMap<StreamKey, Vec<String>>| {
                let first = |text: &String| text.split(' ').next().unwrap().to_owned();
                let streams = streams.iter();
                streams.map(|(k, list)| (*k, list.iter().map(first).collect::<Vec<_>>())).collect::<Vec<_>>()
            };
            prop_assert_eq!(numbers(&found), numbers(&expected));
        } else {
            prop_assert_eq!(&found, &expected);
        }
        // And what is pushed now comes after it.
        handle.open(header(9)).unwrap();
        handle.push(&key(9), 0, &values(9, 0, 1)).unwrap();
        prop_assert_eq!(drain(&mut reader).len(), 2);
    }
}

/// A journal of several segments, all of it emitted, and the packets in it.
fn filled(folder: &Path, packets: u64) -> Vec<Packet> {
    let (handle, source) = open(folder, config(1 << 20, Overflow::Block));
    let mut reader = probe(&source, None);
    handle.open(header(0)).unwrap();
    handle.open(header(1)).unwrap();
    for n in 0..packets {
        handle.push(&key(n as usize % 2), n, &values(n as usize % 2, n, 5)).unwrap();
    }
    drain(&mut reader)
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "journal")).collect();
    paths.sort();
    paths
}

#[test]
fn a_torn_end_is_cut_off() {
    let scratch = Scratch::new().unwrap();
    let folder = scratch.file("journal");
    let all = filled(&folder, 100);
    let last = segments(&folder).pop().unwrap();
    let whole = fs::read(&last).unwrap();
    for (number, cut) in (0..whole.len()).rev().step_by(7).take(60).enumerate() {
        let copy = killed(&folder, &scratch, &number.to_string());
        let mut torn = whole[..cut].to_vec();
        if number % 2 == 0 {
            torn.resize(cut + 64, 0); // pages that a crash left as zeros
        }
        fs::write(copy.join(last.file_name().unwrap()), torn).unwrap();
        let (handle, source) = open(&copy, config(100, Overflow::Block));
        let mut reader = probe(&source, None);
        let found = drain(&mut reader);
        assert!(found.len() < all.len() && all.starts_with(&found), "cut at {cut}: {} packets", found.len());
        assert_eq!(handle.journal().unwrap().damaged_bytes, 0);
        // The stream goes on where the whole records end, and the next process reads both.
        handle.open(header(0)).unwrap();
        handle.push(&key(0), 7, &values(0, 7, 1)).unwrap();
        drop((reader, source, handle));
        let (_handle, source) = open(&copy, config(100, Overflow::Block));
        let again = drain(&mut probe(&source, None));
        assert_eq!(again[..found.len()], found);
        assert_eq!(again.len(), found.len() + 2, "{:?}", &again[found.len()..]);
    }
}

#[test]
fn it_stays_within_its_bound_and_commits_make_room() {
    for overflow in [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest] {
        let scratch = Scratch::new().unwrap();
        let folder = scratch.file("journal");
        let bound = JournalConfig { max_bytes: 32 << 10, ..SMALL };
        let (handle, source) = device::journaled(config(10_000, overflow), &folder, bound).unwrap();
        let mut reader = probe(&source, None);
        handle.open(header(0)).unwrap();
        let (mut accepted, mut refused, mut at) = (0, 0, 0);
        // Segments may be removed while they are looked at.
        let on_disk = || {
            let sizes = segments(&folder).into_iter().filter_map(|path| Some(fs::metadata(path).ok()?.len()));
            sizes.sum::<u64>()
        };
        for round in 0..20 {
            for _ in 0..40 {
                match handle.try_push(&key(0), at, &values(0, at, 20)) {
                    Ok(Pushed::Queued) => accepted += 20,
                    Ok(Pushed::Refused { samples }) => refused += samples,
                    Err(PushError::Full { .. }) => {
                        refused += 20;
                        continue; // the device keeps them, or not; here the counter stays
                    }
                    other => panic!("{overflow:?}: {other:?}"),
                }
                at += 20;
            }
            assert!(on_disk() <= bound.max_bytes, "{overflow:?}, {round}: {}", on_disk());
            assert_eq!(handle.journal().unwrap().bytes, on_disk());
            let before = (accepted, refused);
            drain(&mut reader);
            if round % 4 == 3 {
                reader.committed(&reader.positions().unwrap());
                let start = Instant::now();
                while on_disk() > bound.max_bytes / 2 || handle.journal().unwrap().bytes != on_disk() {
                    assert!(start.elapsed() < Duration::from_secs(20), "{overflow:?}: nothing is removed");
                    std::thread::yield_now();
                }
            }
            assert_eq!(before, (accepted, refused));
        }
        assert!(accepted > 4 * 20 * 40 && refused > 20 * 40, "{overflow:?}: {accepted}, {refused}");
        let stats = handle.stats();
        let dropped = if overflow == Overflow::Block { 0 } else { refused };
        assert_eq!((stats.pushed, stats.dropped), (accepted + dropped, dropped), "{overflow:?}");
    }
}

#[test]
fn a_push_that_waits_for_the_journal_goes_on_when_there_is_room() {
    let scratch = Scratch::new().unwrap();
    let bound = JournalConfig { max_bytes: 16 << 10, ..SMALL };
    let (handle, source) =
        device::journaled(config(100, Overflow::Block), scratch.file("journal"), bound).unwrap();
    let mut reader = probe(&source, None);
    handle.open(header(0)).unwrap();
    let device = {
        let handle = handle.clone();
        std::thread::spawn(move || {
            for n in 0..2_000 {
                handle.push(&key(0), n, &values(0, n, 1)).unwrap();
            }
        })
    };
    let (start, mut samples) = (Instant::now(), 0);
    while samples < 2_000 {
        samples += drain(&mut reader).iter().filter(|p| matches!(p.body, PacketBody::Samples { .. })).count();
        reader.committed(&reader.positions().unwrap());
        assert!(start.elapsed() < Duration::from_secs(60), "{samples}");
    }
    device.join().unwrap();
    assert!(handle.journal().unwrap().bytes <= bound.max_bytes);
    // Controls have room of their own, and an end.
    let error = (0..10_000).find_map(|_| handle.marker(&key(0), Marker::new(Timestamp::EPOCH, "cue")).err());
    assert_eq!(error, Some(PushError::JournalFull { max_bytes: bound.max_bytes }));
}

#[test]
fn silences_are_repeated_and_streams_that_do_not_come_back_fall_silent() {
    let scratch = Scratch::new().unwrap();
    let folder = scratch.file("journal");
    let patient = DeviceConfig { stale_after: Some(Span::millis(100)), ..config(100, Overflow::Block) };
    let (handle, source) = open(&folder, patient);
    let clock = clock();
    let mut reader = Probe::open(&source, &clock, 0, 1).unwrap().unwrap();
    handle.open(header(0)).unwrap();
    handle.push(&key(0), 0, &values(0, 0, 1)).unwrap();
    drain(&mut reader);
    let before = reader.positions();
    clock.advance(100_000_000);
    assert_eq!(drain(&mut reader).last().unwrap().body, PacketBody::Silent);
    let after = reader.positions();
    handle.push(&key(0), 1, &values(0, 1, 1)).unwrap();
    drain(&mut reader);
    let copy = killed(&folder, &scratch, "killed");
    let bodies = |from: &Option<Positions>| -> Vec<PacketBody> {
        let (_handle, source) = open(&copy, patient);
        let mut reader = probe(&source, from.clone());
        drain(&mut reader).into_iter().map(|packet| packet.body).collect()
    };
    let samples = PacketBody::Samples { sequence: 1, values: values(0, 1, 1) };
    assert_eq!(bodies(&before), [PacketBody::Silent, samples.clone()]);
    assert_eq!(bodies(&after), [samples]);
    // Nobody opens it again: after its patience it is reported.
    let (_handle, source) = open(&copy, patient);
    let clock = Arc::new(FakeClock::at(1 << 50));
    let mut reader = Probe::open_from(&source, &clock, 0, 1, after).unwrap().unwrap();
    drain(&mut reader);
    clock.advance(100_000_000);
    assert_eq!(drain(&mut reader)[0].body, PacketBody::Silent);
}

#[test]
fn what_is_read_again_is_as_old_as_it_is() {
    let scratch = Scratch::new().unwrap();
    let folder = scratch.file("journal");
    let begin = Instant::now();
    filled(&folder, 10);
    std::thread::park_timeout(Duration::from_millis(5));
    let (_handle, source) = open(&folder, config(100, Overflow::Block));
    let clock = clock();
    let mut reader = Probe::open(&source, &clock, 0, 1).unwrap().unwrap();
    let arrivals: Vec<u64> = reader.poll(1_000).unwrap().1.into_iter().map(|(arrival, _)| arrival).collect();
    let oldest = clock.now() - begin.elapsed().as_nanos() as u64 - 1_000_000;
    assert!(arrivals.iter().all(|at| (oldest..clock.now() - 4_000_000).contains(at)), "{arrivals:?}");
}

#[test]
fn another_pipeline_of_the_same_process_goes_on() {
    let scratch = Scratch::new().unwrap();
    let (handle, source) = open(&scratch.file("journal"), config(100, Overflow::Block));
    let mut reader = probe(&source, None);
    handle.open(header(0)).unwrap();
    handle.push(&key(0), 0, &values(0, 0, 3)).unwrap();
    assert_eq!(drain(&mut reader).len(), 2);
    let from = reader.positions();
    handle.push(&key(0), 3, &values(0, 3, 3)).unwrap();
    drain(&mut reader);
    drop(reader); // the pipeline has failed; the device goes on
    handle.push(&key(0), 6, &values(0, 6, 3)).unwrap();
    let mut reader = probe(&source, from);
    handle.push(&key(0), 9, &values(0, 9, 3)).unwrap();
    let sequences: Vec<_> = drain(&mut reader)
        .into_iter()
        .map(|packet| match packet.body {
            PacketBody::Samples { sequence, .. } => sequence,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sequences, [3, 6, 9]);
    drop((reader, source));
    assert_eq!(handle.push(&key(0), 12, &values(0, 12, 3)), Err(PushError::Disconnected));
}

#[test]
fn mistakes_are_named() {
    let scratch = Scratch::new().unwrap();
    let folder = scratch.file("journal");
    let refused = |journal: JournalConfig| {
        device::journaled(config(10, Overflow::Block), &folder, journal).unwrap_err().to_string()
    };
    assert!(refused(JournalConfig { segment_bytes: 1, ..SMALL }).contains("4 KiB to 256 MiB, found 1"));
    assert!(refused(JournalConfig { max_bytes: 1, ..SMALL }).contains("at least four segments"));
    assert!(refused(JournalConfig { fsync: Some(Duration::ZERO), ..SMALL }).contains("at least 1 ms"));
    let (handle, source) = open(&folder, config(1 << 20, Overflow::Block));
    assert!(refused(SMALL).contains("in use"));
    let mut reader = probe(&source, None);
    handle.open(header(0)).unwrap();
    for n in 0..400 {
        handle.push(&key(0), n, &values(0, n, 5)).unwrap();
    }
    let early = reader.positions();
    drain(&mut reader);
    let late = reader.positions();
    drop((reader, source, handle));
    let opened = |from: &Option<Positions>| -> Result<(), SourceError> {
        let (_handle, source) = open(&folder, config(10, Overflow::Block));
        Probe::open_from(&source, &clock(), 0, 1, from.clone()).map(drop)
    };
    assert!(opened(&early).is_ok() && opened(&late).is_ok());
    // Segments that a checkpoint needs are gone.
    fs::remove_file(segments(&folder).remove(0)).unwrap();
    fs::remove_file(segments(&folder).remove(0)).unwrap();
    let error = opened(&early).unwrap_err().to_string();
    assert!(error.contains("segments were removed"), "{error}");
    assert!(opened(&late).is_ok() && opened(&None).is_ok());
    let mut beyond = Positions::default();
    beyond.set("journal", u64::MAX);
    assert!(opened(&Some(beyond)).unwrap_err().to_string().contains("not the journal of this checkpoint"));
    // A segment of a release to come.
    let last = segments(&folder).pop().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    bytes[7] = 9;
    let sum = crc32c::crc32c(&bytes[..24]);
    bytes[24..32].copy_from_slice(&u64::from(sum).to_le_bytes());
    fs::write(&last, bytes).unwrap();
    let error = device::journaled(config(10, Overflow::Block), &folder, SMALL).unwrap_err().to_string();
    assert!(error.contains("version of the journal: expected 1") && error.contains("found 9"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_disk_that_is_full_is_an_error_of_the_push_and_loses_nothing() {
    const CHILD: &str = "NEURAFLOW_TEST_JOURNAL_FULL";
    if let Some(folder) = std::env::var_os(CHILD) {
        // Files of at most 20 KiB: segments cannot become as large as they should.
        let journal = JournalConfig { segment_bytes: 64 << 10, ..SMALL };
        let (handle, source) =
            device::journaled(config(1 << 20, Overflow::Block), Path::new(&folder), journal).unwrap();
        let mut reader = probe(&source, None);
        handle.open(header(0)).unwrap();
        let failed = (0..10_000).find_map(|n| Some((n, handle.push(&key(0), n, &values(0, n, 1)).err()?)));
        let (accepted, error) = failed.unwrap();
        assert!(matches!(error, PushError::Journal { .. }), "{error}");
        assert_eq!(drain(&mut reader).len() as u64, 1 + accepted);
        drop((reader, source, handle));
        let (_handle, source) = open(Path::new(&folder), config(10, Overflow::Block));
        assert_eq!(drain(&mut probe(&source, None)).len() as u64, 1 + accepted);
        return;
    }
    let scratch = Scratch::new().unwrap();
    let run = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 20 && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_disk_that_is_full_is_an_error_of_the_push_and_loses_nothing", "--nocapture"])
        .env(CHILD, scratch.path())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

const CHILD: &str = "NEURAFLOW_TEST_JOURNAL";

/// The child: pushes until it is killed, and writes down what was accepted.
fn push_until_killed(folder: &Path, run: usize) {
    let (handle, source) = open(&folder.join("journal"), config(64, Overflow::Block));
    let mut reader = probe(&source, None);
    let mut log = fs::OpenOptions::new().create(true).append(true).open(folder.join("accepted")).unwrap();
    std::thread::spawn(move || {
        handle.open(header(run)).unwrap();
        for n in 0.. {
            handle.push(&key(run), n, &values(run, n, 1)).unwrap();
            log.write_all(format!("{run} {n}\n").as_bytes()).unwrap();
        }
    });
    loop {
        drain(&mut reader);
    }
}

/// Kills a real process while it pushes, ten times; each goes on in the journal of those before it.
#[test]
fn a_killed_process_loses_nothing_that_push_accepted() {
    if let Some(folder) = std::env::var_os(CHILD) {
        let run = std::env::var("RUN").unwrap().parse().unwrap();
        push_until_killed(Path::new(&folder), run);
        return;
    }
    let scratch = Scratch::new().unwrap();
    let accepted = || -> BTreeMap<usize, u64> {
        let text = fs::read_to_string(scratch.file("accepted")).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let pairs = whole.lines().map(|line| line.split_once(' ').unwrap());
        pairs.map(|(run, n)| (run.parse().unwrap(), n.parse().unwrap())).collect()
    };
    for run in 0..10 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_killed_process_loses_nothing_that_push_accepted", "--nocapture"])
            .env(CHILD, scratch.path())
            .env("RUN", run.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while accepted().get(&run).is_none_or(|n| *n < 137 * (1 + run as u64 % 5)) {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            assert!(start.elapsed() < Duration::from_secs(30), "run {run}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (handle, source) = open(&scratch.file("journal"), config(64, Overflow::Block));
    let found = told(&drain(&mut probe(&source, None)));
    let mut total = 0;
    for (run, last) in accepted() {
        let samples: Vec<_> = found[&key(run)].iter().filter(|text| text.contains(" is ")).collect();
        assert!(samples.len() as u64 > last, "run {run}: {} of {}", samples.len(), last + 1);
        for (n, text) in samples.iter().enumerate() {
            assert_eq!(**text, format!("{n} is {:?}", &values(run, n as u64, 1)));
        }
        total += last + 1;
    }
    println!("kills=10 accepted={total} lost=0 {:?}", handle.journal().unwrap());
}

/// What it costs: `cargo test --release -p neuraflow-sources --test journal -- --ignored --nocapture costs`.
#[test]
#[ignore = "measures; asserts nothing about time"]
fn costs() {
    let scratch = Scratch::new().unwrap();
    let journal = JournalConfig { max_bytes: 4 << 30, ..JournalConfig::default() };
    let wide = |i| {
        let channels = (0..64).map(|c| Channel::new(format!("ch{c}"))).collect();
        StreamHeader::new(key(i), "wide", SamplingRate::hz(1_000).unwrap(), channels)
    };
    let packet = vec![1.5_f32; 64 * 10];
    for kept in [false, true] {
        let config = config(1 << 20, Overflow::Block);
        let (handle, source) = match kept {
            true => device::journaled(config, scratch.file("journal"), journal).unwrap(),
            false => device::channel(config),
        };
        let mut reader = probe(&source, None);
        handle.open(wide(0)).unwrap();
        let mut took = Vec::new();
        for n in 0..50_000 {
            let begin = Instant::now();
            handle.push(&key(0), 10 * n, &packet).unwrap();
            took.push(begin.elapsed());
            if n % 1_000 == 0 {
                drain(&mut reader);
            }
        }
        took.sort();
        let at = |share: usize| took[took.len() * share / 1_000];
        println!("journal {kept}: p50 {:?} p99 {:?} p99.9 {:?} max {:?}", at(500), at(990), at(999), at(999));
    }
}
