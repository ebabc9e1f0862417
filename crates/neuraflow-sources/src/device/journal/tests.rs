//! Ten thousand damages: whatever happens to the bytes of a journal, what is read of it was written, and what is missing is
//! counted.

#![allow(clippy::print_stdout)]

use std::fs;

use neuraflow_core::model::{
    Channel, Control, Marker, PacketBody, SamplingRate, StreamHeader, StreamKey, Timestamp,
};
use neuraflow_core::testing::Scratch;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::JournalConfig;
use super::backlog::{Backlog, Emitted};
use super::record::Told;
use super::segment::Segment;
use super::writer::{Writer, tail};

const SMALL: JournalConfig = JournalConfig { segment_bytes: 4 << 10, max_bytes: 1 << 20, fsync: None };
const SEED: u64 = 6;
const DAMAGES: u64 = 10_000;

fn header(i: u64) -> StreamHeader {
    let key = StreamKey::of_names("session", &format!("device-{i}"));
    let channels = (0..3).map(|c| Channel::new(format!("ch{c}"))).collect();
    StreamHeader::new(key, format!("device-{i}"), SamplingRate::hz(250).unwrap(), channels)
}

/// Packets of three streams, which end and are opened anew, over several segments and two processes.
fn write(scratch: &Scratch) -> Vec<Segment> {
    for process in 0..2_u64 {
        let mut writer = Writer::open(scratch.path(), SMALL).unwrap();
        for n in 0..240_u64 {
            let header = header(n % 3);
            let stream = header.key.stable_hash();
            let mut append = |told| {
                writer.append(stream, n, told).unwrap();
            };
            if n < 3 || n % 40 == 0 {
                append(Told::Open(&header));
            }
            let values: Vec<f32> = (0..3 * (1 + n % 7)).map(|i| (process * 1_000 + n + i) as f32).collect();
            append(Told::Samples { sequence: n, values: &values });
            match n % 20 {
                5 => append(Told::Marker(&Marker::new(Timestamp::from_nanos(n as i64), "cue"))),
                9 => append(Told::Dropped { sequence: n, samples: 3 }),
                12 => append(Told::Silent),
                15 => append(Told::Control(&Control::new(Timestamp::EPOCH, "decoder", [n as u8; 5]))),
                39 => append(Told::End { next: n }),
                _ => {}
            }
        }
    }
    Segment::list(scratch.path()).unwrap()
}

/// What is read, and how many bytes were said to be missing; `None` for a typed error.
fn read(segments: &[Segment], from: u64) -> Option<(Vec<String>, u64, u64)> {
    let positions = Emitted { all: from, ..Emitted::default() }.positions();
    let mut backlog = Backlog::open(segments.to_vec(), Some(&positions), 1 << 62, "journal").ok()?;
    let mut packets = Vec::new();
    while let Some(again) = backlog.next().unwrap() {
        if let PacketBody::Open(header) = &again.body {
            assert_eq!(**header, again.header);
        }
        packets.push(format!("{:?} {} {:?}", again.header.key, again.wall, again.body));
    }
    Some((packets, backlog.counts.damaged, backlog.counts.torn))
}

/// Whether `part` is `whole` with something left out; where `whole` goes on then.
fn is_part(part: &[String], whole: &[String]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|packet| rest.any(|other| other == packet))
}

/// Damages a file's bytes somehow, and says how.
fn damage(bytes: &mut Vec<u8>, rng: &mut Xoshiro256Plus) -> &'static str {
    let mut below = |bound: usize| (rng.next_u64() % bound.max(1) as u64) as usize;
    let (at, length) = (below(bytes.len()), 1 + below(200));
    let end = (at + length).min(bytes.len());
    match below(6) {
        0 => {
            bytes[at] ^= 1 << below(8);
            "a bit"
        }
        1 => {
            (0..3).for_each(|_| bytes[at..end][below(end - at)] ^= 1 << below(8));
            "some bits close by"
        }
        2 => {
            bytes[at..end].fill(0);
            "zeros"
        }
        3 => {
            bytes[at..end].iter_mut().for_each(|byte| *byte = below(256) as u8);
            "noise"
        }
        4 => {
            let from = below(bytes.len() - (end - at));
            let other = bytes[from..from + (end - at)].to_vec();
            bytes[at..end].copy_from_slice(&other);
            "bytes of another place"
        }
        _ => {
            bytes.truncate(at);
            "the end cut off"
        }
    }
}

#[test]
fn damage_is_never_read_and_always_counted() {
    let scratch = Scratch::new().unwrap();
    let mut segments = write(&scratch);
    assert!(segments.len() > 8, "{segments:?}");
    let files: Vec<Vec<u8>> = segments.iter().map(|segment| fs::read(&segment.path).unwrap()).collect();
    let starts = [0, segments[2].base + 700, segments[segments.len() - 3].base];
    let wholes = starts.map(|from| read(&segments, from).unwrap());
    assert!(wholes.iter().all(|(packets, damaged, torn)| packets.len() > 50 && damaged + torn == 0));
    let (mut kept, mut refused) = (0_u64, 0_u64);
    for number in 0..DAMAGES {
        let mut rng = Xoshiro256Plus::seed_from_u64(SEED << 32 | number);
        let which = (rng.next_u64() % files.len() as u64) as usize;
        let mut bytes = files[which].clone();
        let how = damage(&mut bytes, &mut rng);
        fs::write(&segments[which].path, &bytes).unwrap();
        segments[which].size = bytes.len() as u64;
        let start = (number % 3) as usize;
        let what = format!("damage {number} (seed {SEED}): {how} in segment {which} of {}", files.len());
        match read(&segments, starts[start]) {
            None => refused += 1,
            Some((packets, damaged, torn)) => {
                let whole = &wholes[start].0;
                assert!(is_part(&packets, whole), "{what}: something that was not written");
                // The very end may be missing without a trace: it is as if it had not been written yet.
                let traceless = which == files.len() - 1 && how == "the end cut off";
                assert!(
                    packets.len() == whole.len() || damaged + torn > 0 || traceless,
                    "{what}: not counted"
                );
                kept += packets.len() as u64;
            }
        }
        let _ = tail(&segments);
        fs::write(&segments[which].path, &files[which]).unwrap();
        segments[which].size = files[which].len() as u64;
    }
    let all: u64 = (0..DAMAGES).map(|number| wholes[(number % 3) as usize].0.len() as u64).sum();
    println!("damages={DAMAGES} wrong=0 uncounted=0 refused={refused} kept={:.4}", kept as f64 / all as f64);
    assert!(kept as f64 > 0.9 * all as f64, "{kept} of {all}");
}
