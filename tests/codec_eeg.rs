//! The codec on a real recording: 64 channels of EEG, counts of 1 µV, in frames of 50 ms and of 1 s.
//!
//! Ratios count whole frames: headers, checksums and a key frame every second are in them.

use neuraflow::codec::{
    Config, Decoded, Decoder, Encoder, Frame, Layout, Profile, Samples, ValueType, Values,
};
use neuraflow::prelude::*;
use neuraflow::sources::recording::edf::Edf;
use neuraflow::testing::data::recording;

const CHANNELS: usize = 64;

/// All counts of S001R04.edf, `[sample][channel]`.
fn counts() -> Option<Vec<i16>> {
    let mut file = Edf::open(recording("edf/S001R04.edf")?).unwrap();
    let mut counts = vec![0; 20_000 * CHANNELS];
    for record in 0..125 {
        for channel in 0..CHANNELS {
            for (n, count) in file.digital(channel, record).unwrap().into_iter().enumerate() {
                counts[(record as usize * 160 + n) * CHANNELS + channel] = i16::try_from(count).unwrap();
            }
        }
    }
    Some(counts)
}

/// Encodes and decodes all of it. Returns bytes before ÷ bytes after.
fn ratio(counts: &[i16], samples: usize, config: Config) -> f64 {
    let key = StreamKey::of_names("S001R04", "eeg");
    let layout = Layout::counts(key, SamplingRate::hz(160).unwrap(), CHANNELS, ValueType::I16, 1.0);
    let mut encoder = Encoder::new(layout, config).unwrap();
    let allowed = encoder.max_error() as i32;
    assert_eq!(f64::from(allowed), config.max_error);
    let (mut decoder, mut frame) = (Decoder::new(), Frame::default());
    let mut total = 0;
    for (n, values) in counts.chunks(samples * CHANNELS).enumerate() {
        let first = (n * samples) as u64;
        let mut bytes = Vec::new();
        let values = Samples { sequence: first, first, values: Values::I16(values), missing: &[] };
        encoder.encode(values, &mut bytes).unwrap();
        total += bytes.len();
        decoder.decode(&bytes, &mut frame).unwrap();
        let (Decoded::I16(found), Values::I16(expected)) = (frame.values(), values.values) else { panic!() };
        assert_eq!(found.len(), expected.len());
        let error = found.iter().zip(expected).map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs()).max();
        assert!(error <= Some(allowed), "{error:?} counts off, allowed {allowed}");
    }
    (2 * counts.len()) as f64 / total as f64
}

#[test]
fn small_frames_of_eeg_are_small() {
    let Some(counts) = counts() else { return };
    let small = Config::of(Profile::Small);
    let fast = Config::of(Profile::Fast);
    let second = |config: Config| config.with_key_interval(1);
    for (name, config, samples, goal) in [
        ("small, 50 ms", small, 8, 2.86),
        ("small, 50 ms, ±4 µV", small.with_max_error(4.0), 8, 4.4),
        ("fast, 50 ms", fast, 8, 2.3),
        ("fast, 50 ms, ±4 µV", fast.with_max_error(4.0), 8, 3.9),
        ("small, 1 s, each a key frame", second(small), 160, 2.9),
        ("small, 1 s, each a key frame, ±4 µV", second(small).with_max_error(4.0), 160, 4.4),
        ("fast, 1 s, each a key frame", second(fast), 160, 2.3),
    ] {
        let found = ratio(&counts, samples, config);
        println!("{name}: {found:.3}, goal {goal}");
        assert!(found >= goal, "{name}: {found:.3}, goal {goal}");
    }
}
