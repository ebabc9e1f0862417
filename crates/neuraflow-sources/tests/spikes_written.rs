//! Spike trains that the tests write themselves: whole, cut off, and with every kind of damage.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside #[test]

mod support;

use std::sync::Arc;

use neuraflow_core::model::{PacketBody, SamplingRate, Timestamp, Unit};
use neuraflow_core::source::SourceError;
use neuraflow_core::testing::{FakeClock, collect_packets};
use neuraflow_sources::recording::{Block, Recording};
use neuraflow_sources::replay::Replay;
use proptest::prelude::*;
use support::Temporary;

/// A file as NumPy writes it, of times in seconds and units.
fn file(spikes: &[(f64, u16)]) -> Vec<u8> {
    let header = format!(
        "{{'descr': [('time', '<f8'), ('unit', '<u2')], 'fortran_order': False, 'shape': ({},), }}",
        spikes.len()
    );
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").bytes());
    for (time, unit) in spikes {
        bytes.extend(time.to_le_bytes());
        bytes.extend(unit.to_le_bytes());
    }
    bytes
}

fn usual() -> Vec<(f64, u16)> {
    (0..400).map(|n| (4_397.002_3 + 0.007 * f64::from(n) + 1e-4 * f64::from(n % 3), (n % 3) as u16)).collect()
}

/// `(sample, unit, count)` of all counts above 0, and how many samples there are, however they are read.
fn counts(recording: &mut Recording) -> (Vec<(u64, usize, f32)>, u64) {
    let (mut block, mut found, mut end) = (Block::default(), Vec::new(), 0);
    while recording.next_block(&mut block).unwrap() {
        let chunk = &block.chunks()[0];
        assert!(end == 0 || chunk.first() == end);
        for (sample, values) in (chunk.first()..).zip(chunk.samples()) {
            found.extend(
                values.iter().enumerate().filter(|(_, c)| **c != 0.0).map(|(unit, c)| (sample, unit, *c)),
            );
        }
        end = chunk.end();
    }
    (found, end)
}

#[test]
fn a_sample_counts_the_spikes_of_its_millisecond() {
    let path = Temporary::with(&file(&[(-0.000_4, 2), (0.001, 0), (0.001_999_999, 0), (0.002, 0), (0.7, 1)]));
    let mut recording = Recording::open(&path.0).unwrap();
    let stream = recording.streams()[0].clone();
    assert_eq!(
        (stream.rate, stream.t0),
        (SamplingRate::hz(1_000).unwrap(), Timestamp::from_nanos(-1_000_000))
    );
    let labels: Vec<&str> = stream.channels.iter().map(|channel| channel.label()).collect();
    assert_eq!(labels, ["unit 0", "unit 1", "unit 2"]);
    assert_eq!(*stream.channels[0].unit(), Unit::Other("spikes".to_owned()));
    assert!(recording.warnings().is_empty());
    let all = vec![(0, 2, 1.0), (2, 0, 2.0), (3, 0, 1.0), (701, 1, 1.0)];
    assert_eq!(counts(&mut recording), (all, 702));
}

#[test]
fn reading_goes_on_from_any_sample() {
    let path = Temporary::with(&file(&usual()));
    let mut recording = Recording::open(&path.0).unwrap();
    let (all, end) = counts(&mut recording);
    assert_eq!(all.iter().map(|(_, _, count)| count).sum::<f32>(), 400.0);
    for wanted in [0, 1, 499, 500, 501, 1_234, end - 1, end] {
        recording.seek(&[wanted]).unwrap();
        let (mut rest, _) = counts(&mut recording);
        let first = wanted / 500 * 500;
        let expected: Vec<_> = all.iter().filter(|(sample, ..)| *sample >= first).copied().collect();
        assert_eq!(rest, expected, "{wanted}");
        rest.clear();
    }
    let error = recording.seek(&[end + 1]).unwrap_err();
    assert!(error.to_string().contains("samples that were read of it before"), "{error}");
    recording.seek(&[u64::MAX]).unwrap();
    assert!(!recording.next_block(&mut Block::default()).unwrap());
}

#[test]
fn packets_hold_what_blocks_do() {
    let path = Temporary::with(&file(&usual()));
    let (all, _) = counts(&mut Recording::open(&path.0).unwrap());
    for samples in [1, 7, 50, 2_000] {
        let replay = Replay::open(&path.0).unwrap().packet(samples);
        let packets = collect_packets(&replay, &Arc::new(FakeClock::new())).unwrap();
        let mut found = Vec::new();
        let mut sample = 0;
        for (_, packet) in &packets {
            if let PacketBody::Samples { values, .. } = &packet.body {
                for counts in values.chunks_exact(3) {
                    found.extend(
                        counts
                            .iter()
                            .enumerate()
                            .filter(|(_, c)| **c != 0.0)
                            .map(|(unit, c)| (sample, unit, *c)),
                    );
                    sample += 1;
                }
            }
        }
        assert_eq!(found, all, "{samples} samples a packet");
    }
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let error = |bytes: &[u8]| {
        let error = Recording::open(&Temporary::with(bytes).0).unwrap_err();
        assert!(matches!(error, SourceError::Malformed { .. }), "{error}");
        error.to_string()
    };
    for (spikes, word) in [
        (
            vec![(1.0, 0), (0.5, 1)],
            "spike 1, time: expected one not before the spike above: sort them by time",
        ),
        (vec![(1.0, 0), (f64::NAN, 1)], "spike 1, time"),
        (vec![(1e10, 0)], "seconds from -146 to 146 years"),
        (vec![(1.0, 1_024)], "spike 0, unit: expected a number from 0 to 1023"),
        (vec![(1.0, 0), (3_602.0, 0)], "within an hour of the spike above"),
        (vec![], "spikes: expected at least one, found none"),
    ] {
        let said = error(&file(&spikes));
        assert!(said.contains(word), "{said}");
    }
    let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (7,), }\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    assert!(error(&bytes).contains("fields time ('<f8', seconds) and unit"), "{}", error(&bytes));
}

#[test]
fn a_file_that_is_cut_off_is_read_as_far_as_it_goes() {
    let bytes = file(&usual());
    let path = Temporary::with(&bytes[..bytes.len() - 25]);
    let mut recording = Recording::open(&path.0).unwrap();
    let warning = recording.warnings()[0].to_string();
    assert_eq!(warning, "number of spikes: expected 400, found 397; the ones that are there are read");
    assert_eq!(counts(&mut recording).0.iter().map(|(_, _, count)| count).sum::<f32>(), 397.0);
    for length in 0..128 {
        assert!(Recording::open(&Temporary::with(&bytes[..length]).0).is_err(), "{length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damage_is_never_a_panic_nor_more_spikes_than_there_were(
        flips in prop::collection::vec((0..600_usize, any::<u8>()), 0..12),
        keep in prop::option::of(0..1_200_usize),
    ) {
        let mut bytes = file(&usual()[..100]);
        for (at, value) in flips {
            bytes[at] = value;
        }
        bytes.truncate(keep.unwrap_or(usize::MAX));
        if let Ok(mut recording) = Recording::open(&Temporary::with(&bytes).0) {
            // A time that leaps by an hour gives millions of samples, a block at a time.
            let (mut block, mut spikes) = (Block::default(), 0.0);
            for _ in 0..50 {
                if !recording.next_block(&mut block).unwrap() {
                    break;
                }
                spikes += block.chunks()[0].values().iter().sum::<f32>();
            }
            prop_assert!(spikes <= 100.0);
        }
    }
}
