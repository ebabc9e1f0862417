//! Bytes that are no frames, and frames that are wrong though their checksum holds: an error or a frame, in bounded memory and time.

use std::time::Instant;

use neuraflow_core::codec::{CodecError, Config, Decoder, Frame, FrameHeader};
use neuraflow_core::testing::Random;

use crate::support::{PROFILES, TYPES, frames, layout, signal};

/// Streams of three frames each, of every type and profile, exact and rounded.
fn streams(random: &mut Random) -> Vec<Vec<Vec<u8>>> {
    let mut streams = Vec::new();
    for values in TYPES {
        for profile in PROFILES {
            for error in [0.0, 2.0] {
                let (channels, spread) = (1 + random.below(12), 3 + random.below(12) as u32);
                let signal = signal(values, channels, 30, spread, random);
                let config = Config::of(profile).with_max_error(error);
                streams.push(frames(&layout(channels, values), config, &signal, &[10]));
            }
        }
    }
    streams
}

/// Puts the checksum right, so that only what it covers is wrong.
fn sign(frame: &mut [u8]) {
    if let Some(end) = frame.len().checked_sub(4) {
        let checksum = crc32c::crc32c(&frame[..end]);
        frame[end..].copy_from_slice(&checksum.to_le_bytes());
    }
}

fn mutate(frame: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(frame.len());
        match random.below(8) {
            0 => frame.truncate(at),
            1 => {
                let more: Vec<u8> = (0..random.below(40)).map(|_| random.next() as u8).collect();
                frame.splice(at..at, more);
            }
            2 => {
                let end = at + random.below(frame.len() - at + 1);
                frame.drain(at..end);
            }
            3 => frame[at..].fill([0, 0xff][random.below(2)]),
            // The header, where the claims are.
            4 | 5 => {
                let at = random.below(frame.len().min(80));
                frame[at] = [0, 0x7f, 0x80, 0xff, random.next() as u8][random.below(5)];
            }
            _ => frame[at] ^= 1 << random.below(8),
        }
        if frame.is_empty() {
            frame.push(random.next() as u8);
        }
    }
}

/// Decodes `executions` hostile frames. Says how many were taken for frames.
fn run(seed: u64, executions: usize) -> usize {
    let mut random = Random::new(seed);
    let (mut streams, mut frame, mut taken) = (Vec::new(), Frame::default(), 0);
    for n in 0..executions {
        if n % 20_000 == 0 {
            streams = self::streams(&mut random);
        }
        let stream = &streams[random.below(streams.len())];
        let mut bytes = if random.chance(5) {
            let mut bytes: Vec<u8> = (0..random.below(200)).map(|_| random.next() as u8).collect();
            if let Some(start) = bytes.first_chunk_mut::<3>() {
                *start = [0xce, b'N', 1];
            }
            bytes
        } else {
            stream[random.below(2)].clone()
        };
        if !bytes.is_empty() {
            mutate(&mut bytes, &mut random);
        }
        if random.chance(90) {
            sign(&mut bytes);
        }
        let mut decoder = Decoder::new();
        // Half of the time the frame before is there.
        if random.chance(50) {
            decoder.decode(&stream[0], &mut frame).unwrap();
        }
        let _ = FrameHeader::read(&bytes);
        if decoder.decode(&bytes, &mut frame).is_ok() {
            taken += 1;
            // Widths of half a byte for eight values are the least that is written of a value, but for LZ4's runs.
            let values = frame.values().as_values().len();
            assert!(
                values <= 256 * bytes.len(),
                "seed {seed}, {n}: {values} values of {} bytes",
                bytes.len()
            );
        }
    }
    taken
}

#[test]
fn hostile_bytes_are_refused_or_decoded() {
    let taken = run(1, 20_000);
    assert!((100..19_900).contains(&taken), "{taken} taken: nothing was tried");
}

#[test]
#[ignore = "a million; half a minute"]
fn a_million_hostile_frames() {
    long(2, 1_000_000);
}

#[test]
#[ignore = "ten million; some minutes"]
fn ten_million_hostile_frames() {
    long(3, 10_000_000);
}

/// In steps with seeds of their own, so that a failure can be run again alone.
fn long(seed: u64, executions: usize) {
    const STEP: usize = 20_000;
    let start = Instant::now();
    let taken: usize = (0..executions / STEP).map(|n| run(seed << 32 | n as u64, STEP)).sum();
    println!("{executions} hostile frames, {taken} taken for frames, in {:.0?}", start.elapsed());
}

#[test]
fn claims_beyond_the_bytes_are_not_believed() {
    let signal = signal(TYPES[0], 3, 8, 4, &mut Random::new(5));
    let small = frames(&layout(3, TYPES[0]), Config::default(), &signal, &[8]).remove(0);
    // The header's last field is the number of samples: the largest that a frame may claim, and more.
    let at = small.iter().enumerate().find(|(n, byte)| *n > 60 && **byte == 8).map(|(n, _)| n).unwrap();
    for claim in [&[0xff, 0xff, 0xff, 0x02][..], &[0xff; 9], &[0x80, 0x80, 0x04]] {
        let mut bytes = small.clone();
        bytes.splice(at..=at, claim.iter().copied());
        sign(&mut bytes);
        let error = Decoder::new().decode(&bytes, &mut Frame::default()).unwrap_err();
        use CodecError::{Invalid, TooLarge, Truncated};
        assert!(matches!(error, Truncated { .. } | TooLarge { .. } | Invalid { .. }), "{error}");
    }
}
