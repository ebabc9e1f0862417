//! Frames of every format version, committed here, are decoded for ever.

use std::fs;
use std::path::PathBuf;

use neuraflow_core::codec::{Config, Decoded, Decoder, Encoder, Frame, Layout, Profile, Samples, ValueType};
use neuraflow_core::model::Unit;
use neuraflow_core::testing::Random;

use crate::support::{bits, layout, part, signal};

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/goldens/codec/v1/{name}"))
}

/// What a golden file holds: a key frame and three more.
struct Case {
    name: String,
    layout: Layout,
    config: Config,
    values: Decoded,
    missing: Vec<bool>,
}

const CHANNELS: usize = 11;
const SAMPLES: usize = 13;

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, of, spread) in [
        ("i16", ValueType::I16, 7),
        ("i24", ValueType::I24, 12),
        ("i32", ValueType::I32, 20),
        ("f32", ValueType::F32, 9),
        ("flat", ValueType::I16, 0),
        ("noise", ValueType::I16, 16),
    ] {
        for (profile, word) in [(Profile::Small, "small"), (Profile::Fast, "fast")] {
            for error in [0.0, 4.0] {
                let mut layout = layout(CHANNELS, of);
                if name == "i24" {
                    layout = layout.with_unit(Unit::Other("°C".into()));
                }
                let values = if name == "flat" {
                    Decoded::I16(vec![-5; 4 * SAMPLES * CHANNELS])
                } else {
                    signal(of, CHANNELS, 4 * SAMPLES, spread, &mut Random::new(7))
                };
                let missing = (0..SAMPLES + 2).map(|n| n == 0 || n == 9).collect();
                let near = if error == 0.0 { "exact" } else { "near" };
                let config = Config::of(profile).with_max_error(error);
                cases.push(Case { name: format!("{name}-{word}-{near}"), layout, config, values, missing });
            }
        }
    }
    cases
}

/// Frames one after the other, each behind its length in two bytes.
fn write(case: &Case) -> Vec<u8> {
    let mut encoder = Encoder::new(case.layout.clone(), case.config).unwrap();
    let (mut file, size) = (Vec::new(), SAMPLES * CHANNELS);
    for n in 0..4 {
        let mut frame = Vec::new();
        let missing: &[bool] = if n == 2 { &case.missing } else { &[] };
        let values = part(&case.values, n * size, (n + 1) * size);
        let (sequence, first) = (1 << (20 * n), 300 * n as u64);
        encoder.encode(Samples { sequence, first, values, missing }, &mut frame).unwrap();
        file.extend_from_slice(&(frame.len() as u16).to_le_bytes());
        file.extend_from_slice(&frame);
    }
    file
}

#[test]
fn version_1_is_decoded_for_ever() {
    for case in cases() {
        let file = fs::read(golden(&case.name)).unwrap();
        let (mut decoder, mut frame, mut rest) = (Decoder::new(), Frame::default(), &file[..]);
        for n in 0..4 {
            let length = usize::from(u16::from_le_bytes([rest[0], rest[1]]));
            decoder.decode(&rest[2..2 + length], &mut frame).unwrap();
            rest = &rest[2 + length..];
            let size = SAMPLES * CHANNELS;
            let expected = part(&case.values, n * size, (n + 1) * size);
            if case.config.max_error == 0.0 {
                assert_eq!(bits(frame.values().as_values()), bits(expected), "{} {n}", case.name);
            }
            let missing: &[bool] = if n == 2 { &case.missing } else { &[] };
            assert_eq!((frame.sequence(), frame.first()), (1 << (20 * n), 300 * n as u64));
            assert_eq!(frame.missing(), missing);
        }
        assert!(rest.is_empty());
        assert_eq!(decoder.layout(), Some(&case.layout));
    }
}

#[test]
fn what_is_written_today_is_version_1_to_the_byte() {
    for case in cases() {
        let golden = fs::read(golden(&case.name)).unwrap();
        assert!(
            write(&case) == golden,
            "{}: other bytes need a new format version, unless smaller",
            case.name
        );
    }
}

#[test]
#[ignore = "writes the files of a new format version; those of an old one are never written again"]
fn write_goldens() {
    fs::create_dir_all(golden("")).unwrap();
    for case in cases() {
        fs::write(golden(&case.name), write(&case)).unwrap();
    }
}
