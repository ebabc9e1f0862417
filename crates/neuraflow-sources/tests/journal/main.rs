//! The journal of a device: what a push has accepted is read again, whatever happened in between, and nothing else is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod kit;
mod process;
mod room;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use neuraflow_core::model::{Marker, PacketBody, Positions, Span, StreamKey, Timestamp};
use neuraflow_core::resilience::Clock;
use neuraflow_core::sink::Overflow;
use neuraflow_core::source::SourceError;
use neuraflow_core::testing::{FakeClock, Probe, Scratch};
use neuraflow_sources::device::{self, DeviceConfig, JournalConfig, PushError};
use proptest::prelude::*;

use crate::kit::*;

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
