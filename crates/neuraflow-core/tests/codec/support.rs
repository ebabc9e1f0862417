//! Signals to encode.

use neuraflow_core::codec::{
    Config, Decoded, Decoder, Encoder, Frame, Layout, Profile, Samples, ValueType, Values,
};
use neuraflow_core::model::{Id, SamplingRate, StreamKey};
use neuraflow_core::testing::Random;

pub const PROFILES: [Profile; 2] = [Profile::Small, Profile::Fast];
pub const TYPES: [ValueType; 4] = [ValueType::I16, ValueType::I24, ValueType::I32, ValueType::F32];

pub fn layout(channels: usize, values: ValueType) -> Layout {
    let id = |n: u128| Id::from_u128(n << 100 | 0x1234_5678);
    let key = StreamKey { tenant: id(1), session: id(2), device: id(3), signal: 7 };
    let rate = SamplingRate::ratio(78_125, 4).unwrap();
    if values == ValueType::F32 {
        Layout::floats(key, rate, channels)
    } else {
        Layout::counts(key, rate, channels, values, 0.5)
    }
}

/// Values of any type, `[sample][channel]`: channels that resemble each other, with noise of `spread` bits, some flat,
/// some jumping from one end of the range to the other.
pub fn signal(
    values: ValueType,
    channels: usize,
    samples: usize,
    spread: u32,
    random: &mut Random,
) -> Decoded {
    let bits = values.bits();
    let half = 1i64 << (bits - 1);
    let mut common = 0i64;
    let mut counts = Vec::with_capacity(samples * channels);
    for _ in 0..samples {
        let noise = |random: &mut Random| (random.next() as i64) >> (64 - i64::from(spread.clamp(1, bits)));
        common += noise(random) / 2;
        for channel in 0..channels {
            counts.push(match channel % 7 {
                5 => 3,
                6 if random.chance(5) => [half - 1, -half, 0][random.below(3)],
                _ => (common + noise(random) / 4 + half).rem_euclid(2 * half) - half,
            });
        }
    }
    match values {
        ValueType::I16 => Decoded::I16(counts.iter().map(|count| *count as i16).collect()),
        ValueType::F32 => Decoded::F32(
            counts
                .iter()
                .map(|count| if random.chance(3) { odd(random) } else { *count as f32 * 0.043 })
                .collect(),
        ),
        _ => Decoded::I32(counts.iter().map(|count| *count as i32).collect()),
    }
}

/// Floats that are hard: no number, infinite, denormal, huge, negative zero, or any bits at all.
pub fn odd(random: &mut Random) -> f32 {
    match random.below(9) {
        0 => f32::NAN,
        1 => f32::INFINITY,
        2 => f32::NEG_INFINITY,
        3 => f32::from_bits(random.next() as u32 & 0x007f_ffff),
        4 => f32::MAX,
        5 => -0.0,
        6 => f32::MIN_POSITIVE * random.unit() as f32,
        _ => f32::from_bits(random.next() as u32),
    }
}

/// The part of `values` from value `from` to value `to`.
pub fn part(values: &Decoded, from: usize, to: usize) -> Values<'_> {
    match values {
        Decoded::I16(values) => Values::I16(&values[from..to]),
        Decoded::I32(values) => Values::I32(&values[from..to]),
        Decoded::F32(values) => Values::F32(&values[from..to]),
    }
}

/// Bits, so that NaN can be compared.
pub fn bits(values: Values<'_>) -> Vec<i64> {
    match values {
        Values::I16(values) => values.iter().map(|value| i64::from(*value)).collect(),
        Values::I32(values) => values.iter().map(|value| i64::from(*value)).collect(),
        Values::F32(values) => values.iter().map(|value| i64::from(value.to_bits())).collect(),
    }
}

/// `values` in frames of the lengths given, in turn.
pub fn frames(layout: &Layout, config: Config, values: &Decoded, lengths: &[usize]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(layout.clone(), config).unwrap();
    let samples = values.as_values().len() / layout.channels;
    let (mut at, mut frames) = (0, Vec::new());
    for length in lengths.iter().cycle() {
        if at == samples {
            break;
        }
        let end = samples.min(at + length);
        let values = part(values, at * layout.channels, end * layout.channels);
        let mut bytes = Vec::new();
        let (sequence, first) = (at as u64 + 1_000, at as u64 + 7);
        encoder.encode(Samples { sequence, first, values, missing: &[] }, &mut bytes).unwrap();
        frames.push(bytes);
        at = end;
    }
    frames
}

/// All values of all frames.
pub fn decoded(frames: &[Vec<u8>]) -> Vec<Decoded> {
    let (mut decoder, mut frame) = (Decoder::new(), Frame::default());
    let decode = |bytes: &Vec<u8>| {
        decoder.decode(bytes, &mut frame).unwrap();
        frame.values().clone()
    };
    frames.iter().map(decode).collect()
}
