//! The bound of a journal, what becomes of samples at it, and what the journal costs.

use std::fs;
use std::time::{Duration, Instant};

use neuraflow_core::model::{Channel, Marker, PacketBody, SamplingRate, StreamHeader, Timestamp};
use neuraflow_core::sink::Overflow;
use neuraflow_core::testing::Scratch;
use neuraflow_sources::device::{self, JournalConfig, PushError, Pushed};

use crate::kit::*;

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
